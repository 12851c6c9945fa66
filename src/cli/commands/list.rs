//! `wattmark list`: list problems and kernel variants.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark list`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark list` is not built yet")
}
