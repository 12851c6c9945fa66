//! `throughput-power`: what a kernel delivers against what it draws, with lines of equal efficiency.

use super::*;
use crate::figure::{Cell, DOUBLE_COLUMN_MM, Guide, GuideKind, Point, PointPanel, Shape as Outline};

const COLUMNS: [&str; 15] = [
    "device",
    "variant",
    "shape",
    "element",
    "rate_unit",
    "rate",
    "rate_low",
    "rate_high",
    "power_w",
    "power_low_w",
    "power_high_w",
    "windows",
    "scope",
    "evidence",
    "absent_because",
];

/// Throughput against power on logarithmic axes, arithmetic and memory traffic side by side.
pub fn throughput_power(record: &RunRecord, result: &RunResult) -> Figure {
    let mut figure = begin("throughput-power", "Throughput against power".to_owned(), record, DOUBLE_COLUMN_MM);
    figure.table = table(result);
    let shown = || result.cases.iter().filter(|case| rate_of(case).is_some() && case.headline_energy().is_some());
    let kinds = energy_kinds(shown());
    for ordinal in devices_of(result) {
        for (counted, word) in COUNTED {
            let mine = |case: &Case| case.device == ordinal && case.counted == counted;
            let cases: Vec<&CaseResult> = shown().filter(|case| mine(&case.case)).collect();
            if !cases.is_empty() {
                let heading = format!("{}, {word}", device_name(record, ordinal));
                figure.panels.push(panel(result, &cases, counted, heading, &kinds));
            }
        }
    }
    if figure.panels.is_empty() {
        figure.panels.push(words("Throughput against power", reason_for_nothing(result)));
    } else {
        let neutral = |element| {
            Sign::Marker(Marker { shape: Outline::Circle, ink: Ink::Quiet, filled: element == ElementType::F32 })
        };
        figure.legend = element_legend(shown().map(|case| &case.case), neutral);
        for (scope, evidence) in &kinds {
            let quantity = scope_quantity(*scope, "power");
            let text = scope_words(*scope, *evidence).replacen(&scope.to_string(), &quantity, 1);
            figure.legend.push(LegendEntry { sign: Sign::None, text });
        }
    }
    let parts: Vec<_> = shown().filter_map(rate_of).map(|rate| support(&rate)).collect();
    let power: Vec<_> = shown().filter_map(CaseResult::headline_energy).map(|energy| support(&energy.power)).collect();
    let body = if parts.is_empty() {
        "No case has both a rate and a power.".to_owned()
    } else {
        let whiskers = whisker_sentence(
            &[parts, power].concat(),
            "the mean (throughput vertical, power horizontal)",
            ENERGY_METHOD,
        ) + arrow_sentence(&figure.panels);
        format!("{whiskers} {}", energy_sentence(&kinds))
    };
    figure.caption = format!(
        "Throughput against mean power in the measured windows, both axes logarithmic. Grey lines join points of equal \
         efficiency (1 GFLOP/J = 1 GFLOPS/W); higher lines are better. One shape and colour for each problem, open for \
         f16. {body} {}",
        run_sentence(record)
    );
    let count = shown().count();
    figure.alt = format!("{count} kernels as points of throughput against power with lines of equal efficiency.");
    figure
}

fn panel(
    result: &RunResult,
    cases: &[&CaseResult],
    counted: Counted,
    heading: String,
    kinds: &BTreeSet<(Scope, Evidence)>,
) -> Panel {
    let problems = problems_of(result);
    let names = short_names(cases.iter().map(|case| &case.case));
    let mut points = Vec::new();
    for (case, name) in cases.iter().zip(names) {
        let (Some(rate), Some(energy)) = (rate_of(case), case.headline_energy()) else { continue };
        let label = match kinds.len() {
            1 => name,
            _ => format!("{name} [{}, {}]", energy.scope, energy.evidence),
        };
        points.push(Point {
            label,
            at: (energy.power.point.get(), rate.point.get()),
            x_interval: bounds(&energy.power),
            y_interval: bounds(&rate),
            marker: marker_of(&problems, &case.case),
        });
    }
    let label = match kinds.iter().next() {
        Some((scope, Evidence::Measured)) if kinds.len() == 1 => scope_quantity(*scope, "power"),
        Some((scope, evidence)) if kinds.len() == 1 => format!("{}, {evidence}", scope_quantity(*scope, "power")),
        _ => "Power".to_owned(),
    };
    let reach = |low: f64, high: f64, point: f64| [low, high, point];
    let xs = points.iter().flat_map(|p| {
        let (low, high) = p.x_interval.unwrap_or((p.at.0, p.at.0));
        reach(low, high, p.at.0)
    });
    let ys = points.iter().flat_map(|p| {
        let (low, high) = p.y_interval.unwrap_or((p.at.1, p.at.1));
        reach(low, high, p.at.1)
    });
    let unit = if counted == Counted::Flop { "FLOP/s" } else { "B/s" };
    let x = Axis::around(&label, "W", xs, 0.15, 2.5);
    let y = Axis::around("Throughput", unit, ys, 0.15, 4.0);
    let unit = if counted == Counted::Flop { "FLOP/J" } else { "B/J" };
    let guides = equal_efficiency(&x, &y, unit);
    Panel::Points(PointPanel { heading, x, y, guides, points })
}

/// Lines of equal efficiency that cross the panel: three to seven, at round values.
fn equal_efficiency(x: &Axis, y: &Axis, unit: &str) -> Vec<Guide> {
    let (least, most) = (y.low / x.high, y.high / x.low);
    let (first, last) = (least.log10().floor() as i32, most.log10().ceil() as i32);
    let values = |digits: &[f64], every: i32| -> Vec<f64> {
        let decades = (first..=last).filter(|decade| decade.rem_euclid(every) == 0);
        decades
            .flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)))
            .filter(|value| *value > least * 1.05 && *value < most / 1.05)
            .collect()
    };
    let sets = [values(&[1.0, 2.0, 5.0], 1), values(&[1.0, 3.0], 1), values(&[1.0], 1), values(&[1.0], 2)];
    let chosen = sets.into_iter().find(|set| set.len() <= 7).unwrap_or_default();
    chosen
        .into_iter()
        .map(|efficiency| {
            let from = (x.low.max(y.low / efficiency), y.low.max(x.low * efficiency));
            let to = (x.high.min(y.high / efficiency), y.high.min(x.high * efficiency));
            let label = Axis::from_zero("", unit, efficiency).show(efficiency, 1);
            Guide { kind: GuideKind::Equal, from, to, label }
        })
        .collect()
}

fn reason_for_nothing(result: &RunResult) -> String {
    if result.cases.is_empty() {
        return "The run holds no measured case.".to_owned();
    }
    if !result.cases.iter().any(|case| case.verified) {
        return format!("None of the {} measured cases passed verification, so none has a rate.", result.cases.len());
    }
    "No power was read in this run, and none was declared or estimated: throughput has nothing to stand against."
        .to_owned()
}

fn table(result: &RunResult) -> Table {
    let mut table = Table::new(&COLUMNS);
    for case in &result.cases {
        let unit = if case.counts_flop() { "FLOP/s" } else { "B/s" };
        let rate = rate_of(case);
        let energy = case.headline_energy();
        let rate_bounds = rate.as_ref().and_then(bounds);
        let power_bounds = energy.and_then(|energy| bounds(&energy.power));
        let absent = if rate.is_some() && energy.is_some() { "" } else { absence_words(case) };
        table.push(vec![
            f64::from(case.case.device).into(),
            case.case.variant.as_str().into(),
            shape_of(&case.case).into(),
            case.case.element.to_string().into(),
            unit.into(),
            rate.map(|rate| rate.point.get()).into(),
            rate_bounds.map(|(low, _)| low).into(),
            rate_bounds.map(|(_, high)| high).into(),
            energy.map(|energy| energy.power.point.get()).into(),
            power_bounds.map(|(low, _)| low).into(),
            power_bounds.map(|(_, high)| high).into(),
            rate.map(|rate| f64::from(rate.n)).into(),
            energy.map_or(Cell::Empty, |energy| energy.scope.to_string().into()),
            energy.map_or(Cell::Empty, |energy| energy.evidence.to_string().into()),
            absent.into(),
        ]);
    }
    table
}
