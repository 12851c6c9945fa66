//! Whose work is accounted, as flags: a job, a case, a metered program, or a fleet of records.

use std::path::PathBuf;

use crate::account::{self, Choice, Job, Subject, default_choice};
use crate::cli::accounting::usage;
use crate::cli::records::load;
use crate::cli::{Console, Failure};
use crate::measure::result::{RunResult, evaluate};
use crate::model::RunRecord;

/// Whose work, of which records.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SubjectArgs {
    /// Records: runs' folders or their run.json.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Amount of work to account, in FLOP (or bytes for memory problems): gemm=1e18, gemm/f16=1e18. Repeatable. [default: one
    /// EFLOP of f32 GEMM, or the metered programs of a record without cases]
    #[arg(long = "job", value_name = "WORK=AMOUNT")]
    pub jobs: Vec<Job>,
    /// Account one execution of the cases of this variant (`gemm/*`). Repeatable.
    #[arg(long = "case", value_name = "VARIANT")]
    pub cases: Vec<String>,
    /// Account one execution of the metered program of this label. Repeatable.
    #[arg(long = "program", value_name = "LABEL")]
    pub programs: Vec<String>,
    /// Spread the work over all devices of all records, in proportion to their speed.
    #[arg(long)]
    pub fleet: bool,
}

/// A record and what it says.
pub struct Read {
    /// The record.
    pub record: RunRecord,
    /// What it says.
    pub result: RunResult,
}

impl SubjectArgs {
    /// Reads the records.
    pub fn read(&self, console: &Console) -> anyhow::Result<Vec<Read>> {
        let one = |run: &PathBuf| {
            let record = load(run, console)?.record;
            let result = evaluate(&record);
            Ok(Read { record, result })
        };
        self.runs.iter().map(one).collect()
    }

    /// The choices that the flags name: jobs, cases, programs.
    pub fn choices(&self) -> Vec<Choice> {
        let jobs = self.jobs.iter().cloned().map(Choice::Job);
        let cases = self.cases.iter().cloned().map(Choice::Case);
        jobs.chain(cases).chain(self.programs.iter().cloned().map(Choice::Command)).collect()
    }

    /// The subjects that the flags mean, in the records' order; one for each choice with `--fleet`.
    pub fn subjects(&self, records: &[Read]) -> anyhow::Result<Vec<Subject>> {
        let mut choices = self.choices();
        if choices.is_empty() {
            let first = records.first().ok_or_else(|| Failure::usage("no record is named"))?;
            choices.push(default_choice(&first.record));
        }
        let mut all = Vec::new();
        for choice in &choices {
            let mut members = Vec::new();
            for Read { record, result } in records {
                let found = account::subjects(record, result, choice);
                members.extend(found.map_err(|error| named(usage(error), record, records.len()))?);
            }
            if self.fleet {
                all.push(account::fleet(&members).map_err(usage)?);
            } else {
                all.extend(members);
            }
        }
        Ok(all)
    }
}

/// The message with the record's name, where there are several.
fn named(error: Failure, record: &RunRecord, records: usize) -> Failure {
    if records > 1 { Failure::usage(format!("record {}: {error}", record.run_id)) } else { error }
}
