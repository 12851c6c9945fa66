//! Keeping step away from a sensor that looks at a part of the time only.
//!
//! Such a sensor sees the same part of the load's beat in every update when the two have one period, or one period is a
//! simple fraction of the other. Two rules prevent it: before window n the load begins again n mod 4 looks later than it would
//! have gone on, and a submission is (k + 0.382) or (k + 0.618) updates long, as far from simple fractions as numbers get.
//!
//! What surprises people: the pause must be a rest. Under load that goes on, waiting moves the window but not the load.

use crate::power::PartTime;
use crate::units::Seconds;

/// Shifts after which the first is used again: four looks of the 25 ms that NVIDIA's part-time sensors have fill their
/// update of 100 ms (arXiv 2312.02741).
const SHIFTS: usize = 4;
/// Parts of an update that are farthest from simple fractions: the golden section and its rest.
const GOLDEN: [f64; 2] = [0.381_966_011, 0.618_033_989];

/// How much later the load before the window with this number, counted from 0, begins than it would have gone on. The
/// shifts add up: four windows in a row have load at 0, 1, 3 and 6 looks, which modulo four is each phase once.
pub fn shift(sensor: PartTime, window: usize) -> Seconds {
    sensor.look_s * (window % SHIFTS) as f64
}

/// The length of a submission next to the aim that is off the sensor's beat.
pub fn off_beat(sensor: PartTime, aim: Seconds) -> Seconds {
    let updates = aim.get() / sensor.update_s.get();
    let whole = updates.floor();
    let near = (-1..=1).flat_map(|step| GOLDEN.map(|part| whole + f64::from(step) + part)).filter(|own| *own > 0.0);
    let closest = near.min_by(|a, b| (a - updates).abs().total_cmp(&(b - updates).abs()));
    closest.map_or(aim, |own| sensor.update_s * own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor() -> PartTime {
        PartTime { look_s: Seconds::new(0.025), update_s: Seconds::new(0.1) }
    }

    #[test]
    fn four_windows_in_a_row_begin_at_four_phases_and_the_fifth_as_the_first() {
        let shifts: Vec<f64> = (0..5).map(|window| shift(sensor(), window).get()).collect();
        assert_eq!(shifts, [0.0, 0.025, 0.05, 0.025 * 3.0, 0.0]);
        let phases = shifts.iter().scan(0.0, |sum, own| {
            *sum += own;
            Some((*sum / 0.025_f64).round() as u64 % 4)
        });
        assert_eq!(phases.take(4).collect::<Vec<_>>(), [0, 1, 3, 2]);
    }

    #[test]
    fn a_submission_is_moved_to_the_nearest_length_off_the_beat() {
        for (aim, want) in [(0.16, 0.1618), (0.05, 0.0618), (0.11, 0.1382), (0.21, 0.2382), (0.01, 0.0382)] {
            let found = off_beat(sensor(), Seconds::new(aim)).get();
            assert!((found - want).abs() < 1e-4, "{aim}: {found}");
        }
    }
}
