//! Values as the bytes that a device reads: little-endian, in the type of their tensor.
//!
//! What surprises people: integers travel as floats up to here; every integer input is below 2^24, so none is rounded.

use crate::model::Scalar;

/// Writes values, already rounded to their type, from the start of `bytes`.
pub(super) fn encode(element: Scalar, values: &[f32], bytes: &mut [u8]) {
    match element {
        Scalar::F32 => copy(values, bytes, |value| value.to_le_bytes()),
        Scalar::F16 => copy(values, bytes, |value| half::f16::from_f32(value).to_le_bytes()),
        Scalar::F64 => copy(values, bytes, |value| f64::from(value).to_le_bytes()),
        Scalar::I32 => copy(values, bytes, |value| (value as i32).to_le_bytes()),
        Scalar::U32 => copy(values, bytes, |value| (value as u32).to_le_bytes()),
        Scalar::I8 => copy(values, bytes, |value| (value as i8).to_le_bytes()),
    }
}

fn copy<const N: usize>(values: &[f32], bytes: &mut [u8], encoded: impl Fn(f32) -> [u8; N]) {
    for (value, slot) in values.iter().zip(bytes.chunks_exact_mut(N)) {
        slot.copy_from_slice(&encoded(*value));
    }
}

/// Appends one value of the float64 reference, rounded to its type.
pub(super) fn push(element: Scalar, value: f64, bytes: &mut Vec<u8>) {
    match element {
        Scalar::F32 => bytes.extend((value as f32).to_le_bytes()),
        Scalar::F16 => bytes.extend(half::f16::from_f64(value).to_le_bytes()),
        Scalar::F64 => bytes.extend(value.to_le_bytes()),
        Scalar::I32 => bytes.extend((value as i32).to_le_bytes()),
        Scalar::U32 => bytes.extend((value as u32).to_le_bytes()),
        Scalar::I8 => bytes.extend((value as i8).to_le_bytes()),
    }
}
