//! NVIDIA boards through NVML: finding them and joining them to devices; this folder alone says `nvml_wrapper`.
//!
//! `library` loads the driver's library, `board` polls a board, `fields` reads power by scope, `generation` says how a
//! board's sensor averages, `errors` reads error counters. Three sources per board: power and energy, slower telemetry, and
//! still slower errors. What surprises people: a
//! reading of 0 W means that there is none, and a board is joined by its PCI address, never by its index.

mod board;
mod errors;
mod fields;
mod generation;
mod library;

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device as Board, Nvml};

use crate::model::{Device, PciAddress};
use crate::power::{Findings, Identities, Obstacle, Probe, ProbeContext};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "nvml",
    summary: "power, energy, clocks, temperature and throttling of NVIDIA boards (driver library NVML)",
    automatic: true,
    open,
};

const NVIDIA: u32 = 0x10de;
/// Longest wait for the driver to name its boards. Without persistence mode it wakes each of them first, which takes
/// seconds a board.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    // A replaced root is a test's tree of files; a library is no such file.
    if context.root != Path::new("/") {
        return findings;
    }
    let devices = context.devices.clone();
    within(PATIENCE, move || look(&devices)).unwrap_or_else(|| {
        let why = format!("the driver has not answered for {} s", PATIENCE.as_secs());
        let remedy = "check whether `nvidia-smi` hangs too; then reload the NVIDIA driver or reboot";
        findings.obstacles.push(obstacle("NVML", why, remedy));
        findings
    })
}

fn look(devices: &[Device]) -> Findings {
    let mut findings = Findings::default();
    let expected = library::named().is_some() || devices.iter().any(|device| device.vendor_id == NVIDIA);
    match library::load() {
        Ok(nvml) => open_boards(nvml, devices, &mut findings),
        Err(NvmlError::LibloadingError(_)) if !expected => {}
        Err(error) => findings.obstacles.push(library::obstacle(error)),
    }
    findings
}

/// What tells a board from others of its kind, by device ordinal: `uuid`, `serial` where it has one, and `vbios`.
pub(in crate::power) fn identities(context: &ProbeContext) -> Identities {
    let devices = context.devices.clone();
    let ask = move || library::load().map(|nvml| name_boards(nvml, &devices)).unwrap_or_default();
    if context.root == Path::new("/") { within(PATIENCE, ask).unwrap_or_default() } else { Identities::new() }
}

fn name_boards(nvml: &'static Nvml, devices: &[Device]) -> Identities {
    let count = nvml.device_count().unwrap_or(0);
    let named = (0..count).filter_map(|index| {
        let board = nvml.device_by_index(index).ok()?;
        let pci = board.pci_info().ok()?.bus_id.parse().ok()?;
        let device = device_of(devices, &pci, count)?;
        let texts = [("uuid", board.uuid()), ("serial", board.serial()), ("vbios", board.vbios_version())];
        // Boards without a serial number answer with 0.
        let known = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.ok()?)));
        Some((device.ordinal, known.filter(|(_, text)| !text.is_empty() && text != "0").collect()))
    });
    named.collect()
}

/// What a call that may hang gives; `None` if it takes too long, and its thread is then left behind.
fn within<T: Send + 'static>(patience: Duration, ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = mpsc::channel();
    let ask = move || {
        // Nobody waits any more once the patience is over.
        let _ = answer.send(ask());
    };
    std::thread::Builder::new().name("wattmark-nvml".to_owned()).spawn(ask).ok()?;
    answered.recv_timeout(patience).ok()
}

fn obstacle(what: &str, why: String, remedy: &str) -> Obstacle {
    Obstacle { what: what.to_owned(), why, remedy: remedy.to_owned() }
}

/// What to do about a board that answers with an error.
fn remedy(error: &NvmlError) -> &'static str {
    match error {
        NvmlError::NoPermission => library::PERMISSION_REMEDY,
        NvmlError::GpuLost => "check `nvidia-smi`; a board that has fallen off the bus needs a reboot",
        _ => "check that `nvidia-smi` works; reload or reinstall the NVIDIA driver if it does not",
    }
}

fn open_boards(nvml: &'static Nvml, devices: &[Device], findings: &mut Findings) {
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => {
            let why = format!("the boards cannot be counted: {error}");
            findings.obstacles.push(obstacle("NVML", why, remedy(&error)));
            return;
        }
    };
    for index in 0..count {
        let what = format!("NVML board {index}");
        let identified = nvml.device_by_index(index).and_then(|board| Ok((board.pci_info()?.bus_id, board)));
        let (bus_id, board) = match identified {
            Ok(found) => found,
            Err(error) => {
                findings.obstacles.push(obstacle(&what, error.to_string(), remedy(&error)));
                continue;
            }
        };
        let Ok(pci) = bus_id.parse::<PciAddress>() else {
            let why = format!("its PCI address `{bus_id}` is none, so that no device can be joined to it");
            findings.obstacles.push(obstacle(&what, why, "check that `nvidia-smi` lists the board with its address"));
            continue;
        };
        if let Some(device) = device_of(devices, &pci, count) {
            open_board(nvml, index, board, &pci, device, findings);
        }
    }
}

fn open_board(
    nvml: &'static Nvml,
    index: u32,
    board: Board<'static>,
    pci: &PciAddress,
    device: &Device,
    findings: &mut Findings,
) {
    match board::power_source(board, pci, device) {
        Ok(source) => findings.sources.push(Box::new(source)),
        Err(why) => findings.obstacles.push(obstacle(
            &format!("nvml:{pci}"),
            format!("the board gives neither power nor energy: {why}"),
            "MIG slices and some virtual GPUs have no power reading: measure the whole board from its host; else check \
             that `nvidia-smi -q -d POWER` shows one",
        )),
    }
    if let Some(source) = nvml.device_by_index(index).ok().and_then(|board| board::telemetry(board, pci, device)) {
        findings.sources.push(Box::new(source));
    }
    let board = nvml.device_by_index(index).ok();
    if let Some(source) = board.and_then(|board| errors::source(nvml, board, pci, device)) {
        findings.sources.push(Box::new(source));
    }
}

/// The device at an address; the only NVIDIA device without an address where there is but one board.
fn device_of<'a>(devices: &'a [Device], pci: &PciAddress, boards: u32) -> Option<&'a Device> {
    let exact = devices.iter().find(|device| device.pci.as_ref() == Some(pci));
    exact.or_else(|| {
        let mut nvidia = devices.iter().filter(|device| device.vendor_id == NVIDIA);
        let only = nvidia.next().filter(|device| device.pci.is_none())?;
        (boards == 1 && nvidia.next().is_none()).then_some(only)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_hangs_is_not_waited_for() {
        assert_eq!(within(Duration::from_secs(5), || 7), Some(7));
        let (hold, held) = mpsc::channel::<()>();
        let hangs = move || held.recv().is_ok();
        assert_eq!(within(Duration::from_millis(20), hangs), None);
        drop(hold);
    }

    #[test]
    fn a_replaced_root_never_loads_the_library() {
        let context = ProbeContext {
            root: "/nowhere".into(),
            devices: Vec::new(),
            assume_watts: None,
            argument: None,
            clock: crate::clock::RunClock::Simulated(crate::clock::SimulatedClock::new()),
            activity: None,
        };
        let findings = open(&context);
        assert!(findings.sources.is_empty() && findings.obstacles.is_empty());
    }
}
