//! What the three quality levels of the EE HPC WG's methodology have in common: its text, and the judgements that differ
//! only in a number.
//!
//! What surprises people: the machine's fraction can rarely be known. A record knows the machine that it was made on, not
//! how many like it belong to the system.

use super::{Facts, Judged, MeterFacts, Reading};
use crate::model::Scope;

/// Where the lines were read.
pub const TEXT: &str = "EE HPC WG Power Measurement Methodology, version 3.0 working copy, revision ff1d705 of 2024-11-08, \
https://github.com/EEHPCWG/PowerMeasurementMethodology; its numbers are those of the last public draft of version 2.0 \
(revision 30ff97e of 2015-09-09). The released PDF of version 2.0 was not read";

/// The chapter on reporting.
pub const REPORTING: Reading = Reading::Confirmed { source: "text/reporting.tex at ff1d705" };
/// The checklist.
pub const CHECKLIST: Reading = Reading::Confirmed { source: "text/checklist.tex at ff1d705" };

/// Least length of a core phase.
const CORE_PHASE_S: f64 = 60.0;
/// Part of a run that readings must cover for it to count as measured throughout.
const THROUGHOUT: f64 = 0.95;

/// No measured power at all.
pub fn no_meter() -> Judged {
    Judged::not_met("no measured power covers a case", "a power sensor or meter: see `wattmark doctor`")
}

/// A judgement of the meter, where there is one.
pub fn with_meter(facts: &Facts, judge: impl Fn(&MeterFacts) -> Judged) -> Judged {
    facts.meter.as_ref().map_or_else(no_meter, judge)
}

fn of_meter(meter: &MeterFacts) -> String {
    format!("{} ({})", meter.source, meter.scope)
}

/// At least one sample a second.
pub fn one_sample_a_second(facts: &Facts) -> Judged {
    with_meter(facts, |meter| match meter.effective_hz() {
        Some(hz) => Judged::when(
            hz >= 1.0,
            format!("{hz:.2} readings/s of {}", of_meter(meter)),
            "a meter that gives a new value at least once a second, and --sampler-hz of 1 or more",
        ),
        None => Judged::unknown(
            format!("fewer than two readings of {}", of_meter(meter)),
            "a run in which the meter is read more than once",
        ),
    })
}

/// A core phase of at least a minute.
pub fn core_phase_of_a_minute(facts: &Facts) -> Judged {
    let Some(span) = facts.shortest() else {
        return Judged::not_met("no window was measured", "a case with measured windows");
    };
    Judged::when(
        span.core_phase_s.get() >= CORE_PHASE_S,
        format!("{:.1} s in the shortest case", span.core_phase_s.get()),
        "--window and --windows whose product is 60 s or more",
    )
}

/// Readings over the whole core phase, which is the time behind the rate.
pub fn whole_core_phase(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        let coverage = facts.least_coverage().unwrap_or(0.0);
        Judged::when(
            coverage >= THROUGHOUT,
            format!("readings of {} cover {:.1} % of every measured window or more", meter.source, coverage * 100.0),
            "a meter without gaps during the windows",
        )
    })
}

/// Intervals between readings of at most a tenth of the core phase.
pub fn reading_interval(facts: &Facts) -> Judged {
    with_meter(facts, |_| {
        let parts = facts.spans.iter().filter_map(|span| {
            let longest = span.longest_interval_s?.get();
            Some((longest / span.core_phase_s.get().max(f64::MIN_POSITIVE), longest))
        });
        match parts.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((part, longest)) => Judged::when(
                part <= 0.1,
                format!("at most {longest:.2} s, {:.1} % of the core phase", part * 100.0),
                "longer windows, or a faster meter",
            ),
            None => Judged::not_met("no reading within a window", "a meter that is read during the windows"),
        }
    })
}

/// Ten measurements or more within the core phase.
pub fn ten_in_the_core_phase(facts: &Facts) -> Judged {
    with_meter(facts, |_| {
        let fewest = facts.spans.iter().map(|span| span.readings).min().unwrap_or(0);
        Judged::when(
            fewest >= 10,
            format!("{fewest} readings in the case that has fewest; all are in the record"),
            "longer windows, or a faster meter",
        )
    })
}

/// The full run, from its start to its end.
pub fn full_run(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        let coverage = meter.run_coverage.get();
        let watts = meter.run_mean_power_w.map_or(String::new(), |watts| format!(", mean {:.1} W", watts.get()));
        Judged::when(
            coverage >= THROUGHOUT,
            format!("{} covers {:.1} % of the sampled run{watts}", meter.source, coverage * 100.0),
            "a meter that reads from the first to the last moment of the run",
        )
    })
}

/// Idle power.
pub fn idle(facts: &Facts) -> Judged {
    with_meter(facts, |meter| match meter.idle_w {
        Some(watts) => Judged::met(format!("{:.1} W idle by {}", watts.get(), meter.source)),
        None => Judged::not_met("no idle power of the judged meter", "--idle of some seconds, or `meter --idle`"),
    })
}

/// Power upstream of conversion, or its loss accounted for.
pub fn upstream(facts: &Facts, instead: &str) -> Judged {
    with_meter(facts, |meter| match meter.scope {
        Scope::WallAc => Judged::met(format!("{} measures at the wall", meter.source)),
        scope => Judged::not_met(
            format!("{} measures {scope}, behind a power supply", meter.source),
            format!("a meter at the wall (`--power`, for example csv:FILE), or {instead}"),
        ),
    })
}

/// Accuracy of the meter.
pub fn accuracy(facts: &Facts, limit: f64) -> Judged {
    let percent = limit * 100.0;
    with_meter(facts, |meter| {
        if let Some((error, against)) = &meter.calibrated_error {
            let has = format!("{:.1} % left after calibration against {against}", error.get() * 100.0);
            let missing =
                format!("a calibration that leaves {percent:.0} % or less, against a meter of documented accuracy");
            return if error.get() <= limit {
                Judged::unknown(has, format!("the document of {against}; a calibration is no specification"))
            } else {
                Judged::not_met(has, missing)
            };
        }
        match meter.documented_error {
            Some(error) => Judged::when(
                error.get() <= limit,
                format!("{} states of itself to be within {:.2} %", meter.source, error.get() * 100.0),
                format!("a meter documented to {percent:.0} % or better"),
            ),
            None => Judged::unknown(
                format!("no accuracy is documented for {}", of_meter(meter)),
                format!(
                    "a meter documented to {percent:.0} % or better; what is assumed for built-in sensors is a prior"
                ),
            ),
        }
    })
}

/// The fraction of the machine: a part of `fraction`, `kilowatts` or 15 nodes, whichever is largest.
pub fn fraction(facts: &Facts, kilowatts: f64, fraction: &str) -> Judged {
    with_meter(facts, |meter| {
        let watts = meter.run_mean_power_w.map_or(0.0, |watts| watts.get());
        let what = format!("one machine, {:.2} kW by {}", watts / 1e3, of_meter(meter));
        let rule = format!("{fraction} of the nodes, {kilowatts:.0} kW or 15 nodes, whichever is most");
        if meter.holds_machine() {
            Judged::unknown(
                what,
                format!("how many nodes the system has; met if it is this machine alone, else {rule}"),
            )
        } else {
            Judged::not_met(what, format!("the power of whole nodes, not of a part of one; and {rule}"))
        }
    })
}

/// The compute nodes measured whole.
pub fn compute_nodes(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        Judged::when(
            meter.holds_machine(),
            format!("{} covers the {}", meter.source, meter.scope),
            "a meter of the whole machine: wall, or direct current of the host",
        )
    })
}

/// Other subsystems that took part, the interconnect first.
pub fn other_subsystems(facts: &Facts, what: &str) -> Judged {
    if facts.foreign {
        Judged::unknown("programs of others were metered", format!("whether they used {what}, and its power"))
    } else {
        Judged::not_applicable(format!("the kernels run within one machine and use no {what}"))
    }
}

/// Work on every compute node of the system.
pub fn every_node(facts: &Facts) -> Judged {
    let has = format!("{} device(s) of one machine worked, one after the other", facts.devices);
    Judged::unknown(has, "how many nodes the system has; met only if it is this machine alone and all of it works")
}

/// Mean power of the core phase.
pub fn mean_power(facts: &Facts) -> Judged {
    with_meter(facts, |meter| {
        let watts: Vec<f64> =
            facts.spans.iter().filter_map(|span| span.mean_power_w).map(|watts| watts.get()).collect();
        let (low, high) = (watts.iter().copied().reduce(f64::min), watts.iter().copied().reduce(f64::max));
        match (low, high) {
            (Some(low), Some(high)) if watts.len() == facts.spans.len() => Judged::met(format!(
                "{low:.1} to {high:.1} W over {} cases by {}; the power is of the windows behind the rates",
                watts.len(),
                meter.source
            )),
            _ => Judged::not_met(
                format!("{} of {} cases have power", watts.len(), facts.spans.len()),
                "readings during every case",
            ),
        }
    })
}
