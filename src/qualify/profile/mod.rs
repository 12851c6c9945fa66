//! What is normal for a model of device: limits by figure, with the records that they were learned from.
//!
//! A profile is a TOML file that people may edit; `read` checks it and `learn` makes it from known-good qualifications.
//! What surprises people: it names the exact work (kernel, shape, parameters), because a rate of another kernel is no
//! reference; and it holds no limit for estimated energy.

mod error;
mod learn;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use super::identity::simulated;
use super::limits::Limits;
use super::work::Works;
use crate::model::Device;
use crate::names;

pub use error::{LearnError, ProfileError};

/// Value of a profile's `schema` key.
pub const PROFILE_SCHEMA: &str = "wattmark/profile";
/// Version of the format that this build reads and writes.
pub const PROFILE_VERSION: u32 = 1;

/// Profiles that go with the program: one line for each file in `profiles/`, and only of hardware that was measured.
const SHIPPED: [&str; 0] = [];

/// Limit of one figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProfileLimit {
    /// Unit of the numbers.
    pub unit: String,
    /// Where it warns and fails.
    pub limits: Limits,
    /// What the watts in it include, where it holds any.
    pub scope: Option<String>,
    /// How they came about: `measured` or `declared`.
    pub evidence: Option<String>,
    /// Median of the devices.
    pub median: Option<f64>,
    /// Lowest value of a known-good run.
    pub lowest: Option<f64>,
    /// Highest value of a known-good run.
    pub highest: Option<f64>,
    /// Robust standard deviation between devices.
    pub sigma: Option<f64>,
}

/// Output of a phase that known-good devices agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileOutput {
    /// SHA-256 of the output.
    pub sha256: String,
    /// Seed of the inputs.
    pub seed: u64,
    /// Driver that compiled the kernel.
    pub driver: String,
}

/// What is normal for a model of device.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// Its name, as verdicts print it.
    pub name: String,
    /// Glob over the device's name.
    pub model: String,
    /// True if it was learned from simulated devices.
    pub simulated: bool,
    /// Devices that it was learned from.
    pub devices: u32,
    /// Runs of them.
    pub runs: u32,
    /// Seconds of load of the shortest run.
    pub load_s: Option<f64>,
    /// How the limits were made, in words.
    pub rule: String,
    /// Version of the program that learned it.
    pub tool: String,
    /// UTC time of the first and last record.
    pub span: Option<(String, String)>,
    /// Drivers of the devices.
    pub drivers: Vec<String>,
    /// Identifiers of the records.
    pub records: Vec<String>,
    /// Figures with limits that hold for any device, which every device told: one that does not is not like them.
    pub told: Vec<String>,
    /// The user's own words about it.
    pub note: String,
    /// Work of each phase.
    pub work: Works,
    /// Outputs that were the same on all devices, by phase.
    pub outputs: BTreeMap<String, ProfileOutput>,
    /// Limits by name of figure.
    pub limits: BTreeMap<String, ProfileLimit>,
}

impl Profile {
    /// Whether the profile is of this device's model.
    ///
    /// # Errors
    /// Why not, with both names.
    pub fn fits(&self, device: &Device) -> Result<(), String> {
        if !names::matches(&self.model, &device.name) {
            return Err(format!(
                "profile {} is for devices named `{}`, and this one is `{}`",
                self.name, self.model, device.name
            ));
        }
        match (self.simulated, simulated(device)) {
            (true, false) => {
                Err(format!("profile {} was learned from simulated devices, and this one is real", self.name))
            }
            (false, true) => {
                Err(format!("profile {} was learned from real devices, and this one is simulated", self.name))
            }
            _ => Ok(()),
        }
    }
}

/// Profiles that go with the program. None does until hardware was measured for it.
pub fn shipped() -> Vec<Profile> {
    SHIPPED.iter().filter_map(|text| Profile::read(text).ok()).collect()
}
