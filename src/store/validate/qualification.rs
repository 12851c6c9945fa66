//! A strict look at a qualification: that its verdicts follow from its checks, and that its segments are the ones it names.
//!
//! What surprises people: the figures themselves are not computed again here; `wattmark qualify --verdict` does that.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Finding, Findings, compare, status_word};
use crate::model::{Grade, QUALIFICATION_VERSION, Qualification, QualifiedDevice, RunStatus};

/// Everything wrong with a qualification, given its text as well; empty for a sound one.
pub fn examine_qualification(text: &str, qualification: &Qualification) -> Vec<Finding> {
    let mut found = Findings::default();
    if let (Ok(raw), Ok(known)) = (serde_json::from_str::<Value>(text), serde_json::to_value(qualification))
        && qualification.version.major == QUALIFICATION_VERSION.major
    {
        compare(QUALIFICATION_VERSION, "", &raw, &known, &mut found);
    }
    check_times(qualification, &mut found);
    found.require(!qualification.id.is_empty(), "id", || "is empty".to_owned());
    let digest = &qualification.program_sha256;
    found.require(is_digest(digest), "program_sha256", || format!("`{digest}` is no SHA-256"));
    for (index, device) in qualification.devices.iter().enumerate() {
        check_device(&format!("devices[{index}]"), device, &mut found);
    }
    let gravest = qualification.devices.iter().map(|device| device.grade).max().unwrap_or(Grade::Inconclusive);
    let least = if qualification.inject_error { gravest.max(Grade::Inconclusive) } else { gravest };
    found.require(qualification.grade == least, "grade", || {
        format!("is {}, and the gravest of the devices is {least}", qualification.grade)
    });
    let mut files = BTreeSet::new();
    for (index, segment) in qualification.segments.iter().enumerate() {
        let at = format!("segments[{index}]");
        let plain = crate::store::segment_number(&segment.file).is_some();
        found.require(plain, &format!("{at}.file"), || format!("`{}` is no name of a segment", segment.file));
        found
            .require(files.insert(&segment.file), &format!("{at}.file"), || format!("`{}` occurs twice", segment.file));
        found.require(is_digest(&segment.sha256), &format!("{at}.sha256"), || "is no SHA-256".to_owned());
    }
    found.0
}

fn check_times(qualification: &Qualification, found: &mut Findings) {
    let stamp = |text: &str| text.parse::<jiff::Timestamp>();
    let started = stamp(&qualification.started);
    if let Err(error) = &started {
        found.add("started", format!("not an RFC 3339 time: {error}"));
    }
    match qualification.ended.as_deref().map(stamp) {
        Some(Err(error)) => found.add("ended", format!("not an RFC 3339 time: {error}")),
        Some(Ok(ended)) if started.is_ok_and(|started| ended < started) => {
            found.add("ended", "it ends before it starts");
        }
        _ => {}
    }
    let running = qualification.status == RunStatus::Running;
    found.require(running == qualification.ended.is_none(), "ended", || {
        let verb = if running { "must be null while" } else { "is missing although" };
        format!("{verb} the status is `{}`", status_word(&qualification.status))
    });
    for (name, time) in [("planned_s", qualification.planned_s), ("measured_s", qualification.measured_s)] {
        let time = time.get();
        found.require(time.is_finite() && time >= 0.0, name, || format!("{time} is no length of time"));
    }
}

fn check_device(at: &str, device: &QualifiedDevice, found: &mut Findings) {
    let gravest = device.checks.iter().map(|check| check.grade).max().unwrap_or(Grade::Inconclusive);
    found.require(device.grade == gravest, &format!("{at}.grade"), || {
        format!("is {}, and the gravest of its checks is {gravest}", device.grade)
    });
    let mut ids = BTreeSet::new();
    for (index, metric) in device.metrics.iter().enumerate() {
        let at = format!("{at}.metrics[{index}]");
        found.require(ids.insert(&metric.id), &format!("{at}.id"), || format!("`{}` occurs twice", metric.id));
        found.require(metric.value.is_finite(), &format!("{at}.value"), || "is no finite number".to_owned());
        if let Some((low, high)) = metric.interval {
            found.require(low <= metric.value && metric.value <= high, &format!("{at}.interval"), || {
                format!("{low} to {high} does not hold the value {}", metric.value)
            });
        }
    }
    for (index, outputs) in device.outputs.iter().enumerate() {
        let sound = (0.0..=1.0).contains(&outputs.coverage);
        found.require(sound, &format!("{at}.outputs[{index}].coverage"), || {
            format!("{} is no part between 0 and 1", outputs.coverage)
        });
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../../../tests/fixtures/qualifications/v1.0.json");

    fn findings(change: impl FnOnce(&mut Qualification)) -> Vec<String> {
        let mut qualification: Qualification = serde_json::from_str(GOLDEN).unwrap();
        change(&mut qualification);
        let text = serde_json::to_string(&qualification).unwrap();
        examine_qualification(&text, &qualification).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_golden_file_is_sound() {
        assert_eq!(findings(|_| ()), [""; 0]);
    }

    #[test]
    fn a_verdict_that_does_not_follow_from_its_checks_is_found() {
        assert_eq!(findings(|q| q.grade = Grade::Pass), ["grade: is PASS, and the gravest of the devices is FAIL"]);
        let device = findings(|q| q.devices[1].grade = Grade::Warn);
        assert_eq!(device[0], "devices[1].grade: is WARN, and the gravest of its checks is FAIL");
    }

    #[test]
    fn damage_is_named_with_its_field() {
        type Change = fn(&mut Qualification);
        let cases: [(&str, Change); 6] = [
            ("segments[1].file: `segment-0001.json` occurs twice", |q| {
                q.segments[1].file = "segment-0001.json".to_owned();
            }),
            ("segments[0].file: `../run.json` is no name of a segment", |q| {
                q.segments[0].file = "../run.json".to_owned();
            }),
            ("devices[0].metrics[0].interval: 1 to 2 does not hold", |q| {
                q.devices[0].metrics[0].interval = Some((1.0, 2.0));
            }),
            ("ended: is missing although", |q| q.ended = None),
            ("program_sha256: `x` is no SHA-256", |q| q.program_sha256 = "x".to_owned()),
            ("started: not an RFC 3339 time", |q| q.started = "yesterday".to_owned()),
        ];
        for (text, change) in cases {
            let found = findings(change);
            assert!(found.iter().any(|finding| finding.starts_with(text)), "{text}: {found:?}");
        }
        let unknown = GOLDEN.replacen("\"id\":", "\"colour\": 1, \"id\":", 1);
        let found = examine_qualification(&unknown, &serde_json::from_str(&unknown).unwrap());
        assert!(found[0].to_string().starts_with("colour: "), "{found:?}");
    }
}
