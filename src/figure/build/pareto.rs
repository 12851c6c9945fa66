//! `pareto`: two costs of the same work by device, smaller is better in both, with the front of those that none beats.
//!
//! What surprises people: axes are logarithmic unless a value is zero or below, so they do not start at 0.

use super::{ChartSource, account_sentences, amount_axis, amount_prefix, arrow_sentence, begin_account, words};
use crate::figure::{
    Axis, Figure, Guide, GuideKind, Ink, LegendEntry, Marker, Panel, Point, PointPanel, SINGLE_COLUMN_MM, Scale, Shape,
    Sign, Table,
};

const COLUMNS: [&str; 12] = [
    "device",
    "x_quantity",
    "x_unit",
    "x",
    "x_low",
    "x_high",
    "y_quantity",
    "y_unit",
    "y",
    "y_low",
    "y_high",
    "on_front",
];

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
    figure.table = table(chart);
    let has_both = |point: &&ParetoPoint| point.x.0.is_finite() && point.y.0.is_finite();
    let shown: Vec<&ParetoPoint> = chart.points.iter().filter(has_both).collect();
    let missing: Vec<&str> =
        chart.points.iter().filter(|point| !has_both(point)).map(|point| point.name.as_str()).collect();
    if !missing.is_empty() {
        figure.notes.push(format!("Without both figures, not drawn: {}.", missing.join(", ")));
    }
    if shown.is_empty() {
        figure.panels.push(words(&chart.y.0, "No device has both figures."));
        figure.caption = format!("No device has both figures. {}", account_sentences(&chart.source));
        figure.alt = "No points: no device has both figures.".to_owned();
        return figure;
    }
    let x = axis_of(&chart.x, shown.iter().map(|point| point.x));
    let y = axis_of(&chart.y, shown.iter().map(|point| point.y));
    figure.legend = legend(&shown);
    let spacing = |axis: &Axis| if axis.scale == Scale::Log { "logarithmic" } else { "linear" };
    let spacing = match (spacing(&x), spacing(&y)) {
        (one, other) if one == other => format!("both axes {one}"),
        (one, other) => format!("the horizontal axis {one}, the vertical one {other}"),
    };
    let has_whiskers = shown.iter().any(|point| point.x.1.is_some() || point.y.1.is_some());
    let whiskers = if has_whiskers {
        "Whiskers are the intervals of the energy, carried through to each figure; a point without one has none."
    } else {
        "No whiskers: no figure has an interval."
    };
    let guides = steps(&shown);
    let points = shown.iter().map(|point| draw_point(point)).collect();
    figure.panels.push(Panel::Points(PointPanel { heading: String::new(), x, y, guides, points }));
    let arrows = arrow_sentence(&figure.panels);
    let front: Vec<&str> = shown.iter().filter(|point| point.on_front).map(|point| point.name.as_str()).collect();
    figure.caption = format!(
        "{} against {} of the same work by device, {spacing}. Less is better in both: the best corner is at the lower left. \
         Filled points are on the front, which the stepped line joins: no other device is better in both. Open grey points are \
         beaten in both. Circles rest on measured energy, diamonds on declared or estimated energy. {whiskers}{arrows} {}",
        chart.y.0,
        chart.x.0,
        account_sentences(&chart.source)
    );
    let count = shown.len();
    figure.alt = format!(
        "{count} {} as points, less is better in both. On the front: {}.",
        if count == 1 { "device" } else { "devices" },
        if front.is_empty() { "none".to_owned() } else { front.join(", ") }
    );
    figure
}

/// Logarithmic around positive values; linear, with zero on it, where one is zero or below.
fn axis_of(quantity: &(String, String), values: impl Iterator<Item = (f64, Option<(f64, f64)>)> + Clone) -> Axis {
    /// Least ratio of an axis's ends before its margins: devices that are alike still stand close together.
    const LEAST: f64 = 1.5;
    let ends = values.clone().flat_map(|(at, interval)| {
        let (low, high) = interval.unwrap_or((at, at));
        [at, low, high]
    });
    if values.clone().all(|(at, _)| at > 0.0) {
        let axis = Axis::around(&quantity.0, &quantity.1, ends, 0.15, LEAST);
        return Axis { prefix: amount_prefix(&quantity.1, (axis.low * axis.high).sqrt()), ..axis };
    }
    let (low, high) = ends.fold((0f64, 0f64), |(low, high), value| (low.min(value), high.max(value)));
    let room = if high > low { (high - low) * 0.1 } else { 1.0 };
    amount_axis(quantity, low - room, high + room)
}

fn marker_of(on_front: bool, measured: bool) -> Marker {
    let shape = if measured { Shape::Circle } else { Shape::Diamond };
    Marker { shape, ink: if on_front { Ink::Series(0) } else { Ink::Quiet }, filled: on_front }
}

fn draw_point(point: &ParetoPoint) -> Point {
    Point {
        label: point.name.clone(),
        at: (point.x.0, point.y.0),
        // An estimate gives no interval, whatever was handed over.
        x_interval: point.x.1.filter(|_| point.measured),
        y_interval: point.y.1.filter(|_| point.measured),
        marker: marker_of(point.on_front, point.measured),
    }
}

/// Only the signs that are drawn.
fn legend(shown: &[&ParetoPoint]) -> Vec<LegendEntry> {
    let mut legend = Vec::new();
    for (on_front, place) in [(true, "on the front"), (false, "beaten in both")] {
        for (measured, energy) in [(true, ""), (false, ", energy not measured")] {
            if shown.iter().any(|point| (point.on_front, point.measured) == (on_front, measured)) {
                let sign = Sign::Marker(marker_of(on_front, measured));
                legend.push(LegendEntry { sign, text: format!("{place}{energy}") });
            }
        }
    }
    legend.push(LegendEntry { sign: Sign::None, text: "Lower left is best.".to_owned() });
    legend
}

/// The front as steps: level to the next device's x, then down to it. What lies left of it and below, no device reaches.
fn steps(shown: &[&ParetoPoint]) -> Vec<Guide> {
    let mut front: Vec<(f64, f64)> =
        shown.iter().filter(|point| point.on_front).map(|point| (point.x.0, point.y.0)).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let join = |from, to| Guide { kind: GuideKind::Join, from, to, label: String::new() };
    front
        .windows(2)
        .flat_map(|pair| {
            let corner = (pair[1].0, pair[0].1);
            [join(pair[0], corner), join(corner, pair[1])]
        })
        .filter(|guide| guide.from != guide.to)
        .collect()
}

fn table(chart: &ParetoChart) -> Table {
    let mut table = Table::new(&[&COLUMNS[..], &["energy"]].concat());
    for point in &chart.points {
        let axis = |quantity: &(String, String), (at, interval): (f64, Option<(f64, f64)>)| {
            [
                quantity.0.as_str().into(),
                quantity.1.as_str().into(),
                Some(at).filter(|at| at.is_finite()).into(),
                interval.filter(|_| point.measured).map(|(low, _)| low).into(),
                interval.filter(|_| point.measured).map(|(_, high)| high).into(),
            ]
        };
        let mut row = vec![point.name.as_str().into()];
        row.extend(axis(&chart.x, point.x));
        row.extend(axis(&chart.y, point.y));
        row.push(if point.on_front { "yes" } else { "no" }.into());
        row.push(if point.measured { "measured" } else { "declared or estimated" }.into());
        table.push(row);
    }
    table
}
