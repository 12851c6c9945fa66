//! What a form hands on: instants with raw cells, and what the file says about unit, gas and method. No judgement here.
//!
//! What surprises people: a cell stays text until the guards look at it, so that a message can show what stood there.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::model::{FactorMethod, Gas};

/// Unit of a file's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Grams per kilowatt-hour.
    Grams,
    /// Kilograms per kilowatt-hour.
    Kilograms,
    /// Pounds per megawatt-hour.
    Pounds,
}

impl Unit {
    /// Words of `--unit`.
    pub const WORDS: [&str; 3] = ["g/kWh", "kg/kWh", "lb/MWh"];

    /// Grams per kilowatt-hour in one of this unit. A pound is 453.59237 g by definition, and a megawatt-hour 1000 kWh.
    pub fn grams_per_kilowatt_hour(self) -> f64 {
        match self {
            Self::Grams => 1.0,
            Self::Kilograms => 1000.0,
            Self::Pounds => 0.453_592_37,
        }
    }
    /// The unit that a word of `--unit` means.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.trim().to_lowercase().as_str() {
            "g/kwh" | "kg/mwh" => Some(Self::Grams),
            "kg/kwh" | "t/mwh" => Some(Self::Kilograms),
            "lb/mwh" | "lbs/mwh" => Some(Self::Pounds),
            _ => None,
        }
    }
    /// The unit that a column's head or a `units` field states, if it does.
    pub fn stated(text: &str) -> Option<Self> {
        let text: String = text.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let per = |energy: &str| text.contains(energy);
        if text.contains("lb") && per("mwh") {
            Some(Self::Pounds)
        } else if text.contains("kg") && per("kwh") {
            Some(Self::Kilograms)
        } else if per("kwh") || (text.contains("kg") && per("mwh")) {
            Some(Self::Grams)
        } else {
            None
        }
    }
}

/// One row as the file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Point<'a> {
    /// Line of a CSV or entry of a list, counted from 1.
    pub place: usize,
    /// Start of the step.
    pub at: Timestamp,
    /// The value's text.
    pub value: Cow<'a, str>,
}

/// The rows of a file with what it says about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Points<'a> {
    /// Format in words.
    pub format: String,
    /// Zone or column.
    pub zone: String,
    /// Unit, if the file or its format says.
    pub unit: Option<Unit>,
    /// Gas, if the file or its format says.
    pub gas: Option<Gas>,
    /// Average or marginal.
    pub method: FactorMethod,
    /// With upstream, if the file or its format says.
    pub life_cycle: Option<bool>,
    /// `line` or `entry`.
    pub word: &'static str,
    /// Rows in the file's order.
    pub rows: Vec<Point<'a>>,
    /// What was found wrong so far.
    pub faults: Vec<String>,
}

impl Points<'_> {
    /// Nothing but the format.
    pub fn of(format: &str, word: &'static str) -> Self {
        Self {
            format: format.to_owned(),
            zone: String::new(),
            unit: None,
            gas: None,
            method: FactorMethod::Unstated,
            life_cycle: None,
            word,
            rows: Vec::new(),
            faults: Vec::new(),
        }
    }
}
