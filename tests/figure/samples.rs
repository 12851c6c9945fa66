//! Hand-built records with plausible numbers: a data-centre GPU with a sensor, and a software adapter without one.

use std::collections::{BTreeMap, BTreeSet};

use wattmark::clock::Nanoseconds;
use wattmark::figure::{RegionBar, RegionChart};
use wattmark::measure::result::{CaseResult, Ceilings, EnergyMethod, EnergyResult, RunResult, Uncertainty};
use wattmark::model::*;
use wattmark::units::{
    Bytes, BytesPerSecond, Flop, FlopPerSecond, GramsPerKilowattHour, Joules, Ratio, Seconds, Watts,
};

/// One case in short: variant, shape, element, counted in FLOP, FLOP, bytes, seconds per execution, watts.
pub struct Row {
    pub variant: &'static str,
    pub shape: &'static [(&'static str, u64)],
    pub element: ElementType,
    pub counted: Counted,
    pub flop: f64,
    pub bytes: f64,
    pub seconds: f64,
    pub watts: f64,
}

const F32: ElementType = ElementType::F32;
const F16: ElementType = ElementType::F16;

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let row = |variant, shape, element, counted, flop, bytes, rate: f64, watts| {
        let amount: f64 = if counted == Counted::Flop { flop } else { bytes };
        Row { variant, shape, element, counted, flop, bytes, seconds: amount / rate, watts }
    };
    const CUBE: &[(&str, u64)] = &[("k", 4096), ("m", 4096), ("n", 4096)];
    const LINE: &[(&str, u64)] = &[("n", 268_435_456)];
    const SHEET: &[(&str, u64)] = &[("cols", 4096), ("rows", 16384)];
    const ATTENTION: &[(&str, u64)] = &[("batch", 4), ("d", 128), ("heads", 32), ("kv_heads", 8), ("seq", 2048)];
    use Counted::{Bytes as B, Flop as F};
    vec![
        row("fma/f32", &[("n", 1 << 20)], F32, F, 8.6e12, 8.4e6, 58.2e12, 612.0),
        row("fma/f16", &[("n", 1 << 20)], F16, F, 8.6e12, 4.2e6, 112.0e12, 583.0),
        row("memory-read/vec4", LINE, F32, B, 2.7e8, 1.07e9, 4.12e12, 468.0),
        row("memory-copy/vec4", LINE, F32, B, 0.0, 2.15e9, 3.95e12, 487.0),
        row("memory-triad/vec4", LINE, F32, B, 5.4e8, 3.22e9, 3.97e12, 495.0),
        row("gemm/naive-f32", CUBE, F32, F, 1.374e11, 2.01e8, 5.4e12, 398.0),
        row("gemm/tiled-f32", CUBE, F32, F, 1.374e11, 2.01e8, 38.6e12, 655.0),
        row("gemv/rows-f32", SHEET, F32, B, 1.34e8, 2.69e8, 3.71e12, 470.0),
        row("gemv/rows-f16", SHEET, F16, B, 1.34e8, 1.34e8, 3.42e12, 455.0),
        row("rmsnorm/two-pass", SHEET, F32, B, 2.7e8, 5.4e8, 3.3e12, 431.0),
        row("softmax/online", SHEET, F32, B, 3.4e8, 5.4e8, 3.1e12, 428.0),
        row("attention-prefill/causal-f32", ATTENTION, F32, F, 1.37e11, 1.34e8, 14.2e12, 512.0),
        row("attention-decode/split-kv-f16", &[("batch", 32), ("d", 128), ("heads", 32), ("kv_heads", 8), ("seq", 8192)], F16, B, 4.3e9, 1.07e9, 2.2e12, 402.0),
        row("swiglu/fused", SHEET, F32, B, 6.7e8, 8.05e8, 3.5e12, 440.0),
    ]
}

fn case(row: &Row) -> Case {
    Case {
        device: 0,
        problem: row.variant.split('/').next().unwrap().to_owned(),
        variant: row.variant.to_owned(),
        shape: Shape::new(row.shape.iter().copied()),
        element: row.element,
        pattern: DataPattern::Normal,
        seed: 1,
        params: BTreeMap::new(),
        work: Work { flop: Flop::new(row.flop), bytes: Bytes::new(row.bytes) },
        counted: row.counted,
        unit: Unit::Vector,
        shader_sha256: "00".repeat(32),
    }
}

fn estimate<Q: wattmark::units::Quantity>(value: f64, half_width: Option<f64>) -> Estimate<Q> {
    Estimate {
        point: Q::new(value),
        interval: half_width.map(|half| Interval {
            low: Q::new(value * (1.0 - half)),
            high: Q::new(value * (1.0 + half)),
            confidence: 0.95,
        }),
        n: 5,
        method: EstimateMethod::Mean,
    }
}

fn result_of(row: &Row, scope: Scope, evidence: Evidence) -> CaseResult {
    let width = (evidence == Evidence::Measured).then_some(0.052);
    let joules = row.watts * row.seconds;
    CaseResult {
        case: case(row),
        verified: true,
        total_flop: Flop::new(row.flop * 1e4),
        total_bytes: Bytes::new(row.bytes * 1e4),
        total_time: Seconds::new(row.seconds * 1e4),
        per_execution: Some(estimate(row.seconds, Some(0.006))),
        flop_rate: (row.flop > 0.0).then(|| estimate(row.flop / row.seconds, Some(0.006))),
        byte_rate: Some(estimate(row.bytes / row.seconds, Some(0.006))),
        energy: vec![EnergyResult {
            source: "nvml:0000:19:00.0".to_owned(),
            scope,
            evidence,
            method: EnergyMethod::Counter,
            disagreement: None,
            coverage: Ratio::new(1.0),
            window_energy: vec![Joules::new(row.watts * 10.0); 5],
            power: estimate(row.watts, width),
            idle: Some(Watts::new(78.0)),
            per_execution: estimate(joules, width),
            flop_efficiency: (row.flop > 0.0).then(|| estimate(row.flop / joules, width)),
            byte_efficiency: estimate(row.bytes / joules, width),
            uncertainty: Uncertainty::of_half_widths(width.map(|_| 0.004), 0.01, 0.05),
            correction: None,
        }],
        of_ceiling: None,
        roof: None,
        warnings: Vec::new(),
    }
}

fn window(kind: WindowKind, start: f64, end: f64) -> Window {
    let at = |s: f64| Nanoseconds((s * 1e9) as u64);
    Window { kind, start_ns: at(start), end_ns: at(end), dispatches: 1000, device_busy_ns: None }
}

fn check() -> Check {
    Check { sampled: 512, worst_error_in_bounds: 0.3, max_abs_error: 1e-5, scanned: 1 << 20, ..Check::default() }
}

/// Windows of the n-th case: a preheat and five windows, without pauses.
fn windows(start: f64, preheat: f64, length: f64) -> Vec<Window> {
    let mut windows = vec![window(WindowKind::Preheat, start, start + preheat)];
    let first = start + preheat;
    for i in 0..5 {
        let i = f64::from(i);
        windows.push(window(WindowKind::Measure, first + i * length, first + (i + 1.0) * length));
    }
    windows
}

fn device(name: &str, kind: DeviceKind) -> Device {
    Device {
        ordinal: 0,
        name: name.to_owned(),
        vendor_id: 0x10de,
        device_id: 0x2335,
        kind,
        backend: "vulkan".to_owned(),
        driver: "NVIDIA".to_owned(),
        driver_info: "570.86".to_owned(),
        pci: None,
        subgroup: SubgroupRange { min: 32, max: 32 },
        features: BTreeSet::new(),
        limits: DeviceLimits {
            max_buffer_bytes: 1 << 32,
            max_binding_bytes: 1 << 31,
            max_workgroup_memory_bytes: 49152,
            max_invocations_per_workgroup: 1024,
            max_workgroup_size: [1024, 1024, 64],
            max_workgroups_per_dimension: 65535,
            max_storage_buffers: 8,
        },
        timestamp_period_ns: Some(1.0),
        cooperative: Vec::new(),
    }
}

fn plan(preset: Preset) -> Plan {
    let second = Seconds::new(1.0);
    Plan {
        preset,
        settings: Settings {
            idle_s: second,
            preheat_min_s: second,
            preheat_max_s: second,
            steady_span_s: second,
            window_s: second,
            windows_min: 5,
            windows_max: 5,
            target_half_width: Ratio::new(0.01),
            case_timeout_s: second,
            submission_s: second,
            in_flight: 2,
            random_gap_s: second,
            interleaved: false,
            sampler_hz: 50.0,
            verify_samples: 512,
        },
        origins: BTreeMap::new(),
        config_file: None,
        power: PowerRequest::Auto { assume_watts: None },
        account: AccountRequest::default(),
        seed: 1,
        cases: Vec::new(),
        link: false,
        expected_s: second,
        inject_error: false,
        user_shaders: Vec::new(),
    }
}

/// A record without devices, cases or traces.
pub fn empty_record(run_id: &str, preset: Preset) -> RunRecord {
    let host = Host {
        hostname: "node-17".to_owned(),
        os: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        kernel: None,
        cpu: None,
        logical_cpus: 16,
        memory_bytes: None,
        container: None,
    };
    let tool = Tool {
        version: "0.1.0".to_owned(),
        commit: None,
        dirty: None,
        rustc: "rustc 1.90".to_owned(),
        profile: "release".to_owned(),
        libraries: BTreeMap::new(),
    };
    RunRecord {
        schema: RECORD_SCHEMA.to_owned(),
        version: SCHEMA_VERSION,
        run_id: run_id.to_owned(),
        started: "2026-03-01T08:00:00Z".to_owned(),
        ended: None,
        simulated: false,
        status: RunStatus::Complete,
        provenance: Provenance { tool, host, argv: Vec::new(), redacted: false, device_details: BTreeMap::new() },
        plan: plan(preset),
        devices: Vec::new(),
        idle: Vec::new(),
        measurements: Vec::new(),
        skips: Vec::new(),
        tunings: Vec::new(),
        links: Vec::new(),
        commands: Vec::new(),
        calibrations: Vec::new(),
        traces: Vec::new(),
        warnings: Vec::new(),
    }
}

fn channel(id: &str, quantity: wattmark::model::Quantity, scope: Scope) -> Channel {
    Channel::new(id, quantity, scope)
}

/// A source with one power channel, sampled at 50 Hz.
pub fn source(
    id: &str,
    device: Option<u32>,
    scope: Scope,
    evidence: Evidence,
    values: Vec<Option<f64>>,
) -> SourceTrace {
    SourceTrace {
        source: SourceInfo {
            id: id.to_owned(),
            kind: "test".to_owned(),
            device,
            evidence,
            note: String::new(),
            channels: vec![channel("power", wattmark::model::Quantity::InstantPower, scope)],
        },
        requested_hz: 50.0,
        t_ns: (0..values.len() as u64).map(|i| Nanoseconds(i * 20_000_000)).collect(),
        columns: vec![ChannelTrace { channel: "power".to_owned(), values }],
        gaps: Vec::new(),
    }
}

/// Deterministic noise between -1 and 1.
fn noise(index: usize) -> f64 {
    let mixed = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)) % 2001) as f64 / 1000.0 - 1.0
}

/// Power over a run: idle, then each case's watts with a rise over the first second, sampled at 50 Hz.
fn trace_of(record: &RunRecord, watts: &[f64], idle: f64, end: f64) -> Vec<Option<f64>> {
    let case_at = |t: f64| {
        record.measurements.iter().position(|m| {
            let (first, last) = (m.windows.first().unwrap(), m.windows.last().unwrap());
            (first.start_ns.0 as f64 / 1e9..last.end_ns.0 as f64 / 1e9).contains(&t)
        })
    };
    let mut level = idle;
    (0..(end * 50.0) as usize)
        .map(|i| {
            let target = case_at(i as f64 * 0.02).map_or(idle, |case| watts[case]);
            level += (target - level) * 0.05;
            Some(level * (1.0 + 0.01 * noise(i)))
        })
        .collect()
}

fn measurements(rows: &[Row], first: f64, preheat: f64, length: f64) -> Vec<Measurement> {
    let pitch = preheat + 5.0 * length + 1.0;
    rows.iter()
        .enumerate()
        .map(|(index, row)| Measurement {
            case: case(row),
            verification: Verification::Passed { before: check(), after: check() },
            calibration: None,
            timing: None,
            steadiness: None,
            windows: windows(first + index as f64 * pitch, preheat, length),
            stop: Some(StopReason::TightEnough),
            warnings: Vec::new(),
            injected: None,
            sustained: None,
        })
        .collect()
}

fn skip(row: &Row) -> Skip {
    let detail = format!("{} needs f16, which the device does not have", row.variant);
    Skip { case: case(row), reason: SkipReason::MissingFeature, detail }
}

/// A data-centre GPU: board power by NVML, CPU package power beside it, 14 measured cases.
pub fn h200() -> (RunRecord, RunResult, RegionChart) {
    let rows = rows();
    let mut record = empty_record("20260301T080000Z-node-17-4c1d", Preset::Standard);
    record.devices = vec![device("NVIDIA H200", DeviceKind::Discrete)];
    record.idle = vec![IdleBaseline {
        device: 0,
        windows: vec![window(WindowKind::IdleCold, 0.0, 30.0), window(WindowKind::IdleContext, 31.0, 61.0)],
    }];
    record.measurements = measurements(&rows, 63.0, 32.0, 10.0);
    let end = 63.0 + 14.0 * 83.0;
    let watts: Vec<f64> = rows.iter().map(|row| row.watts).collect();
    let mut board = trace_of(&record, &watts, 78.0, end);
    for reading in board.iter_mut().skip(20_000).take(400) {
        *reading = None;
    }
    let package = trace_of(&record, &[96.0; 14], 62.0, end);
    record.traces = vec![
        source("nvml:0000:19:00.0", Some(0), Scope::Board, Evidence::Measured, board),
        source("rapl:package-0", None, Scope::Package, Evidence::Measured, package),
    ];
    record.traces[0].source.note = "power field 186, refreshed every 100 ms".to_owned();
    let ceiling = Ceilings {
        arithmetic: BTreeMap::from([
            ((Unit::Vector, F32), FlopPerSecond::new(rows[0].flop / rows[0].seconds)),
            ((Unit::Vector, F16), FlopPerSecond::new(rows[1].flop / rows[1].seconds)),
        ]),
        bandwidth: Some(BytesPerSecond::new(rows[2].bytes / rows[2].seconds)),
    };
    let result = RunResult {
        cases: rows.iter().map(|row| result_of(row, Scope::Board, Evidence::Measured)).collect(),
        skips: Vec::new(),
        ceilings: BTreeMap::from([(0, ceiling)]),
        commands: Vec::new(),
    };
    let regions = regions(1.7e7, Evidence::Measured, Scope::Board);
    (record, result, regions)
}

/// A software adapter: package power estimated, f16 cases skipped, one case that failed verification.
pub fn llvmpipe() -> (RunRecord, RunResult, RegionChart) {
    let slow: Vec<Row> = rows()
        .into_iter()
        .enumerate()
        .map(|(index, row)| Row { seconds: row.seconds * 800.0 * (1.0 + 0.1 * index as f64), watts: 19.0, ..row })
        .collect();
    let (halves, singles): (Vec<Row>, Vec<Row>) = slow.into_iter().partition(|row| row.element == F16);
    let mut record = empty_record("20260301T091500Z-laptop-9f02", Preset::Quick);
    record.devices = vec![device("llvmpipe (LLVM 15.0.6, 256 bits)", DeviceKind::Software)];
    record.idle = vec![IdleBaseline { device: 0, windows: vec![window(WindowKind::IdleContext, 0.0, 2.0)] }];
    record.measurements = measurements(&singles, 2.5, 1.0, 0.5);
    record.skips = halves.iter().map(skip).collect();
    let watts: Vec<f64> = singles.iter().map(|_| 19.0).collect();
    let trace = trace_of(&record, &watts, 4.0, 2.5 + 4.5 * singles.len() as f64);
    record.traces = vec![source("estimate:cpu-time", Some(0), Scope::Package, Evidence::Estimated, trace)];
    record.traces[0].source.note = "CPU time of this process times 10 W per core".to_owned();
    let mut cases: Vec<CaseResult> =
        singles.iter().map(|row| result_of(row, Scope::Package, Evidence::Estimated)).collect();
    let failed = cases.last_mut().unwrap();
    failed.verified = false;
    failed.flop_rate = None;
    failed.byte_rate = None;
    failed.energy.clear();
    let ceiling = Ceilings {
        arithmetic: cases[0].flop_rate.map(|rate| ((Unit::Vector, F32), rate.point)).into_iter().collect(),
        bandwidth: cases[1].byte_rate.map(|rate| rate.point),
    };
    let result = RunResult {
        cases,
        skips: record.skips.clone(),
        ceilings: BTreeMap::from([(0, ceiling)]),
        commands: Vec::new(),
    };
    let regions = regions(3.9e8, Evidence::Estimated, Scope::Package);
    (record, result, regions)
}

fn regions(joules: f64, evidence: Evidence, scope: Scope) -> RegionChart {
    let energy: Estimate<Joules> = estimate(joules, (evidence == Evidence::Measured).then_some(0.052));
    let bar = |code: &str, name: &str, factor: f64, gas, year, basis| RegionBar {
        code: code.to_owned(),
        name: name.to_owned(),
        grams: energy.map(|e| e.to_kilowatt_hours() * GramsPerKilowattHour::new(factor * 1.2)),
        gas,
        year: Some(year),
        basis,
        intensity: GramsPerKilowattHour::new(factor),
        method: FactorMethod::Average,
        life_cycle: Some(gas == Gas::Co2e),
        publisher: "a publisher".to_owned(),
    };
    let average = Basis::Consumption;
    RegionChart {
        job: "1 EFLOP of gemm/tiled-f32 at k=m=n=4096".to_owned(),
        energy,
        scope,
        evidence,
        pue: 1.2,
        pue_evidence: Evidence::Declared,
        chosen: Some("CN-QH".to_owned()),
        chosen_word: "chosen site".to_owned(),
        note: Some("the factors do not count the same thing (gas: CO2 and CO2e)".to_owned()),
        bars: vec![
            bar("CN-GS", "Gansu", 447.1, Gas::Co2, 2023, average),
            bar("CN-QH", "Qinghai", 179.6, Gas::Co2, 2023, average),
            bar("CN-NM", "Inner Mongolia", 684.9, Gas::Co2, 2023, average),
            bar("FRA", "France", 44.2, Gas::Co2e, 2024, Basis::Generation),
            bar("US-CAMX", "WECC California", 195.0, Gas::Co2e, 2023, Basis::Generation),
            bar("DEU", "Germany", 344.0, Gas::Co2e, 2024, Basis::Generation),
            bar("POL", "Poland", 615.0, Gas::Co2e, 2024, Basis::Generation),
            bar("WORLD", "World", 473.0, Gas::Co2e, 2024, Basis::Generation),
        ],
    }
}
