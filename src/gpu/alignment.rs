//! The device's clock laid onto the run's clock, so that a job's end is known to better than the host's attention.
//!
//! The host sees a job finished some time after it did: microseconds when it was waiting for it, a whole submission when a
//! driver (llvmpipe) runs one job inside the call that submits another. The device's own timestamp of the end has no such
//! delay but another origin. The smallest delay seen over the last jobs gives the offset between the two clocks. What
//! surprises people: only the smallest counts, since a delay is never negative.

use std::collections::VecDeque;

use crate::clock::Nanoseconds;

/// Jobs over which the smallest delay is taken: enough to meet a prompt one, few enough (about 10 s of submissions) that
/// two clocks that drift apart by 50 ppm stay within half a millisecond.
const JOBS: usize = 64;

/// Offset between the device's clock and the run's.
#[derive(Debug, Default)]
pub(super) struct Alignment {
    offsets: VecDeque<i128>,
    last: Nanoseconds,
}

impl Alignment {
    /// Instant on the run's clock at which a job ended, from its end on the device's clock and the instant at which the
    /// host saw it. Never later than the latter, never earlier than the job before it.
    pub(super) fn end_of(&mut self, device_end_ns: u64, seen: Nanoseconds) -> Nanoseconds {
        if self.offsets.len() == JOBS {
            self.offsets.pop_front();
        }
        self.offsets.push_back(i128::from(seen.0) - i128::from(device_end_ns));
        let offset = self.offsets.iter().min().copied().unwrap_or(0);
        let end = u64::try_from(i128::from(device_end_ns) + offset).unwrap_or(0);
        self.last = Nanoseconds(end).max(self.last);
        self.last
    }

    /// A job without a timestamp: the host's word, but never before the job in front of it.
    pub(super) fn seen(&mut self, seen: Nanoseconds) -> Nanoseconds {
        self.last = seen.max(self.last);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_looks_late_does_not_move_the_end_of_a_job() {
        let mut alignment = Alignment::default();
        // Device clock = run clock + 1 s; the first job is seen 5 µs late, the second 80 ms late, the third in time.
        let ends: Vec<u64> = [(1_100_000_000, 100_005_000), (1_200_000_000, 280_000_000), (1_300_000_000, 300_007_000)]
            .into_iter()
            .map(|(device, seen)| alignment.end_of(device, Nanoseconds(seen)).0)
            .collect();
        assert_eq!(ends, [100_005_000, 200_005_000, 300_005_000]);
    }

    #[test]
    fn clocks_that_drift_are_followed() {
        // The device's clock loses 50 ppm; every tenth job is seen at once, the others 20 ms late.
        let mut alignment = Alignment::default();
        for job in 1..2000u64 {
            let truth = job * 150_000_000;
            let device = truth - truth / 20_000;
            let seen = if job % 10 == 0 { truth } else { truth + 20_000_000 };
            let end = alignment.end_of(device, Nanoseconds(seen)).0;
            if job > 10 {
                assert!(end.abs_diff(truth) < 600_000, "job {job}: {end} for {truth}");
            }
        }
    }

    #[test]
    fn ends_never_go_back() {
        let mut alignment = Alignment::default();
        assert_eq!(alignment.seen(Nanoseconds(500)), Nanoseconds(500));
        assert_eq!(alignment.end_of(100, Nanoseconds(400)), Nanoseconds(500));
        assert_eq!(alignment.seen(Nanoseconds(450)), Nanoseconds(500));
    }
}
