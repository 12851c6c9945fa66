//! "Lowest grid factor in the country": the rank of a region in the built-in catalogue, in every year that it holds.
//!
//! What surprises people: regions are ranked only among those of one publisher, so that gas, basis and method agree. The
//! newest year decides; the others are shown.

use super::statement::Statement;
use super::{Check, Verdict};
use crate::account::{AccountError, catalogue};
use crate::model::GridFactor;

/// `grid_rank`: a whole number from 1 (the lowest), or `"lowest"`.
pub fn check(statement: &Statement<'_>) -> Result<Option<Check>, AccountError> {
    let section = &statement.section;
    let claimed = match section.value("grid_rank") {
        None => return Ok(None),
        Some(toml::Value::String(word)) if word == "lowest" => 1,
        Some(toml::Value::Integer(rank)) if *rank >= 1 => *rank as usize,
        Some(_) => {
            return Err(section.bad("grid_rank", "it must be a whole number from 1 (1 is the lowest), or \"lowest\""));
        }
    };
    let grid = &statement.site.profile.grid;
    let claim = format!("{} is number {claimed} by lowest grid factor in {}", grid.name, group(&grid.region));
    let Some(newest) = grid.year.filter(|_| !group(&grid.region).is_empty()) else {
        let reason = "the site's factor is not one of a ranked table: give grid as a region code with its year";
        return Ok(Some(Check::new(statement, "grid rank", claim, Verdict::NotCheckable, reason)));
    };
    let mut steps = Vec::new();
    let mut decided = None;
    for year in (1990..=newest).rev() {
        let table = table(&grid.region, &grid.publisher, year)?;
        let Some(rank) = table.iter().position(|factor| factor.region == grid.region) else { continue };
        let lower: Vec<String> =
            table[..rank].iter().take(5).map(|f| format!("{} {}", f.name, f.intensity_g_per_kwh.get())).collect();
        let lower = if lower.is_empty() { "none".to_owned() } else { lower.join(", ") };
        let own = table[rank].intensity_g_per_kwh.get();
        let (place, of) = (rank + 1, table.len());
        steps.push(format!("{year}: {} {own} g/kWh is number {place} of {of}; lower: {lower}", grid.name));
        decided = decided.or(Some((rank + 1, of)));
    }
    let Some((rank, of)) = decided.filter(|(_, of)| *of > 1) else {
        let reason = "the catalogue holds no table of this region and year to rank in";
        return Ok(Some(Check::new(statement, "grid rank", claim, Verdict::NotCheckable, reason)));
    };
    let (verdict, reason) = if rank <= claimed {
        (Verdict::Holds, "no more regions are lower in the newest year")
    } else {
        (Verdict::Contradicted, "other regions of the same official table are lower")
    };
    let mut check = Check::new(statement, "grid rank", claim, verdict, reason).steps(steps);
    for source in publishers(&grid.region)? {
        check = check.source(source);
    }
    Ok(Some(check.figure("rank", rank as f64).figure("regions", of as f64)))
}

/// The country or list that a code is ranked in; empty for none.
fn group(region: &str) -> &'static str {
    let code = |prefix: &str| region.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
    if is_province(region) {
        "China"
    } else if code("US-") {
        "the United States"
    } else if region.len() == 3 && region.chars().all(|letter| letter.is_ascii_uppercase()) {
        "the table of countries"
    } else {
        ""
    }
}

/// `CN-QH`; neither `CN-residual` nor a regional grid.
fn is_province(region: &str) -> bool {
    let code = region.strip_prefix("CN-").unwrap_or_default();
    code.len() == 2 && code.chars().all(|letter| letter.is_ascii_uppercase())
}

/// Factors of one group and year, lowest first. Years of one publisher's name differ only in the announcement.
fn table(region: &str, publisher: &str, year: u16) -> Result<Vec<&'static GridFactor>, AccountError> {
    let own = group(region);
    // Countries differ in the year of their newest figure, so those of one publisher stand together.
    let countries = own == "the table of countries";
    let fits = |factor: &&GridFactor| {
        group(&factor.region) == own
            && if countries { factor.publisher == publisher } else { factor.year == Some(year) }
    };
    let mut found: Vec<&GridFactor> = catalogue()?.iter().map(|entry| &entry.factor).filter(fits).collect();
    if countries && !found.iter().any(|factor| factor.region == region && factor.year == Some(year)) {
        found.clear();
    }
    found.sort_by(|a, b| a.intensity_g_per_kwh.total_cmp(&b.intensity_g_per_kwh));
    Ok(found)
}

fn publishers(region: &str) -> Result<Vec<String>, AccountError> {
    let own = catalogue()?.iter().map(|entry| &entry.factor).filter(|factor| factor.region == region);
    Ok(own.map(|f| format!("{}: {}", f.year.unwrap_or_default(), f.publisher)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::check as check_site;
    use super::super::testing::{of_text, one, refusal};
    use super::*;

    fn at(grid: &str, rank: &str) -> Check {
        let text = format!("grid = \"{grid}\"\npue = 1.2\n[claims]\ngrid_rank = {rank}");
        check_site(&of_text(&text), &[]).unwrap().remove(0)
    }

    #[test]
    fn yunnan_and_sichuan_are_lower_than_qinghai_in_2023() {
        let found = one("grid_rank = \"lowest\"");
        assert_eq!(
            (found.verdict, found.figures["rank"], found.figures["regions"]),
            (Verdict::Contradicted, 3.0, 30.0)
        );
        assert_eq!(found.arithmetic.len(), 3, "{:?}", found.arithmetic);
        for step in &found.arithmetic {
            assert!(step.contains("Yunnan") && step.contains("Sichuan"), "{step}");
        }
    }

    #[test]
    fn yunnan_is_the_lowest_and_qinghai_the_third() {
        assert_eq!(at("CN-YN", "1").verdict, Verdict::Holds);
        assert_eq!(at("CN-QH", "3").verdict, Verdict::Holds);
        assert_eq!(at("CN-QH", "2").verdict, Verdict::Contradicted);
        assert_eq!(at("US-CAMX", "1").verdict, Verdict::Contradicted);
        assert_eq!(at("FRA", "1").verdict, Verdict::Contradicted);
    }

    #[test]
    fn a_number_of_the_user_has_no_rank() {
        assert_eq!(at("0.1796", "1").verdict, Verdict::NotCheckable);
        assert!(refusal("[claims]\ngrid_rank = 0").contains("lowest"));
    }
}
