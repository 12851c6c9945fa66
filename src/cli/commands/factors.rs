//! `wattmark factors`: show grid emission factors with their full identity.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark factors`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark factors` is not built yet")
}
