//! The device's in-order stream as the protocol uses it: several submissions in flight, windows cut between two jobs.

use std::collections::VecDeque;

use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::gpu::{Accelerator, ByteRange, Completion, GpuError, Job, Ticket};
use crate::model::{Window, WindowKind};
use crate::units::Seconds;

/// What a pending job was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Load outside any window.
    Filler,
    /// Load inside the open window.
    Counted,
    Poison,
    Probe,
}

/// A window and the output bytes that its last execution left.
pub struct Cut {
    /// The window.
    pub window: Window,
    /// Bytes of the probe.
    pub output: Vec<u8>,
}

/// Keeps `in_flight` submissions of `batch` executions each in the device's stream.
pub struct Stream<'a> {
    accelerator: &'a mut dyn Accelerator,
    clock: RunClock,
    batch: u32,
    in_flight: usize,
    pending: VecDeque<(Ticket, Purpose)>,
    last_done: Nanoseconds,
    batch_time: Seconds,
}

impl<'a> Stream<'a> {
    /// An empty stream. `per_dispatch` is the calibrated time of one execution.
    pub fn new(
        accelerator: &'a mut dyn Accelerator,
        clock: RunClock,
        batch: u32,
        in_flight: u32,
        per_dispatch: Seconds,
    ) -> Self {
        let last_done = clock.now();
        Self {
            accelerator,
            clock,
            batch,
            in_flight: in_flight.max(1) as usize,
            pending: VecDeque::new(),
            last_done,
            batch_time: per_dispatch * f64::from(batch),
        }
    }

    fn submit(&mut self, job: &Job, purpose: Purpose) -> Result<(), GpuError> {
        let ticket = self.accelerator.submit(job)?;
        self.pending.push_back((ticket, purpose));
        Ok(())
    }

    /// Submits load until enough is in flight.
    fn top_up(&mut self, purpose: Purpose) -> Result<(), GpuError> {
        while self.loads_pending() < self.in_flight {
            self.submit(&Job::Run { dispatches: self.batch }, purpose)?;
        }
        Ok(())
    }

    fn loads_pending(&self) -> usize {
        self.pending.iter().filter(|(_, purpose)| matches!(purpose, Purpose::Filler | Purpose::Counted)).count()
    }

    fn complete(&mut self) -> Result<Option<(Purpose, Completion)>, GpuError> {
        let Some((ticket, purpose)) = self.pending.pop_front() else { return Ok(None) };
        let done = self.accelerator.wait(ticket)?;
        self.last_done = done.done_ns;
        Ok(Some((purpose, done)))
    }

    /// Keeps the device loaded until `enough` says so, asked after each submission with the time since the start.
    pub fn load_until(&mut self, mut enough: impl FnMut(Nanoseconds, Seconds) -> bool) -> Result<Window, GpuError> {
        let start = self.clock.now();
        let mut window =
            Window { kind: WindowKind::Preheat, start_ns: start, end_ns: start, dispatches: 0, device_busy_ns: None };
        loop {
            self.top_up(Purpose::Filler)?;
            if let Some((_, done)) = self.complete()? {
                add(&mut window, self.batch, &done);
                if enough(done.done_ns, done.done_ns.since(start)) {
                    return Ok(window);
                }
            }
        }
    }

    /// Measures one window of at least `length`: poison, load, probe, in one stream. Load goes on after it when `follow`
    /// is set. `None` when `stop` asked to give up.
    pub fn window(
        &mut self,
        length: Seconds,
        ranges: &[ByteRange],
        follow: bool,
        mut stop: impl FnMut() -> bool,
    ) -> Result<Option<Cut>, GpuError> {
        self.submit(&Job::Poison, Purpose::Poison)?;
        let mut window = Window {
            kind: WindowKind::Measure,
            start_ns: self.last_done,
            end_ns: self.last_done,
            dispatches: 0,
            device_busy_ns: None,
        };
        // What is still in flight before the poison must not count towards this window's share of the stream.
        self.submit_counted()?;
        let mut closed = false;
        loop {
            if stop() {
                self.drain()?;
                return Ok(None);
            }
            match self.complete()? {
                None | Some((Purpose::Filler, _)) => {}
                Some((Purpose::Poison, done)) => {
                    window.start_ns = done.done_ns;
                    window.end_ns = done.done_ns;
                }
                Some((Purpose::Counted, done)) => {
                    self.batch_time = done.done_ns.since(window.end_ns);
                    add(&mut window, self.batch, &done);
                }
                Some((Purpose::Probe, done)) => return Ok(Some(Cut { window, output: done.bytes })),
            }
            if !closed {
                let counted = self.pending.iter().filter(|(_, purpose)| *purpose == Purpose::Counted).count();
                let expected = window.duration() + self.batch_time * counted as f64;
                if window.dispatches > 0 && expected.get() >= length.get() {
                    self.submit(&Job::Probe { ranges: ranges.to_vec() }, Purpose::Probe)?;
                    closed = true;
                } else {
                    self.submit_counted()?;
                }
            }
            if closed && follow {
                self.top_up(Purpose::Filler)?;
            }
        }
    }

    fn submit_counted(&mut self) -> Result<(), GpuError> {
        let counted = |stream: &Self| stream.pending.iter().filter(|(_, p)| *p == Purpose::Counted).count();
        while counted(self) < self.in_flight {
            self.submit(&Job::Run { dispatches: self.batch }, Purpose::Counted)?;
        }
        Ok(())
    }

    /// Waits for everything in flight.
    pub fn drain(&mut self) -> Result<(), GpuError> {
        while self.complete()?.is_some() {}
        Ok(())
    }
}

fn add(window: &mut Window, dispatches: u32, done: &Completion) {
    window.dispatches += u64::from(dispatches);
    window.end_ns = done.done_ns;
    let first = window.dispatches == u64::from(dispatches);
    window.device_busy_ns = match (window.device_busy_ns, done.device_ns, first) {
        (None, Some(ns), true) => Some(ns),
        (Some(sum), Some(ns), _) => Some(sum + ns),
        // One pass without a timestamp makes the sum meaningless.
        _ => None,
    };
}
