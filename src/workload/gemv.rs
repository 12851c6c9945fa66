//! Matrix times vector, y = W·x: the inner loop of decoding one token.
//!
//! What surprises people: only the weights have the element type; x and y are f32, and kernels accumulate in f32. It is
//! counted in FLOP although memory limits it; both rates are always reported.

use super::dot::{Dot, Left, expect, products};
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// The problem `gemv`.
pub(super) struct Gemv;

impl Gemv {
    fn dots(&self, instance: &Instance, pairs: &[(u64, Vec<u64>)]) -> Vec<Vec<Dot>> {
        let w = Left { values: self.inputs(instance, 0), element: instance.element.scalar() };
        products(w, &self.inputs(instance, 1), instance.shape.get("k"), 1, pairs)
    }
}

impl Problem for Gemv {
    fn id(&self) -> &'static str {
        "gemv"
    }
    fn summary(&self) -> &'static str {
        "Matrix times vector; weights f32 or f16, vectors f32"
    }
    fn formula(&self) -> &'static str {
        "y[m] = W[m,k]·x[k]; FLOP = 2·m·k; bytes = e·m·k + 4·k + 4·m"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "m", meaning: "rows of W, length of y" },
            Axis { name: "k", meaning: "columns of W, length of x" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16)
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("m", 16384), ("k", 16384)]),
            DeviceClass::Software => Shape::new([("m", 2048), ("k", 4096)]),
        }
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [m, k] = extents(shape, ["m", "k"]);
        work(2.0 * m * k, element.bytes() * m * k + 4.0 * k + 4.0 * m)
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (m, k) = (shape.get("m"), shape.get("k"));
        vec![input("w", element.scalar(), &[m, k]), input("x", Scalar::F32, &[k]), output("y", Scalar::F32, &[m])]
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        shape.get(if tensor == 2 { "m" } else { "k" })
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        if tensor != 2 || index >= instance.shape.get("m") {
            return f64::NAN;
        }
        self.dots(instance, &[(index, vec![0])])[0][0].value
    }
    /// The bound is that of a sum of k products in f32, in any order, plus f16 weights below 2^-14 that a device may
    /// take as 0.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let k = instance.shape.get("k");
        let rows = samples::axis(instance.shape.get("m"), samples as usize, &mut Picks::new(pick));
        let pairs: Vec<_> = rows.into_iter().map(|row| (row, vec![0])).collect();
        let dots = self.dots(instance, &pairs);
        let found = dots.iter().map(|row| row.iter().map(|dot| (dot.value, dot.bound(k))).collect()).collect();
        expect(2, 1, &pairs, found)
    }
}
