//! Checks of the host from its file trees: GPUs that no adapter reaches, containers, the CPU frequency governor.
//!
//! What surprises people: display chips of server management controllers are PCI display devices too; only the vendors of
//! GPUs count.

use std::path::Path;

use super::Check;
use crate::model::{Device, PciAddress};

/// PCI vendors of GPUs that can compute.
const GPU_VENDORS: [(&str, &str); 3] = [("0x10de", "NVIDIA"), ("0x1002", "AMD"), ("0x8086", "Intel")];
/// PCI class prefixes (base class and subclass) of GPUs: VGA, 3D, other display, processing accelerator.
const GPU_CLASSES: [&str; 4] = ["0x0300", "0x0302", "0x0380", "0x1200"];
/// Where NVIDIA's Vulkan driver is described in containers, outside of the folders that the Vulkan loader searches.
const STRAY_NVIDIA_ICDS: [&str; 2] =
    ["usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json", "usr/local/nvidia/vulkan/icd.d/nvidia_icd.json"];

/// GPUs on the PCI bus: address and vendor.
fn gpus(root: &Path) -> Vec<(PciAddress, &'static str)> {
    let Ok(entries) = std::fs::read_dir(root.join("sys/bus/pci/devices")) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let class = read(&entry.path().join("class"))?;
            let vendor = read(&entry.path().join("vendor"))?;
            let (_, name) = GPU_VENDORS.into_iter().find(|(id, _)| *id == vendor)?;
            let address = entry.file_name().to_str()?.parse().ok()?;
            GPU_CLASSES.iter().any(|prefix| class.starts_with(prefix)).then_some((address, name))
        })
        .collect();
    found.sort();
    found
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// What to do so that the driver of a GPU of this machine is found.
pub(super) fn driver_remedy(root: &Path) -> String {
    if let Some(icd) = STRAY_NVIDIA_ICDS.iter().find(|path| root.join(path).exists()) {
        return format!("set VK_DRIVER_FILES=/{icd} in the environment");
    }
    let nvidia = root.join("dev/nvidiactl").exists() || root.join("proc/driver/nvidia/version").exists();
    let nvidia = nvidia || gpus(root).iter().any(|(_, vendor)| *vendor == "NVIDIA");
    match (nvidia, container(root).is_some()) {
        (true, true) => "run the container with --gpus all and NVIDIA_DRIVER_CAPABILITIES=all, with libvulkan1 in it",
        (true, false) => "install NVIDIA's driver with its Vulkan part (libnvidia-gl) and libvulkan1",
        (false, _) => "install the GPU's Vulkan driver, or mesa-vulkan-drivers to compute on the CPU",
    }
    .to_owned()
}

/// What to do about a machine on which only software adapters were found.
pub(super) fn hardware_remedy(root: &Path) -> String {
    if gpus(root).is_empty() {
        "good for trying things out; for a GPU's figures, run on a machine where its Vulkan driver is installed"
            .to_owned()
    } else {
        driver_remedy(root)
    }
}

/// Whether every GPU on the PCI bus is reached by an adapter.
pub(super) fn unreached(root: &Path, devices: &[Device]) -> Check {
    let name = "GPUs on the PCI bus";
    let gpus = gpus(root);
    // An adapter that tells no address may be any of them.
    let nameless = devices.iter().filter(|device| !device.is_software() && device.pci.is_none()).count();
    let missing: Vec<String> = gpus
        .iter()
        .filter(|(address, _)| devices.iter().all(|device| device.pci.as_ref() != Some(address)))
        .skip(nameless)
        .map(|(address, vendor)| format!("{vendor} {address}"))
        .collect();
    match (gpus.len(), missing.is_empty()) {
        (0, _) => Check::skip(name, "none seen"),
        (count, true) => Check::pass(name, format!("{count}, each with an adapter")),
        (_, false) => {
            let finding = format!("no adapter reaches {}", missing.join(", "));
            Check::warn(name, finding, driver_remedy(root))
        }
    }
}

/// Whether this process runs in a container, whose sensors and drivers may be hidden.
pub(super) fn containers(root: &Path) -> Check {
    let name = "container";
    match container(root) {
        None => Check::pass(name, "not in a container, as far as can be told"),
        Some(sign) => Check::warn(
            name,
            format!("in a container ({sign}): sensors of the host may be hidden"),
            "if a sensor is missing above, mount /sys read-only and pass the GPU's devices through",
        ),
    }
}

/// The sign by which a container is recognised.
fn container(root: &Path) -> Option<String> {
    if root.join(".dockerenv").exists() {
        return Some("/.dockerenv exists".to_owned());
    }
    if root.join("run/.containerenv").exists() {
        return Some("/run/.containerenv exists".to_owned());
    }
    if let Some(kind) = std::env::var("container").ok().filter(|kind| !kind.is_empty()) {
        return Some(format!("the environment says container={kind}"));
    }
    let cgroup = read(&root.join("proc/1/cgroup"))?;
    let sign = ["docker", "kubepods", "containerd", "libpod", "lxc"].into_iter().find(|word| cgroup.contains(word))?;
    Some(format!("the cgroup of process 1 names {sign}"))
}

/// Whether the CPU's clock follows the load.
pub(super) fn governor(root: &Path) -> Check {
    let name = "CPU governor";
    match read(&root.join("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")).as_deref() {
        None => Check::skip(name, "no frequency scaling seen"),
        Some("performance") => Check::pass(name, "performance"),
        Some(other) => Check::warn(
            name,
            format!("{other}: the CPU's power and its share of short runs vary"),
            "sudo cpupower frequency-set -g performance",
        ),
    }
}
