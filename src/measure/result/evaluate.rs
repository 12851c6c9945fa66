//! From a record to what it says: rates, energies, ceilings and warnings of every case.

use std::collections::BTreeMap;

use super::{CaseResult, Ceilings, EnergyMethod, EnergyResult, RunResult, energy, throttle};
use crate::model::{
    Case, Counted, Device, ElementType, Estimate, Evidence, Measurement, RunRecord, Verification, Warning, WarningCode,
    Window,
};
use crate::stats;
use crate::units::{Bytes, BytesPerSecond, Flop, FlopPerSecond, Quantity, Ratio, Seconds};

/// Counter and integral that differ by more than this are reported.
const DISAGREEMENT_LIMIT: f64 = 0.05;
/// Problem whose best variant is the arithmetic ceiling.
const ARITHMETIC_PROBE: &str = "fma";
/// Prefix of the problems whose best variant is the bandwidth ceiling.
const MEMORY_PROBES: &str = "memory-";

/// Traffic of one execution below which a hardware device's last-level cache may serve a memory probe: 64 MiB, above the
/// 40 to 50 MiB level-2 caches of datacenter boards such as NVIDIA's A100 and H100. The default shapes move gibibytes.
const CACHED_BELOW_HARDWARE: Bytes = Bytes::new(67_108_864.0);
/// The same for a software adapter, whose arrays compete with everything else for the processor's last-level cache: 4 MiB.
const CACHED_BELOW_SOFTWARE: Bytes = Bytes::new(4_194_304.0);

/// Computes everything a record says.
pub fn evaluate(record: &RunRecord) -> RunResult {
    let mut cases: Vec<CaseResult> =
        record.measurements.iter().map(|measurement| case_result(record, measurement)).collect();
    let ceilings: BTreeMap<u32, Ceilings> =
        record.devices.iter().map(|device| (device.ordinal, ceilings_of(device, &cases))).collect();
    let cached: Vec<Option<Warning>> =
        cases.iter().map(|case| cache_warning(record.device(case.case.device)?, case, &cases)).collect();
    for (case, cached) in cases.iter_mut().zip(cached) {
        case.of_ceiling = ceilings.get(&case.case.device).and_then(|ceilings| share_of_ceiling(case, ceilings));
        case.warnings.extend(cached);
    }
    RunResult { cases, skips: record.skips.clone(), ceilings }
}

fn case_result(record: &RunRecord, measurement: &Measurement) -> CaseResult {
    let case = &measurement.case;
    let verified = measurement.verified();
    let windows: Vec<&Window> = if verified { measurement.measured().collect() } else { Vec::new() };
    let dispatches: u64 = windows.iter().map(|window| window.dispatches).sum();
    let total_time: Seconds = windows.iter().map(|window| window.duration()).sum();
    let energy = match record.device(case.device) {
        Some(device) => energy::of_case(record, device, case, &windows),
        None => Vec::new(),
    };
    let mut warnings = measurement.warnings.clone();
    if verified {
        warnings.extend(energy_warnings(&energy));
        warnings.extend(throttle::warning(record, case.device, &windows));
    }
    if let Verification::Failed { detail, when } = &measurement.verification {
        warnings.push(Warning {
            code: WarningCode::Other,
            text: format!("wrong output {when}: {detail}; no rate is given"),
        });
    }
    let per_execution = per_execution(&windows, dispatches, total_time);
    let (flop, bytes) = (case.work.flop, case.work.bytes);
    CaseResult {
        verified,
        total_flop: Flop::new(flop.get() * dispatches as f64),
        total_bytes: Bytes::new(bytes.get() * dispatches as f64),
        total_time,
        flop_rate: per_execution.filter(|_| flop.get() > 0.0).map(|time| rate(time, flop.get())),
        byte_rate: per_execution.map(|time| rate(time, bytes.get())),
        per_execution,
        energy,
        of_ceiling: None,
        warnings,
        case: case.clone(),
    }
}

/// Work over time, with the interval of the time.
fn rate<Q: Quantity>(time: Estimate<Seconds>, work: f64) -> Estimate<Q> {
    let rate = |seconds: Seconds| Q::new(work / seconds.get());
    let mut estimate = time.map(rate);
    // Symmetric in the rate, as the windows' scatter is: 1/(1±w) would skew it.
    if let Some(width) = time.relative_half_width() {
        estimate = energy::with_width(rate(time.point), Some(width), time.n);
    }
    estimate
}

fn per_execution(windows: &[&Window], dispatches: u64, total: Seconds) -> Option<Estimate<Seconds>> {
    if dispatches == 0 || total.get() <= 0.0 {
        return None;
    }
    let each: Vec<f64> = windows.iter().map(|w| w.duration().get() / w.dispatches as f64).collect();
    let width = stats::mean_half_width_95(&each).zip(stats::mean(&each)).map(|(half, mean)| half / mean);
    let n = u32::try_from(windows.len()).unwrap_or(u32::MAX);
    Some(energy::with_width(total / dispatches as f64, width, n))
}

fn energy_warnings(energies: &[EnergyResult]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if energies.is_empty() {
        warnings.push(Warning {
            code: WarningCode::NoPower,
            text:
                "no power reading covers these windows, so there is no joule, FLOPS/W or gCO2e; see `wattmark doctor`"
                    .into(),
        });
    }
    for energy in energies {
        if let Some(ratio) = energy.disagreement.filter(|ratio| ratio.get().abs() > DISAGREEMENT_LIMIT) {
            warnings.push(Warning {
                code: WarningCode::CounterDisagrees,
                text: format!(
                    "energy counter and power integral of {} differ by up to {:+.1} %; {}",
                    energy.source,
                    ratio.get() * 100.0,
                    match energy.method {
                        EnergyMethod::Integral => "the integral is used where they do",
                        EnergyMethod::Counter =>
                            "the integral covers too little of the windows to overrule the counter",
                    }
                ),
            });
        }
        if energy.evidence != Evidence::Measured {
            warnings.push(Warning {
                code: WarningCode::EnergyEstimated,
                text: format!(
                    "energy is {}, not measured ({}): no interval is given; connect a meter with --power csv:FILE",
                    energy.evidence, energy.source
                ),
            });
        }
        if energy.coverage.get() < 0.95 {
            warnings.push(Warning {
                code: WarningCode::SensorGap,
                text: format!(
                    "readings of {} cover only {:.0} % of the windows; holes take the mean around them, windows read for \
                     less than half are left out",
                    energy.source,
                    energy.coverage.get() * 100.0
                ),
            });
        }
    }
    warnings
}

fn ceilings_of(device: &Device, cases: &[CaseResult]) -> Ceilings {
    let own = || cases.iter().filter(|case| case.case.device == device.ordinal && case.verified);
    let arithmetic = |element: ElementType| -> Option<FlopPerSecond> {
        own()
            .filter(|case| case.case.problem == ARITHMETIC_PROBE && case.case.element == element)
            .filter_map(|case| Some(case.flop_rate?.point))
            .max_by(FlopPerSecond::total_cmp)
    };
    Ceilings {
        flop_f32: arithmetic(ElementType::F32),
        flop_f16: arithmetic(ElementType::F16),
        bandwidth: bandwidth_of(device, &own().collect::<Vec<_>>()),
    }
}

/// The best memory probe that reaches beyond the caches; where all are too small for that, the best of those.
fn bandwidth_of(device: &Device, own: &[&CaseResult]) -> Option<BytesPerSecond> {
    let best = |cached: bool| {
        own.iter()
            .filter(|case| is_memory_probe(&case.case) && fits_cache(device, &case.case) == cached)
            .filter_map(|case| Some(case.byte_rate?.point))
            .max_by(BytesPerSecond::total_cmp)
    };
    best(false).or_else(|| best(true))
}

fn is_memory_probe(case: &Case) -> bool {
    case.problem.starts_with(MEMORY_PROBES)
}

/// True if one execution moves so little that a last-level cache may hold it.
fn fits_cache(device: &Device, case: &Case) -> bool {
    case.work.bytes < if device.is_software() { CACHED_BELOW_SOFTWARE } else { CACHED_BELOW_HARDWARE }
}

/// Says that a memory probe's bandwidth may be a cache's, and whether it is the ceiling all the same.
fn cache_warning(device: &Device, case: &CaseResult, cases: &[CaseResult]) -> Option<Warning> {
    if !case.verified || !is_memory_probe(&case.case) || !fits_cache(device, &case.case) {
        return None;
    }
    let larger = |other: &CaseResult| {
        let same_device = other.case.device == device.ordinal;
        same_device && other.byte_rate.is_some() && is_memory_probe(&other.case) && !fits_cache(device, &other.case)
    };
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let limit = if device.is_software() { CACHED_BELOW_SOFTWARE } else { CACHED_BELOW_HARDWARE };
    Some(Warning {
        code: WarningCode::Other,
        text: format!(
            "one execution moves {:.1} MiB, which a cache may hold, so that this is not the memory's bandwidth; {}",
            mib(case.case.work.bytes.get()),
            if cases.iter().any(larger) {
                "the bandwidth ceiling comes from a larger probe".to_owned()
            } else {
                format!(
                    "shares of the ceiling rest on it for want of a larger probe: choose a shape of {:.0} MiB or more",
                    mib(limit.get())
                )
            }
        ),
    })
}

/// Rate over the roof above the case: the smaller of the arithmetic ceiling and intensity × bandwidth; `None` unless both
/// were measured, since either may be the lower one. Mixed-precision problems (f16 operands, f32 accumulation) count
/// against the f32 ceiling. Not clamped: data that stay in a cache can exceed the memory roof.
fn share_of_ceiling(case: &CaseResult, ceilings: &Ceilings) -> Option<Ratio> {
    let bandwidth = ceilings.bandwidth.map(BytesPerSecond::get);
    if case.case.counted == Counted::Bytes {
        return Some(Ratio::new(case.byte_rate?.point.get() / bandwidth?));
    }
    let roof = match (case.case.problem == ARITHMETIC_PROBE, case.case.element) {
        (true, ElementType::F16) => ceilings.flop_f16?.get(),
        (true, ElementType::F32) => ceilings.flop_f32?.get(),
        (true, _) => return None,
        (false, _) => ceilings.flop_f32?.get().min(case.case.work.intensity().get() * bandwidth?),
    };
    Some(Ratio::new(case.flop_rate?.point.get() / roof))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{case, empty, measurement, power};
    use super::*;
    use crate::model::{DeviceKind, Scope};

    const MIB: f64 = 1_048_576.0;

    fn near(got: f64, want: f64) -> bool {
        (got / want - 1.0).abs() < 1e-9
    }

    /// A case of a problem; `flop` and `bytes` of one execution.
    fn work(problem: &str, element: ElementType, flop: f64, bytes: f64) -> Case {
        let counted = if problem.starts_with(MEMORY_PROBES) { Counted::Bytes } else { Counted::Flop };
        let mut case = Case { problem: problem.to_owned(), element, counted, ..case() };
        case.variant = format!("{problem}/x-{element}");
        (case.work.flop, case.work.bytes) = (Flop::new(flop), Bytes::new(bytes));
        case
    }

    /// What is said of cases, each with one execution a second for two windows of one second.
    fn said(kind: DeviceKind, cases: Vec<Case>) -> RunResult {
        let mut record = empty();
        record.devices[0].kind = kind;
        record.measurements = cases.into_iter().map(|case| measurement(case, &[(10, 11, 1), (11, 12, 1)])).collect();
        evaluate(&record)
    }

    fn warns_of_cache(case: &CaseResult) -> Option<&str> {
        case.warnings.iter().map(|w| w.text.as_str()).find(|text| text.contains("cache"))
    }

    #[test]
    fn rates_are_all_work_over_all_time_with_the_scatter_of_the_windows() {
        let mut record = empty();
        // 100 and 200 executions in 10 s and 10 s: 300 over 20 s.
        record.measurements = vec![measurement(case(), &[(10, 20, 100), (20, 30, 200)])];
        let case = &evaluate(&record).cases[0];
        assert!(near(case.per_execution.unwrap().point.get(), 20.0 / 300.0));
        assert!(near(case.flop_rate.unwrap().point.get(), 1000.0 * 300.0 / 20.0));
        assert!(near(case.byte_rate.unwrap().point.get(), 100.0 * 300.0 / 20.0));
        assert!(near(case.total_flop.get(), 300_000.0) && near(case.total_time.get(), 20.0));
        // 0.1 and 0.05 s: mean 0.075, deviation 0.035355, times 12.706/√2 = 0.31765; over the mean 4.2353.
        assert!((case.flop_rate.unwrap().relative_half_width().unwrap() - 4.2353).abs() < 1e-4);
        assert_eq!(case.flop_rate.unwrap().n, 2);
        assert!(case.warnings.iter().any(|w| w.code == WarningCode::NoPower));
    }

    #[test]
    fn a_single_window_has_a_rate_without_an_interval() {
        let mut record = empty();
        record.measurements = vec![measurement(case(), &[(10, 20, 100)])];
        let rate = evaluate(&record).cases[0].flop_rate.unwrap();
        assert!(near(rate.point.get(), 10_000.0) && rate.interval.is_none());
    }

    #[test]
    fn an_unverified_case_has_no_rate_no_joule_no_share_and_is_no_ceiling() {
        let mut record = empty();
        record.traces = vec![power("board", Some(0), Scope::Board, |_| Some(100.0))];
        let probe = work("fma", ElementType::F32, 1e12, 1e3);
        record.measurements = vec![
            measurement(probe.clone(), &[(10, 11, 9)]),
            measurement(probe, &[(11, 12, 1)]),
            measurement(work("memory-copy", ElementType::F32, 0.0, 128.0 * MIB), &[(12, 13, 9)]),
        ];
        for wrong in [0, 2] {
            record.measurements[wrong].verification =
                Verification::Failed { detail: "off".to_owned(), when: "after window 1".to_owned() };
        }
        let result = evaluate(&record);
        let wrong = &result.cases[0];
        assert!(!wrong.verified && wrong.flop_rate.is_none() && wrong.byte_rate.is_none());
        assert!(wrong.per_execution.is_none() && wrong.energy.is_empty() && wrong.of_ceiling.is_none());
        assert!(wrong.warnings.iter().any(|w| w.text.contains("after window 1")));
        assert!(!wrong.warnings.iter().any(|w| w.code == WarningCode::NoPower), "its power was not asked for");
        // The right one ran once a second, not nine times.
        assert!(near(result.ceilings[&0].flop_f32.unwrap().get(), 1e12));
        assert_eq!(result.ceilings[&0].bandwidth, None);
        assert_eq!(warns_of_cache(&result.cases[2]), None);
    }

    #[test]
    fn shares_of_the_ceiling_are_those_of_the_roofline() {
        let result = said(
            DeviceKind::Discrete,
            vec![
                work("fma", ElementType::F32, 1e12, 1e3),
                work("fma", ElementType::F16, 4e12, 1e3),
                work("memory-copy", ElementType::F32, 0.0, 1e11),
                work("memory-triad", ElementType::F32, 1e10, 8e10),
                // 100 FLOP/B: the roof is 1e12, not 1e13.
                work("gemm", ElementType::F32, 5e11, 5e9),
                // 2 FLOP/B: the roof is 2e11. Operands in f16, sums in f32.
                work("gemv", ElementType::F16, 1e11, 5e10),
            ],
        );
        let shares: Vec<f64> = result.cases.iter().map(|case| case.of_ceiling.unwrap().get()).collect();
        for (got, want) in shares.iter().zip([1.0, 1.0, 1.0, 0.8, 0.5, 0.5]) {
            assert!(near(*got, want), "{shares:?}");
        }
    }

    #[test]
    fn without_a_measured_roof_there_is_no_share() {
        let gemv = || work("gemv", ElementType::F32, 1e11, 5e10);
        let arithmetic_alone = said(DeviceKind::Discrete, vec![work("fma", ElementType::F32, 1e12, 1e3), gemv()]);
        assert_eq!(arithmetic_alone.cases[1].of_ceiling, None);
        let memory_alone = said(DeviceKind::Discrete, vec![work("memory-copy", ElementType::F32, 0.0, 1e11), gemv()]);
        assert_eq!(memory_alone.cases[1].of_ceiling, None);
    }

    #[test]
    fn a_probe_that_fits_a_cache_is_no_ceiling_beside_a_larger_one() {
        // One execution a second, so that bytes are bytes per second; the small one runs in a case of its own.
        let large = work("memory-copy", ElementType::F32, 0.0, 64.0 * MIB);
        let small = work("memory-read", ElementType::F32, 0.0, 8.0 * MIB);
        let mut record = empty();
        record.measurements =
            vec![measurement(large, &[(10, 11, 1), (11, 12, 1)]), measurement(small, &[(12, 13, 80), (13, 14, 80)])];
        let result = evaluate(&record);
        // The small one reads 640 MiB/s from a cache; the roof stays at 64 MiB/s.
        assert!(near(result.ceilings[&0].bandwidth.unwrap().get(), 64.0 * MIB));
        assert_eq!(warns_of_cache(&result.cases[0]), None);
        assert!(warns_of_cache(&result.cases[1]).unwrap().contains("comes from a larger probe"));
        assert!(near(result.cases[1].of_ceiling.unwrap().get(), 10.0));

        record.measurements.remove(0);
        let alone = evaluate(&record);
        assert!(near(alone.ceilings[&0].bandwidth.unwrap().get(), 640.0 * MIB));
        let text = warns_of_cache(&alone.cases[0]).unwrap();
        assert!(text.contains("8.0 MiB") && text.contains("64 MiB or more"), "{text}");
    }

    #[test]
    fn a_software_adapters_caches_are_smaller() {
        for (mib, small) in [(3.9, true), (4.0, false)] {
            let probe = work("memory-copy", ElementType::F32, 0.0, mib * MIB);
            let software = said(DeviceKind::Software, vec![probe.clone()]);
            assert_eq!(warns_of_cache(&software.cases[0]).is_some(), small, "{mib}");
            assert!(warns_of_cache(&said(DeviceKind::Discrete, vec![probe]).cases[0]).is_some());
        }
    }
}
