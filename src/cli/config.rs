//! The configuration file: `wattmark.toml`, read only from `--config FILE` or the working directory.
//!
//! A file holds the same options as the flags of `wattmark run`, with the same meaning and the same checks; a flag
//! wins over the file. No option is checked here beyond its type. What surprises people: there is no file in the home
//! folder, because a result must not depend on a dot-file that nobody sees, and paths in the file are taken from the
//! working directory, exactly as if they had been typed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::model::Preset;
use crate::names;

/// Name of the file that is looked for in the working directory.
pub const FILE_NAME: &str = "wattmark.toml";

/// Every key of the file, in the order of [`FileConfig`]'s fields.
pub const KEYS: &[&str] = &[
    "preset",
    "kernel",
    "shape",
    "data",
    "device",
    "power",
    "assume_watts",
    "grid",
    "pue",
    "site",
    "seed",
    "results",
    "redact",
    "sampler_hz",
    "idle",
    "preheat_min",
    "preheat_max",
    "window",
    "windows",
    "submission",
];

/// Contents of a configuration file; `None` where it says nothing.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// Preset the settings begin from.
    pub preset: Option<Preset>,
    /// Kernel patterns, as for `--kernel`.
    #[serde(default, deserialize_with = "words")]
    pub kernel: Option<Vec<String>>,
    /// Shapes, as for `--shape`.
    #[serde(default, deserialize_with = "words")]
    pub shape: Option<Vec<String>>,
    /// Distributions of the inputs, as for `--data`.
    #[serde(default, deserialize_with = "words")]
    pub data: Option<Vec<String>>,
    /// Devices, as for `--device`; a bare number is an ordinal.
    #[serde(default, deserialize_with = "words")]
    pub device: Option<Vec<String>>,
    /// Power sources, as for `--power`.
    #[serde(default, deserialize_with = "words")]
    pub power: Option<Vec<String>>,
    /// Declared power in watts, used only where no sensor answers.
    pub assume_watts: Option<f64>,
    /// Grid: a region, a file, or a factor in kg/kWh; a bare number is taken as text, as typed on the command line.
    #[serde(default, deserialize_with = "word")]
    pub grid: Option<String>,
    /// Power usage effectiveness (facility energy over IT energy).
    pub pue: Option<f64>,
    /// Site profile.
    pub site: Option<PathBuf>,
    /// Seed of inputs and random gaps.
    pub seed: Option<u64>,
    /// Folder that records are written to.
    pub results: Option<PathBuf>,
    /// Removes host name and serial numbers from the record.
    pub redact: Option<bool>,
    /// Cadence of the power sampler in hertz.
    pub sampler_hz: Option<f64>,
    /// Idle time before the load, such as `30s`.
    #[serde(default, deserialize_with = "word")]
    pub idle: Option<String>,
    /// Least preheat time per case.
    #[serde(default, deserialize_with = "word")]
    pub preheat_min: Option<String>,
    /// Most preheat time per case.
    #[serde(default, deserialize_with = "word")]
    pub preheat_max: Option<String>,
    /// Least length of a window.
    #[serde(default, deserialize_with = "word")]
    pub window: Option<String>,
    /// Most windows per case.
    pub windows: Option<u32>,
    /// Aimed length of one submission.
    #[serde(default, deserialize_with = "word")]
    pub submission: Option<String>,
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {reason}; name an existing file with --config, or leave the option out",
        path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: std::io::Error,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("{}, line {line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A key that does not exist.
    #[error("{}, line {line}: unknown key `{key}`{}", path.display(), hint(*suggestion))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// The key as written.
        key: String,
        /// The nearest key that exists.
        suggestion: Option<&'static str>,
    },
}

fn hint(suggestion: Option<&'static str>) -> String {
    match suggestion {
        Some(key) => format!("; did you mean `{key}`?"),
        None => format!("; the keys are {}", KEYS.join(", ")),
    }
}

/// Reads the configuration: the file named by `--config`, which must exist, else `./wattmark.toml` if there is one.
///
/// Returns the path with the contents, so that the caller can announce it and store it in the record.
pub fn load(explicit: Option<&Path>) -> Result<Option<(PathBuf, FileConfig)>, ConfigError> {
    load_from(Path::new("."), explicit)
}

/// As [`load`], with another working directory for the implicit file.
fn load_from(folder: &Path, explicit: Option<&Path>) -> Result<Option<(PathBuf, FileConfig)>, ConfigError> {
    let path = explicit.map_or_else(|| folder.join(FILE_NAME), Path::to_owned);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(reason) if explicit.is_none() && reason.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(reason) => return Err(ConfigError::Unreadable { path, reason }),
    };
    let config = parse(&path, &text)?;
    Ok(Some((path, config)))
}

/// Reads the text of a configuration file; `path` is for messages.
fn parse(path: &Path, text: &str) -> Result<FileConfig, ConfigError> {
    let invalid = |error: &toml::de::Error| ConfigError::Invalid {
        path: path.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    };
    let table = toml::de::DeTable::parse(text).map_err(|error| invalid(&error))?;
    let unknown = table.get_ref().keys().filter(|key| !KEYS.contains(&&**key.get_ref()));
    if let Some(key) = unknown.min_by_key(|key| key.span().start) {
        return Err(ConfigError::UnknownKey {
            path: path.to_owned(),
            line: line_of(text, key.span().start),
            key: key.get_ref().to_string(),
            suggestion: names::closest(key.get_ref(), KEYS.iter().copied()),
        });
    }
    toml::from_str(text).map_err(|error| invalid(&error))
}

/// Line of a byte offset, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A word, or a number taken as the text a user would type.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = deserializer.deserialize_any(WordVisitor { lists: false })?;
        words.into_iter().next().map(Word).ok_or_else(|| D::Error::custom("expected a string or a number"))
    }
}

struct WordVisitor {
    lists: bool,
}

impl<'de> Visitor<'de> for WordVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.lists { "a string, a number or a list of them" } else { "a string or a number" })
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![text.to_owned()])
    }
    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(vec![number.to_string()])
    }
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(vec![number.to_string()])
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        if !self.lists {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        let mut words = Vec::new();
        while let Some(Word(word)) = list.next_element()? {
            words.push(word);
        }
        Ok(words)
    }
}

fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(Word::deserialize(deserializer)?.0))
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    deserializer.deserialize_any(WordVisitor { lists: true }).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<FileConfig, String> {
        parse(Path::new("wattmark.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_can_be_set_and_short_forms_mean_lists_of_one() {
        let config = parse_text(
            r#"
            preset = "standard"
            kernel = ["gemm/*", "gemv/*"]
            shape = "m=n=k=1024,2048"
            data = "normal"
            device = [0, "0000:19:00.0"]
            power = "nvml"
            assume_watts = 65
            grid = 0.1796
            pue = 1.2
            site = "sites/xining.toml"
            seed = 7
            results = "out"
            redact = true
            sampler_hz = 50
            "#,
        )
        .unwrap();
        let strings = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            config,
            FileConfig {
                preset: Some(Preset::Standard),
                kernel: strings(&["gemm/*", "gemv/*"]),
                shape: strings(&["m=n=k=1024,2048"]),
                data: strings(&["normal"]),
                device: strings(&["0", "0000:19:00.0"]),
                power: strings(&["nvml"]),
                assume_watts: Some(65.0),
                grid: Some("0.1796".into()),
                pue: Some(1.2),
                site: Some("sites/xining.toml".into()),
                seed: Some(7),
                results: Some("out".into()),
                redact: Some(true),
                sampler_hz: Some(50.0),
                ..FileConfig::default()
            }
        );
        assert_eq!(parse_text(""), Ok(FileConfig::default()));
    }

    #[test]
    fn the_list_of_keys_is_that_of_the_struct() {
        let message = toml::from_str::<FileConfig>("no_such_key = 1").unwrap_err().to_string();
        let listed: Vec<&str> =
            message.rsplit("expected one of ").next().unwrap().split('`').skip(1).step_by(2).collect();
        assert_eq!(listed, KEYS);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
        assert_eq!(
            parse_text("seed = 1\n\nkernl = \"gemm/*\"\n").unwrap_err(),
            "wattmark.toml, line 3: unknown key `kernl`; did you mean `kernel`?"
        );
        let far = parse_text("colour = true").unwrap_err();
        assert!(far.starts_with("wattmark.toml, line 1: unknown key `colour`; the keys are preset, kernel,"), "{far}");
        let table = parse_text("pue = 1.1\n[gird]\nregion = \"CN-QH\"").unwrap_err();
        assert_eq!(table, "wattmark.toml, line 2: unknown key `gird`; did you mean `grid`?");
    }

    #[test]
    fn a_wrong_type_is_told_with_its_line_and_what_was_expected() {
        for (text, line, words) in [
            ("seed = 1\npue = \"low\"", 2, "invalid type: string \"low\", expected f64"),
            ("preset = \"quik\"", 1, "unknown variant `quik`, expected one of `quick`, `standard`, `publication`"),
            ("\ngrid = true", 2, "invalid type: boolean `true`, expected a string or a number"),
            ("grid = [\"CN-QH\"]", 1, "invalid type: sequence, expected a string or a number"),
            ("kernel = { a = 1 }", 1, "expected a string, a number or a list of them"),
            ("seed = -1", 1, "invalid value: integer `-1`, expected u64"),
        ] {
            let message = parse_text(text).unwrap_err();
            assert!(message.starts_with(&format!("wattmark.toml, line {line}: ")), "{message}");
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn text_that_is_not_toml_and_a_key_given_twice_are_told_with_their_line() {
        let broken = parse_text("seed = 1\npreset quick").unwrap_err();
        assert!(broken.starts_with("wattmark.toml, line 2: "), "{broken}");
        let twice = parse_text("seed = 1\nseed = 2").unwrap_err();
        assert!(twice.starts_with("wattmark.toml, line 2: ") && twice.contains("duplicate"), "{twice}");
    }

    #[test]
    fn only_the_file_that_was_asked_for_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load_from(folder.path(), None).unwrap().is_none());
        let missing = folder.path().join("mine.toml");
        let message = load_from(folder.path(), Some(&missing)).unwrap_err().to_string();
        assert!(message.contains("cannot read the configuration") && message.contains("mine.toml"), "{message}");

        let implicit = folder.path().join(FILE_NAME);
        std::fs::write(&implicit, "seed = 3").unwrap();
        std::fs::write(&missing, "seed = 4").unwrap();
        let (path, config) = load_from(folder.path(), None).unwrap().unwrap();
        assert_eq!((path, config.seed), (implicit, Some(3)));
        let (path, config) = load_from(folder.path(), Some(&missing)).unwrap().unwrap();
        assert_eq!((path, config.seed), (missing, Some(4)));
    }

    #[test]
    fn a_file_that_exists_but_cannot_be_read_is_an_error_and_not_silence() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FILE_NAME)).unwrap();
        assert!(matches!(load_from(folder.path(), None), Err(ConfigError::Unreadable { .. })));
    }
}
