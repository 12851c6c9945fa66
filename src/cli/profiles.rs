//! What `calibrate` found of the sensors, applied when they are opened: profiles always, corrections where the user asks.
//!
//! What surprises people: a simulation neither reads nor writes the user's own file, so that every run of a script stays
//! the same; naming a folder with WATTMARK_CACHE makes it behave like a machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::model::{Channel, Correction, Device, SourceInfo};
use crate::power::PowerSource;
use crate::power::profiled::{self, Known};
use crate::provenance;
use crate::store::{KnownSensors, SensorKey, UnitKey};
use crate::tune;

/// Flags about what is known of sensors.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ProfileArgs {
    /// Correct watts and joules by the gain and offset that `calibrate --against` found.
    #[arg(long, conflicts_with = "no_profiles")]
    pub correct: bool,
    /// Take sensors as they describe themselves, without what `calibrate` found of them.
    #[arg(long)]
    pub no_profiles: bool,
}

/// Name of this host, as keys hold it (hashed).
pub fn hostname() -> String {
    provenance::host_below(Path::new("/")).hostname
}

/// The file of known sensors; `None` if there is no place for it. What is wrong with it is said, once.
pub fn known_sensors(simulated: bool) -> Option<KnownSensors> {
    if simulated && std::env::var_os("WATTMARK_CACHE").is_none() {
        return None;
    }
    let folder = tune::folder(|name| std::env::var_os(name))?;
    let (known, note) = KnownSensors::open(&folder);
    if let Some(note) = note {
        say_once(note);
    }
    Some(known)
}

/// The device that a source belongs to.
pub fn device_of<'a>(source: &SourceInfo, devices: &'a [Device]) -> Option<&'a Device> {
    devices.iter().find(|device| Some(device.ordinal) == source.device)
}

/// Tells sources what is known of them, as the flags say.
pub fn apply(
    sources: Vec<Box<dyn PowerSource>>,
    devices: &[Device],
    simulated: bool,
    args: &ProfileArgs,
) -> Vec<Box<dyn PowerSource>> {
    if args.no_profiles {
        return sources;
    }
    let Some(sensors) = known_sensors(simulated) else { return sources };
    let host = hostname();
    let (mut applied, mut waiting) = (0, Vec::new());
    let mut corrected = |source: &SourceInfo, channel: &Channel| -> Option<Correction> {
        let device = device_of(source, devices);
        let found = sensors.correction(&UnitKey::of(device, &host, source, channel))?;
        if args.correct {
            applied += 1;
            return Some(found.clone());
        }
        waiting.push(format!("{}/{} (against {})", source.id, channel.id, found.against));
        None
    };
    let known = Mutex::new(&mut corrected);
    let of = |source: &SourceInfo, channel: &Channel| Known {
        profile: sensors.profile(&SensorKey::of(device_of(source, devices), &host, source, channel)).cloned(),
        correction: (known.lock().unwrap_or_else(PoisonError::into_inner))(source, channel),
    };
    let sources = sources.into_iter().map(|source| profiled::with_known(source, &of)).collect();
    if !waiting.is_empty() {
        let (count, them) = if waiting.len() == 1 { ("a correction", "it") } else { ("corrections", "them") };
        say_once(format!(
            "power: `calibrate --against` found {count} of {}; --correct applies {them}",
            waiting.join(", ")
        ));
    }
    if args.correct && applied == 0 {
        say_once(
            "power: --correct changes nothing: no correction of these sensors is known on this machine; `wattmark calibrate \
             --against SOURCE` finds one"
                .to_owned(),
        );
    }
    sources
}

/// Tells sources their profiles, for a listing: no corrections, and nothing is said but of a spoiled file.
pub fn apply_quietly(sources: Vec<Box<dyn PowerSource>>, devices: &[Device]) -> Vec<Box<dyn PowerSource>> {
    let Some(sensors) = known_sensors(false) else { return sources };
    let host = hostname();
    let of = |source: &SourceInfo, channel: &Channel| Known {
        profile: sensors.profile(&SensorKey::of(device_of(source, devices), &host, source, channel)).cloned(),
        correction: None,
    };
    sources.into_iter().map(|source| profiled::with_known(source, &of)).collect()
}

/// Says a line once in the life of the process, however often sensors are opened.
fn say_once(line: String) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&line) {
        crate::cli::note(&line);
        said.insert(line);
    }
}
