//! Earlier qualifications of the same board as a reference: what was usual for it, and whether it drifts away.
//!
//! What surprises people: a run that failed, or was much shorter, is no history of what is usual, and a device that loses a little with every run
//! stays near its median, so that the oldest run is a reference of its own.

use std::collections::BTreeSet;

use super::{Aside, Bench, Bound, around};
use crate::measure::result::metrics::DeviceFindings;
use crate::model::{Grade, Metric, Qualification, QualifiedDevice, Reference};
use crate::qualify::References;
use crate::qualify::identity::{same_board, same_driver};
use crate::qualify::limits::Limits;
use crate::qualify::measures::Measure;
use crate::qualify::words;
use crate::stats::Robust;

/// Fewest runs that say what is usual.
const ENOUGH: usize = 2;
/// Part of this load below which an earlier one was too short to heat the device alike.
pub(super) const LEAST_LOAD: f64 = 0.5;
/// Fewest runs for a drift.
const ENOUGH_FOR_DRIFT: usize = 3;

/// What to do about a warning by runs with another driver.
const QUALIFY_TWICE: &str =
    "The device may be used. A driver changes rates: after two runs with this one, its history can fail it again.";

/// The same board in earlier qualifications, oldest first, each qualification once, and how many were left out because their
/// load was much shorter. A run that failed or was not completed says nothing of what is usual.
pub fn of<'a>(own: &DeviceFindings, references: &'a References) -> (Vec<(&'a str, &'a QualifiedDevice)>, usize) {
    let occasion = references.occasion.as_ref();
    let host = occasion.map(|occasion| occasion.host.as_str());
    let earlier = |run: &Qualification| {
        occasion.is_none_or(|now| run.id != now.id && (now.started.is_empty() || run.started < now.started))
    };
    let is_own = |run: &Qualification, past: &QualifiedDevice| {
        let other = (&past.device, &past.identity, Some(run.host.hostname.as_str()));
        same_board((&own.device, &own.identity, host), other)
    };
    let short =
        |run: &Qualification| occasion.is_some_and(|now| run.measured_s.get() < LEAST_LOAD * now.measured.get());
    let mut seen = BTreeSet::new();
    let mut past: Vec<(&Qualification, &QualifiedDevice)> = references
        .history
        .iter()
        .filter(|run| !run.inject_error && earlier(run) && seen.insert(run.id.as_str()))
        .flat_map(|run| run.devices.iter().map(move |device| (run, device)))
        .filter(|(run, device)| is_own(run, device) && device.grade != Grade::Fail && is_complete(device))
        .collect();
    let all = past.len();
    past.retain(|(run, _)| !short(run));
    past.sort_by_key(|(run, _)| run.started.as_str());
    let left_out = all - past.len();
    (past.into_iter().map(|(run, device)| (run.started.as_str(), device)).collect(), left_out)
}

/// False where the check of completeness says that something is missing.
fn is_complete(past: &QualifiedDevice) -> bool {
    !past.checks.iter().any(|check| check.code == "Q01" && check.grade > Grade::Warn)
}

/// Limits of a figure by the board's own past: what was usual, and the oldest run.
pub fn bounds(
    bench: &Bench<'_>,
    own: &DeviceFindings,
    metric: &Metric,
    measure: &Measure,
    aside: &mut Aside,
) -> Vec<Bound> {
    if measure.warn.is_none() {
        return Vec::new();
    }
    let mut like = |same: bool| -> Vec<(&str, f64)> {
        let runs = bench.history.iter().zip(&bench.past_works);
        runs.filter(|((_, past), _)| !same || same_driver(&own.device, &past.device))
            .filter_map(|((started, past), works)| {
                Some((*started, bench.like_value(metric, (works, &past.metrics), "history", aside)?))
            })
            .collect()
    };
    let (mut runs, mut same) = (like(true), true);
    if runs.len() < ENOUGH {
        (runs, same) = (like(false), false);
    }
    let values: Vec<f64> = runs.iter().map(|(_, value)| *value).collect();
    let Some(robust) = Robust::of(&values).filter(|robust| robust.n >= ENOUGH) else { return Vec::new() };
    let reference = Reference::History { runs: values.len() as u32 };
    let caveat = (!same).then(|| "earlier runs had another driver".to_owned());
    let middle = words::number(measure, robust.median, &metric.unit);
    let relative = robust.relative(metric.value).map(|ratio| format!(", {} from it", words::change(ratio)));
    let usual = around(&robust, measure).map(|limits| Bound {
        reference: reference.clone(),
        limits,
        at_most: if same { Grade::Fail } else { Grade::Warn },
        covers: true,
        note: format!("median {middle}{}", relative.unwrap_or_default()),
        caveat: caveat.clone(),
        remedy: (!same).then_some(QUALIFY_TWICE),
    });
    let first = runs.first().filter(|_| values.len() >= ENOUGH_FOR_DRIFT);
    let drift = first.and_then(|(started, value)| {
        let tolerance = measure.fail.or(measure.warn)?.around(*value);
        let oldest = words::number(measure, *value, &metric.unit);
        let change =
            if *value == 0.0 { String::new() } else { format!(", {}", words::change(metric.value / value - 1.0)) };
        Some(Bound {
            reference,
            limits: Limits::around(*value, tolerance, None, measure.better),
            at_most: Grade::Warn,
            covers: false,
            note: format!("drift from the oldest run ({}), {oldest}{change}", started.get(..10).unwrap_or(started)),
            caveat,
            remedy: None,
        })
    });
    usual.into_iter().chain(drift).collect()
}
