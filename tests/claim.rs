//! `wattmark claim` through the program: the sentences a site is sold with, records, rubrics, slips, and exit codes.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

/// The sentences of `docs/checking-claims.md`.
fn sold() -> String {
    let page = include_str!("../docs/checking-claims.md");
    page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// A device of exactly 1 TFLOP/s in GEMM.
const SCRIPT: &str = r#"
[[device]]
name = "Simulated Accelerator"
[[device.rates]]
variant = "*"
flop_per_s = 1e12

[[power]]
device = 0
scope = "board"
update_period_s = 0.02
idle_w = 50.0
counter = true
stated_error = 0.0
[[power.busy]]
variant = "*"
watts = 250.0
"#;

fn wattmark(folder: &Path, args: &[&str]) -> Output {
    Command::cargo_bin("wattmark").unwrap().current_dir(folder).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

fn check(site: &str, more: &[&str]) -> (tempfile::TempDir, Output) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.toml"), site).unwrap();
    let output = wattmark(folder.path(), &[&["claim", "site.toml"], more].concat());
    (folder, output)
}

fn with_claim(keys: &str) -> String {
    format!("grid = \"CN-QH\"\npue = 1.2\n[[claims.claim]]\nsentence = \"as sold\"\n{keys}\n")
}

#[test]
fn the_sentences_of_a_green_region_get_their_verdicts_with_the_arithmetic_worked_by_hand() {
    let (_folder, output) = check(&sold(), &["--json"]);
    assert_eq!(output.status.code(), Some(6));
    let json = json(&output);
    let verdicts: Vec<&str> =
        json["checks"].as_array().unwrap().iter().map(|check| check["verdict"].as_str().unwrap()).collect();
    let wanted = [
        "does-not-follow",
        "needs-site-data",
        "contradicted",
        "incomplete",
        "incomplete",
        "incomplete",
        "contradicted",
        "does-not-follow",
    ];
    assert_eq!(verdicts, wanted);
    assert_eq!(json["checks"][0]["sentence"], "94 % clean");
    // (1 − 0.94) × 827.3 = 49.638 g/kWh; 179.6 / 49.638 = 3.618.
    let figures = &json["checks"][0]["figures"];
    assert!((figures["implied_g_per_kwh"].as_f64().unwrap() - 49.638).abs() < 1e-9);
    assert!((figures["official_over_stated_ratio"].as_f64().unwrap() - 3.618).abs() < 1e-3);
    // d / c = −2 / −0.2 = 10 years.
    let never = json["checks"][4]["figures"]["never_from_payback_years"].as_f64().unwrap();
    assert!((never - 10.0).abs() < 1e-9);
    assert_eq!(json["site"]["profile"]["grid"]["region"], "CN-QH");
}

#[test]
fn the_text_shows_every_step_and_source_within_120_columns() {
    let (_folder, output) = check(&sold(), &[]);
    let out = text(&output.stdout);
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "(1 − 0.94) × 0.8273 = 0.050 kg/kWh",
        "0.1796 kgCO2/kWh, 3.6 times",
        "Announcement 2025 No.47",
        "Yunnan 133.3, Sichuan 156.4",
        "3: 0.82, 4: 0.67, 5: 0.53, 6: 0.40",
        "8: 0.18",
        "10: never",
        "never for P ≥ 10",
        "ISO/IEC 21031",
        "basic, intermediate or advanced",
    ] {
        assert!(flat.contains(part), "{part}: {out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
}

#[test]
fn the_json_of_the_checks_is_a_site_file_that_gives_the_same_checks() {
    let (folder, output) = check(&sold(), &["--json"]);
    std::fs::write(folder.path().join("account.json"), &output.stdout).unwrap();
    let again = wattmark(folder.path(), &["claim", "account.json", "--json"]);
    assert_eq!(json(&again)["checks"], json(&output)["checks"]);
}

#[test]
fn claims_that_hold_or_wait_for_the_site_exit_0() {
    for keys in [
        "clean_energy_share = 0.78",
        "grid_rank = 3",
        "market_based_in_sci = false",
        "claimed_gas = \"CO2\"",
        "years = [2022, 2023]",
        "pue_below = 1.3",
        "compute_pflops = 12288",
    ] {
        let (_folder, output) = check(&with_claim(keys), &[]);
        assert_eq!(output.status.code(), Some(0), "{keys}: {}", text(&output.stdout));
    }
    let (_folder, output) = check(&with_claim("pue = 0.9"), &[]);
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
}

#[test]
fn a_compute_scale_is_held_against_the_rates_of_a_record() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
    let run = "run --no-ceilings --simulate script.toml --kernel gemm/tiled-f32 --shape m=n=k=500 --no-figures";
    let output = wattmark(folder.path(), &run.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let results = std::fs::read_dir(folder.path().join("results")).unwrap().next().unwrap().unwrap().path();
    let claim = |pflops: &str, precision: &str| {
        let keys = format!("compute_pflops = {pflops}\nprecision = \"{precision}\"\ncards = 1000");
        std::fs::write(folder.path().join("site.toml"), with_claim(&keys)).unwrap();
        json(&wattmark(folder.path(), &["claim", "site.toml", "--json", "--run", results.to_str().unwrap()]))
    };
    // 1000 cards × 1 TFLOP/s = 1 PFLOP/s.
    for (pflops, precision, verdict) in
        [("0.9", "fp32", "holds"), ("1.5", "f32", "contradicted"), ("0.9", "f64", "not-checkable")]
    {
        assert_eq!(claim(pflops, precision)["checks"][0]["verdict"], verdict, "{pflops} {precision}");
    }
    let found = claim("1.5", "f32");
    assert!((found["checks"][0]["figures"]["reach_flop_per_s"].as_f64().unwrap() / 1e15 - 1.0).abs() < 1e-9);
    assert!(found["checks"][0]["arithmetic"].to_string().contains("SIMULATED"), "{found}");
}

#[test]
fn a_rubric_grades_what_is_known_and_names_what_is_missing() {
    let rubric = "name = \"Invented\"\nsource = \"invented for this test\"\n[[indicator]]\nkey = \"pue\"\n\
        score = { a = 100, b = -50, max = 60 }\n[[indicator]]\nkey = \"wue\"\nunit = \"L/kWh\"\n\
        grades = [{ at_most = 1.0, grade = \"A\" }]\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rubric.toml"), rubric).unwrap();
    let graded = |more: &str| {
        std::fs::write(folder.path().join("site.toml"), format!("grid = \"CN-QH\"\npue = 1.2\n{more}")).unwrap();
        let output = wattmark(folder.path(), &["claim", "site.toml", "--rubric", "rubric.toml"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let out = graded("");
    assert!(out.contains("needs site data") && out.contains("no total"), "{out}");
    // 100 − 50 × 1.2 = 40.
    let out = graded("[claims.site_data]\nwue = 0.8\n");
    assert!(out.contains("40.0 points"), "{out}");
}

#[test]
fn a_rubric_chooses_the_work_that_it_grades_and_the_row_names_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
    let run = "run --no-ceilings --simulate script.toml --kernel gemm/tiled-f32 --shape m=n=k=500 --no-figures";
    let output = wattmark(folder.path(), &run.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let results = std::fs::read_dir(folder.path().join("results")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(folder.path().join("site.toml"), "grid = \"CN-QH\"\npue = 1.2\n").unwrap();
    let graded = |job: &str| {
        let rubric = format!(
            "name = \"Invented\"\nsource = \"invented for this test\"\n{job}\n[[indicator]]\nkey = \"flops_per_watt\"\n\
             grades = [{{ at_least = 1e9, grade = \"A\" }}]\n"
        );
        std::fs::write(folder.path().join("rubric.toml"), rubric).unwrap();
        let run = results.to_str().unwrap();
        let output =
            wattmark(folder.path(), &["claim", "site.toml", "--rubric", "rubric.toml", "--json", "--run", run]);
        json(&output)["rubric"]["rows"][0].clone()
    };
    // 1 TFLOP/s at 250 W is 4 GFLOP/J.
    for (job, words) in [("", "1 EFLOP of f32 gemm"), ("job = \"gemm/tiled-f32=2e18\"", "2 EFLOP of gemm/tiled-f32")] {
        let row = graded(job);
        assert!((row["input"]["value"].as_f64().unwrap() / 4e9 - 1.0).abs() < 0.02, "{row}");
        assert!(row["input"]["origin"].as_str().unwrap().contains(words), "{row}");
    }
    // Work that the record does not hold is no input, and nothing stands in for it.
    assert!(graded("job = \"gemm/f16=1e18\"")["input"].is_null());
}

#[test]
fn slips_exit_2_with_file_key_and_remedy() {
    for (keys, part) in [
        ("clean_capacity_shar = 0.9", "did you mean clean_capacity_share?"),
        ("clean_capacity_share = 94", "0.94 for 94 %"),
        ("pue = nan", "`pue` is NaN"),
        ("opex_change = -30", "-0.30 for 30 % less"),
    ] {
        let (_folder, output) = check(&with_claim(keys), &[]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{keys}");
        assert!(message.contains(part) && message.contains("site.toml") && output.stdout.is_empty(), "{message}");
    }
    for tables in ["", "[claims]\n"] {
        let (_folder, output) = check(&format!("grid = \"CN-QH\"\npue = 1.2\n{tables}"), &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("[[claims.claim]]"), "{}", text(&output.stderr));
    }
}
