//! `wattmark run`: run kernels, record power, account, chart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use crate::account::Job;
use crate::cli::accounting::SiteArgs;
use crate::cli::bench::{self, TestBench};
use crate::cli::profiles::ProfileArgs;
use crate::cli::progress::Progress;
use crate::cli::resolve::{self, Resolved};
use crate::cli::shaders::ShaderArgs;
use crate::cli::tuning::{Tuner, TuningArgs};
use crate::cli::{Console, Exit, Failure, outcome};
use crate::measure::run::{self, Setup};
use crate::model::{DataPattern, Device, Preset, RunRecord, RunStatus, UserShader, Warning, WarningCode};
use crate::power::{Sampler, profiled};
use crate::provenance;
use crate::store::{self, RunFolder};

/// Arguments of `wattmark run`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Bundle of settings: quick (indicative, under a minute a device), standard, publication.
    #[arg(long, value_parser = preset)]
    pub preset: Option<Preset>,
    /// Kernels to run, for example 'gemm/*' or gemm/tiled-f32,softmax; default: one for each problem and precision (see `wattmark list`).
    #[arg(long, value_delimiter = ',', value_name = "PATTERN")]
    pub kernel: Vec<String>,
    /// Shapes, for example m=n=k=1024,2048; repeat it for further axes. Axes left out keep their default.
    #[arg(long, value_name = "AXES=VALUES")]
    pub shape: Vec<String>,
    /// Distributions of the inputs, several cases each: normal (default), uniform, zeros, constant, sparse.
    #[arg(long, value_delimiter = ',', value_name = "PATTERN")]
    pub data: Vec<DataPattern>,
    /// Kernels of the user's own.
    #[command(flatten)]
    pub shaders: ShaderArgs,
    /// Devices by number (see `wattmark devices`) or `all`; default: every hardware GPU, else the software adapter.
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    pub device: Vec<String>,
    /// Power sources: auto, none, or a list such as nvml,rapl or csv:meter.csv,scope=wall-ac.
    #[arg(long, value_name = "SOURCES")]
    pub power: Option<String>,
    /// Watts to assume where no sensor answers; figures are then marked as declared.
    #[arg(long, value_name = "WATTS", allow_negative_numbers = true)]
    pub assume_watts: Option<f64>,
    /// Accept any certificate of the power sources over HTTPS (as insecure=yes does for one of them).
    #[arg(long)]
    pub insecure: bool,
    /// What calibrations found of the sensors.
    #[command(flatten)]
    pub profiles: ProfileArgs,
    /// Where the energy is accounted.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Amount of work to account, for example gemm=1e18; default: one EFLOP of f32 GEMM.
    #[arg(long, value_name = "WORK=AMOUNT")]
    pub job: Option<Job>,
    /// Seed of inputs and random gaps.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Folder for records and charts.
    #[arg(long, env = "WATTMARK_RESULTS", value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// Replace host name and serial numbers in the record by hashes.
    #[arg(long)]
    pub redact: bool,
    /// Configuration file; default: ./wattmark.toml if it exists.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the resolved plan with its expected duration, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Flip one bit of one output of each case after its last window, to prove that the checks catch it.
    #[arg(long)]
    pub inject_error: bool,
    /// Leave out the probes that are added to measure the ceilings of the selected kernels.
    #[arg(long)]
    pub no_ceilings: bool,
    /// Draw no charts.
    #[arg(long)]
    pub no_figures: bool,
    /// How variants and their parameters are chosen.
    #[command(flatten)]
    pub tuning: TuningArgs,
    /// Idle time recorded before the load, for example 30s.
    #[arg(long, value_name = "TIME", help_heading = "Protocol (each overrides the preset)")]
    pub idle: Option<String>,
    /// Least preheat time per case.
    #[arg(long, value_name = "TIME", help_heading = "Protocol (each overrides the preset)")]
    pub preheat_min: Option<String>,
    /// Most preheat time per case.
    #[arg(long, value_name = "TIME", help_heading = "Protocol (each overrides the preset)")]
    pub preheat_max: Option<String>,
    /// Least length of a window.
    #[arg(long, value_name = "TIME", help_heading = "Protocol (each overrides the preset)")]
    pub window: Option<String>,
    /// Most windows per case.
    #[arg(
        long,
        value_name = "COUNT",
        allow_negative_numbers = true,
        help_heading = "Protocol (each overrides the preset)"
    )]
    pub windows: Option<u32>,
    /// Aimed length of one submission.
    #[arg(long, value_name = "TIME", help_heading = "Protocol (each overrides the preset)")]
    pub submission: Option<String>,
    /// Cadence of the power sampler in hertz.
    #[arg(
        long,
        value_name = "HERTZ",
        allow_negative_numbers = true,
        help_heading = "Protocol (each overrides the preset)"
    )]
    pub sampler_hz: Option<f64>,
    /// Scripted devices and sensors in place of the machine's.
    #[arg(long, value_name = "FILE", hide = true)]
    pub simulate: Option<PathBuf>,
    /// Folder below which sensors are read.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub sensor_root: PathBuf,
}

pub(super) fn preset(text: &str) -> Result<Preset, String> {
    match text {
        "quick" => Ok(Preset::Quick),
        "standard" => Ok(Preset::Standard),
        "publication" => Ok(Preset::Publication),
        _ => Err("the presets are quick, standard and publication".to_owned()),
    }
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    args.shaders.load(console)?;
    let test_bench = TestBench::open(args.simulate.as_deref())?;
    let mut resolved = resolve::resolve(args, &test_bench, console)?;
    if args.dry_run {
        resolve::print_plan(&resolved, console)?;
        return Ok(Exit::Ok);
    }
    let (record, saved) = carry_out(&mut resolved, &test_bench, args, console)?;
    outcome::present(&record, &resolved, &saved, !args.no_figures, console)?;
    Ok(exit_of(&record, console))
}

/// Measures what was resolved, and saves the record; returns it with its path.
pub(super) fn carry_out(
    resolved: &mut Resolved,
    test_bench: &TestBench,
    args: &Args,
    console: &Console,
) -> anyhow::Result<(RunRecord, PathBuf)> {
    // Before the folder is made: a power source that is refused leaves nothing behind.
    let interrupted = interruption(STOPPING)?;
    let findings = bench::open_power(resolved, test_bench, &args.sensor_root, &args.profiles)?;
    let tuner = Tuner {
        args: &args.tuning,
        bench: test_bench,
        sensor_root: &args.sensor_root,
        profiles: &args.profiles,
        interrupted: &|| interrupted.load(Ordering::Relaxed),
    };
    tuner.check(resolved, &findings.sources.iter().map(|source| source.info().clone()).collect::<Vec<_>>())?;
    let folder = create_folder(resolved, test_bench.utc_now())?;
    for obstacle in &findings.obstacles {
        console.note(&format!("power: {}: {}. {}", obstacle.what, obstacle.why, obstacle.remedy));
    }
    let used = |device: &Device| resolved.plan.cases.iter().any(|case| case.device == device.ordinal);
    let devices = test_bench.machine().devices().into_iter().filter(used).collect();
    let mut record = bench::new_record(resolved.plan.clone(), devices, test_bench, &folder);
    record.warnings.extend(resolved.plan.user_shaders.iter().filter_map(left_out));
    // Tuning may take minutes: whoever looks meanwhile finds a record that says that it is running.
    if let Err(error) = folder.save(&provenance::redacted(&record, resolved.redact)) {
        console.note(&format!("wattmark: {error}"));
    }
    record.tunings = tuner.settle_plan(resolved, console)?;
    record.plan.cases.clone_from(&resolved.plan.cases);
    record.plan.expected_s = resolved.plan.expected_s;
    let hz = resolved.plan.settings.sampler_hz;
    // A cadence that the user chose holds for all.
    let (sources, hz) = match resolved.plan.origins.contains_key("sampler-hz") {
        true => (findings.sources, hz),
        false => profiled::at_profiled_cadence(findings.sources, hz),
    };
    let sampler = (!sources.is_empty()).then(|| Sampler::start(sources, hz, &test_bench.machine().clock()));
    let mut progress = Progress::new(&resolved.plan, console.err_is_terminal);
    {
        // Sources and their gaps come into the record as it grows.
        let redact = resolved.redact;
        let mut save =
            |record: &RunRecord| folder.save(&provenance::redacted(record, redact)).map_err(|error| error.to_string());
        let mut setup = Setup {
            machine: test_bench.machine(),
            sampler: sampler.as_ref(),
            interrupted: &|| interrupted.load(Ordering::Relaxed),
            observer: &mut progress,
            save: &mut save,
        };
        run::execute(&mut setup, &mut record);
    }
    progress.finish();
    if let Some(sampler) = sampler {
        record.traces = sampler.stop();
    }
    record.ended = Some(bench::rfc3339(test_bench.utc_now()));
    let record = provenance::redacted(&record, resolved.redact).into_owned();
    let saved = bench::save_somewhere(&folder, &record, console)?;
    Ok((record, saved))
}

fn create_folder(resolved: &Resolved, started: jiff::Timestamp) -> anyhow::Result<RunFolder> {
    let host = provenance::host_below(Path::new("/")).hostname;
    let host = if resolved.redact { provenance::redacted_name(&host) } else { host };
    let id = store::new_id(resolved.plan.seed, started);
    RunFolder::create(&resolved.results, started, &host, &id)
        .map_err(|error| Failure::usage(format!("{error}")))
        .context("cannot prepare the results folder, so nothing was measured")
}

/// The warning for a shader of the user's that cannot be used.
fn left_out(shader: &UserShader) -> Option<Warning> {
    let text = format!("kernel {} cannot be used: {}", shader.variant, shader.broken.as_ref()?);
    Some(Warning { code: WarningCode::Other, text })
}

/// What Ctrl-C says while kernels run.
pub(super) const STOPPING: &str =
    "wattmark: stopping after the submissions in flight; press Ctrl-C again to stop at once";

/// A flag that Ctrl-C (or a polite kill) raises, saying `notice` if it is not empty; a second one ends the process at once.
pub fn interruption(notice: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
        if !notice.is_empty() {
            crate::cli::note(notice);
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(flag)
}

/// Exit code of a finished run.
pub(super) fn exit_of(record: &RunRecord, console: &Console) -> Exit {
    if record.status == RunStatus::Interrupted {
        console.note("wattmark: interrupted; the record holds what there was");
        return Exit::Interrupted;
    }
    if let Some(exit) = proof(record, console) {
        return exit;
    }
    if !run::all_verified(record) {
        console.note("wattmark: some outputs were wrong; those cases have no rate");
        return Exit::VerificationFailed;
    }
    Exit::Ok
}

/// Under `--inject-error`: how many of the errors were caught. An error that was not is a fault of this tool.
fn proof(record: &RunRecord, console: &Console) -> Option<Exit> {
    if !record.plan.inject_error {
        return None;
    }
    let (caught, made) = run::injected_errors(record);
    console.note(&format!("wattmark: {caught} of {made} injected errors were caught"));
    let untouched = record.measurements.len() - made;
    if untouched > 0 {
        let cases =
            if untouched == 1 { "1 measured case; its row says" } else { "some measured cases; their rows say" };
        console.note(&format!("wattmark: no error could be injected into {cases} why"));
    }
    if caught < made {
        let missed = record.measurements.iter().filter(|m| m.injected.as_ref().is_some_and(|error| !error.caught));
        for measurement in missed {
            let case = measurement.case.label();
            console.note(&format!(
                "wattmark: ERROR: a wrong output of {case} was NOT noticed; its checks cannot be relied on"
            ));
        }
        return Some(Exit::Unexpected);
    }
    (made > 0).then_some(Exit::VerificationFailed)
}
