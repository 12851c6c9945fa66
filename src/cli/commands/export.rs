//! `wattmark export`: a record as CSV, Markdown or JSON.
//!
//! What surprises people: an export holds derived figures and can be made again at any time; only `run.json` is the record.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::accounting::SiteArgs;
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure, outcome};
use crate::measure::result::{CaseResult, RunResult, evaluate};
use crate::model::RunRecord;
use crate::report::{Carbon, csv_tidy, csv_traces, json_summary, markdown};

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Every figure of every case in long form: one row per metric, with bounds, n, scope and evidence.
    Csv,
    /// Every reading of every power source in long form.
    Traces,
    /// The tables of `show` as Markdown.
    Markdown,
    /// Every figure of every case as JSON.
    Json,
}

/// Arguments of `wattmark export`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Run folder, run.json, the beginning of a run's name under ./results, or `latest`.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// What to write.
    #[arg(long, value_enum)]
    pub format: Format,
    /// Where the energy is accounted.
    #[command(flatten)]
    pub site: SiteArgs,
    /// File to write; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let loaded = load(&args.run, console)?;
    let site = args.site.resolve(Some(&loaded.record.plan.account))?;
    let result = evaluate(&loaded.record);
    let grams = |case: &CaseResult| outcome::grams_per_amount(case, &site);
    let carbon = outcome::carbon(&site, &grams);
    if args.out == Path::new("-") {
        write_to(&mut console.out, args.format, &loaded.record, &result, &carbon)?;
        return Ok(Exit::Ok);
    }
    if is_same_file(&args.out, &loaded.path) {
        let text =
            format!("{} is the record itself, which is never overwritten: name another --out", args.out.display());
        return Err(Failure::usage(text).into());
    }
    replace(&args.out, |out| write_to(out, args.format, &loaded.record, &result, &carbon))
        .with_context(|| format!("cannot write {}; name a file in a folder you may write to", args.out.display()))?;
    console.note(&format!("wrote {}", args.out.display()));
    Ok(Exit::Ok)
}

fn write_to(
    out: &mut dyn Write,
    format: Format,
    record: &RunRecord,
    result: &RunResult,
    carbon: &Carbon,
) -> io::Result<()> {
    match format {
        Format::Csv => csv_tidy(record, result, Some(carbon), out),
        Format::Traces => csv_traces(record, out),
        Format::Markdown => out.write_all(markdown(record, result, Some(carbon)).as_bytes()),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &json_summary(record, result, Some(carbon)))?;
            out.write_all(b"\n")
        }
    }
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Writes a file as a whole or not at all; devices and pipes are written in place.
fn replace(target: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if target.exists() && !target.is_file() {
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(target)?);
        write(&mut out)?;
        return out.flush();
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".export-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut out = BufWriter::new(builder.tempfile_in(folder)?);
    write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}
