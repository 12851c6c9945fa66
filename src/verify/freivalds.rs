//! Freivalds' check of a whole matrix product: C·r against A·(B·r) for random vectors r of ±1, and rᵀ·C against (rᵀ·A)·B.
//!
//! It reads every element of C once, as a stream, costs O(n²) and misses a wrong row with probability 2^-trials; integers
//! must agree exactly. What surprises people: a single slightly wrong element can hide in the roundings of its row; samples
//! find those near their own bound, this finds everything larger, wherever it is.

use super::decode::decode;
use super::parallel::{dot, threads};
use super::passes::{DEVIATIONS, Side, left_pass, right_pass, weigh_right};
use crate::model::{ProductCheck, Scalar};
use crate::workload::{Picks, Product};

/// Random vectors of a check: a wrong row goes unseen once in 256 checks at worst, a wrong tile of 8 rows never.
pub const TRIALS: u32 = 8;

/// Why a matrix product is not right.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FreivaldsError {
    /// Elements that did not come.
    #[error("{got} of {expected} elements of {tensor} were read back: the product cannot be checked")]
    Elements {
        /// Name of C.
        tensor: String,
        /// Elements that came.
        got: u64,
        /// Elements of C.
        expected: u64,
    },
    /// A row or column whose random sum differs.
    #[error(
        "{side} {line} of {tensor} is wrong: a random ±1 sum of it is {got:.9e}, expected {expected:.9e} within {bound:.3e}; \
         {failed} of {lines} {side}s are wrong"
    )]
    Line {
        /// Name of C.
        tensor: String,
        /// `row` or `column`.
        side: &'static str,
        /// Its number, from 0; through all products of a batch.
        line: u64,
        /// Sum of the device's row or column.
        got: f64,
        /// Sum by float64.
        expected: f64,
        /// Largest permitted absolute difference.
        bound: f64,
        /// Rows or columns that failed.
        failed: u64,
        /// Rows or columns of C.
        lines: u64,
    },
}

/// What the random sums of a product must be, computed once per case.
#[derive(Debug, Clone)]
pub struct Projection {
    tensor: usize,
    name: &'static str,
    element: Scalar,
    rounding: f64,
    batches: u64,
    rows: Side,
    columns: Option<Side>,
}

/// Sums of the device's output so far.
#[derive(Debug, Clone)]
pub struct Sums {
    rows: Vec<f64>,
    row_squares: Vec<f64>,
    columns: Vec<f64>,
    column_squares: Vec<f64>,
    elements: u64,
}

impl Projection {
    /// Computes the sums of a product; of its columns too where `both` is set.
    pub fn new(product: &Product<'_>, name: &'static str, trials: u32, seed: u64, both: bool) -> Self {
        let mut picks = Picks::new(seed);
        let side = |lines: u64, length: u64, picks: &mut Picks| Side {
            lines,
            signs: signs(length, trials, picks),
            ..Side::default()
        };
        let mut rows = side(product.rows, product.columns, &mut picks);
        let mut columns = both.then(|| side(product.columns, product.rows, &mut picks));
        for batch in 0..product.batches {
            let weights = weigh_right(product, batch, &rows.signs);
            let left = left_pass(product, batch, &weights, columns.as_ref());
            rows.expected.extend(left.expected);
            rows.bounds.extend(left.bounds);
            if let Some(columns) = &mut columns {
                right_pass(product, batch, &left.weights, columns);
            }
        }
        let (tensor, element, rounding) = (product.tensor, product.element, product.rounding());
        Self { tensor, name, element, rounding, batches: product.batches, rows, columns }
    }

    /// Index of the tensor that is checked.
    pub fn tensor(&self) -> usize {
        self.tensor
    }

    fn trials(&self) -> usize {
        self.rows.signs.len()
    }

    fn elements(&self) -> u64 {
        self.batches * self.rows.lines * self.row_length()
    }

    fn row_length(&self) -> u64 {
        self.rows.signs.first().map_or(0, |signs| signs.len() as u64)
    }

    /// Bound of the sums of the row that holds an element, if elements are about `size`.
    pub fn row_bound(&self, index: u64, size: f64) -> f64 {
        let row = (index / self.row_length().max(1)) as usize;
        let squares = self.row_length() as f64 * size * size;
        self.rows.bounds.get(row).map_or(f64::INFINITY, |bound| bound + self.own_rounding(squares, self.row_length()))
    }

    /// What rounding each element of C to its type may add to a sum, from the sum of the elements' squares.
    fn own_rounding(&self, squares: f64, length: u64) -> f64 {
        if self.rounding == 0.0 {
            return 0.0;
        }
        DEVIATIONS * (self.rounding * squares.sqrt() + self.element.min_positive() * (length as f64).sqrt())
    }

    /// No element yet.
    pub fn sums(&self) -> Sums {
        let (lines, trials) = ((self.batches * self.rows.lines) as usize, self.trials());
        let columns = self.columns.as_ref().map_or(0, |side| (self.batches * side.lines) as usize);
        Sums {
            rows: vec![0.0; lines * trials],
            row_squares: vec![0.0; lines],
            columns: vec![0.0; columns * trials],
            column_squares: vec![0.0; columns],
            elements: 0,
        }
    }

    /// Adds the elements that begin at byte `offset` of C, each once; bytes behind the last element are padding.
    pub fn add(&self, sums: &mut Sums, offset: u64, bytes: &[u8]) {
        let (size, length, trials) = (self.element.bytes(), self.row_length(), self.trials());
        let first = offset / size;
        let end = (first + bytes.len() as u64 / size).min(self.elements());
        if end <= first || length == 0 {
            return;
        }
        sums.elements += end - first;
        let (top, bottom) = (first / length, (end - 1) / length + 1);
        let share = (bottom - top).div_ceil(threads() as u64) as usize;
        let within = top as usize..bottom as usize;
        let rows = sums.rows[within.start * trials..within.end * trials].chunks_mut(share * trials);
        let squares = sums.row_squares[within].chunks_mut(share);
        let partial: Vec<Option<Columns>> = std::thread::scope(|scope| {
            let work = |(number, (rows, squares)): (usize, (_, _))| {
                let row = top + (number * share) as u64;
                scope.spawn(move || self.add_rows(row, rows, squares, (first, end), bytes))
            };
            let running: Vec<_> = rows.zip(squares).enumerate().map(work).collect();
            running.into_iter().map(|thread| thread.join().ok().flatten()).collect()
        });
        for part in partial.into_iter().flatten() {
            part.add_to(sums);
        }
    }

    /// Adds what `first..end` holds of some rows; returns their part of the column sums.
    fn add_rows(
        &self,
        top: u64,
        rows: &mut [f64],
        squares: &mut [f64],
        (first, end): (u64, u64),
        bytes: &[u8],
    ) -> Option<Columns> {
        let (size, length) = (self.element.bytes(), self.row_length());
        let mut columns: Option<Columns> = None;
        let sums = rows.chunks_exact_mut(self.trials()).zip(squares);
        for (row, (sums, square)) in (top..).zip(sums) {
            let (from, to) = ((row * length).max(first), ((row + 1) * length).min(end));
            let part = &bytes[((from - first) * size) as usize..((to - first) * size) as usize];
            let values = decode(self.element, part);
            let start = (from - row * length) as usize;
            for (sum, signs) in sums.iter_mut().zip(&self.rows.signs) {
                *sum += dot(&values, &signs[start..start + values.len()]);
            }
            if self.rounding > 0.0 {
                *square += dot(&values, &values);
            }
            if let Some(side) = &self.columns {
                let batch = row / self.rows.lines;
                let open = columns.get_or_insert_with(|| Columns::new(side, batch));
                open.move_to(batch, side);
                open.take(row % self.rows.lines, start, &values, side);
            }
        }
        columns
    }

    /// Compares the sums with what they must be.
    pub fn judge(&self, sums: &Sums) -> Result<ProductCheck, FreivaldsError> {
        if sums.elements != self.elements() {
            let (got, expected) = (sums.elements, self.elements());
            return Err(FreivaldsError::Elements { tensor: self.name.to_owned(), got, expected });
        }
        let mut worst = self.judge_side("row", &self.rows, &sums.rows, &sums.row_squares)?;
        if let Some(columns) = &self.columns {
            worst = worst.max(self.judge_side("column", columns, &sums.columns, &sums.column_squares)?);
        }
        Ok(ProductCheck {
            rows: self.batches * self.rows.lines,
            columns: self.columns.as_ref().map_or(0, |side| self.batches * side.lines),
            trials: self.trials() as u32,
            worst_error_in_bounds: worst,
        })
    }

    fn judge_side(&self, name: &'static str, side: &Side, got: &[f64], squares: &[f64]) -> Result<f64, FreivaldsError> {
        let length = side.signs.first().map_or(0, |signs| signs.len() as u64);
        let trials = self.trials().max(1);
        let (mut worst, mut failed, mut first) = (0.0_f64, 0, None);
        let lines =
            got.chunks_exact(trials).zip(side.expected.chunks_exact(trials)).zip(side.bounds.iter().zip(squares));
        for (line, ((got, expected), (bound, squares))) in (0_u64..).zip(lines) {
            let bound = bound + self.own_rounding(*squares, length);
            let error = |(got, expected): (&f64, &f64)| (got - expected).abs();
            let wrong = |error: f64| !(error.is_finite() && bound.is_finite()) || error > bound;
            match got.iter().zip(expected).find(|pair| wrong(error(*pair))) {
                Some((got, expected)) => {
                    failed += 1;
                    first = first.or(Some((line, *got, *expected, bound)));
                }
                None if bound > 0.0 => {
                    let most = got.iter().zip(expected).map(error).fold(0.0, f64::max);
                    worst = worst.max(most / bound);
                }
                None => {}
            }
        }
        let Some((line, got, expected, bound)) = first else { return Ok(worst) };
        let lines = side.bounds.len() as u64;
        Err(FreivaldsError::Line {
            tensor: self.name.to_owned(),
            side: name,
            line,
            got,
            expected,
            bound,
            failed,
            lines,
        })
    }
}

/// Column sums of some rows of one product.
struct Columns {
    batch: u64,
    lines: usize,
    trials: usize,
    finished: Vec<Self>,
    /// By trial, then column.
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Columns {
    fn new(side: &Side, batch: u64) -> Self {
        let (lines, trials) = (side.lines as usize, side.signs.len());
        let (sums, squares) = (vec![0.0; lines * trials], vec![0.0; lines]);
        Self { batch, lines, trials, finished: Vec::new(), sums, squares }
    }

    fn move_to(&mut self, batch: u64, side: &Side) {
        if batch != self.batch {
            let mut before = std::mem::replace(self, Self::new(side, batch));
            self.finished = std::mem::take(&mut before.finished);
            self.finished.push(before);
        }
    }

    fn take(&mut self, row: u64, start: usize, values: &[f64], side: &Side) {
        for (sums, signs) in self.sums.chunks_exact_mut(self.lines).zip(&side.signs) {
            let sign = signs[row as usize];
            sums[start..].iter_mut().zip(values).for_each(|(sum, value)| *sum += sign * value);
        }
        self.squares[start..].iter_mut().zip(values).for_each(|(sum, value)| *sum += value * value);
    }

    fn add_to(self, sums: &mut Sums) {
        for part in self.finished.iter().chain([&self]) {
            let base = part.batch as usize * part.lines;
            for (trial, own) in part.sums.chunks_exact(part.lines).enumerate() {
                for (column, value) in own.iter().enumerate() {
                    sums.columns[(base + column) * part.trials + trial] += value;
                }
            }
            for (column, square) in part.squares.iter().enumerate() {
                sums.column_squares[base + column] += square;
            }
        }
    }
}

/// `trials` vectors of signs.
fn signs(length: u64, trials: u32, picks: &mut Picks) -> Vec<Vec<f64>> {
    let mut sign = || if picks.next() >> 63 == 0 { 1.0 } else { -1.0 };
    (0..trials).map(|_| (0..length).map(|_| sign()).collect()).collect()
}

#[cfg(test)]
#[path = "freivalds_tests.rs"]
mod tests;
