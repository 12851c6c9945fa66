//! `wattmark qualify` on simulated devices with one fault each, held against the profile of a sound one: which checks fail or warn,
//! the grade, and the exit code. The sound device is the first row: without it the others would prove little.
//!
//! Heat and counters of errors are faults of the sensor's script, the others of the device's. What surprises people: nearly
//! each fault shows in several checks, and the table holds all of them, so that a check that falls silent is noticed.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "qualify_support/mod.rs"]
mod qualify_support;

use std::collections::BTreeSet;

use qualify_support::{Bench, GOOD, code, text};
use wattmark::model::Grade;

/// A fault, and what is to be said of it.
struct Row {
    what: &'static str,
    /// Lines of the device's table.
    device: &'static str,
    /// Lines of the sensor's table.
    sensor: &'static str,
    exit: i32,
    grade: Grade,
    fails: &'static [&'static str],
    warns: &'static [&'static str],
}

const SOUND: Row = Row { what: "sound", device: "", sensor: "", exit: 0, grade: Grade::Pass, fails: &[], warns: &[] };

fn of_the_device() -> Vec<Row> {
    let device =
        |what, device, exit, fails, warns| Row { what, device, exit, grade: Grade::Fail, fails, warns, ..SOUND };
    vec![
        SOUND,
        // Two thirds of rate and of work per joule. A 1st percentile of under 100 windows only warns.
        device("slow", "kind = 'slow'\nvariant = '*'\nfactor = 1.5", 6, &["Q10", "Q12"], &["Q11", "Q13"]),
        // The mean of two rates has a wide interval, so that in some phases it only warns.
        device(
            "slow in its second half",
            "kind = 'slow'\nvariant = '*'\nfactor = 2\nafter_s = 40",
            6,
            &["Q10", "Q14"],
            &["Q10", "Q11", "Q12", "Q13"],
        ),
        // One run in seven, for only the last run of a window is read. Equal inputs give unequal outputs; integers have a known digest besides.
        device(
            "an integer bit now and then",
            "kind = 'bit-flip'\nvariant = 'fma/*'\nafter_runs = 20\nevery = 7",
            4,
            &["Q02", "Q03", "Q05"],
            &[],
        ),
        device(
            "a bit of a float now and then",
            "kind = 'bit-flip'\nvariant = 'gemm/*'\nafter_runs = 20\nevery = 7",
            4,
            &["Q03", "Q05"],
            &[],
        ),
        // Always the same: only a reference and other devices tell.
        device("always one bit wrong", "kind = 'bit-flip'\nvariant = 'gemm/*'", 4, &["Q04", "Q05"], &[]),
        device("wrong output", "kind = 'wrong-output'\nvariant = 'memory-triad/*'", 4, &["Q04", "Q05"], &[]),
        device("unwritten output", "kind = 'unwritten-output'\nvariant = 'gemm/*'", 4, &["Q04", "Q05"], &[]),
        device("lost once", "kind = 'lost'\nvariant = 'gemm/*'\nafter_submissions = 30", 6, &["Q01"], &[]),
        device("dies", "kind = 'dies'\nafter_s = 40", 6, &["Q01"], &[]),
        // The profile has figures of the phase, so its absence is no pass.
        Row {
            grade: Grade::Inconclusive,
            ..device("no room for a phase", "kind = 'out-of-memory'\nvariant = 'memory-triad/*'", 5, &[], &["Q40"])
        },
    ]
}

fn of_the_sensor() -> Vec<Row> {
    let sensor = |what, sensor, fails: &'static [&'static str], warns| {
        let (exit, grade) = if fails.is_empty() { (0, Grade::Warn) } else { (6, Grade::Fail) };
        Row { what, sensor, exit, grade, fails, warns, ..SOUND }
    };
    vec![
        // From 64 °C and 0.05 K/W to 81 °C and 0.08 K/W: 17 K more (Q25) and 60 % more (Q24), by a profile of one device,
        // whose limits are twice as wide.
        sensor("hot", "kelvin_per_watt = 0.08", &["Q24"], &["Q25"]),
        sensor("throttles by heat", "throttle = [{ cause = 'thermal', from_s = 30 }]", &["Q20"], &[]),
        sensor("slowed by the board", "throttle = [{ cause = 'hardware', from_s = 30 }]", &["Q21"], &[]),
        sensor("at its power cap", "throttle = [{ cause = 'power-cap', from_s = 30 }]", &[], &["Q22"]),
        sensor("uncorrected memory error", "ecc_uncorrected_at_s = [40]", &["Q30"], &[]),
        sensor("corrected memory errors", "ecc_corrected_per_s = 0.1", &[], &["Q31"]),
        // In a minute 30 replays, beyond 10, or 300, beyond 160.
        sensor("a few PCIe replays", "pcie_replays_per_s = 0.5", &[], &["Q32"]),
        sensor("many PCIe replays", "pcie_replays_per_s = 5", &["Q32"], &[]),
        sensor("driver error", "driver_error_at_s = [40]", &["Q33"], &[]),
    ]
}

/// The sound device's script with a fault. Counters stand still where the fault does not move them.
fn script(row: &Row) -> String {
    let mut text = GOOD.to_owned();
    for (key, still) in [
        ("kelvin_per_watt", "0.05"),
        ("ecc_uncorrected_at_s", "[]"),
        ("ecc_corrected_per_s", "0"),
        ("pcie_replays_per_s", "0"),
        ("driver_error_at_s", "[]"),
        ("throttle", "[]"),
    ] {
        text = text.replace(&format!("{key} = {still}\n"), "");
        if !row.sensor.starts_with(&format!("{key} = ")) {
            text = text.replacen("[[power.busy]]", &format!("{key} = {still}\n[[power.busy]]"), 1);
        }
    }
    text = text.replacen("[[power.busy]]", &format!("{}\n[[power.busy]]", row.sensor), 1);
    if row.device.is_empty() {
        return text;
    }
    text.replacen("[[power]]", &format!("[[device.faults]]\n{}\n\n[[power]]", row.device), 1)
}

/// Qualifies each and says where the verdict is another.
fn hold_against_the_table(rows: &[Row]) {
    let bench = Bench::new(&script(&SOUND));
    for _ in 0..3 {
        bench.qualify(&["--duration", "60s", "--results", "good"]);
    }
    assert_eq!(code(&bench.run(&["qualify", "--learn", "p.toml", "--from", "good"])), 0);
    let mut surprises = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        bench.script(&script(row));
        let results = format!("results-{number}");
        let output = bench.qualify(&["--duration", "60s", "--profile", "p.toml", "--json", "--results", &results]);
        let said: wattmark::model::Qualification = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", row.what, text(&output.stderr)));
        let of = |grade: Grade| -> BTreeSet<&str> {
            let checks = said.devices[0].checks.iter().filter(|check| check.grade == grade);
            checks.map(|check| check.code.as_str()).collect()
        };
        let found = (code(&output), said.grade, of(Grade::Fail), of(Grade::Warn));
        let expected = (row.exit, row.grade, row.fails.iter().copied().collect(), row.warns.iter().copied().collect());
        if found != expected {
            surprises.push(format!(
                "{}: {found:?}, and not {expected:?}, inconclusive {:?}",
                row.what,
                of(Grade::Inconclusive)
            ));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[test]
fn each_fault_of_a_device_is_told_by_its_checks_its_grade_and_its_exit_code() {
    hold_against_the_table(&of_the_device());
}

#[test]
fn heat_throttling_and_counted_errors_are_told_by_their_checks_their_grade_and_their_exit_code() {
    hold_against_the_table(&of_the_sensor());
}
