//! Requirements of quality level 1 of the EE HPC WG's methodology. No run is given that level here.

use super::eehpcwg::{self as common, CHECKLIST, REPORTING, TEXT};
use super::{Facts, Judged, Line, Table};

pub const TABLE: Table =
    Table { id: "eehpcwg-level-1", name: "EE HPC WG methodology, requirements of quality level 1", text: TEXT, lines };

const fn line(id: &'static str, requirement: &'static str, judge: fn(&Facts) -> Judged) -> Line {
    Line { id, requirement, reading: REPORTING, judge }
}

fn lines() -> Vec<Line> {
    vec![
        line("1a-granularity", "power is sampled at least once a second", common::one_sample_a_second),
        line("1b-core-phase", "the core phase lasts at least one minute", common::core_phase_of_a_minute),
        line(
            "1b-timespan",
            "readings at equal intervals cover the whole core phase, the very time behind the rate",
            common::whole_core_phase,
        ),
        line(
            "1b-interval",
            "the time between two readings is at most a tenth of the core phase",
            common::reading_interval,
        ),
        line("1c-average", "the mean power of the core phase is reported", common::mean_power),
        line(
            "2-fraction",
            "a tenth of the nodes, 2 kW or 15 nodes are measured, whichever is most; or 40 kW; or the whole system",
            machine_fraction,
        ),
        Line {
            id: "2-workload",
            requirement: "the work runs on all compute nodes of the system",
            reading: CHECKLIST,
            judge: common::every_node,
        },
        line("3-nodes", "compute nodes are measured as a whole", common::compute_nodes),
        line("3-interconnect", "the interconnect is measured or estimated by its maximum", |facts| {
            common::other_subsystems(facts, "interconnect")
        }),
        line(
            "4-location",
            "power is measured upstream of its conversion, or the loss is modelled from the maker's data",
            |facts| common::upstream(facts, "a model of the power supply's loss from its maker's data"),
        ),
        line("4b-accuracy", "the meter is documented to be within 5 %", |facts| common::accuracy(facts, 0.05)),
    ]
}

fn machine_fraction(facts: &Facts) -> Judged {
    let forty = facts.meter.as_ref().filter(|meter| {
        meter.holds_machine() && facts.spans.iter().all(|s| s.mean_power_w.is_some_and(|w| w.get() >= 40e3))
    });
    match forty {
        Some(meter) if !facts.spans.is_empty() => Judged::met(format!("40 kW or more by {}", meter.source)),
        _ => common::fraction(facts, 2.0, "a tenth"),
    }
}
