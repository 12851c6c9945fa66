//! How much work a problem is, what it is counted in, and which unit of a device does it.
//!
//! What surprises people: operations on integers are counted like those on floats, and only their symbol differs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ElementType;
use crate::units::{Bytes, Flop, FlopPerByte};

/// Work of a problem: counted from its definition, never from a variant's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Work {
    /// Operations on numbers (a multiply-add counts two): floating-point ones, or integer ones where the element type is
    /// an integer.
    #[serde(rename = "flop")]
    pub flop: Flop,
    /// Compulsory traffic: each input read once, each output written once.
    #[serde(rename = "bytes")]
    pub bytes: Bytes,
}

impl Work {
    /// Arithmetic intensity in FLOP per byte.
    pub fn intensity(&self) -> FlopPerByte {
        FlopPerByte::new(self.flop.get() / self.bytes.get())
    }
}

/// What the field counts for a problem: its rate is FLOP/s or B/s, its efficiency FLOP/J or B/J.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Arithmetic.
    Flop,
    /// Memory traffic.
    Bytes,
}

/// What a case's rate is counted in, as people name it: integer operations are no FLOP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountedIn {
    /// Floating-point operations.
    Flop,
    /// Integer operations.
    Op,
    /// Bytes of compulsory traffic.
    Bytes,
}

impl CountedIn {
    /// Every one, in the order in which tables and figures show them.
    pub const ALL: [Self; 3] = [Self::Flop, Self::Op, Self::Bytes];

    /// Operations in a precision.
    pub const fn operations(element: ElementType) -> Self {
        if element.is_integer() { Self::Op } else { Self::Flop }
    }
    /// Symbol of the amount.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Flop => "FLOP",
            Self::Op => "OP",
            Self::Bytes => "B",
        }
    }
    /// Symbol of a rate.
    pub const fn per_second(self) -> &'static str {
        match self {
            Self::Flop => "FLOP/s",
            Self::Op => "OP/s",
            Self::Bytes => "B/s",
        }
    }
    /// Symbol of an efficiency.
    pub const fn per_joule(self) -> &'static str {
        match self {
            Self::Flop => "FLOP/J",
            Self::Op => "OP/J",
            Self::Bytes => "B/J",
        }
    }
}

/// Kind of unit that does a kernel's arithmetic: the ceiling that its rate is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The lanes of ordinary shader arithmetic.
    #[default]
    Vector,
    /// Matrix units, through cooperative matrices.
    Matrix,
}

impl Unit {
    /// True for ordinary shader arithmetic.
    pub fn is_vector(&self) -> bool {
        *self == Self::Vector
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.is_vector() { "vector" } else { "matrix" })
    }
}
