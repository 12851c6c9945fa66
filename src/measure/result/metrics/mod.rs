//! Figures of a device over one or many records, by names that are stable across versions: what verdicts are made from.
//!
//! Records are added one after the other and dropped, so that hours in segments need bounded memory. What surprises people:
//! a name holds the phase of a qualification (`arithmetic.rate.p1`) or, for an ordinary run, the case.

use std::collections::BTreeMap;

use crate::model::{Device, Metric, PhaseOutputs, PhaseWork};

/// What records say of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceFindings {
    /// The device.
    pub device: Device,
    /// What tells this board from others of its kind, as the power sources state it: `serial`, `uuid`.
    pub identity: BTreeMap<String, String>,
    /// The work of each phase.
    pub work: Vec<PhaseWork>,
    /// Its figures.
    pub metrics: Vec<Metric>,
    /// Its outputs by phase.
    pub outputs: Vec<PhaseOutputs>,
    /// Losses of the device and phases without a measurement, in words with the time.
    pub losses: Vec<String>,
}
