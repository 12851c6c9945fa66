//! Reads a record from disk and says exactly what is wrong when it cannot.
//!
//! A run is named by its folder, its `run.json`, the beginning of its folder's name, or `latest`. What surprises people:
//! unknown fields are tolerated here (a newer minor version may have added them); `wattmark validate` is the strict one.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::error::Category;

use super::locate::{field_at, offset_of};
use super::{QUALIFICATION_FILE, RECORD_FILE, StoreError, migrate};
use crate::model::{QUALIFICATION_SCHEMA, RECORD_SCHEMA, RunRecord, SCHEMA_VERSION, SchemaVersion};

/// Folder in which runs are looked for by name.
pub const RESULTS_DIR: &str = "results";

/// Longest record that is read, in bytes: it must fit into memory twice over, as text and as figures. A longer file is
/// damaged, or no record.
pub const RECORD_LIMIT: u64 = 2 << 30;

/// Name that stands for the run with the latest time stamp.
const LATEST: &str = "latest";

/// Said of a file that is valid JSON without being an object. A struct would read an array, so this is asked apart.
const NO_OBJECT: &str = "missing (the file is JSON, but no object)";

/// A record that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The record, in the current format.
    pub record: RunRecord,
    /// What a reader should know about the reading (newer minor version, migration, a run that never ended).
    pub warnings: Vec<String>,
    /// The file it was read from.
    pub path: PathBuf,
}

/// Reads the record that `run` names: a run folder, a `run.json`, the beginning of a folder's name under `./results`, or
/// `latest`.
pub fn read(run: &Path) -> Result<Loaded, StoreError> {
    read_in(run, Path::new(RESULTS_DIR))
}

/// Like [`read`], with another folder to look in for names.
pub fn read_in(run: &Path, results_dir: &Path) -> Result<Loaded, StoreError> {
    let path = find(run, results_dir)?;
    let length = std::fs::metadata(&path).map_or(0, |about| about.len());
    if length > RECORD_LIMIT {
        return Err(StoreError::TooLarge { path, bytes: length, limit: RECORD_LIMIT });
    }
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            StoreError::Missing { path: path.clone(), why: "the file vanished while it was opened".to_owned() }
        }
        _ => StoreError::Unreadable { path: path.clone(), why: error.to_string() },
    })?;
    parse(&bytes, path)
}

/// Reads every run in a folder, in order of name. An unreadable record is an error in its place and hides no other.
pub fn read_many(results_dir: &Path) -> Result<Vec<Result<Loaded, StoreError>>, StoreError> {
    Ok(run_folders(results_dir)?.iter().map(|folder| read_in(folder, results_dir)).collect())
}

/// Folders under `results_dir` that hold a run: they have a record, or a name that only a run has.
fn run_folders(results_dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = std::fs::read_dir(results_dir).map_err(|error| StoreError::Missing {
        path: results_dir.to_owned(),
        why: format!("the folder cannot be listed ({error}); `wattmark run` makes it"),
    })?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && (path.join(RECORD_FILE).exists() || has_run_name(path)))
        .collect();
    folders.sort();
    Ok(folders)
}

/// True for `20260822T101530Z-...`.
fn has_run_name(path: &Path) -> bool {
    let name = name_of(path);
    let bytes = name.as_bytes();
    bytes.len() > 17
        && bytes[8] == b'T'
        && bytes[15..17] == *b"Z-"
        && bytes[..8].iter().chain(&bytes[9..15]).all(u8::is_ascii_digit)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The `run.json` that `run` names.
fn find(run: &Path, results_dir: &Path) -> Result<PathBuf, StoreError> {
    if run.is_dir() {
        let file = run.join(RECORD_FILE);
        return if file.exists() {
            Ok(file)
        } else {
            let why = match run.join(QUALIFICATION_FILE).exists() {
                true => {
                    "this is the folder of a qualification. `wattmark show` and `wattmark validate` read it as a whole; its \
                         records are its segments, for example segment-0001.json"
                }
                false => "the folder has no run.json: the run ended before its first save, or this is no run folder",
            };
            Err(StoreError::Missing { path: run.to_owned(), why: why.to_owned() })
        };
    }
    if run.exists() {
        return Ok(run.to_owned());
    }
    let prefix = run.to_string_lossy().into_owned();
    let plain = run.components().count() == 1 && run.extension().is_none_or(|extension| extension != "json");
    if !plain {
        let why = "there is no such file or folder. Name a run folder, its run.json, or `latest`".to_owned();
        return Err(StoreError::Missing { path: run.to_owned(), why });
    }
    let saved: Vec<PathBuf> = run_folders(results_dir)
        .unwrap_or_default()
        .into_iter()
        .filter(|folder| folder.join(RECORD_FILE).exists())
        .collect();
    by_name(&prefix, &saved, results_dir).map(|folder| folder.join(RECORD_FILE))
}

/// The one folder whose name begins with `prefix`; for `latest`, the one with the latest time stamp.
fn by_name<'a>(prefix: &str, folders: &'a [PathBuf], results_dir: &Path) -> Result<&'a PathBuf, StoreError> {
    let fitting: Vec<&PathBuf> = if prefix == LATEST {
        folders.iter().rfind(|folder| has_run_name(folder)).into_iter().collect()
    } else {
        folders.iter().filter(|folder| name_of(folder).starts_with(prefix)).collect()
    };
    match fitting[..] {
        [folder] => Ok(folder),
        [] => {
            let why = format!(
                "there is no such file or folder, and no run in {} begins with that name ({} runs there). Name a run \
                 folder, its run.json, or `latest`",
                results_dir.display(),
                folders.len()
            );
            Err(StoreError::Missing { path: PathBuf::from(prefix), why })
        }
        _ => Err(StoreError::Ambiguous {
            prefix: prefix.to_owned(),
            names: fitting.iter().map(|folder| name_of(folder)).collect(),
        }),
    }
}

/// The fields that decide whether the rest may be read.
#[derive(Debug, Deserialize)]
struct Envelope {
    schema: Option<serde_json::Value>,
    version: Option<serde_json::Value>,
    provenance: Option<WriterOf>,
}

#[derive(Debug, Deserialize)]
struct WriterOf {
    tool: Option<ToolOf>,
}

#[derive(Debug, Deserialize)]
struct ToolOf {
    version: Option<String>,
}

/// The identity alone, for records whose provenance has another form.
#[derive(Debug, Deserialize)]
struct Identity {
    schema: Option<serde_json::Value>,
    version: Option<serde_json::Value>,
}

/// `schema` and `version` of a file, whatever else it holds.
pub(super) fn envelope_of(text: &str) -> serde_json::Result<(Option<serde_json::Value>, Option<serde_json::Value>)> {
    let Identity { schema, version } = serde_json::from_str(text)?;
    Ok((schema, version))
}

/// The version that a file states.
pub(super) fn version_of(stated: Option<serde_json::Value>, path: &Path) -> Result<SchemaVersion, StoreError> {
    serde_json::from_value(stated.unwrap_or_default()).map_err(|error| StoreError::Field {
        path: path.to_owned(),
        field: "version".to_owned(),
        why: error.to_string(),
        line: 1,
    })
}

fn envelope(text: &str) -> serde_json::Result<Envelope> {
    serde_json::from_str(text).or_else(|_| {
        let Identity { schema, version } = serde_json::from_str(text)?;
        Ok(Envelope { schema, version, provenance: None })
    })
}

/// A record from the bytes of a file.
fn parse(bytes: &[u8], path: PathBuf) -> Result<Loaded, StoreError> {
    if bytes.is_empty() {
        return Err(StoreError::Empty { remedy: other_copy(&path), path });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| StoreError::NotUtf8 { path: path.clone(), at: error.valid_up_to() as u64 })?;
    let envelope = envelope(text).map_err(|error| unreadable_text(&error, bytes.len(), &path))?;
    if !text.trim_start().starts_with('{') {
        return Err(StoreError::Foreign { path, found: NO_OBJECT.to_owned() });
    }
    let schema = envelope.schema.as_ref();
    if schema.and_then(|schema| schema.as_str()) != Some(RECORD_SCHEMA) {
        if schema.and_then(|schema| schema.as_str()) == Some(QUALIFICATION_SCHEMA) {
            return Err(StoreError::QualificationForRun { path });
        }
        let found = schema.map_or("missing".to_owned(), ToString::to_string);
        return Err(StoreError::Foreign { path, found });
    }
    let version = version_of(envelope.version.clone(), &path)?;
    let writer = envelope.provenance.and_then(|p| p.tool).and_then(|tool| tool.version);
    let (record, mut warnings) = of_version(text, version, writer, &path)?;
    warnings.extend(unfinished(&record));
    Ok(Loaded { record, warnings, path })
}

/// Where else the content of a damaged record may be.
pub(super) fn other_copy(path: &Path) -> String {
    let mut folder = path.parent().unwrap_or(Path::new("."));
    if folder.as_os_str().is_empty() {
        folder = Path::new(".");
    }
    format!(
        "wattmark renames only complete files into place, so this happened afterwards; an earlier save may exist in {} \
         (.run-*.tmp) or where the file was copied from",
        folder.display()
    )
}

/// A text that is no JSON object.
pub(super) fn unreadable_text(error: &serde_json::Error, length: usize, path: &Path) -> StoreError {
    let path = path.to_owned();
    match error.classify() {
        Category::Eof => StoreError::Truncated { remedy: other_copy(&path), bytes: length as u64, path },
        Category::Data => StoreError::Foreign { path, found: NO_OBJECT.to_owned() },
        Category::Syntax | Category::Io => {
            let why = without_position(error);
            StoreError::NotJson { path, line: error.line(), column: error.column(), why }
        }
    }
}

/// The parser's words without its own `at line 1 column 2`.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(words, _)| words.to_owned())
}

/// Reads the body according to its version.
fn of_version(
    text: &str,
    version: SchemaVersion,
    writer: Option<String>,
    path: &Path,
) -> Result<(RunRecord, Vec<String>), StoreError> {
    let writer = writer.unwrap_or_else(|| "of the version that wrote it, or newer".to_owned());
    if version.major > SCHEMA_VERSION.major {
        let path = path.to_owned();
        return Err(StoreError::NewerMajor { path, found: version, supported: SCHEMA_VERSION, needed: writer });
    }
    if version.major < SCHEMA_VERSION.major {
        let value = serde_json::from_str(text).map_err(|error| unreadable_text(&error, text.len(), path))?;
        let value = migrate::to_current(value, version)
            .map_err(|_| StoreError::TooOld { path: path.to_owned(), found: version })?;
        let record = serde_json::from_value(value).map_err(|error| StoreError::Field {
            path: path.to_owned(),
            field: "(after migration)".to_owned(),
            why: error.to_string(),
            line: 0,
        })?;
        return Ok((record, vec![format!("record format {version} was read as {SCHEMA_VERSION}")]));
    }
    let is_newer = version.minor > SCHEMA_VERSION.minor;
    let record = serde_json::from_str(text).map_err(|error| match field_error(&error, text, path) {
        StoreError::Field { path, field, why, line } if is_newer => {
            let why = format!("{why}; the record is of the newer format {version}, so use wattmark {writer}");
            StoreError::Field { path, field, why, line }
        }
        other => other,
    })?;
    let newer = is_newer.then(|| {
        format!(
            "record format {version} is newer than this build's {SCHEMA_VERSION} (written by wattmark {writer}): fields \
             it does not know are ignored"
        )
    });
    Ok((record, newer.into_iter().collect()))
}

/// A field that is missing or has the wrong type.
pub(super) fn field_error(error: &serde_json::Error, text: &str, path: &Path) -> StoreError {
    let field = field_at(text, offset_of(text, error.line(), error.column()));
    StoreError::Field {
        path: path.to_owned(),
        field: if field.is_empty() { "(the record itself)".to_owned() } else { field },
        why: without_position(error),
        line: error.line(),
    }
}

/// A word on a record whose run did not come to its end.
fn unfinished(record: &RunRecord) -> Option<String> {
    use crate::model::RunStatus;
    match &record.status {
        RunStatus::Complete => None,
        RunStatus::Running => {
            Some("the run was still going when this was saved: it is under way, or its process was killed".to_owned())
        }
        RunStatus::Interrupted => {
            Some("the run was interrupted; the record holds what was measured until then".to_owned())
        }
        RunStatus::Failed { reason } => Some(format!("the run ended with an error: {reason}")),
    }
}
