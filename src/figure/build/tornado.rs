//! `tornado`: how far a result moves when one input at a time goes to its low and its high value.
//!
//! What surprises people: the axis starts at 0 only where the bars reach over most of it; elsewhere it says that it does not.

use serde::Serialize;

use super::{ChartSource, account_sentences, amount_axis, begin_account, words};
use crate::figure::{
    Axis, Figure, Fill, Hatch, Ink, LegendEntry, Panel, SINGLE_COLUMN_MM, Sign, Table, TornadoPanel, text::number,
};

const COLUMNS: [&str; 11] = [
    "input",
    "low",
    "high",
    "quantity",
    "unit",
    "base",
    "result_at_low",
    "result_at_high",
    "swing",
    "drawn",
    "not_drawn_because",
];

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    let (label, unit) = &chart.quantity;
    let mut figure = begin_account(&id, format!("What matters most: {label}"), &chart.source, SINGLE_COLUMN_MM);
    figure.table = table(chart);
    let mut rows: Vec<TornadoRow> = chart.rows.iter().filter(|row| absence(chart, row).is_none()).cloned().collect();
    rows.sort_by(|a, b| swing(chart.base, b).total_cmp(&swing(chart.base, a)).then(a.name.cmp(&b.name)));
    let left_out = notes(chart);
    let count = rows.len();
    if rows.is_empty() {
        let reason = match chart.rows.len() {
            _ if !chart.base.is_finite() => "The result itself is not a number, so no input can move it.",
            0 => "No input was varied.",
            _ => "No input that was varied changes the result.",
        };
        figure.panels.push(words(label, reason));
        figure.caption = format!("{label}: {reason} {}", account_sentences(&chart.source));
        figure.alt = format!("No bars: {reason}");
        figure.notes.extend(left_out);
        return figure;
    }
    let axis = axis_of(chart, &rows);
    let fills = (Fill { ink: Ink::Series(0), hatch: Hatch::Solid }, Fill { ink: Ink::Series(1), hatch: Hatch::Rising });
    figure.legend = vec![
        LegendEntry { sign: Sign::Fill(fills.0), text: "input at its low value".to_owned() },
        LegendEntry { sign: Sign::Fill(fills.1), text: "input at its high value".to_owned() },
    ];
    let start = if axis.low > 0.0 || axis.high < 0.0 { "The axis does not start at 0." } else { "" };
    if !start.is_empty() {
        figure.notes.push(start.to_owned());
    }
    let base = axis.show(chart.base, 4);
    figure.caption = format!(
        "{label} when one input at a time goes to its low and to its high value and all others keep their own. The upright \
         line is the result with every input at its own value, {base}. The text at each end is the input's value there, not \
         the result. The widest bar is on top. The bars are ranges that were asked about, not confidence intervals, and do \
         not add up. {start}{space}{}",
        account_sentences(&chart.source),
        space = if start.is_empty() { "" } else { " " },
    );
    let top = &rows[0];
    figure.alt = format!(
        "{count} horizontal {} around a base of {base}; the widest is {}, from {} to {} {unit}.",
        if count == 1 { "bar" } else { "bars" },
        top.name,
        number(top.at_low.min(top.at_high), 4),
        number(top.at_low.max(top.at_high), 4),
    );
    figure.notes.extend(left_out);
    figure.panels.push(Panel::Tornado(TornadoPanel { axis, base: chart.base, fills, rows }));
    figure
}

/// How far apart the least and the greatest result are, the base among them.
fn swing(base: f64, row: &TornadoRow) -> f64 {
    base.max(row.at_low).max(row.at_high) - base.min(row.at_low).min(row.at_high)
}

/// Why a row is not drawn; `None` for one that is.
fn absence(chart: &TornadoChart, row: &TornadoRow) -> Option<&'static str> {
    /// Below this part of the base a change is rounding.
    const ROUNDING: f64 = 1e-9;
    if !(chart.base.is_finite() && row.at_low.is_finite() && row.at_high.is_finite()) {
        return Some("no result");
    }
    let largest = chart.base.abs().max(row.at_low.abs()).max(row.at_high.abs());
    (swing(chart.base, row) <= ROUNDING * largest).then_some("no effect")
}

fn notes(chart: &TornadoChart) -> Vec<String> {
    let named = |why: &str, words: &str| {
        let names: Vec<&str> =
            chart.rows.iter().filter(|row| absence(chart, row) == Some(why)).map(|row| row.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{words}: {}.", names.join(", ")))
    };
    [named("no effect", "Without effect, not drawn"), named("no result", "Without a result at one end, not drawn")]
        .into_iter()
        .flatten()
        .collect()
}

/// From zero where the bars reach over most of such an axis, else around the bars.
fn axis_of(chart: &TornadoChart, rows: &[TornadoRow]) -> Axis {
    /// Part of the axis that bars must cover for it to start at zero.
    const COVERED: f64 = 0.6;
    let ends = || rows.iter().flat_map(|row| [row.at_low, row.at_high]).chain([chart.base]);
    let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
    let room = (high - low) * 0.04;
    if low >= 0.0 && high - low >= COVERED * high {
        return amount_axis(&chart.quantity, 0.0, high + room);
    }
    if high <= 0.0 && high - low >= COVERED * -low {
        return amount_axis(&chart.quantity, low - room, 0.0);
    }
    // Room must not carry the axis over zero where no result goes.
    let keep = |value: f64, bound: f64| if bound > 0.0 { value.max(0.0) } else { value };
    amount_axis(&chart.quantity, keep(low - room, low), -keep(-(high + room), -high))
}

fn table(chart: &TornadoChart) -> Table {
    let mut table = Table::new(&COLUMNS);
    for row in &chart.rows {
        let absent = absence(chart, row);
        table.push(vec![
            row.name.as_str().into(),
            row.low.as_str().into(),
            row.high.as_str().into(),
            chart.quantity.0.as_str().into(),
            chart.quantity.1.as_str().into(),
            chart.base.into(),
            row.at_low.into(),
            row.at_high.into(),
            swing(chart.base, row).into(),
            if absent.is_none() { "yes" } else { "no" }.into(),
            absent.unwrap_or_default().into(),
        ]);
    }
    table
}
