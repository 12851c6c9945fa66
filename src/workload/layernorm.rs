//! Layer normalisation of rows, with a weight and a bias per column (Ba, Kiros and Hinton 2016).
//!
//! What surprises people: the variance divides by the number of columns, not by one less, and a row of one column is its
//! bias alone.

use super::bounds::{DIVISION, INVERSE_SQRT, U32, accumulation, stored};
use super::dot::expect;
use super::gemm::SAMPLED_ROWS;
use super::rmsnorm::BLOCK;
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Shape, Work};

/// Added to the variance, as in most models.
const EPSILON: f64 = 1e-5;

/// The problem `layernorm`.
pub(super) struct LayerNorm;

/// Mean of a row, its mean magnitude, and its variance.
struct Moments {
    mean: f64,
    magnitude: f64,
    variance: f64,
}

impl LayerNorm {
    fn moments(&self, instance: &Instance, row: u64) -> Moments {
        let (x, cols) = (self.inputs(instance, 0), instance.shape.get("cols"));
        let mut block = vec![0_f32; BLOCK.min(cols as usize)];
        let mut average = |term: &dyn Fn(f64) -> f64| {
            let mut sum = 0.0;
            for first in (0..cols).step_by(BLOCK) {
                let part = &mut block[..BLOCK.min((cols - first) as usize)];
                x.fill(row * cols + first, part);
                sum += part.iter().map(|value| term(f64::from(*value))).sum::<f64>();
            }
            sum / cols as f64
        };
        let mean = average(&|value| value);
        let magnitude = average(&|value| value.abs());
        Moments { mean, magnitude, variance: average(&|value| (value - mean).powi(2)) }
    }

    /// Values and bounds of some columns of a row.
    ///
    /// The mean carries the error of its sum. The variance may be the mean square less the squared mean, so its error is
    /// that of two sums of squares; a relative error is halved by the root. Then follow the difference, the inverse square
    /// root (or root and division), two products and the bias.
    fn row(&self, instance: &Instance, row: u64, columns: &[u64]) -> Vec<(f64, f64)> {
        let [x, weight, bias] = [0, 1, 2].map(|tensor| self.inputs(instance, tensor));
        let cols = instance.shape.get("cols");
        let moments = self.moments(instance, row);
        let factor = 1.0 / (moments.variance + EPSILON).sqrt();
        let sums = accumulation(cols) + DIVISION + 2.0;
        let mean_error = U32 * (sums * moments.magnitude + 2.0 * moments.mean.abs());
        let square = moments.variance + moments.mean.powi(2);
        let relative = sums * square / (moments.variance + EPSILON) + 1.0 + INVERSE_SQRT + DIVISION + 6.0;
        let value = |column: &u64| {
            let (weight, bias) = (weight.at(*column), bias.at(*column));
            let centred = x.at(row * cols + column) - moments.mean;
            let normal = centred * factor * weight;
            let value = normal + bias;
            let shift = mean_error * factor * weight.abs();
            let bound = shift + U32 * (relative * normal.abs() + 2.0 * value.abs());
            (value, stored(instance.element.scalar(), value, bound))
        };
        columns.iter().map(value).collect()
    }
}

impl Problem for LayerNorm {
    fn id(&self) -> &'static str {
        "layernorm"
    }
    fn summary(&self) -> &'static str {
        "Layer normalisation of rows, with weight and bias"
    }
    fn formula(&self) -> &'static str {
        "y = (x − mean(x)) / sqrt(var(x) + 1e-5) · weight + bias, by row; FLOP = 8·rows·cols; bytes = e·(2·rows·cols + 2·cols)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[Axis { name: "rows", meaning: "rows, each normalised" }, Axis { name: "cols", meaning: "elements of a row" }]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16)
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("rows", 32768), ("cols", 4096)]),
            DeviceClass::Software => Shape::new([("rows", 2048), ("cols", 1024)]),
        }
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [rows, cols] = extents(shape, ["rows", "cols"]);
        work(8.0 * rows * cols, element.bytes() * (2.0 * rows * cols + 2.0 * cols))
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (rows, cols, scalar) = (shape.get("rows"), shape.get("cols"), element.scalar());
        vec![
            input("x", scalar, &[rows, cols]),
            input("weight", scalar, &[cols]),
            input("bias", scalar, &[cols]),
            output("y", scalar, &[rows, cols]),
        ]
    }
    fn row_length(&self, shape: &Shape, _tensor: usize) -> u64 {
        shape.get("cols")
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let (rows, cols) = (instance.shape.get("rows"), instance.shape.get("cols"));
        if tensor != 3 || index >= rows * cols {
            return f64::NAN;
        }
        self.row(instance, index / cols, &[index % cols])[0].0
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let (rows, cols) = (instance.shape.get("rows"), instance.shape.get("cols"));
        let pairs = samples::grid(rows, cols, samples, SAMPLED_ROWS, &mut Picks::new(pick));
        let found = pairs.iter().map(|(row, columns)| self.row(instance, *row, columns)).collect();
        expect(3, cols, &pairs, found)
    }
}
