//! `wattmark show`: a record as a table.
//!
//! What surprises people: without a terminal the table is 120 columns wide and plain.

use std::path::PathBuf;

use crate::cli::accounting::SiteArgs;
use crate::cli::commands::calibrate;
use crate::cli::records::load;
use crate::cli::{Console, Exit, outcome};
use crate::measure::result::evaluate;

/// Arguments of `wattmark show`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Run folder, run.json, the beginning of a run's name under ./results, or `latest`.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Where the energy is accounted.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Print every warning with its case, instead of one line per kind.
    #[arg(long)]
    pub warnings: bool,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let loaded = load(&args.run, console)?;
    if loaded.record.plan.cases.is_empty() && !loaded.record.calibrations.is_empty() {
        calibrate::show(&loaded.record, console)?;
        return Ok(Exit::Ok);
    }
    let result = evaluate(&loaded.record);
    let site = args.site.resolve(Some(&loaded.record.plan.account))?;
    let table = outcome::table(&loaded.record, &result, &site, args.warnings, console);
    console.out.write_all(table.as_bytes())?;
    Ok(Exit::Ok)
}
