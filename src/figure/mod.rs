//! Charts of records: builders turn a record into a [`Figure`] (pure data), [`svg::render`] turns that into SVG.
//!
//! A figure carries its numbers, axes, caption and alternative text, so that the SVG, the CSV beside it and the caption
//! file all come from one value. What surprises people: values are in base units throughout; the prefix that an axis shows
//! belongs to the axis.

mod accounts;
mod build;
mod layout;
mod palette;
mod scene;
mod strips;
pub mod svg;
mod table;
pub mod text;
mod ticks;

use serde::Serialize;

use crate::measure::result::RunResult;
use crate::model::RunRecord;

pub use accounts::{ClockLayer, ClockLine, ClockPanel, HeatPanel, HeatRow, Lane, Stroke, Texture, Weave};
pub use build::ChartSource;
pub use build::bandwidth::{array_bytes, bandwidth};
pub use build::carbon_matrix::{MatrixChart, MatrixRow, carbon_matrix};
pub use build::carbon_regions::{RegionBar, RegionChart, carbon_regions};
pub use build::carbon_when::{ChosenWindow, WhenChart, carbon_when};
pub use build::compare_pareto::compare_pareto;
pub use build::cost_stack::{StackBar, StackChart, cost_stack};
pub use build::efficiency::efficiency;
pub use build::fleet::{MOST_DOTS, MOST_RANKED, fleet_distribution, fleet_rank};
pub use build::microgrid::{MicrogridChart, SupplyLayer, microgrid};
pub use build::pareto::{ParetoChart, ParetoPoint, pareto};
pub use build::power_trace::power_trace;
pub use build::roofline::roofline;
pub use build::throughput_power::throughput_power;
pub use build::tornado::{TornadoChart, TornadoRow, tornado};
pub use palette::{Fill, HEAT, Hatch, Ink, Marker, SERIES, Shape, Tone};
pub use strips::{Bins, StripLine, StripLineKind, StripMark, StripPanel, StripRow, pack};
pub use table::{Cell, Table};
pub use ticks::{Axis, Prefix, Scale, Tick};

/// Width of a single journal column in millimetres.
pub const SINGLE_COLUMN_MM: f64 = 89.0;
/// Width of a double journal column in millimetres.
pub const DOUBLE_COLUMN_MM: f64 = 183.0;
/// Least width that leaves room for labels, in millimetres.
pub const LEAST_WIDTH_MM: f64 = 60.0;
/// Greatest width that is accepted, in millimetres (an A0 sheet on its side).
pub const GREATEST_WIDTH_MM: f64 = 1189.0;

/// Stems of the five standard figures, in the order of [`standard_figures`].
pub const STANDARD_FIGURES: [&str; 5] = ["efficiency", "throughput-power", "roofline", "power-trace", "carbon-regions"];

/// Stems of all figures of a run: the standard ones, and `bandwidth` for records that swept array sizes.
pub const RUN_FIGURES: [&str; 6] =
    ["efficiency", "throughput-power", "roofline", "power-trace", "carbon-regions", "bandwidth"];

/// A figure that cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FigureError {
    /// The width leaves no room, or is no width.
    #[error(
        "cannot draw figure `{figure}` {width_mm} mm wide: the width must be between {LEAST_WIDTH_MM} and \
         {GREATEST_WIDTH_MM} mm"
    )]
    Width {
        /// Figure.
        figure: String,
        /// Width asked for, in millimetres.
        width_mm: f64,
    },
    /// The drawing library refused.
    #[error("cannot draw figure `{figure}`: {detail}")]
    Drawing {
        /// Figure.
        figure: String,
        /// What the library said.
        detail: String,
    },
}

impl FigureError {
    fn drawing(figure: &Figure, detail: &str) -> Self {
        Self::Drawing { figure: figure.id.clone(), detail: detail.to_owned() }
    }
}

/// A figure as data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// File stem, for example `power-trace`.
    pub id: String,
    /// Title in one line; not drawn, but read out and shown on hovering.
    pub title: String,
    /// What the figure shows, for readers who cannot see it.
    pub alt: String,
    /// Caption, written beside the figure; defines the whiskers.
    pub caption: String,
    /// Runs that the figure shows.
    pub run_ids: Vec<String>,
    /// Width in millimetres; the height follows from the content.
    pub width_mm: f64,
    /// Signs and their meaning, drawn above the panels.
    pub legend: Vec<LegendEntry>,
    /// Panels, from top left.
    pub panels: Vec<Panel>,
    /// Numbers used inside the panels and what they stand for, drawn below.
    pub key: Vec<KeyEntry>,
    /// Sentences drawn below the panels: what is missing, and why.
    pub notes: Vec<String>,
    /// The plotted numbers.
    pub table: Table,
}

impl Figure {
    /// The plotted numbers as CSV, with a header line; units are in the column names.
    pub fn csv(&self) -> String {
        self.table.csv()
    }
    /// True if no panel holds a value.
    pub fn is_empty(&self) -> bool {
        self.panels.iter().all(|panel| matches!(panel, Panel::Words { .. }))
    }
}

/// One line of a legend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LegendEntry {
    /// The sign.
    pub sign: Sign,
    /// Its meaning.
    pub text: String,
}

/// A sign in a legend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// No sign: words only.
    None,
    /// Swatch of a bar.
    Fill(Fill),
    /// A point.
    Marker(Marker),
    /// A line with markers on it.
    Line(Marker),
    /// Swatch of a background.
    Tone(Tone),
    /// Swatch of a striped area.
    Texture(Texture),
    /// A line without markers.
    Stroke(Stroke),
}

/// A short name used inside a panel, and what it stands for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyEntry {
    /// Short name.
    pub short: String,
    /// What it stands for.
    pub long: String,
}

/// One panel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Panel {
    /// Horizontal bars, one row each.
    Bars(BarPanel),
    /// Points in two dimensions.
    Points(PointPanel),
    /// Lines over time.
    Trace(TracePanel),
    /// Bars from a base value to both ends.
    Tornado(TornadoPanel),
    /// Horizontal bars made of parts.
    Stacks(StackPanel),
    /// Rows of devices along one axis.
    Strips(StripPanel),
    /// Cells shaded by their value.
    Heat(HeatPanel),
    /// Steps over the hours of days or the months of a year.
    Clock(ClockPanel),
    /// Nothing to draw, and why.
    Words {
        /// What would be here.
        heading: String,
        /// Why it is not.
        reason: String,
    },
}

/// Horizontal bars.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BarPanel {
    /// Heading; empty for none.
    pub heading: String,
    /// Axis of the values.
    pub axis: Axis,
    /// Rows from the top.
    pub rows: Vec<BarRow>,
}

/// One row of a bar panel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BarRow {
    /// Name.
    pub label: String,
    /// Second line of the name, in grey; empty for none.
    pub detail: String,
    /// Bar, or words in its place.
    pub entry: RowEntry,
    /// Marked as the chosen one.
    pub highlighted: bool,
}

/// What stands in a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowEntry {
    /// A value.
    Bar {
        /// Value in the axis's base unit.
        value: f64,
        /// Bounds of its interval.
        interval: Option<(f64, f64)>,
        /// Filling.
        fill: Fill,
        /// Short word after the value, for example `est.`; empty for none. The legend spells it out.
        remark: String,
    },
    /// Why there is no value.
    Words(String),
}

/// Bars from a base value to where one input at a time takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TornadoPanel {
    /// Axis of the result.
    pub axis: Axis,
    /// The result with every input at its own value, in the axis's base unit.
    pub base: f64,
    /// Filling towards the low and towards the high value of an input.
    pub fills: (Fill, Fill),
    /// Rows from the top; their values are in the axis's base unit.
    pub rows: Vec<TornadoRow>,
}

/// Horizontal bars made of parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackPanel {
    /// Axis of the amounts.
    pub axis: Axis,
    /// Filling of each part.
    pub fills: Vec<Fill>,
    /// Bars from the top; their amounts are in the axis's base unit.
    pub bars: Vec<StackBar>,
}

/// Points in two dimensions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointPanel {
    /// Heading; empty for none.
    pub heading: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Lines to read the points against.
    pub guides: Vec<Guide>,
    /// Points.
    pub points: Vec<Point>,
}

/// A line to read points against; straight on the panel's scales.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guide {
    /// What it is.
    pub kind: GuideKind,
    /// One end (x, y) in base units.
    pub from: (f64, f64),
    /// Other end (x, y) in base units.
    pub to: (f64, f64),
    /// Text at the line.
    pub label: String,
}

/// Kinds of guide lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuideKind {
    /// Thin, labelled outside the frame.
    Equal,
    /// Strong, solid, labelled inside: a measured ceiling.
    Ceiling,
    /// Thin, without a name: joins the points of one series.
    Join,
    /// Strong, dashed, labelled inside: a measured ceiling of another precision or unit than f32 vectors.
    CeilingOther,
}

/// One point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Name beside it.
    pub label: String,
    /// Position (x, y) in base units.
    pub at: (f64, f64),
    /// Bounds along x.
    pub x_interval: Option<(f64, f64)>,
    /// Bounds along y.
    pub y_interval: Option<(f64, f64)>,
    /// Sign.
    pub marker: Marker,
}

/// Lines over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TracePanel {
    /// Heading; empty for none.
    pub heading: String,
    /// Time.
    pub x: Axis,
    /// Power.
    pub y: Axis,
    /// Backgrounds, each from one instant to another in seconds.
    pub bands: Vec<Band>,
    /// Stretches of one case, numbered along the top.
    pub spans: Vec<Span>,
    /// Lines.
    pub lines: Vec<TraceLine>,
}

/// Background of a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// What the time was for.
    pub tone: Tone,
    /// Start in seconds.
    pub from_s: f64,
    /// End in seconds.
    pub until_s: f64,
}

/// A stretch of time that belongs to one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Span {
    /// Number of the case in the key.
    pub short: String,
    /// Start in seconds.
    pub from_s: f64,
    /// End in seconds.
    pub until_s: f64,
}

/// One line over time; a break between segments is a stretch without readings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceLine {
    /// Name in the legend.
    pub name: String,
    /// Colour, and the sign repeated along the line.
    pub marker: Marker,
    /// Vertices (seconds, watts) of each segment.
    pub segments: Vec<Vec<(f64, f64)>>,
}

/// The figures of one run, in the order of [`STANDARD_FIGURES`].
///
/// `regions` is one measurement accounted in several regions; without it there is no carbon figure. A figure without
/// data says in words why it is empty.
pub fn standard_figures(record: &RunRecord, result: &RunResult, regions: Option<&RegionChart>) -> Vec<Figure> {
    // A record of metered programs has no case for the other charts to show.
    if record.plan.cases.is_empty() && !record.commands.is_empty() {
        return vec![power_trace(record)];
    }
    let mut figures = vec![
        efficiency(record, result),
        throughput_power(record, result),
        roofline(record, result),
        power_trace(record),
    ];
    figures.extend(regions.map(|chart| carbon_regions(record, chart)));
    figures
}
