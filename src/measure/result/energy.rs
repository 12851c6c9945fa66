//! Energy of one case from the traces: per source and scope, window by window, with its uncertainty.

use std::collections::BTreeMap;

use super::{EnergyMethod, EnergyResult, Uncertainty};
use crate::clock::Nanoseconds;
use crate::model::{
    Case, Device, DeviceKind, Estimate, EstimateMethod, Evidence, Interval, Quantity, RunRecord, Scope, SourceTrace,
    Window, WindowKind,
};
use crate::power::integrate::{self, Chosen, ScopeEnergy};
use crate::stats;
use crate::units::{Bytes, BytesPerJoule, Flop, FlopPerJoule, Joules, Ratio, Watts};

/// Confidence of all intervals.
const CONFIDENCE: f64 = 0.95;

/// Systematic gain error assumed for a sensor whose maker states none: 5 % for NVIDIA boards (the range of the published
/// steady-state errors of boards since Turing is about ±6 %, arXiv 2312.02741), 10 % for everything else.
pub fn gain_prior(kind: &str) -> f64 {
    if kind.starts_with("nvml") { 0.05 } else { 0.10 }
}

/// True if a scope's watts contain the whole device: a CPU package contains a software adapter or an integrated GPU, but
/// says nothing of a discrete one.
pub fn holds_device(scope: Scope, source_device: Option<u32>, device: &Device) -> bool {
    match scope {
        Scope::HostDc | Scope::WallAc => true,
        Scope::Package | Scope::Chip if source_device.is_none() => {
            matches!(device.kind, DeviceKind::Software | DeviceKind::Integrated)
        }
        _ => source_device == Some(device.ordinal),
    }
}

/// Energy of a case for each source and scope that holds its device; empty when nothing was read.
pub fn of_case(record: &RunRecord, device: &Device, case: &Case, windows: &[&Window]) -> Vec<EnergyResult> {
    let mut results = Vec::new();
    for trace in &record.traces {
        if trace.source.device.is_some_and(|ordinal| ordinal != device.ordinal) {
            continue;
        }
        let mut by_scope: BTreeMap<Scope, Vec<(usize, ScopeEnergy)>> = BTreeMap::new();
        for (index, window) in windows.iter().enumerate() {
            for energy in integrate::window_energies(trace, window.start_ns, window.end_ns) {
                if holds_device(energy.scope, trace.source.device, device) && energy.chosen.is_some() {
                    by_scope.entry(energy.scope).or_default().push((index, energy));
                }
            }
        }
        for (scope, energies) in by_scope {
            let read: Vec<Reading> = energies
                .iter()
                .filter_map(|(index, energy)| {
                    Some(Reading { window: windows[*index], energy, joules: energy.chosen?.1 })
                })
                .collect();
            results.extend(summarise(record, trace, scope, case, &read));
        }
    }
    results
}

/// A measured window with the energy that was chosen for it.
struct Reading<'a> {
    window: &'a Window,
    energy: &'a ScopeEnergy,
    joules: Joules,
}

impl Reading<'_> {
    fn executions(&self) -> f64 {
        self.window.dispatches as f64
    }
}

fn summarise(
    record: &RunRecord,
    trace: &SourceTrace,
    scope: Scope,
    case: &Case,
    read: &[Reading<'_>],
) -> Option<EnergyResult> {
    let per_execution: Vec<f64> = read.iter().map(|r| r.joules.get() / r.executions()).collect();
    let total_joules: Joules = read.iter().map(|r| r.joules).sum();
    let executions: f64 = read.iter().map(Reading::executions).sum();
    if executions <= 0.0 || total_joules.get() <= 0.0 {
        return None;
    }
    let time: f64 = read.iter().map(|r| r.window.duration().get()).sum();
    let idle = idle_power(record, trace, scope, case.device);
    let uncertainty = Uncertainty {
        statistical: relative(stats::mean_half_width_95(&per_execution), stats::mean(&per_execution)),
        edge: edge_term(trace, scope, read),
        gain: trace_gain(trace, read),
    };
    let n = u32::try_from(read.len()).unwrap_or(u32::MAX);
    // Only a measured figure carries an interval.
    let width = if trace.source.evidence == Evidence::Measured { uncertainty.combined() } else { None };
    // The point is total work over total energy, so that J, W and FLOP/J of one row agree exactly.
    let joules_each = total_joules / executions;
    let power = Watts::new(total_joules.get() / time);
    let flop = case.work.flop;
    Some(EnergyResult {
        source: trace.source.id.clone(),
        scope,
        evidence: trace.source.evidence,
        method: method_of(read),
        disagreement: worst_disagreement(read),
        coverage: Ratio::new(stats::mean(&read.iter().map(|r| r.energy.coverage.get()).collect::<Vec<_>>())?),
        window_energy: read.iter().map(|r| r.joules).collect(),
        power: with_width(power, width, n),
        idle,
        per_execution: with_width(joules_each, width, n),
        flop_efficiency: (flop.get() > 0.0)
            .then(|| with_width(FlopPerJoule::new((flop * executions / total_joules).get()), width, n)),
        byte_efficiency: with_width(efficiency_of_bytes(case.work.bytes * executions, total_joules), width, n),
        uncertainty,
    })
}

fn efficiency_of_bytes(bytes: Bytes, energy: Joules) -> BytesPerJoule {
    bytes / energy
}

/// An estimate with a symmetric relative interval.
pub fn with_width<Q: crate::units::Quantity>(point: Q, width: Option<f64>, n: u32) -> Estimate<Q> {
    let interval = width.map(|w| Interval {
        low: Q::new(point.get() * (1.0 - w)),
        high: Q::new(point.get() * (1.0 + w)),
        confidence: CONFIDENCE,
    });
    Estimate { point, interval, n, method: EstimateMethod::Mean }
}

fn relative(half_width: Option<f64>, mean: Option<f64>) -> Option<f64> {
    let (half, mean) = (half_width?, mean?);
    (mean != 0.0).then(|| (half / mean).abs())
}

fn method_of(read: &[Reading<'_>]) -> EnergyMethod {
    let integral = read.iter().any(|r| matches!(r.energy.chosen, Some((Chosen::Integral, _))));
    if integral { EnergyMethod::Integral } else { EnergyMethod::Counter }
}

fn worst_disagreement(read: &[Reading<'_>]) -> Option<Ratio> {
    read.iter().filter_map(|r| r.energy.disagreement).max_by(|a, b| a.get().abs().total_cmp(&b.get().abs()))
}

fn trace_gain(trace: &SourceTrace, read: &[Reading<'_>]) -> f64 {
    read.iter()
        .filter_map(|r| r.energy.stated_error)
        .map(Ratio::get)
        .reduce(f64::max)
        .unwrap_or_else(|| gain_prior(&trace.source.kind))
}

/// 2·τ/T·ΔP/P: τ is the longer of update period and averaging window, ΔP the step between the power just before a window
/// and the power inside it. Load runs on across the windows' edges, so the step is small once the device has settled.
fn edge_term(trace: &SourceTrace, scope: Scope, read: &[Reading<'_>]) -> f64 {
    let terms: Vec<f64> = read
        .iter()
        .filter_map(|r| {
            let length = r.window.duration();
            let update = r.energy.update_period_s.map_or(0.0, |s| s.get());
            let tau = update.max(r.energy.averaging_window_s.map_or(0.0, |s| s.get()));
            let inside = (r.joules / length).get();
            if inside <= 0.0 || tau <= 0.0 {
                return None;
            }
            let lead = Nanoseconds(r.window.start_ns.0.saturating_sub((tau * 1e9) as u64));
            let before = integrate::window_energies(trace, lead, r.window.start_ns)
                .into_iter()
                .find(|energy| energy.scope == scope)?
                .mean_power?;
            Some((2.0 * tau / length.get() * (inside - before.get()).abs() / inside).min(1.0))
        })
        .collect();
    // Edge errors of separate windows are independent: their mean shrinks with the root of their number.
    stats::mean(&terms).map_or(0.0, |mean| mean / (terms.len() as f64).sqrt())
}

/// Mean power of the idle window with an open device.
fn idle_power(record: &RunRecord, trace: &SourceTrace, scope: Scope, device: u32) -> Option<Watts> {
    let baseline = record.idle.iter().find(|idle| idle.device == device)?;
    let window = baseline.windows.iter().rev().find(|w| w.kind == WindowKind::IdleContext)?;
    let energies = integrate::window_energies(trace, window.start_ns, window.end_ns);
    energies.into_iter().find(|energy| energy.scope == scope)?.mean_power
}

/// Work per joule of one window, for the stop rule: FLOP (or bytes, for a problem without FLOP) over the energy of the
/// best source; `None` when nothing was read.
pub fn window_efficiency(traces: &[SourceTrace], device: &Device, case: &Case, window: &Window) -> Option<f64> {
    let work = if case.work.flop > Flop::new(0.0) { case.work.flop.get() } else { case.work.bytes.get() };
    traces
        .iter()
        .filter(|trace| trace.source.evidence == Evidence::Measured)
        .filter(|trace| {
            trace.source.channels.iter().any(|c: &crate::model::Channel| Quantity::is_energetic(c.quantity))
        })
        .flat_map(|trace| {
            integrate::window_energies(trace, window.start_ns, window.end_ns)
                .into_iter()
                .filter(|energy| holds_device(energy.scope, trace.source.device, device))
        })
        .find_map(|energy| Some(work * window.dispatches as f64 / energy.chosen?.1.get()))
}
