//! Requirements of quality level 2 of the EE HPC WG's methodology. No run is given that level here.

use super::eehpcwg::{self as common, CHECKLIST, REPORTING, TEXT};
use super::{Facts, Judged, Line, Table};

pub const TABLE: Table =
    Table { id: "eehpcwg-level-2", name: "EE HPC WG methodology, requirements of quality level 2", text: TEXT, lines };

const fn line(id: &'static str, requirement: &'static str, judge: fn(&Facts) -> Judged) -> Line {
    Line { id, requirement, reading: REPORTING, judge }
}

fn lines() -> Vec<Line> {
    vec![
        line("1a-granularity", "power is sampled at least once a second", common::one_sample_a_second),
        line("1b-core-phase", "the core phase lasts at least one minute", common::core_phase_of_a_minute),
        line(
            "1b-timespan",
            "readings at equal intervals cover the full run, not the core phase alone",
            common::full_run,
        ),
        line(
            "1b-interval",
            "the time between two readings is at most a tenth of the core phase",
            common::reading_interval,
        ),
        line("1c-averages", "the mean power of the core phase is reported, and that of the full run", averages),
        line("1c-series", "at least ten averages lie within the core phase", common::ten_in_the_core_phase),
        Line {
            id: "1c-idle",
            requirement: "idle power is measured at least once",
            reading: CHECKLIST,
            judge: common::idle,
        },
        line(
            "2-fraction",
            "an eighth of the nodes, 10 kW or 15 nodes are measured, whichever is most; or the whole system",
            |facts| common::fraction(facts, 10.0, "an eighth"),
        ),
        Line {
            id: "2-workload",
            requirement: "the work runs on all compute nodes of the system",
            reading: CHECKLIST,
            judge: common::every_node,
        },
        line("3-nodes", "compute nodes are measured as a whole", common::compute_nodes),
        line(
            "3-subsystems",
            "all other subsystems that take part are measured or estimated by their maximum",
            |facts| common::other_subsystems(facts, "interconnect or storage"),
        ),
        line(
            "4-location",
            "power is measured upstream of its conversion, or the loss is modelled from a measured power supply",
            |facts| common::upstream(facts, "a model of the loss from a measurement of one power supply"),
        ),
        line("4b-accuracy", "the meter is documented to be within 2 %", |facts| common::accuracy(facts, 0.02)),
    ]
}

fn averages(facts: &Facts) -> Judged {
    let core = common::mean_power(facts);
    match facts.meter.as_ref().and_then(|meter| meter.run_mean_power_w) {
        Some(watts) if core.missing.is_empty() => {
            Judged::met(format!("{}; {:.1} W over the full run", core.has, watts.get()))
        }
        Some(_) => core,
        None => Judged::not_met(core.has, "readings over the full run"),
    }
}
