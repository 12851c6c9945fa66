//! `wattmark schema`: print the JSON Schema of a record.

use crate::cli::{Console, Exit};

/// Arguments of `wattmark schema`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    anyhow::bail!("`wattmark schema` is not built yet")
}
