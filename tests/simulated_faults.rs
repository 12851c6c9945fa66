//! Devices that fail in the middle of interleaved runs, and probes too small to be a roof, on scripted devices.

#![allow(clippy::unwrap_used, clippy::panic)]

use assert_cmd::Command;
use wattmark::measure::result::evaluate;
use wattmark::model::{RunRecord, RunStatus, SkipReason, StopReason, WarningCode};
use wattmark::store;

/// Naive GEMM at 1 TFLOP/s, everything else at 2 TB/s, on a board of 250 W; `FAULTS` stands for the device's faults.
const SCRIPT: &str = r#"
[[device]]
name = "Simulated Accelerator"
[[device.rates]]
variant = "gemm/*"
flop_per_s = 1e12
[[device.rates]]
variant = "*"
bytes_per_s = 2e12
FAULTS
[[power]]
device = 0
scope = "board"
update_period_s = 0.02
idle_w = 50.0
counter = true
stated_error = 0.0
[[power.busy]]
variant = "*"
watts = 250.0
"#;

const INTERLEAVED: [&str; 9] =
    ["--preset", "publication", "--shape", "m=n=k=500", "--windows", "3", "--window", "10s", "--no-figures"];

fn lost(variant: &str, after: u32, times: u32) -> String {
    format!(
        "[[device.faults]]\nkind = \"lost\"\nvariant = \"{variant}\"\nafter_submissions = {after}\ntimes = {times}\n"
    )
}

fn record_of(faults: &str, args: &[&str]) -> (Option<i32>, RunRecord) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT.replace("FAULTS", faults)).unwrap();
    let mut command = Command::cargo_bin("wattmark").unwrap();
    let output = command
        .current_dir(folder.path())
        .args(["run", "--no-ceilings", "--simulate", "script.toml"])
        .args(args)
        .output()
        .unwrap();
    let run = std::fs::read_dir(folder.path().join("results")).unwrap().next().unwrap().unwrap();
    (output.status.code(), store::read(&run.path().join("run.json")).unwrap().record)
}

fn gemms(faults: &str) -> RunRecord {
    let args = [&["--kernel", "gemm/naive-f32,gemm/tiled-f32"], &INTERLEAVED[..]].concat();
    let (code, record) = record_of(faults, &args);
    assert_eq!((code, &record.status), (Some(0), &RunStatus::Complete));
    record
}

fn losses(record: &RunRecord, index: usize) -> Vec<&str> {
    let warnings = &record.measurements[index].warnings;
    warnings.iter().filter(|w| w.code == WarningCode::DeviceLost).map(|w| w.text.as_str()).collect()
}

/// Each turn of a case is 30 s of preheat, up to 1 s of gap and 10 s of window in submissions of 150 ms: some 270.
#[test]
fn a_device_lost_in_a_later_turn_costs_that_window_and_halves_the_batch() {
    let record = gemms(&lost("gemm/naive-f32", 400, 1));
    assert!(record.skips.is_empty());
    let naive = &record.measurements[0];
    assert_eq!(naive.case.variant, "gemm/naive-f32");
    assert_eq!(naive.measured().count(), 2);
    assert!(naive.verified());
    assert_eq!(losses(&record, 0).len(), 1);
    assert!(losses(&record, 0)[0].contains("half the batch"), "{:?}", losses(&record, 0));
    // Nobody pressed Ctrl-C.
    assert_ne!(naive.stop, Some(StopReason::Interrupted));
    assert_eq!(record.measurements[1].measured().count(), 3);
    assert!(losses(&record, 1).is_empty());
    // The rate does not depend on the batch: 2 · 500³ FLOP at 1e12 FLOP/s.
    let rate = evaluate(&record).cases[0].flop_rate.unwrap().point.get();
    assert!((rate / 1e12 - 1.0).abs() < 1e-9, "{rate}");
}

#[test]
fn a_device_lost_in_two_later_turns_keeps_the_windows_it_gave() {
    let record = gemms(&lost("gemm/naive-f32", 300, 2));
    let naive = &record.measurements[0];
    assert!(naive.verified() && naive.measured().count() == 1);
    assert_eq!(losses(&record, 0).len(), 2);
    assert!(losses(&record, 0)[1].contains("missing"), "{:?}", losses(&record, 0));
    assert_ne!(naive.stop, Some(StopReason::Interrupted));
    assert_eq!(record.measurements[1].measured().count(), 3);
}

#[test]
fn a_device_lost_in_the_first_turn_is_opened_again_and_the_case_repeated() {
    let record = gemms(&lost("gemm/naive-f32", 20, 1));
    assert!(record.skips.is_empty());
    assert_eq!(record.measurements[0].measured().count(), 3);
    assert!(losses(&record, 0)[0].contains("half the batch"));
}

#[test]
fn a_device_lost_while_verifying_or_calibrating_is_opened_again() {
    for after in [0, 1, 2] {
        let record = gemms(&lost("gemm/naive-f32", after, 1));
        assert_eq!(record.measurements[0].measured().count(), 3, "after {after}");
        assert_eq!(losses(&record, 0).len(), 1, "after {after}");
    }
}

#[test]
fn a_device_that_is_lost_in_every_attempt_skips_the_case_and_not_its_neighbour() {
    let record = gemms(&lost("gemm/naive-f32", 1, 99));
    assert_eq!((record.measurements.len(), record.skips.len()), (1, 1));
    assert_eq!(record.skips[0].reason, SkipReason::DeviceLost);
    assert_eq!(record.measurements[0].measured().count(), 3);
}

#[test]
fn a_failure_that_is_no_loss_is_not_called_one() {
    // A script without a rate for a variant refuses to load it.
    let folder_script = SCRIPT
        .replace("variant = \"gemm/*\"", "variant = \"gemm/naive-*\"")
        .replace("[[device.rates]]\nvariant = \"*\"\nbytes_per_s = 2e12\n", "");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), folder_script.replace("FAULTS", "")).unwrap();
    let args = ["run", "--simulate", "script.toml", "--kernel", "gemm/naive-f32,gemm/tiled-f32", "--shape", "m=n=k=64"];
    Command::cargo_bin("wattmark").unwrap().current_dir(folder.path()).args(args).assert().success();
    let run = std::fs::read_dir(folder.path().join("results")).unwrap().next().unwrap().unwrap();
    let record = store::read(&run.path().join("run.json")).unwrap().record;
    assert_eq!(record.skips[0].case.variant, "gemm/tiled-f32");
    assert_eq!(record.skips[0].reason, SkipReason::Other);
    assert!(record.skips[0].detail.contains("no rate"), "{}", record.skips[0].detail);
}

#[test]
fn a_probe_that_fits_a_cache_says_so_beside_a_larger_one() {
    // Copies of 8 MB and of 400 MB.
    let (_, record) = record_of("", &["--kernel", "memory-copy", "--shape", "n=1000000,50000000"]);
    let result = evaluate(&record);
    let said: Vec<bool> =
        result.cases.iter().map(|case| case.warnings.iter().any(|w| w.text.contains("larger probe"))).collect();
    assert_eq!(said, [true, false]);
    assert!((result.ceilings[&0].bandwidth.unwrap().get() / 2e12 - 1.0).abs() < 1e-9);
}

#[test]
fn a_dispatch_longer_than_a_watchdog_bears_is_flagged_on_hardware_and_not_on_software() {
    let flagged = |kind: &str, rate: &str| {
        let folder = tempfile::tempdir().unwrap();
        let script = SCRIPT
            .replace("FAULTS", "")
            .replace("flop_per_s = 1e12", rate)
            .replace("name = \"Simulated", &format!("kind = \"{kind}\"\nname = \"Simulated"));
        std::fs::write(folder.path().join("script.toml"), script).unwrap();
        let args = ["run", "--no-ceilings", "--simulate", "script.toml", "--device", "0", "--no-figures"];
        let output = Command::cargo_bin("wattmark")
            .unwrap()
            .current_dir(folder.path())
            .args(args)
            .args(["--kernel", "gemm/naive-f32", "--shape", "m=n=k=64"])
            .output()
            .unwrap();
        assert!(output.status.success());
        let run = std::fs::read_dir(folder.path().join("results")).unwrap().next().unwrap().unwrap();
        let record = store::read(&run.path().join("run.json")).unwrap().record;
        let warnings = record.measurements[0].warnings.clone();
        warnings.into_iter().find(|warning| warning.code == WarningCode::LongDispatch).map(|warning| warning.text)
    };
    let text = flagged("discrete", "seconds_per_dispatch = 0.06").unwrap();
    assert!(text.contains("60 ms") && text.contains("--shape"), "{text}");
    assert_eq!(flagged("discrete", "seconds_per_dispatch = 0.04"), None);
    assert_eq!(flagged("software", "seconds_per_dispatch = 0.06"), None);
}
