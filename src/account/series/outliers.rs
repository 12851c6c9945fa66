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

/// Largest share of the steps of those sixty days that may be called broken: what happens this often is how the grid is.
const MOST: f64 = 0.125;

/// A short stretch between a jump and the opposite jump.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    from: usize,
    to: usize,
    /// Below the rest, else above.
    low_side: bool,
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

/// Short stretches with a jump away and a jump back (one of them where the series ends), of either direction. A stretch of
/// sound values between two broken ones is here, too: what it is beside is judged later.
fn candidates(grid: &Grid) -> Vec<Stretch> {
    let known: Vec<(usize, f64)> =
        grid.values.iter().enumerate().filter_map(|(index, value)| Some((index, (*value)?))).collect();
    let longest = (LONGEST_H * 3600.0 / grid.step.get()).floor().max(1.0) as usize;
    let jump = |a: f64, b: f64| i8::from(b >= JUMP * a) - i8::from(a >= JUMP * b);
    let mut found = Vec::new();
    let (mut from, mut entered) = (0, 0);
    for i in 1..=known.len() {
        let left = if i < known.len() { jump(known[i - 1].1, known[i].1) } else { 0 };
        if left == 0 && i < known.len() {
            continue;
        }
        // Down and up again, or up and down again; at an end of the series, one jump must do.
        let low_side = entered < 0 || left > 0;
        let opposite = entered == -left || entered == 0 && from == 0 || left == 0;
        if opposite && entered != left && i - from <= longest {
            let values = known[from..i].iter().map(|(_, value)| *value);
            found.push(Stretch {
                from: known[from].0,
                to: known[i - 1].0 + 1,
                low_side,
                low: values.clone().fold(f64::INFINITY, f64::min),
                high: values.fold(0.0, f64::max),
            });
        }
        (from, entered) = (i, left);
    }
    found
}

/// Lowest and highest value and number of values of a day.
type Day = (f64, f64, usize);

/// Days of a series without some stretches.
fn days(grid: &Grid, per_day: usize, without: &[Stretch]) -> Vec<Day> {
    let mut rest = grid.values.clone();
    for stretch in without {
        rest[stretch.from..stretch.to].fill(None);
    }
    let day = |day: &[Option<f64>]| {
        let known = day.iter().copied().flatten();
        known.fold((f64::INFINITY, 0.0, 0), |(low, high, n): Day, value| (low.min(value), high.max(value), n + 1))
    };
    rest.chunks(per_day).map(day).collect()
}

/// Those that lie beyond everything else of a month before and after, and are rare there. Stretches of one side do not vouch
/// for each other.
fn isolated(grid: &Grid, candidates: Vec<Stretch>) -> Vec<Stretch> {
    if candidates.is_empty() {
        return candidates;
    }
    let per_day = (86_400.0 / grid.step.get()).ceil().max(1.0) as usize;
    let mut found = Vec::new();
    for low_side in [true, false] {
        let side: Vec<Stretch> = candidates.iter().copied().filter(|stretch| stretch.low_side == low_side).collect();
        let (all, rest) = (days(grid, per_day, &[]), days(grid, per_day, &side));
        let beyond = |stretch: &&Stretch| {
            let around = (stretch.from / per_day).saturating_sub(AROUND_DAYS)
                ..(stretch.to / per_day + AROUND_DAYS + 1).min(all.len());
            let total: usize = all[around.clone()].iter().map(|day| day.2).sum();
            let (low, high, kept) = rest[around]
                .iter()
                .fold((f64::INFINITY, 0.0, 0), |(low, high, n): Day, day| (low.min(day.0), high.max(day.1), n + day.2));
            let away = if low_side { stretch.high * BEYOND <= low } else { stretch.low >= high * BEYOND };
            kept > 0 && away && (total - kept) as f64 <= MOST * total as f64
        };
        found.extend(side.iter().filter(beyond).copied());
    }
    found.sort_by_key(|stretch| stretch.from);
    found
}
