//! What a run leaves for its user: the table, the job, the five charts, and where everything lies.

use std::path::Path;

use crate::account::{self, Job, Site};
use crate::cli::commands::plot;
use crate::cli::resolve::Resolved;
use crate::cli::{Console, accounting, layout, text};
use crate::figure::{RegionBar, RegionChart};
use crate::measure::result::{CaseResult, RunResult, evaluate};
use crate::model::{Estimate, RunRecord};
use crate::report::{self, Carbon, TableOptions};
use crate::units::GramsCo2e;

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
    writeln!(console.out)?;
    for note in &resolved.site.notes {
        write!(console.out, "{}", text::entry("Note", note))?;
    }
    write!(console.out, "{}", job_text(record, &result, &resolved.site, &resolved.job))?;
    writeln!(console.out, "\n{:<10}{}", "Record", saved.display())?;
    if figures && record.measurements.iter().any(|m| m.verified()) {
        let chart = region_chart(&result, &resolved.site, &resolved.job);
        let folder = saved.parent().unwrap_or(Path::new(".")).to_owned();
        for (index, path) in plot::draw_all(record, &result, chart.as_ref(), &folder)?.iter().enumerate() {
            let label = if index == 0 { "Charts" } else { "" };
            writeln!(console.out, "{label:<10}{}", path.display())?;
        }
    }
    console.out.flush()?;
    Ok(())
}

/// The table of a record at a site.
pub fn table(record: &RunRecord, result: &RunResult, site: &Site, warnings: bool, console: &Console) -> String {
    let grams = |case: &CaseResult| grams_per_amount(case, site);
    let options = TableOptions {
        width: layout::width(console),
        colour: layout::colour(console),
        carbon: Some(carbon(site, &grams)),
        warnings,
    };
    report::table(record, result, &options)
}

/// The carbon columns of tables and exports at a site.
pub fn carbon<'a>(site: &Site, grams: &'a dyn Fn(&CaseResult) -> Option<Estimate<GramsCo2e>>) -> Carbon<'a> {
    Carbon { grid: site_line(site), gas: site.profile.grid.gas.to_string(), of: grams }
}

/// Grid and PUE in one line.
pub fn site_line(site: &Site) -> String {
    let (grid, pue) = (&site.profile.grid, &site.profile.pue);
    let year = grid.year.map_or_else(|| "year unstated".to_owned(), |year| year.to_string());
    format!(
        "{} ({}) {} g {}/kWh, {year}, {}, {}; PUE {} {}",
        grid.region,
        grid.name,
        grid.intensity_g_per_kwh.get(),
        grid.gas,
        grid.basis,
        grid.method,
        pue.value,
        accounting::pue_word(site)
    )
}

/// Carbon of the amount of work to which the carbon column refers.
pub fn grams_per_amount(case: &CaseResult, site: &Site) -> Option<Estimate<GramsCo2e>> {
    let evidence = case.headline_energy()?.evidence;
    Some(account::operational(&report::energy_of_amount(case)?, evidence, site))
}

/// The job on each device in words: joules, kilowatt-hours and grams.
fn job_text(record: &RunRecord, result: &RunResult, site: &Site, job: &Job) -> String {
    match account::job_carbon(result, site, job) {
        Ok(jobs) => jobs.iter().map(|job| accounting::job_text(record, site, job)).collect(),
        Err(error) => text::entry("Job", error.to_string().trim_start_matches("job ")),
    }
}

/// The job of the first device across regions, on one measurement; `None` when it has no energy.
pub fn region_chart(result: &RunResult, site: &Site, job: &Job) -> Option<RegionChart> {
    let job = account::job_carbon(result, site, job).ok()?.into_iter().next()?;
    let pue = &site.profile.pue;
    let regions = account::across_regions(&job.energy, job.evidence, pue, &account::DEFAULT_REGIONS).ok()?;
    let mut regions = regions;
    let chosen = &site.profile.grid;
    if !regions.iter().any(|region| region.factor.region == chosen.region && region.factor.year == chosen.year) {
        regions.push(account::RegionCarbon { factor: chosen.clone(), carbon: job.carbon });
    }
    Some(RegionChart {
        job: format!("{} by {}", job.job.title(), job.case.label()),
        energy: job.energy,
        scope: job.scope,
        evidence: job.evidence,
        pue: pue.value,
        pue_evidence: pue.evidence,
        chosen: Some(chosen.region.clone()),
        chosen_word: if site.grid_given { "chosen site" } else { "default grid, none was given" }.to_owned(),
        note: account::mixed_identity(&regions),
        bars: regions.iter().map(|region| bar(&region.factor, region.carbon)).collect(),
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
        intensity: factor.intensity_g_per_kwh,
        method: factor.method,
        life_cycle: factor.life_cycle,
        publisher: factor.publisher.clone(),
    }
}
