//! `wattmark calibrate`: drives a device with square waves of load and finds how its power sensors answer.
//!
//! Writes an ordinary record, whose readings and phases are all there is to it: `--from` computes the same profiles from it
//! again. What surprises people: profiles are used by later runs without being asked for, corrections only with --correct.

mod choose;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Context as _;

use crate::cli::bench::{self, TestBench};
use crate::cli::commands::run;
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure, layout, profiles, resolve, sensors};
use crate::measure::calibrate::{self, CalibrateError, Protocol, Setup};
use crate::measure::result::calibration::{ChannelFit, ReferenceFit, channel_fits, reference_fits};
use crate::model::{AccountRequest, Plan, PowerRequest, Preset, RunRecord, RunStatus, SourceInfo};
use crate::power::{Findings, Sampler};
use crate::store::{self, KeptCorrection, KeptProfile, RunFolder, SensorKey, UnitKey};
use crate::{provenance, report};

use choose::{Reference, Wishes};

/// Seed of the load's inputs.
const SEED: u64 = 2026;

/// Arguments of `wattmark calibrate`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Devices by number (see `wattmark devices`) or `all`; default: every hardware GPU, else the software adapter.
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    pub device: Vec<String>,
    /// Sensors to characterise: a source, a kind, a channel or source/channel, with * and ?; default: all that are measured.
    #[arg(long, value_delimiter = ',', value_name = "PATTERN")]
    pub source: Vec<String>,
    /// Find gain and offset of the sensors against this source (or source/channel), for example a wall meter.
    #[arg(long, value_name = "SOURCE")]
    pub against: Option<String>,
    /// Power sources: auto, or a list such as nvml,csv:meter.csv,scope=wall-ac.
    #[arg(long, value_name = "SOURCES")]
    pub power: Option<String>,
    /// Fewer and shorter waves: indicative.
    #[arg(long)]
    pub quick: bool,
    /// Polls a second; default: 197, and at most five times what a source calls useful itself (NVML: 97).
    #[arg(long, value_name = "HERTZ", allow_negative_numbers = true)]
    pub sampler_hz: Option<f64>,
    /// Compute the profiles of a calibration's record again, without a device.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["device", "power", "quick", "sampler_hz", "dry_run", "results"])]
    pub from: Option<PathBuf>,
    /// With --from: keep what was found for later runs, as a calibration does by itself.
    #[arg(long, requires = "from")]
    pub store: bool,
    /// Do not keep what was found for later runs.
    #[arg(long, conflicts_with = "store")]
    pub no_store: bool,
    /// Folder for records.
    #[arg(long, env = "WATTMARK_RESULTS", value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// Replace host name and serial numbers in the record by hashes.
    #[arg(long)]
    pub redact: bool,
    /// Print what would be driven, how long it takes and which sensors are polled, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Scripted devices and sensors in place of the machine's.
    #[arg(long, value_name = "FILE", hide = true)]
    pub simulate: Option<PathBuf>,
    /// Folder below which sensors are read.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub sensor_root: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let wishes = Wishes { patterns: args.source.clone() };
    match &args.from {
        Some(from) => again(args, &wishes, from, console),
        None => afresh(args, &wishes, console),
    }
}

/// Prints what the record of a calibration says, for `wattmark show`.
pub(super) fn show(record: &RunRecord, console: &mut Console) -> anyhow::Result<()> {
    Found::of(record, &Wishes { patterns: Vec::new() }, None).print(record, console)
}

/// Computes what a saved record says of its sensors.
fn again(args: &Args, wishes: &Wishes, from: &Path, console: &mut Console) -> anyhow::Result<Exit> {
    let loaded = load(from, console)?;
    let record = &loaded.record;
    if record.calibrations.is_empty() {
        let path = loaded.path.display();
        return Err(Failure::record(format!("{path} holds no calibration: `wattmark calibrate` writes one")).into());
    }
    let infos: Vec<&SourceInfo> = record.traces.iter().map(|trace| &trace.source).collect();
    wishes.check(&infos)?;
    let reference = args.against.as_deref().map(|wanted| choose::reference(wanted, &infos)).transpose()?;
    let found = Found::of(record, wishes, reference.as_ref());
    found.print(record, console)?;
    if args.store {
        let host = (!record.provenance.redacted).then_some(record.provenance.host.hostname.as_str());
        if host.is_none() {
            console.note(
                "wattmark: the record is redacted, so its host is unknown: of sensors of a whole host no profile is kept, and \
                 no correction",
            );
        }
        found.keep(record, host, console)?;
    }
    Ok(found.exit(console))
}

/// Drives the devices, saves the record, and says what was found.
fn afresh(args: &Args, wishes: &Wishes, console: &mut Console) -> anyhow::Result<Exit> {
    let test_bench = TestBench::open(args.simulate.as_deref())?;
    let devices = resolve::select_devices(&args.device, &test_bench, console)?;
    let request = sensors::request(args.power.as_deref(), None, "--assume-watts")?;
    let hz = choose::cadence(args.sampler_hz)?;
    let Findings { sources, obstacles } = sensors::open(&request, &devices, &test_bench, &args.sensor_root)?;
    for obstacle in &obstacles {
        console.note(&format!("power: {}: {}. {}", obstacle.what, obstacle.why, obstacle.remedy));
    }
    let sources = choose::at_cadences(sources, args.sampler_hz);
    let infos: Vec<SourceInfo> = sources.iter().map(|source| source.info().clone()).collect();
    let infos: Vec<&SourceInfo> = infos.iter().collect();
    wishes.check(&infos)?;
    let reference = args.against.as_deref().map(|wanted| choose::reference(wanted, &infos)).transpose()?;
    let slowest = choose::slowest(&sources, wishes, reference.as_ref());
    let protocol = choose::protocol(args.quick, slowest, SEED);
    if args.dry_run {
        let text = choose::plan_text(&devices, &protocol, &sources, hz, wishes, reference.as_ref());
        console.out.write_all(text.as_bytes())?;
        return Ok(Exit::Ok);
    }
    let interrupted = run::interruption(run::STOPPING)?;
    let results = args.results.clone().unwrap_or_else(|| PathBuf::from("results"));
    let folder = create_folder(&results, args.redact, test_bench.utc_now())?;
    let plan = plan(args.quick, request, &protocol, hz);
    let mut record = bench::new_record(plan, devices.clone(), &test_bench, &folder);
    console.note(&format!(
        "calibrating takes about {:.0} s a device, once the load is built; leave the machine alone meanwhile",
        protocol.duration().get()
    ));
    let sampler = Sampler::start(sources, hz, &test_bench.machine().clock());
    let outcome = {
        let mut save = |record: &RunRecord| {
            folder.save(&provenance::redacted(record, args.redact)).map_err(|error| error.to_string())
        };
        let mut setup = Setup {
            machine: test_bench.machine(),
            sampler: &sampler,
            interrupted: &|| interrupted.load(Ordering::Relaxed),
            say: &mut |line| console.note(line),
            save: &mut save,
        };
        calibrate::execute(&mut setup, &mut record, &devices, &protocol)
    };
    record.traces = sampler.stop();
    record.ended = Some(bench::rfc3339(test_bench.utc_now()));
    let saved = bench::save_somewhere(&folder, &provenance::redacted(&record, args.redact), console)?;
    conclude(args, wishes, reference.as_ref(), &record, &saved, outcome, console)
}

/// Prints what was found, keeps it, and says how the command ended.
fn conclude(
    args: &Args,
    wishes: &Wishes,
    reference: Option<&Reference>,
    record: &RunRecord,
    saved: &Path,
    outcome: Result<(), CalibrateError>,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let found = Found::of(record, wishes, reference);
    found.print(record, console)?;
    writeln!(console.out, "\n{:<13}{}", "Record", saved.display())?;
    console.out.flush()?;
    if record.status == RunStatus::Interrupted {
        console.note("wattmark: interrupted; the record holds what there was, and no profile was kept");
        return Ok(Exit::Interrupted);
    }
    if let Err(error) = outcome {
        console.note(&format!("wattmark: {error}; no profile was kept"));
        return Ok(match error {
            CalibrateError::WrongOutput { .. } => Exit::VerificationFailed,
            CalibrateError::NoKernel { .. } => Exit::NoDevice,
            CalibrateError::Device(_) if record.idle.is_empty() => Exit::NoDevice,
            CalibrateError::Device(_) => Exit::Quality,
        });
    }
    if !args.no_store {
        found.keep(record, Some(&profiles::hostname()), console)?;
    }
    Ok(found.exit(console))
}

/// What a record says of its sensors.
struct Found<'a> {
    channels: Vec<ChannelFit<'a>>,
    references: Vec<ReferenceFit<'a>>,
    against: bool,
}

impl<'a> Found<'a> {
    fn of(record: &'a RunRecord, wishes: &Wishes, reference: Option<&Reference>) -> Self {
        let wanted = |source: &SourceInfo, channel: &crate::model::Channel| wishes.want(source, channel);
        let references = reference.map(|reference| {
            let pair = (reference.source.as_str(), reference.channel.as_str());
            reference_fits(record, &wanted, pair)
        });
        Self {
            channels: channel_fits(record, &wanted),
            against: references.is_some(),
            references: references.unwrap_or_default(),
        }
    }

    fn print(&self, record: &RunRecord, console: &mut Console) -> anyhow::Result<()> {
        let width = layout::width(console).min(choose::WIDTH);
        write!(console.out, "{}", report::calibration_text(record, &self.channels, &self.references, width))?;
        Ok(())
    }

    /// Keeps profiles and corrections for later runs; without a host, only what holds on every host.
    fn keep(&self, record: &RunRecord, host: Option<&str>, console: &mut Console) -> anyhow::Result<()> {
        let device = |source: &SourceInfo| profiles::device_of(source, &record.devices);
        let profiles: Vec<KeptProfile> = self
            .channels
            .iter()
            .filter_map(|fit| {
                let source = &fit.trace.source;
                let owner = device(source);
                let host = host.or(owner.map(|_| ""))?;
                let key = SensorKey::of(owner, host, source, fit.channel);
                Some(KeptProfile { key, profile: fit.outcome.as_ref().ok()?.profile.clone() })
            })
            .collect();
        let corrections: Vec<KeptCorrection> = self
            .references
            .iter()
            .filter_map(|fit| {
                let source = &fit.trace.source;
                let key = UnitKey::of(device(source), host?, source, fit.channel);
                Some(KeptCorrection { key, correction: fit.outcome.as_ref().ok()?.correction.clone() })
            })
            .collect();
        let (count, gains) = (profiles.len(), corrections.len());
        if count + gains == 0 {
            return Ok(());
        }
        let Some(mut known) = profiles::known_sensors(record.simulated) else {
            console.note("wattmark: nothing was kept: there is no folder for it (name one with WATTMARK_CACHE)");
            return Ok(());
        };
        match known.keep(profiles, corrections) {
            Ok(()) => {
                let gains = match gains {
                    0 => String::new(),
                    1 => " and 1 correction (--correct applies it)".to_owned(),
                    more => format!(" and {more} corrections (--correct applies them)"),
                };
                let plural = if count == 1 { "" } else { "s" };
                writeln!(console.out, "{:<13}{count} profile{plural}{gains} in {}", "Kept", known.path().display())?;
            }
            Err(why) => console.note(&format!("wattmark: {why}")),
        }
        Ok(())
    }

    /// Quality is wanting where nothing was found, or no gain although one was asked for.
    fn exit(&self, console: &Console) -> Exit {
        if !self.channels.iter().any(|fit| fit.outcome.is_ok()) {
            console.note("wattmark: no sensor could be characterised; the table says why");
            return Exit::Quality;
        }
        if self.against && !self.references.iter().any(|fit| fit.outcome.is_ok()) {
            console.note("wattmark: no gain and offset could be found; the table says why");
            return Exit::Quality;
        }
        Exit::Ok
    }
}

fn create_folder(results: &Path, redact: bool, started: jiff::Timestamp) -> anyhow::Result<RunFolder> {
    let host = profiles::hostname();
    let host = if redact { provenance::redacted_name(&host) } else { host };
    RunFolder::create(results, started, &host, &store::new_id(SEED, started))
        .map_err(|error| Failure::usage(format!("{error}")))
        .context("cannot prepare the results folder, so nothing was measured")
}

fn plan(quick: bool, power: PowerRequest, protocol: &Protocol, hz: f64) -> Plan {
    Plan {
        preset: if quick { Preset::Quick } else { Preset::Standard },
        settings: calibrate::settings(protocol, hz),
        origins: Default::default(),
        config_file: None,
        power,
        account: AccountRequest::default(),
        seed: protocol.seed,
        cases: Vec::new(),
        link: false,
        expected_s: protocol.duration(),
        inject_error: false,
        user_shaders: Vec::new(),
    }
}
