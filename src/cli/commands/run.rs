//! `wattmark run`: run kernels, record power, account, chart.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark run`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark run` is not built yet")
}
