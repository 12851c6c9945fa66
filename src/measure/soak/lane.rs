//! One device's in-order stream, moved on step by step, so that one host thread keeps many devices loaded.
//!
//! The rule is that of [`crate::measure::stream`]: a window is the run jobs between a poison job and a probe job. What
//! surprises people: the next window's poison follows the probe of the one before at once, so that windows in a row have
//! no load between them that nobody counts.

use std::collections::VecDeque;

use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::gpu::{Accelerator, ByteRange, Completion, GpuError, Job, Ticket};
use crate::measure::stream::{Cut, add};
use crate::model::{Window, WindowKind};
use crate::units::Seconds;

/// Longest time without a look at Ctrl-C and at the other lanes.
const NAP: Seconds = Seconds::new(0.05);

/// What a lane does in its turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Load that is not measured.
    Load(Seconds),
    /// A window of at least this length.
    Window {
        /// The length.
        length: Seconds,
        /// True if the output is to be held for the caller before it is read: see [`Happening::Held`].
        hold: bool,
    },
    /// No load.
    Rest(Seconds),
}

/// What came of a step.
pub enum Happening {
    /// Nothing of note.
    Nothing,
    /// Unmeasured load before a window is over.
    Preheated(Window),
    /// A window is over.
    Cut(Cut),
    /// The stream is empty and the output of the window is as its last execution left it; it is read after
    /// [`Lane::release`].
    Held,
    /// A rest is over.
    Rested(Window),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Load outside any window.
    Filler,
    /// Load of a window.
    Counted,
    Poison,
    Probe,
}

impl Purpose {
    fn is_load(self) -> bool {
        matches!(self, Self::Filler | Self::Counted)
    }
}

struct Pending {
    ticket: Ticket,
    purpose: Purpose,
    submitted: Nanoseconds,
}

/// The stream of one device in one turn.
pub struct Lane {
    /// The device, with the case loaded.
    pub accelerator: Box<dyn Accelerator>,
    clock: RunClock,
    batch: u32,
    in_flight: usize,
    ranges: Vec<ByteRange>,
    script: VecDeque<Step>,
    pending: VecDeque<Pending>,
    /// Expected time of a submission.
    each: Seconds,
    last_done: Nanoseconds,
    /// Unmeasured load so far, and whether it is still growing.
    filler: Option<Window>,
    /// The window whose jobs are completing.
    current: Option<Window>,
    shortest: Option<Seconds>,
    /// The poison of the window that is being submitted: submitted, completed.
    poisoned: bool,
    started: bool,
    released: bool,
    rest_from: Option<Nanoseconds>,
}

fn window(kind: WindowKind, at: Nanoseconds) -> Window {
    Window { kind, start_ns: at, end_ns: at, dispatches: 0, device_busy_ns: None }
}

impl Lane {
    /// A lane that will do these steps with submissions of `batch` executions, each of about `each`.
    pub fn new(
        accelerator: Box<dyn Accelerator>,
        clock: RunClock,
        (batch, each, in_flight): (u32, Seconds, u32),
        ranges: Vec<ByteRange>,
        script: Vec<Step>,
    ) -> Self {
        let last_done = clock.now();
        Self {
            accelerator,
            clock,
            batch,
            in_flight: in_flight.max(2) as usize,
            ranges,
            script: script.into(),
            pending: VecDeque::new(),
            each,
            last_done,
            filler: None,
            current: None,
            shortest: None,
            poisoned: false,
            started: false,
            released: false,
            rest_from: None,
        }
    }

    /// When the next step is expected to have something to do; `None` when the lane has done everything.
    pub fn due(&self) -> Option<Nanoseconds> {
        if let Some(next) = self.pending.front() {
            let from = self.last_done.max(next.submitted);
            return Some(if next.purpose.is_load() { from.plus(self.each) } else { from });
        }
        match (self.script.front()?, self.rest_from) {
            (Step::Rest(length), Some(from)) => Some(from.plus(*length)),
            _ => Some(Nanoseconds(0)),
        }
    }

    /// Gives up what was not submitted yet. A window whose last job was is kept.
    pub fn stop(&mut self) {
        self.script.clear();
    }

    /// Goes on after [`Happening::Held`].
    pub fn release(&mut self) {
        self.released = true;
    }

    /// Waits for the oldest job, or rests for a while, and submits what comes next.
    pub fn step(&mut self) -> Result<Happening, GpuError> {
        let happening = match self.pending.pop_front() {
            Some(next) => self.complete(&next)?,
            None => self.pause(),
        };
        self.feed()?;
        Ok(happening)
    }

    fn complete(&mut self, next: &Pending) -> Result<Happening, GpuError> {
        let done = self.accelerator.wait(next.ticket)?;
        let time = done.done_ns.since(self.last_done.max(next.submitted));
        self.last_done = done.done_ns;
        match next.purpose {
            Purpose::Filler => {
                self.each = time;
                let filler = self.filler.get_or_insert_with(|| window(WindowKind::Preheat, next.submitted));
                add(filler, self.batch, &done);
            }
            Purpose::Counted => {
                self.each = time;
                self.count(&done);
            }
            Purpose::Poison => {
                self.current = Some(window(WindowKind::Measure, done.done_ns));
                self.shortest = None;
                self.started = true;
                if let Some(filler) = self.filler.take() {
                    return Ok(Happening::Preheated(filler));
                }
            }
            Purpose::Probe => {
                if let Some(window) = self.current.take() {
                    return Ok(Happening::Cut(Cut { window, output: done.bytes }));
                }
            }
        }
        Ok(Happening::Nothing)
    }

    fn count(&mut self, done: &Completion) {
        if let Some(window) = &mut self.current {
            let time = done.done_ns.since(window.end_ns);
            self.shortest = Some(self.shortest.filter(|least| least.get() <= time.get()).unwrap_or(time));
            add(window, self.batch, done);
        }
    }

    /// With nothing in flight: rests, or says that the output is held.
    fn pause(&mut self) -> Happening {
        match self.script.front() {
            Some(Step::Rest(length)) => {
                let from = *self.rest_from.get_or_insert(self.last_done);
                let (until, now) = (from.plus(*length), self.clock.now());
                if now >= until {
                    self.script.pop_front();
                    self.rest_from = None;
                    return Happening::Rested(Window { end_ns: now, ..window(WindowKind::Cooldown, from) });
                }
                self.clock.sleep_until(until.min(now.plus(NAP)));
                Happening::Nothing
            }
            Some(Step::Window { hold: true, .. }) if self.started && !self.released => Happening::Held,
            _ => Happening::Nothing,
        }
    }

    fn submit(&mut self, job: &Job, purpose: Purpose) -> Result<(), GpuError> {
        let submitted = self.clock.now();
        let ticket = self.accelerator.submit(job)?;
        self.pending.push_back(Pending { ticket, purpose, submitted });
        Ok(())
    }

    /// Submits load until enough is in flight.
    fn top_up(&mut self, purpose: Purpose) -> Result<(), GpuError> {
        while self.loads_pending(Purpose::is_load) < self.in_flight {
            self.submit(&Job::Run { dispatches: self.batch }, purpose)?;
        }
        Ok(())
    }

    fn loads_pending(&self, which: impl Fn(Purpose) -> bool) -> usize {
        self.pending.iter().filter(|pending| which(pending.purpose)).count()
    }

    /// Submits what the script asks for, as far as may be in flight.
    fn feed(&mut self) -> Result<(), GpuError> {
        loop {
            match self.script.front().copied() {
                None | Some(Step::Rest(_)) => return Ok(()),
                Some(Step::Load(length)) => {
                    let fillers = self.loads_pending(|purpose| purpose == Purpose::Filler);
                    let past = self.filler.as_ref().map_or(Seconds::new(0.0), Window::duration);
                    if (past + self.each * fillers as f64).get() < length.get() {
                        if self.loads_pending(Purpose::is_load) >= self.in_flight {
                            return Ok(());
                        }
                        self.submit(&Job::Run { dispatches: self.batch }, Purpose::Filler)?;
                        continue;
                    }
                    self.script.pop_front();
                }
                Some(Step::Window { length, hold }) => {
                    if !self.poisoned {
                        self.submit(&Job::Poison, Purpose::Poison)?;
                        self.poisoned = true;
                    }
                    if !self.is_full(length) {
                        return self.top_up(Purpose::Counted);
                    }
                    if hold && !self.released {
                        // Drains; then it is the caller's turn.
                        return Ok(());
                    }
                    let ranges = self.ranges.clone();
                    self.submit(&Job::Probe { ranges }, Purpose::Probe)?;
                    self.script.pop_front();
                    (self.poisoned, self.started, self.released) = (false, false, false);
                }
            }
        }
    }

    /// True if the window that is being submitted will have its length when all of its jobs are done: what is in flight
    /// is taken to last as long as the shortest so far, so that one late completion does not end a window early.
    fn is_full(&self, length: Seconds) -> bool {
        let (true, Some(window), Some(shortest)) = (self.started, &self.current, self.shortest) else { return false };
        let pending = self.loads_pending(|purpose| purpose == Purpose::Counted) as f64;
        (window.duration() + shortest * pending).get() >= length.get()
    }
}
