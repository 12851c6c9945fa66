//! Throttle time against shares computed by hand.

use super::super::testing::{Column, SECOND, case, empty, measurement, telemetry};
use super::super::{Conditions, conditions};
use super::*;
use crate::clock::Nanoseconds;
use crate::model::{RunRecord, WindowKind};

fn near(got: f64, want: f64) -> bool {
    (got - want).abs() < 1e-9
}

fn window(from: u64, until: u64) -> Window {
    super::super::testing::window(WindowKind::Measure, from, until, 1)
}

fn masks(mask: impl Fn(f64) -> Option<f64>) -> SourceTrace {
    telemetry("nvml", 0, &[("throttle.reasons", Quantity::ThrottleReasons, &mask)])
}

fn shares(trace: SourceTrace, windows: &[Window]) -> Throttling {
    let windows: Vec<&Window> = windows.iter().collect();
    by_reason(&[trace], 0, &windows).value().unwrap().clone()
}

#[test]
fn each_reason_has_its_share_of_each_window_and_of_all() {
    // 10..20 s: power cap until 15 s, then software thermal; 20..25 s: both together.
    let mask = |t: f64| {
        Some(match t {
            t if t < 15.0 => 4.0,
            t if t < 20.0 => 32.0,
            _ => 36.0,
        })
    };
    let found = shares(masks(mask), &[window(10, 20), window(20, 25)]);
    // Power cap 5 + 5 of 15 s, thermal 5 + 5 of 15 s.
    assert!(near(found.share(Cause::PowerCap).unwrap().get(), 10.0 / 15.0));
    assert!(near(found.share(Cause::Thermal).unwrap().get(), 10.0 / 15.0));
    assert!(near(found.beyond_power.get(), 10.0 / 15.0) && near(found.coverage.get(), 1.0));
    assert_eq!(found.share(Cause::Hardware).map(Ratio::get), Some(0.0), "it could be reported and never was");
    let names: Vec<&str> = found.reasons.iter().map(|reason| reason.reason).collect();
    assert_eq!(names, ["power cap", "software thermal"]);
    let per_window: Vec<f64> = found.reasons[0].per_window.iter().map(|share| share.unwrap().get()).collect();
    assert!(near(per_window[0], 0.5) && near(per_window[1], 1.0));
}

#[test]
fn a_reason_weighs_by_time_and_not_by_polls() {
    // Three polls within a second say thermal, then nothing for 0.8 s at a time: polls at 10.0, 10.2, 10.4, 10.6, 11.0, …
    let mut trace = masks(|_| None);
    trace.t_ns = [100u64, 102, 104, 106, 110, 115, 120].iter().map(|t| Nanoseconds(t * SECOND / 10)).collect();
    trace.columns[0].values = [32.0, 32.0, 32.0, 0.0, 0.0, 0.0, 0.0].map(Some).to_vec();
    let found = shares(trace, &[window(10, 12)]);
    // Thermal from 10.0 to 10.6 of 2 s. By polls it would be 3 of 7.
    assert!(near(found.share(Cause::Thermal).unwrap().get(), 0.3), "{found:?}");
}

#[test]
fn unread_time_is_not_counted_as_unthrottled() {
    // No mask from 12 s to 18 s; power cap before, nothing after. A reading stands for three polls of 0.2 s.
    let mask = |t: f64| Some(if t <= 12.0 { 4.0 } else { 0.0 }).filter(|_| t <= 12.0 || t >= 18.0);
    let found = shares(masks(mask), &[window(10, 20)]);
    // The poll at 12.0 s stands until the next poll, which gave none: capped 10 → 12.2, free 18 → 20: 4.2 s seen.
    assert!(near(found.coverage.get(), 0.42), "{}", found.coverage.get());
    assert!(near(found.share(Cause::PowerCap).unwrap().get(), 2.2 / 4.2));
    let silent = shares(masks(|t| Some(4.0).filter(|_| t < 20.0)), &[window(10, 20), window(30, 40)]);
    assert_eq!(silent.reasons[0].per_window[1], None);
}

#[test]
fn without_a_mask_there_is_a_reason_and_no_zero() {
    let windows = [window(10, 20)];
    let windows: Vec<&Window> = windows.iter().collect();
    let why = |traces: &[SourceTrace]| by_reason(traces, 0, &windows).reason().unwrap().to_owned();
    assert!(why(&[]).contains("no source of this device"));
    assert!(why(&[masks(|_| None)]).contains("gave no throttle reasons"));
    let mut foreign = masks(|_| Some(4.0));
    foreign.source.kind = "other".to_owned();
    assert!(why(&[foreign]).contains("meaning of the throttle bits of other is not known"));
    let mut neighbour = masks(|_| Some(4.0));
    neighbour.source.device = Some(1);
    assert!(why(&[neighbour]).contains("no source of this device"));
}

#[test]
fn amdgpus_status_has_its_own_bits() {
    let mut trace = masks(|t| Some(if t < 15.0 { (1u64 << 36) as f64 } else { (1u64 << 17) as f64 }));
    trace.source.kind = "amdgpu".to_owned();
    let found = shares(trace, &[window(10, 20)]);
    assert!(near(found.share(Cause::Thermal).unwrap().get(), 0.5));
    assert!(near(found.share(Cause::Hardware).unwrap().get(), 0.5));
    assert_eq!(found.reasons[0].reason, "current limit");
}

#[test]
fn stretches_of_heat_are_found_over_the_whole_run_and_the_power_cap_is_none() {
    let mask = |t: f64| {
        Some(match t {
            t if t < 5.0 => 4.0,
            t if t < 9.9 => 36.0,
            t if t < 20.0 => 4.0,
            t if t < 20.1 => 8.0,
            _ => 0.0,
        })
    };
    let seconds =
        |(device, from, until): (u32, Nanoseconds, Nanoseconds)| (device, from.0 / 100_000_000, until.0 / 100_000_000);
    let found: Vec<_> = throttled_stretches(&[masks(mask)]).into_iter().map(seconds).collect();
    // Polls every 0.2 s; the last hot one, at 9.8 s, stands until 10.0 s.
    assert_eq!(found, [(0, 50, 100), (0, 200, 202)]);
}

fn counter(value: impl Fn(f64) -> Option<f64>, windows: &[Window]) -> Found<CounterShare> {
    let trace = telemetry("nvml", 0, &[("throttle.thermal", Quantity::ThermalThrottleTime, &value)]);
    let windows: Vec<&Window> = windows.iter().collect();
    by_counter(&[trace], 0, Quantity::ThermalThrottleTime, &windows)
}

#[test]
fn a_drivers_counter_is_read_before_and_after_each_window() {
    // 7 s before the run; it runs from 12 s to 16 s.
    let value = |t: f64| Some(7.0 + (t - 12.0).clamp(0.0, 4.0));
    let found = counter(value, &[window(10, 14), window(14, 20)]);
    let found = found.value().unwrap();
    assert!(near(found.share.get(), 0.4), "4 of 10 s");
    assert!(near(found.per_window[0].get(), 0.5) && near(found.per_window[1].get(), 2.0 / 6.0));
}

#[test]
fn a_counter_that_falls_races_or_is_silent_says_nothing() {
    let windows = [window(10, 20)];
    let why = |value: &dyn Fn(f64) -> Option<f64>| counter(value, &windows).reason().unwrap().to_owned();
    assert!(why(&|t| Some(100.0 - t)).contains("fell"));
    assert!(why(&|t| Some(1e3 * t)).contains("it is not a time"));
    assert!(why(&|t| Some(1.0).filter(|_| t < 15.0)).contains("not read at both edges"));
}

fn conditions_with(columns: &[Column]) -> Conditions {
    let mut record: RunRecord = empty();
    record.measurements = vec![measurement(case(), &[(10, 20, 100)])];
    record.traces = vec![telemetry("nvml", 0, columns)];
    conditions(&record).remove(0)
}

#[test]
fn working_at_the_boards_own_limit_is_no_warning() {
    let capped: Column = ("throttle.reasons", Quantity::ThrottleReasons, &|_| Some(4.0));
    assert_eq!(warning(&conditions_with(&[capped])), None);
    let limits = |enforced: f64| {
        conditions_with(&[
            capped,
            ("power.limit", Quantity::PowerLimit, &|_| Some(enforced)),
            ("power.limit.default", Quantity::PowerLimit, &|_| Some(700.0)),
        ])
    };
    assert_eq!(warning(&limits(700.0)), None);
    let lowered = warning(&limits(500.0)).unwrap();
    assert_eq!(lowered.code, WarningCode::Throttled);
    assert!(lowered.text.contains("power cap 100 %, at a limit of 500 W, default 700 W"), "{}", lowered.text);
}

#[test]
fn heat_is_a_warning_and_the_power_cap_beside_it_is_called_benign() {
    let hot = conditions_with(&[("throttle.reasons", Quantity::ThrottleReasons, &|t| {
        Some(if t < 12.5 { 32.0 } else { 4.0 })
    })]);
    // The last hot poll, at 12.4 s, stands until the next one at 12.6 s.
    let text = warning(&hot).unwrap().text;
    assert!(text.contains("software thermal 26 %") && text.contains("power cap 74 %, which is benign"), "{text}");
    let counted =
        conditions_with(&[("throttle.thermal", Quantity::ThermalThrottleTime, &|t| Some((t - 15.0).max(0.0)))]);
    let text = warning(&counted).unwrap().text;
    assert!(text.contains("temperature 50 % by the driver's counter"), "{text}");
}
