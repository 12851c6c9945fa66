//! What an account is made of: an amount of work with its joules, its time and its watts, whatever measured it.
//!
//! A case, a job, a metered program and a fleet all become a [`Subject`], so that every account of this room takes any of
//! them. What surprises people: the joules are those of the device within the subject's scope, before PUE.

use serde::Serialize;

use super::carbon::{honest, usable_energy};
use super::job::job_energy;
use super::{AccountError, Job};
use crate::measure::result::{CaseResult, CommandResult, RunResult};
use crate::model::{Case, Counted, Estimate, EstimateMethod, Evidence, Interval, RunRecord, Scope};
use crate::names;
use crate::units::{Flop, FlopPerSecond, Joules, Ratio, Seconds, Watts};

/// Which work of a record is accounted.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// An amount of work, by the best case that does it, on every device.
    Job(Job),
    /// One execution of every case whose variant fits this pattern (`gemm/*`).
    Case(String),
    /// One execution of the metered program with this label.
    Command(String),
}

/// An amount of work in its own unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Amount {
    /// How much.
    pub amount: f64,
    /// `FLOP`, `OP` for integer arithmetic, `B`, `tokens`, or the unit of a metered program's work.
    pub unit: String,
}

/// An amount of work with its energy and time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Subject {
    /// The work in words: `1 EFLOP of f32 gemm`.
    pub label: String,
    /// Runs that it rests on.
    pub run_ids: Vec<String>,
    /// True if the times and watts were scripted.
    pub simulated: bool,
    /// False for metered programs, whose output was not verified.
    pub verified: bool,
    /// Name of the device; `2 × NAME, NAME` for a fleet.
    pub device: String,
    /// How many devices share the work.
    pub devices: u32,
    /// Power source, and what measured the work.
    pub source: String,
    /// The case behind it, in words; empty for a metered program.
    pub case: String,
    /// What the energy includes.
    pub scope: Scope,
    /// Measured, declared or estimated.
    pub evidence: Evidence,
    /// The work; `None` for a metered program whose work is unknown.
    pub work: Option<Amount>,
    /// Time that the work takes; `None` if it was not measured.
    #[serde(rename = "time_s")]
    pub time: Option<Estimate<Seconds>>,
    /// Energy at the device or devices, gross.
    #[serde(rename = "energy_j")]
    pub energy: Estimate<Joules>,
}

impl Subject {
    /// Mean power while the work is done, of all devices together; `None` without a time.
    pub fn power(&self) -> Option<Watts> {
        let time = self.time.as_ref()?.point;
        (time.get() > 0.0).then(|| self.energy.point / time)
    }
    /// The work in FLOP; `None` if it counts something else.
    pub fn flop(&self) -> Option<Flop> {
        let work = self.work.as_ref().filter(|work| work.unit == "FLOP")?;
        Some(Flop::new(work.amount))
    }
    /// Measured rate in FLOP/s of all devices together.
    pub fn flop_rate(&self) -> Option<FlopPerSecond> {
        let time = self.time.as_ref()?.point;
        Some(self.flop().filter(|_| time.get() > 0.0)? / time)
    }
    /// The work in tokens; `None` if it counts something else.
    pub fn tokens(&self) -> Option<f64> {
        self.work.as_ref().filter(|work| matches!(work.unit.as_str(), "token" | "tokens")).map(|work| work.amount)
    }
}

/// The subjects of a record that a choice means, in the record's order.
///
/// # Errors
/// Nothing fits, or what fits has no energy; the message says what the record has.
pub fn subjects(record: &RunRecord, result: &RunResult, choice: &Choice) -> Result<Vec<Subject>, AccountError> {
    match choice {
        Choice::Job(job) => of_job(record, result, job),
        Choice::Case(pattern) => of_cases(record, result, pattern),
        Choice::Command(label) => of_commands(record, result, label),
    }
}

/// What is accounted when nothing was chosen: the metered programs of a record without cases, else one EFLOP of f32 GEMM.
pub fn default_choice(record: &RunRecord) -> Choice {
    if record.measurements.is_empty() && !record.commands.is_empty() {
        Choice::Command("*".to_owned())
    } else {
        Choice::Job(Job::default())
    }
}

fn device_name(record: &RunRecord, ordinal: u32) -> String {
    record.device(ordinal).map_or_else(|| format!("device {ordinal}"), |device| device.name.clone())
}

fn counted(case: &Case, amount: f64) -> Amount {
    Amount { amount, unit: case.counted_in().symbol().to_owned() }
}

fn of_job(record: &RunRecord, result: &RunResult, job: &Job) -> Result<Vec<Subject>, AccountError> {
    let rows = job_energy(result, job)?;
    let subject = |row: super::job::JobEnergy| Subject {
        label: job.title(),
        run_ids: vec![record.run_id.clone()],
        simulated: record.simulated,
        verified: true,
        device: device_name(record, row.case.device),
        devices: 1,
        case: row.case.label(),
        work: Some(counted(&row.case, job.amount)),
        source: row.source,
        scope: row.scope,
        evidence: row.evidence,
        time: row.time,
        energy: row.energy,
    };
    Ok(rows.into_iter().map(subject).collect())
}

fn of_cases(record: &RunRecord, result: &RunResult, pattern: &str) -> Result<Vec<Subject>, AccountError> {
    let impossible = |reason: String| AccountError::Impossible { what: format!("case `{pattern}`"), reason };
    let fits = |case: &&CaseResult| names::matches(pattern, &case.case.variant) || case.case.label() == pattern;
    let found: Vec<&CaseResult> = result.cases.iter().filter(fits).collect();
    if found.is_empty() {
        let variants: Vec<&str> = result.cases.iter().map(|case| case.case.variant.as_str()).collect();
        let hint = names::hint(pattern, variants.iter().copied());
        let have = if variants.is_empty() { "no measured case at all".to_owned() } else { variants.join(", ") };
        return Err(impossible(format!("the record has no such case{hint}; it has {have}")));
    }
    let usable: Vec<Subject> = found.iter().filter_map(|case| of_case(record, case).ok()).collect();
    if usable.is_empty() {
        let reason = of_case(record, found[0]).err().unwrap_or("it has no energy");
        return Err(impossible(format!("{}: {reason}", found[0].case.label())));
    }
    Ok(usable)
}

fn of_case(record: &RunRecord, case: &CaseResult) -> Result<Subject, &'static str> {
    let energy = usable_energy(case)?;
    let amount = match case.case.counted {
        Counted::Flop => case.case.work.flop.get(),
        Counted::Bytes => case.case.work.bytes.get(),
    };
    Ok(Subject {
        label: format!("one execution of {}", case.case.label()),
        run_ids: vec![record.run_id.clone()],
        simulated: record.simulated,
        verified: true,
        device: device_name(record, case.case.device),
        devices: 1,
        source: energy.source.clone(),
        case: case.case.label(),
        scope: energy.scope,
        evidence: energy.evidence,
        work: (amount > 0.0).then(|| counted(&case.case, amount)),
        time: case.per_execution,
        energy: honest(energy.per_execution, energy.evidence),
    })
}

fn of_commands(record: &RunRecord, result: &RunResult, label: &str) -> Result<Vec<Subject>, AccountError> {
    let impossible = |reason: String| AccountError::Impossible { what: format!("program `{label}`"), reason };
    let fits = |command: &&CommandResult| names::matches(label, &command.label) || command.label == label;
    let found: Vec<&CommandResult> = result.commands.iter().filter(fits).collect();
    if found.is_empty() {
        let labels: Vec<&str> = result.commands.iter().map(|command| command.label.as_str()).collect();
        let hint = names::hint(label, labels.iter().copied());
        let have = if labels.is_empty() { "no metered program".to_owned() } else { labels.join(", ") };
        return Err(impossible(format!("the record has none of that label{hint}; it has {have}")));
    }
    let usable: Vec<Subject> = found.iter().filter_map(|command| of_command(record, command)).collect();
    if usable.is_empty() {
        return Err(impossible(
            "it has no energy that stands for it: it failed, or no source held its device".to_owned(),
        ));
    }
    Ok(usable)
}

fn of_command(record: &RunRecord, command: &CommandResult) -> Option<Subject> {
    let energy = &command.headline_energy()?.energy;
    let device = record.commands.get(command.index).and_then(|own| own.device);
    let work = command.work.first().map(|work| {
        let amount = work.total / f64::from(command.runs.max(1));
        Amount { amount, unit: work.unit.clone() }
    });
    Some(Subject {
        label: format!("one run of {}", command.label),
        run_ids: vec![record.run_id.clone()],
        simulated: record.simulated,
        verified: false,
        device: device.map_or_else(|| "the host".to_owned(), |ordinal| device_name(record, ordinal)),
        devices: 1,
        source: energy.source.clone(),
        case: String::new(),
        scope: energy.scope,
        evidence: energy.evidence,
        work,
        time: command.time,
        energy: honest(energy.per_execution, energy.evidence),
    })
}

/// The same work spread over several devices in proportion to their measured speed, so that all end together.
///
/// Bounds are added, not taken in quadrature: sensors of one model err in the same direction.
///
/// # Errors
/// Subjects of different work, scope or evidence, without a time, or none at all.
pub fn fleet(members: &[Subject]) -> Result<Subject, AccountError> {
    let impossible = |reason: &str| AccountError::Impossible { what: "a fleet".to_owned(), reason: reason.to_owned() };
    let first = members.first().ok_or_else(|| impossible("it has no member"))?;
    let same = |of: &dyn Fn(&Subject) -> String| members.iter().all(|member| of(member) == of(first));
    if !same(&|member| format!("{:?} {}", member.work, member.label)) {
        return Err(impossible("its members did different work; choose one job with --job"));
    }
    if !same(&|member| member.scope.to_string()) {
        return Err(impossible("its members' energies have different scopes, which cannot be added"));
    }
    if !same(&|member| member.evidence.to_string()) {
        return Err(impossible("some of its members were measured and others estimated or declared"));
    }
    let times: Option<Vec<f64>> = members.iter().map(|member| Some(member.time.as_ref()?.point.get())).collect();
    let times = times.filter(|times| times.iter().all(|time| *time > 0.0));
    let times = times.ok_or_else(|| impossible("a member has no time, so its share of the work is unknown"))?;
    let rate: f64 = times.iter().map(|time| 1.0 / time).sum();
    let shares: Vec<f64> = times.iter().map(|time| 1.0 / time / rate).collect();
    let energies: Vec<&Estimate<Joules>> = members.iter().map(|member| &member.energy).collect();
    let lengths: Vec<&Estimate<Seconds>> = members.iter().filter_map(|member| member.time.as_ref()).collect();
    // Every member takes the same time for its share: share × time = 1 / rate.
    let weights: Vec<f64> = shares.iter().map(|share| share / members.len() as f64).collect();
    let mut run_ids: Vec<String> = members.iter().flat_map(|member| member.run_ids.clone()).collect();
    run_ids.dedup();
    Ok(Subject {
        run_ids,
        simulated: members.iter().any(|member| member.simulated),
        verified: members.iter().all(|member| member.verified),
        device: device_list(members),
        devices: members.iter().map(|member| member.devices).sum(),
        source: joined(members, |member| &member.source),
        case: joined(members, |member| &member.case),
        time: Some(weighted(&lengths, &weights)),
        energy: weighted(&energies, &shares),
        ..first.clone()
    })
}

fn joined(members: &[Subject], of: impl Fn(&Subject) -> &String) -> String {
    let mut all: Vec<&str> = members.iter().map(|member| of(member).as_str()).collect();
    all.sort_unstable();
    all.dedup();
    all.join(", ")
}

fn device_list(members: &[Subject]) -> String {
    let mut counts: Vec<(&str, u32)> = Vec::new();
    for member in members {
        match counts.iter_mut().find(|(name, _)| *name == member.device) {
            Some((_, count)) => *count += member.devices,
            None => counts.push((&member.device, member.devices)),
        }
    }
    let words: Vec<String> = counts.iter().map(|(name, count)| format!("{count} × {name}")).collect();
    words.join(", ")
}

/// Σ weight × estimate, bounds added; without an interval if any part has none.
fn weighted<Q: crate::units::Quantity>(parts: &[&Estimate<Q>], weights: &[f64]) -> Estimate<Q> {
    let sum = |of: &dyn Fn(&Estimate<Q>) -> f64| -> f64 {
        parts.iter().zip(weights).map(|(part, weight)| of(part) * weight).sum()
    };
    let interval = parts.iter().all(|part| part.interval.is_some()).then(|| Interval {
        low: Q::new(sum(&|part| part.interval.map_or(0.0, |interval| interval.low.get()))),
        high: Q::new(sum(&|part| part.interval.map_or(0.0, |interval| interval.high.get()))),
        confidence: parts.first().and_then(|part| part.interval).map_or(0.95, |interval| interval.confidence),
    });
    Estimate {
        point: Q::new(sum(&|part| part.point.get())),
        interval,
        n: parts.iter().map(|part| part.n).min().unwrap_or(0),
        method: EstimateMethod::Derived,
    }
}

/// Energy of `part` of a subject's work, or of several times it.
pub fn scaled(subject: &Subject, factor: Ratio) -> Subject {
    let mut scaled = subject.clone();
    scaled.energy = subject.energy.map(|joules| joules * factor.get());
    scaled.time = subject.time.map(|time| time.map(|seconds| seconds * factor.get()));
    scaled.work = subject.work.clone().map(|work| Amount { amount: work.amount * factor.get(), ..work });
    scaled
}

#[cfg(test)]
mod tests {
    use super::super::testing::{estimate, subject};
    use super::*;

    #[test]
    fn a_fleet_shares_work_by_speed_and_ends_together() {
        // 100 s and 300 s for the whole job: shares 3/4 and 1/4, 75 s; 0.75 × 1000 J + 0.25 × 2000 J = 1250 J.
        let one = Subject { time: Some(estimate(100.0, 0.01)), energy: estimate(1000.0, 0.02), ..subject() };
        let other = Subject { time: Some(estimate(300.0, 0.01)), energy: estimate(2000.0, 0.02), ..subject() };
        let fleet = fleet(&[one, other]).unwrap();
        assert!((fleet.time.unwrap().point.get() - 75.0).abs() < 1e-9);
        assert!((fleet.energy.point.get() - 1250.0).abs() < 1e-9);
        assert!((fleet.energy.interval.unwrap().high.get() - 1275.0).abs() < 1e-9);
        assert_eq!((fleet.devices, fleet.device.as_str()), (2, "2 × Device X"));
    }

    #[test]
    fn a_fleet_of_different_scopes_or_evidence_is_refused() {
        let chip = Subject { scope: Scope::Chip, ..subject() };
        assert!(fleet(&[subject(), chip]).unwrap_err().to_string().contains("different scopes"));
        let estimated = Subject { evidence: Evidence::Estimated, ..subject() };
        assert!(fleet(&[subject(), estimated]).unwrap_err().to_string().contains("estimated"));
        assert!(fleet(&[]).is_err());
        let timeless = Subject { time: None, ..subject() };
        assert!(fleet(&[timeless]).unwrap_err().to_string().contains("no time"));
    }

    #[test]
    fn power_rate_and_work_follow_from_energy_and_time() {
        let subject = subject();
        assert_eq!(subject.power().unwrap().get(), 100.0);
        assert_eq!(subject.flop_rate().unwrap().get(), 1e14);
        assert_eq!(subject.tokens(), None);
        assert_eq!(scaled(&subject, Ratio::new(0.5)).energy.point.get(), 5e5);
    }
}
