//! The Carbon Aware SDK: emissions (`[{"Location", "Time", "Rating", "Duration"}]`), its data file (`{"Emissions": […]}`), and forecasts
//! (`[{"location", "windowSize", "forecastData": [{"timestamp", "value"}]}]`).
//!
//! What surprises people: a forecast's values are means over `windowSize` minutes from each stamp, not of the step alone; and
//! the SDK passes on what its source says, so average or marginal stays unstated.

use serde_json::Value;

use super::super::points::{Points, Unit};
use super::super::{SeriesRequest, Source};
use super::{choose, json};
use crate::account::AccountError;

/// Reads it, if it is one.
pub fn read(source: &Source, request: &SeriesRequest, value: &Value) -> Result<Option<Points<'static>>, AccountError> {
    if let Some(forecasts) = forecasts(value) {
        return forecast(source, request, &forecasts).map(Some);
    }
    let (form, list) = match json::list(json::field(value, "Emissions"), "Rating") {
        Some(list) => ("data file", list),
        None => match json::list(Some(value), "Rating") {
            Some(list) => ("emissions", list),
            None => return Ok(None),
        },
    };
    let of = |entry: &Value| json::text(entry, "Location").unwrap_or("").to_owned();
    let chosen = choose(source, "zone", &list.iter().map(of).collect::<Vec<_>>(), request.zone.as_deref())?;
    let mut points = begin(form, chosen.clone());
    let entries = list.iter().enumerate().filter(|(_, entry)| chosen.as_ref().is_none_or(|zone| of(entry) == *zone));
    json::add(&mut points, source, request, entries, "Time", |entry| json::field(entry, "Rating"))?;
    Ok(Some(points))
}

fn begin(form: &str, zone: Option<String>) -> Points<'static> {
    let mut points = Points::of(&format!("Carbon Aware SDK, {form}"), "entry");
    points.zone = zone.unwrap_or_default();
    points.unit = Some(Unit::Grams);
    points
}

/// The forecasts of a list, or a single one.
fn forecasts(value: &Value) -> Option<Vec<&Value>> {
    let all: Vec<&Value> = match value.as_array() {
        Some(list) => list.iter().collect(),
        None => vec![value],
    };
    all.first().filter(|first| json::field(first, "forecastData").is_some())?;
    Some(all)
}

fn forecast(source: &Source, request: &SeriesRequest, all: &[&Value]) -> Result<Points<'static>, AccountError> {
    let of = |entry: &Value| json::text(entry, "location").unwrap_or("").to_owned();
    let chosen = choose(source, "zone", &all.iter().map(|one| of(one)).collect::<Vec<_>>(), request.zone.as_deref())?;
    let mut of_zone = all.iter().filter(|one| chosen.as_ref().is_none_or(|zone| of(one) == *zone));
    let one = of_zone.next().ok_or_else(|| source.bad("it has no forecast"))?;
    if of_zone.next().is_some() {
        return Err(source.bad("it has several forecasts of one place, made at different times; give a file with one"));
    }
    let list = json::list(json::field(one, "forecastData"), "value")
        .ok_or_else(|| source.bad("its forecastData is empty; ask for a forecast that covers the time in question"))?;
    let mut points = begin("forecast", chosen);
    if let Some(window) = json::field(one, "windowSize").and_then(Value::as_f64).filter(|minutes| *minutes > 0.0) {
        points.faults.push(format!(
            "each value is the mean of {window} min from its time on, as windowSize says: peaks and lows are flattened"
        ));
    }
    json::add(&mut points, source, request, list.iter().enumerate(), "timestamp", |entry| json::field(entry, "value"))?;
    Ok(points)
}
