//! A job: an amount of work the user names, accounted with the measured joules of the best case that does this work.
//!
//! What surprises people: "best" is the fewest joules per work among the verified cases of one device, measured before
//! declared before estimated, so a device with any measured case is never judged by an estimate.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::carbon::{energy_of, usable_energy};
use super::{AccountError, Site, operational};
use crate::measure::result::{CaseResult, EnergyResult, RunResult};
use crate::model::{Case, Counted, CountedIn, ElementType, Estimate, Evidence, Scope};
use crate::units::{FLOP_PER_EXAFLOP, GramsCo2e, Joules, KilowattHours, Seconds};
use crate::workload;

/// An amount of work of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// A problem (`gemm`) or a variant (`gemm/tiled-f32`).
    pub work: String,
    /// Element type; any if `None`.
    pub element: Option<ElementType>,
    /// FLOP, or bytes for a memory problem.
    pub amount: f64,
}

impl Default for Job {
    /// One EFLOP of matrix multiplication in f32.
    fn default() -> Self {
        Self { work: "gemm".to_owned(), element: Some(ElementType::F32), amount: FLOP_PER_EXAFLOP }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = self.element.map(|element| format!("/{element}")).unwrap_or_default();
        write!(f, "{}{element}={:e}", self.work, self.amount)
    }
}

impl FromStr for Job {
    type Err = AccountError;

    /// Reads `gemm=1e18`, `gemm/f16=1e18`, `gemm/tiled-f32=1e18`, `memory-copy=1e15`, and `flop=1e18` for f32 GEMM.
    fn from_str(text: &str) -> Result<Self, AccountError> {
        let bad = |reason: &str| AccountError::BadJob { given: text.to_owned(), reason: reason.to_owned() };
        let (name, amount) = text.split_once('=').ok_or_else(|| bad("there is no `=`"))?;
        let amount: f64 = amount.trim().parse().map_err(|_| bad("the amount is not a number"))?;
        if !amount.is_finite() || amount <= 0.0 {
            return Err(bad("the amount must be a finite number above 0"));
        }
        let name = name.trim();
        let element = |suffix: &str| suffix.parse::<ElementType>().ok();
        match name.rsplit_once('/').map(|(work, suffix)| (work, element(suffix))) {
            _ if name.is_empty() => Err(bad("the work has no name")),
            _ if name.eq_ignore_ascii_case("flop") => Ok(Self { amount, ..Self::default() }),
            Some((work, Some(element))) => Ok(Self { work: work.to_owned(), element: Some(element), amount }),
            _ => Ok(Self { work: name.to_owned(), element: None, amount }),
        }
    }
}

impl Job {
    /// The job in words: `1 EFLOP of f32 gemm`, `1 PB of memory-copy`. Only [`fmt::Display`] can be read back.
    pub fn title(&self) -> String {
        let problem = self.work.split('/').next().unwrap_or(&self.work);
        let counted = workload::problem(problem).map_or(Counted::Flop, |problem| problem.counted());
        let unit = match counted {
            Counted::Flop => {
                // A variant's name ends with its element type: `gemm/dot4-i8`.
                let named = || self.work.rsplit('-').next().and_then(|suffix| suffix.parse().ok());
                self.element.or_else(named).map_or(CountedIn::Flop, CountedIn::operations).symbol()
            }
            Counted::Bytes => CountedIn::Bytes.symbol(),
        };
        let element = self.element.map(|element| format!("{element} ")).unwrap_or_default();
        format!("{} of {element}{}", amount(self.amount, unit), self.work)
    }

    /// Whether a case does this kind of work. Integer arithmetic does only jobs that name its type or its variant: its
    /// operations are no FLOP.
    pub fn is_done_by(&self, case: &Case) -> bool {
        match self.element {
            Some(element) => (case.problem == self.work || case.variant == self.work) && element == case.element,
            None => case.variant == self.work || (case.problem == self.work && case.counted_in() != CountedIn::Op),
        }
    }
}

/// A number with up to three significant figures and the prefix that suits it; below one and beyond exa as `1.5e21 FLOP`.
fn amount(value: f64, unit: &str) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    // Rounding may carry into the next prefix, so the rounded number decides.
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    let scaled = PREFIXES.iter().zip(0i32..).map(|(prefix, power)| (prefix, rounded / 1000f64.powi(power)));
    match scaled.filter(|(_, scaled)| (1.0..1000.0).contains(scaled)).last() {
        // Two decimals at most, and none of them is a trailing zero in the shortest form of a number.
        Some((prefix, scaled)) => format!("{} {prefix}{unit}", (scaled * 100.0).round() / 100.0),
        None => format!("{rounded:e} {unit}"),
    }
}

/// A job on one device at one site.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobCarbon {
    /// The job.
    pub job: Job,
    /// Whether its amount is FLOP or bytes.
    pub counted: Counted,
    /// The case whose joules were taken.
    pub case: Case,
    /// Power source.
    pub source: String,
    /// What the energy includes.
    pub scope: Scope,
    /// Measured, declared or estimated.
    pub evidence: Evidence,
    /// Executions of the case's problem that make up the amount.
    pub executions: f64,
    /// Time of the job at the measured speed; `None` if the case has no time.
    #[serde(rename = "time_s")]
    pub time: Option<Estimate<Seconds>>,
    /// Energy at the device, gross.
    #[serde(rename = "energy_j")]
    pub energy: Estimate<Joules>,
    /// The same in kilowatt-hours, before PUE.
    #[serde(rename = "energy_kwh")]
    pub kilowatt_hours: Estimate<KilowattHours>,
    /// Carbon, PUE included.
    #[serde(rename = "carbon_g")]
    pub carbon: Estimate<GramsCo2e>,
}

/// Energy and time of a job on one device, before any site.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEnergy {
    /// The case whose joules were taken.
    pub case: Case,
    /// Power source.
    pub source: String,
    /// What the energy includes.
    pub scope: Scope,
    /// Measured, declared or estimated.
    pub evidence: Evidence,
    /// Executions of the case's problem that make up the amount.
    pub executions: f64,
    /// Time of the job at the measured speed; `None` if the case has no time.
    pub time: Option<Estimate<Seconds>>,
    /// Energy at the device, gross.
    pub energy: Estimate<Joules>,
}

/// Energy of a job on every device of a record that did this work, in order of device.
///
/// # Errors
/// No verified case of this work has an energy; the message tells what the record has.
pub fn job_energy(result: &RunResult, job: &Job) -> Result<Vec<JobEnergy>, AccountError> {
    let mut devices: Vec<u32> = result.cases.iter().map(|case| case.case.device).collect();
    devices.sort_unstable();
    devices.dedup();
    let jobs: Vec<JobEnergy> = devices.into_iter().filter_map(|device| on_device(result, device, job)).collect();
    if jobs.is_empty() {
        return Err(AccountError::NoCaseForJob { job: job.to_string(), reason: why_none(result, job) });
    }
    Ok(jobs)
}

/// Accounts a job on every device of a record that did this work, in order of device.
///
/// # Errors
/// No verified case of this work has an energy; the message tells what the record has.
pub fn job_carbon(result: &RunResult, site: &Site, job: &Job) -> Result<Vec<JobCarbon>, AccountError> {
    let account = |row: JobEnergy| JobCarbon {
        job: job.clone(),
        counted: row.case.counted,
        kilowatt_hours: row.energy.map(Joules::to_kilowatt_hours),
        carbon: operational(&row.energy, row.evidence, site),
        case: row.case,
        source: row.source,
        scope: row.scope,
        evidence: row.evidence,
        executions: row.executions,
        time: row.time,
        energy: row.energy,
    };
    Ok(job_energy(result, job)?.into_iter().map(account).collect())
}

fn on_device(result: &RunResult, device: u32, job: &Job) -> Option<JobEnergy> {
    let fits = |case: &&CaseResult| case.case.device == device && job.is_done_by(&case.case);
    let (case, energy, joules) = result
        .cases
        .iter()
        .filter(fits)
        .filter_map(|case| {
            let energy = usable_energy(case).ok()?;
            Some((case, energy, energy_of(case, energy, job.amount)?))
        })
        .min_by(|(one, a, x), (other, b, y)| {
            // Normal data before all others: zeros cost least, and no real job is made of them.
            let data = one.case.pattern.cmp(&other.case.pattern);
            data.then(a.evidence.cmp(&b.evidence)).then(x.point.total_cmp(&y.point))
        })?;
    Some(of_case(case, energy, joules))
}

fn of_case(case: &CaseResult, energy: &EnergyResult, joules: Estimate<Joules>) -> JobEnergy {
    let executions = joules.point / energy.per_execution.point;
    JobEnergy {
        case: case.case.clone(),
        source: energy.source.clone(),
        scope: energy.scope,
        evidence: energy.evidence,
        executions,
        time: case.per_execution.map(|time| time.map(|seconds| seconds * executions)),
        energy: joules,
    }
}

fn why_none(result: &RunResult, job: &Job) -> String {
    let candidates: Vec<&CaseResult> = result.cases.iter().filter(|case| job.is_done_by(&case.case)).collect();
    match candidates.first() {
        Some(case) => {
            let reason = usable_energy(case).err().unwrap_or("its problem counts no work");
            format!(
                "the record has {} matching case(s), but none with an energy ({}: {reason})",
                candidates.len(),
                case.case.label()
            )
        }
        None => {
            let mut have: Vec<String> =
                result.cases.iter().map(|case| format!("{}/{}", case.case.problem, case.case.element)).collect();
            have.sort();
            have.dedup();
            let have = if have.is_empty() { "no measured case at all".to_owned() } else { have.join(", ") };
            format!("the record has no case of this work; it has {have}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testing::{case, energy, run};
    use super::*;
    use crate::account::resolve_site;

    fn qinghai() -> Site {
        resolve_site(Some("CN-QH"), Some(1.2), None, Path::new(".")).unwrap()
    }

    #[test]
    fn the_default_job_takes_the_most_efficient_verified_f32_gemm() {
        // naive 8e-3 J, tiled 2e-3 J for 2e9 FLOP: one EFLOP is 5e8 executions × 2e-3 J = 1e6 J = 0.27778 kWh;
        // × 1.2 × 179.6 g/kWh = 59.8667 g. An unverified case of 1e-3 J must not win.
        let mut wrong = case("gemm/fast-f32", 2e9, vec![energy(1e-3, 0.0)]);
        wrong.verified = false;
        let result = run(vec![
            case("gemm/naive-f32", 2e9, vec![energy(8e-3, 0.01)]),
            case("gemm/tiled-f32", 2e9, vec![energy(2e-3, 0.01)]),
            wrong,
        ]);
        let jobs = job_carbon(&result, &qinghai(), &Job::default()).unwrap();
        assert_eq!(jobs.len(), 1);
        let job = &jobs[0];
        assert_eq!(job.case.variant, "gemm/tiled-f32");
        assert!((job.executions - 5e8).abs() < 1e-3);
        assert!((job.energy.point.get() - 1e6).abs() < 1e-6);
        assert!((job.kilowatt_hours.point.get() - 0.277_777_8).abs() < 1e-6);
        assert!((job.carbon.point.get() - 59.866_666_7).abs() < 1e-6);
        assert!((job.carbon.interval.unwrap().high.get() - 59.866_666_7 * 1.01).abs() < 1e-6);
        assert!((job.time.unwrap().point.get() - 5e8).abs() < 1e-3);
    }

    #[test]
    fn a_measured_case_wins_over_a_cheaper_estimate_and_each_device_has_its_own_row() {
        let mut estimated = energy(1e-3, 0.0);
        estimated.evidence = Evidence::Estimated;
        let mut other = case("gemm/tiled-f32", 2e9, vec![energy(4e-3, 0.0)]);
        other.case.device = 1;
        let result = run(vec![
            case("gemm/naive-f32", 2e9, vec![estimated]),
            case("gemm/tiled-f32", 2e9, vec![energy(2e-3, 0.0)]),
            other,
        ]);
        let jobs = job_carbon(&result, &qinghai(), &"flop=2e18".parse().unwrap()).unwrap();
        let joules: Vec<f64> = jobs.iter().map(|job| job.energy.point.get().round()).collect();
        assert_eq!(joules, [2e6, 4e6]);
        assert_eq!(jobs[0].evidence, Evidence::Measured);
    }

    #[test]
    fn a_job_reads_problems_element_types_and_variants() {
        let job: Job = "gemm/f16=2e18".parse().unwrap();
        assert_eq!(job, Job { work: "gemm".to_owned(), element: Some(ElementType::F16), amount: 2e18 });
        let job: Job = "gemm/tiled-f32=1e15".parse().unwrap();
        assert_eq!((job.work.as_str(), job.element), ("gemm/tiled-f32", None));
        assert_eq!("flop=1e18".parse::<Job>().unwrap(), Job::default());
        assert_eq!(Job::default().to_string(), "gemm/f32=1e18");
        for text in ["gemm", "gemm=", "=1", "gemm=x", "gemm=0", "gemm=-1", "gemm=nan", "gemm=inf"] {
            assert!(text.parse::<Job>().unwrap_err().to_string().contains("NAME=AMOUNT"), "{text}");
        }
    }

    #[test]
    fn integer_operations_are_no_flop_and_do_only_jobs_that_name_them() {
        let mut integer = case("gemm/dot4-i8", 2e9, vec![energy(1e-4, 0.0)]);
        integer.case.element = ElementType::I8;
        let result = run(vec![integer, case("gemm/tiled-f32", 2e9, vec![energy(2e-3, 0.0)])]);
        let variant =
            |job: &str| job_carbon(&result, &qinghai(), &job.parse().unwrap()).unwrap()[0].case.variant.clone();
        assert_eq!(variant("gemm=1e18"), "gemm/tiled-f32");
        assert_eq!(variant("gemm/i8=1e18"), "gemm/dot4-i8");
        assert_eq!(variant("gemm/dot4-i8=1e18"), "gemm/dot4-i8");
    }

    #[test]
    fn a_title_says_the_job_in_words_and_its_display_can_be_read_back() {
        for (given, title) in [
            ("gemm/f32=1e18", "1 EFLOP of f32 gemm"),
            ("gemm=1e18", "1 EFLOP of gemm"),
            ("gemm/tiled-f32=2.5e15", "2.5 PFLOP of gemm/tiled-f32"),
            ("memory-copy=1e15", "1 PB of memory-copy"),
            ("softmax/f32=9.999e11", "1 TFLOP of f32 softmax"),
            ("gemm/f16=1.234e6", "1.23 MFLOP of f16 gemm"),
            ("gemm/i8=1e18", "1 EOP of i8 gemm"),
            ("gemm/dot4-i8=1e18", "1 EOP of gemm/dot4-i8"),
            ("gemm=3e23", "3e23 FLOP of gemm"),
            ("gemm=0.5", "5e-1 FLOP of gemm"),
        ] {
            let job: Job = given.parse().unwrap();
            assert_eq!(job.title(), title);
            assert_eq!(job.to_string().parse::<Job>().unwrap(), job);
        }
    }

    #[test]
    fn a_job_the_record_never_measured_is_refused_with_what_it_has() {
        let result = run(vec![case("gemm/naive-f32", 2e9, vec![energy(1.0, 0.0)])]);
        let message = job_carbon(&result, &qinghai(), &"gemm/f16=1e18".parse().unwrap()).unwrap_err().to_string();
        assert!(message.contains("it has gemm/f32"), "{message}");
        let result = run(vec![case("gemm/naive-f32", 2e9, vec![])]);
        let message = job_carbon(&result, &qinghai(), &Job::default()).unwrap_err().to_string();
        assert!(message.contains("no power reading"), "{message}");
    }
}
