//! The folder of a qualification: segments as ordinary records, and the small file that says what was found.
//!
//! Both are replaced as a whole, so a killed process costs what it had not saved yet and nothing else. What surprises people:
//! the segments are the facts; `qualification.json` can be made again from them at any time.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::read::{envelope_of, field_error, other_copy, unreadable_text, version_of};
use super::text::write_json;
use super::validate::first_non_finite;
use super::{RunFolder, StoreError, read_in, replace_file, write_text};
use crate::model::{
    QUALIFICATION_SCHEMA, QUALIFICATION_VERSION, Qualification, RunRecord, RunStatus, SchemaVersion, Segment,
};

/// Name of the file that says what was found.
pub const QUALIFICATION_FILE: &str = "qualification.json";

/// Largest `qualification.json` that is read: hundreds of times what sixteen devices need, and little enough for memory.
pub const QUALIFICATION_LIMIT: u64 = 16 << 20;

/// Beginning and end of a segment's name.
const SEGMENT: (&str, &str) = ("segment-", ".json");

/// Name of a segment's file, for example `segment-0001.json`.
pub fn segment_file(number: u32) -> String {
    format!("{}{number:04}{}", SEGMENT.0, SEGMENT.1)
}

/// Number of a segment's file; `None` for any other name.
pub fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(SEGMENT.0)?.strip_suffix(SEGMENT.1)?;
    let plain = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// File whose lock says that a process is at work in the folder. A killed process loses its lock.
const LOCK_FILE: &str = ".lock";

/// A folder taken for this process.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    _file: std::fs::File,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // An empty file that stays behind does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The folder of one qualification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualificationFolder {
    path: PathBuf,
    id: String,
}

impl QualificationFolder {
    /// Makes `results/<utc>-<host>-<id>/` and proves that files can be written in it; see [`RunFolder::create`].
    pub fn create(results_dir: &Path, started: jiff::Timestamp, host: &str, id: &str) -> Result<Self, StoreError> {
        let folder = RunFolder::create(results_dir, started, host, id)?;
        Ok(Self { path: folder.path().to_owned(), id: folder.run_id().to_owned() })
    }

    /// The folder of a qualification that exists: the folder itself, or its `qualification.json`.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let folder = if path.is_file() { path.parent().unwrap_or(Path::new(".")) } else { path };
        if !folder.is_dir() {
            let why = "there is no such folder. Name the folder that `wattmark qualify` wrote".to_owned();
            return Err(StoreError::Missing { path: path.to_owned(), why });
        }
        let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let id = name(folder).or_else(|| name(&folder.canonicalize().ok()?));
        Ok(Self { path: folder.to_owned(), id: id.unwrap_or_default() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The folder's name, which is the qualification's `id`.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// Path of the file that says what was found.
    pub fn file(&self) -> PathBuf {
        self.path.join(QUALIFICATION_FILE)
    }
    /// Path of a segment.
    pub fn segment_path(&self, number: u32) -> PathBuf {
        self.path.join(segment_file(number))
    }

    /// Takes the folder for this process until the lock is dropped. `None` means that another process has it; a file system
    /// that knows no locks gives one all the same.
    pub fn lock(&self) -> Result<Option<FolderLock>, StoreError> {
        let path = self.path.join(LOCK_FILE);
        let unwritable = |error: io::Error| StoreError::Unwritable { path: self.path.clone(), why: error.to_string() };
        let file = std::fs::File::create(&path).map_err(unwritable)?;
        match file.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => Ok(Some(FolderLock { path, _file: file })),
        }
    }

    /// Saves what was found, in place of the last save; on any failure that stays as it was.
    pub fn save(&self, qualification: &Qualification) -> Result<(), StoreError> {
        let target = self.file();
        self.replace(&target, &|out| match first_infinite(qualification) {
            Some(field) => Err(io::Error::other(format!("field {field} is infinite or not a number"))),
            None => write_json(qualification, out),
        })
    }

    /// Saves a segment, in place of an earlier save of the same number, and returns its name and digest.
    pub fn save_segment(&self, number: u32, record: &RunRecord) -> Result<Segment, StoreError> {
        let target = self.segment_path(number);
        let digest = std::cell::Cell::new(String::new());
        self.replace(&target, &|out| {
            if let Some(field) = first_non_finite(record) {
                return Err(io::Error::other(format!("field {field} is infinite or not a number")));
            }
            let mut hashing = Hashing { inner: out, hasher: Sha256::new() };
            write_text(record, &mut hashing)?;
            digest.set(hex(&hashing.hasher.finalize()));
            Ok(())
        })?;
        Ok(Segment { file: segment_file(number), sha256: digest.take() })
    }

    fn replace(&self, target: &Path, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
        let mut bytes = 0;
        let counted = |out: &mut dyn Write| {
            let mut counting = Counting { inner: out, bytes: &mut bytes };
            write(&mut counting)
        };
        let outcome = replace_file(target, counted);
        outcome.map_err(|error| StoreError::Save {
            path: target.to_owned(),
            bytes,
            why: error.to_string(),
            previous: if target.is_file() { "the previous save is intact" } else { "there is no previous save" }
                .to_owned(),
        })
    }

    /// Numbers of the segments that lie in the folder, ascending.
    pub fn segments(&self) -> Result<Vec<u32>, StoreError> {
        let unreadable = |error: io::Error| StoreError::Unreadable { path: self.path.clone(), why: error.to_string() };
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(unreadable)? {
            numbers.extend(segment_number(&entry.map_err(unreadable)?.file_name().to_string_lossy()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Reads a segment. With the digest that the qualification states, a file that was changed since is an error.
    pub fn read_segment(&self, number: u32, sha256: Option<&str>) -> Result<(RunRecord, Segment), StoreError> {
        let path = self.segment_path(number);
        let loaded = read_in(&path, &self.path)?;
        let found = digest_of(&path)?;
        if let Some(stated) = sha256.filter(|stated| !stated.eq_ignore_ascii_case(&found)) {
            return Err(StoreError::Changed { path, stated: stated.to_owned(), found });
        }
        Ok((loaded.record, Segment { file: segment_file(number), sha256: found }))
    }
}

/// A qualification that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedQualification {
    /// The qualification.
    pub qualification: Qualification,
    /// What a reader should know (newer minor version, a process that was killed).
    pub warnings: Vec<String>,
    /// The file it was read from.
    pub path: PathBuf,
}

/// True if the path names a qualification: its folder, or a file that says so in its first bytes or its name.
pub fn is_qualification(path: &Path) -> bool {
    if path.is_dir() {
        return path.join(QUALIFICATION_FILE).is_file();
    }
    let mut head = [0u8; 256];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let text = String::from_utf8_lossy(&head[..read]);
    path.is_file()
        && (text.contains(&format!("\"{QUALIFICATION_SCHEMA}\""))
            || path.file_name().is_some_and(|name| name == QUALIFICATION_FILE))
}

/// Reads a qualification: its folder or its `qualification.json`.
pub fn read_qualification(path: &Path) -> Result<LoadedQualification, StoreError> {
    let file = if path.is_dir() { path.join(QUALIFICATION_FILE) } else { path.to_owned() };
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::Missing {
            path: path.to_owned(),
            why: format!("there is no {QUALIFICATION_FILE}. Name the folder that `wattmark qualify` wrote"),
        },
        _ => StoreError::Unreadable { path: file.clone(), why: error.to_string() },
    };
    let opened = std::fs::File::open(&file).map_err(unreadable)?;
    let bytes = opened.metadata().map_err(unreadable)?.len();
    if bytes > QUALIFICATION_LIMIT {
        return Err(StoreError::TooLarge { path: file, bytes, limit: QUALIFICATION_LIMIT });
    }
    let mut content = Vec::with_capacity(bytes as usize);
    // A file that grows while it is read is no reason to fill the memory.
    opened.take(QUALIFICATION_LIMIT + 1).read_to_end(&mut content).map_err(unreadable)?;
    parse_qualification(&content, &file)
}

/// A qualification from the bytes of a file; `path` is named in errors.
pub fn parse_qualification(bytes: &[u8], path: &Path) -> Result<LoadedQualification, StoreError> {
    let path = path.to_owned();
    if bytes.is_empty() {
        return Err(StoreError::Empty { remedy: other_copy(&path), path });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| StoreError::NotUtf8 { path: path.clone(), at: error.valid_up_to() as u64 })?;
    let (schema, version) = envelope_of(text).map_err(|error| unreadable_text(&error, bytes.len(), &path))?;
    if !text.trim_start().starts_with('{') {
        return Err(StoreError::NoQualification {
            path,
            found: "missing (the file is JSON, but no object)".to_owned(),
        });
    }
    if schema.as_ref().and_then(|schema| schema.as_str()) != Some(QUALIFICATION_SCHEMA) {
        let found = schema.map_or("missing".to_owned(), |schema| schema.to_string());
        return Err(StoreError::NoQualification { path, found });
    }
    let version = version_of(version, &path)?;
    if version.major != QUALIFICATION_VERSION.major {
        return Err(other_major(version, text, path));
    }
    let qualification: Qualification = serde_json::from_str(text).map_err(|error| field_error(&error, text, &path))?;
    let mut warnings = Vec::new();
    if version.minor > QUALIFICATION_VERSION.minor {
        warnings.push(format!(
            "format {version} is newer than this build's {QUALIFICATION_VERSION} (written by wattmark {}): fields it does not \
             know are ignored",
            qualification.tool.version
        ));
    }
    warnings.extend(unfinished(&qualification.status));
    Ok(LoadedQualification { qualification, warnings, path })
}

fn other_major(version: SchemaVersion, text: &str, path: PathBuf) -> StoreError {
    if version.major < QUALIFICATION_VERSION.major {
        return StoreError::TooOld { path, found: version };
    }
    let writer = serde_json::from_str::<serde_json::Value>(text).ok();
    let writer = writer.and_then(|value| value["tool"]["version"].as_str().map(str::to_owned));
    let needed = writer.unwrap_or_else(|| "of the version that wrote it, or newer".to_owned());
    StoreError::NewerMajor { path, found: version, supported: QUALIFICATION_VERSION, needed }
}

fn unfinished(status: &RunStatus) -> Option<String> {
    match status {
        RunStatus::Complete => None,
        RunStatus::Running => {
            Some("the qualification was still going when this was saved: it is under way, or was killed".to_owned())
        }
        RunStatus::Interrupted => Some("the qualification was interrupted".to_owned()),
        RunStatus::Failed { reason } => Some(format!("the qualification ended with an error: {reason}")),
    }
}

/// First number of a qualification that JSON cannot hold.
fn first_infinite(qualification: &Qualification) -> Option<String> {
    let mut numbers = vec![
        ("planned_s".to_owned(), qualification.planned_s.get()),
        ("measured_s".to_owned(), qualification.measured_s.get()),
    ];
    for (index, device) in qualification.devices.iter().enumerate() {
        let at = |name: &str| format!("devices[{index}].{name}");
        for metric in &device.metrics {
            numbers.push((at(&metric.id), metric.value));
            let (low, high) = metric.interval.unwrap_or_default();
            numbers.extend([(at(&metric.id), low), (at(&metric.id), high)]);
        }
        let checks = device.checks.iter();
        numbers.extend(checks.flat_map(|check| {
            let (from, until) = check.window_s.unwrap_or_default();
            let values = [check.value.unwrap_or_default(), check.limit.unwrap_or_default(), from, until];
            values.map(|value| (at(&check.code), value))
        }));
        for outputs in &device.outputs {
            numbers.push((at(outputs.phase.name()), outputs.coverage));
            let times = outputs.seen.iter().flat_map(|seen| [seen.first_s, seen.last_s]);
            numbers.extend(times.map(|time| (at(outputs.phase.name()), time)));
        }
        for work in &device.work {
            let amount = &work.case.work;
            numbers.extend([amount.flop.get(), amount.bytes.get()].map(|amount| (at(work.phase.name()), amount)));
        }
    }
    numbers.into_iter().find(|(_, value)| !value.is_finite()).map(|(field, _)| field)
}

/// SHA-256 of a file, read in pieces.
pub fn digest_of(path: &Path) -> Result<String, StoreError> {
    let mut hasher = Sha256::new();
    let read = || -> io::Result<()> {
        let mut file = std::fs::File::open(path)?;
        let mut piece = vec![0u8; 1 << 16];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(()),
                count => hasher.update(&piece[..count]),
            }
        }
    };
    let mut read = read;
    read().map_err(|error| StoreError::Unreadable { path: path.to_owned(), why: error.to_string() })?;
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digests the bytes that pass.
struct Hashing<'a> {
    inner: &'a mut dyn Write,
    hasher: Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Counts the bytes that pass.
struct Counting<'a, 'b> {
    inner: &'a mut dyn Write,
    bytes: &'b mut u64,
}

impl Write for Counting<'_, '_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        *self.bytes += count as u64;
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
#[path = "qualification_tests.rs"]
mod tests;
