//! `wattmark meter`: any program under the same sampler, rules and record as a run of our own kernels.
//!
//! What surprises people: standard output belongs to the program, byte for byte; what was measured is printed on standard
//! error, as `time` does. Without a program there is no such output, and idle power is printed on standard output.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;

use crate::cli::accounting::SiteArgs;
use crate::cli::bench::{self, TestBench};
use crate::cli::commands::plot;
use crate::cli::config::{self, FileConfig};
use crate::cli::{Console, Exit, Failure, outcome, resolve, sensors, work};
use crate::measure::meter::{self, MeterPlan, Setup};
use crate::measure::presets;
use crate::measure::result::{EXECUTION, evaluate};
use crate::model::{AccountRequest, Device, Plan, PowerRequest, Preset, RunRecord, RunStatus};
use crate::power::Sampler;
use crate::provenance;
use crate::store::{self, RunFolder};
use crate::units::Seconds;

/// Arguments of `wattmark meter`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The program and its arguments, after `--`; none to meter idle power.
    #[arg(value_name = "COMMAND", last = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
    /// Work of each execution, for example flop=1e15, tokens=20000, or 'tokens=/generated (\d+) tokens/' to read it from
    /// the output (the last match; sum:/…/ adds all). May be repeated.
    #[arg(long, value_name = "UNIT=AMOUNT|/PATTERN/")]
    pub work: Vec<String>,
    /// Problem that one execution amounts to, for example gemm/f16/m=n=k=8192, so that it stands beside our own kernels;
    /// needs --work executions=COUNT.
    #[arg(long = "as", value_name = "PROBLEM/PRECISION/SHAPE")]
    pub equivalent: Option<String>,
    /// Name in tables and charts [default: the program's name].
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// Sign between the thousands of amounts, where they have one that may be misread.
    #[arg(long, value_name = "SIGN")]
    pub thousands: Option<char>,
    /// Meter for this time, then stop the program; without it, until the program ends.
    #[arg(long = "for", value_name = "TIME")]
    pub metered: Option<String>,
    /// Time after the program's start that is left out; needs --for.
    #[arg(long, value_name = "TIME", requires = "metered")]
    pub warm_up: Option<String>,
    /// Time between asking the program to end and ending it by force.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub grace: String,
    /// Executions; two or more give an interval.
    #[arg(long, value_name = "COUNT", default_value_t = 1, allow_negative_numbers = true)]
    pub repeat: u32,
    /// Pause between two executions.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub pause: String,
    /// Idle time metered before the first execution, 0 for none [default: 5s].
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "5s")]
    pub idle: Option<String>,
    /// Count the figures of a program that ends with another code than 0.
    #[arg(long)]
    pub allow_failure: bool,
    /// Device that the program uses, by number (see `wattmark devices`) [default: the only hardware GPU, if there is one].
    #[arg(long, value_name = "NUMBER")]
    pub device: Option<String>,
    /// Which sensors are read.
    #[command(flatten)]
    pub power: sensors::PowerArgs,
    /// Cadence of the power sampler in hertz.
    #[arg(long, value_name = "HERTZ", allow_negative_numbers = true)]
    pub sampler_hz: Option<f64>,
    /// Where the energy is accounted.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Folder for records and charts.
    #[arg(long, env = "WATTMARK_RESULTS", value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// Replace host name and serial numbers in the record by hashes.
    #[arg(long)]
    pub redact: bool,
    /// Configuration file; default: ./wattmark.toml if it exists. Only its sensors, site and results folder count here.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Draw no chart.
    #[arg(long)]
    pub no_figures: bool,
}

/// Everything that was decided before anything is measured.
struct Resolved {
    meter: MeterPlan,
    plan: Plan,
    results: PathBuf,
    redact: bool,
    site: crate::account::Site,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let loaded = config::load(args.config.as_deref()).map_err(|error| Failure::usage(error.to_string()))?;
    let config_file = loaded.as_ref().map(|(path, _)| path.display().to_string());
    let file = loaded.map(|(_, file)| file).unwrap_or_default();
    // Mistakes in the arguments are told before the machine is looked at.
    let mut meter = meter_plan(args)?;
    let claims = meter.work.clone();
    let test_bench = TestBench::open(None)?;
    // The estimate from CPU time knows this process alone, so that software adapters have no place here.
    let devices: Vec<Device> =
        test_bench.machine().devices().into_iter().filter(|device| !device.is_software()).collect();
    (meter.device, meter.device_assumed) = device_of(args, &devices, &test_bench)?;
    if let Some(text) = &args.equivalent {
        if !claims.iter().any(|claim| work::unit_of(claim) == EXECUTION) {
            let how =
                "say how many of them the program does: --work executions=COUNT, or a pattern that finds the count";
            return Err(Failure::usage(format!("--as is `{text}`: {how}")).into());
        }
        meter.equivalent = Some(work::equivalent(text, &meter.label, meter.device)?);
    }
    let resolved = resolve(args, file, config_file, meter)?;
    let (record, saved) = carry_out(resolved, devices, &test_bench, args, console)?;
    Ok(exit_of(&record, &saved, console))
}

/// What is metered and how, without what needs the machine.
fn meter_plan(args: &Args) -> anyhow::Result<MeterPlan> {
    let time = |name: &str, text: &str| resolve::duration(name, text);
    let metered = args.metered.as_deref().map(|text| time("--for", text)).transpose()?;
    if metered.is_some_and(|time| time.get() <= 0.0) {
        return Err(Failure::usage("--for is 0: it must be longer than 0 s").into());
    }
    if args.repeat == 0 {
        return Err(Failure::usage("--repeat is 0: at least one execution must be metered").into());
    }
    let idle = time("--idle", args.idle.as_deref().unwrap_or("5s"))?;
    check_command(args, metered, idle)?;
    let shown: Vec<String> = args.command.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let shown = provenance::without_secrets(shown);
    let name = shown.first().map_or("idle", |program| program.rsplit(['/', '\\']).next().unwrap_or(program));
    let label = args.label.clone().unwrap_or_else(|| name.to_owned());
    if label.trim().is_empty() || label.chars().any(char::is_control) {
        return Err(Failure::usage("--label must be a name of one line").into());
    }
    let input_is_terminal = std::io::stdin().is_terminal();
    let own_group = metered.is_some() || !input_is_terminal;
    Ok(MeterPlan {
        label,
        command: args.command.clone(),
        shown,
        device: None,
        device_assumed: false,
        equivalent: None,
        work: work::claims(&args.work, args.thousands)?,
        idle,
        repeat: args.repeat,
        pause: time("--pause", &args.pause)?,
        metered,
        warm_up: args.warm_up.as_deref().map_or(Ok(Seconds::new(0.0)), |text| time("--warm-up", text))?,
        grace: time("--grace", &args.grace)?,
        failure_allowed: args.allow_failure,
        own_group,
        // A background group that reads from the terminal would be stopped by it.
        no_input: own_group && input_is_terminal,
    })
}

/// Refuses what cannot be metered: no program and nothing said of idle power, or a program that does not exist.
fn check_command(args: &Args, metered: Option<Seconds>, idle: Seconds) -> anyhow::Result<()> {
    let Some(program) = args.command.first() else {
        if args.idle.is_none() && metered.is_none() {
            let how = "name a program after --, for example `wattmark meter -- python train.py`, or meter idle power \
                       with `wattmark meter --idle 30s`";
            return Err(Failure::usage(format!("nothing is to be metered: {how}")).into());
        }
        if metered.is_none() && idle.get() <= 0.0 {
            return Err(Failure::usage("--idle is 0: without a program it must be longer than 0 s").into());
        }
        if !args.work.is_empty() || args.equivalent.is_some() {
            return Err(Failure::usage("--work and --as need a program after --: idle power does no work").into());
        }
        return Ok(());
    };
    let found = if Path::new(program).components().count() > 1 {
        Path::new(program).is_file()
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let extension = std::env::consts::EXE_SUFFIX;
        std::env::split_paths(&folders).any(|folder| {
            folder.join(program).is_file() || folder.join(format!("{}{extension}", program.to_string_lossy())).is_file()
        })
    };
    if found {
        return Ok(());
    }
    let program = program.to_string_lossy();
    let text = format!("cannot start `{program}`: there is no such program; name one that exists, after --");
    Err(Failure::usage(text).into())
}

/// The device that was named, or the only hardware GPU.
fn device_of(args: &Args, devices: &[Device], bench: &TestBench) -> anyhow::Result<(Option<u32>, bool)> {
    let Some(wanted) = &args.device else {
        return Ok(match devices {
            [only] if !args.command.is_empty() => (Some(only.ordinal), true),
            _ => (None, false),
        });
    };
    if let Some(device) = wanted.parse().ok().and_then(|n: u32| devices.iter().find(|device| device.ordinal == n)) {
        return Ok((Some(device.ordinal), false));
    }
    let known: Vec<String> = devices.iter().map(|device| format!("{} ({})", device.ordinal, device.name)).collect();
    let software = bench.machine().devices().iter().any(|device| wanted.parse() == Ok(device.ordinal));
    let why = match (software, known.is_empty()) {
        (true, _) => "is a software adapter, which is the CPU: leave --device out".to_owned(),
        (false, true) => {
            "does not exist: no hardware GPU was found, and metering needs none; leave --device out".to_owned()
        }
        (false, false) => format!("does not exist: the devices are {}", known.join(", ")),
    };
    Err(Failure::usage(format!("--device {wanted} {why}")).into())
}

fn resolve(
    args: &Args,
    file: FileConfig,
    config_file: Option<String>,
    mut meter: MeterPlan,
) -> anyhow::Result<Resolved> {
    let account = AccountRequest {
        grid: args.site.grid.clone().or(file.grid),
        pue: args.site.pue.or(file.pue),
        site: args.site.site.clone().or(file.site.map(|path| path.display().to_string())),
    };
    let own = SiteArgs { factors: args.site.factors.clone(), ..SiteArgs::default() };
    let site = own.resolve(Some(&account))?;
    let site = crate::account::Site { notes: Vec::new(), ..site };
    let list = args.power.power.clone().or(file.power.map(|list| list.join(",")));
    // Two readers of one input would each get half of it.
    let reads_input = |kind: &str| kind == "stdin" || kind.starts_with("stdin:");
    meter.no_input |= list.as_deref().is_some_and(|list| list.split(',').map(str::trim).any(reads_input));
    let power = sensors::request(list.as_deref(), args.power.assume_watts.or(file.assume_watts), "--assume-watts")?;
    let mut settings = presets::settings(Preset::Quick);
    settings.idle_s = meter.idle;
    settings.window_s = meter.metered.unwrap_or(Seconds::new(0.0));
    (settings.windows_min, settings.windows_max) = (meter.repeat, meter.repeat);
    if let Some(hz) = args.sampler_hz.or(file.sampler_hz) {
        if !(hz > 0.0 && hz <= 1000.0) {
            return Err(Failure::usage(format!("--sampler-hz is {hz}: it must be above 0 and at most 1000")).into());
        }
        settings.sampler_hz = hz;
    }
    let each = meter.metered.unwrap_or(Seconds::new(0.0)) + meter.warm_up;
    let plan = Plan {
        preset: Preset::Quick,
        settings,
        origins: std::collections::BTreeMap::new(),
        config_file,
        power,
        account,
        seed: 0,
        cases: Vec::new(),
        link: false,
        expected_s: meter.idle + each * f64::from(meter.repeat),
        inject_error: false,
        user_shaders: Vec::new(),
    };
    let results = args.results.clone().or(file.results).unwrap_or_else(|| PathBuf::from("results"));
    Ok(Resolved { meter, plan, results, redact: args.redact || file.redact.unwrap_or(false), site })
}

fn carry_out(
    resolved: Resolved,
    devices: Vec<Device>,
    bench: &TestBench,
    args: &Args,
    console: &mut Console,
) -> anyhow::Result<(RunRecord, PathBuf)> {
    let findings =
        sensors::open_known(&resolved.plan.power, &devices, bench, &args.power.sensor_root, &args.power.profiles)?;
    let presses = listen()?;
    let started = bench.utc_now();
    let host = provenance::host_below(Path::new("/")).hostname;
    let host = if resolved.redact { provenance::redacted_name(&host) } else { host };
    let id = store::new_id(u64::from(std::process::id()), started);
    let folder = RunFolder::create(&resolved.results, started, &host, &id)
        .map_err(|error| Failure::usage(format!("{error}")))
        .context("cannot prepare the results folder, so nothing was metered")?;
    for obstacle in &findings.obstacles {
        console.note(&format!("power: {}: {}. {}", obstacle.what, obstacle.why, obstacle.remedy));
    }
    let mut record = bench::new_record(resolved.plan.clone(), devices, bench, &folder);
    let clock = bench.machine().clock();
    let hz = resolved.plan.settings.sampler_hz;
    let sampler = (!findings.sources.is_empty()).then(|| Sampler::start(findings.sources, hz, &clock));
    let talks = console.err_is_terminal;
    let redact = resolved.redact;
    let outcome = {
        let mut save = |record: &RunRecord| {
            // The last save tells what becomes of a folder that cannot be written.
            let _ = folder.save(&provenance::redacted(record, redact));
        };
        let mut tell = |text: &str| {
            if talks {
                crate::cli::note(&format!("wattmark: {text}"));
            }
        };
        let mut setup = Setup {
            clock: &clock,
            sampler: sampler.as_ref(),
            presses: &presses,
            out: &|| Box::new(std::io::stdout()),
            err: &|| Box::new(std::io::stderr()),
            tell: &mut tell,
            save: &mut save,
        };
        meter::measure(&mut setup, &resolved.meter, &mut record)
    };
    if let Some(sampler) = sampler {
        record.traces = sampler.stop();
    }
    if let Err(error) = &outcome {
        record.status = RunStatus::Failed { reason: error.to_string() };
    }
    record.ended = Some(bench::rfc3339(bench.utc_now()));
    let record = provenance::redacted(&record, redact).into_owned();
    let saved = bench::save_somewhere(&folder, &record, console)?;
    outcome.map_err(|error| Failure::usage(error.to_string()))?;
    present(&record, &resolved.site, &saved, args, console)?;
    Ok((record, saved))
}

/// Counts Ctrl-C and polite kills: the first is passed on to the program, the second asks it to end, the third ends it.
fn listen() -> anyhow::Result<Arc<AtomicU32>> {
    let presses = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&presses);
    ctrlc::set_handler(move || {
        if counted.fetch_add(1, Ordering::Relaxed) == 0 {
            crate::cli::note("wattmark: stopping; press Ctrl-C again if the program does not end");
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(presses)
}

/// Prints what was measured: on standard error beside a program, which owns standard output.
fn present(
    record: &RunRecord,
    site: &crate::account::Site,
    saved: &Path,
    args: &Args,
    console: &mut Console,
) -> anyhow::Result<()> {
    let result = evaluate(record);
    let mut text = outcome::table(record, &result, site, false, console);
    text = format!("{}\n\n{:<10}{}\n", text.trim_end(), "Record", saved.display());
    if !args.no_figures && !matches!(record.plan.power, PowerRequest::None) {
        let folder = saved.parent().unwrap_or(Path::new("."));
        for path in plot::draw_all(record, &result, None, folder)? {
            text.push_str(&format!("{:<10}{}\n", "Chart", path.display()));
        }
    }
    if args.command.is_empty() {
        write!(console.out, "{text}")?;
        console.out.flush()?;
    } else {
        console.note(&format!("\n{}", text.trim_end()));
    }
    Ok(())
}

fn exit_of(record: &RunRecord, saved: &Path, console: &Console) -> Exit {
    if record.status == RunStatus::Interrupted {
        console.note("wattmark: interrupted; the record holds what there was");
        return Exit::Interrupted;
    }
    let failed = |command: &crate::model::CommandMeasurement| {
        command.runs.iter().find(|run| !run.exit.succeeded(command.failure_allowed)).map(|run| run.exit.to_string())
    };
    if let Some(how) = record.commands.iter().find_map(failed) {
        console.note(&format!(
            "wattmark: the program failed ({how}); {} says so. If that is its way, use --allow-failure",
            saved.display()
        ));
        return Exit::Unexpected;
    }
    Exit::Ok
}
