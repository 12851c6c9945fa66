//! How a meter's CSV file is written: separator, columns, units, the form of its times and decimals.
//!
//! No file is read here. What surprises people: a file that says itself that it is not in watts (a column `power_kW`, a
//! decimal comma between comma separators, a time without zone) is refused until the declaration says the same.

use super::options::Options;
use super::stamped::number;
use crate::model::Scope;

/// Keys that may follow the file's name.
pub(crate) const KEYS: &[&str] =
    &["time", "watts", "energy_j", "unit", "energy_unit", "scope", "offset", "time_unit", "period", "device"];
/// More than any single machine draws: 100 kW, several times the largest rack-size system.
const MOST_W: f64 = 1e5;
/// Less than any machine draws that runs this program: 1 W.
const LEAST_MACHINE_W: f64 = 1.0;

/// How the file states time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Seconds,
    Milliseconds,
    Unix,
    Rfc3339,
}

impl TimeUnit {
    pub(crate) fn parse(options: &Options) -> Result<Self, String> {
        match options.text("time_unit") {
            None | Some("s") => Ok(Self::Seconds),
            Some("ms") => Ok(Self::Milliseconds),
            Some("unix") => Ok(Self::Unix),
            Some("rfc3339") => Ok(Self::Rfc3339),
            Some(other) => Err(format!("time_unit `{other}` is none of s, ms, unix, rfc3339")),
        }
    }

    /// A time in seconds.
    fn seconds(self, text: &str, comma: bool) -> Result<f64, String> {
        let said = |why: String| {
            if text.parse::<jiff::civil::DateTime>().is_ok() || text.parse::<jiff::Timestamp>().is_ok() {
                return format!("time `{text}` is a date; say time_unit=rfc3339");
            }
            format!("time {why}")
        };
        match self {
            Self::Milliseconds => Ok(number(text, comma).map_err(said)? / 1e3),
            Self::Seconds | Self::Unix => number(text, comma).map_err(said),
            Self::Rfc3339 => match text.parse::<jiff::Timestamp>() {
                Ok(instant) => Ok(instant.as_nanosecond() as f64 / 1e9),
                Err(_) if text.parse::<jiff::civil::DateTime>().is_ok() => Err(format!(
                    "time `{text}` has no zone, so nobody knows which instant it is; write a zone behind it, for example \
                     2026-01-31T12:00:00+08:00, or Z for UTC"
                )),
                Err(_) => Err(format!("time `{text}` is no instant of RFC 3339")),
            },
        }
    }
}

/// A unit of power or energy and what it is in watts or joules.
type Unit = (&'static str, f64);

const POWER_UNITS: &[Unit] = &[("W", 1.0), ("mW", 1e-3), ("kW", 1e3)];
const ENERGY_UNITS: &[Unit] = &[("J", 1.0), ("mJ", 1e-3), ("kJ", 1e3), ("Wh", 3600.0), ("kWh", 3.6e6)];

/// What the user declared of the file's columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declared {
    time: String,
    pub(crate) watts: Option<String>,
    pub(crate) energy: Option<String>,
    power_unit: Option<f64>,
    energy_unit: Option<f64>,
    time_unit: TimeUnit,
    scope: Scope,
}

impl Declared {
    pub(crate) fn parse(options: &Options) -> Result<Self, String> {
        let text = |key: &str| options.text(key).map(str::to_owned);
        let unit = |key: &str, known: &[Unit]| {
            let Some(text) = options.text(key) else { return Ok(None) };
            let found = known.iter().find(|(name, _)| *name == text).map(|(_, factor)| Some(*factor));
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            found.ok_or_else(|| format!("{key} `{text}` is none of {}", names.join(", ")))
        };
        let energy = text("energy_j");
        Ok(Self {
            time: text("time").unwrap_or_else(|| "time".to_owned()),
            watts: text("watts").or_else(|| energy.is_none().then(|| "watts".to_owned())),
            energy,
            power_unit: unit("unit", POWER_UNITS)?,
            energy_unit: unit("energy_unit", ENERGY_UNITS)?,
            time_unit: TimeUnit::parse(options)?,
            scope: options.scope(Scope::WallAc)?,
        })
    }
}

/// One row: its time in seconds, its readings in watts and joules, and what was wrong with a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) time_s: f64,
    pub(crate) watts: Option<f64>,
    pub(crate) energy_j: Option<f64>,
    pub(crate) trouble: Option<String>,
}

/// The form of one file.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    pub(crate) delimiter: u8,
    columns: usize,
    time: usize,
    watts: Option<usize>,
    energy: Option<usize>,
    declared: Declared,
}

impl Format {
    /// Finds the declared columns in the first line of a file.
    pub(crate) fn find(first_line: &[u8], declared: Declared) -> Result<Self, String> {
        if first_line.contains(&0) || first_line.starts_with(&[0xff, 0xfe]) || first_line.starts_with(&[0xfe, 0xff]) {
            return Err("it is written in UTF-16 (or is no text); save it as UTF-8, for example with \
                        `iconv -f UTF-16 -t UTF-8 FILE`"
                .to_owned());
        }
        let header = String::from_utf8_lossy(first_line);
        let header = header.trim_start_matches('\u{feff}').trim_end();
        let delimiter = [b';', b'\t', b','].into_iter().find(|d| header.contains(char::from(*d))).unwrap_or(b',');
        let names: Vec<&str> = header.split(char::from(delimiter)).map(|name| name.trim().trim_matches('"')).collect();
        if names.iter().all(|name| number(name, true).is_ok()) {
            return Err(format!("its first line `{header}` holds numbers; write the columns' names above it"));
        }
        let find = |wanted: &str| {
            let found = names.iter().position(|name| *name == wanted);
            found.ok_or_else(|| format!("there is no column `{wanted}`; the file has: {}", names.join(", ")))
        };
        let format = Self {
            delimiter,
            columns: names.len(),
            time: find(&declared.time)?,
            watts: declared.watts.as_deref().map(find).transpose()?,
            energy: declared.energy.as_deref().map(find).transpose()?,
            declared,
        };
        format.check_names()?;
        Ok(format)
    }

    /// Refuses a column whose name says another unit than was declared.
    fn check_names(&self) -> Result<(), String> {
        if let (Some(column), None) = (&self.declared.watts, self.declared.power_unit) {
            match unit_in(column) {
                Some(unit @ ("mW" | "kW" | "MW")) => {
                    return Err(format!(
                        "the name of column `{column}` says {unit}; declare unit=mW or unit=kW, or unit=W if it holds watts"
                    ));
                }
                Some("Wh" | "kWh" | "J" | "kJ" | "mJ") => {
                    return Err(format!(
                        "the name of column `{column}` says energy; declare it with energy_j={column}"
                    ));
                }
                _ => {}
            }
        }
        if let (Some(column), None) = (&self.declared.energy, self.declared.energy_unit)
            && let Some(unit @ ("Wh" | "kWh" | "kJ" | "mJ")) = unit_in(column)
        {
            return Err(format!(
                "the name of column `{column}` says {unit}; declare energy_unit={unit}, or energy_unit=J if it holds joules"
            ));
        }
        Ok(())
    }

    /// Reads a row; an error means that nothing of it can be used.
    pub(crate) fn row(&self, record: &csv::StringRecord) -> Result<Row, String> {
        if record.len() > self.columns {
            return Err(format!(
                "it has {} cells under {} names; with decimal commas the cells must be separated by `;`",
                record.len(),
                self.columns
            ));
        }
        let comma = self.delimiter != b',';
        let time = record.get(self.time).ok_or("it has no time")?;
        let time_s = self.declared.time_unit.seconds(time, comma)?;
        let mut trouble = None;
        let mut read = |column: Option<usize>, factor: Option<f64>, check: &dyn Fn(f64) -> Result<(), String>| {
            let cell = record.get(column?).filter(|cell| !cell.is_empty())?;
            let value = number(cell, comma).map(|value| value * factor.unwrap_or(1.0));
            match value.and_then(|value| check(value).map(|()| value)) {
                Ok(value) => Some(value),
                Err(why) => {
                    trouble.get_or_insert(why);
                    None
                }
            }
        };
        let watts = read(self.watts, self.declared.power_unit, &|watts| self.check_watts(watts));
        let energy_j = read(self.energy, self.declared.energy_unit, &|_| Ok(()));
        Ok(Row { time_s, watts, energy_j, trouble })
    }

    fn holds_machine(&self) -> bool {
        matches!(self.declared.scope, Scope::HostDc | Scope::WallAc)
    }

    fn check_watts(&self, watts: f64) -> Result<(), String> {
        if watts < 0.0 {
            return Err(format!("{watts} W is negative"));
        }
        if watts == 0.0 && self.holds_machine() {
            return Err("0 W cannot be the power of a machine that runs".to_owned());
        }
        if watts > MOST_W {
            return Err(format!("{watts} W is more than any machine draws; is the unit right?"));
        }
        Ok(())
    }

    /// Refuses readings that only another unit explains, unless the unit was declared.
    pub(crate) fn check_scale(&self, watts: impl Iterator<Item = f64>) -> Result<(), String> {
        if self.declared.power_unit.is_some() || !self.holds_machine() {
            return Ok(());
        }
        match watts.reduce(f64::max) {
            Some(most) if most < LEAST_MACHINE_W => Err(format!(
                "its highest reading is {most}, too little for the watts of a whole machine; declare the unit, for example \
                 unit=kW, or the scope"
            )),
            _ => Ok(()),
        }
    }
}

/// The unit that a column's name states, for example `kW` in `power_kW` and `P [kW]`.
fn unit_in(column: &str) -> Option<&'static str> {
    let words = column.split(|c: char| !c.is_alphanumeric());
    words.into_iter().find_map(|word| match word {
        "MW" => Some("MW"),
        "J" => Some("J"),
        _ => match word.to_ascii_lowercase().as_str() {
            "mw" | "milliwatt" | "milliwatts" => Some("mW"),
            "kw" | "kilowatt" | "kilowatts" => Some("kW"),
            "wh" => Some("Wh"),
            "kwh" => Some("kWh"),
            "mj" => Some("mJ"),
            "kj" => Some("kJ"),
            "joule" | "joules" => Some("J"),
            _ => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(argument: &str, header: &str) -> Result<Format, String> {
        let options = Options::parse(argument, KEYS).unwrap();
        Format::find(header.as_bytes(), Declared::parse(&options)?)
    }

    fn row(format: &Format, cells: &[&str]) -> Result<Row, String> {
        format.row(&csv::StringRecord::from(cells.to_vec()))
    }

    #[test]
    fn a_semicolon_file_may_write_decimal_commas() {
        let format = format("f", "time;watts;note, if any\r").unwrap();
        let read = row(&format, &["0,5", "12,5"]).unwrap();
        assert_eq!((read.time_s, read.watts, read.trouble), (0.5, Some(12.5), None));
    }

    #[test]
    fn decimal_commas_between_commas_are_refused_by_their_number_of_cells() {
        let format = format("f", "time,watts").unwrap();
        assert!(row(&format, &["0", "5", "100", "2"]).unwrap_err().contains("separated by `;`"));
        let quoted = row(&format, &["0", "100,2"]).unwrap();
        assert_eq!(quoted.watts, None);
        assert!(quoted.trouble.unwrap().contains("decimal comma"));
    }

    #[test]
    fn a_unit_in_a_name_must_be_declared_and_is_then_converted() {
        for (header, expected) in [
            ("time,power_kW", "declare unit=mW or unit=kW"),
            ("time,P [mW]", "declare unit=mW or unit=kW"),
            ("time,total kWh", "energy_j="),
        ] {
            let column = header.split_once(',').unwrap().1;
            let refused = format(&format!("f,watts={column}"), header).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
        let metered = format("f,watts=power_kW,unit=kW,energy_j=kWh,energy_unit=kWh", "time,power_kW,kWh").unwrap();
        let read = row(&metered, &["1", "1.5", "2"]).unwrap();
        assert_eq!((read.watts, read.energy_j), (Some(1500.0), Some(7.2e6)));
        assert!(format("f,energy_j=kWh", "time,kWh").unwrap_err().contains("energy_unit=kWh"));
        assert!(format("f,unit=kilo", "time,watts").unwrap_err().contains("none of W, mW, kW"));
    }

    #[test]
    fn readings_that_cannot_be_are_missing_and_not_zero() {
        let format = format("f", "time,watts").unwrap();
        for (cell, expected) in
            [("0", "0 W cannot be"), ("-5", "negative"), ("2e6", "is the unit right?"), ("NaN", "finite")]
        {
            let read = row(&format, &["1", cell]).unwrap();
            assert_eq!(read.watts, None);
            assert!(read.trouble.unwrap().contains(expected), "{cell}");
        }
        assert!(format.check_scale([0.21, 0.43].into_iter()).unwrap_err().contains("unit=kW"));
        assert!(format.check_scale([0.21, 300.0].into_iter()).is_ok());
    }

    #[test]
    fn times_must_say_which_instant_they_are() {
        let absolute = format("f,time_unit=rfc3339", "time,watts").unwrap();
        assert!(row(&absolute, &["2026-01-31T12:00:00", "5"]).unwrap_err().contains("has no zone"));
        assert!(row(&absolute, &["2026-01-31T12:00:00+08:00", "5"]).is_ok());
        assert!(row(&absolute, &["noon", "5"]).unwrap_err().contains("no instant of RFC 3339"));
        let relative = format("f", "time,watts").unwrap();
        assert!(row(&relative, &["2026-01-31 12:00:00", "5"]).unwrap_err().contains("time_unit=rfc3339"));
    }

    #[test]
    fn a_file_that_is_no_utf8_table_with_names_says_so() {
        let utf16: Vec<u8> = "\u{feff}time,watts\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let declared = || Declared::parse(&Options::parse("f", KEYS).unwrap()).unwrap();
        assert!(Format::find(&utf16, declared()).unwrap_err().contains("UTF-16"));
        assert!(Format::find(b"0,100.5", declared()).unwrap_err().contains("holds numbers"));
        assert!(Format::find("\u{feff}time,watts\r".as_bytes(), declared()).is_ok());
    }
}
