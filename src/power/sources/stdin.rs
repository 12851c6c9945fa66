//! Readings that any program writes to our standard input, one a line: `NAME TIME_NS VALUE`.
//!
//! `PROGRAM | wattmark run --power stdin[:NAME=SCOPE,…]`. Each name is a source of its own; one thread reads the lines and
//! deals them out. What surprises people: TIME_NS is Unix time in nanoseconds by the clock of whoever wrote it. A reading
//! whose stamp lies in our future is left out and counted, because then one of the two clocks is wrong.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stamped::{Fault, Tally, Timeline, number};
use super::stdin_names::{Names, Unit};
use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::Seconds;

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "stdin",
    summary: "any program that writes lines `NAME TIME_NS VALUE` to standard input (`--power stdin:NAME=SCOPE,…`)",
    automatic: false,
    open,
};

/// How far in the future a stamp may lie: rounding, and the drift between two clocks that are kept in step.
const FUTURE_TOLERANCE_S: f64 = 1.0;
/// Longest line.
const LONGEST_LINE: u64 = 4096;
/// Stamps below this are before 1973 in nanoseconds: seconds, milliseconds or microseconds by mistake.
const LEAST_NS: i128 = 100_000_000_000_000_000;
const REMEDY: &str = "pipe a program that writes lines `NAME TIME_NS VALUE` (Unix nanoseconds, watts) into this command: \
                      PROGRAM | wattmark run --power stdin:NAME=wall-ac";

fn open(context: &ProbeContext) -> Findings {
    let what = "standard input".to_owned();
    let obstacle = |why: String, remedy: &str| Findings {
        sources: Vec::new(),
        obstacles: vec![Obstacle { what: what.clone(), why, remedy: remedy.to_owned() }],
    };
    let names = match Names::parse(context.argument.as_deref().unwrap_or_default()) {
        Ok(names) => names,
        Err(why) => {
            return obstacle(
                why,
                "write --power stdin[:NAME=SCOPE[@DEVICE],…][,scope=SCOPE][,period=SECONDS][,wait=SECONDS]",
            );
        }
    };
    let input = std::io::stdin();
    if input.is_terminal() {
        return obstacle("it is a terminal, and no program writes to it".to_owned(), REMEDY);
    }
    match listen(BufReader::new(input), names, &context.clock) {
        Ok(sources) => Findings { sources, obstacles: Vec::new() },
        Err(why) => obstacle(why, REMEDY),
    }
}

/// What the reading thread and the sources share.
struct Feed {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    streams: Vec<Stream>,
    lines: u64,
    /// True once a name has come twice: then the first round is over.
    repeated: bool,
    /// True once names are fixed, because sources were made of them.
    settled: bool,
    ended: bool,
    /// Lines that belong to no name.
    tally: Tally,
}

struct Stream {
    name: String,
    unit: Unit,
    timeline: Timeline<f64>,
    tally: Tally,
    came: u64,
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the reading thread, waits for the first readings, and makes a source of each name.
fn listen(
    input: impl BufRead + Send + 'static,
    names: Names,
    clock: &RunClock,
) -> Result<Vec<Box<dyn PowerSource>>, String> {
    let feed = Arc::new(Feed { state: Mutex::default(), changed: Condvar::new() });
    let zero_ns = jiff::Timestamp::now().as_nanosecond() - i128::from(clock.now().0);
    let reader = Reader { feed: Arc::clone(&feed), names: names.clone(), clock: clock.clone(), zero_ns };
    std::thread::Builder::new()
        .name("wattmark-stdin".to_owned())
        .spawn(move || reader.read_all(input))
        .map_err(|error| format!("the reading thread did not start: {error}"))?;
    let mut state = await_names(&feed, &names, matches!(clock, RunClock::Simulated(_)));
    if state.streams.is_empty() {
        let why = if state.ended { "it ended before the first reading" } else { "no reading came" };
        return Err(state.tally.note(&format!("{why} within {} s, {} lines read", names.wait.get(), state.lines)));
    }
    let missing: Vec<&str> = names.declared().filter(|name| !state.streams.iter().any(|s| s.name == *name)).collect();
    if !missing.is_empty() {
        return Err(format!(
            "no reading named {} came within {} s; seen: {}",
            missing.join(", "),
            names.wait.get(),
            state.streams.iter().map(|stream| stream.name.as_str()).collect::<Vec<_>>().join(", ")
        ));
    }
    state.settled = true;
    let period =
        names.period.or_else(|| state.streams.iter().find_map(|stream| stream.timeline.period_s()).map(Seconds::new));
    let lines = (0..state.streams.len()).map(|index| -> Box<dyn PowerSource> {
        let info = info(&state.streams[index], &names, period);
        Box::new(Line { note: info.note.clone(), info, index, feed: Arc::clone(&feed) })
    });
    Ok(lines.collect())
}

/// Waits until every declared name has come, or without declarations until the first name comes again; no longer than the
/// names' patience. With `all` it waits for the end: simulated time does not wait for a program that writes.
fn await_names<'a>(feed: &'a Feed, names: &Names, all: bool) -> MutexGuard<'a, State> {
    let deadline = Instant::now() + Duration::from_secs_f64(names.wait.get());
    let mut state = feed.lock();
    loop {
        let known = |name: &str| state.streams.iter().any(|stream| stream.name == name);
        let complete =
            if names.has_declared() { names.declared().all(known) && state.repeated } else { state.repeated };
        let left = deadline.saturating_duration_since(Instant::now());
        if (complete && !all) || state.ended || left.is_zero() {
            return state;
        }
        state = feed.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// The thread that reads lines.
struct Reader {
    feed: Arc<Feed>,
    names: Names,
    clock: RunClock,
    /// Unix nanoseconds at which the run's clock read zero.
    zero_ns: i128,
}

impl Reader {
    fn read_all(self, mut input: impl BufRead) {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(_) => self.take(&bytes),
            }
            // Without sources there is nobody left to read for.
            if Arc::strong_count(&self.feed) == 1 {
                return;
            }
        }
        self.feed.lock().ended = true;
        self.feed.changed.notify_all();
    }

    fn take(&self, bytes: &[u8]) {
        let arrived_s = self.clock.now().since(Nanoseconds(0)).get();
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        let mut state = self.feed.lock();
        state.lines += 1;
        let line = state.lines;
        if text.is_empty() || text.starts_with('#') {
            return;
        }
        match self.parse(text) {
            Ok((name, at_s, value)) => self.deal(&mut state, (name, at_s, value), line, arrived_s),
            Err(why) => state.tally.add(Fault::Malformed, line, || why),
        }
        drop(state);
        self.feed.changed.notify_all();
    }

    /// Name, seconds on the run's clock, and number of a line.
    fn parse<'a>(&self, text: &'a str) -> Result<(&'a str, f64, f64), String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [name, stamp, value] = fields[..] else {
            let start: String = text.chars().take(60).collect();
            return Err(format!("`{start}` has {} words instead of NAME TIME_NS VALUE", fields.len()));
        };
        let stamp_ns: i128 =
            stamp.parse().map_err(|_| format!("TIME_NS `{stamp}` is not a whole number of nanoseconds"))?;
        if stamp_ns < LEAST_NS {
            return Err(format!("TIME_NS `{stamp}` is too small for Unix nanoseconds; is it seconds, ms or µs?"));
        }
        let value = number(value, false)?;
        Ok((name, (stamp_ns - self.zero_ns) as f64 / 1e9 + self.names.offset_s, value))
    }

    fn deal(&self, state: &mut State, (name, at_s, value): (&str, f64, f64), line: u64, arrived_s: f64) {
        let Some(index) = self.stream(state, name) else {
            state.tally.add(Fault::Unknown, line, || format!("`{name}`"));
            return;
        };
        // On the simulated clock readings wait for their time; on a real one no reading can come before it was taken.
        let real = matches!(self.clock, RunClock::Wall(_));
        let stream = &mut state.streams[index];
        stream.came += 1;
        let repeated = stream.came > 1;
        let value = value * stream.unit.factor;
        let machine = matches!(self.names.of(name).0, Scope::HostDc | Scope::WallAc);
        if !stream.unit.counts && (value < 0.0 || (value == 0.0 && machine)) {
            stream.tally.add(Fault::Malformed, line, || format!("{value} W cannot be"));
        } else if real && at_s > arrived_s + FUTURE_TOLERANCE_S {
            stream.tally.add(Fault::Ahead, line, || {
                format!(
                    "{:.1} s ahead of this machine's clock; set the clocks, or give offset=SECONDS",
                    at_s - arrived_s
                )
            });
        } else {
            match stream.timeline.append(at_s, value) {
                Err((fault, by)) => stream.tally.add(fault, line, || format!("{by} s before the reading above")),
                // Keeps what waits short, also while nobody polls.
                Ok(()) if real => stream.timeline.advance(arrived_s),
                Ok(()) => {}
            }
        }
        state.repeated |= repeated;
    }

    /// The stream of a name; a new one while names are still being learnt.
    fn stream(&self, state: &mut State, name: &str) -> Option<usize> {
        let found = state.streams.iter().position(|stream| stream.name == name);
        if found.is_some() || state.settled || !self.names.wants(name) {
            return found;
        }
        let (unit, timeline) = (Unit::of(name), Timeline::new(self.names.period.map(Seconds::get)));
        state.streams.push(Stream { name: name.to_owned(), unit, timeline, tally: Tally::default(), came: 0 });
        Some(state.streams.len() - 1)
    }
}

fn info(stream: &Stream, names: &Names, period: Option<Seconds>) -> SourceInfo {
    let (quantity, id) = match stream.unit.counts {
        true => (Quantity::EnergyCounter, "energy.line"),
        false => (Quantity::AveragedPower, "power.line"),
    };
    let (scope, device) = names.of(&stream.name);
    let period_note = match (names.period, period) {
        (Some(_), _) => "update period as declared".to_owned(),
        (None, Some(_)) => "update period taken from the first two readings".to_owned(),
        (None, None) => "update period unknown".to_owned(),
    };
    SourceInfo {
        id: format!("{}:{}", PROBE.kind, stream.name),
        kind: PROBE.kind.to_owned(),
        device,
        evidence: Evidence::Measured,
        note: format!(
            "lines `{} TIME_NS VALUE` of another program, in {}; each poll reports the last line whose time had come; \
             {period_note}; clock offset {} s",
            stream.name, stream.unit.name, names.offset_s
        ),
        channels: vec![Channel { update_period_s: period, ..Channel::new(id, quantity, scope) }],
    }
}

/// The readings of one name.
struct Line {
    info: SourceInfo,
    /// The note without its count of lines left out.
    note: String,
    index: usize,
    feed: Arc<Feed>,
}

impl PowerSource for Line {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let now_s = now.since(Nanoseconds(0)).get();
        let mut state = self.feed.lock();
        let State { streams, tally, ended, lines, .. } = &mut *state;
        let (ended, lines, stream) = (*ended, *lines, &mut streams[self.index]);
        // Lines without a usable name are told by the first source.
        let changed = stream.tally.take_changed() | (self.index == 0 && tally.take_changed());
        if changed {
            let tallies = [&stream.tally, &*tally];
            self.info.note = Tally::note_all(&self.note, if self.index == 0 { &tallies } else { &tallies[..1] });
        }
        stream.timeline.advance(now_s);
        match stream.timeline.fresh(now_s) {
            Some(value) => {
                if let Some(slot) = values.first_mut() {
                    *slot = Some(value);
                }
                Ok(())
            }
            None if ended && stream.timeline.is_exhausted() => {
                Err(PollError::Gone(format!("standard input ended after {lines} lines")))
            }
            None => Err(PollError::Transient(format!("`{}`: {}", stream.name, stream.timeline.absence(now_s)))),
        }
    }
}

#[cfg(test)]
#[path = "stdin_tests.rs"]
mod tests;
