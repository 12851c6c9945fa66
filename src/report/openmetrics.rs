//! A qualification as metrics for the textfile collector of Prometheus's node_exporter.
//!
//! The text is OpenMetrics 1.0 and at the same time the older Prometheus text format, which that collector reads: gauges only,
//! for the two write counters differently, and no time stamps, which the collector refuses. What surprises people: each unit
//! has a family of its own, for a metric's name must say its unit.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::qualification::{is_share, phase_of};
use crate::model::{Grade, Metric, Qualification, QualifiedDevice};

/// Beginning of every name.
const PREFIX: &str = "wattmark_qualify";

/// Labels that this file sets itself; a label of the user's by that name gets a prefix.
const OWN_LABELS: [&str; 11] =
    ["host", "device", "name", "uuid", "serial", "pci", "phase", "statistic", "cause", "kind", "code"];

/// Last parts of a metric's name that say which figure of many it is.
const STATISTICS: [&str; 5] = ["mean", "p1", "max", "low", "high"];

/// One family: help, unit, samples.
struct Family {
    help: String,
    unit: &'static str,
    samples: Vec<(Vec<(String, String)>, f64)>,
}

/// Families by name.
pub(super) struct Families {
    prefix: &'static str,
    by_name: BTreeMap<String, Family>,
}

impl Families {
    /// None yet; every name will begin with `prefix`.
    pub(super) fn new(prefix: &'static str) -> Self {
        Self { prefix, by_name: BTreeMap::new() }
    }

    /// Adds a sample to the family `name`, whose unit is part of its name.
    pub(super) fn add(
        &mut self,
        name: &str,
        unit: &'static str,
        help: &str,
        labels: Vec<(String, String)>,
        value: f64,
    ) {
        let stem = format!("{}_{name}", self.prefix);
        let name = if unit.is_empty() { stem } else { format!("{stem}_{unit}") };
        let family =
            self.by_name.entry(name).or_insert_with(|| Family { help: help.to_owned(), unit, samples: Vec::new() });
        family.samples.push((labels, value));
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in &self.by_name {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {}", escaped_help(&family.help));
            let _ = writeln!(text, "# TYPE {name} gauge");
            if !family.unit.is_empty() {
                let _ = writeln!(text, "# UNIT {name} {}", family.unit);
            }
            for (labels, value) in &family.samples {
                let labels: Vec<String> =
                    labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
                let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text.push_str("# EOF\n");
        text
    }
}

/// The whole qualification as metrics.
pub fn openmetrics(qualification: &Qualification) -> String {
    let mut families = Families::new(PREFIX);
    let node = node_labels(qualification);
    families.add("grade", "", GRADE_HELP, node.clone(), grade(qualification.grade));
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond() as f64 / 1000.0);
    if let Some(started) = time(&qualification.started) {
        families.add("start_timestamp", "seconds", "Unix time of the start.", node.clone(), started);
    }
    if let Some(ended) = qualification.ended.as_deref().and_then(time) {
        families.add("end_timestamp", "seconds", "Unix time of the end.", node.clone(), ended);
    }
    let (planned, measured) = (qualification.planned_s.get(), qualification.measured_s.get());
    families.add("planned", "seconds", "Length of load that was asked for.", node.clone(), planned);
    families.add("measured", "seconds", "Length of load that was measured.", node.clone(), measured);
    let injected = f64::from(u8::from(qualification.inject_error));
    let help = "1 if errors were made in outputs on purpose: then the grade says nothing of the devices.";
    families.add("errors_injected", "", help, node.clone(), injected);
    for device in &qualification.devices {
        add_device(&mut families, &node, device);
    }
    families.text()
}

const GRADE_HELP: &str = "Verdict on the node: 0 PASS, 1 WARN, 2 INCONCLUSIVE, 3 FAIL.";

/// Grades as numbers that grow with gravity, so that `max()` over nodes means something.
fn grade(grade: Grade) -> f64 {
    match grade {
        Grade::Pass => 0.0,
        Grade::Warn => 1.0,
        Grade::Inconclusive => 2.0,
        Grade::Fail => 3.0,
    }
}

pub(super) fn pair(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

fn node_labels(qualification: &Qualification) -> Vec<(String, String)> {
    let mut labels = vec![pair("host", &qualification.host.hostname)];
    for (key, value) in &qualification.labels {
        let name = label_name(key);
        if !labels.iter().any(|(known, _)| *known == name) {
            labels.push((name, value.clone()));
        }
    }
    labels
}

/// A label's name in the characters that Prometheus takes, never one of our own.
fn label_name(key: &str) -> String {
    let safe: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let safe = safe.trim_start_matches('_').to_owned();
    let fine = safe.starts_with(|c: char| c.is_ascii_alphabetic()) && !OWN_LABELS.contains(&safe.as_str());
    if fine { safe } else { format!("label_{safe}") }
}

fn add_device(families: &mut Families, node: &[(String, String)], device: &QualifiedDevice) {
    let mut labels = node.to_vec();
    labels.push(pair("device", device.device.ordinal.to_string()));
    labels.push(pair("name", &device.device.name));
    labels.extend(device.device.pci.as_ref().map(|pci| pair("pci", pci.as_str())));
    for key in ["uuid", "serial"] {
        labels.extend(device.identity.get(key).map(|value| pair(key, value)));
    }
    let help = "Verdict on a device: 0 PASS, 1 WARN, 2 INCONCLUSIVE, 3 FAIL.";
    families.add("device_grade", "", help, labels.clone(), grade(device.grade));
    // A code may stand for several phases; the gravest counts.
    let mut checks: BTreeMap<(&str, &str), Grade> = BTreeMap::new();
    for check in &device.checks {
        let phase = check.metric.as_deref().and_then(phase_of).map_or("", |phase| phase.name());
        let known = checks.entry((&check.code, phase)).or_insert(check.grade);
        *known = (*known).max(check.grade);
    }
    for ((code, phase), found) in checks {
        let mut labels = labels.clone();
        labels.push(pair("code", code));
        if !phase.is_empty() {
            labels.push(pair("phase", phase));
        }
        let help = "Verdict of a check: 0 PASS, 1 WARN, 2 INCONCLUSIVE, 3 FAIL.";
        families.add("check_grade", "", help, labels, grade(found));
    }
    for metric in &device.metrics {
        add_metric(families, &labels, metric);
    }
}

fn add_metric(families: &mut Families, labels: &[(String, String)], metric: &Metric) {
    let mut parts: Vec<&str> = metric.id.split('.').collect();
    let mut labels = labels.to_vec();
    if let Some(phase) = phase_of(&metric.id) {
        labels.push(pair("phase", phase.name()));
        parts.remove(0);
    }
    if let Some(statistic) = parts.last().copied().filter(|last| STATISTICS.contains(last) && parts.len() > 1) {
        labels.push(pair("statistic", statistic));
        parts.pop();
    }
    for (family, label) in [("throttle", "cause"), ("ecc", "kind")] {
        if let [first, rest] = parts[..]
            && first == family
        {
            labels.push(pair(label, rest));
            parts.pop();
        }
    }
    let name: String = parts.join("_").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let stem = match (name.as_str(), unit_name(&metric.id, &metric.unit)) {
        ("ecc", _) => "ecc_errors".to_owned(),
        ("temperature_rise_per_watt", _) => "temperature_rise".to_owned(),
        _ => name,
    };
    families.add(&stem, unit_name(&metric.id, &metric.unit), help(&stem), labels, metric.value);
}

/// A metric's unit as part of a name; empty for counts and for units without a name here.
pub(super) fn unit_name(id: &str, unit: &str) -> &'static str {
    match unit {
        "FLOP/s" => "flop_per_second",
        "OP/s" => "op_per_second",
        "B/s" => "bytes_per_second",
        "FLOP/J" => "flop_per_joule",
        "OP/J" => "op_per_joule",
        "B/J" => "bytes_per_joule",
        "W" => "watts",
        "J" => "joules",
        "s" => "seconds",
        "°C" => "celsius",
        "K/W" => "kelvin_per_watt",
        "Hz" => "hertz",
        "1" | "" if is_share(id) => "ratio",
        _ => "",
    }
}

fn help(stem: &str) -> &'static str {
    match stem {
        "rate" => "Work in a second over windows of sustained load, by phase.",
        "efficiency" => "Work for a joule over windows of sustained load, by phase.",
        "power" => "Power over windows of sustained load, by phase.",
        "rate_jitter" => "Scatter of the rate from window to window, relative.",
        "output_wrong" => "Windows that left a wrong output, by phase.",
        "power_limit_attainment" => "Power under the heaviest load over the power limit.",
        "temperature" => "Temperature of the device.",
        "temperature_rise" => "Rise of temperature over idle for a watt more.",
        "throttle" => "Share of the load during which clocks were held down, by cause.",
        "ecc_errors" => "Memory errors that were counted during the load.",
        "pcie_replays" => "Replays on the PCIe link during the load.",
        "driver_errors" => "Errors that the driver reported during the load.",
        _ => "See the documentation of wattmark qualify.",
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn escaped_help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::qualification_sample::sample;

    #[test]
    fn names_carry_their_unit_and_labels_say_phase_and_statistic() {
        let text = openmetrics(&sample());
        let device = r#"host="node07",rack="r12",row="\"7\"\\",device="1",name="NVIDIA H200",pci="0000:3b:00.0",uuid="GPU-0001",serial="1651""#;
        for line in [
            format!("wattmark_qualify_device_grade{{{device}}} 3"),
            format!(
                "wattmark_qualify_rate_flop_per_second{{{device},phase=\"arithmetic\",statistic=\"mean\"}} 37050000000000"
            ),
            format!("wattmark_qualify_throttle_ratio{{{device},cause=\"thermal\"}} 0.31"),
            format!("wattmark_qualify_temperature_celsius{{{device},statistic=\"max\"}} 91"),
            format!("wattmark_qualify_temperature_rise_kelvin_per_watt{{{device}}} 0.083"),
            format!("wattmark_qualify_ecc_errors{{{device},kind=\"uncorrected\"}} 0"),
            format!("wattmark_qualify_check_grade{{{device},code=\"Q20\"}} 3"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis missing in\n{text}");
        }
        assert!(text.contains("# UNIT wattmark_qualify_power_watts watts\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn each_family_stands_together_with_its_type_before_its_samples_and_no_sample_occurs_twice() {
        let text = openmetrics(&sample());
        let mut seen: Vec<&str> = Vec::new();
        let mut samples = std::collections::BTreeSet::new();
        let mut current = "";
        for line in text.lines().filter(|line| *line != "# EOF") {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                current = rest.split(' ').next().unwrap();
                assert!(!seen.contains(&current), "{current} occurs twice");
                seen.push(current);
            } else if !line.starts_with('#') {
                assert_eq!(line.split('{').next(), Some(current));
                assert!(samples.insert(line.rsplit_once(' ').unwrap().0), "{line}");
            }
        }
        assert!(seen.len() > 15, "{seen:?}");
    }

    #[test]
    fn a_label_of_the_user_never_takes_the_place_of_our_own() {
        assert_eq!(label_name("rack"), "rack");
        assert_eq!(label_name("device"), "label_device");
        assert_eq!(label_name("9x"), "label_9x");
        assert_eq!(label_name("cooling-loop"), "cooling_loop");
    }
}
