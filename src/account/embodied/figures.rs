//! Published embodied figures of devices and how a device's name finds them.
//!
//! The figures are `published.csv`, each with its source. What surprises people: a name must hold the model as a whole word
//! (`NVIDIA H100 PCIe` is an H100, `GH200` is no H200), and one model with two figures is a band, never a mean.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::account::AccountError;
use crate::names;

const PUBLISHED: &str = include_str!("published.csv");

/// What kind of study a figure comes from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmbodiedClass {
    /// A product carbon footprint by the vendor.
    VendorPcf,
    /// A reviewed life-cycle assessment.
    ReviewedLca,
    /// The output or default of a model.
    Model,
    /// An assumption.
    Assumption,
}

impl EmbodiedClass {
    /// The words that a site file may use.
    pub const WORDS: [&str; 4] = ["vendor-pcf", "reviewed-lca", "model", "assumption"];

    /// The class of one of [`Self::WORDS`].
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::VendorPcf, Self::ReviewedLca, Self::Model, Self::Assumption];
        Self::WORDS.iter().position(|own| *own == word).map(|index| all[index])
    }
}

impl std::fmt::Display for EmbodiedClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::VendorPcf => "vendor PCF",
            Self::ReviewedLca => "reviewed LCA",
            Self::Model => "model",
            Self::Assumption => "assumption",
        })
    }
}

/// What a figure describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FigureKind {
    /// The card or module alone.
    Accelerator,
    /// An accelerator with a share of its host.
    WithHost,
    /// A server without accelerators.
    Server,
}

/// One embodied figure with its identity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmbodiedFigure {
    /// Models or globs of the device names that it stands for.
    pub devices: Vec<String>,
    /// What it describes.
    pub kind: FigureKind,
    /// What was assessed, in words.
    pub item: String,
    /// Lowest kgCO2e of one device (or server).
    pub low_kg: f64,
    /// Highest; the same unless a site's own figure is a range.
    pub high_kg: f64,
    /// From where to where of its life.
    pub boundary: String,
    /// Kind of study.
    pub evidence: EmbodiedClass,
    /// Who published it.
    pub source: String,
    /// What a reader must know.
    pub note: String,
}

impl EmbodiedFigure {
    /// Whether it stands for a device of this name.
    pub fn is_of(&self, device: &str) -> bool {
        self.devices.iter().any(|own| holds_word(device, own) || glob(own, device))
    }
}

/// True if a text holds a word as a whole, capitals aside.
pub fn holds_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|own| own.eq_ignore_ascii_case(word))
}

fn glob(pattern: &str, device: &str) -> bool {
    names::matches(&pattern.to_lowercase(), &device.to_lowercase())
}

#[derive(Deserialize)]
struct Row {
    device: String,
    kind: FigureKind,
    item: String,
    kg: f64,
    boundary: String,
    evidence: EmbodiedClass,
    source: String,
    note: String,
}

impl From<Row> for EmbodiedFigure {
    fn from(row: Row) -> Self {
        Self {
            devices: vec![row.device],
            kind: row.kind,
            item: row.item,
            low_kg: row.kg,
            high_kg: row.kg,
            boundary: row.boundary,
            evidence: row.evidence,
            source: row.source,
            note: row.note,
        }
    }
}

fn parse() -> Result<Vec<EmbodiedFigure>, String> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(PUBLISHED.as_bytes());
    reader.deserialize::<Row>().map(|row| row.map(Into::into).map_err(|error| error.to_string())).collect()
}

/// All figures that ship with the program.
///
/// # Errors
/// The shipped table is damaged: a defect of this build.
pub fn published() -> Result<&'static [EmbodiedFigure], AccountError> {
    static FIGURES: OnceLock<Result<Vec<EmbodiedFigure>, String>> = OnceLock::new();
    FIGURES.get_or_init(parse).as_deref().map_err(|reason| AccountError::Catalogue(reason.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kilograms(device: &str) -> Vec<f64> {
        let figures = published().unwrap().iter();
        figures.filter(|own| own.kind == FigureKind::Accelerator && own.is_of(device)).map(|own| own.low_kg).collect()
    }

    #[test]
    fn every_published_figure_has_a_source_a_boundary_and_a_plausible_value() {
        for figure in published().unwrap() {
            assert!(figure.low_kg > 50.0 && figure.high_kg < 10_000.0, "{figure:?}");
            assert!(figure.source.len() > 10 && !figure.boundary.is_empty(), "{figure:?}");
        }
    }

    #[test]
    fn a_name_finds_its_model_as_a_whole_word_only() {
        assert!(kilograms("NVIDIA H100 80GB HBM3").contains(&164.0));
        assert!(kilograms("nvidia h100 pcie").contains(&164.0));
        assert!(kilograms("NVIDIA A100-SXM4-40GB").contains(&127.6));
        for other in ["NVIDIA GH200 480GB", "NVIDIA RTX A1000", "llvmpipe (LLVM 15.0.6, 256 bits)", "NVIDIA A10"] {
            assert!(kilograms(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn the_vendors_baseboards_are_shared_by_eight() {
        // 1312 kg / 8 = 164 kg and 2274 kg / 8 = 284.25 kg.
        assert!(kilograms("NVIDIA H100 80GB HBM3").contains(&(1312.0 / 8.0)));
        assert!(kilograms("NVIDIA B200").contains(&(2274.0 / 8.0)));
    }

    #[test]
    fn each_word_of_a_site_file_has_its_class() {
        for word in EmbodiedClass::WORDS {
            let class = EmbodiedClass::of_word(word).unwrap();
            assert_eq!(serde_json::to_value(class).unwrap(), word);
        }
        assert_eq!(EmbodiedClass::of_word("guess"), None);
    }
}
