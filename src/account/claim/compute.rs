//! A compute scale such as "12 288 PFLOPS": its precision, and what the stated cards reach by measured rates.
//!
//! What surprises people: a scale without a precision says nothing, since cards differ many times over between f64 and
//! f8. A claim in a precision that cards do on matrix units is contradicted only by a kernel that used them. The rates of a
//! record need no power sensor, so estimated energy takes nothing from them.

use serde::Serialize;

use super::statement::Statement;
use super::{Check, Verdict};
use crate::account::{AccountError, Bounds};
use crate::measure::result::RunResult;
use crate::model::{ElementType, RunRecord, Unit};
use crate::names;

/// FLOP/s of a PFLOPS.
const PETA: f64 = 1e15;
/// Precisions that a claim may name, with the element types that measure it; none for those that no kernel here has.
const PRECISIONS: [(&str, &[ElementType]); 15] = [
    ("f64", &[ElementType::F64]),
    ("fp64", &[ElementType::F64]),
    ("f32", &[ElementType::F32]),
    ("fp32", &[ElementType::F32]),
    ("f16", &[ElementType::F16, ElementType::Mixed]),
    ("fp16", &[ElementType::F16, ElementType::Mixed]),
    ("f16-f32", &[ElementType::Mixed]),
    ("i8", &[ElementType::I8]),
    ("int8", &[ElementType::I8]),
    ("tf32", &[]),
    ("bf16", &[]),
    ("fp8", &[]),
    ("int4", &[]),
    ("fp6", &[]),
    ("fp4", &[]),
];

/// A verified rate of a record, on one device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// The run.
    pub run_id: String,
    /// True if its times were scripted.
    pub simulated: bool,
    /// Name of the device.
    pub device: String,
    /// The case, in words.
    pub case: String,
    /// Precision.
    pub element: ElementType,
    /// Vector lanes or matrix units.
    pub unit: Unit,
    /// FLOP/s of one device.
    pub flop_per_s: f64,
    /// Lower and upper bound of its interval in FLOP/s; `None` if it has none.
    pub interval_flop_per_s: Option<(f64, f64)>,
}

/// The verified rates of a record that are counted in operations.
pub fn rates(record: &RunRecord, result: &RunResult) -> Vec<Rate> {
    let verified = result.cases.iter().filter(|case| case.verified && !case.case.is_foreign());
    let rate = |case: &crate::measure::result::CaseResult| {
        let rate = case.flop_rate?;
        Some(Rate {
            run_id: record.run_id.clone(),
            simulated: record.simulated,
            device: record.device(case.case.device).map_or_else(String::new, |device| device.name.clone()),
            case: case.case.label(),
            element: case.case.element,
            unit: case.case.unit,
            flop_per_s: rate.point.get(),
            interval_flop_per_s: rate.interval.map(|interval| (interval.low.get(), interval.high.get())),
        })
    };
    verified.filter_map(rate).collect()
}

/// `compute_pflops` with `precision`, `cards` and `card`.
pub fn check(statement: &Statement<'_>, rates: &[Rate]) -> Result<Option<Check>, AccountError> {
    let section = &statement.section;
    let Some(pflops) = section.number("compute_pflops", Bounds::positive("PFLOPS, above 0"))? else { return Ok(None) };
    let words = PRECISIONS.map(|(word, _)| word);
    let precision = match section.text("precision")? {
        None => None,
        Some(text) => {
            let lower = text.to_ascii_lowercase();
            let found = PRECISIONS.into_iter().find(|(word, _)| *word == lower);
            let hint = names::hint(&lower, words);
            let reason = format!("the precision must be one of {}{hint}", words.join(", "));
            Some(found.ok_or_else(|| section.bad("precision", reason))?)
        }
    };
    let cards = match section.value("cards") {
        None => None,
        Some(toml::Value::Integer(cards)) if *cards >= 1 => Some(*cards as f64),
        Some(_) => return Err(section.bad("cards", "it must be a whole number of cards, at least 1")),
    };
    let card = section.text("card")?;
    let claim = Claim { pflops, precision, cards, card };
    Ok(Some(verdict(statement, &claim, rates)))
}

struct Claim<'a> {
    pflops: f64,
    precision: Option<(&'static str, &'static [ElementType])>,
    cards: Option<f64>,
    card: Option<&'a str>,
}

impl Claim<'_> {
    fn words(&self) -> String {
        let precision = self.precision.map_or_else(|| "no precision".to_owned(), |(word, _)| word.to_owned());
        let cards = self.cards.map_or_else(String::new, |cards| format!(", {cards} cards"));
        let card = self.card.map_or_else(String::new, |card| format!(" ({card})"));
        format!("{} PFLOPS, {precision}{cards}{card}", self.pflops)
    }
    /// The highest rate of the card in this precision, whatever unit it used: the one that favours the claim.
    fn best<'r>(&self, rates: &'r [Rate], elements: &[ElementType]) -> Option<&'r Rate> {
        let card = self.card.unwrap_or_default().to_lowercase();
        let fits = |rate: &&Rate| elements.contains(&rate.element) && rate.device.to_lowercase().contains(&card);
        rates.iter().filter(fits).max_by(|a, b| a.flop_per_s.total_cmp(&b.flop_per_s))
    }
}

fn verdict(statement: &Statement<'_>, claim: &Claim<'_>, rates: &[Rate]) -> Check {
    let new = |verdict, reason: &str| {
        Check::new(statement, "compute scale", claim.words(), verdict, reason)
            .figure("claimed_flop_per_s", claim.pflops * PETA)
    };
    let Some((word, elements)) = claim.precision else {
        return new(Verdict::Incomplete, "a compute scale without a precision compares with nothing")
            .step(format!(
                "{} PFLOPS of what: f64, f32, f16 and 8-bit rates of one card differ many times over",
                claim.pflops
            ))
            .need("precision, dense or sparse, data-sheet peak or sustained")
            .need("cards and card, so that it can be held against measured rates")
            .source("arithmetic of this program: a rate belongs to a precision");
    };
    if elements.is_empty() {
        return new(Verdict::NotCheckable, "no kernel of this program computes in that precision");
    }
    let name = claim.card.unwrap_or("the card");
    let command =
        format!("a measurement: run `wattmark run --kernel 'gemm/*'` on {name}, and give its record with --run");
    let Some(rate) = claim.best(rates, elements) else {
        let reason = if rates.is_empty() { "no record was given" } else { "no record has that card in that precision" };
        return new(Verdict::NotCheckable, reason).need(command);
    };
    let simulated = if rate.simulated { "SIMULATED: scripted times, no measurement" } else { "measured, verified" };
    let (low, high) = rate.interval_flop_per_s.unwrap_or((rate.flop_per_s, rate.flop_per_s));
    let interval = rate.interval_flop_per_s.map_or_else(
        || "no interval".to_owned(),
        |(low, high)| format!("95 % interval {:.4} to {:.4}", low / 1e12, high / 1e12),
    );
    let with = |check: Check| {
        let measured = format!(
            "{}: {:.4} TFLOP/s in {} ({interval}; {simulated})",
            rate.device,
            rate.flop_per_s / 1e12,
            rate.case
        );
        check
            .step(measured)
            .source(format!("run {}: {}", rate.run_id, rate.case))
            .figure("card_flop_per_s", rate.flop_per_s)
    };
    let Some(cards) = claim.cards else {
        let needed = claim.pflops * PETA / rate.flop_per_s;
        return with(new(Verdict::Incomplete, "the number of cards is not stated"))
            .step(format!("{} PFLOPS at that rate would take {:.0} cards", claim.pflops, needed.ceil()))
            .figure("cards_needed", needed)
            .need("cards, and which card");
    };
    let reach = format!(
        "{cards} cards × {:.4} TFLOP/s = {:.4} PFLOP/s ({:.4} to {:.4}); claimed: {} PFLOPS",
        rate.flop_per_s / 1e12,
        cards * rate.flop_per_s / PETA,
        cards * low / PETA,
        cards * high / PETA,
        claim.pflops
    );
    let claimed = claim.pflops * PETA;
    let only_vector = rate.unit.is_vector() && !matches!(word, "f32" | "fp32");
    let check = if claimed > cards * high && only_vector {
        new(Verdict::NotCheckable, "it is above what was measured, but on vector units: matrix units may do more")
            .need("a record of a kernel on matrix units (`wattmark run --kernel 'gemm/coop*'`)")
    } else if claimed > cards * high {
        new(Verdict::Contradicted, "the stated cards do not reach it at the measured rate, each on its own")
    } else if claimed >= cards * low && low < high {
        new(Verdict::NotCheckable, "it lies within the interval of the measurement").need("more measured windows")
    } else {
        new(
            Verdict::Holds,
            "the stated cards reach it at the measured rate, each on its own; a network was not measured",
        )
    };
    let check = if claim.card.is_none() { check.need("card: the record's device was taken for it") } else { check };
    with(check).step(reach).figure("reach_flop_per_s", cards * rate.flop_per_s).figure("cards", cards)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{one, with};
    use super::*;

    /// 50 TFLOP/s ± 2 % of one card.
    fn rate(element: ElementType, unit: Unit) -> Rate {
        Rate {
            run_id: "run-1".to_owned(),
            simulated: false,
            device: "Card X".to_owned(),
            case: "gemm".to_owned(),
            element,
            unit,
            flop_per_s: 50e12,
            interval_flop_per_s: Some((49e12, 51e12)),
        }
    }
    fn f32s(pflops: &str) -> Check {
        let keys = format!("compute_pflops = {pflops}\nprecision = \"fp32\"\ncards = 100\ncard = \"card x\"");
        with(&keys, &[rate(ElementType::F32, Unit::Vector), rate(ElementType::F16, Unit::Matrix)])
    }

    #[test]
    fn a_scale_without_a_precision_is_incomplete() {
        assert_eq!(one("compute_pflops = 12288").verdict, Verdict::Incomplete);
    }

    #[test]
    fn without_a_record_a_measurement_is_asked_for() {
        let found = one("compute_pflops = 1\nprecision = \"f32\"\ncards = 10\ncard = \"Card X\"");
        assert_eq!(found.verdict, Verdict::NotCheckable);
        assert!(found.needs[0].starts_with("a measurement: run `wattmark run"));
        let other =
            with("compute_pflops = 1\nprecision = \"f64\"\ncards = 10", &[rate(ElementType::F32, Unit::Vector)]);
        assert_eq!(other.verdict, Verdict::NotCheckable, "another precision is no measurement of it");
    }

    #[test]
    fn cards_times_the_measured_rate_decide_with_its_interval() {
        // 100 × 50 TFLOP/s = 5 PFLOP/s, 4.9 to 5.1.
        for (pflops, verdict) in
            [("4.8", Verdict::Holds), ("5.0", Verdict::NotCheckable), ("5.2", Verdict::Contradicted)]
        {
            let found = f32s(pflops);
            assert_eq!((found.verdict, found.figures["reach_flop_per_s"]), (verdict, 5e15), "{pflops}");
        }
    }

    #[test]
    fn vector_units_do_not_contradict_a_claim_about_matrix_units() {
        let half = |unit| {
            let keys = "compute_pflops = 9\nprecision = \"f16\"\ncards = 100";
            with(keys, &[rate(ElementType::F16, unit)]).verdict
        };
        assert_eq!(half(Unit::Vector), Verdict::NotCheckable);
        assert_eq!(half(Unit::Matrix), Verdict::Contradicted);
    }

    #[test]
    fn without_a_number_of_cards_the_number_it_would_take_is_shown() {
        let found = with("compute_pflops = 12288\nprecision = \"f32\"", &[rate(ElementType::F32, Unit::Vector)]);
        // 12 288e15 / 50e12 = 245 760.
        assert_eq!((found.verdict, found.figures["cards_needed"]), (Verdict::Incomplete, 245_760.0));
    }
}
