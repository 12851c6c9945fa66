//! `wattmark claim`: sentences of a site or a vendor, checked.

use crate::cli::{Console, Exit, Failure};

/// Arguments of `wattmark claim`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Site file with a [claims] table.
    pub site: std::path::PathBuf,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    Err(Failure::usage("not built yet").into())
}
