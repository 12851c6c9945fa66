//! `carbon-matrix`: one measurement priced over many regions, as a heat map with ranks and ratios to the best.

use super::{ChartSource, basis_sentences, begin_account, words};
use crate::figure::text::number;
use crate::figure::{
    Axis, Cell, DOUBLE_COLUMN_MM, Figure, HeatPanel, HeatRow, Panel, Prefix, SINGLE_COLUMN_MM, Scale, Table,
};

/// One region's row of the heat map.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixRow {
    /// Place in the order; equal factors share one.
    pub rank: usize,
    /// Region code, for example `CN-QH`.
    pub code: String,
    /// Region's name in English.
    pub name: String,
    /// Year, gas and basis in a few words: `2023, CO2, consumption`.
    pub identity: String,
    /// True if the factor's identity differs from most of the table's.
    pub marked: bool,
    /// Grams in each column; `None` where there is none.
    pub grams: Vec<Option<f64>>,
    /// Ratio to the best region (1 is the best); infinite where there is none.
    pub ratio: f64,
}

/// One measurement over many regions.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixChart {
    /// What it rests on.
    pub source: ChartSource,
    /// What the regions are: `30 provinces of China`.
    pub regions: String,
    /// Columns: subjects (jobs, cases, devices), one word or a few each.
    pub columns: Vec<String>,
    /// What one number is, with its unit: `gCO2 per EFLOP`.
    pub quantity: String,
    /// Rows, best first.
    pub rows: Vec<MatrixRow>,
    /// What differs between the factors, without a full stop; `None` if all count the same.
    pub note: Option<String>,
}

/// Sign behind the rank of a row whose factor differs in identity.
const SIGN: &str = "†";

/// Number of columns from which the words that all share are said once.
const FEW: usize = 4;

/// Ratio of the largest value to the smallest from which shades follow equal ratios.
const WIDE: f64 = 30.0;

/// Grams per job by region and column, best region first.
pub fn carbon_matrix(chart: &MatrixChart) -> Figure {
    // Two columns of numbers and the names fill a single column of a journal.
    let width_mm = if chart.columns.len() <= 2 && chart.rows.len() <= 80 { SINGLE_COLUMN_MM } else { DOUBLE_COLUMN_MM };
    let mut figure =
        begin_account("carbon-matrix", format!("Carbon by region: {}", chart.regions), &chart.source, width_mm);
    figure.table = table(chart);
    let axis = axis(chart);
    match &axis {
        Some(axis) => {
            let rows = chart.rows.iter().map(heat_row).collect();
            let (columns, shared) = without_shared(&chart.columns);
            figure.panels.push(Panel::Heat(HeatPanel { columns, axis: axis.clone(), rows }));
            figure.notes.extend(shared.map(|words| format!("Every column: {words}.")));
        }
        None if chart.rows.is_empty() => figure.panels.push(words("Carbon by region", "No region was given.")),
        None => figure.panels.push(words("Carbon by region", "No region has a value in any column.")),
    }
    figure.notes.extend(marked_note(chart));
    figure.caption = caption(chart, axis.as_ref());
    let named = |row: Option<&MatrixRow>| row.map_or_else(String::new, |row| row.name.clone());
    figure.alt = format!(
        "Heat map of {} in {} regions and {} columns, from {} (best) to {} (worst, {} times the best).",
        chart.quantity,
        chart.rows.len(),
        chart.columns.len(),
        named(chart.rows.first()),
        named(chart.rows.last()),
        chart.rows.last().map_or_else(|| "?".to_owned(), |row| number(row.ratio, 3))
    );
    figure
}

/// Names of columns without the words that all of them share, and those words; unchanged if a name would be lost.
fn without_shared(columns: &[String]) -> (Vec<String>, Option<String>) {
    let [first, others @ ..] = columns else { return (Vec::new(), None) };
    let in_all = |word: &&str| others.iter().all(|name| name.split(' ').any(|other| other == *word));
    let shared: Vec<&str> = first.split(' ').filter(in_all).collect();
    let short = |name: &String| -> String {
        let own: Vec<&str> = name.split(' ').filter(|word| !shared.contains(word)).collect();
        own.join(" ")
    };
    let names: Vec<String> = columns.iter().map(short).collect();
    let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
    if columns.len() < FEW || shared.is_empty() || distinct.len() < columns.len() || names.iter().any(String::is_empty)
    {
        return (columns.to_vec(), None);
    }
    let words = shared.join(" ");
    (names, Some(words))
}

fn heat_row(row: &MatrixRow) -> HeatRow {
    HeatRow {
        rank: format!("{}{}", row.rank, if row.marked { SIGN } else { "" }),
        code: row.code.clone(),
        name: if row.name == row.code { String::new() } else { row.name.clone() },
        values: row.grams.iter().map(|grams| grams.filter(|grams| grams.is_finite())).collect(),
        ratio: if row.ratio.is_finite() { format!("{}×", number(row.ratio, 3)) } else { "none".to_owned() },
    }
}

/// Scale of the shades: from zero, or by ratios where values differ widely; `None` without a value.
fn axis(chart: &MatrixChart) -> Option<Axis> {
    let values = || chart.rows.iter().flat_map(|row| &row.grams).flatten().copied().filter(|grams| grams.is_finite());
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return None;
    }
    let mut axis = Axis::from_zero("Carbon", &chart.quantity, high);
    if low > 0.0 && high / low > WIDE {
        (axis.scale, axis.low) = (Scale::Log, low);
        axis.high = high;
        axis.prefix = Prefix::for_size((low * high).sqrt());
    }
    // A prefix belongs before a gram, and before no other word.
    if !chart.quantity.starts_with('g') || axis.prefix.factor > 1e3 {
        axis.prefix = if chart.quantity.starts_with('g') { Prefix::for_size(1e3) } else { Prefix::NONE };
    }
    Some(axis)
}

/// What the sign means, with the identities of the rows that bear it.
fn marked_note(chart: &MatrixChart) -> Option<String> {
    const NAMED: usize = 4;
    let marked: Vec<&MatrixRow> = chart.rows.iter().filter(|row| row.marked).collect();
    let detail = chart.note.as_deref().map_or_else(String::new, |note| format!(" {}.", super::account_sentence(note)));
    if marked.is_empty() {
        return chart.note.as_ref().map(|_| detail.trim_start().to_owned());
    }
    let mut named: Vec<String> =
        marked.iter().take(NAMED).map(|row| format!("{} ({})", row.code, row.identity)).collect();
    if marked.len() > NAMED {
        named.push(format!("{} more in the table beside the figure", marked.len() - NAMED));
    }
    Some(format!("{SIGN} Factor of another year, gas or basis than most: {}.{detail}", named.join("; ")))
}

fn caption(chart: &MatrixChart, axis: Option<&Axis>) -> String {
    let shades = match axis.map(|axis| axis.scale) {
        Some(Scale::Log) => " Shades follow equal ratios, from the smallest value to the largest.",
        Some(Scale::Linear) => " Shades start at zero.",
        None => "",
    };
    let identity = chart
        .rows
        .iter()
        .find(|row| !row.marked)
        .map_or_else(String::new, |row| format!(" Factors of rows without a sign: {}.", row.identity));
    let note = marked_note(chart).map_or_else(String::new, |note| format!(" {note}"));
    format!(
        "Operational carbon ({}) of {}, on the grids of {} ({} rows, best first). Only the grid factor changes from row \
         to row. Number before a row: rank; last column: ratio to the best row. \"none\": no value.{shades}{identity}{note} \
         No interval is drawn. {}",
        chart.quantity,
        chart.source.subject,
        chart.regions,
        chart.rows.len(),
        basis_sentences(&chart.source)
    )
}

fn table(chart: &MatrixChart) -> Table {
    let columns: Vec<String> = chart.columns.iter().map(|column| format!("{} [{column}]", chart.quantity)).collect();
    let fixed = ["rank", "region", "name", "identity", "marked"];
    let mut names: Vec<&str> = fixed.to_vec();
    names.extend(columns.iter().map(String::as_str));
    names.push("ratio_to_best");
    let mut table = Table::new(&names);
    for row in &chart.rows {
        let mut cells: Vec<Cell> = vec![
            (row.rank as f64).into(),
            row.code.as_str().into(),
            row.name.as_str().into(),
            row.identity.as_str().into(),
            if row.marked { "yes" } else { "no" }.into(),
        ];
        cells.extend((0..columns.len()).map(|column| Cell::from(row.grams.get(column).copied().flatten())));
        cells.push(row.ratio.into());
        table.push(cells);
    }
    table
}
