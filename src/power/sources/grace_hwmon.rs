//! NVIDIA Grace CPUs and superchips: the ACPI power meters that Linux shows as hwmon folders named `power_meter`.
//!
//! Formats after `Documentation/hwmon/acpi_power_meter.rst` of Linux and the power-telemetry section of NVIDIA's Grace
//! Performance Tuning Guide. What surprises people: the meters overlap. The module holds the Grace socket (and on Grace
//! Hopper the GPU and its memory), which holds the CPU and SysIO rails; none of them counts energy, so that power is
//! integrated; and other machines have `power_meter` folders too, of which nobody knows what they include.

use std::path::{Path, PathBuf};

use super::sysfs::{entries, read_line, read_number};
use crate::clock::Nanoseconds;
use crate::model::{Channel, Device, DeviceKind, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Ratio, Seconds, Watts};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "grace",
    summary: "power of NVIDIA Grace sockets and superchip modules (Linux hwmon of ACPI power meters)",
    automatic: true,
    open,
};

/// Systematic error taken as a prior until there are calibrations: NVIDIA states none for these meters.
const PRIOR_ERROR: Ratio = Ratio::new(0.10);
/// Shortest time between two readings: the meters' firmware offers averages over 50 ms and over 1 s, and the driver
/// asks it no faster than the shorter of the two.
const LEAST_INTERVAL: Seconds = Seconds::new(0.05);
/// Polls a second beyond which the meters bring nothing new: twice in each of their shortest intervals.
const USEFUL_HZ: f64 = 40.0;
const NVIDIA: u32 = 0x10de;

/// What a meter's label says that it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Module,
    Grace,
    Cpu,
    SysIo,
}

impl Area {
    const ALL: [Self; 4] = [Self::Module, Self::Grace, Self::Cpu, Self::SysIo];

    const fn label(self) -> &'static str {
        match self {
            Self::Module => "Module",
            Self::Grace => "Grace",
            Self::Cpu => "CPU",
            Self::SysIo => "SysIO",
        }
    }

    const fn scope(self) -> Scope {
        match self {
            Self::Module => Scope::Module,
            Self::Grace => Scope::Package,
            Self::Cpu | Self::SysIo => Scope::Chip,
        }
    }

    const fn includes(self) -> &'static str {
        match self {
            Self::Module => "the whole module: Grace, on a superchip the GPU with its memory, and regulator losses",
            Self::Grace => "the Grace socket, its rails and memory",
            Self::Cpu => "the CPU rail, a part of the Grace socket",
            Self::SysIo => "the SysIO rail, a part of the Grace socket",
        }
    }
}

/// One meter.
struct Meter {
    area: Area,
    socket: u32,
    power: PathBuf,
    interval: Option<Seconds>,
}

struct Grace {
    info: SourceInfo,
    meters: Vec<PathBuf>,
}

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    let meters = meters(&context.root);
    for area in Area::ALL {
        let of_area: Vec<&Meter> = meters.iter().filter(|meter| meter.area == area).collect();
        // Each module stands for itself, because it may hold a device; the rest is summed, as one figure of the host.
        let groups: Vec<Vec<&Meter>> = match area {
            Area::Module => of_area.iter().map(|meter| vec![*meter]).collect(),
            _ if of_area.is_empty() => Vec::new(),
            _ => vec![of_area.clone()],
        };
        for group in groups {
            match group.iter().try_for_each(|meter| first_reading(&meter.power)) {
                Ok(()) => {
                    let device = (area == Area::Module).then(|| held_device(&context.devices, of_area.len())).flatten();
                    findings.sources.push(Box::new(Grace::new(area, &group, device)));
                }
                Err(why) => findings.obstacles.push(Obstacle {
                    what: format!("{}:{}", PROBE.kind, area.label()),
                    why,
                    remedy: "check that the module acpi_power_meter is loaded and its files are readable".to_owned(),
                }),
            }
        }
    }
    findings
}

/// The meters of a machine whose labels are those of Grace, in order of area and socket.
fn meters(root: &Path) -> Vec<Meter> {
    let mut found: Vec<Meter> = Vec::new();
    for folder in entries(&root.join("sys/class/hwmon"), "hwmon") {
        if read_line(&folder.join("name")).as_deref() != Some("power_meter") {
            continue;
        }
        // Kernels differ in where the driver's files are: in the folder itself, or in that of its device.
        let folder = [folder.clone(), folder.join("device")].into_iter().find(|at| at.join("power1_average").exists());
        let Some(folder) = folder else { continue };
        let Some((area, socket)) = read_line(&folder.join("power1_oem_info")).and_then(|label| area_of(&label)) else {
            continue;
        };
        let interval = read_number(&folder.join("power1_average_interval")).ok().filter(|ms| *ms > 0.0);
        let interval = interval.map(|milliseconds| Seconds::new(milliseconds / 1e3));
        found.push(Meter { area, socket, power: folder.join("power1_average"), interval });
    }
    found.sort_by_key(|meter| (meter.area as u8, meter.socket));
    found
}

/// Area and socket of a label such as `Grace Power Socket 0`.
fn area_of(label: &str) -> Option<(Area, u32)> {
    let (area, socket) = label.trim().split_once(" Power Socket ")?;
    let area = Area::ALL.into_iter().find(|known| known.label() == area)?;
    Some((area, socket.trim().parse().ok()?))
}

fn first_reading(power: &Path) -> Result<(), String> {
    match read_number(power) {
        Ok(watts) if watts > 0.0 => Ok(()),
        Ok(_) => Err(format!("{} reads 0 W, which is no reading", power.display())),
        Err(error) => Err(error.to_string()),
    }
}

/// The device that a module holds: where there is one module and one NVIDIA device, there is no doubt.
fn held_device(devices: &[Device], modules: usize) -> Option<u32> {
    let is_gpu = |device: &&Device| device.vendor_id == NVIDIA && device.kind != DeviceKind::Software;
    let mut nvidia = devices.iter().filter(is_gpu);
    let only = nvidia.next().filter(|_| modules == 1 && nvidia.next().is_none());
    only.map(|device| device.ordinal)
}

impl Grace {
    fn new(area: Area, group: &[&Meter], device: Option<u32>) -> Self {
        let name = area.label().to_lowercase();
        let suffix = group.first().filter(|_| area == Area::Module).map(|meter| format!(":{}", meter.socket));
        let longest = |a: Seconds, b: Seconds| if b > a { b } else { a };
        let window = group.iter().try_fold(Seconds::new(0.0), |so_far, meter| Some(longest(so_far, meter.interval?)));
        let over = window.map_or("an unstated time".to_owned(), |window| format!("{} ms", window.get() * 1e3));
        let sockets = if group.len() > 1 { format!("sum of {} sockets; ", group.len()) } else { String::new() };
        let join = match (area, device) {
            (Area::Module, None) => "; belongs to no one device, because there are several modules or GPUs",
            _ => "",
        };
        Self {
            info: SourceInfo {
                id: format!("{}:{name}{}", PROBE.kind, suffix.unwrap_or_default()),
                kind: PROBE.kind.to_owned(),
                device,
                evidence: Evidence::Measured,
                note: format!("{sockets}{}; average over {over}{join}", area.includes()),
                channels: vec![Channel {
                    update_period_s: Some(LEAST_INTERVAL),
                    averaging_window_s: window,
                    stated_error: Some(PRIOR_ERROR),
                    ..Channel::new("power.average", Quantity::AveragedPower, area.scope())
                }],
            },
            meters: group.iter().map(|meter| meter.power.clone()).collect(),
        }
    }
}

impl PowerSource for Grace {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(USEFUL_HZ)
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let mut sum = Some(0.0);
        for meter in &self.meters {
            // A socket that reads nothing makes the sum a gap: half of it would pass for the whole.
            let watts = Some(Watts::from_microwatts(read_number(meter)?).get()).filter(|watts| *watts > 0.0);
            sum = sum.zip(watts).map(|(sum, watts)| sum + watts);
        }
        if let Some(slot) = values.first_mut() {
            *slot = sum;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_labels_of_grace_are_understood() {
        assert_eq!(area_of("Grace Power Socket 0"), Some((Area::Grace, 0)));
        assert_eq!(area_of("SysIO Power Socket 3"), Some((Area::SysIo, 3)));
        for other in ["", "Total Power", "Grace Power Socket x", "DRAM Power Socket 0"] {
            assert_eq!(area_of(other), None, "{other}");
        }
    }
}
