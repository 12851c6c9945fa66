//! The table `[microgrid]` of a site file: horizon, load, generation, battery and grid connection, with every number in bounds.
//!
//! No file but the site's is read here. What surprises people: a battery begins as empty as it may be unless the site says
//! otherwise, because energy that is there at the start came from somewhere.

use jiff::{Timestamp, civil, tz};
use serde::Serialize;

use super::step::Battery;
use crate::account::{AccountError, Bounds, Section, Site};
use crate::units::{SECONDS_PER_HOUR, Seconds};

/// Seconds of a day.
const SECONDS_PER_DAY: f64 = 24.0 * SECONDS_PER_HOUR;
/// Most steps of one run: ten years of minutes.
const MOST_STEPS: f64 = 5.3e6;

/// Keys of `[microgrid]`.
const KEYS: [&str; 10] = ["start", "days", "step_s", "islanded", "load", "solar", "wind", "hydro", "battery", "grid"];

/// The stretch of time that is run, in equal steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Horizon {
    /// Instant of the first step's start.
    pub start: Timestamp,
    /// Number of steps.
    pub steps: usize,
    /// Length of a step.
    #[serde(rename = "step_s")]
    pub step: Seconds,
}

impl Horizon {
    /// Length of a step in hours.
    pub fn hours(&self) -> f64 {
        self.step.get() / SECONDS_PER_HOUR
    }
    /// Seconds from the start to the start of a step, or to the end for the number of steps.
    pub fn offset(&self, step: usize) -> f64 {
        self.step.get() * step as f64
    }
    /// Length of the whole in hours.
    pub fn total_hours(&self) -> f64 {
        self.hours() * self.steps as f64
    }
    /// An instant so many seconds behind the start.
    pub fn instant(&self, seconds: f64) -> Timestamp {
        let nanoseconds = self.start.as_nanosecond() + (seconds * 1e9).round() as i128;
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(self.start)
    }
}

/// How the load fills the horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "repeat")]
pub enum Repeat {
    /// The trace again and again.
    Trace,
    /// The trace once from the start; nothing after it.
    Once,
    /// The trace's mean power for a share of each period, idle power for the rest.
    Duty {
        /// Share of each period at the trace's mean power.
        duty: f64,
        /// Length of a period in hours.
        period_h: f64,
        /// Hours into each period at which the busy part begins.
        offset_h: f64,
    },
}

/// The load's part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LoadShape {
    /// How the trace fills the horizon.
    pub repeat: Repeat,
    /// How many such devices.
    pub devices: f64,
    /// Declared idle power of one device, which stands before the measured one.
    pub idle_w: Option<f64>,
}

/// What generates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Photovoltaic.
    Solar,
    /// Wind turbines.
    Wind,
    /// Hydropower.
    Hydro,
}

impl Kind {
    /// All of them, in the order of tables and charts.
    pub const ALL: [Self; 3] = [Self::Solar, Self::Wind, Self::Hydro];

    /// Word in files and tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Solar => "solar",
            Self::Wind => "wind",
            Self::Hydro => "hydro",
        }
    }
    /// Median life-cycle emissions in g/kWh by IPCC AR5 (2014): wind 11, hydropower 24, and 41 for photovoltaic, for which
    /// the sources give 41 to 48.
    pub const fn life_cycle_g_per_kwh(self) -> f64 {
        match self {
            Self::Solar => 41.0,
            Self::Wind => 11.0,
            Self::Hydro => 24.0,
        }
    }
}

/// Where [`Kind::life_cycle_g_per_kwh`] comes from, for tables.
pub const LIFE_CYCLE_SOURCE: &str = "IPCC AR5 (2014) median";

/// One generator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generator {
    /// What it is.
    pub kind: Kind,
    /// Installed capacity; `None` where the profile is in kW.
    pub capacity_kw: Option<f64>,
    /// File, or `illustrative`.
    pub profile: String,
    /// Column of the file, where it has several.
    pub column: Option<String>,
    /// Life-cycle emissions of what it generates.
    pub life_cycle_g_per_kwh: f64,
    /// Where they come from: the site file, or [`LIFE_CYCLE_SOURCE`].
    pub life_cycle_source: String,
}

/// The battery's emissions of manufacture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BatteryEmbodied {
    /// Of the whole battery.
    pub embodied_kg: f64,
    /// Years over which they are spread.
    pub life_years: f64,
}

/// The grid's part of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridPlan {
    /// Most that can flow either way; `None`: no limit.
    pub limit_kw: Option<f64>,
    /// Whether a surplus may be fed in.
    pub export: bool,
    /// Series of intensities and its column and time zone; `None`: the site's factor.
    pub series: Option<crate::account::series::SeriesRequest>,
    /// Intensity below which the battery is charged from the grid; `None`: never.
    pub charge_below_g_per_kwh: Option<f64>,
}

/// Everything that `[microgrid]` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// The stretch of time.
    pub horizon: Horizon,
    /// The load's shape.
    pub load: LoadShape,
    /// Generators, at most one of each kind.
    pub generators: Vec<Generator>,
    /// The battery.
    pub battery: Option<Battery>,
    /// Its emissions of manufacture.
    pub battery_embodied: Option<BatteryEmbodied>,
    /// The connection; `None` for an island.
    pub grid: Option<GridPlan>,
    /// Defaults that were taken, one sentence each.
    pub notes: Vec<String>,
}

/// Reads the table.
///
/// # Errors
/// No such table, an unknown key, a number out of bounds, states of charge that contradict each other, no source of energy.
pub fn read(site: &Site) -> Result<Config, AccountError> {
    let Some(table) = site.section("microgrid", &KEYS)? else {
        return Err(AccountError::Missing {
            place: format!("site {}", site.file.display()),
            key: "microgrid".to_owned(),
            remedy:
                "a micro-grid needs a table [microgrid] with start, days, step_s and generators; docs/microgrid.md has \
                     a whole example"
                    .to_owned(),
        });
    };
    let mut notes = Vec::new();
    let horizon = horizon(&table)?;
    let load = load(&table)?;
    let generators: Vec<Generator> =
        Kind::ALL.into_iter().filter_map(|kind| generator(&table, kind).transpose()).collect::<Result<_, _>>()?;
    let (battery, battery_embodied) = match battery(&table, &mut notes)? {
        Some((battery, embodied)) => (Some(battery), embodied),
        None => (None, None),
    };
    let islanded = table.flag("islanded")?.unwrap_or(false);
    if islanded && table.has("grid") {
        return Err(
            table.bad("islanded", "an island has no grid: take out [microgrid.grid], or write islanded = false")
        );
    }
    if islanded && generators.is_empty() {
        return Err(
            table.bad("islanded", "nothing generates: give [microgrid.solar], [microgrid.wind] or [microgrid.hydro]")
        );
    }
    let grid = if islanded { None } else { Some(grid(&table, battery.is_some())?) };
    Ok(Config { horizon, load, generators, battery, battery_embodied, grid, notes })
}

fn horizon(table: &Section) -> Result<Horizon, AccountError> {
    let remedy = "give the instant of the first step, for example start = \"2026-07-01T00:00:00Z\"";
    let start = match table.value("start") {
        None => return Err(table.missing("start", remedy)),
        Some(toml::Value::String(text)) => instant(text),
        Some(toml::Value::Datetime(value)) => instant(&value.to_string()),
        Some(_) => None,
    };
    let start = start.ok_or_else(|| table.bad("start", format!("it is no instant with a zone or a date: {remedy}")))?;
    let days = table.required("days", Bounds { high: 3660.0, ..Bounds::positive("days, above 0 and up to 3660") })?;
    let bounds = Bounds { low: 1.0, high: SECONDS_PER_DAY, above: false, meaning: "seconds from 1 to 86400 (a day)" };
    let step = table.required("step_s", bounds)?;
    let count = days * SECONDS_PER_DAY / step;
    if (count - count.round()).abs() > 1e-6 || count < 0.5 {
        return Err(table.bad("step_s", format!("{days} days are not a whole number of such steps")));
    }
    if count > MOST_STEPS {
        return Err(table.bad("step_s", format!("{days} days are {count:.0} such steps; take at most {MOST_STEPS:.0}")));
    }
    Ok(Horizon { start, steps: count.round() as usize, step: Seconds::new(step) })
}

/// An instant with a zone, or the start of a day in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let day: civil::Date = text.parse().ok()?;
        (text.len() == 10).then_some(())?;
        Some(day.to_zoned(tz::TimeZone::UTC).ok()?.timestamp())
    })
}

fn load(table: &Section) -> Result<LoadShape, AccountError> {
    let keys = ["repeat", "devices", "duty", "period_h", "offset_h", "idle_w"];
    let Some(own) = table.section("load", &keys)? else {
        return Ok(LoadShape { repeat: Repeat::Trace, devices: 1.0, idle_w: None });
    };
    let devices = own.number("devices", Bounds { high: 1e7, ..Bounds::positive("devices, above 0") })?.unwrap_or(1.0);
    let duty = own.number("duty", Bounds::POSITIVE_SHARE)?;
    let period = Bounds { high: 8784.0, ..Bounds::positive("hours, above 0 and up to a year") };
    let period_h = own.number("period_h", period)?.unwrap_or(24.0);
    let offset = Bounds { low: 0.0, high: period_h, above: false, meaning: "hours from 0 to period_h" };
    let offset_h = own.number("offset_h", offset)?.unwrap_or(0.0);
    let idle_w =
        own.number("idle_w", Bounds { high: 1e7, ..Bounds::not_negative("watts of one device, at least 0") })?;
    let word = own.word("repeat", &["trace", "duty", "once"])?;
    let repeat = match (word, duty) {
        (Some("duty") | None, Some(duty)) => Repeat::Duty { duty, period_h, offset_h },
        (Some("duty"), None) => return Err(own.missing("duty", "give the share of the time at work, for example 0.6")),
        (Some(other), Some(_)) => {
            return Err(
                own.bad("duty", format!("it has no meaning with repeat = \"{other}\"; write repeat = \"duty\""))
            );
        }
        (Some("once"), None) => Repeat::Once,
        (_, None) => Repeat::Trace,
    };
    Ok(LoadShape { repeat, devices, idle_w })
}

fn generator(table: &Section, kind: Kind) -> Result<Option<Generator>, AccountError> {
    let keys = ["capacity_kw", "profile", "column", "life_cycle_g_per_kwh"];
    let Some(own) = table.section(kind.word(), &keys)? else { return Ok(None) };
    let capacity = Bounds { high: 1e8, ..Bounds::not_negative("kilowatts, at least 0") };
    let remedy = "name a CSV file with time and value (share of the capacity) or kw, or write \"illustrative\"";
    let own_factor = own.number(
        "life_cycle_g_per_kwh",
        Bounds { high: 500.0, ..Bounds::not_negative("g/kWh of generation from 0 to 500") },
    )?;
    Ok(Some(Generator {
        kind,
        capacity_kw: own.number("capacity_kw", capacity)?,
        profile: own.required_text("profile", remedy)?.to_owned(),
        column: own.text("column")?.map(str::to_owned),
        life_cycle_g_per_kwh: own_factor.unwrap_or(kind.life_cycle_g_per_kwh()),
        life_cycle_source: own_factor.map_or_else(|| LIFE_CYCLE_SOURCE.to_owned(), |_| own.place()),
    }))
}

fn battery(
    table: &Section,
    notes: &mut Vec<String>,
) -> Result<Option<(Battery, Option<BatteryEmbodied>)>, AccountError> {
    let keys = [
        "capacity_kwh",
        "c_rate",
        "charge_c_rate",
        "discharge_c_rate",
        "charge_efficiency",
        "discharge_efficiency",
        "soc_min",
        "soc_max",
        "soc_start",
        "embodied_kg",
        "life_years",
    ];
    let Some(own) = table.section("battery", &keys)? else { return Ok(None) };
    let capacity_kwh =
        own.required("capacity_kwh", Bounds { high: 1e9, ..Bounds::positive("kilowatt-hours, above 0") })?;
    let rate = Bounds {
        high: 100.0,
        ..Bounds::positive("capacities per hour, above 0 and up to 100 (0.5 fills the battery in two hours)")
    };
    let both = own.number("c_rate", rate)?;
    let one_way = |key: &str| -> Result<f64, AccountError> {
        let own_rate = own.number(key, rate)?.or(both);
        Ok(capacity_kwh * own_rate.ok_or_else(|| own.missing("c_rate", format!("give {}", rate.meaning)))?)
    };
    let efficiency = Bounds::POSITIVE_SHARE;
    let soc_min = own.number("soc_min", Bounds::SHARE)?.unwrap_or(0.0);
    let soc_max = own.number("soc_max", Bounds::SHARE)?.unwrap_or(1.0);
    if soc_min >= soc_max {
        return Err(own.bad("soc_min", format!("it must be below soc_max, which is {soc_max}")));
    }
    let soc_start = own.number("soc_start", Bounds::SHARE)?;
    if let Some(start) = soc_start.filter(|start| *start < soc_min || *start > soc_max) {
        return Err(own.bad("soc_start", format!("{start} is outside soc_min {soc_min} to soc_max {soc_max}")));
    }
    if soc_start.is_none() {
        notes.push(format!("no soc_start given: the battery begins at soc_min, {:.0} % full", soc_min * 100.0));
    }
    let embodied = own.number("embodied_kg", Bounds::not_negative("kilograms of CO2e of the whole battery"))?;
    let life = own.number("life_years", Bounds::LIFE_YEARS)?;
    let embodied = match (embodied, life) {
        (Some(embodied_kg), Some(life_years)) => Some(BatteryEmbodied { embodied_kg, life_years }),
        (Some(_), None) => {
            return Err(
                own.missing("life_years", "embodied_kg needs the years over which it is spread, for example 12")
            );
        }
        (None, _) => None,
    };
    let battery = Battery {
        capacity_kwh,
        charge_kw: one_way("charge_c_rate")?,
        discharge_kw: one_way("discharge_c_rate")?,
        charge_efficiency: own.required("charge_efficiency", efficiency)?,
        discharge_efficiency: own.required("discharge_efficiency", efficiency)?,
        soc_min,
        soc_max,
        soc_start: soc_start.unwrap_or(soc_min),
    };
    Ok(Some((battery, embodied)))
}

fn grid(table: &Section, battery: bool) -> Result<GridPlan, AccountError> {
    let keys = ["limit_kw", "export", "series", "zone", "time_zone", "unit", "charge_below_g_per_kwh"];
    let Some(own) = table.section("grid", &keys)? else {
        return Ok(GridPlan { limit_kw: None, export: true, series: None, charge_below_g_per_kwh: None });
    };
    let text = |key: &str| own.text(key).map(|text| text.map(str::to_owned));
    let request = crate::account::series::SeriesRequest {
        file: text("series")?.unwrap_or_default(),
        zone: text("zone")?,
        time_zone: text("time_zone")?,
        unit: text("unit")?,
        keep_suspicious: false,
    };
    let bounds = Bounds { high: 2000.0, ..Bounds::positive("g/kWh, above 0") };
    let charge_below_g_per_kwh = own.number("charge_below_g_per_kwh", bounds)?;
    if charge_below_g_per_kwh.is_some() && !battery {
        return Err(own.bad("charge_below_g_per_kwh", "there is no battery to charge: give [microgrid.battery]"));
    }
    if charge_below_g_per_kwh.is_some() && request.file.is_empty() {
        let reason =
            "one factor for all steps is always or never below it: name a series, for example series = \"file.csv\"";
        return Err(own.bad("charge_below_g_per_kwh", reason));
    }
    Ok(GridPlan {
        limit_kw: own.number("limit_kw", Bounds { high: 1e8, ..Bounds::not_negative("kilowatts, at least 0") })?,
        export: own.flag("export")?.unwrap_or(true),
        series: (!request.file.is_empty()).then_some(request),
        charge_below_g_per_kwh,
    })
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
