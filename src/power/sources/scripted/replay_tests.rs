//! Tests of what a scripted sensor can fall short of, by closed forms, and of the replay against the sampler.

use super::*;
use crate::clock::{Clock, Nanoseconds, RunClock, SimulatedClock};
use crate::model::{LoadPhase, SquareWave};
use crate::power::sources::scripted::{BusyPower, open_scripts};
use crate::power::{ProbeContext, Sampler};
use crate::units::{Joules, Seconds, Watts};

fn at(seconds: f64) -> Nanoseconds {
    Nanoseconds(0).plus(Seconds::new(seconds))
}

fn s(seconds: f64) -> Option<Seconds> {
    Some(Seconds::new(seconds))
}

/// 100 W, and 300 W from 2 s to 6 s.
fn script() -> PowerScript {
    let busy = vec![BusyPower { variant: "wave".to_owned(), watts: Watts::new(300.0) }];
    PowerScript { busy, ..PowerScript::steady(Watts::new(100.0)) }
}

fn step() -> Activity {
    let phases = vec![LoadPhase { from_ns: at(2.0), until_ns: at(6.0), on: true }];
    let wave = SquareWave { period_s: Seconds::new(8.0), phases };
    activity_of(&SensorCalibration { device: 0, waves: vec![wave] }, "wave")
}

/// What the sensor shows at an instant: power and counter.
fn shown(script: &PowerScript, seconds: f64) -> (f64, f64) {
    let trace = trace(script, &step(), Polling::at(1000.0), at(0.0), at(10.0)).unwrap();
    let poll = (seconds * 1000.0).round() as usize;
    (trace.columns[0].values[poll].unwrap(), trace.columns[1].values[poll].unwrap())
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

#[test]
fn a_delayed_reading_shows_the_power_and_the_energy_of_a_while_ago() {
    let late = PowerScript { delay_s: Seconds::new(0.12), ..script() };
    assert_eq!(shown(&late, 2.119).0, 100.0);
    assert_eq!(shown(&late, 2.12), (300.0, 200.0));
    assert!(near(shown(&late, 3.12).1, 500.0));
}

#[test]
fn a_window_a_part_of_the_time_and_a_filter_each_compose_with_a_delay() {
    let late = PowerScript { delay_s: Seconds::new(0.1), ..script() };
    let boxcar = PowerScript { averaging_window_s: s(1.0), ..late.clone() };
    assert!(near(shown(&boxcar, 2.6).0, 200.0), "half of the second before 2.5 s is busy");
    let part_time = PowerScript { update_period_s: s(0.4), part_time: Some(Ratio::new(0.5)), ..late.clone() };
    // The update at 2.0 s looks from 1.7 s to 1.9 s, the one at 2.4 s from 2.1 s to 2.3 s.
    assert!(near(shown(&part_time, 2.39).0, 100.0) && near(shown(&part_time, 2.4).0, 300.0));
    let filtered = PowerScript { time_constant_s: s(0.3), ..late };
    assert!(near(shown(&filtered, 2.4).0, 300.0 - 200.0 * (-1.0_f64).exp()), "one time constant after the step");
    let both = PowerScript { averaging_window_s: s(0.3), ..filtered };
    let mean = 300.0 - 200.0 * (1.0 - (-1.0_f64).exp());
    assert!(near(shown(&both, 2.4).0, mean), "the mean of the filter's answer over its first time constant");
}

#[test]
fn a_filter_follows_a_ramp_by_its_closed_form_and_loses_no_energy() {
    let ramped = PowerScript { ramp_s: Seconds::new(1.0), time_constant_s: s(0.5), ..script() };
    let lag = 200.0 * 0.5;
    assert!(near(shown(&ramped, 3.0).0, 300.0 - lag * (1.0 - (-2.0_f64).exp())));
    let windowed = PowerScript { averaging_window_s: s(9.0), ..ramped };
    // Power fell back at 6 s to 7 s; what the filter holds back at 9.5 s has all but left it.
    let mean = shown(&windowed, 9.5).0;
    assert!((mean - (9.0 * 100.0 + 4.0 * 200.0) / 9.0).abs() < 0.1, "{mean}");
}

#[test]
fn updates_keep_their_period_and_phase_and_the_counter_its_own() {
    let ticking =
        PowerScript { update_period_s: s(0.1), phase_s: Seconds::new(0.03), counter_period_s: s(0.02), ..script() };
    let trace = trace(&ticking, &step(), Polling::at(1000.0), at(2.5), at(3.5)).unwrap();
    let changes = |column: usize| {
        let values = &trace.columns[column].values;
        (1..values.len()).filter(|i| values[*i] != values[i - 1]).map(|i| trace.t_ns[i].0 / 1_000_000).collect()
    };
    let ticks: Vec<u64> = changes(1);
    assert_eq!(ticks[..3], [2510, 2530, 2550], "ticks of the counter");
    assert_eq!((shown(&ticking, 2.029).0, shown(&ticking, 2.03).0), (100.0, 300.0), "the update after the step");
    let channels = &trace.source.channels;
    assert_eq!((channels[0].update_period_s, channels[1].update_period_s), (s(0.1), s(0.02)));
}

#[test]
fn noise_has_its_scatter_stands_between_updates_and_follows_its_seed() {
    let noisy = |seed| PowerScript { update_period_s: s(0.01), noise_w: Watts::new(2.0), seed, ..script() };
    let run = |seed| trace(&noisy(seed), &Activity::default(), Polling::at(500.0), at(0.0), at(100.0)).unwrap();
    let values: Vec<f64> = run(1).columns[0].values.iter().flatten().copied().collect();
    assert!(values.chunks_exact(5).all(|update| update.iter().all(|value| *value == update[0])));
    let updates: Vec<f64> = values.chunks_exact(5).map(|update| update[0]).collect();
    let (mean, scatter) = (crate::stats::mean(&updates).unwrap(), crate::stats::standard_deviation(&updates).unwrap());
    assert!((mean - 100.0).abs() < 0.1 && (scatter - 2.0).abs() < 0.1, "{mean} {scatter}");
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).columns[0], run(2).columns[0]);
}

#[test]
fn rounding_is_to_the_nearest_watt_and_down_to_whole_joules() {
    let coarse = PowerScript { quantum_w: Some(Watts::new(7.0)), quantum_j: Some(Joules::new(10.0)), ..script() };
    assert_eq!(shown(&coarse, 2.0).0, 301.0);
    assert_eq!(shown(&coarse, 0.199).1, 10.0);
}

#[test]
fn gain_and_offset_show_in_power_and_in_the_rate_of_the_counter() {
    let wrong = PowerScript { gain: 0.95, offset_w: Watts::new(-20.0), ..script() };
    assert!(near(shown(&wrong, 3.0).0, 265.0));
    assert!(near(shown(&wrong, 5.0).1 - shown(&wrong, 3.0).1, 530.0));
}

#[test]
fn a_sensor_that_declares_nothing_reads_the_same() {
    let open = PowerScript { update_period_s: s(0.1), averaging_window_s: s(1.0), ..script() };
    let mute = PowerScript { declares: false, stated_error: Some(Ratio::new(0.05)), ..open.clone() };
    let run = |script| trace(script, &step(), Polling::at(100.0), at(0.0), at(8.0)).unwrap();
    assert_eq!(run(&open).columns, run(&mute).columns);
    let silent = |channel: &crate::model::Channel| {
        (channel.update_period_s, channel.averaging_window_s, channel.stated_error) == (None, None, None)
    };
    assert!(run(&mute).source.channels.iter().all(silent));
}

#[test]
fn what_contradicts_itself_is_refused_by_the_name_of_its_key() {
    let faults = [
        (PowerScript { time_constant_s: s(0.0), ..script() }, "time_constant_s"),
        (PowerScript { delay_s: Seconds::new(-1.0), ..script() }, "delay_s"),
        (PowerScript { counter_period_s: s(f64::NAN), ..script() }, "counter_period_s"),
        (PowerScript { noise_w: Watts::new(-1.0), ..script() }, "noise_w"),
        (PowerScript { quantum_w: Some(Watts::new(0.0)), ..script() }, "quantum_w"),
        (PowerScript { gain: 0.0, ..script() }, "gain"),
        (PowerScript { offset_w: Watts::new(-101.0), ..script() }, "less than nothing"),
    ];
    for (script, named) in faults {
        let why = trace(&script, &step(), Polling::at(10.0), at(0.0), at(1.0)).unwrap_err();
        assert!(why.contains(named), "{why}");
    }
    assert!(trace(&script(), &step(), Polling::at(0.0), at(0.0), at(1.0)).unwrap_err().contains("0 Hz"));
}

#[test]
fn the_replay_sees_what_the_sampler_sees() {
    let troubled = PowerScript {
        update_period_s: s(0.1),
        averaging_window_s: s(0.3),
        delay_s: Seconds::new(0.05),
        noise_w: Watts::new(1.0),
        outages_s: vec![(Seconds::new(3.0), Seconds::new(4.0))],
        gone_after_s: s(8.0),
        ..script()
    };
    let clock = SimulatedClock::new();
    let context = ProbeContext {
        root: "/".into(),
        devices: Vec::new(),
        assume_watts: None,
        argument: None,
        clock: RunClock::Simulated(clock.clone()),
        activity: Some(step()),
    };
    let sampler = Sampler::start(open_scripts(std::slice::from_ref(&troubled), &context).sources, 50.0, &context.clock);
    clock.sleep_until(at(10.0));
    let replayed = trace(&troubled, &step(), Polling::at(50.0), at(0.0), at(10.0)).unwrap();
    assert_eq!(replayed, sampler.stop().remove(0));
}

#[test]
fn late_polls_keep_their_order_and_their_number() {
    let polling = Polling::at(100.0).late_by(Ratio::new(0.9), 7);
    let late = trace(&script(), &step(), polling, at(0.0), at(5.0)).unwrap();
    let gaps: Vec<u64> = late.t_ns.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().any(|gap| *gap < 5_000_000) && gaps.iter().any(|gap| *gap > 15_000_000));
    assert!((499..=501).contains(&late.t_ns.len()));
}

/// How long traces take: `cargo test --lib replay -- --nocapture speed`.
#[test]
fn speed_allows_a_thousand_traces_in_seconds() {
    let sensor = PowerScript { update_period_s: s(0.1), averaging_window_s: s(1.0), ..script() };
    let begun = std::time::Instant::now();
    let long = trace(&sensor, &step(), Polling::at(1000.0), at(0.0), at(60.0)).unwrap();
    let (long_s, begun) = (begun.elapsed().as_secs_f64(), std::time::Instant::now());
    for seed in 0..100 {
        let noisy = PowerScript { seed, noise_w: Watts::new(1.0), ..sensor.clone() };
        trace(&noisy, &step(), Polling::at(50.0), at(0.0), at(20.0)).unwrap();
    }
    println!("60 s at 1 kHz: {long_s:.3} s; 100 trials of 20 s at 50 Hz: {:.3} s", begun.elapsed().as_secs_f64());
    assert_eq!(long.t_ns.len(), 60_001);
}
