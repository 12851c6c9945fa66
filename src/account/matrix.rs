//! The region matrix: measured joules of one or more subjects, priced at the grid factor of every region of a set.
//!
//! Only the factor changes from row to row; the site's PUE and the joules stay. What surprises people: national, regional,
//! residual and fossil figures are not provinces, so they stand in no set of provinces, and `all` holds places only.

use serde::Serialize;

use super::carbon::operational;
use super::catalogue::{Catalogue, Entry};
use super::identity::{Difference, Mixture};
use super::{AccountError, Site, Subject};
use crate::model::{Basis, Estimate, Evidence, GridFactor, Scope};
use crate::names;
use crate::units::{GramsCo2e, Joules};

/// Which regions the rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegionSet {
    /// Provinces of China with an official factor.
    CnProvinces,
    /// Countries.
    Countries,
    /// Subregions of eGRID in the United States.
    Us,
    /// Nordic bidding zones.
    Nordic,
    /// Every place of the catalogue.
    All,
    /// These codes.
    Codes(Vec<String>),
}

/// Names of the sets.
const SETS: [(&str, RegionSet); 5] = [
    ("cn-provinces", RegionSet::CnProvinces),
    ("countries", RegionSet::Countries),
    ("us", RegionSet::Us),
    ("nordic", RegionSet::Nordic),
    ("all", RegionSet::All),
];

impl std::str::FromStr for RegionSet {
    type Err = AccountError;

    /// Reads the name of a set, or codes with commas between them.
    fn from_str(text: &str) -> Result<Self, AccountError> {
        let text = text.trim();
        if let Some((_, set)) = SETS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(set.clone());
        }
        let codes: Vec<String> = text.split(',').map(|code| code.trim().to_owned()).filter(|c| !c.is_empty()).collect();
        if codes.is_empty() {
            return Err(unknown_set(text, "it names no region"));
        }
        Ok(Self::Codes(codes))
    }
}

fn unknown_set(given: &str, reason: &str) -> AccountError {
    let known: Vec<&str> = SETS.iter().map(|(name, _)| *name).collect();
    AccountError::Value {
        place: "carbon matrix".to_owned(),
        key: "--regions".to_owned(),
        given: if given.is_empty() { "empty".to_owned() } else { given.to_owned() },
        reason: format!("{reason}; give one of {}, or codes with commas between them: CN-QH,CN-GS", known.join(", ")),
    }
}

impl RegionSet {
    /// Whether a figure belongs to the set; codes are looked up instead.
    fn holds(&self, factor: &GridFactor) -> bool {
        let code = factor.region.as_str();
        let upper = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_uppercase());
        // A residual or fossil figure describes contracts or plants, not the electricity of a place.
        if matches!(factor.basis, Basis::Residual | Basis::Fossil) {
            return false;
        }
        match self {
            Self::CnProvinces => code.strip_prefix("CN-").is_some_and(|rest| upper(rest, 2)),
            Self::Countries => upper(code, 3),
            Self::Us => code.starts_with("US-"),
            Self::Nordic => {
                matches!(code, "FI-BZ" | "SE1" | "SE2" | "SE3" | "SE4" | "NO1" | "NO2" | "NO3" | "NO4" | "NO5")
            }
            Self::All => true,
            Self::Codes(_) => false,
        }
    }
    fn title(&self, rows: usize) -> String {
        match self {
            Self::CnProvinces => format!("{rows} provinces of China"),
            Self::Countries => format!("{rows} countries"),
            Self::Us => format!("{rows} eGRID subregions of the United States"),
            Self::Nordic => format!("{rows} Nordic bidding zones"),
            Self::All => format!("all {rows} regions of the catalogue"),
            Self::Codes(_) if rows == 1 => "1 chosen region".to_owned(),
            Self::Codes(_) => format!("{rows} chosen regions"),
        }
    }

    /// One figure a region, and the codes of regions that have none for the year.
    fn pick<'a>(
        &self,
        catalogue: &'a Catalogue,
        year: Option<u16>,
    ) -> Result<(Vec<&'a Entry>, Vec<String>), AccountError> {
        if let Self::Codes(codes) = self {
            return Ok((chosen(catalogue, codes, year)?, Vec::new()));
        }
        let mut picked: Vec<&Entry> = Vec::new();
        let mut without: Vec<String> = Vec::new();
        for entry in catalogue.entries().iter().filter(|entry| self.holds(&entry.factor)) {
            let same = |own: &&mut &Entry| {
                own.factor.region == entry.factor.region && own.file.is_some() == entry.file.is_some()
            };
            if year.is_some() && entry.factor.year != year {
                without.push(entry.factor.region.clone());
            } else if let Some(own) = picked.iter_mut().find(same) {
                if entry.factor.year > own.factor.year {
                    *own = entry;
                }
            } else {
                picked.push(entry);
            }
        }
        without.retain(|code| !picked.iter().any(|entry| entry.factor.region == *code));
        without.sort_unstable();
        without.dedup();
        if picked.is_empty() {
            let have: std::collections::BTreeSet<String> = (catalogue.entries().iter())
                .filter(|entry| self.holds(&entry.factor))
                .filter_map(|entry| entry.factor.year.map(|year| year.to_string()))
                .collect();
            return Err(AccountError::UnknownYear {
                code: "these regions".to_owned(),
                year: year.map(|year| year.to_string()).unwrap_or_default(),
                have: have.into_iter().collect::<Vec<_>>().join(", "),
            });
        }
        Ok((picked, without))
    }
}

/// The figures of codes; a code with a year of its own keeps it.
fn chosen<'a>(catalogue: &'a Catalogue, codes: &[String], year: Option<u16>) -> Result<Vec<&'a Entry>, AccountError> {
    let mut picked: Vec<&Entry> = Vec::new();
    for code in codes {
        let text = match year {
            Some(year) if !code.contains('@') => format!("{code}@{year}"),
            _ => code.clone(),
        };
        let entry = catalogue.entry(&text).map_err(|error| match error {
            AccountError::UnknownRegion { given, hint } if hint.is_empty() && codes.len() == 1 => {
                let set = names::hint(&given, SETS.iter().map(|(name, _)| *name));
                unknown_set(&given, &format!("it is neither a set nor a region{set}"))
            }
            other => other,
        })?;
        if picked.iter().any(|own| std::ptr::eq(*own, entry)) {
            return Err(unknown_set(&codes.join(","), &format!("{} stands twice", entry.factor.region)));
        }
        picked.push(entry);
    }
    Ok(picked)
}

/// One subject of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MatrixColumn {
    /// The work in words.
    pub label: String,
    /// Device or devices.
    pub device: String,
    /// Power source.
    pub source: String,
    /// The case behind it; empty for a metered program.
    pub case: String,
    /// What the energy includes.
    pub scope: Scope,
    /// Measured, declared or estimated: every gram of the column is what the energy is.
    pub evidence: Evidence,
    /// Energy at the device, before PUE.
    #[serde(rename = "energy_j")]
    pub energy: Estimate<Joules>,
}

/// One region of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionRow {
    /// Place in the order, 1 for the least carbon; equal factors share a rank.
    pub rank: usize,
    /// The region's factor with its identity.
    pub factor: GridFactor,
    /// The user's file that the factor was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<std::path::PathBuf>,
    /// Carbon over that of the best region; `None` if the best has none.
    pub ratio_to_best: Option<f64>,
    /// In what the factor differs from most of the table; empty if in nothing.
    pub differs: Vec<Difference>,
    /// Carbon of each column, PUE included, with the interval of the joules.
    #[serde(rename = "carbon_g")]
    pub carbon: Vec<Estimate<GramsCo2e>>,
}

/// Subjects over regions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matrix {
    /// What the regions are, in words.
    pub regions: String,
    /// The year asked for; `None` for the newest of each region.
    pub year: Option<u16>,
    /// Columns, in the order of the subjects.
    pub columns: Vec<MatrixColumn>,
    /// Rows, least carbon first.
    pub rows: Vec<RegionRow>,
    /// Regions of the set that have no figure for the year.
    pub without_year: Vec<String>,
    /// Regions of the set whose figure is 0 although upstream emissions are counted: a gap in the source.
    pub without_figure: Vec<String>,
    /// What differs between the factors, without a full stop; `None` if all count the same.
    pub note: Option<String>,
}

/// Prices the subjects at every region of a set, at the site's PUE.
///
/// `carbon = E [kWh] × PUE × I`; the interval is that of the joules, and there is none unless they were measured.
///
/// # Errors
/// An unknown region or set, a year that no region has, no subject.
pub fn price(
    subjects: &[Subject],
    site: &Site,
    catalogue: &Catalogue,
    set: &RegionSet,
    year: Option<u16>,
) -> Result<Matrix, AccountError> {
    if subjects.is_empty() {
        let reason = "there is no work to price; choose it with --job, --case or --program".to_owned();
        return Err(AccountError::Impossible { what: "the matrix".to_owned(), reason });
    }
    let (mut picked, without_year) = set.pick(catalogue, year)?;
    let mut without_figure = Vec::new();
    picked.retain(|entry| {
        if is_a_gap(&entry.factor) {
            without_figure.push(entry.factor.region.clone());
        }
        !is_a_gap(&entry.factor)
    });
    if picked.is_empty() {
        let reason = format!(
            "{} has a published 0 although upstream is counted, a gap in the source; name other regions, or give a figure \
             of your own with --factors",
            without_figure.join(", ")
        );
        return Err(AccountError::Impossible { what: "the matrix".to_owned(), reason });
    }
    let intensity = |entry: &Entry| entry.factor.intensity_g_per_kwh.get();
    picked.sort_by(|a, b| intensity(a).total_cmp(&intensity(b)).then_with(|| a.factor.region.cmp(&b.factor.region)));
    let factors: Vec<&GridFactor> = picked.iter().map(|entry| &entry.factor).collect();
    let mixture = Mixture::of(&factors);
    let best = factors.first().map_or(0.0, |factor| factor.intensity_g_per_kwh.get());
    let mut at = site.clone();
    let mut rows: Vec<RegionRow> = Vec::with_capacity(picked.len());
    for (index, (entry, differs)) in picked.iter().zip(mixture.differences).enumerate() {
        at.profile.grid.clone_from(&entry.factor);
        let rank = match rows.last() {
            Some(above) if above.factor.intensity_g_per_kwh == entry.factor.intensity_g_per_kwh => above.rank,
            _ => index + 1,
        };
        rows.push(RegionRow {
            rank,
            factor: entry.factor.clone(),
            file: entry.file.clone(),
            ratio_to_best: (best > 0.0).then(|| intensity(entry) / best),
            differs,
            carbon: subjects.iter().map(|subject| operational(&subject.energy, subject.evidence, &at)).collect(),
        });
    }
    let regions = set.title(rows.len());
    let columns = subjects.iter().map(column).collect();
    Ok(Matrix { regions, year, columns, rows, without_year, without_figure, note: mixture.sentence })
}

/// No electricity has zero life-cycle emissions: building the plants emits. A published 0 is missing data.
fn is_a_gap(factor: &GridFactor) -> bool {
    factor.life_cycle == Some(true) && factor.intensity_g_per_kwh.get() == 0.0
}

fn column(subject: &Subject) -> MatrixColumn {
    MatrixColumn {
        label: subject.label.clone(),
        device: subject.device.clone(),
        source: subject.source.clone(),
        case: subject.case.clone(),
        scope: subject.scope,
        evidence: subject.evidence,
        energy: subject.energy,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testing::{estimate, subject};
    use super::*;
    use crate::account::resolve_site;

    fn site(pue: f64) -> Site {
        resolve_site(None, Some(pue), None, Path::new(".")).unwrap()
    }
    fn over(subjects: &[Subject], set: &str, year: Option<u16>) -> Result<Matrix, AccountError> {
        price(subjects, &site(1.2), Catalogue::built_in()?, &set.parse()?, year)
    }
    fn codes(matrix: &Matrix) -> Vec<&str> {
        matrix.rows.iter().map(|row| row.factor.region.as_str()).collect()
    }
    fn row<'a>(matrix: &'a Matrix, code: &str) -> &'a RegionRow {
        matrix.rows.iter().find(|row| row.factor.region == code).unwrap()
    }

    #[test]
    fn qinghai_and_gansu_at_one_teraflop_per_joule_are_59_9_and_149_0_grams() {
        // 1e18 FLOP / 1e12 FLOP/J = 1e6 J = 0.277778 kWh; × 1.2 × 179.6 = 59.867 g; × 1.2 × 447.1 = 149.033 g; ratio 2.4894.
        let matrix = over(&[subject()], "CN-GS,CN-QH", None).unwrap();
        let [best, other] = &matrix.rows[..] else { panic!("two rows") };
        assert_eq!((best.factor.region.as_str(), best.rank, best.ratio_to_best), ("CN-QH", 1, Some(1.0)));
        assert!((best.carbon[0].point.get() - 59.866_667).abs() < 1e-5);
        assert!((other.carbon[0].point.get() - 149.033_333).abs() < 1e-5);
        assert!((other.ratio_to_best.unwrap() - 2.489_421).abs() < 1e-5);
        // ±2 % of the joules is ±2 % of the grams.
        assert!((best.carbon[0].interval.unwrap().low.get() - 59.866_667 * 0.98).abs() < 1e-5);
        assert_eq!(matrix.note, None);
    }

    #[test]
    fn the_provinces_are_thirty_and_no_national_regional_residual_or_fossil_figure_is_among_them() {
        let matrix = over(&[subject()], "cn-provinces", None).unwrap();
        assert_eq!((matrix.rows.len(), matrix.regions.as_str()), (30, "30 provinces of China"));
        // MEE and NBS 2023: Yunnan 0.1333, Sichuan 0.1564, Qinghai 0.1796 are the three lowest; Shanxi 0.6634 is not the
        // highest, Tianjin 0.6796 is.
        let order: Vec<&str> = matrix.rows.iter().map(|row| row.factor.region.as_str()).collect();
        assert_eq!((&order[..3], order[29]), (&["CN-YN", "CN-SC", "CN-QH"][..], "CN-TJ"));
        assert!(matrix.rows.iter().all(|row| row.differs.is_empty() && row.factor.year == Some(2023)));
    }

    #[test]
    fn every_set_has_its_regions_and_all_has_every_place_once() {
        let count = |set: &str| over(&[subject()], set, None).unwrap().rows.len();
        assert_eq!((count("countries"), count("us"), count("nordic")), (211, 27, 10));
        // 38 Chinese places (30 provinces, 7 grids, the country) of 40 codes, the world and the European Union.
        assert_eq!(count("ALL"), 38 + 211 + 27 + 10 + 2);
    }

    #[test]
    fn a_published_zero_with_upstream_is_missing_data_and_is_never_the_best_region() {
        let matrix = over(&[subject()], "countries", None).unwrap();
        assert_eq!(matrix.without_figure, ["CAF"]);
        assert!(matrix.rows[0].factor.intensity_g_per_kwh.get() > 0.0 && matrix.rows[0].ratio_to_best == Some(1.0));
        // Naming it makes it no figure.
        let named = over(&[subject()], "CAF,FRA", None).unwrap();
        assert_eq!((codes(&named), named.rows[0].ratio_to_best), (vec!["FRA"], Some(1.0)));
        assert_eq!(named.without_figure, ["CAF"]);
        let alone = over(&[subject()], "CAF", None).unwrap_err().to_string();
        assert!(alone.contains("CAF has a published 0") && alone.contains("--factors"), "{alone}");
    }

    #[test]
    fn a_year_is_taken_where_it_exists_and_others_are_named() {
        let matrix = over(&[subject()], "cn-provinces", Some(2021)).unwrap();
        assert!((row(&matrix, "CN-QH").factor.intensity_g_per_kwh.get() - 132.6).abs() < 1e-9);
        let countries = over(&[subject()], "countries", Some(2024)).unwrap();
        assert_eq!((countries.rows.len(), countries.without_year.len()), (86, 212 - 86));
        let message = over(&[subject()], "us", Some(2019)).unwrap_err().to_string();
        assert!(message.contains("2019") && message.contains("2023"), "{message}");
        let own = over(&[subject()], "CN-QH@2021,CN-QH", Some(2022)).unwrap();
        assert_eq!(own.rows.iter().map(|row| row.factor.year).collect::<Vec<_>>(), [Some(2021), Some(2022)]);
    }

    #[test]
    fn rows_that_count_another_thing_are_marked() {
        let matrix = over(&[subject()], "CN-QH,CN-GS,FRA", None).unwrap();
        assert_eq!(row(&matrix, "FRA").differs, [Difference::Gas, Difference::Basis, Difference::LifeCycle]);
        assert!(row(&matrix, "CN-QH").differs.is_empty() && matrix.note.is_some());
    }

    #[test]
    fn estimated_energy_gives_no_interval_in_any_region() {
        let guess = Subject { evidence: Evidence::Estimated, energy: estimate(1e6, 0.02), ..subject() };
        let matrix = over(&[subject(), guess], "nordic", None).unwrap();
        assert!(matrix.rows.iter().all(|row| row.carbon[0].interval.is_some() && row.carbon[1].interval.is_none()));
        assert_eq!(matrix.columns[1].evidence, Evidence::Estimated);
    }

    #[test]
    fn unknown_sets_and_regions_and_doubles_are_refused_with_the_way_out() {
        let refusal = |set: &str| over(&[subject()], set, None).unwrap_err().to_string();
        assert!(refusal("").contains("it names no region"));
        assert!(refusal("provinces!").contains("cn-provinces"), "{}", refusal("provinces!"));
        assert!(refusal("CN-QH,CN-QX").contains("did you mean"));
        assert!(refusal("CN-QH,cn-qh").contains("stands twice"));
        let nothing = price(&[], &site(1.0), Catalogue::built_in().unwrap(), &RegionSet::Us, None).unwrap_err();
        assert!(nothing.to_string().contains("no work to price"));
    }

    #[test]
    fn a_best_region_without_emissions_gives_no_ratio_and_equal_factors_share_a_rank() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "code,g_per_kwh,gas\nhydro-a,0,CO2\nhydro-b,0,CO2\ncoal,900,CO2\n";
        std::fs::write(folder.path().join("own.csv"), rows).unwrap();
        let catalogue = Catalogue::with_files(&["own.csv"], folder.path()).unwrap();
        let set = "coal,hydro-b,hydro-a".parse().unwrap();
        let matrix = price(&[subject()], &site(1.0), &catalogue, &set, None).unwrap();
        let ranks: Vec<_> = matrix.rows.iter().map(|row| (row.rank, row.ratio_to_best)).collect();
        assert_eq!(ranks, [(1, None), (1, None), (3, None)]);
    }
}
