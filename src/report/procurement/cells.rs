//! The cells of a procurement table, shared by text and Markdown.
//!
//! What surprises people: `≈` before a figure says that its energy was not measured, and such a figure never has a `±`.

use super::super::number::{MISSING, plus_minus, scaled, significant};
use super::super::sheet::ESTIMATED_MARK;
use crate::account::embodied::Band;
use crate::compare::procurement::{Procurement, Row};
use crate::units::GramsCo2e;

/// Heads of the table of what a device does.
pub(super) fn does_heads(table: &Procurement) -> Vec<String> {
    let gas = table.terms.gas.as_str();
    let heads = ["device", "rate", "±95%", "per watt", "±95%", "W", "energy", gas, "embodied CO2e", "place"];
    heads.map(str::to_owned).to_vec()
}

/// Cells of that table behind the name; `kinds` are the scopes and evidence in the table.
pub(super) fn does(row: &Row, kinds: &[String]) -> Vec<String> {
    let unit = unit_of(row);
    let mark = mark(row);
    let missing = || MISSING.to_owned();
    vec![
        row.rate_per_s.map_or_else(missing, |rate| scaled(rate.point.get(), &format!("{unit}/s"))),
        row.rate_per_s.map_or_else(missing, |rate| plus_minus(&rate)),
        row.work_per_j.map_or_else(missing, |work| format!("{mark}{}", scaled(work.point.get(), &per_watt(unit)))),
        row.work_per_j.map_or_else(missing, |work| plus_minus(&work)),
        row.power.map_or_else(missing, |watts| format!("{mark}{}", significant(watts.get()))),
        row.energy_per_unit.map_or_else(missing, |energy| format!("{mark}{}", scaled(energy.point.get(), "J"))),
        row.operational_per_unit.map_or_else(missing, |grams| format!("{mark}{}", scaled(grams.point.get(), "g"))),
        row.embodied_per_unit.map_or_else(missing, |grams| band(grams, "g")),
        place(row, kinds),
    ]
}

/// Standing, with the number of the scope that it holds within where there are several.
fn place(row: &Row, kinds: &[String]) -> String {
    let number = row.scope_words().and_then(|own| kinds.iter().position(|kind| *kind == own));
    match number.filter(|_| kinds.len() > 1) {
        Some(index) => format!("{} [{}]", row.standing.word(), index + 1),
        None => row.standing.word().to_owned(),
    }
}

/// Heads of the table of a year.
pub(super) fn year_heads(table: &Procurement) -> Vec<String> {
    let mut heads = vec!["device", "devices", "whole", "kWh", "±95%"];
    let (carbon, money) = (format!("kg{}", table.terms.gas), table.terms.currency.as_ref());
    heads.extend([carbon.as_str(), "embodied kg"]);
    let mut heads: Vec<String> = heads.into_iter().map(str::to_owned).collect();
    if let Some(currency) = money {
        heads.extend([format!("energy {currency}"), format!("all {currency}"), "±95%".to_owned()]);
        heads.push("if whole".to_owned());
    }
    heads
}

/// Cells of that table behind the name; money only at a site with prices.
pub(super) fn year(table: &Procurement, row: &Row) -> Vec<String> {
    let mark = mark(row);
    let missing = || MISSING.to_owned();
    let year = row.year.as_ref();
    let mut cells = vec![
        row.devices.map_or_else(missing, |own| significant(own.fraction.point.get())),
        row.devices.map_or_else(missing, |own| format!("{}", own.whole)),
        year.map_or_else(missing, |year| format!("{mark}{}", amount(year.energy.point.get()))),
        year.map_or_else(missing, |year| plus_minus(&year.energy)),
        year.map_or_else(missing, |year| format!("{mark}{}", amount(year.operational.point.get() / 1e3))),
        year.and_then(|year| year.embodied).map_or_else(missing, |grams| {
            let (low, high) = (amount(grams.low.get() / 1e3), amount(grams.high.get() / 1e3));
            if low == high { low } else { format!("{low} to {high}") }
        }),
    ];
    if table.terms.currency.is_some() {
        let money = year.and_then(|year| year.money);
        cells.push(
            year.and_then(|year| year.energy_money)
                .map_or_else(missing, |own| format!("{mark}{}", amount(own.point.get()))),
        );
        cells.push(money.map_or_else(missing, |own| format!("{mark}{}", amount(own.point.get()))));
        cells.push(money.map_or_else(missing, |own| plus_minus(&own)));
        cells.push(
            year.and_then(|year| year.money_of_whole)
                .map_or_else(missing, |own| format!("{mark}{}", amount(own.get()))),
        );
    }
    cells
}

/// What a row's work is counted in.
fn unit_of(row: &Row) -> &'static str {
    row.counted.symbol()
}

/// FLOP per joule under the name users know.
fn per_watt(unit: &str) -> String {
    if unit == "FLOP" { "FLOPS/W".to_owned() } else { format!("{unit}/J") }
}

fn mark(row: &Row) -> &'static str {
    if row.evidence.is_some() && !row.measured() { ESTIMATED_MARK } else { "" }
}

/// Both ends of a band with one prefix: `5.21 to 12.0 g`; one figure where both are the same.
fn band(band: Band<GramsCo2e>, unit: &str) -> String {
    let (low, high) = (band.low.get(), band.high.get());
    if low == high {
        return scaled(low, unit);
    }
    let high_words = scaled(high, unit);
    let factor = high_words.split(' ').next().and_then(|digits| digits.parse::<f64>().ok()).map(|shown| high / shown);
    match factor.filter(|factor| factor.is_finite() && *factor > 0.0) {
        // The factor carries the rounding of the shown digits, which is below theirs.
        Some(factor) => format!("{} to {high_words}", significant(low / factor)),
        None => format!("{} to {high_words}", scaled(low, unit)),
    }
}

/// An amount with four figures and thousands apart: `0.01234`, `12.35`, `1 235 000`.
pub(super) fn amount(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    if value.abs() < 1e4 || value.abs() >= 1e15 {
        return if value.abs() >= 1e3 { format!("{value:.0}") } else { significant(value) };
    }
    let step = 10f64.powi(value.abs().log10().floor() as i32 - 3);
    let digits = format!("{:.0}", (value / step).round() * step);
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
