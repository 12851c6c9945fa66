//! What the sensors of a whole run did wrong: gone, frozen, or polled too slowly.

use std::collections::BTreeSet;

use crate::model::{Evidence, Quantity, RunRecord, SourceTrace, Warning, WarningCode, WindowKind};
use crate::power::{integrate, left_out};
use crate::units::Seconds;

/// Cadence below this part of the one asked for is reported.
const LEAST_CADENCE: f64 = 0.8;
/// Readings that idle and load must each have before a constant channel is called frozen.
const LEAST_READINGS: usize = 5;

/// Warnings about the sensors of a run.
pub fn warnings(record: &RunRecord) -> Vec<Warning> {
    record.traces.iter().flat_map(|trace| of_trace(record, trace)).collect()
}

fn of_trace(record: &RunRecord, trace: &SourceTrace) -> Vec<Warning> {
    let id = &trace.source.id;
    let mut warnings = Vec::new();
    for gap in trace.gaps.iter().filter(|gap| gap.until_ns.is_none() && gap.channel.is_none()) {
        warnings.push(Warning {
            code: WarningCode::SensorGone,
            text: format!(
                "{id} gave no reading after {:.1} s ({}); later windows have no energy from it",
                Seconds::from_nanoseconds(gap.from_ns.0).get(),
                gap.reason
            ),
        });
    }
    if let Some(counts) = left_out(&trace.source.note) {
        warnings.push(Warning {
            code: WarningCode::Other,
            text: format!("readings of {id} were left out: {counts}; joules rest on the others"),
        });
    }
    let mut frozen = BTreeSet::new();
    // Declared watts never move, and an estimate from CPU time rests while the CPU does: only a sensor can freeze.
    if trace.source.evidence == Evidence::Measured {
        frozen.extend(integrate::frozen_channels(trace));
        frozen.extend(unmoved_channels(record, trace));
    }
    for channel in frozen {
        warnings.push(Warning {
            code: WarningCode::SensorFrozen,
            text: format!("{channel} of {id} stood still while the load changed; do not trust its figures"),
        });
    }
    let others = trace
        .by_quantity(Quantity::ProcessCount)
        .and_then(|(_, column)| column.values.iter().flatten().copied().reduce(f64::max).filter(|most| *most > 1.0));
    if let Some(most) = others {
        warnings.push(Warning {
            code: WarningCode::OtherProcesses,
            text: format!(
                "up to {most:.0} processes (this one included) used the device: rates and joules include their load; stop them"
            ),
        });
    }
    if let Some(reached) = trace.reached_hz().filter(|hz| *hz < LEAST_CADENCE * trace.requested_hz) {
        warnings.push(Warning {
            code: WarningCode::SamplerSlow,
            text: format!("{id} was polled at {reached:.1} Hz instead of {:.1} Hz", trace.requested_hz),
        });
    }
    warnings
}

/// Power channels whose value is the very same number in idle and under load.
fn unmoved_channels(record: &RunRecord, trace: &SourceTrace) -> Vec<String> {
    let Some(device) = trace.source.device else { return Vec::new() };
    let idle = record.idle.iter().filter(|idle| idle.device == device).flat_map(|idle| &idle.windows);
    let load = record.measurements.iter().filter(|m| m.case.device == device).flat_map(|m| &m.windows);
    let spans: Vec<(bool, u64, u64)> = idle
        .chain(load)
        .map(|window| (window.kind == WindowKind::Measure, window.start_ns.0, window.end_ns.0))
        .collect();
    let unmoved = |channel: &&crate::model::Channel| {
        let Some(column) = trace.column(&channel.id) else { return false };
        let read = |loaded: bool| -> Vec<f64> {
            let inside =
                |t: u64| spans.iter().any(|(kind, from, until)| *kind == loaded && (*from..=*until).contains(&t));
            trace.t_ns.iter().zip(&column.values).filter(|(t, _)| inside(t.0)).filter_map(|(_, value)| *value).collect()
        };
        let (idle, load) = (read(false), read(true));
        let same = |values: &[f64]| values.windows(2).all(|pair| pair[0] == pair[1]);
        idle.len() >= LEAST_READINGS && load.len() >= LEAST_READINGS && idle[0] == load[0] && same(&idle) && same(&load)
    };
    trace
        .source
        .channels
        .iter()
        .filter(|channel| matches!(channel.quantity, Quantity::InstantPower | Quantity::AveragedPower))
        .filter(unmoved)
        .map(|channel| channel.id.clone())
        .collect()
}
