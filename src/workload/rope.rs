//! Rotary position embedding of queries and keys, with the append of keys and values to the cache (Su et al. 2021).
//!
//! Neighbours 2i and 2i + 1 of a head are rotated by position·10000^(−2i/dim). What surprises people: cosines and sines
//! are an input table, as in real runtimes: in f32 an angle of 10^5 radians would have lost three digits, and WGSL
//! promises nothing for it. The outputs are the rows of the cache that the new tokens take, not the whole cache.

use std::f64::consts::{FRAC_PI_2, LN_2, LN_10};

use super::bounds::{U32, stored};
use super::gemm::SAMPLED_ROWS;
use super::inputs::sin_cos;
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// One past the last position that is accepted: angles are reduced with an error below 1e-8 up to there.
const MAX_POSITION: u64 = 1 << 24;

/// Tensors by index.
const Q: usize = 0;
const TABLE: usize = 3;
const Q_OUT: usize = 4;
const V_ROWS: usize = 6;

/// The problem `rope-append`.
pub(super) struct RopeAppend;

/// Extents of an instance.
#[derive(Clone, Copy)]
struct Extents {
    batch: u64,
    heads: u64,
    kv_heads: u64,
    tokens: u64,
    dim: u64,
    start: u64,
}

impl Extents {
    fn of(shape: &Shape) -> Self {
        let [batch, heads, kv_heads] = ["batch", "heads", "kv_heads"].map(|axis| shape.get(axis));
        let [tokens, dim, start] = ["tokens", "dim", "start"].map(|axis| shape.get(axis));
        Self { batch, heads, kv_heads, tokens, dim, start }
    }
    /// Heads of an output tensor.
    const fn heads_of(&self, tensor: usize) -> u64 {
        if tensor == Q_OUT { self.heads } else { self.kv_heads }
    }
    const fn rows(&self, tensor: usize) -> u64 {
        self.batch * self.heads_of(tensor) * self.tokens
    }
    /// Token of a row of an output `[batch, heads, tokens, dim]`, and where its input `[batch, tokens, heads, dim]` begins.
    const fn source(&self, tensor: usize, row: u64) -> (u64, u64) {
        let heads = self.heads_of(tensor);
        let (sequence, token) = (row / self.tokens, row % self.tokens);
        let (batch, head) = (sequence / heads, sequence % heads);
        (token, ((batch * self.tokens + token) * heads + head) * self.dim)
    }
}

/// e to the power of `x`, at most 0, to about 1e-15, by products and sums alone: no mathematics library can change it.
fn exp(x: f64) -> f64 {
    let halvings = (x / LN_2).round();
    let rest = x - halvings * LN_2;
    let series = (1..20).rev().fold(1.0, |sum, n| 1.0 + sum * rest / f64::from(n));
    // The exponent of a power of two that is far from the smallest: |x| is at most ln 10000.
    series * f64::from_bits(((1023.0 + halvings) as u64) << 52)
}

/// Cosine and sine of the angle of pair `pair` at a position, in f64.
fn rotation(position: u64, pair: u64, dim: u64) -> (f64, f64) {
    let frequency = exp(-4.0 * LN_10 * (2 * pair) as f64 / dim as f64);
    let angle = position as f64 * frequency;
    let quarters = (angle / FRAC_PI_2).round();
    let (sine, cosine) = sin_cos(angle - quarters * FRAC_PI_2);
    match quarters as u64 % 4 {
        0 => (cosine, sine),
        1 => (-sine, cosine),
        2 => (-cosine, -sine),
        _ => (sine, -cosine),
    }
}

impl RopeAppend {
    /// Value and bound of one output element: a copied value is exact, a rotated one has two products and a sum, each of
    /// which may be a neighbour of the exact result.
    fn element(&self, instance: &Instance, tensor: usize, index: u64) -> (f64, f64) {
        let extents = Extents::of(&instance.shape);
        let (row, column) = (index / extents.dim, index % extents.dim);
        let (token, base) = extents.source(tensor, row);
        let values = self.inputs(instance, tensor - Q_OUT + Q);
        if tensor == V_ROWS {
            return (values.at(base + column), 0.0);
        }
        let (cosine, sine) = rotation(extents.start + token, column / 2, extents.dim);
        let [cosine, sine] = [cosine, sine].map(|exact| f64::from(exact as f32));
        let other = values.at(base + (column ^ 1));
        let own = values.at(base + column) * cosine;
        let crossed = if column.is_multiple_of(2) { -other * sine } else { other * sine };
        let value = own + crossed;
        let bound = 4.0 * U32 * (own.abs() + crossed.abs());
        (value, stored(instance.element.scalar(), value, bound))
    }
}

impl Problem for RopeAppend {
    fn id(&self) -> &'static str {
        "rope-append"
    }
    fn summary(&self) -> &'static str {
        "Rotary embedding of new queries and keys, with keys and values appended to the cache"
    }
    fn formula(&self) -> &'static str {
        "(x₂ᵢ, x₂ᵢ₊₁) rotated by position·10000^(−2i/dim) for q and k, v copied; FLOP = 3·batch·tokens·(heads + kv_heads)·dim; \
         bytes = 2·e·batch·tokens·(heads + 2·kv_heads)·dim + 4·tokens·dim"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "batch", meaning: "sequences" },
            Axis { name: "heads", meaning: "query heads" },
            Axis { name: "kv_heads", meaning: "key-value heads" },
            Axis { name: "tokens", meaning: "new tokens of a sequence" },
            Axis { name: "dim", meaning: "elements of a head; even" },
            Axis { name: "start", meaning: "position of the first new token" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Bytes
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16)
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        let Extents { dim, start, tokens, .. } = Extents::of(shape);
        if !dim.is_multiple_of(2) {
            return Some(format!("dim must be even, for its elements are rotated in pairs, and {dim} is odd"));
        }
        (start.saturating_add(tokens) > MAX_POSITION).then(|| {
            format!("start + tokens must be at most {MAX_POSITION}, and {} is more", start.saturating_add(tokens))
        })
    }
    /// On hardware: prompts of an 8 B transformer, 384 MiB of f32 in and as much out.
    fn default_shape(&self, class: DeviceClass) -> Shape {
        let (batch, heads, kv_heads, tokens, dim) = match class {
            DeviceClass::Hardware => (4, 32, 8, 4096, 128),
            DeviceClass::Software => (1, 16, 4, 1024, 64),
        };
        let head = [("batch", batch), ("heads", heads), ("kv_heads", kv_heads)];
        Shape::new(head.into_iter().chain([("tokens", tokens), ("dim", dim), ("start", 4096)]))
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [batch, heads, kv_heads] = extents(shape, ["batch", "heads", "kv_heads"]);
        let [tokens, dim] = extents(shape, ["tokens", "dim"]);
        let moved = 2.0 * element.bytes() * batch * tokens * (heads + 2.0 * kv_heads) * dim;
        work(3.0 * batch * tokens * (heads + kv_heads) * dim, moved + 4.0 * tokens * dim)
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (extents, scalar) = (Extents::of(shape), element.scalar());
        let Extents { batch, heads, kv_heads, tokens, dim, .. } = extents;
        vec![
            input("q", scalar, &[batch, tokens, heads, dim]),
            input("k", scalar, &[batch, tokens, kv_heads, dim]),
            input("v", scalar, &[batch, tokens, kv_heads, dim]),
            input("table", Scalar::F32, &[tokens, dim]),
            output("q_out", scalar, &[batch, heads, tokens, dim]),
            output("k_rows", scalar, &[batch, kv_heads, tokens, dim]),
            output("v_rows", scalar, &[batch, kv_heads, tokens, dim]),
        ]
    }
    fn row_length(&self, shape: &Shape, _tensor: usize) -> u64 {
        shape.get("dim")
    }
    /// The table is the same for every seed and data pattern: cosine and sine of each pair in turn.
    fn fill(&self, instance: &Instance, tensor: usize, first: u64, out: &mut [f32]) {
        if tensor != TABLE {
            return self.inputs(instance, tensor).fill(first, out);
        }
        let Extents { dim, start, .. } = Extents::of(&instance.shape);
        for (slot, index) in out.iter_mut().zip(first..) {
            let (cosine, sine) = rotation(start + index / dim, index % dim / 2, dim);
            *slot = if index.is_multiple_of(2) { cosine } else { sine } as f32;
        }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let extents = Extents::of(&instance.shape);
        if !(Q_OUT..=V_ROWS).contains(&tensor) || index >= extents.rows(tensor) * extents.dim {
            return f64::NAN;
        }
        self.element(instance, tensor, index).0
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let extents = Extents::of(&instance.shape);
        let mut picks = Picks::new(pick);
        let of_tensor = |tensor: usize| {
            let grid = samples::grid(extents.rows(tensor), extents.dim, samples / 3, SAMPLED_ROWS, &mut picks);
            let indices = grid
                .into_iter()
                .flat_map(|(row, columns)| columns.into_iter().map(move |column| row * extents.dim + column));
            let expected = indices.map(|index| {
                let (value, bound) = self.element(instance, tensor, index);
                Expected { tensor, index, value, bound }
            });
            expected.collect::<Vec<_>>()
        };
        (Q_OUT..=V_ROWS).flat_map(of_tensor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataPattern;

    #[test]
    fn rotations_agree_with_the_mathematics_library_up_to_the_last_position() {
        for position in [0, 1, 2, 77, 4096, 100_000, 1_000_003, MAX_POSITION - 1] {
            for (pair, dim) in [(0, 2), (0, 128), (1, 128), (31, 64), (63, 128), (5, 10)] {
                let angle = position as f64 * 10000_f64.powf(-2.0 * pair as f64 / dim as f64);
                let (cosine, sine) = rotation(position, pair, dim);
                // One last place of the frequency is worth this much of the angle.
                let slack = 1e-11 + angle * 1e-15;
                assert!((cosine - angle.cos()).abs() < slack, "{position} {pair}/{dim}");
                assert!((sine - angle.sin()).abs() < slack, "{position} {pair}/{dim}");
            }
        }
    }

    #[test]
    fn the_exponential_agrees_with_the_mathematics_library() {
        for step in 0..1000 {
            let x = -9.3 * f64::from(step) / 1000.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "{x}");
        }
    }

    #[test]
    fn a_rotation_keeps_the_length_of_every_pair() {
        let shape = Shape::new([("batch", 2), ("heads", 3), ("kv_heads", 2), ("tokens", 5), ("dim", 6), ("start", 99)]);
        let instance = Instance { shape, element: ElementType::F32, pattern: DataPattern::Normal, seed: 1 };
        let squares = |values: &dyn Fn(u64) -> f64, start: u64| values(start).powi(2) + values(start + 1).powi(2);
        // Row 8 of q_out is batch 0, head 1, token 3; in q it lies at token 3, head 1.
        let (q, turned) = (RopeAppend.inputs(&instance, Q), |index| RopeAppend.output(&instance, Q_OUT, index));
        let before = squares(&|index| q.at(index), (3 * 3 + 1) * 6 + 4);
        assert!((squares(&turned, 8 * 6 + 4) / before - 1.0).abs() < 1e-6);
        assert!(RopeAppend.output(&instance, V_ROWS, 2 * 2 * 5 * 6).is_nan());
    }
}
