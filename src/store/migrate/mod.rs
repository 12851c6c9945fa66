//! Older record formats brought to the current one, by pure steps from JSON value to JSON value.
//!
//! One step per major version, one file per step (`from_1.rs` takes 1.x to 2.0), one golden record per version under
//! `tests/fixtures/records/`. There is no older format yet. What surprises people: a step never needs the types of the
//! model; they describe the current format only.

use serde_json::Value;

use crate::model::{SCHEMA_VERSION, SchemaVersion};

/// Takes a record from one major version to the next.
pub struct Step {
    /// Major version that it reads; it writes the next one.
    pub from: u32,
    /// What changed, in a sentence.
    pub what: &'static str,
    /// The step itself: pure, and total over records of its version.
    pub apply: fn(Value) -> Value,
}

/// The steps, in order of version.
pub const STEPS: &[Step] = &[];

/// No step leads on from a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no migration leads on from record format {0}.x")]
pub struct NoStep(
    /// The major version without a step.
    pub u32,
);

/// Brings a record to the current format.
pub fn to_current(record: Value, version: SchemaVersion) -> Result<Value, NoStep> {
    through(STEPS, record, version.major, SCHEMA_VERSION.major)
}

/// Applies the steps from one major version to another, and states the version reached in the record.
fn through(steps: &[Step], mut record: Value, from: u32, to: u32) -> Result<Value, NoStep> {
    for major in from..to {
        let step = steps.iter().find(|step| step.from == major).ok_or(NoStep(major))?;
        record = (step.apply)(record);
        if let Some(fields) = record.as_object_mut() {
            fields.insert("version".to_owned(), serde_json::json!({"major": major + 1, "minor": 0}));
        }
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn renamed(mut record: Value) -> Value {
        let old = record["old"].take();
        record["new"] = old;
        record.as_object_mut().unwrap().remove("old");
        record
    }
    fn doubled(mut record: Value) -> Value {
        record["new"] = json!(record["new"].as_u64().unwrap() * 2);
        record
    }
    const CHAIN: &[Step] = &[
        Step { from: 1, what: "old is called new", apply: renamed },
        Step { from: 2, what: "new counts halves", apply: doubled },
    ];

    #[test]
    fn steps_follow_one_another_and_state_the_version_they_reach() {
        let record = through(CHAIN, json!({"version": {"major": 1, "minor": 4}, "old": 21}), 1, 3).unwrap();
        assert_eq!(record, json!({"version": {"major": 3, "minor": 0}, "new": 42}));
    }

    #[test]
    fn a_record_of_the_current_version_is_left_alone() {
        let record = json!({"version": {"major": 3, "minor": 1}});
        assert_eq!(through(CHAIN, record.clone(), 3, 3).unwrap(), record);
    }

    #[test]
    fn a_missing_step_is_an_error_and_not_a_guess() {
        assert_eq!(through(CHAIN, json!({}), 0, 3), Err(NoStep(0)));
    }

    #[test]
    fn every_older_major_version_has_its_step() {
        assert_eq!(STEPS.len() + 1, SCHEMA_VERSION.major as usize);
        assert!(STEPS.iter().zip(1..).all(|(step, major)| step.from == major));
    }
}
