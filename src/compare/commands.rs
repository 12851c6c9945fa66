//! Metered programs of two records, paired by their label: work per second, work per joule.
//!
//! A program that amounts to a case of ours stands among the cases instead. What surprises people: both sides are foreign
//! work, so that equal labels are all that says that they did the same.

use serde::Serialize;

use super::ratio::{Sample, Sensors, judge};
use super::{EnergyBasis, Options, Outcome, provenance};
use crate::measure::result::{CommandEnergy, CommandResult, EXECUTION, RunResult, WorkResult};
use crate::model::{CommandExit, CommandMeasurement, Estimate, Evidence, RunRecord};
use crate::units::Quantity;

/// A program of A beside the program of B that has its label, by one unit of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandPair {
    /// The label of both.
    pub label: String,
    /// Unit of work, or `run` for whole executions.
    pub unit: String,
    /// Work per second.
    pub speed: Outcome,
    /// Work per joule, gross.
    pub efficiency: Outcome,
    /// What the efficiency rests on; `None` if it was refused.
    pub energy: Option<EnergyBasis>,
}

/// One side of a pair.
struct Side<'a> {
    record: &'a RunRecord,
    command: &'a CommandMeasurement,
    result: &'a CommandResult,
}

/// Whole executions as a unit of work.
const RUN: &str = "run";

/// Pairs of programs with equal labels, one for each unit of work that both sides have.
pub fn pairs(
    (a, record_a): (&RunResult, &RunRecord),
    (b, record_b): (&RunResult, &RunRecord),
    options: &Options,
) -> Vec<CommandPair> {
    let mut pairs = Vec::new();
    for x in &a.commands {
        let Some(y) = b.commands.iter().find(|y| y.label == x.label) else { continue };
        let (Some(x), Some(y)) = (side(record_a, x), side(record_b, y)) else { continue };
        if x.command.is_idle() || y.command.is_idle() {
            continue;
        }
        let as_cases = x.result.case.is_some() && y.result.case.is_some();
        let mut units: Vec<&str> = x.result.work.iter().map(|work| work.unit.as_str()).collect();
        // What stands among the cases already is not said again.
        let said = |unit: &str| as_cases && [EXECUTION, "flop", "op", "byte"].contains(&unit);
        units.retain(|unit| y.work(unit).is_some() && !said(unit));
        if units.is_empty() && !as_cases && x.completes() && y.completes() {
            units.push(RUN);
        }
        pairs.extend(units.into_iter().map(|unit| pair(&x, &y, unit, options)));
    }
    pairs
}

fn side<'a>(record: &'a RunRecord, result: &'a CommandResult) -> Option<Side<'a>> {
    Some(Side { record, command: record.commands.get(result.index)?, result })
}

impl<'a> Side<'a> {
    fn work(&self, unit: &str) -> Option<&'a WorkResult> {
        self.result.work.iter().find(|work| work.unit == unit)
    }

    /// True if its executions ended by themselves, so that they are something whole.
    fn completes(&self) -> bool {
        let whole = |exit: &CommandExit| matches!(exit, CommandExit::Code { .. });
        !self.result.failed && self.command.counted().iter().all(|run| whole(&run.exit))
    }

    /// Amounts of a unit in each window behind the figures, with the window's seconds.
    fn parts(&self, unit: &str) -> Vec<(f64, f64)> {
        let amount = |run: &crate::model::CommandRun| match unit {
            RUN => Some(1.0),
            _ => run.work.iter().find(|work| work.unit == unit).map(|work| work.amount),
        };
        let runs = self.command.counted();
        runs.into_iter().filter_map(|run| Some((amount(run)?, run.window.duration().get()))).collect()
    }

    fn energies(&self, unit: &str) -> &'a [CommandEnergy] {
        match unit {
            RUN => &self.result.energy,
            _ => self.work(unit).map_or(&[], |work| &work.energy),
        }
    }

    fn speed(&self, unit: &str) -> Option<Sample> {
        let values = self.parts(unit).into_iter().map(|(amount, time)| amount / time).collect();
        match unit {
            RUN => {
                let time = self.result.time?;
                let each = time.map(|time| crate::units::Ratio::new(1.0 / time.get()));
                Some(sample(&each, values, "work/s"))
            }
            _ => Some(sample(&self.work(unit)?.rate, values, "work/s")),
        }
    }

    fn efficiency(&self, unit: &str, own: &CommandEnergy) -> Sample {
        let parts = self.parts(unit);
        let energies = &own.energy.window_energy;
        let values = if parts.len() == energies.len() && own.energy.evidence == Evidence::Measured {
            parts.iter().zip(energies).map(|((amount, _), joules)| amount / joules.get()).collect()
        } else {
            Vec::new()
        };
        let statistical = own.energy.uncertainty.statistical.map(|term| term.half_width());
        let half_width = statistical.filter(|_| own.energy.evidence == Evidence::Measured);
        Sample { half_width, ..sample(&own.per_joule(), values, "work/J") }
    }
}

fn sample<Q: Quantity>(estimate: &Estimate<Q>, windows: Vec<f64>, unit: &'static str) -> Sample {
    Sample { unit, ..Sample::new(estimate, windows) }
}

fn pair(x: &Side<'_>, y: &Side<'_>, unit: &str, options: &Options) -> CommandPair {
    let noise = options.noise.get();
    let speed = match (x.speed(unit), y.speed(unit)) {
        (Some(a), Some(b)) => judge(&a, &b, None, noise).into(),
        _ => Outcome::refused("one side has no time"),
    };
    let found = common_energy(x.energies(unit), y.energies(unit), options.force);
    let (efficiency, energy) = match found {
        Err(reason) => (Outcome::refused(reason), None),
        Ok((own, other, forced)) => {
            let same_sensor = same_sensor(x, y, own, other);
            let sensors = Sensors::of(&own.energy.uncertainty, &other.energy.uncertainty, same_sensor);
            let judged = judge(&x.efficiency(unit, own), &y.efficiency(unit, other), Some(sensors), noise);
            let judged = match &forced {
                Some(reason) => judged.map(|judged| judged.force(reason)),
                None => judged,
            };
            let basis = judged.is_ok().then(|| EnergyBasis {
                scope: own.energy.scope,
                evidence: own.energy.evidence,
                source_a: own.energy.source.clone(),
                source_b: other.energy.source.clone(),
                scope_b: other.energy.scope,
                evidence_b: other.energy.evidence,
            });
            (judged.into(), basis)
        }
    };
    CommandPair { label: x.result.label.clone(), unit: unit.to_owned(), speed, efficiency, energy }
}

/// True if both were read by one and the same sensor of one board, so that its gain error cancels.
fn same_sensor(x: &Side<'_>, y: &Side<'_>, own: &CommandEnergy, other: &CommandEnergy) -> bool {
    let (Some(a), Some(b)) = (x.command.device, y.command.device) else { return false };
    provenance::same_board(x.record, a, y.record, b)
        && provenance::kind_of(&own.energy.source) == provenance::kind_of(&other.energy.source)
        && own.energy.method == other.energy.method
        && own.energy.correction == other.energy.correction
}

/// The energies of one scope and one evidence that stand for the program on both sides; when forced, the first of each with
/// the reason why they would have been refused.
fn common_energy<'a>(
    x: &'a [CommandEnergy],
    y: &'a [CommandEnergy],
    force: bool,
) -> Result<(&'a CommandEnergy, &'a CommandEnergy, Option<String>), String> {
    let standing = |all: &'a [CommandEnergy]| -> Vec<&'a CommandEnergy> {
        let mut standing: Vec<&CommandEnergy> = all.iter().filter(|own| own.stands).collect();
        standing.sort_by_key(|own| (own.energy.evidence, own.energy.scope.headline_rank()));
        standing
    };
    let (a, b) = (standing(x), standing(y));
    let like = |own: &CommandEnergy, other: &CommandEnergy| {
        own.energy.scope == other.energy.scope
            && own.energy.evidence == other.energy.evidence
            && own.energy.scope_note() == other.energy.scope_note()
    };
    if let Some((own, other)) = a.iter().find_map(|own| Some((*own, *b.iter().find(|other| like(own, other))?))) {
        return Ok((own, other, None));
    }
    match (a.first(), b.first()) {
        (Some(a), Some(b)) => {
            let said = |own: &CommandEnergy| format!("{} {}", own.energy.evidence, own.energy.scope);
            let reason = format!("energy scopes or evidence differ: A is {}, B is {}", said(a), said(b));
            if force { Ok((a, b, Some(reason))) } else { Err(reason) }
        }
        (None, _) => Err("A has no energy that stands for the program; --device says which device it used".to_owned()),
        (_, None) => Err("B has no energy that stands for the program; --device says which device it used".to_owned()),
    }
}
