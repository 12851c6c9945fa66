//! Records made by hand for this room's tests: one device, windows of whole seconds, power that is a plain function of time.

use crate::clock::Nanoseconds;
use crate::model::{
    Case, Channel, ChannelTrace, Check, DeviceKind, Evidence, IdleBaseline, Measurement, Quantity, RunRecord, Scope,
    SourceInfo, SourceTrace, Verification, Window, WindowKind,
};
use crate::units::{Bytes, Flop, Ratio, Seconds};

/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000_000_000;

/// The golden record without its measurements, traces and idle windows; device 0 is a discrete GPU.
pub fn empty() -> RunRecord {
    let golden = include_str!("../../../tests/fixtures/records/v1.0.json");
    let mut record: RunRecord = serde_json::from_str(golden).unwrap();
    record.devices[0].kind = DeviceKind::Discrete;
    record.devices[0].ordinal = 0;
    record.devices.truncate(1);
    (record.idle, record.traces, record.skips) = (Vec::new(), Vec::new(), Vec::new());
    record.measurements.truncate(1);
    record
}

/// A case of 1000 FLOP and 100 B an execution on device 0.
pub fn case() -> Case {
    let mut case = empty().measurements.remove(0).case;
    case.device = 0;
    (case.problem, case.variant) = ("gemm".to_owned(), "gemm/tiled-f32".to_owned());
    (case.work.flop, case.work.bytes) = (Flop::new(1000.0), Bytes::new(100.0));
    case
}

/// A window between two instants in seconds.
pub fn window(kind: WindowKind, from: u64, until: u64, dispatches: u64) -> Window {
    Window {
        kind,
        start_ns: Nanoseconds(from * SECOND),
        end_ns: Nanoseconds(until * SECOND),
        dispatches,
        device_busy_ns: None,
    }
}

/// A verified measurement with these windows: start, end in seconds, and executions.
pub fn measurement(case: Case, windows: &[(u64, u64, u64)]) -> Measurement {
    let check = Check { sampled: 1, scanned: 1, ..Check::default() };
    Measurement {
        case,
        verification: Verification::Passed { before: check.clone(), after: check },
        calibration: None,
        timing: None,
        steadiness: None,
        windows: windows.iter().map(|(a, b, n)| window(WindowKind::Measure, *a, *b, *n)).collect(),
        stop: None,
        warnings: Vec::new(),
        injected: None,
        sustained: None,
    }
}

/// A source of instant power at ten polls a second over a minute; `None` is a poll without a reading.
pub fn power(id: &str, device: Option<u32>, scope: Scope, watts: impl Fn(f64) -> Option<f64>) -> SourceTrace {
    let t_ns: Vec<Nanoseconds> = (0..=600).map(|poll| Nanoseconds(poll * SECOND / 10)).collect();
    let values = t_ns.iter().map(|t| watts(t.0 as f64 / SECOND as f64)).collect();
    let channel = Channel {
        update_period_s: Some(Seconds::new(0.1)),
        stated_error: Some(Ratio::new(0.0)),
        ..Channel::new("power", Quantity::InstantPower, scope)
    };
    SourceTrace {
        source: SourceInfo {
            id: id.to_owned(),
            kind: "test".to_owned(),
            device,
            evidence: Evidence::Measured,
            note: String::new(),
            channels: vec![channel],
        },
        requested_hz: 10.0,
        t_ns,
        columns: vec![ChannelTrace { channel: "power".to_owned(), values }],
        gaps: Vec::new(),
    }
}

/// Adds a cumulative counter that rises at these watts.
pub fn add_counter(trace: &mut SourceTrace, watts: f64) {
    let mut channel = trace.source.channels[0].clone();
    (channel.id, channel.quantity) = ("energy".to_owned(), Quantity::EnergyCounter);
    trace.source.channels.push(channel);
    let values = trace.t_ns.iter().map(|t| Some(1e6 + watts * t.0 as f64 / SECOND as f64)).collect();
    trace.columns.push(ChannelTrace { channel: "energy".to_owned(), values });
}

/// Idle power of device `device` recorded over `from..until` seconds with the device open, and before that without.
pub fn idle(device: u32, from: u64, until: u64) -> IdleBaseline {
    let windows = vec![window(WindowKind::IdleCold, 0, from, 0), window(WindowKind::IdleContext, from, until, 0)];
    IdleBaseline { device, windows }
}

/// A channel's id, its quantity, and its values over time.
pub type Column<'a> = (&'a str, Quantity, &'a dyn Fn(f64) -> Option<f64>);

/// A telemetry source of device `device` at five polls a second over a minute, one channel for each column.
pub fn telemetry(kind: &str, device: u32, columns: &[Column]) -> SourceTrace {
    let mut trace = power(&format!("{kind}-telemetry"), Some(device), Scope::Board, |_| None);
    trace.source.kind = kind.to_owned();
    trace.requested_hz = 5.0;
    trace.t_ns = (0..=300).map(|poll| Nanoseconds(poll * SECOND / 5)).collect();
    trace.source.channels = columns.iter().map(|(id, quantity, _)| Channel::new(id, *quantity, Scope::Board)).collect();
    let values = |f: &dyn Fn(f64) -> Option<f64>| trace.t_ns.iter().map(|t| f(t.0 as f64 / SECOND as f64)).collect();
    trace.columns =
        columns.iter().map(|(id, _, f)| ChannelTrace { channel: (*id).to_owned(), values: values(f) }).collect();
    trace
}
