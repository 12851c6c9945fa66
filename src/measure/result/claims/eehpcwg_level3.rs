//! Requirements of quality level 3 of the EE HPC WG's methodology. No run is given that level here.

use super::eehpcwg::{self as common, CHECKLIST, REPORTING, TEXT, with_meter};
use super::{Facts, Judged, Line, Reading, Table};

pub const TABLE: Table =
    Table { id: "eehpcwg-level-3", name: "EE HPC WG methodology, requirements of quality level 3", text: TEXT, lines };

/// Most of the core phase that may lie outside the energy readings: five seconds at each end.
const UNCOVERED_S: f64 = 10.0;

const fn line(id: &'static str, requirement: &'static str, judge: fn(&Facts) -> Judged) -> Line {
    Line { id, requirement, reading: REPORTING, judge }
}

fn lines() -> Vec<Line> {
    vec![
        line("1a-granularity", "energy is integrated continuously by the meter itself", counts_energy),
        Line {
            id: "1a-internal-rate",
            requirement: "the meter samples internally at 5 kHz (alternating current) or 120 Hz (direct current)",
            reading: Reading::NotConfirmed {
                note: "stands in the draft of version 2.0 (methodology.tex at 30ff97e), not in the copy of version 3.0, \
                       which asks only that aliasing be avoided",
            },
            judge: internal_rate,
        },
        line("1b-core-phase", "the core phase lasts at least one minute", common::core_phase_of_a_minute),
        line("1b-timespan", "energy readings at equal intervals cover the full run", common::full_run),
        line(
            "1b-edges",
            "first and last energy reading leave out at most ten seconds of the core phase",
            uncovered_edges,
        ),
        line("1c-energy", "the energy of the core phase and of the full run is reported", energies),
        line("1c-series", "at least ten energy readings lie within the core phase", ten_energy_readings),
        Line {
            id: "1c-idle",
            requirement: "idle power is measured at least once",
            reading: CHECKLIST,
            judge: common::idle,
        },
        line("2-fraction", "the whole system is measured", whole_system),
        Line {
            id: "2-workload",
            requirement: "the work runs on all compute nodes of the system",
            reading: CHECKLIST,
            judge: common::every_node,
        },
        line(
            "3-subsystems",
            "every subsystem that takes part is measured, losses and internal cooling included",
            |facts| {
                with_meter(facts, |meter| {
                    let rest = common::other_subsystems(facts, "interconnect or storage");
                    if meter.holds_machine() && !facts.foreign {
                        Judged::met(format!("{} covers the {}; {}", meter.source, meter.scope, rest.has))
                    } else if meter.holds_machine() {
                        rest
                    } else {
                        common::compute_nodes(facts)
                    }
                })
            },
        ),
        line(
            "4-location",
            "power is measured upstream of its conversion, or the loss is measured at the same time",
            |facts| common::upstream(facts, "a second meter that measures the loss at the same time"),
        ),
        line(
            "4b-accuracy",
            "the meter is of revenue grade, accepted for SPEC power, or documented to be within 1 %",
            |facts| common::accuracy(facts, 0.01),
        ),
    ]
}

fn counts_energy(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        let missing = "a meter with an energy counter of its own";
        let has = if meter.counts_energy { "has an energy counter" } else { "gives power, which is integrated here" };
        Judged::when(meter.counts_energy, format!("{} {has}", meter.source), missing)
    })
}

fn internal_rate(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        Judged::unknown(
            format!("the record does not say how {} samples inside", meter.source),
            "the meter's data sheet",
        )
    })
}

fn uncovered_edges(facts: &Facts) -> Judged {
    with_meter(facts, |_| {
        let worst = facts.spans.iter().filter_map(|span| span.uncovered_edges_s).map(|s| s.get()).reduce(f64::max);
        match worst {
            Some(worst) => Judged::when(
                worst <= UNCOVERED_S,
                format!("at most {worst:.2} s of a case lie outside the first and last readings of its windows"),
                "a faster meter",
            ),
            None => Judged::not_met("no reading within a window", "a meter that is read during the windows"),
        }
    })
}

fn energies(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        let all = !facts.spans.is_empty() && facts.spans.iter().all(|span| span.energy_j.is_some());
        Judged::when(
            all && meter.run_mean_power_w.is_some(),
            format!("joules of {} cases and of the run, by {}", facts.spans.len(), meter.source),
            "readings during every case and over the run",
        )
    })
}

fn ten_energy_readings(facts: &Facts) -> Judged {
    with_meter(
        facts,
        |meter| {
            if meter.counts_energy { common::ten_in_the_core_phase(facts) } else { counts_energy(facts) }
        },
    )
}

fn whole_system(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        if meter.holds_machine() {
            Judged::unknown(
                format!("{} covers one machine", meter.source),
                "how many nodes the system has; met if it is this machine alone",
            )
        } else {
            common::compute_nodes(facts)
        }
    })
}
