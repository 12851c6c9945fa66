//! Exit codes, and errors that carry one.

use std::fmt;

/// How the process ends. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success (a broken pipe counts as success).
    Ok = 0,
    /// Something unforeseen.
    Unexpected = 1,
    /// Wrong arguments or configuration.
    Usage = 2,
    /// No usable device.
    NoDevice = 3,
    /// Outputs were wrong.
    VerificationFailed = 4,
    /// Measurement quality below what was required.
    Quality = 5,
    /// A stated limit or comparison rule was not met.
    Limit = 6,
    /// Unreadable or incompatible record.
    Record = 7,
    /// Interrupted; the partial record is saved.
    Interrupted = 130,
}

/// An error whose exit code is known.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    message: String,
}

impl Failure {
    /// An error with an exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
    /// Wrong arguments or configuration (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
    /// Unreadable or incompatible record (exit 7).
    pub fn record(message: impl Into<String>) -> Self {
        Self::new(Exit::Record, message)
    }
    /// No usable device (exit 3).
    pub fn no_device(message: impl Into<String>) -> Self {
        Self::new(Exit::NoDevice, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Exit code of an error: the code it carries, success for a broken pipe, 1 otherwise.
pub fn code_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe) {
            return Exit::Ok;
        }
    }
    Exit::Unexpected
}
