//! The chart of a micro-grid as data: what went to the load in each step, from which source.
//!
//! What surprises people: a year has more steps than a chart has points. Neighbouring steps are then averaged, and the chart
//! says so; the account itself always uses every step.

use crate::account::Site;
use crate::account::microgrid::{Account, Step};
use crate::figure::{ChartSource, MicrogridChart, SupplyLayer};
use crate::model::Evidence;

/// Most steps that are drawn one by one.
const MOST_STEPS: usize = 2000;
/// Points that remain of more steps than that, at most: about four per millimetre of a double column.
const POINTS: usize = 700;
/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// The chart of an account.
pub(super) fn of(site: &Site, account: &Account) -> MicrogridChart {
    let count = account.steps.len();
    let together = together(count, account.config.horizon.step.get());
    let mut notes: Vec<String> =
        account.notes.iter().filter(|note| note.starts_with("ILLUSTRATIVE")).cloned().collect();
    if together > 1 {
        let hours = account.config.horizon.step.get() * together as f64 / 3600.0;
        notes.push(format!("Each point is the mean of {together} steps ({hours:.2} h)."));
    }
    let mean = |of: &dyn Fn(usize, &Step) -> f64| averaged(&account.steps, together, of);
    let mut layers: Vec<SupplyLayer> = account
        .generators
        .iter()
        .map(|own| {
            let share = |index: usize, step: &Step| match step.generation_kw {
                all if all > 0.0 => step.direct_kw() * own.profile.kw.get(index).map_or(0.0, |kw| kw / all),
                _ => 0.0,
            };
            SupplyLayer { name: own.generator.kind.word().to_owned(), watts: mean(&share) }
        })
        .collect();
    let battery = account.config.battery;
    if battery.is_some() {
        layers.push(SupplyLayer { name: "battery".to_owned(), watts: mean(&|_, step| step.discharge_kw) });
    }
    if account.config.grid.is_some() {
        layers.push(SupplyLayer { name: "grid".to_owned(), watts: mean(&|_, step| step.import_to_load_kw()) });
    }
    if account.energies.unserved_kwh > 0.0 {
        layers.push(SupplyLayer { name: "unserved".to_owned(), watts: mean(&|_, step| step.unserved_kw) });
    }
    let ends = account.steps.chunks(together).filter_map(<[Step]>::last);
    MicrogridChart {
        source: source(site, account),
        site: site.profile.name.clone(),
        from: account.config.horizon.start.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        step_s: account.config.horizon.step.get() * together as f64,
        layers,
        load: mean(&|_, step| step.load_kw),
        generation: mean(&|_, step| step.generation_kw),
        state_of_charge: battery
            .map_or_else(Vec::new, |own| ends.map(|step| step.stored_kwh / own.capacity_kwh).collect()),
        notes,
    }
}

/// How many neighbouring steps make one point. Beyond a quarter of a day it is whole days: points that fall on other hours
/// from day to day would draw a beat that is not there.
fn together(count: usize, step_s: f64) -> usize {
    let each = if count > MOST_STEPS { count.div_ceil(POINTS) } else { 1 };
    let day = DAY_S / step_s;
    if each as f64 * step_s <= DAY_S / 4.0 || day.fract() != 0.0 {
        return each;
    }
    each.div_ceil(day as usize) * day as usize
}

/// Mean watts of so many neighbouring steps.
fn averaged(steps: &[Step], together: usize, of: &dyn Fn(usize, &Step) -> f64) -> Vec<f64> {
    let mut index = 0;
    let group = |steps: &[Step]| {
        let sum: f64 = steps.iter().enumerate().map(|(own, step)| of(index + own, step)).sum();
        index += steps.len();
        sum / steps.len() as f64 * 1000.0
    };
    steps.chunks(together).map(group).collect()
}

fn source(site: &Site, account: &Account) -> ChartSource {
    let load = &account.load;
    let energy = match (load.scope, load.evidence) {
        (Some(scope), Evidence::Measured) => format!("{scope}, measured"),
        (Some(scope), evidence) => format!("{scope}, {}, not measured", evidence.to_string().to_uppercase()),
        (None, _) => format!("{} W, DECLARED, not measured", load.mean.get()),
    };
    let devices = account.config.load.devices;
    ChartSource {
        run_ids: load.run_ids.clone(),
        simulated: load.simulated,
        subject: format!("{devices} × {} ({})", load.device, load.label),
        energy,
        evidence: vec![load.evidence],
        basis: vec![
            format!("Load is that of the IT times a PUE of {}.", account.pue),
            format!("Imports: {}.", account.intensity),
            format!("Site {}.", site.profile.name),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_drawn_in_quarters_of_an_hour_and_a_year_in_days() {
        assert_eq!((together(2000, 300.0), together(2016, 300.0)), (1, 3));
        // 105 120 steps of 5 minutes: 151 would be 12.6 h; 288 are a day. Ten years of hours: 126 h become six days.
        assert_eq!((together(105_120, 300.0), together(87_600, 3600.0)), (288, 144));
    }

    #[test]
    fn averages_keep_the_mean_also_of_a_shorter_last_group() {
        let step = |load_kw: f64| Step { load_kw, ..Step::default() };
        let steps: Vec<Step> = [1.0, 3.0, 5.0, 7.0, 9.0].map(step).to_vec();
        assert_eq!(averaged(&steps, 2, &|_, step| step.load_kw), [2000.0, 6000.0, 9000.0]);
        assert_eq!(averaged(&steps, 2, &|index, _| index as f64), [500.0, 2500.0, 4000.0]);
    }
}
