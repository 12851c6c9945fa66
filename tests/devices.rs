//! `wattmark devices` through the binary.

#![allow(clippy::unwrap_used)]

use assert_cmd::Command;

fn devices() -> Command {
    let mut command = Command::cargo_bin("wattmark").unwrap();
    // The loader's and the layers' usual complaints appear only without a desktop session.
    command.env_remove("XDG_RUNTIME_DIR").env_remove("NODEVICE_SELECT").arg("devices");
    command
}

fn without_drivers(command: &mut Command) -> &mut Command {
    command.env("VK_DRIVER_FILES", "/nonexistent.json").env("VK_ICD_FILENAMES", "/nonexistent.json")
}

#[test]
fn every_adapter_is_a_block_and_nothing_else_is_printed() {
    let empty = tempfile::tempdir().unwrap();
    let output = devices().arg("--sensor-root").arg(empty.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "no adapter: install mesa-vulkan-drivers\n{text}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "drivers keep quiet");
    assert!(text.starts_with("Device 0: "), "{text}");
    for word in ["driver", "subgroup", "features", "limits", "GiB", "power"] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest} columns:\n{text}");
}

#[test]
fn the_json_holds_the_devices_of_a_record_and_their_power() {
    let empty = tempfile::tempdir().unwrap();
    let output = devices().arg("--json").arg("--sensor-root").arg(empty.path()).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &json["devices"][0];
    assert_eq!(first["ordinal"], 0, "no adapter: install mesa-vulkan-drivers");
    assert!(first["power"].is_array() && json["host_power"].is_array() && json["obstacles"].is_array());
    let device: wattmark::model::Device = serde_json::from_value(first.clone()).unwrap();
    assert!(device.limits.max_buffer_bytes > 0 && device.subgroup.min > 0);
}

#[test]
fn without_a_driver_it_says_what_to_install_and_exits_3() {
    let output = without_drivers(&mut devices()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("mesa-vulkan-drivers") && message.contains("wattmark doctor"), "{message}");
}

#[test]
fn without_a_driver_the_json_is_still_whole() {
    let output = without_drivers(devices().arg("--json")).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["devices"].as_array().unwrap().len(), 0);
}
