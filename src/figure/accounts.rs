//! Panels of the charts of accounts: a heat map, and quantities over the time of day or year. Data only, no geometry.
//!
//! What surprises people: a step holds its value for the whole step, so lines and areas have corners and no slopes.

use serde::Serialize;

use super::{Axis, Ink};

/// A table of cells shaded by their value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeatPanel {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Scale of the shades, and the unit of the numbers.
    pub axis: Axis,
    /// Rows, best first; layout may flow them into blocks side by side.
    pub rows: Vec<HeatRow>,
}

/// One row of a heat map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeatRow {
    /// Rank, with a sign behind it where a note belongs to the row.
    pub rank: String,
    /// Code.
    pub code: String,
    /// Name; empty where it is the code.
    pub name: String,
    /// Values in the axis's base unit.
    pub values: Vec<Option<f64>>,
    /// Ratio to the best row as text.
    pub ratio: String,
}

/// Stripes of an area, drawn in white upon its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weave {
    /// None.
    Plain,
    /// From bottom left to top right.
    Rising,
    /// From top left to bottom right.
    Falling,
    /// Both.
    Crossed,
    /// Level.
    Level,
    /// Upright.
    Upright,
}

/// A colour with its stripes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Texture {
    /// Colour.
    pub ink: Ink,
    /// Stripes.
    pub weave: Weave,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stroke {
    /// Strong and solid, in the colour of text.
    Strong,
    /// Dashed, in the colour of text.
    Dashed,
    /// Solid, in the colour of the first series.
    Series,
}

/// Quantities over time, step by step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockPanel {
    /// Instant of the start as text: `2022-03-01 00:00 UTC`.
    pub from: String,
    /// Length of a drawn step in seconds.
    pub step_s: f64,
    /// End of the time axis in seconds since the start.
    pub until_s: f64,
    /// Values.
    pub y: Axis,
    /// Height of the frame in millimetres.
    pub height_mm: f64,
    /// True if this panel bears the time axis's numbers.
    pub timed: bool,
    /// Areas stacked from the bottom.
    pub layers: Vec<ClockLayer>,
    /// Lines.
    pub lines: Vec<ClockLine>,
    /// Stretches without a value to trust, in seconds.
    pub gaps: Vec<(f64, f64)>,
    /// Lanes below the frame, one for each rule.
    pub lanes: Vec<Lane>,
}

/// One stacked area.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockLayer {
    /// Name in the legend.
    pub name: String,
    /// Filling.
    pub texture: Texture,
    /// Value of each step in the axis's base unit.
    pub values: Vec<f64>,
}

/// One line of steps; a missing value breaks it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockLine {
    /// Name in the legend.
    pub name: String,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Value of each step in the axis's base unit.
    pub values: Vec<Option<f64>>,
}

/// Stretches of time that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lane {
    /// Name left of the lane.
    pub name: String,
    /// Filling.
    pub texture: Texture,
    /// Stretches in seconds since the start.
    pub stretches_s: Vec<(f64, f64)>,
}
