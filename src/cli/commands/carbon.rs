//! `wattmark carbon`: recompute carbon from a record, without a GPU.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark carbon`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark carbon` is not built yet")
}
