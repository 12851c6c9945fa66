//! From a record to what it says: rates, energies, ceilings and warnings of every case.

use std::collections::BTreeMap;

use super::ceilings::{cache_warning, ceilings_of, share_of};
use super::{CaseResult, Ceilings, EnergyMethod, EnergyResult, RunResult, command, energy, throttle};
use crate::model::{Estimate, Evidence, Measurement, RunRecord, Verification, Warning, WarningCode, Window};
use crate::stats;
use crate::units::{Bytes, Flop, Quantity, Seconds};

/// Counter and integral that differ by more than this are reported.
const DISAGREEMENT_LIMIT: f64 = 0.05;
/// Computes everything a record says.
pub fn evaluate(record: &RunRecord) -> RunResult {
    let mut cases: Vec<CaseResult> =
        record.measurements.iter().map(|measurement| case_result(record, measurement)).collect();
    let ceilings: BTreeMap<u32, Ceilings> =
        record.devices.iter().map(|device| (device.ordinal, ceilings_of(device, &cases))).collect();
    let cached: Vec<Option<Warning>> =
        cases.iter().map(|case| cache_warning(record.device(case.case.device)?, case, &cases)).collect();
    for (case, cached) in cases.iter_mut().zip(cached) {
        case.roof = ceilings.get(&case.case.device).and_then(|ceilings| ceilings.roof_over(&case.case));
        case.of_ceiling = case.roof.and_then(|roof| share_of(case, roof));
        case.warnings.extend(cached);
    }
    RunResult { cases, skips: record.skips.clone(), ceilings, commands: command::results(record) }
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
        warnings.extend(throttle::warning(&super::conditions::of_case(record, measurement, &energy)));
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
        roof: None,
        warnings,
        case: case.clone(),
    }
}

/// Work over time, with the interval of the time.
pub(super) fn rate<Q: Quantity>(time: Estimate<Seconds>, work: f64) -> Estimate<Q> {
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

pub(super) fn energy_warnings(energies: &[EnergyResult]) -> Vec<Warning> {
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
        // Counter and power of a model are two views of one number: that they round differently says nothing of a sensor.
        let readings = energy.disagreement.filter(|_| energy.evidence == Evidence::Measured);
        if let Some(ratio) = readings.filter(|ratio| ratio.get().abs() > DISAGREEMENT_LIMIT) {
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
        if let Some(correction) = &energy.correction {
            let holds = match &correction.scope_note {
                Some(note) => {
                    format!("they stand for what that source measures ({note}), not for the {}", energy.scope)
                }
                None => format!("they still stand for the {}", energy.scope),
            };
            warnings.push(Warning {
                code: WarningCode::Other,
                text: format!(
                    "watts and joules of {} are corrected to {} (gain {:.4}, offset {:+.1} W): {holds}; the traces stay raw",
                    energy.source,
                    correction.against,
                    correction.gain,
                    correction.offset_w.get()
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

#[cfg(test)]
mod tests {
    use super::super::testing::{case, empty, measurement};
    use super::*;

    fn near(got: f64, want: f64) -> bool {
        (got / want - 1.0).abs() < 1e-9
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
}
