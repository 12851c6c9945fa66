//! The bytes of an output that are digested after every window, and the digest that they must have.
//!
//! What surprises people: an output beyond 16 MiB is digested in stripes that lie evenly over it, 16 MiB in all; where the
//! device cannot show whole outputs at all (simulated ones), the sampled elements are digested.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::gpu::{Accelerator, ByteRange, Role};
use crate::measure::case::Session;
use crate::workload::{self, Instance};

/// Most bytes that are read back after a window.
const MOST_BYTES: u64 = 16 << 20;
/// Length of a stripe of a larger output.
const STRIPE_BYTES: u64 = 64 << 10;

/// What is digested of a case's outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The ranges to read.
    pub ranges: Vec<ByteRange>,
    /// Their bytes.
    pub digested: u64,
    /// Bytes of all outputs.
    pub bytes: u64,
    /// The digest that exact arithmetic demands.
    pub known: Option<String>,
}

impl Output {
    /// What to digest of a loaded case.
    pub fn of(session: &Session, accelerator: &dyn Accelerator) -> Self {
        let outputs = (0..).zip(&session.program.buffers).filter(|(_, spec)| spec.role == Role::Output);
        let outputs: Vec<(usize, u64)> = outputs.map(|(index, spec)| (index, spec.bytes)).collect();
        let bytes = outputs.iter().map(|(_, bytes)| bytes).sum();
        let ranges = match accelerator.has_whole_outputs() {
            true => outputs.iter().flat_map(|(buffer, own)| stripes(*buffer, *own, bytes)).collect(),
            false => session.checks.probe.ranges(),
        };
        let digested = ranges.iter().map(|range| range.end - range.start).sum();
        let case = &session.program.case;
        let exact = case.element.is_integer() && session.checks.is_exact();
        let known = exact.then(|| known(&case.problem, &session.instance, &ranges)).flatten();
        Self { ranges, digested, bytes, known }
    }
}

/// All of a buffer where all outputs together are small enough; else stripes evenly over it, its share of the most bytes.
fn stripes(buffer: usize, bytes: u64, all: u64) -> Vec<ByteRange> {
    if all <= MOST_BYTES {
        return vec![ByteRange { buffer, start: 0, end: bytes }];
    }
    let count = (MOST_BYTES as f64 * (bytes as f64 / all as f64) / STRIPE_BYTES as f64).floor().max(1.0) as u64;
    let length = STRIPE_BYTES.min(bytes / count / 4 * 4);
    let last = bytes - length;
    let place = |nth: u64| (last as f64 * nth as f64 / (count - 1).max(1) as f64) as u64 / 4 * 4;
    (0..count).map(|nth| ByteRange { buffer, start: place(nth), end: place(nth) + length }).collect()
}

/// Digest of the reference's own bytes; `None` for an unknown problem.
fn known(problem: &str, instance: &Instance, ranges: &[ByteRange]) -> Option<String> {
    let problem = workload::problem(problem)?;
    let bytes = ranges.iter().flat_map(|r| workload::oracle_bytes(problem, instance, r.buffer, r.start, r.end));
    Some(digest(&bytes.collect::<Vec<u8>>()))
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_output_is_digested_whole_and_a_large_one_in_stripes_to_both_its_ends() {
        assert_eq!(stripes(2, 1000, 1000), [ByteRange { buffer: 2, start: 0, end: 1000 }]);
        let large = stripes(3, 512 << 20, 512 << 20);
        // 16 MiB in stripes of 64 KiB.
        assert_eq!(large.len(), 256);
        assert_eq!((large[0].start, large[255].end), (0, 512 << 20));
        assert!(large.windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!(large.iter().all(|range| range.start % 4 == 0 && range.end - range.start == 64 << 10));
        // A small output beside a large one still has a stripe of its own.
        assert_eq!(stripes(1, 4, 1 << 30), [ByteRange { buffer: 1, start: 0, end: 4 }]);
    }

    #[test]
    fn a_digest_is_sha_256_in_hexadecimal() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
