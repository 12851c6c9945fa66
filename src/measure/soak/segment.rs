//! Segments: the record that grows, is saved, closed and dropped, so that days of load need the memory of minutes.
//!
//! What surprises people: a segment that grows is saved too, about twice a minute, as one that is still running: a crash
//! costs what came after.

use super::SoakEvent;
use super::rounds::Load;
use super::seat::{Seat, State};
use crate::clock::{Clock, Nanoseconds};
use crate::measure::sensors;
use crate::model::{RunRecord, RunStatus, Skip, SkipReason};
use crate::power::Sampler;
use crate::units::Seconds;
use crate::verify::prepare::skip;

/// Time after which a growing segment is saved again, at the end of a turn.
const SAVE_AFTER: Seconds = Seconds::new(20.0);
/// Readings before a segment's start that stay for it: a counter's tick before its first window lies among them.
const LEAD: Seconds = Seconds::new(2.0);

impl Load<'_, '_> {
    /// The record of the current segment as it is now.
    fn assemble(&self, status: RunStatus) -> RunRecord {
        let mut record = self.record.clone();
        let interrupted = status == RunStatus::Interrupted;
        for seat in &self.seats {
            let device = record.device(seat.case.device).cloned();
            match device.and_then(|device| seat.measurement(&device, interrupted)) {
                Some(measurement) => record.measurements.push(measurement),
                None => record.skips.extend(self.reason(seat)),
            }
        }
        record.traces = self.setup.sampler.map(Sampler::traces).unwrap_or_default();
        record.status = status;
        record
    }

    /// Why a seat has no window in this segment; `None` if it simply had no turn.
    fn reason(&self, seat: &Seat) -> Option<Skip> {
        let lost =
            || self.lost.get(&seat.case.device).map(|reason| *skip(&seat.case, SkipReason::DeviceLost, reason.clone()));
        match &seat.state {
            State::Refused(skip) => Some((**skip).clone()),
            _ => lost(),
        }
    }

    /// Saves the growing segment if it is time to.
    pub(super) fn save_growing(&mut self) {
        let now = self.clock.now();
        if now.since(self.saved) >= SAVE_AFTER {
            self.saved = now;
            let record = self.assemble(RunStatus::Running);
            self.save(&record);
        }
    }

    fn save(&mut self, record: &RunRecord) {
        if let Err(reason) = (self.setup.save)(self.number, record) {
            (self.setup.observer)(&SoakEvent::SaveFailed(&reason));
        }
    }

    /// Completes the segment, saves it and drops it; the next one begins if `more` is to come.
    pub(super) fn close(&mut self, status: RunStatus, more: bool) {
        let mut record = self.assemble(status);
        if record.measurements.is_empty() && self.end.segments > 0 && record.skips.is_empty() {
            return;
        }
        let warnings = sensors::warnings(&record);
        record.warnings.extend(warnings);
        self.save(&record);
        drop(record);
        self.end.segments += 1;
        let done = self.done();
        (self.setup.observer)(&SoakEvent::Segment { number: self.number, done });
        self.seats.iter_mut().for_each(Seat::forget);
        let now = self.clock.now();
        (self.segment_from, self.saved) = (now, now);
        if more {
            self.number += 1;
            self.record = (self.setup.segment)(self.number);
            if let Some(sampler) = self.setup.sampler {
                sampler.forget_before(Nanoseconds(now.0.saturating_sub(LEAD.to_nanoseconds())));
            }
        }
    }
}
