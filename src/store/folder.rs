//! A run's folder: made once, proven writable before anything is measured, and saved into without ever losing the last save.
//!
//! What surprises people: a folder is never reused; if its name is taken, another id is chosen.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::validate::first_non_finite;
use super::{StoreError, write_text};
use crate::model::RunRecord;

/// Name of the record's file inside its folder.
pub const RECORD_FILE: &str = "run.json";

/// Names tried before giving up on a folder that does not exist yet.
const ATTEMPTS: u32 = 64;

/// Longest host part of a folder's name, in characters.
const HOST_LENGTH: usize = 40;

/// Four hex digits from the seed, the time and the process, to tell apart runs that start in one second.
pub fn new_id(seed: u64, started: jiff::Timestamp) -> String {
    short_hash(&format!("{seed} {} {}", started.as_nanosecond(), std::process::id()))
}

fn short_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!("{:02x}{:02x}", digest[0], digest[1])
}

/// A host name reduced to letters, digits, `.` and `-`, never empty, never hidden.
fn filename_safe(host: &str) -> String {
    let safe: String = host
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '-' })
        .take(HOST_LENGTH)
        .collect();
    let trimmed = safe.trim_matches(['.', '-']);
    if trimmed.is_empty() { "host".to_owned() } else { trimmed.to_owned() }
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
    run_id: String,
}

impl RunFolder {
    /// Makes `results/<utc>-<host>-<id>/` and proves that files can be written in it.
    ///
    /// Missing parents are made. If the name is taken, further ids are derived from `id`.
    pub fn create(results_dir: &Path, started: jiff::Timestamp, host: &str, id: &str) -> Result<Self, StoreError> {
        let unwritable =
            |path: &Path, error: io::Error| StoreError::Unwritable { path: path.to_owned(), why: error.to_string() };
        std::fs::create_dir_all(results_dir).map_err(|error| unwritable(results_dir, error))?;
        let stamp = started.strftime("%Y%m%dT%H%M%SZ");
        let host = filename_safe(host);
        let mut id = filename_safe(id);
        for attempt in 0..ATTEMPTS {
            let run_id = format!("{stamp}-{host}-{id}");
            let path = results_dir.join(&run_id);
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    let folder = Self { path, run_id };
                    folder.prove_writable().map_err(|error| unwritable(&folder.path, error))?;
                    return Ok(folder);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    id = short_hash(&format!("{id}{attempt}"))
                }
                Err(error) => return Err(unwritable(results_dir, error)),
            }
        }
        let why = io::Error::other(format!("{ATTEMPTS} names for this second are taken"));
        Err(unwritable(results_dir, why))
    }

    /// Writes, syncs and removes a small file; an empty folder does not outlive a failure.
    fn prove_writable(&self) -> io::Result<()> {
        let attempt = tempfile::NamedTempFile::new_in(&self.path).and_then(|mut file| {
            file.write_all(b"wattmark")?;
            file.as_file().sync_all()
        });
        if attempt.is_err() {
            // The folder is empty and useless; that it cannot be removed adds nothing to the error below.
            let _ = std::fs::remove_dir(&self.path);
        }
        attempt
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The folder's name, which is the record's `run_id`.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }
    /// Path of the record's file.
    pub fn record_path(&self) -> PathBuf {
        self.path.join(RECORD_FILE)
    }

    /// Saves the record: a new file in the same folder, synced, then renamed over the last save.
    ///
    /// On any failure the last save stays as it was. A record with a number that JSON cannot hold is such a failure: it
    /// would replace a readable save by an unreadable one.
    pub fn save(&self, record: &RunRecord) -> Result<(), StoreError> {
        self.save_through(|out| match first_non_finite(record) {
            Some(field) => Err(io::Error::other(format!("field {field} is infinite or not a number"))),
            None => write_text(record, out),
        })
    }

    fn save_through(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
        let target = self.record_path();
        let mut written = 0;
        replace(&target, &mut written, write).map_err(|error| StoreError::Save {
            why: error.to_string(),
            bytes: written,
            previous: if target.is_file() {
                "the previous save is intact".to_owned()
            } else {
                "there is no previous save".to_owned()
            },
            path: target,
        })
    }
}

/// Replaces a file as a whole; on any failure it stays as it was, and a reader sees the old text or the new, never a mixture.
pub fn replace_file(target: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut written = 0;
    replace(target, &mut written, write)
}

/// Replaces a file as a whole: temporary file beside it, sync, rename. `written` counts the bytes of the new text.
fn replace(target: &Path, written: &mut u64, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let file = temporary_in(folder)?;
    let mut counted = Counted { inner: BufWriter::with_capacity(1 << 16, file), written };
    write(&mut counted)?;
    let file = counted.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    sync_folder(folder);
    Ok(())
}

/// A temporary file with the permissions that the user's umask gives, so that colleagues can read the record.
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".run-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Makes the rename itself durable where the system can; the record is complete either way.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Ok(handle) = std::fs::File::open(folder) {
        let _ = handle.sync_all();
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// Counts the bytes that pass.
struct Counted<'a, W> {
    inner: W,
    written: &'a mut u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        *self.written += count as u64;
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> jiff::Timestamp {
        "2026-08-22T10:15:30Z".parse().unwrap()
    }

    #[test]
    fn a_folder_is_named_by_time_host_and_id() {
        let results = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&results.path().join("deep/er"), stamp(), "node07", "3f9c").unwrap();
        assert_eq!(folder.run_id(), "20260822T101530Z-node07-3f9c");
        assert!(folder.path().is_dir());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the proof of writing leaves nothing behind");
    }

    #[test]
    fn a_taken_name_leads_to_another_id_and_never_to_the_same_folder() {
        let results = tempfile::tempdir().unwrap();
        let names: std::collections::BTreeSet<String> = (0..5)
            .map(|_| RunFolder::create(results.path(), stamp(), "h", "0000").unwrap().run_id().to_owned())
            .collect();
        assert_eq!(names.len(), 5);
    }

    #[test]
    fn host_names_cannot_leave_the_folder() {
        for (host, safe) in [("../../etc", "etc"), ("a/b c", "a-b-c"), ("", "host"), ("...", "host"), ("日本", "host")]
        {
            assert_eq!(filename_safe(host), safe);
        }
        assert_eq!(filename_safe(&"x".repeat(300)).len(), HOST_LENGTH);
    }

    #[test]
    fn an_unwritable_results_folder_is_found_before_anything_is_measured() {
        let results = tempfile::tempdir().unwrap();
        let file = results.path().join("results");
        std::fs::write(&file, "a file, not a folder").unwrap();
        let error = RunFolder::create(&file, stamp(), "h", "0000").unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }));
        let text = error.to_string();
        assert!(text.contains(&file.display().to_string()) && text.contains("nothing was measured"), "{text}");
    }

    #[test]
    fn a_full_disk_leaves_the_previous_save_as_it_was() {
        let results = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(results.path(), stamp(), "h", "0000").unwrap();
        folder.save_through(|out| out.write_all(b"first")).unwrap();
        let error = folder
            .save_through(|out| {
                out.write_all(&[b'x'; 1000])?;
                Err(io::Error::from(io::ErrorKind::StorageFull))
            })
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("1000 bytes") && text.contains("run.json") && text.contains("intact"), "{text}");
        assert_eq!(std::fs::read(folder.record_path()).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_record_is_as_readable_as_any_other_file_of_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let results = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(results.path(), stamp(), "h", "0000").unwrap();
        folder.save_through(|out| out.write_all(b"{}")).unwrap();
        let plain = results.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.record_path()), mode(&plain));
    }

    #[test]
    fn ids_are_four_hex_digits_and_follow_the_seed() {
        let id = new_id(1, stamp());
        assert!(id.len() == 4 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
        assert_ne!(id, new_id(2, stamp()));
    }
}
