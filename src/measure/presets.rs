//! Presets: named bundles of visible settings.

use crate::model::{Preset, Settings};
use crate::units::{Ratio, Seconds};

/// Sensor updates that a window must hold (quantisation of the energy below 5 % of one update in twenty).
pub const UPDATES_PER_WINDOW: f64 = 20.0;
/// Averaging windows of the sensor that a window must hold, so that the smeared edges weigh little.
pub const AVERAGES_PER_WINDOW: f64 = 10.0;

/// Settings of a preset.
pub fn settings(preset: Preset) -> Settings {
    let s = Seconds::new;
    match preset {
        Preset::Quick => Settings {
            // Short enough that forty cases take a minute; too short for most sensors, which the warnings say.
            idle_s: s(1.0),
            preheat_min_s: s(0.2),
            preheat_max_s: s(0.2),
            steady_span_s: s(0.0),
            window_s: s(0.3),
            windows_min: 3,
            windows_max: 3,
            target_half_width: Ratio::new(0.01),
            case_timeout_s: s(10.0),
            submission_s: s(0.05),
            in_flight: 2,
            random_gap_s: s(0.0),
            interleaved: false,
            sampler_hz: 50.0,
            verify_samples: 256,
        },
        Preset::Standard => Settings {
            idle_s: s(30.0),
            preheat_min_s: s(30.0),
            preheat_max_s: s(240.0),
            steady_span_s: s(30.0),
            window_s: s(10.0),
            windows_min: 5,
            windows_max: 5,
            target_half_width: Ratio::new(0.01),
            case_timeout_s: s(600.0),
            submission_s: s(0.15),
            in_flight: 3,
            random_gap_s: s(0.0),
            interleaved: false,
            sampler_hz: 50.0,
            verify_samples: 256,
        },
        Preset::Publication => Settings {
            preheat_min_s: s(30.0),
            window_s: s(60.0),
            windows_min: 10,
            windows_max: 10,
            target_half_width: Ratio::new(0.005),
            case_timeout_s: s(3600.0),
            random_gap_s: s(1.0),
            interleaved: true,
            ..settings(Preset::Standard)
        },
    }
}

/// True if the preset asks for a settled device before measuring.
pub fn wants_steadiness(settings: &Settings) -> bool {
    settings.steady_span_s.get() > 0.0
}
