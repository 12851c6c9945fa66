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

#[test]
fn a_region_shows_every_figure_held_for_it_and_their_spread() {
    // Official figures of Qinghai: 0.1326, 0.1567 and 0.1796 kg/kWh for 2021 to 2023; 179.6 / 132.6 = 1.354.
    factors(&["CN-QH"])
        .success()
        .stdout(predicate::str::contains("CN-QH: 132.6 to 179.6 g/kWh, ratio 1.35, 3 figures"))
        .stdout(predicate::str::contains("like for like"))
        .stdout(predicate::str::contains("CN-residual"))
        .stdout(predicate::str::contains("the factors do not count the same thing"))
        .stdout(predicate::function(|text: &str| text.lines().all(|line| line.chars().count() <= 120)));
}

#[test]
fn a_generation_source_has_a_card_and_is_no_region() {
    factors(&["solar"])
        .success()
        .stdout(predicate::str::contains("41 gCO2e/kWh"))
        .stdout(predicate::str::contains("IPCC AR5"))
        .stdout(predicate::str::contains("48 for utility scale"))
        .stdout(predicate::str::contains("no region"));
    factors(&["gas"]).success().stdout(predicate::str::contains("490 gCO2e/kWh"));
    let carbon = cargo_bin_cmd!("wattmark").args(["carbon", "no-such-record", "--grid", "solar"]).assert();
    carbon.code(2).stderr(predicate::str::contains("no grid factor for `solar`"));
    factors(&[]).success().stdout(predicate::str::contains("solar").not());
}

#[test]
fn a_users_file_adds_figures_and_says_where_they_stand_beside_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.csv");
    std::fs::write(&file, "code,year,g_per_kwh,gas,licence\nCN-QH,2024,150,CO2,ours\nhall-7,2025,95,CO2e,ours\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    factors(&["CN-QH", "--factors", file])
        .success()
        .stdout(predicate::str::contains("179.6 gCO2/kWh"))
        .stdout(predicate::function(move |text: &str| words(text).contains("`user:CN-QH@2024` takes the one of")))
        .stdout(predicate::str::contains("132.6 to 179.6 g/kWh, ratio 1.35, 4 figures"));
    factors(&["user:CN-QH", "--factors", file])
        .success()
        .stdout(predicate::str::contains("150 gCO2/kWh"))
        .stdout(predicate::str::contains("own.csv (your own)"));
    factors(&["hall-7", "--factors", file]).success().stdout(predicate::str::contains("--grid user:hall-7@2025"));
    factors(&["hall-7"]).code(2);
}

#[test]
fn each_bad_factor_file_exits_2_with_file_line_key_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, part) in [
        ("nan.csv", "code,g_per_kwh,gas\nDE,nan,CO2e\n", "line 2: `g_per_kwh` is nan"),
        ("twice.csv", "code,g_per_kwh,gas\nDE,1,CO2e\nDE,2,CO2e\n", "line 3: `code` is DE"),
        ("gas.csv", "code,g_per_kwh,gas\nDE,300,\n", "line 2: `gas` is missing"),
        ("large.csv", "code,g_per_kwh,gas\nDE,5000,CO2e\n", "above 3000"),
        ("pounds.csv", "code,lb_per_mwh,gas\nUS-X,900,CO2e\n", "lb/MWh by 0.45359237"),
        ("kilograms.csv", "code,g_per_kwh,gas\nDE,0.342,CO2e\n", "looks like kg/kWh"),
        ("empty.csv", "", "`code` is missing"),
        ("key.toml", "[[factor]]\nregion = \"DE\"\nintensity = 3\n", "unknown key `intensity`"),
        ("broken.toml", "[[factor]\n", "cannot read grid factors"),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        factors(&["DE", "--factors", file.to_str().unwrap()])
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains(name))
            .stderr(predicate::str::contains(part));
    }
}
