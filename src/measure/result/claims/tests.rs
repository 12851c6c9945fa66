//! Every line on runs that meet it and runs that miss it.

use super::super::testing::{add_counter, case, empty, idle, measurement, power};
use super::*;
use crate::clock::Nanoseconds;
use crate::model::{Evidence, Scope, SourceTrace};
use crate::units::{Ratio, Seconds};

/// A wall meter at ten readings a second over a minute, documented to 0.5 %.
fn wall() -> SourceTrace {
    let mut trace = power("meter", None, Scope::WallAc, |_| Some(500.0));
    trace.source.channels[0].stated_error = Some(Ratio::new(0.005));
    add_counter(&mut trace, 500.0);
    trace
}

/// A run whose windows begin at second 0 and cover a minute, with idle before (inside the trace).
fn record(traces: Vec<SourceTrace>, windows: &[(u64, u64, u64)]) -> RunRecord {
    let mut record = empty();
    record.measurements = vec![measurement(case(), windows)];
    record.idle = vec![idle(0, 1, 3)];
    record.traces = traces;
    record
}

fn best() -> RunRecord {
    record(vec![wall()], &[(0, 30, 1), (30, 60, 1)])
}

fn find<'a>(claims: &'a MethodologyClaims, standard: &str, id: &str) -> &'a Claim {
    let standard = claims.standards.iter().find(|found| found.id == standard).unwrap();
    standard.claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no line {id}"))
}

fn verdict(record: &RunRecord, standard: &str, id: &str) -> Verdict {
    find(&methodology_claims(record), standard, id).verdict
}

const LEVELS: [&str; 3] = ["eehpcwg-level-1", "eehpcwg-level-2", "eehpcwg-level-3"];
const INFERENCE: &str = "mlcommons-inference-power";
const TRAINING: &str = "mlcommons-training-power";

#[test]
fn a_minute_at_the_wall_meets_what_one_machine_can_show() {
    let claims = methodology_claims(&best());
    let unmet = |standard: &str| -> Vec<(&str, Verdict)> {
        let standard = claims.standards.iter().find(|found| found.id == standard).unwrap();
        let open = standard.claims.iter().filter(|claim| claim.verdict != Verdict::Met);
        open.map(|claim| (claim.id, claim.verdict)).collect()
    };
    let (unknown, na) = (Verdict::Unknown, Verdict::NotApplicable);
    assert_eq!(unmet(LEVELS[0]), [("2-fraction", unknown), ("2-workload", unknown), ("3-interconnect", na)]);
    assert_eq!(unmet(LEVELS[1]), [("2-fraction", unknown), ("2-workload", unknown), ("3-subsystems", na)]);
    assert_eq!(unmet(LEVELS[2]), [("1a-internal-rate", unknown), ("2-fraction", unknown), ("2-workload", unknown)]);
}

#[test]
fn a_board_sensor_alone_misses_machine_location_and_accuracy() {
    let board = power("nvml", Some(0), Scope::Board, |_| Some(300.0));
    let record = record(vec![board], &[(0, 30, 1), (30, 60, 1)]);
    for level in LEVELS {
        for id in ["2-fraction", "4-location"] {
            assert_eq!(verdict(&record, level, id), Verdict::NotMet, "{level} {id}");
        }
        // Its error is a prior, not a document: even 0 % would not do.
        assert_eq!(verdict(&record, level, "4b-accuracy"), Verdict::Unknown);
    }
    assert_eq!(verdict(&record, LEVELS[0], "3-nodes"), Verdict::NotMet);
    assert_eq!(verdict(&record, LEVELS[2], "1a-granularity"), Verdict::NotMet, "no counter");
    assert_eq!(verdict(&record, LEVELS[2], "1c-series"), Verdict::NotMet, "power readings are no energy readings");
    assert_eq!(verdict(&record, LEVELS[2], "3-subsystems"), Verdict::NotMet);
    for (standard, id) in [(INFERENCE, "system"), (TRAINING, "nodes"), (TRAINING, "location")] {
        assert_eq!(verdict(&record, standard, id), Verdict::NotMet, "{id}");
    }
    assert_eq!(verdict(&record, INFERENCE, "clocks"), Verdict::NotApplicable);
}

#[test]
fn accuracy_is_judged_by_each_levels_own_limit() {
    for (error, expected) in [(0.009, [true, true, true]), (0.015, [true, true, false]), (0.04, [true, false, false])] {
        let mut meter = wall();
        meter.source.channels[0].stated_error = Some(Ratio::new(error));
        meter.source.channels[1].stated_error = Some(Ratio::new(error));
        let record = record(vec![meter], &[(0, 60, 1)]);
        let met: Vec<bool> = LEVELS.iter().map(|l| verdict(&record, l, "4b-accuracy") == Verdict::Met).collect();
        assert_eq!(met, expected, "{error}");
        // For training a stated figure is not enough: the meter's grade is not in the record.
        assert_eq!(verdict(&record, TRAINING, "accuracy"), Verdict::Unknown);
    }
    let mut silent = wall();
    silent.source.channels.iter_mut().for_each(|channel| channel.stated_error = None);
    assert_eq!(verdict(&record(vec![silent], &[(0, 60, 1)]), LEVELS[0], "4b-accuracy"), Verdict::Unknown);
}

#[test]
fn a_short_core_phase_misses_the_minute_and_the_shortest_case_decides() {
    let mut record = best();
    assert_eq!(verdict(&record, LEVELS[0], "1b-core-phase"), Verdict::Met);
    assert_eq!(verdict(&record, INFERENCE, "duration"), Verdict::NotMet, "600 s are asked there");
    record.measurements.push(measurement(case(), &[(0, 59, 1)]));
    let claims = methodology_claims(&record);
    let claim = find(&claims, LEVELS[0], "1b-core-phase");
    assert_eq!((claim.verdict, claim.run_has.as_str()), (Verdict::NotMet, "59.0 s in the shortest case"));
    assert!(claim.missing.as_ref().unwrap().contains("--window"));
}

#[test]
fn ten_minutes_meet_the_inference_rules_length() {
    let mut meter = wall();
    // The same 601 polls, one a second instead of ten.
    meter.t_ns = meter.t_ns.iter().map(|t| Nanoseconds(t.0 * 10)).collect();
    meter.requested_hz = 1.0;
    meter.source.channels.iter_mut().for_each(|channel| channel.update_period_s = Some(Seconds::new(1.0)));
    let record = record(vec![meter], &[(0, 600, 1)]);
    assert_eq!(verdict(&record, INFERENCE, "duration"), Verdict::Met);
    assert_eq!(verdict(&record, INFERENCE, "sampling"), Verdict::Met);
}

#[test]
fn a_slow_meter_misses_sampling_and_series() {
    // A reading every 10 s: one tenth a second, six or seven in a minute.
    let mut slow = wall();
    slow.t_ns = (0..=6).map(|poll| Nanoseconds(poll * 10_000_000_000)).collect();
    slow.columns.iter_mut().for_each(|column| column.values.truncate(7));
    slow.requested_hz = 0.1;
    let record = record(vec![slow], &[(0, 60, 1)]);
    for (standard, id) in [
        (LEVELS[0], "1a-granularity"),
        (LEVELS[0], "1b-interval"),
        (LEVELS[1], "1c-series"),
        (INFERENCE, "sampling"),
        (TRAINING, "sampling"),
        (TRAINING, "samples"),
    ] {
        assert_eq!(verdict(&record, standard, id), Verdict::NotMet, "{standard} {id}");
    }
}

#[test]
fn polling_faster_than_the_sensor_updates_is_no_faster_sampling() {
    let mut slow = wall();
    slow.source.channels.iter_mut().for_each(|channel| channel.update_period_s = Some(Seconds::new(5.0)));
    assert_eq!(verdict(&record(vec![slow], &[(0, 60, 1)]), LEVELS[0], "1a-granularity"), Verdict::NotMet);
}

#[test]
fn gaps_miss_the_core_phase_and_the_full_run() {
    let holed = power("meter", None, Scope::WallAc, |t| Some(500.0).filter(|_| !(20.0..40.0).contains(&t)));
    let record = record(vec![holed], &[(0, 60, 1)]);
    for (standard, id) in
        [(LEVELS[0], "1b-timespan"), (LEVELS[1], "1b-timespan"), (TRAINING, "timespan"), (TRAINING, "sampling")]
    {
        assert_eq!(verdict(&record, standard, id), Verdict::NotMet, "{standard} {id}");
    }
    let late = power("meter", None, Scope::WallAc, |t| Some(500.0).filter(|_| t >= 12.0));
    assert_eq!(verdict(&super::tests::record(vec![late], &[(0, 60, 1)]), LEVELS[2], "1b-edges"), Verdict::NotMet);
}

#[test]
fn idle_is_asked_by_levels_two_and_three() {
    let mut record = best();
    assert_eq!(verdict(&record, LEVELS[1], "1c-idle"), Verdict::Met);
    record.idle.clear();
    assert_eq!(verdict(&record, LEVELS[1], "1c-idle"), Verdict::NotMet);
    assert_eq!(verdict(&record, LEVELS[2], "1c-idle"), Verdict::NotMet);
}

#[test]
fn forty_kilowatts_are_enough_for_the_first_level_alone() {
    let meter = power("meter", None, Scope::WallAc, |_| Some(41e3));
    let record = record(vec![meter], &[(0, 60, 1)]);
    assert_eq!(verdict(&record, LEVELS[0], "2-fraction"), Verdict::Met);
    assert_eq!(verdict(&record, LEVELS[1], "2-fraction"), Verdict::Unknown);
}

#[test]
fn direct_current_behind_the_supply_is_a_node_but_not_the_wall() {
    let record = record(vec![power("bmc", None, Scope::HostDc, |_| Some(400.0))], &[(0, 60, 1)]);
    assert_eq!(verdict(&record, LEVELS[0], "4-location"), Verdict::NotMet);
    assert_eq!(verdict(&record, LEVELS[0], "3-nodes"), Verdict::Met);
    assert_eq!(verdict(&record, TRAINING, "location"), Verdict::Met);
    assert_eq!(verdict(&record, INFERENCE, "system"), Verdict::NotMet);
}

#[test]
fn the_widest_measured_scope_is_judged_and_estimates_never_are() {
    let board = power("nvml", Some(0), Scope::Board, |_| Some(300.0));
    let mut estimate = wall();
    (estimate.source.id, estimate.source.evidence) = ("estimate".to_owned(), Evidence::Estimated);
    let facts = facts(&record(vec![board, estimate], &[(0, 60, 1)]));
    assert_eq!(facts.meter.unwrap().source, "nvml");
    let none = methodology_claims(&record(Vec::new(), &[(0, 60, 1)]));
    let met = none.standards.iter().flat_map(|standard| &standard.claims).filter(|c| c.verdict == Verdict::Met);
    // Without a meter, only lengths of time are known.
    assert_eq!(met.map(|claim| claim.id).collect::<Vec<_>>(), ["1b-core-phase"; 3]);
}

#[test]
fn the_training_rules_sum_is_computed_beside_our_own() {
    // 100 W, rising by 10 W/s from second 10: right-hand sums overshoot a ramp by half a step, 0.5 W on average 350 W.
    let mut meter = power("meter", None, Scope::WallAc, |t| Some(100.0 + 10.0 * t));
    // A reading whose update period is not known speaks of the instant of its poll.
    meter.source.channels[0].update_period_s = None;
    let claims = methodology_claims(&record(vec![meter], &[(0, 50, 1)]));
    let claim = find(&claims, TRAINING, "energy");
    // Trapezoid: 50 s · 350 W = 17 500 J. Right sum: + 0.1 s · (600 − 100) W / 2 = 25 J, 0.14 %.
    assert!(claim.verdict == Verdict::Met && claim.run_has.contains("+0.14 %"), "{}", claim.run_has);
    let spans = &claims.judged.spans;
    assert!((spans[0].right_sum_j.unwrap().get() - 17_525.0).abs() < 1e-6, "{spans:?}");
}

#[test]
fn no_line_grants_a_label_and_every_line_says_where_it_was_read() {
    for record in [best(), record(Vec::new(), &[])] {
        let claims = methodology_claims(&record);
        let text = serde_json::to_string(&claims).unwrap();
        for forbidden in ["MLPerf", "compliant", "Green500", "certified", "conforms"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
        assert!(claims.disclaimer.contains("claims no label"));
        for standard in &claims.standards {
            let ids: std::collections::BTreeSet<&str> = standard.claims.iter().map(|claim| claim.id).collect();
            assert_eq!(ids.len(), standard.claims.len(), "{}: an identifier twice", standard.id);
            for claim in &standard.claims {
                let said = match claim.reading {
                    Reading::Confirmed { source } => source,
                    Reading::NotConfirmed { note } => note,
                };
                assert!(!said.is_empty() && !claim.run_has.is_empty(), "{}", claim.id);
                let open = matches!(claim.verdict, Verdict::NotMet | Verdict::Unknown);
                assert!(!open || claim.missing.is_some(), "{} {}: what is missing?", standard.id, claim.id);
            }
        }
    }
}
