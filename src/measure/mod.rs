//! The protocol: plan, verify, calibrate, idle, preheat, windows, stop; and what a measurement says ([`result`]).

pub mod result;
