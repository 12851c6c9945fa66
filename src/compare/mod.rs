//! Two records: cases paired, ratios B/A with intervals and a verdict word, and every difference of provenance.
//!
//! More records are compared with the first, one by one. What surprises people: ratios are always B over A, so "better" means
//! that B is better. Efficiency and carbon are refused where the energies differ in scope or evidence, unless forced; speed is
//! still compared. Two boards whose sensors cannot tell them apart are "unclear", however tight their windows.

mod commands;
mod energy;
#[cfg(test)]
mod experiments;
mod family;
mod pair;
pub mod procurement;
mod provenance;
mod ratio;
mod rule;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::account::Site;
use crate::measure::result::{CaseResult, RunResult};
use crate::model::{Case, Evidence, RunRecord, Scope};
use crate::units::Ratio;

pub use commands::CommandPair;
pub use family::Mean;
pub use provenance::{Difference, Place, Topic};
pub use ratio::{Judged, Sensors, Verdict, percent};
pub use rule::{Breach, Checked, Rule};

use ratio::{Sample, judge};

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Smallest effect that counts, as a ratio: 0.01 for 1 %.
    pub noise: Ratio,
    /// The one site at which carbon is compared.
    pub site: Site,
    /// Give the bare ratio of energies of other scope or evidence, marked, instead of refusing it.
    pub force: bool,
}

impl Options {
    /// Options that refuse what does not mean the same thing.
    pub const fn new(noise: Ratio, site: Site) -> Self {
        Self { noise, site, force: false }
    }
}

/// Which record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// What came of comparing one quantity.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Outcome {
    /// A ratio with its verdict.
    Compared(Box<Judged>),
    /// No ratio would be honest.
    Refused {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// The ratio, where there is one.
    pub fn judged(&self) -> Option<&Judged> {
        match self {
            Self::Compared(judged) => Some(judged),
            Self::Refused { .. } => None,
        }
    }
    /// The ratio, where there is one that was not forced.
    pub fn honest(&self) -> Option<&Judged> {
        self.judged().filter(|judged| judged.forced.is_none())
    }
    fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

impl From<Result<Judged, String>> for Outcome {
    fn from(result: Result<Judged, String>) -> Self {
        match result {
            Ok(judged) => Self::Compared(Box::new(judged)),
            Err(reason) => Self::Refused { reason },
        }
    }
}

/// Energy scope, evidence and sources that a pair's efficiency rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnergyBasis {
    /// What the joules include; on both sides, unless the pair was forced.
    pub scope: Scope,
    /// How they came about; on both sides, unless the pair was forced.
    pub evidence: Evidence,
    /// Power source of A.
    pub source_a: String,
    /// Power source of B.
    pub source_b: String,
    /// What B's joules include: the same, unless the pair was forced.
    pub scope_b: Scope,
    /// How B's joules came about: the same, unless the pair was forced.
    pub evidence_b: Evidence,
}

/// One case of A beside one case of B.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Case of A.
    pub a: Case,
    /// Case of B.
    pub b: Case,
    /// What a reader must know about the pairing, such as different variants.
    pub notes: Vec<String>,
    /// FLOP/s or B/s.
    pub speed: Outcome,
    /// FLOP/J or B/J, gross.
    pub efficiency: Outcome,
    /// Grams per EFLOP or per PB at one site; a lower figure is better.
    pub carbon: Outcome,
    /// What the last two rest on; `None` if they were refused.
    pub energy: Option<EnergyBasis>,
}

/// A case that has no partner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unpaired {
    /// The record it is in.
    pub side: Side,
    /// The case.
    pub case: Case,
    /// Why it stands alone.
    pub reason: String,
    /// True if its own record has no figures of it either: it was skipped there.
    pub skipped: bool,
}

/// Two records compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Run id of A.
    pub run_a: String,
    /// Run id of B.
    pub run_b: String,
    /// Smallest effect that counts.
    pub noise: Ratio,
    /// Pairs in A's order.
    pub pairs: Vec<Pair>,
    /// Metered programs with one label, by unit of work; those that amount to a case of ours stand among the pairs.
    pub commands: Vec<CommandPair>,
    /// Cases and skips without a partner.
    pub unpaired: Vec<Unpaired>,
    /// Everything that differs between the two runs besides the figures.
    pub differences: Vec<Difference>,
    /// Tests behind Holm's adjustment: all speeds and all efficiencies that have a p-value. Carbon is no test of its own.
    pub tests: usize,
    /// True if A and B are one and the same record, or the same device of it.
    pub same_record: bool,
    /// Geometric mean of the speed ratios (a description, without a verdict).
    pub mean_speed: Option<Mean>,
    /// Geometric mean of the efficiency ratios that were not forced.
    pub mean_efficiency: Option<Mean>,
}

/// Compares two records; ratios are B over A.
pub fn compare(
    result_a: &RunResult,
    record_a: &RunRecord,
    result_b: &RunResult,
    record_b: &RunRecord,
    options: &Options,
) -> Comparison {
    let same_record = record_a == record_b && result_a == result_b;
    let commands = commands::pairs((result_a, record_a), (result_b, record_b), options);
    let (result_a, result_b) = (&with_foreign(result_a), &with_foreign(result_b));
    let pairing = pair::pair(result_a, result_b);
    let mut pairs: Vec<Pair> = pairing
        .pairs
        .iter()
        .map(|(x, y, notes)| compare_pair((record_a, x), (record_b, y), notes.clone(), options))
        .collect();
    let mut commands = commands;
    let tests = family::settle(&mut pairs, &mut commands, options.noise.get());
    Comparison {
        run_a: record_a.run_id.clone(),
        run_b: record_b.run_id.clone(),
        noise: options.noise,
        tests,
        same_record,
        mean_speed: Mean::of(&pairs, |pair| &pair.speed),
        mean_efficiency: Mean::of(&pairs, |pair| &pair.efficiency),
        differences: provenance::differences(record_a, record_b, &pairing.devices, &pairs),
        unpaired: pairing.unpaired,
        commands,
        pairs,
    }
}

/// A result with the cases that its metered programs amount to.
fn with_foreign(result: &RunResult) -> RunResult {
    let mut all = result.clone();
    all.cases.extend(result.commands.iter().filter_map(|command| command.case.clone()));
    all
}

fn compare_pair(
    (a, x): (&RunRecord, &CaseResult),
    (b, y): (&RunRecord, &CaseResult),
    notes: Vec<String>,
    options: &Options,
) -> Pair {
    let alone = |speed, efficiency: Outcome| Pair {
        a: x.case.clone(),
        b: y.case.clone(),
        notes: notes.clone(),
        speed,
        carbon: efficiency.clone(),
        efficiency,
        energy: None,
    };
    if let Some(reason) = unverified(x, y) {
        return alone(Outcome::refused(&reason), Outcome::refused(&reason));
    }
    let speed: Outcome = compare_speed((a, x), (b, y), options).into();
    let (efficiency, carbon, energy) = energy::compare_energy((a, x), (b, y), options);
    Pair { energy, carbon, ..alone(speed, efficiency) }
}

fn unverified(x: &CaseResult, y: &CaseResult) -> Option<String> {
    let wrong = |side: Side| format!("outputs of {side} were wrong, so it has no rate");
    match (x.has_rates(), y.has_rates()) {
        (true, true) => None,
        (false, true) => Some(wrong(Side::A)),
        (true, false) => Some(wrong(Side::B)),
        (false, false) => Some("outputs of A and of B were wrong, so neither has a rate".to_owned()),
    }
}

fn compare_speed(
    (a, x): (&RunRecord, &CaseResult),
    (b, y): (&RunRecord, &CaseResult),
    options: &Options,
) -> Result<Judged, String> {
    let sample =
        |record: &RunRecord, case, side| Sample::of_speed(record, case).ok_or_else(|| format!("{side} has no time"));
    judge(&sample(a, x, Side::A)?, &sample(b, y, Side::B)?, None, options.noise.get())
}
