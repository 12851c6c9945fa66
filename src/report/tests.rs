//! The views of one hand-made record, as snapshots, and the rules that no view may break.

use super::*;
use crate::model::{Evidence, Scope, WarningCode};

fn options<'a>(width: usize) -> TableOptions<'a> {
    TableOptions { width, carbon: Some(sample::carbon()), ..TableOptions::default() }
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap()
}

fn tidy(carbon: Option<&Carbon>) -> String {
    let record = sample::record();
    let mut bytes = Vec::new();
    csv_tidy(&record, &sample::result(&record), carbon, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_terminal_table() {
    let record = sample::record();
    insta::assert_snapshot!(table(&record, &sample::result(&record), &options(120)));
}

#[test]
fn the_terminal_table_without_a_grid() {
    let record = sample::record();
    insta::assert_snapshot!(table(&record, &sample::result(&record), &TableOptions::default()));
}

#[test]
fn a_full_suite_at_120_columns() {
    let (record, result) = sample::full_suite();
    let text = table(&record, &result, &options(120));
    assert!(widest(&text) <= 120, "{}", widest(&text));
    insta::assert_snapshot!(text);
}

#[test]
fn a_full_suite_at_100_columns() {
    let (record, result) = sample::full_suite();
    let text = table(&record, &result, &options(100));
    assert!(widest(&text) <= 100, "{}", widest(&text));
    insta::assert_snapshot!(text);
}

#[test]
fn a_full_suite_at_80_columns() {
    let (record, result) = sample::full_suite();
    let text = table(&record, &result, &options(80));
    assert!(widest(&text) <= 80, "{}", widest(&text));
    insta::assert_snapshot!(text);
}

#[test]
fn the_share_of_the_ceiling_stays_at_any_common_width() {
    let (record, result) = sample::full_suite();
    for width in [80, 100, 120, 160] {
        let text = table(&record, &result, &options(width));
        assert!(text.lines().any(|line| line.starts_with("kernel") && line.contains("ceil.")), "{width}: {text}");
    }
}

#[test]
fn a_warning_of_all_rows_is_said_once_and_one_of_few_rows_in_them() {
    let (record, mut result) = sample::full_suite();
    let warning = |code| crate::model::Warning { code, text: format!("text of {code:?}") };
    for (index, case) in result.cases.iter_mut().enumerate() {
        case.warnings = vec![warning(WarningCode::WindowTooShort)];
        if index != 7 {
            case.warnings.push(warning(WarningCode::ClocksDisagree));
        }
        if index < 3 {
            case.warnings.push(warning(WarningCode::Throttled));
        }
    }
    let text = table(&record, &result, &options(120));
    assert!(text.contains("all rows  W02, W04 (not gemm/tiled-f32)"), "{text}");
    assert_eq!(
        (text.matches("W02").count(), text.matches("W04").count()),
        (2, 2),
        "said once and explained once: {text}"
    );
    assert_eq!(text.matches("W08").count(), 4, "three rows and the explanation: {text}");
}

#[test]
fn an_estimate_has_no_idle_power() {
    let record = sample::record();
    let text = table(&record, &sample::result(&record), &options(120));
    let (measured, estimated) = text.split_once("Simulated Software Adapter").unwrap();
    assert!(measured.contains("idle      74.0 W") && !estimated.contains("idle      "), "{text}");
}

#[test]
fn every_warning_with_its_case() {
    let record = sample::record();
    let text = table(&record, &sample::result(&record), &TableOptions { warnings: true, ..options(120) });
    assert!(text.contains("W08       device 0, gemm/tiled-f32 k=m=n=1024: clocks were held down"), "{text}");
    assert!(text.contains("W11       whole run: the sampler reached"), "{text}");
}

#[test]
fn the_markdown() {
    let record = sample::record();
    insta::assert_snapshot!(markdown(&record, &sample::result(&record), Some(&sample::carbon())));
}

#[test]
fn the_tidy_csv() {
    insta::assert_snapshot!(tidy(Some(&sample::carbon())));
}

#[test]
fn the_json_summary() {
    let record = sample::record();
    let mut summary = json_summary(&record, &sample::result(&record), Some(&sample::carbon()));
    // The same figures stand in the snapshots of the texts, and are too long for this one.
    for key in ["sources", "methodology_claims"] {
        assert!(summary.as_object_mut().unwrap().remove(key).is_some_and(|block| block.is_object()), "{key}");
    }
    insta::assert_json_snapshot!(summary);
}

#[test]
fn an_estimate_is_marked_and_has_no_interval_anywhere() {
    let record = sample::record();
    let text = table(&record, &sample::result(&record), &options(120));
    let software = text.split("Simulated Software Adapter").nth(1).unwrap();
    assert!(software.contains("estimated, not measured") && software.contains("≈8.00"), "{software}");
    assert!(!text.split("Simulated Software Adapter").next().unwrap().contains('≈'), "measured figures carry no mark");
    let csv = tidy(None);
    let estimated: Vec<&str> = csv.lines().filter(|line| line.contains(",estimated,")).collect();
    assert!(!estimated.is_empty());
    for line in estimated {
        let fields: Vec<&str> = line.split(',').collect();
        assert!(line.contains(",,,"), "low and high are empty: {fields:?}");
    }
}

#[test]
fn a_failed_case_has_no_figure_in_any_view() {
    let record = sample::record();
    let mut result = sample::result(&record);
    // Even a result that wrongly kept its rate must not show it.
    result.cases[3] = sample::result_of(&record.measurements[3], 1.0, 1.0, Scope::Board, Evidence::Measured);
    let shown = table(&record, &result, &options(120));
    let line = shown.lines().find(|line| line.starts_with("gemm/naive-f32")).unwrap();
    assert!(line.contains("WRONG OUTPUT after window 1: no figures") && !line.contains('%'), "{line}");
    let summary = json_summary(&record, &result, None);
    assert_eq!((summary["cases"].as_array().unwrap().len(), summary["failed"].as_array().unwrap().len()), (4, 1));
    let mut bytes = Vec::new();
    csv_tidy(&record, &result, None, &mut bytes).unwrap();
    let csv = String::from_utf8(bytes).unwrap();
    let rows: Vec<&str> = csv.lines().filter(|line| line.contains("naive")).collect();
    assert!(rows.len() == 1 && rows[0].contains("verification-failed"), "{rows:?}");
}

#[test]
fn a_row_of_another_scope_says_so() {
    let record = sample::record();
    let mut result = sample::result(&record);
    result.cases[0].energy[0].scope = Scope::HostDc;
    let text = table(&record, &result, &options(120));
    let row = text.lines().find(|line| line.starts_with("memory/triad-f32")).unwrap();
    assert!(row.ends_with("host DC!"), "{row}");
    assert!(text.contains("not comparable with them"), "{text}");
}

#[test]
fn missing_energy_is_a_dash_and_no_watts_are_explained() {
    let record = sample::record();
    let mut result = sample::result(&record);
    result.cases.iter_mut().for_each(|case| case.energy.clear());
    let text = table(&record, &result, &options(120));
    let row = text.lines().find(|line| line.starts_with("gemm/tiled-f32")).unwrap();
    assert!(row.contains("19.3") && row.contains('—') && !row.contains(" 0 "), "{row}");
    assert!(!text.contains("watts     "), "{text}");
}

#[test]
fn carbon_is_energy_times_factor_times_pue_of_one_exaflop() {
    let record = sample::record();
    let result = sample::result(&record);
    // 2.147483648e9 FLOP at 600 W / 9000 per s: 1e18 FLOP take 31.04 MJ = 8.623 kWh; × 1.2 × 200 g = 2069 g.
    let grams = sample::grams(&result.cases[2]).unwrap().point.get();
    assert!(
        (grams - 1e18 / 2_147_483_648.0 * 600.0 / 9000.0 / 3.6e6 * 240.0).abs() < 1e-6 && (grams - 2069.6).abs() < 0.1,
        "{grams}"
    );
}

#[test]
fn a_record_without_cases_says_so() {
    let mut record = sample::record();
    record.measurements.clear();
    record.skips.clear();
    assert!(table(&record, &Default::default(), &options(120)).contains("no case was measured"));
}

#[test]
fn colour_changes_nothing_but_escape_sequences() {
    let record = sample::record();
    let plain = table(&record, &sample::result(&record), &options(120));
    let mut coloured = table(&record, &sample::result(&record), &TableOptions { colour: true, ..options(120) });
    assert!(coloured.contains("\x1b[1m") && !plain.contains('\x1b'));
    for sequence in ["\x1b[1;31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"] {
        coloured = coloured.replace(sequence, "");
    }
    assert_eq!(coloured, plain);
}

/// The golden record with what an NVIDIA board tells of itself: a power cap throughout, heat in one case, falling clocks.
fn with_telemetry() -> crate::model::RunRecord {
    use crate::clock::Nanoseconds;
    use crate::model::{Channel, ChannelTrace, Quantity, SourceTrace};
    let mut record = sample::record();
    let mut telemetry: SourceTrace = record.traces[0].clone();
    telemetry.source.id = "nvml-telemetry:0000:19:00.0".to_owned();
    telemetry.source.kind = "nvml".to_owned();
    telemetry.t_ns = (0..=125).map(|poll| Nanoseconds(poll * 200_000_000)).collect();
    telemetry.gaps.clear();
    let heat = |t: f64| if (9.5..10.5).contains(&t) { 0x24 } else { 0x4 };
    type Column<'a> = (&'a str, Quantity, &'a dyn Fn(f64) -> f64);
    let columns: [Column; 7] = [
        ("throttle.reasons", Quantity::ThrottleReasons, &|t| f64::from(heat(t))),
        ("throttle.thermal", Quantity::ThermalThrottleTime, &|t| 3.0 + (t - 9.5).clamp(0.0, 1.0)),
        ("clock.core", Quantity::CoreClock, &|t| 1.98e9 - 1e7 * t),
        ("clock.memory", Quantity::MemoryClock, &|_| 3.2e9),
        ("power.limit", Quantity::PowerLimit, &|_| 650.0),
        ("power.limit.default", Quantity::PowerLimit, &|_| 700.0),
        ("processes", Quantity::ProcessCount, &|_| 2.0),
    ];
    let at = |t: &Nanoseconds| t.0 as f64 / 1e9;
    telemetry.source.channels = columns.iter().map(|(id, q, _)| Channel::new(id, *q, Scope::Board)).collect();
    telemetry.columns = columns
        .iter()
        .map(|(id, _, value)| ChannelTrace {
            channel: (*id).to_owned(),
            values: telemetry.t_ns.iter().map(|t| Some(value(at(t)))).collect(),
        })
        .collect();
    record.traces.push(telemetry);
    record
}

#[test]
fn the_conditions_of_a_board_that_tells_much() {
    let text = conditions_text(&with_telemetry(), 100);
    assert!(widest(&text) <= 100, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_sources_side_by_side() {
    let text = sources_text(&sample::record(), 100);
    assert!(widest(&text) <= 100, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_methodology_claims() {
    let text = claims_text(&sample::record(), 100);
    assert!(widest(&text) <= 100 && !text.contains("MLPerf"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_three_views_fit_any_common_width() {
    let record = with_telemetry();
    for width in [100, 120, 160] {
        for text in [conditions_text, sources_text, claims_text].map(|view| view(&record, width)) {
            assert!(widest(&text) <= width, "{width}: {text}");
        }
    }
}

#[test]
fn a_record_without_cases_or_sources_says_so_in_every_view() {
    let mut record = sample::record();
    (record.measurements, record.traces) = (Vec::new(), Vec::new());
    assert!(conditions_text(&record, 100).contains("no case was measured"));
    assert!(sources_text(&record, 100).contains("no power source was read"));
    assert!(claims_text(&record, 100).contains("no measured source read a case"));
}

#[test]
fn the_uncertainty_budgets_at_100_columns() {
    let record = sample::record();
    let text = uncertainty_text(&record, &sample::result(&record), 100);
    assert!(widest(&text) <= 100, "{}: {text}", widest(&text));
    insta::assert_snapshot!(text);
}

#[test]
fn a_corrected_energy_names_its_reference_and_a_record_without_energy_says_so() {
    let record = sample::record();
    let mut result = sample::result(&record);
    for energy in result.cases.iter_mut().flat_map(|case| &mut case.energy) {
        energy.uncertainty.gain_from = crate::measure::result::GainOrigin::Correction;
        energy.correction = Some(crate::model::Correction {
            gain: 0.95,
            offset_w: crate::units::Watts::new(-20.0),
            error: crate::units::Ratio::new(0.01),
            against: "shelly:plug/power".to_owned(),
            scope_note: Some("the whole machine at the wall".to_owned()),
            measured: "2026-01-01T00:00:00Z".to_owned(),
        });
    }
    let text = uncertainty_text(&record, &result, 100);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("left by shelly:plug/power") && text.contains("the whole machine at the wall"), "{text}");
    result.cases.iter_mut().for_each(|case| case.energy.clear());
    assert!(uncertainty_text(&record, &result, 100).contains("no energy was read"));
}
