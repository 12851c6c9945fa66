//! A sensor's readings of a load, computed from the load's own energy: fast enough for thousands of trials.
//!
//! What surprises people: it is a second implementation of the scripted sensor, on purpose; a test holds the two against each
//! other.

use wattmark::model::{ChannelTrace, Response, SourceTrace};
use wattmark::power::sources::scripted::{Polling, PowerScript, trace};

use crate::load::{Load, Random};
use wattmark::clock::Nanoseconds;
use wattmark::units::Seconds;

/// The trace of a script over a load, polled from 0 to `until` seconds, each poll late by up to 0.3 of a period.
pub fn polled(script: &PowerScript, response: Response, load: &Load, hz: f64, until: f64, seed: u64) -> SourceTrace {
    let nothing = Polling::at(hz);
    // One poll gives the source with its channels.
    let mut seen = trace(script, &load.activity(), nothing, Nanoseconds(0), Nanoseconds(0)).unwrap();
    let filtered = load.filtered(match response {
        Response::LowPass { time_constant_s } => time_constant_s.get(),
        _ => 0.0,
    });
    let (update, phase) = (script.update_period_s.map_or(0.0, Seconds::get), script.phase_s.get());
    let (mut polls, mut noise) = (Random::new(seed), Random::new(script.seed));
    let (mut last_tick, mut value) = (f64::NAN, 0.0);
    let (mut t_ns, mut values) = (Vec::new(), Vec::new());
    for poll in 0u64.. {
        let at = (poll as f64 + polls.between(0.0, 0.3)) / hz;
        if at > until {
            break;
        }
        let tick = (((at - phase) / update).floor() * update + phase).max(0.0);
        if tick != last_tick {
            last_tick = tick;
            let end = (tick - script.delay_s.get()).max(0.0);
            value = match response {
                Response::Counter => script.gain * load.energy_until(end) + script.offset_w.get() * end,
                Response::Instant => script.gain * load.watts_at(end) + script.offset_w.get(),
                Response::LowPass { .. } => script.gain * filtered.at(load, end) + script.offset_w.get(),
                Response::Boxcar { window_s } | Response::PartTime { window_s } => {
                    let from = (end - window_s.get()).max(0.0);
                    let mean =
                        if end > from { load.energy_between(from, end) / (end - from) } else { load.watts_at(end) };
                    script.gain * mean + script.offset_w.get()
                }
            };
            if script.power {
                value += script.noise_w.get() * noise.normal();
                value = script.quantum_w.map_or(value, |quantum| (value / quantum.get()).round() * quantum.get());
            } else {
                value = script.quantum_j.map_or(value, |quantum| (value / quantum.get()).floor() * quantum.get());
            }
        }
        t_ns.push(Nanoseconds((at * 1e9).round() as u64));
        values.push(Some(value));
    }
    let channel = seen.source.channels[0].id.clone();
    seen.t_ns = t_ns;
    seen.columns = vec![ChannelTrace { channel, values }];
    seen
}

/// Power behind a low-pass filter at the beginning of each of a load's pieces.
pub struct Filtered {
    pub constant: f64,
    pub starts: Vec<f64>,
}

impl Filtered {
    fn at(&self, load: &Load, at: f64) -> f64 {
        let (index, since) = load.piece_at(at);
        let watts = load.watts_of(index);
        watts + (self.starts[index] - watts) * (-since / self.constant).exp()
    }
}
