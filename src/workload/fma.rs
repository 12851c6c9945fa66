//! Arithmetic probe: chains of multiply-adds, the ceiling of FLOP/s (and of integer operations per second).
//!
//! Each oscillator is a point that is rotated step by step with two multiply-adds. The map has determinant 1, so values
//! neither grow nor die, and the final phase proves that every step ran: one step more or less turns it by 0.4 rad. In
//! integers the same map wraps around modulo 2^32 and is exact. What surprises people: the reference takes the steps at
//! once, as a power of a 2×2 matrix.

use super::bounds::random_walk;
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Shape, Work};

/// Rotation per step, exact in f16. Public in the contract with the shaders.
const S: f64 = 13.0 / 32.0;

/// The factor of the integer map: 2^31 over the golden ratio, made odd, so that it mixes all bits and no compiler finds a
/// cheaper sum of shifts for it. Public in the contract with the shaders.
const M: u32 = 1_327_217_885;

/// Most steps: beyond, roundings in f16 could hide the phase, and a dispatch would only run longer (set n instead).
const MAX_STEPS: u64 = 1 << 13;

/// The problem `fma`.
pub(super) struct Fma;

/// Error of the reference per step, in units of u times the amplitude, at most: four products and two sums for each entry.
const REFERENCE_PER_STEP: f64 = 8.0;

type Matrix = [[f64; 2]; 2];

/// One step, x ← x − S·y, then y ← y + S·x with the new x, as a matrix.
const STEP: Matrix = [[1.0, -S], [S, 1.0 - S * S]];

fn multiply(a: &Matrix, b: &Matrix) -> Matrix {
    let entry = |i: usize, j: usize| a[i][0] * b[0][j] + a[i][1] * b[1][j];
    [[entry(0, 0), entry(0, 1)], [entry(1, 0), entry(1, 1)]]
}

/// `STEP` to the power of `steps`, by squaring.
fn steps(mut count: u64) -> Matrix {
    let (mut result, mut square) = ([[1.0, 0.0], [0.0, 1.0]], STEP);
    while count > 0 {
        if count % 2 == 1 {
            result = multiply(&result, &square);
        }
        square = multiply(&square, &square);
        count /= 2;
    }
    result
}

/// The same for integers, modulo 2^32, with `M` in place of `S`.
fn integer_steps(mut count: u64) -> [[u32; 2]; 2] {
    let product = |a: &[[u32; 2]; 2], b: &[[u32; 2]; 2]| {
        let entry = |i: usize, j: usize| a[i][0].wrapping_mul(b[0][j]).wrapping_add(a[i][1].wrapping_mul(b[1][j]));
        [[entry(0, 0), entry(0, 1)], [entry(1, 0), entry(1, 1)]]
    };
    let mut square = [[1, M.wrapping_neg()], [M, 1_u32.wrapping_sub(M.wrapping_mul(M))]];
    let mut result = [[1, 0], [0, 1]];
    while count > 0 {
        if count % 2 == 1 {
            result = product(&result, &square);
        }
        square = product(&square, &square);
        count /= 2;
    }
    result
}

/// All steps of an oscillator at once.
enum Power {
    Float(Matrix),
    Integer([[u32; 2]; 2]),
}

impl Power {
    fn of(instance: &Instance) -> Self {
        let count = instance.shape.get("steps");
        if instance.element.is_integer() { Self::Integer(integer_steps(count)) } else { Self::Float(steps(count)) }
    }
}

impl Fma {
    /// Both outputs of an oscillator, and the bound of each: none for integers.
    fn oscillator(&self, instance: &Instance, index: u64, power: &Power) -> ([f64; 2], f64) {
        match power {
            Power::Float(power) => self.float_oscillator(instance, index, power),
            Power::Integer(power) => {
                let state = self.inputs(instance, 0);
                let [x, y] = [2 * index, 2 * index + 1].map(|at| state.at(at) as i32 as u32);
                let moved = power.map(|[a, b]| a.wrapping_mul(x).wrapping_add(b.wrapping_mul(y)));
                (moved.map(|word| f64::from(word as i32)), 0.0)
            }
        }
    }

    /// Both outputs of an oscillator, and the bound of each.
    ///
    /// The orbit is an ellipse whose half-axes differ by the factor √((1 + S/2)/(1 − S/2)) = 1.23; its larger half-axis
    /// is at most that times the radius. Every step adds two roundings of at most u times it (in f16 a value may also be
    /// flushed below 2^-14), and the rotation carries them along without growth: a random walk. In f64 the reference itself
    /// has an error of that size: each squaring of the matrix doubles it, so that it grows with the number of steps.
    fn float_oscillator(&self, instance: &Instance, index: u64, power: &Matrix) -> ([f64; 2], f64) {
        let state = self.inputs(instance, 0);
        let (x, y) = (state.at(2 * index), state.at(2 * index + 1));
        let amplitude = ((1.0 + S / 2.0) / (1.0 - S / 2.0)).sqrt() * x.hypot(y);
        let smallest_normal = instance.element.scalar().min_positive();
        let rounding = (instance.element.unit_roundoff() * amplitude).max(smallest_normal);
        let moved = [power[0][0] * x + power[0][1] * y, power[1][0] * x + power[1][1] * y];
        let steps = instance.shape.get("steps");
        let reference = if instance.element == ElementType::F64 { REFERENCE_PER_STEP * steps as f64 } else { 0.0 };
        (moved, (random_walk(steps) + reference) * rounding)
    }
}

impl Problem for Fma {
    fn id(&self) -> &'static str {
        "fma"
    }
    fn summary(&self) -> &'static str {
        "Chains of multiply-adds that rotate oscillators: the ceiling of vector arithmetic"
    }
    fn formula(&self) -> &'static str {
        "steps times x = fma(-s, y, x), y = fma(s, x, y); s = 13/32, for i32 1327217885; FLOP = 4·n·steps; bytes = 4·n·e"
    }
    fn axes(&self) -> &'static [Axis] {
        &[Axis { name: "n", meaning: "oscillators" }, Axis { name: "steps", meaning: "steps of each" }]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16 | ElementType::F64 | ElementType::I32)
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        let steps = shape.get("steps");
        (steps > MAX_STEPS).then(|| {
            format!("steps is {steps}, and beyond {MAX_STEPS} f16 roundings could hide a missing step; set n instead")
        })
    }
    /// On hardware 33·2^16 oscillators, so that the default variant's workgroups also fill 132 multiprocessors evenly. One
    /// dispatch takes 50 ms on a device of 0.7 TFLOP/s.
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("n", 33 << 16), ("steps", 4096)]),
            DeviceClass::Software => Shape::new([("n", 1 << 15), ("steps", 4096)]),
        }
    }
    /// An eighth of the work in f64, which many boards do at a thirty-second of the rate or less.
    fn default_shape_for(&self, class: DeviceClass, element: ElementType) -> Shape {
        match (class, element) {
            (DeviceClass::Hardware, ElementType::F64) => Shape::new([("n", 33 << 14), ("steps", 2048)]),
            // Software adapters compute f16 and f64 element by element.
            (DeviceClass::Software, ElementType::F64 | ElementType::F16) => {
                Shape::new([("n", 1 << 13), ("steps", 1024)])
            }
            _ => self.default_shape(class),
        }
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [n, steps] = extents(shape, ["n", "steps"]);
        work(4.0 * n * steps, 4.0 * n * element.bytes())
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let n = shape.get("n");
        let scalar = element.scalar();
        vec![input("state", scalar, &[n, 2]), output("result", scalar, &[n, 2])]
    }
    fn row_length(&self, _shape: &Shape, _tensor: usize) -> u64 {
        2
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        if tensor != 1 || index >= 2 * instance.shape.get("n") {
            return f64::NAN;
        }
        let (moved, _) = self.oscillator(instance, index / 2, &Power::of(instance));
        moved[(index % 2) as usize]
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let power = Power::of(instance);
        let want = samples.div_ceil(2) as usize;
        let chosen = samples::axis(instance.shape.get("n"), want, &mut Picks::new(pick));
        let both = chosen.into_iter().flat_map(|oscillator| {
            let (moved, bound) = self.oscillator(instance, oscillator, &power);
            [0, 1].map(|part| Expected { tensor: 1, index: 2 * oscillator + part, value: moved[part as usize], bound })
        });
        both.collect()
    }
}
