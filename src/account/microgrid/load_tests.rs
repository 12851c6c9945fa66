//! The load of a record: gaps are left out, devices and sources are chosen, and a step takes the mean of the trace.

use super::*;
use crate::measure::result::evaluate;
use crate::model::{Channel, ChannelTrace, DeviceKind, IdleBaseline, Quantity, SourceInfo, WindowKind};

const SECOND: u64 = 1_000_000_000;

fn window(kind: WindowKind, from: u64, until: u64) -> Window {
    Window {
        kind,
        start_ns: Nanoseconds(from * SECOND),
        end_ns: Nanoseconds(until * SECOND),
        dispatches: 10,
        device_busy_ns: None,
    }
}

/// Instant board power at ten polls a second over 100 s.
fn board(id: &str, device: u32, watts: impl Fn(f64) -> Option<f64>) -> SourceTrace {
    let t_ns: Vec<Nanoseconds> = (0..=1000).map(|poll| Nanoseconds(poll * SECOND / 10)).collect();
    let values = t_ns.iter().map(|t| watts(t.0 as f64 / SECOND as f64)).collect();
    let channel = Channel {
        update_period_s: Some(Seconds::new(0.1)),
        stated_error: Some(Ratio::new(0.0)),
        ..Channel::new("power", Quantity::InstantPower, Scope::Board)
    };
    SourceTrace {
        source: SourceInfo {
            id: id.to_owned(),
            kind: "test".to_owned(),
            device: Some(device),
            evidence: Evidence::Measured,
            note: String::new(),
            channels: vec![channel],
        },
        requested_hz: 10.0,
        t_ns,
        columns: vec![ChannelTrace { channel: "power".to_owned(), values }],
        gaps: Vec::new(),
    }
}

/// One case on device 0 with windows from second 20 to 40 and 50 to 70; idle from 5 to 15.
fn record(traces: Vec<SourceTrace>) -> RunRecord {
    let golden = include_str!("../../../tests/fixtures/records/v1.0.json");
    let mut record: RunRecord = serde_json::from_str(golden).unwrap();
    (record.devices[0].kind, record.devices[0].ordinal) = (DeviceKind::Discrete, 0);
    record.devices.truncate(1);
    record.measurements.truncate(1);
    record.measurements[0].case.device = 0;
    record.measurements[0].windows = vec![
        window(WindowKind::Preheat, 15, 20),
        window(WindowKind::Measure, 20, 40),
        window(WindowKind::Measure, 50, 70),
    ];
    record.idle = vec![IdleBaseline { device: 0, windows: vec![window(WindowKind::IdleContext, 5, 15)] }];
    (record.skips, record.commands, record.traces) = (Vec::new(), Vec::new(), traces);
    record
}

fn trace_of(record: &RunRecord, selection: &Selection) -> Result<LoadTrace, String> {
    measured(record, &evaluate(record), selection).map_err(|error| error.to_string())
}

#[test]
fn the_trace_is_that_of_the_measured_windows_with_the_records_own_mean_power() {
    let watts = |t: f64| {
        Some(if t < 18.0 {
            60.0
        } else if t < 45.0 {
            200.0
        } else {
            300.0
        })
    };
    let record = record(vec![board("board:0", 0, watts)]);
    let trace = trace_of(&record, &Selection::default()).unwrap();
    assert!((trace.length.get() - 40.0).abs() < 1e-6 && trace.left_out.get() == 0.0);
    // 20 s at 200 W and 20 s at 300 W, as the case's own headline says.
    let headline = evaluate(&record).cases[0].headline_energy().unwrap().power.point.get();
    assert!(
        (trace.mean.get() - 250.0).abs() < 0.05 && (trace.mean.get() - headline).abs() < 0.05,
        "{}",
        trace.mean.get()
    );
    assert!((trace.idle.unwrap().get() - 60.0).abs() < 1e-9);
    assert_eq!((trace.evidence, trace.scope), (Evidence::Measured, Some(Scope::Board)));
    let (low, high) = trace.relative_bounds.unwrap();
    assert!(low.get() < 1.0 && high.get() > 1.0);
}

#[test]
fn a_gap_makes_the_trace_shorter_and_is_not_filled() {
    // No reading from 25 to 35: half of the first window.
    let record = record(vec![board("board:0", 0, |t| (t <= 25.0 || t >= 35.0).then_some(200.0))]);
    let trace = trace_of(&record, &Selection::default()).unwrap();
    assert!((trace.left_out.get() - 10.0).abs() < 0.2, "{}", trace.left_out.get());
    assert!((trace.length.get() + trace.left_out.get() - 40.0).abs() < 1e-6);
    assert!((trace.mean.get() - 200.0).abs() < 1e-6);
}

#[test]
fn several_devices_or_an_unknown_source_are_answered_with_what_there_is() {
    let mut record = record(vec![board("board:0", 0, |_| Some(200.0)), board("board:1", 1, |_| Some(300.0))]);
    let mut other = record.measurements[0].clone();
    other.case.device = 1;
    record.measurements.push(other);
    let mut second = record.devices[0].clone();
    (second.ordinal, second.name) = (1, "Second".to_owned());
    record.devices.push(second);
    let message = trace_of(&record, &Selection::default()).unwrap_err();
    assert!(message.contains("choose one with --device") && message.contains("1 (Second)"), "{message}");
    let one = Selection { device: Some(1), ..Selection::default() };
    assert!((trace_of(&record, &one).unwrap().mean.get() - 300.0).abs() < 1e-6);
    let unknown = Selection { source: Some("bord:1".to_owned()), ..one };
    let message = trace_of(&record, &unknown).unwrap_err();
    assert!(message.contains("did you mean board:1?"), "{message}");
    let none = Selection { device: Some(7), ..Selection::default() };
    assert!(trace_of(&record, &none).unwrap_err().contains("device 7 was not measured"));
}

fn shape(repeat: Repeat) -> LoadShape {
    LoadShape { repeat, devices: 10.0, idle_w: None }
}

fn horizon(steps: usize, step: f64) -> Horizon {
    Horizon { start: "2026-01-01T00:00:00Z".parse().unwrap(), steps, step: Seconds::new(step) }
}

fn made(stretches: &[(f64, f64)]) -> LoadTrace {
    let plan = horizon(1, 3600.0);
    let stretches: Vec<Stretch> =
        stretches.iter().map(|(seconds, watts)| Stretch { seconds: *seconds, watts: *watts }).collect();
    let (length, energy) = totals(&stretches);
    LoadTrace {
        length: Seconds::new(length),
        mean: Watts::new(energy / length),
        stretches,
        ..declared(Watts::new(1.0), None, &plan)
    }
}

#[test]
fn a_repeated_trace_gives_each_step_its_own_mean_and_keeps_energy() {
    // 100 s at 100 W, 50 s at 400 W; ten devices. Steps of 100 s: 1.0 kW; 50 s at 400 and 50 s at 100: 2.5 kW; then 50 s at
    // 100 and 50 s at 400: 2.5 kW; and again.
    let trace = made(&[(100.0, 100.0), (50.0, 400.0)]);
    let load = lay(&trace, &shape(Repeat::Trace), &horizon(6, 100.0)).unwrap();
    for (got, want) in load.iter().zip([1.0, 2.5, 2.5, 1.0, 2.5, 2.5]) {
        assert!((got - want).abs() < 1e-12, "{load:?}");
    }
    // A year of 5-minute steps: two periods in each, 200 W in the mean.
    let year = lay(&trace, &shape(Repeat::Trace), &horizon(105_120, 300.0)).unwrap();
    assert!(year.iter().all(|kw| (kw - 2.0).abs() < 1e-9));
}

#[test]
fn once_ends_with_the_trace_and_may_not_be_cut() {
    let trace = made(&[(100.0, 100.0), (50.0, 400.0)]);
    let load = lay(&trace, &shape(Repeat::Once), &horizon(3, 100.0)).unwrap();
    assert_eq!(load, [1.0, 2.0, 0.0]);
    assert!(lay(&trace, &shape(Repeat::Once), &horizon(1, 100.0)).unwrap_err().to_string().contains("cut off"));
}

#[test]
fn a_duty_cycle_rests_at_idle_power_which_must_be_known() {
    let duty = Repeat::Duty { duty: 0.5, period_h: 2.0, offset_h: 0.5 };
    let trace = made(&[(10.0, 300.0)]);
    let message = lay(&trace, &shape(duty), &horizon(4, 1800.0)).unwrap_err().to_string();
    assert!(message.contains("idle_w"), "{message}");
    let known = LoadTrace { idle: Some(Watts::new(50.0)), ..trace };
    // Busy from 0.5 to 1.5 h of every two hours: 0.5, 3, 3, 0.5 kW for ten devices.
    let load = lay(&known, &shape(duty), &horizon(5, 1800.0)).unwrap();
    for (got, want) in load.iter().zip([0.5, 3.0, 3.0, 0.5, 0.5]) {
        assert!((got - want).abs() < 1e-9, "{load:?}");
    }
    let stated = LoadShape { idle_w: Some(20.0), ..shape(duty) };
    assert!((lay(&known, &stated, &horizon(1, 1800.0)).unwrap()[0] - 0.2).abs() < 1e-9);
}
