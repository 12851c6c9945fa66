//! Outputs of a phase, window by window: which digests were seen, and which of them are wrong.
//!
//! What surprises people: without a digest that the arithmetic demands, right is what was seen most often, so the answer is
//! only known at the end; and a window in which an error was made on purpose counts neither as wrong nor as seen.

use std::cmp::Reverse;
use std::ops::Range;

use super::series::{WindowFigure, plain};
use crate::model::{Better, Measurement, Metric, Phase, PhaseOutputs, SeenDigest, Verification};

/// Most digests that are told apart in what is handed on; a sound phase has one.
const TOLD: usize = 16;

/// What is known of a phase's outputs.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// True if any record held digests, or said that the case stands for a phase.
    is_sustained: bool,
    known: Option<String>,
    /// In order of first sight.
    seen: Vec<SeenDigest>,
    coverage: Option<f64>,
    failures: Vec<String>,
    /// Checks beside the digests: how many there were, and how many failed.
    checks: u64,
    failed: u64,
    /// Windows of measurements in which an error was made on purpose.
    injected: Vec<Range<usize>>,
}

impl Outputs {
    /// Takes in a measurement whose windows end at these seconds and will be the ones from `first` on; returns the index of
    /// each window's digest. `at` is the time to name a failure by.
    pub fn add(&mut self, measurement: &Measurement, ends: &[f64], first: usize, at: f64) -> Vec<Option<u32>> {
        let mut indices = vec![None; ends.len()];
        let made_on_purpose = measurement.injected.is_some();
        if made_on_purpose {
            self.injected.push(first..first + ends.len());
        }
        self.checks += 1;
        if let Verification::Failed { detail, when } = &measurement.verification
            && !made_on_purpose
        {
            self.failed += 1;
            self.failures.push(format!("at {at:.0} s, {when}: {detail}"));
        }
        let Some(sustained) = &measurement.sustained else { return indices };
        self.is_sustained = true;
        self.known = self.known.take().or_else(|| sustained.known.clone());
        if sustained.output_bytes > 0 {
            let part = sustained.digested_bytes as f64 / sustained.output_bytes as f64;
            self.coverage = Some(self.coverage.map_or(part, |least| least.min(part)));
        }
        for ((digest, end), slot) in sustained.digests.iter().zip(ends).zip(&mut indices) {
            // A window without a digest was not looked at.
            *slot = (!digest.is_empty()).then(|| self.see(digest, *end));
        }
        indices
    }

    fn see(&mut self, digest: &str, end_s: f64) -> u32 {
        let known = self.seen.iter().position(|seen| seen.sha256 == digest);
        let index = known.unwrap_or_else(|| {
            let new = SeenDigest { sha256: digest.to_owned(), windows: 0, first_s: end_s, last_s: end_s };
            self.seen.push(new);
            self.seen.len() - 1
        });
        let seen = &mut self.seen[index];
        seen.windows += 1;
        seen.last_s = end_s;
        index as u32
    }

    /// Index of the digest that is right: the known one, or else the one of most windows, of those the first. `None` where a
    /// known one was never seen, or nothing was.
    fn right(&self) -> Option<u32> {
        let right = match &self.known {
            Some(known) => self.seen.iter().position(|seen| seen.sha256 == *known),
            None => (0..self.seen.len()).min_by_key(|index| Reverse(self.seen[*index].windows)),
        };
        right.map(|index| index as u32)
    }

    /// For each window whether its digest differs from the right one, whoever made it so.
    pub fn wrong(&self, windows: &[WindowFigure]) -> Vec<bool> {
        let right = self.right();
        windows.iter().map(|window| window.digest.is_some_and(|digest| Some(digest) != right)).collect()
    }

    /// The windows that are wrong because an error was made in their output: one of each such measurement, the first.
    fn on_purpose(&self, wrong: &[bool]) -> Vec<usize> {
        self.injected.iter().filter_map(|range| range.clone().find(|index| wrong[*index])).collect()
    }

    /// Number of windows with a wrong output. A failed check beside sound digests counts as one.
    pub fn metric(&self, name: &str, windows: &[WindowFigure]) -> Option<Metric> {
        let wrong = self.wrong(windows);
        let found = wrong.iter().filter(|wrong| **wrong).count() - self.on_purpose(&wrong).len();
        let looked_at = windows.iter().filter(|window| window.digest.is_some()).count();
        let n = if looked_at > 0 { looked_at as u64 } else { self.checks };
        let value = (found as u64).max(self.failed);
        let metric = plain(format!("{name}.output.wrong"), value as f64, "1", n);
        (n > 0).then_some(Metric { better: Some(Better::Lower), ..metric })
    }

    /// What was seen, the most frequent digest first; `None` for what is no phase.
    pub fn findings(&self, phase: Phase, windows: &[WindowFigure]) -> Option<PhaseOutputs> {
        if !self.is_sustained {
            return None;
        }
        let mut seen = self.seen.clone();
        for index in self.on_purpose(&self.wrong(windows)) {
            let digest = windows[index].digest.and_then(|digest| seen.get_mut(digest as usize));
            digest.into_iter().for_each(|digest| digest.windows -= 1);
        }
        seen.retain(|digest| digest.windows > 0);
        seen.sort_by_key(|digest| Reverse(digest.windows));
        seen.truncate(TOLD);
        Some(PhaseOutputs {
            phase,
            known: self.known.clone(),
            seen,
            coverage: self.coverage.unwrap_or(0.0),
            failures: self.failures.clone(),
        })
    }
}
