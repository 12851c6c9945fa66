//! `wattmark plot` through the binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "figure/samples.rs"]
#[allow(dead_code)]
mod samples;

use assert_cmd::Command;
use predicates::prelude::*;

/// A folder with the record of a run.
fn run_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let record = serde_json::to_string(&samples::h200().0).unwrap();
    std::fs::write(folder.path().join("run.json"), record).unwrap();
    folder
}

fn plot() -> Command {
    let mut command = Command::cargo_bin("wattmark").unwrap();
    command.arg("plot");
    command
}

#[test]
fn figures_are_written_beside_the_record_with_csv_and_caption_and_their_paths_are_printed() {
    let folder = run_folder();
    let output = plot().arg(folder.path()).assert().success().get_output().stdout.clone();
    let printed = String::from_utf8(output).unwrap();
    for ending in ["svg", "csv", "caption.txt"] {
        let path = folder.path().join("figures").join(format!("power-trace.{ending}"));
        assert!(printed.lines().any(|line| line == path.to_str().unwrap()), "{printed}");
        assert!(std::fs::metadata(&path).unwrap().len() > 0);
    }
}

#[test]
fn only_the_figures_that_are_named_are_drawn_at_the_width_that_is_asked_for() {
    let (folder, out) = (run_folder(), tempfile::tempdir().unwrap());
    let arguments = ["--figure", "power-trace", "--width", "120"];
    plot().arg(folder.path().join("run.json")).arg("--out").arg(out.path()).args(arguments).assert().success();
    let mut names: Vec<_> = std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["power-trace.caption.txt", "power-trace.csv", "power-trace.svg"]);
    let drawn = std::fs::read_to_string(out.path().join("power-trace.svg")).unwrap();
    assert!(drawn.contains("width=\"120mm\""));
}

#[test]
fn an_unknown_figure_or_width_is_a_usage_error_that_names_the_choices() {
    let folder = run_folder();
    let with = |arguments: [&str; 2]| plot().arg(folder.path()).args(arguments).assert().code(2);
    with(["--figure", "pie"]).stderr(predicate::str::contains("throughput-power"));
    with(["--width", "wide"]).stderr(predicate::str::contains("single, double"));
}

#[test]
fn a_missing_truncated_or_foreign_record_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let refused = || plot().arg(folder.path()).assert().code(7).stderr(predicate::str::contains("run.json"));
    refused();
    for content in ["{\"schema\": \"wattmark/run\", \"vers", "{}", "[1, 2]"] {
        std::fs::write(&path, content).unwrap();
        refused();
    }
}
