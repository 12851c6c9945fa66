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
}

impl<'a> Stream<'a> {
    /// An empty stream.
    pub fn new(accelerator: &'a mut dyn Accelerator, clock: RunClock, batch: u32, in_flight: u32) -> Self {
        Self { accelerator, clock, batch, in_flight: in_flight.max(1) as usize, pending: VecDeque::new() }
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

    fn counted_pending(&self) -> usize {
        self.pending.iter().filter(|(_, purpose)| *purpose == Purpose::Counted).count()
    }

    fn complete(&mut self) -> Result<Option<(Purpose, Completion)>, GpuError> {
        let Some((ticket, purpose)) = self.pending.pop_front() else { return Ok(None) };
        let done = self.accelerator.wait(ticket)?;
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

    /// Lets the device rest for a while: what is in flight is waited for, and load that follows begins that much later.
    pub fn rest(&mut self, length: Seconds) -> Result<(), GpuError> {
        if length.get() > 0.0 {
            self.drain()?;
            self.clock.sleep_until(self.clock.now().plus(length));
        }
        Ok(())
    }

    /// Measures one window of at least `length`: poison, load, probe, in one stream. Load goes on after it when `follow`
    /// is set. `None` when `stop` asked to give up before the window's last job was submitted; after that, its jobs must
    /// be waited for anyway, and the window is kept.
    ///
    /// What is still in flight when the last job is submitted is taken to last as long as the window's shortest
    /// submission: one late completion must not end the window early.
    pub fn window(
        &mut self,
        length: Seconds,
        ranges: &[ByteRange],
        follow: bool,
        mut stop: impl FnMut() -> bool,
    ) -> Result<Option<Cut>, GpuError> {
        self.submit(&Job::Poison, Purpose::Poison)?;
        self.submit_counted()?;
        let now = self.clock.now();
        let mut window =
            Window { kind: WindowKind::Measure, start_ns: now, end_ns: now, dispatches: 0, device_busy_ns: None };
        let mut shortest: Option<Seconds> = None;
        let mut closed = false;
        loop {
            if !closed && stop() {
                self.drain()?;
                return Ok(None);
            }
            match self.complete()? {
                // Load from before the poison is no part of the window.
                None | Some((Purpose::Filler, _)) => {}
                Some((Purpose::Poison, done)) => {
                    window.start_ns = done.done_ns;
                    window.end_ns = done.done_ns;
                }
                Some((Purpose::Counted, done)) => {
                    let time = done.done_ns.since(window.end_ns);
                    shortest = Some(shortest.filter(|least| least.get() <= time.get()).unwrap_or(time));
                    add(&mut window, self.batch, &done);
                }
                Some((Purpose::Probe, done)) => return Ok(Some(Cut { window, output: done.bytes })),
            }
            if !closed {
                let expected = shortest.map(|time| window.duration() + time * self.counted_pending() as f64);
                if expected.is_some_and(|expected| expected.get() >= length.get()) {
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
        while self.counted_pending() < self.in_flight {
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

/// Adds a finished run to a window.
pub(super) fn add(window: &mut Window, dispatches: u32, done: &Completion) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimulatedClock;
    use crate::gpu::simulated::{DeviceScript, Oracle, Rate, SimulatedMachine};
    use crate::gpu::{Filler, Machine, OutputReader, PoisonScan, Program};
    use crate::model::Device;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Runs jobs in order, each run as long as scripted (the last time repeats); other jobs take none.
    struct Scripted {
        clock: SimulatedClock,
        device: Device,
        run_ms: Vec<u64>,
        timestamps: Vec<bool>,
        /// Kind of every job, `R`, `P` or `p` (probe), and when it ends.
        jobs: Vec<(char, u64, Option<u64>)>,
        free_from: u64,
        /// Run jobs after which waiting fails.
        lost_after: usize,
    }

    const MS: u64 = 1_000_000;

    fn scripted(run_ms: &[u64]) -> Scripted {
        let clock = SimulatedClock::new();
        let oracle: Oracle = Arc::new(|_, _| Vec::new());
        let script = DeviceScript::new("test", Rate::SecondsPerDispatch(Seconds::new(1.0)));
        let device = SimulatedMachine::new(vec![script], clock.clone(), Default::default(), oracle).devices().remove(0);
        let (run_ms, timestamps) = (run_ms.to_vec(), vec![true]);
        Scripted { clock, device, run_ms, timestamps, jobs: Vec::new(), free_from: 0, lost_after: usize::MAX }
    }

    impl Scripted {
        fn order(&self) -> String {
            self.jobs.iter().map(|(kind, ..)| *kind).collect()
        }
        fn stream(&mut self, in_flight: u32) -> Stream<'_> {
            let clock = RunClock::Simulated(self.clock.clone());
            Stream::new(self, clock, 10, in_flight)
        }
    }

    impl Accelerator for Scripted {
        fn device(&self) -> &Device {
            &self.device
        }
        fn load(&mut self, _: &Program) -> Result<(), GpuError> {
            Ok(())
        }
        fn fill(&mut self, _: usize, _: &mut Filler<'_>) -> Result<(), GpuError> {
            Ok(())
        }
        fn submit(&mut self, job: &Job) -> Result<Ticket, GpuError> {
            let begin = self.free_from.max(self.clock.now().0);
            let nth = self.jobs.iter().filter(|(kind, ..)| *kind == 'R').count();
            let (kind, length, device_ns) = match job {
                Job::Run { .. } => {
                    let length = MS * self.run_ms[nth.min(self.run_ms.len() - 1)];
                    let timed = self.timestamps[nth.min(self.timestamps.len() - 1)];
                    ('R', length, timed.then_some(length))
                }
                Job::Poison => ('P', 0, None),
                Job::Probe { .. } => ('p', 0, None),
            };
            self.free_from = begin + length;
            self.jobs.push((kind, self.free_from, device_ns));
            Ok(Ticket(self.jobs.len() as u64 - 1))
        }
        fn wait(&mut self, ticket: Ticket) -> Result<Completion, GpuError> {
            let (kind, end, device_ns) = self.jobs[ticket.0 as usize];
            let runs = self.jobs[..=ticket.0 as usize].iter().filter(|(kind, ..)| *kind == 'R').count();
            if runs > self.lost_after {
                let (device, during) = ("test".to_owned(), "waiting".to_owned());
                return Err(GpuError::Lost { device, during, reason: "scripted".to_owned() });
            }
            self.clock.sleep_until(Nanoseconds(end));
            let bytes = if kind == 'p' { vec![7] } else { Vec::new() };
            Ok(Completion { done_ns: self.clock.now(), device_ns, bytes })
        }
        fn read_outputs(&mut self, _: &mut OutputReader<'_>) -> Result<PoisonScan, GpuError> {
            Ok(PoisonScan::EMPTY)
        }
        fn write_word(&mut self, _: usize, _: u64, _: u32) -> Result<(), GpuError> {
            Ok(())
        }
        fn unload(&mut self) {}
    }

    fn seconds(ms: u64) -> Seconds {
        Seconds::new(ms as f64 / 1e3)
    }

    #[test]
    fn a_window_is_exactly_the_runs_between_poison_and_probe() {
        let mut device = scripted(&[100]);
        let mut stream = device.stream(2);
        let preheat = stream.load_until(|_, elapsed| elapsed.get() >= 0.25).unwrap();
        // Runs end at 100, 200 and 300 ms; the third ends the preheat, and a fourth is still in flight.
        assert_eq!((preheat.start_ns.0, preheat.end_ns.0, preheat.dispatches), (0, 300 * MS, 30));
        let cut = stream.window(seconds(500), &[], true, || false).unwrap().unwrap();
        // The poison waits for the fourth run: 400 ms to 900 ms are five runs of ten executions.
        assert_eq!((cut.window.start_ns.0, cut.window.end_ns.0), (400 * MS, 900 * MS));
        assert_eq!((cut.window.dispatches, cut.window.device_busy_ns), (50, Some(500 * MS)));
        assert_eq!(cut.output, [7]);
        stream.drain().unwrap();
        assert_eq!(device.order(), "RRRRPRRRRRpRR");
    }

    #[test]
    fn windows_that_follow_each_other_leave_the_device_no_gap() {
        let mut device = scripted(&[100]);
        let mut stream = device.stream(3);
        let mut free = 0;
        for _ in 0..4 {
            let window = stream.window(seconds(700), &[], true, || false).unwrap().unwrap().window;
            assert!(window.start_ns.0 >= free);
            assert_eq!(window.device_busy_ns, Some(window.end_ns.0 - window.start_ns.0));
            free = window.end_ns.0;
        }
        stream.drain().unwrap();
        let runs = device.jobs.iter().filter(|(kind, ..)| *kind == 'R').count() as u64;
        assert_eq!(device.clock.now().0, runs * 100 * MS);
    }

    #[test]
    fn the_last_window_is_followed_by_nothing() {
        let mut device = scripted(&[100]);
        let mut stream = device.stream(2);
        let window = stream.window(seconds(300), &[], false, || false).unwrap().unwrap().window;
        assert_eq!(window.dispatches, 30);
        assert_eq!(device.order(), "PRRRp");
    }

    #[test]
    fn one_slow_submission_does_not_end_a_window_early() {
        // 100 + 400 + 5 · 100 ms. Were the two in flight taken to last 400 ms as well, 700 ms would have to do.
        let mut device = scripted(&[100, 400, 100]);
        let window = device.stream(3).window(seconds(1000), &[], false, || false).unwrap().unwrap().window;
        assert_eq!(window.duration().get(), 1.0);
        assert_eq!(window.dispatches, 70);
    }

    #[test]
    fn slow_load_before_a_window_says_nothing_of_its_length() {
        let mut device = scripted(&[900, 900, 100]);
        let mut stream = device.stream(2);
        stream.load_until(|_, _| true).unwrap();
        let window = stream.window(seconds(600), &[], false, || false).unwrap().unwrap().window;
        assert_eq!((window.start_ns.0, window.dispatches), (1800 * MS, 60));
    }

    #[test]
    fn a_run_longer_than_the_window_is_a_whole_window() {
        let mut device = scripted(&[2000]);
        let window = device.stream(2).window(seconds(600), &[], false, || false).unwrap().unwrap().window;
        // Two are in flight before the first says how long it takes.
        assert_eq!((window.dispatches, window.duration().get()), (20, 4.0));
    }

    #[test]
    fn a_pass_without_a_timestamp_leaves_no_device_time() {
        for missing in [0, 1, 2] {
            let mut device = scripted(&[100]);
            device.timestamps = (0..4).map(|nth| nth != missing).collect();
            let window = device.stream(2).window(seconds(400), &[], false, || false).unwrap().unwrap().window;
            assert_eq!((window.device_busy_ns, window.dispatches), (None, 40), "{missing}");
        }
    }

    #[test]
    fn an_interruption_in_the_middle_gives_the_window_up_and_empties_the_stream() {
        let mut device = scripted(&[100]);
        let mut stream = device.stream(2);
        let mut asked = 0;
        let cut = stream.window(seconds(10_000), &[], true, || {
            asked += 1;
            asked > 5
        });
        assert!(cut.unwrap().is_none());
        assert!(stream.pending.is_empty());
        assert!(!device.order().contains('p'));
    }

    #[test]
    fn an_interruption_after_the_last_job_keeps_the_window() {
        let mut device = scripted(&[100]);
        let clock = device.clock.clone();
        let mut stream = device.stream(2);
        // With one run done and two in flight, 300 ms are certain at 100 ms; the user gives up at 200 ms.
        let cut = stream.window(seconds(200), &[], true, || clock.now().0 >= 200 * MS).unwrap().unwrap();
        assert_eq!(cut.window.dispatches, 20);
    }

    #[test]
    fn a_device_lost_in_the_middle_is_an_error() {
        let mut device = scripted(&[100]);
        device.lost_after = 3;
        assert!(matches!(device.stream(2).window(seconds(1000), &[], true, || false), Err(GpuError::Lost { .. })));
    }

    proptest! {
        #[test]
        fn every_window_counts_its_own_runs_and_lasts_as_long_as_they_do(
            run_ms in prop::collection::vec(1u64..300, 1..40),
            in_flight in 1u32..5,
            length in 1u64..2000,
            preheat in 0u64..500,
        ) {
            let mut device = scripted(&run_ms);
            let mut stream = device.stream(in_flight);
            stream.load_until(|_, elapsed| elapsed.get() >= seconds(preheat).get()).unwrap();
            let mut windows = Vec::new();
            for follow in [true, true, false] {
                windows.push(stream.window(seconds(length), &[], follow, || false).unwrap().unwrap().window);
            }
            let mut cuts = device.jobs.iter().enumerate().filter(|(_, (kind, ..))| *kind != 'R').map(|(at, _)| at);
            for window in windows {
                let (poison, probe) = (cuts.next().unwrap(), cuts.next().unwrap());
                let inside = &device.jobs[poison + 1..probe];
                prop_assert_eq!(window.dispatches, 10 * inside.len() as u64);
                let busy: u64 = inside.iter().filter_map(|(_, _, busy)| *busy).sum();
                prop_assert_eq!(window.device_busy_ns, Some(busy));
                // The host saw the edges when the jobs ended, and nothing else ran between them.
                prop_assert_eq!(window.start_ns.0, device.jobs[poison].1);
                prop_assert_eq!(window.end_ns.0, device.jobs[probe].1);
                prop_assert_eq!(window.end_ns.0 - window.start_ns.0, busy);
            }
        }
    }
}
