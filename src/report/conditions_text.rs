//! The conditions of every case as text for a terminal: one table per device, and below it what does not fit a column.
//!
//! What surprises people: the shares of one row overlap and add up to nothing; the power cap is benign and stands apart.

use super::ceilings_text::Columns;
use super::number::{MISSING, compact_case, percent, significant};
use super::table::{labelled, wrapped};
use crate::measure::result::{Cause, Conditions, CounterShare, Found, Spread, Throttling, conditions};
use crate::model::{Case, Device, Measurement, RunRecord};

/// Hertz of a gigahertz.
const GIGA: f64 = 1e9;
/// Widest shape under a kernel's name; longer ones take several lines.
const SHAPE: usize = 26;

/// One row: a measured case and its conditions.
type Row<'a> = (&'a Measurement, &'a Conditions);

/// The conditions of every case, as wide as `width` columns.
pub fn conditions_text(record: &RunRecord, width: usize) -> String {
    let all = conditions(record);
    let mut text = labelled("run", &format!("{}, preset {}", record.run_id, record.plan.preset), width);
    if record.simulated {
        text.push_str(&labelled("simulated", "times and power are scripted; no hardware was measured", width));
    }
    if record.measurements.is_empty() {
        text.push_str("\nno case was measured, so there are no conditions to show\n");
    }
    for device in &record.devices {
        let of = |(measurement, _): &Row| measurement.case.device == device.ordinal;
        let rows: Vec<Row> = record.measurements.iter().zip(&all).filter(of).collect();
        if !rows.is_empty() {
            text.push_str(&of_device(device, &rows, width));
        }
    }
    text
}

fn of_device(device: &Device, rows: &[Row], width: usize) -> String {
    let mut text = format!("\n{}\n", device.name);
    text.push_str(&labelled(
        "device",
        &format!("{}, {}, backend {}", device.ordinal, device.kind, device.backend),
        width,
    ));
    let throttling = rows.iter().find_map(|(_, conditions)| conditions.throttle.value());
    if let Some(found) = throttling {
        let said = format!("reasons polled by {}, weighted by time, in percent of the measured time", found.source);
        text.push_str(&labelled("throttled", &said, width));
    }
    text.push('\n');
    text.push_str(&table(rows, width));
    text.push('\n');
    for (label, said) in legend(rows) {
        text.push_str(&labelled(&label, &said, width));
    }
    text.push_str(&reasons(rows, width));
    text
}

fn table(rows: &[Row], width: usize) -> String {
    let mut table = Columns { left: 1, lines: Vec::new() };
    let head = ["kernel", "cap", "heat", "brake", "GHz", "low–high", "CV", "°C", "of limit", "steady"];
    table.cells(head.map(str::to_owned).to_vec());
    for (measurement, conditions) in rows {
        let mut cells = vec![measurement.case.variant.clone()];
        cells.extend([Cause::PowerCap, Cause::Thermal].map(|cause| share(conditions, cause)));
        cells.push(brake(conditions));
        cells.extend(clock(&conditions.core_clock_hz));
        cells.push(
            conditions
                .temperature_c
                .value()
                .map_or(MISSING.to_owned(), |course| format!("{:.0}→{:.0}", course.start, course.end)),
        );
        cells.push(attainment(conditions));
        cells.push(match conditions.steady.value() {
            Some(settling) if settling.reached => format!("{:.0} s", settling.after_s.get()),
            Some(_) => "no".to_owned(),
            None => MISSING.to_owned(),
        });
        table.cells(cells);
        for line in wrapped(&compact_case(&measurement.case), SHAPE) {
            table.cells(vec![format!("  {line}")]);
        }
    }
    table.text(width)
}

fn share(conditions: &Conditions, cause: Cause) -> String {
    let found = conditions.throttle.value().and_then(|found| found.share(cause));
    found.map_or(MISSING.to_owned(), |share| percent(share.get()))
}

/// Hardware's own brakes and the clocks of a group together: the larger, because they may overlap.
fn brake(conditions: &Conditions) -> String {
    let of = |found: &Throttling| {
        let shares = [Cause::Hardware, Cause::Group].into_iter().filter_map(|cause| found.share(cause));
        shares.map(|share| share.get()).reduce(f64::max)
    };
    conditions.throttle.value().and_then(of).map_or(MISSING.to_owned(), percent)
}

fn clock(found: &Found<Spread>) -> [String; 3] {
    let Some(clock) = found.value() else { return [MISSING, MISSING, MISSING].map(str::to_owned) };
    let giga = |hertz: f64| format!("{:.2}", hertz / GIGA);
    let cv = clock.coefficient_of_variation.map_or(MISSING.to_owned(), |cv| percent(cv.get()));
    [giga(clock.mean), format!("{}–{}", giga(clock.lowest), giga(clock.highest)), cv]
}

fn attainment(conditions: &Conditions) -> String {
    let attained = conditions.power_limit.value().and_then(|limit| limit.attainment.value());
    attained.map_or(MISSING.to_owned(), |ratio| percent(ratio.get()))
}

/// What does not fit a column: hottest reading, limits, memory clocks, counters, other processes, and what is missing.
fn legend(rows: &[Row]) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut say = |label: &str, text: String| lines.push((label.to_owned(), text));
    let hottest = rows.iter().filter_map(|(_, c)| c.temperature_c.value()).map(|course| course.highest);
    if let Some(hottest) = hottest.reduce(f64::max) {
        say("hottest", format!("{hottest:.0} °C within the measured windows"));
    }
    let mut limits: Vec<String> = Vec::new();
    for limit in rows.iter().filter_map(|(_, c)| c.power_limit.value()) {
        let lowered = if limit.is_lowered() { ": LOWERED" } else { "" };
        let words = format!("{}{lowered}", limit.in_words());
        if !limits.contains(&words) {
            limits.push(words);
        }
    }
    if !limits.is_empty() {
        say("limit", format!("mean power over the enforced limit; {}", limits.join("; ")));
    }
    let memory: Vec<f64> = rows.iter().filter_map(|(_, c)| c.memory_clock_hz.value()).map(|c| c.mean / GIGA).collect();
    if let Some(words) = range(&memory, |value| format!("{value:.2}")) {
        say("memory", format!("clock {words} GHz, mean of each case"));
    }
    let counted = |of: fn(&Conditions) -> &Found<CounterShare>| -> Vec<f64> {
        rows.iter().filter_map(|(_, c)| of(c).value()).map(|counter| counter.share.get()).collect()
    };
    let (power, heat) = (counted(|c| &c.power_counter), counted(|c| &c.thermal_counter));
    let parts: Vec<String> = [("power limit", power), ("heat", heat)]
        .into_iter()
        .filter_map(|(name, shares)| Some(format!("{name} {}", range(&shares, percent)?)))
        .collect();
    if !parts.is_empty() {
        say("counters", format!("the driver's own counters say, of each case's measured time: {}", parts.join(", ")));
    }
    let others = rows.iter().filter_map(|(_, c)| c.processes.value()).map(|processes| processes.others).max();
    if let Some(others) = others {
        let words = match others {
            0 => "no other process".to_owned(),
            1 => "ONE OTHER PROCESS".to_owned(),
            others => format!("up to {others} OTHER PROCESSES"),
        };
        say("processes", format!("{words} used the device during the windows"));
    }
    for (measurement, conditions) in rows {
        if let Some(settling) = conditions.steady.value().filter(|settling| !settling.reached) {
            let name = name(&measurement.case);
            say("unsteady", format!("{name}: after {:.0} s, {}", settling.after_s.get(), settling.detail));
        }
    }
    say(
        "columns",
        "cap: held by the power limit, benign; heat: by temperature; brake: by the board's own protection or its group's \
         slowest; GHz: mean core clock; CV: its relative scatter; °C: first and last reading; steady: preheat until the \
         steadiness rule was met"
            .to_owned(),
    );
    lines.extend(missing(rows).into_iter().map(|text| ("missing".to_owned(), text)));
    lines
}

/// One value, or the least and the most of several.
fn range(values: &[f64], text: impl Fn(f64) -> String) -> Option<String> {
    let low = text(values.iter().copied().reduce(f64::min)?);
    let high = text(values.iter().copied().reduce(f64::max)?);
    Some(if low == high { low } else { format!("{low} to {high}") })
}

/// Each reason why a figure is missing, once, with what it concerns.
fn missing(rows: &[Row]) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for (_, c) in rows {
        let limit = c.power_limit.value().and_then(|limit| limit.attainment.reason());
        let all = [
            ("throttle reasons", c.throttle.reason()),
            ("time held by the power limit", c.power_counter.reason()),
            ("time held by heat", c.thermal_counter.reason()),
            ("core clock", c.core_clock_hz.reason()),
            ("memory clock", c.memory_clock_hz.reason()),
            ("temperature", c.temperature_c.reason()),
            ("power limit", c.power_limit.reason().or(limit)),
            ("processes", c.processes.reason()),
            ("time to steady", c.steady.reason()),
        ];
        for (what, why) in all.into_iter().filter_map(|(what, why)| Some((what, why?))) {
            let line = format!("{what}: {why}");
            if !said.contains(&line) {
                said.push(line);
            }
        }
    }
    said
}

fn name(case: &Case) -> String {
    format!("{} {}", case.variant, compact_case(case))
}

/// Every reason that held at all, case by case and window by window.
fn reasons(rows: &[Row], width: usize) -> String {
    let held = rows.iter().filter_map(|(m, c)| Some((m, c.throttle.value()?))).filter(|(_, t)| !t.reasons.is_empty());
    let mut text = String::new();
    for (measurement, throttling) in held {
        if text.is_empty() {
            text.push_str("\nreasons that held clocks down, and their share of each window\n");
        }
        let seen = throttling.coverage.get();
        let partly = if seen < 0.95 { format!(" (known for {} of the time)", percent(seen)) } else { String::new() };
        text.push_str(&format!("  {}{partly}\n", name(&measurement.case)));
        for reason in &throttling.reasons {
            let windows: Vec<String> = reason
                .per_window
                .iter()
                .map(|share| share.map_or(MISSING.to_owned(), |share| percent(share.get())))
                .collect();
            let lead = format!("    {:<18} {:>5}   ", reason.reason, percent(reason.share.get()));
            let indent = lead.chars().count();
            let lines = wrapped(&windows.join(" "), width.saturating_sub(indent).max(20));
            text.push_str(&format!("{lead}{}\n", lines.join(&format!("\n{}", " ".repeat(indent)))));
        }
    }
    text
}

/// Watts with three figures.
pub(super) fn watts(value: f64) -> String {
    format!("{} W", significant(value))
}
