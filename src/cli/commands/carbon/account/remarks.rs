//! What the page of an account says beside its figures: contracts with their proof, embodied figures with their sources, and
//! the boundary of the SCI.
//!
//! What surprises people: a contract that counts nothing is listed like the others, with the reason.

use super::page::percent;
use crate::account::embodied::{DeviceEmbodied, Embodied, EmbodiedFigure};
use crate::account::market::{Contract, CriterionState};
use crate::account::{Footprint, Terms};
use crate::cli::text;

/// Residual and contracts of a site; nothing if it states none.
pub fn market_text(terms: &Terms) -> String {
    let market = &terms.market;
    if !market.stated {
        return String::new();
    }
    let residual = market.residual.as_ref().map_or_else(|| "not stated".to_owned(), text::identity);
    let mut out = text::entry("Market", &format!("residual for the rest: {residual}"));
    if !market.period.is_empty() {
        out.push_str(&text::entry("", &format!("period: {}", market.period)));
    }
    for contract in &market.contracts {
        out.push_str(&text::entry("", &contract_text(contract)));
    }
    out
}

fn contract_text(contract: &Contract) -> String {
    let mut out = format!(
        "{} ({}): {} of the energy at {} g{}/kWh; ",
        contract.name,
        contract.instrument,
        percent(contract.share),
        contract.intensity_g_per_kwh.get(),
        contract.gas
    );
    match &contract.moved_to_residual {
        None => out.push_str(&format!("proof: {}", contract.proof.join(", "))),
        Some(reason) => out.push_str(&format!("counted at the residual, {reason}")),
    }
    for (state, word) in [
        (CriterionState::Met, "met by the site's word"),
        (CriterionState::NotMet, "not met"),
        (CriterionState::Unstated, "unstated"),
    ] {
        let names: Vec<&str> = contract.criteria.iter().filter(|own| own.state == state).map(|own| own.name).collect();
        if !names.is_empty() {
            out.push_str(&format!("; {word}: {}", names.join(", ")));
        }
    }
    out
}

/// What must be said beside the figures: label and text.
pub fn remarks(account: &Footprint) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    all.extend(account.location.not_location_based.iter().map(|reason| ("location", reason.clone())));
    all.extend(account.market.missing.iter().chain(&account.market.notes).map(|reason| ("market", reason.clone())));
    for device in &account.embodied.devices {
        if device.each.is_some() {
            all.push(("embodied", device_text(device, &account.embodied)));
        }
        all.extend(device.notes.iter().map(|note| ("", note.clone())));
    }
    let missing = account.embodied.missing.as_ref();
    all.extend(missing.map(|reason| ("embodied", format!("not known, which is not zero: {reason}"))));
    let sci = &account.sci;
    let mut lines = vec![sci.boundary.clone(), format!("method: {}", sci.method)];
    lines.extend(sci.not_a_score.iter().filter(|reason| missing != Some(reason)).cloned());
    lines.extend(sci.notes.iter().cloned());
    all.extend(lines.into_iter().enumerate().map(|(index, line)| (if index == 0 { "SCI" } else { "" }, line)));
    all.extend(account.cci_missing.iter().map(|reason| ("CCI", reason.clone())));
    all
}

fn device_text(device: &DeviceEmbodied, embodied: &Embodied) -> String {
    let kg = |figure: &EmbodiedFigure| match (text::significant(figure.low_kg), text::significant(figure.high_kg)) {
        (low, high) if low == high => format!("{low} kg"),
        (low, high) => format!("{low} to {high} kg"),
    };
    let one = |figure: &EmbodiedFigure| format!("{} {} ({})", kg(figure), figure.evidence, figure.source);
    let figures: Vec<String> = device.figures.iter().map(one).collect();
    let mut out = format!("{}: {}", device.device, figures.join("; "));
    for (figure, reason) in &device.outside {
        out.push_str(&format!("; outside the band: {}, {reason}", kg(figure)));
    }
    match &embodied.server {
        None => out.push_str("; the server is not included"),
        Some(server) => out.push_str(&format!(
            "; plus {} kg, 1/{} of a server (source {})",
            text::significant(server.each.get() / 1e3),
            server.gpus,
            server.source
        )),
    }
    out
}
