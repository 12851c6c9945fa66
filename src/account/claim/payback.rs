//! Whether changes of capital, of operating cost and of payback fit together.
//!
//! What surprises people: three true-looking changes fit together only for one ratio of operating cost to revenue at each
//! payback, and for no ratio at all beyond a certain payback.

use super::statement::{CHANGE, Statement};
use super::{Check, Verdict};
use crate::account::{AccountError, Bounds};

/// A change of payback this close to the claimed one is the same: about a month.
const SAME_YEARS: f64 = 0.1;
const FORMULA: &str = "payback P = C / (R − O), ratio o = O / R, at unchanged revenue: o = ((1+c)P − (P+d)) / ((1+c)P − \
                       (1+x)(P+d)), with c, x and d the changes of capital, operating cost and payback";

/// Three changes that are claimed together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Changes {
    /// Relative change of capital cost.
    pub capex: f64,
    /// Relative change of operating cost.
    pub opex: f64,
    /// Change of payback in years.
    pub years: f64,
}

impl Changes {
    /// The ratio o of operating cost to revenue before the change at which the changes fit together, for a payback P
    /// before it, in years; `None` if no ratio above 0 and below 1 does.
    ///
    /// Payback is P = C/(R − O). With o = O/R it is P = C/(R(1 − o)), so C/R = P(1 − o). After the change
    /// P + d = C(1 + c)/(R(1 − (1 + x)o)). Put in, and solved for o:
    ///
    /// ```text
    /// P(1 − o)(1 + c) = (P + d)(1 − (1 + x)o)
    /// o = ((1 + c)P − (P + d)) / ((1 + c)P − (1 + x)(P + d))
    /// ```
    ///
    /// For c = −0.2, x = −0.3 and d = −2 that is (0.8P − (P − 2)) / (0.8P − 0.7(P − 2)).
    pub fn ratio_at(&self, payback: f64) -> Option<f64> {
        let after = payback + self.years;
        let scaled = (1.0 + self.capex) * payback;
        let (numerator, denominator) = (scaled - after, scaled - (1.0 + self.opex) * after);
        // A numerator that is 0 but for rounding is 0: no operating cost at all.
        let tiny = 1e-12 * payback.abs().max(1.0);
        let ratio = if numerator.abs() <= tiny { 0.0 } else { numerator / denominator };
        (payback > 0.0 && after > 0.0 && ratio.is_finite() && ratio > 1e-9 && ratio < 1.0 - 1e-9).then_some(ratio)
    }

    /// Paybacks before the change, in years, between which (both excluded) some ratio fits; `None` if there are none.
    ///
    /// The numerator above is N = cP − d, and the denominator less N is −x(P + d). With P + d > 0 the ratio N / D lies
    /// between 0 and 1 where N and −x have the same sign: cP > d for x < 0, cP < d for x > 0.
    pub fn paybacks(&self) -> Option<(f64, f64)> {
        let least = (-self.years).max(0.0);
        let above = if self.opex < 0.0 { self.capex } else { -self.capex };
        let limit = if self.opex < 0.0 { self.years } else { -self.years };
        let (low, high) = match () {
            () if self.opex == 0.0 => return None,
            // above·P > limit
            () if above > 0.0 => (least.max(limit / above), f64::INFINITY),
            () if above < 0.0 => (least, limit / above),
            () if limit < 0.0 => (least, f64::INFINITY),
            () => return None,
        };
        (low < high).then_some((low, high))
    }

    /// Change of payback in years at a payback and a ratio; infinite where nothing is left to pay back with.
    fn change_at(&self, payback: f64, ratio: f64) -> f64 {
        let left = 1.0 - (1.0 + self.opex) * ratio;
        if left <= 0.0 {
            return f64::INFINITY;
        }
        payback * (1.0 - ratio) * (1.0 + self.capex) / left - payback
    }
}

/// `payback_change_years` with `capex_change` and `opex_change`.
pub fn check(statement: &Statement<'_>) -> Result<Option<Check>, AccountError> {
    let section = &statement.section;
    let years = Bounds { low: -100.0, high: 100.0, above: false, meaning: "years, from -100 to 100 (-2 for 2 sooner)" };
    let life = Bounds { low: 0.0, high: 100.0, above: true, meaning: "years, above 0 and up to 100" };
    let ratio = Bounds { low: 0.0, high: 1.0, above: true, meaning: "a share above 0 and below 1" };
    let Some(years) = section.number("payback_change_years", years)? else { return Ok(None) };
    let (capex, opex) = (section.number("capex_change", CHANGE)?, section.number("opex_change", CHANGE)?);
    let before = section.number("payback_years", life)?;
    let over = section.number("opex_over_revenue", ratio)?;
    if over == Some(1.0) {
        return Err(section.bad("opex_over_revenue", "at 1 nothing is left to pay back with: it must be below 1"));
    }
    if before.is_some_and(|before| before + years <= 0.0) {
        return Err(section.bad("payback_years", "with payback_change_years the new payback would be 0 or less"));
    }
    let (Some(capex), Some(opex)) = (capex, opex) else {
        let claim = format!("payback {years:+} years");
        let reason = "a payback follows from capital, operating cost and revenue, and not all are stated";
        let check = Check::new(statement, "payback", claim, Verdict::Incomplete, reason).source(FORMULA);
        return Ok(Some(check.need("capex_change and opex_change")));
    };
    Ok(Some(verdict(statement, Changes { capex, opex, years }, before, over)))
}

fn verdict(statement: &Statement<'_>, changes: Changes, before: Option<f64>, over: Option<f64>) -> Check {
    let claim = format!(
        "capital {:+.0} %, operating cost {:+.0} %, payback {:+} years",
        changes.capex * 100.0,
        changes.opex * 100.0,
        changes.years
    );
    let range = changes.paybacks();
    let fits = match range {
        None if changes.opex == 0.0 => "payback changes as capital does, at every ratio".to_owned(),
        None => "they fit together at no payback".to_owned(),
        Some((low, high)) if high.is_infinite() => format!("they fit together only for P > {}", short(low)),
        Some((low, high)) => {
            format!("they fit together only for {} < P < {}: never for P ≥ {}", short(low), short(high), short(high))
        }
    };
    let new = |verdict, reason: &str| {
        let mut check = Check::new(statement, "payback", claim.clone(), verdict, reason);
        if let Some(high) = range.map(|range| range.1).filter(|high| high.is_finite()) {
            check = check.figure("never_from_payback_years", high);
        }
        let table = if changes.opex == 0.0 { Vec::new() } else { table(changes) };
        check.steps(table).step(fits.clone()).source(FORMULA)
    };
    let needs = "invoices: payback before the change and the ratio of operating cost to revenue";
    // Without a change of operating cost the payback follows the capital alone, whatever the ratio.
    let over = if changes.opex == 0.0 { Some(over.unwrap_or(0.5)) } else { over };
    match (range, before, over) {
        (None, ..) if changes.opex != 0.0 => {
            new(Verdict::Contradicted, "no payback and no ratio of operating cost to revenue fits")
        }
        (_, Some(before), Some(over)) => {
            let change = changes.change_at(before, over);
            let close = (change - changes.years).abs() <= SAME_YEARS;
            // Sooner than claimed keeps a claim of "sooner"; later keeps none.
            let better = changes.years < 0.0 && change < changes.years;
            let (verdict, reason) = if close || better {
                (Verdict::Holds, "the stated payback and ratio give at least the claimed change")
            } else {
                (Verdict::Contradicted, "the stated payback and ratio give another change")
            };
            new(verdict, reason)
                .step(format!(
                    "at P = {before} and o = {over}: payback {change:+.2} years, claimed {:+}",
                    changes.years
                ))
                .figure("payback_change_computed_years", change)
        }
        (_, Some(before), None) => match changes.ratio_at(before) {
            None => new(Verdict::Contradicted, "at the stated payback no ratio of operating cost to revenue fits"),
            Some(ratio) => new(Verdict::NeedsSiteData, "it holds at one ratio of operating cost to revenue only")
                .step(format!("at P = {before} the ratio must be {ratio:.2}"))
                .figure("opex_over_revenue_needed", ratio)
                .need("opex_over_revenue, from invoices"),
        },
        (_, None, over) => {
            let mut check = new(Verdict::Incomplete, "the payback before the change is not stated");
            if let Some(over) = over {
                check = check.step(format!("stated ratio: {over}"));
            }
            check.need(needs)
        }
    }
}

/// The needed ratio at whole years of payback, eight to a line.
fn table(changes: Changes) -> Vec<String> {
    let first = ((-changes.years).max(0.0).floor() as u32) + 1;
    let cell = |payback: u32| match changes.ratio_at(f64::from(payback)) {
        Some(ratio) => format!("{payback}: {ratio:.2}"),
        None => format!("{payback}: never"),
    };
    let cells: Vec<String> = (first..first + 10).map(cell).collect();
    vec![format!("payback P in years and the ratio o it needs: {}", cells.join(", "))]
}

/// A number without needless decimals.
fn short(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{one, refusal};
    use super::*;

    const SOLD: Changes = Changes { capex: -0.20, opex: -0.30, years: -2.0 };
    const KEYS: &str = "capex_change = -0.20\nopex_change = -0.30\npayback_change_years = -2\n";

    #[test]
    fn the_needed_ratio_is_the_one_worked_by_hand() {
        // P = 3: (2.4 − 1)/(2.4 − 0.7) = 1.4/1.7; P = 4: 1.2/1.8; P = 5: 1.0/1.9; P = 6: 0.8/2.0; P = 8: 0.4/2.2.
        for (payback, ratio) in [(3.0, 0.82), (4.0, 0.67), (5.0, 0.53), (6.0, 0.40), (8.0, 0.18)] {
            let found = SOLD.ratio_at(payback).unwrap();
            assert!((found - ratio).abs() < 0.005, "{payback}: {found}");
            assert!((SOLD.change_at(payback, found) + 2.0).abs() < 1e-9, "the ratio gives the change back");
        }
        for payback in [1.0, 2.0, 10.0, 12.0, 40.0] {
            assert_eq!(SOLD.ratio_at(payback), None, "{payback}");
        }
        let (low, high) = SOLD.paybacks().unwrap();
        assert!((low - 2.0).abs() < 1e-12 && (high - 10.0).abs() < 1e-12);
    }

    #[test]
    fn the_range_of_paybacks_is_where_a_ratio_exists_whatever_the_changes() {
        for capex in [-0.4, -0.2, 0.0, 0.3] {
            for opex in [-0.3, 0.2] {
                for years in [-2.0, -0.5, 1.5] {
                    let changes = Changes { capex, opex, years };
                    let range = changes.paybacks();
                    for payback in (1..200).map(|step| 0.17 * f64::from(step)) {
                        let within = range.is_some_and(|(low, high)| payback > low && payback < high);
                        assert_eq!(changes.ratio_at(payback).is_some(), within, "{changes:?} at {payback}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_claim_passes_fails_or_waits_by_what_is_stated() {
        assert_eq!(one(KEYS).verdict, Verdict::Incomplete);
        assert_eq!(one(&format!("{KEYS}payback_years = 5")).verdict, Verdict::NeedsSiteData);
        assert_eq!(one(&format!("{KEYS}payback_years = 10")).verdict, Verdict::Contradicted);
        // P = 6, o = 0.4: 6 · 0.6 · 0.8 / (1 − 0.28) = 4 years, two sooner.
        assert_eq!(one(&format!("{KEYS}payback_years = 6\nopex_over_revenue = 0.4")).verdict, Verdict::Holds);
        // P = 6, o = 0.2: 6 · 0.8 · 0.8 / 0.86 = 4.465 years, 1.53 sooner.
        let found = one(&format!("{KEYS}payback_years = 6\nopex_over_revenue = 0.2"));
        assert_eq!(found.verdict, Verdict::Contradicted);
        assert!((found.figures["payback_change_computed_years"] + 1.5349).abs() < 1e-4);
        assert_eq!(one("payback_change_years = -2").verdict, Verdict::Incomplete);
        assert!(one(KEYS).arithmetic[1].contains("never for P ≥ 10"));
    }

    #[test]
    fn without_a_change_of_operating_cost_the_payback_follows_the_capital() {
        // −20 % of 10 years is 2 years, at any ratio; of 5 years it is 1.
        let keys = "capex_change = -0.20\nopex_change = 0\npayback_change_years = -2\n";
        assert_eq!(one(&format!("{keys}payback_years = 10")).verdict, Verdict::Holds);
        assert_eq!(one(&format!("{keys}payback_years = 5")).verdict, Verdict::Contradicted);
    }

    #[test]
    fn paybacks_and_ratios_that_cannot_be_are_refused() {
        assert!(refusal(&format!("[claims]\n{KEYS}payback_years = 2")).contains("0 or less"));
        assert!(refusal(&format!("[claims]\n{KEYS}opex_over_revenue = 1")).contains("below 1"));
    }
}
