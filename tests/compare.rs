//! `wattmark compare` through the program: several records, rules with their exit codes, forced ratios, one device of a record.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use serde_json::Value;

/// A machine of simulated devices: rate in FLOP/s, watts under load and scope of each.
fn machine(devices: &[(f64, f64, &str)]) -> String {
    let mut text = String::new();
    for (ordinal, (rate, watts, scope)) in devices.iter().enumerate() {
        text.push_str(&format!(
            "[[device]]\nname = 'Simulated {ordinal}'\n[[device.rates]]\nvariant = '*'\nflop_per_s = {rate}\n\
             [[power]]\ndevice = {ordinal}\nscope = '{scope}'\nupdate_period_s = 0.001\nidle_w = 50.0\ncounter = true\n\
             stated_error = 0.01\n[[power.busy]]\nvariant = '*'\nwatts = {watts}\n"
        ));
    }
    text
}

/// Runs two cases on such a machine and gives the folder of the record.
fn ran(folder: &Path, name: &str, devices: &[(f64, f64, &str)]) -> PathBuf {
    let results = folder.join(name);
    std::fs::write(folder.join(format!("{name}.toml")), machine(devices)).unwrap();
    let line = format!(
        "run --preset quick --no-ceilings --no-figures --kernel gemm/tiled-f32,gemm/naive-f32 --shape m=n=k=64 --simulate \
         {name}.toml --results {name}"
    );
    cargo_bin_cmd!("wattmark").current_dir(folder).args(line.split_whitespace()).assert().success();
    let run = std::fs::read_dir(results).unwrap().next().unwrap().unwrap().path();
    assert!(run.join("run.json").is_file());
    run
}

fn compare(paths: &[&Path], flags: &[&str]) -> assert_cmd::assert::Assert {
    cargo_bin_cmd!("wattmark").arg("compare").args(paths).args(flags).assert()
}

fn json(paths: &[&Path], flags: &[&str]) -> Value {
    let output = compare(paths, &[flags, &["--json"]].concat());
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

#[test]
fn several_records_are_compared_with_the_first_and_summed_up_above() {
    let folder = tempfile::tempdir().unwrap();
    let a = ran(folder.path(), "a", &[(1e12, 300.0, "board")]);
    let b = ran(folder.path(), "b", &[(1.5e12, 300.0, "board")]);
    let c = ran(folder.path(), "c", &[(0.5e12, 300.0, "board")]);
    let said = json(&[&a, &b, &c], &[]);
    let ratio = |index: usize| said["comparisons"][index]["pairs"][0]["speed"]["ratio"].as_f64().unwrap();
    assert!((ratio(0) - 1.5).abs() < 0.01 && (ratio(1) - 0.5).abs() < 0.01, "{} {}", ratio(0), ratio(1));
    compare(&[&a, &b, &c], &[]).success().stdout(
        predicate::str::contains("speed B/A")
            .and(predicate::str::contains("2 better"))
            .and(predicate::str::contains("2 worse"))
            .and(predicate::str::contains("C against A (in this part B stands for C)")),
    );
    let text = String::from_utf8(compare(&[&a, &b, &c], &[]).get_output().stdout.clone()).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn a_rule_ends_with_6_where_it_is_broken_5_where_it_cannot_be_told_and_0_where_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let a = ran(folder.path(), "a", &[(1e12, 300.0, "board")]);
    let slower = ran(folder.path(), "b", &[(0.9e12, 300.0, "board")]);
    let hungry = ran(folder.path(), "c", &[(1e12, 400.0, "board")]);
    let package = ran(folder.path(), "d", &[(1e12, 300.0, "package")]);
    let ends = |b: &Path, rule: &str, code: i32| {
        compare(&[&a, b], &["--fail-if", rule]).code(code).stdout(predicate::str::contains("Rule"))
    };
    ends(&slower, "speed < -3%", 6)
        .stdout(predicate::str::contains("BROKEN by 2 cases").and(predicate::str::contains("-10.0 %")));
    ends(&slower, "speed < -15%", 0).stdout(predicate::str::contains("kept by 2 cases"));
    ends(&slower, "mean speed < -3%", 6);
    // The same work in the same time at 400 W for 300 W: a third more joules, grams and money for them.
    ends(&hungry, "efficiency < -20%", 6);
    ends(&hungry, "carbon > 30%", 6);
    ends(&hungry, "money > 30%", 6);
    ends(&hungry, "speed < -3%", 0);
    // Energy of another scope is refused, so nothing can be told, and a forced ratio tells nothing either.
    ends(&package, "efficiency < -3%", 5).stdout(predicate::str::contains("UNDECIDED on 2 cases"));
    compare(&[&a, &package], &["--fail-if", "efficiency < -3%", "--force"]).code(5);
    // The first rule that is broken decides, whatever else is undecided.
    compare(&[&a, &slower], &["--fail-if", "speed < -3%", "--fail-if", "speed < -50%"]).code(6);
}

#[test]
fn energies_of_other_scope_are_refused_unless_forced_and_then_they_have_no_interval_and_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let a = ran(folder.path(), "a", &[(1e12, 300.0, "board")]);
    let b = ran(folder.path(), "b", &[(1e12, 150.0, "package")]);
    let refused = json(&[&a, &b], &[]);
    assert_eq!(refused["comparisons"][0]["pairs"][0]["efficiency"]["state"], "refused");
    assert_eq!(refused["comparisons"][0]["mean_efficiency"], Value::Null);
    let forced = json(&[&a, &b], &["--force"]);
    let pair = &forced["comparisons"][0]["pairs"][0];
    let efficiency = &pair["efficiency"];
    assert!((efficiency["ratio"].as_f64().unwrap() - 2.0).abs() < 0.1, "{efficiency}");
    assert_eq!(
        (&efficiency["interval"], &efficiency["p"], &efficiency["verdict"]),
        (&Value::Null, &Value::Null, &"unclear".into())
    );
    assert!(efficiency["forced"].as_str().unwrap().contains("scopes differ"));
    assert_eq!(forced["comparisons"][0]["mean_efficiency"], Value::Null, "a forced ratio is in no mean");
    compare(&[&a, &b], &["--force"]).success().stdout(
        predicate::str::contains("measured board against")
            .and(predicate::str::contains("forced, so there is no verdict")),
    );
}

#[test]
fn one_device_of_a_record_is_compared_with_another_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = ran(folder.path(), "both", &[(1e12, 300.0, "board"), (2e12, 300.0, "board")]);
    let device = |ordinal: &str| PathBuf::from(format!("{}#{ordinal}", run.display()));
    let said = json(&[&device("0"), &device("1")], &[]);
    let pairs = said["comparisons"][0]["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 2);
    assert!((pairs[0]["speed"]["ratio"].as_f64().unwrap() - 2.0).abs() < 0.01);
    assert_eq!(said["comparisons"][0]["same_record"], false);
    compare(&[&device("0"), &device("7")], &[])
        .code(2)
        .stderr(predicate::str::contains("has no device 7; its devices: 0 (Simulated 0), 1"));
    compare(&[&run, &run], &[]).success().stdout(predicate::str::contains("one and the same record"));
}

#[test]
fn the_banner_says_what_differs_before_any_figure() {
    let folder = tempfile::tempdir().unwrap();
    let a = ran(folder.path(), "a", &[(1e12, 300.0, "board")]);
    let other = folder.path().join("other.json");
    let text = std::fs::read_to_string(a.join("run.json")).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    record["devices"][0]["driver_info"] = "580.95".into();
    record["simulated"] = false.into();
    record["provenance"]["device_details"] = serde_json::json!({"0": {"power_cap_w": "500"}});
    record["traces"][0]["source"]["kind"] = "nvml".into();
    std::fs::write(&other, record.to_string()).unwrap();
    let output = compare(&[&a, &other], &[]).success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let banner = &text[..text.find("Result").unwrap()];
    for part in [
        "simulation differs: simulated true | false",
        "driver differs",
        "scripted (measured, board) in A alone; nvml (measured, board) in B alone",
        "580.95",
        "power cap differs",
        "not recorded | 500",
    ] {
        assert!(banner.contains(part), "{part} not in\n{banner}");
    }
}

#[test]
fn wrong_rules_and_too_many_records_exit_2_before_anything_is_read() {
    for (rule, message) in [
        ("efficiency", "one `<` or `>`"),
        ("flops < -3%", "no quantity `flops`"),
        ("speed < -3", "with its %"),
        ("speed < -0.5%", "lower --noise"),
    ] {
        compare(&[Path::new("x"), Path::new("y")], &["--fail-if", rule])
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains(message));
    }
    let many = vec![Path::new("x"); 40];
    compare(&many, &[]).code(2).stderr(predicate::str::contains("wattmark fleet"));
}

#[test]
fn a_buyer_gets_a_year_of_equal_work_as_text_csv_markdown_json_and_chart() {
    let folder = tempfile::tempdir().unwrap();
    let a = ran(folder.path(), "a", &[(1e12, 300.0, "board")]);
    let b = ran(folder.path(), "b", &[(2e12, 400.0, "board")]);
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let flags = [
        "--procurement",
        "--csv",
        &file("p.csv"),
        "--markdown",
        &file("p.md"),
        "--plot",
        &file("plot"),
        "--grid",
        "200g",
    ];
    compare(&[&a, &b], &flags).success().stdout(
        predicate::str::contains("A year of the same work").and(predicate::str::contains("compare-pareto.svg")),
    );
    let said = json(&[&a, &b], &["--grid", "200g"]);
    let rows = &said["procurement"]["workloads"][0]["rows"];
    // Twice as fast: half a device. 300 W and 400 W at 1 and 2 TFLOP/s: 3.33 and 5 GFLOP/J.
    assert!((rows[1]["devices"]["fraction"]["point"].as_f64().unwrap() - 0.5).abs() < 0.01, "{rows}");
    assert!((rows[1]["work_per_j"]["point"].as_f64().unwrap() / 5e9 - 1.0).abs() < 0.05, "{rows}");
    assert_eq!((&rows[0]["standing"]["state"], &rows[1]["standing"]["state"]), (&"beaten".into(), &"on-front".into()));
    let csv = std::fs::read_to_string(file("p.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2);
    assert!(std::fs::read_to_string(file("p.md")).unwrap().contains("## What each device does"));
    for ending in ["svg", "csv", "caption.txt"] {
        assert!(folder.path().join(format!("plot/compare-pareto.{ending}")).is_file(), "{ending}");
    }
    compare(&[&a, &b], &["--csv", "/no/such/folder/p.csv"])
        .code(2)
        .stderr(predicate::str::contains("/no/such/folder/p.csv"));
}
