//! One case on one open device: load, fill, verify, calibrate, preheat, windows, verify again.

use super::checks::Checks;
use super::preheat::{note_steadiness, preheat};
use super::presets::{self, AVERAGES_PER_WINDOW, UPDATES_PER_WINDOW};
use super::run::{Event, Observer};
use super::stream::Stream;
use super::{checks, phase, result, stop};
use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::gpu::{Accelerator, GpuError, Job, Program};
use crate::model::{
    Calibration, Case, Device, Measurement, Settings, Skip, SkipReason, SourceTrace, StopReason, Timing, TimingMethod,
    Verification, Warning, WarningCode, Window,
};
use crate::power::{self, Sampler};
use crate::units::Seconds;
use crate::verify::prepare::{self, program_of, reason_of, skip};
use crate::workload::Instance;

/// Most executions in one submission; beyond it the encoding time of the command buffer itself grows.
const MAX_BATCH: u32 = 4096;
/// Longest dispatch that no watchdog and no desktop minds, with room to spare.
const LONGEST_DISPATCH: Seconds = Seconds::new(0.05);
/// Wall clock and device clock that differ by more than this over the measured windows are reported.
const CLOCK_DISAGREEMENT: f64 = 0.02;

/// Longest load after a last window under `quick`: an update of most boards' sensors.
const QUICK_TAIL: Seconds = Seconds::new(0.1);

/// Why a case has no measurement.
pub enum Outcome {
    /// It cannot run; the reason goes into the record.
    Skipped(Box<Skip>),
    /// The device failed under it.
    Device(Box<GpuError>),
}

impl From<GpuError> for Outcome {
    fn from(error: GpuError) -> Self {
        Self::Device(Box::new(error))
    }
}

/// What a case needs from the run around it.
pub struct Bench<'a> {
    /// The open device.
    pub accelerator: &'a mut dyn Accelerator,
    /// The power sampler; `None` without power.
    pub sampler: Option<&'a Sampler>,
    /// The settings.
    pub settings: &'a Settings,
    /// True if an error is to be made in the output that each case's last window left.
    pub inject_error: bool,
    /// The run's clock.
    pub clock: &'a RunClock,
    /// True once the user asked to stop.
    pub interrupted: &'a dyn Fn() -> bool,
    /// Who is told.
    pub observer: &'a mut dyn Observer,
}

/// A case that has been verified and calibrated, and its measurement so far.
pub struct Session {
    case: Case,
    pub(super) instance: Instance,
    pub(super) program: Program,
    pub(super) calibration: Calibration,
    /// What was measured so far.
    pub measurement: Measurement,
    yields: Vec<Yield>,
    window_time: Seconds,
    pub(super) checks: Checks,
    losses: u32,
}

/// What a window yielded.
struct Yield {
    /// Work per joule; `None` without a reading.
    per_joule: Option<f64>,
    /// Executions per second.
    per_second: f64,
}

/// One value per window for the stop rule: work per joule where every window has it, else executions per second. The
/// two are never mixed, so that a sensor that vanishes half-way does not look like scatter.
fn efficiencies(yields: &[Yield]) -> Vec<f64> {
    let per_joule: Option<Vec<f64>> = yields.iter().map(|window| window.per_joule).collect();
    per_joule.unwrap_or_else(|| yields.iter().map(|window| window.per_second).collect())
}

impl Session {
    /// Windows measured so far.
    pub fn windows_measured(&self) -> u32 {
        u32::try_from(self.yields.len()).unwrap_or(u32::MAX)
    }

    /// True if another window may be measured: right so far, not stopped, and its device lost at most once.
    pub fn goes_on(&self) -> bool {
        self.measurement.verified() && self.measurement.stop.is_none() && self.losses < 2
    }

    /// Notes that the device failed in a later turn. After the first time the submissions are half as long; after the
    /// second no more windows are measured. What was measured stays.
    pub fn lose(&mut self, detail: &str) {
        self.losses += 1;
        let half = (self.calibration.dispatches_per_submission / 2).max(1);
        self.calibration.dispatches_per_submission = half;
        let consequence = if self.losses < 2 {
            "its later windows were measured with half the batch"
        } else {
            "its later windows are missing"
        };
        let text = format!("{detail}; {consequence}");
        self.measurement.warnings.push(Warning { code: WarningCode::DeviceLost, text });
    }
}

/// Sorts a device's refusal of a case from a failure of the device.
pub(super) fn refuse(case: &Case, error: GpuError) -> Outcome {
    match reason_of(&error) {
        SkipReason::DeviceLost | SkipReason::Other => Outcome::Device(Box::new(error)),
        reason => Outcome::Skipped(skip(case, reason, error.to_string())),
    }
}

impl Bench<'_> {
    fn device(&self) -> Device {
        self.accelerator.device().clone()
    }

    /// Loads, verifies and calibrates a case. `halved` makes the submissions half as long, after a lost device.
    pub fn begin(&mut self, case: &Case, seed: u64, halved: bool) -> Result<Session, Outcome> {
        let (instance, program) = program_of(case, self.accelerator.device()).map_err(Outcome::Skipped)?;
        self.observer.event(&Event::Building { case });
        let checks = Checks::of(case, &instance, self.settings.verify_samples, seed)?;
        let twin = checks.trusted(self.accelerator, case, &instance)?;
        self.accelerator.load(&program).map_err(|error| refuse(case, error))?;
        prepare::write_inputs(self.accelerator, case, &instance).map_err(|error| refuse(case, error))?;
        let checks = checks.complete(self.accelerator, &instance, twin);
        let mut session = Session {
            case: case.clone(),
            instance,
            program,
            calibration: Calibration {
                per_dispatch_s: Seconds::new(0.0),
                dispatches_per_submission: 1,
                in_flight: self.settings.in_flight,
            },
            measurement: Measurement {
                case: case.clone(),
                verification: Verification::Failed { detail: "not reached".into(), when: "before the load".into() },
                calibration: None,
                timing: None,
                steadiness: None,
                windows: Vec::new(),
                stop: None,
                warnings: checks.warnings(case),
                injected: None,
                sustained: None,
            },
            yields: Vec::new(),
            losses: u32::from(halved),
            window_time: Seconds::new(0.0),
            checks,
        };
        self.observer.event(&Event::Verifying { case });
        if self.verify_before(&mut session)? {
            self.calibrate(&mut session, halved)?;
        }
        Ok(session)
    }

    /// Loads a case again that has had its turn before (interleaved runs).
    pub fn resume(&mut self, session: &Session) -> Result<(), Outcome> {
        self.accelerator.load(&session.program).map_err(|error| refuse(&session.case, error))?;
        prepare::write_inputs(self.accelerator, &session.case, &session.instance)
            .map_err(|error| refuse(&session.case, error))
    }

    /// Finds how many executions fill a submission: batches grow until one lasts a tenth of the aim.
    pub(super) fn calibrate(&mut self, session: &mut Session, halved: bool) -> Result<(), Outcome> {
        let aim = self.submission(halved);
        let mut dispatches = 1;
        let per_dispatch = loop {
            let start = self.clock.now();
            let ticket = self.accelerator.submit(&Job::Run { dispatches })?;
            let done = self.accelerator.wait(ticket)?;
            let time = calibrated_time(done.device_ns, done.done_ns.since(start), aim);
            if time.get() >= aim.get() / 10.0 || dispatches >= MAX_BATCH {
                break time / f64::from(dispatches);
            }
            dispatches = (dispatches * 4).min(MAX_BATCH);
        };
        let batch = (aim / per_dispatch).floor().clamp(1.0, f64::from(MAX_BATCH)) as u32;
        session.calibration.per_dispatch_s = per_dispatch;
        session.calibration.dispatches_per_submission = batch;
        session.measurement.calibration = Some(session.calibration.clone());
        let each = per_dispatch / session.program.stages.len().max(1) as f64;
        session.measurement.warnings.extend(long_dispatch(self.accelerator.device(), each));
        Ok(())
    }

    /// Length of a submission that is aimed at: the settings', moved off the beat of a part-time sensor.
    fn submission(&self, halved: bool) -> Seconds {
        let aim = self.settings.submission_s * if halved { 0.5 } else { 1.0 };
        let traces = self.sampler.map(|s| s.traces_since(self.clock.now())).unwrap_or_default();
        power::part_time_look(&traces, self.accelerator.device()).map_or(aim, |sensor| phase::off_beat(sensor, aim))
    }

    /// Preheats, then measures up to `at_most` windows; the stop rule may end it sooner.
    pub fn measure(
        &mut self,
        session: &mut Session,
        at_most: u32,
        gap: &mut dyn FnMut() -> Seconds,
    ) -> Result<(), Outcome> {
        let (length, warning) = self.window_length(session);
        if let Some(warning) = warning.filter(|_| session.yields.is_empty()) {
            session.measurement.warnings.push(warning);
        }
        let device = self.device();
        let calibration = session.calibration.clone();
        let traces = self.sampler.map(|s| s.traces_since(self.clock.now())).unwrap_or_default();
        let part_time = power::part_time_look(&traces, &device);
        // `quick` has no time to wait for slow sensors; their windows are marked as too short anyway.
        let settling = power::settling_time(&traces, &device);
        let tail = if presets::wants_steadiness(self.settings) { settling } else { settling.min_of(QUICK_TAIL) };
        let mut stream = Stream::new(
            self.accelerator,
            self.clock.clone(),
            calibration.dispatches_per_submission,
            calibration.in_flight,
        );
        self.observer.event(&Event::Preheating { case: &session.case });
        let (preheat, steadiness) = preheat(&mut stream, self.settings, self.sampler, &device, self.interrupted)?;
        session.measurement.windows.push(preheat);
        note_steadiness(&mut session.measurement, steadiness);
        let ranges = session.checks.probe.ranges();
        for taken in 1..=at_most {
            let pause = gap();
            if pause.get() > 0.0 {
                stream.load_until(|_, elapsed| elapsed.get() >= pause.get() || (self.interrupted)())?;
            }
            if let Some(sensor) = part_time {
                let nth = session.yields.len();
                stream.rest(phase::shift(sensor, nth))?;
                stream.load_until(|_, elapsed| elapsed.get() >= sensor.update_s.get() || (self.interrupted)())?;
            }
            // The load outlasts the window, so that a sensor reading that spans its end is not half idle.
            let follow = taken < at_most || tail.get() > 0.0;
            let Some(cut) = stream.window(length, &ranges, follow, || (self.interrupted)())? else {
                session.measurement.stop = Some(StopReason::Interrupted);
                break;
            };
            let number = session.yields.len() + 1;
            if let Err(detail) = session.checks.judge_samples(&cut.output) {
                session.measurement.verification =
                    Verification::Failed { detail, when: format!("after window {number}") };
                session.measurement.windows.push(cut.window);
                stream.drain()?;
                return Ok(());
            }
            self.observer.event(&Event::Window { case: &session.case, number, window: &cut.window });
            session.window_time = session.window_time + cut.window.duration();
            session.yields.push(yield_of(self.sampler, &device, &session.case, &cut.window));
            session.measurement.windows.push(cut.window);
            let (sofar, time) = (efficiencies(&session.yields), session.window_time);
            let reason = stop::decide(self.settings, &sofar, time, (self.interrupted)());
            if reason.is_some() {
                session.measurement.stop = reason;
                break;
            }
        }
        if tail.get() > 0.0 && !(self.interrupted)() {
            // The readings that speak of the last window's end come after it.
            stream.load_until(|_, elapsed| elapsed >= tail || (self.interrupted)())?;
        }
        stream.drain()?;
        self.finish(session)
    }

    /// Checks the output of the last window, with an error in it where one is asked for, and completes the measurement.
    fn finish(&mut self, session: &mut Session) -> Result<(), Outcome> {
        if session.yields.is_empty() {
            return Ok(());
        }
        let injected =
            if self.inject_error { session.checks.inject(self.accelerator, &session.instance)? } else { None };
        let verdict = session.checks.look(self.accelerator)?;
        let when = format!("after window {}", session.yields.len());
        let measurement = &mut session.measurement;
        (measurement.verification, measurement.injected) = match (verdict, self.inject_error) {
            (verdict, true) => checks::verdict_on_injected(verdict, injected, when),
            (Ok(after), false) => (Verification::Passed { before: session.checks.before.clone(), after }, None),
            (Err(detail), false) => (Verification::Failed { detail, when }, None),
        };
        let (timing, warning) = timing(self.accelerator.device(), &session.measurement);
        session.measurement.timing = Some(timing);
        session.measurement.warnings.retain(|w| w.code != WarningCode::ClocksDisagree);
        session.measurement.warnings.extend(warning);
        Ok(())
    }

    /// Checks a single execution. False if the output was wrong; the measurement then says so.
    fn verify_before(&mut self, session: &mut Session) -> Result<bool, Outcome> {
        checks::run_once(self.accelerator)?;
        match session.checks.look(self.accelerator)? {
            Ok(check) => {
                session.checks.before = check;
                Ok(true)
            }
            Err(detail) => {
                session.measurement.verification = Verification::Failed { detail, when: "before the load".to_owned() };
                Ok(false)
            }
        }
    }

    /// Window length for this device's sensors, and a warning where the preset is too short for them.
    fn window_length(&self, session: &Session) -> (Seconds, Option<Warning>) {
        let traces = self.sampler.map(|s| s.traces_since(self.clock.now())).unwrap_or_default();
        let (needed, slowest) = needed_window(&traces, self.accelerator.device());
        let length = self.settings.window_s;
        if needed <= length.get() {
            (length, None)
        } else if presets::wants_steadiness(self.settings) {
            (Seconds::new(needed), None)
        } else {
            let text = format!(
                "windows of {:.1} s hold fewer than 20 updates or 10 averaging windows of {slowest} ({needed:.0} s needed): \
                 watts and FLOP/J of {} are indicative; use --preset standard",
                length.get(),
                session.case.variant
            );
            (length, Some(Warning { code: WarningCode::WindowTooShort, text }))
        }
    }
}

/// Seconds that a window must last for the slowest power sensor of a device, and that sensor's source; 0 without any.
pub(super) fn needed_window<'a>(traces: &'a [SourceTrace], device: &Device) -> (f64, &'a str) {
    traces
        .iter()
        .filter(|t| t.source.device.is_none_or(|ordinal| ordinal == device.ordinal))
        .flat_map(|t| t.source.channels.iter().map(|channel| (t.source.id.as_str(), channel)))
        .filter(|(_, channel)| channel.quantity.is_energetic())
        .map(|(id, channel)| {
            let updates = channel.update_period_s.map_or(0.0, |s| s.get() * UPDATES_PER_WINDOW);
            (updates.max(channel.averaging_window_s.map_or(0.0, |s| s.get() * AVERAGES_PER_WINDOW)), id)
        })
        .fold((0.0, ""), |most, next| if next.0 > most.0 { next } else { most })
}

/// Says that a dispatch keeps a GPU from everything else for longer than drivers bear.
fn long_dispatch(device: &Device, each: Seconds) -> Option<Warning> {
    let text = format!(
        "one dispatch lasts {:.0} ms, longer than {:.0} ms: a desktop stutters, and a driver's watchdog (2 s on Windows) may \
         reset the device; choose a smaller --shape",
        each.get() * 1e3,
        LONGEST_DISPATCH.get() * 1e3
    );
    let long = !device.is_software() && each.get() > LONGEST_DISPATCH.get();
    long.then_some(Warning { code: WarningCode::LongDispatch, text })
}

/// Time of a calibration submission: the device's own where it is plausible, so that the cost of submitting does not
/// count for fast kernels; else the host's. A device cannot be busy for longer than the host waited, and once the host
/// waited for a whole `aim`, submitting cannot be what most of the time went to.
fn calibrated_time(device_ns: Option<u64>, wall: Seconds, aim: Seconds) -> Seconds {
    let Some(device) = device_ns.map(Seconds::from_nanoseconds) else { return wall };
    let too_long = device.get() > wall.get() * (1.0 + CLOCK_DISAGREEMENT);
    let too_short = wall.get() >= aim.get() && device.get() < wall.get() / 2.0;
    if too_long || too_short { wall } else { device.max_of(wall * 0.01) }
}

/// What a window yielded, by the readings so far.
fn yield_of(sampler: Option<&Sampler>, device: &Device, case: &Case, window: &Window) -> Yield {
    // The counter's tick before the window lies within this lead.
    let lead = Nanoseconds(window.start_ns.0.saturating_sub(2_000_000_000));
    let traces = sampler.map(|sampler| sampler.traces_since(lead)).unwrap_or_default();
    Yield {
        per_joule: result::window_efficiency(&traces, device, case, window),
        per_second: window.dispatches as f64 / window.duration().get(),
    }
}

/// How the windows were timed, with a warning where device clock and wall clock disagree.
pub(super) fn timing(device: &Device, measurement: &Measurement) -> (Timing, Option<Warning>) {
    let windows: Vec<&Window> = measurement.measured().collect();
    let busy: Option<u64> = windows.iter().map(|w| w.device_busy_ns).sum();
    let wall: Seconds = windows.iter().map(|w| w.duration()).sum();
    let fraction = busy.filter(|_| wall.get() > 0.0).map(|ns| Seconds::from_nanoseconds(ns) / wall);
    let warning = fraction.filter(|f| (f - 1.0).abs() > CLOCK_DISAGREEMENT).map(|f| Warning {
        code: WarningCode::ClocksDisagree,
        text: format!(
            "the device was busy {:.1} % of the windows by its own timestamps; rates use the wall clock. Longer submissions \
             (--submission) or more in flight close the gap",
            f * 100.0
        ),
    });
    let method = if busy.is_some() { TimingMethod::DeviceTimestamps } else { TimingMethod::HostClock };
    (Timing { method, timestamp_period_ns: device.timestamp_period_ns, busy_fraction: fraction }, warning)
}

#[cfg(test)]
#[path = "case_tests.rs"]
mod tests;
