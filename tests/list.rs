//! `wattmark list`: what it prints, and what it says to a name that does not exist.

#![allow(clippy::unwrap_used, reason = "a test outside `#[test]` functions fails by panicking")]

use assert_cmd::Command;
use predicates::prelude::*;

fn list(arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("wattmark").unwrap().arg("list").args(arguments).assert()
}

#[test]
fn every_variant_is_listed_under_its_problem_with_its_parameters() {
    list(&[])
        .success()
        .stdout(predicate::str::contains(
            "\ngemm: Product of two matrices; f32, f16, f16 with f32 results, or int8 with i32 results\n  work: C[m,n] = A[m,k]·B[k,n]; FLOP (int8: integer operations) = 2·m·n·k",
        ))
        .stdout(predicate::str::contains("attention-decode/online-f32"))
        .stdout(predicate::str::contains("needs f16"))
        .stdout(predicate::str::contains("* default   s default on software adapters"))
        .stderr("");
}

#[test]
fn a_pattern_narrows_the_list() {
    list(&["gemv/*"])
        .success()
        .stdout(predicate::str::contains("gemv/rows-f16").and(predicate::str::contains("gemm").not()));
}

#[test]
fn json_has_what_a_script_needs() {
    let output = list(&["--json", "gemm"]).success().get_output().stdout.clone();
    let listing: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let kernels = listing["kernels"].as_array().unwrap();
    assert!(kernels.iter().all(|kernel| kernel["problem"] == "gemm"));
    assert!(kernels.iter().all(|kernel| kernel["id"].as_str().unwrap().ends_with(kernel["element"].as_str().unwrap())));
    let tiled = kernels.iter().find(|kernel| kernel["id"] == "gemm/tiled-f32").unwrap();
    assert_eq!(tiled["shader_sha256"].as_str().unwrap().len(), 64);
    assert!(tiled["params"]["ROWS"]["candidates"].as_array().unwrap().len() > 1);
    assert_eq!(listing["broken"], serde_json::json!([]));
}

#[test]
fn an_unknown_kernel_is_a_usage_error_with_a_suggestion() {
    list(&["gemm/tilde-f32"])
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("no kernel matches `gemm/tilde-f32`, did you mean `gemm/tiled-f32`?"));
}
