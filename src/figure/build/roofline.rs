//! `roofline`: arithmetic rate against arithmetic intensity, below the ceilings that this very run measured.
//!
//! What surprises people: the probes that set a ceiling are lines here, not points.

use super::*;
use crate::figure::{Cell, Guide, GuideKind, Point, PointPanel, SINGLE_COLUMN_MM, Shape as Outline};
use crate::measure::result::Ceilings;

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
        let ceilings = result.ceilings.get(&ordinal).copied().unwrap_or_default();
        let probes = probe_problems(result, ordinal, &ceilings);
        let cases: Vec<&CaseResult> = result
            .cases
            .iter()
            .filter(|case| {
                case.case.device == ordinal && case.verified && !probes.contains(&case.case.problem.as_str())
            })
            .filter(|case| case.case.counted == Counted::Flop)
            .filter(|case| case.flop_rate.is_some_and(|rate| rate.point.get() > 0.0))
            .collect();
        let name = device_name(record, ordinal);
        fill_table(&mut figure.table, ordinal, &ceilings, &cases);
        missing_notes(&mut figure.notes, result, ordinal, &ceilings, &name, record.devices.len() > 1);
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
         measured by this run's own probes (fused multiply-add and memory kernels), not data-sheet figures; a ceiling \
         that the run did not measure is not drawn, and an f16 ceiling is that of ordinary shader arithmetic, not of \
         matrix units. A point may pass the memory line where its data stay in cache. {whiskers}{}",
        run_sentence(record)
    );
    figure.alt = format!(
        "Roofline: {} kernels below the measured ceilings of {} device(s).",
        shown.len(),
        result.ceilings.len()
    );
    figure
}

/// Problems whose cases set a ceiling.
fn probe_problems<'a>(result: &'a RunResult, ordinal: u32, ceilings: &Ceilings) -> Vec<&'a str> {
    let sets_ceiling = |case: &CaseResult| {
        let rate = case.flop_rate.map(|rate| rate.point);
        let arithmetic = rate.is_some() && (rate == ceilings.flop_f32 || rate == ceilings.flop_f16);
        let traffic = case.byte_rate.map(|rate| rate.point);
        arithmetic || (case.case.counted == Counted::Bytes && traffic.is_some() && traffic == ceilings.bandwidth)
    };
    let cases = result.cases.iter().filter(|case| case.case.device == ordinal && case.verified && sets_ceiling(case));
    cases.map(|case| case.case.problem.as_str()).collect()
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
    let roofs: Vec<f64> = [ceilings.flop_f32, ceilings.flop_f16].iter().flatten().map(|rate| rate.get()).collect();
    let ridge = ceilings.bandwidth.map(|bandwidth| roofs.iter().map(|roof| roof / bandwidth.get()).collect::<Vec<_>>());
    let xs = points.iter().map(|point| point.at.0).chain(ridge.unwrap_or_default());
    let x = Axis::around("Arithmetic intensity", "FLOP/B", xs, 0.12, 100.0);
    let ys = points
        .iter()
        .flat_map(|p| {
            [p.at.1, p.y_interval.map_or(p.at.1, |(low, _)| low), p.y_interval.map_or(p.at.1, |(_, high)| high)]
        })
        .chain(roofs.iter().copied());
    let y = Axis::around("Arithmetic rate", "FLOP/s", ys, 0.12, 100.0);
    let x = Axis { prefix: crate::figure::Prefix::NONE, ..x };
    let guides = guides(&x, &y, ceilings);
    Panel::Points(PointPanel { heading: name.to_owned(), x, y, guides, points })
}

fn guides(x: &Axis, y: &Axis, ceilings: &Ceilings) -> Vec<Guide> {
    let show = |unit: &str, value: f64| Axis::from_zero("", unit, value).show(value, 3);
    let roofs = [(ceilings.flop_f32, GuideKind::Ceiling, "f32"), (ceilings.flop_f16, GuideKind::CeilingF16, "f16")];
    let mut guides = Vec::new();
    let mut highest = y.high;
    for (roof, kind, word) in roofs {
        let Some(roof) = roof.map(|rate| rate.get()) else { continue };
        let ridge = ceilings.bandwidth.map_or(x.low, |bandwidth| (roof / bandwidth.get()).max(x.low));
        if ridge < x.high {
            let label = format!("{word} FMA: {}", show("FLOP/s", roof));
            guides.push(Guide { kind, from: (ridge, roof), to: (x.high, roof), label });
        }
    }
    let tallest = [ceilings.flop_f32, ceilings.flop_f16].iter().flatten().map(|rate| rate.get()).fold(0.0, f64::max);
    if tallest > 0.0 {
        highest = highest.min(tallest);
    }
    if let Some(bandwidth) = ceilings.bandwidth.map(|rate| rate.get()) {
        let start = (x.low.max(y.low / bandwidth), y.low.max(x.low * bandwidth));
        let end = (x.high.min(highest / bandwidth), highest.min(x.high * bandwidth));
        if start.0 < end.0 {
            let label = format!("memory: {}", show("B/s", bandwidth));
            guides.push(Guide { kind: GuideKind::Ceiling, from: start, to: end, label });
        }
    }
    guides
}

/// A sentence for every ceiling that the run did not measure.
fn missing_notes(
    notes: &mut Vec<String>,
    result: &RunResult,
    ordinal: u32,
    ceilings: &Ceilings,
    name: &str,
    several: bool,
) {
    let prefix = if several { format!("{name}: ") } else { String::new() };
    let halves = |case: &Case| case.device == ordinal && case.element == ElementType::F16;
    let f16_used = result.cases.iter().any(|case| halves(&case.case) && case.verified);
    for (missing, what) in [
        (ceilings.flop_f32.is_none(), "f32 ceiling: no verified f32 multiply-add probe"),
        (ceilings.flop_f16.is_none() && f16_used, "f16 ceiling: no verified f16 multiply-add probe"),
        (ceilings.bandwidth.is_none(), "memory ceiling: no verified memory probe"),
    ] {
        if missing {
            notes.push(format!("{prefix}No {what} in this run."));
        }
    }
}

fn fill_table(table: &mut Table, ordinal: u32, ceilings: &Ceilings, cases: &[&CaseResult]) {
    let device = f64::from(ordinal);
    let roofs = [("f32", ceilings.flop_f32), ("f16", ceilings.flop_f16)];
    for (element, roof) in roofs.into_iter().filter_map(|(element, roof)| Some((element, roof?.get()))) {
        let mut row = vec!["ceiling".into(), device.into(), Cell::Empty, Cell::Empty, element.into(), Cell::Empty];
        row.extend([roof.into(), Cell::Empty, Cell::Empty, Cell::Empty]);
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
