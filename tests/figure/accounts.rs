//! Charts of accounts: heat map, windows in time, micro-grid; their edge cases, their numbers, their page.

use wattmark::figure::{
    ChartSource, ChosenWindow, ClockPanel, Figure, MatrixChart, MatrixRow, MicrogridChart, Panel, Scale, SupplyLayer,
    WhenChart, carbon_matrix, carbon_when, microgrid, svg,
};
use wattmark::model::Evidence;

use super::{check_page, page};

fn source() -> ChartSource {
    ChartSource {
        run_ids: vec!["01JTEST".to_owned()],
        simulated: true,
        subject: "1 EFLOP of f32 gemm on NVIDIA H200".to_owned(),
        energy: "board, measured".to_owned(),
        evidence: vec![Evidence::Measured],
        basis: vec!["PUE 1.2, declared".to_owned()],
    }
}

fn matrix(rows: usize, columns: usize) -> MatrixChart {
    let row = |index: usize| MatrixRow {
        rank: index + 1,
        code: format!("CN-{:02}", index + 10),
        name: ["Qinghai", "Inner Mongolia Autonomous Region", "Guangdong"][index % 3].to_owned(),
        identity: if index % 9 == 4 { "2020, CO2e, production" } else { "2023, CO2, consumption" }.to_owned(),
        marked: index % 9 == 4,
        grams: (0..columns)
            .map(|c| (c != 2 || index != 3).then(|| (120.0 + 22.0 * index as f64) * (c + 1) as f64))
            .collect(),
        ratio: (120.0 + 22.0 * index as f64) / 120.0,
    };
    MatrixChart {
        source: source(),
        regions: "provinces of China".to_owned(),
        columns: (0..columns)
            .map(|c| if columns == 1 { "gemm f32".to_owned() } else { format!("training job {c}") })
            .collect(),
        quantity: "gCO2 per EFLOP".to_owned(),
        rows: (0..rows).map(row).collect(),
        note: Some("factors of two years stand side by side".to_owned()),
    }
}

fn when(steps: usize, step_s: f64) -> WhenChart {
    let value = |i: usize| {
        let day = i as f64 * step_s / 86_400.0 * std::f64::consts::TAU;
        (!(40..44).contains(&i)).then(|| 260.0 + 90.0 * day.cos() + 12.0 * (3.3 * day).sin())
    };
    let window =
        |name: &str, stretches_s: Vec<(f64, f64)>, grams| ChosenWindow { name: name.to_owned(), stretches_s, grams };
    let hour = step_s;
    WhenChart {
        source: source(),
        series: "CISO, ciso_2022.csv".to_owned(),
        unit: "g CO2e/kWh".to_owned(),
        from: "2022-03-01 00:00 UTC".to_owned(),
        step_s,
        values: (0..steps).map(value).collect(),
        windows: vec![
            window("run now", vec![(0.0, 4.0 * hour)], 1310.0),
            window("best start", vec![(10.0 * hour, 14.0 * hour)], 702.5),
            window("worst start", vec![(22.0 * hour, 26.0 * hour)], 1402.0),
            window("interruptible", vec![(11.0 * hour, 13.0 * hour), (35.0 * hour, 37.0 * hour)], 690.0),
        ],
        mean_grams: Some(1044.0),
    }
}

fn grid(steps: usize, step_s: f64) -> MicrogridChart {
    let at = |i: usize| i as f64 * step_s / 86_400.0;
    let sun = |i: usize| (9000.0 * (std::f64::consts::TAU * (at(i) - 0.25)).sin()).max(0.0);
    let wind = |i: usize| 1500.0 + 900.0 * (at(i) * 9.0).sin();
    let load = |i: usize| 5000.0 + 400.0 * (at(i) * 5.0).cos();
    let mut layers: Vec<SupplyLayer> = ["solar", "wind", "hydro", "battery", "grid", "unserved"]
        .map(|name| SupplyLayer { name: name.to_owned(), watts: Vec::new() })
        .to_vec();
    for i in 0..steps {
        let mut rest = load(i);
        let hour = at(i).fract() * 24.0;
        let offers =
            [sun(i), wind(i), 300.0, if (18.0..23.0).contains(&hour) { 1800.0 } else { 0.0 }, 2600.0, f64::MAX];
        for (layer, offer) in layers.iter_mut().zip(offers) {
            let taken = offer.min(rest);
            layer.watts.push(taken);
            rest -= taken;
        }
    }
    MicrogridChart {
        source: source(),
        site: "campus".to_owned(),
        from: "2022-06-01 00:00 UTC".to_owned(),
        step_s,
        layers,
        load: (0..steps).map(load).collect(),
        generation: (0..steps).map(|i| sun(i) + wind(i) + 300.0).collect(),
        state_of_charge: (0..steps).map(|i| 0.55 + 0.4 * (std::f64::consts::TAU * (at(i) - 0.5)).sin()).collect(),
        notes: vec!["Wind and sun are illustrative profiles, not measurements.".to_owned()],
    }
}

fn samples() -> Vec<(&'static str, Figure)> {
    let equal = MatrixChart {
        rows: matrix(5, 2)
            .rows
            .into_iter()
            .map(|row| MatrixRow { grams: vec![Some(3.0); 2], ratio: 1.0, ..row })
            .collect(),
        ..matrix(5, 2)
    };
    let dark = WhenChart { values: vec![None; 30], ..when(30, 3600.0) };
    vec![
        ("matrix-30x1", carbon_matrix(&matrix(30, 1))),
        ("matrix-30x5", carbon_matrix(&matrix(30, 5))),
        ("matrix-12x20", carbon_matrix(&matrix(12, 20))),
        ("matrix-1x1", carbon_matrix(&matrix(1, 1))),
        ("matrix-220x1", carbon_matrix(&matrix(220, 1))),
        ("matrix-equal", carbon_matrix(&equal)),
        ("matrix-none", carbon_matrix(&matrix(0, 1))),
        ("when-2d", carbon_when(&when(48, 3600.0))),
        ("when-1", carbon_when(&when(1, 3600.0))),
        ("when-none", carbon_when(&dark)),
        ("when-year", carbon_when(&when(8760, 3600.0))),
        ("grid-day", microgrid(&grid(288, 300.0))),
        ("grid-year", microgrid(&grid(700, 45_051.0))),
        ("grid-1", microgrid(&grid(1, 300.0))),
        ("grid-0", microgrid(&grid(0, 300.0))),
    ]
}

fn clock(figure: &Figure, index: usize) -> &ClockPanel {
    let Panel::Clock(panel) = &figure.panels[index] else { panic!("steps over time in {}", figure.id) };
    panel
}

#[test]
fn energy_that_was_not_measured_is_named_inside_every_chart_of_an_account() {
    let source = ChartSource { evidence: vec![Evidence::Estimated], ..source() };
    let figures = [
        carbon_matrix(&MatrixChart { source: source.clone(), ..matrix(5, 1) }),
        carbon_when(&WhenChart { source: source.clone(), ..when(24, 3600.0) }),
        microgrid(&MicrogridChart { source, ..grid(24, 3600.0) }),
    ];
    for figure in figures {
        let drawn = svg::render(&figure).unwrap();
        assert!(drawn.contains("The energy is ESTIMATED, not measured."), "{}", figure.id);
    }
}

#[test]
fn words_that_all_columns_share_are_said_once_and_columns_stay_told_apart() {
    let heads = |columns: &[&str]| {
        let chart =
            MatrixChart { columns: columns.iter().map(|&name| name.to_owned()).collect(), ..matrix(5, columns.len()) };
        let figure = carbon_matrix(&chart);
        let Panel::Heat(panel) = &figure.panels[0] else { panic!("a heat map") };
        (panel.columns.clone(), figure.notes.iter().find(|note| note.starts_with("Every column")).cloned())
    };
    let (names, note) = heads(&["gemm k=16, H100", "gemm k=20, H100", "gemm k=16, A100", "gemm k=20, A100"]);
    assert_eq!(names, ["k=16, H100", "k=20, H100", "k=16, A100", "k=20, A100"]);
    assert_eq!(note.as_deref(), Some("Every column: gemm."));
    // Without its shared words the first would have no name: then all keep theirs.
    let (names, note) = heads(&["gemm", "gemm f16", "gemm f8", "gemm i8"]);
    assert_eq!(
        (names.as_slice(), note),
        (["gemm", "gemm f16", "gemm f8", "gemm i8"].map(str::to_owned).as_slice(), None)
    );
    assert_eq!(heads(&["job A", "job B"]).1, None, "two columns keep their names");
}

#[test]
fn two_long_named_devices_stand_side_by_side_in_one_table_of_a_single_column() {
    let names = ["NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB"];
    let chart = MatrixChart { columns: names.map(str::to_owned).to_vec(), ..matrix(30, 2) };
    let text = svg::render(&carbon_matrix(&chart)).unwrap();
    assert!(text.contains("width=\"89mm\""));
    assert_eq!(text.matches(">to best<").count(), 1, "one table, not one below the other");
}

#[test]
fn every_chart_of_an_account_keeps_its_texts_apart_at_common_widths() {
    for (_, figure) in samples() {
        for width_mm in [89.0, 120.0, 183.0, 250.0] {
            check_page(&Figure { width_mm, ..figure.clone() });
        }
    }
}

#[test]
fn every_chart_of_an_account_is_written_with_title_caption_and_the_same_bytes_twice() {
    let folder = std::env::var_os("WATTMARK_PICTURES").map(std::path::PathBuf::from);
    for ((name, figure), (_, again)) in samples().into_iter().zip(samples()) {
        let drawn = svg::render(&figure).unwrap();
        assert_eq!(drawn, svg::render(&again).unwrap());
        assert_eq!(page::parse(&drawn).iter().find(|e| e.name == "title").unwrap().text, figure.title);
        assert!(figure.caption.contains("01JTEST") && figure.caption.contains("SIMULATED"), "{}", figure.caption);
        assert!(drawn.len() < 1_500_000, "{name}: {} bytes", drawn.len());
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(format!("{name}.svg")), drawn).unwrap();
        }
    }
}

#[test]
fn the_table_of_the_matrix_holds_every_row_though_the_page_does_not() {
    let figure = carbon_matrix(&matrix(220, 1));
    assert_eq!(figure.csv().lines().count(), 221);
    // Three blocks of 60 rows fit the double column: 180 of 220 are drawn, and a note says so.
    let words: Vec<String> =
        page::text_boxes(&page::parse(&svg::render(&figure).unwrap())).into_iter().map(|text| text.text).collect();
    assert!(words.join(" ").contains("of 220 rows are drawn"), "{words:?}");
    assert!(words.contains(&"CN-10".to_owned()) && words.contains(&"CN-229".to_owned()));
}

#[test]
fn a_missing_cell_is_the_word_none_and_an_empty_field_and_a_marked_row_has_its_sign_and_note() {
    let figure = carbon_matrix(&matrix(12, 5));
    let Panel::Heat(heat) = &figure.panels[0] else { panic!("a heat map") };
    assert_eq!((heat.rows[3].values[2], heat.rows[4].rank.as_str()), (None, "5†"));
    assert!(figure.notes.iter().any(|note| note.starts_with('†') && note.contains("CN-14 (2020, CO2e, production)")));
    // Row 3 holds 120 + 3 x 22 = 186 g in column 0, twice that in column 1 and nothing in column 2.
    assert!(figure.csv().lines().nth(4).unwrap().contains(",186,372,,744,"), "{}", figure.csv());
}

#[test]
fn shades_start_at_zero_until_values_differ_thirtyfold() {
    let scale = |columns| match &carbon_matrix(&matrix(2, columns)).panels[0] {
        Panel::Heat(heat) => heat.axis.scale,
        _ => panic!("a heat map"),
    };
    // Largest over smallest: (142 / 120) x columns.
    assert_eq!((scale(20), scale(26)), (Scale::Linear, Scale::Log));
}

#[test]
fn steps_without_a_value_break_the_line_and_are_marked() {
    let figure = carbon_when(&when(48, 3600.0));
    let panel = clock(&figure, 0);
    assert_eq!(panel.gaps, [(144_000.0, 158_400.0)]);
    assert_eq!(panel.lines[0].values[40], None);
    assert!(
        figure
            .legend
            .iter()
            .any(|entry| entry.text == "best start: 702 g CO2e" || entry.text == "best start: 703 g CO2e")
    );
    assert!(figure.legend.iter().any(|entry| entry.text == "run now: 1.31 kg CO2e"), "{:?}", figure.legend);
    // 48 steps, five stretches of four windows, the mean, the header.
    assert_eq!(figure.csv().lines().count(), 48 + 5 + 1 + 1);
}

#[test]
fn a_year_of_hours_is_drawn_as_means_and_tabled_in_full() {
    let figure = carbon_when(&when(8760, 3600.0));
    // 8760 / 1000, rounded up: 9 hours each make 974 steps.
    assert_eq!(clock(&figure, 0).lines[0].values.len(), 974);
    assert!(figure.notes.iter().any(|note| note.contains("means of 9 steps")));
    assert!(figure.csv().lines().count() > 8760);
}

#[test]
fn the_supply_adds_up_to_the_load_and_only_the_last_panel_bears_the_time() {
    let figure = microgrid(&grid(288, 300.0));
    let supply = clock(&figure, 0);
    let load = &supply.lines.iter().find(|line| line.name == "load").unwrap().values;
    for (step, load) in load.iter().enumerate() {
        let sum: f64 = supply.layers.iter().map(|layer| layer.values[step]).sum();
        assert!((sum - load.unwrap()).abs() < 1e-6, "step {step}");
    }
    assert_eq!((supply.timed, clock(&figure, 1).timed), (false, true));
    assert_eq!(figure.csv().lines().count(), 289);
    assert!(figure.notes.iter().any(|note| note.contains("illustrative")));
}

#[test]
fn without_a_battery_there_is_no_panel_of_charge() {
    let figure = microgrid(&MicrogridChart { state_of_charge: Vec::new(), ..grid(10, 300.0) });
    assert_eq!(figure.panels.len(), 1);
    assert!(clock(&figure, 0).timed);
}

#[test]
fn chart_data_are_as_recorded() {
    for figure in [carbon_matrix(&matrix(3, 1)), carbon_when(&when(6, 3600.0)), microgrid(&grid(2, 300.0))] {
        insta::assert_json_snapshot!(figure.id.clone(), super::rounded(serde_json::to_value(figure).unwrap()));
    }
}
