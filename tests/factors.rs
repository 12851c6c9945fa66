//! `wattmark factors` through the program: whole identities, suggestions, JSON.

use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;

fn factors(args: &[&str]) -> assert_cmd::assert::Assert {
    cargo_bin_cmd!("wattmark").arg("factors").args(args).assert()
}

#[test]
fn one_factor_prints_its_card() {
    factors(&["CN-QH@2023"])
        .success()
        .stdout(predicate::str::contains("179.6 gCO2/kWh (0.1796 kgCO2/kWh)"))
        .stdout(predicate::str::contains("consumption"))
        .stdout(predicate::str::contains("Announcement 2025 No.47"))
        .stderr("");
}

#[test]
fn several_factors_print_a_table_with_their_sources() {
    factors(&["CN-*"])
        .success()
        .stdout(predicate::str::contains("CN-GS"))
        .stdout(predicate::str::contains("[1]"))
        .stdout(predicate::function(|text: &str| text.lines().all(|line| line.chars().count() <= 120)));
}

#[test]
fn an_unknown_region_exits_2_with_a_suggestion() {
    factors(&["Qinhai"]).code(2).stdout("").stderr(predicate::str::contains("did you mean Qinghai?"));
}

#[test]
fn json_carries_every_field_of_the_identity() {
    let output = factors(&["CN-QH@2022", "--json"]).success().get_output().stdout.clone();
    let factors: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let expected = serde_json::json!({
        "region": "CN-QH", "name": "Qinghai", "intensity_g_per_kwh": 156.7, "gas": "CO2", "year": 2022,
        "basis": "consumption", "method": "average", "life_cycle": false,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&factors[0][key], value, "{key}");
    }
    assert!(factors[0]["publisher"].as_str().unwrap().contains("MEE"));
    assert_eq!(factors.as_array().unwrap().len(), 1);
}
