//! Matrix multiplication, C = A·B.
//!
//! What surprises people: inputs are standard normal and unscaled, so elements of C have a standard deviation of √k. In
//! int8 both operands run along k in memory, as weights of that precision usually do: A is `[m, k]`, B is stored transposed
//! as `[n, k]`, and rows are padded with zeros to whole words of four values.

use super::bounds::refused_in_f16;
use super::dot::{Dot, Factors, expect};
use super::{
    Axis, DeviceClass, Expected, Instance, Picks, Problem, Product, Tensor, extents, input, output, samples, work,
};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// The problem `gemm`.
pub(super) struct Gemm;

/// Rows of C that a reference touches: enough for every edge of a tile.
pub(super) const SAMPLED_ROWS: usize = 48;

/// Longest sum of int8 products that cannot leave 32 bits: 2^31 / 127².
const MOST_TERMS_I8: u64 = (1 << 31) / (127 * 127);

/// Precisions of a matrix product.
pub(super) fn supports(element: ElementType) -> bool {
    matches!(element, ElementType::F32 | ElementType::F16 | ElementType::Mixed | ElementType::I8)
}

/// Type of the result for operands of a precision.
pub(super) fn result(element: ElementType) -> Scalar {
    match element {
        ElementType::Mixed => Scalar::F32,
        ElementType::I8 => Scalar::I32,
        _ => element.scalar(),
    }
}

/// Elements from one row to the next of an operand that runs along k.
fn pitch(k: u64, element: ElementType) -> u64 {
    if element == ElementType::I8 { k.next_multiple_of(4) } else { k }
}

impl Gemm {
    fn dots(&self, instance: &Instance, pairs: &[(u64, Vec<u64>)]) -> Vec<Vec<Dot>> {
        let (n, k) = (instance.shape.get("n"), instance.shape.get("k"));
        let (a, b) = (self.inputs(instance, 0), self.inputs(instance, 1));
        let pitch = pitch(k, instance.element);
        let transposed = instance.element == ElementType::I8;
        let factors = Factors {
            rows: &|row, first, out| a.fill(row * pitch + first, out),
            columns: &|inner, column| b.at(if transposed { column * pitch + inner } else { inner * n + column }),
            smallest: [a.element().min_positive(), b.element().min_positive()],
        };
        factors.products(k, pairs)
    }
}

impl Problem for Gemm {
    fn id(&self) -> &'static str {
        "gemm"
    }
    fn summary(&self) -> &'static str {
        "Product of two matrices; f32, f16, f16 with f32 results, or int8 with i32 results"
    }
    fn formula(&self) -> &'static str {
        "C[m,n] = A[m,k]·B[k,n]; FLOP (int8: integer operations) = 2·m·n·k; bytes = e·(m·k + k·n) + e_c·m·n"
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
    fn supports(&self, element: ElementType) -> bool {
        supports(element)
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        let extent = match class {
            DeviceClass::Hardware => 4096,
            DeviceClass::Software => 512,
        };
        Shape::new([("m", extent), ("n", extent), ("k", extent)])
    }
    /// Padding is no compulsory traffic.
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [m, n, k] = extents(shape, ["m", "n", "k"]);
        work(2.0 * m * n * k, element.bytes() * (m * k + k * n) + result(element).bytes() as f64 * m * n)
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (m, n, k) = (shape.get("m"), shape.get("n"), shape.get("k"));
        let (scalar, pitch) = (element.scalar(), pitch(k, element));
        // The product has the same length in both orders.
        vec![input("a", scalar, &[m, pitch]), input("b", scalar, &[pitch, n]), output("c", result(element), &[m, n])]
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        shape.get(if tensor == 0 { "k" } else { "n" })
    }
    /// Stored elements: in int8 with the padding, which is 0.
    fn fill(&self, instance: &Instance, tensor: usize, first: u64, out: &mut [f32]) {
        self.inputs(instance, tensor).fill(first, out);
        let k = instance.shape.get("k");
        let pitch = pitch(k, instance.element);
        if pitch != k {
            let padding = |(place, _): &(usize, &mut f32)| (first + *place as u64) % pitch >= k;
            out.iter_mut().enumerate().filter(padding).for_each(|(_, value)| *value = 0.0);
        }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let (m, n) = (instance.shape.get("m"), instance.shape.get("n"));
        if tensor != 2 || index >= m * n {
            return f64::NAN;
        }
        self.dots(instance, &[(index / n, vec![index % n])])[0][0].value
    }
    /// The bound is that of a sum of k products, in any order, in the precision that results have (f32 at least, or f16).
    /// Sums of int8 are exact, and none is expected where one could leave 32 bits: nothing passes there.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let (m, n, k) = (instance.shape.get("m"), instance.shape.get("n"), instance.shape.get("k"));
        if instance.element == ElementType::I8 && k > MOST_TERMS_I8 {
            return Vec::new();
        }
        let pairs = samples::grid(m, n, samples, SAMPLED_ROWS, &mut Picks::new(pick));
        let one = |dot: &Dot| (dot.value, dot.bound_in(k, instance.element, instance.pattern));
        let found = self.dots(instance, &pairs).iter().map(|row| row.iter().map(one).collect()).collect();
        expect(2, n, &pairs, found)
    }
    fn refuses(&self, instance: &Instance) -> Option<String> {
        if instance.element == ElementType::F16 { refused_in_f16(instance, instance.shape.get("k")) } else { None }
    }
    fn product<'a>(&'a self, instance: &'a Instance) -> Option<Product<'a>> {
        let [m, n, k] = ["m", "n", "k"].map(|axis| instance.shape.get(axis));
        let product = Product::of(self, instance, [0, 1, 2], [1, m, n, k])?;
        if instance.element != ElementType::I8 {
            return Some(product);
        }
        // Padded rows, and B transposed.
        let (a, b, pitch) = (self.inputs(instance, 0), self.inputs(instance, 1), pitch(k, instance.element));
        let column = move |inner: u64, column: u64| b.at(column * pitch + inner) as f32;
        (k <= MOST_TERMS_I8).then(|| Product {
            left: Box::new(move |_, row, out| a.fill(row * pitch, out)),
            right: Box::new(move |_, row, out| (0..).zip(out).for_each(|(at, slot)| *slot = column(row, at))),
            ..product
        })
    }
}
