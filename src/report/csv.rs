//! CSV for pandas, polars, DuckDB and spreadsheets: results in long form, and the power traces.
//!
//! Values are in base units with a decimal point. What surprises people: a missing value is an empty field, never 0, and
//! a skipped or failed case is a row with a status and no value.

use std::io::{self, Write};

use super::Carbon;
use super::commands::{FOREIGN_WORK, work_unit};
use super::json::shape_text;
use crate::measure::result::{CaseResult, CommandEnergy, CommandResult, EnergyResult, RunResult};
use crate::model::{Case, CommandMeasurement, Counted, Estimate, FOREIGN, RunRecord, Verification};
use crate::units::{NANOSECONDS_PER_SECOND, Quantity};

/// Columns of [`csv_tidy`].
const TIDY: [&str; 17] = [
    "run", "device", "problem", "variant", "shape", "element", "data", "metric", "unit", "value", "low", "high", "n",
    "scope", "evidence", "status", "note",
];
/// Columns of [`csv_traces`].
const TRACES: [&str; 6] = ["t_s", "source", "scope", "channel", "unit", "value"];

/// One figure of one case.
#[derive(Default)]
struct Metric {
    name: &'static str,
    unit: String,
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    n: Option<u32>,
    scope: String,
    evidence: String,
    note: String,
}

impl Metric {
    fn estimate<Q: Quantity>(name: &'static str, estimate: &Estimate<Q>) -> Self {
        Self {
            name,
            unit: Q::SYMBOL.to_owned(),
            value: Some(estimate.point.get()),
            low: estimate.interval.map(|interval| interval.low.get()),
            high: estimate.interval.map(|interval| interval.high.get()),
            n: Some(estimate.n),
            ..Self::default()
        }
    }
    fn plain(name: &'static str, unit: &str, value: f64) -> Self {
        Self { name, unit: unit.to_owned(), value: Some(value), ..Self::default() }
    }
    fn of(mut self, energy: &EnergyResult) -> Self {
        self.scope = energy.scope.to_string();
        self.evidence = energy.evidence.to_string();
        self
    }
}

/// Every figure of every case in long form, one row each. Confidence of `low` and `high`: 95 %.
pub fn csv_tidy(
    record: &RunRecord,
    result: &RunResult,
    carbon: Option<&Carbon>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(TIDY).map_err(io_error)?;
    for case in &result.cases {
        if case.verified {
            for metric in metrics(case, carbon) {
                write_row(&mut rows, record, &case.case, &metric, "ok", &metric.note)?;
            }
        }
    }
    for own in &result.commands {
        if let Some(command) = record.commands.get(own.index) {
            command_rows(&mut rows, record, command, own)?;
        }
    }
    for measurement in &record.measurements {
        if let Verification::Failed { detail, when } = &measurement.verification {
            let note = format!("{when}: {detail}");
            write_row(&mut rows, record, &measurement.case, &Metric::default(), "verification-failed", &note)?;
        }
    }
    for skip in &record.skips {
        write_row(&mut rows, record, &skip.case, &Metric::default(), "skipped", &skip.detail)?;
    }
    rows.flush()
}

fn metrics(case: &CaseResult, carbon: Option<&Carbon>) -> Vec<Metric> {
    let mut metrics = Vec::new();
    metrics.extend(case.per_execution.as_ref().map(|time| Metric::estimate("time_per_execution", time)));
    metrics.extend(case.flop_rate.as_ref().map(|rate| Metric::estimate("flop_rate", rate)));
    metrics.extend(case.byte_rate.as_ref().map(|rate| Metric::estimate("byte_rate", rate)));
    metrics.extend(case.of_ceiling.map(|ratio| Metric {
        note: case.roof.map(|roof| format!("of {}", super::roof_name(roof.kind))).unwrap_or_default(),
        ..Metric::plain("share_of_ceiling", "ratio", ratio.get())
    }));
    for energy in &case.energy {
        metrics.push(Metric::estimate("power", &energy.power).of(energy));
        metrics.extend(energy.idle.map(|idle| Metric::plain("idle_power", "W", idle.get()).of(energy)));
        metrics.push(Metric::estimate("energy_per_execution", &energy.per_execution).of(energy));
        let flop = energy.flop_efficiency.as_ref();
        metrics.extend(flop.map(|efficiency| Metric::estimate("flop_efficiency", efficiency).of(energy)));
        metrics.push(Metric::estimate("byte_efficiency", &energy.byte_efficiency).of(energy));
        metrics.push(Metric::plain("energy_coverage", "ratio", energy.coverage.get()).of(energy));
    }
    if let (Some(carbon), Some(energy)) = (carbon, case.headline_energy())
        && let Some(grams) = (carbon.of)(case)
    {
        let name = match case.case.counted {
            Counted::Flop => "carbon_per_exaflop",
            Counted::Bytes => "carbon_per_petabyte",
        };
        let mut metric = Metric::estimate(name, &grams).of(energy);
        metric.unit = format!("g{}", carbon.gas);
        metrics.push(metric);
    }
    metrics
}

fn write_row<W: Write>(
    rows: &mut csv::Writer<W>,
    record: &RunRecord,
    case: &Case,
    metric: &Metric,
    status: &str,
    note: &str,
) -> io::Result<()> {
    let number =
        |value: Option<f64>| value.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default();
    rows.write_record([
        record.run_id.as_str(),
        &case.device.to_string(),
        &case.problem,
        &case.variant,
        &shape_text(&case.shape),
        &case.element.to_string(),
        case.pattern.name(),
        metric.name,
        &unit_of(case, &metric.unit),
        &number(metric.value),
        &number(metric.low),
        &number(metric.high),
        &metric.n.map(|n| n.to_string()).unwrap_or_default(),
        &metric.scope,
        &metric.evidence,
        status,
        note,
    ])
    .map_err(io_error)
}

/// Figures of a metered program: problem, shape and precision are those of the case that it amounts to, if any.
fn command_rows<W: Write>(
    rows: &mut csv::Writer<W>,
    record: &RunRecord,
    command: &CommandMeasurement,
    own: &CommandResult,
) -> io::Result<()> {
    let case = command.equivalent.as_ref();
    let device = command.device.map(|device| device.to_string()).unwrap_or_default();
    let number =
        |value: Option<f64>| value.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default();
    let status = if own.failed { "program-failed" } else { "foreign" };
    for metric in command_metrics(own) {
        let nature = if command.is_idle() { "idle power" } else { FOREIGN_WORK };
        let note = [metric.note.as_str(), nature].iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>();
        rows.write_record([
            record.run_id.as_str(),
            &device,
            case.map_or("", |case| &case.problem),
            &format!("{FOREIGN}{}", own.label),
            &case.map(|case| shape_text(&case.shape)).unwrap_or_default(),
            &case.map(|case| case.element.to_string()).unwrap_or_default(),
            "",
            metric.name,
            &metric.unit,
            &number(metric.value),
            &number(metric.low),
            &number(metric.high),
            &metric.n.map(|n| n.to_string()).unwrap_or_default(),
            &metric.scope,
            &metric.evidence,
            status,
            &note.join("; "),
        ])
        .map_err(io_error)?;
    }
    Ok(())
}

fn command_metrics(own: &CommandResult) -> Vec<Metric> {
    let mut metrics = Vec::new();
    metrics.extend(own.time.as_ref().map(|time| Metric::estimate("time_per_run", time)));
    // Several sources may share a scope, so that each row names its own.
    let from = |metric: Metric, energy: &CommandEnergy| {
        let beside = if energy.stands { "" } else { ", beside the program" };
        Metric { note: format!("{}{beside}", energy.energy.source), ..metric.of(&energy.energy) }
    };
    for energy in &own.energy {
        let result = &energy.energy;
        metrics.push(from(Metric::estimate("power", &result.power), energy));
        metrics.extend(result.idle.map(|idle| from(Metric::plain("idle_power", "W", idle.get()), energy)));
        metrics.push(from(Metric::estimate("energy_per_run", &result.per_execution), energy));
        metrics.extend(energy.net.map(|net| from(Metric::plain("energy_above_idle_per_run", "J", net.get()), energy)));
        metrics.push(from(Metric::plain("energy_coverage", "ratio", result.coverage.get()), energy));
    }
    for work in &own.work {
        let unit = work_unit(&work.unit);
        let origin = if work.printed { "printed by the program" } else { "declared" };
        let mut amount = Metric::plain("work", unit, work.total);
        amount.note = origin.to_owned();
        metrics.push(amount);
        metrics.push(Metric { unit: format!("{unit}/s"), ..Metric::estimate("work_rate", &work.rate) });
        for energy in &work.energy {
            let each = Metric::estimate("energy_per_work", &energy.energy.per_execution);
            metrics.push(from(Metric { unit: format!("J/{unit}"), ..each }, energy));
            let per_joule = Metric::estimate("work_per_joule", &energy.per_joule());
            metrics.push(from(Metric { unit: format!("{unit}/J"), ..per_joule }, energy));
        }
    }
    metrics
}

/// The unit of a figure: integer operations are no FLOP.
fn unit_of(case: &Case, unit: &str) -> String {
    if case.element.is_integer() { unit.replace("FLOP", "OP") } else { unit.to_owned() }
}

/// Every reading of every power source in long form; times in seconds since the run began, a gap as an empty value.
pub fn csv_traces(record: &RunRecord, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(TRACES).map_err(io_error)?;
    for trace in &record.traces {
        for column in &trace.columns {
            let channel = trace.source.channels.iter().find(|channel| channel.id == column.channel);
            let scope = channel.map(|channel| channel.scope.to_string()).unwrap_or_default();
            let unit = channel.map_or("", |channel| channel.quantity.unit());
            for (instant, value) in trace.t_ns.iter().zip(&column.values) {
                let time = seconds(instant.0);
                let value = value.map(|value| value.to_string()).unwrap_or_default();
                rows.write_record([time.as_str(), &trace.source.id, &scope, &column.channel, unit, &value])
                    .map_err(io_error)?;
            }
        }
    }
    rows.flush()
}

/// The error underneath, so that a broken pipe is recognised as one.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("cannot write CSV: {other:?}")),
    }
}

/// Nanoseconds as seconds with all nine digits, without rounding through a float.
fn seconds(nanoseconds: u64) -> String {
    const SECOND: u64 = NANOSECONDS_PER_SECOND as u64;
    format!("{}.{:09}", nanoseconds / SECOND, nanoseconds % SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn nanoseconds_become_seconds_without_rounding() {
        assert_eq!((seconds(1), seconds(12_000_000_220)), ("0.000000001".to_owned(), "12.000000220".to_owned()));
    }

    #[test]
    fn traces_have_a_row_per_reading_and_gaps_are_empty_not_zero() {
        let record = sample::record();
        let mut bytes = Vec::new();
        csv_traces(&record, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let readings: usize = record.traces.iter().map(|trace| trace.t_ns.len() * trace.columns.len()).sum();
        assert_eq!(text.lines().count(), readings + 1);
        assert!(text.contains("12.200000257,scripted:sim0,board,energy,J,\n"), "the gap at 12.2 s has no value");
        assert!(text.contains("2.000000370,scripted:sim0,board,power.instant,W,309\n"));
    }
}
