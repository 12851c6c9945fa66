//! Sampled outputs: the ranges to read, and the verdict over the bytes.
//!
//! What surprises people: a NaN or infinity never passes, whatever the bound, and a value that still holds the poison is
//! reported as never written, because that points to another fault than a wrong value does.

use super::twin::Spread;
use crate::gpu::{ByteRange, POISON_WORD};
use crate::model::{Check, Scalar};
use crate::workload::{Expected, Instance, Problem, Tensor};

/// One expected element, and where its bytes arrive.
#[derive(Debug, Clone, PartialEq)]
struct Probe {
    expected: Expected,
    element: Scalar,
    offset: usize,
}

/// What to read back of a case's outputs, and how to judge it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbePlan {
    probes: Vec<Probe>,
    ranges: Vec<ByteRange>,
    bytes: usize,
    names: Vec<&'static str>,
    row_lengths: Vec<u64>,
}

/// Why outputs are not right.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// Fewer or more bytes than the ranges ask for.
    #[error("{got} bytes were read back instead of {expected}: the outputs cannot be checked")]
    Length {
        /// Bytes that came.
        got: usize,
        /// Bytes of all ranges.
        expected: usize,
    },
    /// There was nothing to compare.
    #[error("no output was chosen for checking, so nothing is verified")]
    Empty,
    /// Elements beyond their bound.
    #[error(
        "{tensor}[{index}]{} {}, expected {} within {}; {failed} of {sampled} sampled outputs are wrong",
        place(*position), verdict(*got, *never_written), shown(*expected), shown(*bound)
    )]
    Values {
        /// Name of the output tensor of the worst element.
        tensor: String,
        /// Its index in it.
        index: u64,
        /// Its row and column, where the tensor's row length is known.
        position: Option<(u64, u64)>,
        /// Value read back.
        got: f64,
        /// True if it still holds the poison.
        never_written: bool,
        /// Value by the reference.
        expected: f64,
        /// Largest permitted absolute difference.
        bound: f64,
        /// Elements that failed.
        failed: u64,
        /// Elements that were compared.
        sampled: u64,
    },
}

fn place(position: Option<(u64, u64)>) -> String {
    position.map(|(row, column)| format!(" (row {row}, column {column})")).unwrap_or_default()
}

fn verdict(got: f64, never_written: bool) -> String {
    if never_written { "was never written".to_owned() } else { format!("is {}", shown(got)) }
}

/// A value with seven significant digits, in powers of ten only where it is very small or large.
fn shown(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e7).contains(&magnitude) {
        return format!("{value:.6e}");
    }
    let decimals = if magnitude >= 1.0 { 6usize.saturating_sub(magnitude.log10() as usize) } else { 9 };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// How wrong one element is: `None` if it is right, else a rank by which the worst is shown.
fn failure(expected: &Expected, got: f64, exact: bool) -> Option<f64> {
    let right = got.is_finite() && expected.value.is_finite() && expected.bound.is_finite();
    let error = (got - expected.value).abs();
    match right {
        true if expected.bound == 0.0 && exact => None,
        true if expected.bound > 0.0 && error <= expected.bound => None,
        true => Some(error / expected.bound.max(f64::MIN_POSITIVE)),
        false => Some(f64::INFINITY),
    }
}

impl ProbePlan {
    /// A plan for these expected elements of these tensors. Elements outside their tensor are left out.
    pub fn new(expected: &[Expected], tensors: &[Tensor]) -> Self {
        let mut wanted: Vec<(Expected, Scalar)> = expected
            .iter()
            .filter_map(|one| tensors.get(one.tensor).map(|tensor| (one, tensor)))
            .filter(|(one, tensor)| one.index < tensor.len)
            .map(|(one, tensor)| (*one, tensor.element))
            .collect();
        wanted.sort_by_key(|(one, _)| (one.tensor, one.index));
        wanted.dedup_by_key(|(one, _)| (one.tensor, one.index));
        let mut plan = Self {
            probes: Vec::with_capacity(wanted.len()),
            ranges: Vec::new(),
            bytes: 0,
            names: tensors.iter().map(|tensor| tensor.name).collect(),
            row_lengths: Vec::new(),
        };
        for (expected, element) in wanted {
            plan.add(expected, element);
        }
        plan
    }

    /// A plan over about `samples` elements of a problem's outputs, whose mismatches name row and column.
    pub fn sample(problem: &dyn Problem, instance: &Instance, samples: u32, pick: u64) -> Self {
        let tensors = problem.tensors(&instance.shape, instance.element);
        let mut plan = Self::new(&problem.reference(instance, samples, pick), &tensors);
        plan.row_lengths = (0..tensors.len()).map(|tensor| problem.row_length(&instance.shape, tensor)).collect();
        plan
    }

    /// Appends an element behind the last range, or to it. Elements come in order of tensor and index.
    fn add(&mut self, expected: Expected, element: Scalar) {
        let start = expected.index * element.bytes();
        let (first, end) = (start / 4 * 4, (start + element.bytes()).next_multiple_of(4));
        match self.ranges.last_mut().filter(|last| last.buffer == expected.tensor && first <= last.end) {
            Some(last) => {
                self.bytes += end.saturating_sub(last.end) as usize;
                last.end = last.end.max(end);
            }
            None => {
                self.bytes += (end - first) as usize;
                self.ranges.push(ByteRange { buffer: expected.tensor, start: first, end });
            }
        }
        let range_end = self.ranges.last().map_or(end, |last| last.end);
        let offset = self.bytes - (range_end - start) as usize;
        self.probes.push(Probe { expected, element, offset });
    }

    /// The bytes to read, in the order in which [`ProbePlan::check`] takes them.
    pub fn ranges(&self) -> Vec<ByteRange> {
        self.ranges.clone()
    }

    /// The elements that are compared, in order of tensor and index.
    pub fn expected(&self) -> impl Iterator<Item = &Expected> {
        self.probes.iter().map(|probe| &probe.expected)
    }

    /// Largest bound and typical size of the elements of one tensor.
    pub fn spread(&self, tensor: usize) -> Spread {
        let own = || self.expected().filter(|expected| expected.tensor == tensor);
        let squares: f64 = own().map(|expected| expected.value * expected.value).sum();
        let bound = own().map(|expected| expected.bound).fold(0.0, f64::max);
        Spread { bound, size: (squares / own().count().max(1) as f64).sqrt() }
    }

    /// Number of elements that are compared.
    pub fn len(&self) -> usize {
        self.probes.len()
    }

    /// True if nothing is compared; such a plan never passes.
    pub fn is_empty(&self) -> bool {
        self.probes.is_empty()
    }

    /// Compares the bytes of all ranges, one after the other. `scanned` is left 0 for the caller.
    pub fn check(&self, bytes: &[u8]) -> Result<Check, Mismatch> {
        if bytes.len() != self.bytes {
            return Err(Mismatch::Length { got: bytes.len(), expected: self.bytes });
        }
        if self.probes.is_empty() {
            return Err(Mismatch::Empty);
        }
        let mut check = Check::default();
        let mut worst: Option<(f64, &Probe, Value)> = None;
        let mut failed = 0;
        for probe in &self.probes {
            let value = probe.decode(bytes);
            let expected = &probe.expected;
            check.sampled += 1;
            if let Some(rank) = failure(expected, value.got, value.exact) {
                failed += 1;
                if worst.as_ref().is_none_or(|(most, ..)| rank > *most) {
                    worst = Some((rank, probe, value));
                }
            } else if expected.bound > 0.0 {
                let error = (value.got - expected.value).abs();
                check.max_abs_error = check.max_abs_error.max(error);
                check.worst_error_in_bounds = check.worst_error_in_bounds.max(error / expected.bound);
            }
        }
        match worst {
            None => Ok(check),
            Some((_, probe, value)) => Err(self.mismatch(probe, &value, failed)),
        }
    }

    fn mismatch(&self, probe: &Probe, value: &Value, failed: u64) -> Mismatch {
        let Expected { tensor, index, value: expected, bound } = probe.expected;
        let row_length = self.row_lengths.get(tensor).filter(|length| **length > 0);
        Mismatch::Values {
            tensor: self.names[tensor].to_owned(),
            index,
            position: row_length.map(|length| (index / length, index % length)),
            got: value.got,
            never_written: value.poison,
            expected,
            bound,
            failed,
            sampled: self.probes.len() as u64,
        }
    }
}

/// A value as it was read back.
struct Value {
    got: f64,
    /// Whether its bits are those of the expected value in its element type.
    exact: bool,
    poison: bool,
}

impl Probe {
    fn decode(&self, bytes: &[u8]) -> Value {
        let byte = |place: usize| bytes.get(self.offset + place).copied().unwrap_or(0xff);
        let word = |place: usize| u32::from_le_bytes([0, 1, 2, 3].map(|at| byte(place + at)));
        let expected = self.expected.value;
        match self.element {
            Scalar::F32 => {
                let bits = word(0);
                let exact = bits == (expected as f32).to_bits();
                Value { got: f64::from(f32::from_bits(bits)), exact, poison: bits == POISON_WORD }
            }
            Scalar::F16 => {
                let bits = u16::from_le_bytes([byte(0), byte(1)]);
                let exact = bits == half::f16::from_f64(expected).to_bits();
                let got = half::f16::from_bits(bits).to_f64();
                Value { got, exact, poison: bits == POISON_WORD as u16 }
            }
            Scalar::F64 => {
                let bits = u64::from(word(4)) << 32 | u64::from(word(0));
                let poison = bits == u64::from(POISON_WORD) << 32 | u64::from(POISON_WORD);
                Value { got: f64::from_bits(bits), exact: bits == expected.to_bits(), poison }
            }
            Scalar::I32 => whole(f64::from(word(0) as i32), expected, word(0) == POISON_WORD),
            Scalar::U32 => whole(f64::from(word(0)), expected, word(0) == POISON_WORD),
            Scalar::I8 => whole(f64::from(byte(0) as i8), expected, byte(0) == POISON_WORD as u8),
        }
    }
}

/// An integer; one that equals the poison and is expected to is no fault.
fn whole(got: f64, expected: f64, poison: bool) -> Value {
    Value { got, exact: got == expected, poison: poison && got != expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DataPattern, ElementType, Shape};
    use crate::workload::{oracle_bytes, problem};
    use proptest::prelude::*;

    fn instance(shape: &[(&str, u64)], element: ElementType) -> Instance {
        Instance { shape: Shape::new(shape.iter().copied()), element, pattern: DataPattern::Normal, seed: 21 }
    }

    fn gemm() -> (&'static dyn Problem, Instance) {
        (problem("gemm").unwrap(), instance(&[("m", 37), ("n", 41), ("k", 19)], ElementType::F32))
    }

    /// The whole right output, as a device would hold it.
    fn right_output(problem: &dyn Problem, instance: &Instance) -> (usize, Vec<u8>) {
        let tensors = problem.tensors(&instance.shape, instance.element);
        let (tensor, spec) = (tensors.len() - 1, &tensors[tensors.len() - 1]);
        (tensor, oracle_bytes(problem, instance, tensor, 0, spec.len * spec.element.bytes()))
    }

    fn read(plan: &ProbePlan, output: &[u8]) -> Vec<u8> {
        plan.ranges().iter().flat_map(|range| output[range.start as usize..range.end as usize].to_vec()).collect()
    }

    /// The verdict on an output of `gemm` after `spoil` changed its elements.
    fn verdict_on(spoil: impl FnOnce(&mut [f32])) -> Result<Check, Mismatch> {
        let (problem, instance) = gemm();
        let (_, bytes) = right_output(problem, &instance);
        let mut output: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        spoil(&mut output);
        let plan = ProbePlan::sample(problem, &instance, 256, 1);
        plan.check(&read(&plan, bytemuck::cast_slice(&output)))
    }

    #[test]
    fn right_outputs_pass_and_leave_the_scan_to_the_caller() {
        let check = verdict_on(|_| ()).unwrap();
        assert!(check.sampled >= 256 && check.scanned == 0);
        assert!(check.worst_error_in_bounds < 0.1 && check.max_abs_error > 0.0, "{check:?}");
    }

    #[test]
    fn a_wrong_corner_is_named_by_row_and_column() {
        let mismatch = verdict_on(|output| output[36 * 41 + 40] += 0.5).unwrap_err();
        let text = mismatch.to_string();
        assert!(text.contains("c[1516] (row 36, column 40) is "), "{text}");
        assert!(text.contains("; 1 of "), "{text}");
    }

    #[test]
    fn outputs_that_were_never_written_are_called_so() {
        let poison = f32::from_bits(POISON_WORD);
        let mismatch = verdict_on(|output| output.fill(poison)).unwrap_err();
        assert!(mismatch.to_string().contains("was never written, expected"), "{mismatch}");
        let Mismatch::Values { failed, sampled, .. } = mismatch else { panic!("{mismatch}") };
        assert_eq!(failed, sampled);
    }

    #[test]
    fn zeros_nans_infinities_shifted_columns_and_swapped_tiles_never_pass() {
        assert!(verdict_on(|output| output.fill(0.0)).is_err());
        assert!(verdict_on(|output| output[0] = f32::NAN).is_err());
        assert!(verdict_on(|output| output[0] = f32::INFINITY).is_err());
        assert!(verdict_on(|output| output.rotate_right(1)).is_err());
        assert!(verdict_on(|output| output.swap(40, 36 * 41)).is_err());
        let swap_tiles = |output: &mut [f32]| {
            for row in 0..8 {
                for column in 0..8 {
                    output.swap(row * 41 + column, row * 41 + 8 + column);
                }
            }
        };
        let Mismatch::Values { failed, .. } = verdict_on(swap_tiles).unwrap_err() else { panic!() };
        assert!(failed > 10, "{failed}");
    }

    #[test]
    fn a_copy_is_checked_to_the_last_bit() {
        let (problem, instance) = (problem("memory-copy").unwrap(), instance(&[("n", 5000)], ElementType::F32));
        let (_, mut output) = right_output(problem, &instance);
        let plan = ProbePlan::sample(problem, &instance, 200, 8);
        let check = plan.check(&read(&plan, &output)).unwrap();
        assert_eq!((check.worst_error_in_bounds, check.max_abs_error, check.sampled), (0.0, 0.0, 200));
        let end = output.len();
        output[end - 4] ^= 1;
        let text = plan.check(&read(&plan, &output)).unwrap_err().to_string();
        assert!(text.contains("c[4999]") && text.contains("within 0; 1 of 200"), "{text}");
    }

    #[test]
    fn half_precision_is_decoded_from_its_own_half_of_a_word() {
        let (problem, instance) = (problem("fma").unwrap(), instance(&[("n", 999), ("steps", 40)], ElementType::F16));
        let (_, mut output) = right_output(problem, &instance);
        let plan = ProbePlan::sample(problem, &instance, 300, 8);
        assert!(plan.ranges().iter().all(|range| range.start % 4 == 0 && range.end % 4 == 0 && range.end <= 4 * 999));
        assert!(plan.check(&read(&plan, &output)).unwrap().worst_error_in_bounds < 0.25);
        output[2..4].copy_from_slice(&(POISON_WORD as u16).to_le_bytes());
        let text = plan.check(&read(&plan, &output)).unwrap_err().to_string();
        assert!(text.contains("result[1] (row 0, column 1) was never written"), "{text}");
    }

    #[test]
    fn missing_bytes_and_empty_plans_never_pass() {
        let (problem, instance) = gemm();
        let plan = ProbePlan::sample(problem, &instance, 16, 1);
        assert!(matches!(plan.check(&[0; 4]), Err(Mismatch::Length { got: 4, .. })));
        assert_eq!(ProbePlan::new(&[], &[]).check(&[]), Err(Mismatch::Empty));
    }

    #[test]
    fn a_bound_that_is_no_number_is_no_licence() {
        let tensors = [gemm().0.tensors(&gemm().1.shape, ElementType::F32).remove(2)];
        for bound in [f64::NAN, f64::INFINITY, -1.0] {
            let plan = ProbePlan::new(&[Expected { tensor: 0, index: 0, value: 1.0, bound }], &tensors);
            assert!(plan.check(&1.0_f32.to_le_bytes()).is_err(), "{bound}");
        }
    }

    proptest! {
        #[test]
        fn ranges_are_aligned_ascending_disjoint_and_hold_every_element(
            indices in prop::collection::vec(0_u64..3000, 1..60), half: bool,
        ) {
            let element = if half { ElementType::F16 } else { ElementType::F32 };
            let (problem, shape) = (problem("fma").unwrap(), Shape::new([("n", 1500), ("steps", 1)]));
            let mut tensors = problem.tensors(&shape, element);
            tensors.push(tensors[1].clone());
            let value = |index: u64| half::f16::from_f64(index as f64).to_f64();
            let expected: Vec<Expected> = indices.iter().enumerate()
                .map(|(i, index)| Expected { tensor: 1 + i % 2, index: *index, value: value(*index), bound: 0.0 })
                .collect();
            let plan = ProbePlan::new(&expected, &tensors);
            let ranges = plan.ranges();
            prop_assert!(ranges.iter().all(|r| r.start % 4 == 0 && r.end % 4 == 0 && r.start < r.end));
            let apart = |two: &[ByteRange]| two[0].buffer < two[1].buffer || two[0].end < two[1].start;
            prop_assert!(ranges.windows(2).all(apart));
            let output: Vec<u8> = (0..3000).flat_map(|index| match half {
                true => half::f16::from_f64(value(index)).to_le_bytes().to_vec(),
                false => (value(index) as f32).to_le_bytes().to_vec(),
            }).collect();
            prop_assert_eq!(plan.check(&read(&plan, &output)).unwrap().sampled, plan.len() as u64);
        }

        #[test]
        fn any_flipped_bit_above_the_roundings_is_found(row in 0_usize..37, column in 0_usize..41, bit in 18_u32..32) {
            // Bit 18 of a value above 0.5 is worth 0.016 or more.
            let (problem, instance) = gemm();
            let (tensor, mut output) = right_output(problem, &instance);
            let tensors = problem.tensors(&instance.shape, instance.element);
            let index = row * 41 + column;
            let value = problem.output(&instance, tensor, index as u64);
            prop_assume!(value.abs() > 0.5);
            let expected = Expected { tensor, index: index as u64, value, bound: 1e-4 };
            output[4 * index + bit as usize / 8] ^= 1 << (bit % 8);
            let plan = ProbePlan::new(&[expected], &tensors);
            prop_assert!(plan.check(&read(&plan, &output)).is_err());
        }
    }
}
