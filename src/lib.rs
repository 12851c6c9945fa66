//! wattmark measures what a GPU computes, what that costs in joules, and what those joules cost in carbon.
//!
//! The rooms, lowest first; a room imports only from the rooms above it in this list (`tests/architecture.rs`):
//!
//! * [`units`], [`stats`], [`names`], [`clock`]: quantities, statistics, names typed by people, time
//! * [`model`]: the types of a record
//! * [`gpu`], [`power`], [`kernel`], [`workload`], [`provenance`]: the sources of facts
//! * [`store`], [`verify`]: records on disk; outputs against float64 references
//! * [`tune`]: the variant and parameters for this device and shape, and the cache of them
//! * [`measure`]: the protocol, and what a measurement says
//! * [`account`]: energy to carbon
//! * [`compare`], [`qualify`], [`fleet`]: verdicts on two or more records, on a device against limits, on many nodes
//! * [`figure`], [`report`]: SVG charts; tables and text
//! * [`cli`]: arguments and commands
//!
//! The stable interface is the record's file format; this library is documented but may change.

pub mod account;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod figure;
pub mod fleet;
pub mod gpu;
pub mod kernel;
pub mod measure;
pub mod model;
pub mod names;
pub mod power;
pub mod provenance;
pub mod qualify;
pub mod report;
pub mod stats;
pub mod store;
pub mod tune;
pub mod units;
pub mod verify;
pub mod workload;
