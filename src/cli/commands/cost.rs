//! `wattmark cost`: what the work of devices costs, and what moves that most.
//!
//! What surprises people: it never prints a price of its own. Without a table `[cost]` in the site file it says what to
//! write there.

mod charts;
mod tables;

use std::io::Write;

use serde::Serialize;

use crate::account::Site;
use crate::account::cost::{CostAccount, Normalisation, Options, cost_account};
use crate::cli::accounting::{SiteArgs, usage};
use crate::cli::charts::ChartArgs;
use crate::cli::request::{self, Request};
use crate::cli::subjects::{Read, SubjectArgs};
use crate::cli::{Console, Exit, Failure};

/// Arguments of `wattmark cost`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose work, of which records.
    #[command(flatten)]
    pub subjects: SubjectArgs,
    /// Where the energy is used; the site file's table `[cost]` holds the prices.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Hour of the day at which the work starts (6.5 is half past six), for a tariff by hours; without it, and for work of a
    /// day or longer, the mean of the day is paid.
    #[arg(long, value_name = "HOUR")]
    pub start: Option<f64>,
    /// Compare devices at a fixed budget=MONEY, power=WATTS of the facility, work=AMOUNT a year, or count=DEVICES. Repeatable.
    #[arg(long, value_name = "BASIS=VALUE")]
    pub normalise: Vec<Normalisation>,
    /// Charts of the account.
    #[command(flatten)]
    pub charts: ChartArgs,
    /// Write JSON, which --site reads again.
    #[arg(long)]
    pub json: bool,
}

/// What the command found; its JSON form.
#[derive(Debug, Serialize)]
struct Output<'a> {
    request: Request,
    site: &'a Site,
    #[serde(flatten)]
    account: &'a CostAccount,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    if let Some(start) = args.start.filter(|start| !(0.0..24.0).contains(start)) {
        return Err(Failure::usage(format!(
            "--start {start} is no hour of a day: give 0 up to, but not including, 24"
        ))
        .into());
    }
    // Wrong flags and a wrong site file are told before a record is read.
    let named = args.site.resolve(None)?;
    if args.site.site.is_some() {
        crate::account::cost::CostInputs::read(&named).map_err(usage)?;
    }
    let records = args.subjects.read(console)?;
    let mut site = resolve(args, &records)?;
    let again = request::choices_of_account(args.site.site.as_deref(), &args.subjects, &records)?;
    site.notes.extend(again.as_ref().map(|_| request::AGAIN.to_owned()));
    let chosen = again.as_ref().unwrap_or(&args.subjects);
    let subjects = chosen.subjects(&records)?;
    let options = Options { start_hour: args.start, normalise: args.normalise.clone() };
    let account = cost_account(&subjects, &site, &options).map_err(usage)?;
    if args.json {
        let output = Output { request: Request::of(chosen, &records), site: &site, account: &account };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&output)?)?;
    } else {
        write!(console.out, "{}", tables::page(&account, &site)?)?;
    }
    args.charts.draw(charts::figures(&account, &site), console)?;
    Ok(Exit::Ok)
}

/// The site of the flags; what they leave open is taken from the records if all were made with the same.
fn resolve(args: &Args, records: &[Read]) -> anyhow::Result<Site> {
    let stored = records.first().map(|read| &read.record.plan.account);
    let same = records.iter().all(|read| Some(&read.record.plan.account) == stored);
    let mut site = args.site.resolve(stored.filter(|_| same))?;
    if !same && args.site.site.is_none() {
        site.notes
            .push("the records were made with different sites or grids, so none of these is used again".to_owned());
    }
    Ok(site)
}
