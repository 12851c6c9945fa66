//! Bytes of an output as float64 values.
//!
//! What surprises people: every type of a tensor fits float64 exactly, so that one form serves all checks.

use crate::model::Scalar;

/// The values of whole elements.
pub(super) fn decode(element: Scalar, bytes: &[u8]) -> Vec<f64> {
    match element {
        Scalar::F64 => each(bytes, f64::from_le_bytes),
        Scalar::F32 => each(bytes, |word| f64::from(f32::from_le_bytes(word))),
        Scalar::F16 => each(bytes, |half| half::f16::from_le_bytes(half).to_f64()),
        Scalar::I32 => each(bytes, |word| f64::from(i32::from_le_bytes(word))),
        Scalar::U32 => each(bytes, |word| f64::from(u32::from_le_bytes(word))),
        Scalar::I8 => each(bytes, |byte| f64::from(i8::from_le_bytes(byte))),
    }
}

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| value(*bytes)).collect()
}

/// The value of an element whose bits stand in the lowest places.
pub(super) fn of_bits(element: Scalar, bits: u64) -> f64 {
    decode(element, &bits.to_le_bytes()[..element.bytes() as usize])[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_in_its_own_way() {
        assert_eq!(decode(Scalar::F16, &[0x00, 0x3c, 0x00, 0xc0]), [1.0, -2.0]);
        assert_eq!(decode(Scalar::I8, &[0xff, 0x7f]), [-1.0, 127.0]);
        assert_eq!(decode(Scalar::I32, &(-5_i32).to_le_bytes()), [-5.0]);
        assert_eq!(decode(Scalar::U32, &u32::MAX.to_le_bytes()), [4_294_967_295.0]);
        assert_eq!(of_bits(Scalar::F32, u64::from(1.5_f32.to_bits())), 1.5);
        assert_eq!(of_bits(Scalar::F64, (-0.25_f64).to_bits()), -0.25);
    }
}
