//! What `calibrate` found of sensors, kept for later runs: one JSON file, replaced as a whole, trusted in nothing.
//!
//! A profile (how a sensor answers in time) holds for every board of a kind under one driver; a correction (gain and
//! offset) for one board in one host alone, because two cards of a kind differ by several percent. What surprises people:
//! the PCI address in a source's id is no part of a profile's key, so a profile found in one slot serves the others.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::replace_file;
use crate::model::{Channel, Correction, Device, Response, Scope, SensorProfile, SourceInfo};

/// Name of the file in its folder; the number is that of its format.
pub const SENSORS_FILE: &str = "sensors-v1.json";
/// Value of the file's `schema` field.
const SCHEMA: &str = "wattmark/sensors";
/// Version of the format.
const VERSION: u32 = 1;
/// Largest file that is read: thousands of entries; anything larger is none of ours.
const MOST_BYTES: u64 = 16 << 20;
/// Longest update period, window or delay that is believed, in seconds.
const LONGEST_S: f64 = 3600.0;

/// A board by its make, not by its serial number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoardKey {
    name: String,
    vendor_id: u32,
    device_id: u32,
    /// Name and version of the driver.
    driver: String,
}

/// What a profile holds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorKey {
    /// The board; `None` for a sensor of a whole host.
    board: Option<BoardKey>,
    /// Hash of the host's name, for a sensor of a whole host.
    host: Option<String>,
    kind: String,
    /// The source's id with `*` in place of the board's PCI address.
    source: String,
    channel: String,
    scope: Scope,
}

/// What a correction holds for: one sensor of one board in one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitKey {
    sensor: SensorKey,
    /// Hash of the host's name.
    host: String,
    /// PCI address of the board.
    pci: Option<String>,
}

impl SensorKey {
    /// The key of a channel; `device` is the one that its source belongs to.
    pub fn of(device: Option<&Device>, host: &str, source: &SourceInfo, channel: &Channel) -> Self {
        let pci = device.and_then(|device| device.pci.as_ref());
        Self {
            board: device.map(|device| BoardKey {
                name: device.name.clone(),
                vendor_id: device.vendor_id,
                device_id: device.device_id,
                driver: format!("{} {}", device.driver, device.driver_info).trim().to_owned(),
            }),
            host: device.is_none().then(|| hash(host)),
            kind: source.kind.clone(),
            source: pci.map_or_else(|| source.id.clone(), |pci| source.id.replace(pci.as_str(), "*")),
            channel: channel.id.clone(),
            scope: channel.scope,
        }
    }
}

impl UnitKey {
    /// The key of a channel of one board in one host.
    pub fn of(device: Option<&Device>, host: &str, source: &SourceInfo, channel: &Channel) -> Self {
        Self {
            sensor: SensorKey::of(device, host, source, channel),
            host: hash(host),
            pci: device.and_then(|device| device.pci.as_ref()).map(ToString::to_string),
        }
    }
}

/// Sixteen hex digits that stand for a host, so that the file names none.
fn hash(host: &str) -> String {
    Sha256::digest(host.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A profile with what it holds for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptProfile {
    /// What it holds for.
    pub key: SensorKey,
    /// The profile.
    pub profile: SensorProfile,
}

/// A correction with what it holds for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptCorrection {
    /// What it holds for.
    pub key: UnitKey,
    /// The correction.
    pub correction: Correction,
}

/// The file as a whole.
#[derive(Debug, Serialize)]
struct File<'a> {
    schema: &'static str,
    version: u32,
    profiles: &'a [KeptProfile],
    corrections: &'a [KeptCorrection],
}

/// The file as it is read: entries one by one, so that one bad entry spoils no other.
#[derive(Debug, Deserialize)]
struct RawFile {
    schema: String,
    version: u32,
    #[serde(default)]
    profiles: Vec<serde_json::Value>,
    #[serde(default)]
    corrections: Vec<serde_json::Value>,
}

/// The known sensors of a process.
#[derive(Debug)]
pub struct KnownSensors {
    path: PathBuf,
    profiles: Vec<KeptProfile>,
    corrections: Vec<KeptCorrection>,
}

impl KnownSensors {
    /// Reads the file in `folder`, with what there is to say about it. A file that does not exist knows nothing.
    pub fn open(folder: &Path) -> (Self, Option<String>) {
        let path = folder.join(SENSORS_FILE);
        let (profiles, corrections, note) = read(&path);
        (Self { path, profiles, corrections }, note)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The profile of a channel.
    pub fn profile(&self, key: &SensorKey) -> Option<&SensorProfile> {
        self.profiles.iter().rev().find(|kept| kept.key == *key).map(|kept| &kept.profile)
    }

    /// The correction of a channel of one board.
    pub fn correction(&self, key: &UnitKey) -> Option<&Correction> {
        self.corrections.iter().rev().find(|kept| kept.key == *key).map(|kept| &kept.correction)
    }

    /// Keeps profiles and corrections in place of those with the same keys, and saves the file. The error says why it
    /// could not be saved.
    pub fn keep(&mut self, profiles: Vec<KeptProfile>, corrections: Vec<KeptCorrection>) -> Result<(), String> {
        // Another process may have saved since; its entries stay, but for these keys.
        let (latest_profiles, latest_corrections, _) = read(&self.path);
        if !latest_profiles.is_empty() || !latest_corrections.is_empty() {
            (self.profiles, self.corrections) = (latest_profiles, latest_corrections);
        }
        self.profiles.retain(|kept| profiles.iter().all(|new| new.key != kept.key));
        self.corrections.retain(|kept| corrections.iter().all(|new| new.key != kept.key));
        self.profiles.extend(profiles);
        self.corrections.extend(corrections);
        self.save().map_err(|error| format!("the sensor profiles {} could not be saved: {error}", self.path.display()))
    }

    fn save(&self) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File { schema: SCHEMA, version: VERSION, profiles: &self.profiles, corrections: &self.corrections };
        replace_file(&self.path, |out| {
            serde_json::to_writer_pretty(&mut *out, &file)?;
            out.write_all(b"\n")
        })
    }
}

/// Profiles and corrections of a file, and what is to be said of it.
fn read(path: &Path) -> (Vec<KeptProfile>, Vec<KeptCorrection>, Option<String>) {
    let note = |why: String| {
        let path = path.display();
        let text = format!("the sensor profiles {path} are ignored: {why}; the next calibration replaces them");
        (Vec::new(), Vec::new(), Some(text))
    };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Vec::new(), Vec::new(), None),
        Ok(file) if file.len() > MOST_BYTES => return note(format!("the file is larger than {MOST_BYTES} bytes")),
        _ => {}
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => return note("the file is empty".to_owned()),
        Ok(text) => text,
        Err(error) => return note(error.to_string()),
    };
    let raw: RawFile = match serde_json::from_str(&text) {
        Ok(raw) => raw,
        Err(error) => return note(format!("the file is cut off or holds something else ({error})")),
    };
    if raw.schema != SCHEMA || raw.version != VERSION {
        return note(format!("the file is {} version {}, not {SCHEMA} version {VERSION}", raw.schema, raw.version));
    }
    let all = raw.profiles.len() + raw.corrections.len();
    let profiles: Vec<KeptProfile> = raw.profiles.into_iter().filter_map(entry).filter(sound_profile).collect();
    let corrections: Vec<KeptCorrection> =
        raw.corrections.into_iter().filter_map(entry).filter(sound_correction).collect();
    let bad = all - profiles.len() - corrections.len();
    let note = (bad > 0).then(|| {
        let path = path.display();
        format!(
            "{bad} of {all} entries of the sensor profiles {path} are ignored: they cannot be read or cannot be true"
        )
    });
    (profiles, corrections, note)
}

fn entry<T: for<'de> Deserialize<'de>>(value: serde_json::Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

/// False for a profile that no sensor can have.
fn sound_profile(kept: &KeptProfile) -> bool {
    let SensorProfile { response, update_period_s, delay_s, coverage, residual, .. } = &kept.profile;
    let time = |seconds: f64| seconds > 0.0 && seconds <= LONGEST_S;
    let shape = match response {
        Response::Instant | Response::Counter => true,
        Response::Boxcar { window_s } | Response::PartTime { window_s } => time(window_s.get()),
        Response::LowPass { time_constant_s } => time(time_constant_s.get()),
    };
    let covered = coverage.get() > 0.0 && coverage.get() <= 1.0;
    shape && time(update_period_s.get()) && delay_s.get().abs() <= LONGEST_S && covered && residual.get() >= 0.0
}

/// False for a correction that would turn readings into nonsense.
fn sound_correction(kept: &KeptCorrection) -> bool {
    let Correction { gain, offset_w, error, .. } = &kept.correction;
    (0.01..=100.0).contains(gain) && offset_w.get().is_finite() && error.get().is_finite() && error.get() >= 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Evidence, Quantity};
    use crate::units::{Ratio, Seconds, Watts};

    fn key(source: &str, channel: &str) -> SensorKey {
        let source = SourceInfo {
            id: source.to_owned(),
            kind: "meter".to_owned(),
            device: None,
            evidence: Evidence::Measured,
            note: String::new(),
            channels: Vec::new(),
        };
        SensorKey::of(None, "node07", &source, &Channel::new(channel, Quantity::InstantPower, Scope::WallAc))
    }

    fn profile(update: f64) -> SensorProfile {
        SensorProfile {
            response: Response::PartTime { window_s: Seconds::new(update / 4.0) },
            update_period_s: Seconds::new(update),
            delay_s: Seconds::new(0.0),
            coverage: Ratio::new(0.25),
            residual: Ratio::new(0.01),
            measured: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    fn correction(gain: f64) -> Correction {
        Correction {
            gain,
            offset_w: Watts::new(-20.0),
            error: Ratio::new(0.01),
            against: "meter/power".to_owned(),
            scope_note: None,
            measured: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn what_was_kept_is_found_again_by_its_key_and_replaced_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let (mut known, note) = KnownSensors::open(folder.path());
        assert!(note.is_none() && known.profile(&key("a", "power")).is_none());
        for update in [0.1, 0.2] {
            let kept = KeptProfile { key: key("a", "power"), profile: profile(update) };
            let unit = UnitKey { sensor: key("a", "power"), host: hash("node07"), pci: None };
            known.keep(vec![kept], vec![KeptCorrection { key: unit, correction: correction(update * 5.0) }]).unwrap();
        }
        let (known, note) = KnownSensors::open(folder.path());
        assert_eq!((note, known.profiles.len(), known.corrections.len()), (None, 1, 1));
        assert_eq!(known.profile(&key("a", "power")).unwrap().update_period_s.get(), 0.2);
        assert!(known.profile(&key("a", "energy")).is_none() && known.profile(&key("b", "power")).is_none());
        let unit = |host| UnitKey { sensor: key("a", "power"), host: hash(host), pci: None };
        assert_eq!(known.correction(&unit("node07")).unwrap().gain, 1.0);
        assert!(known.correction(&unit("node08")).is_none(), "a gain belongs to one host");
        assert!(!std::fs::read_to_string(known.path()).unwrap().contains("node07"), "no host is named");
    }

    #[test]
    fn a_spoiled_file_is_ignored_with_one_sentence_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SENSORS_FILE);
        for (text, reason) in [
            ("", "is empty"),
            ("{\"schema\": \"wattmark/sens", "cut off"),
            ("{\"schema\": \"wattmark/tune\", \"version\": 1}", "is wattmark/tune version 1"),
            ("{\"schema\": \"wattmark/sensors\", \"version\": 9}", "version 9, not"),
        ] {
            std::fs::write(&path, text).unwrap();
            let (mut known, note) = KnownSensors::open(folder.path());
            assert!(note.as_deref().unwrap().contains(reason), "{text}: {note:?}");
            known.keep(vec![KeptProfile { key: key("a", "power"), profile: profile(0.1) }], Vec::new()).unwrap();
            let (known, note) = KnownSensors::open(folder.path());
            assert!(note.is_none() && known.profile(&key("a", "power")).is_some(), "{note:?}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_true_is_left_out_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (mut known, _) = KnownSensors::open(folder.path());
        let kept = |name: &str, profile| KeptProfile { key: key(name, "power"), profile };
        let covered = SensorProfile { coverage: Ratio::new(1.5), ..profile(0.1) };
        let unit = UnitKey { sensor: key("a", "power"), host: hash("x"), pci: None };
        let reversed = KeptCorrection { key: unit, correction: correction(-1.0) };
        let profiles = vec![kept("a", profile(0.1)), kept("b", profile(-1.0)), kept("c", covered)];
        known.keep(profiles, vec![reversed]).unwrap();
        let (known, note) = KnownSensors::open(folder.path());
        assert!(note.unwrap().starts_with("3 of 4 entries"));
        assert!(known.profile(&key("a", "power")).is_some() && known.profile(&key("b", "power")).is_none());
    }
}
