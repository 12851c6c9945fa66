//! The table above the details where several records are compared with the first: one line each.

use super::Entry;
use super::letter;
use super::table::{counted, ratio};
use crate::cli::text;
use crate::compare::{Comparison, Mean};

/// One line for each record: its verdicts and its geometric means.
pub fn table(others: &[Entry], comparisons: &[Comparison]) -> String {
    let header = ["", "run", "speed is", "speed B/A", "work per joule is", "work per joule B/A"];
    let mut table = text::table(&header, &[]);
    for (index, (other, comparison)) in others.iter().zip(comparisons).enumerate() {
        let word = |said: String| if said.is_empty() { "no pair".to_owned() } else { said };
        table.add_row(vec![
            letter(index),
            text::cut(&other.record.run_id, 28),
            word(counted(&comparison.pairs, |pair| &pair.speed)),
            mean(comparison.mean_speed),
            word(counted(&comparison.pairs, |pair| &pair.efficiency)),
            mean(comparison.mean_efficiency),
        ]);
    }
    format!(
        "\nGeometric means over the pairs of each record, with the 95 % interval over another choice of such cases.\n{}",
        text::lines(&table)
    )
}

/// A mean with its interval.
pub fn mean(mean: Option<Mean>) -> String {
    match mean {
        None => "–".to_owned(),
        Some(Mean { ratio: own, interval: None, .. }) => ratio(own),
        Some(Mean { ratio: own, interval: Some((low, high)), .. }) => {
            format!("{} [{} .. {}]", ratio(own), ratio(low), ratio(high))
        }
    }
}
