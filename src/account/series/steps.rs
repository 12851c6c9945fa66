//! Instants to equal steps: order, duplicates, gaps and misfits, each said.
//!
//! What surprises people: the step is the most frequent distance between neighbours, not the first; and a missing row is a step
//! without a value, never a shorter series.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Source;
use crate::account::AccountError;
use crate::units::Seconds;

/// Most steps that a series may have: 45 years of 5-minute steps. More is a slip in a stamp.
const MOST_STEPS: i64 = 5_000_000;
/// Least share of rows that must fit equal steps.
const LEAST_FITTING: f64 = 0.9;

/// A row whose value was looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Line or entry.
    pub place: usize,
    /// Start of the step.
    pub at: Timestamp,
    /// Value, if there is one to trust.
    pub value: Option<f64>,
}

/// Values in equal steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Start of the first step.
    pub start: Timestamp,
    /// Length of a step.
    pub step: Seconds,
    /// Values; `None` where there is none to trust.
    pub values: Vec<Option<f64>>,
}

/// Rows on equal steps.
///
/// # Errors
/// Fewer than two different stamps, too few of them at equal distances, or a span that only a slip in a stamp explains.
pub fn equal(source: &Source, mut rows: Vec<Row>, faults: &mut Vec<String>) -> Result<Grid, AccountError> {
    let unordered = rows.windows(2).filter(|pair| pair[1].at < pair[0].at).count();
    if unordered > 0 {
        rows.sort_by_key(|row| row.at);
        faults.push(format!("{unordered} rows stand before an earlier time: the rows were sorted by time"));
    }
    let doubled = merge_duplicates(&mut rows, faults);
    let step = majority_step(&rows)
        .ok_or_else(|| source.bad(format!("{} different times were found; a series needs at least two", rows.len())))?;
    let phase = majority_phase(&rows, step);
    let before = rows.len();
    let misfit = rows.iter().find(|row| row.at.as_millisecond().rem_euclid(step) != phase).copied();
    rows.retain(|row| row.at.as_millisecond().rem_euclid(step) == phase);
    let misfits = before - rows.len();
    if (rows.len() as f64) < LEAST_FITTING * before as f64 {
        return Err(source.bad(format!(
            "the steps are unequal: only {} of {before} times fit steps of {}; give a series of equal steps",
            rows.len(),
            length(step)
        )));
    }
    if let Some(first) = misfit {
        faults.push(format!(
            "{misfits} rows do not fit the steps of {} that most rows have (first {}): left out",
            length(step),
            first.at
        ));
    }
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Err(source.bad("it has no row")) };
    let (start, count) = (first.at, (last.at.as_millisecond() - first.at.as_millisecond()) / step + 1);
    if count > MOST_STEPS {
        return Err(source.bad(format!(
            "its times run from {start} to {} in steps of {}: that is {count} steps for {} rows; one of these stamps is \
             wrong",
            last.at,
            length(step),
            rows.len()
        )));
    }
    let grid = spread(&rows, start, step, count as usize, faults);
    if doubled && faults.iter().any(|fault| fault.contains("have no row")) {
        faults.push(
            "doubled and missing times in one file are the mark of local times with daylight saving: name the place's zone \
             with --time-zone if the stamps are local"
                .to_owned(),
        );
    }
    Ok(grid)
}

/// Keeps one row for each time; says whether there were several.
fn merge_duplicates(rows: &mut Vec<Row>, faults: &mut Vec<String>) -> bool {
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    let (mut equal, mut different) = (Vec::new(), Vec::new());
    for row in rows.drain(..) {
        match kept.last_mut() {
            Some(last) if last.at == row.at => {
                if last.value == row.value {
                    equal.push(row.at);
                } else {
                    different.push(row.at);
                    last.value = None;
                }
            }
            _ => kept.push(row),
        }
    }
    *rows = kept;
    if let Some(first) = equal.first() {
        faults.push(format!("{} times stand twice with equal values (first {first}): kept once", equal.len()));
    }
    if let Some(first) = different.first() {
        faults.push(format!(
            "{} times stand twice with different values (first {first}): left without a value",
            different.len()
        ));
    }
    !equal.is_empty() || !different.is_empty()
}

/// The most frequent distance between neighbours in milliseconds; the shorter of equally frequent ones.
fn majority_step(rows: &[Row]) -> Option<i64> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for pair in rows.windows(2) {
        *counts.entry(pair[1].at.as_millisecond() - pair[0].at.as_millisecond()).or_default() += 1;
    }
    counts.into_iter().filter(|(step, _)| *step > 0).max_by_key(|(step, count)| (*count, -step)).map(|(step, _)| step)
}

fn majority_phase(rows: &[Row], step: i64) -> i64 {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for row in rows {
        *counts.entry(row.at.as_millisecond().rem_euclid(step)).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(phase, count)| (*count, -phase)).map_or(0, |(phase, _)| phase)
}

fn spread(rows: &[Row], start: Timestamp, step: i64, count: usize, faults: &mut Vec<String>) -> Grid {
    let mut values = vec![None; count];
    let mut held = vec![false; count];
    for row in rows {
        let index = ((row.at.as_millisecond() - start.as_millisecond()) / step) as usize;
        if let (Some(value), Some(held)) = (values.get_mut(index), held.get_mut(index)) {
            *value = row.value;
            *held = true;
        }
    }
    let missing = held.iter().filter(|held| !**held).count();
    if let Some(first) = held.iter().position(|held| !held) {
        let at = Timestamp::from_millisecond(start.as_millisecond() + first as i64 * step).unwrap_or(start);
        let longest = held.split(|held| *held).map(<[bool]>::len).max().unwrap_or(0);
        faults.push(format!(
            "{missing} steps have no row (first {at}, longest gap {}): left without a value",
            length(step * longest as i64)
        ));
    }
    Grid { start, step: Seconds::new(step as f64 / 1000.0), values }
}

/// A length of time in the largest whole unit.
fn length(milliseconds: i64) -> String {
    let units = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    match units.iter().find(|(unit, _)| milliseconds >= *unit && milliseconds % unit == 0) {
        Some((unit, word)) => format!("{} {word}", milliseconds / unit),
        None => format!("{milliseconds} ms"),
    }
}
