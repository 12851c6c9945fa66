//! AMD graphics cards: power, temperature and clocks from hwmon, energy from the `gpu_metrics` table.
//!
//! Needs neither root nor a library. What surprises people: `power1_average` is averaged by the firmware and
//! `power1_input` is not, and most cards have only one of the two; on an APU the power includes the CPU cores; and on
//! dual-die modules (MI250) one die reports the power of both and the other reports zero, so that both dies are joined to
//! the sensor of the one that speaks, as a module.

mod errors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::gpu_metrics::{JOULES_PER_UNIT, Layout, MAX_BYTES, Metrics};
use super::sysfs::{Hwmon, device_at, hwmons, read_bytes, read_line, read_number};
use super::unwrap::Unwrap;
use crate::clock::Nanoseconds;
use crate::model::{Channel, Device, DeviceKind, Evidence, PciAddress, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Identities, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Ratio, Watts};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "amdgpu",
    summary: "power, energy, temperature and clocks of AMD graphics cards (Linux hwmon and gpu_metrics)",
    automatic: true,
    open,
};

/// Systematic error taken as a prior until there are calibrations: AMD states none for these sensors.
const PRIOR_ERROR: Ratio = Ratio::new(0.10);

/// Polls a second for clocks and temperature: each asks the card's firmware, and none moves faster than the load.
const TELEMETRY_HZ: f64 = 5.0;

/// A reading from a hwmon file, with the factor that turns it into the channel's unit.
struct FileRead {
    path: PathBuf,
    factor: f64,
    zero_is_missing: bool,
}

/// A reading from the binary table.
enum MetricsRead {
    Power,
    Energy,
    Hotspot,
    Clock,
}

enum Read {
    File(FileRead),
    Metrics(MetricsRead),
}

#[derive(Clone)]
struct MetricsFile {
    path: PathBuf,
    layout: Layout,
    buffer: Vec<u8>,
    unwrap: Unwrap,
}

struct Card {
    info: SourceInfo,
    reads: Vec<Read>,
    metrics: Option<MetricsFile>,
    hz: Option<f64>,
}

/// PCI device ids of the two-die accelerators MI250X and MI250 (Linux, `amdgpu_drv.c`, Aldebaran; MI210 has one die).
const DUAL_DIE: [&str; 2] = ["0x7408", "0x740c"];

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    let mut cards: Vec<Hwmon> = hwmons(&context.root).into_iter().filter(|hwmon| hwmon.name == "amdgpu").collect();
    // The two dies of a module are neighbours in the order of their addresses.
    cards.sort_by(|a, b| a.pci.cmp(&b.pci));
    for hwmon in &cards {
        let Some(device) = device_at(&context.devices, &hwmon.pci) else { continue };
        let speaker = speaking_die(hwmon, &cards);
        let mut table = |hwmon: &Hwmon| {
            metrics_file(hwmon).unwrap_or_else(|obstacle| {
                findings.obstacles.push(obstacle);
                None
            })
        };
        let telemetry = telemetry(hwmon, device, table(hwmon));
        let sensor = speaker.unwrap_or(hwmon);
        let metrics = metrics_file(sensor).ok().flatten();
        match card(sensor, &hwmon.pci, device, metrics, speaker.is_some()) {
            Some(card) => {
                findings.sources.push(Box::new(card));
                findings.sources.extend(telemetry.map(|card| -> Box<dyn PowerSource> { Box::new(card) }));
                findings
                    .sources
                    .extend(errors::source(hwmon, device).map(|errors| -> Box<dyn PowerSource> { Box::new(errors) }));
            }
            None => findings.obstacles.push(Obstacle {
                what: hwmon.folder.display().to_string(),
                why: "no power reading, or 0 W: on dual-die modules (MI250) the other die reports for both".to_owned(),
                remedy: "let this machine see the module's other die, or use an external meter, --power csv:FILE"
                    .to_owned(),
            }),
        }
    }
    findings
}

/// What tells a card from others of its kind, by device ordinal: the `uuid` that is burnt into the chip, and the board's
/// `serial`, where the driver publishes them (Linux, amdgpu: `unique_id`, `serial_number`).
pub(in crate::power) fn identities(context: &ProbeContext) -> Identities {
    let cards = hwmons(&context.root).into_iter().filter(|hwmon| hwmon.name == "amdgpu");
    let named = cards.filter_map(|hwmon| {
        let device = device_at(&context.devices, &hwmon.pci)?;
        let files = [("uuid", "unique_id"), ("serial", "serial_number")];
        let read = |(key, file): (&str, &str)| Some((key.to_owned(), read_line(&hwmon.device.join(file))?));
        let known: BTreeMap<String, String> =
            files.into_iter().filter_map(read).filter(|(_, text)| !text.is_empty()).collect();
        (!known.is_empty()).then_some((device.ordinal, known))
    });
    named.collect()
}

/// The die whose sensor stands for both dies of a module; `None` for a card of one die, and for a silent die whose partner
/// is in doubt. Modules are pairs of neighbours, of which the first speaks and the second reads 0 W (as in the machine that
/// ml-energy/zeus#203 lists); unless all pairs are like that, some die is not to be seen and the pairs are shifted.
fn speaking_die<'a>(hwmon: &Hwmon, cards: &'a [Hwmon]) -> Option<&'a Hwmon> {
    let dies: Vec<&Hwmon> = cards.iter().filter(|card| is_dual_die(card)).collect();
    let at = dies.iter().position(|die| die.pci == hwmon.pci)?;
    if has_power(&hwmon.folder) {
        return dies.get(at).copied();
    }
    let speaks: Vec<bool> = dies.iter().map(|die| has_power(&die.folder)).collect();
    let plain = speaks.chunks(2).all(|pair| *pair == [true, false]);
    dies.get(at.wrapping_sub(1)).copied().filter(|_| plain)
}

fn is_dual_die(hwmon: &Hwmon) -> bool {
    read_line(&hwmon.device.join("device")).is_some_and(|id| DUAL_DIE.contains(&id.to_lowercase().as_str()))
}

fn has_power(folder: &Path) -> bool {
    let reads = |file: &str| read_number(&folder.join(file)).is_ok_and(|microwatts| microwatts > 0.0);
    reads("power1_average") || reads("power1_input")
}

/// The table of a card; `None` where the driver has none.
fn metrics_file(hwmon: &Hwmon) -> Result<Option<MetricsFile>, Obstacle> {
    let path = hwmon.device.join("gpu_metrics");
    if !path.exists() {
        return Ok(None);
    }
    let mut buffer = vec![0; MAX_BYTES];
    let layout = read_bytes(&path, &mut buffer)
        .map_err(|error| error.to_string())
        .and_then(|length| Layout::of(&buffer[..length]))
        .map_err(|why| Obstacle {
            what: path.display().to_string(),
            why,
            remedy: "power is read from hwmon instead, without an energy counter".to_owned(),
        })?;
    Ok(Some(MetricsFile { path, layout, buffer, unwrap: Unwrap::new(layout.energy_range()) }))
}

/// Collects the channels of a card that answer.
struct Channels {
    scope: Scope,
    channels: Vec<Channel>,
    reads: Vec<Read>,
}

impl Channels {
    fn has(&self, quantity: Quantity) -> bool {
        self.channels.iter().any(|channel| channel.quantity == quantity)
    }

    fn add(&mut self, id: &str, quantity: Quantity, read: Read) {
        self.channels.push(Channel {
            stated_error: quantity.is_energetic().then_some(PRIOR_ERROR),
            ..Channel::new(id, quantity, self.scope)
        });
        self.reads.push(read);
    }

    fn add_file(&mut self, id: &str, quantity: Quantity, path: PathBuf, factor: f64) {
        let zero_is_missing = quantity.is_energetic() || quantity == Quantity::PowerLimit;
        let answers = read_number(&path).is_ok_and(|value| value != 0.0 || !zero_is_missing);
        if answers {
            self.add(id, quantity, Read::File(FileRead { path, factor, zero_is_missing }));
        }
    }
}

impl Channels {
    /// A source of what was found; `None` if nothing was.
    fn into_card(
        self,
        id: &str,
        pci: &PciAddress,
        device: &Device,
        metrics: Option<MetricsFile>,
        note: String,
    ) -> Option<Card> {
        let info = SourceInfo {
            id: format!("{id}:{pci}"),
            kind: PROBE.kind.to_owned(),
            device: Some(device.ordinal),
            evidence: Evidence::Measured,
            note,
            channels: self.channels,
        };
        let metrics = metrics.filter(|_| self.reads.iter().any(|read| matches!(read, Read::Metrics(_))));
        (!self.reads.is_empty()).then_some(Card { info, reads: self.reads, metrics, hz: None })
    }
}

/// What the power of a device includes.
fn scope(device: &Device) -> Scope {
    if device.kind == DeviceKind::Integrated { Scope::Package } else { Scope::Board }
}

/// Power and energy of the device at `pci`, read at `hwmon`: its own folder, or that of the die which speaks for both.
fn card(
    hwmon: &Hwmon,
    pci: &PciAddress,
    device: &Device,
    metrics: Option<MetricsFile>,
    both_dies: bool,
) -> Option<Card> {
    let scope = if both_dies { Scope::Module } else { scope(device) };
    let mut found = Channels { scope, channels: Vec::new(), reads: Vec::new() };
    let watts = Watts::from_microwatts(1.0).get();
    found.add_file("power.instant", Quantity::InstantPower, hwmon.folder.join("power1_input"), watts);
    found.add_file("power.average", Quantity::AveragedPower, hwmon.folder.join("power1_average"), watts);
    if let Some(table) = &metrics {
        let now = table.layout.read(&table.buffer);
        let quantity = if table.layout.power_is_averaged { Quantity::AveragedPower } else { Quantity::InstantPower };
        if now.power_w.is_some() && !found.has(quantity) {
            found.add("power.socket", quantity, Read::Metrics(MetricsRead::Power));
        }
        if now.energy_raw.is_some() {
            found.add("energy", Quantity::EnergyCounter, Read::Metrics(MetricsRead::Energy));
        }
    }
    let what = match found.scope {
        Scope::Package => "APU: power includes the CPU cores; ".to_owned(),
        Scope::Module => {
            format!("both dies of the module together, read at {}: never add the two devices' figures; ", hwmon.pci)
        }
        _ => String::new(),
    };
    let note = format!("{what}average power is averaged by the firmware over an unstated time; update period unknown");
    found.into_card(PROBE.kind, pci, device, metrics, note)
}

fn telemetry(hwmon: &Hwmon, device: &Device, metrics: Option<MetricsFile>) -> Option<Card> {
    let mut found = Channels { scope: scope(device), channels: Vec::new(), reads: Vec::new() };
    let file = |name: &str| hwmon.folder.join(name);
    for index in 1..=3 {
        let label = read_line(&file(&format!("temp{index}_label"))).unwrap_or_else(|| index.to_string());
        let path = file(&format!("temp{index}_input"));
        found.add_file(&format!("temperature.{label}"), Quantity::Temperature, path, 1e-3);
    }
    let watts = Watts::from_microwatts(1.0).get();
    found.add_file("clock.core", Quantity::CoreClock, file("freq1_input"), 1.0);
    found.add_file("clock.memory", Quantity::MemoryClock, file("freq2_input"), 1.0);
    found.add_file("power.limit", Quantity::PowerLimit, file("power1_cap"), watts);
    found.add_file("power.limit.default", Quantity::PowerLimit, file("power1_cap_default"), watts);
    if let Some(table) = &metrics {
        let now = table.layout.read(&table.buffer);
        if now.hotspot_c.is_some() && !found.has(Quantity::Temperature) {
            found.add("temperature.hotspot", Quantity::Temperature, Read::Metrics(MetricsRead::Hotspot));
        }
        if now.clock_hz.is_some() && !found.has(Quantity::CoreClock) {
            found.add("clock.core", Quantity::CoreClock, Read::Metrics(MetricsRead::Clock));
        }
    }
    let note = "clocks, temperatures and limits, polled more slowly than power".to_owned();
    let card = found.into_card("amdgpu-telemetry", &hwmon.pci, device, metrics, note)?;
    Some(Card { hz: Some(TELEMETRY_HZ), ..card })
}

impl PowerSource for Card {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        self.hz
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let mut table = Metrics::default();
        if let Some(metrics) = &mut self.metrics {
            let length = read_bytes(&metrics.path, &mut metrics.buffer)?;
            // The driver never changes its table's revision while it runs; one that does is not understood.
            if Layout::of(&metrics.buffer[..length]) == Ok(metrics.layout) {
                table = metrics.layout.read(&metrics.buffer[..length]);
            }
        }
        for ((read, channel), slot) in self.reads.iter().zip(&self.info.channels).zip(values) {
            *slot = match read {
                Read::File(file) => match read_number(&file.path) {
                    Ok(value) => Some(value * file.factor).filter(|_| value != 0.0 || !file.zero_is_missing),
                    // A clock or temperature that fails for once costs its own slot only.
                    Err(PollError::Transient(_)) if !channel.quantity.is_energetic() => None,
                    Err(error) => return Err(error),
                },
                Read::Metrics(MetricsRead::Power) => table.power_w,
                Read::Metrics(MetricsRead::Energy) => table
                    .energy_raw
                    .and_then(|raw| self.metrics.as_mut()?.unwrap.total(raw))
                    .map(|units| units * JOULES_PER_UNIT),
                Read::Metrics(MetricsRead::Hotspot) => table.hotspot_c,
                Read::Metrics(MetricsRead::Clock) => table.clock_hz,
            };
        }
        Ok(())
    }
}
