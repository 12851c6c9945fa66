//! What lies between host and device: the cost of starting work, and the bandwidth of transfers. Raw times only.
//!
//! What surprises people: these are times on the host's clock, from the call to the proof that it is done, so that they
//! include the driver and the waiting thread; that is what a program pays.

use serde::{Deserialize, Serialize};

use crate::units::Seconds;

/// Way of moving bytes between host and device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TransferPath {
    /// Host to device through a staging buffer that the library makes for each call (`write_buffer`).
    WriteBuffer,
    /// Host to device through one staging buffer that is mapped again for each call.
    MappedUpload,
    /// Device to host through one buffer that is mapped for each call.
    Download,
}

impl TransferPath {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::WriteBuffer, Self::MappedUpload, Self::Download];
}

impl std::fmt::Display for TransferPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::WriteBuffer => "host to device, write_buffer",
            Self::MappedUpload => "host to device, mapped",
            Self::Download => "device to host",
        })
    }
}

/// Times of submissions that hold only empty dispatches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LaunchTimes {
    /// Dispatches in one submission.
    pub dispatches: u32,
    /// Time of each repetition, from the call that submits to the knowledge that it has finished.
    pub times_s: Vec<Seconds>,
}

/// Times of transfers of one size, each byte compared with what was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TransferTimes {
    /// Way.
    pub path: TransferPath,
    /// Bytes of one transfer.
    pub bytes: u64,
    /// Time of each repetition, from the call to the knowledge that the bytes have arrived.
    pub times_s: Vec<Seconds>,
    /// Whether the bytes that came back were those that were sent, in every repetition.
    pub intact: bool,
}

/// Launch costs and transfers of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LinkMeasurement {
    /// Ordinal of the device.
    pub device: u32,
    /// Launches, by number of dispatches.
    pub launches: Vec<LaunchTimes>,
    /// Transfers, by way and size.
    pub transfers: Vec<TransferTimes>,
    /// Why it is incomplete; `None` if it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
