//! Figures of a device over one or many records, by names that are stable across versions: what verdicts are made from.
//!
//! Records are added one after the other and dropped, so that hours in segments need bounded memory: about a hundred bytes a
//! window stay. What surprises people: a name holds the phase of a qualification (`arithmetic.rate.p1`) or, for an ordinary
//! run, the case (`gemm/tiled-f32 k=1024 m=1024 n=1024.rate.mean`); and a window whose output was wrong has no rate, while the
//! others keep theirs, so that one wrong window among thousands shows as just that.
//!
//! | identifier | what it is | unit |
//! |---|---|---|
//! | `<phase>.rate.mean` | work of all sound windows over their time | `FLOP/s`, `OP/s`, `B/s` |
//! | `<phase>.rate.p1` | 1st percentile over windows; with fewer than 100 windows it is nearly the slowest | the same |
//! | `<phase>.rate.jitter` | coefficient of variation over windows | `1` |
//! | `<phase>.efficiency.mean`, `.p1` | work over gross energy, likewise | `FLOP/J`, `OP/J`, `B/J` |
//! | `<phase>.power.mean` | gross energy over time | `W` |
//! | `<phase>.output.wrong` | windows whose output was wrong | `1` |
//! | `power.limit.attainment` | mean power of the phase that draws most over the enforced limit | `1` |
//! | `temperature.max` | highest reading of any of the device's thermometers | `°C` |
//! | `temperature.rise_per_watt` | rise above idle over power above idle | `K/W` |
//! | `throttle.power-cap`, `.thermal`, `.hardware`, `.group` | share of the seen load time | `1` |
//! | `ecc.corrected`, `ecc.uncorrected`, `pcie.replays`, `driver.errors` | increase | `1` |
//! | `steps.power.low`, `steps.power.high` | mean power in the rests and in the windows of the steps of power | `W` |
//!
//! What was not measured has no metric. Energy is that of the narrowest scope that holds the whole device, measured before
//! declared before estimated; only measured energy has an interval.

mod counters;
mod device;
mod heat;
#[cfg(test)]
mod heat_tests;
mod outputs;
mod rests;
mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::model::{Device, Metric, PhaseOutputs, PhaseWork, RunRecord};
use crate::units::Seconds;

use device::DeviceTally;

/// What records say of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceFindings {
    /// The device.
    pub device: Device,
    /// What tells this board from others of its kind, as the power sources state it: `serial`, `uuid`.
    pub identity: BTreeMap<String, String>,
    /// The work of each phase.
    pub work: Vec<PhaseWork>,
    /// Its figures.
    pub metrics: Vec<Metric>,
    /// Its outputs by phase.
    pub outputs: Vec<PhaseOutputs>,
    /// Losses of the device and phases without a measurement, in words with the time.
    pub losses: Vec<String>,
}

/// Adds up what records say of their devices.
#[derive(Debug, Default)]
pub struct Tally {
    /// Start of the first record: the zero of all times.
    origin: Option<jiff::Timestamp>,
    devices: Vec<DeviceTally>,
}

impl Tally {
    /// With nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record: a segment of a qualification, each once and in order of time, or a run of its own.
    ///
    /// Of a sustained load it takes that digests stand in the order of the measured windows, an empty one being a window that
    /// was not looked at; that of a measurement with an injected error the first window with another digest is the falsified
    /// one; and that rests of the steps are windows of kind `cooldown` or gaps between two windows of the phase.
    pub fn add(&mut self, record: &RunRecord) {
        let since = self.since_origin(&record.started);
        for device in &record.devices {
            let known = self.devices.iter().position(|tally| tally.is_of(device));
            let index = known.unwrap_or_else(|| {
                self.devices.push(DeviceTally::new(device));
                self.devices.len() - 1
            });
            self.devices[index].add(record, since);
        }
    }

    /// What there is so far, in order of the devices' ordinals.
    pub fn findings(&self) -> Vec<DeviceFindings> {
        let mut all: Vec<DeviceFindings> = self.devices.iter().map(DeviceTally::findings).collect();
        all.sort_by_key(|findings| findings.device.ordinal);
        all
    }

    /// Time of load that was measured, of the device that worked longest.
    pub fn measured(&self) -> Seconds {
        Seconds::new(self.devices.iter().map(DeviceTally::measured_s).fold(0.0, f64::max))
    }

    /// What else a reader must know, in words: error counters that began anew, as after a reboot.
    pub fn notes(&self) -> Vec<String> {
        self.devices.iter().flat_map(DeviceTally::notes).collect()
    }

    /// Seconds from the start of the first record to that of this one; 0 where a start cannot be read.
    fn since_origin(&mut self, started: &str) -> f64 {
        let Ok(started) = started.parse::<jiff::Timestamp>() else { return 0.0 };
        let origin = *self.origin.get_or_insert(started);
        started.duration_since(origin).as_secs_f64()
    }
}
