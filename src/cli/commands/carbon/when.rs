//! `wattmark carbon when`: best and worst start of a job on a series of carbon intensities.
//!
//! What surprises people: the site gives the PUE alone here; the intensity is the series', hour by hour. A site's grid factor is
//! not used, and `--grid` is refused.

mod page;

use std::io::Write;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::account::schedule::{Limits, Load, Schedule, Study, schedule, signal_meaning, study};
use crate::account::series::{self, Series};
use crate::account::{Job, Site, Subject};
use crate::cli::accounting::{SiteArgs, usage};
use crate::cli::charts::ChartArgs;
use crate::cli::request::{self, Request};
use crate::cli::series::SeriesArgs;
use crate::cli::subjects::SubjectArgs;
use crate::cli::{Console, Exit, Failure};
use crate::model::{Estimate, Evidence};
use crate::units::{Joules, Seconds};

/// Longest time of a load, in hours: a year.
const MOST_HOURS: f64 = 8760.0;

/// Arguments of `wattmark carbon when`.
#[derive(Debug, Clone, clap::Args)]
#[command(mut_arg("grid", |arg| arg.hide(true)))]
pub struct Args {
    /// Record whose job is placed: a run's folder or its run.json; or --power and --hours.
    #[arg(value_name = "RUN", required_unless_present = "power")]
    pub runs: Vec<PathBuf>,
    /// Power of a declared load at the device in watts, before PUE.
    #[arg(long, value_name = "W", requires = "hours", conflicts_with = "runs", allow_negative_numbers = true)]
    pub power: Option<f64>,
    /// Hours that the declared load takes.
    #[arg(long, value_name = "H", requires = "power", allow_negative_numbers = true)]
    pub hours: Option<f64>,
    /// Amount of work to place (gemm=1e18). [default: one EFLOP of f32 GEMM, or the metered programs]
    #[arg(long = "job", value_name = "WORK=AMOUNT")]
    pub jobs: Vec<Job>,
    /// Place one execution of the cases of this variant (`gemm/*`).
    #[arg(long = "case", value_name = "VARIANT")]
    pub cases: Vec<String>,
    /// Place one execution of the metered program of this label.
    #[arg(long = "program", value_name = "LABEL")]
    pub programs: Vec<String>,
    /// Spread the work over all devices of all records.
    #[arg(long)]
    pub fleet: bool,
    /// The series.
    #[command(flatten)]
    pub series: SeriesArgs,
    /// PUE and site; --grid is refused, because the series gives the intensity.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Not before this time (2022-06-01T03:00Z). [default: the first start that can be priced]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Done by this time. [default: the end of the series]
    #[arg(long, value_name = "TIME")]
    pub deadline: Option<String>,
    /// Done within this time of the release: 24h, 90min, 7d.
    #[arg(long, value_name = "TIME")]
    pub within: Option<String>,
    /// The load may be interrupted and taken up again at every step.
    #[arg(long)]
    pub interruptible: bool,
    /// Charts.
    #[command(flatten)]
    pub charts: ChartArgs,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// One load with its place in time.
#[derive(Debug, Serialize)]
struct Plan {
    label: String,
    run_ids: Vec<String>,
    simulated: bool,
    device: String,
    scope: String,
    evidence: Evidence,
    schedule: Schedule,
    study: Option<Study>,
}

/// What the command found; its JSON form.
#[derive(Debug, Serialize)]
struct Account<'a> {
    /// Absent for a declared load.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    site: &'a Site,
    series: &'a Series,
    signal: &'static str,
    plans: &'a [Plan],
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    // Wrong flags are told before a file is read.
    let limits = limits(args)?;
    let declared = declared(args)?;
    refuse_grid(args, std::env::var("WATTMARK_GRID").ok().as_deref())?;
    args.site.resolve(None)?;
    let missing = "no series is named; give one with --series FILE, or try the shipped --series ciso-2022";
    let series = args.series.read()?.ok_or_else(|| Failure::usage(missing))?;
    let Recorded { stored, request, again, loads } = match declared {
        Some(load) => Recorded { stored: None, request: None, again: false, loads: vec![load] },
        None => recorded(args, console)?,
    };
    let mut site = args.site.resolve(stored.as_ref())?;
    site.notes.extend(again.then(|| request::AGAIN.to_owned()));
    let mut plans = Vec::new();
    for mut plan in loads {
        plan.load.pue = site.profile.pue.value;
        let found = schedule(&series, &plan.load, limits).map_err(usage)?;
        let study = limits.within.and_then(|within| study(&series, plan.load.time, within));
        plans.push(Plan {
            label: plan.label,
            run_ids: plan.run_ids,
            simulated: plan.simulated,
            device: plan.device,
            scope: plan.scope,
            evidence: plan.evidence,
            schedule: found,
            study,
        });
    }
    if args.json {
        let signal = signal_meaning(series.method);
        let account = Account { request, site: &site, series: &series, signal, plans: &plans };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&account)?)?;
    } else {
        write!(console.out, "{}", page::render(&series, &site, &plans, zone(args)?.as_ref()))?;
    }
    if plans.len() > 1 && args.charts.plot.is_some() {
        console.note("wattmark: only the first load is drawn; choose one with --job, --case or --program");
    }
    let charts = plans.first().map(|plan| page::chart(&series, &site, plan)).into_iter();
    args.charts.draw(charts.map(|chart| crate::figure::carbon_when(&chart)).collect(), console)?;
    Ok(Exit::Ok)
}

/// `--grid` is refused; a factor that the environment holds for other commands is not.
fn refuse_grid(args: &Args, environment: Option<&str>) -> anyhow::Result<()> {
    match args.site.grid.as_deref() {
        Some(grid) if Some(grid) != environment => Err(Failure::usage(format!(
            "--grid is `{grid}`, which changes nothing here: the series gives the intensity of every hour; leave --grid out, give \
             --pue or --site for the PUE, and `wattmark carbon RUN --grid {grid}` for the yearly factor"
        ))
        .into()),
        _ => Ok(()),
    }
}

/// A load before it is placed.
struct Unplaced {
    label: String,
    run_ids: Vec<String>,
    simulated: bool,
    device: String,
    scope: String,
    evidence: Evidence,
    load: Load,
}

/// The load of `--power` and `--hours`.
fn declared(args: &Args) -> anyhow::Result<Option<Unplaced>> {
    let (Some(power), Some(hours)) = (args.power, args.hours) else { return Ok(None) };
    let bad =
        |flag: &str, given: f64, reason: &str| Failure::usage(format!("{flag} is {given}, which is refused: {reason}"));
    if !(power > 0.0 && power <= 1e10) {
        return Err(bad("--power", power, "give watts above 0 and up to 1e10 (10 GW)").into());
    }
    if !(hours > 0.0 && hours <= MOST_HOURS) {
        return Err(bad("--hours", hours, "give hours above 0 and up to 8760 (a year)").into());
    }
    let (power, time) = (power, Seconds::new(hours * 3600.0));
    Ok(Some(Unplaced {
        label: format!("{power} W for {hours} h"),
        run_ids: Vec::new(),
        simulated: false,
        device: String::new(),
        scope: "declared at the device".to_owned(),
        evidence: Evidence::Declared,
        load: Load { energy: Estimate::bare(Joules::new(power * time.get()), 0), time, pue: 1.0 },
    }))
}

/// The loads of records.
struct Recorded {
    /// What the first record was made with.
    stored: Option<crate::model::AccountRequest>,
    /// What was asked of them.
    request: Option<Request>,
    /// Whether the choices are those of an account.
    again: bool,
    loads: Vec<Unplaced>,
}

fn recorded(args: &Args, console: &Console) -> anyhow::Result<Recorded> {
    let subjects = SubjectArgs {
        runs: args.runs.clone(),
        jobs: args.jobs.clone(),
        cases: args.cases.clone(),
        programs: args.programs.clone(),
        fleet: args.fleet,
    };
    let records = subjects.read(console)?;
    let again = request::choices_of_account(args.site.site.as_deref(), &subjects, &records)?;
    let chosen = again.as_ref().unwrap_or(&subjects);
    let loads = chosen.subjects(&records)?.into_iter().map(unplaced).collect::<anyhow::Result<_>>()?;
    Ok(Recorded {
        stored: records.first().map(|read| read.record.plan.account.clone()),
        request: Some(Request::of(chosen, &records)),
        again: again.is_some(),
        loads,
    })
}

fn unplaced(subject: Subject) -> anyhow::Result<Unplaced> {
    let time = subject.time.as_ref().map(|time| time.point).filter(|time| time.get() > 0.0);
    let time = time.ok_or_else(|| {
        Failure::usage(format!("{}: the record has no time for it, so it has no place in a series", subject.label))
    })?;
    let label = format!("{} on {}", subject.label, subject.device);
    Ok(Unplaced {
        label,
        run_ids: subject.run_ids,
        simulated: subject.simulated,
        device: subject.device,
        scope: subject.scope.to_string(),
        evidence: subject.evidence,
        load: Load { energy: subject.energy, time, pue: 1.0 },
    })
}

/// The time zone of `--time-zone`.
fn zone(args: &Args) -> anyhow::Result<Option<TimeZone>> {
    let named = args.series.time_zone.as_deref();
    Ok(named.map(|name| series::zone("carbon when", "--time-zone", name)).transpose().map_err(usage)?)
}

fn limits(args: &Args) -> anyhow::Result<Limits> {
    let zone = zone(args)?;
    let instant = |flag: &str, text: &Option<String>| -> anyhow::Result<Option<Timestamp>> {
        let Some(text) = text else { return Ok(None) };
        let found = series::instant(text, zone.as_ref());
        let remedy = "give a time with its offset, such as 2022-06-01T03:00Z, or name --time-zone";
        Ok(Some(found.ok_or_else(|| Failure::usage(format!("{flag} is `{text}`, which is no instant: {remedy}")))?))
    };
    let within = args.within.as_deref().map(span).transpose()?;
    let (from, deadline) = (instant("--from", &args.from)?, instant("--deadline", &args.deadline)?);
    Ok(Limits { from, deadline, within, interruptible: args.interruptible })
}

/// Reads `24h`, `90min`, `7d`.
fn span(text: &str) -> anyhow::Result<Seconds> {
    let units = [("min", 60.0), ("d", 86_400.0), ("h", 3600.0), ("s", 1.0)];
    let found = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
        Some(number * seconds)
    });
    let found = found.filter(|seconds| *seconds > 0.0 && seconds.is_finite());
    let bad = || Failure::usage(format!("--within is `{text}`: give a time above 0 such as 24h, 90min or 7d"));
    Ok(Seconds::new(found.ok_or_else(bad)?))
}
