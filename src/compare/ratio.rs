//! One quantity of one pair: its ratio, interval, p-value and verdict.
//!
//! What surprises people: better and worse ask that the whole interval clears the effect floor, not that it merely excludes 1:
//! windows of one run say nothing of how runs differ from each other, and the floor stands for that. The p-value that counts
//! is Welch's after Holm's adjustment; Mann-Whitney's is printed beside it, and with three windows a side it is never below 0.1.

use serde::Serialize;

use crate::measure::result::{CaseResult, EnergyResult, Term, Uncertainty};
use crate::model::{Counted, Estimate, Evidence, Measurement, RunRecord, TimingMethod, Window};
use crate::stats;
use crate::units::{Quantity, Seconds};

/// What a comparison says in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// B is better.
    Better,
    /// B is worse.
    Worse,
    /// The difference is below the effect floor.
    Same,
    /// The figures cannot tell.
    Unclear,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Unclear => "unclear",
        })
    }
}

/// A ratio B/A and what to make of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Value of A.
    pub a: f64,
    /// Value of B.
    pub b: f64,
    /// Unit of both.
    pub unit: &'static str,
    /// B over A.
    pub ratio: f64,
    /// 95 % interval of the ratio; `None` where none is honest. For energies it includes what the sensors cannot tell.
    pub interval: Option<(f64, f64)>,
    /// Half-width of the interval of ln(ratio) by the windows alone: the wider of Welch's and the bootstrap's, at 95 %.
    pub statistical: Option<f64>,
    /// Part of the interval's half-width that more windows do not shrink, as a ratio at 95 %: that of gain and edges.
    pub systematic: f64,
    /// What the sensors bring in, part by part; `None` for a quantity without energy.
    pub sensors: Option<Sensors>,
    /// Windows of A.
    pub n_a: usize,
    /// Windows of B.
    pub n_b: usize,
    /// Two-sided p-value of the Mann-Whitney U test over windows; `None` without windows on both sides.
    pub p: Option<f64>,
    /// Two-sided p-value of Welch's test that the ratio is 1; `None` without an interval.
    pub welch_p: Option<f64>,
    /// The same after Holm's adjustment over all tests of the comparison; the verdict rests on it.
    pub holm_p: Option<f64>,
    /// Why the ratio would have been refused, had it not been forced; it then has no interval and no verdict but unclear.
    pub forced: Option<String>,
    /// The word.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
}

/// What the two sensors bring into a ratio of energies, as half-widths at 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sensors {
    /// True if both energies come from one sensor of one board, read and corrected in the same way: its gain then cancels.
    pub gain_cancels: bool,
    /// Gains of both; 0 where they cancel.
    pub gain: f64,
    /// Edges of the windows of both.
    pub edge: f64,
    /// What both did not see between their looks. It is in the windows' scatter already, so it counts where it is larger.
    pub sampling: f64,
}

impl Sensors {
    /// Of two budgets.
    pub fn of(u: &Uncertainty, v: &Uncertainty, same_sensor: bool) -> Self {
        let both = |x: Term, y: Term| x.half_width().hypot(y.half_width());
        Self {
            gain_cancels: same_sensor,
            gain: if same_sensor { 0.0 } else { both(u.gain, v.gain) },
            edge: both(u.edge, v.edge),
            sampling: both(u.sampling, v.sampling),
        }
    }
}

/// A quantity of one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The figure as other tables print it.
    pub point: f64,
    /// Its value per window, in any unit proportional to the point's; empty if windows cannot be told apart.
    pub windows: Vec<f64>,
    /// Relative half-width of the figure's own interval, for when there are no windows.
    pub half_width: Option<f64>,
    /// Windows behind the figure.
    pub n: usize,
    /// Unit of the point.
    pub unit: &'static str,
}

fn measurement<'a>(record: &'a RunRecord, case: &CaseResult) -> Option<&'a Measurement> {
    record.measurements.iter().find(|measurement| measurement.case == case.case)
}

impl Sample {
    /// A figure with its value per window.
    pub fn new<Q: Quantity>(estimate: &Estimate<Q>, windows: Vec<f64>) -> Self {
        let usable = windows.len() >= 2 && windows.iter().all(|value| value.is_finite() && *value > 0.0);
        Self {
            point: estimate.point.get(),
            n: if usable { windows.len() } else { estimate.n as usize },
            windows: if usable { windows } else { Vec::new() },
            half_width: estimate.relative_half_width(),
            unit: Q::SYMBOL,
        }
    }

    /// Speed: FLOP/s or B/s, as the problem counts.
    pub fn of_speed(record: &RunRecord, case: &CaseResult) -> Option<Self> {
        let windows = measurement(record, case).map(window_speeds).unwrap_or_default();
        let sample = match case.case.counted {
            Counted::Flop => Self::new(case.flop_rate.as_ref()?, windows),
            Counted::Bytes => Self::new(case.byte_rate.as_ref()?, windows),
        };
        Some(Self { unit: case.case.counted_in().per_second(), ..sample })
    }

    /// Efficiency: FLOP/J or B/J, as the problem counts. An energy that was not measured has no interval and no windows.
    pub fn of_efficiency(record: &RunRecord, case: &CaseResult, energy: &EnergyResult) -> Option<Self> {
        let windows: Vec<&Window> = measurement(record, case).map(|m| m.measured().collect()).unwrap_or_default();
        let values = if windows.len() == energy.window_energy.len() {
            let pairs = windows.iter().zip(&energy.window_energy);
            pairs.map(|(window, joules)| window.dispatches as f64 / joules.get()).collect()
        } else {
            Vec::new()
        };
        let sample = match case.case.counted {
            Counted::Flop => Self::new(energy.flop_efficiency.as_ref()?, values),
            Counted::Bytes => Self::new(&energy.byte_efficiency, values),
        };
        let sample = Self { unit: case.case.counted_in().per_joule(), ..sample };
        Some(match energy.evidence {
            // The systematic parts are added once, by `judge`.
            Evidence::Measured => {
                Self { half_width: energy.uncertainty.random().map(|term| term.half_width()), ..sample }
            }
            Evidence::Declared | Evidence::Estimated => Self { windows: Vec::new(), half_width: None, ..sample },
        })
    }
}

/// Executions per second of each measured window, by the clock that timed the case.
fn window_speeds(measurement: &Measurement) -> Vec<f64> {
    let by_device = measurement.timing.as_ref().is_some_and(|timing| timing.method == TimingMethod::DeviceTimestamps);
    let time = |window: &Window| match window.device_busy_ns {
        Some(busy) if by_device => Seconds::from_nanoseconds(busy),
        _ => window.duration(),
    };
    measurement.measured().map(|window| window.dispatches as f64 / time(window).get()).collect()
}

/// Resamples of the bootstrap: the ends of its interval then wander by about a fiftieth of its width.
const RESAMPLES: usize = 1000;
/// Windows of a side beyond which the bootstrap and Welch's interval agree, so that only the latter is computed.
const MANY_WINDOWS: usize = 200;
/// Seed of the bootstrap; any will do, as long as it is always the same.
const SEED: u64 = 0x7761_7474_6d61_726b;
/// 97.5 % quantile of the normal distribution.
const NORMAL_975: f64 = 1.959_963_985;

/// Compares two samples of a quantity of which more is better; `sensors` is what neither more windows nor the ratio removes.
/// The verdict is that of a test alone; [`Judged::settle`] takes in the other tests of the comparison.
pub fn judge(a: &Sample, b: &Sample, sensors: Option<Sensors>, noise: f64) -> Result<Judged, String> {
    let ratio = b.point / a.point;
    if !(ratio.is_finite() && ratio > 0.0) {
        return Err(format!("no ratio: A is {} {}, B is {} {}", a.point, a.unit, b.point, b.unit));
    }
    let (statistical, welch_p) = match stats::ratio_of_means_95(&a.windows, &b.windows) {
        Some(welch) => {
            (Some(welch.log_half_width.max(bootstrap_half_width(&a.windows, &b.windows, welch.ratio))), Some(welch.p))
        }
        None => {
            let half = a.half_width.zip(b.half_width).map(|(x, y)| x.hypot(y));
            (half, half.map(|half| normal_p(ratio.ln(), half)))
        }
    };
    let statistical = statistical.map(|half| half.max(sensors.map_or(0.0, |own| own.sampling)));
    let systematic = sensors.map_or(0.0, |own| own.gain.hypot(own.edge));
    let half = statistical.map(|half| half.hypot(systematic));
    let judged = Judged {
        a: a.point,
        b: b.point,
        unit: a.unit,
        ratio,
        interval: half.map(|half| (ratio * (-half).exp(), ratio * half.exp())),
        statistical,
        systematic,
        sensors,
        n_a: a.n,
        n_b: b.n,
        p: stats::mann_whitney_p(&a.windows, &b.windows),
        welch_p,
        holm_p: welch_p,
        forced: None,
        verdict: Verdict::Unclear,
        reason: String::new(),
    };
    Ok(judged.settle(welch_p, noise))
}

/// The larger of the two arms of the bootstrap's interval on the logarithmic scale; 0 where there is none or it adds nothing.
/// The samples are put in order first, so that exchanging them turns the interval over exactly.
fn bootstrap_half_width(a: &[f64], b: &[f64], ratio: f64) -> f64 {
    if a.len().max(b.len()) > MANY_WINDOWS {
        return 0.0;
    }
    let (first, second, centre) = if ratio >= 1.0 { (a, b, ratio) } else { (b, a, 1.0 / ratio) };
    let interval = stats::bootstrap_ratio_95(first, second, stats::mean, RESAMPLES, SEED);
    interval.map_or(0.0, |(low, high)| (high / centre).ln().max((centre / low).ln()).max(0.0))
}

/// Two-sided p-value of a logarithm whose half-width at 95 % is known but not its windows.
fn normal_p(log: f64, half: f64) -> f64 {
    match (log == 0.0, half > 0.0) {
        (true, _) => 1.0,
        (false, false) => 0.0,
        (false, true) => (2.0 * stats::normal_tail(log.abs() * NORMAL_975 / half)).min(1.0),
    }
}

impl Judged {
    /// The same with the p-value after Holm's adjustment, and the verdict that follows from it.
    pub fn settle(mut self, holm_p: Option<f64>, noise: f64) -> Self {
        if self.forced.is_none() {
            self.holm_p = holm_p;
            (self.verdict, self.reason) =
                verdict(self.ratio.ln(), self.statistical, self.systematic, holm_p.unwrap_or(1.0), noise);
        }
        self
    }

    /// The bare ratio of two figures that do not mean the same thing: no interval, no p, and no word but unclear.
    pub fn force(mut self, reason: &str) -> Self {
        (self.interval, self.statistical, self.sensors) = (None, None, None);
        (self.p, self.welch_p, self.holm_p) = (None, None, None);
        self.systematic = 0.0;
        self.verdict = Verdict::Unclear;
        self.reason = format!("forced, so there is no verdict: {reason}");
        self.forced = Some(reason.to_owned());
        self
    }

    /// The verdict, or `forced` where there is none.
    pub fn word(&self) -> String {
        if self.forced.is_some() { "forced".to_owned() } else { self.verdict.to_string() }
    }
}

/// Level at which tests are held after Holm's adjustment.
pub const LEVEL: f64 = 0.05;

/// A ratio as text in percent, without trailing zeros.
pub fn percent(value: f64) -> String {
    format!("{:.3}", value * 100.0).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The word for ln(ratio) with its half-widths: same if the whole interval is within the floor, better or worse if all of
/// it is beyond and the test holds among the others, else unclear.
fn verdict(log: f64, statistical: Option<f64>, systematic: f64, holm_p: f64, noise: f64) -> (Verdict, String) {
    let Some(statistical) = statistical else {
        return (
            Verdict::Unclear,
            "no interval: fewer than two windows on a side, or energy that is not measured".to_owned(),
        );
    };
    let floor = noise.ln_1p();
    let word = |half: f64| {
        if log.abs() + half <= floor {
            Verdict::Same
        } else if log.abs() - half <= floor || holm_p >= LEVEL {
            Verdict::Unclear
        } else if log > 0.0 {
            Verdict::Better
        } else {
            Verdict::Worse
        }
    };
    let total = statistical.hypot(systematic);
    let said = word(total);
    let reason = match said {
        Verdict::Better | Verdict::Worse => format!("the whole interval is beyond {} %", percent(noise)),
        Verdict::Same => format!("the whole interval is within {} %", percent(noise)),
        Verdict::Unclear if word(statistical) != Verdict::Unclear => {
            format!("not distinguishable with these sensors (±{:.1} % between them)", systematic * 100.0)
        }
        Verdict::Unclear if log.abs() - total > floor => {
            "clear alone, but not among so many tests (Holm); more windows would tell".to_owned()
        }
        Verdict::Unclear if log.abs() > total => {
            format!("differs, but perhaps by less than the floor of {} %; more windows would tell", percent(noise))
        }
        Verdict::Unclear => format!("the interval spans 1 and is wider than {} %", percent(noise)),
    };
    (said, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(windows: &[f64]) -> Sample {
        Sample {
            point: stats::mean(windows).unwrap(),
            windows: windows.to_vec(),
            half_width: None,
            n: windows.len(),
            unit: "FLOP/s",
        }
    }
    fn say(a: &[f64], b: &[f64], gain: f64) -> Judged {
        let sensors = Sensors { gain_cancels: false, gain, edge: 0.0, sampling: 0.0 };
        judge(&sample(a), &sample(b), Some(sensors), 0.01).unwrap()
    }

    const A: [f64; 5] = [100.0, 100.1, 99.9, 100.05, 99.95];

    #[test]
    fn ten_percent_more_with_tight_windows_is_better_and_less_is_worse() {
        let b = A.map(|value| value * 1.1);
        let judged = say(&A, &b, 0.0);
        assert_eq!(judged.verdict, Verdict::Better);
        assert!((judged.ratio - 1.1).abs() < 1e-12);
        // Five against five without overlap: exact two-sided p = 2/252.
        assert!((judged.p.unwrap() - 2.0 / 252.0).abs() < 1e-12);
        let (low, high) = judged.interval.unwrap();
        assert!(1.09 < low && low < 1.1 && 1.1 < high && high < 1.11);
        assert_eq!(say(&b, &A, 0.0).verdict, Verdict::Worse);
    }

    #[test]
    fn half_a_percent_is_the_same_though_the_interval_excludes_one() {
        let judged = say(&A, &A.map(|value| value * 1.005), 0.0);
        assert!(judged.interval.unwrap().0 > 1.0);
        assert_eq!(judged.verdict, Verdict::Same);
        assert_eq!(say(&A, &A, 0.0).verdict, Verdict::Same);
    }

    #[test]
    fn wide_windows_and_single_windows_are_unclear() {
        let judged = say(&[100.0, 90.0, 110.0], &[103.0, 92.0, 111.0], 0.0);
        assert_eq!(judged.verdict, Verdict::Unclear);
        assert!(judged.reason.contains("spans 1"));
        let single = Sample { windows: vec![], n: 1, ..sample(&[100.0]) };
        let judged = judge(&single, &sample(&A), None, 0.01).unwrap();
        assert_eq!((judged.verdict, judged.interval, judged.p), (Verdict::Unclear, None, None));
    }

    #[test]
    fn a_difference_within_the_sensors_is_not_distinguishable() {
        // 5 % on each of two sensors: hypot = 7.1 %. A 4 % difference is within, a 10 % one is not.
        let systematic = 0.05f64.hypot(0.05);
        let judged = say(&A, &A.map(|value| value * 1.04), systematic);
        assert_eq!(judged.verdict, Verdict::Unclear);
        assert!(judged.reason.contains("not distinguishable with these sensors (±7.1 %"), "{}", judged.reason);
        assert_eq!(say(&A, &A.map(|value| value * 1.10), systematic).verdict, Verdict::Better);
        assert_eq!(say(&A, &A, systematic).verdict, Verdict::Unclear, "equal readings do not prove equal boards");
    }

    proptest! {
        #[test]
        fn exchanging_the_sides_exchanges_better_and_worse(
            a in prop::collection::vec(90f64..110.0, 3..8), b in prop::collection::vec(90f64..120.0, 3..8),
        ) {
            let opposite = |verdict| match verdict {
                Verdict::Better => Verdict::Worse,
                Verdict::Worse => Verdict::Better,
                other => other,
            };
            prop_assert_eq!(say(&a, &b, 0.0).verdict, opposite(say(&b, &a, 0.0).verdict));
        }
    }
}
