//! Sustained load: phases that take turns on all devices at once, for as long as is asked, saved in segments.
//!
//! A segment is an ordinary run record of a few minutes, so that hours of load need bounded memory and a crash costs one
//! segment at most. Each phase of a device is one measurement, whose windows lie spread over the rounds. What surprises
//! people: one host thread serves all devices, with several submissions in flight on each.

mod lane;
mod output;
mod rounds;
mod seat;
mod segment;
mod work;

pub use work::work;

use crate::gpu::Machine;
use crate::model::{Case, Phase, RunRecord, Window};
use crate::power::Sampler;
use crate::units::Seconds;

/// What to load, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct SoakPlan {
    /// The cases by phase, of every device (a case names its device).
    pub work: Vec<(Phase, Case)>,
    /// Load time in all, with the rests of the power steps.
    pub duration: Seconds,
    /// Load time that was measured already, in segments of an earlier process.
    pub done: Seconds,
    /// Number of the first segment, from 1: one after the last of an earlier process.
    pub first_segment: u32,
    /// Load time after which a segment is closed.
    pub segment: Seconds,
    /// Length of a measured window.
    pub window: Seconds,
    /// True if one bit of one output of each phase is flipped once, to prove that the checks notice.
    pub inject_error: bool,
}

/// What happens, for progress displays.
pub enum SoakEvent<'a> {
    /// A phase begins on all devices.
    Phase {
        /// The phase.
        phase: Phase,
        /// Round, from 1.
        round: u32,
    },
    /// A window is done.
    Window {
        /// The case.
        case: &'a Case,
        /// Its phase.
        phase: Phase,
        /// The window.
        window: &'a Window,
    },
    /// An output is wrong, or differs from an earlier one.
    WrongOutput {
        /// The case.
        case: &'a Case,
        /// Its phase.
        phase: Phase,
        /// What was found.
        detail: &'a str,
    },
    /// A device was lost; the others go on.
    Lost {
        /// Its ordinal.
        device: u32,
        /// The error.
        reason: &'a str,
    },
    /// A segment is full and saved.
    Segment {
        /// Its number, from 1.
        number: u32,
        /// Load time so far, with that of earlier processes.
        done: Seconds,
    },
    /// Saving failed; the load goes on and saving is tried again with the next segment.
    SaveFailed(&'a str),
}

/// What a sustained load works with.
pub struct SoakSetup<'a> {
    /// The devices.
    pub machine: &'a dyn Machine,
    /// The sampler, already running; `None` without power.
    pub sampler: Option<&'a Sampler>,
    /// True once the user asked to stop.
    pub interrupted: &'a dyn Fn() -> bool,
    /// Who is told.
    pub observer: &'a mut dyn FnMut(&SoakEvent<'_>),
    /// Makes the empty record of the next segment: provenance, plan, devices.
    pub segment: &'a mut dyn FnMut(u32) -> RunRecord,
    /// Writes a segment's record under its number; called again for the same number as it grows.
    pub save: &'a mut dyn FnMut(u32, &RunRecord) -> Result<(), String>,
}

/// An error that was made on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InjectedPhase {
    /// Ordinal of the device.
    pub device: u32,
    /// The phase whose output was changed.
    pub phase: Phase,
    /// True if a check noticed.
    pub caught: bool,
}

/// How a load ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SoakEnd {
    /// Load time, with that of earlier processes.
    pub done: Seconds,
    /// Segments of this process.
    pub segments: u32,
    /// True if the user stopped it.
    pub interrupted: bool,
    /// Losses of devices, in order of time, with the errors; the first hundred.
    pub lost: Vec<(u32, String)>,
    /// The errors that were made on purpose.
    pub injected: Vec<InjectedPhase>,
}

/// Loads all devices until the time is up or the user stops it. A device that is lost or computes wrongly is reported in
/// the segments and to the observer, and ends nothing.
pub fn run(setup: &mut SoakSetup<'_>, plan: &SoakPlan) -> SoakEnd {
    rounds::Load::new(setup, plan).run()
}

#[cfg(test)]
mod tests;
