//! `wattmark cost`: what the work of devices costs, and what moves that most.

use crate::cli::{Console, Exit, Failure};

/// Arguments of `wattmark cost`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose work, of which records.
    #[command(flatten)]
    pub subjects: crate::cli::subjects::SubjectArgs,
    /// Where the energy is used.
    #[command(flatten)]
    pub site: crate::cli::accounting::SiteArgs,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(_args: &Args, _console: &mut Console) -> anyhow::Result<Exit> {
    Err(Failure::usage("not built yet").into())
}
