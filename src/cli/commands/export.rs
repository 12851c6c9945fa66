//! `wattmark export`: write a record as CSV, Markdown or JSON.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark export`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark export` is not built yet")
}
