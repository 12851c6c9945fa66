//! What a sensor does to power in time, found from a square-wave load whose switches are known: how often it updates, how
//! late, over which window it averages, and which part of the time it sees. Pure functions of a trace and a calibration.
//!
//! 1. `readings` and `cadence`: the polls say between which instants the value changed, and that gives the updates.
//! 2. `fit` and `load`: each shape of response is fitted to all updates of all waves at once.
//! 3. The rule that chooses: Bayes' information criterion, where a shape replaces a simpler one only with a lead of
//!    [`CLEAR_LEAD`]. All fits stay in the result.
//!
//! What surprises people: the device's own reaction to the switch is part of the delay that is found; nothing in the
//! readings can tell the two apart.

mod cadence;
mod fit;
pub(super) mod load;
mod readings;
mod waves;

use crate::model::{Response, SensorCalibration, SensorProfile, SourceTrace};
use crate::units::{Ratio, Seconds, Watts};

use cadence::Cadence;
use fit::{Bench, Bounds, Fit};
use load::{Load, Shape};
use readings::Readings;
pub use waves::{PlannedWave, WaveSet, suggested_waves};

/// Lead of the information criterion from which a shape is preferred to a simpler one: 10, "very strong" evidence (Kass
/// and Raftery 1995).
pub const CLEAR_LEAD: f64 = 10.0;
/// Shortest window that is told from an instant, as part of the update period.
pub const SHORTEST_WINDOW: f64 = 0.05;
/// Windows this close to the update period, and shorter, count as the whole of it.
const WHOLE: f64 = 0.95;
/// Residuals below this part of the wave's height are not told apart: what the instants of switches and updates, known to
/// about a millisecond, leave over.
const FLOOR: f64 = 0.003;
/// Largest residual, as part of the wave's height, with which a response is believed.
const LARGEST_RESIDUAL: f64 = 0.5;
/// Least number of updates under the waves.
const FEWEST_UPDATES: usize = 30;
/// Delays up to this are tried, and two update periods more.
const LONGEST_DELAY: f64 = 0.6;
/// Windows and time constants up to this are tried, or ten update periods.
const LONGEST_WINDOW: f64 = 3.0;

/// Power of the device under the waves, as the channel reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// While the load is off.
    pub off: Watts,
    /// While it is on.
    pub on: Watts,
}

/// A response that was fitted, whether or not it was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its shape and length.
    pub response: Response,
    /// Its delay.
    pub delay_s: Seconds,
    /// Root mean square of what it leaves over, as a part of the wave's height.
    pub residual: Ratio,
}

/// What was found of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Characterised {
    /// The profile to keep.
    pub profile: SensorProfile,
    /// Updates that the fit rests on.
    pub updates: u64,
    /// Whether the updates keep to one grid from beginning to end; else each is known to a poll only.
    pub regular: bool,
    /// How far the delay may be off because the polls leave the instants of update open.
    pub delay_within: Seconds,
    /// Polls for each update, on average.
    pub polls_per_update: f64,
    /// Power while the load was off and on.
    pub levels: Levels,
    /// All responses that were fitted, best first, the chosen one among them.
    pub alternatives: Vec<Candidate>,
}

/// Why nothing could be found.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CharacteriseError {
    /// The trace has no such channel.
    #[error("cannot characterise `{channel}`: the source has no such channel; see `wattmark devices`")]
    NoSuchChannel {
        /// The channel.
        channel: String,
    },
    /// The channel holds no power.
    #[error("cannot characterise `{channel}`: it is neither power nor an energy counter")]
    NotPower {
        /// The channel.
        channel: String,
    },
    /// No load was switched.
    #[error("cannot characterise the sensor: the load was never switched on; repeat the calibration")]
    NoWaves,
    /// Too many polls without value.
    #[error("cannot characterise the sensor: {:.0} % of the waves have no readings ({reason}); see to the sensor, then repeat", missing.get() * 100.0)]
    Gaps {
        /// Part of the time without readings.
        missing: Ratio,
        /// Why there were none.
        reason: String,
    },
    /// The value stood still while the load was switched.
    #[error(
        "cannot characterise the sensor: it showed {value} for {seconds:.1} while the load was switched on and off: it is frozen, or does not see this device"
    )]
    Frozen {
        /// The value.
        value: f64,
        /// For how long.
        seconds: Seconds,
    },
    /// The sensor changed too seldom.
    #[error("cannot characterise the sensor: it changed only {changes} times in {seconds:.0} s, so that it updates at most every {:.2} s; use longer waves", seconds / (*changes as f64).max(1.0))]
    TooFewUpdates {
        /// Changes that were seen.
        changes: u64,
        /// Time under the waves, in seconds.
        seconds: f64,
    },
    /// Updates follow each other faster than polls.
    #[error("cannot characterise the sensor: it was polled every {:.1} ms, too slowly to see its updates, which are at most {:.1} ms apart or keep no period; poll faster", poll.get() * 1e3, at_most.get() * 1e3)]
    PolledTooSlowly {
        /// Typical time between two polls.
        poll: Seconds,
        /// Upper bound of the update period.
        at_most: Seconds,
    },
    /// The load does not show in the readings.
    #[error("cannot characterise the sensor: the load changes its readings by {:.1} W, beside {:.1} W of other changes; use a heavier load, or check that the sensor sees this device", height.get(), scatter.get())]
    NoContrast {
        /// Fitted difference between on and off.
        height: Watts,
        /// Root mean square of what the load does not explain.
        scatter: Watts,
    },
}

/// Finds how a channel answers to power, from the polls of its source and the waves that drove the device. `measured` is
/// the UTC time of the calibration.
///
/// # Errors
/// Where the readings do not tell, with the reason and what to do; never a guess.
pub fn characterise(
    trace: &SourceTrace,
    channel: &str,
    calibration: &SensorCalibration,
    measured: &str,
) -> Result<Characterised, CharacteriseError> {
    let (from, until) = waves_span(calibration).ok_or(CharacteriseError::NoWaves)?;
    let readings = Readings::new(trace, channel, from, until)?;
    let load = Load::new(calibration, readings.origin_ns);
    if load.switches().is_empty() {
        return Err(CharacteriseError::NoWaves);
    }
    let cadence = readings.cadence()?;
    let period = cadence.period;
    let updates = readings.updates(&cadence);
    let seconds = (until - from) as f64 / crate::units::NANOSECONDS_PER_SECOND;
    if updates.len() < FEWEST_UPDATES {
        return Err(CharacteriseError::TooFewUpdates { changes: updates.len() as u64, seconds });
    }
    let bench = Bench { load: &load, updates: &updates };
    let fits = if readings.counter { counter_fits(&bench, &cadence) } else { power_fits(&bench, &cadence) };
    let (response, fit) = choose(&bench, &fits).ok_or(CharacteriseError::NoWaves)?;
    let residual = bench.residual(&fit);
    if residual > LARGEST_RESIDUAL {
        let scatter = Watts::new((fit.left / updates.len() as f64).sqrt());
        return Err(CharacteriseError::NoContrast { height: Watts::new(fit.height), scatter });
    }
    let candidate = |(response, fit): &(Response, Fit)| Candidate {
        response: *response,
        delay_s: Seconds::new(fit.delay.max(0.0)),
        residual: Ratio::new(bench.residual(fit)),
    };
    let mut alternatives: Vec<Candidate> = fits.iter().map(candidate).collect();
    alternatives.sort_by(|a, b| a.residual.total_cmp(&b.residual));
    Ok(Characterised {
        profile: SensorProfile {
            response,
            update_period_s: Seconds::new(period),
            delay_s: Seconds::new(fit.delay.max(0.0)),
            coverage: coverage(response, period),
            residual: Ratio::new(residual),
            measured: measured.to_owned(),
        },
        updates: updates.len() as u64,
        regular: cadence.phase.is_some(),
        delay_within: Seconds::new(cadence.slack),
        polls_per_update: period / readings.poll,
        levels: Levels { off: Watts::new(fit.off), on: Watts::new(fit.off + fit.height) },
        alternatives,
    })
}

/// First and last instant of the waves.
pub(super) fn waves_span(calibration: &SensorCalibration) -> Option<(u64, u64)> {
    let phases = || calibration.waves.iter().flat_map(|wave| &wave.phases);
    let from = phases().map(|phase| phase.from_ns.0).min()?;
    let until = phases().map(|phase| phase.until_ns.0).max()?;
    (until > from).then_some((from, until))
}

/// Fits of a power channel, simplest shape first.
fn power_fits(bench: &Bench<'_>, cadence: &Cadence) -> Vec<(Response, Fit)> {
    let (period, least) = (cadence.period, -cadence.slack);
    let delay = LONGEST_DELAY + 2.0 * period;
    let longest = LONGEST_WINDOW.max(10.0 * period);
    let between = |shortest: f64, longest: f64| Bounds { least, delay, shortest, longest };
    let length = |fit: &Fit| match fit.shape {
        Shape::Mean(length) | Shape::LowPass(length) => Seconds::new(length),
        Shape::Instant => Seconds::new(0.0),
    };
    let instant = bench.best_delay(Shape::Instant, least, delay);
    let boxcar = bench.best_of(Shape::Mean, between(WHOLE * period, longest));
    let part_time = bench.best_of(Shape::Mean, between(SHORTEST_WINDOW * period, WHOLE * period));
    let low_pass = bench.best_of(Shape::LowPass, between(SHORTEST_WINDOW * period, longest));
    vec![
        (Response::Instant, instant),
        // By definition no shorter than the update period; the fit may end up a little below it.
        (Response::Boxcar { window_s: length(&boxcar).max_of(Seconds::new(period)) }, boxcar),
        (Response::PartTime { window_s: length(&part_time) }, part_time),
        (Response::LowPass { time_constant_s: length(&low_pass) }, low_pass),
    ]
}

fn counter_fits(bench: &Bench<'_>, cadence: &Cadence) -> Vec<(Response, Fit)> {
    let longest = LONGEST_DELAY + 2.0 * cadence.period;
    vec![(Response::Counter, bench.best_delay(Shape::Instant, -cadence.slack, longest))]
}

/// The simplest shape that no other one clearly beats.
fn choose(bench: &Bench<'_>, fits: &[(Response, Fit)]) -> Option<(Response, Fit)> {
    let parameters = |response: &Response| if matches!(response, Response::Instant) { 1.0 } else { 2.0 };
    let criterion = |(response, fit): &(Response, Fit)| bench.criterion(fit, parameters(response), FLOOR);
    let best = fits.iter().map(criterion).fold(f64::INFINITY, f64::min);
    fits.iter().find(|fit| criterion(fit) <= best + CLEAR_LEAD).or_else(|| fits.first()).copied()
}

/// The part of the time that a response sees. An instant reading sees no more than the shortest window that could have
/// been told from it.
fn coverage(response: Response, period: f64) -> Ratio {
    Ratio::new(match response {
        Response::Instant => SHORTEST_WINDOW,
        Response::PartTime { window_s } => (window_s.get() / period).min(1.0),
        Response::Boxcar { .. } | Response::LowPass { .. } | Response::Counter => 1.0,
    })
}

#[cfg(test)]
mod tests;
