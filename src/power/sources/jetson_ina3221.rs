//! NVIDIA Jetson boards: the INA3221 monitors on their supply rails, from hwmon.
//!
//! Formats after `Documentation/hwmon/ina3221.rst` of Linux: a label, millivolts and milliamperes for each of three
//! channels; power is their product. What surprises people: rails differ from board to board and overlap, so that each known
//! rail is a source of its own and unknown ones are left out; the GPU's rail often feeds other parts too; and the carrier
//! board lies outside all of them.

use std::path::{Path, PathBuf};

use super::sysfs::{entries, read_line, read_number};
use crate::clock::Nanoseconds;
use crate::model::{Channel, Device, DeviceKind, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Ratio, Seconds};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "jetson",
    summary: "power of the supply rails of NVIDIA Jetson boards (Linux hwmon of INA3221 monitors)",
    automatic: true,
    open,
};

/// Systematic error taken as a prior until there are calibrations: the monitor's own error is far below it, those of
/// the board's shunts are not stated.
const PRIOR_ERROR: Ratio = Ratio::new(0.10);
/// Channels of a monitor.
const CHANNELS: std::ops::RangeInclusive<u32> = 1..=3;
const NVIDIA: u32 = 0x10de;

/// What a rail feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feeds {
    Module,
    Gpu,
    Cpu,
    Memory,
}

/// Rails of known content, after their labels; which board has which stands in the table of the energymon project.
const RAILS: &[(&str, Feeds, &str)] = &[
    ("VDD_IN", Feeds::Module, "the whole module"),
    ("POM_5V_IN", Feeds::Module, "the whole module"),
    ("VDD_GPU_SOC", Feeds::Gpu, "GPU and SoC core"),
    ("VDD_CPU_GPU_CV", Feeds::Gpu, "CPU, GPU and computer-vision engines"),
    ("VDD_GPU", Feeds::Gpu, "GPU"),
    ("POM_5V_GPU", Feeds::Gpu, "GPU"),
    ("VDD_SYS_GPU", Feeds::Gpu, "GPU"),
    ("GPU", Feeds::Gpu, "GPU"),
    ("VDD_CPU_CV", Feeds::Cpu, "CPU and computer-vision engines"),
    ("POM_5V_CPU", Feeds::Cpu, "CPU"),
    ("VDD_SYS_CPU", Feeds::Cpu, "CPU"),
    ("CPU", Feeds::Cpu, "CPU"),
    ("VDDRQ", Feeds::Memory, "memory"),
    ("VDD_SYS_DDR", Feeds::Memory, "memory"),
];
/// Rails that together feed the whole module, on boards without one rail for it: AGX Orin and AGX Xavier (the table of
/// the energymon project, which names the largest scope of each board).
const MODULES: &[&[&str]] =
    &[&["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"], &["GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"]];

/// One channel of a monitor.
#[derive(Debug, Clone)]
struct Rail {
    label: String,
    millivolts: PathBuf,
    milliamperes: PathBuf,
    /// Time over which a reading is converted and averaged.
    interval: Option<Seconds>,
    /// Whether the monitor averages several conversions.
    is_averaged: bool,
}

impl Rail {
    fn watts(&self) -> Result<Option<f64>, PollError> {
        let watts = read_number(&self.millivolts)? * read_number(&self.milliamperes)? / 1e6;
        // A rail that feeds something running draws power; 0 W, or less, is no reading.
        Ok(Some(watts).filter(|watts| *watts > 0.0))
    }
}

struct Jetson {
    info: SourceInfo,
    rails: Vec<Rail>,
}

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    let rails = rails(&context.root);
    let device = integrated_gpu(&context.devices);
    let mut has_module = false;
    for (label, feeds, what) in RAILS {
        let Some(rail) = rails.iter().find(|rail| rail.label == *label) else { continue };
        match rail.watts() {
            Ok(Some(_)) => {
                has_module |= *feeds == Feeds::Module;
                let note = format!("rail {label}: {what}; without the carrier board");
                findings.sources.push(Box::new(Jetson::new(label, *feeds, note, vec![rail.clone()], device)));
            }
            outcome => findings.obstacles.push(obstacle(rail, outcome.err())),
        }
    }
    let together = MODULES.iter().find_map(|labels| {
        let find = |label: &&str| rails.iter().find(|rail| rail.label == **label).cloned();
        labels.iter().map(find).collect::<Option<Vec<Rail>>>()
    });
    if let Some(parts) = together.filter(|parts| !has_module && parts.iter().all(|rail| rail.watts().is_ok())) {
        let labels: Vec<&str> = parts.iter().map(|rail| rail.label.as_str()).collect();
        let note = format!("sum of the rails {}, which feed the module; without the carrier board", labels.join(" + "));
        findings.sources.insert(0, Box::new(Jetson::new("module", Feeds::Module, note, parts, device)));
    }
    findings
}

/// All channels of all monitors that have a label.
fn rails(root: &Path) -> Vec<Rail> {
    let mut found = Vec::new();
    for folder in entries(&root.join("sys/class/hwmon"), "hwmon") {
        if read_line(&folder.join("name")).as_deref() != Some("ina3221") {
            continue;
        }
        let interval = read_number(&folder.join("update_interval")).ok().filter(|milliseconds| *milliseconds > 0.0);
        let is_averaged = read_number(&folder.join("samples")).is_ok_and(|samples| samples > 1.0);
        for channel in CHANNELS {
            let Some(label) = read_line(&folder.join(format!("in{channel}_label"))) else { continue };
            if read_number(&folder.join(format!("in{channel}_enable"))).is_ok_and(|enabled| enabled == 0.0) {
                continue;
            }
            found.push(Rail {
                label,
                millivolts: folder.join(format!("in{channel}_input")),
                milliamperes: folder.join(format!("curr{channel}_input")),
                interval: interval.map(|milliseconds| Seconds::new(milliseconds / 1e3)),
                is_averaged,
            });
        }
    }
    found
}

/// The GPU of the board; none where it is in doubt.
fn integrated_gpu(devices: &[Device]) -> Option<u32> {
    let mut found = devices.iter().filter(|device| device.vendor_id == NVIDIA && device.kind == DeviceKind::Integrated);
    let only = found.next().filter(|_| found.next().is_none());
    only.map(|device| device.ordinal)
}

fn obstacle(rail: &Rail, error: Option<PollError>) -> Obstacle {
    let zero = || format!("{} reads 0 W, which is no reading", rail.milliamperes.display());
    Obstacle {
        what: format!("{}:{}", PROBE.kind, rail.label),
        why: error.map_or_else(zero, |error| error.to_string()),
        remedy: "check that the channel is enabled (in*_enable) and its files are readable".to_owned(),
    }
}

impl Jetson {
    fn new(name: &str, feeds: Feeds, note: String, rails: Vec<Rail>, device: Option<u32>) -> Self {
        let scope = match feeds {
            Feeds::Module => Scope::Module,
            Feeds::Gpu | Feeds::Cpu => Scope::Chip,
            Feeds::Memory => Scope::Memory,
        };
        let is_averaged = rails.iter().any(|rail| rail.is_averaged);
        let interval = rails.first().and_then(|rail| rail.interval);
        let (id, quantity) = if is_averaged {
            ("power.average", Quantity::AveragedPower)
        } else {
            ("power.instant", Quantity::InstantPower)
        };
        let period = if interval.is_some() { "" } else { "; update period unknown" };
        Self {
            info: SourceInfo {
                id: format!("{}:{name}", PROBE.kind),
                kind: PROBE.kind.to_owned(),
                // A rail that does not feed the GPU says nothing of it.
                device: device.filter(|_| matches!(feeds, Feeds::Module | Feeds::Gpu)),
                evidence: Evidence::Measured,
                note: format!("{note}{period}"),
                channels: vec![Channel {
                    update_period_s: interval,
                    averaging_window_s: interval.filter(|_| is_averaged),
                    stated_error: Some(PRIOR_ERROR),
                    ..Channel::new(id, quantity, scope)
                }],
            },
            rails,
        }
    }
}

impl PowerSource for Jetson {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let mut sum = Some(0.0);
        for rail in &self.rails {
            sum = sum.zip(rail.watts()?).map(|(sum, watts)| sum + watts);
        }
        if let Some(slot) = values.first_mut() {
            *slot = sum;
        }
        Ok(())
    }
}
