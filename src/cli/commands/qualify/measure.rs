//! The way from flags to a measured qualification: devices, sensors, folder, load, and a save after every segment.
//!
//! What surprises people: all that can be wrong with flags and files is found before the folder is made, and after that
//! nothing ends the command without a saved verdict on what there was.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ask::{self, Lengths};
use super::ledger::{Head, Ledger, unmeasured};
use super::progress::Progress;
use super::{Args, outcome, references};
use crate::cli::bench::{self, TestBench};
use crate::cli::commands::run::{STOPPING, interruption};
use crate::cli::sensors::PowerArgs;
use crate::cli::{Console, Exit, Failure, resolve, sensors};
use crate::measure::presets;
use crate::measure::soak::{self, SoakEvent, SoakPlan, SoakSetup};
use crate::model::{AccountRequest, Case, Device, Phase, Plan, PowerRequest, Preset, RunRecord, RunStatus, Segment};
use crate::power::{self, Findings, PowerSource, Sampler, profiled};
use crate::provenance;
use crate::store::{self, QualificationFolder};
use crate::units::Seconds;

/// Seed of the inputs: the same everywhere, so that outputs can be compared across nodes.
pub const SEED: u64 = 2026;

/// Everything that a load needs beside the ledger.
pub struct Job {
    /// The devices.
    pub devices: Vec<Device>,
    /// The work of each phase.
    pub work: Vec<(Phase, Case)>,
    /// What was asked of the power sources.
    pub request: PowerRequest,
    /// The power sources.
    pub sources: Vec<Box<dyn PowerSource>>,
    /// What tells a board from others of its kind, by ordinal.
    pub identities: BTreeMap<u32, BTreeMap<String, String>>,
    /// Lengths of time.
    pub lengths: Lengths,
    /// Load that was measured by an earlier process.
    pub done: Seconds,
    /// Number of the first segment of this process.
    pub first: u32,
    /// True if errors are made on purpose.
    pub inject_error: bool,
    /// True if host name and serial numbers are replaced by hashes.
    pub redact: bool,
}

/// Loads the devices from the beginning.
pub fn afresh(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let lengths = Lengths::of(args)?;
    let labels = ask::labels(&args.label)?;
    let request = args.power.request()?;
    let references = references::load(args, console)?;
    let test_bench = TestBench::open(args.simulate.as_deref())?;
    let devices = resolve::select_devices(&args.device, &test_bench, console)?;
    let interrupted = interruption(STOPPING)?;
    let sources = open_power(&request, args, &devices, &test_bench, console)?;
    let identities = identities(args, &devices, &test_bench, args.redact);
    let folder = create_folder(&args.results, &test_bench, args.redact)?;
    let mut provenance = provenance::collect(Vec::new());
    provenance.host.hostname = host_name(provenance.host.hostname, args.redact);
    let head = Head {
        id: folder.id().to_owned(),
        started: bench::rfc3339(test_bench.utc_now()),
        simulated: test_bench.machine().is_simulated(),
        inject_error: args.inject_error,
        tool: provenance.tool,
        program_sha256: program_sha256()?,
        host: provenance.host,
        labels,
        planned: lengths.planned,
    };
    let blank =
        devices.iter().map(|device| unmeasured(device, identities.get(&device.ordinal).cloned().unwrap_or_default()));
    let ledger = Ledger::new(head, blank.collect(), references);
    let work = soak::work(&devices, SEED);
    let job = Job {
        devices,
        work,
        request,
        sources,
        identities,
        lengths,
        done: Seconds::new(0.0),
        first: 1,
        inject_error: args.inject_error,
        redact: args.redact,
    };
    carry_out(job, ledger, &folder, &test_bench, &interrupted, args, console)
}

/// Runs the load, and presents what came of it.
pub fn carry_out(
    job: Job,
    ledger: Ledger,
    folder: &QualificationFolder,
    test_bench: &TestBench,
    interrupted: &Arc<AtomicBool>,
    args: &Args,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let lock = folder.lock().map_err(|error| Failure::usage(error.to_string()))?;
    if lock.is_none() {
        let why = "another wattmark is at work in it. Let it end, or stop it first";
        return Err(Failure::usage(format!("cannot load devices into {}: {why}", folder.path().display())).into());
    }
    // Whoever looks from now on finds a qualification that says that it is running.
    folder.save(&ledger.qualification).map_err(|error| Failure::usage(error.to_string()))?;
    let stopped = || interrupted.load(Ordering::Relaxed);
    let mut ledger = drive(job, ledger, folder, test_bench, &stopped, args, console)?;
    let stopped = stopped();
    ledger.qualification.status = if stopped { RunStatus::Interrupted } else { RunStatus::Complete };
    ledger.qualification.ended = Some(bench::rfc3339(test_bench.utc_now()));
    ledger.judge();
    let saved = folder.save(&ledger.qualification);
    let exit = outcome::present(&ledger, Some(folder), args, console)?;
    if let Err(error) = saved {
        anyhow::bail!(
            "{error}. The verdict above is not in the folder; its segments are, as far as they could be saved"
        );
    }
    if stopped {
        console.note("wattmark: interrupted; the verdict is on what there was, and --resume goes on with it");
        return Ok(Exit::Interrupted);
    }
    Ok(exit)
}

/// What the two callbacks of a load share.
struct Desk<'a> {
    ledger: Ledger,
    folder: &'a QualificationFolder,
    /// The segment that was saved last and not entered yet.
    open: Option<(u32, Option<Segment>, RunRecord)>,
}

impl Desk<'_> {
    /// Saves a segment as it grows.
    fn save(&mut self, number: u32, record: &RunRecord) -> Result<(), String> {
        self.close_before(number);
        let saved = self.folder.save_segment(number, record);
        let outcome = saved.as_ref().map(|_| ()).map_err(ToString::to_string);
        // What could not be saved is judged all the same.
        self.open = Some((number, saved.ok(), record.clone()));
        outcome
    }

    /// Enters the open segment if it is another than `number`.
    fn close_before(&mut self, number: u32) {
        if self.open.as_ref().is_some_and(|(open, ..)| *open != number) {
            self.close();
        }
    }

    /// Enters the open segment, and saves the verdict so far.
    fn close(&mut self) {
        let Some((number, segment, record)) = self.open.take() else { return };
        if segment.is_none() {
            self.ledger.unsaved(number);
        }
        self.ledger.enter(segment, &record);
        self.ledger.judge();
    }
}

fn drive(
    job: Job,
    ledger: Ledger,
    folder: &QualificationFolder,
    test_bench: &TestBench,
    stopped: &dyn Fn() -> bool,
    args: &Args,
    console: &Console,
) -> anyhow::Result<Ledger> {
    let plan = soak_plan(&job);
    let slow = args.slow.as_deref().map(|text| resolve::duration_up_to("--slow", text, 60.0)).transpose()?;
    let hz = presets::settings(Preset::Standard).sampler_hz;
    let template = record_plan(&job);
    let (sources, hz) = profiled::at_profiled_cadence(job.sources, hz);
    let sampler = (!sources.is_empty()).then(|| Sampler::start(sources, hz, &test_bench.machine().clock()));
    let progress = RefCell::new(Progress::new(job.lengths.planned, job.done, console.err_is_terminal));
    let desk = RefCell::new(Desk { ledger, folder, open: None });
    let started = bench::rfc3339(test_bench.utc_origin());
    {
        let mut segment = |number: u32| {
            let id = format!("{}-{:04}", folder.id(), number);
            let mut record = bench::record_of(template.clone(), job.devices.clone(), test_bench, &id);
            record.started.clone_from(&started);
            record.provenance.device_details.clone_from(&job.identities);
            record
        };
        let mut save = |number: u32, record: &RunRecord| {
            let mut record = provenance::redacted(record, job.redact).into_owned();
            if record.status != RunStatus::Running && record.ended.is_none() {
                record.ended = Some(bench::rfc3339(test_bench.utc_now()));
            }
            desk.borrow_mut().save(number, &record)
        };
        let mut observer = |event: &SoakEvent<'_>| {
            progress.borrow_mut().event(event);
            if let SoakEvent::Segment { number, done } = event {
                let mut desk = desk.borrow_mut();
                desk.close();
                let saved = desk.folder.save(&desk.ledger.qualification);
                progress.borrow_mut().segment(*number, *done, &desk.ledger.qualification, saved.err());
                if let Some(pause) = slow {
                    std::thread::sleep(std::time::Duration::from_secs_f64(pause.get()));
                }
            }
        };
        let mut setup = SoakSetup {
            machine: test_bench.machine(),
            sampler: sampler.as_ref(),
            interrupted: stopped,
            observer: &mut observer,
            segment: &mut segment,
            save: &mut save,
        };
        soak::run(&mut setup, &plan);
    }
    progress.borrow().finish();
    if let Some(sampler) = sampler {
        sampler.stop();
    }
    let mut desk = desk.into_inner();
    desk.close();
    Ok(desk.ledger)
}

fn soak_plan(job: &Job) -> SoakPlan {
    SoakPlan {
        work: job.work.clone(),
        duration: job.lengths.planned,
        done: job.done,
        first_segment: job.first,
        segment: job.lengths.segment,
        window: job.lengths.window,
        inject_error: job.inject_error,
    }
}

/// The plan that every segment's record holds.
fn record_plan(job: &Job) -> Plan {
    let mut settings = presets::settings(Preset::Standard);
    settings.window_s = job.lengths.window;
    settings.interleaved = true;
    Plan {
        preset: Preset::Standard,
        settings,
        origins: BTreeMap::new(),
        config_file: None,
        power: job.request.clone(),
        account: AccountRequest::default(),
        seed: SEED,
        cases: job.work.iter().map(|(_, case)| case.clone()).collect(),
        link: false,
        expected_s: job.lengths.segment,
        inject_error: job.inject_error,
        user_shaders: Vec::new(),
    }
}

/// Opens the power sources, with a line for each that cannot be used.
pub fn open_power(
    request: &PowerRequest,
    args: &Args,
    devices: &[Device],
    test_bench: &TestBench,
    console: &Console,
) -> anyhow::Result<Vec<Box<dyn PowerSource>>> {
    let PowerArgs { sensor_root, profiles, .. } = &args.power;
    let Findings { sources, obstacles } = sensors::open_known(request, devices, test_bench, sensor_root, profiles)?;
    for obstacle in obstacles {
        console.note(&format!("power: {}: {}. {}", obstacle.what, obstacle.why, obstacle.remedy));
    }
    Ok(sources)
}

/// What the drivers say of each device's identity; as hashes if `redact` is set.
pub fn identities(
    args: &Args,
    devices: &[Device],
    test_bench: &TestBench,
    redact: bool,
) -> BTreeMap<u32, BTreeMap<String, String>> {
    if test_bench.machine().is_simulated() {
        // A scripted address may be that of a real board of this machine.
        return BTreeMap::new();
    }
    let mut known = power::identities(&test_bench.probe_context(devices.to_vec(), &args.power.sensor_root));
    if redact {
        known.values_mut().flat_map(BTreeMap::values_mut).for_each(|value| *value = provenance::redacted_name(value));
    }
    known
}

fn host_name(host: String, redact: bool) -> String {
    if redact { provenance::redacted_name(&host) } else { host }
}

/// A folder whose name no other task of the same second takes: by host and by Slurm's own numbers, or the process.
fn create_folder(results: &Path, test_bench: &TestBench, redact: bool) -> anyhow::Result<QualificationFolder> {
    let started = test_bench.utc_now();
    let host = host_name(provenance::host_below(Path::new("/")).hostname, redact);
    let id = match task(|name| std::env::var(name).ok()) {
        Some(task) => format!("{task}-{}", store::new_id(SEED, jiff::Timestamp::now())),
        None => store::new_id(SEED, jiff::Timestamp::now()),
    };
    QualificationFolder::create(results, started, &host, &id).map_err(|error| Failure::usage(error.to_string()).into())
}

/// Job and task of a batch system, `4711-3` or `4711-3-0`; `None` outside of one.
fn task(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let number = |name: &str| {
        variable(name).filter(|text| !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit()))
    };
    let job = number("SLURM_ARRAY_JOB_ID").or_else(|| number("SLURM_JOB_ID"))?;
    let parts = [Some(job), number("SLURM_ARRAY_TASK_ID"), number("SLURM_PROCID")];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join("-"))
}

/// SHA-256 of the program that runs, whatever lies under its name by now.
pub fn program_sha256() -> anyhow::Result<String> {
    let own = Path::new("/proc/self/exe");
    let path = if own.exists() { own.to_owned() } else { std::env::current_exe()? };
    Ok(store::digest_of(&path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_one_array_have_names_of_their_own() {
        let of = |pairs: &'static [(&str, &str)]| {
            task(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("SLURM_JOB_ID", "17")]).as_deref(), Some("17"));
        let array =
            [("SLURM_JOB_ID", "20"), ("SLURM_ARRAY_JOB_ID", "17"), ("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_PROCID", "0")];
        let array: &'static [(&str, &str)] = Box::leak(Box::new(array));
        assert_eq!(of(array).as_deref(), Some("17-3-0"));
        assert_eq!(of(&[("SLURM_JOB_ID", "../x")]), None, "a name is never made of what may hold anything");
    }
}
