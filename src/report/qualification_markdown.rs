//! A qualification as Markdown, for a ticket: the verdict, every check that did not pass with what to do, then all the rest.
//!
//! What surprises people: unlike the terminal's text it lists passed checks with their values, for a ticket is read by people
//! who do not have the folder.

use std::fmt::Write;

use super::number::MISSING;
use super::qualification::{
    FIGURES, by_gravity, check_cells, checks_by_gravity, device_title, facts, other_figures, outputs_fact, phase_rows,
};
use crate::model::{Grade, Qualification, QualifiedDevice};

/// The whole qualification as Markdown.
pub fn qualification_markdown(qualification: &Qualification) -> String {
    let mut text = format!("# {} on {}\n\n", qualification.grade, escaped(&qualification.host.hostname));
    for (label, fact) in facts(qualification) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- **{label}**: {}", escaped(&fact));
    }
    let _ = writeln!(
        text,
        "- **program**: wattmark {}, SHA-256 `{}`",
        qualification.tool.version, qualification.program_sha256
    );
    for device in by_gravity(qualification) {
        text.push_str(&section(device));
    }
    if !qualification.warnings.is_empty() {
        text.push_str("\n## Warnings\n\n");
        for warning in &qualification.warnings {
            let _ = writeln!(text, "- **{}**: {}", warning.code.code(), escaped(&warning.text));
        }
    }
    text
}

fn section(device: &QualifiedDevice) -> String {
    let mut text = format!("\n## {}: device {}\n\n", device.grade, escaped(&device_title(device)));
    text.push_str("| code | check | verdict | measured | limit | limit from | found | to do |\n");
    text.push_str("|---|---|---|--:|--:|---|---|---|\n");
    for check in checks_by_gravity(device) {
        let mut cells = check_cells(check);
        cells.push(check.detail.clone());
        cells.push(if check.action.is_empty() { MISSING.to_owned() } else { check.action.clone() });
        if check.grade != Grade::Pass {
            cells[2] = format!("**{}**", cells[2]);
        }
        text.push_str(&row(&cells));
    }
    let rows = phase_rows(device);
    if !rows.is_empty() {
        let heads: Vec<&str> = std::iter::once("phase").chain(FIGURES.iter().map(|(head, _)| *head)).collect();
        let _ = write!(text, "\n| {} |\n|---|{}\n", heads.join(" | "), "--:|".repeat(FIGURES.len()));
        for (phase, cells) in rows {
            text.push_str(&row(&std::iter::once(phase.to_string()).chain(cells).collect::<Vec<_>>()));
        }
    }
    let lines = [("figures", other_figures(device)), ("outputs", outputs_fact(device))];
    let lines: Vec<String> = lines
        .iter()
        .filter(|(_, fact)| !fact.is_empty())
        .map(|(label, fact)| format!("- **{label}**: {}\n", escaped(fact)))
        .collect();
    if !lines.is_empty() {
        let _ = write!(text, "\n{}", lines.concat());
    }
    text
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "))
}

/// A text that cannot end its cell or begin a tag.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::qualification_sample::sample;

    #[test]
    fn a_ticket_names_verdict_check_limit_and_remedy() {
        let text = qualification_markdown(&sample());
        assert!(text.starts_with("# FAIL on node07\n"), "{text}");
        let row = text.lines().find(|line| line.starts_with("| Q20")).unwrap();
        assert!(row.contains("| **FAIL** | 31% | 1.0% | any device |"), "{row}");
        assert!(row.contains("&lt;time>") && row.contains("Check airflow"), "{row}");
        assert!(text.contains("| Q01 | ran to its end | PASS | — | — | — |"), "{text}");
    }

    #[test]
    fn every_row_has_the_cells_of_its_head_whatever_the_texts_hold() {
        let mut qualification = sample();
        qualification.devices[1].checks[0].detail = "a | b\nc".to_owned();
        let text = qualification_markdown(&qualification);
        let row = text.lines().find(|line| line.starts_with("| Q20")).unwrap();
        let bars = row.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 9, "{row}");
    }
}
