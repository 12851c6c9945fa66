//! `carbon-regions`: one measurement, accounted on the grids of several regions.
//!
//! What surprises people: nothing but the grid factor differs between the bars; the joules are the same in all of them.

use super::*;
use crate::figure::{BarPanel, BarRow, SINGLE_COLUMN_MM};
use crate::model::{Basis, FactorMethod, Gas};
use crate::units::{GramsCo2e, GramsPerKilowattHour, Joules};

const COLUMNS: [&str; 18] = [
    "region",
    "name",
    "grams",
    "low_g",
    "high_g",
    "confidence",
    "gas",
    "factor_year",
    "factor_basis",
    "factor_g_per_kwh",
    "factor_method",
    "factor_upstream",
    "factor_publisher",
    "energy_j",
    "pue",
    "windows",
    "evidence",
    "chosen",
];

/// The footprint of one job on one region's grid.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionBar {
    /// Region code, for example `CN-QH`.
    pub code: String,
    /// Region's name in English.
    pub name: String,
    /// Grams per job; the interval is the energy's.
    pub grams: Estimate<GramsCo2e>,
    /// Gas counted by the factor.
    pub gas: Gas,
    /// Year the factor describes.
    pub year: Option<u16>,
    /// Which electricity the factor describes.
    pub basis: Basis,
    /// The factor itself.
    pub intensity: GramsPerKilowattHour,
    /// Average or marginal.
    pub method: FactorMethod,
    /// Upstream emissions included; `None` if unknown.
    pub life_cycle: Option<bool>,
    /// Who published the factor.
    pub publisher: String,
}

/// One measurement accounted in several regions.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionChart {
    /// The job in words, for example `1 EFLOP of gemm/tiled-f32 at k=m=n=4096`.
    pub job: String,
    /// Energy of one job at the device (before PUE).
    pub energy: Estimate<Joules>,
    /// What the joules include.
    pub scope: Scope,
    /// How the joules came about.
    pub evidence: Evidence,
    /// Power usage effectiveness used for every bar.
    pub pue: f64,
    /// How the PUE came about.
    pub pue_evidence: Evidence,
    /// Code of the chosen site's region, marked in the figure.
    pub chosen: Option<String>,
    /// Words for the marked bar: `chosen site`, or that its grid is a default.
    pub chosen_word: String,
    /// What differs between the factors, as a sentence without a full stop; `None` if all count the same.
    pub note: Option<String>,
    /// The regions, in any order.
    pub bars: Vec<RegionBar>,
}

/// Grams per job by region, from the cleanest grid to the dirtiest.
pub fn carbon_regions(record: &RunRecord, chart: &RegionChart) -> Figure {
    let mut figure =
        begin("carbon-regions", format!("Carbon per job by region: {}", chart.job), record, SINGLE_COLUMN_MM);
    let mut bars: Vec<&RegionBar> = chart.bars.iter().collect();
    bars.sort_by(|a, b| a.grams.point.total_cmp(&b.grams.point).then_with(|| a.code.cmp(&b.code)));
    figure.table = table(chart, &bars);
    let gases: BTreeSet<Gas> = bars.iter().map(|bar| bar.gas).collect();
    let unit_gas = gases.iter().map(Gas::to_string).collect::<Vec<_>>().join(" or ");
    if bars.is_empty() {
        figure.panels.push(words("Carbon per job by region", "No region with a grid factor was given."));
    } else {
        figure.panels.push(panel(chart, &bars, &unit_gas));
        figure.legend = legend(chart, &bars);
    }
    figure.caption = caption(record, chart, &gases);
    figure.notes.extend(chart.note.as_deref().map(|note| format!("{}.", capitalised(note))));
    let named = |bar: Option<&&RegionBar>| {
        bar.map_or(String::new(), |bar| format!("{} ({} g)", bar.name, bar.grams.point.get()))
    };
    figure.alt = format!(
        "Horizontal bars of grams per job in {} regions, from {} to {}.",
        bars.len(),
        named(bars.first()),
        named(bars.last())
    );
    figure
}

fn is_chosen(chart: &RegionChart, bar: &RegionBar) -> bool {
    chart.chosen.as_deref() == Some(bar.code.as_str())
}

fn fill_of(chart: &RegionChart, chosen: bool) -> Fill {
    let ink = if chosen { Ink::Series(1) } else { Ink::Series(0) };
    Fill { ink, hatch: Hatch::of(chart.evidence) }
}

fn panel(chart: &RegionChart, bars: &[&RegionBar], gas: &str) -> Panel {
    let highest =
        bars.iter().map(|bar| bounds(&bar.grams).map_or(bar.grams.point.get(), |(_, high)| high)).fold(0.0, f64::max);
    let axis = Axis::from_zero("Carbon per job", &format!("g {gas}"), highest);
    let rows = bars
        .iter()
        .map(|bar| {
            let year = bar.year.map_or_else(|| "year unstated".to_owned(), |year| year.to_string());
            BarRow {
                label: if bar.name == bar.code { bar.code.clone() } else { format!("{} ({})", bar.name, bar.code) },
                detail: format!(
                    "{year}, {}, {}{}",
                    bar.gas,
                    bar.basis,
                    if is_chosen(chart, bar) { format!("; {}", chart.chosen_word) } else { String::new() }
                ),
                entry: RowEntry::Bar {
                    value: bar.grams.point.get(),
                    interval: bounds(&bar.grams),
                    fill: fill_of(chart, is_chosen(chart, bar)),
                    remark: remark(chart.evidence),
                },
                highlighted: is_chosen(chart, bar),
            }
        })
        .collect();
    Panel::Bars(BarPanel { heading: String::new(), axis, rows })
}

fn legend(chart: &RegionChart, bars: &[&RegionBar]) -> Vec<LegendEntry> {
    let mut legend = Vec::new();
    if bars.iter().any(|bar| is_chosen(chart, bar)) {
        let sign = Sign::Fill(Fill { hatch: Hatch::Solid, ..fill_of(chart, true) });
        legend.push(LegendEntry { sign, text: chart.chosen_word.clone() });
    }
    legend.extend(evidence_legend(&[(chart.scope, chart.evidence)].into()));
    legend
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn caption(record: &RunRecord, chart: &RegionChart, gases: &BTreeSet<Gas>) -> String {
    let show = Axis::from_zero("", "J", chart.energy.point.get());
    let energy = show.show(chart.energy.point.get(), 4);
    let interval = bounds(&chart.energy).map_or_else(
        || "no interval".to_owned(),
        |(low, high)| format!("{} to {}", show.show(low, 4), show.show(high, 4)),
    );
    let whiskers =
        whisker_sentence(&[support(&chart.energy)], "the energy, carried through each factor,", ENERGY_METHOD);
    let mixed = if gases.len() > 1 {
        " Factors for CO2 and for CO2e stand side by side: each row names its gas, and they are not the same quantity."
    } else {
        ""
    };
    let note = chart.note.as_deref().map_or_else(String::new, |note| format!(" {}.", capitalised(note)));
    format!(
        "Operational carbon of one job ({}) on the grids of {} regions. Only the grid factor changes: every bar rests on \
         the same {energy} ({interval}; {}) and a PUE of {} ({}). Each row names the factor's year, gas and basis; embodied \
         carbon is not included.{mixed}{note} {whiskers} {}",
        chart.job,
        chart.bars.len(),
        scope_words(chart.scope, chart.evidence),
        chart.pue,
        chart.pue_evidence,
        run_sentence(record)
    )
}

fn upstream(included: Option<bool>) -> &'static str {
    match included {
        Some(true) => "included",
        Some(false) => "not included",
        None => "unstated",
    }
}

fn table(chart: &RegionChart, bars: &[&RegionBar]) -> Table {
    let mut table = Table::new(&COLUMNS);
    for bar in bars {
        let interval = bounds(&bar.grams);
        table.push(vec![
            bar.code.as_str().into(),
            bar.name.as_str().into(),
            bar.grams.point.get().into(),
            interval.map(|(low, _)| low).into(),
            interval.map(|(_, high)| high).into(),
            bar.grams.interval.map(|interval| interval.confidence).into(),
            bar.gas.to_string().into(),
            bar.year.map(f64::from).into(),
            bar.basis.to_string().into(),
            bar.intensity.get().into(),
            bar.method.to_string().into(),
            upstream(bar.life_cycle).into(),
            bar.publisher.as_str().into(),
            chart.energy.point.get().into(),
            chart.pue.into(),
            f64::from(bar.grams.n).into(),
            chart.evidence.to_string().into(),
            if is_chosen(chart, bar) { "yes" } else { "no" }.into(),
        ]);
    }
    table
}
