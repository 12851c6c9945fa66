//! "30 % cheaper to run": what the part of energy in the operating cost allows.
//!
//! What surprises people: even free electricity saves no more than its part. The rest must come from staff, rent and
//! upkeep, which no benchmark sees. Claims that also state a payback are checked in `payback`.

use super::statement::{CHANGE, CHANGE_TO_FREE, SHARE, Statement};
use super::{Check, Verdict};
use crate::account::AccountError;

const FORMULA: &str = "change of operating cost = share of energy × change of energy cost, all else unchanged";

/// `opex_change` and `capex_change` where no payback is claimed.
pub fn check(statement: &Statement<'_>) -> Result<Vec<Check>, AccountError> {
    let section = &statement.section;
    let (capex, opex) = (section.number("capex_change", CHANGE)?, section.number("opex_change", CHANGE)?);
    let share = section.number("energy_share_of_opex", SHARE)?;
    let energy = section.number("energy_cost_change", CHANGE_TO_FREE)?;
    let mut checks = Vec::new();
    if section.has("payback_change_years") {
        return Ok(checks);
    }
    if let Some(change) = capex {
        let claim = format!("capital cost {:+.0} %", change * 100.0);
        let reason = "no price is built in: quotations for the same work decide";
        let check = Check::new(statement, "capital cost", claim, Verdict::NeedsSiteData, reason);
        checks.push(check.need("two quotations for the same work and life"));
    }
    if let Some(change) = opex {
        checks.push(running(statement, change, share, energy));
    }
    Ok(checks)
}

fn running(statement: &Statement<'_>, change: f64, share: Option<f64>, energy: Option<f64>) -> Check {
    let claim = format!("operating cost {:+.0} %", change * 100.0);
    let new =
        |verdict, reason: &str| Check::new(statement, "operating cost", claim.clone(), verdict, reason).source(FORMULA);
    let Some(share) = share else {
        let cells: Vec<String> = [0.2, 0.3, 0.4, 0.6, 0.8]
            .iter()
            .map(|share| match change / share {
                needed if needed < -1.0 => format!("{:.0} %: impossible", share * 100.0),
                needed => format!("{:.0} %: {:+.1} %", share * 100.0, needed * 100.0),
            })
            .collect();
        return new(Verdict::Incomplete, "neither the part of energy nor what it is compared with is stated")
            .step(format!("share of energy, and the change of its cost that gives it alone: {}", cells.join(", ")))
            .need("energy_share_of_opex and energy_cost_change, from invoices of both sites")
            .need("tariff, PUE and joules for the same work at both sites (`wattmark cost` gives the last)");
    };
    let Some(energy) = energy else {
        let needed = if share > 0.0 { change / share } else { f64::NEG_INFINITY };
        if needed < -1.0 {
            return new(Verdict::DoesNotFollow, "even free electricity would not save as much")
                .step(format!("{share} × (−1) = {:+.2}, claimed {change:+.2}", -share))
                .need("what else of the operating cost changes, and by how much");
        }
        return new(Verdict::NeedsSiteData, "it holds if the cost of energy changes by this much")
            .step(format!("{change:+.2} / {share} = {needed:+.3} of the energy cost"))
            .figure("energy_cost_change_needed", needed)
            .need("energy_cost_change, from invoices of both sites");
    };
    let computed = share * energy;
    // Stated to whole per cents, a change stands for what rounds to it; cheaper than claimed keeps the claim.
    let kept = (computed - change).abs() <= 0.005 || (change < 0.0 && computed < change);
    let (verdict, reason) = if kept {
        (Verdict::Holds, "the stated part and change of energy cost give at least that")
    } else {
        (Verdict::DoesNotFollow, "the stated part and change of energy cost give another change")
    };
    new(verdict, reason)
        .step(format!("{share} × {energy:+.3} = {computed:+.3}, claimed {change:+.3}"))
        .figure("opex_change_computed", computed)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checks, one};
    use super::*;

    #[test]
    fn cheaper_to_run_alone_is_incomplete_and_shows_what_energy_could_give() {
        let found = one("opex_change = -0.30");
        assert_eq!(found.verdict, Verdict::Incomplete);
        // −0.30/0.4 = −0.75; −0.30/0.2 = −1.5: more than free.
        assert!(found.arithmetic[0].contains("20 %: impossible") && found.arithmetic[0].contains("40 %: -75.0 %"));
    }

    #[test]
    fn the_part_of_energy_decides() {
        let verdict = |keys: &str| one(&format!("opex_change = -0.30\n{keys}")).verdict;
        assert_eq!(verdict("energy_share_of_opex = 0.2"), Verdict::DoesNotFollow);
        assert_eq!(verdict("energy_share_of_opex = 0.6"), Verdict::NeedsSiteData);
        // 0.6 × −0.5 = −0.30; 0.6 × −0.3 = −0.18.
        assert_eq!(verdict("energy_share_of_opex = 0.6\nenergy_cost_change = -0.5"), Verdict::Holds);
        assert_eq!(verdict("energy_share_of_opex = 0.6\nenergy_cost_change = -0.3"), Verdict::DoesNotFollow);
    }

    #[test]
    fn a_claimed_payback_takes_the_changes_over() {
        let text = "[claims]\ncapex_change = -0.2\nopex_change = -0.3\npayback_change_years = -2";
        assert_eq!(checks(text).len(), 1);
        assert_eq!(one("capex_change = -0.2").verdict, Verdict::NeedsSiteData);
    }
}
