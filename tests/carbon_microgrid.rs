//! `wattmark carbon microgrid` through the program: a declared and a measured load, its JSON used again, and wrong input.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

const SITE: &str = r#"
name = "Hall 3"
grid = "CN-QH"
pue = 1.25
[microgrid]
start = "2026-07-01T00:00:00Z"
days = 0.125
step_s = 3600
[microgrid.load]
devices = 8
[microgrid.wind]
capacity_kw = 20
profile = "wind.csv"
[microgrid.battery]
capacity_kwh = 10
c_rate = 0.5
charge_efficiency = 0.8
discharge_efficiency = 1
soc_min = 0.1
soc_max = 0.9
"#;
const WIND: &str = "time,value\n2026-07-01T00:00:00Z,0.5\n2026-07-01T01:00:00Z,0.0\n2026-07-01T02:00:00Z,1\n";

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.write("hall.toml", SITE);
        bench.write("wind.csv", WIND);
        bench
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }
    fn wattmark(&self, args: &[&str]) -> Output {
        Command::cargo_bin("wattmark").unwrap().current_dir(self.path()).args(args).output().unwrap()
    }
    fn microgrid(&self, args: &[&str]) -> Output {
        let mut all = vec!["carbon", "microgrid"];
        all.extend(args);
        self.wattmark(&all)
    }
    fn json(&self, args: &[&str]) -> Value {
        let output = self.microgrid(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{}", error(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// 8 × 500 W × 1.25 = 5 kW against wind of 10, 0 and 20 kW and a battery of 10 kWh that begins at 1 kWh.
///
/// Hour 1: surplus 5 kW, all of it taken (0.5C is 5 kW, room is 8/0.8 = 10 kW): stored 1 + 4 = 5. Hour 2: 4 kWh come out, 1 kWh
/// is imported: 179.6 g. Hour 3: surplus 15: 5 kW taken, 10 exported; stored 1 + 4 = 5 kWh, no less than at the start.
#[test]
fn a_declared_load_gives_the_figures_worked_by_hand_in_table_and_json() {
    let bench = Bench::new();
    let args = ["--power", "500", "--site", "hall.toml"];
    let json = bench.json(&args);
    let own = &json["microgrid"];
    let number = |table: &str, key: &str| own[table][key].as_f64().unwrap();
    for (table, key, want) in [
        ("energies", "load_kwh", 15.0),
        ("energies", "import_kwh", 1.0),
        ("energies", "export_kwh", 10.0),
        ("energies", "charged_kwh", 10.0),
        ("energies", "discharged_kwh", 4.0),
        ("energies", "stored_at_end_kwh", 5.0),
        ("operational", "operational_g", 179.6),
        ("life_cycle", "generation_g", 330.0),
        ("life_cycle", "life_cycle_g", 509.6),
        ("shares", "self_sufficiency", 14.0 / 15.0),
        ("shares", "self_consumption", 2.0 / 3.0),
        ("shares", "battery_full_cycles", 0.4),
    ] {
        assert!((number(table, key) - want).abs() < 1e-9, "{table} {key}: {}", number(table, key));
    }
    assert_eq!(own["load"]["evidence"], "declared");
    assert!(own["bands"].is_null(), "declared watts have no interval");
    let output = bench.microgrid(&args);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    for part in ["Not 100 % green: 1 of 3 steps imported energy", "offsets nothing", "≈180 g", "IPCC AR5", "declared"]
    {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
}

#[test]
fn the_json_of_an_account_is_a_site_that_gives_the_same_account_flags_included() {
    let bench = Bench::new();
    let first = bench.json(&[
        "--power",
        "500",
        "--site",
        "hall.toml",
        "--devices",
        "4",
        "--duty",
        "0.5",
        "--idle-power",
        "100",
    ]);
    bench.write("account.json", &first.to_string());
    let again = bench.json(&["--power", "500", "--site", "account.json"]);
    assert_eq!(first["microgrid"]["energies"], again["microgrid"]["energies"]);
    assert_eq!(first["microgrid"]["operational"], again["microgrid"]["operational"]);
    assert_eq!(again["microgrid"]["config"]["load"]["devices"], 4.0);
}

#[test]
fn a_record_gives_its_measured_power_with_an_interval_and_a_chart() {
    let bench = Bench::new();
    bench.write(
        "script.toml",
        "[[device]]\nname = \"Simulated Accelerator\"\n[[device.rates]]\nvariant = \"*\"\nflop_per_s = 1e12\n\
         [[power]]\ndevice = 0\nscope = \"board\"\nupdate_period_s = 0.02\nidle_w = 50.0\ncounter = true\n\
         stated_error = 0.02\n[[power.busy]]\nvariant = \"*\"\nwatts = 500.0\n",
    );
    let run = ["run", "--no-ceilings", "--simulate", "script.toml", "--kernel", "gemm/tiled-f32"];
    let output = bench.wattmark(&run);
    assert!(output.status.success(), "{}", error(&output));
    let record = std::fs::read_dir(bench.path().join("results")).unwrap().next().unwrap().unwrap().path();
    let record = record.to_str().unwrap();
    let json = bench.json(&[record, "--site", "hall.toml", "--plot", "charts"]);
    let own = &json["microgrid"];
    assert!((own["load"]["mean_power_w"].as_f64().unwrap() - 500.0).abs() < 0.5, "{}", own["load"]);
    assert_eq!((own["load"]["evidence"].as_str(), own["load"]["simulated"].as_bool()), (Some("measured"), Some(true)));
    assert!((own["energies"]["import_kwh"].as_f64().unwrap() - 1.0).abs() < 0.01);
    let band = own["bands"]["import_kwh"].as_array().unwrap();
    assert!(band[0].as_f64().unwrap() < 1.0 && band[1].as_f64().unwrap() > 1.0, "{band:?}");
    let charts: Vec<String> = std::fs::read_dir(bench.path().join("charts"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(charts.contains(&"microgrid.svg".to_owned()) && charts.contains(&"microgrid.csv".to_owned()), "{charts:?}");
    // Idle power was measured, so a duty cycle needs none declared.
    let duty = bench.json(&[record, "--site", "hall.toml", "--duty", "0.5"]);
    let load = duty["microgrid"]["energies"]["load_kwh"].as_f64().unwrap();
    assert!((load - 15.0).abs() < 0.1, "all three hours lie in the busy half of a day: {load}");
    let wrong = bench.microgrid(&[record, "--site", "hall.toml", "--case", "gem/*"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(error(&wrong).contains("it has gemm/tiled-f32"), "{}", error(&wrong));
}

#[test]
fn wrong_sites_and_profiles_exit_2_and_name_file_key_and_remedy() {
    let bench = Bench::new();
    for (from, to, parts) in [
        ("charge_efficiency = 0.8", "charge_efficiency = 1.2", ["`charge_efficiency` is 1.2", "above 0 and up to 1"]),
        ("soc_min = 0.1", "soc_min = 0.95", ["`soc_min` is 0.95", "below soc_max"]),
        ("c_rate = 0.5", "c_rate = 0", ["`c_rate` is 0", "capacities per hour"]),
        ("capacity_kwh = 10", "capacity_kwh = -10", ["`capacity_kwh` is -10", "above 0"]),
        ("capacity_kw = 20", "capacity_kw = -20", ["`capacity_kw` is -20", "at least 0"]),
        ("capacity_kw = 20", "capactiy_kw = 20", ["microgrid.wind.capactiy_kw", "did you mean capacity_kw?"]),
        ("[microgrid.wind]", "[microgrid.wnd]", ["microgrid.wnd", "did you mean wind?"]),
        ("days = 0.125", "days = 0.25", ["it covers 2026-07-01T00:00:00Z to", "change start and days"]),
        ("wind.csv", "wnd.csv", ["wnd.csv", "write \"illustrative\""]),
        ("pue = 1.25", "pue = 0.9", ["PUE 0.9 is refused", "at least 1"]),
    ] {
        bench.write("wrong.toml", &SITE.replace(from, to));
        let output = bench.microgrid(&["--power", "500", "--site", "wrong.toml"]);
        let message = error(&output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{to}: {message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{to}: {message}");
    }
    for (text, part) in [
        (WIND.replace("0.0", "NaN"), "line 3: `NaN` is refused"),
        (WIND.replace("0.0", "-0.2"), "line 3: `-0.2` is refused"),
        (WIND.replace("0.0", ""), "nothing is filled in"),
        ("time,value\n".to_owned(), "it has 0 values"),
        (String::new(), "it needs a header"),
        (WIND.replace("T01:00", "T01:10"), "the steps of a profile must be equal"),
    ] {
        bench.write("wind.csv", &text);
        let output = bench.microgrid(&["--power", "500", "--site", "hall.toml"]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(error(&output).contains("wind.csv") && error(&output).contains(part), "{part}: {}", error(&output));
    }
}

#[test]
fn wrong_flags_exit_2() {
    let bench = Bench::new();
    for (args, part) in [
        (&["--power", "-5", "--site", "hall.toml"][..], "`--power` is -5"),
        (&["--power", "nan", "--site", "hall.toml"], "`--power` is NaN"),
        (&["--power", "5", "--hours", "0", "--site", "hall.toml"], "`--hours` is 0"),
        (&["--power", "5", "--hours", "4", "--site", "hall.toml"], "its end would be cut off"),
        (&["--power", "5", "--duty", "1.5", "--site", "hall.toml"], "`duty` is 1.5"),
        (&["--power", "5", "--duty", "0.5", "--site", "hall.toml"], "idle_w"),
        (&["--power", "5", "--repeat", "dutty", "--site", "hall.toml"], "did you mean duty?"),
        (&["--power", "5", "--devices", "0", "--site", "hall.toml"], "`devices` is 0"),
        (&["--power", "5"], "docs/microgrid.md has a whole example"),
        (&["--site", "hall.toml"], "RUN"),
        (&["some-run", "--power", "5", "--site", "hall.toml"], "cannot be used with"),
    ] {
        let output = bench.microgrid(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", error(&output));
        assert!(error(&output).contains(part), "{args:?}: {}", error(&output));
    }
}

#[test]
fn the_site_file_of_the_guide_runs_as_it_stands() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/microgrid.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let site = guide.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let bench = Bench::new();
    bench.write("example.toml", site);
    let json = bench.json(&["--power", "400", "--site", "example.toml"]);
    let own = &json["microgrid"];
    assert_eq!(own["config"]["horizon"]["steps"], 2016);
    // 1000 × (0.6 × 400 + 0.4 × 60) W × 1.2 × 168 h = 53 222.4 kWh.
    assert!((own["energies"]["load_kwh"].as_f64().unwrap() - 53_222.4).abs() < 1e-6);
    assert!(own["notes"][0].as_str().unwrap().starts_with("ILLUSTRATIVE: solar, wind"));
    assert!(own["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().starts_with("MIXED")));
}

/// Without wind and battery 5 kW are imported: hours 9 and 11 of 5 January 2022 at their own intensities, hour 10 is blank.
#[test]
fn a_series_prices_each_hour_and_a_blank_hour_is_counted_apart() {
    let bench = Bench::new();
    let site = SITE.split("[microgrid.wind]").next().unwrap().replace("2026-07-01T00", "2022-01-05T09");
    bench.write("series.toml", &format!("{site}[microgrid.grid]\nseries = \"ciso-2022\"\n"));
    let args = ["--power", "500", "--site", "series.toml"];
    let json = bench.json(&args);
    let own = &json["microgrid"]["operational"];
    assert!((own["unpriced_import_kwh"].as_f64().unwrap() - 5.0).abs() < 1e-9, "{own}");
    let hour = |stamp: &str| -> f64 {
        let example = include_str!("../src/account/series/examples/ciso_2022.csv");
        let line = example.lines().find(|line| line.starts_with(stamp)).unwrap();
        line.split(',').nth(1).unwrap().parse().unwrap()
    };
    let want = 5.0 * (hour("2022-01-05T09") + hour("2022-01-05T11"));
    assert!((own["import_g"].as_f64().unwrap() - want).abs() < 1e-6, "{own} {want}");
    let text = String::from_utf8_lossy(&bench.microgrid(&args).stdout).into_owned();
    assert!(text.contains("≥ ≈") && text.contains("without a trustworthy intensity"), "{text}");
    bench.write(
        "late.toml",
        &format!("{}[microgrid.grid]\nseries = \"ciso-2022\"\n", site.replace("2022-01-05", "2026-01-05")),
    );
    let output = bench.microgrid(&["--power", "500", "--site", "late.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("it covers 2022-01-01T00:00:00Z to"), "{}", error(&output));
}
