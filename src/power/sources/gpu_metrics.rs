//! Reads AMD's `gpu_metrics` table: a binary blob whose layout depends on its revision.
//!
//! Offsets follow from the structures in Linux's `drivers/gpu/drm/amd/include/kgd_pp_interface.h`. Revisions 2.x (APUs)
//! and 3.x are not read. What surprises people: a field that the hardware does not fill holds all ones, and in v1.0 to
//! v1.3 the unit of the accumulator is documented only for data-centre cards; elsewhere the comparison with power
//! decides whether it is believed.

/// Joules per unit of the energy accumulator: 2^-16 J (kgd_pp_interface.h: "15.259uJ (2^-16) units").
pub(crate) const JOULES_PER_UNIT: f64 = 1.0 / 65_536.0;
/// Longest table that is read (v1.8 has 3360 bytes).
pub(crate) const MAX_BYTES: usize = 4096;

/// Where the fields of one revision are, in bytes from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    power: usize,
    energy: usize,
    energy_is_32_bit: bool,
    hotspot: usize,
    clock: usize,
    /// Power is averaged by the firmware (v1.0 to v1.3) or current (v1.4 on).
    pub(crate) power_is_averaged: bool,
}

/// What one table says; `None` where the hardware fills nothing in.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Metrics {
    /// Socket power in watts.
    pub(crate) power_w: Option<f64>,
    /// Raw energy accumulator.
    pub(crate) energy_raw: Option<f64>,
    /// Hot-spot temperature in degrees Celsius.
    pub(crate) hotspot_c: Option<f64>,
    /// Core clock in hertz (of the first die).
    pub(crate) clock_hz: Option<f64>,
}

impl Layout {
    /// The layout of a table, from its header; an error names a revision that is not read.
    pub(crate) fn of(table: &[u8]) -> Result<Self, String> {
        let [size_low, size_high, format, content, ..] = *table else {
            return Err(format!("the table has {} bytes, too few for its header", table.len()));
        };
        let size = usize::from(u16::from_le_bytes([size_low, size_high]));
        let early = |power, energy, energy_is_32_bit, hotspot, clock| Self {
            power,
            energy,
            energy_is_32_bit,
            hotspot,
            clock,
            power_is_averaged: true,
        };
        let late = |energy, clock| Self {
            power: 10,
            energy,
            energy_is_32_bit: false,
            hotspot: 4,
            clock,
            power_is_averaged: false,
        };
        let layout = match (format, content) {
            (1, 0) => early(34, 36, true, 18, 54),
            (1, 1..=3) => early(22, 24, false, 6, 54),
            (1, 4) => late(24, 240),
            // The decoder engines' table once changed its length; only the one whose size adds up is read.
            (1, 5) if size == 360 => late(88, 312),
            (1, 6) => late(16, 264),
            (1, 7 | 8) => late(24, 296),
            _ => return Err(format!("gpu_metrics revision {format}.{content} ({size} bytes) is not read")),
        };
        let needed = (layout.clock + 2).max(layout.energy + 8);
        if size < needed || table.len() < needed {
            return Err(format!("gpu_metrics revision {format}.{content} has {size} bytes, expected {needed} or more"));
        }
        Ok(layout)
    }

    /// Reads a table of this layout.
    pub(crate) fn read(&self, table: &[u8]) -> Metrics {
        let short = |at: usize| {
            let bytes: [u8; 2] = table.get(at..at + 2)?.try_into().ok()?;
            Some(u16::from_le_bytes(bytes)).filter(|value| *value != u16::MAX).map(f64::from)
        };
        let energy_raw = if self.energy_is_32_bit {
            let bytes = table.get(self.energy..self.energy + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_le_bytes).filter(|value| *value != u32::MAX).map(f64::from)
        } else {
            let bytes = table.get(self.energy..self.energy + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_le_bytes).filter(|value| *value != u64::MAX).map(|value| value as f64)
        };
        Metrics {
            power_w: short(self.power).filter(|watts| *watts > 0.0),
            energy_raw: energy_raw.filter(|raw| *raw > 0.0),
            hotspot_c: short(self.hotspot),
            clock_hz: short(self.clock).map(|megahertz| megahertz * 1e6),
        }
    }

    /// Range after which the accumulator wraps, in its own units, where it can.
    pub(crate) fn energy_range(&self) -> Option<f64> {
        self.energy_is_32_bit.then_some(4_294_967_296.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(size: u16, format: u8, content: u8) -> Vec<u8> {
        let mut table = vec![0xff; usize::from(size)];
        table[..2].copy_from_slice(&size.to_le_bytes());
        (table[2], table[3]) = (format, content);
        table
    }

    #[test]
    fn the_early_and_late_revisions_give_power_energy_temperature_and_clock() {
        for (size, content, power_at, energy_at, hotspot_at, clock_at, averaged) in [
            (120, 3, 22, 24, 6, 54, true),
            (288, 4, 10, 24, 4, 240, false),
            (360, 5, 10, 88, 4, 312, false),
            (1664, 6, 10, 16, 4, 264, false),
            (3360, 8, 10, 24, 4, 296, false),
        ] {
            let mut table = table(size, 1, content);
            table[power_at..power_at + 2].copy_from_slice(&750u16.to_le_bytes());
            table[energy_at..energy_at + 8].copy_from_slice(&65_536u64.to_le_bytes());
            table[hotspot_at..hotspot_at + 2].copy_from_slice(&80u16.to_le_bytes());
            table[clock_at..clock_at + 2].copy_from_slice(&2100u16.to_le_bytes());
            let layout = Layout::of(&table).unwrap();
            let metrics = layout.read(&table);
            assert_eq!(layout.power_is_averaged, averaged);
            assert_eq!((metrics.power_w, metrics.hotspot_c, metrics.clock_hz), (Some(750.0), Some(80.0), Some(2.1e9)));
            assert_eq!(metrics.energy_raw.map(|raw| raw * JOULES_PER_UNIT), Some(1.0));
        }
    }

    #[test]
    fn fields_of_all_ones_are_missing_not_huge() {
        let table = table(120, 1, 3);
        assert_eq!(Layout::of(&table).unwrap().read(&table), Metrics::default());
    }

    #[test]
    fn a_revision_that_is_not_read_is_named() {
        for (size, format, content) in [(200, 2, 4), (264, 3, 0), (400, 1, 5), (400, 1, 9)] {
            let error = Layout::of(&table(size, format, content)).unwrap_err();
            assert!(error.contains(&format!("{format}.{content}")), "{error}");
        }
        assert!(Layout::of(&[1, 2]).is_err());
        assert!(Layout::of(&table(40, 1, 3)).is_err(), "a truncated table");
    }
}
