//! A-priori error bounds that the problems share.
//!
//! Every bound is a function of shape, inputs and the accuracies that WGSL promises, never of a device's output. Rounding
//! is taken as to nearest, which is what every desktop and data-centre GPU does in f32. What surprises people: sums of
//! many terms are bounded by the square root of their number; the certain bound would hide a missing term.

use super::Instance;
use crate::model::{DataPattern, Scalar};

/// Unit roundoff of f32, in which every kernel accumulates.
pub(super) const U32: f64 = 5.960_464_477_539_063e-8;

/// Least bound of a computed value: far below any difference of two numbers, and above that of two zeros. A bound of 0 demands
/// the very bits, and WGSL lets a device ignore the sign of a zero.
pub(super) const EITHER_ZERO: f64 = f64::MIN_POSITIVE;

/// Confidence factor of the probabilistic bounds, in standard deviations of the worst conceivable sum.
///
/// Sums in f32, one after the other, of equal signs have an error of at most 0.33·√n·u·Σ|x| (standard deviation), of
/// mixed signs far less; 4 is thus twelve standard deviations or more for any order of summation.
const LAMBDA: f64 = 4.0;

/// Error of a sum of `terms` products in f32, in units of u·Σ|product|, whatever the order of summation.
///
/// The smaller of the certain bound 2n (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1) and the
/// probabilistic λ√n (Higham and Mary, SIAM J. Sci. Comput. 41, A2815, 2019).
pub(super) fn accumulation(terms: u64) -> f64 {
    let n = terms as f64;
    (2.0 * n).min(LAMBDA * n.sqrt())
}

/// Most equal terms whose sum in f16 is checked: the bound u·n/2 reaches a quarter of the sum.
const MOST_EQUAL_TERMS_IN_F16: u64 = 1024;

/// Why sums of `terms` products that are accumulated in f16 cannot be checked on some data: roundings of equal terms all have
/// one sign, so they pile up like `terms`, not like its root, until a sum no longer grows at all. (In f32 such sums are exact up
/// to 1.8 million terms.)
pub(super) fn refused_in_f16(instance: &Instance, terms: u64) -> Option<String> {
    let refused = instance.pattern == DataPattern::Constant && terms > MOST_EQUAL_TERMS_IN_F16;
    refused.then(|| {
        format!(
            "sums of {terms} equal terms in half precision stop growing, so that no bound would notice an error; use other \
             data, or at most {MOST_EQUAL_TERMS_IN_F16} terms"
        )
    })
}

/// Error of a sum that is rounded to the same precision after every addition, in units of u, from the sum of the squares of
/// its partial sums.
pub(super) fn half_accumulation(squares: f64) -> f64 {
    LAMBDA * squares.sqrt()
}

/// Growth of independent rounding errors over `steps`, in units of one rounding.
pub(super) fn random_walk(steps: u64) -> f64 {
    LAMBDA * (steps as f64).sqrt()
}

/// Error of a sum whose terms carry independent rounding errors of at most these: the smaller of the certain sum and the
/// probabilistic λ times their Euclidean norm. Rounding to nearest has a standard deviation of 0.58 of its largest error.
pub(super) fn random_sum(errors: impl Iterator<Item = f64>) -> f64 {
    let (sum, squares) = errors.fold((0.0, 0.0), |(sum, squares), error| (sum + error, squares + error * error));
    sum.min(LAMBDA * squares.sqrt())
}

/// Relative error of `exp(x)`, in units of u: WGSL allows (3 + 2|x|) ULP, an ULP is at most 2 u, and the argument was
/// rounded once itself.
pub(super) fn exponential(x: f64) -> f64 {
    2.0 * (3.0 + 2.0 * x.abs()) + x.abs()
}

/// Relative error of a division, in units of u: WGSL allows 2.5 ULP.
pub(super) const DIVISION: f64 = 5.0;

/// Relative error of `inverseSqrt`, in units of u: WGSL allows 2 ULP.
pub(super) const INVERSE_SQRT: f64 = 4.0;

/// The error of a value once it is stored: f16 rounds to one of its two neighbours, which is 2 u at most, and what is below
/// the smallest normal number may become 0.
pub(super) fn stored(element: Scalar, value: f64, bound: f64) -> f64 {
    let rounding = if element == Scalar::F16 { 2.0 * Scalar::F16.unit_roundoff() } else { 0.0 };
    bound + rounding * (value.abs() + bound) + element.min_positive()
}

/// Relative error that an online softmax adds, in units of u.
///
/// Each time the running maximum rises, sums so far are multiplied by exp(old − new). In random order it rises about
/// ln n times (harmonic number); twice that and two more are allowed, each with one exponential and one product, and all
/// arguments together span no more than `range`.
pub(super) fn rescaling(terms: u64, range: f64) -> f64 {
    let rises = 2.0 + 2.0 * (terms as f64).ln();
    rises * (exponential(0.0) + 1.0) + (exponential(range) - exponential(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ElementType, Shape};
    use crate::workload::inputs::Picks;

    #[test]
    fn the_unit_roundoff_is_that_of_f32() {
        assert_eq!(U32, ElementType::F32.unit_roundoff());
    }

    #[test]
    fn a_short_sum_is_bounded_by_certainty_and_a_long_one_by_probability() {
        assert_eq!((accumulation(1), accumulation(4), accumulation(4096)), (2.0, 8.0, 256.0));
    }

    #[test]
    fn independent_roundings_add_up_by_certainty_if_few_and_by_chance_if_many() {
        assert_eq!(random_sum([3.0, 1.0].into_iter()), 4.0);
        assert_eq!(random_sum(std::iter::repeat_n(2.0, 10_000)), 800.0);
        assert_eq!(random_sum(std::iter::empty()), 0.0);
    }

    #[test]
    fn equal_terms_are_refused_in_half_precision_where_their_sums_stop_growing() {
        let instance = |pattern| Instance { shape: Shape::default(), element: ElementType::F16, pattern, seed: 0 };
        assert_eq!(refused_in_f16(&instance(DataPattern::Constant), MOST_EQUAL_TERMS_IN_F16), None);
        assert!(refused_in_f16(&instance(DataPattern::Constant), MOST_EQUAL_TERMS_IN_F16 + 1).is_some());
        assert_eq!(refused_in_f16(&instance(DataPattern::Normal), 1 << 20), None);
        let term = half::f16::from_f64(0.75 * 0.75);
        let sum = |terms: u64| (0..terms).fold(half::f16::ZERO, |sum, _| sum + term).to_f64();
        let error = |terms: u64| (sum(terms) / (terms as f64 * 0.5625) - 1.0).abs();
        assert!(error(MOST_EQUAL_TERMS_IN_F16) < 0.25 && error(10_000) > 0.5);
        // And this is where they end.
        assert_eq!(sum(5000), sum(50_000));
    }

    #[test]
    fn sequential_sums_in_f32_stay_a_quarter_below_the_bound() {
        let mut picks = Picks::new(1);
        let mut uniform = move || (picks.next() >> 40) as f32 / (1 << 24) as f32;
        for terms in [10_u64, 100, 1000, 30_000] {
            for offset in [0.0, 0.5] {
                let values: Vec<f32> = (0..terms).map(|_| uniform() - offset).collect();
                let single: f32 = values.iter().sum();
                let exact: f64 = values.iter().map(|v| f64::from(*v)).sum();
                let magnitude: f64 = values.iter().map(|v| f64::from(v.abs())).sum();
                let error = (f64::from(single) - exact).abs() / (U32 * magnitude);
                assert!(error < 0.25 * accumulation(terms), "{terms} terms: {error} of {}", accumulation(terms));
            }
        }
    }
}
