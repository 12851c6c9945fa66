//! How a case came by its variant and parameters: what was tried, what failed, and the samples behind the choice.
//!
//! Raw samples are kept and the ratio is computed from them, so that a better statistic needs no new run. What surprises
//! people: the times of the candidates come from the search, those of the finalists from a later, alternating
//! comparison on other data; only the latter say how much was gained.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Case, DataPattern, ElementType, Shape};
use crate::stats::{self, RatioOfMeans};
use crate::units::{Joules, Seconds};

/// What a tuning looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Least time of an execution.
    #[default]
    Speed,
    /// Least energy of an execution, which is most work per joule.
    Efficiency,
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Speed => "speed",
            Self::Efficiency => "efficiency",
        })
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Speed, Self::Efficiency]
            .into_iter()
            .find(|objective| objective.to_string() == text)
            .ok_or_else(|| "the objectives are speed and efficiency".to_owned())
    }
}

/// Where a case's variant and parameters came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TuningOrigin {
    /// Tuned for this run.
    Fresh,
    /// Tuned before, on [`Tuning::date`], and kept in the cache.
    Cache,
}

/// A variant with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Choice {
    /// Variant, for example `gemm/tiled-f32`.
    pub variant: String,
    /// All its parameters.
    pub params: BTreeMap<String, u64>,
    /// SHA-256 of the variant's shader and manifest, in hex.
    pub shader_sha256: String,
}

impl Choice {
    /// The choice that a case was planned with.
    pub fn of(case: &Case) -> Self {
        Self { variant: case.variant.clone(), params: case.params.clone(), shader_sha256: case.shader_sha256.clone() }
    }
    /// Parameters as `NAME=value` pairs; empty for a variant without parameters.
    pub fn params_text(&self) -> String {
        let pairs: Vec<String> = self.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(" ")
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variant, self.params_text())?;
        Ok(())
    }
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum TrialOutcome {
    /// Right, and timed.
    Timed {
        /// Times of one execution, by the device's timestamps where it has them, one per submission.
        samples_s: Vec<Seconds>,
    },
    /// Right, but a single execution was already so slow that it was not timed further.
    Slow {
        /// Time of that execution.
        first_s: Seconds,
    },
    /// Wrong outputs, or an error. It is never chosen.
    Failed {
        /// What was wrong.
        message: String,
    },
}

/// One candidate of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trial {
    /// Variant and parameters.
    pub choice: Choice,
    /// What became of it.
    pub outcome: TrialOutcome,
}

/// A candidate in the final comparison, in which all finalists took turns on the same data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finalist {
    /// Variant and parameters.
    pub choice: Choice,
    /// Time of one execution, one value per turn.
    pub times_s: Vec<Seconds>,
    /// Energy of one execution, one value per turn; empty where the objective was speed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub energies_j: Vec<Joules>,
}

impl Finalist {
    /// What the objective compares: time or energy of one execution, one value per turn.
    pub fn costs(&self, objective: Objective) -> Vec<f64> {
        match objective {
            Objective::Speed => self.times_s.iter().map(|time| time.get()).collect(),
            Objective::Efficiency => self.energies_j.iter().map(|energy| energy.get()).collect(),
        }
    }
}

/// How one case was tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tuning {
    /// Ordinal of the device.
    pub device: u32,
    /// Problem.
    pub problem: String,
    /// Element type.
    pub element: ElementType,
    /// Shape that was tuned; where it comes from the cache it may be another of the same bucket.
    pub shape: Shape,
    /// Distribution of the inputs.
    pub pattern: DataPattern,
    /// What was looked for.
    pub objective: Objective,
    /// Whether it was tuned for this run or before.
    pub origin: TuningOrigin,
    /// When it was tuned, UTC, RFC 3339.
    pub date: String,
    /// What is used where nothing was tuned.
    pub default: Choice,
    /// What was chosen.
    pub chosen: Choice,
    /// Every candidate that was tried, in order.
    pub trials: Vec<Trial>,
    /// The final comparison: default, best of the search and runner-up, as far as they are different and right.
    pub finalists: Vec<Finalist>,
    /// Candidates that the budget left untried.
    pub untried: u32,
    /// What a reader must know, such as a budget that ran out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Tuning {
    /// Candidates that gave wrong outputs or an error.
    pub fn failed(&self) -> usize {
        self.trials.iter().filter(|trial| matches!(trial.outcome, TrialOutcome::Failed { .. })).count()
    }
    /// True if the default itself was chosen.
    pub fn keeps_default(&self) -> bool {
        self.chosen == self.default
    }
    /// The finalist of a choice.
    pub fn finalist(&self, choice: &Choice) -> Option<&Finalist> {
        self.finalists.iter().find(|finalist| finalist.choice == *choice)
    }
    /// Cost (time or energy, after the objective) of the default over that of the choice, with its interval: 1.34 means
    /// that an execution of the default takes 1.34 times as long, or as much energy. `None` if the default was kept, or
    /// if there are fewer than two turns of either.
    pub fn gain(&self) -> Option<RatioOfMeans> {
        if self.keeps_default() {
            return None;
        }
        let costs = |choice| self.finalist(choice).map(|finalist| finalist.costs(self.objective));
        stats::ratio_of_means_95(&costs(&self.chosen)?, &costs(&self.default)?)
    }
    /// The finalists that are neither chosen nor the default, the least mean cost first: the runner-up, then the others.
    pub fn others(&self) -> Vec<&Finalist> {
        let known = |finalist: &&Finalist| finalist.choice != self.chosen && finalist.choice != self.default;
        let mut others: Vec<&Finalist> = self.finalists.iter().filter(known).collect();
        let cost = |finalist: &Finalist| stats::mean(&finalist.costs(self.objective)).unwrap_or(f64::INFINITY);
        others.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(variant: &str) -> Choice {
        Choice {
            variant: variant.to_owned(),
            params: BTreeMap::from([("BM".to_owned(), 64)]),
            shader_sha256: "00".into(),
        }
    }

    fn finalist(variant: &str, times: &[f64], energies: &[f64]) -> Finalist {
        Finalist {
            choice: choice(variant),
            times_s: times.iter().map(|time| Seconds::new(*time)).collect(),
            energies_j: energies.iter().map(|energy| Joules::new(*energy)).collect(),
        }
    }

    fn tuning(objective: Objective) -> Tuning {
        Tuning {
            device: 0,
            problem: "gemm".to_owned(),
            element: ElementType::F32,
            shape: Shape::default(),
            pattern: DataPattern::Normal,
            objective,
            origin: TuningOrigin::Fresh,
            date: String::new(),
            default: choice("gemm/a"),
            chosen: choice("gemm/b"),
            trials: Vec::new(),
            finalists: vec![
                finalist("gemm/a", &[3.0, 3.0], &[10.0, 10.0]),
                finalist("gemm/b", &[2.0, 2.0], &[20.0, 20.0]),
                finalist("gemm/c", &[2.5, 2.5], &[30.0, 30.0]),
            ],
            untried: 0,
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_gain_is_the_defaults_cost_over_that_of_the_choice() {
        assert_eq!(tuning(Objective::Speed).gain().unwrap().ratio, 1.5);
        assert_eq!(tuning(Objective::Efficiency).gain().unwrap().ratio, 0.5);
        assert_eq!(tuning(Objective::Speed).others()[0].choice, choice("gemm/c"));
    }

    #[test]
    fn a_default_that_was_kept_gains_nothing() {
        let mut kept = tuning(Objective::Speed);
        kept.chosen = kept.default.clone();
        assert_eq!(kept.gain(), None);
        let others: Vec<&str> = kept.others().iter().map(|finalist| finalist.choice.variant.as_str()).collect();
        assert_eq!(others, ["gemm/b", "gemm/c"]);
    }

    #[test]
    fn objectives_are_read_back() {
        assert_eq!("efficiency".parse(), Ok(Objective::Efficiency));
        assert!("fast".parse::<Objective>().unwrap_err().contains("speed and efficiency"));
    }
}
