//! `cost-stack`: what the cost of ownership is made of, by device or by year.
//!
//! What surprises people: an amount below zero (what hardware is still worth) stands left of zero, and the total counts it.

use serde::Serialize;

use super::{ChartSource, account_sentences, amount_axis, begin_account, words};
use crate::figure::{Figure, Fill, Hatch, Ink, LegendEntry, Panel, SINGLE_COLUMN_MM, Sign, StackPanel, Table};

/// One bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// Stripes in the order of parts: neighbours never share one.
const HATCHES: [Hatch; 5] = [Hatch::Solid, Hatch::Rising, Hatch::Crossed, Hatch::Falling, Hatch::Level];

/// Horizontal bars of parts.
pub fn cost_stack(chart: &StackChart) -> Figure {
    let (label, unit) = &chart.quantity;
    let mut figure = begin_account(&chart.id, label.clone(), &chart.source, SINGLE_COLUMN_MM);
    figure.table = table(chart);
    let complete = |bar: &&StackBar| total(chart, bar).is_some();
    let bars: Vec<StackBar> = chart.bars.iter().filter(complete).cloned().collect();
    let missing: Vec<&str> = chart.bars.iter().filter(|bar| !complete(bar)).map(|bar| bar.name.as_str()).collect();
    if !missing.is_empty() {
        figure.notes.push(format!("Without all amounts, not drawn: {}.", missing.join(", ")));
    }
    if bars.is_empty() || chart.parts.is_empty() {
        figure.panels.push(words(label, "Nothing has a cost to show."));
        figure.caption = format!("{label}: nothing has a cost to show. {}", account_sentences(&chart.source));
        figure.alt = "No bars: nothing has a cost to show.".to_owned();
        return figure;
    }
    let side = |sign: f64| {
        let sum = |bar: &StackBar| bar.amounts.iter().map(|amount| (amount * sign).max(0.0)).sum::<f64>();
        bars.iter().map(sum).fold(0.0, f64::max)
    };
    let (below, above) = (side(-1.0), side(1.0));
    let high = if above > 0.0 || below > 0.0 { above * 1.02 } else { 1.0 };
    let axis = amount_axis(&chart.quantity, -below * 1.02, high);
    let fills: Vec<Fill> = (0..chart.parts.len())
        .map(|part| Fill { ink: Ink::Series(part), hatch: HATCHES[part % HATCHES.len()] })
        .collect();
    let is_drawn = |part: usize| bars.iter().any(|bar| bar.amounts[part] != 0.0);
    let legend = |part: usize| LegendEntry { sign: Sign::Fill(fills[part]), text: chart.parts[part].clone() };
    figure.legend = (0..chart.parts.len()).filter(|part| is_drawn(*part)).map(legend).collect();
    let zero: Vec<&str> =
        chart.parts.iter().enumerate().filter(|(part, _)| !is_drawn(*part)).map(|(_, name)| name.as_str()).collect();
    if !zero.is_empty() {
        figure.notes.push(format!("Zero in every bar: {}.", zero.join(", ")));
    }
    let negative =
        if below > 0.0 { " Amounts below zero stand left of the line at 0 and lessen the total." } else { "" };
    figure.caption = format!(
        "{label} by part ({}), in {unit}. The number after each bar is its total.{negative} Colours and stripes tell the parts \
         apart and say nothing of how an amount was found. No whiskers: the parts are points. {}",
        chart.parts.join(", "),
        account_sentences(&chart.source)
    );
    let totals: Vec<String> =
        bars.iter().filter_map(|bar| Some(format!("{}: {}", bar.name, axis.show(total(chart, bar)?, 4)))).collect();
    figure.alt = format!("Horizontal bars of {} parts. Totals: {}.", chart.parts.len(), totals.join("; "));
    figure.panels.push(Panel::Stacks(StackPanel { axis, fills, bars }));
    figure
}

/// Sum of a bar's parts; `None` where one is missing or no number.
fn total(chart: &StackChart, bar: &StackBar) -> Option<f64> {
    let complete = bar.amounts.len() == chart.parts.len() && bar.amounts.iter().all(|amount| amount.is_finite());
    complete.then(|| bar.amounts.iter().sum())
}

fn table(chart: &StackChart) -> Table {
    let mut table = Table::new(&["name", "part", "quantity", "unit", "amount"]);
    let (label, unit) = &chart.quantity;
    for bar in &chart.bars {
        let amount = |part: usize| bar.amounts.get(part).copied().filter(|amount| amount.is_finite());
        let parts = chart.parts.iter().enumerate().map(|(part, name)| (name.as_str(), amount(part)));
        for (part, amount) in parts.chain([("total", total(chart, bar))]) {
            table.push(vec![
                bar.name.as_str().into(),
                part.into(),
                label.as_str().into(),
                unit.as_str().into(),
                amount.into(),
            ]);
        }
    }
    table
}
