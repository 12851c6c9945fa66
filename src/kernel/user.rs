//! Variants of the user's own: pairs of files in `DIR/<problem>/<name>.{wgsl,toml}`, read at start and added to the shipped ones.
//!
//! What surprises people: their shaders run without bounds checks, exactly as the shipped ones do, so a wrong index can read or
//! overwrite memory that is not theirs. A broken one only leaves itself out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Broken, KernelError, Variant};
use crate::model::UserShader;

/// Folders that were named and are not read yet.
static FOLDERS: Mutex<Vec<Found>> = Mutex::new(Vec::new());

/// One variant's files, or why they are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    problem: String,
    name: String,
    path: PathBuf,
    files: Result<(String, String), String>,
}

/// Reads a folder of variants; they join the catalogue when it is first asked for, so this comes before everything else.
pub fn add_folder(folder: &Path) -> Result<(), KernelError> {
    let found = read_folder(folder)?;
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    Ok(())
}

/// What the folders that were named hold.
pub(super) fn take() -> Vec<Found> {
    std::mem::take(&mut FOLDERS.lock().unwrap_or_else(PoisonError::into_inner))
}

fn read_folder(folder: &Path) -> Result<Vec<Found>, KernelError> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() {
            found.extend(read_problem(&entry)?);
        } else if is_part_of_a_pair(&entry) {
            let why = "it must lie in a folder that is named after its problem, such as gemm/".to_owned();
            found.push(Found { problem: String::new(), name: text_of(&entry), path: entry, files: Err(why) });
        }
    }
    Ok(found)
}

fn read_problem(folder: &Path) -> Result<Vec<Found>, KernelError> {
    let problem = text_of(folder);
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in entries(folder)?.into_iter().filter(|file| is_part_of_a_pair(file)) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        names.insert(name, file.with_extension("wgsl"));
    }
    let pair = |(name, path): (String, PathBuf)| {
        let files = read_pair(&path);
        Found { problem: problem.clone(), name, path, files }
    };
    Ok(names.into_iter().map(pair).collect())
}

fn read_pair(wgsl: &Path) -> Result<(String, String), String> {
    let read = |path: &Path, other: &Path| match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("half a pair: {} has no {} beside it", other.display(), text_of(path)))
        }
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    };
    let manifest = wgsl.with_extension("toml");
    Ok((read(wgsl, &manifest)?, read(&manifest, wgsl)?))
}

fn is_part_of_a_pair(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wgsl" || extension == "toml")
}

fn text_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Paths in a folder in order of name, hidden ones left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, KernelError> {
    let failure = |error: std::io::Error| KernelError::Folder { path: folder.to_owned(), reason: error.to_string() };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if !text_of(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Adds what was found to the shipped variants; each is answered for in the returned list.
pub(super) fn join(found: Vec<Found>, variants: &mut Vec<Variant>, broken: &mut Vec<Broken>) -> Vec<UserShader> {
    let shipped: Vec<String> = variants.iter().map(|variant| variant.problem.clone()).collect();
    let mut all = Vec::new();
    for Found { problem, name, path, files } in found {
        let id = if problem.is_empty() { name.clone() } else { format!("{problem}/{name}") };
        let parsed = files.and_then(|(wgsl, manifest)| {
            if !shipped.contains(&problem) {
                return Err(format!("no problem is called `{problem}`; `wattmark list` shows them"));
            }
            if variants.iter().any(|variant| variant.id == id) {
                return Err("there is a kernel of this name already; give it another".to_owned());
            }
            Variant::parse(&problem, &name, &wgsl, &manifest).map_err(|error| match error {
                KernelError::Broken { message, .. } => message,
                other => other.to_string(),
            })
        });
        let path = path.display().to_string();
        match parsed {
            Ok(variant) => {
                all.push(UserShader { variant: id, path, sha256: variant.sha256.clone(), broken: None });
                variants.push(variant);
            }
            Err(message) => {
                let answer = Some(message.clone());
                all.push(UserShader { variant: id.clone(), path, sha256: String::new(), broken: answer });
                broken.push(Broken { id, message });
            }
        }
    }
    variants.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "problem = 'gemm'\nelement = 'f32'\nsummary = 'mine'\nentry = 'main'\n\
        workgroup = ['1', '1', '1']\ngrid = ['m', '1', '1']\n";

    /// What a folder with these files adds.
    fn added(files: &[(&str, &str)]) -> (Vec<UserShader>, Vec<Variant>, Vec<Broken>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let shipped = Variant::parse("gemm", "shipped", "", MANIFEST).unwrap();
        let (mut variants, mut broken) = (vec![shipped], Vec::new());
        let all = join(read_folder(folder.path()).unwrap(), &mut variants, &mut broken);
        (all, variants, broken)
    }

    fn complaint(files: &[(&str, &str)]) -> String {
        let (all, variants, broken) = added(files);
        assert_eq!((all.len(), variants.len(), broken.len()), (1, 1, 1), "{all:?}");
        assert_eq!(all[0].broken.as_ref(), Some(&broken[0].message));
        format!("{}: {}", broken[0].id, broken[0].message)
    }

    #[test]
    fn a_pair_joins_the_others_with_its_path_and_hash() {
        let (all, variants, broken) =
            added(&[("gemm/mine.wgsl", "// x"), ("gemm/mine.toml", MANIFEST), ("notes.md", "")]);
        assert_eq!(broken, []);
        let ids: Vec<&str> = variants.iter().map(|variant| variant.id.as_str()).collect();
        assert_eq!(ids, ["gemm/mine", "gemm/shipped"]);
        assert!(all[0].path.ends_with("gemm/mine.wgsl") && all[0].sha256 == variants[0].sha256);
    }

    #[test]
    fn whatever_is_wrong_with_a_pair_leaves_only_itself_out() {
        let half = complaint(&[("gemm/mine.wgsl", "")]);
        assert!(half.starts_with("gemm/mine: half a pair: ") && half.ends_with("no mine.toml beside it"), "{half}");
        assert!(complaint(&[("gemm/mine.toml", MANIFEST)]).ends_with("no mine.wgsl beside it"));
        let key = format!("{MANIFEST}colour = 3\n");
        assert!(complaint(&[("gemm/mine.wgsl", ""), ("gemm/mine.toml", &key)]).contains("colour"));
        let twice = complaint(&[("gemm/shipped.wgsl", ""), ("gemm/shipped.toml", MANIFEST)]);
        assert!(twice.contains("already"), "{twice}");
        let problem = complaint(&[("gem/mine.wgsl", ""), ("gem/mine.toml", MANIFEST)]);
        assert!(problem.contains("no problem is called `gem`"), "{problem}");
        assert!(complaint(&[("mine.wgsl", "")]).contains("named after its problem"));
        assert!(complaint(&[("gemm/mine.wgsl", "{% for %}"), ("gemm/mine.toml", MANIFEST)]).contains("mine.wgsl"));
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_named() {
        let message = read_folder(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(message.contains("/nowhere/at/all") && message.contains("No such file"), "{message}");
    }
}
