//! What is left of a saving when the choice rests on a forecast with errors: the choice is made on the series with noise, the price
//! is that of the true series.
//!
//! Noise as in the simulations of Wiesner et al., "Let's Wait Awhile" (Middleware 2021): independent normal errors with a
//! standard deviation of 0, 5 and 10 % of the mean intensity. What surprises people: independent errors average out over a long
//! window; those of real forecasts hold for hours, so real losses are larger.

use serde::Serialize;

use super::search::{Room, lowest_of, window_means};
use crate::account::series::Series;
use crate::stats::SplitMix64;

/// Standard deviations of the noise, as shares of the mean intensity.
pub const ERRORS: [f64; 3] = [0.0, 0.05, 0.1];
/// Repetitions of each.
pub const SEEDS: u64 = 20;

/// Savings with forecast errors of one size. A saving is 1 less the carbon over that of running now (over the mean of all starts
/// if now has no price).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sensitivity {
    /// `best start` or `interruptible`.
    pub rule: &'static str,
    /// Standard deviation of the noise over the mean intensity.
    pub error: f64,
    /// Mean saving over the seeds.
    pub mean: f64,
    /// Lowest of the seeds.
    pub low: f64,
    /// Highest of the seeds.
    pub high: f64,
}

/// Normal numbers from a seed, by the transform of Box and Muller (1958).
struct Normal {
    bits: SplitMix64,
    spare: Option<f64>,
}

impl Normal {
    fn seeded(seed: u64) -> Self {
        Self { bits: SplitMix64::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1)), spare: None }
    }
    fn uniform(&mut self) -> f64 {
        // 53 bits, never 0: the logarithm below needs more than that.
        ((self.bits.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
    fn next(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

/// Savings for every size of error and rule.
pub(super) fn sensitivity(
    series: &Series,
    room: &Room,
    means: &[Option<f64>],
    base: f64,
    interruptible: bool,
) -> Vec<Sensitivity> {
    let past = (room.first + room.starts - 1 + room.touched()).max(room.past).min(series.values.len());
    let truth = series.values.get(room.first..past).unwrap_or_default();
    let known: Vec<f64> = truth.iter().copied().flatten().collect();
    let scale = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let mut found = Vec::new();
    for error in ERRORS {
        let (mut best, mut interrupted) = (Vec::new(), Vec::new());
        for seed in 0..if error > 0.0 { SEEDS } else { 1 } {
            let mut normal = Normal::seeded(seed + 1);
            let noisy: Vec<Option<f64>> =
                truth.iter().map(|value| value.map(|value| value + error * scale * normal.next())).collect();
            let chosen = window_means(&noisy, room.whole, room.part)
                .into_iter()
                .take(room.starts)
                .enumerate()
                .filter_map(|(start, mean)| Some((start, mean?)))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            let whole = chosen.and_then(|(start, forecast)| Some((means.get(start).copied().flatten()?, forecast)));
            best.extend(whole.map(|(own, _)| own));
            if interruptible {
                let steps = (0..room.past - room.first).filter_map(|i| Some(((*noisy.get(i)?)?, i))).collect();
                let mean = |steps: &[(usize, f64)], values: &[Option<f64>]| {
                    let sum: f64 = steps.iter().map(|(index, part)| values[*index].unwrap_or(0.0) * part).sum();
                    sum / (room.whole as f64 + room.part)
                };
                let parts = lowest_of(steps, room.whole, room.part).map(|own| (mean(&own, truth), mean(&own, &noisy)));
                // As in the schedule: not to interrupt is allowed, too, and the forecast chooses.
                let lower = [parts, whole].into_iter().flatten().min_by(|a, b| a.1.total_cmp(&b.1));
                interrupted.extend(lower.map(|(own, _)| own));
            }
        }
        found.extend(summary("best start", error, &best, base));
        found.extend(summary("interruptible", error, &interrupted, base));
    }
    found
}

fn summary(rule: &'static str, error: f64, intensities: &[f64], base: f64) -> Option<Sensitivity> {
    let savings: Vec<f64> = intensities.iter().map(|own| 1.0 - own / base).collect();
    (!savings.is_empty()).then(|| Sensitivity {
        rule,
        error,
        mean: savings.iter().sum::<f64>() / savings.len() as f64,
        low: savings.iter().copied().fold(f64::INFINITY, f64::min),
        high: savings.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}
