//! What the steps of a micro-grid add up to: energies, shares, and carbon in two labelled versions.
//!
//! Operational carbon is that of imported energy, each step at its own intensity. Energy that is imported into the battery
//! keeps the carbon of its charging: the store has one running average, drawn down in proportion. What surprises people:
//! export never offsets anything, and neither does a battery that ends fuller than it began; one that ends emptier is charged
//! for what it takes to fill it again.

use serde::Serialize;

use super::step::{BALANCE, Battery, Step, within};
use crate::account::AccountError;

/// Intensity of imported energy in g/kWh.
#[derive(Debug, Clone, PartialEq)]
pub enum Intensity {
    /// The same in every step.
    Constant(f64),
    /// One for each step; `None` where there is none to trust.
    Series(Vec<Option<f64>>),
}

impl Intensity {
    /// Of a step.
    pub fn at(&self, step: usize) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Series(values) => values.get(step).copied().flatten(),
        }
    }
    /// Mean of the steps that have one; `None` if none has.
    pub fn mean(&self) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Series(values) => {
                let (sum, count) =
                    values.iter().flatten().fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
                (count > 0).then(|| sum / count as f64)
            }
        }
    }
}

/// Energies over the whole horizon in kWh.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Energies {
    /// The load, PUE included, served or not.
    pub load_kwh: f64,
    /// Generated.
    pub generation_kwh: f64,
    /// Generated and used at once.
    pub direct_kwh: f64,
    /// Into the battery, at its terminals, from generation and grid.
    pub charged_kwh: f64,
    /// Of that, from the grid.
    pub charged_from_grid_kwh: f64,
    /// Out of the battery, at its terminals.
    pub discharged_kwh: f64,
    /// From the grid.
    pub import_kwh: f64,
    /// To the grid.
    pub export_kwh: f64,
    /// Generated in vain.
    pub spill_kwh: f64,
    /// Load that nothing served.
    pub unserved_kwh: f64,
    /// Hours of steps in which load was left unserved.
    pub unserved_h: f64,
    /// Steps with import.
    pub steps_with_import: usize,
    /// Energy in the battery before the first step.
    pub stored_at_start_kwh: f64,
    /// Energy in the battery after the last step.
    pub stored_at_end_kwh: f64,
    /// Lost in the battery.
    pub battery_loss_kwh: f64,
}

/// Shares from 0 to 1; `None` where there is nothing to divide by.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Shares {
    /// 1 − (import + unserved) / load.
    pub self_sufficiency: Option<f64>,
    /// 1 − (export + spill) / generation.
    pub self_consumption: Option<f64>,
    /// Generation / load; may be above 1.
    pub self_generation: Option<f64>,
    /// Energy from the battery / load.
    pub self_storage: Option<f64>,
    /// 1 − unserved hours / hours.
    pub self_assurance: f64,
    /// Σ over hours of min(load, local carbon-free supply of that hour) / Σ load.
    pub hourly_carbon_free: Option<f64>,
    /// Energy drawn from the cells / nominal capacity; `None` without a battery.
    pub battery_full_cycles: Option<f64>,
}

/// Carbon of the imported energy.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Operational {
    /// Σ import × intensity.
    pub import_g: f64,
    /// Imported in steps without a trustworthy intensity, and in no figure here.
    pub unpriced_import_kwh: f64,
    /// Part of `import_g` that reached the load by way of the battery.
    pub through_battery_g: f64,
    /// Part of `import_g` that stays in energy stored beyond what was there at the start.
    pub kept_in_store_g: f64,
    /// Energy in the battery that was used up, at its cells.
    pub drawn_from_start_kwh: f64,
    /// What charging it again takes: that energy over the charge efficiency, at the mean intensity.
    pub recharge_g: f64,
    /// Mean intensity over the horizon.
    pub mean_g_per_kwh: f64,
    /// `import_g` − `kept_in_store_g` + `recharge_g`.
    pub operational_g: f64,
}

/// Adds up energies and the shares that follow from them.
///
/// # Errors
/// The horizon as a whole does not balance.
pub fn energies(steps: &[Step], hours: f64, battery: Option<&Battery>) -> Result<Energies, AccountError> {
    let mut sum = Energies::default();
    for step in steps {
        sum.load_kwh += step.load_kw;
        sum.generation_kwh += step.generation_kw;
        sum.direct_kwh += step.direct_kw();
        sum.charged_kwh += step.charge_kw + step.grid_charge_kw;
        sum.charged_from_grid_kwh += step.grid_charge_kw;
        sum.discharged_kwh += step.discharge_kw;
        sum.import_kwh += step.import_kw;
        sum.export_kwh += step.export_kw;
        sum.spill_kwh += step.spill_kw;
        sum.unserved_kwh += step.unserved_kw;
        sum.unserved_h += f64::from(u8::from(step.unserved_kw > step.load_kw * BALANCE));
        // A rounding of the battery's last watt is no import.
        sum.steps_with_import += usize::from(step.import_kw > step.load_kw * BALANCE);
    }
    for value in [
        &mut sum.load_kwh,
        &mut sum.generation_kwh,
        &mut sum.direct_kwh,
        &mut sum.charged_kwh,
        &mut sum.charged_from_grid_kwh,
        &mut sum.discharged_kwh,
        &mut sum.import_kwh,
        &mut sum.export_kwh,
        &mut sum.spill_kwh,
        &mut sum.unserved_kwh,
        &mut sum.unserved_h,
    ] {
        *value *= hours;
    }
    if let Some(battery) = battery {
        sum.stored_at_start_kwh = battery.soc_start * battery.capacity_kwh;
        sum.stored_at_end_kwh = steps.last().map_or(sum.stored_at_start_kwh, |step| step.stored_kwh);
        sum.battery_loss_kwh = sum.charged_kwh * (1.0 - battery.charge_efficiency)
            + sum.discharged_kwh * (1.0 / battery.discharge_efficiency - 1.0);
    }
    let came = sum.generation_kwh + sum.import_kwh + sum.unserved_kwh + sum.stored_at_start_kwh;
    let went = sum.load_kwh + sum.export_kwh + sum.spill_kwh + sum.stored_at_end_kwh + sum.battery_loss_kwh;
    // Looser than a step's: rounding adds up over the steps.
    if !within(came - went, BALANCE * 1e3 * came.max(went)) {
        let reason = format!("over the whole horizon {came} kWh came and {went} kWh went");
        return Err(AccountError::Impossible { what: "the micro-grid".to_owned(), reason });
    }
    Ok(sum)
}

/// Carbon of imported energy, with the battery's running average.
///
/// # Errors
/// Imported grams, those that reached the load and those in store do not add up.
pub fn operational(
    steps: &[Step],
    hours: f64,
    battery: Option<&Battery>,
    intensity: &Intensity,
    energies: &Energies,
) -> Result<Operational, AccountError> {
    let mut own = Operational::default();
    let (mut stored, mut grams, mut straight) = (energies.stored_at_start_kwh, 0.0, 0.0);
    for (index, step) in steps.iter().enumerate() {
        if step.import_kw > 0.0 {
            match intensity.at(index) {
                Some(value) => {
                    own.import_g += step.import_kw * hours * value;
                    straight += step.import_to_load_kw() * hours * value;
                    grams += step.grid_charge_kw * hours * value;
                }
                None => own.unpriced_import_kwh += step.import_kw * hours,
            }
        }
        if let Some(battery) = battery {
            // What is charged in this step mixes with what is there; a step never charges from the grid and discharges.
            let full = stored + (step.charge_kw + step.grid_charge_kw) * battery.charge_efficiency * hours;
            let drawn = step.discharge_kw / battery.discharge_efficiency * hours;
            if drawn > 0.0 && full > 0.0 {
                let gone = grams * (drawn / full).min(1.0);
                own.through_battery_g += gone;
                grams -= gone;
            }
            stored = step.stored_kwh;
        }
    }
    if !within(own.import_g - straight - own.through_battery_g - grams, 1e-6 * own.import_g.max(1e-9)) {
        let reason = format!(
            "{} g were imported, {} g reached the load and {grams} g are in store",
            own.import_g,
            straight + own.through_battery_g
        );
        return Err(AccountError::Impossible { what: "the micro-grid's carbon".to_owned(), reason });
    }
    let more = energies.stored_at_end_kwh - energies.stored_at_start_kwh;
    if more > 0.0 {
        own.kept_in_store_g = grams * (more / energies.stored_at_end_kwh);
    }
    let tolerance = battery.map_or(0.0, |battery| battery.capacity_kwh * BALANCE);
    own.drawn_from_start_kwh = if -more > tolerance { -more } else { 0.0 };
    own.mean_g_per_kwh = intensity.mean().ok_or_else(|| AccountError::Impossible {
        what: "the micro-grid's carbon".to_owned(),
        reason: "the series of intensities has no trustworthy value within the horizon; choose another start or series"
            .to_owned(),
    })?;
    let efficiency = battery.map_or(1.0, |battery| battery.charge_efficiency);
    own.recharge_g = own.drawn_from_start_kwh / efficiency * own.mean_g_per_kwh;
    own.operational_g = own.import_g - own.kept_in_store_g + own.recharge_g;
    Ok(own)
}

/// The shares; `first_hour` is the part of an hour, in hours, that has passed when the first step begins.
pub fn shares(steps: &[Step], hours: f64, first_hour: f64, battery: Option<&Battery>, energies: &Energies) -> Shares {
    let over = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
    let used = battery.map(|battery| energies.discharged_kwh / battery.discharge_efficiency / battery.capacity_kwh);
    Shares {
        self_sufficiency: over(energies.load_kwh - energies.import_kwh - energies.unserved_kwh, energies.load_kwh),
        self_consumption: over(
            energies.generation_kwh - energies.export_kwh - energies.spill_kwh,
            energies.generation_kwh,
        ),
        self_generation: over(energies.generation_kwh, energies.load_kwh),
        self_storage: over(energies.discharged_kwh, energies.load_kwh),
        self_assurance: 1.0 - energies.unserved_h / (hours * steps.len().max(1) as f64),
        hourly_carbon_free: over(carbon_free_kwh(steps, hours, first_hour, battery, energies), energies.load_kwh),
        battery_full_cycles: used,
    }
}

/// Load that was matched within its hour by local carbon-free supply: generation used at once or fed in within that hour, and
/// energy from the battery that local generation put there.
///
/// Energy that was in the battery at the start counts only if the battery ends no emptier and was never charged from the
/// grid: then local generation put back what was taken.
fn carbon_free_kwh(steps: &[Step], hours: f64, first_hour: f64, battery: Option<&Battery>, energies: &Energies) -> f64 {
    let replaced = energies.charged_from_grid_kwh == 0.0 && energies.stored_at_end_kwh >= energies.stored_at_start_kwh;
    let mut stored = energies.stored_at_start_kwh;
    let mut free = if replaced { stored } else { 0.0 };
    let (mut matched, mut load, mut supply, mut hour) = (0.0, 0.0, 0.0, 0_u64);
    for (index, step) in steps.iter().enumerate() {
        // A rounding before the full hour is the full hour.
        let own = (first_hour + hours * index as f64 + 1e-9) as u64;
        if own != hour {
            matched += f64::min(load, supply);
            (load, supply, hour) = (0.0, 0.0, own);
        }
        let mut carbon_free = step.direct_kw() + step.export_kw;
        if let Some(battery) = battery {
            let full = stored + (step.charge_kw + step.grid_charge_kw) * battery.charge_efficiency * hours;
            free += step.charge_kw * battery.charge_efficiency * hours;
            if full > 0.0 && step.discharge_kw > 0.0 {
                let share = (free / full).min(1.0);
                carbon_free += step.discharge_kw * share;
                free -= step.discharge_kw / battery.discharge_efficiency * hours * share;
            }
            stored = step.stored_kwh;
        }
        load += step.load_kw * hours;
        supply += carbon_free * hours;
    }
    matched + f64::min(load, supply)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
