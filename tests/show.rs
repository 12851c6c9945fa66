//! `wattmark show` as a user meets it.

#![allow(clippy::unwrap_used)] // a test that cannot set itself up must stop

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;

const GOLDEN: &str = include_str!("fixtures/records/v1.0.json");

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records/v1.0.json")
}

fn wattmark() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
    command.env_remove("COLUMNS").env_remove("NO_COLOR");
    command
}

/// A working folder whose `results` holds runs of these names.
fn with_runs(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let run = folder.path().join("results").join(name);
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("run.json"), GOLDEN.replace("20260822T101530Z-node07-3f9c", name)).unwrap();
    }
    folder
}

#[test]
fn a_record_is_shown_with_devices_scope_skips_and_failures() {
    wattmark()
        .arg("show")
        .arg(golden())
        .assert()
        .success()
        .stdout(predicate::str::contains("Simulated Accelerator"))
        .stdout(predicate::str::contains("skipped: the device lacks f16"))
        .stdout(predicate::str::contains("WRONG OUTPUT after window 1"))
        .stdout(predicate::str::contains("\x1b").not())
        .stderr("");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for columns in ["80", "100", "120", "160"] {
        let output = wattmark().env("COLUMNS", columns).arg("show").arg(golden()).output().unwrap();
        let widest = String::from_utf8(output.stdout).unwrap().lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.parse().unwrap(), "{widest} columns at {columns}");
    }
}

#[test]
fn latest_and_the_beginning_of_a_name_find_a_run() {
    let folder = with_runs(&["20260101T000000Z-a-0001", "20260202T000000Z-b-0002"]);
    for (name, found) in [("latest", "20260202T000000Z-b-0002"), ("20260101", "20260101T000000Z-a-0001")] {
        wattmark().current_dir(&folder).args(["show", name]).assert().success().stdout(predicate::str::contains(found));
    }
    wattmark()
        .current_dir(&folder)
        .args(["show", "2026"])
        .assert()
        .code(7)
        .stderr(predicate::str::contains("fits 2 runs").and(predicate::str::contains("Give more of the name")));
}

#[test]
fn unreadable_records_end_with_exit_code_7_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, words) in [
        ("empty.json", String::new(), "0 bytes"),
        ("truncated.json", GOLDEN[..900].to_owned(), "truncated: it ends after 900 bytes"),
        ("foreign.json", "{\"schema\": \"x\"}".to_owned(), "not a wattmark record"),
        ("newer.json", GOLDEN.replacen("\"major\": 1", "\"major\": 2", 1), "Use wattmark 0.1.0"),
        ("field.json", GOLDEN.replacen("\"simulated\": true", "\"simulated\": 1", 1), "field `simulated`"),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        wattmark().arg("show").arg(&file).assert().code(7).stdout("").stderr(predicate::str::contains(words));
    }
    wattmark().args(["show", "nothing-of-that-name"]).assert().code(7).stderr(predicate::str::contains("no record at"));
}

#[test]
fn a_newer_minor_version_is_shown_with_a_warning_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    std::fs::write(&file, GOLDEN.replacen("\"minor\": 0", "\"minor\": 4", 1)).unwrap();
    wattmark().arg("show").arg(&file).assert().success().stderr(predicate::str::contains("record format 1.4 is newer"));
}

#[cfg(unix)]
#[test]
fn a_broken_pipe_is_success() {
    use std::process::{Command, Stdio};
    for arguments in [vec!["show"], vec!["export", "--format", "traces"], vec!["export", "--format", "json"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wattmark"))
            .args(&arguments)
            .arg(golden())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {:?}", output.status);
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
