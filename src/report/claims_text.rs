//! The methodology claims as text for a terminal: one block per standard, one entry per requirement.
//!
//! What surprises people: there is no total and no mark. Lines are counted by verdict, and that is all that may be said.

use super::table::{labelled, wrapped};
use crate::measure::result::claims::{Claim, MethodologyClaims, Reading, Standard, Verdict, methodology_claims};
use crate::model::RunRecord;

/// Width of verdicts, with the blanks behind them.
const VERDICT: usize = 17;

/// The claims of a record, as wide as `width` columns.
pub fn claims_text(record: &RunRecord, width: usize) -> String {
    let claims = methodology_claims(record);
    let mut text = labelled("run", &format!("{}, preset {}", record.run_id, record.plan.preset), width);
    if record.simulated {
        text.push_str(&labelled("simulated", "times and power are scripted; no hardware was measured", width));
    }
    text.push_str(&labelled("judged", &judged(&claims), width));
    text.push_str(&labelled("no label", claims.disclaimer, width));
    for standard in &claims.standards {
        text.push_str(&of_standard(standard, width));
    }
    text
}

fn judged(claims: &MethodologyClaims) -> String {
    match &claims.judged.meter {
        Some(meter) => format!("{}, {} scope: the measured source of the widest scope", meter.source, meter.scope),
        None => "no measured source read a case".to_owned(),
    }
}

fn of_standard(standard: &Standard, width: usize) -> String {
    let mut text = format!("\n{}\n", standard.name);
    text.push_str(&labelled("text", standard.text, width));
    let counts: Vec<String> = [Verdict::Met, Verdict::NotMet, Verdict::Unknown, Verdict::NotApplicable]
        .into_iter()
        .map(|verdict| format!("{} {}", standard.count(verdict), verdict.name()))
        .collect();
    text.push_str(&labelled("lines", &counts.join(", "), width));
    for claim in &standard.claims {
        text.push_str(&entry(claim, width));
    }
    text
}

/// Verdict, requirement, and below it what the run has, what is missing, and where the requirement was read.
fn entry(claim: &Claim, width: usize) -> String {
    let read = match claim.reading {
        Reading::Confirmed { source } => format!("confirmed: {source}"),
        Reading::NotConfirmed { note } => format!("NOT CONFIRMED: {note}"),
    };
    let mut parts = vec![format!("{}: {}", claim.id, claim.requirement), format!("this run: {}", claim.run_has)];
    parts.extend(claim.missing.as_ref().map(|missing| format!("missing: {missing}")));
    parts.push(read);
    let room = width.saturating_sub(VERDICT + 2).max(24);
    let mut text = String::new();
    for (part, words) in parts.iter().enumerate() {
        for (line, words) in wrapped(words, room).iter().enumerate() {
            let verdict = if part == 0 && line == 0 { claim.verdict.name() } else { "" };
            let indent = if part == 0 && line == 0 { "" } else { "  " };
            text.push_str(format!("{verdict:<VERDICT$}{indent}{words}").trim_end());
            text.push('\n');
        }
    }
    format!("\n{text}")
}
