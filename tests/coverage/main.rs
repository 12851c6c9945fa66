//! The proof of the uncertainty budget: random loads seen by scripted sensors whose truth is known, and how often the 95 %
//! interval of the energy contains what really flowed.
//!
//! The measurand is the mean power over the windows of a case: the joules that flowed in them over their length. What
//! surprises people: a rate above 97 % fails like one below 93 %; an interval that is too wide is wrong as well.
//!
//! `cargo test --test coverage -- --nocapture` prints the table.

#![allow(clippy::unwrap_used)]

mod load;
mod sensor;

use std::sync::atomic::{AtomicU64, Ordering};

use load::{KINDS, Load, Random};
use wattmark::clock::Nanoseconds;
use wattmark::measure::result::{EnergyResult, evaluate};
use wattmark::model::{
    Case, Check, Measurement, Quantity, Response, RunRecord, SensorProfile, SourceTrace, Verification, Window,
    WindowKind,
};
use wattmark::power::sources::scripted::{Polling, PowerScript, trace};
use wattmark::units::{Joules, Ratio, Seconds, Watts};

const TRIALS: u64 = 1000;
const WINDOWS: usize = 5;
/// Rates that a right 95 % interval may have.
const ALLOWED: std::ops::RangeInclusive<f64> = 0.93..=0.97;
/// Half-width of the 95 % interval that the sensors state of their gain: that of a sensor that was calibrated.
const STATED: f64 = 0.01;

/// A kind of sensor.
struct Kind {
    name: &'static str,
    update_s: f64,
    hz: f64,
    response: Response,
}

fn kinds() -> [Kind; 6] {
    let power = |name, response| Kind { name, update_s: 0.1, hz: 20.0, response };
    let seconds = Seconds::new;
    [
        power("boxcar 1 s, 100 ms", Response::Boxcar { window_s: seconds(1.0) }),
        power("boxcar 100 ms, 100 ms", Response::Boxcar { window_s: seconds(0.1) }),
        power("instant, 100 ms", Response::Instant),
        power("part-time 25 of 100 ms", Response::PartTime { window_s: seconds(0.025) }),
        power("low-pass 300 ms, 100 ms", Response::LowPass { time_constant_s: seconds(0.3) }),
        Kind { name: "counter, 20 ms", update_s: 0.02, hz: 50.0, response: Response::Counter },
    ]
}

/// A sensor of a kind with a gain, a delay, noise and a resolution of its own.
fn script(kind: &Kind, load: &Load, random: &mut Random) -> PowerScript {
    let mut script = PowerScript::steady(Watts::new(50.0));
    script.busy = load.powers();
    script.update_period_s = Some(Seconds::new(kind.update_s));
    script.phase_s = Seconds::new(random.between(0.0, kind.update_s));
    script.delay_s = Seconds::new(random.between(0.0, 0.1));
    script.gain = 1.0 + STATED / 1.959_964 * random.normal();
    script.stated_error = Some(Ratio::new(STATED));
    script.noise_w = Watts::new(random.between(0.0, 3.0));
    script.seed = random.seed();
    (script.power, script.counter) = (kind.response != Response::Counter, kind.response == Response::Counter);
    match kind.response {
        Response::Boxcar { window_s } => script.averaging_window_s = Some(window_s),
        Response::PartTime { window_s } => script.part_time = Some(Ratio::new(window_s.get() / kind.update_s)),
        Response::LowPass { time_constant_s } => script.time_constant_s = Some(time_constant_s),
        Response::Counter => script.quantum_j = Some(Joules::new(0.001)),
        Response::Instant => {}
    }
    if script.power {
        script.quantum_w = Some(Watts::new(1.0));
    }
    script
}

/// Five windows of 2 to 10 s with pauses of up to a second, in seconds.
fn windows(random: &mut Random) -> Vec<(f64, f64)> {
    let length = random.between(2.0, 10.0);
    let mut start = 3.0;
    (0..WINDOWS)
        .map(|_| {
            let from = start + random.between(0.0, 1.0);
            start = from + length;
            (from, start)
        })
        .collect()
}

/// A record with a device, ready for windows and a trace.
fn empty() -> RunRecord {
    let mut record: RunRecord = serde_json::from_str(include_str!("../fixtures/records/v1.0.json")).unwrap();
    record.devices.truncate(1);
    record.devices[0].ordinal = 0;
    (record.idle, record.traces, record.skips) = (Vec::new(), Vec::new(), Vec::new());
    record.measurements.truncate(1);
    record.measurements[0].case.device = 0;
    record
}

fn measurement(case: Case, windows: &[(f64, f64)]) -> Measurement {
    let ns = |s: f64| Nanoseconds((s * 1e9).round() as u64);
    let window = |(from, until): &(f64, f64)| Window {
        kind: WindowKind::Measure,
        start_ns: ns(*from),
        end_ns: ns(*until),
        dispatches: 1000,
        device_busy_ns: None,
    };
    let check = Check { sampled: 1, scanned: 1, ..Check::default() };
    Measurement {
        case,
        verification: Verification::Passed { before: check.clone(), after: check },
        calibration: None,
        timing: None,
        steadiness: None,
        windows: windows.iter().map(window).collect(),
        stop: None,
        warnings: Vec::new(),
        injected: None,
        sustained: None,
    }
}

/// What a trial gave: measured over true, minus 1, and the budget.
struct Trial {
    error: f64,
    energy: EnergyResult,
}

impl Trial {
    fn covers(&self) -> bool {
        // The interval is about the measured value.
        (self.error / (1.0 + self.error)).abs() <= self.energy.uncertainty.of_windows().expanded()
    }
}

fn profiled(mut trace: SourceTrace, kind: &Kind, script: &PowerScript) -> SourceTrace {
    let profile = SensorProfile {
        response: kind.response,
        update_period_s: Seconds::new(kind.update_s),
        delay_s: script.delay_s,
        coverage: Ratio::new(1.0),
        residual: Ratio::new(0.0),
        measured: String::new(),
    };
    for channel in trace.source.channels.iter_mut().filter(|channel| Quantity::is_energetic(channel.quantity)) {
        channel.profile = Some(profile.clone());
    }
    trace
}

fn trial(kind: &Kind, load_kind: usize, seed: u64, record: &mut RunRecord) -> Trial {
    let mut random = Random::new(seed);
    let windows = windows(&mut random);
    let end = windows[WINDOWS - 1].1 + 3.0;
    let load = Load::random(load_kind, end, &mut random);
    let script = script(kind, &load, &mut random);
    let seen = sensor::polled(&script, kind.response, &load, kind.hz, end - 0.5, random.seed());
    record.traces = vec![profiled(seen, kind, &script)];
    record.measurements = vec![measurement(record.measurements[0].case.clone(), &windows)];
    let energy = evaluate(record).cases.remove(0).energy.remove(0);
    let read: f64 = energy.window_energy.iter().map(|joules| joules.get()).sum();
    assert_eq!(energy.window_energy.len(), WINDOWS);
    let flowed: f64 = windows.iter().map(|(from, until)| load.energy_between(*from, *until)).sum();
    Trial { error: read / flowed - 1.0, energy }
}

/// All trials of a kind of sensor, on two threads.
fn trials(kind: &Kind, base: u64) -> Vec<(usize, Trial)> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut record = empty();
        let mut own = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= TRIALS {
                return own;
            }
            let load_kind = (number % KINDS.len() as u64) as usize;
            own.push((load_kind, trial(kind, load_kind, base + number, &mut record)));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value * value));
    f64::sqrt(sum / n)
}

#[test]
fn the_95_percent_interval_of_the_energy_contains_the_true_one_at_its_stated_rate() {
    println!("sensor                     covered   error rms    u_c rms  sampling      edge      gain   by load");
    let mut outside = Vec::new();
    for (index, kind) in kinds().iter().enumerate() {
        let trials = trials(kind, 1_000_000 * (index as u64 + 1));
        let rate = |of: &dyn Fn(usize) -> bool| {
            let chosen: Vec<&Trial> = trials.iter().filter(|(load, _)| of(*load)).map(|(_, trial)| trial).collect();
            chosen.iter().filter(|trial| trial.covers()).count() as f64 / chosen.len() as f64
        };
        let all = rate(&|_| true);
        let budget = |of: &dyn Fn(&EnergyResult) -> f64| {
            100.0 * root_mean_square(trials.iter().map(|(_, trial)| of(&trial.energy)))
        };
        let by_load: Vec<String> =
            (0..KINDS.len()).map(|load| format!("{:.1}", 100.0 * rate(&|own| own == load))).collect();
        println!(
            "{:<26} {:>6.1} % {:>9.3} % {:>8.3} % {:>7.3} % {:>7.3} % {:>7.3} %   {}",
            kind.name,
            100.0 * all,
            100.0 * root_mean_square(trials.iter().map(|(_, trial)| trial.error)),
            budget(&|energy| energy.uncertainty.of_windows().standard),
            budget(&|energy| energy.uncertainty.sampling.standard),
            budget(&|energy| energy.uncertainty.edge.standard),
            budget(&|energy| energy.uncertainty.gain.standard),
            by_load.join(" "),
        );
        if !ALLOWED.contains(&all) {
            outside.push(format!("{}: {:.1} %", kind.name, 100.0 * all));
        }
    }
    assert!(outside.is_empty(), "95 % intervals that cover too rarely or too often: {outside:?}");
}

#[test]
fn the_fast_sensor_of_this_proof_reads_what_the_scripted_sensor_reads() {
    for kind in kinds() {
        for (load_kind, load_name) in KINDS.iter().enumerate() {
            let mut random = Random::new(7 + load_kind as u64);
            let load = Load::random(load_kind, 4.0, &mut random);
            let mut script = script(&kind, &load, &mut random);
            // Noise comes from generators of their own, and rounding would hide a difference.
            (script.noise_w, script.quantum_w, script.quantum_j) = (Watts::new(0.0), None, None);
            let fast = sensor::polled(&script, kind.response, &load, kind.hz, 3.9, 11);
            let mut polls = Vec::new();
            for at in &fast.t_ns {
                let one = trace(&script, &load.activity(), Polling::at(kind.hz), *at, *at).unwrap();
                polls.push(one.columns[0].values[0].unwrap());
            }
            for ((at, fast), slow) in fast.t_ns.iter().zip(&fast.columns[0].values).zip(polls).skip(30) {
                let fast = fast.unwrap();
                assert!((fast - slow).abs() <= 1e-4 * slow, "{} {} at {at:?}: {fast}, {slow}", kind.name, load_name);
            }
        }
    }
}
