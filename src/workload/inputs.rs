//! Inputs as functions of (seed, tensor, index): the same value for ever, on every platform, in any order.
//!
//! Standard normal values by Box and Muller from one 64-bit hash per pair of elements. Only the exactly rounded operations
//! of IEEE 754 are used (add, multiply, divide, square root, and polynomials of them), never the platform's `ln` or
//! `sin`, so no mathematics library can change a value. What surprises people: element 2p and 2p+1 come from one hash,
//! and nothing is stored, so a column of a matrix costs no memory.

use std::f64::consts::{FRAC_PI_2, LN_2, SQRT_2};

use super::Instance;
use crate::model::{DataPattern, Scalar};

/// Pairs computed together, so that the arithmetic is done on vectors.
const BLOCK: usize = 64;

/// Increment of SplitMix64: 2^64 divided by the golden ratio, made odd (Steele, Lea and Flood 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Finaliser of SplitMix64 (Stafford's mix 13): every input bit changes every output bit with probability near one half.
pub(super) const fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A sequence of pseudo-random numbers, for choosing samples.
pub(crate) struct Picks(u64);

impl Picks {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        finalise(self.0)
    }
    /// A number below `bound` (which must not be 0).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// Value of [`DataPattern::Constant`]: exact in every float type, neither 1 nor a power of two.
const CONSTANT: f64 = 0.75;
/// Factor from the values of a pattern to 8-bit integers: ±4 standard deviations fill the range, what is beyond is clamped.
const I8_SCALE: f64 = 32.0;
/// Factor from the values of a pattern to 32-bit integers: the largest stay below 2^24, so that f32 carries them exactly.
const I32_SCALE: f64 = 1_048_576.0;

/// The values of one input tensor.
#[derive(Debug, Clone, Copy)]
pub struct Inputs {
    key: u64,
    pattern: DataPattern,
    element: Scalar,
    scale: f64,
}

impl Inputs {
    /// Values of a tensor by the instance's pattern, rounded to `element`.
    pub(crate) fn new(instance: &Instance, tensor: usize, element: Scalar) -> Self {
        let stream = (tensor as u64 + 1).wrapping_mul(GOLDEN);
        let key = finalise(finalise(instance.seed) ^ stream);
        Self { key, pattern: instance.pattern, element, scale: 1.0 }
    }

    /// The same values times `scale`. A power of two keeps every significand as it is.
    pub(crate) const fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// Type that the values are rounded to.
    pub(crate) const fn element(&self) -> Scalar {
        self.element
    }

    /// One element.
    pub fn at(&self, index: u64) -> f64 {
        let (even, odd) = self.pair(self.hash(index / 2));
        f64::from(self.rounded(if index.is_multiple_of(2) { even } else { odd }))
    }

    /// Elements `first..first + out.len()`.
    pub fn fill(&self, first: u64, out: &mut [f32]) {
        match self.pattern {
            DataPattern::Zeros => out.fill(0.0),
            DataPattern::Constant => out.fill(self.rounded(CONSTANT)),
            DataPattern::Normal => self.fill_with(first, out, normal_pair),
            DataPattern::Uniform => self.fill_with(first, out, uniform_pair),
            DataPattern::Sparse => self.fill_with(first, out, sparse_pair),
        }
    }

    fn fill_with(&self, first: u64, out: &mut [f32], values: impl Fn(u64) -> (f64, f64)) {
        let (mut first, mut out) = (first, out);
        if first % 2 == 1 && !out.is_empty() {
            out[0] = self.at(first) as f32;
            (first, out) = (first + 1, &mut out[1..]);
        }
        let mut pair = first / 2;
        let mut bits = [0_u64; BLOCK];
        let mut blocks = out.chunks_exact_mut(2 * BLOCK);
        for block in &mut blocks {
            for (offset, hash) in bits.iter_mut().enumerate() {
                *hash = self.hash(pair + offset as u64);
            }
            for (two, hash) in block.chunks_exact_mut(2).zip(&bits) {
                let (even, odd) = values(*hash);
                two[0] = (even * self.scale) as f32;
                two[1] = (odd * self.scale) as f32;
            }
            match self.element {
                Scalar::F32 | Scalar::F64 => {}
                Scalar::F16 => block.iter_mut().for_each(|value| *value = round_to_f16(*value)),
                Scalar::I8 | Scalar::I32 | Scalar::U32 => {
                    block.iter_mut().for_each(|value| *value = round_to_integer(*value, self.element));
                }
            }
            pair += BLOCK as u64;
        }
        for two in blocks.into_remainder().chunks_mut(2) {
            let (even, odd) = values(self.hash(pair));
            for (slot, value) in two.iter_mut().zip([even, odd]) {
                *slot = self.rounded(value);
            }
            pair += 1;
        }
    }

    fn hash(&self, pair: u64) -> u64 {
        finalise(self.key.wrapping_add(pair.wrapping_mul(GOLDEN)))
    }

    fn pair(&self, hash: u64) -> (f64, f64) {
        match self.pattern {
            DataPattern::Zeros => (0.0, 0.0),
            DataPattern::Constant => (CONSTANT, CONSTANT),
            DataPattern::Normal => normal_pair(hash),
            DataPattern::Uniform => uniform_pair(hash),
            DataPattern::Sparse => sparse_pair(hash),
        }
    }

    fn rounded(&self, value: f64) -> f32 {
        let single = (value * self.scale) as f32;
        match self.element {
            Scalar::F32 | Scalar::F64 => single,
            Scalar::F16 => round_to_f16(single),
            Scalar::I8 | Scalar::I32 | Scalar::U32 => round_to_integer(single, self.element),
        }
    }
}

/// A whole number of an integer type; unsigned words take the magnitude.
#[inline(always)]
fn round_to_integer(x: f32, element: Scalar) -> f32 {
    match element {
        Scalar::I8 => (x * I8_SCALE as f32).round_ties_even().clamp(-127.0, 127.0),
        Scalar::U32 => (x * I32_SCALE as f32).round_ties_even().abs(),
        _ => (x * I32_SCALE as f32).round_ties_even(),
    }
}

/// Two independent values, uniform between -1 and 1.
#[inline(always)]
fn uniform_pair(bits: u64) -> (f64, f64) {
    let uniform = |half: u32| (f64::from(half) + 0.5) * (1.0 / 2_147_483_648.0) - 1.0;
    (uniform((bits >> 32) as u32), uniform(bits as u32))
}

/// Two independent standard normal values, each of which is 0 with a probability of one half.
#[inline(always)]
fn sparse_pair(bits: u64) -> (f64, f64) {
    let (even, odd) = normal_pair(bits);
    // Fresh bits, so that whether a value is 0 does not depend on its size.
    let coins = finalise(bits ^ GOLDEN);
    (if coins & 1 == 0 { 0.0 } else { even }, if coins & 2 == 0 { 0.0 } else { odd })
}

/// Two independent standard normal values from 64 random bits: 32 for the radius (largest 6.76), 32 for the angle.
#[inline(always)]
fn normal_pair(bits: u64) -> (f64, f64) {
    let uniform = (f64::from((bits >> 32) as u32) + 0.5) * (1.0 / 4_294_967_296.0);
    let radius = (-2.0 * ln(uniform)).sqrt();
    // Two bits choose one of four quarter turns, thirty the angle inside it, from -π/4 to π/4.
    let turn = bits as u32;
    let angle = ((f64::from(turn >> 2) + 0.5) * (1.0 / 1_073_741_824.0) - 0.5) * FRAC_PI_2;
    let (sine, cosine) = sin_cos(angle);
    let radius = if turn & 2 == 0 { radius } else { -radius };
    let (x, y) = if turn & 1 == 0 { (cosine, sine) } else { (sine, cosine) };
    (radius * x, radius * y)
}

/// Natural logarithm of a positive normal number to about 1e-12: exponent, and ln m = 2 artanh((m − 1)/(m + 1)).
#[inline(always)]
fn ln(x: f64) -> f64 {
    // The offset moves the significand's range from [1, 2) to [√½, √2).
    const HALF_ROOT: u64 = 0x3fe6_a09e_667f_3bcd;
    debug_assert!(x > 0.0 && x < SQRT_2);
    let shifted = x.to_bits().wrapping_sub(HALF_ROOT).wrapping_add(1023 << 52);
    let exponent = f64::from((shifted >> 52) as u32) - 1023.0;
    let m = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff) + HALF_ROOT);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let series =
        z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0))))));
    exponent * LN_2 + 2.0 * s * (1.0 + series)
}

/// Sine and cosine of an angle between -π/4 and π/4 to about 1e-12, by their series.
#[inline(always)]
pub(super) fn sin_cos(t: f64) -> (f64, f64) {
    let z = t * t;
    let sine =
        1.0 - z / 6.0 * (1.0 - z / 20.0 * (1.0 - z / 42.0 * (1.0 - z / 72.0 * (1.0 - z / 110.0 * (1.0 - z / 156.0)))));
    let cosine =
        1.0 - z / 2.0 * (1.0 - z / 12.0 * (1.0 - z / 30.0 * (1.0 - z / 56.0 * (1.0 - z / 90.0 * (1.0 - z / 132.0)))));
    (t * sine, cosine)
}

/// Rounds to the nearest number of half precision, ties to even, for |x| < 65504 (normal values stay below 7).
#[inline(always)]
fn round_to_f16(x: f32) -> f32 {
    // Below 2^-14 half precision is a grid of 2^-24: adding 0.75 leaves exactly that grid.
    let fine = (x.abs() + 0.75) - 0.75;
    let bits = x.abs().to_bits();
    let coarse = f32::from_bits((bits + 0x0fff + ((bits >> 13) & 1)) & !0x1fff);
    (if x.abs() < 6.103_515_6e-5 { fine } else { coarse }).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ElementType, Shape};

    fn inputs(seed: u64, tensor: usize, element: Scalar) -> Inputs {
        with_pattern(DataPattern::Normal, seed, tensor, element)
    }

    fn with_pattern(pattern: DataPattern, seed: u64, tensor: usize, element: Scalar) -> Inputs {
        let instance = Instance { shape: Shape::default(), element: ElementType::F32, pattern, seed };
        Inputs::new(&instance, tensor, element)
    }

    #[test]
    fn the_values_are_the_same_for_ever() {
        let mut values = [0.0; 4];
        inputs(42, 0, Scalar::F32).fill(0, &mut values);
        // By the same formulas in Python, with its own ln, sin and cos.
        assert_eq!(
            values.map(f32::to_bits),
            [1_036_840_073, 3_220_158_719, 3_210_169_045, 1_075_215_014],
            "{values:?}"
        );
        let mut many = vec![0.0; 100_000];
        inputs(7, 3, Scalar::F32).fill(123_456_789, &mut many);
        let digest = many.iter().fold(0_u64, |sum, value| finalise(sum ^ u64::from(value.to_bits())));
        assert_eq!(digest, 0x8d0a_6d76_6f65_c590, "{digest:#x}");
    }

    #[test]
    fn any_part_of_a_tensor_can_be_filled_by_itself() {
        for element in [Scalar::F32, Scalar::F16] {
            let source = inputs(1, 2, element).scaled(0.25);
            let mut whole = vec![0.0; 1000];
            source.fill(0, &mut whole);
            for (first, len) in [(0, 1), (1, 1), (3, 130), (128, 129), (501, 499), (999, 1), (17, 0)] {
                let mut part = vec![0.0; len];
                source.fill(first as u64, &mut part);
                assert_eq!(part, whole[first..first + len]);
            }
            assert!(whole.iter().enumerate().all(|(i, v)| source.at(i as u64) == f64::from(*v)));
        }
    }

    #[test]
    fn the_values_are_standard_normal_and_independent() {
        let n = 1_000_000;
        let mut values = vec![0.0; n];
        inputs(3, 0, Scalar::F32).fill(0, &mut values);
        let moment = |power: i32| values.iter().map(|v| f64::from(*v).powi(power)).sum::<f64>() / n as f64;
        // Five standard errors of each moment of a normal sample: sqrt(1/n), sqrt(2/n), sqrt(15/n), sqrt(96/n).
        assert!(moment(1).abs() < 5e-3, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 7.1e-3, "variance {}", moment(2));
        assert!(moment(3).abs() < 2e-2, "skewness {}", moment(3));
        assert!((moment(4) - 3.0).abs() < 4.9e-2, "kurtosis {}", moment(4));
        for lag in [1, 2, 64, 128, 4096] {
            let products: f64 = values.iter().zip(&values[lag..]).map(|(a, b)| f64::from(a * b)).sum();
            assert!((products / n as f64).abs() < 5e-3, "lag {lag}");
        }
        let below = values.iter().filter(|v| **v < -1.0).count() as f64 / n as f64;
        assert!((below - 0.158_655).abs() < 2e-3, "{below}");
    }

    #[test]
    fn seeds_and_tensors_give_different_values() {
        let first = |seed, tensor| inputs(seed, tensor, Scalar::F32).at(0);
        let values = [first(0, 0), first(0, 1), first(1, 0), first(1, 1), first(u64::MAX, 7)];
        for (i, a) in values.iter().enumerate() {
            assert!(values[i + 1..].iter().all(|b| a != b), "{values:?}");
        }
    }

    #[test]
    fn the_polynomials_agree_with_the_mathematics_library() {
        let mut picks = Picks::new(9);
        for _ in 0..100_000 {
            let u = (picks.next() >> 11) as f64 / (1_u64 << 53) as f64 + 1e-12;
            assert!((ln(u) - u.ln()).abs() <= 2e-11 * u.ln().abs().max(1e-3), "ln {u}");
            let t = (u - 0.5) * FRAC_PI_2;
            let (sine, cosine) = sin_cos(t);
            assert!((sine - t.sin()).abs() < 1e-11 && (cosine - t.cos()).abs() < 1e-11, "angle {t}");
        }
        let (extreme, _) = (normal_pair(u64::from(u32::MAX)), normal_pair(u64::MAX));
        assert!(extreme.0.is_finite() && extreme.0.hypot(extreme.1) < 6.8);
    }

    #[test]
    fn half_precision_is_rounded_like_ieee_754() {
        let mut picks = Picks::new(5);
        for _ in 0..200_000 {
            let x = f32::from_bits((picks.next() as u32 & 0x8fff_ffff) | 0x3000_0000) * 1e-3;
            assert_eq!(round_to_f16(x).to_bits(), half::f16::from_f32(x).to_f32().to_bits(), "{x}");
        }
        for bits in 0..0x7bff_u16 {
            // Exact numbers, and the ties between neighbours.
            let (low, high) = (half::f16::from_bits(bits).to_f32(), half::f16::from_bits(bits + 1).to_f32());
            for x in [low, (low + high) / 2.0, -(low + high) / 2.0] {
                assert_eq!(round_to_f16(x).to_bits(), half::f16::from_f32(x).to_f32().to_bits(), "{x}");
            }
        }
    }

    #[test]
    fn patterns_have_their_mean_spread_and_zeros() {
        let moments = |pattern| {
            let mut values = vec![0.0_f32; 100_001];
            with_pattern(pattern, 5, 1, Scalar::F32).fill(3, &mut values);
            let n = values.len() as f64;
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
            let square = values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>() / n;
            let zeros = values.iter().filter(|v| **v == 0.0).count() as f64 / n;
            (mean, square, zeros)
        };
        let near = |(mean, square, zeros): (f64, f64, f64), expected: [f64; 3]| {
            let close = |a: f64, b: f64| (a - b).abs() < 0.02;
            assert!(close(mean, expected[0]) && close(square, expected[1]) && close(zeros, expected[2]));
        };
        near(moments(DataPattern::Normal), [0.0, 1.0, 0.0]);
        near(moments(DataPattern::Uniform), [0.0, 1.0 / 3.0, 0.0]);
        near(moments(DataPattern::Zeros), [0.0, 0.0, 1.0]);
        near(moments(DataPattern::Constant), [0.75, 0.5625, 0.0]);
        near(moments(DataPattern::Sparse), [0.0, 0.5, 0.5]);
    }

    #[test]
    fn integers_are_whole_within_their_range_and_the_same_one_by_one() {
        for pattern in DataPattern::ALL {
            for element in [Scalar::I8, Scalar::I32, Scalar::U32] {
                let source = with_pattern(pattern, 9, 0, element);
                let mut values = vec![0.0_f32; 4097];
                source.fill(1, &mut values);
                let most = if element == Scalar::I8 { 127.0 } else { 16_777_216.0 };
                assert!(values.iter().all(|v| v.fract() == 0.0 && v.abs() <= most));
                assert!(element != Scalar::U32 || values.iter().all(|v| *v >= 0.0));
                assert!((0..4097).all(|i| source.at(i as u64 + 1) == f64::from(values[i])));
            }
        }
    }
}
