//! When a sensor updates, from polls that see only that a value has changed since the poll before.
//!
//! Each change says that an update fell between two polls. A period is right if all these intervals, laid onto a circle
//! of that length, have a point in common; its fractions are right too, so the longest period counts. What surprises
//! people: updates that change nothing (rounding, steady power) need not be seen, and polls need not be regular.

use crate::stats::{self, SplitMix64};

/// Part of the changes that must agree on an instant of update, beyond chance.
const AGREEMENT: f64 = 0.85;
/// Changes and periods over which updates must stay in step; a slow drift beyond them does no harm.
const STRETCH_CHANGES: usize = 24;
const STRETCH_PERIODS: f64 = 30.0;
/// Changes that are looked at while searching, drawn at random: every second one, say, would double the period.
const LOOKED_AT: usize = 800;
/// Shortest period that can be told from the polls' own, in polls.
pub(super) const SHORTEST_IN_POLLS: f64 = 1.4;
/// Least number of changes from which a period is taken.
pub(super) const FEWEST_CHANGES: usize = 15;

/// When updates happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cadence {
    pub period: f64,
    /// An instant of update, if all of them keep to one grid; else each is known only by the polls around it.
    pub phase: Option<f64>,
    /// How far the instants of update may be off, in seconds: polls in step with the updates leave them open.
    pub slack: f64,
}

/// Finds the cadence from intervals `(before, after]` that each hold an update, in order of time. `poll` is the typical
/// time between two polls. `None` if no period fits.
pub(super) fn find(changes: &[(f64, f64)], poll: f64) -> Option<Cadence> {
    let (first, last) = (changes.first()?.0, changes.last()?.1);
    if changes.len() < FEWEST_CHANGES {
        return None;
    }
    let few = drawn(changes);
    let shortest = SHORTEST_IN_POLLS * poll;
    let step = |period: f64| poll / (4.0 * stretch(&few, period).min(last - first));
    let mut period = (last - first) / 12.0;
    while period > shortest {
        if agrees(&few, period, poll) {
            // The longest period of the peak has been met; its middle is the one.
            let down = (0..200).map(|i| period * (1.0 - f64::from(i) * step(period) / 4.0));
            let peak = down.take_while(|period| agrees(&few, *period, poll));
            let period = centre_of_best(peak, |period| agreement_in_stretches(&few, period, poll))?;
            return Some(locked(changes, period, poll, step(period)));
        }
        period *= 1.0 - step(period);
    }
    irregular(changes, poll)
}

/// Whether the changes agree, beyond what any period would reach by the width of their intervals alone.
fn agrees(changes: &[(f64, f64)], period: f64, poll: f64) -> bool {
    let widths = changes.iter().map(|(before, after)| ((after - before) / period).min(1.0));
    let chance = widths.sum::<f64>() / changes.len() as f64;
    agreement_in_stretches(changes, period, poll) >= chance + AGREEMENT * (1.0 - chance)
}

/// A random part of the changes, in order.
fn drawn(changes: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut random = SplitMix64::new(1);
    changes.iter().filter(|_| random.index(changes.len()) < LOOKED_AT).copied().collect()
}

/// The longest time that a stretch takes.
fn stretch(changes: &[(f64, f64)], period: f64) -> f64 {
    let spans = changes.windows(STRETCH_CHANGES).map(|few| few[STRETCH_CHANGES - 1].1 - few[0].0);
    spans.fold(STRETCH_PERIODS * period, f64::max)
}

/// Part of the changes that agree with the best phase of their stretch.
fn agreement_in_stretches(changes: &[(f64, f64)], period: f64, poll: f64) -> f64 {
    let (mut agree, mut start) = (0, 0);
    while start < changes.len() {
        let until = changes[start].0 + STRETCH_PERIODS * period;
        let by_time = changes[start..].partition_point(|change| change.0 <= until);
        let mut end = changes.len().min(start + by_time.max(STRETCH_CHANGES));
        if changes.len() - end < STRETCH_CHANGES {
            end = changes.len();
        }
        agree += best_phase(&changes[start..end], period, poll).1;
        start = end;
    }
    agree as f64 / changes.len() as f64
}

/// The phase that most changes agree on, and how many do.
fn best_phase(changes: &[(f64, f64)], period: f64, poll: f64) -> (f64, usize) {
    let bins = (32.0 * period / poll).clamp(32.0, 1024.0) as usize;
    let width = period / bins as f64;
    // How many intervals hold the middle of each bin, as differences from bin to bin.
    let mut steps = vec![0_i64; bins + 1];
    let mut everywhere = 0_i64;
    for (before, after) in changes {
        if after - before >= period {
            everywhere += 1;
            continue;
        }
        let first = (before.rem_euclid(period) / width - 0.5).ceil().max(0.0) as usize;
        let count = ((after - before) / width).round() as usize;
        let (first, end) = (first % bins, first % bins + count.min(bins));
        steps[first] += 1;
        if end <= bins {
            steps[end] -= 1;
        } else {
            steps[bins] -= 1;
            steps[0] += 1;
            steps[end - bins] -= 1;
        }
    }
    let (mut count, mut best) = (0, (0, 0, 0));
    for (bin, step) in steps[..bins].iter().enumerate() {
        count += step;
        if count > best.0 {
            best = (count, bin, bin);
        } else if count == best.0 && best.2 + 1 == bin {
            best.2 = bin;
        }
    }
    let phase = ((best.1 + best.2) as f64 / 2.0 + 0.5) * width;
    (phase, usize::try_from(best.0 + everywhere).unwrap_or(0))
}

/// The middle of the values that score as high as the best.
fn centre_of_best(candidates: impl Iterator<Item = f64>, score: impl Fn(f64) -> f64) -> Option<f64> {
    let scored: Vec<(f64, f64)> = candidates.map(|candidate| (candidate, score(candidate))).collect();
    let best = scored.iter().map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max);
    let equal: Vec<f64> = scored.iter().filter(|(_, score)| *score >= best).map(|(candidate, _)| *candidate).collect();
    stats::mean(&equal)
}

/// Puts all updates onto one grid, if they keep to it from beginning to end.
fn locked(changes: &[(f64, f64)], period: f64, poll: f64, reach: f64) -> Cadence {
    let origin = changes[0].0;
    let span = changes[changes.len() - 1].1 - origin;
    let shifted: Vec<(f64, f64)> = changes.iter().map(|(a, b)| (a - origin, b - origin)).collect();
    let fine = (poll / (16.0 * span)).min(reach / 4.0);
    let steps = (2.0 * reach / fine).ceil() as i32;
    let near = (-steps..=steps).map(|i| period * (1.0 + f64::from(i) * fine));
    let agreeing = |period: f64| best_phase(&shifted, period, poll).1 as f64;
    let Some(exact) = centre_of_best(near, agreeing) else { return Cadence { period, phase: None, slack: poll / 2.0 } };
    let (phase, count) = best_phase(&shifted, exact, poll);
    if (count as f64) < AGREEMENT * changes.len() as f64 {
        return Cadence { period, phase: None, slack: poll / 2.0 };
    }
    // The instant that no agreeing interval excludes, but for one in a hundred of them.
    let around = |x: f64| (x - phase + exact / 2.0).rem_euclid(exact) - exact / 2.0;
    let sides: Vec<(f64, f64)> = shifted.iter().map(|(a, b)| (around(*a), around(*a) + (b - a))).collect();
    let holding = sides.iter().filter(|(a, b)| *a <= 0.0 && *b >= 0.0);
    let (befores, afters): (Vec<f64>, Vec<f64>) = holding.copied().unzip();
    let (before, after) = (stats::quantile(&befores, 0.99), stats::quantile(&afters, 0.01));
    let (shift, slack) = before.zip(after).map_or((0.0, poll), |(a, b)| ((a + b) / 2.0, (b - a).abs() / 2.0));
    Cadence { period: exact, phase: Some(origin + phase + shift), slack }
}

/// Updates that keep to no grid: the typical time between two changes that follow each other, if there is one.
fn irregular(changes: &[(f64, f64)], poll: f64) -> Option<Cadence> {
    let middles: Vec<f64> = changes.iter().map(|(before, after)| (before + after) / 2.0).collect();
    let between: Vec<f64> = middles.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let typical = stats::median(&between)?;
    let near: Vec<f64> = between.iter().filter(|gap| (0.5..1.5).contains(&(**gap / typical))).copied().collect();
    let scatter = stats::median_absolute_deviation(&near)?;
    let is_typical = near.len() * 10 >= between.len() * 7 && scatter <= 0.25 * typical;
    let period = stats::mean(&near).filter(|_| is_typical && typical >= SHORTEST_IN_POLLS * poll)?;
    Some(Cadence { period, phase: None, slack: poll / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The changes that polls every `poll` seconds (each late by up to half of that) see of updates at `updates`.
    fn seen(updates: &[f64], poll: f64, visible: f64) -> Vec<(f64, f64)> {
        let mut random = SplitMix64::new(3);
        let mut uniform = move || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let end = updates[updates.len() - 1];
        let polls: Vec<f64> = (0..(end / poll) as usize).map(|i| (i as f64 + 0.5 * uniform()) * poll).collect();
        let shown: Vec<f64> = updates.iter().filter(|_| uniform() < visible).copied().collect();
        let holds = |pair: &&[f64]| shown.iter().any(|at| *at > pair[0] && *at <= pair[1]);
        polls.windows(2).filter(holds).map(|pair| (pair[0], pair[1])).collect()
    }

    fn regular(period: f64, count: usize) -> Vec<f64> {
        (1..=count).map(|i| 0.0371 + i as f64 * period).collect()
    }

    #[test]
    fn a_period_is_found_at_two_to_ten_polls_an_update_also_when_most_updates_hide() {
        for (period, polls, visible) in [(0.1, 2.0, 1.0), (0.1, 5.0, 0.3), (0.02, 3.0, 0.5), (1.0, 10.0, 1.0)] {
            let found = find(&seen(&regular(period, 600), period / polls, visible), period / polls).unwrap();
            assert!((found.period / period - 1.0).abs() < 1e-4, "{period}: {found:?}");
            let off = (found.phase.unwrap() - 0.0371).rem_euclid(period);
            assert!(off.min(period - off) <= found.slack + 0.01 * period, "{period}: phase {off}, {found:?}");
        }
    }

    #[test]
    fn updates_that_wander_keep_their_period_but_no_phase() {
        let mut random = SplitMix64::new(9);
        let mut at = 0.0;
        let mut wander = || {
            at += 0.1 + 0.03 * ((random.next_u64() >> 11) as f64 / (1u64 << 53) as f64 - 0.5);
            at
        };
        let updates: Vec<f64> = (0..600).map(|_| wander()).collect();
        let found = find(&seen(&updates, 0.02, 1.0), 0.02).unwrap();
        assert!((found.period / 0.1 - 1.0).abs() < 0.05, "{found:?}");
    }

    #[test]
    fn updates_faster_than_the_polls_have_no_period() {
        assert_eq!(find(&seen(&regular(0.013, 3000), 0.04, 0.05), 0.04), None);
        assert_eq!(find(&seen(&regular(0.013, 3000), 0.04, 1.0), 0.04), None);
    }
}
