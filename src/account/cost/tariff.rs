//! What a kilowatt-hour costs: flat, or by the hour of the day.
//!
//! What surprises people: a load that is always on pays the mean over the day; only work with a stated start hour that ends
//! within a day pays the hours in which it runs.

use serde::Serialize;

use crate::account::AccountError;
use crate::account::section::{Bounds, Section};

/// Minutes of a day.
const DAY: usize = 1440;

/// Currencies in which a kilowatt-hour costs a small number: there, [`LIMIT`] holds.
const LARGE_UNITS: [&str; 16] =
    ["AUD", "BRL", "CAD", "CHF", "CNY", "EUR", "GBP", "ILS", "MYR", "NZD", "PLN", "SAR", "SGD", "USD", "AED", "HKD"];
/// Highest tariff per kWh in these currencies. Grids sell at 0.02 to 2; what stands above 20 is a tariff per MWh, the usual slip,
/// which is a thousand times as large.
const LIMIT: f64 = 20.0;
/// Highest tariff per kWh in any other currency; some have units worth a hundred-thousandth of those above.
const LIMIT_ELSEWHERE: f64 = 1e6;

/// Highest tariff per kWh that is believed in a currency.
pub(super) fn limit(currency: &str) -> f64 {
    if LARGE_UNITS.contains(&currency) { LIMIT } else { LIMIT_ELSEWHERE }
}

/// Bounds of a tariff in a currency.
pub(super) fn bounds(currency: &str) -> Bounds {
    let meaning = if limit(currency) == LIMIT {
        "a price per kWh from 0 to 20 in this currency; a price per MWh must be divided by 1000"
    } else {
        "a price per kWh from 0 to 1000000; a price per MWh must be divided by 1000"
    };
    Bounds { low: 0.0, high: limit(currency), above: false, meaning }
}

/// A tariff per kWh.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tariff {
    /// The same at any hour.
    FlatPerKwh(f64),
    /// Periods of the day that cover it exactly once.
    Hours(Vec<Period>),
}

/// A period of the day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Period {
    /// Minute of the day at which it begins.
    pub from_min: usize,
    /// Minute of the day at which it ends; at or before `from_min` if it runs over midnight.
    pub until_min: usize,
    /// Price per kWh.
    pub per_kwh: f64,
}

impl Period {
    fn minutes(self) -> usize {
        if self.until_min > self.from_min {
            self.until_min - self.from_min
        } else {
            DAY - self.from_min + self.until_min
        }
    }
    fn holds(self, minute: usize) -> bool {
        if self.until_min > self.from_min {
            (self.from_min..self.until_min).contains(&minute)
        } else {
            minute >= self.from_min || minute < self.until_min
        }
    }
}

impl Tariff {
    /// Mean over a day, weighted by time: what a load that is always on pays.
    pub fn mean(&self) -> f64 {
        match self {
            Self::FlatPerKwh(price) => *price,
            Self::Hours(periods) => {
                periods.iter().map(|period| period.per_kwh * period.minutes() as f64).sum::<f64>() / DAY as f64
            }
        }
    }

    /// Mean over a load of constant power that starts at an hour of the day (6.5 is half past six) and lasts `hours`; the
    /// mean of the day for a load of a day or longer.
    pub fn mean_from(&self, start_hour: f64, hours: f64) -> f64 {
        let Self::Hours(periods) = self else { return self.mean() };
        if hours >= 24.0 || hours <= 0.0 {
            return self.mean();
        }
        let (mut at, end) = (start_hour * 60.0, (start_hour + hours) * 60.0);
        let mut paid = 0.0;
        while at < end {
            let next = (at.floor() + 1.0).min(end);
            let minute = at as usize % DAY;
            let price = periods.iter().find(|period| period.holds(minute)).map_or(0.0, |period| period.per_kwh);
            paid += price * (next - at);
            at = next;
        }
        paid / (hours * 60.0)
    }

    /// The key `tariff` of a table: a number, or a table with `flat_per_kwh` or `hours`.
    ///
    /// # Errors
    /// Absent, out of bounds, in another currency, or periods that leave out a minute or name one twice.
    pub(super) fn read(cost: &Section<'_>, currency: &str) -> Result<Self, AccountError> {
        let bounds = bounds(currency);
        if !matches!(cost.value("tariff"), Some(toml::Value::Table(_))) {
            let remedy = format!(
                "give the price of a kWh in {currency} (tariff = 0.5), or a table [cost.tariff] with flat_per_kwh or \
                 [[cost.tariff.hours]]"
            );
            let price = cost.number("tariff", bounds)?.ok_or_else(|| cost.missing("tariff", remedy))?;
            return Ok(Self::FlatPerKwh(price));
        }
        let known = ["flat_per_kwh", "hours", "currency"];
        let Some(table) = cost.section("tariff", &known)? else {
            return Err(cost.missing("tariff", "give the price of a kWh"));
        };
        super::inputs::same_currency(&table, currency)?;
        match (table.number("flat_per_kwh", bounds)?, table.has("hours")) {
            (Some(_), true) => Err(table.bad("flat_per_kwh", "there are hours, too; keep one of the two")),
            (Some(price), false) => Ok(Self::FlatPerKwh(price)),
            (None, false) => {
                Err(table.missing("flat_per_kwh", "give it, or [[cost.tariff.hours]] with from, until, per_kwh"))
            }
            (None, true) => Ok(Self::Hours(periods(&table, bounds)?)),
        }
    }
}

fn periods(table: &Section<'_>, bounds: Bounds) -> Result<Vec<Period>, AccountError> {
    let mut all: Vec<Period> = Vec::new();
    for section in table.sections("hours", &["from", "until", "per_kwh"])? {
        let (from_min, until_min) = (minute(&section, "from")?, minute(&section, "until")?);
        if from_min == until_min {
            return Err(section.bad("until", "the period has no length; a whole day is from = 0, until = 24"));
        }
        if from_min == DAY {
            return Err(section.bad("from", "a period begins at 0 to 23:59; midnight is 0"));
        }
        let period = Period { from_min, until_min, per_kwh: section.required("per_kwh", bounds)? };
        let taken = (0..DAY).find(|minute| period.holds(*minute) && all.iter().any(|other| other.holds(*minute)));
        if let Some(taken) = taken {
            let reason = format!("{} is in an earlier period, too; every hour may be named once", clock(taken));
            return Err(section.bad("from", reason));
        }
        all.push(period);
    }
    if let Some(free) = (0..DAY).find(|minute| !all.iter().any(|period| period.holds(*minute))) {
        let end = (free..DAY).find(|minute| all.iter().any(|period| period.holds(*minute))).unwrap_or(DAY);
        let remedy = format!(
            "the periods leave out {} to {}; together they must cover all 24 hours once",
            clock(free),
            clock(end)
        );
        return Err(table.missing("hours", remedy));
    }
    Ok(all)
}

fn clock(minute: usize) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A time of day as an hour (6, 6.5, 24) or as text ("06:30").
fn minute(section: &Section<'_>, key: &str) -> Result<usize, AccountError> {
    let wrong = || section.bad(key, "it must be an hour from 0 to 24, or a time such as \"06:30\"");
    let hours = match section.value(key) {
        Some(toml::Value::String(text)) => {
            let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
            let (hour, minute): (u32, u32) = (hour.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?);
            if minute > 59 {
                return Err(wrong());
            }
            f64::from(hour) + f64::from(minute) / 60.0
        }
        Some(toml::Value::Integer(hour)) => *hour as f64,
        Some(toml::Value::Float(hour)) => *hour,
        Some(_) => return Err(wrong()),
        None => return Err(section.missing(key, "give an hour from 0 to 24, or a time such as \"06:30\"")),
    };
    let minutes = (hours * 60.0).round();
    if !(0.0..=DAY as f64).contains(&minutes) || (hours * 60.0 - minutes).abs() > 1e-6 {
        return Err(wrong());
    }
    Ok(minutes as usize)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<Tariff, AccountError> {
        let table: toml::Table = text.parse().unwrap();
        let section = Section::new(Path::new("hall.toml"), Path::new("."), "cost", &table, &["tariff"])?;
        Tariff::read(&section, "CNY")
    }

    const TWO: &str = "[[tariff.hours]]\nfrom = 22\nuntil = 6\nper_kwh = 0.3\n\
                       [[tariff.hours]]\nfrom = \"06:00\"\nuntil = 22\nper_kwh = 0.6\n";

    #[test]
    fn an_always_on_load_pays_the_mean_over_the_day() {
        // 8 h at 0.3 and 16 h at 0.6: (2.4 + 9.6) / 24 = 0.5.
        assert!((read(TWO).unwrap().mean() - 0.5).abs() < 1e-12);
        assert_eq!(read("tariff = 0.4").unwrap().mean(), 0.4);
        assert_eq!(read("[tariff]\nflat_per_kwh = 0.4").unwrap().mean(), 0.4);
    }

    #[test]
    fn work_with_a_start_hour_pays_the_hours_in_which_it_runs() {
        let tariff = read(TWO).unwrap();
        // 05:00 to 08:00: one hour at 0.3, two at 0.6: 1.5 / 3 = 0.5.
        assert!((tariff.mean_from(5.0, 3.0) - 0.5).abs() < 1e-12);
        // 23:30 to 00:30 lies in the night.
        assert!((tariff.mean_from(23.5, 1.0) - 0.3).abs() < 1e-12);
        // 21:59:30 to 22:00:30: half a minute of each.
        assert!((tariff.mean_from(22.0 - 0.5 / 60.0, 1.0 / 60.0) - 0.45).abs() < 1e-9);
        assert_eq!(tariff.mean_from(5.0, 24.0), tariff.mean());
    }

    #[test]
    fn hours_that_overlap_or_leave_a_gap_are_refused_with_the_hour() {
        let overlap = TWO.replace("until = 6", "until = 7");
        assert!(read(&overlap).unwrap_err().to_string().contains("06:00 is in an earlier period"));
        let gap = TWO.replace("until = 6", "until = 5.5");
        let message = read(&gap).unwrap_err().to_string();
        assert!(message.contains("05:30 to 06:00") && message.contains("cost.tariff"), "{message}");
        assert!(read(&TWO.replace("from = 22", "from = 24")).is_err());
        assert!(read(&TWO.replace("from = 22", "from = 6")).unwrap_err().to_string().contains("no length"));
        assert!(read(&TWO.replace("06:00", "6 am")).unwrap_err().to_string().contains("06:30"));
    }

    #[test]
    fn a_tariff_per_megawatt_hour_is_taken_for_the_slip_it_is() {
        for text in ["tariff = 450", "tariff = -0.1", "tariff = nan", "tariff = \"cheap\""] {
            assert!(read(text).unwrap_err().to_string().contains("divided by 1000"), "{text}");
        }
        assert!(read("").unwrap_err().to_string().contains("`tariff` is missing"));
        assert!(bounds("JPY").hold(31.0) && !bounds("USD").hold(31.0));
    }

    #[test]
    fn a_tariff_in_another_currency_names_both() {
        let message = read("[tariff]\nflat_per_kwh = 0.1\ncurrency = \"USD\"").unwrap_err().to_string();
        assert!(message.contains("USD") && message.contains("CNY"), "{message}");
    }
}
