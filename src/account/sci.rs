//! Software carbon intensity: `SCI = ((E × I) + M) / R`, ISO/IEC 21031:2024 (Green Software Foundation, SCI 1.1).
//!
//! E is the energy with the facility's overhead, I the location-based intensity, M the embodied share, R the functional
//! unit. What surprises people: there is no way to put a market-based figure in here, the standard forbids it; and without
//! an embodied figure the operational part is no SCI score and is not called one.

use serde::Serialize;

use super::carbon::honest;
use super::embodied::{Band, Embodied};
use super::{Site, Subject, WorkUnit, operational};
use crate::model::{Basis, Estimate, Gas};
use crate::units::{GramsCo2e, GramsPerKilowattHour, KilowattHours};

/// R of the SCI: what one of it is, and how many a subject holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunctionalUnit {
    /// `EFLOP`, `EOP`, `PB`, `token`, another unit of a program's work, or `run`.
    pub unit: String,
    /// How many the subject's work is.
    pub amount: f64,
}

impl FunctionalUnit {
    /// The unit that suits a subject's work; a run where the work is not counted.
    pub fn of(subject: &Subject) -> Self {
        let unit = |unit: &str, amount: f64| Self { unit: unit.to_owned(), amount };
        let Some(work) = subject.work.as_ref().filter(|work| work.amount.is_finite() && work.amount > 0.0) else {
            return unit("run", 1.0);
        };
        match (WorkUnit::of_symbol(&work.unit), work.unit.as_str()) {
            (Some(own), _) => unit(own.symbol(), work.amount / own.amount()),
            (None, "token" | "tokens") => unit("token", work.amount),
            (None, other) => unit(other, work.amount),
        }
    }
}

/// An SCI score with what must be disclosed beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sci {
    /// `SCI score`, or `operational part only, not an SCI score`.
    pub label: &'static str,
    /// R.
    pub functional_unit: FunctionalUnit,
    /// E: the facility's energy for one unit.
    #[serde(rename = "energy_kwh_per_unit")]
    pub energy: Estimate<KilowattHours>,
    /// I: location-based.
    pub intensity_g_per_kwh: GramsPerKilowattHour,
    /// E × I for one unit, with the interval of the joules.
    #[serde(rename = "operational_g_per_unit")]
    pub operational: Estimate<GramsCo2e>,
    /// M for one unit, a band of published figures.
    #[serde(rename = "embodied_g_per_unit")]
    pub embodied: Option<Band<GramsCo2e>>,
    /// The score, a band by the embodied figures about the measured energy; `None` with the reason in `not_a_score`.
    #[serde(rename = "score_g_per_unit")]
    pub score: Option<Band<GramsCo2e>>,
    /// Why there is no score.
    pub not_a_score: Option<String>,
    /// What is inside and what is not.
    pub boundary: String,
    /// How the figures came about.
    pub method: String,
    /// What a reader must be told.
    pub notes: Vec<String>,
}

/// Label of a whole score.
const SCORE: &str = "SCI score";
/// Label where something that the standard asks for is not known.
const PART: &str = "operational part only, not an SCI score";

/// The SCI of a subject at a site.
pub fn sci(subject: &Subject, site: &Site, embodied: &Embodied) -> Sci {
    let unit = FunctionalUnit::of(subject);
    let grid = &site.profile.grid;
    let operational = operational(&subject.energy, subject.evidence, site).map(|grams| grams / unit.amount);
    let per_unit = site.profile.pue.value / unit.amount;
    let energy = honest(subject.energy.map(|joules| joules.to_kilowatt_hours() * per_unit), subject.evidence);
    let share = embodied.carbon.map(|band| band.map(|grams| grams / unit.amount));
    let region = &grid.region;
    let not_a_score = match grid.basis {
        Basis::Residual => {
            Some(format!("{region} is a residual factor, a market-based measure, which the standard refuses"))
        }
        Basis::Fossil => {
            Some(format!("{region} is the factor of fossil plants alone, neither an average nor a marginal of a grid"))
        }
        _ => embodied.missing.clone(),
    };
    let score = share.filter(|_| not_a_score.is_none()).map(|band| band.map(|grams| operational.point + grams));
    let mut notes = Vec::new();
    if grid.gas == Gas::Co2 && share.is_some() {
        notes.push(
            "the standard asks for CO2e; this grid's factor counts CO2 alone and the embodied figures CO2e, so SCI and CCI \
             total add the two"
                .to_owned(),
        );
    }
    Sci {
        label: if score.is_some() { SCORE } else { PART },
        boundary: boundary(subject, site, embodied),
        method: method(subject, site, embodied),
        functional_unit: unit,
        energy,
        intensity_g_per_kwh: grid.intensity_g_per_kwh,
        operational,
        embodied: share,
        score,
        not_a_score,
        notes,
    }
}

fn boundary(subject: &Subject, site: &Site, embodied: &Embodied) -> String {
    let overhead = if site.pue_given { "the facility's overhead by its PUE" } else { "no overhead of the facility" };
    let made = match (&embodied.carbon, &embodied.server) {
        (None, _) => "not included",
        (Some(_), None) => "the accelerator without its server",
        (Some(_), Some(_)) => "the accelerator with a share of its server",
    };
    format!(
        "E: {} energy while the work is done, {overhead}; idle energy of the rest of the reservation is outside. M: {made}. \
         Network, storage and end of life are outside.",
        subject.scope
    )
}

fn method(subject: &Subject, site: &Site, embodied: &Embodied) -> String {
    let grid = &site.profile.grid;
    let place = if site.grid_given { "" } else { " by default, as no grid was given" };
    let operational = format!(
        "E {} by {}; I location-based, {}{place}, method {}, basis {}",
        subject.evidence, subject.source, grid.region, grid.method, grid.basis
    );
    if embodied.carbon.is_none() {
        return operational;
    }
    let (life, utilisation) = (embodied.life_years, embodied.utilisation);
    format!(
        "{operational}; M = TE × (TiR / EL) × (RR / ToR) with EL {} y ({}), TiR = time / {} ({}), RR / ToR = 1",
        life.value,
        word(life.assumed),
        utilisation.value,
        word(utilisation.assumed),
    )
}

fn word(assumed: bool) -> &'static str {
    if assumed { "assumed" } else { "stated" }
}

#[cfg(test)]
mod tests {
    use super::super::embodied::{EmbodiedTerms, embodied};
    use super::super::testing::{site_with, subject};
    use super::super::{Amount, resolve_site};
    use super::*;

    fn of(subject: &Subject) -> Sci {
        sci(subject, &site_with(""), &embodied(subject, &EmbodiedTerms::default()))
    }
    fn h100() -> Subject {
        Subject { device: "NVIDIA H100 80GB HBM3".to_owned(), ..subject() }
    }

    #[test]
    fn the_score_is_energy_times_intensity_plus_the_embodied_share_for_one_unit() {
        // 1 MJ = 0.27778 kWh × PUE 1.2 = 0.33333 kWh; × 179.6 = 59.867 g. M of 164 kg: 164000 × 16666.7 s / 126144000 s =
        // 21.668 g. Together 81.535 g/EFLOP by the lowest figure.
        let found = of(&h100());
        assert_eq!(
            (found.label, found.functional_unit.unit.as_str(), found.functional_unit.amount),
            (SCORE, "EFLOP", 1.0)
        );
        assert!((found.energy.point.get() - 1.0 / 3.0).abs() < 1e-12);
        assert!((found.operational.point.get() - 59.8667).abs() < 1e-3);
        assert!((found.score.unwrap().low.get() - 81.535).abs() < 1e-3, "{:?}", found.score);
        assert!((found.operational.interval.unwrap().high.get() - 59.8667 * 1.02).abs() < 1e-3);
    }

    #[test]
    fn without_an_embodied_figure_there_is_no_score_and_no_zero() {
        let found = of(&subject());
        assert_eq!((found.label, found.score, found.embodied), (PART, None, None));
        assert!(found.not_a_score.unwrap().contains("Device X"));
        assert!(found.boundary.contains("M: not included") && !found.method.contains("TiR"));
        assert!((found.operational.point.get() - 59.8667).abs() < 1e-3);
    }

    #[test]
    fn a_residual_or_fossil_factor_gives_no_score_and_a_default_grid_is_told() {
        let at = |grid: Option<&str>| {
            let site = resolve_site(grid, None, None, std::path::Path::new(".")).unwrap();
            sci(&h100(), &site, &embodied(&h100(), &EmbodiedTerms::default()))
        };
        for (grid, part) in [("CN-residual", "market-based"), ("CN-fossil", "fossil plants alone")] {
            let found = at(Some(grid));
            assert!(found.score.is_none() && found.not_a_score.unwrap().contains(part), "{grid}");
        }
        assert!(at(None).score.is_some() && at(None).method.contains("WORLD by default"), "{}", at(None).method);
        assert!(!at(Some("WORLD")).method.contains("by default"));
    }

    #[test]
    fn contracts_of_a_site_change_no_score() {
        let contract = "[market]\nresidual = 0.1\n[[market.contract]]\nname = \"x\"\nshare = 1.0\nintensity_g_per_kwh = 0\n\
                        gas = \"CO2\"\ninstrument = \"ppa\"\ncontract = \"1\"\nsettlement = \"2\"\n";
        let terms = EmbodiedTerms::default();
        let with = sci(&h100(), &site_with(contract), &embodied(&h100(), &terms));
        assert_eq!(with, of(&h100()));
    }

    #[test]
    fn the_unit_follows_the_work() {
        let working =
            |amount: f64, unit: &str| Subject { work: Some(Amount { amount, unit: unit.to_owned() }), ..subject() };
        for (amount, unit, units, name) in [
            (5e17, "FLOP", 0.5, "EFLOP"),
            (2e15, "B", 2.0, "PB"),
            (3e18, "OP", 3.0, "EOP"),
            (400.0, "tokens", 400.0, "token"),
            (3.0, "image", 3.0, "image"),
        ] {
            assert_eq!(
                FunctionalUnit::of(&working(amount, unit)),
                FunctionalUnit { unit: name.to_owned(), amount: units }
            );
        }
        let uncounted = Subject { work: None, ..subject() };
        assert_eq!(FunctionalUnit::of(&uncounted).unit, "run");
        // 400 tokens share the 59.867 g: 0.14967 g each.
        assert!((of(&working(400.0, "tokens")).operational.point.get() - 0.149_667).abs() < 1e-5);
    }
}
