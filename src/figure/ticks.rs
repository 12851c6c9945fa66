//! Where ticks stand on an axis, and which SI prefix its numbers take.
//!
//! A prefix is chosen once per axis, so that all numbers on it share one unit.

use serde::Serialize;

use super::text::number;

/// Spacing of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Equal steps.
    Linear,
    /// Equal ratios.
    Log,
}

/// SI prefix: its symbol and its factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prefix {
    /// Symbol, for example `G`; empty for 1.
    pub symbol: &'static str,
    /// Factor, for example 1e9.
    pub factor: f64,
}

impl Prefix {
    /// No prefix.
    pub const NONE: Self = Self { symbol: "", factor: 1.0 };

    const ALL: [Self; 12] = [
        Self { symbol: "p", factor: 1e-12 },
        Self { symbol: "n", factor: 1e-9 },
        Self { symbol: "µ", factor: 1e-6 },
        Self { symbol: "m", factor: 1e-3 },
        Self::NONE,
        Self { symbol: "k", factor: 1e3 },
        Self { symbol: "M", factor: 1e6 },
        Self { symbol: "G", factor: 1e9 },
        Self { symbol: "T", factor: 1e12 },
        Self { symbol: "P", factor: 1e15 },
        Self { symbol: "E", factor: 1e18 },
        Self { symbol: "Z", factor: 1e21 },
    ];

    /// The prefix under which a value of this size reads as 1 to 999.
    pub fn for_size(value: f64) -> Self {
        let value = value.abs();
        let fitting = Self::ALL.iter().rev().find(|prefix| value >= prefix.factor * (1.0 - 1e-9));
        match fitting {
            Some(prefix) => *prefix,
            None if value > 0.0 => Self::ALL[0],
            None => Self::NONE,
        }
    }
}

/// One axis: what it counts, in which unit, how it is spaced, and from where to where.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    /// Quantity, for example `Efficiency`.
    pub label: String,
    /// Base unit, for example `FLOP/J`.
    pub unit: String,
    /// Prefix of the numbers at the ticks.
    pub prefix: Prefix,
    /// Spacing.
    pub scale: Scale,
    /// Value at its start, in the base unit.
    pub low: f64,
    /// Value at its end, in the base unit.
    pub high: f64,
}

/// One tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Value in the base unit.
    pub value: f64,
    /// Text; `None` for a minor tick.
    pub label: Option<String>,
}

impl Axis {
    /// A linear axis from zero to a round number at or above the largest value.
    pub fn from_zero(label: &str, unit: &str, largest: f64) -> Self {
        let largest = if largest > 0.0 { largest } else { 1.0 };
        let prefix = Prefix::for_size(largest);
        Self {
            label: label.to_owned(),
            unit: unit.to_owned(),
            prefix,
            scale: Scale::Linear,
            low: 0.0,
            high: largest * 1.02,
        }
    }

    /// A logarithmic axis around positive values, with a margin of `room` of its length on either side.
    ///
    /// It spans at least `least` as a ratio, so that a single value still has something to be read against.
    pub fn around(label: &str, unit: &str, values: impl IntoIterator<Item = f64>, room: f64, least: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0f64);
        for value in values.into_iter().filter(|value| *value > 0.0 && value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, 1.0);
        }
        let widen = (least / (high / low)).max(1.0).sqrt();
        (low, high) = (low / widen, high * widen);
        let margin = (high / low).powf(room);
        (low, high) = (low / margin, high * margin);
        // The largest decade on the axis decides, so that numbers stay at or above 1 where they can.
        let prefix = Prefix::for_size((low * high).sqrt());
        Self { label: label.to_owned(), unit: unit.to_owned(), prefix, scale: Scale::Log, low, high }
    }

    /// Label, prefix and unit: `Efficiency (GFLOP/J)`.
    pub fn title(&self) -> String {
        format!("{} ({}{})", self.label, self.prefix.symbol, self.unit)
    }

    /// A value with this axis's prefix and unit: `52.1 GFLOP/J`.
    pub fn show(&self, value: f64, digits: i32) -> String {
        format!("{} {}{}", number(value / self.prefix.factor, digits), self.prefix.symbol, self.unit)
    }

    /// Position of a value, 0 at the start of the axis and 1 at its end; not clamped.
    pub fn position(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        }
    }

    /// Ticks, at most about `most` of them with labels.
    pub fn ticks(&self, most: usize) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.linear_ticks(most),
            Scale::Log => self.log_ticks(most),
        }
    }

    fn label_of(&self, value: f64, step: f64) -> String {
        let (value, step) = (value / self.prefix.factor, step / self.prefix.factor);
        let decimals = usize::try_from(-(step.log10() + 1e-9).floor() as i64).unwrap_or(0);
        format!("{value:.decimals$}")
    }

    fn linear_ticks(&self, most: usize) -> Vec<Tick> {
        let raw = (self.high - self.low) / most.max(1) as f64;
        let decade = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].iter().map(|m| m * decade).find(|step| *step >= raw * (1.0 - 1e-9));
        let step = step.unwrap_or(10.0 * decade);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last)
            .map(|index| {
                let value = index as f64 * step;
                Tick { value, label: Some(self.label_of(value, step)) }
            })
            .collect()
    }

    /// Ticks at equal steps on a logarithmic axis so short that digits 1 to 9 of a decade would leave it bare; `None` on a
    /// longer one.
    fn even_ticks(&self, most: usize) -> Option<Vec<Tick>> {
        const SHORT: f64 = 4.0;
        if self.high / self.low > SHORT {
            return None;
        }
        let labelled = self.linear_ticks(most);
        let step = labelled.get(1)?.value - labelled[0].value;
        let (first, last) = ((self.low / step * 2.0).ceil() as i64, (self.high / step * 2.0).floor() as i64);
        let halves = (first..=last).filter(|half| half % 2 != 0);
        let minor: Vec<Tick> = halves.map(|half| Tick { value: half as f64 * step / 2.0, label: None }).collect();
        Some([labelled, minor].concat())
    }

    fn log_ticks(&self, most: usize) -> Vec<Tick> {
        if let Some(ticks) = self.even_ticks(most) {
            return ticks;
        }
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let inside = |value: f64| value >= self.low * (1.0 - 1e-9) && value <= self.high * (1.0 + 1e-9);
        let candidates = |digits: &[u32], every: i32| -> Vec<f64> {
            (first..=last)
                .filter(|decade| decade.rem_euclid(every) == 0)
                .flat_map(|decade| digits.iter().map(move |digit| f64::from(*digit) * 10f64.powi(decade)))
                .filter(|value| inside(*value))
                .collect()
        };
        let sets: [(&[u32], i32); 7] = [
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9], 1),
            (&[1, 2, 5], 1),
            (&[1, 3], 1),
            (&[1], 1),
            (&[1], 2),
            (&[1], 3),
            (&[1], 6),
        ];
        let sets = if self.high / self.low > 10.0 { &sets[1..] } else { &sets[..] };
        let labelled =
            sets.iter().map(|(digits, every)| candidates(digits, *every)).find(|set| set.len() <= most.max(2));
        let labelled = labelled.unwrap_or_default();
        let mut ticks: Vec<Tick> = labelled
            .iter()
            .map(|value| {
                let shown = number(*value / self.prefix.factor, 1);
                Tick { value: *value, label: Some(shown) }
            })
            .collect();
        if last - first <= 12 {
            let minor = candidates(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 1);
            let is_labelled = |value: f64| labelled.iter().any(|other| (other / value - 1.0).abs() < 1e-6);
            ticks.extend(minor.into_iter().filter(|v| !is_labelled(*v)).map(|value| Tick { value, label: None }));
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_prefix_makes_numbers_read_from_1_to_999() {
        let symbols: Vec<&str> =
            [52e9, 999.0, 1000.0, 0.2, 3e-7, 0.0].iter().map(|value| Prefix::for_size(*value).symbol).collect();
        assert_eq!(symbols, ["G", "", "k", "m", "n", ""]);
    }

    #[test]
    fn an_axis_names_quantity_prefix_and_unit() {
        assert_eq!(Axis::from_zero("Efficiency", "FLOP/J", 52e9).title(), "Efficiency (GFLOP/J)");
    }

    #[test]
    fn a_linear_axis_has_round_ticks_that_share_their_decimals() {
        let labels: Vec<String> =
            Axis::from_zero("Power", "W", 0.61).ticks(4).into_iter().filter_map(|tick| tick.label).collect();
        assert_eq!(labels, ["0", "200", "400", "600"]);
    }

    proptest! {
        #[test]
        fn ticks_stand_on_the_axis_and_are_few(low in 1e-6f64..1e12, ratio in 1.5f64..1e9, most in 2usize..9) {
            let axis = Axis::around("Rate", "FLOP/s", [low, low * ratio], 0.08, 10.0);
            let ticks = axis.ticks(most);
            for tick in &ticks {
                let at = axis.position(tick.value);
                prop_assert!((-1e-6..=1.0 + 1e-6).contains(&at));
            }
            let labels: Vec<&String> = ticks.iter().filter_map(|tick| tick.label.as_ref()).collect();
            prop_assert!(!labels.is_empty() && labels.len() <= most.max(2));
            let mut distinct = labels.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), labels.len());
        }
    }
}
