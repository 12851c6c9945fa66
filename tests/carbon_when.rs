//! `wattmark carbon when` through the program: every form of series, every fault, wrong flags, and the broken hours of PJM.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use serde_json::Value;

const PJM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/series/pjm_2022_excerpt.csv");

fn when(args: &[&str]) -> assert_cmd::assert::Assert {
    cargo_bin_cmd!("wattmark").args(["carbon", "when", "--power", "1000", "--hours", "1"]).args(args).assert()
}

/// The account of a text as a series.
fn account(folder: &Path, text: &str, flags: &[&str]) -> Value {
    let file = folder.join("series");
    std::fs::write(&file, text).unwrap();
    let mut args = vec!["--json", "--series", file.to_str().unwrap()];
    args.extend(flags);
    serde_json::from_slice(&when(&args).success().get_output().stdout).unwrap()
}

#[test]
fn every_form_is_read_with_its_unit_signal_and_zone() {
    let folder = tempfile::tempdir().unwrap();
    let em = "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh \
              (Life cycle),Data estimated\n2024-01-01 00:00:00,X,X,XX,100,150,false\n2024-01-01 01:00:00,X,X,XX,80,120,true\n";
    let old = "Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh \
               (LCA)\n2021-01-01 00:00:00,X,X,XX,100,150\n2021-01-01 01:00:00,X,X,XX,80,120\n";
    let api = r#"{"zone":"XX","history":[{"zone":"XX","carbonIntensity":150,"datetime":"2024-01-01T00:00:00.000Z",
        "emissionFactorType":"lifecycle","isEstimated":false},{"zone":"XX","carbonIntensity":120,
        "datetime":"2024-01-01T01:00:00.000Z","emissionFactorType":"lifecycle","isEstimated":true}]}"#;
    // 1000 lb/MWh is 453.59237 g/kWh; 500 lb/MWh half of it.
    let watttime = r#"{"data":[{"point_time":"2024-01-01T00:00:00+00:00","value":1000.0},
        {"point_time":"2024-01-01T01:00:00+00:00","value":500.0}],
        "meta":{"region":"XX","signal_type":"co2_moer","units":"lbs_co2_per_mwh"}}"#;
    let uk = r#"{"data":[{"from":"2024-01-01T00:00Z","to":"2024-01-01T00:30Z","intensity":{"forecast":100,"actual":110}},
        {"from":"2024-01-01T00:30Z","to":"2024-01-01T01:00Z","intensity":{"forecast":90,"actual":100}},
        {"from":"2024-01-01T01:00Z","to":"2024-01-01T01:30Z","intensity":{"forecast":80,"actual":null}}]}"#;
    let region = r#"{"data":{"regionid":3,"shortname":"North","data":[{"from":"2024-01-01T00:00Z","intensity":{"forecast":100}},
        {"from":"2024-01-01T00:30Z","intensity":{"forecast":90}}]}}"#;
    let sdk = r#"[{"Location":"a","Time":"2024-01-01T00:00:00+00:00","Rating":150,"Duration":"01:00:00"},
        {"Location":"a","Time":"2024-01-01T01:00:00+00:00","Rating":120,"Duration":"01:00:00"}]"#;
    let forecast = r#"[{"location":"a","windowSize":60,"optimalDataPoints":[],"forecastData":[
        {"location":"a","timestamp":"2024-01-01T00:00:00Z","duration":60,"value":150},
        {"location":"a","timestamp":"2024-01-01T01:00:00Z","duration":60,"value":120}]}]"#;
    let file = format!("{{\"Emissions\":{sdk}}}");
    let plain = "timestamp,WND,avg_CI\n2024-01-01 00:00:00+00:00,5,150\n2024-01-01 01:00:00+00:00,6,120\n";
    let vessim = "time,XX\n2024-01-01 00:00:00,150\n2024-01-01 01:00:00,120\n";
    let cases: [(&str, &[&str], &str, f64, &str); 12] = [
        (em, &[], "Electricity Maps CSV, life-cycle", 120.0, "average"),
        (em, &["--zone", "XX/direct"], "Electricity Maps CSV, direct", 80.0, "average"),
        (old, &[], "Electricity Maps CSV, life-cycle", 120.0, "average"),
        (api, &[], "Electricity Maps API v3, history", 120.0, "average"),
        (watttime, &[], "WattTime API v3, signal co2_moer", 226.796_185, "marginal"),
        (uk, &[], "UK Carbon Intensity API, actual, else forecast", 90.0, "average"),
        (region, &[], "UK Carbon Intensity API, forecast", 95.0, "average"),
        (sdk, &[], "Carbon Aware SDK, emissions", 120.0, "unstated"),
        (forecast, &[], "Carbon Aware SDK, forecast", 120.0, "unstated"),
        (&file, &[], "Carbon Aware SDK, data file", 120.0, "unstated"),
        (plain, &[], "plain CSV, column avg_CI", 120.0, "average"),
        (vessim, &["--time-zone", "UTC"], "plain CSV, column XX", 120.0, "unstated"),
    ];
    for (text, flags, format, best, method) in cases {
        let found = account(folder.path(), text, flags);
        let series = &found["series"];
        assert!(series["format"].as_str().unwrap().starts_with(format), "{series}");
        assert_eq!(series["method"], method, "{series}");
        let own = found["plans"][0]["schedule"]["best"]["mean_g_per_kwh"].as_f64().unwrap();
        assert!((own - best).abs() < 1e-9, "{format}: {own}");
        assert_eq!(series["sha256"].as_str().unwrap().len(), 64);
        assert!(found["site"]["profile"]["pue"].is_object());
    }
    let found = account(folder.path(), uk, &[]);
    assert!(found["series"]["faults"][0].as_str().unwrap().contains("1 of 3 steps have no actual value"));
}

#[test]
fn the_broken_hours_of_pjm_are_avoided_unless_they_are_asked_for() {
    let window = ["--series", PJM, "--from", "2022-09-30T00:00Z", "--deadline", "2022-10-03T00:00Z"];
    // The five hours at 42.67 to 46.86 g stand beside nothing below 272 g.
    when(&window)
        .success()
        .stdout(predicate::str::contains("5 values look broken (42.67 to 46.86 g/kWh"))
        .stdout(predicate::str::is_match("best start +2022-09-30 06:00Z +1 +293\\.3").unwrap());
    when(&[&window[..], &["--keep-suspicious"]].concat())
        .success()
        .stdout(predicate::str::contains("KEPT"))
        .stdout(predicate::str::is_match("best start +2022-10-02 04:00Z +1 +42\\.7").unwrap());
}

#[test]
fn declared_watts_are_marked_and_have_no_interval() {
    let page = when(&["--series", "ciso-2022", "--within", "24h"]).success();
    page.stdout(predicate::str::contains("(declared)"))
        .stdout(predicate::str::contains("no interval is given"))
        .stdout(predicate::str::contains("not what the shift avoids"))
        .stdout(predicate::function(|text: &str| text.lines().all(|line| line.chars().count() <= 120)));
}

#[test]
fn wrong_flags_exit_2_and_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let several = folder.path().join("several.csv");
    std::fs::write(&several, "time,DE,FR\n2022-03-01T00:00Z,400,50\n2022-03-01T01:00Z,410,51\n").unwrap();
    let several = several.to_str().unwrap();
    let cases: [(&[&str], &str); 11] = [
        (&["--series", "ciso-2022", "--grid", "CN-QH"], "leave --grid out"),
        (&[], "--series ciso-2022"),
        (&["--series", "ciso-2023"], "did you mean ciso-2022?"),
        (&["--series", several], "--zone: DE, FR"),
        (&["--series", several, "--zone", "DEE"], "did you mean DE?"),
        (&["--series", several, "--zone", "DE", "--unit", "g/kW"], "g/kWh, kg/kWh, lb/MWh"),
        (&["--series", "ciso-2022", "--time-zone", "Europe/Londn"], "did you mean Europe/London"),
        (&["--series", "ciso-2022", "--from", "2022-03-02 00:00"], "name --time-zone"),
        (
            &["--series", "ciso-2022", "--from", "2022-03-02T00:00Z", "--deadline", "2022-03-01T00:00Z"],
            "not after the release",
        ),
        (&["--series", "ciso-2022", "--within", "soon"], "24h, 90min or 7d"),
        (&["--series", "ciso-2022", "--within", "30min"], "are left"),
    ];
    for (flags, message) in cases {
        when(flags).code(2).stdout("").stderr(predicate::str::contains(message));
    }
    for (power, hours, message) in [
        ("nan", "1", "--power"),
        ("-5", "1", "--power"),
        ("400", "0", "--hours"),
        ("400", "nan", "--hours"),
        ("400", "8760", "longer series"),
    ] {
        let flags = ["carbon", "when", "--power", power, "--hours", hours, "--series", PJM];
        cargo_bin_cmd!("wattmark").args(flags).assert().code(2).stderr(predicate::str::contains(message));
    }
}
