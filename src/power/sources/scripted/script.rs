//! What can be scripted of a sensor, and which scripts contradict themselves.
//!
//! What surprises people: with `declares = false` the sensor behaves the same, but its channels no longer say how; that
//! is what a calibration has to find out.

use serde::Deserialize;

use crate::model::{Evidence, Quantity, Scope};
use crate::units::{Celsius, Hertz, Joules, Ratio, Seconds, Watts};

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

/// What holds a scripted device's clocks down. The masks are those of NVML, so that they read like a real board's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThrottleCause {
    /// The power limit.
    PowerCap,
    /// Temperature.
    Thermal,
    /// The board's own protection.
    Hardware,
    /// The slowest board of a group.
    Group,
}

impl ThrottleCause {
    /// Bit of the mask (nvml.h, nvmlClocksEventReason*: software power cap, software thermal slowdown, hardware slowdown,
    /// sync boost).
    pub(super) const fn bit(self) -> u64 {
        match self {
            Self::PowerCap => 0x4,
            Self::Hardware => 0x8,
            Self::Group => 0x10,
            Self::Thermal => 0x20,
        }
    }
}

/// A stretch of time in which clocks are held down.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleStretch {
    /// By what.
    pub cause: ThrottleCause,
    /// Start.
    #[serde(default)]
    pub from_s: Seconds,
    /// End; for good if not said.
    pub until_s: Option<Seconds>,
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
    /// Part of each update period that the sensor looks at (its end); needs `update_period_s`.
    pub part_time: Option<Ratio>,
    /// Power first passes a first-order low-pass filter with this time constant.
    pub time_constant_s: Option<Seconds>,
    /// Power and counter show what was true this long ago.
    #[serde(default)]
    pub delay_s: Seconds,
    /// Updates happen at multiples of the period plus this.
    #[serde(default)]
    pub phase_s: Seconds,
    /// The counter changes only at multiples of this; `update_period_s` if not said.
    pub counter_period_s: Option<Seconds>,
    /// Standard deviation of Gaussian noise that each update of power carries.
    #[serde(default)]
    pub noise_w: Watts,
    /// Power is rounded to multiples of this.
    pub quantum_w: Option<Watts>,
    /// The counter shows whole multiples of this, rounded down.
    pub quantum_j: Option<Joules>,
    /// Power reads `gain · true + offset`, and the counter adds up just that.
    #[serde(default = "one")]
    pub gain: f64,
    /// Power reads `gain · true + offset`, and the counter adds up just that.
    #[serde(default)]
    pub offset_w: Watts,
    /// Whether the channels state update period, averaging window and error.
    #[serde(default = "yes")]
    pub declares: bool,
    /// Chooses the noise.
    #[serde(default)]
    pub seed: u64,
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
    /// Temperature above which the mask of throttle reasons says that heat holds the clocks down.
    pub throttles_above_c: Option<Celsius>,
    /// Stretches in which the mask of throttle reasons names a cause; an empty list is a mask that never names any.
    pub throttle: Option<Vec<ThrottleStretch>>,
    /// Memory errors a second that the codes mend; none if not said, and 0 is a counter that stands still.
    pub ecc_corrected_per_s: Option<f64>,
    /// Instants of memory errors that they cannot mend; an empty list is a counter that stands still.
    pub ecc_uncorrected_at_s: Option<Vec<Seconds>>,
    /// Packets a second that the PCIe link sends again.
    pub pcie_replays_per_s: Option<f64>,
    /// Instants of critical errors that the driver reports.
    pub driver_error_at_s: Option<Vec<Seconds>>,
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
            part_time: None,
            time_constant_s: None,
            delay_s: Seconds::new(0.0),
            phase_s: Seconds::new(0.0),
            counter_period_s: None,
            noise_w: Watts::new(0.0),
            quantum_w: None,
            quantum_j: None,
            gain: 1.0,
            offset_w: Watts::new(0.0),
            declares: true,
            seed: 0,
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
            deny: false,
            ramp_s: Seconds::new(0.0),
            temperature_c: None,
            kelvin_per_watt: 0.0,
            throttles_above_c: None,
            throttle: None,
            ecc_corrected_per_s: None,
            ecc_uncorrected_at_s: None,
            pcie_replays_per_s: None,
            driver_error_at_s: None,
            core_clock_hz: None,
            power_limit_w: None,
            processes: None,
            stated_error: None,
        }
    }

    /// Why no sensor can follow this script; `None` if one can.
    pub(super) fn fault(&self) -> Option<String> {
        self.power_fault().or_else(|| self.time_fault()).or_else(|| self.reading_fault()).or_else(|| self.error_fault())
    }

    fn power_fault(&self) -> Option<String> {
        let bad = |watts: Watts| !(watts.get().is_finite() && watts.get() >= 0.0);
        if bad(self.idle_w) || self.busy.iter().any(|busy| bad(busy.watts)) {
            return Some("power must be finite and not negative".to_owned());
        }
        if !(self.gain.is_finite() && self.gain > 0.0 && self.offset_w.get().is_finite()) {
            return Some("`gain` must be positive and `offset_w` finite".to_owned());
        }
        let lowest = self.busy.iter().map(|busy| busy.watts.get()).fold(self.idle_w.get(), f64::min);
        if self.gain * lowest + self.offset_w.get() < 0.0 {
            return Some(format!("with `gain` and `offset_w`, {lowest} W would read as less than nothing"));
        }
        None
    }

    fn time_fault(&self) -> Option<String> {
        let times = [
            ("update_period_s", self.update_period_s),
            ("averaging_window_s", self.averaging_window_s),
            ("time_constant_s", self.time_constant_s),
            ("counter_period_s", self.counter_period_s),
        ];
        let bad = |s: Seconds| !(s.get().is_finite() && s.get() > 0.0);
        if let Some((name, _)) = times.iter().find(|(_, time)| time.is_some_and(bad)) {
            return Some(format!("`{name}` must be positive"));
        }
        let times = [("delay_s", self.delay_s), ("phase_s", self.phase_s), ("ramp_s", self.ramp_s)];
        let bad = |s: Seconds| !(s.get().is_finite() && s.get() >= 0.0);
        if let Some((name, _)) = times.iter().find(|(_, time)| bad(*time)) {
            return Some(format!("`{name}` must not be negative"));
        }
        if self.part_time.is_some_and(|c| !(c.get() > 0.0 && c.get() <= 1.0)) {
            return Some("`part_time` must lie above 0 and not above 1".to_owned());
        }
        if self.part_time.is_some() && (self.update_period_s.is_none() || self.averaging_window_s.is_some()) {
            return Some("`part_time` needs `update_period_s` and excludes `averaging_window_s`".to_owned());
        }
        None
    }

    fn reading_fault(&self) -> Option<String> {
        if !self.power && !self.counter {
            return Some("one of `power` and `counter` must be true".to_owned());
        }
        if !(self.noise_w.get().is_finite() && self.noise_w.get() >= 0.0) {
            return Some("`noise_w` must not be negative".to_owned());
        }
        let bad = |quantum: Option<f64>| quantum.is_some_and(|q| !(q.is_finite() && q > 0.0));
        if bad(self.quantum_w.map(Watts::get)) || bad(self.quantum_j.map(Joules::get)) {
            return Some("`quantum_w` and `quantum_j` must be positive".to_owned());
        }
        if !(self.counter_gain.is_finite() && self.counter_gain > 0.0) || bad(self.wrap_j.map(Joules::get)) {
            return Some("`counter_gain` and `wrap_j` must be positive".to_owned());
        }
        None
    }

    fn error_fault(&self) -> Option<String> {
        for (name, rate) in
            [("ecc_corrected_per_s", self.ecc_corrected_per_s), ("pcie_replays_per_s", self.pcie_replays_per_s)]
        {
            if rate.is_some_and(|rate| !(rate.is_finite() && rate >= 0.0)) {
                return Some(format!("`{name}` must be finite and not negative"));
            }
        }
        let instants =
            [("ecc_uncorrected_at_s", &self.ecc_uncorrected_at_s), ("driver_error_at_s", &self.driver_error_at_s)];
        let bad = |at: &Seconds| !(at.get().is_finite() && at.get() >= 0.0);
        if let Some((name, _)) = instants.iter().find(|(_, at)| at.iter().flatten().any(bad)) {
            return Some(format!("the instants of `{name}` must be finite and not negative"));
        }
        let empty = |stretch: &ThrottleStretch| {
            bad(&stretch.from_s) || stretch.until_s.is_some_and(|until| until.get().is_nan() || until <= stretch.from_s)
        };
        if self.throttle.iter().flatten().any(empty) {
            return Some("a stretch of `throttle` must begin at 0 or later and end after its beginning".to_owned());
        }
        if self.throttles_above_c.is_some() && self.temperature_c.is_none() {
            return Some("`throttles_above_c` needs `temperature_c`".to_owned());
        }
        self.throttles_above_c
            .is_some_and(|limit| !limit.get().is_finite())
            .then(|| "`throttles_above_c` must be finite".to_owned())
    }

    /// The mask of throttle reasons at an instant, at a temperature.
    pub(super) fn throttle_mask(&self, at: Seconds, celsius: Option<f64>) -> u64 {
        let holds = |stretch: &&ThrottleStretch| stretch.from_s <= at && stretch.until_s.is_none_or(|until| at < until);
        let scripted = self.throttle.iter().flatten().filter(holds).fold(0, |mask, stretch| mask | stretch.cause.bit());
        let limit = self.throttles_above_c.map(Celsius::get);
        let hot = celsius.zip(limit).is_some_and(|(celsius, limit)| celsius > limit);
        scripted | if hot { ThrottleCause::Thermal.bit() } else { 0 }
    }

    /// What an error counter shows at an instant; `None` for a counter that the script does not have.
    pub(super) fn errors(&self, quantity: Quantity, at: Seconds) -> Option<f64> {
        let since = |instants: &Option<Vec<Seconds>>| {
            instants.as_ref().map(|all| all.iter().filter(|instant| **instant <= at).count() as f64)
        };
        match quantity {
            Quantity::EccCorrected => self.ecc_corrected_per_s.map(|rate| (rate * at.get()).floor()),
            Quantity::EccUncorrected => since(&self.ecc_uncorrected_at_s),
            Quantity::PcieReplays => self.pcie_replays_per_s.map(|rate| (rate * at.get()).floor()),
            Quantity::DriverErrors => since(&self.driver_error_at_s),
            _ => None,
        }
    }

    /// How long the sensor looks at for one power reading; `None` for an instant.
    pub(super) fn looked_at(&self) -> Option<Seconds> {
        self.averaging_window_s.or_else(|| Some(self.update_period_s? * self.part_time?.get()))
    }

    /// The averaging window that its channel declares. A low-pass filter shows power as late, on average, as the mean over
    /// twice its time constant.
    pub(super) fn declared_window(&self) -> Option<Seconds> {
        self.looked_at().or_else(|| Some(self.time_constant_s? * 2.0))
    }
}
