//! What the standards ask of a record, as figures: the meter, what its readings cover, idle, and what worked.
//!
//! The standards speak of one meter, so one is judged: the measured source of the widest scope that reads a case. What
//! surprises people: the *core phase* is the time from which a case's rate is computed, its measured windows; where cases
//! differ, the worst one stands for the run.

use serde::Serialize;

use crate::clock::Nanoseconds;
use crate::model::{Evidence, Quantity, RunRecord, Scope, SourceTrace, WindowKind};
use crate::power::window_energies;
use crate::units::{Joules, Ratio, Seconds, Watts};

use super::super::sources::{SideBySide, SourceRow, SpanLabel, side_by_side};

/// A case, or an execution of a metered program, as the judged meter saw it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpanFacts {
    /// What worked.
    pub what: String,
    /// Length of its measured windows together.
    pub core_phase_s: Seconds,
    /// Readings within them.
    pub readings: usize,
    /// Longest time between two readings within them, or to their edges.
    pub longest_interval_s: Option<Seconds>,
    /// Time of its windows that lies before their first and after their last readings.
    pub uncovered_edges_s: Option<Seconds>,
    /// Part of the windows that readings cover.
    pub coverage: Ratio,
    /// Mean power.
    pub mean_power_w: Option<Watts>,
    /// Gross energy.
    pub energy_j: Option<Joules>,
    /// Energy as the sum of each reading times the time since the one before.
    pub right_sum_j: Option<Joules>,
}

/// The judged meter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeterFacts {
    /// Source.
    pub source: String,
    /// Kind of source.
    pub kind: String,
    /// What its watts include.
    pub scope: Scope,
    /// Cadence that was reached.
    pub reached_hz: Option<f64>,
    /// Update period of the sensor, where known.
    pub update_period_s: Option<Seconds>,
    /// Systematic error of a meter of a whole machine, as declared for it. Errors of built-in sensors are priors, not
    /// documents, and do not stand here.
    pub documented_error: Option<Ratio>,
    /// Error left after a calibration against another source, where one is applied, and that source.
    pub calibrated_error: Option<(Ratio, String)>,
    /// Whether it has a cumulative energy counter.
    pub counts_energy: bool,
    /// Part of the whole run that its readings cover.
    pub run_coverage: Ratio,
    /// Mean power over the whole run.
    pub run_mean_power_w: Option<Watts>,
    /// Whether it read idle power.
    pub idle_w: Option<Watts>,
}

impl MeterFacts {
    /// True if a whole machine draws through it.
    pub fn holds_machine(&self) -> bool {
        matches!(self.scope, Scope::HostDc | Scope::WallAc)
    }
    /// Readings a second that bring something new: the slower of polls and sensor updates.
    pub fn effective_hz(&self) -> Option<f64> {
        let polls = self.reached_hz?;
        let updates = self.update_period_s.filter(|s| s.get() > 0.0).map_or(f64::INFINITY, |s| 1.0 / s.get());
        Some(polls.min(updates))
    }
}

/// Everything that the standards' lines look at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// The judged meter; `None` where nothing measured reads a case.
    pub meter: Option<MeterFacts>,
    /// The cases and executions of metered programs.
    pub spans: Vec<SpanFacts>,
    /// Devices that worked.
    pub devices: usize,
    /// Whether programs were metered that this tool did not write.
    pub foreign: bool,
    /// Cases whose outputs were verified.
    pub verified_cases: usize,
    /// Whether a source read temperature.
    pub temperature: bool,
    /// Whether a source read the power limit.
    pub power_limit: bool,
    /// Kinds of all sources.
    pub kinds: Vec<String>,
}

impl Facts {
    /// The shortest core phase.
    pub fn shortest(&self) -> Option<&SpanFacts> {
        self.spans.iter().min_by(|a, b| a.core_phase_s.get().total_cmp(&b.core_phase_s.get()))
    }
    /// The lowest coverage of a core phase.
    pub fn least_coverage(&self) -> Option<f64> {
        self.spans.iter().map(|span| span.coverage.get()).reduce(f64::min)
    }
}

/// Rank of a scope as the standards see it: the wall first, the narrowest last.
const fn width(scope: Scope) -> u8 {
    match scope {
        Scope::WallAc => 0,
        Scope::HostDc => 1,
        Scope::Module => 2,
        Scope::Board => 3,
        Scope::Package => 4,
        Scope::Chip => 5,
        Scope::Memory => 6,
    }
}

/// The facts of a record.
pub fn facts(record: &RunRecord) -> Facts {
    let all = side_by_side(record);
    let judged = judged(&all);
    let trace = judged.and_then(|row| record.traces.iter().find(|trace| trace.source.id == row.source));
    let has = |quantity| record.traces.iter().any(|trace| trace.by_quantity(quantity).is_some());
    let worked = |device: u32| record.measurements.iter().any(|measurement| measurement.case.device == device);
    Facts {
        meter: judged.zip(trace).map(|(row, trace)| meter(record, &all, row, trace)),
        spans: all
            .spans
            .iter()
            .enumerate()
            .filter(|(_, span)| !span.whole_run)
            .map(|(index, span)| span_facts(span, index, judged, trace))
            .collect(),
        devices: record.devices.iter().filter(|device| worked(device.ordinal)).count(),
        foreign: !record.commands.is_empty(),
        verified_cases: record.measurements.iter().filter(|measurement| measurement.verified()).count(),
        temperature: has(Quantity::Temperature),
        power_limit: has(Quantity::PowerLimit),
        kinds: record.traces.iter().map(|trace| trace.source.kind.clone()).collect(),
    }
}

/// The measured source of the widest scope that reads any case; the fastest of several.
fn judged(all: &SideBySide) -> Option<&SourceRow> {
    let cases = || all.spans.iter().enumerate().filter(|(_, span)| !span.whole_run).map(|(index, _)| index);
    let reads = |row: &SourceRow| cases().any(|i| row.spans.get(i).is_some_and(|span| span.energy_j.is_some()));
    let candidates = all.sources.iter().filter(|row| row.evidence == Evidence::Measured && reads(row));
    candidates.min_by(|a, b| {
        let slower = b.reached_hz.unwrap_or(0.0).total_cmp(&a.reached_hz.unwrap_or(0.0));
        width(a.scope).cmp(&width(b.scope)).then(slower)
    })
}

fn meter(record: &RunRecord, all: &SideBySide, row: &SourceRow, trace: &SourceTrace) -> MeterFacts {
    let channels = trace.source.channels.iter().filter(|c| c.scope == row.scope && c.quantity.is_energetic());
    let correction = channels.clone().find_map(|channel| channel.correction.as_ref());
    let whole = all.spans.iter().position(|span| span.whole_run).and_then(|index| row.spans.get(index));
    let idle = record.idle.iter().flat_map(|idle| &idle.windows).filter(|w| w.kind == WindowKind::IdleContext);
    let idle_w = idle.rev().find_map(|window| {
        let energies = window_energies(trace, window.start_ns, window.end_ns);
        energies.into_iter().find(|energy| energy.scope == row.scope)?.mean_power
    });
    let holds_machine = matches!(row.scope, Scope::HostDc | Scope::WallAc);
    MeterFacts {
        source: row.source.clone(),
        kind: row.kind.clone(),
        scope: row.scope,
        reached_hz: row.reached_hz,
        update_period_s: row.update_period_s,
        documented_error: row.stated_error.filter(|_| holds_machine),
        calibrated_error: correction.map(|correction| (correction.error, correction.against.clone())),
        counts_energy: channels.clone().any(|channel| channel.quantity == Quantity::EnergyCounter),
        run_coverage: whole.map_or(Ratio::new(0.0), |span| span.coverage),
        run_mean_power_w: whole.and_then(|span| span.mean_power_w),
        idle_w,
    }
}

fn span_facts(span: &SpanLabel, index: usize, row: Option<&SourceRow>, trace: Option<&SourceTrace>) -> SpanFacts {
    let read = row.and_then(|row| row.spans.get(index));
    let found = trace.zip(row).map(|(trace, row)| Found::of(trace, row.scope, &span.windows)).unwrap_or_default();
    let none = found.readings == 0;
    SpanFacts {
        what: span.what.clone(),
        core_phase_s: span.duration_s,
        readings: found.readings,
        longest_interval_s: (!none).then(|| Seconds::from_nanoseconds(found.longest_ns)),
        uncovered_edges_s: (!none).then(|| Seconds::from_nanoseconds(found.edges_ns)),
        coverage: read.map_or(Ratio::new(0.0), |read| read.coverage),
        mean_power_w: read.and_then(|read| read.mean_power_w),
        energy_j: read.and_then(|read| read.energy_j),
        right_sum_j: found.right_sum_j.map(Joules::new),
    }
}

/// Readings of one scope within the windows of a span.
#[derive(Default)]
struct Found {
    readings: usize,
    longest_ns: u64,
    edges_ns: u64,
    right_sum_j: Option<f64>,
}

impl Found {
    fn of(trace: &SourceTrace, scope: Scope, windows: &[(Nanoseconds, Nanoseconds)]) -> Self {
        let of = |quantity| {
            let mut channels = trace.source.channels.iter();
            let channel = channels.find(|c| c.scope == scope && c.quantity == quantity)?;
            Some((quantity, trace.column(&channel.id)?))
        };
        let order = [Quantity::InstantPower, Quantity::AveragedPower, Quantity::EnergyCounter];
        let Some((quantity, column)) = order.into_iter().find_map(of) else { return Self::default() };
        let polls = trace.t_ns.len().min(column.values.len());
        let mut found = Self::default();
        let mut sum = 0.0;
        for (from, until) in windows {
            let first = trace.t_ns[..polls].partition_point(|t| *t < *from);
            let end = trace.t_ns[..polls].partition_point(|t| *t <= *until);
            let reading = |index: usize| column.values[index].map(|value| (trace.t_ns[index].0, value));
            let mut last = from.0;
            let mut seen = None;
            for (t, watts) in (first..end).filter_map(reading) {
                seen.get_or_insert(t);
                found.readings += 1;
                found.longest_ns = found.longest_ns.max(t - last);
                sum += watts * Seconds::from_nanoseconds(t - last).get();
                last = t;
            }
            // The reading that ends the interval over the window's end stands for the rest of the window.
            let rest = until.0.saturating_sub(last);
            let after = (end..polls).find_map(reading).map_or(0.0, |(_, watts)| watts);
            sum += after * Seconds::from_nanoseconds(rest).get();
            found.longest_ns = found.longest_ns.max(rest);
            found.edges_ns += seen.map_or(until.0.saturating_sub(from.0), |seen: u64| seen - from.0 + rest);
        }
        found.right_sum_j = (found.readings > 0 && quantity != Quantity::EnergyCounter).then_some(sum);
        found
    }
}
