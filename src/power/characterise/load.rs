//! The load as a function of time, 1 while it is on and 0 while it is off, and how a sensor of a given shape answers it.
//!
//! All answers have closed forms, because the load is constant between two switches. What surprises people: outside of
//! the known phases the load counts as off.

use crate::model::SensorCalibration;
use crate::units::NANOSECONDS_PER_SECOND;

/// How a sensor follows the load, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::power) enum Shape {
    /// The load at the instant.
    Instant,
    /// Its mean over this long before the instant.
    Mean(f64),
    /// Behind a first-order filter with this time constant.
    LowPass(f64),
}

/// The load over time, in seconds from an origin.
pub(in crate::power) struct Load {
    /// Instants of the switches, the first to on.
    at: Vec<f64>,
    /// The load from each switch on.
    level: Vec<f64>,
    /// Seconds of load before each switch.
    integral: Vec<f64>,
}

impl Load {
    /// The load of a calibration's waves; time runs from `origin_ns`. Phases that follow each other alike are one.
    pub(in crate::power) fn new(calibration: &SensorCalibration, origin_ns: u64) -> Self {
        let seconds = |ns: u64| (ns as f64 - origin_ns as f64) / NANOSECONDS_PER_SECOND;
        let mut switches: Vec<(f64, f64)> = Vec::new();
        for phase in calibration.waves.iter().flat_map(|wave| &wave.phases).filter(|phase| phase.on) {
            let (from, until) = (seconds(phase.from_ns.0), seconds(phase.until_ns.0));
            if until <= from {
                continue;
            }
            if switches.last().is_some_and(|(last, _)| *last >= from) {
                switches.pop();
            } else {
                switches.push((from, 1.0));
            }
            switches.push((until, 0.0));
        }
        let mut load = Self { at: Vec::new(), level: Vec::new(), integral: Vec::new() };
        let mut integral = 0.0;
        for (at, level) in switches {
            if let (Some(before), Some(was)) = (load.at.last(), load.level.last()) {
                integral += was * (at - before);
            }
            load.at.push(at);
            load.level.push(level);
            load.integral.push(integral);
        }
        load
    }

    /// Instants of the switches.
    pub(in crate::power) fn switches(&self) -> &[f64] {
        &self.at
    }

    /// Index of the last switch at or before `x`, searched from `hint` on; `None` before the first.
    fn last_switch(&self, x: f64, hint: &mut usize) -> Option<usize> {
        while *hint > 0 && self.at.get(*hint).is_some_and(|at| *at > x) {
            *hint -= 1;
        }
        while self.at.get(*hint + 1).is_some_and(|at| *at <= x) {
            *hint += 1;
        }
        self.at.get(*hint).filter(|at| **at <= x).map(|_| *hint)
    }

    /// Seconds of load before `x`.
    fn integral(&self, x: f64, hint: &mut usize) -> f64 {
        self.last_switch(x, hint).map_or(0.0, |i| self.integral[i] + self.level[i] * (x - self.at[i]))
    }

    /// Mean load between two instants each, in order of time.
    pub(in crate::power) fn means(&self, spans: impl Iterator<Item = (f64, f64)>, out: &mut Vec<f64>) {
        let (mut front, mut back) = (0, 0);
        out.clear();
        out.extend(
            spans.map(|(from, until)| {
                (self.integral(until, &mut front) - self.integral(from, &mut back)) / (until - from)
            }),
        );
    }

    /// How a sensor of a shape shows the load at instants in order of time.
    pub(in crate::power) fn answers(&self, shape: Shape, at: impl Iterator<Item = f64>, out: &mut Vec<f64>) {
        match shape {
            Shape::Mean(window) if window > 0.0 => self.means(at.map(|x| (x - window, x)), out),
            Shape::LowPass(tau) if tau > 0.0 => self.filtered(tau, at, out),
            _ => {
                let mut hint = 0;
                out.clear();
                out.extend(at.map(|x| self.last_switch(x, &mut hint).map_or(0.0, |i| self.level[i])));
            }
        }
    }

    fn filtered(&self, tau: f64, at: impl Iterator<Item = f64>, out: &mut Vec<f64>) {
        let towards = |value: f64, level: f64, time: f64| level + (value - level) * (-time / tau).exp();
        let mut values = Vec::with_capacity(self.at.len());
        let mut value = 0.0;
        for i in 0..self.at.len() {
            if i > 0 {
                value = towards(value, self.level[i - 1], self.at[i] - self.at[i - 1]);
            }
            values.push(value);
        }
        let mut hint = 0;
        out.clear();
        out.extend(at.map(|x| {
            self.last_switch(x, &mut hint).map_or(0.0, |i| towards(values[i], self.level[i], x - self.at[i]))
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Nanoseconds;
    use crate::model::{LoadPhase, SquareWave};
    use crate::units::Seconds;

    /// On from 1 s to 2 s and from 3 s to 5 s, the latter said in two phases.
    fn load() -> Load {
        let second = |s: f64| Nanoseconds((s * NANOSECONDS_PER_SECOND) as u64);
        let phase = |(from, until, on)| LoadPhase { from_ns: second(from), until_ns: second(until), on };
        let phases = [(1.0, 2.0, true), (2.0, 3.0, false), (3.0, 4.0, true), (4.0, 5.0, true)].map(phase).to_vec();
        let waves = vec![SquareWave { period_s: Seconds::new(2.0), phases }];
        Load::new(&SensorCalibration { device: 0, waves }, 0)
    }

    fn answers(shape: Shape, at: &[f64]) -> Vec<f64> {
        let mut out = Vec::new();
        load().answers(shape, at.iter().copied(), &mut out);
        out
    }

    #[test]
    fn an_instant_answer_is_the_load_itself() {
        assert_eq!(load().switches(), [1.0, 2.0, 3.0, 5.0]);
        assert_eq!(answers(Shape::Instant, &[0.5, 1.0, 1.9, 2.0, 4.5, 6.0]), [0.0, 1.0, 1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_mean_counts_the_part_of_its_window_that_is_on() {
        assert_eq!(answers(Shape::Mean(2.0), &[0.5, 1.5, 3.0, 4.0, 6.0]), [0.0, 0.25, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn a_filter_follows_and_falls_exponentially() {
        let e = (-1.0_f64).exp();
        let expected = [0.0, 1.0 - e, (1.0 - e) * e];
        for (answer, expected) in answers(Shape::LowPass(1.0), &[1.0, 2.0, 3.0]).iter().zip(expected) {
            assert!((answer - expected).abs() < 1e-12);
        }
    }
}
