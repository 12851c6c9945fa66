//! Mean power of a channel over any span, and how much later one channel shows a load than another.
//!
//! What surprises people: a counter's power lies in the middle between its two ticks, so that it lags half a tick.

use super::{AgainstError, LEAST_CORRELATION, LONGEST_LAG};
use crate::model::{Channel, Quantity, Response, SensorCalibration, SourceTrace};
use crate::power::characterise::load::Load;
use crate::stats;
use crate::units::{NANOSECONDS_PER_SECOND, Ratio, Seconds};

/// Least number of readings under the load.
const FEWEST_READINGS: usize = 20;
/// Longest hole between two readings that is bridged, in periods of the channel.
const BRIDGED: f64 = 3.0;
/// Steps of the common grid for each window of the slower channel.
const STEPS_PER_WINDOW: f64 = 8.0;
/// Most steps of the common grid.
const MOST_STEPS: f64 = 10_000.0;

/// The power of one channel under the load, in seconds from the first switch.
pub(super) struct Series<'a> {
    pub channel: &'a Channel,
    pub name: String,
    /// Instants and watts.
    points: Vec<(f64, f64)>,
    /// Joules up to each point, by straight lines.
    energy: Vec<f64>,
    /// Time between two readings that may differ.
    pub period: f64,
    /// Time between two points.
    pub apart: f64,
    /// Time over which a reading is averaged, as far as it is known.
    pub window: f64,
}

impl<'a> Series<'a> {
    /// The readings of a channel while the waves ran, and as long before and after as a lag may reach.
    pub(super) fn new(trace: &'a SourceTrace, id: &str, span: (u64, u64)) -> Result<Self, AgainstError> {
        let unknown = || AgainstError::NoSuchChannel { source_id: trace.source.id.clone(), channel: id.to_owned() };
        let channel = trace.source.channels.iter().find(|channel| channel.id == id && channel.quantity.is_energetic());
        let (channel, column) = channel.zip(trace.column(id)).ok_or_else(unknown)?;
        let name = format!("{}/{id}", trace.source.id);
        let reach = LONGEST_LAG.to_nanoseconds();
        let bounds = span.0.saturating_sub(reach)..=span.1 + reach;
        let polls = trace.t_ns.iter().zip(&column.values).filter(|(t, _)| bounds.contains(&t.0));
        let seconds = |ns: u64| (ns as f64 - span.0 as f64) / NANOSECONDS_PER_SECOND;
        let polls: Vec<(f64, f64)> = polls.filter_map(|(t, value)| Some((seconds(t.0), (*value)?))).collect();
        let counter = channel.quantity == Quantity::EnergyCounter;
        let points = if counter { rates(&polls) } else { polls };
        if points.len() < FEWEST_READINGS && !(counter && points.is_empty()) {
            return Err(AgainstError::TooFewReadings { name, readings: points.len() as u64 });
        }
        if points.windows(2).all(|pair| pair[0].1 == pair[1].1) {
            return Err(AgainstError::Frozen { name });
        }
        let between: Vec<f64> = points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        let apart = stats::median(&between).unwrap_or(0.0);
        let period = channel.update_period_s.map_or(0.0, Seconds::get).max(apart);
        let mut energy = vec![0.0];
        for pair in points.windows(2) {
            let before = energy.last().copied().unwrap_or(0.0);
            energy.push(before + (pair[0].1 + pair[1].1) / 2.0 * (pair[1].0 - pair[0].0));
        }
        let window = window(channel).max(if counter { period } else { 0.0 });
        Ok(Self { channel, name, points, energy, period, apart, window })
    }

    /// Mean power between two instants; `None` outside of the readings and where a hole is wider than is bridged.
    pub(super) fn mean(&self, from: f64, until: f64) -> Option<f64> {
        let after = self.points.partition_point(|(t, _)| *t <= from).checked_sub(1)?;
        let end = self.points.partition_point(|(t, _)| *t < until);
        let held = self.points.get(after..=end)?;
        if held.windows(2).any(|pair| pair[1].0 - pair[0].0 > BRIDGED * self.period) {
            return None;
        }
        Some((self.energy_at(until)? - self.energy_at(from)?) / (until - from))
    }

    fn energy_at(&self, at: f64) -> Option<f64> {
        let i = self.points.partition_point(|(t, _)| *t <= at).checked_sub(1)?;
        let ((t0, v0), energy) = (self.points[i], self.energy[i]);
        if at == t0 {
            return Some(energy);
        }
        let (t1, v1) = *self.points.get(i + 1)?;
        let value = v0 + (v1 - v0) * (at - t0) / (t1 - t0);
        Some(energy + (v0 + value) / 2.0 * (at - t0))
    }

    /// Time that one reading says something about.
    fn reach(&self) -> f64 {
        self.period.max(self.window)
    }
}

/// The averaging window of a channel: as calibrated, else as declared, else 0.
fn window(channel: &Channel) -> f64 {
    let declared = channel.averaging_window_s.map_or(0.0, Seconds::get);
    channel.profile.as_ref().map_or(declared, |profile| match profile.response {
        Response::Boxcar { window_s } | Response::PartTime { window_s } => window_s.get(),
        Response::LowPass { time_constant_s } => 2.0 * time_constant_s.get(),
        Response::Counter => profile.update_period_s.get(),
        Response::Instant => 0.0,
    })
}

/// Mean power between the ticks of a counter, in the middle of each two.
fn rates(polls: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut last: Option<(f64, f64)> = None;
    let rate = |(t, energy): &(f64, f64)| {
        let (before, held) = *last.get_or_insert((*t, *energy));
        if *energy == held {
            return None;
        }
        last = Some((*t, *energy));
        (*energy > held).then(|| ((before + t) / 2.0, (energy - held) / (t - before)))
    };
    // The first change began before the first poll.
    polls.iter().filter_map(rate).skip(1).collect()
}

/// How much later `own` shows the load than `reference`, with the correlation at that lag.
pub(super) fn lag(own: &Series<'_>, reference: &Series<'_>) -> Result<(f64, f64), AgainstError> {
    let window = own.reach().max(reference.reach());
    let (grid, step) = grid(own, window);
    let on = |series: &Series<'_>| -> Vec<Option<f64>> {
        grid.iter().map(|t| series.mean(t - window / 2.0, t + window / 2.0)).collect()
    };
    let (lag, correlation) = best_lag(&on(own), &on(reference), step);
    if correlation < LEAST_CORRELATION {
        let correlation = Ratio::new(correlation);
        return Err(AgainstError::Uncorrelated { correlation, least: LEAST_CORRELATION, longest: LONGEST_LAG });
    }
    Ok((lag, correlation))
}

/// How much later `own` shows the load than it was switched.
pub(super) fn lag_to_load(own: &Series<'_>, calibration: &SensorCalibration, span: (u64, u64)) -> f64 {
    let window = own.reach();
    let (grid, step) = grid(own, window);
    let load = Load::new(calibration, span.0);
    let mut means = Vec::new();
    load.means(grid.iter().map(|t| (t - window / 2.0, t + window / 2.0)), &mut means);
    let shown: Vec<Option<f64>> = grid.iter().map(|t| own.mean(t - window / 2.0, t + window / 2.0)).collect();
    best_lag(&shown, &means.into_iter().map(Some).collect::<Vec<_>>(), step).0
}

/// Instants at which two series are compared.
fn grid(own: &Series<'_>, window: f64) -> (Vec<f64>, f64) {
    let (first, last) = (own.points[0].0, own.points[own.points.len() - 1].0);
    let step = (window / STEPS_PER_WINDOW).max((last - first) / MOST_STEPS);
    let count = ((last - first) / step) as usize;
    ((0..count).map(|i| first + i as f64 * step).collect(), step)
}

/// The shift of `own` against `reference` with the highest correlation, interpolated by a parabola.
fn best_lag(own: &[Option<f64>], reference: &[Option<f64>], step: f64) -> (f64, f64) {
    let most = (LONGEST_LAG.get() / step).ceil() as i64;
    let at = |shift: i64| correlation(own, reference, shift).unwrap_or(-1.0);
    let scored: Vec<f64> = (-most..=most).map(at).collect();
    let best = (0..scored.len()).fold(0, |best, i| if scored[i] > scored[best] { i } else { best });
    let mut lag = (best as i64 - most) as f64;
    if best > 0 && best + 1 < scored.len() {
        let (left, top, right) = (scored[best - 1], scored[best], scored[best + 1]);
        let bend = left - 2.0 * top + right;
        if bend < 0.0 {
            lag += 0.5 * (left - right) / bend;
        }
    }
    (lag * step, scored[best])
}

/// Pearson's correlation of `own`, `shift` steps later, with `reference`; `None` where less than half overlaps.
fn correlation(own: &[Option<f64>], reference: &[Option<f64>], shift: i64) -> Option<f64> {
    let pairs = || {
        let pair = move |(i, y): (usize, &Option<f64>)| {
            let own = usize::try_from(i as i64 + shift).ok().and_then(|i| own.get(i))?;
            Some(((*own)?, (*y)?))
        };
        reference.iter().enumerate().filter_map(pair)
    };
    let (mut n, mut x, mut y) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        (n, x, y) = (n + 1.0, x + a, y + b);
    }
    if n * 2.0 < reference.len() as f64 {
        return None;
    }
    let (x, y) = (x / n, y / n);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        (xx, xy, yy) = (xx + (a - x) * (a - x), xy + (a - x) * (b - y), yy + (b - y) * (b - y));
    }
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}
