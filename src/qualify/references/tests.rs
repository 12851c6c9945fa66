//! Peers and history as references: hand-worked limits, and what may not be compared.

use crate::measure::result::metrics::DeviceFindings;
use crate::model::{CheckOutcome, Grade, Qualification, QualifiedDevice, Reference};
use crate::qualify::testing::*;
use crate::qualify::{References, judge};
use crate::units::Seconds;

fn slow(speed: f64) -> DeviceFindings {
    with(good(0, 50.0), "arithmetic.rate.mean", speed * 1e12)
}

fn rate(device: &QualifiedDevice) -> CheckOutcome {
    let of = |check: &&CheckOutcome| check.metric.as_deref() == Some("arithmetic.rate.mean");
    device.checks.iter().find(of).unwrap_or_else(|| panic!("{:?}", device.checks)).clone()
}

/// Runs of device 0 on the days of November, each with an arithmetic rate.
fn history(speeds: &[f64]) -> Vec<Qualification> {
    speeds.iter().enumerate().map(|(day, speed)| qualification(&format!("{:02}", day + 1), &[slow(*speed)])).collect()
}

fn after(history: Vec<Qualification>, own: DeviceFindings) -> QualifiedDevice {
    judge(&[own], &References { history, occasion: Some(occasion()), ..References::default() }).remove(0)
}

#[test]
fn the_spread_of_peers_widens_the_limit_and_their_tolerance_is_the_least() {
    // Others: 46 50 54, median 50, MAD 4, sigma 5.93. Fail: max(5 % = 2.5, 3.5 x 5.93 = 20.76) below 50 = 29.24.
    let others = |speeds: [f64; 3]| {
        let mut all = vec![slow(30.0)];
        all.extend(
            speeds
                .iter()
                .zip(1..)
                .map(|(speed, ordinal)| with(good(ordinal, 50.0), "arithmetic.rate.mean", speed * 1e12)),
        );
        rate(&judge(&all, &References::default())[0])
    };
    let wide = others([46.0, 50.0, 54.0]);
    assert_eq!(wide.grade, Grade::Warn);
    assert!((wide.limit.unwrap() / 1e12 - (50.0 - 2.5 * 5.930_408_9)).abs() < 1e-6, "{:?}", wide.limit);
    let tight = others([49.9, 50.0, 50.1]);
    assert_eq!((tight.grade, tight.limit), (Grade::Fail, Some(47.5e12)));
}

#[test]
fn one_or_two_peers_only_warn_and_prove_nothing() {
    let all = judge(&[slow(30.0), good(1, 50.0)], &References::default());
    let found = rate(&all[0]);
    assert_eq!((found.grade, found.reference), (Grade::Warn, Reference::Peers { devices: 1 }));
    assert!(found.detail.contains("cannot tell which device is the odd one"), "{}", found.detail);
    assert_eq!(all[0].grade, Grade::Inconclusive);
    let equal = judge(&[good(0, 50.0), good(1, 50.0)], &References::default());
    assert_eq!(equal[0].grade, Grade::Inconclusive, "two slow devices agree as well as two good ones");
    assert!(equal[0].checks.iter().all(|check| check.metric.as_deref() != Some("arithmetic.rate.mean")));
}

#[test]
fn another_model_or_a_simulated_device_is_no_peer() {
    let mut other = good(1, 50.0);
    other.device.name = "Accelerator Y".to_owned();
    let mut simulated = good(2, 50.0);
    simulated.device.kind = crate::model::DeviceKind::Simulated;
    let device = judge(&[good(0, 50.0), other, simulated], &References::default()).remove(0);
    assert!(of(&device, "Q40").detail.contains("no other device of this model"), "{}", of(&device, "Q40").detail);
}

#[test]
fn two_earlier_runs_say_what_is_usual_for_a_board() {
    assert_eq!(after(history(&[50.0]), good(0, 50.0)).grade, Grade::Inconclusive, "one run has no spread");
    let device = after(history(&[50.0, 50.0]), good(0, 50.0));
    assert_eq!((device.grade, rate(&device).reference), (Grade::Pass, Reference::History { runs: 2 }));
    let found = rate(&after(history(&[50.0, 50.0]), slow(45.0)));
    assert_eq!((found.grade, found.limit), (Grade::Fail, Some(47.5e12)));
    assert!(
        found.detail.contains("its own history (2 runs: median 50.00") && found.detail.contains("-10.0 % from it"),
        "{}",
        found.detail
    );
}

#[test]
fn a_slow_drift_warns_although_the_last_runs_look_alike() {
    // Median 47.5, the device 47: within 3 % of it, but 6 % below the oldest run of 50.
    let device = after(history(&[50.0, 48.0, 47.5, 47.2, 47.0]), slow(47.0));
    let found = rate(&device);
    assert_eq!((found.grade, found.limit), (Grade::Warn, Some(47.5e12)));
    assert!(found.detail.contains("drift from the oldest run (2026-11-01), 50.00 TFLOP/s, -6.0 %"), "{}", found.detail);
}

#[test]
fn failed_later_repeated_and_foreign_runs_are_no_history() {
    let mut failed = history(&[30.0, 30.0]);
    failed.iter_mut().for_each(|run| run.devices[0].grade = Grade::Fail);
    let mut itself = history(&[50.0, 50.0]);
    itself.iter_mut().for_each(|run| run.id = "now".to_owned());
    let mut later = history(&[50.0, 50.0]);
    later.iter_mut().for_each(|run| run.started = "2027-01-01T00:00:00Z".to_owned());
    let mut copies = history(&[50.0, 50.0]);
    copies.iter_mut().for_each(|run| run.id = "same".to_owned());
    let mut other_board = history(&[50.0, 50.0]);
    other_board.iter_mut().for_each(|run| {
        run.devices[0].identity.insert("serial".to_owned(), "S9".to_owned());
    });
    let unread = || without(good(0, 50.0), "memory.rate.mean");
    let incomplete = vec![qualification("01", &[unread()]), qualification("02", &[unread()])];
    let mut injected = history(&[50.0, 50.0]);
    injected.iter_mut().for_each(|run| run.inject_error = true);
    for runs in [injected, failed, itself, later, copies, other_board, incomplete] {
        assert_eq!(after(runs, good(0, 50.0)).grade, Grade::Inconclusive);
    }
}

#[test]
fn runs_of_less_than_half_the_load_are_set_aside_and_said() {
    let mut quick = history(&[50.0, 50.0]);
    quick.iter_mut().for_each(|run| run.measured_s = Seconds::new(299.0));
    let device = after(quick, slow(40.0));
    assert!(of(&device, "Q10").title.contains("no reference"), "a cold device says little of a hot one");
    let found = of(&device, "Q40");
    assert_eq!(found.grade, Grade::Inconclusive);
    assert!(
        found.detail.starts_with("Set aside: history, 2 runs with less than half of this load."),
        "{}",
        found.detail
    );
    let mut half = history(&[50.0, 50.0]);
    half.iter_mut().for_each(|run| run.measured_s = Seconds::new(300.0));
    assert_eq!(rate(&after(half, slow(40.0))).grade, Grade::Fail);
}

#[test]
fn runs_with_another_driver_only_warn() {
    let mut old = history(&[50.0, 50.0]);
    old.iter_mut().for_each(|run| run.devices[0].device.driver_info = "535".to_owned());
    let found = rate(&after(old, slow(40.0)));
    assert_eq!(found.grade, Grade::Warn);
    assert!(found.detail.contains("earlier runs had another driver"), "{}", found.detail);
}

#[test]
fn another_kernel_or_shape_is_not_compared_and_q40_says_why() {
    let mut own = good(0, 50.0);
    own.work[1].case.variant = "gemm/simple-f32".to_owned();
    let device = after(history(&[50.0, 50.0]), own);
    let found = of(&device, "Q40");
    assert_eq!(found.grade, Grade::Warn);
    assert!(
        found.detail.contains(
            "history, arithmetic: other work in the arithmetic phase: kernel gemm/simple-f32 here, gemm/tiled-f32 there"
        ),
        "{}",
        found.detail
    );
    assert!(of(&device, "Q10").title.contains("no reference"));
    let memory = device.checks.iter().find(|check| check.metric.as_deref() == Some("memory.rate.mean"));
    assert_eq!(memory.map(|check| check.grade), Some(Grade::Pass), "other phases are still compared");
}

#[test]
fn the_strictest_of_several_references_speaks_and_the_others_are_named() {
    // Against its own past of 42 the device is as usual; its peers say that it was never good.
    let all = [slow(42.0), good(1, 50.0), good(2, 50.0), good(3, 50.0)];
    let references =
        References { history: history(&[42.0, 42.0]), occasion: Some(occasion()), ..References::default() };
    let found = rate(&judge(&all, &references)[0]);
    assert_eq!((found.grade, &found.reference), (Grade::Fail, &Reference::Peers { devices: 3 }));
    assert!(
        found.detail.contains("Its own history (2 runs: median 42.00 TFLOP/s, +0.0 % from it): PASS, limit 40.74"),
        "{}",
        found.detail
    );
}

#[test]
fn an_output_that_differs_from_the_boards_own_past_fails() {
    let mut own = good(0, 50.0);
    own.outputs[2].seen[0].sha256 = digest('9');
    let device = after(history(&[50.0, 50.0]), own);
    let found = of(&device, "Q04");
    assert_eq!((found.grade, &found.reference), (Grade::Fail, &Reference::History { runs: 2 }));
    assert!(found.detail.contains("0 of its 2 earlier runs left this output"), "{}", found.detail);
}
