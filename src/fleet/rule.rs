//! When a value is so far from the others that its device is named.
//!
//! What surprises people: a value must be far by two measures at once. A robust score alone finds trifles where all devices
//! are nearly equal; a percentage alone finds noise where they scatter.

use crate::model::Better;
use crate::stats::Robust;

/// With fewer devices than this a robust scatter is a guess, and only a large distance counts.
pub const FEW: usize = 8;
/// How many times the usual distance counts as large among few devices.
pub const LARGE_TIMES: f64 = 3.0;
/// Fewest values among which one can be odd: of two nobody can tell which.
const FEWEST: usize = 3;
/// Standard deviation of a median over that of a mean of the same values: √(π/2).
const MEDIAN_SCATTER: f64 = 1.2533;

/// What a distance is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Percent of the median.
    Percent,
    /// Percentage points: shares of time and coefficients of variation lie near 0.
    Points,
    /// Kelvin: a percentage of degrees Celsius has no meaning.
    Kelvin,
    /// Counts, against the scatter of a Poisson count.
    Count,
}

impl Measure {
    /// That of a metric by its name and unit.
    pub fn of(id: &str, unit: &str) -> Self {
        let counted = ["ecc.", "pcie.replays", "driver.errors"].iter().any(|stem| id.starts_with(stem));
        match unit {
            _ if counted || id.ends_with(".output.wrong") => Self::Count,
            "°C" => Self::Kelvin,
            "1" | "" if id.starts_with("throttle.") || id.ends_with(".jitter") => Self::Points,
            _ => Self::Percent,
        }
    }
    /// Its sign after a number.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Percent => "%",
            Self::Points => "points",
            Self::Kelvin => "K",
            Self::Count => "",
        }
    }
}

/// Limits beyond which a value is named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Least robust score.
    pub z: f64,
    /// Least distance in percent, percentage points or kelvin.
    pub limit: f64,
}

impl Default for Rule {
    /// 3.5 (Iglewicz and Hoaglin 1993), and 5 %.
    fn default() -> Self {
        Self { z: 3.5, limit: 5.0 }
    }
}

/// How far a value lies from those of its group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// Robust score; `None` where it is infinite.
    pub z: Option<f64>,
    /// Distance in the metric's measure.
    pub by: f64,
    /// Median that it was held against.
    pub median: f64,
    /// Values behind the median.
    pub n: usize,
}

impl Rule {
    /// The distance of `values[index]` if it is beyond the limits on the side that is not better.
    ///
    /// From [`FEW`] values on: beyond both limits from the median of all. With 3 to 7: beyond three times the distance, and
    /// beyond the score, from the median and scatter of the others. With fewer nothing is claimed.
    pub fn judge(
        &self,
        values: &[f64],
        value: f64,
        all: &Robust,
        measure: Measure,
        better: Option<Better>,
    ) -> Option<Distance> {
        let few = values.len() < FEW;
        if values.len() < FEWEST {
            return None;
        }
        // Cheap way out for the many: most values of a large group are within the limit.
        if !few {
            let distance = distance(value, all, measure)?;
            return self.beyond(distance, self.limit, measure, better).then_some(distance);
        }
        let mut others = values.to_vec();
        let own = others.iter().position(|other| *other == value)?;
        others.swap_remove(own);
        let found = distance(value, &Robust::of(&others)?, measure)?;
        self.beyond(found, LARGE_TIMES * self.limit, measure, better).then_some(found)
    }

    /// The distance of the median of a place, for example of a rack, from that of the devices elsewhere.
    ///
    /// The scatter of a median of n values is 1.2533 σ/√n (normal distribution), and both medians have one.
    pub fn judge_place(
        &self,
        own: &[f64],
        others: &[f64],
        measure: Measure,
        better: Option<Better>,
    ) -> Option<Distance> {
        if own.len() < FEWEST || others.len() < FEWEST {
            return None;
        }
        let (own, others) = (Robust::of(own)?, Robust::of(others)?);
        let variance = |robust: &Robust| (MEDIAN_SCATTER * robust.sigma).powi(2) / robust.n as f64;
        let scatter = (variance(&own) + variance(&others)).sqrt();
        let frame = Robust { sigma: scatter, ..others };
        let found = distance(own.median, &frame, measure)?;
        self.beyond(found, self.limit, measure, better).then_some(found)
    }

    fn beyond(&self, found: Distance, limit: f64, measure: Measure, better: Option<Better>) -> bool {
        let worse = match better {
            Some(Better::Higher) => found.by < 0.0,
            Some(Better::Lower) => found.by > 0.0,
            None => true,
        };
        let far = measure == Measure::Count || found.by.abs() > limit;
        worse && far && found.z.is_none_or(|z| z.abs() > self.z)
    }
}

/// Distance of a value from a median in a metric's measure; `None` for a percentage of 0 and for a value on the median.
pub fn distance(value: f64, frame: &Robust, measure: Measure) -> Option<Distance> {
    let difference = value - frame.median;
    let (by, sigma) = match measure {
        Measure::Percent => (frame.relative(value)? * 100.0, frame.sigma),
        Measure::Points => (difference * 100.0, frame.sigma),
        Measure::Kelvin => (difference, frame.sigma),
        Measure::Count => (difference, frame.sigma.max(frame.median.max(1.0).sqrt())),
    };
    let z = if difference == 0.0 { 0.0 } else { difference / sigma };
    Some(Distance { z: z.is_finite().then_some(z), by, median: frame.median, n: frame.n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(values: &[f64], value: f64, measure: Measure, better: Option<Better>) -> Option<Distance> {
        Rule::default().judge(values, value, &Robust::of(values).unwrap(), measure, better)
    }

    #[test]
    fn a_trifle_among_equals_and_noise_among_scattered_values_are_not_named() {
        let mut equal = vec![100.0; 20];
        equal.push(99.0);
        // Infinitely many sigmas at first sight, but 1 %.
        assert_eq!(judged(&equal, 99.0, Measure::Percent, Some(Better::Higher)), None);
        // Median 100, MAD 10: 80 is 20 % below, and 20 / 14.8 = 1.35 sigmas.
        let scattered = [80.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0, 120.0];
        assert_eq!(judged(&scattered, 80.0, Measure::Percent, Some(Better::Higher)), None);
    }

    #[test]
    fn only_the_worse_side_is_named() {
        let mut values: Vec<f64> = (0..20).map(|i| 100.0 + f64::from(i % 3)).collect();
        values.extend([80.0, 120.0]);
        let low = judged(&values, 80.0, Measure::Percent, Some(Better::Higher)).unwrap();
        // Median 101: 21 below is 20.8 %.
        assert!((low.by + 20.792).abs() < 0.001 && low.z.unwrap() < -3.5, "{low:?}");
        assert_eq!(judged(&values, 120.0, Measure::Percent, Some(Better::Higher)), None);
        assert!(judged(&values, 120.0, Measure::Percent, Some(Better::Lower)).is_some());
        assert!(judged(&values, 120.0, Measure::Percent, None).is_some());
    }

    #[test]
    fn among_few_devices_only_a_large_distance_counts_and_of_two_nobody_can_tell() {
        let better = Some(Better::Higher);
        assert_eq!(judged(&[100.0, 100.1, 99.9, 90.0], 90.0, Measure::Percent, better), None);
        assert!(judged(&[100.0, 100.1, 99.9, 80.0], 80.0, Measure::Percent, better).is_some());
        assert_eq!(judged(&[100.0, 80.0], 80.0, Measure::Percent, better), None);
        // The others do not agree among themselves: median 95, MAD 5, so 70 is 25 / 7.4 = 3.4 sigmas.
        assert_eq!(judged(&[100.0, 90.0, 70.0], 70.0, Measure::Percent, better), None);
    }

    #[test]
    fn shares_are_judged_in_points_temperatures_in_kelvin_and_counts_by_their_own_scatter() {
        let kinds = [("throttle.thermal", "1"), ("memory.rate.jitter", "1"), ("temperature.max", "°C")];
        assert_eq!(kinds.map(|(id, unit)| Measure::of(id, unit)), [Measure::Points, Measure::Points, Measure::Kelvin]);
        assert_eq!(Measure::of("power.limit.attainment", "1"), Measure::Percent);
        assert_eq!(Measure::of("ecc.corrected", "1"), Measure::Count);
        let mut shares = vec![0.0; 20];
        shares.push(0.2);
        let found = judged(&shares, 0.2, Measure::Points, Some(Better::Lower)).unwrap();
        assert!((found.by - 20.0).abs() < 1e-9);
        // A median of 0 and nothing else: the Poisson scatter of a count is taken as 1, so 3 is usual and 4 is not.
        let counts = |odd: f64| [vec![0.0; 20], vec![odd]].concat();
        assert_eq!(judged(&counts(3.0), 3.0, Measure::Count, Some(Better::Lower)), None);
        assert!(judged(&counts(4.0), 4.0, Measure::Count, Some(Better::Lower)).is_some());
    }

    #[test]
    fn a_hot_rack_is_told_from_the_devices_elsewhere() {
        let elsewhere: Vec<f64> = (0..40).map(|i| 70.0 + f64::from(i % 5)).collect();
        let hot: Vec<f64> = (0..6).map(|i| 79.0 + f64::from(i % 3)).collect();
        // Medians 80 and 72.
        let found = Rule::default().judge_place(&hot, &elsewhere, Measure::Kelvin, Some(Better::Lower)).unwrap();
        assert_eq!((found.by, found.median), (8.0, 72.0));
        assert_eq!(Rule::default().judge_place(&elsewhere, &hot, Measure::Kelvin, Some(Better::Lower)), None);
    }
}
