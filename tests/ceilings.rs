//! `wattmark ceilings` on scripted devices, against figures computed by hand beside each assertion.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use wattmark::measure::result::{evaluate, link};
use wattmark::model::{RunRecord, SkipReason};
use wattmark::store;

/// A board that draws 250 W busy. It has f16 but no f64, 60 TFLOP/s in f32, and 4 TB/s whatever the size.
const SCRIPT: &str = r#"
[[device]]
name = "Simulated Accelerator"
features = ["f16", "subgroup", "timestamps"]
launch_s = 40e-6
dispatch_s = 2e-6
upload_bytes_per_s = 2e10
download_bytes_per_s = 1e10
[[device.rates]]
variant = "fma/chains-f32"
flop_per_s = 6e13
[[device.rates]]
variant = "fma/scalar-f16"
flop_per_s = 5e13
[[device.rates]]
variant = "fma/*-f16"
flop_per_s = 1.2e14
[[device.rates]]
variant = "dot4/*"
flop_per_s = 1.1e14
[[device.rates]]
variant = "memory-*"
bytes_per_s = 4e12
[[device.rates]]
variant = "*"
flop_per_s = 3e13

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

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("script.toml"), script).unwrap();
        Self { folder }
    }
    fn wattmark(&self, command: &str, args: &[&str]) -> Output {
        let mut all = vec![command, "--simulate", "script.toml"];
        all.extend(args);
        Command::cargo_bin("wattmark").unwrap().current_dir(self.folder.path()).args(all).output().unwrap()
    }
    fn folder(&self) -> PathBuf {
        let results = std::fs::read_dir(self.folder.path().join("results")).unwrap();
        let mut folders: Vec<PathBuf> = results.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders.pop().unwrap()
    }
    fn record(&self) -> RunRecord {
        store::read(&self.folder().join("run.json")).unwrap().record
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Equal up to the whole nanoseconds of the scripted clock.
fn near(got: f64, want: f64) -> bool {
    (got / want - 1.0).abs() < 1e-5
}

fn rows(json: &Value) -> Vec<&Value> {
    json["devices"][0]["units"].as_array().unwrap().iter().collect()
}

#[test]
fn every_unit_has_the_rate_the_watts_and_the_joules_of_the_script() {
    let bench = Bench::new(SCRIPT);
    let output = bench.wattmark("ceilings", &["--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "wattmark/ceilings-1");
    let row = |probe: &str| *rows(&json).iter().find(|row| row["probe"] == probe).unwrap();
    for (probe, unit, rate) in [
        ("fma/chains-f32", "FLOP/s", 6e13),
        ("fma/chains-f16", "FLOP/s", 1.2e14),
        ("fma/scalar-f16", "FLOP/s", 5e13),
        ("fma/chains-i32", "OP/s", 3e13),
        ("dot4/chains-i8", "OP/s", 1.1e14),
        ("memory-read/strided-f32", "B/s", 4e12),
        ("memory-write/direct-f32", "B/s", 4e12),
        ("memory-dot/strided-f32", "B/s", 4e12),
    ] {
        let found = row(probe);
        assert_eq!((&found["status"], &found["rate_unit"]), (&"verified".into(), &unit.into()), "{found}");
        assert!(near(found["rate"].as_f64().unwrap(), rate), "{found}");
        assert!(near(found["power_w"].as_f64().unwrap(), 250.0), "{found}");
        assert!(near(found["per_joule"].as_f64().unwrap(), rate / 250.0), "{found}");
    }
    // The headline of memory is its largest array, 1 GiB.
    assert_eq!(row("memory-triad/direct-f32")["array_bytes"], 1073741824.0);
    // Five probes at eight sizes.
    assert_eq!(json["devices"][0]["memory"].as_array().unwrap().len(), 40);
    links_are_raw_times_in_the_record_and_medians_in_what_it_says(&bench.record());
    let drawn = |name: &str| bench.folder().join(name).is_file();
    assert!(drawn("bandwidth.svg") && drawn("bandwidth.csv") && drawn("bandwidth.caption.txt"));
    let table = std::fs::read_to_string(bench.folder().join("bandwidth.csv")).unwrap();
    let rates: Vec<f64> = table.lines().skip(1).map(|line| line.split(',').nth(4).unwrap().parse().unwrap()).collect();
    assert!(rates.len() == 40 && rates.iter().all(|rate| near(*rate, 4e12)), "{table}");
}

#[test]
fn what_the_device_lacks_is_skipped_with_its_reason_and_what_wgsl_lacks_is_not_exposed() {
    let bench = Bench::new(SCRIPT);
    let output = bench.wattmark("ceilings", &["--no-figures"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = bench.record();
    let f64_skip = record.skips.iter().find(|skip| skip.case.variant == "fma/chains-f64").unwrap();
    assert_eq!(f64_skip.reason, SkipReason::MissingFeature);
    let printed = text(&output.stdout);
    let line = |start: &str, precision: &str| {
        let found = |line: &&str| line.starts_with(start) && line.split_whitespace().any(|word| word == precision);
        printed.lines().find(found).unwrap_or_else(|| panic!("no {start} {precision} in\n{printed}"))
    };
    assert!(line("vector multiply-add", "f64").contains("skipped:"), "{printed}");
    assert!(line("vector multiply-add", "f32").contains("60.0 TFLOP/s"), "{printed}");
    assert!(line("vector dot product", "i8").contains("110 TOP/s"), "{printed}");
    for precision in ["i8", "bf16", "tf32", "fp8"] {
        let said = line("matrix units", precision);
        assert!(said.contains("not exposed: ") && !said.contains('%'), "{said}");
    }
    assert!(line("structured sparsity", "2:4").contains("not exposed: "), "{printed}");
    assert!(printed.contains("1 GiB") && printed.contains("64 KiB"), "{printed}");
    assert!(printed.contains("42.0 µs for a submission") && printed.contains("2.00 µs for each further"), "{printed}");
    assert!(printed.contains("every byte that came back was the one that was sent"), "{printed}");
}

fn links_are_raw_times_in_the_record_and_medians_in_what_it_says(record: &RunRecord) {
    let [measured] = record.links.as_slice() else { panic!("{:?}", record.links) };
    assert!(measured.failure.is_none() && measured.transfers.iter().all(|transfer| transfer.intact));
    assert!(measured.launches.iter().all(|launch| launch.times_s.len() == 31));
    let said = link(measured);
    // 40 µs for the submission and 2 µs for each dispatch in it.
    assert!(near(said.round_trip.unwrap().get(), 42e-6));
    assert!(near(said.per_dispatch.unwrap().get(), 2e-6));
    for transfer in &said.transfers {
        let rate = if transfer.path == wattmark::model::TransferPath::Download { 1e10 } else { 2e10 };
        let bytes = transfer.bytes as f64;
        assert!(near(transfer.rate.unwrap().get(), bytes / (40e-6 + bytes / rate)), "{transfer:?}");
    }
    assert_eq!(said.transfers.len(), 15);
}

#[test]
fn a_probe_with_a_wrong_output_and_a_transfer_with_a_wrong_bit_have_no_rate_and_are_no_ceiling() {
    let faults = "[[device.faults]]\nkind = \"wrong-output\"\nvariant = \"fma/chains-f32\"\n\n\
                  [[device.faults]]\nkind = \"garbled-transfer\"\n\n[[power]]";
    let bench = Bench::new(&SCRIPT.replacen("[[power]]", faults, 1));
    let output = bench.wattmark("ceilings", &["--json", "--no-figures"]);
    assert_eq!(output.status.code(), Some(4));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = *rows(&json).iter().find(|row| row["probe"] == "fma/chains-f32").unwrap();
    assert!(row["status"] == "wrong" && row["rate"].is_null(), "{row}");
    assert_eq!(json["devices"][0]["link"]["transfers_intact"], false);
    let record = bench.record();
    let ceilings = &evaluate(&record).ceilings[&0];
    assert!(!ceilings.arithmetic.keys().any(|(_, element)| element.name() == "f32"), "{ceilings:?}");
    assert!(link(&record.links[0]).transfers.iter().all(|transfer| transfer.rate.is_none()));
}

#[test]
fn a_plan_can_be_seen_before() {
    let bench = Bench::new(SCRIPT);
    let planned = text(&bench.wattmark("ceilings", &["--dry-run"]).stdout);
    assert!(planned.contains("launches and transfers") && planned.contains("memory-write/direct-f32"), "{planned}");
    assert!(!bench.folder.path().join("results").exists());
}

#[test]
fn a_run_brings_its_ceilings_along_unless_told_not_to() {
    let bench = Bench::new(SCRIPT);
    let args = ["--kernel", "gemm/naive-f32", "--shape", "m=n=k=512", "--no-figures"];
    assert!(bench.wattmark("run", &args).status.success());
    let result = evaluate(&bench.record());
    let variants: Vec<&str> = result.cases.iter().map(|case| case.case.variant.as_str()).collect();
    assert_eq!(variants, ["gemm/naive-f32", "fma/chains-f32", "memory-read/strided-f32"]);
    // 3e13 FLOP/s of 6e13: 512/6 FLOP/B at 4e12 B/s would allow 3.4e14.
    assert!(near(result.cases[0].of_ceiling.unwrap().get(), 0.5));
    let planned = text(&bench.wattmark("run", &[&args[..], &["--dry-run"]].concat()).stdout);
    assert!(planned.contains("fma/chains-f32") && planned.contains("cases       3"), "{planned}");
    let alone = text(&bench.wattmark("run", &[&args[..], &["--dry-run", "--no-ceilings"]].concat()).stdout);
    assert!(alone.contains("cases       1") && !alone.contains("fma"), "{alone}");
}
