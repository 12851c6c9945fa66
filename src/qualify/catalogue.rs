//! The table of checks: code, title, what it looks at, its limits and why they are so, and what to do.
//!
//! Help, documentation and verdicts all read this one table. What surprises people: the limits in the text are the very
//! constants that the checks use; a test compares them.

/// A group of checks, in the order of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Whether everything was measured.
    Completeness,
    /// Whether the outputs are right.
    Outputs,
    /// Rates.
    Speed,
    /// Work per joule.
    Energy,
    /// Temperature, throttling, power limit.
    Thermal,
    /// Counters of errors.
    Errors,
    /// What there was to compare with.
    References,
}

impl Group {
    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completeness => "completeness",
            Self::Outputs => "outputs",
            Self::Speed => "speed",
            Self::Energy => "energy",
            Self::Thermal => "thermal",
            Self::Errors => "errors",
            Self::References => "references",
        }
    }
}

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckInfo {
    /// Code that is stable across versions.
    pub code: &'static str,
    /// Its group.
    pub group: Group,
    /// What it is called.
    pub title: &'static str,
    /// What it looks at.
    pub looks_at: &'static str,
    /// When it warns and fails.
    pub limit: &'static str,
    /// Why the limit is where it is.
    pub reason: &'static str,
    /// What to do when it fails.
    pub action: &'static str,
    /// What to do when it warns or is in doubt.
    pub watch: &'static str,
}

/// Every check in order of code.
pub const CHECKS: [CheckInfo; 20] = [
    CheckInfo {
        code: "Q01",
        group: Group::Completeness,
        title: "ran to its end",
        looks_at: "losses of the device, phases without a measurement, length of the load against the plan",
        limit: "FAIL if the device was lost; INCONCLUSIVE if a phase was not measured, or could not run though a reference \
                has it, or if under 90 % of the load was run; WARN if a phase could not run and no reference has it",
        reason: "a device that vanishes under load cannot be used; a part of a test is no test",
        action: "Read the kernel log (dmesg) for the time of the loss, reseat the board and its power connectors, run \
                 again; if \
                 it is lost again, drain the node and return the board with both records.",
        watch: "See why the phases were skipped (wattmark show): what they would have found is not known.",
    },
    CheckInfo {
        code: "Q02",
        group: Group::Outputs,
        title: "integer outputs",
        looks_at: "SHA-256 of every integer output against the digest that the arithmetic demands",
        limit: "FAIL at one wrong window",
        reason: "integer arithmetic is exact on every device, so that one different bit is an error",
        action: "Drain the node: this device computes wrongly without saying so. Run again to see whether it repeats; \
                 return the \
                 board with the record as evidence.",
        watch: "See why no output was read (wattmark show), and run longer (--duration).",
    },
    CheckInfo {
        code: "Q03",
        group: Group::Outputs,
        title: "equal outputs in every window",
        looks_at: "SHA-256 of the outputs of equal inputs, window by window, of each phase",
        limit: "FAIL at two different outputs; INCONCLUSIVE with a single window",
        reason: "the same kernel on the same inputs must give the same bits each time",
        action: "Drain the node: results of this device change from run to run. Run again to see whether it repeats; \
                 return the \
                 board with the record as evidence.",
        watch: "Run longer (--duration), so that there is a second output to compare with.",
    },
    CheckInfo {
        code: "Q04",
        group: Group::Outputs,
        title: "equal outputs on devices of one model",
        looks_at: "SHA-256 of the outputs against those of like devices, of the profile and of the device's own past, \
                   with the \
                   same kernel, inputs and driver",
        limit: "FAIL if a majority of at least three devices, the profile or its own past has another; INCONCLUSIVE \
                if two \
                devices differ",
        reason: "equal chips with equal instructions round equally; a device that is always wrong repeats itself \
                 perfectly",
        action: "Drain the node: this device gives other results than its like. Run again to see whether it repeats; \
                 return the \
                 board with the records of both.",
        watch: "Use neither until it is settled: run the same qualification on a third device of this model; the one \
                that differs from the other two is wrong.",
    },
    CheckInfo {
        code: "Q05",
        group: Group::Outputs,
        title: "outputs against the reference",
        looks_at: "sums of rows and columns, or samples, against a float64 reference",
        limit: "FAIL at one failed check",
        reason: "the bound of each check is the largest error that rounding can make",
        action: "Drain the node: outputs are beyond what rounding explains. If all devices of this model fail alike, \
                 suspect the \
                 driver or the kernel; else return the board with the record as evidence.",
        watch: "",
    },
    CheckInfo {
        code: "Q10",
        group: Group::Speed,
        title: "mean rate",
        looks_at: "work over time of each phase, over the whole load",
        limit: "by profile, peers and history; 3 % warns, 5 % fails, or the spread of the reference where that is \
                wider",
        reason: "5 % is the tolerance that acceptance tools for fleets use against a baseline; peaks are never judged",
        action: "Compare clocks, power limit and temperature with a good device (wattmark show); set equal power \
                 limit and \
                 application clocks, check airflow and other processes, run again; if it stays slow, return the board.",
        watch: "The device may be used. Compare clocks, power limit and temperature with a good device, and qualify \
                it again: falling from run to run, it will fail.",
    },
    CheckInfo {
        code: "Q11",
        group: Group::Speed,
        title: "1st percentile of rate",
        looks_at: "the rate that 99 % of the windows exceed, of each phase",
        limit: "by profile, peers and history; 5 % warns, 10 % fails, or the spread of the reference where that is \
                wider; \
                under 100 windows never fail",
        reason: "the slowest windows set the pace of a job that waits for all its devices; they scatter more than the \
                 mean",
        action: "Look at the trace for the slow windows (wattmark plot) and for other processes on the host; check \
                 throttling \
                 (Q20 to Q22) and airflow, run again on a quiet node.",
        watch: "The device may be used. Look at the trace for the slow windows (wattmark plot) and for other \
                processes on the host.",
    },
    CheckInfo {
        code: "Q12",
        group: Group::Energy,
        title: "mean efficiency",
        looks_at: "work per joule of each phase, over the whole load",
        limit: "by profile, peers and history; 4 % warns, 8 % fails, or the spread of the reference where that is \
                wider; \
                estimated energy never fails",
        reason: "sensors of two boards differ by up to 5 %, so that the limit lies beyond; the interval says what one \
                 sensor can tell",
        action: "Check the power sensor against a second source (wattmark calibrate --against); compare temperature \
                 and clocks \
                 with a good device: a hot chip leaks. If the joules are real, keep the board out of jobs that are \
                 billed by energy.",
        watch: "The device may be used. Compare temperature and clocks with a good device, and the power sensor with \
                a second source (wattmark calibrate --against).",
    },
    CheckInfo {
        code: "Q13",
        group: Group::Energy,
        title: "1st percentile of efficiency",
        looks_at: "the work per joule that 99 % of the windows exceed, of each phase",
        limit: "by profile, peers and history; 8 % warns, 15 % fails, or the spread of the reference where that is \
                wider; \
                estimated energy and under 100 windows never fail",
        reason: "as of Q12; the energy of single windows scatters more than the mean",
        action: "Look at the trace for windows of high power or low rate (wattmark plot), check throttling and \
                 airflow, run again.",
        watch: "The device may be used. Look at the trace for windows of high power or low rate (wattmark plot).",
    },
    CheckInfo {
        code: "Q14",
        group: Group::Speed,
        title: "jitter of the rate",
        looks_at: "coefficient of variation of the windows' rates, of each phase",
        limit: "by profile, peers and history; 1 percentage point more warns, 3 more fail, or the spread of the \
                reference",
        reason: "an uneven device makes others wait; below one point, the host's own noise is seen",
        action: "Stop other processes on the host, check throttling and the power supply's limit, run again.",
        watch: "The device may be used. Stop other processes on the host and run again.",
    },
    CheckInfo {
        code: "Q20",
        group: Group::Thermal,
        title: "thermal throttling",
        looks_at: "share of the load's time in which temperature held clocks down",
        limit: "WARN above 0.5 %, FAIL above 5 %",
        reason: "chosen: a single reading must not fail a device, and a device that throttles for a twentieth of the \
                 time is not \
                 cooled as it should be",
        action: "Check fans, filters, airflow and inlet temperature; compare temperature rise per watt (Q24) with its \
                 neighbours; \
                 reseat the heat sink or have the paste renewed; run again.",
        watch: "The device may be used. Check fans, filters and inlet temperature before the next warm day.",
    },
    CheckInfo {
        code: "Q21",
        group: Group::Thermal,
        title: "hardware slowdown",
        looks_at: "share of the load's time in which the board's own protection held clocks down (power brake, \
                   current limit)",
        limit: "WARN above 0, FAIL above 1 %",
        reason: "chosen: this protection answers faults of power supply or cooling, never ordinary load",
        action: "Check the power connectors, the supply's capacity and the external power brake line; reseat the \
                 board; run again.",
        watch: "Check the power connectors and the supply's capacity; a fault of the supply grows under the load of \
                all devices.",
    },
    CheckInfo {
        code: "Q22",
        group: Group::Thermal,
        title: "power-cap throttling",
        looks_at: "share of the load's time at the power limit, and in a clock group's slowest member",
        limit: "by profile, peers and history; 20 percentage points more warn; never fails",
        reason: "working at the power limit is how a board is meant to run; only a difference from its like says \
                 something",
        action: "Compare the power limit with that of the other devices and set it equal.",
        watch: "Compare the power limit with that of the other devices and set it equal.",
    },
    CheckInfo {
        code: "Q23",
        group: Group::Thermal,
        title: "attainment of the power limit",
        looks_at: "mean power under load over the enforced limit",
        limit: "by profile, peers and history; 10 percentage points off warn, 20 fail, to either side",
        reason: "a portable kernel need not reach the limit, so that no absolute share is right; a board that draws \
                 far less than \
                 its like is held back or misread",
        action: "Compare power limit, clocks and the sensor's scope with a good device; check the power connectors.",
        watch: "The device may be used. Compare power limit, clocks and the sensor's scope with a good device.",
    },
    CheckInfo {
        code: "Q24",
        group: Group::Thermal,
        title: "temperature rise per watt",
        looks_at: "temperature under load above that at rest, over the power between them",
        limit: "by profile, peers and history; 15 % more warns, 30 % fails, or the spread of the reference where that \
                is wider",
        reason: "chosen: places in a chassis differ by some tenths; bad paste or a blocked duct by more. It shows \
                 before clocks fall",
        action: "Check airflow and dust at this slot and compare with the neighbours; reseat the heat sink or have \
                 the paste renewed.",
        watch: "The device may be used. Check airflow and dust at this slot, and compare it with the neighbours at \
                the next qualification.",
    },
    CheckInfo {
        code: "Q25",
        group: Group::Thermal,
        title: "highest temperature",
        looks_at: "the highest temperature under load",
        limit: "by profile, peers and history; 7 K more warn, 15 K fail, or the spread of the reference where that is \
                wider",
        reason: "chosen: inlet air varies by some kelvin within a room",
        action: "Compare inlet temperature and fan speed with those of the reference; check airflow at this slot.",
        watch: "The device may be used. Compare inlet temperature and fan speed with those of the reference.",
    },
    CheckInfo {
        code: "Q30",
        group: Group::Errors,
        title: "uncorrected memory errors",
        looks_at: "increase of the counter of uncorrected ECC errors",
        limit: "FAIL above 0",
        reason: "data were lost",
        action: "Drain the node, reset the device so that the memory row is retired, run again; return the board if \
                 it counts more.",
        watch: "",
    },
    CheckInfo {
        code: "Q31",
        group: Group::Errors,
        title: "corrected memory errors",
        looks_at: "increase of the counter of corrected ECC errors",
        limit: "WARN above 0; never fails",
        reason: "the data are right; makers publish no rate that is too high, but errors that come again point to a \
                 weak row",
        action: "Compare with the limit that the profile gives, and plan the board's return if the count rises with \
                 each run.",
        watch: "Qualify again within days: if the count rises each time, plan the board's return.",
    },
    CheckInfo {
        code: "Q32",
        group: Group::Errors,
        title: "PCIe replays",
        looks_at: "increase of the counter of packets that the link sent again",
        limit: "WARN above 10, FAIL above 160",
        reason: "PCIe allows for single bit errors, so that a few are normal (10 is chosen); 160 is the limit of \
                 NVIDIA's DCGM diagnostic",
        action: "Reseat the board, riser or cable and clean the contacts; check the link's width and speed; run again.",
        watch: "The device may be used. Reseat the board, riser or cable at the next service, and see whether the \
                count falls.",
    },
    CheckInfo {
        code: "Q33",
        group: Group::Errors,
        title: "driver errors",
        looks_at: "critical errors that the driver reported of the device (Xid)",
        limit: "FAIL above 0",
        reason: "the load is known to be right, so that an error is the device's or the driver's",
        action: "Look the numbers up in the kernel log (dmesg, NVRM: Xid) and in the maker's list; drain the node \
                 until explained.",
        watch: "",
    },
];

/// The check of what there was to compare with.
pub const REFERENCES: CheckInfo = CheckInfo {
    code: "Q40",
    group: Group::References,
    title: "something to compare with",
    looks_at: "whether profile, peers and history exist and measured the same work, scope and evidence",
    limit: "INCONCLUSIVE without any, or if the profile given does not fit; WARN if a part is not comparable",
    reason: "without a reference nobody knows what is normal, and a verdict would be a guess",
    action: "Learn a profile from devices known to be good (wattmark qualify --learn FILE --from RECORDS), give it by \
             --profile, \
             or point --history at earlier qualifications.",
    watch: "Qualify with the same version, plan and sensors as the reference, or learn the reference anew.",
};

/// All checks in order of code.
pub fn all() -> impl Iterator<Item = &'static CheckInfo> {
    CHECKS.iter().chain(std::iter::once(&REFERENCES))
}

/// The check of a code.
pub fn info(code: &str) -> Option<&'static CheckInfo> {
    all().find(|check| check.code == code)
}

/// The table as Markdown, for the documentation.
pub fn markdown() -> String {
    let mut text = String::from("| code | check | looks at | limit | why |\n|---|---|---|---|---|\n");
    for check in all() {
        let CheckInfo { code, title, looks_at, limit, reason, .. } = check;
        text.push_str(&format!("| {code} | {title} | {looks_at} | {limit} | {reason} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_holds_the_table_of_checks_as_it_is() {
        let guide = include_str!("../../docs/qualifying-hardware.md");
        let table = guide.split("<!-- checks -->\n").nth(1).and_then(|rest| rest.split("<!-- /checks -->").next());
        if let (Some(path), true) = (std::env::var_os("WATTMARK_WRITE_GUIDE"), table != Some(&markdown())) {
            std::fs::write(path, guide.replace(table.unwrap(), &markdown())).unwrap();
        }
        assert_eq!(table, Some(markdown().as_str()), "WATTMARK_WRITE_GUIDE=docs/qualifying-hardware.md writes it anew");
    }

    #[test]
    fn every_check_says_what_to_do_and_why_its_limit_is_there() {
        for check in all() {
            let texts = [check.title, check.looks_at, check.limit, check.reason, check.action];
            assert!(texts.iter().all(|text| text.len() > 8), "{check:?}");
            assert!(check.action.ends_with('.') && !check.limit.ends_with('.'), "{check:?}");
        }
        assert_eq!((info("Q12").map(|check| check.title), info("Q99")), (Some("mean efficiency"), None));
    }
}
