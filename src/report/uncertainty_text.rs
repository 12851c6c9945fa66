//! The uncertainty budget of every case and source as text for a terminal: each term, where it comes from, what they come
//! to, and what is left between two runs on one board.
//!
//! What surprises people: the terms are standard uncertainties, about half as wide as the 95 % intervals of other tables.

use super::ceilings_text::Columns;
use super::number::{MISSING, compact_case, significant};
use super::table::{labelled, wrapped};
use crate::measure::result::{
    CaseResult, Combined, EnergyMethod, EnergyResult, Evaluation, GainOrigin, RunResult, Term,
};
use crate::model::{Evidence, RunRecord};
use crate::units::Watts;

/// Effective degrees of freedom from which a number says no more than infinity.
const MANY: f64 = 10_000.0;

/// The budgets of a record, as wide as `width` columns.
pub fn uncertainty_text(record: &RunRecord, result: &RunResult, width: usize) -> String {
    let mut text = labelled("run", &format!("{}, preset {}", record.run_id, record.plan.preset), width);
    if record.simulated {
        text.push_str(&labelled("simulated", "times and power are scripted; no hardware was measured", width));
    }
    let mut shown = false;
    for case in result.cases.iter().filter(|case| case.verified) {
        for energy in &case.energy {
            text.push_str(&of_energy(case, energy, width));
            shown = true;
        }
    }
    if !shown {
        text.push_str("\nno energy was read, so there is no uncertainty to show; see `wattmark doctor`\n");
        return text;
    }
    text.push('\n');
    text.push_str(&labelled(
        "columns",
        "u: relative standard uncertainty; ν: degrees of freedom; type: A from repeated observations, B from anything else; \
         k: Student's factor to 95 % at ν; ±95 %: k·u",
        width,
    ));
    text.push_str(&labelled(
        "case",
        "what the work draws in any windows like these: root of the sum of squares of scatter (or unseen, where that is \
         larger: the scatter holds it already), edges and gain",
        width,
    ));
    text.push_str(&labelled(
        "windows",
        "what flowed while these windows lasted: unseen, edges and gain, without scatter",
        width,
    ));
    text
}

fn of_energy(case: &CaseResult, energy: &EnergyResult, width: usize) -> String {
    let title = format!("{} {}, device {}", case.case.variant, compact_case(&case.case), case.case.device);
    let mut text = format!("\n{}\n", wrapped(&title, width).join("\n"));
    text.push_str(&labelled("energy", &source_line(energy), width));
    if let Some(note) = energy.scope_note() {
        let told = format!("the watts are corrected to those of another meter and include what it does: {note}");
        text.push_str(&labelled("scope", &told, width));
    }
    if energy.evidence != Evidence::Measured {
        let told = format!("the energy is {}, not measured: no interval is given", energy.evidence);
        text.push_str(&labelled("budget", &told, width));
        return text;
    }
    text.push_str(&table(energy, width));
    text.push_str(&labelled("scope", &format!("{}: a word, not a number; it has no uncertainty", energy.scope), width));
    text
}

fn source_line(energy: &EnergyResult) -> String {
    let method = match energy.method {
        EnergyMethod::Counter => "energy counter",
        EnergyMethod::Integral => "integral of power",
    };
    let disagreement = energy
        .disagreement
        .map_or(String::new(), |ratio| format!(", counter over integral {:+.2} %", ratio.get() * 100.0));
    format!(
        "{} W by {} ({}), {method}{disagreement}, {} windows, {:.0} % covered",
        significant(energy.power.point.get()),
        energy.source,
        energy.scope,
        energy.power.n,
        energy.coverage.get() * 100.0,
    )
}

fn table(energy: &EnergyResult, width: usize) -> String {
    let budget = &energy.uncertainty;
    let mut table = Columns { left: 1, lines: Vec::new() };
    let cells = |all: [&str; 6]| all.map(str::to_owned).to_vec();
    table.note(cells(["term", "u", "ν", "type", "k", "±95 %"]), "from".to_owned());
    match &budget.statistical {
        Some(term) => table.note(of_term("scatter", term), "joules per execution, window by window".to_owned()),
        None => table.note(
            cells(["scatter", MISSING, MISSING, "A", MISSING, MISSING]),
            "fewer than two windows, so the case has no interval".to_owned(),
        ),
    }
    table.note(of_term("unseen", &budget.sampling), "time between looks, holes, noise".to_owned());
    let bound = format!("delay, averaging; bound ±{}", percent(budget.edge_bound));
    table.note(of_term("edges", &budget.edge), bound);
    table.note(of_term("gain", &budget.gain), gain_line(energy));
    let watts = energy.power.point;
    if let Some(all) = budget.of_case() {
        table.note(of_combined("case", &all), interval(watts, &all));
    }
    if let Some(left) = budget.without_gain() {
        let told = "against its own board and sensor: no gain".to_owned();
        table.note(of_combined("case, same board", &left), told);
    }
    let windows = budget.of_windows();
    table.note(of_combined("windows", &windows), interval(watts, &windows));
    table.text(width)
}

fn gain_line(energy: &EnergyResult) -> String {
    match (energy.uncertainty.gain_from, &energy.correction) {
        (GainOrigin::Correction, Some(correction)) => format!("systematic; left by {}", correction.against),
        (GainOrigin::Correction, None) => "systematic; left over by the correction".to_owned(),
        (GainOrigin::Stated, _) => "systematic; stated for the sensor".to_owned(),
        (GainOrigin::Prior, _) => "systematic; prior, as nothing is stated".to_owned(),
    }
}

fn interval(watts: Watts, all: &Combined) -> String {
    let half = watts.get() * all.expanded();
    format!("{} to {} W", significant(watts.get() - half), significant(watts.get() + half))
}

fn of_term(name: &str, term: &Term) -> Vec<String> {
    let kind = match term.evaluation {
        Evaluation::A => "A",
        Evaluation::B => "B",
    };
    row(name, &Combined::of(&[*term]), term.degrees, kind)
}

fn of_combined(name: &str, all: &Combined) -> Vec<String> {
    row(name, all, all.degrees, "")
}

fn row(name: &str, all: &Combined, degrees: f64, kind: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        percent(all.standard),
        if degrees < MANY { format!("{degrees:.0}") } else { "∞".to_owned() },
        kind.to_owned(),
        format!("{:.2}", all.factor),
        percent(all.expanded()),
    ]
}

/// A ratio in percent with as many digits as one that is far below 1 % needs.
fn percent(ratio: f64) -> String {
    format!("{:.3} %", ratio * 100.0)
}
