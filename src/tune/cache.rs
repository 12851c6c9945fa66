//! What was tuned before: one JSON file, replaced as a whole, trusted in nothing.
//!
//! A file that is empty, cut off, of another version or not ours at all is ignored, said once, and replaced at the next
//! save. An entry is used only if its variant and parameters are ones that today's manifests know, its shader is
//! unchanged and it renders for the case. What surprises people: two processes that save at once do not wait for each
//! other; the later rename wins, and each begins from what the file held just before.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::candidates::Freedom;
use super::key::Key;
use crate::kernel;
use crate::model::{Case, Choice, Device, Finalist, Tuning, TuningOrigin};
use crate::store;

/// Name of the file in its folder; the number is that of its format.
pub const FILE: &str = "tune-v1.json";
/// Value of the file's `schema` field.
const SCHEMA: &str = "wattmark/tune";
/// Version of the format.
const VERSION: u32 = 1;
/// Largest file that is read: thousands of entries; anything larger is none of ours.
const MOST_BYTES: u64 = 64 << 20;

/// A tuning with what it holds for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    key: Key,
    tuning: Tuning,
}

/// The file as a whole.
#[derive(Debug, Serialize)]
struct File<'a> {
    schema: &'static str,
    version: u32,
    entries: &'a [Entry],
}

/// The file as it is read: entries one by one, so that one bad entry spoils no other.
#[derive(Debug, Deserialize)]
struct RawFile {
    schema: String,
    version: u32,
    entries: Vec<serde_json::Value>,
}

/// The cache of a process.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl Cache {
    /// Reads the file in `folder`, with what there is to say about it. A file that does not exist is an empty cache.
    pub fn open(folder: &Path) -> (Self, Option<String>) {
        let path = folder.join(FILE);
        let (entries, note) = read(&path);
        (Self { path, entries }, note)
    }

    /// What was tuned for a key and may be used for this case, or why it may not; `None` if there is nothing.
    pub(super) fn find(
        &self,
        key: &Key,
        case: &Case,
        freedom: Freedom,
        device: &Device,
    ) -> Option<Result<Tuning, String>> {
        let entry = self.entries.iter().rev().find(|entry| entry.key == *key)?;
        Some(usable(&entry.tuning, case, freedom, device).map(|()| Tuning {
            device: case.device,
            origin: TuningOrigin::Cache,
            ..entry.tuning.clone()
        }))
    }

    /// Keeps a tuning and saves the file. The error says why it could not be saved.
    pub(super) fn keep(&mut self, key: Key, tuning: &Tuning) -> Result<(), String> {
        // Another process may have saved since; its entries stay, but for this key.
        let (latest, _) = read(&self.path);
        if !latest.is_empty() {
            self.entries = latest;
        }
        self.entries.retain(|entry| entry.key != key);
        self.entries.push(Entry { key, tuning: tuning.clone() });
        self.save().map_err(|error| format!("the tuning cache {} could not be saved: {error}", self.path.display()))
    }

    fn save(&self) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File { schema: SCHEMA, version: VERSION, entries: &self.entries };
        store::replace_file(&self.path, |out| {
            serde_json::to_writer_pretty(&mut *out, &file)?;
            out.write_all(b"\n")
        })
    }
}

/// Folder of the cache: `$WATTMARK_CACHE`, else `wattmark` in the user's folder for caches. `None` if there is none.
pub fn folder(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let below = |folder: PathBuf| folder.join("wattmark");
    if let Some(own) = path("WATTMARK_CACHE") {
        return Some(own);
    }
    let absolute = |folder: &PathBuf| folder.is_absolute();
    if cfg!(windows) {
        return path("LOCALAPPDATA").map(below);
    }
    let home = path("HOME").filter(absolute);
    let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    // The XDG specification has relative paths ignored.
    path("XDG_CACHE_HOME").filter(absolute).or_else(|| home.map(|home| home.join(usual))).map(below)
}

/// Entries of a file, and what is to be said of it.
fn read(path: &Path) -> (Vec<Entry>, Option<String>) {
    let note = |why: String| {
        (
            Vec::new(),
            Some(format!("the tuning cache {} is ignored: {why}; the next tuning replaces it", path.display())),
        )
    };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Vec::new(), None),
        Ok(file) if file.len() > MOST_BYTES => return note(format!("it is larger than {MOST_BYTES} bytes")),
        _ => {}
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => return note("it is empty".to_owned()),
        Ok(text) => text,
        Err(error) => return note(error.to_string()),
    };
    let raw: RawFile = match serde_json::from_str(&text) {
        Ok(raw) => raw,
        Err(error) => return note(format!("it is cut off or no tuning cache ({error})")),
    };
    if raw.schema != SCHEMA || raw.version != VERSION {
        return note(format!("it is {} version {}, not {SCHEMA} version {VERSION}", raw.schema, raw.version));
    }
    let all = raw.entries.len();
    let entries: Vec<Entry> = raw.entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect();
    let bad = all - entries.len();
    let note = (bad > 0).then(|| {
        format!("{bad} of {all} entries of the tuning cache {} are ignored: they cannot be read", path.display())
    });
    (entries, note)
}

/// Whether a tuning from the file may be used for a case.
fn usable(tuning: &Tuning, case: &Case, freedom: Freedom, device: &Device) -> Result<(), String> {
    check_choice(&tuning.chosen, case, device)?;
    if freedom == Freedom::OwnVariant && tuning.chosen.variant != case.variant {
        return Err(format!("it chose {}, and the case is {}", tuning.chosen.variant, case.variant));
    }
    let default = Choice::of(case);
    if tuning.default != default {
        return Err("what is used where nothing was tuned has changed since".to_owned());
    }
    let sound = |finalist: &Finalist| {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        finalist.times_s.iter().all(|time| positive(time.get()))
            && finalist.energies_j.iter().all(|energy| positive(energy.get()))
    };
    if !tuning.finalists.iter().all(sound) {
        return Err("it holds times or energies that cannot be".to_owned());
    }
    Ok(())
}

/// Whether a choice is one that today's manifests know and that runs the case.
fn check_choice(choice: &Choice, case: &Case, device: &Device) -> Result<(), String> {
    let variant = kernel::find(&choice.variant).map_err(|error| error.to_string())?;
    if (&variant.problem, variant.element) != (&case.problem, case.element) {
        return Err(format!("{} does not compute {} in {}", variant.id, case.problem, case.element));
    }
    if variant.sha256 != choice.shader_sha256 {
        return Err(format!("the shader of {} has changed since", variant.id));
    }
    if !variant.params.keys().eq(choice.params.keys()) {
        return Err(format!("its parameters ({}) are not those of {}", choice.params_text(), variant.id));
    }
    variant.render(&case.shape, &choice.params, device).map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{case, device};
    use super::*;
    use crate::model::{DeviceKind, Objective};
    use std::ffi::OsString;

    fn folder_with(pairs: &[(&str, &str)]) -> Option<PathBuf> {
        folder(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_folder_is_the_users_own_choice_then_that_of_the_system() {
        let home = ("HOME", "/home/x");
        assert_eq!(folder_with(&[("WATTMARK_CACHE", "here"), home]), Some("here".into()));
        assert_eq!(folder_with(&[("XDG_CACHE_HOME", "/c"), home]), Some("/c/wattmark".into()));
        assert_eq!(folder_with(&[("XDG_CACHE_HOME", "c"), home]), Some("/home/x/.cache/wattmark".into()));
        assert_eq!(folder_with(&[("WATTMARK_CACHE", ""), home]), Some("/home/x/.cache/wattmark".into()));
        assert_eq!(folder_with(&[]), None);
    }

    #[test]
    fn what_is_no_cache_is_ignored_with_a_reason_and_what_is_missing_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(read(&path), (Vec::new(), None));
        for (text, reason) in [
            ("", "it is empty"),
            ("  \n", "it is empty"),
            ("{\"schema\": \"wattmark/tune\", \"vers", "cut off"),
            ("[1, 2]", "cut off or no tuning cache"),
            ("{\"schema\": \"wattmark/tune\", \"version\": 2, \"entries\": []}", "version 2, not"),
            ("{\"schema\": \"other\", \"version\": 1, \"entries\": []}", "it is other version 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let (entries, note) = read(&path);
            assert!(entries.is_empty() && note.as_deref().unwrap().contains(reason), "{text}: {note:?}");
        }
        std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
        assert!(read(&path).1.is_some());
        std::fs::write(&path, "{\"schema\": \"wattmark/tune\", \"version\": 1, \"entries\": [{}, 3]}").unwrap();
        assert!(read(&path).1.unwrap().contains("2 of 2 entries"));
    }

    fn tuning(case: &Case) -> Tuning {
        Tuning {
            device: 0,
            problem: case.problem.clone(),
            element: case.element,
            shape: case.shape.clone(),
            pattern: case.pattern,
            objective: Objective::Speed,
            origin: TuningOrigin::Fresh,
            date: String::new(),
            default: Choice::of(case),
            chosen: Choice::of(case),
            trials: Vec::new(),
            finalists: Vec::new(),
            untried: 0,
            notes: Vec::new(),
        }
    }

    #[test]
    fn an_entry_is_found_again_by_its_key_and_by_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let device = device(DeviceKind::Discrete);
        let case = case("gemm/tiled-f32", &[("m", 512), ("n", 512), ("k", 512)]);
        let key = |objective| Key::new(&case, Freedom::OwnVariant, objective, &device);
        let (mut cache, _) = Cache::open(folder.path());
        cache.keep(key(Objective::Speed), &tuning(&case)).unwrap();
        let (cache, note) = Cache::open(folder.path());
        assert_eq!(note, None);
        let find = |objective| cache.find(&key(objective), &case, Freedom::OwnVariant, &device);
        assert_eq!(find(Objective::Speed).unwrap().unwrap().origin, TuningOrigin::Cache);
        assert!(find(Objective::Efficiency).is_none());
    }

    #[test]
    fn writers_at_the_same_time_never_leave_a_torn_file() {
        let folder = tempfile::tempdir().unwrap();
        let device = device(DeviceKind::Discrete);
        std::thread::scope(|scope| {
            for writer in 0..4_u64 {
                let (path, device) = (folder.path(), &device);
                scope.spawn(move || {
                    let (mut cache, _) = Cache::open(path);
                    for power in 4..14 {
                        let case = case("gemm/tiled-f32", &[("m", 1 << power), ("n", 1 << (writer + 4)), ("k", 64)]);
                        let key = Key::new(&case, Freedom::OwnVariant, Objective::Speed, device);
                        cache.keep(key, &tuning(&case)).unwrap();
                        let (entries, note) = read(&path.join(FILE));
                        assert!(note.is_none() && !entries.is_empty(), "{note:?}");
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
