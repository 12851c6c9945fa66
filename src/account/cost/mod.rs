//! Money: capital recovery, tariffs, ownership over years, and what moves the result most.
//!
//! Everything here is a function of a [`Subject`](super::Subject) and of the table `[cost]` of a site file. No price is
//! built in and no currency is converted: all money of an account is in the one currency that the table names. What
//! surprises people: the hardware's price is spread over the hours of work, not over the hours of the year, so that a
//! device that idles half its life costs twice as much per EFLOP.

mod account;
mod break_even;
mod capital;
mod device;
mod inputs;
mod interval;
mod normalise;
mod notes;
mod ownership;
mod sensitivity;
mod tariff;
mod terms;
mod year;

pub use account::{CostAccount, DeviceCost, Excluded, FrontCarbon, Group, Options, Per, cost_account};
pub use break_even::{BreakEven, Crossing, Within};
pub use capital::{Payback, capital_recovery, carbon_payback, payback};
pub use inputs::{CostInputs, DeviceInputs, Ranges};
pub use normalise::{Basis, Normalisation, Normalised};
pub use ownership::{Ownership, Year};
pub use sensitivity::Swing;
pub use tariff::Tariff;
pub use terms::{PARTS, Parts, Terms};
pub use year::{Devices, WorkYear, YearTerms};
