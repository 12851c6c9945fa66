//! What sensors say right now: a running view of traces, for a display that never ends.
//!
//! Nothing is kept here but the last readings, totals, and a minute of history. What surprises people: the energy so far
//! is the sum over the intervals that readings cover; what was not read is not in it, and the covered time stands beside it.

use std::collections::VecDeque;

use crate::clock::Nanoseconds;
use crate::model::{Evidence, Quantity, Scope, SourceTrace};
use crate::power::{power_series, window_energies};
use crate::units::{Joules, Seconds, Watts};

/// Intervals of history behind the small chart of each source.
pub const HISTORY: usize = 60;

/// A running view of several sources.
#[derive(Debug, Default)]
pub struct Live {
    since: Option<Nanoseconds>,
    last: Option<Nanoseconds>,
    powers: Vec<LivePower>,
    states: Vec<LiveState>,
}

/// Power of one source and scope.
#[derive(Debug, Clone, PartialEq)]
pub struct LivePower {
    /// Identifier of the source.
    pub source: String,
    /// Ordinal of the device; `None` for the whole host.
    pub device: Option<u32>,
    /// Measured, declared or estimated.
    pub evidence: Evidence,
    /// What the watts include.
    pub scope: Scope,
    /// The last reading, if there was one in the last interval.
    pub now: Option<Watts>,
    /// Mean over the time that readings cover.
    pub mean: Option<Watts>,
    /// Lowest mean of an interval.
    pub low: Option<Watts>,
    /// Highest mean of an interval.
    pub high: Option<Watts>,
    /// Energy over the time that readings cover.
    pub energy: Joules,
    /// Time that readings cover.
    pub covered: Seconds,
    /// Mean power of the last intervals, oldest first; `None` where nothing was read.
    pub history: VecDeque<Option<Watts>>,
    /// Why there is no reading now.
    pub gap: Option<String>,
}

/// What else one source says of its device: the last readings.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveState {
    /// Identifier of the source.
    pub source: String,
    /// Its kind, which says what its throttle bits mean.
    pub kind: String,
    /// Ordinal of the device; `None` for the whole host.
    pub device: Option<u32>,
    /// Last readings by quantity, in order of the channels; a quantity without a reading is left out.
    pub readings: Vec<(Quantity, f64)>,
    /// Why the source gives no reading now.
    pub gap: Option<String>,
}

impl Live {
    /// Takes in what was read since the last call. `traces` must reach back that far; `now` is the run clock's time.
    pub fn update(&mut self, traces: &[SourceTrace], now: Nanoseconds) {
        let earliest = traces.iter().filter_map(|trace| trace.t_ns.first()).min().copied();
        let from = self.last.or(earliest).unwrap_or(now);
        self.since.get_or_insert(from);
        self.last = Some(now);
        for trace in traces {
            self.update_powers(trace, from, now);
            self.update_state(trace, from);
        }
    }

    /// Time from the first reading to the last update.
    pub fn elapsed(&self) -> Seconds {
        self.last.zip(self.since).map_or(Seconds::new(0.0), |(last, since)| last.since(since))
    }

    /// Power of every source and scope, in order of the sources.
    pub fn powers(&self) -> &[LivePower] {
        &self.powers
    }

    /// Other readings of every source that has any.
    pub fn states(&self) -> &[LiveState] {
        &self.states
    }

    fn update_powers(&mut self, trace: &SourceTrace, from: Nanoseconds, now: Nanoseconds) {
        for part in window_energies(trace, from, now) {
            let power = power_of(&mut self.powers, trace, part.scope);
            let covered = now.since(from) * part.coverage.get();
            let mean = part.mean_power.filter(|_| covered.get() > 0.0);
            if let Some(mean) = mean {
                power.energy = power.energy + mean * covered;
                power.covered = power.covered + covered;
                power.mean = Some(power.energy / power.covered);
                power.low = Some(power.low.map_or(mean, |low| if mean < low { mean } else { low }));
                power.high = Some(power.high.map_or(mean, |high| if mean > high { mean } else { high }));
            }
            let last = power_series(trace, part.scope).into_iter().next_back();
            power.now = last.filter(|(at, _)| *at >= from).map(|(_, watts)| watts).or(mean);
            power.gap = if power.now.is_none() { open_gap(trace) } else { None };
            if power.history.len() == HISTORY {
                power.history.pop_front();
            }
            power.history.push_back(mean);
        }
    }

    fn update_state(&mut self, trace: &SourceTrace, from: Nanoseconds) {
        let others: Vec<_> = trace.source.channels.iter().filter(|channel| !channel.quantity.is_energetic()).collect();
        if others.is_empty() {
            return;
        }
        let last = |id: &str| {
            let values = &trace.column(id)?.values;
            let polls = trace.t_ns.iter().zip(values).rev().take_while(|(at, _)| **at >= from);
            polls.filter_map(|(_, value)| *value).next()
        };
        let mut readings: Vec<(Quantity, f64)> = Vec::new();
        for channel in others {
            // Of two channels of one quantity (a limit and its default) the first is the one in force.
            if readings.iter().all(|(known, _)| *known != channel.quantity) {
                readings.extend(last(&channel.id).map(|value| (channel.quantity, value)));
            }
        }
        let gap = if readings.is_empty() { open_gap(trace) } else { None };
        let (source, kind) = (trace.source.id.clone(), trace.source.kind.clone());
        let state = LiveState { source, kind, device: trace.source.device, readings, gap };
        match self.states.iter_mut().find(|known| known.source == state.source) {
            Some(known) => *known = state,
            None => self.states.push(state),
        }
    }
}

fn power_of<'a>(powers: &'a mut Vec<LivePower>, trace: &SourceTrace, scope: Scope) -> &'a mut LivePower {
    let known = powers.iter().position(|power| power.source == trace.source.id && power.scope == scope);
    let index = known.unwrap_or_else(|| {
        powers.push(LivePower {
            source: trace.source.id.clone(),
            device: trace.source.device,
            evidence: trace.source.evidence,
            scope,
            now: None,
            mean: None,
            low: None,
            high: None,
            energy: Joules::new(0.0),
            covered: Seconds::new(0.0),
            history: VecDeque::with_capacity(HISTORY),
            gap: None,
        });
        powers.len() - 1
    });
    &mut powers[index]
}

/// The reason of the last gap that has no end.
fn open_gap(trace: &SourceTrace) -> Option<String> {
    trace.gaps.iter().rev().find(|gap| gap.until_ns.is_none()).map(|gap| gap.reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::result::testing::power;
    use crate::model::{Channel, ChannelTrace, Gap};

    const SECOND: u64 = 1_000_000_000;

    fn at(second: u64) -> Nanoseconds {
        Nanoseconds(second * SECOND)
    }

    /// What a sampler shows of a trace between two instants.
    fn until(trace: &SourceTrace, end: Nanoseconds) -> SourceTrace {
        let polls = trace.t_ns.partition_point(|t| *t <= end);
        let mut seen = trace.clone();
        seen.t_ns.truncate(polls);
        seen.columns.iter_mut().for_each(|column| column.values.truncate(polls));
        seen
    }

    #[test]
    fn energy_and_mean_add_up_over_the_updates() {
        let trace = power("board", Some(0), Scope::Board, |t| Some(if t < 10.0 { 100.0 } else { 300.0 }));
        let mut live = Live::default();
        for second in 0..=20 {
            live.update(&[until(&trace, at(second))], at(second));
        }
        let board = &live.powers()[0];
        // Readings come half an update late: 9.85 s at 100 W, a tenth of a second between, 10.05 s at 300 W.
        assert!((board.energy.get() - 4020.0).abs() < 1e-6, "{}", board.energy);
        assert!((board.covered.get() - 20.0).abs() < 1e-9 && (board.mean.unwrap().get() - 201.0).abs() < 1e-6);
        assert_eq!((board.now, board.high), (Some(Watts::new(300.0)), Some(Watts::new(300.0))));
        assert!((board.low.unwrap().get() - 100.0).abs() < 1e-9);
        assert!((live.elapsed().get() - 20.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_read_is_neither_counted_nor_shown_as_zero() {
        let mut trace = power("board", Some(0), Scope::Board, |t| (t < 5.0).then_some(100.0));
        let reason = "cable pulled".to_owned();
        trace.gaps.push(Gap { channel: None, from_ns: at(5), until_ns: None, reason });
        let mut live = Live::default();
        for second in 0..=10 {
            live.update(&[until(&trace, at(second))], at(second));
        }
        let board = &live.powers()[0];
        assert_eq!((board.now, board.gap.as_deref()), (None, Some("cable pulled")));
        assert_eq!(board.history.back(), Some(&None));
        assert!(board.covered.get() < 5.5 && (board.mean.unwrap().get() - 100.0).abs() < 1e-6);
        assert!((board.low.unwrap().get() - 100.0).abs() < 1e-6);
    }

    #[test]
    fn the_history_is_bounded() {
        let trace = power("board", Some(0), Scope::Board, Some);
        let mut live = Live::default();
        for tenth in 0..=600 {
            live.update(std::slice::from_ref(&trace), Nanoseconds(tenth * SECOND / 10));
        }
        assert_eq!(live.powers()[0].history.len(), HISTORY);
    }

    #[test]
    fn other_readings_are_the_last_ones_and_a_limit_is_the_one_in_force() {
        let mut trace = power("telemetry", Some(1), Scope::Board, |_| None);
        trace.source.channels = vec![
            Channel::new("power.limit", Quantity::PowerLimit, Scope::Board),
            Channel::new("power.limit.default", Quantity::PowerLimit, Scope::Board),
            Channel::new("temperature", Quantity::Temperature, Scope::Board),
        ];
        let polls = trace.t_ns.len();
        let column = |id: &str, last: f64| {
            let mut values = vec![Some(1.0); polls];
            values[polls - 1] = Some(last);
            ChannelTrace { channel: id.to_owned(), values }
        };
        trace.columns =
            vec![column("power.limit", 600.0), column("power.limit.default", 700.0), column("temperature", 66.0)];
        let mut live = Live::default();
        live.update(&[trace], at(60));
        assert!(live.powers().is_empty());
        assert_eq!(live.states()[0].readings, [(Quantity::PowerLimit, 600.0), (Quantity::Temperature, 66.0)]);
    }
}
