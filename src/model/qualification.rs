//! What a qualification found of each device: metrics and checks, small enough to be collected from a whole fleet.
//!
//! The raw windows and readings stay in the runs that it names as its segments. What surprises people: a qualification holds
//! results, which a run's record never does; they are there for `fleet` and for a device's own history, and can be made
//! again from the segments at any time.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Case, Device, Evidence, Host, RunStatus, SchemaVersion, Scope, Tool, Warning};
use crate::units::Seconds;

/// Value of a qualification's `schema` field.
pub const QUALIFICATION_SCHEMA: &str = "wattmark/qualification";

/// Version of the format that this build writes.
pub const QUALIFICATION_VERSION: SchemaVersion = SchemaVersion { major: 1, minor: 0 };

/// What a qualification says in a word, of a check, a device or a node. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Within every limit.
    Pass,
    /// Worth a look; the device may be used.
    Warn,
    /// What a verdict needs was not measured, or no reference says what is normal.
    Inconclusive,
    /// Beyond a limit; the device should not be used as it is.
    Fail,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Fail => "FAIL",
        })
    }
}

/// What the load of a stretch of time consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Integer arithmetic with a result that is known to the last bit.
    Integer,
    /// Floating-point matrix products.
    Arithmetic,
    /// Memory traffic.
    Memory,
    /// Arithmetic and memory traffic at the same time.
    Mixed,
    /// Load and rest in turns, so that power rises and falls in steps.
    Steps,
}

impl Phase {
    /// All phases in the order of a round.
    pub const ALL: [Self; 5] = [Self::Integer, Self::Arithmetic, Self::Memory, Self::Mixed, Self::Steps];

    /// Its name, as in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Arithmetic => "arithmetic",
            Self::Memory => "memory",
            Self::Mixed => "mixed",
            Self::Steps => "steps",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One figure of one device, by a name that is stable across versions: `arithmetic.rate.mean`, `memory.efficiency.p1`,
/// `temperature.rise_per_watt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Metric {
    /// Its name.
    pub id: String,
    /// Value in `unit`.
    pub value: f64,
    /// Unit symbol, base units: `FLOP/s`, `B/J`, `K/W`, `1`.
    pub unit: String,
    /// 95 % interval, where one is honest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// Windows or readings behind it.
    pub n: u64,
    /// How the energy in it came about; `None` where it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What its watts include; `None` where it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Which way is better; `None` where neither is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<Better>,
}

/// Which way of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// Rates and efficiencies.
    Higher,
    /// Temperatures, jitter, error counts.
    Lower,
}

/// What a limit was taken from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reference {
    /// It holds for any device: no error is acceptable.
    Absolute,
    /// A profile file.
    Profile {
        /// Its name.
        name: String,
    },
    /// Devices of the same model in the same qualification.
    Peers {
        /// How many, without the device itself.
        devices: u32,
    },
    /// Earlier qualifications of the same device.
    History {
        /// How many.
        runs: u32,
    },
}

/// One thing that was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckOutcome {
    /// Code that is stable across versions, `Q01`.
    pub code: String,
    /// What was looked at, in a few words.
    pub title: String,
    /// What came of it.
    pub grade: Grade,
    /// Metric that was held against the limit, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Unit of both.
    pub unit: String,
    /// Where the limit comes from.
    pub reference: Reference,
    /// The stretch of time that it rests on, in seconds of the qualification; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_s: Option<(f64, f64)>,
    /// What was found, with the numbers.
    pub detail: String,
    /// What to do about it; empty for a pass.
    pub action: String,
}

/// The case that stands for a phase on a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PhaseWork {
    /// The phase.
    pub phase: Phase,
    /// Its work, with inputs and kernel.
    pub case: Case,
}

/// Outputs of one phase on one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PhaseOutputs {
    /// The phase.
    pub phase: Phase,
    /// Digest that the arithmetic demands, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// The digests that were seen, the most frequent first.
    pub seen: Vec<SeenDigest>,
    /// Part of the output's bytes that a digest holds, 0 to 1.
    pub coverage: f64,
    /// Checks of sums or samples that failed, in words with the time.
    pub failures: Vec<String>,
}

/// A digest of an output, and how often it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SeenDigest {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Windows that left it.
    pub windows: u64,
    /// End of the first such window, in seconds of the qualification.
    pub first_s: f64,
    /// End of the last.
    pub last_s: f64,
}

/// One device of a qualification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct QualifiedDevice {
    /// The device.
    pub device: Device,
    /// What tells this board from others of its kind: `serial`, `uuid`.
    pub identity: BTreeMap<String, String>,
    /// The work of each phase: only like work is compared across nodes.
    pub work: Vec<PhaseWork>,
    /// What was measured.
    pub metrics: Vec<Metric>,
    /// Digests of each phase's outputs, so that devices of one model can be held against each other across nodes.
    pub outputs: Vec<PhaseOutputs>,
    /// What was checked, gravest first.
    pub checks: Vec<CheckOutcome>,
    /// The gravest grade of its checks.
    pub grade: Grade,
}

/// A run that holds the raw windows and readings of a part of the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Segment {
    /// File beside the qualification.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// A qualification of the devices of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Qualification {
    /// Always [`QUALIFICATION_SCHEMA`].
    pub schema: String,
    /// Version of the format.
    pub version: SchemaVersion,
    /// Identifier: the name of its folder.
    pub id: String,
    /// UTC time of the start, RFC 3339.
    pub started: String,
    /// UTC time of the end.
    pub ended: Option<String>,
    /// How it ended. `running` in the file of a process that is gone means that it was killed.
    pub status: RunStatus,
    /// True if times and power were scripted.
    pub simulated: bool,
    /// True if errors were made in outputs on purpose: it says something of the checks, and nothing of the devices.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inject_error: bool,
    /// The tool.
    pub tool: Tool,
    /// SHA-256 of the program that measured.
    pub program_sha256: String,
    /// The node.
    pub host: Host,
    /// What the user says of the node: `rack` = `r12`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Length that was asked for.
    pub planned_s: Seconds,
    /// Length of the load that was measured.
    pub measured_s: Seconds,
    /// Devices in order of their ordinals.
    pub devices: Vec<QualifiedDevice>,
    /// The gravest grade of the devices.
    pub grade: Grade,
    /// Runs with the raw data, in order of time.
    pub segments: Vec<Segment>,
    /// What weakens the whole.
    pub warnings: Vec<Warning>,
}
