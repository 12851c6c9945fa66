//! Many independent matrix products of one shape, as in attention or in mixtures of experts.
//!
//! What surprises people: the matrices lie one behind the other without padding; checked rows are spread over the first,
//! the last and other matrices, so that a wrong stride shows.

use super::dot::{Dot, Factors, expect};
use super::gemm::{SAMPLED_ROWS, result};
use super::{
    Axis, DeviceClass, Expected, Instance, Picks, Problem, Product, Tensor, extents, input, output, samples, work,
};
use crate::model::{Counted, ElementType, Shape, Work};

/// The problem `gemm-batched`.
pub(super) struct GemmBatched;

/// Matrices that a reference touches.
const SAMPLED_PLANES: usize = 24;

impl GemmBatched {
    /// Dot products of rows of all matrices, counted through, with columns of their own matrix.
    fn dots(&self, instance: &Instance, pairs: &[(u64, Vec<u64>)]) -> Vec<Vec<Dot>> {
        let [m, n, k] = ["m", "n", "k"].map(|axis| instance.shape.get(axis));
        let (a, b) = (self.inputs(instance, 0), self.inputs(instance, 1));
        let planes = pairs.chunk_by(|one, next| one.0 / m == next.0 / m);
        let dots = planes.flat_map(|own| {
            let plane = own[0].0 / m;
            let factors = Factors {
                rows: &|row, first, out| a.fill(row * k + first, out),
                columns: &|inner, column| b.at((plane * k + inner) * n + column),
                smallest: [a.element().min_positive(), b.element().min_positive()],
            };
            factors.products(k, own)
        });
        dots.collect()
    }
}

/// Rows of all matrices, counted through: every edge class of rows and of matrices, both ends in both.
fn rows(batch: u64, m: u64, picks: &mut Picks) -> Vec<u64> {
    if batch.saturating_mul(m) <= SAMPLED_ROWS as u64 {
        return (0..batch * m).collect();
    }
    let planes = samples::axis(batch, SAMPLED_PLANES, picks);
    let own = samples::axis(m, SAMPLED_ROWS, picks);
    let count = planes.len().max(own.len());
    let turns = planes.iter().cycle().zip(own.iter().cycle()).take(count).map(|(plane, row)| plane * m + row);
    let rows: std::collections::BTreeSet<u64> = turns.chain([0, batch * m - 1]).collect();
    rows.into_iter().collect()
}

impl Problem for GemmBatched {
    fn id(&self) -> &'static str {
        "gemm-batched"
    }
    fn summary(&self) -> &'static str {
        "Independent products of pairs of matrices; f32, or f16 with f32 results"
    }
    fn formula(&self) -> &'static str {
        "C[b] = A[b]·B[b]; FLOP = 2·batch·m·n·k; bytes = batch·(e·(m·k + k·n) + e_c·m·n)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "batch", meaning: "pairs of matrices" },
            Axis { name: "m", meaning: "rows of A and C" },
            Axis { name: "n", meaning: "columns of B and C" },
            Axis { name: "k", meaning: "columns of A, rows of B" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::Mixed)
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        let (batch, extent) = match class {
            DeviceClass::Hardware => (64, 1024),
            DeviceClass::Software => (16, 128),
        };
        Shape::new([("batch", batch), ("m", extent), ("n", extent), ("k", extent)])
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [batch, m, n, k] = extents(shape, ["batch", "m", "n", "k"]);
        let bytes = element.bytes() * (m * k + k * n) + result(element).bytes() as f64 * m * n;
        work(2.0 * batch * m * n * k, batch * bytes)
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let [batch, m, n, k] = ["batch", "m", "n", "k"].map(|axis| shape.get(axis));
        let scalar = element.scalar();
        vec![
            input("a", scalar, &[batch, m, k]),
            input("b", scalar, &[batch, k, n]),
            output("c", result(element), &[batch, m, n]),
        ]
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        shape.get(if tensor == 0 { "k" } else { "n" })
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let [batch, m, n] = ["batch", "m", "n"].map(|axis| instance.shape.get(axis));
        if tensor != 2 || index >= batch * m * n {
            return f64::NAN;
        }
        self.dots(instance, &[(index / n, vec![index % n])])[0][0].value
    }
    /// The bound is that of `gemm`.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let [batch, m, n, k] = ["batch", "m", "n", "k"].map(|axis| instance.shape.get(axis));
        let mut picks = Picks::new(pick);
        let pairs = samples::with_columns(rows(batch, m, &mut picks), n, samples, &mut picks);
        let one = |dot: &Dot| (dot.value, dot.bound_in(k, instance.element, instance.pattern));
        let found = self.dots(instance, &pairs).iter().map(|row| row.iter().map(one).collect()).collect();
        expect(2, n, &pairs, found)
    }
    fn product<'a>(&'a self, instance: &'a Instance) -> Option<Product<'a>> {
        let extents = ["batch", "m", "n", "k"].map(|axis| instance.shape.get(axis));
        Product::of(self, instance, [0, 1, 2], extents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_rows_lie_in_the_first_the_last_and_other_matrices_at_every_edge_of_a_tile() {
        let (batch, m) = (1000, 300);
        let rows = rows(batch, m, &mut Picks::new(4));
        let planes: std::collections::BTreeSet<u64> = rows.iter().map(|row| row / m).collect();
        let own: std::collections::BTreeSet<u64> = rows.iter().map(|row| row % m).collect();
        assert!(planes.contains(&0) && planes.contains(&999) && planes.len() >= 16, "{planes:?}");
        for edge in [0, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 287, 288, 299] {
            assert!(own.contains(&edge), "row {edge}");
        }
        assert!(rows.windows(2).all(|two| two[0] < two[1]) && rows[0] == 0 && rows[rows.len() - 1] == batch * m - 1);
        assert_eq!(super::rows(3, 5, &mut Picks::new(4)), (0..15).collect::<Vec<u64>>());
        assert!(super::rows(1000, 1, &mut Picks::new(4)).len() >= SAMPLED_PLANES);
    }
}
