//! Wall power from a SPEC PTDaemon that someone else runs, over TCP: lines of text that end in CR LF.
//!
//! `--power ptdaemon:HOST[:8888]`. A measurement with one sample a second is started when the source opens and stopped on
//! every way out. What surprises people: the daemon's `Watts` is the mean since the start, so the samples are fetched with
//! `RL`, which waits up to one sampling interval for a new one; and ranges are left alone unless `ranging=auto` is given,
//! and then put back.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::options::Options;
use crate::clock::Nanoseconds;
use crate::model::{Channel, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Ratio, Seconds};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "ptdaemon",
    summary: "a power analyser behind a SPEC PTDaemon (`--power ptdaemon:HOST[:8888][,ranging=auto]`); not shipped with us",
    automatic: false,
    open,
};

const KEYS: &[&str] = &["ranging", "scope", "device"];
const PORT: u16 = 8888;
const GREETING: &str = "Hello, PTDaemon here!";
/// Time for a connection, and for each answer before the measurement runs.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time for an answer beyond the sampling interval. Together they stay below the 2 s that a sampler waits for a source to
/// end, so that a daemon that hangs does not keep the measurement from being stopped.
const GRACE: Duration = Duration::from_millis(800);
/// Time after `Go` within which the first sample must be there: three intervals.
const FIRST_SAMPLE_INTERVALS: u32 = 3;
/// Longest answer line.
const LONGEST_LINE: usize = 4096;
/// Sampling interval that is asked for, in milliseconds; a meter that needs longer gets what it says.
const INTERVAL_MS: u64 = 1000;
/// Uncertainty of a sample up to which MLPerf Power accepts it.
const ACCEPTED: f64 = 0.01;

fn open(context: &ProbeContext) -> Findings {
    let Some(argument) = &context.argument else { return Findings::default() };
    match Analyser::open(argument) {
        Ok(analyser) => Findings { sources: vec![Box::new(analyser)], obstacles: Vec::new() },
        Err((why, remedy)) => {
            let what = format!("PTDaemon {}", argument.split(',').next().unwrap_or_default());
            Findings { sources: Vec::new(), obstacles: vec![Obstacle { what, why, remedy: remedy.to_owned() }] }
        }
    }
}

const CHECK: &str = "see that PTDaemon runs there, on that port, and that nothing else is connected to it";
const USAGE: &str = "write --power ptdaemon:HOST[:8888][,ranging=auto][,scope=wall-ac]";

/// The conversation with a daemon. Dropping it stops the measurement and puts the ranges back.
struct Session {
    stream: TcpStream,
    rest: Vec<u8>,
    running: bool,
    /// Commands that put the ranges back.
    restore: Vec<String>,
    /// Set once an answer is overdue or the connection broke: what comes then belongs to no question.
    broken: Option<String>,
}

impl Session {
    fn connect(target: &str) -> Result<Self, String> {
        let address = if target.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            target.to_owned()
        } else {
            format!("{target}:{PORT}")
        };
        let mut addresses = address.to_socket_addrs().map_err(|error| format!("cannot resolve {address}: {error}"))?;
        let address = addresses.next().ok_or_else(|| format!("{address} has no address"))?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        // Lines are short; each is wanted at once.
        let _ = stream.set_nodelay(true);
        Ok(Self { stream, rest: Vec::new(), running: false, restore: Vec::new(), broken: None })
    }

    /// Sends a command and returns the first line of the answer.
    fn ask(&mut self, command: &str, patience: Duration) -> Result<String, String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let answer = self.stream.write_all(format!("{command}\r\n").as_bytes()).map_err(|error| error.to_string());
        let answer = answer.and_then(|()| self.line(patience));
        answer.map_err(|why| {
            let why = format!("no answer to `{command}`: {why}");
            self.broken = Some(why.clone());
            why
        })
    }

    fn line(&mut self, patience: Duration) -> Result<String, String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.rest.len() > LONGEST_LINE {
                return Err("it sent a line without end".to_owned());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.overdue(patience));
            }
            self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            let mut bytes = [0u8; 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err("it closed the connection".to_owned()),
                Ok(count) => self.rest.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(self.overdue(patience));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn overdue(&self, patience: Duration) -> String {
        let half = String::from_utf8_lossy(&self.rest);
        let said = if half.is_empty() { "nothing".to_owned() } else { format!("half a line, `{half}`,") };
        format!("{said} within {:.1} s", patience.as_secs_f64())
    }

    /// Switches both ranges to automatic, after noting how to put them back.
    fn range_automatically(&mut self) -> Result<(), String> {
        let ranges = self.ask("RR", PATIENCE)?;
        let fields: Vec<&str> = ranges.split(',').collect();
        let ["Ranges", amps_auto, amps, volts_auto, volts, ..] = fields[..] else {
            return Err(format!(
                "it answers `{ranges}` to RR, so its ranges could not be put back; they are left alone"
            ));
        };
        for (letter, auto, range) in [("V", volts_auto, volts), ("A", amps_auto, amps)] {
            let fixed = range.trim().parse::<f64>().is_ok_and(|range| range > 0.0);
            let before = match auto.trim() {
                "1" => "Auto".to_owned(),
                "0" if fixed => range.trim().to_owned(),
                _ => {
                    return Err(format!(
                        "it does not say which {letter} range is set ({ranges}); ranges are left alone"
                    ));
                }
            };
            let answer = self.ask(&format!("SR,{letter},Auto"), PATIENCE)?;
            if !answer.to_ascii_lowercase().starts_with(&format!("range {} changed", letter.to_ascii_lowercase())) {
                return Err(format!("it answers `{answer}` to SR,{letter},Auto"));
            }
            self.restore.push(format!("SR,{letter},{before}"));
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A daemon that does not answer any more may still listen, so the commands are sent in any case.
        self.broken = None;
        let mut last: Vec<String> = Vec::new();
        if self.running {
            last.push("Stop".to_owned());
        }
        last.append(&mut self.restore);
        for command in last {
            // There is nobody left to tell.
            let _ = self.ask(&command, GRACE);
            self.broken = None;
        }
    }
}

/// What `Identify` says of the meter.
struct Identity {
    name: String,
    interval: Duration,
    channels: usize,
}

impl Identity {
    /// Fields by the order in which the daemon lists them: driver, averaging interval in ms, six abilities, accepted by SPEC,
    /// version, system, mode, accuracy, ranges, channels.
    fn parse(answer: &str) -> Result<Self, String> {
        let fields: Vec<&str> = answer.split(',').map(str::trim).collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        if fields.contains(&"mode=temperature") {
            return Err(format!("it serves a thermometer ({})", fields[0]));
        }
        let Some(interval) = number(1).filter(|_| fields.len() >= 9) else {
            return Err(format!("it answers `{answer}` to Identify, which describes no meter"));
        };
        Ok(Self {
            name: fields[0].to_owned(),
            interval: Duration::from_millis(interval.max(INTERVAL_MS)),
            channels: number(14).and_then(|count| usize::try_from(count).ok()).unwrap_or(1).max(1),
        })
    }
}

struct Analyser {
    info: SourceInfo,
    session: Session,
    samples: &'static str,
    interval: Duration,
}

impl Analyser {
    fn open(argument: &str) -> Result<Self, (String, &'static str)> {
        let usage = |why: String| (why, USAGE);
        let options = Options::parse(argument, KEYS).map_err(usage)?;
        let device = options.device().map_err(usage)?;
        let automatic = match options.text("ranging") {
            None | Some("keep") => false,
            Some("auto") => true,
            Some(other) => return Err(usage(format!("ranging `{other}` is neither keep nor auto"))),
        };
        let mut session = Session::connect(&options.target).map_err(|why| (why, CHECK))?;
        let identity = greet(&mut session).map_err(|why| (why, CHECK))?;
        if automatic {
            session
                .range_automatically()
                .map_err(|why| (why, "set the ranges at the meter and leave ranging=auto out"))?;
        }
        let go = format!("Go,{},0,wattmark", identity.interval.as_millis());
        let answer = session.ask(&go, PATIENCE).map_err(|why| (why, CHECK))?;
        if !answer.starts_with("Starting") {
            return Err((format!("it answers `{answer}` to `{go}`"), CHECK));
        }
        session.running = true;
        let (samples, direct) = first_sample(&mut session, &identity)
            .map_err(|why| (why, "see what the meter itself shows, then try again"))?;
        let scope = options.scope(if direct { Scope::HostDc } else { Scope::WallAc }).map_err(usage)?;
        let uncertainty = session.ask("Uncertainty", PATIENCE).map_err(|why| (why, CHECK))?;
        let info = info(&options.target, &identity, &uncertainty, scope, device, automatic);
        Ok(Self { info, session, samples, interval: identity.interval })
    }

    /// Mean of the samples that were not read yet: each is the mean of one interval, so none is lost.
    fn read(&mut self) -> Result<f64, String> {
        read_samples(&mut self.session, self.samples, self.interval + GRACE)
    }
}

fn greet(session: &mut Session) -> Result<Identity, String> {
    let greeting = session.ask("Hello", PATIENCE)?;
    if greeting != GREETING {
        return Err(format!("it answers `{greeting}` to Hello and is no PTDaemon"));
    }
    Identity::parse(&session.ask("Identify", PATIENCE)?)
}

/// Waits for the first sample; returns the command that fetches samples, and whether the meter is one for direct current.
fn first_sample(session: &mut Session, identity: &Identity) -> Result<(&'static str, bool), String> {
    let limit = Instant::now() + identity.interval * FIRST_SAMPLE_INTERVALS;
    let mut command = if identity.channels > 1 { "RL,*,*" } else { "RL" };
    loop {
        match read_samples(session, command, identity.interval + GRACE) {
            Ok(_) => return Ok((command, command == "DC-RL")),
            Err(why) if session.broken.is_some() => return Err(why),
            Err(why) if why.contains("Unknown command") && command != "DC-RL" => command = "DC-RL",
            Err(why) if why.contains("Invalid number of parameters") && command == "RL,*,*" => command = "RL",
            Err(why) if Instant::now() >= limit => return Err(format!("no valid sample since the start: {why}")),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn read_samples(session: &mut Session, command: &str, patience: Duration) -> Result<f64, String> {
    let head = session.ask(command, patience)?;
    let count = head.strip_prefix("Last ").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    let count = count.ok_or_else(|| format!("it answers `{head}` to {command}"))?;
    let (mut sum, mut valid, mut trouble) = (0.0, 0u32, None);
    for _ in 0..count {
        let line = session.line(patience).map_err(|why| {
            let why = format!("the samples broke off: {why}");
            session.broken = Some(why.clone());
            why
        })?;
        match sample_watts(&line) {
            Ok(watts) => {
                sum += watts;
                valid += 1;
            }
            Err(why) => trouble = Some(why),
        }
    }
    if valid == 0 {
        return Err(trouble.unwrap_or_else(|| "there is no new sample".to_owned()));
    }
    Ok(sum / f64::from(valid))
}

/// Watts of a line `Time,…,Watts,…,Volts,…,Amps,…,PF,…,Mark,…`; with several channels the first are their sum.
fn sample_watts(line: &str) -> Result<f64, String> {
    let mut fields = line.split(',').map(str::trim);
    if fields.next() != Some("Time") {
        return Err(format!("`{line}` is no sample"));
    }
    let watts = fields.find(|field| *field == "Watts").and_then(|_| fields.next()?.parse::<f64>().ok());
    match watts {
        Some(watts) if watts.is_finite() && watts > 0.0 => Ok(watts),
        Some(watts) => Err(format!("the meter marks its sample invalid ({watts} W)")),
        None => Err(format!("`{line}` holds no watts")),
    }
}

/// Largest uncertainty of the samples so far as a ratio, from `Uncertainty,mean,least,largest,samples,…`.
fn largest_uncertainty(answer: &str) -> Option<f64> {
    let mut fields = answer.split(',').map(str::trim);
    (fields.next() == Some("Uncertainty")).then_some(())?;
    let numbers: Vec<f64> = fields.map_while(|field| field.parse().ok()).collect();
    let [mean, _, largest, ..] = numbers[..] else { return None };
    // A negative one is unknown, as with automatic ranges; one of 100 % or more says nothing.
    let stated = mean.max(largest);
    (mean > 0.0 && stated < 1.0).then_some(stated)
}

fn info(
    target: &str,
    identity: &Identity,
    uncertainty: &str,
    scope: Scope,
    device: Option<u32>,
    automatic: bool,
) -> SourceInfo {
    let stated = largest_uncertainty(uncertainty);
    let accuracy = match stated {
        None => format!("the daemon states no uncertainty (`{uncertainty}`)"),
        Some(ratio) => format!(
            "largest uncertainty stated at the start {:.2} %{}",
            ratio * 100.0,
            if ratio > ACCEPTED { ", above the 1 % that MLPerf Power accepts" } else { "" }
        ),
    };
    let interval = Seconds::new(identity.interval.as_secs_f64());
    SourceInfo {
        id: format!("ptdaemon:{target}"),
        kind: PROBE.kind.to_owned(),
        device,
        evidence: Evidence::Measured,
        note: format!(
            "{} through SPEC PTDaemon, means of {} s each; {accuracy}; ranges {}",
            identity.name,
            interval.get(),
            if automatic { "automatic during the run, put back after it" } else { "as they were" }
        ),
        channels: vec![Channel {
            update_period_s: Some(interval),
            averaging_window_s: Some(interval),
            stated_error: stated.map(Ratio::new),
            ..Channel::new("power.analyser", Quantity::AveragedPower, scope)
        }],
    }
}

impl PowerSource for Analyser {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    fn useful_hz(&self) -> Option<f64> {
        Some(1.0 / self.interval.as_secs_f64())
    }
    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let outcome = self.read();
        if let Some(why) = &self.session.broken {
            // Answers no longer belong to questions: nothing that comes now can be trusted.
            return Err(PollError::Gone(format!("{}: {why}", self.info.id)));
        }
        let watts = outcome.map_err(|why| PollError::Transient(format!("{}: {why}", self.info.id)))?;
        if let Some(slot) = values.first_mut() {
            *slot = Some(watts);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "Time,11-22-2026 10:00:00.500,Watts,301.250000,Volts,230.1,Amps,1.32,PF,0.99,Mark,wattmark";

    #[test]
    fn a_sample_is_read_and_an_invalid_one_is_none() {
        assert_eq!(sample_watts(SAMPLE), Ok(301.25));
        let channels = SAMPLE.replace(",Mark", ",Watts,150.0,Volts,230,Amps,0.6,PF,0.9,Mark");
        assert_eq!(sample_watts(&channels), Ok(301.25), "the first is the sum");
        assert!(sample_watts(&SAMPLE.replace("301.250000", "-1.000000")).unwrap_err().contains("invalid (-1 W)"));
        assert!(sample_watts("Time,now,Watts").unwrap_err().contains("no watts"));
        assert!(sample_watts("Watts,301,300,302,5,0,5").unwrap_err().contains("no sample"));
    }

    #[test]
    fn an_uncertainty_is_the_largest_ratio_unless_it_is_unknown() {
        assert_eq!(largest_uncertainty("Uncertainty,0.0021,0.0019,0.0030,60,0,60,0"), Some(0.003));
        assert_eq!(largest_uncertainty("Uncertainty,-1.0,-1.0,-1.0,60,0,0,60"), None);
        assert_eq!(largest_uncertainty("Uncertainty,7.5,7.0,8.0,60,60,0,0"), None);
        assert_eq!(largest_uncertainty("Error: no measurement"), None);
    }

    #[test]
    fn a_meter_describes_itself() {
        let said = "Yokogawa WT310E,1000,1,1,1,1,0,1,1,version=1.9.2-6fa1d48b-20200401,OS=Linux,mode=power,1,1,3,0,0,2026-01-01,x";
        let identity = Identity::parse(said).unwrap();
        assert_eq!((identity.name.as_str(), identity.channels), ("Yokogawa WT310E", 3));
        assert_eq!(Identity::parse(&said.replace(",1000,", ",5000,")).unwrap().interval, Duration::from_secs(5));
        assert!(
            Identity::parse(&said.replace("mode=power", "mode=temperature"))
                .is_err_and(|why| why.contains("thermometer"))
        );
        assert!(Identity::parse("HTTP/1.1 400 Bad Request").is_err());
    }
}
