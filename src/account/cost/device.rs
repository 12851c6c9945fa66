//! From a subject and its entry in `[[cost.device]]` to the terms of a unit of its work.
//!
//! What surprises people: a pattern must cover the whole name (`*H200*`), so that the price of one model is never given to
//! another whose name merely begins alike.

use super::account::Per;
use super::inputs::{CostInputs, DeviceInputs};
use super::terms::Terms;
use crate::account::{Site, Subject};
use crate::names;
use crate::units::SECONDS_PER_HOUR;

/// How many of which device a subject is: a fleet's device reads `2 × A, 1 × B`.
fn members(subject: &Subject) -> Vec<(f64, String)> {
    if subject.devices <= 1 {
        return vec![(1.0, subject.device.clone())];
    }
    let mut members: Vec<(f64, String)> = Vec::new();
    for part in subject.device.split(", ") {
        let counted = part.split_once(" × ").and_then(|(count, name)| Some((count.parse().ok()?, name.to_owned())));
        match (counted, members.last_mut()) {
            (Some(member), _) => members.push(member),
            // A comma within a name.
            (None, Some((_, name))) => *name = format!("{name}, {part}"),
            (None, None) => members.push((f64::from(subject.devices), part.to_owned())),
        }
    }
    members
}

impl CostInputs {
    /// The entry of `[[cost.device]]` that counts for a device of this name.
    ///
    /// # Errors
    /// None matches; the message says what to write.
    pub fn device(&self, name: &str) -> Result<&DeviceInputs, String> {
        entry(self, name)
    }
}

fn entry<'a>(inputs: &'a CostInputs, name: &str) -> Result<&'a DeviceInputs, String> {
    let lower = name.to_lowercase();
    let fits = |entry: &&DeviceInputs| names::matches(&entry.pattern.to_lowercase(), &lower);
    if let Some(found) = inputs.devices.iter().find(fits) {
        return Ok(found);
    }
    let part = inputs.devices.iter().find(|entry| lower.contains(&entry.pattern.to_lowercase()));
    let hint = match part {
        Some(entry) => {
            format!("; `{0}` is a part of its name only: write match = \"*{0}*\" if it is meant", entry.pattern)
        }
        None => {
            format!(": add [[cost.device]] with match = \"{name}\" and price = what it costs in {}", inputs.currency)
        }
    };
    Err(format!("no entry of [[cost.device]] matches \"{name}\", so it has no price{hint}"))
}

/// The entries that a subject's devices use, with how many of each.
pub(super) fn entries<'a>(subject: &Subject, inputs: &'a CostInputs) -> Result<Vec<(f64, &'a DeviceInputs)>, String> {
    members(subject).iter().map(|(count, name)| Ok((*count, entry(inputs, name)?))).collect()
}

/// True if every device of these subjects that has a price states its idle power. Idle hours are counted for all or for
/// none: the one device whose user looked it up must not look dearer for it.
pub(super) fn idle_is_known(subjects: &[Subject], inputs: &CostInputs) -> bool {
    let priced = subjects.iter().filter_map(|subject| entries(subject, inputs).ok());
    priced.flatten().all(|(_, entry)| entry.idle_w.is_some())
}

/// What the terms of all subjects share.
pub(super) struct Shared<'a> {
    pub inputs: &'a CostInputs,
    pub site: &'a Site,
    /// Hour of the day at which each subject's whole work begins.
    pub start_hour: Option<f64>,
    /// Whether idle hours are counted.
    pub idle: bool,
}

/// The terms of a unit of a subject's work, or why it has none.
pub(super) fn terms(subject: &Subject, per: &Per, shared: &Shared<'_>) -> Result<Terms, String> {
    let (inputs, site) = (shared.inputs, shared.site);
    let entries = entries(subject, inputs)?;
    let [(_, first), ..] = entries[..] else { return Err("it has no device".to_owned()) };
    let alike = |(_, entry): &(f64, &DeviceInputs)| {
        entry.life_years == first.life_years && entry.utilisation == first.utilisation
    };
    if !entries.iter().all(alike) {
        return Err("its devices have different life_years or utilisation; a fleet needs one of each".to_owned());
    }
    let time = subject.time.as_ref().map(|time| time.point.get()).filter(|time| *time > 0.0);
    let time = time.ok_or("no time was measured for its work, so its hours are unknown")?;
    let units = per.units_of(subject);
    let hours = time / SECONDS_PER_HOUR;
    let sum = |of: &dyn Fn(&DeviceInputs) -> f64| entries.iter().map(|(count, entry)| count * of(entry)).sum::<f64>();
    let all = |of: &dyn Fn(&DeviceInputs) -> Option<f64>| -> Option<f64> {
        entries.iter().map(|(count, entry)| Some(count * of(entry)?)).sum()
    };
    let mean = inputs.tariff.mean();
    // Maintenance as a share is summed in money and expressed as a share of the whole again, so that entries may differ.
    let capital = sum(&|entry| entry.price + entry.amounts.server_share);
    let kept_up = sum(&|entry| (entry.price + entry.amounts.server_share) * entry.amounts.maintenance_share);
    Ok(Terms {
        hours: hours / units,
        kwh: subject.energy.point.to_kilowatt_hours().get() / units,
        idle_kw: all(&|entry| entry.idle_w).filter(|_| shared.idle).map(|watts| watts / 1e3),
        price: sum(&|entry| entry.price),
        server: sum(&|entry| entry.amounts.server_share),
        maintenance_per_year: sum(&|entry| entry.amounts.maintenance_per_year),
        maintenance_share: if capital > 0.0 { kept_up / capital } else { 0.0 },
        other_per_hour: sum(&|entry| entry.amounts.other_per_hour),
        revenue_per_hour: all(&|entry| entry.amounts.revenue_per_hour),
        embodied_kg: all(&|entry| entry.embodied_kg),
        discount_rate: inputs.discount_rate,
        life_years: first.life_years,
        utilisation: first.utilisation,
        pue: site.profile.pue.value,
        tariff_per_kwh: shared.start_hour.map_or(mean, |start| inputs.tariff.mean_from(start, hours)),
        mean_tariff_per_kwh: mean,
        intensity_g_per_kwh: site.profile.grid.intensity_g_per_kwh.get(),
        carbon_price_per_t: inputs.carbon_price_per_t,
    })
}

#[cfg(test)]
mod tests {
    use super::super::account::testing::{PRICES, site};
    use super::*;
    use crate::account::testing::subject;

    fn fleet(device: &str, devices: u32) -> Subject {
        Subject { device: device.to_owned(), devices, ..subject() }
    }

    #[test]
    fn a_fleet_is_read_back_into_its_devices_even_with_commas_in_a_name() {
        let found = members(&fleet("2 × Device X, 1 × Acme, Inc. Y", 3));
        assert_eq!(found, vec![(2.0, "Device X".to_owned()), (1.0, "Acme, Inc. Y".to_owned())]);
        assert_eq!(members(&subject()), vec![(1.0, "Device X".to_owned())]);
    }

    #[test]
    fn a_fleet_costs_the_sum_of_its_devices() {
        let (_folder, site) = site(PRICES);
        let inputs = CostInputs::read(&site).unwrap();
        let per = Per::of(&subject());
        let shared = Shared { inputs: &inputs, site: &site, start_hour: None, idle: true };
        let whole = terms(&fleet("2 × Device X, 1 × Device Y", 3), &per, &shared).unwrap();
        // PRICES: X 100 000 with 2 000 a year, Y 60 000 with 2 000 a year.
        assert_eq!((whole.price, whole.maintenance_per_year), (260_000.0, 6_000.0));
    }

    #[test]
    fn a_device_without_a_price_is_told_what_to_write() {
        let (_folder, site) = site(PRICES);
        let inputs = CostInputs::read(&site).unwrap();
        let reason = entries(&fleet("Device Z", 1), &inputs).unwrap_err();
        assert!(reason.contains("match = \"Device Z\"") && reason.contains("CNY"), "{reason}");
        let reason = entries(&fleet("Device X 80 GB", 1), &inputs).unwrap_err();
        assert!(reason.contains("match = \"*Device X*\""), "{reason}");
        assert!(entries(&fleet("device x", 1), &inputs).is_ok(), "capitals do not matter");
    }
}
