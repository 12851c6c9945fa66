//! The stop rule, asked after each window: tight enough, no longer improving, cap, timeout, Ctrl-C.

use crate::model::{Settings, StopReason};
use crate::stats;
use crate::units::Seconds;

/// Windows over which the interval must have stopped shrinking before the rule gives up.
const PATIENCE: usize = 3;
/// Shrinkage below which an interval counts as no longer improving.
const LEAST_IMPROVEMENT: f64 = 0.02;

/// Decides whether the windows so far are enough.
///
/// `efficiencies` holds one value per window: work per joule, or work per second when there is no energy.
pub fn decide(settings: &Settings, efficiencies: &[f64], elapsed: Seconds, interrupted: bool) -> Option<StopReason> {
    let n = efficiencies.len();
    // A case that has all its windows is whole, whenever the user gives up.
    if n >= settings.windows_max as usize {
        return Some(StopReason::WindowCap);
    }
    if interrupted {
        return Some(StopReason::Interrupted);
    }
    if n >= settings.windows_min.max(2) as usize {
        let widths: Vec<f64> = (2..=n).filter_map(|count| half_width(&efficiencies[..count])).collect();
        if widths.last().is_some_and(|width| *width <= settings.target_half_width.get()) {
            return Some(StopReason::TightEnough);
        }
        if let [.., before, _, _, last] = widths[..]
            && widths.len() > PATIENCE
            && last > before * (1.0 - LEAST_IMPROVEMENT)
        {
            return Some(StopReason::NoLongerImproving);
        }
    }
    (elapsed.get() >= settings.case_timeout_s.get() && n >= 1).then_some(StopReason::Timeout)
}

fn half_width(values: &[f64]) -> Option<f64> {
    let mean = stats::mean(values)?;
    (mean != 0.0).then_some(stats::mean_half_width_95(values)? / mean.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::presets;
    use crate::model::Preset;
    use crate::units::Ratio;

    fn settings() -> Settings {
        Settings {
            windows_min: 3,
            windows_max: 12,
            target_half_width: Ratio::new(0.01),
            case_timeout_s: Seconds::new(100.0),
            ..presets::settings(Preset::Standard)
        }
    }

    fn after(values: &[f64]) -> Option<StopReason> {
        decide(&settings(), values, Seconds::new(1.0), false)
    }

    #[test]
    fn equal_windows_are_tight_enough_after_the_least_number() {
        assert_eq!(after(&[5.0, 5.0]), None);
        assert_eq!(after(&[5.0, 5.0, 5.0]), Some(StopReason::TightEnough));
    }

    #[test]
    fn scatter_goes_on_until_it_stops_improving_or_the_cap() {
        assert_eq!(after(&[5.0, 6.0, 4.0]), None);
        // The interval widens again with every outlier: waiting longer does not help.
        assert_eq!(after(&[5.0, 5.2, 5.1, 9.0, 1.0, 12.0]), Some(StopReason::NoLongerImproving));
        let alternating: Vec<f64> = (0..12).map(|i| if i % 2 == 0 { 5.0 } else { 5.4 }).collect();
        assert_eq!(after(&alternating), Some(StopReason::WindowCap));
    }

    #[test]
    fn time_and_the_user_end_it_at_once() {
        assert_eq!(decide(&settings(), &[5.0], Seconds::new(100.0), false), Some(StopReason::Timeout));
        assert_eq!(decide(&settings(), &[], Seconds::new(500.0), false), None);
        assert_eq!(decide(&settings(), &[5.0], Seconds::new(1.0), true), Some(StopReason::Interrupted));
        assert_eq!(decide(&settings(), &[5.0; 12], Seconds::new(1.0), true), Some(StopReason::WindowCap));
    }
}
