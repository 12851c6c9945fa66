//! Many nodes: what is normal among them, and which are not.
//!
//! Reads the records of a folder one by one and keeps a few numbers of each. What surprises people: normal is the median of
//! the fleet, so a fleet in which every node is slow has no outlier; only a profile can tell that.

mod find;
mod gather;
mod judge;
mod lean;
mod node;
mod outputs;
mod places;
mod read;
mod reason;
mod rule;
mod select;
mod spread;
mod summary;
#[cfg(test)]
mod tests;

pub use find::{Source, is_list};
pub use gather::{Gathered, gather};
pub use node::{Asked, DeviceEntry, GroupKey, Names, NodeRecord};
pub use read::{RUN_LIMIT, Unreadable};
pub use reason::{Reason, Severity};
pub use rule::{Distance, FEW, LARGE_TIMES, Measure, Rule, distance};
pub use spread::{Bound, Spread, SpreadDevice, headline, numbered, spreads, worst_first};
pub use summary::{Fleet, FleetDevice, FleetGroup, FleetMetric, Options, Place, UnknownLabel, examine};
