//! Two records: cases paired, ratios B/A with intervals and a verdict word, and every difference of provenance.
//!
//! What surprises people: ratios are always B over A, so "better" means that B is better. Efficiency and carbon are refused
//! where the energies differ in scope or evidence; speed is still compared. Two boards whose sensors cannot tell them
//! apart are "unclear", however tight their windows.

mod commands;
mod pair;
pub mod procurement;
mod provenance;
mod ratio;
#[cfg(test)]
pub(crate) mod testing;

use serde::Serialize;

use crate::account::{Site, WorkUnit, operational};
use crate::measure::result::{CaseResult, EnergyResult, RunResult};
use crate::model::{Case, Counted, Estimate, Evidence, RunRecord, Scope};
use crate::stats;
use crate::units::{Joules, Ratio};

pub use commands::CommandPair;
pub use provenance::{Difference, Place};
pub use ratio::{Judged, Sensors, Verdict};

use ratio::{Sample, judge};

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Smallest effect that counts, as a ratio: 0.01 for 1 %.
    pub noise: Ratio,
    /// The one site at which carbon is compared.
    pub site: Site,
}

/// Which record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// What came of comparing one quantity.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Outcome {
    /// A ratio with its verdict.
    Compared(Judged),
    /// No ratio would be honest.
    Refused {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// The ratio, where there is one.
    pub fn judged(&self) -> Option<&Judged> {
        match self {
            Self::Compared(judged) => Some(judged),
            Self::Refused { .. } => None,
        }
    }
    fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

impl From<Result<Judged, String>> for Outcome {
    fn from(result: Result<Judged, String>) -> Self {
        match result {
            Ok(judged) => Self::Compared(judged),
            Err(reason) => Self::Refused { reason },
        }
    }
}

/// Energy scope, evidence and sources that a pair's efficiency rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnergyBasis {
    /// What the joules include, on both sides.
    pub scope: Scope,
    /// How they came about, on both sides.
    pub evidence: Evidence,
    /// Power source of A.
    pub source_a: String,
    /// Power source of B.
    pub source_b: String,
}

/// One case of A beside one case of B.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Case of A.
    pub a: Case,
    /// Case of B.
    pub b: Case,
    /// What a reader must know about the pairing, such as different variants.
    pub notes: Vec<String>,
    /// FLOP/s or B/s.
    pub speed: Outcome,
    /// FLOP/J or B/J, gross.
    pub efficiency: Outcome,
    /// Grams per EFLOP or per PB at one site; a lower figure is better.
    pub carbon: Outcome,
    /// What the last two rest on; `None` if they were refused.
    pub energy: Option<EnergyBasis>,
}

/// A case that has no partner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unpaired {
    /// The record it is in.
    pub side: Side,
    /// The case.
    pub case: Case,
    /// Why it stands alone.
    pub reason: String,
}

/// Two records compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Run id of A.
    pub run_a: String,
    /// Run id of B.
    pub run_b: String,
    /// Smallest effect that counts.
    pub noise: Ratio,
    /// Pairs in A's order.
    pub pairs: Vec<Pair>,
    /// Metered programs with one label, by unit of work; those that amount to a case of ours stand among the pairs.
    pub commands: Vec<CommandPair>,
    /// Cases and skips without a partner.
    pub unpaired: Vec<Unpaired>,
    /// Everything that differs between the two runs besides the figures.
    pub differences: Vec<Difference>,
    /// Geometric mean of the speed ratios (a description, without a verdict).
    pub mean_speed_ratio: Option<f64>,
    /// Geometric mean of the efficiency ratios.
    pub mean_efficiency_ratio: Option<f64>,
}

/// Compares two records; ratios are B over A.
pub fn compare(
    result_a: &RunResult,
    record_a: &RunRecord,
    result_b: &RunResult,
    record_b: &RunRecord,
    options: &Options,
) -> Comparison {
    let commands = commands::pairs((result_a, record_a), (result_b, record_b), options);
    let (result_a, result_b) = (&with_foreign(result_a), &with_foreign(result_b));
    let pairing = pair::pair(result_a, result_b);
    let pairs: Vec<Pair> = pairing
        .pairs
        .iter()
        .map(|(x, y, notes)| compare_pair((record_a, x), (record_b, y), notes.clone(), options))
        .collect();
    let mean_of = |outcome: &dyn Fn(&Pair) -> Option<f64>| {
        stats::geometric_mean(&pairs.iter().filter_map(outcome).collect::<Vec<f64>>())
    };
    Comparison {
        run_a: record_a.run_id.clone(),
        run_b: record_b.run_id.clone(),
        noise: options.noise,
        mean_speed_ratio: mean_of(&|pair| pair.speed.judged().map(|judged| judged.ratio)),
        mean_efficiency_ratio: mean_of(&|pair| pair.efficiency.judged().map(|judged| judged.ratio)),
        differences: provenance::differences(record_a, record_b, &pairing.devices, &pairs),
        unpaired: pairing.unpaired,
        commands,
        pairs,
    }
}

/// A result with the cases that its metered programs amount to.
fn with_foreign(result: &RunResult) -> RunResult {
    let mut all = result.clone();
    all.cases.extend(result.commands.iter().filter_map(|command| command.case.clone()));
    all
}

fn compare_pair(
    (a, x): (&RunRecord, &CaseResult),
    (b, y): (&RunRecord, &CaseResult),
    notes: Vec<String>,
    options: &Options,
) -> Pair {
    let alone = |speed, efficiency: Outcome| Pair {
        a: x.case.clone(),
        b: y.case.clone(),
        notes: notes.clone(),
        speed,
        carbon: efficiency.clone(),
        efficiency,
        energy: None,
    };
    if let Some(reason) = unverified(x, y) {
        return alone(Outcome::refused(&reason), Outcome::refused(&reason));
    }
    let speed: Outcome = compare_speed((a, x), (b, y), options).into();
    let (energy_x, energy_y) = match common_energy(x, y) {
        Ok(energies) => energies,
        Err(reason) => return alone(speed, Outcome::refused(reason)),
    };
    let efficiency = compare_efficiency((a, x, energy_x), (b, y, energy_y), options);
    let carbon = efficiency.clone().map(|judged| carbon_from(&judged, (x, energy_x), (y, energy_y), &options.site));
    let energy = efficiency.is_ok().then(|| EnergyBasis {
        scope: energy_x.scope,
        evidence: energy_x.evidence,
        source_a: energy_x.source.clone(),
        source_b: energy_y.source.clone(),
    });
    Pair { energy, carbon: carbon.into(), ..alone(speed, efficiency.into()) }
}

fn unverified(x: &CaseResult, y: &CaseResult) -> Option<String> {
    let wrong = |side: Side| format!("outputs of {side} were wrong, so it has no rate");
    match (x.has_rates(), y.has_rates()) {
        (true, true) => None,
        (false, true) => Some(wrong(Side::A)),
        (true, false) => Some(wrong(Side::B)),
        (false, false) => Some("outputs of A and of B were wrong, so neither has a rate".to_owned()),
    }
}

fn compare_speed(
    (a, x): (&RunRecord, &CaseResult),
    (b, y): (&RunRecord, &CaseResult),
    options: &Options,
) -> Result<Judged, String> {
    let sample =
        |record: &RunRecord, case, side| Sample::of_speed(record, case).ok_or_else(|| format!("{side} has no time"));
    judge(&sample(a, x, Side::A)?, &sample(b, y, Side::B)?, None, options.noise.get())
}

fn compare_efficiency(
    (a, x, energy_x): (&RunRecord, &CaseResult, &EnergyResult),
    (b, y, energy_y): (&RunRecord, &CaseResult, &EnergyResult),
    options: &Options,
) -> Result<Judged, String> {
    let sample = |record: &RunRecord, case, energy, side| {
        Sample::of_efficiency(record, case, energy).ok_or_else(|| format!("{side} has no energy per work"))
    };
    let (first, second) = (sample(a, x, energy_x, Side::A)?, sample(b, y, energy_y, Side::B)?);
    // A gain error of one and the same sensor cancels in the ratio; the error of window edges does not. A counter and a
    // power reading of one chip are two sensors, and so is a reading with and without a correction.
    let same_sensor = provenance::same_board(a, x.case.device, b, y.case.device)
        && provenance::kind_of(&energy_x.source) == provenance::kind_of(&energy_y.source)
        && energy_x.method == energy_y.method
        && energy_x.correction == energy_y.correction;
    let sensors = Sensors::of(&energy_x.uncertainty, &energy_y.uncertainty, same_sensor);
    judge(&first, &second, Some(sensors), options.noise.get())
}

/// At one site and PUE the carbon per work is the reciprocal of the efficiency times a constant.
fn carbon_from(
    efficiency: &Judged,
    (x, energy_x): (&CaseResult, &EnergyResult),
    (y, energy_y): (&CaseResult, &EnergyResult),
    site: &Site,
) -> Judged {
    let grams = |work_per_joule: f64, case: &CaseResult, energy: &EnergyResult| {
        let joules = Joules::new(WorkUnit::of(case.case.counted_in()).amount() / work_per_joule);
        operational(&Estimate::bare(joules, 1), energy.evidence, site).point.get()
    };
    Judged {
        a: grams(efficiency.a, x, energy_x),
        b: grams(efficiency.b, y, energy_y),
        unit: match x.case.counted {
            Counted::Flop if x.case.element.is_integer() => "g/EOP",
            Counted::Flop => "g/EFLOP",
            Counted::Bytes => "g/PB",
        },
        ratio: 1.0 / efficiency.ratio,
        interval: efficiency.interval.map(|(low, high)| (1.0 / high, 1.0 / low)),
        ..efficiency.clone()
    }
}

/// The energies of one scope and one evidence that both sides have: those of A's headline if possible.
fn common_energy<'a>(x: &'a CaseResult, y: &'a CaseResult) -> Result<(&'a EnergyResult, &'a EnergyResult), String> {
    let (Some(head_x), Some(head_y)) = (x.headline_energy(), y.headline_energy()) else {
        let side = if x.energy.is_empty() { Side::A } else { Side::B };
        return Err(format!("{side} has no power reading"));
    };
    let matching = |energy: &EnergyResult, side: &'a CaseResult| {
        // Watts that were corrected to those of another scope are compared with their like alone.
        side.energy.iter().find(|own| {
            own.scope == energy.scope && own.evidence == energy.evidence && own.scope_note() == energy.scope_note()
        })
    };
    if let Some(partner) = matching(head_x, y) {
        return Ok((head_x, partner));
    }
    x.energy.iter().find_map(|energy| Some((energy, matching(energy, y)?))).ok_or_else(|| {
        let text = |energy: &EnergyResult| {
            let note = energy.scope_note().map(|note| format!(", corrected to {note}")).unwrap_or_default();
            format!("{} {}{note} ({})", energy.evidence, energy.scope, energy.source)
        };
        let why = if head_x.evidence == head_y.evidence { "scopes differ" } else { "evidence differs" };
        format!("energy {why}: A is {}, B is {}", text(head_x), text(head_y))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::testing::{Run, Spec, run, skip};
    use super::*;
    use crate::account::resolve_site;
    use crate::model::Correction;
    use crate::units::Watts;

    fn compared(a: &Run, b: &Run) -> Comparison {
        let site = resolve_site(Some("CN-QH"), Some(1.0), None, Path::new(".")).unwrap();
        compare(&a.result, &a.record, &b.result, &b.record, &Options { noise: Ratio::new(0.01), site })
    }
    fn refusal(outcome: &Outcome) -> &str {
        match outcome {
            Outcome::Refused { reason } => reason,
            Outcome::Compared(judged) => panic!("compared: {judged:?}"),
        }
    }

    const SPEEDS: [f64; 5] = [1000.0, 1001.0, 999.0, 1000.0, 1000.0];
    const FASTER: [f64; 5] = [1250.0, 1251.0, 1249.0, 1250.0, 1250.0];
    const JOULES: [f64; 5] = [2.00e-3, 2.001e-3, 1.999e-3, 2.00e-3, 2.00e-3];
    const FEWER: [f64; 5] = [1.00e-3, 1.0005e-3, 0.9995e-3, 1.00e-3, 1.00e-3];

    #[test]
    fn speed_efficiency_and_carbon_are_the_hand_computed_ratios() {
        // A: 2e9 FLOP in 1 ms for 2 mJ = 2 TFLOP/s, 1 TFLOP/J, 49.889 g/EFLOP at 179.6 g/kWh.
        // B: 2.5 TFLOP/s, 2 TFLOP/J, 24.944 g/EFLOP. Ratios 1.25, 2 and 0.5.
        let a = run("X", &[Spec { speeds: &SPEEDS, joules: &JOULES, ..Spec::default() }]);
        let b = run("X", &[Spec { speeds: &FASTER, joules: &FEWER, ..Spec::default() }]);
        let all = compared(&a, &b);
        let pair = &all.pairs[0];
        let speed = pair.speed.judged().unwrap();
        assert!((speed.a - 2e12).abs() < 1e3 && (speed.ratio - 1.25).abs() < 1e-12);
        let efficiency = pair.efficiency.judged().unwrap();
        assert!((efficiency.ratio - 2.0).abs() < 1e-6);
        let carbon = pair.carbon.judged().unwrap();
        assert!((carbon.a - 49.889).abs() < 1e-3 && (carbon.b - 24.944).abs() < 1e-3, "{} {}", carbon.a, carbon.b);
        assert!((carbon.ratio - 0.5).abs() < 1e-6);
        let ((low, high), (up, down)) = (efficiency.interval.unwrap(), carbon.interval.unwrap());
        assert!((low * down - 1.0).abs() < 1e-12 && (high * up - 1.0).abs() < 1e-12);
        assert_eq!([speed.verdict, efficiency.verdict, carbon.verdict], [Verdict::Better; 3]);
        assert_eq!((speed.n_a, speed.n_b, carbon.unit), (5, 5, "g/EFLOP"));
        assert!(all.differences.is_empty(), "{:?}", all.differences);
        assert!((all.mean_speed_ratio.unwrap() - 1.25).abs() < 1e-12);
    }

    #[test]
    fn a_run_against_itself_is_the_same() {
        let a = run("X", &[Spec { speeds: &SPEEDS, joules: &JOULES, ..Spec::default() }]);
        let pair = &compared(&a, &a).pairs[0];
        for outcome in [&pair.speed, &pair.efficiency, &pair.carbon] {
            let judged = outcome.judged().unwrap();
            assert_eq!((judged.ratio, judged.verdict, judged.p), (1.0, Verdict::Same, Some(1.0)));
        }
    }

    #[test]
    fn two_boards_closer_than_their_sensors_are_not_distinguishable_but_one_board_is_its_own_ruler() {
        // 3 % fewer joules; each sensor ±5 %: together ±7.1 %. On one board the gain cancels.
        let less = JOULES.map(|joules| joules / 1.03);
        let spec = |joules| Spec { joules, gain: 0.05, ..Spec::default() };
        let (x, y) = (run("X", &[spec(&JOULES)]), run("Y", &[spec(&less)]));
        let efficiency = compared(&x, &y).pairs[0].efficiency.judged().unwrap().clone();
        assert_eq!(efficiency.verdict, Verdict::Unclear);
        assert!(efficiency.reason.contains("not distinguishable with these sensors"), "{}", efficiency.reason);
        let again = run("X", &[spec(&less)]);
        assert_eq!(compared(&x, &again).pairs[0].efficiency.judged().unwrap().verdict, Verdict::Better);
    }

    #[test]
    fn what_the_sensors_bring_in_is_shown_and_a_correction_makes_another_sensor_of_one() {
        let spec = |joules| Spec { joules, gain: 0.05, ..Spec::default() };
        let x = run("X", &[spec(&JOULES)]);
        let own = compared(&x, &x).pairs[0].efficiency.judged().unwrap().sensors.unwrap();
        assert!(own.gain_cancels && own.gain == 0.0);
        let other = compared(&x, &run("Y", &[spec(&JOULES)])).pairs[0].efficiency.judged().unwrap().clone();
        let sensors = other.sensors.unwrap();
        assert!(!sensors.gain_cancels && (sensors.gain - 0.05f64.hypot(0.05)).abs() < 1e-12, "{sensors:?}");
        assert!((other.systematic - sensors.gain.hypot(sensors.edge)).abs() < 1e-12);
        let mut corrected = run("X", &[spec(&JOULES)]);
        let correction = |note: Option<&str>| Correction {
            gain: 0.95,
            offset_w: Watts::new(-20.0),
            error: Ratio::new(0.05),
            against: "meter/power".to_owned(),
            scope_note: note.map(str::to_owned),
            measured: String::new(),
        };
        corrected.result.cases[0].energy[0].correction = Some(correction(None));
        let judged = compared(&x, &corrected).pairs[0].efficiency.judged().unwrap().clone();
        assert!(!judged.sensors.unwrap().gain_cancels, "with and without a correction are two rulers");
        corrected.result.cases[0].energy[0].correction = Some(correction(Some("wall AC")));
        let pair = &compared(&x, &corrected).pairs[0];
        assert!(refusal(&pair.efficiency).contains("corrected to wall AC"), "{:?}", pair.efficiency);
        assert!(compared(&corrected, &corrected).pairs[0].efficiency.judged().is_some());
    }

    #[test]
    fn differing_scope_or_evidence_refuses_efficiency_and_still_compares_speed() {
        let board = run("X", &[Spec::default()]);
        let package = run("X", &[Spec { scope: Scope::Package, ..Spec::default() }]);
        let pair = &compared(&board, &package).pairs[0];
        assert!(refusal(&pair.efficiency).contains("scopes differ: A is measured board"));
        assert!(refusal(&pair.carbon).contains("B is measured package"));
        assert!(pair.speed.judged().is_some() && pair.energy.is_none());
        let estimated = run("X", &[Spec { evidence: Evidence::Estimated, ..Spec::default() }]);
        assert!(refusal(&compared(&board, &estimated).pairs[0].efficiency).contains("evidence differs"));
        let judged = compared(&estimated, &estimated).pairs[0].efficiency.judged().unwrap().clone();
        assert_eq!((judged.verdict, judged.interval, judged.p), (Verdict::Unclear, None, None));
    }

    #[test]
    fn a_case_that_failed_verification_has_no_ratio() {
        let a = run("X", &[Spec::default()]);
        let mut b = run("X", &[Spec::default()]);
        b.result.cases[0].verified = false;
        assert!(refusal(&compared(&a, &b).pairs[0].speed).contains("outputs of B were wrong"));
    }

    #[test]
    fn the_same_variant_pairs_first_and_without_one_the_best_of_each_with_a_note() {
        let spec = |variant, speeds| Spec { variant, speeds, ..Spec::default() };
        let a = run("X", &[spec("gemm/naive", &SPEEDS), spec("gemm/tiled", &FASTER)]);
        let b = run("X", &[spec("gemm/tiled", &SPEEDS), spec("gemm/wide", &FASTER)]);
        let all = compared(&a, &b);
        assert_eq!(all.pairs.len(), 1);
        assert_eq!((all.pairs[0].a.variant.as_str(), all.pairs[0].b.variant.as_str()), ("gemm/tiled", "gemm/tiled"));
        let sides: Vec<(Side, &str)> = all.unpaired.iter().map(|u| (u.side, u.case.variant.as_str())).collect();
        assert_eq!(sides, [(Side::A, "gemm/naive"), (Side::B, "gemm/wide")]);
        let c = run("X", &[spec("gemm/slow", &SPEEDS), spec("gemm/wide", &FASTER)]);
        let all = compared(&a, &c);
        assert_eq!((all.pairs[0].a.variant.as_str(), all.pairs[0].b.variant.as_str()), ("gemm/tiled", "gemm/wide"));
        assert!(all.pairs[0].notes[0].contains("no variant in common"));
        assert!(all.differences.iter().any(|d| d.what == "variant"));
    }

    #[test]
    fn skips_and_cases_without_a_partner_are_listed_with_the_reason() {
        let a = run("X", &[Spec { variant: "gemv/f32", ..Spec::default() }]);
        let mut b = run("X", &[]);
        b.result.skips.push(skip("gemv/f32"));
        let all = compared(&a, &b);
        assert!(all.pairs.is_empty());
        assert!(all.unpaired[0].reason.contains("the other run skipped it: needs 9 GiB"));
        assert_eq!((all.unpaired[1].side, all.mean_speed_ratio), (Side::B, None));
    }

    #[test]
    fn every_difference_of_provenance_is_listed() {
        let a = run("X", &[Spec::default()]);
        let mut b = run("Y", &[Spec::default()]);
        b.record.provenance.tool.commit = Some("def".to_owned());
        b.record.provenance.host.cpu = None;
        b.record.plan.seed = 2;
        b.record.plan.settings.sampler_hz = 20.0;
        b.record.devices[0].driver_info = "2".to_owned();
        b.record.provenance.device_details.insert(0, [("power_cap_w".to_owned(), "600".to_owned())].into());
        b.result.cases[0].case.shader_sha256 = "other".to_owned();
        b.record.measurements[0].case.shader_sha256 = "other".to_owned();
        let all = compared(&a, &b);
        let found: Vec<&str> = all.differences.iter().map(|d| d.what.as_str()).collect();
        for what in [
            "tool.commit",
            "host.cpu",
            "seed",
            "settings.sampler_hz",
            "name",
            "driver_info",
            "details.power_cap_w",
            "shader_sha256",
        ] {
            assert!(found.contains(&what), "{what} not in {found:?}");
        }
        assert_eq!(found.len(), 8, "{found:?}");
        let cpu = all.differences.iter().find(|d| d.what == "host.cpu").unwrap();
        assert_eq!((cpu.a.as_deref(), cpu.b.as_deref()), (Some("CPU"), None));
    }
}
