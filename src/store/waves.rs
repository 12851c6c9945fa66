//! A strict look at the square waves of a calibration's record, as part of [`super::validate`].
//!
//! What surprises people: a phase without length is no error of the load but of the record, for the load notes none.

use super::validate::Finding;
use crate::model::{RunRecord, SquareWave};

/// Everything wrong with the calibrations of a record.
pub(super) fn check(record: &RunRecord) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |field: String, text: String| found.push(Finding { field, text });
    for (index, calibration) in record.calibrations.iter().enumerate() {
        let field = format!("calibrations[{index}]");
        if record.device(calibration.device).is_none() {
            add(format!("{field}.device"), format!("the record has no device {}", calibration.device));
        }
        let mut last = 0;
        for (number, wave) in calibration.waves.iter().enumerate() {
            let field = format!("{field}.waves[{number}]");
            let period = wave.period_s.get();
            if !(period.is_finite() && period > 0.0) {
                add(format!("{field}.period_s"), format!("{period} is no usable period"));
            }
            check_phases(&field, wave, &mut last, &mut add);
        }
    }
    found
}

/// Phases must follow each other, each with a length; `last` is the end of what came before.
fn check_phases(field: &str, wave: &SquareWave, last: &mut u64, add: &mut impl FnMut(String, String)) {
    for (index, phase) in wave.phases.iter().enumerate() {
        let field = || format!("{field}.phases[{index}]");
        if phase.until_ns <= phase.from_ns {
            add(field(), "ends no later than it starts".to_owned());
        }
        if phase.from_ns.0 < *last {
            add(field(), "begins before the one before it ends".to_owned());
        }
        *last = phase.until_ns.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Nanoseconds;
    use crate::model::{LoadPhase, SensorCalibration};
    use crate::units::Seconds;

    #[test]
    fn phases_that_overlap_or_have_no_length_and_unknown_devices_are_found() {
        let golden = include_str!("../../tests/fixtures/records/v1.0.json");
        let mut record: RunRecord = serde_json::from_str(golden).unwrap();
        let phase = |from, until, on| LoadPhase { from_ns: Nanoseconds(from), until_ns: Nanoseconds(until), on };
        let waves = |phases| vec![SquareWave { period_s: Seconds::new(0.1), phases }];
        let device = record.devices[0].ordinal;
        let sound = waves(vec![phase(10, 20, true), phase(20, 30, false)]);
        record.calibrations = vec![SensorCalibration { device, waves: sound }];
        assert_eq!(check(&record), []);
        let bad = waves(vec![phase(10, 20, true), phase(15, 15, false)]);
        record.calibrations = vec![SensorCalibration { device: 99, waves: bad }];
        let fields: Vec<String> = check(&record).into_iter().map(|finding| finding.field).collect();
        let phase = "calibrations[0].waves[0].phases[1]";
        assert_eq!(fields, ["calibrations[0].device", phase, phase]);
    }
}
