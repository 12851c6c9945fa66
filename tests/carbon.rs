//! `wattmark carbon` and `wattmark compare` through the program: wrong factors, PUEs, jobs and records, and their exit codes.

use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;

fn wattmark(args: &[&str]) -> assert_cmd::assert::Assert {
    cargo_bin_cmd!("wattmark").args(args).assert()
}

#[test]
fn wrong_factors_and_pues_exit_2_and_say_what_to_do() {
    let cases: [(&[&str], &str); 9] = [
        (&["--grid", "CN-QX"], "did you mean"),
        (&["--grid", "CN-QH@1999"], "the catalogue has 2023, 2022, 2021"),
        (&["--grid", "179.6"], "write 179.6g"),
        (&["--grid", "-0.1"], "no negative emissions"),
        (&["--grid", "inf"], "infinite"),
        (&["--grid", "no-such.toml"], "cannot read grid factor"),
        (&["--pue", "0.9"], "at least 1"),
        (&["--pue", "nan"], "at least 1"),
        (&["--site", "xinin"], "did you mean xining?"),
    ];
    for (flags, message) in cases {
        let mut args = vec!["carbon", "no-such-record"];
        args.extend(flags);
        wattmark(&args).code(2).stdout("").stderr(predicate::str::contains(message));
    }
    wattmark(&["carbon", "x", "--job", "gemm=0"]).code(2).stderr(predicate::str::contains("gemm=1e18"));
    wattmark(&["compare", "x", "y", "--noise", "200%"]).code(2).stderr(predicate::str::contains("--noise"));
}

#[test]
fn a_factor_file_with_a_wrong_key_exits_2_with_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grid.toml");
    std::fs::write(&file, "intensity_g_per_kWh = 20\ngas = \"CO2\"\n").unwrap();
    wattmark(&["carbon", "no-such-record", "--grid", file.to_str().unwrap()])
        .code(2)
        .stderr(predicate::str::contains("did you mean intensity_g_per_kwh?"));
}

#[test]
fn missing_truncated_and_foreign_records_exit_7_and_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let path = file.to_str().unwrap();
    for command in [&["carbon", path][..], &["compare", path, path]] {
        std::fs::remove_file(&file).ok();
        wattmark(command).code(7).stderr(predicate::str::contains("run.json"));
        for text in ["{\"schema\": \"wattmark/run\", \"vers", "{\"schema\": \"other\"}", "[]", "not json"] {
            std::fs::write(&file, text).unwrap();
            wattmark(command).code(7).stdout("").stderr(predicate::str::contains("run.json"));
        }
    }
}
