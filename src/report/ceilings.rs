//! The ceilings of a device as people read them: one row for each unit and precision, the memory by size of array, and what
//! lies between host and device. As data and as JSON; the text for a terminal is in `ceilings_text`.
//!
//! What surprises people: units that WGSL does not reach are rows too, with the reason and without a figure; nothing is
//! ever stated as a part of what they might do.

use serde::Serialize;

use crate::measure::result::{CaseResult, LinkResult, RunResult, link};
use crate::model::{Case, CountedIn, Device, RunRecord, Unit, Verification};
use crate::workload::{ARITHMETIC_PROBES, MEMORY_PROBES};

/// What a row says of a probe.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum Finding {
    /// Its outputs are right, before and after.
    Verified {
        /// Rate in what it counts, per second.
        rate: f64,
        /// Lower and upper bound of the rate at 95 %.
        rate_interval: Option<(f64, f64)>,
        /// Mean power in watts.
        power_w: Option<f64>,
        /// Rate per watt, which is work per joule.
        per_joule: Option<f64>,
        /// What the watts include.
        scope: Option<String>,
        /// Whether the watts were measured, declared or estimated.
        evidence: Option<String>,
    },
    /// Its outputs are wrong, so that it has no rate.
    Wrong {
        /// What was wrong.
        reason: String,
    },
    /// It did not run.
    Skipped {
        /// Why.
        reason: String,
    },
    /// WGSL cannot reach the unit.
    NotExposed {
        /// Why.
        reason: String,
    },
}

/// One probe, or one unit that no probe can reach.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CeilingRow {
    /// What is exercised: `vector multiply-add`, `memory read`.
    pub unit: String,
    /// Precision.
    pub precision: String,
    /// Variant of the probe; empty where there is none.
    pub probe: String,
    /// Size of one array in bytes, for memory probes.
    pub array_bytes: Option<f64>,
    /// Unit of the rate: `FLOP/s`, `OP/s` or `B/s`.
    pub rate_unit: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Everything said of one device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceCeilings {
    /// Ordinal.
    pub device: u32,
    /// Name.
    pub name: String,
    /// Kind, backend and driver in one line.
    pub identity: String,
    /// Arithmetic, then memory at its largest arrays, then what is not exposed.
    pub units: Vec<CeilingRow>,
    /// Memory probes by size of array, all sizes.
    pub memory: Vec<CeilingRow>,
    /// What lies between host and device; `None` if it was not measured.
    #[serde(skip)]
    pub link: Option<LinkResult>,
    /// Why launches or transfers are incomplete.
    pub link_failure: Option<String>,
}

/// Units of today's devices that no WGSL shader reaches through wgpu 30, and why.
const NOT_EXPOSED: [(&str, &str, &str); 6] = [
    ("matrix units", "i8", "wgpu 30 passes on square matrices of f16 and f32 only, no integer ones"),
    ("matrix units", "bf16", "WGSL has no bf16 type"),
    ("matrix units", "tf32", "WGSL has no tf32 type, and f32 matrices are not rounded to it"),
    ("matrix units", "fp8", "WGSL has no 8-bit float type"),
    ("matrix units", "fp4", "WGSL has no 4-bit float type"),
    ("structured sparsity", "2:4", "WGSL has no sparse matrices"),
];

/// The ceilings of every device of a record.
pub fn ceilings(record: &RunRecord, result: &RunResult) -> Vec<DeviceCeilings> {
    record.devices.iter().map(|device| device_ceilings(record, result, device)).collect()
}

fn device_ceilings(record: &RunRecord, result: &RunResult, device: &Device) -> DeviceCeilings {
    let rows = rows(record, result, device);
    let largest = rows.iter().filter_map(|row| row.array_bytes).fold(0.0, f64::max);
    let (memory, mut units): (Vec<CeilingRow>, Vec<CeilingRow>) =
        rows.into_iter().partition(|row| row.array_bytes.is_some());
    units.extend(memory.iter().filter(|row| row.array_bytes == Some(largest)).cloned());
    units.extend(NOT_EXPOSED.iter().map(|(unit, precision, reason)| CeilingRow {
        unit: (*unit).to_owned(),
        precision: (*precision).to_owned(),
        probe: String::new(),
        array_bytes: None,
        rate_unit: "",
        finding: Finding::NotExposed { reason: (*reason).to_owned() },
    }));
    let measured = record.links.iter().find(|link| link.device == device.ordinal);
    let driver = [device.driver.as_str(), device.driver_info.as_str()].map(str::trim).join(" ");
    DeviceCeilings {
        device: device.ordinal,
        name: device.name.clone(),
        identity: format!("{}, backend {}, driver {}", device.kind, device.backend, driver.trim()),
        units,
        memory,
        link: measured.map(link),
        link_failure: measured.and_then(|link| link.failure.clone()),
    }
}

/// A row for every probe that was measured or skipped, in the order of the plan.
fn rows(record: &RunRecord, result: &RunResult, device: &Device) -> Vec<CeilingRow> {
    let planned = record.plan.cases.iter().filter(|case| case.device == device.ordinal);
    let mut rows: Vec<CeilingRow> = planned
        .filter_map(|case| {
            let (unit, array_bytes) = unit_of(case)?;
            Some(CeilingRow {
                unit,
                precision: case.element.to_string(),
                probe: case.variant.clone(),
                array_bytes,
                rate_unit: case.counted_in().per_second(),
                finding: finding(record, result, case)?,
            })
        })
        .collect();
    // The best of each precision first.
    let order: Vec<(String, String)> = rows.iter().map(|row| (row.unit.clone(), row.precision.clone())).collect();
    let place = |row: &CeilingRow| order.iter().position(|known| *known == (row.unit.clone(), row.precision.clone()));
    rows.sort_by(|a, b| {
        let size = |row: &CeilingRow| row.array_bytes.unwrap_or(0.0);
        place(a).cmp(&place(b)).then(size(a).total_cmp(&size(b))).then(rate_of(b).total_cmp(&rate_of(a)))
    });
    rows
}

fn rate_of(row: &CeilingRow) -> f64 {
    if let Finding::Verified { rate, .. } = row.finding { rate } else { 0.0 }
}

/// What a probe exercises, and the size of one array for a memory probe; `None` for other problems.
fn unit_of(case: &Case) -> Option<(String, Option<f64>)> {
    if let Some(traffic) = case.problem.strip_prefix(MEMORY_PROBES) {
        return Some((format!("memory {traffic}"), Some(crate::figure::array_bytes(case))));
    }
    let name = match (case.problem.as_str(), case.unit) {
        (_, Unit::Matrix) => "matrix multiply-add",
        ("dot4", _) => "vector dot product of 4",
        _ => "vector multiply-add",
    };
    ARITHMETIC_PROBES.contains(&case.problem.as_str()).then(|| (name.to_owned(), None))
}

fn finding(record: &RunRecord, result: &RunResult, case: &Case) -> Option<Finding> {
    if let Some(measured) = result.cases.iter().find(|measured| measured.case == *case && measured.verified) {
        return verified(measured);
    }
    if let Some(measurement) = record.measurements.iter().find(|measurement| measurement.case == *case)
        && let Verification::Failed { detail, when } = &measurement.verification
    {
        return Some(Finding::Wrong { reason: format!("wrong output {when}: {detail}") });
    }
    let skip = record.skips.iter().find(|skip| skip.case == *case)?;
    Some(Finding::Skipped { reason: skip.detail.clone() })
}

fn verified(case: &CaseResult) -> Option<Finding> {
    let energy = case.headline_energy();
    let (rate, rate_interval) = match case.case.counted_in() {
        CountedIn::Bytes => {
            (case.byte_rate?.point.get(), case.byte_rate?.interval.map(|i| (i.low.get(), i.high.get())))
        }
        _ => (case.flop_rate?.point.get(), case.flop_rate?.interval.map(|i| (i.low.get(), i.high.get()))),
    };
    let power_w = energy.map(|energy| energy.power.point.get());
    let per_joule = energy.and_then(|energy| match case.case.counted_in() {
        CountedIn::Bytes => Some(energy.byte_efficiency.point.get()),
        _ => energy.flop_efficiency.map(|efficiency| efficiency.point.get()),
    });
    Some(Finding::Verified {
        rate,
        rate_interval,
        power_w,
        per_joule,
        scope: energy.map(|energy| energy.scope.to_string()),
        evidence: energy.map(|energy| energy.evidence.to_string()),
    })
}

/// The ceilings as JSON: values in base units, absent figures `null`.
pub fn ceilings_json(record: &RunRecord, result: &RunResult) -> serde_json::Value {
    let devices = ceilings(record, result).into_iter().map(|device| {
        let link = device.link.as_ref().map(|link| {
            let transfers = link.transfers.iter().map(|transfer| {
                serde_json::json!({
                    "path": transfer.path,
                    "bytes": transfer.bytes,
                    "rate_bytes_per_s": transfer.rate,
                })
            });
            serde_json::json!({
                "launch_round_trip_s": link.round_trip,
                "launch_per_dispatch_s": link.per_dispatch,
                "launch_repetitions": link.repetitions,
                "transfers": transfers.collect::<Vec<_>>(),
                "transfers_intact": link.intact,
            })
        });
        let mut value = serde_json::to_value(&device).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("link".to_owned(), link.unwrap_or_default());
        }
        value
    });
    serde_json::json!({
        "schema": "wattmark/ceilings-1",
        "run_id": record.run_id,
        "simulated": record.simulated,
        "status": record.status,
        "preset": record.plan.preset,
        "devices": devices.collect::<Vec<_>>(),
    })
}
