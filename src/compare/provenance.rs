//! Every difference between two runs besides their figures: tool, machine, driver, device, power source, settings, kernels.
//!
//! Records are compared as the JSON they are, key by key, so that a field added to the record later is not forgotten here.
//! Run id and times always differ and are left out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Pair;
use crate::model::{Quantity, RunRecord, TuningOrigin};
use crate::stats;

/// What a difference belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The whole run.
    Run,
    /// A pair of devices: ordinals in A and in B.
    Device(u32, u32),
    /// A pair of cases, by the label of A's.
    Case(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run => f.pad("run"),
            Self::Device(a, b) if a == b => f.pad(&format!("device {a}")),
            Self::Device(a, b) => f.pad(&format!("device {a} / {b}")),
            Self::Case(label) => f.pad(label),
        }
    }
}

/// What a difference is about: what a reader asks for before trusting a ratio, in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// One record is of simulated devices.
    Simulation,
    /// The hardware itself.
    Device,
    /// Driver and firmware.
    Driver,
    /// Clocks.
    Clocks,
    /// Power limits.
    PowerCap,
    /// Power sources, with their scope and evidence.
    PowerSource,
    /// Tuned or not, and for what.
    Tuning,
    /// Variant, parameters and text of the kernels.
    Kernel,
    /// Preset, settings, seed, timing method: how it was measured.
    Protocol,
    /// Whether the measurement went well: status, steadiness, warnings.
    Quality,
    /// Program and machine.
    Tool,
}

/// The topics as a reader meets them.
impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Simulation => "simulation",
            Self::Device => "device",
            Self::Driver => "driver",
            Self::Clocks => "clocks",
            Self::PowerCap => "power cap",
            Self::PowerSource => "power source",
            Self::Tuning => "tuning",
            Self::Kernel => "kernel",
            Self::Protocol => "protocol",
            Self::Quality => "quality",
            Self::Tool => "tool and host",
        })
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it belongs to.
    pub place: Place,
    /// What it is about.
    pub topic: Topic,
    /// What it is, for example `tool.commit`.
    pub what: String,
    /// Value in A; `None` if A does not record it.
    pub a: Option<String>,
    /// Value in B; `None` if B does not record it.
    pub b: Option<String>,
}

/// What a fact is about, by its key.
fn topic(place: &Place, key: &str) -> Topic {
    let has = |part: &str| key.contains(part);
    match (place, key) {
        (_, "simulated") => Topic::Simulation,
        (_, "status" | "warnings" | "steady") => Topic::Quality,
        (_, "tuned") => Topic::Tuning,
        _ if has("clock") => Topic::Clocks,
        _ if has("power_cap") || has("power_limit") || has("power limit") => Topic::PowerCap,
        _ if key.starts_with("power ") => Topic::PowerSource,
        (Place::Case(_), "timing method") => Topic::Protocol,
        (Place::Case(_), _) => Topic::Kernel,
        (Place::Device(..), _) if has("driver") || has("vbios") || has("firmware") || key == "backend" => Topic::Driver,
        (Place::Device(..), _) => Topic::Device,
        // What the options amount to stands among the settings; the command line itself also names folders.
        (Place::Run, "command line" | "config file") => Topic::Tool,
        (Place::Run, _) if key.starts_with("tool") || key.starts_with("host") || key.starts_with("record") => {
            Topic::Tool
        }
        (Place::Run, _) => Topic::Protocol,
    }
}

type Facts = BTreeMap<String, String>;

/// All differences between two records whose devices are paired as given.
pub fn differences(a: &RunRecord, b: &RunRecord, devices: &[(u32, u32)], pairs: &[Pair]) -> Vec<Difference> {
    let mut all = between(&Place::Run, &run_facts(a), &run_facts(b));
    for (x, y) in devices {
        all.extend(between(&Place::Device(*x, *y), &device_facts(a, *x), &device_facts(b, *y)));
        all.extend(clocks((a, *x), (b, *y)));
    }
    for pair in pairs {
        let place = Place::Case(pair.a.label());
        all.extend(between(&place, &case_facts(a, &pair.a), &case_facts(b, &pair.b)));
    }
    all
}

fn between(place: &Place, a: &Facts, b: &Facts) -> Vec<Difference> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    keys.into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| Difference {
            place: place.clone(),
            topic: topic(place, key),
            what: key.clone(),
            a: a.get(key).cloned(),
            b: b.get(key).cloned(),
        })
        .collect()
}

/// Adds a value and everything below it under dotted keys; lists of plain values become one text, null is "not recorded".
fn flatten(key: &str, value: &Value, facts: &mut Facts) {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, below) in fields {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, below, facts);
            }
        }
        Value::Array(items) => {
            facts.insert(key.to_owned(), items.iter().map(plain).collect::<Vec<_>>().join(" "));
        }
        other => {
            facts.insert(key.to_owned(), plain(other));
        }
    }
}

fn add<T: Serialize>(key: &str, value: &T, facts: &mut Facts) {
    // The record's types serialise without fail: they have just been read from JSON.
    flatten(key, &serde_json::to_value(value).unwrap_or(Value::Null), facts);
}

fn run_facts(record: &RunRecord) -> Facts {
    let mut facts = Facts::new();
    let (provenance, plan) = (&record.provenance, &record.plan);
    add("tool", &provenance.tool, &mut facts);
    add("host", &provenance.host, &mut facts);
    add("command line", &provenance.argv, &mut facts);
    add("preset", &plan.preset, &mut facts);
    add("settings", &plan.settings, &mut facts);
    add("seed", &plan.seed, &mut facts);
    add("config file", &plan.config_file, &mut facts);
    add("power request", &plan.power, &mut facts);
    add("simulated", &record.simulated, &mut facts);
    add("status", &record.status, &mut facts);
    add("record version", &record.version.to_string(), &mut facts);
    let unbound: Vec<_> = record.traces.iter().filter(|trace| trace.source.device.is_none()).collect();
    sources(&unbound, &mut facts);
    facts
}

fn device_facts(record: &RunRecord, ordinal: u32) -> Facts {
    let mut facts = Facts::new();
    if let Some(device) = record.device(ordinal) {
        add("", device, &mut facts);
        facts.remove("ordinal");
    }
    if let Some(details) = record.provenance.device_details.get(&ordinal) {
        add("details", details, &mut facts);
    }
    let own: Vec<_> = record.traces.iter().filter(|trace| trace.source.device == Some(ordinal)).collect();
    sources(&own, &mut facts);
    facts
}

/// Power sources by kind, with what they measure, their channels, the cadence asked for and the power limit they saw.
fn sources(traces: &[&crate::model::SourceTrace], facts: &mut Facts) {
    for trace in traces {
        let source = &trace.source;
        let key = format!("power source {}", source.kind);
        add(&format!("{key}.evidence"), &source.evidence, facts);
        add(&format!("{key}.note"), &source.note, facts);
        add(&format!("{key}.requested_hz"), &trace.requested_hz, facts);
        for channel in &source.channels {
            add(&format!("{key}.{}", channel.id), channel, facts);
        }
        let limits = trace.by_quantity(Quantity::PowerLimit).map(|(_, column)| column.values.iter().flatten().copied());
        if let Some(limit) = limits.and_then(|values| stats::median(&values.collect::<Vec<f64>>())) {
            facts.insert(format!("{key}.power limit (median)"), format!("{limit} W"));
        }
    }
}

/// Least difference of the median clocks of two runs that is told: below it a governor wanders from run to run.
const CLOCK_DIFFERENCE: f64 = 0.02;

/// Clocks that the two devices ran at under load, where they are apart.
fn clocks((a, x): (&RunRecord, u32), (b, y): (&RunRecord, u32)) -> Vec<Difference> {
    let mut found = Vec::new();
    for (quantity, what) in [(Quantity::CoreClock, "core clock"), (Quantity::MemoryClock, "memory clock")] {
        let (first, second) = (clock_under_load(a, x, quantity), clock_under_load(b, y, quantity));
        let apart = match (first, second) {
            (Some(first), Some(second)) => (second / first).ln().abs() > CLOCK_DIFFERENCE,
            (None, None) => false,
            _ => true,
        };
        if apart {
            let text = |hertz: Option<f64>| hertz.map(|hertz| format!("{:.0} MHz", hertz / 1e6));
            found.push(Difference {
                place: Place::Device(x, y),
                topic: Topic::Clocks,
                what: format!("{what} under load (median)"),
                a: text(first),
                b: text(second),
            });
        }
    }
    found
}

/// Median of a clock over all measured windows of a device, in hertz.
fn clock_under_load(record: &RunRecord, ordinal: u32, quantity: Quantity) -> Option<f64> {
    let own = record.measurements.iter().filter(|measurement| measurement.case.device == ordinal);
    let windows: Vec<_> = own.flat_map(|measurement| measurement.measured()).collect();
    let trace = record
        .traces
        .iter()
        .find(|trace| trace.source.device == Some(ordinal) && trace.by_quantity(quantity).is_some())?;
    let (_, column) = trace.by_quantity(quantity)?;
    let mut values = Vec::new();
    for window in windows {
        let from = trace.t_ns.partition_point(|t| *t < window.start_ns);
        let to = trace.t_ns.partition_point(|t| *t <= window.end_ns).max(from);
        values.extend(column.values.get(from..to).unwrap_or_default().iter().flatten().filter(|value| **value > 0.0));
    }
    stats::median(&values)
}

fn case_facts(record: &RunRecord, case: &crate::model::Case) -> Facts {
    let mut facts = Facts::new();
    facts.insert("variant".to_owned(), case.variant.clone());
    add("shader_sha256", &case.shader_sha256, &mut facts);
    add("params", &case.params, &mut facts);
    add("seed", &case.seed, &mut facts);
    add("work", &case.work, &mut facts);
    facts.insert("tuned".to_owned(), tuned(record, case));
    if let Some(measurement) = record.measurements.iter().find(|measurement| measurement.case == *case) {
        add("timing method", &measurement.timing.as_ref().map(|timing| timing.method), &mut facts);
        add("steady", &measurement.steadiness.as_ref().map(|steadiness| steadiness.reached), &mut facts);
        let codes: BTreeSet<&str> = measurement.warnings.iter().map(|warning| warning.code.code()).collect();
        facts.insert("warnings".to_owned(), codes.into_iter().collect::<Vec<_>>().join(" "));
    }
    facts
}

/// Whether and for what a case was tuned.
fn tuned(record: &RunRecord, case: &crate::model::Case) -> String {
    let of_case = record.tunings.iter().find(|tuning| {
        (tuning.device, &tuning.problem, tuning.element, &tuning.shape, tuning.pattern)
            == (case.device, &case.problem, case.element, &case.shape, case.pattern)
    });
    match of_case.map(|tuning| (tuning.origin, tuning.objective)) {
        None => "no, defaults".to_owned(),
        Some((TuningOrigin::Fresh, objective)) => format!("for {objective}, in this run"),
        Some((TuningOrigin::Cache, objective)) => format!("for {objective}, before"),
    }
}

/// True if two devices are one and the same board: by serial or UUID where both are known, else by host, name and PCI address
/// (the ordinal where neither has an address).
pub fn same_board(a: &RunRecord, x: u32, b: &RunRecord, y: u32) -> bool {
    for key in ["serial", "uuid"] {
        let of = |record: &RunRecord, ordinal: u32| {
            let details = record.provenance.device_details.get(&ordinal)?;
            details.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.clone())
        };
        if let (Some(first), Some(second)) = (of(a, x), of(b, y)) {
            return first == second;
        }
    }
    let (Some(first), Some(second)) = (a.device(x), b.device(y)) else { return false };
    let same_place = first.pci == second.pci && (first.pci.is_some() || first.ordinal == second.ordinal);
    a.provenance.host.hostname == b.provenance.host.hostname && first.name == second.name && same_place
}

/// Kind of a source from its identifier: what stands before the first colon.
pub fn kind_of(source: &str) -> &str {
    source.split(':').next().unwrap_or(source)
}
