//! Where energy is accounted, as flags and as text: grid, PUE, site, and the job's line.
//!
//! What surprises people: what flags leave open comes from the record, if it was made with a grid, PUE or site, and the text
//! says so.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::account::{self, AccountError, Catalogue, JobCarbon, Site, resolve_site_in};
use crate::cli::{Failure, text};
use crate::model::{AccountRequest, RunRecord};

/// Where the energy is used.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SiteArgs {
    /// Grid factor: a region (`CN-QH`, `CN-QH@2022`, `FRA`, `US-CAMX`), kgCO2e/kWh (`0.1796`, or `179.6g`), or a TOML file.
    #[arg(long, env = "WATTMARK_GRID", value_name = "REGION|NUMBER|FILE", allow_hyphen_values = true)]
    pub grid: Option<String>,
    /// Power usage effectiveness of the facility, at least 1.
    #[arg(long, env = "WATTMARK_PUE", value_name = "RATIO", allow_negative_numbers = true)]
    pub pue: Option<f64>,
    /// Site with grid and PUE: xining, qingyang, poland, france, or a TOML file. --grid and --pue replace its values.
    #[arg(long, value_name = "NAME|FILE")]
    pub site: Option<String>,
    /// Your own grid factors beside the built-in ones: a CSV or TOML file. Repeatable.
    #[arg(long = "factors", value_name = "FILE")]
    pub factors: Vec<PathBuf>,
}

impl SiteArgs {
    /// The built-in factors and those of the files named by `--factors`.
    pub fn catalogue(&self) -> anyhow::Result<Cow<'static, Catalogue>> {
        Ok(Catalogue::with_files(&self.factors, Path::new(".")).map_err(usage)?)
    }

    /// Resolves the flags; what they leave open comes from the request stored in a record, if any.
    pub fn resolve(&self, stored: Option<&AccountRequest>) -> anyhow::Result<Site> {
        // A site named by flag replaces all that was stored; other flags replace only their own value.
        let stored = stored.filter(|_| self.site.is_none()).cloned().unwrap_or_default();
        let grid = self.grid.clone().or_else(|| stored.grid.clone());
        let pue = self.pue.or(stored.pue);
        let site = self.site.clone().or_else(|| stored.site.clone());
        let catalogue = self.catalogue()?;
        let mut resolved =
            resolve_site_in(&catalogue, grid.as_deref(), pue, site.as_deref(), Path::new(".")).map_err(usage)?;
        let mut reused = |name: &str, given: bool, value: Option<String>| {
            if let (false, Some(value)) = (given, value) {
                resolved.notes.push(format!("--{name} {value} was named with the run and is used again"));
            }
        };
        reused("grid", self.grid.is_some(), stored.grid);
        reused("pue", self.pue.is_some(), stored.pue.map(|pue| pue.to_string()));
        reused("site", self.site.is_some(), stored.site);
        Ok(resolved)
    }
}

/// An account that cannot be made because of what the user gave (exit 2).
pub fn usage(error: AccountError) -> Failure {
    Failure::usage(error.to_string())
}

/// Grid factor, its spread, PUE and notes: what the numbers below rest on.
pub fn site_text(site: &Site) -> anyhow::Result<String> {
    let (grid, pue) = (&site.profile.grid, &site.profile.pue);
    let mut out = text::entry("Grid", &text::identity(grid));
    if !grid.note.is_empty() {
        out.push_str(&text::entry("", &grid.note));
    }
    let held = account::spread(grid).context("reading the catalogue")?;
    if let ([lowest, .., highest], true) = (&held[..], grid.region != "user") {
        let (low, high) = (text::short_factor(lowest), text::short_factor(highest));
        out.push_str(&text::entry("", &format!("figures held for this region: {low} to {high}")));
    }
    out.push_str(&text::entry("PUE", &format!("{} {}: {}", pue.value, pue_word(site), pue.source)));
    for note in [&site.profile.note].into_iter().chain(&site.notes).filter(|note| !note.is_empty()) {
        out.push_str(&text::entry("Note", note));
    }
    Ok(out)
}

/// How the PUE came about: its evidence, or that it is the default.
pub fn pue_word(site: &Site) -> String {
    if site.pue_given { site.profile.pue.evidence.to_string() } else { "by default".to_owned() }
}

/// Name of a device of a record.
pub fn device_name(record: &RunRecord, ordinal: u32) -> String {
    record.device(ordinal).map_or_else(|| "unknown device".to_owned(), |device| device.name.clone())
}

/// A job's carbon and energy with scope, evidence and the case they come from.
pub fn job_text(record: &RunRecord, site: &Site, job: &JobCarbon) -> String {
    let about = job.evidence.mark();
    let interval = job.carbon.interval.map_or_else(
        || format!("no interval, {} energy", job.evidence),
        |i| {
            format!(
                "95 % interval {} to {}, n={}",
                text::si(i.low.get(), "g"),
                text::si(i.high.get(), "g"),
                job.carbon.n
            )
        },
    );
    let time = job.time.map_or_else(String::new, |time| format!(", {} of device time", text::duration(time.point)));
    let name = device_name(record, job.case.device);
    let first = format!(
        "{} on device {} ({name}): {about}{} {} ({interval})",
        job.job.title(),
        job.case.device,
        text::si(job.carbon.point.get(), "g"),
        site.profile.grid.gas,
    );
    let second = format!(
        "{about}{} = {about}{} at the {} ({}, {}), times PUE {}; {:.3e} executions of {}{time}",
        text::si(job.energy.point.get(), "J"),
        text::kilowatt_hours(job.kilowatt_hours.point.get()),
        job.scope,
        job.evidence,
        job.source,
        site.profile.pue.value,
        job.executions,
        job.case.label(),
    );
    text::entry("Job", &first) + &text::entry("", &second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_named_with_the_run_is_used_again_unless_a_flag_replaces_it() {
        let stored = AccountRequest { grid: None, pue: None, site: Some("xining".to_owned()) };
        let site = SiteArgs::default().resolve(Some(&stored)).unwrap();
        assert_eq!((site.profile.grid.region.as_str(), site.profile.pue.value), ("CN-QH", 1.2));
        assert!(site.notes.iter().any(|note| note.contains("--site xining was named with the run")));
        let flags = SiteArgs { grid: Some("CN-GS".to_owned()), pue: Some(1.3), ..SiteArgs::default() };
        let site = flags.resolve(Some(&stored)).unwrap();
        assert_eq!((site.profile.grid.region.as_str(), site.profile.pue.value), ("CN-GS", 1.3));
        let flag = SiteArgs { site: Some("france".to_owned()), ..SiteArgs::default() };
        let site = flag.resolve(Some(&stored)).unwrap();
        assert_eq!(site.profile.grid.region, "FRA");
        assert!(site.notes.is_empty());
    }
}
