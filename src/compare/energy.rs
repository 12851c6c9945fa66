//! Work per joule of a pair, and the carbon that follows from it: which two energies may stand beside each other.
//!
//! What surprises people: energies of other scope or evidence are refused, and a forced ratio of them has no interval and no
//! verdict: it is a quotient of two numbers that do not mean the same thing.

use super::ratio::{Judged, Sample, Sensors, judge};
use super::{EnergyBasis, Options, Outcome, Side, provenance};
use crate::account::{Site, WorkUnit, operational};
use crate::measure::result::{CaseResult, EnergyResult};
use crate::model::{Counted, Estimate, RunRecord};
use crate::units::Joules;

/// Efficiency and carbon of a pair, with what they rest on.
pub fn compare_energy(
    (a, x): (&RunRecord, &CaseResult),
    (b, y): (&RunRecord, &CaseResult),
    options: &Options,
) -> (Outcome, Outcome, Option<EnergyBasis>) {
    let (energy_x, energy_y, forced) = match (common_energy(x, y), x.headline_energy(), y.headline_energy()) {
        (Ok((first, second)), ..) => (first, second, None),
        (Err(reason), Some(first), Some(second)) if options.force => (first, second, Some(reason)),
        (Err(reason), ..) => return (Outcome::refused(&reason), Outcome::refused(reason), None),
    };
    let judged = compare_efficiency((a, x, energy_x), (b, y, energy_y), options);
    let efficiency = match &forced {
        Some(reason) => judged.map(|judged| judged.force(reason)),
        None => judged,
    };
    let carbon = efficiency.clone().map(|judged| carbon_from(&judged, (x, energy_x), (y, energy_y), &options.site));
    let energy = efficiency.is_ok().then(|| EnergyBasis {
        scope: energy_x.scope,
        evidence: energy_x.evidence,
        source_a: energy_x.source.clone(),
        source_b: energy_y.source.clone(),
        scope_b: energy_y.scope,
        evidence_b: energy_y.evidence,
    });
    (efficiency.into(), carbon.into(), energy)
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
