//! The Mann-Whitney U test: exact for small samples, normal beyond.
//!
//! What surprises people: with three values a side the smallest possible p is 0.1, whatever the difference.

use super::normal_tail;

/// Largest pooled sample for which the rank-sum distribution is counted exactly.
const EXACT_POOLED_LIMIT: usize = 40;

/// Two-sided p-value of the Mann-Whitney U test. Up to 40 pooled values the permutation distribution of the rank sum is counted
/// exactly, ties included; beyond, the normal approximation with correction for ties and continuity. `None` if a side is empty.
pub fn mann_whitney_p(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (ranks, tie_term) = doubled_ranks(a, b);
    let rank_sum: usize = ranks[..a.len()].iter().sum();
    if ranks.len() <= EXACT_POOLED_LIMIT {
        return Some(exact_rank_sum_p(&ranks, a.len(), rank_sum));
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let pooled = n + m;
    let u = rank_sum as f64 / 2.0 - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (pooled + 1.0 - tie_term / (pooled * (pooled - 1.0)));
    if variance <= 0.0 {
        return Some(1.0);
    }
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    Some((2.0 * normal_tail(z)).min(1.0))
}

/// Twice the mid-ranks of `a` followed by `b` (whole numbers even with ties), and Σ(t³ − t) over groups of ties.
fn doubled_ranks(a: &[f64], b: &[f64]) -> (Vec<usize>, f64) {
    let pooled: Vec<f64> = a.iter().chain(b).copied().collect();
    let mut order: Vec<usize> = (0..pooled.len()).collect();
    order.sort_by(|&i, &j| pooled[i].total_cmp(&pooled[j]));
    let (mut ranks, mut tie_term) = (vec![0; pooled.len()], 0.0);
    let mut first = 0;
    while first < order.len() {
        let same = |&&i: &&usize| pooled[i] == pooled[order[first]];
        let last = first + order[first..].iter().take_while(same).count().max(1) - 1;
        let size = (last - first + 1) as f64;
        tie_term += size.powi(3) - size;
        order[first..=last].iter().for_each(|&i| ranks[i] = first + last + 2);
        first = last + 1;
    }
    (ranks, tie_term)
}

/// Counts, over all choices of `n` of the ranks, how many sums lie as far out as `observed` on its nearer side; doubled.
fn exact_rank_sum_p(ranks: &[usize], n: usize, observed: usize) -> f64 {
    let most: usize = ranks.iter().sum();
    // ways[k][s]: choices of k ranks with sum s. Below 2^53 for 40 ranks, so f64 counts exactly.
    let mut ways = vec![vec![0.0f64; most + 1]; n + 1];
    ways[0][0] = 1.0;
    for (seen, &rank) in ranks.iter().enumerate() {
        for k in (1..=n.min(seen + 1)).rev() {
            for sum in rank..=most {
                ways[k][sum] += ways[k - 1][sum - rank];
            }
        }
    }
    let all: f64 = ways[n].iter().sum();
    let low: f64 = ways[n][..=observed].iter().sum();
    let high: f64 = ways[n][observed..].iter().sum();
    (2.0 * low.min(high) / all).min(1.0)
}
