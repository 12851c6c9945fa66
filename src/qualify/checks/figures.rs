//! Rates, efficiencies, temperatures, throttling and error counters against their limits.
//!
//! What surprises people: all references are held against a figure and the strictest finding speaks; the text names what
//! the others said. A figure that needs a reference and has none is inconclusive, one outcome for each check.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{check, said};
use crate::measure::result::metrics::DeviceFindings;
use crate::model::{CheckOutcome, Evidence, Grade, Metric, Reference};
use crate::qualify::catalogue::CheckInfo;
use crate::qualify::limits::Finding;
use crate::qualify::measures::{self, MEASURES, Measure};
use crate::qualify::references::{Aside, Bench, Bound};
use crate::qualify::words;

/// Most figures that a sentence lists.
const LISTED: usize = 5;

/// What to do about a value whose interval holds the limit.
const SOFTENED: &str =
    "The device may be used. Run longer (--duration), so that the interval is narrow enough to tell.";

/// Outcomes of every judged figure, and what could not be compared.
pub fn figures(own: &DeviceFindings, bench: &Bench<'_>) -> (Vec<CheckOutcome>, Aside) {
    let (mut outcomes, mut aside) = (Vec::new(), bench.early.clone());
    let known = bench.known_figures();
    let mut bare: Vec<(&Metric, &Measure)> = Vec::new();
    let mut seen = BTreeSet::new();
    for metric in own.metrics.iter().filter(|metric| metric.value.is_finite()) {
        let Some(measure) = measures::measure(&metric.id).filter(|_| seen.insert(metric.id.as_str())) else { continue };
        let bounds = bench.bounds(own, metric, measure, &mut aside);
        let estimated = metric.evidence == Some(Evidence::Estimated);
        let covered = bounds.iter().any(|bound| bound.covers);
        outcomes.extend(judged(metric, measure, &bounds, covered || !measure.needed));
        if !covered && measure.needed && (!estimated || known.contains(metric.id.as_str())) {
            bare.push((metric, measure));
        }
    }
    outcomes.extend(without_reference(&bare, bench));
    outcomes.extend(not_measured(own, &known));
    (outcomes, aside)
}

/// What the references say of one figure; a pass counts only where one of them says what is normal.
fn judged(metric: &Metric, measure: &Measure, bounds: &[Bound], may_pass: bool) -> Option<CheckOutcome> {
    let mut findings: Vec<(&Bound, Finding)> = bounds
        .iter()
        .filter_map(|bound| {
            let mut finding = bound.limits.hold(metric.value, metric.interval, !measure.mean)?;
            finding.grade = finding.grade.min(bound.at_most);
            Some((bound, finding))
        })
        .collect();
    let distance = |finding: &Finding| match (metric.value - finding.limit).abs() / finding.limit.abs() {
        ratio if ratio.is_finite() => ratio,
        _ => 0.0,
    };
    // The gravest first; of equal grades the limit furthest behind, of passes the nearest.
    findings.sort_by(|a, b| {
        let of = |(bound, finding): &(&Bound, Finding)| (Reverse(finding.grade), !bound.covers);
        let near = distance(&a.1).total_cmp(&distance(&b.1));
        of(a).cmp(&of(b)).then(if a.1.grade == Grade::Pass { near } else { near.reverse() })
    });
    let (bound, finding) = findings.first()?;
    if finding.grade == Grade::Pass && !may_pass {
        return None;
    }
    let info = check(measure.code);
    let others: Vec<String> =
        findings[1..].iter().map(|(bound, finding)| other(metric, measure, bound, finding)).collect();
    let others = if others.is_empty() { String::new() } else { format!(" {}", others.join(" ")) };
    Some(CheckOutcome {
        code: info.code.to_owned(),
        title: measures::prefix(&metric.id)
            .map_or_else(|| info.title.to_owned(), |prefix| format!("{}, {prefix}", info.title)),
        grade: finding.grade,
        metric: Some(metric.id.clone()),
        value: Some(metric.value),
        limit: Some(finding.limit),
        unit: metric.unit.clone(),
        reference: bound.reference.clone(),
        window_s: None,
        detail: format!("{}{others}", sentence(metric, measure, bound, finding)),
        action: action(info, bound, finding).to_owned(),
    })
}

/// What to do: what would settle a doubt comes before what would mend a device.
fn action(info: &'static CheckInfo, bound: &Bound, finding: &Finding) -> &'static str {
    match finding.grade {
        Grade::Pass => "",
        Grade::Fail => info.action,
        _ if finding.softened => SOFTENED,
        _ => bound.remedy.unwrap_or(info.watch),
    }
}

/// The finding that speaks.
fn sentence(metric: &Metric, measure: &Measure, bound: &Bound, finding: &Finding) -> String {
    let say = |value: f64| words::number(measure, value, &metric.unit);
    let interval = metric.interval.map(|(low, high)| format!(" (95 % interval {} to {})", say(low), say(high)));
    let side = match (finding.grade, finding.lower) {
        (Grade::Pass, true) => "not below",
        (Grade::Pass, false) => "not above",
        (_, true) => "below",
        (_, false) => "above",
    };
    let soft = match (finding.softened, metric.interval) {
        (false, _) => "",
        (true, Some(_)) => "; the interval holds the limit of failure, so that this only warns",
        (true, None) => "; without an interval a mean cannot fail",
    };
    let caveat = bound.caveat.as_ref().map(|caveat| format!("; {caveat}")).unwrap_or_default();
    let unmeasured = match metric.evidence {
        Some(Evidence::Measured) | None => String::new(),
        Some(other) => format!("{other} "),
    };
    format!(
        "{unmeasured}{}{} is {side} {}, the limit of {}{soft}{caveat}.",
        say(metric.value),
        interval.unwrap_or_default(),
        say(finding.limit),
        named(bound),
    )
}

/// A finding that another one outweighs.
fn other(metric: &Metric, measure: &Measure, bound: &Bound, finding: &Finding) -> String {
    let limit = words::number(measure, finding.limit, &metric.unit);
    format!("{}: {}, limit {limit}.", words::capital(&named(bound)), finding.grade)
}

/// A reference in a few words, with what it holds.
fn named(bound: &Bound) -> String {
    let note = &bound.note;
    match &bound.reference {
        Reference::Absolute => "any device".to_owned(),
        Reference::Profile { name } => format!("profile {name} ({note})"),
        Reference::Peers { devices } => {
            format!("its peers ({}: {note})", words::count(*devices as usize, "other device"))
        }
        Reference::History { runs } => format!("its own history ({}: {note})", words::count(*runs as usize, "run")),
    }
}

/// One inconclusive outcome for each check whose figures nobody can say the normal value of.
fn without_reference(bare: &[(&Metric, &Measure)], bench: &Bench<'_>) -> Vec<CheckOutcome> {
    let why = if bench.is_empty() {
        "there is no reference"
    } else {
        "no reference that can be compared says what is normal"
    };
    let of = |code: &'static str| {
        let values: Vec<String> = bare
            .iter()
            .filter(|(_, measure)| measure.code == code)
            .map(|(metric, measure)| {
                let prefix = measures::prefix(&metric.id).unwrap_or(&metric.id);
                format!("{prefix} {}", words::number(measure, metric.value, &metric.unit))
            })
            .collect();
        (!values.is_empty()).then(|| {
            let mut outcome = said(
                code,
                Grade::Inconclusive,
                Reference::Absolute,
                format!("Measured, but {why}: {}.", words::list(&values, LISTED)),
                super::check("Q40").action,
            );
            outcome.title = format!("{}: no reference", outcome.title);
            outcome
        })
    };
    codes().into_iter().filter_map(of).collect()
}

/// One inconclusive outcome for each check of which a reference has a figure that is missing here.
fn not_measured(own: &DeviceFindings, known: &BTreeSet<&str>) -> Vec<CheckOutcome> {
    let have = |id: &str| own.metrics.iter().any(|metric| metric.id == id && metric.value.is_finite());
    let runs = |id: &str| measures::phase(id).is_none_or(|phase| own.work.iter().any(|work| work.phase == phase));
    let of = |code: &'static str| {
        let lacking: Vec<String> = known
            .iter()
            .filter(|id| measures::measure(id).is_some_and(|measure| measure.code == code))
            .filter(|id| !have(id) && runs(id))
            .map(|id| (*id).to_owned())
            .collect();
        (!lacking.is_empty()).then(|| {
            let mut outcome = said(
                code,
                Grade::Inconclusive,
                Reference::Absolute,
                format!("Not measured here, although a reference has it: {}.", words::list(&lacking, LISTED)),
                "Find out why the reading is missing (wattmark doctor, wattmark devices), then run again.",
            );
            outcome.title = format!("{}: not measured", outcome.title);
            outcome
        })
    };
    codes().into_iter().filter_map(of).collect()
}

/// Codes of the checks of figures, each once.
fn codes() -> Vec<&'static str> {
    let mut codes: Vec<&str> = MEASURES.iter().map(|measure| measure.code).collect();
    codes.dedup();
    codes
}
