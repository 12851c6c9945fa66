//! Requirements of MLCommons' power rules for inference. No run is a submission here, and none is named after them.

use super::eehpcwg::with_meter;
use super::mlcommons::{at_the_wall, one_reading_a_second, same_run};
use super::{Facts, Judged, Line, Reading, Table};

pub const TABLE: Table = Table {
    id: "mlcommons-inference-power",
    name: "MLCommons power rules for inference",
    text: "power_measurement.adoc and inference_rules.adoc of https://github.com/mlcommons/inference_policies at ac93e89 \
           (2026-07-23); compliance/check.py and ptd_client_server/lib/server.py of https://github.com/mlcommons/power-dev \
           at c4b3ad8 (2025-02-21)",
    lines,
};

/// Least length of a performance run.
const LEAST_RUN_S: f64 = 600.0;

const RULES: Reading = Reading::Confirmed { source: "inference_policies, power_measurement.adoc at ac93e89" };
const PERFORMANCE: Reading = Reading::Confirmed { source: "inference_policies, inference_rules.adoc at ac93e89" };
const CHECKER: Reading = Reading::Confirmed { source: "power-dev, compliance/check.py at c4b3ad8" };
const SERVER: Reading = Reading::Confirmed { source: "power-dev, ptd_client_server/lib/server.py at c4b3ad8" };

const fn line(id: &'static str, requirement: &'static str, reading: Reading, judge: fn(&Facts) -> Judged) -> Line {
    Line { id, requirement, reading, judge }
}

fn lines() -> Vec<Line> {
    vec![
        line("workload", "a benchmark of the suite runs under its load generator", RULES, |_| {
            Judged::not_met("kernels and programs of the user's choice", "the suite's own benchmark and load generator")
        }),
        line("workflow", "only the working group's own software measures and logs", RULES, |_| {
            Judged::not_met(
                "measured and logged by this tool",
                "the working group's workflow; this tool only shows what to expect",
            )
        }),
        line("system", "the power of the whole system is measured, at the wall", RULES, at_the_wall),
        line("analyser", "an analyser that SPEC's PTDaemon supports is read through it", CHECKER, analyser),
        line("uncertainty", "each sample is uncertain by at most 1 %", CHECKER, |facts| {
            super::eehpcwg::accuracy(facts, 0.01)
        }),
        line("sampling", "the analyser is read once a second", CHECKER, one_reading_a_second),
        line("duration", "the performance run lasts at least 600 s", PERFORMANCE, |facts| {
            let shortest = facts.shortest().map_or(0.0, |span| span.core_phase_s.get());
            Judged::when(
                shortest >= LEAST_RUN_S,
                format!("{shortest:.1} s in the shortest case"),
                "--window and --windows whose product is 600 s or more",
            )
        }),
        line("phase", "power is evaluated over the performance phase alone", RULES, same_windows),
        line("same-run", "power and performance come from the same run", RULES, same_run),
        line("ranging", "a ranging run finds the analyser's ranges before the testing run", CHECKER, |_| {
            Judged::not_met("one run", "a ranging run and a testing run by the working group's workflow")
        }),
        line("ranging-power", "the testing run's mean power is at most 5 % below the ranging run's", CHECKER, |_| {
            Judged::not_applicable("there is no ranging run")
        }),
        line("settling", "the analyser settles for 10 s around each measurement", SERVER, |_| {
            Judged::unknown("the device is preheated; the analyser's settling is not recorded", "the analyser's log")
        }),
        line("clocks", "clocks of system and analyser agree within 800 ms", CHECKER, |facts| {
            with_meter(facts, |meter| {
                if meter.holds_machine() {
                    Judged::unknown(
                        format!("readings of {} are stamped when they arrive, or as it stamps them", meter.source),
                        "the time protocol's log of both machines",
                    )
                } else {
                    Judged::not_applicable("the sensor is read by the machine itself: there is one clock")
                }
            })
        }),
        line("supply", "no battery or other store lies between the wall and the system", RULES, |_| {
            Judged::unknown("the record does not know how the machine is fed", "a statement of the site")
        }),
        line("settings", "power-management settings are documented", RULES, |facts| {
            let missing = "clock, governor and firmware settings, which the record does not hold in full";
            if facts.power_limit {
                Judged::unknown("the power limit is in the record", missing)
            } else {
                Judged::not_met("no power-management setting is in the record", missing)
            }
        }),
        line("logs", "all power and performance logs are handed in", RULES, |facts| {
            with_meter(facts, |_| Judged::met("every reading, window and gap is in the record"))
        }),
        line("replicability", "the result can be replicated on the unchanged system", RULES, |_| {
            Judged::unknown("one record", "a second run by somebody else: see `wattmark compare`")
        }),
    ]
}

fn analyser(facts: &Facts) -> Judged {
    if facts.kinds.iter().any(|kind| kind.starts_with("ptd")) {
        return Judged::unknown("a PTDaemon was read", "that its analyser is on the accepted list");
    }
    with_meter(facts, |meter| {
        Judged::not_met(format!("{} was read", meter.source), "a supported analyser behind PTDaemon")
    })
}

fn same_windows(facts: &Facts) -> Judged {
    with_meter(facts, |_| Judged::met("joules are those of the measured windows; preheat and idle stay out"))
}
