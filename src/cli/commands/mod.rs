//! One file per subcommand: its arguments, and a function that runs it.

pub mod calibrate;
pub mod carbon;
pub mod ceilings;
pub mod claim;
pub mod compare;
pub mod cost;
pub mod devices;
pub mod doctor;
pub mod export;
pub mod factors;
pub mod fleet;
pub mod list;
pub mod meter;
pub mod plot;
pub mod qualify;
pub mod run;
pub mod schema;
pub mod show;
pub mod tune;
pub mod validate;
pub mod watch;
