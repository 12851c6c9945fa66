//! Small records with known figures, for the tests of this room.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Nanoseconds;
use crate::measure::result::{CaseResult, EnergyMethod, EnergyResult, RunResult, Uncertainty};
use crate::model::*;
use crate::units::{Bytes, BytesPerJoule, Flop, Joules, Quantity, Ratio, Seconds, Watts};

/// A run of cases on one device, with its record.
pub struct Run {
    /// What the record says.
    pub result: RunResult,
    /// The record.
    pub record: RunRecord,
}

/// One case: variant, executions per second and joules per execution of each window.
pub struct Spec<'a> {
    /// Variant; the problem is what stands before its slash.
    pub variant: &'a str,
    /// Executions per second of each one-second window.
    pub speeds: &'a [f64],
    /// Joules per execution of each window.
    pub joules: &'a [f64],
    /// Scope of the energy.
    pub scope: Scope,
    /// Evidence of the energy.
    pub evidence: Evidence,
    /// Systematic gain of the sensor.
    pub gain: f64,
}

impl Default for Spec<'_> {
    fn default() -> Self {
        Self {
            variant: "gemm/tiled-f32",
            speeds: &[1000.0; 5],
            joules: &[2e-3; 5],
            scope: Scope::Board,
            evidence: Evidence::Measured,
            gain: 0.0,
        }
    }
}

const FLOP: f64 = 2e9;

fn case_of(variant: &str) -> Case {
    Case {
        device: 0,
        problem: variant.split('/').next().unwrap_or(variant).to_owned(),
        variant: variant.to_owned(),
        shape: Shape::new([("m", 1000), ("n", 1000), ("k", 1000)]),
        element: ElementType::F32,
        pattern: DataPattern::Normal,
        seed: 1,
        params: BTreeMap::new(),
        work: Work { flop: Flop::new(FLOP), bytes: Bytes::new(12e6) },
        counted: Counted::Flop,
        unit: Unit::Vector,
        shader_sha256: format!("sha of {variant}"),
    }
}

fn mean<Q: Quantity>(values: &[f64]) -> Estimate<Q> {
    let point = crate::stats::mean(values).unwrap();
    let interval = crate::stats::mean_half_width_95(values).map(|half| Interval {
        low: Q::new(point - half),
        high: Q::new(point + half),
        confidence: 0.95,
    });
    Estimate { point: Q::new(point), interval, n: values.len() as u32, method: EstimateMethod::Mean }
}

fn case_result(spec: &Spec<'_>) -> CaseResult {
    let rates: Vec<f64> = spec.speeds.iter().map(|speed| speed * FLOP).collect();
    let efficiencies: Vec<f64> = spec.joules.iter().map(|joules| FLOP / joules).collect();
    let energy = EnergyResult {
        source: "scripted:0".to_owned(),
        scope: spec.scope,
        evidence: spec.evidence,
        method: EnergyMethod::Counter,
        disagreement: None,
        coverage: Ratio::new(1.0),
        window_energy: spec.joules.iter().zip(spec.speeds).map(|(j, n)| Joules::new(j * n.round())).collect(),
        power: Estimate::bare(Watts::new(100.0), 5),
        idle: None,
        per_execution: mean(spec.joules),
        flop_efficiency: Some(mean(&efficiencies)),
        byte_efficiency: Estimate::bare(BytesPerJoule::new(1.0), 5),
        uncertainty: Uncertainty::of_half_widths(Some(0.0), 0.0, spec.gain),
        correction: None,
    };
    CaseResult {
        case: case_of(spec.variant),
        verified: true,
        total_flop: Flop::new(FLOP),
        total_bytes: Bytes::new(12e6),
        total_time: Seconds::new(5.0),
        per_execution: None,
        flop_rate: Some(mean(&rates)),
        byte_rate: None,
        energy: vec![energy],
        of_ceiling: None,
        roof: None,
        warnings: vec![],
    }
}

fn measurement(spec: &Spec<'_>) -> Measurement {
    let second = 1_000_000_000;
    let windows = spec.speeds.iter().enumerate().map(|(i, speed)| Window {
        kind: WindowKind::Measure,
        start_ns: Nanoseconds(i as u64 * second),
        end_ns: Nanoseconds((i as u64 + 1) * second),
        dispatches: speed.round() as u64,
        device_busy_ns: None,
    });
    let check = Check { sampled: 1, scanned: 1, ..Check::default() };
    Measurement {
        case: case_of(spec.variant),
        verification: Verification::Passed { before: check.clone(), after: check },
        calibration: None,
        timing: None,
        steadiness: None,
        windows: windows.collect(),
        stop: None,
        warnings: vec![],
        injected: None,
        sustained: None,
    }
}

/// A skip of a variant.
pub fn skip(variant: &str) -> Skip {
    Skip { case: case_of(variant), reason: SkipReason::TooLarge, detail: "needs 9 GiB, has 8 GiB".to_owned() }
}

/// A run on a device of this name.
pub fn run(device: &str, specs: &[Spec<'_>]) -> Run {
    let result = RunResult { cases: specs.iter().map(case_result).collect(), ..RunResult::default() };
    let mut record = record(device);
    record.measurements = specs.iter().map(measurement).collect();
    Run { result, record }
}

fn record(device: &str) -> RunRecord {
    RunRecord {
        schema: RECORD_SCHEMA.to_owned(),
        version: SCHEMA_VERSION,
        run_id: format!("run-on-{device}"),
        started: "2025-11-22T10:00:00Z".to_owned(),
        ended: None,
        simulated: true,
        status: RunStatus::Complete,
        provenance: provenance(),
        plan: plan(),
        devices: vec![device_called(device)],
        idle: vec![],
        measurements: vec![],
        skips: vec![],
        tunings: Vec::new(),
        links: vec![],
        commands: vec![],
        calibrations: vec![],
        traces: vec![],
        warnings: vec![],
    }
}

fn provenance() -> Provenance {
    Provenance {
        tool: Tool {
            version: "0.1.0".to_owned(),
            commit: Some("abc".to_owned()),
            dirty: Some(false),
            rustc: "rustc".to_owned(),
            profile: "release".to_owned(),
            libraries: BTreeMap::new(),
        },
        host: Host {
            hostname: "node1".to_owned(),
            os: "Debian".to_owned(),
            kernel: Some("6.1".to_owned()),
            cpu: Some("CPU".to_owned()),
            logical_cpus: 8,
            memory_bytes: None,
            container: None,
        },
        argv: vec!["wattmark".to_owned(), "run".to_owned()],
        redacted: false,
        device_details: BTreeMap::new(),
    }
}

fn plan() -> Plan {
    let seconds = Seconds::new(1.0);
    Plan {
        preset: Preset::Quick,
        settings: Settings {
            idle_s: seconds,
            preheat_min_s: seconds,
            preheat_max_s: seconds,
            steady_span_s: seconds,
            window_s: seconds,
            windows_min: 5,
            windows_max: 5,
            target_half_width: Ratio::new(0.01),
            case_timeout_s: seconds,
            submission_s: seconds,
            in_flight: 2,
            random_gap_s: seconds,
            interleaved: false,
            sampler_hz: 50.0,
            verify_samples: 64,
        },
        origins: BTreeMap::new(),
        config_file: None,
        power: PowerRequest::None,
        account: AccountRequest::default(),
        seed: 1,
        cases: vec![],
        link: false,
        expected_s: seconds,
        inject_error: false,
        user_shaders: Vec::new(),
    }
}

fn device_called(name: &str) -> Device {
    Device {
        ordinal: 0,
        name: name.to_owned(),
        vendor_id: 0x10de,
        device_id: 1,
        kind: DeviceKind::Simulated,
        backend: "simulated".to_owned(),
        driver: "scripted".to_owned(),
        driver_info: "1".to_owned(),
        pci: Some("19:00.0".parse().unwrap()),
        subgroup: SubgroupRange { min: 32, max: 32 },
        features: BTreeSet::new(),
        limits: DeviceLimits {
            max_buffer_bytes: 1,
            max_binding_bytes: 1,
            max_workgroup_memory_bytes: 1,
            max_invocations_per_workgroup: 1,
            max_workgroup_size: [1; 3],
            max_workgroups_per_dimension: 1,
            max_storage_buffers: 1,
        },
        timestamp_period_ns: None,
        cooperative: Vec::new(),
    }
}
