//! `wattmark fleet` over folders of records: which nodes it names and why, and what it does with files that are no records.

#![allow(clippy::unwrap_used, clippy::panic)]

mod fleet_support;

use std::path::Path;

use assert_cmd::Command;
use fleet_support::{healthy, save, scale, scatter, set, write_many};
use serde_json::Value;
use wattmark::model::{CheckOutcome, Grade, Phase, Qualification, RunStatus};
use wattmark::stats::SplitMix64;

fn fleet(args: &[&str]) -> std::process::Output {
    Command::cargo_bin("wattmark").unwrap().arg("fleet").args(args).output().unwrap()
}

fn text(args: &[&str]) -> String {
    let output = fleet(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&text(&[args, &["--json"]].concat())).unwrap()
}

fn names(fleet: &Value) -> Vec<&str> {
    fleet["off"].as_array().unwrap().iter().map(|device| device["host"].as_str().unwrap()).collect()
}

/// Twenty nodes in four racks with 1 % scatter.
fn twenty() -> Vec<Qualification> {
    let mut random = SplitMix64::new(7);
    let mut all = Vec::new();
    for number in 0..20 {
        let mut node = healthy(&format!("n{number:02}"));
        scatter(&mut node, &mut random);
        node.labels.insert("rack".to_owned(), format!("r{}", number / 5));
        all.push(node);
    }
    all
}

fn saved(nodes: &[Qualification]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for node in nodes {
        save(folder.path(), node);
    }
    folder
}

fn path(folder: &tempfile::TempDir) -> &str {
    folder.path().to_str().unwrap()
}

#[test]
fn a_sound_fleet_has_nothing_off_and_the_exit_code_says_so() {
    let folder = saved(&twenty());
    let found = text(&[path(&folder), "--fail-on-outlier"]);
    assert!(found.contains("no device of 20 is off"), "{found}");
    assert!(found.lines().all(|line| line.chars().count() <= 120), "{found}");
}

#[test]
fn each_sick_node_is_named_once_with_its_reason_and_the_gravest_stand_first() {
    let mut nodes = twenty();
    for id in ["arithmetic.rate.mean", "arithmetic.rate.p1", "arithmetic.efficiency.mean"] {
        scale(&mut nodes[3], id, 0.8);
    }
    set(&mut nodes[5], "temperature.max", 92.0);
    set(&mut nodes[5], "throttle.thermal", 0.3);
    nodes[8].devices[0].outputs[1].seen[0].sha256 = "f".repeat(64);
    nodes[11].status = RunStatus::Running;
    nodes[11].ended = None;
    set(&mut nodes[13], "ecc.uncorrected", 2.0);
    let failed = CheckOutcome {
        code: "Q23".to_owned(),
        title: "power limit".to_owned(),
        grade: Grade::Fail,
        detail: "reaches 61 % of its limit".to_owned(),
        ..nodes[15].devices[0].checks[0].clone()
    };
    nodes[15].devices[0].checks.insert(0, failed);
    nodes[15].devices[0].grade = Grade::Fail;
    let folder = saved(&nodes);
    let args = [path(&folder), "--stale", "0s"];
    let found = json(&args);
    assert_eq!(names(&found), ["n08", "n11", "n13", "n15", "n05", "n03"], "{}", text(&args));
    let why = |index: usize| found["off"][index]["reasons"][0]["text"].as_str().unwrap();
    assert!(
        why(0).contains("arithmetic output ffffffff differs from 00000000 that 19 of 20 devices left"),
        "{}",
        why(0)
    );
    assert!(why(1).starts_with("it never ended; last saved at 20"), "{}", why(1));
    assert!(why(2).contains("ecc.uncorrected 2 (0 expected)"), "{}", why(2));
    assert!(why(3).contains("power limit: reaches 61 %"), "{}", why(3));
    assert!(why(4).contains("throttle.thermal +30.0 points") || why(4).contains("temperature.max +2"), "{}", why(4));
    assert!(why(5).contains("arithmetic.") && why(5).contains("from the median of 19"), "{}", why(5));
    let shown = text(&args);
    assert!(
        shown.split_whitespace().collect::<Vec<_>>().join(" ").contains(
            "6 of 20 devices are off (30.0 %): 1 with wrong outputs, 1 stopped, 1 with memory errors, 1 failed on their own, 2 far from the others"
        ),
        "{shown}"
    );
    assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
    assert_eq!(fleet(&[path(&folder), "--fail-on-outlier"]).status.code(), Some(6));
}

#[test]
fn a_hot_rack_is_named_though_none_of_its_devices_is() {
    let mut nodes = twenty();
    for (number, node) in nodes.iter_mut().enumerate() {
        // Racks scatter by 4 K; the hot one lies 7 K above.
        let base = 60.0 + (number % 5) as f64;
        set(node, "temperature.max", if number / 5 == 2 { base + 7.0 } else { base });
    }
    let folder = saved(&nodes);
    let found = json(&[path(&folder), "--by", "rack", "--metric", "temperature.max"]);
    assert_eq!(found["off"].as_array().unwrap().len(), 0);
    assert_eq!(found["places"][0]["name"], "r2");
    let reason = &found["places"][0]["reasons"][0];
    assert_eq!(
        (reason["value"].as_f64(), reason["median"].as_f64(), reason["distance"].as_f64()),
        (Some(69.0), Some(62.0), Some(7.0))
    );
    assert!(found["places"][1]["reasons"].as_array().unwrap().is_empty());
    let refused = fleet(&[path(&folder), "--by", "rak"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("did you mean `rack`?"));
}

#[test]
fn an_output_without_a_majority_blames_nobody_and_drivers_are_held_apart_for_floats_alone() {
    let mut nodes: Vec<Qualification> = (0..4).map(|number| healthy(&format!("n{number}"))).collect();
    for node in &mut nodes[2..] {
        node.devices[0].outputs[1].seen[0].sha256 = "e".repeat(64);
    }
    let found = json(&[path(&saved(&nodes))]);
    assert!(names(&found).is_empty());
    assert!(found["notes"].to_string().contains("2 different outputs on 4 devices"), "{}", found["notes"]);
    // Another driver may round otherwise.
    for node in &mut nodes[2..] {
        node.devices[0].device.driver_info = "2.0".to_owned();
    }
    assert!(!json(&[path(&saved(&nodes))])["notes"].to_string().contains("different outputs"));
    // Integers are the same everywhere.
    let integer = &mut nodes[3].devices[0].outputs[0];
    assert_eq!(integer.phase, Phase::Integer);
    integer.seen[0].sha256 = "d".repeat(64);
    assert_eq!(names(&json(&[path(&saved(&nodes))])), ["n3"]);
}

#[test]
fn the_newest_record_of_a_device_counts_and_one_under_way_replaces_nothing() {
    let mut nodes = twenty();
    let mut again = nodes[4].clone();
    again.id = "20260901T101530Z-n04-0001".to_owned();
    again.started = "2026-09-01T10:15:30Z".to_owned();
    again.ended = Some("2026-09-01T10:45:30Z".to_owned());
    scale(&mut again, "memory.rate.mean", 0.7);
    let mut under_way = nodes[6].clone();
    under_way.id = "20260901T101530Z-n06-0001".to_owned();
    under_way.started = jiff::Timestamp::now().to_string();
    under_way.status = RunStatus::Running;
    nodes.extend([again, under_way]);
    let folder = saved(&nodes);
    let found = json(&[path(&folder)]);
    assert_eq!((names(&found), found["devices"].as_u64()), (vec!["n04"], Some(20)));
    assert!(found["superseded"][0]["path"].as_str().unwrap().contains("20260822T101530Z-n04"));
    assert_eq!(found["running"].as_array().unwrap().len(), 1);
    assert_eq!(json(&[path(&folder), "--all"])["devices"].as_u64(), Some(21));
}

#[test]
#[cfg(unix)]
fn files_that_are_no_records_are_listed_with_the_reason_and_hide_no_other() {
    let folder = saved(&twenty());
    let at = |name: &str| folder.path().join(name);
    let golden = std::fs::read_to_string(at("20260822T101530Z-n00-3f9c/qualification.json")).unwrap();
    std::fs::write(at("empty.json"), "").unwrap();
    std::fs::write(at("truncated.json"), &golden[..golden.len() / 2]).unwrap();
    std::fs::write(at("other.json"), "{\"a\": 1}").unwrap();
    std::fs::write(at("list.json"), "[1, 2]").unwrap();
    std::fs::write(at("schema.json"), golden.replace("wattmark/qualification", "wattmark/sensors")).unwrap();
    std::fs::write(at("newer.json"), golden.replacen("\"major\": 1", "\"major\": 9", 1)).unwrap();
    std::fs::write(at("binary.json"), [0xff, 0xfe, 0x00]).unwrap();
    std::fs::File::create(at("huge.json")).unwrap().set_len(5 << 30).unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("dangling.json")).unwrap();
    std::process::Command::new("mkfifo").arg(at("pipe.json")).status().unwrap();
    std::fs::create_dir(at("folder.json")).unwrap();
    // A segment beside a qualification is in it already.
    std::fs::write(at("20260822T101530Z-n00-3f9c/segment-0001.json"), "{").unwrap();
    let found = json(&[path(&folder)]);
    assert_eq!(found["devices"].as_u64(), Some(20));
    let why: std::collections::BTreeMap<String, String> = found["unreadable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            let name = Path::new(file["path"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
            (name, file["why"].as_str().unwrap().to_owned())
        })
        .collect();
    println!("{why:#?}");
    for (name, part) in [
        ("empty.json", "0 bytes"),
        ("truncated.json", "ends"),
        ("other.json", "schema"),
        ("list.json", "no object"),
        ("schema.json", "wattmark/sensors"),
        ("newer.json", "9.0"),
        ("binary.json", "UTF-8"),
        ("huge.json", "too large: 5120 MB"),
        ("dangling.json", "a link to nothing"),
        ("pipe.json", "no regular file"),
    ] {
        assert!(why.get(name).is_some_and(|why| why.contains(part)), "{name}: {:?}", why.get(name));
    }
    assert_eq!(why.len(), 10, "{why:?}");
}

#[test]
fn records_of_other_lengths_and_versions_are_groups_of_their_own_and_odd_clocks_are_told() {
    let mut nodes = twenty();
    for node in &mut nodes[10..] {
        node.planned_s = wattmark::units::Seconds::new(120.0);
        scale(node, "memory.rate.mean", 0.5);
    }
    nodes[0].started = "2090-01-01T00:00:00Z".to_owned();
    nodes[0].ended = None;
    nodes[1].ended = Some("2026-08-22T09:00:00Z".to_owned());
    let found = json(&[path(&saved(&nodes))]);
    assert!(names(&found).is_empty(), "{:?}", names(&found));
    assert_eq!(found["groups"].as_array().unwrap().len(), 2);
    let clocks = found["clocks"].to_string();
    assert!(
        clocks.contains("starts in the future (2090-01-01 00:00:00 UTC)") && clocks.contains("ended before it started"),
        "{clocks}"
    );
}

#[test]
fn lists_name_records_and_a_fleet_of_nothing_is_an_error() {
    let folder = saved(&twenty()[..9]);
    let list = folder.path().join("nodes.txt");
    let one = folder.path().join("20260822T101530Z-n00-3f9c/qualification.json");
    std::fs::write(&list, format!("# nodes\n{}\n\n{}\n", one.display(), folder.path().join("gone.json").display()))
        .unwrap();
    let found = json(&[list.to_str().unwrap()]);
    assert_eq!((found["devices"].as_u64(), found["unreadable"].as_array().unwrap().len()), (Some(1), 1));
    let piped = Command::cargo_bin("wattmark")
        .unwrap()
        .args(["fleet", "-", "--json"])
        .write_stdin(path(&folder))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&piped.stdout).contains("\"devices\": 9"));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(fleet(&[path(&empty)]).status.code(), Some(7));
    assert_eq!(fleet(&["/nowhere/at/all"]).status.code(), Some(2));
    assert_eq!(fleet(&[path(&folder), "--z", "-1"]).status.code(), Some(2));
    assert_eq!(fleet(&[path(&folder), "--limit-percent", "nan"]).status.code(), Some(2));
}

#[test]
fn the_csv_holds_every_metric_of_every_device_and_formulas_stay_text() {
    let mut nodes = twenty();
    nodes[2].host.hostname = "=HYPERLINK(1)".to_owned();
    let folder = saved(&nodes);
    let (csv, markdown) = (folder.path().join("fleet.csv"), folder.path().join("fleet.md"));
    text(&[path(&folder), "--csv", csv.to_str().unwrap(), "--markdown", markdown.to_str().unwrap(), "--by", "rack"]);
    let rows = std::fs::read_to_string(csv).unwrap();
    assert_eq!(rows.lines().count(), 1 + 20 * nodes[0].devices[0].metrics.len());
    assert!(rows.contains("\n'=HYPERLINK(1),0,") && !rows.contains("\n=HYPERLINK"));
    assert!(std::fs::read_to_string(markdown).unwrap().contains("| arithmetic.rate.mean | "));
}

/// 20 nodes of eight devices in four racks with 1 % scatter; four of them are sick.
fn hundred_and_sixty() -> Vec<Qualification> {
    let mut random = SplitMix64::new(11);
    let mut all = Vec::new();
    for number in 0..20 {
        let mut node = healthy(&format!("n{number:02}"));
        node.labels.insert("rack".to_owned(), format!("r{}", number / 5));
        let model = node.devices[0].clone();
        node.devices.clear();
        for ordinal in 0..8 {
            let mut one = healthy("x");
            scatter(&mut one, &mut random);
            let mut device = model.clone();
            device.device.ordinal = ordinal;
            device.device.pci = Some(format!("0000:{:02x}:00.0", 0x10 + ordinal).parse().unwrap());
            device.identity = [("uuid".to_owned(), format!("GPU-{number:02}-{ordinal}"))].into();
            device.metrics = one.devices[0].metrics.clone();
            for metric in &mut device.metrics {
                metric.interval = Some((metric.value * 0.99, metric.value * 1.01));
            }
            node.devices.push(device);
        }
        all.push(node);
    }
    for (node, device, id, factor) in [
        (3, 2, "arithmetic.efficiency.mean", 0.8),
        (7, 5, "arithmetic.rate.mean", 0.7),
        (7, 5, "arithmetic.efficiency.mean", 0.78),
        (12, 0, "temperature.rise_per_watt", 1.6),
        (16, 7, "arithmetic.rate.mean", 0.9),
    ] {
        let metrics: &mut Vec<wattmark::model::Metric> = &mut all[node].devices[device].metrics;
        let metric = metrics.iter_mut().find(|metric| metric.id == id).unwrap();
        metric.value *= factor;
        metric.interval = Some((metric.value * 0.99, metric.value * 1.01));
    }
    all
}

#[test]
fn charts_name_the_sick_devices_and_their_csv_holds_the_plotted_numbers() {
    let folder = saved(&hundred_and_sixty());
    let out =
        std::env::var("WATTMARK_FLEET_CHARTS").map_or_else(|_| folder.path().join("charts"), std::path::PathBuf::from);
    let shown = text(&[path(&folder), "--by", "rack", "--plot", out.to_str().unwrap()]);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    for metric in ["arithmetic-rate-mean", "arithmetic-efficiency-mean", "temperature-rise-per-watt"] {
        for kind in ["distribution", "rank"] {
            for ending in ["svg", "csv", "caption.txt"] {
                assert!(!read(&format!("fleet-{kind}-{metric}.{ending}")).is_empty());
            }
        }
    }
    let drawn = read("fleet-distribution-arithmetic-rate-mean.svg");
    assert!(drawn.contains(">n07 #5<") && drawn.contains(">n16 #7<") && !drawn.contains(">n03 #2<"), "{drawn}");
    let mut ranks = csv::Reader::from_path(out.join("fleet-rank-arithmetic-rate-mean.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = ranks.records().map(Result::unwrap).collect();
    assert_eq!((&rows[0][1], &rows[0][2], &rows[0][4], &rows[0][12]), ("n07", "5", "r1", "yes"));
    assert_eq!((&rows[1][1], &rows[1][2], &rows[1][12], &rows[2][12]), ("n16", "7", "yes", "no"));
    // The record states 1 % to either side.
    let (value, low): (f64, f64) = (rows[0][5].parse().unwrap(), rows[0][6].parse().unwrap());
    assert!((low / value - 0.99).abs() < 1e-9, "{low} {value}");
    assert!(read("fleet-rank-temperature-rise-per-watt.svg").contains("1. n12 #0 (r2)"));
    // The table helps to find the board.
    assert!(shown.contains("5 0000:15:00.0"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
    let one = folder.path().join("one");
    text(&[path(&folder), "--metric", "memory.rate.p1", "--plot", one.to_str().unwrap()]);
    assert_eq!(std::fs::read_dir(one).unwrap().count(), 6);
    let refused = fleet(&[path(&folder), "--plot", "/dev/null/x"]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--plot"));
}

#[test]
fn metrics_for_prometheus_count_the_fleet_and_promtool_accepts_them() {
    let folder = saved(&hundred_and_sixty());
    std::fs::write(folder.path().join("broken.json"), "{").unwrap();
    let file = folder.path().join("fleet.prom");
    std::fs::write(&file, "old").unwrap();
    text(&[path(&folder), "--openmetrics", file.to_str().unwrap()]);
    let metrics = std::fs::read_to_string(&file).unwrap();
    for line in [
        "wattmark_fleet_devices 160",
        "wattmark_fleet_devices_off 4",
        "wattmark_fleet_devices_off_by_reason{reason=\"outlier\"} 4",
        "wattmark_fleet_devices_off_by_reason{reason=\"wrong output\"} 0",
        "wattmark_fleet_records{state=\"unreadable\"} 1",
        "# UNIT wattmark_fleet_median_flop_per_joule flop_per_joule",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    let named = metrics.lines().find(|line| {
        line.starts_with("wattmark_fleet_metric_outliers") && line.contains("metric=\"arithmetic.rate.mean\"")
    });
    assert!(named.unwrap().ends_with(" 2"), "{named:?}");
    // Nothing is left beside it, and a collector of another user may read it.
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().contains(".tmp")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o044, 0o044);
    }
    if let Some(promtool) = std::env::var_os("WATTMARK_PROMTOOL") {
        let metrics = std::fs::File::open(&file).unwrap();
        let checked = std::process::Command::new(promtool).args(["check", "metrics"]).stdin(metrics).output().unwrap();
        let said = [checked.stdout, checked.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert!(checked.status.success(), "{said}");
    }
    let refused = fleet(&[path(&folder), "--openmetrics", "/nowhere/at/all/x.prom"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot write /nowhere/at/all/x.prom"));
}

/// Also writes a large fleet for measurements of speed: `WATTMARK_FLEET_DIR=/tmp/f WATTMARK_FLEET_RECORDS=100000`.
#[test]
fn a_generated_fleet_is_read_whole() {
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var("WATTMARK_FLEET_DIR").unwrap_or_else(|_| path(&own).to_owned());
    let count = std::env::var("WATTMARK_FLEET_RECORDS").map_or(300, |count| count.parse().unwrap());
    write_many(Path::new(&folder), count);
    let output = fleet(&[&folder, "--json"]);
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["devices"], count);
}
