//! `wattmark watch` through the binary: what a live view shows of scripted sensors, and what it says without any.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A board that fails from second 4 to 6, and a meter at the wall that dies at second 5.
const SENSORS: &str = r#"
[[device]]
name = "Simulated Accelerator"
rates = []
[[power]]
device = 0
idle_w = 80.0
counter = true
update_period_s = 0.1
temperature_c = 44
core_clock_hz = 1.98e9
power_limit_w = 700
processes = 2
ecc_corrected_per_s = 5
ecc_uncorrected_at_s = [2.0]
driver_error_at_s = []
outages_s = [[4.0, 6.0]]
[[power]]
scope = "wall-ac"
idle_w = 420.0
update_period_s = 1.0
gone_after_s = 5.0
"#;

fn wattmark(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wattmark")).args(args).env("COLUMNS", "120").output().unwrap()
}

fn script(folder: &Path) -> PathBuf {
    let path = folder.join("sensors.toml");
    std::fs::write(&path, SENSORS).unwrap();
    path
}

fn watch(args: &[&str]) -> (String, String, i32) {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path());
    let mut all = vec!["watch", "--simulate", path.to_str().unwrap()];
    all.extend(args);
    let out = wattmark(&all);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&out.stdout), text(&out.stderr), out.status.code().unwrap())
}

/// Value of a figure in the rows of the last update.
fn last<'a>(rows: &'a str, source: &str, quantity: &str) -> &'a str {
    let wanted = |row: &&str| {
        let cells: Vec<&str> = row.split(',').collect();
        cells[2] == source && cells[6] == quantity
    };
    rows.lines().rfind(wanted).unwrap().split(',').nth(7).unwrap()
}

#[test]
fn rows_hold_power_energy_and_state_with_units_and_nothing_where_nothing_was_read() {
    let (rows, notes, code) = watch(&["--for", "3s"]);
    assert_eq!((code, notes.as_str()), (0, ""));
    assert!(rows.starts_with("utc,elapsed_s,source,device,scope,evidence,quantity,value,unit\n"));
    assert_eq!(rows.lines().filter(|row| row.contains("scripted:0") && row.contains(",power,80,W")).count(), 3);
    assert!((last(&rows, "scripted:1", "energy").parse::<f64>().unwrap() - 1260.0).abs() < 1e-6);
    assert_eq!(last(&rows, "scripted:0", "core-clock"), "1980000000");
    assert!(rows.contains("scripted:1,host,wall-ac,measured"));
    let (rows, ..) = watch(&["--for", "9s"]);
    assert_eq!(last(&rows, "scripted:1", "power"), "", "a dead meter reads nothing, not zero");
    let read: f64 = last(&rows, "scripted:0", "covered-time").parse().unwrap();
    assert!((7.0..7.5).contains(&read), "{read} s of 9 s were read");
    let energy: f64 = last(&rows, "scripted:0", "energy").parse().unwrap();
    assert!((energy - 80.0 * read).abs() < 1e-6, "energy is that of the time that was read");
}

#[test]
fn the_table_groups_sources_by_device_and_gives_the_reason_of_a_missing_reading() {
    let (text, _, code) = watch(&["--for", "8s", "--format", "table"]);
    assert_eq!(code, 0);
    let block = text.rsplit("wattmark watch").next().unwrap();
    assert!(block.contains("00:00:08"));
    assert!(block.contains("device 0  Simulated Accelerator   44 °C   core 1980 MHz   11 % of 700 W   2 processes"));
    let heading = block.lines().find(|line| line.starts_with("device 0")).unwrap();
    assert!(
        heading.ends_with("uncorrected memory errors: 1"),
        "a counter at 0 or of mended errors is no news: {heading}"
    );
    assert!(block.contains("no reading: the scripted sensor vanished"));
    let wall = block.lines().find(|line| line.contains("scripted:1")).unwrap();
    assert!(wall.contains("wall AC") && wall.contains('—') && wall.contains("420"), "{wall}");
    assert!(text.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn wrong_input_is_named_and_no_sensor_is_said_with_what_to_do() {
    for (args, word, code) in [
        (&["--interval", "10ms"][..], "shorter than the sampler's period", 2),
        (&["--interval", "soon"], "interval", 2),
        (&["--for", "-3s"], "for", 2),
        (&["--sampler-hz", "0"], "--sampler-hz is 0", 2),
        (&["--power", "scriptd:x"], "did you mean `scripted`?", 2),
        (&["--power", "none"], "wattmark doctor", 5),
    ] {
        let (out, notes, got) = watch(args);
        assert!(notes.contains(word) && got == code && out.is_empty(), "{args:?}: {got} {notes}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_watch_on_the_wall_clock_as_a_success() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("meter.csv");
    std::fs::write(&file, "time,watts\n0,100\n1,100\n2,100\n3,100\n4,100\n5,100\n6,100\n").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_wattmark"))
        .args(["watch", "--power", &format!("csv:{}", file.display()), "--interval", "200ms"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut row = String::new();
    while !row.contains(",power,100,W") {
        row.clear();
        assert!(std::io::BufRead::read_line(&mut reader, &mut row).unwrap() > 0, "it ended by itself");
    }
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
