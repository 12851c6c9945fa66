//! `wattmark compare`: compare two records case by case.
//!
//! What surprises people: ratios are B over A; the verdict speaks about B. A ratio is refused, with the reason, where the two
//! energies do not mean the same thing.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::accounting::{SiteArgs, site_text};
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure};
use crate::cli::{programs, text};
use crate::compare::{self, Comparison, Difference, Options, Outcome, Pair};
use crate::measure::result::evaluate;
use crate::model::RunRecord;
use crate::report::{compact_case, named_case};
use crate::units::Ratio;

/// Arguments of `wattmark compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// First record: a run's folder or its run.json.
    pub a: PathBuf,
    /// Second record.
    pub b: PathBuf,
    /// The one site at which carbon is compared.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Smallest difference that counts, as 1% or 0.01.
    #[arg(long, value_name = "RATIO", default_value = "1%", allow_hyphen_values = true)]
    pub noise: String,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let noise = parse_noise(&args.noise)?;
    let site = args.site.resolve(None)?;
    let (a, b) = (load(&args.a, console)?.record, load(&args.b, console)?.record);
    let options = Options::new(noise, site);
    let comparison = compare::compare(&evaluate(&a), &a, &evaluate(&b), &b, &options);
    if args.json {
        writeln!(console.out, "{}", serde_json::to_string_pretty(&comparison)?)?;
    } else {
        write!(console.out, "{}", render(&a, &b, &options, &comparison)?)?;
    }
    Ok(Exit::Ok)
}

fn parse_noise(given: &str) -> anyhow::Result<Ratio> {
    let trimmed = given.trim();
    let parsed = match trimmed.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|value| value / 100.0),
        None => trimmed.parse::<f64>(),
    };
    match parsed {
        Ok(value) if (0.0..1.0).contains(&value) => Ok(Ratio::new(value)),
        _ => Err(Failure::usage(format!(
            "cannot use --noise `{given}`: give a percentage such as 1% or a ratio below 1 such as 0.01"
        ))
        .into()),
    }
}

fn render(a: &RunRecord, b: &RunRecord, options: &Options, comparison: &Comparison) -> anyhow::Result<String> {
    let devices = |record: &RunRecord| {
        let names: Vec<&str> = record.devices.iter().map(|device| device.name.as_str()).collect();
        let names = if names.is_empty() { vec!["no device"] } else { names };
        format!("{} ({})", record.run_id, names.join(", "))
    };
    let mut out = text::entry("A", &devices(a)) + &text::entry("B", &devices(b)) + &site_text(&options.site)?;
    out.push('\n');
    if comparison.pairs.is_empty() {
        let nothing = if comparison.commands.is_empty() { "No case of A has a partner in B.\n" } else { "" };
        out.push_str(nothing);
    } else {
        out.push_str(&summary(&comparison.pairs));
        out.push_str(&pair_table(options, comparison));
        out.push_str(&remarks(options, comparison));
    }
    if !comparison.commands.is_empty() {
        out.push_str(&programs::table(options, &comparison.commands));
    }
    if !comparison.unpaired.is_empty() {
        out.push_str("\nWithout a partner:\n");
        for left in &comparison.unpaired {
            out.push_str(&format!(
                "  {} device {} {}: {}\n",
                left.side,
                left.case.device,
                named_case(&left.case),
                left.reason
            ));
        }
    }
    out.push_str(&difference_table(&comparison.differences));
    Ok(out)
}

fn pair_table(options: &Options, comparison: &Comparison) -> String {
    let header = ["case", "quantity", "A", "B", "B/A", "95 %", "n", "p", "B is"];
    let mut table = text::table(&header, &[2, 3, 4, 7]);
    for pair in &comparison.pairs {
        let scope = match &pair.energy {
            Some(energy) => format!("{} energy, {}", energy.evidence, energy.scope),
            None => String::new(),
        };
        let gas = options.site.profile.grid.gas.to_string();
        let efficiency = pair.efficiency.judged().map_or("per watt", |judged| judged.unit);
        let quantities =
            [("speed".to_owned(), &pair.speed), (per_watt(efficiency), &pair.efficiency), (gas, &pair.carbon)];
        let labels = [pair.a.variant.clone(), indented(&compact_case(&pair.a)), format!("  {scope}")];
        for (label, (quantity, outcome)) in labels.into_iter().zip(quantities) {
            table.add_row(row(label, quantity, outcome));
        }
    }
    text::lines(&table)
}

/// Widest line of a shape under its variant.
const SHAPE_WIDTH: usize = 28;

/// A shape under its variant, on as many lines as it needs, each indented.
fn indented(shape: &str) -> String {
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
        cells.extend(["–", "–", "–", "–", "–", "–", "refused"].map(str::to_owned));
        return cells;
    };
    vec![
        label,
        quantity,
        text::si(judged.a, &per_watt(judged.unit)),
        text::si(judged.b, &per_watt(judged.unit)),
        format!("{:.3}", judged.ratio),
        judged.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}")),
        format!("{}+{}", judged.n_a, judged.n_b),
        judged.p.map_or_else(|| "–".to_owned(), |p| format!("{p:.3}")),
        judged.verdict.to_string(),
    ]
}

/// Geometric means, the reasons behind refusals and unclear verdicts, notes of the pairing, and how to read the table.
fn remarks(options: &Options, comparison: &Comparison) -> String {
    let mut out = String::from("\n");
    let count = |of: &dyn Fn(&Pair) -> bool| comparison.pairs.iter().filter(|pair| of(pair)).count();
    let pairs = |n: usize| if n == 1 { "1 pair".to_owned() } else { format!("{n} pairs") };
    if let Some(mean) = comparison.mean_speed.map(|mean| mean.ratio) {
        let n = pairs(count(&|pair| pair.speed.judged().is_some()));
        out.push_str(&text::entry("Mean", &format!("speed B/A {mean:.3} (geometric mean of {n})")));
    }
    if let Some(mean) = comparison.mean_efficiency.map(|mean| mean.ratio) {
        let n = pairs(count(&|pair| pair.efficiency.judged().is_some()));
        out.push_str(&text::entry("", &format!("work per joule B/A {mean:.3} (geometric mean of {n})")));
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
    let floor = options.noise.get() * 100.0;
    out.push_str(&text::entry(
        "Read",
        &format!(
            "better or worse: the 95 % interval excludes 1 and the difference is above {floor} %; same: below it; unclear: the \
             windows or the sensors cannot tell. Unit of n: windows. p: Mann-Whitney U over windows, two-sided; the verdict does \
             not rest on it."
        ),
    ));
    out
}

/// What the sensors bring into the ratios of work per joule, and how many pairs have it so.
fn sensors(pairs: &[Pair]) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    for own in pairs.iter().filter_map(|pair| pair.efficiency.judged()?.sensors) {
        let gain = if own.gain_cancels {
            "same board, same sensor: its gain cancels".to_owned()
        } else {
            format!("two sensors: their gains add ±{:.1} % to a ratio of joules", own.gain * 100.0)
        };
        let told = format!(
            "{gain}; edges of windows ±{:.1} %, time that was not seen ±{:.1} %",
            own.edge * 100.0,
            own.sampling * 100.0
        );
        match found.iter_mut().find(|(known, _)| *known == told) {
            Some((_, count)) => *count += 1,
            None => found.push((told, 1)),
        }
    }
    found
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
                Outcome::Compared(judged) if judged.verdict == compare::Verdict::Unclear => {
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

/// How many pairs got which verdict, before the table: `speed 1 worse, 14 unclear; work per joule 15 unclear`.
fn summary(pairs: &[Pair]) -> String {
    use compare::Verdict::{Better, Same, Unclear, Worse};
    let counted = |of: &dyn Fn(&Pair) -> &Outcome| {
        let count =
            |verdict| pairs.iter().filter(|pair| of(pair).judged().is_some_and(|it| it.verdict == verdict)).count();
        let refused = pairs.iter().filter(|pair| of(pair).judged().is_none()).count();
        let verdicts = [Better, Worse, Same, Unclear].map(|verdict| (count(verdict), verdict.to_string()));
        let all = verdicts.into_iter().chain([(refused, "refused".to_owned())]);
        let said: Vec<String> = all.filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        said.join(", ")
    };
    let (speed, work) = (counted(&|pair| &pair.speed), counted(&|pair| &pair.efficiency));
    text::entry("Result", &format!("B against A: speed {speed}; work per joule {work}")) + "\n"
}

fn difference_table(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "\nBesides their figures and times, the two runs do not differ.\n".to_owned();
    }
    let mut table = text::table(&["differs", "in", "A", "B"], &[]);
    let value = |value: &Option<String>| match value {
        None => "not recorded".to_owned(),
        Some(text) if text.is_empty() => "none".to_owned(),
        Some(text) if text.chars().count() > 48 => format!("{}…", text.chars().take(47).collect::<String>()),
        Some(text) => text.clone(),
    };
    for difference in differences {
        table.add_row(vec![
            difference.what.clone(),
            difference.place.to_string(),
            value(&difference.a),
            value(&difference.b),
        ]);
    }
    format!("\n{}", text::lines(&table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_a_percentage_or_a_ratio() {
        assert_eq!(parse_noise("1%").unwrap().get(), 0.01);
        assert_eq!(parse_noise("0.02").unwrap().get(), 0.02);
        for bad in ["", "x", "-1%", "nan", "150%", "1"] {
            let error = parse_noise(bad).unwrap_err();
            assert_eq!(crate::cli::exit::code_of(&error), Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn the_table_fits_120_columns_and_says_verdicts_reasons_and_differences() {
        use crate::compare::testing::{Spec, run, skip};
        let speeds = [1000.0, 1001.0, 999.0, 1000.0, 1002.0];
        let faster = speeds.map(|speed| speed * 1.25);
        let spec = |variant, speeds| Spec { variant, speeds, ..Spec::default() };
        let a = run("Device X", &[spec("gemm/tiled-f32", &speeds), spec("rmsnorm/rows-f32", &speeds)]);
        let mut b = run("Device Y", &[spec("gemm/tiled-f32", &faster), spec("rmsnorm/rows-f32", &speeds)]);
        b.result.cases[1].energy[0].evidence = crate::model::Evidence::Estimated;
        b.result.skips.push(skip("gemv/f16"));
        let site = SiteArgs { grid: Some("CN-QH".to_owned()), ..SiteArgs::default() }.resolve(None).unwrap();
        let options = Options::new(Ratio::new(0.01), site);
        let comparison = compare::compare(&a.result, &a.record, &b.result, &b.record, &options);
        let text = render(&a.record, &b.record, &options, &comparison).unwrap();
        println!("{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        for part in [
            "2.00 TFLOP/s",
            "2.50 TFLOP/s",
            "1.250",
            "better",
            "same",
            "refused",
            "evidence differs",
            "5+5",
            "1.00 TFLOPS/W",
        ] {
            assert!(text.contains(part), "{part} not in\n{text}");
        }
        assert!(text.contains("B device 0 gemv/f16") && text.contains("needs 9 GiB"), "{text}");
        assert!(text.contains("Device X") && text.contains("Device Y"), "{text}");
        assert!(text.contains("speed 1 better, 1 same; work per joule 1 same, 1 refused"), "{text}");
        assert_eq!(
            indented("batch=1 dim=64 heads=4 kv_heads=2 seq=256"),
            "  batch=1 dim=64 heads=4\n  kv_heads=2 seq=256"
        );
        // 1 TFLOP/J on 179.6 g/kWh is 49.9 g/EFLOP on both sides.
        assert!(text.contains("49.9 g/EFLOP"), "{text}");
    }
}
