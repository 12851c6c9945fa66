//! From the sensors of a simulated device to the figures that verdicts rest on, through a record on disk.
//!
//! The device draws 50 W idle and 650 W busy, is 35 °C warm at rest and 0.1 K/W above that: 95 °C under load, above the
//! 85 °C at which it throttles.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::Command;

use wattmark::measure::result::metrics::{DeviceFindings, Tally};
use wattmark::model::{Evidence, Scope};
use wattmark::store;

const HOT: &str = r#"
[[device]]
name = "Simulated Accelerator"
[[device.rates]]
variant = "*"
flop_per_s = 1e12

[[power]]
device = 0
idle_w = 50.0
update_period_s = 0.02
counter = true
temperature_c = 35
kelvin_per_watt = 0.1
throttles_above_c = 85
power_limit_w = 700
ecc_corrected_per_s = 0
ecc_uncorrected_at_s = [0.0, 2.0]
pcie_replays_per_s = 1000
[[power.busy]]
variant = "*"
watts = 650.0
"#;

fn wattmark(folder: &Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_wattmark"))
        .current_dir(folder)
        .env("COLUMNS", "120")
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{}{}", text(&out.stdout), text(&out.stderr));
    text(&out.stdout)
}

/// Runs one kernel on the device, and says what its record holds of it.
fn measured(script: &str, folder: &Path) -> DeviceFindings {
    std::fs::write(folder.join("script.toml"), script).unwrap();
    let run =
        ["run", "--no-ceilings", "--simulate", "script.toml", "--kernel", "gemm/tiled-f32", "--shape", "m=n=k=500"];
    wattmark(folder, &run);
    let record = std::fs::read_dir(folder.join("results")).unwrap().next().unwrap().unwrap().path().join("run.json");
    let mut tally = Tally::new();
    tally.add(&store::read(&record).unwrap().record);
    tally.findings().remove(0)
}

fn value(found: &DeviceFindings, id: &str) -> f64 {
    let ids: Vec<&str> = found.metrics.iter().map(|metric| metric.id.as_str()).collect();
    found.metrics.iter().find(|metric| metric.id == id).unwrap_or_else(|| panic!("no {id} among {ids:?}")).value
}

fn near(got: f64, want: f64, part: f64) {
    assert!((got / want - 1.0).abs() < part, "{got} is not {want}");
}

#[test]
fn a_hot_device_with_memory_errors_shows_in_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let found = measured(HOT, folder.path());
    let case = "gemm/tiled-f32 k=500 m=500 n=500";
    near(value(&found, &format!("{case}.rate.mean")), 1e12, 1e-3);
    near(value(&found, &format!("{case}.power.mean")), 650.0, 1e-3);
    // 1e12 FLOP/s over 650 W.
    let efficiency = found.metrics.iter().find(|metric| metric.id == format!("{case}.efficiency.mean")).unwrap();
    near(efficiency.value, 1e12 / 650.0, 2e-3);
    assert_eq!((efficiency.evidence, efficiency.scope), (Some(Evidence::Measured), Some(Scope::Board)));
    near(value(&found, "power.limit.attainment"), 650.0 / 700.0, 1e-3);
    near(value(&found, "temperature.max"), 95.0, 1e-9);
    near(value(&found, "temperature.rise_per_watt"), 0.1, 1e-2);
    near(value(&found, "throttle.thermal"), 1.0, 1e-3);
    assert_eq!(value(&found, "throttle.hardware"), 0.0);
    // One of the two errors was there at the first reading.
    assert_eq!((value(&found, "ecc.uncorrected"), value(&found, "ecc.corrected")), (1.0, 0.0));
    assert!(value(&found, "pcie.replays") > 1000.0);
    assert!(found.metrics.iter().all(|metric| metric.id != "driver.errors"), "the script has no such counter");
    assert!(found.losses.is_empty(), "{:?}", found.losses);
    let said = wattmark(folder.path(), &["show", "latest"]);
    assert!(said.contains("clocks were held down") && said.contains("software thermal"), "{said}");
}

#[test]
fn a_cool_device_throttles_never_and_one_without_sensors_has_no_figure_of_heat() {
    let folder = tempfile::tempdir().unwrap();
    let found = measured(&HOT.replace("kelvin_per_watt = 0.1", "kelvin_per_watt = 0.05"), folder.path());
    near(value(&found, "temperature.max"), 65.0, 1e-9);
    assert_eq!(value(&found, "throttle.thermal"), 0.0);
    let folder = tempfile::tempdir().unwrap();
    let blind = HOT.split("[[power]]").next().unwrap();
    let found = measured(blind, folder.path());
    let ids: Vec<&str> = found.metrics.iter().map(|metric| metric.id.as_str()).collect();
    let of_heat =
        |id: &&&str| ["throttle", "temperature", "power", "ecc", "pcie", "driver"].iter().any(|p| id.starts_with(p));
    assert_eq!(ids.iter().find(of_heat), None);
    assert!(ids.iter().all(|id| !id.contains("efficiency")), "{ids:?}");
}
