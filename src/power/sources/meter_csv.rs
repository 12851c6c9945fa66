//! An external meter whose readings arrive in a CSV file, which may still be growing.
//!
//! `--power csv:FILE[,time=COLUMN,watts=COLUMN,energy_j=COLUMN,scope=wall-ac,offset=SECONDS,time_unit=s]`. A poll reports
//! the last row whose time has come; rows of the future wait. What surprises people: the meter's clock is not ours.
//! `unix` and `rfc3339` times are placed by the system's clock, `s` and `ms` count from the start of the run, and
//! `offset` seconds are added to both.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::options::Options;
use super::sysfs::failure;
use crate::clock::{Clock, Nanoseconds};
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::Seconds;

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "csv",
    summary: "an external meter's CSV file, finished or growing (`--power csv:FILE,time=COLUMN,watts=COLUMN,…`)",
    automatic: false,
    open,
};

/// Rows a reading may be old, in periods of the file, before it counts as missing.
const STALE_PERIODS: f64 = 3.0;
/// Age at which a row is stale while the file's period is not yet known.
const STALE_UNKNOWN: Seconds = Seconds::new(3.0);
/// Keys that may follow the file's name.
const KEYS: &[&str] = &["time", "watts", "energy_j", "scope", "offset", "time_unit", "device"];

/// How the file states time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeUnit {
    Seconds,
    Milliseconds,
    Unix,
    Rfc3339,
}

/// What was declared about the file.
#[derive(Debug, Clone, PartialEq)]
struct Declaration {
    file: PathBuf,
    time: String,
    watts: Option<String>,
    energy: Option<String>,
    scope: Scope,
    offset_s: f64,
    unit: TimeUnit,
    device: Option<u32>,
}

impl Declaration {
    fn parse(argument: &str) -> Result<Self, String> {
        let options = Options::parse(argument, KEYS)?;
        let text = |key: &str| options.text(key).map(str::to_owned);
        let offset = options.text("offset").unwrap_or("0");
        let seconds = offset.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        let energy = text("energy_j");
        Ok(Self {
            time: text("time").unwrap_or_else(|| "time".to_owned()),
            watts: text("watts").or_else(|| energy.is_none().then(|| "watts".to_owned())),
            energy,
            scope: options.scope(Scope::WallAc)?,
            offset_s: seconds.ok_or_else(|| format!("offset `{offset}` is not a number of seconds"))?,
            unit: match options.text("time_unit") {
                None | Some("s") => TimeUnit::Seconds,
                Some("ms") => TimeUnit::Milliseconds,
                Some("unix") => TimeUnit::Unix,
                Some("rfc3339") => TimeUnit::Rfc3339,
                Some(other) => return Err(format!("time_unit `{other}` is none of s, ms, unix, rfc3339")),
            },
            device: options.device()?,
            file: PathBuf::from(options.target),
        })
    }
}

fn open(context: &ProbeContext) -> Findings {
    let Some(argument) = &context.argument else { return Findings::default() };
    let meter = Declaration::parse(argument).and_then(|declared| Meter::open(declared, context));
    match meter {
        Ok(meter) => Findings { sources: vec![Box::new(meter)], obstacles: Vec::new() },
        Err(why) => {
            let remedy = "write --power csv:FILE,time=COLUMN,watts=COLUMN (or energy_j=COLUMN),scope=wall-ac,\
                          time_unit=s|ms|unix|rfc3339"
                .to_owned();
            Findings { sources: Vec::new(), obstacles: vec![Obstacle { what: argument.clone(), why, remedy }] }
        }
    }
}

/// One row, on the run's clock.
#[derive(Debug, Clone, Copy)]
struct Row {
    at_s: f64,
    watts: Option<f64>,
    energy_j: Option<f64>,
}

struct Meter {
    info: SourceInfo,
    declared: Declaration,
    file: File,
    delimiter: u8,
    columns: Columns,
    /// Seconds to add to the file's time to get the run's time.
    shift_s: f64,
    /// Bytes of an unfinished line.
    rest: Vec<u8>,
    record: csv::StringRecord,
    /// Rows whose time has not come.
    ahead: VecDeque<Row>,
    current: Option<Row>,
    last_time_s: Option<f64>,
    period_s: Option<f64>,
}

struct Columns {
    time: usize,
    watts: Option<usize>,
    energy: Option<usize>,
}

impl Meter {
    fn open(declared: Declaration, context: &ProbeContext) -> Result<Self, String> {
        let mut file = File::open(&declared.file).map_err(|error| failure(&declared.file, &error).to_string())?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| failure(&declared.file, &error).to_string())?;
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("the file has no complete header line yet")?;
        let header = String::from_utf8_lossy(&bytes[..end]).trim_start_matches('\u{feff}').trim_end().to_owned();
        let delimiter = [b',', b';', b'\t'].into_iter().find(|d| header.contains(char::from(*d))).unwrap_or(b',');
        let columns = find_columns(&header, delimiter, &declared)?;
        file.seek(SeekFrom::Start(end as u64 + 1)).map_err(|error| failure(&declared.file, &error).to_string())?;
        let wall_zero_s = match declared.unit {
            TimeUnit::Seconds | TimeUnit::Milliseconds => 0.0,
            TimeUnit::Unix | TimeUnit::Rfc3339 => {
                jiff::Timestamp::now().as_nanosecond() as f64 / 1e9 - context.clock.now().since(Nanoseconds(0)).get()
            }
        };
        let mut meter = Self {
            info: info(&declared),
            shift_s: declared.offset_s - wall_zero_s,
            declared,
            file,
            delimiter,
            columns,
            rest: Vec::new(),
            record: csv::StringRecord::new(),
            ahead: VecDeque::new(),
            current: None,
            last_time_s: None,
            period_s: None,
        };
        meter.take_new_rows().map_err(|error| error.to_string())?;
        let period = meter.period_s.map(Seconds::new);
        for channel in &mut meter.info.channels {
            channel.update_period_s = period;
        }
        Ok(meter)
    }

    /// Parses what was appended since the last call.
    fn take_new_rows(&mut self) -> Result<(), PollError> {
        let path = &self.declared.file;
        let length = std::fs::metadata(path).map_err(|error| failure(path, &error))?.len();
        let position = self.file.stream_position().map_err(|error| failure(path, &error))?;
        if length < position {
            return Err(PollError::Gone(format!("{} was cut short while it was read", path.display())));
        }
        if length == position {
            return Ok(());
        }
        self.file.read_to_end(&mut self.rest).map_err(|error| failure(path, &error))?;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let unfinished = self.rest.split_off(end + 1);
        let complete = std::mem::replace(&mut self.rest, unfinished);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .trim(csv::Trim::All)
            .from_reader(complete.as_slice());
        let mut record = std::mem::take(&mut self.record);
        while reader.read_record(&mut record).unwrap_or(false) {
            if let Some(row) = self.row(&record) {
                self.append(row);
            }
        }
        self.record = record;
        Ok(())
    }

    fn row(&self, record: &csv::StringRecord) -> Option<Row> {
        let number = |column: Option<usize>| record.get(column?)?.parse::<f64>().ok().filter(|v| v.is_finite());
        let text = record.get(self.columns.time)?;
        let time_s = match self.declared.unit {
            TimeUnit::Milliseconds => text.parse::<f64>().ok()? / 1e3,
            TimeUnit::Seconds | TimeUnit::Unix => text.parse().ok()?,
            TimeUnit::Rfc3339 => text.parse::<jiff::Timestamp>().ok()?.as_nanosecond() as f64 / 1e9,
        };
        let row = Row {
            at_s: time_s + self.shift_s,
            watts: number(self.columns.watts),
            energy_j: number(self.columns.energy),
        };
        row.at_s.is_finite().then_some(row)
    }

    /// Takes a row in order of time; one that steps back is left out.
    fn append(&mut self, row: Row) {
        if let Some(last) = self.last_time_s {
            let step = row.at_s - last;
            if step <= 0.0 {
                return;
            }
            // The shortest step is the meter's own; longer ones are rows that it missed.
            self.period_s = Some(self.period_s.map_or(step, |period| period.min(step)));
        }
        self.last_time_s = Some(row.at_s);
        self.ahead.push_back(row);
    }
}

fn find_columns(header: &str, delimiter: u8, declared: &Declaration) -> Result<Columns, String> {
    let names: Vec<&str> = header.split(char::from(delimiter)).map(|name| name.trim().trim_matches('"')).collect();
    let find = |wanted: &str| {
        let found = names.iter().position(|name| *name == wanted);
        found.ok_or_else(|| format!("there is no column `{wanted}`; the file has: {}", names.join(", ")))
    };
    Ok(Columns {
        time: find(&declared.time)?,
        watts: declared.watts.as_deref().map(find).transpose()?,
        energy: declared.energy.as_deref().map(find).transpose()?,
    })
}

fn info(declared: &Declaration) -> SourceInfo {
    let channel = |id: &str, quantity: Quantity| Channel::new(id, quantity, declared.scope);
    let mut channels = Vec::new();
    if declared.watts.is_some() {
        channels.push(channel("power.meter", Quantity::AveragedPower));
    }
    if declared.energy.is_some() {
        channels.push(channel("energy.meter", Quantity::EnergyCounter));
    }
    let name = declared.file.file_name().unwrap_or_default().to_string_lossy();
    SourceInfo {
        id: format!("{}:{name}", PROBE.kind),
        kind: PROBE.kind.to_owned(),
        device: declared.device,
        evidence: Evidence::Measured,
        note: format!(
            "external meter's file, clock offset {} s; each poll reports the last row whose time had come; the update \
             period is the file's shortest step, and unknown if the file was empty at the start",
            declared.offset_s
        ),
        channels,
    }
}

impl PowerSource for Meter {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&mut self, now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let read = self.take_new_rows();
        let now_s = now.since(Nanoseconds(0)).get();
        while self.ahead.front().is_some_and(|row| row.at_s <= now_s) {
            self.current = self.ahead.pop_front();
        }
        let patience = self.period_s.map_or(STALE_UNKNOWN.get(), |period| STALE_PERIODS * period);
        let fresh = self.current.filter(|row| now_s - row.at_s <= patience);
        // Rows that were read before the file vanished still count.
        if fresh.is_none() && self.ahead.is_empty() {
            read?;
        }
        let readings = [
            (self.columns.watts, fresh.and_then(|row| row.watts)),
            (self.columns.energy, fresh.and_then(|row| row.energy_j)),
        ];
        let declared = readings.into_iter().filter(|(column, _)| column.is_some());
        for (slot, (_, value)) in values.iter_mut().zip(declared) {
            *slot = value;
        }
        Ok(())
    }
}
