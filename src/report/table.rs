//! The terminal table: comfy-table lays out the columns, this file fits them to the terminal.
//!
//! What surprises people: cells are never wrapped by the table, only at places chosen here, so that a skipped case's
//! reason can run across the columns it leaves empty.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::TableOptions;
use super::sheet::{DeviceSheet, Grid, Kind, Row, WRONG_OUTPUT, sheet};
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
/// Bold red.
const ALARM: &str = "\x1b[1;31m";
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
        text.push_str(&labelled(label, fact, width).replace(WRONG_OUTPUT, &paint(WRONG_OUTPUT, ALARM)));
    }
    for grid in &sheet.grids {
        text.push('\n');
        let (rendered, left_out) = fitted(grid, width);
        let rule = rendered.iter().position(|line| line.starts_with('─')).unwrap_or(0);
        for (index, line) in rendered.iter().enumerate() {
            let head = index < rule;
            let line = if head { paint(line, DIM) } else { line.replace(WRONG_OUTPUT, &paint(WRONG_OUTPUT, ALARM)) };
            text.push_str(&line);
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
pub(super) fn labelled(label: &str, text: &str, width: usize) -> String {
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

/// How far a grid has been narrowed; each step includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Full,
    NoPowerInterval,
    SplitShapes,
    BrokenKernels,
    /// Shapes under their kernels, in one column.
    Stacked,
    NoCount,
    NoCarbon,
    /// Kernels broken again, shapes under them.
    StackedTight,
    NoIntervals,
    NoCeiling,
}

/// Steps tried in order until the grid fits. The share of the ceiling is the last figure to go.
const STEPS: [Step; 10] = [
    Step::Full,
    Step::NoPowerInterval,
    Step::SplitShapes,
    Step::BrokenKernels,
    Step::Stacked,
    Step::NoCount,
    Step::NoCarbon,
    Step::StackedTight,
    Step::NoIntervals,
    Step::NoCeiling,
];

impl Step {
    /// The step from which a column is left out, and what is then said of it.
    fn leaves_out(kind: Kind) -> Option<(Self, &'static str)> {
        match kind {
            Kind::PowerInterval => Some((Self::NoPowerInterval, "±95% of power")),
            Kind::Count => Some((Self::NoCount, "n")),
            Kind::Carbon => Some((Self::NoCarbon, "carbon")),
            Kind::Interval => Some((Self::NoIntervals, "±95%")),
            Kind::Ceiling => Some((Self::NoCeiling, "share of ceiling")),
            _ => None,
        }
    }
    fn keeps(self, kind: Kind) -> bool {
        Self::leaves_out(kind).is_none_or(|(step, _)| self < step)
    }
    fn stacks(self) -> bool {
        self >= Self::Stacked
    }
}

/// The grid's lines at the least narrowing that fits, and the columns that were left out.
fn fitted(grid: &Grid, width: usize) -> (Vec<String>, Vec<&'static str>) {
    let mut lines = Vec::new();
    let mut left_out = Vec::new();
    for step in STEPS {
        lines = rendered(grid, step, width);
        left_out = grid
            .columns
            .iter()
            .filter(|column| !step.keeps(column.kind))
            .filter_map(|column| Step::leaves_out(column.kind).map(|(_, what)| what))
            .collect();
        if lines.iter().all(|line| line.chars().count() <= width) {
            break;
        }
    }
    (lines, left_out)
}

/// Least width at which a text of several words takes two lines.
fn half(text: &str) -> usize {
    let length = text.chars().count();
    (length.div_ceil(2)..length).find(|width| wrapped(text, *width).len() <= 2).unwrap_or(length)
}

/// Family and variant of a kernel on two lines.
fn broken(kernel: &str) -> String {
    kernel.split_once('/').map_or(kernel.to_owned(), |(family, variant)| format!("{family}/\n  {variant}"))
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// Kernel and shape of every row, in two cells, or in one at the steps that stack them. What is short enough to stand on
/// one line within the width that the longest needs is not broken.
fn names(grid: &Grid, step: Step) -> Vec<Vec<String>> {
    let given: Vec<(&str, &str)> = grid.rows.iter().map(Row::name).collect();
    let breaks = step == Step::BrokenKernels || step >= Step::StackedTight;
    let kernel_room = given.iter().map(|(kernel, _)| widest(&broken(kernel))).max().unwrap_or(0);
    let kernel = |kernel: &str| {
        if breaks && kernel.chars().count() > kernel_room { broken(kernel) } else { kernel.to_owned() }
    };
    let shape_room = if step.stacks() {
        given.iter().map(|(name, _)| widest(&kernel(name))).max().unwrap_or(0).saturating_sub(2)
    } else if step >= Step::SplitShapes {
        given.iter().map(|(_, shape)| half(shape)).max().unwrap_or(0)
    } else {
        usize::MAX
    };
    given
        .iter()
        .map(|(name, shape)| {
            let shape = wrapped(shape, shape_room);
            if step.stacks() {
                vec![format!("{}\n  {}", kernel(name), shape.join("\n  "))]
            } else {
                vec![kernel(name), shape.join("\n")]
            }
        })
        .collect()
}

/// Columns that a step keeps. A column of notes that says nothing is never kept.
fn kept(grid: &Grid, step: Step) -> Vec<usize> {
    let says = |index: usize| {
        grid.rows
            .iter()
            .any(|row| matches!(row, Row::Cells(cells) if cells.get(index).is_some_and(|cell| !cell.is_empty())))
    };
    (0..grid.columns.len())
        .filter(|index| match grid.columns[*index].kind {
            Kind::Variant => true,
            Kind::Shape => !step.stacks(),
            Kind::Notes => says(*index),
            kind => step.keeps(kind),
        })
        .collect()
}

fn rendered(grid: &Grid, step: Step, width: usize) -> Vec<String> {
    let kept = kept(grid, step);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let height = kept.iter().map(|index| grid.columns[*index].head.lines().count()).max().unwrap_or(1);
    table.add_row(kept.iter().map(|index| {
        let head = &grid.columns[*index].head;
        format!("{}{head}", "\n".repeat(height - head.lines().count()))
    }));
    let mut heights = vec![height];
    for (row, mut name) in grid.rows.iter().zip(names(grid, step)) {
        if let Row::Cells(cells) = row {
            name.extend(kept.iter().skip(name.len()).map(|index| match grid.columns[*index].kind {
                Kind::Notes if step >= Step::SplitShapes => wrapped(&cells[*index], half(&cells[*index])).join("\n"),
                _ => cells[*index].clone(),
            }));
        }
        heights.push(name.iter().map(|cell| cell.lines().count()).max().unwrap_or(1).max(1));
        table.add_row(name);
    }
    for (position, index) in kept.iter().enumerate() {
        if let Some(column) = table.column_mut(position) {
            column.set_padding((0, GAP));
            if !matches!(grid.columns[*index].kind, Kind::Variant | Kind::Shape | Kind::Notes) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let names = if step.stacks() { 1 } else { 2 };
    // A note begins where the first figure would.
    let indent = table.column_max_content_widths().iter().take(names).map(|width| usize::from(width + GAP)).sum();
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    assembled(grid, &lines, &heights, indent, width)
}

/// Head, rule, rows; notes run from the column of the first figure to the edge of the terminal.
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
                let room = width.saturating_sub(indent).max(20);
                let note: Vec<String> = text.lines().flat_map(|line| wrapped(line, room)).collect();
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
