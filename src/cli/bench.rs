//! The test bench of a run: the machine's devices or a simulation, its clock, and its power sources.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::profiles::ProfileArgs;
use crate::cli::resolve::Resolved;
use crate::cli::simulate::Simulation;
use crate::cli::{Console, sensors};
use crate::clock::{Activity, Clock, SimulatedClock, WallClock};
use crate::gpu::{Machine, WgpuMachine};
use crate::model::{Device, Plan, RECORD_SCHEMA, RunRecord, RunStatus, SCHEMA_VERSION};
use crate::power::{Findings, ProbeContext};
use crate::provenance;
use crate::store::{self, RunFolder};

/// UTC time at which every simulated run begins, so that its record is the same each time.
const SIMULATED_START: &str = "2026-01-01T00:00:00Z";

/// Where kernels run.
pub struct TestBench {
    machine: Box<dyn Machine>,
    simulation: Option<Simulation>,
    activity: Activity,
    /// UTC time at which the run's clock read zero.
    origin: jiff::Timestamp,
}

impl TestBench {
    /// The machine's own devices, or those of a script.
    pub fn open(script: Option<&Path>) -> anyhow::Result<Self> {
        let activity = Activity::default();
        let Some(script) = script else {
            let origin = jiff::Timestamp::now();
            let machine = Box::new(WgpuMachine::discover(WallClock::start()));
            return Ok(Self { machine, simulation: None, activity, origin });
        };
        let simulation = Simulation::load(script)?;
        let machine = simulation.machine(SimulatedClock::new(), activity.clone());
        let origin = SIMULATED_START.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Ok(Self { machine: Box::new(machine), simulation: Some(simulation), activity, origin })
    }

    /// Its devices and clock.
    pub fn machine(&self) -> &dyn Machine {
        self.machine.as_ref()
    }

    /// UTC time at which the run's clock read zero: where the nanoseconds of a record count from. Scripted in a simulation.
    pub fn utc_origin(&self) -> jiff::Timestamp {
        self.origin
    }

    /// The time now in UTC by the run's own clock, so that a system clock that is set in mid-run changes no record.
    pub fn utc_now(&self) -> jiff::Timestamp {
        let elapsed = jiff::SignedDuration::from_nanos(i64::try_from(self.machine.clock().now().0).unwrap_or(i64::MAX));
        self.origin.checked_add(elapsed).unwrap_or(self.origin)
    }

    /// The script, if devices and sensors are scripted.
    pub fn simulation(&self) -> Option<&Simulation> {
        self.simulation.as_ref()
    }

    /// What probes may look at, for these devices.
    pub fn probe_context(&self, devices: Vec<Device>, root: &Path) -> ProbeContext {
        ProbeContext {
            root: root.to_owned(),
            devices,
            assume_watts: None,
            argument: None,
            clock: self.machine.clock(),
            activity: self.simulation.is_some().then(|| self.activity.clone()),
        }
    }
}

/// An instant as RFC 3339 text in UTC, to the millisecond.
pub fn rfc3339(instant: jiff::Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Opens the power sources that the plan asks for; see [`sensors::open_known`].
pub fn open_power(
    resolved: &Resolved,
    bench: &TestBench,
    root: &Path,
    profiles: &ProfileArgs,
) -> anyhow::Result<Findings> {
    sensors::open_known(&resolved.plan.power, &resolved.devices, bench, root, profiles)
}

/// The record of what begins now: where it comes from and what it is going to do, and nothing measured yet.
pub fn new_record(plan: Plan, devices: Vec<Device>, bench: &TestBench, folder: &RunFolder) -> RunRecord {
    record_of(plan, devices, bench, folder.run_id())
}

/// The same under an identifier.
pub fn record_of(plan: Plan, devices: Vec<Device>, bench: &TestBench, run_id: &str) -> RunRecord {
    RunRecord {
        schema: RECORD_SCHEMA.to_owned(),
        version: SCHEMA_VERSION,
        run_id: run_id.to_owned(),
        started: rfc3339(bench.utc_origin()),
        ended: None,
        simulated: bench.machine().is_simulated(),
        status: RunStatus::Running,
        // Arguments that are no text are kept as far as they can be read.
        provenance: provenance::collect(std::env::args_os().map(|part| part.to_string_lossy().into_owned()).collect()),
        plan,
        devices,
        idle: Vec::new(),
        measurements: Vec::new(),
        skips: Vec::new(),
        tunings: Vec::new(),
        links: Vec::new(),
        commands: Vec::new(),
        calibrations: Vec::new(),
        traces: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Saves the final record; when its folder cannot take it (a full disk), in the folder for temporary files instead.
pub fn save_somewhere(folder: &RunFolder, record: &RunRecord, console: &Console) -> anyhow::Result<PathBuf> {
    let Err(error) = folder.save(record) else { return Ok(folder.record_path()) };
    let aside = std::env::temp_dir();
    console.note(&format!("wattmark: {error}"));
    let now = jiff::Timestamp::now();
    let id = store::new_id(record.plan.seed, now);
    let refuge = RunFolder::create(&aside, now, &record.provenance.host.hostname, &id)
        .and_then(|folder| match folder.save(record) {
            Ok(()) => Ok(folder.record_path()),
            Err(error) => {
                // An empty folder helps nobody; that it cannot be removed adds nothing to the error.
                let _ = std::fs::remove_dir(folder.path());
                Err(error)
            }
        })
        .with_context(|| {
            format!(
                "the record could be saved neither in {} nor in {}; the last save in the former holds what was measured \
                 before the disk filled up",
                folder.record_path().display(),
                aside.display()
            )
        })?;
    anyhow::bail!(
        "the record could not be saved in {} ({error}); it lies complete in {} instead. Free some space and move it",
        folder.record_path().display(),
        refuge.display()
    )
}
