//! Turns a counter that wraps around into one that does not.
//!
//! What surprises people: a counter that falls has not always wrapped. Without a known range, or when the wrap would
//! mean more than half of the range since the last poll, it has been reset (driver reload) and the energy in between
//! is unknown: that poll is a gap, and counting goes on from the last total.

/// Undoes the wrap-around of one counter; all numbers are in the counter's own unit.
#[derive(Debug, Clone)]
pub(crate) struct Unwrap {
    range: Option<f64>,
    last: Option<f64>,
    base: f64,
}

impl Unwrap {
    /// For a counter that returns to 0 after `range`; `None` for one that never wraps.
    pub(crate) fn new(range: Option<f64>) -> Self {
        Self { range: range.filter(|range| *range > 0.0), last: None, base: 0.0 }
    }

    /// The running total for a raw reading; `None` where the counter was reset.
    pub(crate) fn total(&mut self, raw: f64) -> Option<f64> {
        let last = self.last.replace(raw);
        if let Some(last) = last.filter(|last| raw < *last) {
            let wrapped = self.range.filter(|range| last <= *range && raw + range - last <= range / 2.0);
            self.base += wrapped.unwrap_or(last - raw);
            wrapped?;
        }
        Some(self.base + raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_counter_without_range_that_falls_is_a_gap_and_then_goes_on() {
        let mut counter = Unwrap::new(None);
        let totals: Vec<Option<f64>> = [10.0, 12.0, 1.0, 4.0].iter().map(|raw| counter.total(*raw)).collect();
        assert_eq!(totals, [Some(10.0), Some(12.0), None, Some(15.0)]);
    }

    #[test]
    fn a_fall_too_deep_for_a_wrap_is_a_reset() {
        let mut counter = Unwrap::new(Some(1000.0));
        let totals: Vec<Option<f64>> = [400.0, 10.0, 20.0].iter().map(|raw| counter.total(*raw)).collect();
        assert_eq!(totals, [Some(400.0), None, Some(410.0)]);
    }

    proptest! {
        #[test]
        fn totals_are_the_unwrapped_energy_however_often_it_wraps(steps in prop::collection::vec(0u32..500, 1..200)) {
            let mut counter = Unwrap::new(Some(1000.0));
            let mut energy = 0.0;
            for step in steps {
                energy += f64::from(step);
                prop_assert_eq!(counter.total(energy % 1000.0), Some(energy));
            }
        }
    }
}
