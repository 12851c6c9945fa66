//! `qualify --resume DIR`: goes on with a load that was killed, if everything is as it was.
//!
//! What surprises people: time counts as measured only where its segment can be read; a damaged segment's time is measured
//! again, under a new number, and the damaged file stays as it is.

use std::collections::BTreeMap;
use std::path::Path;

use super::again::enter_all;
use super::ask::{self, Lengths};
use super::ledger::{Ledger, RESUMED};
use super::measure::{self, Job, SEED};
use super::{Args, references};
use crate::cli::bench::TestBench;
use crate::cli::commands::run::{STOPPING, interruption};
use crate::cli::{Console, Exit, Failure};
use crate::measure::soak;
use crate::model::{Case, Device, Phase, PowerRequest, Qualification, QualifiedDevice, RunRecord, RunStatus};
use crate::provenance;
use crate::store::{self, QualificationFolder};

/// Goes on with a qualification.
pub fn resume(args: &Args, path: &Path, console: &mut Console) -> anyhow::Result<Exit> {
    let references = references::load(args, console)?;
    let folder = QualificationFolder::open(path).map_err(|error| Failure::record(error.to_string()))?;
    let saved = store::read_qualification(path).map_err(|error| Failure::record(error.to_string()))?.qualification;
    if saved.status == RunStatus::Complete {
        let why = "it came to its end. `wattmark qualify --verdict` judges it again";
        return Err(Failure::usage(format!("there is nothing to resume in {}: {why}", folder.path().display())).into());
    }
    let test_bench = TestBench::open(args.simulate.as_deref())?;
    let (devices, mut differences) = same_devices(&saved, test_bench.machine().devices());
    let redact = redacts(args, &saved);
    differences.extend(other_boards(&saved, &measure::identities(args, &devices, &test_bench, redact)));
    differences.extend(other_program(&saved)?);
    differences.extend(other_labels(&saved, args)?);
    if test_bench.machine().is_simulated() != saved.simulated {
        differences.push("real and simulated devices do not mix".to_owned());
    }
    let ledger = enter_all(saved, references, &folder, console)?;
    let earlier = last_readable(&ledger, &folder);
    let work = soak::work(&devices, SEED);
    differences.extend(earlier.as_ref().and_then(|record| other_work(record, &work)));
    if !differences.is_empty() {
        let all = differences.join("; ");
        let rest = "Figures of different things do not add up: begin a new qualification";
        return Err(Failure::usage(format!("cannot resume {}: {all}. {rest}", folder.path().display())).into());
    }
    // The sensors of the first part, unless others are asked for.
    let request = match (&args.power.power, earlier) {
        (None, Some(record)) => record.plan.power,
        _ => args.power.request()?,
    };
    go_on(ledger, &folder, &test_bench, (devices, work, request), args, console)
}

fn go_on(
    mut ledger: Ledger,
    folder: &QualificationFolder,
    test_bench: &TestBench,
    (devices, work, request): (Vec<Device>, Vec<(Phase, Case)>, PowerRequest),
    args: &Args,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let (planned, done) = (ledger.qualification.planned_s, ledger.measured());
    let first =
        folder.segments().map_err(|error| Failure::record(error.to_string()))?.last().map_or(1, |last| last + 1);
    let interrupted = interruption(STOPPING)?;
    let sources = measure::open_power(&request, args, &devices, test_bench, console)?;
    let redact = redacts(args, &ledger.qualification);
    let identities = measure::identities(args, &devices, test_bench, redact);
    ledger.qualification.status = RunStatus::Running;
    ledger.qualification.ended = None;
    ledger.warn(format!("{RESUMED} after {:.0} s of load, with segment {first}", done.get()));
    ledger.judge();
    let job = Job {
        devices,
        work,
        request,
        sources,
        identities,
        lengths: Lengths::for_load(planned, args)?,
        done,
        first,
        inject_error: ledger.qualification.inject_error,
        redact,
    };
    measure::carry_out(job, ledger, folder, test_bench, &interrupted, args, console)
}

/// A load that hid names at its beginning goes on hiding them.
fn redacts(args: &Args, saved: &Qualification) -> bool {
    args.redact || provenance::redacted_name(&saved.host.hostname) == saved.host.hostname
}

/// The devices of the qualification as they are now, and what is not as it was.
fn same_devices(saved: &Qualification, all: Vec<Device>) -> (Vec<Device>, Vec<String>) {
    let mut devices = Vec::new();
    let mut differences = Vec::new();
    for QualifiedDevice { device: then, .. } in &saved.devices {
        let now = all.iter().find(|device| device.ordinal == then.ordinal);
        let place = |device: &Device| match &device.pci {
            Some(pci) => format!("{} at {pci}", device.name),
            None => device.name.clone(),
        };
        match now {
            None => differences.push(format!("device {} ({}) is gone", then.ordinal, place(then))),
            Some(now) if now.name != then.name || now.pci != then.pci => {
                differences.push(format!("device {} was {} and is {}", then.ordinal, place(then), place(now)));
            }
            Some(now) if now.driver_info != then.driver_info => differences.push(format!(
                "the driver of device {} was `{}` and is `{}`",
                then.ordinal, then.driver_info, now.driver_info
            )),
            Some(now) => devices.push(now.clone()),
        }
    }
    (devices, differences)
}

/// Boards that were changed for others of their kind in the same slot.
fn other_boards(saved: &Qualification, now: &BTreeMap<u32, BTreeMap<String, String>>) -> Vec<String> {
    let boards = saved.devices.iter().flat_map(|then| {
        let own = now.get(&then.device.ordinal);
        then.identity.iter().filter_map(move |(key, old)| {
            let new = own?.get(key).filter(|new| *new != old)?;
            Some(format!("{key} of device {} was {old} and is {new}", then.device.ordinal))
        })
    });
    boards.collect()
}

fn other_program(saved: &Qualification) -> anyhow::Result<Option<String>> {
    let own = measure::program_sha256()?;
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
    Ok((own != saved.program_sha256).then(|| {
        format!(
            "the program is another (SHA-256 {}… of wattmark {}, and now {}… of {})",
            short(&saved.program_sha256),
            saved.tool.version,
            short(&own),
            env!("CARGO_PKG_VERSION")
        )
    }))
}

/// Labels may be left out, and must be the same where they are given.
fn other_labels(saved: &Qualification, args: &Args) -> anyhow::Result<Vec<String>> {
    let given = ask::labels(&args.label)?;
    let differing = given.iter().filter(|(key, value)| saved.labels.get(*key) != Some(*value)).map(|(key, value)| {
        match saved.labels.get(key) {
            Some(old) => format!("label {key} was `{old}` and is `{value}`"),
            None => format!("there was no label {key}"),
        }
    });
    Ok(differing.collect())
}

/// The last segment that can be read.
fn last_readable(ledger: &Ledger, folder: &QualificationFolder) -> Option<RunRecord> {
    let last = ledger.qualification.segments.last()?;
    folder.read_segment(store::segment_number(&last.file)?, None).ok().map(|(record, _)| record)
}

/// What differs between the work of a segment and the work that would be done now.
fn other_work(record: &RunRecord, work: &[(Phase, Case)]) -> Option<String> {
    let then: Vec<&Case> = record.plan.cases.iter().collect();
    let now: Vec<&Case> = work.iter().map(|(_, case)| case).collect();
    let differing = then.iter().zip(&now).find(|(then, now)| then != now);
    match differing {
        Some((then, now)) => Some(format!("the work was {} and is {}", then.label(), now.label())),
        None if then.len() != now.len() => Some(format!("the work was {} cases and is {}", then.len(), now.len())),
        None => None,
    }
}
