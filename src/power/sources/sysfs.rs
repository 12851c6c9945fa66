//! Small files in which kernels publish sensors: finding them, reading them, and what an error means.
//!
//! No sensor is known here. What surprises people: a file is opened anew at each poll, or at least ten times a second,
//! because a descriptor that is kept open outlives its device; and opening a short path allocates nothing.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::clock::Nanoseconds;
use crate::model::{Device, PciAddress};
use crate::power::PollError;
use crate::units::Seconds;

/// ENXIO and ENODEV: the device behind the file is gone.
const DEVICE_GONE: [i32; 2] = [6, 19];

/// Reads a file that holds one number.
pub(crate) fn read_number(path: &Path) -> Result<f64, PollError> {
    let mut file = File::open(path).map_err(|error| failure(path, &error))?;
    number_in(&mut file, path)
}

/// The number at the front of an open file.
fn number_in(file: &mut File, path: &Path) -> Result<f64, PollError> {
    let mut bytes = [0u8; 64];
    // One read gives a file of a few bytes whole; a second one, only to see its end, would cost as much again.
    let length = loop {
        match read_front(file, &mut bytes) {
            Ok(length) => break length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failure(path, &error)),
        }
    };
    let text = std::str::from_utf8(&bytes[..length]).unwrap_or_default().trim();
    text.parse().map_err(|_| PollError::Transient(format!("{} holds no number but `{text}`", path.display())))
}

/// Reads from the front of a file, wherever it was read before.
fn read_front(file: &mut File, bytes: &mut [u8]) -> std::io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, bytes, 0);
    #[cfg(not(unix))]
    {
        std::io::Seek::rewind(file)?;
        file.read(bytes)
    }
}

/// A file that holds one number and is read up to a thousand times a second: opening it each time would cost more than
/// reading it. It is opened anew every [`REOPENED`], so that a file that vanished or was replaced is noticed.
pub(crate) struct NumberFile {
    path: PathBuf,
    open: Option<(File, Nanoseconds)>,
}

/// Longest time that a number file stays open; at ten polls a second and fewer it is opened for each.
const REOPENED: Seconds = Seconds::new(0.1);

impl NumberFile {
    /// A file that is opened when it is first read.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Reads the number now.
    pub(crate) fn read(&mut self, now: Nanoseconds) -> Result<f64, PollError> {
        let fresh = self.open.take().filter(|(_, opened)| now.since(*opened).get() < REOPENED.get());
        let (mut file, opened) = match fresh {
            Some(open) => open,
            None => (File::open(&self.path).map_err(|error| failure(&self.path, &error))?, now),
        };
        let number = number_in(&mut file, &self.path)?;
        self.open = Some((file, opened));
        Ok(number)
    }
}

/// Fills `bytes` from the start of a file and returns how many there were.
pub(crate) fn read_bytes(path: &Path, bytes: &mut [u8]) -> Result<usize, PollError> {
    let mut file = File::open(path).map_err(|error| failure(path, &error))?;
    let mut length = 0;
    while length < bytes.len() {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failure(path, &error)),
        }
    }
    Ok(length)
}

/// What a failed read means for the polls to come.
pub(crate) fn failure(path: &Path, error: &std::io::Error) -> PollError {
    let text = format!("cannot read {}: {error}", path.display());
    let gone = error.kind() == ErrorKind::NotFound || error.raw_os_error().is_some_and(|e| DEVICE_GONE.contains(&e));
    if gone { PollError::Gone(text) } else { PollError::Transient(text) }
}

/// First line of a file, if it can be read.
pub(crate) fn read_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Entries of a folder whose name begins with `prefix`, in a stable order.
pub(crate) fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = listing
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    paths.sort();
    paths
}

/// A folder below `/sys/class/hwmon` and the PCI device it belongs to.
pub(crate) struct Hwmon {
    /// The folder with the sensor files.
    pub(crate) folder: PathBuf,
    /// The PCI device's own folder.
    pub(crate) device: PathBuf,
    /// Driver name, for example `amdgpu`.
    pub(crate) name: String,
    /// Address of the device.
    pub(crate) pci: PciAddress,
}

/// All hwmon folders of PCI devices below a root.
pub(crate) fn hwmons(root: &Path) -> Vec<Hwmon> {
    let found = entries(&root.join("sys/class/hwmon"), "hwmon").into_iter().filter_map(|folder| {
        let name = read_line(&folder.join("name"))?;
        let device = folder.join("device").canonicalize().ok()?;
        let pci = device.file_name()?.to_string_lossy().parse().ok()?;
        Some(Hwmon { folder, device, name, pci })
    });
    found.collect()
}

/// The device of the run at a PCI address.
pub(crate) fn device_at<'a>(devices: &'a [Device], pci: &PciAddress) -> Option<&'a Device> {
    devices.iter().find(|device| device.pci.as_ref() == Some(pci))
}
