//! A record's derived figures as JSON, for scripts that do not want to evaluate a record themselves.
//!
//! What surprises people: this is a view, not a record; it can be computed again at any time and nothing reads it back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{AMOUNT_BYTES, AMOUNT_FLOP, Carbon};
use crate::measure::result::{
    CaseResult, Combined, CommandEnergy, CommandResult, EnergyMethod, EnergyResult, Evaluation, GainOrigin, RunResult,
    Term, Uncertainty,
};
use crate::model::{Case, Counted, Estimate, Evidence, RunRecord, Shape, Unit, Verification};
use crate::units::{FlopPerSecond, Quantity};

/// Value of the `schema` field; the version rises when a field changes its meaning.
const SUMMARY_SCHEMA: &str = "wattmark/summary-2";

/// A shape as it is written on the command line: `k=1024,m=1024,n=1024`.
pub(super) fn shape_text(shape: &Shape) -> String {
    let axes: Vec<String> = shape.iter().map(|(axis, extent)| format!("{axis}={extent}")).collect();
    axes.join(",")
}

/// All derived figures; values in base units, the unit in each field's name, `null` for what there is not.
pub fn json_summary(record: &RunRecord, result: &RunResult, carbon: Option<&Carbon>) -> Value {
    let devices: Vec<Value> = record
        .devices
        .iter()
        .map(|device| {
            let ceilings = result.ceilings.get(&device.ordinal).cloned().unwrap_or_default();
            let of = |unit: Unit| -> BTreeMap<String, FlopPerSecond> {
                let own = ceilings.arithmetic.iter().filter(|((own, _), _)| *own == unit);
                own.map(|((_, element), rate)| (element.to_string(), *rate)).collect()
            };
            json!({
                "device": device.ordinal,
                "name": device.name,
                "kind": device.kind,
                "backend": device.backend,
                "driver": format!("{} {}", device.driver, device.driver_info),
                "pci": device.pci,
                "ceilings_vector_flop_per_s": of(Unit::Vector),
                "ceilings_matrix_flop_per_s": of(Unit::Matrix),
                "ceiling_bytes_per_s": ceilings.bandwidth,
            })
        })
        .collect();
    let failed = record.measurements.iter().filter_map(|measurement| match &measurement.verification {
        Verification::Failed { detail, when } => {
            Some(with(identity(&measurement.case), json!({"when": when, "detail": detail})))
        }
        Verification::Passed { .. } => None,
    });
    let skips = record
        .skips
        .iter()
        .map(|skip| with(identity(&skip.case), json!({"reason": skip.reason, "detail": skip.detail})));
    let summary = json!({
        "schema": SUMMARY_SCHEMA,
        "run_id": record.run_id,
        "started": record.started,
        "simulated": record.simulated,
        "status": record.status,
        "preset": record.plan.preset,
        "grid": carbon.map(|carbon| &carbon.grid),
        "devices": devices,
        "cases": result.cases.iter().filter(|case| case.verified).map(|case| case_value(case, carbon)).collect::<Vec<_>>(),
        "commands": result.commands.iter().filter_map(|own| command_value(record, own)).collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
        "skips": skips.collect::<Vec<_>>(),
        "warnings": record.warnings,
    });
    super::json_views::with_views(summary, record, result)
}

/// The fields of `more` added to the object `base`.
fn with(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}

fn identity(case: &Case) -> Value {
    json!({
        "device": case.device,
        "problem": case.problem,
        "variant": case.variant,
        "shape": shape_text(&case.shape),
        "element": case.element,
        "data": case.pattern,
        "unit": case.unit,
        "counted": case.counted,
    })
}

/// A figure with its bounds; `null` bounds where no interval is honest.
fn estimate<Q: Quantity>(estimate: &Estimate<Q>) -> Value {
    json!({
        "value": estimate.point.get(),
        "low": estimate.interval.map(|interval| interval.low.get()),
        "high": estimate.interval.map(|interval| interval.high.get()),
        "confidence": estimate.interval.map(|interval| interval.confidence),
        "n": estimate.n,
    })
}

fn case_value(case: &CaseResult, carbon: Option<&Carbon>) -> Value {
    let grams = carbon.and_then(|carbon| (carbon.of)(case));
    let (flop, bytes) = match case.case.counted {
        Counted::Flop => (Some(AMOUNT_FLOP), None),
        Counted::Bytes => (None, Some(AMOUNT_BYTES)),
    };
    with(
        identity(&case.case),
        json!({
            "time_per_execution_s": case.per_execution.as_ref().map(estimate),
            "flop_rate_flop_per_s": case.flop_rate.as_ref().map(estimate),
            "byte_rate_bytes_per_s": case.byte_rate.as_ref().map(estimate),
            "share_of_ceiling": case.of_ceiling,
            "ceiling": case.roof.map(|roof| super::roof_name(roof.kind)),
            "energy": case.energy.iter().map(energy_value).collect::<Vec<_>>(),
            "carbon_g": grams.as_ref().map(estimate),
            "carbon_gas": carbon.map(|carbon| &carbon.gas),
            "carbon_for_flop": flop,
            "carbon_for_bytes": bytes,
            "warnings": case.warnings,
        }),
    )
}

fn energy_value(energy: &EnergyResult) -> Value {
    json!({
        "source": energy.source,
        "scope": energy.scope,
        "evidence": energy.evidence,
        "method": match energy.method {
            EnergyMethod::Counter => "counter",
            EnergyMethod::Integral => "integral",
        },
        "coverage": energy.coverage,
        "counter_over_integral_minus_1": energy.disagreement,
        "power_w": estimate(&energy.power),
        "idle_power_w": energy.idle,
        "energy_per_execution_j": estimate(&energy.per_execution),
        "flop_efficiency_flop_per_j": energy.flop_efficiency.as_ref().map(estimate),
        "byte_efficiency_bytes_per_j": estimate(&energy.byte_efficiency),
        "scope_note": energy.scope_note(),
        "correction": energy.correction,
        "uncertainty_statistical": energy.uncertainty.statistical.map(|term| term.half_width()),
        "uncertainty_edge": energy.uncertainty.edge.half_width(),
        "uncertainty_gain": energy.uncertainty.gain.half_width(),
        "uncertainty": (energy.evidence == Evidence::Measured).then(|| budget(&energy.uncertainty)),
    })
}

/// The budget: relative standard uncertainties (0.01 is 1 %), and what they come to at 95 %. Infinite degrees of freedom are
/// `null`, as JSON has no infinity.
fn budget(uncertainty: &Uncertainty) -> Value {
    let finite = |degrees: f64| degrees.is_finite().then_some(degrees);
    let term = |term: &Term| {
        json!({
            "standard": term.standard,
            "degrees_of_freedom": finite(term.degrees),
            "type": match term.evaluation {
                Evaluation::A => "A",
                Evaluation::B => "B",
            },
        })
    };
    let combined = |all: Combined| {
        json!({
            "standard": all.standard,
            "degrees_of_freedom": finite(all.degrees),
            "coverage_factor": all.factor,
            "expanded_95": all.expanded(),
        })
    };
    json!({
        "statistical": uncertainty.statistical.as_ref().map(term),
        "sampling": term(&uncertainty.sampling),
        "edge": term(&uncertainty.edge),
        "edge_bound": uncertainty.edge_bound,
        "gain": term(&uncertainty.gain),
        "gain_from": match uncertainty.gain_from {
            GainOrigin::Stated => "stated",
            GainOrigin::Correction => "correction",
            GainOrigin::Prior => "prior",
        },
        "of_case": uncertainty.of_case().map(combined),
        "of_case_without_gain": uncertainty.without_gain().map(combined),
        "of_windows": combined(uncertainty.of_windows()),
    })
}

/// A metered program: its work is foreign and was not verified.
fn command_value(record: &RunRecord, own: &CommandResult) -> Option<Value> {
    let command = record.commands.get(own.index)?;
    let energies = |energies: &[CommandEnergy], each: &str| -> Vec<Value> {
        let one = |own: &CommandEnergy| {
            let energy = &own.energy;
            let mut value = json!({
                "source": energy.source,
                "scope": energy.scope,
                "evidence": energy.evidence,
                "stands_for_the_program": own.stands,
                "coverage": energy.coverage,
                "power_w": estimate(&energy.power),
                "idle_power_w": energy.idle,
                "uncertainty": (energy.evidence == Evidence::Measured).then(|| budget(&energy.uncertainty)),
            });
            value[format!("energy_per_{each}_j")] = estimate(&energy.per_execution);
            value[format!("energy_above_idle_per_{each}_j")] = json!(own.net);
            if each == "unit" {
                value["units_per_j"] = estimate(&own.per_joule());
            }
            value
        };
        energies.iter().map(one).collect()
    };
    let work = own.work.iter().map(|work| {
        json!({
            "unit": work.unit,
            "origin": if work.printed { "printed" } else { "declared" },
            "amount": work.total,
            "units_per_s": estimate(&work.rate),
            "energy": energies(&work.energy, "unit"),
        })
    });
    Some(json!({
        "label": own.label,
        "command": command.command,
        "foreign": !command.is_idle(),
        "verified": false,
        "failed": own.failed,
        "device": command.device,
        "equivalent": command.equivalent.as_ref().map(identity),
        "runs": own.runs,
        "time_per_run_s": own.time.as_ref().map(estimate),
        "energy": energies(&own.energy, "run"),
        "work": work.collect::<Vec<_>>(),
        "warnings": own.warnings,
    }))
}
