//! Grid emission factors with their whole identity, and site profiles.

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::units::GramsPerKilowattHour;

/// What a factor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Gas {
    /// Carbon dioxide only.
    #[serde(rename = "CO2")]
    Co2,
    /// All greenhouse gases as carbon-dioxide equivalents.
    #[serde(rename = "CO2e")]
    Co2e,
}

impl std::fmt::Display for Gas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Co2 => "CO2",
            Self::Co2e => "CO2e",
        })
    }
}

/// Which electricity a factor describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Generated in the region.
    Generation,
    /// Consumed in the region, transfers included.
    Consumption,
    /// What is left after contracted clean electricity is taken out.
    Residual,
    /// Fossil generation only.
    Fossil,
    /// The user did not say.
    Unstated,
}

impl std::fmt::Display for Basis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Generation => "generation",
            Self::Consumption => "consumption",
            Self::Residual => "residual",
            Self::Fossil => "fossil",
            Self::Unstated => "unstated",
        })
    }
}

/// Whether a factor is an average or describes the plants that react to a change in load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FactorMethod {
    /// Average over all electricity.
    Average,
    /// Marginal plants.
    Marginal,
    /// The user did not say.
    Unstated,
}

impl std::fmt::Display for FactorMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Average => "average",
            Self::Marginal => "marginal",
            Self::Unstated => "unstated",
        })
    }
}

/// A grid emission factor with its whole identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridFactor {
    /// Region code: `CN-QH` (ISO 3166-2), `FRA` (ISO 3166-1 alpha-3), `US-CAMX` (eGRID subregion), `WORLD`, or the user's own.
    pub region: String,
    /// Region's name in English.
    pub name: String,
    /// Grams per kilowatt-hour.
    pub intensity_g_per_kwh: GramsPerKilowattHour,
    /// Gas counted.
    pub gas: Gas,
    /// Year it describes; `None` if the user did not say.
    pub year: Option<u16>,
    /// Which electricity.
    pub basis: Basis,
    /// Average or marginal.
    pub method: FactorMethod,
    /// Upstream emissions (fuel supply, construction) included; `None` if unknown.
    pub life_cycle: Option<bool>,
    /// Who published it and where.
    pub publisher: String,
    /// Licence under which the figure is used here.
    pub licence: String,
    /// Anything a reader must know.
    #[serde(default)]
    pub note: String,
}

/// Power usage effectiveness: facility energy over IT energy, at least 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pue {
    /// The ratio.
    pub value: f64,
    /// Measured over a year by the site, declared, or estimated.
    pub evidence: Evidence,
    /// Where it was stated.
    pub source: String,
}

/// A place to run: its grid and its PUE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteProfile {
    /// Name of the site.
    pub name: String,
    /// Its grid factor.
    pub grid: GridFactor,
    /// Its PUE.
    pub pue: Pue,
    /// Anything a reader must know.
    pub note: String,
}
