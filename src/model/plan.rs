//! What a run is going to do, fully resolved: pure data, printed by `--dry-run`, stored in the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Case;
use crate::units::{Ratio, Seconds, Watts};

/// A named bundle of visible settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Indicative: the default suite in under 60 s a device.
    Quick,
    /// 30 s idle, preheat until steady, five windows of 10 s or more.
    Standard,
    /// Ten windows of 60 s, interleaved, with random gaps.
    Publication,
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Publication => "publication",
        })
    }
}

/// The settings of the protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Settings {
    /// Idle time before any device is open, and again with the device open.
    pub idle_s: Seconds,
    /// Least preheat time per case.
    pub preheat_min_s: Seconds,
    /// Most preheat time per case; the case is `unsteady` if the rule is still unmet.
    pub preheat_max_s: Seconds,
    /// Length over which the steadiness rule looks.
    pub steady_span_s: Seconds,
    /// Least length of a window; it grows to 20 sensor updates and 10 averaging windows unless the preset is quick.
    pub window_s: Seconds,
    /// Windows to measure before the stop rule is asked.
    pub windows_min: u32,
    /// Most windows.
    pub windows_max: u32,
    /// The stop rule is content when the relative half-width of the efficiency's interval is below this.
    pub target_half_width: Ratio,
    /// Most time for one case's windows.
    pub case_timeout_s: Seconds,
    /// Aimed length of one submission.
    pub submission_s: Seconds,
    /// Submissions kept in flight.
    pub in_flight: u32,
    /// Most random pause before a window, from the seed (0 for none).
    pub random_gap_s: Seconds,
    /// Windows of different cases take turns instead of following one another.
    pub interleaved: bool,
    /// Cadence of the power sampler.
    pub sampler_hz: f64,
    /// Outputs compared with the float64 reference in each check.
    pub verify_samples: u32,
}

/// Where a setting's value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The command line.
    Flag,
    /// An environment variable.
    Environment,
    /// The configuration file.
    Config,
    /// The preset.
    Preset,
    /// The built-in default.
    Default,
}

/// What was asked for under `--power`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum PowerRequest {
    /// Every source that answers; an estimate only when none does.
    Auto {
        /// Watts declared by the user, used only when no sensor answers.
        assume_watts: Option<Watts>,
    },
    /// These kinds of sources, and an error when one does not answer.
    Only {
        /// Kinds, for example `nvml`, `rapl`, `csv:FILE`.
        kinds: Vec<String>,
        /// Watts declared by the user (used by kind `estimate`).
        assume_watts: Option<Watts>,
    },
    /// No power at all.
    None,
}

/// Grid, PUE and site that were named with the run; used as defaults when the record is shown again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AccountRequest {
    /// `--grid` as given.
    pub grid: Option<String>,
    /// `--pue` as given.
    pub pue: Option<f64>,
    /// `--site` as given.
    pub site: Option<String>,
}

/// A run, fully resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// Preset the settings began from.
    pub preset: Preset,
    /// Resolved settings.
    pub settings: Settings,
    /// Where each setting came from that is not from the preset.
    pub origins: BTreeMap<String, Origin>,
    /// Configuration file, if one was read.
    pub config_file: Option<String>,
    /// What was asked of the power sources.
    pub power: PowerRequest,
    /// Grid, PUE and site named with the run.
    pub account: AccountRequest,
    /// Seed of inputs and random gaps.
    pub seed: u64,
    /// Cases in order of execution.
    pub cases: Vec<Case>,
    /// Expected duration of the whole run, without building pipelines.
    pub expected_s: Seconds,
    /// True if one bit of each case's output was to be flipped after its last window, to prove that the checks catch it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inject_error: bool,
    /// Variants of the user's own that were added to the shipped ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_shaders: Vec<UserShader>,
}

/// A variant that was read from the user's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserShader {
    /// Identifier, for example `gemm/mine`.
    pub variant: String,
    /// Its WGSL file; the manifest lies beside it.
    pub path: String,
    /// SHA-256 of shader and manifest, in hex; empty if it could not be used.
    pub sha256: String,
    /// Why it could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}
