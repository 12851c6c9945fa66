//! `--inject-error` through the binary: a flipped bit of every problem's output is caught, gives no rate, and is told.
//!
//! What surprises people: exit 4 is the good outcome here, and 1 the bad one.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use wattmark::measure::result::evaluate;
use wattmark::model::{RunRecord, SkipReason, Verification};
use wattmark::store;
use wattmark::workload::problems;

/// A device that needs no GPU.
const SCRIPT: &str =
    "[[device]]\nname = \"Simulated Accelerator\"\n[[device.rates]]\nvariant = \"*\"\nseconds_per_dispatch = 1e-3\n";

/// The least of a protocol: one window of 30 ms.
const BRIEF: &[&str] = &[
    "--inject-error",
    "--idle",
    "0",
    "--preheat-min",
    "0",
    "--window",
    "30ms",
    "--windows",
    "1",
    "--submission",
    "15ms",
    "--power",
    "none",
    "--no-figures",
    "--device",
    "0",
];

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("wattmark").unwrap();
    for variable in ["WATTMARK_GRID", "WATTMARK_PUE", "WATTMARK_RESULTS"] {
        command.env_remove(variable);
    }
    command.current_dir(folder).arg("run").args(BRIEF).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn record(folder: &Path) -> RunRecord {
    let run = std::fs::read_dir(folder.join("results")).unwrap().next().unwrap().unwrap();
    store::read(&run.path().join("run.json")).unwrap().record
}

/// Demands that every case failed by its injected error, and returns the record.
fn all_caught(folder: &Path, output: &Output) -> RunRecord {
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{told}{}", text(&output.stdout));
    let record = record(folder);
    let count = record.measurements.len();
    assert!(count > 0 && told.contains(&format!("{count} of {count} injected errors were caught")), "{told}");
    for measurement in &record.measurements {
        let label = measurement.case.label();
        let Verification::Failed { detail, when } = &measurement.verification else { panic!("{label} passed") };
        assert!(measurement.injected.as_ref().is_some_and(|error| error.caught), "{label}: {detail}");
        assert!(when.starts_with("after window ") && detail.contains("was flipped on purpose"), "{label}: {detail}");
        assert!(detail.contains("; caught: "), "{label}: {detail}");
    }
    let rates = evaluate(&record);
    assert!(rates.cases.iter().all(|case| case.flop_rate.is_none() && case.byte_rate.is_none() && !case.verified));
    record
}

/// Small extents of every axis that the problems have.
const SHAPE: &str = "n=m=131,k=256,steps=32,lanes=33,rows=19,cols=259,heads=4,kv_heads=2,seq=37,context=133,dim=32,tokens=9,d=65,f=71,batch=2,channels=5,height=13,width=11,filters=7,kernel=3,vocab=97";

/// As [`SHAPE`], with those axes alone that some problem has.
fn shape() -> String {
    let known: BTreeSet<&str> = problems().iter().flat_map(|problem| problem.axes()).map(|axis| axis.name).collect();
    let keep = |item: &&str| item.split('=').all(|part| part.parse::<u64>().is_ok() || known.contains(part));
    SHAPE.split(',').filter(keep).collect::<Vec<_>>().join(",")
}

#[test]
fn a_flipped_bit_of_every_problem_is_caught_on_an_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["--shape", &shape()]);
    let record = all_caught(folder.path(), &output);
    let caught: BTreeSet<&str> = record.measurements.iter().map(|m| m.case.problem.as_str()).collect();
    // Accumulators on matrix units come in groups of 16, so that they have a test of their own.
    let missing: Vec<&str> = problems().iter().map(|problem| problem.id()).filter(|id| !caught.contains(id)).collect();
    let skips = record.skips.iter().map(|skip| format!("{}: {}", skip.case.label(), skip.detail));
    assert_eq!(missing, ["matrix-fma"], "{:?}", skips.collect::<Vec<_>>());
    assert!(text(&output.stdout).contains("INJECTED ERROR after window 1"), "{}", text(&output.stdout));
}

#[test]
fn a_flipped_bit_on_matrix_units_is_caught_or_the_device_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["--no-ceilings", "--kernel", "matrix-fma", "--shape", "n=48,steps=32"]);
    let skips = record(folder.path()).skips;
    assert!(skips.iter().all(|skip| skip.reason == SkipReason::MissingFeature), "{skips:?}");
    if record(folder.path()).measurements.is_empty() {
        assert!(skips.iter().any(|skip| skip.detail.contains("cooperative-matrix")), "{skips:?}");
    } else {
        all_caught(folder.path(), &output);
    }
}

#[test]
fn a_flipped_bit_is_caught_on_every_pattern_of_data() {
    let folder = tempfile::tempdir().unwrap();
    let patterns = "normal,uniform,zeros,constant,sparse";
    let kernels = "gemm/naive-f32,memory-copy,softmax,rmsnorm,fma/chains-f32";
    let chosen = ["--no-ceilings", "--kernel", kernels, "--data", patterns];
    let output = run(folder.path(), &[&chosen[..], &["--shape", "n=m=k=65,steps=16,rows=cols=33"]].concat());
    assert_eq!(all_caught(folder.path(), &output).measurements.len() % 5, 0);
}

#[test]
fn a_flipped_bit_is_caught_on_a_simulated_device_in_order_and_in_turns() {
    for preset in [&[][..], &["--preset", "publication"]] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
        let shape = ["--simulate", "script.toml", "--shape", "m=n=k=64", "--kernel", "gemm/*"];
        let record = all_caught(folder.path(), &run(folder.path(), &[&shape, preset].concat()));
        assert!(record.measurements.iter().all(|measurement| measurement.measured().count() == 1));
        assert!(record.plan.inject_error);
    }
}

#[test]
fn a_case_that_is_wrong_anyway_is_not_counted_among_the_caught() {
    let folder = tempfile::tempdir().unwrap();
    let fault = "[[device.faults]]\nkind = \"wrong-output\"\nvariant = \"gemm/naive-f32\"\n";
    std::fs::write(folder.path().join("script.toml"), format!("{SCRIPT}{fault}")).unwrap();
    let kernels = "gemm/naive-f32,gemm/tiled-f32";
    let simulated = ["--simulate", "script.toml", "--no-ceilings"];
    let output = run(folder.path(), &[&simulated[..], &["--shape", "m=n=k=32", "--kernel", kernels]].concat());
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("1 of 1 injected errors were caught"), "{told}");
    assert!(told.contains("no error could be injected into 1 measured case;"), "{told}");
}
