//! The sensor itself: what a poll shows of the power that flows.
//!
//! A reading passes, in this order: low-pass filter, averaging window, delay, gain and offset, noise, rounding. What
//! surprises people: a reading stands from its update to the next, so whatever is polled in between is the same number,
//! noise included; the counter has no noise, since it adds up what was true.

use super::PROBE;
use super::flow::Flow;
use super::script::{Frozen, PowerScript};
use crate::clock::{Activity, Nanoseconds};
use crate::model::{Channel, Quantity, SourceInfo};
use crate::power::sources::unwrap::Unwrap;
use crate::power::{PollError, PowerSource};
use crate::stats::SplitMix64;
use crate::units::{Hertz, Joules, NANOSECONDS_PER_SECOND, Seconds, Watts};

/// A sensor that follows a script.
pub(super) struct Scripted {
    info: SourceInfo,
    script: PowerScript,
    activity: Activity,
    /// The flow at an instant that no later poll looks behind.
    behind: Flow,
    unwrap: Unwrap,
    /// Last updates of power and counter, with what they showed.
    power: Option<(u64, f64)>,
    energy: Option<(u64, f64)>,
}

impl Scripted {
    pub(super) fn new(id: String, script: PowerScript, activity: Activity) -> Self {
        Self {
            info: SourceInfo {
                id,
                kind: PROBE.kind.to_owned(),
                device: script.device,
                evidence: script.evidence,
                note: "follows a script; no physical sensor".to_owned(),
                channels: channels(&script),
            },
            behind: Flow::at_origin(&script),
            unwrap: Unwrap::new(script.wrap_j.map(Joules::get)),
            power: None,
            energy: None,
            script,
            activity,
        }
    }

    /// Last instant at which a value changed; 0 before its first update.
    fn tick(&self, now: u64, period: Option<Seconds>, freezes: bool) -> u64 {
        let frozen = self.script.frozen_after_s.filter(|_| freezes).map_or(u64::MAX, Seconds::to_nanoseconds);
        let at = now.min(frozen);
        match period.map_or(0, Seconds::to_nanoseconds) {
            0 => at,
            period => {
                let phase = self.script.phase_s.to_nanoseconds() % period;
                at.checked_sub(phase).map_or(0, |since| since / period * period + phase)
            }
        }
    }

    fn power_tick(&self, now: u64) -> u64 {
        self.tick(now, self.script.update_period_s, self.script.frozen != Frozen::Counter)
    }

    fn counter_tick(&self, now: u64) -> u64 {
        let period = self.script.counter_period_s.or(self.script.update_period_s);
        self.tick(now, period, self.script.frozen != Frozen::Power)
    }

    /// The instant that a reading of this tick speaks of.
    fn delayed(&self, tick: u64) -> u64 {
        tick.saturating_sub(self.script.delay_s.to_nanoseconds())
    }

    fn flow(&self, at: u64) -> Flow {
        self.behind.settled(at, &self.script, &self.activity)
    }

    fn power_at(&self, tick: u64) -> f64 {
        let script = &self.script;
        let end = self.delayed(tick);
        let looked_at = script.looked_at().map_or(0, Seconds::to_nanoseconds).min(end);
        let watts = if looked_at == 0 {
            self.flow(end).felt_watts(script)
        } else {
            let flowed = self.flow(end).felt_energy(script) - self.flow(end - looked_at).felt_energy(script);
            flowed / (looked_at as f64 / NANOSECONDS_PER_SECOND)
        };
        let mut watts = script.gain * watts + script.offset_w.get();
        if script.noise_w.get() > 0.0 {
            watts += script.noise_w.get() * gaussian(script.seed, tick);
        }
        script.quantum_w.map_or(watts, |quantum| (watts / quantum.get()).round() * quantum.get())
    }

    fn energy_at(&self, tick: u64) -> f64 {
        let script = &self.script;
        let end = self.delayed(tick);
        let offset = script.offset_w.get() * (end as f64 / NANOSECONDS_PER_SECOND);
        let energy = (script.gain * self.flow(end).energy() + offset) * script.counter_gain;
        script.quantum_j.map_or(energy, |quantum| (energy / quantum.get()).floor() * quantum.get())
    }

    fn celsius(&self, at: u64) -> Option<f64> {
        let idle = self.script.temperature_c?;
        let above = self.flow(at).watts() - self.script.idle_w.get();
        Some(idle.get() + self.script.kelvin_per_watt * above)
    }

    /// What a reading of this tick showed before, if it cannot change any more.
    fn shown(&self, before: Option<(u64, f64)>, tick: u64) -> Option<f64> {
        before.filter(|(shown, _)| *shown == tick).map(|(_, value)| value)
    }
}

/// A standard normal number that depends on the seed and the instant alone (Box and Muller 1958).
fn gaussian(seed: u64, at: u64) -> f64 {
    let mut random = SplitMix64::new(seed.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ at);
    // Two numbers are passed over: neighbouring instants begin in neighbouring states.
    random.next_u64();
    random.next_u64();
    let mut uniform = || ((random.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let (a, b) = (uniform(), uniform());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

fn channels(script: &PowerScript) -> Vec<Channel> {
    let mut channels = Vec::new();
    let mut add = |id: &str, quantity: Quantity| {
        let power = matches!(quantity, Quantity::InstantPower | Quantity::AveragedPower);
        let counter = script.counter_period_s.filter(|_| quantity == Quantity::EnergyCounter);
        channels.push(Channel {
            update_period_s: counter.or(script.update_period_s).filter(|_| script.declares),
            averaging_window_s: script.declared_window().filter(|_| power && script.declares),
            stated_error: script.stated_error.filter(|_| quantity.is_energetic() && script.declares),
            ..Channel::new(id, quantity, script.scope)
        });
    };
    if script.power {
        match script.averaging_window_s.or(script.time_constant_s) {
            Some(_) => add("power.average", Quantity::AveragedPower),
            None => add("power.instant", Quantity::InstantPower),
        }
    }
    for (present, id, quantity) in [
        (script.counter, "energy", Quantity::EnergyCounter),
        (script.temperature_c.is_some(), "temperature", Quantity::Temperature),
        (script.core_clock_hz.is_some(), "clock.core", Quantity::CoreClock),
        (script.power_limit_w.is_some(), "power.limit", Quantity::PowerLimit),
        (script.processes.is_some(), "processes", Quantity::ProcessCount),
        (
            script.throttle.is_some() || script.throttles_above_c.is_some(),
            "throttle.reasons",
            Quantity::ThrottleReasons,
        ),
        (script.ecc_corrected_per_s.is_some(), "ecc.corrected", Quantity::EccCorrected),
        (script.ecc_uncorrected_at_s.is_some(), "ecc.uncorrected", Quantity::EccUncorrected),
        (script.pcie_replays_per_s.is_some(), "pcie.replays", Quantity::PcieReplays),
        (script.driver_error_at_s.is_some(), "driver.errors", Quantity::DriverErrors),
    ] {
        if present {
            add(id, quantity);
        }
    }
    channels
}

impl PowerSource for Scripted {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let elapsed = now.since(Nanoseconds(0));
        let at = elapsed.get();
        if self.script.gone_after_s.is_some_and(|gone| at >= gone.get()) {
            return Err(PollError::Gone("the scripted sensor vanished".to_owned()));
        }
        if self.script.outages_s.iter().any(|(from, until)| (from.get()..until.get()).contains(&at)) {
            return Err(PollError::Transient("the scripted sensor does not answer".to_owned()));
        }
        let (power_tick, counter_tick) = (self.power_tick(now.0), self.counter_tick(now.0));
        for (index, slot) in values.iter_mut().enumerate() {
            let Some(quantity) = self.info.channels.get(index).map(|channel| channel.quantity) else { break };
            *slot = match quantity {
                Quantity::InstantPower | Quantity::AveragedPower => {
                    let watts = self.shown(self.power, power_tick).unwrap_or_else(|| self.power_at(power_tick));
                    // At the very instant of an update, activity that begins there may not be known yet.
                    self.power = (now.0 > power_tick).then_some((power_tick, watts));
                    Some(watts)
                }
                Quantity::EnergyCounter => {
                    let energy = self.shown(self.energy, counter_tick).unwrap_or_else(|| self.energy_at(counter_tick));
                    self.energy = (now.0 > counter_tick).then_some((counter_tick, energy));
                    self.unwrap.total(self.script.wrap_j.map_or(energy, |wrap| energy % wrap.get()))
                }
                Quantity::Temperature => self.celsius(now.0),
                Quantity::ThrottleReasons => Some(self.script.throttle_mask(elapsed, self.celsius(now.0)) as f64),
                Quantity::CoreClock => self.script.core_clock_hz.map(Hertz::get),
                Quantity::PowerLimit => self.script.power_limit_w.map(Watts::get),
                Quantity::ProcessCount => self.script.processes.map(f64::from),
                errors => self.script.errors(errors, elapsed),
            };
        }
        let looked_at = self.script.looked_at().map_or(0, Seconds::to_nanoseconds);
        let oldest = self.delayed(power_tick.min(counter_tick)).saturating_sub(looked_at);
        self.behind = self.behind.advanced(oldest, &self.script, &self.activity);
        Ok(())
    }
}
