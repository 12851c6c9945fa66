//! Pure statistics over plain numbers: location, scatter, intervals.
//!
//! No units and no I/O. What surprises people: functions over empty or single-element slices return `None`; a mean of
//! nothing is not zero.

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_has_no_mean_and_one_value_has_no_scatter() {
        assert_eq!((mean(&[]), median(&[]), standard_deviation(&[1.0])), (None, None, None));
        assert_eq!(mean_half_width_95(&[5.0]), None);
    }

    #[test]
    fn known_samples_give_known_figures() {
        // numpy.std([1,2,3,4,10], ddof=1) = 3.5355339; scipy t.ppf(0.975, 4) = 2.776445
        let values = [1.0, 2.0, 3.0, 4.0, 10.0];
        assert_eq!((mean(&values), median(&values)), (Some(4.0), Some(3.0)));
        assert!((standard_deviation(&values).unwrap() - 3.535_533_9).abs() < 1e-6);
        assert!((mean_half_width_95(&values).unwrap() - 2.776 * 3.535_533_9 / 5f64.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn student_t_is_continuous_where_the_table_ends_and_tends_to_the_normal() {
        // scipy: t.ppf(0.975, 31) = 2.039513, t.ppf(0.975, 1000) = 1.962339
        assert!((student_t_975(31) - 2.039_513).abs() < 5e-4);
        assert!((student_t_975(1000) - 1.962_339).abs() < 1e-5);
    }

    proptest! {
        #[test]
        fn the_slope_of_a_line_is_recovered(a in -10f64..10.0, b in -10f64..10.0) {
            let x: Vec<f64> = (0..20).map(f64::from).collect();
            let y: Vec<f64> = x.iter().map(|x| a * x + b).collect();
            prop_assert!((slope(&x, &y).unwrap() - a).abs() < 1e-9);
        }

        #[test]
        fn shifting_the_sample_shifts_the_mean_and_keeps_the_scatter(
            values in prop::collection::vec(-1e3f64..1e3, 2..40), shift in -1e3f64..1e3,
        ) {
            let moved: Vec<f64> = values.iter().map(|v| v + shift).collect();
            prop_assert!((mean(&moved).unwrap() - mean(&values).unwrap() - shift).abs() < 1e-9);
            let (a, b) = (standard_deviation(&moved).unwrap(), standard_deviation(&values).unwrap());
            prop_assert!((a - b).abs() < 1e-8);
        }
    }
}
