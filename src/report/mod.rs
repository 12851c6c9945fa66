//! A record and what it says, as terminal table, Markdown, CSV and JSON: pure functions, nothing printed here.
//!
//! Figures come from [`crate::measure::result`]; carbon comes from the caller, because a grid is a choice of the reader.
//! What surprises people: cases that count FLOP, integer operations and bytes stand in tables of their own, so that every column has
//! one unit.

mod calibration;
mod ceilings;
mod ceilings_text;
mod claims_text;
mod commands;
mod conditions_text;
mod csv;
mod json;
mod json_views;
mod junit;
mod legend;
mod live;
mod markdown;
mod number;
mod openmetrics;
mod openmetrics_fleet;
pub mod procurement;
mod qualification;
mod qualification_markdown;
#[cfg(test)]
mod qualification_sample;
#[cfg(test)]
mod sample;
mod sheet;
mod sources_text;
mod table;
#[cfg(test)]
mod tests;
mod tuning;
mod uncertainty_text;

pub use calibration::{calibration_text, correction_in_words, profile_in_words};
pub use ceilings::{CeilingRow, DeviceCeilings, Finding, ceilings, ceilings_json};
pub use ceilings_text::ceilings_text;
pub use claims_text::claims_text;
pub use commands::work_unit;
pub use conditions_text::conditions_text;
pub use csv::{csv_tidy, csv_traces};
pub use json::json_summary;
pub use junit::junit;
pub use live::{LIVE_ROWS_HEAD, live_rows, live_table};
pub use markdown::markdown;
pub use number::{compact_case, named_case, percent, scaled, significant};
pub use openmetrics::openmetrics;
pub use openmetrics_fleet::openmetrics_fleet;
pub use qualification::qualification_text;
pub use qualification_markdown::qualification_markdown;
pub use sources_text::sources_text;
pub use table::table;
pub use uncertainty_text::uncertainty_text;

use crate::measure::result::{CaseResult, RoofKind};
use crate::model::{Counted, CountedIn, Estimate};
use crate::units::{Bytes, Flop, GramsCo2e, Joules};

/// Work to which the carbon column refers for cases that count FLOP: one exaFLOP (10^18 operations).
pub const AMOUNT_FLOP: Flop = Flop::new(1e18);
/// Work to which the carbon column refers for cases that count bytes: one petabyte (10^15 bytes).
pub const AMOUNT_BYTES: Bytes = Bytes::new(1e15);

/// Symbol of the amount of work to which the carbon column refers.
fn amount_symbol(counted: CountedIn) -> &'static str {
    match counted {
        CountedIn::Flop => "EFLOP",
        CountedIn::Op => "EOP",
        CountedIn::Bytes => "PB",
    }
}

/// Name of a ceiling: `f16-f32 matrix arithmetic`, `bandwidth`.
pub fn roof_name(kind: RoofKind) -> String {
    match kind {
        RoofKind::Arithmetic(unit, element) => format!("{element} {unit} arithmetic"),
        RoofKind::Bandwidth => "bandwidth".to_owned(),
    }
}

/// Carbon of a case's amount of work, computed by the caller.
pub struct Carbon<'a> {
    /// Identity of grid factor and PUE in one line, printed in the header.
    pub grid: String,
    /// Gas of the factor, for column heads: `CO2e` or `CO2`.
    pub gas: String,
    /// Grams for [`AMOUNT_FLOP`] or, for cases that count bytes, [`AMOUNT_BYTES`]; see [`energy_of_amount`].
    pub of: &'a dyn Fn(&CaseResult) -> Option<Estimate<GramsCo2e>>,
}

/// How a table is laid out.
#[derive(Default)]
pub struct TableOptions<'a> {
    /// Columns of the terminal; 0 stands for 120.
    pub width: usize,
    /// Whether escape sequences for bold and dim text may be used.
    pub colour: bool,
    /// Carbon, if a grid is known.
    pub carbon: Option<Carbon<'a>>,
    /// Whether every warning is printed with its case, instead of one line per code.
    pub warnings: bool,
}

/// Gross energy of the amount of work to which the carbon column refers, from the case's headline efficiency.
pub fn energy_of_amount(case: &CaseResult) -> Option<Estimate<Joules>> {
    let energy = case.headline_energy()?;
    match case.case.counted {
        Counted::Flop => Some(energy.flop_efficiency?.map(|efficiency| AMOUNT_FLOP / efficiency)),
        Counted::Bytes => Some(energy.byte_efficiency.map(|efficiency| AMOUNT_BYTES / efficiency)),
    }
}
