//! Conditions of hand-made records against figures computed by hand.

use super::super::testing::{Column, case, empty, measurement, power, telemetry};
use super::*;
use crate::model::{Scope, Steadiness};

fn record(traces: Vec<SourceTrace>) -> RunRecord {
    let mut record = empty();
    record.measurements = vec![measurement(case(), &[(10, 20, 100), (20, 30, 100)])];
    record.traces = traces;
    record
}

fn near(got: f64, want: f64) -> bool {
    (got - want).abs() < 1e-9
}

#[test]
fn clock_and_temperature_are_those_of_the_measured_windows() {
    // Cool and fast before and after the windows; 1.5 GHz, then 1.4 GHz; 60 °C rising by 0.5 °C/s from second 10.
    let clock = |t: f64| {
        Some(if !(10.0..=30.0).contains(&t) {
            2e9
        } else if t < 20.0 {
            1.5e9
        } else {
            1.4e9
        })
    };
    let heat = |t: f64| Some(if (10.0..=30.0).contains(&t) { 60.0 + (t - 10.0) * 0.5 } else { 20.0 });
    let columns: &[Column] =
        &[("clock.core", Quantity::CoreClock, &clock), ("temperature", Quantity::Temperature, &heat)];
    let found = conditions(&record(vec![telemetry("nvml", 0, columns)])).remove(0);
    let spread = found.core_clock_hz.value().unwrap();
    // Polls at 10.0 … 30.0 every 0.2 s: 50 at 1.5 GHz, 51 at 1.4 GHz.
    assert_eq!((spread.readings, spread.lowest, spread.highest), (101, 1.4e9, 1.5e9));
    assert!(near(spread.mean / 1e9, (50.0 * 1.5 + 51.0 * 1.4) / 101.0));
    // Deviations of +0.0505 and −0.0495 GHz: s = √(101·0.05049505²…)… by numpy: std(ddof=1) 0.050247, CV 0.034661.
    assert!((spread.coefficient_of_variation.unwrap().get() - 0.034_661).abs() < 2e-5, "{spread:?}");
    let course = found.temperature_c.value().unwrap();
    assert!(near(course.start, 60.0) && near(course.end, 70.0) && near(course.highest, 70.0));
    assert!(found.memory_clock_hz.reason().unwrap().contains("no source of this device reads its memory clock"));
}

#[test]
fn a_sensor_that_was_silent_during_the_windows_is_named() {
    let columns: &[Column] = &[("clock.core", Quantity::CoreClock, &|t| Some(1e9).filter(|_| t < 5.0))];
    let found = conditions(&record(vec![telemetry("nvml", 0, columns)])).remove(0);
    assert_eq!(found.core_clock_hz.reason(), Some("nvml-telemetry gave no core clock during the measured windows"));
}

#[test]
fn attainment_is_mean_power_of_the_device_itself_over_the_enforced_limit() {
    let columns: &[Column] = &[
        ("power.limit.default", Quantity::PowerLimit, &|_| Some(400.0)),
        ("power.limit", Quantity::PowerLimit, &|t| Some(if t < 15.0 { 320.0 } else { 300.0 })),
    ];
    let wall = power("wall", Some(0), Scope::WallAc, |_| Some(900.0));
    let limits = telemetry("nvml", 0, columns);
    let without = conditions(&record(vec![wall.clone(), limits.clone()])).remove(0);
    let limit = without.power_limit.value().unwrap();
    assert_eq!((limit.enforced_w.get(), limit.enforced_over_default.unwrap().get()), (300.0, 0.75));
    assert!(limit.is_lowered() && limit.attainment.reason().is_some(), "the wall is not the board");
    let board = power("board", Some(0), Scope::Board, |_| Some(285.0));
    let with = conditions(&record(vec![wall, limits, board])).remove(0);
    let attained = with.power_limit.value().unwrap().attainment.value().unwrap().get();
    assert!(near(attained, 0.95), "{attained}");
}

#[test]
fn processes_are_counted_with_and_without_this_one() {
    let columns: &[Column] =
        &[("processes", Quantity::ProcessCount, &|t| Some(if (12.0..13.0).contains(&t) { 3.0 } else { 1.0 }))];
    let found = conditions(&record(vec![telemetry("nvml", 0, columns)])).remove(0);
    assert_eq!(found.processes.value(), Some(&Processes { most: 3, others: 2 }));
}

#[test]
fn time_to_steady_is_told_and_its_absence_explained() {
    let mut record = record(Vec::new());
    record.plan.settings.steady_span_s = Seconds::new(0.0);
    assert!(conditions(&record)[0].steady.reason().unwrap().contains("ask for no settled device; preheated for 0.0 s"));
    record.plan.settings.steady_span_s = Seconds::new(30.0);
    assert!(conditions(&record)[0].steady.reason().unwrap().contains("rule could not be asked"));
    let (reached, after_s, detail) = (false, Seconds::new(240.0), "power changed by 0.9 %".to_owned());
    record.measurements[0].steadiness = Some(Steadiness { reached, after_s, detail: detail.clone() });
    assert_eq!(conditions(&record)[0].steady.value(), Some(&Settling { reached, after_s, detail }));
}

#[test]
fn nothing_that_is_missing_becomes_a_zero_in_json() {
    let text = serde_json::to_string(&conditions(&record(Vec::new()))[0]).unwrap();
    assert_eq!(text.matches("\"missing\":").count(), 9, "{text}");
    assert!(!text.contains(":0") && !text.contains("null"), "{text}");
}
