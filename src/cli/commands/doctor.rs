//! `wattmark doctor`: check drivers, sensors and permissions, with a remedy for each finding.
//!
//! What surprises people: only the lack of a usable device is a failure. A missing sensor is a warning, because speed can
//! be measured without it.

mod host;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::devices::{Found, calibration, channels, plain_table, survey};
use crate::cli::{Console, Exit};
use crate::clock::{Clock, WallClock};
use crate::gpu::{Machine, WgpuMachine};
use crate::model::{Device, Evidence, Feature, Quantity, SourceInfo};
use crate::power::PROBES;

/// Arguments of `wattmark doctor`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Folder below which sensor trees are read.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub sensor_root: PathBuf,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// Fine.
    Pass,
    /// Figures will be weaker or missing.
    Warn,
    /// Nothing can be measured.
    Fail,
    /// Does not apply here.
    Skip,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        }
    }
}

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    outcome: Outcome,
    finding: String,
    /// One line that says what to do; only for warnings and failures.
    remedy: Option<String>,
}

impl Check {
    fn pass(name: impl Into<String>, finding: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: Outcome::Pass, finding: finding.into(), remedy: None }
    }
    fn skip(name: impl Into<String>, finding: impl Into<String>) -> Self {
        Self { outcome: Outcome::Skip, ..Self::pass(name, finding) }
    }
    fn warn(name: impl Into<String>, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { outcome: Outcome::Warn, remedy: Some(remedy.into()), ..Self::pass(name, finding) }
    }
    fn fail(name: impl Into<String>, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, ..Self::warn(name, finding, remedy) }
    }
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let clock = WallClock::start();
    let machine = WgpuMachine::discover(clock);
    let devices = machine.devices();
    let mut findings = survey(&devices, &args.sensor_root, clock);
    // Sensors are read before any device is opened, so that this process is not among those that use it.
    let readings = read_all(&mut findings, clock);
    let mut checks = device_checks(&machine, &devices, &args.sensor_root);
    checks.extend(findings.iter().flat_map(source_checks));
    checks.push(by_name(&findings));
    checks.push(measured_power(&devices, &findings));
    checks.push(other_processes(&readings));
    checks.push(power_cap(&readings));
    checks.push(host::containers(&args.sensor_root));
    checks.push(host::governor(&args.sensor_root));
    if args.json {
        serde_json::to_writer_pretty(&mut console.out, &serde_json::json!({ "checks": checks }))?;
        writeln!(console.out)?;
    } else {
        console.out.write_all(text(&checks).as_bytes())?;
    }
    let failed = checks.iter().any(|check| check.outcome == Outcome::Fail);
    Ok(match (failed, devices.is_empty()) {
        (_, true) => Exit::NoDevice,
        (true, false) => Exit::Unexpected,
        (false, false) => Exit::Ok,
    })
}

fn text(checks: &[Check]) -> String {
    let mut table = plain_table();
    for check in checks {
        let remedy = check.remedy.as_ref().map(|remedy| format!("\n→ {remedy}")).unwrap_or_default();
        table.add_row([check.outcome.word().to_owned(), check.name.clone(), format!("{}{remedy}", check.finding)]);
    }
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let (pass, warn, fail, skip) =
        (count(Outcome::Pass), count(Outcome::Warn), count(Outcome::Fail), count(Outcome::Skip));
    format!("{}\n\n{pass} passed, {warn} warned, {fail} failed, {skip} skipped\n", table.trim_fmt())
}

fn device_checks(machine: &WgpuMachine, devices: &[Device], root: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let names: Vec<String> = devices.iter().map(|device| format!("{} {}", device.ordinal, device.name)).collect();
    if devices.is_empty() {
        checks.push(Check::fail("adapters", "no GPU adapter found", host::driver_remedy(root)));
    } else {
        checks.push(Check::pass("adapters", names.join("; ")));
    }
    checks.push(if devices.is_empty() {
        Check::skip("hardware adapter", "no adapter")
    } else if devices.iter().all(Device::is_software) {
        let finding = "only a software adapter: its figures are those of the CPU";
        Check::warn("hardware adapter", finding, host::hardware_remedy(root))
    } else {
        let count = devices.iter().filter(|device| !device.is_software()).count();
        Check::pass("hardware adapter", format!("{count} of {}", devices.len()))
    });
    checks.push(host::unreached(root, devices));
    for device in devices {
        let name = format!("device {} opens", device.ordinal);
        checks.push(match machine.open(device.ordinal) {
            Ok(_) => Check::pass(name, device.name.clone()),
            Err(error) => {
                Check::fail(name, error.to_string(), "update the driver, and look into the kernel log (dmesg)")
            }
        });
    }
    let untimed: Vec<&str> = devices
        .iter()
        .filter(|device| !device.features.contains(&Feature::Timestamps))
        .map(|device| device.name.as_str())
        .collect();
    checks.push(match (devices.is_empty(), untimed.is_empty()) {
        (true, _) => Check::skip("timestamps", "no adapter"),
        (false, true) => Check::pass("timestamps", "every device times its own passes"),
        (false, false) => {
            let finding = format!("{} cannot time passes: the host's clock is used", untimed.join(", "));
            Check::warn("timestamps", finding, "update the driver; until then prefer long runs")
        }
    });
    checks
}

/// One check for each source and each obstacle of a kind of power source.
fn source_checks(found: &Found) -> Vec<Check> {
    let name = format!("power: {}", found.kind);
    let pass = |source: &SourceInfo| {
        let owner = source.device.map_or("host".to_owned(), |ordinal| format!("device {ordinal}"));
        let known = calibration(source).map(|text| format!("\n{text}")).unwrap_or_default();
        Check::pass(&name, format!("{} ({owner}, {}): {}{known}", source.id, source.evidence, channels(source)))
    };
    let mut checks: Vec<Check> = found.sources.iter().map(|source| pass(source.info())).collect();
    let obstacle = |o: &crate::power::Obstacle| Check::warn(&name, format!("{}: {}", o.what, o.why), o.remedy.clone());
    checks.extend(found.obstacles.iter().map(obstacle));
    if checks.is_empty() {
        checks.push(Check::skip(&name, format!("none found: {}", found.summary)));
    }
    checks
}

/// Kinds of meters that answer only when they are named, and so were not asked.
fn by_name(findings: &[Found]) -> Check {
    let asked = |kind: &str| findings.iter().any(|found| found.kind == kind);
    let kinds: Vec<&str> = PROBES.iter().map(|probe| probe.kind).filter(|kind| !asked(kind)).collect();
    Check::skip("meters by name", format!("not asked; name one with --power: {}", kinds.join(", ")))
}

/// Whether each hardware device has a sensor of its own from which energy can be had.
fn measured_power(devices: &[Device], findings: &[Found]) -> Check {
    let name = "measured power";
    let sensed = |device: &&Device| {
        findings.iter().flat_map(|found| &found.sources).map(|source| source.info()).any(|source| {
            source.device == Some(device.ordinal)
                && source.evidence == Evidence::Measured
                && source.channels.iter().any(|channel| channel.quantity.is_energetic())
        })
    };
    let hardware: Vec<&Device> = devices.iter().filter(|device| !device.is_software()).collect();
    let blind: Vec<&str> =
        hardware.iter().filter(|device| !sensed(device)).map(|device| device.name.as_str()).collect();
    match (hardware.len(), blind.is_empty()) {
        (0, _) => Check::skip(name, "no hardware device"),
        (count, true) => Check::pass(name, format!("a sensor for each of {count}")),
        (_, false) => {
            let finding = format!("no sensor for {}: joules will be missing", blind.join(", "));
            Check::warn(name, finding, "see the power lines above, or give --assume-watts to declare a figure")
        }
    }
}

/// One value of one channel at one instant.
struct Reading {
    source: SourceInfo,
    channel: String,
    quantity: Quantity,
    value: f64,
}

/// Polls every source once; what cannot be read is left out.
fn read_all(findings: &mut [Found], clock: WallClock) -> Vec<Reading> {
    let mut readings = Vec::new();
    for source in findings.iter_mut().flat_map(|found| &mut found.sources) {
        let info = source.info().clone();
        let mut values = vec![None; info.channels.len()];
        if source.poll(clock.now(), &mut values).is_err() {
            continue;
        }
        let read = info.channels.iter().zip(values);
        readings.extend(read.filter_map(|(channel, value)| {
            let (source, channel, quantity) = (info.clone(), channel.id.clone(), channel.quantity);
            value.map(|value| Reading { source, channel, quantity, value })
        }));
    }
    readings
}

fn other_processes(readings: &[Reading]) -> Check {
    let name = "other processes";
    let counts: Vec<&Reading> = readings.iter().filter(|r| r.quantity == Quantity::ProcessCount).collect();
    let busy: Vec<String> = counts
        .iter()
        .filter(|reading| reading.value > 0.0)
        .map(|reading| format!("{} on {}", reading.value, reading.source.id))
        .collect();
    match (counts.is_empty(), busy.is_empty()) {
        (true, _) => Check::skip(name, "no sensor counts them"),
        (false, true) => Check::pass(name, "none uses a GPU"),
        (false, false) => {
            let remedy = "end them or wait (nvidia-smi lists them): their work and their watts would be counted";
            Check::warn(name, busy.join(", "), remedy)
        }
    }
}

/// Channel by which a source states the power limit that the board came with.
const DEFAULT_LIMIT: &str = "power.limit.default";

fn power_cap(readings: &[Reading]) -> Check {
    let name = "power cap";
    let limits = readings.iter().filter(|r| r.quantity == Quantity::PowerLimit && r.channel != DEFAULT_LIMIT);
    let pairs: Vec<(&Reading, f64)> = limits
        .filter_map(|limit| {
            let same = |r: &&Reading| r.channel == DEFAULT_LIMIT && r.source.id == limit.source.id;
            readings.iter().find(same).map(|default| (limit, default.value))
        })
        .collect();
    // Limits are set in whole watts; half a watt is rounding.
    let capped: Vec<String> = pairs
        .iter()
        .filter(|(limit, default)| limit.value < default - 0.5)
        .map(|(limit, default)| format!("{}: {:.0} W of {default:.0} W", limit.source.id, limit.value))
        .collect();
    match (pairs.is_empty(), capped.is_empty()) {
        (true, _) => Check::skip(name, "no sensor tells the limit and its default"),
        (false, true) => Check::pass(name, "at the default"),
        (false, false) => {
            Check::warn(name, capped.join(", "), "sudo nvidia-smi -pl WATTS, or report it with the figures")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(channel: &str, quantity: Quantity, value: f64) -> Reading {
        let source = SourceInfo {
            id: "nvml:0".into(),
            kind: "nvml".into(),
            device: Some(0),
            evidence: Evidence::Measured,
            note: String::new(),
            channels: Vec::new(),
        };
        Reading { source, channel: channel.into(), quantity, value }
    }

    #[test]
    fn a_limit_below_its_default_is_a_warning() {
        let limit = |value| reading("power.limit", Quantity::PowerLimit, value);
        let default = || reading(DEFAULT_LIMIT, Quantity::PowerLimit, 700.0);
        let capped = power_cap(&[limit(500.0), default()]);
        assert_eq!((capped.outcome, capped.finding.as_str()), (Outcome::Warn, "nvml:0: 500 W of 700 W"));
        assert_eq!(power_cap(&[limit(700.0), default()]).outcome, Outcome::Pass);
        assert_eq!(power_cap(&[limit(500.0)]).outcome, Outcome::Skip);
    }

    #[test]
    fn processes_on_a_gpu_are_a_warning_and_an_unread_count_is_no_zero() {
        let count = |value| reading("processes", Quantity::ProcessCount, value);
        assert_eq!(other_processes(&[count(2.0)]).outcome, Outcome::Warn);
        assert_eq!(other_processes(&[count(0.0)]).outcome, Outcome::Pass);
        assert_eq!(other_processes(&[]).outcome, Outcome::Skip);
    }
}
