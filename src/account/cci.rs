//! Compute carbon intensity: grams per EFLOP of useful work, operational and embodied (Schneider et al., arXiv:2502.01671).
//!
//! `CCI_op = 277.78 × PUE × I [kg/kWh] / (TFLOPS/W)` and `CCI_emb = TE / (FLOP/s × life × utilisation) × 1e18`. What
//! surprises people: the rate is the measured one, not a data sheet's peak, so figures here are several times a vendor's.

use serde::Serialize;

use super::embodied::{Band, Embodied, life};
use super::{Site, Subject, operational};
use crate::model::Estimate;
use crate::units::{FLOP_PER_EXAFLOP, FlopPerSecond, GramsCo2e, Ratio, Seconds};

/// Compute carbon intensity of a subject that counts FLOP; all grams are per EFLOP.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cci {
    /// Measured work per joule at the device, in TFLOP/J (TFLOPS/W).
    pub tflop_per_j: f64,
    /// Measured rate; `None` without a time.
    pub flop_per_s: Option<FlopPerSecond>,
    /// Operational part, with the interval of the joules.
    #[serde(rename = "operational_g_per_eflop")]
    pub operational: Estimate<GramsCo2e>,
    /// Embodied part, a band of published figures.
    #[serde(rename = "embodied_g_per_eflop")]
    pub embodied: Option<Band<GramsCo2e>>,
    /// Sum; `None` if the embodied part is not known.
    #[serde(rename = "total_g_per_eflop")]
    pub total: Option<Band<GramsCo2e>>,
    /// The inverse of the total, or of the operational part where there is no total, in EFLOP per kg.
    pub eflop_per_kg: Option<Band<f64>>,
    /// Whether the inverse is that of the operational part alone.
    pub inverse_is_operational: bool,
}

/// Embodied grams per EFLOP of hardware that runs at a rate for its life.
pub fn embodied_per_exaflop(total: GramsCo2e, rate: FlopPerSecond, life: Seconds, utilisation: Ratio) -> GramsCo2e {
    total * (FLOP_PER_EXAFLOP / (rate * life * utilisation.get()).get())
}

/// The CCI of a subject; `None` if its work is not counted in FLOP.
pub fn cci(subject: &Subject, site: &Site, embodied: &Embodied) -> Option<Cci> {
    let flop = subject.flop().filter(|flop| flop.get() > 0.0)?;
    let per_exaflop = FLOP_PER_EXAFLOP / flop.get();
    let operational = operational(&subject.energy, subject.evidence, site).map(|grams| grams * per_exaflop);
    let rate = subject.flop_rate();
    let utilisation = Ratio::new(embodied.utilisation.value);
    let life = life(embodied.life_years.value);
    let part = embodied
        .total
        .zip(rate)
        .map(|(total, rate)| total.map(|grams| embodied_per_exaflop(grams, rate, life, utilisation)));
    let total = part.map(|band| band.map(|grams| operational.point + grams));
    let inverse = |grams: GramsCo2e| (grams.get() > 0.0).then(|| 1e3 / grams.get());
    let basis = total.unwrap_or(Band { low: operational.point, high: operational.point });
    let eflop_per_kg = inverse(basis.high).zip(inverse(basis.low)).map(|(low, high)| Band { low, high });
    Some(Cci {
        tflop_per_j: flop.get() / subject.energy.point.get() / 1e12,
        flop_per_s: rate,
        inverse_is_operational: total.is_none(),
        operational,
        embodied: part,
        total,
        eflop_per_kg,
    })
}

#[cfg(test)]
mod tests {
    use super::super::embodied::{EmbodiedTerms, embodied};
    use super::super::testing::{site_with, subject};
    use super::super::{Amount, resolve_site};
    use super::*;

    fn h100() -> Subject {
        Subject { device: "NVIDIA H100 80GB HBM3".to_owned(), ..subject() }
    }

    #[test]
    fn one_tflops_per_watt_in_qinghai_is_49_9_grams_and_in_china_147_4() {
        // 277.78 × 0.1796 / 1 = 49.889; 277.78 × 0.5306 = 147.389.
        for (grid, grams) in [("CN-QH@2023", 49.888_889), ("CN@2023", 147.388_889)] {
            let site = resolve_site(Some(grid), None, None, std::path::Path::new(".")).unwrap();
            let found = cci(&subject(), &site, &embodied(&subject(), &EmbodiedTerms::default())).unwrap();
            assert!((found.operational.point.get() - grams).abs() < 1e-4, "{grid}");
            assert_eq!((found.tflop_per_j, found.total, found.inverse_is_operational), (1.0, None, true));
        }
    }

    #[test]
    fn the_embodied_part_takes_the_measured_rate_and_equals_the_share_of_the_same_job() {
        // 164 000 g / (1e14 FLOP/s × 126 144 000 s × 0.6) × 1e18 = 21.668 g/EFLOP.
        let shares = embodied(&h100(), &EmbodiedTerms::default());
        let found = cci(&h100(), &site_with(""), &shares).unwrap();
        let part = found.embodied.unwrap();
        assert!((part.low.get() - 21.668).abs() < 1e-3, "{part:?}");
        let share = shares.carbon.unwrap();
        assert!((part.low / share.low - 1.0).abs() < 1e-12 && (part.high / share.high - 1.0).abs() < 1e-12);
        // 59.867 + 21.668 = 81.535 g/EFLOP, so 12.265 EFLOP/kg at best.
        assert!((found.total.unwrap().low.get() - 81.535).abs() < 1e-3);
        assert!((found.eflop_per_kg.unwrap().high - 12.265).abs() < 1e-3);
    }

    #[test]
    fn a_vendors_footprint_at_sparse_peak_and_full_duty_gives_the_vendors_figure() {
        // 164 kg, 1979 TFLOP/s (sheet, sparse FP16), 4 years, 100 %: 0.657 g/EFLOP; the vendor states 0.66.
        let grams =
            embodied_per_exaflop(GramsCo2e::new(164_000.0), FlopPerSecond::new(1.979e15), life(4.0), Ratio::new(1.0));
        assert!((grams.get() - 0.657).abs() < 5e-4, "{grams}");
    }

    #[test]
    fn work_that_is_not_flop_has_no_cci() {
        let tokens = Subject { work: Some(Amount { amount: 5.0, unit: "tokens".to_owned() }), ..subject() };
        assert_eq!(cci(&tokens, &site_with(""), &embodied(&tokens, &EmbodiedTerms::default())), None);
    }
}
