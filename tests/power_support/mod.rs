//! Builds sensor trees from `tests/fixtures/power` and lets the sampler loose on them, through the library's own door.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wattmark::clock::{Nanoseconds, RunClock, SimulatedClock};
use wattmark::model::{Device, DeviceKind, DeviceLimits, SourceTrace, SubgroupRange};
use wattmark::power::{Findings, PROBES, ProbeContext};
use wattmark::units::Seconds;

/// A tree in a temporary folder.
pub struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    /// Builds the tree of a fixture, for example `rapl/two-packages`.
    pub fn build(fixture: &str) -> Self {
        let tree = Self { folder: tempfile::tempdir().unwrap() };
        let text = std::fs::read_to_string(self::fixture(&format!("{fixture}.tree"))).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            if let Some((path, target)) = line.split_once(" -> ") {
                tree.link(path, target);
            } else if let Some((path, bytes)) = line.split_once(" x= ") {
                tree.write_bytes(path, &hex(bytes));
            } else {
                let (path, text) = line.split_once(" = ").unwrap_or_else(|| panic!("{fixture}: {line}"));
                tree.write(path, text);
            }
        }
        tree
    }
    /// An empty tree.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
    pub fn root(&self) -> &Path {
        self.folder.path()
    }
    fn path(&self, path: &str) -> PathBuf {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), format!("{text}\n")).unwrap();
    }
    pub fn write_bytes(&self, path: &str, bytes: &[u8]) {
        std::fs::write(self.path(path), bytes).unwrap();
    }
    pub fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.root().join(path)).unwrap()
    }
    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.root().join(path)).unwrap();
    }
    fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        std::os::unix::fs::symlink(target, path).unwrap();
    }
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |text: &str| u8::from_str_radix(text, 16).unwrap();
    let words = text.split_whitespace().map(|word| word.split_once('*').unwrap_or((word, "1")));
    words.flat_map(|(word, times)| vec![byte(word); times.parse().unwrap()]).collect()
}

/// Path of a file below `tests/fixtures/power`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/power").join(name)
}

/// A device at a PCI address.
pub fn device(ordinal: u32, kind: DeviceKind, pci: Option<&str>) -> Device {
    Device {
        ordinal,
        name: format!("test device {ordinal}"),
        vendor_id: 0x1002,
        device_id: 1,
        kind,
        backend: "vulkan".to_owned(),
        driver: "test".to_owned(),
        driver_info: String::new(),
        pci: pci.map(|pci| pci.parse().unwrap()),
        subgroup: SubgroupRange { min: 32, max: 64 },
        features: BTreeSet::new(),
        limits: DeviceLimits {
            max_buffer_bytes: 1 << 30,
            max_binding_bytes: 1 << 30,
            max_workgroup_memory_bytes: 1 << 15,
            max_invocations_per_workgroup: 256,
            max_workgroup_size: [256, 256, 64],
            max_workgroups_per_dimension: 65_535,
            max_storage_buffers: 8,
        },
        timestamp_period_ns: None,
        cooperative: Vec::new(),
    }
}

/// A context over a tree, with a simulated clock and the card that the fixtures describe.
pub fn context(root: &Path) -> (ProbeContext, SimulatedClock) {
    let clock = SimulatedClock::new();
    let context = ProbeContext {
        root: root.to_owned(),
        devices: vec![device(0, DeviceKind::Discrete, Some("0000:03:00.0"))],
        assume_watts: None,
        argument: None,
        clock: RunClock::Simulated(clock.clone()),
        activity: None,
    };
    (context, clock)
}

/// Opens one kind of source.
pub fn open(kind: &str, context: &ProbeContext) -> Findings {
    let probe = PROBES.iter().find(|probe| probe.kind == kind).unwrap();
    (probe.open)(context)
}

/// An instant of the run.
pub fn at(seconds: f64) -> Nanoseconds {
    Nanoseconds(0).plus(Seconds::new(seconds))
}

/// Values of a channel.
pub fn values(trace: &SourceTrace, channel: &str) -> Vec<Option<f64>> {
    trace.column(channel).unwrap_or_else(|| panic!("no channel {channel} in {:?}", trace.source)).values.clone()
}

/// The last value of a channel.
pub fn last(trace: &SourceTrace, channel: &str) -> f64 {
    values(trace, channel).last().copied().flatten().unwrap()
}
