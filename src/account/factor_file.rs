//! Grid factors of the user's own files: a CSV with the catalogue's columns, or a TOML list of `[[factor]]`.
//!
//! Looking them up is the catalogue's. What surprises people: nothing is guessed. A row needs code, intensity and gas; what
//! else is missing is said to be unstated, and one faulty row refuses the whole file with its line and key.

use std::path::{Path, PathBuf};

use super::AccountError;
use super::catalogue::Entry;
use super::factor::{FACTOR_KEYS, MAX_INTENSITY_G_PER_KWH, check_keys, factor_from_table, read_table};
use crate::model::{Basis, FactorMethod, Gas, GridFactor};
use crate::names;
use crate::units::GramsPerKilowattHour;

const WHAT: &str = "grid factors";
const COLUMNS: [&str; 12] = [
    "code",
    "aliases",
    "name",
    "year",
    "g_per_kwh",
    "gas",
    "basis",
    "method",
    "life_cycle",
    "publisher",
    "licence",
    "note",
];
/// How other units become g/kWh, for messages.
const UNITS: &str = "the unit is g/kWh: multiply kg/kWh (or t/MWh) by 1000, and lb/MWh by 0.45359237";
/// A file whose largest figure is below this holds kg/kWh: the dirtiest grids emit about 1 kg/kWh.
const LARGEST_IN_KILOGRAMS: f64 = 1.5;

/// Reads a file of factors: `.toml`, or CSV.
///
/// # Errors
/// A file that cannot be read, holds nothing, or has a faulty row; the message names file, line and key.
pub fn read_factor_file(path: &Path) -> Result<Vec<Entry>, AccountError> {
    let toml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let entries = if toml { from_toml(path)? } else { from_csv(path)? };
    let largest = entries.iter().map(|entry| entry.factor.intensity_g_per_kwh.get()).fold(0.0, f64::max);
    if entries.is_empty() {
        return Err(failed(path, "it holds no factor; write rows of CSV with a header, or [[factor]] tables"));
    }
    if largest > 0.0 && largest < LARGEST_IN_KILOGRAMS {
        return Err(failed(path, format!("its largest figure is {largest} g/kWh, which looks like kg/kWh; {UNITS}")));
    }
    Ok(entries)
}

fn failed(path: &Path, reason: impl Into<String>) -> AccountError {
    AccountError::File { what: WHAT, path: path.to_path_buf(), reason: reason.into() }
}

/// Where a figure stands, for messages.
struct Place<'a> {
    path: &'a Path,
    at: String,
}

impl Place<'_> {
    fn name(&self) -> String {
        format!("{WHAT} {}, {}", self.path.display(), self.at)
    }
    fn bad(&self, key: &str, given: &str, reason: impl Into<String>) -> AccountError {
        AccountError::Value { place: self.name(), key: key.to_owned(), given: shown(given), reason: reason.into() }
    }
    fn missing(&self, key: &str, remedy: &str) -> AccountError {
        AccountError::Missing { place: self.name(), key: key.to_owned(), remedy: remedy.to_owned() }
    }
    fn intensity(&self, key: &str, given: &str, grams: f64) -> Result<GramsPerKilowattHour, AccountError> {
        let reason = if grams.is_nan() {
            "it is not a number; leave the row out where there is no figure".to_owned()
        } else if grams.is_infinite() {
            "it is infinite".to_owned()
        } else if grams < 0.0 {
            "electricity of a grid has no negative emissions; offsets and credits are not part of a factor".to_owned()
        } else if grams > MAX_INTENSITY_G_PER_KWH {
            format!("it is above {MAX_INTENSITY_G_PER_KWH} g/kWh, more than any power plant emits; {UNITS}")
        } else {
            return Ok(GramsPerKilowattHour::new(grams));
        };
        Err(self.bad(key, given, reason))
    }
}

fn shown(given: &str) -> String {
    if given.is_empty() { "empty".to_owned() } else { given.to_owned() }
}

/// Refuses two figures of one code and year.
fn checked(entries: &[Entry], entry: &Entry, place: &Place<'_>, key: &str) -> Result<(), AccountError> {
    let code = &entry.factor.region;
    let same = |other: &Entry| other.factor.region.eq_ignore_ascii_case(code) && other.factor.year == entry.factor.year;
    if !entries.iter().any(same) {
        return Ok(());
    }
    let year = entry.factor.year.map_or_else(|| "no year".to_owned(), |year| format!("year {year}"));
    Err(place.bad(
        key,
        code,
        format!("this code stands twice with {year}; keep one, or give the other its own code or year"),
    ))
}

// ---- CSV -----------------------------------------------------------------------------------------------------------

fn from_csv(path: &Path) -> Result<Vec<Entry>, AccountError> {
    let text = std::fs::read_to_string(path).map_err(|error| failed(path, error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader =
        csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| failed(path, error.to_string()))?.clone();
    check_header(path, &header)?;
    let mut entries: Vec<Entry> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| failed(path, error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let place = Place { path, at: format!("line {line}") };
        if record.len() != header.len() {
            let reason = format!(
                "the row has {} fields and the header {}; put text with commas into quotation marks",
                record.len(),
                header.len()
            );
            return Err(place.bad("row", record.get(0).unwrap_or_default(), reason));
        }
        let row = Row { place, header: &header, record: &record };
        let entry = row.entry()?;
        checked(&entries, &entry, &row.place, "code")?;
        entries.push(entry);
    }
    Ok(entries)
}

fn check_header(path: &Path, header: &csv::StringRecord) -> Result<(), AccountError> {
    if let Some(unknown) = header.iter().find(|name| !COLUMNS.contains(name)) {
        let hint = names::hint(unknown, COLUMNS.iter().copied());
        let lower = unknown.to_lowercase();
        let unit = ["lb", "kg", "mwh", "kwh", "intensity", "co2"].iter().any(|word| lower.contains(word));
        let hint = if unit { format!(": write g_per_kwh; {UNITS}") } else { hint };
        return Err(AccountError::UnknownKey {
            what: WHAT,
            path: path.to_path_buf(),
            key: unknown.to_owned(),
            hint,
            known: COLUMNS.join(", "),
        });
    }
    let place = Place { path, at: "the header".to_owned() };
    for name in COLUMNS {
        let count = header.iter().filter(|own| *own == name).count();
        if count > 1 {
            return Err(place.bad(name, "there twice", "a column stands once"));
        }
        if count == 0 && matches!(name, "code" | "g_per_kwh" | "gas") {
            return Err(place.missing(name, "a factor needs at least the columns code, g_per_kwh and gas"));
        }
    }
    Ok(())
}

/// One row of a CSV file.
struct Row<'a> {
    place: Place<'a>,
    header: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn get(&self, key: &str) -> &str {
        self.header.iter().position(|own| own == key).and_then(|index| self.record.get(index)).unwrap_or_default()
    }
    fn or(&self, key: &str, otherwise: &str) -> String {
        let text = self.get(key);
        if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
    }
    fn required(&self, key: &str, remedy: &str) -> Result<&str, AccountError> {
        let text = self.get(key);
        if text.is_empty() { Err(self.place.missing(key, remedy)) } else { Ok(text) }
    }
    /// One of several words; nothing for an empty field.
    fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, AccountError> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(None);
        }
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value);
        found.map(Some).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let hint = names::hint(text, known.iter().copied());
            self.place.bad(key, text, format!("it must be one of {}{hint}", known.join(", ")))
        })
    }
    fn year(&self) -> Result<Option<u16>, AccountError> {
        let text = self.get("year");
        if text.is_empty() {
            return Ok(None);
        }
        let year = text.parse::<u16>().ok().filter(|year| (1990..=2100).contains(year));
        let refused = || self.place.bad("year", text, "it must be a year such as 2024, or empty if none is stated");
        year.map(Some).ok_or_else(refused)
    }
    fn entry(&self) -> Result<Entry, AccountError> {
        let code = self.required("code", "give the region a code, such as DE or my-site")?;
        check_code(&self.place, "code", code)?;
        let text = self.required("g_per_kwh", "a factor without a value is not zero; leave the row out")?;
        let not_a_number = || self.place.bad("g_per_kwh", text, format!("it is not a number; {UNITS}"));
        let grams = text.parse::<f64>().map_err(|_| not_a_number())?;
        let intensity = self.place.intensity("g_per_kwh", text, grams)?;
        let gases = [("CO2", Gas::Co2), ("CO2e", Gas::Co2e)];
        let gas = self.word("gas", &gases)?;
        let gas = gas.ok_or_else(|| self.place.missing("gas", "write CO2 or CO2e; they are different figures"))?;
        let bases = [
            ("generation", Basis::Generation),
            ("consumption", Basis::Consumption),
            ("residual", Basis::Residual),
            ("fossil", Basis::Fossil),
            ("unstated", Basis::Unstated),
        ];
        let methods = [
            ("average", FactorMethod::Average),
            ("marginal", FactorMethod::Marginal),
            ("unstated", FactorMethod::Unstated),
        ];
        let life = [("yes", Some(true)), ("no", Some(false)), ("unstated", None)];
        Ok(Entry {
            aliases: self
                .get("aliases")
                .split('|')
                .map(str::trim)
                .filter(|a| !a.is_empty())
                .map(str::to_owned)
                .collect(),
            factor: GridFactor {
                region: code.to_owned(),
                name: self.or("name", code),
                intensity_g_per_kwh: intensity,
                gas,
                year: self.year()?,
                basis: self.word("basis", &bases)?.unwrap_or(Basis::Unstated),
                method: self.word("method", &methods)?.unwrap_or(FactorMethod::Unstated),
                life_cycle: self.word("life_cycle", &life)?.flatten(),
                publisher: self.or("publisher", "not stated"),
                licence: self.or("licence", "not stated"),
                note: self.get("note").to_owned(),
            },
            file: Some(self.place.path.to_path_buf()),
        })
    }
}

/// A code must not look like something else that `--grid` takes.
fn check_code(place: &Place<'_>, key: &str, code: &str) -> Result<(), AccountError> {
    if code.contains(['@', ',', '*', '/', '\\', ':']) {
        return Err(place.bad(key, code, "a code has none of @ , * / \\ : in it; the year has a place of its own"));
    }
    if code.parse::<f64>().is_ok() {
        return Err(place.bad(key, code, "a code is no number: --grid would take it for an intensity"));
    }
    Ok(())
}

// ---- TOML ----------------------------------------------------------------------------------------------------------

fn from_toml(path: &Path) -> Result<Vec<Entry>, AccountError> {
    let table = read_table(WHAT, path)?;
    // A file with one factor, as --grid takes it, is a list of one.
    if table.contains_key("intensity_g_per_kwh") {
        return Ok(vec![toml_entry(table, path, &Place { path, at: "its factor".to_owned() })?]);
    }
    check_keys(WHAT, path, &table, &["factor"])?;
    let wrong = || failed(path, "it must be a list of tables, each under [[factor]]");
    let list = match table.get("factor") {
        None => return Ok(Vec::new()),
        Some(value) => value.as_array().ok_or_else(wrong)?,
    };
    let mut entries = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let own = value.as_table().ok_or_else(wrong)?.clone();
        let region = own.get("region").and_then(toml::Value::as_str).unwrap_or_default();
        let place = Place { path, at: format!("[[factor]] {} {region}", index + 1).trim_end().to_owned() };
        let entry = toml_entry(own, path, &place)?;
        checked(&entries, &entry, &place, "region")?;
        entries.push(entry);
    }
    Ok(entries)
}

fn toml_entry(mut table: toml::Table, path: &Path, place: &Place<'_>) -> Result<Entry, AccountError> {
    let named = PathBuf::from(place.name().trim_start_matches(WHAT).trim());
    let known: Vec<&str> = FACTOR_KEYS.into_iter().chain(["aliases"]).collect();
    check_keys(WHAT, &named, &table, &known)?;
    let aliases = match table.remove("aliases") {
        None => Vec::new(),
        Some(value) => value.clone().try_into::<Vec<String>>().map_err(|_| {
            place.bad("aliases", &value.to_string(), "it must be a list of texts: [\"DE\", \"Germany\"]")
        })?,
    };
    let Some(region) = table.get("region").and_then(toml::Value::as_str).map(str::to_owned) else {
        return Err(place.missing("region", "give the region a code, such as DE or my-site"));
    };
    check_code(place, "region", &region)?;
    match table.get("intensity_g_per_kwh") {
        Some(toml::Value::Float(value)) => place.intensity("intensity_g_per_kwh", &value.to_string(), *value)?,
        Some(toml::Value::Integer(value)) => {
            place.intensity("intensity_g_per_kwh", &value.to_string(), *value as f64)?
        }
        Some(other) => {
            return Err(place.bad("intensity_g_per_kwh", &other.to_string(), format!("it is not a number; {UNITS}")));
        }
        None => return Err(place.missing("intensity_g_per_kwh", "a factor without a value is not zero; leave it out")),
    };
    if !table.contains_key("gas") {
        return Err(place.missing("gas", "write gas = \"CO2\" or gas = \"CO2e\"; they are different figures"));
    }
    let factor = factor_from_table(table, &named)?;
    Ok(Entry { factor, aliases, file: Some(path.to_path_buf()) })
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Catalogue;
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<Entry>, AccountError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_factor_file(&path)
    }
    fn csv_refusal(rows: &str) -> String {
        read("own.csv", &format!("code,year,g_per_kwh,gas\n{rows}\n")).unwrap_err().to_string()
    }

    #[test]
    fn a_csv_file_needs_code_value_and_gas_and_says_what_else_is_unstated() {
        let entries = read("own.csv", "# mine\ncode,g_per_kwh,gas\nDE,342.1,CO2e\nXX,0,co2\n").unwrap();
        let factor = &entries[0].factor;
        assert_eq!((factor.region.as_str(), factor.intensity_g_per_kwh.get(), factor.gas), ("DE", 342.1, Gas::Co2e));
        assert_eq!((factor.year, factor.basis, factor.life_cycle), (None, Basis::Unstated, None));
        assert_eq!((factor.publisher.as_str(), entries[1].factor.gas), ("not stated", Gas::Co2));
    }

    #[test]
    fn the_catalogues_own_files_are_files_that_a_user_could_give() {
        let entries = read("us.csv", include_str!("catalogue/us_egrid2023.csv")).unwrap();
        assert_eq!(entries.len(), 27);
        let built_in = Catalogue::built_in().unwrap().factor("US-CAMX").unwrap();
        assert_eq!(&entries.iter().find(|entry| entry.factor.region == "US-CAMX").unwrap().factor, built_in);
    }

    #[test]
    fn every_faulty_row_is_refused_with_its_line_key_and_remedy() {
        for (rows, parts) in [
            ("DE,2024,342,CO2e\nDE,2024,341,CO2e", ["line 3", "`code` is DE", "stands twice with year 2024"]),
            ("DE,2024,nan,CO2e", ["line 2", "`g_per_kwh` is nan", "not a number"]),
            ("DE,2024,inf,CO2e", ["line 2", "`g_per_kwh` is inf", "infinite"]),
            ("DE,2024,-3,CO2e", ["line 2", "`g_per_kwh` is -3", "no negative emissions"]),
            ("DE,2024,342 g,CO2e", ["line 2", "`g_per_kwh`", "lb/MWh by 0.45359237"]),
            ("DE,2024,5000,CO2e", ["line 2", "above 3000", "lb/MWh by 0.45359237"]),
            ("DE,2024,,CO2e", ["line 2", "`g_per_kwh` is missing", "not zero"]),
            ("DE,2024,342,", ["line 2", "`gas` is missing", "CO2 or CO2e"]),
            ("DE,2024,342,CO3", ["line 2", "`gas` is CO3", "CO2, CO2e"]),
            ("DE,24,342,CO2e", ["line 2", "`year` is 24", "such as 2024"]),
            (",2024,342,CO2e", ["line 2", "`code` is missing", "give the region a code"]),
            ("0.5,2024,342,CO2e", ["line 2", "`code` is 0.5", "no number"]),
            ("DE,2024,342", ["line 2", "3 fields", "the header 4"]),
            ("DE,2024,0.342,CO2e", ["own.csv", "looks like kg/kWh", "by 1000"]),
        ] {
            let message = csv_refusal(rows);
            assert!(message.contains("own.csv"), "{message}");
            for part in parts {
                assert!(message.contains(part), "{part} not in: {message}");
            }
        }
        assert!(csv_refusal("").contains("it holds no factor"));
    }

    #[test]
    fn a_wrong_or_missing_column_is_answered_with_the_right_one() {
        let refusal = |header: &str| read("own.csv", &format!("{header}\n")).unwrap_err().to_string();
        assert!(refusal("code,lb_per_mwh,gas").contains("write g_per_kwh; the unit is g/kWh"));
        assert!(refusal("code,g_per_kwh,gas,licens").contains("did you mean licence?"));
        assert!(refusal("code,g_per_kwh").contains("`gas` is missing"));
        assert!(refusal("code,code,g_per_kwh,gas").contains("there twice"));
    }

    #[test]
    fn a_toml_file_is_a_list_of_factors_and_each_fault_names_its_place() {
        let good =
            "[[factor]]\nregion = \"DE\"\nintensity_g_per_kwh = 342\ngas = \"CO2e\"\naliases = [\"Deutschland\"]\n";
        let entries = read("own.toml", good).unwrap();
        assert_eq!(entries[0].aliases, ["Deutschland"]);
        for (text, part) in [
            (format!("{good}{good}"), "[[factor]] 2 DE"),
            (good.replace("342", "nan"), "`intensity_g_per_kwh` is NaN"),
            (good.replace("342", "3001"), "above 3000"),
            (good.replace("gas = \"CO2e\"\n", ""), "`gas` is missing"),
            (good.replace("region = \"DE\"\n", ""), "`region` is missing"),
            (good.replace("gas =", "gass ="), "did you mean gas"),
            (good.replace("aliases", "alias"), "did you mean aliases?"),
            (good.replace("[[factor]]", "[[factors]]"), "did you mean factor?"),
            ("factor = 3".to_owned(), "list of tables"),
            (String::new(), "it holds no factor"),
        ] {
            let message = read("own.toml", &text).unwrap_err().to_string();
            assert!(message.contains("own.toml") && message.contains(part), "{part} not in: {message}");
        }
    }

    #[test]
    fn a_users_figure_stands_beside_the_built_in_one_and_is_taken_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "code,year,g_per_kwh,gas\nCN-QH,2024,150,CO2\nmy-site,2024,42,CO2e\n";
        std::fs::write(folder.path().join("own.csv"), rows).unwrap();
        let catalogue = Catalogue::with_files(&["own.csv"], folder.path()).unwrap();
        let grams = |text: &str| catalogue.factor(text).unwrap().intensity_g_per_kwh.get();
        assert_eq!([grams("CN-QH"), grams("user:CN-QH"), grams("CN-QH@2024")], [179.6, 150.0, 150.0]);
        assert_eq!([grams("my-site"), grams("USER:my-site")], [42.0, 42.0]);
        let said = catalogue.beside("CN-QH").unwrap();
        assert!(said.contains("179.6 gCO2/kWh, 2023) is used; `user:CN-QH@2024` takes"), "{said}");
        assert!(catalogue.beside("user:CN-QH").unwrap().contains("own.csv (150 gCO2/kWh, 2024) is used"));
        assert_eq!((catalogue.beside("my-site"), catalogue.beside("CN-GS")), (None, None));
        assert!(catalogue.factor("user:CN-GS").is_err());
        assert_eq!(catalogue.spread(catalogue.factor("CN-QH").unwrap()).len(), 4);
        let twice = Catalogue::with_files(&["own.csv", "own.csv"], folder.path()).unwrap_err().to_string();
        assert!(twice.contains("of this code and year already"), "{twice}");
    }
}
