//! Location and scatter that a minority of wild values does not move, and how far out a value lies.
//!
//! What surprises people: where more than half of the values are equal the usual scatter is 0; the mean absolute deviation
//! then takes its place, so that one odd value among equals has a finite score.

use super::{mean, median, median_absolute_deviation};

/// Standard deviation of a normal distribution over its median absolute deviation: 1/Φ⁻¹(0.75).
pub const NORMAL_MAD: f64 = 1.482_602_218_505_602;
/// Standard deviation of a normal distribution over its mean absolute deviation: √(π/2).
const NORMAL_MEAN_DEVIATION: f64 = 1.253_314_137_315_5;

/// Median and robust scatter of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Robust {
    /// The median.
    pub median: f64,
    /// Scatter on the scale of a standard deviation: 1.4826 × MAD, or 1.2533 × the mean absolute deviation where the MAD is 0.
    pub sigma: f64,
    /// Values behind it.
    pub n: usize,
}

impl Robust {
    /// Of a sample; `None` if it is empty or holds a NaN.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let centre = median(values)?;
        let mad = median_absolute_deviation(values)?;
        let sigma = if mad > 0.0 {
            NORMAL_MAD * mad
        } else {
            NORMAL_MEAN_DEVIATION * mean(&values.iter().map(|value| (value - centre).abs()).collect::<Vec<_>>())?
        };
        Some(Self { median: centre, sigma, n: values.len() })
    }

    /// Modified z-score (Iglewicz and Hoaglin 1993): distance from the median over the scatter, signed. Beyond 3.5 a value is
    /// commonly called an outlier. 0 for the median itself; infinite for another value where all the sample is equal.
    pub fn z(&self, value: f64) -> f64 {
        let distance = value - self.median;
        if distance == 0.0 { 0.0 } else { distance / self.sigma }
    }

    /// Distance from the median as a part of it: −0.05 is 5 % below. `None` at a median of 0.
    pub fn relative(&self, value: f64) -> Option<f64> {
        (self.median != 0.0).then(|| (value - self.median) / self.median.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scores_are_those_worked_by_hand() {
        // Median 10, deviations 1 0 1 2 90: MAD 1, so z of 100 is 90 / 1.4826 = 60.70.
        let robust = Robust::of(&[9.0, 10.0, 11.0, 12.0, 100.0]).unwrap();
        assert_eq!((robust.median, robust.n), (11.0, 5));
        let robust = Robust::of(&[9.0, 10.0, 11.0, 8.0, 100.0]).unwrap();
        assert_eq!(robust.median, 10.0);
        assert!((robust.z(100.0) - 90.0 / NORMAL_MAD).abs() < 1e-9);
        assert!((robust.z(9.0) + 1.0 / NORMAL_MAD).abs() < 1e-12);
        assert_eq!((robust.z(10.0), robust.relative(9.5)), (0.0, Some(-0.05)));
    }

    #[test]
    fn one_odd_value_among_equals_has_a_finite_score_and_stands_out() {
        let mut values = vec![5.0; 31];
        values.push(4.0);
        let robust = Robust::of(&values).unwrap();
        assert!(robust.z(4.0) < -3.5 && robust.z(4.0).is_finite());
        let equal = Robust::of(&[5.0; 4]).unwrap();
        assert_eq!((equal.z(5.0), equal.z(6.0)), (0.0, f64::INFINITY));
        assert_eq!((Robust::of(&[]), Robust::of(&[1.0, f64::NAN])), (None, None));
    }
}
