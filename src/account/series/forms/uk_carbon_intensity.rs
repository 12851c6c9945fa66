//! The UK Carbon Intensity API: `{"data": [{"from", "to", "intensity": {"forecast", "actual", "index"}}]}`, national and regional.
//!
//! What surprises people: `actual` is null for the future and is missing for regions; the forecast stands in, and how often is
//! said. Only the CO2 of generation is counted.

use serde_json::Value;

use super::super::points::{Points, Unit};
use super::super::{SeriesRequest, Source};
use super::{choose, json};
use crate::account::AccountError;
use crate::model::{FactorMethod, Gas};

/// One half-hour: the entry with its time, and its `intensity`.
type Entry<'v> = (&'v Value, &'v Value);

/// Reads it, if it is one.
pub fn read(source: &Source, request: &SeriesRequest, value: &Value) -> Result<Option<Points<'static>>, AccountError> {
    let Some((zone, entries)) = entries(source, request, value)? else { return Ok(None) };
    let number = |entry: &Entry<'_>, key: &str| json::field(entry.1, key).is_some_and(Value::is_number);
    let actual = entries.iter().filter(|entry| number(entry, "actual")).count();
    let forecast = entries.iter().filter(|entry| !number(entry, "actual") && number(entry, "forecast")).count();
    let kind = match (actual, forecast) {
        (0, _) => "forecast",
        (_, 0) => "actual",
        _ => "actual, else forecast",
    };
    let mut points = Points::of(&format!("UK Carbon Intensity API, {kind}"), "entry");
    points.zone = zone;
    (points.unit, points.gas) = (Some(Unit::Grams), Some(Gas::Co2));
    (points.method, points.life_cycle) = (FactorMethod::Average, Some(false));
    if actual > 0 && forecast > 0 {
        points
            .faults
            .push(format!("{forecast} of {} steps have no actual value: their forecast is used", entries.len()));
    }
    for (index, (entry, intensity)) in entries.iter().enumerate() {
        let value = |_: &Value| {
            json::field(intensity, "actual")
                .filter(|value| value.is_number())
                .or_else(|| json::field(intensity, "forecast"))
        };
        json::add(&mut points, source, request, std::iter::once((index, *entry)), "from", value)?;
    }
    Ok(Some(points))
}

/// The half-hours of the one place that is meant: national, one region, or one of all regions.
fn entries<'v>(
    source: &Source,
    request: &SeriesRequest,
    value: &'v Value,
) -> Result<Option<(String, Vec<Entry<'v>>)>, AccountError> {
    let Some(mut data) = json::field(value, "data") else { return Ok(None) };
    // One region: `data` is an object (or a list of one) with `shortname` and its own `data`.
    let mut zone = "GB".to_owned();
    let region = json::list(Some(data), "shortname").and_then(<[Value]>::first).unwrap_or(data);
    if let (Some(name), Some(inner)) = (json::text(region, "shortname"), json::field(region, "data")) {
        (zone, data) = (name.to_owned(), inner);
    }
    if let Some(list) = json::list(Some(data), "intensity") {
        let chosen = choose(source, "zone", std::slice::from_ref(&zone), request.zone.as_deref())?;
        let pairs = list.iter().map(|entry| (entry, json::field(entry, "intensity").unwrap_or(&Value::Null)));
        return Ok(Some((chosen.unwrap_or(zone), pairs.collect())));
    }
    let Some(list) = json::list(Some(data), "regions") else { return Ok(None) };
    let regions =
        |entry: &'v Value| json::field(entry, "regions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let name = |region: &Value| json::text(region, "shortname").unwrap_or_default().to_owned();
    let names: Vec<String> = list.iter().take(1).flat_map(|entry| regions(entry).iter().map(name)).collect();
    let zone = choose(source, "zone", &names, request.zone.as_deref())?.unwrap_or_default();
    let pair = |entry: &'v Value| {
        let region = regions(entry).iter().find(|region| name(region) == zone);
        (entry, region.and_then(|region| json::field(region, "intensity")).unwrap_or(&Value::Null))
    };
    Ok(Some((zone.clone(), list.iter().map(pair).collect())))
}
