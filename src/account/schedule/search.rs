//! The room that a load has on a series, means of all windows by running sums, and the lowest steps.
//!
//! What surprises people: windows are counted in steps and a fraction of one. A load of 90 minutes on hourly steps weighs its
//! second hour by one half.

use jiff::{SignedDuration, Timestamp};

use super::{Limits, Stretch};
use crate::account::AccountError;
use crate::account::series::Series;
use crate::units::Seconds;

/// A part of a step below this is the rounding of a division.
const ROUNDING: f64 = 1e-9;

/// Steps that a load may use.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Room {
    /// First step.
    pub first: usize,
    /// One past the last step that may be used whole.
    pub past: usize,
    /// Number of starts, from `first` on.
    pub starts: usize,
    /// Whole steps of the load.
    pub whole: usize,
    /// Part of one more step.
    pub part: f64,
    /// Time of the load.
    pub time: Seconds,
    /// When it must be done.
    pub end: Timestamp,
    /// Remarks.
    pub notes: Vec<String>,
}

/// Whole steps and the part of one more that a time takes.
pub(super) fn steps_of(time: Seconds, step: Seconds) -> (usize, f64) {
    let steps = time.get() / step.get();
    let whole = (steps + ROUNDING).floor();
    let part = steps - whole;
    (whole as usize, if part < ROUNDING * steps.max(1.0) { 0.0 } else { part })
}

impl Room {
    /// Steps that a window touches.
    pub fn touched(&self) -> usize {
        self.whole + usize::from(self.part > 0.0)
    }
    /// The time of an uninterrupted load from the `start`th allowed step on.
    pub fn window(&self, series: &Series, start: usize) -> Stretch {
        let begin = series.time_of(self.first + start);
        Stretch { start: begin, end: later(begin, self.time.get()) }
    }
    /// Stretches of single steps with their parts, neighbours joined.
    pub fn stretches(&self, series: &Series, steps: &[(usize, f64)]) -> Vec<Stretch> {
        let mut joined: Vec<Stretch> = Vec::new();
        for (index, part) in steps {
            let start = series.time_of(*index);
            let end = later(start, series.step.get() * part);
            match joined.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => joined.push(Stretch { start, end }),
            }
        }
        joined
    }
}

fn later(instant: Timestamp, seconds: f64) -> Timestamp {
    instant.checked_add(SignedDuration::from_secs_f64(seconds)).unwrap_or(instant)
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_nanosecond() - from.as_nanosecond()) as f64 / 1e9
}

fn impossible(reason: String) -> AccountError {
    AccountError::Impossible { what: "when to run".to_owned(), reason }
}

/// The steps between release and deadline.
pub(super) fn room(series: &Series, time: Seconds, limits: Limits) -> Result<Room, AccountError> {
    if !(time.get() > 0.0 && time.get().is_finite()) {
        return Err(impossible(format!("the load takes {} s; give a time above 0 (--hours)", time.get())));
    }
    let step = series.step.get();
    let close = series.time_of(series.values.len());
    let span = format!("the series runs from {} to {close}", series.start);
    let mut notes = Vec::new();
    if let (Some(from), Some(deadline)) = (limits.from, limits.deadline)
        && deadline <= from
    {
        return Err(impossible(format!(
            "the deadline {deadline} is not after the release {from}; give a later --deadline"
        )));
    }
    let (whole, part) = steps_of(time, series.step);
    let touched = whole + usize::from(part > 0.0);
    let first = match limits.from {
        Some(from) if from < series.start || from >= close => {
            return Err(impossible(format!("--from {from} is outside the series: {span}")));
        }
        Some(from) => {
            let first = (seconds_between(series.start, from) / step - ROUNDING).ceil().max(0.0) as usize;
            if series.time_of(first) != from {
                notes.push(format!(
                    "the release {from} is within a step; starts are looked at from {} on",
                    series.time_of(first)
                ));
            }
            first
        }
        // A start now must be one that can be priced.
        None => first_allowed(&series.values, touched).unwrap_or(0),
    };
    let release = series.time_of(first);
    let mut end = limits.deadline.map_or(close, |deadline| deadline.min(close));
    if limits.deadline.is_some_and(|deadline| deadline > close) {
        notes.push(format!("the series ends before the deadline: starts are looked at up to {close}"));
    }
    if let Some(within) = limits.within {
        end = end.min(later(release, within.get()));
    }
    let usable = seconds_between(release, end) / step;
    let needed = time.get() / step;
    if needed > usable + ROUNDING {
        return Err(impossible(format!(
            "the load takes {:.4} h, and {:.4} h are left from {release} to {end}; {span}; give a later deadline, an earlier \
             release or a longer series",
            time.get() / 3600.0,
            (usable * step / 3600.0).max(0.0)
        )));
    }
    let starts = (usable - needed + ROUNDING).floor() as usize + 1;
    let past = first + (usable + ROUNDING).floor() as usize;
    Ok(Room { first, past, starts, whole, part, time, end, notes })
}

/// The first run of this many steps with values.
fn first_allowed(values: &[Option<f64>], touched: usize) -> Option<usize> {
    let mut run = 0;
    for (index, value) in values.iter().enumerate() {
        run = if value.is_some() { run + 1 } else { 0 };
        if run >= touched {
            return Some(index + 1 - touched);
        }
    }
    None
}

/// Mean intensity of the window of each start; `None` where it meets a step without a value.
pub(super) fn means(series: &Series, room: &Room) -> Vec<Option<f64>> {
    let last = (room.first + room.starts - 1 + room.touched()).min(series.values.len());
    window_means(series.values.get(room.first..last).unwrap_or_default(), room.whole, room.part)
}

/// Means of all windows of `whole` steps and a `part` of one more.
pub(super) fn window_means(values: &[Option<f64>], whole: usize, part: f64) -> Vec<Option<f64>> {
    let touched = whole + usize::from(part > 0.0);
    let (mut sums, mut unknown) = (Vec::with_capacity(values.len() + 1), Vec::with_capacity(values.len() + 1));
    let (mut sum, mut missing) = (0.0, 0u32);
    sums.push(sum);
    unknown.push(missing);
    for value in values {
        sum += value.unwrap_or(0.0);
        missing += u32::from(value.is_none());
        sums.push(sum);
        unknown.push(missing);
    }
    let length = whole as f64 + part;
    let one = |start: usize| {
        let known = unknown[start] == unknown[start + touched];
        let rest = if part > 0.0 { values[start + whole].unwrap_or(0.0) * part } else { 0.0 };
        known.then(|| (sums[start + whole] - sums[start] + rest) / length)
    };
    (0..(values.len() + 1).saturating_sub(touched)).map(one).collect()
}

/// The steps of lowest intensity, in order of time, with the part of each that is used, and their mean intensity; `None` if
/// there are too few steps with values.
pub(super) fn lowest(series: &Series, room: &Room) -> Option<(Vec<(usize, f64)>, f64)> {
    let values = series.values.get(room.first..room.past.min(series.values.len()))?;
    let known: Vec<(f64, usize)> = values.iter().enumerate().filter_map(|(i, value)| Some(((*value)?, i))).collect();
    let chosen = lowest_of(known, room.whole, room.part)?;
    let sum: f64 = chosen.iter().map(|(index, part)| values[*index].unwrap_or(0.0) * part).sum();
    let steps = chosen.into_iter().map(|(index, part)| (room.first + index, part)).collect();
    Some((steps, sum / (room.whole as f64 + room.part)))
}

/// Indices of the lowest values with the part of each that is used, by index; the earliest of equal ones.
pub(super) fn lowest_of(mut known: Vec<(f64, usize)>, whole: usize, part: f64) -> Option<Vec<(usize, f64)>> {
    let needed = whole + usize::from(part > 0.0);
    if known.len() < needed || needed == 0 {
        return None;
    }
    let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    known.select_nth_unstable_by(needed - 1, order);
    // The last of the chosen ones is the highest, and is the one that is used in part.
    let mut chosen: Vec<(usize, f64)> = known[..needed].iter().map(|(_, index)| (*index, 1.0)).collect();
    if let Some(last) = chosen.last_mut().filter(|_| part > 0.0) {
        last.1 = part;
    }
    chosen.sort_unstable_by_key(|(index, _)| *index);
    Some(chosen)
}
