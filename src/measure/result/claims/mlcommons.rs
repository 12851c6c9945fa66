//! What MLCommons' two sets of power rules, for inference and for training, have in common.
//!
//! Their name for a result is a trade mark that only their own process grants, so it is never printed here; the texts go by
//! the names of their repositories.

use super::eehpcwg::with_meter;
use super::{Facts, Judged};
use crate::model::Scope;

/// Readings at least once a second, with their longest distance.
pub fn one_reading_a_second(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        let longest = facts.spans.iter().filter_map(|span| span.longest_interval_s).map(|s| s.get()).reduce(f64::max);
        let (Some(hz), Some(longest)) = (meter.effective_hz(), longest) else {
            return Judged::not_met("no reading within a window", "a meter that is read during the windows");
        };
        // A second, and a poll's lateness.
        Judged::when(
            hz >= 0.99 && longest <= 1.1,
            format!("{hz:.2} readings/s, at most {longest:.2} s apart within the windows"),
            "a meter that gives a new value at least once a second, without gaps",
        )
    })
}

/// Power and performance of the same run.
pub fn same_run(facts: &Facts) -> Judged {
    with_meter(facts, |_| {
        Judged::met("rate and joules of a case come from the same windows; they cannot be chosen apart")
    })
}

/// A whole machine, at the wall.
pub fn at_the_wall(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        Judged::when(
            meter.scope == Scope::WallAc,
            format!("{} measures {}", meter.source, meter.scope),
            "a meter at the wall (`--power`, for example csv:FILE)",
        )
    })
}
