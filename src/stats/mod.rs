//! Pure statistics over plain numbers: location, scatter, intervals; ranks, resampling, outliers and tails below.
//!
//! No units and no I/O. What surprises people: functions over empty or single-element slices return `None`; a mean of
//! nothing is not zero.

mod multiple;
mod ranks;
mod ratio;
mod resample;
mod robust;
mod tails;
#[cfg(test)]
mod tests;

pub use multiple::holm;
pub use ranks::mann_whitney_p;
pub use ratio::{RatioOfMeans, ratio_of_means_95};
pub use resample::{SplitMix64, bootstrap_ratio_95};
pub use robust::{NORMAL_MAD, Robust};
pub use tails::{normal_tail, student_t_tail};

/// Arithmetic mean; `None` for an empty slice.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation (n − 1); `None` with fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let centre = mean(values)?;
    if values.len() < 2 {
        return None;
    }
    let sum: f64 = values.iter().map(|v| (v - centre).powi(2)).sum();
    Some((sum / (values.len() - 1) as f64).sqrt())
}

/// Median; the mean of the two middle values for an even count. `None` for an empty slice.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// Coefficient of variation: standard deviation over |mean|. `None` with fewer than two values or a mean of 0.
pub fn coefficient_of_variation(values: &[f64]) -> Option<f64> {
    let centre = mean(values)?;
    (centre != 0.0).then_some(standard_deviation(values)? / centre.abs())
}

/// Half-width of the 95 % interval of the mean by Student's t; `None` with fewer than two values.
pub fn mean_half_width_95(values: &[f64]) -> Option<f64> {
    let scatter = standard_deviation(values)?;
    Some(student_t_975(values.len() - 1) * scatter / (values.len() as f64).sqrt())
}

/// 97.5 % quantile of Student's t with `degrees` degrees of freedom (at least 1).
///
/// Tabulated to 30 (standard table, three decimals), beyond by Cornish-Fisher's expansion around the normal quantile
/// (Abramowitz and Stegun 26.7.5), whose error there is below 0.0005.
pub fn student_t_975(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    if let Some(t) = TABLE.get(degrees.max(1) - 1) {
        return *t;
    }
    let (z, n) = (1.959_963_985_f64, degrees as f64);
    z + (z.powi(3) + z) / (4.0 * n) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n)
}

/// Slope of the least-squares line through (x, y); `None` with fewer than two distinct x.
pub fn slope(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mx, my) = (mean(x)?, mean(y)?);
    let sxx: f64 = x.iter().map(|v| (v - mx).powi(2)).sum();
    let sxy: f64 = x.iter().zip(y).map(|(a, b)| (a - mx) * (b - my)).sum();
    (sxx > 0.0).then(|| sxy / sxx)
}

/// Quantile at `q` in 0..=1 by linear interpolation between order statistics (type 7 of Hyndman and Fan, the default of
/// R and NumPy). `None` for an empty slice or a `q` outside.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    if values.is_empty() || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (position - below as f64) * (sorted[above] - sorted[below]))
}

/// Median of the absolute deviations from the median, unscaled. `None` for an empty slice.
pub fn median_absolute_deviation(values: &[f64]) -> Option<f64> {
    let centre = median(values)?;
    median(&values.iter().map(|value| (value - centre).abs()).collect::<Vec<_>>())
}

/// Geometric mean; `None` for an empty slice or where a value is not above 0.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.iter().any(|value| value.is_nan() || *value <= 0.0) {
        return None;
    }
    mean(&values.iter().map(|value| value.ln()).collect::<Vec<_>>()).map(f64::exp)
}

/// Effective degrees of freedom of a sum of independent terms, each a standard uncertainty with its degrees of freedom, after
/// Welch and Satterthwaite: (Σu²)²/Σ(u⁴/ν). Infinite where no term has a finite number.
pub fn effective_degrees(terms: &[(f64, f64)]) -> f64 {
    let sum: f64 = terms.iter().map(|(u, _)| u * u).sum();
    let weighted: f64 = terms.iter().map(|(u, degrees)| u.powi(4) / degrees).sum();
    if weighted > 0.0 { sum * sum / weighted } else { f64::INFINITY }
}
