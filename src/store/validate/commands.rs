//! Metered programs under the strict look: executions in order of time, amounts of work, and what a program amounts to.
//!
//! What surprises people: a window that ended by the clock holds no completed execution, and that is right.

use super::{Findings, check_windows};
use crate::clock::Nanoseconds;
use crate::model::{CommandExit, CommandMeasurement, CommandRun, RunRecord, RunStatus, Window, WindowKind};

/// Everything wrong with the metered programs of a record that ends at `end`.
pub(super) fn check(record: &RunRecord, end: Option<Nanoseconds>, found: &mut Findings) {
    for (index, command) in record.commands.iter().enumerate() {
        let field = format!("commands[{index}]");
        found.require(!command.label.trim().is_empty(), &format!("{field}.label"), || "is empty".to_owned());
        if let Some(device) = command.device {
            found.require(record.device(device).is_some(), &format!("{field}.device"), || {
                format!("the record has no device {device}")
            });
        }
        check_times(&field, command, end, found);
        for (at, run) in command.runs.iter().enumerate() {
            check_run(&format!("{field}.runs[{at}]"), command, run, found);
        }
        found.require(
            record.status != RunStatus::Complete || !command.runs.is_empty(),
            &format!("{field}.runs"),
            || "is empty although the status is `complete`".to_owned(),
        );
        if let Some(case) = &command.equivalent {
            if let Err(error) = case.shape.check() {
                found.add(format!("{field}.equivalent.shape"), error.to_string());
            }
            found.require(case.is_foreign(), &format!("{field}.equivalent.variant"), || {
                format!("`{}` reads as a kernel of ours, which a metered program is not", case.variant)
            });
        }
    }
}

fn check_times(field: &str, command: &CommandMeasurement, end: Option<Nanoseconds>, found: &mut Findings) {
    let runs = command.runs.iter().flat_map(|run| run.warm_up.iter().chain([&run.window]));
    // How many executions completed is no matter of order, and an execution that was stopped completed none.
    let timed =
        |window: &Window| Window { dispatches: u64::from(window.kind == WindowKind::Measure), ..window.clone() };
    let windows: Vec<Window> = command.idle.iter().chain(runs).map(timed).collect();
    check_windows(&format!("{field} windows"), &windows, end, found);
}

fn check_run(field: &str, command: &CommandMeasurement, run: &CommandRun, found: &mut Findings) {
    let idle = run.window.kind == WindowKind::IdleCold;
    found.require(idle == command.is_idle(), &format!("{field}.window.kind"), || {
        let kind = if command.is_idle() { "idle-cold, for no program ran" } else { "measure" };
        format!("should be {kind}")
    });
    found.require(run.exit != CommandExit::Idle || command.is_idle(), &format!("{field}.exit"), || {
        "is `idle` although a program ran".to_owned()
    });
    for (index, work) in run.work.iter().enumerate() {
        let field = format!("{field}.work[{index}]");
        found.require(!work.unit.is_empty(), &format!("{field}.unit"), || "is empty".to_owned());
        found.require(work.amount.is_finite() && work.amount >= 0.0, &format!("{field}.amount"), || {
            format!("{} is no usable amount", work.amount)
        });
        let twins = run.work.iter().filter(|other| other.unit == work.unit).count();
        found.require(twins == 1, &format!("{field}.unit"), || format!("{} is given {twins} times", work.unit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ForeignWork;

    /// Findings of the golden record with one metered program, changed by `change`.
    fn found(change: impl FnOnce(&mut CommandMeasurement)) -> Vec<String> {
        let golden = include_str!("../../../tests/fixtures/records/v1.0.json");
        let mut record: RunRecord = serde_json::from_str(golden).unwrap();
        let window = |kind, from: u64, until: u64| Window {
            kind,
            start_ns: Nanoseconds(from),
            end_ns: Nanoseconds(until),
            dispatches: 0,
            device_busy_ns: None,
        };
        let work = vec![ForeignWork { unit: "token".to_owned(), amount: 5.0, pattern: None }];
        let run = CommandRun {
            warm_up: Some(window(WindowKind::Preheat, 20, 30)),
            window: window(WindowKind::Measure, 30, 40),
            exit: CommandExit::Stopped,
            work,
        };
        let mut command = CommandMeasurement {
            label: "x".to_owned(),
            command: vec!["x".to_owned()],
            device: None,
            device_assumed: false,
            equivalent: None,
            idle: Some(window(WindowKind::IdleCold, 0, 10)),
            failure_allowed: false,
            runs: vec![run],
            warnings: Vec::new(),
        };
        change(&mut command);
        record.commands = vec![command];
        let mut found = Findings::default();
        check(&record, None, &mut found);
        found.0.iter().map(ToString::to_string).collect()
    }

    type Fault = fn(&mut CommandMeasurement);

    #[test]
    fn a_sound_program_is_accepted_and_each_fault_is_named_with_its_field() {
        assert_eq!(found(|_| {}), [""; 0]);
        let faults: [(Fault, &str); 7] = [
            (|own| own.label = " ".to_owned(), "commands[0].label: is empty"),
            (|own| own.device = Some(99), "commands[0].device: the record has no device 99"),
            (|own| own.runs[0].window.start_ns = Nanoseconds(25), "begins before the one before it ends"),
            (|own| own.runs[0].window.end_ns = Nanoseconds(30), "ends no later than it starts"),
            (|own| own.runs[0].work[0].amount = f64::NAN, "runs[0].work[0].amount: NaN is no usable amount"),
            (|own| own.runs[0].exit = CommandExit::Idle, "is `idle` although a program ran"),
            (|own| own.command.clear(), "should be idle-cold"),
        ];
        for (fault, said) in faults {
            let found = found(fault);
            assert!(found.iter().any(|finding| finding.contains(said)), "{said}: {found:?}");
        }
    }
}
