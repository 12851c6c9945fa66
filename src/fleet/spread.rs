//! One metric over all devices that may be compared: what the charts of a fleet show.
//!
//! Texts are borrowed from what was gathered, and one metric is looked at at a time, so that 100 000 devices stay small. What
//! surprises people: from the records themselves only the intervals of the worst devices are read again, for intervals are not kept.

use std::collections::HashSet;

use serde::Deserialize;

use super::gather::Gathered;
use super::node::{DeviceEntry, GroupKey, NodeRecord};
use super::places::{WITHOUT, label};
use super::rule::{Distance, FEW, Measure, Rule, distance};
use super::select::select;
use super::summary::{Fleet, FleetMetric, Options};
use crate::model::{Better, Evidence, Scope};
use crate::stats::Robust;

/// Largest record that is read again, in bytes; the same limit as for reading a qualification first.
const AGAIN_LIMIT: u64 = 16 << 20;

/// One metric over the devices of a group that did like work, worst first.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread<'a> {
    /// Name of the metric.
    pub id: &'a str,
    /// Unit symbol.
    pub unit: &'a str,
    /// How its energy came about.
    pub evidence: Option<Evidence>,
    /// What its watts include.
    pub scope: Option<Scope>,
    /// Which way is better.
    pub better: Option<Better>,
    /// What the devices have in common.
    pub group: &'a GroupKey,
    /// Median and robust scatter, in the metric's unit.
    pub robust: Robust,
    /// When a device is named.
    pub rule: Rule,
    /// What places are, if devices are put together.
    pub by: Option<&'a str>,
    /// Devices, worst first; where neither way is better, farthest from the median first.
    pub devices: Vec<SpreadDevice<'a>>,
}

/// One device of a spread.
#[derive(Debug, Clone, PartialEq)]
pub struct SpreadDevice<'a> {
    /// Node.
    pub node: &'a str,
    /// Number in the node.
    pub ordinal: u32,
    /// What tells it from others.
    pub identity: &'a str,
    /// Its record.
    pub path: &'a str,
    /// Its rack or other place.
    pub place: Option<&'a str>,
    /// Value in the metric's unit.
    pub value: f64,
    /// Bounds of its interval, where they were read.
    pub interval: Option<(f64, f64)>,
    /// Distance from the median; `None` where there is none, as a percentage of 0.
    pub distance: Option<Distance>,
    /// True if this metric names it.
    pub outlier: bool,
}

/// A value beyond which devices are named, if they are beyond the other one too.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// Value in the metric's unit.
    pub value: f64,
    /// What it is: `−5 %`, `z −3.5`.
    pub word: String,
    /// True for the farther of the two: it decides.
    pub decides: bool,
}

impl Spread<'_> {
    /// What distances are measured in.
    pub fn measure(&self) -> Measure {
        Measure::of(self.id, self.unit)
    }

    /// Devices that this metric names.
    pub fn outliers(&self) -> usize {
        self.devices.iter().filter(|device| device.outlier).count()
    }

    /// The limits as values, on each side that is not better. With fewer than 8 devices each is held against the others, so that
    /// there is no common limit, and nothing is returned.
    pub fn bounds(&self) -> Vec<Bound> {
        if self.robust.n < FEW {
            return Vec::new();
        }
        let (median, measure) = (self.robust.median, self.measure());
        let limit = match measure {
            Measure::Percent => (median != 0.0).then(|| median.abs() * self.rule.limit / 100.0),
            Measure::Points => Some(self.rule.limit / 100.0),
            Measure::Kelvin => Some(self.rule.limit),
            Measure::Count => None,
        };
        let sigma = match measure {
            Measure::Count => self.robust.sigma.max(median.max(1.0).sqrt()),
            _ => self.robust.sigma,
        };
        let score = (sigma > 0.0).then_some(sigma * self.rule.z);
        let far = limit.unwrap_or(0.0).max(score.unwrap_or(0.0));
        let sides: &[f64] = match self.better {
            Some(Better::Higher) => &[-1.0],
            Some(Better::Lower) => &[1.0],
            None => &[-1.0, 1.0],
        };
        let mut found = Vec::new();
        for side in sides {
            let sign = if *side < 0.0 { "−" } else { "+" };
            let unit = measure.unit();
            for (by, word) in
                [(limit, format!("{sign}{} {unit}", self.rule.limit)), (score, format!("z {sign}{}", self.rule.z))]
            {
                found.extend(by.map(|by| Bound { value: median + side * by, word, decides: by >= far }));
            }
        }
        found
    }
}

/// The metrics that say most of a fleet, per group: a rate, an efficiency, the rise of temperature per watt (or the highest
/// temperature), and those that name devices, most first; at most `most` of a group.
pub fn headline(fleet: &Fleet, most: usize) -> Vec<&FleetMetric> {
    let mut found: Vec<&FleetMetric> = Vec::new();
    for group in 0..fleet.groups.len() {
        let own: Vec<&FleetMetric> = fleet.metrics.iter().filter(|metric| metric.group == group).collect();
        let best = |ends: &str| {
            let fitting = own.iter().filter(|metric| metric.id.ends_with(ends)).copied();
            // Of metrics with like many devices the first phase, arithmetic, stands for all.
            fitting
                .min_by_key(|metric| (std::cmp::Reverse(metric.n), !metric.id.starts_with("arithmetic."), &metric.id))
        };
        let heat = best("temperature.rise_per_watt").or_else(|| best("temperature.max"));
        let mut chosen: Vec<&FleetMetric> =
            [best(".rate.mean"), best(".efficiency.mean"), heat].into_iter().flatten().collect();
        let mut naming: Vec<&FleetMetric> =
            own.iter().copied().filter(|metric| metric.outliers > 0 && metric.better.is_some()).collect();
        naming.sort_by_key(|metric| std::cmp::Reverse(metric.outliers));
        for metric in naming {
            if chosen.len() < most && !chosen.iter().any(|known| known.number == metric.number) {
                chosen.push(metric);
            }
        }
        found.extend(chosen);
    }
    found
}

/// Calls `each` with every asked metric, one after the other; the worst `read_again` devices have their intervals.
pub fn spreads<'a>(
    gathered: &'a Gathered,
    options: &'a Options,
    metrics: &[&FleetMetric],
    read_again: usize,
    each: &mut dyn FnMut(&Spread<'a>),
) {
    let (records, names) = (&gathered.records, &gathered.names);
    let selected = select(records, options.all);
    for metric in metrics {
        let Some(key) = names.metrics().get(metric.number as usize) else { continue };
        let of = |(record, device): &(usize, usize)| {
            let (record, entry): (&NodeRecord, &DeviceEntry) = (&records[*record], &records[*record].devices[*device]);
            let value = entry.values.iter().find(|value| value.metric == metric.number)?.value;
            Some((record, entry, value))
        };
        let found: Vec<(&NodeRecord, &DeviceEntry, f64)> = selected.entries.iter().filter_map(of).collect();
        let values: Vec<f64> = found.iter().map(|(_, _, value)| *value).collect();
        let (Some(robust), Some(group)) = (Robust::of(&values), names.groups().get(key.group as usize)) else {
            continue;
        };
        let measure = Measure::of(&key.id, &key.unit);
        let device = |(record, entry, value): (&'a NodeRecord, &'a DeviceEntry, f64)| SpreadDevice {
            node: &record.host,
            ordinal: entry.ordinal,
            identity: names.text(entry.identity),
            path: &record.path,
            place: options.by.as_deref().map(|by| match by {
                "host" => &*record.host,
                "model" => group.model.as_str(),
                _ => label(record, by, names).unwrap_or(WITHOUT),
            }),
            value,
            interval: None,
            distance: distance(value, &robust, measure),
            outlier: options.rule.judge(&values, value, &robust, measure, key.better).is_some(),
        };
        let mut devices: Vec<SpreadDevice<'a>> = found.into_iter().map(device).collect();
        worst_first(&mut devices, key.better, robust.median);
        if group.kind == "qualification" && !matches!(key.evidence, Some(Evidence::Declared | Evidence::Estimated)) {
            devices.iter_mut().take(read_again).for_each(|device| device.interval = interval(device, &key.id));
        }
        each(&Spread {
            id: &key.id,
            unit: &key.unit,
            evidence: key.evidence,
            scope: key.scope,
            better: key.better,
            group,
            robust,
            rule: options.rule,
            by: options.by.as_deref(),
            devices,
        });
    }
}

/// Sorts devices: the worst first, equal ones by their names.
pub fn worst_first(devices: &mut [SpreadDevice<'_>], better: Option<Better>, median: f64) {
    let badness = |device: &SpreadDevice<'_>| match better {
        Some(Better::Higher) => -device.value,
        Some(Better::Lower) => device.value,
        None => (device.value - median).abs(),
    };
    devices.sort_by(|a, b| badness(b).total_cmp(&badness(a)).then((a.node, a.ordinal).cmp(&(b.node, b.ordinal))));
}

/// True if a node has several devices among these, so that its name alone names none.
pub fn numbered(devices: &[SpreadDevice<'_>]) -> bool {
    let mut seen = HashSet::with_capacity(devices.len());
    devices.iter().any(|device| !seen.insert(device.node))
}

#[derive(Deserialize)]
struct Intervals {
    devices: Vec<IntervalsOfDevice>,
}

#[derive(Deserialize)]
struct IntervalsOfDevice {
    device: Ordinal,
    metrics: Vec<IntervalOfMetric>,
}

#[derive(Deserialize)]
struct Ordinal {
    ordinal: u32,
}

#[derive(Deserialize)]
struct IntervalOfMetric {
    id: String,
    #[serde(default)]
    interval: Option<(f64, f64)>,
}

/// The interval of a metric from its record; `None` where there is none, or where the record is gone by now.
fn interval(device: &SpreadDevice<'_>, id: &str) -> Option<(f64, f64)> {
    let size = std::fs::metadata(device.path).ok().filter(std::fs::Metadata::is_file)?.len();
    if size > AGAIN_LIMIT {
        return None;
    }
    let read: Intervals = serde_json::from_slice(&std::fs::read(device.path).ok()?).ok()?;
    let own = read.devices.into_iter().find(|own| own.device.ordinal == device.ordinal)?;
    let (low, high) = own.metrics.into_iter().find(|metric| metric.id == id)?.interval?;
    (low.is_finite() && high.is_finite() && low <= device.value && device.value <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> GroupKey {
        GroupKey {
            model: "X".into(),
            simulated: false,
            kind: "qualification",
            class: String::new(),
            tool: "0.1".into(),
        }
    }

    fn spread<'a>(
        group: &'a GroupKey,
        id: &'a str,
        unit: &'a str,
        better: Option<Better>,
        robust: Robust,
    ) -> Spread<'a> {
        let rule = Rule::default();
        Spread { id, unit, evidence: None, scope: None, better, group, robust, rule, by: None, devices: Vec::new() }
    }

    #[test]
    fn limits_stand_on_the_worse_side_and_the_farther_one_decides() {
        let group = group();
        // Median 100, sigma 1: 5 % is 5 below, 3.5 sigmas are 3.5 below.
        let robust = Robust { median: 100.0, sigma: 1.0, n: 20 };
        let found = spread(&group, "a.rate.mean", "W", Some(Better::Higher), robust).bounds();
        let shown: Vec<(f64, &str, bool)> = found.iter().map(|b| (b.value, b.word.as_str(), b.decides)).collect();
        assert_eq!(shown, [(95.0, "−5 %", true), (96.5, "z −3.5", false)]);
        // Sigma 2: 3.5 sigmas are 7 above and decide against 5 K; without a better side both sides have limits.
        let robust = Robust { median: 70.0, sigma: 2.0, n: 20 };
        let found = spread(&group, "temperature.max", "°C", Some(Better::Lower), robust).bounds();
        let shown: Vec<(f64, &str, bool)> = found.iter().map(|b| (b.value, b.word.as_str(), b.decides)).collect();
        assert_eq!(shown, [(75.0, "+5 K", false), (77.0, "z +3.5", true)]);
        assert_eq!(spread(&group, "power.mean", "W", None, robust).bounds().len(), 4);
    }

    #[test]
    fn equal_values_have_no_score_a_median_of_zero_no_percentage_and_few_devices_no_common_limit() {
        let group = group();
        let of = |median: f64, sigma: f64, n: usize, unit: &'static str, id: &'static str| {
            let robust = Robust { median, sigma, n };
            let found = spread(&group, id, unit, Some(Better::Lower), robust).bounds();
            found.into_iter().map(|bound| bound.value).collect::<Vec<_>>()
        };
        assert_eq!(of(10.0, 0.0, 20, "W", "x.power"), [10.5]);
        assert_eq!(of(0.0, 2.0, 20, "W", "x.power"), [7.0]);
        assert_eq!(of(10.0, 1.0, 7, "W", "x.power"), [0.0; 0]);
        // A count of none on all devices: the Poisson scatter is taken as 1.
        assert_eq!(of(0.0, 0.0, 20, "1", "ecc.corrected"), [3.5]);
    }

    #[test]
    fn the_worst_stands_first_and_a_node_with_two_devices_asks_for_numbers() {
        let device = |node: &'static str, ordinal: u32, value: f64| SpreadDevice {
            node,
            ordinal,
            identity: "",
            path: "",
            place: None,
            value,
            interval: None,
            distance: None,
            outlier: false,
        };
        let mut devices = vec![device("b", 0, 2.0), device("a", 0, 5.0), device("b", 1, 9.0)];
        assert!(numbered(&devices) && !numbered(&devices[..2]));
        let mut order = |better: Option<Better>| {
            worst_first(&mut devices, better, 8.0);
            devices.iter().map(|device| device.value).collect::<Vec<_>>()
        };
        assert_eq!(order(Some(Better::Higher)), [2.0, 5.0, 9.0]);
        assert_eq!(order(Some(Better::Lower)), [9.0, 5.0, 2.0]);
        assert_eq!(order(None), [2.0, 5.0, 9.0]);
    }
}
