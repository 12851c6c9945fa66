//! A qualification as text for a terminal: per device what is not as it should be, gravest first, then the figures by phase.
//!
//! Checks are made in [`crate::qualify`]; nothing is judged here. What surprises people: what passed is one line of codes, so
//! that a node with eight sound boards fits on a screen; the figures of every phase stand below all the same.

use super::ceilings_text::Columns;
use super::number::{MISSING, percent, scaled, significant};
use super::sheet::ESTIMATED_MARK;
use super::table::labelled;
use crate::model::{
    CheckOutcome, Evidence, Grade, Metric, Phase, Qualification, QualifiedDevice, Reference, RunStatus,
};
use crate::units::Seconds;

/// Width when none is known.
const DEFAULT_WIDTH: usize = 120;

/// How many digits of a digest tell it from others.
const DIGEST: usize = 12;

/// The whole qualification as text, as wide as `width` columns (0 stands for 120).
pub fn qualification_text(qualification: &Qualification, width: usize) -> String {
    let width = if width == 0 { DEFAULT_WIDTH } else { width };
    let mut text: String = facts(qualification).iter().map(|(label, fact)| labelled(label, fact, width)).collect();
    for device in by_gravity(qualification) {
        text.push('\n');
        text.push_str(&device_text(device, width));
    }
    if qualification.devices.is_empty() {
        text.push_str("\nno device has a figure yet\n");
    }
    if !qualification.warnings.is_empty() {
        text.push('\n');
    }
    text.extend(qualification.warnings.iter().map(|warning| labelled(warning.code.code(), &warning.text, width)));
    text
}

/// The devices, gravest first; equals in order of their ordinals.
pub(super) fn by_gravity(qualification: &Qualification) -> Vec<&QualifiedDevice> {
    let mut devices: Vec<&QualifiedDevice> = qualification.devices.iter().collect();
    devices.sort_by_key(|device| (std::cmp::Reverse(device.grade), device.device.ordinal));
    devices
}

/// Checks of a device, gravest first; equals in order of their codes.
pub(super) fn checks_by_gravity(device: &QualifiedDevice) -> Vec<&CheckOutcome> {
    let mut checks: Vec<&CheckOutcome> = device.checks.iter().collect();
    checks.sort_by(|a, b| b.grade.cmp(&a.grade).then_with(|| a.code.cmp(&b.code)));
    checks
}

/// Label and text of the lines above everything.
pub(super) fn facts(qualification: &Qualification) -> Vec<(String, String)> {
    let mut facts = vec![("verdict", verdict(qualification)), ("id", qualification.id.clone())];
    facts.push(("time", time_fact(qualification)));
    if qualification.simulated {
        facts.push(("simulated", "times and power are scripted; no hardware was measured".to_owned()));
    }
    if qualification.inject_error {
        let text = "errors were made in outputs on purpose (--inject-error): this says something of the checks, and nothing of \
                    the devices";
        facts.push(("injected", text.to_owned()));
    }
    let labels: Vec<String> = qualification.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let host = std::iter::once(qualification.host.hostname.clone()).chain(labels).collect::<Vec<_>>().join(", ");
    facts.push(("node", host));
    facts.into_iter().map(|(label, text)| (label.to_owned(), text)).collect()
}

/// The verdict with how many devices it holds for.
pub(super) fn verdict(qualification: &Qualification) -> String {
    let all = qualification.devices.len();
    let such = qualification.devices.iter().filter(|device| device.grade == qualification.grade).count();
    let count = match all {
        0 => "no device was measured".to_owned(),
        1 => "1 device".to_owned(),
        _ => format!("{such} of {all} devices"),
    };
    format!("{} ({count})", qualification.grade)
}

fn time_fact(qualification: &Qualification) -> String {
    let state = match &qualification.status {
        RunStatus::Complete => String::new(),
        RunStatus::Running => ", not finished".to_owned(),
        RunStatus::Interrupted => ", interrupted".to_owned(),
        RunStatus::Failed { reason } => format!(", ended by an error: {reason}"),
    };
    let segments = match qualification.segments.len() {
        1 => "1 segment".to_owned(),
        count => format!("{count} segments"),
    };
    format!(
        "{} of load measured in {segments}, {} asked for; begun {}{state}",
        length(qualification.measured_s),
        length(qualification.planned_s),
        qualification.started
    )
}

/// A length of time as people say it: `45 s`, `30 min`, `2.5 h`.
pub(super) fn length(time: Seconds) -> String {
    match time.get() {
        seconds if seconds < 119.5 => format!("{seconds:.0} s"),
        seconds if seconds < 7170.0 => {
            let text = format!("{:.1}", seconds / 60.0);
            format!("{} min", text.trim_end_matches('0').trim_end_matches('.'))
        }
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Name of a device with what tells it from its neighbours.
pub(super) fn device_title(device: &QualifiedDevice) -> String {
    let pci = device.device.pci.as_ref().map(|pci| format!(", PCI {pci}")).unwrap_or_default();
    let identity: String = ["serial", "uuid"]
        .iter()
        .filter_map(|key| device.identity.get(*key).map(|value| format!(", {key} {value}")))
        .collect();
    format!("{} {}{pci}{identity}", device.device.ordinal, device.device.name)
}

fn device_text(device: &QualifiedDevice, width: usize) -> String {
    let mut text = labelled("device", &format!("{}: {}", device_title(device), device.grade), width);
    let checks = checks_by_gravity(device);
    let (passed, others): (Vec<&CheckOutcome>, Vec<&CheckOutcome>) =
        checks.iter().partition(|check| check.grade == Grade::Pass);
    if !others.is_empty() {
        text.push('\n');
        text.push_str(&check_table(&others, width));
    }
    if !passed.is_empty() {
        text.push('\n');
        text.push_str(&labelled("passed", &passed_fact(&passed), width));
    }
    let figures = phase_table(device, width);
    if !figures.is_empty() {
        text.push('\n');
        text.push_str(&figures);
    }
    let others = other_figures(device);
    if !others.is_empty() {
        text.push_str(&labelled("figures", &others, width));
    }
    let outputs = outputs_fact(device);
    if !outputs.is_empty() {
        text.push_str(&labelled("outputs", &outputs, width));
    }
    text
}

/// Codes and titles of what passed: `Q03 equal outputs in every window (arithmetic, memory)`.
fn passed_fact(passed: &[&CheckOutcome]) -> String {
    let mut codes: Vec<(&str, String, Vec<String>)> = Vec::new();
    for check in passed {
        let name = named(check);
        let (title, part) = match name.split_once([',', ':', '(']) {
            Some((title, part)) => (title.trim().to_owned(), part.trim().trim_end_matches(')').to_owned()),
            None => (name, String::new()),
        };
        match codes.iter_mut().find(|(code, known, _)| *code == check.code && *known == title) {
            Some((_, _, parts)) => parts.push(part),
            None => codes.push((&check.code, title, vec![part])),
        }
    }
    let texts = codes.into_iter().map(|(code, title, mut parts)| {
        parts.retain(|part| !part.is_empty());
        let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        format!("{code} {title}{parts}")
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// What a check looked at, with its phase where the title does not say it.
pub(super) fn named(check: &CheckOutcome) -> String {
    match check.metric.as_deref().and_then(phase_of) {
        Some(phase) if !check.title.contains(phase.name()) => format!("{} ({phase})", check.title),
        _ => check.title.clone(),
    }
}

fn check_table(checks: &[&CheckOutcome], width: usize) -> String {
    let head = ["code", "check", "verdict", "measured", "limit", "limit from"].map(str::to_owned).to_vec();
    let mut table = Columns { left: 3, lines: vec![(head, None)] };
    for check in checks {
        table.cells(check_cells(check));
    }
    // Under each row what was found and what to do, from below the name of the check on.
    let mut text = String::new();
    let rendered = table.text(width);
    let mut lines = rendered.lines();
    for line in lines.by_ref().take(2) {
        text.push_str(&format!("{line}\n"));
    }
    for (index, (line, check)) in lines.zip(checks).enumerate() {
        text.push_str(&format!("{line}\n"));
        text.push_str(&indented(&check.detail, width));
        // What is to be done about several checks in a row is said once, below the last of them.
        let said_below = checks.get(index + 1).is_some_and(|next| next.action == check.action);
        if !check.action.is_empty() && !said_below {
            text.push_str(&indented(&format!("→ {}", check.action), width));
        }
    }
    text
}

/// Code, name, verdict, value, limit and reference of a check.
pub(super) fn check_cells(check: &CheckOutcome) -> Vec<String> {
    let amount = |value: Option<f64>| value.map_or(MISSING.to_owned(), |value| check_amount(check, value));
    vec![
        check.code.clone(),
        named(check),
        check.grade.to_string(),
        amount(check.value),
        amount(check.limit),
        check.limit.map_or(MISSING.to_owned(), |_| reference(&check.reference)),
    ]
}

/// A check's value or limit with its unit.
fn check_amount(check: &CheckOutcome, value: f64) -> String {
    amount(check.metric.as_deref().unwrap_or_default(), value, &check.unit)
}

fn indented(text: &str, width: usize) -> String {
    const INDENT: usize = 6;
    let lines = super::table::wrapped(text, width.saturating_sub(INDENT).max(24));
    lines.iter().map(|line| format!("{}{line}\n", " ".repeat(INDENT))).collect()
}

/// What a limit was taken from, in a few words.
pub(super) fn reference(reference: &Reference) -> String {
    match reference {
        Reference::Absolute => "any device".to_owned(),
        Reference::Profile { name } => format!("profile {name}"),
        Reference::Peers { devices: 1 } => "1 peer".to_owned(),
        Reference::Peers { devices } => format!("{devices} peers"),
        Reference::History { runs: 1 } => "1 earlier run".to_owned(),
        Reference::History { runs } => format!("{runs} earlier runs"),
    }
}

/// The phase that a metric belongs to.
pub(super) fn phase_of(id: &str) -> Option<Phase> {
    let first = id.split('.').next()?;
    Phase::ALL.into_iter().find(|phase| phase.name() == first)
}

/// True if a metric without a unit is a share or a ratio, and no count.
pub(super) fn is_share(id: &str) -> bool {
    id.ends_with(".jitter") || id.starts_with("throttle.") || id == "power.limit.attainment"
}

/// A figure with its unit: shares in percent, counts as they are, the rest with a decimal prefix.
pub(super) fn amount(id: &str, value: f64, unit: &str) -> String {
    match unit {
        "1" | "" if is_share(id) => percent(value),
        "1" | "" => significant_count(value),
        "°C" => format!("{value:.1} °C"),
        "K/W" => format!("{} K/W", significant(value)),
        _ => scaled(value, unit),
    }
}

fn significant_count(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { significant(value) }
}

fn metric<'a>(device: &'a QualifiedDevice, id: &str) -> Option<&'a Metric> {
    device.metrics.iter().find(|metric| metric.id == id)
}

/// A metric with its unit, and with a mark where its energy was not measured.
pub(super) fn metric_text(metric: &Metric) -> String {
    let mark = match metric.evidence {
        Some(Evidence::Declared | Evidence::Estimated) => ESTIMATED_MARK,
        _ => "",
    };
    format!("{mark}{}", amount(&metric.id, metric.value, &metric.unit))
}

/// Columns of the table of phases: heads, and the ends of the metrics' names.
pub(super) const FIGURES: [(&str, &str); 7] = [
    ("rate", "rate.mean"),
    ("1st percentile", "rate.p1"),
    ("jitter", "rate.jitter"),
    ("power", "power.mean"),
    ("per joule", "efficiency.mean"),
    ("1st percentile", "efficiency.p1"),
    ("wrong", "output.wrong"),
];

/// Rows of the table of phases: the phases of which there is a figure, with a cell for each of [`FIGURES`].
pub(super) fn phase_rows(device: &QualifiedDevice) -> Vec<(Phase, Vec<String>)> {
    let rows = Phase::ALL.into_iter().map(|phase| {
        let found = FIGURES.map(|(_, end)| metric(device, &format!("{phase}.{end}")));
        (phase, found.iter().any(Option::is_some), found.map(|found| found.map_or(MISSING.to_owned(), metric_text)))
    });
    rows.filter(|(_, any, _)| *any).map(|(phase, _, cells)| (phase, cells.to_vec())).collect()
}

fn phase_table(device: &QualifiedDevice, width: usize) -> String {
    let rows = phase_rows(device);
    if rows.is_empty() {
        return String::new();
    }
    let head = std::iter::once("phase").chain(FIGURES.iter().map(|(head, _)| *head)).map(str::to_owned).collect();
    let mut table = Columns { left: 1, lines: vec![(head, None)] };
    for (phase, cells) in rows {
        table.cells(std::iter::once(phase.to_string()).chain(cells).collect());
    }
    table.text(width)
}

/// Figures that belong to no phase or have no column, in one line.
pub(super) fn other_figures(device: &QualifiedDevice) -> String {
    let shown =
        |id: &str| phase_of(id).is_some_and(|phase| FIGURES.iter().any(|(_, end)| id == format!("{phase}.{end}")));
    let others = device.metrics.iter().filter(|metric| !shown(&metric.id));
    others.map(|metric| format!("{} {}", metric.id, metric_text(metric))).collect::<Vec<_>>().join(", ")
}

/// Digests of the outputs by phase.
pub(super) fn outputs_fact(device: &QualifiedDevice) -> String {
    let phases = device.outputs.iter().map(|outputs| {
        let digests = match &outputs.seen[..] {
            [] => "none read".to_owned(),
            [one] => format!("{} in all {} windows", short(&one.sha256), one.windows),
            many => {
                let each: Vec<String> = many.iter().map(|d| format!("{} in {}", short(&d.sha256), d.windows)).collect();
                format!("{} different: {}", many.len(), each.join(", "))
            }
        };
        format!("{} {digests}", outputs.phase)
    });
    phases.collect::<Vec<_>>().join("; ")
}

fn short(digest: &str) -> &str {
    digest.get(..DIGEST).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::qualification_sample::sample;

    #[test]
    fn the_gravest_device_and_the_gravest_check_come_first() {
        let text = qualification_text(&sample(), 0);
        let position = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is missing in:\n{text}"));
        assert!(position("1 NVIDIA H200") < position("0 NVIDIA H200"), "{text}");
        assert!(position("Q20") < position("Q40") && position("Q40") < position("Q24"), "{text}");
        assert!(text.starts_with("verdict   FAIL (1 of 2 devices)\n"), "{text}");
    }

    #[test]
    fn a_row_holds_value_limit_unit_reference_and_what_to_do() {
        let text = qualification_text(&sample(), 0);
        let row = text.lines().find(|line| line.starts_with("Q20")).unwrap();
        for part in ["thermal throttling", "FAIL", "31%", "1.0%", "any device"] {
            assert!(row.contains(part), "{part}: {row}");
        }
        assert!(text.contains("      → Check airflow, dust"), "{text}");
        let row = text.lines().find(|line| line.starts_with("Q24")).unwrap();
        assert!(row.contains("0.0830 K/W") && row.contains("0.0550 K/W") && row.contains("1 peer"), "{row}");
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        for width in [100, 120] {
            let text = qualification_text(&sample(), width);
            let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
            assert!(widest.chars().count() <= width, "{width}: {widest}");
        }
    }

    #[test]
    fn figures_carry_the_unit_of_their_kind() {
        for (id, value, unit, text) in [
            ("throttle.thermal", 0.31, "1", "31%"),
            ("pcie.replays", 3.0, "1", "3"),
            ("arithmetic.rate.mean", 3.9e13, "FLOP/s", "39.0 TFLOP/s"),
            ("temperature.max", 91.04, "°C", "91.0 °C"),
            ("temperature.rise_per_watt", 0.083, "K/W", "0.0830 K/W"),
            ("arithmetic.output.wrong", 2.0, "1", "2"),
        ] {
            assert_eq!(amount(id, value, unit), text, "{id}");
        }
        // 59.95 min is said as 60 min, 2.5 h as hours.
        assert_eq!(length(Seconds::new(1800.0)), "30 min");
        assert_eq!(length(Seconds::new(150.0)), "2.5 min");
        assert_eq!(length(Seconds::new(9000.0)), "2.5 h");
    }
}
