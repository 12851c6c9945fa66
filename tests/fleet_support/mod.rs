//! Records of a fleet that does not exist: nodes of one model whose figures scatter by 1 %, made from the golden qualification.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wattmark::model::{
    Better, CheckOutcome, Metric, Phase, PhaseOutputs, PhaseWork, Qualification, QualifiedDevice, SeenDigest,
};
use wattmark::stats::SplitMix64;

const GOLDEN: &str = include_str!("../fixtures/qualifications/v1.0.json");

/// A number that stands for a value in the text of a template.
const FIRST_SENTINEL: u64 = 7_654_321_000;

/// A healthy node with one device: five phases with works, outputs and figures, and a check for each; about 30 KB.
pub fn healthy(name: &str) -> Qualification {
    let mut node: Qualification = serde_json::from_str(GOLDEN).unwrap();
    node.id = format!("20260822T101530Z-{name}-3f9c");
    node.host.hostname = name.to_owned();
    node.labels.clear();
    node.devices.truncate(1);
    node.grade = wattmark::model::Grade::Pass;
    let device = &mut node.devices[0];
    device.identity = [("uuid".to_owned(), format!("GPU-{name}"))].into();
    let case = device.work[0].case.clone();
    device.work = Phase::ALL.map(|phase| PhaseWork { phase, case: case.clone() }).to_vec();
    let seen = |phase: Phase| SeenDigest {
        sha256: format!("{:064x}", phase as u32 + 1),
        windows: 120,
        first_s: 10.0,
        last_s: 1790.0,
    };
    let outputs = |phase: Phase| PhaseOutputs {
        phase,
        known: (phase == Phase::Integer).then(|| seen(phase).sha256),
        seen: vec![seen(phase)],
        coverage: 1.0,
        failures: Vec::new(),
    };
    device.outputs = Phase::ALL.map(outputs).to_vec();
    device.metrics = metrics(&device.metrics[0].clone());
    device.checks = checks(device);
    node
}

fn metrics(model: &Metric) -> Vec<Metric> {
    let metric = |id: String, value: f64, unit: &str, better: Option<Better>| Metric {
        id,
        value,
        unit: unit.to_owned(),
        interval: Some((value * 0.99, value * 1.01)),
        better,
        ..model.clone()
    };
    let (higher, lower) = (Some(Better::Higher), Some(Better::Lower));
    let mut all = Vec::new();
    for phase in Phase::ALL {
        for (name, value, unit, better) in [
            ("rate.mean", 4e13, "FLOP/s", higher),
            ("rate.p1", 3.9e13, "FLOP/s", higher),
            ("rate.jitter", 0.01, "1", lower),
            ("efficiency.mean", 6e10, "FLOP/J", higher),
            ("efficiency.p1", 5.9e10, "FLOP/J", higher),
            ("power.mean", 650.0, "W", None),
            ("output.wrong", 0.0, "1", lower),
        ] {
            all.push(metric(format!("{phase}.{name}"), value, unit, better));
        }
    }
    for (name, value, unit, better) in [
        ("power.limit.attainment", 0.96, "1", higher),
        ("temperature.max", 70.0, "°C", lower),
        ("temperature.rise_per_watt", 0.06, "K/W", lower),
        ("throttle.thermal", 0.0, "1", lower),
        ("throttle.hardware", 0.0, "1", lower),
        ("ecc.corrected", 0.0, "1", lower),
        ("ecc.uncorrected", 0.0, "1", lower),
        ("pcie.replays", 0.0, "1", lower),
        ("driver.errors", 0.0, "1", lower),
    ] {
        all.push(metric(name.to_owned(), value, unit, better));
    }
    all
}

fn checks(device: &QualifiedDevice) -> Vec<CheckOutcome> {
    let model = &device.checks[0];
    let detail = "4.00e13 FLOP/s over 120 windows; the limit is 3.80e13 FLOP/s, 5 % below what the profile states";
    let check = |metric: &Metric| CheckOutcome {
        metric: Some(metric.id.clone()),
        value: Some(metric.value),
        limit: Some(metric.value * 0.95),
        unit: metric.unit.clone(),
        detail: detail.to_owned(),
        ..model.clone()
    };
    device.metrics.iter().map(check).collect()
}

/// Changes a figure of the node's device.
pub fn scale(node: &mut Qualification, id: &str, factor: f64) {
    let metric = metric_mut(node, id);
    metric.value *= factor;
}

/// Sets a figure of the node's device.
pub fn set(node: &mut Qualification, id: &str, value: f64) {
    metric_mut(node, id).value = value;
}

fn metric_mut<'a>(node: &'a mut Qualification, id: &str) -> &'a mut Metric {
    node.devices[0].metrics.iter_mut().find(|metric| metric.id == id).unwrap()
}

/// Scatters all figures of the node by 1 % (normal distribution).
pub fn scatter(node: &mut Qualification, random: &mut SplitMix64) {
    for metric in &mut node.devices[0].metrics {
        metric.value *= 1.0 + 0.01 * normal(random);
    }
}

/// A normal variate, by the polar form of Box and Muller.
pub fn normal(random: &mut SplitMix64) -> f64 {
    let uniform = |random: &mut SplitMix64| (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let (u, v) = (1.0 - uniform(random), uniform(random));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Saves a node as `<folder>/<name>/qualification.json`.
pub fn save(folder: &Path, node: &Qualification) -> PathBuf {
    let own = folder.join(&node.id);
    std::fs::create_dir_all(&own).unwrap();
    let path = own.join("qualification.json");
    std::fs::write(&path, serde_json::to_string_pretty(node).unwrap()).unwrap();
    path
}

/// Writes so many healthy nodes in sixteen racks as `<folder>/node-000001.json`, flat, quickly; every thousandth is 10 % slow
/// in arithmetic.
pub fn write_many(folder: &Path, count: usize) {
    std::fs::create_dir_all(folder).unwrap();
    let mut model = healthy("node-template");
    model.labels.insert("rack".to_owned(), "rack-template".to_owned());
    let mut values = Vec::new();
    for (index, metric) in model.devices[0].metrics.iter_mut().enumerate() {
        values.push((metric.id.clone(), metric.value));
        metric.value = (FIRST_SENTINEL + index as u64) as f64;
        metric.interval = None;
    }
    let text = serde_json::to_string_pretty(&model).unwrap();
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    for index in 0..values.len() {
        let sentinel = format!("\"value\": {}.0", FIRST_SENTINEL + index as u64);
        let (before, after) = rest.split_once(&sentinel).unwrap();
        parts.push(before);
        rest = after;
    }
    let mut random = SplitMix64::new(1);
    for number in 0..count {
        let mut out = String::with_capacity(text.len() + 512);
        for (part, (id, value)) in parts.iter().zip(&values) {
            let slow = if number % 1000 == 999 && id.starts_with("arithmetic.rate") { 0.9 } else { 1.0 };
            let _ = write!(out, "{part}\"value\": {:?}", value * slow * (1.0 + 0.01 * normal(&mut random)));
        }
        out.push_str(rest);
        let out = out.replace("node-template", &format!("node-{number:06}"));
        let out = out.replace("rack-template", &format!("r{:02}", number % 16));
        std::fs::write(folder.join(format!("node-{number:06}.json")), out).unwrap();
    }
}
