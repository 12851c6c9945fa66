//! One candidate on the device: loaded, checked on a small shape and on the timed one, and timed.
//!
//! What surprises people: inputs are written and outputs poisoned and checked again in every turn, so that no time
//! counts whose output was not right; and a device that fails under a candidate is opened afresh, once per candidate.

use std::collections::BTreeMap;

use super::race::{self, SAMPLES_PER_TURN};
use super::shapes;
use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::gpu::{Accelerator, GpuError, Job, Machine, PoisonScan};
use crate::model::{Case, Choice, Device};
use crate::units::Seconds;
use crate::verify::ProbePlan;
use crate::verify::prepare::{self, instance_of, program_of, write_inputs};
use crate::workload::{self, Problem, TensorRole};

/// Outputs compared with the reference in each check, as many as a run compares.
const SAMPLES: u32 = 256;
/// Aimed length of a timed submission: long against the microseconds that a submission costs, short against a budget.
const SUBMISSION: Seconds = Seconds::new(0.02);
/// Most executions in one submission.
const MOST_EXECUTIONS: u32 = 1024;

/// Inputs of one case that are kept on the host between turns; larger ones are generated again for every turn.
const MOST_KEPT_BYTES: u64 = 1 << 30;

/// A shape with its inputs and what is expected of its outputs.
struct Target {
    case: Case,
    probe: ProbePlan,
    /// Bytes of each input by its binding, once they were generated. Candidates differ, their inputs do not.
    inputs: BTreeMap<usize, Vec<u8>>,
}

impl Target {
    fn new(problem: &dyn Problem, case: Case) -> Self {
        let probe = ProbePlan::sample(problem, &instance_of(&case), SAMPLES, case.seed);
        Self { case, probe, inputs: BTreeMap::new() }
    }

    /// Writes the inputs into the loaded program's buffers.
    fn write(&mut self, accelerator: &mut dyn Accelerator) -> Result<(), GpuError> {
        let Some(problem) = workload::problem(&self.case.problem) else { return Ok(()) };
        let tensors = problem.tensors(&self.case.shape, self.case.element);
        let inputs = || tensors.iter().enumerate().filter(|(_, tensor)| tensor.role == TensorRole::Input);
        let instance = instance_of(&self.case);
        if inputs().map(|(_, tensor)| tensor.bytes()).sum::<u64>() > MOST_KEPT_BYTES {
            return write_inputs(accelerator, &self.case, &instance);
        }
        for (index, tensor) in inputs() {
            let bytes = self.inputs.entry(index).or_insert_with(|| {
                let mut bytes = vec![0; tensor.bytes() as usize];
                prepare::write(problem, &instance, index, 0, &mut bytes);
                bytes
            });
            let mut copy = |offset: u64, part: &mut [u8]| {
                let start = (offset as usize).min(bytes.len());
                let kept = &bytes[start..(start + part.len()).min(bytes.len())];
                part[..kept.len()].copy_from_slice(kept);
            };
            accelerator.fill(index, &mut copy)?;
        }
        Ok(())
    }
}

/// What a candidate's first, checked execution says.
pub enum First {
    /// It may be timed; executions that fill a submission.
    Right(u32),
    /// Right, but hopelessly slow.
    Slow(Seconds),
}

/// Work of a loaded stretch of time, for its energy.
pub struct Stretch {
    /// Completion of the submission before the stretch.
    pub start: Nanoseconds,
    /// Completion of its last submission.
    pub end: Nanoseconds,
    /// Executions in it.
    pub executions: u64,
    /// Time of one execution, by the device's timestamps where it has them.
    pub each: Seconds,
}

/// An open device and the checks of one case with one seed.
pub struct Lab<'a> {
    machine: &'a dyn Machine,
    accelerator: Box<dyn Accelerator>,
    clock: RunClock,
    timed: Target,
    small: Vec<Target>,
    /// Why the device can no longer be used.
    broken: Option<String>,
}

impl<'a> Lab<'a> {
    /// Opens the case's device and computes what its outputs must be. `seed` stands in place of the case's own.
    pub fn open(machine: &'a dyn Machine, case: &Case, seed: u64) -> Result<Self, String> {
        let problem =
            workload::problem(&case.problem).ok_or_else(|| format!("no problem is called {}", case.problem))?;
        let accelerator = machine.open(case.device).map_err(|error| error.to_string())?;
        let case = Case { seed, ..case.clone() };
        let small = shapes::small(problem, &case.shape, case.element).into_iter().map(|shape| {
            let work = problem.work(&shape, case.element);
            Target::new(problem, Case { shape, work, ..case.clone() })
        });
        Ok(Self {
            machine,
            accelerator,
            clock: machine.clock(),
            small: small.collect(),
            timed: Target::new(problem, case),
            broken: None,
        })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        self.accelerator.device()
    }

    /// Why no further candidate can be tried.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Checks a candidate on a small shape, then on the timed one. `leader` is the score to beat.
    pub fn check(&mut self, choice: &Choice, leader: Option<f64>) -> Result<First, String> {
        let small = self.small.iter().position(|target| program_of(&with(&target.case, choice), self.device()).is_ok());
        let outcome = small.map_or(Ok(()), |index| self.check_small(index, choice)).and_then(|()| {
            let mut first = self.execute(None, choice)?;
            // The first execution of a module can take far longer than later ones, as it does on llvmpipe: a slow one gets
            // a second chance.
            if race::is_hopeless(first.get(), leader) {
                first = self.run(1)?;
            }
            Ok(match race::is_hopeless(first.get(), leader) {
                true => First::Slow(first),
                false => First::Right(executions(first)),
            })
        });
        self.settle(outcome)
    }

    fn check_small(&mut self, index: usize, choice: &Choice) -> Result<(), Fault> {
        let shape = self.small[index].case.shape.clone();
        match self.execute(Some(index), choice) {
            Ok(_) => Ok(()),
            Err(Fault::Wrong(message)) => Err(Fault::Wrong(format!("at {shape}: {message}"))),
            Err(fault) => Err(fault),
        }
    }

    /// Takes a turn of a candidate that was checked: loads it, discards one submission, times `count`, and checks the
    /// outputs of the last. Seconds of one execution each.
    pub fn turn(&mut self, choice: &Choice, executions: &mut u32, count: usize) -> Result<Vec<f64>, String> {
        let outcome = self.timed_turn(choice, executions, count);
        self.settle(outcome)
    }

    fn timed_turn(&mut self, choice: &Choice, batch: &mut u32, count: usize) -> Result<Vec<f64>, Fault> {
        self.load(None, choice)?;
        let poison = self.accelerator.submit(&Job::Poison)?;
        self.accelerator.wait(poison)?;
        let warm = self.run(*batch)?;
        *batch = executions(warm);
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            samples.push(self.run(*batch)?.get());
        }
        self.judge(None, false)?;
        Ok(samples)
    }

    /// Keeps the device under load with a checked candidate: `lead` before the stretch that counts, `length` of it, and
    /// `lead` after it, so that a sensor's average at its end holds no idle time.
    pub fn load_for(&mut self, choice: &Choice, batch: u32, lead: Seconds, length: Seconds) -> Result<Stretch, String> {
        let outcome = self.stretch(choice, batch, lead, length);
        self.settle(outcome)
    }

    fn stretch(&mut self, choice: &Choice, batch: u32, lead: Seconds, length: Seconds) -> Result<Stretch, Fault> {
        self.load(None, choice)?;
        let poison = self.accelerator.submit(&Job::Poison)?;
        self.accelerator.wait(poison)?;
        let begin = self.clock.now();
        let run = Job::Run { dispatches: batch };
        let mut flying = self.accelerator.submit(&run)?;
        let (mut start, mut end, mut count, mut busy) = (None, begin, 0_u64, Some(0_u64));
        loop {
            let next = self.accelerator.submit(&run)?;
            let done = self.accelerator.wait(flying)?;
            flying = next;
            let now = done.done_ns;
            match start {
                None if now.since(begin).get() >= lead.get() => (start, end) = (Some(now), now),
                None => {}
                Some(from) if end.since(from).get() < length.get() => {
                    (end, count) = (now, count + u64::from(batch));
                    busy = busy.zip(done.device_ns).map(|(sum, ns)| sum + ns);
                }
                Some(_) if now.since(end).get() >= lead.get() => break,
                Some(_) => {}
            }
        }
        self.accelerator.wait(flying)?;
        self.judge(None, false)?;
        let start = start.unwrap_or(begin);
        let whole = busy.filter(|ns| *ns > 0).map_or(end.since(start), Seconds::from_nanoseconds);
        Ok(Stretch { start, end, executions: count, each: whole / count.max(1) as f64 })
    }

    /// Loads a candidate on the timed shape or on a small one, with its inputs.
    fn load(&mut self, small: Option<usize>, choice: &Choice) -> Result<(), Fault> {
        let case = with(&self.target(small).case, choice);
        let (_, program) = program_of(&case, self.accelerator.device()).map_err(|skip| Fault::Wrong(skip.detail))?;
        self.accelerator.load(&program)?;
        let target = small.and_then(|index| self.small.get_mut(index)).unwrap_or(&mut self.timed);
        Ok(target.write(self.accelerator.as_mut())?)
    }

    /// Loads a candidate, runs it once over poisoned outputs, and checks them whole.
    fn execute(&mut self, small: Option<usize>, choice: &Choice) -> Result<Seconds, Fault> {
        self.load(small, choice)?;
        let poison = self.accelerator.submit(&Job::Poison)?;
        self.accelerator.wait(poison)?;
        let time = self.run(1)?;
        self.judge(small, true)?;
        Ok(time)
    }

    /// Time of one execution in a submission of its own, by the device's timestamps where it has them.
    fn run(&mut self, dispatches: u32) -> Result<Seconds, Fault> {
        let start = self.clock.now();
        let ticket = self.accelerator.submit(&Job::Run { dispatches })?;
        let done = self.accelerator.wait(ticket)?;
        let whole = done.device_ns.map_or(done.done_ns.since(start), Seconds::from_nanoseconds);
        // A pass too short for the clock's resolution still took some time.
        Ok(whole.max_of(Seconds::new(1e-9)) / f64::from(dispatches))
    }

    /// Compares the outputs with the reference; `whole` also looks for words that were never written.
    fn judge(&mut self, small: Option<usize>, whole: bool) -> Result<(), Fault> {
        let ticket = self.accelerator.submit(&Job::Probe { ranges: self.target(small).probe.ranges() })?;
        let bytes = self.accelerator.wait(ticket)?.bytes;
        self.target(small).probe.check(&bytes).map_err(|mismatch| Fault::Wrong(mismatch.to_string()))?;
        if whole {
            let PoisonScan { words, poisoned, first } = self.accelerator.scan_poison()?;
            if poisoned > 0 {
                let first = first.unwrap_or(0);
                let text = format!("{poisoned} of {words} output words were never written (first at byte {first})");
                return Err(Fault::Wrong(text));
            }
        }
        Ok(())
    }

    fn target(&self, small: Option<usize>) -> &Target {
        small.and_then(|index| self.small.get(index)).unwrap_or(&self.timed)
    }

    /// Frees the device for the next candidate: after a failure of the device itself a fresh one is opened.
    fn settle<T>(&mut self, outcome: Result<T, Fault>) -> Result<T, String> {
        self.accelerator.unload();
        match outcome {
            Ok(value) => Ok(value),
            Err(Fault::Wrong(message)) => Err(message),
            Err(Fault::Device(error)) => {
                if matches!(*error, GpuError::Lost { .. } | GpuError::Other { .. }) {
                    match self.machine.open(self.timed.case.device) {
                        Ok(fresh) => self.accelerator = fresh,
                        Err(again) => self.broken = Some(format!("{error}; it could not be opened again: {again}")),
                    }
                }
                Err(error.to_string())
            }
        }
    }
}

/// Why a candidate is out.
enum Fault {
    /// It is wrong, or cannot run here.
    Wrong(String),
    /// The device refused it or failed under it.
    Device(Box<GpuError>),
}

impl From<GpuError> for Fault {
    fn from(error: GpuError) -> Self {
        Self::Device(Box::new(error))
    }
}

/// A case computed by a candidate.
pub fn with(case: &Case, choice: &Choice) -> Case {
    Case {
        variant: choice.variant.clone(),
        params: choice.params.clone(),
        shader_sha256: choice.shader_sha256.clone(),
        ..case.clone()
    }
}

/// Executions that fill a timed submission.
fn executions(each: Seconds) -> u32 {
    (SUBMISSION / each).ceil().clamp(1.0, f64::from(MOST_EXECUTIONS)) as u32
}

/// Samples that a candidate still takes in its next turn.
pub fn next_samples(taken: usize) -> usize {
    SAMPLES_PER_TURN.min(race::MOST_SAMPLES.saturating_sub(taken))
}
