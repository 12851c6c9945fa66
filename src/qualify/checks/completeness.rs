//! Q01: whether the device lived through the load and everything was measured.

use std::collections::BTreeSet;

use super::{check, said};
use crate::measure::result::metrics::DeviceFindings;
use crate::model::{CheckOutcome, Grade, Phase, PhaseOutputs, Reference, RunStatus};
use crate::qualify::catalogue;
use crate::qualify::{Occasion, words};

/// Part of the planned load below which a verdict would rest on another test than the one that was asked for.
const ENOUGH_LOAD: f64 = 0.9;
/// How the findings begin the text of a loss of the device; others are phases that it could not run.
const LOST: &str = "lost ";
/// The same of a run that an error ended.
const FAILED: &str = "the run failed ";
/// Most losses that the sentence lists.
const LISTED: usize = 3;

/// Whether everything was measured; `found` are the outcomes of the other checks, `known` the figures that a reference has.
pub fn completeness(
    own: &DeviceFindings,
    occasion: Option<&Occasion>,
    found: &[CheckOutcome],
    known: &BTreeSet<&str>,
) -> CheckOutcome {
    let lost: Vec<String> = own.losses.iter().filter(|loss| loss.starts_with(LOST)).cloned().collect();
    if !lost.is_empty() {
        let detail = format!("The device was {}.", words::list(&lost, LISTED));
        return said("Q01", Grade::Fail, Reference::Absolute, detail, check("Q01").action);
    }
    let gaps = gaps(own, occasion);
    if !gaps.is_empty() {
        let action = "Find out what stopped it (progress output, kernel log), then run again or resume (--resume DIR).";
        return said("Q01", Grade::Inconclusive, Reference::Absolute, format!("{}.", gaps.join("; ")), action);
    }
    let load = occasion.map_or(String::new(), |occasion| format!(" in {:.0} s of load", occasion.measured.get()));
    let unrun: Vec<String> =
        Phase::ALL.iter().filter(|phase| !has_work(own, **phase)).map(|phase| format!("no {phase} phase")).collect();
    let unrun: Vec<String> = unrun.into_iter().chain(own.losses.iter().cloned()).collect();
    let unread = unread(found);
    if unrun.is_empty() {
        let detail = format!("All {} phases were measured{load}.{unread}", own.work.len());
        return said("Q01", Grade::Pass, Reference::Absolute, detail, "");
    }
    let detail = format!("Measured{load}, but not all of it: {}.{unread}", words::list(&unrun, 2 * LISTED));
    // What a device of this kind is known to run is not too much for it: here it was just not measured.
    let missed: Vec<String> = Phase::ALL
        .iter()
        .filter(|phase| !has_work(own, **phase) && known.contains(format!("{phase}.rate.mean").as_str()))
        .map(|phase| format!("the {phase} phase"))
        .collect();
    if !missed.is_empty() {
        let detail = format!("{detail} A reference has figures of {}.", words::list(&missed, 2 * LISTED));
        let action = "Find out why the phase did not run (wattmark show lists the skips), set driver and memory right, run again.";
        return said("Q01", Grade::Inconclusive, Reference::Absolute, detail, action);
    }
    said("Q01", Grade::Warn, Reference::Absolute, detail, check("Q01").watch)
}

/// What a verdict needs and is not there, in words.
fn gaps(own: &DeviceFindings, occasion: Option<&Occasion>) -> Vec<String> {
    let mut gaps = Vec::new();
    match occasion.map(|occasion| &occasion.status) {
        Some(RunStatus::Interrupted) => gaps.push("The load was interrupted".to_owned()),
        Some(RunStatus::Failed { reason }) => gaps.push(format!("The load ended with an error: {reason}")),
        _ => {}
    }
    if let Some(occasion) = occasion {
        let (planned, measured) = (occasion.planned.get(), occasion.measured.get());
        if measured < ENOUGH_LOAD * planned {
            gaps.push(format!("{measured:.0} s of the {planned:.0} s of load were measured"));
        }
    }
    gaps.extend(own.losses.iter().filter(|loss| loss.starts_with(FAILED)).map(|loss| words::capital(loss)));
    if own.work.is_empty() {
        gaps.push("No phase was run".to_owned());
    }
    for work in &own.work {
        let id = format!("{}.rate.mean", work.phase);
        match own.metrics.iter().find(|metric| metric.id == id) {
            None => gaps.push(format!("The {} phase has no rate", work.phase)),
            Some(metric) if metric.value <= 0.0 => {
                gaps.push(format!("The {} phase has a rate of {}", work.phase, metric.value))
            }
            Some(_) => {}
        }
        let read = |outputs: &PhaseOutputs| outputs.phase == work.phase && !outputs.seen.is_empty();
        if !own.outputs.iter().any(read) {
            gaps.push(format!("No output of the {} phase was read", work.phase));
        }
    }
    for metric in own.metrics.iter().filter(|metric| !metric.value.is_finite()) {
        gaps.push(format!("{} is no number", metric.id));
    }
    gaps
}

fn has_work(own: &DeviceFindings, phase: Phase) -> bool {
    own.work.iter().any(|work| work.phase == phase)
}

/// The checks that had nothing to look at, as a sentence.
fn unread(found: &[CheckOutcome]) -> String {
    let silent: Vec<&str> = catalogue::CHECKS
        .iter()
        .filter(|check| check.code != "Q01" && !found.iter().any(|outcome| outcome.code == check.code))
        .map(|check| check.code)
        .collect();
    if silent.is_empty() {
        return String::new();
    }
    format!(" Not judged, because nothing was read or nothing is known: {}.", silent.join(", "))
}
