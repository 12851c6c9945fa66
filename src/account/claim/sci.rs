//! What may stand inside a software carbon intensity (SCI): no market-based factor and no offset.
//!
//! What surprises people: a market-based zero is no lie in a Scope 2 report, where it stands beside the location-based
//! figure. It is wrong only inside SCI, which takes the location-based one.

use super::statement::{Statement, intensity};
use super::{Check, Verdict};
use crate::account::{AccountError, spread};

const STANDARD: &str =
    "ISO/IEC 21031:2024 (SCI): SCI = ((E × I) + M) / R; no market-based measure in I or M, and no offsets";
const SCOPE_2: &str = "GHG Protocol Scope 2: location-based and market-based figures side by side, each labelled";

/// `market_based_in_sci`, `sci_intensity_g_per_kwh` and `offset`.
pub fn check(statement: &Statement<'_>) -> Result<Vec<Check>, AccountError> {
    let section = &statement.section;
    let mut checks = Vec::new();
    if let Some(market) = section.flag("market_based_in_sci")? {
        checks.push(market_based(statement, market));
    }
    if let Some(grams) = intensity(section, "sci_intensity_g_per_kwh")? {
        checks.push(of_intensity(statement, grams)?);
    }
    if let Some(offset) = section.flag("offset")? {
        checks.push(offsets(statement, offset));
    }
    Ok(checks)
}

fn market_based(statement: &Statement<'_>, market: bool) -> Check {
    let grid = &statement.site.profile.grid;
    let grams = grid.intensity_g_per_kwh.get();
    let new = |claim: &str, verdict, reason: &str| {
        Check::new(statement, "market-based in SCI", claim.to_owned(), verdict, reason).source(STANDARD).source(SCOPE_2)
    };
    if !market {
        return new("the SCI takes a location-based factor", Verdict::Holds, "that is what the standard asks for");
    }
    new(
        "the SCI takes a market-based factor",
        Verdict::Contradicted,
        "the standard allows no market-based measure in SCI",
    )
    .step(format!("I must be the location-based factor: {} {grams} g{}/kWh, not 0", grid.name, grid.gas))
    .step("the market-based figure may stand beside it, labelled, with contract and settlement record")
    .source(format!("{}: {}", grid.region, grid.publisher))
    .figure("location_g_per_kwh", grams)
}

fn of_intensity(statement: &Statement<'_>, grams: f64) -> Result<Check, AccountError> {
    let grid = &statement.site.profile.grid;
    let own = grid.intensity_g_per_kwh.get();
    let held: Vec<f64> = spread(grid)?.iter().map(|factor| factor.intensity_g_per_kwh.get()).collect();
    let low = held.iter().copied().fold(own, f64::min);
    let high = held.iter().copied().fold(own, f64::max);
    // Half a gram is what a factor in whole grams leaves open.
    let (verdict, reason) = if grams < low - 0.5 && grams == 0.0 {
        (Verdict::Contradicted, "no location-based figure of this grid is 0: this is a market-based zero")
    } else if grams < low - 0.5 {
        (Verdict::DoesNotFollow, "it is below every location-based average held for this region")
    } else if grams > high + 0.5 {
        (Verdict::NotCheckable, "it is above the averages held; a marginal factor may be that high: its source decides")
    } else {
        (Verdict::Holds, "it lies within the location-based averages held for this region")
    };
    let claim = format!("I = {grams} g/kWh in the SCI");
    let check = Check::new(statement, "intensity in SCI", claim, verdict, reason)
        .step(format!("location-based figures held for {}: {low} to {high} g/kWh; claimed: {grams}", grid.name))
        .figure("claimed_g_per_kwh", grams)
        .figure("lowest_g_per_kwh", low)
        .figure("highest_g_per_kwh", high)
        .source(STANDARD)
        .source(format!("{}: {}", grid.region, grid.publisher));
    Ok(if verdict == Verdict::Holds { check } else { check.need("the publisher, year and method of the factor") })
}

fn offsets(statement: &Statement<'_>, offset: bool) -> Check {
    let new = |claim: &str, verdict, reason: &str| {
        Check::new(statement, "offsets", claim.to_owned(), verdict, reason).source(STANDARD).source(SCOPE_2)
    };
    if offset {
        let reason = "offsets are paid elsewhere: they lower no emission of this electricity";
        new("offsets are subtracted from the emissions", Verdict::Contradicted, reason)
            .step("emissions = energy × PUE × factor; credits are stated beside it, never subtracted")
    } else {
        new("no offset is subtracted", Verdict::Holds, "that is what the standards ask for")
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::one;
    use super::*;

    #[test]
    fn a_market_based_factor_inside_sci_is_contradicted_and_a_location_based_one_holds() {
        let found = one("market_based_in_sci = true");
        assert_eq!(found.verdict, Verdict::Contradicted);
        assert!(found.sources[0].contains("ISO/IEC 21031"));
        assert_eq!(one("market_based_in_sci = false").verdict, Verdict::Holds);
    }

    #[test]
    fn an_intensity_is_held_against_those_of_the_region() {
        // Qinghai: 132.6 (2021) to 179.6 (2023) g/kWh.
        let verdict = |grams: &str| one(&format!("sci_intensity_g_per_kwh = {grams}")).verdict;
        assert_eq!(verdict("0"), Verdict::Contradicted);
        assert_eq!(verdict("50"), Verdict::DoesNotFollow);
        assert_eq!(verdict("156.7"), Verdict::Holds);
        assert_eq!(verdict("800"), Verdict::NotCheckable);
    }

    #[test]
    fn offsets_may_not_be_subtracted() {
        assert_eq!(one("offset = true").verdict, Verdict::Contradicted);
        assert_eq!(one("offset = false").verdict, Verdict::Holds);
    }
}
