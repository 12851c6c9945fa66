//! The arithmetic probe: its reference against step-by-step emulation of f32 and f16 hardware.

#![allow(clippy::unwrap_used)]

use half::f16;
use wattmark::model::{DataPattern, ElementType, Shape};
use wattmark::workload::{Instance, problem};

const S: f64 = 13.0 / 32.0;

fn instance(n: u64, steps: u64, element: ElementType) -> Instance {
    Instance { shape: Shape::new([("n", n), ("steps", steps)]), element, pattern: DataPattern::Normal, seed: 11 }
}

/// Rounds to the element type after every operation, fused or not, as a device would; f64 holds every product exactly.
fn emulate(mut x: f64, mut y: f64, steps: u64, element: ElementType, fused: bool) -> [f64; 2] {
    let round = |value: f64| match element {
        ElementType::F32 => f64::from(value as f32),
        _ => f16::from_f64(value).to_f64(),
    };
    let fma = |s: f64, a: f64, c: f64| if fused { round(s * a + c) } else { round(round(s * a) + c) };
    for _ in 0..steps {
        x = fma(-S, y, x);
        y = fma(S, x, y);
    }
    [x, y]
}

/// Largest error over all oscillators, in units of the bound, of an emulation that takes `taken` steps.
fn worst(instance: &Instance, taken: u64, fused: bool) -> (f64, usize, usize) {
    let fma = problem("fma").unwrap();
    let expected = fma.reference(instance, 200, 3);
    let mut state = vec![0.0; 2 * instance.shape.get("n") as usize];
    fma.fill(instance, 0, 0, &mut state);
    let errors: Vec<f64> = expected
        .iter()
        .map(|expected| {
            let oscillator = (expected.index / 2) as usize;
            let (x, y) = (f64::from(state[2 * oscillator]), f64::from(state[2 * oscillator + 1]));
            let result = emulate(x, y, taken, instance.element, fused)[(expected.index % 2) as usize];
            (result - expected.value).abs() / expected.bound
        })
        .collect();
    let wrong = errors.iter().filter(|error| **error > 1.0).count();
    (errors.into_iter().fold(0.0, f64::max), wrong, expected.len())
}

#[test]
fn emulated_hardware_stays_well_within_the_bound_fused_or_not() {
    for element in [ElementType::F32, ElementType::F16] {
        for steps in [1, 2, 3, 17, 256, 4096, 8192] {
            for fused in [true, false] {
                let (error, _, _) = worst(&instance(1000, steps, element), steps, fused);
                assert!(error < 0.75, "{element}, {steps} steps, fused {fused}: {error} bounds");
            }
        }
    }
}

#[test]
fn one_step_too_few_or_too_many_is_noticed_even_in_f16() {
    for element in [ElementType::F32, ElementType::F16] {
        for steps in [1, 64, 4096, 8192] {
            for taken in [steps - 1, steps + 1, 0] {
                let (_, wrong, of) = worst(&instance(1000, steps, element), taken, true);
                assert!(wrong * 4 > of, "{element}, {taken} of {steps} steps: only {wrong} of {of} are wrong");
            }
        }
    }
}

#[test]
fn the_bound_in_f16_stays_below_a_third_of_the_amplitude_at_the_default_steps() {
    let fma = problem("fma").unwrap();
    let instance = instance(1000, 4096, ElementType::F16);
    let mut state = vec![0.0; 2000];
    fma.fill(&instance, 0, 0, &mut state);
    for expected in fma.reference(&instance, 400, 0) {
        let oscillator = (expected.index / 2) as usize;
        let radius = f64::from(state[2 * oscillator].hypot(state[2 * oscillator + 1]));
        assert!(expected.bound < 0.3 * radius.max(0.2), "{} of {radius}", expected.bound);
    }
}

#[test]
fn the_matrix_power_is_the_iteration() {
    let fma = problem("fma").unwrap();
    let instance = instance(7, 5001, ElementType::F32);
    let mut state = vec![0.0; 14];
    fma.fill(&instance, 0, 0, &mut state);
    for oscillator in 0..7 {
        let (mut x, mut y) = (f64::from(state[2 * oscillator]), f64::from(state[2 * oscillator + 1]));
        for _ in 0..5001 {
            x -= S * y;
            y += S * x;
        }
        for (part, value) in [x, y].into_iter().enumerate() {
            let output = fma.output(&instance, 1, (2 * oscillator + part) as u64);
            assert!((output - value).abs() < 1e-10, "{output} {value}");
        }
    }
}

#[test]
fn steps_that_f16_cannot_follow_are_refused() {
    let error = problem("fma").unwrap().check(&Shape::new([("n", 4), ("steps", 1 << 20)])).unwrap_err();
    assert!(error.to_string().contains("steps is 1048576"), "{error}");
}

#[test]
fn integer_chains_are_exact_to_the_last_bit_at_any_number_of_steps() {
    const M: u32 = 1_327_217_885;
    let fma = problem("fma").unwrap();
    for steps in [1, 2, 77, 4096] {
        let instance = instance(50, steps, ElementType::I32);
        let mut state = vec![0.0; 100];
        fma.fill(&instance, 0, 0, &mut state);
        let expected = fma.reference(&instance, 100, 1);
        assert!(expected.len() == 100 && expected.iter().all(|expected| expected.bound == 0.0));
        for pair in expected.chunks(2) {
            let at = pair[0].index as usize;
            let (mut x, mut y) = (state[at] as i32 as u32, state[at + 1] as i32 as u32);
            for _ in 0..steps {
                x = x.wrapping_sub(M.wrapping_mul(y));
                y = y.wrapping_add(M.wrapping_mul(x));
            }
            assert_eq!([pair[0].value, pair[1].value], [f64::from(x as i32), f64::from(y as i32)], "{steps} steps");
        }
    }
}

#[test]
fn double_precision_stays_within_a_bound_that_a_missing_step_breaks_a_million_times_over() {
    let fma = problem("fma").unwrap();
    let instance = instance(200, 4096, ElementType::F64);
    let mut state = vec![0.0; 400];
    fma.fill(&instance, 0, 0, &mut state);
    for pair in fma.reference(&instance, 400, 1).chunks(2) {
        let at = pair[0].index as usize;
        let rotated = |steps: u64| {
            let (mut x, mut y) = (f64::from(state[at]), f64::from(state[at + 1]));
            for _ in 0..steps {
                x = (-S).mul_add(y, x);
                y = S.mul_add(x, y);
            }
            [x, y]
        };
        let error = |found: [f64; 2]| (found[0] - pair[0].value).abs().max((found[1] - pair[1].value).abs());
        assert!(error(rotated(4096)) < 0.5 * pair[0].bound, "{} of {}", error(rotated(4096)), pair[0].bound);
        assert!(error(rotated(4095)) > 1e6 * pair[0].bound);
    }
}
