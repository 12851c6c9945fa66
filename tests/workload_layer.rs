//! The decoder layer against a second, plain implementation over materialised inputs: in float64 it must give the
//! reference's values, in float32 stay within its bounds, execute the FLOP of the formula, and with any one part wrong fail.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;

use wattmark::model::{DataPattern, ElementType};
use wattmark::verify::ProbePlan;
use wattmark::workload::{DeviceClass, Instance, Problem, TensorRole, problem};

/// What is left out or done wrongly.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    FirstResidual,
    SecondResidual,
    InterleavedHeads,
    RotationOfQueries,
    RotationOfKeys,
    NeighbouringPairs,
    RotationOffByOne,
    Scale,
    Mask,
    OldestKey,
    NewestCachedKey,
    FirstNorm,
    SecondNorm,
    SwappedNorms,
    Gate,
    SwappedGate,
    LastHidden,
    LastInner,
    LastHead,
}

const FAULTS: [Fault; 19] = [
    Fault::FirstResidual,
    Fault::SecondResidual,
    Fault::InterleavedHeads,
    Fault::RotationOfQueries,
    Fault::RotationOfKeys,
    Fault::NeighbouringPairs,
    Fault::RotationOffByOne,
    Fault::Scale,
    Fault::Mask,
    Fault::OldestKey,
    Fault::NewestCachedKey,
    Fault::FirstNorm,
    Fault::SecondNorm,
    Fault::SwappedNorms,
    Fault::Gate,
    Fault::SwappedGate,
    Fault::LastHidden,
    Fault::LastInner,
    Fault::LastHead,
];

thread_local! {
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The result of an operation, in float64 or rounded to float32.
#[derive(Clone, Copy)]
enum Arithmetic {
    Double,
    Single,
    Counted,
}

impl Arithmetic {
    fn of(self, value: f64) -> f64 {
        match self {
            Self::Double => value,
            Self::Single => f64::from(value as f32),
            Self::Counted => {
                OPERATIONS.set(OPERATIONS.get() + 1);
                value
            }
        }
    }
    fn dot(self, terms: impl Iterator<Item = (f64, f64)>) -> f64 {
        terms.fold(0.0, |sum, (a, b)| self.of(sum + self.of(a * b)))
    }
    fn normalised(self, row: &[f64], weights: &[f64], plain: bool) -> Vec<f64> {
        if plain {
            return row.to_vec();
        }
        let mean = self.of(self.dot(row.iter().map(|v| (*v, *v))) / row.len() as f64);
        let factor = self.of(1.0 / self.of(self.of(mean + 1e-5).sqrt()));
        row.iter().zip(weights).map(|(v, w)| self.of(self.of(v * factor) * w)).collect()
    }
    /// A row times a matrix, without the last `short` of its terms.
    fn times(self, row: &[f64], matrix: &[f64], short: usize) -> Vec<f64> {
        let width = matrix.len() / row.len();
        let terms = row.len() - short;
        (0..width).map(|j| self.dot((0..terms).map(|i| (row[i], matrix[i * width + j])))).collect()
    }
}

struct Layer {
    instance: Instance,
    x: Vec<Vec<f64>>,
    get: [usize; 8],
}

fn layer(shape: &str, pattern: DataPattern) -> Layer {
    let shape = problem("transformer-layer").unwrap().complete(Some(&shape.parse().unwrap()), DeviceClass::Software);
    let shape = shape.unwrap();
    let get = ["batch", "tokens", "context", "d", "heads", "kv_heads", "dim", "f"].map(|axis| shape.get(axis) as usize);
    let instance = Instance { shape, element: ElementType::F32, pattern, seed: 31 };
    let problem = problem("transformer-layer").unwrap();
    let tensors = problem.tensors(&instance.shape, instance.element);
    let inputs = tensors.iter().enumerate().filter(|(_, tensor)| tensor.role == TensorRole::Input);
    let fill = inputs.map(|(index, tensor)| {
        let mut values = vec![0.0_f32; tensor.len as usize];
        problem.fill(&instance, index, 0, &mut values);
        values.into_iter().map(f64::from).collect()
    });
    Layer { x: fill.collect(), get, instance }
}

impl Layer {
    fn problem(&self) -> &'static dyn Problem {
        problem("transformer-layer").unwrap()
    }

    fn rotated(&self, head: &mut [f64], token: usize, fault: Fault, r: Arithmetic) {
        let (half, tokens) = (head.len() / 2, self.get[1]);
        let token = if fault == Fault::RotationOffByOne { (token + 1) % tokens.max(2) } else { token };
        let table = &self.x[7];
        for i in 0..half {
            let at = |row: usize| table.get(row * head.len() + i).copied().unwrap_or(0.5);
            let (cosine, sine) = (at(token), table.get(token * 2 * half + half + i).copied().unwrap_or(0.5));
            let (a, b) = if fault == Fault::NeighbouringPairs { (2 * i, 2 * i + 1) } else { (i, i + half) };
            let (low, high) = (head[a], head[b]);
            head[a] = r.of(r.of(low * cosine) - r.of(high * sine));
            head[b] = r.of(r.of(high * cosine) + r.of(low * sine));
        }
    }

    /// y and the new keys and values.
    fn run(&self, r: Arithmetic, fault: Fault) -> [Vec<f64>; 2] {
        let [batch, tokens, context, d, heads, kv_heads, dim, f] = self.get;
        let (past, x) = (context - tokens, &self.x);
        let norms = if fault == Fault::SwappedNorms { [d, 0] } else { [0, d] };
        let mut kv = vec![0.0; 2 * batch * kv_heads * tokens * dim];
        let (mut queries, mut y) = (Vec::new(), Vec::new());
        for (row, x) in self.x[0].chunks(d).enumerate() {
            let (b, token) = (row / tokens, row % tokens);
            let n = r.normalised(x, &self.x[1][norms[0]..][..d], fault == Fault::FirstNorm);
            let mut all = r.times(&n, &self.x[2], usize::from(fault == Fault::LastInner));
            for (head, part) in all.chunks_mut(dim).enumerate().take(heads + kv_heads) {
                let skip = if head < heads { Fault::RotationOfQueries } else { Fault::RotationOfKeys };
                if fault != skip {
                    self.rotated(part, token, fault, r);
                }
            }
            let new = all.split_off(heads * dim);
            for (place, part) in new.chunks(dim).enumerate() {
                let (kind, head) = (place / kv_heads, place % kv_heads);
                let start = (((kind * batch + b) * kv_heads + head) * tokens + token) * dim;
                kv[start..start + dim].copy_from_slice(part);
            }
            queries.push(all);
        }
        for (row, query) in queries.iter().enumerate() {
            let (b, token) = (row / tokens, row % tokens);
            let mut attended = Vec::new();
            for (head, q) in query.chunks(dim).enumerate() {
                let own = if fault == Fault::InterleavedHeads { head % kv_heads } else { head / (heads / kv_heads) };
                let at = |kind: usize, position: usize| {
                    let head = (kind * batch + b) * kv_heads + own;
                    match position.checked_sub(past) {
                        None => &x[6][(head * past + position) * dim..][..dim],
                        Some(new) => &kv[(head * tokens + new) * dim..][..dim],
                    }
                };
                let seen = past + token + 1 + usize::from(fault == Fault::Mask && token + 1 < tokens);
                let positions = || {
                    let first = usize::from(fault == Fault::OldestKey && seen > 1);
                    (first..seen).filter(|p| fault != Fault::NewestCachedKey || p + 1 != past)
                };
                let scale = if fault == Fault::Scale { 1.0 } else { 1.0 / (dim as f64).sqrt() };
                let score = |p: usize| r.of(r.dot(q.iter().copied().zip(at(0, p).iter().copied())) * scale);
                let scores: Vec<f64> = positions().map(score).collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|s| r.of(r.of(s - most).exp())).collect();
                let sum = weights.iter().fold(0.0, |sum, w| r.of(sum + w));
                for c in 0..dim {
                    attended.push(r.of(r.dot(positions().zip(&weights).map(|(p, w)| (at(1, p)[c], *w))) / sum));
                }
            }
            let short = if fault == Fault::LastHead { dim } else { 0 };
            let x = &x[0][row * d..][..d];
            let out = r.times(&attended, &self.x[3], short);
            let skip = |fault: bool, x: f64, y: f64| if fault { y } else { r.of(x + y) };
            let middle: Vec<f64> =
                x.iter().zip(&out).map(|(x, o)| skip(fault == Fault::FirstResidual, *x, *o)).collect();
            let n = r.normalised(&middle, &self.x[1][norms[1]..][..d], fault == Fault::SecondNorm);
            let both = r.times(&n, &self.x[4], 0);
            let (gates, ups) = if fault == Fault::SwappedGate { (&both[f..], &both[..f]) } else { both.split_at(f) };
            let gated = |g: f64, u: f64| match fault {
                Fault::Gate => r.of(g * u),
                _ => r.of(r.of(g / r.of(1.0 + r.of(r.of(-g).exp()))) * u),
            };
            let hidden: Vec<f64> = gates.iter().zip(ups).map(|(g, u)| gated(*g, *u)).collect();
            // One element alone may happen to be almost 0; kernels drop four.
            let down = r.times(&hidden, &self.x[5], if fault == Fault::LastHidden { 4 } else { 0 });
            y.extend(middle.iter().zip(&down).map(|(m, o)| skip(fault == Fault::SecondResidual, *m, *o)));
        }
        [y, kv]
    }

    fn check(&self, [y, kv]: &[Vec<f64>; 2]) -> Result<f64, String> {
        let plan = ProbePlan::sample(self.problem(), &self.instance, 256, 3);
        let bytes = |values: &[f64]| -> Vec<u8> { values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect() };
        let outputs = [bytes(y), bytes(kv)];
        let part = |r: wattmark::gpu::ByteRange| outputs[r.buffer - 8][r.start as usize..r.end as usize].to_vec();
        let checked = plan.check(&plan.ranges().into_iter().flat_map(part).collect::<Vec<u8>>());
        checked.map(|check| check.worst_error_in_bounds).map_err(|mismatch| mismatch.to_string())
    }
}

/// Prompts, prompts after a past, single tokens; ragged, aligned and tiny.
const SHAPES: [&str; 8] = [
    "batch=2,tokens=5,context=5,d=23,heads=6,kv_heads=2,dim=10,f=37",
    "batch=1,tokens=4,context=15,d=32,heads=4,kv_heads=4,dim=16,f=64",
    "batch=3,tokens=1,context=37,d=40,heads=4,kv_heads=2,dim=6,f=21",
    "batch=1,tokens=33,context=33,d=96,heads=3,kv_heads=1,dim=32,f=160",
    "batch=1,tokens=1,context=1,d=1,heads=1,kv_heads=1,dim=2,f=1",
    "batch=1,tokens=1,context=700,d=64,heads=8,kv_heads=2,dim=32,f=128",
    "batch=5,tokens=2,context=3,d=8,heads=2,kv_heads=2,dim=4,f=600",
    "batch=1,tokens=2,context=2,d=600,heads=2,kv_heads=1,dim=8,f=3",
];

#[test]
fn the_reference_agrees_with_a_plain_float64_implementation() {
    for shape in SHAPES {
        let layer = layer(shape, DataPattern::Normal);
        let right = layer.run(Arithmetic::Double, Fault::None);
        let expected = layer.problem().reference(&layer.instance, 256, 5);
        assert!(expected.len() >= 4, "{shape}");
        for one in &expected {
            let value = right[one.tensor - 8][one.index as usize];
            assert!((one.value - value).abs() <= 1e-11 * value.abs().max(1.0), "{shape}: {one:?}, {value}");
            assert!(one.bound < 0.003 * value.abs().max(1.0), "{shape}: {one:?}");
            assert_eq!(one.value, layer.problem().output(&layer.instance, one.tensor, one.index));
        }
        for (tensor, right) in right.iter().enumerate() {
            let ends = [0, right.len() as u64 - 1].map(|end| (tensor + 8, end));
            assert!(ends.iter().all(|end| expected.iter().any(|one| (one.tensor, one.index) == *end)), "{shape}");
        }
        assert!(layer.problem().output(&layer.instance, 0, 0).is_nan());
        assert!(layer.problem().output(&layer.instance, 8, u64::MAX).is_nan());
    }
}

#[test]
fn a_plain_float32_implementation_stays_within_half_of_every_bound_whatever_the_data() {
    for shape in SHAPES {
        for pattern in DataPattern::ALL {
            let layer = layer(shape, pattern);
            let worst = layer.check(&layer.run(Arithmetic::Single, Fault::None));
            let worst = worst.unwrap_or_else(|why| panic!("{shape} {pattern}: {why}"));
            assert!(worst < 0.5, "{shape} {pattern}: {worst}");
        }
    }
}

#[test]
fn no_part_of_a_layer_can_be_wrong_and_pass() {
    let prompt = layer("batch=1,tokens=33,context=33,d=96,heads=6,kv_heads=3,dim=32,f=160", DataPattern::Normal);
    let later = layer("batch=2,tokens=3,context=70,d=64,heads=4,kv_heads=2,dim=16,f=128", DataPattern::Normal);
    assert!(prompt.check(&prompt.run(Arithmetic::Single, Fault::None)).is_ok());
    assert!(later.check(&later.run(Arithmetic::Single, Fault::None)).is_ok());
    for fault in FAULTS {
        if fault != Fault::NewestCachedKey {
            assert!(prompt.check(&prompt.run(Arithmetic::Single, fault)).is_err(), "{fault:?} passes");
        }
        assert!(later.check(&later.run(Arithmetic::Single, fault)).is_err(), "{fault:?} passes after a past");
    }
}

#[test]
fn one_cached_key_of_thousands_and_one_of_thousands_of_terms_are_missed() {
    let wide = layer("batch=1,tokens=1,context=4096,d=2048,heads=2,kv_heads=1,dim=64,f=2048", DataPattern::Normal);
    let passed = wide.check(&wide.run(Arithmetic::Single, Fault::None));
    assert!(passed.as_ref().is_ok_and(|worst| *worst < 0.5), "{passed:?}");
    let faults = [Fault::OldestKey, Fault::NewestCachedKey, Fault::LastInner, Fault::LastHidden, Fault::LastHead];
    let passed: Vec<Fault> =
        faults.into_iter().filter(|fault| wide.check(&wide.run(Arithmetic::Single, *fault)).is_ok()).collect();
    assert!(passed.is_empty(), "{passed:?} pass");
}

#[test]
fn the_flop_formula_counts_what_a_plain_implementation_executes() {
    for shape in SHAPES {
        let layer = layer(shape, DataPattern::Normal);
        OPERATIONS.set(0);
        layer.run(Arithmetic::Counted, Fault::None);
        let [batch, tokens, context, d, heads, kv_heads, dim, f] = layer.get;
        let rows = batch * tokens;
        let pairs = batch * heads * (tokens * (context - tokens) + tokens * (tokens + 1) / 2);
        // Normalisation, rotation, gate, addition and softmax (without its maximum), which custom leaves out.
        let rest = rows * (2 * (4 * d + 4) + 3 * (heads + kv_heads) * dim + 5 * f + 2 * d);
        let softmax = 4 * pairs + rows * heads * dim;
        let counted = OPERATIONS.get() - (rest + softmax) as u64;
        let work = layer.problem().work(&layer.instance.shape, ElementType::F32);
        assert_eq!(work.flop.get(), counted as f64, "{shape}");
    }
}

#[test]
fn odd_heads_and_a_context_shorter_than_its_tokens_are_refused() {
    let refuse = |shape: &str| {
        let given = shape.parse().unwrap();
        let layer = problem("transformer-layer").unwrap();
        layer.complete(Some(&given), DeviceClass::Software).unwrap_err().to_string()
    };
    assert!(refuse("dim=63").contains("dim must be even"));
    assert!(refuse("tokens=64").contains("set context=64"));
    assert!(refuse("kv_heads=2").contains("heads must be a multiple of kv_heads"));
}
