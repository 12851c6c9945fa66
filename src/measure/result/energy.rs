//! Energy of one case from the traces: per source and scope, window by window, with its uncertainty.

use std::collections::BTreeMap;

use super::{EnergyMethod, EnergyResult, GainOrigin, Term, Uncertainty};
use crate::clock::Nanoseconds;
use crate::model::{
    Case, Device, Estimate, EstimateMethod, Evidence, Interval, Quantity, RunRecord, Scope, SourceTrace, Window,
    WindowKind, Work,
};
use crate::power::holds_device;
use crate::power::integrate::{self, Chosen, ScopeEnergy};
use crate::stats;
use crate::units::{Flop, FlopPerJoule, Joules, Ratio, Seconds, Watts};

/// Confidence of all intervals.
const CONFIDENCE: f64 = 0.95;

/// Least part of a window that readings must cover for its energy to count: below a half, most of the energy would be
/// extended from the rest.
const LEAST_COVERAGE: f64 = 0.5;

/// Systematic gain error assumed for a sensor whose maker states none: 5 % for NVIDIA boards (the range of the published
/// steady-state errors of boards since Turing is about ±6 %, arXiv 2312.02741), 10 % for everything else.
pub fn gain_prior(kind: &str) -> f64 {
    if kind.starts_with("nvml") { 0.05 } else { 0.10 }
}

/// Work done in windows, and which energies are of it: the seam between cases, metered programs and sensors.
pub(super) struct Load<'a> {
    /// The windows, each with the amount of work done in it: executions of a case, or any unit of a program's.
    pub parts: Vec<(&'a Window, f64)>,
    /// Work of one such unit; zero where it has no FLOP and no bytes.
    pub work: Work,
    /// Whether a source's watts of a scope are of this load.
    pub holds: &'a dyn Fn(&SourceTrace, Scope) -> bool,
    /// Idle power of a source within a scope.
    pub idle: &'a dyn Fn(&SourceTrace, Scope) -> Option<Watts>,
}

/// Energy of a case for each source and scope that holds its device; empty when nothing was read.
pub fn of_case(record: &RunRecord, device: &Device, case: &Case, windows: &[&Window]) -> Vec<EnergyResult> {
    let load = Load {
        parts: windows.iter().map(|window| (*window, window.dispatches as f64)).collect(),
        work: case.work,
        holds: &|trace, scope| {
            let other = trace.source.device.is_some_and(|ordinal| ordinal != device.ordinal);
            !other && holds_device(scope, trace.source.device, device)
        },
        idle: &|trace, scope| idle_power(record, trace, scope, case.device),
    };
    of_load(record, &load)
}

/// Energy of a load for each source and scope that holds it; empty when nothing was read.
pub(super) fn of_load(record: &RunRecord, load: &Load<'_>) -> Vec<EnergyResult> {
    let all = by_source(record, load);
    all.iter().filter_map(|(trace, scope, found)| summarise(trace, *scope, load, &readings(load, found))).collect()
}

/// Gross energy of each window of a load from one source and scope, with what is not known of them all.
pub(super) struct WindowJoules<'a> {
    /// The source.
    pub trace: &'a SourceTrace,
    /// What its watts include.
    pub scope: Scope,
    /// Joules of each window of the load; `None` where less than half of it was read.
    pub joules: Vec<Option<f64>>,
    /// The budget without scatter and without the bound of the edges.
    pub budget: Uncertainty,
}

/// Energy window by window for each source and scope that holds a load; empty when nothing was read.
pub(super) fn by_window<'a>(record: &'a RunRecord, load: &Load<'_>) -> Vec<WindowJoules<'a>> {
    let of_source = |(trace, scope, found): SourceEnergies<'a>| {
        let read = readings(load, &found);
        let total: Joules = read.iter().map(|reading| reading.joules).sum();
        let budget = Uncertainty {
            edge: edge_term(&read, total),
            sampling: sampling_term(&read, total),
            gain: Term::stated(trace_gain(trace, &read)),
            gain_from: gain_origin(&read),
            ..Uncertainty::default()
        };
        let mut joules = vec![None; load.parts.len()];
        for reading in &read {
            joules[reading.index] = Some(reading.joules.get());
        }
        (!read.is_empty()).then_some(WindowJoules { trace, scope, joules, budget })
    };
    by_source(record, load).into_iter().filter_map(of_source).collect()
}

/// A source, a scope, and the windows that it read by their places.
type SourceEnergies<'a> = (&'a SourceTrace, Scope, Vec<(usize, ScopeEnergy)>);

/// What each source and scope that holds a load read of its windows.
fn by_source<'a>(record: &'a RunRecord, load: &Load<'_>) -> Vec<SourceEnergies<'a>> {
    let mut all = Vec::new();
    for trace in &record.traces {
        let holds = |scope| (load.holds)(trace, scope);
        // Most sources of a large machine are of other devices.
        if !trace.source.channels.iter().any(|channel| channel.quantity.is_energetic() && holds(channel.scope)) {
            continue;
        }
        let mut by_scope: BTreeMap<Scope, Vec<(usize, ScopeEnergy)>> = BTreeMap::new();
        for (index, (window, _)) in load.parts.iter().enumerate() {
            for energy in integrate::window_energies(trace, window.start_ns, window.end_ns) {
                if holds(energy.scope) && energy.chosen.is_some() {
                    by_scope.entry(energy.scope).or_default().push((index, energy));
                }
            }
        }
        all.extend(by_scope.into_iter().map(|(scope, found)| (trace, scope, found)));
    }
    all
}

/// The windows of which enough was read.
fn readings<'a>(load: &'a Load<'_>, found: &'a [(usize, ScopeEnergy)]) -> Vec<Reading<'a>> {
    let reading = |(index, energy): &'a (usize, ScopeEnergy)| {
        // A device at work draws power: no joule at all is a sensor that failed, not a reading.
        let joules = energy.chosen?.1;
        let counts = joules.get() > 0.0 && energy.coverage.get() >= LEAST_COVERAGE;
        let (window, amount) = load.parts[*index];
        counts.then_some(Reading { index: *index, window, amount, energy, joules })
    };
    found.iter().filter_map(reading).collect()
}

/// A measured window with the energy that was chosen for it.
struct Reading<'a> {
    /// Its place among the load's windows.
    index: usize,
    window: &'a Window,
    /// Work done in it.
    amount: f64,
    energy: &'a ScopeEnergy,
    joules: Joules,
}

fn summarise(trace: &SourceTrace, scope: Scope, load: &Load<'_>, read: &[Reading<'_>]) -> Option<EnergyResult> {
    let per_execution: Vec<f64> = read.iter().map(|r| r.joules.get() / r.amount).collect();
    let total_joules: Joules = read.iter().map(|r| r.joules).sum();
    let executions: f64 = read.iter().map(|r| r.amount).sum();
    if executions <= 0.0 || total_joules.get() <= 0.0 {
        return None;
    }
    let time: f64 = read.iter().map(|r| r.window.duration().get()).sum();
    let uncertainty = Uncertainty {
        statistical: Term::scatter(&per_execution),
        edge: edge_term(read, total_joules),
        sampling: sampling_term(read, total_joules),
        gain: Term::stated(trace_gain(trace, read)),
        gain_from: gain_origin(read),
        edge_bound: edge_bound(trace, scope, read),
    };
    let n = u32::try_from(read.len()).unwrap_or(u32::MAX);
    // Only a measured figure carries an interval.
    let width = if trace.source.evidence == Evidence::Measured { uncertainty.expanded() } else { None };
    // The point is total work over total energy, so that J, W and FLOP/J of one row agree exactly.
    let joules_each = total_joules / executions;
    let power = Watts::new(total_joules.get() / time);
    let flop = load.work.flop;
    let windows: Vec<&Window> = load.parts.iter().map(|(window, _)| *window).collect();
    Some(EnergyResult {
        source: trace.source.id.clone(),
        scope,
        evidence: trace.source.evidence,
        method: method_of(read),
        disagreement: worst_disagreement(read),
        coverage: coverage(&windows, read),
        window_energy: read.iter().map(|r| r.joules).collect(),
        power: with_width(power, width, n),
        idle: (load.idle)(trace, scope),
        per_execution: with_width(joules_each, width, n),
        flop_efficiency: (flop.get() > 0.0)
            .then(|| with_width(FlopPerJoule::new((flop * executions / total_joules).get()), width, n)),
        byte_efficiency: with_width(load.work.bytes * executions / total_joules, width, n),
        uncertainty,
        correction: read.iter().find_map(|r| r.energy.correction.clone()),
    })
}

/// Part of the time of all windows, those without any reading included.
fn coverage(windows: &[&Window], read: &[Reading<'_>]) -> Ratio {
    let covered: f64 = read.iter().map(|r| r.energy.coverage.get() * r.window.duration().get()).sum();
    let all: Seconds = windows.iter().map(|window| window.duration()).sum();
    Ratio::new(if all.get() > 0.0 { covered / all.get() } else { 0.0 })
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

fn gain_origin(read: &[Reading<'_>]) -> GainOrigin {
    if read.iter().any(|r| r.energy.correction.is_some()) {
        GainOrigin::Correction
    } else if read.iter().any(|r| r.energy.stated_error.is_some()) {
        GainOrigin::Stated
    } else {
        GainOrigin::Prior
    }
}

/// What is not known of the windows' edges, over the energy of all. Where an edge lies in the load's fine structure is of
/// its own at each edge; how much later the readings come is the same in all windows, so that their joules add first.
fn edge_term(read: &[Reading<'_>], total: Joules) -> Term {
    let own: f64 = read.iter().map(|r| r.energy.error.edge_j.powi(2)).sum();
    let common: f64 = read.iter().map(|r| r.energy.error.shift_j).sum();
    Term::known(own.sqrt().hypot(common) / total.get())
}

/// What was not seen between looks, over the energy of all windows; of its own in each. Found from the readings' own
/// differences, so its degrees of freedom are about the number of updates.
fn sampling_term(read: &[Reading<'_>], total: Joules) -> Term {
    let variance: f64 = read.iter().map(|r| r.energy.error.sampling_j.powi(2)).sum();
    let updates: f64 = read.iter().map(|r| r.energy.error.updates).sum();
    Term {
        standard: variance.sqrt() / total.get(),
        degrees: (updates - 1.0).max(1.0),
        evaluation: super::Evaluation::A,
    }
}

/// The bound 2·τ/T·ΔP/P: τ is the longer of update period and averaging window, ΔP the step between the power just before a
/// window and the power inside it; the mean over windows.
fn edge_bound(trace: &SourceTrace, scope: Scope, read: &[Reading<'_>]) -> f64 {
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
    stats::mean(&terms).unwrap_or(0.0)
}

/// Mean power of the idle window with an open device, without as much of its ends as readings need to forget what was
/// before, and at most a quarter of it each: idle is level, and the steps at its ends are not part of it.
pub(super) fn idle_power(record: &RunRecord, trace: &SourceTrace, scope: Scope, device: u32) -> Option<Watts> {
    let baseline = record.idle.iter().find(|idle| idle.device == device)?;
    let window = baseline.windows.iter().rev().find(|w| w.kind == WindowKind::IdleContext)?;
    let own = record.device(device)?;
    let forget = integrate::settling_time(std::slice::from_ref(trace), own).to_nanoseconds();
    let trim = forget.min((window.end_ns.0 - window.start_ns.0) / 4);
    let (from, until) = (Nanoseconds(window.start_ns.0 + trim), Nanoseconds(window.end_ns.0 - trim));
    let energies = integrate::window_energies(trace, from, until);
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
        .filter_map(|energy| energy.chosen)
        .find(|(_, joules)| joules.get() > 0.0)
        .map(|(_, joules)| work * window.dispatches as f64 / joules.get())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{add_counter, case, empty, idle, measurement, power};
    use super::*;
    use crate::model::DeviceKind;
    use proptest::prelude::*;

    fn near(got: f64, want: f64) -> bool {
        (got - want).abs() <= 1e-9 * want.abs().max(1.0)
    }

    /// Energies of a case with these windows under these sources; device 0 idles from second 5 to 10.
    fn energies(traces: Vec<SourceTrace>, windows: &[(u64, u64, u64)]) -> Vec<EnergyResult> {
        let mut record = empty();
        record.traces = traces;
        record.idle = vec![idle(1, 1, 3), idle(0, 5, 10)];
        let measurement = measurement(case(), windows);
        let windows: Vec<&Window> = measurement.measured().collect();
        of_case(&record, &record.devices[0], &measurement.case, &windows)
    }

    fn board(watts: impl Fn(f64) -> Option<f64>) -> SourceTrace {
        power("board", Some(0), Scope::Board, watts)
    }

    #[test]
    fn joules_watts_and_efficiency_of_two_windows_are_those_computed_by_hand() {
        let watts = |t: f64| Some(if t < 15.0 { 40.0 } else { 200.0 });
        let energy = &energies(vec![board(watts)], &[(20, 30, 100), (30, 40, 300)])[0];
        // 200 W · 10 s = 2000 J each; 4000 J over 400 executions = 10 J; 1000 FLOP over 10 J = 100 FLOP/J; 100 B: 10 B/J.
        assert!(energy.window_energy.iter().all(|joules| near(joules.get(), 2000.0)));
        assert!(near(energy.power.point.get(), 200.0) && near(energy.per_execution.point.get(), 10.0));
        assert!(near(energy.flop_efficiency.unwrap().point.get(), 100.0));
        assert!(near(energy.byte_efficiency.point.get(), 10.0));
        assert!(near(energy.idle.unwrap().get(), 40.0) && near(energy.coverage.get(), 1.0));
        // 20 and 6.667 J: mean 13.333, deviation 9.428, times 12.706/√2 = 84.706; over the mean 6.353.
        assert!((energy.uncertainty.statistical.unwrap().half_width() - 6.353).abs() < 1e-3);
        assert_eq!((energy.uncertainty.edge.standard, energy.uncertainty.gain.standard), (0.0, 0.0));
        assert_eq!(energy.power.n, 2);
    }

    #[test]
    fn the_bound_of_the_edge_does_not_shrink_with_the_number_of_windows() {
        // 100 W until second 20, 200 W from then on; 30 → 40 hold 100 W again, before the second window.
        let watts = |t: f64| Some(if t < 20.0 || (30.0..40.0).contains(&t) { 100.0 } else { 200.0 });
        let energy = &energies(vec![board(watts)], &[(20, 30, 10), (40, 50, 10)])[0];
        // Readings come half an update late, so the 0.1 s before a window are those up to 0.05 s behind its start: from 150 W
        // on the line to 200 W, and on at 200 W, 187.5 W in the mean. The first window ends 0.05 s behind its fall: 1990 J.
        let first = 2.0 * 0.1 / 10.0 * (199.0 - 187.5) / 199.0;
        let second = 2.0 * 0.1 / 10.0 * (200.0 - 187.5) / 200.0;
        assert!(near(energy.uncertainty.edge_bound, (first + second) / 2.0), "{}", energy.uncertainty.edge_bound);
    }

    #[test]
    fn a_window_without_readings_lowers_the_coverage_and_is_left_out() {
        let watts = |t: f64| (t <= 30.0).then_some(200.0);
        let energy = &energies(vec![board(watts)], &[(20, 30, 100), (31, 41, 100)])[0];
        // Half of the 20 s was read: 2000 J over 100 executions.
        assert!(near(energy.coverage.get(), 0.5), "{}", energy.coverage.get());
        assert_eq!((energy.window_energy.len(), energy.power.n), (1, 1));
        assert!(near(energy.per_execution.point.get(), 20.0) && near(energy.power.point.get(), 200.0));
        assert!(energy.power.interval.is_none(), "one window has no scatter");
    }

    #[test]
    fn a_window_that_was_hardly_read_is_left_out_and_not_extended() {
        // The sensor dies at second 31: a tenth of the second window (and three polls more) was read, at twice the power.
        let watts = |t: f64| (t <= 31.0).then_some(if t <= 30.0 { 200.0 } else { 400.0 });
        let energy = &energies(vec![board(watts)], &[(19, 29, 100), (30, 40, 100)])[0];
        assert_eq!(energy.window_energy.len(), 1);
        assert!(near(energy.power.point.get(), 200.0) && near(energy.coverage.get(), 0.5));
    }

    #[test]
    fn a_hole_inside_a_window_takes_the_mean_around_it() {
        let watts = |t: f64| (t <= 22.0 || t >= 26.0).then_some(if t < 24.0 { 100.0 } else { 300.0 });
        let energy = &energies(vec![board(watts)], &[(20, 30, 1)])[0];
        // Readings come half an update late: 1.95 s at 100 W and 4.05 s at 300 W are 1410 J in 6 s; over 10 s, 2350 J.
        assert!(near(energy.coverage.get(), 0.6));
        assert!(near(energy.window_energy[0].get(), 1410.0 / 0.6));
        // What the hole held is not known to better than the spread of the rest, about 94 W over 4 s of 2350 J.
        assert!((energy.uncertainty.sampling.standard - 0.16).abs() < 0.01, "{:?}", energy.uncertainty.sampling);
    }

    #[test]
    fn a_window_of_zero_joules_is_a_gap_and_no_value() {
        let watts = |t: f64| Some(if (30.0..40.5).contains(&t) { 0.0 } else { 200.0 });
        let energy = &energies(vec![board(watts)], &[(10, 20, 100), (31, 40, 100)])[0];
        assert_eq!(energy.window_energy.len(), 1);
        assert!(near(energy.per_execution.point.get(), 20.0));
        assert!(near(energy.coverage.get(), 10.0 / 19.0));
        assert!(energies(vec![board(|_| Some(0.0))], &[(10, 20, 100)]).is_empty());
    }

    #[test]
    fn every_source_of_one_scope_has_its_own_row_and_watts_are_never_added() {
        let host = power("meter", None, Scope::WallAc, |_| Some(500.0));
        let second = power("other", Some(0), Scope::Board, |_| Some(210.0));
        let found = energies(vec![host, board(|_| Some(200.0)), second], &[(10, 20, 10)]);
        let rows: Vec<(&str, f64)> = found.iter().map(|e| (e.source.as_str(), e.power.point.get().round())).collect();
        assert_eq!(rows, [("meter", 500.0), ("board", 200.0), ("other", 210.0)]);
    }

    #[test]
    fn sources_of_other_devices_and_of_the_processor_say_nothing_of_a_discrete_gpu() {
        let neighbour = power("neighbour", Some(1), Scope::Board, |_| Some(300.0));
        let package = power("package", None, Scope::Package, |_| Some(80.0));
        assert!(energies(vec![neighbour, package], &[(10, 20, 10)]).is_empty());
        let mut device = empty().devices.remove(0);
        for (kind, holds) in [
            (DeviceKind::Discrete, false),
            (DeviceKind::Simulated, false),
            (DeviceKind::Software, true),
            (DeviceKind::Integrated, true),
        ] {
            device.kind = kind;
            assert_eq!(holds_device(Scope::Package, None, &device), holds, "{kind:?}");
            assert!(holds_device(Scope::WallAc, None, &device) && !holds_device(Scope::Board, None, &device));
            assert!(holds_device(Scope::Board, Some(0), &device) && !holds_device(Scope::Board, Some(1), &device));
        }
    }

    #[test]
    fn a_counter_stands_until_it_differs_from_the_integral_by_more_than_a_twentieth() {
        for (counter, method, joules) in
            [(208.0, EnergyMethod::Counter, 2080.0), (220.0, EnergyMethod::Integral, 2000.0)]
        {
            let mut trace = board(|_| Some(200.0));
            add_counter(&mut trace, counter);
            let energy = &energies(vec![trace], &[(10, 20, 10)])[0];
            assert_eq!(energy.method, method);
            assert!(near(energy.window_energy[0].get(), joules), "{}", energy.window_energy[0]);
            assert!(near(energy.disagreement.unwrap().get(), counter / 200.0 - 1.0));
        }
    }

    #[test]
    fn a_sensor_without_a_stated_error_has_the_prior_and_a_stated_zero_is_kept() {
        let mut nvml = board(|_| Some(200.0));
        nvml.source.kind = "nvml".to_owned();
        assert_eq!(energies(vec![nvml.clone()], &[(10, 20, 10)])[0].uncertainty.gain, Term::stated(0.0));
        nvml.source.channels[0].stated_error = None;
        assert_eq!(energies(vec![nvml.clone()], &[(10, 20, 10)])[0].uncertainty.gain, Term::stated(0.05));
        nvml.source.kind = "csv".to_owned();
        assert_eq!(energies(vec![nvml], &[(10, 20, 10)])[0].uncertainty.gain, Term::stated(0.10));
    }

    #[test]
    fn what_was_not_measured_has_no_interval() {
        for evidence in [Evidence::Declared, Evidence::Estimated] {
            let mut trace = board(|_| Some(200.0));
            trace.source.evidence = evidence;
            let energy = &energies(vec![trace], &[(10, 20, 10), (20, 30, 10)])[0];
            assert!(energy.power.interval.is_none() && energy.per_execution.interval.is_none());
            assert!(energy.flop_efficiency.unwrap().interval.is_none() && energy.byte_efficiency.interval.is_none());
        }
    }

    #[test]
    fn the_stop_rule_sees_work_per_joule_of_measured_sources_alone() {
        let (device, case) = (empty().devices.remove(0), case());
        let window = super::super::testing::window(WindowKind::Measure, 10, 20, 50);
        let mut declared = board(|_| Some(100.0));
        declared.source.evidence = Evidence::Declared;
        assert_eq!(window_efficiency(&[declared.clone()], &device, &case, &window), None);
        assert_eq!(window_efficiency(&[board(|_| Some(0.0))], &device, &case, &window), None);
        // 50 · 1000 FLOP over 2000 J = 25 FLOP/J.
        let seen = window_efficiency(&[declared, board(|_| Some(200.0))], &device, &case, &window).unwrap();
        assert!(near(seen, 25.0));
    }

    proptest! {
        #[test]
        fn joules_watts_and_work_of_a_row_agree_and_the_interval_holds_the_point(
            watts in 1.0f64..1000.0,
            ripple in 0.0f64..0.5,
            counts in prop::collection::vec(1u64..100_000, 2..6),
        ) {
            let windows: Vec<(u64, u64, u64)> =
                counts.iter().zip(1u64..).map(|(n, i)| (i * 9, i * 9 + 9, *n)).collect();
            let trace = board(|t| Some(watts * (1.0 + ripple * (t * 0.7).sin())));
            let energy = &energies(vec![trace], &windows)[0];
            let executions = counts.iter().sum::<u64>() as f64;
            let joules: f64 = energy.window_energy.iter().map(|joules| joules.get()).sum();
            prop_assert!(near(energy.power.point.get() * 9.0 * counts.len() as f64, joules));
            prop_assert!(near(energy.per_execution.point.get() * executions, joules));
            prop_assert!(near(energy.flop_efficiency.unwrap().point.get() * energy.per_execution.point.get(), 1000.0));
            let interval = energy.power.interval.unwrap();
            prop_assert!(interval.low <= energy.power.point && energy.power.point <= interval.high);
        }
    }
}
