//! `wattmark doctor`: check drivers, sensors and permissions, with a remedy for each finding.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark doctor`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark doctor` is not built yet")
}
