//! The checks, one file per group: each turns findings and references into outcomes.
//!
//! What surprises people: rates, efficiencies, temperatures and counters share one procedure ([`figures`]); what differs
//! between them is data, in the table of measures.

mod comparable;
mod completeness;
mod figures;
mod outputs;

pub use comparable::comparable;
pub use completeness::completeness;
pub use figures::figures;
pub use outputs::outputs;

#[cfg(test)]
mod tests;

use super::catalogue::{self, CheckInfo};
use crate::model::{CheckOutcome, Grade, Reference};

/// The row of the table for a code; the codes are those of this room.
fn check(code: &str) -> &'static CheckInfo {
    catalogue::info(code).unwrap_or(&catalogue::REFERENCES)
}

/// An outcome without a number of its own.
fn said(code: &str, grade: Grade, reference: Reference, detail: String, action: &str) -> CheckOutcome {
    let info = check(code);
    CheckOutcome {
        code: info.code.to_owned(),
        title: info.title.to_owned(),
        grade,
        metric: None,
        value: None,
        limit: None,
        unit: String::new(),
        reference,
        window_s: None,
        detail,
        action: if grade == Grade::Pass { String::new() } else { action.to_owned() },
    }
}
