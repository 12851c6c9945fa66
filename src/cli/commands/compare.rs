//! `wattmark compare`: compare two records case by case.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark compare` is not built yet")
}
