//! Error counters of an AMD card: memory and logic errors by hardware block (RAS), and packets that the PCIe link sent again.
//!
//! Files as in Linux's `amdgpu_ras.c` (`ras/<block>_err_count`, lines `ue: N` and `ce: N`) and `amdgpu_device.c`
//! (`pcie_replay_count`). They are polled once a second, because each read asks the hardware. What surprises people: the
//! counts of all blocks are added, so that one block that cannot be read for once leaves no sum at all; and a card without
//! RAS has no counters, which is not the same as no errors.

use std::path::{Path, PathBuf};

use super::super::sysfs::{Hwmon, entries, read_bytes, read_number};
use super::{PROBE, scope};
use crate::clock::Nanoseconds;
use crate::model::{Channel, Device, Evidence, Quantity, SourceInfo};
use crate::power::{PollError, PowerSource};

/// Polls a second.
const ERRORS_HZ: f64 = 1.0;
/// Longest file that is read; the driver writes two or three short lines.
const MAX_BYTES: usize = 256;

/// Errors of one block.
#[derive(Debug, Clone, Copy, Default)]
struct BlockErrors {
    uncorrected: f64,
    corrected: f64,
}

/// Reads the file of a block. A block whose counters are switched off answers in words.
fn block_errors(path: &Path) -> Result<BlockErrors, PollError> {
    let mut bytes = [0u8; MAX_BYTES];
    let length = read_bytes(path, &mut bytes)?;
    let text = std::str::from_utf8(&bytes[..length]).unwrap_or_default();
    let count = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.trim().strip_prefix(':'));
        line.and_then(|number| number.trim().parse::<u64>().ok())
    };
    match (count("ue"), count("ce")) {
        (Some(uncorrected), Some(corrected)) => {
            Ok(BlockErrors { uncorrected: uncorrected as f64, corrected: corrected as f64 })
        }
        _ => Err(PollError::Transient(format!("{} holds no error counts but `{}`", path.display(), text.trim()))),
    }
}

/// One card, polled for its error counters.
pub(super) struct Errors {
    info: SourceInfo,
    blocks: Vec<PathBuf>,
    replays: Option<PathBuf>,
}

/// The error counters of a card that answer; `None` if none does.
pub(super) fn source(hwmon: &Hwmon, device: &Device) -> Option<Errors> {
    let is_count = |path: &PathBuf| path.to_string_lossy().ends_with("_err_count");
    let blocks: Vec<PathBuf> = entries(&hwmon.device.join("ras"), "")
        .into_iter()
        .filter(|path| is_count(path) && block_errors(path).is_ok())
        .collect();
    let replays = Some(hwmon.device.join("pcie_replay_count")).filter(|path| read_number(path).is_ok());
    let mut channels = Vec::new();
    let mut add = |id: &str, quantity| channels.push(Channel::new(id, quantity, scope(device)));
    if !blocks.is_empty() {
        add("ecc.corrected", Quantity::EccCorrected);
        add("ecc.uncorrected", Quantity::EccUncorrected);
    }
    if replays.is_some() {
        add("pcie.replays", Quantity::PcieReplays);
    }
    if channels.is_empty() {
        return None;
    }
    let names: Vec<String> = blocks
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.trim_end_matches("_err_count").to_owned()))
        .collect();
    let note = if names.is_empty() {
        "no hardware block counts errors (RAS)".to_owned()
    } else {
        format!("errors of these hardware blocks together: {}", names.join(", "))
    };
    let info = SourceInfo {
        id: format!("amdgpu-errors:{}", hwmon.pci),
        kind: PROBE.kind.to_owned(),
        device: Some(device.ordinal),
        evidence: Evidence::Measured,
        note,
        channels,
    };
    Some(Errors { info, blocks, replays })
}

impl Errors {
    fn sum(&self) -> Result<BlockErrors, PollError> {
        self.blocks.iter().try_fold(BlockErrors::default(), |sum, path| {
            let block = block_errors(path)?;
            Ok(BlockErrors {
                uncorrected: sum.uncorrected + block.uncorrected,
                corrected: sum.corrected + block.corrected,
            })
        })
    }
}

impl PowerSource for Errors {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(ERRORS_HZ)
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let sum = if self.blocks.is_empty() { None } else { Some(self.sum()) };
        let replays = self.replays.as_ref().map(|path| read_number(path));
        for (channel, slot) in self.info.channels.iter().zip(values) {
            *slot = match channel.quantity {
                Quantity::EccCorrected => sum.as_ref().and_then(|sum| Some(sum.as_ref().ok()?.corrected)),
                Quantity::EccUncorrected => sum.as_ref().and_then(|sum| Some(sum.as_ref().ok()?.uncorrected)),
                _ => replays.as_ref().and_then(|replays| replays.as_ref().ok().copied()),
            };
        }
        let outcomes = [sum.map(|sum| sum.map(|_| ())), replays.map(|replays| replays.map(|_| ()))];
        let mut failed = None;
        for outcome in outcomes.into_iter().flatten() {
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
