//! What can go wrong on a simulated device, as a scenario file says it.
//!
//! Heat is not among the faults: a hot device is a sensor with a high `kelvin_per_watt`. What surprises people: a flipped bit
//! is in the first element of the first output, which every choice of samples looks at.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::gpu::{ByteRange, Program, Role};
use crate::model::Scalar;
use crate::names;
use crate::units::Seconds;

/// Something that goes wrong on a simulated device. `variant` is a pattern as in [`RateScript`](super::RateScript); times
/// are seconds since the simulation began.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultScript {
    /// Outputs are off by more than their own size.
    WrongOutput {
        /// Variants.
        variant: String,
        /// Run jobs of the variant that still go right.
        #[serde(default)]
        after_runs: u64,
    },
    /// The end of every output keeps its poison.
    UnwrittenOutput {
        /// Variants.
        variant: String,
        /// Run jobs of the variant that still go right.
        #[serde(default)]
        after_runs: u64,
        /// Part of each output that stays unwritten, 0 to 1.
        #[serde(default = "whole")]
        fraction: f64,
    },
    /// One bit of the output is wrong after some runs and right again after the next: silent corruption.
    BitFlip {
        /// Variants.
        variant: String,
        /// Run jobs of the variant that still go right.
        #[serde(default)]
        after_runs: u64,
        /// From then on one run in so many flips a bit, the last of each group.
        #[serde(default = "one", deserialize_with = "at_least_one")]
        every: u64,
    },
    /// Dispatches take longer from an instant on.
    Slow {
        /// Variants.
        variant: String,
        /// How many times as long; below 1 they are faster.
        #[serde(deserialize_with = "positive")]
        factor: f64,
        /// From when.
        #[serde(default, deserialize_with = "instant")]
        after_s: Seconds,
    },
    /// The device is lost in a run, and can be opened again.
    Lost {
        /// Variants.
        variant: String,
        /// Run jobs that still go right, counted anew after each loss.
        #[serde(default)]
        after_submissions: u64,
        /// How often it is lost before it stays well.
        #[serde(default = "one")]
        times: u64,
    },
    /// The device is lost at an instant, and can never be opened again.
    Dies {
        /// When.
        #[serde(default, deserialize_with = "instant")]
        after_s: Seconds,
    },
    /// The shader does not compile.
    CompileError {
        /// Variants.
        variant: String,
    },
    /// Buffers cannot be allocated.
    OutOfMemory {
        /// Variants.
        variant: String,
    },
    /// Bytes that come back from the device differ in one bit from those that went there.
    GarbledTransfer,
}

fn whole() -> f64 {
    1.0
}
fn one() -> u64 {
    1
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        0 => Err(D::Error::custom("`every` is 0: one run in 1 or more can flip a bit")),
        every => Ok(every),
    }
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let factor = f64::deserialize(deserializer)?;
    if factor.is_finite() && factor > 0.0 {
        return Ok(factor);
    }
    Err(D::Error::custom(format!("`factor` is {factor}: it must be a positive number")))
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seconds, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if seconds.is_finite() && seconds >= 0.0 {
        return Ok(Seconds::new(seconds));
    }
    Err(D::Error::custom(format!("`after_s` is {seconds}: it must be 0 or more seconds")))
}

impl FaultScript {
    /// True if the fault befalls a variant.
    pub(super) fn befalls(&self, name: &str) -> bool {
        match self {
            Self::WrongOutput { variant, .. }
            | Self::UnwrittenOutput { variant, .. }
            | Self::BitFlip { variant, .. }
            | Self::Slow { variant, .. }
            | Self::Lost { variant, .. }
            | Self::CompileError { variant }
            | Self::OutOfMemory { variant } => names::matches(variant, name),
            Self::Dies { .. } | Self::GarbledTransfer => false,
        }
    }
}

/// How many times as long a dispatch of a variant takes that begins at `now`.
pub(super) fn slowness(faults: &[FaultScript], variant: &str, now: Seconds) -> f64 {
    let factor = |fault: &FaultScript| match fault {
        FaultScript::Slow { factor, after_s, .. } if now >= *after_s && fault.befalls(variant) => *factor,
        _ => 1.0,
    };
    faults.iter().map(factor).product()
}

/// When the device dies.
pub(super) fn death(faults: &[FaultScript]) -> Option<Seconds> {
    let deaths = faults.iter().filter_map(|fault| match fault {
        FaultScript::Dies { after_s } => Some(*after_s),
        _ => None,
    });
    deaths.reduce(Seconds::min_of)
}

/// Flips the highest bit of the mantissa of a program's first output element, or one as high of an integer, in the bytes
/// of a range.
pub(super) fn flip_bit(program: &Program, range: ByteRange, bytes: &mut [u8]) {
    let Some(buffer) = program.buffers.iter().position(|spec| spec.role == Role::Output) else { return };
    let bit = match program.buffers[buffer].element {
        Scalar::F64 => 51,
        Scalar::F32 | Scalar::I32 | Scalar::U32 => 22,
        Scalar::F16 => 9,
        Scalar::I8 => 6,
    };
    let at: u64 = bit / 8;
    if range.buffer == buffer
        && range.start <= at
        && let Some(byte) = bytes.get_mut((at - range.start) as usize)
    {
        *byte ^= 1 << (bit % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FaultScript, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_fault_needs_only_what_has_no_usual_value() {
        let fault = read("kind = 'slow'\nvariant = '*'\nfactor = 3").unwrap();
        assert_eq!(fault, FaultScript::Slow { variant: "*".into(), factor: 3.0, after_s: Seconds::new(0.0) });
        let fault = read("kind = 'bit-flip'\nvariant = 'gemm/*'").unwrap();
        assert_eq!(fault, FaultScript::BitFlip { variant: "gemm/*".into(), after_runs: 0, every: 1 });
        assert_eq!(read("kind = 'dies'\nafter_s = 2").unwrap(), FaultScript::Dies { after_s: Seconds::new(2.0) });
    }

    #[test]
    fn a_fault_that_cannot_happen_is_refused() {
        for (text, complaint) in [
            ("kind = 'slow'\nvariant = '*'\nfactor = 0", "`factor` is 0"),
            ("kind = 'slow'\nvariant = '*'\nfactor = nan", "`factor` is NaN"),
            ("kind = 'slow'\nvariant = '*'\nfactor = 2\nafter_s = -1", "`after_s` is -1"),
            ("kind = 'slow'\nvariant = '*'", "factor"),
            ("kind = 'bit-flip'\nvariant = '*'\nevery = 0", "`every` is 0"),
            ("kind = 'dies'\nafter_s = inf", "`after_s` is inf"),
            ("kind = 'dies'\nvariant = '*'", "variant"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn slowness_multiplies_from_its_instants_on_and_the_first_death_counts() {
        let slow = |variant: &str, factor, after| FaultScript::Slow {
            variant: variant.into(),
            factor,
            after_s: Seconds::new(after),
        };
        let dies = |after| FaultScript::Dies { after_s: Seconds::new(after) };
        let faults = [slow("p/*", 2.0, 1.0), slow("*", 1.5, 3.0), dies(9.0), dies(7.0)];
        let of = |variant, now| slowness(&faults, variant, Seconds::new(now));
        assert_eq!((of("p/a", 0.9), of("p/a", 1.0), of("p/a", 3.0), of("q", 3.0)), (1.0, 2.0, 3.0, 1.5));
        assert_eq!((death(&faults), death(&faults[..2])), (Some(Seconds::new(7.0)), None));
    }
}
