//! Whether the errors that `--inject-error` made were caught: a table by device and phase, and the exit code it earns.

use std::collections::BTreeMap;

use crate::cli::{Exit, text};
use crate::model::{Phase, RunRecord};

/// What became of the injected errors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// By device and phase: the output and the bit in words, and whether the change was caught; `None` if no error was made.
    rows: BTreeMap<(u32, Phase), Option<(String, bool)>>,
}

impl Proof {
    /// Takes in a segment.
    pub fn add(&mut self, record: &RunRecord) {
        for measurement in &record.measurements {
            let Some(sustained) = &measurement.sustained else { continue };
            let row = self.rows.entry((measurement.case.device, sustained.phase)).or_default();
            let Some(error) = &measurement.injected else { continue };
            let what = format!(
                "bit {} of {}[{}]: {} became {}",
                error.bit, error.tensor, error.index, error.before, error.after
            );
            // One that was missed is never hidden by a later one.
            let caught = error.caught && row.as_ref().is_none_or(|(_, caught)| *caught);
            *row = Some((what, caught));
        }
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut table = text::table(&["device", "phase", "error", "noticed"], &[0]);
        for ((device, phase), row) in &self.rows {
            let (what, word) = match row {
                Some((what, true)) => (what.clone(), "caught"),
                Some((what, false)) => (what.clone(), "NOT CAUGHT"),
                None => ("none was made".to_owned(), "–"),
            };
            table.add_row(vec![device.to_string(), phase.to_string(), what, word.to_owned()]);
        }
        text::lines(&table)
    }

    /// Errors that were made, and those of them that were caught.
    pub fn count(&self) -> (usize, usize) {
        let made = self.rows.values().flatten();
        (made.clone().count(), made.filter(|(_, caught)| *caught).count())
    }

    /// The exit code: 4 when all were caught, as for any wrong output; 1 when one was missed, for that is a fault of this
    /// tool; 5 when none could be made.
    pub fn exit(&self) -> Exit {
        match self.count() {
            (0, _) => Exit::Quality,
            (made, caught) if caught < made => Exit::Unexpected,
            _ => Exit::VerificationFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(rows: &[(u32, Phase, Option<bool>)]) -> Proof {
        let rows = rows.iter().map(|(device, phase, caught)| {
            ((*device, *phase), caught.map(|caught| ("bit 3 of c[7]: 1 became 9".to_owned(), caught)))
        });
        Proof { rows: rows.collect() }
    }

    #[test]
    fn one_missed_error_is_a_fault_of_the_tool_and_all_caught_is_a_wrong_output() {
        let all = proof(&[(0, Phase::Integer, Some(true)), (1, Phase::Memory, Some(true)), (1, Phase::Steps, None)]);
        assert_eq!((all.count(), all.exit()), ((2, 2), Exit::VerificationFailed));
        let missed = proof(&[(0, Phase::Integer, Some(true)), (1, Phase::Memory, Some(false))]);
        assert_eq!((missed.count(), missed.exit()), ((2, 1), Exit::Unexpected));
        assert_eq!(proof(&[(0, Phase::Integer, None)]).exit(), Exit::Quality);
    }

    #[test]
    fn the_table_says_of_each_phase_and_device_whether_it_was_noticed() {
        let table =
            proof(&[(0, Phase::Integer, Some(true)), (0, Phase::Memory, Some(false)), (1, Phase::Mixed, None)]).table();
        let line = |start: &str| table.lines().find(|line| line.contains(start)).unwrap().to_owned();
        assert!(line("integer").ends_with("caught") && !line("integer").contains("NOT"), "{table}");
        assert!(line("memory").ends_with("NOT CAUGHT"), "{table}");
        assert!(line("mixed").contains("none was made"), "{table}");
    }
}
