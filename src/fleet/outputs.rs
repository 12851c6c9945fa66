//! Silent corruption across nodes: the same work on the same model must leave the same output.
//!
//! What surprises people: floating-point outputs are held together only within one driver version, for another compiler may
//! round otherwise and be right; integers are held together across all drivers.

use std::collections::HashMap;

use super::node::{DeviceEntry, Names};

/// Fewest devices among which a minority can be told.
const FEWEST: usize = 3;

/// The outputs of one work on one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreement {
    /// Devices with the digest of more than half of all; `None` without such a digest.
    pub majority: Option<(u32, usize)>,
    /// Devices.
    pub devices: usize,
    /// Different digests.
    pub kinds: usize,
}

/// Agreement by number of the output.
pub(super) fn agreements<'a>(entries: impl Iterator<Item = &'a DeviceEntry>, names: &Names) -> Vec<Agreement> {
    let mut counts: Vec<HashMap<u32, usize>> = vec![HashMap::new(); names.outputs().len()];
    for output in entries.flat_map(|entry| &entry.outputs) {
        if let Some(own) = counts.get_mut(output.output as usize) {
            *own.entry(output.digest).or_insert(0) += 1;
        }
    }
    let agreement = |own: &HashMap<u32, usize>| {
        let devices: usize = own.values().sum();
        let most = own.iter().map(|(digest, count)| (*digest, *count)).max_by_key(|(_, count)| *count);
        let majority = most.filter(|(_, count)| devices >= FEWEST && 2 * count > devices);
        Agreement { majority, devices, kinds: own.len() }
    };
    counts.iter().map(agreement).collect()
}

/// What to say of a device whose outputs are those of a minority.
pub(super) fn minority(entry: &DeviceEntry, agreements: &[Agreement], names: &Names) -> Vec<String> {
    let mut found = Vec::new();
    for output in &entry.outputs {
        let Some(agreement) = agreements.get(output.output as usize) else { continue };
        let Some((digest, count)) = agreement.majority.filter(|(digest, _)| *digest != output.digest) else { continue };
        let phase = names.outputs().get(output.output as usize).map_or("", |key| key.phase.name());
        found.push(format!(
            "{phase} output {} differs from {} that {count} of {} devices left",
            short(names.text(output.digest)),
            short(names.text(digest)),
            agreement.devices
        ));
    }
    found
}

/// What to say where no digest has a majority.
pub(super) fn disagreements(agreements: &[Agreement], names: &Names) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (agreement, key) in agreements.iter().zip(names.outputs()) {
        if agreement.majority.is_some() || agreement.kinds < 2 {
            continue;
        }
        let driver = if key.driver.is_empty() { String::new() } else { format!(" with driver {}", key.driver) };
        found.push(format!(
            "{} on {}{driver}: {} different outputs on {} devices and none with a majority of three or more: some are wrong, and \
             which cannot be told from these records",
            key.phase, key.model.0, agreement.kinds, agreement.devices
        ));
    }
    found.sort();
    found
}

fn short(digest: &str) -> String {
    digest.chars().take(8).collect()
}
