//! `efficiency`: work per joule by kernel, arithmetic and memory traffic in panels of their own.

use std::collections::BTreeSet;

use super::*;
use crate::figure::{BarPanel, BarRow, Cell, DOUBLE_COLUMN_MM, Hatch, SINGLE_COLUMN_MM};
use crate::units::Ratio;

/// Devices whose best values lie within this ratio share one axis, so that their bars can be compared by eye; beyond
/// it the smaller device's bars would vanish.
const SHARED_AXIS_RATIO: f64 = 20.0;

const COLUMNS: [&str; 14] = [
    "device",
    "device_name",
    "variant",
    "shape",
    "element",
    "unit",
    "value",
    "low",
    "high",
    "confidence",
    "windows",
    "scope",
    "evidence",
    "absent_because",
];

/// Work per joule by kernel, as horizontal bars with whiskers; cases without a value are rows of words.
pub fn efficiency(record: &RunRecord, result: &RunResult) -> Figure {
    let mut figure = begin("efficiency", "Efficiency by kernel".to_owned(), record, SINGLE_COLUMN_MM);
    figure.table = Table::new(&COLUMNS);
    let devices = devices_of(result);
    if devices.len() > 1 {
        // One column would be taller than a page; here devices stand beside each other.
        figure.width_mm = DOUBLE_COLUMN_MM;
    }
    for (counted, word) in COUNTED {
        for ordinal in devices.iter().copied() {
            figure.panels.extend(panel(record, result, ordinal, counted, word));
        }
    }
    for case in &result.cases {
        figure.table.push(row_of(record, case));
    }
    for skip in &result.skips {
        figure.table.push(cells(record, &skip.case, None, &skip_words(skip)));
    }
    if figure.panels.is_empty() {
        figure.panels.push(words("Efficiency by kernel", "The run holds no case, neither measured nor skipped."));
    }
    share_axes(&mut figure.panels);
    let shown = || result.cases.iter().filter(|case| efficiency_of(case).is_some());
    let kinds = energy_kinds(shown());
    if !figure.is_empty() {
        let solid = |element| Sign::Fill(Fill { ink: Fill::of(element, Evidence::Measured).ink, hatch: Hatch::Solid });
        figure.legend = element_legend(shown().map(|case| &case.case), solid);
        figure.legend.extend(evidence_legend(&kinds));
    }
    let parts: Vec<_> = shown().filter_map(efficiency_of).map(|(estimate, _)| support(&estimate)).collect();
    let body = if parts.is_empty() {
        "No case has an efficiency.".to_owned()
    } else {
        format!(
            "{} {}",
            whisker_sentence(&parts, "the mean", ENERGY_METHOD) + arrow_sentence(&figure.panels),
            energy_sentence(&kinds)
        )
    };
    figure.caption = format!(
        "Work per joule by kernel: FLOP per joule for arithmetic, bytes of compulsory traffic per joule for memory \
         kernels (1 GFLOP/J = 1 GFLOPS/W). {body} Only verified outputs have a value. {}",
        run_sentence(record)
    );
    figure.alt = alt(result);
    figure
}

fn panel(record: &RunRecord, result: &RunResult, ordinal: u32, counted: Counted, word: &str) -> Option<Panel> {
    let mine = |case: &Case| case.device == ordinal && case.counted == counted;
    let cases: Vec<&CaseResult> = result.cases.iter().filter(|case| mine(&case.case)).collect();
    let skips: Vec<&Skip> = result.skips.iter().filter(|skip| mine(&skip.case)).collect();
    if cases.is_empty() && skips.is_empty() {
        return None;
    }
    let heading = format!("{}, {word}", device_name(record, ordinal));
    let values: Vec<f64> = cases
        .iter()
        .filter_map(|case| efficiency_of(case))
        .map(|(estimate, _)| bounds(&estimate).map_or(estimate.point.get(), |(_, high)| high))
        .collect();
    if values.is_empty() {
        return Some(words(&heading, reason_for_nothing(&cases, &skips)));
    }
    let unit = if counted == Counted::Flop { "FLOP/J" } else { "B/J" };
    let axis = Axis::from_zero("Efficiency", unit, values.iter().copied().fold(0.0, f64::max));
    let mut rows: Vec<BarRow> = cases.iter().map(|case| row(&case.case, entry(case))).collect();
    rows.extend(skips.iter().map(|skip| row(&skip.case, RowEntry::Words(skip_words(skip)))));
    Some(Panel::Bars(BarPanel { heading, axis, rows }))
}

fn row(case: &Case, entry: RowEntry) -> BarRow {
    let element = case.element.to_string();
    let detail = format!("{}{}", compact(&case.shape), case.data_note());
    let detail = if case.variant.contains(&element) { detail } else { format!("{element} {detail}") };
    BarRow { label: case.variant.clone(), detail, entry, highlighted: false }
}

fn entry(case: &CaseResult) -> RowEntry {
    match efficiency_of(case) {
        Some((estimate, energy)) => RowEntry::Bar {
            value: estimate.point.get(),
            interval: bounds(&estimate),
            fill: Fill::of(case.case.element, energy.evidence),
            remark: remark(energy.evidence),
        },
        None => RowEntry::Words(absence_words(case).to_owned()),
    }
}

/// Why a whole panel has no bar.
fn reason_for_nothing(cases: &[&CaseResult], skips: &[&Skip]) -> String {
    let reasons: BTreeSet<String> = cases
        .iter()
        .map(|case| absence_words(case).to_owned())
        .chain(skips.iter().map(|skip| skip_words(skip)))
        .collect();
    let count = cases.len() + skips.len();
    let reasons: Vec<String> = reasons.into_iter().collect();
    format!("None of the {count} cases has an efficiency ({}).", reasons.join("; "))
}

/// Gives panels of one unit a common axis where their largest values are close enough.
fn share_axes(panels: &mut [Panel]) {
    for unit in ["FLOP/J", "B/J"] {
        let highs: Vec<f64> = panels.iter().filter_map(|panel| axis_of(panel, unit)).map(|axis| axis.high).collect();
        let (least, most) = highs.iter().fold((f64::INFINITY, 0f64), |(low, high), v| (low.min(*v), high.max(*v)));
        if highs.len() < 2 || most / least > SHARED_AXIS_RATIO {
            continue;
        }
        let widest = panels.iter().filter_map(|panel| axis_of(panel, unit)).find(|axis| axis.high == most).cloned();
        for panel in panels.iter_mut() {
            if let (Panel::Bars(bars), Some(axis)) = (panel, &widest)
                && bars.axis.unit == unit
            {
                bars.axis = axis.clone();
            }
        }
    }
}

fn axis_of<'a>(panel: &'a Panel, unit: &str) -> Option<&'a Axis> {
    match panel {
        Panel::Bars(bars) if bars.axis.unit == unit => Some(&bars.axis),
        _ => None,
    }
}

fn row_of(record: &RunRecord, case: &CaseResult) -> Vec<Cell> {
    match efficiency_of(case) {
        Some(value) => cells(record, &case.case, Some(value), ""),
        None => cells(record, &case.case, None, absence_words(case)),
    }
}

fn cells(record: &RunRecord, case: &Case, value: Option<(Estimate<Ratio>, &EnergyResult)>, absent: &str) -> Vec<Cell> {
    let unit = if case.counted == Counted::Flop { "FLOP/J" } else { "B/J" };
    let name = record.device(case.device).map_or("", |device| device.name.as_str());
    let mut row: Vec<Cell> = vec![
        f64::from(case.device).into(),
        name.into(),
        case.variant.as_str().into(),
        shape_of(case).into(),
        case.element.to_string().into(),
        unit.into(),
    ];
    match value {
        Some((estimate, energy)) => row.extend([
            estimate.point.get().into(),
            bounds(&estimate).map(|(low, _)| low).into(),
            bounds(&estimate).map(|(_, high)| high).into(),
            estimate.interval.map(|interval| interval.confidence).into(),
            f64::from(estimate.n).into(),
            energy.scope.to_string().into(),
            energy.evidence.to_string().into(),
        ]),
        None => row.extend(std::iter::repeat_n(Cell::Empty, 7)),
    }
    row.push(absent.into());
    row
}

fn alt(result: &RunResult) -> String {
    let best = |counted: Counted| {
        let cases = result.cases.iter().filter(|case| case.case.counted == counted);
        let valued = cases.filter_map(|case| efficiency_of(case).map(|(e, energy)| (case, e.point.get(), energy)));
        valued.max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let mut sentences = vec!["Horizontal bars of work per joule, one for each kernel.".to_owned()];
    for (counted, unit) in [(Counted::Flop, "FLOP/J"), (Counted::Bytes, "B/J")] {
        if let Some((case, value, energy)) = best(counted) {
            let shown = Axis::from_zero("", unit, value).show(value, 3);
            sentences.push(format!("Highest: {} with {shown} ({}).", case.case.label(), energy.evidence));
        }
    }
    let absent = result.cases.iter().filter(|case| efficiency_of(case).is_none()).count() + result.skips.len();
    sentences.push(format!("{absent} cases have no value."));
    sentences.join(" ")
}
