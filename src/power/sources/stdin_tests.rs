//! Lines through a pipe, on a real clock and on a simulated one.

use std::io::{Cursor, Write, pipe};

use super::*;
use crate::clock::{SimulatedClock, WallClock};
use crate::model::SourceTrace;
use crate::power::{Sampler, left_out};

fn now_ns() -> i128 {
    jiff::Timestamp::now().as_nanosecond()
}

fn names(argument: &str) -> Names {
    Names::parse(argument).unwrap()
}

/// All lines at once, then the end, on a simulated clock that is polled for ten seconds.
fn read(argument: &str, lines: &str) -> Result<Vec<SourceTrace>, String> {
    let simulated = SimulatedClock::new();
    let clock = RunClock::Simulated(simulated.clone());
    let sources = listen(Cursor::new(lines.to_owned()), names(argument), &clock)?;
    let sampler = Sampler::start(sources, 2.0, &clock);
    simulated.sleep(Seconds::new(10.0));
    Ok(sampler.stop())
}

/// A line whose stamp lies so many seconds from now.
fn line(name: &str, seconds: f64, value: &str) -> String {
    format!("{name} {} {value}\n", now_ns() + (seconds * 1e9) as i128)
}

fn powers(trace: &SourceTrace) -> Vec<f64> {
    let mut values: Vec<f64> = trace.columns[0].values.iter().flatten().copied().collect();
    values.dedup();
    values
}

#[test]
fn each_name_is_a_source_with_its_scope_device_and_unit() {
    let lines: String = (0..8)
        .map(|t| {
            let t = f64::from(t);
            line("wall", t, "350") + &line("gpu_mw", t, "250000") + &line("wall_wh", t, &format!("{}", 1.0 + t))
        })
        .collect();
    let traces = read("wall,gpu_mw=board@1,wall_wh", &lines).unwrap();
    let kinds: Vec<_> =
        traces.iter().map(|t| (t.source.id.as_str(), t.source.channels[0].scope, t.source.device)).collect();
    assert_eq!(
        kinds,
        [
            ("stdin:wall", Scope::WallAc, None),
            ("stdin:gpu_mw", Scope::Board, Some(1)),
            ("stdin:wall_wh", Scope::WallAc, None)
        ]
    );
    assert_eq!((powers(&traces[0]), powers(&traces[1])), (vec![350.0], vec![250.0]));
    assert_eq!(traces[2].source.channels[0].quantity, Quantity::EnergyCounter);
    assert_eq!(traces[2].columns[0].values.iter().flatten().next_back(), Some(&(8.0 * 3600.0)));
    assert!((traces[0].source.channels[0].update_period_s.unwrap().get() - 1.0).abs() < 0.01);
}

#[test]
fn the_end_of_input_ends_the_source_with_its_reason() {
    let lines: String = (0..3).map(|t| line("wall", f64::from(t), "350")).collect();
    let trace = read("", &lines).unwrap().remove(0);
    let end = trace.gaps.last().unwrap();
    assert_eq!((end.channel.clone(), end.until_ns), (None, None));
    assert_eq!(end.reason, "standard input ended after 3 lines");
    assert!(*trace.t_ns.last().unwrap() < Nanoseconds(6_000_000_000), "it is not polled once it is gone");
}

#[test]
fn what_is_left_out_is_counted_with_its_first_line() {
    let stamp = now_ns();
    let at = |seconds: i128, rest: &str| format!("wall {} {rest}\n", stamp + seconds * 1_000_000_000);
    let lines = [
        at(0, "100"),
        at(1, "101"),
        at(1, "102"),
        at(0, "103"),
        at(2, "12,5"),
        at(2, "NaN"),
        at(2, "inf"),
        at(2, "-3"),
        "wall 1700000000 100\n".to_owned(),
        "wall 17000000.5 100\n".to_owned(),
        "wall\n".to_owned(),
        format!("{}\n", "x".repeat(10_000)),
        at(3, "104"),
    ];
    let trace = read("wall", &lines.concat()).unwrap().remove(0);
    assert_eq!(powers(&trace), [100.0, 101.0, 104.0]);
    let told = left_out(&trace.source.note).unwrap();
    for expected in [
        "1 with a duplicate stamp (first: line 3",
        "1 with a stamp that steps back (first: line 4: 1 s before",
        "1 unreadable (first: line 8: -3 W cannot be)",
        "(first: line 5: `12,5` has a decimal comma",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn each_kind_of_unreadable_line_says_what_is_wrong_with_it() {
    let reader = |text: &str| {
        let feed = Arc::new(Feed { state: Mutex::default(), changed: Condvar::new() });
        let clock = RunClock::Simulated(SimulatedClock::new());
        Reader { feed, names: names(""), clock, zero_ns: 0 }.parse(text).map(|_| ()).unwrap_err()
    };
    for (text, expected) in [
        ("wall 1700000000 100", "is it seconds, ms or µs?"),
        ("wall 1700000000000000000.5 100", "not a whole number of nanoseconds"),
        ("wall 100", "has 2 words instead of NAME TIME_NS VALUE"),
        ("wall 1700000000000000000 NaN", "not a finite number"),
        ("wall 1700000000000000000 12,5", "decimal comma"),
        ("wall 1700000000000000000 watts", "is not a number"),
    ] {
        assert!(reader(text).contains(expected), "{text}: {}", reader(text));
    }
}

#[test]
fn input_without_a_reading_is_refused_with_what_came() {
    let refused = |argument: &str, lines: &str| read(argument, lines).unwrap_err();
    assert!(refused("", "").contains("ended before the first reading"));
    assert!(refused("", "power is 300\n").contains("1 unreadable (first: line 1: TIME_NS `is`"));
    assert!(
        refused("wall,gpu=board", &line("wall", 0.0, "5")).contains("no reading named gpu came within 5 s; seen: wall")
    );
}

/// Polls a pipe on the real clock while `write` writes to it.
fn live(argument: &str, seconds: f64, write: impl FnOnce(&mut dyn Write)) -> SourceTrace {
    let (reader, mut writer) = pipe().unwrap();
    write(&mut writer);
    let clock = RunClock::Wall(WallClock::start());
    let sources = listen(BufReader::new(reader), names(argument), &clock).unwrap();
    let sampler = Sampler::start(sources, 50.0, &clock);
    write!(writer, "{}", line("wall", 0.0, "300")).unwrap();
    clock.sleep(Seconds::new(seconds));
    write!(writer, "{}", line("wall", 3600.0, "999")).unwrap();
    clock.sleep(Seconds::new(0.1));
    drop(writer);
    sampler.stop().remove(0)
}

#[test]
fn a_stamp_in_the_future_is_left_out_and_named_as_a_clock_that_is_wrong() {
    let trace = live("wait=0.05", 0.1, |writer| write!(writer, "{}", line("wall", -0.2, "200")).unwrap());
    assert_eq!(powers(&trace).last(), Some(&300.0));
    let told = left_out(&trace.source.note).unwrap();
    assert!(told.contains("1 with a stamp in the future") && told.contains("set the clocks"), "{told}");
    assert!(told.contains("3600.0 s ahead") || told.contains("3599.9 s ahead"), "{told}");
}

#[test]
fn stamps_that_lag_are_stale_with_the_seconds_of_their_lag() {
    let lagging = |writer: &mut dyn Write| {
        for seconds in [-7203.0, -7202.0, -7201.0] {
            write!(writer, "{}", line("wall", seconds, "200")).unwrap();
        }
    };
    let (reader, mut writer) = pipe().unwrap();
    lagging(&mut writer);
    let clock = RunClock::Wall(WallClock::start());
    let sources = listen(BufReader::new(reader), names(""), &clock).unwrap();
    let sampler = Sampler::start(sources, 20.0, &clock);
    clock.sleep(Seconds::new(0.2));
    let trace = sampler.stop().remove(0);
    assert_eq!(powers(&trace), [0.0; 0]);
    assert!(trace.gaps[0].reason.contains("no new reading for 720"), "{}", trace.gaps[0].reason);
}
