//! `wattmark show --conditions`, `--sources` and `--claims`, and the same in the JSON export: runs on scripted sensors, and a
//! record with what a board tells of itself added by hand.

#![allow(clippy::unwrap_used)] // a test that cannot set itself up must stop

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::{Value, json};

/// A board that draws 250 W busy and 50 W idle, and the machine around it at the wall: 500 W and 100 W.
const BOARD_AND_WALL: &str = r#"
[[device]]
name = "Simulated Accelerator"
[[device.rates]]
variant = "*"
flop_per_s = 1e12

[[power]]
device = 0
scope = "board"
update_period_s = 0.02
idle_w = 50.0
[[power.busy]]
variant = "*"
watts = 250.0

[[power]]
device = 0
scope = "wall-ac"
update_period_s = 0.1
idle_w = 100.0
counter = true
stated_error = 0.01
[[power.busy]]
variant = "*"
watts = 500.0
"#;

fn wattmark(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
    command.env_remove("NO_COLOR").env("COLUMNS", "100").current_dir(folder).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A folder with one simulated run of a minute.
fn measured() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), BOARD_AND_WALL).unwrap();
    let args = ["run", "--no-ceilings", "--no-figures", "--simulate", "script.toml", "--kernel", "gemm/tiled-f32"];
    let more = ["--shape", "m=n=k=500", "--preset", "standard", "--window", "12s", "--windows", "5"];
    text(&wattmark(folder.path(), &[&args[..], &more].concat()));
    folder
}

/// The golden record with an NVIDIA board's telemetry: thermally throttled from 9.5 s on, at a lowered power limit.
fn throttled(folder: &Path) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records/v1.0.json");
    let mut record: Value = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
    let mut telemetry = record["traces"][0].clone();
    let polls: Vec<u64> = (0..=230).map(|poll| poll * 100_000_000).collect();
    let column = |id: &str, value: &dyn Fn(f64) -> f64| json!({"channel": id, "values": polls.iter().map(|t| value(*t as f64 / 1e9)).collect::<Vec<f64>>()});
    let channel = |id: &str, quantity: &str| {
        let known = json!({"update_period_s": null, "averaging_window_s": null, "stated_error": null});
        let mut channel = json!({"id": id, "quantity": quantity, "scope": "board"});
        channel.as_object_mut().unwrap().extend(known.as_object().unwrap().clone());
        channel
    };
    telemetry["source"]["id"] = json!("nvml-telemetry:0000:19:00.0");
    telemetry["source"]["kind"] = json!("nvml");
    telemetry["source"]["channels"] = json!([
        channel("throttle.reasons", "throttle-reasons"),
        channel("power.limit", "power-limit"),
        channel("power.limit.default", "power-limit"),
    ]);
    telemetry["columns"] = json!([
        column("throttle.reasons", &|t| if t < 9.45 { 4.0 } else { 36.0 }),
        column("power.limit", &|_| 600.0),
        column("power.limit.default", &|_| 700.0),
    ]);
    (telemetry["t_ns"], telemetry["gaps"], telemetry["requested_hz"]) = (json!(polls), json!([]), json!(10.0));
    record["traces"].as_array_mut().unwrap().push(telemetry);
    let file = folder.join("throttled.json");
    std::fs::write(&file, record.to_string()).unwrap();
    file
}

#[test]
fn five_windows_of_board_and_wall_stand_side_by_side_with_their_ratio() {
    let folder = measured();
    let shown = text(&wattmark(folder.path(), &["show", "latest", "--sources"]));
    // 60 s at 250 W and 500 W; half of the wall's power is the board's.
    for words in ["15.0 kJ", "250 W", "30.0 kJ", "500 W", "board over wall AC 0.500"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("750 W") && !shown.contains("45.0 kJ"), "scopes were added: {shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
}

#[test]
fn the_export_carries_conditions_sources_and_claims() {
    let folder = measured();
    let export: Value =
        serde_json::from_str(&text(&wattmark(folder.path(), &["export", "latest", "--format", "json"]))).unwrap();
    let steady = &export["cases"][0]["conditions"]["steady"];
    assert!(steady["reached"] == true && (30.0..40.0).contains(&steady["after_s"].as_f64().unwrap()), "{steady}");
    assert!(export["cases"][0]["conditions"]["throttle"]["missing"].is_string());
    let wall = &export["sources"]["sources"][1];
    assert_eq!((wall["scope"].as_str(), wall["spans"][0]["coverage"].as_f64()), (Some("wall-ac"), Some(1.0)));
    assert!((wall["spans"][0]["energy_j"].as_f64().unwrap() / 30_000.0 - 1.0).abs() < 0.01);
    let claims = &export["methodology_claims"];
    assert_eq!(claims["judged"]["meter"]["scope"], "wall-ac", "the widest scope is judged");
    let levels = claims["standards"].as_array().unwrap();
    let verdict = |standard: usize, id: &str| {
        let lines = levels[standard]["claims"].as_array().unwrap();
        lines.iter().find(|line| line["id"] == id).unwrap()["verdict"].clone()
    };
    assert_eq!((levels.len(), verdict(0, "1b-core-phase"), verdict(0, "4b-accuracy")), (5, json!("met"), json!("met")));
    assert_eq!((verdict(0, "2-fraction"), verdict(3, "duration")), (json!("unknown"), json!("not-met")));
}

#[test]
fn claims_name_no_label_and_say_what_is_missing() {
    let folder = measured();
    let shown = text(&wattmark(folder.path(), &["show", "latest", "--claims"]));
    assert!(shown.contains("This block claims no label, level or conformance."), "{shown}");
    for forbidden in ["MLPerf", "compliant", "Green500"] {
        assert!(!shown.contains(forbidden), "{forbidden}: {shown}");
    }
    for words in ["NOT CONFIRMED: ", "missing: ", "cannot be known  2-fraction: ", "60.0 s in the shortest case"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
}

#[test]
fn throttling_is_shown_by_reason_and_window_and_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = throttled(folder.path());
    let shown = text(&wattmark(folder.path(), &["show", file.to_str().unwrap(), "--conditions"]));
    for words in ["software thermal", "power cap           100%", "a limit of 600 W, default 700 W: LOWERED"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    let table = text(&wattmark(folder.path(), &["show", file.to_str().unwrap(), "--warnings"]));
    let flat = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("software thermal 100 %"), "{table}");
    assert!(flat.contains("power cap 100 %, at a limit of 600 W, default 700 W"), "{table}");
}

#[test]
fn views_can_be_asked_for_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = throttled(folder.path());
    let shown =
        text(&wattmark(folder.path(), &["show", file.to_str().unwrap(), "--conditions", "--sources", "--claims"]));
    let place = |words: &str| shown.find(words).unwrap_or_else(|| unreachable!("{words} is missing"));
    assert!(place("of limit") < place("c−i") && place("c−i") < place("no label"));
}
