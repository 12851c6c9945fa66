//! `wattmark doctor` through the binary, on fake sensor trees.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use assert_cmd::Command;

fn doctor(root: &Path) -> Command {
    let mut command = Command::cargo_bin("wattmark").unwrap();
    command.env_remove("XDG_RUNTIME_DIR").env_remove("container").arg("doctor").arg("--sensor-root").arg(root);
    command
}

fn without_drivers(command: &mut Command) -> &mut Command {
    command.env("VK_DRIVER_FILES", "/nonexistent.json").env("VK_ICD_FILENAMES", "/nonexistent.json")
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A GPU on the PCI bus of a fake machine.
fn plug(root: &Path, address: &str, vendor: &str) {
    write(root, &format!("sys/bus/pci/devices/{address}/class"), "0x030200\n");
    write(root, &format!("sys/bus/pci/devices/{address}/vendor"), &format!("{vendor}\n"));
}

/// Outcome, finding and remedy of a check.
fn check(command: &mut Command, name: &str) -> (String, String, String) {
    let output = command.arg("--json").output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = json["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {json}"));
    let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("finding"), text("remedy"))
}

#[test]
fn with_an_adapter_it_exits_0_and_prints_a_table() {
    let root = tempfile::tempdir().unwrap();
    let output = doctor(root.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "no adapter: install mesa-vulkan-drivers\n{text}");
    assert!(text.contains("device 0 opens") && text.contains(" 0 failed"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn without_a_driver_the_failure_has_a_remedy_and_the_exit_code_is_3() {
    let root = tempfile::tempdir().unwrap();
    let output = without_drivers(&mut doctor(root.path())).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text.contains("FAIL") && text.contains("→ install the GPU's Vulkan driver"), "{text}");
}

#[test]
fn a_gpu_that_no_adapter_reaches_is_named_with_its_address() {
    let root = tempfile::tempdir().unwrap();
    plug(root.path(), "0000:19:00.0", "0x10de");
    plug(root.path(), "0000:1a:00.0", "0x1a03");
    let (outcome, finding, remedy) = check(&mut doctor(root.path()), "GPUs on the PCI bus");
    assert_eq!((outcome.as_str(), finding.as_str()), ("warn", "no adapter reaches NVIDIA 0000:19:00.0"));
    assert!(remedy.contains("NVIDIA"), "{remedy}");
}

#[test]
fn a_vulkan_driver_outside_the_loaders_folders_is_pointed_to() {
    let root = tempfile::tempdir().unwrap();
    plug(root.path(), "0000:19:00.0", "0x10de");
    write(root.path(), "usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json", "{}");
    let (outcome, _, remedy) = check(without_drivers(&mut doctor(root.path())), "adapters");
    assert_eq!(outcome, "fail");
    assert!(remedy.contains("VK_DRIVER_FILES=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json"), "{remedy}");
}

#[test]
fn containers_are_recognised_by_their_marks() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(check(&mut doctor(root.path()), "container").0, "pass");
    write(root.path(), "proc/1/cgroup", "0::/kubepods/pod1\n");
    assert_eq!(check(&mut doctor(root.path()), "container").0, "warn");
    write(root.path(), "proc/1/cgroup", "0::/init.scope\n");
    assert_eq!(check(&mut doctor(root.path()), "container").0, "pass");
    write(root.path(), ".dockerenv", "");
    assert_eq!(check(&mut doctor(root.path()), "container").0, "warn");
    let unmarked = tempfile::tempdir().unwrap();
    assert_eq!(check(doctor(unmarked.path()).env("container", "podman"), "container").0, "warn");
}

#[test]
fn a_governor_that_saves_power_is_a_warning() {
    let root = tempfile::tempdir().unwrap();
    let path = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    assert_eq!(check(&mut doctor(root.path()), "CPU governor").0, "skip");
    write(root.path(), path, "powersave\n");
    assert_eq!(check(&mut doctor(root.path()), "CPU governor").0, "warn");
    write(root.path(), path, "performance\n");
    assert_eq!(check(&mut doctor(root.path()), "CPU governor").0, "pass");
}

#[test]
fn meters_that_must_be_named_are_listed_and_left_in_peace() {
    let root = tempfile::tempdir().unwrap();
    let input = "meter 1 2\n".repeat(3);
    let (outcome, finding, _) = check(doctor(root.path()).write_stdin(input), "meters by name");
    assert_eq!(outcome, "skip");
    for kind in ["csv", "ipmi", "redfish", "prometheus", "ptdaemon", "stdin"] {
        assert!(finding.contains(kind), "{kind} in {finding}");
    }
    let output = doctor(root.path()).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("\"power: stdin\"") && !text.contains("\"power: ipmi\""), "{text}");
}
