//! Small shapes on which a candidate is checked before the timed one: ragged where the problem allows it.
//!
//! A kernel that is right at 4096 may be wrong at 67. What surprises people: the shape is derived from the timed one axis
//! by axis, and an axis that the problem's rule does not let shrink stays as it is.

use crate::model::{ElementType, Shape};
use crate::workload::Problem;

/// Extents that are no multiple of any vector, tile or subgroup: a full tile of 256 or 128 with a ragged one behind it
/// along the first axes, shorter ones along the others.
const RAGGED: [u64; 5] = [259, 131, 83, 67, 51];
/// Extents for kernels that take only multiples of 32.
const ALIGNED: [u64; 3] = [96, 64, 32];
/// Extent for rows of blocks of weights, which hold up to 256 of them.
const BLOCK: u64 = 256;
/// Axes up to this extent are left alone: batches, groups of heads.
const SMALL: u64 = 8;

/// Shapes to check on, the most telling first; those that a problem refuses are left out, and so is the timed shape.
pub fn small(problem: &dyn Problem, timed: &Shape, element: ElementType) -> Vec<Shape> {
    let mut found: Vec<Shape> = Vec::new();
    for extents in [&RAGGED[..], &ALIGNED[..]] {
        let shape = shrunk(problem, timed, element, extents);
        if shape != *timed && !found.contains(&shape) && problem.check_for(&shape, element).is_ok() {
            found.push(shape);
        }
    }
    found
}

/// The timed shape with each axis in turn made smaller, where the problem's rule allows it: the axis's own of these extents
/// first, then the others, then aligned ones, then a whole block.
fn shrunk(problem: &dyn Problem, timed: &Shape, element: ElementType, extents: &[u64]) -> Shape {
    let mut shape = timed.clone();
    for (index, axis) in problem.axes().iter().enumerate() {
        let extent = timed.get(axis.name);
        let own = extents.iter().cycle().skip(index % extents.len()).take(extents.len());
        for value in own.chain(&ALIGNED).chain([&BLOCK]).filter(|value| **value < extent && extent > SMALL) {
            let mut next = shape.clone();
            next.set(axis.name, *value);
            if problem.check_for(&next, element).is_ok() {
                shape = next;
                break;
            }
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{self, DeviceClass};

    fn small_of(problem: &str, class: DeviceClass) -> Vec<Shape> {
        let problem = workload::problem(problem).unwrap();
        small(problem, &problem.default_shape(class), ElementType::F32)
    }

    #[test]
    fn a_matrix_product_is_checked_on_ragged_edges_of_every_axis() {
        let shapes = small_of("gemm", DeviceClass::Hardware);
        assert_eq!(shapes[0], Shape::new([("m", 259), ("n", 131), ("k", 83)]));
        assert_eq!(shapes[1], Shape::new([("m", 96), ("n", 64), ("k", 32)]));
    }

    #[test]
    fn extents_that_must_fit_together_still_do() {
        for class in [DeviceClass::Hardware, DeviceClass::Software] {
            for shape in small_of("attention-decode", class) {
                assert_eq!(shape.get("heads") % shape.get("kv_heads"), 0, "{shape}");
            }
        }
    }

    #[test]
    fn every_problem_has_a_small_shape_that_it_accepts_in_every_precision() {
        let pairs = workload::problems().iter().flat_map(|problem| {
            ElementType::ALL
                .into_iter()
                .filter(|element| problem.supports(*element))
                .map(move |element| (*problem, element))
        });
        for (problem, element) in pairs {
            let timed = problem.default_shape_for(DeviceClass::Hardware, element);
            let shapes = small(problem, &timed, element);
            assert!(!shapes.is_empty(), "{} {element}", problem.id());
            for shape in shapes {
                problem.check_for(&shape, element).unwrap();
                let elements =
                    |shape: &Shape| -> u64 { problem.tensors(shape, element).iter().map(|tensor| tensor.len).sum() };
                assert!(elements(&shape) < elements(&timed), "{} {shape}", problem.id());
            }
        }
    }
}
