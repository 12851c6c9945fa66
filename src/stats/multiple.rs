//! Correction for many tests at once.
//!
//! What surprises people: a p-value that was fine alone may not be among twenty; the adjusted value is to be compared with
//! the same 0.05.

/// Holm's step-down adjustment (Holm 1979): adjusted p-values in the order given, never below the raw ones.
///
/// With `m` tests the i-th smallest is multiplied by `m − i + 1`, and no adjusted value is below that of a smaller raw one. The
/// chance of one or more false rejections stays at the level, however the tests depend on each other. A NaN counts as no
/// test and stays NaN.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    let tests = order.len();
    let mut adjusted = p.to_vec();
    let mut least = 0.0f64;
    for (rank, &i) in order.iter().enumerate() {
        least = least.max(((tests - rank) as f64 * p[i]).min(1.0));
        adjusted[i] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_adjusted_values_agree_with_r() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03 0.06 0.06 0.02
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (own, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((own - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[0.7, 0.6]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
        let with_gap = holm(&[0.02, f64::NAN, 0.04]);
        assert!(with_gap[1].is_nan() && with_gap[0] == 0.04 && with_gap[2] == 0.04);
    }

    proptest! {
        #[test]
        fn adjusting_keeps_the_order_and_never_lowers_a_value(p in prop::collection::vec(0f64..1.0, 1..30)) {
            let adjusted = holm(&p);
            for i in 0..p.len() {
                prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] >= p[j] || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}
