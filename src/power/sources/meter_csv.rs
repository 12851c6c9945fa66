//! An external meter whose readings arrive in a CSV file, which may still be growing.
//!
//! `--power csv:FILE[,time=COLUMN,watts=COLUMN,energy_j=COLUMN,unit=W,scope=wall-ac,offset=SECONDS,time_unit=s]`. A poll
//! reports the last row whose time has come; rows of the future wait. What surprises people: the meter's clock is not
//! ours. `unix` and `rfc3339` times are placed by the system's clock, `s` and `ms` count from the start of the run, and
//! `offset` seconds are added to both.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::meter_format::{Declared, Format, KEYS, TimeUnit};
use super::options::Options;
use super::stamped::{Fault, Tally, Timeline};
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

/// What was declared about the file.
#[derive(Debug, Clone, PartialEq)]
struct Declaration {
    file: PathBuf,
    columns: Declared,
    time_unit: TimeUnit,
    scope: Scope,
    offset_s: f64,
    period: Option<Seconds>,
    device: Option<u32>,
}

impl Declaration {
    fn parse(argument: &str) -> Result<Self, String> {
        let options = Options::parse(argument, KEYS)?;
        let offset = options.text("offset").unwrap_or("0");
        let seconds = offset.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        Ok(Self {
            columns: Declared::parse(&options)?,
            time_unit: TimeUnit::parse(&options)?,
            scope: options.scope(Scope::WallAc)?,
            offset_s: seconds.ok_or_else(|| format!("offset `{offset}` is not a number of seconds"))?,
            period: options.seconds("period")?,
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

/// Watts and joules of one row.
type Readings = (Option<f64>, Option<f64>);

struct Meter {
    info: SourceInfo,
    /// The note without its count of rows left out.
    note: String,
    declared: Declaration,
    file: File,
    format: Format,
    /// Seconds to add to the file's time to get the run's time.
    shift_s: f64,
    /// Bytes of an unfinished line.
    rest: Vec<u8>,
    /// Lines before `rest`.
    lines: u64,
    record: csv::StringRecord,
    rows: Timeline<Readings>,
    tally: Tally,
}

impl Meter {
    fn open(declared: Declaration, context: &ProbeContext) -> Result<Self, String> {
        let unreadable = |error: &std::io::Error| failure(&declared.file, error).to_string();
        let mut file = File::open(&declared.file).map_err(|error| unreadable(&error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("the file has no complete header line yet")?;
        let format = Format::find(&bytes[..end], declared.columns.clone())?;
        file.seek(SeekFrom::Start(end as u64 + 1)).map_err(|error| unreadable(&error))?;
        let wall_zero_s = match declared.time_unit {
            TimeUnit::Seconds | TimeUnit::Milliseconds => 0.0,
            TimeUnit::Unix | TimeUnit::Rfc3339 => {
                jiff::Timestamp::now().as_nanosecond() as f64 / 1e9 - context.clock.now().since(Nanoseconds(0)).get()
            }
        };
        let info = info(&declared);
        let mut meter = Self {
            note: info.note.clone(),
            info,
            shift_s: declared.offset_s - wall_zero_s,
            rows: Timeline::new(declared.period.map(Seconds::get)),
            declared,
            file,
            format,
            rest: Vec::new(),
            lines: 1,
            record: csv::StringRecord::new(),
            tally: Tally::default(),
        };
        let first_trouble = meter.take_new_rows().map_err(|error| error.to_string())?;
        let any = meter.rows.waiting().any(|(watts, energy)| watts.is_some() || energy.is_some());
        if let (false, Some(why)) = (any, first_trouble) {
            return Err(format!("none of its rows can be read; {why}"));
        }
        meter.format.check_scale(meter.rows.waiting().filter_map(|(watts, _)| watts))?;
        let period = meter.rows.period_s().map(Seconds::new);
        for channel in &mut meter.info.channels {
            channel.update_period_s = period;
        }
        meter.note += match (meter.declared.period, period) {
            (Some(_), _) => "; update period as declared",
            (None, Some(_)) => "; update period is the median step of its rows",
            (None, None) => "; update period unknown, because it had fewer than two rows at the start",
        };
        meter.info.note = meter.tally.note(&meter.note);
        Ok(meter)
    }

    /// Parses what was appended since the last call; returns what was wrong with the first row that cannot be used.
    fn take_new_rows(&mut self) -> Result<Option<String>, PollError> {
        let path = &self.declared.file;
        let length = std::fs::metadata(path).map_err(|error| failure(path, &error))?.len();
        let position = self.file.stream_position().map_err(|error| failure(path, &error))?;
        if length < position {
            return Err(PollError::Gone(format!("{} was cut short while it was read", path.display())));
        }
        if length == position {
            return Ok(None);
        }
        self.file.read_to_end(&mut self.rest).map_err(|error| failure(path, &error))?;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
        let unfinished = self.rest.split_off(end + 1);
        let complete = std::mem::replace(&mut self.rest, unfinished);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.format.delimiter)
            .trim(csv::Trim::All)
            .from_reader(complete.as_slice());
        let mut record = std::mem::take(&mut self.record);
        let mut first_trouble = None;
        loop {
            let line = self.lines + reader.position().line();
            let row = match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => self.format.row(&record),
                Err(error) => Err(error.to_string()),
            };
            let line = record.position().map_or(line, |position| self.lines + position.line());
            if let Err(why) = row.and_then(|row| self.append(row, line)) {
                first_trouble.get_or_insert_with(|| format!("line {line}: {why}"));
                self.tally.add(Fault::Malformed, line, || why);
            }
        }
        self.lines += complete.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.record = record;
        if self.tally.take_changed() {
            self.info.note = self.tally.note(&self.note);
        }
        Ok(first_trouble)
    }

    /// Takes a row in order of time; an error is what was wrong with one of its cells.
    fn append(&mut self, row: super::meter_format::Row, line: u64) -> Result<(), String> {
        if let Err((fault, by)) = self.rows.append(row.time_s + self.shift_s, (row.watts, row.energy_j)) {
            self.tally.add(fault, line, || format!("time {} is {by:.3} s before the row above", row.time_s));
            return Ok(());
        }
        row.trouble.map_or(Ok(()), Err)
    }
}

fn info(declared: &Declaration) -> SourceInfo {
    let channel = |id: &str, quantity: Quantity| Channel::new(id, quantity, declared.scope);
    let mut channels = Vec::new();
    if declared.columns.watts.is_some() {
        channels.push(channel("power.meter", Quantity::AveragedPower));
    }
    if declared.columns.energy.is_some() {
        channels.push(channel("energy.meter", Quantity::EnergyCounter));
    }
    let name = declared.file.file_name().unwrap_or_default().to_string_lossy();
    SourceInfo {
        id: format!("{}:{name}", PROBE.kind),
        kind: PROBE.kind.to_owned(),
        device: declared.device,
        evidence: Evidence::Measured,
        note: format!(
            "external meter's file, clock offset {} s; each poll reports the last row whose time had come",
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
        self.rows.advance(now_s);
        let fresh = self.rows.fresh(now_s);
        if fresh.is_none() {
            // Rows that were read before the file vanished still count.
            if self.rows.is_exhausted() {
                read?;
            }
            return Err(PollError::Transient(format!(
                "{}: {}",
                self.declared.file.display(),
                self.rows.absence(now_s)
            )));
        }
        let readings = [
            (&self.declared.columns.watts, fresh.and_then(|(watts, _)| watts)),
            (&self.declared.columns.energy, fresh.and_then(|(_, energy)| energy)),
        ];
        let declared = readings.into_iter().filter(|(column, _)| column.is_some());
        for (slot, (_, value)) in values.iter_mut().zip(declared) {
            *slot = value;
        }
        Ok(())
    }
}
