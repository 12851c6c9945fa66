//! What a run leaves for its user: the table, the job, the five charts, and where everything lies.

use std::path::Path;

use crate::account::{self, Job, Site};
use crate::cli::Console;
use crate::cli::commands::plot;
use crate::cli::resolve::Resolved;
use crate::figure::{RegionBar, RegionChart};
use crate::measure::result::{CaseResult, RunResult, evaluate};
use crate::model::{Estimate, RunRecord};
use crate::report::{self, Carbon, TableOptions};
use crate::units::GramsCo2e;

/// Columns of a table that is not printed on a terminal.
const PLAIN_WIDTH: usize = 120;

/// Prints the table, the job and the paths of a finished run, and draws its charts.
pub fn present(
    record: &RunRecord,
    resolved: &Resolved,
    saved: &Path,
    figures: bool,
    console: &mut Console,
) -> anyhow::Result<()> {
    let result = evaluate(record);
    let table = table(record, &result, &resolved.site, false, console);
    writeln!(console.out, "{}", table.trim_end())?;
    for note in &resolved.site.notes {
        writeln!(console.out, "{note}")?;
    }
    writeln!(console.out, "\n{}", job_lines(&result, &resolved.site, &resolved.job).join("\n"))?;
    writeln!(console.out, "\nrecord      {}", saved.display())?;
    if figures && record.measurements.iter().any(|m| m.verified()) {
        let chart = region_chart(&result, &resolved.site, &resolved.job);
        let folder = saved.parent().unwrap_or(Path::new(".")).to_owned();
        for (index, path) in plot::draw_all(record, &result, chart.as_ref(), &folder)?.iter().enumerate() {
            let label = if index == 0 { "charts" } else { "" };
            writeln!(console.out, "{label:<12}{}", path.display())?;
        }
    }
    console.out.flush()?;
    Ok(())
}

/// The table of a record at a site.
pub fn table(record: &RunRecord, result: &RunResult, site: &Site, warnings: bool, console: &Console) -> String {
    let grams = |case: &CaseResult| grams_per_amount(case, site);
    let options = TableOptions {
        width: width(console),
        colour: console.colour(),
        carbon: Some(Carbon { grid: site_line(site), gas: site.profile.grid.gas.to_string(), of: &grams }),
        warnings,
    };
    report::table(record, result, &options)
}

/// Grid and PUE in one line.
pub fn site_line(site: &Site) -> String {
    let (grid, pue) = (&site.profile.grid, &site.profile.pue);
    let year = grid.year.map_or_else(|| "year unstated".to_owned(), |year| year.to_string());
    format!(
        "{} ({}) {} g {}/kWh, {year}, {}, {}; PUE {} ({})",
        grid.region,
        grid.name,
        grid.intensity_g_per_kwh.get(),
        grid.gas,
        grid.basis,
        grid.method,
        pue.value,
        pue.evidence
    )
}

/// Carbon of the amount of work to which the carbon column refers.
pub fn grams_per_amount(case: &CaseResult, site: &Site) -> Option<Estimate<GramsCo2e>> {
    let evidence = case.headline_energy()?.evidence;
    Some(account::operational(&report::energy_of_amount(case)?, evidence, site))
}

/// The job on each device in words: joules, kilowatt-hours and grams.
pub fn job_lines(result: &RunResult, site: &Site, job: &Job) -> Vec<String> {
    let jobs = match account::job_carbon(result, site, job) {
        Ok(jobs) => jobs,
        Err(error) => return vec![format!("job         {error}")],
    };
    jobs.iter()
        .map(|job| {
            let about = job.evidence.mark();
            let spread = job.carbon.relative_half_width().map_or_else(
                || format!(" ({}, no interval)", job.evidence),
                |width| format!(" ±{} ({} energy, {} scope)", report::percent(width), job.evidence, job.scope),
            );
            format!(
                "job         {} by {} on device {}: {about}{} = {about}{}, {about}{} {}{spread}",
                job.job,
                job.case.label(),
                job.case.device,
                report::scaled(job.energy.point.get(), "J"),
                report::scaled(job.kilowatt_hours.point.get() * 1e3, "Wh"),
                report::scaled(job.carbon.point.get(), "g"),
                site.profile.grid.gas,
            )
        })
        .collect()
}

/// The job of the first device across regions, on one measurement; `None` when it has no energy.
pub fn region_chart(result: &RunResult, site: &Site, job: &Job) -> Option<RegionChart> {
    let job = account::job_carbon(result, site, job).ok()?.into_iter().next()?;
    let pue = &site.profile.pue;
    let regions = account::across_regions(&job.energy, job.evidence, pue, &account::DEFAULT_REGIONS).ok()?;
    let mut bars: Vec<RegionBar> =
        regions.into_iter().map(|region| bar(&region.factor, region.carbon)).collect();
    let chosen = &site.profile.grid;
    if !bars.iter().any(|bar| bar.code == chosen.region && bar.year == chosen.year) {
        bars.push(bar(chosen, job.carbon));
    }
    Some(RegionChart {
        job: format!("{} by {}", job.job, job.case.label()),
        energy: job.energy,
        scope: job.scope,
        evidence: job.evidence,
        pue: pue.value,
        pue_evidence: pue.evidence,
        chosen: Some(chosen.region.clone()),
        bars,
    })
}

fn bar(factor: &crate::model::GridFactor, grams: Estimate<GramsCo2e>) -> RegionBar {
    RegionBar {
        code: factor.region.clone(),
        name: factor.name.clone(),
        grams,
        gas: factor.gas,
        year: factor.year,
        basis: factor.basis,
    }
}

/// Columns to lay tables out for.
fn width(console: &Console) -> usize {
    if !console.out_is_terminal {
        return PLAIN_WIDTH;
    }
    terminal_size::terminal_size().map_or(PLAIN_WIDTH, |(width, _)| usize::from(width.0).clamp(80, 160))
}
