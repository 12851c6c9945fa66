//! Carbon intensity over time: one series of equal steps, whatever file it was read from.
//!
//! The forms that are read stand in `forms/`, one file each; `stamps` turns texts into instants, `steps` instants into equal
//! steps, `guards` refuses values. What surprises people: a step without a trustworthy value is `None` with a fault that
//! says why, and no account may choose or use such a step; nothing is filled in.

mod forms;
mod guards;
mod outliers;
mod points;
mod stamps;
mod steps;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::AccountError;
use crate::model::{FactorMethod, Gas};
use crate::units::Seconds;
use points::Points;

pub use stamps::{instant, zone};

/// Name of the shipped example.
pub const EXAMPLE: &str = "ciso-2022";
/// California ISO, 2022, hourly; its head says where it comes from.
const EXAMPLE_CSV: &str = include_str!("examples/ciso_2022.csv");

/// What to read.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SeriesRequest {
    /// A file, or the name of a shipped example (`ciso-2022`).
    pub file: String,
    /// Column, zone or location, where the file has several; `ZONE/COLUMN` where it has several of both.
    pub zone: Option<String>,
    /// IANA time zone of stamps that carry none (`Europe/London`), or an offset (`+08:00`); UTC if `None` and the format says
    /// UTC, an error otherwise.
    pub time_zone: Option<String>,
    /// Unit of the values where the file does not say: `g/kWh`, `kg/kWh` or `lb/MWh`.
    pub unit: Option<String>,
    /// Take values that look broken all the same.
    pub keep_suspicious: bool,
}

/// Carbon intensity in equal steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// File or example it came from.
    pub name: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// Format that was recognised, in words.
    pub format: String,
    /// Zone or column.
    pub zone: String,
    /// Start of the first step.
    pub start: Timestamp,
    /// Length of a step.
    #[serde(rename = "step_s")]
    pub step: Seconds,
    /// Intensity of each step in g/kWh; `None` where there is none to trust.
    #[serde(skip)]
    pub values: Vec<Option<f64>>,
    /// Gas counted, if the file says.
    pub gas: Option<Gas>,
    /// Average or marginal.
    pub method: FactorMethod,
    /// Upstream emissions included; `None` if the file does not say.
    pub life_cycle: Option<bool>,
    /// What was wrong with the file and what was done about it, one sentence each.
    pub faults: Vec<String>,
}

impl Series {
    /// Start of a step.
    pub fn time_of(&self, index: usize) -> Timestamp {
        let nanoseconds = self.start.as_nanosecond() + (self.step.get() * 1e9) as i128 * index as i128;
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(self.start)
    }
    /// The step that holds an instant; `None` outside the series.
    pub fn index_at(&self, instant: Timestamp) -> Option<usize> {
        let offset = (instant.as_nanosecond() - self.start.as_nanosecond()) as f64 / 1e9 / self.step.get();
        (offset >= 0.0 && offset < self.values.len() as f64).then_some(offset as usize)
    }
    /// Mean of all trustworthy steps; `None` if there is none.
    pub fn mean(&self) -> Option<f64> {
        let known: Vec<f64> = self.values.iter().copied().flatten().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }
}

/// Numbers of any unit in equal steps, such as a generation profile; blanks and what is no number are `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// File or example it came from.
    pub name: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// Column.
    pub column: String,
    /// Start of the first step.
    pub start: Timestamp,
    /// Length of a step.
    #[serde(rename = "step_s")]
    pub step: Seconds,
    /// Values as the file has them.
    #[serde(skip)]
    pub values: Vec<Option<f64>>,
    /// What was wrong with the file and what was done about it, one sentence each.
    pub faults: Vec<String>,
}

/// A file's text with its identity.
pub struct Source {
    path: PathBuf,
    name: String,
    sha256: String,
    text: String,
}

impl Source {
    fn open(file: &str, base_dir: &Path) -> Result<Self, AccountError> {
        if file == EXAMPLE {
            return Ok(Self::of(PathBuf::from(EXAMPLE), EXAMPLE_CSV.as_bytes().to_vec()));
        }
        let path = base_dir.join(file);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Self { name: file.to_owned(), ..Self::of(path, bytes) }),
            Err(error) => {
                let reason = format!(
                    "{error}; give a file with times and carbon intensities, or the shipped example {EXAMPLE}{}",
                    crate::names::hint(file, [EXAMPLE])
                );
                Err(AccountError::File { what: "series", path, reason })
            }
        }
    }

    fn of(path: PathBuf, bytes: Vec<u8>) -> Self {
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let text = String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned();
        Self { name: path.display().to_string(), path, sha256, text }
    }

    /// The file cannot be used as a series.
    fn bad(&self, reason: impl Into<String>) -> AccountError {
        AccountError::File { what: "series", path: self.path.clone(), reason: reason.into() }
    }
}

/// Reads a series; relative file names are taken from `base_dir`.
///
/// # Errors
/// Unreadable file, unknown format, several zones and none chosen, stamps without a time zone, unequal steps, a unit that
/// is neither stated nor plausible, no value to trust.
pub fn read(request: &SeriesRequest, base_dir: &Path) -> Result<Series, AccountError> {
    let source = Source::open(&request.file, base_dir)?;
    from_source(&source, request)
}

fn from_source(source: &Source, request: &SeriesRequest) -> Result<Series, AccountError> {
    let mut points = forms::read(source, request)?;
    let unit = guards::unit(source, request, &mut points)?;
    let rows = guards::numbers(source, &mut points, Some(unit), request.keep_suspicious)?;
    let Points { format, zone, gas, method, life_cycle, mut faults, .. } = points;
    let mut grid = steps::equal(source, rows, &mut faults)?;
    outliers::refuse(&mut grid, method, request.keep_suspicious, &mut faults);
    if grid.values.iter().all(Option::is_none) {
        return Err(source.bad(format!("no step has a value to trust: {}", faults.join("; "))));
    }
    Ok(Series {
        name: source.name.clone(),
        sha256: source.sha256.clone(),
        format,
        zone,
        start: grid.start,
        step: grid.step,
        values: grid.values,
        gas,
        method,
        life_cycle,
        faults,
    })
}

/// Reads one column of a plain CSV in whatever unit it has, on equal steps, without the guards of intensities: zero, negative
/// and steep values stay.
///
/// # Errors
/// As [`read`], but for what concerns units and intensities.
pub fn read_profile(request: &SeriesRequest, base_dir: &Path) -> Result<Profile, AccountError> {
    let source = Source::open(&request.file, base_dir)?;
    let mut points = forms::plain_csv::read(&source, request)?;
    let rows = guards::numbers(&source, &mut points, None, false)?;
    let Points { zone, mut faults, .. } = points;
    let grid = steps::equal(&source, rows, &mut faults)?;
    Ok(Profile {
        name: source.name,
        sha256: source.sha256,
        column: zone,
        start: grid.start,
        step: grid.step,
        values: grid.values,
        faults,
    })
}

#[cfg(test)]
mod tests;
