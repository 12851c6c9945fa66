//! From the root of a Redfish service to the one resource that is polled.
//!
//! Nothing is polled here. What surprises people: a chassis may stand in another (a baseboard in a server, a sled in an
//! enclosure) and its watts are then in those of the other. Only the outermost that gives a reading counts, none is ever
//! added to another, and where several stand side by side the user must choose.

use serde_json::Value;

use super::super::http::Failure;
use super::super::web::{self, Trouble};
use super::bmc::{Bmc, ROOT};
use crate::model::Scope;
use crate::units::{Ratio, Seconds};

/// Most chassis that are looked at; a baseboard with eight accelerators shows about thirty.
const MOST_CHASSIS: usize = 64;

/// What is polled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    /// `PowerWatts` and `EnergykWh` of an `EnvironmentMetrics`; power from the sensor itself where that has a time.
    Environment { path: String, sensor: Option<String>, energy: bool },
    /// A field of the metrics of each power supply, added up.
    Supplies { metrics: Vec<String>, field: &'static str, energy: bool },
    /// An entry of the legacy `PowerControl`.
    Legacy { path: String, entry: usize },
}

impl Reading {
    /// Energy counters that are read.
    pub(super) fn counters(&self) -> usize {
        match self {
            Self::Environment { energy, .. } => usize::from(*energy),
            Self::Supplies { metrics, energy, .. } => metrics.len() * usize::from(*energy),
            Self::Legacy { .. } => 0,
        }
    }
}

/// What was found, with what the record should say of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) reading: Reading,
    /// What the watts include unless the user knows better.
    pub(super) scope: Scope,
    /// Which resource it is.
    pub(super) what: String,
    /// On which side of the power supply it is taken.
    pub(super) side: &'static str,
    pub(super) sensing_s: Option<Seconds>,
    pub(super) accuracy: Option<Ratio>,
    watts: f64,
}

const UNKNOWN_SIDE: &str =
    "the schema does not say on which side of the power supply, so the direct-current side is assumed";
const DECLARED_SIDE: &str = "what it includes is as the user declared";

/// Finds what to poll.
pub(super) fn find(bmc: &mut Bmc, asked: Option<Scope>) -> Result<Target, Trouble> {
    let path = bmc.web.address.path.clone();
    let mut target = if path.is_empty() || path == ROOT.trim_end_matches('/') || path == "/redfish" {
        among_chassis(bmc, asked)?
    } else {
        direct(bmc, &path, asked)?
    };
    if asked.is_some() {
        target.side = DECLARED_SIDE;
    }
    Ok(target)
}

/// A resource whose path the user named: an `EnvironmentMetrics`, or a chassis or processor that has one.
fn direct(bmc: &mut Bmc, path: &str, asked: Option<Scope>) -> Result<Target, Trouble> {
    let resource = bmc.get(path).map_err(|failure| bmc.web.failed(&failure))?;
    if resource.get("PowerWatts").is_none() {
        return of_resource(bmc, path, &resource, asked)?.map_err(|why| nothing(&format!("{path}: {why}")));
    }
    let owner_path = path.rsplit_once('/').map_or(path, |(owner, _)| owner).to_owned();
    let owner = bmc.get(&owner_path).unwrap_or(Value::Null);
    let found = environment(bmc, path, &resource).map_err(|failure| bmc.web.failed(&failure))?;
    let mut target = found.map_err(|why| nothing(&format!("{path}: {why}")))?;
    target.name = owner_path.rsplit('/').next().unwrap_or_default().to_owned();
    target.scope = scope_of(&owner_path, &owner);
    target.side = side_of(target.scope);
    Ok(target)
}

/// One chassis with what contains it.
struct Chassis {
    id: String,
    path: String,
    resource: Value,
    inside: Option<String>,
}

fn among_chassis(bmc: &mut Bmc, asked: Option<Scope>) -> Result<Target, Trouble> {
    let all = chassis(bmc)?;
    let names = || all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = bmc.web.options.text("chassis").map(str::to_owned) {
        let one = all.iter().find(|one| one.id == wanted).ok_or_else(|| {
            Trouble::new(
                format!("there is no chassis `{wanted}`; there are: {}", names()),
                "choose one with chassis=ID",
            )
        })?;
        let found = of_resource(bmc, &one.path, &one.resource, asked)?;
        return found.map_err(|why| nothing(&format!("chassis {wanted}: {why}")));
    }
    let depth = |one: &Chassis| {
        let mut steps = 0;
        let mut inside = one.inside.as_deref();
        while let Some(outer) = inside.and_then(|path| all.iter().find(|other| same(&other.path, path))) {
            steps += 1;
            if steps > all.len() {
                break;
            }
            inside = outer.inside.as_deref();
        }
        steps
    };
    let mut whys = Vec::new();
    for level in 0..=all.iter().map(depth).max().unwrap_or(0) {
        let mut found = Vec::new();
        for one in all.iter().filter(|one| depth(one) == level) {
            match of_resource(bmc, &one.path, &one.resource, asked)? {
                Ok(target) => found.push(target),
                Err(why) => whys.push(format!("{}: {why}", one.id)),
            }
        }
        if found.len() > 1 {
            let list: Vec<String> = found.iter().map(|one| format!("{} ({} W)", one.name, one.watts)).collect();
            let why = format!("several chassis give power and none contains the other: {}", list.join(", "));
            return Err(Trouble::new(why, format!("choose one with chassis={}", found[0].name)));
        }
        if let Some(target) = found.pop() {
            return Ok(target);
        }
    }
    Err(nothing(&format!("no chassis gives power: {}", whys.join("; "))))
}

fn nothing(why: &str) -> Trouble {
    let remedy = "switch the host on; if it runs, this BMC does not publish its power over Redfish: try ipmi, or a meter at \
                  the wall";
    Trouble::new(why, remedy)
}

fn chassis(bmc: &mut Bmc) -> Result<Vec<Chassis>, Trouble> {
    let collection = link(&bmc.root, "Chassis").unwrap_or_else(|| format!("{ROOT}Chassis"));
    let paths = members(bmc, &collection).map_err(|failure| bmc.web.failed(&failure))?;
    let mut all: Vec<Chassis> = Vec::new();
    let mut contained: Vec<(String, String)> = Vec::new();
    for path in paths.into_iter().take(MOST_CHASSIS) {
        let resource = bmc.get(&path).map_err(|failure| bmc.web.failed(&failure))?;
        let inside = resource.pointer("/Links/ContainedBy/@odata.id").and_then(Value::as_str).map(str::to_owned);
        for inner in links(resource.pointer("/Links/Contains")) {
            contained.push((inner, path.clone()));
        }
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let id = resource.get("Id").and_then(Value::as_str).unwrap_or(last).to_owned();
        all.push(Chassis { id, path, resource, inside });
    }
    // Some services state the relation on one side only.
    for one in &mut all {
        let outer = contained.iter().find(|(inner, _)| same(inner, &one.path)).map(|(_, outer)| outer.clone());
        one.inside = one.inside.take().or(outer);
    }
    Ok(all)
}

fn same(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

fn link(resource: &Value, name: &str) -> Option<String> {
    resource.get(name)?.get("@odata.id")?.as_str().map(str::to_owned)
}

fn links(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.get("@odata.id")?.as_str().map(str::to_owned)).collect()
}

/// Paths of a collection's members, over all its pages, each once.
fn members(bmc: &mut Bmc, collection: &str) -> Result<Vec<String>, Failure> {
    let mut paths: Vec<String> = Vec::new();
    let mut page = Some(collection.to_owned());
    while let Some(path) = page.take().filter(|_| paths.len() < MOST_CHASSIS) {
        let answer = bmc.get(&path)?;
        let before = paths.len();
        for member in links(answer.get("Members")) {
            if !paths.iter().any(|known| same(known, &member)) {
                paths.push(member);
            }
        }
        let next = answer.get("Members@odata.nextLink").and_then(Value::as_str);
        page = next.map(str::to_owned).filter(|_| paths.len() > before);
    }
    Ok(paths)
}

/// The first way in which a chassis or processor gives its power; why it does not otherwise.
fn of_resource(
    bmc: &mut Bmc,
    path: &str,
    resource: &Value,
    asked: Option<Scope>,
) -> Result<Result<Target, String>, Trouble> {
    let from = bmc.web.options.text("from").map(str::to_owned);
    if let Some(other) = from.as_deref().filter(|from| !["environment", "supplies", "power"].contains(from)) {
        return Err(bmc.web.wrong(format!("from `{other}` is none of environment, supplies, power")));
    }
    let wanted = |way: &str| from.as_deref().is_none_or(|from| from == way);
    let mut whys = Vec::new();
    let mut consider = |found: Result<Result<Target, String>, Failure>| match found {
        Ok(Ok(target)) => Some(Ok(target)),
        Ok(Err(why)) => {
            whys.push(why);
            None
        }
        // A link that leads nowhere is one of many firmwares' faults, not the end.
        Err(failure) if failure.status() == Some(404) => {
            whys.push(failure.to_string());
            None
        }
        Err(failure) => Some(Err(failure)),
    };
    let mut found = None;
    if let Some(metrics) = link(resource, "EnvironmentMetrics").filter(|_| wanted("environment")) {
        let answer = bmc.get(&metrics);
        found = consider(answer.and_then(|answer| environment(bmc, &metrics, &answer)));
    }
    if let Some(subsystem) = link(resource, "PowerSubsystem").filter(|_| found.is_none() && wanted("supplies")) {
        found = consider(supplies(bmc, &subsystem, asked));
    }
    if let Some(power) = link(resource, "Power").filter(|_| found.is_none() && wanted("power")) {
        found = consider(legacy(bmc, &power, path));
    }
    let Some(found) = found else {
        let why = if whys.is_empty() { "it has no power resource".to_owned() } else { whys.join("; ") };
        return Ok(Err(why));
    };
    let mut target = found.map_err(|failure| bmc.web.failed(&failure))?;
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    target.name = resource.get("Id").and_then(Value::as_str).unwrap_or(last).to_owned();
    if !matches!(target.reading, Reading::Supplies { .. }) {
        target.scope = scope_of(path, resource);
        target.side = side_of(target.scope);
    }
    Ok(Ok(target))
}

/// What the watts of a resource include, from what it is.
fn scope_of(path: &str, resource: &Value) -> Scope {
    let text = |key: &str| resource.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("ChassisType") {
        "Module" => Scope::Module,
        "Card" | "Component" => Scope::Board,
        _ if path.contains("/Processors/") || text("@odata.type").starts_with("#Processor.") => Scope::Board,
        _ if path.contains("/Memory/") => Scope::Memory,
        _ => Scope::HostDc,
    }
}

fn side_of(scope: Scope) -> &'static str {
    if scope == Scope::HostDc { UNKNOWN_SIDE } else { "what it includes is taken from the kind of resource" }
}

fn environment(bmc: &mut Bmc, path: &str, answer: &Value) -> Result<Result<Target, String>, Failure> {
    let watts = match web::watts(answer, "/PowerWatts/Reading") {
        Ok(watts) => watts,
        Err(why) => return Ok(Err(format!("EnvironmentMetrics: {why}"))),
    };
    let source = answer.pointer("/PowerWatts/DataSourceUri").and_then(Value::as_str).map(str::to_owned);
    // The sensor is a gift: without it the excerpt still stands.
    let sensor = source.and_then(|source| Some((bmc.get(&source).ok()?, source)));
    let text = |key: &str| sensor.as_ref().and_then(|(sensor, _)| sensor.get(key)?.as_str());
    let sensing_s = text("SensingInterval").and_then(duration);
    let accuracy = sensor.as_ref().and_then(|(sensor, _)| web::number(sensor, "/Accuracy").ok());
    let timed = text("ReadingTime").is_some();
    let sensor = sensor.filter(|(sensor, _)| timed && web::watts(sensor, "/Reading").is_ok());
    let energy = web::number(answer, "/EnergykWh/Reading").ok();
    let energy = energy.is_some_and(|energy| is_fine(energy, watts, bmc.web.every));
    Ok(Ok(Target {
        name: String::new(),
        reading: Reading::Environment { path: path.to_owned(), sensor: sensor.map(|(_, source)| source), energy },
        scope: Scope::HostDc,
        what: "Redfish EnvironmentMetrics, PowerWatts".to_owned(),
        side: UNKNOWN_SIDE,
        sensing_s,
        accuracy: accuracy.filter(|percent| *percent > 0.0).map(|percent| Ratio::new(percent / 100.0)),
        watts,
    }))
}

/// A counter in kilowatt-hours is of use only where its last digit moves within a poll.
fn is_fine(energy: f64, watts: f64, every: Seconds) -> bool {
    web::step_of(energy, super::KILOWATT_HOUR) / watts <= every.get()
}

fn duration(text: &str) -> Option<Seconds> {
    let seconds = text.parse::<jiff::SignedDuration>().ok()?.as_secs_f64();
    (seconds > 0.0).then_some(Seconds::new(seconds))
}

/// The metrics of the supplies that are there: input for the wall, output where the user wants the machine's side.
fn supplies(bmc: &mut Bmc, subsystem: &str, asked: Option<Scope>) -> Result<Result<Target, String>, Failure> {
    let answer = bmc.get(subsystem)?;
    let Some(collection) = link(&answer, "PowerSupplies") else {
        return Ok(Err("PowerSubsystem: it has no PowerSupplies".to_owned()));
    };
    let (field, scope, side) = match asked {
        Some(Scope::HostDc) => ("OutputPowerWatts", Scope::HostDc, "output of the power supplies"),
        _ => ("InputPowerWatts", Scope::WallAc, "input of the power supplies, at the wall"),
    };
    let (mut metrics, mut watts, mut fine) = (Vec::new(), 0.0, true);
    for path in members(bmc, &collection)? {
        let supply = bmc.get(&path)?;
        if supply.pointer("/Status/State").and_then(Value::as_str) == Some("Absent") {
            continue;
        }
        let Some(link) = link(&supply, "Metrics") else {
            return Ok(Err(format!(
                "PowerSubsystem: {path} has no Metrics, and a partial sum would pass for the whole"
            )));
        };
        let answer = bmc.get(&link)?;
        match web::number(&answer, &format!("/{field}/Reading")) {
            Ok(own) => {
                watts += own;
                let energy = web::number(&answer, "/EnergykWh/Reading").ok();
                let at_the_wall = field == "InputPowerWatts" && own > 0.0;
                fine &= at_the_wall && energy.is_some_and(|energy| is_fine(energy, own, bmc.web.every));
            }
            Err(why) => return Ok(Err(format!("PowerSubsystem: {link}: {why}"))),
        }
        metrics.push(link);
    }
    if metrics.is_empty() || watts <= 0.0 {
        return Ok(Err(format!("PowerSubsystem: {} power supplies give {watts} W", metrics.len())));
    }
    let what = format!("Redfish PowerSupplyMetrics, {field} of {} power supplies added up", metrics.len());
    let reading = Reading::Supplies { metrics, field, energy: fine };
    Ok(Ok(Target { name: String::new(), reading, scope, what, side, sensing_s: None, accuracy: None, watts }))
}

/// The entry of `PowerControl` that belongs to the chassis. Services list the parts (processors, memory) behind the whole.
fn legacy(bmc: &mut Bmc, power: &str, chassis: &str) -> Result<Result<Target, String>, Failure> {
    let answer = bmc.get(power)?;
    let entries = answer.get("PowerControl").and_then(Value::as_array).cloned().unwrap_or_default();
    let belongs = |entry: &Value| links(entry.get("RelatedItem")).iter().any(|item| same(item, chassis));
    let related: Vec<usize> = (0..entries.len()).filter(|index| belongs(&entries[*index])).collect();
    let entry = if let [only] = related[..] { only } else { 0 };
    let watts = match web::watts(&answer, &format!("/PowerControl/{entry}/PowerConsumedWatts")) {
        Ok(watts) => watts,
        Err(why) => return Ok(Err(format!("Power: {why}"))),
    };
    let name = entries[entry].get("Name").and_then(Value::as_str).unwrap_or("no name");
    let which = if entries.len() > 1 { format!(", entry {entry} of {}", entries.len()) } else { String::new() };
    Ok(Ok(Target {
        name: String::new(),
        reading: Reading::Legacy { path: power.to_owned(), entry },
        scope: Scope::HostDc,
        what: format!("Redfish Power (legacy), PowerConsumedWatts of \"{}\"{which}", web::shorten(name)),
        side: UNKNOWN_SIDE,
        sensing_s: None,
        accuracy: None,
        watts,
    }))
}
