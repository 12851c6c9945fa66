//! Finds records: below folders, in lists of paths, or named one by one.
//!
//! What surprises people: every `*.json` counts as a record, for collected records lie under any name; only the segments
//! beside a `qualification.json`, whose figures are in it already, and hidden files are left out.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::read::Unreadable;
use crate::store::{QUALIFICATION_FILE, segment_number};

/// Where records are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder, with all below it.
    Folder(PathBuf),
    /// One file.
    File(PathBuf),
}

impl Source {
    /// A folder or a file, as the path is. A path at which nothing lies is a file that will be unreadable.
    pub fn of(path: &Path) -> Self {
        if path.is_dir() { Self::Folder(path.to_owned()) } else { Self::File(path.to_owned()) }
    }
}

/// True for a file that is a list of paths: it is no folder, and its name does not end in `.json`.
pub fn is_list(path: &Path) -> bool {
    path.is_file() && path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("json"))
}

/// The files of some sources, folder by folder.
pub(super) struct Finder {
    folders: Vec<PathBuf>,
    files: VecDeque<PathBuf>,
    failed: Vec<Unreadable>,
}

impl Finder {
    pub fn new(sources: &[Source]) -> Self {
        let mut finder = Self { folders: Vec::new(), files: VecDeque::new(), failed: Vec::new() };
        for source in sources {
            match source {
                Source::Folder(path) => finder.folders.push(path.clone()),
                Source::File(path) => finder.files.push_back(path.clone()),
            }
        }
        finder.folders.reverse();
        finder
    }

    /// Folders that could not be listed.
    pub fn failed(self) -> Vec<Unreadable> {
        self.failed
    }

    /// Takes up the files of one folder and remembers the folders in it.
    fn open(&mut self, folder: &Path) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                let why = format!("the folder cannot be listed: {error}");
                return self.failed.push(Unreadable { path: folder.display().to_string(), why });
            }
        };
        let (mut files, mut folders, mut qualified) = (Vec::new(), Vec::new(), false);
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            // A link to a folder is not followed: it could lead back here.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else if name.ends_with(".json") {
                qualified |= name == QUALIFICATION_FILE;
                files.push((entry.path(), segment_number(&name).is_some()));
            }
        }
        self.files.extend(files.into_iter().filter(|(_, segment)| !(qualified && *segment)).map(|(path, _)| path));
        folders.sort_by(|a, b| b.cmp(a));
        self.folders.extend(folders);
    }
}

impl Iterator for Finder {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        loop {
            if let Some(file) = self.files.pop_front() {
                return Some(file);
            }
            let folder = self.folders.pop()?;
            self.open(&folder);
        }
    }
}
