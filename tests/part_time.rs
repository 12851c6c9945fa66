//! A sensor that looks at a quarter of the time, and a load that repeats with the sensor's own period: one window sees one
//! phase of it and is far off, four windows see all phases.

#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use wattmark::measure::result::evaluate;
use wattmark::model::RunRecord;
use wattmark::store;

/// 60 ms at 300 W and 40 ms of overhead at 100 W for each submission: 220 W in the mean, with the period of the sensor.
const SCRIPT: &str = r#"
[[device]]
name = "Simulated Accelerator"
overhead_s = 0.04
[[device.rates]]
variant = "*"
flop_per_s = 3.57913941333e10

[[power]]
device = 0
scope = "board"
update_period_s = 0.1
part_time = PART
idle_w = 100.0
stated_error = 0.0
[[power.busy]]
variant = "*"
watts = 300.0
"#;

/// A run of four windows under a sensor that sees this part of the time.
fn run(part: f64) -> RunRecord {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT.replace("PART", &part.to_string())).unwrap();
    let output = Command::cargo_bin("wattmark")
        .unwrap()
        .current_dir(folder.path())
        .args(["run", "--no-ceilings", "--simulate", "script.toml", "--preset", "quick", "--no-tune"])
        .args(["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=1024", "--windows", "4", "--window", "2"])
        .args(["--submission", "0.06"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results = std::fs::read_dir(folder.path().join("results")).unwrap();
    let run = results.map(|entry| entry.unwrap().path().join("run.json")).find(|path| path.is_file()).unwrap();
    store::read(&run).unwrap().record
}

/// Mean power of each window in watts.
fn watts(record: &RunRecord) -> Vec<f64> {
    let energy = evaluate(record).cases[0].energy[0].clone();
    let windows = record.measurements[0].measured();
    windows.zip(&energy.window_energy).map(|(window, joules)| joules.get() / window.duration().get()).collect()
}

#[test]
fn four_shifted_windows_see_a_load_whole_of_which_each_window_sees_one_phase() {
    let record = run(0.25);
    let seen = watts(&record);
    assert_eq!(seen.len(), 4);
    let mean = seen.iter().sum::<f64>() / 4.0;
    assert!((mean / 220.0 - 1.0).abs() < 0.02, "{seen:?}");
    assert!((seen[0] / 220.0 - 1.0).abs() > 0.15, "without the shifts all windows would read {:.0} W", seen[0]);
    // The scatter of the windows says how far each of them is off, so the interval holds the truth.
    let interval = evaluate(&record).cases[0].energy[0].power.interval.unwrap();
    assert!(interval.low.get() < 220.0 && 220.0 < interval.high.get(), "{interval:?}");
}

#[test]
fn the_windows_of_a_sensor_that_sees_everything_are_not_shifted() {
    let record = run(1.0);
    let windows: Vec<_> = record.measurements[0].measured().collect();
    for pair in windows.windows(2) {
        let pause = pair[1].start_ns.since(pair[0].end_ns).get();
        let submissions = pause / 0.1;
        assert!((submissions - submissions.round()).abs() < 1e-6, "the load went on without a rest: {pause}");
    }
    assert!(watts(&record).iter().all(|watts| (watts / 220.0 - 1.0).abs() < 0.01), "{:?}", watts(&record));
}
