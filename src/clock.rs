//! One monotonic clock for a run: nanoseconds since the run began, shared by the sampler and the kernels.
//!
//! [`WallClock`] is the real one. [`SimulatedClock`] moves only when someone sleeps on it, and calls its listeners at
//! the exact instants they asked for, so that a whole run with scripted power is deterministic. What surprises people:
//! on the simulated clock `sleep_until` *is* the passing of time; nothing else moves it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::units::Seconds;

/// Nanoseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Nanoseconds(pub u64);

impl Nanoseconds {
    /// Time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Seconds {
        Seconds::from_nanoseconds(self.0.saturating_sub(earlier.0))
    }
    /// `self` plus a duration.
    #[must_use]
    pub fn plus(self, duration: Seconds) -> Self {
        Self(self.0 + duration.to_nanoseconds())
    }
}

/// Tells the time since the run began, and waits.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the run began.
    fn now(&self) -> Nanoseconds;
    /// Returns no earlier than `when` (at once if it has passed).
    fn sleep_until(&self, when: Nanoseconds);
    /// Waits for a duration.
    fn sleep(&self, duration: Seconds) {
        self.sleep_until(self.now().plus(duration));
    }
}

/// The operating system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    origin: Instant,
}

impl WallClock {
    /// A clock that reads zero now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for WallClock {
    fn now(&self) -> Nanoseconds {
        Nanoseconds(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
    fn sleep_until(&self, when: Nanoseconds) {
        let left = when.0.saturating_sub(self.now().0);
        if left > 0 {
            std::thread::sleep(Duration::from_nanos(left));
        }
    }
}

/// Called by [`SimulatedClock`] at the instant it asked for; returns the next instant, or `None` for never again.
pub type Alarm = Box<dyn FnMut(Nanoseconds) -> Option<Nanoseconds> + Send>;

struct Pending {
    due: Nanoseconds,
    alarm: Alarm,
}

/// A clock that moves only when slept on; see the module's text.
#[derive(Clone, Default)]
pub struct SimulatedClock {
    now: Arc<Mutex<Nanoseconds>>,
    alarms: Arc<Mutex<Vec<Pending>>>,
}

impl std::fmt::Debug for SimulatedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimulatedClock({:?})", self.now())
    }
}

impl SimulatedClock {
    /// A clock at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `alarm` at `due` and then whenever it asks, as the clock passes those instants, in order of time.
    pub fn alarm_at(&self, due: Nanoseconds, alarm: Alarm) {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner).push(Pending { due, alarm });
    }

    fn set(&self, now: Nanoseconds) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Takes the earliest alarm that is due by `limit`. It is removed while it runs, so that it may use the clock.
    fn take_due(&self, limit: Nanoseconds) -> Option<Pending> {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, _) = alarms.iter().enumerate().filter(|(_, p)| p.due <= limit).min_by_key(|(_, p)| p.due)?;
        Some(alarms.remove(index))
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Nanoseconds {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn sleep_until(&self, when: Nanoseconds) {
        while let Some(mut pending) = self.take_due(when) {
            self.set(pending.due.max(self.now()));
            if let Some(next) = (pending.alarm)(pending.due) {
                // An alarm that does not move forward would never let time pass.
                pending.due = next.max(Nanoseconds(pending.due.0 + 1));
                self.alarms.lock().unwrap_or_else(PoisonError::into_inner).push(pending);
            }
        }
        self.set(when.max(self.now()));
    }
}

/// The clock of a run: real, or simulated. The sampler runs in a thread on the first and as an alarm on the second.
#[derive(Debug, Clone)]
pub enum RunClock {
    /// The operating system's.
    Wall(WallClock),
    /// Scripted.
    Simulated(SimulatedClock),
}

impl Clock for RunClock {
    fn now(&self) -> Nanoseconds {
        match self {
            Self::Wall(clock) => clock.now(),
            Self::Simulated(clock) => clock.now(),
        }
    }
    fn sleep_until(&self, when: Nanoseconds) {
        match self {
            Self::Wall(clock) => clock.sleep_until(when),
            Self::Simulated(clock) => clock.sleep_until(when),
        }
    }
}

/// What a simulated device is doing, shared between the device that does it and the scripted sensor that feels it.
///
/// Entries are intervals of busy time in order, each with the device and the label of the case that ran
/// (`gemm/tiled-f32`). Hours of short submissions would fill the memory, so the oldest are forgotten; a sensor that looks at
/// least once in half a million submissions misses none.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<Mutex<Log>>);

/// The intervals that are kept.
#[derive(Debug, Default)]
struct Log {
    /// How many there were before them.
    forgotten: usize,
    kept: Vec<Busy>,
}

/// Intervals beyond which the older half is forgotten.
const MOST_INTERVALS: usize = 1 << 20;

/// One interval of busy time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// Start.
    pub from: Nanoseconds,
    /// End (exclusive).
    pub until: Nanoseconds,
    /// Ordinal of the device that was busy.
    pub device: u32,
    /// Variant that ran.
    pub variant: String,
}

impl Activity {
    /// Appends an interval that begins no earlier than the last one ends.
    pub fn push(&self, busy: Busy) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.kept.len() >= MOST_INTERVALS {
            log.kept.drain(..MOST_INTERVALS / 2);
            log.forgotten += MOST_INTERVALS / 2;
        }
        log.kept.push(busy);
    }
    /// Number of the oldest interval that is kept; the first of all has 0.
    pub fn oldest(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).forgotten
    }
    /// Shows the intervals from the `first`-th on, in order, until `visit` returns false; those that are forgotten are left
    /// out. Copies nothing.
    pub fn visit_from(&self, first: usize, visit: &mut dyn FnMut(&Busy) -> bool) {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for busy in log.kept.iter().skip(first.saturating_sub(log.forgotten)) {
            if !visit(busy) {
                return;
            }
        }
    }
    /// All intervals that are kept.
    pub fn intervals(&self) -> Vec<Busy> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kept.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_activity_is_forgotten_and_the_numbers_of_the_rest_stay() {
        let activity = Activity::default();
        for i in 0..MOST_INTERVALS as u64 + 10 {
            let (from, until) = (Nanoseconds(2 * i), Nanoseconds(2 * i + 1));
            activity.push(Busy { from, until, device: 0, variant: String::new() });
        }
        assert_eq!((activity.oldest(), activity.intervals().len()), (MOST_INTERVALS / 2, MOST_INTERVALS / 2 + 10));
        for (asked, given) in [(0, MOST_INTERVALS / 2), (MOST_INTERVALS + 3, MOST_INTERVALS + 3)] {
            let mut seen = None;
            activity.visit_from(asked, &mut |busy| {
                seen = Some(busy.from.0);
                false
            });
            assert_eq!(seen, Some(2 * given as u64));
        }
    }

    #[test]
    fn the_wall_clock_never_goes_back_and_sleeps_long_enough() {
        let clock = WallClock::start();
        let before = clock.now();
        clock.sleep(Seconds::new(0.002));
        assert!(clock.now().since(before).get() >= 0.002);
    }

    #[test]
    fn alarms_ring_in_order_at_their_exact_instants() {
        let clock = SimulatedClock::new();
        let rung = Arc::new(Mutex::new(Vec::new()));
        for (name, period) in [("slow", 30), ("fast", 20)] {
            let rung = Arc::clone(&rung);
            clock.alarm_at(
                Nanoseconds(period),
                Box::new(move |at| {
                    rung.lock().unwrap().push((at.0, name));
                    Some(Nanoseconds(at.0 + period))
                }),
            );
        }
        clock.sleep_until(Nanoseconds(70));
        assert_eq!(*rung.lock().unwrap(), vec![(20, "fast"), (30, "slow"), (40, "fast"), (60, "slow"), (60, "fast")]);
        assert_eq!(clock.now(), Nanoseconds(70));
    }
}
