//! How the cases of a device came by their parameters, one line per tuned case.
//!
//! What surprises people: only parameters that differ from the default are named, and a ratio stands there only with two
//! turns or more of both sides behind it.

use super::number::compact_shape;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DataPattern, ElementType, Finalist, Objective, Shape, Trial, TrialOutcome};
    use crate::units::{Joules, Seconds};

    fn choice(variant: &str, bm: u64) -> Choice {
        let params = [("BM", bm), ("BN", 8)].map(|(name, value)| (name.to_owned(), value));
        Choice { variant: variant.to_owned(), params: params.into(), shader_sha256: String::new() }
    }

    fn finalist(choice: &Choice, cost: f64) -> Finalist {
        let costs = [cost * 0.99, cost, cost * 1.01];
        Finalist {
            choice: choice.clone(),
            times_s: costs.map(Seconds::new).to_vec(),
            energies_j: costs.map(Joules::new).to_vec(),
        }
    }

    fn tuning(chosen: Choice) -> Tuning {
        let default = choice("gemm/a", 32);
        Tuning {
            device: 0,
            problem: "gemm".to_owned(),
            element: ElementType::F32,
            shape: Shape::new([("m", 64), ("n", 64)]),
            pattern: DataPattern::Normal,
            objective: Objective::Speed,
            origin: TuningOrigin::Fresh,
            date: "2026-03-04T05:06:07Z".to_owned(),
            finalists: vec![finalist(&default, 3.0), finalist(&chosen, 2.0)],
            trials: vec![
                Trial { choice: default.clone(), outcome: TrialOutcome::Timed { samples_s: vec![] } },
                Trial { choice: choice("gemm/c", 1), outcome: TrialOutcome::Failed { message: "wrong".to_owned() } },
            ],
            default,
            chosen,
            untried: 0,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_tuned_case_names_what_changed_the_ratio_and_how_many_were_tried_and_failed() {
        let text = line(&tuning(choice("gemm/a", 64)));
        assert!(text.starts_with("gemm/a m=n=64: BM=64, 1.50 x default (±"), "{text}");
        assert!(text.ends_with(" %), 2 tried, 1 failed"), "{text}");
    }

    #[test]
    fn another_variant_a_kept_default_the_cache_and_the_objective_are_named() {
        let mut other = tuning(choice("gemm/b", 64));
        other.objective = Objective::Efficiency;
        other.origin = TuningOrigin::Cache;
        let text = line(&other);
        assert!(
            text.starts_with("gemm/b m=n=64: BM=64 BN=8 instead of gemm/a, 1.50 x default work per joule"),
            "{text}"
        );
        assert!(text.ends_with("1 failed, cached 2026-03-04"), "{text}");
        let kept = line(&tuning(choice("gemm/a", 32)));
        assert_eq!(kept, "gemm/a m=n=64: default kept, 2 tried, 1 failed");
    }
}
