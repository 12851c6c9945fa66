//! Energy by a cumulative counter, both ends at its own ticks.
//!
//! A tick is bracketed by the poll before it and the poll that saw it; it is taken to lie in the middle of the two, or of
//! the last update period if that is shorter. The counter at a window's edge lies on the line between the ticks about it.
//! What surprises people: joules are never lost between polls, so a slow poll costs only the time that the bracket is wide.

use super::lag::WindowError;
use super::readings::{Part, Readings};
use crate::units::{NANOSECONDS_PER_SECOND, Seconds};

/// Largest relative error of a fitted delay, as for power.
const PROFILE_ERROR: f64 = 0.10;
/// Root mean square of what a straight line between two ticks is off at a random instant, in ticks times the step of power,
/// when a step lies anywhere between them: the covariance of a Brownian bridge, whose mean square is 1/90.
const INSIDE_A_TICK: f64 = 0.1054;

/// A change of the counter.
#[derive(Debug, Clone, Copy)]
struct Tick {
    /// When it was seen.
    seen: u64,
    /// Where it is taken to lie.
    at: u64,
    /// Width of the bracket.
    bracket: u64,
    /// The counter from then on.
    joules: f64,
}

/// Energy by the counter; `None` if it did not change or fell.
pub(super) fn count(readings: &Readings<'_>, from: u64, until: u64) -> Option<(Part, WindowError)> {
    if until <= from {
        return None;
    }
    let delay = readings.channel.profile.as_ref().map_or(0.0, |own| own.delay_s.get());
    let shift = Seconds::new(delay).to_nanoseconds();
    let (a, b) = (from.saturating_add(shift), until.saturating_add(shift));
    let before = last_tick(readings, a).filter(|tick| a.saturating_sub(tick.at) <= readings.reach);
    let after = next_tick(readings, a);
    let start = before.or(after)?;
    let last = last_tick(readings, b)?;
    // What the counter does after the window is no concern of it.
    let reaches = |tick: &Tick| tick.at.saturating_sub(b) <= readings.reach && tick.joules > last.joules;
    let end = next_tick(readings, b).filter(reaches).unwrap_or(last);
    if last.at <= start.at || last.joules <= start.joules || falls_between(readings, start.seen, last.seen) {
        return None;
    }
    let mean_power = (end.joules - start.joules) / seconds(end.at - start.at);
    // From the first edge to the last tick inside, and on to the second edge; beyond known ticks at the mean power.
    let first = edge(a, before, after, mean_power)?;
    let second = edge(b, Some(last), Some(end).filter(|end| end.at > last.at), mean_power)?;
    let covered_from = if start.at.saturating_sub(a) <= readings.reach { a } else { start.at };
    let covered_until = if b.saturating_sub(end.at) <= readings.reach { b } else { end.at };
    let length = (b - a) as f64;
    let coverage = covered_until.saturating_sub(covered_from) as f64 / length;
    let random = first.error.hypot(second.error);
    let error = WindowError {
        edge_j: random,
        shift_j: timing(readings, delay) * (second.power - first.power),
        // In a stretch that no tick reaches, power may be anything between none and twice the mean.
        sampling_j: (1.0 - coverage).max(0.0) * seconds(b - a) * mean_power / 3.0_f64.sqrt(),
        updates: length
            / NANOSECONDS_PER_SECOND
            / readings.channel.update_period_s.map_or(readings.poll_s, Seconds::get),
    };
    let energy = second.joules - first.joules;
    (energy > 0.0).then_some((Part { energy, coverage }, error))
}

/// Standard uncertainty of the counter's delay.
fn timing(readings: &Readings<'_>, delay: f64) -> f64 {
    let unknown = match readings.channel.profile {
        Some(_) => PROFILE_ERROR * delay,
        None => readings.channel.update_period_s.map_or(readings.poll_s, Seconds::get),
    };
    unknown / 3.0_f64.sqrt()
}

/// The counter at an edge, the power there, and a standard uncertainty in joules.
struct Edge {
    joules: f64,
    power: f64,
    error: f64,
}

fn edge(at: u64, before: Option<Tick>, after: Option<Tick>, mean_power: f64) -> Option<Edge> {
    let near = before.or(after)?;
    let power = match (before, after) {
        (Some(before), Some(after)) if after.at > before.at => {
            (after.joules - before.joules) / seconds(after.at - before.at)
        }
        _ => mean_power,
    };
    let offset = (at as f64 - near.at as f64) / NANOSECONDS_PER_SECOND;
    let span = before.zip(after).map_or(0.0, |(before, after)| seconds(after.at.saturating_sub(before.at)));
    // Each of the two ticks lies anywhere in its bracket; their line is off by the weighted mean of the two.
    let bracket = seconds(near.bracket) / 12.0_f64.sqrt() * power;
    let inside = INSIDE_A_TICK * span * (power - mean_power).abs();
    Some(Edge { joules: near.joules + power * offset, power, error: bracket.hypot(inside) })
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / NANOSECONDS_PER_SECOND
}

fn tick(readings: &Readings<'_>, poll_before: u64, (seen, joules): (u64, f64)) -> Tick {
    let period = readings.channel.update_period_s.map_or(u64::MAX, Seconds::to_nanoseconds).max(1);
    let bracket = (seen - poll_before).min(period);
    Tick { seen, at: seen - bracket / 2, bracket, joules }
}

/// The last tick that was seen at or before an instant.
fn last_tick(readings: &Readings<'_>, at: u64) -> Option<Tick> {
    let mut back = readings.back_from(readings.polls_until(at));
    let mut later = back.next()?;
    for earlier in back {
        if earlier.1 != later.1 {
            return Some(tick(readings, earlier.0, later));
        }
        later = earlier;
    }
    None
}

/// The first tick that was seen after an instant.
fn next_tick(readings: &Readings<'_>, after: u64) -> Option<Tick> {
    let first = readings.polls_until(after);
    let mut last = readings.back_from(first).next();
    for reading in readings.starting_at(first) {
        match last.replace(reading) {
            Some(before) if before.1 != reading.1 => return Some(tick(readings, before.0, reading)),
            _ => {}
        }
    }
    None
}

fn falls_between(readings: &Readings<'_>, from: u64, until: u64) -> bool {
    let first = readings.t.partition_point(|t| t.0 < from);
    let mut last = f64::NEG_INFINITY;
    readings
        .starting_at(first)
        .take_while(|(t, _)| *t <= until)
        .any(|(_, value)| std::mem::replace(&mut last, value) > value)
}
