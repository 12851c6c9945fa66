//! Under which conditions a case was measured: throttling, clocks, temperature, power limit, other processes, and how
//! long the device took to settle.
//!
//! Pure functions of a record; nothing of it is stored. What surprises people: clocks and temperatures are those of the
//! measured windows alone, so a board that was cool at the start of the preheat does not look cool here.

use serde::Serialize;

use super::EnergyResult;
use super::energy;
use super::found::Found;
use super::throttle::{self, CounterShare, Throttling};
use crate::model::{
    Channel, ChannelTrace, Evidence, Measurement, Quantity, RunRecord, SourceTrace, Window, WindowKind,
};
use crate::stats;
use crate::units::{Ratio, Seconds, Watts};

/// An enforced power limit below this part of the default one counts as lowered.
const LOWERED: f64 = 0.99;

/// Mean, extremes and relative scatter of the readings within the measured windows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    /// Source that was read.
    pub source: String,
    /// Mean of the readings.
    pub mean: f64,
    /// Smallest reading.
    pub lowest: f64,
    /// Largest reading.
    pub highest: f64,
    /// Standard deviation over mean; `None` with fewer than two readings.
    pub coefficient_of_variation: Option<Ratio>,
    /// Readings behind it.
    pub readings: usize,
}

/// A quantity at the ends of the measured time, and its highest reading between them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Course {
    /// Source that was read.
    pub source: String,
    /// First reading within the measured windows.
    pub start: f64,
    /// Last reading within the measured windows.
    pub end: f64,
    /// Highest reading within the measured windows.
    pub highest: f64,
}

/// How near a device worked to its power limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PowerLimit {
    /// Limit in force: the lowest during the windows.
    pub enforced_w: Watts,
    /// The board's default limit, where it was read.
    pub default_w: Option<Watts>,
    /// Enforced over default limit.
    pub enforced_over_default: Option<Ratio>,
    /// Mean measured power over the enforced limit, from a source of the same device and scope.
    pub attainment: Found<Ratio>,
}

impl PowerLimit {
    /// True if the limit in force is below the board's default.
    pub fn is_lowered(&self) -> bool {
        self.enforced_over_default.is_some_and(|ratio| ratio.get() < LOWERED)
    }
    /// The limit, beside the default where it is known.
    pub fn in_words(&self) -> String {
        match self.default_w {
            Some(default) => format!("a limit of {:.0} W, default {:.0} W", self.enforced_w.get(), default.get()),
            None => format!("a limit of {:.0} W", self.enforced_w.get()),
        }
    }
}

/// Processes that used the device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Processes {
    /// Most at any poll within the windows, this one included.
    pub most: u32,
    /// Most beside this one.
    pub others: u32,
}

/// How the device settled before the first window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settling {
    /// Whether the rule was met.
    pub reached: bool,
    /// Preheat until it was met, or in all.
    pub after_s: Seconds,
    /// The figures behind the verdict, in words.
    pub detail: String,
}

/// The conditions of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conditions {
    /// Throttling by the reasons that were polled.
    pub throttle: Found<Throttling>,
    /// Time held by the power limit, by the driver's own counter.
    pub power_counter: Found<CounterShare>,
    /// Time held by temperature, by the driver's own counter.
    pub thermal_counter: Found<CounterShare>,
    /// Core clock in hertz.
    pub core_clock_hz: Found<Spread>,
    /// Memory clock in hertz.
    pub memory_clock_hz: Found<Spread>,
    /// Temperature in degrees Celsius.
    pub temperature_c: Found<Course>,
    /// Power limit and how near to it the device worked.
    pub power_limit: Found<PowerLimit>,
    /// Processes that used the device.
    pub processes: Found<Processes>,
    /// How the device settled.
    pub steady: Found<Settling>,
}

/// Conditions of a measured case; its energies give the power for the limit's attainment.
pub fn of_case(record: &RunRecord, measurement: &Measurement, energies: &[EnergyResult]) -> Conditions {
    let windows: Vec<&Window> = measurement.measured().collect();
    within(record, measurement.case.device, &windows, energies, settling(record, measurement))
}

/// Conditions of a device within some windows: those of a case, or of a metered program.
pub(super) fn within(
    record: &RunRecord,
    device: u32,
    windows: &[&Window],
    energies: &[EnergyResult],
    steady: Found<Settling>,
) -> Conditions {
    let inside = Inside { traces: &record.traces, device, windows };
    Conditions {
        throttle: throttle::by_reason(&record.traces, device, windows),
        power_counter: throttle::by_counter(&record.traces, device, Quantity::PowerThrottleTime, windows),
        thermal_counter: throttle::by_counter(&record.traces, device, Quantity::ThermalThrottleTime, windows),
        core_clock_hz: inside.spread(Quantity::CoreClock, "core clock"),
        memory_clock_hz: inside.spread(Quantity::MemoryClock, "memory clock"),
        temperature_c: inside.course(),
        power_limit: inside.power_limit(energies),
        processes: inside.processes(),
        steady,
    }
}

/// Conditions of every case of a record, in order; those of a case that failed its checks stand too.
pub fn conditions(record: &RunRecord) -> Vec<Conditions> {
    let of = |measurement: &Measurement| {
        let windows: Vec<&Window> = measurement.measured().collect();
        let device = record.device(measurement.case.device);
        let energies = device.map(|device| energy::of_case(record, device, &measurement.case, &windows));
        of_case(record, measurement, &energies.unwrap_or_default())
    };
    record.measurements.iter().map(of).collect()
}

/// Everything read within the measured windows of one case on one device.
struct Inside<'a> {
    traces: &'a [SourceTrace],
    device: u32,
    windows: &'a [&'a Window],
}

impl<'a> Inside<'a> {
    /// The columns of a quantity in the device's own sources.
    fn columns(&self, quantity: Quantity) -> impl Iterator<Item = (&'a SourceTrace, &'a Channel, Vec<f64>)> + '_ {
        let own = self.traces.iter().filter(|trace| trace.source.device == Some(self.device));
        own.flat_map(move |trace| {
            let channels = trace.source.channels.iter().filter(move |channel| channel.quantity == quantity);
            channels.filter_map(move |channel| {
                let column = trace.column(&channel.id)?;
                Some((trace, channel, self.values(trace, column)))
            })
        })
    }

    fn values(&self, trace: &SourceTrace, column: &ChannelTrace) -> Vec<f64> {
        let polls = trace.t_ns.len().min(column.values.len());
        let mut done = 0;
        let mut values = Vec::new();
        // A poll on the edge of two windows counts once.
        for window in self.windows {
            let first = trace.t_ns[..polls].partition_point(|t| *t < window.start_ns).max(done);
            done = trace.t_ns[..polls].partition_point(|t| *t <= window.end_ns).max(first);
            values.extend(column.values[first..done].iter().flatten());
        }
        values
    }

    /// The first column of a quantity that has a reading, or why there is none.
    fn first(&self, quantity: Quantity, name: &str) -> Result<(&'a SourceTrace, Vec<f64>), String> {
        let mut silent = None;
        for (trace, _, values) in self.columns(quantity) {
            if !values.is_empty() {
                return Ok((trace, values));
            }
            silent = Some(&trace.source.id);
        }
        Err(match silent {
            Some(id) => format!("{id} gave no {name} during the measured windows"),
            None => format!("no source of this device reads its {name}"),
        })
    }

    fn spread(&self, quantity: Quantity, name: &str) -> Found<Spread> {
        let (trace, values) = match self.first(quantity, name) {
            Ok(found) => found,
            Err(missing) => return Found::Missing { missing },
        };
        Found::Value(Spread {
            source: trace.source.id.clone(),
            mean: stats::mean(&values).unwrap_or(f64::NAN),
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            coefficient_of_variation: stats::coefficient_of_variation(&values).map(Ratio::new),
            readings: values.len(),
        })
    }

    fn course(&self) -> Found<Course> {
        match self.first(Quantity::Temperature, "temperature") {
            Err(missing) => Found::Missing { missing },
            Ok((trace, values)) => Found::Value(Course {
                source: trace.source.id.clone(),
                start: values.first().copied().unwrap_or(f64::NAN),
                end: values.last().copied().unwrap_or(f64::NAN),
                highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            }),
        }
    }

    fn power_limit(&self, energies: &[EnergyResult]) -> Found<PowerLimit> {
        let lowest = |values: &[f64]| values.iter().copied().reduce(f64::min);
        let is_default = |id: &str| id.ends_with(".default");
        let (mut enforced, mut default) = (None, None);
        let mut scope = None;
        for (_, channel, values) in self.columns(Quantity::PowerLimit) {
            let slot = if is_default(&channel.id) { &mut default } else { &mut enforced };
            *slot = slot.or(lowest(&values));
            scope = scope.or(Some(channel.scope));
        }
        let Some(enforced) = enforced else { return Found::missing("no source of this device reads its power limit") };
        let own = |energy: &&EnergyResult| {
            let trace = self.traces.iter().find(|trace| trace.source.id == energy.source);
            energy.evidence == Evidence::Measured
                && Some(energy.scope) == scope
                && trace.is_some_and(|trace| trace.source.device == Some(self.device))
        };
        Found::Value(PowerLimit {
            enforced_w: Watts::new(enforced),
            default_w: default.map(Watts::new),
            enforced_over_default: default.filter(|w| *w > 0.0).map(|w| Ratio::new(enforced / w)),
            attainment: match energies.iter().find(own) {
                Some(energy) => Found::Value(Ratio::new(energy.power.point.get() / enforced)),
                None => Found::missing("no measured power of the limit's own device and scope covers the windows"),
            },
        })
    }

    fn processes(&self) -> Found<Processes> {
        match self.first(Quantity::ProcessCount, "processes") {
            Err(missing) => Found::Missing { missing },
            Ok((_, values)) => {
                let most = values.iter().copied().fold(0.0, f64::max) as u32;
                Found::Value(Processes { most, others: most.saturating_sub(1) })
            }
        }
    }
}

fn settling(record: &RunRecord, measurement: &Measurement) -> Found<Settling> {
    if let Some(steadiness) = &measurement.steadiness {
        let steadiness = steadiness.clone();
        let (reached, after_s, detail) = (steadiness.reached, steadiness.after_s, steadiness.detail);
        return Found::Value(Settling { reached, after_s, detail });
    }
    let preheat: Seconds =
        measurement.windows.iter().filter(|w| w.kind == WindowKind::Preheat).map(Window::duration).sum();
    let why = if record.plan.settings.steady_span_s.get() > 0.0 {
        "no measured power, so that the rule could not be asked"
    } else {
        "the settings ask for no settled device"
    };
    Found::Missing { missing: format!("{why}; preheated for {:.1} s", preheat.get().abs()) }
}

/// An instant in nanoseconds and what was read then.
type Instant = (u64, f64);

/// The readings of a column next before (or at) and next after an instant.
pub(super) fn around(trace: &SourceTrace, column: &ChannelTrace, at: u64) -> (Option<Instant>, Option<Instant>) {
    let polls = trace.t_ns.len().min(column.values.len());
    let split = trace.t_ns[..polls].partition_point(|t| t.0 <= at);
    let reading = |index: usize| column.values[index].map(|value| (trace.t_ns[index].0, value));
    ((0..split).rev().find_map(reading), (split..polls).find_map(reading))
}

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
