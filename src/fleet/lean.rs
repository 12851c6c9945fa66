//! The part of a qualification that a fleet needs, borrowed from the text of the file.
//!
//! Everything else is skipped while parsing. What surprises people: the names are those of `model::Qualification`, field for
//! field; a unit test holds them together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::{Better, Case, Evidence, Grade, Phase, RunStatus, SchemaVersion, Scope};

#[derive(Debug, Deserialize)]
pub(super) struct LeanQualification<'a> {
    #[serde(borrow)]
    pub schema: Cow<'a, str>,
    pub version: SchemaVersion,
    #[serde(borrow)]
    pub started: Cow<'a, str>,
    #[serde(default)]
    pub ended: Option<String>,
    pub status: RunStatus,
    pub simulated: bool,
    #[serde(default)]
    pub inject_error: bool,
    #[serde(borrow)]
    pub tool: LeanTool<'a>,
    #[serde(borrow)]
    pub host: LeanHost<'a>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    pub planned_s: f64,
    #[serde(borrow)]
    pub devices: Vec<LeanQualified<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanTool<'a> {
    #[serde(borrow)]
    pub version: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanHost<'a> {
    #[serde(borrow)]
    pub hostname: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanQualified<'a> {
    #[serde(borrow)]
    pub device: LeanDevice<'a>,
    pub identity: BTreeMap<String, String>,
    pub work: Vec<LeanWork>,
    #[serde(borrow)]
    pub metrics: Vec<LeanMetric<'a>>,
    #[serde(borrow)]
    pub outputs: Vec<LeanOutputs<'a>>,
    #[serde(borrow)]
    pub checks: Vec<LeanCheck<'a>>,
    pub grade: Grade,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanDevice<'a> {
    pub ordinal: u32,
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub driver: Cow<'a, str>,
    #[serde(borrow)]
    pub driver_info: Cow<'a, str>,
    #[serde(default)]
    pub pci: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanWork {
    pub phase: Phase,
    pub case: Case,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanMetric<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    pub value: f64,
    #[serde(borrow)]
    pub unit: Cow<'a, str>,
    pub n: u64,
    #[serde(default)]
    pub evidence: Option<Evidence>,
    #[serde(default)]
    pub scope: Option<Scope>,
    #[serde(default)]
    pub better: Option<Better>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanOutputs<'a> {
    pub phase: Phase,
    #[serde(default)]
    pub known: Option<String>,
    #[serde(borrow)]
    pub seen: Vec<LeanSeen<'a>>,
    pub coverage: f64,
    pub failures: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanSeen<'a> {
    #[serde(borrow)]
    pub sha256: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanCheck<'a> {
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    pub grade: Grade,
    #[serde(borrow)]
    pub title: Cow<'a, str>,
    #[serde(borrow)]
    pub detail: Cow<'a, str>,
}
