//! Weights in the block formats of ggml, quantised from the generators, and their planes in memory.
//!
//! Formats and dequantisation are those of ggml (<https://github.com/ggml-org/ggml>, `block_q8_0`, `block_q4_0` and
//! `block_q4_K` in `src/ggml-common.h`); the choice of scales is our own. What surprises people: a block is not stored in
//! one piece. Quants and scales lie in planes of their own, so that every load is of aligned words; a loader of model
//! files would repack blocks like that once. The bytes are the same: 34 or 18 per 32 weights, 144 per 256.

use half::f16;

use super::Inputs;
use crate::model::{ElementType, Scalar};

/// Most weights of one block.
pub(super) const LARGEST: usize = 256;

/// Sub-blocks of a q4_K super-block, of 32 weights each.
const SUB_BLOCKS: usize = 8;

/// One of the block formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Q8_0,
    Q4_0,
    Q4K,
}

/// A part of all blocks that has a buffer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plane {
    Quants,
    Scales,
}

/// One quantised block: the bytes of its parts, and what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    quants: [u8; 128],
    scales: [u8; 16],
    /// The weights that it stands for, exactly.
    pub(super) weights: [f64; LARGEST],
    /// Sum of the magnitudes of the terms that a weight is made of: the weight's own, but for a minimum that is taken off.
    pub(super) magnitudes: [f64; LARGEST],
    /// True if a scale is a subnormal f16, which a device may take as 0.
    pub(super) subnormal: bool,
}

impl Format {
    /// The block format of a precision, if it has one.
    pub(super) const fn of(element: ElementType) -> Option<Self> {
        match element {
            ElementType::Q8_0 => Some(Self::Q8_0),
            ElementType::Q4_0 => Some(Self::Q4_0),
            ElementType::Q4K => Some(Self::Q4K),
            _ => None,
        }
    }
    /// Weights of a block.
    pub(super) const fn weights(self) -> usize {
        match self {
            Self::Q8_0 | Self::Q4_0 => 32,
            Self::Q4K => LARGEST,
        }
    }
    /// Bytes of a block in a plane.
    pub(super) const fn bytes(self, plane: Plane) -> usize {
        match (self, plane) {
            (Self::Q8_0, Plane::Quants) => 32,
            (Self::Q4_0, Plane::Quants) => 16,
            (Self::Q4K, Plane::Quants) => 128,
            (Self::Q8_0 | Self::Q4_0, Plane::Scales) => 2,
            (Self::Q4K, Plane::Scales) => 16,
        }
    }
    /// Type of a plane's elements.
    pub(super) const fn scalar(self, plane: Plane) -> Scalar {
        match (self, plane) {
            (Self::Q8_0 | Self::Q4_0, Plane::Scales) => Scalar::F16,
            _ => Scalar::U32,
        }
    }

    /// Block number `index` of a stream of values.
    pub(super) fn block(self, values: &Inputs, index: u64) -> Block {
        let mut buffer = [0_f32; LARGEST];
        let own = &mut buffer[..self.weights()];
        values.fill(index * self.weights() as u64, own);
        match self {
            Self::Q8_0 => q8_0(own),
            Self::Q4_0 => q4_0(own),
            Self::Q4K => q4_k(own),
        }
    }

    /// Writes bytes `offset..` of a plane that holds `blocks` blocks; what is behind the last is padding, 0.
    pub(super) fn write(self, plane: Plane, values: &Inputs, blocks: u64, offset: u64, out: &mut [u8]) {
        let size = self.bytes(plane);
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let (index, skip) = (at / size as u64, (at % size as u64) as usize);
            if index >= blocks {
                rest.fill(0);
                return;
            }
            let block = self.block(values, index);
            let bytes = match plane {
                Plane::Quants => &block.quants[skip..size],
                Plane::Scales => &block.scales[skip..size],
            };
            let count = bytes.len().min(rest.len());
            let (head, tail) = rest.split_at_mut(count);
            head.copy_from_slice(&bytes[..count]);
            (at, rest) = (at + count as u64, tail);
        }
    }
}

impl Block {
    fn empty() -> Self {
        let zeros = [0.0; LARGEST];
        Self { quants: [0; 128], scales: [0; 16], weights: zeros, magnitudes: zeros, subnormal: false }
    }
    fn set(&mut self, place: usize, weight: f64) {
        (self.weights[place], self.magnitudes[place]) = (weight, weight.abs());
    }
    fn scaled_by(&mut self, scale: f16, place: usize) {
        self.scales[place..place + 2].copy_from_slice(&scale.to_le_bytes());
        self.subnormal |= scale != f16::ZERO && scale.to_f32().abs() < f16::MIN_POSITIVE.to_f32();
    }
}

/// Nearest whole number of `value / scale`, within bounds; 0 where the scale is 0.
fn level(value: f32, scale: f32, least: f32, most: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { (value / scale).round_ties_even().clamp(least, most) }
}

/// 32 signed bytes and d = max|x| / 127: a weight is q·d.
fn q8_0(values: &[f32]) -> Block {
    let mut block = Block::empty();
    let most = values.iter().fold(0_f32, |most, value| most.max(value.abs()));
    let scale = f16::from_f32(most / 127.0);
    block.scaled_by(scale, 0);
    for (place, value) in values.iter().enumerate() {
        let quant = level(*value, scale.to_f32(), -127.0, 127.0);
        block.quants[place] = quant as i8 as u8;
        block.set(place, f64::from(quant) * scale.to_f64());
    }
    block
}

/// 32 nibbles and d = the value of largest magnitude / −8: a weight is (q − 8)·d. Byte j holds weights j and j + 16.
fn q4_0(values: &[f32]) -> Block {
    let mut block = Block::empty();
    let extreme = values.iter().fold(0_f32, |most, value| if value.abs() > most.abs() { *value } else { most });
    // Adding 0 makes a negative zero positive.
    let scale = f16::from_f32(extreme / -8.0 + 0.0);
    block.scaled_by(scale, 0);
    for (place, value) in values.iter().enumerate() {
        let quant = level(*value, scale.to_f32(), -8.0, 7.0);
        block.quants[place % 16] |= ((quant + 8.0) as u8) << (place / 16 * 4);
        block.set(place, f64::from(quant) * scale.to_f64());
    }
    block
}

/// 256 nibbles; each 32 have a scale and a minimum of 6 bits, in units of d and dmin: a weight is d·sc·q − dmin·m.
///
/// Byte l of the four groups of 32 bytes holds weights l and l + 32 of the group's 64.
fn q4_k(values: &[f32]) -> Block {
    let mut block = Block::empty();
    let (mut spans, mut depths) = ([0_f32; SUB_BLOCKS], [0_f32; SUB_BLOCKS]);
    for (sub, own) in values.chunks(32).enumerate() {
        let (least, most) = own.iter().fold((0_f32, 0_f32), |(least, most), v| (least.min(*v), most.max(*v)));
        (spans[sub], depths[sub]) = ((most - least) / 15.0, -least);
    }
    let unit = |parts: &[f32; SUB_BLOCKS]| f16::from_f32(parts.iter().fold(0_f32, |most, v| most.max(*v)) / 63.0);
    let (d, dmin) = (unit(&spans), unit(&depths));
    block.scaled_by(d, 0);
    block.scaled_by(dmin, 2);
    for (sub, own) in values.chunks(32).enumerate() {
        let scale = level(spans[sub], d.to_f32(), 0.0, 63.0);
        let minimum = level(depths[sub], dmin.to_f32(), 0.0, 63.0);
        pack_six_bits(&mut block.scales[4..], sub, scale as u8, minimum as u8);
        // Both products have 17 bits, so they are exact in f32.
        let (step, floor) = (scale * d.to_f32(), minimum * dmin.to_f32());
        for (place, value) in own.iter().enumerate() {
            let quant = level(value + floor, step, 0.0, 15.0);
            block.quants[sub / 2 * 32 + place] |= (quant as u8) << (sub % 2 * 4);
            let (above, below) = (f64::from(quant) * f64::from(step), f64::from(floor));
            block.weights[32 * sub + place] = above - below;
            block.magnitudes[32 * sub + place] = above + below;
        }
    }
    block
}

/// Twelve bytes for eight scales and eight minima: the first four of both have a byte's lower 6 bits, the others a nibble
/// of the last four bytes and the upper 2 bits of the first eight.
fn pack_six_bits(bytes: &mut [u8], sub: usize, scale: u8, minimum: u8) {
    if sub < 4 {
        bytes[sub] |= scale;
        bytes[sub + 4] |= minimum;
    } else {
        bytes[sub + 4] |= scale & 15 | (minimum & 15) << 4;
        bytes[sub - 4] |= scale >> 4 << 6;
        bytes[sub] |= minimum >> 4 << 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DataPattern, Shape};
    use crate::workload::Instance;

    const FORMATS: [ElementType; 3] = [ElementType::Q8_0, ElementType::Q4_0, ElementType::Q4K];

    fn values(pattern: DataPattern) -> Inputs {
        let instance = Instance { shape: Shape::default(), element: ElementType::F32, pattern, seed: 11 };
        Inputs::new(&instance, 0, Scalar::F32)
    }

    #[test]
    fn the_planes_have_the_bytes_of_the_format() {
        for element in FORMATS {
            let format = Format::of(element).unwrap();
            let bytes = format.bytes(Plane::Quants) + format.bytes(Plane::Scales);
            assert_eq!(bytes as f64 / format.weights() as f64, element.bytes(), "{element}");
        }
        assert_eq!(Format::of(ElementType::F16), None);
    }

    #[test]
    fn a_quantised_weight_is_near_its_value() {
        let values = values(DataPattern::Normal);
        // Half a step: of 127 levels, of 8, and of 15 between a minimum and a maximum whose own steps are 1/63.
        for (element, step) in FORMATS.into_iter().zip([4.8 / 127.0, 4.8 / 8.0, 9.0 / 15.0]) {
            let format = Format::of(element).unwrap();
            let mut squares = 0.0;
            for index in 0..400 {
                let block = format.block(&values, index);
                for (place, weight) in block.weights[..format.weights()].iter().enumerate() {
                    let value = values.at(index * format.weights() as u64 + place as u64);
                    let error = (weight - value).abs();
                    assert!(error <= 1.01 * step, "{element}: {value} became {weight}");
                    squares += error * error / (400 * format.weights()) as f64;
                }
            }
            assert!(squares.sqrt() < 0.3 * step && squares > 0.0, "{element}: {}", squares.sqrt());
        }
    }

    #[test]
    fn any_stretch_of_a_plane_equals_that_part_of_the_whole() {
        let values = values(DataPattern::Normal);
        for element in FORMATS {
            let format = Format::of(element).unwrap();
            for plane in [Plane::Quants, Plane::Scales] {
                let mut whole = vec![0xaa_u8; 5 * format.bytes(plane) + 6];
                format.write(plane, &values, 5, 0, &mut whole);
                assert!(whole[5 * format.bytes(plane)..].iter().all(|byte| *byte == 0));
                for start in (0..whole.len()).step_by(8) {
                    let mut part = vec![0x55_u8; (whole.len() - start).min(24)];
                    format.write(plane, &values, 5, start as u64, &mut part);
                    assert_eq!(part, whole[start..start + part.len()], "{element} {plane:?} from {start}");
                }
            }
        }
    }

    #[test]
    fn zeros_stay_zeros_and_a_constant_stays_constant() {
        for element in FORMATS {
            let format = Format::of(element).unwrap();
            let zero = format.block(&values(DataPattern::Zeros), 3);
            assert!(zero.weights.iter().all(|weight| *weight == 0.0) && zero.scales == [0; 16], "{element}");
            let constant = format.block(&values(DataPattern::Constant), 3);
            let own = &constant.weights[..format.weights()];
            assert!(
                own.iter().all(|weight| *weight == own[0] && (weight - 0.75).abs() < 0.01),
                "{element}: {}",
                own[0]
            );
        }
    }
}
