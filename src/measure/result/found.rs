//! A figure, or the reason why there is none: missing is not zero.

use serde::Serialize;

/// What was found. Serialises as the figure itself, or as an object with one field, `missing`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Found<T> {
    /// The figure.
    Value(T),
    /// There is none.
    Missing {
        /// Why.
        missing: String,
    },
}

impl<T> Found<T> {
    /// None, for a reason that needs no figures.
    pub fn missing(why: &str) -> Self {
        Self::Missing { missing: why.to_owned() }
    }
    /// The figure, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing { .. } => None,
        }
    }
    /// Why there is none.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::Missing { missing } => Some(missing),
        }
    }
}
