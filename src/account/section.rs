//! Reading the tables of a site file: unknown keys with suggestions, numbers within bounds, and messages that name file,
//! table, key and remedy.
//!
//! What surprises people: a number is never replaced by a bound or a default here. It is absent, in bounds, or an error.

use std::path::{Path, PathBuf};

use super::AccountError;
use crate::names;

/// What a number may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Lowest value.
    pub low: f64,
    /// Highest value.
    pub high: f64,
    /// Whether `low` itself is refused.
    pub above: bool,
    /// What the number is, for the message: `a share of the time, above 0 and up to 1`.
    pub meaning: &'static str,
}

impl Bounds {
    /// A share that may be nothing.
    pub const SHARE: Self = Self { low: 0.0, high: 1.0, above: false, meaning: "a share from 0 to 1" };
    /// A share that must be something, such as a utilisation.
    pub const POSITIVE_SHARE: Self =
        Self { low: 0.0, high: 1.0, above: true, meaning: "a share above 0 and up to 1 (0.6 is 60 %)" };
    /// A length of life of equipment in years.
    pub const LIFE_YEARS: Self = Self { low: 0.0, high: 50.0, above: true, meaning: "years, above 0 and up to 50" };
    /// A power usage effectiveness.
    pub const PUE: Self = Self { low: 1.0, high: 5.0, above: false, meaning: "a PUE from 1 to 5" };

    /// Anything from 0 on.
    pub const fn not_negative(meaning: &'static str) -> Self {
        Self { low: 0.0, high: f64::MAX, above: false, meaning }
    }
    /// Anything above 0.
    pub const fn positive(meaning: &'static str) -> Self {
        Self { low: 0.0, high: f64::MAX, above: true, meaning }
    }
    /// Whether a number is within.
    pub fn hold(&self, value: f64) -> bool {
        value.is_finite() && value <= self.high && if self.above { value > self.low } else { value >= self.low }
    }
    /// The number, if it is within.
    ///
    /// # Errors
    /// It is not; `place` and `key` say where it stands.
    pub fn check(&self, place: &str, key: &str, value: f64) -> Result<f64, AccountError> {
        if self.hold(value) {
            return Ok(value);
        }
        let reason = format!("it must be {}", self.meaning);
        Err(AccountError::Value { place: place.to_owned(), key: key.to_owned(), given: value.to_string(), reason })
    }
}

/// One table of a site file, with its place for messages.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    file: &'a Path,
    folder: &'a Path,
    name: String,
    table: &'a toml::Table,
}

impl<'a> Section<'a> {
    /// A table; `name` is its dotted path in the file (`cost.tariff`).
    ///
    /// # Errors
    /// A key that is not in `known`, with the closest that is.
    pub fn new(
        file: &'a Path,
        folder: &'a Path,
        name: &str,
        table: &'a toml::Table,
        known: &[&str],
    ) -> Result<Self, AccountError> {
        super::factor::check_keys("site", file, table, known).map_err(|error| match error {
            AccountError::UnknownKey { what, path, key, hint, known } => {
                AccountError::UnknownKey { what, path, key: format!("{name}.{key}"), hint, known }
            }
            other => other,
        })?;
        Ok(Self { file, folder, name: name.to_owned(), table })
    }

    /// File and table, as messages name them.
    pub fn place(&self) -> String {
        format!("site {} [{}]", self.file.display(), self.name)
    }
    /// The folder that relative file names are taken from.
    pub fn folder(&self) -> &Path {
        self.folder
    }
    /// The raw value of a key.
    pub fn value(&self, key: &str) -> Option<&'a toml::Value> {
        self.table.get(key)
    }
    /// Whether a key is given.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// An error about a key's value.
    pub fn bad(&self, key: &str, reason: impl Into<String>) -> AccountError {
        let given =
            self.table.get(key).map_or_else(|| "absent".to_owned(), |value| value.to_string().trim().to_owned());
        AccountError::Value { place: self.place(), key: key.to_owned(), given, reason: reason.into() }
    }
    /// An error about a missing key.
    pub fn missing(&self, key: &str, remedy: impl Into<String>) -> AccountError {
        AccountError::Missing { place: self.place(), key: key.to_owned(), remedy: remedy.into() }
    }

    /// A number within bounds, if given.
    pub fn number(&self, key: &str, bounds: Bounds) -> Result<Option<f64>, AccountError> {
        let number = match self.table.get(key) {
            None => return Ok(None),
            Some(toml::Value::Float(value)) => *value,
            Some(toml::Value::Integer(value)) => *value as f64,
            Some(_) => return Err(self.bad(key, format!("it must be a number: {}", bounds.meaning))),
        };
        bounds.check(&self.place(), key, number).map(Some)
    }
    /// A number within bounds that must be given.
    pub fn required(&self, key: &str, bounds: Bounds) -> Result<f64, AccountError> {
        self.number(key, bounds)?.ok_or_else(|| self.missing(key, format!("give {}", bounds.meaning)))
    }
    /// A text, if given.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, AccountError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.bad(key, "it must be text in quotation marks")),
        }
    }
    /// A text that must be given.
    pub fn required_text(&self, key: &str, remedy: &str) -> Result<&'a str, AccountError> {
        self.text(key)?.ok_or_else(|| self.missing(key, remedy))
    }
    /// True or false, if given.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, AccountError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(toml::Value::Boolean(value)) => Ok(Some(*value)),
            Some(_) => Err(self.bad(key, "it must be true or false")),
        }
    }
    /// One of several words, if given.
    pub fn word(&self, key: &str, words: &[&str]) -> Result<Option<&'a str>, AccountError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        if words.contains(&text) {
            return Ok(Some(text));
        }
        let hint = names::hint(text, words.iter().copied());
        Err(self.bad(key, format!("it must be one of {}{hint}", words.join(", "))))
    }
    /// A file named by a key, taken from the site file's folder.
    pub fn file(&self, key: &str) -> Result<Option<PathBuf>, AccountError> {
        Ok(self.text(key)?.map(|name| self.folder.join(name)))
    }
    /// A table within this one, if given.
    pub fn section(&self, key: &str, known: &[&str]) -> Result<Option<Section<'a>>, AccountError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(toml::Value::Table(table)) => {
                Section::new(self.file, self.folder, &format!("{}.{key}", self.name), table, known).map(Some)
            }
            Some(_) => Err(self.bad(key, format!("it must be a table: [{}.{key}]", self.name))),
        }
    }
    /// The tables of a list (`[[cost.device]]`); empty if there is none.
    pub fn sections(&self, key: &str, known: &[&str]) -> Result<Vec<Section<'a>>, AccountError> {
        let wrong = || self.bad(key, format!("it must be a list of tables: [[{}.{key}]]", self.name));
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or_else(wrong)?;
        let one = |(index, value): (usize, &'a toml::Value)| {
            let table = value.as_table().ok_or_else(wrong)?;
            Section::new(self.file, self.folder, &format!("{}.{key} {}", self.name, index + 1), table, known)
        };
        list.iter().enumerate().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<R>(text: &str, known: &[&str], read: impl Fn(Result<Section<'_>, AccountError>) -> R) -> R {
        let table: toml::Table = text.parse().unwrap();
        read(Section::new(Path::new("hall.toml"), Path::new("."), "cost", &table, known))
    }

    #[test]
    fn a_slip_in_a_key_is_answered_with_table_and_suggestion() {
        let message = with("utilization = 1", &["utilisation"], |section| section.unwrap_err().to_string());
        assert!(message.contains("cost.utilization") && message.contains("did you mean utilisation?"), "{message}");
    }

    #[test]
    fn a_number_is_absent_within_bounds_or_refused_with_its_place() {
        with("a = 0.5\nb = 0\nc = nan\nd = \"x\"\ne = -1", &["a", "b", "c", "d", "e"], |section| {
            let section = section.unwrap();
            assert_eq!(section.number("a", Bounds::POSITIVE_SHARE).unwrap(), Some(0.5));
            assert_eq!(section.number("z", Bounds::POSITIVE_SHARE).unwrap(), None);
            for key in ["b", "c", "d", "e"] {
                let message = section.number(key, Bounds::POSITIVE_SHARE).unwrap_err().to_string();
                assert!(message.starts_with("site hall.toml [cost]: `") && message.contains("60 %"), "{message}");
            }
            let message = section.required("z", Bounds::LIFE_YEARS).unwrap_err().to_string();
            assert!(message.contains("`z` is missing: give years"), "{message}");
        });
    }

    #[test]
    fn a_word_must_be_one_of_the_known_ones() {
        with("proof = \"contrat\"", &["proof"], |section| {
            let message = section.unwrap().word("proof", &["contract", "meter"]).unwrap_err().to_string();
            assert!(message.contains("did you mean contract?"), "{message}");
        });
    }
}
