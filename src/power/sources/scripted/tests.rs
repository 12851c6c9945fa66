//! Tests of the scripted sensor against hand-computed joules.

use super::*;
use crate::clock::{Activity, Nanoseconds};
use crate::clock::{Busy, Clock, RunClock, SimulatedClock};
use crate::model::Quantity;
use crate::model::SourceTrace;
use crate::power::{Chosen, Sampler, frozen_channels, window_energies};
use crate::units::{Celsius, Joules, Ratio, Seconds, Watts};

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

/// Values of a quantity at whole seconds, 0 to 10.
fn by_second(trace: &SourceTrace, quantity: Quantity) -> Vec<f64> {
    let values = &trace.by_quantity(quantity).unwrap().1.values;
    values.iter().step_by(50).map(|value| value.unwrap()).collect()
}

#[test]
fn a_sensor_throttles_while_it_is_hotter_than_its_limit_and_in_scripted_stretches() {
    // 40 °C at 50 W and 0.2 K/W: 90 °C under 300 W from 2 s to 6 s, above the limit of 85 °C. Brake from 8 s to 9 s.
    let brake =
        ThrottleStretch { cause: ThrottleCause::Hardware, from_s: Seconds::new(8.0), until_s: Some(Seconds::new(9.0)) };
    let hot = PowerScript {
        temperature_c: Some(Celsius::new(40.0)),
        kelvin_per_watt: 0.2,
        throttles_above_c: Some(Celsius::new(85.0)),
        throttle: Some(vec![brake]),
        ..script()
    };
    let masks = by_second(&run(hot), Quantity::ThrottleReasons);
    let (heat, hardware) = (f64::from(0x20), f64::from(0x8));
    assert_eq!(masks[3..6], [heat; 3]);
    assert_eq!(masks[..2], [0.0; 2]);
    assert_eq!(masks[7..], [0.0, hardware, 0.0, 0.0]);
}

#[test]
fn error_counters_add_up_what_is_scripted_and_exist_only_where_they_are() {
    let seconds = |all: &[f64]| Some(all.iter().map(|at| Seconds::new(*at)).collect::<Vec<_>>());
    let ill = PowerScript {
        ecc_corrected_per_s: Some(0.4),
        ecc_uncorrected_at_s: seconds(&[5.0]),
        pcie_replays_per_s: Some(0.0),
        ..script()
    };
    let trace = run(ill);
    // One at 2.5 s, 5 s, 7.5 s and 10 s.
    let corrected = [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 4.0];
    assert_eq!(by_second(&trace, Quantity::EccCorrected), corrected);
    assert_eq!(by_second(&trace, Quantity::EccUncorrected)[4..7], [0.0, 1.0, 1.0]);
    assert_eq!(by_second(&trace, Quantity::PcieReplays), [0.0; 11]);
    assert!(trace.by_quantity(Quantity::DriverErrors).is_none());
}

#[test]
fn senseless_errors_and_throttling_are_refused_by_name() {
    let faults = [
        (PowerScript { ecc_corrected_per_s: Some(f64::NAN), ..script() }, "ecc_corrected_per_s"),
        (PowerScript { pcie_replays_per_s: Some(-1.0), ..script() }, "pcie_replays_per_s"),
        (PowerScript { driver_error_at_s: Some(vec![Seconds::new(-1.0)]), ..script() }, "driver_error_at_s"),
        (PowerScript { throttles_above_c: Some(Celsius::new(85.0)), ..script() }, "temperature_c"),
    ];
    for (script, name) in faults {
        assert!(script.fault().unwrap().contains(name), "{:?}", script.fault());
    }
    let text = "idle_w = 50\nthrottle = [{ cause = \"thermal\", from_s = 3, until_s = 2 }]";
    let script: PowerScript = toml::from_str(text).unwrap();
    assert!(script.fault().unwrap().contains("throttle"), "{:?}", script.fault());
    assert!(toml::from_str::<PowerScript>("idle_w = 5\nthrottle = [{ cause = \"heat\" }]").is_err());
}
