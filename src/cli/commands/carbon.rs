//! `wattmark carbon`: carbon of a record at a site, over many regions, at other hours, behind a micro-grid; no GPU needed.
//!
//! What surprises people: `wattmark carbon RUN` is an account of its own, and `matrix`, `when` and `microgrid` are views
//! beside it; a record of such a name is reached as `./matrix`.

pub mod account;
pub mod matrix;
pub mod microgrid;
pub mod when;

use clap::Subcommand;

use crate::cli::{Console, Exit};

/// Arguments of `wattmark carbon`.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// Another view than the account of a record.
    #[command(subcommand)]
    pub view: Option<View>,
    /// The account of a record.
    #[command(flatten)]
    pub account: account::AccountArgs,
}

/// Views beside the account of a record.
#[derive(Debug, Clone, Subcommand)]
pub enum View {
    /// One measurement priced over all provinces, countries or US subregions.
    Matrix(Box<matrix::Args>),
    /// When to run: best and worst start on a series of carbon intensities.
    When(Box<when::Args>),
    /// A measured load against local generation and a battery, step by step.
    Microgrid(Box<microgrid::Args>),
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    match &args.view {
        None => account::run(&args.account, console),
        Some(View::Matrix(args)) => matrix::run(args, console),
        Some(View::When(args)) => when::run(args, console),
        Some(View::Microgrid(args)) => microgrid::run(args, console),
    }
}
