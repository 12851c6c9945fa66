//! `wattmark fleet`: which devices of many nodes are off, and why.
//!
//! What surprises people: records that cannot be read are listed and do not end the command; the exit code is 0 even with
//! outliers, unless `--fail-on-outlier` asks for 6.

mod charts;
mod devices_csv;
mod markdown;
mod table;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use crate::cli::{Console, Exit, Failure};
use crate::fleet::{self, Asked, Fleet, Options, Rule, Source, gather};
use crate::report;

/// Files after which progress is told again.
const TOLD_EVERY: usize = 5000;

/// Arguments of `wattmark fleet`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folders with records (searched with all below), records, text files with one path a line, or - for such a list on
    /// standard input.
    #[arg(required = true, value_name = "DIR|LIST")]
    pub sources: Vec<PathBuf>,
    /// Put devices together by this label, by host or by model, and name those that are off together.
    #[arg(long, value_name = "LABEL")]
    pub by: Option<String>,
    /// Only metrics whose name fits, for example 'arithmetic.*'; repeat it for more.
    #[arg(long, value_name = "GLOB")]
    pub metric: Vec<String>,
    /// Least distance from the median that names a device, in percent (percentage points for shares, kelvin for °C).
    #[arg(long, value_name = "PERCENT", default_value = "5", allow_hyphen_values = true)]
    pub limit_percent: f64,
    /// Least robust score that names a device; both limits must be passed.
    #[arg(long, value_name = "SCORE", default_value = "3.5", allow_hyphen_values = true)]
    pub z: f64,
    /// Count every record of a device rather than its newest.
    #[arg(long)]
    pub all: bool,
    /// A record without an end that was not saved for so long is that of a process that is gone.
    #[arg(long, value_name = "TIME", default_value = "30m", allow_hyphen_values = true)]
    pub stale: String,
    /// Devices that the table lists at most.
    #[arg(long, value_name = "NUMBER", default_value = "20")]
    pub top: usize,
    /// End with exit code 6 if a device is off.
    #[arg(long)]
    pub fail_on_outlier: bool,
    /// Write JSON.
    #[arg(long, help_heading = "Reports")]
    pub json: bool,
    /// Write all devices with all their metrics as CSV.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub csv: Option<PathBuf>,
    /// Write the tables as Markdown.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub markdown: Option<PathBuf>,
    /// Draw two charts of each metric into this folder, with their numbers as CSV: the distribution over all devices, and the
    /// worst devices by name. Without --metric: a rate, an efficiency, the temperature, and what names devices.
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub plot: Option<PathBuf>,
    /// Write metrics of the fleet for Prometheus's node_exporter, in one step (textfile collector).
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub openmetrics: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let rule = rule(args)?;
    let stale = stale(&args.stale)?;
    let sources = sources(&args.sources)?;
    let asked = Asked { metrics: args.metric.clone() };
    let bar = console.err_is_terminal;
    let gathered = gather(&sources, &asked, Timestamp::now(), stale, &mut |count| {
        if bar && count % TOLD_EVERY == 0 {
            console.note(&format!("{count} files read"));
        }
    });
    if gathered.records.is_empty() {
        return Err(nothing(&gathered.unreadable));
    }
    if !args.metric.is_empty() && gathered.names.metrics().is_empty() {
        let given = args.metric.join("`, `");
        return Err(Failure::usage(format!(
            "no metric of {} records fits --metric `{given}`: leave it out to see their names",
            gathered.records.len()
        ))
        .into());
    }
    let options = Options { rule, by: args.by.clone(), all: args.all };
    let mut rows = args.csv.as_deref().map(|_| devices_csv::Rows::new(&gathered.names));
    let fleet = fleet::examine(&gathered, &options, &mut |record, entry, severity| {
        if let Some(rows) = &mut rows {
            rows.add(record, entry, severity);
        }
    })
    .map_err(|error| Failure::usage(error.to_string()))?;
    if let (Some(rows), Some(path)) = (rows, &args.csv) {
        save(path, rows.finish()?)?;
    }
    if let Some(path) = &args.markdown {
        save(path, markdown::render(&fleet, args.top).into_bytes())?;
    }
    if let Some(path) = &args.openmetrics {
        let read = Timestamp::now().as_millisecond() as f64 / 1000.0;
        replace(path, report::openmetrics_fleet(&fleet, read).as_bytes())?;
    }
    if let Some(folder) = &args.plot {
        std::fs::create_dir_all(folder).map_err(|error| {
            let place = folder.display();
            Failure::usage(format!(
                "cannot make the folder {place} for the charts: {error}; choose another with --plot"
            ))
        })?;
        let paths = charts::draw(folder, &gathered, &options, &fleet, !args.metric.is_empty(), console)?;
        console.note(&format!("wrote {} charts into {}", paths.len() / 3, folder.display()));
    }
    if args.json {
        serde_json::to_writer_pretty(
            &mut console.out,
            &Report { schema: "wattmark/fleet", version: "1.0", fleet: &fleet },
        )?;
        writeln!(console.out)?;
    } else {
        write!(console.out, "{}", table::render(&fleet, args.top))?;
    }
    let failed = args.fail_on_outlier && !fleet.off.is_empty();
    Ok(if failed { Exit::Limit } else { Exit::Ok })
}

/// The fleet with its schema.
#[derive(serde::Serialize)]
struct Report<'a> {
    schema: &'static str,
    version: &'static str,
    #[serde(flatten)]
    fleet: &'a Fleet,
}

fn rule(args: &Args) -> anyhow::Result<Rule> {
    for (flag, value) in [("--z", args.z), ("--limit-percent", args.limit_percent)] {
        if !(value.is_finite() && (0.0..=1000.0).contains(&value)) {
            return Err(Failure::usage(format!("cannot use {flag} {value}: give a number from 0 to 1000")).into());
        }
    }
    Ok(Rule { z: args.z, limit: args.limit_percent })
}

fn stale(given: &str) -> anyhow::Result<SignedDuration> {
    let parsed = given.trim().parse::<SignedDuration>().ok().filter(|time| !time.is_negative());
    parsed.ok_or_else(|| Failure::usage(format!("cannot use --stale `{given}`: give a time such as 30m or 0s")).into())
}

/// Folders and files of the arguments, with the lists among them read.
fn sources(given: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut found = Vec::new();
    for path in given {
        if path == Path::new("-") {
            listed(std::io::stdin().lock(), "standard input", &mut found)?;
        } else if fleet::is_list(path) {
            let file = std::fs::File::open(path);
            let file =
                file.map_err(|error| Failure::usage(format!("cannot read the list {}: {error}", path.display())))?;
            listed(std::io::BufReader::new(file), &path.display().to_string(), &mut found)?;
        } else if path.symlink_metadata().is_err() {
            return Err(Failure::usage(format!(
                "cannot look for records in {}: there is no such file or folder",
                path.display()
            ))
            .into());
        } else {
            found.push(Source::of(path));
        }
    }
    Ok(found)
}

fn listed(list: impl BufRead, name: &str, found: &mut Vec<Source>) -> anyhow::Result<()> {
    for line in list.lines() {
        let line = line.map_err(|error| {
            Failure::usage(format!("cannot read the list {name}: {error}. A list is text with one path a line"))
        })?;
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            found.push(Source::of(Path::new(line)));
        }
    }
    Ok(())
}

/// No record at all: what was there instead.
fn nothing(unreadable: &[fleet::Unreadable]) -> anyhow::Error {
    let mut text = "no record of a qualification or a run was found".to_owned();
    match unreadable {
        [] => text.push_str(": there is no *.json file. Name the folder that holds the results of `wattmark qualify`"),
        [first, ..] => {
            let n = unreadable.len();
            text.push_str(&format!(" in {n} files; the first, {}: {}", first.path, first.why));
        }
    }
    Failure::record(text).into()
}

/// Writes beside the file and renames, so that a collector never reads half of it. Anybody may read it.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // The collector runs as another user; it reads only names that end in .prom.
        builder.prefix(".wattmark-").suffix(".tmp");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}

fn save(path: &Path, content: Vec<u8>) -> anyhow::Result<()> {
    std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_no_limits_and_times_that_are_no_times_are_refused() {
        assert_eq!(stale("30m").unwrap(), SignedDuration::from_mins(30));
        assert_eq!(stale("0s").unwrap(), SignedDuration::ZERO);
        for bad in ["", "x", "-5m"] {
            assert_eq!(crate::cli::exit::code_of(&stale(bad).unwrap_err()), Exit::Usage, "{bad}");
        }
    }
}
