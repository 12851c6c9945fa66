//! Reads one file and keeps the few numbers of it that a fleet needs, or says why it cannot.
//!
//! What surprises people: size and kind of a file are asked before it is opened, for opening a pipe would wait for ever and
//! reading 5 GB would fill the memory.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::lean::{LeanDevice, LeanMetric, LeanOutputs, LeanQualification, LeanQualified, LeanSeen, LeanWork};
use super::node::{Asked, Frame, NODE_LABEL, Names, NodeRecord, State, digest, entry};
use crate::measure::result::metrics::{DeviceFindings, Tally};
use crate::model::{Grade, QUALIFICATION_SCHEMA, QUALIFICATION_VERSION, RunRecord, RunStatus};
use crate::store;

/// Largest `run.json` that is read: hours of traces of many sensors.
pub const RUN_LIMIT: u64 = 256 << 20;
/// Files beyond this size are parsed one at a time, so that threads do not fill the memory together.
const LARGE: u64 = 4 << 20;
/// Bytes in which a file must say what it is.
const HEAD: usize = 4096;
/// By how much clocks may disagree before it is said.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// A file that gave no record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unreadable {
    /// The file.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What reading needs besides the file.
pub(super) struct Reading<'a> {
    pub asked: &'a Asked,
    pub names: &'a Mutex<Names>,
    pub large: &'a Mutex<()>,
    /// The time that counts as now.
    pub now: Timestamp,
    /// A record without an end that was not saved for so long is that of a process that is gone.
    pub stale: SignedDuration,
}

impl Reading<'_> {
    /// The record in a file. `buffer` is used again from file to file.
    pub fn read(&self, path: &Path, buffer: &mut Vec<u8>) -> Result<NodeRecord, Unreadable> {
        self.try_read(path, buffer).map_err(|why| Unreadable { path: path.display().to_string(), why })
    }

    fn try_read(&self, path: &Path, buffer: &mut Vec<u8>) -> Result<NodeRecord, String> {
        let about = std::fs::metadata(path).map_err(|error| missing(path, &error))?;
        if !about.is_file() {
            return Err(if about.is_dir() { "a folder with the name of a file" } else { "no regular file" }.to_owned());
        }
        let bytes = about.len();
        if bytes == 0 {
            return Err("the file is empty (0 bytes)".to_owned());
        }
        if bytes > RUN_LIMIT {
            return Err(too_large(bytes, RUN_LIMIT));
        }
        let mut file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
        buffer.clear();
        buffer.resize(HEAD.min(bytes as usize), 0);
        let count = fill(&mut file, buffer).map_err(|error| format!("cannot be read: {error}"))?;
        buffer.truncate(count);
        let modified = about.modified().ok();
        if contains(buffer, b"\"wattmark/run\"") {
            drop(file);
            let _one = (bytes > LARGE).then(|| self.large.lock().unwrap_or_else(PoisonError::into_inner));
            let loaded = store::read_in(path, Path::new(".")).map_err(|error| short(&error.to_string(), path))?;
            return Ok(self.run(&loaded.record, path, modified));
        }
        if bytes > store::QUALIFICATION_LIMIT {
            return Err(too_large(bytes, store::QUALIFICATION_LIMIT));
        }
        let limit = store::QUALIFICATION_LIMIT.saturating_sub(count as u64) + 1;
        file.take(limit).read_to_end(buffer).map_err(|error| format!("cannot be read: {error}"))?;
        let record = self.qualification(buffer, path, modified)?;
        if buffer.capacity() > LARGE as usize {
            *buffer = Vec::new();
        }
        Ok(record)
    }

    fn qualification(&self, text: &[u8], path: &Path, modified: Option<SystemTime>) -> Result<NodeRecord, String> {
        let strict = || match store::parse_qualification(text, path) {
            Err(error) => short(&error.to_string(), path),
            Ok(_) => "a field has an unexpected form".to_owned(),
        };
        let lean: LeanQualification<'_> = serde_json::from_slice(text).map_err(|_| strict())?;
        if lean.schema != QUALIFICATION_SCHEMA || lean.version.major != QUALIFICATION_VERSION.major {
            return Err(strict());
        }
        let times = Times::new(&lean.started, lean.ended.as_deref(), modified);
        let state = self.state(&lean.status, &times, Some(lean.planned_s));
        let host = node_name(lean.labels.get(NODE_LABEL).map(String::as_str), &lean.host.hostname);
        let frame = Frame {
            host,
            simulated: lean.simulated,
            kind: "qualification",
            class: class(lean.planned_s),
            tool: minor(&lean.tool.version),
            plan: 0,
            whole: state == State::Complete,
        };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let devices = lean.devices.iter().map(|device| entry(device, &frame, self.asked, &mut names)).collect();
        let labels = lean.labels.iter().map(|(key, value)| (names.text_number(key), names.text_number(value)));
        Ok(NodeRecord {
            path: path.to_string_lossy().into(),
            host: host.into(),
            started: times.started,
            labels: labels.collect(),
            state,
            clock: times.odd(self.now),
            injected: lean.inject_error,
            plan: 0,
            simulated: lean.simulated,
            devices,
        })
    }

    fn run(&self, record: &RunRecord, path: &Path, modified: Option<SystemTime>) -> NodeRecord {
        let mut tally = Tally::new();
        tally.add(record);
        let findings = tally.findings();
        let times = Times::new(&record.started, record.ended.as_deref(), modified);
        let state = self.state(&record.status, &times, None);
        let host = record.provenance.host.hostname.as_str();
        let mut cases: Vec<String> = record.measurements.iter().map(|own| own.case.variant.clone()).collect();
        cases.sort();
        cases.dedup();
        let preset = format!("{:?}", record.plan.preset).to_lowercase();
        let plan = digest(&(&cases, &preset));
        let frame = Frame {
            host,
            simulated: record.simulated,
            kind: "run",
            class: &preset,
            tool: minor(&record.provenance.tool.version),
            plan,
            whole: state == State::Complete,
        };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let devices = findings.iter().map(|found| entry(&lean(found), &frame, self.asked, &mut names)).collect();
        NodeRecord {
            path: path.to_string_lossy().into(),
            host: host.into(),
            started: times.started,
            labels: Box::default(),
            state,
            clock: times.odd(self.now),
            injected: false,
            plan,
            simulated: record.simulated,
            devices,
        }
    }

    /// How a record ended. One without an end is that of a process that is gone if its time is over, or if it was not saved
    /// for long.
    fn state(&self, status: &RunStatus, times: &Times, planned_s: Option<f64>) -> State {
        let last =
            || times.modified.map_or_else(|| "at an unknown time".to_owned(), |time| format!("at {}", second(time)));
        match status {
            RunStatus::Complete => State::Complete,
            RunStatus::Interrupted => State::Stopped { why: format!("it was interrupted; last saved {}", last()) },
            RunStatus::Failed { reason } => {
                State::Stopped { why: format!("it ended with an error ({reason}); last saved {}", last()) }
            }
            RunStatus::Running => {
                let silent = times.modified.is_none_or(|time| self.now.duration_since(time) >= self.stale);
                let over = times.started.zip(planned_s).is_some_and(|(started, planned)| {
                    let planned = SignedDuration::try_from_secs_f64(planned).unwrap_or(SignedDuration::MAX);
                    self.now.duration_since(started) > planned.saturating_add(self.stale).saturating_mul(2)
                });
                if silent || over {
                    State::Stopped { why: format!("it never ended; last saved {}", last()) }
                } else {
                    State::Running
                }
            }
        }
    }
}

/// Times of a record and of its file.
struct Times {
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    modified: Option<Timestamp>,
    bad: Option<String>,
}

impl Times {
    fn new(started: &str, ended: Option<&str>, modified: Option<SystemTime>) -> Self {
        let parsed = started.parse::<Timestamp>();
        let bad = parsed.is_err().then(|| format!("its start `{started}` is no time"));
        Self {
            started: parsed.ok(),
            ended: ended.and_then(|ended| ended.parse().ok()),
            modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
            bad,
        }
    }

    /// What is odd about them.
    fn odd(&self, now: Timestamp) -> Option<Box<str>> {
        if let Some(bad) = &self.bad {
            return Some(bad.as_str().into());
        }
        let started = self.started?;
        let after = |other: Timestamp| started.duration_since(other) > CLOCK_TOLERANCE;
        if self.ended.is_some_and(|ended| ended < started) {
            return Some(format!("it ended before it started ({})", second(started)).into());
        }
        if after(now) {
            return Some(format!("it starts in the future ({})", second(started)).into());
        }
        let file = self.modified.filter(|modified| after(*modified))?;
        Some(format!("it starts ({}) after its file was written ({})", second(started), second(file)).into())
    }
}

/// A time to the second.
pub(super) fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read(&mut buffer[count..])? {
            0 => break,
            more => count += more,
        }
    }
    Ok(count)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn missing(path: &Path, error: &std::io::Error) -> String {
    let dangling = error.kind() == std::io::ErrorKind::NotFound && path.is_symlink();
    if dangling { "a link to nothing".to_owned() } else { format!("cannot be read: {error}") }
}

fn too_large(bytes: u64, limit: u64) -> String {
    format!("too large: {} MB, and at most {} MB are read", bytes >> 20, limit >> 20)
}

/// An error of the store without the path, which stands beside it, on one line.
fn short(text: &str, path: &Path) -> String {
    let path = path.display().to_string();
    text.replace(&path, "the file").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn node_name<'a>(label: Option<&'a str>, hostname: &'a str) -> &'a str {
    label.filter(|label| !label.is_empty()).unwrap_or(hostname)
}

/// Class of length: figures of two minutes and of a day are not alike, for devices warm up.
fn class(planned_s: f64) -> &'static str {
    match planned_s {
        length if length < 300.0 => "under 5 min",
        length if length < 3600.0 => "5 min to 1 h",
        _ => "1 h or more",
    }
}

/// Major and minor version.
fn minor(version: &str) -> &str {
    version.match_indices('.').nth(1).map_or(version, |(at, _)| &version[..at])
}

/// Findings of an ordinary run in the form of a qualification's device.
fn lean(found: &DeviceFindings) -> LeanQualified<'_> {
    let outputs = found.outputs.iter().map(|own| LeanOutputs {
        phase: own.phase,
        known: own.known.clone(),
        seen: own.seen.iter().map(|seen| LeanSeen { sha256: seen.sha256.as_str().into() }).collect(),
        coverage: own.coverage,
        failures: own.failures.clone(),
    });
    let metrics = found.metrics.iter().map(|own| LeanMetric {
        id: own.id.as_str().into(),
        value: own.value,
        unit: own.unit.as_str().into(),
        n: own.n,
        evidence: own.evidence,
        scope: own.scope,
        better: own.better,
    });
    LeanQualified {
        device: LeanDevice {
            ordinal: found.device.ordinal,
            name: found.device.name.as_str().into(),
            driver: found.device.driver.as_str().into(),
            driver_info: found.device.driver_info.as_str().into(),
            pci: found.device.pci.as_ref().map(|pci| pci.as_str().to_owned()),
        },
        identity: found.identity.clone(),
        work: found.work.iter().map(|own| LeanWork { phase: own.phase, case: own.case.clone() }).collect(),
        metrics: metrics.collect(),
        outputs: outputs.collect(),
        checks: Vec::new(),
        grade: Grade::Pass,
    }
}
