//! Whether grid factors count the same thing: one comparison for every table that shows more than one.
//!
//! Two factors are alike when gas, basis, method and life cycle agree and their years are at most two apart. What surprises
//! people: in a mixed table it is the rows that differ from most others that are marked, not the "wrong" ones; nobody
//! said which are right.

use crate::model::{Basis, FactorMethod, Gas, GridFactor};

/// Years that may lie between two figures of one table without a mark.
pub const YEARS_APART: u16 = 2;
/// What stands at a row that differs from most others.
pub const MARK: &str = "≠";

/// In what a factor differs from most of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// CO2 or CO2e.
    Gas,
    /// Generation, consumption, residual, fossil.
    Basis,
    /// Average or marginal.
    Method,
    /// Upstream emissions in or out.
    LifeCycle,
    /// More than two years from most of the table, or no year at all.
    Year,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Gas => "gas",
            Self::Basis => "basis",
            Self::Method => "method",
            Self::LifeCycle => "upstream",
            Self::Year => "year",
        })
    }
}

/// Everything that must agree besides the year.
type Identity = (Gas, Basis, FactorMethod, Option<bool>);

fn identity(factor: &GridFactor) -> Identity {
    (factor.gas, factor.basis, factor.method, factor.life_cycle)
}

/// True if two factors count the same thing, whatever their years.
pub fn alike(one: &GridFactor, other: &GridFactor) -> bool {
    identity(one) == identity(other)
}

/// What differs among the factors of one table.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Mixture {
    /// For each factor in order, in what it differs from most; empty for those that agree.
    pub differences: Vec<Vec<Difference>>,
    /// What differs, in words, without a full stop; `None` if all factors count the same thing.
    pub sentence: Option<String>,
}

impl Mixture {
    /// Compares the factors of a table.
    pub fn of(factors: &[&GridFactor]) -> Self {
        let Some(common) = commonest(factors.iter().map(|factor| identity(factor))) else { return Self::default() };
        let like: Vec<Option<u16>> =
            factors.iter().filter(|factor| identity(factor) == common).map(|factor| factor.year).collect();
        let year = centre(factors, &like);
        let differences = factors.iter().map(|factor| differences(factor, common, year)).collect();
        Self { differences, sentence: sentence(factors) }
    }
    /// `≠ gas, basis` for a row that differs from most; empty for others.
    pub fn mark(&self, row: usize) -> String {
        match self.differences.get(row).map(Vec::as_slice) {
            None | Some([]) => String::new(),
            Some(all) => {
                let words: Vec<String> = all.iter().map(ToString::to_string).collect();
                format!("{MARK} {}", words.join(", "))
            }
        }
    }
}

/// The value that occurs most often; of equally frequent ones, the first.
fn commonest<T: PartialEq + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(own, _)| *own == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(value, _)| value)
}

/// The year that rows are held against: the commonest of those that count the common thing, else of all; where every row
/// would be within reach of it although the table spans more, the newest.
fn centre(factors: &[&GridFactor], like: &[Option<u16>]) -> Option<u16> {
    let common = commonest(like.iter().flatten().copied())
        .or_else(|| commonest(factors.iter().filter_map(|factor| factor.year)))?;
    let years = || factors.iter().filter_map(|factor| factor.year);
    let (oldest, newest) = (years().min()?, years().max()?);
    let nobody_far = years().all(|year| year.abs_diff(common) <= YEARS_APART);
    Some(if nobody_far && newest - oldest > YEARS_APART { newest } else { common })
}

fn differences(factor: &GridFactor, common: Identity, year: Option<u16>) -> Vec<Difference> {
    let own = identity(factor);
    let far = match (factor.year, year) {
        (Some(own), Some(year)) => own.abs_diff(year) > YEARS_APART,
        (None, Some(_)) => true,
        _ => false,
    };
    [
        (own.0 != common.0, Difference::Gas),
        (own.1 != common.1, Difference::Basis),
        (own.2 != common.2, Difference::Method),
        (own.3 != common.3, Difference::LifeCycle),
        (far, Difference::Year),
    ]
    .into_iter()
    .filter_map(|(differs, what)| differs.then_some(what))
    .collect()
}

fn sentence(factors: &[&GridFactor]) -> Option<String> {
    let differs = |of: &dyn Fn(&GridFactor) -> String| {
        let mut values: Vec<String> = factors.iter().map(|factor| of(factor)).collect();
        values.sort();
        values.dedup();
        (values.len() > 1).then(|| values.join(" and "))
    };
    let life_cycle = |factor: &GridFactor| {
        match factor.life_cycle {
            Some(true) => "with upstream",
            Some(false) => "without upstream",
            None => "upstream unstated",
        }
        .to_owned()
    };
    let parts: Vec<String> = [
        differs(&|factor| factor.gas.to_string()).map(|text| format!("gas: {text}")),
        differs(&|factor| factor.basis.to_string()).map(|text| format!("basis: {text}")),
        differs(&|factor| factor.method.to_string()).map(|text| format!("method: {text}")),
        differs(&life_cycle).map(|text| format!("life cycle: {text}")),
        years_apart(factors),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| format!("the factors do not count the same thing ({})", parts.join("; ")))
}

/// Years, where they are more than two apart or stated for some rows only.
fn years_apart(factors: &[&GridFactor]) -> Option<String> {
    let years: Vec<u16> = factors.iter().filter_map(|factor| factor.year).collect();
    let (oldest, newest) = (years.iter().min()?, years.iter().max()?);
    let unstated = if years.len() < factors.len() { " and unstated" } else { "" };
    if newest - oldest > YEARS_APART {
        Some(format!("years more than two apart: {oldest} to {newest}{unstated}"))
    } else {
        (!unstated.is_empty()).then(|| "year: stated for some only".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::factor_for;

    fn of(codes: &[&str]) -> Mixture {
        let factors: Vec<&GridFactor> = codes.iter().map(|code| factor_for(code).unwrap()).collect();
        Mixture::of(&factors)
    }

    #[test]
    fn a_pure_table_has_no_mark_and_no_sentence() {
        // Three official provinces, 2021 to 2023: two years apart is still one table.
        let pure = of(&["CN-QH@2021", "CN-GS", "CN-BJ@2022"]);
        assert_eq!((pure.sentence.clone(), pure.mark(0)), (None, String::new()));
    }

    #[test]
    fn rows_that_differ_from_most_are_marked_with_what_differs() {
        let mixed = of(&["CN-QH", "CN-GS", "FRA"]);
        assert_eq!((mixed.mark(0).as_str(), mixed.mark(2).as_str()), ("", "≠ gas, basis, upstream"));
        let sentence = mixed.sentence.unwrap();
        assert!(sentence.contains("CO2 and CO2e") && sentence.contains("consumption and generation"), "{sentence}");
    }

    #[test]
    fn years_more_than_two_apart_are_marked_and_said() {
        let year = |code: &str, year: u16| GridFactor { year: Some(year), ..factor_for(code).unwrap().clone() };
        let factors = [year("FRA", 2024), year("DEU", 2024), year("POL", 2009)];
        let mixed = Mixture::of(&factors.iter().collect::<Vec<_>>());
        assert_eq!((mixed.mark(0).as_str(), mixed.mark(2).as_str()), ("", "≠ year"));
        assert!(mixed.sentence.unwrap().contains("years more than two apart: 2009 to 2024"));
        // 2021, 2023, 2023, 2025: each is near the commonest, but 2021 and 2025 are four apart.
        let spread = [2021, 2023, 2023, 2025].map(|own| year("FRA", own));
        let mixed = Mixture::of(&spread.iter().collect::<Vec<_>>());
        assert_eq!((mixed.mark(0).as_str(), mixed.mark(3).as_str()), ("≠ year", ""));
    }

    #[test]
    fn an_unstated_year_beside_stated_ones_is_marked() {
        let unstated = GridFactor { year: None, ..factor_for("FRA").unwrap().clone() };
        let mixed = Mixture::of(&[factor_for("DEU").unwrap(), &unstated]);
        assert_eq!(mixed.mark(1), "≠ year");
        assert!(mixed.sentence.unwrap().contains("stated for some only"));
        assert_eq!(Mixture::of(&[&unstated]).sentence, None);
        assert_eq!(Mixture::of(&[]), Mixture::default());
    }
}
