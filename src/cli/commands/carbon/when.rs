//! `wattmark carbon when`: best and worst start of a job on a series of carbon intensities.

use crate::cli::{Console, Exit, Failure};

/// Arguments of `wattmark carbon when`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The series.
    #[command(flatten)]
    pub series: crate::cli::series::SeriesArgs,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    Err(Failure::usage("not built yet").into())
}
