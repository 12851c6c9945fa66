//! Charts of money: tornado, Pareto front and stacked cost, on ordinary and on awkward input.

use wattmark::figure::{
    ChartSource, Figure, GuideKind, Panel, ParetoChart, ParetoPoint, Scale, StackBar, StackChart, TornadoChart,
    TornadoRow, cost_stack, pareto, svg, tornado,
};
use wattmark::model::Evidence;

use super::{check_page, page};

fn source() -> ChartSource {
    ChartSource {
        run_ids: vec!["01JB7Z".to_owned()],
        simulated: false,
        subject: "1 EFLOP of f32 gemm on NVIDIA H200".to_owned(),
        energy: "board, measured".to_owned(),
        evidence: vec![Evidence::Measured],
        basis: vec!["Tariff 0.8 CNY/kWh, PUE 1.3".to_owned()],
    }
}

fn row(name: &str, low: &str, high: &str, at: (f64, f64)) -> TornadoRow {
    TornadoRow { name: name.into(), low: low.into(), high: high.into(), at_low: at.0, at_high: at.1 }
}

fn tornado_of(base: f64, rows: Vec<TornadoRow>) -> TornadoChart {
    let quantity = ("Cost per EFLOP".to_owned(), "CNY".to_owned());
    TornadoChart { source: source(), stem: String::new(), quantity, base, rows }
}

fn usual_tornado() -> TornadoChart {
    tornado_of(
        0.0412,
        vec![
            row("electricity tariff", "0.4", "1.2 CNY/kWh", (0.038, 0.0444)),
            row("utilisation", "0.3", "0.95", (0.066, 0.034)),
            row("hardware price", "180 000", "300 000 CNY", (0.032, 0.0501)),
            row("carbon price", "0", "300 CNY/t", (0.0412, 0.0412)),
            row("power usage effectiveness", "1.1", "1.6", (0.0402, 0.0427)),
            row("life", "3", "6 years", (0.0535, 0.0352)),
        ],
    )
}

fn point(name: &str, x: f64, y: f64, on_front: bool, measured: bool) -> ParetoPoint {
    let around = |value: f64| (value, Some((value * 0.96, value * 1.04)));
    ParetoPoint { name: name.into(), x: around(x), y: around(y), on_front, measured }
}

fn pareto_of(points: Vec<ParetoPoint>) -> ParetoChart {
    ParetoChart {
        source: source(),
        id: "pareto-cost-carbon".to_owned(),
        x: ("Cost per EFLOP".to_owned(), "CNY".to_owned()),
        y: ("Carbon per EFLOP".to_owned(), "gCO2e".to_owned()),
        points,
    }
}

fn usual_pareto() -> ParetoChart {
    pareto_of(vec![
        point("NVIDIA H200", 0.041, 4.1, true, true),
        point("NVIDIA A100", 0.030, 6.8, true, true),
        point("AMD MI300X", 0.052, 5.0, false, true),
        point("Apple M4 Max", 0.024, 11.0, true, false),
        point("Intel Arc B580", 0.060, 13.0, false, false),
    ])
}

/// Ten devices within 3 % of each other.
fn near_equal() -> ParetoChart {
    let device = |i: u32| {
        let i_f = f64::from(i);
        point(
            &format!("Accelerator card {i}"),
            1.0 + 0.003 * i_f,
            1.03 - 0.003 * i_f,
            i.is_multiple_of(2),
            !i.is_multiple_of(3),
        )
    };
    pareto_of((0..10).map(device).collect())
}

fn stack_of(id: &str, bars: &[(&str, [f64; 5])]) -> StackChart {
    StackChart {
        source: source(),
        id: id.to_owned(),
        quantity: ("Cost per EFLOP".to_owned(), "CNY".to_owned()),
        parts: ["hardware", "electricity", "maintenance", "carbon price", "residual value"].map(String::from).to_vec(),
        bars: bars.iter().map(|(name, amounts)| StackBar { name: (*name).into(), amounts: amounts.to_vec() }).collect(),
    }
}

fn usual_stack() -> StackChart {
    stack_of(
        "cost-stack",
        &[
            ("NVIDIA H200", [0.028, 0.009, 0.003, 0.0012, 0.0]),
            ("NVIDIA A100", [0.016, 0.012, 0.002, 0.0016, 0.0]),
            ("AMD MI300X", [0.035, 0.011, 0.004, 0.0014, 0.0]),
        ],
    )
}

fn by_year() -> StackChart {
    stack_of(
        "tco-by-year",
        &[
            ("2026", [240_000.0, 31_000.0, 8_000.0, 900.0, 0.0]),
            ("2027", [0.0, 32_000.0, 8_000.0, 1_100.0, 0.0]),
            ("2028", [0.0, 33_000.0, 8_000.0, 1_300.0, -40_000.0]),
        ],
    )
}

const LONG: &str =
    "an accelerator with a very long marketing name, second revision, passively cooled, in the left slot";

fn samples() -> Vec<Figure> {
    let negative = vec![row("price of credits", "-5", "40 CNY/t", (-3.0, 1.0)), row("life", "3", "6 a", (2.0, 3.0))];
    let below = vec![row("price of credits", "-5", "40 CNY/t", (-103.0, -101.0))];
    let wordy = vec![row(LONG, LONG, LONG, (0.9, 1.1)), row("tariff", "0.1", "0.9", (0.5, 3.0))];
    vec![
        tornado(&usual_tornado()),
        tornado(&tornado_of(1.0, negative)),
        tornado(&tornado_of(-102.0, below)),
        tornado(&tornado_of(1.0, wordy)),
        tornado(&tornado_of(1.0, vec![row("tariff", "1", "1", (1.0, 1.0)), row("life", "4", "4", (1.0, 1.0))])),
        tornado(&tornado_of(2.5e6, vec![row("batch size", "16", "64", (2.8e6, 2.6e6))])),
        tornado(&tornado_of(1.0, Vec::new())),
        pareto(&usual_pareto()),
        pareto(&near_equal()),
        pareto(&pareto_of(vec![point(LONG, 3.0, 2e5, true, true)])),
        pareto(&pareto_of(vec![point("a", 0.0, 1.0, true, true), point("b", 2.0, 0.0, true, true)])),
        pareto(&pareto_of(Vec::new())),
        cost_stack(&usual_stack()),
        cost_stack(&by_year()),
        cost_stack(&stack_of("cost-stack", &[(LONG, [1.0, 2.0, 3.0, 4.0, 5.0])])),
        cost_stack(&stack_of("cost-stack", &[("nothing", [0.0; 5])])),
        cost_stack(&stack_of("cost-stack", &[("only worth left", [0.0, 0.0, 0.0, 0.0, -3.0])])),
        cost_stack(&stack_of("cost-stack", &[])),
    ]
}

#[test]
fn every_money_chart_keeps_its_texts_apart_at_any_common_width() {
    for figure in samples() {
        for width_mm in [85.0, 89.0, 120.0, 183.0] {
            check_page(&Figure { width_mm, ..figure.clone() });
        }
    }
}

#[test]
fn the_same_costs_give_the_same_bytes() {
    for (first, second) in samples().iter().zip(&samples()) {
        assert_eq!(svg::render(first).unwrap(), svg::render(second).unwrap());
        assert_eq!(first.csv(), second.csv());
        assert!(!first.caption.is_empty() && !first.alt.is_empty(), "{}", first.id);
    }
}

#[test]
fn nothing_is_drawn_outside_the_page() {
    for figure in samples() {
        let elements = page::parse(&svg::render(&figure).unwrap());
        let canvas: Vec<f64> =
            elements[0].get("viewBox").unwrap().split(' ').map(|part| part.parse().unwrap()).collect();
        let points = elements.iter().filter_map(|element| element.get("points"));
        for pair in points.flat_map(|points| points.split_whitespace()) {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=canvas[2]).contains(&x) && (0.0..=canvas[3]).contains(&y), "{}: {pair}", figure.id);
        }
    }
}

#[test]
fn the_input_that_moves_the_result_most_is_on_top_and_one_without_effect_is_named_below() {
    let figure = tornado(&usual_tornado());
    let Panel::Tornado(panel) = &figure.panels[0] else { panic!("a tornado") };
    let names: Vec<&str> = panel.rows.iter().map(|row| row.name.as_str()).collect();
    // Swings: utilisation 0.032, life 0.0183, price 0.0181, tariff 0.0064, PUE 0.0025.
    let expected = ["utilisation", "life", "hardware price", "electricity tariff", "power usage effectiveness"];
    assert_eq!(names, expected);
    assert!(figure.notes.iter().any(|note| note == "Without effect, not drawn: carbon price."), "{:?}", figure.notes);
    assert_ne!(panel.fills.0.ink, panel.fills.1.ink);
    assert_ne!(panel.fills.0.hatch, panel.fills.1.hatch);
}

#[test]
fn an_axis_that_does_not_start_at_zero_says_so_and_one_that_does_keeps_quiet() {
    let says = |figure: &Figure| figure.notes.iter().any(|note| note.contains("does not start at 0"));
    let far = tornado(&usual_tornado());
    assert!(says(&far) && far.caption.contains("does not start at 0"));
    let near = tornado(&tornado_of(1.0, vec![row("tariff", "0.1", "0.9", (0.2, 2.0))]));
    let Panel::Tornado(panel) = &near.panels[0] else { panic!("a tornado") };
    assert_eq!(panel.axis.low, 0.0);
    assert!(!says(&near));
}

#[test]
fn the_front_is_joined_in_steps_and_an_estimate_has_no_whisker() {
    let figure = pareto(&usual_pareto());
    let Panel::Points(panel) = &figure.panels[0] else { panic!("points") };
    let steps: Vec<_> = panel.guides.iter().map(|guide| (guide.from, guide.to)).collect();
    // M4 (0.024, 11) level to A100's x, down to (0.030, 6.8), level to H200's x, down to (0.041, 4.1).
    let expected = [
        ((0.024, 11.0), (0.030, 11.0)),
        ((0.030, 11.0), (0.030, 6.8)),
        ((0.030, 6.8), (0.041, 6.8)),
        ((0.041, 6.8), (0.041, 4.1)),
    ];
    assert_eq!(steps, expected);
    assert!(panel.guides.iter().all(|guide| guide.kind == GuideKind::Join));
    let estimated = panel.points.iter().find(|point| point.label == "Apple M4 Max").unwrap();
    assert_eq!((estimated.x_interval, estimated.y_interval), (None, None));
    let beaten = panel.points.iter().find(|point| point.label == "AMD MI300X").unwrap();
    assert!(!beaten.marker.filled && estimated.marker.filled);
    assert_ne!(beaten.marker.shape, estimated.marker.shape);
    assert!(figure.legend.iter().any(|entry| entry.text == "Lower left is best."));
}

#[test]
fn a_cost_of_zero_turns_its_axis_linear() {
    let figure = pareto(&pareto_of(vec![point("a", 0.0, 1.0, true, true), point("b", 2.0, 3.0, false, true)]));
    let Panel::Points(panel) = &figure.panels[0] else { panic!("points") };
    assert_eq!((panel.x.scale, panel.y.scale), (Scale::Linear, Scale::Log));
    assert!(figure.caption.contains("the horizontal axis linear, the vertical one logarithmic"), "{}", figure.caption);
}

#[test]
fn a_stack_names_its_zero_parts_below_and_the_csv_has_every_amount_and_total() {
    let figure = cost_stack(&usual_stack());
    assert_eq!(figure.notes, ["Zero in every bar: residual value."]);
    assert_eq!(figure.legend.len(), 4);
    let csv = figure.csv();
    // Three bars of five parts and a total, and the header.
    assert_eq!(csv.lines().count(), 3 * 6 + 1);
    // 0.028 + 0.009 + 0.003 + 0.0012 = 0.0412.
    assert!(csv.lines().any(|line| line.starts_with("NVIDIA H200,total,Cost per EFLOP,CNY,0.0412")), "{csv}");
}

#[test]
fn a_bar_without_all_amounts_is_named_and_never_drawn_as_zero() {
    let mut chart = usual_stack();
    chart.bars[1].amounts[2] = f64::NAN;
    chart.bars[2].amounts.pop();
    let figure = cost_stack(&chart);
    let Panel::Stacks(panel) = &figure.panels[0] else { panic!("stacks") };
    assert_eq!(panel.bars.len(), 1);
    assert_eq!(figure.notes[0], "Without all amounts, not drawn: NVIDIA A100, AMD MI300X.");
    check_page(&figure);
}

#[test]
fn large_sums_take_a_word_and_never_a_prefix_before_a_currency() {
    let Panel::Stacks(panel) = &cost_stack(&by_year()).panels[0] else { panic!("stacks") };
    assert_eq!(panel.axis.title(), "Cost per EFLOP (thousand CNY)");
}

#[test]
fn a_scripted_run_says_so_inside_every_money_chart() {
    let source = ChartSource { simulated: true, ..source() };
    let figures = [
        tornado(&TornadoChart { source: source.clone(), ..usual_tornado() }),
        pareto(&ParetoChart { source: source.clone(), ..usual_pareto() }),
        cost_stack(&StackChart { source, ..usual_stack() }),
    ];
    for figure in figures {
        assert!(figure.notes.iter().any(|note| note.starts_with("SIMULATED")), "{}", figure.id);
    }
}

#[test]
fn energy_that_was_not_measured_is_named_inside_every_money_chart() {
    for (evidence, wanted) in [
        (vec![Evidence::Estimated], Some("The energy is ESTIMATED, not measured.")),
        (vec![Evidence::Measured, Evidence::Declared], Some("Some of the energy is DECLARED, not measured.")),
        (vec![Evidence::Measured], None),
    ] {
        let source = ChartSource { evidence, ..source() };
        let figures = [
            tornado(&TornadoChart { source: source.clone(), ..usual_tornado() }),
            pareto(&ParetoChart { source: source.clone(), ..usual_pareto() }),
            cost_stack(&StackChart { source, ..usual_stack() }),
        ];
        for figure in figures {
            let said = figure.notes.iter().find(|note| note.contains("not measured"));
            assert_eq!(said.map(String::as_str), wanted, "{}", figure.id);
        }
    }
}

#[test]
fn money_figures_are_as_recorded() {
    for figure in
        [tornado(&usual_tornado()), pareto(&usual_pareto()), cost_stack(&usual_stack()), cost_stack(&by_year())]
    {
        let data = super::rounded(serde_json::to_value(&figure).unwrap());
        insta::assert_json_snapshot!(figure.id.clone(), data);
    }
}

#[test]
fn every_money_chart_can_be_written_for_a_look() {
    let Some(folder) = std::env::var_os("WATTMARK_DRAW_COSTS") else { return };
    for (index, figure) in samples().iter().enumerate() {
        let path = std::path::Path::new(&folder).join(format!("{index:02}-{}.svg", figure.id));
        std::fs::write(path, svg::render(figure).unwrap()).unwrap();
    }
}
