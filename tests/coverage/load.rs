//! Random loads with known energy: steps, ramps, duty cycles, drift.
//!
//! What surprises people: a load is piecewise constant to the nanosecond, ramps in steps of 20 ms, so that the true energy
//! of any window is a plain sum.

use crate::sensor::Filtered;
use wattmark::clock::{Activity, Busy, Nanoseconds};
use wattmark::power::sources::scripted::BusyPower;
use wattmark::stats::SplitMix64;
use wattmark::units::Watts;

/// Levels that a script knows: 50 W to 687.5 W.
const LEVELS: usize = 256;
const LOWEST_W: f64 = 50.0;
const STEP_W: f64 = 2.5;

/// Numbers that depend on a seed alone.
pub struct Random(SplitMix64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995))
    }
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64)
    }
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }
    pub fn normal(&mut self) -> f64 {
        let (a, b) = (self.between(1e-12, 1.0), self.between(0.0, 1.0));
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// Power over time: instants at which it changes, in seconds, and the level from then on.
pub struct Load {
    pieces: Vec<(f64, f64)>,
    /// Joules until the beginning of each piece.
    before: Vec<f64>,
    end: f64,
}

/// Kinds of load, one chosen for each trial.
pub const KINDS: [&str; 4] = ["steps", "ramps", "duty cycles", "drift"];

impl Load {
    /// A load of a kind from 0 to `end` seconds.
    pub fn random(kind: usize, end: f64, random: &mut Random) -> Self {
        let mut load = Self { pieces: Vec::new(), before: Vec::new(), end };
        match kind {
            0 => load.steps(random),
            1 => load.ramps(random),
            2 => load.duty_cycle(random),
            _ => load.drift(random),
        }
        load.summed()
    }

    fn summed(mut self) -> Self {
        let mut sum = 0.0;
        self.before.push(0.0);
        for pair in self.pieces.windows(2) {
            sum += pair[0].1 * (pair[1].0 - pair[0].0);
            self.before.push(sum);
        }
        self
    }

    /// Index of the piece that holds an instant, and the time since it began.
    pub fn piece_at(&self, at: f64) -> (usize, f64) {
        let index = self.pieces.partition_point(|(start, _)| *start <= at).saturating_sub(1);
        (index, at - self.pieces[index].0)
    }
    /// Watts of a piece.
    pub fn watts_of(&self, index: usize) -> f64 {
        self.pieces[index].1
    }
    /// Watts at an instant.
    pub fn watts_at(&self, at: f64) -> f64 {
        self.watts_of(self.piece_at(at).0)
    }
    /// Joules since the beginning.
    pub fn energy_until(&self, at: f64) -> f64 {
        let (index, since) = self.piece_at(at);
        self.before[index] + self.pieces[index].1 * since
    }
    /// Joules between two instants in seconds.
    pub fn energy_between(&self, from: f64, until: f64) -> f64 {
        self.energy_until(until) - self.energy_until(from)
    }
    /// Power behind a low-pass filter that has let the idle power through until now.
    pub fn filtered(&self, constant: f64) -> Filtered {
        let mut starts = vec![LOWEST_W];
        for pair in self.pieces.windows(2).filter(|_| constant > 0.0) {
            let (watts, held) = (pair[0].1, starts[starts.len() - 1]);
            starts.push(watts + (held - watts) * (-(pair[1].0 - pair[0].0) / constant).exp());
        }
        Filtered { constant, starts }
    }

    fn push(&mut self, at: f64, watts: f64) {
        let level = ((watts - LOWEST_W) / STEP_W).round().clamp(0.0, (LEVELS - 1) as f64);
        let watts = LOWEST_W + STEP_W * level;
        // Whole nanoseconds, as the activity has them.
        let at = (at * 1e9).round() / 1e9;
        if self.pieces.last().is_none_or(|(_, last)| *last != watts) {
            self.pieces.push((at, watts));
        }
    }

    fn steps(&mut self, random: &mut Random) {
        let mut at = 0.0;
        while at < self.end {
            self.push(at, random.between(80.0, 650.0));
            at += random.log_between(0.3, 5.0);
        }
    }

    fn ramps(&mut self, random: &mut Random) {
        let (mut at, mut from) = (0.0, random.between(80.0, 650.0));
        while at < self.end {
            let (to, length) = (random.between(80.0, 650.0), random.between(0.5, 5.0));
            let parts = (length / 0.02).ceil();
            for part in 0..parts as usize {
                self.push(at + part as f64 * length / parts, from + (to - from) * (part as f64 + 0.5) / parts);
            }
            (at, from) = (at + length, to);
        }
    }

    fn duty_cycle(&mut self, random: &mut Random) {
        let (low, high) = (random.between(80.0, 300.0), random.between(300.0, 650.0));
        let (period, duty) = (random.log_between(0.03, 2.0), random.between(0.2, 0.8));
        let mut at = -random.between(0.0, period);
        while at < self.end {
            // Work is never of exactly the same length twice.
            let own = period * random.between(0.95, 1.05);
            self.push(at.max(0.0), high);
            if at + own * duty > 0.0 {
                self.push(at + own * duty, low);
            }
            at += own;
        }
    }

    fn drift(&mut self, random: &mut Random) {
        let (from, to) = (random.between(200.0, 600.0), random.between(-40.0, 40.0));
        let mut at = 0.0;
        while at < self.end {
            self.push(at, from + to * at / self.end + 4.0 * random.normal());
            at += random.between(0.05, 0.5);
        }
    }

    /// The same as a device's activity, for a script with [`powers`].
    pub fn activity(&self) -> Activity {
        let activity = Activity::default();
        let ns = |s: f64| Nanoseconds((s * 1e9).round() as u64);
        let ends = self.pieces.iter().skip(1).map(|(at, _)| *at).chain([self.end]);
        for ((at, watts), end) in self.pieces.iter().zip(ends) {
            let variant = format!("{:.0}", (watts - LOWEST_W) / STEP_W);
            activity.push(Busy { from: ns(*at), until: ns(end), device: 0, variant });
        }
        activity
    }

    /// Powers of the levels that this load takes.
    pub fn powers(&self) -> Vec<BusyPower> {
        let mut levels: Vec<u32> =
            self.pieces.iter().map(|(_, watts)| ((watts - LOWEST_W) / STEP_W).round() as u32).collect();
        levels.sort_unstable();
        levels.dedup();
        let power = |level: &u32| BusyPower {
            variant: level.to_string(),
            watts: Watts::new(LOWEST_W + STEP_W * f64::from(*level)),
        };
        levels.iter().map(power).collect()
    }
}
