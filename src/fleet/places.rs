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
    let mut by_metric: Vec<Vec<(u32, f64)>> = vec![Vec::new(); names.metrics().len()];
    for (record, entry, off) in entries {
        let name = place_of(record, entry, by, names);
        let index = *number.entry(name).or_insert_with_key(|name| {
            found.push(Place { name: name.clone(), devices: 0, off: 0, metrics: Vec::new(), reasons: Vec::new() });
            found.len() - 1
        });
        found[index].devices += 1;
        found[index].off += usize::from(*off);
        for value in &entry.values {
            by_metric[value.metric as usize].push((index as u32, value.value));
        }
    }
    let keep = found.len() <= KEPT;
    for (metric, mut values) in by_metric.into_iter().enumerate() {
        values.sort_by_key(|(place, _)| *place);
        judge(metric, &values, &mut found, names, options, keep);
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

/// One metric over the places, whose values stand together.
fn judge(metric: usize, values: &[(u32, f64)], found: &mut [Place], names: &Names, options: &Options, keep: bool) {
    let key = &names.metrics()[metric];
    let measure = Measure::of(&key.id, &key.unit);
    let runs: Vec<&[(u32, f64)]> = values.chunk_by(|a, b| a.0 == b.0).collect();
    let plain = |run: &[(u32, f64)]| run.iter().map(|(_, value)| *value).collect::<Vec<f64>>();
    let all = plain(values);
    for run in &runs {
        let own = plain(run);
        let elsewhere;
        let others = if runs.len() >= MANY {
            &all
        } else {
            elsewhere = values.iter().filter(|(place, _)| *place != run[0].0).map(|(_, value)| *value).collect();
            &elsewhere
        };
        let Some(middle) = median(&own) else { continue };
        let place = &mut found[run[0].0 as usize];
        let off = options.rule.judge_place(&own, others, measure, key.better).filter(|_| key.better.is_some());
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
