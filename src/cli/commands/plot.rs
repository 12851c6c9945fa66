//! `wattmark plot`: draw the charts of a record.
//!
//! Writes `<figure>.svg`, `<figure>.csv` and `<figure>.caption.txt` for each figure, and prints their paths.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;

use crate::account::Job;
use crate::cli::accounting::SiteArgs;
use crate::cli::records::load;
use crate::cli::{Console, Exit, Failure, outcome};
use crate::figure::{
    DOUBLE_COLUMN_MM, Figure, GREATEST_WIDTH_MM, LEAST_WIDTH_MM, RUN_FIGURES, RegionChart, SINGLE_COLUMN_MM, bandwidth,
    standard_figures, svg,
};
use crate::measure::result::{RunResult, evaluate};
use crate::model::RunRecord;

/// Arguments of `wattmark plot`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Record: a run's folder, or its run.json.
    pub run: PathBuf,
    /// Where the energy is accounted.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Amount of work of carbon-regions, for example gemm=1e18 [default: one EFLOP of f32 GEMM].
    #[arg(long, value_name = "WORK=AMOUNT")]
    pub job: Option<Job>,
    /// Folder for the figures [default: `figures` beside the record].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Figures to draw, separated by commas [default: all].
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = RUN_FIGURES)]
    pub figure: Vec<String>,
    /// Width: single (89 mm), double (183 mm), or a number of millimetres [default: what suits each figure].
    #[arg(long, value_name = "WIDTH")]
    pub width: Option<Width>,
}

/// Width of a figure in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Width(pub f64);

impl FromStr for Width {
    type Err = String;

    /// Accepts `single`, `double`, and millimetres with or without `mm`.
    fn from_str(text: &str) -> Result<Self, String> {
        let millimetres = match text.trim() {
            "single" => SINGLE_COLUMN_MM,
            "double" => DOUBLE_COLUMN_MM,
            other => other.trim_end_matches("mm").trim().parse().map_err(|_| {
                format!("`{text}` is no width: give single, double, or a number of millimetres, for example 120")
            })?,
        };
        if (LEAST_WIDTH_MM..=GREATEST_WIDTH_MM).contains(&millimetres) {
            Ok(Self(millimetres))
        } else {
            Err(format!(
                "{text} is out of range: the width must be between {LEAST_WIDTH_MM} and {GREATEST_WIDTH_MM} mm"
            ))
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let loaded = load(&args.run, console)?;
    let record = &loaded.record;
    let site = args.site.resolve(Some(&record.plan.account))?;
    let result = evaluate(record);
    let regions = outcome::region_chart(&result, &site, &args.job.clone().unwrap_or_default());
    let folder = args.out.clone().unwrap_or_else(|| loaded.path.with_file_name("figures"));
    let mut all = standard_figures(record, &result, regions.as_ref());
    all.extend(bandwidth(record, &result));
    // The record of a calibration has no case, and nothing to draw but what the sensors said.
    let calibration = record.plan.cases.is_empty() && !record.calibrations.is_empty();
    all.retain(|figure| !calibration || figure.id == "power-trace");
    let figures = chosen(all, &args.figure, args.width);
    if args.figure.iter().any(|name| name == "bandwidth") && !figures.iter().any(|figure| figure.id == "bandwidth") {
        console.note("wattmark: bandwidth is not drawn: no memory probe of this record ran at several sizes");
    }
    let of_programs = record.plan.cases.is_empty() && !record.commands.is_empty();
    if regions.is_none()
        && !of_programs
        && !calibration
        && (args.figure.is_empty() || args.figure.iter().any(|name| name == "carbon-regions"))
    {
        console.note("wattmark: carbon-regions is not drawn: no case of this record has the energy that its job needs");
    }
    for path in write_figures(&figures, &folder)? {
        writeln!(console.out, "{}", path.display())?;
    }
    Ok(Exit::Ok)
}

/// The figures that were asked for (all of them if none is named), at the width that was asked for.
fn chosen(figures: Vec<Figure>, names: &[String], width: Option<Width>) -> Vec<Figure> {
    let wanted = |figure: &Figure| names.is_empty() || names.contains(&figure.id);
    let mut figures: Vec<Figure> = figures.into_iter().filter(wanted).collect();
    if let Some(Width(millimetres)) = width {
        figures.iter_mut().for_each(|figure| figure.width_mm = millimetres);
    }
    figures
}

/// Draws the standard figures of a run into a folder and returns the paths of the SVGs.
pub fn draw_all(
    record: &RunRecord,
    result: &RunResult,
    regions: Option<&RegionChart>,
    folder: &Path,
) -> anyhow::Result<Vec<PathBuf>> {
    let paths = write_figures(&standard_figures(record, result, regions), folder)?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "svg")).collect())
}

/// Writes SVG, CSV and caption of each figure into a folder, which is made if need be; returns all paths.
pub fn write_figures(figures: &[Figure], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let place = folder.display();
        Failure::usage(format!("cannot make the folder {place} for the figures: {error}; choose another with --out"))
    })?;
    let mut paths = Vec::new();
    for figure in figures {
        let drawn = svg::render(figure).with_context(|| format!("cannot draw {}", figure.id))?;
        let caption = format!("{}\n", figure.caption);
        for (ending, content) in [("svg", drawn), ("csv", figure.csv()), ("caption.txt", caption)] {
            let path = folder.join(format!("{}.{ending}", figure.id));
            std::fs::write(&path, content)
                .with_context(|| format!("cannot write {}; choose another folder with --out", path.display()))?;
            paths.push(path);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_a_column_or_millimetres_and_nothing_else() {
        assert_eq!("single".parse(), Ok(Width(89.0)));
        assert_eq!("double".parse(), Ok(Width(183.0)));
        assert_eq!("120 mm".parse(), Ok(Width(120.0)));
        for wrong in ["", "wide", "0", "-5", "NaN", "1e9"] {
            assert!(wrong.parse::<Width>().is_err(), "{wrong}");
        }
    }
}
