//! Errors made on purpose: which element of an output, which bit of it, so that the checks must notice.
//!
//! What surprises people: it is the lowest bit that they must notice, not the highest: a check that sees a small change sees a
//! large one too.

use super::decode::of_bits;
use super::probe::ProbePlan;
use super::whole::WholeCheck;
use crate::gpu::ByteRange;
use crate::model::{InjectedError, Scalar};
use crate::workload::{Picks, Tensor};

/// An element to spoil, and by how much its value must change.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    tensor: usize,
    name: &'static str,
    element: Scalar,
    index: u64,
    noticed: f64,
}

/// Words to write in place of those there are, by byte offset, and what that does.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// Index of the buffer.
    pub buffer: usize,
    /// Byte offset and contents of the word that changes.
    pub word: (u64, u32),
    /// What changes; not yet known to be caught.
    pub error: InjectedError,
}

impl Target {
    /// An element by chance: any where whole outputs are checked, else one of the samples. `None` if nothing is checked.
    pub fn choose(probe: &ProbePlan, whole: &WholeCheck, tensors: &[Tensor], seed: u64) -> Option<Self> {
        let mut picks = Picks::new(seed);
        let sampled = |picks: &mut Picks| {
            let count = probe.len() as u64;
            let expected = probe.expected().nth((count > 0).then(|| picks.below(count))? as usize)?;
            Some((expected.tensor, expected.index, 2.0 * expected.bound))
        };
        let (tensor, index, noticed) = match whole.covers() {
            Some((tensor, len)) if len > 0 => {
                let index = picks.below(len);
                (tensor, index, whole.noticed(tensor, index, probe.spread(tensor).size))
            }
            _ => sampled(&mut picks)?,
        };
        let spec = tensors.get(tensor)?;
        Some(Self { tensor, name: spec.name, element: spec.element, index, noticed })
    }

    /// The bytes that must be read before the flip: whole words that hold the element.
    pub fn range(&self) -> ByteRange {
        let start = self.index * self.element.bytes();
        let end = (start + self.element.bytes()).next_multiple_of(4);
        ByteRange { buffer: self.tensor, start: start / 4 * 4, end }
    }

    /// The lowest bit whose flip changes the value by more than the checks allow, in the bytes of [`Target::range`]; `None`
    /// if there is none.
    pub fn flip(&self, bytes: &[u8]) -> Option<Flip> {
        let range = self.range();
        let shift = 8 * (self.index * self.element.bytes() - range.start);
        let width = 8 * self.element.bytes() as u32;
        let mut padded = [0_u8; 8];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let words = u64::from_le_bytes(padded);
        let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
        let bits = words >> shift & mask;
        let before = of_bits(self.element, bits);
        let after = |bit: &u32| of_bits(self.element, bits ^ 1 << bit);
        let finite = |bit: &u32| after(bit).is_finite() && (after(bit) - before).abs() > self.noticed;
        let bit = (0..width).find(finite).or_else(|| (0..width).find(|bit| !after(bit).is_finite()))?;
        let place = shift + u64::from(bit);
        let changed = words ^ 1 << place;
        let error = InjectedError {
            tensor: self.name.to_owned(),
            index: self.index,
            bit,
            before: shown(self.element, before),
            after: shown(self.element, after(&bit)),
            caught: false,
        };
        let word = (range.start + place / 32 * 4, (changed >> (place / 32 * 32)) as u32);
        Some(Flip { buffer: self.tensor, word, error })
    }
}

/// A value with as many digits as its type needs and no more.
fn shown(element: Scalar, value: f64) -> String {
    match element {
        Scalar::F32 | Scalar::F16 => format!("{:?}", value as f32),
        Scalar::F64 => format!("{value:?}"),
        Scalar::I32 | Scalar::U32 | Scalar::I8 => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(element: Scalar, index: u64, noticed: f64) -> Target {
        Target { tensor: 2, name: "c", element, index, noticed }
    }

    #[test]
    fn the_lowest_bit_beyond_the_bound_is_flipped_and_no_other() {
        let flip = target(Scalar::F32, 5, 1e-3).flip(&1.0_f32.to_le_bytes()).unwrap();
        // An ulp of 1 is 2^-23: bit 14 is worth 2^-9 = 1.95e-3, bit 13 only 9.8e-4.
        assert_eq!((flip.buffer, flip.word.0, flip.error.bit), (2, 20, 14));
        assert_eq!(flip.word.1 ^ 1.0_f32.to_bits(), 1 << 14);
        assert_eq!((flip.error.before.as_str(), flip.error.after.as_str()), ("1.0", "1.0019531"));
    }

    #[test]
    fn exact_outputs_lose_their_lowest_bit_even_where_they_are_zero() {
        assert_eq!(target(Scalar::I32, 0, 0.0).flip(&[0; 4]).unwrap().error.bit, 0);
        let zero = target(Scalar::F32, 0, 0.0).flip(&[0; 4]).unwrap();
        assert_eq!((zero.error.bit, zero.word), (0, (0, 1)));
        // Above the rounding of tiny numbers a zero needs a bit of the exponent.
        assert!(target(Scalar::F32, 0, 1e-30).flip(&[0; 4]).unwrap().error.bit > 23);
    }

    #[test]
    fn a_half_and_a_byte_keep_their_neighbours_in_the_word() {
        let halves = [0x00, 0x3c, 0x00, 0x40];
        let flip = target(Scalar::F16, 7, 0.0).flip(&halves).unwrap();
        assert_eq!((flip.word, flip.error.bit), ((12, 0x4001_3c00), 0));
        assert_eq!(target(Scalar::F16, 7, 0.0).range(), ByteRange { buffer: 2, start: 12, end: 16 });
        let bytes = target(Scalar::I8, 6, 3.0).flip(&[1, 2, 3, 4]).unwrap();
        assert_eq!((bytes.word, bytes.error.bit), ((4, 0x0407_0201), 2));
    }

    #[test]
    fn a_wide_element_is_changed_in_the_word_that_holds_the_bit() {
        let flip = target(Scalar::F64, 3, 0.4).flip(&1.0_f64.to_le_bytes()).unwrap();
        assert_eq!((flip.word.0, flip.error.bit), (28, 51));
        assert_eq!(flip.word.1, (f64::to_bits(1.5) >> 32) as u32);
    }

    #[test]
    fn a_bound_that_no_finite_value_passes_takes_a_bit_that_makes_it_infinite() {
        let flip = target(Scalar::F32, 0, f64::INFINITY).flip(&1.5_f32.to_le_bytes()).unwrap();
        assert!(flip.error.after.contains("NaN") || flip.error.after.contains("inf"), "{:?}", flip.error);
        assert_eq!(target(Scalar::I32, 0, 1e12).flip(&[0; 4]), None);
    }
}
