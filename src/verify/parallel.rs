//! Work on many lines of a matrix, spread over the machine's threads.
//!
//! What surprises people: the parts come back in order, so that a result does not depend on which thread was faster.

use std::ops::Range;

/// Threads that are worth starting.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Calls `work` on consecutive parts of `0..lines`, each on a thread of its own; results in order of the parts.
pub(super) fn parts<T: Send>(lines: u64, work: impl Fn(Range<u64>) -> T + Sync) -> Vec<T> {
    let share = lines.div_ceil(threads() as u64).max(1);
    let starts: Vec<u64> = (0..lines).step_by(usize::try_from(share).unwrap_or(usize::MAX)).collect();
    if let [only] = starts[..] {
        return vec![work(only..lines)];
    }
    std::thread::scope(|scope| {
        let work = &work;
        let spawn = |start: &u64| {
            let range = *start..(start + share).min(lines);
            scope.spawn(move || work(range))
        };
        let running: Vec<_> = starts.iter().map(spawn).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

/// Sum of products, in eight independent sums so that the processor's vectors are used.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_worked_on_once_and_in_order() {
        for lines in [0, 1, 2, 3, 7, 100] {
            let seen: Vec<u64> = parts(lines, |range| range.collect::<Vec<u64>>()).concat();
            assert_eq!(seen, (0..lines).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn the_sum_of_products_holds_every_term() {
        for len in [0, 1, 8, 13, 64] {
            let values: Vec<f64> = (0..len).map(f64::from).collect();
            let expected: f64 = values.iter().map(|v| v * v).sum();
            assert_eq!(dot(&values, &values), expected);
        }
    }
}
