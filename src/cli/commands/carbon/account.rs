//! `wattmark carbon RUN`: carbon of every case of a record and of jobs, cases, programs and fleets, without a GPU.
//!
//! What surprises people: grid, PUE and site that were named when the run was made are used again where no flag replaces them,
//! and the output says so; an account's own JSON as `--site` brings its choices along for the same runs.

mod cases;
mod page;
mod remarks;
mod request;

use std::io::Write;

use anyhow::Context as _;
use serde::Serialize;

use crate::account::{
    self, CarbonTable, CommandCarbon, Footprint, JobCarbon, LeftOut, Site, Subject, Terms, case_carbon, command_carbon,
    footprint, job_carbon,
};
use crate::cli::accounting::{SiteArgs, site_text, usage};
use crate::cli::subjects::{Read, SubjectArgs};
use crate::cli::{Console, Exit};
use crate::model::AccountRequest;
use request::Request;

/// Arguments of `wattmark carbon RUN`.
#[derive(Debug, Clone, clap::Args)]
pub struct AccountArgs {
    /// Whose work is accounted.
    #[command(flatten)]
    pub subjects: SubjectArgs,
    /// Where the energy is used.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Write JSON, which is a site file as well: --site FILE recomputes it.
    #[arg(long)]
    pub json: bool,
}

/// What the command found; its JSON form.
#[derive(Debug, Serialize)]
struct Account<'a> {
    request: Request,
    #[serde(flatten)]
    record: Option<OneRecord>,
    site: &'a Site,
    terms: &'a Terms,
    accounts: &'a [Footprint],
}

/// What is said of a single record beside the accounts.
#[derive(Debug, Serialize)]
struct OneRecord {
    run_id: String,
    simulated: bool,
    cases: Vec<account::CaseCarbon>,
    commands: Vec<CommandCarbon>,
    left_out: Vec<LeftOut>,
    jobs: Vec<JobCarbon>,
}

/// Runs the command.
pub fn run(args: &AccountArgs, console: &mut Console) -> anyhow::Result<Exit> {
    // Wrong flags and tables are told before a record is read.
    Terms::read(&args.site.resolve(None)?).map_err(usage)?;
    let records = args.subjects.read(console)?;
    let again = request::of_account(args.site.site.as_deref(), &args.subjects, &records)?;
    let chosen = again.as_ref().unwrap_or(&args.subjects);
    let mut site = args.site.resolve(stored(&records).as_ref())?;
    if again.is_some() {
        site.notes.push("the choices of the account named by --site are used again".to_owned());
    }
    let terms = Terms::read(&site).map_err(usage)?;
    let (subjects, missing) = of_records(chosen, &records)?;
    let accounts: Vec<Footprint> = subjects
        .iter()
        .map(|subject| footprint(subject, &site, &terms))
        .collect::<Result<_, _>>()
        .context("reading the catalogue")?;
    if args.json {
        let record = if let [one] = &records[..] { Some(one_record(one, chosen, &site)) } else { None };
        let request = Request::of(chosen, &records);
        let account = Account { request, record, site: &site, terms: &terms, accounts: &accounts };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&account)?)?;
    } else {
        write!(console.out, "{}", render(&records, chosen, &site, &terms, &accounts)?)?;
    }
    let programs = records.iter().any(|read| !command_carbon(&read.result, &site).is_empty());
    // Metered programs have no job of ours to miss.
    if let Some(reason) = missing.filter(|_| !programs) {
        console.note(&format!("wattmark: {reason}"));
    }
    Ok(Exit::Ok)
}

fn render(
    records: &[Read],
    chosen: &SubjectArgs,
    site: &Site,
    terms: &Terms,
    accounts: &[Footprint],
) -> anyhow::Result<String> {
    let mut out = page::head(records, site, &site_text(site)?, terms);
    match records {
        [Read { record, result }] if !request::has_choice(chosen) => {
            let table = case_carbon(result, site);
            out.push_str(&cases::render(record, site, &table, &command_carbon(result, site)));
            out.push_str(&page::accounts(accounts, false));
            out.push_str(&cases::left_out(&table));
        }
        _ => out.push_str(&page::accounts(accounts, records.len() > 1)),
    }
    Ok(out)
}

/// What was named when the runs were made, if all of them name the same.
fn stored(records: &[Read]) -> Option<AccountRequest> {
    let first = &records.first()?.record.plan.account;
    records.iter().all(|read| read.record.plan.account == *first).then(|| first.clone())
}

/// The subjects that are asked for, which must be there; where nothing is asked for, their absence is only a remark.
fn of_records(args: &SubjectArgs, records: &[Read]) -> anyhow::Result<(Vec<Subject>, Option<anyhow::Error>)> {
    match args.subjects(records) {
        Ok(subjects) => Ok((subjects, None)),
        Err(reason) if records.len() == 1 && !request::has_choice(args) => Ok((Vec::new(), Some(reason))),
        Err(reason) => Err(reason),
    }
}

fn one_record(read: &Read, args: &SubjectArgs, site: &Site) -> OneRecord {
    let CarbonTable { rows, left_out } = case_carbon(&read.result, site);
    let asked = match request::has_choice(args) {
        true => args.jobs.clone(),
        false => vec![account::Job::default()],
    };
    // A job that the record cannot do was refused before, or is the default one and simply absent.
    let jobs = asked.iter().filter_map(|job| job_carbon(&read.result, site, job).ok()).flatten();
    OneRecord {
        run_id: read.record.run_id.clone(),
        simulated: read.record.simulated,
        cases: rows,
        commands: command_carbon(&read.result, site),
        left_out,
        jobs: jobs.collect(),
    }
}
