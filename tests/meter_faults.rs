//! Meters and sensors that fail, through the whole program: a run goes on with what is left, its record says what
//! happened, and no figure is invented.
//!
//! Devices are scripted, so that windows begin at the same instants each time. What surprises people: a fault that keeps a
//! source from being opened at all ends the program before the run, with exit code 2, since what was asked for by name
//! cannot be had.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::fmt::Write as _;

use assert_cmd::Command;
use wattmark::measure::result::evaluate;
use wattmark::model::{RunRecord, RunStatus, Scope, SourceTrace, WarningCode};
use wattmark::store;

const DEVICE: &str = "
[[device]]
name = \"Simulated Accelerator\"
[[device.rates]]
variant = \"*\"
flop_per_s = 1e12
";

/// A folder with a scripted device and a meter's file.
struct Bench {
    folder: tempfile::TempDir,
}

/// What a run left.
struct Outcome {
    code: Option<i32>,
    said: String,
    record: Option<RunRecord>,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.write("script.toml", DEVICE);
        bench
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn run(&self, power: &str, args: &[&str], input: &str) -> Outcome {
        let fixed = ["run", "--no-ceilings", "--simulate", "script.toml", "--kernel", "gemm/naive-f32"];
        let output = Command::cargo_bin("wattmark")
            .unwrap()
            .current_dir(self.folder.path())
            .args(fixed)
            .args(["--shape", "m=n=k=500", "--no-figures", "--power", power])
            .args(args)
            .write_stdin(input)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let results = std::fs::read_dir(self.folder.path().join("results")).ok();
        let newest = results.and_then(|entries| entries.map(|entry| entry.unwrap().path()).max());
        Outcome {
            code: output.status.code(),
            said: String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" "),
            record: newest.map(|folder| store::read(&folder.join("run.json")).unwrap().record),
        }
    }

    /// One run with a meter's file.
    fn with_meter(&self, content: impl AsRef<[u8]>, options: &str) -> Outcome {
        self.write("meter.csv", content);
        self.run(&format!("csv:meter.csv{options}"), &[], "")
    }
}

impl Outcome {
    fn record(&self) -> &RunRecord {
        assert_eq!(self.code, Some(0), "{}", self.said);
        let record = self.record.as_ref().unwrap();
        assert_eq!(record.status, RunStatus::Complete);
        record
    }

    fn trace(&self) -> &SourceTrace {
        &self.record().traces[0]
    }

    fn warns(&self, code: WarningCode) -> &str {
        let record = self.record();
        let all = record.warnings.iter().chain(record.measurements.iter().flat_map(|m| &m.warnings));
        all.into_iter().find(|warning| warning.code == code).map_or("", |warning| &warning.text)
    }

    fn refused(&self, expected: &str) {
        assert_eq!(self.code, Some(2), "{}", self.said);
        assert!(self.said.contains(expected) && self.record.is_none(), "{}", self.said);
    }
}

/// A file with a row every tenth of a second from one instant to another, its clock off by `shift` seconds.
fn rows(from: f64, until: f64, shift: f64) -> String {
    let mut text = String::new();
    for tenth in (from * 10.0) as i64..(until * 10.0) as i64 {
        writeln!(text, "{:.1},300", tenth as f64 / 10.0 + shift).unwrap();
    }
    text
}

// --- an external meter

#[test]
fn a_meter_with_thirty_seconds_between_rows_is_named_with_the_window_it_needs() {
    let outcome = Bench::new().with_meter("time,watts\n0,300\n30,300\n60,300\n", "");
    let channel = &outcome.trace().source.channels[0];
    assert_eq!(channel.update_period_s.unwrap().get(), 30.0);
    let warning = outcome.warns(WarningCode::WindowTooShort);
    assert!(warning.contains("fewer than 20 updates") && warning.contains("csv:meter.csv (600 s needed)"), "{warning}");
    assert!(outcome.said.contains("W02"));
}

#[test]
fn rows_that_are_left_out_are_counted_in_the_record_and_told() {
    let rows = format!("time,watts\n0,300\n0.1,300\n0.1,900\n0.05,900\n0.2,oops\n{}", rows(0.3, 20.0, 0.0));
    let outcome = Bench::new().with_meter(rows, "");
    let warning = outcome.warns(WarningCode::Other);
    for expected in
        ["1 with a duplicate stamp (first: line 4", "1 with a stamp that steps back (first: line 5", "line 6: `oops`"]
    {
        assert!(warning.contains(expected) && outcome.trace().source.note.contains(expected), "{warning}");
    }
    assert!(outcome.said.contains("W14"));
    let read: Vec<f64> = outcome.trace().columns[0].values.iter().flatten().copied().collect();
    assert!(!read.is_empty() && read.iter().all(|watts| *watts == 300.0), "the rows left out count for nothing");
}

#[test]
fn a_file_that_stops_growing_ends_its_energy_and_not_the_run() {
    let outcome = Bench::new().with_meter(format!("time,watts\n{}", rows(0.0, 2.0, 0.0)), "");
    assert!(outcome.warns(WarningCode::SensorGone).contains("meter.csv: no new reading for"));
    assert!(outcome.record().measurements[0].verified());
    let case = &evaluate(outcome.record()).cases[0];
    assert!(case.energy.is_empty() && case.flop_rate.is_some(), "time stands, energy is missing");
}

#[test]
fn a_meter_whose_clock_jumps_gives_no_reading_under_a_wrong_time() {
    let bench = Bench::new();
    let before = rows(0.0, 2.0, 0.0);
    let back = bench.with_meter(format!("time,watts\n{before}{}", rows(2.0, 20.0, -3600.0)), "");
    assert!(
        back.warns(WarningCode::Other).contains("180 with a stamp that steps back (first: line 22"),
        "{}",
        back.said
    );
    assert!(back.warns(WarningCode::SensorGone).contains("no new reading"));
    assert!(evaluate(back.record()).cases[0].energy.is_empty());
    let ahead = Bench::new().with_meter(format!("time,watts\n{before}{}", rows(2.0, 20.0, 3600.0)), "");
    assert!(ahead.warns(WarningCode::SensorGone).contains("the next is of 3602.0 s"), "{}", ahead.said);
    assert!(evaluate(ahead.record()).cases[0].energy.is_empty());
}

#[test]
fn a_hole_in_the_rows_is_a_gap_with_its_length() {
    let holed = format!("time,watts\n{}{}", rows(0.0, 1.0, 0.0), rows(2.0, 20.0, 0.0));
    let outcome = Bench::new().with_meter(holed, "");
    let gap = &outcome.trace().gaps[0];
    assert!(gap.reason.contains("no new reading for"), "{}", gap.reason);
    assert!(gap.until_ns.unwrap().since(gap.from_ns).get() > 0.5);
    assert_eq!(outcome.warns(WarningCode::SensorGone), "");
}

#[test]
fn semicolons_decimal_commas_a_byte_order_mark_and_windows_line_ends_are_read() {
    let table =
        format!("\u{feff}time;P\r\n{}", rows(0.0, 20.0, 0.0).replace(',', ";").replace('.', ",").replace('\n', "\r\n"));
    let outcome = Bench::new().with_meter(table, ",watts=P");
    assert_eq!(outcome.trace().columns[0].values[5], Some(300.0));
    assert_eq!(outcome.warns(WarningCode::Other), "");
}

#[test]
fn a_file_that_cannot_be_understood_is_refused_with_what_to_do() {
    let utf16: Vec<u8> = "\u{feff}time,watts\n0,300\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bench = Bench::new();
    bench.with_meter(utf16, "").refused("UTF-16");
    for (content, options, expected) in [
        ("0,300\n1,300\n", "", "holds numbers; write the columns' names above it"),
        ("time,watts\n0,5,300,1\n", "", "must be separated by `;`"),
        ("time,power_kW\n0,0.3\n", ",watts=power_kW", "declare unit=mW or unit=kW"),
        ("time,watts\n0,0.3\n1,0.31\n", "", "too little for the watts of a whole machine"),
        ("time,watts\n0,300000\n", "", "is the unit right?"),
        ("time,watts\n2026-01-31 12:00:00,300\n", ",time_unit=rfc3339", "has no zone"),
        ("time,watts\n2026-01-31 12:00:00,300\n", "", "say time_unit=rfc3339"),
        ("time,volts\n0,230\n", "", "there is no column `watts`; the file has: time, volts"),
    ] {
        bench.with_meter(content, options).refused(expected);
    }
}

#[test]
fn kilowatts_are_converted_when_they_are_declared() {
    let kilowatts = format!("time,power_kW\n{}", rows(0.0, 20.0, 0.0).replace(",300", ",0.3"));
    let outcome = Bench::new().with_meter(kilowatts, ",watts=power_kW,unit=kW");
    let value = outcome.trace().columns[0].values[5].unwrap();
    assert!((value - 300.0).abs() < 1e-9, "{value}");
}

// --- a source that dies

/// A board sensor and a wall meter; `FAULT` stands for what happens to the first.
const TWO: &str = "
[[power]]
device = 0
scope = \"board\"
update_period_s = 0.02
idle_w = 50.0
FAULT
[[power.busy]]
variant = \"*\"
watts = 250.0
[[power]]
scope = \"wall-ac\"
update_period_s = 0.02
idle_w = 150.0
[[power.busy]]
variant = \"*\"
watts = 400.0
";

#[test]
fn a_source_that_dies_in_mid_window_keeps_what_it_gave_and_costs_the_others_nothing() {
    let run = |fault: &str| {
        let bench = Bench::new();
        bench.write("script.toml", DEVICE.to_owned() + &TWO.replace("FAULT", fault));
        bench.run("scripted:script.toml", &["--window", "4s", "--windows", "3"], "")
    };
    let sound = run("");
    let windows: Vec<(f64, f64)> = sound.record().measurements[0]
        .measured()
        .map(|window| (window.start_ns.0 as f64 / 1e9, window.end_ns.0 as f64 / 1e9))
        .collect();
    assert_eq!((windows.len(), evaluate(sound.record()).cases[0].energy.len()), (3, 2));
    // A fifth into the second window.
    let death = windows[1].0 + (windows[1].1 - windows[1].0) / 5.0;
    let outcome = run(&format!("gone_after_s = {death}"));
    let record = outcome.record();
    assert_eq!(record.measurements[0].measured().count(), 3);
    assert!(
        outcome.warns(WarningCode::SensorGone).contains("later windows have no energy from it"),
        "{}",
        outcome.said
    );
    assert!(record.traces[0].t_ns.last().unwrap().0 as f64 / 1e9 <= death);
    let watts = |scope: Scope| {
        let cases = evaluate(record).cases;
        let energy = cases[0].energy.iter().find(|energy| energy.scope == scope).cloned();
        energy.map(|energy| (energy.power.point.get(), energy.coverage.get()))
    };
    // The wall meter saw all of it, and the dead one still says what it saw, not what it did not.
    assert!((watts(Scope::WallAc).unwrap().0 / 400.0 - 1.0).abs() < 1e-6);
    let board = watts(Scope::Board);
    assert!(board.is_some_and(|(watts, coverage)| (watts / 250.0 - 1.0).abs() < 1e-6 && coverage < 0.5), "{board:?}");
    let warnings = &evaluate(record).cases[0].warnings;
    assert!(warnings.iter().any(|w| w.code == WarningCode::SensorGap && w.text.contains("scripted:0")), "{warnings:?}");
    let gap = record.traces[0].gaps.last().unwrap();
    assert!(gap.until_ns.is_none() && gap.reason.contains("vanished"), "{gap:?}");
}

// --- standard input

/// Lines for names from one second ago to half a minute from now, in steps of a tenth; the run's clock is simulated.
fn lines(names: &[(&str, f64)], seconds: f64) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    let mut text = String::new();
    for tenth in -10..(seconds * 10.0) as i128 {
        for (name, value) in names {
            writeln!(text, "{name} {} {value}", now + tenth * 100_000_000).unwrap();
        }
    }
    text
}

#[test]
fn any_program_can_be_a_meter_by_standard_input() {
    let bench = Bench::new();
    let input = lines(&[("wall", 400.0), ("gpu_mw", 250_000.0)], 30.0);
    let outcome = bench.run("stdin:wall=wall-ac,gpu_mw=board@0", &[], &input);
    let case = &evaluate(outcome.record()).cases[0];
    let watts =
        |scope: Scope| case.energy.iter().find(|energy| energy.scope == scope).map(|energy| energy.power.point.get());
    assert!((watts(Scope::WallAc).unwrap() - 400.0).abs() < 1e-6, "{}", outcome.said);
    assert!((watts(Scope::Board).unwrap() - 250.0).abs() < 1e-6);
}

#[test]
fn a_program_that_ends_early_ends_its_source_and_not_the_run() {
    let outcome = Bench::new().run("stdin", &[], &lines(&[("wall", 400.0)], 1.0));
    let gone = outcome.warns(WarningCode::SensorGone);
    assert!(gone.contains("standard input ended after 20 lines"), "{gone}");
    assert!(evaluate(outcome.record()).cases[0].energy.is_empty());
}

#[test]
fn lines_that_are_left_out_are_told_with_the_first_of_them() {
    let input = format!("wall 1700000000 5\n{}late 1700000000000000000 5\n", lines(&[("wall", 400.0)], 30.0));
    let outcome = Bench::new().run("stdin:wall", &[], &input);
    let warning = outcome.warns(WarningCode::Other);
    assert!(warning.contains("1 unreadable (first: line 1: TIME_NS `1700000000` is too small"), "{warning}");
    assert!(warning.contains("of a name that came after the start (first: line 312: `late`)"), "{warning}");
}

#[test]
fn standard_input_without_readings_is_refused() {
    let bench = Bench::new();
    bench.run("stdin", &[], "").refused("standard input: it ended before the first reading");
    bench.run("stdin", &[], "power: 300 W\n").refused("TIME_NS `300` is too small");
    bench.run("stdin:wall=rack", &[], "").refused("scope `rack` is none of");
}
