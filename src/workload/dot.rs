//! Dot products in float64, straight from the generators: the part that all matrix problems share.
//!
//! What surprises people: rows and columns are generated once for all pairs and in blocks of k, so that a reference of
//! 256 elements of a 16384³ product takes milliseconds and a few hundred kilobytes.

use std::collections::BTreeMap;

use super::bounds::{U32, accumulation};
use super::{Expected, Inputs};
use crate::model::Scalar;

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
}

impl Dot {
    /// Largest error of a kernel that accumulates in f32.
    pub(super) fn bound(&self, terms: u64) -> f64 {
        accumulation(terms) * U32 * self.magnitude + self.subnormal
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
    let slots: BTreeMap<u64, usize> = {
        let distinct: std::collections::BTreeSet<u64> = pairs.iter().flat_map(|(_, own)| own).copied().collect();
        distinct.into_iter().zip(0..).collect()
    };
    let block = BLOCK.min(k);
    let smallest_normal = left.element.min_positive() as f32;
    let mut row = vec![0_f32; block as usize];
    let mut columns = vec![0_f64; slots.len() * block as usize];
    let mut dots: Vec<Vec<Dot>> = pairs.iter().map(|(_, own)| vec![Dot::default(); own.len()]).collect();
    for first in (0..k).step_by(block as usize) {
        let len = block.min(k - first) as usize;
        for (column, slot) in &slots {
            for (inner, value) in columns[slot * block as usize..][..len].iter_mut().enumerate() {
                *value = right.at((first + inner as u64) * n + column);
            }
        }
        for ((index, own), dots) in pairs.iter().zip(&mut dots) {
            left.values.fill(index * k + first, &mut row[..len]);
            for (column, dot) in own.iter().zip(dots) {
                let column = &columns[slots[column] * block as usize..][..len];
                for (a, b) in row.iter().zip(column) {
                    let product = f64::from(*a) * b;
                    dot.value += product;
                    dot.magnitude += product.abs();
                    if a.abs() < smallest_normal {
                        dot.subnormal += product.abs();
                    }
                }
            }
        }
    }
    dots
}

/// Expected elements of an output `[m, n]` from pairs and one value and bound for each.
pub(super) fn expect(tensor: usize, n: u64, pairs: &[(u64, Vec<u64>)], found: Vec<Vec<(f64, f64)>>) -> Vec<Expected> {
    let flat =
        pairs.iter().zip(found).flat_map(|((row, own), found)| own.iter().map(move |column| (row, column)).zip(found));
    flat.map(|((row, column), (value, bound))| Expected { tensor, index: row * n + column, value, bound }).collect()
}
