//! `--simulate FILE`: scripted devices and sensors in place of the machine's, for tests and for learning the tool.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use crate::cli::Failure;
use crate::clock::{Activity, SimulatedClock};
use crate::gpu::simulated::{DeviceScript, Oracle, SimulatedMachine};
use crate::model::{Case, DataPattern, ElementType, Shape};
use crate::power::PowerScript;
use crate::workload::{self, Instance};

/// A simulation: devices with scripted speeds, sensors with scripted watts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// The devices.
    #[serde(default)]
    pub device: Vec<DeviceScript>,
    /// The sensors.
    #[serde(default)]
    pub power: Vec<PowerScript>,
}

impl Simulation {
    /// Reads a script.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("cannot read the simulation script {}: {error}", path.display()))
        })?;
        toml::from_str(&text).map_err(|error| {
            Failure::usage(format!("cannot read the simulation script {}: {error}", path.display())).into()
        })
    }

    /// Builds the machine on a simulated clock.
    pub fn machine(&self, clock: SimulatedClock, activity: Activity) -> SimulatedMachine {
        let known: Mutex<HashMap<Asked, Vec<u8>>> = Mutex::default();
        let oracle: Oracle = Arc::new(move |program, range| {
            let case = &program.case;
            let data = (case.element, case.pattern, case.seed);
            let asked = (case.problem.clone(), case.shape.clone(), data, range.buffer, range.start);
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes = known.entry(asked).or_insert_with(|| oracle_bytes(case, range.buffer, range.start, range.end));
            if bytes.len() as u64 != range.end - range.start {
                *bytes = oracle_bytes(case, range.buffer, range.start, range.end);
            }
            bytes.clone()
        });
        SimulatedMachine::new(self.device.clone(), clock, activity, oracle)
    }
}

/// What was asked of the reference: problem, shape, data, tensor, first byte. Every window asks the same.
type Asked = (String, Shape, (ElementType, DataPattern, u64), usize, u64);

/// Right output bytes of a case, from its float64 reference.
fn oracle_bytes(case: &Case, buffer: usize, start: u64, end: u64) -> Vec<u8> {
    let Some(problem) = workload::problem(&case.problem) else { return Vec::new() };
    let instance =
        Instance { shape: case.shape.clone(), element: case.element, pattern: case.pattern, seed: case.seed };
    workload::oracle_bytes(problem, &instance, buffer, start, end)
}
