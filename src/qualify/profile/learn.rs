//! Making a profile from qualifications of devices that are known to be good.
//!
//! The limit of a figure lies at the table's tolerance from the median of the devices, or at three (warn) and five (fail)
//! robust standard deviations between devices where those are wider, and never inside what a known-good run measured. What
//! surprises people: one device tells nothing of how devices differ, so that limits learned from one are twice as wide, and
//! from two one and a half times.

use std::collections::{BTreeMap, BTreeSet};

use super::{LearnError, Profile, ProfileLimit, ProfileOutput};
use crate::model::{Better, Device, Evidence, Grade, Metric, Phase, Qualification, QualifiedDevice, RunStatus};
use crate::qualify::identity::{driver, same_board, same_model, simulated};
use crate::qualify::limits::Limits;
use crate::qualify::measures::{self, Form, Measure};
use crate::qualify::words;
use crate::qualify::work::{unlike_figures, works};
use crate::stats::{self, Robust};

/// Robust standard deviations between devices at which a limit warns, and fails.
const SIGMAS: (f64, f64) = (3.0, 5.0);
/// Fewest devices whose scatter says how devices differ.
const ENOUGH_FOR_SCATTER: usize = 3;
/// Fewest devices among which one can stand out.
const ENOUGH_FOR_OUTLIER: usize = 4;
/// Modified z-score of an outlier (Iglewicz and Hoaglin 1993).
const OUTLIER: f64 = 3.5;
/// Codes that must have passed or warned: completeness and outputs.
const SOUND: [&str; 5] = ["Q01", "Q02", "Q03", "Q04", "Q05"];

/// One device of one record.
#[derive(Clone, Copy)]
struct Run<'a> {
    record: &'a Qualification,
    device: &'a QualifiedDevice,
}

/// Widening of tolerances by the number of devices.
fn widening(boards: usize) -> f64 {
    match boards {
        0 | 1 => 2.0,
        2 => 1.5,
        _ => 1.0,
    }
}

impl Profile {
    /// Learns what is normal from qualifications of known-good devices of one model.
    ///
    /// Estimated energy gives no limits. Outputs that are the same on all devices become part of it.
    ///
    /// # Errors
    /// The records are not of one model, work and kind, did not run to their end, hold a device that failed, whose outputs
    /// are in doubt or that is not like the others, or hold no rate.
    pub fn learn(records: &[Qualification]) -> Result<Self, LearnError> {
        let mut seen = BTreeSet::new();
        let records: Vec<&Qualification> = records.iter().filter(|record| seen.insert(record.id.as_str())).collect();
        let runs: Vec<Run<'_>> =
            records.iter().flat_map(|record| record.devices.iter().map(move |device| Run { record, device })).collect();
        let first = *runs.first().ok_or(LearnError::Nothing)?;
        check_kind(&records, &runs)?;
        for run in &runs {
            check_good(run)?;
            check_work(&first, run)?;
        }
        let boards = boards(&runs);
        let mut limits = BTreeMap::new();
        for metric in &first.device.metrics {
            let Some(measure) = measures::measure(&metric.id).filter(|measure| measure.warn.is_some()) else {
                continue;
            };
            if let Some(limit) = limit(metric, measure, &boards)? {
                limits.insert(metric.id.clone(), limit);
            }
        }
        if !limits.keys().any(|id| id.ends_with(".rate.mean")) {
            return Err(LearnError::NoRates);
        }
        Ok(Self { limits, outputs: outputs(&runs)?, ..about(&records, &runs, boards.len()) })
    }
}

/// Everything but limits and outputs.
fn about(records: &[&Qualification], runs: &[Run<'_>], boards: usize) -> Profile {
    let device = &runs[0].device.device;
    let mut drivers: Vec<String> = runs.iter().map(|run| driver(&run.device.device)).collect();
    drivers.sort();
    drivers.dedup();
    let started: BTreeSet<&str> = records.iter().map(|record| record.started.as_str()).collect();
    let factor = widening(boards);
    let few =
        if factor > 1.0 { format!(", {factor} times as wide because there are few devices") } else { String::new() };
    Profile {
        name: slug(&device.name),
        model: device.name.clone(),
        simulated: simulated(device),
        devices: boards as u32,
        runs: runs.len() as u32,
        load_s: records.iter().map(|record| rounded(record.measured_s.get())).reduce(f64::min),
        rule: format!(
            "median of the devices, off by the tolerance of each check{few}, or by {} (warn) and {} (fail) robust standard \
             deviations between devices where that is wider; never inside what a known-good run measured",
            SIGMAS.0, SIGMAS.1
        ),
        tool: format!("wattmark {}", env!("CARGO_PKG_VERSION")),
        span: started.first().zip(started.last()).map(|(first, last)| ((*first).to_owned(), (*last).to_owned())),
        drivers,
        records: records.iter().map(|record| record.id.clone()).collect(),
        told: told(runs),
        note: String::new(),
        work: works(&runs[0].device.work),
        outputs: BTreeMap::new(),
        limits: BTreeMap::new(),
    }
}

/// Figures without a reference of their own that every run holds.
fn told(runs: &[Run<'_>]) -> Vec<String> {
    let has = |run: &Run<'_>, id: &str| run.device.metrics.iter().any(|metric| metric.id == id);
    let free = |id: &&str| measures::measure(id).is_some_and(|measure| measure.warn.is_none());
    let first = runs.first().map_or(&[][..], |run| &run.device.metrics);
    let ids = first.iter().map(|metric| metric.id.as_str()).filter(free);
    ids.filter(|id| runs.iter().all(|run| has(run, id))).map(str::to_owned).collect()
}

/// `NVIDIA H200` as `nvidia-h200`.
fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() { "device".to_owned() } else { words.join("-") }
}

fn label(device: &Device) -> String {
    format!("{} ({})", device.ordinal, device.name)
}

/// All of one model, and all simulated or none; every record finished.
fn check_kind(records: &[&Qualification], runs: &[Run<'_>]) -> Result<(), LearnError> {
    let first = &runs[0].device.device;
    if runs.iter().any(|run| {
        simulated(&run.device.device) != simulated(first) || run.record.simulated != runs[0].record.simulated
    }) {
        return Err(LearnError::MixedSimulation);
    }
    if runs.iter().any(|run| !same_model(&run.device.device, first)) {
        let names: BTreeSet<String> = runs
            .iter()
            .map(|run| {
                let device = &run.device.device;
                format!("{} ({:04x}:{:04x})", device.name, device.vendor_id, device.device_id)
            })
            .collect();
        return Err(LearnError::MixedModels(names.into_iter().collect::<Vec<_>>().join(", ")));
    }
    let status = |status: &RunStatus| match status {
        RunStatus::Complete => None,
        RunStatus::Running => Some("still running or was killed".to_owned()),
        RunStatus::Interrupted => Some("interrupted".to_owned()),
        RunStatus::Failed { reason } => Some(format!("ended by an error ({reason})")),
    };
    if let Some(record) = records.iter().find(|record| record.inject_error) {
        return Err(LearnError::Injected { record: record.id.clone() });
    }
    match records.iter().find_map(|record| Some((record, status(&record.status)?))) {
        None => Ok(()),
        Some((record, status)) => Err(LearnError::Unfinished { record: record.id.clone(), status }),
    }
}

/// A device that failed, or of which it is not known that its outputs are right, teaches nothing.
fn check_good(run: &Run<'_>) -> Result<(), LearnError> {
    let device = run.device;
    let refused = |grade: Grade, reason: String| LearnError::NotGood {
        record: run.record.id.clone(),
        device: label(&device.device),
        grade: grade.to_string(),
        reason,
    };
    let doubtful = device.checks.iter().find(|check| {
        check.grade == Grade::Fail || (check.grade == Grade::Inconclusive && SOUND.contains(&check.code.as_str()))
    });
    match doubtful {
        Some(check) => Err(refused(check.grade, format!("{} {}", check.code, check.title))),
        None if device.grade == Grade::Fail => Err(refused(device.grade, "its record says so".to_owned())),
        None if device.checks.is_empty() => Err(refused(device.grade, "it was never judged".to_owned())),
        None => Ok(()),
    }
}

fn check_work(first: &Run<'_>, run: &Run<'_>) -> Result<(), LearnError> {
    let (a, b) = (works(&first.device.work), works(&run.device.work));
    let reason = Phase::ALL.iter().find_map(|phase| match (a.get(phase.name()), b.get(phase.name())) {
        (Some(a), Some(b)) => a.difference(b).map(|text| format!("{phase} phase, {text}")),
        (None, None) => None,
        _ => Some(format!("only one has a {phase} phase")),
    });
    match reason {
        None => Ok(()),
        Some(reason) => {
            Err(LearnError::MixedWork { first: first.record.id.clone(), second: run.record.id.clone(), reason })
        }
    }
}

/// Runs by board.
fn boards<'a>(runs: &[Run<'a>]) -> Vec<Vec<Run<'a>>> {
    let mut boards: Vec<Vec<Run<'a>>> = Vec::new();
    for run in runs {
        let of = |run: &Run<'a>| (&run.device.device, &run.device.identity, Some(run.record.host.hostname.as_str()));
        match boards.iter_mut().find(|board| same_board(of(&board[0]), of(run))) {
            Some(board) => board.push(*run),
            None => boards.push(vec![*run]),
        }
    }
    boards
}

/// Limit of a figure; `None` where a device lacks it or its energy is estimated.
fn limit(like: &Metric, measure: &Measure, boards: &[Vec<Run<'_>>]) -> Result<Option<ProfileLimit>, LearnError> {
    if like.evidence == Some(Evidence::Estimated) {
        return Ok(None);
    }
    let (scope, evidence) =
        (like.scope.map(|scope| scope.to_string()), like.evidence.map(|evidence| evidence.to_string()));
    let mut medians: Vec<f64> = Vec::new();
    let mut values: Vec<f64> = Vec::new();
    for board in boards {
        let mut own: Vec<f64> = Vec::new();
        for run in board {
            let Some(metric) = run.device.metrics.iter().find(|metric| metric.id == like.id) else { return Ok(None) };
            if let Some(reason) = unlike_figures(metric, &like.unit, scope.as_deref(), evidence.as_deref()) {
                let (first, second) = (boards[0][0].record.id.clone(), run.record.id.clone());
                return Err(LearnError::MixedFigures { first, second, id: like.id.clone(), reason });
            }
            own.extend(Some(metric.value).filter(|value| value.is_finite()));
        }
        let Some(median) = stats::median(&own) else { return Ok(None) };
        medians.push(median);
        values.extend(own);
    }
    let Some(robust) = Robust::of(&medians) else { return Ok(None) };
    check_outliers(like, measure, boards, &medians, &robust)?;
    let sigma = if medians.len() >= ENOUGH_FOR_SCATTER { robust.sigma } else { 0.0 };
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let limits = limits(measure, (robust.median, sigma), (lowest, highest), widening(medians.len()));
    Ok(limits.map(|limits| ProfileLimit {
        unit: like.unit.clone(),
        limits,
        scope,
        evidence,
        median: Some(rounded(robust.median)),
        lowest: Some(rounded(lowest)),
        highest: Some(rounded(highest)),
        sigma: (medians.len() >= ENOUGH_FOR_SCATTER).then(|| rounded(sigma)),
    }))
}

/// Limits around the median, outside of what was measured; `None` where no limit on the worse side makes sense.
fn limits(
    measure: &Measure,
    (centre, sigma): (f64, f64),
    (lowest, highest): (f64, f64),
    factor: f64,
) -> Option<Limits> {
    let warn = (measure.warn?.around(centre) * factor).max(SIGMAS.0 * sigma);
    let fail = measure.fail.map(|fail| (fail.around(centre) * factor).max(SIGMAS.1 * sigma).max(warn));
    let mut limits = Limits::around(centre, warn, fail, measure.better);
    // A rounded limit may lie a digit inside of what was measured; then it moves a digit out.
    let below = |limit: Option<f64>| {
        let rounded = limit.map(|limit| rounded(limit.min(lowest)));
        rounded.map(|limit| if limit > lowest { outward(lowest, -1.0) } else { limit }).filter(|limit| *limit > 0.0)
    };
    let above = |limit: Option<f64>| {
        let rounded = limit.map(|limit| rounded(limit.max(highest)));
        let outer = rounded.map(|limit| if limit < highest { outward(highest, 1.0) } else { limit });
        outer.filter(|limit| measure.form != Form::Percent || *limit <= 1.0)
    };
    limits.warn_below = below(limits.warn_below);
    limits.fail_below = below(limits.fail_below);
    limits.warn_above = above(limits.warn_above);
    limits.fail_above = above(limits.fail_above);
    let worse_side = match measure.better {
        Some(Better::Higher) => limits.warn_below,
        Some(Better::Lower) => limits.warn_above,
        None => limits.warn_below.or(limits.warn_above),
    };
    worse_side.map(|_| limits)
}

/// A device far from the others is probably not good.
fn check_outliers(
    like: &Metric,
    measure: &Measure,
    boards: &[Vec<Run<'_>>],
    medians: &[f64],
    robust: &Robust,
) -> Result<(), LearnError> {
    let Some(fail) = measure.fail.filter(|_| boards.len() >= ENOUGH_FOR_OUTLIER) else { return Ok(()) };
    let far =
        |value: f64| (value - robust.median).abs() > fail.around(robust.median) && robust.z(value).abs() > OUTLIER;
    match boards.iter().zip(medians).find(|(_, median)| far(**median)) {
        None => Ok(()),
        Some((board, median)) => Err(LearnError::Outlier {
            record: board[0].record.id.clone(),
            device: label(&board[0].device.device),
            id: like.id.clone(),
            difference: format!(
                "{}, {} from the median of all ({})",
                words::number(measure, *median, &like.unit),
                robust.relative(*median).map_or_else(|| "away".to_owned(), words::change),
                words::number(measure, robust.median, &like.unit)
            ),
        }),
    }
}

/// Outputs that every run left, where kernel, inputs and driver are the same.
fn outputs(runs: &[Run<'_>]) -> Result<BTreeMap<String, ProfileOutput>, LearnError> {
    let mut found = BTreeMap::new();
    for phase in Phase::ALL {
        let mut known: Vec<(ProfileOutput, &Run<'_>)> = Vec::new();
        for run in runs {
            let work = run.device.work.iter().find(|work| work.phase == phase);
            let output = run.device.outputs.iter().find(|outputs| outputs.phase == phase);
            let digest = output.and_then(|output| output.seen.first());
            let (Some(work), Some(digest)) = (work, digest) else { continue };
            let own = ProfileOutput {
                sha256: digest.sha256.clone(),
                seed: work.case.seed,
                driver: driver(&run.device.device),
            };
            let like = known.iter().find(|(other, _)| (other.seed, &other.driver) == (own.seed, &own.driver));
            match like {
                Some((other, first)) if other.sha256 != own.sha256 => {
                    return Err(LearnError::Outputs {
                        first: first.record.id.clone(),
                        second: run.record.id.clone(),
                        phase: phase.name().to_owned(),
                    });
                }
                Some(_) => {}
                None => known.push((own, run)),
            }
        }
        if let [(output, _)] = &known[..] {
            found.insert(phase.name().to_owned(), output.clone());
        }
    }
    Ok(found)
}

/// Six significant figures: what a person reads in the file.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// Six significant figures, at least as far out as the value.
fn outward(value: f64, sign: f64) -> f64 {
    rounded(value + sign * 1e-5 * value.abs())
}
