//! Energy of the CPU packages, from Linux's powercap tree (Intel RAPL, and AMD's compatible counters).
//!
//! All packages are summed into one channel, so that a host has one package figure. What surprises people: the tree
//! overlaps itself. `psys` holds the packages, a package holds its cores, and `intel-rapl-mmio` shows the same package a
//! second time; only top-level `package-*` domains are read. Since Linux 5.10 only root may read them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::sysfs::{entries, failure, read_line, read_number};
use super::unwrap::Unwrap;
use crate::clock::Nanoseconds;
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Joules, Ratio, Seconds};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "rapl",
    summary: "energy counters of the CPU packages (Linux powercap: Intel and AMD)",
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

struct Package {
    energy: PathBuf,
    unwrap: Unwrap,
}

struct Rapl {
    info: SourceInfo,
    packages: Vec<Package>,
}

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    let mut packages = Vec::new();
    for domain in entries(&context.root.join("sys/class/powercap"), "intel-rapl:") {
        let top_level = domain.file_name().is_some_and(|name| name.to_string_lossy().matches(':').count() == 1);
        if !top_level || !read_line(&domain.join("name")).is_some_and(|name| name.starts_with("package")) {
            continue;
        }
        let energy = domain.join("energy_uj");
        match std::fs::read_to_string(&energy) {
            Ok(_) => {
                let range = read_number(&domain.join("max_energy_range_uj")).ok();
                packages.push(Package { energy, unwrap: Unwrap::new(range) });
            }
            Err(error) => {
                findings.obstacles.push(obstacle(&energy, &error));
            }
        }
    }
    // A sum that lacks a package would pass for the whole host.
    if findings.obstacles.is_empty() && !packages.is_empty() {
        findings.sources.push(Box::new(Rapl { info: info(packages.len()), packages }));
    }
    findings
}

fn obstacle(energy: &Path, error: &std::io::Error) -> Obstacle {
    let denied = error.kind() == ErrorKind::PermissionDenied;
    let remedy = if denied { REMEDY } else { "check that the host lets this container see /sys/class/powercap" };
    Obstacle { what: energy.display().to_string(), why: failure(energy, error).to_string(), remedy: remedy.to_owned() }
}

fn info(packages: usize) -> SourceInfo {
    SourceInfo {
        id: "rapl:packages".to_owned(),
        kind: PROBE.kind.to_owned(),
        device: None,
        evidence: Evidence::Measured,
        note: format!("sum of {packages} CPU package(s); without memory, board, fans and power supply"),
        channels: vec![Channel {
            update_period_s: Some(UPDATE_PERIOD),
            stated_error: Some(PRIOR_ERROR),
            ..Channel::new("energy.packages", Quantity::EnergyCounter, Scope::Package)
        }],
    }
}

impl PowerSource for Rapl {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let mut sum = Some(0.0);
        for package in &mut self.packages {
            let total = package.unwrap.total(read_number(&package.energy)?);
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
        let found = obstacle(Path::new("/sys/class/powercap/intel-rapl:0/energy_uj"), &denied);
        assert!(found.why.contains("/sys/class/powercap/intel-rapl:0/energy_uj: Permission denied"), "{}", found.why);
        assert!(found.remedy.starts_with("sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"));
    }
}
