//! Polls a scripted sensor over a stretch of time that is known beforehand: a trace without clock, thread or device.
//!
//! What surprises people: polls may fall off their grid by a seeded jitter, as those of a busy machine do, so that they
//! never lie in step with the sensor's updates by luck.

use super::script::PowerScript;
use super::sensor::Scripted;
use crate::clock::{Activity, Busy, Nanoseconds};
use crate::model::{ChannelTrace, Gap, SensorCalibration, SourceTrace};
use crate::power::{PollError, PowerSource};
use crate::stats::SplitMix64;
use crate::units::{NANOSECONDS_PER_SECOND, Ratio};

/// When a sensor is polled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polling {
    /// Polls per second.
    pub hz: f64,
    /// Each poll comes late by up to this part of the time between two; below 1, so that their order holds.
    pub jitter: Ratio,
    /// Chooses how late each poll is.
    pub seed: u64,
}

impl Polling {
    /// Exactly on a grid.
    pub const fn at(hz: f64) -> Self {
        Self { hz, jitter: Ratio::new(0.0), seed: 0 }
    }

    /// On the same grid, each poll late by up to `jitter` of the time between two.
    #[must_use]
    pub const fn late_by(self, jitter: Ratio, seed: u64) -> Self {
        Self { jitter, seed, ..self }
    }
}

/// Polls the sensor of a script from one instant to another, both included. The activity must be complete.
///
/// # Errors
/// Why no sensor can follow the script, or no poll the cadence.
pub fn trace(
    script: &PowerScript,
    activity: &Activity,
    polling: Polling,
    from: Nanoseconds,
    until: Nanoseconds,
) -> Result<SourceTrace, String> {
    if let Some(why) = script.fault() {
        return Err(format!("the script contradicts itself: {why}"));
    }
    if !(polling.hz.is_finite() && polling.hz > 0.0 && (0.0..1.0).contains(&polling.jitter.get())) {
        return Err(format!("cannot poll at {} Hz with a jitter of {}", polling.hz, polling.jitter));
    }
    let mut source = Scripted::new("scripted:0".to_owned(), script.clone(), activity.clone());
    let columns = source.info().channels.iter();
    let columns = columns.map(|channel| ChannelTrace { channel: channel.id.clone(), values: Vec::new() }).collect();
    let info = source.info().clone();
    let mut trace = SourceTrace { source: info, requested_hz: polling.hz, t_ns: Vec::new(), columns, gaps: Vec::new() };
    let mut random = SplitMix64::new(polling.seed);
    let mut values = vec![None; trace.columns.len()];
    let mut outage: Option<Gap> = None;
    let mut last_good = from;
    for poll in 0u64.. {
        let late = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64 * polling.jitter.get();
        let at = Nanoseconds(from.0 + ((poll as f64 + late) * (NANOSECONDS_PER_SECOND / polling.hz)).round() as u64);
        if at > until {
            break;
        }
        values.fill(None);
        let (gone, reason) = match source.poll(at, &mut values) {
            Ok(()) => (false, None),
            Err(PollError::Transient(reason)) => (false, Some(reason)),
            Err(PollError::Gone(reason)) => (true, Some(reason)),
        };
        match reason {
            Some(reason) => {
                let begun = outage.take().map_or(last_good, |gap| gap.from_ns);
                outage = Some(Gap { channel: None, from_ns: begun, until_ns: None, reason });
            }
            None => {
                last_good = at;
                trace.gaps.extend(outage.take().map(|gap| Gap { until_ns: Some(at), ..gap }));
            }
        }
        if gone {
            break;
        }
        trace.t_ns.push(at);
        for (column, value) in trace.columns.iter_mut().zip(&values) {
            column.values.push(*value);
        }
    }
    trace.gaps.extend(outage);
    Ok(trace)
}

/// What a device does under the waves of a calibration: it runs `variant` while they are on.
pub fn activity_of(calibration: &SensorCalibration, variant: &str) -> Activity {
    let activity = Activity::default();
    for phase in calibration.waves.iter().flat_map(|wave| &wave.phases).filter(|phase| phase.on) {
        let (from, until) = (phase.from_ns, phase.until_ns);
        activity.push(Busy { from, until, device: calibration.device, variant: variant.to_owned() });
    }
    activity
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
