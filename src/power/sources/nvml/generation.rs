//! How the sensors of each generation of NVIDIA boards look at the world, after public measurements.
//!
//! Nothing is read here. What surprises people: the "instant" field of GA100 and GH100 sees 25 ms of every 100 ms, and
//! `nvmlDeviceGetPowerUsage` is an average over 1 s on most boards since Ampere, but not on GA100.

use nvml_wrapper::enums::device::DeviceArchitecture;

use crate::units::Seconds;

/// How a board's fastest power reading looks at the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sensor {
    /// Time between two changes.
    pub(super) update_period: Seconds,
    /// Time that each reading looks at, where it was measured.
    pub(super) window: Option<Seconds>,
    /// `nvmlDeviceGetPowerUsage` is this same reading, not an average over 1 s.
    pub(super) usage_is_instant: bool,
}

impl Sensor {
    /// Behaviour by generation, after the table of arXiv:2312.02741. H200 is taken as GH100; Blackwell is unmeasured.
    pub(super) fn of(architecture: &DeviceArchitecture, name: &str) -> Self {
        let is_ga100 = ["A100", "A30", "A800"]
            .iter()
            .any(|chip| name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == *chip));
        let of = |update: f64, window: Option<f64>, usage_is_instant| Self {
            update_period: Seconds::new(update),
            window: window.map(Seconds::new),
            usage_is_instant,
        };
        match architecture {
            DeviceArchitecture::Pascal | DeviceArchitecture::Volta => of(0.02, Some(0.01), true),
            DeviceArchitecture::Turing => of(0.1, Some(0.1), true),
            DeviceArchitecture::Ampere if is_ga100 => of(0.1, Some(0.025), true),
            DeviceArchitecture::Ampere | DeviceArchitecture::Ada => of(0.1, Some(0.1), false),
            DeviceArchitecture::Hopper => of(0.1, Some(0.025), false),
            DeviceArchitecture::Kepler | DeviceArchitecture::Maxwell => of(0.1, None, true),
            DeviceArchitecture::Blackwell | DeviceArchitecture::Unknown => of(0.1, None, false),
        }
    }

    /// Percent of the time that it sees, where that is less than all of it.
    pub(super) fn seen_percent(&self) -> Option<f64> {
        let window = self.window.filter(|window| *window < self.update_period)?;
        Some((window / self.update_period * 100.0).round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_centre_chips_are_part_time_and_their_gaming_siblings_are_not() {
        let ampere = DeviceArchitecture::Ampere;
        let a100 = Sensor::of(&ampere, "NVIDIA A100-SXM4-80GB");
        assert_eq!((a100.window, a100.usage_is_instant), (Some(Seconds::new(0.025)), true));
        assert_eq!(a100.seen_percent(), Some(25.0));
        let a10 = Sensor::of(&ampere, "NVIDIA A10");
        assert_eq!((a10.window, a10.usage_is_instant), (Some(Seconds::new(0.1)), false));
        assert_eq!(a10.seen_percent(), None);
        assert!(!Sensor::of(&ampere, "NVIDIA RTX A3000").usage_is_instant);
        let h200 = Sensor::of(&DeviceArchitecture::Hopper, "NVIDIA H200");
        assert_eq!((h200.window, h200.usage_is_instant), (Some(Seconds::new(0.025)), false));
    }

    #[test]
    fn a_generation_that_nobody_measured_claims_no_window_and_no_instant_usage() {
        let unknown = Sensor::of(&DeviceArchitecture::Blackwell, "NVIDIA B200");
        assert_eq!((unknown.window, unknown.usage_is_instant), (None, false));
    }
}
