//! The micro-grid against Vessim on the same inputs: totals within 0.1 %, and every hour's exchange and stored energy.
//!
//! `tests/fixtures/vessim` holds inputs, settings and what Vessim gave; `scripts/compare-vessim.py` made the latter.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use wattmark::account::microgrid::ledger::{energies, operational};
use wattmark::account::microgrid::step::run;
use wattmark::account::microgrid::{Battery, Connection, Energies, Inputs, Intensity, Operational, Step};

/// What the totals may differ by.
const TOLERANCE: f64 = 1e-3;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vessim").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// Load, generation and intensity of each hour.
fn inputs() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(fixture("inputs.csv")).unwrap();
    let (mut load, mut generation, mut intensity) = (Vec::new(), Vec::new(), Vec::new());
    for row in reader.records() {
        let row = row.unwrap();
        let number = |column: usize| row[column].parse::<f64>().unwrap();
        load.push(number(1));
        generation.push(number(2) + number(3));
        intensity.push(number(4));
    }
    (load, generation, intensity)
}

fn battery(case: &Value) -> Option<Battery> {
    let own = case["battery"].as_object()?;
    let number = |key: &str| own[key].as_f64().unwrap();
    let power = number("capacity_kwh") * number("c_rate");
    Some(Battery {
        capacity_kwh: number("capacity_kwh"),
        charge_kw: power,
        discharge_kw: power,
        charge_efficiency: number("charge_efficiency"),
        discharge_efficiency: number("discharge_efficiency"),
        soc_min: number("soc_min"),
        soc_max: 1.0,
        soc_start: number("soc_start"),
    })
}

struct Ours {
    battery: Option<Battery>,
    steps: Vec<Step>,
    energies: Energies,
    carbon: Operational,
}

fn ours(case: &Value) -> Ours {
    let repeat = case["repeat_rows"].as_u64().unwrap_or(1) as usize;
    let stretch = |column: Vec<f64>| -> Vec<f64> {
        column.into_iter().flat_map(|value| std::iter::repeat_n(value, repeat)).collect()
    };
    let (load, generation, intensity) = inputs();
    let (load, generation) = (stretch(load), stretch(generation));
    let intensity = Intensity::Series(stretch(intensity).into_iter().map(Some).collect());
    let battery = battery(case);
    let inputs = Inputs {
        hours: case["step_s"].as_f64().unwrap() / 3600.0,
        load_kw: &load,
        generation_kw: &generation,
        battery,
        grid: Some(Connection { limit_kw: f64::INFINITY, export: true }),
        grid_charging: None,
    };
    let steps = run(&inputs).unwrap();
    let energies = energies(&steps, inputs.hours, battery.as_ref()).unwrap();
    let carbon = operational(&steps, inputs.hours, battery.as_ref(), &intensity, &energies).unwrap();
    Ours { battery, steps, energies, carbon }
}

fn agree(what: &str, own: f64, theirs: f64) {
    println!("{what:<32} {own:>16.9} {theirs:>16.9}");
    assert!((own - theirs).abs() <= TOLERANCE * theirs.abs(), "{what}: {own} is not {theirs}");
}

#[test]
fn every_case_gives_vessims_totals_within_a_thousandth() {
    let (cases, vessim) = (json("cases.json"), json("vessim.json"));
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let Ours { battery, energies, carbon, .. } = ours(case);
        let theirs = &vessim["cases"][name];
        let total = |key: &str| theirs[key].as_f64().unwrap();
        agree(&format!("{name} import kWh"), energies.import_kwh, total("import_kwh"));
        agree(&format!("{name} export kWh"), energies.export_kwh, total("export_kwh"));
        agree(&format!("{name} charge kWh"), energies.charged_kwh, total("charge_kwh"));
        agree(&format!("{name} discharge kWh"), energies.discharged_kwh, total("discharge_kwh"));
        agree(&format!("{name} import g"), carbon.import_g, total("import_g"));
        match battery {
            Some(own) => {
                agree(&format!("{name} soc at end"), energies.stored_at_end_kwh / own.capacity_kwh, total("soc_end"));
            }
            None => assert!(theirs["soc_end"].is_null()),
        }
        assert!(energies.import_kwh > 0.0 && energies.export_kwh > 0.0, "{name} tests nothing");
    }
}

#[test]
fn every_hour_exchanges_and_stores_what_vessim_does() {
    let cases = json("cases.json");
    let mut reader = csv::Reader::from_path(fixture("vessim-steps.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut compared = 0;
    for case in cases["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let Ours { steps, .. } = ours(case);
        for row in rows.iter().filter(|row| &row[0] == name) {
            let step = &steps[row[1].parse::<usize>().unwrap()];
            let exchange: f64 = row[2].parse().unwrap();
            assert!((step.import_kw - step.export_kw - exchange).abs() < 2e-6, "{name} {}: {step:?}", &row[1]);
            if !row[3].is_empty() {
                let stored: f64 = row[3].parse().unwrap();
                assert!((step.stored_kwh - stored).abs() < 2e-6, "{name} {}: {step:?}", &row[1]);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 5 * 152);
}
