//! Where watts come from: the trait of a source, the sampler that polls sources, and the integration of its traces.
//!
//! Each source is one file in [`sources`]; to add one, write it and add one line to [`PROBES`]. What surprises people: a
//! failed read is a gap with a reason, never a zero, and never ends a run.

pub mod against;
pub mod characterise;
mod counter;
mod frozen;
pub mod integrate;
mod lag;
pub mod profiled;
mod readings;
pub mod request;
pub mod sampler;
pub mod sources;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::clock::{Activity, Nanoseconds, RunClock};
use crate::model::{Device, SourceInfo};
use crate::units::Watts;

pub use integrate::{
    Chosen, PartTime, ScopeEnergy, WindowError, frozen_channels, holds_device, part_time_look, power_series,
    settling_time, window_energies,
};
pub use request::{PowerRequestError, accepting_any_certificate, open, refuse_secrets};
pub use sampler::Sampler;
pub use sources::PROBES;
pub use sources::scripted::PowerScript;

/// What separates a source's note from its count of readings that had to be left out; see [`left_out`].
pub const LEFT_OUT: &str = "; left out: ";

/// What a source says in its note of readings that it had to leave out.
pub fn left_out(note: &str) -> Option<&str> {
    note.split_once(LEFT_OUT).map(|(_, counts)| counts)
}

/// Why a poll gave no reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// This poll failed; the next may succeed.
    #[error("{0}")]
    Transient(String),
    /// The sensor is gone for good.
    #[error("{0}")]
    Gone(String),
}

/// One thing that is polled.
pub trait PowerSource: Send {
    /// What it is and what its channels are. Only the note may change while it is polled; the last one is recorded.
    fn info(&self) -> &SourceInfo;
    /// Cadence beyond which polling brings nothing new; `None` to follow the sampler.
    fn useful_hz(&self) -> Option<f64> {
        None
    }
    /// Reads all channels at one instant into `values`, one slot per channel of [`SourceInfo::channels`], in order and
    /// in the channel's unit. A slot left `None` is a gap of that channel. Allocates nothing when it succeeds.
    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError>;
}

/// What a probe may look at.
#[derive(Debug, Clone)]
pub struct ProbeContext {
    /// Folder below which sensor trees are read: `/` except in tests.
    pub root: PathBuf,
    /// Devices of the run, to join sensors by PCI address.
    pub devices: Vec<Device>,
    /// Watts declared by the user.
    pub assume_watts: Option<Watts>,
    /// What follows the colon in `--power kind:ARGUMENT`, for example a file.
    pub argument: Option<String>,
    /// The run's clock.
    pub clock: RunClock,
    /// What simulated devices are doing, for the scripted source.
    pub activity: Option<Activity>,
}

/// A sensor that exists but cannot be used, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What was tried, for example a path or a library.
    pub what: String,
    /// Why it cannot be used.
    pub why: String,
    /// One line that says what to do.
    pub remedy: String,
}

/// What a probe found.
#[derive(Default)]
pub struct Findings {
    /// Sources that answered at least once.
    pub sources: Vec<Box<dyn PowerSource>>,
    /// Sensors that exist but cannot be used.
    pub obstacles: Vec<Obstacle>,
}

/// Details of devices by ordinal: `uuid`, `serial`, `vbios`, as far as a driver tells them.
pub type Identities = BTreeMap<u32, BTreeMap<String, String>>;

/// What tells a board from others of its kind, by device ordinal, for [`Provenance`](crate::model::Provenance); a device of
/// which nothing is known has no entry.
pub fn identities(context: &ProbeContext) -> Identities {
    let mut all = sources::nvml::identities(context);
    all.extend(sources::amdgpu::identities(context));
    all
}

/// A kind of power source.
pub struct Probe {
    /// Name for `--power`.
    pub kind: &'static str,
    /// One sentence for `wattmark devices` and `--help`.
    pub summary: &'static str,
    /// Whether `--power auto` asks it; kinds that need a file, an address or a program answer only when they are named.
    pub automatic: bool,
    /// Looks for sensors of this kind. Finding none is not an error.
    pub open: fn(&ProbeContext) -> Findings,
}
