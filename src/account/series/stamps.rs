//! Texts to instants: stamps with an offset, stamps in a named time zone, seconds since 1970.
//!
//! What surprises people: a local stamp of the hour that clocks repeat in autumn means two instants. The first time it stands
//! in the file it is the earlier one, the second time the later one; a stamp of the hour that clocks skip in spring means
//! none, and its row is left out with a fault.

use std::collections::HashMap;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, tz};

use super::Source;
use crate::account::AccountError;
use crate::names;

/// The time zone of a name (`Europe/London`, `UTC`) or an offset (`+08:00`).
///
/// # Errors
/// The database has no such zone; the message offers the closest names.
pub fn zone(place: &str, key: &str, name: &str) -> Result<TimeZone, AccountError> {
    let trimmed = name.trim();
    if trimmed.eq_ignore_ascii_case("z") || trimmed.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    if trimmed.starts_with(['+', '-'])
        && let Ok(zoned) = format!("2000-01-01T00:00:00{trimmed}[{trimmed}]").parse::<jiff::Zoned>()
    {
        return Ok(zoned.time_zone().clone());
    }
    if let Ok(found) = TimeZone::get(trimmed) {
        return Ok(found);
    }
    let known: Vec<String> = tz::db().available().map(|name| name.to_string()).collect();
    // `London` begins no name of the database, but ends one.
    let ending = format!("/{}", trimmed.to_lowercase().replace(' ', "_"));
    let hint = match known.iter().find(|name| name.to_lowercase().ends_with(&ending)) {
        Some(name) => format!(": did you mean {name}?"),
        None => names::hint(trimmed, known.iter().map(String::as_str)),
    };
    Err(AccountError::Value {
        place: place.to_owned(),
        key: key.to_owned(),
        given: name.to_owned(),
        reason: format!(
            "the time-zone database has no such zone{hint}; write UTC, an offset such as +08:00, or a name such as \
             Europe/London"
        ),
    })
}

/// An instant from a text: with an offset, or in `zone` if it carries none (of a repeated hour the earlier one).
pub fn instant(text: &str, zone: Option<&TimeZone>) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(instant) = absolute(text) {
        return Some(instant);
    }
    civil(text)?.to_zoned(zone?.clone()).ok().map(|zoned| zoned.timestamp())
}

/// Stamps that carry their own offset, or count seconds or milliseconds since 1970.
fn absolute(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let digits = text.strip_suffix(".0").unwrap_or(text);
    // Ten digits are seconds from 2001 to 2286, thirteen are milliseconds; fewer would be a year or a counter.
    match (digits.bytes().all(|byte| byte.is_ascii_digit()), digits.len()) {
        (true, 10) => Timestamp::from_second(digits.parse().ok()?).ok(),
        (true, 13) => Timestamp::from_millisecond(digits.parse().ok()?).ok(),
        _ => None,
    }
}

/// Stamps without an offset: `2022-03-01T00:00`, `2022-03-01 00:00:00`, `2022-03-01`.
fn civil(text: &str) -> Option<DateTime> {
    text.parse().ok()
}

/// True for texts that some stamp could be.
pub fn looks_like_time(text: &str) -> bool {
    let text = text.trim();
    absolute(text).is_some() || civil(text).is_some()
}

/// Turns the stamps of one file into instants, in the file's order.
pub struct Stamps {
    zone: Option<TimeZone>,
    seen: HashMap<DateTime, u32>,
    skipped: usize,
    first_skipped: String,
    local: usize,
}

impl Stamps {
    /// Stamps without an offset are in `named`, or UTC if the format says so, or an error.
    pub fn new(named: Option<&str>, utc_by_format: bool) -> Result<Self, AccountError> {
        let zone = match named {
            _ if utc_by_format => Some(TimeZone::UTC),
            Some(name) => Some(zone("series", "--time-zone", name)?),
            None => None,
        };
        Ok(Self { zone, seen: HashMap::new(), skipped: 0, first_skipped: String::new(), local: 0 })
    }

    /// The instant of a stamp; `None` for an hour that the clocks skipped.
    pub fn read(
        &mut self,
        source: &Source,
        word: &str,
        place: usize,
        text: &str,
    ) -> Result<Option<Timestamp>, AccountError> {
        let text = text.trim();
        if let Some(instant) = absolute(text) {
            return Ok(Some(instant));
        }
        let Some(civil) = civil(text) else {
            return Err(source.bad(format!(
                "{word} {place}: `{text}` is no time that has one meaning only; write it as 2022-03-01T00:00Z"
            )));
        };
        self.local += 1;
        let Some(zone) = &self.zone else {
            return Err(source.bad(format!(
                "{word} {place}: the stamp `{text}` has no time zone, and nothing in the file says one; name it with \
                 --time-zone (UTC, or for example Europe/London for local times with daylight saving)"
            )));
        };
        let ambiguous = zone.to_ambiguous_timestamp(civil);
        let offset = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { .. } => {
                if self.skipped == 0 {
                    self.first_skipped = format!("`{text}` at {word} {place}");
                }
                self.skipped += 1;
                return Ok(None);
            }
            AmbiguousOffset::Fold { before, after } => {
                let times = self.seen.entry(civil).or_default();
                *times += 1;
                if *times == 1 { before } else { after }
            }
        };
        offset.to_timestamp(civil).map(Some).map_err(|error| source.bad(format!("{word} {place}: `{text}`: {error}")))
    }

    /// What must be said about the stamps.
    pub fn faults(&self, faults: &mut Vec<String>) {
        if self.skipped > 0 {
            faults.push(format!(
                "{} stamps name an hour that the clocks of the time zone skip in spring (first {}): their rows are left \
                 out; if the stamps are not local times, the time zone is wrong",
                self.skipped, self.first_skipped
            ));
        }
    }
}
