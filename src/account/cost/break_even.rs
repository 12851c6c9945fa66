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
        /// Where it lies within the intervals of the joules and seconds of both.
        within: Within,
    },
    /// Nowhere within the range that was searched.
    Never {
        /// Who is cheaper everywhere.
        winner: String,
        /// Lowest value that was searched.
        from: f64,
        /// Highest value that was searched.
        until: f64,
        /// Whether the intervals of the joules and seconds of both leave it so.
        within: Within,
    },
    /// They are equal everywhere.
    Equal,
}

/// What the intervals of both devices' joules and seconds leave of a crossing.
///
/// A device's cost is higher everywhere if its joules and seconds are, so the two ends are the one device at its low and
/// the other at its high bounds, and the reverse: whatever lies between them crosses between their crossings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "within", rename_all = "snake_case")]
pub enum Within {
    /// One of the devices has no interval (estimated or declared energy, or a single window).
    NoInterval,
    /// It lies between these values.
    Interval {
        /// Lowest.
        low: f64,
        /// Highest.
        high: f64,
    },
    /// The same device wins throughout at both ends, too.
    Settled,
    /// At one end it lies elsewhere altogether: there they do not cross, or the other one wins.
    Open,
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

/// A device with its name, its terms, and the same at the low and the high bounds of its joules and seconds.
pub(super) struct Named<'a> {
    pub name: &'a str,
    pub terms: &'a Terms,
    pub ends: Option<(Terms, Terms)>,
}

/// Where two straight lines cross within `low..=high`.
fn cross(names: (&str, &str), range: (f64, f64), of: impl Fn(f64) -> (f64, f64)) -> Crossing {
    let ((a_low, b_low), (a_high, b_high)) = (of(range.0), of(range.1));
    let (at_low, at_high) = (a_low - b_low, a_high - b_high);
    // A difference below the rounding of the two costs is none.
    let nil = |difference: f64, a: f64, b: f64| difference.abs() <= 1e-12 * (a.abs() + b.abs());
    let (no_low, no_high) = (nil(at_low, a_low, b_low), nil(at_high, a_high, b_high));
    let (first, second) = (names.0.to_owned(), names.1.to_owned());
    let cheaper = |difference: f64| if difference < 0.0 { first.clone() } else { second.clone() };
    let within = Within::NoInterval;
    let never =
        |difference: f64| Crossing::Never { winner: cheaper(difference), from: range.0, until: range.1, within };
    match (no_low, no_high) {
        (true, true) => Crossing::Equal,
        (true, false) => never(at_high),
        (false, true) => never(at_low),
        (false, false) if at_low.signum() == at_high.signum() => never(at_low),
        (false, false) => Crossing::At {
            value: range.0 + (range.1 - range.0) * at_low / (at_low - at_high),
            below: cheaper(at_low),
            above: cheaper(at_high),
            within,
        },
    }
}

/// A crossing with what those at the two ends of the intervals leave of it.
fn bounded(crossing: Crossing, ends: Option<[Crossing; 2]>) -> Crossing {
    let Some(ends) = ends else { return crossing };
    match crossing {
        Crossing::At { value, below, above, .. } => {
            let alike = |end: &Crossing| match end {
                Crossing::At { value, below: own, .. } if *own == below => Some(*value),
                _ => None,
            };
            let within = match (alike(&ends[0]), alike(&ends[1])) {
                (Some(a), Some(b)) => Within::Interval { low: a.min(b), high: a.max(b) },
                _ => Within::Open,
            };
            Crossing::At { value, below, above, within }
        }
        Crossing::Never { winner, from, until, .. } => {
            let same = |end: &Crossing| matches!(end, Crossing::Never { winner: own, .. } if *own == winner);
            let within = if ends.iter().all(same) { Within::Settled } else { Within::Open };
            Crossing::Never { winner, from, until, within }
        }
        Crossing::Equal => Crossing::Equal,
    }
}

impl BreakEven {
    /// The break-even points of two devices that do the same unit of work; `highest_tariff` ends the search for a tariff.
    pub(super) fn of(first: &Named<'_>, second: &Named<'_>, highest_tariff: f64) -> Self {
        let names = (first.name, second.name);
        let (a, b) = (first.terms, second.terms);
        let ends = first.ends.as_ref().zip(second.ends.as_ref());
        let at = |range: (f64, f64), change: &dyn Fn(&mut Terms, f64), figure: &dyn Fn(&Terms) -> f64| {
            let of = |terms: &Terms, value: f64| {
                let mut terms = terms.clone();
                change(&mut terms, value);
                figure(&terms)
            };
            let lines = |a: &Terms, b: &Terms| cross(names, range, |value| (of(a, value), of(b, value)));
            bounded(lines(a, b), ends.map(|((a0, a1), (b0, b1))| [lines(a0, b1), lines(a1, b0)]))
        };
        let tariff = |terms: &mut Terms, value: f64| {
            (terms.tariff_per_kwh, terms.mean_tariff_per_kwh) = (value, value);
        };
        let inverse = |terms: &mut Terms, value: f64| terms.utilisation = 1.0 / value;
        let grid = |terms: &mut Terms, value: f64| terms.intensity_g_per_kwh = value;
        let grids = (0.0, HIGHEST_INTENSITY);
        let carbon = |terms: &Terms| terms.grams() + terms.embodied_grams().unwrap_or(0.0);
        let priced = a.carbon_price_per_t.is_some_and(|price| price > 0.0);
        let embodied = a.embodied_kg.is_some() && b.embodied_kg.is_some();
        Self {
            first: names.0.to_owned(),
            second: names.1.to_owned(),
            tariff_per_kwh: at((0.0, highest_tariff), &tariff, &Terms::cost),
            utilisation: inverted(at((1.0, LARGEST_INVERSE), &inverse, &Terms::cost)),
            intensity_by_cost: priced.then(|| at(grids, &grid, &Terms::cost)),
            intensity_by_carbon: embodied.then(|| at(grids, &grid, &carbon)),
            carbon_payback_of_first: replacing(b, a),
            carbon_payback_of_second: replacing(a, b),
        }
    }
}

/// A crossing in one over the utilisation as one in the utilisation.
fn inverted(crossing: Crossing) -> Crossing {
    match crossing {
        Crossing::At { value, below, above, within } => {
            let within = match within {
                Within::Interval { low, high } => Within::Interval { low: 1.0 / high, high: 1.0 / low },
                other => other,
            };
            Crossing::At { value: 1.0 / value, below: above, above: below, within }
        }
        Crossing::Never { winner, from, until, within } => {
            Crossing::Never { winner, from: 1.0 / until, until: 1.0 / from, within }
        }
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

    /// The break-even of two devices without intervals.
    fn break_even(a: (&str, &Terms), b: (&str, &Terms)) -> BreakEven {
        BreakEven::of(&Named { name: a.0, terms: a.1, ends: None }, &Named { name: b.0, terms: b.1, ends: None }, 20.0)
    }

    fn value(crossing: &Crossing) -> f64 {
        let Crossing::At { value, .. } = crossing else { panic!("{crossing:?}") };
        *value
    }

    #[test]
    fn the_break_even_tariff_is_the_one_worked_by_hand() {
        // Per hour: 52 560 / 8760 = 6 + 2 kWh × τ against 70 080 / 8760 = 8 + 1 kWh × τ: τ = 2.
        let (old, new) = pair();
        let even = break_even(("old", &old), ("new", &new));
        let wanted =
            Crossing::At { value: 2.0, below: "old".to_owned(), above: "new".to_owned(), within: Within::NoInterval };
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
        let even = break_even(("old", &at(old)), ("new", &at(new)));
        let Crossing::At { value, below, above, .. } = even.utilisation else { panic!("{:?}", even.utilisation) };
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
        let even = break_even(("old", &with(old, 876.0)), ("new", &with(new, 1752.0)));
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
        let even = break_even(("old", &old), ("new", &cheap));
        let never = |from, until| Crossing::Never { winner: "new".to_owned(), from, until, within: Within::NoInterval };
        assert_eq!(even.tariff_per_kwh, never(0.0, 20.0));
        assert_eq!(even.utilisation, never(0.001, 1.0));
        let same = break_even(("a", &old), ("b", &old));
        assert_eq!((same.tariff_per_kwh, same.utilisation), (Crossing::Equal, Crossing::Equal));
    }

    /// A device whose joules and seconds may be this share lower or higher.
    fn spread<'a>(name: &'a str, terms: &'a Terms, share: f64) -> Named<'a> {
        let at = |ratio: f64| Terms { kwh: terms.kwh * ratio, hours: terms.hours * ratio, ..terms.clone() };
        Named { name, terms, ends: Some((at(1.0 - share), at(1.0 + share))) }
    }

    #[test]
    fn a_break_even_carries_the_intervals_of_joules_and_seconds() {
        // 6 + 2 τ = 8 + τ with each side ±1 %: 0.99 (6 + 2 τ) = 1.01 (8 + τ) gives τ = 2.14 / 0.97 = 2.206186, and
        // 1.01 (6 + 2 τ) = 0.99 (8 + τ) gives τ = 1.86 / 1.03 = 1.805825.
        let (old, new) = pair();
        let even = BreakEven::of(&spread("old", &old, 0.01), &spread("new", &new, 0.01), 20.0);
        let Crossing::At { within: Within::Interval { low, high }, .. } = even.tariff_per_kwh else {
            panic!("{:?}", even.tariff_per_kwh)
        };
        assert!((low - 1.805_825).abs() < 1e-6 && (high - 2.206_186).abs() < 1e-6, "{low} {high}");
        // ±20 %: 0.8 (6 + 2 τ) = 1.2 (8 + τ) gives τ = 12, 1.2 (6 + 2 τ) = 0.8 (8 + τ) gives τ < 0: nothing is settled.
        let even = BreakEven::of(&spread("old", &old, 0.2), &spread("new", &new, 0.2), 20.0);
        let Crossing::At { within, .. } = even.tariff_per_kwh else { panic!("{:?}", even.tariff_per_kwh) };
        assert_eq!(within, Within::Open);
        // At 4 per kWh and ±1 %: 0.99 (6 / u + 8) = 1.01 (8 / u + 4) gives u = 2.14 / 3.88, the reverse u = 1.86 / 4.12.
        let at = |terms: &Terms| Terms { tariff_per_kwh: 4.0, mean_tariff_per_kwh: 4.0, ..terms.clone() };
        let (old, new) = (at(&old), at(&new));
        let even = BreakEven::of(&spread("old", &old, 0.01), &spread("new", &new, 0.01), 20.0);
        let Crossing::At { within: Within::Interval { low, high }, .. } = even.utilisation else {
            panic!("{:?}", even.utilisation)
        };
        assert!((low - 1.86 / 4.12).abs() < 1e-9 && (high - 2.14 / 3.88).abs() < 1e-9, "{low} {high}");
    }

    #[test]
    fn a_winner_throughout_is_settled_only_if_the_intervals_leave_it_so() {
        // 6 + 2 τ against 5.7 + τ: at ±1 % 5.94 > 5.757, at ±5 % 5.7 < 5.985.
        let (old, new) = pair();
        let near = Terms { price: 49_932.0, ..new };
        for (share, wanted) in [(0.01, Within::Settled), (0.05, Within::Open)] {
            let even = BreakEven::of(&spread("old", &old, share), &spread("new", &near, share), 20.0);
            let Crossing::Never { winner, within, .. } = even.tariff_per_kwh else {
                panic!("{:?}", even.tariff_per_kwh)
            };
            assert_eq!((winner.as_str(), within), ("new", wanted));
        }
    }

    proptest! {
        #[test]
        fn at_a_crossing_both_costs_are_equal_and_on_either_side_the_named_one_wins(
            price in 1e3f64..1e6, kwh in 0.05f64..5.0, hours in 0.5f64..8.0, idle in 0.0f64..0.5,
        ) {
            let a = Terms { idle_kw: Some(0.05), ..terms() };
            let b = Terms { price, kwh, hours, idle_kw: Some(idle), ..terms() };
            let even = break_even(("a", &a), ("b", &b));
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
                    Crossing::Never { winner, from, until, .. } => {
                        let (middle_a, middle_b) = costs((from + until) / 2.0);
                        prop_assert_eq!(winner == "a", middle_a < middle_b);
                    }
                    Crossing::Equal => prop_assert!((price - a.price).abs() < 1.0),
                }
            }
        }
    }
}
