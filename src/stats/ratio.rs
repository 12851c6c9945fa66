//! Ratios of two means with Welch's interval, and their p-value.
//!
//! What surprises people: everything is on the logarithmic scale, so exchanging the samples turns the interval over exactly.

use super::{mean, standard_deviation, student_t_975, student_t_tail};

/// A ratio of two means and the half-width of its 95 % interval on the logarithmic scale: the interval is
/// `ratio · exp(±log_half_width)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioOfMeans {
    /// Mean of the second sample over the mean of the first.
    pub ratio: f64,
    /// Half-width of the 95 % interval of ln(ratio).
    pub log_half_width: f64,
    /// Two-sided p-value of Welch's test that the ratio is 1, on the same scale and degrees of freedom.
    pub p: f64,
}

/// Ratio of the mean of `b` to the mean of `a`, with Welch's interval of its logarithm: variances of the two relative means add
/// (delta method), degrees of freedom after Welch and Satterthwaite, rounded down. `None` with fewer than two values on either
/// side or a mean that is not above 0.
pub fn ratio_of_means_95(a: &[f64], b: &[f64]) -> Option<RatioOfMeans> {
    let (mean_a, mean_b) = (mean(a)?, mean(b)?);
    if !(mean_a > 0.0 && mean_b > 0.0) {
        return None;
    }
    let relative_variance =
        |values: &[f64], centre: f64| Some((standard_deviation(values)? / centre).powi(2) / values.len() as f64);
    let (var_a, var_b) = (relative_variance(a, mean_a)?, relative_variance(b, mean_b)?);
    let sum = var_a + var_b;
    if sum == 0.0 {
        let p = if mean_a == mean_b { 1.0 } else { 0.0 };
        return Some(RatioOfMeans { ratio: mean_b / mean_a, log_half_width: 0.0, p });
    }
    let degrees = sum * sum / (var_a * var_a / (a.len() - 1) as f64 + var_b * var_b / (b.len() - 1) as f64);
    let (whole, ratio) = (degrees.floor().max(1.0), mean_b / mean_a);
    Some(RatioOfMeans {
        ratio,
        log_half_width: student_t_975(whole as usize) * sum.sqrt(),
        p: (2.0 * student_t_tail((ratio.ln() / sum.sqrt()).abs(), whole)).min(1.0),
    })
}
