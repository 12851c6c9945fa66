//! How a sensor sees power: its response in time, and its gain and offset against another source.
//!
//! Both are found by `calibrate` and kept between runs; a record holds those that were used. What surprises people: a
//! correction is a fact beside the readings, which stay as the sensor gave them; it is applied when energy is computed.

use serde::{Deserialize, Serialize};

use crate::clock::Nanoseconds;
use crate::units::{Ratio, Seconds, Watts};

/// How a power reading follows the power.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "shape", rename_all = "kebab-case")]
pub enum Response {
    /// The power at the instant of the update.
    Instant,
    /// The mean over a window that ends at the update and is no shorter than the update period.
    Boxcar {
        /// Length of the window.
        window_s: Seconds,
    },
    /// The mean over a window shorter than the update period: the rest of the time is not seen.
    PartTime {
        /// Length of the window.
        window_s: Seconds,
    },
    /// A first-order low-pass filter: each step is approached exponentially.
    LowPass {
        /// Time after which a step has been followed to 1 − 1/e (63 %).
        time_constant_s: Seconds,
    },
    /// A cumulative counter: each tick adds what flowed since the one before.
    Counter,
}

/// What `calibrate` found of one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SensorProfile {
    /// Shape of the response.
    pub response: Response,
    /// Time between two updates of the value; for a counter, between two ticks.
    pub update_period_s: Seconds,
    /// Time from a change of power to the end of the window that first holds it: how much older than its poll a value is
    /// beyond waiting for the next update.
    pub delay_s: Seconds,
    /// Part of the time that the sensor looks at, 0 to 1.
    pub coverage: Ratio,
    /// Root mean square of what the fitted response leaves over, as a part of the square wave's height.
    pub residual: Ratio,
    /// UTC time of the calibration, RFC 3339.
    pub measured: String,
}

/// Gain and offset of a channel against a reference source, for the same power at the same time: the channel reads
/// `gain · reference + offset`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Correction {
    /// Watts read for each watt of the reference.
    pub gain: f64,
    /// Watts read at 0 W of the reference.
    pub offset_w: Watts,
    /// Systematic error left over, 95 %, as a ratio: that of the fit together with what the reference states of itself.
    pub error: Ratio,
    /// The reference source and channel, `source/channel`.
    pub against: String,
    /// What the reference's watts include, in words, where it differs from the channel's own scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_note: Option<String>,
    /// UTC time of the calibration, RFC 3339.
    pub measured: String,
}

/// A stretch of time in which a calibrating load was on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoadPhase {
    /// Start.
    pub from_ns: Nanoseconds,
    /// End (exclusive): the start of the next phase, if there is one.
    pub until_ns: Nanoseconds,
    /// Whether the device was under load.
    pub on: bool,
}

/// A load that was switched on and off at a fixed period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SquareWave {
    /// Period that was aimed at, on and off together.
    pub period_s: Seconds,
    /// The phases as they came out, in order of time.
    pub phases: Vec<LoadPhase>,
}

/// The raw facts of a sensor calibration; the readings are in the record's traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SensorCalibration {
    /// Ordinal of the device that was loaded.
    pub device: u32,
    /// The waves that drove it, in order of time.
    pub waves: Vec<SquareWave>,
}
