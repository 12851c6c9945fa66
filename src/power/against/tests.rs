//! Two scripted sources of one load, of which one errs by a known gain and offset.

use super::*;
use crate::clock::{Activity, Nanoseconds};
use crate::model::Scope;
use crate::power::PowerScript;
use crate::power::characterise::{WaveSet, suggested_waves};
use crate::power::sources::scripted::{BusyPower, Polling, activity_of, trace};

fn s(seconds: f64) -> Option<Seconds> {
    Some(Seconds::new(seconds))
}

fn driven(set: WaveSet) -> (SensorCalibration, Nanoseconds) {
    let mut start = Nanoseconds(6_000_000_000);
    let waves = suggested_waves(set).into_iter().map(|planned| {
        let wave = planned.starting_at(start);
        start = start.plus(planned.duration());
        wave
    });
    (SensorCalibration { device: 0, waves: waves.collect() }, start.plus(Seconds::new(6.0)))
}

fn slow() -> WaveSet {
    WaveSet::Slow { period: Seconds::new(1.0) }
}

/// A sensor of 100 ms that reads 0.95 · true − 20 W, 0.7 s late, with 1 W of noise.
fn own() -> PowerScript {
    let busy = vec![BusyPower { variant: "wave".to_owned(), watts: Watts::new(420.0) }];
    PowerScript {
        busy,
        update_period_s: s(0.1),
        gain: 0.95,
        offset_w: Watts::new(-20.0),
        delay_s: Seconds::new(0.7),
        noise_w: Watts::new(1.0),
        counter: false,
        ..PowerScript::steady(Watts::new(110.0))
    }
}

/// A meter that is right, with noise of its own.
fn meter() -> PowerScript {
    PowerScript {
        gain: 1.0,
        offset_w: Watts::new(0.0),
        delay_s: Seconds::new(0.0),
        scope: Scope::WallAc,
        stated_error: Some(Ratio::new(0.01)),
        seed: 77,
        ..own()
    }
}

fn polled(script: &PowerScript, activity: &Activity, hz: f64, end: Nanoseconds) -> SourceTrace {
    let polling = Polling::at(hz).late_by(Ratio::new(0.3), script.seed);
    let mut trace = trace(script, activity, polling, Nanoseconds(0), end).unwrap();
    trace.source.id = format!("scripted:{}", script.seed);
    trace
}

fn compared(own: &PowerScript, meter: &PowerScript, set: WaveSet) -> Result<Against, AgainstError> {
    let (calibration, end) = driven(set);
    let activity = activity_of(&calibration, "wave");
    let (own, meter) =
        (polled(own, &activity, 23.7, end), polled(meter, &activity, if meter.counter { 43.0 } else { 11.3 }, end));
    let (a, b) = (own.source.channels[0].id.clone(), meter.source.channels[0].id.clone());
    against(&own, &a, &meter, &b, &calibration, "2026-01-01T00:00:00Z")
}

fn assert_recovers(found: &Against, lag: f64) {
    println!(
        "gain {:.4} ± {:.4}, offset {:.2} ± {:.2} W, lag {:.3} s, correlation {:.4}, {} plateaus, residual {:.2} W, error {:.2} %",
        found.correction.gain,
        found.gain_error,
        found.correction.offset_w.get(),
        found.offset_error_w.get(),
        found.lag_s.get(),
        found.correlation.get(),
        found.points,
        found.residual_w.get(),
        found.correction.error.get() * 100.0
    );
    assert!((found.correction.gain / 0.95 - 1.0).abs() < 0.01, "{found:?}");
    assert!((found.correction.offset_w.get() + 20.0).abs() < 2.0, "{found:?}");
    assert!((found.lag_s.get() - lag).abs() < 0.1, "{found:?}");
}

#[test]
fn gain_offset_and_lag_of_two_sensors_of_100_ms_are_recovered() {
    let found = compared(&own(), &meter(), WaveSet::Standard).unwrap();
    assert_recovers(&found, 0.7);
    assert!(found.correction.error.get() >= 0.01, "not below what the reference states: {found:?}");
    assert_eq!(found.correction.against, "scripted:77/power.instant");
    assert!(found.correction.scope_note.unwrap().contains("wall AC"));
}

#[test]
fn a_wall_meter_of_one_second_calibrates_a_sensor_of_100_ms() {
    let wall = PowerScript { update_period_s: s(1.0), averaging_window_s: s(1.0), ..meter() };
    // The meter's own mean and hold make it later by half a window and half a period, less the sensor's half a period.
    assert_recovers(&compared(&own(), &wall, slow()).unwrap(), 0.7 - 0.5 - 0.5 + 0.05);
}

#[test]
fn a_counter_serves_as_reference() {
    let counter = PowerScript { power: false, counter: true, counter_period_s: s(0.1), ..meter() };
    let found = compared(&own(), &counter, WaveSet::Standard).unwrap();
    assert!((found.correction.gain / 0.95 - 1.0).abs() < 0.01 && found.correction.offset_w.get() < -18.0, "{found:?}");
}

#[test]
fn the_stated_standard_errors_hold_the_truth_about_as_often_as_they_say() {
    let mut held = 0;
    for seed in 0..20 {
        let noisy =
            |script: PowerScript| PowerScript { noise_w: Watts::new(5.0), seed: script.seed + 1000 * seed, ..script };
        let found = compared(&noisy(own()), &noisy(meter()), WaveSet::Quick);
        let found = found.unwrap();
        held += u32::from((found.correction.gain - 0.95).abs() < 2.2 * found.gain_error);
    }
    assert!(held >= 16, "{held} of 20 within the 95 % interval");
}

#[test]
fn what_cannot_be_compared_is_refused_with_its_reason() {
    let flat = PowerScript { busy: Vec::new(), ..meter() };
    let refused = compared(&own(), &flat, WaveSet::Quick).unwrap_err();
    assert!(matches!(refused, AgainstError::Uncorrelated { .. }), "{refused}");
    let still = PowerScript { noise_w: Watts::new(0.0), ..flat };
    assert!(matches!(compared(&own(), &still, WaveSet::Quick).unwrap_err(), AgainstError::Frozen { .. }));
    let drowned = PowerScript { noise_w: Watts::new(900.0), ..meter() };
    assert!(matches!(compared(&own(), &drowned, WaveSet::Quick).unwrap_err(), AgainstError::Uncorrelated { .. }));
    let lazy = PowerScript { update_period_s: s(1.0), averaging_window_s: s(1.0), ..meter() };
    let refused = compared(&own(), &lazy, WaveSet::Quick).unwrap_err();
    assert!(matches!(refused, AgainstError::TooFewPlateaus { .. } | AgainstError::Uncorrelated { .. }), "{refused}");
    let far = PowerScript { delay_s: Seconds::new(9.0), ..meter() };
    assert!(matches!(compared(&own(), &far, WaveSet::Quick).unwrap_err(), AgainstError::Uncorrelated { .. }));
    let (calibration, end) = driven(WaveSet::Quick);
    let trace = polled(&own(), &Activity::default(), 20.0, end);
    let refused = against(&trace, "fan", &trace, "power.instant", &calibration, "").unwrap_err();
    assert!(refused.to_string().contains("`fan`"), "{refused}");
}
