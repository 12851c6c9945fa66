//! Matrix products in every precision against plain implementations that start from the very bytes a device gets: in float64
//! they must give the reference's values, in the kernel's own precision they must stay within the bounds, and wrong they must not.

#![allow(clippy::unwrap_used, clippy::panic)]

use half::f16;
use wattmark::model::{DataPattern, ElementType, Shape};
use wattmark::verify::ProbePlan;
use wattmark::workload::{Instance, Problem, problem};

/// The pairs of factors of one element of C.
type Terms<'a> = &'a mut dyn Iterator<Item = (f16, f16)>;

fn instance(shape: &str, element: ElementType, pattern: DataPattern) -> Instance {
    Instance { shape: shape.parse().unwrap(), element, pattern, seed: 31 }
}

/// The bytes of an input, as a device gets them.
fn bytes(problem: &dyn Problem, instance: &Instance, tensor: usize) -> Vec<u8> {
    let size = problem.tensors(&instance.shape, instance.element)[tensor].bytes();
    let mut bytes = vec![0xff; size as usize];
    problem.write(instance, tensor, 0, &mut bytes);
    bytes
}

fn halves(bytes: &[u8]) -> Vec<f16> {
    bytes.chunks_exact(2).map(|two| f16::from_le_bytes([two[0], two[1]])).collect()
}

fn passes(problem: &dyn Problem, instance: &Instance, output: &[u8]) -> Result<f64, String> {
    let plan = ProbePlan::sample(problem, instance, 256, 3);
    let parts = plan.ranges().into_iter().flat_map(|r| output[r.start as usize..r.end as usize].to_vec());
    let check = plan.check(&parts.collect::<Vec<u8>>()).map_err(|mismatch| mismatch.to_string())?;
    Ok(check.worst_error_in_bounds)
}

fn extents(shape: &Shape) -> [usize; 3] {
    ["m", "n", "k"].map(|axis| shape.get(axis) as usize)
}

/// C of f16 operands by a sum over k of its own.
fn half_product<T>(shape: &Shape, a: &[f16], b: &[f16], sum: impl Fn(Terms<'_>) -> T) -> Vec<T> {
    let [m, n, k] = extents(shape);
    let element = |i: usize, j: usize| sum(&mut (0..k).map(|l| (a[i * k + l], b[l * n + j])));
    (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| element(i, j)).collect()
}

const RAGGED: [&str; 4] = ["m=5,n=7,k=3", "m=67,n=35,k=1029", "m=n=k=1", "m=9,n=11,k=4096"];

#[test]
fn references_of_f16_products_agree_with_plain_float64_sums() {
    let gemm = problem("gemm").unwrap();
    for shape in RAGGED {
        for element in [ElementType::F16, ElementType::Mixed] {
            let instance = instance(shape, element, DataPattern::Normal);
            let (a, b) = (halves(&bytes(gemm, &instance, 0)), halves(&bytes(gemm, &instance, 1)));
            let right =
                half_product(&instance.shape, &a, &b, |terms| terms.map(|(a, b)| a.to_f64() * b.to_f64()).sum::<f64>());
            for one in gemm.reference(&instance, 256, 5) {
                let value = right[one.index as usize];
                assert!(
                    (one.value - value).abs() <= 1e-11 * value.abs().max(1.0),
                    "{shape} {element}: {one:?}, {value}"
                );
                assert_eq!(one.value, gemm.output(&instance, 2, one.index));
            }
        }
    }
}

#[test]
fn f16_results_pass_by_f16_and_by_f32_sums_of_any_order_and_fail_without_a_tile_of_k() {
    let gemm = problem("gemm").unwrap();
    for (shape, pattern) in [
        ("m=5,n=7,k=3", DataPattern::Normal),
        ("m=67,n=35,k=1029", DataPattern::Normal),
        ("m=13,n=11,k=8192", DataPattern::Normal),
        ("m=13,n=11,k=2048", DataPattern::Sparse),
        ("m=13,n=11,k=4096", DataPattern::Uniform),
        ("m=5,n=7,k=8192", DataPattern::Constant),
        ("m=5,n=7,k=99", DataPattern::Zeros),
    ] {
        let instance = instance(shape, ElementType::F16, pattern);
        let (a, b) = (halves(&bytes(gemm, &instance, 0)), halves(&bytes(gemm, &instance, 1)));
        let verdict = |sum: &dyn Fn(Terms<'_>) -> f16| {
            let output = half_product(&instance.shape, &a, &b, sum);
            let mut output: Vec<u8> = output.into_iter().flat_map(|c| c.to_le_bytes()).collect();
            output.resize(output.len().next_multiple_of(4), 0);
            passes(gemm, &instance, &output)
        };
        // Products in f16 too: a kernel without a fused multiply-add.
        let sequential = verdict(&|terms| terms.fold(f16::ZERO, |sum, (a, b)| sum + a * b));
        let reversed = verdict(&|terms| {
            let terms: Vec<(f16, f16)> = terms.collect();
            terms.into_iter().rev().fold(f16::ZERO, |sum, (a, b)| f16::from_f32(a.to_f32() * b.to_f32() + sum.to_f32()))
        });
        let single = verdict(&|terms| f16::from_f32(terms.fold(0.0, |sum, (a, b)| sum + a.to_f32() * b.to_f32())));
        for (how, worst) in [("f16", sequential), ("f16 backwards", reversed), ("f32", single)] {
            let worst = worst.unwrap_or_else(|why| panic!("{shape} {pattern} {how}: {why}"));
            assert!(worst <= 0.75, "{shape} {pattern} {how}: {worst}");
        }
        if instance.shape.get("k") > 1024 && !matches!(pattern, DataPattern::Constant) {
            let short = instance.shape.get("k") as usize - 512;
            let cut = verdict(&|terms| {
                f16::from_f32(terms.take(short).fold(0.0, |sum, (a, b)| sum + a.to_f32() * b.to_f32()))
            });
            assert!(cut.is_err(), "{shape} {pattern}: 512 missing terms went unnoticed: {cut:?}");
        }
    }
}

#[test]
fn f16_operands_with_f32_results_leave_no_room_for_f16_sums() {
    let gemm = problem("gemm").unwrap();
    let instance = instance("m=13,n=11,k=1024", ElementType::Mixed, DataPattern::Normal);
    let (a, b) = (halves(&bytes(gemm, &instance, 0)), halves(&bytes(gemm, &instance, 1)));
    let verdict = |sum: &dyn Fn(Terms<'_>) -> f32| {
        let output = half_product(&instance.shape, &a, &b, sum);
        passes(gemm, &instance, &output.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
    };
    let single = |terms: Terms<'_>| terms.fold(0.0, |sum, (a, b)| sum + a.to_f32() * b.to_f32());
    assert!(verdict(&single).unwrap() < 0.5);
    assert!(verdict(&|terms| f16::from_f32(single(terms)).to_f32()).is_err(), "a result rounded to f16");
    assert!(verdict(&|terms| single(&mut terms.take(1023))).is_err(), "a missing term");
    assert!(verdict(&|terms| terms.fold(f16::ZERO, |sum, (a, b)| sum + a * b).to_f32()).is_err(), "sums in f16");
}

#[test]
fn int8_operands_run_along_k_padded_with_zeros_and_their_products_are_exact() {
    let gemm = problem("gemm").unwrap();
    for shape in ["m=5,n=7,k=3", "m=67,n=35,k=1029", "m=3,n=2,k=64", "m=n=k=1"] {
        for pattern in DataPattern::ALL {
            let instance = instance(shape, ElementType::I8, pattern);
            let [m, n, k] = extents(&instance.shape);
            let pitch = k.next_multiple_of(4);
            let operand = |tensor| bytes(gemm, &instance, tensor).into_iter().map(|b| b as i8).collect::<Vec<i8>>();
            let (a, b) = (operand(0), operand(1));
            assert_eq!((a.len(), b.len()), (m * pitch, n * pitch));
            for rows in [&a, &b] {
                assert!(rows.chunks(pitch).all(|row| row[k..].iter().all(|v| *v == 0)), "{shape}: padding");
            }
            // Any stretch of a buffer can be written by itself.
            for start in (0..a.len() / 8 * 8).step_by(8) {
                let mut part = vec![0xff_u8; 8];
                gemm.write(&instance, 0, start as u64, &mut part);
                assert!(part.iter().zip(&a[start..]).all(|(byte, value)| *byte as i8 == *value), "{shape} at {start}");
            }
            let dot = |i: usize, j: usize| -> i32 {
                (0..k).map(|l| i32::from(a[i * pitch + l]) * i32::from(b[j * pitch + l])).sum()
            };
            let right: Vec<i32> = (0..m * n).map(|at| dot(at / n, at % n)).collect();
            for one in gemm.reference(&instance, 256, 5) {
                assert_eq!((one.value, one.bound), (f64::from(right[one.index as usize]), 0.0), "{shape} {pattern}");
            }
            let encode = |c: &[i32]| c.iter().flat_map(|c| c.to_le_bytes()).collect::<Vec<u8>>();
            passes(gemm, &instance, &encode(&right)).unwrap();
            let mut wrong = right.clone();
            wrong[m * n - 1] += 1;
            assert!(passes(gemm, &instance, &encode(&wrong)).is_err(), "{shape} {pattern}: off by one");
        }
    }
}

#[test]
fn an_int8_sum_that_could_leave_32_bits_is_never_taken_for_right() {
    let gemm = problem("gemm").unwrap();
    let reference = |k: u64| {
        let shape = Shape::new([("m", 1), ("n", 1), ("k", k)]);
        gemm.reference(&Instance { shape, ..instance("m=1", ElementType::I8, DataPattern::Normal) }, 4, 1)
    };
    assert_eq!((reference(133_144).len(), reference(133_145).len()), (1, 0));
    assert!(133_144_i64 * 127 * 127 < 1 << 31 && 133_146_i64 * 127 * 127 > i64::from(i32::MAX));
}

#[test]
fn work_counts_the_bytes_of_every_precision_without_padding() {
    let gemm = problem("gemm").unwrap();
    let shape: Shape = "m=2,n=3,k=5".parse().unwrap();
    for (element, bytes) in [
        (ElementType::F32, 4 * (10 + 15 + 6)),
        (ElementType::F16, 2 * (10 + 15 + 6)),
        (ElementType::Mixed, 2 * (10 + 15) + 4 * 6),
        (ElementType::I8, 10 + 15 + 4 * 6),
    ] {
        let work = gemm.work(&shape, element);
        assert_eq!((work.flop.get(), work.bytes.get()), (60.0, f64::from(bytes)), "{element}");
    }
}
