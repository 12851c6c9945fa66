//! Polls every source at a fixed cadence and keeps what they said, with a reason for whatever they did not say.
//!
//! On the wall clock each source has its own thread, so that one slow or hanging sensor delays no other; on the
//! simulated clock the same polling code runs as an alarm. What surprises people: a tick that was missed is never made
//! up for. Ticks lie on a fixed grid from the start, the skipped ones are counted, and a hole of more than
//! [`LATE_PERIODS`] periods is written into the trace as a gap.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{PollError, PowerSource};
use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::model::{ChannelTrace, Gap, SourceInfo, SourceTrace};
use crate::units::{NANOSECONDS_PER_SECOND, Seconds};

/// Periods without a poll after which the sampler calls itself late and writes a gap. Three is also the longest hole
/// that integration bridges.
pub const LATE_PERIODS: f64 = 3.0;
/// Cadences outside these bounds are drawn to them: a poll in 100 s, and a thousand a second, beyond which no known
/// sensor changes and the sampler itself would show in the power.
const CADENCE_HZ: std::ops::RangeInclusive<f64> = 0.01..=1000.0;
/// Time without an answer after which a sensor is said to hang; a shorter pause is a slow read.
const SILENCE: Seconds = Seconds::new(2.0);
/// Readings that buffers hold before they grow (by doubling, so that a poll allocates nothing but at long intervals).
const FIRST_CAPACITY: usize = 8192;
/// Longest wait for the next tick in which stopping may be heard late.
const SHORT_NAP: Duration = Duration::from_millis(20);
/// Most polls before the instant given to [`Sampler::forget_before`] that are kept for their channels' last values: more
/// than a second of the fastest common cadence, while slow channels are read once a second.
const LAST_VALUES: usize = 128;
/// Longest time that stopping waits for a sensor that hangs; its thread is then left behind.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Samples power sources until it is stopped or dropped.
pub struct Sampler {
    taps: Vec<Arc<Mutex<Buffer>>>,
    halt: Arc<Halt>,
    threads: Vec<JoinHandle<()>>,
    clock: RunClock,
}

impl Sampler {
    /// Starts polling every source at `hz`, or at its own useful cadence if that is lower. The first poll is at once.
    pub fn start(sources: Vec<Box<dyn PowerSource>>, hz: f64, clock: &RunClock) -> Self {
        Self::begin(sources, hz, clock, None)
    }

    /// Like [`start`](Self::start), but forgets polls that are older than `keep`, so that memory stays bounded however
    /// long it runs: for live displays, not for records.
    pub fn watch(sources: Vec<Box<dyn PowerSource>>, hz: f64, clock: &RunClock, keep: Seconds) -> Self {
        Self::begin(sources, hz, clock, Some(keep))
    }

    fn begin(sources: Vec<Box<dyn PowerSource>>, hz: f64, clock: &RunClock, keep: Option<Seconds>) -> Self {
        let halt = Arc::new(Halt::default());
        let taps = Vec::with_capacity(sources.len());
        let mut sampler = Self { taps, halt, threads: Vec::new(), clock: clock.clone() };
        for source in sources {
            let tap = Tap::new(source, hz, clock.clone(), keep);
            sampler.taps.push(Arc::clone(&tap.buffer));
            match clock {
                RunClock::Wall(_) => sampler.spawn(tap),
                RunClock::Simulated(simulated) => {
                    let (mut tap, halt) = (tap, Arc::clone(&sampler.halt));
                    if let Some(next) = tap.tick() {
                        let ring = move |_| if halt.is_set() { None } else { tap.tick() };
                        simulated.alarm_at(next, Box::new(ring));
                    }
                }
            }
        }
        sampler
    }

    fn spawn(&mut self, mut tap: Tap) {
        let (halt, buffer) = (Arc::clone(&self.halt), Arc::clone(&tap.buffer));
        let clock = tap.clock.clone();
        let poll = move || {
            while let Some(next) = tap.tick() {
                // A plain sleep costs less than one that can be woken, and so short a one need not be.
                let told = if next.0.saturating_sub(clock.now().0) <= SHORT_NAP.as_nanos() as u64 {
                    clock.sleep_until(next);
                    halt.is_set()
                } else {
                    halt.wait_until(next, &clock)
                };
                if told {
                    return;
                }
            }
        };
        match std::thread::Builder::new().name("wattmark-power".to_owned()).spawn(poll) {
            Ok(thread) => self.threads.push(thread),
            Err(error) => lock(&buffer).open_source_gap(format!("the sampling thread did not start: {error}")),
        }
    }

    /// Everything so far, one trace per source in the order given to [`start`](Self::start).
    pub fn traces(&self) -> Vec<SourceTrace> {
        self.traces_since(Nanoseconds(0))
    }

    /// The polls at or after an instant; gaps that had not ended by then.
    pub fn traces_since(&self, from: Nanoseconds) -> Vec<SourceTrace> {
        let now = self.clock.now();
        self.taps.iter().map(|tap| lock(tap).copy_since(from, now)).collect()
    }

    /// Drops the polls before an instant, but for those since each channel's last value before it: a counter's next
    /// difference and a state that goes on need that one. Memory stays bounded where this is called again and again.
    pub fn forget_before(&self, instant: Nanoseconds) {
        for tap in &self.taps {
            lock(tap).forget_before(instant);
        }
    }

    /// Ticks of each source that passed without a poll because the one before took too long.
    pub fn skipped_ticks(&self) -> Vec<u64> {
        self.taps.iter().map(|tap| lock(tap).skipped).collect()
    }

    /// Stops polling and hands over the traces.
    pub fn stop(mut self) -> Vec<SourceTrace> {
        self.end();
        self.traces()
    }

    fn end(&mut self) {
        self.halt.set();
        let patience = std::time::Instant::now();
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && patience.elapsed() < STOP_PATIENCE {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // A source that panicked has already ended its own trace; the run's other readings stand.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.end();
    }
}

/// A locked buffer, also after a panic of the thread that held it: the readings in it are whole.
fn lock(buffer: &Mutex<Buffer>) -> std::sync::MutexGuard<'_, Buffer> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the threads to stop, and wakes those that wait.
#[derive(Default)]
struct Halt {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Halt {
    fn set(&self) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
    fn is_set(&self) -> bool {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Waits until an instant; true if told to stop.
    fn wait_until(&self, due: Nanoseconds, clock: &RunClock) -> bool {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = due.0.saturating_sub(clock.now().0);
            if *set || left == 0 {
                return *set;
            }
            let waited = self.changed.wait_timeout(set, Duration::from_nanos(left));
            set = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// One source with its grid of ticks.
struct Tap {
    source: Box<dyn PowerSource>,
    clock: RunClock,
    scratch: Vec<Option<f64>>,
    buffer: Arc<Mutex<Buffer>>,
    origin: Nanoseconds,
    period_ns: f64,
    ticks: u64,
}

impl Tap {
    fn new(source: Box<dyn PowerSource>, hz: f64, clock: RunClock, keep: Option<Seconds>) -> Self {
        let useful = source.useful_hz().map_or(hz, |useful| useful.min(hz));
        let hz = if useful.is_nan() { 1.0 } else { useful.clamp(*CADENCE_HZ.start(), *CADENCE_HZ.end()) };
        let origin = clock.now();
        let buffer =
            Buffer { keep_ns: keep.map(Seconds::to_nanoseconds), ..Buffer::new(source.info().clone(), hz, origin) };
        Self {
            scratch: vec![None; source.info().channels.len()],
            source,
            clock,
            buffer: Arc::new(Mutex::new(buffer)),
            origin,
            period_ns: NANOSECONDS_PER_SECOND / hz,
            ticks: 0,
        }
    }

    fn due(&self, tick: u64) -> Nanoseconds {
        Nanoseconds(self.origin.0 + (tick as f64 * self.period_ns).round() as u64)
    }

    /// Polls once and returns the instant of the next poll; `None` if the sensor is gone for good.
    fn tick(&mut self) -> Option<Nanoseconds> {
        let before = self.clock.now();
        self.scratch.fill(None);
        let outcome = self.source.poll(before, &mut self.scratch);
        let after = self.clock.now();
        // A read that takes time is stamped at its middle.
        let at = Nanoseconds(before.0 + after.0.saturating_sub(before.0) / 2);
        let mut buffer = lock(&self.buffer);
        let note = &self.source.info().note;
        if *note != buffer.trace.source.note {
            buffer.trace.source.note.clone_from(note);
        }
        let alive = buffer.note(at, &self.scratch, outcome);
        let passed = (after.since(self.origin).get() * NANOSECONDS_PER_SECOND / self.period_ns).ceil() as u64;
        let next = passed.max(self.ticks + 1);
        buffer.skipped += next - (self.ticks + 1);
        self.ticks = next;
        alive.then(|| self.due(next))
    }
}

/// The trace of one source while it grows.
struct Buffer {
    trace: SourceTrace,
    started: Nanoseconds,
    last_good: Vec<Option<Nanoseconds>>,
    open_channels: Vec<Option<usize>>,
    open_source: Option<usize>,
    late_ns: u64,
    skipped: u64,
    /// Age at which polls are forgotten; `None` keeps all.
    keep_ns: Option<u64>,
}

impl Buffer {
    fn new(source: SourceInfo, hz: f64, started: Nanoseconds) -> Self {
        let columns = source
            .channels
            .iter()
            .map(|channel| ChannelTrace { channel: channel.id.clone(), values: Vec::with_capacity(FIRST_CAPACITY) });
        let columns: Vec<ChannelTrace> = columns.collect();
        Self {
            started,
            last_good: vec![None; columns.len()],
            open_channels: vec![None; columns.len()],
            open_source: None,
            late_ns: Seconds::new(LATE_PERIODS / hz).to_nanoseconds(),
            skipped: 0,
            keep_ns: None,
            trace: SourceTrace {
                source,
                requested_hz: hz,
                t_ns: Vec::with_capacity(FIRST_CAPACITY),
                columns,
                gaps: Vec::new(),
            },
        }
    }

    /// Writes down one poll. False if the sensor is gone.
    fn note(&mut self, at: Nanoseconds, values: &[Option<f64>], outcome: Result<(), PollError>) -> bool {
        let last_poll = self.trace.t_ns.last().copied();
        if last_poll.is_some_and(|last| at <= last) {
            // Two polls within one nanosecond cannot both stand in a trace whose instants increase.
            return true;
        }
        match outcome {
            Err(PollError::Gone(reason)) => {
                self.open_source_gap(reason);
                return false;
            }
            Err(PollError::Transient(reason)) => {
                self.open_source_gap(reason);
                self.push(at, values.iter().map(|_| None));
            }
            Ok(()) => {
                self.note_lateness(at, last_poll);
                if let Some(open) = self.open_source.take() {
                    self.trace.gaps[open].until_ns = Some(at);
                }
                for (index, value) in values.iter().enumerate() {
                    self.note_channel(index, at, value.filter(|v| v.is_finite()).is_some());
                }
                self.push(at, values.iter().map(|value| value.filter(|v| v.is_finite())));
            }
        }
        self.forget(at);
        true
    }

    /// Drops polls and ended gaps beyond the age that is kept, once they are more than half of all: a poll then costs a
    /// constant time on average.
    fn forget(&mut self, now: Nanoseconds) {
        let Some(keep) = self.keep_ns else { return };
        let horizon = Nanoseconds(now.0.saturating_sub(keep));
        let old = self.trace.t_ns.partition_point(|t| *t < horizon);
        if old * 2 > self.trace.t_ns.len() {
            self.drop_first(old, horizon);
        }
    }

    /// Drops polls before an instant, but for at most [`LAST_VALUES`] that hold the last value of some channel.
    fn forget_before(&mut self, instant: Nanoseconds) {
        let old = self.trace.t_ns.partition_point(|t| *t < instant);
        let least = old.saturating_sub(LAST_VALUES);
        let last = |column: &ChannelTrace| column.values[least..old].iter().rposition(Option::is_some);
        let kept = self.trace.columns.iter().filter_map(last).min().map_or(old, |first| least + first);
        let horizon = self.trace.t_ns.get(kept).copied().unwrap_or(instant).min(instant);
        self.drop_first(kept, horizon);
    }

    /// Drops the first `old` polls, and the gaps that ended before `horizon`.
    fn drop_first(&mut self, old: usize, horizon: Nanoseconds) {
        self.trace.t_ns.drain(..old);
        for column in &mut self.trace.columns {
            column.values.drain(..old);
        }
        let kept = |gap: &Gap| gap.until_ns.is_none_or(|until| until >= horizon);
        let before = |index: usize, gaps: &[Gap]| gaps[..index].iter().filter(|gap| kept(gap)).count();
        let gaps = std::mem::take(&mut self.trace.gaps);
        self.open_source = self.open_source.map(|open| before(open, &gaps));
        for open in &mut self.open_channels {
            *open = open.map(|open| before(open, &gaps));
        }
        self.trace.gaps = gaps.into_iter().filter(kept).collect();
    }

    fn push(&mut self, at: Nanoseconds, values: impl Iterator<Item = Option<f64>>) {
        self.trace.t_ns.push(at);
        for (column, value) in self.trace.columns.iter_mut().zip(values) {
            column.values.push(value);
        }
    }

    fn note_lateness(&mut self, at: Nanoseconds, last_poll: Option<Nanoseconds>) {
        let Some(last) = last_poll else { return };
        let hole = at.0 - last.0;
        if hole > self.late_ns && self.open_source.is_none() {
            let reason = format!(
                "the sampler was late: {:.3} s between two polls instead of {:.3} s",
                hole as f64 / NANOSECONDS_PER_SECOND,
                1.0 / self.trace.requested_hz
            );
            self.trace.gaps.push(Gap { channel: None, from_ns: last, until_ns: Some(at), reason });
        }
    }

    fn note_channel(&mut self, index: usize, at: Nanoseconds, good: bool) {
        if good {
            self.last_good[index] = Some(at);
            if let Some(open) = self.open_channels[index].take() {
                self.trace.gaps[open].until_ns = Some(at);
            }
        } else if self.open_channels[index].is_none() {
            self.open_channels[index] = Some(self.trace.gaps.len());
            self.trace.gaps.push(Gap {
                channel: Some(self.trace.columns[index].channel.clone()),
                from_ns: self.last_good[index].unwrap_or(self.started),
                until_ns: None,
                reason: "the sensor gave no value".to_owned(),
            });
        }
    }

    fn open_source_gap(&mut self, reason: String) {
        match self.open_source {
            // The last word counts: a sensor that fails and then vanishes has vanished.
            Some(open) => self.trace.gaps[open].reason = reason,
            None => {
                let from_ns = self.last_good.iter().flatten().max().copied().unwrap_or(self.started);
                self.open_source = Some(self.trace.gaps.len());
                self.trace.gaps.push(Gap { channel: None, from_ns, until_ns: None, reason });
            }
        }
    }

    /// A sensor whose poll has not come back is named as a gap that has no end yet.
    fn silence(&self, now: Nanoseconds) -> Option<Gap> {
        let last = self.trace.t_ns.last().copied().unwrap_or(self.started);
        let silent = now.0.saturating_sub(last.0);
        (self.open_source.is_none() && silent > self.late_ns.max(SILENCE.to_nanoseconds())).then(|| Gap {
            channel: None,
            from_ns: last,
            until_ns: None,
            reason: format!("the sensor hangs: no answer for {:.1} s", Seconds::from_nanoseconds(silent).get()),
        })
    }

    fn copy_since(&self, from: Nanoseconds, now: Nanoseconds) -> SourceTrace {
        let first = self.trace.t_ns.partition_point(|t| *t < from);
        let columns = self
            .trace
            .columns
            .iter()
            .map(|column| ChannelTrace { channel: column.channel.clone(), values: column.values[first..].to_vec() });
        let gaps = self.trace.gaps.iter().filter(|gap| gap.until_ns.is_none_or(|until| until >= from));
        SourceTrace {
            source: self.trace.source.clone(),
            requested_hz: self.trace.requested_hz,
            t_ns: self.trace.t_ns[first..].to_vec(),
            columns: columns.collect(),
            gaps: gaps.cloned().chain(self.silence(now)).collect(),
        }
    }
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
