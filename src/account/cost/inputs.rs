//! The table `[cost]` of a site file: currency, rates, tariff, and the prices of devices.
//!
//! What surprises people: nothing that decides a cost has a default. Discount rate, life, utilisation and tariff must be
//! written down, since each of them moves the result more than most devices differ.

use serde::Serialize;

use super::tariff::{self, Tariff};
use crate::account::section::{Bounds, Section};
use crate::account::{AccountError, Site};

/// Keys of `[cost]`.
const KEYS: [&str; 13] = [
    "currency",
    "discount_rate",
    "life_years",
    "utilisation",
    "carbon_price_per_t",
    "tariff",
    "maintenance_per_year",
    "maintenance_share",
    "server_share",
    "other_per_hour",
    "revenue_per_hour",
    "device",
    "range",
];

/// Keys of `[[cost.device]]`.
const DEVICE_KEYS: [&str; 14] = [
    "match",
    "price",
    "currency",
    "count",
    "maintenance_per_year",
    "maintenance_share",
    "server_share",
    "other_per_hour",
    "revenue_per_hour",
    "life_years",
    "utilisation",
    "idle_w",
    "embodied_kg",
    "note",
];

/// Keys of `[cost.range]`.
const RANGE_KEYS: [&str; 8] =
    ["relative", "tariff", "pue", "utilisation", "life_years", "discount_rate", "price_ratio", "carbon_price_per_t"];

/// A discount rate.
pub(super) const RATE: Bounds = Bounds {
    low: 0.0,
    high: 1.0,
    above: false,
    meaning: "a share per year from 0 to 1 (0.08 is 8 %; 0 is a straight line)",
};
/// A price of carbon.
const CARBON_PRICE: Bounds =
    Bounds { low: 0.0, high: 1e9, above: false, meaning: "a price of a tonne of CO2, 0 or more" };
/// A grid intensity; coal-fired plants emit about 820 to 1000 g/kWh, and no grid twice that.
const INTENSITY: Bounds = Bounds { low: 0.0, high: 2000.0, above: false, meaning: "g/kWh from 0 to 2000" };
/// An amount of money.
const AMOUNT: Bounds = Bounds { low: 0.0, high: 1e15, above: false, meaning: "an amount of money, 0 or more" };
/// Idle power of one entry.
const IDLE: Bounds = Bounds { low: 0.0, high: 1e7, above: false, meaning: "watts, 0 or more" };
/// Embodied carbon of one entry.
const EMBODIED: Bounds = Bounds { low: 0.0, high: 1e9, above: false, meaning: "kilograms of CO2e, 0 or more" };

/// Amounts per device that `[cost]` gives for all and an entry of `[[cost.device]]` may replace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Amounts {
    /// Maintenance per year.
    pub maintenance_per_year: f64,
    /// Maintenance per year as a share of the capital.
    pub maintenance_share: f64,
    /// Share of the price of server, rack and network.
    pub server_share: f64,
    /// Other cost per hour of work.
    pub other_per_hour: f64,
    /// Revenue per hour of work.
    pub revenue_per_hour: Option<f64>,
}

/// What an entry of `[[cost.device]]` says, per device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceInputs {
    /// Pattern that device names are held against.
    #[serde(rename = "match")]
    pub pattern: String,
    /// Price of one device.
    pub price: f64,
    /// Amounts of one device.
    pub amounts: Amounts,
    /// Life in years.
    pub life_years: f64,
    /// Share of hours with work.
    pub utilisation: f64,
    /// Power in hours without work.
    pub idle_w: Option<f64>,
    /// Embodied carbon.
    pub embodied_kg: Option<f64>,
    /// Whatever the user wrote beside it: an offer, a date.
    pub note: String,
}

/// Low and high values for the sensitivity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranges {
    /// Relative range of what has no range of its own; 0.2 is ±20 %.
    pub relative: f64,
    /// Ranges by key.
    pub given: Vec<(String, f64, f64)>,
}

impl Ranges {
    /// The range of a key, if the site gives one.
    pub fn of(&self, key: &str) -> Option<(f64, f64)> {
        self.given.iter().find(|(name, ..)| name == key).map(|(_, low, high)| (*low, *high))
    }
}

/// The table `[cost]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostInputs {
    /// ISO 4217 code of the one currency.
    pub currency: String,
    /// Discount rate as a share per year.
    pub discount_rate: f64,
    /// Electricity.
    pub tariff: Tariff,
    /// Share of hours with work where an entry says nothing else.
    #[serde(skip)]
    pub utilisation: f64,
    /// Price of a tonne of carbon, if any.
    pub carbon_price_per_t: Option<f64>,
    /// Devices in the file's order; the first that matches counts.
    pub devices: Vec<DeviceInputs>,
    /// Ranges of the sensitivity.
    pub ranges: Ranges,
    /// File and table, for messages.
    #[serde(skip)]
    pub place: String,
}

/// What a user must write before there is a cost.
pub(super) const EXAMPLE: &str = "\n\n[cost]\ncurrency = \"CNY\"\ndiscount_rate = 0.08\nlife_years = 4\nutilisation = 0.6\n\
                                  tariff = 0.5\n\n[[cost.device]]\nmatch = \"*DEVICE NAME*\"\n\
                                  # price = WHAT ONE COSTS, in that currency\n";

impl CostInputs {
    /// The table `[cost]` of a site.
    ///
    /// # Errors
    /// Absent table, missing or unknown keys, values out of bounds, a second currency.
    pub fn read(site: &Site) -> Result<Self, AccountError> {
        let Some(cost) = site.section("cost", &KEYS)? else {
            let place = format!("site {}", site.file.display());
            let remedy = format!(
                "prices come from you, none is built in. Name a site file with --site and write in it, with your own \
                 figures:{EXAMPLE}"
            );
            return Err(AccountError::Missing { place, key: "[cost]".to_owned(), remedy });
        };
        let currency = currency(&cost)?;
        let amounts = Amounts {
            maintenance_per_year: 0.0,
            maintenance_share: 0.0,
            server_share: 0.0,
            other_per_hour: 0.0,
            revenue_per_hour: None,
        };
        let amounts = amounts_of(&cost, amounts, 1.0)?;
        let life = cost.required("life_years", Bounds::LIFE_YEARS)?;
        let utilisation = cost.required("utilisation", Bounds::POSITIVE_SHARE)?;
        let device = |section: &Section<'_>| device(section, &currency, amounts, life, utilisation);
        Ok(Self {
            discount_rate: cost.required("discount_rate", RATE)?,
            tariff: Tariff::read(&cost, &currency)?,
            carbon_price_per_t: cost.number("carbon_price_per_t", CARBON_PRICE)?,
            devices: cost.sections("device", &DEVICE_KEYS)?.iter().map(device).collect::<Result<_, _>>()?,
            ranges: ranges(&cost, &currency)?,
            place: cost.place(),
            utilisation,
            currency,
        })
    }
}

fn currency(cost: &Section<'_>) -> Result<String, AccountError> {
    let remedy = "name the one currency of all its prices by its ISO 4217 code: currency = \"CNY\"";
    let code = cost.required_text("currency", remedy)?;
    if code.len() == 3 && code.chars().all(|letter| letter.is_ascii_uppercase()) {
        return Ok(code.to_owned());
    }
    Err(cost
        .bad("currency", "it must be an ISO 4217 code of three capitals, such as CNY or EUR; a sign can mean several"))
}

/// Refuses a key `currency` that differs from the account's.
pub(super) fn same_currency(section: &Section<'_>, currency: &str) -> Result<(), AccountError> {
    match section.text("currency")? {
        Some(own) if own != currency => {
            let reason = format!(
                "[cost] is in {currency} and this is in {own}; nothing is converted here: state it in {currency} at a rate \
                 of your own"
            );
            Err(section.bad("currency", reason))
        }
        _ => Ok(()),
    }
}

/// Amounts of a table, for `count` devices together; what it leaves out stays as in `default`.
fn amounts_of(section: &Section<'_>, default: Amounts, count: f64) -> Result<Amounts, AccountError> {
    let each = |key: &str| Ok(section.number(key, AMOUNT)?.map(|amount| amount / count));
    Ok(Amounts {
        maintenance_per_year: each("maintenance_per_year")?.unwrap_or(default.maintenance_per_year),
        maintenance_share: section.number("maintenance_share", Bounds::SHARE)?.unwrap_or(default.maintenance_share),
        server_share: each("server_share")?.unwrap_or(default.server_share),
        other_per_hour: each("other_per_hour")?.unwrap_or(default.other_per_hour),
        revenue_per_hour: each("revenue_per_hour")?.or(default.revenue_per_hour),
    })
}

fn device(
    section: &Section<'_>,
    currency: &str,
    amounts: Amounts,
    life: f64,
    utilisation: f64,
) -> Result<DeviceInputs, AccountError> {
    same_currency(section, currency)?;
    let pattern = section.required_text("match", "give the device's name, or a pattern such as \"*H200*\"")?;
    if pattern.is_empty() {
        return Err(section.bad("match", "it matches no device: give a name, or a pattern such as \"*H200*\""));
    }
    let counts = Bounds {
        low: 1.0,
        high: 1e6,
        above: false,
        meaning: "how many devices the entry's amounts are for, 1 or more",
    };
    let count = section.number("count", counts)?.unwrap_or(1.0);
    if count.fract() != 0.0 {
        return Err(section.bad("count", "it must be a whole number of devices"));
    }
    let price = section.number("price", AMOUNT)?.ok_or_else(|| {
        let remedy = format!("prices come from you, none is built in: write what {pattern} costs in {currency}");
        section.missing("price", remedy)
    })?;
    Ok(DeviceInputs {
        pattern: pattern.to_owned(),
        price: price / count,
        amounts: amounts_of(section, amounts, count)?,
        life_years: section.number("life_years", Bounds::LIFE_YEARS)?.unwrap_or(life),
        utilisation: section.number("utilisation", Bounds::POSITIVE_SHARE)?.unwrap_or(utilisation),
        idle_w: section.number("idle_w", IDLE)?.map(|watts| watts / count),
        embodied_kg: section.number("embodied_kg", EMBODIED)?.map(|kilograms| kilograms / count),
        note: section.text("note")?.unwrap_or_default().to_owned(),
    })
}

fn ranges(cost: &Section<'_>, currency: &str) -> Result<Ranges, AccountError> {
    let mut ranges = Ranges { relative: 0.2, given: Vec::new() };
    let Some(section) = cost.section("range", &RANGE_KEYS)? else { return Ok(ranges) };
    let share = Bounds {
        low: 0.0,
        high: 1.0,
        above: true,
        meaning: "a share above 0 and up to 1 by which every input goes down and up",
    };
    if let Some(relative) = section.number("relative", share)? {
        ranges.relative = relative;
    }
    let ratio = Bounds { low: 0.0, high: 100.0, above: false, meaning: "a multiple of the price from 0 to 100" };
    let all = [
        ("tariff", tariff::bounds(currency)),
        ("pue", Bounds::PUE),
        ("utilisation", Bounds::POSITIVE_SHARE),
        ("life_years", Bounds::LIFE_YEARS),
        ("discount_rate", RATE),
        ("price_ratio", ratio),
        ("carbon_price_per_t", CARBON_PRICE),
        ("intensity_g_per_kwh", INTENSITY),
    ];
    for (key, bounds) in all {
        let Some(value) = section.value(key) else { continue };
        let number = |value: &toml::Value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
        let pair: Vec<f64> = value.as_array().into_iter().flatten().filter_map(number).collect();
        let [low, high] = pair[..] else {
            return Err(section.bad(key, "it must be a list of two numbers: [low, high]"));
        };
        bounds.check(&section.place(), key, low)?;
        bounds.check(&section.place(), key, high)?;
        if low > high {
            return Err(section.bad(key, "the low value stands first: [low, high]"));
        }
        ranges.given.push((key.to_owned(), low, high));
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cost: &str) -> Result<CostInputs, AccountError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hall.toml"), format!("grid = \"CN-QH\"\npue = 1.2\n{cost}")).unwrap();
        let site = crate::account::resolve_site(None, None, Some("hall.toml"), folder.path()).unwrap();
        CostInputs::read(&site)
    }

    const BASE: &str =
        "[cost]\ncurrency = \"CNY\"\ndiscount_rate = 0.08\nlife_years = 4\nutilisation = 0.6\ntariff = 0.5\n";

    #[test]
    fn the_amounts_of_an_entry_are_for_all_its_devices_together() {
        let text = format!(
            "{BASE}server_share = 7\nother_per_hour = 2\n[[cost.device]]\nmatch = \"*\"\nprice = 800\ncount = 8\nidle_w = 400\n\
             other_per_hour = 4\nlife_years = 5\n"
        );
        let one = &read(&text).unwrap().devices[0];
        assert_eq!((one.price, one.idle_w, one.amounts.other_per_hour), (100.0, Some(50.0), 0.5));
        assert_eq!((one.amounts.server_share, one.life_years, one.utilisation), (7.0, 5.0, 0.6));
    }

    #[test]
    fn what_decides_a_cost_has_no_default() {
        for key in ["currency", "discount_rate", "life_years", "utilisation", "tariff"] {
            let without: String =
                BASE.lines().filter(|line| !line.starts_with(key)).map(|l| format!("{l}\n")).collect();
            let message = read(&without).unwrap_err().to_string();
            assert!(message.contains(&format!("`{key}` is missing")), "{message}");
        }
        let message = read("").unwrap_err().to_string();
        assert!(message.contains("none is built in") && message.contains("[[cost.device]]"), "{message}");
    }

    #[test]
    fn values_that_cannot_be_are_refused_with_key_and_remedy() {
        for (old, new, words) in [
            ("utilisation = 0.6", "utilisation = 0", "above 0 and up to 1"),
            ("utilisation = 0.6", "utilisation = 60", "0.6 is 60 %"),
            ("life_years = 4", "life_years = 0", "years, above 0"),
            ("discount_rate = 0.08", "discount_rate = 8", "0.08 is 8 %"),
            ("discount_rate = 0.08", "discount_rate = nan", "discount_rate"),
            ("currency = \"CNY\"", "currency = \"¥\"", "ISO 4217"),
            ("utilisation", "utilization", "did you mean utilisation?"),
        ] {
            let message = read(&BASE.replace(old, new)).unwrap_err().to_string();
            assert!(message.contains(words), "{new}: {message}");
        }
        for (entry, words) in [
            ("match = \"*\"", "`price` is missing"),
            ("match = \"*\"\nprice = -5", "0 or more"),
            ("match = \"*\"\nprice = 5\ncurrency = \"USD\"", "[cost] is in CNY and this is in USD"),
            ("match = \"*\"\nprice = 5\ncount = 0", "1 or more"),
            ("match = \"*\"\nprice = 5\ncount = 1.5", "whole number"),
            ("match = \"\"\nprice = 5", "matches no device"),
            ("price = 5", "`match` is missing"),
            ("match = \"*\"\nprize = 5", "did you mean price?"),
        ] {
            let message = read(&format!("{BASE}[[cost.device]]\n{entry}\n")).unwrap_err().to_string();
            assert!(message.contains(words) && message.contains("cost.device 1"), "{entry}: {message}");
        }
    }

    #[test]
    fn a_range_is_two_numbers_in_order_within_the_bounds_of_its_key() {
        let with = |range: &str| read(&format!("{BASE}[cost.range]\n{range}\n"));
        assert_eq!(with("tariff = [0.3, 1]").unwrap().ranges.of("tariff"), Some((0.3, 1.0)));
        assert_eq!(with("relative = 0.1").unwrap().ranges.relative, 0.1);
        for range in ["tariff = [1, 0.3]", "tariff = 0.3", "pue = [0.9, 1.2]", "utilisation = [0, 1]", "life = [3, 5]"]
        {
            assert!(with(range).is_err(), "{range}");
        }
    }
}
