//! From polls to updates: which polls saw a change, and what each update showed.
//!
//! What surprises people: where updates keep to a grid, one that changed nothing is an update all the same, and is used.

use super::CharacteriseError;
use super::cadence::{self, Cadence};
use super::fit::Update;
use crate::model::{Quantity, SourceTrace};
use crate::stats;
use crate::units::{NANOSECONDS_PER_SECOND, Ratio, Seconds};

/// Longest hole between two polls across which a change is placed, in typical polls.
const LONGEST_HOLE: f64 = 3.0;
/// Part of the polls under load that may be without value.
const TOLERATED_MISSING: f64 = 0.5;
/// Part of the time under the waves for which a living sensor cannot show one and the same value.
const FROZEN_PART: f64 = 0.25;
/// Part of a period next to an update in which a poll may belong to either side of it.
const EDGE: f64 = 0.04;

/// The polls of one channel while the waves ran.
pub(super) struct Readings {
    pub origin_ns: u64,
    /// Instants in seconds since the origin, and values.
    polls: Vec<(f64, f64)>,
    /// Typical time between two polls.
    pub poll: f64,
    pub counter: bool,
}

impl Readings {
    /// The polls of a channel between two instants.
    pub(super) fn new(trace: &SourceTrace, channel: &str, from: u64, until: u64) -> Result<Self, CharacteriseError> {
        let unknown = || CharacteriseError::NoSuchChannel { channel: channel.to_owned() };
        let info = trace.source.channels.iter().find(|known| known.id == channel).ok_or_else(unknown)?;
        let column = trace.column(channel).ok_or_else(unknown)?;
        if !info.quantity.is_energetic() {
            return Err(CharacteriseError::NotPower { channel: channel.to_owned() });
        }
        let seconds = |ns: u64| (ns - from) as f64 / NANOSECONDS_PER_SECOND;
        let within = trace.t_ns.iter().zip(&column.values).filter(|(t, _)| (from..=until).contains(&t.0));
        let all: Vec<(f64, Option<f64>)> = within.map(|(t, value)| (seconds(t.0), *value)).collect();
        let polls: Vec<(f64, f64)> = all.iter().filter_map(|(t, value)| Some((*t, (*value)?))).collect();
        let between: Vec<f64> = polls.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        let poll = stats::median(&between).filter(|poll| *poll > 0.0);
        let poll = poll.ok_or(CharacteriseError::TooFewUpdates { changes: 0, seconds: seconds(until) })?;
        // Holes in which the source was not even asked count as missing, too.
        let held: f64 = between.iter().filter(|gap| **gap <= LONGEST_HOLE * poll).sum();
        let missing = 1.0 - (held / seconds(until)).min(1.0);
        if missing > TOLERATED_MISSING {
            let reason = trace.gaps.first().map(|gap| gap.reason.clone());
            let reason = reason.unwrap_or_else(|| "the polls do not span the waves".to_owned());
            return Err(CharacteriseError::Gaps { missing: Ratio::new(missing), reason });
        }
        let counter = info.quantity == Quantity::EnergyCounter;
        let readings = Self { origin_ns: from, polls, poll, counter };
        readings.refuse_frozen()?;
        Ok(readings)
    }

    fn refuse_frozen(&self) -> Result<(), CharacteriseError> {
        let (Some(first), Some(last)) = (self.polls.first(), self.polls.last()) else { return Ok(()) };
        let mut since = *first;
        for poll in &self.polls {
            if poll.1 != since.1 {
                since = *poll;
            }
            if poll.0 - since.0 > FROZEN_PART * (last.0 - first.0) {
                let (value, seconds) = (since.1, self.polls.iter().filter(|p| p.0 >= since.0));
                let end = seconds.take_while(|p| p.1 == value).last().map_or(since.0, |p| p.0);
                return Err(CharacteriseError::Frozen { value, seconds: Seconds::new(end - since.0) });
            }
        }
        Ok(())
    }

    /// Pairs of polls between which an update changed the value, with the value it left.
    fn changes(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        let close = |pair: &&[(f64, f64)]| pair[1].0 - pair[0].0 <= LONGEST_HOLE * self.poll && pair[0].1 != pair[1].1;
        self.polls.windows(2).filter(close).map(|pair| (pair[0].0, pair[1].0, pair[1].1))
    }

    /// When the sensor updates.
    pub(super) fn cadence(&self) -> Result<Cadence, CharacteriseError> {
        let changes: Vec<(f64, f64)> = self.changes().map(|(before, after, _)| (before, after)).collect();
        let span = self.polls.last().map_or(0.0, |last| last.0 - self.polls[0].0);
        if changes.len() < cadence::FEWEST_CHANGES {
            return Err(CharacteriseError::TooFewUpdates { changes: changes.len() as u64, seconds: span });
        }
        cadence::find(&changes, self.poll).ok_or(CharacteriseError::PolledTooSlowly {
            poll: Seconds::new(self.poll),
            at_most: Seconds::new(cadence::SHORTEST_IN_POLLS * self.poll),
        })
    }

    /// The updates in order of time. For a counter, `watts` is the mean power since the update before it.
    pub(super) fn updates(&self, cadence: &Cadence) -> Vec<Update> {
        let shown = match cadence.phase {
            Some(phase) => self.on_grid(cadence.period, phase),
            None => self.changes().map(|(before, after, value)| ((before + after) / 2.0, value)).collect(),
        };
        if !self.counter {
            return shown.into_iter().map(|(at, watts)| Update { at, watts, since: None }).collect();
        }
        let rate = |pair: &[(f64, f64)]| {
            let ((since, before), (at, after)) = (pair[0], pair[1]);
            // A counter that falls was reset; a hole of many ticks says little about its response.
            let usable = after >= before && at - since < 3.5 * cadence.period;
            usable.then(|| Update { at, watts: (after - before) / (at - since), since: Some(since) })
        };
        shown.windows(2).filter_map(rate).collect()
    }

    /// For each update on the grid, what the poll farthest from its ends saw.
    fn on_grid(&self, period: f64, phase: f64) -> Vec<(f64, f64)> {
        let mut shown: Vec<(i64, f64, f64)> = Vec::new();
        for (t, value) in &self.polls {
            let position = (t - phase) / period;
            let (number, part) = (position.floor() as i64, position.rem_euclid(1.0));
            let margin = part.min(1.0 - part);
            if margin < EDGE {
                continue;
            }
            match shown.last_mut() {
                Some(last) if last.0 == number => {
                    if margin > last.2 {
                        *last = (number, *value, margin);
                    }
                }
                _ => shown.push((number, *value, margin)),
            }
        }
        shown.into_iter().map(|(number, value, _)| (phase + number as f64 * period, value)).collect()
    }
}
