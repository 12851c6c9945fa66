//! Devices that run compute kernels: the only room that says `wgpu`.
//!
//! [`Machine`] lists and opens devices; an open [`Accelerator`] holds one loaded [`Program`] and executes an in-order
//! stream of [`Job`]s, of which several may be in flight. `simulated` implements the same traits with scripted times,
//! so that the whole tool is tested exactly without a GPU. What surprises people: outputs are *poisoned* by a job of
//! the stream, and samples of them are read by another, so that measuring never drains the stream.

mod alignment;
mod enumerate;
mod fit;
mod hardware;
mod link;
mod quiet;
mod scan;
pub mod simulated;
mod timer;

use std::collections::BTreeSet;

pub use enumerate::WgpuMachine;
pub use quiet::silence_device_select;

use crate::clock::{Nanoseconds, RunClock};
use crate::model::{Case, Device, Feature, Scalar, Translation};

/// 32-bit word written over outputs before they are computed: a NaN as f32, and a NaN in both halves as f16.
pub const POISON_WORD: u32 = 0x7fc5_7fc5;

/// Whether a buffer is read or written by a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Bound as `var<storage, read>`.
    Input,
    /// Bound as `var<storage, read_write>`; poisoned before, verified after.
    Output,
    /// Bound as `var<storage, read_write>` for what one stage leaves to the next; poisoned before, never verified.
    Scratch,
}

/// One storage buffer; its index in [`Program::buffers`] is its binding number in group 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferSpec {
    /// Name for messages and labels.
    pub name: String,
    /// Size in bytes, a multiple of 4.
    pub bytes: u64,
    /// Type of its elements.
    pub element: Scalar,
    /// Read or written.
    pub role: Role,
}

/// One dispatch of an execution; the stages of a program run one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Entry point.
    pub entry: String,
    /// Workgroups along x, y and z.
    pub workgroups: [u32; 3],
}

/// Everything a device needs to run one case: pure data.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// The case it computes.
    pub case: Case,
    /// WGSL source, fully rendered.
    pub wgsl: String,
    /// How the source reaches the driver.
    pub translation: Translation,
    /// Dispatches of one execution, in order.
    pub stages: Vec<Stage>,
    /// Buffers in order of binding.
    pub buffers: Vec<BufferSpec>,
    /// Features the shader needs.
    pub requires: BTreeSet<Feature>,
}

/// Bytes of one buffer, `start..end`, both multiples of 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// Index of the buffer.
    pub buffer: usize,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// A unit of the device's in-order stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Run the loaded program, all its stages, this many times, in one timed pass.
    Run {
        /// Executions.
        dispatches: u32,
    },
    /// Overwrite every output and all scratch memory with [`POISON_WORD`].
    Poison,
    /// Copy bytes out; they arrive with the completion, in order of the ranges.
    Probe {
        /// What to copy.
        ranges: Vec<ByteRange>,
    },
}

/// A job in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A finished job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Instant at which the host saw it finished, on the run's clock.
    pub done_ns: Nanoseconds,
    /// Device time of the pass, from timestamps; `None` for other jobs or without timestamps.
    pub device_ns: Option<u64>,
    /// Bytes of a probe; empty for other jobs.
    pub bytes: Vec<u8>,
}

/// Result of scanning all outputs for words that were never overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoisonScan {
    /// 32-bit words looked at.
    pub words: u64,
    /// Words that still hold [`POISON_WORD`].
    pub poisoned: u64,
    /// Byte offset of the first such word in its output buffer.
    pub first: Option<u64>,
}

/// A failure of the device or of a program on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// No adapter that may be used.
    #[error("{0}")]
    NoDevice(String),
    /// The device lacks a feature.
    #[error("{case} needs {feature}, which {device} does not have")]
    MissingFeature {
        /// The case.
        case: String,
        /// The feature.
        feature: Feature,
        /// The device's name.
        device: String,
    },
    /// A buffer or dispatch beyond a limit.
    #[error("{what} needs {needed}, the limit of {device} is {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// What it needs, with unit.
        needed: String,
        /// The limit, with unit.
        limit: String,
        /// The device's name.
        device: String,
    },
    /// Allocation failed.
    #[error("cannot allocate {bytes} bytes for {what} on {device}: {reason}")]
    OutOfMemory {
        /// What was allocated.
        what: String,
        /// Bytes asked for.
        bytes: u64,
        /// The device's name.
        device: String,
        /// The driver's words.
        reason: String,
    },
    /// The shader does not compile.
    #[error("shader of {case} does not compile: {message}")]
    Compile {
        /// The case.
        case: String,
        /// The compiler's message.
        message: String,
    },
    /// The device was lost.
    #[error("device {device} was lost during {during}: {reason}")]
    Lost {
        /// The device's name.
        device: String,
        /// The job.
        during: String,
        /// The driver's words.
        reason: String,
    },
    /// Anything else.
    #[error("{during} failed on {device}: {reason}")]
    Other {
        /// The device's name.
        device: String,
        /// What was attempted.
        during: String,
        /// Why it failed.
        reason: String,
    },
}

/// Writes the initial contents of a buffer: called with a byte offset and the slice to fill, in order.
pub type Filler<'a> = dyn FnMut(u64, &mut [u8]) + 'a;

/// Takes the contents of an output: called with the buffer's index, a byte offset that is a multiple of 8, and bytes, in order.
pub type OutputReader<'a> = dyn FnMut(usize, u64, &[u8]) + 'a;

/// One open device with at most one loaded program.
pub trait Accelerator {
    /// The device.
    fn device(&self) -> &Device;
    /// Builds the pipeline and allocates the buffers of a program; the one before is dropped first.
    fn load(&mut self, program: &Program) -> Result<(), GpuError>;
    /// Writes an input buffer in chunks of bounded size, so that the host never holds a copy of it.
    fn fill(&mut self, buffer: usize, filler: &mut Filler<'_>) -> Result<(), GpuError>;
    /// Appends a job to the stream and returns at once.
    fn submit(&mut self, job: &Job) -> Result<Ticket, GpuError>;
    /// Waits for a job; jobs finish in order, and each ticket is waited for once.
    fn wait(&mut self, ticket: Ticket) -> Result<Completion, GpuError>;
    /// Reads every output once, hands its bytes to `reader` in order, and counts words that still hold the poison. The
    /// stream must be empty.
    fn read_outputs(&mut self, reader: &mut OutputReader<'_>) -> Result<PoisonScan, GpuError>;
    /// Counts words of all outputs that still hold the poison. The stream must be empty.
    fn scan_poison(&mut self) -> Result<PoisonScan, GpuError> {
        self.read_outputs(&mut |_, _, _| ())
    }
    /// True if [`Accelerator::read_outputs`] can give whole outputs of the loaded program; false where a simulated device would
    /// have to compute too many.
    fn has_whole_outputs(&self) -> bool {
        true
    }
    /// Overwrites one 32-bit word of a buffer, at a byte offset that is a multiple of 4. The stream must be empty.
    fn write_word(&mut self, buffer: usize, offset: u64, word: u32) -> Result<(), GpuError>;
    /// Drops the program and its buffers.
    fn unload(&mut self);
}

/// The devices of a machine, real or simulated.
pub trait Machine {
    /// Every device once, in a stable order; ordinals count from 0.
    fn devices(&self) -> Vec<Device>;
    /// Opens a device by ordinal, with its own limits and all features that kernels can use.
    fn open(&self, ordinal: u32) -> Result<Box<dyn Accelerator>, GpuError>;
    /// The clock that completions are stamped with.
    fn clock(&self) -> RunClock;
    /// True if times are scripted.
    fn is_simulated(&self) -> bool;
}
