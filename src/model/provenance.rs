//! Where a record comes from: the tool, the machine, the command line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The build of wattmark that wrote a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tool {
    /// Version from Cargo.toml.
    pub version: String,
    /// Git commit, if built from a checkout.
    pub commit: Option<String>,
    /// Whether the checkout had uncommitted changes; `None` if unknown.
    pub dirty: Option<bool>,
    /// Compiler.
    pub rustc: String,
    /// Build profile (`release`, `debug`).
    pub profile: String,
    /// Versions of libraries that shape a result (`wgpu`, `naga`).
    pub libraries: BTreeMap<String, String>,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Host {
    /// Host name, or `redacted-` and a short hash of it.
    pub hostname: String,
    /// Operating system and release, for example `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Kernel release.
    pub kernel: Option<String>,
    /// CPU model.
    pub cpu: Option<String>,
    /// Logical CPUs that this process may use.
    pub logical_cpus: u32,
    /// Main memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Container technology, if one was recognised.
    pub container: Option<String>,
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Provenance {
    /// The tool.
    pub tool: Tool,
    /// The machine.
    pub host: Host,
    /// Command line, as typed.
    pub argv: Vec<String>,
    /// True if host name and serial numbers were removed.
    pub redacted: bool,
    /// Driver details by device ordinal that wgpu does not tell (VBIOS, power cap, serial), as the power sources state them.
    pub device_details: BTreeMap<u32, BTreeMap<String, String>>,
}
