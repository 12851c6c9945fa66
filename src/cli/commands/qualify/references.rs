//! What devices are held against, as files: the profile that was given, and earlier qualifications below a folder.
//!
//! What surprises people: a profile that cannot be read ends the command before anything is measured; an unreadable
//! qualification of the past is named and left out.

use std::path::{Path, PathBuf};

use super::Args;
use crate::cli::{Console, Failure};
use crate::model::Qualification;
use crate::qualify::{Profile, References};
use crate::store::{self, QUALIFICATION_FILE};

/// Folders below one another that are looked into for qualifications: by rack, by node, by month.
const DEPTH: usize = 5;

/// Largest profile that is read.
const PROFILE_LIMIT: u64 = 4 << 20;

/// The references that were named.
pub fn load(args: &Args, console: &Console) -> anyhow::Result<References> {
    let profile = args.profile.as_deref().map(profile).transpose()?;
    let history = args.history.as_deref().map(|folder| history(folder, console)).transpose()?.unwrap_or_default();
    Ok(References { profile, history, occasion: None })
}

fn profile(path: &Path) -> anyhow::Result<Profile> {
    let refused = |why: String| Failure::usage(format!("cannot use the profile {}: {why}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?.len();
    if length > PROFILE_LIMIT {
        return Err(refused(format!("it is {length} bytes long, and a profile has {PROFILE_LIMIT} at most")).into());
    }
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    Profile::read(&text).map_err(|error| refused(error.to_string()).into())
}

fn history(folder: &Path, console: &Console) -> anyhow::Result<Vec<Qualification>> {
    let files = qualifications_below(folder).map_err(|why| {
        Failure::usage(format!("cannot look for earlier qualifications below {}: {why}", folder.display()))
    })?;
    let mut past = Vec::new();
    for file in &files {
        match store::read_qualification(file) {
            Ok(loaded) if loaded.qualification.inject_error => {
                console.note(&format!("history: {} is left out: errors were injected into it", loaded.path.display()));
            }
            Ok(loaded) => past.push(loaded.qualification),
            Err(error) => console.note(&format!("history: left out: {error}")),
        }
    }
    if past.is_empty() {
        console.note(&format!("history: there is no qualification below {}", folder.display()));
    }
    Ok(past)
}

/// Every `qualification.json` in a folder and the folders below it, in order of path.
pub fn qualifications_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    collect(folder, DEPTH, &mut found);
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let file = folder.join(QUALIFICATION_FILE);
    if file.is_file() {
        found.push(file);
        return;
    }
    let Some(deeper) = depth.checked_sub(1) else { return };
    // A folder that may not be listed holds nothing for us.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()) {
        collect(&path, deeper, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifications_are_found_in_folders_below_folders() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["b/c", "a", "a/inside", "empty"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for folder in ["b/c", "a", "a/inside"] {
            std::fs::write(root.path().join(folder).join(QUALIFICATION_FILE), "{}").unwrap();
        }
        let found = qualifications_below(root.path()).unwrap();
        let expected: Vec<PathBuf> =
            ["a", "b/c"].iter().map(|f| root.path().join(f).join(QUALIFICATION_FILE)).collect();
        assert_eq!(found, expected, "what lies inside a qualification is not looked into");
        assert!(qualifications_below(&root.path().join("gone")).is_err());
    }
}
