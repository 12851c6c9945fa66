//! Profiles of generation: read from a CSV file or taken from the shipped example, and laid onto the steps of a horizon.
//!
//! A value holds from its own stamp to the next; a step takes the mean over its own length, so that energy is kept. What
//! surprises people: `illustrative` is the shape of one real grid's year (California ISO, 2022) over its own maximum, placed
//! at the same day and hour of the horizon's year. It describes no site, and every table that rests on it says so.

use std::path::Path;

use jiff::{Timestamp, tz};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::config::{Generator, Horizon, Kind};
use crate::account::AccountError;
use crate::names;

/// Word for the shipped shapes.
pub const ILLUSTRATIVE: &str = "illustrative";

const EXAMPLE: &str = include_str!("../series/examples/ciso_2022.csv");
const WHAT: &str = "profile";

/// What the numbers of a profile are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Share of the installed capacity, 0 to 1.
    OfCapacity,
    /// Kilowatts.
    Kilowatts,
}

/// Values in equal steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// Start of the first value.
    pub start: Timestamp,
    /// Length of a step in seconds.
    pub step_s: f64,
    /// Values; NaN where there is none.
    pub values: Vec<f64>,
    /// Whether the last value is followed by the first.
    pub wraps: bool,
}

impl Steps {
    /// End of the last value.
    fn end(&self) -> Timestamp {
        let length = self.step_s * self.values.len() as f64;
        let nanoseconds = self.start.as_nanosecond() + (length * 1e9).round() as i128;
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(self.start)
    }

    /// Mean over each step of a horizon; NaN where any part has no value.
    ///
    /// # Errors
    /// The horizon begins before the first value or ends after the last; the message names both.
    pub fn over(&self, horizon: &Horizon) -> Result<Vec<f64>, String> {
        let offset = (horizon.start.as_nanosecond() - self.start.as_nanosecond()) as f64 / 1e9;
        let length = self.step_s * self.values.len() as f64;
        let until = horizon.offset(horizon.steps);
        if !self.wraps && (offset < -1e-6 || offset + until > length + 1e-6) {
            return Err(format!(
                "it covers {} to {}, but the horizon is {} to {}; give values for all of it, or change start and days",
                self.start,
                self.end(),
                horizon.start,
                horizon.instant(until)
            ));
        }
        Ok((0..horizon.steps).map(|step| self.mean(offset + horizon.offset(step), horizon.step.get())).collect())
    }

    /// Mean from an offset in seconds over a length.
    fn mean(&self, from: f64, length: f64) -> f64 {
        let until = from + length;
        // A step that begins a rounding before a cell's edge begins at the edge.
        let mut cell = ((from + self.step_s * 1e-9) / self.step_s).floor();
        let mut sum = 0.0;
        let first = self.value(cell);
        if (cell + 1.0) * self.step_s >= until - self.step_s * 1e-9 {
            return first;
        }
        let mut at = from;
        while at < until - self.step_s * 1e-9 {
            let edge = ((cell + 1.0) * self.step_s).min(until);
            sum += self.value(cell) * (edge - at);
            (at, cell) = (edge, cell + 1.0);
        }
        sum / length
    }

    fn value(&self, cell: f64) -> f64 {
        let count = self.values.len();
        let index = if self.wraps { cell.rem_euclid(count as f64) } else { cell.clamp(0.0, count as f64 - 1.0) };
        self.values.get(index as usize).copied().unwrap_or(f64::NAN)
    }
}

/// A profile laid onto a horizon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// What generates.
    pub kind: Kind,
    /// File, or `illustrative`.
    pub name: String,
    /// True for the shipped shapes.
    pub illustrative: bool,
    /// SHA-256 of the file's bytes.
    pub sha256: String,
    /// What its numbers are.
    pub unit: Unit,
    /// Mean kilowatts in each step.
    #[serde(skip)]
    pub kw: Vec<f64>,
}

/// Reads the profile of a generator and lays it onto a horizon; `place` is the generator's table, for messages.
///
/// # Errors
/// An unreadable or empty file, unequal steps, a value that is missing, negative, above the capacity or not a number, a
/// horizon that it does not cover, a share of the capacity without a capacity.
pub fn read(generator: &Generator, horizon: &Horizon, folder: &Path, place: &str) -> Result<Profile, AccountError> {
    if generator.profile == ILLUSTRATIVE {
        return illustrative(generator, horizon, place);
    }
    let path = folder.join(&generator.profile);
    let failed = |reason: String| AccountError::File { what: WHAT, path: path.clone(), reason };
    let bytes = std::fs::read(&path).map_err(|error| {
        failed(format!(
            "{error}; {place} `profile` names it, taken from the site file's folder, or write \"illustrative\""
        ))
    })?;
    let text = String::from_utf8(bytes).map_err(|_| failed("it is no text in UTF-8".to_owned()))?;
    let table = table(&text).map_err(&failed)?;
    let (column, unit) = choose(&table.header, generator.column.as_deref()).map_err(&failed)?;
    let steps = steps(&table, column, unit).map_err(&failed)?;
    let scale = scale(generator, unit, place)?;
    if let (Unit::Kilowatts, Some(capacity)) = (unit, generator.capacity_kw) {
        let most = steps.values.iter().copied().fold(0.0, f64::max);
        if most > capacity {
            return Err(failed(format!(
                "{most} kW is above the capacity of {capacity} kW in {place}; correct one of them"
            )));
        }
    }
    let values = steps.over(horizon).map_err(&failed)?;
    Ok(Profile {
        kind: generator.kind,
        name: generator.profile.clone(),
        illustrative: false,
        sha256: sha256(text.as_bytes()),
        unit,
        kw: values.into_iter().map(|value| value * scale).collect(),
    })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Kilowatts of one unit of the profile.
fn scale(generator: &Generator, unit: Unit, place: &str) -> Result<f64, AccountError> {
    match (unit, generator.capacity_kw) {
        (Unit::Kilowatts, _) => Ok(1.0),
        (Unit::OfCapacity, Some(capacity)) => Ok(capacity),
        (Unit::OfCapacity, None) => Err(AccountError::Missing {
            place: place.to_owned(),
            key: "capacity_kw".to_owned(),
            remedy: "the profile is a share of the capacity; give the installed kilowatts".to_owned(),
        }),
    }
}

/// A shape of the shipped example over its own maximum, at the same day and hour of the horizon's year.
fn illustrative(generator: &Generator, horizon: &Horizon, place: &str) -> Result<Profile, AccountError> {
    let broken = |reason: String| AccountError::Catalogue(format!("the example series: {reason}"));
    let mut values = example_column(&format!("{}_mwh", generator.kind.word())).map_err(broken)?;
    fill_between(&mut values);
    let most = values.iter().copied().fold(0.0, f64::max);
    values.iter_mut().for_each(|value| *value /= most);
    let year = horizon.start.to_zoned(tz::TimeZone::UTC).year();
    let start = format!("{year:04}-01-01T00:00:00Z").parse().unwrap_or(horizon.start);
    let steps = Steps { start, step_s: 3600.0, values, wraps: true };
    let scale = scale(generator, Unit::OfCapacity, place)?;
    Ok(Profile {
        kind: generator.kind,
        name: ILLUSTRATIVE.to_owned(),
        illustrative: true,
        sha256: sha256(EXAMPLE.as_bytes()),
        unit: Unit::OfCapacity,
        kw: steps.over(horizon).map_err(broken)?.into_iter().map(|value| value * scale).collect(),
    })
}

/// A column of the shipped example. Its form is known: no quotes, no spaces, so that splitting it is all the reading it needs.
fn example_column(name: &str) -> Result<Vec<f64>, String> {
    let mut lines = EXAMPLE.lines().filter(|line| !line.starts_with('#'));
    let header = lines.next().unwrap_or_default();
    let column = header.split(',').position(|own| own == name).ok_or_else(|| format!("no column {name}"))?;
    let cell = |line: &str| line.split(',').nth(column).and_then(|cell| cell.parse().ok()).unwrap_or(f64::NAN);
    Ok(lines.map(cell).collect())
}

/// Draws a line over single blanks. Only for the illustrative shapes, of which three hours are blank and nothing is measured.
fn fill_between(values: &mut [f64]) {
    for index in 1..values.len().saturating_sub(1) {
        if values[index].is_nan() {
            values[index] = (values[index - 1] + values[index + 1]) / 2.0;
        }
    }
}

/// A CSV file with a header: line number and cells of each row.
struct Table {
    header: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
}

fn table(text: &str) -> Result<Table, String> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header: Vec<String> =
        reader.headers().map_err(|error| error.to_string())?.iter().map(|cell| cell.to_lowercase()).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        rows.push((line, record.iter().map(str::to_owned).collect()));
    }
    if header.len() < 2 {
        return Err(
            "it needs a header and two columns: time and value (share of the capacity), or time and kw".to_owned()
        );
    }
    if rows.len() < 2 {
        return Err(format!("it has {} values; a profile needs at least two, to know its step", rows.len()));
    }
    Ok(Table { header, rows })
}

/// The column with the values, and what they are: `kw` or `…_kw` are kilowatts, everything else a share of the capacity.
fn choose(header: &[String], wanted: Option<&str>) -> Result<(usize, Unit), String> {
    let unit = |name: &str| if name == "kw" || name.ends_with("_kw") { Unit::Kilowatts } else { Unit::OfCapacity };
    let known = || header[1..].join(", ");
    if let Some(wanted) = wanted {
        let wanted = wanted.to_lowercase();
        let found = header.iter().skip(1).position(|name| *name == wanted).map(|index| index + 1);
        let hint = names::hint(&wanted, header.iter().skip(1).map(String::as_str));
        return found
            .map(|index| (index, unit(&wanted)))
            .ok_or_else(|| format!("it has no column `{wanted}`{hint}; its value columns are {}", known()));
    }
    let own = |name: &String| name == "value" || name == "capacity_factor" || name == "kw";
    let fitting: Vec<usize> = (1..header.len()).filter(|index| own(&header[*index])).collect();
    match (fitting[..].first(), fitting.len(), header.len()) {
        (Some(index), 1, _) => Ok((*index, unit(&header[*index]))),
        (None, _, 2) => Ok((1, unit(&header[1]))),
        _ => Err(format!("it has several columns ({}); choose one with `column`", known())),
    }
}

fn steps(table: &Table, column: usize, unit: Unit) -> Result<Steps, String> {
    let mut stamps = Vec::with_capacity(table.rows.len());
    let mut values = Vec::with_capacity(table.rows.len());
    for (line, cells) in &table.rows {
        let stamp = cells.first().map_or("", String::as_str);
        let at: Timestamp = stamp.parse().map_err(|_| {
            format!("line {line}: `{stamp}` is no instant with a zone; write it like 2026-07-01T00:00:00Z")
        })?;
        stamps.push((*line, at));
        values.push(checked(*line, cells.get(column).map_or("", String::as_str), unit)?);
    }
    let seconds = |a: Timestamp, b: Timestamp| (b.as_nanosecond() - a.as_nanosecond()) as f64 / 1e9;
    let step_s = seconds(stamps[0].1, stamps[1].1);
    for pair in stamps.windows(2) {
        let own = seconds(pair[0].1, pair[1].1);
        if own <= 0.0 || (own - step_s).abs() > 1e-6 {
            return Err(format!(
                "line {}: it stands {own} s behind the line before, and the first step is {step_s} s; the steps of a \
                 profile must be equal, without gaps or doubles",
                pair[1].0
            ));
        }
    }
    Ok(Steps { start: stamps[0].1, step_s, values, wraps: false })
}

fn checked(line: u64, cell: &str, unit: Unit) -> Result<f64, String> {
    let remedy = match unit {
        Unit::OfCapacity => "a share of the capacity from 0 to 1 (for kilowatts, name the column kw)",
        Unit::Kilowatts => "kilowatts, at least 0",
    };
    let value: Option<f64> = cell.parse().ok();
    let most = if unit == Unit::OfCapacity { 1.0 } else { f64::MAX };
    value
        .filter(|value| value.is_finite() && *value >= 0.0 && *value <= most)
        .ok_or_else(|| format!("line {line}: `{cell}` is refused: it must be {remedy}; nothing is filled in"))
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
