//! Error counters of a board: memory errors, packets that the PCIe link sent again, and critical errors of the driver (Xid).
//!
//! They are polled once a second in a source of their own, so that no power reading waits for them. What surprises people:
//! Xid events are told, not counted, so the count begins when the board is opened; and a board whose error-correcting codes
//! are off has no memory error counter, which is not the same as no errors.

use nvml_wrapper::enum_wrappers::device::{EccCounter, MemoryError};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device as Board, Nvml};

use super::PROBE;
use crate::clock::Nanoseconds;
use crate::model::{Channel, Device, Evidence, PciAddress, Quantity, Scope, SourceInfo};
use crate::power::{PollError, PowerSource};

/// Polls a second: errors are rare, and each counter costs the driver a question.
const ERRORS_HZ: f64 = 1.0;

/// One counter.
enum Count {
    Memory(MemoryError, EccCounter),
    Replays,
    Events(events::Told),
}

impl Count {
    fn take(&mut self, board: &Board<'_>) -> Result<f64, NvmlError> {
        Ok(match self {
            Self::Memory(kind, since) => board.total_ecc_errors(*kind, *since)? as f64,
            Self::Replays => f64::from(board.pcie_replay_counter()?),
            Self::Events(told) => told.count()?,
        })
    }
}

/// Memory errors of a kind since the driver was loaded, or else over the board's life.
fn memory(board: &Board<'_>, kind: MemoryError) -> Result<Count, String> {
    if board.is_ecc_enabled().is_ok_and(|state| !state.currently_enabled) {
        return Err("error correction is off".to_owned());
    }
    let count = |since| {
        let mut count = Count::Memory(kind, since);
        count.take(board).map(|_| count)
    };
    count(EccCounter::Volatile).or_else(|error| count(EccCounter::Aggregate).map_err(|_| error.to_string()))
}

fn replays(board: &Board<'_>) -> Result<Count, String> {
    board.pcie_replay_counter().map(|_| Count::Replays).map_err(|error| error.to_string())
}

/// The error counters of a board that answer; `None` if none does.
pub(super) fn source(nvml: &'static Nvml, board: Board<'static>, pci: &PciAddress, device: &Device) -> Option<Errors> {
    let candidates = [
        ("ecc.corrected", Quantity::EccCorrected, memory(&board, MemoryError::Corrected)),
        ("ecc.uncorrected", Quantity::EccUncorrected, memory(&board, MemoryError::Uncorrected)),
        ("pcie.replays", Quantity::PcieReplays, replays(&board)),
        ("driver.errors", Quantity::DriverErrors, events::Told::of(nvml, &board).map(Count::Events)),
    ];
    let (mut counts, mut channels, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (id, quantity, found) in candidates {
        match found {
            Ok(count) => {
                counts.push(count);
                channels.push(Channel::new(id, quantity, Scope::Board));
            }
            Err(why) => missing.push(format!("{id}: {why}")),
        }
    }
    let not_readable =
        if missing.is_empty() { String::new() } else { format!("; not readable: {}", missing.join("; ")) };
    let info = SourceInfo {
        id: format!("nvml-errors:{pci}"),
        kind: PROBE.kind.to_owned(),
        device: Some(device.ordinal),
        evidence: Evidence::Measured,
        note: format!("driver errors are Xid events since this process opened the board{not_readable}"),
        channels,
    };
    (!counts.is_empty()).then_some(Errors { info, board, counts })
}

/// One board, polled for its error counters.
pub(super) struct Errors {
    info: SourceInfo,
    board: Board<'static>,
    counts: Vec<Count>,
}

impl PowerSource for Errors {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(ERRORS_HZ)
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let mut failure = None;
        let mut answered = false;
        for (count, slot) in self.counts.iter_mut().zip(values) {
            match count.take(&self.board) {
                Ok(value) => (*slot, answered) = (Some(value), true),
                Err(NvmlError::GpuLost) => {
                    return Err(PollError::Gone(format!("{}: the GPU has fallen off the bus", self.info.id)));
                }
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if !answered => Err(PollError::Transient(format!("{}: {error}", self.info.id))),
            _ => Ok(()),
        }
    }
}

/// Xid events: the driver keeps them in a set until they are fetched.
#[cfg(target_os = "linux")]
mod events {
    use nvml_wrapper::bitmasks::event::EventTypes;
    use nvml_wrapper::error::NvmlError;
    use nvml_wrapper::{Device as Board, EventSet, Nvml};

    /// Most events that are fetched in one poll, so that a driver that never runs out of them cannot hold it up.
    const MOST: u32 = 64;

    /// The events that were told so far.
    pub(super) struct Told {
        set: EventSet<'static>,
        so_far: f64,
    }

    impl Told {
        /// Lets the driver tell the critical errors of a board from now on; an error says why it does not.
        pub(super) fn of(nvml: &'static Nvml, board: &Board<'static>) -> Result<Self, String> {
            let kinds = board.supported_event_types().map_err(|error| error.to_string())?;
            if !kinds.contains(EventTypes::CRITICAL_XID_ERROR) {
                return Err("the board does not tell Xid events".to_owned());
            }
            let set = nvml.create_event_set().map_err(|error| error.to_string())?;
            let registered = board.register_events(EventTypes::CRITICAL_XID_ERROR, set);
            let mut told = Self { set: registered.map_err(|error| error.to_string())?, so_far: 0.0 };
            // An older driver lets itself be asked only what it cannot answer.
            told.count().map_err(|error| error.to_string())?;
            Ok(told)
        }

        /// Fetches what is there, without waiting, and says how many there were in all.
        pub(super) fn count(&mut self) -> Result<f64, NvmlError> {
            for _ in 0..MOST {
                match self.set.wait(0) {
                    Ok(_) => self.so_far += 1.0,
                    Err(NvmlError::Timeout) => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(self.so_far)
        }
    }
}

/// Elsewhere the driver tells no events.
#[cfg(not(target_os = "linux"))]
mod events {
    use nvml_wrapper::error::NvmlError;
    use nvml_wrapper::{Device as Board, Nvml};

    /// Never made.
    pub(super) struct Told(std::convert::Infallible);

    impl Told {
        pub(super) fn of(_: &'static Nvml, _: &Board<'static>) -> Result<Self, String> {
            Err("the driver tells Xid events on Linux alone".to_owned())
        }

        pub(super) fn count(&mut self) -> Result<f64, NvmlError> {
            match self.0 {}
        }
    }
}
