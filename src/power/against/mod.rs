//! Gain and offset of one channel against another that saw the same load, with their clocks aligned first. Pure functions.
//!
//! 1. Both channels become mean power on one grid, averaged over the slower one's window, so that a meter of 1 s and a
//!    sensor of 100 ms can be laid over each other.
//! 2. The lag is where their correlation is highest, interpolated between steps; they must correlate.
//! 3. Gain and offset are fitted to the means of plateaus (phases of the load without their ends), with errors in both
//!    (Deming regression, each side's error from the scatter of its plateaus). Plateaus of one kind share a level, so n is
//!    their number, not that of the readings.
//!
//! What surprises people: the lag says how much later the channel shows the load than the reference does; it holds the
//! difference of the clocks and of the delays of both, which cannot be told apart.

mod line;
mod series;

use crate::model::{Correction, SensorCalibration, SourceTrace};
use crate::stats;
use crate::units::{Ratio, Seconds, Watts};

use super::characterise::waves_span;
use series::Series;

/// Longest lag that is looked for, either way.
pub const LONGEST_LAG: Seconds = Seconds::new(5.0);
/// Least correlation at the best lag: 0.8, at which 64 % of the variance is common.
pub const LEAST_CORRELATION: f64 = 0.8;

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    /// Gain and offset.
    pub correction: Correction,
    /// Standard error of the gain.
    pub gain_error: f64,
    /// Standard error of the offset.
    pub offset_error_w: Watts,
    /// How much later the channel shows the load than the reference; negative if earlier.
    pub lag_s: Seconds,
    /// Correlation at that lag.
    pub correlation: Ratio,
    /// Plateaus that the fit rests on.
    pub points: u64,
    /// Root mean square of what the line leaves over, in the channel's watts.
    pub residual_w: Watts,
}

/// Why nothing could be found.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AgainstError {
    /// A trace has no such channel, or it holds no power.
    #[error(
        "cannot compare `{channel}` of {source_id}: it has no such channel of power or energy; see `wattmark devices`"
    )]
    NoSuchChannel {
        /// The source.
        source_id: String,
        /// The channel.
        channel: String,
    },
    /// The load was never switched.
    #[error("cannot compare the two sources: the load was never switched on; repeat the calibration")]
    NoWaves,
    /// A channel stood still.
    #[error("cannot compare with {name}: it showed the same value throughout; it is frozen, or does not see this load")]
    Frozen {
        /// Source and channel.
        name: String,
    },
    /// Too few readings.
    #[error("cannot compare with {name}: it gave {readings} readings under the load; poll for longer")]
    TooFewReadings {
        /// Source and channel.
        name: String,
        /// Readings under the load.
        readings: u64,
    },
    /// The two do not follow the same load.
    #[error("the two sources do not follow the same load: their correlation is {:.2} at best, {least} is needed; check that both see this device, and that their clocks differ by less than {:.0} s", correlation.get(), longest.get())]
    Uncorrelated {
        /// The best correlation.
        correlation: Ratio,
        /// What is needed.
        least: f64,
        /// Longest lag that was looked for.
        longest: Seconds,
    },
    /// Too few phases are long enough.
    #[error(
        "cannot fit gain and offset: only {on} phases under load and {off} without are long enough for the slower source ({needed:.1}); use longer waves, {fewest} of each are needed"
    )]
    TooFewPlateaus {
        /// Usable phases under load.
        on: u64,
        /// Usable phases without.
        off: u64,
        /// Shortest phase that can be used.
        needed: Seconds,
        /// How many of each are needed.
        fewest: usize,
    },
    /// The load hardly shows.
    #[error("cannot fit gain and offset: the load changes {name} by {:.1} W, beside {:.1} W of other changes; use a heavier load", height.get(), scatter.get())]
    NoContrast {
        /// Source and channel.
        name: String,
        /// Difference between on and off.
        height: Watts,
        /// Scatter of plateaus of one kind.
        scatter: Watts,
    },
}

/// Fits gain and offset of a channel against a channel of a reference source that was polled under the same waves.
/// `measured` is the UTC time of the calibration.
///
/// # Errors
/// Where the readings do not allow it, with the reason and what to do.
pub fn against(
    trace: &SourceTrace,
    channel: &str,
    reference_trace: &SourceTrace,
    reference_channel: &str,
    calibration: &SensorCalibration,
    measured: &str,
) -> Result<Against, AgainstError> {
    let span = waves_span(calibration).ok_or(AgainstError::NoWaves)?;
    if !calibration.waves.iter().flat_map(|wave| &wave.phases).any(|phase| phase.on) {
        return Err(AgainstError::NoWaves);
    }
    let own = Series::new(trace, channel, span)?;
    let reference = Series::new(reference_trace, reference_channel, span)?;
    let (lag, correlation) = series::lag(&own, &reference)?;
    let own_lag = series::lag_to_load(&own, calibration, span);
    let plateaus = line::plateaus(&own, &reference, calibration, (own_lag, lag))?;
    let line = line::fit(&plateaus, &own.name, &reference.name)?;
    let typical = stats::mean(&plateaus.iter().map(|plateau| plateau.reference).collect::<Vec<_>>()).unwrap_or(0.0);
    let stated = reference.channel.stated_error.map_or(0.0, Ratio::get);
    let degrees = plateaus.len().saturating_sub(2).max(1);
    let of_fit = stats::student_t_975(degrees) * line.typical_error / (line.gain * typical).abs();
    let scope_note = (own.channel.scope != reference.channel.scope).then(|| {
        let (own, reference) = (own.channel.scope, reference.channel.scope);
        format!("the reference measures {reference}, the channel {own}: gain and offset hold what lies between them")
    });
    Ok(Against {
        correction: Correction {
            gain: line.gain,
            offset_w: Watts::new(line.offset),
            error: Ratio::new(of_fit.hypot(stated)),
            against: reference.name.clone(),
            scope_note,
            measured: measured.to_owned(),
        },
        gain_error: line.gain_error,
        offset_error_w: Watts::new(line.offset_error),
        lag_s: Seconds::new(lag),
        correlation: Ratio::new(correlation),
        points: plateaus.len() as u64,
        residual_w: Watts::new(line.residual),
    })
}

#[cfg(test)]
mod tests;
