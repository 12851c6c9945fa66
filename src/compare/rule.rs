//! Rules that a comparison must not break: `efficiency < -3%`.
//!
//! A rule is broken by a case whose change lies beyond the limit and whose verdict says that it changed at all. What surprises
//! people: a case that cannot be judged never passes in silence; where the change looks beyond the limit but is unclear, or
//! where there is no ratio, the rule is undecided.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::{Comparison, Judged, Mean, Outcome, Pair, Side, Verdict, percent};

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Work per second.
    Speed,
    /// Work per joule.
    Efficiency,
    /// Grams per work.
    Carbon,
    /// Money per work for energy alone, at one site: it changes as the joules per work do.
    Money,
}

/// A limit on the change from A to B.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// As the user wrote it.
    pub text: String,
    /// Look at the geometric mean instead of each case.
    pub mean: bool,
    /// What is looked at.
    pub subject: Subject,
    /// True if a change below the limit breaks the rule (`<`), false for one above it (`>`).
    pub below: bool,
    /// The limit, as a relative change: −0.03 for −3 %.
    pub limit: f64,
}

/// One case that breaks a rule, or on which it cannot be decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breach {
    /// The case, or `geometric mean`.
    pub case: String,
    /// Its relative change, where there is a ratio.
    pub change: Option<f64>,
    /// Why, in words.
    pub reason: String,
}

/// A rule held against a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// The rule.
    pub rule: Rule,
    /// Run id of B.
    pub run_b: String,
    /// Cases that break it.
    pub broken: Vec<Breach>,
    /// Cases on which it cannot be decided.
    pub undecided: Vec<Breach>,
    /// Cases that keep it.
    pub kept: usize,
}

/// What a user may write.
const EXAMPLE: &str = "write for example 'efficiency < -3%', 'carbon > 5%' or 'mean speed < -2%'";

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}`: {why}; {EXAMPLE}");
        let below = match (text.matches('<').count(), text.matches('>').count()) {
            (1, 0) => true,
            (0, 1) => false,
            _ => return Err(wrong("a rule has one `<` or `>`")),
        };
        let (left, right) = text.split_once(['<', '>']).unwrap_or_default();
        let words: Vec<&str> = left.split_whitespace().collect();
        let (mean, word) = match &words[..] {
            ["mean", word] => (true, *word),
            [word] => (false, *word),
            _ => return Err(wrong("before the sign stands one quantity")),
        };
        let subject = match word {
            "speed" => Subject::Speed,
            "efficiency" => Subject::Efficiency,
            "carbon" => Subject::Carbon,
            "money" => Subject::Money,
            other => {
                return Err(wrong(&format!("there is no quantity `{other}`, but speed, efficiency, carbon and money")));
            }
        };
        let number =
            right.trim().strip_suffix('%').ok_or_else(|| wrong("the limit is a change in percent, with its %"))?;
        let limit: f64 = number.trim().parse().map_err(|_| wrong("the limit is not a number"))?;
        if !limit.is_finite() || limit <= -100.0 || limit > 1e6 {
            return Err(wrong("the limit is a change above -100 % that can happen"));
        }
        Ok(Self { text: text.trim().to_owned(), mean, subject, below, limit: limit / 100.0 })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Rule {
    /// Holds the rule against every pair of a comparison, or against its geometric mean.
    pub fn check(&self, comparison: &Comparison) -> Checked {
        let mut checked = Checked {
            rule: self.clone(),
            run_b: comparison.run_b.clone(),
            broken: Vec::new(),
            undecided: Vec::new(),
            kept: 0,
        };
        if self.mean {
            self.check_mean(comparison, &mut checked);
            return checked;
        }
        for pair in &comparison.pairs {
            self.check_outcome(pair.a.label(), self.of_pair(pair), &mut checked);
        }
        for pair in &comparison.commands {
            let outcome = if self.subject == Subject::Speed { &pair.speed } else { &pair.efficiency };
            self.check_outcome(format!("{} ({})", pair.label, pair.unit), outcome, &mut checked);
        }
        // A case that B no longer has is the worst that can happen to it; what A has no figures of cannot have become worse.
        for left in comparison.unpaired.iter().filter(|left| left.side == Side::A && !left.skipped) {
            let reason = format!("without a partner: {}", left.reason);
            checked.undecided.push(Breach { case: left.case.label(), change: None, reason });
        }
        if comparison.pairs.is_empty() && comparison.commands.is_empty() && checked.undecided.is_empty() {
            let reason = "nothing was compared".to_owned();
            checked.undecided.push(Breach { case: "all cases".to_owned(), change: None, reason });
        }
        checked
    }

    fn of_pair<'a>(&self, pair: &'a Pair) -> &'a Outcome {
        if self.subject == Subject::Speed { &pair.speed } else { &pair.efficiency }
    }

    /// The relative change of the rule's quantity; carbon and money at one site go with joules per work.
    fn change(&self, ratio: f64) -> f64 {
        match self.subject {
            Subject::Speed | Subject::Efficiency => ratio - 1.0,
            Subject::Carbon | Subject::Money => 1.0 / ratio - 1.0,
        }
    }

    fn beyond(&self, change: f64) -> bool {
        if self.below { change < self.limit } else { change > self.limit }
    }

    fn check_outcome(&self, case: String, outcome: &Outcome, checked: &mut Checked) {
        let judged: &Judged = match outcome {
            Outcome::Refused { reason } => {
                let reason = format!("refused: {reason}");
                checked.undecided.push(Breach { case, change: None, reason });
                return;
            }
            Outcome::Compared(judged) => judged,
        };
        let change = self.change(judged.ratio);
        let breach = |reason: String| Breach { case: case.clone(), change: Some(change), reason };
        if let Some(reason) = &judged.forced {
            checked.undecided.push(breach(format!("forced: {reason}")));
        } else if judged.interval.is_none() {
            checked.undecided.push(breach(judged.reason.clone()));
        } else if !self.beyond(change) {
            checked.kept += 1;
        } else if judged.verdict == Verdict::Unclear {
            checked.undecided.push(breach(format!("unclear: {}", judged.reason)));
        } else {
            checked.broken.push(breach(format!("{}: {}", judged.verdict, judged.reason)));
        }
    }

    fn check_mean(&self, comparison: &Comparison, checked: &mut Checked) {
        let case = "geometric mean".to_owned();
        let mean: Option<Mean> =
            if self.subject == Subject::Speed { comparison.mean_speed } else { comparison.mean_efficiency };
        let Some(mean) = mean else {
            let reason = "no case has such a ratio".to_owned();
            checked.undecided.push(Breach { case, change: None, reason });
            return;
        };
        let change = self.change(mean.ratio);
        let breach = |reason: String| Breach { case, change: Some(change), reason };
        match mean.interval {
            None => checked.undecided.push(breach("the mean has no interval".to_owned())),
            Some(_) if !self.beyond(change) => checked.kept += 1,
            Some((low, high)) if low <= 1.0 && 1.0 <= high => {
                checked
                    .undecided
                    .push(breach(format!("unclear: the interval of the mean spans 1 ({low:.3} to {high:.3})")));
            }
            Some(_) => {
                checked.broken.push(breach(format!("geometric mean of {} cases", mean.cases)));
            }
        }
    }

    /// Why the rule cannot be held with this effect floor; `None` if it can.
    pub fn finer_than(&self, noise: f64) -> Option<String> {
        (!self.mean && self.limit.abs() < noise).then(|| {
            format!(
                "`{self}`: the limit is finer than the effect floor of {} %, below which a difference counts as none; lower \
                 --noise with it",
                percent(noise)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_with_their_signs_and_wrong_ones_get_an_example() {
        let rule: Rule = "efficiency < -3%".parse().unwrap();
        assert_eq!((rule.subject, rule.below, rule.mean), (Subject::Efficiency, true, false));
        assert!((rule.limit + 0.03).abs() < 1e-12);
        let mean: Rule = " mean carbon >2.5 % ".parse().unwrap();
        assert_eq!(
            (mean.subject, mean.below, mean.mean, mean.text.as_str()),
            (Subject::Carbon, false, true, "mean carbon >2.5 %")
        );
        for bad in [
            "",
            "efficiency",
            "< 3%",
            "efficiency < 3",
            "efficiency < x%",
            "efficiency << 3%",
            "flops < 3%",
            "speed < nan%",
            "speed < -100%",
            "speed > inf%",
            "median speed < 3%",
            "speed <> 3%",
        ] {
            let error = bad.parse::<Rule>().unwrap_err();
            assert!(error.contains("for example 'efficiency < -3%'"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_limit_below_the_effect_floor_is_not_held() {
        let rule: Rule = "speed < -0.5%".parse().unwrap();
        assert!(rule.finer_than(0.01).unwrap().contains("--noise"));
        assert_eq!(rule.finer_than(0.005), None);
    }
}
