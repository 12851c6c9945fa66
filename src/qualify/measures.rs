//! Which figures are judged: by which check, against which limits, with which tolerance around a reference.
//!
//! What surprises people: a figure that no check knows is kept and shown but never judged.

use super::limits::{Limits, Tolerance};
use crate::model::{Better, Phase};
use crate::names;

/// How a figure is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// End of its name, or all of it.
    pub name: &'static str,
    /// Code of its check.
    pub code: &'static str,
    /// Units that it may have.
    pub units: &'static [&'static str],
    /// Which way is better.
    pub better: Option<Better>,
    /// Limits that hold for any device.
    pub absolute: Limits,
    /// Distance from a reference at which it warns; `None` if no reference is held against it.
    pub warn: Option<Tolerance>,
    /// Distance at which it fails; `None` if it never does.
    pub fail: Option<Tolerance>,
    /// True if a verdict needs a reference for it.
    pub needed: bool,
    /// True for a mean: without an interval it cannot fail.
    pub mean: bool,
    /// True for a percentile: with few windows it cannot fail.
    pub percentile: bool,
    /// How its numbers are said.
    pub form: Form,
}

/// How numbers of a figure are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With a decimal prefix: `31.2 TFLOP/s`.
    Prefixed,
    /// As it is: `61.5 °C`.
    Plain,
    /// In percent.
    Percent,
    /// A whole number.
    Count,
}

const RATES: &[&str] = &["FLOP/s", "OP/s", "B/s"];
const EFFICIENCIES: &[&str] = &["FLOP/J", "OP/J", "B/J"];
const NONE: Limits = Limits { fail_below: None, warn_below: None, warn_above: None, fail_above: None };

const fn above(warn: Option<f64>, fail: Option<f64>) -> Limits {
    Limits { warn_above: warn, fail_above: fail, ..NONE }
}

/// A figure that falls when a device is worse.
const fn sinking(
    name: &'static str,
    code: &'static str,
    units: &'static [&'static str],
    mean: bool,
    warn: f64,
    fail: f64,
) -> Measure {
    Measure {
        name,
        code,
        units,
        better: Some(Better::Higher),
        absolute: NONE,
        warn: Some(Tolerance::part(warn)),
        fail: Some(Tolerance::part(fail)),
        needed: true,
        mean,
        percentile: !mean,
        form: Form::Prefixed,
    }
}

/// A figure that rises when a device is worse, or that should stay as it is.
const fn rising(
    name: &'static str,
    code: &'static str,
    units: &'static [&'static str],
    warn: Tolerance,
    fail: Option<Tolerance>,
    form: Form,
) -> Measure {
    Measure {
        name,
        code,
        units,
        better: Some(Better::Lower),
        absolute: NONE,
        warn: Some(warn),
        fail,
        needed: false,
        mean: false,
        percentile: false,
        form,
    }
}

/// A figure with limits that hold for any device.
const fn absolute(name: &'static str, code: &'static str, limits: Limits, form: Form) -> Measure {
    Measure {
        name,
        code,
        units: &["1"],
        better: Some(Better::Lower),
        absolute: limits,
        warn: None,
        fail: None,
        needed: false,
        mean: false,
        percentile: false,
        form,
    }
}

/// Every judged figure. A name that begins with a point stands behind a phase.
pub const MEASURES: [Measure; 16] = [
    sinking(".rate.mean", "Q10", RATES, true, 0.03, 0.05),
    sinking(".rate.p1", "Q11", RATES, false, 0.05, 0.10),
    sinking(".efficiency.mean", "Q12", EFFICIENCIES, true, 0.04, 0.08),
    sinking(".efficiency.p1", "Q13", EFFICIENCIES, false, 0.08, 0.15),
    rising(".rate.jitter", "Q14", &["1"], Tolerance::amount(0.01), Some(Tolerance::amount(0.03)), Form::Percent),
    absolute("throttle.thermal", "Q20", above(Some(0.005), Some(0.05)), Form::Percent),
    absolute("throttle.hardware", "Q21", above(Some(0.0), Some(0.01)), Form::Percent),
    rising("throttle.power-cap", "Q22", &["1"], Tolerance::amount(0.2), None, Form::Percent),
    rising("throttle.group", "Q22", &["1"], Tolerance::amount(0.2), None, Form::Percent),
    Measure {
        better: None,
        ..rising(
            "power.limit.attainment",
            "Q23",
            &["1"],
            Tolerance::amount(0.1),
            Some(Tolerance::amount(0.2)),
            Form::Percent,
        )
    },
    rising(
        "temperature.rise_per_watt",
        "Q24",
        &["K/W"],
        Tolerance::part(0.15),
        Some(Tolerance::part(0.30)),
        Form::Plain,
    ),
    rising("temperature.max", "Q25", &["°C"], Tolerance::amount(7.0), Some(Tolerance::amount(15.0)), Form::Plain),
    absolute("ecc.uncorrected", "Q30", above(None, Some(0.0)), Form::Count),
    absolute("ecc.corrected", "Q31", above(Some(0.0), None), Form::Count),
    absolute("pcie.replays", "Q32", above(Some(10.0), Some(160.0)), Form::Count),
    absolute("driver.errors", "Q33", above(None, Some(0.0)), Form::Count),
];

/// How a figure is judged; `None` if no check knows it.
pub fn measure(id: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| {
        if measure.name.starts_with('.') {
            id.len() > measure.name.len() && id.ends_with(measure.name)
        } else {
            id == measure.name
        }
    })
}

/// What stands before the figure's own name: the phase or the case; `None` for a figure of the whole device.
pub fn prefix(id: &str) -> Option<&str> {
    let measure = measure(id)?;
    id.strip_suffix(measure.name).filter(|prefix| !prefix.is_empty())
}

/// The phase in a figure's name.
pub fn phase(id: &str) -> Option<Phase> {
    let prefix = prefix(id)?;
    Phase::ALL.into_iter().find(|phase| phase.name() == prefix)
}

/// `: did you mean …?` for a name that no check knows, or nothing.
pub fn hint(id: &str) -> String {
    let known: Vec<String> = MEASURES
        .iter()
        .flat_map(|measure| match measure.name.starts_with('.') {
            true => Phase::ALL.iter().map(|phase| format!("{phase}{}", measure.name)).collect(),
            false => vec![measure.name.to_owned()],
        })
        .collect();
    names::hint(id, known.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::catalogue;

    #[test]
    fn a_figure_is_found_by_its_name_behind_a_phase_or_a_case() {
        assert_eq!(measure("memory.rate.p1").map(|m| m.code), Some("Q11"));
        assert_eq!(measure("gemm/tiled-f32 k=m=n=64.efficiency.mean").map(|m| m.code), Some("Q12"));
        assert_eq!(measure("temperature.max").map(|m| m.code), Some("Q25"));
        for unknown in [".rate.mean", "rate.mean", "memory.power.mean", "x.temperature.max", ""] {
            assert_eq!(measure(unknown), None, "{unknown}");
        }
        assert_eq!((phase("steps.rate.mean"), phase("gemm/x.rate.mean")), (Some(Phase::Steps), None));
        assert_eq!((prefix("gemm/x.rate.mean"), prefix("temperature.max")), (Some("gemm/x"), None));
        assert!(hint("arithmetic.rate.men").starts_with(": did you mean arithmetic.rate.mean"));
    }

    #[test]
    fn the_limits_that_the_table_of_checks_states_are_those_that_are_used() {
        let stated = |code: &str| catalogue::info(code).unwrap().limit;
        for (name, texts) in [
            (".rate.mean", ["3 % warns", "5 % fails"]),
            (".rate.p1", ["5 % warns", "10 % fails"]),
            (".efficiency.mean", ["4 % warns", "8 % fails"]),
            (".efficiency.p1", ["8 % warns", "15 % fails"]),
            ("temperature.rise_per_watt", ["15 % more warns", "30 % fails"]),
        ] {
            let measure = MEASURES.iter().find(|measure| measure.name == name).unwrap();
            for (tolerance, text) in [measure.warn, measure.fail].into_iter().zip(texts) {
                assert!(stated(measure.code).contains(text), "{name}: {text}");
                let percent = (tolerance.unwrap().relative * 100.0).round();
                assert!(text.starts_with(&format!("{percent} %")), "{name}: {text} {percent}");
            }
        }
        let limits = |id: &str| measure(id).unwrap().absolute;
        assert_eq!(
            (limits("throttle.thermal").warn_above, limits("throttle.thermal").fail_above),
            (Some(0.005), Some(0.05))
        );
        assert!(stated("Q20").contains("above 0.5 %") && stated("Q20").contains("above 5 %"));
        assert_eq!(
            (limits("throttle.hardware").warn_above, limits("throttle.hardware").fail_above),
            (Some(0.0), Some(0.01))
        );
        assert!(stated("Q21").contains("WARN above 0, FAIL above 1 %"));
        assert_eq!((limits("pcie.replays").warn_above, limits("pcie.replays").fail_above), (Some(10.0), Some(160.0)));
        assert!(stated("Q32").contains("WARN above 10, FAIL above 160"));
        let tolerance =
            |id: &str| (measure(id).unwrap().warn.unwrap().absolute, measure(id).unwrap().fail.map(|t| t.absolute));
        assert_eq!(tolerance("x.rate.jitter"), (0.01, Some(0.03)));
        assert_eq!(tolerance("temperature.max"), (7.0, Some(15.0)));
        assert_eq!(tolerance("power.limit.attainment"), (0.1, Some(0.2)));
        assert_eq!(tolerance("throttle.power-cap"), (0.2, None));
    }

    #[test]
    fn every_figure_has_its_check_and_every_code_stands_once() {
        assert!(MEASURES.iter().all(|measure| catalogue::info(measure.code).is_some()));
        let codes: Vec<&str> = catalogue::all().map(|check| check.code).collect();
        assert!(codes.is_sorted() && codes.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
