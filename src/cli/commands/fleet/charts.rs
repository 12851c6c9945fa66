//! `wattmark fleet --plot`: the two charts of each metric that is shown.
//!
//! What surprises people: a metric of several models or works gives several charts; then the names of their files end in the
//! model, or in a number.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::cli::Console;
use crate::cli::commands::plot::write_figures;
use crate::figure::{Figure, MOST_RANKED, fleet_distribution, fleet_rank};
use crate::fleet::{Fleet, FleetMetric, Gathered, Options, headline, spreads};

/// Metrics of a group that are drawn without `--metric`.
const HEADLINES: usize = 6;
/// Metrics that are drawn at most.
const MOST: usize = 24;

/// Draws into a folder and returns the paths of all files.
pub fn draw(
    folder: &Path,
    gathered: &Gathered,
    options: &Options,
    fleet: &Fleet,
    asked: bool,
    console: &mut Console,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut metrics: Vec<&FleetMetric> =
        if asked { fleet.metrics.iter().collect() } else { headline(fleet, HEADLINES) };
    let over = metrics.len().saturating_sub(MOST);
    metrics.truncate(MOST);
    if over > 0 {
        console.note(&format!(
            "wattmark: {MOST} metrics are drawn, {over} more are not: name fewer with --metric to see them"
        ));
    }
    if metrics.is_empty() {
        console.note("wattmark: no chart is drawn: no device that counts has a metric");
    }
    let mut taken: HashSet<String> = HashSet::new();
    let mut figures: Vec<Figure> = Vec::new();
    spreads(gathered, options, &metrics, MOST_RANKED + 1, &mut |spread| {
        let twins = metrics.iter().filter(|metric| metric.id == spread.id).count();
        let model = if twins > 1 { format!("-{}", safe(&spread.group.model)) } else { String::new() };
        for mut figure in [fleet_distribution(spread), fleet_rank(spread)] {
            figure.id = free(&format!("{}{model}", figure.id), &mut taken);
            figures.push(figure);
        }
    });
    write_figures(&figures, folder)
}

/// Letters, digits and hyphens.
fn safe(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    plain.take(40).collect::<String>().split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// A name that no other figure has.
fn free(stem: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{stem}-{number}"));
    let name = std::iter::once(stem.to_owned()).chain(numbered).find(|name| !taken.contains(name));
    let name = name.unwrap_or_else(|| stem.to_owned());
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe_and_each_is_used_once() {
        assert_eq!(safe("NVIDIA H200 / ../x"), "nvidia-h200-x");
        let mut taken = HashSet::new();
        assert_eq!([free("a", &mut taken), free("a", &mut taken), free("a", &mut taken)], ["a", "a-2", "a-3"]);
    }
}
