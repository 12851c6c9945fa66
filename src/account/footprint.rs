//! The whole carbon account of one amount of work: location- and market-based, CUE, SCI, CCI, embodied share, spread.
//!
//! Each figure is made by its own module; this one puts them side by side. What surprises people: nothing here is a sum
//! across methods. Location- and market-based stand beside each other, and SCI and CCI see the location-based one alone.

use serde::Serialize;

use super::carbon::honest;
use super::cci::{Cci, cci};
use super::embodied::{Band, Embodied, EmbodiedTerms, embodied, equal_intensity};
use super::market::{Market, MarketBased};
use super::sci::{Sci, sci};
use super::{AccountError, Site, Subject, operational, spread};
use crate::model::{Basis, Estimate, Gas, GridFactor};
use crate::units::{GramsCo2e, GramsPerKilowattHour, KilowattHours, Ratio};

/// What a site states beyond grid and PUE, read once for all subjects.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Terms {
    /// `[market]`.
    pub market: Market,
    /// `[embodied]`.
    pub embodied: EmbodiedTerms,
}

impl Terms {
    /// Reads both tables of a site.
    ///
    /// # Errors
    /// What [`Market::read`] and [`EmbodiedTerms::read`] refuse.
    pub fn read(site: &Site) -> Result<Self, AccountError> {
        Ok(Self { market: Market::read(site)?, embodied: EmbodiedTerms::read(site)? })
    }
}

/// The same energy by another factor that is held for the region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtherFactor {
    /// The factor.
    pub factor: GridFactor,
    /// Carbon by it, PUE included, without interval: the spread is of the factors.
    #[serde(rename = "carbon_g")]
    pub carbon: GramsCo2e,
}

/// Location-based carbon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LocationBased {
    /// Carbon, PUE included, with the interval of the joules.
    #[serde(rename = "carbon_g")]
    pub carbon: Estimate<GramsCo2e>,
    /// The factor's intensity.
    pub intensity_g_per_kwh: GramsPerKilowattHour,
    /// Gas that it counts.
    pub gas: Gas,
    /// Why the factor is no location-based one; `None` if it is.
    pub not_location_based: Option<String>,
}

/// Carbon usage effectiveness.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cue {
    /// PUE × factor, in kg per kWh of IT energy.
    pub kg_per_kwh: f64,
    /// What this number is and is not.
    pub label: &'static str,
}

/// The carbon account of one subject at one site.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Footprint {
    /// The work.
    pub subject: Subject,
    /// Energy at the device.
    pub energy_kwh: Estimate<KilowattHours>,
    /// Energy at the facility: that times PUE.
    pub facility_energy_kwh: Estimate<KilowattHours>,
    /// By the grid.
    pub location: LocationBased,
    /// By contracts and residual.
    pub market: MarketBased,
    /// By every factor that is held for the region, lowest first; empty for a factor of the user's own.
    pub factors: Vec<OtherFactor>,
    /// PUE × factor.
    pub cue: Cue,
    /// Embodied carbon behind it.
    pub embodied: Embodied,
    /// Software carbon intensity.
    pub sci: Sci,
    /// Compute carbon intensity; `None` with the reason in `cci_missing`.
    pub cci: Option<Cci>,
    /// Why there is no compute carbon intensity.
    pub cci_missing: Option<String>,
    /// Grid intensity at which operational equals embodied carbon, at the measured mean power and this PUE.
    pub equal_intensity_g_per_kwh: Option<Band<GramsPerKilowattHour>>,
}

/// Why a factor is not the average or margin of the electricity of a place; `None` if it is.
fn not_location_based(grid: &GridFactor) -> Option<String> {
    let region = &grid.region;
    match grid.basis {
        Basis::Residual => Some(format!(
            "{region} is a residual factor: it belongs into [market] residual, with the grid's own as --grid"
        )),
        Basis::Fossil => Some(format!("{region} is the factor of fossil plants alone: give the grid's own as --grid")),
        _ => None,
    }
}

/// Why a subject has no CCI, which is per FLOP by definition; `None` if it has one.
fn why_no_cci(subject: &Subject) -> Option<String> {
    let work = subject.work.as_ref().filter(|work| work.amount > 0.0);
    let counts = match work.map(|work| work.unit.as_str()) {
        Some("FLOP") => return None,
        Some("OP") => "this work counts integer operations, so it stands per EOP under SCI".to_owned(),
        Some("B") => "this work counts bytes, so it stands per PB under SCI".to_owned(),
        Some(unit) => format!("the floating-point operations behind this work in {unit} are not known"),
        None => "the work is not counted, so its floating-point operations are not known".to_owned(),
    };
    Some(format!("grams per EFLOP need work counted in floating-point operations; {counts}"))
}

const CUE_LABEL: &str =
    "PUE × factor, a restatement: a certified CUE (ISO/IEC 30134-8) needs a year of the site's meters";

/// The carbon account of a subject.
///
/// # Errors
/// The built-in catalogue is damaged.
pub fn footprint(subject: &Subject, site: &Site, terms: &Terms) -> Result<Footprint, AccountError> {
    let pue = site.profile.pue.value;
    let grid = &site.profile.grid;
    let energy = honest(subject.energy.map(|joules| joules.to_kilowatt_hours()), subject.evidence);
    let facility = energy.map(|energy| energy * pue);
    let embodied = embodied(subject, &terms.embodied);
    let equal = embodied.total.zip(subject.power()).map(|(total, power)| {
        let utilisation = Ratio::new(embodied.utilisation.value);
        total.map(|grams| equal_intensity(grams, power, pue, terms.embodied.life(), utilisation))
    });
    let held = if grid.region == "user" { Vec::new() } else { spread(grid)? };
    let factors = held
        .into_iter()
        .map(|factor| OtherFactor { carbon: facility.point * factor.intensity_g_per_kwh, factor: factor.clone() });
    Ok(Footprint {
        location: LocationBased {
            carbon: operational(&subject.energy, subject.evidence, site),
            intensity_g_per_kwh: grid.intensity_g_per_kwh,
            gas: grid.gas,
            not_location_based: not_location_based(grid),
        },
        market: terms.market.account(&facility, subject.evidence, site),
        factors: factors.collect(),
        cue: Cue { kg_per_kwh: pue * grid.intensity_g_per_kwh.get() / 1e3, label: CUE_LABEL },
        sci: sci(subject, site, &embodied),
        cci_missing: why_no_cci(subject),
        cci: cci(subject, site, &embodied),
        equal_intensity_g_per_kwh: equal,
        subject: subject.clone(),
        energy_kwh: energy,
        facility_energy_kwh: facility,
        embodied,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{site_with, subject};
    use super::*;
    use crate::model::Evidence;

    fn of(subject: &Subject, tables: &str) -> Footprint {
        let site = site_with(tables);
        footprint(subject, &site, &Terms::read(&site).unwrap()).unwrap()
    }
    fn h100() -> Subject {
        Subject { device: "NVIDIA H100 80GB HBM3".to_owned(), ..subject() }
    }

    #[test]
    fn location_and_market_stand_side_by_side_and_neither_changes_the_other() {
        // 1/3 kWh at the facility: × 179.6 = 59.867 g by location; × 609.6 = 203.2 g by the residual alone.
        let found = of(&h100(), "[market]\nresidual = \"CN-residual\"\n");
        assert!((found.location.carbon.point.get() - 59.8667).abs() < 1e-3);
        assert!((found.market.carbon.unwrap().point.get() - 203.2).abs() < 1e-9);
        let without = of(&h100(), "");
        assert_eq!(without.location, found.location);
        assert_eq!((without.market.carbon, without.sci), (None, found.sci));
    }

    #[test]
    fn at_the_equal_intensity_operational_and_embodied_carbon_are_the_same() {
        // Over the reserved time the device works 60 %: E × PUE × I_eq must be M.
        let found = of(&h100(), "");
        let (equal, share) = (found.equal_intensity_g_per_kwh.unwrap(), found.embodied.carbon.unwrap());
        for (intensity, grams) in [(equal.low, share.low), (equal.high, share.high)] {
            let operational = found.facility_energy_kwh.point * intensity;
            assert!((operational / grams - 1.0).abs() < 1e-12);
        }
        // 100 W: 164 000 g / (0.1 kW × 1.2 × 35 040 h × 0.6) = 65.0 g/kWh.
        assert!((equal.low.get() - 65.005).abs() < 1e-2, "{equal:?}");
    }

    #[test]
    fn work_that_counts_no_flop_has_a_reason_in_place_of_a_cci_and_never_a_zero() {
        use super::super::Amount;
        assert!(of(&h100(), "").cci.is_some() && of(&h100(), "").cci_missing.is_none());
        for (work, part) in [
            (Some((1e18, "OP")), "integer operations"),
            (Some((1e15, "B")), "counts bytes"),
            (Some((1e3, "tokens")), "work in tokens are not known"),
            (None, "the work is not counted"),
        ] {
            let work = work.map(|(amount, unit)| Amount { amount, unit: unit.to_owned() });
            let found = of(&Subject { work, ..h100() }, "");
            assert!(found.cci.is_none() && found.cci_missing.unwrap().contains(part), "{part}");
        }
    }

    #[test]
    fn the_spread_holds_every_figure_of_the_region_and_its_own() {
        let found = of(&subject(), "");
        let grams: Vec<f64> = found.factors.iter().map(|other| other.carbon.get() * 3.0).collect();
        // 1/3 kWh at 132.6, 156.7 and 179.6 g/kWh.
        for (own, expected) in grams.iter().zip([132.6, 156.7, 179.6]) {
            assert!((own - expected).abs() < 1e-9, "{grams:?}");
        }
        assert_eq!(grams.len(), 3);
        assert!((found.cue.kg_per_kwh - 0.215_52).abs() < 1e-12);
    }

    #[test]
    fn an_estimated_energy_has_no_interval_anywhere() {
        let found = of(&Subject { evidence: Evidence::Estimated, ..h100() }, "[market]\nresidual = 0.6\n");
        assert!(found.location.carbon.interval.is_none() && found.market.carbon.unwrap().interval.is_none());
        assert!(found.sci.operational.interval.is_none() && found.cci.unwrap().operational.interval.is_none());
    }

    #[test]
    fn a_residual_as_the_grid_is_called_no_location_based_factor() {
        let site = super::super::resolve_site(Some("CN-residual"), None, None, std::path::Path::new(".")).unwrap();
        let found = footprint(&subject(), &site, &Terms::default()).unwrap();
        assert!(found.location.not_location_based.unwrap().contains("[market]"));
    }
}
