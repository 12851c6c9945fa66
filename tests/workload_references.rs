//! Every problem against a second, naive implementation over materialised inputs: in float64 it must give the reference's
//! values, in float32 it must stay within the bounds, and with a counting number it must execute the FLOP of the formula.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;

use wattmark::model::{DataPattern, ElementType, Shape};
use wattmark::verify::ProbePlan;
use wattmark::workload::{DeviceClass, Expected, Instance, Problem, Tensor, TensorRole, problem, problems};

thread_local! {
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The arithmetic of the naive implementations.
trait Number: Copy {
    fn of(value: f64) -> Self;
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn neg(self) -> Self;
    fn exp(self) -> Self;
    fn sqrt(self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn tanh(self) -> Self;
    fn index(self) -> usize;
}

macro_rules! plain_number {
    ($($float:ty),*) => {$(
        impl Number for $float {
            fn of(value: f64) -> Self { value as $float }
            fn add(self, other: Self) -> Self { self + other }
            fn mul(self, other: Self) -> Self { self * other }
            fn div(self, other: Self) -> Self { self / other }
            fn max(self, other: Self) -> Self { <$float>::max(self, other) }
            fn neg(self) -> Self { -self }
            fn exp(self) -> Self { <$float>::exp(self) }
            fn sqrt(self) -> Self { <$float>::sqrt(self) }
            fn sub(self, other: Self) -> Self { self - other }
            fn tanh(self) -> Self { <$float>::tanh(self) }
            fn index(self) -> usize { self as usize }
        }
    )*};
}
plain_number!(f32, f64);

/// A number that counts every operation on it.
#[derive(Clone, Copy)]
struct Counting(f64);

fn count(value: f64) -> Counting {
    OPERATIONS.set(OPERATIONS.get() + 1);
    Counting(value)
}

impl Number for Counting {
    fn of(value: f64) -> Self {
        Self(value)
    }
    fn add(self, other: Self) -> Self {
        count(self.0 + other.0)
    }
    fn mul(self, other: Self) -> Self {
        count(self.0 * other.0)
    }
    fn div(self, other: Self) -> Self {
        count(self.0 / other.0)
    }
    fn max(self, other: Self) -> Self {
        count(self.0.max(other.0))
    }
    fn neg(self) -> Self {
        count(-self.0)
    }
    fn exp(self) -> Self {
        count(self.0.exp())
    }
    fn sqrt(self) -> Self {
        count(self.0.sqrt())
    }
    fn sub(self, other: Self) -> Self {
        count(self.0 - other.0)
    }
    fn tanh(self) -> Self {
        count(self.0.tanh())
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

fn dot<T: Number>(terms: impl Iterator<Item = (T, T)>) -> T {
    terms.fold(T::of(0.0), |sum, (a, b)| sum.add(a.mul(b)))
}

/// Attention of one query over the first `seen` keys, textbook order: all scores, softmax, weighted sum.
fn attend<T: Number>(q: &[T], k: &[T], v: &[T], seen: usize) -> Vec<T> {
    let dim = q.len();
    let scale = T::of(1.0 / (dim as f64).sqrt());
    let score = |j: usize| dot(q.iter().copied().zip(k[j * dim..][..dim].iter().copied())).mul(scale);
    let scores: Vec<T> = (0..seen).map(score).collect();
    let most = scores.iter().fold(T::of(f64::NEG_INFINITY), |most, s| most.max(*s));
    let weights: Vec<T> = scores.iter().map(|s| s.sub(most).exp()).collect();
    let sum = weights.iter().fold(T::of(0.0), |sum, w| sum.add(*w));
    (0..dim).map(|c| dot((0..seen).map(|j| (weights[j], v[j * dim + c]))).div(sum)).collect()
}

/// Seven nested loops over an image that is padded first.
fn convolve<T: Number>(shape: &Shape, x: &[T], w: &[T]) -> Vec<T> {
    let get = |axis: &str| shape.get(axis) as usize;
    let (channels, filters, size, stride, pad) =
        (get("channels"), get("filters"), get("kernel"), get("stride"), get("pad"));
    let (height, width) = (get("height") + 2 * pad, get("width") + 2 * pad);
    let mut out = Vec::new();
    for image in x.chunks(channels * get("height") * get("width")) {
        let mut padded = vec![T::of(0.0); channels * height * width];
        for (row, values) in image.chunks(get("width")).enumerate() {
            let (channel, y) = (row / get("height"), row % get("height"));
            padded[(channel * height + y + pad) * width + pad..][..values.len()].copy_from_slice(values);
        }
        for filter in w.chunks(channels * size * size) {
            for top in (0..=height - size).step_by(stride) {
                for left in (0..=width - size).step_by(stride) {
                    let taps = filter.iter().enumerate().map(|(tap, w)| {
                        let (c, r, s) = (tap / size / size, tap / size % size, tap % size);
                        (*w, padded[(c * height + top + r) * width + left + s])
                    });
                    out.push(dot(taps));
                }
            }
        }
    }
    assert_eq!(out.len() % filters, 0);
    out
}

/// Layer normalisation of one row, textbook order: mean, variance, then every element.
fn normalised<T: Number>(row: &[T], weight: &[T], bias: &[T]) -> Vec<T> {
    let count = T::of(row.len() as f64);
    let mean = row.iter().fold(T::of(0.0), |sum, v| sum.add(*v)).div(count);
    let squares = dot(row.iter().map(|v| v.sub(mean)).map(|centred| (centred, centred)));
    let factor = T::of(1.0).div(squares.div(count).add(T::of(1e-5)).sqrt());
    let element = |((v, w), b): ((&T, &T), &T)| v.sub(mean).mul(factor).mul(*w).add(*b);
    row.iter().zip(weight).zip(bias).map(element).collect()
}

/// `[batch, tokens, heads, dim]` as `[batch, heads, tokens, dim]`, each pair rotated where there is a table of cosines and
/// sines.
fn moved<T: Number>(shape: &Shape, heads: &str, x: &[T], table: Option<&[T]>) -> Vec<T> {
    let [batch, heads, tokens, dim] = ["batch", heads, "tokens", "dim"].map(|axis| shape.get(axis) as usize);
    let mut out = Vec::new();
    for row in 0..batch * heads * tokens {
        let (sequence, head, token) = (row / tokens / heads, row / tokens % heads, row % tokens);
        let from = &x[((sequence * tokens + token) * heads + head) * dim..][..dim];
        let Some(table) = table else {
            out.extend(from);
            continue;
        };
        for (pair, turn) in from.chunks(2).zip(table[token * dim..].chunks(2)) {
            out.push(pair[0].mul(turn[0]).sub(pair[1].mul(turn[1])));
            out.push(pair[1].mul(turn[0]).add(pair[0].mul(turn[1])));
        }
    }
    out
}

/// The outputs of a problem, one behind the other.
fn naive<T: Number>(id: &str, shape: &Shape, x: &[Vec<T>]) -> Vec<T> {
    let get = |axis: &str| shape.get(axis) as usize;
    match id {
        "fma" => {
            let s = T::of(13.0 / 32.0);
            let oscillators = x[0].chunks(2).map(|state| {
                (0..get("steps")).fold((state[0], state[1]), |(x, y), _| {
                    let x = x.sub(s.mul(y));
                    (x, y.add(s.mul(x)))
                })
            });
            oscillators.flat_map(|(x, y)| [x, y]).collect()
        }
        "memory-read" => {
            let sum = |j| x[0].iter().skip(j).step_by(get("lanes")).fold(T::of(0.0), |sum, a| sum.add(*a));
            (0..get("lanes")).map(sum).collect()
        }
        "memory-copy" => x[0].clone(),
        "memory-triad" => x[0].iter().zip(&x[1]).map(|(b, c)| b.add(T::of(f64::from(0.4_f32)).mul(*c))).collect(),
        "gemm" => {
            let (n, k) = (get("n"), get("k"));
            let element = |i: usize, j: usize| dot((0..k).map(|l| (x[0][i * k + l], x[1][l * n + j])));
            (0..get("m")).flat_map(|i| (0..n).map(move |j| element(i, j))).collect()
        }
        "gemm-batched" => {
            let (m, n, k) = (get("m"), get("n"), get("k"));
            let element = |p: usize, i: usize, j: usize| {
                dot((0..k).map(|l| (x[0][(p * m + i) * k + l], x[1][(p * k + l) * n + j])))
            };
            let places = (0..get("batch")).flat_map(|p| (0..m).flat_map(move |i| (0..n).map(move |j| (p, i, j))));
            places.map(|(p, i, j)| element(p, i, j)).collect()
        }
        "conv2d" => convolve(shape, &x[0], &x[1]),
        "gemv" => x[0].chunks(get("k")).map(|row| dot(row.iter().copied().zip(x[1].iter().copied()))).collect(),
        "rmsnorm" => {
            let row = |row: &[T]| {
                let mean = dot(row.iter().map(|v| (*v, *v))).div(T::of(row.len() as f64));
                let factor = T::of(1.0).div(mean.add(T::of(1e-5)).sqrt());
                row.iter().zip(&x[1]).map(|(v, w)| v.mul(factor).mul(*w)).collect::<Vec<T>>()
            };
            x[0].chunks(get("cols")).flat_map(row).collect()
        }
        "layernorm" => x[0].chunks(get("cols")).flat_map(|row| normalised(row, &x[1], &x[2])).collect(),
        "embedding" => {
            let dim = get("dim");
            x[1].iter().flat_map(|id| x[0][id.index() * dim..][..dim].to_vec()).collect()
        }
        "rope-append" => {
            let [q, k] =
                [(0, "heads"), (1, "kv_heads")].map(|(tensor, heads)| moved(shape, heads, &x[tensor], Some(&x[3])));
            [q, k, moved(shape, "kv_heads", &x[2], None)].concat()
        }
        "silu-mul" => {
            let element = |(g, u): (&T, &T)| g.div(T::of(1.0).add(g.neg().exp())).mul(*u);
            x[0].iter().zip(&x[1]).map(element).collect()
        }
        "gelu" => {
            let (slope, cubic) = (0.797_884_560_802_865_4, 0.797_884_560_802_865_4 * 0.044_715);
            let element = |x: &T| {
                let half = x.mul(T::of(0.5));
                let z = x.mul(x.mul(*x).mul(T::of(cubic)).add(T::of(slope)));
                half.mul(z.tanh()).add(half)
            };
            x[0].iter().map(element).collect()
        }
        "add" => x[0].iter().zip(&x[1]).map(|(a, b)| a.add(*b)).collect(),
        "softmax" => {
            let row = |row: &[T]| {
                let most = row.iter().fold(T::of(f64::NEG_INFINITY), |most, v| most.max(*v));
                let terms: Vec<T> = row.iter().map(|v| v.sub(most).exp()).collect();
                let sum = terms.iter().fold(T::of(0.0), |sum, term| sum.add(*term));
                terms.into_iter().map(|term| term.div(sum)).collect::<Vec<T>>()
            };
            x[0].chunks(get("cols")).flat_map(row).collect()
        }
        "attention-prefill" | "attention-decode" => {
            let causal = id == "attention-prefill";
            let (heads, kv_heads, dim) = (get("heads"), get("kv_heads"), get("dim"));
            let (length, queries) = if causal { (get("seq"), get("seq")) } else { (get("context"), 1) };
            let mut out = Vec::new();
            for (row, q) in x[0].chunks(dim).enumerate() {
                let (batch, head, position) = (row / queries / heads, row / queries % heads, row % queries);
                let base = (batch * kv_heads + head / (heads / kv_heads)) * length * dim;
                let seen = if causal { position + 1 } else { length };
                out.extend(attend(q, &x[1][base..], &x[2][base..], seen));
            }
            out
        }
        "swiglu" => {
            let (d, f) = (get("d"), get("f"));
            let project = |w: &Vec<T>, t: usize, j: usize| dot((0..d).map(|l| (x[0][t * d + l], w[l * f + j])));
            let element = |t: usize, j: usize| {
                let gate = project(&x[1], t, j);
                gate.div(T::of(1.0).add(gate.neg().exp())).mul(project(&x[2], t, j))
            };
            (0..get("tokens")).flat_map(|t| (0..f).map(move |j| element(t, j))).collect()
        }
        other => panic!("no naive implementation of {other}"),
    }
}

fn instance(shape: &str, element: ElementType) -> Instance {
    Instance { shape: shape.parse().unwrap(), element, pattern: DataPattern::Normal, seed: 77 }
}

fn materialised<T: Number>(problem: &dyn Problem, instance: &Instance) -> Vec<Vec<T>> {
    let tensors = problem.tensors(&instance.shape, instance.element);
    let inputs = tensors.iter().enumerate().filter(|(_, tensor)| tensor.role == TensorRole::Input);
    let fill = inputs.map(|(index, tensor)| {
        let mut values = vec![0.0; tensor.len as usize];
        problem.fill(instance, index, 0, &mut values);
        values.into_iter().map(|value| T::of(f64::from(value))).collect()
    });
    fill.collect()
}

/// Where an element stands among all outputs, one tensor behind the other.
fn place(tensors: &[Tensor], expected: &Expected) -> usize {
    let before = tensors[..expected.tensor].iter().filter(|tensor| tensor.role == TensorRole::Output);
    (before.map(|tensor| tensor.len).sum::<u64>() + expected.index) as usize
}

/// Ragged shapes, nothing a multiple of anything; more samples than some of them have elements.
const RAGGED: [(&str, &str); 33] = [
    ("fma", "n=77,steps=33"),
    ("memory-read", "n=1155,lanes=35"),
    ("memory-read", "n=1001,lanes=16"),
    ("memory-read", "n=7,lanes=9"),
    ("memory-copy", "n=1001"),
    ("memory-triad", "n=1001"),
    ("gemm", "m=5,n=7,k=3"),
    ("gemm", "m=67,n=35,k=1029"),
    ("gemm-batched", "batch=3,m=5,n=7,k=11"),
    ("gemm-batched", "batch=29,m=13,n=3,k=1030"),
    ("conv2d", "batch=2,channels=3,height=9,width=7,filters=5,kernel=3,stride=1,pad=1"),
    ("conv2d", "batch=3,channels=2,height=13,width=11,filters=3,kernel=5,stride=3,pad=2"),
    ("conv2d", "batch=1,channels=130,height=5,width=6,filters=2,kernel=3,stride=2,pad=0"),
    ("conv2d", "batch=2,channels=5,height=4,width=3,filters=6,kernel=1,stride=1,pad=0"),
    ("gemv", "m=13,k=1031"),
    ("rmsnorm", "rows=7,cols=19"),
    ("rmsnorm", "rows=3,cols=5001"),
    ("layernorm", "rows=7,cols=19"),
    ("layernorm", "rows=3,cols=5001"),
    ("embedding", "vocab=17,dim=5,tokens=23"),
    ("rope-append", "batch=2,heads=3,kv_heads=2,tokens=5,dim=6,start=100003"),
    ("rope-append", "batch=1,heads=1,kv_heads=2,tokens=67,dim=34,start=1"),
    ("silu-mul", "n=1001"),
    ("gelu", "n=1001"),
    ("gelu", "n=50021"),
    ("add", "n=1001"),
    ("softmax", "rows=11,cols=13"),
    ("softmax", "rows=2,cols=5001"),
    ("attention-prefill", "batch=2,heads=6,kv_heads=3,seq=17,dim=5"),
    ("attention-prefill", "batch=1,heads=2,kv_heads=1,seq=70,dim=16"),
    ("attention-decode", "batch=3,heads=4,kv_heads=2,context=37,dim=7"),
    ("swiglu", "tokens=5,d=11,f=9"),
    ("swiglu", "tokens=3,d=1030,f=21"),
];

#[test]
fn every_reference_agrees_with_a_naive_float64_implementation() {
    for (id, shape) in RAGGED {
        let (problem, instance) = (problem(id).unwrap(), instance(shape, ElementType::F32));
        problem.check(&instance.shape).unwrap();
        let right = naive::<f64>(id, &instance.shape, &materialised(problem, &instance));
        let tensors = problem.tensors(&instance.shape, instance.element);
        let outputs = tensors.iter().filter(|tensor| tensor.role == TensorRole::Output);
        assert_eq!(right.len() as u64, outputs.map(|tensor| tensor.len).sum::<u64>());
        let expected = problem.reference(&instance, 256, 5);
        assert!(!expected.is_empty());
        for one in &expected {
            assert_eq!(tensors[one.tensor].role, TensorRole::Output);
            let value = right[place(&tensors, one)];
            assert!((one.value - value).abs() <= 1e-11 * value.abs().max(1.0), "{id} {shape}: {one:?}, {value}");
            assert!(one.bound < 0.01, "{id} {shape}: {one:?}");
            assert_eq!(one.value, problem.output(&instance, one.tensor, one.index), "{id} {shape}");
        }
        let ends = [0, right.len() - 1];
        let present = |end: &usize| expected.iter().any(|one| place(&tensors, one) == *end);
        assert!(ends.iter().all(present), "{id} {shape} lacks an end");
    }
}

#[test]
fn a_plain_float32_implementation_stays_within_half_of_every_bound() {
    for (id, shape) in RAGGED {
        let (problem, instance) = (problem(id).unwrap(), instance(shape, ElementType::F32));
        let output = naive::<f32>(id, &instance.shape, &materialised(problem, &instance));
        let tensors = problem.tensors(&instance.shape, instance.element);
        for one in problem.reference(&instance, 4096, 6) {
            let error = (f64::from(output[place(&tensors, &one)]) - one.value).abs();
            assert!(error <= 0.5 * one.bound, "{id} {shape}: {error:e} of {one:?}");
        }
    }
}

/// Operations that custom leaves out of a problem's FLOP: scalars per row, the softmax inside attention.
fn left_out(id: &str, shape: &Shape) -> u64 {
    let heads = shape.get("batch") * shape.get("heads");
    let softmax = |pairs: u64, outputs: u64| 5 * pairs + outputs;
    match id {
        "rmsnorm" => 4 * shape.get("rows"),
        "layernorm" => 5 * shape.get("rows"),
        "attention-prefill" => {
            let seq = shape.get("seq");
            softmax(heads * seq * (seq + 1) / 2, heads * seq * shape.get("dim"))
        }
        "attention-decode" => softmax(heads * shape.get("context"), heads * shape.get("dim")),
        _ => 0,
    }
}

#[test]
fn the_flop_formulas_count_what_a_naive_implementation_executes() {
    for (id, shape) in RAGGED {
        let (problem, instance) = (problem(id).unwrap(), instance(shape, ElementType::F32));
        OPERATIONS.set(0);
        naive::<Counting>(id, &instance.shape, &materialised(problem, &instance));
        let counted = OPERATIONS.get() - left_out(id, &instance.shape);
        assert_eq!(problem.work(&instance.shape, ElementType::F32).flop.get(), counted as f64, "{id} {shape}");
    }
}

#[test]
fn the_byte_formulas_are_every_tensor_once() {
    for problem in problems() {
        for class in [DeviceClass::Hardware, DeviceClass::Software] {
            for element in ElementType::ALL.into_iter().filter(|e| problem.supports(*e)) {
                let shape = problem.default_shape_for(class, element);
                let size = |tensor: &Tensor| match (problem.id(), tensor.name) {
                    // Of a table only the rows that are looked up.
                    ("embedding", "table") => shape.get("tokens") * shape.get("dim") * tensor.element.bytes(),
                    _ => tensor.len * tensor.element.bytes(),
                };
                let bytes: u64 = problem.tensors(&shape, element).iter().map(size).sum();
                assert_eq!(
                    problem.work(&shape, element).bytes.get(),
                    bytes as f64,
                    "{} {element} {shape}",
                    problem.id()
                );
            }
        }
    }
}

#[test]
fn f16_weights_are_rounded_and_verified_with_f32_accumulation() {
    let (problem, instance) = (problem("gemv").unwrap(), instance("m=9,k=2050", ElementType::F16));
    let inputs = materialised::<f32>(problem, &instance);
    assert!(inputs[0].iter().all(|w| half::f16::from_f32(*w).to_f32() == *w));
    assert!(inputs[1].iter().any(|x| half::f16::from_f32(*x).to_f32() != *x));
    let output = naive::<f32>("gemv", &instance.shape, &inputs);
    let plan = ProbePlan::sample(problem, &instance, 64, 2);
    let read = |output: &[f32]| -> Vec<u8> {
        let bytes: Vec<u8> = output.iter().flat_map(|y| y.to_le_bytes()).collect();
        plan.ranges().iter().flat_map(|r| bytes[r.start as usize..r.end as usize].to_vec()).collect()
    };
    assert!(plan.check(&read(&output)).unwrap().worst_error_in_bounds < 0.5);
    let rounded: Vec<f32> = output.iter().map(|y| half::f16::from_f32(*y).to_f32()).collect();
    assert!(plan.check(&read(&rounded)).is_err(), "a result rounded to f16 must not pass");
}

/// Problems at the inner extents of hardware shapes, and the input whose last element per sum is dropped.
const LONG: [(&str, &str); 8] = [
    ("gemm", "m=6,n=6,k=4096"),
    ("gemm-batched", "batch=2,m=3,n=6,k=4096"),
    ("gemv", "m=16,k=16384"),
    ("rmsnorm", "rows=6,cols=4096"),
    ("layernorm", "rows=6,cols=4096"),
    ("softmax", "rows=6,cols=4096"),
    ("attention-decode", "batch=1,heads=2,kv_heads=1,context=4096,dim=128"),
    ("swiglu", "tokens=4,d=4096,f=6"),
];

#[test]
fn a_kernel_that_drops_the_last_of_thousands_of_terms_never_passes() {
    for (id, shape) in LONG {
        let (problem, instance) = (problem(id).unwrap(), instance(shape, ElementType::F32));
        let mut inputs = materialised::<f32>(problem, &instance);
        let plan = ProbePlan::sample(problem, &instance, 256, 3);
        let check = |inputs: &[Vec<f32>]| {
            let bytes: Vec<u8> =
                naive::<f32>(id, &instance.shape, inputs).iter().flat_map(|y| y.to_le_bytes()).collect();
            let parts = plan.ranges().into_iter().flat_map(|r| bytes[r.start as usize..r.end as usize].to_vec());
            plan.check(&parts.collect::<Vec<u8>>())
        };
        let passed = check(&inputs).unwrap_or_else(|mismatch| panic!("{id} {shape}: {mismatch}"));
        assert!(passed.worst_error_in_bounds < 0.5, "{id}: {passed:?}");
        match id {
            "softmax" => inputs[0].chunks_mut(4096).for_each(|row| row[4095] = f32::NEG_INFINITY),
            "attention-decode" => inputs[2][4095 * 128..].fill(0.0),
            _ => {
                let length = problem.row_length(&instance.shape, 0) as usize;
                inputs[0].chunks_mut(length).for_each(|row| row[length - 1] = 0.0);
            }
        }
        assert!(check(&inputs).is_err(), "{id} {shape}: the missing term went unnoticed");
    }
}

#[test]
fn a_causal_mask_off_by_one_and_a_wrong_key_value_head_never_pass() {
    let (problem, instance) = (
        problem("attention-prefill").unwrap(),
        instance("batch=2,heads=4,kv_heads=2,seq=130,dim=32", ElementType::F32),
    );
    let (heads, kv_heads, seq, dim) = (4, 2, 130, 32);
    let x = materialised::<f64>(problem, &instance);
    let plan = ProbePlan::sample(problem, &instance, 256, 3);
    let check = |seen: &dyn Fn(usize) -> usize, kv_head: &dyn Fn(usize) -> usize| {
        let rows = x[0].chunks(dim).enumerate().flat_map(|(row, q)| {
            let (batch, head, position) = (row / seq / heads, row / seq % heads, row % seq);
            let base = (batch * kv_heads + kv_head(head)) * seq * dim;
            attend(q, &x[1][base..], &x[2][base..], seen(position))
        });
        let bytes: Vec<u8> = rows.flat_map(|o| (o as f32).to_le_bytes()).collect();
        let parts = plan.ranges().into_iter().flat_map(|r| bytes[r.start as usize..r.end as usize].to_vec());
        plan.check(&parts.collect::<Vec<u8>>())
    };
    assert!(check(&|i| i + 1, &|h| h / 2).is_ok());
    assert!(check(&|i| i.max(1), &|h| h / 2).is_err(), "a query that does not see itself");
    assert!(check(&|i| (i + 2).min(seq), &|h| h / 2).is_err(), "a query that sees the next token");
    assert!(check(&|_| seq, &|h| h / 2).is_err(), "no mask");
    assert!(check(&|i| i + 1, &|h| h % 2).is_err(), "heads interleaved instead of grouped");
}
