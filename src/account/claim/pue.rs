//! A claimed PUE: what its definition allows, and what only a year of meters can tell.
//!
//! What surprises people: a PUE that the same site file declares is no proof; only one with evidence "measured" is.

use super::statement::Statement;
use super::{Check, Verdict};
use crate::account::{AccountError, Bounds};
use crate::model::Evidence;

const CLAIMED: Bounds = Bounds { low: 0.0, high: 5.0, above: true, meaning: "a PUE above 0 and up to 5, such as 1.15" };
const DEFINITION: &str = "ISO/IEC 30134 series: PUE = energy of the data centre / energy of its IT \
                          equipment, both over one year";

/// `pue` and `pue_below`.
pub fn check(statement: &Statement<'_>) -> Result<Vec<Check>, AccountError> {
    let exact = statement.section.number("pue", CLAIMED)?.map(|value| verdict(statement, value, false));
    let below = statement.section.number("pue_below", CLAIMED)?.map(|value| verdict(statement, value, true));
    Ok(exact.into_iter().chain(below).collect())
}

fn verdict(statement: &Statement<'_>, claimed: f64, below: bool) -> Check {
    let claim = format!("PUE {}{claimed}", if below { "below " } else { "" });
    let pue = &statement.site.profile.pue;
    let own = format!("this site file states PUE {} ({}: {})", pue.value, pue.evidence, pue.source);
    let new = |verdict, reason: &str| {
        Check::new(statement, "PUE", claim.clone(), verdict, reason).figure("pue_claimed", claimed).source(DEFINITION)
    };
    if claimed < 1.0 || (below && claimed <= 1.0) {
        return new(Verdict::Contradicted, "a facility cannot use less energy than the IT equipment inside it")
            .step(format!(
                "a PUE below {} means {} kWh for the facility and 1 kWh for its IT",
                claimed.max(1.0),
                claimed
            ))
            .step("the facility's energy includes that of its IT, so the ratio is at least 1");
    }
    // Stated to hundredths, a PUE stands for what rounds to it.
    let kept = if below { pue.value < claimed } else { pue.value <= claimed + 0.005 };
    let compared = format!("{own}; claimed: {}{claimed}", if below { "below " } else { "" });
    match (pue.evidence, kept) {
        (Evidence::Measured, true) => new(Verdict::Holds, "the measured PUE of the site file agrees").step(compared),
        (Evidence::Measured, false) => {
            new(Verdict::Contradicted, "the measured PUE of the site file is higher").step(compared)
        }
        (Evidence::Declared | Evidence::Estimated, _) if pue.value > claimed + 0.005 => {
            new(Verdict::Contradicted, "the same site file states a higher PUE").step(compared)
        }
        _ => new(Verdict::NeedsSiteData, "a declared PUE is no measurement, and no benchmark can measure one")
            .step(compared)
            .need("one year of meter readings of the facility and of its IT equipment")
            .need("the measurement category (basic, intermediate or advanced) and the period"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check as check_site;
    use super::super::testing::{of_text, one};
    use super::*;

    fn measured(keys: &str) -> Verdict {
        let pue = "[pue]\nvalue = 1.15\nevidence = \"measured\"\nsource = \"annual meters\"";
        check_site(&of_text(&format!("grid = \"CN-QH\"\n{pue}\n[claims]\n{keys}")), &[]).unwrap()[0].verdict
    }

    #[test]
    fn a_pue_below_one_is_contradicted_by_its_definition() {
        assert_eq!(one("pue = 0.9").verdict, Verdict::Contradicted);
        assert_eq!(one("pue_below = 1.0").verdict, Verdict::Contradicted);
        assert!(one("pue = 0.9").arithmetic[1].contains("at least 1"));
    }

    #[test]
    fn a_declared_pue_needs_a_year_of_meters() {
        let found = one("pue_below = 1.25");
        assert_eq!(found.verdict, Verdict::NeedsSiteData);
        assert!(found.needs[1].contains("basic, intermediate or advanced"));
    }

    #[test]
    fn a_measured_pue_proves_or_refutes() {
        assert_eq!(measured("pue_below = 1.2"), Verdict::Holds);
        assert_eq!(measured("pue = 1.15"), Verdict::Holds);
        assert_eq!(measured("pue_below = 1.15"), Verdict::Contradicted);
        assert_eq!(measured("pue = 1.1"), Verdict::Contradicted);
    }

    #[test]
    fn a_site_file_that_states_more_contradicts_its_own_claim() {
        assert_eq!(one("pue = 1.1").verdict, Verdict::Contradicted);
    }
}
