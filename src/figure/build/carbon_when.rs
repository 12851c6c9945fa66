//! `carbon-when`: carbon intensity over time with the windows that were chosen.

use super::{ChartSource, averaged, averaged_note, basis_sentences, begin_account, words};
use crate::figure::text::number;
use crate::figure::{
    Axis, Cell, ClockLine, ClockPanel, DOUBLE_COLUMN_MM, Figure, Ink, Lane, LegendEntry, Panel, Sign, Stroke, Table,
    Texture, Weave,
};

/// A stretch of time that a rule chose for the job.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenWindow {
    /// `run now`, `best start`, `worst start`, `interruptible`.
    pub name: String,
    /// Stretches in seconds since the first step of the chart.
    pub stretches_s: Vec<(f64, f64)>,
    /// Grams of the job there.
    pub grams: f64,
}

/// Intensity over time with the chosen windows.
#[derive(Debug, Clone, PartialEq)]
pub struct WhenChart {
    /// What it rests on.
    pub source: ChartSource,
    /// Zone and file of the series.
    pub series: String,
    /// Gas and unit: `g CO2e/kWh`.
    pub unit: String,
    /// Instant of the first step, as text (`2022-03-01 00:00 UTC`).
    pub from: String,
    /// Length of a step in seconds.
    pub step_s: f64,
    /// Intensity of each step; `None` where the series has none to trust.
    pub values: Vec<Option<f64>>,
    /// Windows, the most important first.
    pub windows: Vec<ChosenWindow>,
    /// Mean grams over all allowed starts.
    pub mean_grams: Option<f64>,
}

/// Height of the frame in millimetres.
const HEIGHT_MM: f64 = 48.0;

/// Intensity as steps over time; chosen windows as marked stretches; untrusted steps as breaks.
pub fn carbon_when(chart: &WhenChart) -> Figure {
    let mut figure =
        begin_account("carbon-when", format!("When to run: {}", chart.series), &chart.source, DOUBLE_COLUMN_MM);
    figure.table = table(chart);
    let known: Vec<f64> = chart.values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    let highest = known.iter().copied().fold(0.0, f64::max);
    let (each, values) = averaged(&chart.values);
    let gaps = gaps(&values, each as f64 * chart.step_s, chart.values.len() as f64 * chart.step_s);
    if chart.values.is_empty() || chart.step_s.is_nan() || chart.step_s <= 0.0 {
        figure.panels.push(words("Carbon intensity", "The series has no step."));
    } else if known.is_empty() {
        figure.panels.push(words("Carbon intensity", "The series has no value to trust in this stretch of time."));
    } else {
        figure.legend = legend(chart, !gaps.is_empty());
        figure.panels.push(Panel::Clock(ClockPanel {
            from: chart.from.clone(),
            step_s: each as f64 * chart.step_s,
            until_s: chart.values.len() as f64 * chart.step_s,
            y: Axis::from_zero("Carbon intensity", &chart.unit.replacen("g ", "g", 1), highest),
            height_mm: HEIGHT_MM,
            timed: true,
            layers: Vec::new(),
            lines: vec![ClockLine { name: "carbon intensity".to_owned(), stroke: Stroke::Series, values }],
            gaps,
            lanes: lanes(chart),
        }));
        figure.notes.extend(averaged_note(each));
    }
    figure.caption = caption(chart, each);
    let chosen: Vec<String> = chart.windows.iter().map(|window| entry_words(chart, window)).collect();
    figure.alt = format!(
        "Carbon intensity of {} from {} over {} h, at most {} {}; {}.",
        chart.series,
        chart.from,
        number(chart.values.len() as f64 * chart.step_s / 3600.0, 4),
        number(highest, 3),
        chart.unit,
        if chosen.is_empty() { "no window was chosen".to_owned() } else { chosen.join("; ") }
    );
    figure
}

/// Stretches without a value.
fn gaps(values: &[Option<f64>], step_s: f64, until_s: f64) -> Vec<(f64, f64)> {
    let mut gaps: Vec<(f64, f64)> = Vec::new();
    for (index, _) in values.iter().enumerate().filter(|(_, value)| value.is_none()) {
        let (from, until) = (index as f64 * step_s, ((index as f64 + 1.0) * step_s).min(until_s));
        match gaps.last_mut() {
            Some(last) if (last.1 - from).abs() < step_s * 1e-6 => last.1 = until,
            _ => gaps.push((from, until)),
        }
    }
    gaps
}

/// Colour and stripes of the n-th rule.
fn texture(index: usize) -> Texture {
    const TEXTURES: [(usize, Weave); 6] = [
        (0, Weave::Plain),
        (2, Weave::Rising),
        (1, Weave::Crossed),
        (4, Weave::Falling),
        (3, Weave::Upright),
        (5, Weave::Level),
    ];
    let (series, weave) = TEXTURES[index % TEXTURES.len()];
    Texture { ink: Ink::Series(series), weave }
}

fn lanes(chart: &WhenChart) -> Vec<Lane> {
    let lane = |(index, window): (usize, &ChosenWindow)| Lane {
        name: window.name.clone(),
        texture: texture(index),
        stretches_s: window.stretches_s.clone(),
    };
    chart.windows.iter().enumerate().map(lane).collect()
}

/// Grams with the series' gas: `12.3 kg CO2e`.
fn grams_words(chart: &WhenChart, grams: f64) -> String {
    let gas = chart.unit.split('/').next().unwrap_or_default().trim_start_matches('g').trim();
    let axis = Axis::from_zero("", &format!("g {gas}"), grams);
    axis.show(grams, 3).trim_end().to_owned()
}

fn entry_words(chart: &WhenChart, window: &ChosenWindow) -> String {
    format!("{}: {}", window.name, grams_words(chart, window.grams))
}

fn legend(chart: &WhenChart, gaps: bool) -> Vec<LegendEntry> {
    let mut legend = vec![LegendEntry { sign: Sign::Stroke(Stroke::Series), text: "carbon intensity".to_owned() }];
    legend.extend(
        chart.windows.iter().enumerate().map(|(index, window)| LegendEntry {
            sign: Sign::Texture(texture(index)),
            text: entry_words(chart, window),
        }),
    );
    legend.extend(chart.mean_grams.map(|grams| LegendEntry {
        sign: Sign::None,
        text: format!("mean over allowed starts: {}", grams_words(chart, grams)),
    }));
    if gaps {
        let sign = Sign::Texture(Texture { ink: Ink::Grid, weave: Weave::Rising });
        legend.push(LegendEntry { sign, text: "no value to trust".to_owned() });
    }
    legend
}

fn caption(chart: &WhenChart, each: usize) -> String {
    let missing = chart.values.iter().filter(|value| value.is_none()).count();
    let averaged = averaged_note(each).map_or_else(String::new, |note| format!(" {note}"));
    let mean = chart.mean_grams.map_or_else(String::new, |grams| {
        format!(" The mean over all allowed starts is {}.", grams_words(chart, grams))
    });
    format!(
        "Carbon intensity of the grid ({}, {}) from {}, {} steps of {} s each; a step holds its value for its whole \
         length. Grey stripes: steps without a value to trust ({missing} of {}). Lanes below: when {} runs under each rule, \
         with its operational grams in the legend; no interval is drawn.{mean}{averaged} {}",
        chart.series,
        chart.unit,
        chart.from,
        chart.values.len(),
        number(chart.step_s, 6),
        chart.values.len(),
        chart.source.subject,
        basis_sentences(&chart.source)
    )
}

fn table(chart: &WhenChart) -> Table {
    let mut table = Table::new(&["kind", "name", "from_s", "until_s", "intensity_g_per_kwh", "grams"]);
    for (index, value) in chart.values.iter().enumerate() {
        let from = index as f64 * chart.step_s;
        let until = from + chart.step_s;
        table.push(vec!["step".into(), Cell::Empty, from.into(), until.into(), (*value).into(), Cell::Empty]);
    }
    for window in &chart.windows {
        for (from, until) in &window.stretches_s {
            let name = window.name.as_str().into();
            table.push(vec!["window".into(), name, (*from).into(), (*until).into(), Cell::Empty, window.grams.into()]);
        }
    }
    if let Some(grams) = chart.mean_grams {
        let name = "mean over allowed starts".into();
        table.push(vec!["mean".into(), name, Cell::Empty, Cell::Empty, Cell::Empty, grams.into()]);
    }
    table
}
