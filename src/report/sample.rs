//! A record and what it says, made by hand for this room's tests: exact figures, no evaluation involved.

use std::collections::BTreeMap;

use super::Carbon;
use crate::measure::result::{
    CaseResult, Ceilings, EnergyMethod, EnergyResult, Roof, RoofKind, RunResult, Uncertainty,
};
use crate::model::{
    Case, Counted, ElementType, Estimate, EstimateMethod, Evidence, Interval, Measurement, RunRecord, Scope, Shape,
    Unit,
};
use crate::units::{Bytes, BytesPerSecond, Flop, FlopPerSecond, GramsCo2e, Joules, Quantity, Ratio, Seconds, Watts};

/// The golden record.
pub fn record() -> RunRecord {
    serde_json::from_str(include_str!("../../tests/fixtures/records/v1.0.json")).unwrap()
}

/// A value with a symmetric interval of ± `relative`.
pub fn within<Q: Quantity>(point: f64, relative: f64) -> Estimate<Q> {
    let interval =
        Interval { low: Q::new(point * (1.0 - relative)), high: Q::new(point * (1.0 + relative)), confidence: 0.95 };
    Estimate { point: Q::new(point), interval: Some(interval), n: 3, method: EstimateMethod::Mean }
}

/// What a case says that takes `time` seconds an execution at `power` watts.
pub fn result_of(measurement: &Measurement, time: f64, power: f64, scope: Scope, evidence: Evidence) -> CaseResult {
    let case = measurement.case.clone();
    let (flop, bytes) = (case.work.flop.get(), case.work.bytes.get());
    let bare = |mut energy: EnergyResult| {
        energy.power.interval = None;
        energy.per_execution.interval = None;
        energy.byte_efficiency.interval = None;
        energy.flop_efficiency = energy.flop_efficiency.map(|efficiency| Estimate { interval: None, ..efficiency });
        energy.uncertainty = Uncertainty::default();
        energy
    };
    let energy = EnergyResult {
        source: if evidence == Evidence::Measured { "scripted:sim0" } else { "estimate:1" }.to_owned(),
        scope,
        evidence,
        method: EnergyMethod::Counter,
        disagreement: Some(Ratio::new(0.002)),
        coverage: Ratio::new(1.0),
        window_energy: vec![Joules::new(power); 3],
        power: within(power, 0.0084),
        idle: Some(Watts::new(if scope == Scope::Board { 74.0 } else { 0.4 })),
        per_execution: within(power * time, 0.009),
        flop_efficiency: Some(within(flop / (power * time), 0.0091)),
        byte_efficiency: within(bytes / (power * time), 0.0091),
        uncertainty: Uncertainty::of_half_widths(Some(0.004), 0.001, 0.008),
        correction: None,
    };
    CaseResult {
        verified: measurement.verified(),
        total_flop: Flop::new(flop * 3.0 / time),
        total_bytes: Bytes::new(bytes * 3.0 / time),
        total_time: Seconds::new(3.0),
        per_execution: Some(within(time, 0.003)),
        flop_rate: (case.counted == Counted::Flop).then(|| within(flop / time, 0.003)),
        byte_rate: Some(within(bytes / time, 0.003)),
        energy: vec![if evidence == Evidence::Measured { energy } else { bare(energy) }],
        of_ceiling: None,
        roof: None,
        warnings: measurement.warnings.clone(),
        case,
    }
}

/// What the golden record says, with round figures.
pub fn result(record: &RunRecord) -> RunResult {
    let times = [1.0 / 2400.0, 1.0 / 1900.0, 1.0 / 9000.0, 1.0 / 800.0, 1.0 / 900.0];
    let powers = [310.0, 540.0, 600.0, 420.0, 8.0];
    let mut cases: Vec<CaseResult> = record
        .measurements
        .iter()
        .zip(times.iter().zip(powers))
        .map(|(measurement, (time, power))| {
            let (scope, evidence) = match measurement.case.device {
                0 => (Scope::Board, Evidence::Measured),
                _ => (Scope::Package, Evidence::Estimated),
            };
            result_of(measurement, *time, power, scope, evidence)
        })
        .collect();
    cases[2].of_ceiling = Some(Ratio::new(0.473));
    cases[3].per_execution = None;
    cases[3].flop_rate = None;
    cases[3].byte_rate = None;
    cases[3].energy.clear();
    let f32 = (Unit::Vector, ElementType::F32);
    let ceilings = Ceilings { arithmetic: BTreeMap::from([(f32, FlopPerSecond::new(16.3e12))]), ..Ceilings::default() };
    cases[2].roof = Some(Roof { kind: RoofKind::Arithmetic(f32.0, f32.1), rate: 16.3e12 });
    RunResult { cases, skips: record.skips.clone(), ceilings: BTreeMap::from([(0, ceilings)]), commands: Vec::new() }
}

/// Fifteen cases of the kinds that the default suite has, on device 0.
pub fn full_suite() -> (RunRecord, RunResult) {
    let mut record = record();
    let suite: [(&str, &str, Counted, f64, f64, f64, f64); 15] = [
        ("fma/chains-f32", "n=1048576 steps=4096", Counted::Flop, 8.6e9, 8.4e6, 1.6e-4, 640.0),
        ("fma/chains-f16", "n=1048576 steps=4096", Counted::Flop, 8.6e9, 4.2e6, 0.9e-4, 655.0),
        ("memory-read/strided-f32", "lanes=1048576 n=67108864", Counted::Bytes, 6.7e7, 2.7e8, 1.0e-4, 410.0),
        ("memory-copy/direct-f32", "n=67108864", Counted::Bytes, 0.0, 5.4e8, 2.1e-4, 415.0),
        ("memory-triad/direct-f32", "n=67108864", Counted::Bytes, 1.3e8, 8.1e8, 3.2e-4, 418.0),
        ("gemm/naive-f32", "m=n=k=1024", Counted::Flop, 2.1e9, 1.3e7, 2.0e-3, 380.0),
        ("gemm/shared-f32", "m=n=k=1024", Counted::Flop, 2.1e9, 1.3e7, 4.0e-4, 520.0),
        ("gemm/tiled-f32", "m=n=k=1024", Counted::Flop, 2.1e9, 1.3e7, 1.1e-4, 600.0),
        ("gemv/rows-f32", "m=k=4096", Counted::Bytes, 3.4e7, 6.7e7, 3.0e-5, 330.0),
        ("gemv/rows-f16", "m=k=4096", Counted::Bytes, 3.4e7, 3.4e7, 1.6e-5, 322.0),
        ("rmsnorm/rows-f32", "cols=4096 rows=1024", Counted::Bytes, 1.7e7, 3.4e7, 1.5e-5, 300.0),
        ("softmax/rows-f32", "cols=4096 rows=1024", Counted::Bytes, 2.1e7, 3.4e7, 1.9e-5, 305.0),
        (
            "attention-prefill/online-f32",
            "batch=1 dim=64 heads=4 kv_heads=2 seq=256",
            Counted::Flop,
            8.6e9,
            3.4e7,
            1.9e-3,
            505.0,
        ),
        (
            "attention-decode/online-f32",
            "batch=2 context=4096 dim=64 heads=8 kv_heads=2",
            Counted::Flop,
            2.7e8,
            5.4e8,
            2.4e-4,
            390.0,
        ),
        ("swiglu/tiled-f32", "d=2048 f=5632 tokens=256", Counted::Flop, 1.8e10, 1.1e8, 1.3e-3, 560.0),
    ];
    let template = record.measurements[0].clone();
    record.measurements = suite
        .iter()
        .map(|(variant, shape, counted, flop, bytes, _, _)| {
            let mut measurement = template.clone();
            measurement.case = Case {
                problem: variant.split('/').next().unwrap().to_owned(),
                variant: (*variant).to_owned(),
                shape: shape.parse::<Shape>().unwrap(),
                counted: *counted,
                element: if variant.ends_with("f16") { ElementType::F16 } else { ElementType::F32 },
                work: crate::model::Work { flop: Flop::new(*flop), bytes: Bytes::new(*bytes) },
                ..template.case.clone()
            };
            measurement
        })
        .collect();
    record.skips.clear();
    let mut cases: Vec<CaseResult> = suite
        .iter()
        .zip(&record.measurements)
        .map(|((_, _, _, _, _, time, power), m)| result_of(m, *time, *power, Scope::Board, Evidence::Measured))
        .collect();
    for (index, case) in cases.iter_mut().enumerate() {
        case.of_ceiling = Some(Ratio::new(0.05 * (index + 1) as f64));
        let kind = match case.case.counted {
            Counted::Flop => RoofKind::Arithmetic(Unit::Vector, case.case.element),
            Counted::Bytes => RoofKind::Bandwidth,
        };
        case.roof = Some(Roof { kind, rate: 1e12 });
    }
    let rate = |element, rate| ((Unit::Vector, element), FlopPerSecond::new(rate));
    let ceilings = Ceilings {
        arithmetic: BTreeMap::from([rate(ElementType::F32, 60.1e12), rate(ElementType::F16, 119e12)]),
        bandwidth: Some(BytesPerSecond::new(4.2e12)),
    };
    (record, RunResult { cases, ceilings: BTreeMap::from([(0, ceilings)]), ..RunResult::default() })
}

/// Grams at a round grid factor of 200 g/kWh and a PUE of 1.2.
pub fn grams(case: &CaseResult) -> Option<Estimate<GramsCo2e>> {
    Some(super::energy_of_amount(case)?.map(|energy| GramsCo2e::new(energy.to_kilowatt_hours().get() * 200.0 * 1.2)))
}

/// The carbon column of [`grams`].
pub fn carbon() -> Carbon<'static> {
    Carbon {
        grid: "TEST, 200 g CO2e/kWh (average, 2023, made up), PUE 1.2 (declared)".to_owned(),
        gas: "CO2e".to_owned(),
        of: &grams,
    }
}
