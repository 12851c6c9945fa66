//! Records that commands work on: found by path or name, read, their warnings noted.

use std::path::Path;

use crate::cli::{Console, Failure};
use crate::model::RunStatus;
use crate::store::{self, Loaded};

/// Reads a record and notes what a reader should know about it; an unreadable one ends with exit code 7.
pub fn load(run: &Path, console: &Console) -> anyhow::Result<Loaded> {
    let loaded = store::read(run).map_err(|error| Failure::record(error.to_string()))?;
    for warning in &loaded.warnings {
        console.note(&format!("wattmark: {}: {warning}", loaded.path.display()));
    }
    if loaded.record.status == RunStatus::Running {
        console.note(&format!(
            "wattmark: {}: the run had not ended when this was saved (it is still going, or was killed): {} of {} cases are here",
            loaded.path.display(),
            loaded.record.measurements.len() + loaded.record.skips.len(),
            loaded.record.plan.cases.len()
        ));
    }
    Ok(loaded)
}
