//! Energy counters of Intel graphics cards, from the hwmon folders of the i915 and xe drivers.
//!
//! Power is not read: the drivers publish energy, and the counter is integrated as it is. What surprises people: the
//! only counter of i915 is that of the GPU's package, not of the card, although its file has the name that xe gives to the
//! card's; and the hardware register has 32 bits, of which the driver notices one wrap between two reads, so that a poll
//! every few minutes would lose energy silently. The sampler polls far more often. Integrated graphics have no counter.

use std::path::PathBuf;

use super::sysfs::{Hwmon, device_at, hwmons, read_line, read_number};
use super::unwrap::Unwrap;
use crate::clock::Nanoseconds;
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Joules, Ratio, Watts};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "intel",
    summary: "energy counters of Intel graphics cards (hwmon of i915 and xe, Linux 6.2 on)",
    automatic: true,
    open,
};

/// Systematic error taken as a prior until there are calibrations: Intel states none for these counters.
const PRIOR_ERROR: Ratio = Ratio::new(0.10);
/// Channels that a driver may have; xe has two, and numbers them from 1.
const CHANNELS: std::ops::RangeInclusive<u32> = 1..=4;

enum Read {
    Energy(Unwrap),
    Temperature,
    PowerLimit,
}

struct Card {
    info: SourceInfo,
    reads: Vec<(PathBuf, Read)>,
}

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    // Folders named `i915_gt0` describe tiles, which are parts of the card.
    for hwmon in hwmons(&context.root).into_iter().filter(|hwmon| matches!(hwmon.name.as_str(), "i915" | "xe")) {
        let Some(device) = device_at(&context.devices, &hwmon.pci) else { continue };
        match card(&hwmon, device.ordinal) {
            Ok(card) => findings.sources.push(Box::new(card)),
            Err(why) => findings.obstacles.push(Obstacle {
                what: hwmon.folder.display().to_string(),
                why,
                remedy: "energy counters of cards need Linux 6.2 (i915) or 6.8 (xe); else use an external meter, \
                         --power csv:FILE"
                    .to_owned(),
            }),
        }
    }
    findings
}

/// What an energy channel counts: by its label where there is one, else by what the driver is known to put there. The
/// i915 driver reads `PCU_PACKAGE_ENERGY_STATUS` of DG1 and DG2, which xe calls `pkg`.
fn part(driver: &str, number: u32, label: Option<&str>) -> Option<(&'static str, Scope)> {
    match (driver, number, label) {
        (_, _, Some("card")) | ("xe", 1, None) => Some(("energy.card", Scope::Board)),
        (_, _, Some("pkg")) | ("xe", 2, None) | ("i915", 1, None) => Some(("energy.package", Scope::Chip)),
        (_, _, Some("vram")) => Some(("energy.memory", Scope::Memory)),
        // Nobody knows what it includes.
        _ => None,
    }
}

fn card(hwmon: &Hwmon, ordinal: u32) -> Result<Card, String> {
    let mut channels = Vec::new();
    let mut reads = Vec::new();
    let mut why = format!("the {} driver shows no energy counter", hwmon.name);
    let counters = CHANNELS.filter_map(|number| {
        let label = read_line(&hwmon.folder.join(format!("energy{number}_label")));
        let (id, scope) = part(&hwmon.name, number, label.as_deref())?;
        Some((format!("energy{number}_input"), id, Quantity::EnergyCounter, scope))
    });
    let telemetry = [
        ("temp2_input", "temperature.package", Quantity::Temperature, Scope::Chip),
        ("power1_max", "power.limit", Quantity::PowerLimit, Scope::Board),
    ];
    let telemetry = telemetry.map(|(file, id, quantity, scope)| (file.to_owned(), id, quantity, scope));
    for (file, id, quantity, scope) in counters.chain(telemetry) {
        let path = hwmon.folder.join(file);
        if let Err(error) = read_number(&path) {
            if path.exists() && quantity == Quantity::EnergyCounter {
                why = error.to_string();
            }
            continue;
        }
        let energetic = quantity.is_energetic();
        channels.push(Channel { stated_error: energetic.then_some(PRIOR_ERROR), ..Channel::new(id, quantity, scope) });
        let read = match quantity {
            // The driver's sum has 64 bits: it falls only when the driver is loaded anew.
            Quantity::EnergyCounter => Read::Energy(Unwrap::new(None)),
            Quantity::Temperature => Read::Temperature,
            _ => Read::PowerLimit,
        };
        reads.push((path, read));
    }
    if !channels.iter().any(|channel| channel.quantity.is_energetic()) {
        return Err(why);
    }
    let info = SourceInfo {
        id: format!("{}:{}", PROBE.kind, hwmon.pci),
        kind: PROBE.kind.to_owned(),
        device: Some(ordinal),
        evidence: Evidence::Measured,
        note: format!(
            "{} driver; the card's counter is its board, the package's is the GPU's chip inside the card; update period \
             unknown",
            hwmon.name
        ),
        channels,
    };
    Ok(Card { info, reads })
}

impl PowerSource for Card {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        for ((path, read), slot) in self.reads.iter_mut().zip(values) {
            let raw = match (read_number(path), &read) {
                (Ok(raw), _) => raw,
                (Err(error), Read::Energy(_)) => return Err(error),
                // Telemetry that fails costs its own slot, not the energy of this poll.
                (Err(_), _) => continue,
            };
            *slot = match read {
                Read::Energy(unwrap) => unwrap.total(raw).map(|total| Joules::from_microjoules(total).get()),
                Read::Temperature => Some(raw / 1e3),
                // A limit of 0 means that the limit is off (kernel documentation of `power1_max`).
                Read::PowerLimit => Some(Watts::from_microwatts(raw).get()).filter(|limit| *limit > 0.0),
            };
        }
        Ok(())
    }
}
