//! The few numbers that are kept of a record: one entry per device, with names as numbers.
//!
//! What surprises people: the number of a metric stands for its name, unit, evidence and scope, for the kind of record, for
//! the model and for the work behind it, so that two values with one number are of like work and may be compared.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use super::lean::{LeanOutputs, LeanQualified, LeanWork};
use crate::model::{Better, Evidence, Grade, Phase, Scope};
use crate::names;

/// Label that names a node where its host name does not: in containers, or several tasks on one host.
pub const NODE_LABEL: &str = "node";
/// Most complaints of its own qualification that are kept of a device.
const MOST_COMPLAINTS: usize = 6;

/// What is kept of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Globs of metrics; empty for all.
    pub metrics: Vec<String>,
}

/// What is alike in all records of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Name of the model.
    pub model: String,
    /// True for scripted devices.
    pub simulated: bool,
    /// `qualification` or `run`.
    pub kind: &'static str,
    /// Class of length of a qualification, preset of a run.
    pub class: String,
    /// Major and minor version of the tool.
    pub tool: String,
}

/// A metric of like work in one group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MetricKey {
    /// Group.
    pub group: u32,
    /// Name.
    pub id: String,
    /// Unit symbol.
    pub unit: String,
    /// How its energy came about.
    pub evidence: Option<Evidence>,
    /// What its watts include.
    pub scope: Option<Scope>,
    /// Which way is better.
    pub better: Option<Better>,
    /// Digest of the work behind it.
    pub work: u64,
}

/// Outputs that must be equal on all devices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputKey {
    /// Model and whether it is scripted; the length of a qualification does not change an output.
    pub model: (String, bool),
    /// Phase.
    pub phase: Phase,
    /// Driver with its version, where results may differ from one to the next; empty for integers.
    pub driver: String,
    /// Digest of the work, and the part of the output that was digested, in millionths.
    pub work: (u64, u32),
}

/// Texts and keys by number, each once.
#[derive(Debug, Default)]
pub struct Names {
    groups: Table<GroupKey>,
    metrics: Table<MetricKey>,
    outputs: Table<OutputKey>,
    texts: Table<String>,
}

#[derive(Debug)]
struct Table<K> {
    numbers: HashMap<K, u32>,
    keys: Vec<K>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), keys: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash> Table<K> {
    fn number(&mut self, key: K) -> u32 {
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.keys.len() as u32;
        self.keys.push(key.clone());
        self.numbers.insert(key, number);
        number
    }
}

impl Names {
    /// All groups by number.
    pub fn groups(&self) -> &[GroupKey] {
        &self.groups.keys
    }
    /// All metrics by number.
    pub fn metrics(&self) -> &[MetricKey] {
        &self.metrics.keys
    }
    /// All outputs by number.
    pub fn outputs(&self) -> &[OutputKey] {
        &self.outputs.keys
    }
    /// A text by its number.
    pub fn text(&self, number: u32) -> &str {
        self.texts.keys.get(number as usize).map_or("", String::as_str)
    }
    /// Number of a text.
    pub fn text_number(&mut self, text: &str) -> u32 {
        match self.texts.numbers.get(text) {
            Some(number) => *number,
            None => self.texts.number(text.to_owned()),
        }
    }
}

/// How a record ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As planned.
    Complete,
    /// Without an end, or before its time: when it was last heard of, and why.
    Stopped {
        /// Words.
        why: String,
    },
    /// Without an end, saved so recently that it may be under way.
    Running,
}

/// A value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// Number of the metric.
    pub metric: u32,
    /// Windows or readings behind it; at most 4 billion are counted.
    pub n: u32,
    /// The value.
    pub value: f64,
}

/// Digest of one output on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputDigest {
    /// Number of the output.
    pub output: u32,
    /// Number of the most frequent digest.
    pub digest: u32,
}

/// What the device's own qualification found, other than a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Code of the check; empty for findings of outputs.
    pub code: String,
    /// Gravity.
    pub grade: Grade,
    /// Words.
    pub detail: String,
}

/// One device of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceEntry {
    /// Number by which the node knows it.
    pub ordinal: u32,
    /// Number of the text of its identity: uuid, serial, or host and address.
    pub identity: u32,
    /// Number of the text of its PCI address.
    pub pci: Option<u32>,
    /// Number of its group.
    pub group: u32,
    /// Digest of all its work.
    pub work: u64,
    /// Its figures.
    pub values: Box<[Value]>,
    /// Its outputs.
    pub outputs: Box<[OutputDigest]>,
    /// What its qualification found wrong.
    pub complaints: Box<[Complaint]>,
    /// Grade of its own qualification; `None` for an ordinary run.
    pub grade: Option<Grade>,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRecord {
    /// The file.
    pub path: Box<str>,
    /// Name of the node.
    pub host: Box<str>,
    /// Start.
    pub started: Option<Timestamp>,
    /// Labels of the user, by numbers of texts.
    pub labels: Box<[(u32, u32)]>,
    /// How it ended.
    pub state: State,
    /// What is odd about its times.
    pub clock: Option<Box<str>>,
    /// True if errors were made in outputs on purpose.
    pub injected: bool,
    /// Digest of the plan of a run; 0 for a qualification.
    pub plan: u64,
    /// True for scripted times and power.
    pub simulated: bool,
    /// Its devices.
    pub devices: Vec<DeviceEntry>,
}

/// What a record says of all its devices.
pub(super) struct Frame<'a> {
    pub host: &'a str,
    pub simulated: bool,
    pub kind: &'static str,
    pub class: &'a str,
    pub tool: &'a str,
    /// For an ordinary run: the work, which the metrics name themselves.
    pub plan: u64,
    /// False for a part of a qualification that stopped: its figures are not those of a whole one.
    pub whole: bool,
}

/// The entry of one device.
pub(super) fn entry(device: &LeanQualified<'_>, frame: &Frame<'_>, asked: &Asked, names: &mut Names) -> DeviceEntry {
    let works: BTreeMap<Phase, u64> = device.work.iter().map(|work| (work.phase, work_digest(work))).collect();
    let all = digest(&(&works, frame.plan));
    let model = device.device.name.clone().into_owned();
    let group = names.groups.number(GroupKey {
        model: model.clone(),
        simulated: frame.simulated,
        kind: frame.kind,
        class: frame.class.to_owned(),
        tool: frame.tool.to_owned(),
    });
    let mut values = Vec::with_capacity(device.metrics.len());
    for metric in
        device.metrics.iter().filter(|metric| frame.whole && metric.value.is_finite() && wanted(asked, &metric.id))
    {
        let work = match phase_of(&metric.id) {
            Some(phase) => works.get(&phase).copied().unwrap_or(0),
            None if is_of_case(&metric.id) => 0,
            None => all,
        };
        let key = MetricKey {
            group,
            id: metric.id.clone().into_owned(),
            unit: metric.unit.clone().into_owned(),
            evidence: metric.evidence,
            scope: metric.scope,
            better: metric.better,
            work,
        };
        let n = u32::try_from(metric.n).unwrap_or(u32::MAX);
        values.push(Value { metric: names.metrics.number(key), n, value: metric.value });
    }
    let driver = format!("{} {}", device.device.driver, device.device.driver_info);
    let mut outputs = Vec::new();
    for seen in &device.outputs {
        let Some(most) = seen.seen.first() else { continue };
        let integer = seen.phase == Phase::Integer;
        let key = OutputKey {
            model: (model.clone(), frame.simulated),
            phase: seen.phase,
            driver: if integer { String::new() } else { driver.trim().to_owned() },
            work: (works.get(&seen.phase).copied().unwrap_or(0), (seen.coverage * 1e6) as u32),
        };
        let digest = names.text_number(&most.sha256);
        outputs.push(OutputDigest { output: names.outputs.number(key), digest });
    }
    DeviceEntry {
        ordinal: device.device.ordinal,
        identity: names.text_number(&identity(device, frame)),
        pci: device.device.pci.as_deref().map(|pci| names.text_number(pci)),
        group,
        work: all,
        values: values.into(),
        outputs: outputs.into(),
        complaints: complaints(device).into(),
        grade: (frame.kind == "qualification").then_some(device.grade),
    }
}

fn wanted(asked: &Asked, id: &str) -> bool {
    asked.metrics.is_empty() || asked.metrics.iter().any(|glob| names::matches(glob, id))
}

/// What tells a device from all others: its uuid, else its serial number, else its place in the host.
fn identity(device: &LeanQualified<'_>, frame: &Frame<'_>) -> String {
    for key in ["uuid", "serial"] {
        // The identity of a scripted device is that of its script, which many nodes may share.
        if let Some(value) = device.identity.get(key).filter(|value| !frame.simulated && !value.is_empty()) {
            return format!("{key} {value}");
        }
    }
    match &device.device.pci {
        Some(pci) => format!("{} {pci}", frame.host),
        None => format!("{} device {}", frame.host, device.device.ordinal),
    }
}

/// What the checks and the outputs complain of, gravest first.
fn complaints(device: &LeanQualified<'_>) -> Vec<Complaint> {
    let mut found: Vec<Complaint> = device.outputs.iter().filter_map(wrong_output).collect();
    for check in device.checks.iter().filter(|check| matches!(check.grade, Grade::Warn | Grade::Fail)) {
        found.push(Complaint {
            code: check.code.clone().into_owned(),
            grade: check.grade,
            detail: format!("{}: {}", check.title, check.detail),
        });
    }
    found.sort_by_key(|complaint| std::cmp::Reverse(complaint.grade));
    found.truncate(MOST_COMPLAINTS);
    found
}

/// An output that differs from the digest that the arithmetic demands.
fn wrong_output(outputs: &LeanOutputs<'_>) -> Option<Complaint> {
    let known = outputs.known.as_deref();
    let wrong = known.is_some_and(|known| outputs.seen.iter().any(|seen| seen.sha256 != known));
    if !wrong && outputs.failures.is_empty() {
        return None;
    }
    let detail = match outputs.failures.first() {
        Some(first) => format!("{} output: {first}", outputs.phase),
        None => format!("{} output differs from the known digest", outputs.phase),
    };
    Some(Complaint { code: String::new(), grade: Grade::Fail, detail })
}

/// Phase at the beginning of a metric's name.
pub(super) fn phase_of(id: &str) -> Option<Phase> {
    let first = id.split('.').next()?;
    Phase::ALL.into_iter().find(|phase| phase.name() == first)
}

/// True for a metric of an ordinary run that names its case, `gemm/tiled-f32 m=1024.rate.mean`: the name says the work.
fn is_of_case(id: &str) -> bool {
    id.contains('/')
}

fn work_digest(work: &LeanWork) -> u64 {
    // The ordinal says where the device sits in its node, not what it did.
    let mut case = work.case.clone();
    case.device = 0;
    digest(&format!("{case:?}"))
}

pub(super) fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
