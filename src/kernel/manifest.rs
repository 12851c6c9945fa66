//! A variant's TOML manifest: what it computes, what it needs, its parameters, and how it is dispatched.
//!
//! Unknown keys and expressions that do not parse are errors here, when the manifest is read, not when it is used.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::expression;
use crate::model::{Device, ElementType, Feature};

/// A tunable parameter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Value used where nothing more specific is given.
    pub default: u64,
    /// Values worth trying.
    pub candidates: Vec<u64>,
    /// Default on software adapters.
    pub software: Option<u64>,
    /// Default on NVIDIA GPUs.
    pub nvidia: Option<u64>,
    /// Default on AMD GPUs.
    pub amd: Option<u64>,
    /// Default on Intel GPUs.
    pub intel: Option<u64>,
    /// Default on Apple GPUs.
    pub apple: Option<u64>,
}

impl Parameter {
    /// Default for a device: its class, else its vendor, else the general one.
    pub fn default_for(&self, device: &Device) -> u64 {
        let specific = match device.vendor() {
            _ if device.is_software() => self.software,
            "NVIDIA" => self.nvidia,
            "AMD" => self.amd,
            "Intel" => self.intel,
            "Apple" => self.apple,
            _ => None,
        };
        specific.unwrap_or(self.default)
    }

    /// Every value that is known to be meant: the candidates and the defaults.
    pub fn values(&self) -> BTreeSet<u64> {
        let defaults = [self.software, self.nvidia, self.amd, self.intel, self.apple];
        self.candidates.iter().copied().chain([self.default]).chain(defaults.into_iter().flatten()).collect()
    }
}

/// The manifest as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub problem: String,
    pub element: ElementType,
    pub summary: String,
    pub entry: String,
    #[serde(default)]
    pub requires: BTreeSet<Feature>,
    #[serde(default)]
    pub params: BTreeMap<String, Parameter>,
    /// `name = expression` lines, evaluated in order; their names are variables from there on.
    #[serde(default)]
    pub derived: Vec<String>,
    #[serde(default)]
    pub constraints: Vec<String>,
    pub workgroup: [String; 3],
    pub grid: [String; 3],
    pub workgroup_memory_bytes: Option<String>,
    /// Iterations of all loops that one invocation runs through, at most.
    pub loop_iterations: Option<String>,
}

impl Manifest {
    /// Reads a manifest and checks all that can be checked without a shape.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        for (name, parameter) in &manifest.params {
            check_parameter(name, parameter)?;
        }
        for line in &manifest.derived {
            expression::check(split_derived(line)?.1)?;
        }
        let dispatch = manifest.workgroup.iter().chain(&manifest.grid).chain(&manifest.workgroup_memory_bytes);
        let dispatch = dispatch.chain(&manifest.loop_iterations);
        for text in manifest.constraints.iter().chain(dispatch) {
            expression::check(text)?;
        }
        if manifest.element == ElementType::F16 && !manifest.requires.contains(&Feature::F16) {
            return Err("element f16 needs requires = [\"f16\"]".to_owned());
        }
        Ok(manifest)
    }
}

/// Name and expression of a `name = expression` line.
pub fn split_derived(line: &str) -> Result<(&str, &str), String> {
    let (name, expression) =
        line.split_once('=').ok_or_else(|| format!("derived `{line}` is not `name = expression`"))?;
    let name = name.trim();
    let proper = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !proper {
        return Err(format!("derived name `{name}` must be lower case (letters, digits and _)"));
    }
    Ok((name, expression.trim()))
}

fn check_parameter(name: &str, parameter: &Parameter) -> Result<(), String> {
    let proper = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if !proper {
        return Err(format!("parameter `{name}` must be UPPER CASE: lower-case names are axes of the shape"));
    }
    if parameter.candidates.is_empty() {
        return Err(format!("parameter {name} has no candidates"));
    }
    if parameter.values().iter().any(|value| *value > u64::from(u32::MAX)) {
        return Err(format!("parameter {name} has a value beyond 32 bits"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
problem = "gemm"
element = "f32"
summary = "one dot product per invocation"
entry = "main"
derived = ["k4 = k // 4"]
constraints = ["BX > 0"]
workgroup = ["BX", "1", "1"]
grid = ["ceil_div(n, BX)", "m", "1"]
[params.BX]
default = 16
candidates = [8, 16]
software = 8
"#;

    fn broken(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        Manifest::parse(&GOOD.replace(from, to)).unwrap_err()
    }

    #[test]
    fn a_good_manifest_parses() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.params["BX"].values(), BTreeSet::from([8, 16]));
        assert_eq!(split_derived(&manifest.derived[0]), Ok(("k4", "k // 4")));
    }

    #[test]
    fn unknown_keys_and_features_are_named() {
        assert!(broken("entry =", "entrance =").contains("entrance"));
        assert!(broken("software =", "sofware =").contains("sofware"));
        assert!(broken("entry =", "requires = [\"f18\"]\nentry =").contains("f18"));
        assert!(broken("\"f32\"", "\"f64\"").contains("f64"));
    }

    #[test]
    fn a_missing_key_is_named() {
        assert!(broken("entry = \"main\"", "").contains("entry"));
        assert!(broken("workgroup = [\"BX\", \"1\", \"1\"]", "").contains("workgroup"));
    }

    #[test]
    fn a_bad_expression_is_quoted() {
        assert!(broken("\"BX > 0\"", "\"BX >\"").contains("`BX >`"));
        assert!(broken("ceil_div(n, BX)", "ceil_div(n, ").contains("ceil_div(n, "));
        assert!(broken("k4 = k // 4", "k4").contains("name = expression"));
        assert!(broken("k4 = k // 4", "K4 = k // 4").contains("lower case"));
    }

    #[test]
    fn parameters_are_upper_case_with_candidates_of_32_bits() {
        assert!(broken("[params.BX]", "[params.bx]").contains("UPPER CASE"));
        assert!(broken("[8, 16]", "[]").contains("no candidates"));
        assert!(broken("[8, 16]", "[8, 4294967296]").contains("32 bits"));
        assert!(broken("\"f32\"", "\"f16\"").contains("requires"));
    }
}
