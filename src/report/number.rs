//! Numbers as people read them: significant figures, decimal prefixes, relative intervals.
//!
//! What surprises people: a prefix is chosen once for a column from its median, not per cell, so that a column has one
//! unit and its digits line up.

use crate::model::{Case, Estimate, Shape};
use crate::units::Quantity;

/// What stands where there is no figure.
pub(super) const MISSING: &str = "—";

/// Decimal prefixes from 10^-9 to 10^18.
const PREFIXES: [(&str, f64); 10] = [
    ("n", 1e-9),
    ("µ", 1e-6),
    ("m", 1e-3),
    ("", 1.0),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// A number with three significant figures, all digits before the point (`0.123`, `31.2`, `1234`), and `—` for
/// infinities and NaN.
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.2e}");
    }
    // Rounding may carry (9.996 becomes 10.0), so the exponent of the rounded number decides.
    let exponent = format!("{size:.2e}").rsplit_once('e').and_then(|(_, e)| e.parse::<i32>().ok()).unwrap_or(0);
    let decimals = usize::try_from(2 - exponent).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// A ratio in percent with one or two figures: `0.03%`, `0.3%`, `3.4%`, `34%`; `<0.01%` for less, and `—` for infinities and NaN.
pub fn percent(ratio: f64) -> String {
    let value = ratio * 100.0;
    match value.abs() {
        size if !size.is_finite() => return MISSING.to_owned(),
        0.0 => return "0%".to_owned(),
        size if size < 0.005 => return "<0.01%".to_owned(),
        _ => {}
    }
    let decimals = match value.abs() {
        size if size >= 9.95 => 0,
        size if size >= 0.0995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}%")
}

/// A number with the prefix that suits it, and a unit: `31.2 GFLOP/s`.
pub fn scaled(value: f64, unit: &str) -> String {
    let (prefix, scale) = prefix_for(&[value]);
    format!("{} {prefix}{unit}", significant(value / scale))
}

/// Prefix and divisor that put the median of a column between 1 and 1000.
pub(super) fn prefix_for(values: &[f64]) -> (&'static str, f64) {
    let sizes: Vec<f64> =
        values.iter().map(|value| value.abs()).filter(|size| *size > 0.0 && size.is_finite()).collect();
    let typical = crate::stats::median(&sizes).unwrap_or(1.0);
    PREFIXES.iter().rev().find(|(_, scale)| typical >= *scale).copied().unwrap_or(PREFIXES[0])
}

/// Relative half-width of an estimate's interval, `—` without one.
pub(super) fn plus_minus<Q: Quantity>(estimate: &Estimate<Q>) -> String {
    estimate.relative_half_width().map_or(MISSING.to_owned(), percent)
}

/// Shape of a case in few characters, and its data pattern where it is not the usual one.
pub fn compact_case(case: &Case) -> String {
    format!("{}{}", compact_shape(&case.shape), case.data_note())
}

/// Variant and shape of a case as the tables of a record name them.
pub fn named_case(case: &Case) -> String {
    format!("{} {}", case.variant, compact_case(case))
}

/// A shape with the equal extents of one-letter axes joined: `k=m=n=1024`. Longer names that happen to have equal extents
/// (`batch=2 kv_heads=2`) have nothing to do with each other.
pub fn compact_shape(shape: &Shape) -> String {
    let mut groups: Vec<(u64, Vec<&str>)> = Vec::new();
    for (axis, extent) in shape.iter() {
        let joins = |axes: &[&str]| axis.len() == 1 && axes.iter().all(|other| other.len() == 1);
        match groups.iter_mut().find(|(value, axes)| *value == extent && joins(axes)) {
            Some((_, axes)) => axes.push(axis),
            None => groups.push((extent, vec![axis])),
        }
    }
    let parts: Vec<String> = groups.iter().map(|(extent, axes)| format!("{}={extent}", axes.join("="))).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_three_figures_and_never_lose_digits_before_the_point() {
        for (value, text) in [
            (31.24, "31.2"),
            (9.996, "10.0"),
            (0.12345, "0.123"),
            (1234.6, "1235"),
            (999.96, "1000"),
            (0.001234, "0.00123"),
            (-5.0, "-5.00"),
            (0.0, "0"),
            (f64::NAN, "—"),
            (1.5e9, "1.50e9"),
            (2e-6, "2.00e-6"),
        ] {
            assert_eq!(significant(value), text, "{value}");
        }
    }

    #[test]
    fn percentages_carry_two_figures() {
        for (ratio, text) in [
            (0.0034, "0.3%"),
            (0.00034, "0.03%"),
            (0.0, "0%"),
            (1e-6, "<0.01%"),
            (f64::INFINITY, "—"),
            (0.034, "3.4%"),
            (0.34, "34%"),
            (1.204, "120%"),
        ] {
            assert_eq!(percent(ratio), text, "{ratio}");
        }
    }

    #[test]
    fn a_column_gets_the_prefix_of_its_median() {
        assert_eq!(prefix_for(&[3e9, 5e11, 2e13]), ("G", 1e9));
        assert_eq!(prefix_for(&[]), ("", 1.0));
        assert_eq!(scaled(31.2e12, "FLOP/s"), "31.2 TFLOP/s");
    }

    #[test]
    fn equal_extents_share_their_number() {
        assert_eq!(compact_shape(&Shape::new([("m", 8), ("n", 8), ("k", 4)])), "k=4 m=n=8");
        assert_eq!(compact_shape(&Shape::new([("batch", 2), ("kv_heads", 2)])), "batch=2 kv_heads=2");
    }
}
