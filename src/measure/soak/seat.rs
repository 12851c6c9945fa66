//! One phase on one device: the case, whether it is ready, and what was measured of it in the current segment.
//!
//! What surprises people: a wrong output does not end anything here; it is counted, the first of a segment is told in the
//! record, and the digests of all windows stand beside it.

use std::thread::JoinHandle;

use super::output::{Output, digest};
use crate::gpu::{Accelerator, ByteRange, GpuError, Job};
use crate::measure::case::{Session, timing};
use crate::model::{
    Case, Check, Device, InjectedError, Measurement, Phase, Skip, StopReason, Sustained, Verification, Warning, Window,
};

/// Whether a seat can be loaded.
pub enum State {
    /// Nothing was tried yet, or the device was lost in it.
    Waiting,
    /// Verified and calibrated.
    Ready(Box<Ready>),
    /// The device cannot run it.
    Refused(Box<Skip>),
}

/// A case that was verified and calibrated.
pub struct Ready {
    /// The case.
    pub session: Session,
    /// What is digested.
    pub output: Output,
    /// The digest that every window must have: known, or that of the first right output.
    pub expected: Option<String>,
}

/// What was found of a seat in the current segment.
#[derive(Default)]
pub struct Facts {
    /// Windows of all kinds.
    pub windows: Vec<Window>,
    /// One for each measured window; empty until it is known.
    pub digests: Vec<String>,
    /// The first wrong output: what and when.
    pub failure: Option<(String, String)>,
    /// Wrong outputs.
    pub failures: u32,
    /// The last full check that passed.
    pub after: Option<Check>,
    /// What weakens the figures.
    pub warnings: Vec<Warning>,
    /// The error that was made on purpose.
    pub injected: Option<InjectedError>,
}

impl Facts {
    fn is_empty(&self) -> bool {
        self.digests.is_empty() && self.failure.is_none()
    }
}

/// One phase on one device.
pub struct Seat {
    /// The phase.
    pub phase: Phase,
    /// The case.
    pub case: Case,
    /// Whether it can be loaded.
    pub state: State,
    /// The device with the case loaded; `None` when it is not, or while a lane has it.
    pub accelerator: Option<Box<dyn Accelerator>>,
    /// What was found in this segment.
    pub facts: Facts,
    /// Measured windows of this process.
    pub windows: u64,
    /// True once an error was made on purpose.
    pub injected: bool,
    /// Digests that are being computed, with the index of their window in the facts.
    hashing: Vec<(usize, JoinHandle<String>)>,
    /// Index in the facts of the window with the error that was made on purpose.
    spoilt: Option<usize>,
}

impl Seat {
    /// A seat that nothing was tried of.
    pub fn new(phase: Phase, case: Case) -> Self {
        Self {
            phase,
            case,
            state: State::Waiting,
            accelerator: None,
            facts: Facts::default(),
            windows: 0,
            injected: false,
            hashing: Vec::new(),
            spoilt: None,
        }
    }

    /// What is known of it, if it is ready.
    pub fn ready(&self) -> Option<&Ready> {
        match &self.state {
            State::Ready(ready) => Some(ready),
            _ => None,
        }
    }

    /// Keeps a window, and has its output digested by another thread: the one that feeds the devices has no time for it.
    pub fn keep(&mut self, window: Window, output: Vec<u8>) {
        self.facts.windows.push(window);
        let index = self.facts.digests.len();
        self.facts.digests.push(String::new());
        self.windows += 1;
        let work = std::thread::Builder::new().name("wattmark-digest".to_owned());
        // A digest that cannot be computed stays empty: its window was not looked at.
        self.hashing.extend(work.spawn(move || digest(&output)).ok().map(|thread| (index, thread)));
    }

    /// Makes an error in the output of the window that is under way, looks at it with every check, and keeps what was
    /// done. The stream must be empty.
    pub fn spoil(&mut self, accelerator: &mut dyn Accelerator) -> Result<(), GpuError> {
        self.injected = true;
        let State::Ready(ready) = &self.state else { return Ok(()) };
        let checks = &ready.session.checks;
        let Some(error) = checks.inject(accelerator, &ready.session.instance)? else { return Ok(()) };
        let noticed = checks.look(accelerator)?.is_err();
        self.facts.injected = Some(InjectedError { caught: noticed, ..error });
        self.spoilt = Some(self.facts.digests.len());
        Ok(())
    }

    /// True if an error was made on purpose in this turn.
    pub fn is_spoilt(&self) -> bool {
        self.spoilt.is_some()
    }

    /// Waits for the digests of a turn and compares them: the wrong ones in words, with the number of the window.
    pub fn compare(&mut self) -> Vec<(String, String)> {
        let hashed: Vec<(usize, JoinHandle<String>)> = self.hashing.drain(..).collect();
        let mut wrong = Vec::new();
        let spoilt = self.spoilt.take();
        let State::Ready(ready) = &mut self.state else { return wrong };
        let known = ready.output.known.is_some();
        let first = self.windows + 1 - self.facts.digests.len() as u64;
        for (index, thread) in hashed {
            let Ok(found) = thread.join() else { continue };
            let expected = ready.expected.get_or_insert_with(|| found.clone());
            let differs = *expected != found;
            if spoilt == Some(index) {
                if let Some(error) = &mut self.facts.injected {
                    error.caught |= differs;
                }
            } else if differs {
                let origin = if known { "that of exact arithmetic" } else { "that of the first right output" };
                let detail = format!(
                    "the output's SHA-256 is {}…, and not {}…, {origin}",
                    found.get(..12).unwrap_or_default(),
                    expected.get(..12).unwrap_or_default()
                );
                wrong.push((detail, format!("after window {}", first + index as u64)));
            }
            if let Some(slot) = self.facts.digests.get_mut(index) {
                *slot = found;
            }
        }
        wrong
    }

    /// Counts a wrong output; the first of a segment is told.
    pub fn fail(&mut self, detail: String, when: String) {
        self.facts.failures += 1;
        self.facts.failure.get_or_insert((detail, when));
    }

    /// Forgets the current segment's facts.
    pub fn forget(&mut self) {
        self.facts = Facts::default();
    }

    /// The measurement of the current segment; `None` if there is none.
    pub fn measurement(&self, device: &Device, interrupted: bool) -> Option<Measurement> {
        let ready = self.ready()?;
        if self.facts.is_empty() {
            return None;
        }
        let mut measurement = ready.session.measurement.clone();
        measurement.windows = self.facts.windows.clone();
        measurement.injected = self.facts.injected.clone();
        measurement.stop = interrupted.then_some(StopReason::Interrupted);
        measurement.calibration = Some(ready.session.calibration.clone());
        measurement.warnings.extend(self.facts.warnings.iter().cloned());
        measurement.verification = self.verdict(ready);
        measurement.sustained = Some(Sustained {
            phase: self.phase,
            digested_bytes: ready.output.digested,
            output_bytes: ready.output.bytes,
            known: ready.output.known.clone(),
            digests: self.facts.digests.clone(),
        });
        if measurement.measured().next().is_some() {
            let (timing, warning) = timing(device, &measurement);
            measurement.timing = Some(timing);
            measurement.warnings.extend(warning);
        }
        Some(measurement)
    }

    fn verdict(&self, ready: &Ready) -> Verification {
        let before = ready.session.checks.before.clone();
        match &self.facts.failure {
            None => Verification::Passed { after: self.facts.after.clone().unwrap_or_else(|| before.clone()), before },
            Some((detail, when)) => {
                let more = self.facts.failures - 1;
                let detail = if more > 0 { format!("{detail}; {more} more in this segment") } else { detail.clone() };
                Verification::Failed { detail, when: when.clone() }
            }
        }
    }
}

/// Digest of the output as it is now. Nothing may be in flight.
pub fn digest_now(accelerator: &mut dyn Accelerator, ranges: &[ByteRange]) -> Result<String, GpuError> {
    let ticket = accelerator.submit(&Job::Probe { ranges: ranges.to_vec() })?;
    Ok(digest(&accelerator.wait(ticket)?.bytes))
}
