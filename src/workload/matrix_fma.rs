//! Probe of the matrix units: accumulators in registers, to which products of two matrices in registers are added.
//!
//! Odd steps add A₀·B, even ones A₁·B with A₁ = E − A₀, where E has one small element in each row: two steps move an
//! accumulator by E·B only. So every result is a whole multiple of 1/32 that f16 holds exactly, whatever the order of
//! summation, and a missing step shows. What surprises people: equality is demanded to the last bit.

use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// Matrices A (for odd and for even steps each) and B that there are; accumulator t takes A number t mod 4 and B number
/// t/4 mod 4. Public in the contract with the shaders.
const OPERANDS: u64 = 4;

/// Accumulators that there must be a multiple of, so that each pair of operands meets equally often.
const GROUP: u64 = OPERANDS * OPERANDS;

/// Most steps: 16·1·1.5 for A·B and 256·1.5/16 for E·B are 48, below 64, which f16 divides into steps of 1/32.
const MAX_STEPS: u64 = 512;

/// The element of each row of E, and the spacing of the elements of A.
const QUANTUM: f64 = 1.0 / 16.0;

/// Tiles that a reference touches.
const SAMPLED_TILES: usize = 64;

/// The problem `matrix-fma`.
pub(super) struct MatrixFma;

/// Rows, columns and depth of the matrices: what devices have for these types.
fn side(element: ElementType) -> u64 {
    if element == ElementType::F32 { 8 } else { 16 }
}

/// Type of accumulators and results.
fn accumulator(element: ElementType) -> Scalar {
    if element == ElementType::Mixed { Scalar::F32 } else { element.scalar() }
}

impl MatrixFma {
    /// One element of an operand tensor, a multiple of 1/16 from -1 to 1 for A; ±1 or ±1.5 (or 0) for B.
    fn operand(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let side = side(instance.element);
        let values = self.inputs(instance, tensor);
        if tensor == 1 {
            let value = values.at(index);
            let magnitude = if value.abs() > 1.0 { 1.5 } else { 1.0 };
            return if value == 0.0 { 0.0 } else { magnitude * value.signum() };
        }
        let half = OPERANDS * side * side;
        let value = ((values.at(index % half) / QUANTUM).round() * QUANTUM).clamp(-1.0, 1.0);
        if index < half {
            return value;
        }
        let (row, column) = (index / side % side, index % side);
        (if column == (row + 1) % side { QUANTUM } else { 0.0 }) - value
    }

    /// Value of one element of a tile after all steps.
    fn element(&self, instance: &Instance, tile: u64, within: u64) -> f64 {
        let side = side(instance.element);
        let (row, column) = (within / side, within % side);
        let (of_a, of_b) = (tile % OPERANDS, tile / OPERANDS % OPERANDS);
        let product = |parity: u64| -> f64 {
            let a = |k: u64| self.operand(instance, 0, ((parity * OPERANDS + of_a) * side + row) * side + k);
            let b = |k: u64| self.operand(instance, 1, (of_b * side + k) * side + column);
            (0..side).map(|k| a(k) * b(k)).sum()
        };
        let steps = instance.shape.get("steps");
        steps.div_ceil(2) as f64 * product(0) + (steps / 2) as f64 * product(1)
    }
}

impl Problem for MatrixFma {
    fn id(&self) -> &'static str {
        "matrix-fma"
    }
    fn summary(&self) -> &'static str {
        "Chains of matrix multiply-adds in registers: the ceiling of the matrix units"
    }
    fn formula(&self) -> &'static str {
        "steps times C = A·B + C with s×s matrices (s = 8 for f32, else 16); FLOP = 2·s³·n·steps; bytes = e·(12·s² + n·s²)"
    }
    fn axes(&self) -> &'static [Axis] {
        &[Axis { name: "n", meaning: "accumulators C" }, Axis { name: "steps", meaning: "steps of each" }]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::Mixed | ElementType::F16 | ElementType::F32)
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        let (n, steps) = (shape.get("n"), shape.get("steps"));
        if n % GROUP != 0 {
            return Some(format!("n must be a multiple of {GROUP}, and {n} is none"));
        }
        (steps > MAX_STEPS).then(|| format!("steps is {steps}, and beyond {MAX_STEPS} f16 is not exact; set n instead"))
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("n", 1 << 18), ("steps", MAX_STEPS)]),
            DeviceClass::Software => Shape::new([("n", 1 << 8), ("steps", MAX_STEPS)]),
        }
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [n, steps] = extents(shape, ["n", "steps"]);
        let side = side(element) as f64;
        let (operands, results) = ((3 * OPERANDS) as f64 * element.bytes(), n * accumulator(element).bytes() as f64);
        work(2.0 * side.powi(3) * n * steps, side * side * (operands + results))
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (side, scalar) = (side(element), element.scalar());
        vec![
            input("a", scalar, &[2, OPERANDS, side, side]),
            input("b", scalar, &[OPERANDS, side, side]),
            output("c", accumulator(element), &[shape.get("n"), side, side]),
        ]
    }
    fn row_length(&self, _shape: &Shape, _tensor: usize) -> u64 {
        GROUP
    }
    fn fill(&self, instance: &Instance, tensor: usize, first: u64, out: &mut [f32]) {
        for (index, slot) in (first..).zip(out) {
            *slot = self.operand(instance, tensor, index) as f32;
        }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let tile = side(instance.element).pow(2);
        if tensor != 2 || index >= tile * instance.shape.get("n") {
            return f64::NAN;
        }
        self.element(instance, index / tile, index % tile)
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let tile = side(instance.element).pow(2);
        let chosen = samples::grid(instance.shape.get("n"), tile, samples, SAMPLED_TILES, &mut Picks::new(pick));
        let expect = |number: u64, within: u64| Expected {
            tensor: 2,
            index: number * tile + within,
            value: self.element(instance, number, within),
            bound: 0.0,
        };
        chosen.into_iter().flat_map(|(number, own)| own.into_iter().map(move |within| expect(number, within))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataPattern;

    const ELEMENTS: [ElementType; 3] = [ElementType::Mixed, ElementType::F16, ElementType::F32];

    fn instance(element: ElementType, pattern: DataPattern, steps: u64) -> Instance {
        Instance { shape: Shape::new([("n", 32), ("steps", steps)]), element, pattern, seed: 11 }
    }

    /// One element step by step, with every partial sum rounded to f16 as the strictest hardware would.
    fn stepwise(instance: &Instance, tile: u64, row: u64, column: u64) -> f64 {
        let side = side(instance.element);
        let values = |tensor: usize, len: u64| {
            let mut values = vec![0_f32; len as usize];
            MatrixFma.fill(instance, tensor, 0, &mut values);
            values
        };
        let (a, b) = (values(0, 8 * side * side), values(1, 4 * side * side));
        let mut sum = 0.0_f64;
        for step in 0..instance.shape.get("steps") {
            for k in 0..side {
                let left = a[((((step % 2) * 4 + tile % 4) * side + row) * side + k) as usize];
                let right = b[(((tile / 4 % 4) * side + k) * side + column) as usize];
                sum = half::f16::from_f64(sum + f64::from(left * right)).to_f64();
            }
        }
        sum
    }

    #[test]
    fn every_partial_sum_is_exact_even_in_f16() {
        for element in ELEMENTS {
            for pattern in DataPattern::ALL {
                for steps in [1, 2, 511, 512] {
                    let instance = instance(element, pattern, steps);
                    for (tile, row, column) in [(0, 0, 0), (7, 3, 5), (30, 7, 7)] {
                        let index = (tile * side(element) + row) * side(element) + column;
                        let value = MatrixFma.output(&instance, 2, index);
                        assert_eq!(stepwise(&instance, tile, row, column), value, "{element} {pattern} {steps}");
                    }
                }
            }
        }
    }

    #[test]
    fn one_step_or_two_more_change_every_element() {
        for element in ELEMENTS {
            let values = |steps| {
                let instance = instance(element, DataPattern::Normal, steps);
                let all = 32 * side(element).pow(2);
                (0..all).map(|index| MatrixFma.output(&instance, 2, index)).collect::<Vec<_>>()
            };
            let (less, more) = (values(510), values(512));
            assert!(less.iter().zip(&more).all(|(less, more)| less != more));
            let odd = values(511);
            let equal = odd.iter().zip(&more).filter(|(odd, more)| odd == more).count();
            assert!(equal * 10 < more.len(), "{equal} of {} do not show a missing step", more.len());
        }
    }

    #[test]
    fn samples_demand_the_last_bit_and_operands_are_right_in_part_as_in_whole() {
        let instance = instance(ElementType::F16, DataPattern::Normal, 64);
        for expected in MatrixFma.reference(&instance, 200, 3) {
            assert_eq!(expected.bound, 0.0);
            assert_eq!(expected.value, MatrixFma.output(&instance, 2, expected.index));
            assert_eq!(half::f16::from_f64(expected.value).to_f64(), expected.value);
        }
        let mut whole = vec![0.0; 2048];
        MatrixFma.fill(&instance, 0, 0, &mut whole);
        let mut part = vec![0.0; 100];
        MatrixFma.fill(&instance, 0, 1000, &mut part);
        assert_eq!(part, whole[1000..1100]);
    }

    #[test]
    fn shapes_that_cannot_be_are_refused() {
        let said = |n, steps| MatrixFma.rule(&Shape::new([("n", n), ("steps", steps)]));
        assert_eq!(said(16, 512), None);
        assert!(said(24, 512).unwrap().contains("multiple of 16"));
        assert!(said(16, 513).unwrap().contains("512"));
        assert!(MatrixFma.output(&instance(ElementType::F16, DataPattern::Normal, 1), 2, 32 * 256).is_nan());
    }
}
