//! All devices of a fleet with all their metrics as CSV in long form: one row for each metric of each device.
//!
//! What surprises people: a device without any figure has one row with an empty metric, so that none is lost; texts that a
//! spreadsheet would take for a formula begin with an apostrophe.

use crate::fleet::{DeviceEntry, Names, NodeRecord, Severity};

/// Columns.
const COLUMNS: [&str; 16] = [
    "node",
    "device",
    "identity",
    "model",
    "simulated",
    "labels",
    "started",
    "grade",
    "off",
    "metric",
    "unit",
    "value",
    "n",
    "evidence",
    "scope",
    "file",
];

/// Rows as they come.
pub struct Rows<'a> {
    names: &'a Names,
    out: csv::Writer<Vec<u8>>,
    failed: Option<csv::Error>,
}

impl<'a> Rows<'a> {
    /// With the header.
    pub fn new(names: &'a Names) -> Self {
        let mut out = csv::Writer::from_writer(Vec::new());
        let failed = out.write_record(COLUMNS).err();
        Self { names, out, failed }
    }

    /// Adds the rows of a device.
    pub fn add(&mut self, record: &NodeRecord, entry: &DeviceEntry, severity: Option<Severity>) {
        let group = &self.names.groups()[entry.group as usize];
        let labels: Vec<String> = record
            .labels
            .iter()
            .map(|(key, value)| format!("{}={}", self.names.text(*key), self.names.text(*value)))
            .collect();
        let front = [
            safe(&record.host),
            entry.ordinal.to_string(),
            safe(self.names.text(entry.identity)),
            safe(&group.model),
            group.simulated.to_string(),
            safe(&labels.join(" ")),
            record.started.map_or_else(String::new, |time| time.to_string()),
            entry.grade.map_or_else(String::new, |grade| grade.to_string()),
            severity.map_or_else(String::new, |severity| severity.word().to_owned()),
        ];
        let file = safe(&record.path);
        if entry.values.is_empty() {
            let empty = [const { String::new() }; 6];
            return self.write(&front, &empty, &file);
        }
        for value in &entry.values {
            let key = &self.names.metrics()[value.metric as usize];
            let cells = [
                safe(&key.id),
                key.unit.clone(),
                value.value.to_string(),
                value.n.to_string(),
                key.evidence.map_or_else(String::new, |evidence| evidence.to_string()),
                key.scope.map_or_else(String::new, |scope| scope.to_string()),
            ];
            self.write(&front, &cells, &file);
        }
    }

    fn write(&mut self, front: &[String], cells: &[String], file: &str) {
        let row = front.iter().chain(cells).map(String::as_str).chain([file]);
        if let Err(error) = self.out.write_record(row) {
            self.failed.get_or_insert(error);
        }
    }

    /// The text.
    pub fn finish(self) -> anyhow::Result<Vec<u8>> {
        match self.failed {
            Some(error) => Err(error.into()),
            None => Ok(self.out.into_inner().map_err(|error| error.into_error())?),
        }
    }
}

/// A text that no spreadsheet takes for a formula.
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_a_formula_stays_text() {
        assert_eq!([safe("=1+1"), safe("node-1")], ["'=1+1", "node-1"]);
    }
}
