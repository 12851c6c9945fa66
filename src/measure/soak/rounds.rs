//! Rounds of phases over all devices at once: what is prepared, loaded, checked, lost and taken up again.
//!
//! What surprises people: the lane whose next submission is expected to end first is waited for first, so that a slow device
//! keeps no fast one waiting.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::{Happening, Lane, Step};
use super::output::Output;
use super::seat::{Ready, Seat, State, digest_now};
use super::{InjectedPhase, SoakEnd, SoakEvent, SoakPlan, SoakSetup};
use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::gpu::{Accelerator, GpuError};
use crate::measure::case::{Bench, Outcome, Session, needed_window, refuse};
use crate::measure::checks::run_once;
use crate::measure::run::{Event, Observer};
use crate::model::{
    Device, IdleBaseline, Phase, RunRecord, RunStatus, Settings, SkipReason, Verification, Warning, WarningCode,
    Window, WindowKind,
};
use crate::power;
use crate::units::Seconds;

/// Longest idle time, before the devices are open and again after.
const IDLE: Seconds = Seconds::new(5.0);
/// Most windows of a phase in one round, and the time that they may take.
const WINDOWS: f64 = 3.0;
const TURN: Seconds = Seconds::new(30.0);
/// Submissions that a window holds at least, where a kernel allows it.
const SUBMISSIONS: f64 = 8.0;
/// Unmeasured load at the beginning of a phase, in windows.
const PREHEAT: f64 = 0.25;
/// A window is made this much longer for slow sensors, and no more.
const STRETCH: f64 = 3.0;
/// Losses that are told.
const TOLD: usize = 100;
/// Longest time without a look at Ctrl-C.
const NAP: Seconds = Seconds::new(0.1);

/// A load under way.
pub struct Load<'s, 'a> {
    pub(super) setup: &'s mut SoakSetup<'a>,
    pub(super) clock: RunClock,
    pub(super) seats: Vec<Seat>,
    /// Devices that are lost at present, with the reason.
    pub(super) lost: BTreeMap<u32, String>,
    pub(super) end: SoakEnd,
    /// The current segment without what is in the seats.
    pub(super) record: RunRecord,
    pub(super) number: u32,
    pub(super) segment_from: Nanoseconds,
    pub(super) saved: Nanoseconds,
    plan: &'s SoakPlan,
    settings: Settings,
    seed: u64,
    started: Nanoseconds,
    window: Seconds,
    /// Accelerators that were opened and have no program yet.
    spare: BTreeMap<u32, Box<dyn Accelerator>>,
    /// Devices whose memory holds one phase at a time.
    tight: BTreeSet<u32>,
}

/// Who is told of a case's steps: nobody.
struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event<'_>) {}
}

impl<'s, 'a> Load<'s, 'a> {
    /// A load that has not begun.
    pub fn new(setup: &'s mut SoakSetup<'a>, plan: &'s SoakPlan) -> Self {
        let clock = setup.machine.clock();
        let number = plan.first_segment.max(1);
        let record = (setup.segment)(number);
        let now = clock.now();
        Self {
            settings: record.plan.settings.clone(),
            seed: record.plan.seed,
            seats: plan.work.iter().map(|(phase, case)| Seat::new(*phase, case.clone())).collect(),
            lost: BTreeMap::new(),
            end: SoakEnd { done: plan.done, ..SoakEnd::default() },
            record,
            number,
            segment_from: now,
            saved: now,
            started: now,
            window: plan.window,
            spare: BTreeMap::new(),
            tight: BTreeSet::new(),
            clock,
            setup,
            plan,
        }
    }

    /// Runs it to its end.
    pub fn run(mut self) -> SoakEnd {
        self.idle_and_open();
        self.fit_window();
        for index in 0..self.seats.len() {
            if !self.stopped() {
                self.activate(index);
            }
        }
        let now = self.clock.now();
        (self.started, self.segment_from, self.saved) = (now, now, now);
        self.rounds();
        self.end.done = self.done();
        self.end.interrupted = self.stopped() && self.end.done < self.plan.duration;
        self.close(if self.end.interrupted { RunStatus::Interrupted } else { RunStatus::Complete }, false);
        self.end
    }

    /// Load time so far.
    pub(super) fn done(&self) -> Seconds {
        self.plan.done + self.clock.now().since(self.started)
    }

    fn stopped(&self) -> bool {
        (self.setup.interrupted)()
    }

    fn rounds(&mut self) {
        let refused = |seat: &Seat| matches!(seat.state, State::Refused(_));
        for round in 1.. {
            // A lost device is tried again once a round.
            let lost: Vec<u32> = self.lost.keys().copied().collect();
            lost.into_iter().for_each(|device| self.take_up(device));
            let mut loaded = false;
            for phase in Phase::ALL {
                if self.done() >= self.plan.duration || self.stopped() || self.seats.iter().all(refused) {
                    return;
                }
                loaded |= self.turn(phase, round);
                self.save_growing();
                if self.clock.now().since(self.segment_from) >= self.plan.segment {
                    let more = self.done() < self.plan.duration && !self.stopped();
                    if more {
                        self.close(RunStatus::Complete, true);
                    }
                }
            }
            if !loaded {
                self.nap(self.window);
            }
        }
    }

    /// Waits without load, in short naps so that Ctrl-C is heard.
    fn nap(&self, length: Seconds) {
        let until = self.clock.now().plus(length);
        while self.clock.now() < until && !self.stopped() {
            self.clock.sleep_until(until.min(self.clock.now().plus(NAP)));
        }
    }

    fn idle(&self, kind: WindowKind) -> Window {
        let start_ns = self.clock.now();
        self.nap(IDLE.min_of(self.settings.idle_s));
        Window { kind, start_ns, end_ns: self.clock.now(), dispatches: 0, device_busy_ns: None }
    }

    fn idle_and_open(&mut self) {
        let devices: BTreeSet<u32> = self.seats.iter().map(|seat| seat.case.device).collect();
        let cold = self.idle(WindowKind::IdleCold);
        for device in &devices {
            match self.setup.machine.open(*device) {
                Ok(accelerator) => {
                    self.spare.insert(*device, accelerator);
                }
                Err(error) => self.lose(*device, &format!("cannot open the device: {error}")),
            }
        }
        let context = self.idle(WindowKind::IdleContext);
        for device in devices {
            let opened = self.spare.contains_key(&device).then(|| context.clone());
            let windows = std::iter::once(cold.clone()).chain(opened).collect();
            self.record.idle.push(IdleBaseline { device, windows });
        }
    }

    /// Makes windows long enough for the slowest sensor, within reason.
    fn fit_window(&mut self) {
        let traces = self.setup.sampler.map(|s| s.traces_since(Nanoseconds(u64::MAX))).unwrap_or_default();
        let most = self.plan.window * STRETCH;
        for device in &self.record.devices {
            let (needed, _) = needed_window(&traces, device);
            if needed <= most.get() {
                self.window = self.window.max_of(Seconds::new(needed));
            }
        }
    }

    fn too_short(&self, device: &Device) -> Option<Warning> {
        let traces = self.setup.sampler.map(|s| s.traces_since(Nanoseconds(u64::MAX))).unwrap_or_default();
        let (needed, slowest) = needed_window(&traces, device);
        (needed > self.window.get()).then(|| Warning {
            code: WarningCode::WindowTooShort,
            text: format!(
                "windows of {:.1} s hold fewer than 20 updates or 10 averaging windows of {slowest} ({needed:.0} s needed): the \
                 scatter of watts over windows is the sensor's; load for longer",
                self.window.get()
            ),
        })
    }

    /// Notes the loss of a device and drops everything on it.
    fn lose(&mut self, device: u32, reason: &str) {
        self.spare.remove(&device);
        for seat in self.seats.iter_mut().filter(|seat| seat.case.device == device) {
            seat.accelerator = None;
        }
        let at = self.clock.now().since(self.started).get() + self.plan.done.get();
        let text = format!("{reason}, after {at:.0} s of load; it is opened again once a round");
        if self.lost.insert(device, text).is_none() {
            (self.setup.observer)(&SoakEvent::Lost { device, reason });
            if self.end.lost.len() < TOLD {
                self.end.lost.push((device, format!("after {at:.0} s: {reason}")));
            }
        }
    }

    /// Tries to open a lost device again. Failing that, it stays lost for the reason for which it was.
    fn take_up(&mut self, device: u32) {
        if let Ok(accelerator) = self.setup.machine.open(device) {
            self.spare.insert(device, accelerator);
            self.lost.remove(&device);
        }
    }

    /// Makes a seat ready to be loaded, with its program on the device. False if it cannot be.
    fn activate(&mut self, index: usize) -> bool {
        let device = self.seats[index].case.device;
        if self.lost.contains_key(&device) || matches!(self.seats[index].state, State::Refused(_)) {
            return false;
        }
        if self.seats[index].accelerator.is_some() {
            return true;
        }
        let mut outcome = self.occupy(index);
        if matches!(&outcome, Err(Outcome::Skipped(skip)) if skip.reason == SkipReason::OutOfMemory) {
            // Perhaps the other phases have the memory.
            self.tight.insert(device);
            outcome = self.occupy(index);
        }
        match outcome {
            Ok(()) => true,
            Err(Outcome::Skipped(skip)) => {
                self.seats[index].state = State::Refused(skip);
                false
            }
            Err(Outcome::Device(error)) => {
                self.lose(device, &error.to_string());
                false
            }
        }
    }

    /// Opens a device for a seat, and verifies and calibrates its case, or loads it again.
    fn occupy(&mut self, index: usize) -> Result<(), Outcome> {
        let device = self.seats[index].case.device;
        if self.tight.contains(&device) {
            for seat in self.seats.iter_mut().filter(|seat| seat.case.device == device) {
                seat.accelerator = None;
            }
        }
        let mut accelerator = match self.spare.remove(&device) {
            Some(accelerator) => accelerator,
            None => self.setup.machine.open(device)?,
        };
        let case = self.seats[index].case.clone();
        let settings = self.settings_of();
        let mut bench = Bench {
            accelerator: accelerator.as_mut(),
            sampler: self.setup.sampler,
            settings: &settings,
            inject_error: false,
            clock: &self.clock,
            interrupted: self.setup.interrupted,
            observer: &mut Silent,
        };
        if let Some(ready) = self.seats[index].ready() {
            bench.resume(&ready.session)?;
        } else {
            let mut session = bench.begin(&case, self.seed, false)?;
            if session.measurement.calibration.is_none() {
                // The output is wrong, and the load goes on all the same.
                bench.calibrate(&mut session, false)?;
            }
            let ready = self.made_ready(index, session, accelerator.as_mut())?;
            self.seats[index].state = State::Ready(Box::new(ready));
        }
        self.seats[index].accelerator = Some(accelerator);
        Ok(())
    }

    /// The settings of a case: submissions short enough for a window to hold several.
    fn settings_of(&self) -> Settings {
        let submission_s = self.settings.submission_s.min_of(self.window * (1.0 / SUBMISSIONS));
        Settings { submission_s, ..self.settings.clone() }
    }

    /// A case that was begun, with the digest of its first output where that is right.
    fn made_ready(
        &mut self,
        index: usize,
        mut session: Session,
        accelerator: &mut dyn Accelerator,
    ) -> Result<Ready, Outcome> {
        let output = Output::of(&session, accelerator);
        session.measurement.warnings.extend(self.too_short(accelerator.device()));
        let mut expected = output.known.clone();
        let right = session.checks.before.sampled > 0;
        let failed = match &session.measurement.verification {
            Verification::Failed { detail, when } if !right => Some((detail.clone(), when.clone())),
            _ => None,
        };
        if let Some((detail, when)) = failed {
            self.wrong(index, detail, when);
        } else if expected.is_none() {
            run_once(accelerator)?;
            expected = Some(digest_now(accelerator, &output.ranges).map_err(|e| refuse(&session.measurement.case, e))?);
        }
        Ok(Ready { session, output, expected })
    }

    fn wrong(&mut self, index: usize, detail: String, when: String) {
        let seat = &mut self.seats[index];
        let (case, phase) = (&seat.case, seat.phase);
        (self.setup.observer)(&SoakEvent::WrongOutput { case, phase, detail: &format!("{when}: {detail}") });
        seat.fail(detail, when);
    }

    /// What a lane of a phase does in a turn; the load time is not exceeded by more than a window.
    fn script(&self, index: usize) -> Vec<Step> {
        let seat = &self.seats[index];
        let steps = seat.phase == Phase::Steps;
        let traces = self.setup.sampler.map(|s| s.traces_since(Nanoseconds(u64::MAX))).unwrap_or_default();
        let device = self.record.device(seat.case.device);
        let settling = device.map_or(Seconds::new(0.0), |device| power::settling_time(&traces, device));
        let preheat =
            if steps { Seconds::new(0.0) } else { (self.window * PREHEAT).max_of(settling).min_of(self.window) };
        let slot = if steps { self.window * 2.0 } else { self.window };
        let remaining = (self.plan.duration.get() - self.done().get() - preheat.get()) / slot.get();
        let count = (TURN / slot).floor().min(remaining.ceil()).clamp(1.0, WINDOWS) as u64;
        let mut script = Vec::new();
        if !steps {
            script.push(Step::Load(preheat));
        }
        for nth in 0..count {
            if steps {
                script.push(Step::Rest(self.window));
            }
            let hold = self.plan.inject_error && !seat.injected && seat.windows + nth == 2;
            script.push(Step::Window { length: self.window, hold });
        }
        let tail = settling.min_of(self.window * 0.5);
        if tail.get() > 0.0 {
            script.push(Step::Load(tail));
        }
        script
    }

    /// One phase on all devices. False if no device could be loaded with it.
    fn turn(&mut self, phase: Phase, round: u32) -> bool {
        let indices: Vec<usize> = (0..self.seats.len()).filter(|index| self.seats[*index].phase == phase).collect();
        let mut lanes = Vec::new();
        for index in indices {
            if self.activate(index) {
                let script = self.script(index);
                lanes.extend(self.lane(index, script).map(|lane| (index, lane)));
            }
        }
        if lanes.is_empty() {
            return false;
        }
        (self.setup.observer)(&SoakEvent::Phase { phase, round });
        let ended = self.drive(lanes);
        for index in ended {
            self.examine(index);
        }
        true
    }

    fn lane(&mut self, index: usize, script: Vec<Step>) -> Option<Lane> {
        let accelerator = self.seats[index].accelerator.take()?;
        let ready = self.seats[index].ready()?;
        let calibration = &ready.session.calibration;
        let batch = calibration.dispatches_per_submission;
        let pace = (batch, calibration.per_dispatch_s * f64::from(batch), calibration.in_flight);
        Some(Lane::new(accelerator, self.clock.clone(), pace, ready.output.ranges.clone(), script))
    }

    /// Moves all lanes on until each has done everything; those of lost devices are dropped. Returns the seats that had one.
    fn drive(&mut self, mut lanes: Vec<(usize, Lane)>) -> Vec<usize> {
        let seats: Vec<usize> = lanes.iter().map(|(index, _)| *index).collect();
        loop {
            if self.stopped() {
                lanes.iter_mut().for_each(|(_, lane)| lane.stop());
            }
            let due = |(place, (_, lane)): (usize, &(usize, Lane))| Some((lane.due()?, place));
            let Some((_, place)) = lanes.iter().enumerate().filter_map(due).min() else { break };
            let (index, lane) = &mut lanes[place];
            if let Err(error) = self.advance(*index, lane) {
                let (index, _) = lanes.remove(place);
                self.lose_in(index, &error);
            }
        }
        for (index, lane) in lanes {
            let device = self.seats[index].case.device;
            self.seats[index].accelerator = (!self.lost.contains_key(&device)).then_some(lane.accelerator);
        }
        seats
    }

    fn lose_in(&mut self, index: usize, error: &GpuError) {
        let seat = &mut self.seats[index];
        let text = format!("{error}; its later windows are missing until the device can be opened again");
        seat.facts.warnings.push(Warning { code: WarningCode::DeviceLost, text });
        let device = seat.case.device;
        self.lose(device, &error.to_string());
    }

    fn advance(&mut self, index: usize, lane: &mut Lane) -> Result<(), GpuError> {
        let seat = &mut self.seats[index];
        match lane.step()? {
            Happening::Nothing => {}
            Happening::Preheated(window) | Happening::Rested(window) => seat.facts.windows.push(window),
            Happening::Held => {
                seat.spoil(lane.accelerator.as_mut())?;
                lane.release();
            }
            Happening::Cut(cut) => {
                let (case, phase) = (&seat.case, seat.phase);
                (self.setup.observer)(&SoakEvent::Window { case, phase, window: &cut.window });
                seat.keep(cut.window, cut.output);
            }
        }
        Ok(())
    }

    /// Compares the digests of a turn, and looks at the last output with every check.
    fn examine(&mut self, index: usize) {
        let spoilt = self.seats[index].is_spoilt();
        for (detail, when) in self.seats[index].compare() {
            self.wrong(index, detail, when);
        }
        if spoilt {
            let seat = &self.seats[index];
            let caught = seat.facts.injected.as_ref().is_some_and(|error| error.caught);
            self.end.injected.push(InjectedPhase { device: seat.case.device, phase: seat.phase, caught });
        }
        let Some(mut accelerator) = self.seats[index].accelerator.take() else { return };
        let Some(ready) = self.seats[index].ready() else { return };
        // An error that was made on purpose may still be there.
        let fresh = if spoilt { run_once(accelerator.as_mut()) } else { Ok(()) };
        let found = fresh.and_then(|()| ready.session.checks.look(accelerator.as_mut()));
        self.seats[index].accelerator = Some(accelerator);
        match found {
            Ok(Ok(check)) => self.seats[index].facts.after = Some(check),
            Ok(Err(detail)) => {
                let when = format!("after window {}", self.seats[index].windows);
                self.wrong(index, detail, when);
            }
            Err(error) => self.lose_in(index, &error),
        }
    }
}
