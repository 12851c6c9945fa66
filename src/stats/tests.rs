//! Tests of the statistics against NumPy, SciPy and simulation.

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
fn the_tail_of_students_t_agrees_with_scipy() {
    // scipy: t.sf(t, df)
    for (t, degrees, expected) in [
        (0.5, 1.0, 0.35241638234956674),
        (1.0, 2.0, 0.2113248654051871),
        (2.776, 4.0, 0.02501138915998821),
        (2.3, 7.4, 0.02651457112643678),
        (3.5, 8.0, 0.004039541130205943),
        (10.0, 3.0, 0.0010641995292070751),
        (25.0, 5.0, 9.55338892197712e-07),
        (1.96, 1000.0, 0.025136592477874368),
        (0.01, 12.5, 0.496089560653458),
        (6.0, 40.0, 2.3632275663940903e-07),
    ] {
        let own = student_t_tail(t, degrees);
        assert!((own / expected - 1.0).abs() < 1e-10, "{t} {degrees}: {own} {expected}");
    }
    assert_eq!((student_t_tail(0.0, 3.0), student_t_tail(f64::INFINITY, 3.0)), (0.5, 0.0));
}

#[test]
fn the_p_of_a_ratio_is_below_a_twentieth_just_where_its_interval_excludes_one() {
    let a = [100.0, 101.0, 99.0, 100.5, 99.5];
    for shift in (0..60).map(|step| 1.0 + f64::from(step) * 0.0005) {
        let found = ratio_of_means_95(&a, &a.map(|value| value * shift)).unwrap();
        assert_eq!(found.p < 0.05, found.ratio.ln().abs() > found.log_half_width, "{found:?}");
    }
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
