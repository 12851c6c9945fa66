//! Temperature, power limit and throttling of a device over many records.
//!
//! What surprises people: the rise per watt compares means over the later half of the load with idle, so that a device that
//! is still warming up seems to cool better than it does; and throttling is a share of the time in which the reasons were
//! read, not of all time.

use std::collections::BTreeMap;

use super::series::{EnergySeries, Series, plain};
use crate::clock::Nanoseconds;
use crate::measure::result::{Cause, throttle};
use crate::model::{
    Better, ChannelTrace, Evidence, Metric, Phase, Quantity, RunRecord, Scope, SourceTrace, Window, WindowKind,
};

/// Least power above idle, as a part of idle, for which a rise of temperature is divided by it.
const LEAST_RISE: f64 = 0.05;

/// What is known of a device's heat.
#[derive(Debug, Default)]
pub(super) struct Heat {
    /// Source and channel whose readings are compared with idle.
    thermometer: Option<(String, String)>,
    highest: Option<f64>,
    readings: u64,
    idle_celsius: Option<f64>,
    /// Idle watts by source and scope.
    idle_watts: BTreeMap<(String, Scope), f64>,
    /// Lowest enforced limit and its scope.
    limit: Option<(f64, Scope)>,
    /// Seconds held by cause, by polled reasons.
    held: BTreeMap<Cause, f64>,
    seen_s: f64,
    seen_windows: u64,
    /// Seconds held and seconds counted, by the driver's own counters.
    counted: BTreeMap<Cause, (f64, f64, u64)>,
}

impl Heat {
    /// Takes in the readings of a device's own sources over its measured windows.
    pub fn add(&mut self, record: &RunRecord, device: u32, windows: &[&Window]) {
        let own = || record.traces.iter().filter(move |trace| trace.source.device == Some(device));
        for trace in own() {
            for channel in &trace.source.channels {
                let Some(column) = trace.column(&channel.id) else { continue };
                match channel.quantity {
                    Quantity::Temperature => self.add_temperature(trace, column),
                    Quantity::PowerLimit if !channel.id.ends_with(".default") => {
                        let read = column.values.iter().flatten().copied().filter(|watts| *watts > 0.0);
                        let lowest = read.chain(self.limit.map(|(watts, _)| watts)).reduce(f64::min);
                        self.limit = lowest.map(|watts| (watts, self.limit.map_or(channel.scope, |(_, scope)| scope)));
                    }
                    _ => {}
                }
            }
        }
        self.add_idle(record, device);
        self.add_throttling(record, device, windows);
    }

    fn add_temperature(&mut self, trace: &SourceTrace, column: &ChannelTrace) {
        for celsius in column.values.iter().flatten().filter(|celsius| celsius.is_finite()) {
            self.highest = Some(self.highest.map_or(*celsius, |highest| highest.max(*celsius)));
            self.readings += 1;
        }
        if self.thermometer.is_none() && column.values.iter().any(Option::is_some) {
            self.thermometer = Some((trace.source.id.clone(), column.channel.clone()));
        }
    }

    /// The first idle stretch counts: a later one, of a load that was taken up again, begins on a warm device.
    fn add_idle(&mut self, record: &RunRecord, device: u32) {
        let Some(baseline) = record.idle.iter().find(|idle| idle.device == device) else { return };
        let Some(window) = baseline.windows.iter().rev().find(|w| w.kind == WindowKind::IdleContext) else { return };
        if self.idle_celsius.is_none() {
            self.idle_celsius = self.celsius(record, window);
        }
        for trace in &record.traces {
            let scopes = trace.source.channels.iter().filter(|channel| channel.quantity.is_energetic());
            for scope in scopes.map(|channel| channel.scope) {
                let key = (trace.source.id.clone(), scope);
                if !self.idle_watts.contains_key(&key)
                    && let Some(watts) = crate::measure::result::energy::idle_power(record, trace, scope, device)
                {
                    self.idle_watts.insert(key, watts.get());
                }
            }
        }
    }

    fn add_throttling(&mut self, record: &RunRecord, device: u32, windows: &[&Window]) {
        let measured: f64 = windows.iter().map(|window| window.duration().get()).sum();
        if let Some(found) = throttle::by_reason(&record.traces, device, windows).value() {
            let seen = found.coverage.get() * measured;
            self.seen_s += seen;
            for share in &found.causes {
                *self.held.entry(share.cause).or_default() += share.share.get() * seen;
            }
            let read = found.causes.first().map_or(0, |share| share.per_window.iter().flatten().count());
            self.seen_windows += read as u64;
        }
        for (cause, quantity) in
            [(Cause::PowerCap, Quantity::PowerThrottleTime), (Cause::Thermal, Quantity::ThermalThrottleTime)]
        {
            if let Some(found) = throttle::by_counter(&record.traces, device, quantity, windows).value() {
                let counted = self.counted.entry(cause).or_default();
                *counted =
                    (counted.0 + found.share.get() * measured, counted.1 + measured, counted.2 + windows.len() as u64);
            }
        }
    }

    /// Mean temperature within a window, by the thermometer that is compared with idle.
    pub fn celsius(&self, record: &RunRecord, window: &Window) -> Option<f64> {
        let (source, channel) = self.thermometer.as_ref()?;
        let trace = record.traces.iter().find(|trace| trace.source.id == *source)?;
        let column = trace.column(channel)?;
        let within = between(trace, window.start_ns, window.end_ns, column.values.len());
        let read = column.values[within].iter().flatten().filter(|celsius| celsius.is_finite());
        let (sum, count) = read.fold((0.0, 0u32), |(sum, count), celsius| (sum + celsius, count + 1));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// Temperature, attainment of the limit and throttling.
    pub fn metrics(&self, series: &[Series]) -> Vec<Metric> {
        let mut metrics = Vec::new();
        metrics.extend(self.attainment(series));
        metrics.extend(self.highest.map(|highest| lower("temperature.max".to_owned(), highest, "°C", self.readings)));
        metrics.extend(self.rise_per_watt(series));
        metrics.extend(self.throttling());
        metrics
    }

    /// Mean power of the phase that draws most over the limit, by a measured source of the limit's own scope.
    fn attainment(&self, series: &[Series]) -> Option<Metric> {
        let (limit, scope) = self.limit?;
        let of = |energy: &&EnergySeries| energy.own && energy.scope == scope && energy.evidence == Evidence::Measured;
        let drawn = series.iter().filter_map(|one| one.mean_power(one.energies.iter().find(of)?));
        let (watts, n) = drawn.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Metric {
            evidence: Some(Evidence::Measured),
            scope: Some(scope),
            ..plain("power.limit.attainment".to_owned(), watts / limit, "1", n as u64)
        })
    }

    /// Of the arithmetic phase; in a record without phases, of the case that draws most.
    fn rise_per_watt(&self, series: &[Series]) -> Option<Metric> {
        let power =
            |one: &Series| one.headline().and_then(|energy| one.mean_power(energy)).map_or(0.0, |(watts, _)| watts);
        let loaded = series.iter().find(|one| one.phase == Some(Phase::Arithmetic)).or_else(|| {
            let cases = series.iter().filter(|one| one.phase.is_none());
            cases.max_by(|a, b| power(a).total_cmp(&power(b)))
        })?;
        let energy = loaded.headline()?;
        let (celsius, watts, n) = loaded.settled(energy)?;
        let idle = self.idle_watts.get(&(energy.source.clone(), energy.scope))?;
        let above = watts - idle;
        if above <= 0.0 || above < LEAST_RISE * idle {
            return None;
        }
        let rise = (celsius - self.idle_celsius?) / above;
        Some(Metric {
            evidence: Some(energy.evidence),
            scope: Some(energy.scope),
            ..lower("temperature.rise_per_watt".to_owned(), rise, "K/W", n as u64)
        })
    }

    /// By the polled reasons; by the driver's counter for a cause of which no reason was read.
    fn throttling(&self) -> Vec<Metric> {
        let share = |cause: Cause| {
            let polled = self.held.get(&cause).filter(|_| self.seen_s > 0.0);
            let polled = polled.map(|held| (held / self.seen_s, self.seen_windows));
            let counted = self.counted.get(&cause).filter(|(_, time, _)| *time > 0.0);
            let (share, n) = polled.or_else(|| counted.map(|(held, time, n)| (held / time, *n)))?;
            let metric = lower(format!("throttle.{}", cause.id()), share, "1", n);
            // Working at the power limit is how a board is meant to work.
            Some(Metric { better: Some(Better::Lower).filter(|_| cause != Cause::PowerCap), ..metric })
        };
        Cause::ALL.into_iter().filter_map(share).collect()
    }
}

fn lower(id: String, value: f64, unit: &str, n: u64) -> Metric {
    Metric { better: Some(Better::Lower), ..plain(id, value, unit, n) }
}

/// Indices of the polls from one instant to another, both included.
fn between(trace: &SourceTrace, from: Nanoseconds, until: Nanoseconds, length: usize) -> std::ops::Range<usize> {
    let t = &trace.t_ns[..trace.t_ns.len().min(length)];
    let first = t.partition_point(|at| *at < from);
    first..t.partition_point(|at| *at <= until).max(first)
}
