//! `wattmark validate`: check a record strictly.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark validate`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark validate` is not built yet")
}
