//! The windows of one phase, or of one case of an ordinary run, and the figures over them.
//!
//! Of each window only scalars stay. What surprises people: windows of one round follow one another and are alike, so that
//! their scatter alone would make an interval too narrow; where there are at least [`LEAST_BLOCKS`] rounds the means of the
//! rounds are the sample, and only with fewer of them the windows.

use super::outputs::Outputs;
use crate::measure::result::energy::WindowJoules;
use crate::measure::result::{Term, Uncertainty};
use crate::model::{Better, Case, Evidence, Metric, Phase, Scope};
use crate::stats;

/// Fewest rounds whose means are taken as the sample of an interval.
pub(super) const LEAST_BLOCKS: usize = 6;

/// What stays of a window.
#[derive(Debug, Clone)]
pub(super) struct WindowFigure {
    pub seconds: f64,
    /// Operations or bytes, whatever the case is counted in.
    pub work: f64,
    /// The round that it lies in: windows of a phase that follow one another without another phase between.
    pub block: u32,
    /// Index of its output's digest in [`Outputs`].
    pub digest: Option<u32>,
    /// Mean temperature in it.
    pub celsius: Option<f64>,
}

/// Energies from one source and scope, aligned with the windows.
#[derive(Debug, Clone)]
pub(super) struct EnergySeries {
    pub source: String,
    pub scope: Scope,
    pub evidence: Evidence,
    /// Whether the source belongs to the device alone, and not to the host.
    pub own: bool,
    /// The widest terms of all records.
    budget: Uncertainty,
    joules: Vec<Option<f64>>,
}

/// The windows of a phase or case.
#[derive(Debug)]
pub(super) struct Series {
    pub name: String,
    pub phase: Option<Phase>,
    pub case: Case,
    pub windows: Vec<WindowFigure>,
    pub energies: Vec<EnergySeries>,
    pub outputs: Outputs,
}

/// A share of a mean: the block it lies in, what is above the line and what below.
type Part = (u32, f64, f64);

impl Series {
    pub fn new(name: String, phase: Option<Phase>, case: Case) -> Self {
        Self { name, phase, case, windows: Vec::new(), energies: Vec::new(), outputs: Outputs::default() }
    }

    /// Adds windows with what each source read of them.
    pub fn extend(&mut self, windows: Vec<WindowFigure>, energies: Vec<WindowJoules<'_>>) {
        let before = self.windows.len();
        self.windows.extend(windows);
        for found in energies {
            let source = &found.trace.source;
            let same = |known: &&mut EnergySeries| known.source == source.id && known.scope == found.scope;
            let known = match self.energies.iter_mut().find(same) {
                Some(known) => known,
                None => {
                    self.energies.push(EnergySeries {
                        source: source.id.clone(),
                        scope: found.scope,
                        evidence: source.evidence,
                        own: source.device.is_some(),
                        budget: found.budget,
                        joules: Vec::new(),
                    });
                    let Some(new) = self.energies.last_mut() else { continue };
                    new
                }
            };
            known.joules.resize(before, None);
            known.joules.extend(found.joules);
            known.budget = widest(&known.budget, &found.budget);
        }
        for known in &mut self.energies {
            known.joules.resize(self.windows.len(), None);
        }
    }

    /// The energy that stands for the series: measured before declared before estimated, the narrowest scope that holds the
    /// device, and of several such sources the one that read most windows.
    pub fn headline(&self) -> Option<&EnergySeries> {
        let read = |energy: &EnergySeries| energy.joules.iter().flatten().count();
        let rank =
            |energy: &&EnergySeries| (energy.evidence, energy.scope.headline_rank(), std::cmp::Reverse(read(energy)));
        self.energies.iter().min_by_key(rank)
    }

    /// Every figure of the series.
    pub fn metrics(&self) -> Vec<Metric> {
        let wrong = self.outputs.wrong(&self.windows);
        // A window without length has no rate.
        let is_sound = |(index, window): &(usize, &WindowFigure)| !wrong[*index] && window.seconds > 0.0;
        let sound: Vec<(usize, &WindowFigure)> = self.windows.iter().enumerate().filter(is_sound).collect();
        let mut metrics = self.rates(&sound);
        if let Some(energy) = self.headline() {
            metrics.extend(self.efficiencies(energy, &sound));
            metrics.extend(self.power(energy));
        }
        metrics.extend(self.outputs.metric(&self.name, &self.windows));
        metrics
    }

    fn rates(&self, sound: &[(usize, &WindowFigure)]) -> Vec<Metric> {
        let unit = self.case.counted_in().per_second();
        let parts: Vec<Part> = sound.iter().map(|(_, w)| (w.block, w.work, w.seconds)).collect();
        let Some(mean) = quotient(&parts) else { return Vec::new() };
        let each: Vec<f64> = parts.iter().map(|(_, work, seconds)| work / seconds).collect();
        let width = scatter(&parts).map(|term| term.half_width());
        let figure = |id: &str, value, unit| self.metric(id, value, unit, each.len(), Better::Higher);
        let mut metrics = vec![
            Metric { interval: width.map(|w| around(mean, w)), ..figure("rate.mean", mean, unit) },
            figure("rate.p1", stats::quantile(&each, 0.01).unwrap_or(mean), unit),
        ];
        if let Some(jitter) = stats::coefficient_of_variation(&each) {
            metrics.push(Metric { better: Some(Better::Lower), ..figure("rate.jitter", jitter, "1") });
        }
        metrics
    }

    fn efficiencies(&self, energy: &EnergySeries, sound: &[(usize, &WindowFigure)]) -> Vec<Metric> {
        let part = |(index, window): &(usize, &WindowFigure)| Some((window.block, window.work, energy.joules[*index]?));
        let parts: Vec<Part> = sound.iter().filter_map(part).collect();
        let Some(mean) = quotient(&parts) else { return Vec::new() };
        let each: Vec<f64> = parts.iter().map(|(_, work, joules)| work / joules).collect();
        let unit = self.case.counted_in().per_joule();
        let figure = |id: &str, value| {
            let metric = self.metric(id, value, unit, each.len(), Better::Higher);
            Metric { evidence: Some(energy.evidence), scope: Some(energy.scope), ..metric }
        };
        vec![
            Metric { interval: energy.interval(mean, &parts), ..figure("efficiency.mean", mean) },
            figure("efficiency.p1", stats::quantile(&each, 0.01).unwrap_or(mean)),
        ]
    }

    fn power(&self, energy: &EnergySeries) -> Option<Metric> {
        let parts = self.energy_parts(energy);
        let mean = quotient(&parts)?;
        Some(Metric {
            interval: energy.interval(mean, &parts),
            evidence: Some(energy.evidence),
            scope: Some(energy.scope),
            better: None,
            ..self.metric("power.mean", mean, "W", parts.len(), Better::Lower)
        })
    }

    /// Joules and seconds of every window that was read, whatever its output.
    fn energy_parts(&self, energy: &EnergySeries) -> Vec<Part> {
        let read = self.windows.iter().zip(&energy.joules);
        read.filter_map(|(window, joules)| Some((window.block, (*joules)?, window.seconds))).collect()
    }

    /// Mean power by a source, and the windows behind it.
    pub fn mean_power(&self, energy: &EnergySeries) -> Option<(f64, usize)> {
        let parts = self.energy_parts(energy);
        Some((quotient(&parts)?, parts.len()))
    }

    /// Mean temperature and mean power of the later half of the windows, over those of which both were read.
    pub fn settled(&self, energy: &EnergySeries) -> Option<(f64, f64, usize)> {
        let later = self.windows.len() / 2..self.windows.len();
        let both = |index: usize| {
            let window = &self.windows[index];
            Some((window.celsius?, energy.joules[index]?, window.seconds))
        };
        let read: Vec<(f64, f64, f64)> = later.filter_map(both).collect();
        let seconds: f64 = read.iter().map(|(_, _, seconds)| seconds).sum();
        let celsius: f64 = read.iter().map(|(celsius, _, seconds)| celsius * seconds).sum();
        let joules: f64 = read.iter().map(|(_, joules, _)| joules).sum();
        (seconds > 0.0).then(|| (celsius / seconds, joules / seconds, read.len()))
    }

    fn metric(&self, id: &str, value: f64, unit: &str, n: usize, better: Better) -> Metric {
        Metric { better: Some(better), ..plain(format!("{}.{id}", self.name), value, unit, n as u64) }
    }
}

impl EnergySeries {
    /// Interval of a mean, with the sensor's systematic error in it; only measured energy has one.
    fn interval(&self, mean: f64, parts: &[Part]) -> Option<(f64, f64)> {
        if self.evidence != Evidence::Measured {
            return None;
        }
        let budget = Uncertainty { statistical: scatter(parts), ..self.budget };
        Some(around(mean, budget.expanded()?))
    }
}

/// A metric without interval, energy or direction.
pub(super) fn plain(id: String, value: f64, unit: &str, n: u64) -> Metric {
    Metric { id, value, unit: unit.to_owned(), interval: None, n, evidence: None, scope: None, better: None }
}

fn around(mean: f64, width: f64) -> (f64, f64) {
    (mean * (1.0 - width), mean * (1.0 + width))
}

/// All that is above the line over all that is below; `None` for nothing.
fn quotient(parts: &[Part]) -> Option<f64> {
    let (above, below) = parts.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.1, sum.1 + part.2));
    (below > 0.0).then_some(above / below)
}

/// Relative scatter of a mean, by rounds where there are enough of them and by windows otherwise.
fn scatter(parts: &[Part]) -> Option<Term> {
    let blocks: Vec<f64> = parts.chunk_by(|a, b| a.0 == b.0).filter_map(quotient).collect();
    if blocks.len() >= LEAST_BLOCKS {
        return Term::scatter(&blocks);
    }
    Term::scatter(&parts.iter().map(|(_, above, below)| above / below).collect::<Vec<_>>())
}

/// Each term as wide as in the wider of two budgets.
fn widest(a: &Uncertainty, b: &Uncertainty) -> Uncertainty {
    let wider = |a: Term, b: Term| if b.standard > a.standard { b } else { a };
    Uncertainty {
        edge: wider(a.edge, b.edge),
        sampling: wider(a.sampling, b.sampling),
        gain: wider(a.gain, b.gain),
        gain_from: if b.gain.standard > a.gain.standard { b.gain_from } else { a.gain_from },
        ..*a
    }
}
