//! Scripted sensors of known truth, and what is found of them: `cargo test --lib characterise -- --nocapture table`.

use super::*;
use crate::clock::Nanoseconds;
use crate::power::sources::scripted::{BusyPower, Polling, PowerScript, activity_of, trace};

const OFF: f64 = 90.0;
const ON: f64 = 330.0;

fn s(seconds: f64) -> Option<Seconds> {
    Some(Seconds::new(seconds))
}

/// The waves of a set, one after the other with short pauses, from 1.3 s on.
fn driven(set: WaveSet) -> (SensorCalibration, Nanoseconds) {
    let mut start = Nanoseconds(1_300_000_000);
    let waves = suggested_waves(set).into_iter().map(|planned| {
        let wave = planned.starting_at(start);
        start = start.plus(planned.duration() + Seconds::new(0.21));
        wave
    });
    (SensorCalibration { device: 0, waves: waves.collect() }, start)
}

fn sensor() -> PowerScript {
    let busy = vec![BusyPower { variant: "wave".to_owned(), watts: Watts::new(ON) }];
    PowerScript { busy, declares: false, counter: false, ..PowerScript::steady(Watts::new(OFF)) }
}

/// What is found of a sensor that is polled a little more than `polls` times an update, each poll late by up to 40 %.
fn found(script: &PowerScript, polls: f64, set: WaveSet) -> Result<Characterised, CharacteriseError> {
    let (calibration, end) = driven(set);
    let period = if script.counter { script.counter_period_s } else { None };
    let period = period.or(script.update_period_s).unwrap_or(Seconds::new(0.1));
    let polling = Polling::at(polls * 1.0371 / period.get()).late_by(Ratio::new(0.4), 11);
    let activity = activity_of(&calibration, "wave");
    let trace = trace(script, &activity, polling, Nanoseconds(0), end.plus(Seconds::new(1.0))).unwrap();
    let channel = trace.source.channels[0].id.clone();
    characterise(&trace, &channel, &calibration, "2026-01-01T00:00:00Z")
}

/// Name, sensor, polls an update.
fn sensors() -> Vec<(&'static str, PowerScript, f64)> {
    let w = Watts::new;
    let (tenth, fine) = (s(0.1), PowerScript { update_period_s: s(0.1), ..sensor() });
    let boxcar = |window, delay| PowerScript {
        averaging_window_s: s(window),
        delay_s: Seconds::new(delay),
        phase_s: Seconds::new(0.037),
        ..fine.clone()
    };
    let part =
        |part, delay| PowerScript { part_time: Some(Ratio::new(part)), delay_s: Seconds::new(delay), ..fine.clone() };
    let noisy = |script: PowerScript, step: f64| PowerScript { noise_w: w(step * (ON - OFF)), seed: 5, ..script };
    let rounded = |script: PowerScript| PowerScript { quantum_w: Some(w(1.0)), ..script };
    let counter = |delay| PowerScript {
        power: false,
        counter: true,
        counter_period_s: s(0.02),
        delay_s: Seconds::new(delay),
        quantum_j: Some(crate::units::Joules::new(0.001)),
        ..sensor()
    };
    let low = PowerScript { time_constant_s: s(0.3), ..fine.clone() };
    let volta = PowerScript { update_period_s: s(0.02), part_time: Some(Ratio::new(0.5)), ..sensor() };
    vec![
        ("boxcar 1 s", boxcar(1.0, 0.0), 2.0),
        ("boxcar 1 s, late, 1 % noise", noisy(boxcar(1.0, 0.12), 0.01), 2.0),
        ("boxcar 1 s, late, 3 % noise, 1 W", rounded(noisy(boxcar(1.0, 0.05), 0.03)), 3.0),
        ("boxcar 100 ms", boxcar(0.1, 0.0), 2.0),
        ("boxcar 100 ms, late, 3 % noise", noisy(boxcar(0.1, 0.05), 0.03), 5.0),
        ("instant", fine.clone(), 2.0),
        ("instant, late, 1 % noise, 1 W", rounded(noisy(part(1e-6, 0.12), 0.01)), 3.0),
        ("25 of 100 ms", part(0.25, 0.0), 2.0),
        ("25 of 100 ms, late, 1 % noise", noisy(part(0.25, 0.12), 0.01), 2.0),
        ("25 of 100 ms, late, 3 % noise, 1 W", rounded(noisy(part(0.25, 0.05), 0.03)), 5.0),
        ("10 of 20 ms, 1 % noise", noisy(volta, 0.01), 3.0),
        ("low pass 0.3 s", low.clone(), 2.0),
        ("low pass 0.3 s, 3 % noise, 1 W", rounded(noisy(low, 0.03)), 3.0),
        ("counter 20 ms", counter(0.0), 2.0),
        ("counter 20 ms, late", counter(0.05), 4.0),
        ("boxcar 1.5 s", PowerScript { averaging_window_s: s(1.5), update_period_s: tenth, ..sensor() }, 3.0),
    ]
}

/// The true response of a script.
fn truth(script: &PowerScript) -> (Response, f64) {
    let period = if script.counter { script.counter_period_s } else { script.update_period_s }.unwrap();
    let response = match (script.averaging_window_s, script.part_time, script.time_constant_s) {
        _ if script.counter => Response::Counter,
        (Some(window_s), ..) => Response::Boxcar { window_s },
        (_, Some(part), _) if part.get() > 0.01 => Response::PartTime { window_s: period * part.get() },
        (.., Some(time_constant_s)) => Response::LowPass { time_constant_s },
        _ => Response::Instant,
    };
    (response, period.get())
}

fn length(response: Response) -> f64 {
    match response {
        Response::Boxcar { window_s } | Response::PartTime { window_s } => window_s.get(),
        Response::LowPass { time_constant_s } => time_constant_s.get(),
        Response::Instant | Response::Counter => 0.0,
    }
}

fn name(response: Response) -> &'static str {
    match response {
        Response::Instant => "instant",
        Response::Boxcar { .. } => "boxcar",
        Response::PartTime { .. } => "part-time",
        Response::LowPass { .. } => "low-pass",
        Response::Counter => "counter",
    }
}

/// Compares each sensor's truth with what is found and prints the table; tells what lies outside of the limits.
fn table(set: WaveSet, limit: f64, least_delay: f64) -> Vec<String> {
    let mut wrong = Vec::new();
    println!(
        "{:36} {:>5}  {:9} {:9} {:>7} {:>7}  {:>7} {:>7}  {:>6} {:>6}  {:>9} {:>8}",
        "sensor",
        "polls",
        "shape",
        "found",
        "T ms",
        "found",
        "len ms",
        "found",
        "d ms",
        "found",
        "residual",
        "off/on W"
    );
    for (label, script, polls) in sensors() {
        let (response, period) = truth(&script);
        let result = match found(&script, polls, set) {
            Ok(result) => result,
            Err(error) => {
                wrong.push(format!("{label}: {error}"));
                continue;
            }
        };
        let (profile, delay) = (&result.profile, script.delay_s.get());
        let (t, d, l) = (profile.update_period_s.get(), profile.delay_s.get(), length(profile.response));
        println!(
            "{label:36} {polls:>5}  {:9} {:9} {:>7.1} {:>7.2}  {:>7.1} {:>7.1}  {:>6.0} {:>6.1}  {:>7.2} % {:.1}/{:.1}",
            name(response),
            name(profile.response),
            period * 1e3,
            t * 1e3,
            length(response) * 1e3,
            l * 1e3,
            delay * 1e3,
            d * 1e3,
            profile.residual.get() * 100.0,
            result.levels.off.get(),
            result.levels.on.get()
        );
        let mut demand = |holds: bool, what: String| {
            if !holds {
                wrong.push(format!("{label}: {what}"))
            }
        };
        demand(
            name(response) == name(profile.response),
            format!("shape {:?}, {:?}", profile.response, result.alternatives),
        );
        demand((t / period - 1.0).abs() < 0.01, format!("period {t}"));
        demand((l - length(response)).abs() <= limit * length(response), format!("length {l}"));
        demand((d - delay).abs() <= (limit * delay).max(least_delay), format!("delay {d}"));
        let level = |found: Watts, true_w: f64| (found.get() - true_w).abs() < 0.02 * (ON - OFF);
        demand(level(result.levels.off, OFF) && level(result.levels.on, ON), format!("levels {:?}", result.levels));
    }
    wrong
}

#[test]
fn table_of_the_standard_waves_every_parameter_is_found_within_a_tenth() {
    let begun = std::time::Instant::now();
    let wrong = table(WaveSet::Standard, 0.1, 0.005);
    println!("{} sensors in {:.1} s", sensors().len(), begun.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn table_of_the_quick_waves() {
    let wrong = table(WaveSet::Quick, 0.1, 0.008);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn error(script: &PowerScript, polls: f64) -> CharacteriseError {
    found(script, polls, WaveSet::Quick).unwrap_err()
}

fn tenth() -> PowerScript {
    PowerScript { update_period_s: s(0.1), ..sensor() }
}

#[test]
fn noise_above_the_step_is_no_contrast_and_both_are_named() {
    let refused = error(&PowerScript { noise_w: Watts::new(2.0 * (ON - OFF)), ..tenth() }, 3.0);
    assert!(matches!(refused, CharacteriseError::NoContrast { .. }), "{refused}");
    let blind = PowerScript { busy: Vec::new(), noise_w: Watts::new(1.0), ..tenth() };
    assert!(matches!(error(&blind, 3.0), CharacteriseError::NoContrast { .. }));
}

#[test]
fn a_sensor_polled_slower_than_it_updates_gives_an_upper_bound_and_no_guess() {
    let refused = error(&PowerScript { noise_w: Watts::new(1.0), ..tenth() }, 0.7);
    let CharacteriseError::PolledTooSlowly { poll, at_most } = refused else { panic!("{refused}") };
    assert!(poll.get() > 0.1 && at_most > poll, "{refused}");
    // Without noise only switches show, and they fall between any two polls.
    let silent = error(&tenth(), 0.7);
    assert!(matches!(silent, CharacteriseError::PolledTooSlowly { .. }), "{silent}");
}

#[test]
fn a_sensor_slower_than_the_waves_gives_too_few_updates() {
    let refused = error(&PowerScript { update_period_s: s(5.0), averaging_window_s: s(5.0), ..sensor() }, 20.0);
    assert!(matches!(refused, CharacteriseError::TooFewUpdates { .. } | CharacteriseError::Frozen { .. }), "{refused}");
}

#[test]
fn a_frozen_sensor_and_one_with_holes_are_refused_with_the_reason() {
    let frozen = PowerScript { frozen_after_s: s(9.0), ..tenth() };
    assert!(matches!(error(&frozen, 3.0), CharacteriseError::Frozen { .. }));
    let deaf = PowerScript { outages_s: vec![(Seconds::new(4.0), Seconds::new(18.0))], ..tenth() };
    let refused = error(&deaf, 3.0);
    assert!(refused.to_string().contains("does not answer"), "{refused}");
    let gone = PowerScript { gone_after_s: s(4.0), ..tenth() };
    assert!(error(&gone, 3.0).to_string().contains("vanished"));
}

#[test]
fn a_hole_of_a_few_seconds_does_no_harm() {
    let deaf = PowerScript {
        outages_s: vec![(Seconds::new(4.0), Seconds::new(7.0))],
        part_time: Some(Ratio::new(0.25)),
        ..tenth()
    };
    let found = found(&deaf, 3.0, WaveSet::Quick).unwrap();
    let Response::PartTime { window_s } = found.profile.response else { panic!("{found:?}") };
    assert!((window_s.get() / 0.025 - 1.0).abs() < 0.1 && (found.profile.coverage.get() - 0.25).abs() < 0.03);
}

#[test]
fn what_is_no_power_and_what_was_never_switched_is_refused() {
    let (calibration, end) = driven(WaveSet::Quick);
    let warm = PowerScript { temperature_c: Some(crate::units::Celsius::new(40.0)), ..tenth() };
    let trace = trace(&warm, &activity_of(&calibration, "wave"), Polling::at(30.0), Nanoseconds(0), end).unwrap();
    let refused = |channel: &str, waves: &SensorCalibration| characterise(&trace, channel, waves, "").unwrap_err();
    assert!(matches!(refused("temperature", &calibration), CharacteriseError::NotPower { .. }));
    assert!(matches!(refused("fan", &calibration), CharacteriseError::NoSuchChannel { .. }));
    let still = SensorCalibration { device: 0, waves: Vec::new() };
    assert_eq!(refused("power.instant", &still), CharacteriseError::NoWaves);
}

#[test]
fn a_meter_of_one_second_is_found_by_the_slow_waves() {
    let meter = PowerScript {
        update_period_s: s(1.0),
        averaging_window_s: s(1.0),
        delay_s: Seconds::new(0.5),
        noise_w: Watts::new(1.0),
        quantum_w: Some(Watts::new(1.0)),
        ..sensor()
    };
    let found = found(&meter, 4.0, WaveSet::Slow { period: Seconds::new(1.0) }).unwrap();
    let Response::Boxcar { window_s } = found.profile.response else { panic!("{found:?}") };
    assert!((window_s.get() - 1.0).abs() < 0.1 && (found.profile.update_period_s.get() - 1.0).abs() < 0.01);
    assert!((found.profile.delay_s.get() - 0.5).abs() < 0.05, "{found:?}");
}
