//! `--fail-if`: rules read from the command line, what came of them in words, and the exit code that follows.
//!
//! What surprises people: a broken rule goes before an undecided one, and an undecided one is not kept: it ends with 5.

use crate::cli::{Exit, Failure, text};
use crate::compare::{Breach, Checked, Rule};
use crate::units::Ratio;

/// Cases that are named for each rule.
const NAMED: usize = 10;

/// Reads the rules; one that is wrong, or finer than the effect floor can hold, ends with exit code 2.
pub fn parse(given: &[String], noise: Ratio) -> anyhow::Result<Vec<Rule>> {
    let mut rules = Vec::new();
    for text in given {
        let rule: Rule = text.parse().map_err(|error| Failure::usage(format!("cannot use --fail-if {error}")))?;
        if let Some(why) = rule.finer_than(noise.get()) {
            return Err(Failure::usage(format!("cannot use --fail-if {why}")).into());
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// Exit code of all rules together.
pub fn exit(checked: &[Checked]) -> Exit {
    if checked.iter().any(|one| !one.broken.is_empty()) {
        Exit::Limit
    } else if checked.iter().any(|one| !one.undecided.is_empty()) {
        Exit::Quality
    } else {
        Exit::Ok
    }
}

/// Every rule with the cases that break it and those that leave it undecided; nothing without rules.
pub fn text(checked: &[Checked], records: usize) -> String {
    let mut out = if checked.is_empty() { String::new() } else { "\n".to_owned() };
    for one in checked {
        let of = if records > 1 { format!(" ({})", one.run_b) } else { String::new() };
        let word = match (one.broken.len(), one.undecided.len()) {
            (0, 0) => format!("kept by {}", cases(one.kept)),
            (0, undecided) => format!("UNDECIDED on {}, kept by {}", cases(undecided), one.kept),
            (broken, undecided) => {
                format!("BROKEN by {}, undecided on {undecided}, kept by {}", cases(broken), one.kept)
            }
        };
        out.push_str(&text::entry("Rule", &format!("{}{of}: {word}", one.rule)));
        for (what, breaches) in [("breaks it", &one.broken), ("undecided", &one.undecided)] {
            for breach in breaches.iter().take(NAMED) {
                out.push_str(&text::wrapped("          ", &line(what, breach)));
            }
            if breaches.len() > NAMED {
                out.push_str(&format!("          and {} more; --json lists all\n", breaches.len() - NAMED));
            }
        }
    }
    out
}

fn cases(count: usize) -> String {
    if count == 1 { "1 case".to_owned() } else { format!("{count} cases") }
}

fn line(what: &str, breach: &Breach) -> String {
    let change = breach.change.map(|change| format!(" {:+.1} %", change * 100.0)).unwrap_or_default();
    format!("{what}: {}{change} ({})", breach.case, breach.reason)
}
