//! `fleet-rank`: devices sorted by one metric, the worst named with value and interval, the rest in one row.
//!
//! What surprises people: where neither way is better, the devices farthest from the median stand first.

use super::{
    DEVICE, OUTLIER, axis_of, begin, better, cell, distance_words, heading, lines, mark_legend, name, rule_sentence,
    shown, source_sentence,
};
use crate::figure::text::number;
use crate::figure::{Axis, Cell, Figure, LegendEntry, Panel, Sign, StripMark, StripPanel, StripRow, Table};
use crate::fleet::{Spread, SpreadDevice, numbered};
use crate::stats::median;

/// Devices that have rows of their own at most.
pub const MOST_RANKED: usize = 36;

const COLUMNS: [&str; 14] = [
    "rank",
    "node",
    "device",
    "identity",
    "place",
    "value",
    "low",
    "high",
    "unit",
    "distance",
    "distance_unit",
    "z",
    "beyond_the_limits",
    "devices",
];

/// The worst devices by a metric.
pub fn fleet_rank(spread: &Spread<'_>) -> Figure {
    let mut figure = begin("fleet-rank", spread, format!("Devices ranked by {}", spread.id));
    figure.table = Table::new(&COLUMNS);
    let Some(worst) = spread.devices.first() else {
        figure.panels.push(super::super::words(spread.id, "No device has this metric."));
        figure.caption = format!("No device has {}.", spread.id);
        figure.alt = "Nothing is drawn: no device has this metric.".to_owned();
        return figure;
    };
    // A single device more is no remainder.
    let shown_rows = if spread.devices.len() == MOST_RANKED + 1 { MOST_RANKED + 1 } else { MOST_RANKED };
    let (named, rest) = spread.devices.split_at(shown_rows.min(spread.devices.len()));
    let axis = axis_of(spread);
    let several = numbered(&spread.devices);
    let mut rows: Vec<StripRow> =
        named.iter().enumerate().map(|(index, device)| row(index + 1, device, spread, &axis, several)).collect();
    rows.extend(remainder(rest, &axis));
    fill_table(&mut figure.table, spread, named, rest);
    let off = spread.outliers();
    let with = named.iter().filter(|device| device.interval.is_some()).count();
    let ordinary = named.iter().any(|device| !device.outlier);
    figure.legend = mark_legend(off > 0, ordinary);
    let mut said = better(spread).to_owned();
    if with > 0 {
        said.push_str(" Whisker: its interval.");
    }
    figure.legend.push(LegendEntry { sign: Sign::None, text: said });
    figure.notes.push(rule_sentence(spread));
    figure.notes.push(format!("The axis does not start at 0. {}", source_sentence(spread)));
    let n = spread.devices.len();
    let whiskers = match with {
        0 => "No whiskers: the records state no interval.".to_owned(),
        with if with < named.len() => {
            "Whiskers: the intervals that the records state; a sign without one has none.".to_owned()
        }
        _ => "Whiskers: the intervals that the records state.".to_owned(),
    };
    let order = if spread.better.is_some() { "worst first" } else { "farthest from the median first" };
    let others =
        if rest.is_empty() { String::new() } else { " The grey bar reaches over all other devices.".to_owned() };
    figure.caption = format!(
        "{} of {n} devices, {order}, with the distance from the median, {}. {} {whiskers}{others} {} {}",
        spread.id,
        shown(&axis, spread.robust.median),
        better(spread),
        rule_sentence(spread),
        source_sentence(spread),
    );
    figure.alt = format!(
        "{n} devices, {order}: {} with {} stands first; median {}; {off} beyond the limits.",
        name(worst, several),
        shown(&axis, worst.value),
        shown(&axis, spread.robust.median)
    );
    let panel = StripPanel { heading: heading(spread), lines: lines(spread, &axis), axis, rows };
    figure.panels.push(Panel::Strips(panel));
    figure
}

fn row(rank: usize, device: &SpreadDevice<'_>, spread: &Spread<'_>, axis: &Axis, several: bool) -> StripRow {
    let place = device.place.filter(|place| *place != device.node);
    let place = place.map_or_else(String::new, |place| format!(" ({place})"));
    let of = |value: f64| number(value / axis.prefix.factor, 4);
    // A side of the interval as wide as the other is told as ±.
    let interval = device.interval.map_or_else(String::new, |(low, high)| {
        let (below, above) = (device.value - low, high - device.value);
        let even = (below - above).abs() <= 0.05 * below.max(above);
        let short = |value: f64| number(value / axis.prefix.factor, 2);
        if even { format!(" ± {}", short(above)) } else { format!(" ({} to {})", of(low), of(high)) }
    });
    let distance = distance_words(device, spread.measure());
    let gap = if distance.is_empty() { "" } else { "  " };
    let marker = if device.outlier { OUTLIER } else { DEVICE };
    StripRow {
        label: format!("{rank}. {}{place}", name(device, several)),
        value: format!("{}{interval}{gap}{distance}", of(device.value)),
        marks: vec![StripMark { at: device.value, interval: device.interval, name: String::new(), marker }],
        ..StripRow::default()
    }
}

/// All other devices in one row.
fn remainder(rest: &[SpreadDevice<'_>], axis: &Axis) -> Option<StripRow> {
    let (low, high, middle) = summary(rest)?;
    let of = |value: f64| number(value / axis.prefix.factor, 4);
    Some(StripRow {
        label: format!("{} others", rest.len()),
        value: format!("{} to {}", of(low), of(high)),
        median: Some(middle),
        span: Some((low, high)),
        ..StripRow::default()
    })
}

/// Least, greatest and middle value.
fn summary(rest: &[SpreadDevice<'_>]) -> Option<(f64, f64, f64)> {
    let values: Vec<f64> = rest.iter().map(|device| device.value).collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some((low, high, median(&values)?))
}

fn fill_table(table: &mut Table, spread: &Spread<'_>, named: &[SpreadDevice<'_>], rest: &[SpreadDevice<'_>]) {
    let blank = || Cell::Empty;
    let unit = || Cell::from(spread.unit);
    for (index, device) in named.iter().enumerate() {
        table.push(vec![
            (index as f64 + 1.0).into(),
            cell(device.node).into(),
            f64::from(device.ordinal).into(),
            cell(device.identity).into(),
            device.place.map_or(Cell::Empty, |place| cell(place).into()),
            device.value.into(),
            device.interval.map(|(low, _)| low).into(),
            device.interval.map(|(_, high)| high).into(),
            unit(),
            device.distance.map(|distance| distance.by).into(),
            spread.measure().unit().into(),
            device.distance.and_then(|distance| distance.z).into(),
            if device.outlier { "yes" } else { "no" }.into(),
            1.0.into(),
        ]);
    }
    let mut line = |what: &str, value: f64, (low, high): (Option<f64>, Option<f64>), n: Option<f64>| {
        let first = [blank(), what.into(), blank(), blank(), blank(), value.into(), low.into(), high.into(), unit()];
        table.push(first.into_iter().chain([blank(), blank(), blank(), blank(), n.into()]).collect());
    };
    if let Some((low, high, middle)) = summary(rest) {
        line("(others: median and range)", middle, (Some(low), Some(high)), Some(rest.len() as f64));
    }
    line("(median)", spread.robust.median, (None, None), Some(spread.robust.n as f64));
    for bound in spread.bounds() {
        line(&format!("(limit {})", bound.word), bound.value, (None, None), None);
    }
}
