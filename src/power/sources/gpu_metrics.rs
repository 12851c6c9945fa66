//! Reads AMD's `gpu_metrics` table: a binary blob whose layout depends on its revision.
//!
//! Offsets follow from the structures in Linux's `drivers/gpu/drm/amd/include/kgd_pp_interface.h`. Revisions 2.x (APUs)
//! are not read, because the unit of their power differs from chip to chip. What surprises people: a field that the hardware does not fill holds all ones, and in v1.0 to
//! v1.3 the unit of the accumulator is documented only for data-centre cards; elsewhere the comparison with power
//! decides whether it is believed.

/// Joules per unit of the energy accumulator: 2^-16 J (kgd_pp_interface.h: "15.259uJ (2^-16) units").
pub(crate) const JOULES_PER_UNIT: f64 = 1.0 / 65_536.0;
/// Longest table that is read (v1.8 has 3360 bytes).
pub(crate) const MAX_BYTES: usize = 4096;

/// Where a number is, in bytes from the start, and how many bytes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    at: usize,
    bytes: usize,
}

const fn field(at: usize, bytes: usize) -> Field {
    Field { at, bytes }
}

impl Field {
    const fn end(self) -> usize {
        self.at + self.bytes
    }

    /// The number; `None` where it holds all ones, with which the driver says that the hardware fills nothing in.
    fn read(self, table: &[u8]) -> Option<f64> {
        let bytes = table.get(self.at..self.end())?;
        let number = bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        bytes.iter().any(|byte| *byte != 0xff).then_some(number as f64)
    }
}

/// Where the fields of one revision are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Layout {
    power: Field,
    energy: Option<Field>,
    hotspot: Option<Field>,
    clock: Option<Field>,
    watts_per_unit: f64,
    /// Power is averaged by the firmware (v1.0 to v1.3, v3.0) or current (v1.4 on).
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
        let early = |power, energy, hotspot| Self {
            power: field(power, 2),
            energy: Some(energy),
            hotspot: Some(field(hotspot, 2)),
            clock: Some(field(54, 2)),
            watts_per_unit: 1.0,
            power_is_averaged: true,
        };
        let late = |energy, clock| Self {
            power: field(10, 2),
            energy: Some(field(energy, 8)),
            hotspot: Some(field(4, 2)),
            clock: Some(field(clock, 2)),
            watts_per_unit: 1.0,
            power_is_averaged: false,
        };
        let layout = match (format, content) {
            (1, 0) => early(34, field(36, 4), 18),
            (1, 1..=3) => early(22, field(24, 8), 6),
            (1, 4) => late(24, 240),
            // The decoder engines' table once changed its length; only the one whose size adds up is read.
            (1, 5) if size == 360 => late(88, 312),
            (1, 6) => late(16, 264),
            (1, 7 | 8) => late(24, 296),
            // APUs since Strix Point: milliwatts, no accumulator; what the rest means differs from chip to chip.
            (3, 0) => Self {
                power: field(112, 4),
                energy: None,
                hotspot: None,
                clock: None,
                watts_per_unit: 1e-3,
                power_is_averaged: true,
            },
            _ => return Err(format!("gpu_metrics revision {format}.{content} ({size} bytes) is not read")),
        };
        let fields = [Some(layout.power), layout.energy, layout.hotspot, layout.clock];
        let needed = fields.into_iter().flatten().map(Field::end).max().unwrap_or_default();
        if size < needed || table.len() < needed {
            return Err(format!("gpu_metrics revision {format}.{content} has {size} bytes, expected {needed} or more"));
        }
        Ok(layout)
    }

    /// Reads a table of this layout.
    pub(crate) fn read(&self, table: &[u8]) -> Metrics {
        let read = |field: Option<Field>| field.and_then(|field| field.read(table));
        Metrics {
            power_w: self.power.read(table).map(|raw| raw * self.watts_per_unit).filter(|watts| *watts > 0.0),
            energy_raw: read(self.energy).filter(|raw| *raw > 0.0),
            hotspot_c: read(self.hotspot),
            clock_hz: read(self.clock).map(|megahertz| megahertz * 1e6),
        }
    }

    /// Range after which the accumulator wraps, in its own units, where it can.
    pub(crate) fn energy_range(&self) -> Option<f64> {
        self.energy.filter(|field| field.bytes == 4).map(|_| 4_294_967_296.0)
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
    fn an_apu_of_revision_3_gives_milliwatts_and_no_energy() {
        let mut table = table(264, 3, 0);
        table[112..116].copy_from_slice(&24_890u32.to_le_bytes());
        let layout = Layout::of(&table).unwrap();
        let metrics = layout.read(&table);
        assert!((metrics.power_w.unwrap() - 24.89).abs() < 1e-9);
        assert_eq!((metrics.energy_raw, metrics.hotspot_c, layout.power_is_averaged), (None, None, true));
        assert_eq!(layout.energy_range(), None);
    }

    #[test]
    fn fields_of_all_ones_are_missing_not_huge() {
        let table = table(120, 1, 3);
        assert_eq!(Layout::of(&table).unwrap().read(&table), Metrics::default());
    }

    #[test]
    fn a_revision_that_is_not_read_is_named() {
        for (size, format, content) in [(168, 2, 4), (264, 3, 1), (400, 1, 5), (400, 1, 9)] {
            let error = Layout::of(&table(size, format, content)).unwrap_err();
            assert!(error.contains(&format!("{format}.{content}")), "{error}");
        }
        assert!(Layout::of(&[1, 2]).is_err());
        assert!(Layout::of(&table(40, 1, 3)).is_err(), "a truncated table");
    }
}
