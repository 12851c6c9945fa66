//! Attention in f16 against an emulation of kernels that keep scores and sums in f32: with the softmax weights in f32 or
//! rounded to f16 for matrix units, with subnormals kept or flushed. What is right stays well within the bounds, what is
//! wrong does not.

#![allow(clippy::unwrap_used, clippy::panic)]

use half::f16;
use wattmark::model::{DataPattern, ElementType};
use wattmark::verify::ProbePlan;
use wattmark::workload::{Instance, problem};

/// Rounds to f16 as a device may.
#[derive(Clone, Copy)]
struct Rounding {
    /// Weights go through f16.
    weights: bool,
    /// Numbers below 2^-14 become 0.
    flush: bool,
}

impl Rounding {
    fn half(self, value: f32) -> f32 {
        let rounded = f16::from_f32(value).to_f32();
        if self.flush && rounded.abs() < f16::MIN_POSITIVE.to_f32() { 0.0 } else { rounded }
    }
}

/// Keys that an online softmax takes at a time.
const TILE: usize = 64;

/// One query over its keys, tile by tile, as the fused kernels do.
fn online(q: &[f32], k: &[f32], v: &[f32], seen: usize, how: Rounding) -> Vec<f32> {
    let dim = q.len();
    let scale = 1.0 / (dim as f32).sqrt();
    let (mut highest, mut sum, mut o) = (f32::NEG_INFINITY, 0.0_f32, vec![0.0_f32; dim]);
    for first in (0..seen).step_by(TILE) {
        let keys = first..seen.min(first + TILE);
        let score = |j: usize| q.iter().zip(&k[j * dim..]).map(|(q, k)| q * k).sum::<f32>() * scale;
        let scores: Vec<f32> = keys.clone().map(score).collect();
        let top = scores.iter().fold(highest, |top, s| top.max(*s));
        let shrink = (highest - top).exp();
        (highest, sum) = (top, sum * shrink);
        o.iter_mut().for_each(|o| *o *= shrink);
        for (j, score) in keys.zip(scores) {
            let weight = (score - top).exp();
            sum += weight;
            let weight = if how.weights { how.half(weight) } else { weight };
            o.iter_mut().zip(&v[j * dim..]).for_each(|(o, v)| *o += weight * v);
        }
    }
    o.into_iter().map(|o| how.half(o / sum)).collect()
}

#[derive(Clone, Copy)]
struct Case {
    id: &'static str,
    shape: &'static str,
    pattern: DataPattern,
}

const fn normal(id: &'static str, shape: &'static str) -> Case {
    Case { id, shape, pattern: DataPattern::Normal }
}

impl Case {
    fn instance(&self) -> Instance {
        let shape = self.shape.parse().unwrap();
        Instance { shape, element: ElementType::F16, pattern: self.pattern, seed: 99 }
    }
    fn inputs(&self) -> Vec<Vec<f32>> {
        let (problem, instance) = (problem(self.id).unwrap(), self.instance());
        let tensors = problem.tensors(&instance.shape, instance.element);
        let fill = |index: usize| {
            let mut values = vec![0.0; tensors[index].len as usize];
            problem.fill(&instance, index, 0, &mut values);
            values
        };
        (0..3).map(fill).collect()
    }
    /// The whole output, where `seen` says how many keys a position sees.
    fn output(&self, x: &[Vec<f32>], how: Rounding, seen: impl Fn(usize) -> usize) -> Vec<f32> {
        let x: Vec<Vec<f32>> = x.iter().map(|x| x.iter().map(|x| how.half(*x)).collect()).collect();
        let shape = self.instance().shape;
        let get = |axis: &str| shape.get(axis) as usize;
        let (heads, group, dim) = (get("heads"), get("heads") / get("kv_heads"), get("dim"));
        let causal = self.id == "attention-prefill";
        let (length, queries) = if causal { (get("seq"), get("seq")) } else { (get("context"), 1) };
        let row = |(row, q): (usize, &[f32])| {
            let base = row / queries / heads * get("kv_heads") + row / queries % heads / group;
            let position = if causal { row % queries } else { length - 1 };
            online(q, &x[1][base * length * dim..], &x[2][base * length * dim..], seen(position), how)
        };
        x[0].chunks(dim).enumerate().flat_map(row).collect()
    }
    /// The worst error in bounds, or what is wrong.
    fn check(&self, output: &[f32]) -> Result<f64, String> {
        let plan = ProbePlan::sample(problem(self.id).unwrap(), &self.instance(), 512, 4);
        let mut bytes: Vec<u8> = output.iter().flat_map(|o| f16::from_f32(*o).to_le_bytes()).collect();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let read = plan.ranges().into_iter().flat_map(|r| bytes[r.start as usize..r.end as usize].to_vec());
        let checked = plan.check(&read.collect::<Vec<u8>>());
        checked.map(|check| check.worst_error_in_bounds).map_err(|mismatch| mismatch.to_string())
    }
}

const CASES: [Case; 6] = [
    normal("attention-prefill", "batch=2,heads=6,kv_heads=3,seq=97,dim=20"),
    normal("attention-prefill", "batch=1,heads=2,kv_heads=1,seq=300,dim=64"),
    normal("attention-prefill", "batch=1,heads=3,kv_heads=1,seq=5,dim=1"),
    normal("attention-decode", "batch=2,heads=4,kv_heads=2,context=533,dim=36"),
    normal("attention-decode", "batch=1,heads=4,kv_heads=1,context=4096,dim=128"),
    normal("attention-decode", "batch=1,heads=2,kv_heads=2,context=1,dim=67"),
];

const EVERY_WAY: [Rounding; 4] = [
    Rounding { weights: false, flush: false },
    Rounding { weights: false, flush: true },
    Rounding { weights: true, flush: false },
    Rounding { weights: true, flush: true },
];

#[test]
fn kernels_with_f32_accumulation_stay_well_within_the_f16_bounds() {
    let patterns = [DataPattern::Uniform, DataPattern::Zeros, DataPattern::Constant, DataPattern::Sparse];
    let others = patterns.map(|pattern| Case { pattern, ..CASES[3] });
    for case in CASES.iter().chain(&others) {
        let x = case.inputs();
        for how in EVERY_WAY {
            let worst = case.check(&case.output(&x, how, |position| position + 1));
            let worst = worst.unwrap_or_else(|why| panic!("{} {} {}: {why}", case.id, case.shape, case.pattern));
            // Rounding the result itself is up to one whole unit of its part of the bound.
            assert!(worst <= 1.0, "{} {}: {worst}", case.id, case.shape);
        }
    }
}

#[test]
fn one_key_less_of_four_thousand_a_mask_off_by_one_and_no_scale_never_pass_in_f16() {
    let (prefill, decode) = (&CASES[1], &CASES[4]);
    let how = EVERY_WAY[0];
    let x = decode.inputs();
    assert!(decode.check(&decode.output(&x, how, |position| position)).is_err(), "the last key is missing");
    let mut unscaled = x.clone();
    unscaled[0].iter_mut().for_each(|q| *q *= 1.02);
    assert!(decode.check(&decode.output(&unscaled, how, |position| position + 1)).is_err(), "scores 2 % too large");
    let x = prefill.inputs();
    assert!(prefill.check(&prefill.output(&x, how, |position| position.max(1))).is_err(), "not itself");
    assert!(prefill.check(&prefill.output(&x, how, |position| (position + 2).min(300))).is_err(), "the next token");
}

#[test]
fn half_the_bytes_and_the_same_flop_as_in_f32() {
    for case in &CASES {
        let (problem, shape) = (problem(case.id).unwrap(), case.instance().shape);
        let (half, single) = (problem.work(&shape, ElementType::F16), problem.work(&shape, ElementType::F32));
        assert_eq!((half.flop.get(), 2.0 * half.bytes.get()), (single.flop.get(), single.bytes.get()));
    }
}
