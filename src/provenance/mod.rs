//! Where a record comes from: the build of the tool, the machine, the command line; and how to take names out of a record.
//!
//! Devices and sensors describe themselves elsewhere. What surprises people: everything about the host is read below a
//! root folder that tests replace, and is `None` on systems without `/proc`, never a guess.

mod host;
mod redact;
mod tool;

pub use host::host_below;
pub use redact::{Secrets, redact, redact_with, redacted_name};
pub use tool::tool;

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::Provenance;

/// Facts about this build, this machine and this command line. Device details are filled in by whoever knows them.
pub fn collect(argv: Vec<String>) -> Provenance {
    Provenance {
        tool: tool(),
        host: host_below(Path::new("/")),
        argv,
        redacted: false,
        device_details: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_kept_as_typed_and_nothing_is_redacted_by_itself() {
        let provenance = collect(vec!["wattmark".to_owned(), "run".to_owned()]);
        assert_eq!(provenance.argv, ["wattmark", "run"]);
        assert!(!provenance.redacted && provenance.device_details.is_empty());
        assert_eq!(provenance.tool.version, env!("CARGO_PKG_VERSION"));
        assert!(provenance.host.logical_cpus >= 1);
    }
}
