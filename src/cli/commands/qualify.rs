//! `wattmark qualify`: sustained load on every device, and a verdict on each of them.
//!
//! What surprises people: the segments in the folder are the facts, so that a verdict can be made again at any time with other
//! references (`--verdict`), and a load that was killed goes on where it stood (`--resume`).

mod again;
mod ask;
mod learn;
mod ledger;
mod measure;
mod outcome;
mod progress;
mod proof;
mod references;
mod resume;

use std::path::PathBuf;

use crate::cli::sensors::PowerArgs;
use crate::cli::{Console, Exit, text};
use crate::qualify::catalogue;

pub(super) use outcome::show;

/// Arguments of `wattmark qualify`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Length of the load, for example 30m (the default) or 2h.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with_all = ["quick", "burn_in"])]
    pub duration: Option<String>,
    /// Two minutes of load: indicative.
    #[arg(long, conflicts_with = "burn_in")]
    pub quick: bool,
    /// Hours of load, for example 24h, in long segments; after a crash or reboot --resume goes on with it.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub burn_in: Option<String>,
    /// Devices by number (see `wattmark devices`) or `all`; default: every hardware GPU, else the software adapter.
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    pub device: Vec<String>,
    /// Which sensors are read.
    #[command(flatten)]
    pub power: PowerArgs,
    /// What to say of this node, for example rack=r12; repeat it for more.
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,
    /// Folder below which a folder for this qualification is made.
    #[arg(long, env = "WATTMARK_RESULTS", value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Replace host name and serial numbers by hashes.
    #[arg(long)]
    pub redact: bool,
    /// Flip one bit of one output of each phase, to prove that the checks catch it; such a qualification never passes.
    #[arg(long)]
    pub inject_error: bool,
    /// Go on with a qualification that was killed or interrupted.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["duration", "quick", "burn_in", "device", "inject_error"]
    )]
    pub resume: Option<PathBuf>,
    /// Judge a qualification again from its segments, with the references given now; no GPU needed.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["duration", "quick", "burn_in", "device", "label", "inject_error", "resume"]
    )]
    pub verdict: Option<PathBuf>,
    /// Write what is normal into a profile, from the qualifications of known-good devices named by --from.
    #[arg(
        long,
        value_name = "FILE",
        requires = "from",
        conflicts_with_all = [
            "duration", "quick", "burn_in", "device", "label", "inject_error", "resume", "verdict", "profile", "history",
            "junit", "markdown", "openmetrics", "json", "strict"
        ]
    )]
    pub learn: Option<PathBuf>,
    /// Qualifications to learn from: their folders, or folders that hold such folders.
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "learn")]
    pub from: Vec<PathBuf>,
    /// Print every check with its code, its limit and why it is there, and stop.
    #[arg(long, exclusive = true)]
    pub list_checks: bool,
    /// What is normal for the model: a profile that --learn wrote.
    #[arg(long, value_name = "FILE", help_heading = "References")]
    pub profile: Option<PathBuf>,
    /// Earlier qualifications below this folder: a device is held against its own past.
    #[arg(long, value_name = "DIR", help_heading = "References")]
    pub history: Option<PathBuf>,
    /// End with exit code 6 at a warning too.
    #[arg(long, help_heading = "Reports")]
    pub strict: bool,
    /// Write the verdict as JSON to standard output, in place of the table.
    #[arg(long, help_heading = "Reports")]
    pub json: bool,
    /// Write the checks as JUnit XML.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Write the verdict as Markdown, for a ticket.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub markdown: Option<PathBuf>,
    /// Write grades and figures for node_exporter's textfile collector (name it *.prom).
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub openmetrics: Option<PathBuf>,
    /// Scripted devices and sensors in place of the machine's.
    #[arg(long, value_name = "FILE", hide = true)]
    pub simulate: Option<PathBuf>,
    /// Length of load after which a segment is closed.
    #[arg(long, value_name = "TIME", hide = true)]
    pub segment: Option<String>,
    /// Real time to wait after each segment, so that a test can kill a simulated load.
    #[arg(long, value_name = "TIME", hide = true)]
    pub slow: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    if args.list_checks {
        return list_checks(console);
    }
    outcome::check_targets(args)?;
    if let Some(target) = &args.learn {
        return learn::learn(target, &args.from, console);
    }
    if let Some(folder) = &args.verdict {
        return again::judge_again(args, folder, console);
    }
    match &args.resume {
        Some(folder) => resume::resume(args, folder, console),
        None => measure::afresh(args, console),
    }
}

fn list_checks(console: &mut Console) -> anyhow::Result<Exit> {
    for check in catalogue::all() {
        writeln!(console.out, "{}  {} ({})", check.code, check.title, check.group.name())?;
        for (label, words) in
            [("looks at", check.looks_at), ("limit", check.limit), ("because", check.reason), ("to do", check.action)]
        {
            write!(console.out, "{}", text::wrapped(&format!("     {label:<9}"), words))?;
        }
        writeln!(console.out)?;
    }
    Ok(Exit::Ok)
}
