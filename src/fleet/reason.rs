//! Why a device or a place is named, with the numbers.
//!
//! What surprises people: the order of gravity puts what a device's own qualification proved above what the fleet suggests.

use serde::Serialize;

use super::node::MetricKey;
use super::rule::{Distance, Measure, Rule};

/// Why a device is named, in order of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A metric of which neither way is better: said beside other reasons.
    Beside,
    /// A warning of its own qualification: names nobody alone.
    Warned,
    /// Far from the others.
    Outlier,
    /// Its own qualification failed.
    Failed,
    /// Uncorrected memory errors.
    MemoryError,
    /// It stopped before its end.
    Stopped,
    /// Wrong outputs.
    WrongOutput,
}

impl Severity {
    /// In a word or two.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Beside => "beside",
            Self::Warned => "warning",
            Self::Outlier => "outlier",
            Self::Failed => "failed",
            Self::MemoryError => "memory errors",
            Self::Stopped => "stopped",
            Self::WrongOutput => "wrong output",
        }
    }
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// Gravity.
    pub severity: Severity,
    /// Code of a check of its own qualification.
    pub code: Option<String>,
    /// Metric.
    pub metric: Option<String>,
    /// Its value.
    pub value: Option<f64>,
    /// Median that it was held against.
    pub median: Option<f64>,
    /// Unit of both.
    pub unit: String,
    /// Distance from the median in percent, points or kelvin.
    pub distance: Option<f64>,
    /// What the distance is in.
    pub distance_unit: &'static str,
    /// Robust score; `None` where it is infinite or does not apply.
    pub z: Option<f64>,
    /// Devices behind the median.
    pub n: usize,
    /// How many limits it is away: for the order.
    pub score: f64,
    /// In words.
    pub text: String,
}

impl Reason {
    pub(super) fn words(severity: Severity, metric: &str, text: &str) -> Self {
        Self {
            severity,
            code: None,
            metric: (!metric.is_empty()).then(|| metric.to_owned()),
            value: None,
            median: None,
            unit: String::new(),
            distance: None,
            distance_unit: "",
            z: None,
            n: 0,
            score: 0.0,
            text: text.to_owned(),
        }
    }

    pub(super) fn of_distance(key: &MetricKey, value: f64, found: Distance, measure: Measure, rule: Rule) -> Self {
        let sign = |by: f64| match measure {
            Measure::Count => format!("{by:+}"),
            _ => format!("{by:+.1} {}", measure.unit()),
        };
        let z = found.z.map_or_else(|| "z beyond all".to_owned(), score_words);
        let text = format!("{} {} from the median of {} ({z})", key.id, sign(found.by), found.n);
        let score = match measure {
            Measure::Count => found.z.unwrap_or(f64::MAX).abs() / rule.z,
            _ => found.by.abs() / rule.limit.max(f64::MIN_POSITIVE),
        };
        Self {
            value: Some(value),
            median: Some(found.median),
            unit: key.unit.clone(),
            distance: Some(found.by),
            distance_unit: measure.unit(),
            z: found.z,
            n: found.n,
            score,
            ..Self::words(Severity::Outlier, &key.id, &text)
        }
    }
}

/// Scores beyond this are told as such: where devices are nearly equal a score grows without meaning.
const MOST_SCORE: f64 = 1000.0;

/// A score in words: `z -4.2`; `z >1000`, `z <-1000` beyond what means anything. The number itself stays in JSON.
fn score_words(z: f64) -> String {
    match z {
        z if z > MOST_SCORE => format!("z >{MOST_SCORE}"),
        z if z < -MOST_SCORE => format!("z <-{MOST_SCORE}"),
        z => format!("z {z:+.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_without_meaning_is_capped_in_words() {
        assert_eq!(
            [-4.21, 1000.0, 4_411_689_131_834.0, -1e9].map(score_words),
            ["z -4.2", "z +1000.0", "z >1000", "z <-1000"]
        );
    }
}
