//! `wattmark claim`: sentences of a site or a vendor, checked.
//!
//! What surprises people: the exit code is 6 as soon as one claim is contradicted or does not follow; what waits for
//! data of the site is no failure.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::account::claim::{self, Check, Graded, Rate, Rubric};
use crate::account::{Choice, Site, Subject, default_choice, resolve_site, subjects};
use crate::cli::accounting::{site_text, usage};
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure, text};
use crate::measure::result::evaluate;

/// Arguments of `wattmark claim`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Exit code: 0 if no claim is contradicted, 6 if one is or does not follow, 2 for a file with slips."
)]
pub struct Args {
    /// Site file with a `[claims]` table.
    #[arg(value_name = "SITE")]
    pub site: PathBuf,
    /// Records with measured rates of the cards that a compute scale is claimed for.
    #[arg(long = "run", value_name = "RUN", num_args = 1..)]
    pub runs: Vec<PathBuf>,
    /// Grade the site by a rubric of your own (TOML); none is built in.
    #[arg(long, value_name = "FILE")]
    pub rubric: Option<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Account<'a> {
    site: &'a Site,
    checks: &'a [Check],
    #[serde(skip_serializing_if = "Option::is_none")]
    rubric: Option<&'a Graded>,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let name = args.site.to_str().ok_or_else(|| Failure::usage("the site file's name is not valid text"))?;
    let site = resolve_site(None, None, Some(name), std::path::Path::new(".")).map_err(usage)?;
    let rubric = args.rubric.as_deref().map(claim::read_rubric).transpose().map_err(usage)?;
    let (rates, subjects) = measured(&args.runs, rubric.as_ref(), console)?;
    // With a rubric alone there need not be a claim.
    let checks = match site.tables.get("claims").and_then(toml::Value::as_table) {
        None if rubric.is_some() => Vec::new(),
        Some(table) if rubric.is_some() && table.keys().all(|key| key == "site_data") => Vec::new(),
        _ => claim::check(&site, &rates).map_err(usage)?,
    };
    let inputs = claim::measured_inputs(&site, &subjects);
    let graded = rubric.map(|rubric| claim::grade(&site, &rubric, &inputs)).transpose().map_err(usage)?;
    if args.json {
        let account = Account { site: &site, checks: &checks, rubric: graded.as_ref() };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&account)?)?;
    } else {
        write!(console.out, "{}\n{}", site.profile.name, site_text(&site)?)?;
        for check in &checks {
            write!(console.out, "\n{}", check_text(check))?;
        }
        if let Some(graded) = &graded {
            write!(console.out, "\n{}", graded_text(graded))?;
        }
        write!(console.out, "{}", summary(&checks))?;
    }
    Ok(if checks.iter().any(|check| check.verdict.fails()) { Exit::Limit } else { Exit::Ok })
}

/// Rates of all records, and what the rubric's work, else the default, costs on the devices of the first that has it.
fn measured(runs: &[PathBuf], rubric: Option<&Rubric>, console: &Console) -> anyhow::Result<(Vec<Rate>, Vec<Subject>)> {
    let (mut rates, mut work) = (Vec::new(), Vec::new());
    for run in runs {
        let record = load(run, console)?.record;
        let result = evaluate(&record);
        rates.extend(claim::rates(&record, &result));
        let job = rubric.and_then(|rubric| rubric.job.clone());
        let choice = job.map_or_else(|| default_choice(&record), Choice::Job);
        // A record without energy still has rates; a rubric then shows what is missing.
        if let Ok(found) = subjects(&record, &result, &choice) {
            work.extend(found);
        }
    }
    Ok((rates, work))
}

fn check_text(check: &Check) -> String {
    let words = if check.sentence.is_empty() { String::new() } else { format!("“{}”  ", check.sentence) };
    let mut out =
        text::wrapped(&format!("{:<17}", check.verdict.words().to_uppercase()), &format!("{words}{}", check.claim));
    let mut lines = |label: &str, texts: &[String]| {
        for (index, line) in texts.iter().enumerate() {
            out.push_str(&text::wrapped(&format!("  {:<14}", if index == 0 { label } else { "" }), line));
        }
    };
    lines("why", std::slice::from_ref(&check.reason));
    lines("arithmetic", &check.arithmetic);
    lines("needs", &check.needs);
    lines("source", &check.sources);
    out
}

fn graded_text(graded: &Graded) -> String {
    let mut table = text::table(&["Indicator", "Value", "Unit", "Grade", "Points", "Input"], &[1, 4]);
    for row in &graded.rows {
        let value = row.input.as_ref().map_or_else(|| "–".to_owned(), |input| number(input.value));
        let origin = row.input.as_ref().map_or(waits(&row.indicator.key), |input| input.origin.as_str());
        table.add_row([
            row.indicator.key.clone(),
            value,
            row.indicator.unit.clone(),
            row.grade.clone().unwrap_or_else(|| "–".to_owned()),
            row.points.map_or_else(|| "–".to_owned(), |points| format!("{points:.1}")),
            origin.to_owned(),
        ]);
    }
    let total = graded.total_points.map_or_else(
        || "no total: it needs every input, and points".to_owned(),
        |points| format!("{points:.1} points"),
    );
    text::entry("Rubric", &format!("{} (the user's own file; {})", graded.name, graded.source))
        + &text::lines(&table)
        + &text::entry("Total", &total)
}

/// What an indicator without an input waits for.
fn waits(key: &str) -> &'static str {
    match key {
        "flops_per_watt" | "cci_operational_g_per_eflop" => {
            "needs a record of one device that did the rubric's `job` (1 EFLOP of f32 GEMM if it names none): --run"
        }
        _ => "needs site data",
    }
}

/// A number with four decimals at most, or with a power of ten where that suits it better.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        ((value * 1e4).round() / 1e4).to_string()
    } else {
        format!("{value:.4e}")
    }
}

fn summary(checks: &[Check]) -> String {
    let mut verdicts: Vec<_> = checks.iter().map(|check| check.verdict).collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let parts: Vec<String> = verdicts.into_iter().map(|v| format!("{} {}", count(v), v.words())).collect();
    if parts.is_empty() { String::new() } else { format!("\n{} checked: {}\n", checks.len(), parts.join(", ")) }
}
