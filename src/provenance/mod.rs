//! Where a record comes from: the build of the tool, the machine, the command line; and how to take names out of a record.
//!
//! Devices and sensors describe themselves elsewhere. What surprises people: everything about the host is read below a
//! root folder that tests replace, and is `None` on systems without `/proc`, never a guess.

mod host;
mod redact;
mod tool;

pub use host::host_below;
pub use redact::{Secrets, redact, redact_with, redacted, redacted_name};
pub use tool::tool;

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::Provenance;

/// What stands in place of a password.
const HIDDEN: &str = "***";

/// Words in the name of an option or setting whose value is a secret.
const SECRET_WORDS: [&str; 5] = ["password", "passwd", "token", "secret", "api-key"];

/// Facts about this build, this machine and this command line. Device details are filled in by whoever knows them.
///
/// Passwords and tokens on the command line are replaced by `***`: secrets never enter a record.
pub fn collect(argv: Vec<String>) -> Provenance {
    Provenance {
        tool: tool(),
        host: host_below(Path::new("/")),
        argv: without_secrets(argv),
        redacted: false,
        device_details: BTreeMap::new(),
    }
}

/// A command line without the passwords in its URLs and without the values of options named after secrets.
pub fn without_secrets(argv: Vec<String>) -> Vec<String> {
    let mut value_is_secret = false;
    argv.into_iter()
        .map(|argument| {
            if std::mem::take(&mut value_is_secret) {
                return HIDDEN.to_owned();
            }
            let (name, value) = argument.split_once('=').map_or((argument.as_str(), None), |(n, v)| (n, Some(v)));
            let named = name.to_lowercase().replace('_', "-");
            if !SECRET_WORDS.iter().any(|word| named.contains(word)) || named.contains("://") {
                return without_password(&argument);
            }
            match value {
                Some(_) => format!("{name}={HIDDEN}"),
                None => {
                    value_is_secret = name.starts_with('-');
                    argument
                }
            }
        })
        .collect()
}

/// A text whose URLs carry no `user:password@`.
fn without_password(text: &str) -> String {
    let Some((before, after)) = text.split_once("://") else { return text.to_owned() };
    let authority = after.find(['/', '?', '#']).unwrap_or(after.len());
    match after[..authority].rfind('@') {
        Some(at) => format!("{before}://{HIDDEN}{}", &after[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_tokens_never_enter_a_record() {
        let typed = [
            "wattmark",
            "--power",
            "redfish:https://bmc/redfish",
            "--power=redfish:https://admin:hunter2@bmc/x@y",
            "--api-token",
            "abc",
            "--password=abc",
            "--kernel",
            "gemm/*",
            "AUTH_TOKEN=abc",
        ];
        let kept = without_secrets(typed.map(str::to_owned).to_vec()).join(" ");
        for secret in ["hunter2", "abc"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert!(kept.contains("https://***@bmc/x@y --api-token *** --password=*** --kernel gemm/*"), "{kept}");
    }

    #[test]
    fn the_command_line_is_kept_as_typed_and_nothing_is_redacted_by_itself() {
        let provenance = collect(vec!["wattmark".to_owned(), "run".to_owned()]);
        assert_eq!(provenance.argv, ["wattmark", "run"]);
        assert!(!provenance.redacted && provenance.device_details.is_empty());
        assert_eq!(provenance.tool.version, env!("CARGO_PKG_VERSION"));
        assert!(provenance.host.logical_cpus >= 1);
    }
}
