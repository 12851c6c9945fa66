//! Physical quantities as newtypes over `f64`, and the only unit conversions of the program.
//!
//! A quantity holds its base unit (watts, joules, seconds, FLOP, bytes, grams). Only the products and quotients that
//! mean something are defined: multiplying watts by watts, or adding FLOP to bytes, does not compile. What surprises
//! people: serialised values are plain numbers, so the *field name* must carry the unit (`energy_j`, `power_w`).
//!
//! ```compile_fail
//! use wattmark::units::{Bytes, Flop};
//! let nonsense = Flop::new(1.0) + Bytes::new(1.0);
//! ```
//! ```compile_fail
//! use wattmark::units::Watts;
//! let nonsense = Watts::new(1.0) * Watts::new(1.0);
//! ```

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Sub};

use serde::{Deserialize, Serialize};

/// A physical quantity: a number in a base unit, with the symbol of that unit.
pub trait Quantity: Copy {
    /// Symbol of the base unit, as printed in tables and axes.
    const SYMBOL: &'static str;
    /// Wraps a number that is already in the base unit.
    fn new(value: f64) -> Self;
    /// The number in the base unit.
    fn get(self) -> f64;
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $symbol:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(f64);

        impl $name {
            /// Wraps a number that is already in the base unit.
            pub const fn new(value: f64) -> Self {
                Self(value)
            }
            /// The number in the base unit.
            pub const fn get(self) -> f64 {
                self.0
            }
            /// Order by value; NaN sorts last.
            pub fn total_cmp(&self, other: &Self) -> Ordering {
                self.0.total_cmp(&other.0)
            }
        }
        impl Quantity for $name {
            const SYMBOL: &'static str = $symbol;
            fn new(value: f64) -> Self {
                Self(value)
            }
            fn get(self) -> f64 {
                self.0
            }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }
        impl Div<f64> for $name {
            type Output = Self;
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }
        /// The ratio of two like quantities is a pure number.
        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }
        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                Self(items.map(|q| q.0).sum())
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)?;
                if $symbol.is_empty() { Ok(()) } else { write!(f, " {}", $symbol) }
            }
        }
    };
}

quantity!(
    /// Power in watts.
    Watts, "W");
quantity!(
    /// Energy in joules.
    Joules, "J");
quantity!(
    /// Time in seconds.
    Seconds, "s");
quantity!(
    /// Floating-point operations (a count of work, not a rate).
    Flop, "FLOP");
quantity!(
    /// Bytes moved or held.
    Bytes, "B");
quantity!(
    /// Floating-point operations per second.
    FlopPerSecond, "FLOP/s");
quantity!(
    /// Bytes per second.
    BytesPerSecond, "B/s");
quantity!(
    /// Floating-point operations per joule, which is FLOP/s per watt.
    FlopPerJoule, "FLOP/J");
quantity!(
    /// Bytes per joule, which is B/s per watt.
    BytesPerJoule, "B/J");
quantity!(
    /// Arithmetic intensity in FLOP per byte.
    FlopPerByte, "FLOP/B");
quantity!(
    /// Frequency in hertz.
    Hertz, "Hz");
quantity!(
    /// Temperature in degrees Celsius.
    Celsius, "°C");
quantity!(
    /// Energy in kilowatt-hours.
    KilowattHours, "kWh");
quantity!(
    /// Greenhouse-gas mass in grams (CO2 or CO2e, as the factor it came from says).
    GramsCo2e, "g");
quantity!(
    /// Grid intensity in grams per kilowatt-hour.
    GramsPerKilowattHour, "g/kWh");
quantity!(
    /// An amount of money; its currency stands beside it in the account that holds it.
    Money, "");
quantity!(
    /// A pure ratio; 1.0 is 100 %.
    Ratio, "");

macro_rules! product {
    ($a:ident * $b:ident = $c:ident) => {
        impl Mul<$b> for $a {
            type Output = $c;
            fn mul(self, other: $b) -> $c {
                $c(self.0 * other.0)
            }
        }
        impl Mul<$a> for $b {
            type Output = $c;
            fn mul(self, other: $a) -> $c {
                $c(self.0 * other.0)
            }
        }
        impl Div<$a> for $c {
            type Output = $b;
            fn div(self, other: $a) -> $b {
                $b(self.0 / other.0)
            }
        }
        impl Div<$b> for $c {
            type Output = $a;
            fn div(self, other: $b) -> $a {
                $a(self.0 / other.0)
            }
        }
    };
}

product!(Watts * Seconds = Joules);
product!(FlopPerSecond * Seconds = Flop);
product!(BytesPerSecond * Seconds = Bytes);
product!(FlopPerJoule * Joules = Flop);
product!(BytesPerJoule * Joules = Bytes);
product!(FlopPerByte * Bytes = Flop);
product!(FlopPerJoule * Watts = FlopPerSecond);
product!(BytesPerJoule * Watts = BytesPerSecond);
product!(KilowattHours * GramsPerKilowattHour = GramsCo2e);

/// Joules in one kilowatt-hour.
pub const JOULES_PER_KILOWATT_HOUR: f64 = 3.6e6;
/// Seconds in one hour.
pub const SECONDS_PER_HOUR: f64 = 3600.0;
/// Hours in the year of every account: 365 days.
pub const HOURS_PER_YEAR: f64 = 8760.0;
/// FLOP in one exaFLOP (the amount of work, 10^18 operations).
pub const FLOP_PER_EXAFLOP: f64 = 1e18;
/// Nanoseconds in one second.
pub const NANOSECONDS_PER_SECOND: f64 = 1e9;
/// Grams in one pound avoirdupois, exact by definition (used for lb/MWh factors).
pub const GRAMS_PER_POUND: f64 = 453.59237;

impl Watts {
    /// From milliwatts, NVML's unit.
    pub fn from_milliwatts(value: f64) -> Self {
        Self(value / 1e3)
    }
    /// From microwatts, the unit of hwmon `power*` files.
    pub fn from_microwatts(value: f64) -> Self {
        Self(value / 1e6)
    }
}

impl Joules {
    /// From millijoules, the unit of NVML's energy counter.
    pub fn from_millijoules(value: f64) -> Self {
        Self(value / 1e3)
    }
    /// From microjoules, the unit of hwmon `energy*` and powercap files.
    pub fn from_microjoules(value: f64) -> Self {
        Self(value / 1e6)
    }
    /// The same energy in kilowatt-hours.
    pub fn to_kilowatt_hours(self) -> KilowattHours {
        KilowattHours(self.0 / JOULES_PER_KILOWATT_HOUR)
    }
}

impl KilowattHours {
    /// The same energy in joules.
    pub fn to_joules(self) -> Joules {
        Joules(self.0 * JOULES_PER_KILOWATT_HOUR)
    }
}

impl Seconds {
    /// From nanoseconds.
    pub fn from_nanoseconds(value: u64) -> Self {
        Self(value as f64 / NANOSECONDS_PER_SECOND)
    }
    /// The longer of two durations.
    #[must_use]
    pub fn max_of(self, other: Self) -> Self {
        if self.0 >= other.0 { self } else { other }
    }
    /// The shorter of two durations.
    #[must_use]
    pub fn min_of(self, other: Self) -> Self {
        if self.0 <= other.0 { self } else { other }
    }
    /// Rounded to whole nanoseconds; negative and NaN become 0.
    pub fn to_nanoseconds(self) -> u64 {
        (self.0 * NANOSECONDS_PER_SECOND).round() as u64
    }
}

impl GramsPerKilowattHour {
    /// From pounds per megawatt-hour, the unit of eGRID and WattTime.
    pub fn from_pounds_per_megawatt_hour(value: f64) -> Self {
        Self(value * GRAMS_PER_POUND / 1e3)
    }
    /// From kilograms per kilowatt-hour, the unit of the Chinese tables.
    pub fn from_kilograms(value: f64) -> Self {
        let grams = value * 1e3;
        // Fifteen significant digits, all that a decimal keeps in a double: 0.1796 kg is 179.6 g, not 179.60000000000002.
        Self(format!("{grams:.14e}").parse().unwrap_or(grams))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn energy_is_power_times_time_in_both_orders() {
        assert_eq!(Watts::new(300.0) * Seconds::new(2.0), Joules::new(600.0));
        assert_eq!(Seconds::new(2.0) * Watts::new(300.0), Joules::new(600.0));
    }

    #[test]
    fn flops_per_watt_equals_flop_per_joule() {
        let rate = Flop::new(1e12) / Seconds::new(2.0);
        let efficiency = rate / Watts::new(250.0);
        assert_eq!(efficiency, Flop::new(1e12) / Joules::new(500.0));
    }

    #[test]
    fn one_kilowatt_hour_on_the_qinghai_grid_of_2023_is_179_6_grams() {
        let energy = Joules::new(3.6e6).to_kilowatt_hours();
        let carbon = energy * GramsPerKilowattHour::from_kilograms(0.1796);
        assert!((carbon.get() - 179.6).abs() < 1e-9);
    }

    #[test]
    fn a_display_names_its_unit_and_a_ratio_has_none() {
        assert_eq!(format!("{:.1}", Watts::new(12.34)), "12.3 W");
        assert_eq!(format!("{:.2}", Ratio::new(0.5)), "0.50");
    }

    proptest! {
        #[test]
        fn dividing_a_product_returns_the_factor(power in 1e-3f64..1e5, time in 1e-6f64..1e6) {
            let energy = Watts::new(power) * Seconds::new(time);
            prop_assert!(((energy / Seconds::new(time)).get() / power - 1.0).abs() < 1e-12);
            prop_assert!(((energy / Watts::new(power)).get() / time - 1.0).abs() < 1e-12);
        }

        #[test]
        fn joules_survive_the_round_trip_through_kilowatt_hours(energy in 0f64..1e15) {
            let back = Joules::new(energy).to_kilowatt_hours().to_joules().get();
            prop_assert!((back - energy).abs() <= energy * 1e-15);
        }

        #[test]
        fn nanoseconds_survive_the_round_trip(ns in 0u64..(1 << 52)) {
            let back = Seconds::from_nanoseconds(ns).to_nanoseconds();
            prop_assert!(back.abs_diff(ns) <= 1);
        }
    }
}
