//! What one device is held against: profile, peers and history, as limits of each of its figures.
//!
//! What surprises people: a reference that measured something else is not bent to fit; it is set aside, and the reason is
//! told by Q40.

mod history;
mod peers;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::identity::{driver, same_model};
use super::limits::Limits;
use super::measures::Measure;
use super::profile::{Profile, shipped};
use super::work::{Works, unlike_figures, unlike_work, works};
use super::{References, words};
use crate::measure::result::metrics::DeviceFindings;
use crate::model::{Evidence, Grade, Metric, QualifiedDevice, Reference};
use crate::stats::Robust;

/// Scatter beyond which a reference's own spread widens the tolerance: warn.
const WARN_SIGMAS: f64 = 2.5;
/// The same for a failure: the usual cut of the modified z-score (Iglewicz and Hoaglin 1993).
const FAIL_SIGMAS: f64 = 3.5;

/// Windows from which on a hundredth of them is at least one.
const ENOUGH_FOR_PERCENTILE: u64 = 100;

/// What to do about a warning that rests on energy that was not measured.
const MEASURE: &str = "The device may be used. Give it a measured power source (wattmark doctor says what is missing).";
/// What to do about a warning that rests on few windows.
const RUN_LONGER: &str = "The device may be used. Run longer (--duration), so that a percentile means something.";
/// What to do about a warning by a profile of another driver.
const LEARN_ANEW: &str = "The device may be used. Learn the profile anew with this driver, and qualify against that.";

/// Limits of one figure by one reference.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The reference.
    pub reference: Reference,
    /// The limits.
    pub limits: Limits,
    /// The gravest grade that it may give.
    pub at_most: Grade,
    /// True if it says what is normal: a value within its limits may pass.
    pub covers: bool,
    /// What the reference holds, with numbers.
    pub note: String,
    /// What limits its weight, where something does.
    pub caveat: Option<String>,
    /// What would give it more weight, where a warning rests on that.
    pub remedy: Option<&'static str>,
}

impl Bound {
    /// From now on it warns at most, for this reason and with this way out.
    fn cap(&mut self, why: &str, remedy: &'static str) {
        self.at_most = Grade::Warn;
        self.remedy = Some(remedy);
        self.caveat = Some(self.caveat.take().map_or_else(|| why.to_owned(), |caveat| format!("{caveat}; {why}")));
    }
}

/// A reference that could not be used for a figure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetAside {
    /// `profile h200`, `peers`, `history`.
    pub reference: String,
    /// Why.
    pub reason: String,
}

/// References that were set aside, each reason once.
pub type Aside = BTreeSet<SetAside>;

/// A device and all that it can be held against.
pub struct Bench<'a> {
    /// Other devices of its model in the same qualification.
    pub peers: Vec<&'a DeviceFindings>,
    /// The same board in earlier qualifications, oldest first, with their start.
    pub history: Vec<(&'a str, &'a QualifiedDevice)>,
    /// The profile that fits it.
    pub profile: Option<Profile>,
    /// Why the profile that the user gave does not fit.
    pub misfit: Option<String>,
    /// References that were set aside as a whole.
    pub early: Aside,
    works: Works,
    /// Work of the peers, in their order.
    peer_works: Vec<Works>,
    /// Work of the earlier qualifications, in their order.
    past_works: Vec<Works>,
    /// Seconds of load that were measured, where known.
    load: Option<f64>,
}

impl<'a> Bench<'a> {
    /// Finds the references of one device among all.
    pub fn new(all: &'a [DeviceFindings], index: usize, references: &'a References) -> Self {
        let own = &all[index];
        let others = all.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| other);
        let (profile, misfit) = match &references.profile {
            Some(given) => match given.fits(&own.device) {
                Ok(()) => (Some(given.clone()), None),
                Err(reason) => (None, Some(reason)),
            },
            None => (shipped().into_iter().find(|profile| profile.fits(&own.device).is_ok()), None),
        };
        let (history, short) = history::of(own, references);
        let reason = format!("{} with less than half of this load", words::count(short, "run"));
        let early = (short > 0).then(|| SetAside { reference: "history".to_owned(), reason });
        let peers: Vec<&DeviceFindings> = others.filter(|other| same_model(&own.device, &other.device)).collect();
        Self {
            peer_works: peers.iter().map(|peer| works(&peer.work)).collect(),
            past_works: history.iter().map(|(_, past)| works(&past.work)).collect(),
            peers,
            history,
            profile,
            misfit,
            early: early.into_iter().collect(),
            load: references.occasion.as_ref().map(|occasion| occasion.measured.get()),
            works: works(&own.work),
        }
    }

    /// Limits of a figure by every reference that measured the same thing; the others go to `aside`, with the reason.
    pub fn bounds(&self, own: &DeviceFindings, metric: &Metric, measure: &Measure, aside: &mut Aside) -> Vec<Bound> {
        let mut bounds: Vec<Bound> = Vec::new();
        if !measure.absolute.is_empty() {
            bounds.push(Bound {
                reference: Reference::Absolute,
                limits: measure.absolute,
                at_most: Grade::Fail,
                covers: true,
                note: String::new(),
                caveat: None,
                remedy: None,
            });
        }
        bounds.extend(self.profile_bound(own, metric, measure, aside));
        bounds.extend(peers::bound(self, metric, measure, aside));
        bounds.extend(history::bounds(self, own, metric, measure, aside));
        let estimated = metric.evidence.is_some_and(|evidence| evidence != Evidence::Measured);
        let few = measure.percentile && metric.n < ENOUGH_FOR_PERCENTILE;
        let few_windows = format!("{} are too few for a percentile to fail", words::count(metric.n as usize, "window"));
        for bound in bounds.iter_mut().filter(|bound| bound.at_most == Grade::Fail) {
            if estimated {
                bound.cap("its energy was not measured", MEASURE);
            } else if few {
                bound.cap(&few_windows, RUN_LONGER);
            }
        }
        bounds
    }

    fn profile_bound(
        &self,
        own: &DeviceFindings,
        metric: &Metric,
        measure: &Measure,
        aside: &mut Aside,
    ) -> Option<Bound> {
        let profile = self.profile.as_ref()?;
        let limit = profile.limits.get(&metric.id)?;
        let unlike = unlike_work(&self.works, &profile.work, &metric.id)
            .or_else(|| unlike_figures(metric, &limit.unit, limit.scope.as_deref(), limit.evidence.as_deref()));
        if let Some(reason) = unlike {
            put_aside(aside, &format!("profile {}", profile.name), &metric.id, &reason);
            return None;
        }
        let known_driver = profile.drivers.is_empty() || profile.drivers.contains(&driver(&own.device));
        let middle = limit.median.map(|median| format!("median {}", words::number(measure, median, &metric.unit)));
        let basis = words::count(profile.devices as usize, "device");
        Some(Bound {
            reference: Reference::Profile { name: profile.name.clone() },
            limits: limit.limits,
            at_most: Grade::Fail,
            covers: true,
            note: middle.map_or_else(|| basis.clone(), |middle| format!("{middle} of {basis}")),
            remedy: (!known_driver).then_some(LEARN_ANEW),
            caveat: self.profile_caveat(profile, known_driver),
        })
    }

    /// What weakens a profile for this device.
    fn profile_caveat(&self, profile: &Profile, known_driver: bool) -> Option<String> {
        let driver = format!("it was learned with another driver: {}", words::list(&profile.drivers, 2));
        let short = profile.load_s.zip(self.load).filter(|(learned, own)| *learned < history::LEAST_LOAD * own);
        let short =
            short.map(|(learned, own)| format!("it was learned from {learned:.0} s of load, and this was {own:.0} s"));
        let caveats: Vec<String> = (!known_driver).then_some(driver).into_iter().chain(short).collect();
        (!caveats.is_empty()).then(|| caveats.join("; "))
    }

    /// Names of figures that a reference has.
    pub fn known_figures(&self) -> BTreeSet<&str> {
        let profile = self.profile.iter().flat_map(|profile| profile.limits.keys().chain(&profile.told));
        let profile = profile.map(String::as_str);
        let peers = self.peers.iter().flat_map(|peer| peer.metrics.iter().map(|metric| metric.id.as_str()));
        let history = self.history.iter().flat_map(|(_, past)| past.metrics.iter().map(|metric| metric.id.as_str()));
        profile.chain(peers).chain(history).collect()
    }

    /// True if nothing at all could say what is normal.
    pub fn is_empty(&self) -> bool {
        self.profile.is_none() && self.peers.is_empty() && self.history.is_empty()
    }

    /// The value of a figure elsewhere, if it counts the same thing; else it is set aside under this name.
    fn like_value(
        &self,
        metric: &Metric,
        (work, metrics): (&Works, &[Metric]),
        reference: &str,
        aside: &mut Aside,
    ) -> Option<f64> {
        let other = metrics.iter().find(|other| other.id == metric.id && other.value.is_finite())?;
        let (scope, evidence) = (other.scope.map(|s| s.to_string()), other.evidence.map(|e| e.to_string()));
        let unlike = unlike_work(&self.works, work, &metric.id)
            .or_else(|| unlike_figures(metric, &other.unit, scope.as_deref(), evidence.as_deref()));
        match unlike {
            None => Some(other.value),
            Some(reason) => {
                put_aside(aside, reference, &metric.id, &reason);
                None
            }
        }
    }
}

/// Limits around the middle of a sample: the tolerance, or the sample's own spread where that is wider.
fn around(robust: &Robust, measure: &Measure) -> Option<Limits> {
    let warn = measure.warn?.around(robust.median).max(WARN_SIGMAS * robust.sigma);
    let fail = measure.fail.map(|fail| fail.around(robust.median).max(FAIL_SIGMAS * robust.sigma).max(warn));
    Some(Limits::around(robust.median, warn, fail, measure.better))
}

/// Notes that a reference does not count the same thing.
fn put_aside(aside: &mut Aside, reference: &str, id: &str, reason: &str) {
    let what = super::measures::prefix(id).unwrap_or(id);
    aside.insert(SetAside { reference: reference.to_owned(), reason: format!("{what}: {reason}") });
}
