//! Q02 to Q05: whether the outputs are right.
//!
//! What surprises people: outputs of devices of one model are compared bit by bit only where kernel, inputs and driver are
//! the same; with two devices that differ, neither is called wrong.

use super::{check, said};
use crate::measure::result::metrics::DeviceFindings;
use crate::model::{Case, CheckOutcome, Device, Grade, Phase, PhaseOutputs, PhaseWork, Reference};
use crate::qualify::identity::{driver, same_driver};
use crate::qualify::references::Bench;
use crate::qualify::words;
use crate::qualify::work::WorkKey;

/// Fewest devices, the own one among them, whose majority says which output is right.
const MAJORITY_OF: usize = 3;

/// Outcomes of the checks of outputs.
pub fn outputs(own: &DeviceFindings, bench: &Bench<'_>) -> Vec<CheckOutcome> {
    let mut outcomes = Vec::new();
    for outputs in &own.outputs {
        outcomes.extend(known(outputs));
        outcomes.extend(repeats(outputs));
        outcomes.extend(like_devices(own, outputs, bench));
        outcomes.extend(reference(own, outputs));
    }
    outcomes.extend(wrong_windows(own));
    outcomes
}

fn outcome(code: &str, phase: Phase, grade: Grade, reference: Reference, detail: String) -> CheckOutcome {
    let info = check(code);
    let action = if grade == Grade::Fail { info.action } else { info.watch };
    let mut outcome = said(code, grade, reference, detail, action);
    outcome.title = format!("{}, {phase}", outcome.title);
    outcome.metric = Some(format!("{phase}.output.wrong"));
    outcome
}

/// Gives an outcome its numbers: wrong windows against none.
fn counted(mut outcome: CheckOutcome, wrong: u64) -> CheckOutcome {
    (outcome.value, outcome.limit, outcome.unit) = (Some(wrong as f64), Some(0.0), "1".to_owned());
    outcome
}

fn windows(outputs: &PhaseOutputs) -> u64 {
    outputs.seen.iter().map(|seen| seen.windows).sum()
}

/// How much of the output the digests hold, where it is not all.
fn part(outputs: &PhaseOutputs) -> String {
    if outputs.coverage >= 1.0 {
        String::new()
    } else {
        format!(" (of {:.1} % of its bytes)", outputs.coverage * 100.0)
    }
}

/// Q02: against the digest that the arithmetic demands.
fn known(outputs: &PhaseOutputs) -> Option<CheckOutcome> {
    let demanded = outputs.known.as_ref()?;
    let all = windows(outputs);
    if all == 0 {
        let detail = "No output was read, so that nothing is known of it.".to_owned();
        return Some(outcome("Q02", outputs.phase, Grade::Inconclusive, Reference::Absolute, detail));
    }
    let wrong: Vec<_> = outputs.seen.iter().filter(|seen| seen.sha256 != *demanded).collect();
    let count: u64 = wrong.iter().map(|seen| seen.windows).sum();
    let part = part(outputs);
    if count == 0 {
        let detail = format!("All {all} outputs{part} have the digest that the arithmetic demands.");
        return Some(counted(outcome("Q02", outputs.phase, Grade::Pass, Reference::Absolute, detail), 0));
    }
    let odd = wrong.iter().map(|seen| seen.sha256.as_str()).next().unwrap_or_default();
    let detail = format!(
        "{count} of {all} outputs{part} are wrong: digest {} where {} is right.",
        words::short(odd),
        words::short(demanded)
    );
    let mut found = counted(outcome("Q02", outputs.phase, Grade::Fail, Reference::Absolute, detail), count);
    found.window_s = span(wrong.iter().map(|seen| (seen.first_s, seen.last_s)));
    Some(found)
}

/// The stretch that holds all of these.
fn span(spans: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    spans.reduce(|(first, last), (a, b)| (first.min(a), last.max(b)))
}

/// Q03: every window of a phase leaves the same output.
fn repeats(outputs: &PhaseOutputs) -> Option<CheckOutcome> {
    let all = windows(outputs);
    let say = |grade, detail| Some(outcome("Q03", outputs.phase, grade, Reference::Absolute, detail));
    let part = part(outputs);
    match (outputs.seen.len(), all) {
        (0, _) => None,
        (1, 0 | 1) => say(
            Grade::Inconclusive,
            format!("Only one output{part} was read, so that there is no repeat to compare with."),
        ),
        (1, _) => {
            let detail = format!("All {all} outputs{part} are equal to the last bit.");
            say(Grade::Pass, detail).map(|found| counted(found, 0))
        }
        (kinds, _) => {
            let odd = &outputs.seen[1..];
            let count: u64 = odd.iter().map(|seen| seen.windows).sum();
            let detail = format!(
                "{kinds} different outputs{part} of equal inputs: {} windows left {}, and {count} left another.",
                outputs.seen[0].windows,
                words::short(&outputs.seen[0].sha256)
            );
            say(Grade::Fail, detail).map(|found| {
                let mut found = counted(found, count);
                found.window_s = span(odd.iter().map(|seen| (seen.first_s, seen.last_s)));
                found
            })
        }
    }
}

/// The digest that stands for a phase: the most frequent one.
fn main_digest(outputs: &[PhaseOutputs], phase: Phase, coverage: f64) -> Option<&str> {
    let of = outputs.iter().find(|outputs| outputs.phase == phase && outputs.coverage == coverage)?;
    of.seen.first().map(|seen| seen.sha256.as_str())
}

fn case_of(work: &[PhaseWork], phase: Phase) -> Option<&Case> {
    work.iter().find(|work| work.phase == phase).map(|work| &work.case)
}

/// True if two devices ran the very same instructions on the very same inputs.
fn same_instructions(a: (&Device, Option<&Case>), b: (&Device, Option<&Case>)) -> bool {
    let (Some(x), Some(y)) = (a.1, b.1) else { return false };
    same_driver(a.0, b.0) && x.seed == y.seed && WorkKey::of(x).difference(&WorkKey::of(y)).is_none()
}

/// Q04: like devices, the profile and the own past leave the same output.
fn like_devices(own: &DeviceFindings, outputs: &PhaseOutputs, bench: &Bench<'_>) -> Option<CheckOutcome> {
    let phase = outputs.phase;
    let digest = outputs.seen.first().map(|seen| seen.sha256.as_str())?;
    let case = case_of(&own.work, phase)?;
    let alike = |device: &Device, work: &[PhaseWork]| {
        same_instructions((&own.device, Some(case)), (device, case_of(work, phase)))
    };
    let peers: Vec<&str> = bench
        .peers
        .iter()
        .filter(|peer| alike(&peer.device, &peer.work))
        .filter_map(|peer| main_digest(&peer.outputs, phase, outputs.coverage))
        .collect();
    let past: Vec<&str> = bench
        .history
        .iter()
        .filter(|(_, past)| alike(&past.device, &past.work))
        .filter_map(|(_, past)| main_digest(&past.outputs, phase, outputs.coverage))
        .collect();
    let mut findings: Vec<(Grade, Reference, String)> = Vec::new();
    findings.extend(by_profile(own, phase, digest, case, bench));
    findings.extend(by_peers(digest, &peers));
    findings.extend(by_history(digest, &past));
    let gravest = findings.iter().map(|(grade, _, _)| *grade).max()?;
    let (_, reference, _) = findings.iter().find(|(grade, _, _)| *grade == gravest)?.clone();
    let detail: Vec<String> = findings.into_iter().map(|(_, _, text)| text).collect();
    Some(outcome("Q04", phase, gravest, reference, detail.join(" ")))
}

fn by_profile(
    own: &DeviceFindings,
    phase: Phase,
    digest: &str,
    case: &Case,
    bench: &Bench<'_>,
) -> Option<(Grade, Reference, String)> {
    let profile = bench.profile.as_ref()?;
    let known = profile.outputs.get(phase.name())?;
    let work = profile.work.get(phase.name())?;
    if known.seed != case.seed || known.driver != driver(&own.device) || WorkKey::of(case).difference(work).is_some() {
        return None;
    }
    let reference = Reference::Profile { name: profile.name.clone() };
    Some(if known.sha256 == digest {
        (Grade::Pass, reference, format!("Equal to the output in profile {}.", profile.name))
    } else {
        let (name, right) = (&profile.name, words::short(&known.sha256));
        (
            Grade::Fail,
            reference,
            format!("Profile {name} has the output {right}, and this device leaves {}.", words::short(digest)),
        )
    })
}

fn by_peers(digest: &str, peers: &[&str]) -> Option<(Grade, Reference, String)> {
    if peers.is_empty() {
        return None;
    }
    let reference = Reference::Peers { devices: peers.len() as u32 };
    let votes = |of: &str| peers.iter().filter(|other| **other == of).count();
    let agree = votes(digest);
    let (devices, all) = (words::count(peers.len(), "other device"), peers.len() + 1);
    if agree == peers.len() {
        return Some((Grade::Pass, reference, format!("Equal to the output of {devices} of this model.")));
    }
    let most = peers.iter().map(|other| votes(other)).max().unwrap_or(0);
    let rival = peers.iter().filter(|other| **other != digest).map(|other| votes(other)).max().unwrap_or(0);
    // Own votes include the device itself; a majority is more than half of all.
    if 2 * (agree + 1) > all && all >= MAJORITY_OF {
        let odd = peers.len() - agree;
        return Some((
            Grade::Pass,
            reference,
            format!("Equal to the output of most devices of this model; {odd} of {devices} differ."),
        ));
    }
    let text = format!(
        "{} of {devices} of this model leave another output than this device ({}).",
        peers.len() - agree,
        words::short(digest)
    );
    if all >= MAJORITY_OF && 2 * rival > all && rival == most {
        return Some((Grade::Fail, reference, text));
    }
    Some((Grade::Inconclusive, reference, format!("{text} No majority says which is right.")))
}

fn by_history(digest: &str, past: &[&str]) -> Option<(Grade, Reference, String)> {
    let last = past.last()?;
    let reference = Reference::History { runs: past.len() as u32 };
    let runs = words::count(past.len(), "earlier run");
    let same = past.iter().filter(|other| **other == digest).count();
    Some(if same == past.len() {
        (Grade::Pass, reference, format!("Equal to the output of its {runs}."))
    } else {
        let text = format!(
            "{same} of its {runs} left this output; the last left {}, this one {}.",
            words::short(last),
            words::short(digest)
        );
        (Grade::Fail, reference, text)
    })
}

/// Q05: sums and samples against the float64 reference.
fn reference(own: &DeviceFindings, outputs: &PhaseOutputs) -> Option<CheckOutcome> {
    if outputs.failures.is_empty() {
        let measured = own.metrics.iter().any(|metric| metric.id == format!("{}.rate.mean", outputs.phase));
        let detail = "Outputs before, during and after the load are within the bounds of rounding.".to_owned();
        return measured.then(|| counted(outcome("Q05", outputs.phase, Grade::Pass, Reference::Absolute, detail), 0));
    }
    let count = outputs.failures.len();
    let detail = format!("{}: {}.", words::count(count, "failed check"), words::list(&outputs.failures, 2));
    Some(counted(outcome("Q05", outputs.phase, Grade::Fail, Reference::Absolute, detail), count as u64))
}

/// Wrong windows that were counted, but of which no output is kept.
fn wrong_windows(own: &DeviceFindings) -> Vec<CheckOutcome> {
    let one = |phase: Phase| {
        let metric = own.metrics.iter().find(|metric| metric.id == format!("{phase}.output.wrong"))?;
        let explained = own.outputs.iter().any(|outputs| {
            outputs.phase == phase
                && (!outputs.failures.is_empty() || outputs.seen.len() > 1 || outputs.known.is_some())
        });
        (metric.value > 0.0 && !explained).then(|| {
            let detail = format!("{} windows left a wrong output.", metric.value);
            counted(outcome("Q05", phase, Grade::Fail, Reference::Absolute, detail), metric.value as u64)
        })
    };
    Phase::ALL.into_iter().filter_map(one).collect()
}
