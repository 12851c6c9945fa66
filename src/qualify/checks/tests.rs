//! Each check with its pass, warning, failure and doubt, and what it says.

use super::super::testing::*;
use crate::measure::result::metrics::DeviceFindings;
use crate::model::{CheckOutcome, Evidence, Grade, Phase, QualifiedDevice, Reference, RunStatus, Scope, SeenDigest};
use crate::qualify::{Occasion, References, gravest, judge, not_judged, summary, wrong_outputs};
use crate::units::Seconds;

/// Verdict on the first device beside three good peers of 50 TFLOP/s.
fn among_peers(own: DeviceFindings) -> QualifiedDevice {
    let references = References { occasion: Some(occasion()), ..References::default() };
    judge(&[own, good(1, 50.0), good(2, 50.0), good(3, 50.0)], &references).remove(0)
}

fn outcome(own: DeviceFindings, code: &str) -> CheckOutcome {
    of(&among_peers(own), code).clone()
}

fn grade(own: DeviceFindings, code: &str) -> Grade {
    outcome(own, code).grade
}

#[test]
fn a_good_device_among_good_peers_passes_every_check() {
    let device = among_peers(good(0, 50.0));
    assert_eq!((device.grade, gravest(&device)), (Grade::Pass, None));
    let names: Vec<&str> = not_judged(&device).iter().map(|check| check.code).collect();
    assert_eq!(names, [""; 0]);
    assert!(device.checks.iter().all(|check| check.action.is_empty()), "a pass asks for nothing");
    let complete = of(&device, "Q01");
    assert_eq!(complete.detail, "All 5 phases were measured in 600 s of load.");
}

#[test]
fn a_lost_device_fails_and_an_incomplete_load_is_inconclusive() {
    let mut lost = good(0, 50.0);
    lost.losses.push("lost after 120 s in gemm/tiled-f32: the driver reset it".to_owned());
    let found = outcome(lost, "Q01");
    assert_eq!(found.grade, Grade::Fail);
    assert!(found.detail.contains("lost after 120 s") && found.action.contains("reseat"), "{found:?}");

    let mut failed = good(0, 50.0);
    failed.losses.push("the run failed after 30 s of load: out of memory".to_owned());
    let found = outcome(failed, "Q01");
    assert_eq!(found.grade, Grade::Inconclusive);
    assert_eq!(found.detail, "The run failed after 30 s of load: out of memory.");

    let short = |measured: f64, status: RunStatus| {
        let own = Occasion { measured: Seconds::new(measured), status, ..occasion() };
        let references = References { occasion: Some(own), ..References::default() };
        of(&judge(&[good(0, 50.0)], &references)[0], "Q01").clone()
    };
    assert_eq!(short(540.0, RunStatus::Complete).grade, Grade::Pass);
    let found = short(539.0, RunStatus::Complete);
    assert_eq!(found.grade, Grade::Inconclusive);
    assert_eq!(found.detail, "539 s of the 600 s of load were measured.");
    assert!(short(600.0, RunStatus::Interrupted).detail.contains("interrupted"));
    let failed = RunStatus::Failed { reason: "disk full".to_owned() };
    assert!(short(600.0, failed).detail.contains("disk full"));
}

#[test]
fn a_phase_without_a_rate_is_inconclusive_and_so_is_one_that_its_like_can_run() {
    let found = outcome(without(good(0, 50.0), "memory.rate.mean"), "Q01");
    assert_eq!((found.grade, found.detail.as_str()), (Grade::Inconclusive, "The memory phase has no rate."));
    assert_eq!(grade(with(good(0, 50.0), "memory.rate.mean", f64::NAN), "Q01"), Grade::Inconclusive);
    assert_eq!(grade(with(good(0, 50.0), "memory.rate.mean", 0.0), "Q01"), Grade::Inconclusive);
    let mut no_mixed = good(0, 50.0);
    no_mixed.work.retain(|work| work.phase != Phase::Mixed);
    no_mixed.metrics.retain(|metric| !metric.id.starts_with("mixed"));
    no_mixed.outputs.retain(|outputs| outputs.phase != Phase::Mixed);
    no_mixed.losses.push("layer/f32 was not measured: no f16".to_owned());
    let found = outcome(no_mixed.clone(), "Q01");
    assert_eq!(found.grade, Grade::Inconclusive, "its peers ran that phase");
    assert!(found.detail.contains("no mixed phase, layer/f32 was not measured: no f16"), "{}", found.detail);
    assert!(found.detail.ends_with("A reference has figures of the mixed phase."), "{}", found.detail);
    let all: Vec<DeviceFindings> = (0..3)
        .map(|ordinal| {
            let mut one = no_mixed.clone();
            one.device.ordinal = ordinal;
            one
        })
        .collect();
    let references = References { occasion: Some(occasion()), ..References::default() };
    let found = of(&judge(&all, &references).remove(0), "Q01").clone();
    assert_eq!(found.grade, Grade::Warn, "no device of the model ran it: {}", found.detail);
}

#[test]
fn a_phase_whose_outputs_were_never_read_is_inconclusive_and_not_taken_for_right() {
    let mut unread = good(0, 50.0);
    unread.outputs.retain(|outputs| outputs.phase != Phase::Integer);
    let found = outcome(unread, "Q01");
    assert_eq!(found.grade, Grade::Inconclusive);
    assert_eq!(found.detail, "No output of the integer phase was read.");
}

#[test]
fn nothing_measured_at_all_is_inconclusive_and_never_a_pass() {
    let mut empty = good(0, 50.0);
    (empty.metrics, empty.work, empty.outputs) = (vec![], vec![], vec![]);
    let device = judge(&[empty], &References::default()).remove(0);
    assert_eq!(device.grade, Grade::Inconclusive);
    assert_eq!(of(&device, "Q01").detail, "No phase was run.");
    assert_eq!(judge(&[], &References::default()), vec![]);
    assert_eq!(summary(&[]), "INCONCLUSIVE: no device was measured");
}

/// A device whose outputs of a phase were changed.
fn spoilt(phase: Phase, change: impl Fn(&mut Vec<SeenDigest>)) -> DeviceFindings {
    let mut own = good(0, 50.0);
    let outputs = own.outputs.iter_mut().find(|outputs| outputs.phase == phase).unwrap();
    change(&mut outputs.seen);
    own
}

fn seen(digit: char, windows: u64) -> SeenDigest {
    SeenDigest { sha256: digest(digit), windows, first_s: 50.0, last_s: 60.0 }
}

#[test]
fn one_wrong_integer_output_fails_with_the_count_and_the_time() {
    let found = outcome(spoilt(Phase::Integer, |all| all.push(seen('f', 1))), "Q02");
    assert_eq!((found.grade, found.value, found.limit), (Grade::Fail, Some(1.0), Some(0.0)));
    assert_eq!(found.window_s, Some((50.0, 60.0)));
    assert_eq!(found.detail, "1 of 41 outputs are wrong: digest ffffffffffff where aaaaaaaaaaaa is right.");
    // Always wrong: every repeat agrees with itself, and only the arithmetic knows better.
    let always = among_peers(spoilt(Phase::Integer, |all| *all = vec![seen('f', 40)]));
    assert_eq!(of(&always, "Q02").grade, Grade::Fail);
    let repeats = always.checks.iter().find(|check| check.code == "Q03" && check.title.contains("integer")).unwrap();
    assert_eq!(repeats.grade, Grade::Pass);
    assert!(wrong_outputs(&[always]) && !wrong_outputs(&[among_peers(good(0, 50.0))]));
    assert_eq!(grade(spoilt(Phase::Integer, Vec::clear), "Q02"), Grade::Inconclusive);
}

#[test]
fn outputs_that_change_between_repeats_fail_and_a_single_output_proves_nothing() {
    let found = outcome(spoilt(Phase::Arithmetic, |all| all.push(seen('c', 2))), "Q03");
    assert_eq!(
        (found.grade, found.value, found.title.as_str()),
        (Grade::Fail, Some(2.0), "equal outputs in every window, arithmetic")
    );
    assert!(found.detail.contains("40 windows left bbbbbbbbbbbb, and 2 left another"), "{}", found.detail);
    assert_eq!(grade(spoilt(Phase::Arithmetic, |all| all[0].windows = 1), "Q03"), Grade::Inconclusive);
}

#[test]
fn of_four_devices_the_one_with_another_output_fails_and_of_two_neither_is_called_wrong() {
    let odd = || spoilt(Phase::Memory, |all| *all = vec![seen('c', 40)]);
    let found = outcome(odd(), "Q04");
    assert_eq!((found.grade, &found.reference), (Grade::Fail, &Reference::Peers { devices: 3 }));
    let all = judge(&[odd(), good(1, 50.0), good(2, 50.0), good(3, 50.0)], &References::default());
    let others = of(&all[1], "Q04");
    assert_eq!(others.grade, Grade::Pass);
    let memory = all[1].checks.iter().find(|check| check.title.ends_with("one model, memory")).unwrap();
    assert!(memory.detail.contains("1 of 3 other devices differ"), "{}", memory.detail);

    let two = judge(&[odd(), good(1, 50.0)], &References::default());
    for device in &two {
        let found = of(device, "Q04");
        assert_eq!(found.grade, Grade::Inconclusive);
        assert!(found.detail.contains("No majority says which is right"), "{}", found.detail);
        assert!(found.action.contains("third device"), "{}", found.action);
    }
    let mut other_driver = odd();
    other_driver.device.driver_info = "580".to_owned();
    let free = judge(&[other_driver, good(1, 50.0)], &References::default()).remove(0);
    assert!(free.checks.iter().all(|check| check.code != "Q04"), "another driver may round otherwise");
}

#[test]
fn a_failed_sum_or_sample_fails_with_its_text() {
    let mut own = good(0, 50.0);
    own.outputs[1].failures.push("at 30 s, after window 3: row 7 is off".to_owned());
    let found = outcome(own, "Q05");
    assert_eq!((found.grade, found.value), (Grade::Fail, Some(1.0)));
    assert_eq!(found.detail, "1 failed check: at 30 s, after window 3: row 7 is off.");
    let mut counted = with(good(0, 50.0), "steps.output.wrong", 2.0);
    counted.outputs.clear();
    let found = outcome(counted, "Q05");
    assert_eq!((found.grade, found.value), (Grade::Fail, Some(2.0)));
}

#[test]
fn a_rate_warns_at_three_and_fails_at_five_percent_below_its_peers() {
    let at = |speed: f64| outcome(with(good(0, 50.0), "arithmetic.rate.mean", speed * 1e12), "Q10");
    // Three equal peers of 50 have no spread, so the tolerance alone counts: 48.5 and 47.5. The interval is ±0.5 %.
    assert_eq!(at(48.6).grade, Grade::Pass);
    assert_eq!(at(48.4).grade, Grade::Warn);
    let soft = at(47.4);
    assert_eq!((soft.grade, soft.limit), (Grade::Warn, Some(47.5e12)));
    assert!(soft.detail.contains("the interval holds the limit of failure"), "{}", soft.detail);
    assert!(soft.action.contains("Run longer") && at(48.4).action.contains("qualify it again"), "{}", soft.action);
    let found = at(30.0);
    assert_eq!((found.grade, found.limit, found.unit.as_str()), (Grade::Fail, Some(47.5e12), "FLOP/s"));
    assert_eq!(
        (found.metric.as_deref(), &found.reference),
        (Some("arithmetic.rate.mean"), &Reference::Peers { devices: 3 })
    );
    assert_eq!(
        found.detail,
        "30.00 TFLOP/s (95 % interval 29.85 TFLOP/s to 30.15 TFLOP/s) is below 47.50 TFLOP/s, the limit of its peers (3 other \
         devices: median 50.00 TFLOP/s, -40.0 % from it)."
    );
    assert!(found.action.contains("power limit"), "{}", found.action);
    assert_eq!(at(80.0).grade, Grade::Pass, "faster is no fault");
}

#[test]
fn a_mean_without_an_interval_and_a_percentile_of_few_windows_only_warn() {
    let mut bare = with(good(0, 50.0), "arithmetic.rate.mean", 30e12);
    bare.metrics.iter_mut().find(|metric| metric.id == "arithmetic.rate.mean").unwrap().interval = None;
    let found = outcome(bare, "Q10");
    assert_eq!(found.grade, Grade::Warn);
    assert!(found.detail.contains("without an interval a mean cannot fail"), "{}", found.detail);
    let mut few = with(good(0, 50.0), "memory.rate.p1", 10e12);
    assert_eq!(grade(few.clone(), "Q11"), Grade::Fail);
    few.metrics.iter_mut().find(|metric| metric.id == "memory.rate.p1").unwrap().n = 99;
    let found = outcome(few, "Q11");
    assert_eq!(found.grade, Grade::Warn);
    assert!(found.detail.contains("99 windows are too few for a percentile to fail"), "{}", found.detail);
}

#[test]
fn efficiency_fails_when_measured_and_only_warns_when_estimated() {
    let wasteful = with(good(0, 50.0), "arithmetic.efficiency.mean", 30e9);
    assert_eq!(grade(wasteful.clone(), "Q12"), Grade::Fail);
    let estimated = |mut findings: DeviceFindings| {
        for metric in findings.metrics.iter_mut().filter(|metric| metric.evidence.is_some()) {
            (metric.evidence, metric.interval) = (Some(Evidence::Estimated), None);
        }
        findings
    };
    let all = [wasteful, good(1, 50.0), good(2, 50.0), good(3, 50.0)].map(estimated);
    let device = judge(&all, &References::default()).remove(0);
    let found = of(&device, "Q12");
    assert_eq!(found.grade, Grade::Warn);
    assert!(found.detail.starts_with("estimated 30.00 GFLOP/J is below"), "{}", found.detail);
    assert!(found.detail.contains("its energy was not measured"), "{}", found.detail);
}

#[test]
fn energy_of_another_scope_is_set_aside_and_said() {
    let mut wall = good(0, 50.0);
    for metric in wall.metrics.iter_mut().filter(|metric| metric.scope.is_some()) {
        metric.scope = Some(Scope::WallAc);
    }
    let device = among_peers(wall);
    assert_eq!(of(&device, "Q12").grade, Grade::Inconclusive);
    let found = of(&device, "Q40");
    assert_eq!(found.grade, Grade::Warn);
    assert!(found.detail.contains("energy of another scope: wall AC here, board there"), "{}", found.detail);
    assert_eq!(of(&device, "Q10").grade, Grade::Pass, "rates remain comparable");
}

#[test]
fn a_device_that_nobody_can_say_what_is_normal_for_is_inconclusive() {
    let device = judge(&[good(0, 50.0)], &References::default()).remove(0);
    assert_eq!(device.grade, Grade::Inconclusive);
    assert_eq!(codes(&device, Grade::Inconclusive), ["Q10", "Q11", "Q12", "Q13", "Q40"]);
    let found = of(&device, "Q10");
    assert_eq!(found.title, "mean rate: no reference");
    assert!(found.detail.starts_with("Measured, but there is no reference: integer 50.00 TFLOP/s"), "{}", found.detail);
    assert!(found.action.contains("--learn"));
    let silent: Vec<&str> = not_judged(&device).iter().map(|check| check.code).collect();
    assert_eq!(silent, ["Q04", "Q14", "Q22", "Q23", "Q24", "Q25"]);
    assert!(of(&device, "Q01").detail.ends_with("nothing is known: Q04, Q14, Q22, Q23, Q24, Q25."));
}

#[test]
fn limits_for_any_device_need_no_reference() {
    let at = |id: &str, value: f64| {
        let device = judge(&[with(good(0, 50.0), id, value)], &References::default()).remove(0);
        device.checks.into_iter().find(|check| check.metric.as_deref() == Some(id)).unwrap()
    };
    for (id, code, values) in [
        (
            "throttle.thermal",
            "Q20",
            [(0.005, Grade::Pass), (0.006, Grade::Warn), (0.05, Grade::Warn), (0.051, Grade::Fail)],
        ),
        (
            "throttle.hardware",
            "Q21",
            [(0.0, Grade::Pass), (0.001, Grade::Warn), (0.01, Grade::Warn), (0.02, Grade::Fail)],
        ),
        ("ecc.uncorrected", "Q30", [(0.0, Grade::Pass), (0.0, Grade::Pass), (1.0, Grade::Fail), (9.0, Grade::Fail)]),
        ("ecc.corrected", "Q31", [(0.0, Grade::Pass), (1.0, Grade::Warn), (1e3, Grade::Warn), (1e9, Grade::Warn)]),
        ("pcie.replays", "Q32", [(10.0, Grade::Pass), (11.0, Grade::Warn), (160.0, Grade::Warn), (161.0, Grade::Fail)]),
        ("driver.errors", "Q33", [(0.0, Grade::Pass), (0.0, Grade::Pass), (1.0, Grade::Fail), (2.0, Grade::Fail)]),
    ] {
        for (value, expected) in values {
            let found = at(id, value);
            assert_eq!((found.code.as_str(), found.grade), (code, expected), "{id} {value}");
            assert_eq!(found.reference, Reference::Absolute);
        }
    }
    let hot = at("throttle.thermal", 0.12);
    assert_eq!(hot.detail, "12.00 % is above 5.000 %, the limit of any device.");
    assert!(hot.action.contains("airflow"));
}

#[test]
fn heat_and_power_are_held_against_peers() {
    for (id, code, warns, fails) in [
        ("temperature.rise_per_watt", "Q24", 0.12, 0.14),
        ("temperature.max", "Q25", 73.0, 81.0),
        ("power.limit.attainment", "Q23", 0.65, 0.5),
        ("memory.rate.jitter", "Q14", 0.02, 0.04),
    ] {
        assert_eq!(grade(with(good(0, 50.0), id, warns), code), Grade::Warn, "{id}");
        assert_eq!(grade(with(good(0, 50.0), id, fails), code), Grade::Fail, "{id}");
    }
    assert_eq!(grade(with(good(0, 50.0), "power.limit.attainment", 0.95), "Q23"), Grade::Warn, "either side");
    assert_eq!(grade(with(good(0, 50.0), "throttle.power-cap", 1.0), "Q22"), Grade::Warn, "benign: never a failure");
    assert_eq!(grade(with(good(0, 50.0), "temperature.max", 40.0), "Q25"), Grade::Pass);
}

#[test]
fn a_figure_that_peers_have_and_this_device_lacks_is_inconclusive() {
    let found = outcome(without(good(0, 50.0), "ecc.uncorrected"), "Q30");
    assert_eq!((found.grade, found.title.as_str()), (Grade::Inconclusive, "uncorrected memory errors: not measured"));
    assert!(found.action.contains("wattmark doctor"));
    let without_it = || without(good(0, 50.0), "ecc.uncorrected");
    let device = judge(&[without_it(), without_it()], &References::default()).remove(0);
    assert!(device.checks.iter().all(|check| check.code != "Q30"), "what no one can read is not judged");
}

#[test]
fn the_gravest_check_stands_first_and_decides_the_grade() {
    let own = with(with(good(0, 50.0), "ecc.corrected", 3.0), "driver.errors", 1.0);
    let device = among_peers(own);
    assert_eq!(device.grade, Grade::Fail);
    assert_eq!(codes(&device, Grade::Warn), ["Q33", "Q31"]);
    assert_eq!(gravest(&device).map(|check| check.code.as_str()), Some("Q33"));
    let all = [device, among_peers(good(0, 50.0))];
    assert_eq!(summary(&all), "FAIL: 1 FAIL, 1 PASS of 2 devices");
}
