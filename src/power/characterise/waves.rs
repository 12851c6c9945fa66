//! The square waves that make a sensor show its response: how long each, and when to switch.
//!
//! Long waves show windows of seconds, short ones how a mean shrinks, and every switch shows the delay. What surprises
//! people: the phases of a wave differ in length by a fixed rule, so that no update period is in step with the load; a
//! sensor that looks at a part of the time would otherwise always look at the same part of the wave.

use crate::clock::Nanoseconds;
use crate::model::{LoadPhase, SquareWave};
use crate::units::Seconds;

/// How much time the waves may take, and for which sensors they are meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WaveSet {
    /// About 75 s: update periods of 10 ms to 1 s, windows of 10 ms to 1.5 s.
    Standard,
    /// About 20 s: update periods of 10 ms to 200 ms, windows of 20 ms to 1 s; wider limits on the result.
    Quick,
    /// About 80 update periods: meters that update every `period` or faster, of 1 s to 30 s.
    Slow {
        /// Longest update period to expect.
        period: Seconds,
    },
}

/// A wave to drive: on for the first phase, off for the second, and so on.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedWave {
    /// Mean period, on and off together.
    pub period_s: Seconds,
    /// Lengths of the phases, the first of them on.
    pub phases_s: Vec<Seconds>,
}

/// Part of its length by which a phase is made longer or shorter at most.
const STRETCH: f64 = 0.15;
/// The golden ratio's fractional part: its multiples fill the unit interval evenly, whatever their number (Weyl).
const GOLDEN: f64 = 0.618_033_988_749_895;

impl PlannedWave {
    fn new(period: f64, periods: u32, number: usize) -> Self {
        let stretch = |phase: u32| {
            let turn = (f64::from(phase + 1) * GOLDEN + number as f64 * GOLDEN * GOLDEN).fract();
            1.0 + STRETCH * (2.0 * turn - 1.0)
        };
        let phases_s = (0..2 * periods).map(|phase| Seconds::new(period / 2.0 * stretch(phase))).collect();
        Self { period_s: Seconds::new(period), phases_s }
    }

    /// Time that the wave takes.
    pub fn duration(&self) -> Seconds {
        self.phases_s.iter().copied().sum()
    }

    /// The wave as it comes out when every switch is on time.
    pub fn starting_at(&self, start: Nanoseconds) -> SquareWave {
        let mut from_ns = start;
        let phases = self.phases_s.iter().enumerate().map(|(index, length)| {
            let phase = LoadPhase { from_ns, until_ns: from_ns.plus(*length), on: index % 2 == 0 };
            from_ns = phase.until_ns;
            phase
        });
        SquareWave { period_s: self.period_s, phases: phases.collect() }
    }
}

/// The waves to drive, longest first. No period is a simple multiple of another, or of 10, 20, 25, 100 or 1000 ms.
pub fn suggested_waves(set: WaveSet) -> Vec<PlannedWave> {
    let plan: Vec<(f64, u32)> = match set {
        WaveSet::Standard => {
            vec![(4.31, 4), (1.87, 8), (0.933, 13), (0.4711, 21), (0.2733, 29), (0.1373, 44), (0.0617, 60)]
        }
        WaveSet::Quick => vec![(2.131, 3), (0.8733, 6), (0.3737, 13), (0.1373, 22)],
        WaveSet::Slow { period } => {
            [(8.31, 4), (4.17, 6), (2.713, 8)].map(|(updates, periods)| (updates * period.get(), periods)).to_vec()
        }
    };
    plan.iter().enumerate().map(|(number, (period, periods))| PlannedWave::new(*period, *periods, number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(set: WaveSet) -> f64 {
        suggested_waves(set).iter().map(|wave| wave.duration().get()).sum()
    }

    #[test]
    fn each_set_takes_about_the_time_it_says() {
        assert!((60.0..90.0).contains(&total(WaveSet::Standard)), "{}", total(WaveSet::Standard));
        assert!((15.0..25.0).contains(&total(WaveSet::Quick)), "{}", total(WaveSet::Quick));
        let slow = total(WaveSet::Slow { period: Seconds::new(5.0) });
        assert!((300.0..450.0).contains(&slow), "{slow}");
    }

    #[test]
    fn phases_alternate_without_a_hole_and_differ_in_length() {
        let wave = suggested_waves(WaveSet::Quick)[1].starting_at(Nanoseconds(5));
        assert_eq!(wave.phases[0].from_ns, Nanoseconds(5));
        assert!(wave.phases.windows(2).all(|pair| pair[0].until_ns == pair[1].from_ns && pair[0].on != pair[1].on));
        let lengths: std::collections::BTreeSet<u64> =
            wave.phases.iter().map(|phase| phase.until_ns.0 - phase.from_ns.0).collect();
        assert_eq!(lengths.len(), wave.phases.len());
    }
}
