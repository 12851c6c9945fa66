//! Reading `--grid`: a region of the catalogue, a number with or without a unit, or a TOML file with one factor.
//!
//! What surprises people: a bare number is kgCO2e/kWh (`0.1796`), as in official tables, and one above 3 is refused rather
//! than guessed to be grams; write `179.6g`.

use std::path::{Path, PathBuf};

use super::AccountError;
use super::catalogue::Catalogue;
use crate::model::{Basis, FactorMethod, Gas, GridFactor};
use crate::names;
use crate::units::GramsPerKilowattHour;

/// Largest intensity that is accepted, in g/kWh. The worst national average in the catalogue is 1000 g/kWh, and old lignite
/// or oil-shale plants stay below 2000 g/kWh (IPCC 2006 fuel factors at 20 % efficiency), so more is a slip of units.
pub const MAX_INTENSITY_G_PER_KWH: f64 = 3000.0;

/// Reads `--grid` with the built-in catalogue. Relative file names are taken from `base_dir`.
pub fn parse_grid(text: &str, base_dir: &Path) -> Result<GridFactor, AccountError> {
    parse_grid_in(Catalogue::built_in()?, text, base_dir)
}

/// Reads `--grid` with a catalogue that may hold the user's figures.
pub fn parse_grid_in(catalogue: &Catalogue, text: &str, base_dir: &Path) -> Result<GridFactor, AccountError> {
    let text = text.trim();
    if let Some(factor) = parse_number(text)? {
        return Ok(factor);
    }
    let path = base_dir.join(text);
    if names_a_file(text) {
        return read_factor(&path);
    }
    match catalogue.factor(text) {
        Err(AccountError::UnknownRegion { .. }) if path.is_file() => read_factor(&path),
        found => found.cloned(),
    }
}

/// True for text that can only be meant as a file name.
pub fn names_a_file(text: &str) -> bool {
    text.to_ascii_lowercase().ends_with(".toml") || text.contains(['/', '\\'])
}

/// A number with an optional unit; `None` if the text is not one.
fn parse_number(text: &str) -> Result<Option<GridFactor>, AccountError> {
    let lower = text.to_ascii_lowercase();
    let body = lower.strip_suffix("/kwh").unwrap_or(&lower).trim_end();
    let (body, gas, gas_stated) = match (body.strip_suffix("co2e"), body.strip_suffix("co2")) {
        (Some(rest), _) => (rest, Gas::Co2e, true),
        (None, Some(rest)) => (rest, Gas::Co2, true),
        (None, None) => (body, Gas::Co2e, false),
    };
    let (digits, grams_per_unit) = match (body.strip_suffix("kg"), body.strip_suffix('g')) {
        (Some(rest), _) => (rest, Some(1e3)),
        (None, Some(rest)) => (rest, Some(1.0)),
        (None, None) => (body, None),
    };
    let Ok(value) = digits.trim().parse::<f64>() else { return Ok(None) };
    if grams_per_unit.is_none() && value.is_finite() && value * 1e3 > MAX_INTENSITY_G_PER_KWH {
        return Err(AccountError::AmbiguousUnit { given: text.to_owned() });
    }
    let kilograms = grams_per_unit.map_or(1e3, |grams| grams) == 1e3;
    let intensity =
        if kilograms { GramsPerKilowattHour::from_kilograms(value) } else { GramsPerKilowattHour::new(value) };
    check(text, intensity.get())?;
    let unit = if kilograms { "kg/kWh" } else { "g/kWh" };
    let taken = if gas_stated { "" } else { " (taken as CO2e)" };
    Ok(Some(GridFactor {
        region: "user".to_owned(),
        name: "given as a number".to_owned(),
        intensity_g_per_kwh: intensity,
        gas,
        year: None,
        basis: Basis::Unstated,
        method: FactorMethod::Unstated,
        life_cycle: None,
        publisher: "the user".to_owned(),
        licence: "not stated".to_owned(),
        note: format!("{} {unit}{taken}; year, basis, method and publisher are not stated", digits.trim()),
    }))
}

/// Refuses intensities that no grid can have.
fn check(given: &str, grams: f64) -> Result<(), AccountError> {
    let reason = if grams.is_nan() {
        "it is not a number".to_owned()
    } else if grams.is_infinite() {
        "it is infinite".to_owned()
    } else if grams < 0.0 {
        "electricity of a grid has no negative emissions; offsets and credits are not part of a grid factor".to_owned()
    } else if grams > MAX_INTENSITY_G_PER_KWH {
        format!(
            "{grams} g/kWh is above {MAX_INTENSITY_G_PER_KWH} g/kWh, more than any power plant emits; check the unit"
        )
    } else {
        return Ok(());
    };
    Err(AccountError::BadIntensity { given: given.to_owned(), reason })
}

/// Keys of a factor in TOML.
pub const FACTOR_KEYS: [&str; 11] = [
    "region",
    "name",
    "intensity_g_per_kwh",
    "gas",
    "year",
    "basis",
    "method",
    "life_cycle",
    "publisher",
    "licence",
    "note",
];

/// Reads a TOML file that holds one factor.
fn read_factor(path: &Path) -> Result<GridFactor, AccountError> {
    factor_from_table(read_table("grid factor", path)?, path)
}

/// Reads a TOML file into a table.
pub fn read_table(what: &'static str, path: &Path) -> Result<toml::Table, AccountError> {
    let failed = |reason: String| AccountError::File { what, path: path.to_path_buf(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    parse_table(what, path, &text)
}

/// Parses TOML text into a table; `path` names it in messages.
pub fn parse_table(what: &'static str, path: &Path, text: &str) -> Result<toml::Table, AccountError> {
    text.parse::<toml::Table>().map_err(|error| AccountError::File {
        what,
        path: path.to_path_buf(),
        reason: error.to_string().trim_end().to_owned(),
    })
}

/// Refuses keys that have no meaning, with the closest one that has.
pub fn check_keys(what: &'static str, path: &Path, table: &toml::Table, known: &[&str]) -> Result<(), AccountError> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(AccountError::UnknownKey {
            what,
            path: PathBuf::from(path),
            key: key.clone(),
            hint: names::hint(key, known.iter().copied()),
            known: known.join(", "),
        }),
    }
}

/// A factor from a TOML table. Only the intensity and the gas are demanded; what else is missing is said to be unstated.
pub fn factor_from_table(mut table: toml::Table, path: &Path) -> Result<GridFactor, AccountError> {
    let what = "grid factor";
    check_keys(what, path, &table, &FACTOR_KEYS)?;
    let failed = |reason: String| AccountError::File { what, path: path.to_path_buf(), reason };
    if !table.contains_key("intensity_g_per_kwh") {
        return Err(failed("intensity_g_per_kwh is missing; a factor without a value is not zero".to_owned()));
    }
    if !table.contains_key("gas") {
        return Err(failed("gas is missing: write gas = \"CO2\" or gas = \"CO2e\"".to_owned()));
    }
    let unstated = [
        ("region", "user"),
        ("name", "from a file"),
        ("basis", "unstated"),
        ("method", "unstated"),
        ("publisher", "not stated"),
        ("licence", "not stated"),
    ];
    for (key, value) in unstated {
        table.entry(key).or_insert_with(|| toml::Value::String(value.to_owned()));
    }
    let factor: GridFactor = table.try_into().map_err(|error: toml::de::Error| failed(error.message().to_owned()))?;
    check(&path.display().to_string(), factor.intensity_g_per_kwh.get())?;
    Ok(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grams(text: &str) -> f64 {
        parse_grid(text, Path::new(".")).unwrap().intensity_g_per_kwh.get()
    }
    fn refusal(text: &str) -> String {
        parse_grid(text, Path::new(".")).unwrap_err().to_string()
    }
    fn from_file(text: &str) -> Result<GridFactor, AccountError> {
        let path = Path::new("grid.toml");
        factor_from_table(parse_table("grid factor", path, text)?, path)
    }

    #[test]
    fn a_bare_number_is_kilograms_per_kilowatt_hour_and_units_may_be_said() {
        assert!((grams("0.1796") - 179.6).abs() < 1e-9);
        for text in ["179.6g", "179.6 g/kWh", "0.1796kg", "0.1796 kgCO2e/kWh", "179.6gCO2"] {
            assert!((grams(text) - 179.6).abs() < 1e-9, "{text}");
        }
        assert_eq!(parse_grid("179.6gCO2", Path::new(".")).unwrap().gas, Gas::Co2);
        assert_eq!(grams("CN-QH"), 179.6);
    }

    #[test]
    fn a_bare_number_above_three_asks_for_its_unit() {
        let message = refusal("179.6");
        assert!(message.contains("write 179.6g") && message.contains("kgCO2e/kWh"), "{message}");
    }

    #[test]
    fn negative_infinite_and_absurd_factors_are_refused() {
        assert!(refusal("-0.1").contains("no negative emissions"));
        assert!(refusal("-179.6g").contains("no negative emissions"));
        assert!(refusal("nan").contains("not a number"));
        assert!(refusal("inf").contains("infinite"));
        assert!(refusal("179.6kg").contains("check the unit"));
    }

    #[test]
    fn a_file_needs_a_value_and_a_gas_and_says_what_else_is_unstated() {
        let factor = from_file("intensity_g_per_kwh = 20\ngas = \"CO2e\"").unwrap();
        assert_eq!((factor.intensity_g_per_kwh.get(), factor.year, factor.basis), (20.0, None, Basis::Unstated));
        assert!(from_file("gas = \"CO2\"").unwrap_err().to_string().contains("intensity_g_per_kwh is missing"));
        assert!(from_file("intensity_g_per_kwh = 20").unwrap_err().to_string().contains("gas is missing"));
    }

    #[test]
    fn a_file_with_a_slip_or_a_bad_value_is_refused() {
        let message = from_file("intensity_g_per_kWh = 20\ngas = \"CO2\"").unwrap_err().to_string();
        assert!(message.contains("did you mean intensity_g_per_kwh?"), "{message}");
        for value in ["nan", "inf", "-1.0"] {
            let text = format!("intensity_g_per_kwh = {value}\ngas = \"CO2\"");
            assert!(matches!(from_file(&text), Err(AccountError::BadIntensity { .. })), "{value}");
        }
        assert!(from_file("intensity_g_per_kwh = \"x\"\ngas = \"CO2\"").is_err());
        assert!(refusal("no-such-file.toml").contains("cannot read grid factor"));
    }
}
