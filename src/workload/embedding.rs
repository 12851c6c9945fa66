//! Embedding lookup: one row of a table for every token.
//!
//! What surprises people: the token numbers of a seed are all different as long as there are no more tokens than rows, so
//! that every counted byte has to come from memory; real text repeats itself. The result is checked to the last bit, and
//! the data pattern changes the table, never the tokens.

use super::dot::expect;
use super::gemm::SAMPLED_ROWS;
use super::inputs::finalise;
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Scalar, Shape, Work};

/// Most rows of the table: token numbers travel as f32 on their way to the device.
const MAX_VOCAB: u64 = 1 << 24;

/// The problem `embedding`.
pub(super) struct Embedding;

/// Token numbers: from a first one in equal steps, whose length shares no divisor with the number of rows.
struct Tokens {
    first: u64,
    step: u64,
    vocab: u64,
}

impl Tokens {
    fn of(instance: &Instance) -> Self {
        let vocab = instance.shape.get("vocab");
        let mut picks = Picks::new(finalise(instance.seed ^ 0x746f_6b65_6e73));
        let first = picks.below(vocab);
        let mut step = picks.below(vocab).max(1);
        while gcd(step, vocab) != 1 {
            step = picks.below(vocab).max(1);
        }
        Self { first, step, vocab }
    }
    fn at(&self, token: u64) -> u64 {
        let steps = u128::from(token) * u128::from(self.step);
        ((u128::from(self.first) + steps) % u128::from(self.vocab)) as u64
    }
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Problem for Embedding {
    fn id(&self) -> &'static str {
        "embedding"
    }
    fn summary(&self) -> &'static str {
        "Row of a table for every token"
    }
    fn formula(&self) -> &'static str {
        "out[t] = table[ids[t]]; FLOP = 0; bytes = 2·e·tokens·dim + 4·tokens"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "vocab", meaning: "rows of the table" },
            Axis { name: "dim", meaning: "elements of a row" },
            Axis { name: "tokens", meaning: "rows that are looked up" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Bytes
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16)
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        let vocab = shape.get("vocab");
        (vocab > MAX_VOCAB).then(|| format!("vocab must be at most {MAX_VOCAB}, and {vocab} is more"))
    }
    /// On hardware: the table of a 7 B transformer, 524 MB of f32, and half as many tokens as it has rows.
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("vocab", 32000), ("dim", 4096), ("tokens", 16384)]),
            DeviceClass::Software => Shape::new([("vocab", 8192), ("dim", 512), ("tokens", 4096)]),
        }
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [dim, tokens] = extents(shape, ["dim", "tokens"]);
        work(0.0, 2.0 * element.bytes() * tokens * dim + 4.0 * tokens)
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (dim, tokens, scalar) = (shape.get("dim"), shape.get("tokens"), element.scalar());
        vec![
            input("table", scalar, &[shape.get("vocab"), dim]),
            input("ids", Scalar::U32, &[tokens]),
            output("out", scalar, &[tokens, dim]),
        ]
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        shape.get(if tensor == 1 { "tokens" } else { "dim" })
    }
    fn fill(&self, instance: &Instance, tensor: usize, first: u64, out: &mut [f32]) {
        if tensor != 1 {
            return self.inputs(instance, tensor).fill(first, out);
        }
        let tokens = Tokens::of(instance);
        for (slot, token) in out.iter_mut().zip(first..) {
            *slot = tokens.at(token) as f32;
        }
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let (dim, tokens) = (instance.shape.get("dim"), instance.shape.get("tokens"));
        if tensor != 2 || index >= tokens * dim {
            return f64::NAN;
        }
        self.inputs(instance, 0).at(Tokens::of(instance).at(index / dim) * dim + index % dim)
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let (dim, tokens) = (instance.shape.get("dim"), instance.shape.get("tokens"));
        let pairs = samples::grid(tokens, dim, samples, SAMPLED_ROWS, &mut Picks::new(pick));
        let (table, ids) = (self.inputs(instance, 0), Tokens::of(instance));
        let row = |(token, columns): &(u64, Vec<u64>)| {
            let start = ids.at(*token) * dim;
            columns.iter().map(|column| (table.at(start + column), 0.0)).collect()
        };
        let found = pairs.iter().map(row).collect();
        expect(2, dim, &pairs, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataPattern;
    use std::collections::BTreeSet;

    fn instance(vocab: u64, tokens: u64, seed: u64) -> Instance {
        let shape = Shape::new([("vocab", vocab), ("dim", 4), ("tokens", tokens)]);
        Instance { shape, element: ElementType::F32, pattern: DataPattern::Zeros, seed }
    }

    #[test]
    fn tokens_are_within_the_table_distinct_and_others_for_another_seed() {
        for vocab in [1, 2, 6, 97, 32000] {
            let ids = |seed| {
                let mut values = vec![0.0; vocab as usize];
                Embedding.fill(&instance(vocab, vocab, seed), 1, 0, &mut values);
                values
            };
            let distinct: BTreeSet<u64> = ids(1).iter().map(|id| *id as u64).collect();
            assert_eq!(distinct, (0..vocab).collect(), "every row of {vocab} once");
            assert!(vocab < 97 || ids(1) != ids(2));
        }
    }

    #[test]
    fn any_stretch_of_the_tokens_equals_that_part_of_the_whole() {
        let instance = instance(1000, 301, 7);
        let mut whole = vec![0_u8; 301 * 4];
        Embedding.write(&instance, 1, 0, &mut whole);
        let mut part = vec![0_u8; 104];
        Embedding.write(&instance, 1, 800, &mut part);
        assert_eq!(part, whole[800..904]);
        let second = u32::from_le_bytes(whole[4..8].try_into().unwrap());
        assert_eq!(u64::from(second), Tokens::of(&instance).at(1));
    }
}
