//! What can go wrong between a variant's name and its rendered shader.

use crate::model::{Feature, Shape};

/// A variant that cannot be found, read or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// No variant of that name.
    #[error("no kernel matches `{pattern}`{}; `wattmark list` shows them all", hint(.suggestion.as_deref()))]
    Unknown {
        /// What was asked for.
        pattern: String,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// The pair of files is not usable.
    #[error("kernel {id} is broken: {message}")]
    Broken {
        /// The variant.
        id: String,
        /// What is wrong.
        message: String,
    },
    /// A folder of variants that cannot be read.
    #[error("cannot read the shaders in {}: {reason}; give a folder that holds <problem>/<name>.wgsl and .toml", path.display())]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A parameter that the variant does not have, or a value outside its candidates.
    #[error("parameter {name}={value} cannot be used with {id}: {reason}")]
    Parameter {
        /// The variant.
        id: String,
        /// The parameter.
        name: String,
        /// The value given.
        value: u64,
        /// Why not.
        reason: String,
    },
    /// Parameters and shape contradict the variant's constraints.
    #[error("{id} cannot be rendered for {shape} with {params}: it demands {constraint}")]
    Constraint {
        /// The variant.
        id: String,
        /// The shape.
        shape: Shape,
        /// The parameters, as `NAME=value` pairs.
        params: String,
        /// The expression that does not hold.
        constraint: String,
    },
    /// The device lacks a feature.
    #[error("{id} needs {feature}, which {device} does not have")]
    Feature {
        /// The variant.
        id: String,
        /// The feature.
        feature: Feature,
        /// The device's name.
        device: String,
    },
    /// The device's matrix units do not multiply what the shader's matrices are.
    #[error("{id} needs matrix units for {matrices}, which {device} does not offer")]
    Cooperative {
        /// The variant.
        id: String,
        /// Size and types.
        matrices: String,
        /// The device's name.
        device: String,
    },
    /// More than a device or WGSL can take.
    #[error("{id} for {shape} needs {needed} {what}; the limit is {limit}")]
    Limit {
        /// The variant.
        id: String,
        /// The shape.
        shape: Shape,
        /// What is limited, with its unit.
        what: &'static str,
        /// What the shape and parameters need.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// An expression or the template failed.
    #[error("{id} cannot be rendered for {shape}: {message}")]
    Template {
        /// The variant.
        id: String,
        /// The shape.
        shape: Shape,
        /// What failed, and where.
        message: String,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}
