//! `wattmark carbon microgrid`: a measured load against local generation and a battery, step by step, at a site of a file.
//!
//! What surprises people: flags that change the load are written into the site's table before it is run, so that the JSON's
//! `site` runs the same again.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::account::microgrid::load::{declared, measured, of_subject};
use crate::account::microgrid::{Account, Config, LoadTrace, Selection, of_site};
use crate::account::{AccountError, Bounds, Choice, Job, Site};
use crate::cli::accounting::{SiteArgs, usage};
use crate::cli::charts::ChartArgs;
use crate::cli::request::{self, Request};
use crate::cli::subjects::{Read, SubjectArgs};
use crate::cli::{Console, Exit};
use crate::figure;
use crate::units::Watts;

mod chart;
mod table;

/// Arguments of `wattmark carbon microgrid`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Record whose measured power is the load: a run's folder or its run.json. Several with --fleet.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Power of the case that does this job best: gemm=1e18. [default: everything that was measured]
    #[arg(long = "job", value_name = "WORK=AMOUNT")]
    pub jobs: Vec<Job>,
    /// Power of the cases of this variant (`gemm/*`).
    #[arg(long = "case", value_name = "VARIANT")]
    pub cases: Vec<String>,
    /// Power of the metered program of this label.
    #[arg(long = "program", value_name = "LABEL")]
    pub programs: Vec<String>,
    /// Mean power of all devices of all records together, at one job; traces of several devices have no common clock.
    #[arg(long)]
    pub fleet: bool,
    /// Where the energy is used.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Declare the power of one device in watts, in place of a record.
    #[arg(long, value_name = "WATTS", conflicts_with_all = ["runs", "jobs", "cases", "programs", "fleet"], allow_negative_numbers = true)]
    pub power: Option<f64>,
    /// Hours for which the declared power is drawn from the start. [default: the whole horizon]
    #[arg(long, requires = "power", value_name = "HOURS", allow_negative_numbers = true)]
    pub hours: Option<f64>,
    /// Ordinal of the device whose power is taken, where the record has several.
    #[arg(long, value_name = "N", conflicts_with_all = ["power", "fleet"])]
    pub device: Option<u32>,
    /// Power source that is taken. [default: the record's headline source]
    #[arg(long, value_name = "ID", conflicts_with_all = ["power", "fleet"])]
    pub source: Option<String>,
    /// How many such devices the site has; replaces the site file's.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub devices: Option<f64>,
    /// How the load fills the horizon: trace (again and again), duty (a share of the time, else idle), once.
    #[arg(long, value_name = "HOW")]
    pub repeat: Option<String>,
    /// Share of each period at the measured power, for --repeat duty.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub duty: Option<f64>,
    /// Idle power of one device in watts, declared; stands before the measured one.
    #[arg(long, value_name = "WATTS", allow_negative_numbers = true)]
    pub idle_power: Option<f64>,
    /// Where charts go.
    #[command(flatten)]
    pub charts: ChartArgs,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// The JSON of this account.
#[derive(Serialize)]
struct Output<'a> {
    request: Request,
    site: &'a Site,
    microgrid: &'a Account,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let subjects = SubjectArgs {
        runs: args.runs.clone(),
        jobs: args.jobs.clone(),
        cases: args.cases.clone(),
        programs: args.programs.clone(),
        fleet: args.fleet,
    };
    let records = subjects.read(console)?;
    let stored = records.first().map(|read| &read.record.plan.account);
    let mut site = args.site.resolve(stored)?;
    apply_flags(args, &mut site);
    let again = again(args, &subjects, &records)?;
    site.notes.extend(again.as_ref().map(|_| request::AGAIN.to_owned()));
    let (args, subjects) = again.as_ref().map_or((args, &subjects), |(args, subjects)| (args, subjects));
    let account = of_site(&site, |config| load(args, subjects, &records, config)).map_err(usage)?;
    let figures = vec![figure::microgrid(&chart::of(&site, &account))];
    if args.json {
        let request = Request::of(subjects, &records).with("device", args.device).with("source", args.source.clone());
        serde_json::to_writer_pretty(&mut console.out, &Output { request, site: &site, microgrid: &account })?;
        writeln!(console.out)?;
    } else {
        console.out.write_all(table::render(&site, &account)?.as_bytes())?;
    }
    args.charts.draw(figures, console)?;
    Ok(Exit::Ok)
}

/// The choices of the account named by `--site`, where no flag chooses otherwise.
fn again(args: &Args, subjects: &SubjectArgs, records: &[Read]) -> anyhow::Result<Option<(Args, SubjectArgs)>> {
    if request::has_choice(subjects) || args.power.is_some() || args.device.is_some() || args.source.is_some() {
        return Ok(None);
    }
    let Some(before) = request::of_account(args.site.site.as_deref(), records)? else { return Ok(None) };
    let chosen = before.choices(&args.runs)?;
    let SubjectArgs { jobs, cases, programs, fleet, .. } = chosen.clone();
    let (device, source) = (before.option("device"), before.option("source"));
    if !request::has_choice(&chosen) && device.is_none() && source.is_none() {
        return Ok(None);
    }
    Ok(Some((Args { jobs, cases, programs, fleet, device, source, ..args.clone() }, chosen)))
}

/// Writes the flags of the load into the site's table.
fn apply_flags(args: &Args, site: &mut Site) {
    let number = |value: Option<f64>| value.map(toml::Value::Float);
    let repeat = args.repeat.clone().or_else(|| args.duty.map(|_| "duty".to_owned()));
    let repeat = repeat.or_else(|| args.hours.map(|_| "once".to_owned()));
    let ends_duty = repeat.as_deref().is_some_and(|how| how != "duty") && args.duty.is_none();
    let given = [
        ("devices", number(args.devices)),
        ("repeat", repeat.map(toml::Value::String)),
        ("duty", number(args.duty)),
        ("idle_w", number(args.idle_power)),
    ];
    let given: Vec<(&str, toml::Value)> =
        given.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect();
    if given.is_empty() {
        return;
    }
    let Some(toml::Value::Table(own)) = site.tables.get_mut("microgrid") else { return };
    let load = own.entry("load").or_insert_with(|| toml::Value::Table(toml::Table::new()));
    let Some(load) = load.as_table_mut() else { return };
    if ends_duty {
        load.remove("duty");
    }
    for (key, value) in given {
        let old = load.insert(key.to_owned(), value.clone()).filter(|old| *old != value);
        if let Some(old) = old {
            site.notes.push(format!("a flag replaces [microgrid.load] {key}: {value} instead of {old}"));
        }
    }
}

fn load(args: &Args, subjects: &SubjectArgs, records: &[Read], config: &Config) -> Result<LoadTrace, AccountError> {
    let place = "wattmark carbon microgrid";
    if let Some(power) = args.power {
        let bounds = Bounds { high: 1e8, ..Bounds::positive("watts of one device, above 0") };
        let power = bounds.check(place, "--power", power)?;
        let bounds = Bounds { high: 1e5, ..Bounds::positive("hours, above 0") };
        let hours = args.hours.map(|hours| bounds.check(place, "--hours", hours)).transpose()?;
        return Ok(declared(Watts::new(power), hours, &config.horizon));
    }
    let impossible = |reason: &str| AccountError::Impossible {
        what: "the load of a micro-grid".to_owned(),
        reason: reason.to_owned(),
    };
    if args.fleet {
        let found = subjects.subjects(records).map_err(|error| impossible(&error.to_string()))?;
        return match &found[..] {
            [one] => of_subject(one),
            _ => Err(impossible("a fleet does one job at a time; name one --job")),
        };
    }
    let [only] = records else {
        return Err(impossible("several records have no common clock; name one, or add them up with --fleet"));
    };
    let selection = Selection { choice: choice(subjects)?, device: args.device, source: args.source.clone() };
    measured(&only.record, &only.result, &selection)
}

/// What the flags choose of a record; `None`: everything that was measured.
fn choice(subjects: &SubjectArgs) -> Result<Option<Choice>, AccountError> {
    let mut all = subjects.choices().into_iter();
    let first = all.next();
    if all.next().is_some() {
        return Err(AccountError::Impossible {
            what: "the load of a micro-grid".to_owned(),
            reason: "it is of one job, case or program; name one (a pattern such as --case 'gemm/*' holds several)"
                .to_owned(),
        });
    }
    Ok(first)
}
