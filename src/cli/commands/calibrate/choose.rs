//! What a calibration drives and polls: the waves, the cadence of each source, and the sensors that patterns name.
//!
//! What surprises people: a source is polled faster than in a run, because an update that comes between two polls cannot be
//! timed. NVML may answer nothing below 50 ms between polls; such polls are gaps, and the table counts them.

use crate::cli::{Exit, Failure};
use crate::measure::calibrate::Protocol;
use crate::model::{Channel, Device, Evidence, Quantity, SourceInfo};
use crate::names;
use crate::power::characterise::{WaveSet, suggested_waves};
use crate::power::{PowerSource, profiled};
use crate::units::Seconds;

/// Widest line of what the command prints.
pub const WIDTH: usize = 100;
/// Polls a second where nothing else is said: an update every 20 ms, the shortest that is known of boards, is seen four
/// times. No divisor of usual update rates, so that polls do not keep step with updates and their instants can be told finer
/// than the time between two polls.
const DEFAULT_HZ: f64 = 197.0;
/// A source that finds fewer polls a second useful is slow or far away (a service processor, a meter) and keeps its cadence.
const FAST_HZ: f64 = 10.0;
/// How much faster than useful a fast source is polled for the minute that this takes; out of step, as the default.
const HASTE: f64 = 4.85;

/// Longest update period that the usual waves show.
const SLOW: Seconds = Seconds::new(1.0);
/// Slowest sensor for which waves are made longer; a slower one would take hours.
const SLOWEST: Seconds = Seconds::new(30.0);
/// A source calls a cadence useful that polls each of its updates this often.
const POLLS_PER_UPDATE: f64 = 2.0;
/// Update periods without load before the first wave, so that a sensor has forgotten the preheat.
const REST_UPDATES: f64 = 3.0;

/// The sensors that the user wants.
pub struct Wishes {
    /// Globs over sources, kinds, channels and `source/channel`; none for all.
    pub patterns: Vec<String>,
}

/// One channel of one source.
pub struct Reference {
    /// The source's id.
    pub source: String,
    /// The channel's id.
    pub channel: String,
}

fn hits(pattern: &str, source: &SourceInfo, channel: &Channel) -> bool {
    let both = format!("{}/{}", source.id, channel.id);
    [&source.id, &source.kind, &channel.id, &both].into_iter().any(|name| names::matches(pattern, name))
}

/// Channels that can be characterised: measured, and giving power or energy.
fn measured<'a>(sources: &[&'a SourceInfo]) -> Vec<(&'a SourceInfo, &'a Channel)> {
    let own = |source: &&'a SourceInfo| {
        let source: &'a SourceInfo = source;
        source.channels.iter().filter(|channel| channel.quantity.is_energetic()).map(move |channel| (source, channel))
    };
    sources.iter().filter(|source| source.evidence == Evidence::Measured).flat_map(own).collect()
}

impl Wishes {
    /// True if a channel is wanted.
    pub fn want(&self, source: &SourceInfo, channel: &Channel) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| hits(pattern, source, channel))
    }

    /// Finds patterns without a sensor, and machines without one.
    pub fn check(&self, sources: &[&SourceInfo]) -> anyhow::Result<()> {
        let all = measured(sources);
        if all.is_empty() {
            return Err(Failure::new(
                Exit::Quality,
                "there is no measured power or energy to characterise: `wattmark doctor` says which sensors this machine \
                 has, and --power KIND:TARGET names a meter",
            )
            .into());
        }
        for pattern in &self.patterns {
            if !all.iter().any(|(source, channel)| hits(pattern, source, channel)) {
                return Err(unknown("--source", pattern, &all).into());
            }
        }
        Ok(())
    }
}

fn unknown(flag: &str, pattern: &str, all: &[(&SourceInfo, &Channel)]) -> Failure {
    let mut words: Vec<&str> =
        all.iter().flat_map(|(source, channel)| [source.id.as_str(), &source.kind, &channel.id]).collect();
    words.sort_unstable();
    words.dedup();
    let known: Vec<String> = all.iter().map(|(source, channel)| format!("{}/{}", source.id, channel.id)).collect();
    let hint = names::hint(pattern, words);
    let end = if hint.is_empty() { "." } else { "" };
    Failure::usage(format!("{flag}: no measured sensor is called `{pattern}`{hint}{end} They are {}", known.join(", ")))
}

/// The one channel that a pattern names as reference: of a source, its power before its energy counter.
pub fn reference(pattern: &str, sources: &[&SourceInfo]) -> anyhow::Result<Reference> {
    let all = measured(sources);
    let mut fitting: Vec<_> = all.iter().filter(|(source, channel)| hits(pattern, source, channel)).collect();
    fitting.sort_by_key(|(_, channel)| channel.quantity == Quantity::EnergyCounter);
    let Some((source, channel)) = fitting.first() else {
        return Err(unknown("--against", pattern, &all).into());
    };
    let others: Vec<&str> =
        fitting.iter().map(|(other, _)| other.id.as_str()).filter(|other| *other != source.id).collect();
    if !others.is_empty() {
        let names = [&[source.id.as_str()], &others[..]].concat().join(", ");
        return Err(Failure::usage(format!("--against `{pattern}` fits several sources: {names}; name one")).into());
    }
    if !all.iter().any(|(other, _)| other.id != source.id) {
        let only = &source.id;
        return Err(
            Failure::usage(format!("--against {only}: there is no other measured source to compare with it")).into()
        );
    }
    Ok(Reference { source: source.id.clone(), channel: channel.id.clone() })
}

/// Cadence of the sampler.
pub fn cadence(wanted: Option<f64>) -> anyhow::Result<f64> {
    match wanted {
        Some(hz) if !(hz > 0.0 && hz <= 1000.0) => {
            Err(Failure::usage(format!("--sampler-hz is {hz}: it must be above 0 and at most 1000")).into())
        }
        wanted => Ok(wanted.unwrap_or(DEFAULT_HZ)),
    }
}

/// Sources at the cadence at which they are calibrated; those without power or energy keep their own.
pub fn at_cadences(sources: Vec<Box<dyn PowerSource>>, wanted: Option<f64>) -> Vec<Box<dyn PowerSource>> {
    let with_cadence = |source: Box<dyn PowerSource>| {
        let energetic = source.info().channels.iter().any(|channel| channel.quantity.is_energetic());
        match (wanted, source.useful_hz()) {
            (Some(hz), _) if energetic => profiled::at_cadence(source, hz),
            (None, Some(useful)) if energetic && useful >= FAST_HZ => {
                profiled::at_cadence(source, (useful * HASTE).min(DEFAULT_HZ))
            }
            _ => source,
        }
    };
    sources.into_iter().map(with_cadence).collect()
}

/// The waves and what stands around them: long ones too where a sensor that is wanted is slow.
pub fn protocol(quick: bool, slowest: Option<Seconds>, seed: u64) -> Protocol {
    let s = Seconds::new;
    let set = if quick { WaveSet::Quick } else { WaveSet::Standard };
    let mut waves = Vec::new();
    if let Some(period) = slowest.filter(|period| !quick && period.get() > SLOW.get()) {
        waves = suggested_waves(WaveSet::Slow { period });
    }
    waves.extend(suggested_waves(set));
    let rest = slowest.map_or(0.0, |period| REST_UPDATES * period.get());
    let (preheat, rest) = if quick { (s(1.0), s(2.0)) } else { (s(5.0), s(rest.clamp(3.0, 60.0))) };
    Protocol { preheat, rest, waves, seed }
}

/// Longest update period of the sensors that are wanted, as they or their cadence tell.
pub fn slowest(sources: &[Box<dyn PowerSource>], wishes: &Wishes, reference: Option<&Reference>) -> Option<Seconds> {
    let mut longest: Option<f64> = None;
    for source in sources {
        let info = source.info();
        let by_cadence = source.useful_hz().map(|hz| POLLS_PER_UPDATE / hz);
        for channel in info.channels.iter().filter(|channel| channel.quantity.is_energetic()) {
            let is_reference = reference.is_some_and(|r| r.source == info.id && r.channel == channel.id);
            if info.evidence == Evidence::Measured && (is_reference || wishes.want(info, channel)) {
                let period = channel.update_period_s.map(Seconds::get).or(by_cadence);
                let period = period.map_or(0.0, |period| period.min(SLOWEST.get()));
                longest = Some(longest.map_or(period, |longest: f64| longest.max(period)));
            }
        }
    }
    longest.map(Seconds::new)
}

/// What `--dry-run` prints.
pub fn plan_text(
    devices: &[Device],
    protocol: &Protocol,
    sources: &[Box<dyn PowerSource>],
    hz: f64,
    wishes: &Wishes,
    reference: Option<&Reference>,
) -> String {
    let devices: Vec<String> = devices.iter().map(|device| format!("{} {}", device.ordinal, device.name)).collect();
    let mut text = format!("devices     {}\n", devices.join(", "));
    text.push_str(&format!(
        "load        a verified product of matrices, submissions of {:.1} ms; {} s before the waves\n",
        protocol.submission().get() * 1e3,
        protocol.preheat.get()
    ));
    for (index, wave) in protocol.waves.iter().enumerate() {
        let label = if index == 0 { "waves" } else { "" };
        let periods = wave.phases_s.len() / 2;
        text.push_str(&format!("{label:<12}{periods} periods of about {} s\n", wave.period_s.get()));
    }
    let mut label = "sensors";
    for source in sources {
        let info = source.info();
        let polled = source.useful_hz().map_or(hz, |useful| useful.min(hz));
        for channel in info.channels.iter().filter(|channel| {
            channel.quantity.is_energetic() && info.evidence == Evidence::Measured && wishes.want(info, channel)
        }) {
            text.push_str(&format!("{label:<12}{}/{}, polled at {polled} Hz\n", info.id, channel.id));
            label = "";
        }
    }
    if let Some(Reference { source, channel }) = reference {
        text.push_str(&format!("against     {source}/{channel}\n"));
    }
    text.push_str(&format!("expected    about {:.0} s a device after the load is built\n", protocol.duration().get()));
    text
}
