//! Sources laid side by side, with joules computed by hand.

use super::super::testing::{add_counter, case, empty, idle, measurement, power, window};
use super::*;
use crate::model::{CommandMeasurement, CommandRun, Gap, WindowKind};

fn near(got: f64, want: f64) -> bool {
    (got - want).abs() <= 1e-9 * want.abs().max(1.0)
}

fn record(traces: Vec<SourceTrace>) -> RunRecord {
    let mut record = empty();
    record.measurements = vec![measurement(case(), &[(10, 20, 1), (30, 40, 1)])];
    record.idle = vec![idle(0, 2, 4)];
    record.traces = traces;
    record
}

#[test]
fn every_source_and_scope_has_its_own_joules_and_nothing_is_added() {
    let board = power("board", Some(0), Scope::Board, |_| Some(200.0));
    let neighbour = power("neighbour", Some(1), Scope::Board, |_| Some(60.0));
    let wall = power("wall", None, Scope::WallAc, |_| Some(500.0));
    let all = side_by_side(&record(vec![board, neighbour, wall]));
    assert_eq!(all.spans.iter().map(|span| span.duration_s.get()).collect::<Vec<_>>(), [20.0, 60.0]);
    let joules: Vec<f64> = all.sources.iter().map(|row| row.spans[0].energy_j.unwrap().get()).collect();
    // 20 s of two windows; whole run: 60 s.
    assert!(near(joules[0], 4000.0) && near(joules[1], 1200.0) && near(joules[2], 10_000.0), "{joules:?}");
    assert!(near(all.sources[2].spans[1].energy_j.unwrap().get(), 30_000.0));
    // The neighbour worked on nothing here: its watts stand, but in no ratio of this case.
    let of_case: Vec<&WattRatio> = all.ratios.iter().filter(|ratio| ratio.span == 0).collect();
    assert_eq!(of_case.len(), 1);
    assert_eq!((of_case[0].inner.as_str(), of_case[0].outer.as_str()), ("board", "wall"));
    assert!(near(of_case[0].ratio.get(), 0.4));
}

#[test]
fn scopes_of_one_source_are_rows_of_their_own() {
    let mut trace = power("nvml", Some(0), Scope::Board, |_| Some(200.0));
    let module = power("x", Some(0), Scope::Module, |_| Some(320.0));
    trace.source.channels.push(Channel { id: "module".into(), ..module.source.channels[0].clone() });
    trace.columns.push(crate::model::ChannelTrace { channel: "module".into(), ..module.columns[0].clone() });
    let all = side_by_side(&record(vec![trace]));
    let rows: Vec<(Scope, f64)> =
        all.sources.iter().map(|row| (row.scope, row.spans[0].mean_power_w.unwrap().get().round())).collect();
    assert_eq!(rows, [(Scope::Board, 200.0), (Scope::Module, 320.0)]);
    assert!(near(all.ratios[0].ratio.get(), 0.625), "board over module");
}

#[test]
fn a_source_that_read_nothing_has_no_joules_and_its_gaps_say_why() {
    let mut dead = power("dead", None, Scope::WallAc, |t| Some(500.0).filter(|_| t < 5.0));
    dead.gaps = vec![Gap { channel: None, from_ns: Nanoseconds(5_000_000_000), until_ns: None, reason: "gone".into() }];
    let board = power("board", Some(0), Scope::Board, |_| Some(200.0));
    let all = side_by_side(&record(vec![dead, board]));
    let span = &all.sources[0].spans[0];
    assert_eq!((span.energy_j, span.mean_power_w, span.coverage.get(), span.method), (None, None, 0.0, None));
    assert_eq!((all.sources[0].gaps[0].reason.as_str(), all.sources[0].gaps[0].from_s.get()), ("gone", 5.0));
    assert!(all.ratios.is_empty(), "no watts, no ratio");
}

#[test]
fn half_read_spans_have_their_coverage() {
    let half = power("half", None, Scope::WallAc, |t| Some(500.0).filter(|_| t <= 20.0));
    let span = &side_by_side(&record(vec![half])).sources[0].spans[0];
    // One of two windows: 5000 J in 10 s, and three polls that reach to 20.3 s lie in no window.
    assert!(near(span.energy_j.unwrap().get(), 5000.0) && near(span.mean_power_w.unwrap().get(), 500.0));
    assert!(near(span.coverage.get(), 0.5));
}

#[test]
fn counter_and_integral_are_compared_and_the_farther_window_stands() {
    let mut trace = power("board", Some(0), Scope::Board, |t| Some(if t < 25.0 { 200.0 } else { 205.0 }));
    add_counter(&mut trace, 206.0);
    let span = side_by_side(&record(vec![trace])).sources[0].spans[0].clone();
    assert_eq!(span.method, Some("counter"));
    assert!(near(span.counter_over_integral_minus_1.unwrap().get(), 0.03), "206 over 200, not over 205");
}

#[test]
fn a_metered_program_has_a_span_for_each_execution() {
    let mut record = record(vec![power("wall", None, Scope::WallAc, |_| Some(300.0))]);
    record.measurements.clear();
    let run = |from, until| CommandRun {
        warm_up: None,
        window: window(WindowKind::Measure, from, until, 1),
        exit: CommandExit::Code { code: 0 },
        work: Vec::new(),
    };
    record.commands = vec![CommandMeasurement {
        device_assumed: false,
        idle: None,
        failure_allowed: false,
        label: "train.py".into(),
        command: vec!["python".into()],
        device: None,
        equivalent: None,
        runs: vec![run(5, 15), run(20, 50)],
        warnings: Vec::new(),
    }];
    let all = side_by_side(&record);
    let names: Vec<&str> = all.spans.iter().map(|span| span.what.as_str()).collect();
    assert_eq!(names, ["train.py run 1", "train.py run 2", "whole run"]);
    let joules: Vec<f64> = all.sources[0].spans.iter().map(|span| span.energy_j.unwrap().get()).collect();
    assert!(near(joules[0], 3000.0) && near(joules[1], 9000.0) && near(joules[2], 18_000.0));
}

#[test]
fn what_was_declared_is_shown_but_enters_no_ratio() {
    let mut declared = power("declared", Some(0), Scope::Board, |_| Some(100.0));
    declared.source.evidence = Evidence::Declared;
    let wall = power("wall", None, Scope::WallAc, |_| Some(400.0));
    let all = side_by_side(&record(vec![declared, wall]));
    assert_eq!(all.sources[0].evidence, Evidence::Declared);
    assert!(all.ratios.is_empty());
}

#[test]
fn two_meters_of_one_scope_are_held_against_each_other_once() {
    let one = power("one", None, Scope::WallAc, |_| Some(400.0));
    let two = power("two", None, Scope::WallAc, |_| Some(500.0));
    let all = side_by_side(&record(vec![one, two]));
    let ratios: Vec<f64> = all.ratios.iter().map(|ratio| ratio.ratio.get()).collect();
    assert!(ratios.len() == 2 && ratios.iter().all(|ratio| near(*ratio, 0.8)), "one per span: {ratios:?}");
}
