//! Energy within a window, from a trace: pure functions, nothing is read or kept.
//!
//! Per scope there may be a cumulative counter, power samples, or both; both are evaluated and compared.
//!
//! * **Integral**: straight lines between readings (trapezoid), interpolated to the window's edges; beyond the last
//!   (before the first) reading that value is held. Both only over at most [`BRIDGED_PERIODS`] update periods. A longer
//!   hole lowers `coverage`, and the energy is the mean power of the covered time extended over the whole window.
//! * **Counter**: each edge is moved to the last change of the counter at or before it, so that joules and seconds
//!   belong to the same interval; that mean power is then extended over the window.
//! * **Rule**: the counter stands if it changed, never fell, and differs from the integral by at most
//!   [`TOLERATED_DISAGREEMENT`]; else the integral stands. An integral that covers less than half of the window has no
//!   vote against a counter. The disagreement is reported either way.
//!
//! What surprises people: with full coverage integrals of adjoining windows add up exactly; with holes they need not,
//! because each window is extended from its own covered time.

use crate::clock::Nanoseconds;
use crate::model::{Channel, Device, DeviceKind, Quantity, Scope, SourceTrace};
use crate::units::{Joules, NANOSECONDS_PER_SECOND, Ratio, Seconds, Watts};

/// Longest hole between two readings that is bridged, in update periods (or polls, if those are slower).
pub const BRIDGED_PERIODS: f64 = 3.0;
/// Largest |counter − integral| / integral at which the counter stands: 5 %, the accuracy that makers state for board
/// sensors, so that a larger difference means that one of the two is broken.
pub const TOLERATED_DISAGREEMENT: f64 = 0.05;
/// Least coverage with which an integral can overrule a counter.
const VOTING_COVERAGE: f64 = 0.5;
/// Slack for cadences that do not fall on whole nanoseconds.
const JITTER: f64 = 1.0 + 1e-6;

/// Which reading an energy was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Difference of the cumulative counter.
    Counter,
    /// Integral of the power samples.
    Integral,
}

/// Energy of one source within a window, for one scope.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopeEnergy {
    /// What the joules include.
    pub scope: Scope,
    /// By the counter; `None` if there is none, or it did not change, or it fell.
    pub counter: Option<Joules>,
    /// By integration of power; `None` if there is no power reading in reach of the window.
    pub integral: Option<Joules>,
    /// What was integrated: instant power where there is one, else averaged power.
    pub integral_quantity: Option<Quantity>,
    /// Part of the window that the readings of the chosen kind cover, 0 to 1.
    pub coverage: Ratio,
    /// The energy that stands, by the written rule.
    pub chosen: Option<(Chosen, Joules)>,
    /// Counter over integral, minus 1, where both exist.
    pub disagreement: Option<Ratio>,
    /// Chosen energy over the window's length.
    pub mean_power: Option<Watts>,
    /// Update period of the chosen channel, when known.
    pub update_period_s: Option<Seconds>,
    /// Averaging window of the chosen channel, when known. Shorter than the update period means a part-time sensor.
    pub averaging_window_s: Option<Seconds>,
    /// Systematic error of the chosen channel, when stated.
    pub stated_error: Option<Ratio>,
}

/// True if a scope's watts contain the whole device: a CPU package contains a software adapter or an integrated GPU, but
/// says nothing of a discrete one. The cores or the uncore of a host, which are chips of no device, contain neither.
pub fn holds_device(scope: Scope, source_device: Option<u32>, device: &Device) -> bool {
    match scope {
        Scope::HostDc | Scope::WallAc => true,
        Scope::Package if source_device.is_none() => {
            matches!(device.kind, DeviceKind::Software | DeviceKind::Integrated)
        }
        _ => source_device == Some(device.ordinal),
    }
}

/// Energy of a source between two instants, one entry per scope that it measures, in order of its channels.
pub fn window_energies(trace: &SourceTrace, from: Nanoseconds, until: Nanoseconds) -> Vec<ScopeEnergy> {
    let mut scopes: Vec<Scope> = Vec::new();
    for channel in trace.source.channels.iter().filter(|channel| channel.quantity.is_energetic()) {
        if !scopes.contains(&channel.scope) {
            scopes.push(channel.scope);
        }
    }
    scopes.into_iter().map(|scope| scope_energy(trace, scope, from, until)).collect()
}

/// Power over time for one scope: the instants and watts of its power readings (instant before averaged), or, where
/// there is only a counter, its rate between two changes, stamped at the middle of the two.
pub fn power_series(trace: &SourceTrace, scope: Scope) -> Vec<(Nanoseconds, Watts)> {
    for quantity in [Quantity::InstantPower, Quantity::AveragedPower] {
        let readings = Readings::find(trace, scope, quantity);
        let series = readings.into_iter().flat_map(|readings| readings.starting_at(0));
        let series: Vec<_> = series.map(|(t, watts)| (Nanoseconds(t), Watts::new(watts))).collect();
        if !series.is_empty() {
            return series;
        }
    }
    let Some(readings) = Readings::find(trace, scope, Quantity::EnergyCounter) else { return Vec::new() };
    let mut last: Option<(u64, f64)> = None;
    let rate = |(t, energy): (u64, f64)| {
        let (t0, before) = *last.get_or_insert((t, energy));
        if energy == before {
            return None;
        }
        last = Some((t, energy));
        let watts = Joules::new(energy - before) / Seconds::from_nanoseconds(t - t0);
        // A longer hole has no power of its own, and a counter that falls says nothing.
        (t - t0 <= readings.reach && energy > before).then_some((Nanoseconds(t0 + (t - t0) / 2), watts))
    };
    readings.starting_at(0).filter_map(rate).collect()
}

/// One energetic channel with its readings.
#[derive(Clone, Copy)]
struct Readings<'a> {
    channel: &'a Channel,
    t: &'a [Nanoseconds],
    values: &'a [Option<f64>],
    /// Longest bridged hole in nanoseconds.
    reach: u64,
}

impl<'a> Readings<'a> {
    fn find(trace: &'a SourceTrace, scope: Scope, quantity: Quantity) -> Option<Self> {
        let wanted = |channel: &&Channel| channel.scope == scope && channel.quantity == quantity;
        trace.source.channels.iter().find(wanted).and_then(|channel| Self::of(trace, channel))
    }

    fn of(trace: &'a SourceTrace, channel: &'a Channel) -> Option<Self> {
        let values = &trace.column(&channel.id)?.values;
        let poll_period = if trace.requested_hz > 0.0 { 1.0 / trace.requested_hz } else { 0.0 };
        let period = channel.update_period_s.map_or(0.0, Seconds::get).max(poll_period);
        let reach = Seconds::new(BRIDGED_PERIODS * period * JITTER).to_nanoseconds();
        let length = values.len().min(trace.t_ns.len());
        Some(Self { channel, t: &trace.t_ns[..length], values: &values[..length], reach })
    }

    /// Readings from index `first` on.
    fn starting_at(&self, first: usize) -> impl Iterator<Item = (u64, f64)> + use<'a> {
        let (t, values) = (self.t, self.values);
        (first..t.len()).filter_map(move |i| values[i].map(|value| (t[i].0, value)))
    }

    /// Readings before index `end`, backwards.
    fn back_from(&self, end: usize) -> impl Iterator<Item = (u64, f64)> + use<'a> {
        let (t, values) = (self.t, self.values);
        (0..end).rev().filter_map(move |i| values[i].map(|value| (t[i].0, value)))
    }

    /// Number of polls at or before an instant.
    fn polls_until(&self, at: Nanoseconds) -> usize {
        self.t.partition_point(|t| *t <= at)
    }
}

fn scope_energy(trace: &SourceTrace, scope: Scope, from: Nanoseconds, until: Nanoseconds) -> ScopeEnergy {
    let power = Readings::find(trace, scope, Quantity::InstantPower)
        .and_then(|readings| Some((readings, integrate(&readings, from, until)?)))
        .or_else(|| {
            let readings = Readings::find(trace, scope, Quantity::AveragedPower)?;
            Some((readings, integrate(&readings, from, until)?))
        });
    let counter = Readings::find(trace, scope, Quantity::EnergyCounter)
        .and_then(|readings| Some((readings, count(&readings, from, until)?)));
    let disagreement = match (&counter, &power) {
        (Some((_, c)), Some((_, p))) if p.energy > 0.0 => Some(c.energy / p.energy - 1.0),
        _ => None,
    };
    let overruled = disagreement.is_some_and(|d| d.abs() > TOLERATED_DISAGREEMENT)
        && power.as_ref().is_some_and(|(_, part)| part.coverage >= VOTING_COVERAGE);
    let chosen = match (&counter, &power) {
        (Some((readings, part)), None) => Some((Chosen::Counter, readings, part)),
        (Some((readings, part)), Some(_)) if !overruled => Some((Chosen::Counter, readings, part)),
        (_, Some((readings, part))) => Some((Chosen::Integral, readings, part)),
        (None, None) => None,
    };
    let channel = chosen.map(|(_, readings, _)| readings.channel);
    ScopeEnergy {
        scope,
        counter: counter.as_ref().map(|(_, part)| Joules::new(part.energy)),
        integral: power.as_ref().map(|(_, part)| Joules::new(part.energy)),
        integral_quantity: power.as_ref().map(|(readings, _)| readings.channel.quantity),
        coverage: Ratio::new(chosen.map_or(0.0, |(_, _, part)| part.coverage)),
        chosen: chosen.map(|(kind, _, part)| (kind, Joules::new(part.energy))),
        disagreement: disagreement.map(Ratio::new),
        mean_power: chosen.map(|(_, _, part)| Joules::new(part.energy) / until.since(from)),
        update_period_s: channel.and_then(|channel| channel.update_period_s),
        averaging_window_s: channel.and_then(|channel| channel.averaging_window_s),
        stated_error: channel.and_then(|channel| channel.stated_error),
    }
}

/// Energy of a whole window in joules, and the part of the window that readings cover.
struct Part {
    energy: f64,
    coverage: f64,
}

/// Trapezoid between readings, clipped to the window; `None` if nothing is covered.
fn integrate(readings: &Readings<'_>, from: Nanoseconds, until: Nanoseconds) -> Option<Part> {
    let (from, until) = (from.0, until.0);
    if until <= from {
        return None;
    }
    let before = readings.polls_until(Nanoseconds(from));
    let mut covered = 0u64;
    let mut energy = 0.0;
    let mut add = |(t0, v0): (u64, f64), (t1, v1): (u64, f64)| {
        let (a, b) = (t0.max(from), t1.min(until));
        if a >= b || t1 - t0 > readings.reach {
            return;
        }
        let line = |t: u64| v0 + (v1 - v0) * ((t - t0) as f64 / (t1 - t0) as f64);
        covered += b - a;
        energy += (line(a) + line(b)) / 2.0 * (b - a) as f64 / NANOSECONDS_PER_SECOND;
    };
    let mut last = readings.back_from(before).next();
    for (t, value) in readings.starting_at(before) {
        // Without a reading at or before the window's start, the first one is held backwards.
        add(last.unwrap_or((from, value)), (t, value));
        last = Some((t, value));
        if t >= until {
            break;
        }
    }
    if let Some((t, value)) = last.filter(|(t, _)| *t < until) {
        add((t, value), (until, value));
    }
    let coverage = covered as f64 / (until - from) as f64;
    (covered > 0).then(|| Part { energy: energy / coverage, coverage })
}

/// Energy by the counter's own ticks; `None` if it did not change or fell.
fn count(readings: &Readings<'_>, from: Nanoseconds, until: Nanoseconds) -> Option<Part> {
    if until <= from {
        return None;
    }
    let start = last_change(readings, from)
        .filter(|(t, _)| from.0 - t <= readings.reach)
        .or_else(|| first_change(readings, from))?;
    let end = last_change(readings, until)?;
    if end.0 <= start.0 || end.1 <= start.1 || falls_between(readings, start.0, end.0) {
        return None;
    }
    let mean_power = (end.1 - start.1) / ((end.0 - start.0) as f64 / NANOSECONDS_PER_SECOND);
    let covered_from = if start.0.saturating_sub(from.0) <= readings.reach { from.0 } else { start.0 };
    let covered_until = if until.0 - end.0 <= readings.reach { until.0 } else { end.0 };
    let length = (until.0 - from.0) as f64;
    Some(Part {
        energy: mean_power * length / NANOSECONDS_PER_SECOND,
        coverage: covered_until.saturating_sub(covered_from) as f64 / length,
    })
}

/// The last reading at or before an instant that differs from the one before it.
fn last_change(readings: &Readings<'_>, at: Nanoseconds) -> Option<(u64, f64)> {
    let mut back = readings.back_from(readings.polls_until(at));
    let mut later = back.next()?;
    for earlier in back {
        if earlier.1 != later.1 {
            return Some(later);
        }
        later = earlier;
    }
    None
}

/// The first reading after an instant that differs from the one before it.
fn first_change(readings: &Readings<'_>, after: Nanoseconds) -> Option<(u64, f64)> {
    let first = readings.polls_until(after);
    let mut last = readings.back_from(first).next().map(|(_, value)| value);
    readings.starting_at(first).find(|(_, value)| last.replace(*value).is_some_and(|before| before != *value))
}

fn falls_between(readings: &Readings<'_>, from: u64, until: u64) -> bool {
    let first = readings.t.partition_point(|t| t.0 < from);
    let mut last = f64::NEG_INFINITY;
    readings
        .starting_at(first)
        .take_while(|(t, _)| *t <= until)
        .any(|(_, value)| std::mem::replace(&mut last, value) > value)
}

/// Update periods (or polls, if those are slower) for which a value must stand still before it counts as frozen.
const FROZEN_PERIODS: f64 = 20.0;
/// Least relative change of another channel that a frozen one should have followed.
const UNFOLLOWED_CHANGE: f64 = 0.10;
/// Standstill after which a counter that is its source's only energetic channel is frozen; the slowest known counter
/// ticks every 100 ms.
const LONE_COUNTER_STANDSTILL: Seconds = Seconds::new(2.0);
/// Parts into which a standstill is cut to see whether another channel moved meanwhile.
const STANDSTILL_PARTS: u64 = 4;

/// Energetic channels that stood still for 20 update periods or longer while another channel of the same source says
/// that they should not have: a counter while power flowed, or a power while another power, or the rate of a counter,
/// moved by more than a tenth. A counter without a witness is frozen after two seconds, since nothing that is switched
/// on draws 0 W; power without a witness cannot be judged.
pub fn frozen_channels(trace: &SourceTrace) -> Vec<String> {
    let energetic: Vec<Readings<'_>> = trace
        .source
        .channels
        .iter()
        .filter(|channel| channel.quantity.is_energetic())
        .filter_map(|channel| Readings::of(trace, channel))
        .collect();
    let frozen = energetic.iter().filter(|suspect| {
        let witnesses = energetic.iter().filter(|other| other.channel.id != suspect.channel.id);
        longest_standstill(suspect).is_some_and(|(from, until)| {
            let is_lone_counter = energetic.len() == 1 && suspect.channel.quantity == Quantity::EnergyCounter;
            if is_lone_counter {
                return until - from >= LONE_COUNTER_STANDSTILL.to_nanoseconds();
            }
            witnesses.clone().any(|witness| contradicts(suspect, witness, Nanoseconds(from), Nanoseconds(until)))
        })
    });
    frozen.map(|suspect| suspect.channel.id.clone()).collect()
}

/// The longest stretch of one and the same value, if it is long enough to look frozen.
fn longest_standstill(readings: &Readings<'_>) -> Option<(u64, u64)> {
    let mut longest: Option<(u64, u64)> = None;
    let mut current: Option<(u64, u64, f64)> = None;
    for (t, value) in readings.starting_at(0) {
        let since = current.filter(|(_, _, held)| *held == value).map_or(t, |(since, _, _)| since);
        current = Some((since, t, value));
        if longest.is_none_or(|(from, until)| t - since > until - from) {
            longest = Some((since, t));
        }
    }
    let least = readings.reach as f64 / BRIDGED_PERIODS * FROZEN_PERIODS;
    longest.filter(|(from, until)| (until - from) as f64 >= least)
}

fn contradicts(suspect: &Readings<'_>, witness: &Readings<'_>, from: Nanoseconds, until: Nanoseconds) -> bool {
    let energy = |a, b| match witness.channel.quantity {
        Quantity::EnergyCounter => count(witness, a, b),
        _ => integrate(witness, a, b),
    };
    if suspect.channel.quantity == Quantity::EnergyCounter {
        return energy(from, until).is_some_and(|part| part.energy > 0.0);
    }
    let length = (until.0 - from.0) / STANDSTILL_PARTS;
    let parts = (0..STANDSTILL_PARTS).filter_map(|part| {
        let start = from.0 + part * length;
        energy(Nanoseconds(start), Nanoseconds(start + length)).map(|part| part.energy)
    });
    let (low, high) = parts.fold((f64::INFINITY, 0.0_f64), |(low, high), energy| (low.min(energy), high.max(energy)));
    high > 0.0 && low.is_finite() && (high - low) / high > UNFOLLOWED_CHANGE
}

#[cfg(test)]
#[path = "integrate_tests.rs"]
mod tests;
