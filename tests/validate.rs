//! `wattmark validate` as a user meets it.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;

const GOLDEN: &str = include_str!("fixtures/records/v1.0.json");

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records/v1.0.json")
}

#[test]
fn a_sound_record_is_ok() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
    command.arg("validate").arg(golden()).assert().success().stdout(predicate::str::ends_with("v1.0.json: OK\n"));
}

#[test]
fn every_file_is_examined_and_one_finding_is_exit_code_7() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let files = [
        write("unknown.json", &GOLDEN.replacen("\"vendor_id\"", "\"vendor\": 1, \"vendor_id\"", 1)),
        write("truncated.json", &GOLDEN[..1000]),
        write("device.json", &GOLDEN.replacen("\"device\": 0", "\"device\": 5", 1)),
        golden(),
    ];
    Command::new(env!("CARGO_BIN_EXE_wattmark"))
        .arg("validate")
        .args(&files)
        .assert()
        .code(7)
        .stdout(predicate::str::contains("devices[0].vendor: format 1.3 has no such field"))
        .stdout(predicate::str::contains("truncated: it ends after 1000 bytes"))
        .stdout(predicate::str::contains("plan.cases[0].device: the record has no device 5"))
        .stdout(predicate::str::contains("v1.0.json: OK"));
}
