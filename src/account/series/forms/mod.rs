//! The forms that are read, one file each, and which of them a file has.
//!
//! What surprises people: a form is told by what stands in the file, never by the file's name.

mod carbon_aware;
mod electricity_maps_csv;
mod electricity_maps_json;
mod json;
pub mod plain_csv;
mod table;
mod uk_carbon_intensity;
mod watttime;

use serde_json::Value;

use super::points::Points;
use super::{EXAMPLE, SeriesRequest, Source};
use crate::account::AccountError;
use crate::model::{FactorMethod, Gas};
use crate::names;

/// Reads a file in whatever form it has.
pub fn read<'a>(source: &'a Source, request: &SeriesRequest) -> Result<Points<'a>, AccountError> {
    let text = source.text.trim_start();
    if text.is_empty() {
        return Err(source.bad("it is empty; give a file with times and carbon intensities"));
    }
    if text.starts_with(['{', '[']) {
        let value: Value =
            serde_json::from_str(text).map_err(|error| source.bad(format!("it is no whole JSON text: {error}")))?;
        return from_json(source, request, &value);
    }
    if electricity_maps_csv::fits(text) {
        return electricity_maps_csv::read(source, request);
    }
    let mut points = plain_csv::read(source, request)?;
    if source.name == EXAMPLE {
        points.format = "shipped example: California ISO 2022, from US EIA-930 (public domain)".to_owned();
        // The head of the file says what the column's name does not.
        (points.gas, points.method, points.life_cycle) = (Some(Gas::Co2e), FactorMethod::Average, Some(true));
    }
    Ok(points)
}

fn from_json(source: &Source, request: &SeriesRequest, value: &Value) -> Result<Points<'static>, AccountError> {
    let forms = [electricity_maps_json::read, watttime::read, uk_carbon_intensity::read, carbon_aware::read];
    for form in forms {
        if let Some(points) = form(source, request, value)? {
            return Ok(points);
        }
    }
    Err(source.bad(
        "it is JSON of no form that is known: Electricity Maps v3 (`history`), WattTime v3 (`data` with `point_time`), UK \
         Carbon Intensity (`data` with `intensity`), Carbon Aware SDK (`Rating`, `forecastData`, `Emissions`)",
    ))
}

/// The one zone of several that was asked for; the only one if none was.
fn choose(source: &Source, what: &str, have: &[String], asked: Option<&str>) -> Result<Option<String>, AccountError> {
    let mut names: Vec<&str> = have.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let list = if names.len() > 20 {
        format!("{}, … ({} in all)", names[..20].join(", "), names.len())
    } else {
        names.join(", ")
    };
    match asked {
        Some(asked) => match names.iter().find(|name| name.eq_ignore_ascii_case(asked.trim())) {
            Some(name) => Ok(Some((*name).to_owned())),
            None if names.is_empty() => Ok(None),
            None => {
                let hint = names::hint(asked, names.iter().copied());
                Err(source.bad(format!("it has no {what} `{asked}`{hint}; it has {list}")))
            }
        },
        None if names.len() > 1 => {
            Err(source.bad(format!("it has several {what}s and none is chosen; choose one with --zone: {list}")))
        }
        None => Ok(names.first().map(|name| (*name).to_owned())),
    }
}
