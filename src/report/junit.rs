//! A qualification as JUnit XML, for systems that gather test results: one suite per device, one case per check.
//!
//! The form is the one that Maven Surefire writes and Jenkins reads. What surprises people: a device that did not come to its
//! end is an `error`, a limit that was not met a `failure`, and a check without the facts for a verdict is `skipped`, for it
//! says neither; a warning passes with its words in `system-out`.

use std::fmt::Write;

use super::qualification::{check_cells, device_title, named};
use crate::model::{CheckOutcome, Grade, Qualification, QualifiedDevice};

/// Code of the check that a device ran to its end.
const RAN: &str = "Q01";

/// How a check ends in JUnit's words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failure,
    Error,
    Skipped,
}

fn outcome(check: &CheckOutcome) -> Outcome {
    match check.grade {
        Grade::Pass | Grade::Warn => Outcome::Passed,
        Grade::Inconclusive => Outcome::Skipped,
        Grade::Fail if check.code == RAN => Outcome::Error,
        Grade::Fail => Outcome::Failure,
    }
}

/// The whole qualification as JUnit XML.
pub fn junit(qualification: &Qualification) -> String {
    let all: Vec<&CheckOutcome> = qualification.devices.iter().flat_map(|device| &device.checks).collect();
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "<testsuites name=\"wattmark qualify\" time=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
        seconds(qualification),
        all.len(),
        count(&all, Outcome::Failure),
        count(&all, Outcome::Error)
    );
    for device in &qualification.devices {
        text.push_str(&suite(qualification, device));
    }
    text.push_str("</testsuites>\n");
    text
}

/// Seconds without thousands' separators, as the schema of Surefire has them.
fn seconds(qualification: &Qualification) -> String {
    format!("{:.3}", qualification.measured_s.get().max(0.0))
}

fn count(checks: &[&CheckOutcome], wanted: Outcome) -> usize {
    checks.iter().filter(|check| outcome(check) == wanted).count()
}

fn suite(qualification: &Qualification, device: &QualifiedDevice) -> String {
    let checks: Vec<&CheckOutcome> = device.checks.iter().collect();
    // JUnit's time stamps have neither zone nor fraction; ours are UTC.
    let stamp = qualification.started.get(..19).unwrap_or(&qualification.started);
    let mut text = format!(
        "  <testsuite name={} tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\" timestamp={} hostname={} \
         id=\"{}\">\n    <properties>\n",
        quoted(&format!("device {}", device_title(device))),
        checks.len(),
        count(&checks, Outcome::Failure),
        count(&checks, Outcome::Error),
        count(&checks, Outcome::Skipped),
        seconds(qualification),
        quoted(stamp),
        quoted(&qualification.host.hostname),
        device.device.ordinal
    );
    for (name, value) in properties(qualification, device) {
        let _ = writeln!(text, "      <property name={} value={}/>", quoted(&name), quoted(&value));
    }
    text.push_str("    </properties>\n");
    let class = format!("wattmark.qualify.{}.device{}", qualification.host.hostname, device.device.ordinal);
    for check in checks {
        text.push_str(&case(check, &class));
    }
    text.push_str("  </testsuite>\n");
    text
}

fn properties(qualification: &Qualification, device: &QualifiedDevice) -> Vec<(String, String)> {
    let mut properties = vec![
        ("qualification".to_owned(), qualification.id.clone()),
        ("grade".to_owned(), device.grade.to_string()),
        ("device".to_owned(), device.device.name.clone()),
        ("simulated".to_owned(), qualification.simulated.to_string()),
        ("wattmark".to_owned(), qualification.tool.version.clone()),
    ];
    properties.extend(device.device.pci.as_ref().map(|pci| ("pci".to_owned(), pci.to_string())));
    properties.extend(device.identity.iter().map(|(key, value)| (key.clone(), value.clone())));
    properties.extend(qualification.labels.iter().map(|(key, value)| (format!("label.{key}"), value.clone())));
    if qualification.inject_error {
        properties.push(("inject-error".to_owned(), "true".to_owned()));
    }
    properties
}

fn case(check: &CheckOutcome, class: &str) -> String {
    let name = format!("{} {}", check.code, named(check));
    let open = format!("    <testcase name={} classname={} time=\"0\"", quoted(&name), quoted(class));
    let message = match check.action.is_empty() {
        true => check.detail.clone(),
        false => format!("{}. {}", check.detail.trim_end_matches('.'), check.action),
    };
    let cells = check_cells(check);
    let body = format!("measured {}, limit {} ({})", cells[3], cells[4], cells[5]);
    let inside = match outcome(check) {
        Outcome::Passed => {
            format!("<system-out>{}</system-out>", escaped(&format!("{}: {message} ({body})", check.grade)))
        }
        Outcome::Failure => element("failure", check, &message, &body),
        Outcome::Error => element("error", check, &message, &body),
        Outcome::Skipped => element("skipped", check, &message, &body),
    };
    format!("{open}>\n      {inside}\n    </testcase>\n")
}

fn element(name: &str, check: &CheckOutcome, message: &str, body: &str) -> String {
    format!("<{name} type={} message={}>{}</{name}>", quoted(&check.code), quoted(message), escaped(body))
}

/// A text as the value of an attribute, with its quotation marks.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;"))
}

/// A text without what XML takes for markup, and without the characters that XML 1.0 cannot hold.
fn escaped(text: &str) -> String {
    let allowed = |c: &char| {
        matches!(c, '\t' | '\n') || (*c >= ' ' && !matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}'))
    };
    let kept: String = text.chars().filter(allowed).collect();
    kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::qualification_sample::sample;

    #[test]
    fn a_suite_stands_for_a_device_and_counts_its_checks() {
        let text = junit(&sample());
        // Device 0: three passes. Device 1: Q20 fails, Q40 says nothing, Q24 warns, two passes.
        assert!(text.contains("tests=\"8\" failures=\"1\" errors=\"0\">"), "{text}");
        assert!(text.contains("tests=\"3\" failures=\"0\" errors=\"0\" skipped=\"0\""), "{text}");
        assert!(text.contains("tests=\"5\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{text}");
        assert_eq!(text.matches("<testcase ").count(), 8);
        assert!(text.contains("timestamp=\"2026-08-22T10:15:30\" hostname=\"node07\""), "{text}");
    }

    #[test]
    fn a_limit_that_was_not_met_is_a_failure_and_a_device_that_died_an_error() {
        let mut qualification = sample();
        qualification.devices[0].checks[0].grade = Grade::Fail;
        // Less than a hundredth of a percent is printed with a sign that is markup in XML.
        qualification.devices[1].checks[4] = CheckOutcome {
            metric: Some("throttle.thermal".to_owned()),
            value: Some(1e-6),
            unit: "1".to_owned(),
            ..qualification.devices[1].checks[4].clone()
        };
        let text = junit(&qualification);
        assert!(text.contains("<failure type=\"Q20\" message=\"clocks were held down by heat"), "{text}");
        assert!(text.contains("<skipped type=\"Q40\""), "{text}");
        assert!(text.contains("<error type=\"Q01\""), "{text}");
        assert!(text.contains("measured &lt;0.01%, limit"), "{text}");
        assert!(text.contains("<system-out>WARN: 0.083 K/W where its peers"), "{text}");
    }

    #[test]
    fn markup_in_texts_is_escaped_and_what_xml_cannot_hold_is_left_out() {
        let text = junit(&sample());
        assert!(text.contains("&lt;time&gt; &amp; &quot;more&quot;"), "{text}");
        assert_eq!(quoted("a\u{1b}[1m\u{0}b\n\"c\""), "\"a[1mb&#10;&quot;c&quot;\"");
    }
}
