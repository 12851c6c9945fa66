//! Block formats against a second implementation that reads them as the format's definition says, from the bytes that a
//! device gets: the same weights, the same products, and no layout that is wrong passes.
//!
//! The definition is that of ggml (`dequantize_row_q8_0`, `_q4_0` and `_q4_K` in its `src/ggml-quants.c`). What surprises
//! people: here blocks are put together again from their planes.

#![allow(clippy::unwrap_used)]

use wattmark::model::{DataPattern, ElementType, ShapeError};
use wattmark::verify::ProbePlan;
use wattmark::workload::{DeviceClass, Instance, oracle_bytes, problem};

const FORMATS: [ElementType; 3] = [ElementType::Q8_0, ElementType::Q4_0, ElementType::Q4K];

fn instance(element: ElementType, pattern: DataPattern) -> Instance {
    Instance { shape: "m=5,k=1280".parse().unwrap(), element, pattern, seed: 41 }
}

/// All bytes of an input, fetched in stretches as a device would.
fn bytes_of(instance: &Instance, tensor: usize) -> Vec<u8> {
    let gemv = problem("gemv").unwrap();
    let len = gemv.tensors(&instance.shape, instance.element)[tensor].bytes();
    let stretch = |start| oracle_bytes(gemv, instance, tensor, start, len.min(start + 104));
    (0..len).step_by(104).flat_map(stretch).collect()
}

fn half(bytes: &[u8]) -> f64 {
    half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f64()
}

fn q8_0(quants: &[u8], scales: &[u8]) -> Vec<f64> {
    quants.iter().map(|q| f64::from(*q as i8) * half(scales)).collect()
}

fn q4_0(quants: &[u8], scales: &[u8]) -> Vec<f64> {
    let weight = |nibble: u8| (f64::from(nibble) - 8.0) * half(scales);
    let low = quants.iter().map(|q| weight(q & 15));
    low.chain(quants.iter().map(|q| weight(q >> 4))).collect()
}

fn q4_k(quants: &[u8], scales: &[u8]) -> Vec<f64> {
    let (d, dmin, packed) = (half(scales), half(&scales[2..]), &scales[4..]);
    let six_bits = |j: usize| match j {
        0..4 => (packed[j] & 63, packed[j + 4] & 63),
        _ => (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4),
    };
    let mut weights = Vec::new();
    for (group, quants) in quants.chunks(32).enumerate() {
        for (sub, shift) in [(2 * group, 0), (2 * group + 1, 4)] {
            let (scale, minimum) = six_bits(sub);
            let weight = |q: &u8| d * f64::from(scale) * f64::from(q >> shift & 15) - dmin * f64::from(minimum);
            weights.extend(quants.iter().map(weight));
        }
    }
    weights
}

/// All weights of W, from the two planes.
fn weights(element: ElementType, quants: &[u8], scales: &[u8]) -> Vec<f64> {
    let blocks = |size: usize, scale: usize, read: fn(&[u8], &[u8]) -> Vec<f64>| {
        quants.chunks(size).zip(scales.chunks(scale)).flat_map(|(q, s)| read(q, s)).collect()
    };
    match element {
        ElementType::Q8_0 => blocks(32, 2, q8_0),
        ElementType::Q4_0 => blocks(16, 2, q4_0),
        _ => blocks(128, 16, q4_k),
    }
}

fn product(weights: &[f64], x: &[f32]) -> Vec<f32> {
    let row = |row: &[f64]| row.iter().zip(x).fold(0.0_f32, |sum, (w, x)| sum + *w as f32 * x);
    weights.chunks(x.len()).map(row).collect()
}

fn passes(instance: &Instance, y: &[f32]) -> bool {
    let plan = ProbePlan::sample(problem("gemv").unwrap(), instance, 64, 3);
    let bytes: Vec<u8> = y.iter().flat_map(|y| y.to_le_bytes()).collect();
    let parts = plan.ranges().into_iter().flat_map(|r| bytes[r.start as usize..r.end as usize].to_vec());
    plan.check(&parts.collect::<Vec<u8>>()).is_ok_and(|check| check.worst_error_in_bounds < 0.5)
}

#[test]
fn the_reference_is_the_product_of_the_weights_that_the_bytes_stand_for() {
    let gemv = problem("gemv").unwrap();
    for element in FORMATS {
        for pattern in DataPattern::ALL {
            let instance = instance(element, pattern);
            let [quants, scales, x] = [0, 1, 2].map(|tensor| bytes_of(&instance, tensor));
            let x: Vec<f32> = x.chunks(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect();
            let weights = weights(element, &quants, &scales);
            assert_eq!((weights.len(), x.len()), (5 * 1280, 1280));
            for (index, row) in weights.chunks(1280).enumerate() {
                let value: f64 = row.iter().zip(&x).map(|(w, x)| w * f64::from(*x)).sum();
                let expected = gemv.output(&instance, 3, index as u64);
                assert!(
                    (value - expected).abs() < 1e-11 * value.abs().max(1.0),
                    "{element} {pattern}: {expected}, {value}"
                );
            }
            // Equal terms, added one after the other, do not round at random.
            let even = matches!(pattern, DataPattern::Zeros | DataPattern::Constant);
            assert!(even || passes(&instance, &product(&weights, &x)), "{element} {pattern}");
        }
    }
}

#[test]
fn a_swapped_nibble_a_shifted_scale_and_a_missing_block_never_pass() {
    for element in FORMATS {
        let instance = instance(element, DataPattern::Normal);
        let [quants, scales, x] = [0, 1, 2].map(|tensor| bytes_of(&instance, tensor));
        let x: Vec<f32> = x.chunks(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect();
        let read = |quants: &[u8], scales: &[u8]| product(&weights(element, quants, scales), &x);
        assert!(passes(&instance, &read(&quants, &scales)));
        let swapped: Vec<u8> = quants.iter().map(|q| q.rotate_left(4)).collect();
        assert!(!passes(&instance, &read(&swapped, &scales)), "{element}: nibbles");
        let mut shifted = scales.clone();
        shifted.rotate_left(if element == ElementType::Q4K { 16 } else { 2 });
        assert!(!passes(&instance, &read(&quants, &shifted)), "{element}: scales");
        let mut missing = weights(element, &quants, &scales);
        missing.chunks_mut(1280).for_each(|row| row[1248..].fill(0.0));
        assert!(!passes(&instance, &product(&missing, &x)), "{element}: the last 32 weights");
    }
}

#[test]
fn rows_of_broken_blocks_are_refused_with_the_number_to_use() {
    let gemv = problem("gemv").unwrap();
    let refused = |shape: &str, element| {
        let given = shape.parse().unwrap();
        gemv.complete_for(Some(&given), DeviceClass::Software, element).unwrap_err()
    };
    for (element, block) in FORMATS.into_iter().zip([32, 32, 256]) {
        let error = refused("k=4100", element);
        assert!(matches!(error, ShapeError::Refused { .. }));
        let text = format!("k must be a multiple of {block}, the weights of a block of {element}, and 4100 is none");
        assert!(error.to_string().ends_with(&text), "{error}");
    }
    let k = "k=4100".parse().unwrap();
    assert!(gemv.complete_for(Some(&k), DeviceClass::Software, ElementType::F16).is_ok());
}
