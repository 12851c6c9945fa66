//! The final comparison: default, best of the search and runner-up take turns on data that the search never saw.
//!
//! What surprises people: the search picks the luckiest of many, so its own times flatter the winner. Only the turns here
//! say how much was gained, and a winner that does not hold here is not taken.

use super::lab::Lab;
use super::race;
use super::search::Limits;
use crate::clock::{Clock as _, Nanoseconds};
use crate::model::{Choice, Device, Evidence, Finalist, Objective, SourceInfo, SourceTrace};
use crate::power::{Sampler, holds_device, window_energies};
use crate::stats;
use crate::units::{Joules, Seconds};

/// Turns of each finalist where time allows, at first and at most: further ones are taken only while the best cannot be told
/// from the default.
const TURNS: (usize, usize) = (5, 10);
/// The same for finalists whose energy is measured, a turn of which takes seconds.
const TURNS_BY_ENERGY: (usize, usize) = (3, 5);
/// Turns without which there is no interval, and so no claim.
const LEAST_TURNS: usize = 2;
/// Samples of one turn; their score is its value.
const SAMPLES: usize = 3;
/// Gain over the default below which a change is not worth it.
const WORTHWHILE: f64 = 1.01;
/// Updates of the sensor that a stretch of load holds.
const UPDATES: f64 = 10.0;
/// Averaging windows of the sensor that a stretch of load holds.
const AVERAGES: f64 = 3.0;
/// Shortest stretch of load whose energy is taken.
const SHORTEST: Seconds = Seconds::new(1.0);

/// A comparison under way.
pub struct Finals<'a> {
    /// The device, with data of its own.
    pub lab: Lab<'a>,
    /// When to stop.
    pub limits: Limits<'a>,
    /// The sampler, where energy is compared.
    pub sampler: Option<&'a Sampler>,
    /// What is compared.
    pub objective: Objective,
    /// What is used where nothing was tuned.
    pub default: Choice,
}

/// What a comparison found.
pub struct Outcome {
    /// The finalists that stayed right, with one value per turn.
    pub finalists: Vec<Finalist>,
    /// Those that did not, with the reason.
    pub failed: Vec<(Choice, String)>,
}

impl Finals<'_> {
    /// Runs all turns, forward and backward in turn so that a drift weighs on all alike.
    pub fn run(mut self, finalists: Vec<(Choice, u32)>) -> Outcome {
        let mut tracks: Vec<(Finalist, u32)> = finalists
            .into_iter()
            .map(|(choice, executions)| (Finalist { choice, times_s: Vec::new(), energies_j: Vec::new() }, executions))
            .collect();
        let mut failed = Vec::new();
        let (least, most) = if self.objective == Objective::Speed { TURNS } else { TURNS_BY_ENERGY };
        let mut length = Seconds::new(0.0);
        for turn in 0..most {
            if turn >= least && self.is_decided(&tracks) {
                break;
            }
            // What is left must do for two turns of two: the runner-up makes room.
            if turn == 1 && tracks.len() > LEAST_TURNS && !self.limits.allow(length) {
                tracks.truncate(LEAST_TURNS);
                length = length * (2.0 / 3.0);
            }
            if !self.limits.allow(length) || tracks.is_empty() {
                break;
            }
            let begin = self.limits.clock.now();
            let forward = turn % 2 == 0;
            let count = tracks.len();
            for place in 0..count {
                let index = if forward { place } else { count - 1 - place };
                let (finalist, executions) = &mut tracks[index];
                if let Err(message) = self.turn(finalist, executions) {
                    failed.push((finalist.choice.clone(), message));
                }
            }
            tracks.retain(|(finalist, _)| failed.iter().all(|(choice, _)| *choice != finalist.choice));
            length = self.limits.clock.now().since(begin);
        }
        Outcome { finalists: tracks.into_iter().map(|(finalist, _)| finalist).collect(), failed }
    }

    /// True unless something looks better than the default and cannot be told from it yet.
    fn is_decided(&self, tracks: &[(Finalist, u32)]) -> bool {
        let finalists: Vec<Finalist> = tracks.iter().map(|(finalist, _)| finalist.clone()).collect();
        let Some(best) = cheapest(&finalists, self.objective) else { return false };
        let default = finalists.iter().find(|finalist| finalist.choice == self.default);
        default.is_none_or(|default| {
            best.choice == default.choice || {
                let gain = gain(best, default, self.objective);
                gain.is_some_and(|(point, low)| point < WORTHWHILE || low > 1.0)
            }
        })
    }

    fn turn(&mut self, finalist: &mut Finalist, executions: &mut u32) -> Result<(), String> {
        if self.objective == Objective::Speed {
            let samples = self.lab.turn(&finalist.choice, executions, SAMPLES)?;
            finalist.times_s.extend(race::score(&samples).map(Seconds::new));
            return Ok(());
        }
        let Some(sampler) = self.sampler else { return Err("there is no power reading".to_owned()) };
        let device = self.lab.device().clone();
        let (lead, length) = stretch(&sampler.traces_since(self.limits.clock.now()), &device);
        let stretch = self.lab.load_for(&finalist.choice, *executions, lead, length)?;
        // The counter's tick before the stretch lies within this lead.
        let since = Nanoseconds(stretch.start.0.saturating_sub(2_000_000_000));
        let energy = energy(&sampler.traces_since(since), &device, stretch.start, stretch.end)
            .ok_or_else(|| "no power reading covers its load".to_owned())?;
        finalist.times_s.push(stretch.each);
        finalist.energies_j.push(energy / stretch.executions as f64);
        Ok(())
    }
}

/// What is taken in the end.
#[derive(Debug, PartialEq)]
pub enum Verdict<'a> {
    /// Too few turns to say anything.
    Unknown,
    /// The default: nothing is worth leaving it for, or nothing can be told from it with 95 % confidence.
    Default {
        /// True if something looked better and could not be told from it.
        unclear: bool,
    },
    /// A finalist that is better than the default, or the best there is where the default is not right.
    Tuned(&'a Finalist),
}

/// The finalist of the least mean cost, unless the default may be as good.
pub fn verdict<'a>(finalists: &'a [Finalist], default: &Choice, objective: Objective) -> Verdict<'a> {
    let Some(best) = cheapest(finalists, objective) else { return Verdict::Unknown };
    let Some(default) = finalists.iter().find(|finalist| finalist.choice == *default) else {
        return Verdict::Tuned(best);
    };
    match gain(best, default, objective) {
        _ if best.choice == default.choice => Verdict::Default { unclear: false },
        None => Verdict::Unknown,
        Some((point, _)) if point < WORTHWHILE => Verdict::Default { unclear: false },
        Some((_, low)) if low <= 1.0 => Verdict::Default { unclear: true },
        Some(_) => Verdict::Tuned(best),
    }
}

/// The finalist of the least mean cost among those with enough turns.
fn cheapest(finalists: &[Finalist], objective: Objective) -> Option<&Finalist> {
    let cost = |finalist: &Finalist| {
        let costs = finalist.costs(objective);
        if costs.len() < LEAST_TURNS { None } else { stats::mean(&costs) }
    };
    let timed = finalists.iter().filter_map(|finalist| Some((cost(finalist)?, finalist)));
    timed.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, finalist)| finalist)
}

/// Cost of the default over that of a finalist, and the least that it may be: the lower end of its 95 % interval, or the
/// ratio of the closest turns where even those lie clearly apart, since the interval of two turns says next to nothing.
fn gain(finalist: &Finalist, default: &Finalist, objective: Objective) -> Option<(f64, f64)> {
    let (own, of_default) = (finalist.costs(objective), default.costs(objective));
    let gain = stats::ratio_of_means_95(&own, &of_default)?;
    let low = gain.ratio * (-gain.log_half_width).exp();
    let slowest = own.iter().copied().fold(0.0, f64::max);
    let fastest = of_default.iter().copied().fold(f64::INFINITY, f64::min);
    Some((gain.ratio, if race::is_near(fastest, slowest) { low } else { low.max(fastest / slowest) }))
}

/// True if a source's reading can tell the energies of two kernels on a device apart: declared watts cannot.
pub fn tells_energy(source: &SourceInfo, device: &Device) -> bool {
    source.evidence != Evidence::Declared
        && source
            .channels
            .iter()
            .any(|channel| channel.quantity.is_energetic() && holds_device(channel.scope, source.device, device))
}

/// Load before and after a stretch, and its length, for the slowest sensor in use.
fn stretch(traces: &[SourceTrace], device: &Device) -> (Seconds, Seconds) {
    let (mut update, mut average) = (0.0_f64, 0.0_f64);
    for trace in traces.iter().filter(|trace| tells_energy(&trace.source, device)) {
        for channel in trace.source.channels.iter().filter(|channel| channel.quantity.is_energetic()) {
            let polls = 1.0 / trace.requested_hz;
            update = update.max(channel.update_period_s.map_or(polls, |period| period.get().max(polls)));
            average = average.max(channel.averaging_window_s.map_or(0.0, Seconds::get));
        }
    }
    let length = Seconds::new((UPDATES * update).max(AVERAGES * average)).max_of(SHORTEST);
    (Seconds::new(update + average), length)
}

/// Energy between two instants by the best source there is: measured before estimated, then by scope.
fn energy(traces: &[SourceTrace], device: &Device, from: Nanoseconds, until: Nanoseconds) -> Option<Joules> {
    let of_trace = |trace: &SourceTrace| {
        let evidence = trace.source.evidence;
        let owner = trace.source.device;
        let energies = window_energies(trace, from, until);
        let held = energies.into_iter().filter(move |energy| holds_device(energy.scope, owner, device));
        held.filter_map(move |energy| {
            let joules = energy.chosen?.1;
            let counts = joules.get() > 0.0 && energy.coverage.get() >= 0.5;
            counts.then_some((evidence, energy.scope.headline_rank(), joules))
        })
        .collect::<Vec<_>>()
    };
    let told = traces.iter().filter(|trace| tells_energy(&trace.source, device)).flat_map(of_trace);
    told.min_by_key(|(evidence, rank, _)| (*evidence, *rank)).map(|(_, _, joules)| joules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn finalist(variant: &str, times: &[f64], energies: &[f64]) -> Finalist {
        Finalist {
            choice: Choice { variant: variant.to_owned(), params: BTreeMap::new(), shader_sha256: String::new() },
            times_s: times.iter().map(|time| Seconds::new(*time)).collect(),
            energies_j: energies.iter().map(|energy| Joules::new(*energy)).collect(),
        }
    }

    fn taken(finalists: &[Finalist], objective: Objective) -> &str {
        match verdict(finalists, &finalists[0].choice, objective) {
            Verdict::Unknown => "unknown",
            Verdict::Default { unclear: true } => "unclear",
            Verdict::Default { unclear: false } => "default",
            Verdict::Tuned(finalist) => finalist.choice.variant.as_str(),
        }
    }

    #[test]
    fn the_least_cost_wins_and_the_objective_says_what_cost_is() {
        let three = [
            finalist("default", &[3.0, 3.0], &[9.0, 9.0]),
            finalist("fast", &[2.0, 2.0], &[8.0, 8.0]),
            finalist("frugal", &[2.5, 2.5], &[5.0, 5.0]),
        ];
        assert_eq!(taken(&three, Objective::Speed), "fast");
        assert_eq!(taken(&three, Objective::Efficiency), "frugal");
    }

    #[test]
    fn a_lead_of_less_than_a_percent_and_one_that_does_not_hold_leave_the_default() {
        let near = [finalist("default", &[1.0, 1.0], &[]), finalist("other", &[0.995, 0.995], &[])];
        assert_eq!(taken(&near, Objective::Speed), "default");
        let lost = [finalist("default", &[1.0, 1.0], &[]), finalist("other", &[1.2, 1.2], &[])];
        assert_eq!(taken(&lost, Objective::Speed), "default");
    }

    #[test]
    fn what_cannot_be_told_from_the_default_is_not_taken() {
        let default = finalist("default", &[1.0, 1.6, 1.1], &[]);
        assert_eq!(taken(&[default.clone(), finalist("other", &[1.0, 1.1, 1.0], &[])], Objective::Speed), "unclear");
        assert_eq!(taken(&[default, finalist("other", &[0.20, 0.21, 0.20], &[])], Objective::Speed), "other");
        // Two turns: the interval holds 1, but every turn is at least three times as fast.
        let disturbed = finalist("default", &[0.3, 0.9], &[]);
        assert_eq!(taken(&[disturbed.clone(), finalist("other", &[0.05, 0.1], &[])], Objective::Speed), "other");
        assert_eq!(taken(&[disturbed, finalist("other", &[0.1, 0.25], &[])], Objective::Speed), "unclear");
    }

    #[test]
    fn one_turn_is_no_comparison_and_a_wrong_default_is_no_rival() {
        let one = [finalist("default", &[1.0], &[]), finalist("other", &[0.5], &[])];
        assert_eq!(taken(&one, Objective::Speed), "unknown");
        let gone = [finalist("other", &[0.5, 0.5], &[])];
        let default = finalist("default", &[], &[]).choice;
        assert_eq!(verdict(&gone, &default, Objective::Speed), Verdict::Tuned(&gone[0]));
    }
}
