//! `wattmark compare`: compare records with the first of them, case by case.
//!
//! What surprises people: ratios are B over A; the verdict speaks about B. A ratio is refused, with the reason, where the two
//! energies do not mean the same thing. A rule that cannot be decided is not kept.

mod differences;
mod overview;
mod remarks;
mod rules;
mod table;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::accounting::{SiteArgs, site_text};
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure};
use crate::cli::{programs, text};
use crate::compare::{self, Checked, Comparison, Options};
use crate::measure::result::{RunResult, evaluate};
use crate::model::RunRecord;
use crate::units::Ratio;

/// Records that one command compares at most; `wattmark fleet` looks at more.
const MOST: usize = 32;

/// Arguments of `wattmark compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// First record, which the others are compared with: a run's folder or its run.json; RUN#1 is its device 1 alone.
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Second record, and any more.
    #[arg(required = true, value_name = "B")]
    pub b: Vec<PathBuf>,
    /// The one site at which carbon is compared.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Smallest difference that counts, as 1% or 0.01.
    #[arg(long, value_name = "RATIO", default_value = "1%", allow_hyphen_values = true)]
    pub noise: String,
    /// Compare energies of other scope or evidence all the same, marked and without a verdict.
    #[arg(long)]
    pub force: bool,
    /// End with exit code 6 where a case of B breaks this rule, for example 'efficiency < -3%' or 'mean speed < -2%'; with 5
    /// where that cannot be told. Quantities: speed, efficiency, carbon, money. Repeat it for more.
    #[arg(long, value_name = "RULE", allow_hyphen_values = true)]
    pub fail_if: Vec<String>,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// A record, or one device of it.
pub struct Entry {
    /// The record.
    pub record: RunRecord,
    /// Its figures; those of one device, if only that was named.
    pub result: RunResult,
    /// The device that was named.
    pub device: Option<u32>,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Report<'a> {
    comparisons: &'a [Comparison],
    rules: &'a [Checked],
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let noise = parse_noise(&args.noise)?;
    let rules = rules::parse(&args.fail_if, noise)?;
    let site = args.site.resolve(None)?;
    if args.b.len() >= MOST {
        let most = format!(
            "{} records are too many to compare: at most {MOST}; wattmark fleet looks at more",
            args.b.len() + 1
        );
        return Err(Failure::usage(most).into());
    }
    let first = enter(&args.a, console)?;
    let others = args.b.iter().map(|path| enter(path, console)).collect::<anyhow::Result<Vec<Entry>>>()?;
    let options = Options { force: args.force, ..Options::new(noise, site) };
    let comparisons: Vec<Comparison> = others
        .iter()
        .map(|other| compare::compare(&first.result, &first.record, &other.result, &other.record, &options))
        .collect();
    let checked: Vec<Checked> =
        comparisons.iter().flat_map(|comparison| rules.iter().map(|rule| rule.check(comparison))).collect();
    if args.json {
        let report = Report { comparisons: &comparisons, rules: &checked };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(console.out, "{}", render(&first, &others, &options, &comparisons)?)?;
        write!(console.out, "{}", rules::text(&checked, comparisons.len()))?;
    }
    Ok(rules::exit(&checked))
}

/// Reads a record; `RUN#1` is its device 1 alone.
fn enter(given: &Path, console: &Console) -> anyhow::Result<Entry> {
    let text = given.to_string_lossy();
    let named = text.rsplit_once('#').filter(|_| !given.exists());
    let named = named.and_then(|(path, ordinal)| Some((PathBuf::from(path), ordinal.parse::<u32>().ok()?)));
    let (path, device) = named.map_or_else(|| (given.to_owned(), None), |(path, ordinal)| (path, Some(ordinal)));
    let record = load(&path, console)?.record;
    let mut result = evaluate(&record);
    if let Some(ordinal) = device {
        if record.device(ordinal).is_none() {
            let own: Vec<String> = record.devices.iter().map(|own| format!("{} ({})", own.ordinal, own.name)).collect();
            let own = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
            let message = format!("`{text}`: {} has no device {ordinal}; its devices: {own}", path.display());
            return Err(Failure::usage(message).into());
        }
        result.cases.retain(|case| case.case.device == ordinal);
        result.skips.retain(|skip| skip.case.device == ordinal);
        let of_device =
            |index: usize| record.commands.get(index).is_none_or(|own| own.device.is_none_or(|own| own == ordinal));
        result.commands.retain(|command| of_device(command.index));
    }
    Ok(Entry { record, result, device })
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

/// Name of the record number `index` of those that are compared with the first.
fn letter(index: usize, count: usize) -> String {
    if count == 1 { "B".to_owned() } else { format!("B{}", index + 1) }
}

fn render(first: &Entry, others: &[Entry], options: &Options, comparisons: &[Comparison]) -> anyhow::Result<String> {
    let mut out = text::entry("A", &first.title());
    for (index, other) in others.iter().enumerate() {
        out.push_str(&text::entry(&letter(index, others.len()), &other.title()));
    }
    out.push_str(&site_text(&options.site)?);
    if others.len() > 1 {
        out.push_str(&overview::table(others, comparisons));
    }
    for (index, (other, comparison)) in others.iter().zip(comparisons).enumerate() {
        if others.len() > 1 {
            let name = letter(index, others.len());
            out.push_str(&format!("\n{name} against A: here B is {}\n", other.title()));
        }
        out.push_str(&one(first, other, options, comparison));
    }
    Ok(out)
}

/// One record beside the first.
fn one(first: &Entry, other: &Entry, options: &Options, comparison: &Comparison) -> String {
    let mut out = differences::banner(comparison);
    out.push('\n');
    if comparison.pairs.is_empty() {
        let nothing = if comparison.commands.is_empty() { "No case of A has a partner in B.\n" } else { "" };
        out.push_str(nothing);
    } else {
        out.push_str(&table::summary(&comparison.pairs));
        out.push_str(&table::pairs(options, comparison, &first.record, &other.record));
        out.push_str(&remarks::text(options, comparison));
    }
    if !comparison.commands.is_empty() {
        out.push_str(&programs::table(options, &comparison.commands));
    }
    out.push_str(&differences::unpaired(comparison));
    out.push_str(&differences::table(comparison));
    out
}

impl Entry {
    /// Run id and devices.
    fn title(&self) -> String {
        let own = |ordinal: u32| self.device.is_none_or(|device| device == ordinal);
        let devices = self.record.devices.iter().filter(|device| own(device.ordinal));
        let mut names: Vec<String> = Vec::new();
        for device in devices {
            let name = if self.device.is_some() {
                format!("device {}, {}", device.ordinal, device.name)
            } else {
                device.name.clone()
            };
            names.push(name);
        }
        let names = if names.is_empty() { "no device".to_owned() } else { names.join(", ") };
        let simulated = if self.record.simulated { ", simulated" } else { "" };
        format!("{} ({names}{simulated})", self.record.run_id)
    }
}
