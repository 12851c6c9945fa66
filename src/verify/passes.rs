//! The passes over the operands of a product that yield what Freivalds' sums must be, and how far they may be off.
//!
//! What surprises people: operands are generated again in each pass, so that a product of any size needs only vectors here.

use super::parallel::{dot, parts};
use crate::workload::{Accumulation, Product};

/// Factor on the root of the sum of squares of the elements' bounds. For signs drawn independently of the errors, a sum
/// exceeds 8 of these with a probability below 2·exp(−32) = 2.5e-14, whatever the errors are (Hoeffding 1963).
pub(super) const DEVIATIONS: f64 = 8.0;

/// Unit roundoff of this check's own arithmetic.
const F64: f64 = f64::EPSILON / 2.0;

/// Expected sums of all rows, or of all columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    /// Rows or columns of one product.
    pub(super) lines: u64,
    /// Signs of each trial along a line.
    pub(super) signs: Vec<Vec<f64>>,
    /// For each line, the sum of each trial.
    pub(super) expected: Vec<f64>,
    /// For each line, the bound of its sums, without the rounding of C's own elements.
    pub(super) bounds: Vec<f64>,
}

/// What the rows of one operand amount to.
#[derive(Default)]
pub(super) struct Weights {
    /// For each row, the sum of each trial.
    pub(super) sums: Vec<f64>,
    /// Euclidean norm of each row.
    pub(super) norms: Vec<f64>,
    /// The same of the elements that a device may take as 0.
    pub(super) small: Vec<f64>,
}

/// Norm of a row, and of its elements that a device may take as 0.
fn norms(row: &[f64], smallest: f64) -> (f64, f64) {
    let small: f64 = if smallest > 0.0 { row.iter().filter(|v| v.abs() < smallest).map(|v| v * v).sum() } else { 0.0 };
    (dot(row, row).sqrt(), small.sqrt())
}

/// B·r of every trial, and the norms of the rows of B.
pub(super) fn weigh_right(product: &Product<'_>, batch: u64, signs: &[Vec<f64>]) -> Weights {
    let found = parts(product.inner, |range| {
        let mut weights = Weights::default();
        let mut row = vec![0_f32; product.columns as usize];
        for line in range {
            (product.right)(batch, line, &mut row);
            let values: Vec<f64> = row.iter().copied().map(f64::from).collect();
            weights.sums.extend(signs.iter().map(|signs| dot(&values, signs)));
            let (norm, small) = norms(&values, product.smallest_operand);
            weights.norms.push(norm);
            weights.small.push(small);
        }
        weights
    });
    let mut all = Weights::default();
    for part in found {
        all.sums.extend(part.sums);
        all.norms.extend(part.norms);
        all.small.extend(part.small);
    }
    all
}

/// What a pass over the rows of A yields.
#[derive(Default)]
pub(super) struct LeftPass {
    /// A·(B·r) of each row and trial.
    pub(super) expected: Vec<f64>,
    /// Bound of each row's sums.
    pub(super) bounds: Vec<f64>,
    /// rᵀ·A of each trial and the squared norms of the columns of A, where columns are checked.
    pub(super) weights: Weights,
}

pub(super) fn left_pass(product: &Product<'_>, batch: u64, right: &Weights, columns: Option<&Side>) -> LeftPass {
    let (inner, trials) = (product.inner as usize, right.sums.len() / (product.inner as usize).max(1));
    // By trial, so that each is one dot product.
    let by_trial: Vec<Vec<f64>> =
        (0..trials).map(|trial| right.sums.iter().skip(trial).step_by(trials).copied().collect()).collect();
    let found = parts(product.rows, |range| {
        let mut pass = LeftPass::default();
        if columns.is_some() {
            let zeros = vec![0.0; inner];
            pass.weights = Weights { sums: vec![0.0; inner * trials], norms: zeros.clone(), small: zeros };
        }
        let mut row = vec![0_f32; inner];
        for line in range {
            (product.left)(batch, line, &mut row);
            let values: Vec<f64> = row.iter().copied().map(f64::from).collect();
            pass.expected.extend(by_trial.iter().map(|products| dot(&values, products)));
            pass.bounds.push(line_bound(product, &values, right, product.columns));
            let Some(side) = columns else { continue };
            for (sums, signs) in pass.weights.sums.chunks_exact_mut(inner).zip(&side.signs) {
                let sign = signs[line as usize];
                sums.iter_mut().zip(&values).for_each(|(sum, value)| *sum += sign * value);
            }
            let squares = pass.weights.norms.iter_mut().zip(&mut pass.weights.small);
            for (value, (square, small)) in values.iter().zip(squares) {
                *square += value * value;
                *small += if value.abs() < product.smallest_operand { value * value } else { 0.0 };
            }
        }
        pass
    });
    let mut all = LeftPass::default();
    for part in found {
        all.expected.extend(part.expected);
        all.bounds.extend(part.bounds);
        add_all(&mut all.weights.sums, &part.weights.sums);
        add_all(&mut all.weights.norms, &part.weights.norms);
        add_all(&mut all.weights.small, &part.weights.small);
    }
    all.weights.norms.iter_mut().chain(&mut all.weights.small).for_each(|square| *square = square.sqrt());
    all
}

/// (rᵀ·A)·B of every column and trial, and the bounds of the columns; `left.sums` by trial.
pub(super) fn right_pass(product: &Product<'_>, batch: u64, left: &Weights, side: &mut Side) {
    let (columns, inner, trials) = (product.columns as usize, product.inner as usize, side.signs.len());
    let own = own_arithmetic(product, product.rows);
    let found = parts(product.inner, |range| {
        let (mut expected, mut bounds) = (vec![0.0; columns * trials], vec![Bound::default(); columns]);
        let mut row = vec![0_f32; columns];
        for line in range {
            (product.right)(batch, line, &mut row);
            let at = line as usize;
            let values: Vec<f64> = row.iter().copied().map(f64::from).collect();
            for (trial, sums) in expected.chunks_exact_mut(columns).enumerate() {
                let weight = left.sums[trial * inner + at];
                sums.iter_mut().zip(&values).for_each(|(sum, value)| *sum += weight * value);
            }
            let weight = (left.norms[at], left.small[at]);
            let shares = values.iter().map(|value| share(product, *value, weight, own));
            bounds.iter_mut().zip(shares).for_each(|(bound, share)| bound.add(share));
        }
        (expected, bounds)
    });
    let (mut expected, mut bounds) = (vec![0.0; columns * trials], vec![Bound::default(); columns]);
    for (part, part_bounds) in found {
        add_all(&mut expected, &part);
        bounds.iter_mut().zip(part_bounds).for_each(|(bound, part)| bound.add(part));
    }
    side.bounds.extend(bounds.into_iter().map(Bound::total));
    side.expected.extend((0..columns * trials).map(|at| expected[at % trials * columns + at / trials]));
}

/// Bound of a line's sums, or a part of it.
#[derive(Debug, Clone, Copy, Default)]
struct Bound {
    /// What adds.
    linear: f64,
    /// What adds as squares.
    squares: f64,
}

impl Bound {
    fn add(&mut self, other: Self) {
        self.linear += other.linear;
        self.squares += other.squares;
    }
    fn total(self) -> f64 {
        self.linear + self.squares.sqrt()
    }
}

/// What one element of a line adds to the bound of its sums, by the norm of its counterpart in the other operand and the norm of
/// what may be taken as 0 there.
///
/// With an element's error at most e·Σ|a·b|, the root of the sum of their squares is at most e·Σ|a|·‖b‖ (Minkowski); with errors
/// of e·√Σ(a·b)² it is e·√Σ(|a|·‖b‖)². Operands that may be taken as 0 count in full.
fn share(product: &Product<'_>, value: f64, (norm, small): (f64, f64), own: f64) -> Bound {
    let value = value.abs();
    let lost = DEVIATIONS * if value < product.smallest_operand { norm } else { small };
    match product.accumulation {
        Accumulation::Exact => Bound::default(),
        Accumulation::Magnitudes(error) => {
            Bound { linear: value * ((DEVIATIONS * error + own) * norm + lost), squares: 0.0 }
        }
        Accumulation::Squares(error) => {
            let squares = (DEVIATIONS * error * value * norm).powi(2);
            Bound { linear: value * (own * norm + lost), squares }
        }
    }
}

fn line_bound(product: &Product<'_>, values: &[f64], right: &Weights, length: u64) -> f64 {
    let own = own_arithmetic(product, length);
    let mut bound = Bound::default();
    for (value, (norm, small)) in values.iter().zip(right.norms.iter().zip(&right.small)) {
        bound.add(share(product, *value, (*norm, *small), own));
    }
    bound.total()
}

/// Error of this check's own sums of `length` elements, over Σ|a|·‖row of B‖; integers are summed exactly.
fn own_arithmetic(product: &Product<'_>, length: u64) -> f64 {
    let (length, inner) = (length as f64, product.inner as f64);
    if product.is_exact() { 0.0 } else { F64 * 4.0 * (length.sqrt() + inner.sqrt()) * length.sqrt() }
}

fn add_all(sums: &mut Vec<f64>, values: &[f64]) {
    if sums.is_empty() {
        sums.extend_from_slice(values);
    } else {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
}
