//! Devices with known figures, for the tests of this room.

use std::collections::{BTreeMap, BTreeSet};

use super::{Occasion, judge, overall};
use crate::measure::result::metrics::DeviceFindings;
use crate::model::{
    Better, Case, CheckOutcome, Counted, DataPattern, Device, DeviceKind, DeviceLimits, ElementType, Evidence, Grade,
    Host, Metric, Phase, PhaseOutputs, PhaseWork, QUALIFICATION_SCHEMA, QUALIFICATION_VERSION, Qualification,
    QualifiedDevice, RunStatus, Scope, SeenDigest, Shape, SubgroupRange, Tool, Unit, Work,
};
use crate::qualify::References;
use crate::units::{Bytes, Flop, Seconds};

/// A real device by ordinal, each in a slot of its own.
pub fn device(ordinal: u32) -> Device {
    Device {
        ordinal,
        name: "Accelerator X".to_owned(),
        vendor_id: 0x10de,
        device_id: 0x1234,
        kind: DeviceKind::Discrete,
        backend: "vulkan".to_owned(),
        driver: "NVIDIA".to_owned(),
        driver_info: "570.1".to_owned(),
        pci: format!("0000:{:02x}:00.0", 0x19 + ordinal).parse().ok(),
        subgroup: SubgroupRange { min: 32, max: 32 },
        features: BTreeSet::new(),
        limits: DeviceLimits {
            max_buffer_bytes: 1 << 30,
            max_binding_bytes: 1 << 30,
            max_workgroup_memory_bytes: 1 << 15,
            max_invocations_per_workgroup: 1024,
            max_workgroup_size: [1024, 1024, 64],
            max_workgroups_per_dimension: 65535,
            max_storage_buffers: 8,
        },
        timestamp_period_ns: Some(1.0),
        cooperative: Vec::new(),
    }
}

/// The work of a phase.
pub fn work(phase: Phase) -> PhaseWork {
    let (variant, element, counted) = match phase {
        Phase::Integer => ("fma/chains-i32", ElementType::I32, Counted::Flop),
        Phase::Arithmetic => ("gemm/tiled-f32", ElementType::F32, Counted::Flop),
        Phase::Memory => ("memory/triad", ElementType::F32, Counted::Bytes),
        Phase::Mixed => ("layer/f32", ElementType::F32, Counted::Flop),
        Phase::Steps => ("fma/chains-f32", ElementType::F32, Counted::Flop),
    };
    let case = Case {
        device: 0,
        problem: variant.split('/').next().unwrap_or_default().to_owned(),
        variant: variant.to_owned(),
        shape: Shape::new([("m", 1024), ("n", 1024)]),
        element,
        pattern: DataPattern::Normal,
        seed: 1,
        params: BTreeMap::from([("tile".to_owned(), 64)]),
        work: Work { flop: Flop::new(1e9), bytes: Bytes::new(1e6) },
        counted,
        unit: Unit::Vector,
        shader_sha256: "ab".repeat(32),
    };
    PhaseWork { phase, case }
}

/// A figure; rates and efficiencies get an interval of ±0.5 %.
pub fn metric(id: &str, value: f64) -> Metric {
    let measure = super::measures::measure(id);
    let mean = measure.is_some_and(|measure| measure.mean);
    let energetic = id.contains("efficiency");
    let unit = match measure {
        Some(measure) if id.starts_with("memory") => measure.units[measure.units.len() - 1],
        Some(measure) => measure.units[0],
        None => "1",
    };
    Metric {
        id: id.to_owned(),
        value,
        unit: unit.to_owned(),
        interval: mean.then_some((value * 0.995, value * 1.005)),
        n: 400,
        evidence: energetic.then_some(Evidence::Measured),
        scope: energetic.then_some(Scope::Board),
        better: measure.and_then(|measure| measure.better).or(Some(Better::Lower)),
    }
}

/// A digest of 64 times a digit.
pub fn digest(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// Forty equal outputs of a phase.
pub fn outputs(phase: Phase) -> PhaseOutputs {
    let digit = if phase == Phase::Integer { 'a' } else { 'b' };
    PhaseOutputs {
        phase,
        known: (phase == Phase::Integer).then(|| digest('a')),
        seen: vec![SeenDigest { sha256: digest(digit), windows: 40, first_s: 10.0, last_s: 100.0 }],
        coverage: 1.0,
        failures: Vec::new(),
    }
}

/// A device in good health: rates of `speed` TFLOP/s, all counters 0.
pub fn good(ordinal: u32, speed: f64) -> DeviceFindings {
    let mut metrics = Vec::new();
    for phase in Phase::ALL {
        metrics.push(metric(&format!("{phase}.rate.mean"), speed * 1e12));
        metrics.push(metric(&format!("{phase}.rate.p1"), speed * 0.98e12));
        metrics.push(metric(&format!("{phase}.efficiency.mean"), speed * 1e9));
        metrics.push(metric(&format!("{phase}.efficiency.p1"), speed * 0.97e9));
        metrics.push(metric(&format!("{phase}.rate.jitter"), 0.004));
        metrics.push(metric(&format!("{phase}.output.wrong"), 0.0));
    }
    for (id, value) in [
        ("power.limit.attainment", 0.8),
        ("temperature.max", 65.0),
        ("temperature.rise_per_watt", 0.1),
        ("throttle.thermal", 0.0),
        ("throttle.hardware", 0.0),
        ("throttle.power-cap", 0.3),
        ("ecc.corrected", 0.0),
        ("ecc.uncorrected", 0.0),
        ("pcie.replays", 0.0),
        ("driver.errors", 0.0),
    ] {
        metrics.push(metric(id, value));
    }
    DeviceFindings {
        device: device(ordinal),
        identity: BTreeMap::from([("serial".to_owned(), format!("S{ordinal}"))]),
        work: Phase::ALL.map(work).to_vec(),
        metrics,
        outputs: Phase::ALL.map(outputs).to_vec(),
        losses: Vec::new(),
    }
}

/// The same with one figure changed; a mean keeps its interval of ±0.5 %.
pub fn with(mut findings: DeviceFindings, id: &str, value: f64) -> DeviceFindings {
    match findings.metrics.iter_mut().find(|metric| metric.id == id) {
        Some(own) => {
            own.value = value;
            own.interval = own.interval.map(|_| (value * 0.995, value * 1.005));
        }
        None => findings.metrics.push(metric(id, value)),
    }
    findings
}

/// The same without one figure.
pub fn without(mut findings: DeviceFindings, id: &str) -> DeviceFindings {
    findings.metrics.retain(|metric| metric.id != id);
    findings
}

/// How the qualification that is being judged went: ten minutes, as planned.
pub fn occasion() -> Occasion {
    Occasion {
        id: "now".to_owned(),
        started: "2026-11-23T08:00:00Z".to_owned(),
        host: "node1".to_owned(),
        status: RunStatus::Complete,
        planned: Seconds::new(600.0),
        measured: Seconds::new(600.0),
    }
}

/// A finished qualification of these devices on `node1`, judged without references besides each other.
pub fn qualification(id: &str, findings: &[DeviceFindings]) -> Qualification {
    let devices = judge(findings, &References::default());
    Qualification {
        schema: QUALIFICATION_SCHEMA.to_owned(),
        version: QUALIFICATION_VERSION,
        id: id.to_owned(),
        started: format!("2026-11-{id}T00:00:00Z"),
        ended: None,
        status: RunStatus::Complete,
        simulated: false,
        inject_error: false,
        tool: Tool {
            version: "0".to_owned(),
            commit: None,
            dirty: None,
            rustc: String::new(),
            profile: String::new(),
            libraries: BTreeMap::new(),
        },
        program_sha256: String::new(),
        host: Host {
            hostname: "node1".to_owned(),
            os: String::new(),
            kernel: None,
            cpu: None,
            logical_cpus: 1,
            memory_bytes: None,
            container: None,
        },
        labels: BTreeMap::new(),
        planned_s: Seconds::new(600.0),
        measured_s: Seconds::new(600.0),
        grade: overall(&devices),
        devices,
        segments: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The gravest outcome of a code.
pub fn of<'a>(device: &'a QualifiedDevice, code: &str) -> &'a CheckOutcome {
    let found = device.checks.iter().find(|check| check.code == code);
    found.unwrap_or_else(|| panic!("no {code} among {:?}", codes(device, Grade::Pass)))
}

/// Codes of at least this grade, gravest first.
pub fn codes(device: &QualifiedDevice, least: Grade) -> Vec<String> {
    device.checks.iter().filter(|check| check.grade >= least).map(|check| check.code.clone()).collect()
}
