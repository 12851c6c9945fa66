//! What the sensors said: sources, their channels, and columnar traces.
//!
//! One *source* is one thing that is polled (an NVML device, a hwmon folder, a RAPL domain). One poll fills all its
//! *channels* (instant power, average power, energy counter, temperature, clock) at one timestamp.

use serde::{Deserialize, Serialize};

use super::{Correction, SensorProfile};
use crate::clock::Nanoseconds;
use crate::units::{Ratio, Seconds};

/// What the measured watts include. Watts of different scopes are never compared or added without saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The processor die alone.
    Chip,
    /// A whole accelerator board: chip, memory, voltage regulators.
    Board,
    /// A module with several chips (for example CPU and GPU).
    Module,
    /// A CPU package.
    Package,
    /// A whole machine, on the direct-current side of its power supply.
    HostDc,
    /// A whole machine at the wall, alternating current.
    WallAc,
    /// Memory alone: part of a board or host, never the whole of a device.
    Memory,
}

impl Scope {
    /// Rank among the scopes of one case when one of them must stand for it, lowest first: the narrowest that holds the
    /// whole device.
    pub const fn headline_rank(self) -> u8 {
        match self {
            Self::Board => 0,
            Self::Module => 1,
            Self::Package => 2,
            Self::HostDc => 3,
            Self::WallAc => 4,
            Self::Chip => 5,
            Self::Memory => 6,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Chip => "chip",
            Self::Board => "board",
            Self::Module => "module",
            Self::Package => "package",
            Self::HostDc => "host DC",
            Self::WallAc => "wall AC",
            Self::Memory => "memory",
        })
    }
}

/// How a figure came about. The three words are never mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Read from a sensor.
    Measured,
    /// Stated by the user or a data sheet.
    Declared,
    /// Computed from a model because no sensor exists.
    Estimated,
}

impl Evidence {
    /// Sign printed before a figure that was not measured.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Measured => "",
            Self::Declared | Self::Estimated => "≈",
        }
    }
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Measured => "measured",
            Self::Declared => "declared",
            Self::Estimated => "estimated",
        })
    }
}

/// What a channel's numbers are; the unit follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Cumulative energy in joules since some origin; wrap-around is already undone by the source.
    EnergyCounter,
    /// Power in watts at (nearly) one instant.
    InstantPower,
    /// Power in watts averaged by the sensor over its own window.
    AveragedPower,
    /// Temperature in degrees Celsius.
    Temperature,
    /// Core clock in hertz.
    CoreClock,
    /// Memory clock in hertz.
    MemoryClock,
    /// Bit mask of reasons why clocks are held down (the source's own bits; see its note).
    ThrottleReasons,
    /// Cumulative seconds held down by the power limit.
    PowerThrottleTime,
    /// Cumulative seconds held down by temperature.
    ThermalThrottleTime,
    /// Enforced power limit in watts.
    PowerLimit,
    /// Utilisation, 0 to 1.
    Utilisation,
    /// Operating-system processes that use the device.
    ProcessCount,
    /// Cumulative memory errors that error-correcting codes mended.
    EccCorrected,
    /// Cumulative memory errors that they could not mend.
    EccUncorrected,
    /// Cumulative packets that the PCIe link had to send again.
    PcieReplays,
    /// Cumulative critical errors that the driver reported of the device (Xid events of NVIDIA's driver).
    DriverErrors,
}

impl Quantity {
    /// Symbol of the unit of the channel's numbers.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::EnergyCounter => "J",
            Self::InstantPower | Self::AveragedPower | Self::PowerLimit => "W",
            Self::Temperature => "°C",
            Self::CoreClock | Self::MemoryClock => "Hz",
            Self::PowerThrottleTime | Self::ThermalThrottleTime => "s",
            Self::ThrottleReasons
            | Self::Utilisation
            | Self::ProcessCount
            | Self::EccCorrected
            | Self::EccUncorrected
            | Self::PcieReplays
            | Self::DriverErrors => "",
        }
    }
    /// True for channels from which energy can be had (counter or power).
    pub const fn is_energetic(self) -> bool {
        matches!(self, Self::EnergyCounter | Self::InstantPower | Self::AveragedPower)
    }
}

/// One column of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Channel {
    /// Name that is unique within the source, for example `power.instant`.
    pub id: String,
    /// What the numbers are.
    pub quantity: Quantity,
    /// What the watts include. Telemetry channels carry the scope of the thing they describe.
    pub scope: Scope,
    /// Time between two changes of the sensor's value, when known.
    pub update_period_s: Option<Seconds>,
    /// Length of the sensor's own averaging window, when known.
    pub averaging_window_s: Option<Seconds>,
    /// Systematic error of the reading as a ratio (0.05 for ±5 %), stated by the maker or taken as a prior.
    pub stated_error: Option<Ratio>,
    /// How it was found to answer changes of power, where `calibrate` measured that; then update period and averaging
    /// window are those of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<SensorProfile>,
    /// Gain and offset against another source, where the user asked for them to be applied. The readings stay raw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<Correction>,
}

impl Channel {
    /// A channel of which nothing more is known.
    pub fn new(id: &str, quantity: Quantity, scope: Scope) -> Self {
        Self {
            id: id.to_owned(),
            quantity,
            scope,
            update_period_s: None,
            averaging_window_s: None,
            stated_error: None,
            profile: None,
            correction: None,
        }
    }
}

/// A power source: what it is, what it belongs to, and its channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SourceInfo {
    /// Identifier, unique in a record: the probe's name and what it reads, for example `nvml:0000:19:00.0`.
    pub id: String,
    /// The kind of source, for example `nvml`; what `--power` names.
    pub kind: String,
    /// Ordinal of the device it belongs to; `None` for a whole host.
    pub device: Option<u32>,
    /// Measured, declared or estimated.
    pub evidence: Evidence,
    /// One sentence a reader of the record must know (for example "average over 1 s", or the source of an estimate).
    pub note: String,
    /// Its channels.
    pub channels: Vec<Channel>,
}

/// Values of one channel, one per timestamp of its source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChannelTrace {
    /// The channel's id.
    pub channel: String,
    /// Value at each timestamp in the channel's unit; `null` where there was no reading.
    pub values: Vec<Option<f64>>,
}

/// A stretch of time without readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gap {
    /// Channel without readings; `None` when the whole source gave none.
    pub channel: Option<String>,
    /// Last good reading before it (or the start of sampling).
    pub from_ns: Nanoseconds,
    /// First good reading after it; `None` when none came.
    pub until_ns: Option<Nanoseconds>,
    /// Why.
    pub reason: String,
}

/// All readings of one source, columnar, on the run's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SourceTrace {
    /// The source.
    pub source: SourceInfo,
    /// Cadence that was asked for, in hertz.
    pub requested_hz: f64,
    /// Instants of the polls, strictly increasing.
    pub t_ns: Vec<Nanoseconds>,
    /// One column per channel.
    pub columns: Vec<ChannelTrace>,
    /// Stretches without readings, with their reasons.
    pub gaps: Vec<Gap>,
}

impl SourceTrace {
    /// Column of a channel.
    pub fn column(&self, channel: &str) -> Option<&ChannelTrace> {
        self.columns.iter().find(|column| column.channel == channel)
    }
    /// Channel of a quantity and its column, the first if there are several.
    pub fn by_quantity(&self, quantity: Quantity) -> Option<(&Channel, &ChannelTrace)> {
        let channel = self.source.channels.iter().find(|channel| channel.quantity == quantity)?;
        Some((channel, self.column(&channel.id)?))
    }
    /// Cadence reached, in hertz; `None` with fewer than two polls.
    pub fn reached_hz(&self) -> Option<f64> {
        let (first, last) = (self.t_ns.first()?, self.t_ns.last()?);
        let span = last.since(*first).get();
        (span > 0.0).then(|| (self.t_ns.len() - 1) as f64 / span)
    }
}
