//! What the bits of a throttle mask mean, by kind of source.
//!
//! Only bits that say that clocks are held down are here: NVML's "idle", "application clocks" and "display" are choices,
//! not throttling, and stay out. What surprises people: working at the power limit is benign. It is how a board is meant
//! to run under full load, so it is counted apart from heat and from the hardware's own brakes.

use serde::Serialize;

/// What kind of limit holds the clocks down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The power limit: benign.
    PowerCap,
    /// Temperature.
    Thermal,
    /// The board's own protection: an external brake, a current limit, or one that it does not name.
    Hardware,
    /// The slowest board of a group that shares its clocks.
    Group,
}

impl Cause {
    /// Every cause, in the order of tables.
    pub const ALL: [Self; 4] = [Self::PowerCap, Self::Thermal, Self::Hardware, Self::Group];

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerCap => "power cap",
            Self::Thermal => "thermal",
            Self::Hardware => "hardware",
            Self::Group => "group",
        }
    }

    /// Name in identifiers of metrics, as in files.
    pub const fn id(self) -> &'static str {
        match self {
            Self::PowerCap => "power-cap",
            Self::Thermal => "thermal",
            Self::Hardware => "hardware",
            Self::Group => "group",
        }
    }
}

/// One reason, and the bits that stand for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Its bits; several bits are one reason where they name parts of the same limit.
    pub bits: u64,
    /// Name in tables.
    pub name: &'static str,
    /// The kind of limit.
    pub cause: Cause,
}

const fn reason(bits: u64, name: &'static str, cause: Cause) -> Reason {
    Reason { bits, name, cause }
}

/// NVML's clocks event reasons (nvml.h, nvmlClocksEventReason*).
const NVML: [Reason; 6] = [
    reason(0x4, "power cap", Cause::PowerCap),
    reason(0x8, "hardware slowdown", Cause::Hardware),
    reason(0x10, "sync boost", Cause::Group),
    reason(0x20, "software thermal", Cause::Thermal),
    reason(0x40, "hardware thermal", Cause::Thermal),
    reason(0x80, "power brake", Cause::Hardware),
];

/// `indep_throttle_status` of amdgpu's `gpu_metrics` (Linux, amdgpu_smu.h, SMU_THROTTLER_*_BIT): bits 0 to 7 power, 16
/// to 23 current, 32 to 45 temperature, 46 and 47 the line by which the board's hardware calls for a slow-down.
const AMDGPU: [Reason; 4] = [
    reason(0xff, "power limit", Cause::PowerCap),
    reason(0xff << 16, "current limit", Cause::Hardware),
    reason(0x3fff << 32, "temperature", Cause::Thermal),
    reason(0b11 << 46, "processor hot", Cause::Hardware),
];

/// Reasons that a kind of source reports; `None` where the meaning of its bits is not known.
pub fn reasons(kind: &str) -> Option<&'static [Reason]> {
    match kind {
        // A scripted sensor speaks NVML's language.
        "nvml" | "scripted" => Some(&NVML),
        "amdgpu" => Some(&AMDGPU),
        _ => None,
    }
}

/// The bits of a mask that hold clocks down for another reason than the power limit. At the limit that bit comes and
/// goes with every kernel; what it does shows in power and clock.
pub fn held_beyond_power(kind: &str, mask: f64) -> u64 {
    let all = reasons(kind).unwrap_or_default().iter().filter(|reason| reason.cause != Cause::PowerCap);
    all.map(|reason| reason.bits).fold(0, |bits, more| bits | more) & mask as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bit_stands_for_two_reasons_and_choices_of_the_user_are_none() {
        for kind in ["nvml", "amdgpu"] {
            let all = reasons(kind).unwrap();
            let bits: u32 = all.iter().map(|reason| reason.bits.count_ones()).sum();
            assert_eq!(bits, all.iter().fold(0, |mask, reason| mask | reason.bits).count_ones(), "{kind}");
        }
        // 1 idle, 2 application clocks, 0x100 display.
        assert!(reasons("nvml").unwrap().iter().all(|reason| reason.bits & 0x103 == 0));
        assert_eq!(reasons("scripted"), reasons("nvml"));
        assert!(reasons("rapl").is_none());
    }

    #[test]
    fn the_power_cap_alone_is_not_held_beyond_power() {
        assert_eq!(held_beyond_power("nvml", f64::from(0x4 | 0x1)), 0);
        assert_eq!(held_beyond_power("nvml", f64::from(0x4 | 0x20)), 0x20);
    }
}
