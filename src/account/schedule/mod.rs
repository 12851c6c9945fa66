//! When to run a load of known power: best and worst starts against run-now, on a series of carbon intensities.
//!
//! `grams = E [kWh] × PUE × mean intensity of the window`; the power is taken as constant over the load, and starts are at the
//! beginnings of steps. What surprises people: a start whose window touches a step without a value is not allowed, however low
//! its neighbours are; and the last step of a load that fills it only in part weighs only that part.

mod forecast;
mod search;
mod study;

use jiff::Timestamp;
use serde::Serialize;

use super::AccountError;
use super::series::Series;
use crate::model::{Estimate, FactorMethod};
use crate::units::{GramsCo2e, GramsPerKilowattHour, Joules, Seconds};

pub use forecast::{ERRORS, SEEDS, Sensitivity};
pub use study::{Study, study};

/// A load to be placed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// Energy at the device, before PUE.
    #[serde(rename = "energy_j")]
    pub energy: Estimate<Joules>,
    /// Time that it takes.
    #[serde(rename = "time_s")]
    pub time: Seconds,
    /// PUE of the site.
    pub pue: f64,
}

impl Load {
    /// Carbon at a mean intensity.
    pub fn grams(&self, mean_g_per_kwh: f64) -> Estimate<GramsCo2e> {
        self.energy.map(|joules| joules.to_kilowatt_hours() * self.pue * GramsPerKilowattHour::new(mean_g_per_kwh))
    }
}

/// When the load may run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Limits {
    /// Not before this; the first start that is possible if `None`.
    pub from: Option<Timestamp>,
    /// Done by this; the end of the series if `None`.
    pub deadline: Option<Timestamp>,
    /// Done within this time of the release.
    #[serde(rename = "within_s")]
    pub within: Option<Seconds>,
    /// May be stopped and taken up again at the beginnings of steps, at no cost.
    pub interruptible: bool,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stretch {
    /// Beginning.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
}

/// Where a rule puts the load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placed {
    /// `run now`, `best start`, `worst start`, `interruptible`.
    pub rule: &'static str,
    /// One stretch, or several where it is interrupted.
    pub stretches: Vec<Stretch>,
    /// Mean intensity while it runs.
    pub mean_g_per_kwh: f64,
    /// Carbon of the load.
    #[serde(rename = "carbon_g")]
    pub carbon: Estimate<GramsCo2e>,
    /// Carbon over that of running now, less 1; `None` if now is not allowed.
    pub against_now: Option<f64>,
    /// Carbon over the mean of all allowed starts, less 1.
    pub against_mean: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// The load.
    pub load: Load,
    /// What was asked for.
    pub limits: Limits,
    /// First start that was looked at.
    pub release: Timestamp,
    /// When it must be done.
    pub end: Timestamp,
    /// Running at the release; `None` if its window has a step without a value.
    pub now: Option<Placed>,
    /// Lowest carbon of all allowed starts; the earliest of equal ones.
    pub best: Placed,
    /// Highest.
    pub worst: Placed,
    /// The steps of lowest intensity, if the load may be interrupted.
    pub interrupted: Option<Placed>,
    /// Mean of all allowed starts.
    #[serde(rename = "mean_carbon_g")]
    pub mean: Estimate<GramsCo2e>,
    /// Starts that were allowed.
    pub starts: usize,
    /// Starts that were not, for a step without a value.
    pub refused_starts: usize,
    /// Savings when the choice rests on a forecast with errors.
    pub sensitivity: Vec<Sensitivity>,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
}

/// What a signal can answer.
pub fn signal_meaning(method: FactorMethod) -> &'static str {
    match method {
        FactorMethod::Marginal => {
            "a marginal signal: it estimates what one more kilowatt-hour causes at that hour, so a difference between hours \
             estimates what the shift avoids; it is no share of the grid's total and must not enter an inventory"
        }
        FactorMethod::Average => {
            "an average signal: it says which hours are cleaner, not what the shift avoids; that needs a marginal signal"
        }
        FactorMethod::Unstated => {
            "the series does not say whether it is average or marginal: an average one says which hours are cleaner, not what \
             the shift avoids"
        }
    }
}

/// Places a load on a series.
///
/// # Errors
/// A load without time, a release after the deadline or outside the series, a window longer than what is left, or no allowed
/// start.
pub fn schedule(series: &Series, load: &Load, limits: Limits) -> Result<Schedule, AccountError> {
    let room = search::room(series, load.time, limits)?;
    let means = search::means(series, &room);
    let allowed: Vec<(usize, f64)> = means.iter().enumerate().filter_map(|(i, mean)| Some((i, (*mean)?))).collect();
    let refused_starts = means.len() - allowed.len();
    let (Some(best), Some(worst)) = (
        allowed.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)),
        // Of equal ones the earliest, as for the best.
        allowed.iter().rev().copied().max_by(|a, b| a.1.total_cmp(&b.1)),
    ) else {
        let reason = format!(
            "every one of the {refused_starts} possible starts meets a step without a value; widen --from and --deadline, or \
             repair the series"
        );
        return Err(AccountError::Impossible { what: "when to run".to_owned(), reason });
    };
    let mean = allowed.iter().map(|(_, mean)| mean).sum::<f64>() / allowed.len() as f64;
    let mut notes = room.notes.clone();
    let now_mean = means.first().copied().flatten();
    if now_mean.is_none() {
        notes.push("running now is not compared: its window meets a step without a value".to_owned());
    }
    let place = |rule, stretches, own: f64| Placed {
        rule,
        stretches,
        mean_g_per_kwh: own,
        carbon: load.grams(own),
        against_now: now_mean.map(|now| own / now - 1.0),
        against_mean: own / mean - 1.0,
    };
    let whole = |start: usize| vec![room.window(series, start)];
    let interrupted = limits.interruptible.then(|| search::lowest(series, &room)).flatten();
    if limits.interruptible {
        notes.push("interrupting is taken to cost nothing: saving and restoring the state is not included".to_owned());
    }
    let sensitivity = forecast::sensitivity(series, &room, &means, now_mean.unwrap_or(mean), limits.interruptible);
    Ok(Schedule {
        load: load.clone(),
        limits,
        release: series.time_of(room.first),
        end: room.end,
        now: now_mean.map(|own| place("run now", whole(0), own)),
        best: place("best start", whole(best.0), best.1),
        worst: place("worst start", whole(worst.0), worst.1),
        interrupted: limits.interruptible.then(|| match interrupted {
            Some((steps, own)) if own <= best.1 => place("interruptible", room.stretches(series, &steps), own),
            // A deadline within a step leaves a part that only an uninterrupted load uses; not to interrupt is allowed, too.
            _ => place("interruptible", whole(best.0), best.1),
        }),
        mean: load.grams(mean),
        starts: allowed.len(),
        refused_starts,
        sensitivity,
        notes,
    })
}

#[cfg(test)]
mod tests;
