//! The time value of money: capital recovery and payback. Prices and sites are not here.
//!
//! What surprises people: the recovery factor is for payments at the end of each year, so it is a little above that of a
//! loan paid by the month.

use serde::Serialize;

/// Share of a price that each year of a life must earn: `r / (1 − (1 + r)^−n)`, and `1 / n` at a rate of 0.
///
/// `rate` is the discount rate as a share (0.08 is 8 %), `years` the life. Source: the annuity formula of engineering
/// economics; 8 % over 4 years gives 0.30192.
pub fn capital_recovery(rate: f64, years: f64) -> f64 {
    if rate == 0.0 {
        return 1.0 / years;
    }
    // 1 − (1 + r)^−n = −expm1(−n · ln(1 + r)), exact for small rates too.
    rate / -(-years * rate.ln_1p()).exp_m1()
}

/// When something has paid for itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Payback {
    /// After this many years.
    Years(f64),
    /// Never: what comes in does not exceed what goes out.
    Never,
}

/// Simple payback, without discounting: `capital / (revenue − running)`, the last two per year.
pub fn payback(capital: f64, revenue: f64, running: f64) -> Payback {
    let net = revenue - running;
    if net > 0.0 { Payback::Years(capital / net) } else { Payback::Never }
}

/// Years until the embodied carbon of a new device is saved: `embodied / (old − new)`, the last two kilograms per year at
/// equal work.
pub fn carbon_payback(embodied_kg: f64, old_kg_per_year: f64, new_kg_per_year: f64) -> Payback {
    payback(embodied_kg, old_kg_per_year, new_kg_per_year)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn eight_percent_over_four_years_recovers_0_30192_a_year() {
        // 1.08^4 = 1.36048896; 1 / 1.36048896 = 0.73502985; 0.08 / (1 − 0.73502985) = 0.30192080.
        assert!((capital_recovery(0.08, 4.0) - 0.301_920_80).abs() < 1e-8);
    }

    #[test]
    fn without_interest_the_price_is_spread_evenly_and_a_tiny_rate_is_close_to_it() {
        assert_eq!(capital_recovery(0.0, 4.0), 0.25);
        // First order in r: 1/n + r (n + 1) / (2 n) = 0.25 + 1e-10 × 0.625.
        assert!((capital_recovery(1e-10, 4.0) - 0.25 - 0.625e-10).abs() < 1e-15);
    }

    #[test]
    fn payback_is_capital_over_what_is_left_and_never_where_nothing_is_left() {
        // 12 000 / (10 000 − 6 000) = 3 years.
        assert_eq!(payback(12_000.0, 10_000.0, 6_000.0), Payback::Years(3.0));
        assert_eq!(payback(12_000.0, 6_000.0, 6_000.0), Payback::Never);
        assert_eq!(payback(12_000.0, 5_000.0, 6_000.0), Payback::Never);
        // 164 kg saved at 400 − 318 = 82 kg a year: 2 years.
        assert_eq!(carbon_payback(164.0, 400.0, 318.0), Payback::Years(2.0));
    }

    proptest! {
        #[test]
        fn the_payments_discounted_to_today_are_the_price(rate in 0.0f64..0.5, years in 1u32..30) {
            let yearly = capital_recovery(rate, f64::from(years));
            let today: f64 = (1..=years).map(|year| yearly / (1.0 + rate).powf(f64::from(year))).sum();
            prop_assert!((today - 1.0).abs() < 1e-9, "{today}");
        }
    }
}
