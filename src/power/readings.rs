//! The readings of one channel: looked up, interpolated, integrated. Raw values at the instants of their polls; nothing
//! here knows of delays or corrections.
//!
//! What surprises people: a hole longer than [`BRIDGED_PERIODS`] is never bridged; what lies in it is not covered.

use crate::clock::Nanoseconds;
use crate::model::{Channel, Quantity, Scope, SourceTrace};
use crate::units::{NANOSECONDS_PER_SECOND, Seconds};

/// Longest hole between two readings that is bridged, in update periods (or polls, if those are slower).
pub const BRIDGED_PERIODS: f64 = 3.0;
/// Slack for cadences that do not fall on whole nanoseconds.
const JITTER: f64 = 1.0 + 1e-6;

/// One energetic channel with its readings.
#[derive(Clone, Copy)]
pub(super) struct Readings<'a> {
    pub channel: &'a Channel,
    pub t: &'a [Nanoseconds],
    pub values: &'a [Option<f64>],
    /// Longest bridged hole in nanoseconds.
    pub reach: u64,
    /// Time between two polls, in seconds.
    pub poll_s: f64,
}

/// Energy of a whole stretch in joules, and the part of it that readings cover.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub energy: f64,
    pub coverage: f64,
}

impl<'a> Readings<'a> {
    pub fn find(trace: &'a SourceTrace, scope: Scope, quantity: Quantity) -> Option<Self> {
        let wanted = |channel: &&Channel| channel.scope == scope && channel.quantity == quantity;
        trace.source.channels.iter().find(wanted).and_then(|channel| Self::of(trace, channel))
    }

    pub fn of(trace: &'a SourceTrace, channel: &'a Channel) -> Option<Self> {
        let values = &trace.column(&channel.id)?.values;
        let poll_s = if trace.requested_hz > 0.0 { 1.0 / trace.requested_hz } else { 0.0 };
        let period = channel.update_period_s.map_or(0.0, Seconds::get).max(poll_s);
        let reach = Seconds::new(BRIDGED_PERIODS * period * JITTER).to_nanoseconds();
        let length = values.len().min(trace.t_ns.len());
        Some(Self { channel, t: &trace.t_ns[..length], values: &values[..length], reach, poll_s })
    }

    /// Readings from index `first` on.
    pub fn starting_at(&self, first: usize) -> impl Iterator<Item = (u64, f64)> + use<'a> {
        let (t, values) = (&self.t[first..], &self.values[first..]);
        t.iter().zip(values).filter_map(|(t, value)| value.map(|value| (t.0, value)))
    }

    /// Readings before index `end`, backwards.
    pub fn back_from(&self, end: usize) -> impl Iterator<Item = (u64, f64)> + use<'a> {
        let (t, values) = (&self.t[..end], &self.values[..end]);
        t.iter().zip(values).rev().filter_map(|(t, value)| value.map(|value| (t.0, value)))
    }

    /// Number of polls at or before an instant.
    pub fn polls_until(&self, at: u64) -> usize {
        self.t.partition_point(|t| t.0 <= at)
    }

    /// The reading at an instant: on the line between its neighbours, or the nearest one within reach.
    pub fn value_at(&self, at: u64) -> Option<f64> {
        let next = self.polls_until(at);
        let before = self.back_from(next).next().filter(|(t, _)| at - t <= self.reach);
        let after = self.starting_at(next).next().filter(|(t, _)| t - at <= self.reach);
        match (before, after) {
            (Some((t0, v0)), Some((t1, v1))) => Some(v0 + (v1 - v0) * ((at - t0) as f64 / (t1 - t0) as f64)),
            (Some((_, value)), None) | (None, Some((_, value))) => Some(value),
            (None, None) => None,
        }
    }
}

/// Trapezoid between readings, clipped to the stretch; `None` if nothing is covered. Beyond the last (before the first)
/// reading that value is held, as far as a hole may reach.
pub(super) fn integrate(readings: &Readings<'_>, from: u64, until: u64) -> Option<Part> {
    if until <= from {
        return None;
    }
    let before = readings.polls_until(from);
    let end = before + readings.t[before..].partition_point(|t| t.0 < until);
    let mut sum = Trapezoids { from, until, reach: readings.reach, covered: 0, energy: 0.0 };
    let mut last = readings.back_from(before).next();
    for (t, value) in
        (Readings { t: &readings.t[..end], values: &readings.values[..end], ..*readings }).starting_at(before)
    {
        // Without a reading at or before the start, the first one is held backwards.
        sum.add(last.unwrap_or((from, value)), (t, value));
        last = Some((t, value));
    }
    match (last, readings.starting_at(end).next()) {
        (Some(last), Some(next)) => {
            sum.add(last, next);
            // A hole that is not bridged ends what is known; the value before it is not held into it.
        }
        (Some((t, value)), None) => sum.add((t, value), (until, value)),
        (None, Some((t, value))) => sum.add((from, value), (t, value)),
        (None, None) => {}
    }
    let coverage = sum.covered as f64 / (until - from) as f64;
    (sum.covered > 0).then(|| Part { energy: sum.energy / coverage, coverage })
}

/// Sum of trapezoids within a stretch.
struct Trapezoids {
    from: u64,
    until: u64,
    reach: u64,
    covered: u64,
    energy: f64,
}

impl Trapezoids {
    #[inline]
    fn add(&mut self, (t0, v0): (u64, f64), (t1, v1): (u64, f64)) {
        if t1 <= t0 || t1 - t0 > self.reach {
            return;
        }
        if t0 >= self.from && t1 <= self.until {
            self.covered += t1 - t0;
            self.energy += (v0 + v1) * ((t1 - t0) as f64 * (0.5 / NANOSECONDS_PER_SECOND));
            return;
        }
        let (a, b) = (t0.max(self.from), t1.min(self.until));
        if a >= b {
            return;
        }
        let line = |t: u64| v0 + (v1 - v0) * ((t - t0) as f64 / (t1 - t0) as f64);
        self.covered += b - a;
        self.energy += (line(a) + line(b)) * ((b - a) as f64 * (0.5 / NANOSECONDS_PER_SECOND));
    }
}
