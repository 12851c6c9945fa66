//! Power, filtered power and energy at any instant, integrated analytically over what the device does.
//!
//! Power is constant or a straight line between two changes of the activity; on such a piece energy and the answer of a
//! first-order filter have closed forms. What surprises people: activity that begins exactly at an instant already
//! counts for the power at that instant.

use super::script::PowerScript;
use crate::clock::Activity;
use crate::names;
use crate::units::NANOSECONDS_PER_SECOND;

fn ramp_ns(script: &PowerScript) -> f64 {
    script.ramp_s.get().max(0.0) * NANOSECONDS_PER_SECOND
}

/// Power and energy at one instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    at: u64,
    /// Power that flows.
    watts: f64,
    /// Power behind the low-pass filter; `watts` without one.
    filtered: f64,
    target: f64,
    ramp_left_ns: f64,
    /// Joules that flowed since the origin of time.
    energy: f64,
    /// Intervals of activity that lie wholly behind.
    passed: usize,
}

impl Flow {
    /// At the origin of time, where the device has been idle for ever.
    pub(super) fn at_origin(script: &PowerScript) -> Self {
        let idle = script.idle_w.get();
        Self { at: 0, watts: idle, filtered: idle, target: idle, ramp_left_ns: 0.0, energy: 0.0, passed: 0 }
    }

    /// Power that flows.
    pub(super) fn watts(&self) -> f64 {
        self.watts
    }

    /// Power as the sensor's filter, if it has one, lets it through.
    pub(super) fn felt_watts(&self, script: &PowerScript) -> f64 {
        if script.time_constant_s.is_some() { self.filtered } else { self.watts }
    }

    /// Joules that flowed since the origin of time.
    pub(super) fn energy(&self) -> f64 {
        self.energy
    }

    /// Joules that the sensor's filter has let through. What the filter y of power P still holds back is τ·y, because
    /// τ·dy/dt = P − y.
    pub(super) fn felt_energy(&self, script: &PowerScript) -> f64 {
        script.time_constant_s.map_or(self.energy, |tau| self.energy - tau.get() * self.filtered)
    }

    fn piece(&mut self, length_ns: f64, end_watts: f64, script: &PowerScript) {
        if length_ns <= 0.0 {
            return;
        }
        self.energy += (self.watts + end_watts) / 2.0 * length_ns / NANOSECONDS_PER_SECOND;
        if let Some(tau) = script.time_constant_s {
            let ratio = length_ns / (tau.get() * NANOSECONDS_PER_SECOND);
            // The answer to the straight line P: y(t) = P(t) − s·τ + (y(0) − P(0) + s·τ)·exp(−t/τ), with slope s.
            let lag = (end_watts - self.watts) / ratio;
            self.filtered = end_watts - lag + (self.filtered - self.watts + lag) * (-ratio).exp();
        }
        self.watts = end_watts;
    }

    fn step_to(&mut self, to: u64, script: &PowerScript) {
        let length = to.saturating_sub(self.at) as f64;
        let ramp = length.min(self.ramp_left_ns);
        if ramp > 0.0 {
            let end = self.watts + (self.target - self.watts) * (ramp / self.ramp_left_ns);
            self.piece(ramp, end, script);
            self.ramp_left_ns -= ramp;
        }
        if self.ramp_left_ns == 0.0 {
            self.watts = self.target;
        }
        self.piece(length - ramp, self.watts, script);
        self.at = self.at.max(to);
    }

    fn aim(&mut self, target: f64, ramp_ns: f64) {
        if target != self.target {
            (self.target, self.ramp_left_ns) = (target, ramp_ns);
            if ramp_ns == 0.0 {
                self.watts = target;
            }
        }
    }

    /// The flow at a later instant.
    pub(super) fn advanced(mut self, to: u64, script: &PowerScript, activity: &Activity) -> Self {
        let (ramp_ns, idle) = (ramp_ns(script), script.idle_w.get());
        self.passed = self.passed.max(activity.oldest());
        activity.visit_from(self.passed, &mut |busy| {
            if busy.from.0 > to {
                return false;
            }
            if busy.from.0 > self.at {
                self.aim(idle, ramp_ns);
                self.step_to(busy.from.0, script);
            }
            // A sensor of one device does not feel the load of another; one of the whole host feels all.
            let felt = script.device.is_none_or(|device| device == busy.device);
            let entry = script.busy.iter().filter(|_| felt).find(|entry| names::matches(&entry.variant, &busy.variant));
            self.aim(entry.map_or(idle, |entry| entry.watts.get()), ramp_ns);
            self.step_to(busy.until.0.min(to), script);
            if busy.until.0 > to {
                return false;
            }
            self.passed += 1;
            true
        });
        self
    }

    /// The same flow seen from `to`, when nothing more is known to run before it.
    pub(super) fn settled(mut self, to: u64, script: &PowerScript, activity: &Activity) -> Self {
        self = self.advanced(to, script, activity);
        let mut runs = false;
        activity.visit_from(self.passed, &mut |busy| {
            runs = busy.from.0 <= to;
            false
        });
        if !runs {
            self.aim(script.idle_w.get(), ramp_ns(script));
            self.step_to(to, script);
        }
        self
    }
}
