//! Carbon intensity over time: one series of equal steps, whatever file it was read from.
//!
//! What surprises people: a step without a trustworthy value is `None` with a fault that says why, and no account may
//! choose or use such a step; nothing is filled in.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::AccountError;
use crate::model::{FactorMethod, Gas};
use crate::units::Seconds;

/// What to read.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SeriesRequest {
    /// A file, or the name of a shipped example (`ciso-2022`).
    pub file: String,
    /// Column, zone or location, where the file has several.
    pub zone: Option<String>,
    /// IANA time zone of stamps that carry none (`Europe/London`); UTC if `None` and the format says UTC, an error otherwise.
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

/// Reads a series; relative file names are taken from `base_dir`.
///
/// # Errors
/// Unreadable file, unknown format, several zones and none chosen, stamps without a time zone, unequal steps.
pub fn read(request: &SeriesRequest, base_dir: &Path) -> Result<Series, AccountError> {
    let path = base_dir.join(&request.file);
    Err(AccountError::File { what: "series", path, reason: "no format is known yet".to_owned() })
}
