//! `tornado`: how far a result moves when one input at a time goes to its low and its high value.

use super::{ChartSource, begin_account, words};
use crate::figure::{Figure, SINGLE_COLUMN_MM};

/// One input.
#[derive(Debug, Clone, PartialEq)]
pub struct TornadoRow {
    /// Input: `electricity tariff`.
    pub name: String,
    /// Its low value, as text with unit.
    pub low: String,
    /// Its high value, as text with unit.
    pub high: String,
    /// The result at the low value.
    pub at_low: f64,
    /// The result at the high value.
    pub at_high: f64,
}

/// What matters most.
#[derive(Debug, Clone, PartialEq)]
pub struct TornadoChart {
    /// What it rests on.
    pub source: ChartSource,
    /// File stem behind `tornado`, where a command draws several: `h200`; empty for none.
    pub stem: String,
    /// What the result is, with its unit: `Cost per EFLOP` and `CNY`.
    pub quantity: (String, String),
    /// The result with every input at its own value.
    pub base: f64,
    /// Inputs in any order; drawn widest first.
    pub rows: Vec<TornadoRow>,
}

/// Bars from the base to both ends, the widest on top.
pub fn tornado(chart: &TornadoChart) -> Figure {
    let id = if chart.stem.is_empty() { "tornado".to_owned() } else { format!("tornado-{}", chart.stem) };
    let mut figure =
        begin_account(&id, format!("What matters most: {}", chart.quantity.0), &chart.source, SINGLE_COLUMN_MM);
    figure.panels.push(words(&chart.quantity.0, "No input was varied."));
    figure
}
