//! What a record says of launches and transfers: medians of raw times.
//!
//! What surprises people: a median, not a mean: one repetition that met a busy thread would weigh on all.

use crate::model::{LinkMeasurement, TransferPath};
use crate::stats;
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// What lies between host and device.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinkResult {
    /// Time of a submission of one empty dispatch, waited for.
    pub round_trip: Option<Seconds>,
    /// Time that each further empty dispatch of a submission adds.
    pub per_dispatch: Option<Seconds>,
    /// Repetitions behind the round trip.
    pub repetitions: usize,
    /// Bandwidths by way and size, in order of measurement.
    pub transfers: Vec<TransferResult>,
    /// Whether every byte that came back was the one that was sent.
    pub intact: bool,
}

/// Bandwidth of transfers of one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransferResult {
    /// Way.
    pub path: TransferPath,
    /// Bytes of one transfer.
    pub bytes: u64,
    /// Bandwidth, launch included; `None` if a byte was wrong.
    pub rate: Option<BytesPerSecond>,
}

fn median(times: &[Seconds]) -> Option<f64> {
    stats::median(&times.iter().map(|time| time.get()).collect::<Vec<_>>())
}

/// What raw times say.
pub fn link(measured: &LinkMeasurement) -> LinkResult {
    let launch = |most: bool| {
        let of = measured.launches.iter();
        let chosen = if most { of.max_by_key(|l| l.dispatches) } else { of.min_by_key(|l| l.dispatches) };
        chosen.and_then(|launch| Some((f64::from(launch.dispatches), median(&launch.times_s)?)))
    };
    let (least, most) = (launch(false), launch(true));
    let per_dispatch = least.zip(most).and_then(|((few, short), (many, long))| {
        // Where noise exceeds the cost there is nothing to say.
        (many > few && long > short).then(|| Seconds::new((long - short) / (many - few)))
    });
    let transfers = measured.transfers.iter().map(|transfer| TransferResult {
        path: transfer.path,
        bytes: transfer.bytes,
        rate: median(&transfer.times_s)
            .filter(|time| transfer.intact && *time > 0.0)
            .map(|time| Bytes::new(transfer.bytes as f64) / Seconds::new(time)),
    });
    LinkResult {
        round_trip: least.map(|(_, time)| Seconds::new(time)),
        per_dispatch,
        repetitions: measured.launches.first().map_or(0, |launch| launch.times_s.len()),
        transfers: transfers.collect(),
        intact: measured.transfers.iter().all(|transfer| transfer.intact),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LaunchTimes, TransferTimes};

    fn seconds(values: &[f64]) -> Vec<Seconds> {
        values.iter().copied().map(Seconds::new).collect()
    }

    #[test]
    fn medians_are_taken_and_a_wrong_byte_leaves_no_rate() {
        let transfer = |intact| TransferTimes {
            path: TransferPath::Download,
            bytes: 1000,
            times_s: seconds(&[1.0, 0.5, 9.0]),
            intact,
        };
        let launches = vec![
            LaunchTimes { dispatches: 1, times_s: seconds(&[4e-5, 9.0, 4e-5]) },
            LaunchTimes { dispatches: 1001, times_s: seconds(&[2.04e-3]) },
        ];
        let transfers = vec![transfer(true), transfer(false)];
        let said = link(&LinkMeasurement { device: 0, launches, transfers, failure: None });
        assert_eq!(said.round_trip, Some(Seconds::new(4e-5)));
        assert!((said.per_dispatch.unwrap().get() / 2e-6 - 1.0).abs() < 1e-9);
        let rates: Vec<Option<f64>> = said.transfers.iter().map(|t| t.rate.map(|rate| rate.get())).collect();
        assert_eq!((rates, said.intact, said.repetitions), (vec![Some(1000.0), None], false, 3));
    }

    #[test]
    fn without_times_nothing_is_said() {
        let none = LinkMeasurement { device: 0, launches: vec![], transfers: vec![], failure: Some("lost".into()) };
        assert_eq!(link(&none), LinkResult { intact: true, ..LinkResult::default() });
    }
}
