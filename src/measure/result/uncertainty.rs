//! The uncertainty budget of an energy, after the Guide to the expression of uncertainty in measurement (JCGM 100).
//!
//! Every term is a relative standard uncertainty with its degrees of freedom; they are combined by the root of the sum of
//! squares and expanded to 95 % by Student's factor at the effective degrees of freedom (Welch and Satterthwaite).
//!
//! What surprises people: there are two intervals. That of the **windows** says what flowed while they lasted, and has no
//! scatter between windows in it. That of the **case** says what the work costs, of which the windows are a sample; the
//! scatter holds the random error of the readings already, so the larger of the two counts and never both.

use crate::stats;

/// Normal quantile of a 95 % interval.
const NORMAL_975: f64 = 1.959_963_985;

/// How a term was found (JCGM 100, 4.2 and 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Evaluation {
    /// From the scatter of repeated observations.
    A,
    /// From anything else.
    #[default]
    B,
}

/// One term of a budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Relative standard uncertainty (0.01 is 1 %).
    pub standard: f64,
    /// Degrees of freedom; infinite where the distribution is taken as known.
    pub degrees: f64,
    /// Type A or B.
    pub evaluation: Evaluation,
}

impl Default for Term {
    fn default() -> Self {
        Self::known(0.0)
    }
}

impl Term {
    /// A term whose distribution is taken as known.
    pub const fn known(standard: f64) -> Self {
        Self { standard, degrees: f64::INFINITY, evaluation: Evaluation::B }
    }
    /// A systematic error stated as the half-width of a normal distribution's 95 % interval.
    pub const fn stated(half_width: f64) -> Self {
        Self::known(half_width / NORMAL_975)
    }
    /// The mean of repeated observations, from their scatter; `None` with fewer than two.
    pub fn scatter(values: &[f64]) -> Option<Self> {
        let (centre, deviation) = (stats::mean(values)?, stats::standard_deviation(values)?);
        let n = values.len() as f64;
        (centre != 0.0).then(|| Self {
            standard: deviation / n.sqrt() / centre.abs(),
            degrees: n - 1.0,
            evaluation: Evaluation::A,
        })
    }
    /// Half-width of the 95 % interval that this term alone would give.
    pub fn half_width(&self) -> f64 {
        coverage_factor(self.degrees) * self.standard
    }
}

/// Student's factor for 95 % at these degrees of freedom, which are cut to a whole number (JCGM 100, G.4.1).
pub fn coverage_factor(degrees: f64) -> f64 {
    if degrees < 1e6 { stats::student_t_975(degrees.max(1.0) as usize) } else { NORMAL_975 }
}

/// Terms put together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Combined {
    /// Relative standard uncertainty.
    pub standard: f64,
    /// Effective degrees of freedom.
    pub degrees: f64,
    /// Factor to 95 %.
    pub factor: f64,
}

impl Combined {
    /// The root of the sum of squares of independent terms.
    pub fn of(terms: &[Term]) -> Self {
        let standard = terms.iter().map(|term| term.standard.powi(2)).sum::<f64>().sqrt();
        let pairs: Vec<(f64, f64)> = terms.iter().map(|term| (term.standard, term.degrees)).collect();
        let degrees = stats::effective_degrees(&pairs);
        Self { standard, degrees, factor: coverage_factor(degrees) }
    }
    /// Half-width of the 95 % interval, relative.
    pub fn expanded(&self) -> f64 {
        self.factor * self.standard
    }
}

/// Where a sensor's systematic error comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GainOrigin {
    /// Its maker or user states it.
    #[default]
    Stated,
    /// A correction against another source leaves it.
    Correction,
    /// Nothing is stated, so it is assumed for sensors of its kind.
    Prior,
}

/// The budget of one energy: relative standard uncertainties.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Uncertainty {
    /// Scatter of the mean over windows; `None` with fewer than two windows.
    pub statistical: Option<Term>,
    /// Where the windows' edges lie on the readings' clock.
    pub edge: Term,
    /// What a sensor does not see between its looks, holes, and noise of the readings: of its own in every window.
    pub sampling: Term,
    /// Systematic gain of the sensor: stated, left over by a correction, or a prior. The same in every run on the same board.
    pub gain: Term,
    /// Where the gain comes from.
    pub gain_from: GainOrigin,
    /// Bound of the edge term, for comparison: 2·τ/T·ΔP/P with the longer of update period and averaging window as τ.
    pub edge_bound: f64,
}

impl Uncertainty {
    /// A budget of a scatter, an edge and a gain, each given as the half-width of its own 95 % interval; the scatter is that
    /// of five windows.
    pub fn of_half_widths(statistical: Option<f64>, edge: f64, gain: f64) -> Self {
        let scatter =
            |half: f64| Term { standard: half / coverage_factor(4.0), degrees: 4.0, evaluation: Evaluation::A };
        Self {
            statistical: statistical.map(scatter),
            edge: Term::stated(edge),
            gain: Term::stated(gain),
            ..Self::default()
        }
    }
    /// The random part: scatter, or what the readings' own random error explains if that is larger. `None` with fewer than
    /// two windows.
    pub fn random(&self) -> Option<Term> {
        self.statistical.map(|scatter| if scatter.standard >= self.sampling.standard { scatter } else { self.sampling })
    }
    /// Of the case: what the work costs, in any window like these. `None` with fewer than two windows.
    pub fn of_case(&self) -> Option<Combined> {
        Some(Combined::of(&[self.random()?, self.edge, self.gain]))
    }
    /// Of the windows: what flowed while they lasted.
    pub fn of_windows(&self) -> Combined {
        Combined::of(&[self.sampling, self.edge, self.gain])
    }
    /// Of the case against another run with the same sensor, where the gain cancels.
    pub fn without_gain(&self) -> Option<Combined> {
        Some(Combined::of(&[self.random()?, self.edge]))
    }
    /// Relative half-width of the case's 95 % interval.
    pub fn expanded(&self) -> Option<f64> {
        self.of_case().map(|all| all.expanded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(standard: f64, degrees: f64) -> Term {
        Term { standard, degrees, evaluation: Evaluation::A }
    }

    #[test]
    fn the_end_gauge_of_the_guide_has_its_degrees_of_freedom_and_its_expanded_uncertainty() {
        // JCGM 100, H.1.6: 25 nm (18), 9.7 nm (25.6), 2.9 nm (50), 16.6 nm (2); u = 32 nm, ν = 16, t99 = 2.92. The sum of
        // the rounded terms' squares is 31.7².
        let all = Combined::of(&[term(25.0, 18.0), term(9.7, 25.6), term(2.9, 50.0), term(16.6, 2.0)]);
        assert!((all.standard - 31.7).abs() < 0.05, "{}", all.standard);
        assert_eq!(all.degrees.floor(), 16.0, "{}", all.degrees);
        assert!((all.factor - 2.120).abs() < 1e-3 && (all.expanded() - 67.1).abs() < 0.2);
    }

    #[test]
    fn equal_terms_add_their_degrees_and_known_ones_add_none() {
        // Two equal variances: ν = (2u²)²/(u⁴/4 + u⁴/4) = 8.
        assert!((Combined::of(&[term(1.0, 4.0), term(1.0, 4.0)]).degrees - 8.0).abs() < 1e-12);
        let known = Combined::of(&[Term::known(3.0), Term::known(4.0)]);
        assert_eq!((known.standard, known.degrees), (5.0, f64::INFINITY));
        assert!((known.factor - 1.96).abs() < 1e-4);
        // A scatter beside a gain three times as large: ν = 100·4 = 400, nearly the normal factor.
        let all = Combined::of(&[term(1.0, 4.0), Term::known(3.0)]);
        assert!((all.degrees - 400.0).abs() < 1e-9 && (all.factor - 1.966).abs() < 1e-3);
    }

    #[test]
    fn a_stated_five_percent_is_the_half_width_of_its_own_interval_and_one_of_five_windows_too() {
        assert!((Term::stated(0.05).half_width() - 0.05).abs() < 1e-12);
        let budget = Uncertainty::of_half_widths(Some(0.03), 0.0, 0.0);
        assert!((budget.expanded().unwrap() - 0.03).abs() < 1e-12);
    }

    #[test]
    fn scatter_holds_the_random_error_of_the_readings_and_the_larger_of_the_two_counts() {
        let budget = |scatter: f64| Uncertainty {
            statistical: Some(term(scatter, 4.0)),
            sampling: Term::known(0.02),
            edge: Term::known(0.01),
            gain: Term::known(0.02),
            ..Uncertainty::default()
        };
        // 0.04² + 0.01² + 0.02² = 0.0458²; with less scatter 0.02² + 0.01² + 0.02² = 0.03².
        assert!((budget(0.04).of_case().unwrap().standard - 0.0021_f64.sqrt()).abs() < 1e-12);
        assert!((budget(0.001).of_case().unwrap().standard - 0.03).abs() < 1e-12);
        assert!((budget(0.04).of_windows().standard - 0.03).abs() < 1e-12, "no scatter in what flowed");
        assert!((budget(0.04).without_gain().unwrap().standard - 0.0017_f64.sqrt()).abs() < 1e-12);
        assert_eq!(Uncertainty::default().of_case(), None, "one window has no scatter");
    }
}
