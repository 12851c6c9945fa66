//! `fleet-distribution`: one metric over all devices, as dots while they are few and as a histogram beyond, a row for each place.
//!
//! What surprises people: with more than [`MOST_ROWS`] places all devices share one row, and a note says so.

use std::collections::BTreeMap;

use super::{
    OUTLIER, axis_of, begin, better, cell, heading, lines, mark_legend, name, rule_sentence, shown, source_sentence,
};
use crate::figure::{
    Axis, Bins, Cell, Figure, Fill, Hatch, Ink, LegendEntry, Panel, Sign, StripMark, StripPanel, StripRow, Table, pack,
};
use crate::fleet::{Spread, SpreadDevice, numbered};
use crate::stats::median;

/// Devices that are drawn as dots at most.
pub const MOST_DOTS: usize = 300;
/// Places that have rows of their own at most.
const MOST_ROWS: usize = 24;
/// Outliers of a row that are named above it.
const NAMED: usize = 8;
/// Outliers of a row that have a sign of their own.
const MARKED: usize = 60;
/// Outliers without a name in the panel that a note names.
const NOTED: usize = 12;
/// Bins along the axis.
const BINS: usize = 80;
/// Width of a dot as a part of the axis: 1.1 mm of about 130 mm.
const DOT_PART: f64 = 1.1 / 130.0;
/// Height of a dot in millimetres.
const DOT_MM: f64 = 1.1;
/// Greatest height of all dots above each other, in millimetres; beyond it bars say more.
const MOST_HEIGHT_MM: f64 = 90.0;

const COLUMNS: [&str; 9] = ["what", "place", "node", "device", "from", "value", "until", "devices", "unit"];

/// The distribution of a metric over the devices.
pub fn fleet_distribution(spread: &Spread<'_>) -> Figure {
    let mut figure = begin("fleet-distribution", spread, format!("Distribution of {} over devices", spread.id));
    figure.table = Table::new(&COLUMNS);
    if spread.devices.is_empty() {
        figure.panels.push(super::super::words(spread.id, "No device has this metric."));
        figure.caption = format!("No device has {}.", spread.id);
        figure.alt = "Nothing is drawn: no device has this metric.".to_owned();
        return figure;
    }
    let axis = axis_of(spread);
    let (places, crowd) = places(spread);
    let as_dots = dots_fit(spread, &places, &axis);
    let count = places.len();
    let several = numbered(&spread.devices);
    let mut unnamed = Vec::new();
    let mut rows: Vec<StripRow> =
        places.iter().map(|(place, own)| row(place, own, &axis, as_dots, several, &mut unnamed)).collect();
    let tallest = rows.iter().filter_map(|row| row.bins.as_ref()?.counts.iter().max().copied()).max().unwrap_or(0);
    for bins in rows.iter_mut().filter_map(|row| row.bins.as_mut()) {
        bins.tallest = tallest;
        bins.height_mm = if count == 1 { 30.0 } else { (90.0 / count as f64).clamp(4.0, 16.0) };
    }
    fill_table(&mut figure.table, spread, &places, &rows);
    let off = spread.outliers();
    figure.legend = legend(spread, as_dots, off, tallest, count);
    figure.notes.extend(crowd);
    figure.notes.extend(unnamed_note(&unnamed));
    figure.notes.push(rule_sentence(spread));
    figure.notes.push(format!("The axis does not start at 0. {}", source_sentence(spread)));
    let n = spread.devices.len();
    let drawn = if as_dots {
        "Each sign is a device; signs that would hide each other stand above each other, and height has no other meaning.".to_owned()
    } else {
        format!(
            "Bars count devices in {BINS} equal steps of the axis, outliers included; the tallest stands for {tallest}. A bar with \
             any device has a least height. Signs on the bars are devices beyond the limits, {MARKED} at most in a row."
        )
    };
    let by = spread.by.filter(|_| count > 1).map_or_else(String::new, |by| {
        format!(" One row for each {by}, the worst median on top; the short upright lines are medians of rows.")
    });
    figure.caption = format!(
        "{} of {n} devices. {} {drawn}{by} The upright line is the median of all, {}; scatter (1.4826 × median absolute deviation) \
         {}. {} {}",
        spread.id,
        better(spread),
        shown(&axis, spread.robust.median),
        shown(&axis, spread.robust.sigma),
        rule_sentence(spread),
        source_sentence(spread),
    );
    let (low, high) = range(spread.devices.iter().map(|device| device.value));
    figure.alt = format!(
        "{n} devices from {} to {}, median {}; {off} beyond the limits.",
        shown(&axis, low),
        shown(&axis, high),
        shown(&axis, spread.robust.median)
    );
    let panel = StripPanel { heading: heading(spread), lines: lines(spread, &axis), axis, rows };
    figure.panels.push(Panel::Strips(panel));
    figure
}

type PlaceDevices<'a, 'b> = (String, Vec<&'b SpreadDevice<'a>>);

/// Devices by place, the worst median first; all together, and why, where places are too many.
fn places<'a, 'b>(spread: &'b Spread<'a>) -> (Vec<PlaceDevices<'a, 'b>>, Option<String>) {
    let mut found: BTreeMap<&str, Vec<&SpreadDevice<'a>>> = BTreeMap::new();
    for device in &spread.devices {
        found.entry(device.place.unwrap_or("")).or_default().push(device);
    }
    if found.len() > MOST_ROWS {
        let note = format!(
            "{} places by {}: more than {MOST_ROWS} are drawn together.",
            found.len(),
            spread.by.unwrap_or("label")
        );
        return (vec![(String::new(), spread.devices.iter().collect())], Some(note));
    }
    // Devices stand worst first: the place whose median is first among them is the worst.
    let badness = |own: &[&SpreadDevice<'_>]| middle(own);
    let mut rows: Vec<PlaceDevices<'a, 'b>> = found.into_iter().map(|(place, own)| (place.to_owned(), own)).collect();
    let sign = match spread.better {
        Some(crate::model::Better::Lower) => -1.0,
        _ => 1.0,
    };
    rows.sort_by(|a, b| (sign * badness(&a.1)).total_cmp(&(sign * badness(&b.1))).then_with(|| a.0.cmp(&b.0)));
    (rows, None)
}

fn middle(own: &[&SpreadDevice<'_>]) -> f64 {
    median(&own.iter().map(|device| device.value).collect::<Vec<_>>()).unwrap_or(f64::NAN)
}

/// True if all devices fit as dots.
fn dots_fit(spread: &Spread<'_>, places: &[PlaceDevices<'_, '_>], axis: &Axis) -> bool {
    let height = |own: &[&SpreadDevice<'_>]| {
        let at: Vec<f64> = own.iter().map(|device| axis.position(device.value)).collect();
        pack(&at, DOT_PART).into_iter().max().map_or(0, |level| level + 1) as f64 * DOT_MM
    };
    spread.devices.len() <= MOST_DOTS && places.iter().map(|(_, own)| height(own)).sum::<f64>() <= MOST_HEIGHT_MM
}

fn row(
    place: &str,
    own: &[&SpreadDevice<'_>],
    axis: &Axis,
    as_dots: bool,
    several: bool,
    unnamed: &mut Vec<String>,
) -> StripRow {
    let mut marks = Vec::new();
    for (index, device) in own.iter().filter(|device| device.outlier).enumerate() {
        let full = name(device, several);
        if index >= NAMED {
            unnamed.push(full.clone());
        }
        if index < MARKED || as_dots {
            let name = if index < NAMED { full } else { String::new() };
            marks.push(StripMark { at: device.value, interval: None, name, marker: OUTLIER });
        }
    }
    let others = own.iter().filter(|device| !device.outlier).map(|device| device.value);
    let bins = Bins::of(own.iter().map(|device| device.value), axis.low, axis.high, BINS);
    let n = own.len();
    StripRow {
        label: place.to_owned(),
        value: if place.is_empty() { String::new() } else { format!("n = {n}") },
        dots: if as_dots { others.collect() } else { Vec::new() },
        bins: (!as_dots).then_some(bins),
        marks,
        median: (!place.is_empty()).then(|| middle(own)),
        span: None,
    }
}

fn legend(spread: &Spread<'_>, as_dots: bool, off: usize, tallest: u64, rows: usize) -> Vec<LegendEntry> {
    let mut legend = mark_legend(off > 0, as_dots && off < spread.devices.len());
    if !as_dots {
        let fill = Fill { ink: Ink::Series(0), hatch: Hatch::Solid };
        let text = format!("devices (tallest bar: {tallest})");
        legend.insert(0, LegendEntry { sign: Sign::Fill(fill), text });
    }
    if let Some(by) = spread.by.filter(|_| rows > 1) {
        legend.push(LegendEntry { sign: Sign::None, text: format!("One row for each {by}, short line: its median.") });
    }
    legend.push(LegendEntry { sign: Sign::None, text: better(spread).to_owned() });
    legend
}

fn unnamed_note(unnamed: &[String]) -> Option<String> {
    let more = unnamed.len().saturating_sub(NOTED);
    let named = unnamed.iter().take(NOTED).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(", and {more} more in the rank chart and `--csv`") } else { String::new() };
    (!unnamed.is_empty()).then(|| format!("Also beyond the limits: {named}{more}."))
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// What is drawn, in one table: devices or bars, medians, limits.
fn fill_table(table: &mut Table, spread: &Spread<'_>, places: &[PlaceDevices<'_, '_>], rows: &[StripRow]) {
    let unit = || Cell::from(spread.unit);
    for ((place, own), row) in places.iter().zip(rows) {
        let mut line = |what: &str, device: Option<&SpreadDevice<'_>>, value: f64, n: Cell| {
            let node = device.map_or(Cell::Empty, |device| cell(device.node).into());
            let number = device.map_or(Cell::Empty, |device| f64::from(device.ordinal).into());
            let place = Cell::from(cell(place));
            table.push(vec![what.into(), place, node, number, Cell::Empty, value.into(), Cell::Empty, n, unit()]);
        };
        let marked = row.marks.len();
        for device in own.iter().filter(|device| device.outlier).take(marked) {
            line("device beyond the limits", Some(device), device.value, 1.0.into());
        }
        if row.bins.is_none() {
            for device in own.iter().filter(|device| !device.outlier) {
                line("device", Some(device), device.value, 1.0.into());
            }
        }
        if let Some(median) = row.median {
            line("median of the row", None, median, (own.len() as f64).into());
        }
        for (index, count) in row.bins.iter().flat_map(|bins| bins.counts.iter().enumerate()) {
            let Some(bins) = row.bins.as_ref().filter(|_| *count > 0) else { continue };
            let from = bins.start + index as f64 * bins.width;
            let (until, n) = (from + bins.width, *count as f64);
            let place = Cell::from(cell(place));
            let blank = Cell::Empty;
            table.push(vec![
                "bar".into(),
                place,
                blank.clone(),
                blank.clone(),
                from.into(),
                blank,
                until.into(),
                n.into(),
                unit(),
            ]);
        }
    }
    let mut whole = |what: String, value: f64, n: Cell| {
        let blank = || Cell::Empty;
        table.push(vec![what.into(), blank(), blank(), blank(), blank(), value.into(), blank(), n, unit()]);
    };
    whole("median".to_owned(), spread.robust.median, (spread.robust.n as f64).into());
    for bound in spread.bounds() {
        whole(format!("limit {}", bound.word), bound.value, Cell::Empty);
    }
}
