//! Tests of rates, efficiencies and outputs against figures worked by hand.

use proptest::prelude::*;

use super::super::testing::{self, empty, measurement, power};
use super::*;
use crate::model::{
    Case, Counted, Evidence, InjectedError, Measurement, Metric, Phase, Scope, Sustained, Verification,
};
use crate::model::{Skip, SkipReason};

/// A case of 1000 FLOP an execution.
pub(super) fn case() -> Case {
    Case { counted: Counted::Flop, ..testing::case() }
}

/// The windows of a phase: start, end in seconds, and executions of 1000 FLOP; every output alike.
pub(super) fn phase(phase: Phase, windows: &[(u64, u64, u64)]) -> Measurement {
    let sustained = Sustained {
        phase,
        digested_bytes: 64,
        output_bytes: 64,
        known: None,
        digests: vec!["aa".to_owned(); windows.len()],
    };
    Measurement { sustained: Some(sustained), ..measurement(case(), windows) }
}

/// A record of these measurements on device 0.
pub(super) fn record(measurements: Vec<Measurement>) -> RunRecord {
    RunRecord { started: "2026-01-01T00:00:00Z".to_owned(), measurements, ..empty() }
}

/// What one record says of device 0.
pub(super) fn findings(record: &RunRecord) -> DeviceFindings {
    all(&[record])
}

/// What several records say of device 0.
pub(super) fn all(records: &[&RunRecord]) -> DeviceFindings {
    let mut tally = Tally::new();
    records.iter().for_each(|record| tally.add(record));
    tally.findings().remove(0)
}

pub(super) fn metric<'a>(findings: &'a DeviceFindings, id: &str) -> &'a Metric {
    let ids: Vec<&str> = findings.metrics.iter().map(|metric| metric.id.as_str()).collect();
    findings.metrics.iter().find(|metric| metric.id == id).unwrap_or_else(|| panic!("no {id} among {ids:?}"))
}

pub(super) fn has(findings: &DeviceFindings, id: &str) -> bool {
    findings.metrics.iter().any(|metric| metric.id == id)
}

pub(super) fn near(got: f64, want: f64) -> bool {
    (got - want).abs() <= 1e-9 * want.abs().max(1.0)
}

fn digests(mut measurement: Measurement, digests: &[&str], known: Option<&str>) -> Measurement {
    let sustained = measurement.sustained.as_mut().unwrap();
    sustained.digests = digests.iter().map(|digest| (*digest).to_owned()).collect();
    sustained.known = known.map(str::to_owned);
    measurement
}

#[test]
fn a_rate_is_all_work_over_all_time_and_its_first_percentile_is_near_the_slowest_window() {
    // 1000 FLOP each: 100, 120 and 80 executions in 10 s each: 300 000 FLOP in 30 s. Rates 10 000, 12 000, 8 000.
    let record = record(vec![phase(Phase::Arithmetic, &[(0, 10, 100), (10, 20, 120), (20, 30, 80)])]);
    let found = findings(&record);
    let mean = metric(&found, "arithmetic.rate.mean");
    assert!(near(mean.value, 10_000.0), "{mean:?}");
    assert_eq!((mean.unit.as_str(), mean.n, mean.better), ("FLOP/s", 3, Some(crate::model::Better::Higher)));
    assert_eq!((mean.evidence, mean.scope), (None, None), "no joule is in it");
    // Deviation 2000, over the root of 3 windows, times Student's 4.303.
    let (low, high) = mean.interval.unwrap();
    let half = 4.303 * 2000.0 / 3f64.sqrt();
    assert!((low - (10_000.0 - half)).abs() < 1e-6 && (high - (10_000.0 + half)).abs() < 1e-6, "{low} {high}");
    // Type 7 at 0.01 of 3 values: 0.02 of the way from 8000 to 10 000.
    let p1 = metric(&found, "arithmetic.rate.p1");
    assert!(near(p1.value, 8040.0) && p1.interval.is_none() && p1.n == 3, "{p1:?}");
    let jitter = metric(&found, "arithmetic.rate.jitter");
    assert!(near(jitter.value, 0.2) && jitter.unit == "1", "{jitter:?}");
    assert!(!has(&found, "arithmetic.efficiency.mean") && !has(&found, "temperature.max"), "nothing was read");
    assert_eq!(metric(&found, "arithmetic.output.wrong").value, 0.0);
}

#[test]
fn with_six_rounds_their_means_are_the_sample_and_with_fewer_the_windows() {
    // Each round: two windows of arithmetic at one rate, then one of memory. The rates of the rounds are 10 000 and 12 000 in
    // turns.
    let rounds = |count: u64| {
        let executions = |round: u64| if round.is_multiple_of(2) { 10 } else { 12 };
        let pair = |r: u64| [(3 * r, 3 * r + 1, executions(r)), (3 * r + 1, 3 * r + 2, executions(r))];
        let arithmetic: Vec<(u64, u64, u64)> = (0..count).flat_map(pair).collect();
        let memory: Vec<(u64, u64, u64)> = (0..count).map(|r| (3 * r + 2, 3 * r + 3, 1)).collect();
        findings(&record(vec![phase(Phase::Arithmetic, &arithmetic), phase(Phase::Memory, &memory)]))
    };
    let half = |found: &DeviceFindings| {
        let mean = metric(found, "arithmetic.rate.mean");
        assert!(near(mean.value, 11_000.0));
        mean.interval.unwrap().1 - mean.value
    };
    // Six means: deviation of three 10 000 and three 12 000 is 1000·√(6/5); Student's factor at 5 degrees 2.571.
    let by_rounds = 2.571 * 1000.0 * (6.0f64 / 5.0).sqrt() / 6f64.sqrt();
    assert!((half(&rounds(6)) - by_rounds).abs() < 1e-6);
    // Four rounds: eight windows, deviation 1000·√(8/7), 7 degrees 2.365.
    let by_windows = 2.365 * 1000.0 * (8.0f64 / 7.0).sqrt() / 8f64.sqrt();
    assert!((half(&rounds(4)) - by_windows).abs() < 1e-6);
}

#[test]
fn one_wrong_window_has_no_rate_and_leaves_the_others_theirs() {
    let windows = [(0, 10, 100), (10, 20, 500), (20, 30, 100), (30, 40, 100)];
    let wrong = digests(phase(Phase::Integer, &windows), &["aa", "ff", "aa", "aa"], None);
    let found = findings(&record(vec![wrong]));
    let count = metric(&found, "integer.output.wrong");
    assert_eq!((count.value, count.n, count.unit.as_str()), (1.0, 4, "1"));
    let mean = metric(&found, "integer.rate.mean");
    assert!(near(mean.value, 10_000.0) && mean.n == 3, "the window of 50 000 FLOP/s is out: {mean:?}");
    let outputs = &found.outputs[0];
    let seen: Vec<(&str, u64, f64, f64)> =
        outputs.seen.iter().map(|s| (s.sha256.as_str(), s.windows, s.first_s, s.last_s)).collect();
    assert_eq!(seen, [("aa", 3, 10.0, 40.0), ("ff", 1, 20.0, 20.0)]);
    assert_eq!((outputs.phase, outputs.coverage), (Phase::Integer, 1.0));
}

#[test]
fn a_known_digest_overrules_the_majority_across_segments() {
    let first = record(vec![digests(phase(Phase::Integer, &[(0, 10, 1), (10, 20, 1)]), &["ff", "ff"], Some("aa"))]);
    let mut second = record(vec![digests(phase(Phase::Integer, &[(5, 15, 1)]), &["aa"], Some("aa"))]);
    second.started = "2026-01-01T00:05:00Z".to_owned();
    let found = all(&[&first, &second]);
    assert_eq!(metric(&found, "integer.output.wrong").value, 2.0);
    assert_eq!(metric(&found, "integer.rate.mean").n, 1);
    // The second segment began 300 s after the first.
    let right = found.outputs[0].seen.iter().find(|seen| seen.sha256 == "aa").unwrap();
    assert_eq!((right.first_s, right.last_s), (315.0, 315.0));
    // A known digest that never came: no window is right, and there is no rate.
    let found = findings(&first);
    assert_eq!(metric(&found, "integer.output.wrong").value, 2.0);
    assert!(!has(&found, "integer.rate.mean"));
}

#[test]
fn an_error_that_was_made_on_purpose_is_no_wrong_window() {
    let windows = [(0, 10, 100), (10, 20, 100), (20, 30, 100), (30, 40, 100)];
    let mut made = digests(phase(Phase::Memory, &windows), &["aa", "ff", "aa", "aa"], None);
    let (detail, when) = ("differs".to_owned(), "after window 2".to_owned());
    made.verification = Verification::Failed { detail, when };
    made.injected = Some(InjectedError {
        tensor: "c".to_owned(),
        index: 0,
        bit: 3,
        before: "1".to_owned(),
        after: "2".to_owned(),
        caught: true,
    });
    let found = findings(&record(vec![made.clone()]));
    assert_eq!(metric(&found, "memory.output.wrong").value, 0.0);
    assert_eq!(found.outputs[0].seen.len(), 1);
    assert!(found.outputs[0].failures.is_empty());
    // A second wrong window in the same stretch was not made here.
    let worse = digests(made, &["aa", "ff", "aa", "ee"], None);
    assert_eq!(metric(&findings(&record(vec![worse])), "memory.output.wrong").value, 1.0);
}

#[test]
fn a_failed_check_of_an_ordinary_run_leaves_no_rate_and_of_a_phase_it_does() {
    let failed = Verification::Failed { detail: "element 7 is off".to_owned(), when: "after window 1".to_owned() };
    let run = Measurement { verification: failed.clone(), ..measurement(case(), &[(0, 10, 100)]) };
    let name = case().label();
    let found = findings(&record(vec![run]));
    assert_eq!(metric(&found, &format!("{name}.output.wrong")).value, 1.0);
    assert!(!has(&found, &format!("{name}.rate.mean")) && found.outputs.is_empty() && found.work.is_empty());
    let phase = Measurement { verification: failed, ..phase(Phase::Arithmetic, &[(0, 10, 100), (10, 20, 100)]) };
    let found = findings(&record(vec![phase]));
    assert_eq!(metric(&found, "arithmetic.output.wrong").value, 1.0);
    assert!(near(metric(&found, "arithmetic.rate.mean").value, 10_000.0));
    assert_eq!(found.outputs[0].failures, ["at 20 s, after window 1: element 7 is off"]);
}

#[test]
fn an_ordinary_run_is_named_by_its_cases() {
    let found = findings(&record(vec![measurement(case(), &[(0, 10, 100), (10, 20, 100)])]));
    let id = format!("{}.rate.mean", case().label());
    assert!(id.starts_with("gemm/tiled-f32 ") && near(metric(&found, &id).value, 10_000.0), "{id}");
}

#[test]
fn efficiency_is_of_the_board_before_the_host_and_measured_before_estimated() {
    let mut record = record(vec![phase(Phase::Arithmetic, &[(0, 10, 100), (10, 20, 100)])]);
    let mut model = power("model", Some(0), Scope::Board, |_| Some(1.0));
    model.source.evidence = Evidence::Estimated;
    let host = power("host", None, Scope::WallAc, |_| Some(500.0));
    // 100 W in the first window, 300 W in the second: 200 000 FLOP over 4000 J.
    let board = power("board", Some(0), Scope::Board, |t| Some(if t < 10.0 { 100.0 } else { 300.0 }));
    record.traces = vec![model.clone(), host.clone(), board];
    let found = findings(&record);
    let mean = metric(&found, "arithmetic.efficiency.mean");
    assert!((mean.value - 50.0).abs() < 0.5, "{mean:?}");
    assert_eq!(
        (mean.evidence, mean.scope, mean.unit.as_str()),
        (Some(Evidence::Measured), Some(Scope::Board), "FLOP/J")
    );
    assert!(mean.interval.is_some());
    // The sensor updates ten times a second, and where the step lies between two updates is not known.
    assert!((metric(&found, "arithmetic.power.mean").value - 200.0).abs() < 2.0);
    // Efficiencies 100 and 33.3: 1 % of the way up.
    assert!((metric(&found, "arithmetic.efficiency.p1").value - 34.0).abs() < 0.5);
    record.traces = vec![model, host];
    let mean = metric(&findings(&record), "arithmetic.efficiency.mean").clone();
    assert!((mean.value - 20.0).abs() < 1e-6 && mean.scope == Some(Scope::WallAc), "{mean:?}");
    record.traces.truncate(1);
    let mean = metric(&findings(&record), "arithmetic.efficiency.mean").clone();
    assert_eq!((mean.evidence, mean.interval), (Some(Evidence::Estimated), None));
}

#[test]
fn segments_add_up_to_what_one_record_says() {
    let board = || power("board", Some(0), Scope::Board, |_| Some(200.0));
    let mut whole = record(vec![phase(Phase::Arithmetic, &[(0, 10, 100), (10, 20, 110), (20, 30, 90)])]);
    whole.traces = vec![board()];
    let mut first = record(vec![phase(Phase::Arithmetic, &[(0, 10, 100), (10, 20, 110)])]);
    first.traces = vec![board()];
    let mut second = record(vec![phase(Phase::Arithmetic, &[(20, 30, 90)])]);
    second.traces = vec![board()];
    let (one, two) = (findings(&whole), all(&[&first, &second]));
    for id in ["rate.mean", "rate.p1", "rate.jitter", "efficiency.mean", "efficiency.p1", "power.mean", "output.wrong"]
    {
        let id = format!("arithmetic.{id}");
        assert!(near(metric(&one, &id).value, metric(&two, &id).value), "{id}");
        assert_eq!(metric(&one, &id).n, metric(&two, &id).n, "{id}");
    }
    let mut tally = Tally::new();
    [&first, &second].iter().for_each(|record| tally.add(record));
    assert_eq!(tally.measured(), Seconds::new(30.0));
}

#[test]
fn a_lost_device_and_a_phase_that_cannot_run_are_told_once() {
    let skip = |reason, detail: &str| Skip { case: case(), reason, detail: detail.to_owned() };
    let mut record = record(vec![phase(Phase::Arithmetic, &[(0, 10, 100)])]);
    record.skips = vec![
        skip(SkipReason::DeviceLost, "the driver reset it"),
        skip(SkipReason::MissingFeature, "no f16"),
        skip(SkipReason::Interrupted, "Ctrl-C"),
    ];
    let mut later = record.clone();
    later.started = "2026-01-01T00:05:00Z".to_owned();
    let found = all(&[&record, &later]);
    let label = case().label();
    let told =
        [format!("lost after 10 s in {label}: the driver reset it"), format!("{label} was not measured: no f16")];
    assert_eq!(found.losses, told);
    // In an ordinary run what does not fit is no loss.
    record.measurements.clear();
    assert_eq!(findings(&record).losses.len(), 1);
}

#[test]
fn windows_without_length_or_work_give_no_figure_that_is_no_number() {
    let mut record = record(vec![phase(Phase::Arithmetic, &[(10, 10, 5), (20, 20, 0)])]);
    record.traces = vec![power("board", Some(0), Scope::Board, |_| Some(200.0))];
    assert!(!has(&findings(&record), "arithmetic.rate.mean"));
    record.measurements = vec![phase(Phase::Arithmetic, &[(10, 20, 0), (20, 30, 0)])];
    let found = findings(&record);
    assert_eq!(metric(&found, "arithmetic.rate.mean").value, 0.0, "a device that did nothing has a rate of 0");
    let numbers = found.metrics.iter().flat_map(|m| [m.value].into_iter().chain(m.interval.map(|(low, _)| low)));
    assert!(numbers.into_iter().all(f64::is_finite), "{:?}", found.metrics);
}

proptest! {
    #[test]
    fn figures_do_not_depend_on_where_segments_are_cut(
        counts in prop::collection::vec(1u64..1000, 3..12),
        cut in 1usize..11,
    ) {
        let windows: Vec<(u64, u64, u64)> = (0u64..).zip(&counts).map(|(i, n)| (i * 4, i * 4 + 4, *n)).collect();
        let cut = cut.min(windows.len() - 1);
        let board = || vec![power("board", Some(0), Scope::Board, |t| Some(200.0 + 50.0 * (t * 0.3).sin()))];
        let of = |windows: &[(u64, u64, u64)]| RunRecord { traces: board(), ..record(vec![phase(Phase::Memory, windows)]) };
        let (one, two) = (findings(&of(&windows)), all(&[&of(&windows[..cut]), &of(&windows[cut..])]));
        for id in ["rate.mean", "rate.p1", "rate.jitter", "efficiency.mean", "efficiency.p1", "power.mean"] {
            let id = format!("memory.{id}");
            prop_assert!(near(metric(&one, &id).value, metric(&two, &id).value), "{}", id);
        }
        let (p1, mean) = (metric(&one, "memory.rate.p1").value, metric(&one, "memory.rate.mean").value);
        prop_assert!(p1 <= mean * (1.0 + 1e-12), "{} {}", p1, mean);
    }
}

#[test]
fn hours_in_segments_are_added_in_seconds_and_each_window_counts_once() {
    // A minute of load: five phases in turns, windows of 1 s, read ten times a second.
    let phases: Vec<Measurement> = (0..5u64)
        .map(|turn| {
            let windows: Vec<(u64, u64, u64)> = (0..12).map(|r| (r * 5 + turn, r * 5 + turn + 1, 100)).collect();
            phase(Phase::ALL[turn as usize], &windows)
        })
        .collect();
    let mut segment = record(phases);
    segment.traces = vec![power("board", Some(0), Scope::Board, |_| Some(300.0))];
    let start = std::time::Instant::now();
    let mut tally = Tally::new();
    for number in 0..100u32 {
        segment.started = format!("2026-01-01T{:02}:{:02}:00Z", number / 12, number % 12 * 5);
        tally.add(&segment);
    }
    let found = tally.findings().remove(0);
    eprintln!("100 segments of 60 windows and 600 polls: {:?}", start.elapsed());
    assert!(start.elapsed().as_secs_f64() < 20.0, "{:?}", start.elapsed());
    assert_eq!(metric(&found, "mixed.rate.mean").n, 1200);
    assert_eq!(found.outputs[0].seen[0].windows, 1200);
    assert_eq!(found.outputs[0].seen[0].last_s, 8.0 * 3600.0 + 15.0 * 60.0 + 56.0);
    // Alike in every window: nothing scatters.
    let (low, high) = metric(&found, "mixed.rate.mean").interval.unwrap();
    assert!(near(low, 100_000.0) && near(high, 100_000.0));
}
