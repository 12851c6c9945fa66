//! Which requirements of published measurement methods a run meets, line by line, and what is missing.
//!
//! One file per standard, each a table of lines; a line is the requirement in our own words, where it was read, and a
//! function of the run's [`Facts`]. What surprises people: no number of met lines makes a label. A label is granted by
//! those who own it, for a whole submission; this block only spares its reader the search for what is missing.

mod eehpcwg;
mod eehpcwg_level1;
mod eehpcwg_level2;
mod eehpcwg_level3;
mod facts;
mod mlcommons;
mod mlcommons_inference;
mod mlcommons_training;

use serde::Serialize;

pub use facts::{Facts, MeterFacts, SpanFacts, facts};

use crate::model::RunRecord;

/// Whether a requirement is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The record shows that it is.
    Met,
    /// The record shows that it is not.
    NotMet,
    /// The record cannot show it.
    Unknown,
    /// It does not concern what was run.
    NotApplicable,
}

impl Verdict {
    /// The verdict in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not met",
            Self::Unknown => "cannot be known",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// Whether we read the requirement in its own source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Reading {
    /// Read in a public text of those who set the rule.
    Confirmed {
        /// The text.
        source: &'static str,
    },
    /// Known at second hand, or from a draft that later texts do not repeat.
    NotConfirmed {
        /// Where it is known from.
        note: &'static str,
    },
}

/// What a run says of one requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// What this run has.
    pub has: String,
    /// What is missing to meet it; empty where nothing is.
    pub missing: String,
}

impl Judged {
    fn new(verdict: Verdict, has: impl Into<String>, missing: impl Into<String>) -> Self {
        Self { verdict, has: has.into(), missing: missing.into() }
    }
    fn met(has: impl Into<String>) -> Self {
        Self::new(Verdict::Met, has, "")
    }
    fn not_met(has: impl Into<String>, missing: impl Into<String>) -> Self {
        Self::new(Verdict::NotMet, has, missing)
    }
    fn unknown(has: impl Into<String>, missing: impl Into<String>) -> Self {
        Self::new(Verdict::Unknown, has, missing)
    }
    fn not_applicable(why: impl Into<String>) -> Self {
        Self::new(Verdict::NotApplicable, why, "")
    }
    fn when(met: bool, has: impl Into<String>, missing: impl Into<String>) -> Self {
        if met { Self::met(has) } else { Self::not_met(has, missing) }
    }
}

/// One line of a standard.
struct Line {
    id: &'static str,
    requirement: &'static str,
    reading: Reading,
    judge: fn(&Facts) -> Judged,
}

/// A standard and its lines.
struct Table {
    id: &'static str,
    name: &'static str,
    text: &'static str,
    lines: fn() -> Vec<Line>,
}

/// One requirement and what the run says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Identifier, unique within its standard.
    pub id: &'static str,
    /// The requirement, in our own words.
    pub requirement: &'static str,
    /// What this run has.
    pub run_has: String,
    /// Whether that meets it.
    pub verdict: Verdict,
    /// What is missing; `None` where nothing is.
    pub missing: Option<String>,
    /// Whether the requirement was read in its own source.
    pub reading: Reading,
}

/// All lines of one standard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standard {
    /// Identifier.
    pub id: &'static str,
    /// Name of the text.
    pub name: &'static str,
    /// The text that was read, with its revision.
    pub text: &'static str,
    /// Its lines.
    pub claims: Vec<Claim>,
}

impl Standard {
    /// How many lines have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.claims.iter().filter(|claim| claim.verdict == verdict).count()
    }
}

/// Every standard that a record is laid against, as the export carries it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodologyClaims {
    /// What this block is not.
    pub disclaimer: &'static str,
    /// The meter whose readings are judged, and what they cover; the widest measured scope that the run has.
    pub judged: Facts,
    /// The standards.
    pub standards: Vec<Standard>,
}

/// Said wherever the block is shown.
pub const DISCLAIMER: &str = "This block claims no label, level or conformance. It says which requirements the record \
shows to be met, and what is missing; only those who own a rule can say that a measurement follows it.";

const TABLES: [Table; 5] = [
    eehpcwg_level1::TABLE,
    eehpcwg_level2::TABLE,
    eehpcwg_level3::TABLE,
    mlcommons_inference::TABLE,
    mlcommons_training::TABLE,
];

/// Lays a record against every standard.
pub fn methodology_claims(record: &RunRecord) -> MethodologyClaims {
    let facts = facts(record);
    let standard = |table: &Table| Standard {
        id: table.id,
        name: table.name,
        text: table.text,
        claims: (table.lines)().iter().map(|line| claim(line, &facts)).collect(),
    };
    let standards = TABLES.iter().map(standard).collect();
    MethodologyClaims { disclaimer: DISCLAIMER, judged: facts, standards }
}

fn claim(line: &Line, facts: &Facts) -> Claim {
    let Judged { verdict, has, missing } = (line.judge)(facts);
    Claim {
        id: line.id,
        requirement: line.requirement,
        run_has: has,
        verdict,
        missing: (!missing.is_empty()).then_some(missing),
        reading: line.reading.clone(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
