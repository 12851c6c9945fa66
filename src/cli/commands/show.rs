//! `wattmark show`: a record as a table.
//!
//! Also the two things that other commands share with it: loading a record with its warnings, and fitting text to the
//! terminal. What surprises people: without a terminal the table is 120 columns wide and plain.

use std::path::{Path, PathBuf};

use crate::cli::{Console, Exit, Failure};
use crate::measure::result::evaluate;
use crate::report::{Carbon, TableOptions, table};
use crate::store::{self, Loaded};

/// Width of a table that does not go to a terminal, or to one of unknown width.
const WIDTH: usize = 120;

/// Arguments of `wattmark show`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Run folder, run.json, the beginning of a run's name under ./results, or `latest`.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Print every warning with its case, instead of one line per kind.
    #[arg(long)]
    pub warnings: bool,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let loaded = load(&args.run, console)?;
    let result = evaluate(&loaded.record);
    let options = table_options(console, None, args.warnings);
    console.out.write_all(table(&loaded.record, &result, &options).as_bytes())?;
    Ok(Exit::Ok)
}

/// Reads a record and notes what a reader should know about it; an unreadable one ends with exit code 7.
pub fn load(run: &Path, console: &Console) -> anyhow::Result<Loaded> {
    let loaded = store::read(run).map_err(|error| Failure::record(error.to_string()))?;
    for warning in &loaded.warnings {
        console.note(&format!("wattmark: {}: {warning}", loaded.path.display()));
    }
    Ok(loaded)
}

/// A table's layout for where the results go.
pub fn table_options<'a>(console: &Console, carbon: Option<Carbon<'a>>, warnings: bool) -> TableOptions<'a> {
    TableOptions { width: width(console), colour: colour(console), carbon, warnings }
}

/// Columns to use: `COLUMNS` if it is set, the terminal's own width, else [`WIDTH`].
fn width(console: &Console) -> usize {
    let stated = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
    stated.unwrap_or_else(|| {
        let terminal = console.out_is_terminal.then(terminal_size::terminal_size).flatten();
        terminal.map_or(WIDTH, |(terminal_size::Width(columns), _)| usize::from(columns))
    })
}

/// Colour only on a terminal that can, and never against `NO_COLOR` (no-color.org) or `CLICOLOR=0`.
fn colour(console: &Console) -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    console.out_is_terminal
        && set("NO_COLOR").is_none()
        && set("CLICOLOR").is_none_or(|value| value != "0")
        && set("TERM").is_none_or(|value| value != "dumb")
}
