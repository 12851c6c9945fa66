//! Shares and grams against figures worked by hand.

use proptest::prelude::*;

use super::super::step::{Connection, Inputs, run};
use super::*;

const OPEN: Connection = Connection { limit_kw: f64::INFINITY, export: true };

/// The battery of docs/microgrid.md.
const BATTERY: Battery = Battery {
    capacity_kwh: 20.0,
    charge_kw: 10.0,
    discharge_kw: 10.0,
    charge_efficiency: 0.95,
    discharge_efficiency: 0.9,
    soc_min: 0.1,
    soc_max: 0.9,
    soc_start: 0.5,
};

fn near(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{got} is not {want}");
}

fn account(inputs: &Inputs, intensity: &Intensity) -> (Energies, Operational, Shares) {
    let steps = run(inputs).unwrap();
    let battery = inputs.battery.as_ref();
    let energies = energies(&steps, inputs.hours, battery).unwrap();
    let carbon = operational(&steps, inputs.hours, battery, intensity, &energies).unwrap();
    let shares = shares(&steps, inputs.hours, 0.0, battery, &energies);
    (energies, carbon, shares)
}

/// The example of docs/microgrid.md: loads 6, 6, 6, 12 kW, generation 18, 6, 0, 0 kW, intensities 100, 100, 200, 400 g/kWh.
///
/// Load 30 kWh; import 3.6 kWh in the last hour: 3.6 × 400 = 1440 g. The battery ends at 2 kWh, 8 kWh below its start: to
/// charge them again takes 8/0.95 = 8.421 kWh at the mean of 200 g/kWh: 1684.21 g. Operational 3124.21 g.
#[test]
fn four_hours_have_the_grams_and_shares_worked_by_hand() {
    let (load, generation) = ([6.0, 6.0, 6.0, 12.0], [18.0, 6.0, 0.0, 0.0]);
    let inputs = Inputs {
        hours: 1.0,
        load_kw: &load,
        generation_kw: &generation,
        battery: Some(BATTERY),
        grid: Some(OPEN),
        grid_charging: None,
    };
    let intensity = Intensity::Series([100.0, 100.0, 200.0, 400.0].map(Some).to_vec());
    let (energies, carbon, shares) = account(&inputs, &intensity);
    near(energies.import_kwh, 3.6);
    near(energies.export_kwh, 12.0 - 8.0 / 0.95);
    near(energies.discharged_kwh, 14.4);
    // Losses: 8.421 × 5 % = 0.421, and 14.4/0.9 − 14.4 = 1.6 kWh.
    near(energies.battery_loss_kwh, 8.0 / 0.95 * 0.05 + 1.6);
    near(carbon.import_g, 1440.0);
    near(carbon.recharge_g, 8.0 / 0.95 * 200.0);
    near(carbon.operational_g, 1440.0 + 8.0 / 0.95 * 200.0);
    near(shares.self_sufficiency.unwrap(), 1.0 - 3.6 / 30.0);
    near(shares.self_consumption.unwrap(), 1.0 - (12.0 - 8.0 / 0.95) / 24.0);
    near(shares.self_generation.unwrap(), 0.8);
    near(shares.self_storage.unwrap(), 0.48);
    // 16 kWh leave the cells: 0.8 of 20 kWh.
    near(shares.battery_full_cycles.unwrap(), 0.8);
    // Of 18 kWh in store 8 were charged here, the other 10 were there before: 8/18 of 14.4 kWh, and 12 kWh used at once.
    near(shares.hourly_carbon_free.unwrap(), (12.0 + 14.4 * 8.0 / 18.0) / 30.0);
    assert_eq!(shares.self_assurance, 1.0);
}

/// Charged from the grid at 100 g/kWh, discharged at 500: 2 h at 1C into an empty lossless battery of 4 kWh, load 2 kW.
#[test]
fn stored_energy_keeps_the_carbon_of_its_charging() {
    let battery = Battery {
        capacity_kwh: 4.0,
        charge_kw: 4.0,
        discharge_kw: 4.0,
        charge_efficiency: 1.0,
        discharge_efficiency: 1.0,
        soc_min: 0.0,
        soc_max: 1.0,
        soc_start: 0.0,
    };
    let flags = [true, false, false];
    let inputs = Inputs {
        hours: 1.0,
        load_kw: &[2.0; 3],
        generation_kw: &[0.0; 3],
        battery: Some(battery),
        grid: Some(OPEN),
        grid_charging: Some(&flags),
    };
    let intensity = Intensity::Series(vec![Some(100.0), Some(500.0), Some(500.0)]);
    // 6 kWh imported at 100 g/kWh, 2 at once and 4 through the battery: 600 g in all, and nothing at 500.
    let (energies, carbon, shares) = account(&inputs, &intensity);
    assert_eq!((energies.import_kwh, carbon.import_g, carbon.through_battery_g), (6.0, 600.0, 400.0));
    assert_eq!((carbon.operational_g, carbon.recharge_g), (600.0, 0.0));
    assert_eq!(shares.hourly_carbon_free, Some(0.0));
    // One hour less: half of the 400 g stay in the 2 kWh that are left.
    let shorter = Inputs { load_kw: &[2.0; 2], generation_kw: &[0.0; 2], grid_charging: Some(&flags[..2]), ..inputs };
    let (_, carbon, _) = account(&shorter, &intensity);
    assert_eq!((carbon.kept_in_store_g, carbon.operational_g), (200.0, 400.0));
}

#[test]
fn a_full_battery_at_the_start_is_no_gift_and_export_offsets_nothing() {
    let battery = Battery { soc_start: 0.9, charge_efficiency: 0.5, ..BATTERY };
    let inputs = Inputs {
        hours: 1.0,
        load_kw: &[7.2],
        generation_kw: &[0.0],
        battery: Some(battery),
        grid: Some(OPEN),
        grid_charging: None,
    };
    // 7.2 kWh come out of 8 kWh in store; charging them at 50 % takes 16 kWh: 1600 g although nothing was imported.
    let (energies, carbon, shares) = account(&inputs, &Intensity::Constant(100.0));
    assert_eq!((energies.import_kwh, carbon.import_g), (0.0, 0.0));
    near(carbon.operational_g, 1600.0);
    assert_eq!(shares.hourly_carbon_free, Some(0.0));
    let exporting = Inputs { load_kw: &[1.0, 1.0], generation_kw: &[50.0, 0.0], battery: None, ..inputs };
    let (energies, carbon, _) = account(&exporting, &Intensity::Constant(100.0));
    assert_eq!((energies.export_kwh, carbon.operational_g), (49.0, 100.0));
}

#[test]
fn the_hourly_share_is_capped_in_each_hour_and_not_over_the_day() {
    // Twice the load generated in the first hour, nothing in the second: half of the load is matched, not all of it.
    let inputs = Inputs {
        hours: 0.5,
        load_kw: &[1.0; 4],
        generation_kw: &[3.0, 1.0, 0.0, 0.0],
        battery: None,
        grid: Some(OPEN),
        grid_charging: None,
    };
    let (_, _, shares) = account(&inputs, &Intensity::Constant(1.0));
    assert_eq!(shares.hourly_carbon_free, Some(0.5));
    // Within an hour, what is fed in matches what is drawn.
    let within = Inputs { generation_kw: &[2.0, 0.0, 0.0, 0.0], ..inputs };
    assert_eq!(account(&within, &Intensity::Constant(1.0)).2.hourly_carbon_free, Some(0.5));
}

#[test]
fn energy_imported_without_an_intensity_is_counted_apart() {
    let inputs = Inputs {
        hours: 1.0,
        load_kw: &[2.0, 3.0],
        generation_kw: &[0.0; 2],
        battery: None,
        grid: Some(OPEN),
        grid_charging: None,
    };
    let (_, carbon, _) = account(&inputs, &Intensity::Series(vec![Some(100.0), None]));
    assert_eq!((carbon.import_g, carbon.unpriced_import_kwh, carbon.operational_g), (200.0, 3.0, 200.0));
    let steps = run(&inputs).unwrap();
    let energies = energies(&steps, 1.0, None).unwrap();
    assert!(operational(&steps, 1.0, None, &Intensity::Series(vec![None, None]), &energies).is_err());
}

proptest! {
    /// Grams that reach the load and grams in store are those that were imported: checked by the account itself, for any flow.
    #[test]
    fn no_gram_is_lost_and_no_share_is_impossible(
        columns in prop::collection::vec((0.0f64..50.0, 0.0f64..50.0, prop::option::of(1.0f64..900.0), any::<bool>()), 1..150),
        minutes in prop::sample::select(vec![5u32, 15, 30, 60, 120]),
        first_hour in 0.0f64..1.0,
        at in 0.0f64..=1.0,
    ) {
        let load: Vec<f64> = columns.iter().map(|column| column.0).collect();
        let generation: Vec<f64> = columns.iter().map(|column| column.1).collect();
        let flags: Vec<bool> = columns.iter().map(|column| column.3 && column.2.is_some()).collect();
        let mut values: Vec<Option<f64>> = columns.iter().map(|column| column.2).collect();
        values[0] = Some(values[0].unwrap_or(100.0));
        let hours = f64::from(minutes) / 60.0;
        let battery = Battery { soc_start: 0.1 + 0.8 * at, ..BATTERY };
        let inputs = Inputs {
            hours,
            load_kw: &load,
            generation_kw: &generation,
            battery: Some(battery),
            grid: Some(OPEN),
            grid_charging: Some(&flags),
        };
        let intensity = Intensity::Series(values);
        let steps = run(&inputs).unwrap();
        let energies = energies(&steps, hours, Some(&battery)).unwrap();
        let carbon = operational(&steps, hours, Some(&battery), &intensity, &energies).unwrap();
        prop_assert!(carbon.operational_g >= 0.0 && carbon.kept_in_store_g <= carbon.import_g * (1.0 + 1e-9));
        let priced = energies.import_kwh - carbon.unpriced_import_kwh;
        prop_assert!(carbon.import_g <= priced * 900.0 * (1.0 + 1e-9) + 1e-9);
        let shares = shares(&steps, hours, first_hour, Some(&battery), &energies);
        let free = shares.hourly_carbon_free.unwrap();
        prop_assert!((0.0..=1.0 + 1e-9).contains(&free), "{free}");
        prop_assert!((0.0..=1.0 + 1e-9).contains(&shares.self_consumption.unwrap()));
    }
}
