//! Tests of the integration: hand-computed joules, holes, counters, frozen channels.

use proptest::prelude::*;

use super::*;
use crate::model::{ChannelTrace, Evidence, Response, SensorProfile, SourceInfo};

const SECOND: u64 = 1_000_000_000;

fn channel(id: &str, quantity: Quantity, update: Option<f64>) -> Channel {
    Channel { update_period_s: update.map(Seconds::new), ..Channel::new(id, quantity, Scope::Board) }
}

fn trace(hz: f64, t_ns: Vec<u64>, columns: Vec<(Channel, Vec<Option<f64>>)>) -> SourceTrace {
    let source = SourceInfo {
        id: "test".to_owned(),
        kind: "test".to_owned(),
        device: Some(0),
        evidence: Evidence::Measured,
        note: String::new(),
        channels: columns.iter().map(|(channel, _)| channel.clone()).collect(),
    };
    let columns = columns.into_iter().map(|(channel, values)| ChannelTrace { channel: channel.id, values });
    SourceTrace {
        source,
        requested_hz: hz,
        t_ns: t_ns.into_iter().map(Nanoseconds).collect(),
        columns: columns.collect(),
        gaps: Vec::new(),
    }
}

/// Instants every `period` seconds from 0 to `end`.
fn grid(end: f64, period: f64) -> Vec<u64> {
    (0..=(end / period).round() as u64).map(|i| (i as f64 * period * SECOND as f64).round() as u64).collect()
}

fn sampled(hz: f64, end: f64, power: impl Fn(f64) -> Option<f64>) -> SourceTrace {
    let t = grid(end, 1.0 / hz);
    let values = t.iter().map(|t| power(*t as f64 / SECOND as f64)).collect();
    trace(hz, t, vec![(channel("p", Quantity::InstantPower, None), values)])
}

fn energy(trace: &SourceTrace, from: f64, until: f64) -> ScopeEnergy {
    let at = |s: f64| Nanoseconds((s * SECOND as f64).round() as u64);
    window_energies(trace, at(from), at(until)).remove(0)
}

fn close(a: Option<Joules>, b: f64) -> bool {
    a.is_some_and(|a| (a.get() - b).abs() <= 1e-9 * b.abs().max(1.0))
}

#[test]
fn constant_power_gives_power_times_time_at_any_window() {
    let trace = sampled(50.0, 10.0, |_| Some(250.0));
    for (from, until) in [(0.0, 10.0), (0.013, 9.987), (3.331, 3.333)] {
        assert!(close(energy(&trace, from, until).integral, 250.0 * (until - from)));
    }
}

#[test]
fn a_ramp_is_interpolated_to_edges_between_samples() {
    let trace = sampled(10.0, 10.0, |t| Some(100.0 * t));
    // ∫ 100 t dt from 1.25 to 4.55
    let result = energy(&trace, 1.25, 4.55);
    assert!(close(result.integral, 50.0 * (4.55f64.powi(2) - 1.25f64.powi(2))));
    assert_eq!(result.coverage, Ratio::new(1.0));
}

#[test]
fn a_hole_of_three_periods_is_bridged_and_a_longer_one_lowers_the_coverage() {
    let short = sampled(10.0, 10.0, |t| (!(5.05..5.25).contains(&t)).then_some(100.0));
    assert_eq!(energy(&short, 0.0, 10.0).coverage, Ratio::new(1.0));
    let long = sampled(10.0, 10.0, |t| (!(4.05..5.95).contains(&t)).then_some(100.0));
    let result = energy(&long, 0.0, 10.0);
    // Readings end at 4.0 s and begin again at 6.0 s.
    assert!((result.coverage.get() - 0.8).abs() < 1e-9);
    assert!(close(result.integral, 1000.0), "extended by the mean power of the covered time");
}

#[test]
fn a_window_beyond_the_readings_has_no_energy_rather_than_zero() {
    let trace = sampled(10.0, 5.0, |_| Some(100.0));
    let result = energy(&trace, 6.0, 8.0);
    assert_eq!((result.integral, result.chosen, result.mean_power), (None, None, None));
    assert_eq!(result.coverage, Ratio::new(0.0));
    assert_eq!(energy(&trace, 2.0, 2.0).chosen, None, "nor has a window without length");
}

#[test]
fn a_dead_sensor_covers_only_the_part_before_its_death() {
    let trace = sampled(10.0, 10.0, |t| (t < 5.0).then_some(100.0));
    let result = energy(&trace, 0.0, 10.0);
    assert!(result.coverage.get() < 0.53 && result.coverage.get() > 0.48, "{:?}", result.coverage);
}

/// Constant 200 W seen by instant power and by a counter that changes every `tick` seconds with a gain.
fn both(tick: f64, gain: f64) -> SourceTrace {
    let t = grid(10.0, 0.02);
    let counted = |t: &u64| Some(((*t as f64 / SECOND as f64 / tick) + 1e-9).floor() * tick * 200.0 * gain);
    let counter = t.iter().map(counted).collect();
    let power = vec![Some(200.0); t.len()];
    let columns = vec![
        (channel("e", Quantity::EnergyCounter, Some(tick)), counter),
        (channel("p", Quantity::InstantPower, None), power),
    ];
    trace(50.0, t, columns)
}

#[test]
fn a_coarse_counter_is_exact_because_both_edges_are_moved_to_its_ticks() {
    for (from, until) in [(1.0, 9.0), (1.07, 8.99), (2.33, 3.91)] {
        let result = energy(&both(0.1, 1.0), from, until);
        assert!(close(result.counter, 200.0 * (until - from)), "{result:?}");
        assert_eq!(result.chosen.map(|(kind, _)| kind), Some(Chosen::Counter));
    }
}

#[test]
fn a_counter_within_five_percent_stands_and_one_beyond_is_overruled_with_the_disagreement_stated() {
    let near = energy(&both(0.1, 1.04), 1.0, 9.0);
    assert_eq!(near.chosen.map(|(kind, _)| kind), Some(Chosen::Counter));
    assert!((near.disagreement.unwrap().get() - 0.04).abs() < 1e-9);
    let far = energy(&both(0.1, 0.57), 1.0, 9.0);
    assert_eq!(far.chosen.map(|(kind, _)| kind), Some(Chosen::Integral));
    assert!((far.disagreement.unwrap().get() + 0.43).abs() < 1e-9);
    assert!((far.mean_power.unwrap().get() - 200.0).abs() < 1e-9);
}

#[test]
fn a_counter_that_falls_or_stands_still_is_not_used() {
    for spoil in [|t: usize, v: f64| if t < 250 { v } else { v - 500.0 }, |_, _| 5.0] {
        let mut trace = both(0.02, 1.0);
        for (index, value) in trace.columns[0].values.iter_mut().enumerate() {
            *value = value.map(|v| spoil(index, v));
        }
        let result = energy(&trace, 1.0, 9.0);
        assert_eq!((result.counter, result.disagreement), (None, None));
        assert_eq!(result.chosen.map(|(kind, _)| kind), Some(Chosen::Integral));
    }
}

#[test]
fn a_counter_reads_through_a_hole_of_the_power_readings() {
    let mut trace = both(0.02, 1.2);
    for (t, value) in trace.t_ns.clone().iter().zip(&mut trace.columns[1].values) {
        *value = value.filter(|_| t.0 < 3 * SECOND);
    }
    let result = energy(&trace, 1.0, 9.0);
    assert_eq!(result.chosen.map(|(kind, _)| kind), Some(Chosen::Counter), "a quarter of the window has no vote");
    assert_eq!(result.coverage, Ratio::new(1.0));
}

#[test]
fn instant_power_goes_before_averaged_power() {
    let t = grid(4.0, 0.1);
    let columns = vec![
        (channel("a", Quantity::AveragedPower, None), vec![Some(90.0); t.len()]),
        (channel("p", Quantity::InstantPower, None), vec![Some(100.0); t.len()]),
    ];
    let result = energy(&trace(10.0, t, columns), 1.0, 3.0);
    assert_eq!(result.integral_quantity, Some(Quantity::InstantPower));
    assert!(close(result.integral, 200.0));
}

#[test]
fn averaged_power_steps_in_where_instant_power_gave_nothing() {
    let t = grid(4.0, 0.1);
    let columns = vec![
        (channel("p", Quantity::InstantPower, None), vec![None; t.len()]),
        (channel("a", Quantity::AveragedPower, None), vec![Some(90.0); t.len()]),
    ];
    let result = energy(&trace(10.0, t, columns), 1.0, 3.0);
    assert_eq!(result.integral_quantity, Some(Quantity::AveragedPower));
}

#[test]
fn a_frozen_counter_is_found_and_a_living_one_is_not() {
    let mut trace = both(0.1, 1.0);
    assert!(frozen_channels(&trace).is_empty());
    for (t, value) in trace.t_ns.clone().iter().zip(&mut trace.columns[0].values) {
        *value = if t.0 > 4 * SECOND { Some(800.0) } else { *value };
    }
    assert_eq!(frozen_channels(&trace), ["e"]);
}

#[test]
fn frozen_power_is_found_where_the_counter_says_that_the_load_moved() {
    let t = grid(20.0, 0.02);
    let busy = |s: f64| if s < 10.0 { 50.0 * s } else { 500.0 + 300.0 * (s - 10.0) };
    let counter = t.iter().map(|t| Some(busy(*t as f64 / SECOND as f64))).collect();
    let columns = vec![
        (channel("e", Quantity::EnergyCounter, None), counter),
        (channel("p", Quantity::InstantPower, None), vec![Some(50.0); t.len()]),
    ];
    assert_eq!(frozen_channels(&trace(50.0, t, columns)), ["p"]);
}

#[test]
fn a_counter_alone_gives_a_power_series_by_its_ticks() {
    let mut trace = both(0.1, 1.0);
    trace.source.channels.truncate(1);
    trace.columns.truncate(1);
    let series = power_series(&trace, Scope::Board);
    // 100 changes; the first reading is no change.
    assert_eq!(series.len(), 100);
    assert!(series.iter().all(|(_, watts)| (watts.get() - 200.0).abs() < 1e-6));
    assert_eq!(series[1].0, Nanoseconds(SECOND * 3 / 20));
    assert!(power_series(&trace, Scope::WallAc).is_empty());
}

/// A correction of this gain and offset.
fn correction(gain: f64, offset_w: f64) -> Correction {
    Correction {
        gain,
        offset_w: Watts::new(offset_w),
        error: Ratio::new(0.01),
        against: "meter/power".to_owned(),
        scope_note: None,
        measured: "2026-01-01T00:00:00Z".to_owned(),
    }
}

#[test]
fn a_corrected_sensor_of_gain_0_95_and_offset_minus_20_w_gives_the_joules_of_its_reference() {
    let load = |t: f64| 300.0 + 100.0 * (t / 2.0).sin();
    let reference = sampled(50.0, 10.0, |t| Some(load(t)));
    let mut sensor = sampled(50.0, 10.0, |t| Some(0.95 * load(t) - 20.0));
    let raw = sensor.columns.clone();
    sensor.source.channels[0].stated_error = Some(Ratio::new(0.05));
    let want = energy(&reference, 1.0, 9.0).integral.unwrap().get();
    assert!(energy(&sensor, 1.0, 9.0).integral.unwrap().get() < 0.9 * want);
    sensor.source.channels[0].correction = Some(correction(0.95, -20.0));
    let corrected = energy(&sensor, 1.0, 9.0);
    assert!(close(corrected.integral, want), "{corrected:?}");
    assert_eq!(corrected.stated_error, Some(Ratio::new(0.01)), "what the correction leaves, not what the maker states");
    assert_eq!(sensor.columns, raw, "the readings stay raw");
    let series = power_series(&sensor, Scope::Board);
    assert!(series.iter().all(|(t, watts)| (watts.get() - load(t.0 as f64 / SECOND as f64)).abs() < 1e-9));
}

#[test]
fn a_corrected_counter_loses_its_offset_for_every_second_and_its_gain() {
    let mut trace = both(0.1, 1.0);
    // Reads 0.95 · 200 W − 20 W = 170 W.
    for (t, value) in trace.t_ns.clone().iter().zip(&mut trace.columns[0].values) {
        *value = value.map(|v| 0.95 * v - 20.0 * ((t.0 as f64 / SECOND as f64 / 0.1 + 1e-9).floor() * 0.1));
    }
    trace.source.channels[0].correction = Some(correction(0.95, -20.0));
    let result = energy(&trace, 1.0, 9.0);
    assert!(close(result.counter, 1600.0), "{result:?}");
    assert!(result.disagreement.unwrap().get().abs() < 1e-9);
}

#[test]
fn of_counter_and_power_the_one_that_was_corrected_stands() {
    let mut trace = both(0.1, 1.02);
    trace.source.channels[1].correction = Some(correction(1.25, 0.0));
    let result = energy(&trace, 1.0, 9.0);
    assert_eq!(result.chosen.map(|(kind, _)| kind), Some(Chosen::Integral));
    assert!((result.mean_power.unwrap().get() - 160.0).abs() < 1e-9);
    assert!(result.disagreement.unwrap().get() > 0.05, "and that they differ is said");
    trace.source.channels[1].correction = None;
    trace.source.channels[0].correction = Some(correction(1.25, 0.0));
    assert_eq!(energy(&trace, 1.0, 9.0).chosen.map(|(kind, _)| kind), Some(Chosen::Counter));
}

#[test]
fn a_correction_that_cannot_be_applied_is_left_alone() {
    let mut trace = sampled(50.0, 10.0, |_| Some(200.0));
    for gain in [0.0, -1.0, f64::NAN] {
        trace.source.channels[0].correction = Some(correction(gain, 0.0));
        let result = energy(&trace, 1.0, 9.0);
        assert!(close(result.integral, 1600.0) && result.correction.is_none());
    }
}

/// A reading of this response to 100 W that step to 300 W at 3 s, polled at 100 Hz.
fn answered(response: Response, delay: f64, reading: impl Fn(f64) -> f64) -> SourceTrace {
    let mut trace = sampled(100.0, 10.0, |t| Some(reading(t - delay)));
    trace.source.channels[0].profile = Some(SensorProfile {
        response,
        update_period_s: Seconds::new(0.01),
        delay_s: Seconds::new(delay),
        coverage: Ratio::new(1.0),
        residual: Ratio::new(0.0),
        measured: String::new(),
    });
    trace
}

#[test]
fn the_energy_of_a_slow_sensor_belongs_to_the_window_and_not_to_what_came_before() {
    // Windows from 3 s on hold 300 W alone; a second of averaging would give 250 W for the first two seconds.
    let boxcar = |t: f64| 100.0 + 200.0 * (t - 3.0).clamp(0.0, 1.0);
    let low_pass = |t: f64| if t < 3.0 { 100.0 } else { 300.0 - 200.0 * (-(t - 3.0) / 0.3).exp() };
    let slow = [
        answered(Response::Boxcar { window_s: Seconds::new(1.0) }, 0.2, boxcar),
        answered(Response::LowPass { time_constant_s: Seconds::new(0.3) }, 0.2, low_pass),
    ];
    for trace in slow {
        // The averaging is over a second after the change and the delay; from then on nothing is left of it.
        let window = energy(&trace, 4.5, 6.5);
        assert!((window.integral.unwrap().get() - 600.0).abs() < 0.1, "{window:?}");
        let off = (energy(&trace, 3.5, 5.5).integral.unwrap().get() - 600.0).abs();
        assert!(off < 5.0, "{off} J");
        // At the very step most of the boxcar's corner is left, and the edge term says so.
        let window = energy(&trace, 3.0, 5.0);
        let off = (window.integral.unwrap().get() - 600.0).abs();
        let edge = window.error.edge_j.hypot(window.error.shift_j);
        assert!(off <= 3.0 * edge + 1.0 && off < 20.0, "{off} J, {edge} J");
    }
}

#[test]
fn the_edge_term_of_a_counter_is_the_width_of_its_brackets() {
    // Ticks of 0.1 s polled at 50 Hz: each lies anywhere in 20 ms, 200 W · 20 ms/√12 = 1.155 J at each of two edges.
    let mut trace = both(0.1, 1.0);
    trace.source.channels[0].update_period_s = Some(Seconds::new(0.1));
    let error = energy(&trace, 1.03, 8.97).error;
    assert!((error.edge_j - 1.1547 * 2.0_f64.sqrt()).abs() < 1e-3, "{error:?}");
    assert!(error.shift_j.abs() < 1e-9, "level power is the same however late it is read");
}

#[test]
fn unseen_time_costs_by_fast_structure_and_by_steps_as_computed_by_hand() {
    // Alternating 100 and 300 W at 10 looks a second: D = ±200, so fast variance 40 000 W² and steps none (the mean of D²
    // is 40 000, less than twice that). A quarter seen: 10 s · √(0.75 · 40 000 / 100) = 173 J.
    let seen_in = |part: f64, power: &dyn Fn(f64) -> f64| {
        let mut trace = sampled(10.0, 20.0, |t| Some(power(t)));
        trace.source.channels[0].update_period_s = Some(Seconds::new(0.1));
        trace.source.channels[0].averaging_window_s = Some(Seconds::new(0.1 * part));
        energy(&trace, 5.0, 15.0).error.sampling_j
    };
    let alternating = |t: f64| if ((t * 10.0).round() as u64).is_multiple_of(2) { 100.0 } else { 300.0 };
    let found = seen_in(0.25, &alternating);
    assert!((found / 173.2 - 1.0).abs() < 0.03, "{found}");
    assert_eq!(seen_in(1.0, &alternating), 0.0, "a sensor that sees everything misses nothing");
    // One step of 200 W: its place is known to 75 ms, 200 W · 75 ms/√12 = 4.33 J.
    let found = seen_in(0.25, &|t| if t < 10.0 { 100.0 } else { 300.0 });
    assert!((found / 4.33 - 1.0).abs() < 0.03, "{found}");
}

#[test]
fn a_counter_that_falls_after_the_window_does_not_spoil_it() {
    let mut trace = both(0.02, 1.0);
    for (t, value) in trace.t_ns.clone().iter().zip(&mut trace.columns[0].values) {
        *value = value.map(|v| if t.0 > 8 * SECOND { v - 1000.0 } else { v });
    }
    assert!(close(energy(&trace, 1.0, 7.9).counter, 200.0 * 6.9));
    assert_eq!(energy(&trace, 1.0, 8.5).counter, None);
}

/// A piecewise-linear signal with knots every second.
fn piecewise(knots: &[f64], t: f64) -> f64 {
    let i = (t.floor() as usize).min(knots.len() - 2);
    knots[i] + (knots[i + 1] - knots[i]) * (t - i as f64)
}

proptest! {
    #[test]
    fn integrals_of_adjoining_windows_add_up(
        knots in prop::collection::vec(0f64..700.0, 11),
        a in 0f64..5.0, b in 0f64..5.0, split in 0f64..1.0,
    ) {
        let trace = sampled(10.0, 10.0, |t| Some(piecewise(&knots, t)));
        let (from, until) = (a, a + b + 1e-3);
        let middle = from + (until - from) * split;
        let part = |x, y| energy(&trace, x, y).integral.map_or(0.0, Joules::get);
        let whole = part(from, until);
        prop_assert!((part(from, middle) + part(middle, until) - whole).abs() <= 1e-5);
    }

    #[test]
    fn polling_a_piecewise_linear_signal_more_often_changes_nothing(
        knots in prop::collection::vec(0f64..700.0, 11), times in 2u32..40, from in 0f64..4.0, length in 0.1f64..5.0,
    ) {
        let coarse = sampled(1.0, 10.0, |t| Some(piecewise(&knots, t)));
        let fine = sampled(f64::from(times), 10.0, |t| Some(piecewise(&knots, t)));
        let (a, b) = (energy(&coarse, from, from + length).integral, energy(&fine, from, from + length).integral);
        prop_assert!((a.unwrap().get() - b.unwrap().get()).abs() <= 1e-4);
    }

    #[test]
    fn a_counter_of_constant_power_is_exact_for_every_tick_and_window(
        tick in 0.02f64..0.3, from in 1f64..3.0, length in 1f64..6.0,
    ) {
        let tick = (tick * 50.0).round().max(1.0) / 50.0;
        let result = energy(&both(tick, 1.0), from, from + length);
        prop_assert!((result.counter.unwrap().get() / (200.0 * length) - 1.0).abs() < 1e-6);
    }
}
