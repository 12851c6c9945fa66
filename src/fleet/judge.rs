//! What is off about each device: what its own qualification says, and how far it lies from the others.
//!
//! What surprises people: a metric of which neither way is better, such as power, names no device; it stands beside the reasons
//! of a device that is off anyway.

use super::node::{Complaint, DeviceEntry, Names, NodeRecord, State};
use super::outputs::{Agreement, minority};
use super::reason::{Reason, Severity};
use super::rule::{Measure, Rule};
use crate::model::Grade;
use crate::stats::Robust;

/// Values of each metric over the devices that count, by number of the metric.
pub(super) struct Values {
    pub of_metric: Vec<Vec<f64>>,
    pub robust: Vec<Option<Robust>>,
}

impl Values {
    /// Counts first: vectors that double while they grow would take twice the memory.
    pub fn of<'a>(entries: impl Iterator<Item = &'a DeviceEntry> + Clone, names: &Names) -> Self {
        let mut counts = vec![0; names.metrics().len()];
        for value in entries.clone().flat_map(|entry| &entry.values) {
            counts[value.metric as usize] += 1;
        }
        let mut of_metric: Vec<Vec<f64>> = counts.into_iter().map(Vec::with_capacity).collect();
        for value in entries.flat_map(|entry| &entry.values) {
            of_metric[value.metric as usize].push(value.value);
        }
        let robust = of_metric.iter().map(|values| Robust::of(values)).collect();
        Self { of_metric, robust }
    }
}

/// All that is off about a device, gravest first; a warning or a neutral metric alone names nobody.
pub(super) fn reasons(
    record: &NodeRecord,
    entry: &DeviceEntry,
    values: &Values,
    agreements: &[Agreement],
    names: &Names,
    rule: Rule,
) -> Vec<Reason> {
    let mut found: Vec<Reason> = Vec::new();
    if let State::Stopped { why } = &record.state {
        found.push(Reason::words(Severity::Stopped, "", why));
    }
    found.extend(minority(entry, agreements, names).iter().map(|text| Reason::words(Severity::WrongOutput, "", text)));
    found.extend(entry.complaints.iter().map(of_complaint));
    for value in &entry.values {
        let key = &names.metrics()[value.metric as usize];
        let absolute = match key.id.as_str() {
            "ecc.uncorrected" => Some(Severity::MemoryError),
            id if id.ends_with(".output.wrong") => Some(Severity::WrongOutput),
            _ => None,
        };
        if let Some(severity) = absolute {
            // A check that says the same with more words stands for it.
            let said = entry.complaints.iter().any(|complaint| of_complaint(complaint).severity == severity);
            if value.value > 0.0 && !said {
                found.push(Reason::words(severity, &key.id, &format!("{} {} (0 expected)", key.id, value.value)));
            }
            continue;
        }
        let (all, Some(robust)) = (&values.of_metric[value.metric as usize], &values.robust[value.metric as usize])
        else {
            continue;
        };
        let measure = Measure::of(&key.id, &key.unit);
        if let Some(distance) = rule.judge(all, value.value, robust, measure, key.better) {
            let mut reason = Reason::of_distance(key, value.value, distance, measure, rule);
            if key.better.is_none() {
                reason.severity = Severity::Beside;
            }
            found.push(reason);
        }
    }
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.score.total_cmp(&a.score)));
    found
}

fn of_complaint(complaint: &Complaint) -> Reason {
    let severity = match (complaint.grade, complaint.code.as_str()) {
        (Grade::Fail, "" | "Q02" | "Q03" | "Q04" | "Q05") => Severity::WrongOutput,
        (Grade::Fail, "Q01") => Severity::Stopped,
        (Grade::Fail, "Q30") => Severity::MemoryError,
        (Grade::Fail, _) => Severity::Failed,
        _ => Severity::Warned,
    };
    let mut reason = Reason::words(severity, "", &complaint.detail);
    reason.code = (!complaint.code.is_empty()).then(|| complaint.code.clone());
    reason
}
