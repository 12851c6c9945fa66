//! The fleet as text: what was read, the devices that are off, groups, places, metrics, and what was left out.
//!
//! What surprises people: the metric table shows the mean figures first and only those metrics that name a device, unless
//! few are there.

use crate::cli::text;
use crate::fleet::{Fleet, FleetDevice, FleetGroup, FleetMetric, Severity, Unreadable};

/// Reasons of one device that the table shows.
const REASONS: usize = 2;
/// Files of one kind that are listed.
const LISTED: usize = 10;
/// Metrics that are shown in full.
const METRICS: usize = 24;
/// Places that are shown.
const PLACES: usize = 20;

/// All tables.
pub fn render(fleet: &Fleet, top: usize) -> String {
    let mut out = header(fleet);
    out.push_str(&off(fleet, top));
    out.push_str(&places(fleet));
    out.push_str(&groups(fleet));
    out.push_str(&metrics(fleet));
    out.push_str(&left_out(fleet));
    out
}

fn plural(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// What was read, in lines.
fn header(fleet: &Fleet) -> String {
    let mut read = format!(
        "{} of {}, {} that count in {}",
        plural(fleet.records, "record"),
        plural(fleet.nodes, "node"),
        plural(fleet.devices, "device"),
        plural(fleet.groups.iter().filter(|group| group.devices > 0).count(), "group")
    );
    for (n, what) in [
        (fleet.unreadable.len(), "unreadable"),
        (fleet.superseded.len(), "replaced by a newer one"),
        (fleet.running.len(), "under way"),
        (fleet.injected.len(), "with errors made on purpose"),
        (fleet.clocks.len(), "with odd times"),
    ] {
        if n > 0 {
            read.push_str(&format!("; {n} {what}"));
        }
    }
    let share = 100.0 * fleet.off.len() as f64 / fleet.devices.max(1) as f64;
    let mut result = match fleet.off.len() {
        0 => format!("no device of {} is off", fleet.devices),
        n => format!("{n} of {} is off ({share:.1} %)", plural(fleet.devices, "device")),
    };
    if fleet.off.len() > 1 {
        result = result.replace(" is off", " are off");
    }
    let counts = [
        (Severity::WrongOutput, "with wrong outputs"),
        (Severity::Stopped, "stopped"),
        (Severity::MemoryError, "with memory errors"),
        (Severity::Failed, "failed on their own"),
        (Severity::Outlier, "far from the others"),
    ]
    .map(|(severity, word)| (fleet.off.iter().filter(|device| device.severity == severity).count(), word));
    let said: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if !said.is_empty() {
        result.push_str(&format!(": {}", said.join(", ")));
    }
    if fleet.warned > 0 {
        result.push_str(&format!("; {} more with warnings alone", fleet.warned));
    }
    let mut out = text::entry("Read", &read) + &text::entry("Result", &result);
    for note in &fleet.notes {
        out.push_str(&text::entry("Note", note));
    }
    out
}

/// The devices that are off.
fn off(fleet: &Fleet, top: usize) -> String {
    if fleet.off.is_empty() {
        return String::new();
    }
    let mut table = text::table(&["node", "device", "what", "why"], &[]);
    for device in fleet.off.iter().take(top) {
        table.add_row(vec![node(device, fleet), number(device, fleet), device.severity.word().to_owned(), why(device)]);
    }
    let more = match fleet.off.len().saturating_sub(top) {
        0 => String::new(),
        n => format!("and {n} more: --top, --json or --csv shows them\n"),
    };
    format!("\n{}{more}", text::lines(&table))
}

/// Node, with its place where places are looked at.
pub(super) fn node(device: &FleetDevice, fleet: &Fleet) -> String {
    let place = fleet.by.as_deref().and_then(|by| device.labels.get(by));
    place.map_or_else(|| device.host.clone(), |place| format!("{} ({place})", device.host))
}

/// Number of the device with its PCI address; without an address, where another device off has the same node and number, with
/// its identity.
pub(super) fn number(device: &FleetDevice, fleet: &Fleet) -> String {
    let Some(number) = device.device else { return "–".to_owned() };
    if let Some(pci) = &device.pci {
        return format!("{number} {pci}");
    }
    let twin = |other: &&FleetDevice| (&other.host, other.device) == (&device.host, device.device);
    match fleet.off.iter().filter(twin).count() {
        0 | 1 => number.to_string(),
        _ => format!("{number} {}", device.identity),
    }
}

/// The gravest reasons in words, and how many more.
pub(super) fn why(device: &FleetDevice) -> String {
    let mut said: Vec<String> = Vec::new();
    for reason in device.reasons.iter().take(REASONS) {
        let code = reason.code.as_ref().map_or_else(String::new, |code| format!("{code} "));
        said.push(format!("{code}{}", reason.text));
    }
    if device.reasons.len() > REASONS {
        said.push(format!("and {} more", device.reasons.len() - REASONS));
    }
    said.join("; ")
}

/// A group in words.
pub(super) fn group_name(group: &FleetGroup) -> String {
    let simulated = if group.simulated { ", simulated" } else { "" };
    format!("{} ({} {}, wattmark {}{simulated})", group.model, group.kind, group.class, group.tool)
}

/// Grades in words.
pub(super) fn grades(group: &FleetGroup) -> String {
    let said: Vec<String> = group.grades.iter().map(|(grade, n)| format!("{n} {grade}")).collect();
    if said.is_empty() { "–".to_owned() } else { said.join(", ") }
}

fn groups(fleet: &Fleet) -> String {
    let mut table = text::table(&["group", "devices", "off", "own verdicts"], &[1, 2]);
    for group in fleet.groups.iter().filter(|group| group.devices > 0) {
        table.add_row(vec![group_name(group), group.devices.to_string(), group.off.to_string(), grades(group)]);
    }
    format!("\n{}", text::lines(&table))
}

fn places(fleet: &Fleet) -> String {
    let Some(by) = &fleet.by else { return String::new() };
    let mut table = text::table(&[by, "devices", "off", "together"], &[1, 2]);
    for place in fleet.places.iter().take(PLACES) {
        let together = place.reasons.iter().take(REASONS).map(|reason| reason.text.clone());
        let mut together: Vec<String> = together.collect();
        if place.reasons.len() > REASONS {
            together.push(format!("and {} more", place.reasons.len() - REASONS));
        }
        let together = if together.is_empty() { "–".to_owned() } else { together.join("; ") };
        table.add_row(vec![place.name.clone(), place.devices.to_string(), place.off.to_string(), together]);
    }
    let more = match fleet.places.len().saturating_sub(PLACES) {
        0 => String::new(),
        n => format!("and {n} more\n"),
    };
    format!("\n{}{more}", text::lines(&table))
}

/// The metrics that are shown: all of few; else those that name a device, and the means.
pub(super) fn shown(fleet: &Fleet) -> Vec<&FleetMetric> {
    let mut all: Vec<&FleetMetric> = fleet.metrics.iter().collect();
    if all.len() > METRICS {
        all.retain(|metric| metric.outliers > 0 || metric.id.ends_with(".mean") || metric.id == "temperature.max");
    }
    all.truncate(2 * METRICS);
    all
}

/// Scatter as a percentage of the median where that means something.
pub(super) fn scatter(metric: &FleetMetric) -> String {
    match metric.median {
        median if median > 0.0 && metric.unit != "°C" => format!("{:.2} %", 100.0 * metric.sigma / median),
        _ => value(metric.sigma, &metric.unit),
    }
}

/// A value with its unit as people name it.
pub(super) fn value(value: f64, unit: &str) -> String {
    match unit {
        "1" | "" => text::significant(value),
        "°C" => format!("{value:.1} °C"),
        unit => text::si(value, &unit.replace("FLOP/J", "FLOPS/W")),
    }
}

/// Scope and evidence of a metric's energy.
pub(super) fn origin(metric: &FleetMetric) -> String {
    match (metric.evidence, metric.scope) {
        (Some(evidence), Some(scope)) => format!("{evidence}, {scope}"),
        (Some(evidence), None) => evidence.to_string(),
        _ => String::new(),
    }
}

fn metrics(fleet: &Fleet) -> String {
    let shown = shown(fleet);
    if shown.is_empty() {
        return String::new();
    }
    let header = ["metric", "energy", "n", "median", "scatter", "lowest", "highest", "off"];
    let mut out = String::new();
    for (index, group) in fleet.groups.iter().enumerate() {
        let own: Vec<&&FleetMetric> = shown.iter().filter(|metric| metric.group == index).collect();
        if own.is_empty() {
            continue;
        }
        let mut table = text::table(&header, &[2, 3, 4, 5, 6, 7]);
        for metric in own {
            table.add_row(vec![
                metric.id.clone(),
                origin(metric),
                metric.n.to_string(),
                value(metric.median, &metric.unit),
                scatter(metric),
                value(metric.range.0, &metric.unit),
                value(metric.range.1, &metric.unit),
                metric.outliers.to_string(),
            ]);
        }
        out.push_str(&format!("\n{}\n{}", group_name(group), text::lines(&table)));
    }
    let hidden = fleet.metrics.len() - shown.len();
    if hidden > 0 {
        out.push_str(&format!("{hidden} more metrics name no device: --json shows them.\n"));
    }
    out.push('\n');
    let read = format!(
        "off: beyond {} % (shares: percentage points, temperatures: kelvin) and a robust score of {} from the median, on the worse \
         side; of fewer than 8 devices only beyond {} %. scatter: 1.4826 × median absolute deviation. Where all devices are alike \
         slow, none is off: only a profile tells that.",
        fleet.limit_percent,
        fleet.z,
        3.0 * fleet.limit_percent
    );
    out + &text::entry("Read", &read)
}

/// Files and records that do not count, with the reason.
fn left_out(fleet: &Fleet) -> String {
    let mut out = String::new();
    out.push_str(&files("Unreadable:", &fleet.unreadable));
    out.push_str(&files("With odd times (they count; check the clock of the node):", &fleet.clocks));
    let replaced: Vec<Unreadable> = fleet
        .superseded
        .iter()
        .map(|own| Unreadable { path: own.path.clone(), why: format!("newer: {}", own.newer) })
        .collect();
    out.push_str(&files("Replaced by a newer record of the same device (--all counts them too):", &replaced));
    let plain = |paths: &[String]| {
        paths.iter().map(|path| Unreadable { path: path.clone(), why: String::new() }).collect::<Vec<_>>()
    };
    out.push_str(&files("Under way (they do not count):", &plain(&fleet.running)));
    out.push_str(&files("With errors made on purpose (they do not count):", &plain(&fleet.injected)));
    out
}

fn files(title: &str, files: &[Unreadable]) -> String {
    if files.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{title}\n");
    for file in files.iter().take(LISTED) {
        let before = format!("  {}{}", file.path, if file.why.is_empty() { "" } else { ": " });
        let long = before.chars().count() > 60;
        out.push_str(&match long {
            true => format!("{}\n{}", before.trim_end(), text::wrapped("    ", &file.why)),
            false => text::wrapped(&before, &file.why),
        });
    }
    if files.len() > LISTED {
        out.push_str(&format!("  and {} more: --json lists them\n", files.len() - LISTED));
    }
    out
}
