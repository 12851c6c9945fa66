//! `wattmark carbon`: recompute carbon from a record, without a GPU.
//!
//! What surprises people: grid, PUE and site that were named when the run was made are used again where no flag replaces them,
//! and the output says so.

pub(super) mod text;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::factors;
use crate::account::{
    self, AccountError, CarbonTable, Job, JobCarbon, LeftOut, Site, case_carbon, job_carbon, resolve_site,
};
use crate::cli::{Console, Exit, Failure};
use crate::measure::result::{RunResult, evaluate};
use crate::model::{AccountRequest, Counted, Evidence, RECORD_SCHEMA, RunRecord, SCHEMA_VERSION};

/// Where the energy is used.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SiteArgs {
    /// Grid factor: a region (`CN-QH`, `CN-QH@2022`, `FRA`, `US-CAMX`), kgCO2e/kWh (`0.1796`, or `179.6g`), or a TOML file.
    #[arg(long, value_name = "REGION|NUMBER|FILE", allow_hyphen_values = true)]
    pub grid: Option<String>,
    /// Power usage effectiveness of the facility, at least 1.
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    pub pue: Option<f64>,
    /// Site with grid and PUE: xining, qingyang, poland, france, or a TOML file. --grid and --pue replace its values.
    #[arg(long, value_name = "NAME|FILE")]
    pub site: Option<String>,
}

impl SiteArgs {
    /// Resolves the flags; what they leave open comes from the request stored in a record, if any.
    pub fn resolve(&self, stored: Option<&AccountRequest>) -> anyhow::Result<Site> {
        // A site named by flag replaces all that was stored; other flags replace only their own value.
        let stored = stored.filter(|_| self.site.is_none()).cloned().unwrap_or_default();
        let grid = self.grid.clone().or_else(|| stored.grid.clone());
        let pue = self.pue.or(stored.pue);
        let site = self.site.clone().or_else(|| stored.site.clone());
        let mut resolved = resolve_site(grid.as_deref(), pue, site.as_deref(), Path::new(".")).map_err(usage)?;
        let mut reused = |name: &str, given: bool, value: Option<String>| {
            if let (false, Some(value)) = (given, value) {
                resolved.notes.push(format!("--{name} {value} was named with the run and is used again"));
            }
        };
        reused("grid", self.grid.is_some(), stored.grid);
        reused("pue", self.pue.is_some(), stored.pue.map(|pue| pue.to_string()));
        reused("site", self.site.is_some(), stored.site);
        Ok(resolved)
    }
}

/// Arguments of `wattmark carbon`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Record: a run's folder or its run.json.
    pub run: PathBuf,
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
    left_out: &'a [LeftOut],
    jobs: &'a [JobCarbon],
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let asked: Vec<Job> = args.jobs.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(usage)?;
    // Wrong flags are told before a record is read.
    args.site.resolve(None)?;
    let record = load(&args.run)?;
    let site = args.site.resolve(Some(&record.plan.account))?;
    let result = evaluate(&record);
    let table = case_carbon(&result, &site);
    let (jobs, missing) = account_jobs(&result, &site, &asked)?;
    if args.json {
        let account = Account {
            run_id: &record.run_id,
            simulated: record.simulated,
            site: &site,
            cases: &table.rows,
            left_out: &table.left_out,
            jobs: &jobs,
        };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&account)?)?;
    } else {
        write!(console.out, "{}", render(&record, &site, &table, &jobs)?)?;
    }
    if let Some(reason) = missing {
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

/// An account that cannot be made because of what the user gave (exit 2).
pub(super) fn usage(error: AccountError) -> Failure {
    Failure::usage(error.to_string())
}

/// Reads a record from a run's folder or from its run.json (exit 7 if it cannot be read).
pub(super) fn load(path: &Path) -> anyhow::Result<RunRecord> {
    let file = if path.is_dir() { path.join("run.json") } else { path.to_path_buf() };
    let failed = |reason: String| Failure::record(format!("cannot read record {}: {reason}", file.display()));
    let text = std::fs::read_to_string(&file).map_err(|error| failed(error.to_string()))?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    if value.get("schema").and_then(|schema| schema.as_str()) != Some(RECORD_SCHEMA) {
        return Err(failed(format!("it is not a wattmark record (no schema \"{RECORD_SCHEMA}\")")).into());
    }
    let major = value.pointer("/version/major").and_then(serde_json::Value::as_u64);
    if major.is_some_and(|major| major > u64::from(SCHEMA_VERSION.major)) {
        return Err(failed("it was written by a newer wattmark; install that version to read it".to_owned()).into());
    }
    let record = serde_json::from_value(value).map_err(|error| failed(error.to_string()))?;
    Ok(record)
}

fn render(record: &RunRecord, site: &Site, table: &CarbonTable, jobs: &[JobCarbon]) -> anyhow::Result<String> {
    let mut out = format!("Carbon of {} at {}\n\n", record.run_id, site.profile.name);
    out.push_str(&site_text(site)?);
    out.push_str(&scope_text(record, table));
    out.push('\n');
    if table.rows.is_empty() {
        out.push_str("No case of this record has an energy, so there is no carbon to state.\n");
    } else {
        out.push_str(&case_table(record, site, table));
    }
    for job in jobs {
        out.push('\n');
        out.push_str(&job_text(record, site, job));
    }
    if !table.left_out.is_empty() {
        out.push_str("\nWithout a figure:\n");
        for left in &table.left_out {
            out.push_str(&format!("  device {} {}: {}\n", left.case.device, left.case.label(), left.reason));
        }
    }
    Ok(out)
}

/// Grid factor, its spread, PUE and notes: what the numbers below rest on.
pub(super) fn site_text(site: &Site) -> anyhow::Result<String> {
    let (grid, pue) = (&site.profile.grid, &site.profile.pue);
    let mut out = text::entry("Grid", &text::identity(grid));
    if !grid.note.is_empty() {
        out.push_str(&text::entry("", &grid.note));
    }
    let held = account::spread(grid).context("reading the catalogue")?;
    if let ([lowest, .., highest], true) = (&held[..], grid.region != "user") {
        let (low, high) = (factors::short(lowest), factors::short(highest));
        out.push_str(&text::entry("", &format!("figures held for this region: {low} to {high}")));
    }
    let evidence = if site.pue_given { pue.evidence.to_string() } else { "by default".to_owned() };
    out.push_str(&text::entry("PUE", &format!("{} {evidence}: {}", pue.value, pue.source)));
    for note in [&site.profile.note].into_iter().chain(&site.notes).filter(|note| !note.is_empty()) {
        out.push_str(&text::entry("Note", note));
    }
    Ok(out)
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

fn device_name(record: &RunRecord, ordinal: u32) -> String {
    record.device(ordinal).map_or_else(|| "unknown device".to_owned(), |device| device.name.clone())
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
                row.case.label(),
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

fn job_text(record: &RunRecord, site: &Site, job: &JobCarbon) -> String {
    let unit = match job.counted {
        Counted::Flop => "FLOP",
        Counted::Bytes => "B",
    };
    let kilowatt_hours = job.kilowatt_hours.point.get();
    let interval = job.carbon.interval.map_or_else(
        || format!("no interval, {} energy", job.evidence),
        |i| {
            format!(
                "95 % interval {} to {}, n={}",
                text::si(i.low.get(), "g"),
                text::si(i.high.get(), "g"),
                job.carbon.n
            )
        },
    );
    let time = job.time.map_or_else(String::new, |time| format!(", {} of device time", duration(time.point.get())));
    let name = device_name(record, job.case.device);
    let first = format!(
        "{} of {} on device {} ({name}): {} {} ({interval})",
        text::amount(job.job.amount, unit),
        job.job.work,
        job.case.device,
        text::si(job.carbon.point.get(), "g"),
        site.profile.grid.gas,
    );
    let second = format!(
        "{} = {} kWh at the {} ({}, {}), times PUE {}; {:.3e} executions of {}{time}",
        text::si(job.energy.point.get(), "J"),
        if kilowatt_hours >= 0.01 { format!("{kilowatt_hours:.4}") } else { format!("{kilowatt_hours:.3e}") },
        job.scope,
        job.evidence,
        job.source,
        site.profile.pue.value,
        job.executions,
        job.case.label(),
    );
    text::entry("Job", &first) + &text::entry("", &second)
}

/// A length of time in the largest unit that leaves a number above 1.
fn duration(seconds: f64) -> String {
    let units = [(86_400.0, "days"), (3600.0, "h"), (60.0, "min")];
    match units.iter().find(|(length, _)| seconds >= *length) {
        Some((length, unit)) => format!("{:.1} {unit}", seconds / length),
        None => text::si(seconds, "s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{Run, Spec, run, skip};

    fn rendered(run: &Run, site: &SiteArgs) -> String {
        let site = site.resolve(Some(&run.record.plan.account)).unwrap();
        let table = case_carbon(&run.result, &site);
        let (jobs, _) = account_jobs(&run.result, &site, &[]).unwrap();
        render(&run.record, &site, &table, &jobs).unwrap()
    }
    fn at(grid: &str, pue: f64) -> SiteArgs {
        SiteArgs { grid: Some(grid.to_owned()), pue: Some(pue), site: None }
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
            "1 EFLOP of gemm on device 0 (Device X): 59.9 g CO2",
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
    fn what_was_named_with_the_run_is_used_again_unless_a_flag_replaces_it() {
        let stored = AccountRequest { grid: None, pue: None, site: Some("xining".to_owned()) };
        let site = SiteArgs::default().resolve(Some(&stored)).unwrap();
        assert_eq!((site.profile.grid.region.as_str(), site.profile.pue.value), ("CN-QH", 1.2));
        assert!(site.notes.iter().any(|note| note.contains("--site xining was named with the run")));
        let site = at("CN-GS", 1.3).resolve(Some(&stored)).unwrap();
        assert_eq!((site.profile.grid.region.as_str(), site.profile.pue.value), ("CN-GS", 1.3));
        let flag = SiteArgs { site: Some("france".to_owned()), ..SiteArgs::default() };
        let site = flag.resolve(Some(&stored)).unwrap();
        assert_eq!(site.profile.grid.region, "FRA");
        assert!(site.notes.is_empty());
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

    #[test]
    fn a_record_is_read_from_its_folder_and_a_newer_one_is_refused() {
        let run = run("Device X", &[Spec::default()]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run.json");
        std::fs::write(&file, serde_json::to_string(&run.record).unwrap()).unwrap();
        assert_eq!(load(folder.path()).unwrap(), run.record);
        let mut newer = run.record.clone();
        newer.version.major += 1;
        std::fs::write(&file, serde_json::to_string(&newer).unwrap()).unwrap();
        let error = load(&file).unwrap_err();
        assert_eq!(crate::cli::exit::code_of(&error), Exit::Record);
        assert!(error.to_string().contains("newer wattmark"), "{error}");
    }
}
