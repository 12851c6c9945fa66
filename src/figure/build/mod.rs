//! Builders: what each figure shows, as data. One file per figure; the words they share are here.
//!
//! What surprises people: a builder never fails. Where a record has nothing to show, the figure says so.

pub mod bandwidth;
pub mod carbon_matrix;
pub mod carbon_regions;
pub mod carbon_when;
pub mod compare_pareto;
pub mod cost_stack;
pub mod efficiency;
pub mod fleet;
pub mod microgrid;
pub mod pareto;
pub mod power_trace;
pub mod roofline;
pub mod throughput_power;
pub mod tornado;

use std::collections::{BTreeMap, BTreeSet};

use super::palette::{Fill, Hatch, Ink, Marker};
use super::{Axis, Figure, LegendEntry, Panel, Prefix, RowEntry, Scale, Sign, Table};
use crate::measure::result::{CaseResult, EnergyResult, RunResult};
use crate::model::{
    Case, Counted, CountedIn, ElementType, Estimate, Evidence, RunRecord, Scope, Shape, Skip, SkipReason,
};
use crate::units::Quantity;

/// An empty figure of a run.
fn begin(id: &str, title: String, record: &RunRecord, width_mm: f64) -> Figure {
    Figure {
        id: id.to_owned(),
        title,
        alt: String::new(),
        caption: String::new(),
        run_ids: vec![record.run_id.clone()],
        width_mm,
        legend: Vec::new(),
        panels: Vec::new(),
        key: Vec::new(),
        // A figure is passed on without its caption: what it shows must be said inside.
        notes: if record.simulated { vec![SIMULATED.to_owned()] } else { Vec::new() },
        table: Table::default(),
    }
}

/// What the chart of an account rests on, for its caption and its notes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChartSource {
    /// Runs that it shows; empty where watts were declared.
    pub run_ids: Vec<String>,
    /// True if any of them was scripted.
    pub simulated: bool,
    /// The work or load in words: `1 EFLOP of f32 gemm on NVIDIA H200`.
    pub subject: String,
    /// Scope and evidence of the energy in words: `board, measured`; `400 W, DECLARED`.
    pub energy: String,
    /// How the energies in it came about, each once; what was not measured is said inside the figure.
    pub evidence: Vec<Evidence>,
    /// Site, grid factor, prices: sentences for the caption.
    pub basis: Vec<String>,
}

/// An empty figure of an account.
fn begin_account(id: &str, title: String, source: &ChartSource, width_mm: f64) -> Figure {
    Figure {
        id: id.to_owned(),
        title,
        alt: String::new(),
        caption: String::new(),
        run_ids: source.run_ids.clone(),
        width_mm,
        legend: Vec::new(),
        panels: Vec::new(),
        key: Vec::new(),
        notes: source.simulated.then(|| SIMULATED.to_owned()).into_iter().chain(unmeasured(&source.evidence)).collect(),
        table: Table::default(),
    }
}

/// What must stand inside a figure of energies that were not all measured; a picture travels without its caption.
fn unmeasured(evidence: &[Evidence]) -> Option<String> {
    let words: Vec<String> =
        evidence.iter().filter(|own| **own != Evidence::Measured).map(|own| own.to_string().to_uppercase()).collect();
    let part = if words.len() < evidence.len() { "Some of the energy" } else { "The energy" };
    (!words.is_empty()).then(|| format!("{part} is {}, not measured.", words.join(" or ")))
}

/// What an account's chart rests on, in sentences for the end of its caption.
fn account_sentences(source: &ChartSource) -> String {
    let rest = basis_sentences(source);
    if source.subject.is_empty() { rest } else { format!("Work: {}. {rest}", source.subject.trim_end_matches('.')) }
}

/// The same for a caption that has named the work.
fn basis_sentences(source: &ChartSource) -> String {
    let mut sentences = Vec::new();
    if !source.energy.is_empty() {
        sentences.push(format!("Energy: {}.", source.energy.trim_end_matches('.')));
    }
    sentences.extend(source.basis.iter().map(|basis| format!("{}.", account_sentence(basis))));
    sentences.push(match &source.run_ids[..] {
        [] => "No run stands behind it: the watts were declared.".to_owned(),
        [run] => format!("Run {run}."),
        runs => format!("Runs {}.", runs.join(", ")),
    });
    if source.simulated {
        sentences.push(SIMULATED.to_owned());
    }
    sentences.join(" ")
}

/// The prefix for an account's amounts: SI for grams and joules, words for money (`thousand CNY`, never `kCNY`).
fn amount_prefix(unit: &str, size: f64) -> Prefix {
    const WORDS: [Prefix; 7] = [
        Prefix { symbol: "10^-12 ", factor: 1e-12 },
        Prefix { symbol: "10^-9 ", factor: 1e-9 },
        Prefix { symbol: "10^-6 ", factor: 1e-6 },
        Prefix::NONE,
        Prefix { symbol: "thousand ", factor: 1e3 },
        Prefix { symbol: "million ", factor: 1e6 },
        Prefix { symbol: "billion ", factor: 1e9 },
    ];
    // 10 000 is where a number without a prefix grows too long for an axis.
    if unit.starts_with('g') || unit.starts_with('J') {
        return Prefix::for_size(size);
    }
    if !(size.is_finite() && size > 0.0) || (1e-2..1e4).contains(&size) {
        return Prefix::NONE;
    }
    let fitting = WORDS.iter().rev().find(|prefix| size >= prefix.factor);
    *fitting.unwrap_or(&WORDS[0])
}

/// A linear axis of an account's amounts.
fn amount_axis((label, unit): &(String, String), low: f64, high: f64) -> Axis {
    let prefix = amount_prefix(unit, low.abs().max(high.abs()));
    Axis { label: label.clone(), unit: unit.clone(), prefix, scale: Scale::Linear, low, high }
}

/// A sentence with a capital and without its full stop.
fn account_sentence(words: &str) -> String {
    let mut letters = words.trim().trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Steps drawn at most; more would be finer than print.
const MOST_STEPS: usize = 1000;

/// Means of so many steps that few enough remain to be drawn; with it, how many make one.
fn averaged(values: &[Option<f64>]) -> (usize, Vec<Option<f64>>) {
    let each = values.len().div_ceil(MOST_STEPS).max(1);
    let mean = |steps: &[Option<f64>]| {
        let known: Vec<f64> = steps.iter().flatten().copied().filter(|value| value.is_finite()).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    (each, values.chunks(each).map(mean).collect())
}

/// Note inside a figure that draws means of several steps; nothing where it draws each.
fn averaged_note(each: usize) -> Option<String> {
    (each > 1).then(|| format!("Drawn as means of {each} steps; the table beside the figure holds every step."))
}

/// Note inside every figure of a scripted run.
const SIMULATED: &str = "SIMULATED: times and power were scripted; no hardware was measured.";

/// Extents in one line, equal ones of single-letter axes joined: `k=m=n=4096`, `batch=1 heads=32`.
fn compact(shape: &Shape) -> String {
    let mut by_extent: Vec<(u64, Vec<&str>)> = Vec::new();
    for (axis, extent) in shape.iter() {
        match by_extent.iter_mut().find(|(value, axes)| *value == extent && axis.len() == 1 && axes[0].len() == 1) {
            Some((_, axes)) => axes.push(axis),
            None => by_extent.push((extent, vec![axis])),
        }
    }
    let parts: Vec<String> = by_extent.iter().map(|(extent, axes)| format!("{}={extent}", axes.join("="))).collect();
    parts.join(" ")
}

/// `GPU 0: NVIDIA H200`, or the plain name where there is one device only.
fn device_name(record: &RunRecord, ordinal: u32) -> String {
    match record.device(ordinal) {
        Some(device) if record.devices.len() == 1 => device.name.clone(),
        Some(device) => format!("{ordinal}: {}", device.name),
        None => format!("device {ordinal}"),
    }
}

/// Ordinals that have a case or a skip, in order.
fn devices_of(result: &RunResult) -> Vec<u32> {
    let cases = result.cases.iter().map(|case| case.case.device);
    cases.chain(result.skips.iter().map(|skip| skip.case.device)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Short names of cases: the variant; with the shape where it has several, with the device where there are several.
fn short_names<'a>(cases: impl Iterator<Item = &'a Case> + Clone) -> Vec<String> {
    let mut shapes: BTreeMap<&str, BTreeSet<&Shape>> = BTreeMap::new();
    // The data pattern is named wherever it is not the usual one, whether or not there are several.
    let mut devices = BTreeSet::new();
    for case in cases.clone() {
        shapes.entry(&case.variant).or_default().insert(&case.shape);
        devices.insert(case.device);
    }
    let several = |case: &Case| shapes.get(case.variant.as_str()).is_some_and(|set| set.len() > 1);
    cases
        .map(|case| {
            let mut name = case.variant.clone();
            if several(case) {
                name.push_str(&format!(" {}", compact(&case.shape)));
            }
            name.push_str(&case.data_note());
            if devices.len() > 1 {
                name.push_str(&format!(" (device {})", case.device));
            }
            name
        })
        .collect()
}

/// Shape in words for the table beside a figure, and the data pattern where it is not the usual one.
fn shape_of(case: &Case) -> String {
    format!("{}{}", case.shape, case.data_note())
}

/// Why a case has no measurement, in a few words: `skipped: no f16`.
fn skip_words(skip: &Skip) -> String {
    let word = match skip.reason {
        SkipReason::MissingFeature => {
            // The first word behind `needs`: the detail begins with a kernel's name, which may hold one, too.
            let needed = skip.detail.split("needs ").nth(1).and_then(|rest| rest.split([' ', ',']).next());
            match needed {
                Some("matrix") => "no such matrix units".to_owned(),
                Some(feature) => format!("no {feature}"),
                None => "missing feature".to_owned(),
            }
        }
        SkipReason::TooLarge => "too large for the device".to_owned(),
        SkipReason::OutOfMemory => "out of memory".to_owned(),
        SkipReason::CompileError => "shader did not compile".to_owned(),
        SkipReason::DeviceLost => "device lost".to_owned(),
        SkipReason::Interrupted => "run interrupted".to_owned(),
        SkipReason::Other => skip.detail.clone(),
    };
    format!("skipped: {word}")
}

/// Bounds of an estimate as plain numbers.
fn bounds<Q: Quantity>(estimate: &Estimate<Q>) -> Option<(f64, f64)> {
    estimate.interval.map(|interval| (interval.low.get(), interval.high.get()))
}

/// Scope and evidence as words; an estimate stands out.
fn scope_words(scope: Scope, evidence: Evidence) -> String {
    match evidence {
        Evidence::Measured => format!("{scope}, measured"),
        Evidence::Declared => format!("{scope}, DECLARED, not measured"),
        Evidence::Estimated => format!("{scope}, ESTIMATED, not measured"),
    }
}

/// Remark after a value whose energy was not measured.
fn remark(evidence: Evidence) -> String {
    match evidence {
        Evidence::Measured => "",
        Evidence::Declared => "decl.",
        Evidence::Estimated => "est.",
    }
    .to_owned()
}

/// `Board energy`, `Wall AC energy`.
fn scope_quantity(scope: Scope, quantity: &str) -> String {
    let scope = scope.to_string();
    let mut letters = scope.chars();
    let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{} {quantity}", letters.as_str())
}

/// Scopes and evidence of the headline energies of some cases, each once.
fn energy_kinds<'a>(cases: impl Iterator<Item = &'a CaseResult>) -> BTreeSet<(Scope, Evidence)> {
    cases.filter_map(CaseResult::headline_energy).map(|energy| (energy.scope, energy.evidence)).collect()
}

/// Legend of element types among some cases, as bars or as points.
fn element_legend<'a>(cases: impl Iterator<Item = &'a Case>, sign: impl Fn(ElementType) -> Sign) -> Vec<LegendEntry> {
    let elements: BTreeSet<ElementType> = cases.map(|case| case.element).collect();
    let mut legend: Vec<LegendEntry> = Vec::new();
    for element in elements {
        let sign = sign(element);
        match legend.iter_mut().find(|entry| entry.sign == sign) {
            Some(entry) => entry.text.push_str(&format!(", {element}")),
            None => legend.push(LegendEntry { sign, text: element.to_string() }),
        }
    }
    legend
}

/// Legend of energy kinds: words for measured ones, a striped swatch for the others.
fn evidence_legend(kinds: &BTreeSet<(Scope, Evidence)>) -> Vec<LegendEntry> {
    let entry = |(scope, evidence): &(Scope, Evidence)| {
        let hatch = Hatch::of(*evidence);
        let sign = if hatch == Hatch::Solid { Sign::None } else { Sign::Fill(Fill { ink: Ink::Quiet, hatch }) };
        let (words, quantity) = (scope_words(*scope, *evidence), scope_quantity(*scope, "energy"));
        LegendEntry { sign, text: words.replacen(&scope.to_string(), &quantity, 1) }
    };
    kinds.iter().map(entry).collect()
}

/// How the interval of a rate comes about, for [`whisker_sentence`].
const RATE_METHOD: &str = "Student's t";
/// How the interval of power, energy or what is derived from them comes about, for [`whisker_sentence`].
const ENERGY_METHOD: &str = "Student's t; power and energy also carry sensor gain and window edges";

/// What arrows mean, if an interval of the panels goes on below its axis; else nothing.
fn arrow_sentence(panels: &[Panel]) -> &'static str {
    let goes_on = |interval: Option<(f64, f64)>, axis: &Axis| interval.is_some_and(|(low, _)| low < axis.low);
    let open = panels.iter().any(|panel| match panel {
        Panel::Points(panel) => {
            panel.points.iter().any(|p| goes_on(p.x_interval, &panel.x) || goes_on(p.y_interval, &panel.y))
        }
        Panel::Bars(panel) => panel.rows.iter().any(|row| match &row.entry {
            RowEntry::Bar { interval, .. } => goes_on(*interval, &panel.axis),
            RowEntry::Words(_) => false,
        }),
        _ => false,
    });
    if open { " An arrow in place of a cap: the interval goes on below the axis." } else { "" }
}

/// What whiskers mean, with the confidence and the windows of the estimates that have them.
fn whisker_sentence(parts: &[(Option<f64>, u32)], of: &str, method: &str) -> String {
    let with: Vec<&(Option<f64>, u32)> = parts.iter().filter(|(confidence, _)| confidence.is_some()).collect();
    let Some((Some(confidence), _)) = with.first() else {
        return "No whiskers: the run supports no interval (a single window, or energy that was not measured)."
            .to_owned();
    };
    let (least, most) = with.iter().fold((u32::MAX, 0), |(low, high), (_, n)| (low.min(*n), high.max(*n)));
    let n = if least == most { format!("n = {least}") } else { format!("n = {least} to {most}") };
    let missing = if with.len() < parts.len() { " Where there is no whisker, no interval can be stated." } else { "" };
    format!("Whiskers: {:.0} % interval of {of} over windows ({n}; {method}).{missing}", confidence * 100.0)
}

/// Confidence and windows of an estimate, for [`whisker_sentence`].
fn support<Q>(estimate: &Estimate<Q>) -> (Option<f64>, u32) {
    (estimate.interval.as_ref().map(|interval| interval.confidence), estimate.n)
}

/// The sentence that says where joules come from.
fn energy_sentence(kinds: &BTreeSet<(Scope, Evidence)>) -> String {
    let kinds: Vec<String> = kinds.iter().map(|(scope, evidence)| scope_words(*scope, *evidence)).collect();
    format!("Energy is gross (idle power is not subtracted); scope: {}.", kinds.join("; "))
}

/// The line that identifies a run at the end of a caption.
fn run_sentence(record: &RunRecord) -> String {
    let devices: Vec<&str> = record.devices.iter().map(|device| device.name.as_str()).collect();
    let simulated = if record.simulated { format!(" {SIMULATED}") } else { String::new() };
    let of_programs = record.plan.cases.is_empty() && !record.commands.is_empty();
    // Metered programs follow no preset, and need no device.
    let mut parts: Vec<String> = if devices.is_empty() { Vec::new() } else { vec![devices.join(", ")] };
    if !of_programs {
        parts.push(format!("{} preset", record.plan.preset));
    }
    parts.push(format!("run {}, wattmark {}.{simulated}", record.run_id, record.provenance.tool.version));
    parts.join("; ")
}

/// A panel that says why it is empty.
fn words(heading: &str, reason: impl Into<String>) -> Panel {
    Panel::Words { heading: heading.to_owned(), reason: reason.into() }
}

/// Marker of a problem: shape and colour by the order of problems in the run, open for f16.
fn marker_of(problems: &[String], case: &Case) -> Marker {
    let index = problems.iter().position(|problem| *problem == case.problem).unwrap_or(0);
    Marker::series(index, case.element == ElementType::F32)
}

/// Problems in order of appearance.
fn problems_of(result: &RunResult) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    for case in &result.cases {
        if !problems.contains(&case.case.problem) {
            problems.push(case.case.problem.clone());
        }
    }
    problems
}

/// The kinds of counting, with the words used for them.
const COUNTED: [(CountedIn, &str); 3] =
    [(CountedIn::Flop, "arithmetic"), (CountedIn::Op, "integer arithmetic"), (CountedIn::Bytes, "memory traffic")];

/// Efficiency of a case in what it counts (FLOP/J or B/J), from its headline energy.
fn efficiency_of(case: &CaseResult) -> Option<(Estimate<crate::units::Ratio>, &EnergyResult)> {
    let energy = case.headline_energy()?;
    let plain = |value: f64| crate::units::Ratio::new(value);
    let efficiency = match case.case.counted {
        Counted::Flop => energy.flop_efficiency?.map(|e| plain(e.get())),
        Counted::Bytes => energy.byte_efficiency.map(|e| plain(e.get())),
    };
    case.verified.then_some((efficiency, energy))
}

/// Rate of a case in what it counts (FLOP/s or B/s).
fn rate_of(case: &CaseResult) -> Option<Estimate<crate::units::Ratio>> {
    let plain = |value: f64| crate::units::Ratio::new(value);
    let rate = match case.case.counted {
        Counted::Flop => case.flop_rate?.map(|rate| plain(rate.get())),
        Counted::Bytes => case.byte_rate?.map(|rate| plain(rate.get())),
    };
    case.verified.then_some(rate)
}

/// Why a measured case has no value here.
fn absence_words(case: &CaseResult) -> &'static str {
    if !case.verified {
        "no value: verification failed"
    } else if case.energy.is_empty() {
        "no value: no power reading"
    } else {
        "no value: nothing to count"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_extents_of_single_letter_axes_are_joined() {
        assert_eq!(compact(&Shape::new([("m", 512), ("n", 512), ("k", 64)])), "k=64 m=n=512");
        assert_eq!(compact(&Shape::new([("batch", 1), ("q", 1)])), "batch=1 q=1");
    }
}
