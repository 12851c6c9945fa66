//! The fleet in a few tables: groups, metrics, the devices that are off and why, places, and what was left out.
//!
//! What surprises people: a device is named once, under its gravest reason, however many of its figures are off.

use std::collections::BTreeMap;

use serde::Serialize;

use super::gather::Gathered;
use super::judge::{Values, reasons};
use super::node::{DeviceEntry, Names, NodeRecord, State};
use super::outputs::{agreements, disagreements};
use super::places::{label, places};
use super::read::{Unreadable, second};
use super::reason::{Reason, Severity};
use super::rule::{FEW, Rule};
use super::select::{Superseded, select};
use crate::model::{Better, Evidence, Grade, Scope};
use crate::names;
use crate::stats::median_absolute_deviation;

/// How a fleet is looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// When a value is named.
    pub rule: Rule,
    /// Label, `host` or `model` by which devices are put together.
    pub by: Option<String>,
    /// True if older records of a device count too.
    pub all: bool,
}

/// A device that is off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetDevice {
    /// Node.
    pub host: String,
    /// Number of the device in the node; `None` for a node that stopped before any device was seen.
    pub device: Option<u32>,
    /// Model.
    pub model: String,
    /// What tells it from others.
    pub identity: String,
    /// PCI address, where the record has one.
    pub pci: Option<String>,
    /// Its record.
    pub path: String,
    /// Start of the record.
    pub started: Option<String>,
    /// Labels of its node.
    pub labels: BTreeMap<String, String>,
    /// Grade of its own qualification.
    pub grade: Option<Grade>,
    /// Its gravest reason.
    pub severity: Severity,
    /// All reasons, gravest first.
    pub reasons: Vec<Reason>,
}

/// Devices that may be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FleetGroup {
    /// Model.
    pub model: String,
    /// True for scripted devices.
    pub simulated: bool,
    /// `qualification` or `run`.
    pub kind: &'static str,
    /// Class of length, or preset.
    pub class: String,
    /// Version of the tool.
    pub tool: String,
    /// Devices that count.
    pub devices: usize,
    /// Devices that are off.
    pub off: usize,
    /// Devices by the grade of their own qualification.
    pub grades: BTreeMap<String, usize>,
}

/// A metric over the devices of a group that did like work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetMetric {
    /// Number by which the names of what was gathered know it.
    #[serde(skip)]
    pub number: u32,
    /// Position of the group.
    pub group: usize,
    /// Name.
    pub id: String,
    /// Unit.
    pub unit: String,
    /// How its energy came about.
    pub evidence: Option<Evidence>,
    /// What its watts include.
    pub scope: Option<Scope>,
    /// Which way is better.
    pub better: Option<Better>,
    /// Devices.
    pub n: usize,
    /// Median.
    pub median: f64,
    /// Robust scatter, on the scale of a standard deviation.
    pub sigma: f64,
    /// Median absolute deviation, without a factor.
    pub mad: f64,
    /// Smallest and largest value.
    pub range: (f64, f64),
    /// Devices that this metric names.
    pub outliers: usize,
}

/// A rack or another label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Devices.
    pub devices: usize,
    /// Devices that are off.
    pub off: usize,
    /// Medians of its devices.
    pub metrics: Vec<PlaceMetric>,
    /// What its devices have in common that others have not.
    pub reasons: Vec<Reason>,
}

/// Median of a metric in a place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlaceMetric {
    /// Model.
    pub model: String,
    /// Name.
    pub id: String,
    /// Median.
    pub median: f64,
    /// Unit.
    pub unit: String,
    /// Devices.
    pub n: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fleet {
    /// Records that were read.
    pub records: usize,
    /// Nodes among them.
    pub nodes: usize,
    /// Devices that count.
    pub devices: usize,
    /// Least robust score that names a device.
    pub z: f64,
    /// Least distance that does.
    pub limit_percent: f64,
    /// Groups.
    pub groups: Vec<FleetGroup>,
    /// Devices that are off, worst first.
    pub off: Vec<FleetDevice>,
    /// Devices that have warnings and nothing else.
    pub warned: usize,
    /// Metrics.
    pub metrics: Vec<FleetMetric>,
    /// What the devices were put together by.
    pub by: Option<String>,
    /// Places, worst first.
    pub places: Vec<Place>,
    /// Files without a record.
    pub unreadable: Vec<Unreadable>,
    /// Records in whose place a newer one counts.
    pub superseded: Vec<Superseded>,
    /// Records whose times are odd.
    pub clocks: Vec<Unreadable>,
    /// Records under way.
    pub running: Vec<String>,
    /// Records with errors made on purpose.
    pub injected: Vec<String>,
    /// What else a reader must know.
    pub notes: Vec<String>,
}

/// A label that no record has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot group by `{given}`: no record has this label{hint}. Use host, model, or a label given to `wattmark qualify --label`"
)]
pub struct UnknownLabel {
    given: String,
    hint: String,
}

/// Looks at what was gathered. `each` sees every device that counts, whether it is off.
pub fn examine(
    gathered: &Gathered,
    options: &Options,
    each: &mut dyn FnMut(&NodeRecord, &DeviceEntry, Option<Severity>),
) -> Result<Fleet, UnknownLabel> {
    let (records, names) = (&gathered.records, &gathered.names);
    if let Some(by) = &options.by {
        known_label(by, records, names)?;
    }
    let selected = select(records, options.all);
    let entries =
        || selected.entries.iter().map(|(record, device)| (&records[*record], &records[*record].devices[*device]));
    let values = Values::of(entries().map(|(_, entry)| entry), names);
    let agreements = agreements(entries().map(|(_, entry)| entry), names);
    let mut builder = Builder::new(names);
    let mut with_off = Vec::new();
    for (record, entry) in entries() {
        let reasons = reasons(record, entry, &values, &agreements, names, options.rule);
        let severity = builder.add(record, entry, reasons);
        each(record, entry, severity);
        if options.by.is_some() {
            with_off.push((record, entry, severity.is_some()));
        }
    }
    for index in &selected.empty {
        builder.add_empty(&records[*index]);
    }
    builder.off.sort_by(|a, b| worst(b).partial_cmp(&worst(a)).unwrap_or(std::cmp::Ordering::Equal));
    let mut hosts: Vec<&str> = records.iter().map(|record| &*record.host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let by = options.by.as_deref();
    let metrics = metrics(&values, names, &builder.named);
    drop(values);
    let mut notes = disagreements(&agreements, names);
    notes.extend(small_groups(&builder.groups));
    let listed = |which: &dyn Fn(&NodeRecord) -> bool| {
        records.iter().filter(|record| which(record)).map(|record| record.path.to_string()).collect::<Vec<_>>()
    };
    let clock = |record: &NodeRecord| {
        record.clock.as_ref().map(|why| Unreadable { path: record.path.to_string(), why: why.to_string() })
    };
    let mut fleet = Fleet {
        records: records.len(),
        nodes: hosts.len(),
        devices: selected.entries.len(),
        z: options.rule.z,
        limit_percent: options.rule.limit,
        metrics,
        off: builder.off,
        warned: builder.warned,
        places: by.map_or_else(Vec::new, |by| places(&with_off, by, names, options)),
        by: options.by.clone(),
        groups: builder.groups,
        unreadable: gathered.unreadable.clone(),
        clocks: records.iter().filter_map(clock).collect(),
        running: listed(&|record| record.state == State::Running),
        injected: listed(&|record| record.injected),
        superseded: selected.superseded,
        notes,
    };
    fleet.order();
    Ok(fleet)
}

impl Fleet {
    /// Brings groups and metrics into an order that does not depend on which thread was first.
    fn order(&mut self) {
        let mut places: Vec<usize> = (0..self.groups.len()).collect();
        let key = |group: &FleetGroup| {
            (group.simulated, group.model.clone(), group.kind, group.class.clone(), group.tool.clone())
        };
        places.sort_by_key(|index| key(&self.groups[*index]));
        let mut moved = vec![0; places.len()];
        for (new, old) in places.iter().enumerate() {
            moved[*old] = new;
        }
        self.groups.sort_by_key(key);
        for metric in &mut self.metrics {
            metric.group = moved.get(metric.group).copied().unwrap_or(0);
        }
        self.metrics.sort_by(|a, b| {
            (a.group, &a.id, a.evidence, a.scope, b.n)
                .cmp(&(b.group, &b.id, b.evidence, b.scope, a.n))
                .then(a.median.total_cmp(&b.median))
        });
    }
}

fn worst(device: &FleetDevice) -> (Severity, f64, std::cmp::Reverse<(&str, Option<u32>)>) {
    let score = device.reasons.first().map_or(0.0, |reason| reason.score);
    (device.severity, score, std::cmp::Reverse((&device.host, device.device)))
}

fn known_label(by: &str, records: &[NodeRecord], names: &Names) -> Result<(), UnknownLabel> {
    if matches!(by, "host" | "model") || records.iter().any(|record| label(record, by, names).is_some()) {
        return Ok(());
    }
    let mut known: Vec<&str> =
        records.iter().flat_map(|record| record.labels.iter().map(|(key, _)| names.text(*key))).collect();
    known.sort_unstable();
    known.dedup();
    let hint = match names::closest(by, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => " (they have no labels)".to_owned(),
        None => format!(" (there are {})", known.join(", ")),
    };
    Err(UnknownLabel { given: by.to_owned(), hint })
}

fn small_groups(groups: &[FleetGroup]) -> Vec<String> {
    let small = groups.iter().filter(|group| (1..FEW).contains(&group.devices));
    let text = |group: &FleetGroup| {
        let few = if group.devices < 3 { "too few to tell which is odd" } else { "so only a large distance names one" };
        let devices = if group.devices == 1 { "device" } else { "devices" };
        format!("{} ({} {}): {} {devices}, {few}", group.model, group.kind, group.class, group.devices)
    };
    small.map(text).collect()
}

fn metrics(values: &Values, names: &Names, named: &[usize]) -> Vec<FleetMetric> {
    let mut found = Vec::new();
    for (index, key) in names.metrics().iter().enumerate() {
        let (Some(robust), own) = (&values.robust[index], &values.of_metric[index]) else { continue };
        let low = own.iter().copied().fold(f64::INFINITY, f64::min);
        let high = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        found.push(FleetMetric {
            number: index as u32,
            group: key.group as usize,
            id: key.id.clone(),
            unit: key.unit.clone(),
            evidence: key.evidence,
            scope: key.scope,
            better: key.better,
            n: robust.n,
            median: robust.median,
            sigma: robust.sigma,
            mad: median_absolute_deviation(own).unwrap_or(0.0),
            range: (low, high),
            outliers: named[index],
        });
    }
    found
}

struct Builder<'a> {
    names: &'a Names,
    groups: Vec<FleetGroup>,
    off: Vec<FleetDevice>,
    warned: usize,
    /// Devices that each metric names.
    named: Vec<usize>,
}

impl<'a> Builder<'a> {
    fn new(names: &'a Names) -> Self {
        let group = |key: &super::node::GroupKey| FleetGroup {
            model: key.model.clone(),
            simulated: key.simulated,
            kind: key.kind,
            class: key.class.clone(),
            tool: key.tool.clone(),
            devices: 0,
            off: 0,
            grades: BTreeMap::new(),
        };
        let groups = names.groups().iter().map(group).collect();
        Self { names, groups, off: Vec::new(), warned: 0, named: vec![0; names.metrics().len()] }
    }

    fn add(&mut self, record: &NodeRecord, entry: &DeviceEntry, reasons: Vec<Reason>) -> Option<Severity> {
        let group = &mut self.groups[entry.group as usize];
        group.devices += 1;
        if let Some(grade) = entry.grade {
            *group.grades.entry(grade.to_string()).or_insert(0) += 1;
        }
        for reason in reasons.iter().filter(|reason| reason.severity == Severity::Outlier) {
            let key = |value: &&super::node::Value| {
                Some(self.names.metrics()[value.metric as usize].id.as_str()) == reason.metric.as_deref()
            };
            if let Some(value) = entry.values.iter().find(key) {
                self.named[value.metric as usize] += 1;
            }
        }
        let severity = reasons.first()?.severity;
        if severity < Severity::Outlier {
            self.warned += usize::from(severity == Severity::Warned);
            return None;
        }
        group.off += 1;
        let mut device = self.device(record, severity, reasons);
        device.device = Some(entry.ordinal);
        device.model = self.names.groups()[entry.group as usize].model.clone();
        device.identity = self.names.text(entry.identity).to_owned();
        device.pci = entry.pci.map(|number| self.names.text(number).to_owned());
        device.grade = entry.grade;
        self.off.push(device);
        Some(severity)
    }

    fn add_empty(&mut self, record: &NodeRecord) {
        let State::Stopped { why } = &record.state else { return };
        let reason = Reason::words(Severity::Stopped, "", &format!("{why}, before any device was measured"));
        let device = self.device(record, Severity::Stopped, vec![reason]);
        self.off.push(device);
    }

    fn device(&self, record: &NodeRecord, severity: Severity, reasons: Vec<Reason>) -> FleetDevice {
        let text = |number: u32| self.names.text(number).to_owned();
        FleetDevice {
            host: record.host.to_string(),
            device: None,
            model: String::new(),
            identity: String::new(),
            pci: None,
            path: record.path.to_string(),
            started: record.started.map(second),
            labels: record.labels.iter().map(|(key, value)| (text(*key), text(*value))).collect(),
            grade: None,
            severity,
            reasons,
        }
    }
}
