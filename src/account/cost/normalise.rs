//! Devices made comparable: how many of each a budget buys, a power feeds, a work needs, or a count means.
//!
//! What surprises people: devices are whole, so a budget buys the number rounded down and a work needs the number rounded up;
//! what is left over is not spread.

use std::str::FromStr;

use serde::Serialize;

use super::terms::Terms;

/// What is held fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Money for the purchase, server share included.
    Budget,
    /// Power of the facility in watts while all devices work, PUE included.
    Power,
    /// Work per year, in FLOP, bytes or the program's own unit.
    Work,
    /// Number of devices.
    Count,
}

const BASES: [(&str, Basis); 4] =
    [("budget", Basis::Budget), ("power", Basis::Power), ("work", Basis::Work), ("count", Basis::Count)];

impl Basis {
    /// The word of the flag.
    pub fn word(self) -> &'static str {
        BASES.iter().find(|(_, basis)| *basis == self).map_or("", |(word, _)| word)
    }
}

/// A normalisation: `budget=1e6`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Normalisation {
    /// What is held fixed.
    pub basis: Basis,
    /// At how much.
    pub value: f64,
}

impl FromStr for Normalisation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "expected budget=1e6 (money), power=1e5 (W), work=1e24 (FLOP, bytes or tokens a year) or count=8";
        let (word, value) = text.split_once('=').ok_or(example)?;
        let hint = crate::names::hint(word, BASES.iter().map(|(word, _)| *word));
        let (_, basis) =
            BASES.iter().find(|(own, _)| *own == word).ok_or(format!("no basis `{word}`{hint}; {example}"))?;
        let value: f64 = value.parse().map_err(|_| format!("`{value}` is not a number; {example}"))?;
        if !value.is_finite() || value <= 0.0 {
            return Err(format!("{value} is not above 0; {example}"));
        }
        if *basis == Basis::Count && value.fract() != 0.0 {
            return Err(format!("{value} is not a whole number of devices"));
        }
        Ok(Self { basis: *basis, value })
    }
}

/// A device under a normalisation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Normalised {
    /// The device.
    pub name: String,
    /// How many of them.
    pub devices: f64,
    /// Work per second of all of them while they work, in the work's own unit.
    pub work_per_s: f64,
    /// Work per year at the utilisation, in the work's own unit.
    pub work_per_year: f64,
    /// Power of the facility while all of them work.
    pub facility_w: f64,
    /// What they cost to buy.
    pub capital: f64,
    /// All cost in equal payments per year.
    pub cost_per_year: f64,
    /// Operational carbon per year, location-based.
    pub carbon_t_per_year: f64,
}

/// A device with how many pieces it counts for and how much work a unit is.
pub(super) struct Counted<'a> {
    pub name: &'a str,
    pub terms: &'a Terms,
    pub pieces: f64,
    pub unit_amount: f64,
}

impl Normalised {
    /// How many pieces of a device a normalisation means and what they do; `None` where its figure is 0, so that no number of
    /// them reaches the value (a budget over a price of 0).
    pub(super) fn of(device: &Counted<'_>, normalisation: Normalisation) -> Option<Self> {
        let terms = device.terms;
        let units = terms.units_per_year();
        let watts = terms.kwh / terms.hours * 1e3 * terms.pue;
        let value = normalisation.value;
        // One set is what the subject is: a device, or a whole fleet.
        let (sets, up) = match normalisation.basis {
            Basis::Budget => (value / terms.capital(), false),
            Basis::Power => (value / watts, false),
            Basis::Work => (value / (units * device.unit_amount), true),
            Basis::Count => (value / device.pieces, false),
        };
        if !sets.is_finite() {
            return None;
        }
        // A quotient that is whole but for its rounding is whole.
        let whole = if (sets - sets.round()).abs() <= 1e-9 * sets { sets.round() } else { sets };
        let sets = if up { whole.ceil() } else { whole.floor() };
        let yearly = Terms { tariff_per_kwh: terms.mean_tariff_per_kwh, ..terms.clone() };
        Some(Self {
            name: device.name.to_owned(),
            devices: sets * device.pieces,
            work_per_s: sets * device.unit_amount / (terms.hours * 3600.0),
            work_per_year: sets * units * device.unit_amount,
            facility_w: sets * watts,
            capital: sets * terms.capital(),
            cost_per_year: sets * yearly.cost() * units,
            carbon_t_per_year: sets * terms.grams() * units / 1e6,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::terms::testing::terms;
    use super::*;

    fn at(text: &str) -> Normalised {
        let terms = terms();
        let device = Counted { name: "X", terms: &terms, pieces: 1.0, unit_amount: 1e18 };
        Normalised::of(&device, text.parse().unwrap()).unwrap()
    }

    #[test]
    fn four_normalisations_of_the_worked_device_are_those_worked_by_hand() {
        // 100 000 a piece: a million buys 10; 100 W × 1.2 = 120 W each: 10 × 120 = 1200 W; 10 × 1e14 FLOP/s.
        let budget = at("budget=1e6");
        assert_eq!((budget.devices, budget.capital), (10.0, 1e6));
        assert!((budget.facility_w - 1200.0).abs() < 1e-9 && (budget.work_per_s / 1e15 - 1.0).abs() < 1e-12);
        // 1250 W feed 10.4: 10.
        assert_eq!(at("power=1250").devices, 10.0);
        // 5256 h × 3600 s × 1e14 = 1.89216e21 FLOP a year each: 1e22 needs 5.28: 6.
        let work = at("work=1e22");
        assert_eq!(work.devices, 6.0);
        assert!((work.work_per_year / 1.135_296e22 - 1.0).abs() < 1e-12);
        // 6 × 113.277312 kg a year.
        assert!((work.carbon_t_per_year - 0.679_663_872).abs() < 1e-9);
        assert_eq!(at("count=8").devices, 8.0);
        // 17.184 559 6 × 1892.16 EFLOP = 32 515.9 a year each.
        assert!((at("count=8").cost_per_year / 8.0 - 32_515.9).abs() < 0.1);
    }

    #[test]
    fn a_fleet_is_counted_in_whole_fleets() {
        let terms = terms();
        let fleet = Counted { name: "F", terms: &terms, pieces: 4.0, unit_amount: 1e18 };
        assert_eq!(Normalised::of(&fleet, "count=10".parse().unwrap()).unwrap().devices, 8.0);
    }

    #[test]
    fn a_wrong_normalisation_says_what_is_right() {
        for (text, words) in [
            ("buget=5", "did you mean budget?"),
            ("budget", "expected budget=1e6"),
            ("power=-5", "not above 0"),
            ("work=nan", "not above 0"),
            ("count=1.5", "whole number"),
            ("count=many", "not a number"),
        ] {
            let message = text.parse::<Normalisation>().unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
        let free = Terms { price: 0.0, ..terms() };
        let device = Counted { name: "X", terms: &free, pieces: 1.0, unit_amount: 1e18 };
        assert_eq!(Normalised::of(&device, "budget=1e6".parse().unwrap()), None);
    }
}
