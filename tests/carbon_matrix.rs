//! `wattmark carbon matrix` through the program: a scripted record priced over regions, against hand-worked grams.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// 250 TFLOP/s at 250 W: exactly 1 TFLOP/J, so 1 EFLOP is 1 MJ = 0.277778 kWh.
const SCRIPT: &str = r#"
[[device]]
name = "Simulated Accelerator"
[[device.rates]]
variant = "*"
flop_per_s = 2.5e14
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
    let mut command = Command::cargo_bin("wattmark").unwrap();
    for variable in ["WATTMARK_GRID", "WATTMARK_PUE", "WATTMARK_RESULTS", "COLUMNS"] {
        command.env_remove(variable);
    }
    command.current_dir(folder).args(args).output().unwrap()
}

/// A folder with the record `latest` of two cases.
fn measured() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
    let run =
        "run --no-ceilings --simulate script.toml --kernel gemm/tiled-f32 --kernel gemm/naive-f32 --shape m=n=k=128";
    let output = wattmark(folder.path(), &run.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    folder
}

fn matrix(folder: &Path, flags: &str) -> Output {
    let args: Vec<&str> = format!("carbon matrix latest {flags}").leak().split_whitespace().collect();
    wattmark(folder, &args)
}

fn json(folder: &Path, flags: &str) -> Value {
    let output = matrix(folder, &format!("{flags} --json"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn codes(json: &Value) -> Vec<&str> {
    json["rows"].as_array().unwrap().iter().map(|row| row["factor"]["region"].as_str().unwrap()).collect()
}

#[test]
fn qinghai_and_gansu_cost_59_9_and_149_0_grams_per_eflop_at_one_teraflop_per_joule() {
    let folder = measured();
    // 1 MJ / 3.6e6 × 1.2 × 179.6 = 59.867 g and × 447.1 = 149.033 g; 447.1 / 179.6 = 2.4894.
    let json = json(folder.path(), "--regions CN-GS,CN-QH --pue 1.2");
    assert_eq!(codes(&json), ["CN-QH", "CN-GS"]);
    for (row, grams) in [(0, 59.866_667), (1, 149.033_333)] {
        let got = json["rows"][row]["carbon_g"][0]["point"].as_f64().unwrap();
        assert!((got / grams - 1.0).abs() < 1e-3, "{got} against {grams}");
    }
    assert!((json["rows"][1]["ratio_to_best"].as_f64().unwrap() - 2.489_421).abs() < 1e-5);
    assert_eq!((json["note"].as_str(), json["site"]["profile"]["pue"]["value"].as_f64()), (None, Some(1.2)));
    let page = text(&matrix(folder.path(), "--regions CN-GS,CN-QH --pue 1.2").stdout);
    for part in ["59.9 g", "149 g", "2.49", "1.2 declared: --pue; the same in every row", "describes no hardware"] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    assert!(!page.contains("no grid factor given"), "{page}");
}

#[test]
fn every_set_fits_the_terminal_and_mixtures_are_marked() {
    let folder = measured();
    for (set, rows, mixed) in
        [("cn-provinces", 30, false), ("us", 27, false), ("nordic", 10, false), ("all", 288, true)]
    {
        let output = matrix(folder.path(), &format!("--regions {set} --case *"));
        let page = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(page.lines().all(|line| line.chars().count() <= 120), "{page}");
        assert_eq!(page.contains("the factors do not count the same thing"), mixed, "{page}");
        assert_eq!(codes(&json(folder.path(), &format!("--regions {set}"))).len(), rows);
    }
}

#[test]
fn a_site_points_at_its_own_row_and_the_account_is_a_site_file() {
    let folder = measured();
    let output = matrix(folder.path(), "--site xining");
    let page = text(&output.stdout);
    assert!(page.contains("the site's own grid, CN-QH, is rank 3 of 30"), "{page}");
    let first = matrix(folder.path(), "--site xining --json");
    std::fs::write(folder.path().join("account.json"), &first.stdout).unwrap();
    let (first, again) = (json(folder.path(), "--site xining"), json(folder.path(), "--site account.json"));
    assert_eq!((&first["rows"], &first["site"]["profile"]), (&again["rows"], &again["site"]["profile"]));
}

#[test]
fn a_users_factor_is_a_row_of_its_own_beside_the_built_in_one() {
    let folder = measured();
    let rows =
        "code,name,year,g_per_kwh,gas,basis,method,life_cycle\nCN-QH,Qinghai,2024,150,CO2,consumption,average,no\n";
    std::fs::write(folder.path().join("own.csv"), rows).unwrap();
    let page = text(&matrix(folder.path(), "--factors own.csv").stdout);
    assert!(page.contains("user:CN-QH") && page.contains("31 provinces"), "{page}");
    let account = wattmark(folder.path(), &["carbon", "latest", "--factors", "own.csv", "--grid", "CN-QH"]);
    let page = text(&account.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("CN-QH has a built-in figure and one of a user's file: the built-in one"), "{page}");
    let own = wattmark(folder.path(), &["carbon", "latest", "--factors", "own.csv", "--grid", "user:CN-QH"]);
    assert!(text(&own.stdout).contains("150 gCO2/kWh, 2024"), "{}", text(&own.stdout));
    std::fs::write(folder.path().join("hall.toml"), "grid = \"user:CN-QH\"\npue = 1.2\n").unwrap();
    let site = wattmark(folder.path(), &["carbon", "latest", "--factors", "own.csv", "--site", "hall.toml"]);
    assert!(text(&site.stdout).contains("150 gCO2/kWh, 2024"), "{}", text(&site.stdout));
}

#[test]
fn a_run_is_made_with_a_users_factor_and_its_record_asks_for_the_file_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
    std::fs::write(folder.path().join("own.csv"), "code,year,g_per_kwh,gas\nhall-7,2025,95,CO2e\n").unwrap();
    let run = "run --no-ceilings --simulate script.toml --kernel gemm/tiled-f32 --shape m=n=k=128 --no-figures";
    let mut args: Vec<&str> = run.split(' ').collect();
    args.extend(["--factors", "own.csv", "--grid", "hall-7"]);
    let output = wattmark(folder.path(), &args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let without = wattmark(folder.path(), &["carbon", "latest"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(text(&without.stderr).contains("`--factors FILE` adds figures of your own"), "{}", text(&without.stderr));
    let with = wattmark(folder.path(), &["carbon", "latest", "--factors", "own.csv"]);
    assert!(text(&with.stdout).contains("95 gCO2e/kWh"), "{}", text(&with.stdout));
}

#[test]
fn the_chart_goes_to_the_folder_that_was_named() {
    let folder = measured();
    let output = matrix(folder.path(), "--plot charts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(folder.path().join("charts").join("carbon-matrix.svg").is_file());
}

#[test]
fn wrong_regions_years_and_files_exit_2_and_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.csv"), "code,g_per_kwh,gas\nDE,nan,CO2e\n").unwrap();
    let refused = |flags: &str, part: &str| {
        let output = matrix(folder.path(), flags);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{flags}: {said}");
        assert!(said.contains(part), "{part} not in: {said}");
    };
    refused("--regions ,", "it names no region");
    refused("--pue 0.9", "at least 1");
    refused("--factors bad.csv", "line 2: `g_per_kwh` is nan");
    refused("--factors none.csv", "cannot read grid factors");
    let folder = measured();
    let refused = |flags: &str, part: &str| {
        let output = matrix(folder.path(), flags);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags}: {said}");
        assert!(said.contains(part), "{part} not in: {said}");
    };
    refused("--regions cn-province", "did you mean cn-provinces?");
    refused("--regions CN-QH,CN-QX", "did you mean");
    refused("--year 1999", "2023");
    refused("--regions CN-QH,CN-QH", "stands twice");
}

#[test]
fn ties_share_a_rank_in_table_and_chart_and_a_users_row_is_told_from_a_built_in_one() {
    let folder = measured();
    let rows = "code,year,g_per_kwh,gas,basis,method,life_cycle\nCN-QH,2024,100,CO2,consumption,average,no\n\
                mine,2018,100,CO2,consumption,average,no\n";
    std::fs::write(folder.path().join("own.csv"), rows).unwrap();
    let flags = "--factors own.csv --regions user:CN-QH,mine,CN-QH,congo --plot charts";
    let page = text(&matrix(folder.path(), flags).stdout);
    assert_eq!(page.lines().filter(|line| line.starts_with("   1  user:")).count(), 2, "{page}");
    assert!(page.contains("years more than two apart") && page.contains("COD (Democratic"), "{page}");
    let chart = std::fs::read_to_string(folder.path().join("charts/carbon-matrix.csv")).unwrap();
    let row = |code: &str| chart.lines().find(|line| line.contains(code)).unwrap_or_else(|| panic!("{chart}"));
    assert!(row("user:CN-QH").starts_with("1,") && row("user:mine").starts_with("1,"), "{chart}");
    assert!(row("CN-QH,Qinghai").starts_with("3,"), "{chart}");
    let svg = std::fs::read_to_string(folder.path().join("charts/carbon-matrix.svg")).unwrap();
    assert!(svg.contains("user:CN-QH") && svg.contains("1†"), "marked and tied rows");
}

#[test]
fn estimated_energy_is_marked_in_every_cell_and_has_no_interval() {
    let folder = tempfile::tempdir().unwrap();
    let script = SCRIPT.replace("scope = \"board\"", "scope = \"board\"\nevidence = \"estimated\"");
    std::fs::write(folder.path().join("script.toml"), script).unwrap();
    let run = "run --no-ceilings --simulate script.toml --kernel gemm/tiled-f32 --shape m=n=k=128 --no-figures";
    let output = wattmark(folder.path(), &run.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    // 1 MJ × 24.7 g/kWh (SE4) is 6.86 g, and SE4 is published as a lower bound.
    let page = text(&matrix(folder.path(), "--regions nordic").stdout);
    assert_eq!(page.lines().filter(|line| line.contains("generation") && line.contains("≈")).count(), 10, "{page}");
    assert!(page.contains("≈6.86 g") && !page.contains('±') && page.contains("SE4 is a lower bound"), "{page}");
    assert!(json(folder.path(), "--regions nordic")["rows"][0]["carbon_g"][0]["interval"].is_null());
}
