//! A program under the sampler: idle power before, its executions as windows, and the work that it says it did.
//!
//! The same sampler, energy rules and record as a run of our own kernels; `process` starts and stops programs,
//! `scan` reads amounts from their output. What surprises people: no device is opened and none is needed, and nothing
//! of the program's output is verified, so that all of this is foreign work.

mod process;
mod scan;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub use process::Sink;
pub use scan::{Gather, Pattern, Tally, amount};

use super::presets::{AVERAGES_PER_WINDOW, UPDATES_PER_WINDOW};
use super::sensors;
use crate::clock::{Clock, Nanoseconds, RunClock};
use crate::model::{
    Case, CommandExit, CommandMeasurement, CommandRun, ForeignWork, RunRecord, RunStatus, Warning, WarningCode, Window,
    WindowKind,
};
use crate::power::Sampler;
use crate::units::Seconds;
use process::{Launch, Running};

/// Sampling before the first and after the last window, so that a reading lies on either side of every edge; longer
/// after it for slow sensors, up to [`LONGEST_TAIL`].
const LEAD: Seconds = Seconds::new(0.2);
/// Longest sampling after the last window.
const LONGEST_TAIL: Seconds = Seconds::new(2.0);

/// An amount of work that the user declared, or the pattern that finds it.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkClaim {
    /// So much in each execution.
    Declared {
        /// Unit in the singular.
        unit: String,
        /// How many.
        amount: f64,
    },
    /// As much as the output says.
    Printed {
        /// Unit in the singular.
        unit: String,
        /// Where the output says it.
        pattern: Pattern,
    },
}

/// What is metered, and how.
#[derive(Debug, Clone)]
pub struct MeterPlan {
    /// Name in tables and charts.
    pub label: String,
    /// Program and arguments; empty to meter idle power.
    pub command: Vec<OsString>,
    /// The same as it goes into the record, without secrets.
    pub shown: Vec<String>,
    /// Device that it uses, where that is known.
    pub device: Option<u32>,
    /// True if nobody named the device.
    pub device_assumed: bool,
    /// Case that one execution amounts to.
    pub equivalent: Option<Case>,
    /// Work of each execution.
    pub work: Vec<WorkClaim>,
    /// Time before the first execution in which nothing runs.
    pub idle: Seconds,
    /// Executions.
    pub repeat: u32,
    /// Pause between two executions.
    pub pause: Seconds,
    /// Time that is metered; the program is then stopped. `None` to meter until it ends by itself.
    pub metered: Option<Seconds>,
    /// Time after the start that is left out; only together with `metered`.
    pub warm_up: Seconds,
    /// Time between asking the program to end and ending it by force.
    pub grace: Seconds,
    /// Whether a code other than 0 counts as success.
    pub failure_allowed: bool,
    /// Whether the program gets a process group of its own.
    pub own_group: bool,
    /// Whether it finds an empty input.
    pub no_input: bool,
}

/// What metering works with.
pub struct Setup<'a> {
    /// The run's clock.
    pub clock: &'a RunClock,
    /// The sampler, already running; `None` without power.
    pub sampler: Option<&'a Sampler>,
    /// How often the user asked to stop.
    pub presses: &'a AtomicU32,
    /// Where the program's standard output goes, if it must be read.
    pub out: &'a Sink,
    /// Where the program's standard error goes, if it must be read.
    pub err: &'a Sink,
    /// Is told what happens.
    pub tell: &'a mut dyn FnMut(&str),
    /// Writes the record after each execution; a failure does not end the metering.
    pub save: &'a mut dyn FnMut(&RunRecord),
}

/// A program that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start `{program}`: {why}; name a program that exists and may be executed, after --")]
pub struct StartError {
    /// The program.
    pub program: String,
    /// The system's words.
    pub why: String,
}

/// Meters into a record that already holds provenance, plan and devices, and sets its status.
pub fn measure(setup: &mut Setup<'_>, plan: &MeterPlan, record: &mut RunRecord) -> Result<(), StartError> {
    let mut command = CommandMeasurement {
        label: plan.label.clone(),
        command: plan.shown.clone(),
        device: plan.device,
        device_assumed: plan.device_assumed,
        equivalent: plan.equivalent.clone(),
        idle: None,
        failure_allowed: plan.failure_allowed,
        runs: Vec::new(),
        warnings: Vec::new(),
    };
    rest(setup, LEAD);
    if plan.command.is_empty() {
        idle_runs(setup, plan, &mut command, record);
    } else {
        if plan.idle.get() > 0.0 {
            (setup.tell)(&format!("metering idle power for {}", plan.idle));
            command.idle = Some(idle(setup, plan.idle));
        }
        executions(setup, plan, &mut command, record)?;
    }
    keep(setup, record, &command, false);
    let tail = tail(record);
    rest(setup, tail);
    command.warnings.extend(short_windows(record, &command));
    keep(setup, record, &command, true);
    // A program may well consist of several processes that all use the device.
    let of_sensors = sensors::warnings(record).into_iter().filter(|w| w.code != WarningCode::OtherProcesses);
    record.warnings.extend(of_sensors);
    record.status = if interrupted(setup) { RunStatus::Interrupted } else { RunStatus::Complete };
    Ok(())
}

fn interrupted(setup: &Setup<'_>) -> bool {
    setup.presses.load(Ordering::Relaxed) > 0
}

/// Puts what there is into the record and saves it, unless the caller does so.
fn keep(setup: &mut Setup<'_>, record: &mut RunRecord, command: &CommandMeasurement, last: bool) {
    record.traces = setup.sampler.map(Sampler::traces).unwrap_or_default();
    record.commands = vec![command.clone()];
    if !last {
        (setup.save)(record);
    }
}

/// Waits in short naps, so that Ctrl-C is heard; true if the whole time passed.
fn rest(setup: &Setup<'_>, time: Seconds) -> bool {
    let until = setup.clock.now().plus(time);
    while setup.clock.now() < until && !interrupted(setup) {
        let nap = setup.clock.now().plus(Seconds::new(0.05));
        setup.clock.sleep_until(nap.min(until));
    }
    !interrupted(setup)
}

fn window(kind: WindowKind, start_ns: Nanoseconds, end_ns: Nanoseconds, dispatches: u64) -> Window {
    Window { kind, start_ns, end_ns, dispatches, device_busy_ns: None }
}

fn idle(setup: &Setup<'_>, time: Seconds) -> Window {
    let start = setup.clock.now();
    rest(setup, time);
    window(WindowKind::IdleCold, start, setup.clock.now(), 0)
}

/// Idle power alone: each repetition is a window in which nothing runs.
fn idle_runs(setup: &mut Setup<'_>, plan: &MeterPlan, command: &mut CommandMeasurement, record: &mut RunRecord) {
    for number in 1..=plan.repeat {
        let length = plan.metered.unwrap_or(plan.idle);
        (setup.tell)(&format!("metering idle power for {length}{}", counted(number, plan.repeat)));
        let window = idle(setup, length);
        let exit = if interrupted(setup) { CommandExit::Interrupted } else { CommandExit::Idle };
        command.runs.push(CommandRun { warm_up: None, window, exit, work: Vec::new() });
        if interrupted(setup) {
            return;
        }
        keep(setup, record, command, false);
        if number < plan.repeat && !rest(setup, plan.pause) {
            return;
        }
    }
}

fn counted(number: u32, of: u32) -> String {
    if of > 1 { format!(" ({number} of {of})") } else { String::new() }
}

fn executions(
    setup: &mut Setup<'_>,
    plan: &MeterPlan,
    command: &mut CommandMeasurement,
    record: &mut RunRecord,
) -> Result<(), StartError> {
    let patterns: Vec<Pattern> = plan.work.iter().filter_map(pattern_of).cloned().collect();
    let patterns = Arc::new(patterns);
    for number in 1..=plan.repeat {
        if interrupted(setup) {
            break;
        }
        (setup.tell)(&format!("starting {}{}", plan.label, counted(number, plan.repeat)));
        let launch = Launch {
            command: &plan.command,
            own_group: plan.own_group,
            no_input: plan.no_input,
            patterns: Arc::clone(&patterns),
            out: setup.out,
            err: setup.err,
        };
        let mut running = launch.start(setup.clock).map_err(|error| StartError {
            program: plan.shown.first().cloned().unwrap_or_default(),
            why: error.to_string(),
        })?;
        let (mut run, found) = attend(setup, plan, &mut running, &mut command.warnings);
        run.work = work_of(plan, &found, number, &mut command.warnings);
        command.runs.push(run);
        keep(setup, record, command, false);
        if number < plan.repeat && !rest(setup, plan.pause) {
            break;
        }
    }
    Ok(())
}

fn pattern_of(claim: &WorkClaim) -> Option<&Pattern> {
    match claim {
        WorkClaim::Printed { pattern, .. } => Some(pattern),
        WorkClaim::Declared { .. } => None,
    }
}

/// Watches one execution to its end; returns it without its work, and what its output said within the window.
fn attend(
    setup: &Setup<'_>,
    plan: &MeterPlan,
    running: &mut Running,
    warnings: &mut Vec<Warning>,
) -> (CommandRun, Vec<Tally>) {
    let stop = || interrupted(setup);
    let mut from = running.started;
    let mut warm_up = None;
    let warms_up = plan.metered.is_some() && plan.warm_up.get() > 0.0;
    if warms_up && running.wait_until(Some(from.plus(plan.warm_up)), &stop) {
        running.forget();
        let warm = setup.clock.now();
        warm_up = Some(window(WindowKind::Preheat, from, warm, 0));
        from = warm;
    }
    let reached = running.wait_until(plan.metered.map(|time| from.plus(time)), &stop);
    let (end, exit, found) = if reached {
        // What it says while it is shut down is no work of the metered time.
        let (end, found) = (setup.clock.now(), running.found());
        running.stop(plan.grace, &|| setup.presses.load(Ordering::Relaxed) > 1);
        running.drain();
        (end, CommandExit::Stopped, found)
    } else {
        let (end, exit) = ending(setup, plan, running);
        running.drain();
        (end, exit, running.found())
    };
    if let (Some(time), CommandExit::Code { .. }) = (plan.metered, &exit) {
        let lasted = end.since(from);
        let what = if warms_up && warm_up.is_none() { ", within its warm-up," } else { "" };
        let text = format!("it ended by itself after {:.1} s{what} instead of running for {time}", lasted.get());
        warnings.push(other(&text));
    }
    let completed = u64::from(matches!(exit, CommandExit::Code { .. }));
    (CommandRun { warm_up, window: window(WindowKind::Measure, from, end, completed), exit, work: Vec::new() }, found)
}

/// The end of a program that ended by itself, or that the user wants to end.
fn ending(setup: &Setup<'_>, plan: &MeterPlan, running: &mut Running) -> (Nanoseconds, CommandExit) {
    // The terminal's Ctrl-C may end the program before it is heard of here.
    let was_signalled = matches!(running.ended, Some((_, CommandExit::Signal { .. })));
    if was_signalled {
        rest(setup, Seconds::new(0.1));
    }
    let presses = || setup.presses.load(Ordering::Relaxed);
    match (&running.ended, presses() > 0) {
        (Some((at, exit)), false) => (*at, exit.clone()),
        (Some((at, _)), true) => (*at, CommandExit::Interrupted),
        (None, _) => {
            let cut = setup.clock.now();
            // In the terminal's own group it has had the Ctrl-C already.
            if plan.own_group {
                running.interrupt();
                running.wait_until(Some(cut.plus(plan.grace)), &|| presses() > 1);
            } else {
                running.wait_until(None, &|| presses() > 1);
            }
            running.stop(plan.grace, &|| presses() > 2);
            (cut, CommandExit::Interrupted)
        }
    }
}

fn other(text: &str) -> Warning {
    Warning { code: WarningCode::Other, text: text.to_owned() }
}

/// The work of one execution; what a pattern did not find is a warning and no work.
fn work_of(plan: &MeterPlan, found: &[Tally], number: u32, warnings: &mut Vec<Warning>) -> Vec<ForeignWork> {
    let mut found = found.iter();
    let mut work = Vec::new();
    for claim in &plan.work {
        match claim {
            WorkClaim::Declared { unit, amount } => {
                work.push(ForeignWork { unit: unit.clone(), amount: *amount, pattern: None });
            }
            WorkClaim::Printed { unit, pattern } => {
                let tally = found.next().cloned().unwrap_or_default();
                if let Some(amount) = tally.amount {
                    work.push(ForeignWork { unit: unit.clone(), amount, pattern: Some(pattern.text.clone()) });
                    continue;
                }
                let why = tally.unreadable.unwrap_or_else(|| "its output has no such line".to_owned());
                let text = format!(
                    "/{}/ found no amount in execution {number} ({why}): it has no rate and no joule per {unit}",
                    pattern.text
                );
                warnings.push(other(&text));
            }
        }
    }
    work
}

/// Sampling after the last window: two updates of the slowest sensor.
fn tail(record: &RunRecord) -> Seconds {
    let channels = record.traces.iter().flat_map(|trace| &trace.source.channels);
    let slowest = channels.filter(|channel| channel.quantity.is_energetic()).filter_map(|c| c.update_period_s);
    let slowest = slowest.map(|period| 2.0 * period.get()).fold(LEAD.get(), f64::max);
    Seconds::new(slowest.min(LONGEST_TAIL.get()))
}

/// Says which sensors are too slow for the windows.
fn short_windows(record: &RunRecord, command: &CommandMeasurement) -> Option<Warning> {
    let shortest = command.counted().iter().map(|run| run.window.duration().get()).reduce(f64::min)?;
    let mut slow: Vec<(&str, f64)> = Vec::new();
    for trace in &record.traces {
        let needs = trace.source.channels.iter().filter(|channel| channel.quantity.is_energetic()).map(|channel| {
            let updates = channel.update_period_s.map_or(0.0, |s| s.get() * UPDATES_PER_WINDOW);
            updates.max(channel.averaging_window_s.map_or(0.0, |s| s.get() * AVERAGES_PER_WINDOW))
        });
        // A declared power has no updates, and nothing to miss.
        let need = needs.fold(0.0, f64::max);
        if need > shortest {
            slow.push((&trace.source.id, need));
        }
    }
    let longest = slow.iter().map(|(_, need)| *need).fold(0.0, f64::max);
    let names: Vec<&str> = slow.iter().map(|(id, _)| *id).collect();
    (!slow.is_empty()).then(|| Warning {
        code: WarningCode::WindowTooShort,
        text: format!(
            "a window of {shortest:.3} s holds fewer than 20 updates or 10 averaging windows of {} ({longest:.1} s \
             needed): watts and joules are indicative; meter more work, or a longer time with --for",
            names.join(", ")
        ),
    })
}
