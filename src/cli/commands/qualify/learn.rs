//! `qualify --learn FILE --from DIR…`: what is normal for a model, from qualifications of devices known to be good.

use std::path::{Path, PathBuf};

use super::references::qualifications_below;
use crate::cli::{Console, Exit, Failure};
use crate::model::Qualification;
use crate::qualify::Profile;
use crate::store;

/// Writes the profile.
pub fn learn(target: &Path, from: &[PathBuf], console: &mut Console) -> anyhow::Result<Exit> {
    if target.exists() {
        let why = "it exists. A profile is not overwritten: name another file, or remove it first";
        return Err(Failure::usage(format!("cannot write the profile {}: {why}", target.display())).into());
    }
    let records = records(from, console)?;
    let profile = Profile::learn(&records).map_err(|error| Failure::record(error.to_string()))?;
    let text = profile.to_toml();
    store::replace_file(target, |out| out.write_all(text.as_bytes())).map_err(|error| {
        Failure::usage(format!(
            "cannot write the profile {}: {error}. Name a file in a folder you may write to",
            target.display()
        ))
    })?;
    writeln!(
        console.out,
        "{}: {} limits for devices named `{}`, learned from {} of {}",
        target.display(),
        profile.limits.len(),
        profile.model,
        plural(profile.runs, "run"),
        plural(profile.devices, "device")
    )?;
    Ok(Exit::Ok)
}

fn plural(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Every qualification that is named; one that cannot be read ends the command, for the user named it as good.
fn records(from: &[PathBuf], console: &Console) -> anyhow::Result<Vec<Qualification>> {
    let mut records = Vec::new();
    for path in from {
        let files = match path.is_dir() {
            true => qualifications_below(path)
                .map_err(|why| Failure::record(format!("cannot learn from {}: {why}", path.display())))?,
            false => vec![path.clone()],
        };
        if files.is_empty() {
            let why = "there is no qualification.json in it or below it. Name the folder that `wattmark qualify` wrote";
            return Err(Failure::record(format!("cannot learn from {}: {why}", path.display())).into());
        }
        for file in files {
            let loaded = store::read_qualification(&file).map_err(|error| Failure::record(error.to_string()))?;
            if loaded.qualification.inject_error {
                let why = "errors were injected into it on purpose, so it says nothing of its devices. Leave it out";
                return Err(Failure::record(format!("cannot learn from {}: {why}", file.display())).into());
            }
            for warning in &loaded.warnings {
                console.note(&format!("wattmark: {}: {warning}", loaded.path.display()));
            }
            records.push(loaded.qualification);
        }
    }
    Ok(records)
}
