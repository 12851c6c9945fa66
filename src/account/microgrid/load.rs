//! The load of one device: measured power within measured windows, or declared watts, laid onto the steps of a horizon.
//!
//! A trace is a list of stretches with their mean power. Windows are cut into stretches of a second or more, each with the
//! energy that the record's written rule gives it. What surprises people: a gap is not filled. What no reading covers is not
//! part of the trace, which is shorter by it; so is everything outside measured windows, preheating among it.

use serde::Serialize;

use super::config::{Horizon, LoadShape, Repeat};
use crate::account::job::job_energy;
use crate::account::{AccountError, Choice, Subject};
use crate::clock::Nanoseconds;
use crate::measure::result::{EnergyResult, RunResult};
use crate::model::{Evidence, RunRecord, Scope, SourceTrace, Window};
use crate::names;
use crate::power::window_energies;
use crate::units::{Ratio, SECONDS_PER_HOUR, Seconds, Watts};

/// Shortest stretch that a window is cut into: steps of a micro-grid are longer.
const STRETCH_S: f64 = 1.0;
/// Sensor updates in a stretch, at least.
const UPDATES: f64 = 4.0;
/// Least part of a stretch that readings must cover for it to count, as for a window of the record.
const LEAST_COVERAGE: f64 = 0.5;

/// A length of time at one power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Length.
    pub seconds: f64,
    /// Mean power.
    pub watts: f64,
}

/// The load of one device before it is repeated, multiplied and burdened with the PUE.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadTrace {
    /// Whose power it is, in words.
    pub label: String,
    /// Runs that it rests on.
    pub run_ids: Vec<String>,
    /// True if times and watts were scripted.
    pub simulated: bool,
    /// Device or devices.
    pub device: String,
    /// Source of the readings.
    pub source: String,
    /// What the watts include; `None` for declared watts.
    pub scope: Option<Scope>,
    /// Measured, declared or estimated.
    pub evidence: Evidence,
    /// Length of the trace.
    #[serde(rename = "trace_s")]
    pub length: Seconds,
    /// Time within measured windows that no reading covers, and that is not part of the trace.
    #[serde(rename = "left_out_s")]
    pub left_out: Seconds,
    /// Mean power of the trace.
    #[serde(rename = "mean_power_w")]
    pub mean: Watts,
    /// Measured idle power with the device open.
    #[serde(rename = "idle_power_w")]
    pub idle: Option<Watts>,
    /// Bounds of the power relative to its point at 95 %; `None` where no interval can be stated.
    pub relative_bounds: Option<(Ratio, Ratio)>,
    /// The stretches in order.
    #[serde(skip)]
    pub stretches: Vec<Stretch>,
}

/// Which measured power is taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Case, job or program; everything that was measured if `None`.
    pub choice: Option<Choice>,
    /// Ordinal of the device; needed where several were measured.
    pub device: Option<u32>,
    /// Source; the headline source if `None`.
    pub source: Option<String>,
}

/// One measured thing: its windows and its energies.
struct Item<'a> {
    label: String,
    device: Option<u32>,
    windows: Vec<&'a Window>,
    energies: Vec<&'a EnergyResult>,
}

/// Declared watts, for a number of hours or for the whole horizon.
pub fn declared(power: Watts, hours: Option<f64>, horizon: &Horizon) -> LoadTrace {
    let length = Seconds::new(hours.unwrap_or_else(|| horizon.total_hours()) * SECONDS_PER_HOUR);
    LoadTrace {
        label: match hours {
            Some(hours) => format!("{} W for {hours} h", power.get()),
            None => format!("{} W all the time", power.get()),
        },
        run_ids: Vec::new(),
        simulated: false,
        device: "declared load".to_owned(),
        source: "--power".to_owned(),
        scope: None,
        evidence: Evidence::Declared,
        length,
        left_out: Seconds::new(0.0),
        mean: power,
        idle: None,
        relative_bounds: None,
        stretches: vec![Stretch { seconds: length.get(), watts: power.get() }],
    }
}

/// The mean power of a subject, such as a fleet, for as long as it works: traces of several devices have no common clock.
///
/// # Errors
/// It has no time, so no power.
pub fn of_subject(subject: &Subject) -> Result<LoadTrace, AccountError> {
    let (Some(time), Some(power)) = (subject.time.as_ref(), subject.power()) else {
        return Err(impossible(&format!("{} has no measured time, so its power is unknown", subject.label)));
    };
    let bound = |joules: f64| Ratio::new(joules / subject.energy.point.get());
    Ok(LoadTrace {
        label: format!("mean power of {}", subject.label),
        run_ids: subject.run_ids.clone(),
        simulated: subject.simulated,
        device: subject.device.clone(),
        source: subject.source.clone(),
        scope: Some(subject.scope),
        evidence: subject.evidence,
        length: time.point,
        left_out: Seconds::new(0.0),
        mean: power,
        idle: None,
        relative_bounds: subject.energy.interval.map(|own| (bound(own.low.get()), bound(own.high.get()))),
        stretches: vec![Stretch { seconds: time.point.get(), watts: power.get() }],
    })
}

/// The measured power trace of a record.
///
/// # Errors
/// Nothing fits the selection, several devices fit, no source reads the device, or no window has readings.
pub fn measured(record: &RunRecord, result: &RunResult, selection: &Selection) -> Result<LoadTrace, AccountError> {
    let mut items = items(record, result);
    if let Some(choice) = &selection.choice {
        let found = keep(&mut items, result, choice)?;
        if !found {
            let mut all: Vec<String> = self::items(record, result).into_iter().map(|item| item.label).collect();
            // Each device has its own.
            all.sort();
            all.dedup();
            let have = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
            return Err(impossible(&format!("the record has nothing measured that fits; it has {have}")));
        }
    }
    let device = one_device(record, &items, selection.device)?;
    items.retain(|item| item.device == device);
    let energies: Vec<&EnergyResult> = items.iter().flat_map(|item| item.energies.iter().copied()).collect();
    let (source, scope) = one_source(&energies, selection.source.as_deref())?;
    let trace = record.traces.iter().find(|trace| trace.source.id == source);
    let trace = trace.ok_or_else(|| impossible(&format!("the record holds no readings of source {source}")))?;
    let own: Vec<&EnergyResult> =
        energies.into_iter().filter(|energy| energy.source == source && energy.scope == scope).collect();
    let windows: Vec<&Window> = items.iter().flat_map(|item| item.windows.iter().copied()).collect();
    let (stretches, left_out) = stretches(trace, scope, &windows);
    let (length, energy) = totals(&stretches);
    if length <= 0.0 || energy <= 0.0 {
        return Err(impossible(&format!("source {source} has no reading within the measured windows")));
    }
    Ok(LoadTrace {
        label: format!("power trace of {}", label(&items)),
        run_ids: vec![record.run_id.clone()],
        simulated: record.simulated,
        device: device
            .and_then(|ordinal| record.device(ordinal))
            .map_or_else(|| "the host".to_owned(), |device| device.name.clone()),
        evidence: trace.source.evidence,
        scope: Some(scope),
        source,
        length: Seconds::new(length),
        left_out: Seconds::new(left_out),
        mean: Watts::new(energy / length),
        idle: own.iter().find_map(|energy| energy.idle),
        relative_bounds: bounds(&own),
        stretches,
    })
}

fn impossible(reason: &str) -> AccountError {
    AccountError::Impossible { what: "the load of a micro-grid".to_owned(), reason: reason.to_owned() }
}

/// Everything whose windows stand: verified cases, and programs that ended the way they should.
fn items<'a>(record: &'a RunRecord, result: &'a RunResult) -> Vec<Item<'a>> {
    let cases = record.measurements.iter().filter(|measurement| measurement.verified()).map(|measurement| {
        let own = result.cases.iter().find(|own| own.case == measurement.case);
        Item {
            label: measurement.case.label(),
            device: Some(measurement.case.device),
            windows: measurement.measured().collect(),
            energies: own.map_or_else(Vec::new, |own| own.energy.iter().collect()),
        }
    });
    let programs =
        record.commands.iter().enumerate().filter(|(_, command)| !command.failed()).map(|(index, command)| {
            let own = result.commands.iter().find(|own| own.index == index);
            Item {
                label: command.label.clone(),
                device: command.device,
                windows: command.counted().into_iter().map(|run| &run.window).collect(),
                energies: own.map_or_else(Vec::new, |own| {
                    own.energy.iter().filter(|energy| energy.stands).map(|energy| &energy.energy).collect()
                }),
            }
        });
    cases.chain(programs).filter(|item| !item.windows.is_empty()).collect()
}

/// Keeps what a choice means; false if nothing is left.
fn keep(items: &mut Vec<Item<'_>>, result: &RunResult, choice: &Choice) -> Result<bool, AccountError> {
    let labels: Vec<String> = match choice {
        Choice::Job(job) => job_energy(result, job)?.iter().map(|row| row.case.label()).collect(),
        Choice::Case(pattern) => result
            .cases
            .iter()
            .filter(|own| names::matches(pattern, &own.case.variant) || own.case.label() == *pattern)
            .map(|own| own.case.label())
            .collect(),
        Choice::Command(pattern) => result
            .commands
            .iter()
            .filter(|own| names::matches(pattern, &own.label) || own.label == *pattern)
            .map(|own| own.label.clone())
            .collect(),
    };
    items.retain(|item| labels.contains(&item.label));
    Ok(!items.is_empty())
}

fn one_device(record: &RunRecord, items: &[Item], wanted: Option<u32>) -> Result<Option<u32>, AccountError> {
    let mut devices: Vec<Option<u32>> = items.iter().map(|item| item.device).collect();
    devices.sort_unstable();
    devices.dedup();
    let named = |device: &Option<u32>| match device {
        Some(ordinal) => {
            format!("{ordinal} ({})", record.device(*ordinal).map_or("unknown", |device| device.name.as_str()))
        }
        None => "none (the host)".to_owned(),
    };
    let have: Vec<String> = devices.iter().map(named).collect();
    match (wanted, &devices[..]) {
        (_, []) => Err(impossible("the record has no measured window with a right result")),
        (Some(wanted), all) if all.contains(&Some(wanted)) => Ok(Some(wanted)),
        (Some(wanted), _) => {
            Err(impossible(&format!("device {wanted} was not measured; measured were {}", have.join(", "))))
        }
        (None, [one]) => Ok(*one),
        (None, _) => Err(impossible(&format!(
            "several devices were measured: {}; choose one with --device, or all together with --fleet",
            have.join(", ")
        ))),
    }
}

/// The source and scope that stand for the load: those named, else the headline of the record.
fn one_source(energies: &[&EnergyResult], wanted: Option<&str>) -> Result<(String, Scope), AccountError> {
    let fitting = energies.iter().filter(|energy| wanted.is_none_or(|wanted| names::matches(wanted, &energy.source)));
    let best = fitting.min_by_key(|energy| (energy.evidence, energy.scope.headline_rank()));
    best.map(|energy| (energy.source.clone(), energy.scope)).ok_or_else(|| {
        let mut have: Vec<&str> = energies.iter().map(|energy| energy.source.as_str()).collect();
        have.sort_unstable();
        have.dedup();
        match (wanted, have.is_empty()) {
            (_, true) => impossible("no power source read the device; declare its power with --power WATTS"),
            (Some(wanted), false) => {
                let hint = names::hint(wanted, have.iter().copied());
                impossible(&format!(
                    "no source `{wanted}` read the device{hint}; those that did are {}",
                    have.join(", ")
                ))
            }
            (None, false) => impossible("no power source stands for the device"),
        }
    })
}

fn label(items: &[Item]) -> String {
    match items {
        [one] => one.label.clone(),
        many => format!("{} measured cases or programs", many.len()),
    }
}

/// The widest interval among the windows' items: systematic errors of one sensor do not average out.
fn bounds(energies: &[&EnergyResult]) -> Option<(Ratio, Ratio)> {
    let mut widest: Option<(f64, f64)> = None;
    for energy in energies {
        if energy.evidence != Evidence::Measured {
            return None;
        }
        let (point, interval) = (energy.power.point.get(), energy.power.interval?);
        let (low, high) = (interval.low.get() / point, interval.high.get() / point);
        let (a, b) = widest.unwrap_or((low, high));
        widest = Some((a.min(low), b.max(high)));
    }
    widest.map(|(low, high)| (Ratio::new(low), Ratio::new(high)))
}

fn totals(stretches: &[Stretch]) -> (f64, f64) {
    stretches.iter().fold((0.0, 0.0), |(length, energy), own| (length + own.seconds, energy + own.seconds * own.watts))
}

/// Windows cut into stretches with their mean power, and the time that no reading covers.
fn stretches(trace: &SourceTrace, scope: Scope, windows: &[&Window]) -> (Vec<Stretch>, f64) {
    let channels = trace.source.channels.iter().filter(|own| own.scope == scope && own.quantity.is_energetic());
    let update = channels.filter_map(|channel| channel.update_period_s).map(Seconds::get).fold(0.0, f64::max);
    let poll = if trace.requested_hz > 0.0 { 1.0 / trace.requested_hz } else { 0.0 };
    let shortest = STRETCH_S.max(UPDATES * update).max(UPDATES * poll);
    let (mut found, mut left_out) = (Vec::new(), 0.0);
    let mut windows = windows.to_vec();
    windows.sort_by_key(|window| window.start_ns);
    for window in windows {
        let length = window.duration().get();
        let parts = (length / shortest).floor().max(1.0);
        let edge = |part: f64| Nanoseconds(window.start_ns.0 + (length * 1e9 * part / parts).round() as u64);
        for part in 0..parts as u32 {
            let (from, until) = (edge(f64::from(part)), edge(f64::from(part + 1)));
            let own = until.since(from).get();
            let energy = window_energies(trace, from, until).into_iter().find(|energy| energy.scope == scope);
            let read = energy.and_then(|energy| Some((energy.mean_power?.get(), energy.coverage.get().min(1.0))));
            match read.filter(|(watts, coverage)| *coverage >= LEAST_COVERAGE && watts.is_finite() && *watts > 0.0) {
                Some((watts, coverage)) => {
                    found.push(Stretch { seconds: own * coverage, watts });
                    left_out += own * (1.0 - coverage);
                }
                None => left_out += own,
            }
        }
    }
    (found, if left_out < 1e-9 { 0.0 } else { left_out })
}

/// Mean kilowatts of the IT load in each step: the trace repeated as the site says, times the number of devices.
///
/// # Errors
/// Idle power is needed and unknown, or the trace is longer than the horizon and would be cut.
pub fn lay(trace: &LoadTrace, shape: &LoadShape, horizon: &Horizon) -> Result<Vec<f64>, AccountError> {
    let kilowatts = shape.devices / 1000.0;
    let step = horizon.step.get();
    let watts: Vec<f64> = match shape.repeat {
        Repeat::Trace | Repeat::Once => {
            let once = shape.repeat == Repeat::Once;
            if once && trace.length.get() > horizon.offset(horizon.steps) * (1.0 + 1e-9) {
                return Err(impossible(&format!(
                    "it lasts {} h and the horizon {} h, so its end would be cut off; give more days",
                    trace.length.get() / SECONDS_PER_HOUR,
                    horizon.total_hours()
                )));
            }
            let course = Course::new(&trace.stretches, !once);
            (0..horizon.steps).map(|index| course.energy(horizon.offset(index), step) / step).collect()
        }
        Repeat::Duty { duty, period_h, offset_h } => {
            let idle = if duty < 1.0 { idle_watts(trace, shape)? } else { 0.0 };
            let period = period_h * SECONDS_PER_HOUR;
            let busy = [
                Stretch { seconds: period * duty, watts: trace.mean.get() },
                Stretch { seconds: period * (1.0 - duty), watts: idle },
            ];
            let course = Course::new(&busy, true);
            let shift = period - offset_h * SECONDS_PER_HOUR;
            (0..horizon.steps).map(|index| course.energy(horizon.offset(index) + shift, step) / step).collect()
        }
    };
    Ok(watts.into_iter().map(|watts| watts * kilowatts).collect())
}

/// Declared before measured.
fn idle_watts(trace: &LoadTrace, shape: &LoadShape) -> Result<f64, AccountError> {
    shape.idle_w.or(trace.idle.map(Watts::get)).ok_or_else(|| {
        impossible(
            "a duty cycle needs idle power, and none was measured with this load; declare it as idle_w in \
             [microgrid.load] or with --idle-power",
        )
    })
}

/// Stretches with their cumulated time and energy.
struct Course {
    ends: Vec<f64>,
    energies: Vec<f64>,
    watts: Vec<f64>,
    repeats: bool,
}

impl Course {
    fn new(stretches: &[Stretch], repeats: bool) -> Self {
        let (mut time, mut energy) = (0.0, 0.0);
        let mut course = Self { ends: Vec::new(), energies: Vec::new(), watts: Vec::new(), repeats };
        for stretch in stretches.iter().filter(|stretch| stretch.seconds > 0.0) {
            time += stretch.seconds;
            energy += stretch.seconds * stretch.watts;
            course.ends.push(time);
            course.energies.push(energy);
            course.watts.push(stretch.watts);
        }
        course
    }
    /// Joules from the start of the course to an instant within it.
    fn up_to(&self, at: f64) -> f64 {
        let index = self.ends.partition_point(|end| *end <= at);
        match (self.ends.get(index), self.energies.get(index), self.watts.get(index)) {
            (Some(end), Some(energy), Some(watts)) => energy - (end - at) * watts,
            _ => self.energies.last().copied().unwrap_or(0.0),
        }
    }
    /// Joules within a step.
    fn energy(&self, from: f64, length: f64) -> f64 {
        let (Some(period), Some(whole)) = (self.ends.last().copied(), self.energies.last().copied()) else {
            return 0.0;
        };
        if !self.repeats {
            return (self.up_to((from + length).min(period)) - self.up_to(from.min(period))).max(0.0);
        }
        let begin = from.rem_euclid(period);
        let rounds = ((begin + length) / period).floor();
        let rest = (begin + length - rounds * period).clamp(0.0, period);
        (rounds * whole + self.up_to(rest) - self.up_to(begin)).max(0.0)
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
