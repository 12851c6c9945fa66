//! Freivalds' check of a whole matrix product: C·r against A·(B·r) for random vectors r of ±1.
//!
//! It reads every element of C, costs O(n²) and misses a wrong row with probability 2^-trials. What surprises people: a
//! single slightly wrong element can hide in the roundings of its row; sampling finds those, this finds wrong tiles.

use crate::model::Shape;
use crate::workload::{Instance, Picks, Problem, accumulation_bound, problem};

/// A passed check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Freivalds {
    /// Rows of C that were compared, all of them.
    pub rows: u64,
    /// Random vectors.
    pub trials: u32,
    /// Largest difference, in units of its own bound (1 is the limit).
    pub worst_error_in_bounds: f64,
}

/// Why a matrix product is not right.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FreivaldsError {
    /// A row that has too few elements.
    #[error("row {row} of c has {got} elements instead of {expected}")]
    RowLength {
        /// The row.
        row: u64,
        /// Elements that came.
        got: usize,
        /// Columns of C.
        expected: u64,
    },
    /// A row whose random sum differs.
    #[error("row {row} of c is wrong: a random ±1 sum of it is {got:e}, expected {expected:e} within {bound:e}")]
    Row {
        /// The row.
        row: u64,
        /// Sum of the device's row.
        got: f64,
        /// Sum by A·(B·r).
        expected: f64,
        /// Largest permitted absolute difference.
        bound: f64,
    },
    /// No trial was asked for, so nothing would be checked.
    #[error("Freivalds' check needs at least one trial")]
    NoTrials,
    /// There is no problem `gemm` in this build.
    #[error("Freivalds' check needs the problem gemm")]
    NoProblem,
}

/// Standard deviations that separate a right row from a wrong one; chance alone exceeds 8 less than once in 10^14.
const DEVIATIONS: f64 = 8.0;

/// Checks every row of C = A·B; `c` returns a row of the device's result.
///
/// The bound of a row sum is eight times the root of the sum of squares of the elements' bounds (their roundings
/// are independent), where an element's bound is that of its sum of k products with |B| at its mean magnitude.
pub fn freivalds(
    instance: &Instance,
    c: &mut dyn FnMut(u64) -> Vec<f32>,
    trials: u32,
    seed: u64,
) -> Result<Freivalds, FreivaldsError> {
    if trials == 0 {
        return Err(FreivaldsError::NoTrials);
    }
    let gemm = problem("gemm").ok_or(FreivaldsError::NoProblem)?;
    let [m, n, k] = extents(&instance.shape);
    let signs = signs(n, trials, seed);
    let (products, mean_magnitude) = times_signs(gemm, instance, &signs);
    let mut worst = 0.0_f64;
    let mut a = vec![0_f32; k as usize];
    for row in 0..m {
        let result = c(row);
        if result.len() as u64 != n {
            return Err(FreivaldsError::RowLength { row, got: result.len(), expected: n });
        }
        gemm.fill(instance, 0, row * k, &mut a);
        let magnitude: f64 = a.iter().map(|a| f64::from(a.abs())).sum::<f64>() * mean_magnitude;
        let bound = DEVIATIONS * (n as f64).sqrt() * accumulation_bound(k) * magnitude;
        for (signs, product) in signs.iter().zip(&products) {
            let expected: f64 = a.iter().zip(product).map(|(a, b)| f64::from(*a) * b).sum();
            let got: f64 = result.iter().zip(signs).map(|(c, r)| f64::from(*c) * f64::from(*r)).sum();
            let error = (got - expected).abs();
            if error.is_nan() || error > bound {
                return Err(FreivaldsError::Row { row, got, expected, bound });
            }
            worst = worst.max(error / bound);
        }
    }
    Ok(Freivalds { rows: m, trials, worst_error_in_bounds: worst })
}

fn extents(shape: &Shape) -> [u64; 3] {
    ["m", "n", "k"].map(|axis| shape.get(axis))
}

/// `trials` vectors of n signs.
fn signs(n: u64, trials: u32, seed: u64) -> Vec<Vec<i8>> {
    let mut picks = Picks::new(seed);
    (0..trials).map(|_| (0..n).map(|_| if picks.next() >> 63 == 0 { 1 } else { -1 }).collect()).collect()
}

/// B·r for every r, and the mean magnitude of an element of B.
fn times_signs(gemm: &dyn Problem, instance: &Instance, signs: &[Vec<i8>]) -> (Vec<Vec<f64>>, f64) {
    let [_, n, k] = extents(&instance.shape);
    let mut row = vec![0_f32; n as usize];
    let mut magnitude = 0.0;
    let mut products: Vec<Vec<f64>> = signs.iter().map(|_| Vec::with_capacity(k as usize)).collect();
    for inner in 0..k {
        gemm.fill(instance, 1, inner * n, &mut row);
        magnitude += row.iter().map(|b| f64::from(b.abs())).sum::<f64>();
        for (signs, product) in signs.iter().zip(&mut products) {
            product.push(row.iter().zip(signs).map(|(b, r)| f64::from(*b) * f64::from(*r)).sum());
        }
    }
    (products, magnitude / (n as f64 * k as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DataPattern, ElementType};

    const SHAPE: [u64; 3] = [33, 70, 129];

    fn instance() -> Instance {
        let [m, n, k] = SHAPE;
        let shape = Shape::new([("m", m), ("n", n), ("k", k)]);
        Instance { shape, element: ElementType::F32, pattern: DataPattern::Normal, seed: 4 }
    }

    /// The product as a plain f32 kernel computes it.
    fn product() -> Vec<Vec<f32>> {
        let ([m, n, k], gemm) = (SHAPE.map(|extent| extent as usize), problem("gemm").unwrap());
        let (mut a, mut b) = (vec![0.0; m * k], vec![0.0; k * n]);
        gemm.fill(&instance(), 0, 0, &mut a);
        gemm.fill(&instance(), 1, 0, &mut b);
        let element = |i: usize, j: usize| (0..k).fold(0.0_f32, |sum, l| sum + a[i * k + l] * b[l * n + j]);
        (0..m).map(|i| (0..n).map(|j| element(i, j)).collect()).collect()
    }

    fn verdict(c: &[Vec<f32>]) -> Result<Freivalds, FreivaldsError> {
        freivalds(&instance(), &mut |row| c[row as usize].clone(), 8, 1)
    }

    #[test]
    fn a_product_in_f32_passes_with_room_to_spare() {
        let passed = verdict(&product()).unwrap();
        assert_eq!((passed.rows, passed.trials), (33, 8));
        assert!(passed.worst_error_in_bounds > 0.0 && passed.worst_error_in_bounds < 0.2, "{passed:?}");
    }

    #[test]
    fn a_wrong_tile_a_shifted_column_a_missing_term_and_a_nan_are_found() {
        let right = product();
        let mut tile = right.clone();
        tile[8][16..24].copy_from_slice(&right[9][16..24]);
        let mut shifted = right.clone();
        shifted[32].rotate_left(1);
        let mut missing = right.clone();
        missing[0][0] = 0.0;
        let mut nan = right.clone();
        nan[5][5] = f32::NAN;
        for (wrong, row) in [(tile, 8), (shifted, 32), (missing, 0), (nan, 5)] {
            assert!(matches!(verdict(&wrong), Err(FreivaldsError::Row { row: found, .. }) if found == row));
        }
        let mut short = right;
        short[3].pop();
        assert!(matches!(verdict(&short), Err(FreivaldsError::RowLength { row: 3, got: 69, expected: 70 })));
    }

    #[test]
    fn no_trials_are_no_check() {
        assert_eq!(freivalds(&instance(), &mut |_| Vec::new(), 0, 1), Err(FreivaldsError::NoTrials));
    }
}
