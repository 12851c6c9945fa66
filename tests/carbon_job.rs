//! `wattmark carbon RUN` through the program: contracts, embodied figures, fleets, wrong tables, and an account made again
//! from its own JSON. Figures are computed by hand beside each assertion.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// One H100 by name at exactly 50 TFLOP/s for GEMM and 500 W: 1e11 FLOP/J, so an EFLOP takes 1e7 J and 20 000 s.
const H100: &str = r#"
[[device]]
name = "NVIDIA H100 80GB HBM3"
[[device.rates]]
variant = "*"
flop_per_s = 5e13

[[power]]
device = 0
scope = "board"
update_period_s = 0.02
idle_w = 70.0
counter = true
stated_error = 0.0
[[power.busy]]
variant = "*"
watts = 500.0
"#;

const SITE: &str = r#"
name = "Hall 3"
grid = "CN-QH"
pue = 1.2
[market]
residual = "CN-residual"
[[market.contract]]
name = "Haixi solar"
share = 0.4
intensity_g_per_kwh = 0
gas = "CO2"
instrument = "ppa"
contract = "HX-17"
settlement = "2026-09"
[[market.contract]]
name = "wind certificates"
share = 0.3
intensity_g_per_kwh = 0
gas = "CO2"
instrument = "certificate"
contract = "GEC-991"
[embodied]
life_years = 5
utilisation = 0.5
server_kg = 5700
server_gpus = 8
"#;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("hall.toml", SITE);
        desk
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }
    fn ask(&self, args: &[&str]) -> Output {
        Command::cargo_bin("wattmark")
            .unwrap()
            .current_dir(self.path())
            .env_remove("WATTMARK_GRID")
            .env_remove("WATTMARK_PUE")
            .args(args)
            .output()
            .unwrap()
    }
    /// Runs a script under `folder` and gives the record's path.
    fn measure(&self, script: &str, folder: &str) -> String {
        self.write("script.toml", script);
        let kernel = ["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=500", "--results", folder];
        let output = self.ask(&[&["run", "--no-ceilings", "--simulate", "script.toml"], &kernel[..]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let run = std::fs::read_dir(self.path().join(folder)).unwrap().next().unwrap().unwrap();
        run.path().display().to_string()
    }
    fn carbon(&self, args: &[&str]) -> String {
        let output = self.ask(&[&["carbon"], args].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.carbon(&[args, &["--json"]].concat())).unwrap()
    }
    /// What is said of a site file with these tables, which must be refused before any record is read.
    fn refusal(&self, tables: &str) -> String {
        self.write("bad.toml", &format!("grid = \"CN-QH\"\npue = 1.2\n{tables}"));
        let output = self.ask(&["carbon", "no-such-record", "--site", "bad.toml"]);
        assert_eq!(output.status.code(), Some(2), "{tables}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
        text(&output.stderr)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn near(value: &Value, want: f64) -> bool {
    (value.as_f64().unwrap() / want - 1.0).abs() < 1e-9
}

#[test]
fn the_figures_of_an_eflop_are_those_computed_by_hand() {
    let desk = Desk::new();
    let record = desk.measure(H100, "results");
    let json = desk.json(&[&record, "--site", "hall.toml"]);
    let account = &json["accounts"][0];
    // 1e7 J = 2.7778 kWh; × 1.2 = 3.3333 kWh at the facility.
    assert!(near(&account["facility_energy_kwh"]["point"], 1e7 / 3.6e6 * 1.2));
    // Location: 3.3333 × 179.6 = 598.67 g. Market: 40 % proven at 0, 60 % (30 % without settlement) at 609.6: 1219.2 g.
    assert!(near(&account["location"]["carbon_g"]["point"], 598.666_666_666_7));
    assert!(near(&account["market"]["carbon_g"]["point"], 10.0 / 3.0 * 0.6 * 609.6));
    assert!(near(&account["cue"]["kg_per_kwh"], 0.215_52));
    // TE from 164 + 5700/8 = 876.5 kg; TiR = 20 000 s / 0.5 = 40 000 s of 5 × 31 536 000 s: M = 222.35 g.
    let embodied = 876_500.0 * 40_000.0 / 157_680_000.0;
    assert!(near(&account["embodied"]["carbon_g"]["low"], embodied));
    assert!(near(&account["sci"]["score_g_per_unit"]["low"], 598.666_666_666_7 + embodied));
    assert_eq!(account["sci"]["label"], "SCI score");
    // 277.78 × 1.2 × 0.1796 / 0.1 TFLOPS/W = 598.67 g/EFLOP; 876 500 g / (5e13 × 157 680 000 × 0.5) × 1e18 = 222.35 g.
    assert!(near(&account["cci"]["operational_g_per_eflop"]["point"], 598.666_666_666_7));
    assert!(near(&account["cci"]["embodied_g_per_eflop"]["low"], embodied));
    // 876 500 g / (0.5 kW × 1.2 × 5 × 8760 h × 0.5) = 66.71 g/kWh.
    let equal = 876_500.0 / (0.5 * 1.2 * 5.0 * 8760.0 * 0.5);
    assert!(near(&account["equal_intensity_g_per_kwh"]["low"], equal));
    assert!(account["location"]["carbon_g"]["interval"].is_object(), "measured joules have an interval");
}

#[test]
fn an_accounts_json_as_the_site_gives_the_same_account() {
    let desk = Desk::new();
    let record = desk.measure(H100, "results");
    for choice in [&["--job", "gemm/f32=3e18"][..], &["--case", "gemm/*"], &["--fleet"], &[]] {
        let first = desk.carbon(&[&[&record, "--site", "hall.toml", "--json"], choice].concat());
        desk.write("account.json", &first);
        let first: Value = serde_json::from_str(&first).unwrap();
        let again = desk.json(&[&record, "--site", "account.json"]);
        for key in ["request", "terms", "accounts", "cases", "jobs", "left_out"] {
            assert_eq!(again[key], first[key], "{key} of {choice:?}");
        }
        assert_eq!(again["site"]["profile"], first["site"]["profile"]);
    }
    // A flag chooses otherwise: the account is a site file only.
    desk.write("account.json", &desk.carbon(&[&record, "--site", "hall.toml", "--json", "--job", "gemm=3e18"]));
    let other = desk.json(&[&record, "--site", "account.json", "--case", "gemm/*"]);
    assert_eq!(other["accounts"][0]["subject"]["label"].as_str().unwrap().split(' ').next(), Some("one"));
}

#[test]
fn a_fleet_of_two_carries_the_embodied_carbon_of_both_and_half_the_time_each() {
    let desk = Desk::new();
    let (one, two) = (desk.measure(H100, "one"), desk.measure(H100, "two"));
    let alone = desk.json(&[&one, "--site", "hall.toml"]);
    let fleet = desk.json(&[&one, &two, "--fleet", "--site", "hall.toml"]);
    let (alone, fleet) = (&alone["accounts"][0], &fleet["accounts"][0]);
    assert_eq!(fleet["subject"]["devices"], 2);
    assert!(near(&fleet["embodied"]["total_g"]["low"], 2.0 * 876_500.0));
    // Twice the hardware for half the time carries the same share.
    assert!(near(&fleet["embodied"]["carbon_g"]["low"], alone["embodied"]["carbon_g"]["low"].as_f64().unwrap()));
    assert!(near(
        &fleet["cci"]["embodied_g_per_eflop"]["low"],
        alone["cci"]["embodied_g_per_eflop"]["low"].as_f64().unwrap()
    ));
    let page = desk.carbon(&[&one, &two, "--site", "hall.toml"]);
    assert_eq!(page.matches("\nJob ").count(), 2, "{page}");
    assert!(page.contains("notes as above"), "{page}");
}

#[test]
fn the_page_keeps_interval_and_band_apart_and_shows_what_a_contract_lacks() {
    let desk = Desk::new();
    let record = desk.measure(H100, "results");
    let page = desk.carbon(&[&record, "--site", "hall.toml"]);
    assert!(page.lines().all(|line| line.chars().count() <= 120), "{page}");
    for part in [
        "95 % of joules",
        "range of",
        "wind certificates (certificate): 30 % of the energy at 0 gCO2/kWh; counted at the residual, no proof:",
        "821 g to 925 g/EFLOP",
        "× 365.8 g/kWh: 40 % proven",
        "5 y stated, 50 % in use stated",
        "PUE × factor, restated",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    assert!(!page.contains("CEPS"), "an indicator whose definition was not read is never printed");
}

#[test]
fn a_band_of_published_figures_says_how_far_the_joules_move_its_ends() {
    let desk = Desk::new();
    let record = desk.measure(&H100.replace("stated_error = 0.0", "stated_error = 0.05"), "results");
    let operational = &desk.json(&[&record, "--site", "hall.toml"])["accounts"][0]["sci"]["operational_g_per_unit"];
    let (point, low) = (operational["point"].as_f64().unwrap(), operational["interval"]["low"].as_f64().unwrap());
    // 1e7 J × 1.2 / 3.6e6 × 179.6 g/kWh = 598.7 g, and 5 % of it is 29.9 g; the edges of the windows add to that.
    assert!(point - low > 29.9 && point - low < 40.0, "{point} {low}");
    let page = desk.carbon(&[&record, "--site", "hall.toml"]);
    for figure in ["SCI  ", "CCI total  "] {
        let row = page.lines().find(|line| line.trim_start().starts_with(figure)).unwrap();
        assert!(row.contains(&format!("−{:.1} g to +", point - low)), "{row}");
    }
}

#[test]
fn a_device_of_which_nothing_is_published_has_no_score_and_no_zero() {
    let desk = Desk::new();
    let record = desk.measure(&H100.replace("NVIDIA H100 80GB HBM3", "llvmpipe"), "results");
    let account = &desk.json(&[&record, "--grid", "FRA"])["accounts"][0];
    assert!(account["embodied"]["carbon_g"].is_null() && account["sci"]["score_g_per_unit"].is_null());
    assert!(account["embodied"]["missing"].as_str().unwrap().contains("llvmpipe"));
    assert_eq!(account["sci"]["label"], "operational part only, not an SCI score");
    assert!(account["market"]["carbon_g"].is_null(), "no location-based figure stands in for the market-based one");
}

#[test]
fn tables_that_cannot_be_exit_2_with_file_table_key_and_remedy() {
    let desk = Desk::new();
    let contract = |share: &str, grams: &str| {
        format!(
            "[[market.contract]]\nname = \"x\"\nshare = {share}\nintensity_g_per_kwh = {grams}\ngas = \"CO2\"\n\
             instrument = \"ppa\"\n"
        )
    };
    for (tables, parts) in [
        (contract("0.7", "0") + &contract("0.5", "0"), ["sum of shares of 1.2000", "cannot cover more"]),
        (contract("nan", "0"), ["[market.contract 1]: `share`", "a share from 0 to 1"]),
        (contract("0.5", "-20"), ["`intensity_g_per_kwh` is -20", "no negative emissions"]),
        (contract("0.5", "5000"), ["`intensity_g_per_kwh` is 5000", "from 0 to 3000"]),
        ("[market]\nresidul = 0.6\n".to_owned(), ["market.residul", "did you mean residual?"]),
        ("[market]\nresidual = -0.6\n".to_owned(), ["[market]: `residual`", "no negative emissions"]),
        ("[embodied]\nutilisation = 0\n".to_owned(), ["[embodied]: `utilisation` is 0", "above 0"]),
        ("[embodied]\nlife_years = 0\n".to_owned(), ["[embodied]: `life_years` is 0", "above 0"]),
        ("[embodied]\nlife_years = nan\n".to_owned(), ["`life_years` is NaN", "years"]),
        ("[embodied]\nutilization = 0.5\n".to_owned(), ["embodied.utilization", "did you mean utilisation?"]),
        (
            "[[embodied.figure]]\ndevices = \"H100\"\nkg = -5\n".to_owned(),
            ["[embodied.figure 1]: `kg` is -5", "above 0"],
        ),
    ] {
        let message = desk.refusal(&tables);
        assert!(message.contains("bad.toml"), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part} not in {message}");
        }
    }
}

#[test]
fn a_case_or_program_that_the_record_lacks_exits_2_with_what_it_has() {
    let desk = Desk::new();
    let record = desk.measure(H100, "results");
    for (flag, name, part) in [("--case", "gemv/*", "gemm/tiled-f32"), ("--program", "llm", "no metered program")] {
        let output = desk.ask(&["carbon", &record, flag, name]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
}

#[test]
fn the_sites_in_the_guide_are_read_as_shown() {
    let desk = Desk::new();
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/carbon-of-a-job.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let shown: Vec<&str> = guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(shown.len(), 2);
    let record = desk.measure(H100, "results");
    for site in shown {
        desk.write("shown.toml", site);
        let account = &desk.json(&[&record, "--site", "shown.toml"])["accounts"][0];
        let stated = site.contains("[market]");
        assert_eq!(account["market"]["carbon_g"].is_object(), stated, "{site}");
        // The guide's own figure of 200 kg and an eighth of 5700 kg: 912.5 kg; without them 164 kg at least.
        let total = if stated { 164_000.0 } else { 912_500.0 };
        assert!(near(&account["embodied"]["total_g"]["low"], total), "{site}");
    }
}
