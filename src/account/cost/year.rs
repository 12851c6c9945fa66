//! The same amount of work in a year, done by as many devices of one kind as it takes: energy, carbon and money.
//!
//! Devices differ in speed, so a year of one device is no measure of another; a year of equal work is. What surprises people:
//! energy and carbon do not depend on how many devices share the work (idle hours aside), but money does: half a device cannot
//! be bought, so the amounts stand for the fraction and, beside it, for whole devices.

use serde::Serialize;

use super::account::Per;
use super::device::{Shared, entries, terms};
use super::inputs::CostInputs;
use super::interval::carried;
use super::terms::{Parts, Terms};
use crate::account::embodied::{Band, EmbodiedTerms, embodied};
use crate::account::{AccountError, Site, Subject};
use crate::model::Estimate;
use crate::units::{GramsCo2e, HOURS_PER_YEAR, KilowattHours, Money, Ratio, SECONDS_PER_HOUR};

/// Why a money column is empty at a site without prices.
const NO_COST: &str = "the site has no table [cost], so there is no money; name a site file with one by --site";

/// What a site says of a year, read once for all devices that are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct YearTerms<'a> {
    site: &'a Site,
    /// `[cost]`; `None` if the site has none, and then there is no money.
    pub inputs: Option<CostInputs>,
    /// `[embodied]`; `None` if the site has none.
    pub embodied: Option<EmbodiedTerms>,
    /// Share of all hours in which a device works, where its entry says nothing else.
    pub utilisation: f64,
    /// Where that share comes from, in words.
    pub utilisation_from: &'static str,
    /// True if the electricity of idle hours is counted: every device must state its own.
    pub idle: bool,
}

/// How many devices a year of work takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Devices {
    /// As a fraction, with the interval of the rate.
    pub fraction: Estimate<Ratio>,
    /// Rounded up, but for a thousandth.
    pub whole: f64,
    /// Share of all hours in which they work.
    pub utilisation: f64,
}

/// A year of a fixed amount of work on devices of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkYear {
    /// Energy of the facility, PUE included.
    #[serde(rename = "energy_kwh")]
    pub energy: Estimate<KilowattHours>,
    /// Operational carbon, location-based.
    #[serde(rename = "operational_g")]
    pub operational: Estimate<GramsCo2e>,
    /// Share of the devices' embodied carbon; a band and no interval.
    #[serde(rename = "embodied_g")]
    pub embodied: Option<Band<GramsCo2e>>,
    /// Why there is none.
    pub embodied_missing: Option<String>,
    /// Money for electricity, and for its carbon where the site prices that; `None` without `[cost]`.
    pub energy_money: Option<Estimate<Money>>,
    /// All money for the fraction of devices: a share of a fleet. `None` without a price for the device.
    pub money: Option<Estimate<Money>>,
    /// The same by part.
    pub parts: Option<Parts>,
    /// All money if whole devices are bought and the rest of their hours stays unused.
    pub money_of_whole: Option<Money>,
    /// Why there is no whole amount of money.
    pub money_missing: Option<String>,
}

impl<'a> YearTerms<'a> {
    /// Reads `[cost]` and `[embodied]` of a site for devices of these names.
    ///
    /// # Errors
    /// A wrong table; a second currency.
    pub fn read(site: &'a Site, devices: &[&str]) -> Result<Self, AccountError> {
        let has = |table: &str| site.tables.contains_key(table);
        let inputs = has("cost").then(|| CostInputs::read(site)).transpose()?;
        let embodied = has("embodied").then(|| EmbodiedTerms::read(site)).transpose()?;
        let stated = embodied.as_ref().filter(|terms| !terms.utilisation.assumed);
        let (utilisation, utilisation_from) = match (&inputs, stated) {
            (Some(inputs), _) => (inputs.utilisation, "of [cost]"),
            (None, Some(terms)) => (terms.utilisation.value, "of [embodied]"),
            (None, None) => (1.0, "assumed, since the site states none"),
        };
        let idle = |inputs: &CostInputs| {
            devices.iter().all(|name| inputs.device(name).is_ok_and(|entry| entry.idle_w.is_some()))
        };
        let idle = inputs.as_ref().is_some_and(idle);
        Ok(Self { site, inputs, embodied, utilisation, utilisation_from, idle })
    }

    /// Share of all hours in which a device works.
    pub fn utilisation_of(&self, device: &str) -> f64 {
        let entry = self.inputs.as_ref().and_then(|inputs| inputs.device(device).ok());
        entry.map_or(self.utilisation, |entry| entry.utilisation)
    }

    /// Work that one device does in a year, from its rate per second.
    pub fn work_of(&self, device: &str, rate: Ratio) -> f64 {
        rate.get() * SECONDS_PER_HOUR * HOURS_PER_YEAR * self.utilisation_of(device)
    }

    /// Devices that an amount of work per year takes, from the rate of one.
    pub fn devices(&self, device: &str, rate: &Estimate<Ratio>, work: f64) -> Devices {
        let fraction = rate.map(|rate| Ratio::new(work / self.work_of(device, rate)));
        Devices { fraction, whole: whole(fraction.point.get()), utilisation: self.utilisation_of(device) }
    }

    /// A year of `work`, in the unit of the subject's own work.
    ///
    /// # Errors
    /// The subject has no time, or no work.
    pub fn year(&self, subject: &Subject, work: f64) -> Result<WorkYear, String> {
        let per = Per::of(subject);
        let (terms, priced) = self.terms(subject, &per)?;
        let units = work / per.amount;
        let embodied = self.embodied_of(subject, &per, &terms);
        let money_missing = match (&self.inputs, &priced) {
            (None, _) => Some(NO_COST.to_owned()),
            (Some(_), Err(reason)) => Some(reason.clone()),
            (Some(_), Ok(())) => None,
        };
        let parts = money_missing.is_none().then(|| scaled(&terms.parts(), units));
        let fraction = units / terms.units_per_year();
        let busy = (terms.utilisation * fraction / whole(fraction)).min(1.0);
        let bought = Terms { utilisation: busy, ..terms.clone() };
        Ok(WorkYear {
            energy: carried(&terms, subject, |terms| units * terms.facility_kwh()),
            operational: carried(&terms, subject, |terms| units * terms.grams()),
            embodied_missing: embodied.as_ref().err().cloned(),
            embodied: embodied.ok().map(|band| band.map(|grams| grams * units)),
            energy_money: self.inputs.is_some().then(|| {
                let of = |terms: &Terms| terms.parts().electricity + terms.parts().carbon_price;
                carried(&terms, subject, |terms| units * of(terms))
            }),
            money: parts.is_some().then(|| carried(&terms, subject, |terms| units * terms.cost())),
            money_of_whole: parts.is_some().then(|| Money::new(units * bought.cost())),
            parts,
            money_missing,
        })
    }

    /// Carbon of one unit of a subject's work: operational, and the embodied share or why there is none.
    ///
    /// # Errors
    /// The subject has no time, or no work.
    #[allow(clippy::type_complexity)]
    pub fn carbon_of_unit(
        &self,
        subject: &Subject,
    ) -> Result<(Estimate<GramsCo2e>, Result<Band<GramsCo2e>, String>), String> {
        let per = Per::of(subject);
        let (terms, _) = self.terms(subject, &per)?;
        Ok((carried(&terms, subject, Terms::grams), self.embodied_of(subject, &per, &terms)))
    }

    /// Terms of a unit, and whether the device has a price. Without one, all that is bought stays 0 and only energy counts.
    fn terms(&self, subject: &Subject, per: &Per) -> Result<(Terms, Result<(), String>), String> {
        let unpriced = match &self.inputs {
            Some(inputs) => match entries(subject, inputs) {
                Ok(_) => {
                    let shared = Shared { inputs, site: self.site, start_hour: None, idle: self.idle };
                    return Ok((terms(subject, per, &shared)?, Ok(())));
                }
                Err(reason) => reason,
            },
            None => NO_COST.to_owned(),
        };
        let time = subject.time.map(|time| time.point.get()).filter(|time| *time > 0.0);
        let hours = time.ok_or("no time was measured for its work, so its hours are unknown")? / SECONDS_PER_HOUR;
        let units = per.units_of(subject);
        let tariff = self.inputs.as_ref().map_or(0.0, |inputs| inputs.tariff.mean());
        let bare = Terms {
            hours: hours / units,
            kwh: subject.energy.point.to_kilowatt_hours().get() / units,
            idle_kw: None,
            price: 0.0,
            server: 0.0,
            maintenance_per_year: 0.0,
            maintenance_share: 0.0,
            other_per_hour: 0.0,
            revenue_per_hour: None,
            embodied_kg: None,
            discount_rate: 0.0,
            life_years: 1.0,
            utilisation: self.utilisation,
            pue: self.site.profile.pue.value,
            tariff_per_kwh: tariff,
            mean_tariff_per_kwh: tariff,
            intensity_g_per_kwh: self.site.profile.grid.intensity_g_per_kwh.get(),
            carbon_price_per_t: self.inputs.as_ref().and_then(|inputs| inputs.carbon_price_per_t),
        };
        Ok((bare, Err(unpriced)))
    }

    /// Embodied carbon of a unit: `embodied_kg` of the device's entry, else the band by `[embodied]`.
    fn embodied_of(&self, subject: &Subject, per: &Per, terms: &Terms) -> Result<Band<GramsCo2e>, String> {
        if let Some(grams) = terms.embodied_grams() {
            return Ok(Band { low: GramsCo2e::new(grams), high: GramsCo2e::new(grams) });
        }
        let own = self.embodied.as_ref().ok_or_else(|| {
            format!(
                "no embodied carbon: the site has neither a table [embodied] nor embodied_kg for {} in [[cost.device]]",
                subject.device
            )
        })?;
        let found = embodied(subject, own);
        let units = per.units_of(subject);
        match found.carbon {
            Some(band) => Ok(band.map(|grams| GramsCo2e::new(grams.get() / units))),
            None => Err(found.missing.unwrap_or_else(|| "its embodied carbon is unknown".to_owned())),
        }
    }
}

/// Share of the work that whole devices may leave undone: less than a measurement resolves.
const WITHIN: f64 = 1e-3;

/// Rounded up, but for a thousandth: 20.0003 devices are 20, for no rate is known to one part in 70 000. One at least.
fn whole(fraction: f64) -> f64 {
    let below = fraction.floor();
    let enough = below >= 1.0 && fraction - below <= WITHIN * fraction;
    (if enough { below } else { fraction.ceil() }).max(1.0)
}

fn scaled(parts: &Parts, units: f64) -> Parts {
    Parts {
        hardware: parts.hardware * units,
        server: parts.server * units,
        maintenance: parts.maintenance * units,
        other: parts.other * units,
        electricity: parts.electricity * units,
        carbon_price: parts.carbon_price * units,
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::testing::{PRICES, site};
    use super::*;
    use crate::account::testing::{estimate, subject};

    /// One EFLOP in 5 000 s for 0.75 MJ: twice as fast as Device X at 1.5 times its power, 150 W.
    fn fast() -> Subject {
        Subject {
            device: "Device Y".to_owned(),
            time: Some(estimate(5e3, 0.01)),
            energy: estimate(0.75e6, 0.02),
            ..subject()
        }
    }

    /// X does 1e14 FLOP/s: 1e14 × 3600 × 8760 × 0.6 = 1.892 16e21 FLOP a year.
    const WORK: f64 = 1.892_16e21;

    #[test]
    fn half_as_many_of_the_device_that_is_twice_as_fast_do_the_same_work_in_a_year() {
        let (_folder, site) = site(PRICES);
        let terms = YearTerms::read(&site, &["Device X", "Device Y"]).unwrap();
        assert!((terms.work_of("Device X", Ratio::new(1e14)) / WORK - 1.0).abs() < 1e-12);
        let slow = terms.devices("Device X", &estimate(1e14, 0.01), WORK);
        let quick = terms.devices("Device Y", &estimate(2e14, 0.01), WORK);
        assert_eq!((slow.whole, quick.whole), (1.0, 1.0));
        assert!((slow.fraction.point.get() - 1.0).abs() < 1e-12);
        assert!((quick.fraction.point.get() - 0.5).abs() < 1e-12);
        // A rate 1 % higher needs 0.5 / 1.01 = 0.495 05 of a device.
        assert!((quick.fraction.interval.unwrap().low.get() - 0.495_049_5).abs() < 1e-6);
    }

    #[test]
    fn a_year_of_equal_work_costs_what_was_worked_by_hand() {
        let (_folder, site) = site(PRICES);
        let terms = YearTerms::read(&site, &["Device X", "Device Y"]).unwrap();
        let (slow, quick) = (terms.year(&subject(), WORK).unwrap(), terms.year(&fast(), WORK).unwrap());
        // X: 100 W × 5256 h × 1.2 = 630.72 kWh; Y does it in 2628 h at 150 W: 150 × 2628 × 1.2 = 473.04 kWh.
        assert!((slow.energy.point.get() - 630.72).abs() < 1e-9);
        assert!((quick.energy.point.get() - 473.04).abs() < 1e-9);
        // × 179.6 g/kWh: 113 277.312 and 84 957.984 g.
        assert!((slow.operational.point.get() - 113_277.312).abs() < 1e-6);
        assert!((quick.operational.point.get() - 84_957.984).abs() < 1e-6);
        // Energy: 630.72 × 0.5 + 0.113 277 312 t × 75 = 315.36 + 8.495 798 4; of Y 236.52 + 6.371 848 8.
        assert!((slow.energy_money.unwrap().point.get() - 323.855_798_4).abs() < 1e-6);
        assert!((quick.energy_money.unwrap().point.get() - 242.891_848_8).abs() < 1e-6);
        // All of X: 100 000 × 0.301 920 804 + 2 000 + 323.855 798 = 32 515.936 2.
        assert!((slow.money.unwrap().point.get() - 32_515.936_2).abs() < 1e-3, "{:?}", slow.money);
        assert!((slow.money_of_whole.unwrap().get() - 32_515.936_2).abs() < 1e-3);
        // Half of Y: (60 000 × 0.301 920 804 + 2 000) / 2 + 242.891 849 = 10 057.624 1 + 242.891 8 = 10 300.516 0.
        assert!((quick.money.unwrap().point.get() - 10_300.516).abs() < 1e-3, "{:?}", quick.money);
        // A whole Y of which half the hours stay unused: 20 115.248 2 + 242.891 8 = 20 358.140 1.
        assert!((quick.money_of_whole.unwrap().get() - 20_358.140_1).abs() < 1e-3, "{:?}", quick.money_of_whole);
    }

    #[test]
    fn devices_are_rounded_up_but_for_what_no_measurement_resolves() {
        let cases = [(0.2, 1.0), (1.0, 1.0), (20.000_3, 20.0), (20.03, 21.0), (2.5, 3.0), (0.999_999_999, 1.0)];
        for (fraction, expected) in cases {
            assert_eq!(whole(fraction), expected, "{fraction}");
        }
    }

    #[test]
    fn a_device_without_a_price_has_its_energy_money_alone_and_says_why() {
        let (_folder, site) = site(PRICES);
        let terms = YearTerms::read(&site, &["Device X", "Device Z"]).unwrap();
        let nameless = Subject { device: "Device Z".to_owned(), ..fast() };
        let year = terms.year(&nameless, WORK).unwrap();
        assert!((year.energy_money.unwrap().point.get() - 242.891_848_8).abs() < 1e-6);
        assert_eq!((year.money, year.money_of_whole, year.parts), (None, None, None));
        assert!(year.money_missing.unwrap().contains("match = \"Device Z\""));
    }

    #[test]
    fn a_site_without_prices_has_energy_and_carbon_and_no_money() {
        let (_folder, site) = site("");
        let terms = YearTerms::read(&site, &["Device X"]).unwrap();
        assert_eq!((terms.utilisation, terms.utilisation_from), (1.0, "assumed, since the site states none"));
        let year = terms.year(&subject(), WORK).unwrap();
        assert!((year.energy.point.get() - 630.72).abs() < 1e-9);
        assert_eq!((year.money, year.energy_money), (None, None));
        assert!(year.money_missing.unwrap().contains("[cost]"));
        assert!(year.embodied_missing.unwrap().contains("[embodied]"));
    }

    #[test]
    fn embodied_carbon_of_a_year_is_that_of_the_share_of_devices() {
        // 164 kg over 4 years, all of X's hours of work: 41 kg a year.
        let prices = PRICES.replace("price = 100000", "price = 100000\nembodied_kg = 164");
        let (_folder, site) = site(&prices);
        let terms = YearTerms::read(&site, &["Device X"]).unwrap();
        let band = terms.year(&subject(), WORK).unwrap().embodied.unwrap();
        assert!((band.low.get() - 41_000.0).abs() < 1e-6 && band.is_single());
    }

    #[test]
    fn idle_hours_count_only_if_every_device_states_its_idle_power() {
        // X idles 3504 h at 60 W: 210.24 kWh × 1.2 = 252.288 kWh more.
        let prices = PRICES.replace("price = 100000", "price = 100000\nidle_w = 60");
        let (_folder, site) = site(&prices);
        let energy =
            |names: &[&str]| YearTerms::read(&site, names).unwrap().year(&subject(), WORK).unwrap().energy.point.get();
        assert!((energy(&["Device X"]) - 883.008).abs() < 1e-9);
        assert!((energy(&["Device X", "Device Y"]) - 630.72).abs() < 1e-9);
    }
}
