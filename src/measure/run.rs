//! A whole run: device by device, case by case, saved after each.
//!
//! What surprises people: a failing case, a lost device, a dead sensor or a full disk never ends the run; each leaves a
//! reason in the record.

use super::case::{Bench, Outcome, Session};
use super::sensors;
use crate::clock::{Clock, RunClock};
use crate::gpu::{Accelerator, GpuError, Machine};
use crate::model::{
    Case, Device, IdleBaseline, Measurement, Plan, RunRecord, RunStatus, Skip, SkipReason, StopReason, Verification,
    Warning, WarningCode, Window, WindowKind,
};
use crate::power::Sampler;
use crate::stats::SplitMix64;
use crate::units::Seconds;
use crate::verify::prepare::{reason_of, skip};

/// What happens during a run, for progress displays.
pub enum Event<'a> {
    /// A device's turn begins.
    Device(&'a Device),
    /// Idle power is being recorded.
    Idle(Seconds),
    /// A case's pipeline is built and its inputs are written.
    Building {
        /// The case.
        case: &'a Case,
    },
    /// A single execution is checked.
    Verifying {
        /// The case.
        case: &'a Case,
    },
    /// The device is under load until steady.
    Preheating {
        /// The case.
        case: &'a Case,
    },
    /// A window is done.
    Window {
        /// The case.
        case: &'a Case,
        /// Its number, from 1.
        number: usize,
        /// The window.
        window: &'a Window,
    },
    /// A case is done.
    Measured(&'a Measurement),
    /// A case is left out.
    Skipped(&'a Skip),
    /// Saving failed; the run goes on and saving is tried again.
    SaveFailed(&'a str),
}

/// Receives the events of a run.
pub trait Observer {
    /// Called as things happen; must return quickly.
    fn event(&mut self, event: &Event<'_>);
}

/// What a run works with.
pub struct Setup<'a> {
    /// The devices.
    pub machine: &'a dyn Machine,
    /// The sampler, already running; `None` without power.
    pub sampler: Option<&'a Sampler>,
    /// True once the user asked to stop.
    pub interrupted: &'a dyn Fn() -> bool,
    /// Who is told.
    pub observer: &'a mut dyn Observer,
    /// Writes the record; the error is told to the observer and does not end the run.
    pub save: &'a mut dyn FnMut(&RunRecord) -> Result<(), String>,
}

/// Runs a plan into a record that already holds provenance, plan and devices.
pub fn execute(setup: &mut Setup<'_>, record: &mut RunRecord) {
    let clock = setup.machine.clock();
    let mut ordinals: Vec<u32> = record.plan.cases.iter().map(|case| case.device).collect();
    ordinals.sort_unstable();
    ordinals.dedup();
    save(setup, record);
    for ordinal in ordinals {
        run_device(setup, record, ordinal, &clock);
    }
    record.traces = setup.sampler.map(Sampler::traces).unwrap_or_default();
    let warnings = sensors::warnings(record);
    record.warnings.extend(warnings);
    record.status = if (setup.interrupted)() { RunStatus::Interrupted } else { RunStatus::Complete };
}

fn run_device(setup: &mut Setup<'_>, record: &mut RunRecord, ordinal: u32, clock: &RunClock) {
    let cases: Vec<Case> = record.plan.cases.iter().filter(|case| case.device == ordinal).cloned().collect();
    if let Some(device) = record.device(ordinal) {
        setup.observer.event(&Event::Device(device));
    }
    if (setup.interrupted)() {
        for case in &cases {
            leave_out(setup, record, skip(case, SkipReason::Interrupted, "the run was interrupted before it"));
        }
        save(setup, record);
        return;
    }
    let idle_s = record.plan.settings.idle_s;
    let cold = idle(setup, clock, idle_s, WindowKind::IdleCold);
    let mut accelerator = match setup.machine.open(ordinal) {
        Ok(accelerator) => accelerator,
        Err(error) => {
            // Idle power was recorded all the same.
            record.idle.push(IdleBaseline { device: ordinal, windows: vec![cold] });
            for case in &cases {
                leave_out(setup, record, skip(case, SkipReason::Other, format!("cannot open the device: {error}")));
            }
            save(setup, record);
            return;
        }
    };
    let context = idle(setup, clock, idle_s, WindowKind::IdleContext);
    record.idle.push(IdleBaseline { device: ordinal, windows: vec![cold, context] });
    if record.plan.settings.interleaved {
        run_interleaved(setup, record, &mut accelerator, &cases);
    } else {
        run_in_order(setup, record, &mut accelerator, &cases);
    }
    accelerator.unload();
    save(setup, record);
}

fn idle(setup: &mut Setup<'_>, clock: &RunClock, length: Seconds, kind: WindowKind) -> Window {
    setup.observer.event(&Event::Idle(length));
    let start_ns = clock.now();
    let until = start_ns.plus(length);
    // Short naps, so that Ctrl-C is heard.
    while clock.now() < until && !(setup.interrupted)() {
        let nap = clock.now().plus(Seconds::new(0.1));
        clock.sleep_until(if nap < until { nap } else { until });
    }
    Window { kind, start_ns, end_ns: clock.now(), dispatches: 0, device_busy_ns: None }
}

fn run_in_order(setup: &mut Setup<'_>, record: &mut RunRecord, accelerator: &mut Box<dyn Accelerator>, cases: &[Case]) {
    let mut broken: Option<String> = None;
    for case in cases {
        if (setup.interrupted)() {
            leave_out(setup, record, skip(case, SkipReason::Interrupted, "the run was interrupted before it"));
            continue;
        }
        if let Some(reason) = &broken {
            let detail = format!("the device could not be opened again: {reason}");
            leave_out(setup, record, skip(case, SkipReason::DeviceLost, detail));
            continue;
        }
        match attempt(setup, record, accelerator, case, false) {
            Err(Outcome::Device(error)) => {
                broken = retry(setup, record, accelerator, case, &error);
            }
            outcome => keep(setup, record, outcome),
        }
        save(setup, record);
    }
}

/// Opens the device afresh and repeats a case once with half the batch. Returns why the device is unusable, if it is.
fn retry(
    setup: &mut Setup<'_>,
    record: &mut RunRecord,
    accelerator: &mut Box<dyn Accelerator>,
    case: &Case,
    first: &GpuError,
) -> Option<String> {
    match setup.machine.open(case.device) {
        Ok(fresh) => *accelerator = fresh,
        Err(error) => {
            let detail = format!("{first}; it could not be opened again: {error}");
            leave_out(setup, record, skip(case, reason_of(first), detail));
            return Some(error.to_string());
        }
    }
    match attempt(setup, record, accelerator, case, true) {
        Ok(mut session) => {
            session.measurement.warnings.push(repeated(first));
            keep(setup, record, Ok(session));
        }
        Err(Outcome::Device(second)) => {
            let detail = format!("{first}; again with half the batch: {second}");
            leave_out(setup, record, skip(case, reason_of(&second), detail));
            match setup.machine.open(case.device) {
                Ok(fresh) => *accelerator = fresh,
                Err(error) => return Some(error.to_string()),
            }
        }
        refused => keep(setup, record, refused),
    }
    None
}

fn repeated(first: &GpuError) -> Warning {
    Warning { code: WarningCode::DeviceLost, text: format!("{first}; repeated on a fresh device with half the batch") }
}

fn attempt(
    setup: &mut Setup<'_>,
    record: &RunRecord,
    accelerator: &mut Box<dyn Accelerator>,
    case: &Case,
    halved: bool,
) -> Result<Session, Outcome> {
    let clock = setup.machine.clock();
    let plan = &record.plan;
    let mut bench = bench(setup, plan, &clock, accelerator);
    let mut session = bench.begin(case, plan.seed, halved)?;
    if session.measurement.calibration.is_some() {
        let mut gaps = random_gaps(plan, case, 0);
        bench.measure(&mut session, plan.settings.windows_max, &mut gaps)?;
    }
    Ok(session)
}

fn bench<'a>(
    setup: &'a mut Setup<'_>,
    plan: &'a Plan,
    clock: &'a RunClock,
    accelerator: &'a mut Box<dyn Accelerator>,
) -> Bench<'a> {
    Bench {
        accelerator: accelerator.as_mut(),
        sampler: setup.sampler,
        settings: &plan.settings,
        inject_error: plan.inject_error,
        clock,
        interrupted: setup.interrupted,
        observer: setup.observer,
    }
}

/// Lengths of unmeasured load before each window: uniform up to the plan's limit, from the seed, so that windows do not
/// lock onto the sensor's update period.
fn random_gaps(plan: &Plan, case: &Case, round: u32) -> impl FnMut() -> Seconds {
    let most = plan.settings.random_gap_s;
    let place = plan.cases.iter().position(|planned| planned == case).unwrap_or(0) as u64;
    let mut random = SplitMix64::new(plan.seed ^ (place << 32) ^ u64::from(round));
    move || most * (random.next_u64() as f64 / u64::MAX as f64)
}

/// Windows of all cases take turns, so that slow drifts of the room weigh on all alike.
fn run_interleaved(
    setup: &mut Setup<'_>,
    record: &mut RunRecord,
    accelerator: &mut Box<dyn Accelerator>,
    cases: &[Case],
) {
    let rounds = record.plan.settings.windows_max;
    let mut sessions: Vec<Session> = Vec::new();
    for round in 0..rounds {
        for case in cases {
            if (setup.interrupted)() {
                break;
            }
            let known = sessions.iter_mut().find(|session| session.measurement.case == *case);
            match known {
                Some(session) if session.goes_on() => later_turn(setup, record, accelerator, session),
                None if round == 0 => match first_turn(setup, record, accelerator, case) {
                    Ok(session) => sessions.push(session),
                    Err(skip) => leave_out(setup, record, skip),
                },
                _ => continue,
            }
            save_with(setup, record, &sessions);
        }
    }
    for case in cases {
        let started = sessions.iter().position(|session| session.measurement.case == *case);
        match started {
            Some(index) => {
                let mut session = sessions.remove(index);
                if session.goes_on() && (setup.interrupted)() {
                    session.measurement.stop = Some(StopReason::Interrupted);
                }
                keep(setup, record, Ok(session));
            }
            None if record.skips.iter().any(|skip| skip.case == *case) => {}
            None => leave_out(setup, record, skip(case, SkipReason::Interrupted, "the run was interrupted before it")),
        }
    }
}

/// Begins a case and measures its first window; a device that fails under it is opened again, once.
fn first_turn(
    setup: &mut Setup<'_>,
    record: &RunRecord,
    accelerator: &mut Box<dyn Accelerator>,
    case: &Case,
) -> Result<Session, Box<Skip>> {
    let first = match begin_turn(setup, record, accelerator, case, false) {
        Ok(session) => return Ok(session),
        Err(Outcome::Skipped(skip)) => return Err(skip),
        Err(Outcome::Device(error)) => error,
    };
    match setup.machine.open(case.device) {
        Ok(fresh) => *accelerator = fresh,
        Err(error) => {
            let detail = format!("{first}; it could not be opened again: {error}");
            return Err(skip(case, reason_of(&first), detail));
        }
    }
    match begin_turn(setup, record, accelerator, case, true) {
        Ok(mut session) => {
            session.measurement.warnings.push(repeated(&first));
            Ok(session)
        }
        Err(Outcome::Skipped(skip)) => Err(skip),
        Err(Outcome::Device(second)) => {
            reopen(setup, accelerator, case);
            Err(skip(case, reason_of(&second), format!("{first}; again with half the batch: {second}")))
        }
    }
}

fn begin_turn(
    setup: &mut Setup<'_>,
    record: &RunRecord,
    accelerator: &mut Box<dyn Accelerator>,
    case: &Case,
    halved: bool,
) -> Result<Session, Outcome> {
    let clock = setup.machine.clock();
    let plan = &record.plan;
    let mut bench = bench(setup, plan, &clock, accelerator);
    let mut session = bench.begin(case, plan.seed, halved)?;
    if session.measurement.calibration.is_some() {
        bench.measure(&mut session, 1, &mut random_gaps(plan, case, 0))?;
    }
    Ok(session)
}

/// Loads a case again and measures one more window. If the device fails, what was measured stays.
fn later_turn(
    setup: &mut Setup<'_>,
    record: &RunRecord,
    accelerator: &mut Box<dyn Accelerator>,
    session: &mut Session,
) {
    let clock = setup.machine.clock();
    let plan = &record.plan;
    let case = session.measurement.case.clone();
    let mut gaps = random_gaps(plan, &case, session.windows_measured());
    let mut bench = bench(setup, plan, &clock, accelerator);
    let turn = bench.resume(session).and_then(|()| bench.measure(session, 1, &mut gaps));
    match turn {
        Ok(()) => {}
        Err(Outcome::Skipped(skip)) => session.lose(&skip.detail),
        Err(Outcome::Device(error)) => {
            session.lose(&error.to_string());
            reopen(setup, accelerator, &case);
        }
    }
}

/// Takes a fresh device in place of a failed one. If there is none, the failed one answers every later case with its error.
fn reopen(setup: &mut Setup<'_>, accelerator: &mut Box<dyn Accelerator>, case: &Case) {
    if let Ok(fresh) = setup.machine.open(case.device) {
        *accelerator = fresh;
    }
}

/// Saves the record together with the cases that are not finished yet.
fn save_with(setup: &mut Setup<'_>, record: &mut RunRecord, sessions: &[Session]) {
    let finished = record.measurements.len();
    record.measurements.extend(sessions.iter().map(|session| session.measurement.clone()));
    save(setup, record);
    record.measurements.truncate(finished);
}

fn keep(setup: &mut Setup<'_>, record: &mut RunRecord, outcome: Result<Session, Outcome>) {
    match outcome {
        Ok(session) => {
            let measurement = session.measurement;
            let empty = measurement.measured().next().is_none();
            if empty && measurement.stop == Some(StopReason::Interrupted) {
                let case = measurement.case;
                leave_out(
                    setup,
                    record,
                    skip(&case, SkipReason::Interrupted, "interrupted before its first window ended"),
                );
                return;
            }
            setup.observer.event(&Event::Measured(&measurement));
            record.measurements.push(measurement);
        }
        Err(Outcome::Skipped(skip)) => leave_out(setup, record, skip),
        Err(Outcome::Device(error)) => {
            record.warnings.push(Warning { code: WarningCode::DeviceLost, text: error.to_string() });
        }
    }
}

fn leave_out(setup: &mut Setup<'_>, record: &mut RunRecord, skip: Box<Skip>) {
    setup.observer.event(&Event::Skipped(&skip));
    record.skips.push(*skip);
}

fn save(setup: &mut Setup<'_>, record: &mut RunRecord) {
    record.traces = setup.sampler.map(Sampler::traces).unwrap_or_default();
    if let Err(reason) = (setup.save)(record) {
        setup.observer.event(&Event::SaveFailed(&reason));
    }
}

/// Errors that were made on purpose: how many were caught, and how many there were.
pub fn injected_errors(record: &RunRecord) -> (usize, usize) {
    let injected = || record.measurements.iter().filter_map(|measurement| measurement.injected.as_ref());
    (injected().filter(|error| error.caught).count(), injected().count())
}

/// True if every measured case passed its checks.
pub fn all_verified(record: &RunRecord) -> bool {
    record.measurements.iter().all(|m| matches!(m.verification, Verification::Passed { .. }))
}
