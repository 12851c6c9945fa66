//! The table `[microgrid]`: what it may say, and what is refused with file, key and remedy.

use super::*;
use crate::account::resolve_site;

const GOOD: &str = r#"
name = "Hall"
grid = "CN-QH"
pue = 1.2
[microgrid]
start = "2026-07-01T00:00:00Z"
days = 2
step_s = 300
[microgrid.load]
devices = 8
duty = 0.6
idle_w = 90
[microgrid.solar]
capacity_kw = 50
profile = "illustrative"
[microgrid.battery]
capacity_kwh = 20
c_rate = 0.5
discharge_c_rate = 1
charge_efficiency = 0.95
discharge_efficiency = 0.9
soc_min = 0.1
soc_max = 0.9
[microgrid.grid]
limit_kw = 30
"#;

fn config(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hall.toml"), text).unwrap();
    let site = resolve_site(None, None, Some("hall.toml"), folder.path()).map_err(|error| error.to_string())?;
    read(&site).map_err(|error| error.to_string())
}

#[test]
fn a_whole_table_is_read_and_defaults_are_said() {
    let config = config(GOOD).unwrap();
    assert_eq!((config.horizon.steps, config.horizon.total_hours()), (576, 48.0));
    assert_eq!(config.load.repeat, Repeat::Duty { duty: 0.6, period_h: 24.0, offset_h: 0.0 });
    let battery = config.battery.unwrap();
    assert_eq!((battery.charge_kw, battery.discharge_kw, battery.soc_start), (10.0, 20.0, 0.1));
    assert_eq!(config.grid.unwrap().limit_kw, Some(30.0));
    assert_eq!(config.generators[0].life_cycle_g_per_kwh, 41.0);
    assert!(config.notes[0].contains("begins at soc_min, 10 % full"));
}

#[test]
fn what_cannot_be_is_refused_with_its_key() {
    for (from, to, part) in [
        ("charge_efficiency = 0.95", "charge_efficiency = 1.2", "`charge_efficiency` is 1.2"),
        ("charge_efficiency = 0.95\n", "", "`charge_efficiency` is missing"),
        ("soc_min = 0.1", "soc_min = 0.95", "it must be below soc_max, which is 0.9"),
        ("soc_max = 0.9", "soc_max = 0.9\nsoc_start = 1", "outside soc_min 0.1 to soc_max 0.9"),
        ("c_rate = 0.5", "c_rate = 0", "`c_rate` is 0"),
        ("capacity_kwh = 20", "capacity_kwh = -20", "`capacity_kwh` is -20"),
        ("capacity_kw = 50", "capacity_kw = -1", "`capacity_kw` is -1"),
        ("capacity_kw = 50", "capacity_kw = nan", "`capacity_kw` is NaN"),
        ("capacity_kw = 50", "capacty_kw = 50", "did you mean capacity_kw?"),
        ("duty = 0.6", "duty = 0", "`duty` is 0"),
        ("duty = 0.6", "repeat = \"duty\"", "`duty` is missing"),
        ("duty = 0.6", "duty = 0.6\nrepeat = \"trace\"", "no meaning with repeat"),
        ("duty = 0.6", "repeat = \"dty\"", "did you mean duty?"),
        ("devices = 8", "devices = 0", "`devices` is 0"),
        ("days = 2", "days = 0", "`days` is 0"),
        ("step_s = 300", "step_s = 7000", "not a whole number of such steps"),
        ("days = 2", "days = 3660\n", "take at most"),
        ("step_s = 300", "step_s = 300\nislanded = true", "an island has no grid"),
        ("2026-07-01T00:00:00Z", "2026-07-01T00:00:00", "no instant with a zone"),
        ("profile = \"illustrative\"", "", "`profile` is missing"),
        ("limit_kw = 30", "limit_kw = -30", "`limit_kw` is -30"),
        ("limit_kw = 30", "charge_below_g_per_kwh = 100", "always or never below it"),
        ("limit_kw = 30", "sereis = \"x.csv\"", "did you mean series?"),
        ("soc_max = 0.9", "soc_max = 0.9\nembodied_kg = 100", "`life_years` is missing"),
        ("[microgrid.solar]", "[microgrid.sun]", "unknown key `microgrid.sun`"),
    ] {
        let mut text = GOOD.replace(from, to);
        if part == "take at most" {
            text = text.replace("step_s = 300", "step_s = 1");
        }
        assert_ne!(text, GOOD, "{from}");
        let message = config(&text).unwrap_err();
        assert!(message.contains(part), "{from} -> {to}: {message}");
        assert!(message.contains("hall.toml"), "{message}");
    }
    let without = GOOD.split("[microgrid]").next().unwrap();
    assert!(config(without).unwrap_err().contains("docs/microgrid.md"));
}
