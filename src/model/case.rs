//! What is computed: a problem's shape, element type and data, its work, and the variant that computes it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Counted, CountedIn, Unit, Work};

/// Precision that a problem is computed in: the type of its main operand and of its arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// 32-bit float throughout.
    F32,
    /// 16-bit float operands and results.
    F16,
    /// 16-bit float operands, 32-bit accumulation and results.
    #[serde(rename = "f16-f32")]
    Mixed,
    /// 64-bit float throughout.
    F64,
    /// 32-bit integers.
    I32,
    /// 8-bit integer operands, 32-bit integer accumulation and results.
    I8,
    /// Weights in blocks of 32 signed bytes with one f16 scale (34 bytes); activations f32.
    #[serde(rename = "q8_0")]
    Q8_0,
    /// Weights in blocks of 32 nibbles with one f16 scale (18 bytes); activations f32.
    #[serde(rename = "q4_0")]
    Q4_0,
    /// Weights in super-blocks of 256 nibbles with eight 6-bit scales and minima (144 bytes); activations f32.
    #[serde(rename = "q4_k")]
    Q4K,
}

impl ElementType {
    /// Every precision.
    pub const ALL: [Self; 9] =
        [Self::F32, Self::F16, Self::Mixed, Self::F64, Self::I32, Self::I8, Self::Q8_0, Self::Q4_0, Self::Q4K];

    /// Name, as in records and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Mixed => "f16-f32",
            Self::F64 => "f64",
            Self::I32 => "i32",
            Self::I8 => "i8",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Q4K => "q4_k",
        }
    }
    /// Size of one element of the main operand in bytes; a fraction for block formats, their scales included.
    pub fn bytes(self) -> f64 {
        match self {
            Self::F64 => 8.0,
            Self::F32 | Self::I32 => 4.0,
            Self::F16 | Self::Mixed => 2.0,
            Self::I8 => 1.0,
            Self::Q8_0 => 34.0 / 32.0,
            Self::Q4_0 => 18.0 / 32.0,
            Self::Q4K => 144.0 / 256.0,
        }
    }
    /// Type in which the main operand is stored; block formats are stored as words.
    pub const fn scalar(self) -> Scalar {
        match self {
            Self::F32 => Scalar::F32,
            Self::F16 | Self::Mixed => Scalar::F16,
            Self::F64 => Scalar::F64,
            Self::I32 => Scalar::I32,
            Self::I8 => Scalar::I8,
            Self::Q8_0 | Self::Q4_0 | Self::Q4K => Scalar::U32,
        }
    }
    /// Unit roundoff of the arithmetic; 0 for integers.
    pub fn unit_roundoff(self) -> f64 {
        match self {
            Self::F16 => Scalar::F16.unit_roundoff(),
            Self::F64 => Scalar::F64.unit_roundoff(),
            Self::I32 | Self::I8 => 0.0,
            Self::F32 | Self::Mixed | Self::Q8_0 | Self::Q4_0 | Self::Q4K => Scalar::F32.unit_roundoff(),
        }
    }
    /// True if operations are on integers.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::I32 | Self::I8)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ElementType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|element| element.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|element| element.name()).collect();
            format!("no precision is called `{text}`: they are {}", names.join(", "))
        })
    }
}

/// Type of the elements of one tensor in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scalar {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// 32-bit signed integer.
    I32,
    /// 32-bit unsigned integer, or a word of packed values.
    U32,
    /// 8-bit signed integer, four to a word.
    I8,
}

impl Scalar {
    /// Size in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 => 2,
            Self::I8 => 1,
        }
    }
    /// Half the distance from 1 to the next representable number; 0 for integers.
    pub fn unit_roundoff(self) -> f64 {
        match self {
            Self::F64 => f64::EPSILON / 2.0,
            Self::F32 => f64::from(f32::EPSILON) / 2.0,
            Self::F16 => half::f16::EPSILON.to_f64() / 2.0,
            Self::I32 | Self::U32 | Self::I8 => 0.0,
        }
    }
    /// Smallest positive number that a device may not flush to 0; 0 for integers.
    pub fn min_positive(self) -> f64 {
        match self {
            Self::F64 => f64::MIN_POSITIVE,
            Self::F32 => f64::from(f32::MIN_POSITIVE),
            Self::F16 => half::f16::MIN_POSITIVE.to_f64(),
            Self::I32 | Self::U32 | Self::I8 => 0.0,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::I8 => "i8",
        })
    }
}

/// Distribution of a problem's input values. It is part of a result's identity: it changes power by tens of percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DataPattern {
    /// Independent standard normal values.
    #[default]
    Normal,
    /// Independent values, uniform between -1 and 1.
    Uniform,
    /// Zeros.
    Zeros,
    /// One value everywhere.
    Constant,
    /// Standard normal values, of which every second one on average, at random, is zero.
    Sparse,
}

impl DataPattern {
    /// Every pattern.
    pub const ALL: [Self; 5] = [Self::Normal, Self::Uniform, Self::Zeros, Self::Constant, Self::Sparse];

    /// Name, as in records and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Uniform => "uniform",
            Self::Zeros => "zeros",
            Self::Constant => "constant",
            Self::Sparse => "sparse",
        }
    }
}

impl fmt::Display for DataPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DataPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|pattern| pattern.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|pattern| pattern.name()).collect();
            format!("no data pattern is called `{text}`: they are {}", names.join(", "))
        })
    }
}

/// Named extents of a problem, for example `m=1024 n=1024 k=1024`. Names are ordered, so equal shapes print equally.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Shape(BTreeMap<String, u64>);

/// A shape that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Text that does not follow `axis=value`.
    #[error("cannot read shape `{0}`: expected axis=number pairs, for example m=1024,n=1024,k=1024")]
    Syntax(String),
    /// An extent of zero or beyond any device.
    #[error("axis {axis} of the shape is {value}: it must be between 1 and {max}", max = Shape::MAX_EXTENT)]
    Extent {
        /// The axis.
        axis: String,
        /// The value given.
        value: u64,
    },
    /// An axis the problem does not have.
    #[error("problem {problem} has no axis `{axis}`: its axes are {axes}")]
    UnknownAxis {
        /// The problem.
        problem: String,
        /// The axis given.
        axis: String,
        /// The axes it has, comma-separated.
        axes: String,
    },
    /// Extents that do not fit together, or that no device can hold.
    #[error("problem {problem} cannot have shape `{shape}`: {rule}")]
    Refused {
        /// The problem.
        problem: String,
        /// The shape given.
        shape: String,
        /// The rule it breaks, and what to change.
        rule: String,
    },
}

impl Shape {
    /// Largest extent of one axis that is accepted (2^40): products of three still count exactly in 128 bits.
    pub const MAX_EXTENT: u64 = 1 << 40;
    /// Axis that may be 0.
    const PADDING: &'static str = "pad";

    /// A shape from name and extent pairs.
    pub fn new<'a>(extents: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        Self(extents.into_iter().map(|(axis, value)| (axis.to_owned(), value)).collect())
    }
    /// Extent of an axis; 1 if the shape does not name it.
    pub fn get(&self, axis: &str) -> u64 {
        self.0.get(axis).copied().unwrap_or(1)
    }
    /// Sets the extent of an axis.
    pub fn set(&mut self, axis: &str, value: u64) {
        self.0.insert(axis.to_owned(), value);
    }
    /// Names and extents in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(axis, value)| (axis.as_str(), *value))
    }
    /// Refuses extents of zero or beyond [`Shape::MAX_EXTENT`]. Padding, a distance and no extent, may be 0.
    pub fn check(&self) -> Result<(), ShapeError> {
        let refused = |axis: &str, value: u64| (value == 0 && axis != Self::PADDING) || value > Self::MAX_EXTENT;
        match self.iter().find(|(axis, value)| refused(axis, *value)) {
            Some((axis, value)) => Err(ShapeError::Extent { axis: axis.to_owned(), value }),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<String> = self.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        f.pad(&text.join(" "))
    }
}

impl FromStr for Shape {
    type Err = ShapeError;

    /// Reads `m=1024,n=512` or `m=n=1024`, separated by commas or spaces.
    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let syntax = || ShapeError::Syntax(text.to_owned());
        let mut extents = BTreeMap::new();
        for pair in text.split([',', ' ']).filter(|pair| !pair.is_empty()) {
            let (axes, value) = pair.rsplit_once('=').ok_or_else(syntax)?;
            let value: u64 = value.parse().map_err(|_| syntax())?;
            for axis in axes.split('=') {
                let proper = axis.starts_with(|c: char| c.is_ascii_alphabetic())
                    && axis.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                if !proper {
                    return Err(syntax());
                }
                extents.insert(axis.to_owned(), value);
            }
        }
        let shape = Self(extents);
        shape.check()?;
        Ok(shape)
    }
}

/// One row of a run: a variant of a problem, at a shape, on a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Case {
    /// Ordinal of the device.
    pub device: u32,
    /// Problem, for example `gemm`.
    pub problem: String,
    /// Variant, for example `gemm/tiled-f32`.
    pub variant: String,
    /// Extents.
    pub shape: Shape,
    /// Element type of the main operand.
    pub element: ElementType,
    /// Distribution of the inputs.
    pub pattern: DataPattern,
    /// Seed of the inputs.
    pub seed: u64,
    /// Tunable parameters of the variant, as used.
    pub params: BTreeMap<String, u64>,
    /// Work of one execution of the problem.
    pub work: Work,
    /// Whether its rate is counted in FLOP or in bytes.
    pub counted: Counted,
    /// Unit that does its arithmetic.
    #[serde(default, skip_serializing_if = "Unit::is_vector")]
    pub unit: Unit,
    /// SHA-256 of the variant's shader and manifest as shipped, in hex.
    pub shader_sha256: String,
}

/// Family of the variants that stand for metered programs.
pub const FOREIGN: &str = "foreign/";

impl Case {
    /// What its rate is counted in, as people name it.
    pub const fn counted_in(&self) -> CountedIn {
        match self.counted {
            Counted::Flop => CountedIn::operations(self.element),
            Counted::Bytes => CountedIn::Bytes,
        }
    }
    /// True for the work of a metered program: nothing of its output was verified.
    pub fn is_foreign(&self) -> bool {
        self.variant.starts_with(FOREIGN)
    }
    /// Variant and shape in one line, for messages, and the data where they are not the usual ones.
    pub fn label(&self) -> String {
        format!("{} {}{}", self.variant, self.shape, self.data_note())
    }
    /// The data pattern as it stands behind a shape, with a space before it; nothing for the usual one.
    pub fn data_note(&self) -> String {
        if self.pattern == DataPattern::Normal { String::new() } else { format!(" {}", self.pattern) }
    }
    /// True if two cases compute the same thing (problem, shape, element type and data pattern), by any variant.
    pub fn same_work(&self, other: &Self) -> bool {
        self.problem == other.problem
            && self.shape == other.shape
            && self.element == other.element
            && self.pattern == other.pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_axes_shares_one_extent() {
        let shape: Shape = "m=n=1024,k=7".parse().unwrap();
        assert_eq!(shape, Shape::new([("m", 1024), ("n", 1024), ("k", 7)]));
        assert_eq!(shape.to_string(), "k=7 m=1024 n=1024");
    }

    #[test]
    fn malformed_zero_and_absurd_shapes_are_refused() {
        for text in ["m", "m=", "=4", "m=-1", "m=1.5", "m=x", "2m=1", "m=99999999999999999999"] {
            assert!(matches!(text.parse::<Shape>(), Err(ShapeError::Syntax(_))), "{text}");
        }
        assert_eq!("m=3,pad=0".parse::<Shape>().unwrap().get("pad"), 0);
        for text in ["m=0", "m=9999999999999", "pad=9999999999999"] {
            assert!(matches!(text.parse::<Shape>(), Err(ShapeError::Extent { .. })), "{text}");
        }
    }

    #[test]
    fn the_unit_roundoffs_are_those_of_ieee_754() {
        assert_eq!(ElementType::F32.unit_roundoff(), 2f64.powi(-24));
        assert_eq!(ElementType::F16.unit_roundoff(), 2f64.powi(-11));
        assert_eq!(ElementType::Mixed.unit_roundoff(), 2f64.powi(-24));
        assert_eq!(ElementType::F64.unit_roundoff(), 2f64.powi(-53));
    }

    /// A text as a record holds it.
    fn written(text: &str) -> serde::de::value::StrDeserializer<'_, serde::de::value::Error> {
        serde::de::IntoDeserializer::into_deserializer(text)
    }

    #[test]
    fn names_are_read_back_and_are_those_of_records() {
        for element in ElementType::ALL {
            assert_eq!(element.name().parse(), Ok(element));
            assert_eq!(ElementType::deserialize(written(element.name())).unwrap(), element);
        }
        for pattern in DataPattern::ALL {
            assert_eq!(pattern.name().parse(), Ok(pattern));
            assert_eq!(DataPattern::deserialize(written(pattern.name())).unwrap(), pattern);
        }
        assert!("f8".parse::<ElementType>().unwrap_err().contains("q4_0"));
    }
}
