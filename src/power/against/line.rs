//! Plateaus of the load as both channels saw them, and the line between the two.
//!
//! What surprises people: errors come from leaving out one plateau at a time (jackknife), because plateaus of one kind
//! scatter together with temperature, and readings within a plateau are no independent measurements at all.

use super::AgainstError;
use super::series::Series;
use crate::clock::Nanoseconds;
use crate::model::{LoadPhase, SensorCalibration};
use crate::stats;
use crate::units::{NANOSECONDS_PER_SECOND, Seconds, Watts};

/// Least number of plateaus of each kind.
const FEWEST: usize = 4;
/// Part of a phase that is left out at either end, beyond what is known of the channels' responses.
const UNTRUSTED: f64 = 0.1;
/// Most scatter of plateaus of one kind, as part of the difference between on and off.
const MOST_SCATTER: f64 = 0.25;

/// Mean power of a phase of the load without its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plateau {
    pub on: bool,
    pub own: f64,
    pub reference: f64,
}

/// `own = gain · reference + offset`, with standard errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub gain: f64,
    pub offset: f64,
    pub gain_error: f64,
    pub offset_error: f64,
    /// Of the line at the mean of all plateaus, in watts of `own`.
    pub typical_error: f64,
    /// Root mean square of what is left over, in watts of `own`.
    pub residual: f64,
}

/// The plateaus that both channels saw. `own_lag` is that of `own` behind the load, `lag` that of `own` behind `reference`.
pub(super) fn plateaus(
    own: &Series<'_>,
    reference: &Series<'_>,
    calibration: &SensorCalibration,
    (own_lag, lag): (f64, f64),
) -> Result<Vec<Plateau>, AgainstError> {
    // The lag is counted from middle to middle: a reading is clean half a window and half a period away from a switch, and
    // straight lines between points reach over one more.
    let margin = |series: &Series<'_>| (series.window + series.period) / 2.0 + series.apart;
    let margin = margin(own).max(margin(reference));
    let least = own.period.max(reference.period);
    let phases: Vec<&LoadPhase> = calibration.waves.iter().flat_map(|wave| &wave.phases).collect();
    let origin = phases.iter().map(|phase| phase.from_ns).min().unwrap_or(Nanoseconds(0));
    let seen = |phase: &&&LoadPhase| {
        let seconds = |at: Nanoseconds| (at.0 - origin.0) as f64 / NANOSECONDS_PER_SECOND;
        let (from, until) = (seconds(phase.from_ns), seconds(phase.until_ns));
        // What is not known of a response shows near the switches: a part of each phase is left out besides.
        let margin = margin + UNTRUSTED * (until - from);
        let (from, until) = (from + margin, until - margin);
        if until - from < 0.5 * least {
            return None;
        }
        let own = own.mean(from + own_lag, until + own_lag)?;
        let reference = reference.mean(from + own_lag - lag, until + own_lag - lag)?;
        Some(Plateau { on: phase.on, own, reference })
    };
    let found: Vec<Plateau> = phases.iter().filter_map(|phase| seen(&phase)).collect();
    let on = found.iter().filter(|plateau| plateau.on).count();
    let off = found.len() - on;
    if on < FEWEST || off < FEWEST {
        let needed = Seconds::new((2.0 * margin + 0.5 * least) / (1.0 - 2.0 * UNTRUSTED));
        return Err(AgainstError::TooFewPlateaus { on: on as u64, off: off as u64, needed, fewest: FEWEST });
    }
    Ok(found)
}

/// The mean of one kind of plateau, and the scatter within both kinds, of one channel.
fn kinds(plateaus: &[Plateau], of: fn(&Plateau) -> f64) -> (f64, f64) {
    let values = |on: bool| plateaus.iter().filter(|p| p.on == on).map(of).collect::<Vec<f64>>();
    let (on, off) = (values(true), values(false));
    let height = stats::mean(&on).unwrap_or(0.0) - stats::mean(&off).unwrap_or(0.0);
    let variance = |values: &[f64]| stats::standard_deviation(values).unwrap_or(0.0).powi(2);
    (height, ((variance(&on) + variance(&off)) / 2.0).sqrt())
}

/// Deming's line: errors in both, in the ratio of the scatters within the two kinds of plateau.
fn deming(plateaus: &[Plateau], ratio: f64) -> (f64, f64) {
    let n = plateaus.len() as f64;
    let (x, y) = plateaus.iter().fold((0.0, 0.0), |(x, y), p| (x + p.reference / n, y + p.own / n));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for p in plateaus {
        let (dx, dy) = (p.reference - x, p.own - y);
        (xx, xy, yy) = (xx + dx * dx, xy + dx * dy, yy + dy * dy);
    }
    let apart = yy - ratio * xx;
    let gain = (apart + (apart * apart + 4.0 * ratio * xy * xy).sqrt()) / (2.0 * xy);
    (gain, y - gain * x)
}

/// Fits the line.
pub(super) fn fit(plateaus: &[Plateau], own: &str, reference: &str) -> Result<Line, AgainstError> {
    let (own_kinds, reference_kinds) = (kinds(plateaus, |p| p.own), kinds(plateaus, |p| p.reference));
    for (name, (height, scatter)) in [(own, own_kinds), (reference, reference_kinds)] {
        if !(height > 0.0 && scatter <= MOST_SCATTER * height) {
            let (height, scatter) = (Watts::new(height), Watts::new(scatter));
            return Err(AgainstError::NoContrast { name: name.to_owned(), height, scatter });
        }
    }
    // Without scatter on either side the ratio of the heights squared stands for it: errors of the same relative size.
    let by_height = own_kinds.0 / reference_kinds.0;
    let ratio = if own_kinds.1 > 0.0 && reference_kinds.1 > 0.0 { own_kinds.1 / reference_kinds.1 } else { by_height };
    let ratio = ratio.powi(2);
    let (gain, offset) = deming(plateaus, ratio);
    let typical = stats::mean(&plateaus.iter().map(|p| p.reference).collect::<Vec<_>>()).unwrap_or(0.0);
    let without = |left_out: usize| {
        let rest = plateaus.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, p)| *p);
        deming(&rest.collect::<Vec<_>>(), ratio)
    };
    let lines: Vec<(f64, f64)> = (0..plateaus.len()).map(without).collect();
    let n = plateaus.len() as f64;
    let jackknife = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let values: Vec<f64> = lines.iter().map(of).collect();
        let mean = stats::mean(&values).unwrap_or(0.0);
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() * (n - 1.0) / n).sqrt()
    };
    let left: f64 = plateaus.iter().map(|p| (p.own - gain * p.reference - offset).powi(2)).sum();
    Ok(Line {
        gain,
        offset,
        gain_error: jackknife(&|line| line.0),
        offset_error: jackknife(&|line| line.1),
        typical_error: jackknife(&|line| line.0 * typical + line.1),
        residual: (left / n).sqrt(),
    })
}
