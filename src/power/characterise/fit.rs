//! The response that explains a sensor's updates best: a grid of delays and lengths, then a pattern search around the
//! best points; the power levels follow from each by linear least squares.
//!
//! What surprises people: an instant reading has no slope in its delay (an update sees the load before or after a
//! switch, nothing between), so its delay is scanned, and the middle of the best stretch is taken.

use super::load::{Load, Shape};

/// One update of the sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Update {
    /// When it happened, in seconds.
    pub at: f64,
    /// Watts that it showed; for a counter, the mean power since `since`.
    pub watts: f64,
    /// The tick before it, for a counter.
    pub since: Option<f64>,
}

/// A response with the levels that go with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    pub shape: Shape,
    pub delay: f64,
    pub off: f64,
    pub height: f64,
    /// Sum of squares left over, in W².
    pub left: f64,
}

/// Updates and the load that they saw.
pub(super) struct Bench<'a> {
    pub load: &'a Load,
    pub updates: &'a [Update],
}

/// Bounds of a search, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Least delay: below 0 by what the instants of update may be off.
    pub least: f64,
    pub delay: f64,
    pub shortest: f64,
    pub longest: f64,
}

/// Points of the coarse grid of lengths, per factor of e.
const LENGTHS_PER_E: f64 = 5.0;
/// Points of the coarse grid of delays.
const DELAYS: usize = 40;
/// Updates that are looked at on the grid.
const LOOKED_AT: usize = 400;
/// Points of the grid that the finer search begins from.
const STARTS: usize = 6;

impl Bench<'_> {
    /// The best fit of one shape with this delay.
    fn fit(&self, shape: Shape, delay: f64, answers: &mut Vec<f64>) -> Fit {
        if self.updates.first().is_some_and(|update| update.since.is_some()) {
            let spans = self.updates.iter().map(|u| (u.since.unwrap_or(u.at) - delay, u.at - delay));
            self.load.means(spans, answers);
        } else {
            self.load.answers(shape, self.updates.iter().map(|update| update.at - delay), answers);
        }
        let n = answers.len() as f64;
        let (mut x, mut y) = (0.0, 0.0);
        for (answer, update) in answers.iter().zip(self.updates) {
            x += answer;
            y += update.watts;
        }
        let (x, y) = (x / n, y / n);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (answer, update) in answers.iter().zip(self.updates) {
            let (dx, dy) = (answer - x, update.watts - y);
            xx += dx * dx;
            xy += dx * dy;
            yy += dy * dy;
        }
        // A load that lowers power explains nothing.
        let height = if xx > 0.0 { (xy / xx).max(0.0) } else { 0.0 };
        Fit { shape, delay, off: y - height * x, height, left: (yy - height * (2.0 * xy - height * xx)).max(0.0) }
    }

    /// The best fit of a family of shapes, told apart by their length.
    pub(super) fn best_of(&self, family: fn(f64) -> Shape, bounds: Bounds) -> Fit {
        let mut answers = Vec::with_capacity(self.updates.len());
        let ratio = (bounds.longest / bounds.shortest).max(1.0);
        let lengths = (ratio.ln() * LENGTHS_PER_E).ceil().max(1.0) as usize;
        let few: Vec<Update> = self.updates.iter().step_by(self.updates.len() / LOOKED_AT + 1).copied().collect();
        let coarse = Bench { load: self.load, updates: &few };
        let mut grid: Vec<(Fit, f64)> = Vec::with_capacity((lengths + 1) * DELAYS);
        for i in 0..=lengths {
            let length = bounds.shortest * ratio.powf(i as f64 / lengths as f64);
            for j in 0..DELAYS {
                let delay = bounds.least + (bounds.delay - bounds.least) * j as f64 / (DELAYS - 1) as f64;
                grid.push((coarse.fit(family(length), delay, &mut answers), length));
            }
        }
        grid.sort_by(|a, b| a.0.left.total_cmp(&b.0.left));
        grid.truncate(STARTS);
        let refined = grid.into_iter().map(|(start, length)| {
            let (start, length) = coarse.refine(family, (start, length), bounds, 2e-2, &mut answers);
            let start = self.fit(family(length), start.delay, &mut answers);
            self.refine(family, (start, length), bounds, 5e-4, &mut answers).0
        });
        refined.min_by(|a, b| a.left.total_cmp(&b.left)).unwrap_or_else(|| self.fit(Shape::Instant, 0.0, &mut answers))
    }

    /// Moves to the best neighbour until none is better, with ever smaller steps.
    fn refine(
        &self,
        family: fn(f64) -> Shape,
        (mut best, mut length): (Fit, f64),
        bounds: Bounds,
        finest: f64,
        answers: &mut Vec<f64>,
    ) -> (Fit, f64) {
        let coarsest = (finest * 64.0).min(1.0 / LENGTHS_PER_E);
        let (mut delays, mut lengths) = (bounds.delay * coarsest * LENGTHS_PER_E / (DELAYS - 1) as f64, coarsest);
        while lengths > finest {
            let mut moved = false;
            for (a, b) in [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)] {
                let delay = (best.delay + f64::from(a) * delays).clamp(bounds.least, bounds.delay);
                let next = (length * (f64::from(b) * lengths).exp()).clamp(bounds.shortest, bounds.longest);
                let fit = self.fit(family(next), delay, answers);
                if fit.left < best.left {
                    (best, length, moved) = (fit, next, true);
                }
            }
            if !moved {
                (delays, lengths) = (delays / 2.0, lengths / 2.0);
            }
        }
        (best, length)
    }

    /// The best fit of a shape without length, by its delay alone.
    pub(super) fn best_delay(&self, shape: Shape, least: f64, longest: f64) -> Fit {
        let mut answers = Vec::with_capacity(self.updates.len());
        let (mut from, mut until, mut best) = (least, longest, self.fit(shape, 0.0, &mut answers));
        for points in [400, 200, 200] {
            let step: f64 = (until - from) / f64::from(points);
            let mut stretch = (best.delay, best.delay);
            for i in 0..=points {
                let fit = self.fit(shape, from + f64::from(i) * step, &mut answers);
                if fit.left < best.left {
                    (best, stretch) = (fit, (fit.delay, fit.delay));
                } else if fit.left == best.left && fit.delay - stretch.1 < 1.5 * step {
                    stretch.1 = fit.delay;
                }
            }
            best = self.fit(shape, (stretch.0 + stretch.1) / 2.0, &mut answers);
            let reach = 3.0 * step + (stretch.1 - stretch.0) / 2.0;
            (from, until) = ((best.delay - reach).max(least), (best.delay + reach).min(longest));
        }
        best
    }

    /// What a fit leaves over, as root mean square and part of the wave's height; infinite without height.
    pub(super) fn residual(&self, fit: &Fit) -> f64 {
        if fit.height > 0.0 { (fit.left / self.updates.len() as f64).sqrt() / fit.height } else { f64::INFINITY }
    }

    /// Bayes' information criterion (Schwarz 1978) of a fit with this many parameters of its own, lower is better.
    /// Residuals below `floor` of the height are not told apart.
    pub(super) fn criterion(&self, fit: &Fit, parameters: f64, floor: f64) -> f64 {
        let n = self.updates.len() as f64;
        let residual = self.residual(fit);
        n * (residual * residual + floor * floor).ln() + parameters * n.ln()
    }
}
