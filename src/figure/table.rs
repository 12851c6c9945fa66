//! The numbers behind a figure, as rows of cells, and their CSV.
//!
//! Units stand in the column names. What surprises people: an empty cell means "no value", never zero.

use serde::Serialize;

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number in the unit of its column.
    Number(f64),
    /// No value.
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::Empty, Self::Number)
    }
}

/// The numbers behind a figure.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Table {
    /// Column names, with units.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|column| (*column).to_owned()).collect(), rows: Vec::new() }
    }
    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }
    /// The table as CSV (RFC 4180, lines end in LF).
    pub fn csv(&self) -> String {
        let mut out = String::new();
        push_line(&mut out, self.columns.iter().map(|column| quoted(column)));
        for row in &self.rows {
            push_line(&mut out, row.iter().map(shown));
        }
        out
    }
}

fn push_line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&cell);
    }
    out.push('\n');
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => quoted(text),
        Cell::Number(value) if value.abs() >= 1e15 || (*value != 0.0 && value.abs() < 1e-5) => format!("{value:e}"),
        Cell::Number(value) => format!("{value}"),
        Cell::Empty => String::new(),
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_is_an_empty_cell_and_a_comma_is_quoted() {
        let mut table = Table::new(&["case", "power_w"]);
        table.push(vec!["a, \"b\"".into(), None.into()]);
        table.push(vec!["c".into(), 0.0.into()]);
        assert_eq!(table.csv(), "case,power_w\n\"a, \"\"b\"\"\",\nc,0\n");
    }

    #[test]
    fn csv_numbers_read_back_exactly() {
        let values = [1.0 / 3.0, 6.02e23, 1.6e-19, -12.5];
        let mut table = Table::new(&["v"]);
        values.iter().for_each(|value| table.push(vec![(*value).into()]));
        let back: Vec<f64> = table.csv().lines().skip(1).map(|line| line.parse().unwrap()).collect();
        assert_eq!(back, values);
    }
}
