//! Which work all records share, which case and which energy stand for a device on it, and what a reader must be told.
//!
//! What surprises people: every record is paired with the first one, so work that only the others share is left out.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::pair;
use super::{Procurement, Row, letter};
use crate::account::cost::YearTerms;
use crate::measure::result::{CaseResult, EnergyResult, RunResult};
use crate::model::{Case, Counted, Estimate, Evidence, Scope};
use crate::units::Ratio;

/// Work that every record did, with the case of each record and device that stands for it.
pub(super) struct Common<'a> {
    /// The case of the first record.
    pub case: &'a Case,
    /// Index of the record, its case; records in order, devices by ordinal.
    pub cases: Vec<(usize, &'a CaseResult)>,
}

/// Work that some record lacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// The work.
    pub case: Case,
    /// Letters of the records that did it.
    pub done_by: Vec<String>,
    /// Letters of the records without a case that pairs with it.
    pub missing_in: Vec<String>,
}

/// The work common to all results, and what is left.
pub(super) fn common(results: &[RunResult]) -> (Vec<Common<'_>>, Vec<LeftOut>) {
    let Some((first, others)) = results.split_first() else { return (Vec::new(), Vec::new()) };
    let pairings: Vec<pair::Pairing<'_>> = others.iter().map(|other| pair::pair(first, other)).collect();
    let mut found: Vec<Common<'_>> = Vec::new();
    for case in &first.cases {
        let partner = |pairing: &pair::Pairing<'_>| {
            let own = pairing.pairs.iter().find(|(a, ..)| std::ptr::eq(*a, case));
            own.map(|(_, partner, _)| (partner.case.device, partner.case.variant.clone(), partner.case.params.clone()))
        };
        let partners: Option<Vec<_>> = pairings.iter().map(partner).collect();
        let Some(partners) = partners else { continue };
        let mut cases = vec![(0, case)];
        for (index, (other, (device, variant, params))) in others.iter().zip(partners).enumerate() {
            let same = |own: &&CaseResult| {
                let own = &own.case;
                own.same_work(&case.case) && own.device == device && own.variant == variant && own.params == params
            };
            cases.extend(other.cases.iter().find(same).map(|own| (index + 1, own)));
        }
        match found.iter_mut().find(|work| work.case.same_work(&case.case)) {
            Some(work) => cases.into_iter().for_each(|(record, case)| keep_faster(&mut work.cases, record, case)),
            None => found.push(Common { case: &case.case, cases }),
        }
    }
    found.iter_mut().for_each(|work| work.cases.sort_by_key(|(record, case)| (*record, case.case.device)));
    let left = left_out(results, &found);
    (found, left)
}

/// A device stands once, with its fastest case.
fn keep_faster<'a>(cases: &mut Vec<(usize, &'a CaseResult)>, record: usize, case: &'a CaseResult) {
    let speed = |case: &CaseResult| rate_of(case).map_or(0.0, |rate| rate.point.get());
    match cases.iter_mut().find(|(index, own)| *index == record && own.case.device == case.case.device) {
        Some((_, own)) if speed(case) > speed(own) => *own = case,
        Some(_) => {}
        None => cases.push((record, case)),
    }
}

fn left_out(results: &[RunResult], found: &[Common<'_>]) -> Vec<LeftOut> {
    let mut left: Vec<LeftOut> = Vec::new();
    for case in results.iter().flat_map(|result| &result.cases).map(|own| &own.case) {
        let known = found.iter().any(|work| work.case.same_work(case)) || left.iter().any(|l| l.case.same_work(case));
        if known {
            continue;
        }
        let has = |result: &RunResult| result.cases.iter().any(|own| own.case.same_work(case));
        let (with, without): (Vec<usize>, Vec<usize>) = (0..results.len()).partition(|index| has(&results[*index]));
        let letters = |indices: Vec<usize>| indices.into_iter().map(letter).collect();
        left.push(LeftOut { case: case.clone(), done_by: letters(with), missing_in: letters(without) });
    }
    left
}

/// Rate of a case in what it counts; `None` where its output was wrong or it has no time.
pub(super) fn rate_of(case: &CaseResult) -> Option<Estimate<Ratio>> {
    let rate = match case.case.counted {
        Counted::Flop => case.flop_rate?.map(|rate| Ratio::new(rate.get())),
        Counted::Bytes => case.byte_rate?.map(|rate| Ratio::new(rate.get())),
    };
    (case.has_rates() && rate.point.get().is_finite() && rate.point.get() > 0.0).then_some(rate)
}

type Kind<'a> = (Scope, Evidence, Option<&'a str>);

fn kind(energy: &EnergyResult) -> Kind<'_> {
    (energy.scope, energy.evidence, energy.scope_note())
}

/// The energy that stands for each case: of one scope and evidence if all that have energy share one, first the headline of
/// the first; else the headline of each.
pub(super) fn energies<'a>(cases: &[&'a CaseResult]) -> Vec<Option<&'a EnergyResult>> {
    let with = || cases.iter().filter(|case| !case.energy.is_empty());
    let of = |case: &'a CaseResult, wanted: Kind<'_>| case.energy.iter().find(|energy| kind(energy) == wanted);
    let mut candidates: Vec<&EnergyResult> = with().next().map_or(Vec::new(), |case| case.energy.iter().collect());
    candidates.sort_by_key(|energy| (energy.evidence, energy.scope.headline_rank()));
    let shared = candidates.into_iter().map(kind).find(|wanted| with().all(|case| of(case, *wanted).is_some()));
    cases
        .iter()
        .map(|case| match shared {
            Some(wanted) => of(case, wanted),
            None => case.headline_energy(),
        })
        .collect()
}

/// What a reader must know, one sentence each.
pub(super) fn notes(found: &Procurement, years: &YearTerms<'_>) -> Vec<String> {
    let rows = || found.workloads.iter().flat_map(|work| &work.rows);
    if found.workloads.is_empty() {
        return vec![
            "no work is common to all these records (same problem, shape, element type and data pattern), so there is \
             nothing to set side by side; run the same cases on each device"
                .to_owned(),
        ];
    }
    let mut notes = vec![of_the_year(found, years)];
    notes.extend(years.inputs.is_some().then(|| {
        "money is per year and stands for the fraction of devices, as a share of a fleet; `if whole` is the money if devices are \
         rounded up and the rest of their hours stays unused"
            .to_owned()
    }));
    if years.inputs.is_some() && !years.idle && rows().any(|row| row.devices.is_some_and(|own| own.utilisation < 1.0)) {
        notes.push(
            "IDLE HOURS ARE NOT COUNTED: energy, carbon and electricity are those of the hours of work alone; give idle_w in \
             the [[cost.device]] of every device to count them"
                .to_owned(),
        );
    }
    if rows().any(|row| row.evidence.is_some() && !row.measured()) {
        notes.push(
            "≈ marks figures of energy that was estimated or declared, not measured: they have no interval and are not ranked \
             against measured ones"
                .to_owned(),
        );
    }
    let mixed = found.workloads.iter().any(|work| {
        let scopes: BTreeSet<_> = work.rows.iter().filter_map(Row::scope_words).collect();
        scopes.len() > 1
    });
    if mixed {
        notes.push(
            "SCOPES OR EVIDENCE DIFFER: joules that include different parts of a machine, or came about differently, are not \
             ranked against each other; the table names the kind of each"
                .to_owned(),
        );
    }
    if rows().any(|row| row.embodied_per_unit.is_some()) {
        notes.push(
            "embodied carbon is CO2e, spread over the hours of work of a life; it is a band of published figures, not an \
             interval, and is in no operational figure"
                .to_owned(),
        );
    }
    let variants = |work: &super::Workload| work.rows.iter().any(|row| row.variant != work.rows[0].variant);
    if found.workloads.iter().any(variants) {
        notes.push("each device stands with the fastest of its paired variants, which differ".to_owned());
    }
    if found.records.iter().any(|record| record.simulated) {
        notes.push("SIMULATED: times and power of a record were scripted; its figures describe no hardware".to_owned());
    }
    notes
}

/// What fixes the work of a year.
fn of_the_year(found: &Procurement, years: &YearTerms<'_>) -> String {
    let own: BTreeSet<String> = found.workloads.iter().filter_map(|work| work.set_by.clone()).collect();
    let count = match found.terms.devices {
        1 => "one device".to_owned(),
        many => format!("{many} devices"),
    };
    let hours = years.utilisation * 100.0;
    let setter = own.into_iter().collect::<Vec<_>>().join(" or ");
    let differs = found.workloads.iter().flat_map(|work| &work.rows).filter_map(|row| row.devices);
    let differs = if differs.map(|own| own.utilisation).any(|own| own != years.utilisation) {
        "; entries of [[cost.device]] with a utilisation of their own use that"
    } else {
        ""
    };
    format!(
        "a year's work of a workload is what {count} of {setter} would do in {hours:.0} % of 8760 hours (utilisation {}); it \
         is the same for every device, which needs more or fewer of itself{differs}",
        years.utilisation_from
    )
}
