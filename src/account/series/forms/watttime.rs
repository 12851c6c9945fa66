//! WattTime's API, version 3: `{"data": [{"point_time", "value"}], "meta": {"region", "signal_type", "units"}}`.
//!
//! What surprises people: the signal `co2_moer` is *marginal* and in pounds per megawatt-hour: it says what one more kilowatt-hour
//! causes, and must not be compared with an average.

use serde_json::Value;

use super::super::points::{Points, Unit};
use super::super::{SeriesRequest, Source};
use super::json;
use crate::account::AccountError;
use crate::model::{FactorMethod, Gas};

/// Reads it, if it is one.
pub fn read(source: &Source, request: &SeriesRequest, value: &Value) -> Result<Option<Points<'static>>, AccountError> {
    let Some(list) = json::list(json::field(value, "data"), "point_time") else { return Ok(None) };
    let meta = json::field(value, "meta").unwrap_or(&Value::Null);
    let signal = json::text(meta, "signal_type").unwrap_or("");
    let units = json::text(meta, "units").unwrap_or("");
    if signal.contains("health") || units.contains("usd") || units.contains("percent") {
        return Err(source.bad(format!(
            "its signal `{signal}` in `{units}` is no carbon intensity; ask the API for signal_type co2_moer or co2_aoer"
        )));
    }
    let region = json::text(meta, "region").unwrap_or("").to_owned();
    if let Some(asked) =
        request.zone.as_deref().filter(|asked| !region.eq_ignore_ascii_case(asked) && !region.is_empty())
    {
        return Err(source.bad(format!("it has no zone `{asked}`; it has {region} alone")));
    }
    let mut points = Points::of(
        &format!("WattTime API v3, signal {}", if signal.is_empty() { "unstated" } else { signal }),
        "entry",
    );
    points.zone = region;
    points.unit = Unit::stated(units);
    points.gas = if units.contains("co2e") { Some(Gas::Co2e) } else { Some(Gas::Co2) };
    points.method = match signal {
        "co2_moer" => FactorMethod::Marginal,
        "co2_aoer" => FactorMethod::Average,
        _ => FactorMethod::Unstated,
    };
    if points.unit.is_none() && request.unit.is_none() {
        return Err(
            source.bad(format!("its meta.units is `{units}`, which is not known; name the unit with --unit lb/MWh"))
        );
    }
    json::add(&mut points, source, request, list.iter().enumerate(), "point_time", |entry| {
        json::field(entry, "value")
    })?;
    Ok(Some(points))
}
