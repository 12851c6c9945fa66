//! What shifting is worth over a whole series: the load is released at every step in turn, and the best start within a span is held
//! against starting at the release.
//!
//! What surprises people: the mean saving is that of the sums (grams saved over grams of starting at once), so that dirty days
//! weigh more than clean ones; and it is an upper bound, for every release knows the series to come.

use std::collections::VecDeque;

use serde::Serialize;

use super::search::{steps_of, window_means};
use crate::account::series::Series;
use crate::units::Seconds;

/// Savings over all releases of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Study {
    /// Time of the load.
    #[serde(rename = "time_s")]
    pub time: Seconds,
    /// Span within which it must be done.
    #[serde(rename = "within_s")]
    pub within: Seconds,
    /// Releases that were compared.
    pub releases: usize,
    /// Releases without a price for starting at once.
    pub refused_releases: usize,
    /// 1 less the sum of the best starts over the sum of starts at the release.
    pub mean_saving: f64,
    /// The sum of the worst starts over the sum of starts at the release, less 1.
    pub mean_penalty: f64,
}

/// Savings of the best start against start-now over all releases; `None` if the span does not hold the load, or the series the
/// span.
pub fn study(series: &Series, time: Seconds, within: Seconds) -> Option<Study> {
    let (whole, part) = steps_of(time, series.step);
    let slack = ((within.get() - time.get()) / series.step.get() + 1e-9).floor();
    if slack < 0.0 || !slack.is_finite() {
        return None;
    }
    let span = slack as usize + 1;
    let means = window_means(&series.values, whole, part);
    if means.len() < span {
        return None;
    }
    let lowest = extremes(&means, span, |a, b| a <= b);
    let highest = extremes(&means, span, |a, b| a >= b);
    let (mut now, mut best, mut worst, mut releases, mut refused_releases) = (0.0, 0.0, 0.0, 0, 0);
    for release in 0..=means.len() - span {
        let Some(own) = means[release] else {
            refused_releases += 1;
            continue;
        };
        releases += 1;
        now += own;
        best += lowest[release];
        worst += highest[release];
    }
    (now > 0.0).then(|| Study {
        time,
        within,
        releases,
        refused_releases,
        mean_saving: 1.0 - best / now,
        mean_penalty: worst / now - 1.0,
    })
}

/// The extreme value of each `span` neighbours, those without a value passed over (0 where none has one).
fn extremes(means: &[Option<f64>], span: usize, before: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let mut queue: VecDeque<(usize, f64)> = VecDeque::new();
    let mut found = Vec::with_capacity(means.len());
    for (index, mean) in means.iter().enumerate() {
        if let Some(mean) = *mean {
            while queue.back().is_some_and(|(_, last)| before(mean, *last)) {
                queue.pop_back();
            }
            queue.push_back((index, mean));
        }
        while queue.front().is_some_and(|(first, _)| first + span <= index) {
            queue.pop_front();
        }
        if index + 1 >= span {
            found.push(queue.front().map_or(0.0, |(_, value)| *value));
        }
    }
    found
}
