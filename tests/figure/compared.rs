//! The Pareto chart of compared records: ordinary, mixed, empty and crowded.

use std::path::Path;

use wattmark::account::resolve_site;
use wattmark::compare::procurement::{Procurement, ProcurementOptions, procurement};
use wattmark::figure::{Figure, GuideKind, Panel, PointPanel, compare_pareto, svg};
use wattmark::measure::result::RunResult;
use wattmark::model::{Evidence, RunRecord, Scope};
use wattmark::units::{Flop, Joules};

use super::{check_page, samples};

type Run = (RunRecord, RunResult);

fn h200() -> Run {
    let (record, result, _) = samples::h200();
    (record, result)
}

/// The same cases on another device: `speed` times as fast at `watts` times the power.
fn other(name: &str, speed: f64, watts: f64) -> Run {
    let (mut record, mut result) = h200();
    record.run_id = format!("20260302T080000Z-node-18-{}", name.len());
    record.devices[0].name = name.to_owned();
    for case in &mut result.cases {
        case.flop_rate = case.flop_rate.map(|rate| rate.map(|rate| rate * speed));
        case.byte_rate = case.byte_rate.map(|rate| rate.map(|rate| rate * speed));
        for energy in &mut case.energy {
            energy.flop_efficiency = energy.flop_efficiency.map(|work| work.map(|work| work * (speed / watts)));
            energy.byte_efficiency = energy.byte_efficiency.map(|work| work * (speed / watts));
        }
    }
    (record, result)
}

fn read_as(mut run: Run, scope: Scope, evidence: Evidence) -> Run {
    for energy in run.1.cases.iter_mut().flat_map(|case| &mut case.energy) {
        (energy.scope, energy.evidence) = (scope, evidence);
    }
    run
}

fn compared(runs: &[Run]) -> Procurement {
    let site = resolve_site(Some("CN-QH"), Some(1.2), None, Path::new(".")).unwrap();
    let records: Vec<_> = runs.iter().map(|(record, result)| (record, result)).collect();
    procurement(&records, &site, &ProcurementOptions::default()).unwrap()
}

fn figure(runs: &[Run]) -> Figure {
    compare_pareto(&compared(runs))
}

/// Faster and thirstier, slower and thriftier, and one that both beat.
fn usual() -> Vec<Run> {
    vec![h200(), other("NVIDIA A100", 0.4, 0.35), other("AMD MI300X", 1.3, 1.5), other("Old board", 0.2, 0.6)]
}

fn mixed() -> Vec<Run> {
    let wall = read_as(other("Wall-metered card", 0.9, 1.1), Scope::WallAc, Evidence::Measured);
    let guess = read_as(other("Estimated card", 0.7, 0.8), Scope::Board, Evidence::Estimated);
    vec![h200(), wall, guess]
}

fn first(figure: &Figure) -> &PointPanel {
    let Panel::Points(panel) = &figure.panels[0] else { panic!("points") };
    panel
}

fn joins(panel: &PointPanel) -> Vec<((f64, f64), (f64, f64))> {
    let own = panel.guides.iter().filter(|guide| guide.kind == GuideKind::Join);
    own.map(|guide| (guide.from, guide.to)).collect()
}

#[test]
fn a_buyer_gets_at_most_six_panels_with_matrix_products_first_and_every_row_in_the_table() {
    let figure = figure(&usual());
    let headings: Vec<&str> = figure
        .panels
        .iter()
        .map(|panel| match panel {
            Panel::Points(panel) => panel.heading.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(headings.len(), 6);
    assert!(headings[0].starts_with("gemm f32") && headings[1].starts_with("gemv"), "{headings:?}");
    assert!(headings.iter().any(|heading| heading.starts_with("attention")), "{headings:?}");
    // 13 works (two gemm variants are one) of four devices.
    assert_eq!(figure.table.rows.len(), 13 * 4);
    assert!(figure.notes.iter().any(|note| note.contains("7 more common workloads")), "{:?}", figure.notes);
}

#[test]
fn the_front_steps_down_through_the_devices_that_none_beats() {
    let figure = figure(&usual());
    let panel = first(&figure);
    let at = |name: &str| panel.points.iter().find(|point| point.label.contains(name)).unwrap().at;
    // Work per joule relative to the H200: A100 0.4 / 0.35 = 1.14, MI300X 1.3 / 1.5 = 0.87, the old board 0.33.
    let (a100, h200, mi300x) = (at("A100"), at("H200"), at("MI300X"));
    let expected = [
        ((panel.x.low, a100.1), a100),
        (a100, (a100.0, h200.1)),
        ((a100.0, h200.1), h200),
        (h200, (h200.0, mi300x.1)),
        ((h200.0, mi300x.1), mi300x),
        (mi300x, (mi300x.0, panel.y.low)),
    ];
    assert_eq!(joins(panel), expected);
}

#[test]
fn lines_of_equal_power_are_rate_over_watts() {
    let figure = figure(&usual());
    let equal: Vec<_> = first(&figure).guides.iter().filter(|guide| guide.kind == GuideKind::Equal).collect();
    assert!((2..=6).contains(&equal.len()), "{}", equal.len());
    for guide in equal {
        let (number, unit) = guide.label.split_once(' ').unwrap();
        let watts = number.parse::<f64>().unwrap() * if unit == "kW" { 1e3 } else { 1.0 };
        for (rate, efficiency) in [guide.from, guide.to] {
            assert!((rate / efficiency / watts - 1.0).abs() < 1e-9, "{guide:?}");
        }
    }
}

#[test]
fn unlike_scopes_have_no_front_together_and_an_estimate_is_open_without_a_vertical_whisker() {
    let figure = figure(&mixed());
    let panel = first(&figure);
    assert_eq!(joins(panel), []);
    let find = |name: &str| panel.points.iter().find(|point| point.label.contains(name)).unwrap();
    assert!(find("Wall-metered").label.ends_with("[wall AC]") && find("Wall-metered").marker.filled);
    let guess = find("Estimated");
    assert!(guess.label.ends_with("[board, estimated]") && !guess.marker.filled && guess.y_interval.is_none());
    assert!(figure.notes.iter().any(|note| note.contains("DIFFERENT SCOPE")), "{:?}", figure.notes);
    assert!(figure.legend.iter().any(|entry| entry.text.contains("ESTIMATED")));
}

#[test]
fn two_devices_of_one_scope_have_their_front_beside_a_third_of_another() {
    let mut runs = mixed();
    runs.push(other("Second board", 0.5, 0.4));
    let figure = figure(&runs);
    // Only the two measured boards: a start, two steps, an end.
    assert_eq!(joins(first(&figure)).len(), 4);
}

#[test]
fn without_energy_or_common_work_the_figure_says_so() {
    let mut dark = h200();
    dark.1.cases.iter_mut().for_each(|case| case.energy.clear());
    let none = figure(&[dark.clone(), dark.clone()]);
    assert!(none.is_empty() && none.caption.contains("both a rate and an energy"), "{}", none.caption);
    let mut bare = h200();
    bare.1.cases.clear();
    let nothing = figure(&[h200(), bare]);
    assert!(nothing.is_empty() && nothing.caption.contains("No work is common"), "{}", nothing.caption);
    let half = figure(&[h200(), dark]);
    assert!(
        half.notes.iter().any(|note| note.starts_with("Without rate or energy, not drawn: B ")),
        "{:?}",
        half.notes
    );
}

#[test]
fn every_chart_keeps_its_texts_apart_at_any_common_width() {
    let crowd: Vec<Run> =
        (0..9).map(|index| other(&format!("Accelerator card {index}"), 1.0 + 0.003 * f64::from(index), 1.0)).collect();
    let long = vec![h200(), other(&"A name that is long ".repeat(4), 0.999, 1.0)];
    for runs in [usual(), mixed(), crowd, long] {
        let drawn = figure(&runs);
        for width_mm in [89.0, 120.0, 183.0] {
            check_page(&Figure { width_mm, ..drawn.clone() });
        }
        assert_eq!(svg::render(&drawn).unwrap(), svg::render(&figure(&runs)).unwrap());
    }
}

#[test]
fn the_figure_is_this_data() {
    // Two workloads hold all the parts; the others repeat them.
    let few = |mut run: Run| {
        run.1.cases.retain(|case| case.case.variant.starts_with("gemm/tiled") || case.case.problem == "memory-copy");
        run
    };
    let [a, b, c, d] = usual().try_into().ok().unwrap();
    let drawn = figure(&[few(a), few(b), few(c), few(read_as(d, Scope::WallAc, Evidence::Declared))]);
    let data = super::rounded(serde_json::to_value(drawn).unwrap());
    insta::assert_json_snapshot!("compare-pareto", data);
}

#[test]
fn a_device_draws_what_its_rate_and_efficiency_say() {
    let found = compared(&usual());
    let row = &found.workloads[0].rows[0];
    let (rate, work) = (row.rate_per_s.unwrap().point.get(), row.work_per_j.unwrap().point.get());
    assert!((row.power.unwrap().get() - rate / work).abs() < 1e-9);
    let exaflop = Flop::new(1e18).get() / work;
    assert!((row.energy_per_unit.unwrap().point / Joules::new(exaflop) - 1.0).abs() < 1e-12);
}
