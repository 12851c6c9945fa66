//! The load of a sensor calibration: a verified kernel that is switched on and off at fixed periods.
//!
//! Only the load and its true times live here; what the sensors made of it is found in [`super::result::calibration`]. What
//! surprises people: a phase begins and ends when the device says so, not when the host asked. The end of the load is the
//! completion of its last submission, its beginning that of the first one less the time that this took.

use std::collections::VecDeque;

use super::case::{Bench, Outcome, Session};
use super::plan::{case, class_of};
use super::run::{Event, Observer};
use super::stream::Stream;
use super::{presets, sensors, suite};
use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::gpu::{Accelerator, GpuError, Job, Machine, Ticket};
use crate::model::{
    Case, DataPattern, Device, ElementType, IdleBaseline, LoadPhase, Preset, RunRecord, RunStatus, SensorCalibration,
    Settings, SquareWave, Verification, Window, WindowKind,
};
use crate::power::Sampler;
use crate::power::characterise::PlannedWave;
use crate::units::Seconds;
use crate::workload;

/// Submissions in flight while the load is on: with two, the device never waits for the host.
const IN_FLIGHT: u32 = 2;
/// Submissions that fit at least into the shortest phase, so that its edges lie where they were meant to.
const SUBMISSIONS_PER_PHASE: f64 = 10.0;
/// Longest and shortest aim for a submission: above it the edges suffer, below it the host cannot keep up.
const SUBMISSION: (Seconds, Seconds) = (Seconds::new(0.000_5), Seconds::new(0.005));
/// Edges of the square matrices that are tried; the largest whose product is no longer than a submission is taken.
const EDGES: [u64; 7] = [64, 128, 256, 512, 1024, 2048, 4096];
/// Where the search among [`EDGES`] begins.
const FIRST_EDGE: usize = 2;
/// Operations of a product grow by this much from one edge to the next.
const GROWTH: f64 = 8.0;
/// Longest time without a look at Ctrl-C.
const NAP: Seconds = Seconds::new(0.05);
/// Outputs compared with the float64 reference before and after the load, as in every run.
const VERIFY_SAMPLES: u32 = 256;

/// Name of the device detail that says what a calibration loaded the device with.
pub const LOAD_DETAIL: &str = "calibration_load";

/// What is driven, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Protocol {
    /// Load before the first wave, so that the board is warm.
    pub preheat: Seconds,
    /// Time without load: with the device open before the preheat, between it and the first wave, and after the last.
    pub rest: Seconds,
    /// The waves.
    pub waves: Vec<PlannedWave>,
    /// Seed of the kernel's inputs.
    pub seed: u64,
}

impl Protocol {
    /// How long it takes, without building and checking the kernel.
    pub fn duration(&self) -> Seconds {
        self.preheat + self.rest * 3.0 + self.waves.iter().map(PlannedWave::duration).sum()
    }

    /// Aimed length of one submission.
    pub fn submission(&self) -> Seconds {
        let phases = self.waves.iter().flat_map(|wave| &wave.phases_s);
        let shortest = phases.map(|phase| phase.get()).fold(f64::INFINITY, f64::min);
        Seconds::new((shortest / SUBMISSIONS_PER_PHASE).clamp(SUBMISSION.0.get(), SUBMISSION.1.get()))
    }
}

/// What a calibration works with.
pub struct Setup<'a> {
    /// The devices.
    pub machine: &'a dyn Machine,
    /// The sampler, already running.
    pub sampler: &'a Sampler,
    /// True once the user asked to stop.
    pub interrupted: &'a dyn Fn() -> bool,
    /// Told what is going on, a line each.
    pub say: &'a mut dyn FnMut(&str),
    /// Writes the record; a failure is told and does not end the calibration.
    pub save: &'a mut dyn FnMut(&RunRecord) -> Result<(), String>,
}

/// Why a device could not be driven, or not to the end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalibrateError {
    /// The device refused or was lost.
    #[error(transparent)]
    Device(#[from] GpuError),
    /// No kernel for the load runs there.
    #[error("no kernel can load {device}: {reason}")]
    NoKernel {
        /// The device's name.
        device: String,
        /// Why the last one tried cannot.
        reason: String,
    },
    /// The load computed wrong results.
    #[error("{kernel} gave wrong outputs on {device} {when}: {detail}; its load cannot be trusted")]
    WrongOutput {
        /// The device's name.
        device: String,
        /// The kernel.
        kernel: String,
        /// Before or after the load.
        when: String,
        /// What was wrong.
        detail: String,
    },
}

/// Drives the devices one after another and writes into the record what was driven, what the sensors said, and how it
/// ended. The error is that of the last device that failed; its waves until then stand in the record.
pub fn execute(
    setup: &mut Setup<'_>,
    record: &mut RunRecord,
    devices: &[Device],
    protocol: &Protocol,
) -> Result<(), CalibrateError> {
    save(setup, record);
    let mut outcome = Ok(());
    for device in devices {
        if (setup.interrupted)() {
            break;
        }
        if let Err(error) = drive(setup, record, device, protocol) {
            outcome = Err(error);
        }
        save(setup, record);
    }
    record.traces = setup.sampler.traces();
    let warnings = sensors::warnings(record);
    record.warnings.extend(warnings);
    record.status = match &outcome {
        _ if (setup.interrupted)() => RunStatus::Interrupted,
        Ok(()) => RunStatus::Complete,
        Err(error) => RunStatus::Failed { reason: error.to_string() },
    };
    outcome
}

fn save(setup: &mut Setup<'_>, record: &mut RunRecord) {
    record.traces = setup.sampler.traces();
    if let Err(reason) = (setup.save)(record) {
        (setup.say)(&format!("the record could not be saved ({reason}); saving is tried again"));
    }
}

/// Drives one device through all waves.
fn drive(
    setup: &mut Setup<'_>,
    record: &mut RunRecord,
    device: &Device,
    protocol: &Protocol,
) -> Result<(), CalibrateError> {
    let clock = setup.machine.clock();
    let mut accelerator = setup.machine.open(device.ordinal)?;
    (setup.say)(&format!("calibrating on device {} {}: building and checking the load", device.ordinal, device.name));
    let (session, batch) = prepare(setup, &clock, accelerator.as_mut(), protocol)?;
    let mut load = Load { accelerator: accelerator.as_mut(), clock: clock.clone(), batch, each: protocol.submission() };
    let idle = rest(&clock, protocol.rest, setup.interrupted);
    record.idle.push(IdleBaseline { device: device.ordinal, windows: vec![idle] });
    let unchecked = format!("{}, {batch} per submission; outputs right before", session.measurement.case.label());
    note(record, device, unchecked);
    (setup.say)(&format!("warming up for {} s with {}", protocol.preheat.get(), session.measurement.case.label()));
    load.warm(protocol.preheat, setup.interrupted)?;
    record.calibrations.push(SensorCalibration { device: device.ordinal, waves: Vec::new() });
    // No part of the waves: a slow sensor still sees the end of the preheat.
    rest(&clock, protocol.rest, setup.interrupted);
    let count = protocol.waves.len();
    for (number, wave) in (1..).zip(&protocol.waves) {
        if (setup.interrupted)() {
            break;
        }
        (setup.say)(&format!(
            "wave {number} of {count}: {} periods of about {} s",
            wave.phases_s.len() / 2,
            wave.period_s.get()
        ));
        let mut driven = SquareWave { period_s: wave.period_s, phases: Vec::new() };
        let outcome = load.wave(wave, &mut driven.phases, setup.interrupted);
        if let Some(calibration) = record.calibrations.last_mut() {
            calibration.waves.push(driven);
        }
        outcome?;
        save(setup, record);
    }
    settle(record, &clock, protocol.rest, setup.interrupted);
    let verdict = session.checks.look(accelerator.as_mut())?;
    accelerator.unload();
    let case = &session.measurement.case;
    let check = verdict.map_err(|detail| wrong(device, case, "after the load", detail))?;
    let outputs = format!("{} outputs right before and after, every output word written", check.sampled);
    note(record, device, format!("{}, {batch} per submission; {outputs}", case.label()));
    Ok(())
}

/// Writes down what loaded a device, with the details of the device.
fn note(record: &mut RunRecord, device: &Device, load: String) {
    let details = record.provenance.device_details.entry(device.ordinal).or_default();
    details.insert(LOAD_DETAIL.to_owned(), load);
}

/// A last time without load, so that slow sensors are seen to follow; the last phase lasts until its end.
fn settle(record: &mut RunRecord, clock: &RunClock, length: Seconds, interrupted: &dyn Fn() -> bool) {
    let end = rest(clock, length, interrupted).end_ns;
    let waves = record.calibrations.last_mut().map(|calibration| &mut calibration.waves);
    let last = waves.and_then(|waves| waves.last_mut()?.phases.last_mut());
    if let Some(phase) = last.filter(|phase| !phase.on) {
        phase.until_ns = end;
    }
}

/// Waits without load, in short naps so that Ctrl-C is heard.
fn rest(clock: &RunClock, length: Seconds, interrupted: &dyn Fn() -> bool) -> Window {
    let start_ns = clock.now();
    nap_until(clock, start_ns.plus(length), interrupted);
    Window { kind: WindowKind::IdleContext, start_ns, end_ns: clock.now(), dispatches: 0, device_busy_ns: None }
}

fn nap_until(clock: &RunClock, until: Nanoseconds, interrupted: &dyn Fn() -> bool) {
    while clock.now() < until && !interrupted() {
        let nap = clock.now().plus(NAP);
        clock.sleep_until(if nap < until { nap } else { until });
    }
}

/// Who is told of a case's steps: nobody.
struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event<'_>) {}
}

/// Settings of the load; those of the protocol that do not matter here are those of `quick`.
pub fn settings(protocol: &Protocol, sampler_hz: f64) -> Settings {
    Settings {
        submission_s: protocol.submission(),
        in_flight: IN_FLIGHT,
        verify_samples: VERIFY_SAMPLES,
        preheat_min_s: protocol.preheat,
        preheat_max_s: protocol.preheat,
        idle_s: protocol.rest,
        sampler_hz,
        ..presets::settings(Preset::Quick)
    }
}

/// Loads and verifies the kernel of the load: the largest product of matrices that is no longer than a submission, else a
/// chain of multiply-adds. Returns it with the executions of one submission.
fn prepare(
    setup: &Setup<'_>,
    clock: &RunClock,
    accelerator: &mut dyn Accelerator,
    protocol: &Protocol,
) -> Result<(Session, u32), CalibrateError> {
    let device = accelerator.device().clone();
    let settings = settings(protocol, 0.0);
    let aim = settings.submission_s.get();
    let mut begin = |case: &Case| {
        let (sampler, interrupted) = (None, setup.interrupted);
        let observer = &mut Silent;
        let mut bench = Bench {
            accelerator: &mut *accelerator,
            sampler,
            settings: &settings,
            inject_error: false,
            clock,
            interrupted,
            observer,
        };
        bench.begin(case, protocol.seed, false)
    };
    let (mut index, mut shrunk) = (FIRST_EDGE, false);
    let mut refused = "there is no such kernel".to_owned();
    while let Some(case) = product(&device, EDGES[index], protocol.seed) {
        let session = match begin(&case) {
            Ok(session) => session,
            Err(Outcome::Device(error)) => return Err((*error).into()),
            // A smaller one may fit.
            Err(Outcome::Skipped(_)) if index > 0 => {
                (index, shrunk) = (index - 1, true);
                continue;
            }
            Err(Outcome::Skipped(skip)) => {
                refused = skip.detail;
                break;
            }
        };
        let time = checked(&device, &session)?;
        let larger = ((aim / time).ln() / GROWTH.ln()).floor().max(0.0) as usize;
        let wanted = if time > aim { index.saturating_sub(1) } else { (index + larger).min(EDGES.len() - 1) };
        if wanted == index || (shrunk && wanted > index) {
            let batch = session.measurement.calibration.as_ref().map_or(1, |found| found.dispatches_per_submission);
            return Ok((session, batch));
        }
        shrunk |= wanted < index;
        index = wanted;
    }
    let chain = chain(&device, protocol.seed);
    let Some(case) = chain else { return Err(CalibrateError::NoKernel { device: device.name, reason: refused }) };
    match begin(&case) {
        Ok(session) => {
            checked(&device, &session)?;
            let batch = session.measurement.calibration.as_ref().map_or(1, |found| found.dispatches_per_submission);
            Ok((session, batch))
        }
        Err(Outcome::Device(error)) => Err((*error).into()),
        Err(Outcome::Skipped(skip)) => Err(CalibrateError::NoKernel { device: device.name, reason: skip.detail }),
    }
}

/// Time of one execution of a verified kernel in seconds.
fn checked(device: &Device, session: &Session) -> Result<f64, CalibrateError> {
    let measurement = &session.measurement;
    match (&measurement.calibration, &measurement.verification) {
        (Some(calibration), _) => Ok(calibration.per_dispatch_s.get().max(f64::MIN_POSITIVE)),
        (None, Verification::Failed { detail, when }) => Err(wrong(device, &measurement.case, when, detail.clone())),
        (None, Verification::Passed { .. }) => Err(wrong(device, &measurement.case, "before the load", String::new())),
    }
}

fn wrong(device: &Device, case: &Case, when: &str, detail: String) -> CalibrateError {
    CalibrateError::WrongOutput { device: device.name.clone(), kernel: case.label(), when: when.to_owned(), detail }
}

fn product(device: &Device, edge: u64, seed: u64) -> Option<Case> {
    let problem = workload::problem("gemm")?;
    let mut shape = problem.default_shape_for(class_of(device), ElementType::F32);
    ["m", "n", "k"].iter().for_each(|axis| shape.set(axis, edge));
    let variant = suite::preferred(device, problem.id(), ElementType::F32, &shape, None)?;
    Some(case(device, problem, variant, shape, DataPattern::Normal, seed))
}

fn chain(device: &Device, seed: u64) -> Option<Case> {
    let problem = workload::problem("fma")?;
    let shape = problem.default_shape_for(class_of(device), ElementType::F32);
    let variant = suite::preferred(device, problem.id(), ElementType::F32, &shape, None)?;
    Some(case(device, problem, variant, shape, DataPattern::Normal, seed))
}

/// The loaded kernel as a switch.
struct Load<'a> {
    accelerator: &'a mut dyn Accelerator,
    clock: RunClock,
    /// Executions of one submission.
    batch: u32,
    /// Time of the last submission.
    each: Seconds,
}

impl Load<'_> {
    fn warm(&mut self, length: Seconds, interrupted: &dyn Fn() -> bool) -> Result<(), GpuError> {
        if length.get() == 0.0 {
            return Ok(());
        }
        let mut stream = Stream::new(self.accelerator, self.clock.clone(), self.batch, IN_FLIGHT);
        let mut submissions = 0.0;
        let window = stream.load_until(|_, elapsed| {
            submissions += 1.0;
            elapsed.get() >= length.get() || interrupted()
        })?;
        stream.drain()?;
        self.each = window.duration() / f64::max(submissions, 1.0);
        Ok(())
    }

    /// Drives one wave; the last phase ends with it, also where the device fails in the next.
    fn wave(
        &mut self,
        wave: &PlannedWave,
        phases: &mut Vec<LoadPhase>,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(), GpuError> {
        let outcome = self.switch(wave, phases, interrupted);
        let now = self.clock.now();
        if let Some(last) = phases.last_mut() {
            last.until_ns = now.max(last.until_ns);
        }
        phases.retain(|phase| phase.until_ns > phase.from_ns);
        outcome
    }

    fn switch(
        &mut self,
        wave: &PlannedWave,
        phases: &mut Vec<LoadPhase>,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(), GpuError> {
        let mut edge = self.clock.now();
        for (index, length) in wave.phases_s.iter().enumerate() {
            edge = edge.plus(*length);
            if interrupted() {
                break;
            }
            if index % 2 == 1 {
                nap_until(&self.clock, edge, interrupted);
                continue;
            }
            let on = self.on_until(edge, interrupted)?;
            if on.until_ns <= on.from_ns {
                break;
            }
            if let Some(before) = phases.last_mut() {
                before.until_ns = on.from_ns;
            }
            let off = LoadPhase { from_ns: on.until_ns, until_ns: on.until_ns, on: false };
            phases.extend([on, off]);
        }
        Ok(())
    }

    /// Keeps the device busy until about an instant, and waits until it is not.
    fn on_until(&mut self, until: Nanoseconds, interrupted: &dyn Fn() -> bool) -> Result<LoadPhase, GpuError> {
        let asked = self.clock.now();
        let mut pending: VecDeque<Ticket> = VecDeque::new();
        let (mut from, mut last) = (None, asked);
        loop {
            while pending.len() < IN_FLIGHT as usize && !interrupted() {
                // What is in flight ends then; one more must not end later than half of itself after the instant.
                let end = last.plus(self.each * (pending.len() as f64 + 0.5));
                let begun = from.is_some() || !pending.is_empty();
                if begun && end >= until {
                    break;
                }
                pending.push_back(self.accelerator.submit(&Job::Run { dispatches: self.batch })?);
            }
            let Some(ticket) = pending.pop_front() else { break };
            let done = self.accelerator.wait(ticket)?;
            match from {
                None => {
                    let took = done.device_ns.unwrap_or_else(|| done.done_ns.0.saturating_sub(asked.0));
                    let begun = Nanoseconds(done.done_ns.0.saturating_sub(took)).max(asked);
                    self.each = done.done_ns.since(begun);
                    from = Some(begun);
                }
                Some(_) => self.each = done.done_ns.since(last),
            }
            last = done.done_ns;
        }
        Ok(LoadPhase { from_ns: from.unwrap_or(asked), until_ns: last, on: true })
    }
}
