//! What a record says: rates, powers, energies and efficiencies as functions of raw windows and traces.
//!
//! Everything here is recomputed from the record each time; nothing of it is stored. What surprises people: the statistical
//! unit is the window, so `n` counts windows, not dispatches.

pub mod calibration;
mod ceilings;
pub mod claims;
mod command;
mod conditions;
mod energy;
mod evaluate;
mod found;
mod link;
pub mod metrics;
mod reasons;
mod sources;
#[cfg(test)]
pub(in crate::measure) mod testing;
mod throttle;
mod uncertainty;

pub use ceilings::{Ceilings, Roof, RoofKind};
pub use command::{CommandEnergy, CommandResult, EXECUTION, WorkResult};
pub use conditions::{Conditions, Course, PowerLimit, Processes, Settling, Spread, conditions};
pub use energy::window_efficiency;
pub use evaluate::evaluate;
pub use found::Found;
pub use link::{LinkResult, TransferResult, link};
pub use reasons::{Cause, held_beyond_power, reasons};
pub use sources::{SideBySide, SourceRow, SpanEnergy, SpanLabel, WattRatio, side_by_side};
pub use throttle::{CounterShare, ReasonShare, Throttling, throttled_stretches};
pub use uncertainty::{Combined, Evaluation, GainOrigin, Term, Uncertainty, coverage_factor};

use crate::model::{Case, Correction, Counted, Estimate, Evidence, Scope, Skip, Warning};
use crate::units::{
    Bytes, BytesPerJoule, BytesPerSecond, Flop, FlopPerJoule, FlopPerSecond, Joules, Ratio, Seconds, Watts,
};

/// Which reading an energy came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnergyMethod {
    /// Difference of a cumulative counter.
    Counter,
    /// Trapezoid integral of power samples, interpolated to the window's edges.
    Integral,
}

/// Energy of a case within one scope.
#[derive(Debug, Clone, PartialEq)]
pub struct EnergyResult {
    /// Source it was read from.
    pub source: String,
    /// What the watts include.
    pub scope: Scope,
    /// Measured, declared or estimated. Only measured figures carry an interval.
    pub evidence: Evidence,
    /// Counter or integral, by the written rule.
    pub method: EnergyMethod,
    /// Counter over integral, minus 1, where both exist.
    pub disagreement: Option<Ratio>,
    /// Part of the time of all measured windows that readings cover, 0 to 1; a window that is left out counts as 0.
    pub coverage: Ratio,
    /// Gross energy of each measured window of which at least half was read, in order.
    pub window_energy: Vec<Joules>,
    /// Mean power over the windows (gross: idle is not subtracted).
    pub power: Estimate<Watts>,
    /// Idle power with the device open, where it was measured.
    pub idle: Option<Watts>,
    /// Energy of one execution (gross).
    pub per_execution: Estimate<Joules>,
    /// FLOP per joule (gross), for problems that have FLOP.
    pub flop_efficiency: Option<Estimate<FlopPerJoule>>,
    /// Bytes per joule (gross).
    pub byte_efficiency: Estimate<BytesPerJoule>,
    /// Where the width of the interval comes from.
    pub uncertainty: Uncertainty,
    /// The correction that is applied to the readings. Where it has a `scope_note`, the watts include what that says, and
    /// stand for the scope of the reference, not for `scope`.
    pub correction: Option<Correction>,
}

impl EnergyResult {
    /// What the watts include where a correction made them those of another scope, in the words of the correction.
    pub fn scope_note(&self) -> Option<&str> {
        self.correction.as_ref()?.scope_note.as_deref()
    }
}

/// What one measured case says.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// The case.
    pub case: Case,
    /// True if every output check passed. Otherwise all rates are `None`, but for foreign work, of which nothing is ever
    /// verified.
    pub verified: bool,
    /// Work inside the measured windows.
    pub total_flop: Flop,
    /// Compulsory traffic inside the measured windows.
    pub total_bytes: Bytes,
    /// Length of the measured windows together.
    pub total_time: Seconds,
    /// Time of one execution.
    pub per_execution: Option<Estimate<Seconds>>,
    /// FLOP/s, for problems that have FLOP.
    pub flop_rate: Option<Estimate<FlopPerSecond>>,
    /// B/s of compulsory traffic.
    pub byte_rate: Option<Estimate<BytesPerSecond>>,
    /// Energy, one entry per scope; empty when there is no reading.
    pub energy: Vec<EnergyResult>,
    /// Percent of this device's own measured ceiling (0 to 1), where the same run measured one.
    pub of_ceiling: Option<Ratio>,
    /// The ceiling that the share refers to.
    pub roof: Option<Roof>,
    /// What weakens the figures.
    pub warnings: Vec<Warning>,
}

impl CaseResult {
    /// The energy that stands for the case: the narrowest scope that holds the whole device (board before module before
    /// package before host), measured before declared before estimated.
    pub fn headline_energy(&self) -> Option<&EnergyResult> {
        self.energy.iter().min_by_key(|energy| (energy.evidence, energy.scope.headline_rank()))
    }
    /// True if its rates stand: its output was verified, or it is a metered program's, which is marked as such.
    pub fn has_rates(&self) -> bool {
        self.verified || self.case.is_foreign()
    }
    /// True if the case's rate is counted in FLOP.
    pub fn counts_flop(&self) -> bool {
        self.case.counted == Counted::Flop
    }
}

/// What a whole record says: one entry per measured case in order, the skips beside them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunResult {
    /// Measured cases.
    pub cases: Vec<CaseResult>,
    /// Cases without a measurement.
    pub skips: Vec<Skip>,
    /// Ceilings by device ordinal.
    pub ceilings: std::collections::BTreeMap<u32, Ceilings>,
    /// Metered programs, in order.
    pub commands: Vec<CommandResult>,
}
