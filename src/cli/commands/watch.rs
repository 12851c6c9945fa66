//! `wattmark watch`: power, clocks, temperature and throttling of all sources, live; nothing is stored.
//!
//! What surprises people: on a terminal the block is redrawn in place, elsewhere tidy CSV rows are appended, so that the
//! output of a watch in a pipe can be read by a program.

use std::io::Write;
use std::sync::atomic::Ordering;

use crate::cli::bench::{TestBench, rfc3339};
use crate::cli::commands::run::interruption;
use crate::cli::sensors::PowerArgs;
use crate::cli::{Console, Exit, Failure, layout, resolve};
use crate::clock::{Clock, Nanoseconds};
use crate::measure::live::Live;
use crate::power::Sampler;
use crate::report::{LIVE_ROWS_HEAD, live_rows, live_table};
use crate::units::Seconds;

/// Readings before an interval that its energy may need: the last tick of a slow counter, the reading before its start.
const LOOK_BACK: Seconds = Seconds::new(100.0);
/// Longest nap, so that Ctrl-C is heard.
const NAP: Seconds = Seconds::new(0.1);
/// Default cadence of the sampler: ten readings a second show what a person can follow.
const DEFAULT_HZ: f64 = 10.0;

/// Arguments of `wattmark watch`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Which sensors.
    #[command(flatten)]
    pub power: PowerArgs,
    /// Time between two updates, for example 1s or 500ms.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub interval: String,
    /// End after this long; default: until Ctrl-C.
    #[arg(long = "for", value_name = "TIME")]
    pub length: Option<String>,
    /// Cadence of the power sampler in hertz.
    #[arg(long, value_name = "HERTZ", default_value_t = DEFAULT_HZ, allow_negative_numbers = true)]
    pub sampler_hz: f64,
    /// A table that is redrawn, or tidy rows; default: the table on a terminal, else rows.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Scripted devices and sensors in place of the machine's.
    #[arg(long, value_name = "FILE", hide = true)]
    pub simulate: Option<std::path::PathBuf>,
}

/// How readings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A block of lines that is redrawn in place on a terminal.
    Table,
    /// One CSV row for each figure.
    Csv,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let interval = resolve::duration("interval", &args.interval)?;
    let length = args.length.as_deref().map(|text| resolve::duration("for", text)).transpose()?;
    if !(args.sampler_hz.is_finite() && args.sampler_hz > 0.0) {
        let text = format!("--sampler-hz is {}: it must be a positive number of polls a second", args.sampler_hz);
        return Err(Failure::usage(text).into());
    }
    if interval.get() < 1.0 / args.sampler_hz {
        let text = format!(
            "--interval {} is shorter than the sampler's period of {:.3} s; lengthen it or raise --sampler-hz",
            args.interval,
            1.0 / args.sampler_hz
        );
        return Err(Failure::usage(text).into());
    }
    let bench = TestBench::open(args.simulate.as_deref())?;
    let devices = bench.machine().devices();
    let findings = args.power.open(&devices, &bench)?;
    for obstacle in &findings.obstacles {
        console.note(&format!("power: {}: {}. {}", obstacle.what, obstacle.why, obstacle.remedy));
    }
    if findings.sources.is_empty() {
        let text = "there is no sensor to watch; `wattmark doctor` says what is missing, and --power names a meter";
        return Err(Failure::new(Exit::Quality, text).into());
    }
    let format = args.format.unwrap_or(if console.out_is_terminal { Format::Table } else { Format::Csv });
    let sampler = Sampler::watch(findings.sources, args.sampler_hz, &bench.machine().clock(), LOOK_BACK);
    watch(&bench, &sampler, &Schedule { interval, length }, format, console)
}

/// How often, and how long.
struct Schedule {
    interval: Seconds,
    length: Option<Seconds>,
}

fn watch(
    bench: &TestBench,
    sampler: &Sampler,
    schedule: &Schedule,
    format: Format,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let (machine, clock) = (bench.machine(), bench.machine().clock());
    let devices = machine.devices();
    let interrupted = interruption("")?;
    let began = clock.now();
    let end = schedule.length.map(|length| began.plus(length));
    let mut live = Live::default();
    let mut drawn = 0;
    if format == Format::Csv {
        writeln!(console.out, "{LIVE_ROWS_HEAD}")?;
    }
    let mut due = began.plus(schedule.interval);
    loop {
        let until = end.filter(|end| *end < due).unwrap_or(due);
        while clock.now() < until && !interrupted.load(Ordering::Relaxed) {
            let nap = clock.now().plus(NAP);
            clock.sleep_until(if nap < until { nap } else { until });
        }
        let now = clock.now();
        let reach = Nanoseconds(now.0.saturating_sub(LOOK_BACK.to_nanoseconds()));
        live.update(&sampler.traces_since(reach), now);
        match format {
            Format::Csv => console.out.write_all(live_rows(&live, &rfc3339(bench.utc_now())).as_bytes())?,
            Format::Table => {
                match drawn {
                    0 => {}
                    _ if console.out_is_terminal => rewind(console, drawn)?,
                    _ => writeln!(console.out)?,
                }
                let text = live_table(&live, &devices, layout::width(console));
                drawn = text.lines().count();
                console.out.write_all(text.as_bytes())?;
            }
        }
        console.out.flush()?;
        if interrupted.load(Ordering::Relaxed) || end.is_some_and(|end| now >= end) {
            return Ok(Exit::Ok);
        }
        while due <= now {
            due = due.plus(schedule.interval);
        }
    }
}

/// Moves back to the block's first line, or to the top of the screen where the block is taller than it, and clears what
/// follows.
fn rewind(console: &mut Console, drawn: usize) -> std::io::Result<()> {
    let height =
        terminal_size::terminal_size().map_or(usize::MAX, |(_, terminal_size::Height(rows))| usize::from(rows));
    if drawn < height { write!(console.out, "\x1b[{drawn}A\x1b[J") } else { write!(console.out, "\x1b[H\x1b[J") }
}
