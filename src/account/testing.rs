//! Results with known figures, for the tests of this room.

use std::collections::BTreeMap;

use super::{Amount, Subject};
use crate::measure::result::{CaseResult, EnergyMethod, EnergyResult, RunResult, Uncertainty};
use crate::model::{
    Case, Counted, DataPattern, ElementType, Estimate, EstimateMethod, Evidence, Interval, Scope, Shape, Unit, Work,
};
use crate::units::{Bytes, BytesPerJoule, Flop, Joules, Quantity, Ratio, Seconds, Watts};

/// A mean of five windows with a symmetric relative interval.
pub fn estimate<Q: Quantity>(point: f64, half: f64) -> Estimate<Q> {
    let interval = Interval { low: Q::new(point * (1.0 - half)), high: Q::new(point * (1.0 + half)), confidence: 0.95 };
    Estimate { point: Q::new(point), interval: Some(interval), n: 5, method: EstimateMethod::Mean }
}

/// A measured board energy per execution.
pub fn energy(joules: f64, half: f64) -> EnergyResult {
    EnergyResult {
        source: "scripted:0".to_owned(),
        scope: Scope::Board,
        evidence: Evidence::Measured,
        method: EnergyMethod::Counter,
        disagreement: None,
        coverage: Ratio::new(1.0),
        window_energy: vec![Joules::new(joules); 5],
        power: Estimate::bare(Watts::new(100.0), 5),
        idle: None,
        per_execution: estimate(joules, half),
        flop_efficiency: None,
        byte_efficiency: Estimate::bare(BytesPerJoule::new(1.0), 5),
        uncertainty: Uncertainty::of_half_widths(Some(half), 0.0, 0.0),
        correction: None,
    }
}

/// A verified f32 case on device 0; its problem is what stands before the slash of the variant.
pub fn case(variant: &str, flop: f64, energy: Vec<EnergyResult>) -> CaseResult {
    let problem = variant.split('/').next().unwrap_or(variant).to_owned();
    CaseResult {
        case: Case {
            device: 0,
            problem,
            variant: variant.to_owned(),
            shape: Shape::new([("m", 1000), ("n", 1000), ("k", 1000)]),
            element: ElementType::F32,
            pattern: DataPattern::Normal,
            seed: 1,
            params: BTreeMap::new(),
            work: Work { flop: Flop::new(flop), bytes: Bytes::new(12e6) },
            counted: Counted::Flop,
            unit: Unit::Vector,
            shader_sha256: String::new(),
        },
        verified: true,
        total_flop: Flop::new(flop * 5.0),
        total_bytes: Bytes::new(60e6),
        total_time: Seconds::new(5.0),
        per_execution: Some(estimate(1.0, 0.01)),
        flop_rate: Some(estimate(flop, 0.01)),
        byte_rate: None,
        energy,
        of_ceiling: None,
        roof: None,
        warnings: vec![],
    }
}

/// A run of these cases.
pub fn run(cases: Vec<CaseResult>) -> RunResult {
    RunResult { cases, ..RunResult::default() }
}

/// One EFLOP in 10 000 s for 1 MJ: 100 W, 100 TFLOP/s, 1 TFLOP/J.
pub fn subject() -> Subject {
    Subject {
        label: "1 EFLOP of f32 gemm".to_owned(),
        run_ids: vec!["run".to_owned()],
        simulated: false,
        verified: true,
        device: "Device X".to_owned(),
        devices: 1,
        source: "scripted:0".to_owned(),
        case: "gemm/tiled-f32".to_owned(),
        scope: Scope::Board,
        evidence: Evidence::Measured,
        work: Some(Amount { amount: 1e18, unit: "FLOP".to_owned() }),
        time: Some(estimate(1e4, 0.01)),
        energy: estimate(1e6, 0.02),
    }
}

/// A site in Qinghai (179.6 gCO2/kWh) with PUE 1.2 and these tables of single accounts.
pub fn site_with(tables: &str) -> super::Site {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("name = \"Hall\"\ngrid = \"CN-QH\"\npue = 1.2\n{tables}");
    std::fs::write(folder.path().join("hall.toml"), text).unwrap();
    super::resolve_site(None, None, Some("hall.toml"), folder.path()).unwrap()
}
