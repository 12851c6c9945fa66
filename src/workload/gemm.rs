//! Matrix multiplication, C = A·B.
//!
//! What surprises people: inputs are standard normal and unscaled, so elements of C have a standard deviation of √k.

use super::bounds::refused_in_f16;
use super::dot::{Left, expect, products};
use super::{
    Axis, DeviceClass, Expected, Inputs, Instance, Picks, Problem, Product, Tensor, extents, input, output, samples,
    work,
};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// The problem `gemm`.
pub(super) struct Gemm;

/// Rows of C that a reference touches: enough for every edge of a tile.
pub(super) const SAMPLED_ROWS: usize = 48;

impl Gemm {
    fn operands(&self, instance: &Instance) -> (Left, Inputs) {
        let a = Left { values: self.inputs(instance, 0), element: Scalar::F32 };
        (a, self.inputs(instance, 1))
    }
}

impl Problem for Gemm {
    fn id(&self) -> &'static str {
        "gemm"
    }
    fn summary(&self) -> &'static str {
        "Product of two matrices"
    }
    fn formula(&self) -> &'static str {
        "C[m,n] = A[m,k]·B[k,n]; FLOP = 2·m·n·k; bytes = e·(m·k + k·n + m·n)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "m", meaning: "rows of A and C" },
            Axis { name: "n", meaning: "columns of B and C" },
            Axis { name: "k", meaning: "columns of A, rows of B" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        let extent = match class {
            DeviceClass::Hardware => 4096,
            DeviceClass::Software => 512,
        };
        Shape::new([("m", extent), ("n", extent), ("k", extent)])
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [m, n, k] = extents(shape, ["m", "n", "k"]);
        work(2.0 * m * n * k, element.bytes() * (m * k + k * n + m * n))
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (m, n, k) = (shape.get("m"), shape.get("n"), shape.get("k"));
        let scalar = element.scalar();
        vec![input("a", scalar, &[m, k]), input("b", scalar, &[k, n]), output("c", scalar, &[m, n])]
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        shape.get(if tensor == 0 { "k" } else { "n" })
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let (m, n, k) = (instance.shape.get("m"), instance.shape.get("n"), instance.shape.get("k"));
        if tensor != 2 || index >= m * n {
            return f64::NAN;
        }
        let (a, b) = self.operands(instance);
        products(a, &b, k, n, &[(index / n, vec![index % n])])[0][0].value
    }
    /// The bound is that of a sum of k products in f32, in any order.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let (m, n, k) = (instance.shape.get("m"), instance.shape.get("n"), instance.shape.get("k"));
        let pairs = samples::grid(m, n, samples, SAMPLED_ROWS, &mut Picks::new(pick));
        let (a, b) = self.operands(instance);
        let dots = products(a, &b, k, n, &pairs);
        let found = dots.iter().map(|row| row.iter().map(|dot| (dot.value, dot.bound(k))).collect()).collect();
        expect(2, n, &pairs, found)
    }
    fn refuses(&self, instance: &Instance) -> Option<String> {
        if instance.element == ElementType::F16 { refused_in_f16(instance, instance.shape.get("k")) } else { None }
    }
    fn product<'a>(&'a self, instance: &'a Instance) -> Option<Product<'a>> {
        let [m, n, k] = ["m", "n", "k"].map(|axis| instance.shape.get(axis));
        Product::of(self, instance, [0, 1, 2], [1, m, n, k])
    }
}
