//! All that the cost of a unit of work is made of, as plain numbers, so that any of them can be varied alone.
//!
//! Money is in the account's currency. What surprises people: the hours are those of all devices of a fleet together, and
//! so are price, maintenance and idle power.

use serde::Serialize;

use super::capital::capital_recovery;
use crate::units::HOURS_PER_YEAR;

/// Names of the parts of a cost, in the order of [`Parts::list`].
pub const PARTS: [&str; 6] = ["hardware", "server", "maintenance", "other", "electricity", "carbon price"];

/// What a cost is made of.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Parts {
    /// The devices' price.
    pub hardware: f64,
    /// Their share of servers, racks, network.
    pub server: f64,
    /// Maintenance.
    pub maintenance: f64,
    /// Whatever else is paid by the hour of work.
    pub other: f64,
    /// Electricity of the facility: work and idle hours times PUE.
    pub electricity: f64,
    /// Price of the carbon of that electricity; 0 where the site names none.
    pub carbon_price: f64,
}

impl Parts {
    /// Amounts in the order of [`PARTS`].
    pub fn list(&self) -> [f64; 6] {
        [self.hardware, self.server, self.maintenance, self.other, self.electricity, self.carbon_price]
    }
    /// All together.
    pub fn total(&self) -> f64 {
        self.list().iter().sum()
    }
    /// Without what is paid once, at the purchase.
    pub fn running(&self) -> f64 {
        self.maintenance + self.other + self.electricity + self.carbon_price
    }
}

/// The inputs of the cost of one unit of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Terms {
    /// Hours of work that a unit takes.
    #[serde(rename = "time_h")]
    pub hours: f64,
    /// Energy that a unit takes at the device, without idle hours.
    #[serde(rename = "energy_kwh")]
    pub kwh: f64,
    /// Power in the hours without work; `None` if the site does not state it, and then it is left out.
    pub idle_kw: Option<f64>,
    /// Price of the devices.
    pub price: f64,
    /// Their share of servers, racks, network.
    pub server: f64,
    /// Maintenance per year.
    pub maintenance_per_year: f64,
    /// Maintenance per year as a share of price and server, added to the amount above.
    pub maintenance_share: f64,
    /// Other cost per hour of work.
    pub other_per_hour: f64,
    /// Revenue per hour of work, if stated.
    pub revenue_per_hour: Option<f64>,
    /// Embodied carbon of the devices, if stated.
    pub embodied_kg: Option<f64>,
    /// Discount rate as a share per year.
    pub discount_rate: f64,
    /// Life in years.
    pub life_years: f64,
    /// Share of all hours with work.
    pub utilisation: f64,
    /// Power usage effectiveness.
    pub pue: f64,
    /// Price per kWh in the hours of the work.
    pub tariff_per_kwh: f64,
    /// Price per kWh over the day, for idle hours and whole years.
    pub mean_tariff_per_kwh: f64,
    /// Grid intensity, location-based.
    pub intensity_g_per_kwh: f64,
    /// Price of a tonne of carbon, if the site names one.
    pub carbon_price_per_t: Option<f64>,
}

impl Terms {
    /// What is paid once: price and server.
    pub fn capital(&self) -> f64 {
        self.price + self.server
    }
    /// Hours of work in a year.
    pub fn work_hours_per_year(&self) -> f64 {
        HOURS_PER_YEAR * self.utilisation
    }
    /// Units of work in a year.
    pub fn units_per_year(&self) -> f64 {
        self.work_hours_per_year() / self.hours
    }
    /// Maintenance in a year.
    pub fn maintenance(&self) -> f64 {
        self.maintenance_per_year + self.maintenance_share * self.capital()
    }
    /// Energy of the idle hours that a unit must carry: its hours times `(1 − u) / u` times the idle power.
    pub fn idle_kwh(&self) -> f64 {
        self.idle_kw.unwrap_or(0.0) * self.hours * (1.0 - self.utilisation) / self.utilisation
    }
    /// Energy of the facility for a unit, idle hours included.
    pub fn facility_kwh(&self) -> f64 {
        (self.kwh + self.idle_kwh()) * self.pue
    }
    /// Operational carbon of a unit in grams, location-based.
    pub fn grams(&self) -> f64 {
        self.facility_kwh() * self.intensity_g_per_kwh
    }
    /// Embodied carbon of a unit in grams: the devices' carbon spread over the hours of work of their life.
    pub fn embodied_grams(&self) -> Option<f64> {
        let work_hours = self.life_years * self.work_hours_per_year();
        Some(self.embodied_kg? * 1e3 * self.hours / work_hours)
    }

    /// Cost of a unit of work by part.
    ///
    /// `t · (price · CRF(r, n) / (8760 · u) + …) + E · PUE · tariff + carbon price · kg`; the hours of a unit `t`, the
    /// utilisation `u`.
    pub fn parts(&self) -> Parts {
        let year_of_unit = self.hours / self.work_hours_per_year();
        let recovery = capital_recovery(self.discount_rate, self.life_years) * year_of_unit;
        Parts {
            hardware: self.price * recovery,
            server: self.server * recovery,
            maintenance: self.maintenance() * year_of_unit,
            other: self.other_per_hour * self.hours,
            electricity: self.pue * (self.kwh * self.tariff_per_kwh + self.idle_kwh() * self.mean_tariff_per_kwh),
            carbon_price: self.carbon_price_per_t.unwrap_or(0.0) * self.grams() / 1e6,
        }
    }
    /// Cost of a unit of work.
    pub fn cost(&self) -> f64 {
        self.parts().total()
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::Terms;

    /// The device of the worked example in `docs/cost-of-work.md`: 1 EFLOP takes 1 MJ in 10 000 s.
    pub fn terms() -> Terms {
        Terms {
            hours: 1e4 / 3600.0,
            kwh: 1e6 / 3.6e6,
            idle_kw: None,
            price: 100_000.0,
            server: 0.0,
            maintenance_per_year: 2_000.0,
            maintenance_share: 0.0,
            other_per_hour: 0.0,
            revenue_per_hour: None,
            embodied_kg: None,
            discount_rate: 0.08,
            life_years: 4.0,
            utilisation: 0.6,
            pue: 1.2,
            tariff_per_kwh: 0.5,
            mean_tariff_per_kwh: 0.5,
            intensity_g_per_kwh: 179.6,
            carbon_price_per_t: Some(75.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::terms;
    use super::*;

    #[test]
    fn the_cost_of_an_exaflop_is_the_one_worked_by_hand() {
        let parts = terms().parts();
        // 100 000 × 0.3019208 / (8760 × 0.6) = 5.744307 an hour; × 2.777778 h = 15.956410.
        assert!((parts.hardware - 15.956_410).abs() < 1e-6, "{}", parts.hardware);
        // 2 000 / 5256 × 2.777778 = 1.056993.
        assert!((parts.maintenance - 1.056_993).abs() < 1e-6, "{}", parts.maintenance);
        // 0.2777778 kWh × 1.2 × 0.5 = 0.1666667.
        assert!((parts.electricity - 0.166_666_7).abs() < 1e-7);
        // 0.3333333 kWh × 179.6 g = 59.86667 g; × 75 / 1e6 = 0.00449.
        assert!((terms().grams() - 59.866_667).abs() < 1e-6);
        assert!((parts.carbon_price - 0.004_49).abs() < 1e-8);
        assert!((parts.total() - 17.184_559_6).abs() < 1e-6, "{}", parts.total());
    }

    #[test]
    fn idle_hours_are_carried_by_the_work() {
        // u = 0.6: each hour of work carries 2/3 of an idle hour; 0.09 kW × 2.777778 h × 2/3 = 0.1666667 kWh.
        let idle = Terms { idle_kw: Some(0.09), ..terms() };
        assert!((idle.idle_kwh() - 0.166_666_7).abs() < 1e-7);
        assert!((idle.facility_kwh() - 1.2 * (0.277_777_8 + 0.166_666_7)).abs() < 1e-6);
        assert_eq!(Terms { utilisation: 1.0, ..idle }.idle_kwh(), 0.0);
    }

    #[test]
    fn embodied_carbon_is_spread_over_the_hours_of_work_of_a_life() {
        // 164 kg over 4 × 8760 × 0.6 = 21 024 h is 7.8006 g/h; × 2.777778 h = 21.6683 g.
        let embodied = Terms { embodied_kg: Some(164.0), ..terms() };
        assert!((embodied.embodied_grams().unwrap() - 21.668_357).abs() < 1e-5);
        assert_eq!(terms().embodied_grams(), None);
    }
}
