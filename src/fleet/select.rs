//! Which entries count: the newest of each device; the others are listed.
//!
//! What surprises people: a record that is still being written replaces nothing, and one that stopped before its end replaces
//! an older complete one, for the device may be dead since.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use super::node::{NodeRecord, State};

/// A device of a record that does not count, because a newer one of the same device does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Superseded {
    /// The older file.
    pub path: String,
    /// Node.
    pub host: String,
    /// The newer file.
    pub newer: String,
}

/// Places of the entries that count: (record, device).
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub entries: Vec<(usize, usize)>,
    /// Records that stopped before any device was in them.
    pub empty: Vec<usize>,
    pub superseded: Vec<Superseded>,
}

/// A device, the work of a run, and whether it is scripted: of these the newest counts.
type Kind = (u32, u64, bool);
/// Start, and places of record and device.
type Newest = (Option<Timestamp>, usize, usize);

pub(super) fn select(records: &[NodeRecord], keep_all: bool) -> Selected {
    let counts = |record: &NodeRecord| record.state != State::Running && !record.injected;
    let mut newest: HashMap<Kind, Newest> = HashMap::new();
    let mut of_host: HashMap<&str, Option<Timestamp>> = HashMap::new();
    let mut selected = Selected::default();
    let drop = |older: usize, newer: usize, list: &mut Vec<Superseded>| {
        let (older, newer) = (&records[older], &records[newer]);
        list.push(Superseded {
            path: older.path.to_string(),
            host: older.host.to_string(),
            newer: newer.path.to_string(),
        });
    };
    for (index, record) in records.iter().enumerate().filter(|(_, record)| counts(record)) {
        let latest = of_host.entry(&record.host).or_insert(record.started);
        *latest = (*latest).max(record.started);
        for (place, device) in record.devices.iter().enumerate() {
            if keep_all {
                selected.entries.push((index, place));
                continue;
            }
            let key = (device.identity, record.plan, record.simulated);
            match newest.get_mut(&key) {
                None => {
                    newest.insert(key, (record.started, index, place));
                }
                Some(known) if record.started >= known.0 => {
                    drop(known.1, index, &mut selected.superseded);
                    *known = (record.started, index, place);
                }
                Some(known) => drop(index, known.1, &mut selected.superseded),
            }
        }
    }
    selected.entries.extend(newest.into_values().map(|(_, record, device)| (record, device)));
    selected.entries.sort_unstable();
    selected.superseded.sort_by(|a, b| a.path.cmp(&b.path));
    selected.superseded.dedup();
    let empty = records.iter().enumerate().filter(|(_, record)| record.devices.is_empty() && counts(record));
    selected.empty = empty
        .filter(|(_, record)| matches!(record.state, State::Stopped { .. }))
        .filter(|(_, record)| keep_all || of_host.get(&*record.host) == Some(&record.started))
        .map(|(index, _)| index)
        .collect();
    selected
}
