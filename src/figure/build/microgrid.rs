//! `microgrid`: what fed the load, step by step, with the battery's state of charge below.

use super::{ChartSource, averaged, averaged_note, basis_sentences, begin_account, words};
use crate::figure::text::number;
use crate::figure::{
    Axis, Cell, ClockLayer, ClockLine, ClockPanel, DOUBLE_COLUMN_MM, Figure, Ink, LegendEntry, Panel, Sign, Stroke,
    Table, Texture, Weave,
};

/// One layer of supply.
#[derive(Debug, Clone, PartialEq)]
pub struct SupplyLayer {
    /// `solar`, `wind`, `hydro`, `battery`, `grid`, `unserved`.
    pub name: String,
    /// Mean watts of each step that went to the load.
    pub watts: Vec<f64>,
}

/// Supply, load and state of charge over time.
#[derive(Debug, Clone, PartialEq)]
pub struct MicrogridChart {
    /// What it rests on.
    pub source: ChartSource,
    /// Name of the site.
    pub site: String,
    /// Instant of the first step, as text.
    pub from: String,
    /// Length of a step in seconds.
    pub step_s: f64,
    /// Layers from the bottom; together they are the load.
    pub layers: Vec<SupplyLayer>,
    /// Mean watts of the load in each step, PUE included.
    pub load: Vec<f64>,
    /// Mean watts generated in each step, used or not.
    pub generation: Vec<f64>,
    /// State of charge at the end of each step, 0 to 1; empty without a battery.
    pub state_of_charge: Vec<f64>,
    /// A sentence that must stand in the figure: illustrative profiles, an averaged stretch.
    pub notes: Vec<String>,
}

/// Heights of the two frames in millimetres.
const SUPPLY_MM: f64 = 50.0;
const CHARGE_MM: f64 = 18.0;

/// Stacked supply with the load's outline, and the state of charge below it.
pub fn microgrid(chart: &MicrogridChart) -> Figure {
    let mut figure = begin_account("microgrid", format!("Micro-grid: {}", chart.site), &chart.source, DOUBLE_COLUMN_MM);
    figure.table = table(chart);
    figure.notes.extend(chart.notes.iter().cloned());
    let steps = chart.load.len();
    let each = averaged(&known(&chart.load)).0;
    if steps == 0 || chart.step_s.is_nan() || chart.step_s <= 0.0 {
        figure.panels.push(words("Supply", "There is no step."));
    } else {
        figure.legend = legend(chart);
        figure.panels.push(Panel::Clock(supply(chart)));
        if !chart.state_of_charge.is_empty() {
            let soc: Vec<f64> = chart.state_of_charge.iter().map(|part| part * 100.0).collect();
            let line = ClockLine { name: "state of charge".to_owned(), stroke: Stroke::Series, values: drawn(&soc) };
            figure.panels.push(Panel::Clock(ClockPanel {
                y: Axis::from_zero("Charge", "%", 100.0),
                height_mm: CHARGE_MM,
                lines: vec![line],
                ..frame(chart)
            }));
        }
        if let Some(Panel::Clock(last)) = figure.panels.last_mut() {
            last.timed = true;
        }
        figure.notes.extend(averaged_note(each));
    }
    figure.caption = caption(chart, each);
    figure.alt = alt(chart);
    figure
}

fn known(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().map(|value| Some(*value).filter(|value| value.is_finite())).collect()
}

/// Values as they are drawn: at most so many that print resolves them.
fn drawn(values: &[f64]) -> Vec<Option<f64>> {
    averaged(&known(values)).1
}

/// A panel without content.
fn frame(chart: &MicrogridChart) -> ClockPanel {
    let each = averaged(&known(&chart.load)).0 as f64;
    ClockPanel {
        from: chart.from.clone(),
        step_s: chart.step_s * each,
        until_s: chart.load.len() as f64 * chart.step_s,
        y: Axis::from_zero("Power", "W", 1.0),
        height_mm: SUPPLY_MM,
        timed: false,
        layers: Vec::new(),
        lines: Vec::new(),
        gaps: Vec::new(),
        lanes: Vec::new(),
    }
}

fn supply(chart: &MicrogridChart) -> ClockPanel {
    let layers: Vec<ClockLayer> = chart
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| ClockLayer {
            name: layer.name.clone(),
            texture: texture(&layer.name, index),
            values: drawn(&layer.watts).into_iter().map(|watts| watts.unwrap_or(0.0)).collect(),
        })
        .collect();
    let line = |name: &str, stroke, watts: &[f64]| ClockLine { name: name.to_owned(), stroke, values: drawn(watts) };
    let mut lines = vec![line("load", Stroke::Strong, &chart.load)];
    if !chart.generation.is_empty() {
        lines.insert(0, line("generation", Stroke::Dashed, &chart.generation));
    }
    let highest = lines.iter().flat_map(|line| line.values.iter().flatten().copied()).fold(0.0, f64::max);
    let stacked = (0..layers.first().map_or(0, |layer| layer.values.len()))
        .map(|step| layers.iter().filter_map(|layer| layer.values.get(step)).sum())
        .fold(0.0, f64::max);
    ClockPanel { y: Axis::from_zero("Power", "W", highest.max(stacked)), layers, lines, ..frame(chart) }
}

/// Colour and stripes of a supply; names that are not known take those that are left.
fn texture(name: &str, index: usize) -> Texture {
    let (series, weave) = match name {
        "solar" => (4, Weave::Plain),
        "wind" => (5, Weave::Rising),
        "hydro" => (0, Weave::Level),
        "battery" => (2, Weave::Crossed),
        "grid" => (3, Weave::Falling),
        "unserved" => (1, Weave::Upright),
        _ => (index, [Weave::Level, Weave::Rising, Weave::Upright, Weave::Falling][index % 4]),
    };
    Texture { ink: Ink::Series(series), weave }
}

fn legend(chart: &MicrogridChart) -> Vec<LegendEntry> {
    let used = |layer: &&SupplyLayer| layer.watts.iter().any(|watts| *watts > 0.0);
    let mut legend: Vec<LegendEntry> = chart
        .layers
        .iter()
        .enumerate()
        .filter(|(_, layer)| used(layer))
        .map(|(index, layer)| LegendEntry {
            sign: Sign::Texture(texture(&layer.name, index)),
            text: layer.name.clone(),
        })
        .collect();
    let line = |stroke, text: &str| LegendEntry { sign: Sign::Stroke(stroke), text: text.to_owned() };
    legend.push(line(Stroke::Strong, "load"));
    if !chart.generation.is_empty() {
        legend.push(line(Stroke::Dashed, "generation, used or not"));
    }
    if !chart.state_of_charge.is_empty() {
        legend.push(line(Stroke::Series, "battery's state of charge"));
    }
    legend
}

/// Kilowatt-hours of some watts over the chart.
fn energy_words(chart: &MicrogridChart, watts: &[f64]) -> String {
    let joules: f64 = watts.iter().filter(|watts| watts.is_finite()).sum::<f64>() * chart.step_s;
    format!("{} kWh", number(joules / 3.6e6, 3))
}

fn alt(chart: &MicrogridChart) -> String {
    let parts: Vec<String> =
        chart.layers.iter().map(|layer| format!("{} {}", layer.name, energy_words(chart, &layer.watts))).collect();
    format!(
        "Stacked areas of the power that fed a load of {} at {} from {}: {}.",
        energy_words(chart, &chart.load),
        chart.site,
        chart.from,
        parts.join(", ")
    )
}

fn caption(chart: &MicrogridChart, each: usize) -> String {
    let charge = if chart.state_of_charge.is_empty() {
        ""
    } else {
        " Below: the battery's state of charge at the end of each step, 0 % empty and 100 % full."
    };
    let mut notes = chart.notes.clone();
    notes.extend(averaged_note(each));
    let notes: String = notes.iter().map(|note| format!(" {}.", super::account_sentence(note))).collect();
    format!(
        "What fed {} at {} from {}, in {} steps of {} s. Areas: mean power of each step that went to the load, stacked; \
         strong line: the load, PUE included; dashed line: generation, used or not.{charge}{notes} No interval is drawn. {}",
        chart.source.subject,
        chart.site,
        chart.from,
        chart.load.len(),
        number(chart.step_s, 6),
        basis_sentences(&chart.source)
    )
}

fn table(chart: &MicrogridChart) -> Table {
    let layers: Vec<String> = chart.layers.iter().map(|layer| format!("{}_w", layer.name)).collect();
    let mut names = vec!["from_s", "until_s", "load_w"];
    names.extend(layers.iter().map(String::as_str));
    names.extend(["generation_w", "state_of_charge_end"]);
    let mut table = Table::new(&names);
    for (step, load) in chart.load.iter().enumerate() {
        let from = step as f64 * chart.step_s;
        let mut row: Vec<Cell> = vec![from.into(), (from + chart.step_s).into(), (*load).into()];
        row.extend(chart.layers.iter().map(|layer| Cell::from(layer.watts.get(step).copied())));
        row.push(chart.generation.get(step).copied().into());
        row.push(chart.state_of_charge.get(step).copied().into());
        table.push(row);
    }
    table
}
