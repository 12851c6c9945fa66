//! Softmax of rows.
//!
//! What surprises people: the FLOP count takes an exponential for one operation, as is the custom, so its FLOP/s say
//! little beside those of a matrix product.

use super::bounds::{DIVISION, U32, accumulation, exponential, rescaling};
use super::dot::expect;
use super::gemm::SAMPLED_ROWS;
use super::rmsnorm::BLOCK;
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// The problem `softmax`.
pub(super) struct Softmax;

impl Softmax {
    /// Values and bounds of some columns of a row.
    ///
    /// An output is exp(x − max) over the sum of all: the error of its own exponential, the mean error of all
    /// exponentials weighted by themselves, the accumulation of the sum, a possible online rescaling, and the division.
    fn row(&self, instance: &Instance, row: u64, columns: &[u64]) -> Vec<(f64, f64)> {
        let x = self.inputs(instance, 0);
        let cols = instance.shape.get("cols");
        let (mut most, mut least) = (f64::NEG_INFINITY, f64::INFINITY);
        for_each(instance, self, row, |value| (most, least) = (most.max(value), least.min(value)));
        let (mut sum, mut error) = (0.0, 0.0);
        for_each(instance, self, row, |value| {
            let term = (value - most).exp();
            (sum, error) = (sum + term, error + term * exponential(value - most));
        });
        let common = error / sum + accumulation(cols) + rescaling(cols, most - least) + DIVISION + 1.0;
        let found = columns.iter().map(|column| {
            let argument = x.at(row * cols + column) - most;
            let value = argument.exp() / sum;
            (value, U32 * (exponential(argument) + common) * value + f64::from(f32::MIN_POSITIVE))
        });
        found.collect()
    }
}

fn for_each(instance: &Instance, problem: &Softmax, row: u64, mut visit: impl FnMut(f64)) {
    let (x, cols) = (problem.inputs(instance, 0), instance.shape.get("cols"));
    let mut block = vec![0_f32; BLOCK.min(cols as usize)];
    for first in (0..cols).step_by(BLOCK) {
        let part = &mut block[..BLOCK.min((cols - first) as usize)];
        x.fill(row * cols + first, part);
        part.iter().for_each(|value| visit(f64::from(*value)));
    }
}

impl Problem for Softmax {
    fn id(&self) -> &'static str {
        "softmax"
    }
    fn summary(&self) -> &'static str {
        "Softmax of rows"
    }
    fn formula(&self) -> &'static str {
        "y = exp(x − max(x)) / Σ exp(x − max(x)), by row; FLOP = 5·rows·cols; bytes = 8·rows·cols"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "rows", meaning: "rows, each summing to 1" },
            Axis { name: "cols", meaning: "elements of a row" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("rows", 32768), ("cols", 4096)]),
            DeviceClass::Software => Shape::new([("rows", 2048), ("cols", 2048)]),
        }
    }
    fn work(&self, shape: &Shape, _element: ElementType) -> Work {
        let [rows, cols] = extents(shape, ["rows", "cols"]);
        work(5.0 * rows * cols, 8.0 * rows * cols)
    }
    fn tensors(&self, shape: &Shape, _element: ElementType) -> Vec<Tensor> {
        let extents = [shape.get("rows"), shape.get("cols")];
        vec![input("x", Scalar::F32, &extents), output("y", Scalar::F32, &extents)]
    }
    fn row_length(&self, shape: &Shape, _tensor: usize) -> u64 {
        shape.get("cols")
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let (rows, cols) = (instance.shape.get("rows"), instance.shape.get("cols"));
        if tensor != 1 || index >= rows * cols {
            return f64::NAN;
        }
        self.row(instance, index / cols, &[index % cols])[0].0
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let (rows, cols) = (instance.shape.get("rows"), instance.shape.get("cols"));
        let pairs = samples::grid(rows, cols, samples, SAMPLED_ROWS, &mut Picks::new(pick));
        let found = pairs.iter().map(|(row, columns)| self.row(instance, *row, columns)).collect();
        expect(1, cols, &pairs, found)
    }
}
