//! Who leads, who is out, and when another round is no use: pure functions over samples.
//!
//! What surprises people: a candidate is judged by its fast samples (four fifths the fastest, one fifth the median),
//! because whatever disturbs a sample makes it slower.

use crate::stats;

/// Samples of a candidate in one turn: the fewest on which it is judged.
pub const SAMPLES_PER_TURN: usize = 3;
/// Samples after which a candidate takes no more turns.
pub const MOST_SAMPLES: usize = 10;
/// A candidate that takes longer than this many times the leader's score is out.
const CLEARLY_SLOWER: f64 = 1.5;
/// A single execution that takes longer than this many times the leader's score is not timed further: it is hardly warmed
/// up, so that it is given twice the room of [`CLEARLY_SLOWER`].
const HOPELESS: f64 = 3.0;
/// A round that does not make the best faster by this much brings nothing new.
const IMPROVEMENT: f64 = 0.02;
/// Rounds in a row without improvement that end a search.
const CALM_ROUNDS: u32 = 2;

/// Score of a candidate in seconds, lower is better; `None` without a sample.
pub fn score(samples: &[f64]) -> Option<f64> {
    let least = samples.iter().copied().min_by(f64::total_cmp)?;
    Some(0.8 * least + 0.2 * stats::median(samples)?)
}

/// Whether a single execution is so slow that nothing is gained by timing it.
pub fn is_hopeless(first: f64, leader: Option<f64>) -> bool {
    leader.is_some_and(|leader| first > HOPELESS * leader)
}

/// True if a score is not clearly slower than the leader's.
pub fn is_near(score: f64, leader: f64) -> bool {
    score <= CLEARLY_SLOWER * leader
}

/// Which candidates stay in the race: not clearly slower than the leader, and not slower beyond both intervals.
pub fn survivors(samples: &[&[f64]]) -> Vec<bool> {
    let scores: Vec<Option<f64>> = samples.iter().map(|own| score(own)).collect();
    let leader = (0..samples.len())
        .filter(|index| scores[*index].is_some())
        .min_by(|a, b| scores[*a].unwrap_or(f64::INFINITY).total_cmp(&scores[*b].unwrap_or(f64::INFINITY)));
    let Some(leader) = leader else { return vec![true; samples.len()] };
    let limit = scores[leader].unwrap_or(f64::INFINITY) * CLEARLY_SLOWER;
    let best = interval(samples[leader]);
    (0..samples.len())
        .map(|index| {
            let apart = match (interval(samples[index]), best) {
                (Some((low, _)), Some((_, high))) => low > high,
                _ => false,
            };
            index == leader || (scores[index].is_none_or(|score| score <= limit) && !apart)
        })
        .collect()
}

/// 95 % interval of the mean; `None` with too few samples to judge by.
fn interval(samples: &[f64]) -> Option<(f64, f64)> {
    let enough = samples.len() >= SAMPLES_PER_TURN;
    let (mean, half) = stats::mean(samples).zip(stats::mean_half_width_95(samples)).filter(|_| enough)?;
    Some((mean - half, mean + half))
}

/// Watches the best score from round to round.
#[derive(Debug, Default)]
pub struct Progress {
    best: Option<f64>,
    calm: u32,
}

impl Progress {
    /// Notes the best score after a round. True once two rounds in a row have brought less than 2 %.
    pub fn is_over(&mut self, best: Option<f64>) -> bool {
        let improved = match (self.best, best) {
            (Some(before), Some(now)) => now < before * (1.0 - IMPROVEMENT),
            (before, now) => before.is_none() && now.is_some(),
        };
        self.calm = if improved { 0 } else { self.calm + 1 };
        self.best = match (self.best, best) {
            (Some(before), Some(now)) => Some(before.min(now)),
            (before, now) => before.or(now),
        };
        self.calm >= CALM_ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_leans_on_the_fast_samples() {
        // 0.8 · 1 + 0.2 · 2: the outlier at 50 does not count.
        assert_eq!(score(&[2.0, 1.0, 50.0]), Some(1.2000000000000002));
        assert_eq!(score(&[]), None);
    }

    #[test]
    fn the_clearly_slower_go_first() {
        let (leader, near, far) = ([1.0, 1.2, 1.1], [1.4, 1.5, 1.1], [1.8, 2.0, 1.9]);
        assert_eq!(survivors(&[&near, &leader, &far]), [true, true, false]);
    }

    #[test]
    fn then_those_whose_intervals_lie_apart() {
        // Four percent slower with a scatter of a tenth of a percent: out. With a scatter of ten percent: not yet.
        let leader = [1.000, 1.001, 1.002];
        assert_eq!(survivors(&[&leader, &[1.040, 1.041, 1.042]]), [true, false]);
        assert_eq!(survivors(&[&leader, &[1.0, 1.04, 1.1]]), [true, true]);
        // Two samples are too few to be judged by their interval.
        assert_eq!(survivors(&[&leader, &[1.040, 1.041]]), [true, true]);
    }

    #[test]
    fn nobody_is_out_before_there_is_a_leader() {
        assert_eq!(survivors(&[&[], &[]]), [true, true]);
        assert!(!is_hopeless(9.0, None));
        assert!(is_hopeless(3.1, Some(1.0)) && !is_hopeless(2.9, Some(1.0)));
    }

    #[test]
    fn two_rounds_without_two_percent_end_the_race() {
        let mut progress = Progress::default();
        let over: Vec<bool> =
            [1.0, 0.99, 0.9, 0.89, 0.885].into_iter().map(|best| progress.is_over(Some(best))).collect();
        assert_eq!(over, [false, false, false, false, true]);
    }

    #[test]
    fn rounds_in_which_nothing_was_right_are_rounds_without_improvement() {
        let mut progress = Progress::default();
        assert_eq!((progress.is_over(None), progress.is_over(None)), (false, true));
    }
}
