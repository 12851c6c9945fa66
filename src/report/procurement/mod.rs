//! A procurement table as text for a terminal, as Markdown and as CSV; the figures are made in [`crate::compare::procurement`].
//!
//! What surprises people: two tables stand below each other, one of what a device does and one of a year of the same work,
//! because the second depends on prices and hours that somebody stated and the first does not.

mod cells;
mod csv;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write;

use super::ceilings_text::Columns;
use super::number::{compact_case, significant};
use super::table::labelled;
use crate::compare::procurement::{Procurement, Row, Standing, Workload};

pub use csv::csv;

use cells::{amount, does, does_heads, year, year_heads};

/// Width of the text.
const WIDTH: usize = 120;
/// Blanks between columns, as [`Columns`] has them.
const GAP: usize = 2;
/// Workloads that the text lists in full; of more, it lists [`PRINCIPAL`].
const MOST: usize = 8;
const PRINCIPAL: usize = 6;
/// Before the names of devices, below their workload.
const INDENT: &str = "    ";

/// The table as text of at most 120 columns: the records, the two tables, why figures are missing, notes.
pub fn text(table: &Procurement) -> String {
    let mut out = String::new();
    for (label, fact) in facts(table) {
        out.push_str(&labelled(&label, &fact, WIDTH));
    }
    let shown = shown(table);
    if !shown.is_empty() {
        let per = |work: &Workload| format!("{}, per {}", work_name(work), work.per);
        let a_year = |work: &Workload| format!("{}{}", work_name(work), work_of_year(work));
        let kinds = kinds(table);
        out.push_str("\nWhat each device does\n");
        out.push_str(&columns(&shown, &does_heads(table), per, |row| does(row, &kinds)));
        out.push_str(&format!("\n{}\n", year_title(table)));
        out.push_str(&columns(&shown, &year_heads(table), a_year, |row| year(table, row)));
        let more = table.workloads.len() - shown.len();
        if more > 0 {
            out.push_str(&format!("{more} more common workloads are in the CSV, the Markdown and the JSON.\n"));
        }
    }
    let remarks = remarks(table);
    if !remarks.is_empty() {
        out.push('\n');
    }
    out.extend(remarks.iter().map(|(label, text)| labelled(label, text, WIDTH)));
    out
}

/// The same as Markdown: every row names its workload.
pub fn markdown(table: &Procurement) -> String {
    let mut out = String::from("# Procurement\n\n");
    for (label, fact) in facts(table) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "- **{}**: {}", escaped(&label), escaped(&fact));
    }
    if !table.workloads.is_empty() {
        let per = |work: &Workload| format!("{}, per {}", work_name(work), work.per);
        let a_year = |work: &Workload| format!("{}{}", work_name(work), work_of_year(work));
        let kinds = kinds(table);
        let first = grid(table, &does_heads(table), per, |row| does(row, &kinds));
        let _ = write!(out, "\n## What each device does\n\n{first}");
        let second = grid(table, &year_heads(table), a_year, |row| year(table, row));
        let _ = write!(out, "\n## {}\n\n{second}", escaped(&year_title(table)));
    }
    let remarks = remarks(table);
    if !remarks.is_empty() {
        out.push_str("\n## Notes\n\n");
    }
    for (label, text) in remarks {
        let _ = writeln!(out, "- **{}**: {}", escaped(&label), escaped(&text));
    }
    out
}

/// One of the two tables: a line for each workload, its devices below it.
fn columns(
    workloads: &[&Workload],
    heads: &[String],
    name: impl Fn(&Workload) -> String,
    cells: impl Fn(&Row) -> Vec<String>,
) -> String {
    let cells: Vec<Vec<Vec<String>>> = workloads.iter().map(|work| work.rows.iter().map(&cells).collect()).collect();
    // Names get what the figures leave; the lines above the tables have them in full.
    let widest = |column: usize| {
        let own = cells.iter().flatten().filter_map(|row| row.get(column - 1));
        own.chain(heads.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let figures: usize = (1..heads.len()).map(|column| widest(column) + GAP).sum();
    let room = WIDTH.saturating_sub(figures + INDENT.len()).clamp(8, 40);
    let mut lines = Columns { left: 1, lines: Vec::new() };
    lines.cells(heads.to_vec());
    for (work, rows) in workloads.iter().zip(cells) {
        // A note without cells begins two blanks from the edge.
        lines.note(Vec::new(), name(work));
        for (row, own) in work.rows.iter().zip(rows) {
            let mut line = vec![format!("{INDENT}{}", cut(&row_name(work, row), room))];
            line.extend(own);
            lines.cells(line);
        }
    }
    lines.text(WIDTH)
}

fn grid(
    table: &Procurement,
    heads: &[String],
    name: impl Fn(&Workload) -> String,
    cells: impl Fn(&Row) -> Vec<String>,
) -> String {
    let line =
        |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "));
    let mut head = vec!["workload".to_owned()];
    head.extend(heads.iter().cloned());
    let mut out = line(&head) + "|---|---|" + &"--:|".repeat(heads.len() - 1) + "\n";
    for work in &table.workloads {
        for row in &work.rows {
            let mut own = vec![name(work), row_name(work, row)];
            own.extend(cells(row));
            out.push_str(&line(&own));
        }
    }
    out
}

/// The workloads that the text lists: all of few, else what a buyer looks at first.
fn shown(table: &Procurement) -> Vec<&Workload> {
    let principal = table.principal(PRINCIPAL);
    if table.workloads.len() <= MOST || principal.is_empty() { table.workloads.iter().collect() } else { principal }
}

/// Scopes and evidence in the table, each once, in order of appearance.
fn kinds(table: &Procurement) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for words in table.workloads.iter().flat_map(|work| &work.rows).filter_map(Row::scope_words) {
        if !kinds.contains(&words) {
            kinds.push(words);
        }
    }
    kinds
}

/// Label and text of the lines above the tables.
fn facts(table: &Procurement) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    for record in &table.records {
        let rows = || table.workloads.iter().flat_map(|work| &work.rows).filter(|row| row.record == record.letter);
        let mut names: Vec<&str> = rows().map(|row| row.device.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let names = if names.is_empty() { String::new() } else { format!("{}, ", names.join(" and ")) };
        let simulated = if record.simulated { ", SIMULATED" } else { "" };
        facts.push((record.letter.clone(), format!("{names}run {}{simulated}", record.run_id)));
    }
    let terms = &table.terms;
    let tariff = match (&terms.currency, terms.tariff_per_kwh) {
        (Some(currency), Some(tariff)) => format!(", {} {currency}/kWh", significant(tariff)),
        _ => ", no prices".to_owned(),
    };
    facts.push((
        "site".to_owned(),
        format!(
            "{}: PUE {}, {} g{}/kWh ({}), utilisation {:.0} %{tariff}",
            terms.site,
            terms.pue,
            terms.intensity_g_per_kwh,
            terms.gas,
            terms.region,
            terms.utilisation * 100.0
        ),
    ));
    facts.extend(match &kinds(table)[..] {
        [] => None,
        [only] => Some(("energy".to_owned(), format!("{only}; gross, idle power is not subtracted"))),
        kinds => {
            let numbered = kinds.iter().enumerate().map(|(index, kind)| format!("[{}] {kind}", index + 1));
            let all = numbered.collect::<Vec<_>>().join("; ");
            Some((
                "energy".to_owned(),
                format!("{all}; gross, idle power is not subtracted. Only places of one number rank"),
            ))
        }
    });
    facts.extend(fronts(table).map(|fact| ("front".to_owned(), fact)));
    facts
}

/// How often each device is on the front: `A NVIDIA H100 in 5 of 6 workloads; …`.
fn fronts(table: &Procurement) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let ranked = |work: &&Workload| work.rows.iter().any(|row| row.standing.on_front());
    let may_rank = |row: &&Row| !matches!(row.standing, Standing::Alone | Standing::NotRanked);
    for row in table.workloads.iter().flat_map(|work| &work.rows).filter(may_rank) {
        *counts.entry(row.name()).or_default() += usize::from(row.standing.on_front());
    }
    let all = table.workloads.iter().filter(ranked).count();
    let words: Vec<String> = counts.iter().map(|(name, count)| format!("{name} in {count}")).collect();
    (all > 0).then(|| {
        let noun = if all == 1 { "workload" } else { "workloads" };
        format!("of {all} {noun} with devices that may be ranked: {}", words.join(", "))
    })
}

fn year_title(table: &Procurement) -> String {
    format!("A year of the same work at {}", table.terms.site)
}

/// `gemm f32 k=m=n=4096`.
pub(super) fn work_name(work: &Workload) -> String {
    format!("{} {} {}", work.case.problem, work.case.element, compact_case(&work.case))
}

fn work_of_year(work: &Workload) -> String {
    let Some(amount_of) = work.work_per_year else { return String::new() };
    format!(": {} {} a year", amount(amount_of / work.per.amount()), work.per)
}

/// Letter and name, with the ordinal where the record has several devices.
fn row_name(work: &Workload, row: &Row) -> String {
    let several = work.rows.iter().filter(|other| other.record == row.record).count() > 1;
    let ordinal = if several { row.ordinal.to_string() } else { String::new() };
    format!("{}{ordinal} {}", row.record, row.device)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Why figures are missing, what was left out, how to read the tables, and the notes.
fn remarks(table: &Procurement) -> Vec<(String, String)> {
    let mut remarks: Vec<(String, String)> = missing(table).into_iter().map(|text| ("—".to_owned(), text)).collect();
    for left in &table.left_out {
        let words = format!(
            "{} {} {} is in {} and not in {}",
            left.case.problem,
            left.case.element,
            compact_case(&left.case),
            left.done_by.join(", "),
            left.missing_in.join(", ")
        );
        remarks.push(("left out".to_owned(), words));
    }
    if !table.workloads.is_empty() {
        remarks.push((
            "place".to_owned(),
            "front: no other is better in rate and in work per joule; beaten: another is better in both, beyond the \
             intervals; unclear: another is better in both, but by the points only; alone: no other with such energy"
                .to_owned(),
        ));
    }
    remarks.extend(table.notes.iter().map(|note| ("note".to_owned(), note.clone())));
    remarks
}

/// Each reason once, with those it holds for.
fn missing(table: &Procurement) -> Vec<String> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |reason: &str, who: String| match found.iter_mut().find(|(known, _)| known == reason) {
        Some((_, all)) => all.push(who),
        None => found.push((reason.to_owned(), vec![who])),
    };
    for work in &table.workloads {
        for row in &work.rows {
            row.missing.iter().for_each(|reason| add(reason, format!("{}, {}", row.record, work_name(work))));
        }
    }
    let all: usize = table.workloads.iter().map(|work| work.rows.len()).sum();
    let words = |(reason, who): (String, Vec<String>)| match who.len() {
        count if count == all => reason,
        count if count > 3 => format!("{count} rows: {reason}"),
        _ => format!("{}: {reason}", who.join("; ")),
    };
    found.into_iter().map(words).collect()
}

/// A text that cannot end its cell or begin a tag.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}
