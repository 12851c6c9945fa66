//! Load before the first window, until the device is steady by rule or the most time is up.
//!
//! The rule is asked for the first time when a whole span has passed since the power readings hold nothing but load. What
//! surprises people: without a measured power there is no rule to apply; the least preheat then has to do, and the record
//! holds no verdict.

use super::stream::Stream;
use super::{presets, steady};
use crate::clock::Nanoseconds;
use crate::gpu::GpuError;
use crate::model::{Device, Measurement, Settings, SourceTrace, Steadiness, Warning, WarningCode, Window};
use crate::power::Sampler;
use crate::units::Seconds;

/// Shortest time between two applications of the steadiness rule.
const STEADY_INTERVAL: Seconds = Seconds::new(1.0);

/// Loads the device until it is steady by rule, or the most time is up.
pub fn preheat(
    stream: &mut Stream<'_>,
    settings: &Settings,
    sampler: Option<&Sampler>,
    device: &Device,
    interrupted: &dyn Fn() -> bool,
) -> Result<(Window, Option<Steadiness>), GpuError> {
    let sources = sampler.map(|sampler| sampler.traces_since(Nanoseconds(u64::MAX))).unwrap_or_default();
    // A declared or estimated power is steady by its making and says nothing of the device.
    let has_power = |trace: &SourceTrace| trace.source.channels.iter().any(|c| c.quantity.is_energetic());
    let measured = sources.iter().any(|trace| steady::can_judge(trace, device.ordinal) && has_power(trace));
    let rule = presets::wants_steadiness(settings) && measured;
    let mut next_look = first_look(settings, &sources, device.ordinal).get();
    let mut verdict: Option<Steadiness> = None;
    let window = stream.load_until(|now, elapsed| {
        if interrupted() {
            return true;
        }
        if !rule {
            return elapsed.get() >= settings.preheat_min_s.get();
        }
        let up = elapsed.get() >= settings.preheat_max_s.get();
        if elapsed.get() >= next_look || up {
            next_look = elapsed.get() + STEADY_INTERVAL.get();
            let from = Nanoseconds(now.0.saturating_sub(settings.steady_span_s.to_nanoseconds()));
            let traces = sampler.map(|s| s.traces_since(from)).unwrap_or_default();
            let judged = steady::judge(&traces, device.ordinal, from, now);
            let reached = judged.reached;
            verdict = Some(Steadiness { reached, after_s: elapsed, detail: judged.detail });
            return reached || up;
        }
        false
    })?;
    Ok((window, verdict))
}

/// Preheat time after which the rule is asked first: the least preheat, and a whole span after the sensors have settled.
fn first_look(settings: &Settings, sources: &[SourceTrace], device: u32) -> Seconds {
    settings.preheat_min_s.max_of(settings.steady_span_s + steady::settling(sources, device))
}

/// Keeps the first verdict, or the first that refused: in interleaved runs each turn has its own preheat.
pub fn note_steadiness(measurement: &mut Measurement, verdict: Option<Steadiness>) {
    let Some(verdict) = verdict else { return };
    if measurement.steadiness.as_ref().is_none_or(|known| known.reached && !verdict.reached) {
        measurement.warnings.extend(unsteady_warning(&verdict));
        measurement.steadiness = Some(verdict);
    }
}

fn unsteady_warning(steadiness: &Steadiness) -> Option<Warning> {
    (!steadiness.reached).then(|| Warning {
        code: WarningCode::Unsteady,
        text: format!(
            "not steady after {:.0} s of preheat: {}; figures still drift. Let it preheat longer (--preheat-max)",
            steadiness.after_s.get(),
            steadiness.detail
        ),
    })
}
