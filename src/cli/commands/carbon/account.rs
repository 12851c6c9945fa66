//! `wattmark carbon RUN`: carbon of every case and of jobs, from a record, without a GPU.
//!
//! What surprises people: grid, PUE and site that were named when the run was made are used again where no flag replaces them,
//! and the output says so.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::account::{
    self, AccountError, CarbonTable, CommandCarbon, Job, JobCarbon, LeftOut, Site, case_carbon, command_carbon,
    job_carbon,
};
use crate::cli::accounting::{SiteArgs, device_name, job_text, site_text, usage};
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure, programs, text};
use crate::measure::result::{RunResult, evaluate};
use crate::model::{Case, Evidence, RunRecord};
use crate::report::compact_case;

/// Arguments of `wattmark carbon RUN`.
#[derive(Debug, Clone, clap::Args)]
pub struct AccountArgs {
    /// Record: a run's folder or its run.json.
    #[arg(required = true, num_args = 1, value_name = "RUN")]
    pub run: Vec<PathBuf>,
    /// Where the energy is used.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Amount of work to account, in FLOP (or bytes for memory problems): gemm=1e18, gemm/f16=1e18, flop=1e18. Repeatable.
    #[arg(long = "job", value_name = "WORK=AMOUNT")]
    pub jobs: Vec<String>,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// What the command found; its JSON form.
#[derive(Debug, Serialize)]
struct Account<'a> {
    run_id: &'a str,
    simulated: bool,
    site: &'a Site,
    cases: &'a [account::CaseCarbon],
    commands: &'a [CommandCarbon],
    left_out: &'a [LeftOut],
    jobs: &'a [JobCarbon],
}

/// Runs the command.
pub fn run(args: &AccountArgs, console: &mut Console) -> anyhow::Result<Exit> {
    let asked: Vec<Job> = args.jobs.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(usage)?;
    // Wrong flags are told before a record is read.
    args.site.resolve(None)?;
    let run = args.run.first().ok_or_else(|| Failure::usage("no record is named"))?;
    let record = load(run, console)?.record;
    let site = args.site.resolve(Some(&record.plan.account))?;
    let result = evaluate(&record);
    let table = case_carbon(&result, &site);
    let commands = command_carbon(&result, &site);
    let (jobs, missing) = account_jobs(&result, &site, &asked)?;
    if args.json {
        let account = Account {
            run_id: &record.run_id,
            simulated: record.simulated,
            site: &site,
            cases: &table.rows,
            commands: &commands,
            left_out: &table.left_out,
            jobs: &jobs,
        };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&account)?)?;
    } else {
        write!(console.out, "{}", render(&record, &site, &table, &commands, &jobs)?)?;
    }
    // Metered programs have no job of ours to miss.
    if let Some(reason) = missing.filter(|_| commands.is_empty()) {
        console.note(&format!("wattmark: {reason}"));
    }
    Ok(Exit::Ok)
}

/// The jobs asked for, which must be possible; without any, the default job, whose absence is only a remark.
fn account_jobs(
    result: &RunResult,
    site: &Site,
    asked: &[Job],
) -> anyhow::Result<(Vec<JobCarbon>, Option<AccountError>)> {
    if asked.is_empty() {
        return Ok(match job_carbon(result, site, &Job::default()) {
            Ok(jobs) => (jobs, None),
            Err(reason) => (Vec::new(), Some(reason)),
        });
    }
    let mut jobs = Vec::new();
    for job in asked {
        jobs.extend(job_carbon(result, site, job).map_err(usage)?);
    }
    Ok((jobs, None))
}

fn render(
    record: &RunRecord,
    site: &Site,
    table: &CarbonTable,
    commands: &[CommandCarbon],
    jobs: &[JobCarbon],
) -> anyhow::Result<String> {
    let mut out = format!("Carbon of {} at {}\n\n", record.run_id, site.profile.name);
    out.push_str(&site_text(site)?);
    if record.measurements.is_empty() && !commands.is_empty() {
        let scope =
            "operational carbon of the gross energy within each row's scope times PUE; embodied carbon is not included";
        out.push_str(&text::entry("Scope", scope));
    } else {
        out.push_str(&scope_text(record, table));
    }
    out.push('\n');
    if !commands.is_empty() {
        out.push_str(&programs::carbon_table(site, commands));
    } else if table.rows.is_empty() {
        out.push_str("No case of this record has an energy, so there is no carbon to state.\n");
    }
    if !table.rows.is_empty() {
        out.push_str(&case_table(record, site, table));
    }
    for job in jobs {
        out.push('\n');
        out.push_str(&job_text(record, site, job));
    }
    if !table.left_out.is_empty() {
        out.push_str("\nWithout a figure:\n");
        for left in &table.left_out {
            out.push_str(&format!("  device {} {}: {}\n", left.case.device, named(&left.case), left.reason));
        }
    }
    Ok(out)
}

/// Variant and shape as the tables of a record name them.
fn named(case: &Case) -> String {
    format!("{} {}", case.variant, compact_case(case))
}

fn scope_text(record: &RunRecord, table: &CarbonTable) -> String {
    let mut kinds: Vec<String> =
        table.rows.iter().map(|row| format!("{} {} ({})", row.evidence, row.scope, row.source)).collect();
    kinds.sort();
    kinds.dedup();
    let energy = if kinds.is_empty() { "none".to_owned() } else { kinds.join("; ") };
    let mut out = text::entry(
        "Scope",
        &format!(
            "operational carbon of the gross energy within each case's scope times PUE: {energy}. Embodied carbon is not \
             included, nor is anything outside the scope except by the PUE."
        ),
    );
    if table.rows.iter().any(|row| row.evidence != Evidence::Measured) {
        out.push_str(&text::entry(
            "",
            "Estimated or declared energy gives estimated or declared carbon: no interval is given.",
        ));
    }
    if record.simulated {
        out.push_str(&text::entry("", "Times and power of this record were scripted: it describes no hardware."));
    }
    out
}

fn case_table(record: &RunRecord, site: &Site, table: &CarbonTable) -> String {
    let mut out = String::new();
    let gas = site.profile.grid.gas;
    let mut devices: Vec<u32> = table.rows.iter().map(|row| row.case.device).collect();
    devices.sort_unstable();
    devices.dedup();
    for device in devices {
        out.push_str(&format!("Device {device}: {}\n", device_name(record, device)));
        let carbon = format!("{gas}/unit");
        let each = format!("{gas}/execution");
        let header = ["case", "unit", "energy/unit", carbon.as_str(), "95 %", "n", each.as_str(), "scope", "evidence"];
        let mut rows = text::table(&header, &[2, 3, 4, 5, 6]);
        for row in table.rows.iter().filter(|row| row.case.device == device) {
            rows.add_row(vec![
                named(&row.case),
                row.per.to_string(),
                text::si(row.energy_per_unit.point.get(), "J"),
                text::si(row.carbon_per_unit.point.get(), "g"),
                text::spread(&row.carbon_per_unit),
                row.energy_per_unit.n.to_string(),
                text::si(row.carbon_per_execution.point.get(), "g"),
                row.scope.to_string(),
                row.evidence.to_string(),
            ]);
        }
        out.push_str(&text::lines(&rows));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{Run, Spec, run, skip};

    fn rendered(run: &Run, site: &SiteArgs) -> String {
        let site = site.resolve(Some(&run.record.plan.account)).unwrap();
        let table = case_carbon(&run.result, &site);
        let (jobs, _) = account_jobs(&run.result, &site, &[]).unwrap();
        render(&run.record, &site, &table, &[], &jobs).unwrap()
    }
    fn at(grid: &str, pue: f64) -> SiteArgs {
        SiteArgs { grid: Some(grid.to_owned()), pue: Some(pue), ..SiteArgs::default() }
    }

    #[test]
    fn the_page_shows_hand_computed_grams_with_factor_pue_scope_and_evidence() {
        // 2e9 FLOP for 2 mJ is 1 TFLOP/J: 1e6 J = 0.2778 kWh per EFLOP; × 179.6 g/kWh = 49.9 g; with PUE 1.2, 59.9 g.
        let mut run = run("Device X", &[Spec::default(), Spec { variant: "gemv/f32", ..Spec::default() }]);
        run.result.skips.push(skip("gemm/wide-f32"));
        let text = rendered(&run, &at("CN-QH", 1.2));
        println!("{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        for part in [
            "CN-QH (Qinghai): 179.6 gCO2/kWh, 2023, basis consumption, method average, without upstream",
            "figures held for this region: 132.6 gCO2/kWh (CN-QH 2021, consumption) to 179.6",
            "1.2 declared: --pue",
            "measured board (scripted:0)",
            "59.9 g",
            "1 EFLOP of f32 gemm on device 0 (Device X): 59.9 g CO2",
            "1.00 MJ = 0.2778 kWh at the board",
            "skipped: needs 9 GiB",
            "describes no hardware",
        ] {
            assert!(text.contains(part), "{part} not in\n{text}");
        }
    }

    #[test]
    fn the_same_joules_at_two_grids_differ_by_the_ratio_of_the_factors() {
        let run = run("Device X", &[Spec::default()]);
        let grams = |grid: &str| {
            let site = at(grid, 1.0).resolve(None).unwrap();
            let jobs = account_jobs(&run.result, &site, &[]).unwrap().0;
            (jobs[0].energy.point.get(), jobs[0].carbon.point.get())
        };
        let (qinghai, gansu, number) = (grams("CN-QH"), grams("CN-GS"), grams("0.1796"));
        assert_eq!((qinghai.0, qinghai.0), (gansu.0, number.0));
        assert!((qinghai.1 / gansu.1 - 0.1796 / 0.4471).abs() < 1e-12);
        assert!((qinghai.1 / number.1 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_estimate_is_called_one_and_has_no_interval() {
        let run = run("llvmpipe", &[Spec { evidence: Evidence::Estimated, ..Spec::default() }]);
        let text = rendered(&run, &at("WORLD", 1.0));
        assert!(text.contains("no interval, estimated energy") && !text.contains("95 % interval"), "{text}");
        assert!(text.contains("Estimated or declared energy gives"), "{text}");
    }

    #[test]
    fn a_job_asked_for_must_be_possible_but_the_default_job_is_only_missed() {
        let run = run("Device X", &[Spec { variant: "softmax/rows", ..Spec::default() }]);
        let site = at("CN", 1.0).resolve(None).unwrap();
        let (jobs, missing) = account_jobs(&run.result, &site, &[]).unwrap();
        assert!(jobs.is_empty() && missing.is_some());
        let error = account_jobs(&run.result, &site, &["gemm=1e18".parse().unwrap()]).unwrap_err();
        assert_eq!(crate::cli::exit::code_of(&error), Exit::Usage);
    }
}
