//! What moves the cost of a unit of work most: one input at a time goes to its low and its high value.
//!
//! What surprises people: energy and time move within their measured intervals, not by a guess, so an estimated energy has
//! no line here; and a range is cut where the input cannot go (PUE 1, utilisation 1).

use serde::Serialize;

use super::inputs::{CostInputs, Ranges};
use super::terms::Terms;
use crate::model::Estimate;
use crate::units::Quantity;

/// How far one input moves the result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Swing {
    /// Input: `electricity tariff`.
    pub input: String,
    /// Its unit; empty for a ratio.
    pub unit: String,
    /// Its low value.
    pub low: f64,
    /// Its high value.
    pub high: f64,
    /// The cost of a unit at the low value.
    pub at_low: f64,
    /// The cost of a unit at the high value.
    pub at_high: f64,
    /// Where the range comes from: `±20 %`, `[cost.range]`, `measured interval`.
    pub range: String,
}

impl Swing {
    /// Length of the bar.
    pub fn swing(&self) -> f64 {
        (self.at_high - self.at_low).abs()
    }
}

/// One input: key of its range, name, unit, its own value, its limits, and how it is put.
struct Input {
    key: &'static str,
    name: &'static str,
    unit: String,
    value: f64,
    limits: (f64, f64),
    put: fn(&mut Terms, f64, f64),
}

fn inputs(terms: &Terms, currency: &str) -> Vec<Input> {
    let input =
        |key, name, unit: &str, value, limits, put| Input { key, name, unit: unit.to_owned(), value, limits, put };
    let any = (0.0, f64::MAX);
    let share = (f64::MIN_POSITIVE, 1.0);
    let mut all = vec![
        // The value that is put, then the input's own: a tariff by hours keeps its shape.
        input(
            "tariff",
            "electricity tariff",
            &format!("{currency}/kWh"),
            terms.mean_tariff_per_kwh,
            any,
            |t, v, own| {
                let work = if own > 0.0 { t.tariff_per_kwh * v / own } else { v };
                (t.tariff_per_kwh, t.mean_tariff_per_kwh) = (work, v);
            },
        ),
        input("pue", "PUE", "", terms.pue, (1.0, f64::MAX), |t, v, _| t.pue = v),
        input("utilisation", "utilisation", "", terms.utilisation, share, |t, v, _| t.utilisation = v),
        input("life_years", "life", "years", terms.life_years, (f64::MIN_POSITIVE, f64::MAX), |t, v, _| {
            t.life_years = v
        }),
        input("discount_rate", "discount rate", "", terms.discount_rate, (0.0, 1.0), |t, v, _| t.discount_rate = v),
        input("price_ratio", "hardware price", "×", 1.0, any, |t, v, _| {
            (t.price, t.server) = (t.price * v, t.server * v);
        }),
    ];
    if let Some(price) = terms.carbon_price_per_t {
        let unit = format!("{currency}/t");
        all.push(input("carbon_price_per_t", "carbon price", &unit, price, any, |t, v, _| {
            t.carbon_price_per_t = Some(v)
        }));
        all.push(input("intensity_g_per_kwh", "grid intensity", "g/kWh", terms.intensity_g_per_kwh, any, |t, v, _| {
            t.intensity_g_per_kwh = v
        }));
    }
    all
}

fn of_input(terms: &Terms, input: &Input, ranges: &Ranges) -> Swing {
    let (low, high, range) = match ranges.of(input.key) {
        Some((low, high)) => (low, high, "[cost.range]".to_owned()),
        None => {
            let at = |factor: f64| (input.value * factor).clamp(input.limits.0, input.limits.1);
            let range = format!("±{} %", ((ranges.relative * 1e4).round()) / 100.0);
            (at(1.0 - ranges.relative), at(1.0 + ranges.relative), range)
        }
    };
    let at = |value: f64| {
        let mut changed = terms.clone();
        (input.put)(&mut changed, value, input.value);
        changed.cost()
    };
    Swing {
        input: input.name.to_owned(),
        unit: input.unit.clone(),
        low,
        high,
        at_low: at(low),
        at_high: at(high),
        range,
    }
}

fn of_measured<Q: Quantity>(
    terms: &Terms,
    name: &str,
    unit: &str,
    estimate: &Estimate<Q>,
    put: fn(&mut Terms, f64),
) -> Option<Swing> {
    let interval = estimate.interval?;
    let own = estimate.point.get();
    let at = |bound: f64| {
        let mut changed = terms.clone();
        put(&mut changed, bound / own);
        changed.cost()
    };
    let (low, high) = (interval.low.get(), interval.high.get());
    // Values as multiples of the point: the interval of a unit is that of the whole work.
    Some(Swing {
        input: name.to_owned(),
        unit: unit.to_owned(),
        low: low / own,
        high: high / own,
        at_low: at(low),
        at_high: at(high),
        range: format!("{:.0} % interval", interval.confidence * 100.0),
    })
}

/// The inputs that move the cost of a unit, widest first. An input that moves nothing is left out.
pub(super) fn swings<E: Quantity, T: Quantity>(
    terms: &Terms,
    inputs_of: &CostInputs,
    energy: &Estimate<E>,
    time: Option<&Estimate<T>>,
) -> Vec<Swing> {
    let mut all: Vec<Swing> =
        inputs(terms, &inputs_of.currency).iter().map(|input| of_input(terms, input, &inputs_of.ranges)).collect();
    all.extend(of_measured(terms, "measured energy", "×", energy, |terms, ratio| terms.kwh *= ratio));
    all.extend(
        time.and_then(|time| of_measured(terms, "measured time", "×", time, |terms, ratio| terms.hours *= ratio)),
    );
    // What moves the result by less than the rounding of its arithmetic moves nothing.
    let base = terms.cost();
    all.retain(|swing| swing.swing() > 1e-9 * base);
    all.sort_by(|a, b| b.swing().total_cmp(&a.swing()));
    all
}

#[cfg(test)]
mod tests {
    use super::super::account::testing::{PRICES, site};
    use super::super::terms::testing::terms;
    use super::*;
    use crate::account::testing::estimate;
    use crate::units::{Joules, Seconds};

    fn found(relative: &str) -> Vec<Swing> {
        let (_folder, site) = site(&format!("{PRICES}{relative}"));
        let inputs = CostInputs::read(&site).unwrap();
        let (energy, time) = (estimate::<Joules>(1e6, 0.02), estimate::<Seconds>(1e4, 0.01));
        swings(&terms(), &inputs, &energy, Some(&time))
    }
    fn of<'a>(all: &'a [Swing], input: &str) -> &'a Swing {
        all.iter().find(|swing| swing.input == input).unwrap()
    }

    #[test]
    fn the_widest_bar_is_on_top_and_utilisation_beats_the_tariff_for_dear_hardware() {
        let all = found("");
        assert!(all.windows(2).all(|pair| pair[0].swing() >= pair[1].swing()));
        assert_eq!(all[0].input, "utilisation");
        // Tariff ±20 %: 0.1666667 × 0.8 and × 1.2 move the cost by 0.0666667.
        assert!((of(&all, "electricity tariff").swing() - 0.066_666_7).abs() < 1e-6);
        // Energy ±2 %: (0.1666667 + 0.00449) × 0.04 = 0.0068463.
        assert!((of(&all, "measured energy").swing() - 0.006_846_3).abs() < 1e-6);
    }

    #[test]
    fn a_range_is_cut_where_the_input_cannot_go_and_a_given_range_counts() {
        let all = found("[cost.range]\ntariff = [0.25, 1.0]\n");
        let pue = of(&all, "PUE");
        assert_eq!((pue.low, pue.high), (1.0, 1.44));
        let tariff = of(&all, "electricity tariff");
        assert_eq!((tariff.low, tariff.high, tariff.range.as_str()), (0.25, 1.0, "[cost.range]"));
        // 0.3333333 kWh × 0.75.
        assert!((tariff.swing() - 0.25).abs() < 1e-6);
    }

    #[test]
    fn estimated_energy_has_no_interval_to_move_in() {
        let (_folder, site) = site(PRICES);
        let inputs = CostInputs::read(&site).unwrap();
        let energy = Estimate::bare(Joules::new(1e6), 5);
        let all = swings::<_, Seconds>(&terms(), &inputs, &energy, None);
        assert!(all.iter().all(|swing| !swing.input.starts_with("measured")));
    }
}
