//! Fields of JSON entries, whatever their capitals, and entries to points. What the fields mean is not known here.
//!
//! What surprises people: the Carbon Aware SDK writes `Rating` in files and `rating` over the wire; both are found.

use std::borrow::Cow;

use serde_json::Value;

use super::super::points::{Point, Points};
use super::super::stamps::Stamps;
use super::super::{SeriesRequest, Source};
use crate::account::AccountError;

/// A field of an object, whatever its capitals.
pub fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// A text field.
pub fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    field(value, name)?.as_str()
}

/// A list that is not empty and whose first entry has a field.
pub fn list<'v>(value: Option<&'v Value>, with: &str) -> Option<&'v [Value]> {
    let list = value?.as_array()?;
    list.first().filter(|first| field(first, with).is_some())?;
    Some(list)
}

/// Adds entries to the points; `cell` gives the value's field, and `stamp` is the time's.
pub fn add<'v>(
    points: &mut Points<'static>,
    source: &Source,
    request: &SeriesRequest,
    entries: impl Iterator<Item = (usize, &'v Value)>,
    stamp: &str,
    cell: impl Fn(&'v Value) -> Option<&'v Value>,
) -> Result<(), AccountError> {
    let mut stamps = Stamps::new(request.time_zone.as_deref(), false)?;
    for (index, entry) in entries {
        let place = index + 1;
        let time = text(entry, stamp)
            .ok_or_else(|| source.bad(format!("entry {place} has no `{stamp}`; every entry needs its time")))?;
        let value = match cell(entry) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        if let Some(at) = stamps.read(source, "entry", place, time)? {
            points.rows.push(Point { place, at, value: Cow::Owned(value) });
        }
    }
    stamps.faults(&mut points.faults);
    Ok(())
}
