//! Devices of the same model in the same qualification as a reference.
//!
//! What surprises people: with one or two others nobody knows which one is the odd one, so that a difference only warns and
//! an agreement proves nothing; from three others on, their median decides.

use super::{Aside, Bench, Bound, around};
use crate::model::{Grade, Metric, Reference};
use crate::qualify::limits::Limits;
use crate::qualify::measures::Measure;
use crate::qualify::words;
use crate::stats::Robust;

/// Fewest others whose median says what is normal.
const ENOUGH: usize = 3;

/// What to do about a difference of which nobody knows whose it is.
const ANOTHER_REFERENCE: &str =
    "Give a profile or a history (--profile, --history): they tell which of the devices is the odd one.";

/// Limits of a figure by the other devices; `None` without any that measured the same thing.
pub fn bound(bench: &Bench<'_>, metric: &Metric, measure: &Measure, aside: &mut Aside) -> Option<Bound> {
    measure.warn?;
    let values: Vec<f64> = bench
        .peers
        .iter()
        .zip(&bench.peer_works)
        .filter_map(|(peer, works)| bench.like_value(metric, (works, &peer.metrics), "peers", aside))
        .collect();
    let robust = Robust::of(&values)?;
    let limits = if values.len() >= ENOUGH { around(&robust, measure)? } else { by_difference(&robust, measure)? };
    let enough = values.len() >= ENOUGH;
    let middle = words::number(measure, robust.median, &metric.unit);
    let relative = robust.relative(metric.value).map(|ratio| format!(", {} from it", words::change(ratio)));
    let z = robust.z(metric.value);
    let score = (enough && z.is_finite()).then(|| format!(", robust z {z:.1}"));
    Some(Bound {
        reference: Reference::Peers { devices: values.len() as u32 },
        limits,
        at_most: if enough { Grade::Fail } else { Grade::Warn },
        covers: enough,
        note: format!("median {middle}{}{}", relative.unwrap_or_default(), score.unwrap_or_default()),
        remedy: (!enough).then_some(ANOTHER_REFERENCE),
        caveat: (!enough).then(|| "fewer than three others cannot tell which device is the odd one".to_owned()),
    })
}

/// With too few for a spread: the difference that would fail, as a warning.
fn by_difference(robust: &Robust, measure: &Measure) -> Option<Limits> {
    let tolerance = measure.fail.or(measure.warn)?;
    Some(Limits::around(robust.median, tolerance.around(robust.median), None, measure.better))
}
