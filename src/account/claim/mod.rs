//! Sentences of a site or a vendor, checked with arithmetic, measured rates and official factors.
//!
//! A site file states them in its `[claims]` table, one file of this folder for each kind of check. Carbon and money of a
//! record are not here. What surprises people: a claim may hold a value that is refused everywhere else (a PUE of 0.9 is
//! reported as contradicted, not as a slip), and what only a site's meters can tell is a verdict of its own, never a guess.

mod capacity;
mod compute;
mod gas;
mod green;
mod opex;
mod payback;
mod pue;
mod rank;
mod rubric;
mod sci;
mod statement;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;

use serde::Serialize;

use super::{AccountError, Section, Site};

pub use compute::{Rate, rates};
pub use rubric::{Graded, Indicator, Input, Row, Rubric, Scheme, grade, measured_inputs, read_rubric};
pub use statement::KEYS;
use statement::Statement;

/// What a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The arithmetic and the sources agree with it.
    Holds,
    /// A definition, an official figure or a measurement says otherwise.
    Contradicted,
    /// What is stated may be true, but the conclusion is not its consequence.
    DoesNotFollow,
    /// The sentence leaves out what would make it checkable.
    Incomplete,
    /// Only meters, contracts or invoices of the site can tell.
    NeedsSiteData,
    /// No figure held here speaks for or against it.
    NotCheckable,
}

impl Verdict {
    /// True if a stated rule is not met: the program's exit code says so.
    pub const fn fails(self) -> bool {
        matches!(self, Self::Contradicted | Self::DoesNotFollow)
    }
    /// The verdict in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Contradicted => "contradicted",
            Self::DoesNotFollow => "does not follow",
            Self::Incomplete => "incomplete",
            Self::NeedsSiteData => "needs site data",
            Self::NotCheckable => "not checkable",
        }
    }
}

/// One claim with its verdict and everything that led to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The words of the site or vendor, as the file quotes them; empty if it quotes none.
    pub sentence: String,
    /// Kind of check: `pue`, `installed capacity`, …
    pub kind: &'static str,
    /// What was taken from the file: key and value.
    pub claim: String,
    /// What the check finds.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The arithmetic with its numbers, one step a line.
    pub arithmetic: Vec<String>,
    /// Numbers of the arithmetic; the unit is the end of each name.
    pub figures: BTreeMap<&'static str, f64>,
    /// Where rules and figures come from.
    pub sources: Vec<String>,
    /// What a site must supply to settle it.
    pub needs: Vec<String>,
}

impl Check {
    fn new(statement: &Statement<'_>, kind: &'static str, claim: String, verdict: Verdict, reason: &str) -> Self {
        Self {
            sentence: statement.sentence.to_owned(),
            kind,
            claim,
            verdict,
            reason: reason.to_owned(),
            arithmetic: Vec::new(),
            figures: BTreeMap::new(),
            sources: Vec::new(),
            needs: Vec::new(),
        }
    }
    fn step(mut self, text: impl Into<String>) -> Self {
        self.arithmetic.push(text.into());
        self
    }
    fn steps(mut self, texts: Vec<String>) -> Self {
        self.arithmetic.extend(texts);
        self
    }
    fn figure(mut self, name: &'static str, value: f64) -> Self {
        self.figures.insert(name, value);
        self
    }
    fn source(mut self, text: impl Into<String>) -> Self {
        self.sources.push(text.into());
        self
    }
    fn need(mut self, text: impl Into<String>) -> Self {
        self.needs.push(text.into());
        self
    }
}

/// Checks every claim of a site, in the order of its file; a claim with several keys gives one check for each.
///
/// # Errors
/// No `[claims]` table, an empty one, unknown keys (with the closest), and values that cannot be meant.
pub fn check(site: &Site, rates: &[Rate]) -> Result<Vec<Check>, AccountError> {
    let place = format!("site {}", site.file.display());
    let missing = |key: &str| AccountError::Missing {
        place: place.clone(),
        key: key.to_owned(),
        remedy: "write for example [[claims.claim]], sentence = \"94 % clean\", clean_capacity_share = 0.94".to_owned(),
    };
    let own: Vec<&str> = KEYS.iter().copied().chain(["claim", "site_data"]).collect();
    let Some(section) = site.section("claims", &own)? else { return Err(missing("claims")) };
    let listed = section.sections("claim", &KEYS)?;
    let mut checks = Vec::new();
    let flat = KEYS.iter().any(|key| section.has(key));
    for section in flat.then(|| section.clone()).into_iter().chain(listed) {
        checks.extend(of_section(section, site, rates)?);
    }
    if checks.is_empty() {
        return Err(missing("claims"));
    }
    Ok(checks)
}

fn of_section(section: Section<'_>, site: &Site, rates: &[Rate]) -> Result<Vec<Check>, AccountError> {
    let statement = Statement::new(section, site)?;
    let mut checks = Vec::new();
    checks.extend(pue::check(&statement)?);
    checks.extend(capacity::check(&statement)?);
    checks.extend(rank::check(&statement)?);
    checks.extend(green::check(&statement)?);
    checks.extend(sci::check(&statement)?);
    checks.extend(gas::check(&statement)?);
    checks.extend(payback::check(&statement)?);
    checks.extend(opex::check(&statement)?);
    checks.extend(compute::check(&statement, rates)?);
    if checks.is_empty() {
        checks.push(statement.words_only()?);
    }
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use super::testing::{checks, refusal};
    use super::*;

    #[test]
    fn a_claim_with_several_keys_gives_a_check_for_each_under_the_same_words() {
        let found =
            checks("[[claims.claim]]\nsentence = \"94 % clean, PUE 0.9\"\nclean_capacity_share = 0.94\npue = 0.9");
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|check| check.sentence == "94 % clean, PUE 0.9"));
        assert_eq!([found[0].kind, found[1].kind], ["PUE", "installed capacity"]);
    }

    #[test]
    fn keys_directly_in_the_table_are_one_claim_before_those_of_the_list() {
        let found = checks("[claims]\npue = 0.9\n[[claims.claim]]\nyears = [2021, 2022]");
        assert_eq!([found[0].kind, found[1].kind], ["PUE", "years"]);
    }

    #[test]
    fn words_without_a_key_are_not_checkable() {
        let found = checks("[[claims.claim]]\nsentence = \"the greenest of all\"");
        assert_eq!(found[0].verdict, Verdict::NotCheckable);
    }

    #[test]
    fn empty_tables_slips_in_keys_and_values_without_meaning_are_refused_with_the_remedy() {
        for (text, part) in [
            ("", "[[claims.claim]]"),
            ("[claims]", "[[claims.claim]]"),
            ("[[claims.claim]]", "sentence"),
            ("[claims]\nclean_capacity_shar = 0.94", "did you mean clean_capacity_share?"),
            ("[claims]\nclean_capacity_share = 94", "0.94"),
            ("[claims]\nclean_capacity_share = nan", "share"),
            ("[claims]\npue = nan", "PUE"),
            ("[claims]\nclean_capacity_share = 0.94\nclaimed_intensity_g_per_kwh = 0.0496", "kg/kWh, write 49.6"),
            ("[claims]\nsci_intensity_g_per_kwh = 0.1796", "kg/kWh, write 179.6"),
            ("[claims]\npue = 30", "PUE"),
            ("[claims]\npue = -1", "PUE"),
            ("[claims]\nclaimed_gas = \"CH4\"", "CO2e"),
            ("[claims]\nyears = [2021]", "two"),
            ("[claims]\nyears = [2021, 20221]", "year"),
            ("[claims]\nfactors = [\"CN-QX\", \"CN\"]", "did you mean"),
            ("[claims]\nopex_change = -30", "-0.30"),
            ("[claims]\ncompute_pflops = 0", "above 0"),
            ("[claims]\ncards = 8", "compute_pflops"),
            ("[claims]\ncompute_pflops = 1\nprecision = \"f61\"", "precision"),
        ] {
            let message = refusal(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
