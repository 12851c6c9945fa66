//! Devices with scripted times, on a clock that moves only when slept on: every run of a scenario is the same to the
//! nanosecond, without a GPU.
//!
//! What surprises people: nothing is computed. Right outputs come from an [`Oracle`] that a higher room builds from the
//! float64 reference, and inputs are asked for but not kept.

mod faults;
mod script;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use faults::FaultScript;
pub use script::{DeviceScript, Rate, RateScript};

use super::enumerate::unknown_ordinal;
use super::{
    Accelerator, ByteRange, Completion, Filler, GpuError, Job, Machine, OutputReader, POISON_WORD, PoisonScan, Program,
    Role, Ticket, fit,
};
use crate::clock::{Activity, Busy, Clock, Nanoseconds, RunClock, SimulatedClock};
use crate::model::{Device, Feature, Scalar, TransferPath};
use crate::units::{Bytes, Seconds};

/// Gives the right bytes of a range of an output buffer.
pub type Oracle = Arc<dyn Fn(&Program, ByteRange) -> Vec<u8> + Send + Sync>;

/// Bytes of each input that are asked for, so that the caller's filler runs without the cost of a whole input.
const FILL_BYTES: u64 = 64 << 10;

/// Work and output up to which a simulated device gives whole outputs: its oracle computes each element by itself.
const WHOLE_OUTPUT_FLOP: f64 = 2_200_000.0;
const WHOLE_OUTPUT_BYTES: u64 = 64 << 10;

/// What a device has been through; it outlasts losing and opening it again.
#[derive(Debug, Default)]
struct History {
    /// Run jobs by variant.
    runs: BTreeMap<String, u64>,
    /// By index of a `lost` fault: run jobs since the last loss, and losses.
    losses: BTreeMap<usize, (u64, u64)>,
}

/// Simulated devices.
pub struct SimulatedMachine {
    devices: Vec<(Arc<DeviceScript>, Arc<Mutex<History>>)>,
    clock: SimulatedClock,
    activity: Activity,
    oracle: Oracle,
}

impl SimulatedMachine {
    /// Devices in the order of their scripts. They write to `activity` when they are busy.
    pub fn new(scripts: Vec<DeviceScript>, clock: SimulatedClock, activity: Activity, oracle: Oracle) -> Self {
        let devices = scripts.into_iter().map(|script| (Arc::new(script), Arc::default())).collect();
        Self { devices, clock, activity, oracle }
    }
}

impl std::fmt::Debug for SimulatedMachine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedMachine").field("devices", &self.devices).finish_non_exhaustive()
    }
}

impl Machine for SimulatedMachine {
    fn devices(&self) -> Vec<Device> {
        (0..).zip(&self.devices).map(|(ordinal, (script, _))| script.device(ordinal)).collect()
    }
    fn open(&self, ordinal: u32) -> Result<Box<dyn Accelerator>, GpuError> {
        let Some((script, history)) = self.devices.get(ordinal as usize) else {
            return Err(GpuError::NoDevice(unknown_ordinal(ordinal, self.devices.len())));
        };
        let accelerator = SimulatedAccelerator {
            device: script.device(ordinal),
            script: Arc::clone(script),
            history: Arc::clone(history),
            clock: self.clock.clone(),
            activity: self.activity.clone(),
            oracle: Arc::clone(&self.oracle),
            loaded: None,
            pending: BTreeMap::new(),
            next_ticket: 0,
            idle_from: Nanoseconds(0),
            contents: Contents::Zeros,
            written: BTreeMap::new(),
            lost: false,
            cargo: Vec::new(),
        };
        accelerator.check("opening the device")?;
        Ok(Box::new(accelerator))
    }
    fn clock(&self) -> RunClock {
        RunClock::Simulated(self.clock.clone())
    }
    fn is_simulated(&self) -> bool {
        true
    }
}

/// What the outputs hold at a point of the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Contents {
    /// Fresh memory.
    Zeros,
    /// Poison.
    Poison,
    /// Results.
    Results {
        /// Off by more than their size.
        wrong: bool,
        /// Part at the end of each output that was not written.
        unwritten: f64,
        /// One bit is wrong.
        flipped: bool,
    },
}

/// A job whose completion was not yet collected.
#[derive(Debug)]
struct Pending {
    end: Nanoseconds,
    device_ns: Option<u64>,
    probe: Vec<ByteRange>,
    contents: Contents,
    lost: bool,
}

struct SimulatedAccelerator {
    device: Device,
    script: Arc<DeviceScript>,
    history: Arc<Mutex<History>>,
    clock: SimulatedClock,
    activity: Activity,
    oracle: Oracle,
    /// The program, and the time of one dispatch.
    loaded: Option<(Program, Seconds)>,
    pending: BTreeMap<Ticket, Pending>,
    next_ticket: u64,
    idle_from: Nanoseconds,
    contents: Contents,
    /// Words written over the contents since the last run or poison, by buffer and byte offset.
    written: BTreeMap<(usize, u64), u32>,
    lost: bool,
    /// Bytes of the last transfer to the device.
    cargo: Vec<u8>,
}

impl SimulatedAccelerator {
    fn other(&self, during: &str, reason: impl Into<String>) -> GpuError {
        GpuError::Other { device: self.device.name.clone(), during: during.to_owned(), reason: reason.into() }
    }

    fn check(&self, during: &str) -> Result<(), GpuError> {
        let (device, during) = (self.device.name.clone(), during.to_owned());
        let reason = match (self.death(), self.lost) {
            (Some(death), _) if self.clock.now() >= death => "scripted death".to_owned(),
            (_, true) => "scripted loss".to_owned(),
            _ => return Ok(()),
        };
        Err(GpuError::Lost { device, during, reason })
    }

    fn death(&self) -> Option<Nanoseconds> {
        faults::death(&self.script.faults).map(|after| Nanoseconds(0).plus(after))
    }

    fn program(&self, during: &str) -> Result<&(Program, Seconds), GpuError> {
        self.check(during)?;
        self.loaded.as_ref().ok_or_else(|| self.other(during, "no program is loaded"))
    }

    fn run(&mut self, dispatches: u32) -> Result<Pending, GpuError> {
        let (program, time) = self.program("running")?;
        let (variant, pass) = (program.case.variant.clone(), *time * f64::from(dispatches));
        let (lost, contents) = self.suffer(&variant);
        let begin = self.idle_from.max(self.clock.now()).plus(self.script.overhead_s);
        let slowness = faults::slowness(&self.script.faults, &variant, begin.since(Nanoseconds(0)));
        let end = begin.plus(pass * slowness);
        // What runs when the device dies draws its power until then.
        let death = self.death().filter(|death| *death < end);
        let end = death.unwrap_or(end);
        self.idle_from = end;
        if !lost && begin < end {
            self.activity.push(Busy { from: begin, until: end, device: self.device.ordinal, variant });
        }
        let lost = lost || death.is_some();
        if !lost {
            self.contents = contents;
            self.written.clear();
        }
        let device_ns = self.device.features.contains(&Feature::Timestamps).then_some(end.0.saturating_sub(begin.0));
        Ok(Pending { end, device_ns, probe: Vec::new(), contents: self.contents, lost })
    }

    /// Counts a run of a variant: whether the device is lost in it, and what its outputs hold afterwards.
    fn suffer(&self, variant: &str) -> (bool, Contents) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = history.runs.entry(variant.to_owned()).or_default();
        *runs += 1;
        let runs = *runs;
        let (mut lost, mut wrong, mut unwritten, mut flipped) = (false, false, 0.0, false);
        let faults = self.script.faults.iter().enumerate().filter(|(_, fault)| fault.befalls(variant));
        for (index, fault) in faults {
            match fault {
                FaultScript::WrongOutput { after_runs, .. } => wrong |= runs > *after_runs,
                FaultScript::UnwrittenOutput { after_runs, fraction, .. } if runs > *after_runs => {
                    unwritten = fraction.clamp(0.0, 1.0);
                }
                FaultScript::BitFlip { after_runs, every, .. } => {
                    flipped ^= runs > *after_runs && (runs - after_runs).is_multiple_of(*every);
                }
                FaultScript::Lost { after_submissions, times, .. } => {
                    let (since, losses) = history.losses.entry(index).or_default();
                    *since += 1;
                    if *since > *after_submissions && *losses < *times {
                        (*since, *losses, lost) = (0, *losses + 1, true);
                    }
                }
                _ => {}
            }
        }
        (lost, Contents::Results { wrong, unwritten, flipped })
    }

    /// Bytes of a range when its outputs hold `contents`, with the words that were written over them.
    fn bytes(&self, program: &Program, range: ByteRange, contents: Contents) -> Vec<u8> {
        let mut bytes = self.results(program, range, contents);
        for ((_, offset), word) in self.written.range((range.buffer, range.start)..(range.buffer, range.end)) {
            let at = (offset - range.start) as usize;
            if let Some(slot) = bytes.get_mut(at..at + 4) {
                slot.copy_from_slice(&word.to_le_bytes());
            }
        }
        bytes
    }

    fn results(&self, program: &Program, range: ByteRange, contents: Contents) -> Vec<u8> {
        let len = (range.end - range.start) as usize;
        match contents {
            Contents::Zeros => vec![0; len],
            Contents::Poison => POISON_WORD.to_ne_bytes().repeat(len / 4),
            Contents::Results { wrong, unwritten, flipped } => {
                let mut bytes = (self.oracle)(program, range);
                bytes.resize(len, 0);
                if wrong {
                    spoil(&mut bytes, program.buffers.get(range.buffer).map_or(Scalar::F32, |spec| spec.element));
                }
                if flipped {
                    faults::flip_bit(program, range, &mut bytes);
                }
                let size = program.buffers.get(range.buffer).map_or(0, |spec| spec.bytes);
                let kept = first_unwritten(size, unwritten).clamp(range.start, range.end) - range.start;
                for word in bytes[kept as usize..].chunks_exact_mut(4) {
                    word.copy_from_slice(&POISON_WORD.to_ne_bytes());
                }
                bytes
            }
        }
    }
}

impl Accelerator for SimulatedAccelerator {
    fn device(&self) -> &Device {
        &self.device
    }

    fn load(&mut self, program: &Program) -> Result<(), GpuError> {
        self.unload();
        self.check("loading")?;
        fit::check(program, &self.device)?;
        let (case, device) = (program.case.label(), self.device.name.clone());
        let bytes: u64 = program.buffers.iter().map(|spec| spec.bytes).sum();
        let what = format!("the buffers of {case}");
        for fault in self.script.faults.iter().filter(|fault| fault.befalls(&program.case.variant)) {
            match fault {
                FaultScript::CompileError { .. } => {
                    return Err(GpuError::Compile { case, message: "scripted compile error".to_owned() });
                }
                FaultScript::OutOfMemory { .. } => {
                    let reason = "scripted shortage".to_owned();
                    return Err(GpuError::OutOfMemory { what, bytes, device, reason });
                }
                _ => {}
            }
        }
        if bytes > self.script.memory_bytes {
            let reason = format!("the device has {} bytes", self.script.memory_bytes);
            return Err(GpuError::OutOfMemory { what, bytes, device, reason });
        }
        let time = self.script.dispatch_time(program).ok_or_else(|| {
            self.other(&format!("loading {case}"), format!("no rate in the script matches {}", program.case.variant))
        })?;
        self.loaded = Some((program.clone(), time));
        Ok(())
    }

    fn fill(&mut self, buffer: usize, filler: &mut Filler<'_>) -> Result<(), GpuError> {
        let during = "filling inputs";
        let (program, _) = self.program(during)?;
        let Some(spec) = program.buffers.get(buffer) else {
            return Err(self.other(during, format!("{} has no buffer {buffer}", program.case.label())));
        };
        filler(0, &mut vec![0; spec.bytes.min(FILL_BYTES) as usize]);
        Ok(())
    }

    fn submit(&mut self, job: &Job) -> Result<Ticket, GpuError> {
        let at_once = |this: &Self, probe: Vec<ByteRange>| Pending {
            end: this.idle_from.max(this.clock.now()),
            device_ns: None,
            probe,
            contents: this.contents,
            lost: false,
        };
        let pending = match job {
            Job::Run { dispatches } => self.run(*dispatches)?,
            Job::Poison => {
                self.program("poisoning outputs")?;
                self.contents = Contents::Poison;
                self.written.clear();
                at_once(self, Vec::new())
            }
            Job::Probe { ranges } => {
                let during = "probing outputs";
                let (program, _) = self.program(during)?;
                fit::check_ranges(program, ranges).map_err(|reason| self.other(during, reason))?;
                at_once(self, ranges.clone())
            }
        };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.pending.insert(ticket, pending);
        Ok(ticket)
    }

    fn wait(&mut self, ticket: Ticket) -> Result<Completion, GpuError> {
        let during = "waiting for the device";
        self.check(during)?;
        let Some(pending) = self.pending.remove(&ticket) else {
            return Err(self.other(during, format!("job {} is not in flight", ticket.0)));
        };
        self.clock.sleep_until(pending.end);
        self.lost |= pending.lost;
        let (program, _) = self.program(during)?;
        let probes = pending.probe.iter();
        let bytes = probes.flat_map(|range| self.bytes(program, *range, pending.contents)).collect();
        Ok(Completion { done_ns: self.clock.now(), device_ns: pending.device_ns, bytes })
    }

    fn read_outputs(&mut self, reader: &mut OutputReader<'_>) -> Result<PoisonScan, GpuError> {
        let (program, _) = self.program("reading outputs")?;
        for (buffer, spec) in program.buffers.iter().enumerate().filter(|(_, spec)| spec.role == Role::Output) {
            reader(buffer, 0, &self.bytes(program, ByteRange { buffer, start: 0, end: spec.bytes }, self.contents));
        }
        self.scan_poison()
    }

    /// From the script, without asking the oracle for a value.
    fn scan_poison(&mut self) -> Result<PoisonScan, GpuError> {
        let (program, _) = self.program("scanning outputs")?;
        let mut scan = PoisonScan::EMPTY;
        for spec in program.buffers.iter().filter(|spec| spec.role == Role::Output) {
            let kept = match self.contents {
                Contents::Zeros => spec.bytes,
                Contents::Poison => 0,
                Contents::Results { unwritten, .. } => first_unwritten(spec.bytes, unwritten),
            };
            scan.words += spec.bytes / 4;
            scan.poisoned += (spec.bytes - kept) / 4;
            scan.first = scan.first.or((kept < spec.bytes).then_some(kept));
        }
        Ok(scan)
    }

    fn has_whole_outputs(&self) -> bool {
        let bytes = |program: &Program| -> u64 {
            program.buffers.iter().filter(|spec| spec.role == Role::Output).map(|spec| spec.bytes).sum()
        };
        let few = |(program, _): &(Program, Seconds)| {
            program.case.work.flop.get() <= WHOLE_OUTPUT_FLOP && bytes(program) <= WHOLE_OUTPUT_BYTES
        };
        self.loaded.as_ref().is_some_and(few)
    }

    fn write_word(&mut self, buffer: usize, offset: u64, word: u32) -> Result<(), GpuError> {
        let during = "writing a word";
        let (program, _) = self.program(during)?;
        let range = ByteRange { buffer, start: offset, end: offset.saturating_add(4) };
        fit::check_ranges(program, &[range]).map_err(|reason| self.other(during, reason))?;
        self.written.insert((buffer, offset), word);
        Ok(())
    }

    fn unload(&mut self) {
        self.loaded = None;
        self.pending.clear();
        self.contents = Contents::Zeros;
        self.written.clear();
    }

    fn launch(&mut self, dispatches: u32) -> Result<Seconds, GpuError> {
        self.check("launching")?;
        let time = self.script.launch_s + self.script.dispatch_s * f64::from(dispatches);
        self.clock.sleep_until(self.clock.now().plus(time));
        Ok(time)
    }

    fn transfer(&mut self, path: TransferPath, bytes: &mut [u8]) -> Result<Seconds, GpuError> {
        self.check("moving bytes")?;
        let rate = match path {
            TransferPath::Download => self.script.download_bytes_per_s,
            TransferPath::WriteBuffer | TransferPath::MappedUpload => self.script.upload_bytes_per_s,
        };
        let time = self.script.launch_s + Bytes::new(bytes.len() as f64) / rate;
        if path == TransferPath::Download {
            let kept = bytes.len().min(self.cargo.len());
            bytes[..kept].copy_from_slice(&self.cargo[..kept]);
            let garbled = self.script.faults.iter().any(|fault| matches!(fault, FaultScript::GarbledTransfer));
            if let (true, Some(last)) = (garbled, bytes.last_mut()) {
                *last ^= 1;
            }
        } else {
            self.cargo = bytes.to_vec();
        }
        self.clock.sleep_until(self.clock.now().plus(time));
        Ok(time)
    }
}

/// Byte at which the unwritten part of a buffer begins, a multiple of 4; the buffer's size if all of it is written.
fn first_unwritten(bytes: u64, fraction: f64) -> u64 {
    let unwritten = (bytes as f64 / 4.0 * fraction).ceil() as u64 * 4;
    bytes.saturating_sub(unwritten)
}

/// Makes every value wrong by more than its own size.
fn spoil(bytes: &mut [u8], element: Scalar) {
    match element {
        Scalar::F64 => each(bytes, |word| double(f64::from_ne_bytes(word)).to_ne_bytes()),
        Scalar::F32 => each(bytes, |word| (double(f32::from_ne_bytes(word).into()) as f32).to_ne_bytes()),
        Scalar::F16 => {
            each(bytes, |word| half::f16::from_f64(double(half::f16::from_ne_bytes(word).to_f64())).to_ne_bytes())
        }
        Scalar::I32 | Scalar::U32 => each(bytes, |word| u32::from_ne_bytes(word).wrapping_add(1).to_ne_bytes()),
        Scalar::I8 => each(bytes, |[byte]| [byte.wrapping_add(1)]),
    }
}

fn each<const N: usize>(bytes: &mut [u8], change: impl Fn([u8; N]) -> [u8; N]) {
    for word in bytes.as_chunks_mut::<N>().0 {
        *word = change(*word);
    }
}

fn double(value: f64) -> f64 {
    value + value.abs() + 1.0
}

#[cfg(test)]
mod tests;
