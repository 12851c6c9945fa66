//! The rule of a step against figures worked by hand, and its balance on random inputs.

use proptest::prelude::*;

use super::*;

fn near(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{got} is not {want}");
}

/// 20 kWh from 10 to 90 %, 0.5C, 95 % in and 90 % out, half full.
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
const OPEN: Connection = Connection { limit_kw: f64::INFINITY, export: true };

fn inputs<'a>(load_kw: &'a [f64], generation_kw: &'a [f64]) -> Inputs<'a> {
    Inputs { hours: 1.0, load_kw, generation_kw, battery: Some(BATTERY), grid: Some(OPEN), grid_charging: None }
}

/// The example of docs/microgrid.md: four hours at a load of 6 kW.
///
/// 1. 18 kW: surplus 12. Room 18 − 10 = 8 kWh takes 8/0.95 = 8.421 kW (below 10): stored 18; exported 12 − 8.421 = 3.579.
/// 2. 6 kW: nothing flows.
/// 3. 0 kW: deficit 6 from the battery (below 10 and below (18−2)·0.9 = 14.4): stored 18 − 6/0.9 = 11.333.
/// 4. 0 kW at a load of 12: the battery gives min(10, 9.333·0.9 = 8.4) = 8.4, stored 2; imported 3.6.
#[test]
fn four_hours_are_those_worked_by_hand() {
    let steps = run(&inputs(&[6.0, 6.0, 6.0, 12.0], &[18.0, 6.0, 0.0, 0.0])).unwrap();
    near(steps[0].charge_kw, 8.0 / 0.95);
    near(steps[0].export_kw, 12.0 - 8.0 / 0.95);
    assert_eq!(steps[0].stored_kwh, 18.0);
    assert_eq!((steps[1].charge_kw, steps[1].import_kw, steps[1].stored_kwh), (0.0, 0.0, 18.0));
    near(steps[2].discharge_kw, 6.0);
    near(steps[2].stored_kwh, 18.0 - 6.0 / 0.9);
    near(steps[3].discharge_kw, 8.4);
    near(steps[3].import_kw, 3.6);
    assert_eq!(steps[3].stored_kwh, 2.0);
}

#[test]
fn an_island_spills_what_it_cannot_store_and_leaves_load_unserved() {
    let island = Inputs { grid: None, ..inputs(&[6.0, 12.0, 12.0], &[30.0, 0.0, 0.0]) };
    let steps = run(&island).unwrap();
    // 24 − 8/0.95 is spilled; then 10 kW at most leave the battery: 2 kW unserved; then (18 − 10/0.9 − 2)·0.9 = 4.4 kW.
    near(steps[0].spill_kw, 24.0 - 8.0 / 0.95);
    near(steps[1].unserved_kw, 2.0);
    near(steps[2].discharge_kw, (18.0 - 10.0 / 0.9 - 2.0) * 0.9);
    near(steps[2].unserved_kw, 12.0 - (18.0 - 10.0 / 0.9 - 2.0) * 0.9);
    assert!(steps.iter().all(|step| step.import_kw == 0.0 && step.export_kw == 0.0));
}

#[test]
fn the_connection_limits_import_and_export_and_may_take_nothing() {
    let grid = Connection { limit_kw: 3.0, export: true };
    let limited = Inputs { grid: Some(grid), battery: None, ..inputs(&[5.0, 1.0], &[0.0, 9.0]) };
    let steps = run(&limited).unwrap();
    assert_eq!((steps[0].import_kw, steps[0].unserved_kw), (3.0, 2.0));
    assert_eq!((steps[1].export_kw, steps[1].spill_kw), (3.0, 5.0));
    let closed = Connection { limit_kw: f64::INFINITY, export: false };
    let steps = run(&Inputs { grid: Some(closed), ..limited }).unwrap();
    assert_eq!((steps[1].export_kw, steps[1].spill_kw), (0.0, 8.0));
}

#[test]
fn charging_from_the_grid_takes_what_the_load_leaves_of_the_connection_and_does_not_discharge() {
    let grid = Connection { limit_kw: 8.0, export: true };
    let allowed = [true, false];
    let inputs = Inputs { grid: Some(grid), grid_charging: Some(&allowed), ..inputs(&[6.0, 6.0], &[0.0, 0.0]) };
    let steps = run(&inputs).unwrap();
    assert_eq!((steps[0].import_kw, steps[0].grid_charge_kw, steps[0].discharge_kw), (8.0, 2.0, 0.0));
    near(steps[0].stored_kwh, 10.0 + 2.0 * 0.95);
    assert_eq!((steps[1].import_kw, steps[1].discharge_kw), (0.0, 6.0));
}

#[test]
fn a_load_that_is_no_number_or_columns_that_do_not_fit_are_refused() {
    for load in [f64::NAN, -1.0, f64::INFINITY] {
        assert!(run(&inputs(&[load], &[1.0])).unwrap_err().to_string().contains("step 0"), "{load}");
    }
    assert!(run(&inputs(&[1.0, 1.0], &[1.0])).is_err());
}

fn battery() -> impl Strategy<Value = Battery> {
    let limits = (0.0f64..0.5, 0.5f64..=1.0, 0.0f64..=1.0);
    (0.1f64..1e4, 0.01f64..4.0, 0.01f64..4.0, 0.5f64..=1.0, 0.5f64..=1.0, limits).prop_map(
        |(capacity_kwh, charge, discharge, charge_efficiency, discharge_efficiency, (soc_min, soc_max, at))| Battery {
            capacity_kwh,
            charge_kw: charge * capacity_kwh,
            discharge_kw: discharge * capacity_kwh,
            charge_efficiency,
            discharge_efficiency,
            soc_min,
            soc_max,
            soc_start: soc_min + at * (soc_max - soc_min),
        },
    )
}

proptest! {
    /// The run checks its own balance; here it is added up anew over the whole horizon, with the battery's losses.
    #[test]
    fn energy_is_kept_and_the_battery_stays_within_its_limits(
        battery in prop::option::of(battery()),
        grid in prop::option::of((0.0f64..1e3, any::<bool>())),
        minutes in 1u32..=180,
        columns in prop::collection::vec((0.0f64..1e3, 0.0f64..1e3, any::<bool>()), 1..200),
    ) {
        let load: Vec<f64> = columns.iter().map(|column| column.0).collect();
        let generation: Vec<f64> = columns.iter().map(|column| column.1).collect();
        let flags: Vec<bool> = columns.iter().map(|column| column.2).collect();
        let grid = grid.map(|(limit_kw, export)| Connection { limit_kw, export });
        let hours = f64::from(minutes) / 60.0;
        let inputs = Inputs {
            hours, load_kw: &load, generation_kw: &generation, battery, grid, grid_charging: Some(&flags),
        };
        let steps = run(&inputs).unwrap();
        let sum = |of: &dyn Fn(&Step) -> f64| steps.iter().map(of).sum::<f64>() * hours;
        let served = sum(&|s| s.load_kw) - sum(&|s| s.unserved_kw);
        let used = sum(&|s| s.generation_kw) - sum(&|s| s.export_kw) - sum(&|s| s.spill_kw);
        let kept = battery.map_or(0.0, |battery| {
            let into = sum(&|s| s.charge_kw) + sum(&|s| s.grid_charge_kw);
            let out = sum(&|s| s.discharge_kw);
            let gained = steps[steps.len() - 1].stored_kwh - battery.soc_start * battery.capacity_kwh;
            let losses = into * (1.0 - battery.charge_efficiency) + out * (1.0 / battery.discharge_efficiency - 1.0);
            gained + losses
        });
        let whole = sum(&|s| s.load_kw) + sum(&|s| s.generation_kw);
        prop_assert!((used + sum(&|s| s.import_kw) - served - kept).abs() <= 1e-9 * whole.max(1.0));
        for step in &steps {
            prop_assert!(grid.is_some() || step.import_kw + step.export_kw == 0.0);
            prop_assert!(step.import_kw.max(step.export_kw) <= grid.map_or(0.0, |grid| grid.limit_kw) * (1.0 + 1e-12));
            if let Some(battery) = battery {
                let soc = step.stored_kwh / battery.capacity_kwh;
                prop_assert!(soc >= battery.soc_min - 1e-9 && soc <= battery.soc_max + 1e-9);
                prop_assert!(step.charge_kw + step.grid_charge_kw <= battery.charge_kw * (1.0 + 1e-12));
                prop_assert!(step.discharge_kw <= battery.discharge_kw * (1.0 + 1e-12));
            }
        }
    }
}
