//! What stands below the table of pairs: means, reasons of refusals and unclear verdicts, what the sensors bring in, how to
//! read it all.

use super::overview::mean;
use crate::cli::text;
use crate::compare::{Comparison, Options, Outcome, Pair, Sensors, Verdict};
use crate::report::named_case;

/// Geometric means, the reasons behind refusals and unclear verdicts, notes of the pairing, and how to read the table.
pub fn text(options: &Options, comparison: &Comparison) -> String {
    let mut out = String::from("\n");
    let means = [("speed", comparison.mean_speed), ("work per joule", comparison.mean_efficiency)];
    let mut label = "Mean";
    for (what, own) in means.into_iter().filter_map(|(what, own)| Some((what, own?))) {
        let n = if own.cases == 1 { "1 pair".to_owned() } else { format!("{} pairs", own.cases) };
        out.push_str(&text::entry(label, &format!("{what} B/A {} (geometric mean of {n})", mean(Some(own)))));
        label = "";
    }
    for (reason, cases) in reasons(&comparison.pairs) {
        let all = comparison.pairs.len();
        let who = match cases.len() {
            n if n == all && n > 1 => format!("all {n} cases"),
            n if n > 3 => format!("{n} of {all} cases"),
            _ => cases.join(", "),
        };
        out.push_str(&text::entry("Note", &format!("{who}: {reason}")));
    }
    for (told, cases) in sensors(&comparison.pairs) {
        let who = if cases == comparison.pairs.len() { String::new() } else { format!(" ({cases} of the pairs)") };
        out.push_str(&text::entry("Sensors", &format!("{told}{who}")));
    }
    out.push_str(&text::entry("Read", &how_to_read(options, comparison)));
    out
}

fn how_to_read(options: &Options, comparison: &Comparison) -> String {
    let floor = crate::compare::percent(options.noise.get());
    let tests = if comparison.tests == 1 { "1 test".to_owned() } else { format!("all {} tests", comparison.tests) };
    format!(
        "better or worse: the whole 95 % interval is beyond {floor} % and the difference holds among {tests} (Holm's p \
         below 0.05); same: the whole interval is within {floor} %; unclear: the windows or the sensors cannot tell. Unit of n: \
         windows. p: Mann-Whitney U over windows, exact, two-sided; the verdict does not rest on it. Holm: Welch's p, adjusted."
    )
}

/// What the sensors bring into the ratios of work per joule that have an interval, and how many pairs have it so.
fn sensors(pairs: &[Pair]) -> Vec<(String, usize)> {
    let with_interval = |pair: &&Pair| pair.efficiency.judged().is_some_and(|judged| judged.interval.is_some());
    let own: Vec<Sensors> =
        pairs.iter().filter(with_interval).filter_map(|pair| pair.efficiency.judged()?.sensors).collect();
    let mut told = Vec::new();
    for cancels in [true, false] {
        let like: Vec<&Sensors> = own.iter().filter(|one| one.gain_cancels == cancels).collect();
        if like.is_empty() {
            continue;
        }
        let up_to = |of: fn(&Sensors) -> f64| {
            let (low, high) = like.iter().map(|one| of(one)).fold((f64::MAX, 0.0f64), |(a, b), x| (a.min(x), b.max(x)));
            let (low, high) = (format!("{:.1}", low * 100.0), format!("{:.1}", high * 100.0));
            if low == high { format!("±{high} %") } else { format!("±{low} to {high} %") }
        };
        let gain = if cancels {
            "one sensor of one board, read in one way: its gain cancels".to_owned()
        } else {
            format!(
                "not one sensor of one board, read in one way: gains add {} to a ratio of joules",
                up_to(|one| one.gain)
            )
        };
        let rest = format!(
            "; edges of windows {}, time that was not seen {}",
            up_to(|one| one.edge),
            up_to(|one| one.sampling)
        );
        told.push((gain + &rest, like.len()));
    }
    told
}

/// Notes of the pairing and reasons of refusals and unclear verdicts in order of appearance, with the cases of each.
fn reasons(pairs: &[Pair]) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for pair in pairs {
        let mut reasons: Vec<String> = pair.notes.clone();
        // Carbon follows from efficiency at one site, so its reason would be said twice.
        for (what, outcome) in [("speed", &pair.speed), ("energy and carbon", &pair.efficiency)] {
            match outcome {
                Outcome::Refused { reason } => reasons.push(format!("{what} refused: {reason}")),
                Outcome::Compared(judged) if judged.forced.is_some() => {
                    reasons.push(format!("{what} {}", judged.reason))
                }
                Outcome::Compared(judged) if judged.verdict == Verdict::Unclear => {
                    reasons.push(format!("{what} unclear: {}", judged.reason));
                }
                Outcome::Compared(_) => {}
            }
        }
        for reason in reasons {
            match found.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, cases)) => cases.push(named_case(&pair.a)),
                None => found.push((reason, vec![named_case(&pair.a)])),
            }
        }
    }
    found
}
