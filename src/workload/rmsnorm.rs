//! Root-mean-square normalisation of rows, with a weight per column (Zhang and Sennrich 2019).
//!
//! What surprises people: weights are standard normal like every input, so outputs change sign from column to column
//! and a shifted column never passes.

use super::bounds::{DIVISION, INVERSE_SQRT, U32, accumulation};
use super::dot::expect;
use super::gemm::SAMPLED_ROWS;
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// Added to the mean square, as in the Llama models.
pub(super) const EPSILON: f64 = 1e-5;

/// Elements of a row that are generated at a time.
pub(super) const BLOCK: usize = 4096;

/// The problem `rmsnorm`.
pub(super) struct RmsNorm;

impl RmsNorm {
    /// Values and bounds of some columns of a row.
    ///
    /// A relative error in the sum of squares is halved by the root; then follow division by the count, addition of
    /// epsilon, inverse square root (or root and division) and two products.
    fn row(&self, instance: &Instance, row: u64, columns: &[u64]) -> Vec<(f64, f64)> {
        let (x, weight) = (self.inputs(instance, 0), self.inputs(instance, 1));
        let cols = instance.shape.get("cols");
        let mut block = vec![0_f32; BLOCK.min(cols as usize)];
        let mut squares = 0.0;
        for first in (0..cols).step_by(BLOCK) {
            let part = &mut block[..BLOCK.min((cols - first) as usize)];
            x.fill(row * cols + first, part);
            squares += part.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
        }
        let factor = 1.0 / (squares / cols as f64 + EPSILON).sqrt();
        let relative = U32 * (accumulation(cols) / 2.0 + DIVISION / 2.0 + 1.0 + INVERSE_SQRT + DIVISION + 4.0);
        let value = |column: &u64| x.at(row * cols + column) * factor * weight.at(*column);
        columns.iter().map(value).map(|value| (value, relative * value.abs())).collect()
    }
}

impl Problem for RmsNorm {
    fn id(&self) -> &'static str {
        "rmsnorm"
    }
    fn summary(&self) -> &'static str {
        "Root-mean-square normalisation of rows"
    }
    fn formula(&self) -> &'static str {
        "y = x / sqrt(mean(x²) + 1e-5) · weight, by row; FLOP = 4·rows·cols; bytes = 4·(2·rows·cols + cols)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[Axis { name: "rows", meaning: "rows, each normalised" }, Axis { name: "cols", meaning: "elements of a row" }]
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
        work(4.0 * rows * cols, 4.0 * (2.0 * rows * cols + cols))
    }
    fn tensors(&self, shape: &Shape, _element: ElementType) -> Vec<Tensor> {
        let (rows, cols) = (shape.get("rows"), shape.get("cols"));
        let f32 = Scalar::F32;
        vec![input("x", f32, &[rows, cols]), input("weight", f32, &[cols]), output("y", f32, &[rows, cols])]
    }
    fn row_length(&self, shape: &Shape, _tensor: usize) -> u64 {
        shape.get("cols")
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let (rows, cols) = (instance.shape.get("rows"), instance.shape.get("cols"));
        if tensor != 2 || index >= rows * cols {
            return f64::NAN;
        }
        self.row(instance, index / cols, &[index % cols])[0].0
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let (rows, cols) = (instance.shape.get("rows"), instance.shape.get("cols"));
        let pairs = samples::grid(rows, cols, samples, SAMPLED_ROWS, &mut Picks::new(pick));
        let found = pairs.iter().map(|(row, columns)| self.row(instance, *row, columns)).collect();
        expect(2, cols, &pairs, found)
    }
}
