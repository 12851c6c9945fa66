//! The float64 reference of a decoder layer, token by token, with an error bound on every element.
//!
//! Bounds are carried from step to step as absolute errors. Errors of different elements are independent roundings, so a
//! product of matrices adds the inherited ones as a Euclidean norm, not as a sum, and takes the norm of products from the
//! norms of row and column, which is their expectation for random weights. That needs no allowance of its own: what is
//! inherited are bounds of a dozen standard deviations, so that f32 kernels stay below a tenth of the result. What all
//! elements of a row share (the error of its normalising factor) is carried as a relative error beside them. What
//! surprises people: the keys and values of a sequence, and the tokens that were followed, are remembered for the last
//! instance, because every one costs a pass over all weights.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::bounds::{DIVISION, INVERSE_SQRT, U32, accumulation, exponential, random_sum, rescaling};
use super::layer::{Extents, TransformerLayer, tensor};
use super::rmsnorm::EPSILON;
use super::swiglu::gated;
use super::{Expected, Inputs, Instance, Problem};
use crate::model::DataPattern;

/// Columns of a weight matrix that are generated and multiplied together.
const COLUMNS: usize = 256;
/// Rows of a weight matrix that are.
const DEPTH: usize = 8;

/// Values with the largest error of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) value: Vec<f64>,
    pub(super) error: Vec<f64>,
}

impl Row {
    fn of(pairs: impl Iterator<Item = (f64, f64)>) -> Self {
        let (value, error) = pairs.unzip();
        Self { value, error }
    }
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.value.iter().copied().zip(self.error.iter().copied())
    }
    /// One element as an expectation, where the row begins at `start` of its tensor.
    pub(super) fn expect(&self, tensor: usize, start: u64, column: u64) -> Expected {
        let (value, error) = (self.value[column as usize], self.error[column as usize]);
        Expected { tensor, index: start + column, value, bound: error + f64::from(f32::MIN_POSITIVE) }
    }
    /// Sum of two rows, rounded once more.
    fn plus(&self, other: &Self) -> Self {
        Self::of(self.pairs().zip(other.pairs()).map(|((a, a_error), (b, b_error))| {
            let sum = a + b;
            (sum, a_error + b_error + U32 * sum.abs())
        }))
    }
}

/// A normalised row: errors of its elements, and the relative error that all of them share.
struct Normalised {
    row: Row,
    shared: f64,
}

/// Euclidean norm.
fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Root-mean-square normalisation of a row with weights.
fn normalise(row: &Row, weights: &[f64]) -> Normalised {
    let d = row.value.len() as f64;
    let mean = row.value.iter().map(|x| x * x).sum::<f64>() / d + EPSILON;
    let factor = 1.0 / mean.sqrt();
    let inherited = norm(&row.pairs().map(|(x, error)| x * error).collect::<Vec<f64>>()) / (d * mean);
    let own = accumulation(d as u64) / 2.0 + DIVISION / 2.0 + 1.0 + INVERSE_SQRT + DIVISION;
    let pairs = row.pairs().zip(weights).map(|((x, error), w)| {
        let value = x * factor * w;
        (value, factor * w.abs() * error + 4.0 * U32 * value.abs())
    });
    Normalised { row: Row::of(pairs), shared: own * U32 + inherited }
}

/// A weight matrix `[depth, width]`.
#[derive(Clone, Copy)]
struct Matrix {
    weights: Inputs,
    width: u64,
    /// All elements are equal: then roundings are too, nothing averages out, and only certain bounds hold.
    equal: bool,
}

impl Matrix {
    fn of(instance: &Instance, tensor: usize) -> Self {
        let width = TransformerLayer.row_length(&instance.shape, tensor);
        let weights = TransformerLayer.inputs(instance, tensor);
        Self { weights, width, equal: instance.pattern == DataPattern::Constant }
    }
    /// Errors of a product, over the norm of the matrix's column: of the sum itself over the norm of the row, and of the
    /// row's elements over the norm of their errors.
    fn errors(&self, depth: usize) -> (f64, f64) {
        match self.equal {
            true => (2.0 * depth as f64 * U32, 1.0),
            false => (accumulation(depth as u64) * U32, 1.0 / (depth as f64).sqrt()),
        }
    }
}

/// The product of rows with some columns of a matrix.
fn project(rows: &[Normalised], matrix: Matrix, columns: std::ops::Range<u64>) -> Vec<Row> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = (columns.end - columns.start).div_ceil(threads).next_multiple_of(2).max(COLUMNS as u64 / 4);
    let starts: Vec<u64> = columns.clone().step_by(share as usize).collect();
    let parts: Vec<Vec<Row>> = std::thread::scope(|scope| {
        let part = |start: u64| {
            let end = columns.end.min(start + share);
            scope.spawn(move || project_part(rows, matrix, start..end))
        };
        let workers: Vec<_> = starts.iter().map(|start| part(*start)).collect();
        let finished = |worker: std::thread::ScopedJoinHandle<'_, Vec<Row>>| {
            worker.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
        };
        workers.into_iter().map(finished).collect()
    });
    let mut whole = vec![Row::default(); rows.len()];
    for part in parts {
        for (row, own) in whole.iter_mut().zip(part) {
            row.value.extend(own.value);
            row.error.extend(own.error);
        }
    }
    whole
}

fn project_part(rows: &[Normalised], matrix: Matrix, columns: std::ops::Range<u64>) -> Vec<Row> {
    let mut products = vec![Row::default(); rows.len()];
    let norms: Vec<(f64, f64)> = rows.iter().map(|row| (norm(&row.row.value), norm(&row.row.error))).collect();
    let depth = rows.first().map_or(0, |row| row.row.value.len());
    let (own, spread) = matrix.errors(depth);
    for first in columns.clone().step_by(COLUMNS) {
        let count = (columns.end - first).min(COLUMNS as u64) as usize;
        let (sums, lengths) = multiply(rows, matrix, first, count);
        for (place, (product, row)) in products.iter_mut().zip(rows).enumerate() {
            let (magnitude, error) = norms[place];
            let values = &sums[place * count..][..count];
            product.value.extend(values);
            product.error.extend(
                values
                    .iter()
                    .zip(&lengths)
                    .map(|(value, length)| (own * magnitude + spread * error) * length + row.shared * value.abs()),
            );
        }
    }
    products
}

/// Products of all rows with `count` columns from `first` on, row by row, and the norms of those columns.
fn multiply(rows: &[Normalised], matrix: Matrix, first: u64, count: usize) -> (Vec<f64>, Vec<f64>) {
    let depth = rows.first().map_or(0, |row| row.row.value.len());
    let mut sums = vec![0.0; rows.len() * count];
    let mut lengths = vec![0.0; count];
    let mut single = vec![0_f32; count];
    let mut block = vec![0.0; DEPTH * count];
    for start in (0..depth).step_by(DEPTH) {
        let steps = DEPTH.min(depth - start);
        for (step, line) in block.chunks_mut(count).enumerate().take(steps) {
            matrix.weights.fill((start + step) as u64 * matrix.width + first, &mut single);
            for ((w, single), length) in line.iter_mut().zip(&single).zip(&mut lengths) {
                *w = f64::from(*single);
                *length += *w * *w;
            }
        }
        block[steps * count..].fill(0.0);
        for (row, sums) in rows.iter().zip(sums.chunks_mut(count)) {
            let mut a = [0.0; DEPTH];
            a[..steps].copy_from_slice(&row.row.value[start..start + steps]);
            let (even, odd) = block.split_at(DEPTH / 2 * count);
            for (a, block) in [(&a[..4], even), (&a[4..], odd)] {
                let (w0, rest) = block.split_at(count);
                let (w1, rest) = rest.split_at(count);
                let (w2, w3) = rest.split_at(count);
                for ((((sum, w0), w1), w2), w3) in sums.iter_mut().zip(w0).zip(w1).zip(w2).zip(w3) {
                    *sum += (a[0] * w0 + a[1] * w1) + (a[2] * w2 + a[3] * w3);
                }
            }
        }
    }
    (sums, lengths.into_iter().map(f64::sqrt).collect())
}

/// Rotates the pairs (i, i + dim/2) of every head of a row.
fn rotate(row: &mut Row, dim: usize, table: &[f32]) {
    let half = dim / 2;
    for head in 0..row.value.len() / dim {
        for i in 0..half {
            let (low, high) = (head * dim + i, head * dim + i + half);
            let (cosine, sine) = (f64::from(table[i]), f64::from(table[half + i]));
            let (a, b) = (row.value[low], row.value[high]);
            let (a_error, b_error) = (row.error[low], row.error[high]);
            let turn = |a: f64, b: f64, a_error: f64, b_error: f64| {
                let magnitude = (a * cosine).abs() + (b * sine).abs();
                cosine.abs() * a_error + sine.abs() * b_error + 3.0 * U32 * magnitude
            };
            row.value[low] = a * cosine - b * sine;
            row.value[high] = b * cosine + a * sine;
            row.error[low] = turn(a, b, a_error, b_error);
            row.error[high] = turn(b, a, b_error, a_error);
        }
    }
}

/// What is known of an instance.
struct Memory {
    instance: Instance,
    /// Keys (rotated) and values of all new tokens of a sequence; a row holds all key-value heads.
    sequences: BTreeMap<u64, Arc<[Vec<Row>; 2]>>,
    /// Outputs by token.
    outputs: BTreeMap<u64, Row>,
}

static MEMORY: Mutex<Option<Memory>> = Mutex::new(None);

/// Reads or changes what is known of this instance; what was known of another is forgotten.
fn with_memory<T>(instance: &Instance, visit: impl FnOnce(&mut Memory) -> T) -> T {
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    if memory.as_ref().is_some_and(|memory| memory.instance != *instance) {
        *memory = None;
    }
    visit(memory.get_or_insert_with(|| Memory {
        instance: instance.clone(),
        sequences: BTreeMap::new(),
        outputs: BTreeMap::new(),
    }))
}

/// Elements `first..first + len` of an input, as float64.
fn values(instance: &Instance, tensor: usize, first: u64, len: u64) -> Vec<f64> {
    let mut single = vec![0_f32; len as usize];
    TransformerLayer.fill(instance, tensor, first, &mut single);
    single.into_iter().map(f64::from).collect()
}

fn exact(value: Vec<f64>) -> Row {
    Row { error: vec![0.0; value.len()], value }
}

/// Table of rotations of a token.
fn rotations(instance: &Instance, token: u64, dim: u64) -> Vec<f32> {
    let mut table = vec![0_f32; dim as usize];
    TransformerLayer.fill(instance, tensor::ROPE, token * dim, &mut table);
    table
}

/// The first normalisation of a row of x.
fn entry(instance: &Instance, extents: &Extents, row: u64) -> Normalised {
    let d = extents.d;
    normalise(&exact(values(instance, tensor::X, row * d, d)), &values(instance, tensor::NORMS, 0, d))
}

/// Keys and values of all new tokens of a sequence.
fn sequence(instance: &Instance, extents: &Extents, number: u64) -> Arc<[Vec<Row>; 2]> {
    if let Some(known) = with_memory(instance, |memory| memory.sequences.get(&number).cloned()) {
        return known;
    }
    let first = number * extents.tokens;
    let rows: Vec<Normalised> = (first..first + extents.tokens).map(|row| entry(instance, extents, row)).collect();
    let matrix = Matrix::of(instance, tensor::QKV);
    let (from, width) = (extents.heads * extents.dim, extents.kv_heads * extents.dim);
    let mut keys = project(&rows, matrix, from..from + width);
    for (token, key) in keys.iter_mut().enumerate() {
        rotate(key, extents.dim as usize, &rotations(instance, token as u64, extents.dim));
    }
    let found = Arc::new([keys, project(&rows, matrix, from + width..from + 2 * width)]);
    with_memory(instance, |memory| memory.sequences.insert(number, Arc::clone(&found)));
    found
}

/// One row of the new keys and values: `[2, batch, kv_heads, tokens]` rows of `dim`.
pub(super) fn keys_and_values(instance: &Instance, row: u64) -> Row {
    let extents = Extents::of(&instance.shape);
    let (kind, row) = (row / extents.kv_rows(), row % extents.kv_rows());
    let (token, row) = (row % extents.tokens, row / extents.tokens);
    let (head, number) = (row % extents.kv_heads, row / extents.kv_heads);
    let known = sequence(instance, &extents, number);
    let (all, dim) = (&known[kind as usize][token as usize], extents.dim as usize);
    let own = head as usize * dim..(head as usize + 1) * dim;
    Row { value: all.value[own.clone()].to_vec(), error: all.error[own].to_vec() }
}

/// Keys (kind 0) or values (kind 1) that a token sees in one key-value head, one after the other: cached, then new ones.
fn visible(instance: &Instance, extents: &Extents, new: &[Row], kind: u64, place: [u64; 3]) -> Row {
    let [number, token, kv_head] = place;
    let (past, dim) = (extents.past, extents.dim);
    let first = ((kind * extents.batch + number) * extents.kv_heads + kv_head) * past;
    let mut all = exact(values(instance, tensor::CACHE, first * dim, past * dim));
    let own = (kv_head * dim) as usize..((kv_head + 1) * dim) as usize;
    for row in &new[..=token as usize] {
        all.value.extend(&row.value[own.clone()]);
        all.error.extend(&row.error[own.clone()]);
    }
    all
}

/// One query against keys and values, as for the problem `attention-prefill`, with the errors of all three besides.
fn attend(query: &Row, keys: &Row, values: &Row) -> Row {
    let dim = query.value.len();
    let count = (keys.value.len() / dim) as u64;
    let scale = 1.0 / (dim as f64).sqrt();
    let own = (accumulation(dim as u64) + INVERSE_SQRT + 2.0) * U32;
    let score = |(key, key_error): (&[f64], &[f64])| {
        let (mut score, mut magnitude, mut inherited) = (0.0, 0.0, 0.0);
        for (((q, q_error), k), k_error) in query.pairs().zip(key).zip(key_error) {
            score += q * k;
            magnitude += (q * k).abs();
            inherited += (q_error * k).powi(2) + (k_error * q).powi(2);
        }
        (score * scale, (own * magnitude + inherited.sqrt()) * scale)
    };
    let scores: Vec<(f64, f64)> = keys.value.chunks(dim).zip(keys.error.chunks(dim)).map(score).collect();
    let most = scores.iter().fold(f64::NEG_INFINITY, |most, (score, _)| most.max(*score));
    let least = scores.iter().fold(f64::INFINITY, |least, (score, _)| least.min(*score));
    let weights: Vec<(f64, f64)> = scores
        .into_iter()
        .map(|(score, error)| ((score - most).exp(), error + U32 * exponential(score - most)))
        .collect();
    let sum: f64 = weights.iter().map(|(weight, _)| weight).sum();
    let sum_error = random_sum(weights.iter().map(|(weight, error)| weight * error)) / sum;
    let common = U32 * (accumulation(count) + rescaling(count, most - least));
    let column = |column: usize| {
        let (mut value, mut magnitude) = (0.0, 0.0);
        let terms = || {
            let own = values.value[column..].iter().step_by(dim).zip(values.error[column..].iter().step_by(dim));
            weights.iter().zip(own)
        };
        for ((weight, _), (v, _)) in terms() {
            value += weight * v;
            magnitude += weight * v.abs();
        }
        let inherited = random_sum(terms().map(|((w, w_error), (v, v_error))| w * (w_error * v.abs() + v_error))) / sum;
        let (value, magnitude) = (value / sum, magnitude / sum);
        let denominator = sum_error + common + (DIVISION + 1.0) * U32;
        (value, inherited + common * magnitude + denominator * value.abs())
    };
    Row::of((0..dim).map(column))
}

/// Output rows of tokens (of all sequences, numbered one after the other).
pub(super) fn outputs(instance: &Instance, tokens: &[u64]) -> Vec<Row> {
    let known = with_memory(instance, |memory| {
        tokens.iter().map(|token| memory.outputs.get(token).cloned()).collect::<Option<Vec<Row>>>()
    });
    if let Some(known) = known {
        return known;
    }
    let rows = follow(instance, tokens);
    with_memory(instance, |memory| memory.outputs.extend(tokens.iter().copied().zip(rows.iter().cloned())));
    rows
}

fn unshared(rows: Vec<Row>) -> Vec<Normalised> {
    rows.into_iter().map(|row| Normalised { row, shared: 0.0 }).collect()
}

/// Tokens through the whole layer.
fn follow(instance: &Instance, tokens: &[u64]) -> Vec<Row> {
    let extents = Extents::of(&instance.shape);
    let (d, f, dim) = (extents.d, extents.f, extents.dim as usize);
    let matrix = |tensor| Matrix::of(instance, tensor);
    let entries: Vec<Normalised> = tokens.iter().map(|token| entry(instance, &extents, *token)).collect();
    let mut queries = project(&entries, matrix(tensor::QKV), 0..extents.heads * extents.dim);
    let attended = queries.iter_mut().zip(tokens).map(|(query, token)| {
        let (number, token) = (token / extents.tokens, token % extents.tokens);
        rotate(query, dim, &rotations(instance, token, extents.dim));
        let new = sequence(instance, &extents, number);
        let (mut heads, group) = (Row::default(), (extents.heads / extents.kv_heads) as usize * dim);
        for kv_head in 0..extents.kv_heads {
            let [keys, values] =
                [0, 1].map(|kind| visible(instance, &extents, &new[kind as usize], kind, [number, token, kv_head]));
            let own = kv_head as usize * group..(kv_head as usize + 1) * group;
            for (value, error) in query.value[own.clone()].chunks(dim).zip(query.error[own].chunks(dim)) {
                let found = attend(&Row { value: value.to_vec(), error: error.to_vec() }, &keys, &values);
                heads.value.extend(found.value);
                heads.error.extend(found.error);
            }
        }
        heads
    });
    let attended = unshared(attended.collect());
    let projected = project(&attended, matrix(tensor::OUT), 0..d);
    let middle: Vec<Row> = tokens
        .iter()
        .zip(&projected)
        .map(|(token, row)| exact(values(instance, tensor::X, token * d, d)).plus(row))
        .collect();
    let norms = values(instance, tensor::NORMS, d, d);
    let normalised: Vec<Normalised> = middle.iter().map(|row| normalise(row, &norms)).collect();
    let both = project(&normalised, matrix(tensor::GATE_UP), 0..2 * f);
    let hidden = both.iter().map(|row| {
        let (gates, ups) = (row.pairs().take(f as usize), row.pairs().skip(f as usize));
        Row::of(gates.zip(ups).map(|(gate, up)| gated(gate, up)))
    });
    let down = project(&unshared(hidden.collect()), matrix(tensor::DOWN), 0..d);
    middle.iter().zip(&down).map(|(row, down)| row.plus(down)).collect()
}
