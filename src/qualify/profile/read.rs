//! Reading a profile: every key known, every number finite, every limit on the side that matters and in order.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{PROFILE_SCHEMA, PROFILE_VERSION, Profile, ProfileError, ProfileLimit, ProfileOutput};
use crate::model::{Better, DataPattern, ElementType, Phase};
use crate::names;
use crate::qualify::limits::Limits;
use crate::qualify::measures::{self, Form, Measure};
use crate::qualify::work::WorkKey;

const KEYS: [&str; 9] = ["schema", "version", "name", "model", "simulated", "note", "learned", "work", "outputs"];
const LEARNED: [&str; 10] =
    ["devices", "runs", "load_s", "rule", "tool", "first", "last", "drivers", "records", "told"];
const WORK: [&str; 6] = ["kernel", "shape", "element", "pattern", "params", "shader_sha256"];
const OUTPUT: [&str; 3] = ["sha256", "seed", "driver"];
const LIMIT: [&str; 11] = [
    "unit",
    "fail_below",
    "warn_below",
    "warn_above",
    "fail_above",
    "scope",
    "evidence",
    "median",
    "lowest",
    "highest",
    "sigma",
];

impl Profile {
    /// Reads a profile from its text.
    ///
    /// # Errors
    /// What is wrong, with the key and the remedy; the caller names the file.
    pub fn read(text: &str) -> Result<Self, ProfileError> {
        let table: Table =
            text.parse().map_err(|error: toml::de::Error| ProfileError::Syntax(one_line(&error.to_string())))?;
        match table.get("schema") {
            Some(Value::String(schema)) if schema == PROFILE_SCHEMA => {}
            other => return Err(ProfileError::Foreign(other.map_or("absent".to_owned(), Value::to_string))),
        }
        match table.get("version").and_then(Value::as_integer) {
            Some(version) if version == i64::from(PROFILE_VERSION) => {}
            Some(version) if version > i64::from(PROFILE_VERSION) => return Err(ProfileError::Newer(version)),
            _ => return Err(bad(&table, "", "version", "it must be 1")),
        }
        let top = Part { table: &table, place: String::new() };
        top.only(&[&KEYS[..], &["limits"]].concat())?;
        let learned = top.part("learned")?.unwrap_or(Part { table: &EMPTY, place: "learned".to_owned() });
        learned.only(&LEARNED)?;
        let profile = Self {
            name: top.required("name", "a short name, such as \"nvidia-h200\"")?,
            model: top.required("model", "the device's name, or a glob such as \"NVIDIA H200*\"")?,
            simulated: top.flag("simulated")?,
            note: top.text("note")?.unwrap_or_default(),
            devices: learned.count("devices")?,
            runs: learned.count("runs")?,
            load_s: learned.number("load_s")?,
            rule: learned.text("rule")?.unwrap_or_default(),
            tool: learned.text("tool")?.unwrap_or_default(),
            span: learned.text("first")?.zip(learned.text("last")?),
            drivers: learned.texts("drivers")?,
            records: learned.texts("records")?,
            told: learned.texts("told")?,
            work: top.named("work", work)?,
            outputs: top.named("outputs", output)?,
            limits: top.named("limits", limit)?,
        };
        if profile.limits.is_empty() {
            let remedy =
                "give at least one [limits.\"<phase>.rate.mean\"], or learn the profile from records".to_owned();
            return Err(ProfileError::Missing { key: "limits".to_owned(), remedy });
        }
        if let Some(id) = profile.told.iter().find(|id| measures::measure(id).is_none()) {
            return Err(ProfileError::UnknownFigure { id: id.clone(), hint: measures::hint(id) });
        }
        let without_work = |id: &String| measures::phase(id).filter(|phase| !profile.work.contains_key(phase.name()));
        match profile.limits.keys().find_map(without_work) {
            Some(phase) => Err(ProfileError::Missing {
                key: format!("work.{phase}"),
                remedy: format!(
                    "there are limits of the {phase} phase, and without its kernel and shape nobody knows of which work"
                ),
            }),
            None => Ok(profile),
        }
    }
}

static EMPTY: std::sync::LazyLock<Table> = std::sync::LazyLock::new(Table::new);

/// A table with its dotted place.
struct Part<'a> {
    table: &'a Table,
    place: String,
}

fn bad(table: &Table, place: &str, key: &str, reason: &str) -> ProfileError {
    let given = table.get(key).map_or("absent".to_owned(), |value| one_line(&value.to_string()));
    ProfileError::Value { key: dotted(place, key), given, reason: reason.to_owned() }
}

fn dotted(place: &str, key: &str) -> String {
    let quoted = if key.contains('.') { format!("\"{key}\"") } else { key.to_owned() };
    if place.is_empty() { quoted } else { format!("{place}.{quoted}") }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

impl<'a> Part<'a> {
    fn bad(&self, key: &str, reason: &str) -> ProfileError {
        bad(self.table, &self.place, key, reason)
    }
    fn only(&self, known: &[&str]) -> Result<(), ProfileError> {
        match self.table.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(ProfileError::UnknownKey {
                key: dotted(&self.place, key),
                hint: names::hint(key, known.iter().copied()),
                known: known.join(", "),
            }),
        }
    }
    fn text(&self, key: &str) -> Result<Option<String>, ProfileError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.bad(key, "it must be text in quotation marks")),
        }
    }
    fn required(&self, key: &str, remedy: &str) -> Result<String, ProfileError> {
        match self.text(key)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(ProfileError::Missing { key: dotted(&self.place, key), remedy: format!("give {remedy}") }),
        }
    }
    fn texts(&self, key: &str) -> Result<Vec<String>, ProfileError> {
        let wrong = || self.bad(key, "it must be a list of texts");
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or_else(wrong)?;
        list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }
    fn flag(&self, key: &str) -> Result<bool, ProfileError> {
        match self.table.get(key) {
            None => Ok(false),
            Some(Value::Boolean(value)) => Ok(*value),
            Some(_) => Err(self.bad(key, "it must be true or false")),
        }
    }
    fn whole(&self, key: &str) -> Result<Option<u64>, ProfileError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let whole = value.as_integer().and_then(|value| u64::try_from(value).ok());
        whole.map(Some).ok_or_else(|| self.bad(key, "it must be a whole number from 0 on"))
    }
    fn count(&self, key: &str) -> Result<u32, ProfileError> {
        let count = self.whole(key)?.unwrap_or(0);
        u32::try_from(count).map_err(|_| self.bad(key, "there are not so many"))
    }
    fn number(&self, key: &str) -> Result<Option<f64>, ProfileError> {
        let number = match self.table.get(key) {
            None => return Ok(None),
            Some(Value::Float(value)) => *value,
            Some(Value::Integer(value)) => *value as f64,
            Some(_) => return Err(self.bad(key, "it must be a number")),
        };
        if number.is_finite() { Ok(Some(number)) } else { Err(self.bad(key, "it must be a finite number")) }
    }
    fn part(&self, key: &str) -> Result<Option<Part<'a>>, ProfileError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(Part { table, place: dotted(&self.place, key) })),
            Some(_) => Err(self.bad(key, "it must be a table")),
        }
    }
    /// The tables of a table, each read by its name.
    fn named<T>(
        &self,
        key: &str,
        read: impl Fn(&str, &Part<'a>) -> Result<T, ProfileError>,
    ) -> Result<BTreeMap<String, T>, ProfileError> {
        let Some(all) = self.part(key)? else { return Ok(BTreeMap::new()) };
        let one = |name: &String| match all.part(name)? {
            Some(part) => Ok((name.clone(), read(name, &part)?)),
            None => Err(all.bad(name, "it must be a table")),
        };
        all.table.keys().map(one).collect()
    }
}

/// Refuses a name that is no phase.
fn check_phase(name: &str, part: &Part<'_>) -> Result<(), ProfileError> {
    let phases = Phase::ALL.map(Phase::name);
    if phases.contains(&name) {
        return Ok(());
    }
    let (hint, known) = (names::hint(name, phases), phases.join(", "));
    Err(ProfileError::UnknownKey { key: part.place.clone(), hint, known })
}

fn work(name: &str, part: &Part<'_>) -> Result<WorkKey, ProfileError> {
    check_phase(name, part)?;
    part.only(&WORK)?;
    let mut params = BTreeMap::new();
    if let Some(given) = part.part("params")? {
        for key in given.table.keys() {
            params.insert(key.clone(), given.whole(key)?.unwrap_or_default());
        }
    }
    let element = part.required("element", "the precision, such as \"f32\"")?;
    element.parse::<ElementType>().map_err(|reason| part.bad("element", &reason))?;
    let pattern = part.text("pattern")?.unwrap_or_else(|| DataPattern::Normal.name().to_owned());
    pattern.parse::<DataPattern>().map_err(|reason| part.bad("pattern", &reason))?;
    Ok(WorkKey {
        kernel: part.required("kernel", "the variant, such as \"gemm/tiled-f32\"")?,
        shape: part.required("shape", "the extents, such as \"k=4096 m=4096 n=4096\"")?,
        element,
        pattern,
        params,
        shader_sha256: part.required(
            "shader_sha256",
            "the digest of the shader, as `wattmark list kernels --json` and records state it",
        )?,
    })
}

fn output(name: &str, part: &Part<'_>) -> Result<ProfileOutput, ProfileError> {
    check_phase(name, part)?;
    part.only(&OUTPUT)?;
    let sha256 = part.required("sha256", "the digest of the output")?;
    if sha256.len() != 64 || !sha256.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(part.bad("sha256", "it must be 64 hexadecimal digits"));
    }
    Ok(ProfileOutput {
        sha256: sha256.to_lowercase(),
        seed: part.whole("seed")?.unwrap_or_default(),
        driver: part.required("driver", "the driver with which the outputs were made")?,
    })
}

fn limit(id: &str, part: &Part<'_>) -> Result<ProfileLimit, ProfileError> {
    if measures::measure(id).is_none() && part.table.values().any(Value::is_table) {
        let reason = format!("write the figure's name in quotation marks: [limits.\"{id}.…\"]");
        return Err(ProfileError::Value { key: part.place.clone(), given: "a table of tables".to_owned(), reason });
    }
    let unknown = || ProfileError::UnknownFigure { id: id.to_owned(), hint: measures::hint(id) };
    let measure = measures::measure(id).ok_or_else(unknown)?;
    part.only(&LIMIT)?;
    let unit = part.required("unit", "the unit of the numbers")?;
    if !measure.units.contains(&unit.as_str()) {
        let hint = names::hint(&unit, measure.units.iter().copied());
        return Err(part.bad("unit", &format!("this figure has the unit {}{hint}", measure.units.join(" or "))));
    }
    let limits = Limits {
        fail_below: part.number("fail_below")?,
        warn_below: part.number("warn_below")?,
        warn_above: part.number("warn_above")?,
        fail_above: part.number("fail_above")?,
    };
    for key in ["fail_below", "warn_below", "warn_above", "fail_above"] {
        check_amount(id, measure, part, key)?;
    }
    check_sides(id, measure, &limits)?;
    let word = |key: &str, words: &[&str]| match part.text(key)? {
        Some(text) if !words.contains(&text.as_str()) => {
            let hint = names::hint(&text, words.iter().copied());
            Err(part.bad(key, &format!("it must be one of {}{hint}", words.join(", "))))
        }
        other => Ok(other),
    };
    Ok(ProfileLimit {
        unit,
        limits,
        scope: word("scope", &["chip", "board", "module", "package", "host DC", "wall AC", "memory"])?,
        evidence: word("evidence", &["measured", "declared"])?,
        median: part.number("median")?,
        lowest: part.number("lowest")?,
        highest: part.number("highest")?,
        sigma: part.number("sigma")?,
    })
}

/// A limit must be a number that the figure can have.
fn check_amount(id: &str, measure: &Measure, part: &Part<'_>, key: &str) -> Result<(), ProfileError> {
    let Some(value) = part.number(key)? else { return Ok(()) };
    if value < 0.0 && id != "temperature.max" {
        return Err(part.bad(key, "this figure is never negative"));
    }
    if value > 1.0 && measure.form == Form::Percent {
        return Err(part.bad(key, "it must be a share from 0 to 1 (0.05 is 5 %)"));
    }
    Ok(())
}

/// Limits must stand on the side that is worse, and in order.
fn check_sides(id: &str, measure: &Measure, limits: &Limits) -> Result<(), ProfileError> {
    let (low, high) = (limits.fail_below.or(limits.warn_below), limits.fail_above.or(limits.warn_above));
    let lacking = match measure.better {
        Some(Better::Higher) => low.is_none().then_some("fail_below, warn_below or both: lower is worse"),
        Some(Better::Lower) => high.is_none().then_some("warn_above, fail_above or both: higher is worse"),
        None => low.or(high).is_none().then_some("fail_below, warn_below, warn_above or fail_above"),
    };
    if let Some(remedy) = lacking {
        return Err(ProfileError::NoLimit { id: id.to_owned(), remedy });
    }
    match limits.contradiction() {
        None => Ok(()),
        Some(((first, first_value), (second, second_value))) => {
            Err(ProfileError::Contradiction { id: id.to_owned(), first, first_value, second, second_value })
        }
    }
}
