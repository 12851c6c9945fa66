//! The whole account of a declared load at a site with made profiles.

use super::super::load::declared;
use super::*;
use crate::account::resolve_site;
use crate::units::{Ratio, Watts};

const SITE: &str = r#"
name = "Hall"
grid = "0.2"
pue = 1.25
[microgrid]
start = "2026-07-01T00:00:00Z"
days = 0.125
step_s = 3600
[microgrid.wind]
capacity_kw = 20
profile = "wind.csv"
"#;
const WIND: &str =
    "time,value\n2026-07-01T00:00:00Z,0.5\n2026-07-01T01:00:00Z,0.0\n2026-07-01T02:00:00Z,1\n2026-07-01T03:00:00Z,1\n";

fn run(text: &str, kilowatts: f64, bounds: Option<(f64, f64)>) -> Result<Account, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hall.toml"), text).unwrap();
    std::fs::write(folder.path().join("wind.csv"), WIND).unwrap();
    let site = resolve_site(None, None, Some("hall.toml"), folder.path()).map_err(|error| error.to_string())?;
    let load = |config: &Config| {
        let bounds = bounds.map(|(low, high)| (Ratio::new(low), Ratio::new(high)));
        let trace = declared(Watts::new(kilowatts * 1000.0), None, &config.horizon);
        Ok(LoadTrace { relative_bounds: bounds, ..trace })
    };
    of_site(&site, load).map_err(|error| error.to_string())
}

#[test]
fn operational_and_life_cycle_carbon_stand_beside_each_other() {
    // 4 kW × 1.25 = 5 kW; wind 10, 0, 20 kW: import 5 kWh × 200 g = 1000 g; 30 kWh of wind × 11 g = 330 g.
    let account = run(SITE, 4.0, None).unwrap();
    assert_eq!((account.it_kwh, account.energies.load_kwh, account.energies.import_kwh), (12.0, 15.0, 5.0));
    assert_eq!((account.life_cycle.operational_g, account.life_cycle.generation_g), (1000.0, 330.0));
    assert_eq!(account.life_cycle.life_cycle_g, 1330.0);
    assert_eq!(account.generators[0].capacity_factor, Some(0.5));
    assert!(account.statement.starts_with("Not 100 % green: 1 of 3 steps imported energy."), "{}", account.statement);
    assert!(account.bands.is_none() && account.notes.iter().any(|note| note.contains("declared, not measured")));
}

#[test]
fn the_loads_interval_becomes_one_of_import_and_carbon() {
    let bands = run(SITE, 4.0, Some((0.9, 1.1))).unwrap().bands.unwrap();
    assert!((bands.import_kwh.0 - 4.5).abs() < 1e-9 && (bands.import_kwh.1 - 5.5).abs() < 1e-9);
    assert!((bands.life_cycle_g.0 - 1230.0).abs() < 1e-9 && (bands.operational_g.1 - 1100.0).abs() < 1e-9);
}

const BATTERY: &str =
    "[microgrid.battery]\ncapacity_kwh = 20\nc_rate = 1\ncharge_efficiency = 1\ndischarge_efficiency = 1\n";

#[test]
fn only_a_run_without_import_that_ends_as_full_as_it_began_is_called_green() {
    // 5 kWh are stored in the first hour, used in the second, and 15 stored in the third.
    let account = run(&format!("{SITE}{BATTERY}"), 4.0, None).unwrap();
    assert!(account.statement.starts_with("100 % green in operation: nothing was imported"), "{}", account.statement);
    assert_eq!(account.shares.hourly_carbon_free, Some(1.0));
    // 5 kWh are stored for 5 kW: with a load that may be higher, the claim is not earned.
    let close = run(&format!("{SITE}{BATTERY}"), 4.0, Some((0.9, 1.1))).unwrap();
    assert!(close.statement.contains("too close for \"100 % green\""), "{}", close.statement);
    // A full battery alone does the same without any import, and is not called green.
    let full = SITE.replace("capacity_kw = 20", "capacity_kw = 0") + BATTERY + "soc_start = 1\n";
    let account = run(&full, 4.0, None).unwrap();
    assert_eq!((account.energies.import_kwh, account.shares.hourly_carbon_free), (0.0, Some(0.0)));
    assert!(
        account.statement.contains("15.000 kWh of the battery's first charge were used up"),
        "{}",
        account.statement
    );
    assert_eq!(account.operational.operational_g, 3000.0);
    // An island that leaves load unserved says so first.
    let island = SITE.replace("step_s = 3600", "step_s = 3600\nislanded = true");
    let account = run(&island, 4.0, None).unwrap();
    assert!(account.statement.starts_with("Not all load was served: 1.00 h"), "{}", account.statement);
    assert!((account.shares.self_assurance - 2.0 / 3.0).abs() < 1e-12);
}

#[test]
fn the_battery_pays_its_manufacture_by_time_and_illustrative_shapes_are_called_so() {
    let battery = format!("{BATTERY}embodied_kg = 876\nlife_years = 10\n");
    let account = run(&format!("{SITE}{battery}"), 4.0, None).unwrap();
    // 876 kg over 10 × 8760 h is 10 g an hour.
    assert!((account.life_cycle.battery_g.unwrap() - 30.0).abs() < 1e-9);
    let account = run(&SITE.replace("wind.csv", "illustrative"), 4.0, None).unwrap();
    assert!(account.notes[0].starts_with("ILLUSTRATIVE: wind"), "{:?}", account.notes);
}
