//! The same tables as Markdown, for issues and memos.
//!
//! What surprises people: heads lose their line breaks, and a bar inside a text is escaped.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::Carbon;
use super::number::MISSING;
use super::sheet::{Grid, Kind, Row, sheet};
use crate::measure::result::RunResult;
use crate::model::RunRecord;

/// The whole record as Markdown: the run, one section per device, the legend.
pub fn markdown(record: &RunRecord, result: &RunResult, carbon: Option<&Carbon>) -> String {
    let sheet = sheet(record, result, carbon, false);
    let mut text = listed(&sheet.facts);
    for device in &sheet.devices {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {}\n\n{}", escaped(&device.title), listed(&device.facts));
        for grid in &device.grids {
            let _ = write!(text, "\n{}\n", grid_text(grid));
        }
        let _ = write!(text, "\n{}", listed(&device.legend));
    }
    let _ = write!(text, "\n## Legend\n\n{}", listed(&sheet.legend));
    text
}

/// Labels and texts as a list.
fn listed(lines: &[(String, String)]) -> String {
    lines.iter().map(|(label, text)| format!("- **{label}**: {}\n", escaped(text))).collect()
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
