//! What the ratios of one comparison are together: Holm's adjustment over all of its tests, and geometric means.
//!
//! What surprises people: carbon is no test of its own, as it is efficiency turned over; and the error of two sensors' gains is
//! common to all cases, so a mean over many cases does not shrink it.

use serde::Serialize;

use super::{CommandPair, Judged, Outcome, Pair};
use crate::stats;

/// Adjusts the p-values of all speeds and efficiencies after Holm and decides anew. Returns how many tests there are.
pub fn settle(pairs: &mut [Pair], commands: &mut [CommandPair], noise: f64) -> usize {
    let own = |outcome: &Outcome| outcome.judged().and_then(|judged| judged.welch_p).unwrap_or(f64::NAN);
    let of_pairs = pairs.iter().flat_map(|pair| [own(&pair.speed), own(&pair.efficiency)]);
    let of_commands = commands.iter().flat_map(|pair| [own(&pair.speed), own(&pair.efficiency)]);
    let p: Vec<f64> = of_pairs.chain(of_commands).collect();
    let mut adjusted = stats::holm(&p).into_iter().map(|p| (!p.is_nan()).then_some(p));
    for pair in pairs.iter_mut() {
        renew(&mut pair.speed, adjusted.next().flatten(), noise);
        let efficiency = adjusted.next().flatten();
        renew(&mut pair.efficiency, efficiency, noise);
        follow(&mut pair.carbon, &pair.efficiency);
    }
    for pair in commands.iter_mut() {
        renew(&mut pair.speed, adjusted.next().flatten(), noise);
        renew(&mut pair.efficiency, adjusted.next().flatten(), noise);
    }
    p.iter().filter(|p| !p.is_nan()).count()
}

fn renew(outcome: &mut Outcome, holm_p: Option<f64>, noise: f64) {
    if let Outcome::Compared(judged) = outcome {
        **judged = judged.as_ref().clone().settle(holm_p, noise);
    }
}

/// Carbon has the verdict of the efficiency that it follows from.
fn follow(carbon: &mut Outcome, efficiency: &Outcome) {
    if let (Outcome::Compared(carbon), Outcome::Compared(judged)) = (carbon, efficiency) {
        (carbon.verdict, carbon.holm_p, carbon.reason) = (judged.verdict, judged.holm_p, judged.reason.clone());
    }
}

/// Geometric mean of ratios over cases: what a mix of all cases in equal parts would show, with how far the mix moves it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean of the ratios B/A.
    pub ratio: f64,
    /// 95 % interval over another choice of such cases, widened by what the sensors share; of one case its own. `None` where
    /// a case has none.
    pub interval: Option<(f64, f64)>,
    /// Cases in it.
    pub cases: usize,
}

/// Resamples of cases.
const RESAMPLES: usize = 2000;
/// Seed of that bootstrap.
const SEED: u64 = 0x6361_7365_7300_0001;

impl Mean {
    /// Over the ratios of all pairs that were compared and not forced.
    pub fn of(pairs: &[Pair], quantity: impl Fn(&Pair) -> &Outcome) -> Option<Self> {
        let judged: Vec<&Judged> = pairs.iter().filter_map(|pair| quantity(pair).honest()).collect();
        let logs: Vec<f64> = judged.iter().map(|judged| judged.ratio.ln()).collect();
        let centre = stats::mean(&logs)?;
        let half = match &judged[..] {
            [only] => only.statistical.map(|half| half.hypot(only.systematic)),
            all if all.iter().any(|judged| judged.statistical.is_none()) => None,
            all => {
                let shared = all.iter().map(|judged| judged.systematic).fold(0.0, f64::max);
                half_width_over_cases(&logs, centre).map(|half| half.hypot(shared))
            }
        };
        Some(Self {
            ratio: centre.exp(),
            interval: half.map(|half| ((centre - half).exp(), (centre + half).exp())),
            cases: judged.len(),
        })
    }
}

/// The wider of a percentile bootstrap over cases and Student's t, which alone is honest with a handful of cases.
fn half_width_over_cases(logs: &[f64], centre: f64) -> Option<f64> {
    let mut random = stats::SplitMix64::new(SEED);
    let means: Vec<f64> = (0..RESAMPLES)
        .map(|_| logs.iter().map(|_| logs[random.index(logs.len())]).sum::<f64>() / logs.len() as f64)
        .collect();
    let (low, high) = (stats::quantile(&means, 0.025)?, stats::quantile(&means, 0.975)?);
    Some((high - centre).max(centre - low).max(stats::mean_half_width_95(logs)?))
}
