//! Sources of which more is known than they say of themselves: found by a calibration, or wished by the user.
//!
//! Wraps a source and changes nothing of its readings. What surprises people: a known profile makes polling slower, never
//! faster than the source bears by its own word; and a reading that was called instant but proved to be an average over more
//! than its update period is called averaged from then on.

use super::{PollError, PowerSource};
use crate::clock::Nanoseconds;
use crate::model::{Channel, Correction, Quantity, Response, SensorProfile, SourceInfo};
use crate::units::Seconds;

/// Polls for each update of a value: two, so that none is missed and its instant is known to half a period.
const POLLS_PER_UPDATE: f64 = 2.0;
/// Time constants of a low-pass filter after which a step is 95 % over: the length that its averaging counts for.
const SETTLED: f64 = 3.0;
/// A window longer than this many update periods makes an average of a reading.
const AVERAGE: f64 = 1.5;

/// What is known of one channel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// How it answers changes of power.
    pub profile: Option<SensorProfile>,
    /// Gain and offset, where the user wants them applied.
    pub correction: Option<Correction>,
}

/// A source with what is known of its channels.
struct Profiled {
    inner: Box<dyn PowerSource>,
    info: SourceInfo,
    useful_hz: Option<f64>,
}

/// The source with what `known` tells of each channel that gives energy; the very source if that is nothing.
pub fn with_known(inner: Box<dyn PowerSource>, known: &dyn Fn(&SourceInfo, &Channel) -> Known) -> Box<dyn PowerSource> {
    let mut info = inner.info().clone();
    for channel in &mut info.channels {
        if channel.quantity.is_energetic() {
            let known = known(inner.info(), channel);
            channel.correction = known.correction;
            if let Some(profile) = known.profile {
                apply(channel, profile);
            }
        }
    }
    if info == *inner.info() {
        return inner;
    }
    let useful_hz = useful_hz(&info, inner.useful_hz());
    Box::new(Profiled { inner, info, useful_hz })
}

/// The source polled at a cadence of the user's own choice, whatever it calls useful itself.
pub fn at_cadence(inner: Box<dyn PowerSource>, hz: f64) -> Box<dyn PowerSource> {
    let info = inner.info().clone();
    Box::new(Profiled { inner, info, useful_hz: Some(hz) })
}

/// Sources and the sampler's cadence, raised for those whose profile asks for more than `hz`; the others keep to `hz`.
pub fn at_profiled_cadence(sources: Vec<Box<dyn PowerSource>>, hz: f64) -> (Vec<Box<dyn PowerSource>>, f64) {
    let known = |source: &dyn PowerSource| source.info().channels.iter().any(|channel| channel.profile.is_some());
    let wanted = sources.iter().filter(|source| known(source.as_ref())).filter_map(|source| source.useful_hz());
    let top = wanted.fold(hz, f64::max);
    if top <= hz {
        return (sources, hz);
    }
    let held = |source: Box<dyn PowerSource>| match source.useful_hz() {
        Some(useful) if useful <= hz || known(source.as_ref()) => source,
        _ => at_cadence(source, hz),
    };
    (sources.into_iter().map(held).collect(), top)
}

/// Averaging that a response counts for; none for an instant or a counter.
pub fn averaging_of(response: Response) -> Option<Seconds> {
    match response {
        Response::Instant | Response::Counter => None,
        Response::Boxcar { window_s } | Response::PartTime { window_s } => Some(window_s),
        Response::LowPass { time_constant_s } => Some(time_constant_s * SETTLED),
    }
}

fn apply(channel: &mut Channel, profile: SensorProfile) {
    channel.update_period_s = Some(profile.update_period_s);
    channel.averaging_window_s = averaging_of(profile.response);
    let window = channel.averaging_window_s.map_or(0.0, Seconds::get);
    if channel.quantity == Quantity::InstantPower && window > AVERAGE * profile.update_period_s.get() {
        channel.quantity = Quantity::AveragedPower;
    }
    channel.profile = Some(profile);
}

/// Twice the rate of the fastest channel, if the period of each that gives energy is known; never above what the source
/// bears.
fn useful_hz(info: &SourceInfo, bears: Option<f64>) -> Option<f64> {
    let energetic = || info.channels.iter().filter(|channel| channel.quantity.is_energetic());
    let periods: Option<Vec<f64>> = energetic().map(|channel| Some(channel.update_period_s?.get())).collect();
    let shortest = periods.map_or(0.0, |periods| periods.into_iter().fold(f64::INFINITY, f64::min));
    if !energetic().any(|channel| channel.profile.is_some()) || shortest <= 0.0 {
        return bears;
    }
    let wanted = POLLS_PER_UPDATE / shortest;
    Some(bears.map_or(wanted, |bears| bears.min(wanted)))
}

impl PowerSource for Profiled {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    fn useful_hz(&self) -> Option<f64> {
        self.useful_hz
    }
    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let outcome = self.inner.poll(now, values);
        // A source may count in its note what it had to leave out.
        if self.inner.info().note != self.info.note {
            self.info.note.clone_from(&self.inner.info().note);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Evidence, Scope};
    use crate::units::Ratio;

    struct Fake(SourceInfo, Option<f64>);

    impl PowerSource for Fake {
        fn info(&self) -> &SourceInfo {
            &self.0
        }
        fn useful_hz(&self) -> Option<f64> {
            self.1
        }
        fn poll(&mut self, _: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
            values[0] = Some(7.0);
            Ok(())
        }
    }

    fn fake(bears: Option<f64>) -> Box<dyn PowerSource> {
        let channels =
            [("power", Quantity::InstantPower), ("energy", Quantity::EnergyCounter), ("t", Quantity::Temperature)];
        Box::new(Fake(
            SourceInfo {
                id: "fake".into(),
                kind: "fake".into(),
                device: Some(0),
                evidence: Evidence::Measured,
                note: String::new(),
                channels: channels.map(|(id, quantity)| Channel::new(id, quantity, Scope::Board)).into(),
            },
            bears,
        ))
    }

    fn profile(response: Response, update: f64) -> SensorProfile {
        SensorProfile {
            response,
            update_period_s: Seconds::new(update),
            delay_s: Seconds::new(0.0),
            coverage: Ratio::new(1.0),
            residual: Ratio::new(0.0),
            measured: String::new(),
        }
    }

    fn known(power: Response, update: f64, tick: Option<f64>) -> impl Fn(&SourceInfo, &Channel) -> Known {
        move |_, channel| {
            let profile = match channel.id.as_str() {
                "power" => Some(profile(power, update)),
                _ => tick.map(|tick| profile(Response::Counter, tick)),
            };
            Known { profile, correction: None }
        }
    }

    #[test]
    fn a_profile_states_period_and_window_and_sets_polling_to_twice_the_fastest_channel() {
        let boxcar = Response::Boxcar { window_s: Seconds::new(1.0) };
        let mut source = with_known(fake(None), &known(boxcar, 0.1, Some(0.02)));
        let power = source.info().channels[0].clone();
        assert_eq!(
            (power.update_period_s, power.averaging_window_s),
            (Some(Seconds::new(0.1)), Some(Seconds::new(1.0)))
        );
        assert_eq!(power.quantity, Quantity::AveragedPower, "an average over ten updates is not instant");
        assert_eq!(source.useful_hz(), Some(100.0));
        assert!(source.info().channels[2].profile.is_none(), "a temperature has no profile");
        let mut values = [None; 3];
        source.poll(Nanoseconds(0), &mut values).unwrap();
        assert_eq!(values[0], Some(7.0));
    }

    #[test]
    fn polling_never_exceeds_what_the_source_bears_and_waits_for_no_channel_that_is_unknown() {
        let part = Response::PartTime { window_s: Seconds::new(0.025) };
        let source = with_known(fake(Some(20.0)), &known(part, 0.1, Some(0.02)));
        assert_eq!(source.useful_hz(), Some(20.0));
        assert_eq!(source.info().channels[0].quantity, Quantity::InstantPower);
        assert_eq!(with_known(fake(Some(20.0)), &known(part, 1.0, Some(1.0))).useful_hz(), Some(2.0));
        assert_eq!(with_known(fake(None), &known(part, 1.0, None)).useful_hz(), None, "the counter is not known");
        assert_eq!(at_cadence(fake(Some(20.0)), 200.0).useful_hz(), Some(200.0));
    }

    #[test]
    fn only_a_source_whose_profile_asks_for_it_is_polled_faster_than_the_sampler() {
        let fast = with_known(fake(None), &known(Response::Instant, 0.02, Some(0.02)));
        let (sources, hz) = at_profiled_cadence(vec![fast, fake(None), fake(Some(500.0)), fake(Some(5.0))], 50.0);
        let each: Vec<Option<f64>> = sources.iter().map(|source| source.useful_hz()).collect();
        assert_eq!((each, hz), (vec![Some(100.0), Some(50.0), Some(50.0), Some(5.0)], 100.0));
        let (sources, hz) = at_profiled_cadence(vec![fake(Some(500.0))], 50.0);
        assert_eq!((sources[0].useful_hz(), hz), (Some(500.0), 50.0), "without a profile nothing changes");
    }

    #[test]
    fn a_low_pass_counts_for_three_time_constants() {
        let low_pass = Response::LowPass { time_constant_s: Seconds::new(0.2) };
        assert!((averaging_of(low_pass).unwrap().get() - 0.6).abs() < 1e-12);
        assert_eq!(averaging_of(Response::Instant), None);
    }
}
