//! Memory probes: read, write, copy, triad and dot, the ceilings of bandwidth (after McCalpin's STREAM and BabelStream).
//!
//! What surprises people: `memory-read` and `memory-dot` have to reduce what they read, or a compiler would drop the loads;
//! their sums are few and count for little; n need not be a multiple of them. `memory-write` writes another word at
//! every place, so that no memory system can squeeze them. Copies and writes are checked to the last bit.

use super::bounds::{EITHER_ZERO, U32, accumulation};
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// The scalar of the triad, as f32.
const SCALAR: f32 = 0.4;

/// Which traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traffic {
    Read,
    Write,
    Copy,
    Triad,
    Dot,
}

/// One of the problems `memory-read`, `memory-write`, `memory-copy`, `memory-triad`, `memory-dot`.
pub(super) struct Memory(Traffic);

/// `memory-read`.
pub(super) static READ: Memory = Memory(Traffic::Read);
/// `memory-write`.
pub(super) static WRITE: Memory = Memory(Traffic::Write);
/// `memory-copy`.
pub(super) static COPY: Memory = Memory(Traffic::Copy);
/// `memory-triad`.
pub(super) static TRIAD: Memory = Memory(Traffic::Triad);
/// `memory-dot`.
pub(super) static DOT: Memory = Memory(Traffic::Dot);

/// Words that `memory-write` adds the place to.
const BASES: u64 = 4;

impl Memory {
    const fn output_tensor(&self) -> usize {
        match self.0 {
            Traffic::Read | Traffic::Write | Traffic::Copy => 1,
            Traffic::Triad | Traffic::Dot => 2,
        }
    }
    /// Whether what is read is reduced to `lanes` sums.
    const fn reduces(&self) -> bool {
        matches!(self.0, Traffic::Read | Traffic::Dot)
    }
    fn output_len(&self, shape: &Shape) -> u64 {
        shape.get(if self.reduces() { "lanes" } else { "n" })
    }
    /// Value and bound of one output element.
    fn element(&self, instance: &Instance, index: u64) -> (f64, f64) {
        let first = self.inputs(instance, 0);
        match self.0 {
            Traffic::Copy => (first.at(index), 0.0),
            Traffic::Write => (f64::from((first.at(index % BASES) as u32).wrapping_add(index as u32)), 0.0),
            // One rounding for the product and one for the sum; WGSL promises a neighbour of each, 2 u at most.
            Traffic::Triad => {
                let (b, product) = (first.at(index), f64::from(SCALAR) * self.inputs(instance, 1).at(index));
                (b + product, (4.0 * U32 * (b.abs() + product.abs())).max(EITHER_ZERO))
            }
            Traffic::Read | Traffic::Dot => {
                let (n, lanes) = (instance.shape.get("n"), instance.shape.get("lanes"));
                let second = (self.0 == Traffic::Dot).then(|| self.inputs(instance, 1));
                let (mut sum, mut magnitude, mut terms) = (0.0, 0.0, 0);
                for at in (index..n).step_by(lanes as usize) {
                    let value = first.at(at) * second.map_or(1.0, |second| second.at(at));
                    (sum, magnitude, terms) = (sum + value, magnitude + value.abs(), terms + 1);
                }
                (sum, (accumulation(terms) * U32 * magnitude).max(EITHER_ZERO))
            }
        }
    }
}

impl Problem for Memory {
    fn id(&self) -> &'static str {
        match self.0 {
            Traffic::Read => "memory-read",
            Traffic::Write => "memory-write",
            Traffic::Dot => "memory-dot",
            Traffic::Copy => "memory-copy",
            Traffic::Triad => "memory-triad",
        }
    }
    fn summary(&self) -> &'static str {
        match self.0 {
            Traffic::Read => "Read an array once and reduce it to few sums",
            Traffic::Write => "Write an array",
            Traffic::Dot => "Dot product of two arrays, reduced to few sums",
            Traffic::Copy => "Copy an array",
            Traffic::Triad => "Scaled sum of two arrays",
        }
    }
    fn formula(&self) -> &'static str {
        match self.0 {
            Traffic::Read => "s[j] = Σ_i a[i·lanes + j]; FLOP = n; bytes = 4·(n + lanes)",
            Traffic::Write => "c[i] = base[i mod 4] + i, in 32-bit words; FLOP = 0; bytes = 4·(n + 4)",
            Traffic::Copy => "c[i] = a[i]; FLOP = 0; bytes = 8·n",
            Traffic::Dot => "s[j] = Σ_i a[i·lanes + j]·b[i·lanes + j]; FLOP = 2·n; bytes = 4·(2·n + lanes)",
            Traffic::Triad => "a[i] = b[i] + 0.4·c[i]; FLOP = 2·n; bytes = 12·n",
        }
    }
    fn axes(&self) -> &'static [Axis] {
        const AXES: [Axis; 2] = [
            Axis { name: "n", meaning: "elements of an array" },
            Axis { name: "lanes", meaning: "sums that are kept, of every lanes-th element" },
        ];
        if self.reduces() { &AXES } else { &AXES[..1] }
    }
    fn counted(&self) -> Counted {
        Counted::Bytes
    }
    /// Arrays of 512 MiB on hardware: beyond most caches, and well below the 2 GiB that one binding can hold.
    fn default_shape(&self, class: DeviceClass) -> Shape {
        let (n, lanes) = match class {
            DeviceClass::Hardware => (1 << 27, 1 << 19),
            DeviceClass::Software => (1 << 22, 1 << 14),
        };
        if self.reduces() { Shape::new([("n", n), ("lanes", lanes)]) } else { Shape::new([("n", n)]) }
    }
    fn work(&self, shape: &Shape, _element: ElementType) -> Work {
        let [n, lanes] = extents(shape, ["n", "lanes"]);
        match self.0 {
            Traffic::Read => work(n, 4.0 * (n + lanes)),
            Traffic::Write => work(0.0, 4.0 * (n + BASES as f64)),
            Traffic::Copy => work(0.0, 8.0 * n),
            Traffic::Dot => work(2.0 * n, 4.0 * (2.0 * n + lanes)),
            Traffic::Triad => work(2.0 * n, 12.0 * n),
        }
    }
    fn tensors(&self, shape: &Shape, _element: ElementType) -> Vec<Tensor> {
        let (f32, n) = (Scalar::F32, [shape.get("n")]);
        let sums = || output("sums", f32, &[shape.get("lanes")]);
        match self.0 {
            Traffic::Read => vec![input("a", f32, &n), sums()],
            Traffic::Write => vec![input("base", Scalar::U32, &[BASES]), output("c", Scalar::U32, &n)],
            Traffic::Dot => vec![input("a", f32, &n), input("b", f32, &n), sums()],
            Traffic::Copy => vec![input("a", f32, &n), output("c", f32, &n)],
            Traffic::Triad => vec![input("b", f32, &n), input("c", f32, &n), output("a", f32, &n)],
        }
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        if tensor == self.output_tensor() { self.output_len(shape) } else { shape.get("n") }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        if tensor != self.output_tensor() || index >= self.output_len(&instance.shape) {
            return f64::NAN;
        }
        self.element(instance, index).0
    }
    /// Copy and write are exact, triad within two roundings (BabelStream's own limit, 100 ε, would pass a kernel that drops seven
    /// bits), sums within the bound of a sum of n/lanes terms in any order.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let chosen = samples::axis(self.output_len(&instance.shape), samples as usize, &mut Picks::new(pick));
        let tensor = self.output_tensor();
        let expected = chosen.into_iter().map(|index| {
            let (value, bound) = self.element(instance, index);
            Expected { tensor, index, value, bound }
        });
        expected.collect()
    }
}
