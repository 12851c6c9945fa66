//! Watts where no sensor exists: declared by the user, or estimated from CPU time for a software adapter.
//!
//! Never beside a measured source of the same device. What surprises people: an estimate is not a worse measurement but
//! another thing; it is marked as such everywhere, gets no interval, and two estimates say nothing about two machines.

use std::path::PathBuf;

use super::sysfs::failure;
use crate::clock::{Clock, Nanoseconds};
use crate::model::{Channel, Device, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Seconds, Watts};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "estimate",
    summary: "declared watts (--assume-watts), or CPU time × watts per core for a software adapter; never measured",
    automatic: false,
    open,
};

/// Power of one fully used vCPU: 3.5 W, the average of the processors of AWS by SPECpower, from the methodology of
/// Cloud Carbon Footprint (<https://www.cloudcarbonfootprint.org/docs/methodology/>, "Average Max Watts"; the same page
/// gives 3.76 W for Azure and 4.26 W for Google Cloud).
pub const WATTS_PER_VCPU: Watts = Watts::new(3.5);
/// Length of a tick in /proc/self/stat: 1/USER_HZ, which Linux fixes at 100 for user space on x86 and Arm.
const TICK: Seconds = Seconds::new(0.01);
/// Polls a second: ten ticks a poll keep the derived power from jumping between multiples of a core.
const USEFUL_HZ: f64 = 10.0;

fn open(context: &ProbeContext) -> Findings {
    for_devices(context, &|_| true)
}

/// Declared or estimated sources for the devices that `wanted` accepts.
pub(crate) fn for_devices(context: &ProbeContext, wanted: &dyn Fn(&Device) -> bool) -> Findings {
    let mut findings = Findings::default();
    let mut devices = context.devices.iter().filter(|device| wanted(device));
    if let Some(watts) = context.assume_watts {
        if context.devices.is_empty() {
            findings.sources.push(Box::new(Declared::of_host(watts)));
            return findings;
        }
        findings
            .sources
            .extend(devices.map(|device| -> Box<dyn PowerSource> { Box::new(Declared::new(device, watts)) }));
        return findings;
    }
    // The CPU time is the whole process's, so it stands for one software adapter at most.
    let Some(device) = devices.find(|device| device.is_software()) else { return findings };
    let stat = context.root.join("proc/self/stat");
    match cpu_seconds(&stat) {
        Ok(_) => findings.sources.push(Box::new(CpuTime::new(device, stat, context.clock.now()))),
        Err(error) => findings.obstacles.push(Obstacle {
            what: stat.display().to_string(),
            why: error.to_string(),
            remedy: "declare the power yourself with --assume-watts WATTS".to_owned(),
        }),
    }
    findings
}

fn channel(id: &str, quantity: Quantity, scope: Scope, update: Option<Seconds>) -> Channel {
    let averaged = quantity == Quantity::AveragedPower;
    Channel {
        update_period_s: update,
        averaging_window_s: update.filter(|_| averaged),
        ..Channel::new(id, quantity, scope)
    }
}

/// Power that the user stated.
struct Declared {
    info: SourceInfo,
    watts: Watts,
}

impl Declared {
    fn new(device: &Device, watts: Watts) -> Self {
        let scope = if device.is_software() { Scope::Package } else { Scope::Board };
        Self::within(&device.ordinal.to_string(), Some(device.ordinal), scope, watts)
    }

    /// Where no device takes part, a user knows the watts of the whole machine.
    fn of_host(watts: Watts) -> Self {
        Self::within("host", None, Scope::HostDc, watts)
    }

    fn within(name: &str, device: Option<u32>, scope: Scope, watts: Watts) -> Self {
        let info = SourceInfo {
            id: format!("{}:declared:{name}", PROBE.kind),
            kind: PROBE.kind.to_owned(),
            device,
            evidence: Evidence::Declared,
            note: format!("{} W declared by the user, the same at all times; nothing was measured", watts.get()),
            channels: vec![channel("power.declared", Quantity::InstantPower, scope, None)],
        };
        Self { info, watts }
    }
}

impl PowerSource for Declared {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    fn useful_hz(&self) -> Option<f64> {
        Some(USEFUL_HZ)
    }
    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        if let Some(slot) = values.first_mut() {
            *slot = Some(self.watts.get());
        }
        Ok(())
    }
}

/// Power estimated from the CPU time of this process.
struct CpuTime {
    info: SourceInfo,
    stat: PathBuf,
    last: (Nanoseconds, f64),
}

impl CpuTime {
    fn new(device: &Device, stat: PathBuf, now: Nanoseconds) -> Self {
        let energy = cpu_seconds(&stat).map_or(0.0, |seconds| (WATTS_PER_VCPU * seconds).get());
        let period = Some(Seconds::new(1.0 / USEFUL_HZ));
        let info = SourceInfo {
            id: format!("{}:cpu-time:{}", PROBE.kind, device.ordinal),
            kind: PROBE.kind.to_owned(),
            device: Some(device.ordinal),
            evidence: Evidence::Estimated,
            note: format!(
                "CPU time of this process × {} W per vCPU (Cloud Carbon Footprint methodology, \
                 AWS average of maximum watts)",
                WATTS_PER_VCPU.get()
            ),
            channels: vec![
                channel("power.estimated", Quantity::AveragedPower, Scope::Package, period),
                channel("energy.estimated", Quantity::EnergyCounter, Scope::Package, period),
            ],
        };
        Self { info, stat, last: (now, energy) }
    }
}

impl PowerSource for CpuTime {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    fn useful_hz(&self) -> Option<f64> {
        Some(USEFUL_HZ)
    }
    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let energy = WATTS_PER_VCPU * cpu_seconds(&self.stat)?;
        let (then, before) = self.last;
        let elapsed = now.since(then);
        if let [power, counter] = values {
            // Within a tick or two of the last poll the quotient would be noise.
            let known = elapsed.get() >= 2.0 * TICK.get();
            *power = known.then(|| (energy.get() - before) / elapsed.get());
            *counter = Some(energy.get());
        }
        self.last = (now, energy.get());
        Ok(())
    }
}

/// CPU time of a process so far (user and system), from its stat file.
fn cpu_seconds(stat: &std::path::Path) -> Result<Seconds, PollError> {
    let mut bytes = [0u8; 1024];
    let length = super::sysfs::read_bytes(stat, &mut bytes)?;
    let text = std::str::from_utf8(&bytes[..length]).unwrap_or_default();
    // The second field is the program's name in parentheses and may hold anything, spaces and parentheses too.
    let fields = text.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace());
    let mut times = fields.into_iter().flatten().skip(11).map(|field| field.parse::<f64>());
    match (times.next(), times.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok(TICK * (user + system)),
        _ => Err(failure(stat, &std::io::Error::other("it holds no CPU times"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_plus_system_whatever_the_program_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let stat = folder.path().join("stat");
        std::fs::write(&stat, "42 (odd) name) S 1 1 1 0 -1 4 0 0 0 0 1234 66 0 0 20 0 9 0 100 0 0").unwrap();
        assert!((cpu_seconds(&stat).unwrap().get() - 13.0).abs() < 1e-9);
    }

    #[test]
    fn a_stat_file_without_times_is_an_error_and_not_zero() {
        let folder = tempfile::tempdir().unwrap();
        let stat = folder.path().join("stat");
        std::fs::write(&stat, "42 (x) S 1").unwrap();
        assert!(matches!(cpu_seconds(&stat), Err(PollError::Transient(_))));
        assert!(matches!(cpu_seconds(&folder.path().join("none")), Err(PollError::Gone(_))));
    }
}
