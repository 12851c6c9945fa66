//! Outputs of a device against the float64 reference: what to read back, and whether it is right.
//!
//! [`prepare`] loads a case with its inputs; [`ProbePlan`] turns expected elements into byte ranges of outputs and checks the
//! bytes that come back; [`WholeCheck`] looks at every element ([`freivalds`], [`twin`]); [`inject`] spoils one on purpose.
//! How a device is asked for them is not known here. What surprises people: a passing check still says how close it was, in
//! units of each element's own bound.

mod decode;
pub mod freivalds;
pub mod inject;
mod parallel;
mod passes;
pub mod prepare;
mod probe;
pub mod twin;
mod whole;

pub use probe::{Mismatch, ProbePlan};
pub use whole::{Reading, WholeCheck};
