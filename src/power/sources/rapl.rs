//! Energy of the CPU by domain, from Linux's powercap tree (Intel RAPL, and AMD's compatible counters).
//!
//! Each domain is a source of its own, summed over all packages: packages (the headline), and beside it memory, cores,
//! uncore and platform, which are never added to it. What surprises people: the tree overlaps itself. `psys` holds the
//! packages, a package holds its cores, `intel-rapl-mmio` shows the same package again, and on AMD the dies of a package may
//! all show the whole package. Since Linux 5.10 only root may read any of it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::sysfs::{NumberFile, entries, failure, read_line, read_number};
use super::unwrap::Unwrap;
use crate::clock::Nanoseconds;
use crate::model::{Channel, DeviceKind, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Joules, Ratio, Seconds};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "rapl",
    summary: "energy counters of CPU packages, memory, cores, uncore and platform (Linux powercap: Intel and AMD)",
    automatic: true,
    open,
};

/// The counters advance about every millisecond (Intel Software Developer's Manual, volume 3B, chapter on RAPL).
const UPDATE_PERIOD: Seconds = Seconds::new(0.001);
/// Systematic error taken as a prior until there are calibrations: neither maker states one for these counters.
const PRIOR_ERROR: Ratio = Ratio::new(0.10);
/// What makes the counters readable; the same line stands in the documentation of this source.
const REMEDY: &str = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj (until the next boot; any user can then \
observe the power of the machine)";

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Domain {
    Packages,
    Memory,
    Cores,
    Uncore,
    Platform,
}

impl Domain {
    /// All of them, the headline first.
    const ALL: [Self; 5] = [Self::Packages, Self::Memory, Self::Cores, Self::Uncore, Self::Platform];

    /// The domain of a powercap zone, by its name (Linux, `drivers/powercap/intel_rapl_common.c`).
    fn of(zone: &str) -> Option<Self> {
        match zone {
            "dram" => Some(Self::Memory),
            "core" => Some(Self::Cores),
            "uncore" => Some(Self::Uncore),
            "psys" => Some(Self::Platform),
            package if package.starts_with("package-") => Some(Self::Packages),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Memory => "dram",
            Self::Cores => "cores",
            Self::Uncore => "uncore",
            Self::Platform => "psys",
        }
    }

    const fn scope(self) -> Scope {
        match self {
            Self::Packages => Scope::Package,
            Self::Memory => Scope::Memory,
            Self::Cores | Self::Uncore => Scope::Chip,
            Self::Platform => Scope::HostDc,
        }
    }

    fn note(self, zones: usize) -> String {
        match self {
            Self::Packages => {
                format!("sum of {zones} CPU package(s); without memory, board, fans and power supply")
            }
            Self::Memory => {
                format!("memory of {zones} CPU package(s); a domain of its own, not added to the packages")
            }
            Self::Cores => format!("cores of {zones} CPU package(s), which are part of the packages"),
            Self::Uncore => {
                format!("uncore of {zones} CPU package(s), mostly integrated graphics, which is part of the packages")
            }
            Self::Platform => {
                "platform: what the maker of the mainboard wired to it, packages included; often without \
                               cards that have supplies of their own"
                    .to_owned()
            }
        }
    }
}

/// A powercap zone.
struct Zone {
    folder: PathBuf,
    /// Its own name after those of the zones above it, for example `package-0/dram`: unique in a machine.
    path: String,
    domain: Domain,
}

struct Counter {
    energy: NumberFile,
    unwrap: Unwrap,
}

struct Rapl {
    info: SourceInfo,
    counters: Vec<Counter>,
}

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    let zones = zones(&context.root);
    let mut denied = false;
    // Nothing says whether a card is in the platform's figure, which would stand for the card where nothing else does.
    let has_card = context.devices.iter().any(|device| device.kind == DeviceKind::Discrete);
    for domain in Domain::ALL.into_iter().filter(|domain| *domain != Domain::Platform || !has_card) {
        let mut counters = Vec::new();
        let mut failures = Vec::new();
        for zone in zones.iter().filter(|zone| zone.domain == domain) {
            let energy = zone.folder.join("energy_uj");
            match std::fs::read_to_string(&energy) {
                // A part that is not wired up counts nothing; a package is watched all the same, and found frozen.
                Ok(text) if text.trim() == "0" && domain != Domain::Packages => {}
                Ok(_) => {
                    let range = read_number(&zone.folder.join("max_energy_range_uj")).ok();
                    counters.push(Counter { energy: NumberFile::new(energy), unwrap: Unwrap::new(range) });
                }
                Err(error) => failures.push((energy, error)),
            }
        }
        if let Some((energy, error)) = failures.first() {
            // One command opens all domains; saying it once is enough.
            let is_denied = error.kind() == ErrorKind::PermissionDenied;
            if !(is_denied && denied) {
                findings.obstacles.push(obstacle(energy, error, failures.len()));
            }
            denied |= is_denied;
        } else if !counters.is_empty() {
            // A sum that lacks a package would pass for the whole host, so that it is made only where all can be read.
            findings.sources.push(Box::new(Rapl { info: info(domain, counters.len()), counters }));
        }
    }
    findings
}

/// The zones whose counters may be added within their domain: each shown once.
fn zones(root: &Path) -> Vec<Zone> {
    let powercap = root.join("sys/class/powercap");
    let is_amd = is_amd(root);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    // The prefix leaves `intel-rapl-mmio:0` out, which shows package 0 a second time.
    for folder in entries(&powercap, "intel-rapl:") {
        let Some(name) = read_line(&folder.join("name")) else { continue };
        let Some(domain) = Domain::of(&name) else { continue };
        let number = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let parent = number.rsplit_once(':').filter(|(parent, _)| parent.contains(':'));
        let parent = parent.and_then(|(parent, _)| read_line(&powercap.join(parent).join("name")));
        let is_top = parent.is_none();
        if is_top != matches!(domain, Domain::Packages | Domain::Platform) {
            continue;
        }
        // AMD counts cores one by one, and the zone shows the first of them alone.
        if is_amd && domain == Domain::Cores {
            continue;
        }
        let whole = |zone: &str| match zone.split_once("-die-") {
            // On AMD there is one counter for a package, and each die shows it; Intel counts each die by itself.
            Some((package, _)) if is_amd => package.to_owned(),
            _ => zone.to_owned(),
        };
        let path = parent.map_or_else(|| whole(&name), |parent| format!("{}/{name}", whole(&parent)));
        if seen.insert(path.clone()) {
            found.push(Zone { folder, path, domain });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn is_amd(root: &Path) -> bool {
    let text = std::fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    let vendor = text.lines().find(|line| line.starts_with("vendor_id")).unwrap_or_default();
    vendor.contains("AuthenticAMD") || vendor.contains("HygonGenuine")
}

fn obstacle(energy: &Path, error: &std::io::Error, count: usize) -> Obstacle {
    let denied = error.kind() == ErrorKind::PermissionDenied;
    let remedy = if denied { REMEDY } else { "check that the host lets this container see /sys/class/powercap" };
    let more = if count > 1 { format!(" (and {} more like it)", count - 1) } else { String::new() };
    Obstacle {
        what: energy.display().to_string(),
        why: format!("{}{more}", failure(energy, error)),
        remedy: remedy.to_owned(),
    }
}

fn info(domain: Domain, zones: usize) -> SourceInfo {
    let id = format!("energy.{}", domain.name());
    SourceInfo {
        id: format!("{}:{}", PROBE.kind, domain.name()),
        kind: PROBE.kind.to_owned(),
        device: None,
        evidence: Evidence::Measured,
        note: domain.note(zones),
        channels: vec![Channel {
            update_period_s: Some(UPDATE_PERIOD),
            stated_error: Some(PRIOR_ERROR),
            ..Channel::new(&id, Quantity::EnergyCounter, domain.scope())
        }],
    }
}

impl PowerSource for Rapl {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let mut sum = Some(0.0);
        for counter in &mut self.counters {
            let total = counter.unwrap.total(counter.energy.read(now)?);
            sum = sum.zip(total).map(|(sum, total)| sum + total);
        }
        if let Some(slot) = values.first_mut() {
            *slot = sum.map(|microjoules| Joules::from_microjoules(microjoules).get());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_permission_is_answered_with_the_command_that_grants_it() {
        let denied = std::io::Error::from_raw_os_error(13);
        let found = obstacle(Path::new("/sys/class/powercap/intel-rapl:0/energy_uj"), &denied, 2);
        assert!(found.why.contains("/sys/class/powercap/intel-rapl:0/energy_uj: Permission denied"), "{}", found.why);
        assert!(found.why.ends_with("(and 1 more like it)"), "{}", found.why);
        assert!(found.remedy.starts_with("sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"));
    }
}
