//! What was measured of one case: windows, timing, verification, how it began and why it stopped.

use serde::{Deserialize, Serialize};

use super::Case;
use crate::clock::Nanoseconds;
use crate::units::Seconds;

/// What a stretch of time was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WindowKind {
    /// Nothing runs; no device is open.
    IdleCold,
    /// Nothing runs; the device is open.
    IdleContext,
    /// Load before measuring, until steady.
    Preheat,
    /// Load that counts.
    Measure,
    /// After the load.
    Cooldown,
}

/// A stretch of time on the run's clock, with the work that completed inside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Window {
    /// What it was for.
    pub kind: WindowKind,
    /// Start: the instant at which the submission before its first one completed.
    pub start_ns: Nanoseconds,
    /// End: the instant at which its last submission completed.
    pub end_ns: Nanoseconds,
    /// Executions of the problem that completed inside it.
    pub dispatches: u64,
    /// Sum of the device's own pass durations, from timestamps; `None` without timestamps.
    pub device_busy_ns: Option<u64>,
}

impl Window {
    /// Length of the window.
    pub fn duration(&self) -> Seconds {
        self.end_ns.since(self.start_ns)
    }
}

/// Clock that timed the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TimingMethod {
    /// Timestamps written by the device at the edges of each pass, checked against the host's clock.
    DeviceTimestamps,
    /// The host's clock at the completion of each submission.
    HostClock,
}

/// How the case was timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timing {
    /// Clock used for the per-execution time.
    pub method: TimingMethod,
    /// Nanoseconds per tick of the device clock.
    pub timestamp_period_ns: Option<f64>,
    /// Device-busy time of all measured windows over their host time; 1 when the device never waited.
    pub busy_fraction: Option<f64>,
}

/// How the size of a submission was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Calibration {
    /// Time of one execution in the calibration run.
    pub per_dispatch_s: Seconds,
    /// Executions in one submission.
    pub dispatches_per_submission: u32,
    /// Submissions kept in flight.
    pub in_flight: u32,
}

/// Result of comparing outputs with the float64 reference.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// Outputs compared.
    pub sampled: u64,
    /// Largest error, in units of its own bound (1 is the limit).
    pub worst_error_in_bounds: f64,
    /// Largest absolute error.
    pub max_abs_error: f64,
    /// 32-bit words of the outputs scanned for poison that was never overwritten.
    pub scanned: u64,
    /// Freivalds' check of the whole output, where it is a matrix product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductCheck>,
    /// Comparison of every element, where the variant demands it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<ComparisonCheck>,
}

/// A passed check of a whole matrix product by Freivalds' method: random ±1 sums of its rows (and columns) against float64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProductCheck {
    /// Rows that were checked: all of them.
    pub rows: u64,
    /// Columns that were checked: all of them, or 0 where rows suffice.
    pub columns: u64,
    /// Random vectors.
    pub trials: u32,
    /// Largest difference of a sum, in units of its own bound (1 is the limit).
    pub worst_error_in_bounds: f64,
}

/// A passed comparison of every element of the outputs with a trusted result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ComparisonCheck {
    /// Elements that were compared: all of them.
    pub elements: u64,
    /// What computed the trusted result: a variant on the same device and inputs, or `float64 reference`.
    pub against: String,
    /// Largest difference, in units of the limit.
    pub worst_error_in_limits: f64,
}

/// One bit of one output element that was flipped on purpose, to prove that the checks catch it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InjectedError {
    /// Name of the output tensor.
    pub tensor: String,
    /// Index of the element in it.
    pub index: u64,
    /// Bit of the element, 0 is the lowest.
    pub bit: u32,
    /// Value before, as text: a flipped bit may make it infinite or not a number.
    pub before: String,
    /// Value after.
    pub after: String,
    /// True if the verification failed because of it.
    pub caught: bool,
}

/// Whether the outputs are right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Verification {
    /// Outputs agree with the reference, before the load and after the last window.
    Passed {
        /// Check of a single execution before the load.
        before: Check,
        /// Check of the output that was timed last.
        after: Check,
    },
    /// Outputs are wrong. No rate is given for such a case.
    Failed {
        /// What was wrong, where.
        detail: String,
        /// When: `before the load` or `after window 3`.
        when: String,
    },
}

/// Whether power, temperature and clocks settled before measuring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Steadiness {
    /// True if the rule was met.
    pub reached: bool,
    /// Preheat time until the rule was met, or in all.
    pub after_s: Seconds,
    /// What was unmet, or the rule that was met, in words.
    pub detail: String,
}

/// Why no further window was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The interval is as tight as asked for.
    TightEnough,
    /// More windows no longer make the interval tighter.
    NoLongerImproving,
    /// The largest number of windows was reached.
    WindowCap,
    /// The case's time was up.
    Timeout,
    /// Ctrl-C.
    Interrupted,
}

/// Kinds of warnings; each has a code that is stable across versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WarningCode {
    /// W01: the preheat ended before power and temperature settled.
    Unsteady,
    /// W02: windows shorter than 20 sensor updates or 10 averaging windows.
    WindowTooShort,
    /// W03: energy counter and power integral differ by more than 5 %.
    CounterDisagrees,
    /// W04: device timestamps and wall clock differ by more than 2 %.
    ClocksDisagree,
    /// W05: a sensor gave no reading for part of a window.
    SensorGap,
    /// W06: a sensor's value never changed while the load did.
    SensorFrozen,
    /// W07: a sensor vanished during the run.
    SensorGone,
    /// W08: clocks were held down during a window.
    Throttled,
    /// W09: energy is estimated, not measured.
    EnergyEstimated,
    /// W10: there is no power reading at all.
    NoPower,
    /// W11: the sampler did not reach its cadence.
    SamplerSlow,
    /// W12: other processes use the device.
    OtherProcesses,
    /// W13: the device was lost and the case repeated with half the batch.
    DeviceLost,
    /// W14: anything else, in words.
    Other,
    /// W15: a single dispatch lasts longer than drivers and desktops bear.
    LongDispatch,
}

impl WarningCode {
    /// The short code printed before the text, for example `W03`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unsteady => "W01",
            Self::WindowTooShort => "W02",
            Self::CounterDisagrees => "W03",
            Self::ClocksDisagree => "W04",
            Self::SensorGap => "W05",
            Self::SensorFrozen => "W06",
            Self::SensorGone => "W07",
            Self::Throttled => "W08",
            Self::EnergyEstimated => "W09",
            Self::NoPower => "W10",
            Self::SamplerSlow => "W11",
            Self::OtherProcesses => "W12",
            Self::DeviceLost => "W13",
            Self::Other => "W14",
            Self::LongDispatch => "W15",
        }
    }
}

/// Something that weakens a figure: what it does to the number, and what to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Warning {
    /// Kind.
    pub code: WarningCode,
    /// What happened, what it does to the number, what to try.
    pub text: String,
}

/// Power before any load, once per device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IdleBaseline {
    /// Ordinal of the device.
    pub device: u32,
    /// The idle windows (cold: no device open; context: device open, no work).
    pub windows: Vec<Window>,
}

/// Outputs of a phase of a qualification, window by window: equal inputs must give equal bits each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sustained {
    /// The phase that the case stands for.
    pub phase: super::Phase,
    /// Bytes of output in a digest: all of them, or samples where the output is too large to be read after every window.
    pub digested_bytes: u64,
    /// Bytes of output in all.
    pub output_bytes: u64,
    /// Digest that the arithmetic itself demands, to the last bit; `None` where rounding is the device's own affair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// SHA-256 of the output that each measured window left, in order, in hexadecimal.
    pub digests: Vec<String>,
}

/// Everything measured of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measurement {
    /// What was run.
    pub case: Case,
    /// Whether the outputs were right. Without `passed` the case has no rate.
    pub verification: Verification,
    /// How the submission size was found; `None` if verification failed before.
    pub calibration: Option<Calibration>,
    /// How it was timed; `None` if no window was measured.
    pub timing: Option<Timing>,
    /// Whether the device had settled.
    pub steadiness: Option<Steadiness>,
    /// Preheat and measured windows in order of time.
    pub windows: Vec<Window>,
    /// Why it stopped.
    pub stop: Option<StopReason>,
    /// What weakens the figures.
    pub warnings: Vec<Warning>,
    /// The error that was made in its output on purpose, under `--inject-error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injected: Option<InjectedError>,
    /// What a qualification adds: the phase, and a digest of the output of every window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sustained: Option<Sustained>,
}

impl Measurement {
    /// The windows that count.
    pub fn measured(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter(|window| window.kind == WindowKind::Measure)
    }
    /// True if every check passed.
    pub fn verified(&self) -> bool {
        matches!(self.verification, Verification::Passed { .. })
    }
}

/// Why a case was not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// The device lacks a feature.
    MissingFeature,
    /// A buffer or dispatch exceeds a limit of the device.
    TooLarge,
    /// The device has too little memory.
    OutOfMemory,
    /// The shader did not compile.
    CompileError,
    /// The device was lost twice.
    DeviceLost,
    /// The run was interrupted before it.
    Interrupted,
    /// Anything else, in words.
    Other,
}

/// A case that has no measurement, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Skip {
    /// What would have been run.
    pub case: Case,
    /// Kind of reason.
    pub reason: SkipReason,
    /// The reason in words, with the numbers.
    pub detail: String,
}
