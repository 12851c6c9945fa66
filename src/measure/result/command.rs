//! What a metered program's record says: time, energy and work, by the same rules as a case.
//!
//! Everything here is foreign work: nothing of its output was verified, and its amount is what was declared or printed.
//! What surprises people: every source is shown, whether or not its watts hold the device that was used; only some of
//! them *stand* for the program, and only those are compared.

use super::energy::{self, Load};
use super::{CaseResult, EnergyResult, Found, conditions, evaluate, throttle};
use crate::model::{
    Case, CommandMeasurement, CommandRun, CountedIn, Estimate, Evidence, RunRecord, Scope, SourceTrace, Warning,
    WarningCode, Window, Work,
};
use crate::power::{holds_device, integrate};
use crate::stats;
use crate::units::{Bytes, Flop, Joules, Ratio, Seconds, Watts};

/// Unit of a problem's executions, for programs that stand beside our own kernels.
pub const EXECUTION: &str = "execution";

/// What a metered program's record says.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandResult {
    /// Its place in [`RunRecord::commands`].
    pub index: usize,
    /// Name in tables and charts.
    pub label: String,
    /// Executions behind the figures.
    pub runs: u32,
    /// True if no execution ended the way it should: figures then only say what was drawn meanwhile.
    pub failed: bool,
    /// Length of one metered window.
    pub time: Option<Estimate<Seconds>>,
    /// Energy of one execution (or metered window) for every source and scope.
    pub energy: Vec<CommandEnergy>,
    /// Rates and energies of its work, by unit; empty where no amount is known or the program failed.
    pub work: Vec<WorkResult>,
    /// The case that it amounts to, with its rates; its `verified` is false.
    pub case: Option<CaseResult>,
    /// What weakens the figures.
    pub warnings: Vec<Warning>,
}

/// Energy of one execution, or of one unit of work, by one source within one scope.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandEnergy {
    /// The energy; its `per_execution` is of one execution, or of one unit of work.
    pub energy: EnergyResult,
    /// Energy above idle power, where idle power was metered. A point without an interval.
    pub net: Option<Joules>,
    /// True if these watts stand for the program; otherwise they are shown beside it.
    pub stands: bool,
}

impl CommandEnergy {
    /// Work per joule, gross.
    pub fn per_joule(&self) -> Estimate<Ratio> {
        let each = &self.energy.per_execution;
        energy::with_width(Ratio::new(1.0 / each.point.get()), each.relative_half_width(), each.n)
    }
}

/// Rate and energies of one kind of work.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkResult {
    /// Its unit in the singular, as in [`crate::model::ForeignWork`].
    pub unit: String,
    /// True if the program printed the amount; false if the user declared it.
    pub printed: bool,
    /// Amount over all windows behind the figures.
    pub total: f64,
    /// Units per second.
    pub rate: Estimate<Ratio>,
    /// Energy of one unit for every source and scope.
    pub energy: Vec<CommandEnergy>,
}

impl CommandResult {
    /// The energy that stands for the program: measured before declared before estimated, then the narrowest scope.
    pub fn headline_energy(&self) -> Option<&CommandEnergy> {
        headline(&self.energy)
    }
}

impl WorkResult {
    /// The energy that stands for the work; see [`CommandResult::headline_energy`].
    pub fn headline_energy(&self) -> Option<&CommandEnergy> {
        headline(&self.energy)
    }
}

fn headline(energies: &[CommandEnergy]) -> Option<&CommandEnergy> {
    let standing = energies.iter().filter(|energy| energy.stands);
    standing.min_by_key(|own| (own.energy.evidence, own.energy.scope.headline_rank()))
}

/// What a record says of its metered programs.
pub(super) fn results(record: &RunRecord) -> Vec<CommandResult> {
    let all = record.commands.iter().enumerate();
    all.map(|(index, command)| result(record, index, command)).collect()
}

fn result(record: &RunRecord, index: usize, command: &CommandMeasurement) -> CommandResult {
    let runs = command.counted();
    let failed = command.failed();
    let windows: Vec<&Window> = runs.iter().map(|run| &run.window).collect();
    let own = Owner { record, command };
    let whole = windows.iter().map(|window| (*window, 1.0)).collect();
    let energy = own.energies(whole, NO_WORK);
    let mut warnings = command.warnings.clone();
    if !windows.is_empty() {
        let shown: Vec<EnergyResult> = energy.iter().map(|own| own.energy.clone()).collect();
        warnings.extend(evaluate::energy_warnings(&shown));
        let standing: Vec<EnergyResult> =
            energy.iter().filter(|own| own.stands).map(|own| own.energy.clone()).collect();
        let steady = || Found::missing("a metered program is not preheated");
        let conditions = |device| conditions::within(record, device, &windows, &standing, steady());
        warnings.extend(command.device.and_then(|device| throttle::warning(&conditions(device))));
    }
    warnings.extend(endings(command));
    let work = if failed { Vec::new() } else { own.work(&runs, &mut warnings) };
    let case = if failed { None } else { own.case(&runs) };
    let (runs, time) = (u32::try_from(windows.len()).unwrap_or(u32::MAX), length(&windows));
    CommandResult { index, label: command.label.clone(), runs, failed, time, energy, work, case, warnings }
}

const NO_WORK: Work = Work { flop: Flop::new(0.0), bytes: Bytes::new(0.0) };

/// Mean length of windows.
fn length(windows: &[&Window]) -> Option<Estimate<Seconds>> {
    let lengths: Vec<f64> = windows.iter().map(|window| window.duration().get()).collect();
    let mean = stats::mean(&lengths).filter(|mean| *mean > 0.0)?;
    let width = stats::mean_half_width_95(&lengths).map(|half| half / mean);
    Some(energy::with_width(Seconds::new(mean), width, u32::try_from(lengths.len()).unwrap_or(u32::MAX)))
}

/// Says which executions ended otherwise than they should, and what becomes of them.
fn endings(command: &CommandMeasurement) -> Option<Warning> {
    let bad: Vec<&CommandRun> =
        command.runs.iter().filter(|run| !run.exit.succeeded(command.failure_allowed)).collect();
    let first = bad.first()?;
    let consequence = if command.failed() {
        "watts and joules are those of a program that failed, and no rate is given"
    } else {
        "they are left out of the figures"
    };
    let (bad, all) = (bad.len(), command.runs.len());
    let text = format!("{bad} of {all} executions failed (first: {}); {consequence}", first.exit);
    Some(Warning { code: WarningCode::Other, text })
}

/// A program with the record that it is in.
struct Owner<'a> {
    record: &'a RunRecord,
    command: &'a CommandMeasurement,
}

impl Owner<'_> {
    /// Sources of other devices are left out where the program's is known.
    fn concerns(&self, trace: &SourceTrace) -> bool {
        let (Some(device), Some(of)) = (self.command.device, trace.source.device) else { return true };
        device == of
    }

    /// True if watts of a source within a scope are the program's: they hold its device, or they are those of the whole
    /// machine, or nothing else was read within that scope.
    fn stands(&self, source: &str, scope: Scope) -> bool {
        let mut traces = self.record.traces.iter();
        let Some(trace) = traces.find(|trace| trace.source.id == source) else { return false };
        if let Some(device) = self.command.device.and_then(|ordinal| self.record.device(ordinal)) {
            return holds_device(scope, trace.source.device, device);
        }
        let measures = |trace: &&SourceTrace| {
            trace.source.channels.iter().any(|channel| channel.quantity.is_energetic() && channel.scope == scope)
        };
        match scope {
            Scope::HostDc | Scope::WallAc => true,
            Scope::Memory => false,
            _ => self.record.traces.iter().filter(measures).count() == 1,
        }
    }

    /// Mean power before the first execution; a declared power has no idle, and an estimate's is the model's.
    fn idle_power(&self, trace: &SourceTrace, scope: Scope) -> Option<Watts> {
        let window = self.command.idle.as_ref().filter(|_| trace.source.evidence == Evidence::Measured)?;
        let energies = integrate::window_energies(trace, window.start_ns, window.end_ns);
        energies.into_iter().find(|energy| energy.scope == scope)?.mean_power
    }

    fn energies(&self, parts: Vec<(&Window, f64)>, work: Work) -> Vec<CommandEnergy> {
        let time: f64 = parts.iter().map(|(window, _)| window.duration().get()).sum();
        let amount: f64 = parts.iter().map(|(_, amount)| amount).sum();
        let load = Load {
            parts,
            work,
            holds: &|trace, _| self.concerns(trace),
            idle: &|trace, scope| self.idle_power(trace, scope),
        };
        let found = energy::of_load(self.record, &load).into_iter().map(|energy| CommandEnergy {
            net: energy.idle.map(|idle| energy.per_execution.point - idle * Seconds::new(time / amount)),
            stands: self.stands(&energy.source, energy.scope),
            energy,
        });
        let mut found: Vec<CommandEnergy> = found.collect();
        // What stands for the program comes first.
        found.sort_by_key(|own| (!own.stands, own.energy.evidence, own.energy.scope.headline_rank()));
        found
    }

    /// Rates and energies of each unit of which an amount is known.
    fn work(&self, runs: &[&CommandRun], warnings: &mut Vec<Warning>) -> Vec<WorkResult> {
        let mut units: Vec<&str> = Vec::new();
        for work in runs.iter().flat_map(|run| &run.work) {
            if !units.contains(&work.unit.as_str()) {
                units.push(&work.unit);
            }
        }
        let mut results = Vec::new();
        for unit in &units {
            let parts = parts_of(runs, unit);
            if parts.iter().any(|(_, amount)| *amount <= 0.0) {
                let text = format!("an execution did 0 {unit}, so that there is no rate and no joule per {unit}");
                warnings.push(Warning { code: WarningCode::Other, text });
                continue;
            }
            let printed =
                runs.iter().flat_map(|run| &run.work).any(|work| work.unit == *unit && work.pattern.is_some());
            results.extend(self.work_of(unit, printed, parts));
            // Executions of a case are worth its operations, or its bytes, unless the user said how many those are.
            let case = self.command.equivalent.as_ref().filter(|_| *unit == EXECUTION);
            if let Some((unit, each)) = case.map(worth).filter(|(own, _)| !units.contains(own)) {
                let parts = parts_of(runs, EXECUTION).into_iter().map(|(window, amount)| (window, amount * each));
                results.extend(self.work_of(unit, printed, parts.collect()));
            }
        }
        results
    }

    fn work_of(&self, unit: &str, printed: bool, parts: Vec<(&Window, f64)>) -> Option<WorkResult> {
        let each = per_unit(&parts)?;
        let total = parts.iter().map(|(_, amount)| amount).sum();
        let rate = energy::with_width(Ratio::new(1.0 / each.point.get()), each.relative_half_width(), each.n);
        let energy = self.energies(parts, NO_WORK);
        Some(WorkResult { unit: unit.to_owned(), printed, total, rate, energy })
    }

    /// The case that the program amounts to, where it says how many executions it did.
    fn case(&self, runs: &[&CommandRun]) -> Option<CaseResult> {
        let case: &Case = self.command.equivalent.as_ref()?;
        let parts = parts_of(runs, EXECUTION);
        let each = per_unit(&parts)?;
        let total: f64 = parts.iter().map(|(_, amount)| amount).sum();
        let time: Seconds = parts.iter().map(|(window, _)| window.duration()).sum();
        let (flop, bytes) = (case.work.flop, case.work.bytes);
        let standing = self.energies(parts, case.work).into_iter().filter(|own| own.stands);
        Some(CaseResult {
            verified: false,
            total_flop: flop * total,
            total_bytes: bytes * total,
            total_time: time,
            flop_rate: (flop.get() > 0.0).then(|| evaluate::rate(each, flop.get())),
            byte_rate: Some(evaluate::rate(each, bytes.get())),
            per_execution: Some(each),
            energy: standing.map(|own| own.energy).collect(),
            of_ceiling: None,
            roof: None,
            warnings: Vec::new(),
            case: case.clone(),
        })
    }
}

/// What one execution of a case is worth: its unit of work, and how much.
fn worth(case: &Case) -> (&'static str, f64) {
    match case.counted_in() {
        CountedIn::Flop => ("flop", case.work.flop.get()),
        CountedIn::Op => ("op", case.work.flop.get()),
        CountedIn::Bytes => ("byte", case.work.bytes.get()),
    }
}

/// Windows in which an amount of a unit is known, with that amount.
fn parts_of<'a>(runs: &[&'a CommandRun], unit: &str) -> Vec<(&'a Window, f64)> {
    let amount = |run: &CommandRun| run.work.iter().find(|work| work.unit == unit).map(|work| work.amount);
    runs.iter().filter_map(|run| Some((&run.window, amount(run)?))).collect()
}

/// Time of one unit of work: all time over all work, with the scatter of the windows.
fn per_unit(parts: &[(&Window, f64)]) -> Option<Estimate<Seconds>> {
    let amount: f64 = parts.iter().map(|(_, amount)| amount).sum();
    let time: Seconds = parts.iter().map(|(window, _)| window.duration()).sum();
    if amount <= 0.0 || time.get() <= 0.0 {
        return None;
    }
    let each: Vec<f64> = parts.iter().map(|(window, amount)| window.duration().get() / amount).collect();
    let width = stats::mean_half_width_95(&each).zip(stats::mean(&each)).map(|(half, mean)| half / mean);
    Some(energy::with_width(time / amount, width, u32::try_from(parts.len()).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::super::evaluate;
    use super::super::testing::{case, empty, power, window};
    use super::*;
    use crate::model::{CommandExit, Counted, FOREIGN, ForeignWork, WindowKind};

    fn run(from: u64, until: u64, exit: CommandExit, tokens: f64) -> CommandRun {
        let work = vec![ForeignWork { unit: "token".to_owned(), amount: tokens, pattern: None }];
        CommandRun { warm_up: None, window: window(WindowKind::Measure, from, until, 1), exit, work }
    }

    fn command(device: Option<u32>, runs: Vec<CommandRun>) -> CommandMeasurement {
        CommandMeasurement {
            label: "x".to_owned(),
            command: vec!["x".to_owned()],
            device,
            device_assumed: false,
            equivalent: None,
            idle: Some(window(WindowKind::IdleCold, 1, 5, 0)),
            failure_allowed: false,
            runs,
            warnings: Vec::new(),
        }
    }

    fn said(traces: Vec<SourceTrace>, command: CommandMeasurement) -> CommandResult {
        let mut record = empty();
        (record.measurements, record.traces, record.commands) = (Vec::new(), traces, vec![command]);
        evaluate(&record).commands.remove(0)
    }

    const GOOD: CommandExit = CommandExit::Code { code: 0 };

    fn near(got: f64, want: f64) -> bool {
        (got / want - 1.0).abs() < 1e-9
    }

    #[test]
    fn joules_per_token_gross_and_above_idle_are_those_computed_by_hand() {
        let wall = power("wall", None, Scope::WallAc, |t| Some(if t < 8.0 { 50.0 } else { 200.0 }));
        let own = said(vec![wall], command(None, vec![run(10, 20, GOOD, 100.0), run(20, 30, GOOD, 300.0)]));
        // 2000 J each: 4000 J for 400 tokens; idle 50 W over 20 s takes 1000 J off.
        let work = &own.work[0];
        assert!(near(work.rate.point.get(), 20.0) && work.rate.n == 2);
        assert!(near(work.energy[0].energy.per_execution.point.get(), 10.0));
        assert!(near(work.energy[0].net.unwrap().get(), 7.5));
        assert!(near(work.energy[0].per_joule().point.get(), 0.1));
        assert!(near(own.energy[0].energy.per_execution.point.get(), 2000.0));
        assert!(near(own.energy[0].net.unwrap().get(), 1500.0));
    }

    #[test]
    fn watts_stand_for_the_program_that_is_known_to_draw_them() {
        let sources = || {
            let board = |id: &str, device| power(id, Some(device), Scope::Board, |_| Some(200.0));
            let wall = power("wall", None, Scope::WallAc, |_| Some(500.0));
            vec![board("a", 0), board("b", 1), wall, power("cpu", None, Scope::Package, |_| Some(80.0))]
        };
        let of = |device| -> Vec<(String, bool)> {
            let own = said(sources(), command(device, vec![run(10, 20, GOOD, 1.0)]));
            own.energy.iter().map(|own| (own.energy.source.clone(), own.stands)).collect()
        };
        let owned =
            |rows: &[(&str, bool)]| rows.iter().map(|(id, stands)| ((*id).to_owned(), *stands)).collect::<Vec<_>>();
        // The package says nothing of a discrete GPU, and the other board nothing of this one.
        assert_eq!(of(Some(0)), owned(&[("a", true), ("wall", true), ("cpu", false)]));
        // Nobody knows which board it was.
        assert_eq!(of(None), owned(&[("cpu", true), ("wall", true), ("a", false), ("b", false)]));
    }

    #[test]
    fn a_failed_execution_counts_only_where_there_is_no_other_and_then_without_a_rate() {
        let wall = || vec![power("wall", None, Scope::WallAc, |_| Some(100.0))];
        let bad = CommandExit::Code { code: 7 };
        let mixed = said(wall(), command(None, vec![run(10, 11, bad.clone(), 9.0), run(20, 30, GOOD, 10.0)]));
        assert!(near(mixed.work[0].rate.point.get(), 1.0) && mixed.runs == 1);
        assert!(mixed.warnings.iter().any(|warning| warning.text.contains("1 of 2 executions failed (first: code 7)")));
        let failed = said(wall(), command(None, vec![run(10, 20, bad, 10.0)]));
        assert!(failed.failed && failed.work.is_empty() && failed.case.is_none());
        assert!(near(failed.energy[0].energy.power.point.get(), 100.0));
    }

    #[test]
    fn no_work_is_no_rate_and_an_amount_in_some_executions_alone_counts_those() {
        let wall = || vec![power("wall", None, Scope::WallAc, |_| Some(100.0))];
        let zero = said(wall(), command(None, vec![run(10, 20, GOOD, 0.0)]));
        assert!(zero.work.is_empty() && zero.warnings.iter().any(|warning| warning.text.contains("did 0 token")));
        let mut without = run(20, 30, GOOD, 1.0);
        without.work.clear();
        let own = said(wall(), command(None, vec![run(10, 20, GOOD, 50.0), without]));
        assert_eq!((own.runs, own.work[0].rate.n), (2, 1));
        assert!(near(own.work[0].rate.point.get(), 5.0));
    }

    #[test]
    fn executions_of_a_case_have_its_operations_and_its_rates() {
        let wall = power("wall", None, Scope::WallAc, |_| Some(100.0));
        let mut own = command(None, vec![run(10, 20, GOOD, 1.0)]);
        own.runs[0].work[0].unit = EXECUTION.to_owned();
        own.runs[0].work[0].amount = 40.0;
        own.equivalent = Some(Case { variant: format!("{FOREIGN}x"), counted: Counted::Flop, ..case() });
        let own = said(vec![wall], own);
        let units: Vec<&str> = own.work.iter().map(|work| work.unit.as_str()).collect();
        assert_eq!(units, [EXECUTION, "flop"]);
        assert!(near(own.work[1].rate.point.get(), 4000.0), "1000 FLOP, 40 times in 10 s");
        let case = own.case.unwrap();
        assert!(!case.verified && near(case.flop_rate.unwrap().point.get(), 4000.0));
        assert!(near(case.energy[0].flop_efficiency.unwrap().point.get(), 40.0));
    }
}
