//! Values that look broken beside their neighbours: a short stretch that jumps away by a factor of three in one step, jumps back
//! in one step, and lies outside anything else within a month.
//!
//! What surprises people: being far from the mean is no fault. Hydro grids live at 20 g/kWh and solar ones fall by half in an
//! hour, so a value is only suspicious if the fall *and* the return each take one step, and if nothing around it for thirty
//! days comes near. Found on 2022 data of eight US balancing authorities: the steepest real hour was a factor of 2.1 (CISO,
//! sunrise), the broken hours of PJM fell and rose by 6.4 to 7.2.

use super::steps::Grid;
use crate::model::FactorMethod;

/// Least factor of the jump at both ends. Real hours reach 2.1 (see above); half as much again is left as a margin.
const JUMP: f64 = 3.0;
/// Longest stretch that is called broken: a real change of the plants that run lasts longer than half a day or comes gradually.
const LONGEST_H: f64 = 12.0;
/// Least factor beyond the lowest or highest other value within [`AROUND_DAYS`].
const BEYOND: f64 = 2.0;
/// Days on either side in which nothing else may come near.
const AROUND_DAYS: usize = 30;

/// A stretch of steps that looks broken.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    from: usize,
    to: usize,
    low: f64,
    high: f64,
}

/// Takes away values that look broken, or keeps them loudly; says which.
///
/// A marginal series is left alone: the plant at the margin changes at once, so that its values jump by any factor.
pub fn refuse(grid: &mut Grid, method: FactorMethod, keep: bool, faults: &mut Vec<String>) {
    if method == FactorMethod::Marginal {
        return;
    }
    let found = isolated(grid, candidates(grid));
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return };
    let count: usize = found.iter().map(|stretch| stretch.to - stretch.from).sum();
    let low = found.iter().map(|stretch| stretch.low).fold(f64::INFINITY, f64::min);
    let high = found.iter().map(|stretch| stretch.high).fold(0.0, f64::max);
    let at = |index: usize| {
        let offset = (grid.step.get() * 1000.0) as i64 * index as i64;
        jiff::Timestamp::from_millisecond(grid.start.as_millisecond() + offset).unwrap_or(grid.start)
    };
    let what = format!(
        "{count} values look broken ({low} to {high} g/kWh between {} and {}): they jump away by a factor of {JUMP} or more in \
         one step and back in one, and nothing within {AROUND_DAYS} days comes near",
        at(first.from),
        at(last.to - 1),
    );
    if keep {
        faults.push(format!("WARNING: {what}; KEPT, as --keep-suspicious says: a best start may rest on them"));
        return;
    }
    faults.push(format!("{what}; left without a value (--keep-suspicious takes them)"));
    for stretch in found {
        grid.values[stretch.from..stretch.to].fill(None);
    }
}

/// Short stretches with a jump at both ends (at one, where the series ends), between neighbours that have values.
fn candidates(grid: &Grid) -> Vec<Stretch> {
    let known: Vec<(usize, f64)> =
        grid.values.iter().enumerate().filter_map(|(index, value)| Some((index, (*value)?))).collect();
    let longest = (LONGEST_H * 3600.0 / grid.step.get()).floor().max(1.0) as usize;
    // Places where the value jumps down or up.
    let jump = |a: f64, b: f64| {
        if a >= JUMP * b {
            -1
        } else if b >= JUMP * a {
            1
        } else {
            0
        }
    };
    let mut found = Vec::new();
    let mut from = 0;
    let mut entered = 0;
    for i in 1..=known.len() {
        let step = if i < known.len() { jump(known[i - 1].1, known[i].1) } else { 0 };
        if step == 0 && i < known.len() {
            continue;
        }
        // A stretch ends before i: it must have been entered by a jump, and be left by the opposite one.
        let at_start = from == 0 && step != 0;
        let at_end = i == known.len() && entered != 0;
        let spike = entered != 0 && step == -entered;
        if (spike || at_start || at_end) && i - from <= longest && i - from < known.len() {
            let values = known[from..i].iter().map(|(_, value)| *value);
            found.push(Stretch {
                from: known[from].0,
                to: known[i - 1].0 + 1,
                low: values.clone().fold(f64::INFINITY, f64::min),
                high: values.fold(0.0, f64::max),
            });
        }
        // After a spike the series is back among the rest; the next jump opens a new stretch.
        (from, entered) = (i, if spike { 0 } else { step });
    }
    found
}

/// Those that lie beyond everything else within a month.
fn isolated(grid: &Grid, candidates: Vec<Stretch>) -> Vec<Stretch> {
    if candidates.is_empty() {
        return candidates;
    }
    let mut rest = grid.values.clone();
    for stretch in &candidates {
        rest[stretch.from..stretch.to].fill(None);
    }
    let per_day = (86_400.0 / grid.step.get()).ceil().max(1.0) as usize;
    let days: Vec<(f64, f64)> = rest
        .chunks(per_day)
        .map(|day| {
            let known = day.iter().copied().flatten();
            known.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)))
        })
        .collect();
    let beyond = |stretch: &Stretch| {
        let around = (stretch.from / per_day).saturating_sub(AROUND_DAYS)
            ..(stretch.to / per_day + AROUND_DAYS + 1).min(days.len());
        let (low, high) = days[around]
            .iter()
            .fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), day| (low.min(day.0), high.max(day.1)));
        high > 0.0 && (stretch.high * BEYOND <= low || stretch.low >= high * BEYOND)
    };
    candidates.into_iter().filter(beyond).collect()
}
