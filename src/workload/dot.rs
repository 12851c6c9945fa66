//! Dot products in float64, straight from the generators: the part that all matrix problems share.
//!
//! What surprises people: rows and columns are generated once for all pairs and in blocks of k, so that a reference of
//! 256 elements of a 16384³ product takes milliseconds and a few hundred kilobytes.

use std::collections::BTreeMap;

use super::bounds::{EITHER_ZERO, U32, accumulation, half_accumulation};
use super::{Expected, Inputs};
use crate::model::{DataPattern, ElementType, Scalar};

/// Elements of k that are generated at a time.
const BLOCK: u64 = 1024;

/// One dot product.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Dot {
    /// Its value.
    pub(super) value: f64,
    /// Sum of the magnitudes of its products.
    pub(super) magnitude: f64,
    /// Sum of the magnitudes of products with a subnormal factor, which WGSL lets a device take as 0.
    pub(super) subnormal: f64,
    /// Sum of the squares of all partial sums, in order, and of what they would be by chance (see [`Dot::half_bound`]).
    squares: f64,
    /// Sum of the magnitudes of all partial sums, in order.
    path: f64,
    /// Sum of the squares of the products so far.
    variance: f64,
}

impl Dot {
    /// Adds a product of these factors, either of which a device may take as 0 if it is below its smallest normal number.
    fn add(&mut self, [a, b]: [f64; 2], smallest: [f64; 2]) {
        let product = a * b;
        self.value += product;
        self.magnitude += product.abs();
        self.variance += product * product;
        self.squares += self.value * self.value + self.variance;
        self.path += self.value.abs();
        if a.abs() < smallest[0] || b.abs() < smallest[1] {
            self.subnormal += product.abs();
        }
    }

    /// Largest error of a kernel of this precision: its accumulator is f32, or f16 where results are f16, or exact.
    pub(super) fn bound_in(&self, terms: u64, element: ElementType, pattern: DataPattern) -> f64 {
        match element {
            ElementType::F16 => self.half_bound(terms, pattern),
            _ if element.is_integer() => 0.0,
            _ => self.bound(terms),
        }
    }

    /// Largest error of a kernel that accumulates in f16 or better and rounds the result to f16.
    ///
    /// Every addition rounds its partial sum s, an error of at most u·|s|. Over independent signs these errors add like a random
    /// walk: λ·u·√Σs². The sums are those of the reference, one after the other; another order has others of the same
    /// expected size, the root of the products' squares so far, which is added. Of equal inputs the roundings are equal too, so
    /// their magnitudes add: u·Σ|s|.
    fn half_bound(&self, terms: u64, pattern: DataPattern) -> f64 {
        let half = Scalar::F16;
        let likely = match pattern {
            DataPattern::Constant => self.path,
            _ => half_accumulation(self.squares),
        };
        let certain = 2.0 * terms as f64 * self.magnitude;
        half.unit_roundoff() * (likely.min(certain) + self.value.abs()) + self.subnormal + half.min_positive()
    }

    /// Largest error of a kernel that accumulates in f32.
    pub(super) fn bound(&self, terms: u64) -> f64 {
        (accumulation(terms) * U32 * self.magnitude + self.subnormal).max(EITHER_ZERO)
    }
}

/// A row-major matrix whose rows have length k, and its element type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) values: Inputs,
    pub(super) element: Scalar,
}

/// Products of sampled rows of a matrix `[m, k]` with sampled columns of a matrix `[k, n]`, in the order of `pairs`.
pub(super) fn products(left: Left, right: &Inputs, k: u64, n: u64, pairs: &[(u64, Vec<u64>)]) -> Vec<Vec<Dot>> {
    let rows = |row: u64, first: u64, out: &mut [f32]| left.values.fill(row * k + first, out);
    let factors = Factors {
        rows: &rows,
        columns: &|inner, column| right.at(inner * n + column),
        smallest: [left.element.min_positive(), right.element().min_positive()],
    };
    factors.products(k, pairs)
}

/// Two matrices by their elements, for layouts other than two row-major ones.
pub(super) struct Factors<'a> {
    /// Writes elements `first..` of a row of the left one.
    pub(super) rows: &'a dyn Fn(u64, u64, &mut [f32]),
    /// Element of the right one by place in k and column.
    pub(super) columns: &'a dyn Fn(u64, u64) -> f64,
    /// Smallest normal number of either.
    pub(super) smallest: [f64; 2],
}

impl Factors<'_> {
    /// Products of sampled rows with sampled columns, in the order of `pairs`.
    pub(super) fn products(&self, k: u64, pairs: &[(u64, Vec<u64>)]) -> Vec<Vec<Dot>> {
        let slots: BTreeMap<u64, usize> = {
            let distinct: std::collections::BTreeSet<u64> = pairs.iter().flat_map(|(_, own)| own).copied().collect();
            distinct.into_iter().zip(0..).collect()
        };
        let block = BLOCK.min(k);
        let mut row = vec![0_f32; block as usize];
        let mut columns = vec![0_f64; slots.len() * block as usize];
        let mut dots: Vec<Vec<Dot>> = pairs.iter().map(|(_, own)| vec![Dot::default(); own.len()]).collect();
        for first in (0..k).step_by(block as usize) {
            let len = block.min(k - first) as usize;
            for (column, slot) in &slots {
                for (inner, value) in columns[slot * block as usize..][..len].iter_mut().enumerate() {
                    *value = (self.columns)(first + inner as u64, *column);
                }
            }
            for ((index, own), dots) in pairs.iter().zip(&mut dots) {
                (self.rows)(*index, first, &mut row[..len]);
                for (column, dot) in own.iter().zip(dots) {
                    let column = &columns[slots[column] * block as usize..][..len];
                    row.iter().zip(column).for_each(|(a, b)| dot.add([f64::from(*a), *b], self.smallest));
                }
            }
        }
        dots
    }
}

/// Expected elements of an output `[m, n]` from pairs and one value and bound for each.
pub(super) fn expect(tensor: usize, n: u64, pairs: &[(u64, Vec<u64>)], found: Vec<Vec<(f64, f64)>>) -> Vec<Expected> {
    let flat =
        pairs.iter().zip(found).flat_map(|((row, own), found)| own.iter().map(move |column| (row, column)).zip(found));
    flat.map(|((row, column), (value, bound))| Expected { tensor, index: row * n + column, value, bound }).collect()
}
