//! A variant's TOML manifest: what it computes, what it needs, its parameters, and how it is dispatched.
//!
//! Unknown keys and expressions that do not parse are errors here, when the manifest is read, not when it is used.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::expression;
use crate::model::{Device, ElementType, Feature, Scalar, Translation};

/// A value with exceptions by kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByDevice {
    /// Value used where nothing more specific is given.
    #[serde(default)]
    pub default: u64,
    /// On software adapters.
    pub software: Option<u64>,
    /// On NVIDIA GPUs.
    pub nvidia: Option<u64>,
    /// On AMD GPUs.
    pub amd: Option<u64>,
    /// On Intel GPUs.
    pub intel: Option<u64>,
    /// On Apple GPUs.
    pub apple: Option<u64>,
}

impl ByDevice {
    /// Value for a device: that of its class, else of its vendor, else the general one.
    pub fn on(&self, device: &Device) -> u64 {
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

    fn all(&self) -> impl Iterator<Item = u64> {
        let specific = [self.software, self.nvidia, self.amd, self.intel, self.apple];
        [self.default].into_iter().chain(specific.into_iter().flatten())
    }
}

/// A tunable parameter as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterFields {
    default: u64,
    candidates: Vec<u64>,
    software: Option<u64>,
    nvidia: Option<u64>,
    amd: Option<u64>,
    intel: Option<u64>,
    apple: Option<u64>,
}

/// A tunable parameter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "ParameterFields")]
pub struct Parameter {
    /// Value used where nothing was tuned.
    pub default: ByDevice,
    /// Values worth trying.
    pub candidates: Vec<u64>,
}

impl From<ParameterFields> for Parameter {
    fn from(fields: ParameterFields) -> Self {
        let ParameterFields { default, candidates, software, nvidia, amd, intel, apple } = fields;
        Self { default: ByDevice { default, software, nvidia, amd, intel, apple }, candidates }
    }
}

impl Parameter {
    /// Default for a device: its class, else its vendor, else the general one.
    pub fn default_for(&self, device: &Device) -> u64 {
        self.default.on(device)
    }

    /// Every value that is known to be meant: the candidates and the defaults.
    pub fn values(&self) -> BTreeSet<u64> {
        self.candidates.iter().copied().chain(self.default.all()).collect()
    }
}

/// One dispatch of an execution, as expressions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageManifest {
    /// Entry point.
    pub entry: String,
    /// Invocations of a workgroup along x, y and z.
    pub workgroup: [String; 3],
    /// Workgroups along x, y and z.
    pub grid: [String; 3],
    /// Whether it is dispatched, for shape and parameters; always, if not given.
    pub when: Option<String>,
}

/// A buffer that one stage leaves to the next, bound behind the problem's tensors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScratchManifest {
    /// Name, for messages.
    pub name: String,
    /// Size in bytes, as an expression.
    pub bytes: String,
}

/// The matrix-unit shape that a shader's cooperative matrices have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CooperativeNeed {
    /// Rows, columns and depth: WGSL's matrices are square.
    pub size: u32,
    /// Type of A and B.
    pub ab: Scalar,
    /// Type of C and of the result.
    pub c: Scalar,
}

/// How much of an output is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scrutiny {
    /// Samples that include every corner class, and whole-output checks where the problem has one.
    #[default]
    Sampled,
    /// Every element, in every run: for shaders whose memory model the driver may not honour.
    Full,
}

/// The manifest as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub problem: String,
    pub element: ElementType,
    pub summary: String,
    /// Entry point, workgroup and grid of the only stage; absent where `stages` lists several.
    pub entry: Option<String>,
    #[serde(default)]
    pub requires: BTreeSet<Feature>,
    pub cooperative: Option<CooperativeNeed>,
    #[serde(default)]
    pub translation: Translation,
    #[serde(default)]
    pub scrutiny: Scrutiny,
    /// Rank among the variants of a problem and element type where nothing was tuned: the highest is chosen.
    #[serde(default)]
    pub preference: ByDevice,
    /// Whether the rank counts at a shape, as an expression; everywhere, if not given. It runs at any shape all the same.
    pub suits: Option<String>,
    #[serde(default)]
    pub params: BTreeMap<String, Parameter>,
    /// `name = expression` lines, evaluated in order; their names are variables from there on.
    #[serde(default)]
    pub derived: Vec<String>,
    #[serde(default)]
    pub constraints: Vec<String>,
    pub workgroup: Option<[String; 3]>,
    pub grid: Option<[String; 3]>,
    /// Dispatches of one execution, where there are several.
    #[serde(default)]
    pub stages: Vec<StageManifest>,
    #[serde(default)]
    pub scratch: Vec<ScratchManifest>,
    pub workgroup_memory_bytes: Option<String>,
    /// Iterations of all loops that one invocation runs through, at most.
    pub loop_iterations: Option<String>,
}

impl Manifest {
    /// Reads a manifest and checks all that can be checked without a shape.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut manifest: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        manifest.gather_stages()?;
        for (name, parameter) in &manifest.params {
            check_parameter(name, parameter)?;
        }
        for line in &manifest.derived {
            expression::check(split_derived(line)?.1)?;
        }
        let stages = manifest.stages.iter();
        let dispatch = stages.flat_map(|stage| stage.workgroup.iter().chain(&stage.grid).chain(&stage.when));
        let sizes = manifest.scratch.iter().map(|scratch| &scratch.bytes).chain(&manifest.workgroup_memory_bytes);
        let dispatch = dispatch.chain(sizes).chain(&manifest.loop_iterations).chain(&manifest.suits);
        for text in manifest.constraints.iter().chain(dispatch) {
            expression::check(text)?;
        }
        manifest.check_features()?;
        Ok(manifest)
    }

    /// Moves entry, workgroup and grid of a single stage to `stages`, so that one form is left.
    fn gather_stages(&mut self) -> Result<(), String> {
        match (self.entry.take(), self.workgroup.take(), self.grid.take()) {
            (Some(entry), Some(workgroup), Some(grid)) if self.stages.is_empty() => {
                self.stages.push(StageManifest { entry, workgroup, grid, when: None });
                Ok(())
            }
            (None, None, None) if !self.stages.is_empty() => Ok(()),
            (entry, workgroup, _) if self.stages.is_empty() => Err(format!(
                "missing `{}`",
                if entry.is_none() {
                    "entry"
                } else if workgroup.is_none() {
                    "workgroup"
                } else {
                    "grid"
                }
            )),
            _ => Err("entry, workgroup and grid stand in [[stages]] where there are stages".to_owned()),
        }
    }

    /// Demands the features that element type and matrices need, so that no device is asked in vain.
    fn check_features(&self) -> Result<(), String> {
        let needs = |feature: Feature| match self.requires.contains(&feature) {
            true => Ok(()),
            false => Err(format!("it needs requires = [\"{feature}\"]")),
        };
        match self.element {
            ElementType::F16 | ElementType::Mixed => needs(Feature::F16)?,
            ElementType::F64 => needs(Feature::F64)?,
            _ => {}
        }
        if self.cooperative.is_some() {
            needs(Feature::CooperativeMatrix)?;
        }
        match self.translation {
            Translation::PatchedSpirv => needs(Feature::Passthrough),
            Translation::Trusted => Ok(()),
        }
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
        assert!(broken("\"f32\"", "\"f8\"").contains("f8"));
    }

    #[test]
    fn a_missing_key_is_named() {
        assert!(broken("entry = \"main\"", "").contains("entry"));
        assert!(broken("workgroup = [\"BX\", \"1\", \"1\"]", "").contains("workgroup"));
    }

    #[test]
    fn stages_stand_either_in_one_place_or_in_the_other() {
        let stages = "[[stages]]\nentry = \"a\"\nworkgroup = [\"1\", \"1\", \"1\"]\ngrid = [\"m\", \"1\", \"1\"]\n";
        let both = format!("{GOOD}{stages}");
        assert!(Manifest::parse(&both).unwrap_err().contains("[[stages]]"));
        let head = "problem = \"gemm\"\nelement = \"f32\"\nsummary = \"two\"\n";
        let two = Manifest::parse(&format!("{head}{stages}{}", stages.replace("\"a\"", "\"b\""))).unwrap();
        assert_eq!(two.stages.iter().map(|stage| &*stage.entry).collect::<Vec<_>>(), ["a", "b"]);
        assert!(Manifest::parse(head).unwrap_err().contains("entry"));
        assert_eq!(Manifest::parse(GOOD).unwrap().stages.len(), 1);
    }

    #[test]
    fn matrices_and_patched_modules_name_their_features() {
        let cooperative = "cooperative = { size = 16, ab = \"f16\", c = \"f32\" }\nentry =";
        assert!(broken("entry =", cooperative).contains("cooperative-matrix"));
        assert!(broken("entry =", "translation = \"patched-spirv\"\nentry =").contains("passthrough"));
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
