//! Tests of the scripted sensor against hand-computed joules.

use super::*;
use crate::clock::{Activity, Nanoseconds};
use crate::clock::{Busy, Clock, RunClock, SimulatedClock};
use crate::model::Quantity;
use crate::model::SourceTrace;
use crate::power::{Chosen, Sampler, frozen_channels, window_energies};
use crate::units::{Joules, Ratio, Seconds, Watts};

const SECOND: u64 = 1_000_000_000;

fn at(seconds: f64) -> Nanoseconds {
    Nanoseconds(0).plus(Seconds::new(seconds))
}

fn script() -> PowerScript {
    let busy = vec![BusyPower { variant: "gemm/*".to_owned(), watts: Watts::new(300.0) }];
    PowerScript { busy, ..PowerScript::steady(Watts::new(50.0)) }
}

/// Runs a script at 50 Hz for 10 s, busy from 2 s to 6 s.
fn run(script: PowerScript) -> SourceTrace {
    let activity = Activity::default();
    activity.push(Busy { from: at(2.0), until: at(6.0), device: 0, variant: "gemm/tiled-f32".to_owned() });
    let clock = SimulatedClock::new();
    let context = ProbeContext {
        root: "/".into(),
        devices: Vec::new(),
        assume_watts: None,
        argument: None,
        clock: RunClock::Simulated(clock.clone()),
        activity: Some(activity),
    };
    let findings = open_scripts(&[script], &context);
    assert!(findings.obstacles.is_empty(), "{:?}", findings.obstacles);
    let sampler = Sampler::start(findings.sources, 50.0, &RunClock::Simulated(clock.clone()));
    clock.sleep_until(at(10.0));
    sampler.stop().remove(0)
}

fn counted(trace: &SourceTrace) -> f64 {
    let values = &trace.by_quantity(Quantity::EnergyCounter).unwrap().1.values;
    values.last().unwrap().unwrap() - values[0].unwrap()
}

#[test]
fn the_counter_holds_exactly_the_joules_that_the_script_lets_flow() {
    assert_eq!(counted(&run(script())), 6.0 * 50.0 + 4.0 * 300.0);
}

#[test]
fn a_variant_that_no_entry_matches_draws_idle_power() {
    let mut script = script();
    script.busy[0].variant = "softmax/*".to_owned();
    assert_eq!(counted(&run(script)), 500.0);
}

#[test]
fn a_ramp_takes_its_triangle_off_the_energy_and_gives_it_back_afterwards() {
    let ramped = PowerScript { ramp_s: Seconds::new(1.0), ..script() };
    let trace = run(ramped);
    assert!((counted(&trace) - (6.0 * 50.0 + 4.0 * 300.0)).abs() < 1e-9);
    let power = &trace.by_quantity(Quantity::InstantPower).unwrap().1.values;
    assert!((power[125].unwrap() - 175.0).abs() < 1e-9, "half-way up at 2.5 s");
}

#[test]
fn a_wrapping_counter_is_unwrapped_by_its_source() {
    let wrapped = PowerScript { wrap_j: Some(Joules::new(100.0)), ..script() };
    assert!((counted(&run(wrapped)) - 1500.0).abs() < 1e-9);
}

#[test]
fn a_gain_scales_the_counter_and_the_integral_overrules_it() {
    let trace = run(PowerScript { counter_gain: 0.5, ..script() });
    let energy = window_energies(&trace, at(3.0), at(5.0)).remove(0);
    assert_eq!(energy.chosen, Some((Chosen::Integral, Joules::new(600.0))));
    assert!((energy.disagreement.unwrap().get() + 0.5).abs() < 1e-9);
}

#[test]
fn averaged_power_lags_behind_the_step_by_its_window() {
    let averaged = PowerScript { averaging_window_s: Some(Seconds::new(1.0)), ..script() };
    let trace = run(averaged);
    let (channel, column) = trace.by_quantity(Quantity::AveragedPower).unwrap();
    assert_eq!(channel.averaging_window_s, Some(Seconds::new(1.0)));
    assert!((column.values[125].unwrap() - 175.0).abs() < 1e-9, "half of the window is busy at 2.5 s");
}

#[test]
fn a_part_time_sensor_does_not_see_what_falls_between_its_looks() {
    let part_time =
        PowerScript { update_period_s: Some(Seconds::new(4.0)), part_time: Some(Ratio::new(0.25)), ..script() };
    let trace = run(part_time);
    let values = &trace.by_quantity(Quantity::InstantPower).unwrap().1.values;
    // It looks at 3-4 s (busy) and 7-8 s (idle); each value stands until the next look.
    assert_eq!((values[250], values[450]), (Some(300.0), Some(50.0)));
    let channel = trace.by_quantity(Quantity::InstantPower).unwrap().0;
    assert_eq!(channel.averaging_window_s, Some(Seconds::new(1.0)));
}

#[test]
fn a_frozen_counter_beside_living_power_is_found_out() {
    let frozen = PowerScript { frozen_after_s: Some(Seconds::new(3.0)), frozen: Frozen::Counter, ..script() };
    assert_eq!(frozen_channels(&run(frozen)), ["energy"]);
    let frozen = PowerScript { frozen_after_s: Some(Seconds::new(3.0)), frozen: Frozen::Power, ..script() };
    assert_eq!(frozen_channels(&run(frozen)), ["power.instant"]);
    assert!(frozen_channels(&run(script())).is_empty());
}

#[test]
fn a_sensor_that_vanishes_leaves_a_gap_without_end_and_its_earlier_readings() {
    let trace = run(PowerScript { gone_after_s: Some(Seconds::new(5.0)), ..script() });
    assert_eq!(trace.t_ns.last(), Some(&at(4.98)));
    assert_eq!(trace.gaps.len(), 1);
    assert_eq!((trace.gaps[0].from_ns, trace.gaps[0].until_ns), (at(4.98), None));
    assert!(trace.gaps[0].reason.contains("vanished"));
}

#[test]
fn an_outage_is_a_gap_with_both_ends_and_no_zero() {
    let trace = run(PowerScript { outages_s: vec![(Seconds::new(3.0), Seconds::new(4.0))], ..script() });
    assert_eq!(trace.gaps.len(), 1);
    assert_eq!((trace.gaps[0].from_ns, trace.gaps[0].until_ns), (at(2.98), Some(at(4.0))));
    assert_eq!(trace.columns[0].values[175], None);
    assert!(!trace.columns[0].values.contains(&Some(0.0)));
}

#[test]
fn a_denied_sensor_and_a_senseless_script_are_obstacles() {
    let context = ProbeContext {
        root: "/".into(),
        devices: Vec::new(),
        assume_watts: None,
        argument: None,
        clock: RunClock::Simulated(SimulatedClock::new()),
        activity: None,
    };
    let denied = PowerScript { deny: true, ..script() };
    let senseless = PowerScript { part_time: Some(Ratio::new(2.0)), ..script() };
    let findings = open_scripts(&[denied, senseless], &context);
    assert_eq!((findings.sources.len(), findings.obstacles.len()), (0, 2));
    assert!(findings.obstacles[0].why.contains("permission denied"));
    assert!(findings.obstacles[1].why.contains("part_time"));
}

#[test]
fn a_script_reads_from_toml_and_refuses_unknown_keys() {
    let text = "idle_w = 50\ncounter = true\nbusy = [{ variant = \"gemm/*\", watts = 300 }]";
    let parsed: PowerScript = toml::from_str(text).unwrap();
    assert_eq!(parsed, PowerScript { device: None, ..script() });
    assert!(toml::from_str::<PowerScript>("idle_w = 1\nwats = 3").is_err());
}

#[test]
fn two_identical_runs_give_identical_traces() {
    let scripts = || PowerScript { update_period_s: Some(Seconds::new(0.1)), ramp_s: Seconds::new(0.3), ..script() };
    assert_eq!(run(scripts()), run(scripts()));
    assert_eq!(run(scripts()).t_ns.len() as u64, 10 * 50 + 1, "{SECOND}");
}
