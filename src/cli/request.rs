//! What was asked of an account, written beside it so that the account can be made again.
//!
//! What surprises people: the choices of an account are taken up only for the runs it was made from and only where no flag
//! chooses otherwise; for other runs it is a site file and nothing more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::account::{AccountError, Job};
use crate::cli::accounting::usage;
use crate::cli::subjects::{Read, SubjectArgs};

/// The choices behind an account.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Request {
    /// Runs that it was made from.
    pub run_ids: Vec<String>,
    /// `--job`, as it is typed.
    pub jobs: Vec<String>,
    /// `--case`.
    pub cases: Vec<String>,
    /// `--program`.
    pub programs: Vec<String>,
    /// `--fleet`.
    pub fleet: bool,
    /// Other flags that change the figures, as they are typed, for the command that wrote them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

impl Request {
    /// What these flags ask of these records.
    pub fn of(args: &SubjectArgs, records: &[Read]) -> Self {
        Self {
            run_ids: run_ids(records),
            jobs: args.jobs.iter().map(ToString::to_string).collect(),
            cases: args.cases.clone(),
            programs: args.programs.clone(),
            fleet: args.fleet,
            options: BTreeMap::new(),
        }
    }

    /// With another flag, if it was given.
    #[must_use]
    pub fn with(mut self, flag: &str, value: Option<impl ToString>) -> Self {
        self.options.extend(value.map(|value| (flag.to_owned(), value.to_string())));
        self
    }

    /// What was typed for another flag, where it can still be read.
    pub fn option<T: std::str::FromStr>(&self, flag: &str) -> Option<T> {
        self.options.get(flag)?.parse().ok()
    }

    /// The same as flags.
    pub fn choices(&self, runs: &[PathBuf]) -> anyhow::Result<SubjectArgs> {
        let jobs = self.jobs.iter().map(|text| text.parse::<Job>()).collect::<Result<_, _>>().map_err(usage)?;
        let (cases, programs) = (self.cases.clone(), self.programs.clone());
        Ok(SubjectArgs { runs: runs.to_vec(), jobs, cases, programs, fleet: self.fleet })
    }
}

fn run_ids(records: &[Read]) -> Vec<String> {
    records.iter().map(|read| read.record.run_id.clone()).collect()
}

/// Whether a flag chooses work.
pub fn has_choice(args: &SubjectArgs) -> bool {
    args.fleet || !(args.jobs.is_empty() && args.cases.is_empty() && args.programs.is_empty())
}

/// What the account named by `--site` was asked for, if it was made from these runs.
pub fn of_account(site: Option<&str>, records: &[Read]) -> anyhow::Result<Option<Request>> {
    let is_json = |name: &&str| Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let Some(path) = site.filter(is_json).map(Path::new) else { return Ok(None) };
    let failed = |reason: String| AccountError::File { what: "account", path: path.to_path_buf(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| usage(failed(error.to_string())))?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| usage(failed(error.to_string())))?;
    // What has no request of this form is a site file here.
    let request = json.get("request").and_then(|own| Request::deserialize(own).ok());
    Ok(request.filter(|own| own.run_ids == run_ids(records)))
}

/// The choices of the account named by `--site`, if it was made from these runs, chose something, and no flag chooses
/// otherwise.
pub fn choices_of_account(
    site: Option<&str>,
    args: &SubjectArgs,
    records: &[Read],
) -> anyhow::Result<Option<SubjectArgs>> {
    let Some(request) = of_account(site, records)?.filter(|_| !has_choice(args)) else { return Ok(None) };
    let again = request.choices(&args.runs)?;
    Ok(has_choice(&again).then_some(again))
}

/// What is said where the choices of an account are taken up.
pub const AGAIN: &str = "the choices of the account named by --site are used again";
