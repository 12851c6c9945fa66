//! `wattmark show`: a record or a qualification as a table.
//!
//! What surprises people: without a terminal the table is 120 columns wide and plain.

use std::path::PathBuf;

use crate::cli::accounting::SiteArgs;
use crate::cli::commands::{calibrate, qualify};
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure, layout, outcome};
use crate::measure::result::evaluate;
use crate::model::RunRecord;
use crate::report;
use crate::store;

/// Arguments of `wattmark show`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Run folder, run.json, the beginning of a run's name under ./results, or `latest`; or a qualification's folder.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Where the energy is accounted.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Print every warning with its case, instead of one line per kind.
    #[arg(long)]
    pub warnings: bool,
    /// Under which conditions each case was measured: throttling, clocks, temperature, power limit, time to steady.
    #[arg(long)]
    pub conditions: bool,
    /// Every power source side by side, over each case and the whole run.
    #[arg(long)]
    pub sources: bool,
    /// Which requirements of published measurement methods the run meets, line by line, and what is missing.
    #[arg(long)]
    pub claims: bool,
    /// Where the interval of each energy comes from: every term of its uncertainty budget.
    #[arg(long)]
    pub uncertainty: bool,
}

impl Args {
    /// The views that were asked for in place of the table; empty for the table.
    fn views(&self, record: &RunRecord, width: usize) -> Vec<String> {
        let mut views = Vec::new();
        if self.conditions {
            views.push(report::conditions_text(record, width));
        }
        if self.sources {
            views.push(report::sources_text(record, width));
        }
        if self.claims {
            views.push(report::claims_text(record, width));
        }
        if self.uncertainty {
            views.push(report::uncertainty_text(record, &evaluate(record), width));
        }
        views
    }
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    if store::is_qualification(&args.run) {
        return show_qualification(args, console);
    }
    let loaded = load(&args.run, console)?;
    let views = args.views(&loaded.record, layout::width(console));
    if !views.is_empty() {
        console.out.write_all(views.join("\n").as_bytes())?;
        return Ok(Exit::Ok);
    }
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

/// Prints the verdict as it was saved.
fn show_qualification(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    if args.conditions || args.sources || args.claims || args.uncertainty {
        let why = "it is a qualification. Those views are of its segments, for example segment-0001.json in its folder";
        return Err(Failure::usage(format!("cannot show this of {}: {why}", args.run.display())).into());
    }
    let loaded = store::read_qualification(&args.run).map_err(|error| Failure::record(error.to_string()))?;
    for warning in &loaded.warnings {
        console.note(&format!("wattmark: {}: {warning}", loaded.path.display()));
    }
    qualify::show(&loaded.qualification, console)?;
    Ok(Exit::Ok)
}
