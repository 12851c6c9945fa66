//! The built-in catalogue of grid factors, and looking things up in it.
//!
//! The figures are the CSV files in `catalogue/`, each with its publisher and licence in its first lines. What surprises
//! people: a country code alone gives the newest year (`CN-QH`), `CN-QH@2022` another one, and `CN` (official, CO2) and
//! `CHN` (Ember, CO2e with upstream) are different figures on purpose.

use std::sync::OnceLock;

use super::AccountError;
use crate::model::{Basis, FactorMethod, Gas, GridFactor};
use crate::names;
use crate::units::GramsPerKilowattHour;

const FILES: [&str; 5] = [
    include_str!("catalogue/cn_mee.csv"),
    include_str!("catalogue/world_owid_ember.csv"),
    include_str!("catalogue/us_egrid2023.csv"),
    include_str!("catalogue/nordic_bidding_zones_2025.csv"),
    include_str!("catalogue/world_average.csv"),
];

/// Code of the factor that is used when the user names none.
pub const DEFAULT_REGION: &str = "WORLD";

/// One figure of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The factor.
    pub factor: GridFactor,
    /// Other codes and names under which it is found (`CN-QH` is also `青海`, `FRA` is also `FR`).
    pub aliases: Vec<String>,
}

impl Entry {
    fn is_called(&self, text: &str) -> bool {
        let equal = |own: &str| own.eq_ignore_ascii_case(text);
        equal(&self.factor.region) || equal(&self.factor.name) || self.aliases.iter().any(|alias| equal(alias))
    }
    fn mentions(&self, lower: &str) -> bool {
        let has = |own: &str| own.to_lowercase().contains(lower);
        has(&self.factor.region) || has(&self.factor.name) || self.aliases.iter().any(|alias| has(alias))
    }
}

#[derive(serde::Deserialize)]
struct Row {
    code: String,
    aliases: String,
    name: String,
    year: u16,
    g_per_kwh: f64,
    gas: Gas,
    basis: Basis,
    method: FactorMethod,
    life_cycle: String,
    publisher: String,
    licence: String,
    note: String,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            aliases: row.aliases.split('|').filter(|alias| !alias.is_empty()).map(str::to_owned).collect(),
            factor: GridFactor {
                region: row.code,
                name: row.name,
                intensity_g_per_kwh: GramsPerKilowattHour::new(row.g_per_kwh),
                gas: row.gas,
                year: Some(row.year),
                basis: row.basis,
                method: row.method,
                life_cycle: Some(row.life_cycle == "yes"),
                publisher: row.publisher,
                licence: row.licence,
                note: row.note,
            },
        }
    }
}

fn parse() -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for text in FILES {
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        for row in reader.deserialize::<Row>() {
            entries.push(row.map_err(|error| error.to_string())?.into());
        }
    }
    Ok(entries)
}

/// All built-in factors, in order of publisher and code.
pub fn catalogue() -> Result<&'static [Entry], AccountError> {
    static ENTRIES: OnceLock<Result<Vec<Entry>, String>> = OnceLock::new();
    ENTRIES.get_or_init(parse).as_deref().map_err(|reason| AccountError::Catalogue(reason.clone()))
}

/// The factor of a region: `CN-QH` (newest year), `CN-QH@2022`, `FRA` or `FR`, `US-CAMX`, `SE1`, `WORLD`, or an exact name.
/// Capitals do not matter.
pub fn factor_for(text: &str) -> Result<&'static GridFactor, AccountError> {
    let (code, year) = match text.split_once('@') {
        Some((code, year)) => (code.trim(), Some(year.trim())),
        None => (text.trim(), None),
    };
    // `CN-QH@` names no year: the newest is meant.
    let year = year.filter(|year| !year.is_empty());
    let entries = catalogue()?;
    let mut found: Vec<&GridFactor> = entries.iter().filter(|e| e.is_called(code)).map(|e| &e.factor).collect();
    found.sort_by_key(|factor| std::cmp::Reverse(factor.year));
    let Some(newest) = found.first() else {
        let names = entries.iter().flat_map(|e| {
            [e.factor.region.as_str(), e.factor.name.as_str()].into_iter().chain(e.aliases.iter().map(String::as_str))
        });
        return Err(AccountError::UnknownRegion { given: code.to_owned(), hint: names::hint(code, names) });
    };
    let Some(year) = year else { return Ok(newest) };
    found.iter().find(|factor| factor.year.is_some_and(|own| own.to_string() == year)).copied().ok_or_else(|| {
        let have: Vec<String> = found.iter().filter_map(|factor| factor.year).map(|year| year.to_string()).collect();
        AccountError::UnknownYear { code: newest.region.clone(), year: year.to_owned(), have: have.join(", ") }
    })
}

/// Factors whose code, name or alias contains the pattern (capitals do not matter; `*` stands for anything); all without one.
pub fn search(pattern: Option<&str>) -> Result<Vec<&'static Entry>, AccountError> {
    let entries = catalogue()?;
    let Some(pattern) = pattern else { return Ok(entries.iter().collect()) };
    let (text, year) = match pattern.split_once('@') {
        Some((text, year)) => (text, Some(year)),
        None => (pattern, None),
    };
    let right_year = |entry: &Entry| year.is_none_or(|y| entry.factor.year.is_some_and(|own| own.to_string() == y));
    // A code or a name that fits exactly is what was meant, even where other names contain it (`CN`, `Niger`).
    let exact: Vec<&Entry> = entries.iter().filter(|e| e.is_called(text) && right_year(e)).collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let sought = text.to_lowercase();
    let fits = |entry: &Entry| match sought.contains('*') {
        true => names::matches(&sought, &entry.factor.region.to_lowercase()),
        false => entry.mentions(&sought),
    };
    Ok(entries.iter().filter(|entry| fits(entry) && right_year(entry)).collect())
}

/// Every figure the catalogue holds for the same place as `factor` (other years, other publishers), itself included,
/// lowest first: how far "the" factor of a region can differ.
pub fn spread(factor: &GridFactor) -> Result<Vec<&'static GridFactor>, AccountError> {
    let china = |code: &str| matches!(code, "CN" | "CHN" | "CN-residual");
    let finland = |code: &str| matches!(code, "FIN" | "FI-BZ");
    let same = |own: &str| {
        own == factor.region || (china(own) && china(&factor.region)) || (finland(own) && finland(&factor.region))
    };
    let mut all: Vec<&GridFactor> = catalogue()?.iter().map(|e| &e.factor).filter(|own| same(&own.region)).collect();
    all.sort_by(|a, b| a.intensity_g_per_kwh.total_cmp(&b.intensity_g_per_kwh));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intensity(text: &str) -> f64 {
        factor_for(text).unwrap().intensity_g_per_kwh.get()
    }

    #[test]
    fn the_catalogue_holds_every_row_with_its_whole_identity() {
        let entries = catalogue().unwrap();
        // 115 Chinese rows, 212 countries, 27 eGRID subregions, 10 Nordic zones, 1 world average.
        assert_eq!(entries.len(), 115 + 212 + 27 + 10 + 1);
        for entry in entries {
            let f = &entry.factor;
            assert!(f.intensity_g_per_kwh.get() >= 0.0 && f.intensity_g_per_kwh.get() < 1500.0, "{}", f.region);
            assert!(!f.publisher.is_empty() && !f.licence.is_empty() && f.year.is_some(), "{}", f.region);
        }
    }

    #[test]
    fn the_official_chinese_figures_are_found_by_year_and_the_newest_is_the_default() {
        // MEE and NBS: Qinghai 0.1326 (2021), 0.1567 (2022), 0.1796 (2023); Gansu 0.4471 (2023) kg/kWh.
        assert_eq!([intensity("CN-QH"), intensity("CN-QH@2022"), intensity("cn-qh@2021")], [179.6, 156.7, 132.6]);
        assert_eq!([intensity("CN-GS"), intensity("青海"), intensity("Qinghai")], [447.1, 179.6, 179.6]);
        assert_eq!([intensity("CN"), intensity("CN-residual"), intensity("CN-fossil")], [530.6, 609.6, 827.3]);
        assert_eq!(factor_for("CN-QH").unwrap().gas, Gas::Co2);
        assert_eq!(factor_for("CN-QH").unwrap().basis, Basis::Consumption);
        assert!(factor_for("CN-QH@2021").unwrap().note.contains("single source"));
    }

    #[test]
    fn countries_are_found_by_both_iso_codes_and_by_name() {
        for text in ["FR", "FRA", "fra", "France"] {
            assert_eq!(factor_for(text).unwrap().region, "FRA");
        }
        assert_eq!(factor_for("CHN").unwrap().gas, Gas::Co2e);
        assert_eq!(factor_for("FI").unwrap().region, "FIN");
    }

    #[test]
    fn egrid_figures_agree_with_the_pounds_per_megawatt_hour_they_came_from() {
        // eGRID2023: CAMX 429.983 lb/MWh × 0.45359237 = 195.037 g/kWh.
        assert!((intensity("US-CAMX") - 195.037).abs() < 1e-9);
        assert_eq!(intensity("CAMX"), intensity("US-CAMX"));
        let subregions = search(Some("US-*")).unwrap();
        assert_eq!(subregions.len(), 27);
        for entry in subregions {
            let (_, pounds) = entry.factor.note.rsplit_once("; ").unwrap();
            let pounds: f64 = pounds.strip_suffix(" lb/MWh").unwrap().parse().unwrap();
            let grams = GramsPerKilowattHour::from_pounds_per_megawatt_hour(pounds);
            assert!((grams - entry.factor.intensity_g_per_kwh).get().abs() < 1e-3, "{}", entry.factor.region);
        }
    }

    #[test]
    fn an_unknown_region_suggests_and_an_unknown_year_tells_the_years() {
        let message = factor_for("CN-QX").unwrap_err().to_string();
        assert!(message.contains("did you mean") && message.contains("CN-QH"), "{message}");
        assert!(factor_for("Qinhai").unwrap_err().to_string().contains("did you mean Qinghai?"));
        let message = factor_for("CN-QH@2019").unwrap_err().to_string();
        assert!(message.ends_with("the catalogue has 2023, 2022, 2021"), "{message}");
    }

    #[test]
    fn a_search_matches_parts_of_names_but_an_exact_code_stands_alone() {
        assert_eq!(search(Some("CN")).unwrap().len(), 2);
        assert_eq!(search(Some("CN-QH")).unwrap().len(), 3);
        assert_eq!(search(Some("CN-QH@2023")).unwrap().len(), 1);
        assert!(search(Some("korea")).unwrap().len() >= 2);
        assert_eq!(search(Some("SE?")).unwrap().len(), 0);
    }

    #[test]
    fn the_spread_of_a_region_holds_its_years_and_its_other_publishers() {
        let values = |code: &str| -> Vec<f64> {
            spread(factor_for(code).unwrap()).unwrap().iter().map(|f| f.intensity_g_per_kwh.get()).collect()
        };
        assert_eq!(values("CN-QH"), [132.6, 156.7, 179.6]);
        assert_eq!(values("CN"), [530.6, 536.6, 559.5517, 609.6]);
    }
}
