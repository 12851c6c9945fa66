//! From a record to what it says: rates, energies, ceilings and warnings of every case.

use std::collections::BTreeMap;

use super::{CaseResult, Ceilings, EnergyResult, RunResult, energy, throttle};
use crate::model::{
    Counted, Device, ElementType, Estimate, Evidence, Measurement, RunRecord, Verification, Warning, WarningCode,
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

/// Computes everything a record says.
pub fn evaluate(record: &RunRecord) -> RunResult {
    let mut cases: Vec<CaseResult> =
        record.measurements.iter().map(|measurement| case_result(record, measurement)).collect();
    let ceilings: BTreeMap<u32, Ceilings> =
        record.devices.iter().map(|device| (device.ordinal, ceilings_of(device, &cases))).collect();
    for case in &mut cases {
        case.of_ceiling = ceilings.get(&case.case.device).and_then(|ceilings| share_of_ceiling(case, ceilings));
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
                    "energy counter and power integral of {} differ by {:+.1} %; the integral is used",
                    energy.source,
                    ratio.get() * 100.0
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
                    "readings of {} cover only {:.0} % of the windows; the rest is filled with their mean",
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
        bandwidth: own()
            .filter(|case| case.case.problem.starts_with(MEMORY_PROBES))
            .filter_map(|case| Some(case.byte_rate?.point))
            .max_by(BytesPerSecond::total_cmp),
    }
}

/// Rate over the roof above the case: the smaller of the arithmetic ceiling and intensity × bandwidth. Mixed-precision
/// problems (f16 operands, f32 accumulation) count against the f32 ceiling. Not clamped: data that stay in a cache can
/// exceed the memory roof.
fn share_of_ceiling(case: &CaseResult, ceilings: &Ceilings) -> Option<Ratio> {
    let bandwidth = ceilings.bandwidth.map(BytesPerSecond::get);
    if case.case.counted == Counted::Bytes {
        return Some(Ratio::new(case.byte_rate?.point.get() / bandwidth?));
    }
    let probe_in_f16 = case.case.problem == ARITHMETIC_PROBE && case.case.element == ElementType::F16;
    let arithmetic = if probe_in_f16 { ceilings.flop_f16 } else { ceilings.flop_f32 }?.get();
    let memory = bandwidth.map_or(f64::INFINITY, |bandwidth| case.case.work.intensity().get() * bandwidth);
    let roof = if case.case.problem == ARITHMETIC_PROBE { arithmetic } else { arithmetic.min(memory) };
    Some(Ratio::new(case.flop_rate?.point.get() / roof))
}
