//! The account of a micro-grid: what a site and a load give, with the sentence that may be said of it.
//!
//! What surprises people: the words "100 % green" are earned only if nothing was imported in any step and the battery ends no
//! emptier than it began; everything else is given as the hourly carbon-free share.

use serde::Serialize;

use super::config::{self, BatteryEmbodied, Config, Generator, GridPlan};
use super::intensity;
use super::ledger::{self, Energies, Intensity, Operational, Shares};
use super::load::{self, LoadTrace};
use super::profile::{self, Profile};
use super::step::{self, BALANCE, Connection, Inputs, Step};
use crate::account::{AccountError, Site};
use crate::model::{Evidence, Gas};
use crate::units::{HOURS_PER_YEAR, SECONDS_PER_HOUR};

/// One generator with what it gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GeneratorRow {
    /// What the site says of it.
    #[serde(flatten)]
    pub generator: Generator,
    /// Its profile, laid onto the steps.
    pub profile: Profile,
    /// Energy over the horizon, used or not.
    pub generation_kwh: f64,
    /// Mean power over capacity; `None` without a stated capacity.
    pub capacity_factor: Option<f64>,
    /// Life-cycle emissions of that energy.
    pub life_cycle_g: f64,
}

/// The second version of the carbon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LifeCycle {
    /// The first version.
    pub operational_g: f64,
    /// Σ generation × life-cycle factor, of all that was generated.
    pub generation_g: f64,
    /// Share of the battery's manufacture; `None` where the site states none.
    pub battery_g: Option<f64>,
    /// Their sum.
    pub life_cycle_g: f64,
    /// Whether the intensity of imported energy holds its own upstream; `None` if unstated.
    pub import_with_upstream: Option<bool>,
    /// Gas that the intensity counts; `None` if unstated. Everything else of the life cycle is CO2e.
    pub import_gas: Option<Gas>,
}

/// Figures at the bounds of the load's 95 % interval: the load at its lower bound in every step, and at its upper.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bands {
    /// Load in kWh.
    pub load_kwh: (f64, f64),
    /// Import in kWh.
    pub import_kwh: (f64, f64),
    /// Operational carbon in grams.
    pub operational_g: (f64, f64),
    /// Life-cycle carbon in grams.
    pub life_cycle_g: (f64, f64),
}

/// The account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// What the table `[microgrid]` says.
    pub config: Config,
    /// The load of one device.
    pub load: LoadTrace,
    /// PUE that the load is multiplied by.
    pub pue: f64,
    /// Energy of the IT alone.
    pub it_kwh: f64,
    /// Generators.
    pub generators: Vec<GeneratorRow>,
    /// Intensity of imports, in words.
    pub intensity: String,
    /// Energies.
    pub energies: Energies,
    /// Shares.
    pub shares: Shares,
    /// Carbon of imports.
    pub operational: Operational,
    /// Carbon with that of generation and battery.
    pub life_cycle: LifeCycle,
    /// At the bounds of the load; `None` where the load has no interval.
    pub bands: Option<Bands>,
    /// The sentence that may be said.
    pub statement: String,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
    /// The steps.
    #[serde(skip)]
    pub steps: Vec<Step>,
}

/// Inputs of a run that stay the same when the load is varied.
struct Scene<'a> {
    config: &'a Config,
    generation: Vec<f64>,
    intensity: Intensity,
    charging: Option<Vec<bool>>,
}

/// What one run gives.
struct Run {
    steps: Vec<Step>,
    energies: Energies,
    operational: Operational,
}

impl Scene<'_> {
    fn run(&self, load: &[f64]) -> Result<Run, AccountError> {
        let (hours, battery) = (self.config.horizon.hours(), self.config.battery.as_ref());
        let connection =
            |plan: &GridPlan| Connection { limit_kw: plan.limit_kw.unwrap_or(f64::INFINITY), export: plan.export };
        let inputs = Inputs {
            hours,
            load_kw: load,
            generation_kw: &self.generation,
            battery: battery.copied(),
            grid: self.config.grid.as_ref().map(connection),
            grid_charging: self.charging.as_deref(),
        };
        let steps = step::run(&inputs)?;
        let energies = ledger::energies(&steps, hours, battery)?;
        let operational = ledger::operational(&steps, hours, battery, &self.intensity, &energies)?;
        Ok(Run { steps, energies, operational })
    }
}

/// Runs the load of a site's micro-grid.
///
/// # Errors
/// The site's table, a profile, a series or the load is wrong; a step does not balance.
pub fn account(site: &Site, config: Config, load: LoadTrace) -> Result<Account, AccountError> {
    let horizon = config.horizon;
    let it = load::lay(&load, &config.load, &horizon)?;
    let pue = site.profile.pue.value;
    let facility: Vec<f64> = it.iter().map(|kw| kw * pue).collect();
    let generators = generators(site, &config)?;
    let mut generation = vec![0.0; horizon.steps];
    for own in &generators {
        generation.iter_mut().zip(&own.profile.kw).for_each(|(sum, kw)| *sum += kw);
    }
    let resolved = intensity::resolve(site, config.grid.as_ref(), &horizon)?;
    let below = config.grid.as_ref().and_then(|plan| plan.charge_below_g_per_kwh);
    let cheap = |step: usize, below: f64| resolved.intensity.at(step).is_some_and(|own| own < below);
    let charging = below.map(|below| (0..horizon.steps).map(|step| cheap(step, below)).collect());
    let scene = Scene { config: &config, generation, intensity: resolved.intensity, charging };
    let run = scene.run(&facility)?;
    let later = life_cycle_extra(&generators, &config);
    let bands =
        load.relative_bounds.map(|(low, high)| bands(&scene, &facility, (low.get(), high.get()), later.total()));
    let bands = bands.transpose()?;
    let began = horizon.start.as_second().rem_euclid(SECONDS_PER_HOUR as i64) as f64 / SECONDS_PER_HOUR;
    let shares = ledger::shares(&run.steps, horizon.hours(), began, config.battery.as_ref(), &run.energies);
    let operational_g = run.operational.operational_g;
    let mut account = Account {
        statement: String::new(),
        notes: Vec::new(),
        pue,
        it_kwh: it.iter().sum::<f64>() * horizon.hours(),
        intensity: resolved.words,
        energies: run.energies,
        shares,
        operational: run.operational,
        life_cycle: LifeCycle {
            operational_g,
            generation_g: later.generation_g,
            battery_g: later.battery_g,
            life_cycle_g: operational_g + later.total(),
            import_with_upstream: resolved.life_cycle,
            import_gas: resolved.gas,
        },
        bands,
        steps: run.steps,
        generators,
        load,
        config,
    };
    account.notes = notes(&account, resolved.notes);
    account.statement = statement(&account);
    Ok(account)
}

fn generators(site: &Site, config: &Config) -> Result<Vec<GeneratorRow>, AccountError> {
    let horizon = &config.horizon;
    let row = |generator: &Generator| {
        let place = format!("site {} [microgrid.{}]", site.file.display(), generator.kind.word());
        let profile = profile::read(generator, horizon, &site.folder, &place)?;
        let generation_kwh = profile.kw.iter().sum::<f64>() * horizon.hours();
        let whole = generator.capacity_kw.filter(|capacity| *capacity > 0.0);
        Ok(GeneratorRow {
            capacity_factor: whole.map(|capacity| generation_kwh / (capacity * horizon.total_hours())),
            life_cycle_g: generation_kwh * generator.life_cycle_g_per_kwh,
            generator: generator.clone(),
            profile,
            generation_kwh,
        })
    };
    config.generators.iter().map(row).collect()
}

/// What life-cycle carbon adds to operational carbon.
struct Extra {
    generation_g: f64,
    battery_g: Option<f64>,
}

impl Extra {
    fn total(&self) -> f64 {
        self.generation_g + self.battery_g.unwrap_or(0.0)
    }
}

fn life_cycle_extra(generators: &[GeneratorRow], config: &Config) -> Extra {
    let share = |own: &BatteryEmbodied| {
        own.embodied_kg * 1000.0 * config.horizon.total_hours() / (own.life_years * HOURS_PER_YEAR)
    };
    Extra {
        generation_g: generators.iter().map(|own| own.life_cycle_g).sum(),
        battery_g: config.battery_embodied.as_ref().map(share),
    }
}

fn bands(scene: &Scene, load: &[f64], bounds: (f64, f64), later: f64) -> Result<Bands, AccountError> {
    let at = |factor: f64| scene.run(&load.iter().map(|kw| kw * factor).collect::<Vec<f64>>());
    let (low, high) = (at(bounds.0)?, at(bounds.1)?);
    let both = |of: &dyn Fn(&Run) -> f64| (of(&low), of(&high));
    Ok(Bands {
        load_kwh: both(&|run| run.energies.load_kwh),
        import_kwh: both(&|run| run.energies.import_kwh),
        operational_g: both(&|run| run.operational.operational_g),
        life_cycle_g: both(&|run| run.operational.operational_g + later),
    })
}

/// What may be said of the whole.
fn statement(account: &Account) -> String {
    let (energies, carbon) = (&account.energies, &account.operational);
    let percent =
        |share: Option<f64>| share.map_or_else(|| "unknown".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let free = percent(account.shares.hourly_carbon_free);
    if energies.unserved_h > 0.0 {
        return format!(
            "Not all load was served: {:.2} h with {:.3} kWh unserved. Hourly carbon-free share of the load: {free}.",
            energies.unserved_h, energies.unserved_kwh
        );
    }
    let upper = account.bands.map_or(0.0, |bands| bands.import_kwh.1);
    let upper = if upper > energies.load_kwh * BALANCE { upper } else { 0.0 };
    let green = energies.steps_with_import == 0 && carbon.drawn_from_start_kwh == 0.0 && energies.load_kwh > 0.0;
    if green && upper > 0.0 {
        return format!(
            "Nothing was imported in any step, but {upper:.3} kWh would be at the upper bound of the load's interval: too \
             close for \"100 % green\". Hourly carbon-free share of the load: {free}."
        );
    }
    if green {
        let by = if account.generators.iter().any(|own| own.profile.illustrative) {
            ", by illustrative profiles"
        } else {
            ""
        };
        return format!(
            "100 % green in operation{by}: nothing was imported in any of {} steps, and the battery ends no emptier than it \
             began. Life-cycle emissions are not zero.",
            account.steps.len()
        );
    }
    let why = if energies.steps_with_import == 0 {
        format!(
            "nothing was imported, but {:.3} kWh of the battery's first charge were used up",
            carbon.drawn_from_start_kwh
        )
    } else {
        format!("{} of {} steps imported energy", energies.steps_with_import, account.steps.len())
    };
    format!("Not 100 % green: {why}. Hourly carbon-free share of the load: {free}.")
}

fn notes(account: &Account, mut notes: Vec<String>) -> Vec<String> {
    let config = &account.config;
    let illustrative: Vec<&str> =
        account.generators.iter().filter(|own| own.profile.illustrative).map(|own| own.generator.kind.word()).collect();
    if !illustrative.is_empty() {
        notes.insert(
            0,
            format!(
                "ILLUSTRATIVE: {} from the shape of the California ISO's year 2022 over its own maximum; this describes \
                 no site",
                illustrative.join(", ")
            ),
        );
    }
    notes.extend(config.notes.iter().cloned());
    let load = &account.load;
    if load.left_out.get() > 0.0 {
        let (left, kept) = (load.left_out.get(), load.length.get());
        notes.push(format!(
            "{left:.1} s of the measured windows have no reading and are not part of the trace of {kept:.1} s"
        ));
    }
    if load.evidence != Evidence::Measured {
        notes.push(format!("the load is {}, not measured: no interval is given", load.evidence));
    }
    if account.operational.unpriced_import_kwh > 0.0 {
        notes.push(format!(
            "{:.3} kWh were imported in steps without a trustworthy intensity: the carbon of imports is at least what is shown",
            account.operational.unpriced_import_kwh
        ));
    }
    if account.operational.drawn_from_start_kwh > 0.0 {
        notes.push(format!(
            "the battery ends {:.3} kWh below its start; charging it again is charged at the mean intensity of {:.1} g/kWh",
            account.operational.drawn_from_start_kwh, account.operational.mean_g_per_kwh
        ));
    }
    if config.battery.is_some() && config.battery_embodied.is_none() {
        notes.push("no embodied_kg given: the life-cycle figure leaves the battery's manufacture out".to_owned());
    }
    let imports = account.operational.operational_g > 0.0;
    if imports && account.life_cycle.import_with_upstream != Some(true) {
        notes.push(
            "the intensity of imports does not hold upstream emissions, or does not say so: the life-cycle figure \
                    lacks them for that part"
                .to_owned(),
        );
    }
    if imports && account.life_cycle.import_gas != Some(Gas::Co2e) {
        let gas = account.life_cycle.import_gas.map_or_else(|| "an unstated gas".to_owned(), |gas| gas.to_string());
        notes.push(format!("MIXED: the life-cycle figure adds imports in {gas} to generation and battery in CO2e"));
    }
    notes
}

/// Reads the table and runs it.
///
/// # Errors
/// As [`account`] and [`config::read`].
pub fn of_site(
    site: &Site,
    load: impl FnOnce(&Config) -> Result<LoadTrace, AccountError>,
) -> Result<Account, AccountError> {
    let config = config::read(site)?;
    let load = load(&config)?;
    account(site, config, load)
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
