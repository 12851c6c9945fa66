//! How much of the measured time clocks were held down, and why: by the reasons that were polled, and by counters.
//!
//! A polled mask stands until the next poll, so a reason is weighted by time, not by the number of polls. The counters
//! are those that a driver keeps itself (NVML's violation times); they also hold what happened between two polls. What
//! surprises people: reasons overlap, so the shares of a window do not add up to anything.

use serde::Serialize;

use super::found::Found;
use super::reasons::{Cause, Reason, held_beyond_power, reasons};
use crate::clock::Nanoseconds;
use crate::model::{Quantity, SourceTrace, Warning, WarningCode, Window};
use crate::power::integrate::BRIDGED_PERIODS;
use crate::units::{Ratio, Seconds};

/// Share of the measured time from which a lowered power limit is worth a warning, and counters count as throttling.
const NOTEWORTHY: f64 = 0.01;

/// Time for which one reason held, as a part of the time that was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReasonShare {
    /// Name of the reason, or of its cause.
    pub reason: &'static str,
    /// The kind of limit.
    pub cause: Cause,
    /// Part of the seen time of all measured windows, 0 to 1.
    pub share: Ratio,
    /// The same window by window; `None` for a window in which no mask was read.
    pub per_window: Vec<Option<Ratio>>,
}

/// Throttling by the masks that were polled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Throttling {
    /// Source of the masks.
    pub source: String,
    /// Part of the measured time for which a mask was known, 0 to 1.
    pub coverage: Ratio,
    /// Part of the seen time in which anything but the power limit held clocks down.
    pub beyond_power: Ratio,
    /// Every cause that the source can report, also those that never held.
    pub causes: Vec<ReasonShare>,
    /// The reasons that held at all.
    pub reasons: Vec<ReasonShare>,
}

impl Throttling {
    /// Share of a cause; 0 where the source can report it and it never held.
    pub fn share(&self, cause: Cause) -> Option<Ratio> {
        self.causes.iter().find(|found| found.cause == cause).map(|found| found.share)
    }
}

/// Throttling by a driver's cumulative counters, read before and after each window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CounterShare {
    /// Source of the counter.
    pub source: String,
    /// Part of the measured time, 0 to 1.
    pub share: Ratio,
    /// The same window by window.
    pub per_window: Vec<Ratio>,
}

/// The masks of a device's own source over its measured windows.
pub fn by_reason(traces: &[SourceTrace], device: u32, windows: &[&Window]) -> Found<Throttling> {
    let own = |trace: &&SourceTrace| trace.source.device == Some(device);
    let mut with_masks = traces.iter().filter(own).filter(|t| t.by_quantity(Quantity::ThrottleReasons).is_some());
    let Some(trace) = with_masks.next() else {
        return Found::missing("no source of this device reports why clocks are held down");
    };
    let Some(known) = reasons(&trace.source.kind) else {
        let kind = &trace.source.kind;
        return Found::Missing { missing: format!("the meaning of the throttle bits of {kind} is not known") };
    };
    if windows.is_empty() {
        return Found::missing("no window was measured");
    }
    let held: Vec<Vec<Held>> = windows.iter().map(|window| held_in(trace, window)).collect();
    let seen = |window: &[Held]| window.iter().map(|held| held.seconds).sum::<f64>();
    let all_seen: f64 = held.iter().map(|window| seen(window)).sum();
    if all_seen <= 0.0 {
        let missing = format!("{} gave no throttle reasons during the measured windows", trace.source.id);
        return Found::Missing { missing };
    }
    let measured: Seconds = windows.iter().map(|window| window.duration()).sum();
    let time = |window: &[Held], bits: u64| -> f64 {
        window.iter().filter(|held| held.mask & bits != 0).map(|held| held.seconds).sum()
    };
    let share_of = |name, cause, bits| ReasonShare {
        reason: name,
        cause,
        share: Ratio::new(held.iter().map(|window| time(window, bits)).sum::<f64>() / all_seen),
        per_window: held
            .iter()
            .map(|window| (seen(window) > 0.0).then(|| Ratio::new(time(window, bits) / seen(window))))
            .collect(),
    };
    let bits_of = |wanted: &dyn Fn(&Reason) -> bool| {
        known.iter().filter(|reason| wanted(reason)).fold(0, |bits, reason| bits | reason.bits)
    };
    let beyond = bits_of(&|reason| reason.cause != Cause::PowerCap);
    let reported = Cause::ALL.into_iter().filter(|cause| known.iter().any(|reason| reason.cause == *cause));
    Found::Value(Throttling {
        source: trace.source.id.clone(),
        coverage: Ratio::new((all_seen / measured.get()).min(1.0)),
        beyond_power: share_of("", Cause::Hardware, beyond).share,
        causes: reported.map(|cause| share_of(cause.name(), cause, bits_of(&|r| r.cause == cause))).collect(),
        reasons: known
            .iter()
            .map(|reason| share_of(reason.name, reason.cause, reason.bits))
            .filter(|found| found.share.get() > 0.0)
            .collect(),
    })
}

/// A mask and for how long it stood.
struct Held {
    mask: u64,
    seconds: f64,
}

/// Longest time for which a reading stands, in nanoseconds.
fn reach(trace: &SourceTrace) -> u64 {
    let period = if trace.requested_hz > 0.0 { 1.0 / trace.requested_hz } else { 0.0 };
    Seconds::new(BRIDGED_PERIODS * period).to_nanoseconds()
}

/// The masks within a window, each from its poll to the next one, cut at the window's edges; a reading does not stand for
/// longer than the holes that integration bridges.
fn held_in(trace: &SourceTrace, window: &Window) -> Vec<Held> {
    let Some((_, column)) = trace.by_quantity(Quantity::ThrottleReasons) else { return Vec::new() };
    let (from, until, reach) = (window.start_ns.0, window.end_ns.0, reach(trace));
    let polls = trace.t_ns.len().min(column.values.len());
    let first = trace.t_ns[..polls].partition_point(|t| t.0 <= from).saturating_sub(1);
    (first..polls)
        .take_while(|index| trace.t_ns[*index].0 < until)
        .filter_map(|index| {
            let read = trace.t_ns[index].0;
            let next = trace.t_ns[..polls].get(index + 1).map_or(u64::MAX, |t| t.0);
            let end = next.min(read.saturating_add(reach)).min(until);
            let nanoseconds = end.saturating_sub(read.max(from));
            let mask = column.values[index]? as u64;
            (nanoseconds > 0).then(|| Held { mask, seconds: Seconds::from_nanoseconds(nanoseconds).get() })
        })
        .collect()
}

/// Stretches of the whole run in which a device's clocks were held down by more than its power limit, by the polled
/// reasons: device, start, end.
pub fn throttled_stretches(traces: &[SourceTrace]) -> Vec<(u32, Nanoseconds, Nanoseconds)> {
    let mut stretches: Vec<(u32, Nanoseconds, Nanoseconds)> = Vec::new();
    for trace in traces {
        let (Some(device), Some((_, column))) = (trace.source.device, trace.by_quantity(Quantity::ThrottleReasons))
        else {
            continue;
        };
        let mut open = false;
        for (index, (read, value)) in trace.t_ns.iter().zip(&column.values).enumerate() {
            let held = value.is_some_and(|mask| held_beyond_power(&trace.source.kind, mask) != 0);
            let until =
                trace.t_ns.get(index + 1).map_or(read.0, |next| next.0.min(read.0.saturating_add(reach(trace))));
            match stretches.last_mut() {
                Some(last) if held && open && last.2 >= *read => last.2 = Nanoseconds(until),
                _ if held => stretches.push((device, *read, Nanoseconds(until))),
                _ => {}
            }
            open = held;
        }
    }
    stretches
}

/// Time that a driver's own counter says clocks were held down.
pub fn by_counter(traces: &[SourceTrace], device: u32, quantity: Quantity, windows: &[&Window]) -> Found<CounterShare> {
    let mut own = traces.iter().filter(|trace| trace.source.device == Some(device));
    let Some(trace) = own.find(|trace| trace.by_quantity(quantity).is_some()) else {
        return Found::missing("no source of this device counts this time");
    };
    let mut per_window = Vec::new();
    let (mut held, mut measured) = (0.0, 0.0);
    for window in windows {
        let length = window.duration().get();
        let at = |instant: u64| counter_at(trace, quantity, instant);
        let (Some(before), Some(after)) = (at(window.start_ns.0), at(window.end_ns.0)) else {
            let missing = format!("{} was not read at both edges of every window", trace.source.id);
            return Found::Missing { missing };
        };
        let rise = after - before;
        if rise < 0.0 || length <= 0.0 {
            return Found::Missing { missing: format!("the counter of {} fell", trace.source.id) };
        }
        // Edges lie between two polls, so that a counter may seem to run ahead by one of them.
        let slack = 1.0 / trace.requested_hz.max(f64::MIN_POSITIVE);
        if rise > length + slack {
            let missing =
                format!("the counter of {} rose by {rise:.1} s in {length:.1} s: it is not a time", trace.source.id);
            return Found::Missing { missing };
        }
        per_window.push(Ratio::new((rise / length).min(1.0)));
        (held, measured) = (held + rise.min(length), measured + length);
    }
    if measured <= 0.0 {
        return Found::missing("no window was measured");
    }
    Found::Value(CounterShare { source: trace.source.id.clone(), share: Ratio::new(held / measured), per_window })
}

/// A counter's value at an instant, on the line between the readings around it, where both are near.
fn counter_at(trace: &SourceTrace, quantity: Quantity, at: u64) -> Option<f64> {
    let (_, column) = trace.by_quantity(quantity)?;
    let (before, after) = super::conditions::around(trace, column, at);
    let near = |t: u64| t.abs_diff(at) <= reach(trace);
    match (before.filter(|(t, _)| near(*t)), after.filter(|(t, _)| near(*t))) {
        (Some((a, x)), Some((b, y))) if b > a => Some(x + (y - x) * (at - a) as f64 / (b - a) as f64),
        (Some((_, value)), _) | (None, Some((_, value))) => Some(value),
        (None, None) => None,
    }
}

/// W08, where clocks were held down by anything but the power limit, or by a power limit below the board's own. Running
/// at the default limit is how a board is meant to work, and no warning.
pub fn warning(conditions: &super::Conditions) -> Option<Warning> {
    let percent =
        |share: f64| if share < 0.01 { "less than 1 %".to_owned() } else { format!("{:.0} %", share * 100.0) };
    let throttling = conditions.throttle.value();
    let harmful = throttling.filter(|found| found.beyond_power.get() > 0.0);
    let thermal = conditions.thermal_counter.value().map(|counter| counter.share.get()).filter(|s| *s > NOTEWORTHY);
    let capped = throttling.and_then(|found| found.share(Cause::PowerCap)).map_or(0.0, Ratio::get);
    let lowered = conditions.power_limit.value().filter(|limit| limit.is_lowered() && capped > NOTEWORTHY);
    let mut parts = Vec::new();
    if let Some(found) = harmful {
        let reasons = found.reasons.iter().filter(|reason| reason.cause != Cause::PowerCap);
        let named = reasons.map(|reason| format!("{} {}", reason.reason, percent(reason.share.get())));
        parts.push(named.collect::<Vec<_>>().join(", "));
    } else if let Some(share) = thermal {
        parts.push(format!("temperature {} by the driver's counter", percent(share)));
    }
    let remedy = if parts.is_empty() {
        "raise the limit to compare with other boards"
    } else {
        "look at cooling and power supply"
    };
    if let Some(limit) = lowered {
        parts.push(format!("power cap {}, at {}", percent(capped), limit.in_words()));
    } else if !parts.is_empty() && capped > 0.0 {
        parts.push(format!("besides power cap {}, which is benign", percent(capped)));
    }
    (!parts.is_empty()).then(|| Warning {
        code: WarningCode::Throttled,
        text: format!("clocks were held down for part of the measured time: {}; {remedy}", parts.join("; ")),
    })
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
