//! Matrix times vector, y = W·x: the inner loop of decoding one token.
//!
//! What surprises people: only the weights have the element type; x and y are f32, and kernels accumulate in f32. A block
//! format has two tensors for W, quants and scales (see [`super::blocks`]), and the right answer is that of the weights
//! as quantised. It is counted in FLOP although memory limits it; both rates are always reported.

use super::blocks::{Format, Plane};
use super::bounds::{U32, accumulation};
use super::dot::{Dot, Left, expect, products};
use super::{
    Axis, DeviceClass, Expected, Inputs, Instance, Picks, Problem, Tensor, extents, input, output, samples, work,
};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// The problem `gemv`.
pub(super) struct Gemv;

impl Gemv {
    /// Values and bounds of some rows of y.
    fn rows(&self, instance: &Instance, rows: &[u64]) -> Vec<(f64, f64)> {
        let k = instance.shape.get("k");
        if let Some(format) = Format::of(instance.element) {
            return self.quantised(instance, format, rows);
        }
        let pairs: Vec<_> = rows.iter().map(|row| (*row, vec![0])).collect();
        let w = Left { values: self.inputs(instance, 0), element: instance.element.scalar() };
        let dots: Vec<Vec<Dot>> = products(w, &self.inputs(instance, 1), k, 1, &pairs);
        dots.iter().flatten().map(|dot| (dot.value, dot.bound(k))).collect()
    }

    /// The same with weights of a block format. A kernel may scale a whole block's sum, and sum x on its own where a
    /// minimum is taken off: the magnitudes are those of the terms of a weight, and there are twice as many.
    fn quantised(&self, instance: &Instance, format: Format, rows: &[u64]) -> Vec<(f64, f64)> {
        let k = instance.shape.get("k");
        let (weights, blocks) = (unquantised(instance), k / format.weights() as u64);
        let mut x = vec![0_f32; k as usize];
        self.inputs(instance, 2).fill(0, &mut x);
        let row = |row: &u64| {
            let mut dot = Dot::default();
            for (number, x) in x.chunks(format.weights()).enumerate() {
                let block = format.block(&weights, row * blocks + number as u64);
                for ((weight, magnitude), x) in block.weights.iter().zip(&block.magnitudes).zip(x) {
                    dot.value += weight * f64::from(*x);
                    dot.magnitude += magnitude * f64::from(x.abs());
                    dot.subnormal += if block.subnormal { magnitude * f64::from(x.abs()) } else { 0.0 };
                }
            }
            (dot.value, accumulation(2 * k) * U32 * dot.magnitude + dot.subnormal)
        };
        rows.iter().map(row).collect()
    }

    const fn output_tensor(element: ElementType) -> usize {
        if Format::of(element).is_some() { 3 } else { 2 }
    }
}

/// The weights before they are quantised.
fn unquantised(instance: &Instance) -> Inputs {
    Inputs::new(instance, 0, Scalar::F32)
}

impl Problem for Gemv {
    fn id(&self) -> &'static str {
        "gemv"
    }
    fn summary(&self) -> &'static str {
        "Matrix times vector; weights f32, f16 or in blocks of 8 or 4 bits, vectors f32"
    }
    fn formula(&self) -> &'static str {
        "y[m] = W[m,k]·x[k]; FLOP = 2·m·k; bytes = e·m·k + 4·k + 4·m, e = 34/32 for q8_0, 18/32 for q4_0, 144/256 for q4_k"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "m", meaning: "rows of W, length of y" },
            Axis { name: "k", meaning: "columns of W, length of x; whole blocks" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16) || Format::of(element).is_some()
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("m", 16384), ("k", 16384)]),
            DeviceClass::Software => Shape::new([("m", 2048), ("k", 4096)]),
        }
    }
    /// Small weights need more of them: 604 MB of q4_0 on hardware, so that no cache holds a quarter of W.
    fn default_shape_for(&self, class: DeviceClass, element: ElementType) -> Shape {
        match (Format::of(element), class) {
            (Some(_), DeviceClass::Hardware) => Shape::new([("m", 65536), ("k", 16384)]),
            (Some(_), DeviceClass::Software) => Shape::new([("m", 4096), ("k", 4096)]),
            (None, _) => self.default_shape(class),
        }
    }
    fn element_rule(&self, shape: &Shape, element: ElementType) -> Option<String> {
        let (block, k) = (Format::of(element)?.weights() as u64, shape.get("k"));
        (!k.is_multiple_of(block))
            .then(|| format!("k must be a multiple of {block}, the weights of a block of {element}, and {k} is none"))
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [m, k] = extents(shape, ["m", "k"]);
        work(2.0 * m * k, element.bytes() * m * k + 4.0 * k + 4.0 * m)
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (m, k) = (shape.get("m"), shape.get("k"));
        let vectors = [input("x", Scalar::F32, &[k]), output("y", Scalar::F32, &[m])];
        let weights = match Format::of(element) {
            None => vec![input("w", element.scalar(), &[m, k])],
            Some(format) => {
                let blocks = k / format.weights() as u64;
                let plane = |name, plane| {
                    let scalar = format.scalar(plane);
                    input(name, scalar, &[m, blocks, format.bytes(plane) as u64 / scalar.bytes()])
                };
                vec![plane("quants", Plane::Quants), plane("scales", Plane::Scales)]
            }
        };
        weights.into_iter().chain(vectors).collect()
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        shape.get(if tensor >= 2 { "m" } else { "k" })
    }
    fn write(&self, instance: &Instance, tensor: usize, offset: u64, out: &mut [u8]) {
        match (Format::of(instance.element), tensor) {
            (Some(format), 0 | 1) => {
                let plane = if tensor == 0 { Plane::Quants } else { Plane::Scales };
                let blocks = instance.shape.get("m") * (instance.shape.get("k") / format.weights() as u64);
                format.write(plane, &unquantised(instance), blocks, offset, out);
            }
            _ => self.write_values(instance, tensor, offset, out),
        }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        if tensor != Self::output_tensor(instance.element) || index >= instance.shape.get("m") {
            return f64::NAN;
        }
        self.rows(instance, &[index])[0].0
    }
    /// The bound is that of a sum of k products in f32, in any order, plus f16 weights or scales below 2^-14 that a device
    /// may take as 0.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let rows = samples::axis(instance.shape.get("m"), samples as usize, &mut Picks::new(pick));
        let found = self.rows(instance, &rows).into_iter().map(|one| vec![one]).collect();
        let pairs: Vec<_> = rows.into_iter().map(|row| (row, vec![0])).collect();
        expect(Self::output_tensor(instance.element), 1, &pairs, found)
    }
}
