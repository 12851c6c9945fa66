//! What a reader of a cost account must know, one sentence each. The figures themselves are in `account`.
//!
//! What surprises people: a note is made where something is *not* in a figure, too: idle hours, a carbon price, tokens.

use super::account::{Group, Options};
use super::inputs::CostInputs;
use super::tariff::Tariff;
use crate::account::Subject;
use crate::model::Evidence;

pub(super) fn notes(groups: &[Group], inputs: &CostInputs, subjects: &[Subject], options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    let devices = || groups.iter().flat_map(|group| &group.devices);
    if inputs.carbon_price_per_t.is_none() {
        notes.push("no carbon price is included; add carbon_price_per_t to [cost] to count one".to_owned());
    }
    notes.extend(idle(groups, inputs));
    if devices().any(|device| device.terms.maintenance() == 0.0) {
        notes.push(
            "no maintenance is included where neither maintenance_per_year nor maintenance_share is given".to_owned(),
        );
    }
    let evidence = |wanted: Evidence| devices().any(|device| device.subject.evidence == wanted);
    if evidence(Evidence::Estimated) || evidence(Evidence::Declared) {
        notes.push(
            "≈ marks costs of energy that was estimated or declared, not measured: they have no interval, and a rank beside \
             measured ones is no finding"
                .to_owned(),
        );
    }
    if devices().any(|device| device.embodied_band_g.is_some()) {
        notes.push(
            "embodied carbon is CO2e and is spread over the hours of work of a life; it is in no cost and no g column"
                .to_owned(),
        );
    }
    if !groups.iter().any(|group| group.per.of == "token") {
        notes.push(
            "no cost per million tokens: the work counts none. A case of a layer or of attention is a part of a model, and its \
             tokens are not the model's; `wattmark meter --work tokens=N -- PROGRAM` counts a program's"
                .to_owned(),
        );
    }
    let twice = |group: &Group| groups.iter().any(|other| other.work == group.work && other.scope != group.scope);
    if groups.iter().any(twice) {
        notes.push(
            "energies of different scopes are never ranked against each other: each scope has its own table".to_owned(),
        );
    }
    for device in devices().filter(|device| device.name != device.subject.device) {
        notes.push(format!("{} is of run {}", device.name, device.subject.run_ids.join(", ")));
    }
    for entry in &inputs.devices {
        if !devices().any(|device| device.priced_by.contains(&entry.pattern)) {
            notes.push(format!("the entry match = \"{}\" was not used by any device", entry.pattern));
        }
    }
    if subjects.iter().any(|subject| subject.simulated) {
        notes.push("times and power of a record were scripted: its costs describe no hardware".to_owned());
    }
    if let (Some(start), true) = (options.start_hour, matches!(inputs.tariff, Tariff::FlatPerKwh(_))) {
        notes.push(format!("the tariff is flat, so a start at hour {start} changes nothing"));
    }
    notes
}

/// Whether the electricity of idle hours is in the figures, and whose idle power is missing.
fn idle(groups: &[Group], inputs: &CostInputs) -> Option<String> {
    let devices = || groups.iter().flat_map(|group| &group.devices);
    if devices().all(|device| device.terms.utilisation >= 1.0) {
        return None;
    }
    if devices().all(|device| device.terms.idle_kw.is_some()) {
        return Some(
            "costs and grams carry the electricity of idle hours; `wattmark carbon` counts the work alone".to_owned(),
        );
    }
    let stated =
        |pattern: &String| inputs.devices.iter().any(|entry| entry.pattern == *pattern && entry.idle_w.is_some());
    let with = |all: bool| {
        let mut names: Vec<&str> = devices()
            .filter(|device| device.priced_by.iter().all(stated) == all)
            .map(|device| device.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    let unused = match with(true) {
        names if names.is_empty() => String::new(),
        names => format!(" The idle_w of {names} is not used, so that it does not look dearer for being known."),
    };
    let least = devices().map(|device| device.terms.utilisation).fold(1.0, f64::min);
    Some(format!(
        "IDLE HOURS ARE NOT COUNTED: devices stand idle up to {:.0} % of the hours, and kWh, grams and electricity here are \
         those of the hours of work alone, so all of them are too low. Add idle_w to the [[cost.device]] of {} to count \
         them.{unused}",
        (1.0 - least) * 100.0,
        with(false)
    ))
}
