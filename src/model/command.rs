//! Programs that wattmark did not write but metered: what ran, when, and how much work it says it did.
//!
//! What surprises people: this work is foreign. Nothing of its output was verified, and its amount is what the user
//! declared or what the program printed, so a figure from it is always marked.

use serde::{Deserialize, Serialize};

use super::{Case, Warning, Window};

/// A program under the sampler, run once or several times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommandMeasurement {
    /// Name in tables and charts.
    pub label: String,
    /// Program and arguments; empty when idle power was metered.
    pub command: Vec<String>,
    /// Ordinal of the device that it used, where the user said so; sensors of other devices then say nothing of it.
    pub device: Option<u32>,
    /// The case of a problem that one unit of its work amounts to, so that it stands beside our own kernels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equivalent: Option<Case>,
    /// Its executions, in order of time.
    pub runs: Vec<CommandRun>,
    /// What weakens the figures.
    pub warnings: Vec<Warning>,
}

/// One execution of a metered program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommandRun {
    /// From its start to its end, or to the end of the time that was metered.
    pub window: Window,
    /// How it ended.
    pub exit: CommandExit,
    /// Work that it did; empty where none was stated.
    pub work: Vec<ForeignWork>,
}

/// How a metered program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum CommandExit {
    /// By itself, with a code.
    Code {
        /// The code; 0 is success.
        code: i32,
    },
    /// By a signal.
    Signal {
        /// Its number.
        signal: i32,
    },
    /// It still ran when the metered time was over, and was asked to stop.
    Stopped,
    /// No program ran: idle power was metered.
    Idle,
}

/// An amount of work of which nothing was verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ForeignWork {
    /// Unit: `flop`, `op`, `byte`, `token`, `execution`, or any word of the user's.
    pub unit: String,
    /// How many.
    pub amount: f64,
    /// The pattern that found the amount in the program's output; `None` where the user declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}
