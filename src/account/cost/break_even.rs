//! Where the costs of two devices cross: the tariff, the utilisation and the grid intensity at which they are equal.
//!
//! Every cost here is a straight line: in the tariff, in the intensity, and in one over the utilisation, so that the
//! crossing is exact. What surprises people: both devices are put at the same tariff, utilisation or intensity, whatever
//! their own entry says; everything else stays their own.

use serde::Serialize;

use super::capital::{Payback, carbon_payback};
use super::terms::Terms;

/// Highest grid intensity that is searched, in g/kWh: above that of any grid (coal-fired plants emit about 820 to 1000).
const HIGHEST_INTENSITY: f64 = 2000.0;
/// Largest inverse of a utilisation that is searched: an hour of work in a thousand.
const LARGEST_INVERSE: f64 = 1000.0;

/// Where two lines cross.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "crossing", rename_all = "snake_case")]
pub enum Crossing {
    /// At this value.
    At {
        /// The value of the input.
        value: f64,
        /// Who is cheaper below it.
        below: String,
        /// Who is cheaper above it.
        above: String,
    },
    /// Nowhere within the range that was searched.
    Never {
        /// Who is cheaper everywhere.
        winner: String,
        /// Lowest value that was searched.
        from: f64,
        /// Highest value that was searched.
        until: f64,
    },
    /// They are equal everywhere.
    Equal,
}

/// The break-even points of two devices.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BreakEven {
    /// One device.
    pub first: String,
    /// The other.
    pub second: String,
    /// Tariff per kWh of equal cost.
    pub tariff_per_kwh: Crossing,
    /// Utilisation of equal cost.
    pub utilisation: Crossing,
    /// Grid intensity in g/kWh of equal cost; `None` without a carbon price.
    pub intensity_by_cost: Option<Crossing>,
    /// Grid intensity in g/kWh of equal carbon, embodied included; `None` unless both state `embodied_kg`.
    pub intensity_by_carbon: Option<Crossing>,
    /// Years until the first, bought new, has saved its embodied carbon by doing the second's work.
    pub carbon_payback_of_first: Option<Payback>,
    /// Years until the second, bought new, has saved its embodied carbon by doing the first's work.
    pub carbon_payback_of_second: Option<Payback>,
}

/// A device with its name.
pub(super) type Named<'a> = (&'a str, &'a Terms);

/// Where two straight lines cross within `low..=high`.
fn cross(names: (&str, &str), range: (f64, f64), of: impl Fn(f64) -> (f64, f64)) -> Crossing {
    let ((a_low, b_low), (a_high, b_high)) = (of(range.0), of(range.1));
    let (at_low, at_high) = (a_low - b_low, a_high - b_high);
    // A difference below the rounding of the two costs is none.
    let nil = |difference: f64, a: f64, b: f64| difference.abs() <= 1e-12 * (a.abs() + b.abs());
    let (no_low, no_high) = (nil(at_low, a_low, b_low), nil(at_high, a_high, b_high));
    let (first, second) = (names.0.to_owned(), names.1.to_owned());
    let cheaper = |difference: f64| if difference < 0.0 { first.clone() } else { second.clone() };
    let never = |difference: f64| Crossing::Never { winner: cheaper(difference), from: range.0, until: range.1 };
    match (no_low, no_high) {
        (true, true) => Crossing::Equal,
        (true, false) => never(at_high),
        (false, true) => never(at_low),
        (false, false) if at_low.signum() == at_high.signum() => never(at_low),
        (false, false) => Crossing::At {
            value: range.0 + (range.1 - range.0) * at_low / (at_low - at_high),
            below: cheaper(at_low),
            above: cheaper(at_high),
        },
    }
}

impl BreakEven {
    /// The break-even points of two devices that do the same unit of work; `highest_tariff` ends the search for a tariff.
    pub(super) fn of(first: Named<'_>, second: Named<'_>, highest_tariff: f64) -> Self {
        let names = (first.0, second.0);
        let (a, b) = (first.1, second.1);
        let both = |change: &dyn Fn(&mut Terms), figure: &dyn Fn(&Terms) -> f64| {
            let (mut a, mut b) = (a.clone(), b.clone());
            change(&mut a);
            change(&mut b);
            (figure(&a), figure(&b))
        };
        let tariff = cross(names, (0.0, highest_tariff), |tariff| {
            both(&|terms| (terms.tariff_per_kwh, terms.mean_tariff_per_kwh) = (tariff, tariff), &|terms| terms.cost())
        });
        let inverse = cross(names, (1.0, LARGEST_INVERSE), |inverse| {
            both(&|terms| terms.utilisation = 1.0 / inverse, &|terms| terms.cost())
        });
        let at = |figure: &dyn Fn(&Terms) -> f64| {
            cross(names, (0.0, HIGHEST_INTENSITY), |grams| both(&|terms| terms.intensity_g_per_kwh = grams, figure))
        };
        let priced = a.carbon_price_per_t.is_some_and(|price| price > 0.0);
        let embodied = a.embodied_kg.is_some() && b.embodied_kg.is_some();
        Self {
            first: names.0.to_owned(),
            second: names.1.to_owned(),
            tariff_per_kwh: tariff,
            utilisation: inverted(inverse),
            intensity_by_cost: priced.then(|| at(&|terms| terms.cost())),
            intensity_by_carbon: embodied.then(|| at(&|terms| terms.grams() + terms.embodied_grams().unwrap_or(0.0))),
            carbon_payback_of_first: replacing(b, a),
            carbon_payback_of_second: replacing(a, b),
        }
    }
}

/// A crossing in one over the utilisation as one in the utilisation.
fn inverted(crossing: Crossing) -> Crossing {
    match crossing {
        Crossing::At { value, below, above } => Crossing::At { value: 1.0 / value, below: above, above: below },
        Crossing::Never { winner, from, until } => Crossing::Never { winner, from: 1.0 / until, until: 1.0 / from },
        Crossing::Equal => Crossing::Equal,
    }
}

/// Years until a new device has saved its embodied carbon by doing the work that an old one does in a year.
fn replacing(old: &Terms, new: &Terms) -> Option<Payback> {
    let units = old.units_per_year();
    // As many new devices as do the old one's work, a fraction of one too.
    let embodied = new.embodied_kg? * units / new.units_per_year();
    Some(carbon_payback(embodied, old.grams() * units / 1e3, new.grams() * units / 1e3))
}

#[cfg(test)]
mod tests {
    use super::super::terms::testing::terms;
    use super::*;
    use proptest::prelude::*;

    /// Twice the price and half the energy and time of the worked device, without interest, maintenance or carbon price.
    fn pair() -> (Terms, Terms) {
        let old = Terms {
            price: 52_560.0,
            maintenance_per_year: 0.0,
            discount_rate: 0.0,
            life_years: 1.0,
            utilisation: 1.0,
            pue: 1.0,
            hours: 1.0,
            kwh: 2.0,
            carbon_price_per_t: None,
            ..terms()
        };
        let new = Terms { price: 70_080.0, kwh: 1.0, ..old.clone() };
        (old, new)
    }

    fn value(crossing: &Crossing) -> f64 {
        let Crossing::At { value, .. } = crossing else { panic!("{crossing:?}") };
        *value
    }

    #[test]
    fn the_break_even_tariff_is_the_one_worked_by_hand() {
        // Per hour: 52 560 / 8760 = 6 + 2 kWh × τ against 70 080 / 8760 = 8 + 1 kWh × τ: τ = 2.
        let (old, new) = pair();
        let even = BreakEven::of(("old", &old), ("new", &new), 20.0);
        let wanted = Crossing::At { value: 2.0, below: "old".to_owned(), above: "new".to_owned() };
        assert!((value(&even.tariff_per_kwh) - 2.0).abs() < 1e-12);
        assert_eq!(format!("{:.3?}", even.tariff_per_kwh), format!("{wanted:.3?}"));
        assert_eq!(even.intensity_by_cost, None);
        assert_eq!(even.intensity_by_carbon, None);
    }

    #[test]
    fn the_break_even_utilisation_solves_both_costs() {
        // At 4 per kWh: 6 / u + 8 = 8 / u + 4 gives u = 0.5; below it the cheaper hardware wins.
        let (old, new) = pair();
        let at = |terms: Terms| Terms { tariff_per_kwh: 4.0, mean_tariff_per_kwh: 4.0, ..terms };
        let even = BreakEven::of(("old", &at(old)), ("new", &at(new)), 20.0);
        let Crossing::At { value, below, above } = even.utilisation else { panic!("{:?}", even.utilisation) };
        assert!((value - 0.5).abs() < 1e-9);
        assert_eq!((below.as_str(), above.as_str()), ("old", "new"));
    }

    #[test]
    fn the_break_even_intensity_by_cost_and_by_carbon_are_worked_by_hand() {
        // Cost at 0.5 per kWh and 1000 per t: 6 + 1 + 2e-3 I = 8 + 0.5 + 1e-3 I gives I = 1500.
        let (old, new) = pair();
        let with = |terms: Terms, kilograms: f64| Terms {
            carbon_price_per_t: Some(1000.0),
            embodied_kg: Some(kilograms),
            ..terms
        };
        // Carbon: 876 kg / 8760 h = 100 g + 2 I = 1752 / 8760 = 200 g + 1 I gives I = 100.
        let even = BreakEven::of(("old", &with(old, 876.0)), ("new", &with(new, 1752.0)), 20.0);
        assert!((value(even.intensity_by_cost.as_ref().unwrap()) - 1500.0).abs() < 1e-9);
        assert!((value(even.intensity_by_carbon.as_ref().unwrap()) - 100.0).abs() < 1e-9);
        // Replacing old by new saves 1 kWh × 179.6 g × 8760 = 1573.296 kg a year: 1752 / 1573.296 = 1.113586 years.
        let Some(Payback::Years(years)) = even.carbon_payback_of_second else { panic!() };
        assert!((years - 1.113_586).abs() < 1e-6);
        assert_eq!(even.carbon_payback_of_first, Some(Payback::Never));
    }

    #[test]
    fn lines_that_never_cross_name_who_always_wins() {
        let (old, new) = pair();
        let cheap = Terms { price: 50_000.0, ..new.clone() };
        let even = BreakEven::of(("old", &old), ("new", &cheap), 20.0);
        let never = |from, until| Crossing::Never { winner: "new".to_owned(), from, until };
        assert_eq!(even.tariff_per_kwh, never(0.0, 20.0));
        assert_eq!(even.utilisation, never(0.001, 1.0));
        let same = BreakEven::of(("a", &old), ("b", &old), 20.0);
        assert_eq!((same.tariff_per_kwh, same.utilisation), (Crossing::Equal, Crossing::Equal));
    }

    proptest! {
        #[test]
        fn at_a_crossing_both_costs_are_equal_and_on_either_side_the_named_one_wins(
            price in 1e3f64..1e6, kwh in 0.05f64..5.0, hours in 0.5f64..8.0, idle in 0.0f64..0.5,
        ) {
            let a = Terms { idle_kw: Some(0.05), ..terms() };
            let b = Terms { price, kwh, hours, idle_kw: Some(idle), ..terms() };
            let even = BreakEven::of(("a", &a), ("b", &b), 20.0);
            let priced = |tariff: f64| {
                let at = |terms: &Terms| {
                    Terms { tariff_per_kwh: tariff, mean_tariff_per_kwh: tariff, ..terms.clone() }.cost()
                };
                (at(&a), at(&b))
            };
            let used = |utilisation: f64| {
                let at = |terms: &Terms| Terms { utilisation, ..terms.clone() }.cost();
                (at(&a), at(&b))
            };
            for (crossing, costs) in [(even.tariff_per_kwh, &priced as &dyn Fn(f64) -> (f64, f64)), (even.utilisation, &used)] {
                match crossing {
                    Crossing::At { value, below, .. } => {
                        let (at_a, at_b) = costs(value);
                        prop_assert!((at_a / at_b - 1.0).abs() < 1e-6, "{at_a} {at_b}");
                        let (low_a, low_b) = costs(value * 0.9);
                        prop_assert_eq!(below == "a", low_a < low_b);
                    }
                    Crossing::Never { winner, from, until } => {
                        let (middle_a, middle_b) = costs((from + until) / 2.0);
                        prop_assert_eq!(winner == "a", middle_a < middle_b);
                    }
                    Crossing::Equal => prop_assert!((price - a.price).abs() < 1.0),
                }
            }
        }
    }
}
