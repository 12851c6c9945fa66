//! `wattmark ceilings`: what a device can do at most, measured with checked probes, with watts beside it.
//!
//! What surprises people: this is an ordinary run of the probes, with an ordinary record, so that `show`, `plot` and
//! `compare` work on it too.

use std::path::PathBuf;

use crate::cli::bench::TestBench;
use crate::cli::commands::{plot, run};
use crate::cli::profiles::ProfileArgs;
use crate::cli::{Console, Exit, layout, resolve};
use crate::figure;
use crate::measure::result::evaluate;
use crate::model::{Preset, RunRecord};
use crate::report;

/// Arguments of `wattmark ceilings`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Devices by number (see `wattmark devices`) or `all`; default: every hardware GPU, else the software adapter.
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    pub device: Vec<String>,
    /// Bundle of settings: quick (indicative), standard, publication.
    #[arg(long, value_parser = run::preset)]
    pub preset: Option<Preset>,
    /// Power sources: auto, none, or a list such as nvml,rapl or csv:meter.csv,scope=wall-ac.
    #[arg(long, value_name = "SOURCES")]
    pub power: Option<String>,
    /// Watts to assume where no sensor answers; figures are then marked as declared.
    #[arg(long, value_name = "WATTS", allow_negative_numbers = true)]
    pub assume_watts: Option<f64>,
    /// Accept any certificate of the power sources over HTTPS (as insecure=yes does for one of them).
    #[arg(long)]
    pub insecure: bool,
    /// What calibrations found of the sensors.
    #[command(flatten)]
    pub profiles: ProfileArgs,
    /// Seed of inputs and random gaps.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Folder for records and charts.
    #[arg(long, env = "WATTMARK_RESULTS", value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// Replace host name and serial numbers in the record by hashes.
    #[arg(long)]
    pub redact: bool,
    /// Configuration file; default: ./wattmark.toml if it exists. Its kernels and shapes do not count here.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the resolved plan with its expected duration, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Draw no charts.
    #[arg(long)]
    pub no_figures: bool,
    /// Scripted devices and sensors in place of the machine's.
    #[arg(long, value_name = "FILE", hide = true)]
    pub simulate: Option<PathBuf>,
    /// Folder below which sensors are read.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub sensor_root: PathBuf,
}

impl Args {
    /// The same, as options of a run.
    fn of_run(&self) -> run::Args {
        run::Args {
            preset: self.preset,
            device: self.device.clone(),
            power: self.power.clone(),
            assume_watts: self.assume_watts,
            insecure: self.insecure,
            profiles: self.profiles.clone(),
            seed: self.seed,
            results: self.results.clone(),
            redact: self.redact,
            config: self.config.clone(),
            dry_run: self.dry_run,
            no_figures: self.no_figures,
            simulate: self.simulate.clone(),
            sensor_root: self.sensor_root.clone(),
            ..run::Args::default()
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let options = args.of_run();
    let test_bench = TestBench::open(args.simulate.as_deref())?;
    let mut resolved = resolve::resolve_ceilings(&options, &test_bench, console)?;
    if args.dry_run {
        resolve::print_plan(&resolved, console)?;
        return Ok(Exit::Ok);
    }
    let (record, saved) = run::carry_out(&mut resolved, &test_bench, &options, console)?;
    let charts = if args.no_figures { Vec::new() } else { draw(&record, &saved)? };
    if args.json {
        serde_json::to_writer_pretty(&mut console.out, &report::ceilings_json(&record, &evaluate(&record)))?;
        writeln!(console.out)?;
    } else {
        write!(console.out, "{}", report::ceilings_text(&record, &evaluate(&record), layout::width(console)))?;
        writeln!(console.out, "\n{:<10}{}", "Record", saved.display())?;
        for chart in charts {
            writeln!(console.out, "{:<10}{}", "Chart", chart.display())?;
        }
    }
    console.out.flush()?;
    Ok(run::exit_of(&record, console))
}

/// Draws the bandwidth by size beside the record; returns the paths of the SVGs.
fn draw(record: &RunRecord, saved: &std::path::Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = saved.parent().map_or_else(|| PathBuf::from("."), std::path::Path::to_path_buf);
    let figures: Vec<figure::Figure> = figure::bandwidth(record, &evaluate(record)).into_iter().collect();
    let paths = if figures.is_empty() { Vec::new() } else { plot::write_figures(&figures, &folder)? };
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "svg")).collect())
}
