//! SwiGLU: the gated half of a transformer's feed-forward layer (Shazeer 2020), without the down projection.
//!
//! What surprises people: the weights are scaled by the power of two nearest to 1/√d, so that both projections have a
//! standard deviation near 1 (0.71 to 1.41): unscaled, the gate would be a plain rectifier and its exponential overflow.

use super::bounds::{DIVISION, U32, exponential};
use super::dot::{Dot, Left, expect, products};
use super::gemm::SAMPLED_ROWS;
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// The problem `swiglu`.
pub(super) struct SwiGlu;

impl SwiGlu {
    fn projections(&self, instance: &Instance, pairs: &[(u64, Vec<u64>)], tensor: usize) -> Vec<Vec<Dot>> {
        let x = Left { values: self.inputs(instance, 0), element: Scalar::F32 };
        products(x, &self.inputs(instance, tensor), instance.shape.get("d"), instance.shape.get("f"), pairs)
    }
    fn elements(&self, instance: &Instance, pairs: &[(u64, Vec<u64>)]) -> Vec<Vec<(f64, f64)>> {
        let gates = self.projections(instance, pairs, 1);
        let ups = self.projections(instance, pairs, 2);
        let d = instance.shape.get("d");
        let row = |(gates, ups): (&Vec<Dot>, &Vec<Dot>)| {
            let pair = |(g, u): (&Dot, &Dot)| gated((g.value, g.bound(d)), (u.value, u.bound(d)));
            gates.iter().zip(ups).map(pair).collect()
        };
        gates.iter().zip(&ups).map(row).collect()
    }
}

/// silu(g)·u = g / (1 + exp(−g))·u and its bound, of projections with their own bounds.
///
/// |silu'| is at most 1.1; the exponential's relative error counts by its share in 1 + exp(−g); then an addition, a
/// division and a product.
pub(super) fn gated((g, gate_bound): (f64, f64), (u, up_bound): (f64, f64)) -> (f64, f64) {
    let share = 1.0 / (1.0 + g.exp());
    let silu = g * (1.0 - share);
    let silu_bound = 1.1 * gate_bound + U32 * (share * exponential(g) + 1.0 + DIVISION) * silu.abs();
    let value = silu * u;
    let bound = u.abs() * silu_bound
        + (silu.abs() + silu_bound) * up_bound
        + 2.0 * U32 * value.abs()
        + f64::from(f32::MIN_POSITIVE);
    (value, bound)
}

impl Problem for SwiGlu {
    fn id(&self) -> &'static str {
        "swiglu"
    }
    fn summary(&self) -> &'static str {
        "Gated feed-forward layer of a transformer, without the down projection"
    }
    fn formula(&self) -> &'static str {
        "y = silu(x·Wg) ⊙ (x·Wu); FLOP = 4·tokens·d·f + 5·tokens·f; bytes = 4·(tokens·d + 2·d·f + tokens·f)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "tokens", meaning: "rows of x and y" },
            Axis { name: "d", meaning: "model width" },
            Axis { name: "f", meaning: "feed-forward width" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    /// On hardware: 512 tokens of an 8 B transformer.
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("tokens", 512), ("d", 4096), ("f", 14336)]),
            DeviceClass::Software => Shape::new([("tokens", 32), ("d", 512), ("f", 768)]),
        }
    }
    fn work(&self, shape: &Shape, _element: ElementType) -> Work {
        let [tokens, d, f] = extents(shape, ["tokens", "d", "f"]);
        work(4.0 * tokens * d * f + 5.0 * tokens * f, 4.0 * (tokens * d + 2.0 * d * f + tokens * f))
    }
    fn tensors(&self, shape: &Shape, _element: ElementType) -> Vec<Tensor> {
        let (tokens, d, f) = (shape.get("tokens"), shape.get("d"), shape.get("f"));
        let f32 = Scalar::F32;
        vec![
            input("x", f32, &[tokens, d]),
            input("w_gate", f32, &[d, f]),
            input("w_up", f32, &[d, f]),
            output("y", f32, &[tokens, f]),
        ]
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        shape.get(if tensor == 0 { "d" } else { "f" })
    }
    fn scale(&self, shape: &Shape, tensor: usize) -> f64 {
        match tensor {
            1 | 2 => 1.0 / (1_u64 << (shape.get("d").max(1).ilog2() + 1).div_euclid(2)) as f64,
            _ => 1.0,
        }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let (tokens, f) = (instance.shape.get("tokens"), instance.shape.get("f"));
        if tensor != 3 || index >= tokens * f {
            return f64::NAN;
        }
        self.elements(instance, &[(index / f, vec![index % f])])[0][0].0
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let (tokens, f) = (instance.shape.get("tokens"), instance.shape.get("f"));
        let pairs = samples::grid(tokens, f, samples, SAMPLED_ROWS, &mut Picks::new(pick));
        let found = self.elements(instance, &pairs);
        expect(3, f, &pairs, found)
    }
}
