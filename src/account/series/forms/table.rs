//! A CSV as a head and rows of text: comments skipped, delimiter found. What the columns mean is not known here.
//!
//! What surprises people: lines are counted as an editor shows them, comments included.

use std::borrow::Cow;

use super::super::Source;
use crate::account::AccountError;

/// One row: the line it stands on and its cells.
pub struct Row {
    /// Line in the file, counted from 1.
    pub line: usize,
    /// Cells.
    pub cells: csv::StringRecord,
}

/// A head and its rows.
pub struct Table {
    /// Names of the columns, trimmed.
    pub head: Vec<String>,
    /// Rows in the file's order; empty lines are none.
    pub rows: Vec<Row>,
    /// True if cells are split at semicolons, where a comma may be the decimal sign.
    pub semicolons: bool,
}

impl Table {
    /// Reads the whole text.
    pub fn read(source: &Source) -> Result<Self, AccountError> {
        let first = first_line(&source.text);
        let delimiter = [b',', b';', b'\t']
            .into_iter()
            .max_by_key(|sign| (first.bytes().filter(|byte| byte == sign).count(), *sign == b','))
            .unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(source.text.as_bytes());
        let failed = |error: csv::Error| source.bad(format!("it is no whole CSV: {error}"));
        let head: Vec<String> =
            reader.headers().map_err(failed)?.iter().map(|name| name.trim().trim_matches('"').to_owned()).collect();
        if head.len() < 2 {
            return Err(source.bad(
                "it has one column only; a series needs a column of times and one of values, split by commas, semicolons or \
                 tabs, with a head",
            ));
        }
        if head.iter().filter(|name| name.parse::<f64>().is_ok()).count() + 1 >= head.len() {
            return Err(
                source.bad("its first line holds values; write a head that names the columns, such as time,g_per_kwh")
            );
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let cells = record.map_err(failed)?;
            let line = cells.position().map_or(0, |position| position.line() as usize);
            if cells.iter().any(|cell| !cell.trim().is_empty()) {
                rows.push(Row { line, cells });
            }
        }
        if rows.is_empty() {
            return Err(source.bad("it has a head and no row"));
        }
        Ok(Self { head, rows, semicolons: delimiter == b';' })
    }

    /// The column of a name, whatever its capitals.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.head.iter().position(|head| head.eq_ignore_ascii_case(name.trim()))
    }

    /// A cell as a number's text.
    pub fn value<'a>(&self, row: &'a Row, column: usize) -> Cow<'a, str> {
        let cell = row.cells.get(column).unwrap_or_default().trim();
        if self.semicolons && cell.contains(',') { Cow::Owned(cell.replace(',', ".")) } else { Cow::Borrowed(cell) }
    }

    /// Different texts of a column.
    pub fn distinct(&self, column: usize) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for row in &self.rows {
            let cell = row.cells.get(column).unwrap_or_default().trim();
            if seen.last().is_none_or(|last| last != cell) && !seen.iter().any(|other| other == cell) {
                seen.push(cell.to_owned());
            }
        }
        seen
    }
}

/// The first line that is no comment.
pub fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default()
}
