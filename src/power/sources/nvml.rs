//! NVIDIA boards through NVML: the only file that says `nvml_wrapper`.
//!
//! Two sources per board: power and energy, and slower telemetry. Only the whole-board scope (0) is read; the module and
//! memory scopes of fields 185 and 186 need a call that the safe wrapper does not offer. What surprises people:
//! `nvmlDeviceGetPowerUsage` is an average over 1 s on most boards since Ampere, the "instant" field of GA100 and GH100
//! sees 25 ms of every 100 ms, and a reading of 0 W means that there is none.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

use nvml_wrapper::enum_wrappers::device::{Clock, PerformancePolicy, TemperatureSensor};
use nvml_wrapper::enums::device::{DeviceArchitecture, SampleValue};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::{Device as Board, Nvml};

use crate::clock::Nanoseconds;
use crate::model::{Channel, Device, Evidence, PciAddress, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Joules, NANOSECONDS_PER_SECOND, Ratio, Seconds, Watts};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "nvml",
    summary: "power, energy, clocks, temperature and throttling of NVIDIA boards (driver library NVML)",
    automatic: true,
    open,
};

/// Average power of the board in milliwatts (nvml.h: NVML_FI_DEV_POWER_AVERAGE).
const FIELD_AVERAGE: u32 = 185;
/// Instant power of the board in milliwatts (nvml.h: NVML_FI_DEV_POWER_INSTANT).
const FIELD_INSTANT: u32 = 186;
/// Polls a second beyond which NVML brings nothing new: twice its update rate of 10 Hz. Faster polling has been seen
/// to return zeros.
const USEFUL_HZ: f64 = 20.0;
/// Polls a second for clocks, temperature and throttling.
const TELEMETRY_HZ: f64 = 5.0;
/// Systematic gain taken as a prior: errors of −6 % to +11 %, mostly within ±5 %, in arXiv:2312.02741; NVIDIA's own ±5 %
/// covers Fermi and Kepler only.
const PRIOR_ERROR: Ratio = Ratio::new(0.05);
/// Averaging window of average power (arXiv:2312.02741).
const AVERAGE_WINDOW: Seconds = Seconds::new(1.0);
/// Update period of all boards but Pascal and Volta (arXiv:2312.02741).
const UPDATE_PERIOD: Seconds = Seconds::new(0.1);

/// Where the driver puts its library, besides the loader's own path.
const LIBRARY_PATHS: &[&str] = &[
    "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib64/libnvidia-ml.so.1",
    "/usr/lib/libnvidia-ml.so.1",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
    "/run/opengl-driver/lib/libnvidia-ml.so.1",
    "C:\\Program Files\\NVIDIA Corporation\\NVSMI\\nvml.dll",
];

/// Loads the library once per process; boards borrow it for as long as the process lives.
fn library() -> Result<&'static Nvml, &'static NvmlError> {
    static LIBRARY: OnceLock<Result<Nvml, NvmlError>> = OnceLock::new();
    let load = || {
        let mut outcome = Nvml::init();
        for path in LIBRARY_PATHS.iter().map(Path::new).filter(|path| path.exists()) {
            if !matches!(outcome, Err(NvmlError::LibloadingError(_))) {
                break;
            }
            outcome = Nvml::builder().lib_path(OsStr::new(path)).init();
        }
        outcome
    };
    LIBRARY.get_or_init(load).as_ref()
}

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    // A replaced root is a test's tree of files; a library is no such file.
    if context.root != Path::new("/") {
        return findings;
    }
    let expected = context.devices.iter().any(|device| device.vendor_id == 0x10de);
    match library() {
        Ok(nvml) => open_boards(nvml, context, &mut findings),
        Err(NvmlError::LibloadingError(_)) if !expected => {}
        Err(error) => {
            let remedy = match error {
                NvmlError::LibloadingError(_) => {
                    "install the driver's libnvidia-ml.so.1 (package libnvidia-compute-*, \
                     or run the container with --gpus all and the `utility` capability)"
                }
                NvmlError::NoPermission => "give this user access to /dev/nvidiactl and /dev/nvidia*",
                _ => "check that `nvidia-smi` works; reload or reinstall the NVIDIA driver if it does not",
            };
            findings.obstacles.push(obstacle("libnvidia-ml.so.1", error.to_string(), remedy));
        }
    }
    findings
}

fn obstacle(what: &str, why: String, remedy: &str) -> Obstacle {
    Obstacle { what: what.to_owned(), why, remedy: remedy.to_owned() }
}

fn open_boards(nvml: &'static Nvml, context: &ProbeContext, findings: &mut Findings) {
    let count = nvml.device_count().unwrap_or(0);
    for index in 0..count {
        let identified = nvml.device_by_index(index).and_then(|board| Ok((board.pci_info()?.bus_id, board)));
        let (bus_id, board) = match identified {
            Ok(found) => found,
            Err(error) => {
                let remedy = "check `nvidia-smi`; a board that has fallen off the bus needs a reboot";
                findings.obstacles.push(obstacle(&format!("NVML board {index}"), error.to_string(), remedy));
                continue;
            }
        };
        let Ok(pci) = bus_id.parse::<PciAddress>() else { continue };
        let Some(device) = device_of(&context.devices, &pci, count) else { continue };
        match power_source(board, &pci, device) {
            Some(source) => findings.sources.push(Box::new(source)),
            None => findings.obstacles.push(obstacle(
                &format!("nvml:{pci}"),
                "the board gives neither power nor energy".to_owned(),
                "MIG slices and some virtual GPUs have no power reading: measure the whole board from its host",
            )),
        }
        if let Some(source) = nvml.device_by_index(index).ok().and_then(|board| telemetry(board, &pci, device)) {
            findings.sources.push(Box::new(source));
        }
    }
}

/// The device at an address; the only NVIDIA device without an address where there is but one board.
fn device_of<'a>(devices: &'a [Device], pci: &PciAddress, boards: u32) -> Option<&'a Device> {
    let exact = devices.iter().find(|device| device.pci.as_ref() == Some(pci));
    exact.or_else(|| {
        let mut nvidia = devices.iter().filter(|device| device.vendor_id == 0x10de);
        let only = nvidia.next().filter(|device| device.pci.is_none())?;
        (boards == 1 && nvidia.next().is_none()).then_some(only)
    })
}

/// How a board's fastest power reading looks at the world.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sensor {
    update_period: Seconds,
    window: Option<Seconds>,
    /// `nvmlDeviceGetPowerUsage` is this same reading, not an average over 1 s.
    usage_is_instant: bool,
}

/// Sensor behaviour by generation, after the table of arXiv:2312.02741. H200 is taken as GH100; Blackwell is unmeasured.
fn sensor(architecture: &DeviceArchitecture, name: &str) -> Sensor {
    let is_ga100 = ["A100", "A30", "A800"]
        .iter()
        .any(|chip| name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == *chip));
    let of = |update: f64, window: Option<f64>, usage_is_instant| Sensor {
        update_period: Seconds::new(update),
        window: window.map(Seconds::new),
        usage_is_instant,
    };
    match architecture {
        DeviceArchitecture::Pascal | DeviceArchitecture::Volta => of(0.02, Some(0.01), true),
        DeviceArchitecture::Turing => of(0.1, Some(0.1), true),
        DeviceArchitecture::Ampere if is_ga100 => of(0.1, Some(0.025), true),
        DeviceArchitecture::Ampere | DeviceArchitecture::Ada => of(0.1, Some(0.1), false),
        DeviceArchitecture::Hopper => of(0.1, Some(0.025), false),
        DeviceArchitecture::Kepler | DeviceArchitecture::Maxwell => of(0.1, None, true),
        DeviceArchitecture::Blackwell | DeviceArchitecture::Unknown => of(0.1, None, false),
    }
}

/// One reading; each is tried once when the board is opened and left out if it is not supported.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Read {
    Field(u32),
    PowerUsage,
    Energy,
    CoreClock,
    MemoryClock,
    Temperature,
    Throttle,
    PowerViolation,
    ThermalViolation,
    Limit,
    DefaultLimit,
    Processes,
}

impl Read {
    /// Reads a value in the channel's unit; `None` where the driver gives an empty one.
    fn take(self, board: &Board<'_>) -> Result<Option<f64>, NvmlError> {
        let milliwatts = |value: u32| Some(Watts::from_milliwatts(f64::from(value)).get()).filter(|watts| *watts > 0.0);
        let seconds = |nanoseconds: u64| Some(nanoseconds as f64 / NANOSECONDS_PER_SECOND);
        let hertz = |megahertz: u32| Some(f64::from(megahertz) * 1e6);
        Ok(match self {
            Self::Field(id) => {
                let mut samples = board.field_values_for(&[FieldId(id)])?;
                let sample = samples.pop().ok_or(NvmlError::NotSupported)??;
                Some(Watts::from_milliwatts(number(&sample.value?)).get()).filter(|watts| *watts > 0.0)
            }
            Self::PowerUsage => milliwatts(board.power_usage()?),
            Self::Energy => Some(Joules::from_millijoules(board.total_energy_consumption()? as f64).get()),
            Self::CoreClock => hertz(board.clock_info(Clock::SM)?),
            Self::MemoryClock => hertz(board.clock_info(Clock::Memory)?),
            Self::Temperature => Some(f64::from(board.temperature(TemperatureSensor::Gpu)?)),
            Self::Throttle => Some(board.current_throttle_reasons()?.bits() as f64),
            Self::PowerViolation => seconds(board.violation_status(PerformancePolicy::Power)?.violation_time),
            Self::ThermalViolation => seconds(board.violation_status(PerformancePolicy::Thermal)?.violation_time),
            Self::Limit => milliwatts(board.enforced_power_limit()?),
            Self::DefaultLimit => milliwatts(board.power_management_limit_default()?),
            Self::Processes => {
                let mut processes: Vec<u32> =
                    board.running_compute_processes()?.iter().map(|process| process.pid).collect();
                processes.extend(board.running_graphics_processes()?.iter().map(|process| process.pid));
                processes.sort_unstable();
                processes.dedup();
                Some(processes.len() as f64)
            }
        })
    }
}

fn number(value: &SampleValue) -> f64 {
    match value {
        SampleValue::F64(value) => *value,
        SampleValue::U32(value) => f64::from(*value),
        SampleValue::U64(value) => *value as f64,
        SampleValue::I64(value) => *value as f64,
    }
}

/// One board, polled for some of its readings.
struct Source {
    info: SourceInfo,
    board: Board<'static>,
    reads: Vec<Read>,
    hz: f64,
}

fn channel(id: &str, quantity: Quantity, update: Option<Seconds>, window: Option<Seconds>) -> Channel {
    Channel {
        update_period_s: update,
        averaging_window_s: window,
        stated_error: quantity.is_energetic().then_some(PRIOR_ERROR),
        ..Channel::new(id, quantity, Scope::Board)
    }
}

fn power_source(board: Board<'static>, pci: &PciAddress, device: &Device) -> Option<Source> {
    let architecture = board.architecture().unwrap_or(DeviceArchitecture::Unknown);
    let sensor = sensor(&architecture, &board.name().unwrap_or_default());
    // A power reading may fail once and be there again: it is the answer "not supported" that leaves it out.
    let has = |read: Read| {
        !matches!(
            read.take(&board),
            Err(NvmlError::NotSupported | NvmlError::InvalidArg | NvmlError::FailedToLoadSymbol(_))
        )
    };
    let instant = channel("power.instant", Quantity::InstantPower, Some(sensor.update_period), sensor.window);
    let average = channel("power.average", Quantity::AveragedPower, Some(UPDATE_PERIOD), Some(AVERAGE_WINDOW));
    let mut found: Vec<(Read, Channel)> = Vec::new();
    let has_instant = has(Read::Field(FIELD_INSTANT));
    if has_instant {
        found.push((Read::Field(FIELD_INSTANT), instant.clone()));
    }
    if has(Read::Field(FIELD_AVERAGE)) {
        found.push((Read::Field(FIELD_AVERAGE), average));
    } else if has(Read::PowerUsage) {
        match (sensor.usage_is_instant, has_instant) {
            (true, false) => found.push((Read::PowerUsage, instant)),
            (true, true) => {}
            (false, _) => found.push((Read::PowerUsage, average)),
        }
    }
    if has(Read::Energy) {
        found.push((Read::Energy, channel("energy", Quantity::EnergyCounter, Some(UPDATE_PERIOD), None)));
    }
    if found.is_empty() {
        return None;
    }
    let part_time = match sensor.window {
        Some(window) if window < sensor.update_period => {
            let seen = (window / sensor.update_period * 100.0).round();
            format!("the instant reading sees {seen} % of the time; ")
        }
        _ => String::new(),
    };
    let note = format!(
        "whole board; {part_time}windows and periods after arXiv:2312.02741 for {architecture:?}, gain of 5 % as a prior"
    );
    let (reads, channels) = found.into_iter().unzip();
    let info = SourceInfo {
        id: format!("{}:{pci}", PROBE.kind),
        kind: PROBE.kind.to_owned(),
        device: Some(device.ordinal),
        evidence: Evidence::Measured,
        note,
        channels,
    };
    Some(Source { info, board, reads, hz: USEFUL_HZ })
}

fn telemetry(board: Board<'static>, pci: &PciAddress, device: &Device) -> Option<Source> {
    let candidates = [
        (Read::CoreClock, "clock.core", Quantity::CoreClock),
        (Read::MemoryClock, "clock.memory", Quantity::MemoryClock),
        (Read::Temperature, "temperature", Quantity::Temperature),
        (Read::Throttle, "throttle.reasons", Quantity::ThrottleReasons),
        (Read::PowerViolation, "throttle.power", Quantity::PowerThrottleTime),
        (Read::ThermalViolation, "throttle.thermal", Quantity::ThermalThrottleTime),
        (Read::Limit, "power.limit", Quantity::PowerLimit),
        (Read::DefaultLimit, "power.limit.default", Quantity::PowerLimit),
        (Read::Processes, "processes", Quantity::ProcessCount),
    ];
    let answering = candidates.into_iter().filter(|(read, ..)| read.take(&board).is_ok());
    let (reads, channels): (Vec<Read>, Vec<Channel>) =
        answering.map(|(read, id, quantity)| (read, channel(id, quantity, None, None))).unzip();
    let info = SourceInfo {
        id: format!("nvml-telemetry:{pci}"),
        kind: PROBE.kind.to_owned(),
        device: Some(device.ordinal),
        evidence: Evidence::Measured,
        note: "throttle reasons are NVML's bits: 1 idle, 2 clock setting, 4 power cap, 8 hardware slowdown, 16 sync \
               boost, 32 software thermal, 64 hardware thermal, 128 power brake, 256 display; processes include this one"
            .to_owned(),
        channels,
    };
    (!reads.is_empty()).then_some(Source { info, board, reads, hz: TELEMETRY_HZ })
}

impl PowerSource for Source {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(self.hz)
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let mut failure = None;
        let mut answered = false;
        for (read, slot) in self.reads.iter().zip(values) {
            match read.take(&self.board) {
                Ok(value) => (*slot, answered) = (value, true),
                Err(NvmlError::GpuLost) => {
                    return Err(PollError::Gone(format!("{}: the GPU has fallen off the bus", self.info.id)));
                }
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if !answered => Err(PollError::Transient(format!("{}: {error}", self.info.id))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_centre_chips_are_part_time_and_their_gaming_siblings_are_not() {
        let ampere = DeviceArchitecture::Ampere;
        let a100 = sensor(&ampere, "NVIDIA A100-SXM4-80GB");
        assert_eq!((a100.window, a100.usage_is_instant), (Some(Seconds::new(0.025)), true));
        let a10 = sensor(&ampere, "NVIDIA A10");
        assert_eq!((a10.window, a10.usage_is_instant), (Some(Seconds::new(0.1)), false));
        assert!(!sensor(&ampere, "NVIDIA RTX A3000").usage_is_instant);
        let h200 = sensor(&DeviceArchitecture::Hopper, "NVIDIA H200");
        assert_eq!((h200.window, h200.usage_is_instant), (Some(Seconds::new(0.025)), false));
    }

    #[test]
    fn a_generation_that_nobody_measured_claims_no_window_and_no_instant_usage() {
        let unknown = sensor(&DeviceArchitecture::Blackwell, "NVIDIA B200");
        assert_eq!((unknown.window, unknown.usage_is_instant), (None, false));
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
