//! How the cases of a device came by their parameters, one line per tuned case.
//!
//! What surprises people: only parameters that differ from the default are named, and a ratio stands there only with two
//! turns or more of both sides behind it.

use super::compact_shape;
use crate::model::{Choice, RunRecord, Tuning, TuningOrigin};

/// One text per tuned case of a device.
pub(super) fn lines(record: &RunRecord, device: u32) -> Vec<String> {
    record.tunings.iter().filter(|tuning| tuning.device == device).map(line).collect()
}

fn line(tuning: &Tuning) -> String {
    let what = if tuning.keeps_default() {
        "default kept".to_owned()
    } else {
        let changes = changes(&tuning.chosen, &tuning.default);
        match tuning.gain() {
            Some(gain) => {
                let width = (gain.log_half_width.exp() - 1.0) * 100.0;
                let of = if tuning.objective == Default::default() { "" } else { " work per joule" };
                format!("{changes}, {:.2} x default{of} (±{width:.1} %)", gain.ratio)
            }
            None => changes,
        }
    };
    let origin = match tuning.origin {
        TuningOrigin::Fresh => String::new(),
        TuningOrigin::Cache => format!(", cached {}", tuning.date.split('T').next().unwrap_or_default()),
    };
    let shape = compact_shape(&tuning.shape);
    let (tried, failed) = (tuning.trials.len(), tuning.failed());
    format!("{} {shape}: {what}, {tried} tried, {failed} failed{origin}", tuning.chosen.variant)
}

/// Parameters that differ from the default's; all of another variant's.
fn changes(chosen: &Choice, default: &Choice) -> String {
    if chosen.variant != default.variant {
        return format!("{} instead of {}", chosen.params_text(), default.variant).trim_start().to_owned();
    }
    let changed = chosen.params.iter().filter(|(name, value)| default.params.get(*name) != Some(*value));
    changed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
