//! A verdict on each device of a node: its figures against a profile, its peers and its own past.
//!
//! Measuring is [`crate::measure::soak`]; the figures come from [`crate::measure::result::metrics`]. What surprises people:
//! nothing here looks at a peak; means and first percentiles over the whole time decide, and a device that nobody can say
//! what is normal for is INCONCLUSIVE, never a silent PASS.

pub mod catalogue;
mod checks;
mod identity;
mod limits;
mod measures;
pub mod profile;
mod references;
mod summary;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod words;
mod work;

pub use identity::same_board;
pub use limits::{Limits, Tolerance};
pub use profile::{LearnError, Profile, ProfileError, shipped};
pub use summary::{gravest, not_judged, overall, sentence, summary, wrong_outputs};

use std::cmp::Reverse;

use crate::measure::result::metrics::DeviceFindings;
use crate::model::{CheckOutcome, Grade, Qualification, QualifiedDevice, RunStatus};
use crate::units::Seconds;

/// What findings are held against.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// The profile that the user gave. Without one, a shipped profile that fits the device is taken, if there is one.
    pub profile: Option<Profile>,
    /// Earlier qualifications, of these devices or others, in any order.
    pub history: Vec<Qualification>,
    /// How this qualification went; `None` if that is not known.
    pub occasion: Option<Occasion>,
}

/// The qualification that is being judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Occasion {
    /// Its identifier: it is no history of itself.
    pub id: String,
    /// UTC time of its start, RFC 3339: later ones are no history of it. Empty if unknown.
    pub started: String,
    /// Host name: a board without serial number is known by host and PCI address.
    pub host: String,
    /// How it ended; `running` while it runs.
    pub status: RunStatus,
    /// Length of load that was asked for.
    pub planned: Seconds,
    /// Length of load that was measured.
    pub measured: Seconds,
}

/// Judges every device.
///
/// Limits come from the profile, from the devices of the same model among the findings, and from earlier qualifications of
/// the same board; the strictest finding speaks, and its text names the others. A figure that is missing makes a check
/// inconclusive where a verdict needs it or a reference has it, and is never taken for zero.
pub fn judge(findings: &[DeviceFindings], references: &References) -> Vec<QualifiedDevice> {
    (0..findings.len()).map(|index| judge_one(findings, index, references)).collect()
}

fn judge_one(all: &[DeviceFindings], index: usize, references: &References) -> QualifiedDevice {
    let own = &all[index];
    let bench = references::Bench::new(all, index, references);
    let mut found: Vec<CheckOutcome> = Vec::new();
    found.extend(checks::outputs(own, &bench));
    let (figures, aside) = checks::figures(own, &bench);
    found.extend(figures);
    found.push(checks::comparable(&bench, &aside));
    found.push(checks::completeness(own, references.occasion.as_ref(), &found, &bench.known_figures()));
    found.sort_by(|a, b| (Reverse(a.grade), &a.code, &a.metric).cmp(&(Reverse(b.grade), &b.code, &b.metric)));
    let grade = found.iter().map(|check| check.grade).max().unwrap_or(Grade::Inconclusive);
    QualifiedDevice {
        device: own.device.clone(),
        identity: own.identity.clone(),
        work: own.work.clone(),
        metrics: own.metrics.clone(),
        outputs: own.outputs.clone(),
        checks: found,
        grade,
    }
}
