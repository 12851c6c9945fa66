//! Metered programs in the tables: a block of facts, a grid of energies by source, a grid of work.
//!
//! What surprises people: every block says that its work is foreign and was not verified, and every source has a row of
//! its own, whether or not its watts stand for the program.

use std::collections::BTreeSet;

use super::legend::scope_sentence;
use super::number::{MISSING, percent, plus_minus, scaled, significant};
use super::sheet::{Column, DeviceSheet, ESTIMATED_MARK, Grid, Kind, Row};
use crate::measure::result::{CommandEnergy, CommandResult, RunResult, WorkResult};
use crate::model::{CommandMeasurement, Evidence, RunRecord, Scope, WarningCode};

/// What stands beside every figure of a metered program.
pub(super) const FOREIGN_WORK: &str = "foreign work, not verified";
/// Mark of the sources whose watts do not stand for the program.
const BESIDE: &str = "beside";

/// One block per metered program.
pub(super) fn sheets(record: &RunRecord, result: &RunResult) -> Vec<DeviceSheet> {
    let all = result.commands.iter();
    all.filter_map(|own| Some(sheet(record, record.commands.get(own.index)?, own))).collect()
}

fn sheet(record: &RunRecord, command: &CommandMeasurement, result: &CommandResult) -> DeviceSheet {
    let mut grids = Vec::new();
    grids.extend((!result.energy.is_empty()).then(|| energy_grid(command, result)));
    grids.extend((!result.work.is_empty()).then(|| work_grid(result)));
    let nature = if command.is_idle() { "idle power, no program".to_owned() } else { FOREIGN_WORK.to_owned() };
    DeviceSheet {
        title: format!("{} ({nature})", result.label),
        facts: facts(record, command, result),
        grids,
        legend: legend(command, result),
    }
}

fn facts(record: &RunRecord, command: &CommandMeasurement, result: &CommandResult) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut fact = |label: &str, text: String| facts.push((label.to_owned(), text));
    if !command.is_idle() {
        fact("command", command.command.join(" "));
        fact("device", device_fact(record, command));
        if let Some(case) = &command.equivalent {
            fact("as", format!("one execution is {} {} {}", case.problem, case.element, case.shape));
        }
    }
    fact("runs", runs_fact(command, result));
    if result.energy.is_empty() {
        let sources: Vec<&str> = record.traces.iter().map(|trace| trace.source.id.as_str()).collect();
        let why = if sources.is_empty() {
            "no source: there are no watts and no joules".to_owned()
        } else {
            format!("no reading within the window (sources: {})", sources.join(", "))
        };
        fact("power", why);
    }
    facts
}

fn device_fact(record: &RunRecord, command: &CommandMeasurement) -> String {
    let Some(ordinal) = command.device else {
        return "not stated (--device): every source is shown by its own scope".to_owned();
    };
    let name = record.device(ordinal).map_or("not in this record", |device| device.name.as_str());
    let assumed = if command.device_assumed { " (assumed: the only hardware GPU)" } else { " (as stated)" };
    format!("{ordinal}, {name}{assumed}")
}

fn runs_fact(command: &CommandMeasurement, result: &CommandResult) -> String {
    let mut endings: Vec<(String, usize)> = Vec::new();
    for run in &command.runs {
        let how = run.exit.to_string();
        match endings.iter_mut().find(|(known, _)| *known == how) {
            Some((_, count)) => *count += 1,
            None => endings.push((how, 1)),
        }
    }
    let endings: Vec<String> = endings
        .into_iter()
        .map(|(how, count)| if command.runs.len() > 1 { format!("{count} × {how}") } else { how })
        .collect();
    let Some(time) = &result.time else { return "none: it was interrupted before the first".to_owned() };
    let width =
        time.relative_half_width().map_or(String::new(), |width| format!(" ±{} over n = {}", percent(width), time.n));
    let warm = command.runs.iter().filter_map(|run| run.warm_up.as_ref()).map(|window| window.duration().get());
    let warm =
        warm.reduce(f64::max).map_or(String::new(), |time| format!(", after a warm-up of {} s", significant(time)));
    let ended = if command.is_idle() { String::new() } else { format!("; ended: {}", endings.join(", ")) };
    format!("{} of {} s{width}{warm}{ended}", result.runs, significant(time.point.get()))
}

fn column(kind: Kind, head: &str) -> Column {
    Column { kind, head: head.to_owned() }
}

fn mark(evidence: Evidence) -> &'static str {
    if evidence == Evidence::Measured { "" } else { ESTIMATED_MARK }
}

fn notes(own: &CommandEnergy) -> String {
    let mut notes: Vec<String> = Vec::new();
    if !own.stands {
        notes.push(BESIDE.to_owned());
    }
    if own.energy.evidence != Evidence::Measured {
        notes.push(own.energy.evidence.to_string());
    }
    if own.energy.coverage.get() < 0.95 {
        notes.push(format!("{} read", percent(own.energy.coverage.get())));
    }
    notes.join(" ")
}

/// Energies of one execution (or window), a row per source and scope.
fn energy_grid(command: &CommandMeasurement, result: &CommandResult) -> Grid {
    let each = if command.is_idle() { "energy\n/window" } else { "energy\n/run" };
    let mut columns = vec![
        column(Kind::Variant, "source"),
        column(Kind::Shape, "scope"),
        column(Kind::Figure, each),
        column(Kind::Figure, "power\nW"),
        column(Kind::Interval, "±95%"),
    ];
    let idles = result.energy.iter().any(|own| own.net.is_some());
    if idles {
        columns.push(column(Kind::Figure, "idle\nW"));
        columns.push(column(Kind::Figure, "above idle\n/run"));
    }
    columns.push(column(Kind::Count, "n"));
    columns.push(column(Kind::Notes, "notes"));
    let row = |own: &CommandEnergy| {
        let (energy, mark) = (&own.energy, mark(own.energy.evidence));
        let joules = |value: f64| format!("{mark}{}", scaled(value, "J"));
        let mut cells = vec![
            energy.source.clone(),
            energy.scope.to_string(),
            joules(energy.per_execution.point.get()),
            format!("{mark}{}", significant(energy.power.point.get())),
            plus_minus(&energy.power),
        ];
        if idles {
            cells.push(energy.idle.map_or(MISSING.to_owned(), |idle| format!("{mark}{}", significant(idle.get()))));
            // A difference within the rounding of its terms is none.
            let rounding = energy.per_execution.point.get() * 1e-9;
            let net = own.net.map(|net| if net.get().abs() < rounding { 0.0 } else { net.get() });
            cells.push(net.map_or(MISSING.to_owned(), joules));
        }
        cells.push(energy.power.n.to_string());
        cells.push(notes(own));
        Row::Cells(cells)
    };
    Grid { columns, rows: result.energy.iter().map(row).collect() }
}

/// Symbol of a unit of work: `FLOP` for `flop`, any other word as it is.
pub fn work_unit(unit: &str) -> &str {
    match unit {
        "flop" => "FLOP",
        "op" => "OP",
        "byte" => "B",
        other => other,
    }
}

/// Rates and energies of work, a row per unit and source.
fn work_grid(result: &CommandResult) -> Grid {
    let columns = vec![
        column(Kind::Variant, "work"),
        column(Kind::Shape, "source, scope"),
        column(Kind::Figure, "work/s"),
        column(Kind::Interval, "±95%"),
        column(Kind::Figure, "joules/work"),
        column(Kind::Figure, "work/joule"),
        column(Kind::Interval, "±95%"),
        column(Kind::Count, "n"),
        column(Kind::Notes, "notes"),
    ];
    let mut rows = Vec::new();
    for work in &result.work {
        let from = if work.printed { "printed" } else { "declared" };
        let name = format!("{}, {from}", quantity(work.total, work_unit(&work.unit)));
        let rate = quantity(work.rate.point.get(), &format!("{}/s", work_unit(&work.unit)));
        if work.energy.is_empty() {
            let mut cells = vec![name.clone(), MISSING.to_owned(), rate.clone(), plus_minus(&work.rate)];
            cells.extend([MISSING, MISSING, MISSING].map(str::to_owned));
            cells.extend([work.rate.n.to_string(), String::new()]);
            rows.push(Row::Cells(cells));
        }
        for (index, own) in work.energy.iter().enumerate() {
            let first = index == 0;
            let said = |text: &str| if first { text.to_owned() } else { String::new() };
            rows.push(Row::Cells(work_cells(work, own, [said(&name), said(&rate), said(&plus_minus(&work.rate))])));
        }
    }
    Grid { columns, rows }
}

fn work_cells(work: &WorkResult, own: &CommandEnergy, [name, rate, width]: [String; 3]) -> Vec<String> {
    let (energy, mark) = (&own.energy, mark(own.energy.evidence));
    let unit = work_unit(&work.unit);
    let per_joule = own.per_joule();
    vec![
        name,
        format!("{}, {}", energy.source, energy.scope),
        rate,
        width,
        format!("{mark}{}", scaled(energy.per_execution.point.get(), &format!("J/{unit}"))),
        format!("{mark}{}", quantity(per_joule.point.get(), &format!("{unit}/J"))),
        plus_minus(&per_joule),
        energy.per_execution.n.to_string(),
        notes(own),
    ]
}

/// A number with its unit: symbols take a decimal prefix, words do not (`20000 token`, not `20 ktoken`).
fn quantity(value: f64, unit: &str) -> String {
    let symbol = unit.split('/').next().unwrap_or_default();
    if symbol.chars().all(|c| c.is_ascii_uppercase()) {
        return scaled(value, unit);
    }
    let exact = value.fract() == 0.0 && value.abs() < 1e9;
    let number = if exact { format!("{value}") } else { significant(value) };
    format!("{number} {unit}")
}

fn legend(command: &CommandMeasurement, result: &CommandResult) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut line = |label: &str, text: String| lines.push((label.to_owned(), text));
    if !command.is_idle() {
        line(
            "foreign",
            "the program's output was not verified, and its amount of work is what was declared or printed".to_owned(),
        );
    }
    let scopes: BTreeSet<Scope> = result.energy.iter().map(|own| own.energy.scope).collect();
    for scope in scopes {
        line(&scope.to_string(), scope_sentence(scope).to_owned());
    }
    if result.energy.iter().any(|own| !own.stands) {
        line(
            BESIDE,
            "these watts do not stand for the program: they leave its device out, or several sources share their scope \
             and --device did not say which one it used"
                .to_owned(),
        );
    }
    if result.energy.iter().any(|own| own.net.is_some()) {
        line("idle", "mean power before the first run; all other figures are gross, idle power included".to_owned());
    }
    if result.energy.iter().any(|own| own.energy.evidence != Evidence::Measured) {
        line(ESTIMATED_MARK, "declared or estimated, not measured: no interval is given".to_owned());
    }
    if result.energy.iter().any(|own| own.energy.power.interval.is_some()) {
        let what = "half-width of the 95 % interval over the n runs, relative to the figure; for watts and joules also \
                    sensor gain and window edges";
        line("±95%", what.to_owned());
    } else if !result.energy.is_empty() && result.runs == 1 {
        line("±95%", "none: a single run has no scatter; --repeat gives more".to_owned());
    }
    let mut said: BTreeSet<(WarningCode, &str)> = BTreeSet::new();
    for warning in &result.warnings {
        if said.insert((warning.code, &warning.text)) {
            line(warning.code.code(), warning.text.clone());
        }
    }
    lines
}
