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

/// A ratio of two means and the half-width of its 95 % interval on the logarithmic scale: the interval is
/// `ratio · exp(±log_half_width)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioOfMeans {
    /// Mean of the second sample over the mean of the first.
    pub ratio: f64,
    /// Half-width of the 95 % interval of ln(ratio).
    pub log_half_width: f64,
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
        return Some(RatioOfMeans { ratio: mean_b / mean_a, log_half_width: 0.0 });
    }
    let degrees = sum * sum / (var_a * var_a / (a.len() - 1) as f64 + var_b * var_b / (b.len() - 1) as f64);
    Some(RatioOfMeans {
        ratio: mean_b / mean_a,
        log_half_width: student_t_975(degrees.floor().max(1.0) as usize) * sum.sqrt(),
    })
}

/// Effective degrees of freedom of a sum of independent terms, each a standard uncertainty with its degrees of freedom, after
/// Welch and Satterthwaite: (Σu²)²/Σ(u⁴/ν). Infinite where no term has a finite number.
pub fn effective_degrees(terms: &[(f64, f64)]) -> f64 {
    let sum: f64 = terms.iter().map(|(u, _)| u * u).sum();
    let weighted: f64 = terms.iter().map(|(u, degrees)| u.powi(4) / degrees).sum();
    if weighted > 0.0 { sum * sum / weighted } else { f64::INFINITY }
}

/// SplitMix64 (Steele, Lea and Flood 2014): a small generator whose whole state is its seed.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A random index below `len` (by multiplication; its bias is below len/2^64). 0 if `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        ((u128::from(self.next_u64()) * len as u128) >> 64) as usize
    }
}

/// 95 % percentile-bootstrap interval of `location(b) / location(a)`, for example of [`mean`] or [`median`]. The same seed gives
/// the same interval. `None` with fewer than two values on either side, or where a resample has no positive location.
///
/// With five windows a side it is about a tenth too narrow; [`ratio_of_means_95`] holds its level there.
pub fn bootstrap_ratio_95(
    a: &[f64],
    b: &[f64],
    location: impl Fn(&[f64]) -> Option<f64>,
    resamples: usize,
    seed: u64,
) -> Option<(f64, f64)> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let mut random = SplitMix64::new(seed);
    let (mut from_a, mut from_b) = (a.to_vec(), b.to_vec());
    let mut ratios = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        from_a.iter_mut().for_each(|slot| *slot = a[random.index(a.len())]);
        from_b.iter_mut().for_each(|slot| *slot = b[random.index(b.len())]);
        let (below, above) = (location(&from_a)?, location(&from_b)?);
        if !(below > 0.0 && above > 0.0) {
            return None;
        }
        ratios.push(above / below);
    }
    Some((quantile(&ratios, 0.025)?, quantile(&ratios, 0.975)?))
}

/// Largest pooled sample for which the rank-sum distribution is counted exactly.
const EXACT_POOLED_LIMIT: usize = 40;

/// Two-sided p-value of the Mann-Whitney U test. Up to 40 pooled values the permutation distribution of the rank sum is counted
/// exactly, ties included; beyond, the normal approximation with correction for ties and continuity. `None` if a side is empty.
pub fn mann_whitney_p(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (ranks, tie_term) = doubled_ranks(a, b);
    let rank_sum: usize = ranks[..a.len()].iter().sum();
    if ranks.len() <= EXACT_POOLED_LIMIT {
        return Some(exact_rank_sum_p(&ranks, a.len(), rank_sum));
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let pooled = n + m;
    let u = rank_sum as f64 / 2.0 - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (pooled + 1.0 - tie_term / (pooled * (pooled - 1.0)));
    if variance <= 0.0 {
        return Some(1.0);
    }
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    Some((2.0 * normal_tail(z)).min(1.0))
}

/// Twice the mid-ranks of `a` followed by `b` (whole numbers even with ties), and Σ(t³ − t) over groups of ties.
fn doubled_ranks(a: &[f64], b: &[f64]) -> (Vec<usize>, f64) {
    let pooled: Vec<f64> = a.iter().chain(b).copied().collect();
    let mut order: Vec<usize> = (0..pooled.len()).collect();
    order.sort_by(|&i, &j| pooled[i].total_cmp(&pooled[j]));
    let (mut ranks, mut tie_term) = (vec![0; pooled.len()], 0.0);
    let mut first = 0;
    while first < order.len() {
        let same = |&&i: &&usize| pooled[i] == pooled[order[first]];
        let last = first + order[first..].iter().take_while(same).count().max(1) - 1;
        let size = (last - first + 1) as f64;
        tie_term += size.powi(3) - size;
        order[first..=last].iter().for_each(|&i| ranks[i] = first + last + 2);
        first = last + 1;
    }
    (ranks, tie_term)
}

/// Counts, over all choices of `n` of the ranks, how many sums lie as far out as `observed` on its nearer side; doubled.
fn exact_rank_sum_p(ranks: &[usize], n: usize, observed: usize) -> f64 {
    let most: usize = ranks.iter().sum();
    // ways[k][s]: choices of k ranks with sum s. Below 2^53 for 40 ranks, so f64 counts exactly.
    let mut ways = vec![vec![0.0f64; most + 1]; n + 1];
    ways[0][0] = 1.0;
    for (seen, &rank) in ranks.iter().enumerate() {
        for k in (1..=n.min(seen + 1)).rev() {
            for sum in rank..=most {
                ways[k][sum] += ways[k - 1][sum - rank];
            }
        }
    }
    let all: f64 = ways[n].iter().sum();
    let low: f64 = ways[n][..=observed].iter().sum();
    let high: f64 = ways[n][observed..].iter().sum();
    (2.0 * low.min(high) / all).min(1.0)
}

/// Upper tail of the standard normal distribution at `z` ≥ 0: the power series below 3, beyond it the continued fraction
/// (Abramowitz and Stegun 26.2.11 and 26.2.14), both good to better than 1e-12 relative.
pub fn normal_tail(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for k in 1..60 {
            term *= z * z / f64::from(2 * k + 1);
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let fraction = (1..=60).rev().fold(z, |tail, k| z + f64::from(k) / tail);
    density / fraction
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

    #[test]
    fn quantiles_deviations_and_geometric_means_agree_with_numpy_and_scipy() {
        // numpy.quantile([1,2,3,4,10], [0.1, 0.25, 0.9]) = [1.4, 2.0, 7.6]; scipy median_abs_deviation = 1.0;
        // scipy gmean([1.02, 0.98, 1.5, 2.0]) = 1.3159423858054795
        let values = [4.0, 2.0, 10.0, 1.0, 3.0];
        for (q, expected) in [(0.0, 1.0), (0.1, 1.4), (0.25, 2.0), (0.9, 7.6), (1.0, 10.0)] {
            assert!((quantile(&values, q).unwrap() - expected).abs() < 1e-12);
        }
        assert_eq!(median_absolute_deviation(&values), Some(1.0));
        assert!((geometric_mean(&[1.02, 0.98, 1.5, 2.0]).unwrap() - 1.315_942_385_805_479_5).abs() < 1e-12);
        assert_eq!((geometric_mean(&[1.0, 0.0]), geometric_mean(&[]), quantile(&[], 0.5)), (None, None, None));
    }

    #[test]
    fn the_exact_mann_whitney_p_agrees_with_scipy() {
        // scipy.stats.mannwhitneyu(method='exact'); the tied case by enumerating all permutations of mid-ranks.
        let cases: [(&[f64], &[f64], f64); 4] = [
            (&[1.1, 2.3, 3.2, 4.8, 5.0], &[2.0, 3.3, 4.1, 6.2, 7.7, 8.1], 0.246_753_246_753_246_72),
            (&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0], 0.007_936_507_936_507_936),
            (&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0], 0.1),
            (&[1.0, 2.0, 2.0, 3.0], &[2.0, 3.0, 4.0, 4.0, 5.0], 0.111_111_111_111_111_1),
        ];
        for (a, b, expected) in cases {
            assert!((mann_whitney_p(a, b).unwrap() - expected).abs() < 1e-12, "{a:?} {b:?}");
        }
        assert_eq!(mann_whitney_p(&[2.0; 5], &[2.0; 5]), Some(1.0));
        assert_eq!(mann_whitney_p(&[], &[1.0]), None);
    }

    #[test]
    fn the_normal_mann_whitney_p_agrees_with_scipy_with_and_without_ties() {
        // scipy.stats.mannwhitneyu(method='asymptotic'): 1..25 against 5.5..29.5 gives 0.0478057953309806;
        // i mod 7 (30 values) against i mod 7 + 1 (25 values) gives 0.11455134169040729
        let a: Vec<f64> = (1..26).map(f64::from).collect();
        let b: Vec<f64> = a.iter().map(|v| v + 4.5).collect();
        assert!((mann_whitney_p(&a, &b).unwrap() - 0.047_805_795_330_980_6).abs() < 1e-10);
        let c: Vec<f64> = (0..30).map(|i| f64::from(i % 7)).collect();
        let d: Vec<f64> = (0..25).map(|i| f64::from(i % 7) + 1.0).collect();
        assert!((mann_whitney_p(&c, &d).unwrap() - 0.114_551_341_690_407_29).abs() < 1e-10);
    }

    #[test]
    fn the_normal_tail_agrees_with_scipy() {
        // scipy.stats.norm.sf
        let known = [
            (0.0, 0.5),
            (0.5, 0.308_537_538_725_986_9),
            (1.0, 0.158_655_253_931_457_07),
            (3.0, 1.349_898_031_630_094_6e-3),
        ];
        for (z, p) in known {
            assert!((normal_tail(z) / p - 1.0).abs() < 1e-10, "{z}");
        }
        assert!((normal_tail(5.0) / 2.866_515_718_791_939e-7 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_interval_of_a_ratio_agrees_with_welch_on_logarithms() {
        // scipy ttest_ind(log(b), log(a), equal_var=False).confidence_interval() → 1.08813 to 1.11402; b/a = 1.101.
        // Degrees are rounded down here, so the interval may be slightly wider, never narrower.
        let (a, b) = ([100.0, 101.0, 99.0, 100.5, 99.5], [110.0, 111.5, 109.0, 110.2, 109.8]);
        let got = ratio_of_means_95(&a, &b).unwrap();
        assert_eq!(got.ratio, 110.1 / 100.0);
        let (low, high) = (got.ratio * (-got.log_half_width).exp(), got.ratio * got.log_half_width.exp());
        assert!(low < 1.088_13 + 2e-4 && low > 1.0870, "{low}");
        assert!(high > 1.114_02 - 2e-4 && high < 1.1155, "{high}");
        assert_eq!(ratio_of_means_95(&[1.0], &b), None);
        // scipy.stats.bootstrap(method='percentile', 200 000 resamples): 1.09145 to 1.11104
        let (low, high) = bootstrap_ratio_95(&a, &b, mean, 20_000, 7).unwrap();
        assert!((low - 1.091_45).abs() < 5e-4 && (high - 1.111_04).abs() < 5e-4, "{low} {high}");
        assert_eq!(bootstrap_ratio_95(&a, &b, median, 500, 7), bootstrap_ratio_95(&a, &b, median, 500, 7));
    }

    #[test]
    fn the_generator_gives_the_published_sequence() {
        // First three outputs of SplitMix64 for seed 1234567, as in the reference C program (prng.di.unimi.it).
        let mut random = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn two_samples_of_one_population_seldom_look_different() {
        // 2000 A/A comparisons of 8 + 8 values. p is discrete: the largest attainable values are 0.0499 below 0.05 and
        // 0.442 below 0.5, so about 100 and 884 are expected; the interval holds 1 in about 1900. Bounds are four sigmas.
        let mut random = SplitMix64::new(42);
        let mut draw = || {
            // Sum of 12 uniforms: close to normal, mean 100, standard deviation 1.
            (0..8)
                .map(|_| 94.0 + (0..12).map(|_| random.next_u64() as f64 / u64::MAX as f64).sum::<f64>())
                .collect::<Vec<_>>()
        };
        let (mut rejected, mut low_half, mut held) = (0, 0, 0);
        for _ in 0..2000 {
            let (a, b) = (draw(), draw());
            let p = mann_whitney_p(&a, &b).unwrap();
            rejected += u32::from(p <= 0.05);
            low_half += u32::from(p <= 0.5);
            let ratio = ratio_of_means_95(&a, &b).unwrap();
            held += u32::from(ratio.ratio.ln().abs() <= ratio.log_half_width);
        }
        assert!((61..=139).contains(&rejected), "{rejected} of 2000 at 0.05");
        assert!((795..=973).contains(&low_half), "{low_half} of 2000 at 0.5");
        assert!((1861..=1939).contains(&held), "{held} of 2000 hold 1");
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

        #[test]
        fn scaling_both_samples_keeps_the_ratio_its_interval_and_p(
            a in prop::collection::vec(1f64..1e3, 2..10), b in prop::collection::vec(1f64..1e3, 2..10), scale in 0.01f64..100.0,
        ) {
            let scaled = |values: &[f64]| values.iter().map(|v| v * scale).collect::<Vec<_>>();
            let (x, y) = (ratio_of_means_95(&a, &b).unwrap(), ratio_of_means_95(&scaled(&a), &scaled(&b)).unwrap());
            prop_assert!((x.ratio / y.ratio - 1.0).abs() < 1e-9);
            prop_assert!((x.log_half_width - y.log_half_width).abs() < 1e-9 * (1.0 + x.log_half_width));
            prop_assert_eq!(mann_whitney_p(&a, &b), mann_whitney_p(&scaled(&a), &scaled(&b)));
        }

        #[test]
        fn exchanging_the_samples_keeps_p_and_inverts_the_ratio(
            a in prop::collection::vec(1f64..1e3, 2..12), b in prop::collection::vec(1f64..1e3, 2..12),
        ) {
            let p = mann_whitney_p(&a, &b).unwrap();
            prop_assert!((0.0..=1.0).contains(&p));
            prop_assert!((p - mann_whitney_p(&b, &a).unwrap()).abs() < 1e-9);
            let product = ratio_of_means_95(&a, &b).unwrap().ratio * ratio_of_means_95(&b, &a).unwrap().ratio;
            prop_assert!((product - 1.0).abs() < 1e-12);
        }

        #[test]
        fn quantiles_rise_and_stay_within_the_sample(values in prop::collection::vec(-1e3f64..1e3, 1..40), q in 0f64..1.0) {
            let (low, here, high) =
                (quantile(&values, 0.0).unwrap(), quantile(&values, q).unwrap(), quantile(&values, 1.0).unwrap());
            prop_assert!(low <= here && here <= high);
        }
    }
}
