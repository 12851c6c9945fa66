//! Arithmetic probe of 8-bit integers: chains of four-way dot products that accumulate in 32 bits.
//!
//! Each chain is a pair of words; each step adds to one the dot product of the other's four bytes with four weights. What
//! surprises people: the map is not linear (a word is cut into signed bytes anew in every step), so that the reference
//! takes every step, and each bit of a result depends on all of them.

use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// Most steps: the reference takes each of them for every sampled chain.
const MAX_STEPS: u64 = 1 << 13;

/// The problem `dot4`.
pub(super) struct Dot4;

/// Sum of the products of the signed bytes of two words.
fn dot(a: i32, b: i32) -> i32 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    a.into_iter().zip(b).map(|(a, b)| i32::from(a as i8) * i32::from(b as i8)).sum()
}

impl Dot4 {
    /// Both words of a chain after all steps.
    fn chain(&self, instance: &Instance, index: u64) -> [i32; 2] {
        let (state, weights) = (self.inputs(instance, 0), self.inputs(instance, 1));
        let [mut x, mut y] = [2 * index, 2 * index + 1].map(|at| state.at(at) as i32);
        let weight = |byte: u64| weights.at(4 * index + byte) as i8 as u8;
        let weights = i32::from_le_bytes([0, 1, 2, 3].map(weight));
        for _ in 0..instance.shape.get("steps") {
            x = x.wrapping_add(dot(y, weights));
            y = y.wrapping_add(dot(x, weights));
        }
        [x, y]
    }
}

impl Problem for Dot4 {
    fn id(&self) -> &'static str {
        "dot4"
    }
    fn summary(&self) -> &'static str {
        "Chains of four-way dot products of 8-bit integers: the ceiling of 8-bit vector arithmetic"
    }
    fn formula(&self) -> &'static str {
        "steps times x = x + dot4(y, w), y = y + dot4(x, w); integer operations = 16·n·steps; bytes = 20·n"
    }
    fn axes(&self) -> &'static [Axis] {
        &[Axis { name: "n", meaning: "chains" }, Axis { name: "steps", meaning: "steps of each" }]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        element == ElementType::I8
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        let steps = shape.get("steps");
        (steps > MAX_STEPS)
            .then(|| format!("steps is {steps}, more than the {MAX_STEPS} that are checked; set n instead"))
    }
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("n", 33 << 14), ("steps", 4096)]),
            DeviceClass::Software => Shape::new([("n", 1 << 13), ("steps", 1024)]),
        }
    }
    fn work(&self, shape: &Shape, _element: ElementType) -> Work {
        let [n, steps] = extents(shape, ["n", "steps"]);
        work(16.0 * n * steps, 20.0 * n)
    }
    fn tensors(&self, shape: &Shape, _element: ElementType) -> Vec<Tensor> {
        let n = shape.get("n");
        vec![
            input("state", Scalar::I32, &[n, 2]),
            input("weights", Scalar::I8, &[n, 4]),
            output("result", Scalar::I32, &[n, 2]),
        ]
    }
    fn row_length(&self, _shape: &Shape, tensor: usize) -> u64 {
        if tensor == 1 { 4 } else { 2 }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        if tensor != 2 || index >= 2 * instance.shape.get("n") {
            return f64::NAN;
        }
        f64::from(self.chain(instance, index / 2)[(index % 2) as usize])
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let want = samples.div_ceil(2) as usize;
        let chosen = samples::axis(instance.shape.get("n"), want, &mut Picks::new(pick));
        let both = chosen.into_iter().flat_map(|chain| {
            let words = self.chain(instance, chain);
            [0, 1].map(|part| Expected {
                tensor: 2,
                index: 2 * chain + part,
                value: f64::from(words[part as usize]),
                bound: 0.0,
            })
        });
        both.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataPattern;

    #[test]
    fn bytes_are_signed_and_the_sum_is_exact() {
        assert_eq!(dot(0x7f80_ff01, 0x0102_0304), 127 - 256 - 3 + 4);
        assert_eq!(dot(i32::from_le_bytes([0x80; 4]), i32::from_le_bytes([0x80; 4])), 4 * 128 * 128);
    }

    #[test]
    fn one_step_more_or_less_is_another_result() {
        let at = |steps| {
            let shape = Shape::new([("n", 64), ("steps", steps)]);
            Instance { shape, element: ElementType::I8, pattern: DataPattern::Normal, seed: 5 }
        };
        let differ = |a: u64, b: u64| (0..64).filter(|i| Dot4.chain(&at(a), *i) != Dot4.chain(&at(b), *i)).count();
        assert!(differ(1024, 1023) > 60 && differ(1024, 1025) > 60);
        assert_eq!(differ(1024, 1024), 0);
    }
}
