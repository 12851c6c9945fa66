//! The steadiness rule: power, temperature and clock have settled.
//!
//! Over the last span (30 s under `standard`): power changes by less than 0.5 %, temperature by less than 1 °C, the core
//! clock's coefficient of variation is below 1 %, and the reasons that hold clocks down stay the same. What surprises
//! people: a quantity without readings does not block the rule, but the verdict says that it was not seen, and with no
//! quantity at all the rule is never met. The power limit is not among those reasons: at the limit it comes and goes with
//! every kernel, and what it does shows in power and clock.

use super::result::held_beyond_power;
use crate::clock::Nanoseconds;
use crate::model::{Channel, Evidence, Quantity, Response, SourceTrace};
use crate::power::power_series;
use crate::stats;
use crate::units::Seconds;

/// Largest relative change of power along the fitted line over the span.
pub const MAX_POWER_CHANGE: f64 = 0.005;
/// Largest change of temperature along the fitted line over the span, in degrees Celsius.
pub const MAX_TEMPERATURE_CHANGE: f64 = 1.0;
/// Largest coefficient of variation of the core clock over the span.
pub const MAX_CLOCK_VARIATION: f64 = 0.01;
/// Readings that a span needs before a slope means anything.
const MIN_READINGS: usize = 8;
/// Time constants after which a low-pass sensor has followed a step to within a hundredth.
const TIME_CONSTANTS: f64 = 5.0;

/// Verdict of the rule.
#[derive(Debug, Clone, PartialEq)]
pub struct SteadyVerdict {
    /// True if every quantity that was seen has settled, and at least power was seen.
    pub reached: bool,
    /// The figures behind it, in words.
    pub detail: String,
}

/// True if a source may witness a device's steadiness: measured, and of this device or of the whole host.
pub fn can_judge(trace: &SourceTrace, device: u32) -> bool {
    trace.source.evidence == Evidence::Measured && trace.source.device.is_none_or(|ordinal| ordinal == device)
}

/// Time after the start of a load for which power readings still hold what was before it: the longest delay and averaging
/// window of the power channels that judge: the device's own, or else the host's. A span begins after it.
pub fn settling(traces: &[SourceTrace], device: u32) -> Seconds {
    let of = |own: bool| {
        let judges = traces.iter().filter(move |t| can_judge(t, device) && t.source.device.is_some() == own);
        let channels =
            judges.flat_map(|trace| &trace.source.channels).filter(|channel| channel.quantity.is_energetic());
        channels.map(settling_of).reduce(Seconds::max_of)
    };
    of(true).or_else(|| of(false)).unwrap_or(Seconds::new(0.0))
}

fn settling_of(channel: &Channel) -> Seconds {
    let Some(profile) = &channel.profile else {
        return channel.averaging_window_s.unwrap_or(Seconds::new(0.0));
    };
    let window = match profile.response {
        Response::Boxcar { window_s } | Response::PartTime { window_s } => window_s,
        Response::LowPass { time_constant_s } => time_constant_s * TIME_CONSTANTS,
        Response::Instant | Response::Counter => Seconds::new(0.0),
    };
    profile.delay_s + window
}

/// Applies the rule to the readings of one device within `from..=until`.
pub fn judge(traces: &[SourceTrace], device: u32, from: Nanoseconds, until: Nanoseconds) -> SteadyVerdict {
    // The device's own sensors before those of the whole host.
    let own = || {
        let judges = || traces.iter().filter(move |trace| can_judge(trace, device));
        judges().filter(|t| t.source.device.is_some()).chain(judges().filter(|t| t.source.device.is_none()))
    };
    let find = |quantity| own().find_map(|trace| readings(trace, quantity, from, until));
    let mut parts = Vec::new();
    let mut reached = true;
    let power = own().find_map(|trace| {
        let read = |quantity| readings(trace, quantity, from, until);
        read(Quantity::InstantPower)
            .or_else(|| read(Quantity::AveragedPower))
            .or_else(|| counter_power(trace, from, until))
    });
    match power {
        Some((t, watts)) => {
            let change = relative_change(&t, &watts, until.since(from).get());
            reached &= change < MAX_POWER_CHANGE;
            parts.push(format!("power changed by {:.2} % (limit 0.5 %)", change * 100.0));
        }
        None => {
            reached = false;
            parts.push("too few power readings to judge".to_owned());
        }
    }
    match find(Quantity::Temperature) {
        Some((t, degrees)) => {
            let change = stats::slope(&t, &degrees).unwrap_or(0.0).abs() * until.since(from).get();
            reached &= change < MAX_TEMPERATURE_CHANGE;
            parts.push(format!("temperature by {change:.1} °C (limit 1 °C)"));
        }
        None => parts.push("temperature not seen".to_owned()),
    }
    match find(Quantity::CoreClock) {
        Some((_, hertz)) => {
            let variation = stats::coefficient_of_variation(&hertz).unwrap_or(0.0);
            reached &= variation < MAX_CLOCK_VARIATION;
            parts.push(format!("clock variation {:.2} % (limit 1 %)", variation * 100.0));
        }
        None => parts.push("clock not seen".to_owned()),
    }
    let masks = own().find_map(|trace| {
        let (_, masks) = readings(trace, Quantity::ThrottleReasons, from, until)?;
        Some(masks.iter().map(|mask| held_beyond_power(&trace.source.kind, *mask)).collect::<Vec<u64>>())
    });
    if let Some(masks) = masks {
        let constant = masks.windows(2).all(|pair| pair[0] == pair[1]);
        reached &= constant;
        parts.push(format!("throttle reasons {}", if constant { "constant" } else { "still changing" }));
    }
    SteadyVerdict { reached, detail: parts.join(", ") }
}

/// Relative change of a quantity along its fitted line over a span.
fn relative_change(t: &[f64], values: &[f64], span_s: f64) -> f64 {
    let slope = stats::slope(t, values).unwrap_or(0.0);
    match stats::mean(values) {
        Some(mean) if mean != 0.0 => (slope * span_s / mean).abs(),
        _ => f64::INFINITY,
    }
}

/// Readings of a quantity in a span as seconds and values; `None` when there are too few.
fn readings(
    trace: &SourceTrace,
    quantity: Quantity,
    from: Nanoseconds,
    until: Nanoseconds,
) -> Option<(Vec<f64>, Vec<f64>)> {
    let (_, column) = trace.by_quantity(quantity)?;
    let (t, values): (Vec<f64>, Vec<f64>) = trace
        .t_ns
        .iter()
        .zip(&column.values)
        .filter(|(t, _)| (from..=until).contains(*t))
        .filter_map(|(t, value)| value.map(|value| (t.since(from).get(), value)))
        .unzip();
    (values.len() >= MIN_READINGS).then_some((t, values))
}

/// Power of a source that has only an energy counter, from the counter's rate.
fn counter_power(trace: &SourceTrace, from: Nanoseconds, until: Nanoseconds) -> Option<(Vec<f64>, Vec<f64>)> {
    let (channel, _) = trace.by_quantity(Quantity::EnergyCounter)?;
    let (t, watts): (Vec<f64>, Vec<f64>) = power_series(trace, channel.scope)
        .into_iter()
        .filter(|(t, _)| (from..=until).contains(t))
        .map(|(t, watts)| (t.since(from).get(), watts.get()))
        .unzip();
    (watts.len() >= MIN_READINGS).then_some((t, watts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, ChannelTrace, Scope, SourceInfo};

    fn trace(columns: &[(Quantity, &dyn Fn(f64) -> f64)]) -> SourceTrace {
        let times: Vec<f64> = (0..=60).map(|i| f64::from(i) * 0.5).collect();
        let channel = |quantity| Channel::new(&format!("{quantity:?}"), quantity, Scope::Board);
        SourceTrace {
            source: SourceInfo {
                id: "test".into(),
                kind: "test".into(),
                device: Some(0),
                evidence: Evidence::Measured,
                note: String::new(),
                channels: columns.iter().map(|(quantity, _)| channel(*quantity)).collect(),
            },
            requested_hz: 2.0,
            t_ns: times.iter().map(|t| Nanoseconds((t * 1e9) as u64)).collect(),
            columns: columns
                .iter()
                .map(|(quantity, f)| ChannelTrace {
                    channel: format!("{quantity:?}"),
                    values: times.iter().map(|t| Some(f(*t))).collect(),
                })
                .collect(),
            gaps: Vec::new(),
        }
    }

    fn verdict(columns: &[(Quantity, &dyn Fn(f64) -> f64)]) -> SteadyVerdict {
        judge(&[trace(columns)], 0, Nanoseconds(0), Nanoseconds(30_000_000_000))
    }

    #[test]
    fn constant_power_temperature_and_clock_are_steady() {
        let verdict = verdict(&[
            (Quantity::InstantPower, &|_| 400.0),
            (Quantity::Temperature, &|_| 60.0),
            (Quantity::CoreClock, &|_| 1.5e9),
        ]);
        assert!(verdict.reached, "{}", verdict.detail);
    }

    #[test]
    fn each_quantity_alone_can_refuse() {
        // 0.6 % of 400 W over 30 s; 1.2 °C over 30 s; a clock that toggles by 4 %.
        let rising = |t: f64| 400.0 + 400.0 * 0.006 * t / 30.0;
        let warming = |t: f64| 60.0 + 1.2 * t / 30.0;
        let toggling = |t: f64| if ((t * 2.0) as u32).is_multiple_of(2) { 1.5e9 } else { 1.44e9 };
        assert!(!verdict(&[(Quantity::InstantPower, &rising)]).reached);
        assert!(!verdict(&[(Quantity::InstantPower, &|_| 400.0), (Quantity::Temperature, &warming)]).reached);
        assert!(!verdict(&[(Quantity::InstantPower, &|_| 400.0), (Quantity::CoreClock, &toggling)]).reached);
    }

    #[test]
    fn a_counter_that_rises_evenly_is_steady_power() {
        assert!(verdict(&[(Quantity::EnergyCounter, &|t| 100.0 + 250.0 * t)]).reached);
        assert!(!verdict(&[(Quantity::EnergyCounter, &|t| 100.0 + 250.0 * t + t * t)]).reached);
    }

    #[test]
    fn the_devices_own_sensor_speaks_before_the_hosts() {
        let mut host = trace(&[(Quantity::InstantPower, &|t| 400.0 + 10.0 * t)]);
        host.source.device = None;
        let own = trace(&[(Quantity::AveragedPower, &|_| 300.0)]);
        let until = Nanoseconds(30_000_000_000);
        assert!(judge(&[host.clone(), own], 0, Nanoseconds(0), until).reached);
        assert!(!judge(&[host], 0, Nanoseconds(0), until).reached);
    }

    #[test]
    fn declared_or_a_neighbours_power_proves_nothing() {
        let mut other = trace(&[(Quantity::InstantPower, &|_| 400.0)]);
        other.source.device = Some(1);
        let mut declared = trace(&[(Quantity::InstantPower, &|_| 400.0)]);
        declared.source.evidence = Evidence::Declared;
        assert!(!judge(&[other, declared], 0, Nanoseconds(0), Nanoseconds(30_000_000_000)).reached);
    }

    #[test]
    fn a_thermal_reason_that_comes_and_goes_refuses_and_the_power_cap_does_not() {
        let verdict_of = |mask: &dyn Fn(f64) -> f64| {
            let mut trace = trace(&[(Quantity::InstantPower, &|_| 400.0), (Quantity::ThrottleReasons, mask)]);
            trace.source.kind = "nvml".into();
            judge(&[trace], 0, Nanoseconds(0), Nanoseconds(30_000_000_000))
        };
        // 4 power cap, 0x20 software thermal, 0x40 hardware thermal.
        let odd = |t: f64| (t * 2.0) as u32 % 2 == 1;
        assert!(verdict_of(&|t| if odd(t) { 4.0 } else { 0.0 }).reached);
        assert!(verdict_of(&|_| f64::from(0x40)).reached, "held all the time is constant");
        let changing = verdict_of(&|t| if t > 20.0 { f64::from(0x20) } else { 0.0 });
        assert!(
            !changing.reached && changing.detail.contains("throttle reasons still changing"),
            "{}",
            changing.detail
        );
    }

    #[test]
    fn the_span_begins_after_the_sensors_own_window_and_delay() {
        use crate::model::SensorProfile;
        let mut trace = trace(&[(Quantity::AveragedPower, &|_| 400.0), (Quantity::Temperature, &|_| 60.0)]);
        assert_eq!(settling(&[trace.clone()], 0).get(), 0.0);
        trace.source.channels[0].averaging_window_s = Some(Seconds::new(1.0));
        trace.source.channels[1].averaging_window_s = Some(Seconds::new(9.0));
        assert_eq!(settling(&[trace.clone()], 0).get(), 1.0, "temperature is no power");
        let profile = |response| SensorProfile {
            response,
            update_period_s: Seconds::new(0.1),
            delay_s: Seconds::new(0.2),
            coverage: crate::units::Ratio::new(1.0),
            residual: crate::units::Ratio::new(0.0),
            measured: String::new(),
        };
        trace.source.channels[0].profile = Some(profile(Response::LowPass { time_constant_s: Seconds::new(0.4) }));
        assert!((settling(&[trace.clone()], 0).get() - 2.2).abs() < 1e-12, "0.2 + 5 · 0.4");
        trace.source.channels[0].profile = Some(profile(Response::Boxcar { window_s: Seconds::new(0.5) }));
        assert!((settling(&[trace.clone()], 0).get() - 0.7).abs() < 1e-12);
        assert_eq!(settling(&[trace], 1).get(), 0.0, "a neighbour's sensor does not judge");
    }

    #[test]
    fn nothing_seen_is_not_steady() {
        assert!(!judge(&[], 0, Nanoseconds(0), Nanoseconds(30_000_000_000)).reached);
        assert!(!verdict(&[(Quantity::Temperature, &|_| 60.0)]).reached);
    }
}
