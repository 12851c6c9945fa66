//! The table of pairs, device by device, and the line that counts their verdicts.

use crate::cli::text;
use crate::compare::{Comparison, Options, Outcome, Pair, Verdict};
use crate::model::RunRecord;
use crate::report::compact_case;

/// Widest line of a shape under its variant.
const SHAPE_WIDTH: usize = 26;

/// How many pairs got which verdict, before the table: `speed 1 worse, 14 unclear; work per joule 15 unclear`.
pub fn summary(pairs: &[Pair]) -> String {
    let (speed, work) = (counted(pairs, |pair| &pair.speed), counted(pairs, |pair| &pair.efficiency));
    text::entry("Result", &format!("B against A: speed {speed}; work per joule {work}")) + "\n"
}

/// The verdicts of one quantity, counted.
pub fn counted(pairs: &[Pair], of: impl Fn(&Pair) -> &Outcome) -> String {
    use Verdict::{Better, Same, Unclear, Worse};
    let honest =
        |verdict| pairs.iter().filter(|pair| of(pair).honest().is_some_and(|it| it.verdict == verdict)).count();
    let forced = pairs.iter().filter(|pair| of(pair).judged().is_some_and(|it| it.forced.is_some())).count();
    let refused = pairs.iter().filter(|pair| of(pair).judged().is_none()).count();
    let verdicts = [Better, Worse, Same, Unclear].map(|verdict| (honest(verdict), verdict.to_string()));
    let all = verdicts.into_iter().chain([(forced, "forced".to_owned()), (refused, "refused".to_owned())]);
    let said: Vec<String> = all.filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    said.join(", ")
}

/// All pairs; with several devices, a table for each pair of them under its names.
pub fn pairs(options: &Options, comparison: &Comparison, a: &RunRecord, b: &RunRecord) -> String {
    let mut devices: Vec<(u32, u32)> = comparison.pairs.iter().map(|pair| (pair.a.device, pair.b.device)).collect();
    devices.dedup();
    devices.sort_unstable();
    devices.dedup();
    let mut out = String::new();
    for (index, (x, y)) in devices.iter().enumerate() {
        if devices.len() > 1 {
            let name = |record: &RunRecord, ordinal| {
                record.device(ordinal).map_or("unknown", |device| device.name.as_str()).to_owned()
            };
            let gap = if index > 0 { "\n" } else { "" };
            out.push_str(&format!("{gap}A: device {x}, {}; B: device {y}, {}\n", name(a, *x), name(b, *y)));
        }
        let own = comparison.pairs.iter().filter(|pair| (pair.a.device, pair.b.device) == (*x, *y));
        out.push_str(&table(options, own));
    }
    out
}

fn table<'a>(options: &Options, pairs: impl Iterator<Item = &'a Pair>) -> String {
    let header = ["case", "quantity", "A", "B", "B/A", "95 %", "n", "p", "Holm", "B is"];
    let mut table = text::table(&header, &[2, 3, 4, 7, 8]);
    for pair in pairs {
        let gas = options.site.profile.grid.gas.to_string();
        let efficiency = pair.efficiency.judged().map_or("per watt", |judged| judged.unit);
        let quantities =
            [("speed".to_owned(), &pair.speed), (per_watt(efficiency), &pair.efficiency), (gas, &pair.carbon)];
        let labels = [pair.a.variant.clone(), indented(&compact_case(&pair.a)), scope(pair)];
        for (label, (quantity, outcome)) in labels.into_iter().zip(quantities) {
            table.add_row(row(label, quantity, outcome));
        }
    }
    text::lines(&table)
}

/// What the joules of a pair are.
fn scope(pair: &Pair) -> String {
    match &pair.energy {
        None => String::new(),
        Some(energy) if (energy.scope, energy.evidence) == (energy.scope_b, energy.evidence_b) => {
            format!("  {} energy, {}", energy.evidence, energy.scope)
        }
        Some(energy) => {
            format!("  {} {} against\n  {} {}", energy.evidence, energy.scope, energy.evidence_b, energy.scope_b)
        }
    }
}

/// A shape under its variant, on as many lines as it needs, each indented.
pub fn indented(shape: &str) -> String {
    let mut lines = vec![String::new()];
    for part in shape.split_whitespace() {
        let full = lines.last().is_some_and(|line| !line.is_empty() && line.len() + 1 + part.len() > SHAPE_WIDTH);
        match lines.last_mut().filter(|_| !full) {
            Some(line) => *line = format!("{line} {part}").trim_start().to_owned(),
            None => lines.push(part.to_owned()),
        }
    }
    format!("  {}", lines.join("\n  "))
}

/// FLOP per joule under the name users know: a FLOP/J is a FLOPS/W.
fn per_watt(unit: &str) -> String {
    unit.replace("FLOP/J", "FLOPS/W")
}

fn row(label: String, quantity: String, outcome: &Outcome) -> Vec<String> {
    let Outcome::Compared(judged) = outcome else {
        let mut cells = vec![label, quantity];
        cells.extend(["–", "–", "–", "–", "–", "–", "–", "refused"].map(str::to_owned));
        return cells;
    };
    vec![
        label,
        quantity,
        text::si(judged.a, &per_watt(judged.unit)),
        text::si(judged.b, &per_watt(judged.unit)),
        ratio(judged.ratio),
        judged.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{}..{}", ratio(low), ratio(high))),
        format!("{}+{}", judged.n_a, judged.n_b),
        probability(judged.p),
        probability(judged.holm_p),
        judged.word(),
    ]
}

/// A ratio with three decimals, or three significant digits where it is far from 1.
pub fn ratio(value: f64) -> String {
    if (0.01..100.0).contains(&value) { format!("{value:.3}") } else { format!("{value:.2e}") }
}

/// A p-value; one that three decimals would print as zero is not zero.
pub fn probability(p: Option<f64>) -> String {
    match p {
        None => "–".to_owned(),
        Some(p) if p < 0.0005 => "<.001".to_owned(),
        Some(p) => format!("{p:.3}"),
    }
}
