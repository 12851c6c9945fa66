//! The whole program on scripted devices and sensors, against figures computed by hand beside each assertion.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use wattmark::account;
use wattmark::measure::result::evaluate;
use wattmark::model::{RunRecord, RunStatus, SkipReason, Verification, WarningCode};
use wattmark::store;

/// One device at exactly 1 TFLOP/s for GEMM and 2 TB/s for copies, on a board that draws 50 W idle and 250 W busy.
const EXACT: &str = r#"
[[device]]
name = "Simulated Accelerator"
[[device.rates]]
variant = "gemm/*"
flop_per_s = 1e12
[[device.rates]]
variant = "memory-copy/*"
bytes_per_s = 2e12
[[device.rates]]
variant = "*"
flop_per_s = 5e11

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

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("script.toml"), script).unwrap();
        Self { folder }
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn run(&self, args: &[&str]) -> Output {
        Command::cargo_bin("wattmark")
            .unwrap()
            .current_dir(self.path())
            .args(["run", "--no-ceilings", "--simulate", "script.toml"])
            .args(args)
            .output()
            .unwrap()
    }
    fn record_path(&self) -> PathBuf {
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(self.path().join("results")).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders.pop().unwrap().join("run.json")
    }
    fn record(&self) -> RunRecord {
        store::read(&self.record_path()).unwrap().record
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn near(got: f64, want: f64) -> bool {
    (got / want - 1.0).abs() < 1e-9
}

#[test]
fn joules_flops_per_watt_and_grams_are_those_computed_by_hand() {
    let bench = Bench::new(EXACT);
    let output = bench.run(&["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=500", "--grid", "0.1796", "--pue", "1.2"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = bench.record();
    assert!(record.simulated);
    let result = evaluate(&record);
    let case = &result.cases[0];
    let energy = case.headline_energy().unwrap();

    // 2·500³ FLOP = 2.5e8 FLOP at 1e12 FLOP/s is 0.25 ms.
    assert!(near(case.case.work.flop.get(), 2.5e8));
    assert!(near(case.per_execution.unwrap().point.get(), 2.5e-4));
    assert!(near(case.flop_rate.unwrap().point.get(), 1e12));
    // 250 W · 0.25 ms = 62.5 mJ for each execution.
    assert!(near(energy.power.point.get(), 250.0), "{}", energy.power.point);
    assert!(near(energy.per_execution.point.get(), 0.0625));
    // 1e12 FLOP/s over 250 W = 4e9 FLOP/J.
    assert!(near(energy.flop_efficiency.unwrap().point.get(), 4e9));
    // Idle is recorded beside it, never subtracted.
    assert!(near(energy.idle.unwrap().get(), 50.0));
    // Every joule of every window: 250 W times its length.
    for (joules, window) in energy.window_energy.iter().zip(record.measurements[0].measured()) {
        assert!(near(joules.get(), 250.0 * window.duration().get()));
    }
    // 1e18 FLOP over 4e9 FLOP/J = 2.5e8 J = 69.4444 kWh; times 1.2 times 179.6 g/kWh = 14 966.67 g.
    let site = account::resolve_site(Some("0.1796"), Some(1.2), None, bench.path()).unwrap();
    let row = &account::case_carbon(&result, &site).rows[0];
    assert!(near(row.carbon_per_unit.point.get(), 2.5e8 / 3.6e6 * 1.2 * 179.6), "{}", row.carbon_per_unit.point);
    let printed = text(&output.stdout);
    assert!(printed.contains("simulated"), "{printed}");
    assert!(printed.contains("15.0 kg") || printed.contains("14967") || printed.contains("14.97 kg"), "{printed}");
}

#[test]
fn a_memory_kernel_is_counted_in_bytes() {
    let bench = Bench::new(EXACT);
    let output = bench.run(&["--kernel", "memory-copy", "--shape", "n=1000000"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let result = evaluate(&bench.record());
    let case = &result.cases[0];
    // 8 MB at 2 TB/s is 4 µs; 2e12 B/s over 250 W is 8e9 B/J.
    assert!(case.flop_rate.is_none());
    assert!(near(case.byte_rate.unwrap().point.get(), 2e12));
    assert!(near(case.headline_energy().unwrap().byte_efficiency.point.get(), 8e9));
}

#[test]
fn two_runs_of_one_simulation_leave_equal_records() {
    let strip = |bench: &Bench| {
        let mut record = bench.record();
        record.run_id.clear();
        record.provenance.argv.clear();
        record
    };
    let (first, second) = (Bench::new(EXACT), Bench::new(EXACT));
    for bench in [&first, &second] {
        assert!(bench.run(&["--kernel", "gemm/*", "--shape", "m=n=k=128", "--no-figures"]).status.success());
    }
    assert_eq!(strip(&first), strip(&second));
}

#[test]
fn wrong_output_gives_no_rate_and_exit_4() {
    let script = EXACT.replacen(
        "[[power]]",
        "[[device.faults]]\nkind = \"wrong-output\"\nvariant = \"gemm/tiled-f32\"\n\n[[power]]",
        1,
    );
    let bench = Bench::new(&script);
    let output = bench.run(&["--kernel", "gemm/*", "--shape", "m=n=k=128"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let record = bench.record();
    let result = evaluate(&record);
    let wrong = result.cases.iter().find(|case| case.case.variant == "gemm/tiled-f32").unwrap();
    assert!(!wrong.verified && wrong.flop_rate.is_none() && wrong.energy.is_empty());
    let right = result.cases.iter().find(|case| case.case.variant == "gemm/naive-f32").unwrap();
    assert!(right.verified && right.flop_rate.is_some());
}

#[test]
fn output_that_is_never_written_is_caught() {
    let script =
        EXACT.replacen("[[power]]", "[[device.faults]]\nkind = \"unwritten-output\"\nvariant = \"*\"\n\n[[power]]", 1);
    let bench = Bench::new(&script);
    let output = bench.run(&["--kernel", "gemm/naive-f32", "--shape", "m=n=k=64"]);
    assert_eq!(output.status.code(), Some(4));
    let record = bench.record();
    let Verification::Failed { detail, .. } = &record.measurements[0].verification else { panic!("passed") };
    assert!(detail.contains("never written"), "{detail}");
}

#[test]
fn a_device_lost_once_is_opened_again_and_the_case_repeated() {
    let script = EXACT.replacen(
        "[[power]]",
        "[[device.faults]]\nkind = \"lost\"\nvariant = \"gemm/naive-f32\"\nafter_submissions = 12\ntimes = 1\n\n[[power]]",
        1,
    );
    let bench = Bench::new(&script);
    let output = bench.run(&["--kernel", "gemm/*", "--shape", "m=n=k=256"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = bench.record();
    assert_eq!(record.status, RunStatus::Complete);
    let naive = record.measurements.iter().find(|m| m.case.variant == "gemm/naive-f32").unwrap();
    assert!(naive.verified() && naive.warnings.iter().any(|w| w.code == WarningCode::DeviceLost));
}

#[test]
fn a_device_lost_twice_skips_the_case_and_the_run_goes_on() {
    let script = EXACT.replacen(
        "[[power]]",
        "[[device.faults]]\nkind = \"lost\"\nvariant = \"gemm/naive-f32\"\nafter_submissions = 12\ntimes = 2\n\n[[power]]",
        1,
    );
    let bench = Bench::new(&script);
    let output = bench.run(&["--kernel", "gemm/*", "--shape", "m=n=k=256"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = bench.record();
    let skip = record.skips.iter().find(|skip| skip.case.variant == "gemm/naive-f32").unwrap();
    assert_eq!(skip.reason, SkipReason::DeviceLost);
    assert!(record.measurements.iter().any(|m| m.case.variant == "gemm/tiled-f32" && m.verified()));
}

#[test]
fn a_sensor_that_vanishes_half_way_leaves_later_windows_without_joules() {
    let script = EXACT.replace("counter = true", "counter = true\ngone_after_s = 4.2");
    let bench = Bench::new(&script);
    let output = bench.run(&["--kernel", "gemm/*", "--shape", "m=n=k=256"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = bench.record();
    assert!(record.warnings.iter().any(|w| w.code == WarningCode::SensorGone));
    let result = evaluate(&record);
    assert!(!result.cases[0].energy.is_empty());
    let last = result.cases.last().unwrap();
    assert!(last.energy.is_empty() && last.flop_rate.is_some());
    assert!(last.warnings.iter().any(|w| w.code == WarningCode::NoPower));
}

#[test]
fn a_frozen_sensor_is_called_frozen() {
    let script = EXACT.replace("counter = true", "frozen_after_s = 0.5");
    let bench = Bench::new(&script);
    assert!(bench.run(&["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=256"]).status.success());
    assert!(bench.record().warnings.iter().any(|w| w.code == WarningCode::SensorFrozen));
}

#[test]
fn a_denied_sensor_is_named_with_its_remedy() {
    let script = EXACT.replace("counter = true", "counter = true\ndeny = true");
    let bench = Bench::new(&script);
    let output = bench.run(&["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=128"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("denied"), "{}", text(&output.stderr));
    let result = evaluate(&bench.record());
    assert!(result.cases[0].energy.is_empty());
}

#[test]
fn an_estimate_is_marked_and_has_no_interval() {
    let script = EXACT.replace("scope = \"board\"", "scope = \"board\"\nevidence = \"estimated\"");
    let bench = Bench::new(&script);
    let output = bench.run(&["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=128"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("estimated"), "{}", text(&output.stdout));
    let result = evaluate(&bench.record());
    let energy = result.cases[0].headline_energy().unwrap();
    assert!(energy.flop_efficiency.unwrap().interval.is_none() && energy.power.interval.is_none());
}

#[test]
fn declared_watts_that_never_move_are_not_called_frozen() {
    let script = EXACT
        .replace("scope = \"board\"", "scope = \"board\"\nevidence = \"declared\"")
        .replace("idle_w = 50.0", "idle_w = 250.0");
    let bench = Bench::new(&script);
    assert!(bench.run(&["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=128"]).status.success());
    assert!(!bench.record().warnings.iter().any(|w| w.code == WarningCode::SensorFrozen));
}

#[test]
fn standard_preheats_until_steady_and_says_so() {
    let bench = Bench::new(EXACT);
    let output = bench.run(&["--preset", "standard", "--kernel", "gemm/tiled-f32", "--shape", "m=n=k=500"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = bench.record();
    let measurement = &record.measurements[0];
    let steadiness = measurement.steadiness.as_ref().unwrap();
    assert!(steadiness.reached, "{}", steadiness.detail);
    assert!((30.0..40.0).contains(&steadiness.after_s.get()));
    assert_eq!(measurement.measured().count(), 5);
    assert!(measurement.measured().all(|window| window.duration().get() >= 10.0));
}

#[test]
fn publication_interleaves_the_windows_of_its_cases() {
    let bench = Bench::new(EXACT);
    let args =
        ["--preset", "publication", "--kernel", "gemm/*", "--shape", "m=n=k=500", "--windows", "3", "--window", "10s"];
    let output = bench.run(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = bench.record();
    let starts = |index: usize| -> Vec<u64> { record.measurements[index].measured().map(|w| w.start_ns.0).collect() };
    let (a, b) = (starts(0), starts(1));
    assert_eq!((a.len(), b.len()), (3, 3));
    assert!(a[0] < b[0] && b[0] < a[1] && a[1] < b[1] && b[1] < a[2], "{a:?} {b:?}");
    let result = evaluate(&record);
    assert!(near(result.cases[0].headline_energy().unwrap().flop_efficiency.unwrap().point.get(), 4e9));
}

#[test]
fn a_board_sensor_feels_only_its_own_device() {
    let second = EXACT.replace("device = 0", "device = 1").replace("250.0", "500.0");
    let bench = Bench::new(&format!("{EXACT}\n{second}"));
    let output = bench.run(&["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=500"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = bench.record();
    let result = evaluate(&record);
    // Equal speed; 250 W and 500 W: 4 and 2 GFLOP/J. Each idles at 50 W while the other works.
    let efficiency = |index: usize| result.cases[index].headline_energy().unwrap().flop_efficiency.unwrap().point.get();
    assert!(near(efficiency(0), 4e9) && near(efficiency(1), 2e9), "{} {}", efficiency(0), efficiency(1));
    let first = &record.traces.iter().find(|trace| trace.source.device == Some(0)).unwrap();
    let window = record.measurements[1].measured().next().unwrap();
    let elsewhere = wattmark::power::window_energies(first, window.start_ns, window.end_ns);
    assert!(near(elsewhere[0].mean_power.unwrap().get(), 50.0));
}

#[test]
fn a_redacted_record_carries_the_name_of_its_folder_and_not_of_its_host() {
    let bench = Bench::new(EXACT);
    assert!(bench.run(&["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=64", "--redact"]).status.success());
    let record = bench.record();
    let path = bench.record_path();
    let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(record.run_id, folder);
    assert!(record.provenance.redacted && record.provenance.host.hostname.starts_with("redacted-"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let (host, saved) = (host.trim(), std::fs::read_to_string(&path).unwrap());
    // A name of two letters can stand in any word.
    assert!(host.len() < 3 || !saved.contains(host), "{host}");
}
