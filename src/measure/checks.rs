//! The checks of one case's outputs: what they are made of, each look at the outputs, and an error made on purpose.
//!
//! What surprises people: a variant that is checked in full is compared with another variant's output, which is computed on the
//! same device before the case itself is loaded, and is kept on the host for the whole case.

use super::case::{Outcome, refuse};
use crate::gpu::{Accelerator, GpuError, Job};
use crate::kernel::{self, Scrutiny, Variant};
use crate::model::{Case, Check, Device, InjectedError, SkipReason, Verification, Warning, WarningCode};
use crate::verify::inject::{Flip, Target};
use crate::verify::prepare::{self, program_of, skip};
use crate::verify::twin::{self, Twin};
use crate::verify::{ProbePlan, WholeCheck};
use crate::workload::{self, Instance, Problem, TensorRole};

/// Largest work of a case whose every output the float64 reference computes in place of a trusted variant.
const REFERENCE_FLOP: f64 = 1e7;
/// Most elements that it computes.
const REFERENCE_ELEMENTS: u64 = 1 << 14;

/// How a case's outputs are checked.
pub struct Checks {
    problem: &'static dyn Problem,
    scrutiny: Scrutiny,
    seed: u64,
    /// The sampled elements.
    pub probe: ProbePlan,
    whole: WholeCheck,
    compared: bool,
    /// What the check before the load found.
    pub before: Check,
}

impl Checks {
    /// The samples of a case; what is expected of whole outputs comes with [`Checks::complete`].
    pub fn of(case: &Case, instance: &Instance, samples: u32, seed: u64) -> Result<Self, Outcome> {
        let unknown = || Outcome::Skipped(skip(case, SkipReason::Other, "unknown problem"));
        let problem = workload::problem(&case.problem).ok_or_else(unknown)?;
        Ok(Self {
            problem,
            scrutiny: kernel::find(&case.variant).map_or(Scrutiny::Sampled, |variant| variant.scrutiny),
            seed,
            probe: ProbePlan::sample(problem, instance, samples, seed),
            whole: WholeCheck::default(),
            compared: false,
            before: Check::default(),
        })
    }

    /// For a variant that is checked in full: a result of the same work that can be trusted, if there is one.
    pub fn trusted(
        &self,
        accelerator: &mut dyn Accelerator,
        case: &Case,
        instance: &Instance,
    ) -> Result<Option<Twin>, Outcome> {
        if self.scrutiny == Scrutiny::Sampled {
            return Ok(None);
        }
        for variant in trusted_variants(case, accelerator.device()) {
            if let Some(twin) = self.twin_by(accelerator, case, instance, variant)? {
                return Ok(Some(twin));
            }
        }
        Ok(self.twin_by_reference(case, instance))
    }

    /// The output of a variant whose samples are right; `None` if it cannot run here or they are not.
    fn twin_by(
        &self,
        accelerator: &mut dyn Accelerator,
        case: &Case,
        instance: &Instance,
        variant: &Variant,
    ) -> Result<Option<Twin>, Outcome> {
        let params = variant.default_params(accelerator.device());
        let sha = variant.sha256.clone();
        let own = Case { variant: variant.id.clone(), params, shader_sha256: sha, ..case.clone() };
        let Ok((_, program)) = program_of(&own, accelerator.device()) else { return Ok(None) };
        match accelerator.load(&program).map_err(|error| refuse(&own, error)) {
            Ok(()) => {}
            Err(Outcome::Skipped(_)) => return Ok(None),
            Err(lost) => return Err(lost),
        }
        if !accelerator.has_whole_outputs() {
            return Ok(None);
        }
        prepare::write_inputs(accelerator, &own, instance)?;
        run_once(accelerator)?;
        let samples = probe(accelerator, &self.probe)?;
        let tensors = self.problem.tensors(&instance.shape, instance.element);
        let mut outputs: Vec<Vec<u8>> = vec![Vec::new(); tensors.len()];
        let scan = accelerator.read_outputs(&mut |tensor, _, bytes| {
            if let Some(output) = outputs.get_mut(tensor) {
                output.extend_from_slice(bytes);
            }
        })?;
        Ok(match self.probe.check(&samples) {
            Ok(check) if scan.poisoned == 0 => {
                Some(self.twin(format!("{} on the same device", variant.id), outputs, check.max_abs_error))
            }
            _ => None,
        })
    }

    /// Every output by the float64 reference, where they are few.
    fn twin_by_reference(&self, case: &Case, instance: &Instance) -> Option<Twin> {
        let tensors = self.problem.tensors(&instance.shape, instance.element);
        let written = |role: TensorRole| role == TensorRole::Output;
        let elements: u64 = tensors.iter().filter(|tensor| written(tensor.role)).map(|tensor| tensor.len).sum();
        if case.work.flop.get() > REFERENCE_FLOP || elements > REFERENCE_ELEMENTS {
            return None;
        }
        let bytes = |(index, tensor): (usize, &workload::Tensor)| match written(tensor.role) {
            true => workload::oracle_bytes(self.problem, instance, index, 0, tensor.bytes()),
            false => Vec::new(),
        };
        let outputs = tensors.iter().enumerate().map(bytes).collect();
        Some(self.twin("the float64 reference".to_owned(), outputs, 0.0))
    }

    fn twin(&self, against: String, outputs: Vec<Vec<u8>>, error: f64) -> Twin {
        let limits = (0..outputs.len()).map(|tensor| twin::limit(self.probe.spread(tensor), error)).collect();
        Twin { against, outputs, limits }
    }

    /// Adds what whole outputs must be, where the device can show them.
    pub fn complete(self, accelerator: &dyn Accelerator, instance: &Instance, twin: Option<Twin>) -> Self {
        if !accelerator.has_whole_outputs() {
            return self;
        }
        let (compared, both) = (twin.is_some(), self.scrutiny == Scrutiny::Full);
        let whole = WholeCheck::new(self.problem, instance, self.seed, twin, both);
        Self { whole, compared, ..self }
    }

    /// True if the samples must agree to the last bit, as integers do.
    pub fn is_exact(&self) -> bool {
        !self.probe.is_empty() && self.probe.expected().all(|expected| expected.bound == 0.0)
    }

    /// What weakens the checks.
    pub fn warnings(&self, case: &Case) -> Vec<Warning> {
        if self.scrutiny == Scrutiny::Sampled || self.compared {
            return Vec::new();
        }
        let instead =
            if self.whole.is_empty() { "by samples only" } else { "by Freivalds' method in rows and columns" };
        let text = format!(
            "no trusted variant computes {} here and it is too large for the float64 reference: its elements are checked {instead}",
            case.label()
        );
        vec![Warning { code: WarningCode::Other, text }]
    }

    /// Compares the bytes of the samples with the reference.
    pub fn judge_samples(&self, output: &[u8]) -> Result<Check, String> {
        self.probe.check(output).map_err(|mismatch| mismatch.to_string())
    }

    /// Reads samples and whole outputs and says whether they are right. The stream must be empty.
    pub fn look(&self, accelerator: &mut dyn Accelerator) -> Result<Result<Check, String>, GpuError> {
        let samples = probe(accelerator, &self.probe)?;
        let mut reading = self.whole.reading();
        let scan = if self.whole.is_empty() {
            accelerator.scan_poison()?
        } else {
            accelerator.read_outputs(&mut |tensor, offset, bytes| reading.add(tensor, offset, bytes))?
        };
        if scan.poisoned > 0 {
            return Ok(Err(format!(
                "{} of {} output words were never written (first at byte {})",
                scan.poisoned,
                scan.words,
                scan.first.unwrap_or(0)
            )));
        }
        let verdict = || {
            let check = self.judge_samples(&samples)?;
            let (product, compared) = reading.judge()?;
            Ok(Check { scanned: scan.words, product, compared, ..check })
        };
        Ok(verdict())
    }

    /// Flips one bit of one output on the device; `None` if there is none that the checks look at.
    pub fn inject(
        &self,
        accelerator: &mut dyn Accelerator,
        instance: &Instance,
    ) -> Result<Option<InjectedError>, GpuError> {
        let tensors = self.problem.tensors(&instance.shape, instance.element);
        let Some(target) = Target::choose(&self.probe, &self.whole, &tensors, self.seed) else { return Ok(None) };
        let ticket = accelerator.submit(&Job::Probe { ranges: vec![target.range()] })?;
        let bytes = accelerator.wait(ticket)?.bytes;
        let Some(Flip { buffer, word: (offset, word), error }) = target.flip(&bytes) else { return Ok(None) };
        accelerator.write_word(buffer, offset, word)?;
        Ok(Some(error))
    }
}

/// The verdict on an output with an error in it: it must not pass.
pub fn verdict_on_injected(
    verdict: Result<Check, String>,
    injected: Option<InjectedError>,
    when: String,
) -> (Verification, Option<InjectedError>) {
    let Some(error) = injected else {
        let detail =
            "no error could be injected: no flipped bit would be noticed by the checks of this case".to_owned();
        return (Verification::Failed { detail, when }, None);
    };
    let InjectedError { tensor, index, bit, before, after, .. } = &error;
    let what = format!("bit {bit} of {tensor}[{index}] was flipped on purpose, {before} became {after}");
    let (caught, detail) = match verdict {
        Err(found) => (true, format!("{what}; caught: {found}")),
        Ok(_) => (false, format!("{what}; it was NOT caught: the checks of this case cannot be relied on")),
    };
    (Verification::Failed { detail, when }, Some(InjectedError { caught, ..error }))
}

/// Variants that compute the same in the same precision and need no full check themselves, the preferred first.
fn trusted_variants(case: &Case, device: &Device) -> Vec<&'static Variant> {
    let same = |variant: &&Variant| {
        variant.problem == case.problem && variant.element == case.element && variant.scrutiny == Scrutiny::Sampled
    };
    let mut variants: Vec<&Variant> = kernel::variants().iter().filter(same).collect();
    variants.sort_by_key(|variant| std::cmp::Reverse(variant.preference_at(&case.shape, device)));
    variants
}

/// Poisons the outputs and executes once.
pub fn run_once(accelerator: &mut dyn Accelerator) -> Result<(), GpuError> {
    let poison = accelerator.submit(&Job::Poison)?;
    let run = accelerator.submit(&Job::Run { dispatches: 1 })?;
    accelerator.wait(poison)?;
    accelerator.wait(run)?;
    Ok(())
}

fn probe(accelerator: &mut dyn Accelerator, plan: &ProbePlan) -> Result<Vec<u8>, GpuError> {
    let ticket = accelerator.submit(&Job::Probe { ranges: plan.ranges() })?;
    Ok(accelerator.wait(ticket)?.bytes)
}
