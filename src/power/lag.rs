//! How much later a reading speaks than its poll, and what that does to the energy of a window.
//!
//! A reading is older than its poll: by the sensor's delay, by half of what it averages over, and by half of the time for
//! which it is held. So the readings of a window are those of a later stretch, and the integral is taken there. What is
//! left at the two edges is corrected to second order, and what is left then is estimated, not bounded:
//!
//! * **Boxcar** of length w, held for U: together they act like an average over W = √(w² + U²). Averaging adds
//!   (W²/24)·(P′(end) − P′(start)) to an integral (Taylor, exact for ramps and parabolas); it is taken off again, with P′ as
//!   the change ΔR of the reading over W about the edge, divided by W. For a step anywhere near an edge the rest has no
//!   bias and a root mean square of [`EDGE_REST`]·W·ΔR.
//! * **Low-pass** of time constant τ: P = R + τ·R′, so the energy is the integral of R plus τ·(R(end) − R(start)), exactly.
//! * **Instant and part-time**: each look stands for the time to half-way between it and its neighbours.
//!
//! What surprises people: the unseen time of a part-time sensor costs little where power moves in rare steps, and much
//! where it moves within an update; both parts are told apart by the readings' own successive differences.

use super::readings::{Part, Readings, integrate};
use crate::model::{Quantity, Response};
use crate::units::{NANOSECONDS_PER_SECOND, Seconds};

/// Root mean square of what the correction of an edge leaves, in units of W·ΔR, for a step that lies anywhere within W of
/// the edge: with z the distance in W, the error is (1 − 2z)²/8 for z < ½, ΔR is 1 − z, and the ratio of
/// ∫(error − ΔR/24)² = 0.000622 to ∫ΔR² = 1/3 is 0.0432².
const EDGE_REST: f64 = 0.0432;
/// Largest relative error that a fitted delay or averaging time is taken to have: `calibrate` recovers those of scripted
/// sensors within 10 %.
const PROFILE_ERROR: f64 = 0.10;
/// Distance from a whole number below which polls keep step with updates.
const IN_STEP: f64 = 0.02;

/// What is known of a channel's answer to a change of power, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lag {
    /// Time from a change to the end of the first look that holds it.
    delay: f64,
    /// Length of a look; 0 for an instant.
    look: f64,
    /// Time constant of a low-pass filter; 0 for none.
    constant: f64,
    /// Time between two updates of the value; 0 if unknown.
    update: f64,
    /// Time between two polls.
    poll: f64,
    /// Part of the time that the readings look at: 0 for instants.
    pub seen: f64,
    /// Standard uncertainty of the shift.
    timing: f64,
}

impl Lag {
    pub fn of(readings: &Readings<'_>) -> Self {
        let channel = readings.channel;
        let seconds = |time: Option<Seconds>| time.map_or(0.0, Seconds::get);
        let profile = channel.profile.as_ref();
        let update = profile.map_or_else(|| seconds(channel.update_period_s), |own| own.update_period_s.get());
        let declared = seconds(channel.averaging_window_s);
        let (look, constant) = match profile.map(|own| own.response) {
            Some(Response::Boxcar { window_s } | Response::PartTime { window_s }) => (window_s.get(), 0.0),
            Some(Response::LowPass { time_constant_s }) => (0.0, time_constant_s.get()),
            Some(Response::Instant | Response::Counter) => (0.0, 0.0),
            None => (declared, 0.0),
        };
        let spacing = update.max(readings.poll_s);
        // An average over an unknown time misses nothing that we know of; so does a low-pass filter.
        let whole = constant > 0.0 || (channel.quantity == Quantity::AveragedPower && look == 0.0);
        let seen = if whole || spacing == 0.0 { 1.0 } else { (look / spacing).min(1.0) };
        let delay = profile.map_or(0.0, |own| own.delay_s.get());
        // How long after its update a value is polled is known to a poll; a delay that nobody measured may be anything up
        // to an update, either way of none.
        let grid = if update > 0.0 { update.min(readings.poll_s) } else { readings.poll_s };
        let unknown = match profile {
            Some(_) => PROFILE_ERROR * (delay + look / 2.0),
            None => spacing,
        };
        let timing = (grid * grid / 12.0 + unknown * unknown / 3.0).sqrt();
        Self { delay, look, constant, update, poll: readings.poll_s, seen, timing }
    }

    /// How much later than the power the readings speak of it, in nanoseconds.
    pub fn shift_ns(&self) -> u64 {
        Seconds::new(self.delay + self.look / 2.0 + self.update / 2.0).to_nanoseconds()
    }

    /// Time after a window's end until readings no longer depend on what came after it.
    pub fn settled_s(&self) -> f64 {
        self.delay + self.look + self.update + 3.0 * self.constant
    }
}

/// What a window's energy may be off by, in joules; standard uncertainties.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WindowError {
    /// Where each edge lies in the load's fine structure: of its own at each edge.
    pub edge_j: f64,
    /// Joules by which the energy would move if all readings came later by one standard uncertainty of the shift: the
    /// same sign of time in every window, so that windows add before they are squared.
    pub shift_j: f64,
    /// What happened between looks, in holes, and noise of the readings.
    pub sampling_j: f64,
    /// Updates that the window holds.
    pub updates: f64,
}

/// Energy of a window by a power channel, in the channel's own raw watts; `None` if nothing is covered.
pub(super) fn power_part(readings: &Readings<'_>, from: u64, until: u64) -> Option<(Part, WindowError)> {
    let lag = Lag::of(readings);
    let shift = lag.shift_ns();
    let (from, until) = (from.saturating_add(shift), until.saturating_add(shift));
    let mut part = integrate(readings, from, until)?;
    let (start, end) = (Edge::at(readings, &lag, from), Edge::at(readings, &lag, until));
    part.energy += lag.constant * (end.value - start.value);
    let width = lag.width();
    if lag.seen >= 1.0 && lag.constant == 0.0 {
        part.energy -= width / 24.0 * (end.change - start.change);
    }
    // The value of a low-pass reading at an edge is known to its change over half an update, at random.
    let rest = if lag.constant > 0.0 { lag.constant / 48.0_f64.sqrt() } else { EDGE_REST * width };
    let error = WindowError {
        edge_j: rest * end.change.hypot(start.change),
        shift_j: lag.timing * (end.value - start.value),
        ..sampling(readings, &lag, from, until, &part)
    };
    Some((part, error))
}

/// The reading at a window's edge, and how much it changes about it.
struct Edge {
    value: f64,
    change: f64,
}

impl Edge {
    fn at(readings: &Readings<'_>, lag: &Lag, at: u64) -> Self {
        let half = Seconds::new(lag.width() / 2.0).to_nanoseconds();
        let hold = Seconds::new(lag.update / 2.0).to_nanoseconds();
        // A held value is a staircase; its mean over one update is the line between updates.
        let value = integrate(readings, at.saturating_sub(hold), at + hold)
            .map(|part| part.energy / ((at + hold - at.saturating_sub(hold)) as f64 / NANOSECONDS_PER_SECOND))
            .or_else(|| readings.value_at(at));
        let (before, after) = (readings.value_at(at.saturating_sub(half)), readings.value_at(at + half));
        let change = before.zip(after).map_or(0.0, |(before, after)| after - before);
        Self { value: value.unwrap_or(0.0), change }
    }
}

impl Lag {
    /// Length of the average that looking and holding amount to.
    fn width(&self) -> f64 {
        if self.constant > 0.0 { self.update } else { self.look.hypot(self.update) }
    }
}

/// The random error of a sum of looks: successive differences D of the readings tell fast structure (variance −⟨D·D′⟩, for
/// it turns back at once) from steps (the rest of ⟨D²⟩). A look that sees the part c of its time leaves 1 − c of the
/// former and, of each step, a place that is uniform over the unseen time.
fn sampling(readings: &Readings<'_>, lag: &Lag, from: u64, until: u64, part: &Part) -> WindowError {
    let length = (until - from) as f64 / NANOSECONDS_PER_SECOND;
    let spacing = lag.update.max(lag.poll);
    let updates = if spacing > 0.0 { length / spacing } else { 0.0 };
    let overlapping = lag.constant > 0.0 || lag.look >= 2.0 * spacing;
    let ratio = if lag.poll > 0.0 { lag.update / lag.poll } else { 0.0 };
    let drifting = ratio > 1.0 && (ratio - ratio.round()).abs() > IN_STEP;
    let mut variance = 0.0;
    if spacing > 0.0 && (lag.seen < 1.0 || overlapping || drifting) {
        let (square, product) = successive(readings, spacing, from, until);
        let fast = (-product).max(0.0);
        let steps = (square - 2.0 * fast).max(0.0);
        let missed = 1.0 - lag.seen;
        let of_a_look = if overlapping { fast } else { missed * fast + missed * missed * steps / 12.0 };
        let late = if drifting { square / (12.0 * ratio * ratio) } else { 0.0 };
        variance = updates * spacing * spacing * (of_a_look + late);
    }
    let hole = (1.0 - part.coverage) * length;
    if hole > 1e-6 * length {
        variance += (hole * spread(readings, from, until)).powi(2);
    }
    WindowError { sampling_j: variance.sqrt(), updates, ..WindowError::default() }
}

/// Mean of D² and of D·D′ over the differences of readings about `spacing` seconds apart.
fn successive(readings: &Readings<'_>, spacing: f64, from: u64, until: u64) -> (f64, f64) {
    // A value that was polled a little early still is the next one.
    let step = (spacing * NANOSECONDS_PER_SECOND * 0.99) as u64;
    let (mut square, mut product, mut n) = (0.0, 0.0, 0.0);
    let (mut due, mut last, mut before) = (from, None, None);
    for (t, value) in readings.starting_at(readings.polls_until(from)).take_while(|(t, _)| *t <= until) {
        if t < due {
            continue;
        }
        due = t + step;
        if let Some(earlier) = last.replace(value) {
            let d: f64 = value - earlier;
            if let Some(previous) = before.replace(d) {
                product += d * previous;
            }
            square += d * d;
            n += 1.0;
        }
    }
    if n < 2.0 { (0.0, 0.0) } else { (square / n, product / (n - 1.0)) }
}

/// Standard deviation of the readings in a stretch.
fn spread(readings: &Readings<'_>, from: u64, until: u64) -> f64 {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (_, value) in readings.starting_at(readings.polls_until(from)).take_while(|(t, _)| *t <= until) {
        (n, sum, squares) = (n + 1.0, sum + value, squares + value * value);
    }
    if n < 2.0 { 0.0 } else { ((squares - sum * sum / n) / (n - 1.0)).max(0.0).sqrt() }
}
