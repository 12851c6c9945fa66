//! Energy within a window, from a trace: pure functions, nothing is read or kept.
//!
//! Per scope there may be a cumulative counter, power samples, or both; both are evaluated and compared.
//!
//! * **Integral**: straight lines between readings (trapezoid), interpolated to the window's edges, taken as much later as
//!   the sensor lags behind (`lag`). A hole longer than three update periods lowers `coverage`, and the energy is the
//!   mean power of the covered time extended over the whole window.
//! * **Counter**: at each edge the line between the ticks about it (`counter`).
//! * **Correction**: where a channel has one, its energies and watts are those of the reference that it was fitted to:
//!   true = (reading − offset)/gain. The readings of a trace always stay raw.
//! * **Rule**: the counter stands if it changed, never fell, and differs from the integral by at most
//!   [`TOLERATED_DISAGREEMENT`]; else the integral stands. An integral that covers less than half of the window has no
//!   vote against a counter. Where only one of the two has a correction, that one stands: it was asked for. The
//!   disagreement is reported in every case.
//!
//! What surprises people: with full coverage integrals of adjoining windows add up exactly; with holes they need not,
//! because each window is extended from its own covered time.

use super::counter::count;
use super::lag::{self, Lag};
use super::readings::{Part, Readings};
use crate::clock::Nanoseconds;
use crate::model::{Channel, Correction, Device, DeviceKind, Quantity, Response, Scope, SensorProfile, SourceTrace};
use crate::units::{Joules, Ratio, Seconds, Watts};

pub use super::frozen::frozen_channels;
pub use super::lag::WindowError;
pub use super::readings::BRIDGED_PERIODS;

/// Largest |counter − integral| / integral at which the counter stands: 5 %, the accuracy that makers state for board
/// sensors, so that a larger difference means that one of the two is broken.
pub const TOLERATED_DISAGREEMENT: f64 = 0.05;
/// Least coverage with which an integral can overrule a counter.
const VOTING_COVERAGE: f64 = 0.5;

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
    /// Systematic error of the chosen channel, when stated: that of its correction where one is applied.
    pub stated_error: Option<Ratio>,
    /// The correction that is applied to the chosen channel.
    pub correction: Option<Correction>,
    /// What the chosen energy may be off by, besides the systematic error.
    pub error: WindowError,
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

/// Power over time for one scope, corrected where its channel has a correction: the instants of the polls and the watts of
/// its power readings (instant before averaged), or, where there is only a counter, its rate between two changes, stamped
/// at the middle of the two. Not shifted by the sensor's lag.
pub fn power_series(trace: &SourceTrace, scope: Scope) -> Vec<(Nanoseconds, Watts)> {
    for quantity in [Quantity::InstantPower, Quantity::AveragedPower] {
        let readings = Readings::find(trace, scope, quantity);
        let watts = |readings: Readings<'_>| {
            let channel = readings.channel.clone();
            readings.starting_at(0).map(move |(t, watts)| (Nanoseconds(t), corrected(&channel, watts))).collect()
        };
        let series: Vec<_> = readings.map(watts).unwrap_or_default();
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
        let watts = corrected(readings.channel, watts.get());
        (t - t0 <= readings.reach && energy > before).then_some((Nanoseconds(t0 + (t - t0) / 2), watts))
    };
    readings.starting_at(0).filter_map(rate).collect()
}

/// Power or energy of one channel over a window, corrected.
struct Candidate<'a> {
    channel: &'a Channel,
    part: Part,
    error: WindowError,
}

impl<'a> Candidate<'a> {
    fn new(channel: &'a Channel, (part, error): (Part, WindowError), length: Seconds) -> Self {
        let Some(correction) = correction_of(channel) else { return Self { channel, part, error } };
        let gain = correction.gain;
        let energy = (part.energy - correction.offset_w.get() * length.get()) / gain;
        let error = WindowError {
            edge_j: error.edge_j / gain,
            shift_j: error.shift_j / gain,
            sampling_j: error.sampling_j / gain,
            updates: error.updates,
        };
        Self { channel, part: Part { energy, ..part }, error }
    }

    fn is_corrected(&self) -> bool {
        correction_of(self.channel).is_some()
    }
}

/// A channel's correction, if it can be applied: a gain that is not above 0 says nothing of the true power.
fn correction_of(channel: &Channel) -> Option<&Correction> {
    let usable = |own: &&Correction| own.gain.is_finite() && own.gain > 0.0 && own.offset_w.get().is_finite();
    channel.correction.as_ref().filter(usable)
}

/// Watts of a channel's reading with its correction, if it has one.
fn corrected(channel: &Channel, watts: f64) -> Watts {
    Watts::new(correction_of(channel).map_or(watts, |own| (watts - own.offset_w.get()) / own.gain))
}

fn scope_energy(trace: &SourceTrace, scope: Scope, from: Nanoseconds, until: Nanoseconds) -> ScopeEnergy {
    let length = until.since(from);
    let by_power = |quantity| {
        let readings = Readings::find(trace, scope, quantity)?;
        let found = lag::power_part(&readings, from.0, until.0)?;
        Some(Candidate::new(readings.channel, found, length))
    };
    let power = by_power(Quantity::InstantPower).or_else(|| by_power(Quantity::AveragedPower));
    let counter = Readings::find(trace, scope, Quantity::EnergyCounter).and_then(|readings| {
        let found = count(&readings, from.0, until.0)?;
        Some(Candidate::new(readings.channel, found, length))
    });
    let disagreement = match (&counter, &power) {
        (Some(counter), Some(power)) if power.part.energy > 0.0 => Some(counter.part.energy / power.part.energy - 1.0),
        _ => None,
    };
    let (counter_j, integral_j) =
        (counter.as_ref().map(|own| own.part.energy), power.as_ref().map(|own| own.part.energy));
    let integral_quantity = power.as_ref().map(|own| own.channel.quantity);
    let chosen = choose(counter, power, disagreement);
    let channel = chosen.as_ref().map(|(_, own)| own.channel);
    let correction = channel.and_then(correction_of);
    ScopeEnergy {
        scope,
        counter: counter_j.map(Joules::new),
        integral: integral_j.map(Joules::new),
        integral_quantity,
        coverage: Ratio::new(chosen.as_ref().map_or(0.0, |(_, own)| own.part.coverage)),
        chosen: chosen.as_ref().map(|(kind, own)| (*kind, Joules::new(own.part.energy))),
        disagreement: disagreement.map(Ratio::new),
        mean_power: chosen.as_ref().map(|(_, own)| Joules::new(own.part.energy) / length),
        update_period_s: channel.and_then(|channel| channel.update_period_s),
        averaging_window_s: channel.and_then(|channel| channel.averaging_window_s),
        stated_error: correction.map(|own| own.error).or_else(|| channel.and_then(|channel| channel.stated_error)),
        correction: correction.cloned(),
        error: chosen.map_or_else(WindowError::default, |(_, own)| own.error),
    }
}

/// The written rule.
fn choose<'a>(
    counter: Option<Candidate<'a>>,
    power: Option<Candidate<'a>>,
    disagreement: Option<f64>,
) -> Option<(Chosen, Candidate<'a>)> {
    match (counter, power) {
        (Some(counter), Some(power)) => {
            let overruled = disagreement.is_none_or(|d| d.abs() > TOLERATED_DISAGREEMENT);
            let by_power = match (counter.is_corrected(), power.is_corrected()) {
                (true, false) => false,
                (false, true) => true,
                _ => overruled && power.part.coverage >= VOTING_COVERAGE && power.part.energy > 0.0,
            };
            Some(if by_power { (Chosen::Integral, power) } else { (Chosen::Counter, counter) })
        }
        (Some(counter), None) => Some((Chosen::Counter, counter)),
        (None, Some(power)) => Some((Chosen::Integral, power)),
        (None, None) => None,
    }
}

/// Longest time after a window's end until readings of a device's sensors no longer depend on what came after it.
pub fn settling_time(traces: &[SourceTrace], device: &Device) -> Seconds {
    let own = traces.iter().filter(|trace| trace.source.device.is_none_or(|ordinal| ordinal == device.ordinal));
    let channels =
        own.flat_map(|trace| trace.source.channels.iter().filter_map(|channel| Readings::of(trace, channel)));
    let energetic = channels.filter(|readings| readings.channel.quantity.is_energetic());
    Seconds::new(energetic.map(|readings| Lag::of(&readings).settled_s()).fold(0.0, f64::max))
}

/// The longest look of those of a device's sensors that look at a part of the time only; `None` if all see everything.
pub fn part_time_look(traces: &[SourceTrace], device: &Device) -> Option<PartTime> {
    let own = traces.iter().filter(|trace| trace.source.device.is_none_or(|ordinal| ordinal == device.ordinal));
    let channels = own.flat_map(|trace| &trace.source.channels);
    channels.filter_map(PartTime::of).max_by(|a, b| a.look_s.get().total_cmp(&b.look_s.get()))
}

/// A sensor that looks at a part of each update period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartTime {
    /// How long it looks.
    pub look_s: Seconds,
    /// How often.
    pub update_s: Seconds,
}

impl PartTime {
    fn of(channel: &Channel) -> Option<Self> {
        let power = matches!(channel.quantity, Quantity::InstantPower | Quantity::AveragedPower);
        let (look_s, update_s) = match &channel.profile {
            Some(SensorProfile { response: Response::PartTime { window_s }, update_period_s, .. }) => {
                (*window_s, *update_period_s)
            }
            Some(_) => return None,
            None => (channel.averaging_window_s?, channel.update_period_s?),
        };
        (power && look_s.get() > 0.0 && look_s.get() < update_s.get()).then_some(Self { look_s, update_s })
    }
}

#[cfg(test)]
#[path = "integrate_tests.rs"]
mod tests;
