//! Tests of temperature, limits, throttling, rests and error counters against figures worked by hand.

use super::super::testing::{Column, idle, measurement, power, telemetry};
use super::tests::{all, case, findings, has, metric, near, phase, record};
use super::*;
use crate::model::{Evidence, Phase, Quantity, Scope};

/// A board's telemetry on device 0, in NVML's language.
fn board(columns: &[Column]) -> crate::model::SourceTrace {
    telemetry("nvml", 0, columns)
}

/// A record whose clock began this many minutes after that of [`record`].
fn later(minutes: u32, mut record: RunRecord) -> RunRecord {
    record.started = format!("2026-01-01T00:{minutes:02}:00Z");
    record
}

#[test]
fn the_rise_per_watt_is_that_of_the_later_half_of_arithmetic_above_idle() {
    // Idle from 2 s to 10 s at 50 W and 30 °C. Arithmetic at 350 W from 10 s to 50 s: 60 °C in the first half, 75 °C in the
    // second: (75 − 30) K over (350 − 50) W = 0.15 K/W.
    let watts = |t: f64| Some(if t < 10.0 { 50.0 } else { 350.0 });
    let celsius = |t: f64| {
        Some(match t {
            t if t <= 10.0 => 30.0,
            t if t <= 30.0 => 60.0,
            _ => 75.0,
        })
    };
    let mut record = record(vec![phase(Phase::Arithmetic, &[(10, 20, 1), (20, 30, 1), (31, 40, 1), (40, 50, 1)])]);
    record.traces =
        vec![power("board", Some(0), Scope::Board, watts), board(&[("temperature", Quantity::Temperature, &celsius)])];
    record.idle = vec![idle(0, 2, 10)];
    let found = findings(&record);
    let rise = metric(&found, "temperature.rise_per_watt");
    assert!((rise.value - 0.15).abs() < 1e-3 && rise.n == 2 && rise.unit == "K/W", "{rise:?}");
    assert_eq!((rise.evidence, rise.scope), (Some(Evidence::Measured), Some(Scope::Board)));
    // 301 readings of the one thermometer.
    let highest = metric(&found, "temperature.max");
    assert_eq!((highest.value, highest.n, highest.unit.as_str()), (75.0, 301, "°C"));
    record.idle.clear();
    assert!(!has(&findings(&record), "temperature.rise_per_watt"), "without idle there is no rise");
    record.idle = vec![idle(0, 2, 10)];
    record.traces.remove(0);
    assert!(!has(&findings(&record), "temperature.rise_per_watt"), "and without power");
}

#[test]
fn idle_of_the_first_segment_serves_the_later_ones() {
    let celsius = |t: f64| Some(if t <= 10.0 { 30.0 } else { 60.0 });
    let traces = || {
        let watts = |t: f64| Some(if t < 10.0 { 50.0 } else { 350.0 });
        vec![power("board", Some(0), Scope::Board, watts), board(&[("temperature", Quantity::Temperature, &celsius)])]
    };
    let mut first = record(vec![phase(Phase::Memory, &[(20, 30, 1)])]);
    (first.traces, first.idle) = (traces(), vec![idle(0, 2, 10)]);
    let mut second = later(1, record(vec![phase(Phase::Arithmetic, &[(20, 30, 1), (30, 40, 1)])]));
    second.traces = traces();
    // 30 K over 300 W.
    assert!((metric(&all(&[&first, &second]), "temperature.rise_per_watt").value - 0.1).abs() < 1e-3);
}

#[test]
fn attainment_is_the_power_of_the_hungriest_phase_over_the_lowest_limit_in_force() {
    let watts = |t: f64| Some(if t < 20.5 { 300.0 } else { 450.0 });
    let limit = |t: f64| Some(if t < 30.0 { 600.0 } else { 500.0 });
    let default = |_| Some(700.0);
    let columns: [Column; 2] =
        [("power.limit", Quantity::PowerLimit, &limit), ("power.limit.default", Quantity::PowerLimit, &default)];
    let measurements =
        || vec![phase(Phase::Memory, &[(10, 20, 1)]), phase(Phase::Arithmetic, &[(22, 32, 1), (32, 42, 1)])];
    let mut record = record(measurements());
    record.traces = vec![power("board", Some(0), Scope::Board, watts), board(&columns)];
    let found = metric(&findings(&record), "power.limit.attainment").clone();
    assert!(near(found.value, 450.0 / 500.0) && found.n == 2, "{found:?}");
    // Watts at the wall say nothing of a board's limit.
    record.traces[0] = power("wall", None, Scope::WallAc, watts);
    assert!(!has(&findings(&record), "power.limit.attainment"));
}

#[test]
fn throttling_is_a_share_of_the_load_time_of_all_segments() {
    // First segment: 10 s of load, hot (0x20) for 4 s of them. Second: 30 s of load, never. 4 of 40 s.
    let hot = |t: f64| Some(if (14.0..18.0).contains(&t) { f64::from(0x20 | 0x4) } else { f64::from(0x4) });
    let cool = |_| Some(f64::from(0x4));
    let mut first = record(vec![phase(Phase::Arithmetic, &[(10, 20, 1)])]);
    first.traces = vec![board(&[("throttle.reasons", Quantity::ThrottleReasons, &hot)])];
    let mut second = later(1, record(vec![phase(Phase::Arithmetic, &[(10, 20, 1), (20, 30, 1), (30, 40, 1)])]));
    second.traces = vec![board(&[("throttle.reasons", Quantity::ThrottleReasons, &cool)])];
    let found = all(&[&first, &second]);
    let thermal = metric(&found, "throttle.thermal");
    assert!(near(thermal.value, 0.1) && thermal.n == 4 && thermal.unit == "1", "{thermal:?}");
    assert_eq!(metric(&found, "throttle.hardware").value, 0.0, "it can be reported and never held");
    let cap = metric(&found, "throttle.power-cap");
    assert!(near(cap.value, 1.0) && cap.better.is_none(), "the power limit is benign: {cap:?}");
    first.traces.clear();
    assert!(!has(&findings(&first), "throttle.thermal"), "what was not read is not zero");
}

#[test]
fn where_no_reasons_are_read_the_drivers_counter_of_held_time_stands() {
    // The counter rises by 0.5 s a second from 10 s on: half of the time.
    let held = |t: f64| Some((t - 10.0).max(0.0) * 0.5);
    let mut record = record(vec![phase(Phase::Arithmetic, &[(20, 30, 1), (30, 40, 1)])]);
    record.traces = vec![board(&[("throttle.thermal", Quantity::ThermalThrottleTime, &held)])];
    let found = findings(&record);
    assert!((metric(&found, "throttle.thermal").value - 0.5).abs() < 1e-9);
    assert!(!has(&found, "throttle.power-cap"));
}

#[test]
fn rests_between_the_steps_have_the_low_power_and_gaps_of_other_phases_do_not() {
    // Steps at 10–15 s and 20–25 s, resting at 60 W between; then memory at 400 W at 26–30 s, and a step at 31–36 s.
    let watts = |t: f64| {
        Some(match t {
            t if (15.0..20.0).contains(&t) => 60.0,
            t if (25.0..31.0).contains(&t) => 400.0,
            _ => 300.0,
        })
    };
    let mut record = record(vec![
        phase(Phase::Steps, &[(10, 15, 1), (20, 25, 1), (31, 36, 1)]),
        phase(Phase::Memory, &[(26, 30, 1)]),
    ]);
    record.traces = vec![power("board", Some(0), Scope::Board, watts)];
    let found = findings(&record);
    let (low, high) = (metric(&found, "steps.power.low"), metric(&found, "steps.power.high"));
    // Edges between two updates hold up to 0.1 s of the other level: 0.1 s · 240 W over 5 s = 4.8 W.
    assert!((low.value - 60.0).abs() < 5.0 && low.n == 1, "{low:?}");
    assert!((high.value - 300.0).abs() < 5.0 && high.n == 3, "{high:?}");
    assert_eq!(low.evidence, Some(Evidence::Measured));
    record.traces.clear();
    assert!(!has(&findings(&record), "steps.power.low"));
}

#[test]
fn counters_give_their_increase_and_a_reset_is_counted_on_from_zero() {
    // 5 before the load; 7 at its end. After a reboot it stands at 0 and rises to 3: 2 + 3 = 5.
    let before = |t: f64| Some(if t < 30.0 { 5.0 } else { 7.0 });
    let after = |t: f64| Some(if t < 30.0 { 0.0 } else { 3.0 });
    let still = |_| Some(41.0);
    let measurements = || vec![phase(Phase::Arithmetic, &[(10, 20, 1)])];
    let mut first = record(measurements());
    let columns: [Column; 2] =
        [("ecc.corrected", Quantity::EccCorrected, &before), ("pcie.replays", Quantity::PcieReplays, &still)];
    first.traces = vec![board(&columns)];
    let mut second = later(5, record(measurements()));
    second.traces = vec![board(&[("ecc.corrected", Quantity::EccCorrected, &after)])];
    let mut tally = Tally::new();
    [&first, &second].iter().for_each(|record| tally.add(record));
    let found = tally.findings().remove(0);
    let corrected = metric(&found, "ecc.corrected");
    assert_eq!((corrected.value, corrected.n, corrected.unit.as_str()), (5.0, 602, "1"));
    assert_eq!(metric(&found, "pcie.replays").value, 0.0, "41 were there before");
    assert!(!has(&found, "ecc.uncorrected") && !has(&found, "driver.errors"), "what is not read is not zero");
    let notes = tally.notes();
    assert!(notes.len() == 1 && notes[0].contains("began anew before 300 s"), "{notes:?}");
}

#[test]
fn a_counter_that_was_read_once_says_nothing_and_readings_that_two_records_hold_count_once() {
    let rising = |t: f64| Some(t.floor());
    let mut record = record(vec![phase(Phase::Arithmetic, &[(10, 20, 1)])]);
    record.traces = vec![board(&[("driver.errors", Quantity::DriverErrors, &rising)])];
    let found = all(&[&record, &record]);
    assert_eq!(metric(&found, "driver.errors").value, 60.0);
    let once = |t: f64| (t == 0.0).then_some(3.0);
    record.traces = vec![board(&[("driver.errors", Quantity::DriverErrors, &once)])];
    assert!(!has(&findings(&record), "driver.errors"));
}

#[test]
fn a_run_without_phases_takes_the_rise_of_the_case_that_draws_most() {
    let watts = |t: f64| Some(if t < 10.0 { 50.0 } else { 250.0 });
    let celsius = |t: f64| Some(if t <= 10.0 { 30.0 } else { 50.0 });
    let mut record = record(vec![measurement(case(), &[(20, 30, 1), (30, 40, 1)])]);
    record.traces =
        vec![power("board", Some(0), Scope::Board, watts), board(&[("temperature", Quantity::Temperature, &celsius)])];
    record.idle = vec![idle(0, 2, 10)];
    // 20 K over 200 W.
    assert!((metric(&findings(&record), "temperature.rise_per_watt").value - 0.1).abs() < 1e-3);
}
