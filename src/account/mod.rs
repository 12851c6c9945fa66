//! Energy to carbon: grid factors with their identity, sites, and grams per case, per job and per region.
//!
//! Everything here is a function of what a record says ([`crate::measure::result::RunResult`]) and of a [`Site`]; nothing
//! is stored and no GPU is needed. What surprises people: a factor without gas, year, basis and method is not a result,
//! so no function here takes a bare number: a number becomes a [`GridFactor`](crate::model::GridFactor) that says what
//! is unstated.

mod carbon;
mod catalogue;
pub mod cci;
pub mod claim;
pub mod cost;
pub mod embodied;
mod error;
mod factor;
mod factor_file;
mod footprint;
mod identity;
mod job;
pub mod market;
mod matrix;
pub mod microgrid;
mod regions;
pub mod schedule;
pub mod sci;
mod section;
pub mod series;
mod site;
mod subject;
#[cfg(test)]
mod testing;

pub use carbon::{
    CarbonTable, CaseCarbon, CommandCarbon, LeftOut, WorkUnit, case_carbon, command_carbon, energy_per_unit,
    operational,
};
pub use catalogue::{Catalogue, Entry, catalogue, factor_for, source_factor, source_factors, spread};
pub use error::AccountError;
pub use factor::{parse_grid, parse_grid_in};
pub use footprint::{Cue, Footprint, LocationBased, OtherFactor, Terms, footprint};
pub use identity::{Difference, Mixture, alike};
pub use job::{Job, JobCarbon, job_carbon};
pub use matrix::{Matrix, MatrixColumn, RegionRow, RegionSet, price};
pub use regions::{DEFAULT_REGIONS, RegionCarbon, across_regions, mixed_identity};
pub use section::{Bounds, Section};
pub use site::{SECTIONS, SHIPPED_SITES, Site, resolve_site, resolve_site_in};
pub use subject::{Amount, Choice, Subject, default_choice, fleet, scaled, subjects};
