//! Electricity Maps' API, version 3: `{"zone", "history": [{"datetime", "carbonIntensity", …}]}`; also `forecast` and `data`.
//!
//! What surprises people: whether upstream is included is said by each entry's `emissionFactorType` alone; a forecast's entries
//! do not say, and the answer stays open.

use serde_json::Value;

use super::super::points::{Points, Unit};
use super::super::{SeriesRequest, Source};
use super::{choose, json};
use crate::account::AccountError;
use crate::model::{FactorMethod, Gas};

/// Reads it, if it is one.
pub fn read(source: &Source, request: &SeriesRequest, value: &Value) -> Result<Option<Points<'static>>, AccountError> {
    let found = ["history", "forecast", "data"]
        .into_iter()
        .find_map(|key| Some((key, json::list(json::field(value, key), "carbonIntensity")?)));
    let Some((key, list)) = found else { return Ok(None) };
    let of = |entry: &Value| json::text(entry, "zone").or_else(|| json::text(value, "zone")).unwrap_or("").to_owned();
    let chosen = choose(source, "zone", &list.iter().map(of).collect::<Vec<_>>(), request.zone.as_deref())?;
    let kind = if key == "forecast" { "forecast" } else { "history" };
    let mut points = Points::of(&format!("Electricity Maps API v3, {kind}"), "entry");
    points.zone = chosen.clone().unwrap_or_default();
    (points.unit, points.gas) = (Some(Unit::Grams), Some(Gas::Co2e));
    points.method = FactorMethod::Average;
    let of_zone: Vec<(usize, &Value)> =
        list.iter().enumerate().filter(|(_, entry)| chosen.as_ref().is_none_or(|zone| of(entry) == *zone)).collect();
    let kinds: Vec<Option<&str>> =
        of_zone.iter().map(|(_, entry)| *entry).map(|entry| json::text(entry, "emissionFactorType")).collect();
    if let Some(Some(first)) = kinds.first() {
        if kinds.iter().any(|kind| *kind != Some(first)) {
            return Err(source.bad(
                "its entries mix emissionFactorType lifecycle and direct; ask the API for one of them with its parameter \
                 emissionFactorType",
            ));
        }
        points.life_cycle = Some(first.eq_ignore_ascii_case("lifecycle"));
    }
    json::add(&mut points, source, request, of_zone.iter().copied(), "datetime", |entry| {
        json::field(entry, "carbonIntensity")
    })?;
    let is_estimated = |entry: &Value| json::field(entry, "isEstimated").and_then(Value::as_bool) == Some(true);
    let estimates = of_zone.iter().filter(|(_, entry)| is_estimated(entry)).count();
    if estimates > 0 {
        points.faults.push(format!("{estimates} values are marked as estimated by Electricity Maps: kept"));
    }
    Ok(Some(points))
}
