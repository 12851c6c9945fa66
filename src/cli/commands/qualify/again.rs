//! `qualify --verdict DIR`: the verdict made again from the segments, with the references given now.
//!
//! What surprises people: nothing in the folder is changed, and a `qualification.json` that is lost or damaged is no obstacle,
//! for all that it says can be had from the segments, except the labels and the length that was asked for.

use std::path::Path;

use super::ledger::{Head, Ledger, load_time};
use super::{Args, ledger, outcome, references};
use crate::cli::{Console, Exit, Failure};
use crate::model::{Qualification, RunRecord};
use crate::qualify::References;
use crate::store::{self, QualificationFolder, StoreError};
use crate::units::Seconds;

/// Judges a folder's segments.
pub fn judge_again(args: &Args, path: &Path, console: &mut Console) -> anyhow::Result<Exit> {
    let references = references::load(args, console)?;
    let folder = QualificationFolder::open(path).map_err(|error| Failure::record(error.to_string()))?;
    let mut ledger = match store::read_qualification(path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                console.note(&format!("wattmark: {}: {warning}", loaded.path.display()));
            }
            enter_all(loaded.qualification, references, &folder, console)?
        }
        Err(error @ (StoreError::NewerMajor { .. } | StoreError::NoQualification { .. })) => {
            return Err(Failure::record(error.to_string()).into());
        }
        Err(error) => {
            let Some(head) = head_of_segments(&folder) else { return Err(Failure::record(error.to_string()).into()) };
            console.note(&format!(
                "wattmark: {error}. What it said is made again from the segments, but for its labels and the length that was \
                 asked for"
            ));
            let blank = Ledger::new(head, Vec::new(), References::default()).qualification;
            enter_all(blank, references, &folder, console)?
        }
    };
    ledger.judge();
    outcome::present(&ledger, None, args, console)
}

/// A ledger with every segment that can be read; the others are named.
pub fn enter_all(
    saved: Qualification,
    references: References,
    folder: &QualificationFolder,
    console: &Console,
) -> anyhow::Result<Ledger> {
    let stated = saved.segments.clone();
    let known_warnings = saved.warnings.clone();
    let mut ledger = Ledger::reopened(saved, references);
    // The others are found again in the segments.
    let own = |text: &str| text.contains(ledger::UNSAVED) || text.starts_with(ledger::RESUMED);
    for warning in known_warnings.into_iter().filter(|warning| own(&warning.text)) {
        ledger.warn(warning.text);
    }
    let mut numbers = folder.segments().map_err(|error| Failure::record(error.to_string()))?;
    numbers.extend(stated.iter().filter_map(|segment| store::segment_number(&segment.file)));
    numbers.sort_unstable();
    numbers.dedup();
    let mut left_out = 0;
    for number in numbers {
        let file = store::segment_file(number);
        let sha256 = stated.iter().find(|segment| segment.file == file).map(|segment| segment.sha256.as_str());
        match folder.read_segment(number, sha256) {
            Ok((record, segment)) => ledger.enter(Some(segment), &record),
            Err(error) => {
                left_out += 1;
                console.note(&format!("wattmark: {error}"));
                let why = match error {
                    StoreError::Missing { .. } => "is missing",
                    StoreError::Changed { .. } => "was changed after it was saved",
                    _ => "cannot be read",
                };
                ledger.warn(format!("{file} {why}: it is left out, and its time counts as not measured"));
            }
        }
    }
    if ledger.qualification.segments.is_empty() && left_out > 0 {
        let why = "none of its segments can be read";
        return Err(Failure::record(format!("cannot judge {}: {why}", folder.path().display())).into());
    }
    Ok(ledger)
}

/// What the first readable segment says of the whole.
fn head_of_segments(folder: &QualificationFolder) -> Option<Head> {
    let numbers = folder.segments().ok()?;
    let records = numbers.iter().filter_map(|number| folder.read_segment(*number, None).ok());
    let (first, _): (RunRecord, _) = records.into_iter().next()?;
    // The length that was asked for is unknown: what was measured is all that can be held against it.
    let readable = numbers.iter().filter_map(|number| folder.read_segment(*number, None).ok());
    let planned = readable.map(|(record, _)| load_time(&record)).fold(Seconds::new(0.0), |sum, time| sum + time);
    Some(Head {
        id: folder.id().to_owned(),
        started: first.started,
        simulated: first.simulated,
        inject_error: first.plan.inject_error,
        tool: first.provenance.tool,
        program_sha256: String::new(),
        host: first.provenance.host,
        labels: Default::default(),
        planned,
    })
}
