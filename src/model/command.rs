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
    /// Ordinal of the device that it used, where that is known; sensors of other devices then say nothing of it.
    pub device: Option<u32>,
    /// True if nobody named the device: it is the machine's only hardware GPU.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub device_assumed: bool,
    /// The case of a problem that one unit of its work amounts to, so that it stands beside our own kernels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equivalent: Option<Case>,
    /// Time before the first execution in which nothing ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Window>,
    /// True if a code other than 0 counts as success.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failure_allowed: bool,
    /// Its executions, in order of time.
    pub runs: Vec<CommandRun>,
    /// What weakens the figures.
    pub warnings: Vec<Warning>,
}

/// One execution of a metered program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommandRun {
    /// From its start to where the window begins, where a warm-up was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<Window>,
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
    /// The user ended the metering while it ran.
    Interrupted,
    /// No program ran: idle power was metered.
    Idle,
}

impl CommandExit {
    /// True if it ended the way it should, so that its figures stand.
    pub const fn succeeded(&self, failure_allowed: bool) -> bool {
        match self {
            Self::Code { code } => *code == 0 || failure_allowed,
            Self::Stopped | Self::Idle => true,
            Self::Signal { .. } | Self::Interrupted => false,
        }
    }
}

impl std::fmt::Display for CommandExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code { code } => write!(f, "code {code}"),
            Self::Signal { signal } => write!(f, "signal {signal}"),
            Self::Stopped => f.write_str("stopped when the metered time was over"),
            Self::Interrupted => f.write_str("interrupted by the user"),
            Self::Idle => f.write_str("idle"),
        }
    }
}

impl CommandMeasurement {
    /// The executions whose figures stand: those that ended the way they should; where none did, all of them.
    pub fn counted(&self) -> Vec<&CommandRun> {
        let good: Vec<&CommandRun> = self.runs.iter().filter(|run| run.exit.succeeded(self.failure_allowed)).collect();
        if good.is_empty() { self.runs.iter().collect() } else { good }
    }
    /// True if no execution ended the way it should; figures then say only what was drawn meanwhile.
    pub fn failed(&self) -> bool {
        !self.runs.iter().any(|run| run.exit.succeeded(self.failure_allowed))
    }
    /// True if no program ran.
    pub fn is_idle(&self) -> bool {
        self.command.is_empty()
    }
}

/// An amount of work of which nothing was verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ForeignWork {
    /// Unit in the singular: `flop`, `op`, `byte`, `token`, `execution`, or any word of the user's.
    pub unit: String,
    /// How many.
    pub amount: f64,
    /// The pattern that found the amount in the program's output; `None` where the user declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}
