//! What devices cost over their life, year by year, and when they have paid for themselves.
//!
//! What surprises people: payments fall at the end of each year, and a life of 3.5 years has a fourth year of half the
//! cost. The discounted total times the capital recovery factor, over the work of a year, is the cost of a unit of work.

use serde::Serialize;

use super::capital::{Payback, capital_recovery, payback};
use super::terms::{Parts, Terms};

/// One year of a life.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Year {
    /// 0 is the purchase.
    pub year: u32,
    /// What is paid in it.
    pub paid: f64,
    /// The same in today's money.
    pub discounted: f64,
    /// Everything paid until then.
    pub paid_until: f64,
}

/// The cost of ownership over a life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ownership {
    /// Work in a year, in units.
    pub units_per_year: f64,
    /// Energy of the facility in a year.
    pub facility_kwh_per_year: f64,
    /// Operational carbon in a year, location-based.
    pub carbon_kg_per_year: f64,
    /// Parts over the whole life, not discounted.
    pub parts: Parts,
    /// What is paid in a full year, without the purchase.
    pub running_per_year: f64,
    /// Purchase and years.
    pub years: Vec<Year>,
    /// Everything paid, not discounted.
    pub total: f64,
    /// Everything paid, in today's money.
    pub discounted_total: f64,
    /// The discounted total as equal payments per year, which compares devices of different lives.
    pub per_year: f64,
    /// When revenue has paid for the devices; `None` if the site states no revenue.
    pub payback: Option<Payback>,
}

impl Ownership {
    /// The ownership of devices with these terms; whole years pay the mean tariff.
    pub fn of(terms: &Terms) -> Self {
        let units = terms.units_per_year();
        let yearly = Terms { tariff_per_kwh: terms.mean_tariff_per_kwh, ..terms.clone() };
        let unit = yearly.parts();
        let running = unit.running() * units;
        let life = terms.life_years;
        let capital = terms.capital();
        let mut years = vec![Year { year: 0, paid: capital, discounted: capital, paid_until: capital }];
        let mut paid_until = capital;
        for year in 1..=life.ceil() as u32 {
            let paid = running * (life - f64::from(year - 1)).min(1.0);
            paid_until += paid;
            let discounted = paid / (1.0 + terms.discount_rate).powf(f64::from(year).min(life));
            years.push(Year { year, paid, discounted, paid_until });
        }
        let discounted_total = years.iter().map(|year| year.discounted).sum();
        let parts = Parts {
            hardware: terms.price,
            server: terms.server,
            maintenance: unit.maintenance * units * life,
            other: unit.other * units * life,
            electricity: unit.electricity * units * life,
            carbon_price: unit.carbon_price * units * life,
        };
        let revenue = terms.revenue_per_hour.map(|revenue| revenue * terms.work_hours_per_year());
        Self {
            units_per_year: units,
            facility_kwh_per_year: terms.facility_kwh() * units,
            carbon_kg_per_year: terms.grams() * units / 1e3,
            parts,
            running_per_year: running,
            total: paid_until,
            discounted_total,
            per_year: discounted_total * capital_recovery(terms.discount_rate, life),
            payback: revenue.map(|revenue| payback(capital, revenue, running)),
            years,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::terms::testing::terms;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn four_years_cost_what_was_worked_by_hand() {
        let owned = Ownership::of(&terms());
        // 5256 h of work at 100 W are 525.6 kWh; × 1.2 = 630.72 kWh; × 0.5 = 315.36; × 179.6 g = 113.277 kg.
        assert!((owned.facility_kwh_per_year - 630.72).abs() < 1e-6);
        assert!((owned.carbon_kg_per_year - 113.277_312).abs() < 1e-6);
        // 2000 + 315.36 + 0.113277312 t × 75 = 8.4957984: 2323.8557984 a year.
        assert!((owned.running_per_year - 2_323.855_798_4).abs() < 1e-6);
        // 100 000 + 4 × 2323.8557984 = 109 295.4231936.
        assert!((owned.total - 109_295.423_193_6).abs() < 1e-5);
        // Annuity factor 1 / 0.3019208 = 3.31212684: 100 000 + 2323.8557984 × 3.31212684 = 107 696.905.
        assert!((owned.discounted_total - 107_696.905).abs() < 1e-2, "{}", owned.discounted_total);
        assert_eq!(owned.years.len(), 5);
        assert_eq!(owned.payback, None);
    }

    #[test]
    fn a_life_of_three_and_a_half_years_ends_with_half_a_year() {
        let owned = Ownership::of(&Terms { life_years: 3.5, ..terms() });
        assert_eq!(owned.years.len(), 5);
        assert!((owned.years[4].paid / owned.years[3].paid - 0.5).abs() < 1e-12);
        assert!((owned.total - 100_000.0 - 3.5 * owned.running_per_year).abs() < 1e-6);
    }

    #[test]
    fn payback_counts_the_revenue_of_working_hours() {
        // 5256 h × 8 = 42 048; − 2323.8558 = 39 724.1442; 100 000 / 39 724.1442 = 2.517361 years.
        let owned = Ownership::of(&Terms { revenue_per_hour: Some(8.0), ..terms() });
        let Some(Payback::Years(years)) = owned.payback else { panic!("{:?}", owned.payback) };
        assert!((years - 2.517_361).abs() < 1e-5, "{years}");
        let poor = Ownership::of(&Terms { revenue_per_hour: Some(0.4), ..terms() });
        assert_eq!(poor.payback, Some(Payback::Never), "0.4 × 5256 = 2102 is less than 2324");
    }

    proptest! {
        #[test]
        fn the_equal_payment_over_the_work_of_a_year_is_the_cost_of_a_unit(
            rate in 0.0f64..0.3, life in 1u32..12, utilisation in 0.05f64..1.0, idle in 0.0f64..1.0,
        ) {
            let terms = Terms {
                discount_rate: rate, life_years: f64::from(life), utilisation, idle_kw: Some(idle), server: 9e3,
                maintenance_share: 0.03, other_per_hour: 0.7, ..terms()
            };
            let owned = Ownership::of(&terms);
            prop_assert!((owned.per_year / owned.units_per_year / terms.cost() - 1.0).abs() < 1e-9);
            prop_assert!((owned.parts.total() / owned.total - 1.0).abs() < 1e-9);
        }
    }
}
