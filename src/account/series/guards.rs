//! Values that no intensity can have, and units that no file states. Steps and stamps are judged elsewhere.
//!
//! What surprises people: exactly zero is refused in an average series, because no grid of any size is at 0 g/kWh and zero is
//! what a failed feed writes; a marginal series may be zero, when curtailed wind or sun is the plant at the margin.

use super::points::{Points, Unit};
use super::steps::Row;
use super::{SeriesRequest, Source};
use crate::account::AccountError;
use crate::model::FactorMethod;
use crate::names;

/// Highest intensity that any grid can have, in g/kWh: above twice the worst lignite plant.
pub const HIGHEST: f64 = 3000.0;
/// Below this median in g/kWh, a file that states no unit is taken for kg/kWh or worse.
const LEAST_MEDIAN: f64 = 3.0;

/// The unit of the values: the user's, else the file's, else g/kWh if that is plausible.
pub fn unit(source: &Source, request: &SeriesRequest, points: &mut Points<'_>) -> Result<Unit, AccountError> {
    let given = match &request.unit {
        None => None,
        Some(word) => Some(Unit::from_word(word).ok_or_else(|| AccountError::Value {
            place: format!("series {}", source.path.display()),
            key: "--unit".to_owned(),
            given: word.clone(),
            reason: format!("it must be one of {}{}", Unit::WORDS.join(", "), names::hint(word, Unit::WORDS)),
        })?),
    };
    match (given, points.unit) {
        (Some(given), Some(stated)) if given != stated => {
            let word = request.unit.as_deref().unwrap_or_default();
            points.faults.push(format!("the file states another unit than {word}; {word} was taken, as --unit says"));
            Ok(given)
        }
        (Some(given), _) => Ok(given),
        (None, Some(stated)) => Ok(stated),
        (None, None) => {
            let mut numbers: Vec<f64> =
                points.rows.iter().filter_map(|row| number(&row.value)).filter(|value| *value > 0.0).collect();
            numbers.sort_unstable_by(f64::total_cmp);
            let median = numbers.get(numbers.len() / 2).copied();
            if let Some(median) = median.filter(|median| *median < LEAST_MEDIAN) {
                return Err(source.bad(format!(
                    "column {} states no unit and half its values are below {median}, which is no intensity in g/kWh; name \
                     the unit with --unit kg/kWh (or g/kWh, lb/MWh)",
                    points.zone
                )));
            }
            points.faults.push(format!(
                "the file states no unit for {}: taken as g/kWh; --unit names another",
                if points.zone.is_empty() { "its values" } else { &points.zone }
            ));
            Ok(Unit::Grams)
        }
    }
}

/// A finite number; `None` for anything else.
fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Why a value was refused, how often and where first.
#[derive(Default)]
struct Tally {
    count: usize,
    first: String,
}

impl Tally {
    fn add(&mut self, word: &str, place: usize, shown: &str) {
        if self.count == 0 {
            self.first = format!("first at {word} {place}: `{}`", shown.trim());
        }
        self.count += 1;
    }
}

/// Cells to numbers in g/kWh (in their own unit and without limits if `unit` is `None`), with a sentence for each kind of refusal.
///
/// # Errors
/// Most cells are no numbers.
pub fn numbers(
    source: &Source,
    points: &mut Points<'_>,
    unit: Option<Unit>,
    keep: bool,
) -> Result<Vec<Row>, AccountError> {
    let factor = unit.map_or(1.0, Unit::grams_per_kilowatt_hour);
    let [mut blank, mut text, mut negative, mut zero, mut huge] = [(); 5].map(|()| Tally::default());
    let mut rows = Vec::with_capacity(points.rows.len());
    let zero_is_real = points.method == FactorMethod::Marginal || keep;
    for row in &points.rows {
        let cell = row.value.trim();
        let value = match number(cell).map(|value| value * factor) {
            None if cell.is_empty() || cell.eq_ignore_ascii_case("null") => {
                blank.count += 1;
                None
            }
            None => {
                text.add(points.word, row.place, cell);
                None
            }
            Some(value) if unit.is_none() => Some(value),
            Some(value) if value < 0.0 => {
                negative.add(points.word, row.place, cell);
                None
            }
            Some(value) if value > HIGHEST => {
                huge.add(points.word, row.place, cell);
                None
            }
            Some(value) => {
                if value == 0.0 {
                    zero.add(points.word, row.place, cell);
                }
                (value > 0.0 || zero_is_real).then_some(value)
            }
        };
        rows.push(Row { place: row.place, at: row.at, value });
    }
    if text.count * 2 > rows.len() {
        return Err(source.bad(format!(
            "most values of {} are no numbers ({}); choose another column with --zone",
            points.zone, text.first
        )));
    }
    let mut say = |tally: &Tally, what: &str| {
        if tally.count > 0 {
            points.faults.push(format!("{} values {what} ({}): left without a value", tally.count, tally.first));
        }
    };
    if blank.count > 0 {
        blank.first = "a blank is not zero".to_owned();
        say(&blank, "are blank");
    }
    say(&text, "are no numbers");
    say(&negative, "are negative, which no intensity is");
    say(&huge, "are above 3000 g/kWh, which no grid reaches");
    if zero_is_real && zero.count > 0 {
        let why = if keep { "kept as --keep-suspicious says" } else { "kept, for a marginal signal can be zero" };
        points.faults.push(format!("{} values are exactly zero ({}): {why}", zero.count, zero.first));
    } else {
        say(&zero, "are exactly zero, which is what a failed feed writes");
    }
    Ok(rows)
}
