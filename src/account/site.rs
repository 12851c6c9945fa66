//! Where the energy is used: a grid factor and a PUE, from flags, a site file, a shipped site, or the stated defaults.
//!
//! What surprises people: without `--pue` the PUE is 1, which is not a claim about any facility but the boundary "the
//! measured device alone"; without `--grid` the factor is the world average. Both are said in [`Site::notes`]. Tables for
//! single accounts (`[market]`, `[embodied]`, `[cost]`, …) are kept as they stand; each account reads its own. The JSON of
//! an account is a site file, too: what it was made with is used again.

use std::path::{Path, PathBuf};

use super::AccountError;
use super::catalogue::{Catalogue, DEFAULT_REGION, factor_for};
use super::factor::{check_keys, factor_from_table, names_a_file, parse_grid_in, parse_table, read_table};
use super::section::{Bounds, Section};
use crate::model::{Evidence, GridFactor, Pue, SiteProfile};
use crate::names;

/// Sites that ship with the program: name and TOML text.
pub const SHIPPED_SITES: [(&str, &str); 4] = [
    ("xining", include_str!("sites/xining.toml")),
    ("qingyang", include_str!("sites/qingyang.toml")),
    ("poland", include_str!("sites/poland.toml")),
    ("france", include_str!("sites/france.toml")),
];

/// Tables of a site file that belong to one account each.
pub const SECTIONS: [&str; 5] = ["market", "embodied", "microgrid", "cost", "claims"];

/// A resolved site, and what a reader must be told about how it came about.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Site {
    /// Grid and PUE.
    pub profile: SiteProfile,
    /// False if the grid is the default, the world average.
    pub grid_given: bool,
    /// False if the PUE is the default, the device alone.
    pub pue_given: bool,
    /// One sentence each: defaults that were taken, values that a flag replaced.
    pub notes: Vec<String>,
    /// The site file, or what stands for one in messages.
    pub file: PathBuf,
    /// The folder that file names in the tables below are taken from.
    pub folder: PathBuf,
    /// Tables of single accounts, as the file has them.
    pub tables: toml::Table,
}

impl Site {
    /// Grams of CO2 or CO2e per kilowatt-hour at the device: grid intensity times PUE.
    pub fn grams_per_device_kilowatt_hour(&self) -> f64 {
        self.profile.grid.intensity_g_per_kwh.get() * self.profile.pue.value
    }

    /// The table of one account, one of [`SECTIONS`], with the keys it may have; `None` if the site file has none.
    ///
    /// # Errors
    /// It is no table, or has an unknown key.
    pub fn section(&self, name: &str, known: &[&str]) -> Result<Option<Section<'_>>, AccountError> {
        match self.tables.get(name) {
            None => Ok(None),
            Some(toml::Value::Table(table)) => Section::new(&self.file, &self.folder, name, table, known).map(Some),
            Some(other) => Err(AccountError::Value {
                place: format!("site {}", self.file.display()),
                key: name.to_owned(),
                given: other.to_string(),
                reason: format!("it must be a table: [{name}]"),
            }),
        }
    }
}

/// What a site file says.
struct SiteFile {
    profile: SiteProfile,
    file: PathBuf,
    folder: PathBuf,
    tables: toml::Table,
    /// Whether somebody stated grid and PUE; an account may have been made with the defaults.
    stated: Stated,
}

/// Which values of a site somebody stated.
#[derive(Debug, Clone, Copy)]
struct Stated {
    grid: bool,
    pue: bool,
}

impl Stated {
    const BOTH: Self = Self { grid: true, pue: true };
}

/// Resolves `--grid`, `--pue` and `--site`; a flag replaces the site's value and [`Site::notes`] says so. Relative file names
/// are taken from `base_dir`.
///
/// # Errors
/// Unknown region, site or key (with the closest that exists), a factor or PUE that cannot be, an unreadable file.
pub fn resolve_site(
    grid: Option<&str>,
    pue: Option<f64>,
    site: Option<&str>,
    base_dir: &Path,
) -> Result<Site, AccountError> {
    resolve_site_in(Catalogue::built_in()?, grid, pue, site, base_dir)
}

/// As [`resolve_site`], with a catalogue that may hold the user's figures; where one stands beside a built-in figure,
/// [`Site::notes`] says which is used.
///
/// # Errors
/// As there.
pub fn resolve_site_in(
    catalogue: &Catalogue,
    grid: Option<&str>,
    pue: Option<f64>,
    site: Option<&str>,
    base_dir: &Path,
) -> Result<Site, AccountError> {
    let mut notes = Vec::new();
    let named = site.map(|name| load_site(catalogue, name, base_dir, &mut notes)).transpose()?;
    let given_grid = grid.map(|text| parse_grid_in(catalogue, text, base_dir)).transpose()?;
    if let Some(text) = grid {
        // The site's own grid is replaced, so what stands beside it matters to nobody.
        notes = catalogue.beside(text).into_iter().collect();
    }
    let given_pue = pue.map(|value| checked_pue(value, Evidence::Declared, "--pue")).transpose()?;
    let name = match (&named, &given_grid) {
        (Some(file), _) => file.profile.name.clone(),
        (None, Some(factor)) => factor.name.clone(),
        (None, None) => "no site given".to_owned(),
    };
    let stated = named.as_ref().map_or(Stated { grid: false, pue: false }, |file| file.stated);
    if let (Some(file), Some(factor)) = (named.as_ref().filter(|_| stated.grid), &given_grid) {
        let old = &file.profile.grid;
        notes.push(format!(
            "--grid replaces the grid of site {name}: {} g/kWh ({}) instead of {} g/kWh ({})",
            factor.intensity_g_per_kwh.get(),
            factor.region,
            old.intensity_g_per_kwh.get(),
            old.region
        ));
    }
    if let (Some(file), Some(new)) = (named.as_ref().filter(|_| stated.pue), &given_pue) {
        let old = file.profile.pue.value;
        notes.push(format!("--pue replaces the PUE of site {name}: {} instead of {old}", new.value));
    }
    let (grid_given, pue_given) = (stated.grid || given_grid.is_some(), stated.pue || given_pue.is_some());
    let (site_grid, site_pue, note, file, folder, tables) = match named {
        Some(SiteFile { profile, file, folder, tables, .. }) => {
            (Some(profile.grid), Some(profile.pue), profile.note, file, folder, tables)
        }
        None => {
            (None, None, String::new(), PathBuf::from("(no site file)"), base_dir.to_path_buf(), toml::Table::new())
        }
    };
    let grid = match given_grid.or(site_grid) {
        Some(factor) => factor,
        None => factor_for(DEFAULT_REGION)?.clone(),
    };
    let pue = given_pue.or(site_pue).unwrap_or_else(default_pue);
    if !grid_given {
        notes.push(default_grid_note(&grid));
    }
    if !pue_given {
        notes.push(DEFAULT_PUE_NOTE.to_owned());
    }
    if grid.intensity_g_per_kwh.get() == 0.0 {
        notes.push("a grid factor of 0 claims electricity without any emissions, upstream included".to_owned());
    }
    Ok(Site { profile: SiteProfile { name, grid, pue, note }, grid_given, pue_given, notes, file, folder, tables })
}

fn default_grid_note(factor: &GridFactor) -> String {
    format!(
        "no grid factor given: the world average is used ({} g{}/kWh, {}); set --grid for your site",
        factor.intensity_g_per_kwh.get(),
        factor.gas,
        factor.publisher
    )
}

const DEFAULT_PUE_NOTE: &str =
    "no PUE given: 1 is used, so the facility's overhead is not included; set --pue for your site";

fn default_pue() -> Pue {
    Pue { value: 1.0, evidence: Evidence::Declared, source: "not given: the measured device alone".to_owned() }
}

fn checked_pue(value: f64, evidence: Evidence, source: &str) -> Result<Pue, AccountError> {
    if Bounds::PUE.hold(value) {
        Ok(Pue { value, evidence, source: source.to_owned() })
    } else {
        Err(AccountError::BadPue { given: value })
    }
}

fn load_site(
    catalogue: &Catalogue,
    name: &str,
    base_dir: &Path,
    notes: &mut Vec<String>,
) -> Result<SiteFile, AccountError> {
    let names = SHIPPED_SITES.map(|(own, _)| own);
    let shipped = SHIPPED_SITES.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    let Some((own, text)) = shipped.filter(|_| !names_a_file(name)) else {
        let path = base_dir.join(name);
        if !names_a_file(name) && !path.is_file() {
            let (hint, known) = (names::hint(name, names), names.join(", "));
            return Err(AccountError::UnknownSite { given: name.to_owned(), hint, known });
        }
        let folder = path.parent().map_or_else(|| base_dir.to_path_buf(), Path::to_path_buf);
        let json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        if json {
            let account = site_of_account(&path)?;
            let folder = account.folder_of_files(&folder, base_dir);
            let site = site_from_table(catalogue, account.table, &path, &folder, notes)?;
            return Ok(SiteFile { stated: account.stated, ..site });
        }
        return site_from_table(catalogue, read_table("site", &path)?, &path, &folder, notes);
    };
    let path = PathBuf::from(format!("{own}.toml (shipped)"));
    site_from_table(catalogue, parse_table("site", &path, text)?, &path, base_dir, notes)
}

/// The site that an account was made with, from its JSON.
struct AccountSite {
    table: toml::Table,
    /// A default stays a default when the account is made again.
    stated: Stated,
    /// The folder that file names were taken from when the account was made.
    folder: PathBuf,
}

impl AccountSite {
    /// The folder that holds the files named in the tables: the account's own, else the one it was made from.
    fn folder_of_files(&self, own: &Path, base_dir: &Path) -> PathBuf {
        let made_from = base_dir.join(&self.folder);
        let mut names = Vec::new();
        self.table.values().for_each(|value| texts(value, &mut names));
        let only_there = |name: &&str| !own.join(name).is_file() && made_from.join(name).is_file();
        if names.iter().any(only_there) { made_from } else { own.to_path_buf() }
    }
}

/// Every text within a value.
fn texts<'a>(value: &'a toml::Value, found: &mut Vec<&'a str>) {
    match value {
        toml::Value::String(text) => found.push(text),
        toml::Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
        toml::Value::Table(table) => table.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

fn site_of_account(path: &Path) -> Result<AccountSite, AccountError> {
    let failed = |reason: String| AccountError::File { what: "site", path: path.to_path_buf(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let mut json: serde_json::Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let mut site = json.get_mut("site").map(serde_json::Value::take).unwrap_or_default();
    let given = |key: &str| site.get(key).and_then(serde_json::Value::as_bool).unwrap_or(true);
    let stated = Stated { grid: given("grid_given"), pue: given("pue_given") };
    let folder = PathBuf::from(site.get("folder").and_then(serde_json::Value::as_str).unwrap_or_default());
    let tables = site.get_mut("tables").map(serde_json::Value::take).unwrap_or_default();
    let mut whole = site.get_mut("profile").map(serde_json::Value::take).unwrap_or_default();
    let Some(own) = whole.as_object_mut() else {
        return Err(failed("it holds no account: `site.profile` is missing".to_owned()));
    };
    if let serde_json::Value::Object(tables) = tables {
        own.extend(tables);
    }
    without_nulls(&mut whole);
    let table = toml::Table::try_from(whole).map_err(|error| failed(error.to_string()))?;
    Ok(AccountSite { table, stated, folder })
}

/// TOML has no null: what is absent is left out.
fn without_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

fn site_from_table(
    catalogue: &Catalogue,
    mut table: toml::Table,
    path: &Path,
    folder: &Path,
    notes: &mut Vec<String>,
) -> Result<SiteFile, AccountError> {
    let what = "site";
    let known: Vec<&str> = ["name", "grid", "pue", "note"].into_iter().chain(SECTIONS).collect();
    check_keys(what, path, &table, &known)?;
    let mut tables = toml::Table::new();
    for name in SECTIONS {
        if let Some(value) = table.remove(name) {
            tables.insert(name.to_owned(), value);
        }
    }
    let table = table;
    let failed = |reason: &str| AccountError::File { what, path: path.to_path_buf(), reason: reason.to_owned() };
    let text =
        |key: &str| table.get(key).map(|value| value.as_str().ok_or_else(|| failed(&format!("{key} is not text"))));
    let grid = match table.get("grid") {
        Some(toml::Value::String(code)) => {
            notes.extend(catalogue.beside(code));
            parse_grid_in(catalogue, code, folder)?
        }
        Some(toml::Value::Float(value)) => parse_grid_in(catalogue, &value.to_string(), folder)?,
        Some(toml::Value::Integer(value)) => parse_grid_in(catalogue, &value.to_string(), folder)?,
        Some(toml::Value::Table(factor)) => factor_from_table(factor.clone(), path)?,
        _ => return Err(failed("grid is missing: give a region code, a number, a file, or a [grid] table")),
    };
    let pue = match table.get("pue") {
        Some(toml::Value::Float(value)) => checked_pue(*value, Evidence::Declared, "stated in the site file")?,
        Some(toml::Value::Integer(value)) => checked_pue(*value as f64, Evidence::Declared, "stated in the site file")?,
        Some(toml::Value::Table(pue)) => pue_from_table(pue, path)?,
        _ => return Err(failed("pue is missing: give a number, or a [pue] table with value, evidence and source")),
    };
    let profile = SiteProfile {
        name: text("name").transpose()?.map_or_else(|| path.display().to_string(), str::to_owned),
        grid,
        pue,
        note: text("note").transpose()?.unwrap_or_default().to_owned(),
    };
    Ok(SiteFile { profile, file: path.to_path_buf(), folder: folder.to_path_buf(), tables, stated: Stated::BOTH })
}

fn pue_from_table(table: &toml::Table, path: &Path) -> Result<Pue, AccountError> {
    let what = "PUE";
    check_keys(what, path, table, &["value", "evidence", "source"])?;
    let pue: Pue = table.clone().try_into().map_err(|error: toml::de::Error| AccountError::File {
        what,
        path: path.to_path_buf(),
        reason: error.message().to_owned(),
    })?;
    checked_pue(pue.value, pue.evidence, &pue.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(grid: Option<&str>, pue: Option<f64>, site: Option<&str>) -> Result<Site, AccountError> {
        resolve_site(grid, pue, site, Path::new("."))
    }

    #[test]
    fn without_a_factor_the_world_average_is_named_with_the_way_to_change_it() {
        let site = site(None, None, None).unwrap();
        assert_eq!(site.profile.grid.region, "WORLD");
        assert_eq!(site.profile.pue.value, 1.0);
        assert!(site.notes.iter().any(|note| note.contains("set --grid for your site")));
        assert!(site.notes.iter().any(|note| note.contains("overhead is not included")));
    }

    #[test]
    fn a_pue_below_one_or_not_finite_is_refused_with_its_definition() {
        for value in [0.99, 0.0, -1.2, 30.0, f64::NAN, f64::INFINITY] {
            let message = site(None, Some(value), None).unwrap_err().to_string();
            assert!(message.contains("at least 1"), "{message}");
        }
        assert_eq!(site(None, Some(1.0), None).unwrap().profile.pue.value, 1.0);
    }

    #[test]
    fn every_shipped_site_resolves_and_declares_its_pue_with_a_source() {
        for (name, _) in SHIPPED_SITES {
            let site = site(None, None, Some(name)).unwrap();
            assert_eq!(site.profile.pue.evidence, Evidence::Declared, "{name}");
            assert!(site.profile.pue.source.len() > 20, "{name}");
            assert!(site.notes.is_empty(), "{name}: {:?}", site.notes);
        }
        // Qinghai 2023: 179.6 g/kWh × PUE 1.2 = 215.52 g per kWh at the device.
        let xining = site(None, None, Some("Xining")).unwrap();
        assert!((xining.grams_per_device_kilowatt_hour() - 215.52).abs() < 1e-9);
    }

    #[test]
    fn flags_replace_the_sites_values_and_say_so() {
        let site = site(Some("CN-GS"), Some(1.3), Some("xining")).unwrap();
        assert_eq!((site.profile.grid.intensity_g_per_kwh.get(), site.profile.pue.value), (447.1, 1.3));
        assert_eq!(site.notes.len(), 2);
        assert!(site.notes[0].contains("447.1") && site.notes[0].contains("instead of 179.6"));
        assert!(site.notes[1].contains("1.3 instead of 1.2"));
    }

    #[test]
    fn a_slip_in_a_sites_name_or_key_is_answered_with_the_closest() {
        assert!(site(None, None, Some("xinin")).unwrap_err().to_string().contains("did you mean xining?"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, "name = \"x\"\ngrit = \"CN\"\npue = 1.2\n").unwrap();
        let message = resolve_site(None, None, Some("mine.toml"), folder.path()).unwrap_err().to_string();
        assert!(message.contains("did you mean grid?"), "{message}");
    }

    #[test]
    fn a_site_file_may_hold_its_own_factor_and_a_measured_pue() {
        let folder = tempfile::tempdir().unwrap();
        let text = "name = \"Hall 3\"\n[pue]\nvalue = 1.15\nevidence = \"measured\"\nsource = \"annual meter\"\n\
                    [grid]\nintensity_g_per_kwh = 12\ngas = \"CO2e\"\n";
        std::fs::write(folder.path().join("mine.toml"), text).unwrap();
        let site = resolve_site(None, None, Some("mine.toml"), folder.path()).unwrap();
        assert_eq!(
            (site.profile.pue.evidence, site.profile.grid.intensity_g_per_kwh.get()),
            (Evidence::Measured, 12.0)
        );
    }

    #[test]
    fn a_default_stays_a_default_in_the_json_of_an_account() {
        let folder = tempfile::tempdir().unwrap();
        let first = site(None, None, None).unwrap();
        let json = serde_json::json!({ "site": &first }).to_string();
        std::fs::write(folder.path().join("account.json"), json).unwrap();
        let with = |pue: Option<f64>| resolve_site(None, pue, Some("account.json"), folder.path()).unwrap();
        let again = with(None);
        assert_eq!((again.grid_given, again.pue_given), (false, false));
        assert_eq!((&again.profile, &again.notes), (&first.profile, &first.notes));
        // A flag states it: nothing that was stated is replaced.
        let stated = with(Some(1.3));
        assert!(stated.pue_given && stated.notes.iter().all(|note| !note.contains("PUE")), "{:?}", stated.notes);
    }

    #[test]
    fn files_that_an_account_names_are_found_where_it_was_made_from() {
        let folder = tempfile::tempdir().unwrap();
        let hall = folder.path().join("hall");
        std::fs::create_dir(&hall).unwrap();
        std::fs::write(hall.join("wind.csv"), "x").unwrap();
        let text = "grid = \"CN-QH\"\npue = 1.15\n[microgrid.wind]\nprofile = \"wind.csv\"\n";
        std::fs::write(hall.join("hall.toml"), text).unwrap();
        let first = resolve_site(None, None, Some("hall/hall.toml"), folder.path()).unwrap();
        let json = serde_json::json!({ "site": &first }).to_string();
        std::fs::write(folder.path().join("account.json"), json).unwrap();
        let again = || resolve_site(None, None, Some("account.json"), folder.path()).unwrap();
        assert!(again().folder.join("wind.csv").is_file());
        // A file beside the account comes first.
        std::fs::write(folder.path().join("wind.csv"), "x").unwrap();
        assert_eq!(again().folder, folder.path());
    }

    #[test]
    fn the_json_of_an_account_is_a_site_file_that_gives_the_same_site() {
        let folder = tempfile::tempdir().unwrap();
        let text = "name = \"Hall 3\"\ngrid = \"CN-QH\"\npue = 1.15\n[cost]\ncurrency = \"CNY\"\n";
        std::fs::write(folder.path().join("hall.toml"), text).unwrap();
        let first = resolve_site(None, None, Some("hall.toml"), folder.path()).unwrap();
        let json = serde_json::json!({ "site": &first }).to_string();
        std::fs::write(folder.path().join("account.json"), json).unwrap();
        let again = resolve_site(None, None, Some("account.json"), folder.path()).unwrap();
        assert_eq!((&again.profile, &again.tables), (&first.profile, &first.tables));
        let currency = again.section("cost", &["currency"]).unwrap().unwrap().text("currency").unwrap();
        assert_eq!(currency, Some("CNY"));
        assert!(again.section("cost", &["life_years"]).is_err(), "a key that an account does not know is refused");
    }
}
