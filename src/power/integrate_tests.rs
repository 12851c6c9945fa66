//! Tests of the integration: hand-computed joules, holes, counters, frozen channels.

use proptest::prelude::*;

use super::*;
use crate::model::{ChannelTrace, Evidence, SourceInfo};

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
