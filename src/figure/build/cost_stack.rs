//! `cost-stack`: what the cost of ownership is made of, by device or by year.

use super::{ChartSource, begin_account, words};
use crate::figure::{Figure, SINGLE_COLUMN_MM};

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct StackBar {
    /// Name of the device, or the year.
    pub name: String,
    /// Amount of each part, in the order of [`StackChart::parts`].
    pub amounts: Vec<f64>,
}

/// Bars made of parts.
#[derive(Debug, Clone, PartialEq)]
pub struct StackChart {
    /// What it rests on.
    pub source: ChartSource,
    /// File stem: `cost-stack`, `tco-by-year`.
    pub id: String,
    /// Label and unit of the amounts: `Cost per EFLOP` and `CNY`.
    pub quantity: (String, String),
    /// Names of the parts: `hardware`, `electricity`, `maintenance`, `carbon price`.
    pub parts: Vec<String>,
    /// Bars from the top.
    pub bars: Vec<StackBar>,
}

/// Horizontal bars of parts.
pub fn cost_stack(chart: &StackChart) -> Figure {
    let mut figure = begin_account(&chart.id, chart.quantity.0.clone(), &chart.source, SINGLE_COLUMN_MM);
    figure.panels.push(words(&chart.quantity.0, "No device has a cost."));
    figure
}
