//! `wattmark calibrate` through the binary: scripted sensors of known truth against what is found of them, the file in which
//! it is kept, later runs that use it, and everything that goes wrong on the way.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use wattmark::measure::result::evaluate;
use wattmark::model::{
    Correction, Estimate, Quantity, Response, RunRecord, RunStatus, Scope, SensorProfile, Verification,
};
use wattmark::store;
use wattmark::units::Watts;

const DEVICE: &str = r#"
[[device]]
name = "Simulated Accelerator"
driver_info = "1.0"
pci = "0000:19:00.0"
[[device.rates]]
variant = "*"
flop_per_s = 1e12
"#;

/// A board sensor that draws 60 W in idle and 300 W under load; `lines` say how it sees that.
fn sensor(lines: &str) -> String {
    format!("[[power]]\ndevice = 0\nidle_w = 60.0\n{lines}\nbusy = [{{ variant = \"*\", watts = 300.0 }}]\n")
}

/// How sensors see power, and what must be found of each: response, and period in seconds.
fn kinds() -> Vec<(&'static str, &'static str, Response, f64)> {
    use wattmark::units::Seconds;
    let boxcar = |s| Response::Boxcar { window_s: Seconds::new(s) };
    let part_time = |s| Response::PartTime { window_s: Seconds::new(s) };
    vec![
        ("boxcar of 1 s", "update_period_s = 0.1\naveraging_window_s = 1.0\ndeclares = false", boxcar(1.0), 0.1),
        ("boxcar of 100 ms", "update_period_s = 0.1\naveraging_window_s = 0.1\ndeclares = false", boxcar(0.1), 0.1),
        ("25 of 100 ms", "update_period_s = 0.1\npart_time = 0.25\ndeclares = false", part_time(0.025), 0.1),
        (
            "low-pass",
            "update_period_s = 0.02\ntime_constant_s = 0.25\ndeclares = false",
            Response::LowPass { time_constant_s: Seconds::new(0.25) },
            0.02,
        ),
        ("counter", "power = false\ncounter = true\nupdate_period_s = 0.02\ndeclares = false", Response::Counter, 0.02),
    ]
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(script: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(bench.path().join("script.toml"), script).unwrap();
        bench
    }
    fn with_sensors(sensors: &[&str]) -> Self {
        let sensors: Vec<String> = sensors.iter().map(|lines| sensor(lines)).collect();
        Self::new(&format!("{DEVICE}{}", sensors.concat()))
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn kept_file(&self) -> PathBuf {
        self.path().join("cache").join("sensors-v1.json")
    }
    fn call(&self, args: &[&str]) -> Output {
        let mut command = Command::cargo_bin("wattmark").unwrap();
        for variable in ["WATTMARK_GRID", "WATTMARK_PUE", "WATTMARK_RESULTS"] {
            command.env_remove(variable);
        }
        command.current_dir(self.path()).env("WATTMARK_CACHE", "cache").env("COLUMNS", "200").args(args);
        command.output().unwrap()
    }
    fn simulated(&self, args: &[&str]) -> Output {
        self.call(&[args, &["--simulate", "script.toml"]].concat())
    }
    /// Calls something that must succeed.
    fn ok(&self, args: &[&str]) -> Output {
        let output = self.simulated(args);
        assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
        output
    }
    /// The record that was written last.
    fn record(&self) -> RunRecord {
        store::read(&self.record_path()).unwrap().record
    }
    fn record_path(&self) -> PathBuf {
        let runs = std::fs::read_dir(self.path().join("results")).unwrap().map(|entry| entry.unwrap().path());
        let mut runs: Vec<PathBuf> = runs.collect();
        runs.sort_by_key(|run| std::fs::metadata(run.join("run.json")).unwrap().modified().unwrap());
        runs.pop().unwrap().join("run.json")
    }
    fn kept(&self) -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(self.kept_file()).unwrap()).unwrap()
    }
    /// The profile that is kept of a channel.
    fn profile(&self, source: &str, channel: &str) -> SensorProfile {
        let kept = self.kept();
        let found = kept["profiles"]
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["key"]["source"] == source && entry["key"]["channel"] == channel);
        serde_json::from_value(found.unwrap_or_else(|| panic!("no {source}/{channel} in {kept}"))["profile"].clone())
            .unwrap()
    }
    fn correction(&self) -> Correction {
        serde_json::from_value(self.kept()["corrections"][0]["correction"].clone()).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn near(found: f64, truth: f64, part: f64) -> bool {
    (found / truth - 1.0).abs() <= part
}

/// Window or time constant.
fn length(response: Response) -> Option<f64> {
    match response {
        Response::Instant | Response::Counter => None,
        Response::Boxcar { window_s } | Response::PartTime { window_s } => Some(window_s.get()),
        Response::LowPass { time_constant_s } => Some(time_constant_s.get()),
    }
}

#[test]
fn every_kind_of_sensor_is_recovered_within_ten_percent_and_its_profile_is_kept() {
    let kinds = kinds();
    let bench = Bench::with_sensors(&kinds.iter().map(|(_, lines, ..)| *lines).collect::<Vec<_>>());
    let output = bench.ok(&["calibrate"]);
    for (index, (name, _, truth, period)) in kinds.iter().enumerate() {
        let channel = match truth {
            Response::Counter => "energy",
            Response::PartTime { .. } => "power.instant",
            _ => "power.average",
        };
        let found = bench.profile(&format!("scripted:{index}"), channel);
        let shown = format!("{name}: {found:?}\n{}", text(&output.stdout));
        assert_eq!(std::mem::discriminant(&found.response), std::mem::discriminant(truth), "{shown}");
        assert!(near(found.update_period_s.get(), *period, 0.1), "{shown}");
        if let (Some(found), Some(truth)) = (length(found.response), length(*truth)) {
            assert!(near(found, truth, 0.1), "{shown}");
        }
        assert!(found.residual.get() < 0.1 && found.delay_s.get().abs() < 0.02, "{shown}");
    }
    let said = text(&output.stdout);
    assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
    let part_time = bench.profile("scripted:2", "power.instant");
    assert!(near(part_time.coverage.get(), 0.25, 0.1), "{part_time:?}");
    assert!(said.contains("Kept         5 profiles in cache/sensors-v1.json"));
}

#[test]
fn the_record_is_an_ordinary_one_that_gives_the_same_profiles_again() {
    let bench = Bench::with_sensors(&["update_period_s = 0.1\naveraging_window_s = 1.0"]);
    let first = text(&bench.ok(&["calibrate", "--no-store"]).stdout);
    assert!(!bench.kept_file().exists(), "--no-store keeps nothing");
    let record = bench.record();
    assert_eq!(record.status, RunStatus::Complete);
    assert!(record.plan.cases.is_empty() && record.measurements.is_empty());
    let phases: Vec<_> = record.calibrations[0].waves.iter().flat_map(|wave| &wave.phases).collect();
    assert!(phases.windows(2).all(|pair| pair[0].until_ns == pair[1].from_ns && pair[0].on != pair[1].on));
    let load = &record.provenance.device_details[&0]["calibration_load"];
    assert!(load.starts_with("gemm/") && load.contains("outputs right before and after"), "{load}");
    assert!(record.traces[0].source.channels[0].profile.is_none(), "what the source declares stays in the record");
    for command in ["validate", "plot"] {
        assert_eq!(bench.call(&[command, "latest"]).status.code(), Some(0), "{command}");
    }
    let table = |out: &str| out.split("\nRecord").next().unwrap().trim_end().to_owned();
    for again in [&["show", "latest"][..], &["calibrate", "--from", "latest", "--store"]] {
        let output = bench.call(again);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        assert_eq!(table(said.split("Kept").next().unwrap()), table(&first), "{again:?}");
    }
    assert!(bench.profile("scripted:0", "power.average").update_period_s.get() > 0.0, "--store keeps it");
}

#[test]
fn the_phases_in_the_record_are_those_of_the_device_to_the_nanosecond() {
    // Sees power at the instant of each poll.
    let bench = Bench::with_sensors(&[""]);
    bench.simulated(&["calibrate", "--quick", "--sampler-hz", "1000"]);
    let record = bench.record();
    let trace = &record.traces[0];
    let mut seen = [0, 0];
    for phase in record.calibrations[0].waves.iter().flat_map(|wave| &wave.phases) {
        let inside = |t: u64| (phase.from_ns.0 + 1..phase.until_ns.0).contains(&t);
        let readings = trace.t_ns.iter().zip(&trace.columns[0].values).filter(|(t, _)| inside(t.0));
        for (at, value) in readings {
            assert_eq!(*value, Some(if phase.on { 300.0 } else { 60.0 }), "{phase:?} at {at:?}");
            seen[usize::from(phase.on)] += 1;
        }
    }
    assert!(seen[0] > 5000 && seen[1] > 5000, "{seen:?}");
    let on = record.calibrations[0].waves.iter().flat_map(|wave| &wave.phases).filter(|phase| phase.on).count();
    assert_eq!(on, 3 + 6 + 13 + 22, "every phase of the quick waves");
}

#[test]
fn a_later_run_polls_and_waits_as_the_profile_says_unless_it_is_told_not_to() {
    // Declares nothing, and updates twice a second: 20 updates are 10 s.
    let bench = Bench::with_sensors(&["update_period_s = 0.5\naveraging_window_s = 0.5\ndeclares = false"]);
    let run = ["run", "--no-ceilings", "--no-figures", "--kernel", "gemm/naive-f32", "--shape", "m=n=k=256"];
    bench.ok(&run);
    let before = bench.record();
    assert_eq!((before.traces[0].source.channels[0].update_period_s, before.traces[0].requested_hz), (None, 50.0));
    bench.ok(&["calibrate"]);
    let said = text(&bench.ok(&run).stdout);
    let after = bench.record();
    let channel = &after.traces[0].source.channels[0];
    let profile = channel.profile.as_ref().unwrap();
    assert!(near(profile.update_period_s.get(), 0.5, 0.1) && channel.update_period_s == Some(profile.update_period_s));
    assert!(near(after.traces[0].requested_hz, 4.0, 0.1), "two polls for each update");
    assert!(said.contains("scripted:0/power.average calibrated 2026-01-01: "), "{said}");
    let short = |record: &RunRecord| record.measurements[0].warnings.iter().any(|w| w.code.code() == "W02");
    assert!(!short(&before) && short(&after), "now the run knows that 0.3 s are too short for this sensor");
    bench.ok(&[&run[..], &["--preset", "standard", "--idle", "1", "--preheat-min", "1", "--window", "1"]].concat());
    let longest = bench.record().measurements[0].measured().map(|w| w.duration().get()).fold(0.0, f64::max);
    assert!(near(longest, 10.0, 0.1), "windows grow to 20 updates: {longest} s");
    bench.ok(&[&run[..], &["--no-profiles"]].concat());
    assert!(bench.record().traces[0].source.channels[0].profile.is_none());
}

#[test]
fn a_sensor_that_proved_fast_is_polled_faster_than_the_others_unless_the_user_chose_the_cadence() {
    let counter = "power = false\ncounter = true\nupdate_period_s = 0.02\ndeclares = false";
    let bench = Bench::with_sensors(&[counter, "update_period_s = 0.1\naveraging_window_s = 0.1"]);
    bench.ok(&["calibrate", "--source", "scripted:0"]);
    let run = ["run", "--no-ceilings", "--no-figures", "--kernel", "gemm/naive-f32", "--shape", "m=n=k=64"];
    for (extra, expected) in [(&[][..], [100.0, 50.0]), (&["--sampler-hz", "40"], [40.0, 40.0])] {
        bench.ok(&[&run[..], extra].concat());
        let cadences: Vec<f64> = bench.record().traces.iter().map(|trace| trace.requested_hz).collect();
        assert!(near(cadences[0], expected[0], 0.1) && cadences[1] == expected[1], "{extra:?}: {cadences:?}");
    }
}

#[test]
fn gain_and_offset_against_a_meter_are_recovered_and_applied_only_where_the_user_asks() {
    let board = "update_period_s = 0.1\naveraging_window_s = 0.1\ngain = 0.95\noffset_w = -20.0\nstated_error = 0.05";
    let meter =
        "scope = \"wall-ac\"\nupdate_period_s = 0.2\naveraging_window_s = 0.2\ndelay_s = 0.4\nstated_error = 0.005";
    let bench = Bench::with_sensors(&[board, meter]);
    let said = text(&bench.ok(&["calibrate", "--against", "scripted:1", "--source", "scripted:0"]).stdout);
    let found = bench.correction();
    assert!(near(found.gain, 0.95, 0.01) && (found.offset_w.get() + 20.0).abs() < 2.0, "{found:?}\n{said}");
    assert_eq!(found.against, "scripted:1/power.average");
    let protocol = ["--preset", "standard", "--idle", "1", "--preheat-min", "2", "--preheat-max", "2"];
    let kernel = ["run", "--no-ceilings", "--no-figures", "--kernel", "gemm/naive-f32", "--shape", "m=n=k=256"];
    let run = [&kernel[..], &protocol].concat();
    let output = bench.ok(&run);
    assert!(bench.record().traces[0].source.channels[0].correction.is_none());
    assert!(text(&output.stderr).contains("--correct applies it"), "{}", text(&output.stderr));
    let (board, wall) = watts(&bench.record());
    assert!(limits(&board).1 < limits(&wall).0, "uncorrected, the two disagree: {board:?} {wall:?}");
    let output = bench.ok(&[&run[..], &["--correct"]].concat());
    let record = bench.record();
    assert_eq!(record.traces[0].source.channels[0].correction.as_ref(), Some(&found));
    assert!(record.traces[1].source.channels[0].correction.is_none(), "the meter is not corrected by itself");
    assert!(text(&output.stdout).contains("corrected by gain 0.95"), "{}", text(&output.stdout));
    let raw = record.traces[0].columns[0].values.iter().flatten().copied().fold(0.0, f64::max);
    assert!(near(raw, 265.0, 0.01), "the readings stay raw: {raw} W of 300 W");
    let (board, wall) = watts(&record);
    let (low, high) = limits(&board);
    assert!(low <= 300.0 && 300.0 <= high && (low..=high).contains(&wall.point.get()), "{board:?} {wall:?}");
    assert!(high - low < 0.05 * 300.0, "the interval is that of the correction, not of the prior: {board:?}");
}

/// Both ends of an interval.
fn limits(watts: &Estimate<Watts>) -> (f64, f64) {
    let interval = watts.interval.as_ref().unwrap();
    (interval.low.get(), interval.high.get())
}

/// Mean power of the only case by board and by wall meter.
fn watts(record: &RunRecord) -> (Estimate<Watts>, Estimate<Watts>) {
    let result = evaluate(record);
    let of = |scope: Scope| result.cases[0].energy.iter().find(|energy| energy.scope == scope).unwrap().power;
    (of(Scope::Board), of(Scope::WallAc))
}

#[test]
fn a_correction_that_does_not_exist_is_said_and_changes_nothing() {
    let bench = Bench::with_sensors(&["update_period_s = 0.1"]);
    let run =
        ["run", "--no-ceilings", "--no-figures", "--kernel", "gemm/naive-f32", "--shape", "m=n=k=64", "--correct"];
    let said = text(&bench.ok(&run).stderr);
    assert!(said.contains("--correct changes nothing"), "{said}");
}

#[test]
fn a_spoiled_file_of_profiles_is_told_once_and_replaced() {
    let bench = Bench::with_sensors(&["update_period_s = 0.1\naveraging_window_s = 1.0"]);
    std::fs::create_dir(bench.path().join("cache")).unwrap();
    std::fs::write(bench.kept_file(), "{\"schema\": \"wattmark/sens").unwrap();
    let run = ["run", "--no-ceilings", "--no-figures", "--kernel", "gemm/naive-f32", "--shape", "m=n=k=64"];
    let said = text(&bench.ok(&run).stderr);
    assert_eq!(said.matches("are ignored: the file is cut off").count(), 1, "{said}");
    let said = text(&bench.ok(&["calibrate", "--quick"]).stderr);
    assert_eq!(said.matches("are ignored").count(), 1, "{said}");
    assert!(!text(&bench.ok(&run).stderr).contains("ignored"), "the calibration replaced it");
}

#[test]
fn a_sensor_that_does_not_exist_is_named_with_the_nearest_one() {
    let bench = Bench::with_sensors(&["update_period_s = 0.1\naveraging_window_s = 1.0\ncounter = true"]);
    for (args, expected) in [
        (
            &["calibrate", "--source", "scriptd:0"][..],
            "--source: no measured sensor is called `scriptd:0`: did you mean scripted:0",
        ),
        (
            &["calibrate", "--against", "meter"],
            "--against: no measured sensor is called `meter`. They are scripted:0/power.average",
        ),
        (&["calibrate", "--against", "scripted:0"], "there is no other measured source"),
        (&["calibrate", "--sampler-hz", "0"], "it must be above 0 and at most 1000"),
        (&["calibrate", "--device", "7"], "there is no device `7`"),
    ] {
        let output = bench.simulated(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(expected), "{args:?}: {}", text(&output.stderr));
        assert!(!bench.path().join("results").exists(), "nothing was measured: {args:?}");
    }
    let said = text(&bench.ok(&["calibrate", "--source", "energy", "--dry-run"]).stdout);
    assert!(said.contains("scripted:0/energy, polled at 197 Hz") && !said.contains("power.average"), "{said}");
}

#[test]
fn a_machine_without_a_sensor_and_a_sensor_that_says_nothing_are_poor_quality_and_leave_the_file_alone() {
    let blind = Bench::new(DEVICE);
    let output = blind.simulated(&["calibrate"]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("no measured power or energy to characterise"), "{}", text(&output.stderr));
    let flat = Bench::new(&format!("{DEVICE}[[power]]\ndevice = 0\nidle_w = 60.0\n"));
    let output = flat.simulated(&["calibrate", "--quick"]);
    assert_eq!(output.status.code(), Some(5), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("cannot characterise"), "{}", text(&output.stdout));
    assert!(!flat.kept_file().exists() && flat.record().status == RunStatus::Complete);
    let gone = Bench::with_sensors(&["update_period_s = 0.1\ngone_after_s = 3.0"]);
    let output = gone.simulated(&["calibrate"]);
    assert_eq!(output.status.code(), Some(5), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(gone.record().warnings.iter().any(|warning| warning.text.contains("gave no reading after 3.0 s")));
}

#[test]
fn a_load_that_computes_wrong_results_and_a_device_that_is_lost_keep_no_profile() {
    let script = |fault: &str| {
        let device = format!("{DEVICE}[[device.faults]]\n{fault}\n");
        Bench::new(&format!("{device}{}", sensor("update_period_s = 0.1\naveraging_window_s = 0.1")))
    };
    let wrong = script("kind = \"wrong-output\"\nvariant = \"*\"\nafter_runs = 2000");
    let output = wrong.simulated(&["calibrate"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("wrong outputs on Simulated Accelerator after the load"));
    let lost = script("kind = \"lost\"\nvariant = \"*\"\nafter_submissions = 5000\ntimes = 1");
    let output = lost.simulated(&["calibrate"]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    let record = lost.record();
    assert!(matches!(&record.status, RunStatus::Failed { reason } if reason.contains("lost")), "{:?}", record.status);
    assert!(!record.calibrations[0].waves.is_empty(), "what was driven until then stands in the record");
    for bench in [wrong, lost] {
        assert!(!bench.kept_file().exists());
        assert_eq!(bench.call(&["validate", "latest"]).status.code(), Some(0));
    }
}

#[test]
fn an_energy_counter_keeps_its_quantity_and_an_average_is_never_called_instant() {
    let bench =
        Bench::with_sensors(&["update_period_s = 0.1\naveraging_window_s = 1.0\ncounter = true\ndeclares = false"]);
    bench.ok(&["calibrate"]);
    bench.ok(&["run", "--no-ceilings", "--no-figures", "--kernel", "gemm/naive-f32", "--shape", "m=n=k=64"]);
    let record = bench.record();
    let quantities: Vec<Quantity> = record.traces[0].source.channels.iter().map(|channel| channel.quantity).collect();
    assert_eq!(quantities, [Quantity::AveragedPower, Quantity::EnergyCounter]);
    assert!(record.measurements.iter().all(|m| matches!(m.verification, Verification::Passed { .. })));
}

/// A calibration on the first adapter of the machine is ended by a signal in the middle of a wave.
#[cfg(unix)]
#[test]
fn an_interrupted_calibration_leaves_its_record_and_keeps_no_profile() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    let bench = Bench::new("[[power]]\nidle_w = 60.0\n");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_wattmark"))
        .current_dir(bench.path())
        .env("WATTMARK_CACHE", "cache")
        .env_remove("WATTMARK_RESULTS")
        .args(["calibrate", "--device", "0", "--power", "scripted:script.toml"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let driven = |record: &RunRecord| record.calibrations.first().map_or(0, |calibration| calibration.waves.len());
    let saved = || std::fs::read_dir(bench.path().join("results")).ok()?.next()?.ok().map(|run| run.path());
    while saved().and_then(|run| store::read(&run).ok()).is_none_or(|loaded| driven(&loaded.record) == 0) {
        assert!(
            child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(120),
            "no wave was driven"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(
        std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let record = bench.record();
    assert_eq!((&record.status, driven(&record)), (&RunStatus::Interrupted, 2), "the second wave is there in part");
    let waves = &record.calibrations[0].waves;
    // On real time: a phase is as long as was asked, to a few submissions on a machine that does other things too.
    let on: f64 = waves[0].phases.iter().filter(|phase| phase.on).map(|p| p.until_ns.since(p.from_ns).get()).sum();
    assert!(near(on, 4.0 * 4.31 / 2.0, 0.1), "{on} s of load in the first wave");
    assert!(!bench.kept_file().exists());
    assert_eq!(bench.call(&["validate", "latest"]).status.code(), Some(0));
}
