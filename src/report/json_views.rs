//! What `show --conditions`, `--sources` and `--claims` print, as JSON beside a summary's figures.
//!
//! What surprises people: a figure that is missing is an object with one field, `missing`, which says why; never a zero.

use serde_json::{Value, json};

use crate::measure::result::claims::methodology_claims;
use crate::measure::result::{RunResult, conditions, side_by_side};
use crate::model::RunRecord;

/// Adds the conditions to each case of a summary, and the sources and claims to the whole.
pub(super) fn with_views(mut summary: Value, record: &RunRecord, result: &RunResult) -> Value {
    let conditions = conditions(record);
    let verified = result.cases.iter().filter(|case| case.verified);
    let cases = summary.get_mut("cases").and_then(Value::as_array_mut);
    for (case, value) in verified.zip(cases.into_iter().flatten()) {
        let own = record.measurements.iter().position(|measurement| measurement.case == case.case);
        if let Some(value) = value.as_object_mut() {
            value.insert("conditions".to_owned(), json!(own.and_then(|index| conditions.get(index))));
        }
    }
    if let Some(summary) = summary.as_object_mut() {
        summary.insert("sources".to_owned(), json!(side_by_side(record)));
        summary.insert("methodology_claims".to_owned(), json!(methodology_claims(record)));
    }
    summary
}
