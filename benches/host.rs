//! What wattmark's own work costs, without any GPU: reading and writing a record, evaluating it, statistics.
//!
//! The record is made up: 20 cases and 100 000 power samples, the size for which `show`, `carbon` and `plot` promise to
//! answer in half a second. What surprises people: criterion's figures are of an idle machine; run nothing beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wattmark::clock::Nanoseconds;
use wattmark::measure::result::evaluate;
use wattmark::model::*;
use wattmark::stats;
use wattmark::units::{Bytes, Flop, Ratio, Seconds};

/// Cases of the made-up record.
const CASES: u64 = 20;
/// Power samples of the made-up record.
const SAMPLES: u64 = 100_000;
/// Time between two samples: 50 Hz.
const PERIOD_NS: u64 = 20_000_000;

fn case(index: u64) -> Case {
    Case {
        device: 0,
        problem: "gemm".into(),
        variant: format!("gemm/variant-{index}"),
        shape: Shape::new([("m", 4096), ("n", 4096), ("k", 4096)]),
        element: ElementType::F32,
        pattern: DataPattern::Normal,
        seed: 1,
        params: BTreeMap::from([("BM".into(), 128), ("BN".into(), 128)]),
        work: Work { flop: Flop::new(2.0 * 4096f64.powi(3)), bytes: Bytes::new(12.0 * 4096f64.powi(2)) },
        counted: Counted::Flop,
        shader_sha256: "0".repeat(64),
    }
}

/// One case with five windows, in its own stretch of the run.
fn measurement(index: u64) -> Measurement {
    let stretch = SAMPLES * PERIOD_NS / CASES;
    let window = |number: u64| Window {
        kind: WindowKind::Measure,
        start_ns: Nanoseconds(index * stretch + (number + 1) * stretch / 8),
        end_ns: Nanoseconds(index * stretch + (number + 2) * stretch / 8),
        dispatches: 3000,
        device_busy_ns: Some(stretch / 8),
    };
    let check = Check { sampled: 1024, worst_error_in_bounds: 0.1, max_abs_error: 1e-5, scanned: 1 << 24 };
    Measurement {
        case: case(index),
        verification: Verification::Passed { before: check.clone(), after: check },
        calibration: None,
        timing: Some(Timing {
            method: TimingMethod::DeviceTimestamps,
            timestamp_period_ns: Some(1.0),
            busy_fraction: Some(1.0),
        }),
        steadiness: None,
        windows: (0..5).map(window).collect(),
        stop: Some(StopReason::WindowCap),
        warnings: Vec::new(),
    }
}

/// A sensor with instant power and an energy counter, around 500 W with a ripple that no compressor could foresee.
fn trace(samples: u64) -> SourceTrace {
    let channel = |id: &str, quantity| Channel {
        id: id.into(),
        quantity,
        scope: Scope::Board,
        update_period_s: Some(Seconds::new(0.1)),
        averaging_window_s: None,
        stated_error: Some(Ratio::new(0.05)),
    };
    let power: Vec<Option<f64>> = (0..samples).map(|i| Some(500.0 + (i * 7919 % 1000) as f64 / 37.0)).collect();
    let mut joules = 0.0;
    let energy = power.iter().flatten().map(|watts| {
        joules += watts * PERIOD_NS as f64 / 1e9;
        Some(joules)
    });
    SourceTrace {
        source: SourceInfo {
            id: "nvml:0000:19:00.0".into(),
            kind: "nvml".into(),
            device: Some(0),
            evidence: Evidence::Measured,
            note: String::new(),
            channels: vec![
                channel("power.instant", Quantity::InstantPower),
                channel("energy", Quantity::EnergyCounter),
            ],
        },
        requested_hz: 50.0,
        t_ns: (0..samples).map(|i| Nanoseconds(i * PERIOD_NS)).collect(),
        columns: vec![
            ChannelTrace { channel: "energy".into(), values: energy.collect() },
            ChannelTrace { channel: "power.instant".into(), values: power },
        ],
        gaps: Vec::new(),
    }
}

fn device() -> Device {
    Device {
        ordinal: 0,
        name: "Bench".into(),
        vendor_id: 0x10de,
        device_id: 1,
        kind: DeviceKind::Discrete,
        backend: "vulkan".into(),
        driver: "bench".into(),
        driver_info: "1".into(),
        pci: "0000:19:00.0".parse().ok(),
        subgroup: SubgroupRange { min: 32, max: 32 },
        features: BTreeSet::from([Feature::F16, Feature::Timestamps]),
        limits: DeviceLimits {
            max_buffer_bytes: 1 << 36,
            max_binding_bytes: 1 << 31,
            max_workgroup_memory_bytes: 49152,
            max_invocations_per_workgroup: 1024,
            max_workgroup_size: [1024, 1024, 64],
            max_workgroups_per_dimension: 65535,
            max_storage_buffers: 32,
        },
        timestamp_period_ns: Some(1.0),
    }
}

fn plan() -> Plan {
    let settings = Settings {
        idle_s: Seconds::new(30.0),
        preheat_min_s: Seconds::new(30.0),
        preheat_max_s: Seconds::new(240.0),
        steady_span_s: Seconds::new(30.0),
        window_s: Seconds::new(10.0),
        windows_min: 5,
        windows_max: 5,
        target_half_width: Ratio::new(0.005),
        case_timeout_s: Seconds::new(120.0),
        submission_s: Seconds::new(0.15),
        in_flight: 2,
        random_gap_s: Seconds::new(0.0),
        interleaved: false,
        sampler_hz: 50.0,
        verify_samples: 1024,
    };
    Plan {
        preset: Preset::Standard,
        settings,
        origins: BTreeMap::new(),
        config_file: None,
        power: PowerRequest::Auto { assume_watts: None },
        account: AccountRequest::default(),
        seed: 1,
        cases: (0..CASES).map(case).collect(),
        expected_s: Seconds::new(2000.0),
    }
}

fn record() -> RunRecord {
    let tool = Tool {
        version: "0".into(),
        commit: None,
        dirty: None,
        rustc: String::new(),
        profile: "release".into(),
        libraries: BTreeMap::new(),
    };
    let host = Host {
        hostname: "bench".into(),
        os: "bench".into(),
        kernel: None,
        cpu: None,
        logical_cpus: 2,
        memory_bytes: None,
        container: None,
    };
    RunRecord {
        schema: RECORD_SCHEMA.into(),
        version: SCHEMA_VERSION,
        run_id: "bench".into(),
        started: "2026-01-01T00:00:00Z".into(),
        ended: Some("2026-01-01T00:33:20Z".into()),
        simulated: true,
        status: RunStatus::Complete,
        provenance: Provenance { tool, host, argv: Vec::new(), redacted: false, device_details: BTreeMap::new() },
        plan: plan(),
        devices: vec![device()],
        idle: Vec::new(),
        measurements: (0..CASES).map(measurement).collect(),
        skips: Vec::new(),
        traces: vec![trace(SAMPLES)],
        warnings: Vec::new(),
    }
}

fn records(c: &mut Criterion) {
    let record = record();
    let text = serde_json::to_string(&record).unwrap_or_default();
    assert_eq!(serde_json::from_str::<RunRecord>(&text).ok().as_ref(), Some(&record), "the record survives its text");
    let mut group = c.benchmark_group("record of 20 cases and 100 000 samples");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    group.bench_function("write", |b| b.iter(|| serde_json::to_string(black_box(&record))));
    group.bench_function("parse", |b| b.iter(|| serde_json::from_str::<RunRecord>(black_box(&text))));
    group.finish();
    c.bench_function("evaluate 20 cases and 100 000 samples", |b| b.iter(|| evaluate(black_box(&record))));
}

fn statistics(c: &mut Criterion) {
    let time: Vec<f64> = (0..1_000_000u32).map(|i| f64::from(i) * 0.02).collect();
    let watts: Vec<f64> = (0..1_000_000u32).map(|i| 500.0 + f64::from(i.wrapping_mul(2_654_435_761) >> 20)).collect();
    let mut group = c.benchmark_group("a million readings");
    group.throughput(Throughput::Elements(watts.len() as u64)).sample_size(20);
    group.bench_function("mean and interval", |b| b.iter(|| stats::mean_half_width_95(black_box(&watts))));
    group.bench_function("median", |b| b.iter(|| stats::median(black_box(&watts))));
    group.bench_function("slope", |b| b.iter(|| stats::slope(black_box(&time), black_box(&watts))));
    group.finish();
}

criterion_group!(benches, records, statistics);
criterion_main!(benches);
