//! Market-based carbon of an energy: contracts with their proof, and the residual factor for the rest.
//!
//! `E × (Σ share × intensity + rest × residual)`, GHG Protocol Scope 2. What surprises people: a contract without its proof
//! is shown and counts nothing, its energy goes to the residual (GB/T 32151.34-2024 as read in secondary sources: zero only
//! with valid proof); and without a residual factor there is no market-based figure, the location-based one never stands in.

mod contract;

use serde::Serialize;

pub use contract::{Contract, Criterion, CriterionState, Instrument};

use super::carbon::honest;
use super::catalogue::same_country;
use super::factor::{factor_from_table, parse_grid};
use super::{AccountError, Bounds, Section, Site, factor_for};
use crate::model::{Basis, Estimate, Evidence, Gas, GridFactor};
use crate::units::{GramsCo2e, GramsPerKilowattHour, KilowattHours};

/// The only official residual-style factor of China.
const CHINESE_RESIDUAL: &str = "CN-residual";
/// How far the sum of the shares may be above 1 by rounding.
const ROUNDING: f64 = 1e-9;

/// Contracts and residual of a site, as its `[market]` table states them.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Market {
    /// False if the site has no `[market]` table.
    pub stated: bool,
    /// Factor for the energy that no proven contract covers.
    pub residual: Option<GridFactor>,
    /// The period that the contracts and shares are of, in the site's words.
    pub period: String,
    /// Contracts in the file's order.
    pub contracts: Vec<Contract>,
}

/// Market-based carbon of an energy; never to be added to or replaced by the location-based one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarketBased {
    /// Carbon, PUE included, with the interval of the joules; `None` with the reason in `missing`.
    #[serde(rename = "carbon_g")]
    pub carbon: Option<Estimate<GramsCo2e>>,
    /// Mean intensity of the contracts and the rest.
    pub intensity_g_per_kwh: Option<GramsPerKilowattHour>,
    /// Gases that the parts count: two of them do not add up to one figure of either.
    pub gases: Vec<Gas>,
    /// Share of the facility's energy under contracts with proof.
    pub proven_share: f64,
    /// Share left to the residual.
    pub rest_share: f64,
    /// Why there is no figure.
    pub missing: Option<String>,
    /// What a reader must be told.
    pub notes: Vec<String>,
}

impl MarketBased {
    /// `CO2`, `CO2e`, or both where they are mixed.
    pub fn gas(&self) -> String {
        let words: Vec<String> = self.gases.iter().map(ToString::to_string).collect();
        if words.is_empty() { "CO2e".to_owned() } else { words.join(" + ") }
    }
}

impl Market {
    /// Reads `[market]` of a site.
    ///
    /// # Errors
    /// An unknown key, a number that cannot be, an unknown residual, shares that add up to more than 1.
    pub fn read(site: &Site) -> Result<Self, AccountError> {
        let keys = ["residual", "period", "facility_kwh", "contract"];
        let Some(table) = site.section("market", &keys)? else { return Ok(Self::default()) };
        let kilowatt_hours = Bounds::positive("the facility's kWh of the period, above 0");
        let facility = table.number("facility_kwh", kilowatt_hours)?;
        let contracts = contract::read_all(&table, facility)?;
        let sum: f64 = contracts.iter().map(|contract| contract.share).sum();
        if sum > 1.0 + ROUNDING {
            let parts: Vec<String> =
                contracts.iter().map(|contract| format!("{} {:.4}", contract.name, contract.share)).collect();
            return Err(AccountError::Value {
                place: table.place(),
                key: "contract".to_owned(),
                given: format!("a sum of shares of {:.4}", sum),
                reason: format!(
                    "contracts cannot cover more than the facility's energy, a sum of 1; they are {}",
                    parts.join(", ")
                ),
            });
        }
        let period = table.text("period")?.unwrap_or_default().to_owned();
        Ok(Self { stated: true, residual: residual(&table, site)?, period, contracts })
    }

    /// Market-based carbon of an energy of the facility, PUE included.
    pub fn account(&self, facility: &Estimate<KilowattHours>, evidence: Evidence, site: &Site) -> MarketBased {
        let counted = || self.contracts.iter().filter(|contract| contract.counted());
        let proven_share: f64 = counted().map(|contract| contract.share).sum();
        let rest_share = (1.0 - proven_share).max(0.0);
        let needs_rest = rest_share > ROUNDING;
        let contracted: f64 = counted().map(|contract| contract.share * contract.intensity_g_per_kwh.get()).sum();
        let rest = match &self.residual {
            Some(factor) => Some(rest_share * factor.intensity_g_per_kwh.get()),
            None if needs_rest => None,
            None => Some(0.0),
        };
        let intensity = rest.filter(|_| self.stated).map(|rest| GramsPerKilowattHour::new(contracted + rest));
        let mut gases: Vec<Gas> = counted().map(|contract| contract.gas).collect();
        gases.extend(self.residual.iter().filter(|_| needs_rest).map(|factor| factor.gas));
        gases.sort_unstable();
        gases.dedup();
        let missing = intensity.is_none().then(|| self.why_missing(rest_share, site));
        let carbon = intensity.map(|intensity| honest(facility.map(|energy| energy * intensity), evidence));
        let notes = if carbon.is_some() { self.notes(&gases, needs_rest, site) } else { Vec::new() };
        MarketBased { carbon, intensity_g_per_kwh: intensity, gases, proven_share, rest_share, missing, notes }
    }

    fn why_missing(&self, rest_share: f64, site: &Site) -> String {
        let region = &site.profile.grid.region;
        let suggestion = match factor_for(CHINESE_RESIDUAL) {
            Ok(factor) if region == "CHN" || region == "CN" || region.starts_with("CN-") => format!(
                "for China the only official figure of that kind is residual = \"{CHINESE_RESIDUAL}\" ({} kgCO2/kWh, {})",
                factor.intensity_g_per_kwh.get() / 1e3,
                factor.year.map_or_else(String::new, |year| year.to_string())
            ),
            _ => format!("give the residual mix of {region}'s market; the catalogue holds none for it"),
        };
        if !self.stated {
            return format!(
                "the site has no [market] table: state its contracts and its residual factor; {suggestion}"
            );
        }
        format!("the residual factor for the other {:.4} % is not stated: {suggestion}", rest_share * 100.0)
            .replace(".0000 %", " %")
    }

    fn notes(&self, gases: &[Gas], needs_rest: bool, site: &Site) -> Vec<String> {
        let mut notes = Vec::new();
        if gases.len() > 1 {
            notes.push("parts count CO2 and others CO2e: the sum is neither".to_owned());
        }
        if let Some(factor) = self.residual.as_ref().filter(|_| needs_rest)
            && factor.basis != Basis::Residual
        {
            notes.push(format!(
                "the rest is taken at {}, basis {}, which is no residual mix: clean energy sold to others may be counted twice",
                factor.region, factor.basis
            ));
        }
        let grid = &site.profile.grid.region;
        if let Some(factor) = self.residual.as_ref().filter(|_| needs_rest)
            && same_country(&factor.region, grid) == Some(false)
        {
            notes.push(format!(
                "the residual is that of {}, the grid that of {grid}: a residual mix belongs to the market of the site",
                factor.region
            ));
        }
        if self.contracts.iter().any(|own| own.counted() && own.share > 0.0 && own.intensity_g_per_kwh.get() == 0.0) {
            notes.push("a contract at 0 g/kWh counts no emissions of building and supplying its plants".to_owned());
        }
        if self.contracts.iter().any(Contract::counted) {
            notes.push(
                "each share is one of the facility's energy of the period; an hour-by-hour match is not claimed"
                    .to_owned(),
            );
        }
        notes
    }
}

fn residual(table: &Section<'_>, site: &Site) -> Result<Option<GridFactor>, AccountError> {
    let key = "residual";
    let factor = match table.value(key) {
        None => return Ok(None),
        Some(toml::Value::String(text)) => parse_grid(text, table.folder()),
        Some(toml::Value::Float(number)) => parse_grid(&number.to_string(), table.folder()),
        Some(toml::Value::Integer(number)) => parse_grid(&number.to_string(), table.folder()),
        Some(toml::Value::Table(factor)) => factor_from_table(factor.clone(), &site.file),
        Some(_) => return Err(table.bad(key, "it must be a region code, kgCO2e/kWh, or a table with a factor")),
    };
    factor.map(Some).map_err(|error| table.bad(key, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{estimate, site_with};
    use super::*;

    const PROVEN: &str = "[[market.contract]]\nname = \"solar PPA\"\nshare = 0.4\nintensity_g_per_kwh = 0\ngas = \"CO2\"\n\
                          instrument = \"ppa\"\ncontract = \"HX-17\"\nsettlement = \"2026-09\"\n";

    fn account(tables: &str) -> MarketBased {
        let site = site_with(tables);
        Market::read(&site).unwrap().account(&estimate(1.0, 0.02), Evidence::Measured, &site)
    }
    fn refusal(tables: &str) -> String {
        Market::read(&site_with(tables)).unwrap_err().to_string()
    }

    #[test]
    fn contracts_with_proof_and_the_residual_for_the_rest_give_the_market_figure() {
        // 40 % at 0 and 60 % at 609.6: 365.76 g/kWh, so 1 kWh carries 365.76 g ± 2 %.
        let found = account(&format!("[market]\nresidual = \"CN-residual\"\n{PROVEN}"));
        let carbon = found.carbon.unwrap();
        assert!((carbon.point.get() - 365.76).abs() < 1e-9, "{carbon:?}");
        assert!((carbon.interval.unwrap().high.get() - 365.76 * 1.02).abs() < 1e-9);
        assert_eq!((found.proven_share, found.gases.as_slice()), (0.4, &[Gas::Co2][..]));
    }

    #[test]
    fn a_contract_without_proof_goes_to_the_residual() {
        let unproven = PROVEN.replace("settlement = \"2026-09\"\n", "");
        let found = account(&format!("[market]\nresidual = \"CN-residual\"\n{unproven}"));
        assert!((found.carbon.unwrap().point.get() - 609.6).abs() < 1e-9);
        assert_eq!((found.proven_share, found.rest_share), (0.0, 1.0));
    }

    #[test]
    fn without_a_residual_there_is_no_figure_and_china_is_told_its_own() {
        for tables in ["", "[market]\n", &format!("[market]\n{PROVEN}")] {
            let found = account(tables);
            assert!(found.carbon.is_none() && found.intensity_g_per_kwh.is_none());
            let missing = found.missing.unwrap();
            assert!(missing.contains("CN-residual") && missing.contains("0.6096"), "{missing}");
        }
        assert!(account(&format!("[market]\n{PROVEN}")).missing.unwrap().contains("other 60 %"));
        // All of it proven: nothing is left for a residual.
        let whole = account(&format!("[market]\n{}", PROVEN.replace("0.4", "1.0")));
        assert_eq!(whole.carbon.unwrap().point.get(), 0.0);
    }

    #[test]
    fn shares_above_one_are_refused_with_their_sum() {
        let two = format!("[market]\n{}{}", PROVEN.replace("0.4", "0.7"), PROVEN.replace("0.4", "0.5"));
        let message = refusal(&two);
        assert!(message.contains("1.2000") && message.contains("solar PPA 0.7000"), "{message}");
    }

    #[test]
    fn a_residual_that_is_none_is_refused_or_marked() {
        for (value, part) in
            [("\"CN-residul\"", "did you mean CN-residual?"), ("-1.0", "no negative"), ("nan", "not a number")]
        {
            let message = refusal(&format!("[market]\nresidual = {value}\n"));
            assert!(message.contains("`residual`") && message.contains(part), "{message}");
        }
        assert!(refusal("[market]\nresidul = 0.6\n").contains("did you mean residual?"));
        let province = account("[market]\nresidual = \"CN-QH\"\n");
        assert!(province.notes[0].contains("no residual mix"), "{:?}", province.notes);
        assert!((province.carbon.unwrap().point.get() - 179.6).abs() < 1e-9);
    }

    #[test]
    fn a_residual_of_another_country_is_marked_and_one_of_the_own_is_not() {
        let said = |residual: &str| account(&format!("[market]\nresidual = \"{residual}\"\n")).notes.join("; ");
        assert!(said("FRA").contains("the residual is that of FRA, the grid that of CN-QH"), "{}", said("FRA"));
        for own in ["CN-residual", "CN", "CHN", "CN-QH"] {
            assert!(!said(own).contains("the grid that of"), "{own}");
        }
    }

    #[test]
    fn electricity_at_zero_is_told_to_leave_out_its_plants() {
        let found = account(&format!("[market]\n{}", PROVEN.replace("0.4", "1.0")));
        assert!(found.notes.iter().any(|note| note.contains("building")), "{:?}", found.notes);
        let sold = PROVEN.replace("intensity_g_per_kwh = 0", "intensity_g_per_kwh = 11").replace("0.4", "1.0");
        assert!(!account(&format!("[market]\n{sold}")).notes.join(" ").contains("building"));
    }

    #[test]
    fn two_gases_in_one_sum_are_marked() {
        let mixed = account(&format!("[market]\nresidual = \"CHN\"\n{PROVEN}"));
        assert_eq!(mixed.gas(), "CO2 + CO2e");
        assert!(mixed.notes[0].contains("neither"));
    }
}
