//! One run of a micro-grid over its steps: what is generated, stored, imported, exported, spilled and left unserved.
//!
//! Energy alone: no carbon, no money, no files. Powers are means of a step in kilowatts, positive in every column. The rule
//! of a step: generation feeds the load; a surplus charges the battery, then is exported or spilled; a deficit is met by
//! the battery, then by the grid, then by nobody. What surprises people: the balance of every step is checked with the
//! numbers that are reported, and a step that does not balance is an error of this program, not a warning.

use super::super::AccountError;

/// A battery; energies are those inside it, powers those at its terminals.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Battery {
    /// Nominal capacity.
    pub capacity_kwh: f64,
    /// Highest power into it.
    pub charge_kw: f64,
    /// Highest power out of it.
    pub discharge_kw: f64,
    /// Energy stored over energy taken, above 0 and up to 1.
    pub charge_efficiency: f64,
    /// Energy delivered over energy drawn down, above 0 and up to 1.
    pub discharge_efficiency: f64,
    /// Lowest state of charge, a share of the capacity.
    pub soc_min: f64,
    /// Highest state of charge.
    pub soc_max: f64,
    /// State of charge before the first step.
    pub soc_start: f64,
}

/// The connection to a public grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Connection {
    /// Most that can flow either way; infinite if there is no limit.
    pub limit_kw: f64,
    /// Whether a surplus may be fed in; else it is spilled.
    pub export: bool,
}

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Length of a step in hours.
    pub hours: f64,
    /// Mean power of the load in each step, PUE included.
    pub load_kw: &'a [f64],
    /// Mean power generated in each step; as long as the load.
    pub generation_kw: &'a [f64],
    /// The battery, if there is one.
    pub battery: Option<Battery>,
    /// The grid; `None` for an island.
    pub grid: Option<Connection>,
    /// Steps in which the battery may be charged from the grid and is not discharged; `None`: never.
    pub grid_charging: Option<&'a [bool]>,
}

/// Mean powers of one step in kilowatts, and the energy in the battery at its end.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Step {
    /// The load, served or not.
    pub load_kw: f64,
    /// Generated, used or not.
    pub generation_kw: f64,
    /// Into the battery from generation.
    pub charge_kw: f64,
    /// Into the battery from the grid.
    pub grid_charge_kw: f64,
    /// Out of the battery to the load.
    pub discharge_kw: f64,
    /// From the grid, to the load and to the battery.
    pub import_kw: f64,
    /// To the grid.
    pub export_kw: f64,
    /// Generated and neither used, stored nor exported.
    pub spill_kw: f64,
    /// Load that nothing served.
    pub unserved_kw: f64,
    /// Energy in the battery at the end.
    pub stored_kwh: f64,
}

impl Step {
    /// Generation that went straight to the load.
    pub fn direct_kw(&self) -> f64 {
        self.load_kw.min(self.generation_kw)
    }
    /// From the grid to the load.
    pub fn import_to_load_kw(&self) -> f64 {
        self.import_kw - self.grid_charge_kw
    }
}

/// Largest error of a balance, relative to the largest power in it.
pub const BALANCE: f64 = 1e-9;

/// Whether an error is small enough; never if it is not a number.
pub(super) fn within(error: f64, most: f64) -> bool {
    error.abs() <= most
}

/// Runs all steps.
///
/// # Errors
/// Columns of different length, a load or generation that is negative or not a number, or a step that does not balance.
pub fn run(inputs: &Inputs) -> Result<Vec<Step>, AccountError> {
    let Inputs { load_kw, generation_kw, .. } = inputs;
    let flags = inputs.grid_charging.map_or(load_kw.len(), <[bool]>::len);
    if load_kw.len() != generation_kw.len() || flags != load_kw.len() {
        return Err(wrong(format!("{} steps of load and {} of generation", load_kw.len(), generation_kw.len())));
    }
    let mut stored = inputs.battery.map_or(0.0, |battery| battery.capacity_kwh * battery.soc_start);
    let mut steps = Vec::with_capacity(load_kw.len());
    for (index, (load, generation)) in load_kw.iter().zip(*generation_kw).enumerate() {
        if !(load.is_finite() && *load >= 0.0 && generation.is_finite() && *generation >= 0.0) {
            return Err(wrong(format!("step {index} has a load of {load} kW and a generation of {generation} kW")));
        }
        let from_grid = inputs.grid_charging.is_some_and(|flags| flags[index]);
        let step = advance(inputs, *load, *generation, from_grid, stored);
        check(inputs, &step, stored).map_err(|reason| wrong(format!("step {index}: {reason}")))?;
        stored = step.stored_kwh;
        steps.push(step);
    }
    Ok(steps)
}

fn wrong(reason: String) -> AccountError {
    AccountError::Impossible { what: "the micro-grid".to_owned(), reason }
}

fn advance(inputs: &Inputs, load: f64, generation: f64, from_grid: bool, stored: f64) -> Step {
    let hours = inputs.hours;
    let mut step = Step { load_kw: load, generation_kw: generation, stored_kwh: stored, ..Step::default() };
    let limit = inputs.grid.map_or(0.0, |grid| grid.limit_kw);
    let (surplus, deficit) = ((generation - load).max(0.0), (load - generation).max(0.0));
    if let Some(battery) = &inputs.battery {
        let room = (battery.soc_max * battery.capacity_kwh - stored).max(0.0) / (battery.charge_efficiency * hours);
        let most = battery.charge_kw.min(room);
        step.charge_kw = surplus.min(most);
        if from_grid {
            // The load comes first at the connection, too.
            step.grid_charge_kw = (most - step.charge_kw).max(0.0).min((limit - deficit).max(0.0));
        } else {
            let rest = (stored - battery.soc_min * battery.capacity_kwh).max(0.0);
            let able = battery.discharge_kw.min(rest * battery.discharge_efficiency / hours);
            step.discharge_kw = deficit.min(able);
        }
        let taken = (step.charge_kw + step.grid_charge_kw) * battery.charge_efficiency;
        let end = stored + hours * (taken - step.discharge_kw / battery.discharge_efficiency);
        // A battery that is filled or emptied to its limit stands exactly there, not a rounding beside it.
        let (low, high) = (battery.soc_min * battery.capacity_kwh, battery.soc_max * battery.capacity_kwh);
        let slack = battery.capacity_kwh * 1e-12;
        step.stored_kwh = match end {
            end if (end - high).abs() <= slack => high,
            end if (end - low).abs() <= slack => low,
            end => end,
        };
    }
    let needed = deficit - step.discharge_kw;
    let to_load = needed.min(limit);
    step.import_kw = to_load + step.grid_charge_kw;
    step.unserved_kw = needed - to_load;
    let over = surplus - step.charge_kw;
    step.export_kw = if inputs.grid.is_some_and(|grid| grid.export) { over.min(limit) } else { 0.0 };
    step.spill_kw = over - step.export_kw;
    step
}

/// Holds a step against what must be true of it.
fn check(inputs: &Inputs, step: &Step, before: f64) -> Result<(), String> {
    let largest = step.load_kw.max(step.generation_kw).max(step.import_kw).max(step.charge_kw);
    let came = step.generation_kw + step.import_kw + step.discharge_kw + step.unserved_kw;
    let went = step.load_kw + step.charge_kw + step.grid_charge_kw + step.export_kw + step.spill_kw;
    if !within(came - went, BALANCE * largest) {
        return Err(format!("{came} kW came and {went} kW went"));
    }
    let flows = [step.charge_kw, step.grid_charge_kw, step.discharge_kw, step.import_kw, step.export_kw];
    if flows.iter().chain([&step.spill_kw, &step.unserved_kw]).any(|flow| flow.is_nan() || *flow < 0.0) {
        return Err(format!("a flow is negative: {step:?}"));
    }
    let Some(battery) = &inputs.battery else { return Ok(()) };
    let slack = BALANCE * battery.capacity_kwh;
    let taken = (step.charge_kw + step.grid_charge_kw) * battery.charge_efficiency;
    let gained = inputs.hours * (taken - step.discharge_kw / battery.discharge_efficiency);
    if !within(step.stored_kwh - before - gained, slack) {
        return Err(format!("the battery went from {before} to {} kWh with {gained} kWh", step.stored_kwh));
    }
    let (low, high) = (battery.soc_min * battery.capacity_kwh, battery.soc_max * battery.capacity_kwh);
    if !(step.stored_kwh >= low - slack && step.stored_kwh <= high + slack) {
        return Err(format!("the battery holds {} kWh, outside {low} to {high} kWh", step.stored_kwh));
    }
    Ok(())
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
