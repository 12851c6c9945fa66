//! The rests of the steps of power: how low power falls between two windows of load.
//!
//! What surprises people: a rest is a gap between two windows of the phase in which nothing else runs on the device; a gap
//! of a fraction of a second, in which only an output is read back, is none.

use crate::measure::result::energy::WindowJoules;
use crate::model::{Measurement, Metric, RunRecord, Scope, Window, WindowKind};

use super::series::{EnergySeries, plain};

/// Shortest gap that is a rest: two updates of a sensor that is read ten times a second.
const LEAST_REST_NS: u64 = 200_000_000;

/// What one source read of the rests.
#[derive(Debug)]
struct Read {
    source: String,
    scope: Scope,
    joules: f64,
    seconds: f64,
    rests: u64,
}

/// The rests of a device.
#[derive(Debug, Default)]
pub(super) struct Rests(Vec<Read>);

impl Rests {
    /// The rests of a measurement: those that it states, or else the gaps between its windows.
    pub fn of(record: &RunRecord, measurement: &Measurement) -> Vec<Window> {
        let stated: Vec<Window> =
            measurement.windows.iter().filter(|window| window.kind == WindowKind::Cooldown).cloned().collect();
        if !stated.is_empty() {
            return stated;
        }
        let device = measurement.case.device;
        let on_device = record.measurements.iter().filter(|other| other.case.device == device);
        let mut busy: Vec<(u64, u64)> =
            on_device.flat_map(|other| &other.windows).map(|window| (window.start_ns.0, window.end_ns.0)).collect();
        busy.sort_unstable();
        let own: Vec<&Window> = measurement.measured().collect();
        let gaps = own.windows(2).filter_map(|pair| {
            let (from, until) = (pair[0].end_ns, pair[1].start_ns);
            // The next to begin after the gap's start must be the window at its end.
            let next = busy.get(busy.partition_point(|(start, _)| *start < from.0))?;
            let is_rest = next.0 >= until.0 && until.0.saturating_sub(from.0) >= LEAST_REST_NS;
            is_rest.then_some(Window {
                kind: WindowKind::Cooldown,
                start_ns: from,
                end_ns: until,
                dispatches: 0,
                device_busy_ns: None,
            })
        });
        gaps.collect()
    }

    /// Takes in what sources read of rests.
    pub fn add(&mut self, rests: &[Window], energies: &[WindowJoules<'_>]) {
        for found in energies {
            let source = &found.trace.source.id;
            let known = self.0.iter().position(|read| read.source == *source && read.scope == found.scope);
            let index = known.unwrap_or_else(|| {
                let (source, scope) = (source.clone(), found.scope);
                self.0.push(Read { source, scope, joules: 0.0, seconds: 0.0, rests: 0 });
                self.0.len() - 1
            });
            let read = &mut self.0[index];
            for (rest, joules) in rests.iter().zip(&found.joules) {
                if let Some(joules) = joules {
                    read.joules += joules;
                    read.seconds += rest.duration().get();
                    read.rests += 1;
                }
            }
        }
    }

    /// Mean power in the rests by the source that stands for the windows.
    pub fn metric(&self, name: &str, energy: &EnergySeries) -> Option<Metric> {
        let read = self.0.iter().find(|read| read.source == energy.source && read.scope == energy.scope)?;
        (read.seconds > 0.0).then(|| Metric {
            evidence: Some(energy.evidence),
            scope: Some(energy.scope),
            ..plain(format!("{name}.power.low"), read.joules / read.seconds, "W", read.rests)
        })
    }
}
