//! How much of the measured time clocks were held down, and why.
//!
//! What surprises people: NVML's reasons "idle", "clock setting" and "display" are choices, not throttling, and stay out.

use crate::model::{Quantity, RunRecord, Warning, WarningCode, Window};

/// NVML's reason bits that mean throttling (nvml.h, clocks event reasons), with their names.
const REASONS: [(u64, &str); 5] = [
    (0x4, "power cap"),
    (0x8, "hardware slowdown"),
    (0x20, "software thermal"),
    (0x40, "hardware thermal"),
    (0x80, "power brake"),
];

/// A warning with the share of readings in the windows for each reason; `None` without throttling or without readings.
pub fn warning(record: &RunRecord, device: u32, windows: &[&Window]) -> Option<Warning> {
    let trace = record.traces.iter().find(|trace| {
        trace.source.device == Some(device)
            && trace.source.kind == "nvml"
            && trace.by_quantity(Quantity::ThrottleReasons).is_some()
    })?;
    let (_, column) = trace.by_quantity(Quantity::ThrottleReasons)?;
    let inside = |t: u64| windows.iter().any(|window| (window.start_ns.0..=window.end_ns.0).contains(&t));
    let masks: Vec<u64> = trace
        .t_ns
        .iter()
        .zip(&column.values)
        .filter(|(t, _)| inside(t.0))
        .filter_map(|(_, value)| value.map(|mask| mask as u64))
        .collect();
    let shares: Vec<String> = REASONS
        .iter()
        .filter_map(|(bit, name)| {
            let hits = masks.iter().filter(|mask| *mask & bit != 0).count();
            (hits > 0).then(|| format!("{name} {:.0} %", 100.0 * hits as f64 / masks.len() as f64))
        })
        .collect();
    (!shares.is_empty()).then(|| Warning {
        code: WarningCode::Throttled,
        text: format!("clocks were held down for part of the measured time: {}", shares.join(", ")),
    })
}
