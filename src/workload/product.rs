//! The matrix product inside a problem, C = A·B, as Freivalds' check needs it: rows of both operands, and how wrong an
//! element of C may be.
//!
//! What surprises people: operands are given as functions of rows, so that an operand which lies in memory in another form (a
//! patch matrix of a convolution, one matrix shared by a whole batch) costs no memory here either.

use super::bounds;
use super::{Instance, Problem};
use crate::model::{DataPattern, ElementType, Scalar};

/// How wrong an element of C may be before it is rounded to its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Accumulation {
    /// Not at all: integers.
    Exact,
    /// By this times the sum of the magnitudes of its products.
    Magnitudes(f64),
    /// By this times the root of the sum of the squares of its products, as far as the elements of a row go together.
    Squares(f64),
}

impl Accumulation {
    /// Of sums of `terms` products in the precision of an instance.
    ///
    /// Every addition rounds its partial sum s, by at most u·|s|. Of data with mean zero these errors add like a random walk,
    /// λ·u·√Σs², and Σs² is about n·Σp²/2; four times that stands for another order. λ is 4 in f16; elsewhere 8, because matrix
    /// units that truncate do it once for several products. Of equal products the roundings go one way: in f16 u·Σ|s|, which is
    /// u·n/2 of the magnitudes; in wider types such sums are exact for more than a million terms.
    pub fn of(instance: &Instance, terms: u64) -> Self {
        let u = instance.element.unit_roundoff();
        let walk = |lambda: f64| Self::Squares(lambda * u * (2.0 * terms as f64).sqrt());
        match (instance.element, instance.pattern) {
            (element, _) if element.is_integer() => Self::Exact,
            (ElementType::F16, DataPattern::Constant) => Self::Magnitudes(u * (terms as f64 / 2.0 + 1.0)),
            (_, DataPattern::Constant) => Self::Magnitudes(bounds::accumulation(terms) * u),
            (ElementType::F16, _) => walk(4.0),
            _ => walk(8.0),
        }
    }
}

/// Writes one row of an operand: number of the matrix in its batch, number of the row, and the values to fill in.
pub type RowFiller<'a> = Box<dyn Fn(u64, u64, &mut [f32]) + Sync + 'a>;

/// A batch of products C = A·B, C row-major and one after the other in one output tensor.
pub struct Product<'a> {
    /// Index of the tensor that holds C.
    pub tensor: usize,
    /// Type of C's elements.
    pub element: Scalar,
    /// Products.
    pub batches: u64,
    /// Rows of A and C.
    pub rows: u64,
    /// Columns of B and C.
    pub columns: u64,
    /// Columns of A, rows of B.
    pub inner: u64,
    /// Rows of A, `inner` values each.
    pub left: RowFiller<'a>,
    /// Rows of B, `columns` values each.
    pub right: RowFiller<'a>,
    /// Largest error of an element of C before it is rounded to its type.
    pub accumulation: Accumulation,
    /// Numbers below this magnitude a device may take as 0 when it reads an operand; 0 where there are none.
    pub smallest_operand: f64,
}

impl<'a> Product<'a> {
    /// The product of two row-major input tensors, of which `tensors` names the indices with that of C behind them, and
    /// `extents` batches, rows, columns and inner.
    pub fn of(
        problem: &'a dyn Problem,
        instance: &'a Instance,
        tensors: [usize; 3],
        extents: [u64; 4],
    ) -> Option<Self> {
        let [left, right, tensor] = tensors;
        let [batches, rows, columns, inner] = extents;
        let all = problem.tensors(&instance.shape, instance.element);
        let operand = all.get(left)?.element;
        let row_of = |tensor: usize, rows: u64, length: u64| -> RowFiller<'a> {
            Box::new(move |batch, row, out| problem.fill(instance, tensor, (batch * rows + row) * length, out))
        };
        Some(Self {
            tensor,
            element: all.get(tensor)?.element,
            batches,
            rows,
            columns,
            inner,
            left: row_of(left, rows, inner),
            right: row_of(right, inner, columns),
            accumulation: Accumulation::of(instance, inner),
            smallest_operand: operand.min_positive(),
        })
    }

    /// Largest relative error of rounding an element to C's type, where that is coarser than the accumulation.
    pub fn rounding(&self) -> f64 {
        if self.element == Scalar::F16 { self.element.unit_roundoff() } else { 0.0 }
    }

    /// True if every element must be exact.
    pub fn is_exact(&self) -> bool {
        self.accumulation == Accumulation::Exact
    }
}

impl std::fmt::Debug for Product<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} × [{}, {}]·[{}, {}]", self.batches, self.rows, self.inner, self.inner, self.columns)
    }
}
