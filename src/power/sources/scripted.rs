//! A sensor that follows a script: exact joules for tests, and every way in which a real sensor fails.
//!
//! It feels what a simulated device does through [`Activity`], or draws idle power when there is none. What surprises
//! people: energy is integrated analytically over the activity, not over the polls, so a counter is exact at any
//! cadence; and power that flows in an interval is the script's, not the device's.

use serde::Deserialize;

use super::unwrap::Unwrap;
use crate::clock::{Activity, Nanoseconds};
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::names;
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Celsius, Hertz, Joules, NANOSECONDS_PER_SECOND, Ratio, Seconds, Watts};

/// The probe behind `--power scripted:FILE`; FILE is TOML with one `[[power]]` table per sensor.
pub const PROBE: Probe = Probe {
    kind: "scripted",
    summary: "a sensor that follows a script, for tests and simulated devices (`--power scripted:FILE`)",
    automatic: false,
    open,
};

/// What a device draws while a kernel variant runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusyPower {
    /// Variant, with `*` for any run of characters and `?` for any one (`gemm/*`).
    pub variant: String,
    /// Power while it runs.
    pub watts: Watts,
}

/// Which readings stand still after [`PowerScript::frozen_after_s`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frozen {
    /// Power and counter.
    #[default]
    All,
    /// The counter alone.
    Counter,
    /// Power alone.
    Power,
}

/// The script of one sensor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerScript {
    /// Ordinal of the device it belongs to; none for a whole host.
    pub device: Option<u32>,
    /// What the watts include; the board if not said.
    #[serde(default = "board")]
    pub scope: Scope,
    /// Measured unless said otherwise.
    #[serde(default = "measured")]
    pub evidence: Evidence,
    /// Readings change only at multiples of this; continuous if not said.
    pub update_period_s: Option<Seconds>,
    /// Power is the mean over this long before each update; instant if not said.
    pub averaging_window_s: Option<Seconds>,
    /// Power while nothing runs, or a variant that no entry of `busy` matches.
    pub idle_w: Watts,
    /// Power by variant; the first match counts.
    #[serde(default)]
    pub busy: Vec<BusyPower>,
    /// Whether power is readable.
    #[serde(default = "yes")]
    pub power: bool,
    /// Whether an energy counter is readable.
    #[serde(default)]
    pub counter: bool,
    /// The counter shows this many joules for each that flowed.
    #[serde(default = "one")]
    pub counter_gain: f64,
    /// The raw counter returns to 0 after this much (the source undoes it).
    pub wrap_j: Option<Joules>,
    /// Readings stand still from then on.
    pub frozen_after_s: Option<Seconds>,
    /// Which readings stand still.
    #[serde(default)]
    pub frozen: Frozen,
    /// The sensor vanishes then.
    pub gone_after_s: Option<Seconds>,
    /// Stretches `[from, until)` in seconds in which reads fail.
    #[serde(default)]
    pub outages_s: Vec<(Seconds, Seconds)>,
    /// Part of each update period that the sensor looks at (its end); needs `update_period_s`.
    pub part_time: Option<Ratio>,
    /// The sensor exists, but permission to read it is denied.
    #[serde(default)]
    pub deny: bool,
    /// Power moves to a new level in a straight line over this long.
    #[serde(default)]
    pub ramp_s: Seconds,
    /// Temperature at idle power.
    pub temperature_c: Option<Celsius>,
    /// Degrees above that for each watt above idle.
    #[serde(default)]
    pub kelvin_per_watt: f64,
    /// Core clock.
    pub core_clock_hz: Option<Hertz>,
    /// Enforced power limit.
    pub power_limit_w: Option<Watts>,
    /// Processes on the device.
    pub processes: Option<u32>,
    /// Systematic error that the sensor's maker states.
    pub stated_error: Option<Ratio>,
}

fn board() -> Scope {
    Scope::Board
}
fn measured() -> Evidence {
    Evidence::Measured
}
fn yes() -> bool {
    true
}
fn one() -> f64 {
    1.0
}

impl PowerScript {
    /// A continuous, exact board sensor of device 0 with power and counter; tests change what they need.
    pub fn steady(idle_w: Watts) -> Self {
        Self {
            device: Some(0),
            scope: Scope::Board,
            evidence: Evidence::Measured,
            update_period_s: None,
            averaging_window_s: None,
            idle_w,
            busy: Vec::new(),
            power: true,
            counter: true,
            counter_gain: 1.0,
            wrap_j: None,
            frozen_after_s: None,
            frozen: Frozen::All,
            gone_after_s: None,
            outages_s: Vec::new(),
            part_time: None,
            deny: false,
            ramp_s: Seconds::new(0.0),
            temperature_c: None,
            kelvin_per_watt: 0.0,
            core_clock_hz: None,
            power_limit_w: None,
            processes: None,
            stated_error: None,
        }
    }

    fn fault(&self) -> Option<String> {
        let bad_power = |watts: &Watts| !(watts.get().is_finite() && watts.get() >= 0.0);
        let bad_time = |time: Option<Seconds>| time.is_some_and(|s| !(s.get().is_finite() && s.get() > 0.0));
        if bad_power(&self.idle_w) || self.busy.iter().any(|busy| bad_power(&busy.watts)) {
            return Some("power must be finite and not negative".to_owned());
        }
        if bad_time(self.update_period_s) || bad_time(self.averaging_window_s) {
            return Some("`update_period_s` and `averaging_window_s` must be positive".to_owned());
        }
        if self.part_time.is_some_and(|c| !(c.get() > 0.0 && c.get() <= 1.0)) {
            return Some("`part_time` must lie above 0 and not above 1".to_owned());
        }
        if self.part_time.is_some() && (self.update_period_s.is_none() || self.averaging_window_s.is_some()) {
            return Some("`part_time` needs `update_period_s` and excludes `averaging_window_s`".to_owned());
        }
        if !self.power && !self.counter {
            return Some("one of `power` and `counter` must be true".to_owned());
        }
        None
    }

    /// How long the sensor looks at for one power reading; `None` for an instant.
    fn looked_at(&self) -> Option<Seconds> {
        self.averaging_window_s.or_else(|| Some(self.update_period_s? * self.part_time?.get()))
    }
}

#[derive(Deserialize)]
struct ScriptFile {
    #[serde(default)]
    power: Vec<PowerScript>,
}

fn open(context: &ProbeContext) -> Findings {
    let Some(file) = &context.argument else { return Findings::default() };
    let scripts = std::fs::read_to_string(file)
        .map_err(|error| error.to_string())
        .and_then(|text| toml::from_str::<ScriptFile>(&text).map_err(|error| error.to_string()));
    match scripts {
        Ok(scripts) => open_scripts(&scripts.power, context),
        Err(why) => {
            let remedy = "name a TOML file with one `[[power]]` table per sensor".to_owned();
            Findings { sources: Vec::new(), obstacles: vec![Obstacle { what: file.clone(), why, remedy }] }
        }
    }
}

/// Sensors that follow the given scripts; those that are denied or contradict themselves become obstacles.
pub fn open_scripts(scripts: &[PowerScript], context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    for (index, script) in scripts.iter().enumerate() {
        let what = format!("scripted:{index}");
        if let Some(why) = script.fault() {
            let remedy = "correct the script".to_owned();
            findings.obstacles.push(Obstacle { what, why, remedy });
        } else if script.deny {
            let (why, remedy) = ("permission denied".to_owned(), "remove `deny` from the script".to_owned());
            findings.obstacles.push(Obstacle { what, why, remedy });
        } else {
            let activity = context.activity.clone().unwrap_or_default();
            findings.sources.push(Box::new(Scripted::new(what, script.clone(), activity)));
        }
    }
    findings
}

/// Power and energy at one instant.
#[derive(Debug, Clone, Copy)]
struct Flow {
    at: u64,
    watts: f64,
    target: f64,
    ramp_left_ns: f64,
    /// Joules since the origin of time.
    energy: f64,
    /// Intervals of activity that lie wholly behind.
    passed: usize,
}

impl Flow {
    fn step_to(&mut self, to: u64) {
        let length = to.saturating_sub(self.at) as f64;
        let ramp = length.min(self.ramp_left_ns);
        let mut joules_ns = (length - ramp) * self.target;
        if ramp > 0.0 {
            let end = self.watts + (self.target - self.watts) * (ramp / self.ramp_left_ns);
            joules_ns += (self.watts + end) / 2.0 * ramp;
            self.watts = end;
            self.ramp_left_ns -= ramp;
        }
        if self.ramp_left_ns == 0.0 {
            self.watts = self.target;
        }
        self.energy += joules_ns / NANOSECONDS_PER_SECOND;
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
    fn advanced(mut self, to: u64, script: &PowerScript, activity: &Activity) -> Self {
        let ramp_ns = script.ramp_s.get().max(0.0) * NANOSECONDS_PER_SECOND;
        let idle = script.idle_w.get();
        activity.visit_from(self.passed, &mut |busy| {
            if busy.from.0 > to {
                return false;
            }
            if busy.from.0 > self.at {
                self.aim(idle, ramp_ns);
                self.step_to(busy.from.0);
            }
            // A sensor of one device does not feel the load of another; one of the whole host feels all.
            let felt = script.device.is_none_or(|device| device == busy.device);
            let entry = script.busy.iter().filter(|_| felt).find(|entry| names::matches(&entry.variant, &busy.variant));
            self.aim(entry.map_or(idle, |entry| entry.watts.get()), ramp_ns);
            self.step_to(busy.until.0.min(to));
            if busy.until.0 > to {
                return false;
            }
            self.passed += 1;
            true
        });
        self
    }

    /// The same flow seen from `to`, when nothing more is known to run before it.
    fn settled(mut self, to: u64, script: &PowerScript, activity: &Activity) -> Self {
        self = self.advanced(to, script, activity);
        let mut runs = false;
        activity.visit_from(self.passed, &mut |busy| {
            runs = busy.from.0 <= to;
            false
        });
        if !runs {
            self.aim(script.idle_w.get(), script.ramp_s.get().max(0.0) * NANOSECONDS_PER_SECOND);
            self.step_to(to);
        }
        self
    }
}

/// A sensor that follows a script.
struct Scripted {
    info: SourceInfo,
    script: PowerScript,
    activity: Activity,
    /// The flow at an instant that no later poll looks behind.
    behind: Flow,
    unwrap: Unwrap,
}

impl Scripted {
    fn new(id: String, script: PowerScript, activity: Activity) -> Self {
        let idle = script.idle_w.get();
        Self {
            info: SourceInfo {
                id,
                kind: PROBE.kind.to_owned(),
                device: script.device,
                evidence: script.evidence,
                note: "follows a script; no physical sensor".to_owned(),
                channels: channels(&script),
            },
            behind: Flow { at: 0, watts: idle, target: idle, ramp_left_ns: 0.0, energy: 0.0, passed: 0 },
            unwrap: Unwrap::new(script.wrap_j.map(Joules::get)),
            script,
            activity,
        }
    }

    /// Last instant at which the sensor's value changed.
    fn tick(&self, now: u64, freezes: bool) -> u64 {
        let frozen = self.script.frozen_after_s.filter(|_| freezes).map_or(u64::MAX, Seconds::to_nanoseconds);
        let at = now.min(frozen);
        match self.script.update_period_s.map_or(0, Seconds::to_nanoseconds) {
            0 => at,
            period => at / period * period,
        }
    }

    fn flow(&self, at: u64) -> Flow {
        self.behind.settled(at, &self.script, &self.activity)
    }

    fn power_at(&self, tick: u64) -> f64 {
        let looked_at = self.script.looked_at().map_or(0, Seconds::to_nanoseconds).min(tick);
        if looked_at == 0 {
            return self.flow(tick).watts;
        }
        let (start, end) = (self.flow(tick - looked_at), self.flow(tick));
        (end.energy - start.energy) / (looked_at as f64 / NANOSECONDS_PER_SECOND)
    }
}

fn channels(script: &PowerScript) -> Vec<Channel> {
    let mut channels = Vec::new();
    let mut add = |id: &str, quantity: Quantity| {
        let power = matches!(quantity, Quantity::InstantPower | Quantity::AveragedPower);
        channels.push(Channel {
            update_period_s: script.update_period_s,
            averaging_window_s: script.looked_at().filter(|_| power),
            stated_error: script.stated_error.filter(|_| quantity.is_energetic()),
            ..Channel::new(id, quantity, script.scope)
        });
    };
    if script.power {
        match script.averaging_window_s {
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
        let at = now.since(Nanoseconds(0)).get();
        if self.script.gone_after_s.is_some_and(|gone| at >= gone.get()) {
            return Err(PollError::Gone("the scripted sensor vanished".to_owned()));
        }
        if self.script.outages_s.iter().any(|(from, until)| (from.get()..until.get()).contains(&at)) {
            return Err(PollError::Transient("the scripted sensor does not answer".to_owned()));
        }
        let power_tick = self.tick(now.0, self.script.frozen != Frozen::Counter);
        let counter_tick = self.tick(now.0, self.script.frozen != Frozen::Power);
        for (index, slot) in values.iter_mut().enumerate() {
            let Some(quantity) = self.info.channels.get(index).map(|channel| channel.quantity) else { break };
            *slot = match quantity {
                Quantity::InstantPower | Quantity::AveragedPower => Some(self.power_at(power_tick)),
                Quantity::EnergyCounter => {
                    let energy = self.flow(counter_tick).energy * self.script.counter_gain;
                    self.unwrap.total(self.script.wrap_j.map_or(energy, |wrap| energy % wrap.get()))
                }
                Quantity::Temperature => {
                    let above = self.flow(now.0).watts - self.script.idle_w.get();
                    self.script.temperature_c.map(|idle| idle.get() + self.script.kelvin_per_watt * above)
                }
                Quantity::CoreClock => self.script.core_clock_hz.map(Hertz::get),
                Quantity::PowerLimit => self.script.power_limit_w.map(Watts::get),
                Quantity::ProcessCount => self.script.processes.map(f64::from),
                _ => None,
            };
        }
        let looked_at = self.script.looked_at().map_or(0, Seconds::to_nanoseconds);
        let oldest = power_tick.min(counter_tick).saturating_sub(looked_at);
        self.behind = self.behind.advanced(oldest, &self.script, &self.activity);
        Ok(())
    }
}

#[cfg(test)]
#[path = "scripted_tests.rs"]
mod tests;
