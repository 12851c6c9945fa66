//! What was asked of an account, written beside it so that the account can be made again.
//!
//! What surprises people: the choices of an account are taken up only for the runs it was made from and only where no flag
//! chooses otherwise; for other runs it is a site file and nothing more.

use std::path::Path;

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
        }
    }
}

fn run_ids(records: &[Read]) -> Vec<String> {
    records.iter().map(|read| read.record.run_id.clone()).collect()
}

/// Whether a flag chooses work.
pub fn has_choice(args: &SubjectArgs) -> bool {
    args.fleet || !(args.jobs.is_empty() && args.cases.is_empty() && args.programs.is_empty())
}

/// The flags that an account named by `--site` was made with, if it was made from these runs and no flag chooses otherwise.
pub fn of_account(site: Option<&str>, args: &SubjectArgs, records: &[Read]) -> anyhow::Result<Option<SubjectArgs>> {
    let is_json = |name: &&str| Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let Some(path) = site.filter(is_json).map(Path::new).filter(|_| !has_choice(args)) else { return Ok(None) };
    let failed = |reason: String| AccountError::File { what: "account", path: path.to_path_buf(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| usage(failed(error.to_string())))?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| usage(failed(error.to_string())))?;
    // The account of another command has no request of this form, and is a site file here.
    let Some(request) = json.get("request").and_then(|own| Request::deserialize(own).ok()) else { return Ok(None) };
    if request.run_ids != run_ids(records) {
        return Ok(None);
    }
    let jobs = request.jobs.iter().map(|text| text.parse::<Job>()).collect::<Result<_, _>>().map_err(usage)?;
    let again = SubjectArgs {
        runs: args.runs.clone(),
        jobs,
        cases: request.cases,
        programs: request.programs,
        fleet: request.fleet,
    };
    Ok(has_choice(&again).then_some(again))
}
