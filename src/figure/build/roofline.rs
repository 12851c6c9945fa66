//! `roofline`: arithmetic rate against arithmetic intensity, below the ceilings that this very run measured.
//!
//! What surprises people: the probes that set a ceiling are lines here, not points.

use super::*;
use crate::figure::{Cell, Guide, GuideKind, Point, PointPanel, SINGLE_COLUMN_MM, Shape as Outline};
use crate::measure::result::{Ceilings, RoofKind};
use crate::measure::suite::probe_for;
use crate::model::Unit;
use crate::units::BytesPerSecond;
use crate::workload::is_probe;

const COLUMNS: [&str; 10] = [
    "item",
    "device",
    "variant",
    "shape",
    "element",
    "intensity_flop_per_b",
    "rate_flop_per_s",
    "rate_low_flop_per_s",
    "rate_high_flop_per_s",
    "bandwidth_b_per_s",
];

/// The roofline of each device: measured ceilings, and every verified case that counts FLOP below them.
pub fn roofline(record: &RunRecord, result: &RunResult) -> Figure {
    let mut figure = begin("roofline", "Roofline with measured ceilings".to_owned(), record, SINGLE_COLUMN_MM);
    figure.table = Table::new(&COLUMNS);
    let mut parts = Vec::new();
    let mut shown = Vec::new();
    for ordinal in devices_of(result) {
        let ceilings = result.ceilings.get(&ordinal).cloned().unwrap_or_default();
        let cases: Vec<&CaseResult> = result
            .cases
            .iter()
            .filter(|case| case.case.device == ordinal && case.verified && !is_probe(&case.case.problem))
            .filter(|case| case.case.counted == Counted::Flop)
            .filter(|case| case.flop_rate.is_some_and(|rate| rate.point.get() > 0.0))
            .collect();
        let name = device_name(record, ordinal);
        fill_table(&mut figure.table, ordinal, &ceilings, &cases);
        let prefix = if record.devices.len() > 1 { format!("{name}: ") } else { String::new() };
        figure.notes.extend(missing_notes(&cases, &ceilings, &prefix));
        parts.extend(cases.iter().filter_map(|case| case.flop_rate).map(|rate| support(&rate)));
        if cases.is_empty() {
            figure.panels.push(words(&name, "No verified case of this device has a FLOP rate below a ceiling."));
        } else {
            figure.panels.push(panel(result, &name, &ceilings, &cases));
            shown.extend(cases);
        }
    }
    if figure.panels.is_empty() {
        figure.panels.push(words("Roofline", "The run holds no case."));
    }
    if !shown.is_empty() {
        figure.legend = element_legend(shown.iter().map(|case| &case.case), |element| {
            Sign::Marker(Marker { shape: Outline::Circle, ink: Ink::Quiet, filled: element == ElementType::F32 })
        });
    }
    if figure.panels.iter().any(|panel| matches!(panel, Panel::Points(points) if !points.guides.is_empty())) {
        figure.legend.push(LegendEntry { sign: Sign::None, text: "Lines: ceilings measured in this run".to_owned() });
    }
    let whiskers = if parts.is_empty() {
        String::new()
    } else {
        whisker_sentence(&parts, "the mean rate", RATE_METHOD) + arrow_sentence(&figure.panels) + " "
    };
    figure.caption = format!(
        "Arithmetic rate against arithmetic intensity (FLOP over compulsory bytes), both axes logarithmic. Ceilings are \
         measured by this run's own probes (multiply-add, dot-product, matrix and memory kernels), not data-sheet figures; a \
         ceiling that the run did not measure is not drawn. FMA and dot4 are ordinary shader arithmetic; kernels on \
         matrix units are held against the matrix ceiling, others never. Integer kernels count OP, not FLOP. A point may pass the memory line where its data stay in cache. {whiskers}{}",
        run_sentence(record)
    );
    figure.alt = format!(
        "Roofline: {} kernels below the measured ceilings of {} device(s).",
        shown.len(),
        result.ceilings.len()
    );
    figure
}

fn panel(result: &RunResult, name: &str, ceilings: &Ceilings, cases: &[&CaseResult]) -> Panel {
    let problems = problems_of(result);
    let names = short_names(cases.iter().map(|case| &case.case));
    let mut points = Vec::new();
    for (case, label) in cases.iter().zip(names) {
        let Some(rate) = case.flop_rate else { continue };
        points.push(Point {
            label,
            at: (case.case.work.intensity().get(), rate.point.get()),
            x_interval: None,
            y_interval: bounds(&rate),
            marker: marker_of(&problems, &case.case),
        });
    }
    let roofs = roofs(cases, ceilings);
    let rates = || roofs.iter().map(|(_, rate)| *rate);
    let ridge = ceilings.bandwidth.map(|bandwidth| rates().map(|roof| roof / bandwidth.get()).collect::<Vec<_>>());
    let xs = points.iter().map(|point| point.at.0).chain(ridge.unwrap_or_default());
    let x = Axis::around("Arithmetic intensity", "FLOP/B", xs, 0.12, 100.0);
    let ys = points
        .iter()
        .flat_map(|p| {
            [p.at.1, p.y_interval.map_or(p.at.1, |(low, _)| low), p.y_interval.map_or(p.at.1, |(_, high)| high)]
        })
        .chain(rates());
    let integers = cases.iter().any(|case| case.case.element.is_integer());
    let quantity = if integers { "Arithmetic rate (integers: OP/s)" } else { "Arithmetic rate" };
    let y = Axis::around(quantity, "FLOP/s", ys, 0.12, 100.0);
    let x = Axis { prefix: crate::figure::Prefix::NONE, ..x };
    let guides = guides(&x, &y, &roofs, ceilings.bandwidth);
    Panel::Points(PointPanel { heading: name.to_owned(), x, y, guides, points })
}

/// The arithmetic ceilings that some shown case is held against, highest first.
fn roofs(cases: &[&CaseResult], ceilings: &Ceilings) -> Vec<(RoofKind, f64)> {
    let mut roofs: Vec<(RoofKind, f64)> = Vec::new();
    for case in cases {
        let Some((kind, rate)) = ceilings.arithmetic_of(case.case.unit, case.case.element) else { continue };
        if !roofs.iter().any(|(known, _)| *known == kind) {
            roofs.push((kind, rate.get()));
        }
    }
    roofs.sort_by(|a, b| b.1.total_cmp(&a.1));
    roofs
}

/// Name and rate of an arithmetic ceiling: `f16-f32 matrix: 610 TFLOP/s`.
fn roof_words(kind: RoofKind, rate: f64) -> String {
    let RoofKind::Arithmetic(unit, element) = kind else { return String::new() };
    let unit = match (unit, element) {
        (Unit::Matrix, _) => "matrix",
        (Unit::Vector, ElementType::I8) => "dot4",
        (Unit::Vector, _) => "FMA",
    };
    let symbol = CountedIn::operations(element).per_second();
    format!("{element} {unit}: {}", Axis::from_zero("", symbol, rate).show(rate, 3))
}

/// Part of the axis's height below which two level lines share one name.
const ONE_NAME: f64 = 0.045;

fn guides(x: &Axis, y: &Axis, roofs: &[(RoofKind, f64)], bandwidth: Option<BytesPerSecond>) -> Vec<Guide> {
    let mut guides: Vec<Guide> = Vec::new();
    for (kind, roof) in roofs {
        let ridge = bandwidth.map_or(x.low, |bandwidth| (roof / bandwidth.get()).max(x.low));
        if ridge >= x.high {
            continue;
        }
        let mut label = roof_words(*kind, *roof);
        let close = |guide: &&mut Guide| (y.position(guide.from.1) - y.position(*roof)).abs() < ONE_NAME;
        if let Some(named) = guides.iter_mut().find(close) {
            named.label = format!("{}; {label}", named.label);
            label.clear();
        }
        let solid = *kind == RoofKind::Arithmetic(Unit::Vector, ElementType::F32);
        let kind = if solid { GuideKind::Ceiling } else { GuideKind::CeilingOther };
        guides.push(Guide { kind, from: (ridge, *roof), to: (x.high, *roof), label });
    }
    let highest = roofs.first().map_or(y.high, |(_, tallest)| y.high.min(*tallest));
    if let Some(bandwidth) = bandwidth.map(BytesPerSecond::get) {
        let start = (x.low.max(y.low / bandwidth), y.low.max(x.low * bandwidth));
        let end = (x.high.min(highest / bandwidth), highest.min(x.high * bandwidth));
        if start.0 < end.0 {
            let label = format!("memory: {}", Axis::from_zero("", "B/s", bandwidth).show(bandwidth, 3));
            guides.push(Guide { kind: GuideKind::Ceiling, from: start, to: end, label });
        }
    }
    guides
}

/// A sentence for every ceiling that a shown case needs and the run did not measure.
fn missing_notes(cases: &[&CaseResult], ceilings: &Ceilings, prefix: &str) -> Vec<String> {
    let mut needed: BTreeSet<(Unit, ElementType)> =
        cases.iter().map(|case| (case.case.unit, case.case.element)).collect();
    if needed.is_empty() {
        needed.insert((Unit::Vector, ElementType::F32));
    }
    let mut notes = Vec::new();
    for (unit, element) in needed {
        let probe = match (unit, probe_for(unit, element)) {
            _ if ceilings.arithmetic_of(unit, element).is_some() => continue,
            (_, None) => format!("No ceiling of {element} on {unit} units: there is no probe of it."),
            (Unit::Matrix, Some((_, of))) => {
                format!("No {of} matrix ceiling: no verified {of} matrix probe in this run.")
            }
            (Unit::Vector, Some((problem, of))) => {
                let what = if problem == "dot4" { "dot-product" } else { "multiply-add" };
                format!("No {of} ceiling: no verified {of} {what} probe in this run.")
            }
        };
        let note = format!("{prefix}{probe}");
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    if ceilings.bandwidth.is_none() {
        notes.push(format!("{prefix}No memory ceiling: no verified memory probe in this run."));
    }
    notes
}

fn fill_table(table: &mut Table, ordinal: u32, ceilings: &Ceilings, cases: &[&CaseResult]) {
    let device = f64::from(ordinal);
    for ((unit, element), roof) in &ceilings.arithmetic {
        let name = if unit.is_vector() { element.to_string() } else { format!("{element} matrix") };
        let mut row = vec!["ceiling".into(), device.into(), Cell::Empty, Cell::Empty, name.into(), Cell::Empty];
        row.extend([roof.get().into(), Cell::Empty, Cell::Empty, Cell::Empty]);
        table.push(row);
    }
    if let Some(bandwidth) = ceilings.bandwidth {
        let mut row = vec!["ceiling".into(), device.into()];
        row.extend(std::iter::repeat_n(Cell::Empty, 7));
        row.push(bandwidth.get().into());
        table.push(row);
    }
    for case in cases {
        let interval = case.flop_rate.as_ref().and_then(bounds);
        table.push(vec![
            "case".into(),
            device.into(),
            case.case.variant.as_str().into(),
            shape_of(&case.case).into(),
            case.case.element.to_string().into(),
            case.case.work.intensity().get().into(),
            case.flop_rate.map(|rate| rate.point.get()).into(),
            interval.map(|(low, _)| low).into(),
            interval.map(|(_, high)| high).into(),
            None.into(),
        ]);
    }
}
