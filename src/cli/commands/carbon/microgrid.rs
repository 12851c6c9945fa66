//! `wattmark carbon microgrid`: a measured load against local generation and a battery.

use crate::cli::{Console, Exit, Failure};

/// Arguments of `wattmark carbon microgrid`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    Err(Failure::usage("not built yet").into())
}
