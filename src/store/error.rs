//! Everything that can go wrong with a record on disk; each message says what was tried, on what, why, and the remedy.

use std::path::{Path, PathBuf};

use crate::model::SchemaVersion;

/// A record that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder for results cannot be used. Found before anything is measured.
    #[error(
        "cannot write results in {path}: {why}; nothing was measured. Choose a folder you may write to, or free space there",
        path = path.display()
    )]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A save failed in mid-run; the previous save is untouched.
    #[error(
        "cannot save the record {path}: {why} (after {bytes} bytes); {previous}. Free space or mount the folder writable, \
         then run again",
        path = path.display()
    )]
    Save {
        /// The record's file.
        path: PathBuf,
        /// Bytes of the new text that were produced before it failed.
        bytes: u64,
        /// Why.
        why: String,
        /// What is on disk now, in words.
        previous: String,
    },
    /// There is no such file or folder.
    #[error("no record at {path}: {why}", path = path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
        /// Where it was looked for, and what to do.
        why: String,
    },
    /// A prefix fits several runs.
    #[error("`{prefix}` fits {count} runs: {names}. Give more of the name", count = names.len(), names = names.join(", "))]
    Ambiguous {
        /// The prefix given.
        prefix: String,
        /// The folders it fits.
        names: Vec<String>,
    },
    /// The operating system refused to read the file.
    #[error("cannot read {path}: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file has no content.
    #[error("{path} is empty (0 bytes): the disk was full or the file was copied badly. {remedy}", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// Where another copy may be.
        remedy: String,
    },
    /// The file ends in the middle.
    #[error("{path} is truncated: it ends after {bytes} bytes in the middle of the record. {remedy}", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Length of the file in bytes.
        bytes: u64,
        /// Where another copy may be.
        remedy: String,
    },
    /// The file is not text.
    #[error("{path} is not UTF-8 text (byte {at} is the first bad one): it is damaged or no wattmark record", path = path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Offset of the first bad byte.
        at: u64,
    },
    /// The file is text, but not JSON.
    #[error("{path} is not JSON (line {line}, column {column}: {why}): it is damaged or no wattmark record", path = path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What the parser says.
        why: String,
    },
    /// Valid JSON of something else.
    #[error(
        "{path} is not a wattmark record: its `schema` is {found}, a record says \"wattmark/run\". Give the run.json that \
         `wattmark run` wrote",
        path = path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What its `schema` field holds.
        found: String,
    },
    /// The file is a qualification, where a run was asked for.
    #[error(
        "{path} is the verdict of a qualification, which holds no run of its own. Give one of its segments \
         (segment-0001.json) beside it; wattmark fleet and wattmark qualify --verdict read the qualification itself",
        path = path.display()
    )]
    QualificationForRun {
        /// The file.
        path: PathBuf,
    },
    /// Valid JSON of something else than a qualification.
    #[error(
        "{path} is not a qualification: its `schema` is {found}, a qualification says \"wattmark/qualification\". Give the \
         folder that `wattmark qualify` wrote",
        path = path.display()
    )]
    NoQualification {
        /// The file.
        path: PathBuf,
        /// What its `schema` field holds.
        found: String,
    },
    /// The file is too large to be what it says it is.
    #[error("{path} is {bytes} bytes long, and at most {limit} are read: it is no record of wattmark, or damaged", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Length of the file in bytes.
        bytes: u64,
        /// Most bytes that are read.
        limit: u64,
    },
    /// A segment is not what the qualification says it is.
    #[error(
        "{path} was changed after it was saved: its SHA-256 is {found}, qualification.json says {stated}. Restore the \
         original file",
        path = path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Digest in the qualification.
        stated: String,
        /// Digest of the file.
        found: String,
    },
    /// The record is in a format that this build does not know.
    #[error(
        "{path} is in record format {found}, this wattmark ({build}) reads {supported}.x. Use wattmark {needed}",
        path = path.display(), build = env!("CARGO_PKG_VERSION"), supported = supported.major
    )]
    NewerMajor {
        /// The file.
        path: PathBuf,
        /// Version of the record.
        found: SchemaVersion,
        /// Version that this build writes.
        supported: SchemaVersion,
        /// The version of wattmark that wrote it, or words for "newer".
        needed: String,
    },
    /// The record is in an older format for which no migration exists.
    #[error("{path} is in record format {found}, from which no migration exists; use the wattmark that wrote it", path = path.display())]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Version of the record.
        found: SchemaVersion,
    },
    /// A field is missing or has the wrong type.
    #[error(
        "{path}: field `{field}` cannot be read: {why} (line {line}). The record was edited or damaged; restore the original \
         file",
        path = path.display()
    )]
    Field {
        /// The file.
        path: PathBuf,
        /// Path of the field inside the record, for example `measurements[3].case.work`.
        field: String,
        /// What is wrong with it.
        why: String,
        /// Line of the file, from 1 (0 if the record was migrated first).
        line: usize,
    },
}

impl StoreError {
    /// The file or folder it is about; for an ambiguous prefix, the prefix.
    pub fn path(&self) -> &Path {
        match self {
            Self::Unwritable { path, .. }
            | Self::Save { path, .. }
            | Self::Missing { path, .. }
            | Self::Unreadable { path, .. }
            | Self::Empty { path, .. }
            | Self::Truncated { path, .. }
            | Self::NotUtf8 { path, .. }
            | Self::NotJson { path, .. }
            | Self::Foreign { path, .. }
            | Self::QualificationForRun { path }
            | Self::NoQualification { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Changed { path, .. }
            | Self::NewerMajor { path, .. }
            | Self::TooOld { path, .. }
            | Self::Field { path, .. } => path,
            Self::Ambiguous { prefix, .. } => Path::new(prefix),
        }
    }
}
