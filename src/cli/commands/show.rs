//! `wattmark show`: show a record as a table.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark show`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark show` is not built yet")
}
