//! The ceilings of a device, as the probes of the very same run measured them, and the roof above each case.
//!
//! A roof is the arithmetic ceiling of the case's unit and precision, or bandwidth times its intensity where that is
//! lower. What surprises people: a kernel on vector units is never held against matrix units, nor the reverse, and without
//! a measured roof there is no share at all.

use std::collections::BTreeMap;

use super::CaseResult;
use crate::measure::suite::{cached_below, probe_for};
use crate::model::{Case, Counted, Device, ElementType, Unit, Warning, WarningCode};
use crate::units::{BytesPerSecond, FlopPerSecond, Ratio};
use crate::workload;

/// Measured ceilings of a device, from the probes of the same record (the best verified case of each).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ceilings {
    /// Highest rate of the arithmetic probes, by unit and by the precision in which the probe computes.
    pub arithmetic: BTreeMap<(Unit, ElementType), FlopPerSecond>,
    /// Highest B/s of the memory probes.
    pub bandwidth: Option<BytesPerSecond>,
}

/// What lies above a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoofKind {
    /// The arithmetic ceiling of a unit in a precision.
    Arithmetic(Unit, ElementType),
    /// The bandwidth ceiling, times the case's intensity where it counts operations.
    Bandwidth,
}

/// The ceiling that a case's rate is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roof {
    /// Which ceiling it is.
    pub kind: RoofKind,
    /// Rate at the roof, in what the case counts: FLOP/s or B/s.
    pub rate: f64,
}

impl Ceilings {
    /// The arithmetic ceiling that a unit can reach in a precision, by the probe that stands for it.
    pub fn arithmetic_of(&self, unit: Unit, element: ElementType) -> Option<(RoofKind, FlopPerSecond)> {
        let (_, of) = probe_for(unit, element)?;
        Some((RoofKind::Arithmetic(unit, of), *self.arithmetic.get(&(unit, of))?))
    }

    /// The roof above a case: the lower of arithmetic ceiling and intensity times bandwidth. `None` unless both were
    /// measured, since either may be the lower one; a probe needs only its own. Rates may exceed a roof made of
    /// bandwidth: data that stay in a cache do.
    pub fn roof_over(&self, case: &Case) -> Option<Roof> {
        let bandwidth = self.bandwidth.map(BytesPerSecond::get);
        if case.counted == Counted::Bytes {
            return Some(Roof { kind: RoofKind::Bandwidth, rate: bandwidth? });
        }
        let (kind, rate) = self.arithmetic_of(case.unit, case.element)?;
        let arithmetic = Roof { kind, rate: rate.get() };
        if workload::is_probe(&case.problem) {
            return Some(arithmetic);
        }
        let memory = Roof { kind: RoofKind::Bandwidth, rate: case.work.intensity().get() * bandwidth? };
        Some(if memory.rate < arithmetic.rate { memory } else { arithmetic })
    }
}

/// Rate of a case over its roof. Not clamped.
pub(super) fn share_of(case: &CaseResult, roof: Roof) -> Option<Ratio> {
    let rate = match case.case.counted {
        Counted::Flop => case.flop_rate?.point.get(),
        Counted::Bytes => case.byte_rate?.point.get(),
    };
    Some(Ratio::new(rate / roof.rate))
}

/// The ceilings of a device from all cases of a record.
pub(super) fn ceilings_of(device: &Device, cases: &[CaseResult]) -> Ceilings {
    let own: Vec<&CaseResult> =
        cases.iter().filter(|case| case.case.device == device.ordinal && case.verified).collect();
    let mut arithmetic: BTreeMap<(Unit, ElementType), FlopPerSecond> = BTreeMap::new();
    for case in own.iter().filter(|case| workload::ARITHMETIC_PROBES.contains(&case.case.problem.as_str())) {
        let Some(rate) = case.flop_rate.map(|rate| rate.point) else { continue };
        let best = arithmetic.entry((case.case.unit, case.case.element)).or_insert(rate);
        *best = if rate > *best { rate } else { *best };
    }
    Ceilings { arithmetic, bandwidth: bandwidth_of(device, &own) }
}

/// Traffic of the largest memory probe over that of the smallest which still stands for the same memory: probes of one
/// array length differ by up to three in what they move.
const SAME_MEMORY: f64 = 4.0;

/// The best of the largest memory probes that reach beyond the caches; where all are too small for that, the best of those.
fn bandwidth_of(device: &Device, own: &[&CaseResult]) -> Option<BytesPerSecond> {
    let probes = || own.iter().filter(|case| is_memory_probe(&case.case) && case.byte_rate.is_some());
    let largest = probes().map(|case| case.case.work.bytes.get()).fold(0.0, f64::max);
    let beyond =
        |case: &CaseResult| !fits_cache(device, &case.case) && case.case.work.bytes.get() * SAME_MEMORY >= largest;
    let best = |wanted: bool| {
        let rates = probes().filter(|case| beyond(case) == wanted).filter_map(|case| Some(case.byte_rate?.point));
        rates.max_by(BytesPerSecond::total_cmp)
    };
    best(true).or_else(|| best(false))
}

fn is_memory_probe(case: &Case) -> bool {
    case.problem.starts_with(workload::MEMORY_PROBES)
}

/// True if one execution moves so little that a last-level cache may hold it.
fn fits_cache(device: &Device, case: &Case) -> bool {
    case.work.bytes < cached_below(device)
}

/// Says that a memory probe's bandwidth may be a cache's, and whether it is the ceiling all the same.
pub(super) fn cache_warning(device: &Device, case: &CaseResult, cases: &[CaseResult]) -> Option<Warning> {
    if !case.verified || !is_memory_probe(&case.case) || !fits_cache(device, &case.case) {
        return None;
    }
    let larger = |other: &CaseResult| {
        let same_device = other.case.device == device.ordinal;
        same_device && other.byte_rate.is_some() && is_memory_probe(&other.case) && !fits_cache(device, &other.case)
    };
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
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
                    mib(cached_below(device).get())
                )
            }
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{case, empty, measurement, power};
    use super::super::{RunResult, evaluate};
    use super::*;
    use crate::model::{DeviceKind, Scope, Verification};
    use crate::units::{Bytes, Flop};

    const MIB: f64 = 1_048_576.0;

    fn near(got: f64, want: f64) -> bool {
        (got / want - 1.0).abs() < 1e-9
    }

    /// A case of a problem; `flop` and `bytes` of one execution.
    fn work(problem: &str, element: ElementType, flop: f64, bytes: f64) -> Case {
        let counted = if problem.starts_with(workload::MEMORY_PROBES) { Counted::Bytes } else { Counted::Flop };
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
        assert!(near(result.ceilings[&0].arithmetic[&(Unit::Vector, ElementType::F32)].get(), 1e12));
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

    #[test]
    fn each_precision_has_its_own_ceiling_and_matrix_units_theirs() {
        let matrix =
            |problem: &str, element, flop: f64| Case { unit: Unit::Matrix, ..work(problem, element, flop, 1.0) };
        let result = said(
            DeviceKind::Discrete,
            vec![
                work("memory-read", ElementType::F32, 0.0, 1e11),
                work("fma", ElementType::F32, 1e12, 1e3),
                work("fma", ElementType::F32, 8e11, 1e3),
                work("fma", ElementType::F64, 5e11, 1e3),
                work("dot4", ElementType::I8, 4e12, 1e3),
                matrix("matrix-fma", ElementType::Mixed, 9e12),
                // Vector kernels: f16 operands with f32 sums, and blocks of nibbles, compute in f32.
                work("gemm", ElementType::Mixed, 5e11, 1.0),
                work("gemv", ElementType::Q4_0, 2.5e11, 1.0),
                work("gemm", ElementType::F64, 1e11, 1.0),
                work("gemm", ElementType::I8, 1e12, 1.0),
                // The same problem on matrix units.
                matrix("gemm", ElementType::Mixed, 4.5e12),
                // No probe of these was measured.
                work("gemm", ElementType::F16, 1e11, 1.0),
                matrix("gemm", ElementType::F16, 1e11),
            ],
        );
        let found: Vec<Option<(RoofKind, f64)>> =
            result.cases.iter().skip(6).map(|case| Some((case.roof?.kind, case.of_ceiling?.get()))).collect();
        let of = |unit, element, share| Some((RoofKind::Arithmetic(unit, element), share));
        let wanted = [
            of(Unit::Vector, ElementType::F32, 0.5),
            of(Unit::Vector, ElementType::F32, 0.25),
            of(Unit::Vector, ElementType::F64, 0.2),
            of(Unit::Vector, ElementType::I8, 0.25),
            of(Unit::Matrix, ElementType::Mixed, 0.5),
            None,
            None,
        ];
        for (got, want) in found.iter().zip(&wanted) {
            let same = match (got, want) {
                (Some((kind, share)), Some((wanted, expected))) => kind == wanted && near(*share, *expected),
                (got, want) => got.is_none() && want.is_none(),
            };
            assert!(same, "{got:?} instead of {want:?}");
        }
        assert!(near(result.cases[2].of_ceiling.unwrap().get(), 0.8), "the best probe is the ceiling of the others");
    }

    #[test]
    fn the_largest_arrays_decide_the_bandwidth() {
        // A last-level cache of 256 MiB serves the 96 MiB probe at twice the memory's rate.
        let large = work("memory-read", ElementType::F32, 0.0, 1024.0 * MIB);
        let cached = work("memory-copy", ElementType::F32, 0.0, 96.0 * MIB);
        let mut record = empty();
        record.measurements =
            vec![measurement(large, &[(10, 11, 1), (11, 12, 1)]), measurement(cached, &[(12, 13, 20), (13, 14, 20)])];
        assert!(near(evaluate(&record).ceilings[&0].bandwidth.unwrap().get(), 1024.0 * MIB));
    }
}
