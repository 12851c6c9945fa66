//! The list of problems, their default shapes, and the shapes they refuse.

use std::collections::BTreeSet;

use wattmark::kernel::variants;
use wattmark::model::{DataPattern, ElementType, Shape, ShapeError};
use wattmark::workload::{DeviceClass, Instance, TensorRole, oracle_bytes, problem, problems};

const CLASSES: [DeviceClass; 2] = [DeviceClass::Hardware, DeviceClass::Software];

#[test]
fn every_problem_is_found_by_its_name_and_names_are_distinct() {
    let names: BTreeSet<&str> = problems().iter().map(|problem| problem.id()).collect();
    assert_eq!(names.len(), problems().len());
    for name in names {
        assert_eq!(problem(name).unwrap().id(), name);
    }
    assert!(problem("GEMM").is_none() && problem("").is_none());
}

#[test]
fn default_shapes_name_every_axis_and_fit_the_limits_of_their_class() {
    for problem in problems() {
        for class in CLASSES {
            for element in ElementType::ALL.into_iter().filter(|e| problem.supports(*e)) {
                let shape = problem.complete_for(None, class, element).unwrap();
                let named: BTreeSet<&str> = shape.iter().map(|(axis, _)| axis).collect();
                assert_eq!(named, problem.axes().iter().map(|axis| axis.name).collect(), "{}", problem.id());
                let sizes: Vec<u64> =
                    problem.tensors(&shape, element).iter().map(|t| t.len * t.element.bytes()).collect();
                let (most, total) = match class {
                    // One binding holds 2 GiB - 1 at most where wgpu counts in i32, and 128 MiB on llvmpipe.
                    DeviceClass::Hardware => ((1 << 31) - 1, 4 << 30),
                    DeviceClass::Software => (128 << 20, 64 << 20),
                };
                assert!(sizes.iter().all(|size| *size <= most), "{} {shape}: {sizes:?}", problem.id());
                assert!(sizes.iter().sum::<u64>() <= total, "{} {shape}: {sizes:?}", problem.id());
            }
        }
    }
}

#[test]
fn axes_left_out_come_from_the_default_shape() {
    let gemm = problem("gemm").unwrap();
    let given: Shape = "k=8192".parse().unwrap();
    let shape = gemm.complete(Some(&given), DeviceClass::Hardware).unwrap();
    assert_eq!(shape, Shape::new([("m", 4096), ("n", 4096), ("k", 8192)]));
}

#[test]
fn unknown_axes_misfits_and_absurd_sizes_are_refused_with_the_reason() {
    let refuse = |id: &str, shape: &str| {
        let given: Shape = shape.parse().unwrap();
        problem(id).unwrap().complete(Some(&given), DeviceClass::Software).unwrap_err()
    };
    let error = refuse("gemm", "rows=4");
    assert!(matches!(&error, ShapeError::UnknownAxis { axes, .. } if axes == "m, n, k"), "{error}");
    for (id, shape, reason) in [
        ("attention-prefill", "heads=6,kv_heads=4", "heads must be a multiple of kv_heads"),
        ("attention-decode", "heads=3,kv_heads=2", "heads must be a multiple of kv_heads"),
        ("conv2d", "height=4,kernel=7,pad=1", "a filter of 7x7 does not fit an image that is 6 pixels"),
        ("conv2d", "batch=channels=1099511627776", "more than 1099511627776 elements"),
        ("gemm", "m=n=k=1099511627776", "more than 1099511627776 elements"),
        ("swiglu", "d=f=1099511627776", "more than 1099511627776 elements"),
        ("rope-append", "dim=67", "dim must be even, for its elements are rotated in pairs, and 67 is odd"),
        ("rope-append", "start=16777216", "start + tokens must be at most 16777216"),
        ("embedding", "vocab=16777217", "vocab must be at most 16777216, and 16777217 is more"),
    ] {
        let error = refuse(id, shape).to_string();
        assert!(error.contains(reason), "{id} {shape}: {error}");
    }
    let zero = Shape::new([("n", 0)]);
    assert!(matches!(problem("memory-copy").unwrap().check(&zero), Err(ShapeError::Extent { .. })));
}

#[test]
fn every_precision_that_a_problem_takes_has_a_variant_and_the_reverse() {
    for problem in problems() {
        for element in ElementType::ALL {
            let computed = variants().iter().any(|v| v.problem == problem.id() && v.element == element);
            assert_eq!(computed, problem.supports(element), "{} in {element}", problem.id());
        }
    }
}

#[test]
fn swiglu_projections_have_a_standard_deviation_near_one_at_any_width() {
    let swiglu = problem("swiglu").unwrap();
    for d in [1, 2, 3, 7, 8, 512, 1000, 4096, 5120, 16384, 1 << 39] {
        let scale = swiglu.scale(&Shape::new([("tokens", 1), ("d", d), ("f", 1)]), 1);
        let deviation = scale * (d as f64).sqrt();
        assert!((0.7..1.42).contains(&deviation), "d = {d}: {deviation}");
        assert_eq!(scale.to_bits() << 12, 0, "a power of two");
    }
}

#[test]
fn the_oracle_gives_any_byte_range_of_any_tensor() {
    for (id, shape, element) in [
        ("gemm", "m=3,n=5,k=4", ElementType::F32),
        ("fma", "n=5,steps=9", ElementType::F16),
        ("gemv", "m=3,k=5", ElementType::F16),
        ("gemv", "m=3,k=96", ElementType::Q4_0),
        ("gemv", "m=3,k=256", ElementType::Q4K),
        ("embedding", "vocab=7,dim=3,tokens=5", ElementType::F32),
        ("rope-append", "batch=2,heads=2,kv_heads=1,tokens=3,dim=2,start=9", ElementType::F32),
    ] {
        let problem = problem(id).unwrap();
        let instance = Instance { shape: shape.parse().unwrap(), element, pattern: DataPattern::Normal, seed: 5 };
        for (index, tensor) in problem.tensors(&instance.shape, element).iter().enumerate() {
            let end = tensor.bytes();
            let whole = oracle_bytes(problem, &instance, index, 0, end);
            assert_eq!(whole.len() as u64, end);
            for start in (0..end).step_by(4) {
                let part = oracle_bytes(problem, &instance, index, start, end.min(start + 8));
                assert_eq!(part, whole[start as usize..end.min(start + 8) as usize]);
            }
            if tensor.role == TensorRole::Output && element == ElementType::F32 {
                let value = problem.output(&instance, index, 1) as f32;
                assert_eq!(whole[4..8], value.to_le_bytes());
            }
        }
        assert!(oracle_bytes(problem, &instance, 9, 0, 8).is_empty());
        assert!(problem.output(&instance, 0, 0).is_nan(), "an input has no output value");
        assert!(problem.output(&instance, 2, u64::MAX).is_nan());
    }
}
