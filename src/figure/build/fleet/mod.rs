//! `fleet-distribution` and `fleet-rank`: one metric over the devices of a fleet, as a whole and worst first.
//!
//! What both share is here: axis, limits, names, sentences. What surprises people: the axis does not start at 0, for what
//! matters are distances of a few percent; a note in the figure says so.

mod distribution;
mod rank;
#[cfg(test)]
mod tests;

pub use distribution::{MOST_DOTS, fleet_distribution};
pub use rank::{MOST_RANKED, fleet_rank};

use super::{ChartSource, begin_account};
use crate::figure::text::number;
use crate::figure::{
    Axis, DOUBLE_COLUMN_MM, Figure, Ink, LegendEntry, Marker, Prefix, Scale, Shape, Sign, StripLine, StripLineKind,
};
use crate::fleet::{Measure, Spread, SpreadDevice};
use crate::model::Better;

/// Part of the axis kept free at either end.
const ROOM: f64 = 0.04;
/// Longest part of a metric's name in a file's name.
const LONGEST_STEM: usize = 80;

/// A device that the metric names.
const OUTLIER: Marker = Marker { shape: Shape::Diamond, ink: Ink::Series(1), filled: true };
/// Any other device.
const DEVICE: Marker = Marker { shape: Shape::Circle, ink: Ink::Series(0), filled: true };

/// The empty figure, with what must stand in it whatever is drawn.
fn begin(kind: &str, spread: &Spread<'_>, title: String) -> Figure {
    let source = ChartSource {
        simulated: spread.group.simulated,
        evidence: spread.evidence.into_iter().collect(),
        ..ChartSource::default()
    };
    begin_account(&format!("{kind}-{}", stem(spread.id)), title, &source, DOUBLE_COLUMN_MM)
}

/// A metric's name in letters, digits and hyphens: safe as a part of a file's name everywhere.
fn stem(id: &str) -> String {
    let mut out = String::new();
    for letter in id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }) {
        if letter != '-' || !(out.is_empty() || out.ends_with('-')) {
            out.push(letter);
        }
    }
    out.truncate(LONGEST_STEM);
    let out = out.trim_end_matches('-');
    if out.is_empty() { "metric".to_owned() } else { out.to_owned() }
}

/// Unit and prefix for the axis: shares in percent, degrees Celsius and counts without a prefix.
fn unit_of(spread: &Spread<'_>, size: f64) -> (String, Prefix) {
    match (spread.unit, spread.measure()) {
        (_, Measure::Count) => ("count".to_owned(), Prefix::NONE),
        ("1" | "", _) => (String::new(), Prefix { symbol: "%", factor: 0.01 }),
        ("°C", _) => ("°C".to_owned(), Prefix::NONE),
        (unit, _) => (unit.to_owned(), Prefix::for_size(size)),
    }
}

/// A linear axis around all that is drawn.
fn axis_of(spread: &Spread<'_>) -> Axis {
    let bounds = spread.bounds();
    let intervals = spread.devices.iter().filter_map(|device| device.interval);
    let values = spread
        .devices
        .iter()
        .map(|device| device.value)
        .chain(intervals.flat_map(|(low, high)| [low, high]))
        .chain(bounds.iter().map(|bound| bound.value))
        .chain([spread.robust.median]);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let room = match high - low {
        0.0 if high != 0.0 => high.abs() * 0.05,
        0.0 => 1.0,
        width => width * ROOM,
    };
    let (unit, prefix) = unit_of(spread, low.abs().max(high.abs()));
    // Nothing below 0 exists where all values are above it.
    let low = if low >= 0.0 { (low - room).max(if low == 0.0 { -room } else { 0.0 }) } else { low - room };
    Axis { label: spread.id.to_owned(), unit, prefix, scale: Scale::Linear, low, high: high + room }
}

/// A value as on the axis.
fn shown(axis: &Axis, value: f64) -> String {
    axis.show(value, 4)
}

/// Median and limits as lines.
fn lines(spread: &Spread<'_>, axis: &Axis) -> Vec<StripLine> {
    let median = spread.robust.median;
    let mut found =
        vec![StripLine { value: median, text: format!("median {}", shown(axis, median)), kind: StripLineKind::Median }];
    found.extend(spread.bounds().into_iter().map(|bound| StripLine {
        value: bound.value,
        text: format!("{}: {}", bound.word, shown(axis, bound.value)),
        kind: if bound.decides { StripLineKind::Limit } else { StripLineKind::Lesser },
    }));
    found
}

/// Name of a device; with its number where nodes have several.
fn name(device: &SpreadDevice<'_>, numbered: bool) -> String {
    if numbered { format!("{} #{}", device.node, device.ordinal) } else { device.node.to_owned() }
}

/// Distance from the median in words; empty where there is none.
fn distance_words(device: &SpreadDevice<'_>, measure: Measure) -> String {
    let Some(distance) = device.distance else { return String::new() };
    let sign = if distance.by < 0.0 { "−" } else { "+" };
    match measure {
        Measure::Count => format!("{sign}{}", number(distance.by.abs(), 3)),
        _ => format!("{sign}{:.1} {}", distance.by.abs(), measure.unit()),
    }
}

/// `160 devices of NVIDIA H200, 4 beyond the limits`.
fn heading(spread: &Spread<'_>) -> String {
    let n = spread.devices.len();
    let off = match spread.outliers() {
        0 => "none beyond the limits".to_owned(),
        off => format!("{off} beyond the limits"),
    };
    format!("{}: {n} {}, {off}", spread.group.model, if n == 1 { "device" } else { "devices" })
}

/// Which way is better, in words.
fn better(spread: &Spread<'_>) -> &'static str {
    match spread.better {
        Some(Better::Higher) => "Higher is better.",
        Some(Better::Lower) => "Lower is better.",
        None => "Neither way is better: this metric alone names no device.",
    }
}

/// How devices are named, in sentences for note and caption.
fn rule_sentence(spread: &Spread<'_>) -> String {
    let (n, rule, measure) = (spread.robust.n, spread.rule, spread.measure());
    if n < 3 {
        return "With fewer than three devices none can be called odd.".to_owned();
    }
    if n < crate::fleet::FEW {
        let limit = crate::fleet::LARGE_TIMES * rule.limit;
        return format!(
            "With fewer than {} devices each is held against the median of the others, and only beyond {limit} {} and z {}: there \
             is no common limit to draw.",
            crate::fleet::FEW,
            measure.unit(),
            rule.z
        );
    }
    let score = "z is the distance from the median over 1.4826 × the median absolute deviation";
    if spread.robust.sigma == 0.0 && measure != Measure::Count {
        return format!("All values are equal, or nearly all: there is no scatter for a score. {score}.");
    }
    format!("Beyond the limits: beyond both, that is, beyond the strong dashed line; {score}.")
}

/// Where the numbers come from.
fn source_sentence(spread: &Spread<'_>) -> String {
    let group = spread.group;
    let energy = match (spread.evidence, spread.scope) {
        (Some(evidence), Some(scope)) => format!("; energy {evidence}, {scope}"),
        (Some(evidence), None) => format!("; energy {evidence}"),
        _ => String::new(),
    };
    format!("Source: records of {} {} by wattmark {}{energy}.", group.kind, group.class, group.tool)
}

fn mark_legend(outliers: bool, others: bool) -> Vec<LegendEntry> {
    let entry = |marker: Marker, text: &str| LegendEntry { sign: Sign::Marker(marker), text: text.to_owned() };
    let mut legend = Vec::new();
    if others {
        legend.push(entry(DEVICE, "device"));
    }
    if outliers {
        legend.push(entry(OUTLIER, "device beyond the limits"));
    }
    legend
}

/// A text that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
