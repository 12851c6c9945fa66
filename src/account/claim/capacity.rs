//! Clean shares of installed capacity and of energy, against the official factor of the region.
//!
//! What surprises people: the share of *capacity* is not disputed here. It is the reading of it as a share of the *energy*
//! used that is checked: plants of different kinds run different hours, and electricity is traded.

use super::statement::{SHARE, Statement, intensity};
use super::{Check, Verdict};
use crate::account::{AccountError, Bounds, factor_for};
use crate::model::GridFactor;

/// Shares are stated to whole per cents: 0.94 stands for 0.935 and more.
const ROUNDING: f64 = 0.005;

/// Words in the licence of figures that a state publishes.
const OFFICIAL: [&str; 2] = ["government-published", "government work"];

/// A fossil factor in g/kWh, and who published it.
struct Fossil {
    grams: f64,
    source: String,
}

/// `clean_capacity_share` and `clean_energy_share`.
pub fn check(statement: &Statement<'_>) -> Result<Vec<Check>, AccountError> {
    let section = &statement.section;
    let mut checks = Vec::new();
    let claimed = intensity(section, "claimed_intensity_g_per_kwh")?;
    if let Some(share) = section.number("clean_capacity_share", SHARE)? {
        checks.push(of_share(statement, share, claimed, true)?);
    }
    if let Some(share) = section.number("clean_energy_share", SHARE)? {
        checks.push(of_share(statement, share, claimed, false)?);
    }
    Ok(checks)
}

/// The user's own fossil factor, or the official one of China for its provinces.
fn fossil(statement: &Statement<'_>) -> Result<Option<Fossil>, AccountError> {
    let section = &statement.section;
    if let Some(grams) = intensity(section, "fossil_g_per_kwh")? {
        Bounds::positive("g/kWh, above 0").check(&section.place(), "fossil_g_per_kwh", grams)?;
        let source = section.required_text("fossil_source", "say who published the fossil factor")?;
        return Ok(Some(Fossil { grams, source: format!("fossil factor as the site file gives it: {source}") }));
    }
    let region = &statement.site.profile.grid.region;
    if region != "CN" && !region.starts_with("CN-") {
        return Ok(None);
    }
    let factor = factor_for("CN-fossil")?;
    let year = factor.year.map_or_else(String::new, |year| format!(" {year}"));
    let source = format!("fossil power of China{year}: {}", factor.publisher);
    Ok(Some(Fossil { grams: factor.intensity_g_per_kwh.get(), source }))
}

/// What a factor may be called: a state's own figure is official, another built-in one published, the user's own stated.
fn standing(grid: &GridFactor) -> &'static str {
    match () {
        () if grid.region == "user" || grid.publisher.is_empty() => "stated",
        () if OFFICIAL.iter().any(|words| grid.licence.contains(words)) => "official",
        () => "published",
    }
}

fn of_share(
    statement: &Statement<'_>,
    share: f64,
    claimed: Option<f64>,
    capacity: bool,
) -> Result<Check, AccountError> {
    let (kind, of) =
        if capacity { ("installed capacity", "installed capacity") } else { ("energy share", "energy used") };
    let claim = format!("{:.0} % clean, as a share of {of}", share * 100.0);
    let grid = &statement.site.profile.grid;
    let official = grid.intensity_g_per_kwh.get();
    let year = grid.year.map_or_else(|| "year unstated".to_owned(), |year| year.to_string());
    let Some(fossil) = fossil(statement)? else {
        let reason = "no fossil factor of this region is built in, so the share implies no intensity";
        return Ok(Check::new(statement, kind, claim, Verdict::NotCheckable, reason)
            .need("fossil_g_per_kwh and fossil_source: the intensity of the region's fossil power and its publisher"));
    };
    let implied = (1.0 - share) * fossil.grams;
    let (follows, stated) = match claimed {
        // A claimed intensity is held against the official one as it stands.
        Some(grams) => (grams >= official - 0.5, grams),
        None => ((1.0 - share + ROUNDING) * fossil.grams >= official, implied),
    };
    let whose = standing(grid);
    let (verdict, reason) = match (follows, capacity) {
        (true, _) => (Verdict::Holds, format!("the {whose} factor is no higher than what the claim implies")),
        (false, true) => (
            Verdict::DoesNotFollow,
            "a share of installed capacity is not a share of the electricity consumed".to_owned(),
        ),
        (false, false) => {
            (Verdict::DoesNotFollow, format!("the grid's {whose} factor does not give so clean an energy"))
        }
    };
    let mut check = Check::new(statement, kind, claim, verdict, &reason).step(format!(
        "read as a share of energy: (1 − {share}) × {:.4} = {:.3} kg/kWh",
        fossil.grams / 1e3,
        implied / 1e3
    ));
    if let Some(grams) = claimed {
        check = check.step(format!("claimed intensity: {:.4} kg/kWh", grams / 1e3)).figure("claimed_g_per_kwh", grams);
    }
    let times = if stated > 0.0 { format!(", {:.1} times", official / stated) } else { String::new() };
    check = check.step(format!(
        "{whose} {}-side factor of {} {year}: {:.4} kg{}/kWh{times}",
        grid.basis,
        grid.name,
        official / 1e3,
        grid.gas
    ));
    check = check.step(format!(
        "the factor would mean a fossil share of {:.4} / {:.4} = {:.0} %",
        official / 1e3,
        fossil.grams / 1e3,
        official / fossil.grams * 100.0
    ));
    if verdict.fails() {
        check = check.need(match capacity {
            true => "the energy of each source over a year (meters or settlement records), not the capacity",
            false => "contracts with settlement records, or meters of own generation, for the energy claimed as clean",
        });
    }
    if stated > 0.0 {
        check = check.figure("official_over_stated_ratio", official / stated);
    }
    Ok(check
        .figure("implied_g_per_kwh", implied)
        .figure("official_g_per_kwh", official)
        .figure("fossil_g_per_kwh", fossil.grams)
        .source(fossil.source)
        .source(format!("{} {year}: {}", grid.region, grid.publisher)))
}

#[cfg(test)]
mod tests {
    use super::super::check as check_site;
    use super::super::testing::{of_text, one};
    use super::*;

    #[test]
    fn a_factor_is_called_official_only_where_a_state_publishes_it() {
        let site = |grid: &str| {
            let text = format!(
                "grid = {grid}\npue = 1.2\n[[claims.claim]]\nsentence = \"s\"\nclean_capacity_share = 0.94\n\
                 fossil_g_per_kwh = 800\nfossil_source = \"TSO\"\n"
            );
            check_site(&of_text(&text), &[]).unwrap()[0].arithmetic.join("; ")
        };
        for (grid, whose) in [("\"CN-QH\"", "official"), ("\"FRA\"", "published"), ("0.3", "stated")] {
            assert!(site(grid).contains(&format!("{whose} ")), "{grid}: {}", site(grid));
        }
        assert!(!site("0.3").contains("official"));
    }

    #[test]
    fn ninety_four_per_cent_of_capacity_is_not_ninety_four_per_cent_of_the_energy() {
        // (1 − 0.94) × 827.3 = 49.638 g/kWh; 179.6 / 49.638 = 3.618.
        let found = one("clean_capacity_share = 0.94");
        assert_eq!(found.verdict, Verdict::DoesNotFollow);
        assert!((found.figures["implied_g_per_kwh"] - 49.638).abs() < 1e-9);
        assert!((found.figures["official_over_stated_ratio"] - 3.6182).abs() < 1e-4);
        assert!(found.arithmetic[0].ends_with("= 0.050 kg/kWh") && found.arithmetic[1].contains("3.6 times"));
        assert!(found.sources.iter().any(|source| source.contains("Announcement 2025 No.47")));
    }

    #[test]
    fn a_share_that_implies_no_less_than_the_official_factor_holds() {
        // (1 − 0.78) × 827.3 = 182.0 g/kWh, above 179.6.
        assert_eq!(one("clean_capacity_share = 0.78").verdict, Verdict::Holds);
        assert_eq!(one("clean_energy_share = 0.78").verdict, Verdict::Holds);
        assert_eq!(one("clean_energy_share = 0.94").verdict, Verdict::DoesNotFollow);
    }

    #[test]
    fn a_claimed_intensity_is_held_against_the_official_one() {
        let claim = |grams: &str| one(&format!("clean_capacity_share = 0.94\nclaimed_intensity_g_per_kwh = {grams}"));
        assert_eq!(claim("50").verdict, Verdict::DoesNotFollow);
        assert_eq!(claim("179.6").verdict, Verdict::Holds);
    }

    #[test]
    fn outside_china_the_fossil_factor_must_come_with_its_source() {
        let of = |keys: &str| {
            let text = format!("grid = \"FRA\"\npue = 1.2\n[claims]\nclean_capacity_share = 0.99\n{keys}");
            check_site(&of_text(&text), &[]).map(|found| found[0].verdict)
        };
        assert_eq!(of("").unwrap(), Verdict::NotCheckable);
        assert!(of("fossil_g_per_kwh = 500").unwrap_err().to_string().contains("fossil_source"));
        assert_eq!(of("fossil_g_per_kwh = 500\nfossil_source = \"x\"").unwrap(), Verdict::DoesNotFollow);
    }
}
