//! Tests of the pure parts of a case's protocol.

use super::*;
use crate::model::RunRecord;
use crate::model::Steadiness;

fn measurement() -> Measurement {
    let golden = include_str!("../../tests/fixtures/records/v1.0.json");
    let record: RunRecord = serde_json::from_str(golden).unwrap();
    Measurement { steadiness: None, warnings: Vec::new(), ..record.measurements[0].clone() }
}

fn ms(milliseconds: u64) -> Seconds {
    Seconds::new(milliseconds as f64 / 1e3)
}

#[test]
fn the_devices_own_time_calibrates_a_fast_kernel_and_an_implausible_one_does_not() {
    let aim = ms(100);
    let device = |milliseconds: u64| Some(milliseconds * 1_000_000);
    // Submitting took 9 of 12 ms.
    assert_eq!(calibrated_time(device(3), ms(12), aim), ms(3));
    assert_eq!(calibrated_time(None, ms(12), aim), ms(12));
    // Longer than the host waited: a wrapped or wrong clock.
    assert_eq!(calibrated_time(device(5000), ms(12), aim), ms(12));
    // The host waited a whole submission, and the device says next to nothing: without this, batches would grow a hundredfold.
    assert_eq!(calibrated_time(device(0), ms(150), aim), ms(150));
    assert_eq!(calibrated_time(device(0), ms(12), aim), ms(12) * 0.01);
}

#[test]
fn joules_and_seconds_are_never_mixed_for_the_stop_rule() {
    let window = |per_joule: Option<f64>, per_second: f64| Yield { per_joule, per_second };
    assert_eq!(efficiencies(&[window(Some(4e9), 10.0), window(Some(5e9), 11.0)]), [4e9, 5e9]);
    assert_eq!(efficiencies(&[window(Some(4e9), 10.0), window(None, 11.0)]), [10.0, 11.0]);
    assert!(efficiencies(&[]).is_empty());
}

#[test]
fn one_unsteady_turn_of_many_is_kept_and_warned_of_once() {
    let verdict = |reached: bool, after: u64| {
        Some(Steadiness { reached, after_s: Seconds::new(after as f64), detail: "power".to_owned() })
    };
    let mut measurement = measurement();
    note_steadiness(&mut measurement, None);
    assert_eq!(measurement.steadiness, None);
    for (reached, after) in [(true, 31), (false, 240), (true, 32), (false, 241)] {
        note_steadiness(&mut measurement, verdict(reached, after));
    }
    assert_eq!(measurement.steadiness, verdict(false, 240));
    let codes: Vec<WarningCode> = measurement.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [WarningCode::Unsteady]);
}

#[test]
fn only_a_lost_device_is_called_lost() {
    let (device, during, reason) = ("d".to_owned(), "running".to_owned(), "r".to_owned());
    let lost = GpuError::Lost { device: device.clone(), during: during.clone(), reason: reason.clone() };
    assert_eq!(reason_of(&lost), SkipReason::DeviceLost);
    let memory =
        GpuError::OutOfMemory { what: during.clone(), bytes: 1, device: device.clone(), reason: reason.clone() };
    assert_eq!(reason_of(&memory), SkipReason::OutOfMemory);
    assert_eq!(reason_of(&GpuError::Other { device, during, reason }), SkipReason::Other);
}
