//! `wattmark carbon RUN`: carbon of every case of a record and of jobs, cases, programs and fleets, without a GPU.
//!
//! What surprises people: grid, PUE and site that were named when the run was made are used again where no flag replaces them,
//! and the output says so; an account's own JSON as `--site` brings its choices along for the same runs.

mod cases;
mod page;
mod remarks;

use std::io::Write;

use anyhow::Context as _;
use serde::Serialize;

use crate::account::{
    self, CarbonTable, CommandCarbon, Footprint, JobCarbon, LeftOut, Site, Subject, Terms, case_carbon, command_carbon,
    footprint, job_carbon,
};
use crate::cli::accounting::{SiteArgs, site_text, usage};
use crate::cli::request::{self, Request};
use crate::cli::subjects::{Read, SubjectArgs};
use crate::cli::{Console, Exit};
use crate::model::AccountRequest;

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
    let again = request::choices_of_account(args.site.site.as_deref(), &args.subjects, &records)?;
    let chosen = again.as_ref().unwrap_or(&args.subjects);
    let mut site = args.site.resolve(stored(&records).as_ref())?;
    if again.is_some() {
        site.notes.push(request::AGAIN.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{Run, Spec, run, skip};
    use crate::model::Evidence;

    fn at(grid: &str, pue: f64) -> SiteArgs {
        SiteArgs { grid: Some(grid.to_owned()), pue: Some(pue), ..SiteArgs::default() }
    }
    fn rendered(run: Run, site: &SiteArgs) -> String {
        let records = [Read { record: run.record, result: run.result }];
        let site = site.resolve(stored(&records).as_ref()).unwrap();
        let terms = Terms::read(&site).unwrap();
        let (subjects, _) = of_records(&SubjectArgs::default(), &records).unwrap();
        let accounts: Vec<Footprint> = subjects.iter().map(|own| footprint(own, &site, &terms).unwrap()).collect();
        render(&records, &SubjectArgs::default(), &site, &terms, &accounts).unwrap()
    }

    #[test]
    fn the_page_shows_hand_computed_grams_with_factor_pue_scope_and_evidence() {
        // 2e9 FLOP for 2 mJ is 1 TFLOP/J: 1e6 J = 0.2778 kWh per EFLOP; × 179.6 g/kWh = 49.9 g; with PUE 1.2, 59.9 g.
        let mut run = run("NVIDIA H100 PCIe", &[Spec::default(), Spec { variant: "gemv/f32", ..Spec::default() }]);
        run.result.skips.push(skip("gemm/wide-f32"));
        let text = rendered(run, &at("CN-QH", 1.2));
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        for part in [
            "CN-QH (Qinghai): 179.6 gCO2/kWh, 2023, basis consumption, method average, without upstream",
            "figures held for this region: 132.6 gCO2/kWh (CN-QH 2021, consumption) to 179.6",
            "1.2 declared: --pue",
            "measured board (scripted:0)",
            "1 EFLOP of f32 gemm on NVIDIA H100 PCIe",
            "1.00 MJ = 0.2778 kWh at the board",
            "0.3333 kWh with PUE × 179.6 g/kWh",
            "59.9 g CO2",
            "0.2155 kg/kWh",
            "59.9 g/EFLOP",
            "residual = \"CN-residual\" (0.6096 kgCO2/kWh, 2023)",
            "164 kg vendor PCF",
            "this is a PCIe card",
            "the time of the work was not measured, so its share of the device's",
            "44.2 g to 59.9 g",
            "skipped: needs 9 GiB",
            "describes no hardware",
        ] {
            assert!(text.contains(part), "{part} not in\n{text}");
        }
    }

    #[test]
    fn the_same_joules_at_two_grids_differ_by_the_ratio_of_the_factors() {
        let run = run("Device X", &[Spec::default()]);
        let records = [Read { record: run.record, result: run.result }];
        let (subjects, _) = of_records(&SubjectArgs::default(), &records).unwrap();
        let grams = |grid: &str| {
            let site = at(grid, 1.0).resolve(None).unwrap();
            footprint(&subjects[0], &site, &Terms::default()).unwrap().location.carbon.point.get()
        };
        assert!((grams("CN-QH") / grams("CN-GS") - 0.1796 / 0.4471).abs() < 1e-12);
        assert!((grams("CN-QH") / grams("0.1796") - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_estimate_is_called_one_and_has_no_interval() {
        let run = run("llvmpipe", &[Spec { evidence: Evidence::Estimated, ..Spec::default() }]);
        let text = rendered(run, &at("WORLD", 1.0));
        assert!(text.contains("≈1.00 MJ = ≈0.2778 kWh") && text.contains("(estimated, "), "{text}");
        assert!(text.contains("Estimated or declared energy gives"), "{text}");
        let row = text.lines().find(|line| line.trim_start().starts_with("location-based")).unwrap();
        assert!(row.contains("g CO2e  –"), "no interval in {row}");
        assert!(text.contains("not known, which is not zero: no embodied figure is known for llvmpipe"), "{text}");
    }

    #[test]
    fn a_job_asked_for_must_be_possible_but_the_default_job_is_only_missed() {
        let run = run("Device X", &[Spec { variant: "softmax/rows", ..Spec::default() }]);
        let records = [Read { record: run.record, result: run.result }];
        let (subjects, missing) = of_records(&SubjectArgs::default(), &records).unwrap();
        assert!(subjects.is_empty() && missing.is_some());
        let asked = SubjectArgs { jobs: vec!["gemm=1e18".parse().unwrap()], ..SubjectArgs::default() };
        let error = of_records(&asked, &records).unwrap_err();
        assert_eq!(crate::cli::exit::code_of(&error), Exit::Usage);
    }
}
