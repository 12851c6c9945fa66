//! Sensors that stand still while something else says that they should not.
//!
//! What surprises people: a value that does not move is no proof; it takes a witness, except for a counter, since nothing
//! that is switched on draws 0 W.

use super::counter::count;
use super::readings::{BRIDGED_PERIODS, Readings, integrate};
use crate::clock::Nanoseconds;
use crate::model::{Quantity, SourceTrace};
use crate::units::Seconds;

/// Update periods (or polls, if those are slower) for which a value must stand still before it counts as frozen.
const FROZEN_PERIODS: f64 = 20.0;
/// Least relative change of another channel that a frozen one should have followed.
const UNFOLLOWED_CHANGE: f64 = 0.10;
/// Standstill after which a counter that is its source's only energetic channel is frozen; the slowest known counter
/// ticks every 100 ms.
const LONE_COUNTER_STANDSTILL: Seconds = Seconds::new(2.0);
/// Parts into which a standstill is cut to see whether another channel moved meanwhile.
const STANDSTILL_PARTS: u64 = 4;

/// Energetic channels that stood still for 20 update periods or longer while another channel of the same source says
/// that they should not have: a counter while power flowed, or a power while another power, or the rate of a counter,
/// moved by more than a tenth. A counter without a witness is frozen after two seconds, since nothing that is switched
/// on draws 0 W; power without a witness cannot be judged.
pub fn frozen_channels(trace: &SourceTrace) -> Vec<String> {
    let energetic: Vec<Readings<'_>> = trace
        .source
        .channels
        .iter()
        .filter(|channel| channel.quantity.is_energetic())
        .filter_map(|channel| Readings::of(trace, channel))
        .collect();
    let frozen = energetic.iter().filter(|suspect| {
        let witnesses = energetic.iter().filter(|other| other.channel.id != suspect.channel.id);
        longest_standstill(suspect).is_some_and(|(from, until)| {
            let is_lone_counter = energetic.len() == 1 && suspect.channel.quantity == Quantity::EnergyCounter;
            if is_lone_counter {
                return until - from >= LONE_COUNTER_STANDSTILL.to_nanoseconds();
            }
            witnesses.clone().any(|witness| contradicts(suspect, witness, Nanoseconds(from), Nanoseconds(until)))
        })
    });
    frozen.map(|suspect| suspect.channel.id.clone()).collect()
}

/// The longest stretch of one and the same value, if it is long enough to look frozen.
fn longest_standstill(readings: &Readings<'_>) -> Option<(u64, u64)> {
    let mut longest: Option<(u64, u64)> = None;
    let mut current: Option<(u64, u64, f64)> = None;
    for (t, value) in readings.starting_at(0) {
        let since = current.filter(|(_, _, held)| *held == value).map_or(t, |(since, _, _)| since);
        current = Some((since, t, value));
        if longest.is_none_or(|(from, until)| t - since > until - from) {
            longest = Some((since, t));
        }
    }
    let least = readings.reach as f64 / BRIDGED_PERIODS * FROZEN_PERIODS;
    longest.filter(|(from, until)| (until - from) as f64 >= least)
}

fn contradicts(suspect: &Readings<'_>, witness: &Readings<'_>, from: Nanoseconds, until: Nanoseconds) -> bool {
    let energy = |a: Nanoseconds, b: Nanoseconds| match witness.channel.quantity {
        Quantity::EnergyCounter => count(witness, a.0, b.0).map(|(part, _)| part),
        _ => integrate(witness, a.0, b.0),
    };
    if suspect.channel.quantity == Quantity::EnergyCounter {
        return energy(from, until).is_some_and(|part| part.energy > 0.0);
    }
    let length = (until.0 - from.0) / STANDSTILL_PARTS;
    let parts = (0..STANDSTILL_PARTS).filter_map(|part| {
        let start = from.0 + part * length;
        energy(Nanoseconds(start), Nanoseconds(start + length)).map(|part| part.energy)
    });
    let (low, high) = parts.fold((f64::INFINITY, 0.0_f64), |(low, high), energy| (low.min(energy), high.max(energy)));
    high > 0.0 && low.is_finite() && (high - low) / high > UNFOLLOWED_CHANGE
}
