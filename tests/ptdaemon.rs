//! The client of SPEC PTDaemon against a stand-in that speaks its published commands, on loopback.
//!
//! The daemon itself may not be shipped, so nothing here has talked to a real one; the answers are those that its public
//! clients expect. What surprises people: the stand-in writes down every command, because what must not be forgotten is
//! `Stop`, and the ranges.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wattmark::clock::{Clock, RunClock, WallClock};
use wattmark::model::{Scope, SourceTrace};
use wattmark::power::{Findings, PROBES, ProbeContext, Sampler};
use wattmark::units::{Ratio, Seconds};

const IDENTITY: &str =
    "Yokogawa WT310E,1000,1,1,1,1,0,1,1,version=1.9.2-6fa1d48b-20200401,OS=Linux,mode=power,1,1,1,0,0,2026-01-01,x";

/// How the stand-in behaves.
#[derive(Clone)]
struct Behaviour {
    greeting: &'static str,
    identity: &'static str,
    ranges: &'static str,
    go: &'static str,
    uncertainty: &'static str,
    /// Watts of the samples, one for each `RL`.
    watts: fn(usize) -> &'static str,
    /// Samples after which `last` happens in place of an answer.
    samples: usize,
    last: Last,
}

#[derive(Clone, Copy, PartialEq)]
enum Last {
    Never,
    Hang,
    HalfALine,
    Close,
}

fn normal() -> Behaviour {
    Behaviour {
        greeting: "Hello, PTDaemon here!",
        identity: IDENTITY,
        ranges: "Ranges,0,5.0,0,300.0",
        go: "Starting untimed measurement, maximum 500000 samples at 1000ms with 0 rampup samples",
        uncertainty: "Uncertainty,0.0021,0.0019,0.0030,3,0,3,0",
        watts: |index| if index == 0 { "299.5" } else { "301.25" },
        samples: usize::MAX,
        last: Last::Never,
    }
}

struct Daemon {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(&stream, &behaviour, &log);
            }
        });
        Self { address, heard }
    }

    /// Commands so far; waits for the one that is expected last.
    fn heard(&self, last: &str) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let heard = self.heard.lock().unwrap().clone();
            if heard.last().is_some_and(|command| command == last) || Instant::now() > deadline {
                return heard;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn open(&self, options: &str) -> (Findings, ProbeContext) {
        let context = ProbeContext {
            root: "/".into(),
            devices: Vec::new(),
            assume_watts: None,
            argument: Some(format!("{}{options}", self.address)),
            clock: RunClock::Wall(WallClock::start()),
            activity: None,
        };
        let probe = PROBES.iter().find(|probe| probe.kind == "ptdaemon").unwrap();
        ((probe.open)(&context), context)
    }

    fn refused(&self, options: &str) -> String {
        let (mut findings, _) = self.open(options);
        assert!(findings.sources.is_empty());
        findings.obstacles.remove(0).why
    }

    /// Samples for a while.
    fn sample(&self, options: &str, seconds: f64) -> SourceTrace {
        let (findings, context) = self.open(options);
        assert!(!findings.sources.is_empty(), "{:?}", findings.obstacles);
        let sampler = Sampler::start(findings.sources, 50.0, &context.clock);
        context.clock.sleep(Seconds::new(seconds));
        sampler.stop().remove(0)
    }
}

fn serve(stream: &TcpStream, behaviour: &Behaviour, log: &Mutex<Vec<String>>) {
    let mut out = stream;
    let mut samples = 0;
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let command = line.trim_end().to_owned();
        log.lock().unwrap().push(command.clone());
        let answer = match command.split(',').next().unwrap() {
            "Hello" => behaviour.greeting.to_owned(),
            "Identify" => behaviour.identity.to_owned(),
            "RR" => behaviour.ranges.to_owned(),
            "SR" => format!("Range {} changed", &command[3..4]),
            "Go" => behaviour.go.to_owned(),
            "Uncertainty" => behaviour.uncertainty.to_owned(),
            "Stop" => "Stopping untimed measurement".to_owned(),
            "RL" if samples >= behaviour.samples && behaviour.last != Last::Never => match behaviour.last {
                Last::Close => return,
                Last::HalfALine => {
                    out.write_all(b"Last 1 samples\r\nTime,11-22-2026 10:00:00.500,Wat").unwrap();
                    continue;
                }
                _ => continue,
            },
            "RL" => {
                samples += 1;
                let watts = (behaviour.watts)(samples - 1);
                format!(
                    "Last 1 samples\r\nTime,11-22-2026 10:00:{samples:02}.500,Watts,{watts},Volts,230.1,Amps,1.3,PF,0.99,Mark,wattmark"
                )
            }
            _ => "Error: Unknown command".to_owned(),
        };
        if out.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn wall_watts_come_with_the_uncertainty_that_the_daemon_states() {
    let daemon = Daemon::start(normal());
    let trace = daemon.sample("", 1.5);
    let values = &trace.columns[0].values;
    assert!(!values.is_empty() && values.iter().all(|watts| *watts == Some(301.25)), "{values:?}");
    let channel = &trace.source.channels[0];
    assert_eq!((channel.scope, channel.stated_error), (Scope::WallAc, Some(Ratio::new(0.003))));
    assert_eq!(channel.averaging_window_s, Some(Seconds::new(1.0)));
    assert!(trace.source.note.contains("Yokogawa WT310E") && trace.source.note.contains("ranges as they were"));
    let heard = daemon.heard("Stop");
    assert_eq!(heard[..5], ["Hello", "Identify", "Go,1000,0,wattmark", "RL", "Uncertainty"]);
    assert_eq!(heard.last().unwrap(), "Stop");
    assert!(!heard.iter().any(|command| command.starts_with("SR")), "ranges are not touched: {heard:?}");
}

#[test]
fn ranges_are_automatic_only_on_request_and_are_put_back() {
    let daemon = Daemon::start(normal());
    daemon.sample(",ranging=auto", 0.1);
    let heard = daemon.heard("SR,A,5.0");
    assert_eq!(heard[2..6], ["RR", "SR,V,Auto", "SR,A,Auto", "Go,1000,0,wattmark"]);
    assert_eq!(heard[heard.len() - 3..], ["Stop", "SR,V,300.0", "SR,A,5.0"]);
    // A range that was automatic is automatic again.
    let daemon = Daemon::start(Behaviour { ranges: "Ranges,1,5.0,1,300.0", ..normal() });
    daemon.sample(",ranging=auto", 0.1);
    assert_eq!(daemon.heard("SR,A,Auto").last().unwrap(), "SR,A,Auto");
}

#[test]
fn a_range_that_could_not_be_put_back_is_left_alone() {
    let daemon = Daemon::start(Behaviour { ranges: "Ranges,-1,-1.0,-1,-1.0", ..normal() });
    assert!(daemon.refused(",ranging=auto").contains("does not say which V range is set"));
    assert_eq!(daemon.heard("RR"), ["Hello", "Identify", "RR"]);
}

#[test]
fn what_the_daemon_refuses_is_said_in_its_own_words() {
    let daemon = Daemon::start(Behaviour { go: "Error: Meter busy, measurement in progress", ..normal() });
    let why = daemon.refused("");
    assert!(why.contains("`Error: Meter busy, measurement in progress` to `Go,1000,0,wattmark`"), "{why}");
    assert!(!daemon.heard("Go,1000,0,wattmark").contains(&"Stop".to_owned()), "another's measurement is not stopped");
}

#[test]
fn what_is_no_ptdaemon_is_named() {
    let daemon = Daemon::start(Behaviour { greeting: "SSH-2.0-OpenSSH_9.2", ..normal() });
    assert!(daemon.refused("").contains("`SSH-2.0-OpenSSH_9.2` to Hello and is no PTDaemon"));
    let thermometer =
        "PCsensor,5000,1,0,0,0,0,0,1,version=1.9.1-a2d19f26-20190717,OS=Windows,mode=temperature,0,0,1,0,0";
    let daemon = Daemon::start(Behaviour { identity: thermometer, ..normal() });
    assert!(daemon.refused("").contains("thermometer (PCsensor)"));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let nobody = Daemon { address: closed, heard: Arc::default() };
    assert!(nobody.refused("").contains("cannot connect"));
}

#[test]
fn an_uncertainty_out_of_range_is_unknown_or_called_too_large() {
    for (uncertainty, stated, told) in [
        ("Uncertainty,-1,-1,-1,3,0,0,3", None, "states no uncertainty"),
        ("Uncertainty,3.0,2.0,4.0,3,3,0,0", None, "states no uncertainty"),
        ("Uncertainty,0.02,0.01,0.03,3,3,0,0", Some(Ratio::new(0.03)), "above the 1 % that MLPerf Power accepts"),
        ("Error: no data", None, "`Error: no data`"),
    ] {
        let daemon = Daemon::start(Behaviour { uncertainty, ..normal() });
        let (findings, _) = daemon.open("");
        let info = findings.sources[0].info();
        assert_eq!(info.channels[0].stated_error, stated, "{uncertainty}");
        assert!(info.note.contains(told), "{}", info.note);
    }
}

#[test]
fn an_invalid_sample_is_a_gap_and_not_a_number() {
    let daemon = Daemon::start(Behaviour { watts: |index| if index == 1 { "-1.0" } else { "300" }, ..normal() });
    let trace = daemon.sample("", 1.3);
    assert_eq!(trace.columns[0].values[0], None);
    assert!(trace.gaps[0].reason.contains("marks its sample invalid (-1 W)"), "{:?}", trace.gaps);
}

/// Opens, samples for longer than the daemon answers, and returns the reason of the last gap.
fn end_of(last: Last) -> (String, Vec<Option<f64>>, Daemon) {
    let daemon = Daemon::start(Behaviour { samples: 3, last, ..normal() });
    let trace = daemon.sample("", 5.0);
    let gap = trace.gaps.last().unwrap();
    assert_eq!((&gap.channel, gap.until_ns), (&None, None), "it is gone: {:?}", trace.gaps);
    (gap.reason.clone(), trace.columns[0].values.clone(), daemon)
}

#[test]
fn a_daemon_that_hangs_ends_the_source_and_is_still_told_to_stop() {
    let (reason, values, daemon) = end_of(Last::Hang);
    assert!(reason.contains("no answer to `RL`: nothing within 1.8 s"), "{reason}");
    assert!(values.iter().all(|watts| *watts == Some(301.25)), "no reading is invented: {values:?}");
    assert_eq!(daemon.heard("Stop").last().unwrap(), "Stop", "it may still listen");
}

#[test]
fn half_a_line_ends_the_source_and_is_quoted() {
    let (reason, values, _) = end_of(Last::HalfALine);
    assert!(reason.contains("half a line, `Time,11-22-2026 10:00:00.500,Wat`"), "{reason}");
    assert!(values.iter().all(|watts| *watts == Some(301.25)), "{values:?}");
}

#[test]
fn a_daemon_that_dies_in_mid_run_ends_the_source() {
    assert!(end_of(Last::Close).0.contains("closed the connection"));
}

#[test]
fn a_daemon_that_never_has_a_valid_sample_is_refused_and_stopped() {
    let daemon = Daemon::start(Behaviour { watts: |_| "-1.0", ..normal() });
    let why = daemon.refused("");
    assert!(why.contains("no valid sample since the start") && why.contains("-1 W"), "{why}");
    assert_eq!(daemon.heard("Stop").last().unwrap(), "Stop");
}
