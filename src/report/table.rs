//! The terminal table: comfy-table lays out the columns, this file fits them to the terminal.
//!
//! What surprises people: cells are never wrapped by the table, only at places chosen here, so that a skipped case's
//! reason can run across the columns it leaves empty.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::TableOptions;
use super::sheet::{Column, DeviceSheet, Grid, Kind, Row, sheet};
use crate::measure::result::RunResult;
use crate::model::RunRecord;

/// Width when none is known.
const DEFAULT_WIDTH: usize = 120;
/// Blanks between two columns.
const GAP: u16 = 2;
/// Width of the labels beside facts and legend.
const LABEL: usize = 10;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// The whole record as text for a terminal: the run, one block per device, the legend.
pub fn table(record: &RunRecord, result: &RunResult, options: &TableOptions) -> String {
    let width = if options.width == 0 { DEFAULT_WIDTH } else { options.width };
    let sheet = sheet(record, result, options.carbon.as_ref(), options.warnings);
    let mut text: String = sheet.facts.iter().map(|(label, fact)| labelled(label, fact, width)).collect();
    if sheet.devices.is_empty() {
        text.push_str("\nno case was measured or skipped yet\n");
    }
    let mut dropped = Vec::new();
    for device in &sheet.devices {
        text.push('\n');
        text.push_str(&block(device, width, options.colour, &mut dropped));
    }
    if !sheet.legend.is_empty() {
        text.push('\n');
    }
    text.extend(sheet.legend.iter().map(|(label, explanation)| labelled(label, explanation, width)));
    dropped.sort_unstable();
    dropped.dedup();
    if !dropped.is_empty() {
        let what = dropped.join(" and ");
        let hint = format!("{what} left out at {width} columns; widen the terminal or use `wattmark export`");
        text.push_str(&labelled("narrow", &hint, width));
    }
    text
}

fn block(sheet: &DeviceSheet, width: usize, colour: bool, dropped: &mut Vec<&'static str>) -> String {
    let paint = |text: &str, style: &str| if colour { format!("{style}{text}{RESET}") } else { text.to_owned() };
    let mut text = format!("{}\n", paint(&sheet.title, BOLD));
    for (label, fact) in &sheet.facts {
        text.push_str(&labelled(label, fact, width));
    }
    for grid in &sheet.grids {
        text.push('\n');
        let (rendered, left_out) = fitted(grid, width);
        for (index, line) in rendered.iter().enumerate() {
            let head = index < head_height(&grid.columns);
            text.push_str(&if head { paint(line, DIM) } else { line.clone() });
            text.push('\n');
        }
        dropped.extend(left_out);
    }
    if !sheet.legend.is_empty() {
        text.push('\n');
    }
    for (label, explanation) in &sheet.legend {
        text.push_str(&labelled(label, explanation, width));
    }
    text
}

/// A label and a text that continues under itself.
fn labelled(label: &str, text: &str, width: usize) -> String {
    let mut out = String::new();
    for (index, line) in wrapped(text, width.saturating_sub(LABEL).max(20)).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        out.push_str(format!("{label:<LABEL$}{line}").trim_end());
        out.push('\n');
    }
    out
}

/// Breaks a text at blanks; a word longer than the width stands alone.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.is_empty() { vec![String::new()] } else { lines }
}

/// How far a grid has been narrowed.
#[derive(Clone, Copy, Default)]
struct Narrowing {
    split_shapes: bool,
    split_notes: bool,
    no_ceiling: bool,
    no_carbon: bool,
}

/// Steps tried in order until the grid fits.
const STEPS: [Narrowing; 5] = [
    Narrowing { split_shapes: false, split_notes: false, no_ceiling: false, no_carbon: false },
    Narrowing { split_shapes: true, split_notes: false, no_ceiling: false, no_carbon: false },
    Narrowing { split_shapes: true, split_notes: true, no_ceiling: false, no_carbon: false },
    Narrowing { split_shapes: true, split_notes: true, no_ceiling: true, no_carbon: false },
    Narrowing { split_shapes: true, split_notes: true, no_ceiling: true, no_carbon: true },
];

/// The grid's lines at the least narrowing that fits, and the columns that were left out.
fn fitted(grid: &Grid, width: usize) -> (Vec<String>, Vec<&'static str>) {
    let mut lines = Vec::new();
    let mut left_out = Vec::new();
    for step in STEPS {
        lines = rendered(grid, step, width);
        let has = |kind| grid.columns.iter().any(|column| column.kind == kind);
        left_out = Vec::new();
        if step.no_ceiling && has(Kind::Ceiling) {
            left_out.push("share of ceiling");
        }
        if step.no_carbon && has(Kind::Carbon) {
            left_out.push("carbon");
        }
        if lines.iter().all(|line| line.chars().count() <= width) {
            break;
        }
    }
    (lines, left_out)
}

fn head_height(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.head.lines().count()).max().unwrap_or(1)
}

/// A text of several words on two lines of about the same length.
fn split(text: &str, apply: bool) -> String {
    if !apply || !text.contains(' ') {
        return text.to_owned();
    }
    let length = text.chars().count();
    let lines = (length.div_ceil(2)..=length).map(|width| wrapped(text, width)).find(|lines| lines.len() <= 2);
    lines.unwrap_or_default().join("\n")
}

fn rendered(grid: &Grid, step: Narrowing, width: usize) -> Vec<String> {
    let kept: Vec<usize> = (0..grid.columns.len())
        .filter(|index| match grid.columns[*index].kind {
            Kind::Ceiling => !step.no_ceiling,
            Kind::Carbon => !step.no_carbon,
            _ => true,
        })
        .collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let height = head_height(&grid.columns);
    table.add_row(kept.iter().map(|index| {
        let head = &grid.columns[*index].head;
        format!("{}{head}", "\n".repeat(height - head.lines().count()))
    }));
    let mut heights = vec![height];
    for row in &grid.rows {
        let cells: Vec<String> = match row {
            Row::Cells(cells) => kept
                .iter()
                .map(|index| match grid.columns[*index].kind {
                    Kind::Shape => split(&cells[*index], step.split_shapes),
                    Kind::Notes => split(&cells[*index], step.split_notes),
                    _ => cells[*index].clone(),
                })
                .collect(),
            Row::Note(variant, shape, _) => vec![variant.clone(), split(shape, step.split_shapes)],
        };
        heights.push(cells.iter().map(|cell| cell.lines().count()).max().unwrap_or(1).max(1));
        table.add_row(cells);
    }
    for (position, index) in kept.iter().enumerate() {
        if let Some(column) = table.column_mut(position) {
            column.set_padding((0, GAP));
            if !matches!(grid.columns[*index].kind, Kind::Variant | Kind::Shape | Kind::Notes) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let widths = table.column_max_content_widths();
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    assembled(grid, &lines, &heights, indent_of_notes(&widths), width)
}

/// Column at which a note begins: after variant and shape.
fn indent_of_notes(widths: &[u16]) -> usize {
    widths.iter().take(2).map(|width| usize::from(width + GAP)).sum()
}

/// Head, rule, rows; notes run from the third column to the edge of the terminal.
fn assembled(grid: &Grid, lines: &[String], heights: &[usize], indent: usize, width: usize) -> Vec<String> {
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let mut out: Vec<String> = lines[..heights[0].min(lines.len())].to_vec();
    out.push("─".repeat(longest.min(width)));
    let mut next = heights[0];
    for (row, height) in grid.rows.iter().zip(&heights[1..]) {
        let own = lines.iter().skip(next).take(*height);
        match row {
            Row::Cells(_) => out.extend(own.cloned()),
            Row::Note(_, _, text) => {
                let note = wrapped(text, width.saturating_sub(indent).max(20));
                let own: Vec<&String> = own.collect();
                for index in 0..own.len().max(note.len()) {
                    let left = own.get(index).map_or("", |line| line.as_str());
                    let right = note.get(index).map_or("", String::as_str);
                    out.push(format!("{left:<indent$}{right}").trim_end().to_owned());
                }
            }
        }
        next += height;
    }
    out
}
