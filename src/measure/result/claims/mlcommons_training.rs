//! Requirements of MLCommons' power rules for training. No run is a submission here, and none is named after them.

use super::eehpcwg::{self as common, with_meter};
use super::mlcommons::one_reading_a_second;
use super::{Facts, Judged, Line, Reading, Table};

pub const TABLE: Table = Table {
    id: "mlcommons-training-power",
    name: "MLCommons power rules for training",
    text: "power_measurement.adoc of https://github.com/mlcommons/training_policies at d73e20f (2026-05-14)",
    lines,
};

const RULES: Reading = Reading::Confirmed { source: "training_policies, power_measurement.adoc at d73e20f" };

/// Least number of samples of a run.
const LEAST_SAMPLES: usize = 60;

const fn line(id: &'static str, requirement: &'static str, judge: fn(&Facts) -> Judged) -> Line {
    Line { id, requirement, reading: RULES, judge }
}

fn lines() -> Vec<Line> {
    vec![
        line("workload", "a model of the suite is trained to its target quality", |_| {
            Judged::not_met("kernels and programs of the user's choice", "the suite's own training benchmark")
        }),
        line("nodes", "every node that takes part is measured", |facts| {
            with_meter(facts, |meter| {
                if facts.foreign && meter.holds_machine() {
                    let missing = "whether the metered programs also worked on other machines";
                    Judged::unknown(format!("{} covers this machine", meter.source), missing)
                } else {
                    common::compute_nodes(facts)
                }
            })
        }),
        line(
            "location",
            "power is measured at the power supplies, all parts of the node together, or at its outlet",
            common::compute_nodes,
        ),
        line(
            "interconnect",
            "an interconnect that carries weights or activations is measured, or estimated by its maximum",
            |facts| common::other_subsystems(facts, "interconnect between nodes"),
        ),
        line("sampling", "power is reported at least once a second, evenly over the timed run", one_reading_a_second),
        line("timespan", "readings cover all timed operations", common::whole_core_phase),
        line("samples", "a run holds at least 60 samples", |facts| {
            with_meter(facts, |_| {
                let fewest = facts.spans.iter().map(|span| span.readings).min().unwrap_or(0);
                Judged::when(
                    fewest >= LEAST_SAMPLES,
                    format!("{fewest} readings in the case that has fewest"),
                    "longer windows, or a faster meter",
                )
            })
        }),
        line(
            "accuracy",
            "the meter is of SPEC or revenue grade and better than 5 %, or was shown to agree with one within 5 %: \
              idle and two loads, five durations of a minute each",
            accuracy,
        ),
        line("energy", "energy is the sum of each reading times the time since the one before", right_sum),
        line("score", "several runs are scored with the best and the worst left out", |_| {
            Judged::not_met("one run; its windows are no runs", "the number of runs that the benchmark asks for")
        }),
    ]
}

fn accuracy(facts: &Facts) -> Judged {
    let judged = common::accuracy(facts, 0.05);
    // A stated figure is half of it; the grade of the meter is not in the record.
    if judged.missing.is_empty() {
        Judged::unknown(judged.has, "that the meter is of SPEC or revenue grade, or the comparison with one")
    } else {
        judged
    }
}

fn right_sum(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        let pairs: Vec<(f64, f64)> = facts
            .spans
            .iter()
            .filter_map(|span| Some((span.right_sum_j?.get(), span.energy_j?.get())))
            .filter(|(_, own)| *own > 0.0)
            .collect();
        let worst = pairs.iter().map(|(sum, own)| sum / own - 1.0).max_by(|a, b| a.abs().total_cmp(&b.abs()));
        match worst {
            Some(worst) if pairs.len() == facts.spans.len() => Judged::met(format!(
                "by that formula the cases' joules differ by up to {:+.2} % from those shown; they stand in the JSON export",
                worst * 100.0
            )),
            _ => Judged::not_met(format!("{} gives no power readings in every case", meter.source), "power readings"),
        }
    })
}
