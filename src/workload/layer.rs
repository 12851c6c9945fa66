//! One whole decoder layer of a transformer: normalisation, attention with rotated queries and keys over a cache, and a
//! gated feed-forward network, each added to its input (the layer of Llama: Touvron et al. 2023).
//!
//! Prefill and decoding are the same problem: `tokens` new tokens of each sequence after `context − tokens` cached ones.
//! The float64 reference is in `layer_reference`. What surprises people: `context` counts the new tokens too, so a prompt
//! without a past has context = tokens, and its cache is empty.

use super::layer_reference as reference;
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// Base of the rotation's angles, as in the Llama 2 models.
const ROPE_BASE: f64 = 10_000.0;

/// Tokens that a reference follows through the whole layer.
const SAMPLED_TOKENS: usize = 4;
/// Sequences that they come from: the keys of all earlier tokens of a sequence are needed.
const SAMPLED_SEQUENCES: usize = 2;

/// The problem `transformer-layer`.
pub(super) struct TransformerLayer;

/// Indices of the tensors.
pub(super) mod tensor {
    pub(in crate::workload) const X: usize = 0;
    pub(in crate::workload) const NORMS: usize = 1;
    pub(in crate::workload) const QKV: usize = 2;
    pub(in crate::workload) const OUT: usize = 3;
    pub(in crate::workload) const GATE_UP: usize = 4;
    pub(in crate::workload) const DOWN: usize = 5;
    pub(in crate::workload) const CACHE: usize = 6;
    pub(in crate::workload) const ROPE: usize = 7;
    pub(in crate::workload) const Y: usize = 8;
    pub(in crate::workload) const KV: usize = 9;
}

/// Extents of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extents {
    pub(super) batch: u64,
    pub(super) tokens: u64,
    /// Tokens in the cache before this step.
    pub(super) past: u64,
    pub(super) d: u64,
    pub(super) heads: u64,
    pub(super) kv_heads: u64,
    pub(super) dim: u64,
    pub(super) f: u64,
}

impl Extents {
    pub(super) fn of(shape: &Shape) -> Self {
        let [batch, tokens, d, heads, kv_heads, dim, f] =
            ["batch", "tokens", "d", "heads", "kv_heads", "dim", "f"].map(|axis| shape.get(axis));
        let past = shape.get("context").saturating_sub(tokens);
        Self { batch, tokens, past, d, heads, kv_heads, dim, f }
    }
    /// Columns of the projection to queries, keys and values.
    pub(super) fn qkv(&self) -> u64 {
        self.heads.saturating_add(self.kv_heads.saturating_mul(2)).saturating_mul(self.dim)
    }
    /// Rows of one half (keys or values) of the new keys and values.
    pub(super) fn kv_rows(&self) -> u64 {
        self.batch * self.kv_heads * self.tokens
    }
}

/// The power of two nearest to 1/√terms, so that a projection keeps a standard deviation near 1.
fn inverse_root(terms: u64) -> f64 {
    1.0 / (1_u64 << (terms.max(1).ilog2() + 1).div_euclid(2)) as f64
}

impl Problem for TransformerLayer {
    fn id(&self) -> &'static str {
        "transformer-layer"
    }
    fn summary(&self) -> &'static str {
        "One decoder layer: RMSNorm, attention with RoPE over a cache, SwiGLU, residuals"
    }
    fn formula(&self) -> &'static str {
        "h = x + attention(norm(x)), y = h + swiglu(norm(h)); FLOP = 2·batch·tokens·d·(2·heads·dim + 2·kv_heads·dim + 3·f) \
         + 2·batch·heads·dim·tokens·(2·context − tokens + 1); bytes = 4·(weights + cache + x + y + new keys and values)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "batch", meaning: "sequences" },
            Axis { name: "tokens", meaning: "new tokens of a sequence: 1 is decoding" },
            Axis { name: "context", meaning: "tokens of a sequence, cached and new; at least tokens" },
            Axis { name: "d", meaning: "model width" },
            Axis { name: "heads", meaning: "query heads" },
            Axis { name: "kv_heads", meaning: "key-value heads; divides heads" },
            Axis { name: "dim", meaning: "elements of a head; even" },
            Axis { name: "f", meaning: "feed-forward width" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        let [tokens, context, heads, kv_heads, dim] =
            ["tokens", "context", "heads", "kv_heads", "dim"].map(|axis| shape.get(axis));
        if !heads.is_multiple_of(kv_heads) {
            return Some(format!("heads must be a multiple of kv_heads, and {heads} is none of {kv_heads}"));
        }
        if !dim.is_multiple_of(2) {
            return Some(format!("dim must be even, because its halves are rotated together, and it is {dim}"));
        }
        (context < tokens).then(|| {
            format!("context counts the new tokens too: {context} is less than tokens = {tokens}; set context={tokens}")
        })
    }
    /// On hardware a layer of Llama 3.2 1B and a prompt of 512 tokens, on software one of SmolLM2 135M.
    fn default_shape(&self, class: DeviceClass) -> Shape {
        let [tokens, d, heads, kv_heads, f] = match class {
            DeviceClass::Hardware => [512, 2048, 32, 8, 8192],
            DeviceClass::Software => [32, 576, 9, 3, 1536],
        };
        let (batch, context, dim) = (1, tokens, 64);
        let axes = ["batch", "tokens", "context", "d", "heads", "kv_heads", "dim", "f"];
        Shape::new(axes.into_iter().zip([batch, tokens, context, d, heads, kv_heads, dim, f]))
    }
    /// Products of matrices only, as is the custom: no normalisation, rotation, softmax, gate or addition.
    fn work(&self, shape: &Shape, _element: ElementType) -> Work {
        let [batch, tokens, context] = extents(shape, ["batch", "tokens", "context"]);
        let [d, heads, kv_heads, dim, f] = extents(shape, ["d", "heads", "kv_heads", "dim", "f"]);
        let past = (context - tokens).max(0.0);
        let projections = 2.0 * batch * tokens * d * (2.0 * heads * dim + 2.0 * kv_heads * dim + 3.0 * f);
        let attention = 2.0 * batch * heads * dim * tokens * (2.0 * past + tokens + 1.0);
        let weights = d * (2.0 * heads * dim + 2.0 * kv_heads * dim + 3.0 * f) + 2.0 * d;
        let cache = 2.0 * batch * kv_heads * dim * (past + tokens);
        work(projections + attention, 4.0 * (weights + cache + 2.0 * batch * tokens * d + tokens * dim))
    }
    fn tensors(&self, shape: &Shape, _element: ElementType) -> Vec<Tensor> {
        let Extents { batch, tokens, past, d, heads, kv_heads, dim, f } = Extents::of(shape);
        let f32 = Scalar::F32;
        vec![
            input("x", f32, &[batch, tokens, d]),
            input("norms", f32, &[2, d]),
            input("w_qkv", f32, &[d, Extents::of(shape).qkv()]),
            input("w_out", f32, &[heads, dim, d]),
            input("w_gate_up", f32, &[d, 2, f]),
            input("w_down", f32, &[f, d]),
            input("cache", f32, &[2, batch, kv_heads, past, dim]),
            input("rope", f32, &[tokens, 2, dim / 2]),
            output("y", f32, &[batch, tokens, d]),
            output("kv", f32, &[2, batch, kv_heads, tokens, dim]),
        ]
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        let extents = Extents::of(shape);
        match tensor {
            tensor::QKV => extents.qkv(),
            tensor::GATE_UP => 2 * extents.f,
            tensor::CACHE | tensor::KV => extents.dim,
            tensor::ROPE => extents.dim / 2,
            _ => extents.d,
        }
    }
    fn scale(&self, shape: &Shape, tensor: usize) -> f64 {
        let extents = Extents::of(shape);
        match tensor {
            tensor::QKV | tensor::GATE_UP => inverse_root(extents.d),
            // An average over many values is small: so much larger are the weights behind it, or no key would matter.
            tensor::OUT => {
                inverse_root(extents.heads.saturating_mul(extents.dim)) / inverse_root(shape.get("context") / 4)
            }
            tensor::DOWN => inverse_root(extents.f),
            _ => 1.0,
        }
    }
    /// Every tensor but the table of rotations is random: that one holds cosines, then sines, of position·base^(−2i/dim).
    fn fill(&self, instance: &Instance, tensor: usize, first: u64, out: &mut [f32]) {
        if tensor != tensor::ROPE {
            return self.inputs(instance, tensor).fill(first, out);
        }
        let Extents { past, dim, .. } = Extents::of(&instance.shape);
        for (index, value) in (first..).zip(out) {
            let (position, part) = (past + index / dim, index % dim);
            let angle = position as f64 * ROPE_BASE.powf(-2.0 * (part % (dim / 2)) as f64 / dim as f64);
            *value = (if part < dim / 2 { angle.cos() } else { angle.sin() }) as f32;
        }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let extents = Extents::of(&instance.shape);
        let rows = match tensor {
            tensor::Y => extents.batch * extents.tokens,
            tensor::KV => 2 * extents.kv_rows(),
            _ => 0,
        };
        let length = self.row_length(&instance.shape, tensor);
        let (row, column) = (index / length, (index % length) as usize);
        if row >= rows {
            return f64::NAN;
        }
        match tensor {
            tensor::Y => reference::outputs(instance, &[row])[0].value[column],
            _ => reference::keys_and_values(instance, row).value[column],
        }
    }
    /// A few tokens, the first and the last of all among them, and the keys and values of their sequences.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let extents = Extents::of(&instance.shape);
        let mut picks = Picks::new(pick);
        let sequences = samples::axis(extents.batch, SAMPLED_SEQUENCES, &mut picks);
        let each = SAMPLED_TOKENS / sequences.len();
        let mut tokens: Vec<u64> = Vec::new();
        for sequence in &sequences {
            tokens
                .extend(samples::axis(extents.tokens, each, &mut picks).iter().map(|t| sequence * extents.tokens + t));
        }
        let rows = reference::outputs(instance, &tokens);
        let half = samples.div_ceil(2);
        let mut expected = Vec::new();
        let chosen = samples::with_columns((0..rows.len() as u64).collect(), extents.d, half, &mut picks);
        for ((place, columns), token) in chosen.into_iter().zip(&tokens) {
            let row = &rows[place as usize];
            expected.extend(columns.into_iter().map(|column| row.expect(tensor::Y, token * extents.d, column)));
        }
        let places = samples::axis(extents.kv_heads * extents.tokens, 16, &mut picks);
        let all = [0, 1].into_iter().flat_map(|kind| sequences.iter().map(move |sequence| (kind, *sequence)));
        let kv_rows: Vec<u64> = all
            .flat_map(|(kind, sequence)| {
                let base = kind * extents.kv_rows() + sequence * extents.kv_heads * extents.tokens;
                places.iter().map(move |place| base + place)
            })
            .collect();
        for (row, columns) in samples::with_columns(kv_rows, extents.dim, half, &mut picks) {
            let found = reference::keys_and_values(instance, row);
            expected.extend(columns.into_iter().map(|column| found.expect(tensor::KV, row * extents.dim, column)));
        }
        expected
    }
}
