//! What holds of every verdict: worse is never better, nothing that is missing breaks it, and order does not matter.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::measures::{MEASURES, Measure};
use super::testing::*;
use super::*;
use crate::measure::result::metrics::DeviceFindings;
use crate::model::{Better, Grade, Phase};
use crate::stats::SplitMix64;

/// Names of all judged figures.
fn figures() -> Vec<(String, &'static Measure)> {
    MEASURES
        .iter()
        .flat_map(|measure| match measure.name.starts_with('.') {
            true => Phase::ALL.iter().map(|phase| (format!("{phase}{}", measure.name), measure)).collect(),
            false => vec![(measure.name.to_owned(), measure)],
        })
        .collect()
}

fn references(kind: usize) -> References {
    let past = || {
        vec![
            qualification("01", &[good(0, 50.0)]),
            qualification("02", &[good(0, 50.2)]),
            qualification("03", &[good(0, 49.8)]),
        ]
    };
    let profile = || Profile::learn(&[qualification("04", &[good(5, 50.0)])]).ok();
    match kind {
        0 => References::default(),
        1 => References { history: past(), occasion: Some(occasion()), ..References::default() },
        2 => References { profile: profile(), ..References::default() },
        _ => References { profile: profile(), history: past(), occasion: Some(occasion()) },
    }
}

/// Grade of the first device among this many good peers.
fn grade(own: DeviceFindings, peers: u32, kind: usize) -> Grade {
    let all: Vec<_> = std::iter::once(own).chain((1..=peers).map(|ordinal| good(ordinal, 50.0))).collect();
    judge(&all, &references(kind)).remove(0).grade
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_worse_value_never_gives_a_better_grade(
        (id, measure) in select(figures()),
        a in 0.0f64..2.0,
        b in 0.0f64..2.0,
        peers in 0u32..5,
        kind in 0usize..4,
    ) {
        // From nothing to twice the value of a good device; counters from 0 to 400. A rate of 0 is no rate.
        let normal = good(0, 50.0).metrics.iter().find(|metric| metric.id == id).map_or(0.1, |metric| metric.value);
        let scale = if normal > 0.0 { normal } else { 200.0 };
        let (low, high) = (a.min(b).max(1e-6) * scale, a.max(b).max(1e-6) * scale);
        let (worse, better) = match measure.better {
            Some(Better::Higher) => (low, high),
            Some(Better::Lower) => (high, low),
            // To either side: the one further from normal, on the same side.
            None => (normal - (normal - low).abs().max(0.0), normal.min(normal - (normal - low).abs() / 2.0)),
        };
        let with_value = |value: f64| grade(with(good(0, 50.0), &id, value), peers, kind);
        prop_assert!(with_value(worse) >= with_value(better), "{id}: {worse} against {better}");
    }

    #[test]
    fn a_verdict_is_given_whatever_is_missing(
        kept in subsequence(good(0, 50.0).metrics, 0..=40),
        phases in subsequence(Phase::ALL.to_vec(), 0..=5),
        peers in 0u32..5,
        kind in 0usize..4,
    ) {
        let mut own = good(0, 50.0);
        own.metrics = kept;
        own.work.retain(|work| phases.contains(&work.phase));
        own.outputs.retain(|outputs| phases.contains(&outputs.phase));
        let judged = |findings: &DeviceFindings| findings.metrics.iter().filter(|m| measures::measure(&m.id).is_some()).count();
        let whole = good(0, 50.0);
        let complete = (judged(&own), &own.work, &own.outputs) == (judged(&whole), &whole.work, &whole.outputs);
        let all: Vec<_> = std::iter::once(own).chain((1..=peers).map(|ordinal| good(ordinal, 50.0))).collect();
        let devices = judge(&all, &references(kind));
        prop_assert_eq!(devices.len(), all.len());
        prop_assert!(devices.iter().all(|device| device.checks.iter().any(|check| check.code == "Q01")));
        prop_assert!(devices[0].checks.windows(2).all(|pair| pair[0].grade >= pair[1].grade), "gravest first");
        if kind >= 2 && !complete {
            prop_assert!(devices[0].grade > Grade::Pass, "a profile has what is missing here");
        }
    }
}

#[test]
fn every_outcome_other_than_a_pass_says_what_to_do_and_why() {
    let mut spoilt = good(0, 30.0);
    for (id, value) in [("throttle.thermal", 0.2), ("ecc.uncorrected", 1.0), ("temperature.max", 99.0)] {
        spoilt = with(spoilt, id, value);
    }
    spoilt.outputs[0].seen[0].sha256 = digest('0');
    for kind in 0..4 {
        for device in judge(&[spoilt.clone(), good(1, 50.0), good(2, 50.0), good(3, 50.0)], &references(kind)) {
            for check in device.checks {
                assert_eq!(check.action.is_empty(), check.grade == Grade::Pass, "{check:?}");
                assert!(check.detail.ends_with('.') && !check.title.is_empty(), "{check:?}");
            }
        }
    }
}

/// A standard normal number, as the sum of twelve uniform ones less six (exact mean and variance, tails cut at six).
fn normal(random: &mut SplitMix64) -> f64 {
    (0..12).map(|_| random.next_u64() as f64 / u64::MAX as f64).sum::<f64>() - 6.0
}

/// Grades of Q10 in 100 nodes of eight devices, whose rates scatter by this standard deviation; the first is slower by a part.
fn graded(scatter: f64, slower: f64) -> (usize, usize, usize) {
    let mut random = SplitMix64::new(20);
    let (mut failed_first, mut failed, mut warned) = (0, 0, 0);
    for _ in 0..100 {
        let mut all: Vec<DeviceFindings> = Vec::new();
        for ordinal in 0..8 {
            let part = if ordinal == 0 { 1.0 - slower } else { 1.0 };
            let rate = 50e12 * part * (1.0 + scatter * normal(&mut random));
            all.push(with(good(ordinal, 50.0), "arithmetic.rate.mean", rate));
        }
        for (ordinal, device) in judge(&all, &References::default()).iter().enumerate() {
            let grade = of(device, "Q10").grade;
            failed_first += usize::from(grade == Grade::Fail && ordinal == 0);
            failed += usize::from(grade == Grade::Fail && ordinal > 0);
            warned += usize::from(grade == Grade::Warn && ordinal > 0);
        }
    }
    (failed_first, failed, warned)
}

#[test]
fn good_devices_are_not_accused_and_a_slow_one_is_found() {
    // 800 good devices with 1 % between them: none fails, and less than one in a hundred warns.
    let (failed_first, failed, warned) = graded(0.01, 0.0);
    assert_eq!((failed_first, failed), (0, 0));
    assert!(warned < 8, "{warned} of 700");
    // One of eight that is 10 % slower is found in every node, and its neighbours are not accused for it.
    let (failed_first, failed, _) = graded(0.01, 0.1);
    assert_eq!((failed_first, failed), (100, 0));
}
