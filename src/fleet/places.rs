//! Racks and other labels: a place whose devices differ together from those elsewhere.
//!
//! What surprises people: a hot rack need not have one outlier. Ten devices that are each 3 K too warm are nothing one by one,
//! and a fan out of order together; so the medians of places are compared, with the scatter of a median.

use super::node::{DeviceEntry, Names, NodeRecord};
use super::reason::{Reason, Severity};
use super::rule::Measure;
use super::summary::{Options, Place, PlaceMetric};
use crate::stats::median;

/// From so many places on, one place is held against all devices rather than against those elsewhere: it is a small part.
const MANY: usize = 8;
/// With more places than this only the medians that are off are kept.
const KEPT: usize = 200;
/// Said of a record without the label.
pub const WITHOUT: &str = "(none)";

/// What a record says of where it stands.
pub(super) fn place_of(record: &NodeRecord, entry: &DeviceEntry, by: &str, names: &Names) -> String {
    match by {
        "host" => record.host.to_string(),
        "model" => names.groups().get(entry.group as usize).map_or_else(String::new, |group| group.model.clone()),
        _ => label(record, by, names).unwrap_or(WITHOUT).to_owned(),
    }
}

/// A label of a record.
pub fn label<'a>(record: &NodeRecord, key: &str, names: &'a Names) -> Option<&'a str> {
    let found = record.labels.iter().find(|(own, _)| names.text(*own) == key)?;
    Some(names.text(found.1))
}

/// All places with their medians, and what is off in them.
pub(super) fn places(
    entries: &[(&NodeRecord, &DeviceEntry, bool)],
    by: &str,
    names: &Names,
    options: &Options,
) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    let mut number = std::collections::HashMap::new();
    let mut of_entry = Vec::with_capacity(entries.len());
    for (record, entry, off) in entries {
        let name = place_of(record, entry, by, names);
        let index = *number.entry(name).or_insert_with_key(|name| {
            found.push(Place { name: name.clone(), devices: 0, off: 0, metrics: Vec::new(), reasons: Vec::new() });
            found.len() - 1
        });
        found[index].devices += 1;
        found[index].off += usize::from(*off);
        of_entry.push((index, *entry));
    }
    // With the entries in order of place the values of a place stand together, and need no number of their own.
    of_entry.sort_by_key(|(place, _)| *place);
    let keep = found.len() <= KEPT;
    let mut by_metric: Vec<ByPlace> = vec![ByPlace::default(); names.metrics().len()];
    for (place, entry) in of_entry {
        for value in &entry.values {
            by_metric[value.metric as usize].push(place, value.value);
        }
    }
    for (metric, values) in by_metric.iter().enumerate() {
        judge(metric, values, &mut found, names, options, keep);
    }
    for place in &mut found {
        place.reasons.sort_by(|a, b| b.score.total_cmp(&a.score));
        place.metrics.sort_by(|a, b| a.id.cmp(&b.id));
    }
    let score = |place: &Place| place.reasons.first().map_or(0.0, |reason| reason.score);
    found.sort_by(|a, b| {
        let share = |place: &Place| place.off as f64 / place.devices.max(1) as f64;
        score(b).total_cmp(&score(a)).then(share(b).total_cmp(&share(a))).then_with(|| a.name.cmp(&b.name))
    });
    found
}

/// Values of a metric, those of a place together.
#[derive(Debug, Clone, Default)]
struct ByPlace {
    values: Vec<f64>,
    /// Place, and how many values are its.
    runs: Vec<(usize, usize)>,
}

impl ByPlace {
    fn push(&mut self, place: usize, value: f64) {
        self.values.push(value);
        match self.runs.last_mut().filter(|(last, _)| *last == place) {
            Some((_, count)) => *count += 1,
            None => self.runs.push((place, 1)),
        }
    }
}

/// One metric over the places.
fn judge(metric: usize, values: &ByPlace, found: &mut [Place], names: &Names, options: &Options, keep: bool) {
    let key = &names.metrics()[metric];
    let measure = Measure::of(&key.id, &key.unit);
    let mut start = 0;
    for (place, count) in &values.runs {
        let (before, rest) = values.values.split_at(start);
        let (own, after) = rest.split_at(*count);
        start += count;
        let elsewhere;
        let others = if values.runs.len() >= MANY {
            &values.values
        } else {
            elsewhere = [before, after].concat();
            &elsewhere
        };
        let Some(middle) = median(own) else { continue };
        let place = &mut found[*place];
        let off = options.rule.judge_place(own, others, measure, key.better).filter(|_| key.better.is_some());
        if let Some(distance) = off {
            let mut reason = Reason::of_distance(key, middle, distance, measure, options.rule);
            reason.severity = Severity::Outlier;
            place.reasons.push(reason);
        }
        if keep || off.is_some() {
            let group = names.groups().get(key.group as usize).map_or_else(String::new, |group| group.model.clone());
            let metric =
                PlaceMetric { model: group, id: key.id.clone(), median: middle, unit: key.unit.clone(), n: own.len() };
            place.metrics.push(metric);
        }
    }
}
