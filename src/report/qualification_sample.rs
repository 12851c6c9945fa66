//! A qualification to lay out in tests: the golden file of format 1.0, with a sound device and a hot one.

#![allow(clippy::unwrap_used)]

use crate::model::Qualification;

/// The golden file.
pub(super) fn sample() -> Qualification {
    serde_json::from_str(include_str!("../../tests/fixtures/qualifications/v1.0.json")).unwrap()
}
