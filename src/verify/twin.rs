//! Every element of the outputs against a trusted result of the same work: another variant's output from the same device, or
//! the float64 reference of a small shape.
//!
//! What surprises people: both results carry errors, so that the limit is the sum of their bounds; where such bounds are so
//! wide that they would hide an element of twice its size (long sums in half precision), the errors that the trusted
//! result was seen to have take their place.

use super::decode::decode;
use super::parallel::parts;
use crate::model::{ComparisonCheck, Scalar};
use crate::workload::Tensor;

/// Part of the values' root mean square that a limit must stay below to need no second look: an element of twice its size is
/// then missed only where it is small.
const TELLING: f64 = 0.125;

/// Factor on the largest error that the trusted result's samples had: a few hundred samples see about half of the largest error
/// of millions, and another order of summation may have an error some ten times larger.
const SEEN_ERRORS: f64 = 32.0;

/// Elements that are worth a thread.
const ELEMENTS_PER_THREAD: u64 = 1 << 16;

/// What the samples of one output say of its values and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spread {
    /// Largest bound of a sample.
    pub bound: f64,
    /// Root mean square of the expected values.
    pub size: f64,
}

/// Largest difference between an element and its trusted value; 0 demands equality.
pub fn limit(spread: Spread, trusted_error: f64) -> f64 {
    let sum_of_bounds = 2.0 * spread.bound;
    let telling = TELLING * spread.size;
    if sum_of_bounds <= telling { sum_of_bounds } else { (SEEN_ERRORS * trusted_error).max(telling).min(sum_of_bounds) }
}

/// A trusted result: for each output its bytes and its limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// What computed it.
    pub against: String,
    /// By tensor; empty for inputs.
    pub outputs: Vec<Vec<u8>>,
    /// By tensor.
    pub limits: Vec<f64>,
}

/// Elements beyond the limit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{tensor}[{index}] is {got:e}, and {trusted:e} by {against}, within {limit:.3e}; {failed} of {elements} elements differ"
)]
pub struct Differing {
    tensor: &'static str,
    index: u64,
    got: f64,
    trusted: f64,
    against: String,
    limit: f64,
    failed: u64,
    elements: u64,
}

/// How a comparison stands.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    elements: u64,
    failed: u64,
    worst: f64,
    first: Option<(usize, u64, f64, f64)>,
}

impl Comparison {
    /// Compares bytes from `offset` of a tensor on.
    pub fn add(&mut self, twin: &Twin, tensors: &[Tensor], tensor: usize, offset: u64, bytes: &[u8]) {
        let Some(((spec, trusted), limit)) =
            tensors.get(tensor).zip(twin.outputs.get(tensor)).zip(twin.limits.get(tensor))
        else {
            return;
        };
        let size = spec.element.bytes();
        let first = offset / size;
        let count = (bytes.len() as u64 / size).min(spec.len.saturating_sub(first));
        let start = (first * size) as usize;
        let trusted = trusted.get(start..start + (count * size) as usize).unwrap_or_default();
        let blocks = count.div_ceil(ELEMENTS_PER_THREAD);
        let found = parts(blocks, |range| {
            let from = (range.start * ELEMENTS_PER_THREAD * size) as usize;
            let to = ((range.end * ELEMENTS_PER_THREAD).min(count) * size) as usize;
            let own = bytes.get(from..to).unwrap_or_default();
            let trusted = trusted.get(from..to).unwrap_or_default();
            compare(spec.element, own, trusted, *limit, first + range.start * ELEMENTS_PER_THREAD)
        });
        for part in found {
            self.elements += part.elements;
            self.failed += part.failed;
            self.worst = self.worst.max(part.worst);
            self.first = self.first.or(part.first.map(|(index, got, trusted)| (tensor, index, got, trusted)));
        }
    }

    /// The verdict over all elements of all outputs.
    pub fn judge(&self, twin: &Twin, tensors: &[Tensor]) -> Result<ComparisonCheck, String> {
        let outputs = tensors.iter().zip(&twin.outputs).filter(|(_, bytes)| !bytes.is_empty());
        let elements: u64 = outputs.map(|(tensor, _)| tensor.len).sum();
        if let Some((tensor, index, got, trusted)) = self.first {
            let name = tensors.get(tensor).map_or("", |tensor| tensor.name);
            let limit = twin.limits.get(tensor).copied().unwrap_or_default();
            let (against, failed) = (twin.against.clone(), self.failed);
            return Err(Differing { tensor: name, index, got, trusted, against, limit, failed, elements }.to_string());
        }
        if self.elements != elements {
            return Err(format!("{} of {elements} elements could be compared with {}", self.elements, twin.against));
        }
        Ok(ComparisonCheck { elements, against: twin.against.clone(), worst_error_in_limits: self.worst })
    }
}

struct Part {
    elements: u64,
    failed: u64,
    worst: f64,
    first: Option<(u64, f64, f64)>,
}

fn compare(element: Scalar, own: &[u8], trusted: &[u8], limit: f64, first: u64) -> Part {
    let mut part = Part { elements: 0, failed: 0, worst: 0.0, first: None };
    for (index, (got, trusted)) in (first..).zip(decode(element, own).into_iter().zip(decode(element, trusted))) {
        part.elements += 1;
        let error = (got - trusted).abs();
        // A difference that is no number is none that can be allowed.
        if !got.is_finite() || !trusted.is_finite() || error > limit {
            part.failed += 1;
            part.first = part.first.or(Some((index, got, trusted)));
        } else if limit > 0.0 {
            part.worst = part.worst.max(error / limit);
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::TensorRole;

    fn tensors(len: u64) -> Vec<Tensor> {
        let tensor = |name, role| Tensor { name, element: Scalar::F32, len, role };
        vec![tensor("a", TensorRole::Input), tensor("c", TensorRole::Output)]
    }

    fn value(index: u64) -> f32 {
        ((index % 1999) as f32 - 999.0) / 500.0
    }

    fn verdict(limit: f64, spoil: impl FnOnce(&mut [f32])) -> Result<ComparisonCheck, String> {
        let values: Vec<f32> = (0..100_000).map(value).collect();
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let twin = Twin {
            against: "gemm/naive-f32".to_owned(),
            outputs: vec![Vec::new(), bytes(&values)],
            limits: vec![0.0, limit],
        };
        let mut own = values;
        spoil(&mut own);
        let (mut comparison, tensors) = (Comparison::default(), tensors(100_000));
        for (number, piece) in bytes(&own).chunks(1 << 16).enumerate() {
            comparison.add(&twin, &tensors, 1, (number << 16) as u64, piece);
        }
        comparison.judge(&twin, &tensors)
    }

    #[test]
    fn equal_and_nearly_equal_outputs_pass() {
        let equal = verdict(0.0, |_| ()).unwrap();
        assert_eq!((equal.elements, equal.worst_error_in_limits), (100_000, 0.0));
        let near = verdict(1e-3, |values| values[77_000] += 5e-4).unwrap();
        assert!((near.worst_error_in_limits - 0.5).abs() < 1e-2, "{near:?}");
    }

    #[test]
    fn one_element_of_twice_its_size_among_many_is_found_and_named() {
        for index in [0, 1, 65_535, 65_536, 77_123, 99_999] {
            let text = verdict(1e-3, |values| values[index] *= 2.0).unwrap_err();
            assert!(text.starts_with(&format!("c[{index}] is ")), "{text}");
            assert!(text.contains("by gemm/naive-f32") && text.ends_with("; 1 of 100000 elements differ"), "{text}");
        }
    }

    #[test]
    fn a_nan_an_infinity_and_missing_elements_never_pass() {
        assert!(verdict(1e9, |values| values[3] = f32::NAN).is_err());
        assert!(verdict(f64::INFINITY, |values| values[3] = f32::INFINITY).is_err());
        let twin = Twin { against: String::new(), outputs: vec![vec![], vec![0; 4]], limits: vec![0.0; 2] };
        assert!(Comparison::default().judge(&twin, &tensors(1)).is_err());
    }

    #[test]
    fn a_limit_is_the_sum_of_bounds_unless_that_would_hide_a_doubled_element() {
        let spread = |bound: f64| Spread { bound, size: 8.0 };
        assert_eq!(limit(spread(0.25), 0.1), 0.5);
        assert_eq!(limit(spread(0.0), 0.1), 0.0);
        // Bounds of twelve deviations of half precision: the errors that were seen stand instead.
        assert_eq!(limit(spread(100.0), 0.05), 1.6);
        assert_eq!(limit(spread(100.0), 1e-6), 1.0);
        assert_eq!(limit(spread(0.6), 1.0), 1.2);
    }
}
