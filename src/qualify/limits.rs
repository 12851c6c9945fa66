//! Limits of one figure, and what a value with its interval says against them.
//!
//! What surprises people: a value beyond the limit of failure whose interval still holds the limit only warns, because the
//! measurement cannot tell on which side the device is.

use crate::model::{Better, Grade};

/// Where a figure warns and fails. A bound that is absent is not held against anything.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Below this it fails.
    pub fail_below: Option<f64>,
    /// Below this it warns.
    pub warn_below: Option<f64>,
    /// Above this it warns.
    pub warn_above: Option<f64>,
    /// Above this it fails.
    pub fail_above: Option<f64>,
}

/// A limit with the key that stands for it in files.
pub type Named = (&'static str, f64);

/// How far from normal a figure may be: a part of the normal value, and an amount; the larger counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Part of the normal value.
    pub relative: f64,
    /// Amount in the figure's unit.
    pub absolute: f64,
}

impl Tolerance {
    /// A part of the normal value.
    pub const fn part(relative: f64) -> Self {
        Self { relative, absolute: 0.0 }
    }
    /// An amount.
    pub const fn amount(absolute: f64) -> Self {
        Self { relative: 0.0, absolute }
    }
    /// Distance from a normal value.
    pub fn around(&self, centre: f64) -> f64 {
        (self.relative * centre.abs()).max(self.absolute)
    }
}

/// What a value says against limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The grade.
    pub grade: Grade,
    /// The limit that was crossed, or the nearest one of a pass.
    pub limit: f64,
    /// Whether `limit` bounds from below.
    pub lower: bool,
    /// True where the value is beyond the limit of failure, but the measurement cannot exclude that it is not.
    pub softened: bool,
}

impl Limits {
    /// Limits at these distances from a normal value, on the side that is worse; on both where neither is.
    pub fn around(centre: f64, warn: f64, fail: Option<f64>, better: Option<Better>) -> Self {
        let (low, high) = (better != Some(Better::Lower), better != Some(Better::Higher));
        Self {
            fail_below: fail.filter(|_| low).map(|distance| centre - distance),
            warn_below: low.then_some(centre - warn),
            warn_above: high.then_some(centre + warn),
            fail_above: fail.filter(|_| high).map(|distance| centre + distance),
        }
    }

    /// True if there is none.
    pub const fn is_empty(&self) -> bool {
        self.fail_below.is_none() && self.warn_below.is_none() && self.warn_above.is_none() && self.fail_above.is_none()
    }

    /// Holds a value against the limits; `None` if there is none. `certain` says that a value without an interval may fail.
    pub fn hold(&self, value: f64, interval: Option<(f64, f64)>, certain: bool) -> Option<Finding> {
        let finding = |grade, limit, lower, softened| Some(Finding { grade, limit, lower, softened });
        if let Some(limit) = self.fail_below.filter(|limit| value < *limit) {
            let clear = interval.map_or(certain, |(_, high)| high < limit);
            return finding(if clear { Grade::Fail } else { Grade::Warn }, limit, true, !clear);
        }
        if let Some(limit) = self.fail_above.filter(|limit| value > *limit) {
            let clear = interval.map_or(certain, |(low, _)| low > limit);
            return finding(if clear { Grade::Fail } else { Grade::Warn }, limit, false, !clear);
        }
        if let Some(limit) = self.warn_below.filter(|limit| value < *limit) {
            return finding(Grade::Warn, limit, true, false);
        }
        if let Some(limit) = self.warn_above.filter(|limit| value > *limit) {
            return finding(Grade::Warn, limit, false, false);
        }
        let below = self.warn_below.or(self.fail_below).map(|limit| (limit, true));
        let above = self.warn_above.or(self.fail_above).map(|limit| (limit, false));
        let nearest = match (below, above) {
            (Some(low), Some(high)) if high.0 - value < value - low.0 => Some(high),
            (Some(low), _) => Some(low),
            (None, high) => high,
        };
        let (limit, lower) = nearest?;
        finding(Grade::Pass, limit, lower, false)
    }

    /// The first breach of the order fail below, warn below, warn above, fail above: the two names and their values.
    pub fn contradiction(&self) -> Option<(Named, Named)> {
        let ordered = [
            ("fail_below", self.fail_below),
            ("warn_below", self.warn_below),
            ("warn_above", self.warn_above),
            ("fail_above", self.fail_above),
        ];
        let given: Vec<Named> = ordered.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        given.windows(2).find(|pair| pair[0].1 > pair[1].1).map(|pair| (pair[0], pair[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: Limits = Limits { fail_below: Some(95.0), warn_below: Some(97.0), warn_above: None, fail_above: None };

    fn grade(value: f64, interval: Option<(f64, f64)>) -> Grade {
        RATE.hold(value, interval, true).unwrap().grade
    }

    #[test]
    fn a_value_passes_warns_and_fails_on_the_two_sides_of_each_limit() {
        for (value, expected) in
            [(97.0, Grade::Pass), (96.9, Grade::Warn), (95.0, Grade::Warn), (94.9, Grade::Fail), (200.0, Grade::Pass)]
        {
            assert_eq!(grade(value, None), expected, "{value}");
        }
        let pass = RATE.hold(98.0, None, true).unwrap();
        assert_eq!((pass.limit, pass.lower), (97.0, true));
    }

    #[test]
    fn an_interval_that_holds_the_limit_only_warns_and_one_beyond_it_fails() {
        assert_eq!(grade(94.0, Some((93.0, 95.0))), Grade::Warn);
        assert_eq!(grade(94.0, Some((93.0, 94.99))), Grade::Fail);
        let soft = RATE.hold(94.0, None, false).unwrap();
        assert_eq!((soft.grade, soft.softened, soft.limit), (Grade::Warn, true, 95.0));
    }

    #[test]
    fn limits_stand_on_the_worse_side_and_on_both_where_neither_is() {
        let rate = Limits::around(100.0, 3.0, Some(5.0), Some(Better::Higher));
        assert_eq!((rate.fail_below, rate.warn_below, rate.warn_above), (Some(95.0), Some(97.0), None));
        let heat = Limits::around(60.0, 7.0, Some(15.0), Some(Better::Lower));
        assert_eq!((heat.warn_below, heat.warn_above, heat.fail_above), (None, Some(67.0), Some(75.0)));
        let share = Limits::around(0.5, 0.1, None, None);
        assert_eq!((share.warn_below, share.warn_above, share.fail_above), (Some(0.4), Some(0.6), None));
        assert_eq!(share.hold(0.59, None, true).unwrap().limit, 0.6);
        assert!(Limits::default().is_empty() && Limits::default().hold(1.0, None, true).is_none());
    }

    #[test]
    fn limits_out_of_order_contradict_each_other() {
        assert_eq!(RATE.contradiction(), None);
        let reversed = Limits { fail_below: Some(98.0), ..RATE };
        assert_eq!(reversed.contradiction(), Some((("fail_below", 98.0), ("warn_below", 97.0))));
        let crossed = Limits { warn_above: Some(90.0), ..RATE };
        assert_eq!(crossed.contradiction(), Some((("warn_below", 97.0), ("warn_above", 90.0))));
    }

    proptest! {
        #[test]
        fn a_worse_value_never_gets_a_better_grade(a in 0f64..200.0, b in 0f64..200.0, half in 0f64..10.0) {
            let (worse, better) = (a.min(b), a.max(b));
            let with = |value: f64| grade(value, Some((value - half, value + half)));
            prop_assert!(with(worse) >= with(better));
            prop_assert!(grade(worse, None) >= grade(better, None));
        }
    }
}
