//! Metered programs as `compare` and `carbon` print them: tables of their own, marked as foreign work.

use crate::account::{CommandCarbon, Site};
use crate::cli::text;
use crate::compare::{CommandPair, Options, Outcome, Verdict};
use crate::model::Evidence;
use crate::report::work_unit;

/// What stands above every such table.
const HEADING: &str = "Metered programs (foreign work, not verified)";

/// The pairs of metered programs, with the reasons of refusals and unclear verdicts below.
pub fn table(options: &Options, pairs: &[CommandPair]) -> String {
    let header = ["program", "quantity", "A", "B", "B/A", "95 %", "n", "p", "B is"];
    let mut table = text::table(&header, &[2, 3, 4, 7]);
    let mut reasons: Vec<String> = Vec::new();
    for pair in pairs {
        let scope =
            pair.energy.as_ref().map_or(String::new(), |basis| format!("  {} energy, {}", basis.evidence, basis.scope));
        let unit = work_unit(&pair.unit);
        for (label, per, outcome) in [(pair.label.clone(), "s", &pair.speed), (scope, "J", &pair.efficiency)] {
            table.add_row(row(label, &format!("{unit}/{per}"), outcome));
            reasons.extend(reason(outcome).map(|why| format!("{}, {unit}/{per}: {why}", pair.label)));
        }
    }
    let mut out = format!("\n{HEADING}\n{}", text::lines(&table));
    if !reasons.is_empty() {
        out.push('\n');
    }
    reasons.iter().for_each(|reason| out.push_str(&text::entry("Note", reason)));
    let floor = options.noise.get() * 100.0;
    out + &text::entry(
        "Read",
        &format!("more is better; unit of n: executions; a difference below {floor} % is the same"),
    )
}

fn row(label: String, quantity: &str, outcome: &Outcome) -> Vec<String> {
    let Some(judged) = outcome.judged() else {
        let mut cells = vec![label, quantity.to_owned()];
        cells.extend(["–", "–", "–", "–", "–", "–", "refused"].map(str::to_owned));
        return cells;
    };
    vec![
        label,
        quantity.to_owned(),
        text::si(judged.a, "").trim_end().to_owned(),
        text::si(judged.b, "").trim_end().to_owned(),
        format!("{:.3}", judged.ratio),
        judged.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}")),
        format!("{}+{}", judged.n_a, judged.n_b),
        judged.p.map_or_else(|| "–".to_owned(), |p| format!("{p:.3}")),
        judged.verdict.to_string(),
    ]
}

fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Refused { reason } => Some(format!("refused: {reason}")),
        Outcome::Compared(judged) if judged.verdict == Verdict::Unclear => Some(format!("unclear: {}", judged.reason)),
        Outcome::Compared(_) => None,
    }
}

/// Carbon of metered programs, per execution and per unit of work.
pub fn carbon_table(site: &Site, rows: &[CommandCarbon]) -> String {
    let gas = site.profile.grid.gas.to_string();
    let header = ["program", "per", "energy", gas.as_str(), "95 %", "n", "scope", "evidence"];
    let mut table = text::table(&header, &[2, 3, 4, 5]);
    for row in rows {
        table.add_row(vec![
            row.label.clone(),
            work_unit(&row.per).to_owned(),
            text::si(row.energy.point.get(), "J"),
            text::si(row.carbon.point.get(), "g"),
            text::spread(&row.carbon),
            row.energy.n.to_string(),
            row.scope.to_string(),
            row.evidence.to_string(),
        ]);
    }
    let mut out = format!("{HEADING}\n{}", text::lines(&table));
    if rows.iter().any(|row| row.evidence != Evidence::Measured) {
        out.push_str(&text::entry(
            "Note",
            "declared or estimated energy gives declared or estimated carbon: no interval",
        ));
    }
    out
}
