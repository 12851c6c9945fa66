//! Tests of comparing two records: hand-worked ratios, refusals, pairing, provenance.

use std::path::Path;

use super::testing::{Run, Spec, run, skip};
use super::*;
use crate::account::resolve_site;
use crate::model::Correction;
use crate::units::Watts;

fn compared(a: &Run, b: &Run) -> Comparison {
    let site = resolve_site(Some("CN-QH"), Some(1.0), None, Path::new(".")).unwrap();
    compare(&a.result, &a.record, &b.result, &b.record, &Options::new(Ratio::new(0.01), site))
}
fn refusal(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused { reason } => reason,
        Outcome::Compared(judged) => panic!("compared: {judged:?}"),
    }
}

const SPEEDS: [f64; 5] = [1000.0, 1001.0, 999.0, 1000.0, 1000.0];
const FASTER: [f64; 5] = [1250.0, 1251.0, 1249.0, 1250.0, 1250.0];
const JOULES: [f64; 5] = [2.00e-3, 2.001e-3, 1.999e-3, 2.00e-3, 2.00e-3];
const FEWER: [f64; 5] = [1.00e-3, 1.0005e-3, 0.9995e-3, 1.00e-3, 1.00e-3];

#[test]
fn speed_efficiency_and_carbon_are_the_hand_computed_ratios() {
    // A: 2e9 FLOP in 1 ms for 2 mJ = 2 TFLOP/s, 1 TFLOP/J, 49.889 g/EFLOP at 179.6 g/kWh.
    // B: 2.5 TFLOP/s, 2 TFLOP/J, 24.944 g/EFLOP. Ratios 1.25, 2 and 0.5.
    let a = run("X", &[Spec { speeds: &SPEEDS, joules: &JOULES, ..Spec::default() }]);
    let b = run("X", &[Spec { speeds: &FASTER, joules: &FEWER, ..Spec::default() }]);
    let all = compared(&a, &b);
    let pair = &all.pairs[0];
    let speed = pair.speed.judged().unwrap();
    assert!((speed.a - 2e12).abs() < 1e3 && (speed.ratio - 1.25).abs() < 1e-12);
    let efficiency = pair.efficiency.judged().unwrap();
    assert!((efficiency.ratio - 2.0).abs() < 1e-6);
    let carbon = pair.carbon.judged().unwrap();
    assert!((carbon.a - 49.889).abs() < 1e-3 && (carbon.b - 24.944).abs() < 1e-3, "{} {}", carbon.a, carbon.b);
    assert!((carbon.ratio - 0.5).abs() < 1e-6);
    let ((low, high), (up, down)) = (efficiency.interval.unwrap(), carbon.interval.unwrap());
    assert!((low * down - 1.0).abs() < 1e-12 && (high * up - 1.0).abs() < 1e-12);
    assert_eq!([speed.verdict, efficiency.verdict, carbon.verdict], [Verdict::Better; 3]);
    assert_eq!((speed.n_a, speed.n_b, carbon.unit), (5, 5, "g/EFLOP"));
    assert!(all.differences.is_empty(), "{:?}", all.differences);
    assert!((all.mean_speed.unwrap().ratio - 1.25).abs() < 1e-12);
}

#[test]
fn a_run_against_itself_is_the_same() {
    let a = run("X", &[Spec { speeds: &SPEEDS, joules: &JOULES, ..Spec::default() }]);
    let pair = &compared(&a, &a).pairs[0];
    for outcome in [&pair.speed, &pair.efficiency, &pair.carbon] {
        let judged = outcome.judged().unwrap();
        assert_eq!((judged.ratio, judged.verdict, judged.p), (1.0, Verdict::Same, Some(1.0)));
    }
}

#[test]
fn two_boards_closer_than_their_sensors_are_not_distinguishable_but_one_board_is_its_own_ruler() {
    // 3 % fewer joules; each sensor ±5 %: together ±7.1 %. On one board the gain cancels.
    let less = JOULES.map(|joules| joules / 1.03);
    let spec = |joules| Spec { joules, gain: 0.05, ..Spec::default() };
    let (x, y) = (run("X", &[spec(&JOULES)]), run("Y", &[spec(&less)]));
    let efficiency = compared(&x, &y).pairs[0].efficiency.judged().unwrap().clone();
    assert_eq!(efficiency.verdict, Verdict::Unclear);
    assert!(efficiency.reason.contains("not distinguishable with these sensors"), "{}", efficiency.reason);
    let again = run("X", &[spec(&less)]);
    assert_eq!(compared(&x, &again).pairs[0].efficiency.judged().unwrap().verdict, Verdict::Better);
}

#[test]
fn what_the_sensors_bring_in_is_shown_and_a_correction_makes_another_sensor_of_one() {
    let spec = |joules| Spec { joules, gain: 0.05, ..Spec::default() };
    let x = run("X", &[spec(&JOULES)]);
    let own = compared(&x, &x).pairs[0].efficiency.judged().unwrap().sensors.unwrap();
    assert!(own.gain_cancels && own.gain == 0.0);
    let other = compared(&x, &run("Y", &[spec(&JOULES)])).pairs[0].efficiency.judged().unwrap().clone();
    let sensors = other.sensors.unwrap();
    assert!(!sensors.gain_cancels && (sensors.gain - 0.05f64.hypot(0.05)).abs() < 1e-12, "{sensors:?}");
    assert!((other.systematic - sensors.gain.hypot(sensors.edge)).abs() < 1e-12);
    let mut corrected = run("X", &[spec(&JOULES)]);
    let correction = |note: Option<&str>| Correction {
        gain: 0.95,
        offset_w: Watts::new(-20.0),
        error: Ratio::new(0.05),
        against: "meter/power".to_owned(),
        scope_note: note.map(str::to_owned),
        measured: String::new(),
    };
    corrected.result.cases[0].energy[0].correction = Some(correction(None));
    let judged = compared(&x, &corrected).pairs[0].efficiency.judged().unwrap().clone();
    assert!(!judged.sensors.unwrap().gain_cancels, "with and without a correction are two rulers");
    corrected.result.cases[0].energy[0].correction = Some(correction(Some("wall AC")));
    let pair = &compared(&x, &corrected).pairs[0];
    assert!(refusal(&pair.efficiency).contains("corrected to wall AC"), "{:?}", pair.efficiency);
    assert!(compared(&corrected, &corrected).pairs[0].efficiency.judged().is_some());
}

#[test]
fn differing_scope_or_evidence_refuses_efficiency_and_still_compares_speed() {
    let board = run("X", &[Spec::default()]);
    let package = run("X", &[Spec { scope: Scope::Package, ..Spec::default() }]);
    let pair = &compared(&board, &package).pairs[0];
    assert!(refusal(&pair.efficiency).contains("scopes differ: A is measured board"));
    assert!(refusal(&pair.carbon).contains("B is measured package"));
    assert!(pair.speed.judged().is_some() && pair.energy.is_none());
    let estimated = run("X", &[Spec { evidence: Evidence::Estimated, ..Spec::default() }]);
    assert!(refusal(&compared(&board, &estimated).pairs[0].efficiency).contains("evidence differs"));
    let judged = compared(&estimated, &estimated).pairs[0].efficiency.judged().unwrap().clone();
    assert_eq!((judged.verdict, judged.interval, judged.p), (Verdict::Unclear, None, None));
}

#[test]
fn a_case_that_failed_verification_has_no_ratio() {
    let a = run("X", &[Spec::default()]);
    let mut b = run("X", &[Spec::default()]);
    b.result.cases[0].verified = false;
    assert!(refusal(&compared(&a, &b).pairs[0].speed).contains("outputs of B were wrong"));
}

#[test]
fn the_same_variant_pairs_first_and_without_one_the_best_of_each_with_a_note() {
    let spec = |variant, speeds| Spec { variant, speeds, ..Spec::default() };
    let a = run("X", &[spec("gemm/naive", &SPEEDS), spec("gemm/tiled", &FASTER)]);
    let b = run("X", &[spec("gemm/tiled", &SPEEDS), spec("gemm/wide", &FASTER)]);
    let all = compared(&a, &b);
    assert_eq!(all.pairs.len(), 1);
    assert_eq!((all.pairs[0].a.variant.as_str(), all.pairs[0].b.variant.as_str()), ("gemm/tiled", "gemm/tiled"));
    let sides: Vec<(Side, &str)> = all.unpaired.iter().map(|u| (u.side, u.case.variant.as_str())).collect();
    assert_eq!(sides, [(Side::A, "gemm/naive"), (Side::B, "gemm/wide")]);
    let c = run("X", &[spec("gemm/slow", &SPEEDS), spec("gemm/wide", &FASTER)]);
    let all = compared(&a, &c);
    assert_eq!((all.pairs[0].a.variant.as_str(), all.pairs[0].b.variant.as_str()), ("gemm/tiled", "gemm/wide"));
    assert!(all.pairs[0].notes[0].contains("no variant in common"));
    assert!(all.differences.iter().any(|d| d.what == "variant"));
}

#[test]
fn skips_and_cases_without_a_partner_are_listed_with_the_reason() {
    let a = run("X", &[Spec { variant: "gemv/f32", ..Spec::default() }]);
    let mut b = run("X", &[]);
    b.result.skips.push(skip("gemv/f32"));
    let all = compared(&a, &b);
    assert!(all.pairs.is_empty());
    assert!(all.unpaired[0].reason.contains("the other run skipped it: needs 9 GiB"));
    assert_eq!((all.unpaired[1].side, all.mean_speed), (Side::B, None));
}

#[test]
fn every_difference_of_provenance_is_listed() {
    let a = run("X", &[Spec::default()]);
    let mut b = run("Y", &[Spec::default()]);
    b.record.provenance.tool.commit = Some("def".to_owned());
    b.record.provenance.host.cpu = None;
    b.record.plan.seed = 2;
    b.record.plan.settings.sampler_hz = 20.0;
    b.record.devices[0].driver_info = "2".to_owned();
    b.record.provenance.device_details.insert(0, [("power_cap_w".to_owned(), "600".to_owned())].into());
    b.result.cases[0].case.shader_sha256 = "other".to_owned();
    b.record.measurements[0].case.shader_sha256 = "other".to_owned();
    let all = compared(&a, &b);
    let found: Vec<&str> = all.differences.iter().map(|d| d.what.as_str()).collect();
    for what in [
        "tool.commit",
        "host.cpu",
        "seed",
        "settings.sampler_hz",
        "name",
        "driver_info",
        "details.power_cap_w",
        "shader_sha256",
    ] {
        assert!(found.contains(&what), "{what} not in {found:?}");
    }
    assert_eq!(found.len(), 8, "{found:?}");
    let cpu = all.differences.iter().find(|d| d.what == "host.cpu").unwrap();
    assert_eq!((cpu.a.as_deref(), cpu.b.as_deref()), (Some("CPU"), None));
}

#[test]
fn a_rule_is_undecided_on_what_b_lost_and_not_on_what_a_never_had() {
    let rule: Rule = "speed < -3%".parse().unwrap();
    let both = [Spec { variant: "gemm/tiled-f32", ..Spec::default() }, Spec { variant: "gemv/f32", ..Spec::default() }];
    let (a, mut b) = (run("X", &both), run("X", &both[..1]));
    let lost = rule.check(&compared(&a, &b));
    assert_eq!((lost.broken.len(), lost.undecided.len(), lost.kept), (0, 1, 1));
    assert!(lost.undecided[0].reason.contains("without a partner"), "{:?}", lost.undecided);
    let mut less = run("X", &both[..1]);
    less.result.skips.push(skip("gemv/f32"));
    b.result.skips.push(skip("gemv/f32"));
    let kept = rule.check(&compared(&less, &b));
    assert_eq!((kept.broken.len(), kept.undecided.len(), kept.kept), (0, 0, 1));
    let nothing = rule.check(&compared(&run("X", &[]), &run("X", &[])));
    assert_eq!((nothing.undecided.len(), nothing.kept), (1, 0), "nothing compared is nothing kept");
}
