//! The search among one case's candidates: checked first, then timed in rounds that drop the clearly slower.
//!
//! What surprises people: the budget is asked before every candidate and every turn and never in the middle of one, so
//! that a tuning overruns it by at most the compilation and check of a single candidate.

use super::candidates::{Candidates, Freedom, contestants};
use super::lab::{self, First, Lab};
use super::race::{self, Progress};
use crate::clock::{Clock as _, Nanoseconds, RunClock};
use crate::model::{Case, Choice, Objective, Trial, TrialOutcome};
use crate::units::Seconds;

/// Finalists beside the default: the best of the search and its runner-up.
const FINALISTS: usize = 2;
/// Finalists beside the default whose energy is measured.
const FINALISTS_BY_ENERGY: usize = 3;
/// A finalist for energy may be slower than the fastest by this factor: what draws half the power may take longer.
const SLOWER_FINALIST: f64 = 2.0;

/// When to stop, and why.
pub struct Limits<'a> {
    /// The clock of the run.
    pub clock: &'a RunClock,
    /// Nothing is begun after it.
    pub until: Nanoseconds,
    /// True once the user asked to stop.
    pub interrupted: &'a dyn Fn() -> bool,
}

impl Limits<'_> {
    /// True if something that takes this long may still begin.
    pub fn allow(&self, length: Seconds) -> bool {
        self.clock.now().plus(length) <= self.until && !(self.interrupted)()
    }
}

/// A candidate in the race.
#[derive(Debug)]
struct Track {
    choice: Choice,
    executions: u32,
    samples: Vec<f64>,
    live: bool,
    slow: Option<Seconds>,
    failed: Option<String>,
}

/// What a search found.
pub struct Found {
    /// Every candidate that was tried, in order.
    pub trials: Vec<Trial>,
    /// Those for the final comparison, with executions for a submission; the default first, if it is right.
    pub finalists: Vec<(Choice, u32)>,
    /// Candidates that were thought of and not tried.
    pub untried: usize,
    /// True if the budget ended the search.
    pub out_of_time: bool,
    /// Why the device could no longer be used.
    pub broken: Option<String>,
}

/// A search under way.
pub struct Search<'a> {
    lab: Lab<'a>,
    limits: Limits<'a>,
    candidates: Candidates,
    tracks: Vec<Track>,
    out_of_time: bool,
}

impl<'a> Search<'a> {
    /// A search for a case on an open device.
    pub fn new(lab: Lab<'a>, limits: Limits<'a>, case: &Case, freedom: Freedom) -> Self {
        let variants = contestants(case, freedom, lab.device());
        let candidates = Candidates::new(case, variants, lab.device());
        Self { lab, limits, candidates, tracks: Vec::new(), out_of_time: false }
    }

    /// Runs the whole search from the default of the case.
    pub fn run(mut self, own: &Choice, objective: Objective) -> Found {
        let mut progress = Progress::default();
        let mut bases: Vec<Choice> = Vec::new();
        let mut entrants = self.candidates.defaults(own);
        for round in 0.. {
            self.refine();
            self.enter(entrants);
            self.drop_slower();
            if progress.is_over(self.best()) || self.out_of_time || self.lab.broken().is_some() {
                break;
            }
            entrants = self.next_entrants(round, &mut bases);
            if entrants.is_empty() && self.settled() {
                break;
            }
        }
        let finalists = self.finalists(own, objective);
        Found {
            finalists,
            untried: self.candidates.untried(),
            out_of_time: self.out_of_time,
            broken: self.lab.broken().map(str::to_owned),
            trials: self.tracks.into_iter().map(Track::into_trial).collect(),
        }
    }

    /// Who comes next: after the defaults the moves around the best of them, then their combinations, then the moves
    /// around whoever leads.
    fn next_entrants(&mut self, round: u32, bases: &mut Vec<Choice>) -> Vec<Choice> {
        let (candidates, tracks) = (&mut self.candidates, &self.tracks);
        let ranked = ranked(tracks);
        if round == 0 {
            // A variant whose default is a little slower may win with other parameters, even where the intervals of the
            // defaults lie apart.
            let leader = ranked.first().and_then(|track| race::score(&track.samples)).unwrap_or(f64::INFINITY);
            let near = |track: &&&Track| race::score(&track.samples).is_some_and(|own| race::is_near(own, leader));
            let near = ranked.iter().filter(near).take(candidates.bases());
            bases.extend(near.map(|track| track.choice.clone()));
            return candidates.around_each(bases);
        }
        let cost = |choice: &Choice| {
            tracks.iter().find(|track| track.choice == *choice).and_then(|track| race::score(&track.samples))
        };
        if round == 1 {
            return bases.iter().flat_map(|base| candidates.combined(base, cost)).collect();
        }
        ranked.first().map(|leader| candidates.around_each(std::slice::from_ref(&leader.choice))).unwrap_or_default()
    }

    /// Another turn for everyone who is in the race and has few samples.
    fn refine(&mut self) {
        for track in self.tracks.iter_mut().filter(|track| track.live && track.failed.is_none()) {
            let count = lab::next_samples(track.samples.len());
            if count == 0 || self.lab.broken().is_some() {
                continue;
            }
            if !self.limits.allow(Seconds::new(0.0)) {
                self.out_of_time = true;
                return;
            }
            track.take_turn(&mut self.lab, count);
        }
    }

    /// Checks and times newcomers; those for whom no time is left are taken back.
    fn enter(&mut self, entrants: Vec<Choice>) {
        for choice in entrants {
            // The default is tried whatever the budget.
            let first = self.tracks.is_empty();
            if !first && (!self.limits.allow(Seconds::new(0.0)) || self.lab.broken().is_some()) {
                self.out_of_time = true;
                self.candidates.take_back(choice);
                continue;
            }
            let leader = self.best();
            let mut track = Track { choice, executions: 1, samples: Vec::new(), live: true, slow: None, failed: None };
            match self.lab.check(&track.choice, leader) {
                Ok(First::Right(executions)) => {
                    track.executions = executions;
                    track.take_turn(&mut self.lab, race::SAMPLES_PER_TURN);
                }
                Ok(First::Slow(time)) => (track.slow, track.live) = (Some(time), false),
                Err(message) => track.fail(message),
            }
            self.tracks.push(track);
        }
    }

    fn drop_slower(&mut self) {
        let live: Vec<usize> = (0..self.tracks.len()).filter(|index| self.tracks[*index].live).collect();
        let samples: Vec<&[f64]> = live.iter().map(|index| &*self.tracks[*index].samples).collect();
        for (index, stays) in live.into_iter().zip(race::survivors(&samples)) {
            self.tracks[index].live = stays;
        }
    }

    /// True if more samples would change nothing: one is left, or all have as many as they may.
    fn settled(&self) -> bool {
        let live = || self.tracks.iter().filter(|track| track.live);
        live().count() <= 1 || live().all(|track| lab::next_samples(track.samples.len()) == 0)
    }

    fn best(&self) -> Option<f64> {
        self.tracks.iter().filter_map(|track| race::score(&track.samples)).min_by(f64::total_cmp)
    }

    /// The default, then the fastest. For energy the fastest of each variant come before the others of one, because
    /// candidates that differ in a parameter alone seldom differ much in power.
    fn finalists(&self, own: &Choice, objective: Objective) -> Vec<(Choice, u32)> {
        let ranked = ranked(&self.tracks);
        let mut order: Vec<&Track> = ranked.clone();
        let mut most = FINALISTS;
        if objective == Objective::Efficiency {
            let limit = self.best().unwrap_or(f64::INFINITY) * SLOWER_FINALIST;
            order.retain(|track| race::score(&track.samples).is_some_and(|score| score <= limit));
            let is_first = |track: &Track| {
                ranked.iter().find(|other| other.choice.variant == track.choice.variant).map(|first| &first.choice)
                    == Some(&track.choice)
            };
            order.sort_by_key(|track| !is_first(track));
            most = FINALISTS_BY_ENERGY;
        }
        let default = ranked.iter().find(|track| track.choice == *own);
        let others = order.iter().filter(|track| track.choice != *own).take(most);
        default.into_iter().chain(others).map(|track| (track.choice.clone(), track.executions)).collect()
    }
}

/// Tracks with samples, the fastest first.
fn ranked(tracks: &[Track]) -> Vec<&Track> {
    let mut timed: Vec<(f64, &Track)> = tracks
        .iter()
        .filter(|track| track.failed.is_none())
        .filter_map(|track| Some((race::score(&track.samples)?, track)))
        .collect();
    timed.sort_by(|a, b| a.0.total_cmp(&b.0));
    timed.into_iter().map(|(_, track)| track).collect()
}

impl Track {
    fn take_turn(&mut self, lab: &mut Lab<'_>, count: usize) {
        match lab.turn(&self.choice, &mut self.executions, count) {
            Ok(samples) => self.samples.extend(samples),
            Err(message) => self.fail(message),
        }
    }

    /// A candidate that fails is out whatever it was before: its earlier times say nothing.
    fn fail(&mut self, message: String) {
        self.samples.clear();
        (self.live, self.failed) = (false, Some(message));
    }

    fn into_trial(self) -> Trial {
        let outcome = match (self.failed, self.slow) {
            (Some(message), _) => TrialOutcome::Failed { message },
            (None, Some(first_s)) => TrialOutcome::Slow { first_s },
            (None, None) => TrialOutcome::Timed { samples_s: self.samples.into_iter().map(Seconds::new).collect() },
        };
        Trial { choice: self.choice, outcome }
    }
}
