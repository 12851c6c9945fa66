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

use crate::cli::accounting::{SiteArgs, site_text, usage};
use crate::cli::commands::plot::write_figures;
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure};
use crate::cli::{programs, text};
use crate::compare::procurement::{self, Procurement, ProcurementOptions};
use crate::compare::{self, Checked, Comparison, Options};
use crate::figure;
use crate::measure::result::{RunResult, evaluate};
use crate::model::RunRecord;
use crate::report;
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
    /// Print the procurement table too: what each device delivers, draws, emits and, at a --site with prices, costs in a year of
    /// the same work.
    #[arg(long, help_heading = "Procurement")]
    pub procurement: bool,
    /// Devices of the first record whose yearly work that table is about.
    #[arg(long, value_name = "COUNT", default_value_t = 1, help_heading = "Procurement",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub devices: u32,
    /// Write the procurement table as CSV.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub csv: Option<PathBuf>,
    /// Write the procurement table as Markdown.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub markdown: Option<PathBuf>,
    /// Draw work per joule against throughput into this folder: SVG, its numbers as CSV, and a caption.
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub plot: Option<PathBuf>,
    /// Write JSON: every comparison, every rule, the procurement table.
    #[arg(long, help_heading = "Reports")]
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
    procurement: &'a Procurement,
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
    let all: Vec<(&RunRecord, &RunResult)> =
        std::iter::once(&first).chain(&others).map(|entry| (&entry.record, &entry.result)).collect();
    let chosen = ProcurementOptions { devices: args.devices };
    let bought = procurement::procurement(&all, &options.site, &chosen).map_err(usage)?;
    let written = write_files(args, &bought)?;
    if args.json {
        let report = Report { comparisons: &comparisons, rules: &checked, procurement: &bought };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(console.out, "{}", render(&first, &others, &options, &comparisons)?)?;
        if args.procurement {
            write!(console.out, "\nProcurement\n{}", report::procurement::text(&bought))?;
        }
        write!(console.out, "{}", rules::text(&checked, comparisons.len()))?;
        for path in written {
            writeln!(console.out, "{}", path.display())?;
        }
    }
    Ok(rules::exit(&checked))
}

/// Writes the table and the chart that were asked for and returns their paths.
fn write_files(args: &Args, bought: &Procurement) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut save = |path: &Option<PathBuf>, content: Vec<u8>| -> anyhow::Result<()> {
        let Some(path) = path else { return Ok(()) };
        let failed = |error: std::io::Error| format!("cannot write {}: {error}; choose another file", path.display());
        std::fs::write(path, content).map_err(|error| Failure::usage(failed(error)))?;
        paths.push(path.clone());
        Ok(())
    };
    let mut csv = Vec::new();
    report::procurement::csv(bought, &mut csv)?;
    save(&args.csv, csv)?;
    save(&args.markdown, report::procurement::markdown(bought).into_bytes())?;
    if let Some(folder) = &args.plot {
        paths.extend(write_figures(&[figure::compare_pareto(bought)], folder)?);
    }
    Ok(paths)
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

/// Letter of the record number `index` of those that are compared with the first: `B`, `C`, …
fn letter(index: usize) -> String {
    procurement::letter(index + 1)
}

fn render(first: &Entry, others: &[Entry], options: &Options, comparisons: &[Comparison]) -> anyhow::Result<String> {
    let mut out = text::entry("A", &first.title());
    for (index, other) in others.iter().enumerate() {
        out.push_str(&text::entry(&letter(index), &other.title()));
    }
    out.push_str(&site_text(&options.site)?);
    if others.len() > 1 {
        out.push_str(&overview::table(others, comparisons));
    }
    for (index, (other, comparison)) in others.iter().zip(comparisons).enumerate() {
        if others.len() > 1 {
            let name = letter(index);
            let stands = if index == 0 { String::new() } else { format!(" (in this part B stands for {name})") };
            out.push_str(&format!("\n{name} against A{stands}: {}\n", other.title()));
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
