//! Every difference between two runs besides their figures: tool, machine, driver, device, power source, settings, kernels.
//!
//! Records are compared as the JSON they are, key by key, so that a field added to the record later is not forgotten here.
//! Run id and times always differ and are left out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Pair;
use crate::model::{Quantity, RunRecord};
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

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it belongs to.
    pub place: Place,
    /// What it is, for example `tool.commit`.
    pub what: String,
    /// Value in A; `None` if A does not record it.
    pub a: Option<String>,
    /// Value in B; `None` if B does not record it.
    pub b: Option<String>,
}

type Facts = BTreeMap<String, String>;

/// All differences between two records whose devices are paired as given.
pub fn differences(a: &RunRecord, b: &RunRecord, devices: &[(u32, u32)], pairs: &[Pair]) -> Vec<Difference> {
    let mut all = between(&Place::Run, &run_facts(a), &run_facts(b));
    for (x, y) in devices {
        all.extend(between(&Place::Device(*x, *y), &device_facts(a, *x), &device_facts(b, *y)));
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

fn case_facts(record: &RunRecord, case: &crate::model::Case) -> Facts {
    let mut facts = Facts::new();
    facts.insert("variant".to_owned(), case.variant.clone());
    add("shader_sha256", &case.shader_sha256, &mut facts);
    add("params", &case.params, &mut facts);
    add("seed", &case.seed, &mut facts);
    add("work", &case.work, &mut facts);
    if let Some(measurement) = record.measurements.iter().find(|measurement| measurement.case == *case) {
        add("timing method", &measurement.timing.as_ref().map(|timing| timing.method), &mut facts);
        add("steady", &measurement.steadiness.as_ref().map(|steadiness| steadiness.reached), &mut facts);
        let codes: BTreeSet<&str> = measurement.warnings.iter().map(|warning| warning.code.code()).collect();
        facts.insert("warnings".to_owned(), codes.into_iter().collect::<Vec<_>>().join(" "));
    }
    facts
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
