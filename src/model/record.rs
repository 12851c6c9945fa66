//! The record of a run, and the version of its format.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    CommandMeasurement, Device, IdleBaseline, LinkMeasurement, Measurement, Plan, Provenance, SensorCalibration, Skip,
    SourceTrace, Tuning, Warning,
};

/// Value of a record's `schema` field; anything else is a foreign file.
pub const RECORD_SCHEMA: &str = "wattmark/run";

/// Version of the record format that this build writes.
///
/// * 1.0: first format.
/// * 1.1: precisions, tuning, ceilings, links.
/// * 1.2: sensor profiles and corrections, metered commands.
pub const SCHEMA_VERSION: SchemaVersion = SchemaVersion { major: 1, minor: 3 };

/// Version of the record format. Same major: readable. Newer minor: readable with a warning, never rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SchemaVersion {
    /// Changes when an older reader would misread.
    pub major: u32,
    /// Changes when fields are added.
    pub minor: u32,
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// How far a run came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum RunStatus {
    /// Still going when the record was saved. In a finished process's record it means that the process was killed.
    Running,
    /// All cases were measured or skipped.
    Complete,
    /// Ctrl-C; the record holds what there was.
    Interrupted,
    /// An error ended it; the record holds what there was.
    Failed {
        /// The error.
        reason: String,
    },
}

/// One run: self-contained, with every raw reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunRecord {
    /// Always [`RECORD_SCHEMA`].
    pub schema: String,
    /// Version of the format.
    pub version: SchemaVersion,
    /// Identifier: the name of the run's folder.
    pub run_id: String,
    /// UTC time of the run clock's zero, RFC 3339.
    pub started: String,
    /// UTC time of the end, RFC 3339; `None` while running.
    pub ended: Option<String>,
    /// True if times and power were scripted.
    pub simulated: bool,
    /// How far it came.
    pub status: RunStatus,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What it was going to do.
    pub plan: Plan,
    /// Devices that took part.
    pub devices: Vec<Device>,
    /// Idle power per device.
    pub idle: Vec<IdleBaseline>,
    /// Measured cases in order of execution.
    pub measurements: Vec<Measurement>,
    /// Cases without a measurement, with the reason.
    pub skips: Vec<Skip>,
    /// What it costs to start work on a device and to move bytes to it and back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkMeasurement>,
    /// Programs that were metered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandMeasurement>,
    /// Square waves of load that calibrated sensors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibrations: Vec<SensorCalibration>,
    /// Readings of every power source over the whole run.
    pub traces: Vec<SourceTrace>,
    /// How cases were tuned; a case without an entry ran with untuned defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tunings: Vec<Tuning>,
    /// What weakens the run as a whole.
    pub warnings: Vec<Warning>,
}

impl RunRecord {
    /// Device of an ordinal.
    pub fn device(&self, ordinal: u32) -> Option<&Device> {
        self.devices.iter().find(|device| device.ordinal == ordinal)
    }
}
