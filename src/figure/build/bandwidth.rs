//! `bandwidth`: rate of the memory probes against the size of one array, from the caches to the memory behind them.
//!
//! What surprises people: at the small end a dispatch moves so little that its launch takes longer than its traffic, so
//! that the curves rise before they fall.

use super::*;
use crate::figure::{Cell, Guide, GuideKind, Point, PointPanel, SINGLE_COLUMN_MM};
use crate::workload::MEMORY_PROBES;

const COLUMNS: [&str; 7] =
    ["device", "variant", "array_bytes", "traffic_bytes", "rate_b_per_s", "rate_low_b_per_s", "rate_high_b_per_s"];

/// Least number of sizes that make a sweep.
const LEAST_SIZES: usize = 3;

/// Size of one array of a memory probe in bytes.
pub fn array_bytes(case: &Case) -> f64 {
    case.shape.get("n") as f64 * 4.0
}

/// Bandwidth by size of array for each device that swept it; `None` where no memory probe ran at several sizes.
pub fn bandwidth(record: &RunRecord, result: &RunResult) -> Option<Figure> {
    let mut figure = begin("bandwidth", "Bandwidth by size of array".to_owned(), record, SINGLE_COLUMN_MM);
    figure.table = Table::new(&COLUMNS);
    let probes: Vec<&CaseResult> =
        result.cases.iter().filter(|case| case.case.problem.starts_with(MEMORY_PROBES) && case.verified).collect();
    let mut problems: Vec<String> = Vec::new();
    for case in &probes {
        if !problems.contains(&case.case.problem) {
            problems.push(case.case.problem.clone());
        }
    }
    let mut parts = Vec::new();
    for ordinal in devices_of(result) {
        let own: Vec<&CaseResult> = probes.iter().filter(|case| case.case.device == ordinal).copied().collect();
        let swept = |problem: &String| own.iter().filter(|case| case.case.problem == *problem).count() >= LEAST_SIZES;
        if !problems.iter().any(swept) {
            continue;
        }
        own.iter().for_each(|case| figure.table.push(row(case)));
        parts.extend(own.iter().filter_map(|case| case.byte_rate).map(|rate| support(&rate)));
        figure.panels.push(panel(&own, &problems, device_name(record, ordinal)));
    }
    if figure.panels.is_empty() {
        return None;
    }
    figure.legend = problems
        .iter()
        .enumerate()
        .map(|(index, problem)| LegendEntry { sign: Sign::Marker(Marker::series(index, true)), text: problem.clone() })
        .collect();
    figure.caption = format!(
        "Bandwidth of the memory probes against the size of one array, both axes logarithmic. Rates are compulsory \
         traffic over wall time; a launch belongs to it, which is what the smallest sizes show. {}{} {}",
        whisker_sentence(&parts, "the mean rate", RATE_METHOD),
        arrow_sentence(&figure.panels),
        run_sentence(record)
    );
    figure.alt =
        format!("Bandwidth of {} memory probes by size of array on {} device(s).", problems.len(), figure.panels.len());
    Some(figure)
}

fn panel(own: &[&CaseResult], problems: &[String], heading: String) -> Panel {
    let mut points = Vec::new();
    let mut guides = Vec::new();
    for (index, problem) in problems.iter().enumerate() {
        let marker = Marker::series(index, true);
        let mut line: Vec<Point> = own
            .iter()
            .filter(|case| case.case.problem == *problem)
            .filter_map(|case| {
                let rate = case.byte_rate?;
                let at = (array_bytes(&case.case), rate.point.get());
                Some(Point { label: String::new(), at, x_interval: None, y_interval: bounds(&rate), marker })
            })
            .collect();
        line.sort_by(|a, b| a.at.0.total_cmp(&b.at.0));
        guides.extend(line.windows(2).map(|two| Guide {
            kind: GuideKind::Join,
            from: two[0].at,
            to: two[1].at,
            label: String::new(),
        }));
        points.extend(line);
    }
    let ys = points.iter().flat_map(|point| {
        let (low, high) = point.y_interval.unwrap_or((point.at.1, point.at.1));
        [low, point.at.1, high]
    });
    let x = Axis::around("Size of one array", "B", points.iter().map(|point| point.at.0), 0.06, 10.0);
    let y = Axis::around("Bandwidth", "B/s", ys, 0.08, 10.0);
    Panel::Points(PointPanel { heading, x, y, guides, points })
}

fn row(case: &CaseResult) -> Vec<Cell> {
    let interval = case.byte_rate.as_ref().and_then(bounds);
    vec![
        f64::from(case.case.device).into(),
        case.case.variant.as_str().into(),
        array_bytes(&case.case).into(),
        case.case.work.bytes.get().into(),
        case.byte_rate.map(|rate| rate.point.get()).into(),
        interval.map(|(low, _)| low).into(),
        interval.map(|(_, high)| high).into(),
    ]
}
