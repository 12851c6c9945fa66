//! The same tables as Markdown, for issues and memos.
//!
//! What surprises people: heads lose their line breaks, and a bar inside a text is escaped.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::Carbon;
use super::number::MISSING;
use super::sheet::{Grid, Kind, Row, sheets};
use crate::measure::result::RunResult;
use crate::model::RunRecord;

/// The whole record as Markdown, one section per device.
pub fn markdown(record: &RunRecord, result: &RunResult, carbon: Option<&Carbon>) -> String {
    let mut text = String::new();
    for sheet in sheets(record, result, carbon, false) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "## {}\n", escaped(&sheet.title));
        for (label, fact) in &sheet.facts {
            let _ = writeln!(text, "- {label}: {}", escaped(fact));
        }
        for grid in &sheet.grids {
            let _ = write!(text, "\n{}\n", grid_text(grid));
        }
        text.push('\n');
        for (label, explanation) in &sheet.legend {
            let _ = writeln!(text, "- **{label}**: {}", escaped(explanation));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn grid_text(grid: &Grid) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(grid.columns.iter().map(|column| {
        let head = column.head.replace("\n/", "/");
        escaped(&head)
    }));
    let notes = grid.columns.len().saturating_sub(1);
    for row in &grid.rows {
        table.add_row(match row {
            Row::Cells(cells) => cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>(),
            Row::Note(variant, shape, note) => {
                let mut cells = vec![MISSING.to_owned(); grid.columns.len()];
                cells[0] = escaped(variant);
                cells[1] = escaped(shape);
                cells[notes] = escaped(note);
                cells
            }
        });
    }
    for (index, column) in grid.columns.iter().enumerate() {
        if let (Some(laid), false) =
            (table.column_mut(index), matches!(column.kind, Kind::Variant | Kind::Shape | Kind::Notes))
        {
            laid.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}
