//! `wattmark validate`: a strict look at records and qualifications.
//!
//! What surprises people: every file is examined, whatever is wrong with the others; one finding anywhere is exit code 7.

use std::path::{Path, PathBuf};

use crate::cli::{Console, Exit};
use crate::store::{self, QualificationFolder, StoreError, validate};

/// Arguments of `wattmark validate`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Records: run folders, run.json files, folders of qualifications.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let mut exit = Exit::Ok;
    for file in &args.files {
        let lines = match examine(file) {
            Ok((path, lines)) if lines.is_empty() => {
                writeln!(console.out, "{}: OK", path.display())?;
                continue;
            }
            Ok((path, lines)) => lines.iter().map(|line| format!("{}: {line}", path.display())).collect(),
            Err(error) => vec![error.to_string()],
        };
        exit = Exit::Record;
        for line in lines {
            writeln!(console.out, "{line}")?;
        }
    }
    Ok(exit)
}

/// The record's file, and everything wrong with it.
fn examine(file: &Path) -> Result<(PathBuf, Vec<String>), StoreError> {
    if store::is_qualification(file) {
        return examine_qualification(file);
    }
    let loaded = store::read(file)?;
    let text = std::fs::read_to_string(&loaded.path)
        .map_err(|error| StoreError::Unreadable { path: loaded.path.clone(), why: error.to_string() })?;
    let findings = validate::examine(&text, &loaded.record);
    Ok((loaded.path, findings.iter().map(ToString::to_string).collect()))
}

/// A qualification's file, and everything wrong with it and with the segments beside it.
fn examine_qualification(file: &Path) -> Result<(PathBuf, Vec<String>), StoreError> {
    let loaded = store::read_qualification(file)?;
    let text = std::fs::read_to_string(&loaded.path)
        .map_err(|error| StoreError::Unreadable { path: loaded.path.clone(), why: error.to_string() })?;
    let findings = validate::examine_qualification(&text, &loaded.qualification);
    let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let folder = QualificationFolder::open(&loaded.path)?;
    for segment in &loaded.qualification.segments {
        let Some(number) = store::segment_number(&segment.file) else { continue };
        match folder.read_segment(number, Some(&segment.sha256)) {
            Err(error) => lines.push(format!("{}: {error}", segment.file)),
            Ok((record, _)) => {
                let found = validate::check(&record);
                lines.extend(found.iter().map(|finding| format!("{}: {finding}", segment.file)));
            }
        }
    }
    Ok((loaded.path, lines))
}
