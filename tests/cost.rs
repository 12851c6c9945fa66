//! `wattmark cost` through the program: worked figures, several devices, JSON that recomputes, and wrong site files.
//!
//! What surprises people: the devices are scripted, so that their joules are exact and the money can be worked by hand.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// A device with a sensor that has no stated error.
fn script(name: &str, flop_per_s: &str, watts: &str) -> String {
    format!(
        "[[device]]\nname = \"{name}\"\n[[device.rates]]\nvariant = \"*\"\nflop_per_s = {flop_per_s}\n\
         [[power]]\ndevice = 0\nscope = \"board\"\nupdate_period_s = 0.02\nidle_w = 50.0\ncounter = true\nstated_error = 0.0\n\
         [[power.busy]]\nvariant = \"*\"\nwatts = {watts}\n"
    )
}

/// Rates in `[cost]`, without a tariff.
const RATES: &str = "grid = \"CN-QH\"\npue = 1.2\n[cost]\ncurrency = \"CNY\"\ndiscount_rate = 0.08\nlife_years = 4\n\
                     utilisation = 0.6\n";
/// Prices of both devices.
const PRICES: &str = "[[cost.device]]\nmatch = \"Device X\"\nprice = 100000\n[[cost.device]]\nmatch = \"Device Y\"\n\
                      price = 120000\n";

fn hall() -> String {
    format!("{RATES}tariff = 0.5\ncarbon_price_per_t = 75\nmaintenance_per_year = 2000\n{PRICES}")
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// Records `x` (100 TFLOP/s at 100 W) and, if `two`, `y` (150 TFLOP/s at 250 W).
    fn new(two: bool) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.record("x", &script("Device X", "1e14", "100.0"));
        if two {
            desk.record("y", &script("Device Y", "1.5e14", "250.0"));
        }
        desk
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }
    fn ask(&self, line: &str) -> Output {
        let mut command = Command::cargo_bin("wattmark").unwrap();
        command.current_dir(self.path()).env_remove("WATTMARK_GRID").env_remove("WATTMARK_PUE");
        command.args(line.split(' ')).output().unwrap()
    }
    fn record(&self, name: &str, script: &str) {
        self.write("script.toml", script);
        let output = self.ask(
            "run --simulate script.toml --no-ceilings --no-figures --kernel gemm/tiled-f32 --shape m=n=k=2048 --results all",
        );
        assert!(output.status.success(), "{}", text(&output.stderr));
        let run = std::fs::read_dir(self.path().join("all")).unwrap().next().unwrap().unwrap().path();
        std::fs::rename(run.join("run.json"), self.path().join(format!("{name}.json"))).unwrap();
        std::fs::remove_dir_all(self.path().join("all")).unwrap();
    }
    fn page(&self, line: &str) -> String {
        let output = self.ask(line);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        let page = text(&output.stdout);
        assert!(page.lines().all(|line| line.chars().count() <= 120), "{page}");
        page
    }
    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.page_of_any_width(&format!("{line} --json"))).unwrap()
    }
    fn page_of_any_width(&self, line: &str) -> String {
        let output = self.ask(line);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    }
    /// Demands exit 2, nothing on standard output, and every word in the message.
    fn refused(&self, line: &str, words: &[&str]) {
        let output = self.ask(line);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert_eq!(text(&output.stdout), "", "{line}");
        for word in words {
            assert!(said.contains(word), "{line}: no `{word}` in\n{said}");
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn near(got: &Value, want: f64) -> bool {
    (got.as_f64().unwrap() / want - 1.0).abs() < 1e-6
}

#[test]
fn the_cost_of_an_exaflop_is_the_one_worked_by_hand_in_the_guide() {
    let desk = Desk::new(false);
    desk.write("hall.toml", &hall());
    let account = desk.json("cost x.json --site hall.toml");
    let device = &account["groups"][0]["devices"][0];
    // 1e18 FLOP at 1e14 FLOP/s and 100 W: 10 000 s and 1 MJ, as in docs/cost-of-work.md.
    assert!(near(&device["terms"]["time_h"], 1e4 / 3600.0));
    assert!(near(&device["parts"]["hardware"], 15.956_410));
    assert!(near(&device["parts"]["maintenance"], 1.056_993));
    assert!(near(&device["parts"]["electricity"], 1.0 / 6.0));
    assert!(near(&device["parts"]["carbon_price"], 0.004_49));
    assert!(near(&device["cost"]["point"], 17.184_559_6), "{}", device["cost"]);
    assert!(near(&device["carbon_g"]["point"], 59.866_667));
    assert!(near(&device["ownership"]["discounted_total"], 107_696.905));
    assert_eq!(account["currency"], "CNY");
    let page = desk.page("cost x.json --site hall.toml");
    for part in ["in CNY", "CNY/EFLOP", "17.18", "Device X", "board energy", "describe no hardware"] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
}

#[test]
fn the_json_of_an_account_recomputes_it() {
    let desk = Desk::new(true);
    desk.write("hall.toml", &hall());
    let first = desk.json("cost x.json y.json --site hall.toml");
    desk.write("account.json", &first.to_string());
    let again = desk.json("cost x.json y.json --site account.json");
    assert_eq!(first["groups"], again["groups"]);
    assert_eq!(first["notes"], again["notes"]);
    assert_eq!(first["site"]["profile"], again["site"]["profile"]);
}

#[test]
fn devices_are_ranked_with_break_even_and_the_four_normalisations() {
    let desk = Desk::new(true);
    desk.write("hall.toml", &hall());
    let flags = "--normalise budget=1e6 --normalise power=1e4 --normalise work=1e24 --normalise count=8";
    let account = desk.json(&format!("cost x.json y.json --site hall.toml {flags}"));
    let group = &account["groups"][0];
    let names: Vec<&str> =
        group["devices"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    // Y: 120 000 × 0.30192 / 5256 + 2000 / 5256 = 7.274 an hour for 1.5 times the work of X's 6.125 an hour.
    assert_eq!(names, ["Device Y", "Device X"]);
    let front: Vec<bool> =
        group["devices"].as_array().unwrap().iter().map(|one| one["on_front"].as_bool().unwrap()).collect();
    assert_eq!(front, [true, true], "Y is cheaper, X cleaner: 1.667 MJ against 1 MJ for an EFLOP");
    let devices = |index: usize| -> Vec<f64> {
        let rows = group["normalised"][index][1].as_array().unwrap();
        rows.iter().map(|row| row["devices"].as_f64().unwrap()).collect()
    };
    // 1e6 / 120 000 = 8.3, 1e6 / 100 000 = 10; 1e4 / 300 = 33.3, 1e4 / 120 = 83.3.
    assert_eq!((devices(0), devices(1)), (vec![8.0, 10.0], vec![33.0, 83.0]));
    // 5256 h × 3600 × 1.5e14 = 2.83824e21: 352.3; × 1e14 = 1.89216e21: 528.5.
    assert_eq!((devices(2), devices(3)), (vec![353.0, 529.0], vec![8.0, 8.0]));
    let even = &group["break_even"][0];
    // Y's fixed cost of an EFLOP: (120 000 × 0.3019208 + 2000) / 5256 × 1.851852 h; X's as in the guide. With carbon price,
    // per kWh: X 0.333333, Y 0.555556 kWh × (τ + 0.01347).
    let fixed_y = (120_000.0 * 0.301_920_804 + 2000.0) / 5256.0 * (1e4 / 1.5 / 3600.0);
    let tariff = (15.956_409_8 + 1.056_993_1 - fixed_y) / (0.555_555_56 - 0.333_333_33) - 179.6 * 75.0 / 1e6;
    assert!(tariff > 15.0 && near(&even["tariff_per_kwh"]["value"], tariff), "{tariff} {even}");
    assert_eq!(even["tariff_per_kwh"]["below"], "Device Y");
    let page = desk.page(&format!("cost x.json y.json --site hall.toml {flags}"));
    for part in ["Break-even of Device Y and Device X", "Fixed budget", "Fixed power", "Fixed work", "Fixed count"] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
}

#[test]
fn a_fleet_costs_what_its_devices_cost_together() {
    let desk = Desk::new(true);
    desk.write("hall.toml", &hall());
    let fleet = &desk.json("cost x.json y.json --site hall.toml --fleet")["groups"][0]["devices"][0];
    assert_eq!(fleet["terms"]["price"], 220_000.0);
    // 2.5e14 FLOP/s at 350 W.
    assert!(near(&fleet["work_per_s"], 2.5e14) && near(&fleet["power_w"], 350.0), "{fleet}");
}

#[test]
fn a_start_hour_pays_the_hours_of_the_work_and_the_mean_otherwise() {
    let desk = Desk::new(false);
    let hours = "[[cost.tariff.hours]]\nfrom = 22\nuntil = 6\nper_kwh = 0.3\n[[cost.tariff.hours]]\nfrom = 6\nuntil = 22\n\
                 per_kwh = 0.6\n";
    desk.write("hall.toml", &format!("{RATES}{hours}{PRICES}"));
    let tariff = |flags: &str| {
        desk.json(&format!("cost x.json --site hall.toml{flags}"))["groups"][0]["devices"][0]["terms"]["tariff_per_kwh"]
            .clone()
    };
    assert!(near(&tariff(""), 0.5));
    // The EFLOP takes 2.78 h.
    assert!(near(&tariff(" --start 23"), 0.3));
    assert!(near(&tariff(" --start 12"), 0.6));
    desk.refused("cost x.json --site hall.toml --start 24", &["--start 24", "hour of a day"]);
}

#[test]
fn charts_are_drawn_for_devices_and_their_comparison() {
    let desk = Desk::new(true);
    desk.write("hall.toml", &hall());
    desk.page("cost x.json y.json --site hall.toml --plot figures");
    for name in ["tornado-device-x", "tornado-device-y", "pareto-cost-carbon", "cost-stack", "tco-stack"] {
        let svg = std::fs::read_to_string(desk.path().join(format!("figures/{name}.svg"))).unwrap();
        assert!(svg.starts_with("<") && svg.contains("SIMULATED"), "{name}");
    }
}

#[test]
fn without_prices_the_program_says_what_to_write() {
    let desk = Desk::new(false);
    desk.refused("cost x.json", &["none is built in", "--site", "[cost]", "[[cost.device]]"]);
    desk.refused("cost x.json --site xining", &["none is built in", "[[cost.device]]"]);
    desk.write("hall.toml", "");
    desk.refused("cost x.json --site hall.toml", &["hall.toml", "grid is missing"]);
    desk.write("hall.toml", &hall().replace("Device X", "Device Z"));
    desk.refused("cost x.json --site hall.toml", &["match = \"Device X\"", "no price", "CNY"]);
    desk.write("hall.toml", &hall().replace("price = 100000\n", ""));
    desk.refused("cost x.json --site hall.toml", &["`price` is missing", "cost.device 1", "CNY"]);
}

#[test]
fn a_device_without_a_price_is_named_below_the_others() {
    let desk = Desk::new(true);
    desk.write("hall.toml", &hall().replace("Device Y", "Device Z"));
    let page = desk.page("cost x.json y.json --site hall.toml");
    assert!(page.contains("Without a cost:") && page.contains("match = \"Device Y\""), "{page}");
    assert!(page.contains("\"Device Z\" was not used"), "{page}");
}

#[test]
fn values_that_cannot_be_are_refused_with_file_key_and_remedy() {
    let desk = Desk::new(false);
    let good = hall();
    for (old, new, words) in [
        ("utilisation = 0.6", "utilisation = 0", &["`utilisation` is 0", "60 %"][..]),
        ("life_years = 4", "life_years = 0", &["`life_years` is 0", "years, above 0"]),
        ("discount_rate = 0.08", "discount_rate = nan", &["`discount_rate` is NaN", "0.08 is 8 %"]),
        ("discount_rate = 0.08", "discount_rate = 8", &["0.08 is 8 %"]),
        ("price = 100000", "price = -1", &["`price` is -1", "0 or more"]),
        ("price = 100000", "price = inf", &["`price` is inf"]),
        ("price = 100000", "price = 1\ncurrency = \"USD\"", &["CNY", "USD", "nothing is converted"]),
        ("tariff = 0.5", "tariff = 500", &["`tariff` is 500", "per MWh"]),
        ("tariff = 0.5", "tariff = -0.5", &["`tariff` is -0.5"]),
        ("utilisation = 0.6", "utilization = 0.6", &["cost.utilization", "did you mean utilisation?"]),
        ("match = \"Device X\"", "mach = \"Device X\"", &["did you mean match?"]),
        ("carbon_price_per_t = 75", "carbon_price_per_t = -75", &["carbon_price_per_t", "0 or more"]),
        ("currency = \"CNY\"", "currency = \"yuan\"", &["ISO 4217"]),
        ("pue = 1.2", "pue = 0.9", &["at least 1"]),
    ] {
        assert!(good.contains(old), "{old}");
        desk.write("hall.toml", &good.replace(old, new));
        let mut all = vec!["wattmark: "];
        if !new.starts_with("pue") {
            all.push("hall.toml");
        }
        all.extend(words);
        desk.refused("cost x.json --site hall.toml", &all);
    }
}

#[test]
fn tariff_hours_with_a_gap_or_an_overlap_are_refused_with_the_hour() {
    let desk = Desk::new(false);
    let day = |until: &str, from: &str| {
        format!(
            "{RATES}[[cost.tariff.hours]]\nfrom = 0\nuntil = {until}\nper_kwh = 0.3\n[[cost.tariff.hours]]\nfrom = {from}\n\
             until = 24\nper_kwh = 0.6\n{PRICES}"
        )
    };
    desk.write("hall.toml", &day("7", "8"));
    desk.refused("cost x.json --site hall.toml", &["hall.toml [cost.tariff]", "07:00 to 08:00"]);
    desk.write("hall.toml", &day("9", "8"));
    desk.refused("cost x.json --site hall.toml", &["cost.tariff.hours 2", "08:00 is in an earlier period"]);
    desk.write("hall.toml", &day("8", "8"));
    desk.page("cost x.json --site hall.toml");
}

#[test]
fn a_wrong_flag_is_told_with_what_is_right() {
    let desk = Desk::new(false);
    desk.refused("cost x.json --normalise buget=5", &["did you mean budget?", "count=8"]);
    desk.refused("cost x.json --normalise power=-5", &["not above 0"]);
}

#[test]
fn the_site_file_of_the_guide_is_read_as_shown() {
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cost-of-work.md")).unwrap();
    let shown = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap().to_owned();
    let desk = Desk::new(true);
    desk.write("hall.toml", &shown);
    let account = desk.json("cost x.json y.json --site hall.toml");
    let devices = account["groups"][0]["devices"].as_array().unwrap();
    let of = |name: &str| devices.iter().find(|device| device["name"] == name).unwrap();
    let (x, y) = (of("Device X"), of("Device Y"));
    assert!(near(&x["terms"]["mean_tariff_per_kwh"], 0.5));
    // 480 000 and 16 000 for eight.
    assert_eq!((&y["terms"]["price"], &y["terms"]["maintenance_per_year"]), (&60_000.0.into(), &2_000.0.into()));
    assert_eq!((&x["terms"]["life_years"], &y["terms"]["life_years"]), (&4.0.into(), &5.0.into()));
    // The table worked by hand in the guide.
    assert!(near(&x["cost"]["point"], 17.184_559_6));
    assert!(near(&x["embodied_g"], 21.668_357));
    assert!(near(&x["ownership"]["payback"]["years"], 2.517_360));
    let tariff =
        x["sensitivity"].as_array().unwrap().iter().find(|swing| swing["input"] == "electricity tariff").unwrap();
    assert_eq!((&tariff["low"], &tariff["high"]), (&0.3.into(), &0.9.into()));
}

#[test]
fn a_metered_program_is_priced_by_the_million_tokens_and_declared_watts_are_marked() {
    let desk = Desk::new(false);
    let meter = "meter --assume-watts 700 --power estimate --idle 0 --label llm --work tokens=1000 --results metered -- sleep 0.3";
    let output = desk.ask(meter);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let run = std::fs::read_dir(desk.path().join("metered")).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(run.join("run.json"), desk.path().join("llm.json")).unwrap();
    desk.write("hall.toml", &hall().replace("Device X", "*"));
    let account = desk.json("cost llm.json --site hall.toml");
    let group = &account["groups"][0];
    assert_eq!(group["per"]["words"], "million tokens");
    assert!(group["devices"][0]["cost"]["interval"].is_null(), "{group}");
    let page = desk.page("cost llm.json --site hall.toml");
    assert!(page.contains("CNY/million") && page.contains('≈') && page.contains("not measured"), "{page}");
}

#[test]
fn an_unreadable_record_exits_7_and_names_the_file() {
    let desk = Desk::new(false);
    desk.write("hall.toml", &hall());
    desk.write("bad.json", "{\"schema\": \"wattmark/run\", \"vers");
    for line in ["cost bad.json --site hall.toml", "cost x.json bad.json --site hall.toml", "cost bad.json"] {
        let output = desk.ask(line);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(7), ""), "{line}");
        assert!(text(&output.stderr).contains("bad.json"), "{line}: {}", text(&output.stderr));
    }
}
