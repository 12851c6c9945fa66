//! `wattmark export` as a user meets it.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records/v1.0.json")
}

fn export(format: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
    command.arg("export").arg(golden()).args(["--format", format]);
    command
}

#[test]
fn every_format_goes_to_standard_output() {
    for (format, beginning) in [
        (
            "csv",
            "run,device,problem,variant,shape,element,data,metric,unit,value,low,high,n,scope,evidence,status,note\n",
        ),
        ("traces", "t_s,source,scope,channel,unit,value\n"),
        ("markdown", "- **run**: 20260822T101530Z-node07-3f9c"),
        ("json", "{\n"),
    ] {
        export(format).assert().success().stderr("").stdout(predicate::str::starts_with(beginning));
    }
}

#[test]
fn traces_hold_every_reading_and_no_zero_in_place_of_a_gap() {
    let output = export("traces").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let gaps = text.lines().filter(|line| line.contains("power.instant") && line.ends_with(',')).count();
    assert_eq!(gaps, 3);
    assert!(!text.lines().any(|line| line.ends_with(",0")));
}

#[test]
fn json_can_be_parsed_and_names_skips_and_failures() {
    let output = export("json").output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["skips"].as_array().unwrap().len(), 2);
    assert_eq!(value["failed"][0]["variant"], "gemm/naive-f32");
}

#[test]
fn a_file_is_written_whole_and_the_record_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("figures.csv");
    export("csv").arg("--out").arg(&file).assert().success().stdout("").stderr(predicate::str::contains("wrote"));
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("run,device"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");

    let record = folder.path().join("run.json");
    std::fs::copy(golden(), &record).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
    command.arg("export").arg(&record).args(["--format", "json", "--out"]).arg(&record);
    command.assert().code(2).stderr(predicate::str::contains("never overwritten"));
    assert_eq!(std::fs::read(&record).unwrap(), std::fs::read(golden()).unwrap());
}

#[test]
fn an_unknown_format_is_refused_with_the_formats_there_are() {
    export("parquet").assert().code(2).stderr(predicate::str::contains("csv, traces, markdown, json"));
}
