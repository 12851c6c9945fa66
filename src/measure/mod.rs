//! The protocol: plan, verify, calibrate, idle, preheat, windows, stop; and what a measurement says ([`result`]).
//!
//! [`plan`] resolves what to do, [`run`] does it case by case and saves after each, [`steady`] and [`stop`] are the written
//! rules. What surprises people: the device's stream never drains between windows. Each window is the run jobs between a
//! poison job and a probe job of one in-order stream, so the output that is checked is the one that was timed.

pub mod calibrate;
pub mod case;
mod checks;
mod link;
pub mod live;
pub mod meter;
mod phase;
pub mod plan;
mod preheat;
pub mod presets;
pub mod result;
pub mod run;
mod sensors;
pub mod soak;
pub mod steady;
pub mod stop;
mod stream;
pub mod suite;
