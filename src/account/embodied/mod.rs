//! Embodied carbon of devices as a band of published or own figures, and the share of it that an amount of work carries.
//!
//! The share is `M = TE × (TiR / EL) × (RR / ToR)` of ISO/IEC 21031:2024: total embodied, time reserved over life, resources
//! reserved over resources there are. What surprises people: the time reserved includes the idle part of the reservation, so
//! it is the work's own time over the utilisation; a device of which nothing is published has an unknown share, not none.

mod figures;
mod terms;

use serde::Serialize;

use super::Subject;
use crate::units::{
    GramsCo2e, GramsPerKilowattHour, HOURS_PER_YEAR, Quantity, Ratio, SECONDS_PER_HOUR, Seconds, Watts,
};

pub use figures::{EmbodiedClass, EmbodiedFigure, FigureKind, published};
pub use terms::{EmbodiedTerms, ServerShare, Stated};

/// The range from the lowest to the highest published figure: not an interval of confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Band<Q> {
    /// By the lowest figure.
    pub low: Q,
    /// By the highest figure.
    pub high: Q,
}

impl<Q: Quantity> Band<Q> {
    /// Both ends through a rising function.
    pub fn map<R: Quantity>(self, f: impl Fn(Q) -> R) -> Band<R> {
        Band { low: f(self.low), high: f(self.high) }
    }
    /// True if both ends are the same: a single figure stands behind it.
    pub fn is_single(&self) -> bool {
        self.low.get() == self.high.get()
    }
}

/// Share of an embodied total that a reservation carries: `TE × (TiR / EL) × (RR / ToR)`, ISO/IEC 21031:2024.
///
/// `share` is RR / ToR, the part of the hardware that is reserved.
pub fn amortised(total: GramsCo2e, reserved: Seconds, life: Seconds, share: Ratio) -> GramsCo2e {
    total * (reserved / life) * share.get()
}

/// The grid intensity at which the operational carbon of a device equals its embodied carbon over its life:
/// `TE / (P × PUE × life × utilisation)`.
pub fn equal_intensity(
    total: GramsCo2e,
    power: Watts,
    pue: f64,
    life: Seconds,
    utilisation: Ratio,
) -> GramsPerKilowattHour {
    total / (power * life * utilisation.get() * pue).to_kilowatt_hours()
}

/// A length of life in seconds; a year has 365 days.
pub fn life(years: f64) -> Seconds {
    Seconds::new(years * HOURS_PER_YEAR * SECONDS_PER_HOUR)
}

/// One kind of device behind a subject, with the figures that stand for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceEmbodied {
    /// Name as the record has it.
    pub device: String,
    /// How many of it.
    pub count: u32,
    /// Figures within the band.
    pub figures: Vec<EmbodiedFigure>,
    /// Figures that are known and stay outside the band, with the reason.
    pub outside: Vec<(EmbodiedFigure, String)>,
    /// Grams of one device; `None` if no figure is known.
    #[serde(rename = "each_g")]
    pub each: Option<Band<GramsCo2e>>,
    /// What a reader must be told.
    pub notes: Vec<String>,
}

/// Embodied carbon behind a subject and the share that its work carries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embodied {
    /// Devices, one entry for each name.
    pub devices: Vec<DeviceEmbodied>,
    /// Share of a server, if the site has one.
    pub server: Option<ServerShare>,
    /// Years of service, EL.
    pub life_years: Stated,
    /// Share of the time reserved in which the device works.
    pub utilisation: Stated,
    /// Time reserved for the work, TiR: its own time over the utilisation.
    #[serde(rename = "reserved_s")]
    pub reserved: Option<Seconds>,
    /// Embodied total of all devices with their share of a server, TE.
    #[serde(rename = "total_g")]
    pub total: Option<Band<GramsCo2e>>,
    /// What the work carries of it, M.
    #[serde(rename = "carbon_g")]
    pub carbon: Option<Band<GramsCo2e>>,
    /// Why there is no share; `None` if there is one.
    pub missing: Option<String>,
}

/// The embodied carbon behind a subject on these terms.
pub fn embodied(subject: &Subject, terms: &EmbodiedTerms) -> Embodied {
    let devices: Vec<DeviceEmbodied> =
        parts(subject).into_iter().map(|(count, name)| terms.device(name, count)).collect();
    let server = terms.server.clone();
    let host = server.as_ref().map_or(0.0, |server| server.each.get());
    let sum = |of: &dyn Fn(&Band<GramsCo2e>) -> GramsCo2e| -> Option<GramsCo2e> {
        let one = |device: &DeviceEmbodied| {
            Some(GramsCo2e::new((of(device.each.as_ref()?).get() + host) * f64::from(device.count)))
        };
        devices.iter().map(one).sum()
    };
    let total = sum(&|band| band.low).zip(sum(&|band| band.high)).map(|(low, high)| Band { low, high });
    let reserved = subject.time.as_ref().map(|time| time.point / terms.utilisation.value);
    let unknown: Vec<&str> =
        devices.iter().filter(|device| device.each.is_none()).map(|device| device.device.as_str()).collect();
    let missing = if !unknown.is_empty() {
        Some(format!(
            "no embodied figure is known for {}; give one in [[embodied.figure]] of the site file",
            unknown.join(" and ")
        ))
    } else if reserved.is_none() {
        Some("the time of the work was not measured, so its share of the device's life is unknown".to_owned())
    } else {
        None
    };
    let whole = Ratio::new(1.0);
    let carbon =
        total.zip(reserved).map(|(total, reserved)| total.map(|grams| amortised(grams, reserved, terms.life(), whole)));
    Embodied {
        devices,
        server,
        life_years: terms.life_years,
        utilisation: terms.utilisation,
        reserved,
        total,
        carbon,
        missing,
    }
}

/// Names and counts behind a subject's device, which for a fleet reads `2 × NAME, 1 × OTHER`.
fn parts(subject: &Subject) -> Vec<(u32, &str)> {
    let text = subject.device.as_str();
    let counted = |part: &str| part.split_once(" × ").and_then(|(count, _)| count.parse::<u32>().ok());
    if counted(text).is_none() {
        return vec![(subject.devices.max(1), text)];
    }
    // A name may hold a comma, so only a comma before a count ends one.
    let mut ends: Vec<usize> = text.match_indices(", ").map(|(at, _)| at).collect();
    ends.retain(|at| counted(&text[at + 2..]).is_some());
    ends.push(text.len());
    let mut from = 0;
    let mut found = Vec::new();
    for end in ends {
        if let Some((count, name)) = text[from..end].split_once(" × ") {
            found.push((count.parse().unwrap_or(1), name));
        }
        from = (end + 2).min(text.len());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::subject;
    use super::*;

    fn on(device: &str) -> Subject {
        Subject { device: device.to_owned(), ..subject() }
    }

    #[test]
    fn an_hour_of_four_years_of_1000_kg_carries_28_5_grams() {
        // The worked check of the SCI specification: 1000 kg × 1 h / (4 × 8760 h) = 1e6 g / 35040 = 28.54 g.
        let grams = amortised(GramsCo2e::new(1e6), Seconds::new(3600.0), life(4.0), Ratio::new(1.0));
        assert!((grams.get() - 28.538_812_785).abs() < 1e-6, "{grams}");
        // An eighth of the hardware carries an eighth.
        let eighth = amortised(GramsCo2e::new(1e6), Seconds::new(3600.0), life(4.0), Ratio::new(0.125));
        assert!((eighth.get() - 28.538_812_785 / 8.0).abs() < 1e-6);
    }

    #[test]
    fn the_share_of_a_job_counts_the_idle_part_of_the_reservation() {
        // 10 000 s of work at 60 % utilisation reserve 16 667 s of 4 × 8760 × 3600 = 126 144 000 s: 1.3212e-4 of 164 kg is
        // 21.67 g.
        let found = embodied(&on("NVIDIA H100 80GB HBM3"), &EmbodiedTerms::default());
        let carbon = found.carbon.unwrap();
        assert!((carbon.low.get() - 164_000.0 * (1e4 / 0.6) / 126_144_000.0).abs() < 1e-9);
        assert!((carbon.low.get() - 21.668).abs() < 1e-3, "{carbon:?}");
        assert!(carbon.high > carbon.low && found.missing.is_none());
        assert!(found.life_years.assumed && found.utilisation.assumed);
    }

    #[test]
    fn an_unknown_device_has_an_unknown_share_and_not_none() {
        let found = embodied(&on("llvmpipe (LLVM 15.0.6, 256 bits)"), &EmbodiedTerms::default());
        assert_eq!((found.total, found.carbon), (None, None));
        assert!(found.missing.unwrap().contains("llvmpipe (LLVM 15.0.6, 256 bits)"));
        let timeless = Subject { time: None, ..on("NVIDIA H100 PCIe") };
        let found = embodied(&timeless, &EmbodiedTerms::default());
        assert!(found.total.is_some() && found.carbon.is_none() && found.missing.unwrap().contains("not measured"));
    }

    #[test]
    fn a_fleet_carries_each_of_its_devices() {
        let fleet = on("2 × NVIDIA H100 80GB HBM3, 1 × NVIDIA A100-SXM4-40GB");
        let found = embodied(&fleet, &EmbodiedTerms::default());
        assert_eq!(found.devices.iter().map(|device| device.count).collect::<Vec<_>>(), [2, 1]);
        // 2 × 164 + 127.6 = 455.6 kg.
        assert!((found.total.unwrap().low.get() - 455_600.0).abs() < 1e-6);
        let odd = on("1 × llvmpipe (LLVM 15.0.6, 256 bits), 3 × NVIDIA H100 PCIe");
        let names: Vec<(u32, &str)> = parts(&odd);
        assert_eq!(names, [(1, "llvmpipe (LLVM 15.0.6, 256 bits)"), (3, "NVIDIA H100 PCIe")]);
        let found = embodied(&odd, &EmbodiedTerms::default());
        assert!(found.total.is_none() && found.missing.unwrap().contains("llvmpipe"));
    }

    #[test]
    fn the_equal_intensity_of_an_h100_at_full_duty_is_6_7_grams() {
        // 164 000 g / (0.7 kW × 35 040 h) = 6.686 g/kWh; twice that at half the duty; a PUE of 1.25 divides by 1.25.
        let at = |pue, duty| {
            equal_intensity(GramsCo2e::new(164_000.0), Watts::new(700.0), pue, life(4.0), Ratio::new(duty)).get()
        };
        assert!((at(1.0, 1.0) - 6.6862).abs() < 1e-4, "{}", at(1.0, 1.0));
        assert!((at(1.0, 0.5) - 2.0 * 6.6862).abs() < 2e-4);
        assert!((at(1.25, 1.0) - 6.6862 / 1.25).abs() < 1e-4);
    }

    #[test]
    fn a_bands_ends_keep_their_order() {
        let band = Band { low: GramsCo2e::new(1.0), high: GramsCo2e::new(2.0) };
        assert_eq!(band.map(|grams| grams * 3.0).high.get(), 6.0);
        assert!(!band.is_single());
    }
}
