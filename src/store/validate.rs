//! A strict look at a record: everything that a reader tolerates and an author should not.
//!
//! Pure functions over a record; nothing is repaired. What surprises people: a record can be readable, evaluate to
//! figures, and still fail here (an unknown field, a window outside the run).

mod commands;
mod qualification;

pub use qualification::examine_qualification;

use std::collections::BTreeSet;

use serde_json::Value;

use super::waves;
use crate::clock::Nanoseconds;
use crate::model::{
    Case, Measurement, RunRecord, RunStatus, SCHEMA_VERSION, SchemaVersion, SourceTrace, Verification, Window,
    WindowKind,
};

/// Something in a record that should not be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Field, for example `traces[0].columns[1].values`.
    pub field: String,
    /// What is wrong with it.
    pub text: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.text)
    }
}

/// Findings of one examination.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, field: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { field: field.into(), text: text.into() });
    }
    fn require(&mut self, holds: bool, field: &str, text: impl FnOnce() -> String) {
        if !holds {
            self.add(field, text());
        }
    }
}

/// Everything wrong with a record, given its text as well; empty for a sound record.
pub fn examine(text: &str, record: &RunRecord) -> Vec<Finding> {
    let mut found = unknown_fields(text, record);
    found.extend(check(record));
    found
}

/// Everything wrong with the content of a record.
pub fn check(record: &RunRecord) -> Vec<Finding> {
    let mut found = Findings::default();
    check_head(record, &mut found);
    check_devices(record, &mut found);
    let end = duration_of(record);
    for (index, idle) in record.idle.iter().enumerate() {
        check_windows(&format!("idle[{index}].windows"), &idle.windows, end, &mut found);
    }
    for (index, measurement) in record.measurements.iter().enumerate() {
        check_measurement(&format!("measurements[{index}]"), measurement, end, &mut found);
    }
    check_turns(record, &mut found);
    commands::check(record, end, &mut found);
    for (index, trace) in record.traces.iter().enumerate() {
        check_trace(&format!("traces[{index}]"), trace, record, &mut found);
    }
    found.0.extend(waves::check(record));
    found.0
}

/// Fields of the text that the format does not have.
pub fn unknown_fields(text: &str, record: &RunRecord) -> Vec<Finding> {
    let mut found = Findings::default();
    if let (Ok(raw), Ok(known)) = (serde_json::from_str::<Value>(text), serde_json::to_value(record))
        // A migrated record has the fields of its own version.
        && raw["version"]["major"] == SCHEMA_VERSION.major
    {
        compare(SCHEMA_VERSION, "", &raw, &known, &mut found);
    }
    found.0
}

fn compare(version: SchemaVersion, path: &str, raw: &Value, known: &Value, found: &mut Findings) {
    match (raw, known) {
        (Value::Object(raw), Value::Object(known)) => {
            for (key, value) in raw {
                let field = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match known.get(key) {
                    Some(inner) => compare(version, &field, value, inner, found),
                    None => found.add(field, format!("format {version} has no such field")),
                }
            }
        }
        (Value::Array(raw), Value::Array(known)) if raw.iter().any(|value| value.is_object() || value.is_array()) => {
            for (index, (raw, known)) in raw.iter().zip(known).enumerate() {
                compare(version, &format!("{path}[{index}]"), raw, known, found);
            }
        }
        _ => {}
    }
}

/// First required number of a record that is not finite. JSON would write it as `null`, and the record could not be read.
pub(super) fn first_non_finite(record: &RunRecord) -> Option<String> {
    let settings = &record.plan.settings;
    let seconds = [
        ("idle_s", settings.idle_s),
        ("preheat_min_s", settings.preheat_min_s),
        ("preheat_max_s", settings.preheat_max_s),
        ("steady_span_s", settings.steady_span_s),
        ("window_s", settings.window_s),
        ("case_timeout_s", settings.case_timeout_s),
        ("submission_s", settings.submission_s),
        ("random_gap_s", settings.random_gap_s),
    ];
    let mut numbers: Vec<(String, f64)> =
        seconds.iter().map(|(name, value)| (format!("plan.settings.{name}"), value.get())).collect();
    numbers.push(("plan.settings.target_half_width".to_owned(), settings.target_half_width.get()));
    numbers.push(("plan.settings.sampler_hz".to_owned(), settings.sampler_hz));
    numbers.push(("plan.expected_s".to_owned(), record.plan.expected_s.get()));
    for (name, case) in cases(record) {
        numbers.push((format!("{name}.work.flop"), case.work.flop.get()));
        numbers.push((format!("{name}.work.bytes"), case.work.bytes.get()));
    }
    for (index, measurement) in record.measurements.iter().enumerate() {
        let mut number = |name: &str, value: f64| numbers.push((format!("measurements[{index}].{name}"), value));
        if let Verification::Passed { before, after } = &measurement.verification {
            for (name, check) in [("before", before), ("after", after)] {
                number(&format!("verification.{name}.worst_error_in_bounds"), check.worst_error_in_bounds);
                number(&format!("verification.{name}.max_abs_error"), check.max_abs_error);
            }
        }
        if let Some(calibration) = &measurement.calibration {
            number("calibration.per_dispatch_s", calibration.per_dispatch_s.get());
        }
        if let Some(steadiness) = &measurement.steadiness {
            number("steadiness.after_s", steadiness.after_s.get());
        }
    }
    for (index, command) in record.commands.iter().enumerate() {
        let work = command.runs.iter().flat_map(|run| &run.work);
        numbers.extend(work.map(|work| (format!("commands[{index}] {}", work.unit), work.amount)));
    }
    let cadences = record.traces.iter().enumerate();
    numbers.extend(cadences.map(|(index, trace)| (format!("traces[{index}].requested_hz"), trace.requested_hz)));
    numbers.into_iter().find(|(_, value)| !value.is_finite()).map(|(field, _)| field)
}

/// Every case of a record with the path of its field.
fn cases(record: &RunRecord) -> impl Iterator<Item = (String, &Case)> {
    let plan = record.plan.cases.iter().enumerate().map(|(i, case)| (format!("plan.cases[{i}]"), case));
    let measured = record.measurements.iter().enumerate().map(|(i, m)| (format!("measurements[{i}].case"), &m.case));
    let skipped = record.skips.iter().enumerate().map(|(i, skip)| (format!("skips[{i}].case"), &skip.case));
    plan.chain(measured).chain(skipped)
}

/// Length of the run on its own clock, from the two wall-clock stamps; `None` while it runs or when they cannot be read.
fn duration_of(record: &RunRecord) -> Option<Nanoseconds> {
    let started: jiff::Timestamp = record.started.parse().ok()?;
    let ended: jiff::Timestamp = record.ended.as_ref()?.parse().ok()?;
    u64::try_from(ended.as_nanosecond() - started.as_nanosecond()).ok().map(Nanoseconds)
}

fn check_head(record: &RunRecord, found: &mut Findings) {
    let stamp = |text: &str| text.parse::<jiff::Timestamp>();
    if let Err(error) = stamp(&record.started) {
        found.add("started", format!("not an RFC 3339 time: {error}"));
    }
    if let Some(Err(error)) = record.ended.as_deref().map(stamp) {
        found.add("ended", format!("not an RFC 3339 time: {error}"));
    }
    if let (Ok(started), Some(Ok(ended))) = (stamp(&record.started), record.ended.as_deref().map(stamp)) {
        found.require(ended >= started, "ended", || "the run ends before it starts".to_owned());
    }
    let running = record.status == RunStatus::Running;
    found.require(running == record.ended.is_none(), "ended", || {
        let verb = if running { "must be null while" } else { "is missing although" };
        format!("{verb} the status is `{}`", status_word(&record.status))
    });
    found.require(!record.run_id.is_empty(), "run_id", || "is empty".to_owned());
    let expected = record.plan.cases.len();
    let reached = record.measurements.len() + record.skips.len();
    if record.status == RunStatus::Complete {
        found.require(reached == expected, "status", || {
            format!("`complete`, but {reached} of {expected} planned cases were measured or skipped")
        });
    }
    for (name, value) in [
        ("plan.settings.sampler_hz", record.plan.settings.sampler_hz),
        ("plan.expected_s", record.plan.expected_s.get()),
    ] {
        found.require(value.is_finite() && value >= 0.0, name, || format!("{value} is no usable number"));
    }
}

fn status_word(status: &RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Complete => "complete",
        RunStatus::Interrupted => "interrupted",
        RunStatus::Failed { .. } => "failed",
    }
}

fn check_devices(record: &RunRecord, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, device) in record.devices.iter().enumerate() {
        found.require(seen.insert(device.ordinal), &format!("devices[{index}].ordinal"), || {
            format!("{} belongs to another device already", device.ordinal)
        });
        if let Some(period) = device.timestamp_period_ns {
            found.require(period.is_finite() && period > 0.0, &format!("devices[{index}].timestamp_period_ns"), || {
                format!("{period} is no usable period")
            });
        }
    }
    for (field, case) in cases(record) {
        check_case(&field, case, &seen, found);
    }
    for (index, idle) in record.idle.iter().enumerate() {
        no_such_device(&format!("idle[{index}].device"), idle.device, &seen, found);
    }
    for (index, trace) in record.traces.iter().enumerate() {
        if let Some(device) = trace.source.device {
            no_such_device(&format!("traces[{index}].source.device"), device, &seen, found);
        }
    }
}

fn no_such_device(field: &str, ordinal: u32, devices: &BTreeSet<u32>, found: &mut Findings) {
    found.require(devices.contains(&ordinal), field, || format!("the record has no device {ordinal}"));
}

fn check_case(field: &str, case: &Case, devices: &BTreeSet<u32>, found: &mut Findings) {
    no_such_device(&format!("{field}.device"), case.device, devices, found);
    if let Err(error) = case.shape.check() {
        found.add(format!("{field}.shape"), error.to_string());
    }
    let counts = [case.work.flop.get(), case.work.bytes.get()];
    found.require(counts.iter().all(|count| count.is_finite() && *count >= 0.0), &format!("{field}.work"), || {
        format!("{} FLOP and {} bytes are no usable counts", counts[0], counts[1])
    });
    let hex = case.shader_sha256.len() == 64 && case.shader_sha256.bytes().all(|b| b.is_ascii_hexdigit());
    found.require(hex, &format!("{field}.shader_sha256"), || "is not 64 hex digits".to_owned());
}

fn check_windows(field: &str, windows: &[Window], end: Option<Nanoseconds>, found: &mut Findings) {
    for (index, window) in windows.iter().enumerate() {
        let field = format!("{field}[{index}]");
        found.require(window.end_ns > window.start_ns, &field, || "ends no later than it starts".to_owned());
        if let Some(before) = index.checked_sub(1).and_then(|before| windows.get(before)) {
            found.require(window.start_ns >= before.end_ns, &field, || {
                "begins before the one before it ends".to_owned()
            });
        }
        if let Some(end) = end {
            // The two wall-clock stamps are rounded, so a millisecond is granted.
            found.require(window.end_ns.0 <= end.0 + 1_000_000, &field, || {
                format!(
                    "ends at {:.3} s, after the run's end at {:.3} s",
                    window.end_ns.0 as f64 / 1e9,
                    end.0 as f64 / 1e9
                )
            });
        }
        let idle = matches!(window.kind, WindowKind::IdleCold | WindowKind::IdleContext);
        found.require(!(idle && window.dispatches > 0), &field, || {
            format!("is idle, yet {} executions completed in it", window.dispatches)
        });
        found.require(!(window.kind == WindowKind::Measure && window.dispatches == 0), &field, || {
            "counts as measured, yet nothing completed in it".to_owned()
        });
    }
}

/// Cases on one device take turns: two loads at once would share one energy.
fn check_turns(record: &RunRecord, found: &mut Findings) {
    let mut windows: Vec<(u32, &Window, String)> = Vec::new();
    for (index, measurement) in record.measurements.iter().enumerate() {
        let field = |at: usize| format!("measurements[{index}].windows[{at}]");
        let own = measurement.windows.iter().enumerate();
        windows.extend(own.map(|(at, window)| (measurement.case.device, window, field(at))));
    }
    windows.sort_by_key(|(device, window, _)| (*device, window.start_ns));
    for pair in windows.windows(2) {
        let [(device, before, first), (other, after, second)] = pair else { continue };
        found.require(device != other || after.start_ns >= before.end_ns, second, || {
            format!("overlaps {first} on device {device}: their energies cannot be told apart")
        });
    }
}

fn check_measurement(field: &str, measurement: &Measurement, end: Option<Nanoseconds>, found: &mut Findings) {
    check_windows(&format!("{field}.windows"), &measurement.windows, end, found);
    let measured = measurement.measured().count();
    match &measurement.verification {
        Verification::Passed { before, after } => {
            for (name, check) in [("before", before), ("after", after)] {
                let errors = [check.worst_error_in_bounds, check.max_abs_error];
                found.require(
                    errors.iter().all(|error| error.is_finite()),
                    &format!("{field}.verification.{name}"),
                    || "holds an error that is not a number".to_owned(),
                );
                found.require(check.worst_error_in_bounds <= 1.0, &format!("{field}.verification.{name}"), || {
                    format!("passed with an error of {} bounds", check.worst_error_in_bounds)
                });
                found.require(check.sampled > 0, &format!("{field}.verification.{name}.sampled"), || {
                    "passed without comparing anything".to_owned()
                });
            }
            found.require(measured > 0, &format!("{field}.windows"), || {
                "verified, yet no window was measured".to_owned()
            });
            // A phase of a sustained load does not stop at the end of a segment: it goes on in the next.
            let stopped = measurement.stop.is_some() || measurement.sustained.is_some();
            found.require(stopped, &format!("{field}.stop"), || "is missing".to_owned());
            found.require(measurement.timing.is_some(), &format!("{field}.timing"), || "is missing".to_owned());
        }
        Verification::Failed { detail, .. } => {
            found.require(!detail.is_empty(), &format!("{field}.verification.detail"), || "is empty".to_owned());
        }
    }
    if let Some(calibration) = &measurement.calibration {
        let time = calibration.per_dispatch_s.get();
        found.require(time.is_finite() && time > 0.0, &format!("{field}.calibration.per_dispatch_s"), || {
            format!("{time} is no usable time")
        });
    }
    if let Some(busy) = measurement.timing.as_ref().and_then(|timing| timing.busy_fraction) {
        found.require(busy.is_finite() && busy >= 0.0, &format!("{field}.timing.busy_fraction"), || {
            format!("{busy} is no usable fraction")
        });
    }
}

fn check_trace(field: &str, trace: &SourceTrace, record: &RunRecord, found: &mut Findings) {
    let id = &trace.source.id;
    let twins = record.traces.iter().filter(|other| other.source.id == *id).count();
    found.require(twins == 1, &format!("{field}.source.id"), || format!("`{id}` is used by {twins} traces"));
    let late = trace.t_ns.windows(2).position(|pair| pair[1] <= pair[0]);
    if let Some(index) = late {
        found.add(format!("{field}.t_ns[{}]", index + 1), "is not later than the one before it");
    }
    let mut declared = BTreeSet::new();
    for (index, channel) in trace.source.channels.iter().enumerate() {
        let field = format!("{field}.source.channels[{index}]");
        found.require(declared.insert(channel.id.as_str()), &field, || format!("`{}` is declared twice", channel.id));
        let numbers = [
            channel.update_period_s.map(|s| s.get()),
            channel.averaging_window_s.map(|s| s.get()),
            channel.stated_error.map(|r| r.get()),
        ];
        found.require(numbers.iter().flatten().all(|n| n.is_finite() && *n >= 0.0), &field, || {
            "states a period, window or error that is no usable number".to_owned()
        });
    }
    for (index, column) in trace.columns.iter().enumerate() {
        let field = format!("{field}.columns[{index}]");
        found.require(declared.contains(column.channel.as_str()), &format!("{field}.channel"), || {
            format!("`{}` is not among the source's channels", column.channel)
        });
        let (values, polls) = (column.values.len(), trace.t_ns.len());
        found.require(values == polls, &format!("{field}.values"), || format!("{values} values for {polls} instants"));
        if let Some(at) = column.values.iter().position(|value| value.is_some_and(|v| !v.is_finite())) {
            found.add(format!("{field}.values[{at}]"), "is not finite");
        }
    }
    for name in declared.iter().filter(|name| trace.column(name).is_none()) {
        found.add(format!("{field}.columns"), format!("channel `{name}` has no column"));
    }
    for (index, gap) in trace.gaps.iter().enumerate() {
        let field = format!("{field}.gaps[{index}]");
        found.require(gap.until_ns.is_none_or(|until| until >= gap.from_ns), &field, || {
            "ends before it begins".to_owned()
        });
        if let Some(channel) = &gap.channel {
            found.require(declared.contains(channel.as_str()), &field, || {
                format!("`{channel}` is not among the channels")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../../tests/fixtures/records/v1.0.json");

    fn golden() -> RunRecord {
        serde_json::from_str(GOLDEN).unwrap()
    }

    /// Fields that are found wrong after one change to a sound record.
    fn fields_after(change: impl FnOnce(&mut RunRecord)) -> Vec<String> {
        let mut record = golden();
        change(&mut record);
        check(&record).into_iter().map(|finding| finding.field).collect()
    }

    #[test]
    fn the_golden_record_is_sound() {
        assert_eq!(examine(GOLDEN, &golden()), vec![]);
    }

    #[test]
    fn unknown_fields_are_named_by_path_at_every_depth() {
        let text = GOLDEN
            .replacen("{", "{\"extra\": 1,", 1)
            .replacen("\"vendor_id\"", "\"vendor\": 1, \"vendor_id\"", 1)
            .replacen("\"dispatches\": 0", "\"dispatches\": 0, \"joules\": 3", 1);
        let fields: Vec<String> = unknown_fields(&text, &golden()).into_iter().map(|f| f.field).collect();
        assert_eq!(fields, ["devices[0].vendor", "extra", "idle[0].windows[0].joules"]);
    }

    #[test]
    fn each_defect_is_found_where_it_is() {
        type Change = fn(&mut RunRecord);
        let defects: [(&str, Change); 15] = [
            ("measurements[1].windows[0]", |r| r.measurements[0].windows[3].end_ns = Nanoseconds(6_500_000_000)),
            ("traces[0].columns[1].values", |r| r.traces[0].columns[1].values.truncate(3)),
            ("traces[0].t_ns[5]", |r| r.traces[0].t_ns[5] = r.traces[0].t_ns[4]),
            ("traces[0].columns[0].channel", |r| r.traces[0].columns[0].channel = "other".to_owned()),
            ("traces[0].columns[1].values[7]", |r| r.traces[0].columns[1].values[7] = Some(f64::INFINITY)),
            ("measurements[1].case.device", |r| r.measurements[1].case.device = 9),
            ("measurements[2].windows[1]", |r| r.measurements[2].windows[1].start_ns = Nanoseconds(1)),
            ("measurements[4].windows[3]", |r| r.measurements[4].windows[3].end_ns = Nanoseconds(99_000_000_000)),
            ("measurements[0].verification.after", |r| {
                if let Verification::Passed { after, .. } = &mut r.measurements[0].verification {
                    after.worst_error_in_bounds = 1.5;
                }
            }),
            ("measurements[0].stop", |r| r.measurements[0].stop = None),
            ("status", |r| r.skips.truncate(1)),
            ("ended", |r| r.ended = None),
            ("started", |r| r.started = "yesterday".to_owned()),
            ("devices[1].ordinal", |r| r.devices[1].ordinal = 0),
            ("plan.cases[0].shader_sha256", |r| r.plan.cases[0].shader_sha256 = "abc".to_owned()),
        ];
        for (field, change) in defects {
            let found = fields_after(change);
            assert!(found.iter().any(|name| name == field), "{field} not among {found:?}");
        }
    }
}
