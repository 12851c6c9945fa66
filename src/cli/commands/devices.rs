//! `wattmark devices`: list GPUs and the power source that belongs to each.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark devices`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark devices` is not built yet")
}
