//! Freivalds' check against products computed here in plain f32, f16 and integers.

use super::*;
use crate::model::{DataPattern, ElementType, Shape};
use crate::workload::{Accumulation, Instance, RowFiller, problem};

const SHAPE: [u64; 3] = [33, 70, 129];

fn instance(pattern: DataPattern) -> Instance {
    let [m, n, k] = SHAPE;
    let shape = Shape::new([("m", m), ("n", n), ("k", k)]);
    Instance { shape, element: ElementType::F32, pattern, seed: 4 }
}

/// The product as a plain f32 kernel computes it.
fn product(instance: &Instance) -> Vec<f32> {
    let ([m, n, k], gemm) = (SHAPE.map(|extent| extent as usize), problem("gemm").unwrap());
    let (mut a, mut b) = (vec![0.0; m * k], vec![0.0; k * n]);
    gemm.fill(instance, 0, 0, &mut a);
    gemm.fill(instance, 1, 0, &mut b);
    let element = |i: usize, j: usize| (0..k).fold(0.0_f32, |sum, l| sum + a[i * k + l] * b[l * n + j]);
    (0..m * n).map(|at| element(at / n, at % n)).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The verdict on a device's C, read in pieces of `piece` bytes.
fn judged(projection: &Projection, c: &[u8], piece: usize) -> Result<ProductCheck, FreivaldsError> {
    let mut sums = projection.sums();
    for (number, part) in c.chunks(piece).enumerate() {
        projection.add(&mut sums, (number * piece) as u64, part);
    }
    projection.judge(&sums)
}

fn projection(instance: &Instance, both: bool) -> Projection {
    let gemm = problem("gemm").unwrap();
    Projection::new(&gemm.product(instance).unwrap(), "c", TRIALS, 1, both)
}

fn verdict(c: &[f32]) -> Result<ProductCheck, FreivaldsError> {
    let instance = instance(DataPattern::Normal);
    judged(&projection(&instance, false), &bytes(c), 1 << 20)
}

#[test]
fn a_product_in_f32_passes_with_room_to_spare_whatever_the_pieces() {
    let instance = instance(DataPattern::Normal);
    let c = bytes(&product(&instance));
    let both = projection(&instance, true);
    let whole = judged(&both, &c, 1 << 20).unwrap();
    assert_eq!((whole.rows, whole.columns, whole.trials), (33, 70, 8));
    assert!(whole.worst_error_in_bounds > 0.0 && whole.worst_error_in_bounds < 0.2, "{whole:?}");
    for piece in [8, 280, 1000, 4096] {
        let pieces = judged(&both, &c, piece).unwrap();
        assert!((pieces.worst_error_in_bounds - whole.worst_error_in_bounds).abs() < 1e-6, "{piece}");
    }
    assert_eq!(judged(&projection(&instance, false), &c, 1 << 20).unwrap().columns, 0);
}

#[test]
fn every_pattern_of_data_passes_and_one_wrong_element_of_each_is_found() {
    for pattern in DataPattern::ALL {
        let instance = instance(pattern);
        let mut c = product(&instance);
        let projection = projection(&instance, true);
        judged(&projection, &bytes(&c), 1 << 20).unwrap();
        c[5 * 70 + 7] += 0.25;
        let found = judged(&projection, &bytes(&c), 1 << 20).unwrap_err();
        assert!(matches!(found, FreivaldsError::Line { side: "row", line: 5, failed: 1, .. }), "{pattern}: {found}");
    }
}

#[test]
fn a_wrong_tile_a_shifted_column_a_missing_term_and_a_nan_are_found() {
    let right = product(&instance(DataPattern::Normal));
    let mut tile = right.clone();
    tile.copy_within(9 * 70 + 16..9 * 70 + 24, 8 * 70 + 16);
    let mut shifted = right.clone();
    shifted[32 * 70..].rotate_left(1);
    let mut missing = right.clone();
    missing[0] = 0.0;
    let mut nan = right.clone();
    nan[5 * 70 + 5] = f32::NAN;
    for (wrong, row) in [(tile, 8), (shifted, 32), (missing, 0), (nan, 5)] {
        assert!(matches!(verdict(&wrong), Err(FreivaldsError::Line { line, .. }) if line == row));
    }
    let short = verdict(&right[..right.len() - 1]);
    assert!(matches!(short, Err(FreivaldsError::Elements { got: 2309, expected: 2310, .. })), "{short:?}");
}

#[test]
fn a_message_names_the_row_and_how_many_are_wrong() {
    let mut wrong = product(&instance(DataPattern::Normal));
    wrong[70..3 * 70].iter_mut().for_each(|value| *value *= 2.0);
    let text = verdict(&wrong).unwrap_err().to_string();
    assert!(text.starts_with("row 1 of c is wrong: a random ±1 sum of it is "), "{text}");
    assert!(text.ends_with("; 2 of 33 rows are wrong"), "{text}");
}

/// A batch of two integer products of 3×5 by 5×4 with small values.
fn integers() -> (Product<'static>, Vec<i32>) {
    let value = |tensor: u64, batch: u64, at: u64| ((tensor * 7 + batch * 3 + at * at) % 11) as i32 - 5;
    let filler = move |tensor: u64, length: u64| -> RowFiller<'static> {
        Box::new(move |batch, row, out| {
            (0..).zip(out.iter_mut()).for_each(|(at, slot)| *slot = value(tensor, batch, row * length + at) as f32);
        })
    };
    let element = |batch: u64, row: u64, column: u64| {
        (0..5).map(|l| value(1, batch, row * 5 + l) * value(2, batch, l * 4 + column)).sum::<i32>()
    };
    let c = (0..24).map(|at| element(at / 12, at / 4 % 3, at % 4)).collect();
    let product = Product {
        tensor: 2,
        element: Scalar::I32,
        batches: 2,
        rows: 3,
        columns: 4,
        inner: 5,
        left: filler(1, 5),
        right: filler(2, 4),
        accumulation: Accumulation::Exact,
        smallest_operand: 0.0,
    };
    (product, c)
}

#[test]
fn integers_of_a_batch_must_agree_exactly_in_rows_and_in_columns() {
    let (product, right) = integers();
    let bytes = |c: &[i32]| c.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let projection = Projection::new(&product, "c", 8, 3, true);
    for piece in [8, 96] {
        let check = judged(&projection, &bytes(&right), piece).unwrap();
        assert_eq!((check.rows, check.columns, check.worst_error_in_bounds), (6, 8, 0.0));
    }
    for at in 0..right.len() {
        let mut wrong = right.clone();
        wrong[at] += 1;
        let found = judged(&projection, &bytes(&wrong), 96).unwrap_err();
        assert!(matches!(found, FreivaldsError::Line { line, .. } if line == at as u64 / 4), "{at}: {found}");
    }
}

#[test]
fn columns_find_what_a_row_of_one_trial_may_miss() {
    // Two errors of equal size and opposite sign in one row cancel wherever their signs agree: half of all trials.
    let (product, mut c) = integers();
    let rows = (0..64).filter(|seed| {
        let projection = Projection::new(&product, "c", 1, *seed, false);
        c[4] += 3;
        c[5] -= 3;
        let bytes: Vec<u8> = c.iter().flat_map(|value| value.to_le_bytes()).collect();
        c[4] -= 3;
        c[5] += 3;
        judged(&projection, &bytes, 96).is_err()
    });
    let found = rows.count();
    assert!((16..48).contains(&found), "{found}");
    let (product, mut c) = integers();
    c[4] += 3;
    c[5] -= 3;
    let bytes: Vec<u8> = c.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(judged(&Projection::new(&product, "c", 1, 0, true), &bytes, 96).is_err());
}

#[test]
fn the_roundings_of_half_precision_results_are_allowed_for_and_no_more() {
    let instance = instance(DataPattern::Normal);
    let gemm = problem("gemm").unwrap();
    let product_of = || Product { element: Scalar::F16, ..gemm.product(&instance).unwrap() };
    let projection = Projection::new(&product_of(), "c", TRIALS, 1, true);
    let half = |values: &[f32]| -> Vec<u8> {
        values.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect()
    };
    let mut c = product(&instance);
    let check = judged(&projection, &half(&c), 1 << 20).unwrap();
    assert!(check.worst_error_in_bounds > 0.01, "{check:?}");
    c[40] += 2.0;
    assert!(judged(&projection, &half(&c), 1 << 20).is_err());
}

#[test]
fn sums_that_are_rounded_to_half_precision_after_every_addition_pass_and_a_doubled_element_does_not() {
    let gemm = problem("gemm").unwrap();
    for pattern in DataPattern::ALL {
        let instance = Instance { element: ElementType::F16, ..instance(pattern) };
        let projection = Projection::new(&gemm.product(&instance).unwrap(), "c", TRIALS, 1, true);
        let [m, n, k] = SHAPE.map(|extent| extent as usize);
        let (mut a, mut b) = (vec![0.0; m * k], vec![0.0; k * n]);
        gemm.fill(&instance, 0, 0, &mut a);
        gemm.fill(&instance, 1, 0, &mut b);
        let half = half::f16::from_f32;
        let element = |at: usize| {
            let products = (0..k).map(|l| half(a[at / n * k + l]) * half(b[l * n + at % n]));
            products.fold(half::f16::ZERO, |sum, product| sum + product)
        };
        let mut c: Vec<half::f16> = (0..m * n).map(element).collect();
        let bytes = |c: &[half::f16]| c.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let check = judged(&projection, &bytes(&c), 1 << 20).unwrap();
        assert!(check.worst_error_in_bounds < 0.5, "{pattern}: {check:?}");
        // The largest of a row, which stands out by far.
        let largest = (0..n).max_by(|x, y| c[*x].to_f32().abs().total_cmp(&c[*y].to_f32().abs())).unwrap();
        // Bounds of equal terms are wider: there it takes the row.
        let doubled = if pattern == DataPattern::Constant { 0..n } else { largest..largest + 1 };
        c[doubled].iter_mut().for_each(|value| *value = half::f16::from_f32(2.0 * value.to_f32()));
        assert_eq!(judged(&projection, &bytes(&c), 1 << 20).is_err(), pattern != DataPattern::Zeros, "{pattern}");
    }
}
