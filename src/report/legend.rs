//! What stands below a table: what the watts include, idle power, how an interval is defined, what the codes mean.
//!
//! What surprises people: only what occurs in the table is explained.

use std::collections::BTreeMap;

use super::number::{scaled, significant};
use super::sheet::{CommonCode, ESTIMATED_MARK, common_energy};
use super::{Carbon, calibration, compact_case};
use crate::measure::result::{CaseResult, Ceilings, EnergyMethod, RunResult};
use crate::model::{
    Case, Check, CountedIn, Evidence, Measurement, RunRecord, Scope, Verification, Warning, WarningCode,
};

/// What the watts of a scope include and leave out.
pub(super) fn scope_sentence(scope: Scope) -> &'static str {
    match scope {
        Scope::Chip => "the processor die alone; memory, regulators, host and power supply are not included",
        Scope::Board => {
            "the whole accelerator board (chip, memory, voltage regulators); host and power supply are not included"
        }
        Scope::Module => "a module with several chips (such as CPU and GPU); host and power supply are not included",
        Scope::Package => "the CPU package; main memory, other devices and power supply are not included",
        Scope::HostDc => {
            "the whole machine behind its power supply, all devices together; the supply's losses are not included"
        }
        Scope::WallAc => "the whole machine at the wall, all devices and the power supply's losses together",
        Scope::Memory => "memory alone; nothing else of its board or host is included",
    }
}

/// What holds for one device: what its watts include, its idle power, and the warnings of all its rows.
pub(super) fn of_device(
    cases: &[&CaseResult],
    ceilings: Option<&Ceilings>,
    codes: &[CommonCode],
) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    if cases.iter().any(|case| case.of_ceiling.is_some()) {
        lines.extend(ceilings.and_then(ceilings_in_words).map(|text| ("ceilings".to_owned(), text)));
    }
    lines.extend(watts(cases).map(|text| ("watts".to_owned(), text)));
    lines.extend(other_scopes(cases).into_iter().map(|(scope, text)| (format!("{scope}!"), text)));
    lines.extend(idle(cases).map(|text| ("idle".to_owned(), text)));
    lines.extend(estimated(cases).map(|text| (ESTIMATED_MARK.to_owned(), text)));
    if !codes.is_empty() {
        let codes = codes.iter().map(|common| match &common.but[..] {
            [] => common.code.code().to_owned(),
            but => format!("{} (not {})", common.code.code(), but.join(", ")),
        });
        lines.push(("all rows".to_owned(), codes.collect::<Vec<_>>().join(", ")));
    }
    lines
}

/// What holds for all devices: how an interval is defined, what the shares and the carbon mean, and the warnings.
pub(super) fn of_run(
    record: &RunRecord,
    result: &RunResult,
    carbon: Option<&Carbon>,
    every_warning: bool,
) -> Vec<(String, String)> {
    let cases = &result.cases;
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut line = |label: &str, text: &str| lines.push((label.to_owned(), text.to_owned()));
    if cases.iter().any(|case| case.flop_rate.is_some() || case.byte_rate.is_some()) {
        line(
            "±95%",
            "half-width of the 95 % interval over the n windows, relative to the figure (Student's t for the scatter; for \
             watts and joules also sensor gain and window edges); — means that there is none",
        );
        line("n", "measured windows behind the figures of the row");
    }
    if cases.iter().any(|case| case.of_ceiling.is_some()) {
        line(
            "of ceil.",
            "share of the ceiling that this run's own probes measured on the same device. a: of the arithmetic of the \
             row's unit and precision; b: of bandwidth, times the row's operations per byte where it counts operations",
        );
    }
    if carbon.is_some() && cases.iter().any(|case| case.headline_energy().is_some()) {
        line(
            "carbon",
            "gross energy × PUE × grid factor for that amount of work (EFLOP: 10^18 operations, PB: 10^15 bytes); its \
             interval is that of the energy, the factor's own error not included",
        );
    }
    lines.extend(calibration::known_sensors(record).into_iter().map(|text| ("sensor".to_owned(), text)));
    lines.extend(checked(record).map(|text| ("checked".to_owned(), text)));
    lines.extend(warnings(record, result, every_warning));
    lines
}

/// What the checks of the verified cases looked at, after their last window.
fn checked(record: &RunRecord) -> Option<String> {
    let checks: Vec<&Check> = record
        .measurements
        .iter()
        .filter_map(|measurement| match &measurement.verification {
            Verification::Passed { after, .. } => Some(after),
            Verification::Failed { .. } => None,
        })
        .collect();
    let samples = checks.iter().map(|check| check.sampled);
    let (least, most) = (samples.clone().min()?, samples.max()?);
    let samples = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let mut text = format!("{samples} outputs of each case against float64, every output word for being written");
    let products: Vec<_> = checks.iter().filter_map(|check| check.product.as_ref()).collect();
    if let Some(trials) = products.iter().map(|product| product.trials).min() {
        let whole = products.iter().filter(|product| product.columns > 0).count();
        let columns = if whole > 0 { format!(" ({whole} in columns too)") } else { String::new() };
        let count = cases_of(products.len());
        text.push_str(&format!(
            "; every row of the matrix products of {count} by Freivalds\' method, {trials} trials{columns}"
        ));
    }
    let compared = checks.iter().filter(|check| check.compared.is_some()).count();
    if compared > 0 {
        text.push_str(&format!("; every element of {} against a trusted result", cases_of(compared)));
    }
    Some(format!("{text}. Before the load, and after the last window on the very output that was timed"))
}

fn cases_of(count: usize) -> String {
    format!("{count} case{}", if count == 1 { "" } else { "s" })
}

/// The measured ceilings of a device: what the shares are shares of.
fn ceilings_in_words(ceilings: &Ceilings) -> Option<String> {
    let arithmetic = ceilings.arithmetic.iter().map(|((unit, element), rate)| {
        let unit = if unit.is_vector() { String::new() } else { format!(" {unit}") };
        format!("{element}{unit} {}", scaled(rate.get(), CountedIn::operations(*element).per_second()))
    });
    let bandwidth = ceilings.bandwidth.map(|rate| format!("bandwidth {}", scaled(rate.get(), "B/s")));
    let all: Vec<String> = arithmetic.chain(bandwidth).collect();
    (!all.is_empty()).then(|| format!("measured in this run: {}", all.join(", ")))
}

fn watts(cases: &[&CaseResult]) -> Option<String> {
    let energy = common_energy(cases)?;
    let method = match energy.method {
        EnergyMethod::Counter => "from the energy counter",
        EnergyMethod::Integral => "integrated from power samples",
    };
    let sentence = scope_sentence(energy.scope);
    Some(format!("{} scope: {sentence}. Gross: idle power is not subtracted. Joules {method}", energy.scope))
}

/// Scopes of rows that differ from the rest.
fn other_scopes(cases: &[&CaseResult]) -> BTreeMap<Scope, String> {
    let common = common_energy(cases).map(|energy| energy.scope);
    let scopes = cases.iter().filter_map(|case| case.headline_energy()).map(|energy| energy.scope);
    scopes
        .filter(|scope| Some(*scope) != common)
        .map(|scope| {
            (
                scope,
                format!(
                    "watts of another scope than the other rows, not comparable with them: {}",
                    scope_sentence(scope)
                ),
            )
        })
        .collect()
}

/// Idle power where it was measured: a declared power has none, and an estimate's describes the model, not the device.
fn idle(cases: &[&CaseResult]) -> Option<String> {
    let energies = cases.iter().filter_map(|case| case.headline_energy());
    let (idle, scope) = energies
        .filter(|energy| energy.evidence == Evidence::Measured)
        .find_map(|energy| energy.idle.map(|idle| (idle, energy.scope)))?;
    Some(format!("{} W with the device open and no work ({scope} scope)", significant(idle.get())))
}

fn estimated(cases: &[&CaseResult]) -> Option<String> {
    let weakest = cases.iter().filter_map(|case| case.headline_energy()).map(|energy| energy.evidence).max()?;
    match weakest {
        Evidence::Measured => None,
        Evidence::Declared => Some("declared: watts as the user stated them; no interval, no idle power".to_owned()),
        Evidence::Estimated => {
            Some("estimated from a model because no sensor answered: no interval, no idle power".to_owned())
        }
    }
}

/// One line per code that occurs, or one per warning.
fn warnings(record: &RunRecord, result: &RunResult, every: bool) -> Vec<(String, String)> {
    // What was wrong with an output stands in its row.
    let said = |case: &Case, warning: &Warning| {
        let wrong = |measurement: &Measurement| measurement.case == *case && !measurement.verified();
        warning.code == WarningCode::Other && record.measurements.iter().any(wrong)
    };
    let of_cases = result.cases.iter().flat_map(|case| case.warnings.iter().map(|warning| (Some(&case.case), warning)));
    // Warnings of measurements that have no result (failed before a window) and of the run as a whole.
    let unseen =
        record.measurements.iter().filter(|measurement| !result.cases.iter().any(|c| c.case == measurement.case));
    let of_unseen = unseen.flat_map(|measurement| measurement.warnings.iter().map(|w| (Some(&measurement.case), w)));
    let of_run = record.warnings.iter().map(|warning| (None, warning));
    let all: Vec<(Option<&Case>, &Warning)> = of_cases
        .chain(of_unseen)
        .filter(|(case, warning)| !case.is_some_and(|case| said(case, warning)))
        .chain(of_run)
        .collect();
    if every {
        return all.iter().map(|(case, warning)| (warning.code.code().to_owned(), with_case(*case, warning))).collect();
    }
    let mut by_code: BTreeMap<WarningCode, Vec<&str>> = BTreeMap::new();
    for (_, warning) in &all {
        let texts = by_code.entry(warning.code).or_default();
        if !texts.contains(&warning.text.as_str()) {
            texts.push(&warning.text);
        }
    }
    by_code
        .into_iter()
        .map(|(code, texts)| {
            let more = texts.len() - 1;
            let more = if more > 0 { format!(" (and {more} like it: show --warnings)") } else { String::new() };
            (code.code().to_owned(), format!("{}{more}", texts[0]))
        })
        .collect()
}

fn with_case(case: Option<&Case>, warning: &Warning) -> String {
    match case {
        Some(case) => {
            format!("device {}, {} {}: {}", case.device, case.variant, compact_case(case), warning.text)
        }
        None => format!("whole run: {}", warning.text),
    }
}
