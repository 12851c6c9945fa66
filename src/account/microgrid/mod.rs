//! A measured load against local generation and a battery, step by step, with the energy balance held in every step.
//!
//! `config` reads the site's table, `profile` the generation, `load` the record's power trace; `step` runs the steps on
//! energies alone, `ledger` adds them up to shares and grams, and `outcome` is what a command prints. What surprises people:
//! a battery that begins full is no gift: what it ends short of its start is charged.

pub mod config;
mod intensity;
pub mod ledger;
pub mod load;
pub mod outcome;
pub mod profile;
pub mod step;

pub use config::{Config, Generator, GridPlan, Horizon, Kind, LIFE_CYCLE_SOURCE, LoadShape, Repeat};
pub use ledger::{Energies, Intensity, Operational, Shares};
pub use load::{LoadTrace, Selection};
pub use outcome::{Account, Bands, GeneratorRow, LifeCycle, account, of_site};
pub use profile::Profile;
pub use step::{Battery, Connection, Inputs, Step};
