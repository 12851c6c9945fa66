//! `wattmark devices`: list GPUs and the power source that belongs to each.
//!
//! What surprises people: a sensor belongs to a GPU by PCI address, so a device without one may show no sensor although
//! the machine has it; such a sensor is then listed with the host.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use comfy_table::{ContentArrangement, Table, TableStyle};
use serde::Serialize;

use crate::cli::{Console, Exit, Failure, profiles};
use crate::clock::{RunClock, WallClock};
use crate::gpu::{Machine, WgpuMachine};
use crate::model::{Device, DeviceLimits, Evidence, Feature, Quantity, Scope, SourceInfo};
use crate::power::sources::estimate;
use crate::power::{Obstacle, PROBES, PowerSource, ProbeContext};
use crate::report;

/// Arguments of `wattmark devices`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Folder below which sensor trees are read.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub sensor_root: PathBuf,
}

/// Widest line of a table in characters: fits a split terminal and an issue report.
const WIDTH: u16 = 100;

/// What to do when there is no adapter.
pub(super) const NO_ADAPTER: &str = "no GPU adapter found: install the GPU's Vulkan driver (for NVIDIA in a container, \
     run it with NVIDIA_DRIVER_CAPABILITIES=all), or mesa-vulkan-drivers to compute on the CPU; \
     `wattmark doctor` looks closer";

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let clock = WallClock::start();
    let devices = WgpuMachine::discover(clock).devices();
    let findings = survey(&devices, &args.sensor_root, clock);
    let listing = Listing::new(&devices, &findings);
    if args.json {
        serde_json::to_writer_pretty(&mut console.out, &listing)?;
        writeln!(console.out)?;
    } else if !devices.is_empty() {
        console.out.write_all(listing.text().as_bytes())?;
    }
    if devices.is_empty() {
        console.out.flush()?;
        return Err(Failure::no_device(NO_ADAPTER).into());
    }
    Ok(Exit::Ok)
}

/// What one kind of power source found.
pub(super) struct Found {
    pub(super) kind: &'static str,
    pub(super) summary: &'static str,
    pub(super) sources: Vec<Box<dyn PowerSource>>,
    pub(super) obstacles: Vec<Obstacle>,
}

/// Asks every kind of power source that needs no name what it finds below `root`. A meter that must be named is left in
/// peace: asking it could read standard input, start a program or wait for a network.
pub(super) fn survey(devices: &[Device], root: &Path, clock: WallClock) -> Vec<Found> {
    let context = ProbeContext {
        root: root.to_owned(),
        devices: devices.to_vec(),
        assume_watts: None,
        argument: None,
        clock: RunClock::Wall(clock),
        activity: None,
    };
    let open = |probe: &&crate::power::Probe| {
        let findings = (probe.open)(&context);
        let (sources, obstacles) = (findings.sources, findings.obstacles);
        Found { kind: probe.kind, summary: probe.summary, sources, obstacles }
    };
    let asked = PROBES.iter().filter(|probe| probe.automatic || probe.kind == estimate::PROBE.kind);
    let mut found: Vec<Found> = asked.map(open).collect();
    for one in &mut found {
        let sources = std::mem::take(&mut one.sources);
        one.sources = profiles::apply_quietly(sources, devices);
    }
    found
}

/// The whole answer, as JSON shows it.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    devices: Vec<Entry<'a>>,
    /// Sources that belong to no device.
    host_power: Vec<&'a SourceInfo>,
    obstacles: Vec<Trouble<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    device: &'a Device,
    power: Vec<&'a SourceInfo>,
}

#[derive(Debug, Serialize)]
struct Trouble<'a> {
    kind: &'a str,
    what: &'a str,
    why: &'a str,
    remedy: &'a str,
}

impl<'a> Listing<'a> {
    fn new(devices: &'a [Device], findings: &'a [Found]) -> Self {
        let sources: Vec<&SourceInfo> = findings.iter().flat_map(|found| &found.sources).map(|s| s.info()).collect();
        let of = |ordinal: Option<u32>| sources.iter().copied().filter(move |source| source.device == ordinal);
        let entry = |device: &'a Device| Entry { device, power: of(Some(device.ordinal)).collect() };
        let trouble = |found: &'a Found| {
            let one = |o: &'a Obstacle| Trouble { kind: found.kind, what: &o.what, why: &o.why, remedy: &o.remedy };
            found.obstacles.iter().map(one)
        };
        Self {
            devices: devices.iter().map(entry).collect(),
            host_power: of(None).collect(),
            obstacles: findings.iter().flat_map(trouble).collect(),
        }
    }

    fn text(&self) -> String {
        let mut blocks: Vec<String> = self.devices.iter().map(Entry::text).collect();
        if !self.host_power.is_empty() {
            let rows = self.host_power.iter().map(|source| [source.id.clone(), describe(source)]);
            blocks.push(format!("Power of the whole host\n{}", columns(rows)));
        }
        if !self.obstacles.is_empty() {
            let rows = self.obstacles.iter().map(|o| {
                let Trouble { kind, what, why, remedy } = o;
                [(*kind).to_owned(), format!("{what}: {why}\n→ {remedy}")]
            });
            blocks.push(format!("Sensors that cannot be used\n{}", columns(rows)));
        }
        blocks.join("\n")
    }
}

impl Entry<'_> {
    fn text(&self) -> String {
        let Device { ordinal, name, kind, backend, driver, driver_info, .. } = self.device;
        let pci = self.device.pci.as_ref().map_or("no PCI address", |pci| pci.as_str());
        let subgroup = self.device.subgroup;
        let sizes = if subgroup.min == subgroup.max {
            subgroup.min.to_string()
        } else {
            format!("{} to {}", subgroup.min, subgroup.max)
        };
        let mut rows = vec![
            ["driver".to_owned(), format!("{driver} {driver_info}, through {backend}")],
            ["subgroup".to_owned(), format!("{sizes} invocations")],
            ["features".to_owned(), features(self.device)],
            ["limits".to_owned(), limits(&self.device.limits)],
        ];
        if self.power.is_empty() {
            rows.push(["power".to_owned(), "no sensor found for this device; `wattmark doctor` says why".to_owned()]);
        }
        let powers =
            self.power.iter().map(|source| ["power".to_owned(), format!("{}: {}", source.id, describe(source))]);
        rows.extend(powers);
        format!("Device {ordinal}: {name} ({}, {kind}, {pci})\n{}", self.device.vendor(), columns(rows))
    }
}

fn features(device: &Device) -> String {
    let words: Vec<String> = device
        .features
        .iter()
        .map(|feature| match (feature, device.timestamp_period_ns) {
            (Feature::Timestamps, Some(period)) => format!("{feature} (1 tick = {period} ns)"),
            _ => feature.to_string(),
        })
        .collect();
    if words.is_empty() { "none of those that kernels can use".to_owned() } else { words.join(", ") }
}

fn limits(limits: &DeviceLimits) -> String {
    let [x, y, z] = limits.max_workgroup_size;
    format!(
        "buffer {}, binding {}, {} storage buffers; workgroup {} invocations ({x} x {y} x {z}), memory {}; \
         {} workgroups along each axis",
        human_bytes(limits.max_buffer_bytes),
        human_bytes(limits.max_binding_bytes),
        limits.max_storage_buffers,
        limits.max_invocations_per_workgroup,
        human_bytes(u64::from(limits.max_workgroup_memory_bytes)),
        limits.max_workgroups_per_dimension,
    )
}

/// Scope, evidence and channels of a source in one line.
fn describe(source: &SourceInfo) -> String {
    let energetic = source.channels.iter().filter(|channel| channel.quantity.is_energetic());
    let scopes: BTreeSet<Scope> = energetic.map(|channel| channel.scope).collect();
    let scopes: Vec<String> = scopes.iter().map(Scope::to_string).collect();
    let scope = if scopes.is_empty() { "no power".to_owned() } else { scopes.join(" and ") };
    let note = if source.note.is_empty() { String::new() } else { format!("\n{}", source.note) };
    let known = calibration(source).map(|text| format!("\n{text}")).unwrap_or_default();
    format!("{scope}, {}; {}{note}{known}", source.evidence, channels(source))
}

/// Whether the channels of a sensor were calibrated, and what was found; `None` for what is no sensor of power.
pub(super) fn calibration(source: &SourceInfo) -> Option<String> {
    let mut energetic = source.channels.iter().filter(|channel| channel.quantity.is_energetic()).peekable();
    if source.evidence != Evidence::Measured || energetic.peek().is_none() {
        return None;
    }
    let known: Vec<String> = energetic
        .filter_map(|channel| Some(format!("{}: {}", channel.id, report::profile_in_words(channel.profile.as_ref()?))))
        .collect();
    Some(match known.is_empty() {
        true => "not calibrated (`wattmark calibrate`)".to_owned(),
        false => format!("calibrated; {}", known.join("; ")),
    })
}

/// Quantities that a source reads, energetic ones first, each once.
pub(super) fn channels(source: &SourceInfo) -> String {
    let (energetic, other): (Vec<Quantity>, Vec<Quantity>) =
        source.channels.iter().map(|channel| channel.quantity).partition(|quantity| quantity.is_energetic());
    let mut words: Vec<&str> = energetic.into_iter().chain(other).map(words_of).collect();
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(*word));
    words.join(", ")
}

fn words_of(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::EnergyCounter => "energy counter",
        Quantity::InstantPower => "instant power",
        Quantity::AveragedPower => "averaged power",
        Quantity::Temperature => "temperature",
        Quantity::CoreClock => "core clock",
        Quantity::MemoryClock => "memory clock",
        Quantity::ThrottleReasons => "throttle reasons",
        Quantity::PowerThrottleTime => "time held by power",
        Quantity::ThermalThrottleTime => "time held by heat",
        Quantity::PowerLimit => "power limit",
        Quantity::Utilisation => "utilisation",
        Quantity::ProcessCount => "process count",
        Quantity::EccCorrected | Quantity::EccUncorrected => "memory errors",
        Quantity::PcieReplays => "PCIe replays",
        Quantity::DriverErrors => "driver errors",
    }
}

/// Two columns without lines, wrapped to the width of a table and indented.
fn columns(rows: impl IntoIterator<Item = [String; 2]>) -> String {
    let mut table = plain_table();
    table.add_rows(rows);
    format!("{}\n", table.trim_fmt())
}

/// A table without lines that wraps long cells.
pub(super) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table
}

/// Bytes with a binary prefix, for example `2.00 GiB`.
fn human_bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = (bytes.max(1).ilog2() / 10) as usize;
    match units.get(power) {
        Some(unit) if power > 0 => format!("{:.2} {unit}", bytes as f64 / 1024f64.powi(power as i32)),
        _ => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_carry_a_binary_prefix() {
        for (bytes, text) in [(0, "0 B"), (1023, "1023 B"), (48 << 10, "48.00 KiB"), (1 << 31, "2.00 GiB")] {
            assert_eq!(human_bytes(bytes), text);
        }
        assert_eq!(human_bytes(u64::MAX), "16.00 EiB");
    }

    struct Fake(SourceInfo);

    impl PowerSource for Fake {
        fn info(&self) -> &SourceInfo {
            &self.0
        }
        fn poll(&mut self, _: crate::clock::Nanoseconds, _: &mut [Option<f64>]) -> Result<(), crate::power::PollError> {
            Ok(())
        }
    }

    fn source(id: &str, device: Option<u32>, scope: Scope) -> Box<dyn PowerSource> {
        let channel = |quantity| crate::model::Channel::new(&format!("{quantity:?}"), quantity, scope);
        Box::new(Fake(SourceInfo {
            id: id.into(),
            kind: "fake".into(),
            device,
            evidence: crate::model::Evidence::Measured,
            note: "average over 1 s".into(),
            channels: [Quantity::Temperature, Quantity::InstantPower, Quantity::EnergyCounter].map(channel).into(),
        }))
    }

    #[test]
    fn a_device_shows_its_own_sensors_and_the_host_shows_the_others_once() {
        let devices = simulated_devices();
        let obstacle = Obstacle { what: "rapl".into(), why: "permission denied".into(), remedy: "sudo chmod".into() };
        let findings = [Found {
            kind: "fake",
            summary: "",
            sources: vec![source("fake:1", Some(1), Scope::Board), source("fake:host", None, Scope::WallAc)],
            obstacles: vec![obstacle],
        }];
        let text = Listing::new(&devices, &findings).text();
        let blocks: Vec<&str> = text.split("\n\n").collect();
        assert!(blocks[0].starts_with("Device 0") && blocks[0].contains("no sensor found"), "{text}");
        assert!(blocks[1].contains("fake:1: board, measured; instant power, energy counter, temperature"), "{text}");
        assert!(blocks[2].starts_with("Power of the whole host") && blocks[2].contains("wall AC, measured"), "{text}");
        assert!(blocks[3].contains("rapl: permission denied") && blocks[3].contains("→ sudo chmod"), "{text}");
        assert_eq!(text.matches("fake:host").count(), 1);
    }

    #[test]
    fn a_sensor_says_whether_it_was_calibrated_and_an_estimate_says_nothing_of_it() {
        let mut info = source("fake:1", Some(1), Scope::Board).info().clone();
        assert_eq!(calibration(&info).as_deref(), Some("not calibrated (`wattmark calibrate`)"));
        info.channels[1].profile = Some(crate::model::SensorProfile {
            response: crate::model::Response::PartTime { window_s: crate::units::Seconds::new(0.025) },
            update_period_s: crate::units::Seconds::new(0.1),
            delay_s: crate::units::Seconds::new(0.01),
            coverage: crate::units::Ratio::new(0.25),
            residual: crate::units::Ratio::new(0.01),
            measured: "2026-01-01T00:00:00Z".to_owned(),
        });
        let found = "calibrated; InstantPower: 100 ms updates, part-time 25.0 ms (25% seen), delay 10.0 ms";
        assert_eq!(calibration(&info).as_deref(), Some(found));
        info.evidence = Evidence::Estimated;
        assert_eq!(calibration(&info), None);
    }

    fn simulated_devices() -> Vec<Device> {
        use crate::gpu::simulated::{DeviceScript, Rate, SimulatedMachine};
        let rate = Rate::SecondsPerDispatch(crate::units::Seconds::new(1.0));
        let scripts = ["a", "b"].map(|name| DeviceScript::new(name, rate)).into();
        let oracle: crate::gpu::simulated::Oracle = std::sync::Arc::new(|_, _| Vec::new());
        SimulatedMachine::new(scripts, crate::clock::SimulatedClock::new(), Default::default(), oracle).devices()
    }
}
