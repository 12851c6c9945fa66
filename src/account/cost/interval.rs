//! From the intervals of joules and seconds to those of a cost. Prices carry none and are not here.
//!
//! What surprises people: low energy goes with low time and high with high, so an interval of money is the widest of both.

use super::terms::Terms;
use crate::account::Subject;
use crate::model::{Estimate, EstimateMethod, Interval};
use crate::units::Quantity;

/// The terms at the low and at the high bounds of energy and time: both low and both high, since the sensors of one run err
/// together. `None` where the energy has no interval.
pub(super) fn ends(terms: &Terms, subject: &Subject) -> Option<(Terms, Terms)> {
    let energy = subject.energy;
    let bounds = energy.interval?;
    let time = subject.time.and_then(|time| Some((time.interval?, time.point.get())));
    let (fast, slow) = time.map_or((1.0, 1.0), |(time, point)| (time.low.get() / point, time.high.get() / point));
    let at = |joules: f64, time_ratio: f64| {
        let kwh = terms.kwh * joules / energy.point.get();
        Terms { kwh, hours: terms.hours * time_ratio, ..terms.clone() }
    };
    Some((at(bounds.low.get(), fast), at(bounds.high.get(), slow)))
}

/// A figure with the interval that energy and time give it; without one where the energy has none.
pub(super) fn carried<Q: Quantity>(terms: &Terms, subject: &Subject, figure: impl Fn(&Terms) -> f64) -> Estimate<Q> {
    let energy = subject.energy;
    let interval = energy.interval.zip(ends(terms, subject)).map(|(bounds, (low, high))| Interval {
        low: Q::new(figure(&low)),
        high: Q::new(figure(&high)),
        confidence: bounds.confidence,
    });
    Estimate { point: Q::new(figure(terms)), interval, n: energy.n, method: EstimateMethod::Derived }
}
