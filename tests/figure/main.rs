//! Figures of hand-built records: their data, and the structure of their SVG.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod compared;
mod costs;
mod page;
mod samples;

use proptest::prelude::*;
use wattmark::figure::{
    Figure, FigureError, HEAT, Ink, Panel, RegionChart, RowEntry, SERIES, STANDARD_FIGURES, Tone, bandwidth,
    standard_figures, svg,
};
use wattmark::measure::result::RunResult;
use wattmark::model::{ElementType, Preset, RunRecord, Shape};

type Sample = (RunRecord, RunResult, RegionChart);

fn figures_of(sample: &Sample) -> Vec<Figure> {
    standard_figures(&sample.0, &sample.1, Some(&sample.2))
}

fn all_figures() -> Vec<Figure> {
    [samples::h200(), samples::llvmpipe()].iter().flat_map(figures_of).collect()
}

fn figure(sample: &Sample, id: &str) -> Figure {
    figures_of(sample).into_iter().find(|figure| figure.id == id).unwrap()
}

/// Every colour that a figure may use.
fn palette() -> Vec<&'static str> {
    let tones = [Tone::Idle, Tone::Preheat, Tone::Measured].map(|tone| Ink::Tone(tone).hex());
    let plain = [Ink::Paper, Ink::Text, Ink::Quiet, Ink::Axis, Ink::Grid, Ink::Stripe].map(Ink::hex);
    [&tones[..], &plain[..], &SERIES[..], &HEAT[..], &["none"]].concat()
}

/// Checks all that must hold on every page, whatever is on it.
fn check_page(figure: &Figure) {
    let drawn = svg::render(figure).unwrap();
    let elements = page::parse(&drawn);
    let root = &elements[0];
    let canvas: Vec<f64> = root.get("viewBox").unwrap().split(' ').map(|part| part.parse().unwrap()).collect();
    assert_eq!(root.get("width").unwrap(), format!("{}mm", figure.width_mm));
    assert_eq!(canvas[2], figure.width_mm * 100.0);
    let boxes = page::text_boxes(&elements);
    assert!(!boxes.is_empty(), "{} has no text at all", figure.id);
    for (index, text) in boxes.iter().enumerate() {
        let inside = text.left >= 0.0 && text.top >= 0.0 && text.right <= canvas[2] && text.bottom <= canvas[3];
        assert!(inside, "{}: {text:?} leaves the page {canvas:?}", figure.id);
        if let Some(other) = boxes[..index].iter().find(|other| other.overlaps(text)) {
            panic!("{}: {text:?} overlaps {other:?}", figure.id);
        }
    }
    let palette = palette();
    for element in &elements {
        for name in ["fill", "stroke"] {
            if let Some(colour) = element.get(name) {
                assert!(palette.contains(&colour), "{}: {colour} is not in the palette", figure.id);
            }
        }
        if let Some(width) = element.get("stroke-width") {
            // 0.5 pt is 17.6 hundredths of a millimetre.
            assert!(width.parse::<f64>().unwrap() >= 17.6, "{}: a stroke of {width}", figure.id);
        } else if element.get("stroke").is_some_and(|stroke| stroke != "none") {
            panic!("{}: {element:?} has a stroke without a width", figure.id);
        }
        if let Some(size) = element.get("font-size") {
            // 7 pt is 247 hundredths of a millimetre.
            assert!(size.parse::<u32>().unwrap() >= 247, "{}: text of size {size}", figure.id);
        }
    }
}

#[test]
fn every_page_keeps_its_texts_apart_its_strokes_visible_and_its_colours_to_the_palette() {
    all_figures().iter().for_each(check_page);
}

#[test]
fn a_page_of_any_common_width_keeps_its_texts_apart() {
    for width_mm in [85.0, 89.0, 120.0, 183.0, 250.0] {
        for figure in all_figures() {
            check_page(&Figure { width_mm, ..figure });
        }
    }
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    for (first, second) in all_figures().iter().zip(&all_figures()) {
        assert_eq!(svg::render(first).unwrap(), svg::render(second).unwrap());
        assert_eq!(first.csv(), second.csv());
    }
}

#[test]
fn every_document_has_a_title_a_description_and_its_run() {
    let sample = samples::h200();
    for figure in figures_of(&sample) {
        let drawn = svg::render(&figure).unwrap();
        let elements = page::parse(&drawn);
        let text_of = |name: &str| elements.iter().find(|element| element.name == name).unwrap().text.clone();
        assert_eq!(text_of("title"), figure.title);
        assert_eq!(text_of("desc"), figure.alt);
        assert_eq!(text_of("wattmark:run"), sample.0.run_id);
        assert!(!boxes_contain(&drawn, &figure.title), "the title is drawn inside {}", figure.id);
        assert!(figure.caption.contains(&sample.0.run_id), "{}", figure.caption);
    }
}

fn boxes_contain(drawn: &str, words: &str) -> bool {
    page::text_boxes(&page::parse(drawn)).iter().any(|text| text.text == words)
}

#[test]
fn the_standard_figures_come_in_their_order() {
    let ids: Vec<String> = figures_of(&samples::h200()).into_iter().map(|figure| figure.id).collect();
    assert_eq!(ids, STANDARD_FIGURES);
}

#[test]
fn captions_define_the_whiskers_or_say_why_there_are_none() {
    let measured = figure(&samples::h200(), "efficiency").caption;
    assert!(measured.contains("95 % interval") && measured.contains("n = 5; Student's t"), "{measured}");
    let estimated = figure(&samples::llvmpipe(), "efficiency").caption;
    assert!(estimated.contains("No whiskers") && estimated.contains("ESTIMATED"), "{estimated}");
}

#[test]
fn an_estimate_has_stripes_a_word_and_no_whisker() {
    let figure = figure(&samples::llvmpipe(), "efficiency");
    assert!(figure.legend.iter().any(|entry| entry.text == "Package energy, ESTIMATED, not measured"));
    let Panel::Bars(bars) = &figure.panels[0] else { panic!("bars") };
    let RowEntry::Bar { interval, fill, remark, .. } = &bars.rows[0].entry else { panic!("a bar") };
    assert_eq!((*interval, fill.hatch, remark.as_str()), (None, wattmark::figure::Hatch::Rising, "est."));
}

#[test]
fn a_skipped_or_unverified_case_is_a_row_of_words_and_never_a_zero() {
    let figure = figure(&samples::llvmpipe(), "efficiency");
    let rows: Vec<_> = figure
        .panels
        .iter()
        .flat_map(|panel| if let Panel::Bars(bars) = panel { bars.rows.clone() } else { Vec::new() })
        .collect();
    let entry = |variant: &str| rows.iter().find(|row| row.label == variant).unwrap().entry.clone();
    assert_eq!(entry("fma/f16"), RowEntry::Words("skipped: no f16".to_owned()));
    assert_eq!(entry("swiglu/fused"), RowEntry::Words("no value: verification failed".to_owned()));
    assert_eq!(rows.len(), 14);
    let csv = figure.csv();
    let failed = csv.lines().find(|line| line.contains("swiglu/fused")).unwrap();
    assert!(failed.ends_with("B/J,,,,,,,,no value: verification failed"), "{failed}");
}

#[test]
fn a_record_without_power_says_so_instead_of_drawing_axes() {
    let (mut record, mut result, _) = samples::h200();
    record.traces.clear();
    result.cases.iter_mut().for_each(|case| case.energy.clear());
    let figures = standard_figures(&record, &result, None);
    let empty: Vec<&str> = figures.iter().filter(|figure| figure.is_empty()).map(|figure| figure.id.as_str()).collect();
    assert_eq!(empty, ["efficiency", "throughput-power", "power-trace"]);
    for figure in &figures {
        check_page(figure);
    }
    let Panel::Words { reason, .. } = &figures[3].panels[0] else { panic!("words") };
    assert_eq!(reason, "No power source took part in this run: there is no reading of power or energy.");
}

#[test]
fn a_record_without_a_verified_case_has_four_figures_of_words() {
    let (mut record, mut result, _) = samples::h200();
    record.traces.clear();
    result.ceilings.clear();
    for case in &mut result.cases {
        (case.verified, case.flop_rate, case.byte_rate) = (false, None, None);
        case.energy.clear();
    }
    for figure in standard_figures(&record, &result, None) {
        assert!(figure.is_empty(), "{}", figure.id);
        check_page(&figure);
    }
}

#[test]
fn an_empty_record_still_gives_readable_pages() {
    let record = samples::empty_record("20260301T080000Z-x-1", Preset::Quick);
    for figure in standard_figures(&record, &RunResult::default(), None) {
        assert!(figure.is_empty(), "{}", figure.id);
        check_page(&figure);
    }
}

#[test]
fn a_missing_ceiling_is_a_note_and_not_a_line() {
    let (record, mut result, _) = samples::h200();
    result
        .ceilings
        .values_mut()
        .for_each(|ceilings| ceilings.arithmetic.retain(|(_, element), _| *element != ElementType::F32));
    let figure = standard_figures(&record, &result, None).remove(2);
    assert_eq!(figure.notes, ["No f32 ceiling: no verified f32 multiply-add probe in this run."]);
    let Panel::Points(points) = &figure.panels[0] else { panic!("points") };
    assert!(points.guides.iter().all(|guide| !guide.label.starts_with("f32")));
    check_page(&figure);
}

#[test]
fn a_gap_breaks_the_line_of_its_source() {
    let figure = figure(&samples::h200(), "power-trace");
    let Panel::Trace(trace) = &figure.panels[0] else { panic!("a trace") };
    let segments: Vec<usize> = trace.lines.iter().map(|line| line.segments.len()).collect();
    assert_eq!(segments, [2, 1]);
    let (before, after) = (trace.lines[0].segments[0].last().unwrap().0, trace.lines[0].segments[1][0].0);
    assert!(before < 400.0 && after >= 408.0, "the gap from 400 s to 408 s is bridged: {before} to {after}");
}

#[test]
fn regions_stand_in_order_of_grams_on_the_same_joules() {
    let sample = samples::h200();
    let figure = figure(&sample, "carbon-regions");
    let Panel::Bars(bars) = &figure.panels[0] else { panic!("bars") };
    let grams: Vec<f64> = bars
        .rows
        .iter()
        .map(|row| if let RowEntry::Bar { value, .. } = row.entry { value } else { panic!("a bar") })
        .collect();
    assert!(grams.windows(2).all(|pair| pair[0] <= pair[1]));
    let chosen: Vec<&str> = bars.rows.iter().filter(|row| row.highlighted).map(|row| row.label.as_str()).collect();
    assert_eq!(chosen, ["Qinghai (CN-QH)"]);
    assert!(figure.notes.iter().any(|note| note.contains("do not count the same thing")), "{:?}", figure.notes);
    for words in [
        "Only the grid factor changes",
        "do not count the same thing",
        "17.00 MJ",
        "PUE of 1.2 (declared)",
        "board, measured",
    ] {
        assert!(figure.caption.contains(words), "{words}: {}", figure.caption);
    }
}

#[test]
fn an_impossible_width_is_refused_with_the_permitted_range() {
    let figure = Figure { width_mm: f64::NAN, ..figure(&samples::h200(), "roofline") };
    let error = svg::render(&figure).unwrap_err();
    assert!(matches!(error, FigureError::Width { .. }) && error.to_string().contains("between 60 and 1189 mm"));
}

/// Numbers rounded to six digits, because logarithms differ in their last bits between platforms.
fn rounded(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => {
            let text = format!("{:.5e}", number.as_f64().unwrap());
            serde_json::json!(text.parse::<f64>().unwrap())
        }
        serde_json::Value::Array(items) => items.into_iter().map(rounded).collect(),
        serde_json::Value::Object(fields) => fields.into_iter().map(|(key, field)| (key, rounded(field))).collect(),
        other => other,
    }
}

#[test]
fn figure_data_are_as_recorded() {
    for id in ["efficiency", "throughput-power", "roofline", "carbon-regions"] {
        let data = rounded(serde_json::to_value(figure(&samples::llvmpipe(), id)).unwrap());
        insta::assert_json_snapshot!(id, data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn names_of_any_length_neither_overlap_nor_leave_the_page(
        names in prop::collection::vec("[a-z]{1,18}(-[a-z0-9]{1,14}){0,3}/[a-z]{1,14}", 14),
        scale in 1e-3f64..1e3,
        width_mm in 80f64..200.0,
    ) {
        let (record, mut result, _) = samples::h200();
        for (case, name) in result.cases.iter_mut().zip(names) {
            case.case.variant = name;
            for energy in &mut case.energy {
                energy.power.point = energy.power.point * scale;
            }
        }
        for figure in standard_figures(&record, &result, None).into_iter().take(3) {
            check_page(&Figure { width_mm: width_mm.round(), ..figure });
        }
    }
}

/// Leaves all sample figures in the folder named by `WATTMARK_PICTURES`, or in the build's temporary one, to be looked at.
#[test]
fn every_sample_figure_is_drawn_with_its_numbers_and_caption() {
    let folder = std::env::var_os("WATTMARK_PICTURES").map_or_else(
        || std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
        std::path::PathBuf::from,
    );
    std::fs::create_dir_all(&folder).unwrap();
    for (name, sample) in [("h200", samples::h200()), ("llvmpipe", samples::llvmpipe()), ("crowded", crowded())] {
        for figure in figures_of(&sample) {
            let path = |ending: &str| folder.join(format!("{name}-{}.{ending}", figure.id));
            std::fs::write(path("svg"), svg::render(&figure).unwrap()).unwrap();
            assert!(figure.csv().lines().count() > 1 && !figure.caption.is_empty(), "{name} {}", figure.id);
            std::fs::write(path("csv"), figure.csv()).unwrap();
            std::fs::write(path("caption.txt"), &figure.caption).unwrap();
        }
    }
}

/// Two devices, three shapes of one variant, windows that take turns, and 100 000 readings of each of four sources.
fn crowded() -> Sample {
    let (mut record, mut result, regions) = samples::h200();
    let mut second = record.devices[0].clone();
    second.ordinal = 1;
    record.devices.push(second);
    let ceilings = result.ceilings[&0].clone();
    result.ceilings.insert(1, ceilings);
    let mut others = result.cases.clone();
    others.iter_mut().for_each(|case| case.case.device = 1);
    for case in &mut others[3..6] {
        case.case.variant = "gemm/tiled-f32".to_owned();
    }
    result.cases.extend(others);
    for (index, measurement) in record.measurements.iter_mut().enumerate() {
        for (turn, window) in measurement.windows.iter_mut().enumerate() {
            let start = (turn * 14 + index) as u64 * 14_000_000_000;
            window.start_ns.0 = start;
            window.end_ns.0 = start + 12_000_000_000;
        }
    }
    let source = |id: &str, device| {
        let readings = (0..100_000).map(|i| Some(300.0 + 200.0 * (f64::from(i) * 0.01).sin())).collect();
        samples::source(id, device, wattmark::model::Scope::Board, wattmark::model::Evidence::Measured, readings)
    };
    record.traces = vec![
        source("nvml:0000:19:00.0", Some(0)),
        source("nvml:0000:1a:00.0", Some(1)),
        source("rapl:package-0", None),
        source("rapl:package-1", None),
    ];
    (record, result, regions)
}

#[test]
fn two_devices_have_panels_of_their_own_and_a_crowded_page_keeps_its_texts_apart() {
    let sample = crowded();
    for figure in figures_of(&sample) {
        check_page(&figure);
    }
    let headings: Vec<String> = figure(&sample, "power-trace")
        .panels
        .iter()
        .map(|panel| if let Panel::Trace(trace) = panel { trace.heading.clone() } else { panic!("a trace") })
        .collect();
    assert_eq!(headings, ["0: NVIDIA H200", "1: NVIDIA H200", "Host"]);
}

#[test]
fn a_long_trace_is_thinned_to_what_print_resolves() {
    let figure = figure(&crowded(), "power-trace");
    for panel in &figure.panels {
        let Panel::Trace(trace) = panel else { panic!("a trace") };
        for line in &trace.lines {
            let vertices: usize = line.segments.iter().map(Vec::len).sum();
            assert!((1000..=2002).contains(&vertices), "{}: {vertices}", line.name);
        }
    }
    assert!(svg::render(&figure).unwrap().len() < 500_000);
}

#[test]
fn a_sweep_of_array_sizes_is_one_line_for_each_probe_and_a_run_without_one_has_no_such_figure() {
    let (record, mut result, _) = samples::h200();
    assert!(bandwidth(&record, &result).is_none());
    let probe = result.cases.iter().find(|case| case.case.problem == "memory-copy").unwrap().clone();
    result.cases = Vec::new();
    for problem in ["memory-read", "memory-copy", "memory-triad"] {
        for power in [14, 18, 22, 26] {
            let mut case = probe.clone();
            case.case.problem = problem.to_owned();
            case.case.variant = format!("{problem}/x-f32");
            case.case.shape = Shape::new([("n", 1 << power)]);
            result.cases.push(case);
        }
    }
    let figure = bandwidth(&record, &result).unwrap();
    let [Panel::Points(points)] = figure.panels.as_slice() else { panic!("one panel of points") };
    // Three lines of four points each; sizes of 64 KiB to 256 MiB.
    assert_eq!((points.points.len(), points.guides.len()), (12, 9));
    assert_eq!((points.points[0].at.0, points.points[3].at.0), (65_536.0, 268_435_456.0));
    assert_eq!(figure.legend.len(), 3);
    assert_eq!(figure.csv().lines().count(), 13);
    check_page(&figure);
    check_page(&Figure { width_mm: 183.0, ..figure });
}
