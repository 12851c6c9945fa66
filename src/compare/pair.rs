//! Which case of A stands beside which case of B.
//!
//! Devices are paired in order of their ordinals, cases by problem, shape, element type and data pattern, the same variant
//! first. What surprises people: only where a piece of work has no variant in common are the best variants of both sides
//! paired, with a note; a variant that one side has besides a common one stays unpaired.

use crate::measure::result::{CaseResult, RunResult};
use crate::model::{Case, Counted};

use super::{Side, Unpaired};

/// The pairs and what is left.
pub struct Pairing<'a> {
    /// Case of A, case of B, notes.
    pub pairs: Vec<(&'a CaseResult, &'a CaseResult, Vec<String>)>,
    /// Cases and skips without a partner.
    pub unpaired: Vec<Unpaired>,
    /// Ordinals of paired devices: A's, B's.
    pub devices: Vec<(u32, u32)>,
}

/// Pairs the cases of two runs.
pub fn pair<'a>(a: &'a RunResult, b: &'a RunResult) -> Pairing<'a> {
    let devices: Vec<(u32, u32)> = ordinals(a).into_iter().zip(ordinals(b)).collect();
    let mut taken = vec![false; b.cases.len()];
    let mut partners: Vec<Option<usize>> = vec![None; a.cases.len()];
    for same_params in [true, false] {
        for (x, partner) in a.cases.iter().zip(&mut partners).filter(|(_, partner)| partner.is_none()) {
            let found = b.cases.iter().enumerate().position(|(j, y)| {
                !taken[j]
                    && same_work(&devices, &x.case, &y.case)
                    && x.case.variant == y.case.variant
                    && (!same_params || x.case.params == y.case.params)
            });
            if let Some(j) = found {
                taken[j] = true;
                *partner = Some(j);
            }
        }
    }
    pair_best_variants(a, b, &devices, &mut partners, &mut taken);
    let pairs = a.cases.iter().zip(&partners).filter_map(|(x, partner)| {
        let y = &b.cases[(*partner)?];
        Some((x, y, notes(&x.case, &y.case)))
    });
    let pairs: Vec<_> = pairs.collect();
    let left_a = a.cases.iter().zip(&partners).filter(|(_, partner)| partner.is_none()).map(|(x, _)| x);
    let left_b = b.cases.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(y, _)| y);
    let mut unpaired: Vec<Unpaired> = left_a.map(|x| alone(Side::A, &x.case, b)).collect();
    unpaired.extend(left_b.map(|y| alone(Side::B, &y.case, a)));
    unpaired.extend(skips(Side::A, a).chain(skips(Side::B, b)));
    Pairing { pairs, unpaired, devices }
}

/// Where a piece of work has no variant in common: the fastest verified variant of A beside the fastest of B.
fn pair_best_variants(
    a: &RunResult,
    b: &RunResult,
    devices: &[(u32, u32)],
    partners: &mut [Option<usize>],
    taken: &mut [bool],
) {
    for i in 0..a.cases.len() {
        let case = &a.cases[i].case;
        let of_a: Vec<usize> = (0..a.cases.len())
            .filter(|k| a.cases[*k].case.device == case.device && a.cases[*k].case.same_work(case))
            .collect();
        if of_a.iter().any(|k| partners[*k].is_some()) {
            continue;
        }
        let of_b = (0..b.cases.len()).filter(|j| !taken[*j] && same_work(devices, case, &b.cases[*j].case));
        let best_b = of_b.max_by(|j, k| score(&b.cases[*j]).total_cmp(&score(&b.cases[*k])));
        let best_a = of_a.into_iter().max_by(|j, k| score(&a.cases[*j]).total_cmp(&score(&a.cases[*k])));
        if let (Some(x), Some(y)) = (best_a, best_b) {
            partners[x] = Some(y);
            taken[y] = true;
        }
    }
}

/// Rate of a case for choosing the best variant; 0 if it is not verified or has none.
fn score(case: &CaseResult) -> f64 {
    let rate = match case.case.counted {
        Counted::Flop => case.flop_rate.map(|rate| rate.point.get()),
        Counted::Bytes => case.byte_rate.map(|rate| rate.point.get()),
    };
    rate.filter(|_| case.has_rates()).unwrap_or(0.0)
}

fn ordinals(result: &RunResult) -> Vec<u32> {
    let cases = result.cases.iter().map(|case| &case.case).chain(result.skips.iter().map(|skip| &skip.case));
    let mut all: Vec<u32> = cases.map(|case| case.device).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn same_work(devices: &[(u32, u32)], x: &Case, y: &Case) -> bool {
    devices.contains(&(x.device, y.device)) && x.same_work(y)
}

fn notes(x: &Case, y: &Case) -> Vec<String> {
    let mut notes = Vec::new();
    for (side, case) in [(Side::A, x), (Side::B, y)].into_iter().filter(|(_, case)| case.is_foreign()) {
        notes.push(format!(
            "{} of {side} is foreign work: its amount was declared or printed, and its output was not verified",
            case.variant
        ));
    }
    if x.variant != y.variant {
        notes.push(format!("no variant in common: the best of each, {} against {}", x.variant, y.variant));
    } else if x.params != y.params {
        notes.push("same variant with other tuned parameters".to_owned());
    }
    if x.shader_sha256 != y.shader_sha256 && x.variant == y.variant {
        notes.push("the shader itself differs".to_owned());
    }
    notes
}

fn alone(side: Side, case: &Case, other: &RunResult) -> Unpaired {
    let skipped = other.skips.iter().find(|skip| skip.case.same_work(case) && skip.case.variant == case.variant);
    let reason = match skipped {
        Some(skip) => format!("the other run skipped it: {}", skip.detail),
        None if other.cases.iter().any(|own| own.case.same_work(case)) => {
            "the other run has this work, but not with this variant on the paired device".to_owned()
        }
        None => "the other run has no case of this work".to_owned(),
    };
    Unpaired { side, case: case.clone(), reason, skipped: false }
}

fn skips(side: Side, result: &RunResult) -> impl Iterator<Item = Unpaired> {
    result.skips.iter().map(move |skip| Unpaired {
        side,
        case: skip.case.clone(),
        reason: format!("skipped: {}", skip.detail),
        skipped: true,
    })
}
