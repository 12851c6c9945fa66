//! `wattmark plot`: draw the charts of a record.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark plot`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark plot` is not built yet")
}
