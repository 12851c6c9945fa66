//! Increases of error counters: from the first reading to the last, across records.
//!
//! What surprises people: a counter that falls was set back to 0, as by a reboot or a reload of the driver, so that what it
//! shows afterwards is new; and one reading says nothing, since what was counted before the load is not the load's.

use crate::model::{Better, Metric, Quantity, RunRecord};

use super::series::plain;

/// The counters and the metrics that they become.
const COUNTED: [(Quantity, &str); 4] = [
    (Quantity::EccCorrected, "ecc.corrected"),
    (Quantity::EccUncorrected, "ecc.uncorrected"),
    (Quantity::PcieReplays, "pcie.replays"),
    (Quantity::DriverErrors, "driver.errors"),
];

/// One counter of one source.
#[derive(Debug)]
struct Count {
    source: String,
    channel: String,
    quantity: Quantity,
    last: f64,
    last_s: f64,
    increase: f64,
    readings: u64,
    resets: Vec<f64>,
}

/// The error counters of a device.
#[derive(Debug, Default)]
pub(super) struct ErrorCounts(Vec<Count>);

impl ErrorCounts {
    /// Takes in the readings of a device's own sources; `since` is the record's start in seconds.
    pub fn add(&mut self, record: &RunRecord, device: u32, since: f64) {
        for trace in record.traces.iter().filter(|trace| trace.source.device == Some(device)) {
            for channel in &trace.source.channels {
                if !COUNTED.iter().any(|(quantity, _)| *quantity == channel.quantity) {
                    continue;
                }
                let Some(column) = trace.column(&channel.id) else { continue };
                let readings = trace.t_ns.iter().zip(&column.values);
                for (at, value) in readings.filter_map(|(t, value)| Some((since + t.0 as f64 / 1e9, (*value)?))) {
                    if value.is_finite() {
                        self.read(&trace.source.id, &channel.id, channel.quantity, at, value);
                    }
                }
            }
        }
    }

    fn read(&mut self, source: &str, channel: &str, quantity: Quantity, at: f64, value: f64) {
        let Some(count) = self.0.iter_mut().find(|count| count.source == source && count.channel == channel) else {
            self.0.push(Count {
                source: source.to_owned(),
                channel: channel.to_owned(),
                quantity,
                last: value,
                last_s: at,
                increase: 0.0,
                readings: 1,
                resets: Vec::new(),
            });
            return;
        };
        // Two records may hold the same reading.
        if at <= count.last_s {
            return;
        }
        if value < count.last {
            count.resets.push(at);
            count.increase += value;
        } else {
            count.increase += value - count.last;
        }
        (count.last, count.last_s, count.readings) = (value, at, count.readings + 1);
    }

    /// Increases of the counters that were read at least twice. Where several sources count the same, the highest stands.
    pub fn metrics(&self) -> Vec<Metric> {
        let found = |(quantity, id): &(Quantity, &str)| {
            let read = self.0.iter().filter(|count| count.quantity == *quantity && count.readings > 1);
            let most = read.max_by(|a, b| a.increase.total_cmp(&b.increase))?;
            let metric = plain((*id).to_owned(), most.increase, "1", most.readings);
            Some(Metric { better: Some(Better::Lower), ..metric })
        };
        COUNTED.iter().filter_map(found).collect()
    }

    /// Which counters began anew, and when.
    pub fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().flat_map(|count| {
            count.resets.iter().map(|at| {
                format!(
                    "{} of {} began anew before {at:.0} s, as after a reboot or a reload of the driver; it was counted on from 0",
                    count.channel, count.source
                )
            })
        })
    }
}
