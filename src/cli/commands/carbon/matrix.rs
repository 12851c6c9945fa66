//! `wattmark carbon matrix`: one measurement priced over many regions.
//!
//! What surprises people: the site's PUE applies to every row and its grid to none; a grid that was given is only pointed
//! out in the order. A wide matrix shows the columns that fit, and all of them in JSON and in the chart's CSV.

use std::collections::BTreeSet;
use std::io::Write;

use serde::Serialize;

use crate::account::{Matrix, MatrixColumn, Mixture, RegionRow, RegionSet, Site, Subject, price};
use crate::cli::accounting::{SiteArgs, pue_word, usage};
use crate::cli::charts::ChartArgs;
use crate::cli::request::{self, Request};
use crate::cli::subjects::SubjectArgs;
use crate::cli::{Console, Exit, text};
use crate::figure::{ChartSource, MatrixChart, MatrixRow, carbon_matrix};
use crate::model::{Evidence, Gas, GridFactor};

/// Columns of a terminal table: more do not fit 120 characters.
const COLUMNS_SHOWN: usize = 3;

/// Arguments of `wattmark carbon matrix`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose work, of which records.
    #[command(flatten)]
    pub subjects: SubjectArgs,
    /// Regions: cn-provinces, countries, us, nordic, all, or codes with commas between them.
    /// [default: cn-provinces]
    #[arg(long, value_name = "SET|CODES")]
    pub regions: Option<String>,
    /// Year of the factors. [default: the newest of each region]
    #[arg(long, value_name = "YEAR")]
    pub year: Option<u16>,
    /// Where the energy is used: its PUE applies to every region.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Where charts go.
    #[command(flatten)]
    pub charts: ChartArgs,
    /// Write JSON, which is a site file as well: --site FILE recomputes it.
    #[arg(long)]
    pub json: bool,
}

/// Regions where none are named.
const DEFAULT_SET: &str = "cn-provinces";

/// What the command found; its JSON form.
#[derive(Debug, Serialize)]
struct Account<'a> {
    request: Request,
    run_ids: Vec<&'a str>,
    simulated: bool,
    site: &'a Site,
    #[serde(flatten)]
    matrix: &'a Matrix,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    // Wrong flags are told before a record is read.
    args.regions.as_deref().unwrap_or(DEFAULT_SET).parse::<RegionSet>().map_err(usage)?;
    args.site.resolve(None)?;
    let catalogue = args.site.catalogue()?;
    let records = args.subjects.read(console)?;
    let stored = match &records[..] {
        [only] => Some(&only.record.plan.account),
        _ => None,
    };
    let mut site = args.site.resolve(stored)?;
    // The regions are the grids here, so a missing --grid is nothing to tell.
    site.notes.retain(|note| site.grid_given || !note.starts_with("no grid factor given"));
    let before = request::of_account(args.site.site.as_deref(), &records)?.unwrap_or_default();
    let again = request::choices_of_account(args.site.site.as_deref(), &args.subjects, &records)?;
    if again.is_some() || !before.options.is_empty() {
        site.notes.push(request::AGAIN.to_owned());
    }
    let chosen = again.as_ref().unwrap_or(&args.subjects);
    let regions = args.regions.clone().or_else(|| before.option("regions"));
    let year = args.year.or_else(|| before.option("year"));
    let set: RegionSet = regions.as_deref().unwrap_or(DEFAULT_SET).parse().map_err(usage)?;
    if let RegionSet::Codes(codes) = &set {
        site.notes.extend(codes.iter().filter_map(|code| catalogue.beside(code)));
    }
    let subjects = chosen.subjects(&records)?;
    let matrix = price(&subjects, &site, &catalogue, &set, year).map_err(usage)?;
    if args.json {
        let account = Account {
            request: Request::of(chosen, &records).with("regions", regions).with("year", year),
            run_ids: run_ids(&subjects),
            simulated: subjects.iter().any(|subject| subject.simulated),
            site: &site,
            matrix: &matrix,
        };
        writeln!(console.out, "{}", serde_json::to_string_pretty(&account)?)?;
    } else {
        write!(console.out, "{}", render(&subjects, &site, &matrix))?;
    }
    if args.charts.plot.is_some() {
        args.charts.draw(vec![carbon_matrix(&chart(&subjects, &site, &matrix))], console)?;
    }
    Ok(Exit::Ok)
}

fn run_ids(subjects: &[Subject]) -> Vec<&str> {
    let mut ids: Vec<&str> = subjects.iter().flat_map(|subject| subject.run_ids.iter().map(String::as_str)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

// ---- text ----------------------------------------------------------------------------------------------------------

fn render(subjects: &[Subject], site: &Site, matrix: &Matrix) -> String {
    let mut out = format!("Carbon of {} over {}\n\n", run_ids(subjects).join(", "), matrix.regions);
    let shown = matrix.columns.len().min(COLUMNS_SHOWN);
    for (index, column) in matrix.columns.iter().take(shown).enumerate() {
        out.push_str(&text::entry(&format!("[{}]", index + 1), &column_text(column)));
    }
    if shown < matrix.columns.len() {
        let more = matrix.columns.len() - shown;
        let note =
            format!("{more} more columns do not fit: they are in --json and in the CSV beside the chart (--plot)");
        out.push_str(&text::entry("", &note));
    }
    let pue = &site.profile.pue;
    let pue = format!("{} {}: {}; the same in every row", pue.value, pue_word(site), pue.source);
    out.push_str(&text::entry("PUE", &pue));
    let years = matrix.year.map_or_else(|| "the newest of each region".to_owned(), |year| year.to_string());
    let scope = format!("factors of {years}; operational carbon, gross energy; embodied carbon is not included");
    out.push_str(&text::entry("Scope", &scope));
    if matrix.columns.iter().any(|column| column.evidence != Evidence::Measured) {
        out.push_str(&text::entry("", "≈ is carbon of estimated or declared energy, without an interval"));
    }
    if subjects.iter().any(|subject| subject.simulated) {
        out.push_str(&text::entry("", "the record is simulated and describes no hardware"));
    }
    for note in [&site.profile.note].into_iter().chain(&site.notes).filter(|note| !note.is_empty()) {
        out.push_str(&text::entry("Note", note));
    }
    out.push('\n');
    out.push_str(&table(site, matrix, shown));
    out.push('\n');
    out.push_str(&below(site, matrix));
    out
}

fn column_text(column: &MatrixColumn) -> String {
    let case = if column.case.is_empty() || column.label.contains(&column.case) {
        String::new()
    } else {
        format!(" by {}", column.case)
    };
    let interval = match column.energy.relative_half_width() {
        Some(half) if column.evidence == Evidence::Measured => {
            format!(" ±{:.1} %, n={}", half * 100.0, column.energy.n)
        }
        _ => ", no interval".to_owned(),
    };
    format!(
        "{}{case} on {}: {}{}{interval} at the {} ({}, {})",
        column.label,
        column.device,
        column.evidence.mark(),
        text::si(column.energy.point.get(), "J"),
        column.scope,
        column.evidence,
        column.source
    )
}

fn table(site: &Site, matrix: &Matrix, shown: usize) -> String {
    let numbers: Vec<String> = (1..=shown).map(|number| format!("[{number}]")).collect();
    let mut header = vec!["rank", "region", "name", "g/kWh", "what it counts"];
    header.extend(numbers.iter().map(String::as_str));
    header.extend(["ratio", ""]);
    let mut right = vec![0, 3];
    right.extend(5..=5 + shown);
    let mut rows = text::table(&header, &right);
    for row in &matrix.rows {
        let mut cells = vec![
            row.rank.to_string(),
            code(row),
            text::cut(&row.factor.name, 20),
            format!("{:.1}", row.factor.intensity_g_per_kwh.get()),
            identity(&row.factor),
        ];
        cells.extend(row.carbon.iter().zip(&matrix.columns).take(shown).map(|(carbon, column)| {
            let grams = text::si(carbon.point.get(), "g");
            let half = carbon.relative_half_width().map_or_else(String::new, |half| format!(" ±{:.1} %", half * 100.0));
            format!("{}{grams}{half}", column.evidence.mark())
        }));
        cells.push(row.ratio_to_best.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")));
        cells.push(mark(site, row));
        rows.add_row(cells);
    }
    text::lines(&rows)
}

/// The region's code, by which its factor is told from a built-in one.
fn code(row: &RegionRow) -> String {
    format!("{}{}", if row.file.is_some() { "user:" } else { "" }, row.factor.region)
}

/// `2023 CO2 consumption`.
fn identity(factor: &GridFactor) -> String {
    let year = factor.year.map_or_else(|| "no year".to_owned(), |year| year.to_string());
    format!("{year} {} {}", factor.gas, factor.basis)
}

/// `≠` for a row that counts another thing than most, `<` for the site's own grid.
fn mark(site: &Site, row: &RegionRow) -> String {
    let own = if site.grid_given && site.profile.grid == row.factor { "<" } else { "" };
    let differs = if row.differs.is_empty() { "" } else { "≠" };
    format!("{differs}{own}")
}

/// What stands below the table: ratios, what the marks mean, who published, and what was left out.
fn below(site: &Site, matrix: &Matrix) -> String {
    let mut out =
        text::entry("Ratio", "to the region with the least carbon; it is that of the factors, whatever the work");
    if let (Some(best), Some(worst)) = (matrix.rows.first(), matrix.rows.last()) {
        let ratio = worst.ratio_to_best.map_or_else(String::new, |ratio| format!(", {ratio:.2} times as much"));
        let range = format!("{} least, {} most{ratio}", code(best), code(worst));
        out.push_str(&text::entry("", &range));
    }
    if let Some(sentence) = &matrix.note {
        out.push_str(&text::entry("≠", &format!("{sentence}; {}", differing(matrix))));
    }
    if site.grid_given {
        let own = matrix.rows.iter().find(|row| row.factor == site.profile.grid);
        let region = &site.profile.grid.region;
        let place = match own {
            Some(row) => format!("the site's own grid, {region}, is rank {} of {}", row.rank, matrix.rows.len()),
            None => format!("the site's own grid, {region}, is not among these regions"),
        };
        out.push_str(&text::entry("<", &place));
    }
    out.push_str(&left_out(&matrix.without_year, "have no figure of that year"));
    let gap = "have a published 0 although upstream is counted: a gap in the source, not a grid without emissions";
    out.push_str(&left_out(&matrix.without_figure, gap));
    for row in matrix.rows.iter().filter(|row| row.factor.note.starts_with("lower bound")) {
        out.push_str(&text::entry("Note", &format!("{} is a {}", row.factor.region, row.factor.note)));
    }
    let mut sources: Vec<String> = Vec::new();
    for row in &matrix.rows {
        let source = format!("{}; {}", row.factor.publisher, row.factor.licence);
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    for (index, source) in sources.iter().enumerate() {
        out.push_str(&text::entry(if index == 0 { "Factors" } else { "" }, source));
    }
    out
}

/// Regions of the set that are no rows, and why.
fn left_out(codes: &[String], why: &str) -> String {
    const NAMED: usize = 12;
    if codes.is_empty() {
        return String::new();
    }
    let more = if codes.len() > NAMED { ", …" } else { "" };
    let named = codes.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    text::entry("Without", &format!("{} of the set, which {why}: {named}{more}", codes.len()))
}

/// How many rows are marked, and for what.
fn differing(matrix: &Matrix) -> String {
    let factors: Vec<&GridFactor> = matrix.rows.iter().map(|row| &row.factor).collect();
    let mixture = Mixture::of(&factors);
    let mut counts: Vec<(String, usize)> = Vec::new();
    for mark in (0..factors.len()).map(|row| mixture.mark(row)).filter(|mark| !mark.is_empty()) {
        match counts.iter_mut().find(|(own, _)| *own == mark) {
            Some((_, count)) => *count += 1,
            None => counts.push((mark, 1)),
        }
    }
    let words: Vec<String> =
        counts.iter().map(|(mark, count)| format!("{count} by {}", mark.trim_start_matches("≠ "))).collect();
    format!("marked rows differ from most: {}", words.join("; "))
}

// ---- chart ---------------------------------------------------------------------------------------------------------

fn chart(subjects: &[Subject], site: &Site, matrix: &Matrix) -> MatrixChart {
    let joined = |of: &dyn Fn(&Subject) -> String| {
        let mut all: Vec<String> = Vec::new();
        for text in subjects.iter().map(of) {
            if !all.contains(&text) {
                all.push(text);
            }
        }
        let more = all.len().saturating_sub(COLUMNS_SHOWN);
        let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{tail}", all.iter().take(COLUMNS_SHOWN).cloned().collect::<Vec<_>>().join(", "))
    };
    let pue = &site.profile.pue;
    let mut publishers: Vec<&str> = matrix.rows.iter().map(|row| row.factor.publisher.as_str()).collect();
    publishers.sort_unstable();
    publishers.dedup();
    let gases: Vec<Gas> = matrix.rows.iter().map(|row| row.factor.gas).collect();
    let gas = match gases.first() {
        Some(first) if gases.iter().all(|gas| gas == first) => format!("g{first}"),
        _ => "gCO2 or gCO2e".to_owned(),
    };
    let labels: Vec<&str> = subjects.iter().map(|subject| subject.label.as_str()).collect();
    let per = match labels[..] {
        [first, ..] if labels.iter().all(|label| *label == first) => first.to_owned(),
        _ => "the work of each column".to_owned(),
    };
    MatrixChart {
        source: ChartSource {
            run_ids: run_ids(subjects).into_iter().map(str::to_owned).collect(),
            simulated: subjects.iter().any(|subject| subject.simulated),
            subject: joined(&|subject| format!("{} on {}", subject.label, subject.device)),
            energy: joined(&|subject| format!("{}, {}", subject.scope, subject.evidence)),
            evidence: subjects.iter().map(|subject| subject.evidence).collect::<BTreeSet<_>>().into_iter().collect(),
            basis: vec![
                format!("PUE {} ({}: {}) in every row", pue.value, pue_word(site), pue.source),
                format!("Factors: {}", publishers.join("; ")),
            ],
        },
        regions: matrix.regions.clone(),
        columns: column_names(matrix),
        quantity: format!("{gas} per {per}"),
        rows: matrix.rows.iter().map(chart_row).collect(),
        note: matrix.note.clone(),
    }
}

fn chart_row(row: &RegionRow) -> MatrixRow {
    MatrixRow {
        rank: row.rank,
        code: code(row),
        name: row.factor.name.clone(),
        identity: identity(&row.factor).replace(' ', ", "),
        marked: !row.differs.is_empty(),
        grams: row.carbon.iter().map(|carbon| Some(carbon.point.get())).collect(),
        ratio: row.ratio_to_best.unwrap_or(f64::INFINITY),
    }
}

/// The shortest words that tell the columns apart: device, work, or both, else with the case.
fn column_names(matrix: &Matrix) -> Vec<String> {
    let work = |column: &MatrixColumn| column.label.trim_start_matches("one execution of ").to_owned();
    let forms: [&dyn Fn(&MatrixColumn) -> String; 4] =
        [&|column| column.device.clone(), &work, &|column| format!("{}, {}", work(column), column.device), &|column| {
            format!("{}, {}, {}", work(column), column.device, column.case)
        }];
    let unique = |names: &[String]| names.iter().collect::<std::collections::BTreeSet<_>>().len() == names.len();
    let forms = forms.iter().skip(usize::from(matrix.columns.len() == 1));
    let mut names: Vec<String> = Vec::new();
    for form in forms {
        names = matrix.columns.iter().map(form).collect();
        if unique(&names) {
            return names;
        }
    }
    names.iter().enumerate().map(|(index, name)| format!("{name} ({})", index + 1)).collect()
}
