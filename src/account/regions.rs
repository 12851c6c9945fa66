//! The same measured joules at many places: carbon per job across regions.
//!
//! What surprises people: the figures differ in what they count. Chinese official factors are CO2 without upstream,
//! country averages are CO2e with upstream; [`mixed_identity`] gives the sentence that must stand beside such a chart.

use serde::Serialize;

use super::carbon::honest;
use super::identity::Mixture;
use super::{AccountError, factor_for};
use crate::model::{Estimate, Evidence, GridFactor, Pue};
use crate::units::{GramsCo2e, Joules};

/// Regions of the default chart: eleven Chinese provinces from hydro to coal, six countries, the world.
pub const DEFAULT_REGIONS: [&str; 18] = [
    "CN-QH", "CN-SC", "CN-YN", "CN-GS", "CN-NX", "CN-XJ", "CN-SX", "CN-NM", "CN-BJ", "CN-SH", "CN-GD", "FRA", "SWE",
    "DEU", "USA", "POL", "IND", "WORLD",
];

/// An energy in one region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionCarbon {
    /// The region's factor, with its identity.
    pub factor: GridFactor,
    /// Carbon, PUE included, with the interval of the joules.
    #[serde(rename = "carbon_g")]
    pub carbon: Estimate<GramsCo2e>,
}

/// Carbon of one energy at the device in each region, at one PUE, lowest first.
///
/// # Errors
/// An unknown region.
pub fn across_regions<S: AsRef<str>>(
    energy: &Estimate<Joules>,
    evidence: Evidence,
    pue: &Pue,
    regions: &[S],
) -> Result<Vec<RegionCarbon>, AccountError> {
    let mut all = Vec::with_capacity(regions.len());
    for region in regions {
        let factor = factor_for(region.as_ref())?.clone();
        let carbon = energy.map(|joules| joules.to_kilowatt_hours() * pue.value * factor.intensity_g_per_kwh);
        all.push(RegionCarbon { factor, carbon: honest(carbon, evidence) });
    }
    all.sort_by(|a, b| a.carbon.point.total_cmp(&b.carbon.point));
    Ok(all)
}

/// What differs between the factors of several regions, as a sentence; `None` if they count the same thing (gas, basis,
/// method, life cycle, years at most two apart).
pub fn mixed_identity(regions: &[RegionCarbon]) -> Option<String> {
    let factors: Vec<&GridFactor> = regions.iter().map(|region| &region.factor).collect();
    Mixture::of(&factors).sentence
}

#[cfg(test)]
mod tests {
    use super::super::testing::estimate;
    use super::*;

    fn pue(value: f64) -> Pue {
        Pue { value, evidence: Evidence::Declared, source: String::new() }
    }

    #[test]
    fn the_default_regions_exist_and_come_out_lowest_first() {
        let one_kwh = estimate::<Joules>(3.6e6, 0.05);
        let all = across_regions(&one_kwh, Evidence::Measured, &pue(1.0), &DEFAULT_REGIONS).unwrap();
        assert_eq!(all.len(), DEFAULT_REGIONS.len());
        assert!(all.windows(2).all(|pair| pair[0].carbon.point.get() <= pair[1].carbon.point.get()));
        // One kWh is the factor itself: Sweden 35.82 is the lowest, India 708.32 the highest of this set.
        assert_eq!((all[0].factor.region.as_str(), all[17].factor.region.as_str()), ("SWE", "IND"));
        let qinghai = all.iter().find(|region| region.factor.region == "CN-QH").unwrap();
        assert!((qinghai.carbon.point.get() - 179.6).abs() < 1e-9);
        assert!((qinghai.carbon.interval.unwrap().low.get() - 179.6 * 0.95).abs() < 1e-9);
    }

    #[test]
    fn qinghai_to_gansu_is_the_ratio_of_their_factors_whatever_the_pue() {
        let energy = estimate::<Joules>(12_345.0, 0.0);
        let all = across_regions(&energy, Evidence::Measured, &pue(1.3), &["CN-QH", "CN-GS"]).unwrap();
        let ratio = all[0].carbon.point / all[1].carbon.point;
        assert!((ratio - 0.1796 / 0.4471).abs() < 1e-12);
    }

    #[test]
    fn a_mixture_of_identities_is_said_and_a_pure_set_says_nothing() {
        let energy = estimate::<Joules>(1.0, 0.0);
        let of = |codes: &[&str]| across_regions(&energy, Evidence::Estimated, &pue(1.0), codes).unwrap();
        let mixed = mixed_identity(&of(&["CN-QH", "FRA"])).unwrap();
        assert!(mixed.contains("CO2 and CO2e") && mixed.contains("consumption and generation"), "{mixed}");
        assert_eq!(mixed_identity(&of(&["CN-QH", "CN-GS"])), None);
        assert!(of(&["FRA"])[0].carbon.interval.is_none(), "an estimate has no interval");
    }
}
