//! Electricity Maps' CSV files, with the heads of today and of earlier years.
//!
//! Columns `Datetime (UTC)`, `Zone id`, then intensity direct and life cycle (earlier `Carbon Intensity gCO₂eq/kWh (LCA)`),
//! `Data estimated`. What surprises people: one file has two intensities; the life-cycle one is taken unless `--zone direct`
//! (or `--zone DE/direct`) asks for the other.

use std::borrow::Cow;

use super::super::points::{Point, Points, Unit};
use super::super::stamps::Stamps;
use super::super::{SeriesRequest, Source};
use super::choose;
use super::table::{Table, first_line};
use crate::account::AccountError;
use crate::model::{FactorMethod, Gas};

/// True if the head is one of Electricity Maps.
pub fn fits(text: &str) -> bool {
    let head = first_line(text).to_lowercase();
    head.contains("datetime (utc)") && head.contains("carbon intensity")
}

/// Reads one zone and one of the two intensities.
pub fn read<'a>(source: &'a Source, request: &SeriesRequest) -> Result<Points<'a>, AccountError> {
    let table = Table::read(source)?;
    let heads: Vec<String> = table.head.iter().map(|head| head.to_lowercase()).collect();
    let time = heads.iter().position(|head| head.contains("datetime")).unwrap_or(0);
    let intensity = |word: &str| heads.iter().position(|head| head.contains("carbon intensity") && head.contains(word));
    let direct = intensity("direct");
    let life_cycle = intensity("(lca").or_else(|| intensity("life cycle")).or_else(|| intensity("lifecycle"));
    let (zone, column) = split(request.zone.as_deref());
    let wants_direct = column.is_some_and(|column| column.eq_ignore_ascii_case("direct"));
    let wanted = if wants_direct { direct } else { life_cycle.or(direct.filter(|_| column.is_none())) };
    let column = wanted.ok_or_else(|| {
        let word = if wants_direct { "direct" } else { "life-cycle" };
        source.bad(format!("it has no column of {word} intensity (columns: {})", table.head.join(", ")))
    })?;
    let is_direct = Some(column) == direct;
    let place =
        heads.iter().position(|head| head == "zone id").or_else(|| heads.iter().position(|head| head == "zone name"));
    let chosen = match place {
        Some(place) => choose(source, "zone", &table.distinct(place), zone)?,
        None => None,
    };
    let both = direct.is_some() && life_cycle.is_some();
    let other = match (both, is_direct) {
        (false, _) => "",
        (true, true) => " (the file has life-cycle intensity, too: --zone life-cycle)",
        (true, false) => " (the file has direct intensity, too: --zone direct)",
    };
    let kind = if is_direct { "direct" } else { "life-cycle" };
    let mut points = Points::of(&format!("Electricity Maps CSV, {kind} intensity{other}"), "line");
    points.zone = chosen.clone().unwrap_or_default();
    (points.unit, points.gas) = (Some(Unit::Grams), Some(Gas::Co2e));
    (points.method, points.life_cycle) = (FactorMethod::Average, Some(!is_direct));
    let estimated = heads.iter().position(|head| head == "data estimated");
    let mut estimates = 0;
    let mut stamps = Stamps::new(None, true)?;
    for row in &table.rows {
        let cell = |column: usize| row.cells.get(column).unwrap_or_default().trim();
        if place.is_some_and(|place| chosen.as_deref() != Some(cell(place))) {
            continue;
        }
        estimates += usize::from(estimated.is_some_and(|column| cell(column).eq_ignore_ascii_case("true")));
        if let Some(at) = stamps.read(source, "line", row.line, cell(time))? {
            let value = Cow::Owned(table.value(row, column).into_owned());
            points.rows.push(Point { place: row.line, at, value });
        }
    }
    if estimates > 0 {
        points.faults.push(format!("{estimates} values are marked as estimated by Electricity Maps: kept"));
    }
    Ok(points)
}

/// `DE/direct`, `direct`, `life-cycle` or `DE`: the zone and the column.
fn split(asked: Option<&str>) -> (Option<&str>, Option<&str>) {
    let is_column = |text: &str| ["direct", "life-cycle", "lifecycle", "lca"].contains(&text.to_lowercase().as_str());
    match asked {
        None => (None, None),
        Some(asked) if is_column(asked) => (None, Some(asked)),
        Some(asked) => match asked.rsplit_once('/') {
            Some((zone, column)) if is_column(column) => (Some(zone), Some(column)),
            _ => (Some(asked), None),
        },
    }
}
