//! A fleet as metrics for the textfile collector of node_exporter.
//!
//! What surprises people: the median absolute deviation is the plain one, without the factor 1.4826 of the scatter in the
//! table, and metrics that differ only in the work behind them are told apart by a label `work`, counted from 1.

use std::collections::BTreeMap;

use super::openmetrics::{Families, pair, unit_name};
use crate::fleet::{Fleet, FleetMetric, Severity};

/// Beginning of every name.
const PREFIX: &str = "wattmark_fleet";

/// The whole fleet as metrics; `read_s` is the Unix time in seconds at which it was read.
pub fn openmetrics_fleet(fleet: &Fleet, read_s: f64) -> String {
    let mut families = Families::new(PREFIX);
    families.add("read_timestamp", "seconds", "Unix time at which the records were read.", Vec::new(), read_s);
    let count = |n: usize| n as f64;
    for (name, help, n) in [
        ("nodes", "Nodes among the records that were read.", fleet.nodes),
        ("devices", "Devices that were judged.", fleet.devices),
        ("devices_off", "Devices that are off, each counted once.", fleet.off.len()),
        ("devices_warned", "Devices that have warnings of their own qualification and nothing else.", fleet.warned),
    ] {
        families.add(name, "", help, Vec::new(), count(n));
    }
    let help = "Records and files by what became of them; a record may be in several states.";
    for (state, n) in [
        ("read", fleet.records),
        ("unreadable", fleet.unreadable.len()),
        ("superseded", fleet.superseded.len()),
        ("running", fleet.running.len()),
        ("injected", fleet.injected.len()),
        ("odd_clock", fleet.clocks.len()),
    ] {
        families.add("records", "", help, vec![pair("state", state)], count(n));
    }
    // Kinds without a device are told as 0, so that a rule may compare with the last reading.
    for severity in
        [Severity::WrongOutput, Severity::Stopped, Severity::MemoryError, Severity::Failed, Severity::Outlier]
    {
        let n = fleet.off.iter().filter(|device| device.severity == severity).count();
        let help = "Devices that are off by their gravest reason.";
        families.add("devices_off_by_reason", "", help, vec![pair("reason", severity.word())], count(n));
    }
    let mut twins: BTreeMap<Vec<(String, String)>, usize> = BTreeMap::new();
    for metric in &fleet.metrics {
        let mut labels = labels(fleet, metric);
        let seen = twins.entry(labels.clone()).or_insert(0);
        *seen += 1;
        labels.push(pair("work", seen.to_string()));
        add_metric(&mut families, metric, labels);
    }
    families.text()
}

fn labels(fleet: &Fleet, metric: &FleetMetric) -> Vec<(String, String)> {
    let mut labels = vec![pair("metric", &metric.id)];
    if let Some(group) = fleet.groups.get(metric.group) {
        labels.push(pair("model", &group.model));
        labels.push(pair("kind", group.kind));
        labels.push(pair("class", &group.class));
        labels.push(pair("version", &group.tool));
        labels.push(pair("simulated", group.simulated.to_string()));
    }
    labels.extend(metric.evidence.map(|evidence| pair("evidence", evidence.to_string())));
    labels.extend(metric.scope.map(|scope| pair("scope", scope.to_string())));
    labels
}

fn add_metric(families: &mut Families, metric: &FleetMetric, labels: Vec<(String, String)>) {
    let unit = unit_name(&metric.id, &metric.unit);
    families.add("metric_devices", "", "Devices with this metric.", labels.clone(), metric.n as f64);
    let help = "Devices that this metric names.";
    families.add("metric_outliers", "", help, labels.clone(), metric.outliers as f64);
    families.add("median", unit, "Median of a metric over the devices.", labels.clone(), metric.median);
    let help = "Median absolute deviation of a metric over the devices, without a factor.";
    families.add("mad", unit, help, labels, metric.mad);
}
