//! `wattmark tune`: the variant and parameters that suit a device, found, printed and kept for later runs.
//!
//! What surprises people: what the cache already holds is printed and not tuned again (`--retune` does); and a problem
//! such as `gemm` may change its variant, while a variant such as `gemm/tiled-f32` only changes its parameters.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::cli::bench::{self, TestBench};
use crate::cli::commands::run;
use crate::cli::profiles::ProfileArgs;
use crate::cli::resolve::{self, Resolved};
use crate::cli::tuning::{Tuner, TuningArgs};
use crate::cli::{Console, Exit, text};
use crate::kernel;
use crate::model::{Case, Choice, DataPattern, Device, Finalist, Objective, Trial, TrialOutcome, Tuning, TuningOrigin};
use crate::names;
use crate::stats;
use crate::tune::{Freedom, Mode};

/// Arguments of `wattmark tune`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Problems (gemm: any variant of it) or kernels (gemm/tiled-f32, 'gemm/*': each as it is); default: every problem.
    #[arg(value_name = "PATTERN")]
    pub pattern: Vec<String>,
    /// Shapes, for example m=n=k=1024,2048; repeat it for further axes. Axes left out keep their default.
    #[arg(long, value_name = "AXES=VALUES")]
    pub shape: Vec<String>,
    /// Devices by number (see `wattmark devices`) or `all`; default: every hardware GPU, else the software adapter.
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    pub device: Vec<String>,
    /// Distribution of the inputs: normal, uniform, zeros, constant or sparse; default: normal.
    #[arg(long, value_name = "PATTERN")]
    pub data: Option<DataPattern>,
    /// What to look for: speed, or efficiency (work per joule; needs a power reading).
    #[arg(long, value_name = "OBJECTIVE")]
    pub objective: Option<Objective>,
    /// Longest tuning of one case; default: 60s.
    #[arg(long, value_name = "TIME")]
    pub tune_budget: Option<String>,
    /// Tune again what the cache already holds.
    #[arg(long)]
    pub retune: bool,
    /// Power sources for --objective efficiency: auto, or a list such as nvml,rapl.
    #[arg(long, value_name = "SOURCES")]
    pub power: Option<String>,
    /// Accept any certificate of the power sources over HTTPS (as insecure=yes does for one of them).
    #[arg(long)]
    pub insecure: bool,
    /// What calibrations found of the sensors.
    #[command(flatten)]
    pub profiles: ProfileArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Scripted devices and sensors in place of the machine's.
    #[arg(long, value_name = "FILE", hide = true)]
    pub simulate: Option<PathBuf>,
    /// Folder below which sensors are read.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub sensor_root: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let test_bench = TestBench::open(args.simulate.as_deref())?;
    let resolved = resolve::resolve(&as_run(args), &test_bench, console)?;
    let interrupted = run::interruption(run::STOPPING)?;
    let sources = bench::open_power(&resolved, &test_bench, &args.sensor_root, &args.profiles)?.sources;
    let flags = TuningArgs {
        retune: args.retune,
        tune_budget: args.tune_budget.clone(),
        objective: args.objective,
        ..TuningArgs::default()
    };
    let tuner = Tuner {
        args: &flags,
        bench: &test_bench,
        sensor_root: &args.sensor_root,
        profiles: &args.profiles,
        interrupted: &|| interrupted.load(Ordering::Relaxed),
    };
    tuner.check(&resolved, &sources.iter().map(|source| source.info().clone()).collect::<Vec<_>>())?;
    drop(sources);
    let mut cases = cases(args, &resolved);
    let mode = if args.retune { Mode::Always } else { Mode::AtFirstUse };
    let tunings = tuner.settle(&resolved, &mut cases, mode, console)?;
    if args.json {
        let rows: Vec<Row<'_>> = tunings.iter().map(Row::of).collect();
        serde_json::to_writer_pretty(&mut console.out, &rows)?;
        writeln!(console.out)?;
    } else {
        let blocks: Vec<String> = tunings.iter().map(|tuning| block(tuning, &resolved.devices)).collect();
        write!(console.out, "{}", blocks.join("\n"))?;
    }
    if interrupted.load(Ordering::Relaxed) {
        console.note("wattmark: interrupted; the cache holds the cases that were done");
        return Ok(Exit::Interrupted);
    }
    if let Some(tuning) = tunings.iter().find(|tuning| tuning.trials.len() == tuning.failed()) {
        console.note(&format!("wattmark: no candidate for {} {} gave right outputs", tuning.problem, tuning.shape));
        return Ok(Exit::VerificationFailed);
    }
    Ok(Exit::Ok)
}

/// The selection in the words of `wattmark run`.
fn as_run(args: &Args) -> run::Args {
    run::Args {
        kernel: args.pattern.clone(),
        shape: args.shape.clone(),
        device: args.device.clone(),
        power: args.power.clone(),
        insecure: args.insecure,
        profiles: args.profiles.clone(),
        // What was named is tuned, and nothing beside it.
        no_ceilings: true,
        simulate: args.simulate.clone(),
        sensor_root: args.sensor_root.clone(),
        ..run::Args::default()
    }
}

/// Cases to tune: variants that were named as they are, and of each problem, precision and shape one more that stands for
/// all its variants.
fn cases(args: &Args, resolved: &Resolved) -> Vec<(Case, Freedom)> {
    let mut cases: Vec<(Case, Freedom)> = Vec::new();
    for case in &resolved.plan.cases {
        let case = Case { pattern: args.data.unwrap_or_default(), ..case.clone() };
        let hits = |pattern: &&String| pattern.contains('/') && names::matches(pattern, &case.variant);
        if args.pattern.iter().any(|pattern| hits(&pattern)) {
            cases.push((case, Freedom::OwnVariant));
            continue;
        }
        let device = resolved.devices.iter().find(|device| device.ordinal == case.device);
        let same = |known: &&mut (Case, Freedom)| {
            known.1 == Freedom::AnyVariant && known.0.device == case.device && known.0.same_work(&case)
        };
        match cases.iter_mut().find(same) {
            Some((known, _)) if rank(&case, device) > rank(known, device) => *known = case,
            Some(_) => {}
            None => cases.push((case, Freedom::AnyVariant)),
        }
    }
    cases
}

/// How good a default a case is: one that runs on the device before one that does not, then by its manifest's preference.
fn rank(case: &Case, device: Option<&Device>) -> (bool, u64) {
    let variant = kernel::find(&case.variant).ok().zip(device);
    variant.map_or((false, 0), |(variant, device)| {
        (variant.render(&case.shape, &case.params, device).is_ok(), variant.preference_at(&case.shape, device))
    })
}

/// One tuning in `--json`, with the ratio that its samples give.
#[derive(Debug, Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    tuning: &'a Tuning,
    gain: Option<Gain>,
}

/// Cost of the default over that of the choice, with its 95 % interval.
#[derive(Debug, Serialize)]
struct Gain {
    ratio: f64,
    low: f64,
    high: f64,
}

impl<'a> Row<'a> {
    fn of(tuning: &'a Tuning) -> Self {
        let gain = tuning.gain().map(|gain| {
            let factor = gain.log_half_width.exp();
            Gain { ratio: gain.ratio, low: gain.ratio / factor, high: gain.ratio * factor }
        });
        Row { tuning, gain }
    }
}

/// A tuning as a table of its own.
fn block(tuning: &Tuning, devices: &[Device]) -> String {
    let device = devices.iter().find(|device| device.ordinal == tuning.device).map_or("", |device| &device.name);
    let data = if tuning.pattern == DataPattern::Normal { String::new() } else { format!(", {} data", tuning.pattern) };
    let mut out = format!("{} {}  {}{data}  {device}\n", tuning.problem, tuning.element, tuning.shape);
    let mut table = text::table(&["", "kernel", "parameters", "time", "energy", "default / this"], &[3, 4, 5]);
    let default = tuning.finalist(&tuning.default);
    let mut row = |label: &str, choice: &Choice, finalist: Option<&Finalist>| {
        let time = finalist.and_then(|finalist| mean(finalist, Objective::Speed));
        let energy = finalist.and_then(|finalist| mean(finalist, Objective::Efficiency));
        table.add_row([
            label.to_owned(),
            choice.variant.clone(),
            choice.params_text(),
            time.map_or("–".to_owned(), |time| text::si(time, "s")),
            energy.map_or("–".to_owned(), |energy| text::si(energy, "J")),
            finalist.and_then(|finalist| ratio(tuning, default, finalist)).unwrap_or_default(),
        ]);
    };
    row("default", &tuning.default, default);
    if !tuning.keeps_default() {
        row("tuned", &tuning.chosen, tuning.finalist(&tuning.chosen));
    }
    for (place, other) in tuning.others().into_iter().enumerate() {
        row(if place == 0 { "runner-up" } else { "other" }, &other.choice, Some(other));
    }
    out.push_str(&text::lines(&table));
    out.push_str(&text::entry("", &summary(tuning)));
    for Trial { choice, outcome } in &tuning.trials {
        if let TrialOutcome::Failed { message } = outcome {
            out.push_str(&text::entry("failed", &format!("{choice}: {message}")));
        }
    }
    for note in &tuning.notes {
        out.push_str(&text::entry("note", note));
    }
    out
}

fn mean(finalist: &Finalist, objective: Objective) -> Option<f64> {
    stats::mean(&finalist.costs(objective))
}

/// Cost of the default over that of a finalist, with its interval: from one comparison, on data of its own.
fn ratio(tuning: &Tuning, default: Option<&Finalist>, finalist: &Finalist) -> Option<String> {
    let default = default.filter(|default| default.choice != finalist.choice)?;
    let (of_default, own) = (default.costs(tuning.objective), finalist.costs(tuning.objective));
    let gain = stats::ratio_of_means_95(&own, &of_default)?;
    let factor = gain.log_half_width.exp();
    Some(format!("{:.3} ({:.3} to {:.3})", gain.ratio, gain.ratio / factor, gain.ratio * factor))
}

fn summary(tuning: &Tuning) -> String {
    let verdict = if tuning.keeps_default() { "the default is kept; " } else { "" };
    let left = if tuning.untried > 0 { format!(", {} left untried", tuning.untried) } else { String::new() };
    let origin = match tuning.origin {
        TuningOrigin::Fresh => "tuned now".to_owned(),
        TuningOrigin::Cache => format!("from the cache, tuned {}", tuning.date),
    };
    let (tried, failed) = (tuning.trials.len(), tuning.failed());
    format!("{verdict}{tried} tried, {failed} failed{left}; for {}; {origin}", tuning.objective)
}
