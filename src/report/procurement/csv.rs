//! A procurement table as CSV: one row for each workload and device, in base units.
//!
//! What surprises people: a missing figure is an empty field, never 0; the last column says why.

use std::io::{self, Write};

use super::super::json::shape_text;
use crate::compare::procurement::{Procurement, Row, Workload};
use crate::model::Estimate;
use crate::units::Quantity;

/// Columns of [`csv`]; work is in FLOP, OP or B, as `counted_in` says.
const COLUMNS: [&str; 50] = [
    "record",
    "run",
    "device",
    "ordinal",
    "problem",
    "shape",
    "element",
    "data",
    "variant",
    "counted_in",
    "rate_per_s",
    "rate_low_per_s",
    "rate_high_per_s",
    "scope",
    "scope_note",
    "evidence",
    "source",
    "work_per_j",
    "work_low_per_j",
    "work_high_per_j",
    "power_w",
    "per",
    "energy_per_unit_j",
    "energy_low_per_unit_j",
    "energy_high_per_unit_j",
    "operational_per_unit_g",
    "operational_low_per_unit_g",
    "operational_high_per_unit_g",
    "embodied_low_per_unit_g",
    "embodied_high_per_unit_g",
    "gas",
    "standing",
    "work_per_year",
    "utilisation",
    "devices",
    "devices_low",
    "devices_high",
    "devices_whole",
    "year_energy_kwh",
    "year_energy_low_kwh",
    "year_energy_high_kwh",
    "year_operational_g",
    "year_embodied_low_g",
    "year_embodied_high_g",
    "currency",
    "year_energy_money",
    "year_money",
    "year_money_low",
    "year_money_high",
    "year_money_of_whole",
];

/// Every figure of every row. Confidence of `low` and `high`: 95 %, but those of embodied carbon, which are the ends of a
/// band.
///
/// # Errors
/// What the writer refuses.
pub fn csv(table: &Procurement, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(COLUMNS.iter().chain(&["missing"])).map_err(io::Error::other)?;
    for work in &table.workloads {
        for row in &work.rows {
            rows.write_record(fields(table, work, row)).map_err(io::Error::other)?;
        }
    }
    rows.flush()
}

fn fields(table: &Procurement, work: &Workload, row: &Row) -> Vec<String> {
    let word = |text: Option<String>| text.unwrap_or_default();
    let year = row.year.as_ref();
    let embodied = |band: Option<crate::account::embodied::Band<crate::units::GramsCo2e>>| {
        [number(band.map(|band| band.low.get())), number(band.map(|band| band.high.get()))]
    };
    let mut fields = vec![
        row.record.clone(),
        row.run_id.clone(),
        row.device.clone(),
        row.ordinal.to_string(),
        work.case.problem.clone(),
        shape_text(&work.case.shape),
        work.case.element.to_string(),
        work.case.pattern.to_string(),
        row.variant.clone(),
        row.counted.symbol().to_owned(),
    ];
    fields.extend(ends(row.rate_per_s));
    fields.push(word(row.scope.map(|scope| scope.to_string())));
    fields.push(word(row.scope_note.clone()));
    fields.push(word(row.evidence.map(|evidence| evidence.to_string())));
    fields.push(word(row.source.clone()));
    fields.extend(ends(row.work_per_j));
    fields.push(number(row.power.map(|watts| watts.get())));
    fields.push(work.per.to_string());
    fields.extend(ends(row.energy_per_unit));
    fields.extend(ends(row.operational_per_unit));
    fields.extend(embodied(row.embodied_per_unit));
    fields.push(table.terms.gas.clone());
    fields.push(row.standing.word().replace('—', ""));
    fields.push(number(work.work_per_year));
    fields.push(number(row.devices.map(|own| own.utilisation)));
    fields.extend(ends(row.devices.map(|own| own.fraction)));
    fields.push(number(row.devices.map(|own| own.whole)));
    fields.extend(ends(year.map(|year| year.energy)));
    fields.push(number(year.map(|year| year.operational.point.get())));
    fields.extend(embodied(year.and_then(|year| year.embodied)));
    fields.push(word(table.terms.currency.clone()));
    fields.push(number(year.and_then(|year| year.energy_money).map(|money| money.point.get())));
    fields.extend(ends(year.and_then(|year| year.money)));
    fields.push(number(year.and_then(|year| year.money_of_whole).map(|money| money.get())));
    fields.push(row.missing.join("; "));
    fields
}

/// Point, low and high.
fn ends<Q: Quantity>(estimate: Option<Estimate<Q>>) -> [String; 3] {
    let interval = estimate.and_then(|own| own.interval);
    [
        number(estimate.map(|own| own.point.get())),
        number(interval.map(|own| own.low.get())),
        number(interval.map(|own| own.high.get())),
    ]
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
