//! Charts of a fleet on ordinary and on awkward input, with positions and limits worked by hand.

use super::*;
use crate::figure::{Cell, Panel, StripPanel, svg};
use crate::fleet::{GroupKey, Rule, distance, worst_first};
use crate::model::Evidence;
use crate::stats::{Robust, SplitMix64};

fn group() -> GroupKey {
    let class = "5 min to 1 h".to_owned();
    GroupKey { model: "NVIDIA H200".into(), simulated: false, kind: "qualification", class, tool: "0.1".into() }
}

struct Fleet {
    group: GroupKey,
    nodes: Vec<String>,
    places: Vec<String>,
    values: Vec<f64>,
}

impl Fleet {
    fn of(values: &[f64]) -> Self {
        let nodes = (0..values.len()).map(|number| format!("n{number:03}")).collect();
        let places = (0..values.len()).map(|number| format!("r{}", number % 4)).collect();
        Self { group: group(), nodes, places, values: values.to_vec() }
    }

    fn spread(&self, by: Option<&'static str>) -> Spread<'_> {
        let rule = Rule::default();
        let robust = Robust::of(&self.values).unwrap_or(Robust { median: f64::NAN, sigma: f64::NAN, n: 0 });
        let better = Some(Better::Higher);
        let device = |number: usize| {
            let value = self.values[number];
            SpreadDevice {
                node: &self.nodes[number],
                ordinal: 0,
                identity: "uuid X",
                path: "",
                place: by.map(|_| self.places[number].as_str()),
                value,
                interval: None,
                distance: distance(value, &robust, Measure::Percent),
                outlier: rule.judge(&self.values, value, &robust, Measure::Percent, better).is_some(),
            }
        };
        let mut devices: Vec<SpreadDevice<'_>> = (0..self.values.len()).map(device).collect();
        worst_first(&mut devices, better, robust.median);
        let evidence = Some(Evidence::Measured);
        let (id, unit) = ("arithmetic.efficiency.mean", "FLOP/J");
        Spread { id, unit, evidence, scope: None, better, group: &self.group, robust, rule, by, devices }
    }
}

fn panel(figure: &Figure) -> &StripPanel {
    let Some(Panel::Strips(panel)) = figure.panels.first() else { panic!("{:?}", figure.panels) };
    panel
}

fn both(fleet: &Fleet, by: Option<&'static str>) -> [Figure; 2] {
    let spread = fleet.spread(by);
    [fleet_distribution(&spread), fleet_rank(&spread)]
}

/// Nineteen values from 98 to 102 in steps of a quarter around 100, and one at 80.
fn one_sick() -> Fleet {
    let mut values: Vec<f64> = (0..19).map(|i| 98.0 + f64::from(i % 17) * 0.25).collect();
    values.push(80.0);
    Fleet::of(&values)
}

#[test]
fn limits_stand_where_the_rule_says_and_the_sick_device_is_named() {
    let fleet = one_sick();
    let [distribution, rank] = both(&fleet, None);
    // Sorted: 80, 98, 98, 98.25, 98.25, 98.5, ... in quarters; the 10th and 11th of 20 are 99.5 and 99.75, the median 99.625.
    let shown = panel(&distribution);
    let lines: Vec<(f64, StripLineKind)> = shown.lines.iter().map(|line| (line.value, line.kind)).collect();
    assert_eq!(lines[0], (99.625, StripLineKind::Median));
    // 5 % of 99.625 is 4.98125.
    assert!((lines[1].0 - 94.643_75).abs() < 1e-9, "{lines:?}");
    // Deviations 0.125 (2), 0.375 (2), 0.625 (2), 0.875 (2), 1.125 (2), ... in pairs: the 10th and 11th are 1.125 and 1.375
    // (two at 98.25 and 98.5 twice each make them four), so 3.5 sigmas lie beyond 5 %.
    let sigma = fleet.spread(None).robust.sigma;
    assert!((lines[2].0 - (99.625 - 3.5 * sigma)).abs() < 1e-9, "{lines:?}");
    assert_eq!(
        (lines[1].1 == StripLineKind::Limit, lines[2].1 == StripLineKind::Limit),
        (3.5 * sigma <= 4.98125, 3.5 * sigma > 4.98125)
    );
    assert!(shown.lines[1].text.starts_with("−5 %: 94.64 FLOP/J"), "{}", shown.lines[1].text);
    let row = &shown.rows[0];
    assert_eq!((row.dots.len(), row.marks.len(), row.marks[0].name.as_str()), (19, 1, "n019"));
    assert_eq!(panel(&rank).rows[0].label, "1. n019");
    // 80 over 99.625 is 0.80301: 19.7 % below.
    assert_eq!(panel(&rank).rows[0].value, "80.00  −19.7 %");
    assert!(rank.alt.contains("n019 with 80.00 FLOP/J stands first"), "{}", rank.alt);
}

#[test]
fn the_table_holds_exactly_what_is_drawn() {
    let [distribution, rank] = both(&one_sick(), None);
    let what = |figure: &Figure, name: &str| figure.table.rows.iter().filter(|row| row[0] == Cell::from(name)).count();
    assert_eq!((what(&distribution, "device"), what(&distribution, "device beyond the limits")), (19, 1));
    assert_eq!((what(&distribution, "median"), what(&distribution, "limit −5 %")), (1, 1));
    // Twenty devices, median, two limits.
    assert_eq!(rank.table.rows.len(), 23);
    assert!(rank.csv().starts_with("rank,node,device,identity,place,value,"));
}

#[test]
fn an_empty_fleet_one_device_and_equal_values_are_drawn_without_a_nan() {
    for values in [vec![], vec![5e10], vec![5e10; 40], vec![0.0; 12], vec![1.0, 2.0]] {
        for figure in both(&Fleet::of(&values), Some("rack")) {
            let drawn = svg::render(&figure).unwrap();
            let all = format!("{drawn}{}{}{}", figure.csv(), figure.caption, figure.notes.join(" "));
            assert!(!all.contains("NaN") && !all.contains("inf"), "{}: {all}", values.len());
            assert_eq!(figure.is_empty(), values.is_empty());
        }
    }
    let alone = &both(&Fleet::of(&[5e10]), None)[0];
    assert!(alone.notes.iter().any(|note| note.contains("fewer than three")), "{:?}", alone.notes);
}

#[test]
fn a_row_for_each_rack_has_its_own_median_and_many_places_share_one_row() {
    let mut fleet = one_sick();
    let [distribution, _] = both(&fleet, Some("rack"));
    let rows = &panel(&distribution).rows;
    assert_eq!(rows.len(), 4);
    let medians: Vec<f64> = rows.iter().map(|row| row.median.unwrap()).collect();
    assert!(medians.windows(2).all(|pair| pair[0] <= pair[1]), "{medians:?}");
    assert!(rows.iter().all(|row| row.value == "n = 5"));
    fleet = Fleet::of(&[1.0; 50]);
    fleet.places = fleet.nodes.clone();
    let [distribution, _] = both(&fleet, Some("host"));
    assert_eq!(panel(&distribution).rows.len(), 1);
    assert!(distribution.notes[0].contains("50 places by host"), "{:?}", distribution.notes);
}

#[test]
fn a_hundred_thousand_devices_are_counted_in_bars_that_stay_small() {
    let mut random = SplitMix64::new(3);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let values: Vec<f64> = (0..100_000)
        .map(|i| if i % 500 == 0 { 80.0 } else { 100.0 + (0..12).map(|_| uniform()).sum::<f64>() - 6.0 })
        .collect();
    let fleet = Fleet::of(&values);
    let spread = fleet.spread(Some("rack"));
    let distribution = fleet_distribution(&spread);
    let bins = || panel(&distribution).rows.iter().filter_map(|row| row.bins.as_ref());
    assert_eq!(bins().flat_map(|bins| &bins.counts).sum::<u64>(), 100_000);
    let rank = fleet_rank(&spread);
    assert_eq!(panel(&rank).rows.len(), MOST_RANKED + 1);
    assert_eq!(panel(&rank).rows[MOST_RANKED].label, "99964 others");
    for figure in [&distribution, &rank] {
        let size = svg::render(figure).unwrap().len() + figure.csv().len();
        assert!(size < 400_000, "{}: {size} bytes", figure.id);
    }
}

#[test]
fn names_of_files_are_safe_whatever_a_metric_is_called() {
    assert_eq!(stem("gemm/tiled-f32 m=1024.rate.mean"), "gemm-tiled-f32-m-1024-rate-mean");
    assert_eq!(stem("../../etc"), "etc");
    assert_eq!(stem("°"), "metric");
    assert!(stem(&"x".repeat(500)).len() <= LONGEST_STEM);
}
