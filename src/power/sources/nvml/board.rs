//! One NVIDIA board: which of its readings answer, and polling them.
//!
//! What surprises people: `nvmlDeviceGetPowerUsage` is an average over 1 s on most boards since Ampere; a superchip may
//! refuse the GPU's own scope and answer for the module of CPU and GPU alone; and the energy counter starts again when the
//! driver is reloaded.

use nvml_wrapper::Device as Board;
use nvml_wrapper::enum_wrappers::device::{Clock, PerformancePolicy, TemperatureSensor};
use nvml_wrapper::enums::device::DeviceArchitecture;
use nvml_wrapper::error::NvmlError;

use super::PROBE;
use super::fields::{Fields, PowerField, SCOPES};
use super::generation::Sensor;
use crate::clock::Nanoseconds;
use crate::model::{Channel, Device, Evidence, PciAddress, Quantity, Scope, SourceInfo};
use crate::power::sources::unwrap::Unwrap;
use crate::power::{PollError, PowerSource};
use crate::units::{Joules, NANOSECONDS_PER_SECOND, Ratio, Seconds, Watts};

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

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Read {
    /// A power field, by its index in [`Source::fields`].
    Field(usize),
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
    /// Reads a value in the channel's unit; `None` where the driver gives an empty one. Fields are read elsewhere.
    fn take(self, board: &Board<'_>) -> Result<Option<f64>, NvmlError> {
        let milliwatts = |value: u32| Some(Watts::from_milliwatts(f64::from(value)).get()).filter(|watts| *watts > 0.0);
        let seconds = |nanoseconds: u64| Some(nanoseconds as f64 / NANOSECONDS_PER_SECOND);
        let hertz = |megahertz: u32| Some(f64::from(megahertz) * 1e6);
        Ok(match self {
            Self::Field(_) => None,
            Self::PowerUsage => milliwatts(board.power_usage()?),
            // No board that is switched on has used nothing since its driver was loaded.
            Self::Energy => Some(Joules::from_millijoules(board.total_energy_consumption()? as f64).get())
                .filter(|joules| *joules > 0.0),
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

/// What a reading said when the board was opened.
type Answer = Result<Option<f64>, NvmlError>;

/// An answer that will not change: the board or its driver does not have this reading, or keeps it from this user.
/// Other failures may pass.
fn is_final(error: &NvmlError) -> bool {
    matches!(
        error,
        NvmlError::NotSupported | NvmlError::InvalidArg | NvmlError::FailedToLoadSymbol(_) | NvmlError::NoPermission
    )
}

fn may_answer(answer: &Answer) -> bool {
    !answer.as_ref().is_err_and(is_final)
}

fn has_value(answer: &Answer) -> bool {
    matches!(answer, Ok(Some(_)))
}

/// Asks for one field alone, so that one that is refused takes no other with it.
fn ask(board: &Board<'_>, field: PowerField) -> Answer {
    let mut fields = Fields::default();
    let index = fields.add(field);
    fields.refresh(board)?;
    fields.watts(index, Nanoseconds(0))
}

fn channel(id: &str, quantity: Quantity, scope: Scope) -> Channel {
    Channel { stated_error: quantity.is_energetic().then_some(PRIOR_ERROR), ..Channel::new(id, quantity, scope) }
}

/// The power and energy readings of a board while they are being found.
struct Found<'a> {
    board: &'a Board<'static>,
    sensor: Sensor,
    fields: Fields,
    reads: Vec<Read>,
    channels: Vec<Channel>,
    /// Why readings are missing, in words.
    missing: Vec<String>,
    answered: bool,
}

impl Found<'_> {
    fn add(&mut self, read: Read, answer: &Answer, channel: Channel) {
        self.answered |= has_value(answer);
        self.note(&channel.id, answer);
        self.reads.push(read);
        self.channels.push(channel);
    }

    fn note(&mut self, id: &str, answer: &Answer) {
        match answer {
            Ok(Some(_)) => {}
            Ok(None) => self.missing.push(format!("{id}: it reads 0")),
            Err(error) => self.missing.push(format!("{id}: {error}")),
        }
    }

    fn power_channel(&self, id: &str, quantity: Quantity, scope: Scope) -> Channel {
        let (update, window) = match quantity {
            Quantity::InstantPower => (self.sensor.update_period, self.sensor.window),
            _ => (UPDATE_PERIOD, Some(AVERAGE_WINDOW)),
        };
        Channel { update_period_s: Some(update), averaging_window_s: window, ..channel(id, quantity, scope) }
    }

    fn add_field(&mut self, field: PowerField, answer: &Answer) {
        let channel = self.power_channel(&field.channel_id(), field.quantity, field.scope);
        let index = self.fields.add(field);
        self.add(Read::Field(index), answer, channel);
    }

    /// The GPU's own scope. Where there is no average field, or it fails while the older call answers, that call
    /// stands for it.
    fn add_board_power(&mut self) {
        let field = |quantity| PowerField { quantity, scope: Scope::Board };
        let instant = ask(self.board, field(Quantity::InstantPower));
        let average = ask(self.board, field(Quantity::AveragedPower));
        let has_instant = may_answer(&instant);
        if has_instant {
            self.add_field(field(Quantity::InstantPower), &instant);
        } else {
            self.note("power.instant", &instant);
        }
        let usage = Read::PowerUsage.take(self.board);
        if may_answer(&average) && (has_value(&average) || !has_value(&usage)) {
            self.add_field(field(Quantity::AveragedPower), &average);
            return;
        }
        self.note("power.average", &average);
        let (id, quantity) = match (self.sensor.usage_is_instant, has_instant) {
            (true, true) => return,
            (true, false) => ("power.instant", Quantity::InstantPower),
            (false, _) => ("power.average", Quantity::AveragedPower),
        };
        if may_answer(&usage) {
            let channel = self.power_channel(id, quantity, Scope::Board);
            self.add(Read::PowerUsage, &usage, channel);
        } else {
            self.note("nvmlDeviceGetPowerUsage", &usage);
        }
    }

    /// Module and memory, where they answer with a reading of their own: a driver that ignores the scope would give the
    /// GPU's reading under another name.
    fn add_other_scopes(&mut self) {
        for (scope, _) in SCOPES.into_iter().filter(|(scope, _)| *scope != Scope::Board) {
            for quantity in [Quantity::InstantPower, Quantity::AveragedPower] {
                let both = (
                    ask(self.board, PowerField { quantity, scope: Scope::Board }),
                    ask(self.board, PowerField { quantity, scope }),
                );
                let is_own = !matches!(both, (Ok(gpu), Ok(other)) if gpu == other);
                if has_value(&both.1) && is_own {
                    self.add_field(PowerField { quantity, scope }, &both.1);
                }
            }
        }
    }
}

/// The power source of a board; an error says why each of its readings is missing.
pub(super) fn power_source(board: Board<'static>, pci: &PciAddress, device: &Device) -> Result<Source, String> {
    let architecture = board.architecture().unwrap_or(DeviceArchitecture::Unknown);
    let sensor = Sensor::of(&architecture, &board.name().unwrap_or_default());
    let mut found = Found {
        board: &board,
        sensor,
        fields: Fields::default(),
        reads: Vec::new(),
        channels: Vec::new(),
        missing: Vec::new(),
        answered: false,
    };
    found.add_board_power();
    found.add_other_scopes();
    let energy = Read::Energy.take(&board);
    let counter =
        Channel { update_period_s: Some(UPDATE_PERIOD), ..channel("energy", Quantity::EnergyCounter, Scope::Board) };
    if may_answer(&energy) {
        found.add(Read::Energy, &energy, counter);
    } else {
        found.note("energy", &energy);
    }
    if !found.answered {
        return Err(found.missing.join("; "));
    }
    let Found { fields, reads, channels, .. } = found;
    let info = SourceInfo {
        id: format!("{}:{pci}", PROBE.kind),
        kind: PROBE.kind.to_owned(),
        device: Some(device.ordinal),
        evidence: Evidence::Measured,
        note: note(&channels, &sensor, &architecture),
        channels,
    };
    Ok(Source { info, board, fields, reads, energy: Unwrap::new(None), hz: USEFUL_HZ, sensible_zero: false })
}

fn note(channels: &[Channel], sensor: &Sensor, architecture: &DeviceArchitecture) -> String {
    let has = |scope| channels.iter().any(|channel| channel.scope == scope);
    let mut parts: Vec<String> = Vec::new();
    parts.extend(has(Scope::Board).then(|| "board: the GPU and its circuitry, memory included".to_owned()));
    parts.extend(has(Scope::Module).then(|| "module: CPU and GPU together".to_owned()));
    parts.extend(has(Scope::Memory).then(|| "memory: part of the board".to_owned()));
    let has_instant = channels.iter().any(|channel| channel.quantity == Quantity::InstantPower);
    if let Some(percent) = sensor.seen_percent().filter(|_| has_instant) {
        parts.push(format!("the instant reading sees {percent} % of the time"));
    }
    parts.push(format!("windows and periods after arXiv:2312.02741 for {architecture:?}, gain of 5 % as a prior"));
    parts.join("; ")
}

/// Clocks, temperature, throttling, limits and processes of a board, where any of them answers.
pub(super) fn telemetry(board: Board<'static>, pci: &PciAddress, device: &Device) -> Option<Source> {
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
        answering.map(|(read, id, quantity)| (read, channel(id, quantity, Scope::Board))).unzip();
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
    (!reads.is_empty()).then_some(Source {
        info,
        board,
        fields: Fields::default(),
        reads,
        energy: Unwrap::new(None),
        hz: TELEMETRY_HZ,
        sensible_zero: true,
    })
}

/// One board, polled for some of its readings.
pub(super) struct Source {
    info: SourceInfo,
    board: Board<'static>,
    fields: Fields,
    reads: Vec<Read>,
    energy: Unwrap,
    hz: f64,
    /// Whether it may well have nothing to say for once.
    sensible_zero: bool,
}

impl PowerSource for Source {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(self.hz)
    }

    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        // Where the call as a whole fails, its values stay empty.
        let mut failure = self.fields.refresh(&self.board).err();
        let fields_fail = failure.is_some();
        let (mut answered, mut has_value) = (false, false);
        for (read, slot) in self.reads.iter().zip(values) {
            let outcome = match read {
                Read::Field(_) if fields_fail => continue,
                Read::Field(index) => self.fields.watts(*index, now),
                Read::Energy => {
                    // A counter that falls was reset: that poll is a gap, and counting goes on from the last total.
                    read.take(&self.board).map(|raw| raw.and_then(|raw| self.energy.total(raw)))
                }
                read => read.take(&self.board),
            };
            match outcome {
                Ok(value) => {
                    (*slot, answered) = (value, true);
                    has_value |= value.is_some();
                }
                Err(error) => {
                    failure = Some(error).filter(|_| !matches!(failure, Some(NvmlError::GpuLost))).or(failure)
                }
            }
        }
        match failure {
            Some(NvmlError::GpuLost) => {
                Err(PollError::Gone(format!("{}: the GPU has fallen off the bus", self.info.id)))
            }
            Some(error) if !answered => Err(PollError::Transient(format!("{}: {error}", self.info.id))),
            _ if has_value || self.sensible_zero => Ok(()),
            _ => Err(PollError::Transient(format!(
                "{}: the driver answers with 0 W or repeats an old value, which is no reading",
                self.info.id
            ))),
        }
    }
}
