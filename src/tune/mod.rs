//! Choosing a variant and its parameters for a device and a shape; the cache of what was chosen before.
//!
//! Measuring a rate that anyone may quote is not done here but in [`crate::measure`], with the outputs verified again.
//! What surprises people: a wrong candidate is never dropped silently, and never chosen, however fast it is; and what the
//! cache says is believed only as far as today's manifests bear it out.

mod cache;
mod candidates;
mod finals;
mod key;
mod lab;
mod race;
mod search;
mod shapes;
#[cfg(test)]
mod testing;

pub use cache::{Cache, FILE, folder};
pub use candidates::Freedom;
pub use finals::tells_energy;

use crate::clock::Clock as _;
use crate::gpu::Machine;
use crate::model::{Case, Choice, Device, Objective, Trial, TrialOutcome, Tuning, TuningOrigin};
use crate::power::Sampler;
use crate::units::Seconds;

use finals::{Finals, Verdict};
use key::Key;
use lab::Lab;
use search::{Limits, Search};

/// Part of the budget after which no further candidate is begun; the rest belongs to the final comparison.
const SEARCH_PART: f64 = 0.6;
/// Turns the seed of a run into that of a search, and of a final comparison: neither is tuned on the data of the run.
const SEEDS: [u64; 2] = [0x7475_6e65_5f61_0001, 0x7475_6e65_5f62_0002];

/// When to tune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Never; what the cache holds is used.
    CacheOnly,
    /// What the cache does not hold.
    AtFirstUse,
    /// Everything, whatever the cache holds.
    Always,
}

/// What is asked of a tuning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// When to tune.
    pub mode: Mode,
    /// Longest time for one case, compilation and checks included.
    pub budget: Seconds,
    /// What to look for.
    pub objective: Objective,
}

/// What a tuning works with.
pub struct Setup<'a> {
    /// The devices.
    pub machine: &'a dyn Machine,
    /// The running sampler, where energy is compared.
    pub sampler: Option<&'a Sampler>,
    /// True once the user asked to stop.
    pub interrupted: &'a dyn Fn() -> bool,
    /// What was tuned before; `None` where nothing is kept.
    pub cache: Option<&'a mut Cache>,
    /// The time in UTC, RFC 3339.
    pub utc_now: &'a dyn Fn() -> String,
    /// Is told, in one line each, what is begun and what went wrong with the cache.
    pub say: &'a mut dyn FnMut(&str),
}

/// Gives each case the variant and parameters that suit its device best, as far as that is known or may be found out now.
///
/// Returns how each case that was tuned, now or before, came by them. Cases without a word keep their defaults.
pub fn settle(setup: &mut Setup<'_>, cases: &mut [(Case, Freedom)], options: &Options) -> Vec<Tuning> {
    let devices = setup.machine.devices();
    let mut tunings = Vec::new();
    for (case, freedom) in cases {
        let Some(device) = devices.iter().find(|device| device.ordinal == case.device) else { continue };
        let key = Key::new(case, *freedom, options.objective, device);
        let known = if options.mode == Mode::Always { None } else { recall(setup, &key, case, *freedom, device) };
        let tuning = match known {
            Some(tuning) => tuning,
            None if options.mode == Mode::CacheOnly || (setup.interrupted)() => continue,
            None => {
                // A run leaves such a case out with the same reason.
                if let Some(reason) = candidates::obstacle(case, *freedom, device) {
                    (setup.say)(&format!("{} is not tuned: {reason}", case.label()));
                    continue;
                }
                let fresh = tune(setup, case, *freedom, options);
                // What was broken off says nothing about the next time.
                if !fresh.finalists.is_empty() && !(setup.interrupted)() {
                    let kept = setup.cache.as_mut().map_or(Ok(()), |cache| cache.keep(key, &fresh));
                    if let Err(message) = kept {
                        (setup.say)(&message);
                    }
                }
                fresh
            }
        };
        *case = lab::with(case, &tuning.chosen);
        tunings.push(tuning);
    }
    tunings
}

/// What the cache holds for a case; an entry that cannot be used is told and passed over.
fn recall(setup: &mut Setup<'_>, key: &Key, case: &Case, freedom: Freedom, device: &Device) -> Option<Tuning> {
    match setup.cache.as_ref()?.find(key, case, freedom, device)? {
        Ok(tuning) => Some(tuning),
        Err(reason) => {
            (setup.say)(&format!("what the tuning cache holds for {} is ignored: {reason}", case.label()));
            None
        }
    }
}

/// Tunes one case.
fn tune(setup: &mut Setup<'_>, case: &Case, freedom: Freedom, options: &Options) -> Tuning {
    let clock = setup.machine.clock();
    let begin = clock.now();
    let default = Choice::of(case);
    let mut tuning = Tuning {
        device: case.device,
        problem: case.problem.clone(),
        element: case.element,
        shape: case.shape.clone(),
        pattern: case.pattern,
        objective: options.objective,
        origin: TuningOrigin::Fresh,
        date: (setup.utc_now)(),
        chosen: default.clone(),
        default,
        trials: Vec::new(),
        finalists: Vec::new(),
        untried: 0,
        notes: Vec::new(),
    };
    let what = match freedom {
        Freedom::AnyVariant => format!("{} in {}", case.problem, case.element),
        Freedom::OwnVariant => case.variant.clone(),
    };
    (setup.say)(&format!("tuning {what} at {} for {} (at most {})", case.shape, options.objective, options.budget));
    let limits =
        |part: f64| Limits { clock: &clock, until: begin.plus(options.budget * part), interrupted: setup.interrupted };
    let lab = match Lab::open(setup.machine, case, case.seed ^ SEEDS[0]) {
        Ok(lab) => lab,
        Err(reason) => {
            tuning.notes.push(format!("the device could not be opened: {reason}"));
            return tuning;
        }
    };
    let found = Search::new(lab, limits(SEARCH_PART), case, freedom).run(&tuning.default, options.objective);
    tuning.trials = found.trials;
    tuning.untried = u32::try_from(found.untried).unwrap_or(u32::MAX);
    if (setup.interrupted)() {
        tuning.notes.push("the tuning was interrupted".to_owned());
    } else if found.out_of_time {
        tuning.notes.push(format!("the budget of {} was over before {} candidates", options.budget, found.untried));
    }
    tuning.notes.extend(found.broken.map(|reason| format!("the search ended early: {reason}")));
    if found.finalists.is_empty() {
        tuning.notes.push("no candidate gave right outputs".to_owned());
        return tuning;
    }
    match Lab::open(setup.machine, case, case.seed ^ SEEDS[1]) {
        Ok(lab) => {
            let sampler = setup.sampler;
            let (objective, default) = (options.objective, tuning.default.clone());
            let finals = Finals { lab, limits: limits(1.0), sampler, objective, default };
            conclude(&mut tuning, finals.run(found.finalists));
        }
        Err(reason) => tuning.notes.push(format!("no final comparison, the default is kept: {reason}")),
    }
    tuning
}

/// Takes the winner of the final comparison; a finalist that was wrong there becomes a candidate that failed.
fn conclude(tuning: &mut Tuning, outcome: finals::Outcome) {
    for (choice, message) in outcome.failed {
        let message = format!("in the final comparison: {message}");
        match tuning.trials.iter_mut().find(|trial| trial.choice == choice) {
            Some(trial) => trial.outcome = TrialOutcome::Failed { message },
            None => tuning.trials.push(Trial { choice, outcome: TrialOutcome::Failed { message } }),
        }
    }
    match finals::verdict(&outcome.finalists, &tuning.default, tuning.objective) {
        Verdict::Unknown => {
            tuning.notes.push("the final comparison has fewer than two turns: the default is kept".to_owned());
            return;
        }
        Verdict::Default { unclear: true } => {
            let text =
                "what looked better could not be told from the default with 95 % confidence: the default is kept";
            tuning.notes.push(text.to_owned());
        }
        Verdict::Default { unclear: false } => {}
        Verdict::Tuned(finalist) => tuning.chosen = finalist.choice.clone(),
    }
    tuning.finalists = outcome.finalists;
}
