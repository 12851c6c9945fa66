//! What a table says, before it is laid out: per device a block of facts, and per kind of work one grid of texts.
//!
//! Terminal and Markdown share it, so they cannot disagree. What surprises people: a row without figures (skipped, failed)
//! is a [`Row::Note`], not a row of zeros.

use std::collections::BTreeSet;

use super::number::{MISSING, compact_case, percent, plus_minus, prefix_for, significant};
use super::{Carbon, commands, legend, tuning};
use crate::measure::result::{CaseResult, EnergyResult, RoofKind, RunResult};
use crate::model::{
    Case, Counted, CountedIn, Device, Evidence, Measurement, RunRecord, RunStatus, Scope, Skip, Verification,
    WarningCode, Window,
};

/// Mark before a figure that was not measured.
pub(super) const ESTIMATED_MARK: &str = "≈";

/// What stands in the row of a case whose output was wrong, before the reason.
pub(super) const WRONG_OUTPUT: &str = "WRONG OUTPUT";

/// The same of a case into whose output an error was made on purpose.
const INJECTED_ERROR: &str = "INJECTED ERROR";

/// Everything said about a run.
pub(super) struct Sheet {
    /// Label and text of the lines above everything.
    pub facts: Vec<(String, String)>,
    /// One block per device that has a case, then one per metered program.
    pub devices: Vec<DeviceSheet>,
    /// Label and text of the lines below everything.
    pub legend: Vec<(String, String)>,
}

/// Everything said about one device, or about one metered program.
pub(super) struct DeviceSheet {
    /// Name, as a heading.
    pub title: String,
    /// Label and text of the lines above the tables.
    pub facts: Vec<(String, String)>,
    /// One grid per kind of work that occurs.
    pub grids: Vec<Grid>,
    /// Label and text of the lines below the tables.
    pub legend: Vec<(String, String)>,
}

/// One table.
pub(super) struct Grid {
    /// Columns in order.
    pub columns: Vec<Column>,
    /// Rows in order of execution.
    pub rows: Vec<Row>,
}

/// A column's head and role.
pub(super) struct Column {
    /// What it is, so that a narrow terminal can leave it out.
    pub kind: Kind,
    /// Head, in one or two lines.
    pub head: String,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Variant,
    Shape,
    Figure,
    Interval,
    PowerInterval,
    Ceiling,
    Carbon,
    Count,
    Notes,
}

/// One case.
pub(super) enum Row {
    /// A cell per column.
    Cells(Vec<String>),
    /// Variant, shape, and why there are no figures.
    Note(String, String, String),
}

impl Row {
    /// Variant and shape.
    pub fn name(&self) -> (&str, &str) {
        match self {
            Self::Cells(cells) => match &cells[..] {
                [variant, shape, ..] => (variant, shape),
                _ => ("", ""),
            },
            Self::Note(variant, shape, _) => (variant, shape),
        }
    }
}

/// A warning that all rows of a device have, or all but a few.
pub(super) struct CommonCode {
    /// Its code.
    pub code: WarningCode,
    /// Variants of the rows without it.
    pub but: Vec<String>,
}

/// What the rows of one device have in common.
struct Common {
    /// Scope of most rows.
    scope: Option<Scope>,
    /// Warnings of every row, or of all but a few, said once below the tables.
    codes: Vec<CommonCode>,
}

/// Scales of a grid's columns.
struct Scales {
    rate: (&'static str, f64),
    efficiency: (&'static str, f64),
    carbon: (&'static str, f64),
}

/// Everything there is to say: about the run, and about every device that has a case.
pub(super) fn sheet(record: &RunRecord, result: &RunResult, carbon: Option<&Carbon>, warnings: bool) -> Sheet {
    let has_case = |device: &&Device| {
        result.cases.iter().any(|case| case.case.device == device.ordinal)
            || record.measurements.iter().any(|measurement| measurement.case.device == device.ordinal)
            || record.skips.iter().any(|skip| skip.case.device == device.ordinal)
    };
    let devices = record.devices.iter().filter(has_case);
    let devices = devices.map(|device| device_sheet(record, result, device, carbon));
    Sheet {
        facts: run_facts(record, carbon),
        devices: devices.chain(commands::sheets(record, result)).collect(),
        legend: legend::of_run(record, result, carbon, warnings),
    }
}

fn device_sheet(record: &RunRecord, result: &RunResult, device: &Device, carbon: Option<&Carbon>) -> DeviceSheet {
    let cases: Vec<&CaseResult> = result.cases.iter().filter(|case| case.case.device == device.ordinal).collect();
    let shown: Vec<&CaseResult> =
        CountedIn::ALL.into_iter().flat_map(|counted| figures(&entries(record, device, &cases, counted))).collect();
    let common = Common { scope: common_energy(&cases).map(|energy| energy.scope), codes: common_codes(&shown) };
    let grids = CountedIn::ALL
        .into_iter()
        .filter_map(|counted| grid(record, device, &cases, counted, carbon, &common))
        .collect();
    DeviceSheet {
        title: device.name.clone(),
        facts: device_facts(record, device, &cases),
        grids,
        legend: legend::of_device(&cases, result.ceilings.get(&device.ordinal), &common.codes)
            .into_iter()
            .chain(tuning::lines(record, device.ordinal).into_iter().map(|line| ("tuned".to_owned(), line)))
            .collect(),
    }
}

/// Rows without a warning that are still named one by one, in tables of at least four times as many rows.
const EXCEPTIONS: usize = 2;

/// Codes of the warnings that every one of several rows has, or that few rows lack.
fn common_codes(shown: &[&CaseResult]) -> Vec<CommonCode> {
    let all: BTreeSet<WarningCode> = shown.iter().flat_map(|case| codes(case)).collect();
    let common = all.into_iter().map(|code| {
        let without = shown.iter().filter(|case| !codes(case).contains(&code));
        CommonCode { code, but: without.map(|case| case.case.variant.clone()).collect() }
    });
    let few = |but: usize| but <= EXCEPTIONS && but * 4 <= shown.len();
    common.filter(|common| shown.len() > 1 && few(common.but.len())).collect()
}

fn codes(case: &CaseResult) -> BTreeSet<WarningCode> {
    case.warnings.iter().map(|warning| warning.code).collect()
}

/// The scope and evidence that most of a device's cases share.
pub(super) fn common_energy<'a>(cases: &[&'a CaseResult]) -> Option<&'a EnergyResult> {
    let energies: Vec<&EnergyResult> = cases.iter().filter_map(|case| case.headline_energy()).collect();
    let same = |a: &EnergyResult| energies.iter().filter(|b| b.scope == a.scope && b.evidence == a.evidence).count();
    // The first of the most frequent, so that the answer does not depend on how ties are broken.
    energies.iter().rev().copied().max_by_key(|energy| same(energy))
}

fn run_facts(record: &RunRecord, carbon: Option<&Carbon>) -> Vec<(String, String)> {
    let settings = &record.plan.settings;
    let count = if settings.windows_min == settings.windows_max {
        settings.windows_max.to_string()
    } else {
        format!("{} to {}", settings.windows_min, settings.windows_max)
    };
    let status = match &record.status {
        RunStatus::Complete => String::new(),
        RunStatus::Running => ", not finished".to_owned(),
        RunStatus::Interrupted => ", interrupted".to_owned(),
        RunStatus::Failed { reason } => format!(", ended by an error: {reason}"),
    };
    // A slow sensor makes its windows longer than the settings ask for.
    let longer = |window: &Window| window.duration().get() > 1.5 * settings.window_s.get();
    let more = if record.measurements.iter().flat_map(Measurement::measured).any(longer) { " or more" } else { "" };
    let text = if record.plan.cases.is_empty() && !record.commands.is_empty() {
        format!("{}, sampler at {} Hz{status}", record.run_id, settings.sampler_hz)
    } else {
        format!(
            "{}, preset {}, {count} windows of {}{more} per case{status}",
            record.run_id, record.plan.preset, settings.window_s
        )
    };
    let mut facts = vec![("run".to_owned(), text)];
    if record.simulated {
        facts.push(("simulated".to_owned(), "times and power are scripted; no hardware was measured".to_owned()));
    }
    if let Some(carbon) = carbon {
        facts.push(("grid".to_owned(), carbon.grid.clone()));
    }
    facts
}

fn device_facts(record: &RunRecord, device: &Device, cases: &[&CaseResult]) -> Vec<(String, String)> {
    let pci = device.pci.as_ref().map(|pci| format!(", PCI {pci}")).unwrap_or_default();
    let driver = [device.driver.as_str(), device.driver_info.as_str()].map(str::trim).join(" ");
    let text =
        format!("{}, {}{pci}, backend {}, driver {}", device.ordinal, device.kind, device.backend, driver.trim());
    vec![
        ("device".to_owned(), text),
        ("power".to_owned(), power_fact(record, device, cases)),
        ("cases".to_owned(), count_fact(record, device, cases)),
    ]
}

/// How many cases have figures, how many were wrong, how many were skipped.
fn count_fact(record: &RunRecord, device: &Device, cases: &[&CaseResult]) -> String {
    let (mut measured, mut wrong, mut injected, mut skipped) = (0u32, 0u32, 0u32, 0u32);
    for entry in CountedIn::ALL.into_iter().flat_map(|counted| entries(record, device, cases, counted)) {
        match entry {
            Entry::Figures(_) => measured += 1,
            Entry::Failed(measurement) if measurement.injected.is_some() => injected += 1,
            Entry::Failed(_) => wrong += 1,
            Entry::Skipped(_) => skipped += 1,
        }
    }
    let verified = if measured > 0 { ", their output verified before and after" } else { "" };
    let mut text = format!("{measured} measured{verified}");
    if wrong > 0 {
        text.push_str(&format!("; {wrong} with {WRONG_OUTPUT}"));
    }
    if injected > 0 {
        text.push_str(&format!("; {injected} with an error injected on purpose"));
    }
    if skipped > 0 {
        text.push_str(&format!("; {skipped} skipped"));
    }
    text
}

fn power_fact(record: &RunRecord, device: &Device, cases: &[&CaseResult]) -> String {
    let note = |id: &str| {
        let source = record.traces.iter().map(|trace| &trace.source).find(|source| source.id == id);
        source.map(|source| source.note.as_str()).filter(|note| !note.is_empty()).map(|note| format!(" ({note})"))
    };
    if let Some(energy) = common_energy(cases) {
        let evidence = match energy.evidence {
            Evidence::Measured => "measured".to_owned(),
            other => format!("{other}, not measured"),
        };
        return format!(
            "{}, {} scope, {evidence}{}",
            energy.source,
            energy.scope,
            note(&energy.source).unwrap_or_default()
        );
    }
    let sources: Vec<&str> = record
        .traces
        .iter()
        .filter(|trace| trace.source.device.is_none_or(|ordinal| ordinal == device.ordinal))
        .map(|trace| trace.source.id.as_str())
        .collect();
    if sources.is_empty() {
        "no source: there are no watts and no joules in this table".to_owned()
    } else {
        format!("no energy for any case (sources: {})", sources.join(", "))
    }
}

/// A planned case as the record has it.
enum Entry<'a> {
    Figures(&'a CaseResult),
    Failed(&'a Measurement),
    Skipped(&'a Skip),
}

/// The device's cases of one kind of work: measured and failed in order of execution, then the skipped ones.
fn entries<'a>(record: &'a RunRecord, device: &Device, cases: &[&'a CaseResult], counted: CountedIn) -> Vec<Entry<'a>> {
    let belongs = |case: &Case| case.device == device.ordinal && case.counted_in() == counted;
    let failed = |case: &Case| {
        record.measurements.iter().find(|measurement| measurement.case == *case && !measurement.verified())
    };
    let mut entries: Vec<Entry> = cases
        .iter()
        .filter(|result| belongs(&result.case))
        .map(|result| match failed(&result.case) {
            Some(measurement) => Entry::Failed(measurement),
            None => Entry::Figures(result),
        })
        .collect();
    let unseen = |measurement: &&Measurement| {
        belongs(&measurement.case)
            && !measurement.verified()
            && !cases.iter().any(|result| result.case == measurement.case)
    };
    entries.extend(record.measurements.iter().filter(unseen).map(Entry::Failed));
    entries.extend(record.skips.iter().filter(|skip| belongs(&skip.case)).map(Entry::Skipped));
    entries
}

fn grid(
    record: &RunRecord,
    device: &Device,
    cases: &[&CaseResult],
    counted: CountedIn,
    carbon: Option<&Carbon>,
    common: &Common,
) -> Option<Grid> {
    let entries = entries(record, device, cases, counted);
    if entries.is_empty() {
        return None;
    }
    let shown = figures(&entries);
    let scales = Scales {
        rate: prefix_for(&shown.iter().filter_map(|case| rate(case)).map(|(value, _)| value).collect::<Vec<_>>()),
        efficiency: prefix_for(
            &shown.iter().filter_map(|case| efficiency(case)).map(|(value, _)| value).collect::<Vec<_>>(),
        ),
        carbon: carbon_scale(&shown, carbon),
    };
    let rows = entries
        .iter()
        .map(|entry| match entry {
            Entry::Figures(case) => Row::Cells(cells(case, &scales, carbon, common)),
            Entry::Failed(measurement) => note(&measurement.case, failure(measurement)),
            Entry::Skipped(skip) => note(&skip.case, format!("skipped: {}", skip.detail)),
        })
        .collect();
    Some(Grid { columns: columns(counted, &scales, carbon), rows })
}

/// The cases that have figures.
fn figures<'a>(entries: &[Entry<'a>]) -> Vec<&'a CaseResult> {
    entries.iter().filter_map(|entry| if let Entry::Figures(case) = entry { Some(*case) } else { None }).collect()
}

fn note(case: &Case, text: String) -> Row {
    Row::Note(case.variant.clone(), compact_case(case), text)
}

fn failure(measurement: &Measurement) -> String {
    match &measurement.verification {
        Verification::Failed { detail, when } if measurement.injected.is_some() => {
            format!("{INJECTED_ERROR} {when}: no figures.\n{detail}")
        }
        Verification::Failed { detail, when } => format!("{WRONG_OUTPUT} {when}: no figures.\n{detail}"),
        Verification::Passed { .. } => "no rate".to_owned(),
    }
}

fn columns(counted: CountedIn, scales: &Scales, carbon: Option<&Carbon>) -> Vec<Column> {
    let unit = counted.symbol();
    let amount = super::amount_symbol(counted);
    let column = |kind, head: String| Column { kind, head };
    let mut columns = vec![
        column(Kind::Variant, "kernel".to_owned()),
        column(Kind::Shape, "shape".to_owned()),
        column(Kind::Figure, format!("{}{unit}/s", scales.rate.0)),
        column(Kind::Interval, "±95%".to_owned()),
        column(Kind::Figure, "power\nW".to_owned()),
        column(Kind::PowerInterval, "±95%".to_owned()),
        column(Kind::Figure, format!("{}{unit}/J", scales.efficiency.0)),
        column(Kind::Interval, "±95%".to_owned()),
        column(Kind::Ceiling, "of\nceil.".to_owned()),
    ];
    if let Some(carbon) = carbon {
        columns.push(column(Kind::Carbon, format!("{}g{}\n/{amount}", scales.carbon.0, carbon.gas)));
    }
    columns.push(column(Kind::Count, "n".to_owned()));
    columns.push(column(Kind::Notes, "notes".to_owned()));
    columns
}

/// Rate in base units and its relative interval.
fn rate(case: &CaseResult) -> Option<(f64, String)> {
    match case.case.counted {
        Counted::Flop => case.flop_rate.map(|rate| (rate.point.get(), plus_minus(&rate))),
        Counted::Bytes => case.byte_rate.map(|rate| (rate.point.get(), plus_minus(&rate))),
    }
}

/// Efficiency in base units and its relative interval.
fn efficiency(case: &CaseResult) -> Option<(f64, String)> {
    let energy = case.headline_energy()?;
    match case.case.counted {
        Counted::Flop => energy.flop_efficiency.map(|value| (value.point.get(), plus_minus(&value))),
        Counted::Bytes => Some((energy.byte_efficiency.point.get(), plus_minus(&energy.byte_efficiency))),
    }
}

/// Grams are scaled like other units, but never beyond the kilogram's thousand (Mg is a tonne, which readers misread).
fn carbon_scale(cases: &[&CaseResult], carbon: Option<&Carbon>) -> (&'static str, f64) {
    let Some(carbon) = carbon else { return ("", 1.0) };
    let grams: Vec<f64> = cases.iter().filter_map(|case| (carbon.of)(case)).map(|grams| grams.point.get()).collect();
    let (prefix, scale) = prefix_for(&grams);
    if scale > 1e3 { ("k", 1e3) } else { (prefix, scale) }
}

fn cells(case: &CaseResult, scales: &Scales, carbon: Option<&Carbon>, common: &Common) -> Vec<String> {
    let pair = |figure: Option<(f64, String)>, scale: f64, mark: &str| {
        figure.map_or([MISSING.to_owned(), MISSING.to_owned()], |(value, interval)| {
            [format!("{mark}{}", significant(value / scale)), interval]
        })
    };
    let energy = case.headline_energy();
    let mark = match energy.map(|energy| energy.evidence) {
        Some(Evidence::Measured) | None => "",
        Some(Evidence::Declared | Evidence::Estimated) => ESTIMATED_MARK,
    };
    let power = energy.map(|energy| (energy.power.point.get(), plus_minus(&energy.power)));
    let mut cells = vec![case.case.variant.clone(), compact_case(&case.case)];
    cells.extend(pair(rate(case), scales.rate.1, ""));
    cells.extend(pair(power, 1.0, mark));
    cells.extend(pair(efficiency(case), scales.efficiency.1, mark));
    cells.push(share(case));
    if let Some(carbon) = carbon {
        let grams =
            (carbon.of)(case).map(|grams| format!("{mark}{}", significant(grams.point.get() / scales.carbon.1)));
        cells.push(grams.unwrap_or_else(|| MISSING.to_owned()));
    }
    cells.push(windows_of(case).map_or(MISSING.to_owned(), |n| n.to_string()));
    cells.push(notes(case, energy, common));
    cells
}

/// Share of the ceiling with the mark of which ceiling it is: `47%a`, `81%b`.
fn share(case: &CaseResult) -> String {
    let mark = case.roof.map_or("", |roof| match roof.kind {
        RoofKind::Arithmetic(..) => "a",
        RoofKind::Bandwidth => "b",
    });
    case.of_ceiling.map_or(MISSING.to_owned(), |ratio| format!("{}{mark}", percent(ratio.get())))
}

/// Windows behind a case's figures.
pub(super) fn windows_of(case: &CaseResult) -> Option<u32> {
    let rate = case.flop_rate.map(|rate| rate.n).or(case.byte_rate.map(|rate| rate.n));
    rate.or(case.per_execution.map(|time| time.n))
}

/// Codes of the warnings that not every row has, and the scope where it is not that of the other rows.
fn notes(case: &CaseResult, energy: Option<&EnergyResult>, common: &Common) -> String {
    let common_code = |code: &WarningCode| common.codes.iter().any(|common| common.code == *code);
    let own = codes(case).into_iter().filter(|code| !common_code(code));
    let mut notes: Vec<String> = own.map(|code| code.code().to_owned()).collect();
    if let (Some(energy), Some(common)) = (energy, common.scope)
        && energy.scope != common
    {
        notes.push(format!("{}!", energy.scope));
    }
    notes.join(" ")
}
