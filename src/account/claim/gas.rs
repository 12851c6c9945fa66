//! Figures that stand beside each other: CO2 or CO2e, basis, and years apart.
//!
//! What surprises people: a CO2 figure is not "nearly" a CO2e one. Official Chinese factors also leave out upstream
//! emissions that country averages include.

use super::statement::Statement;
use super::{Check, Verdict};
use crate::account::{AccountError, factor_for};
use crate::model::GridFactor;

/// Years that figures may lie apart in one statement. [`check`] marks more.
const MOST_YEARS_APART: u16 = 2;
const RULE: &str = "a rule of this program, not of a standard: figures of one statement lie at most two years apart";

/// `claimed_gas`, `years` and `factors`.
pub fn check(statement: &Statement<'_>) -> Result<Vec<Check>, AccountError> {
    let mut checks = Vec::new();
    let grid = &statement.site.profile.grid;
    if let Some(gas) = statement.section.word("claimed_gas", &["CO2", "CO2e"])? {
        checks.push(claimed_gas(statement, gas, grid)?);
    }
    if let Some(years) = years(statement)? {
        checks.push(apart(statement, &years));
    }
    if let Some(factors) = factors(statement)? {
        checks.push(side_by_side(statement, &factors));
        let years: Vec<u16> = factors.iter().filter_map(|factor| factor.year).collect();
        checks.push(apart(statement, &years));
    }
    Ok(checks)
}

fn years(statement: &Statement<'_>) -> Result<Option<Vec<u16>>, AccountError> {
    let Some(values) = statement.list("years", "years, such as [2021, 2024]")? else { return Ok(None) };
    let wrong = || statement.section.bad("years", "each must be a year from 1990 to 2100");
    let year = |value: &toml::Value| {
        let year = value.as_integer().filter(|year| (1990..=2100).contains(year)).ok_or_else(wrong)?;
        u16::try_from(year).map_err(|_| wrong())
    };
    values.iter().map(year).collect::<Result<Vec<u16>, _>>().map(Some)
}

fn factors(statement: &Statement<'_>) -> Result<Option<Vec<&'static GridFactor>>, AccountError> {
    let meaning = "region codes, such as [\"CN-QH\", \"FRA\"]";
    let Some(values) = statement.list("factors", meaning)? else { return Ok(None) };
    let factor = |value: &toml::Value| {
        let code = value.as_str().ok_or_else(|| statement.section.bad("factors", format!("it must list {meaning}")))?;
        factor_for(code).map_err(|error| statement.section.bad("factors", error.to_string()))
    };
    values.iter().map(factor).collect::<Result<Vec<_>, _>>().map(Some)
}

fn described(factor: &GridFactor) -> String {
    let upstream = match factor.life_cycle {
        Some(true) => "with upstream",
        Some(false) => "without upstream",
        None => "upstream unstated",
    };
    let year = factor.year.map_or_else(|| "year unstated".to_owned(), |year| year.to_string());
    format!(
        "{} ({}, {year}): {} g{}/kWh, {}, {upstream}",
        factor.region,
        factor.name,
        factor.intensity_g_per_kwh.get(),
        factor.gas,
        factor.basis
    )
}

fn claimed_gas(statement: &Statement<'_>, gas: &str, grid: &GridFactor) -> Result<Check, AccountError> {
    let claim = format!("emissions are stated in {gas}");
    let own = format!("the site's factor is {}", described(grid));
    if grid.gas.to_string() == gas {
        return Ok(Check::new(statement, "gas", claim, Verdict::Holds, "the factor counts the same gas")
            .step(own)
            .source(format!("{}: {}", grid.region, grid.publisher)));
    }
    let reason = "the factor of the same statement counts another gas, so the figures cannot stand together";
    let mut check = Check::new(statement, "gas", claim, Verdict::DoesNotFollow, reason)
        .step(own)
        .need(format!("a factor in {gas}, or the statement in {}", grid.gas))
        .source(format!("{}: {}", grid.region, grid.publisher));
    if grid.region.starts_with("CN") {
        let (co2, co2e) = (factor_for("CN")?, factor_for("CHN")?);
        let ratio = co2e.intensity_g_per_kwh.get() / co2.intensity_g_per_kwh.get();
        check = check
            .step(format!("{} and {}: {ratio:.3} times, for one country", described(co2), described(co2e)))
            .figure("co2e_over_co2_ratio", ratio)
            .source(format!("CHN: {}", co2e.publisher));
    }
    Ok(check)
}

fn side_by_side(statement: &Statement<'_>, factors: &[&GridFactor]) -> Check {
    let first = factors[0];
    let differs = |of: fn(&GridFactor) -> String| factors.iter().any(|factor| of(factor) != of(first));
    let kinds: [(&str, bool); 4] = [
        ("gas", differs(|f| f.gas.to_string())),
        ("basis", differs(|f| f.basis.to_string())),
        ("method", differs(|f| f.method.to_string())),
        ("upstream emissions", differs(|f| format!("{:?}", f.life_cycle))),
    ];
    let mixed: Vec<&str> = kinds.iter().filter(|(_, differ)| *differ).map(|(name, _)| *name).collect();
    let codes: Vec<&str> = factors.iter().map(|factor| factor.region.as_str()).collect();
    let claim = format!("the factors of {} are comparable", codes.join(", "));
    let mut check = if mixed.is_empty() {
        Check::new(statement, "factors", claim, Verdict::Holds, "gas, basis, method and upstream emissions agree")
    } else {
        let reason = format!("they differ in {}", mixed.join(", "));
        Check::new(statement, "factors", claim, Verdict::DoesNotFollow, &reason)
    };
    for factor in factors {
        check = check.step(described(factor)).source(format!("{}: {}", factor.region, factor.publisher));
    }
    check
}

fn apart(statement: &Statement<'_>, years: &[u16]) -> Check {
    let (low, high) = (years.iter().min().copied().unwrap_or(0), years.iter().max().copied().unwrap_or(0));
    let apart = high - low;
    let (verdict, reason) = if apart > MOST_YEARS_APART {
        (Verdict::DoesNotFollow, "grids change too much in that time for figures to be compared")
    } else {
        (Verdict::Holds, "the years lie close enough")
    };
    let claim = format!("figures of {low} and {high} stand together");
    Check::new(statement, "years", claim, verdict, reason)
        .step(format!("{high} − {low} = {apart} years; at most {MOST_YEARS_APART} are accepted"))
        .figure("years_apart", f64::from(apart))
        .source(RULE)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checks, one};
    use super::*;

    #[test]
    fn co2e_beside_a_co2_factor_does_not_follow_and_co2_holds() {
        let found = one("claimed_gas = \"CO2e\"");
        assert_eq!(found.verdict, Verdict::DoesNotFollow);
        // CHN 559.5517 g CO2e over CN 530.6 g CO2 (2023) = 1.0546.
        assert!((found.figures["co2e_over_co2_ratio"] - 1.0546).abs() < 1e-4);
        assert_eq!(one("claimed_gas = \"CO2\"").verdict, Verdict::Holds);
    }

    #[test]
    fn years_more_than_two_apart_do_not_follow() {
        assert_eq!(one("years = [2021, 2023]").verdict, Verdict::Holds);
        assert_eq!(one("years = [2024, 2021, 2023]").verdict, Verdict::DoesNotFollow);
    }

    #[test]
    fn factors_side_by_side_must_agree_in_what_they_count() {
        let verdicts = |text: &str| -> Vec<Verdict> {
            checks(&format!("[claims]\nfactors = {text}")).iter().map(|check| check.verdict).collect()
        };
        assert_eq!(verdicts("[\"CN-QH\", \"CN-GS@2021\"]"), [Verdict::Holds, Verdict::Holds]);
        assert_eq!(verdicts("[\"CN-QH\", \"FRA\"]")[0], Verdict::DoesNotFollow);
    }
}
