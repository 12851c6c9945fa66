//! One execution of a program: started, its output passed on, waited for, and asked to end together with its children.
//!
//! What surprises people: the program gets a process group of its own unless a terminal is its input, because only a
//! group can be stopped as a whole, and only the terminal's own group may read from the terminal. Signals to this
//! program are then passed on to the group.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::scan::{Pattern, Scanner, Tally, tallies};
use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::model::CommandExit;
use crate::units::Seconds;

/// Longest wait at a time, so that Ctrl-C is heard.
const NAP: Duration = Duration::from_millis(50);
/// Output that comes from a program's children after its end is waited for until it has been still for this long.
const STILL: Seconds = Seconds::new(0.2);
/// Longest wait for such output.
const LONGEST_DRAIN: Seconds = Seconds::new(2.0);

/// Where a stream of the program's output goes; made anew for each execution.
pub type Sink = dyn Fn() -> Box<dyn Write + Send>;

/// How a program is started.
pub struct Launch<'a> {
    /// Program and arguments.
    pub command: &'a [OsString],
    /// Whether it gets a process group of its own.
    pub own_group: bool,
    /// Whether it finds an empty input in place of this program's.
    pub no_input: bool,
    /// What is looked for in its output; without a pattern its output is not touched at all.
    pub patterns: Arc<Vec<Pattern>>,
    /// Where its standard output goes, if it must be read.
    pub out: &'a Sink,
    /// Where its standard error goes, if it must be read.
    pub err: &'a Sink,
}

/// A program that was started.
pub struct Running {
    id: u32,
    own_group: bool,
    clock: RunClock,
    /// Just before it was started.
    pub started: Nanoseconds,
    end: Receiver<(Nanoseconds, io::Result<ExitStatus>)>,
    /// When it ended and how, once known.
    pub ended: Option<(Nanoseconds, CommandExit)>,
    tallies: Arc<Mutex<Vec<Tally>>>,
    pumps: Vec<Pump>,
}

/// A thread that passes one stream on and lets it be searched.
struct Pump {
    thread: JoinHandle<()>,
    scanner: Arc<Mutex<Scanner>>,
    last_byte: Arc<AtomicU64>,
    open: Arc<AtomicBool>,
}

impl Launch<'_> {
    /// Starts the program; the error is the system's.
    pub fn start(&self, clock: &RunClock) -> io::Result<Running> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments);
        if self.no_input {
            command.stdin(Stdio::null());
        }
        let scans = !self.patterns.is_empty();
        if scans {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        #[cfg(unix)]
        if self.own_group {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let started = clock.now();
        let mut child = command.spawn()?;
        let tallies = tallies(&self.patterns);
        let mut pumps = Vec::new();
        let mut pump = |source: Box<dyn Read + Send>, sink: &Sink| -> io::Result<()> {
            let scanner = Scanner::new(Arc::clone(&self.patterns), Arc::clone(&tallies));
            pumps.push(Pump::start(source, sink(), scanner, clock.clone())?);
            Ok(())
        };
        if let Some(stdout) = child.stdout.take() {
            pump(Box::new(stdout), self.out)?;
        }
        if let Some(stderr) = child.stderr.take() {
            pump(Box::new(stderr), self.err)?;
        }
        let (tell, end) = mpsc::channel();
        let (id, watch) = (child.id(), clock.clone());
        // Waiting in a thread of its own stamps the end at once, without polling beside the program.
        std::thread::Builder::new().name("wattmark-child".to_owned()).spawn(move || {
            let status = child.wait();
            // Nobody listens any more when the metering was given up.
            let _ = tell.send((watch.now(), status));
        })?;
        Ok(Running { id, own_group: self.own_group, clock: clock.clone(), started, end, ended: None, tallies, pumps })
    }
}

impl Pump {
    fn start(
        mut source: Box<dyn Read + Send>,
        mut sink: Box<dyn Write + Send>,
        scanner: Scanner,
        clock: RunClock,
    ) -> io::Result<Self> {
        let scanner = Arc::new(Mutex::new(scanner));
        let (last_byte, open) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
        let (scan, last, still_open) = (Arc::clone(&scanner), Arc::clone(&last_byte), Arc::clone(&open));
        let copy = move || {
            let mut buffer = vec![0u8; 1 << 16];
            loop {
                let length = match source.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => length,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => break,
                };
                last.store(clock.now().0, Ordering::Relaxed);
                // When the reader of this program's output is gone, the program's own next write must fail, too.
                let passed_on = sink.write_all(&buffer[..length]).and_then(|()| sink.flush());
                scan.lock().unwrap_or_else(PoisonError::into_inner).feed(&buffer[..length]);
                if passed_on.is_err() {
                    break;
                }
            }
            scan.lock().unwrap_or_else(PoisonError::into_inner).finish();
            still_open.store(false, Ordering::Relaxed);
        };
        let thread = std::thread::Builder::new().name("wattmark-output".to_owned()).spawn(copy)?;
        Ok(Self { thread, scanner, last_byte, open })
    }
}

impl Running {
    /// Waits until an instant, the program's end, or `stop`; true if the instant was reached.
    pub fn wait_until(&mut self, when: Option<Nanoseconds>, stop: &dyn Fn() -> bool) -> bool {
        while self.ended.is_none() && !stop() {
            let left = when.map(|when| Duration::from_nanos(when.0.saturating_sub(self.clock.now().0)));
            if left.is_some_and(|left| left.is_zero()) {
                return true;
            }
            self.listen(left.map_or(NAP, |left| left.min(NAP)));
        }
        false
    }

    fn listen(&mut self, patience: Duration) {
        match self.end.recv_timeout(patience) {
            Ok((at, Ok(status))) => self.ended = Some((at, exit_of(status))),
            // It cannot be waited for: it is gone, and nobody knows how.
            Ok((at, Err(_))) => self.ended = Some((at, CommandExit::Signal { signal: 0 })),
            Err(RecvTimeoutError::Disconnected) => {
                self.ended = Some((self.clock.now(), CommandExit::Signal { signal: 0 }));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }

    /// What its output said so far.
    pub fn found(&self) -> Vec<Tally> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what its output said so far, at the end of a warm-up.
    pub fn forget(&self) {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).fill(Tally::default());
    }

    /// Passes the rest of its output on: to its end, or, where its children hold it open, until it has been still.
    pub fn drain(&mut self) {
        let since = self.clock.now();
        let busy = |pump: &Pump, now: Nanoseconds| {
            let last = Nanoseconds(pump.last_byte.load(Ordering::Relaxed)).max(since);
            pump.open.load(Ordering::Relaxed) && now.since(last).get() < STILL.get()
        };
        while self.clock.now().since(since).get() < LONGEST_DRAIN.get() {
            let now = self.clock.now();
            if !self.pumps.iter().any(|pump| busy(pump, now)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        for pump in self.pumps.drain(..) {
            if pump.open.load(Ordering::Relaxed) {
                pump.scanner.lock().unwrap_or_else(PoisonError::into_inner).finish();
            } else {
                // It has ended; a panic in it cost the rest of one stream, which the missing match tells.
                let _ = pump.thread.join();
            }
        }
    }

    /// Asks it (and its group) to interrupt, as Ctrl-C would.
    pub fn interrupt(&self) {
        signal::send(self.id, self.own_group, signal::Wish::Interrupt);
    }

    /// Asks it and its children to end, waits for that as long as `grace`, then ends them by force.
    pub fn stop(&mut self, grace: Seconds, hurry: &dyn Fn() -> bool) {
        signal::send(self.id, self.own_group, signal::Wish::End);
        let patience = self.clock.now().plus(grace);
        self.wait_until(Some(patience), hurry);
        while self.own_group && signal::group_lives(self.id) && self.clock.now() < patience && !hurry() {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// Ends it (and its group) by force, and learns how it ended.
    pub fn kill(&mut self) {
        if self.ended.is_none() || self.own_group {
            signal::send(self.id, self.own_group, signal::Wish::Kill);
        }
        let patience = self.clock.now().plus(LONGEST_DRAIN);
        self.wait_until(Some(patience), &|| false);
    }
}

#[cfg(unix)]
fn exit_of(status: ExitStatus) -> CommandExit {
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    match (status.code(), signal) {
        (Some(code), _) => CommandExit::Code { code },
        (None, signal) => CommandExit::Signal { signal: signal.unwrap_or(0) },
    }
}

#[cfg(not(unix))]
fn exit_of(status: ExitStatus) -> CommandExit {
    status.code().map_or(CommandExit::Signal { signal: 0 }, |code| CommandExit::Code { code })
}

/// Signals to a program or to its group.
mod signal {
    /// What is asked of a program.
    #[derive(Clone, Copy)]
    pub enum Wish {
        Interrupt,
        End,
        Kill,
    }

    #[cfg(unix)]
    pub fn send(id: u32, group: bool, wish: Wish) {
        use nix::sys::signal::{Signal, kill, killpg};
        let Ok(id) = i32::try_from(id) else { return };
        let pid = nix::unistd::Pid::from_raw(id);
        let signal = match wish {
            Wish::Interrupt => Signal::SIGINT,
            Wish::End => Signal::SIGTERM,
            Wish::Kill => Signal::SIGKILL,
        };
        // It may have ended a moment ago, which is what was wished for.
        let _ = if group { killpg(pid, signal) } else { kill(pid, signal) };
    }

    #[cfg(unix)]
    pub fn group_lives(id: u32) -> bool {
        let pid = i32::try_from(id).map(nix::unistd::Pid::from_raw);
        pid.is_ok_and(|pid| nix::sys::signal::killpg(pid, None).is_ok())
    }

    /// Untested: there are no process groups here; `taskkill` ends a program with its children.
    #[cfg(not(unix))]
    pub fn send(id: u32, _group: bool, wish: Wish) {
        let force: &[&str] = if matches!(wish, Wish::Kill) { &["/F"] } else { &[] };
        let id = id.to_string();
        let _ = std::process::Command::new("taskkill").args(["/T", "/PID", &id]).args(force).output();
    }

    #[cfg(not(unix))]
    pub fn group_lives(_id: u32) -> bool {
        false
    }
}
