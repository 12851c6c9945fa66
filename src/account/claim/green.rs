//! "100 % green" and "carbon-free": what the grid's factor allows, and what an hour-by-hour match must show.
//!
//! What surprises people: annual certificates do not settle it. Only a share matched in every hour does, with its source.

use super::statement::{SHARE, Statement};
use super::{Check, Verdict};
use crate::account::AccountError;

const RULE: &str = "hourly carbon-free energy: the share of consumption matched by carbon-free generation of the same \
                    hour, at most 100 % in each; stored energy keeps the carbon of its charging";

/// `carbon_free`, with `hourly_carbon_free_share` and `hourly_source`.
pub fn check(statement: &Statement<'_>) -> Result<Option<Check>, AccountError> {
    let section = &statement.section;
    let hourly = section.number("hourly_carbon_free_share", SHARE)?;
    if section.flag("carbon_free")? != Some(true) {
        return Ok(None);
    }
    let grid = &statement.site.profile.grid;
    let grams = grid.intensity_g_per_kwh.get();
    let new = |verdict, reason: &str| {
        Check::new(statement, "carbon-free", "all energy is carbon-free".to_owned(), verdict, reason)
            .figure("grid_g_per_kwh", grams)
            .source(RULE)
    };
    let grid_step = format!("1 kWh from the grid of {}: {grams} g{} ({})", grid.name, grid.gas, grid.publisher);
    let Some(share) = hourly else {
        let reason = "electricity of the grid is not free of carbon, and nothing shows that none was taken from it";
        let (verdict, reason) = if grams > 0.0 {
            (Verdict::DoesNotFollow, reason)
        } else {
            (Verdict::NeedsSiteData, "a grid factor of 0 is itself a claim")
        };
        let check = new(verdict, reason).step(grid_step);
        return Ok(Some(
            check
                .need("hourly_carbon_free_share and hourly_source: load and carbon-free supply of every hour of a year")
                .need("the state of charge of storage at start and end, and what it was charged with"),
        ));
    };
    let source = section.required_text("hourly_source", "say who metered the hourly share, and over what time")?;
    let rest =
        format!("({:.4} of the energy from the grid) × {grams} = {:.1} g/kWh", 1.0 - share, (1.0 - share) * grams);
    let check = if share >= 1.0 {
        new(Verdict::Holds, "every hour is matched, by the source that the site names").step("hourly share 100 %")
    } else {
        new(Verdict::Contradicted, "hours remain that are not matched").step(grid_step).step(rest)
    };
    Ok(Some(check.figure("hourly_carbon_free_share", share).source(format!("hourly share: {source}"))))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{one, refusal};
    use super::*;

    #[test]
    fn all_green_does_not_follow_where_the_grid_has_carbon_and_no_hour_is_shown() {
        let found = one("carbon_free = true");
        assert_eq!((found.verdict, found.needs.len()), (Verdict::DoesNotFollow, 2));
        assert_eq!(found.figures["grid_g_per_kwh"], 179.6);
    }

    #[test]
    fn a_match_in_every_hour_holds_and_less_is_contradicted() {
        let hourly = |share: &str| {
            let source = "hourly_source = \"meters of 2025\"";
            one(&format!("carbon_free = true\nhourly_carbon_free_share = {share}\n{source}"))
        };
        assert_eq!(hourly("1.0").verdict, Verdict::Holds);
        // 0.1 × 179.6 = 17.96 g/kWh.
        let found = hourly("0.9");
        assert_eq!(found.verdict, Verdict::Contradicted);
        assert!(found.arithmetic[1].ends_with("18.0 g/kWh"), "{:?}", found.arithmetic);
        assert!(refusal("[claims]\ncarbon_free = true\nhourly_carbon_free_share = 1").contains("hourly_source"));
    }
}
