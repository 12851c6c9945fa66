//! Scaled dot-product attention: causal prefill, and decoding of one token over a key-value cache.
//!
//! Query heads share key-value heads in groups (Ainslie et al. 2023): head h reads key-value head h / (heads / kv_heads).
//! FLOP follow the custom of FlashAttention: products only, no softmax. With f16 operands and results kernels accumulate
//! in f32, and may round the softmax weights to f16 before they meet the values, as matrix units demand. What surprises
//! people: the causal count is exact, seq·(seq + 1)/2 pairs and not half of seq².

use std::collections::BTreeSet;

use super::bounds::{DIVISION, U32, accumulation, exponential, random_sum, rescaling};
use super::dot::expect;
use super::{
    Axis, DeviceClass, Expected, Inputs, Instance, Picks, Problem, Tensor, extents, input, output, samples, work,
};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// Rows (batch, head, position) that a reference touches. Each costs up to seq·dim keys.
const SAMPLED_ROWS: usize = 16;

/// The problem `attention-prefill`.
pub(super) struct Prefill;

/// The problem `attention-decode`.
pub(super) struct Decode;

/// One output row: a query against the keys and values that it sees.
struct Row {
    query: Vec<f64>,
    keys: Inputs,
    values: Inputs,
    /// Element of the first key and of the first value.
    base: u64,
    /// Keys that the query sees.
    count: u64,
    /// Type of every tensor.
    element: Scalar,
}

/// One key's part in a row: its softmax weight before division by the sum, and errors of that in units of u.
struct Weight {
    value: f64,
    /// Of score and exponential, in f32.
    error: f64,
    /// Of rounding it to f16 by chance, and of taking a subnormal as 0; both 0 in f32.
    rounding: f64,
    flushed: f64,
}

impl Row {
    /// Values and bounds of some columns.
    ///
    /// A score carries the error of its dot product, and its softmax weight that error plus the exponential's. An output
    /// adds those of all weights in its numerator and in its denominator, two sums of `count` terms, a possible online
    /// rescaling, and the division. In f16 come the rounding of weights and result, and operands, weights and results
    /// below 2^-14, which a device may take as 0.
    fn attend(&self, columns: &[u64]) -> Vec<(f64, f64)> {
        let dim = self.query.len() as u64;
        let scores = self.scores();
        let most = scores.iter().fold(f64::NEG_INFINITY, |most, (score, _)| most.max(*score));
        let least = scores.iter().fold(f64::INFINITY, |least, (score, _)| least.min(*score));
        let weights: Vec<Weight> = scores.into_iter().map(|(score, error)| self.weight(score - most, error)).collect();
        let sum: f64 = weights.iter().map(|weight| weight.value).sum();
        let common = accumulation(self.count) + rescaling(self.count, most - least);
        let sum_error = self.total(&weights, |_| 1.0) / sum + common;
        let smallest_normal = self.element.min_positive();
        let column = |column: &u64| {
            let at = |position: usize| self.values.at(self.base + position as u64 * dim + column);
            let values: Vec<f64> = (0..weights.len()).map(at).collect();
            let (mut value, mut magnitude, mut subnormal) = (0.0, 0.0, 0.0);
            for (weight, v) in weights.iter().zip(&values) {
                value += weight.value * v;
                magnitude += weight.value * v.abs();
                if v.abs() < smallest_normal {
                    subnormal += weight.value * v.abs();
                }
            }
            let error = self.total(&weights, |position| values[position].abs());
            let (value, magnitude, subnormal) = (value / sum, magnitude / sum, subnormal / sum);
            let numerator = error / sum + common * magnitude;
            let denominator = (sum_error + DIVISION + 1.0) * value.abs();
            let bound = U32 * (numerator + denominator) + subnormal + f64::from(f32::MIN_POSITIVE);
            (value, bound + self.result_rounding(value.abs() + bound))
        };
        columns.iter().map(column).collect()
    }

    /// Score and its error in units of u, of every key.
    fn scores(&self) -> Vec<(f64, f64)> {
        let dim = self.query.len() as u64;
        let scale = 1.0 / (dim as f64).sqrt();
        let smallest_normal = self.element.min_positive();
        let mut key = vec![0_f32; self.query.len()];
        let score = |position| {
            self.keys.fill(self.base + position * dim, &mut key);
            let (mut score, mut magnitude, mut subnormal) = (0.0, 0.0, 0.0);
            for (q, k) in self.query.iter().zip(&key) {
                let product = q * f64::from(*k);
                score += product;
                magnitude += product.abs();
                if q.abs().min(f64::from(k.abs())) < smallest_normal {
                    subnormal += product.abs();
                }
            }
            (score * scale, ((accumulation(dim) + INVERSE_ROOT) * magnitude + subnormal / U32) * scale)
        };
        (0..self.count).map(score).collect()
    }

    /// The weight exp(argument) of a score with an error. In f16 it may be rounded relative to the running maximum: a
    /// weight of at least 2^-14 keeps its digits, one below may vanish.
    fn weight(&self, argument: f64, error: f64) -> Weight {
        let value = argument.exp();
        let lost = value < self.element.min_positive();
        let half = self.element == Scalar::F16;
        Weight {
            value,
            error: value * (error + exponential(argument)),
            rounding: if half { value * self.element.unit_roundoff() / U32 } else { 0.0 },
            flushed: if half && lost { value / U32 } else { 0.0 },
        }
    }

    /// Error of a sum of all weights times factors, in units of u: each weight's own, and its rounding to f16.
    fn total(&self, weights: &[Weight], factor: impl Fn(usize) -> f64) -> f64 {
        let own = weights.iter().enumerate().map(|(i, weight)| (weight.error + weight.flushed) * factor(i));
        own.sum::<f64>() + random_sum(weights.iter().enumerate().map(|(i, weight)| weight.rounding * factor(i)))
    }

    /// Error of rounding a result of at most this magnitude to f16; f32 needs none, the division was counted.
    fn result_rounding(&self, most: f64) -> f64 {
        match self.element {
            Scalar::F16 if most < self.element.min_positive() => most,
            Scalar::F16 => self.element.unit_roundoff() * most,
            _ => 0.0,
        }
    }
}

/// Relative error of a factor 1/√dim that a kernel computes and multiplies with, in units of u.
const INVERSE_ROOT: f64 = super::bounds::INVERSE_SQRT + 2.0;

/// Extents that both problems share; `length` is seq or context.
struct Heads {
    batch: u64,
    heads: u64,
    kv_heads: u64,
    length: u64,
    dim: u64,
    element: Scalar,
}

impl Heads {
    fn of(shape: &Shape, element: ElementType, length: &str) -> Self {
        let [batch, heads, kv_heads] = ["batch", "heads", "kv_heads"].map(|axis| shape.get(axis));
        Self { batch, heads, kv_heads, length: shape.get(length), dim: shape.get("dim"), element: element.scalar() }
    }
    /// Query `row` of all, for `sequence` = batch·heads + head, seeing `count` keys.
    fn row(&self, [q, keys, values]: [Inputs; 3], row: u64, sequence: u64, count: u64) -> Row {
        let (batch, head) = (sequence / self.heads, sequence % self.heads);
        let kv_head = head / (self.heads / self.kv_heads);
        let mut query = vec![0_f32; self.dim as usize];
        q.fill(row * self.dim, &mut query);
        let query = query.into_iter().map(f64::from).collect();
        let base = (batch * self.kv_heads + kv_head) * self.length * self.dim;
        Row { query, keys, values, base, count, element: self.element }
    }
    fn rule(&self) -> Option<String> {
        (!self.heads.is_multiple_of(self.kv_heads))
            .then(|| format!("heads must be a multiple of kv_heads, and {} is none of {}", self.heads, self.kv_heads))
    }
    fn tensors(&self, queries: u64) -> Vec<Tensor> {
        let element = self.element;
        let q = [self.batch, self.heads, queries, self.dim];
        let kv = [self.batch, self.kv_heads, self.length, self.dim];
        vec![input("q", element, &q), input("k", element, &kv), input("v", element, &kv), output("o", element, &q)]
    }
}

fn operands(problem: &dyn Problem, instance: &Instance) -> [Inputs; 3] {
    [0, 1, 2].map(|tensor| problem.inputs(instance, tensor))
}

const BATCH: Axis = Axis { name: "batch", meaning: "sequences" };
const HEADS: Axis = Axis { name: "heads", meaning: "query heads" };
const KV_HEADS: Axis = Axis { name: "kv_heads", meaning: "key-value heads; divides heads" };
const DIM: Axis = Axis { name: "dim", meaning: "elements of a head" };

impl Prefill {
    fn row(&self, instance: &Instance, row: u64) -> Row {
        let heads = Heads::of(&instance.shape, instance.element, "seq");
        let (sequence, position) = (row / heads.length, row % heads.length);
        heads.row(operands(self, instance), row, sequence, position + 1)
    }
    /// Rows of every kind: short and long ones, at edges of tiles, in heads of different groups.
    fn rows(&self, heads: &Heads, picks: &mut Picks) -> Vec<u64> {
        let positions = samples::axis(heads.length, SAMPLED_ROWS, picks);
        let sequences = samples::axis(heads.batch * heads.heads, SAMPLED_ROWS, picks);
        let start = picks.below(sequences.len() as u64) as usize;
        let turn = sequences.iter().cycle().skip(start).zip(positions.iter().cycle());
        let mut rows: BTreeSet<u64> = turn
            .take(positions.len().max(sequences.len()))
            .map(|(sequence, position)| sequence * heads.length + position)
            .collect();
        rows.extend([0, heads.batch * heads.heads * heads.length - 1]);
        rows.into_iter().collect()
    }
}

impl Problem for Prefill {
    fn id(&self) -> &'static str {
        "attention-prefill"
    }
    fn summary(&self) -> &'static str {
        "Causal attention of a whole prompt, fused"
    }
    fn formula(&self) -> &'static str {
        "o = softmax(q·kᵀ/√dim, causal)·v; FLOP = 2·batch·heads·seq·(seq+1)·dim; bytes = 2·e·batch·seq·dim·(heads + kv_heads)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[BATCH, HEADS, KV_HEADS, Axis { name: "seq", meaning: "tokens of the prompt" }, DIM]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16)
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        Heads::of(shape, ElementType::F32, "seq").rule()
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => {
                Shape::new([("batch", 1), ("heads", 32), ("kv_heads", 8), ("seq", 4096), ("dim", 128)])
            }
            DeviceClass::Software => {
                Shape::new([("batch", 1), ("heads", 4), ("kv_heads", 2), ("seq", 256), ("dim", 64)])
            }
        }
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [batch, heads, kv_heads, seq, dim] = extents(shape, ["batch", "heads", "kv_heads", "seq", "dim"]);
        work(
            2.0 * batch * heads * seq * (seq + 1.0) * dim,
            2.0 * element.bytes() * batch * seq * dim * (heads + kv_heads),
        )
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        Heads::of(shape, element, "seq").tensors(shape.get("seq"))
    }
    fn row_length(&self, shape: &Shape, _tensor: usize) -> u64 {
        shape.get("dim")
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let heads = Heads::of(&instance.shape, instance.element, "seq");
        if tensor != 3 || index >= heads.batch * heads.heads * heads.length * heads.dim {
            return f64::NAN;
        }
        self.row(instance, index / heads.dim).attend(&[index % heads.dim])[0].0
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let heads = Heads::of(&instance.shape, instance.element, "seq");
        let mut picks = Picks::new(pick);
        let rows = self.rows(&heads, &mut picks);
        let pairs = samples::with_columns(rows, heads.dim, samples, &mut picks);
        let found = pairs.iter().map(|(row, columns)| self.row(instance, *row).attend(columns)).collect();
        expect(3, heads.dim, &pairs, found)
    }
}

impl Decode {
    fn row(&self, instance: &Instance, row: u64) -> Row {
        let heads = Heads::of(&instance.shape, instance.element, "context");
        heads.row(operands(self, instance), row, row, heads.length)
    }
}

impl Problem for Decode {
    fn id(&self) -> &'static str {
        "attention-decode"
    }
    fn summary(&self) -> &'static str {
        "Attention of one new token over a key-value cache"
    }
    fn formula(&self) -> &'static str {
        "o = softmax(q·kᵀ/√dim)·v; FLOP = 4·batch·heads·context·dim; bytes = 2·e·batch·dim·(context·kv_heads + heads)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[BATCH, HEADS, KV_HEADS, Axis { name: "context", meaning: "tokens in the cache" }, DIM]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16)
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        Heads::of(shape, ElementType::F32, "context").rule()
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => {
                Shape::new([("batch", 16), ("heads", 32), ("kv_heads", 8), ("context", 8192), ("dim", 128)])
            }
            DeviceClass::Software => {
                Shape::new([("batch", 2), ("heads", 8), ("kv_heads", 2), ("context", 4096), ("dim", 64)])
            }
        }
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [batch, heads, kv_heads, context, dim] = extents(shape, ["batch", "heads", "kv_heads", "context", "dim"]);
        work(4.0 * batch * heads * context * dim, 2.0 * element.bytes() * batch * dim * (context * kv_heads + heads))
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        Heads::of(shape, element, "context").tensors(1)
    }
    fn row_length(&self, shape: &Shape, _tensor: usize) -> u64 {
        shape.get("dim")
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let heads = Heads::of(&instance.shape, instance.element, "context");
        if tensor != 3 || index >= heads.batch * heads.heads * heads.dim {
            return f64::NAN;
        }
        self.row(instance, index / heads.dim).attend(&[index % heads.dim])[0].0
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let heads = Heads::of(&instance.shape, instance.element, "context");
        let mut picks = Picks::new(pick);
        let rows = samples::axis(heads.batch * heads.heads, SAMPLED_ROWS, &mut picks);
        let pairs = samples::with_columns(rows, heads.dim, samples, &mut picks);
        let found = pairs.iter().map(|(row, columns)| self.row(instance, *row).attend(columns)).collect();
        expect(3, heads.dim, &pairs, found)
    }
}
