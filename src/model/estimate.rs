//! A figure with its interval: the only currency of derived results.

use serde::{Deserialize, Serialize};

use crate::units::Quantity;

/// How a figure was obtained from its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EstimateMethod {
    /// Mean of the windows.
    Mean,
    /// Median of the windows.
    Median,
    /// Computed from other estimates.
    Derived,
}

/// Bounds that hold the true value with the stated confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval<Q> {
    /// Lower bound.
    pub low: Q,
    /// Upper bound.
    pub high: Q,
    /// Confidence, 0.95 for 95 %.
    pub confidence: f64,
}

/// A point value with its interval and the number of windows behind it.
///
/// `interval` is `None` where none is honest: a single window, or an estimated (not measured) figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate<Q> {
    /// Best single value.
    pub point: Q,
    /// Bounds, where they can be stated.
    pub interval: Option<Interval<Q>>,
    /// Windows behind it.
    pub n: u32,
    /// How it was obtained.
    pub method: EstimateMethod,
}

impl<Q: Quantity> Estimate<Q> {
    /// A value without an interval.
    pub fn bare(point: Q, n: u32) -> Self {
        Self { point, interval: None, n, method: EstimateMethod::Derived }
    }

    /// The same estimate through a monotonic function; a decreasing one swaps the bounds.
    pub fn map<R: Quantity>(&self, f: impl Fn(Q) -> R) -> Estimate<R> {
        let interval = self.interval.map(|i| {
            let (a, b) = (f(i.low), f(i.high));
            let (low, high) = if a.get() <= b.get() { (a, b) } else { (b, a) };
            Interval { low, high, confidence: i.confidence }
        });
        Estimate { point: f(self.point), interval, n: self.n, method: EstimateMethod::Derived }
    }

    /// Half-width of the interval relative to the point, 0.01 for ±1 %.
    pub fn relative_half_width(&self) -> Option<f64> {
        let interval = self.interval?;
        let half = (interval.high.get() - interval.low.get()) / 2.0;
        (self.point.get() != 0.0).then(|| (half / self.point.get()).abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Flop, FlopPerJoule, Joules};

    #[test]
    fn a_decreasing_function_swaps_the_bounds() {
        let energy = Estimate {
            point: Joules::new(100.0),
            interval: Some(Interval { low: Joules::new(80.0), high: Joules::new(125.0), confidence: 0.95 }),
            n: 5,
            method: EstimateMethod::Mean,
        };
        let efficiency: Estimate<FlopPerJoule> = energy.map(|e| Flop::new(1000.0) / e);
        let interval = efficiency.interval.unwrap();
        assert_eq!((interval.low.get(), efficiency.point.get(), interval.high.get()), (8.0, 10.0, 12.5));
    }
}
