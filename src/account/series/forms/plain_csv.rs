//! Plain CSV: a column of times and one or several columns of values, as spreadsheets, simulators and data sets have them.
//!
//! Known names of columns (`carbon_intensity_avg`, `avg_CI`, `carbon_intensity`, …) are found by themselves; otherwise the only
//! column of numbers is taken, or the one that `--zone` names. What surprises people: where several columns could be meant,
//! none is guessed.

use std::borrow::Cow;

use super::super::points::{Point, Points, Unit};
use super::super::stamps::{Stamps, looks_like_time};
use super::super::{SeriesRequest, Source};
use super::choose;
use super::table::{Row, Table};
use crate::account::AccountError;
use crate::model::{FactorMethod, Gas};

/// Names of value columns that public data sets use for intensity in g/kWh, lower case.
const KNOWN_VALUES: [&str; 10] = [
    "carbon_intensity_avg",
    "avg_ci",
    "gco2e_per_kwh",
    "gco2_per_kwh",
    "g_per_kwh",
    "carbon_intensity",
    "carbonintensity",
    "carbon intensity",
    "intensity_g_per_kwh",
    "ci",
];
/// Names of columns that say which place a row is about, lower case.
const PLACES: [&str; 7] = ["zone", "zone_id", "zone id", "location", "region", "balancing_authority", "zone_code"];
/// Names of time columns, lower case, the surest first.
const TIMES: [&str; 14] = [
    "datetime_utc",
    "datetime (utc)",
    "utc_time",
    "time_utc",
    "timestamp_utc",
    "datetime",
    "timestamp",
    "time",
    "point_time",
    "date_time",
    "date",
    "start",
    "from",
    "period",
];

/// Reads the column that is meant.
pub fn read<'a>(source: &'a Source, request: &SeriesRequest) -> Result<Points<'a>, AccountError> {
    let table = Table::read(source)?;
    let time = time_column(source, &table)?;
    let place = PLACES.iter().find_map(|name| table.column(name)).filter(|column| *column != time);
    let (place_asked, column_asked) = split_zone(&table, place, request.zone.as_deref());
    let chosen_place = match place {
        Some(column) => choose(source, "zone", &table.distinct(column), place_asked)?.map(|name| (column, name)),
        None => None,
    };
    let column = value_column(source, &table, time, place, column_asked)?;
    let head = table.head[column].clone();
    let mut points = Points::of(&format!("plain CSV, column {head}"), "line");
    describe(&mut points, &head);
    points.zone = match &chosen_place {
        Some((_, name)) => format!("{name} ({head})"),
        None => head,
    };
    let utc = table.head[time].to_lowercase().contains("utc");
    let mut stamps = Stamps::new(request.time_zone.as_deref(), utc)?;
    for row in &table.rows {
        if let Some((column, name)) = &chosen_place
            && row.cells.get(*column).unwrap_or_default().trim() != name
        {
            continue;
        }
        let at = stamps.read(source, "line", row.line, row.cells.get(time).unwrap_or_default())?;
        if let Some(at) = at {
            let value = Cow::Owned(table.value(row, column).into_owned());
            points.rows.push(Point { place: row.line, at, value });
        }
    }
    stamps.faults(&mut points.faults);
    Ok(points)
}

/// `DE/avg_CI` where there is a column of places; else one of the two.
fn split_zone<'z>(table: &Table, place: Option<usize>, asked: Option<&'z str>) -> (Option<&'z str>, Option<&'z str>) {
    let Some(asked) = asked else { return (None, None) };
    if place.is_none() || table.column(asked).is_some() {
        return (None, Some(asked));
    }
    match asked.rsplit_once('/') {
        Some((place, column)) if table.column(column).is_some() => (Some(place), Some(column)),
        _ => (Some(asked), None),
    }
}

fn time_column(source: &Source, table: &Table) -> Result<usize, AccountError> {
    let is_time = |column: usize| {
        let cell = table.rows.first().and_then(|row: &Row| row.cells.get(column)).unwrap_or_default();
        looks_like_time(cell)
    };
    let named = TIMES.iter().filter_map(|name| table.column(name));
    let mut candidates: Vec<usize> = named.collect();
    // The nameless first column of a data frame, or any whose first cell is a time.
    let first_is_named = candidates.first().copied();
    candidates.extend((0..table.head.len()).filter(|column| table.head[*column].is_empty()));
    candidates.extend(0..table.head.len());
    if let Some(column) = candidates.iter().copied().find(|column| is_time(*column)) {
        return Ok(column);
    }
    // A known name with a stamp that cannot be read: the message about the stamp says more.
    first_is_named.ok_or_else(|| {
        source.bad(format!(
            "no column holds times (columns: {}); name one `time` and write stamps as 2022-03-01T00:00Z",
            table.head.join(", ")
        ))
    })
}

fn value_column(
    source: &Source,
    table: &Table,
    time: usize,
    place: Option<usize>,
    asked: Option<&str>,
) -> Result<usize, AccountError> {
    // A column of numbers: the first cells that are not blank are numbers.
    let numeric = |column: usize| {
        let mut cells = table.rows.iter().map(|row| table.value(row, column)).filter(|cell| !cell.is_empty()).take(20);
        cells.any(|cell| cell.parse::<f64>().is_ok())
    };
    let columns: Vec<usize> = (0..table.head.len())
        .filter(|column| *column != time && Some(*column) != place && (asked.is_some() || numeric(*column)))
        .filter(|column| !TIMES.contains(&table.head[*column].to_lowercase().as_str()))
        .collect();
    let names: Vec<String> = columns.iter().map(|column| table.head[*column].clone()).collect();
    if asked.is_none()
        && let Some(known) = KNOWN_VALUES.iter().find_map(|name| table.column(name)).filter(|known| *known != time)
    {
        return Ok(known);
    }
    if columns.is_empty() {
        return Err(source.bad("it has no column of numbers beside the times"));
    }
    let chosen = choose(source, "column", &names, asked)?;
    chosen
        .and_then(|name| table.column(&name))
        .ok_or_else(|| source.bad("its columns have no names; write a head such as time,g_per_kwh"))
}

/// What a column's name says about unit, gas and method.
fn describe(points: &mut Points<'_>, head: &str) {
    let lower = head.to_lowercase().replace('₂', "2");
    let known = KNOWN_VALUES.contains(&lower.as_str());
    points.unit = Unit::stated(&lower).or(known.then_some(Unit::Grams));
    points.gas = if lower.contains("co2e") { Some(Gas::Co2e) } else { lower.contains("co2").then_some(Gas::Co2) };
    points.method = if lower.contains("moer") || lower.contains("marginal") {
        FactorMethod::Marginal
    } else if lower.contains("avg") || lower.contains("average") {
        FactorMethod::Average
    } else {
        FactorMethod::Unstated
    };
    points.life_cycle = if lower.contains("lca") || lower.contains("life cycle") || lower.contains("lifecycle") {
        Some(true)
    } else {
        lower.contains("direct").then_some(false)
    };
}
