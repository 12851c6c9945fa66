//! One variant: parsed once, rendered per shape, parameters and device.
//!
//! Rendering is where limits are met: a variant that cannot run at a shape says so here, before a device is asked.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::error::KernelError;
use super::expression::{self, Context};
use super::manifest::{Manifest, Parameter, Scrutiny, StageManifest, split_derived};
use crate::model::{CooperativeShape, Device, ElementType, Feature, Shape, Translation};

/// Iterations, of all loops together, after which llvmpipe silently leaves a shader's loops: the results are wrong, not
/// an error. (Mesa's `LP_MAX_TGSI_LOOP_ITERATIONS`; seen with Mesa 22.3.6: a sum over 65 535 iterations is right, one
/// over 65 536 is short, and three loops of 25 000 break off in the third.)
const SOFTWARE_LOOP_ITERATIONS: u64 = 65_535;

/// How a problem is computed: a WGSL template and its manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Identifier, for example `gemm/tiled-f32`.
    pub id: String,
    /// Problem, for example `gemm`.
    pub problem: String,
    /// Element type of the main operand.
    pub element: ElementType,
    /// One sentence on how it computes.
    pub summary: String,
    /// Features the shader needs.
    pub requires: BTreeSet<Feature>,
    /// How its source reaches the driver.
    pub translation: Translation,
    /// How much of its output is checked.
    pub scrutiny: Scrutiny,
    /// Tunable parameters by name.
    pub params: BTreeMap<String, Parameter>,
    /// SHA-256 of template and manifest as shipped, in hex.
    pub sha256: String,
    wgsl: String,
    manifest: Manifest,
}

/// A variant rendered for one shape, one set of parameters and one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// WGSL source.
    pub wgsl: String,
    /// Dispatches of one execution, in order.
    pub stages: Vec<RenderedStage>,
    /// Buffers that one stage leaves to the next, bound behind the problem's tensors.
    pub scratch: Vec<Scratch>,
    /// Largest workgroup memory of a stage in bytes.
    pub workgroup_memory_bytes: u32,
}

/// One dispatch of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedStage {
    /// Entry point.
    pub entry: String,
    /// Workgroups along x, y and z.
    pub workgroups: [u32; 3],
    /// Invocations of one workgroup along x, y and z.
    pub workgroup_size: [u32; 3],
}

/// A buffer that one stage leaves to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scratch {
    /// Name.
    pub name: String,
    /// Size in bytes, a multiple of 4.
    pub bytes: u64,
}

impl Variant {
    /// Reads a pair of files.
    pub fn parse(problem: &str, name: &str, wgsl: &str, manifest: &str) -> Result<Self, KernelError> {
        let id = format!("{problem}/{name}");
        let broken = |message: String| KernelError::Broken { id: id.clone(), message };
        let parsed = Manifest::parse(manifest).map_err(broken)?;
        if parsed.problem != problem {
            return Err(broken(format!("its manifest says problem = \"{}\"", parsed.problem)));
        }
        expression::environment()
            .template_from_named_str("wgsl", wgsl)
            .map_err(|error| broken(format!("{name}.wgsl: {error:#}")))?;
        let mut digest = Sha256::new().chain_update(wgsl).chain_update(manifest);
        for part in expression::parts_of(wgsl) {
            digest.update(part);
        }
        let digest = digest.finalize();
        Ok(Self {
            problem: parsed.problem.clone(),
            element: parsed.element,
            summary: parsed.summary.clone(),
            requires: parsed.requires.clone(),
            translation: parsed.translation,
            scrutiny: parsed.scrutiny,
            params: parsed.params.clone(),
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            wgsl: wgsl.to_owned(),
            manifest: parsed,
            id,
        })
    }

    /// Parameters for a device when nothing was tuned.
    pub fn default_params(&self, device: &Device) -> BTreeMap<String, u64> {
        self.params.iter().map(|(name, parameter)| (name.clone(), parameter.default_for(device))).collect()
    }

    /// Rank among the variants of its problem and element type on a device where nothing was tuned; the highest is chosen.
    pub fn preference(&self, device: &Device) -> u64 {
        self.manifest.preference.on(device)
    }

    /// The rank at a shape: 0 where the manifest says that the variant does not suit it.
    pub fn preference_at(&self, shape: &Shape, device: &Device) -> u64 {
        let suits = self.manifest.suits.as_deref().is_none_or(|suits| {
            let context = self.context(shape, &self.default_params(device), device);
            context.is_ok_and(|context| expression::truth(suits, &context).unwrap_or(false))
        });
        if suits { self.preference(device) } else { 0 }
    }

    /// Renders for a shape. Parameters that are not given take the device's defaults.
    pub fn render(
        &self,
        shape: &Shape,
        params: &BTreeMap<String, u64>,
        device: &Device,
    ) -> Result<Rendered, KernelError> {
        if let Some(feature) = self.requires.difference(&device.features).next() {
            return Err(KernelError::Feature { id: self.id.clone(), feature: *feature, device: device.name.clone() });
        }
        if let Some(need) = self.manifest.cooperative {
            let fits = |has: &CooperativeShape| {
                [has.m, has.n, has.k] == [need.size; 3] && (has.ab, has.c) == (need.ab, need.c)
            };
            if !device.cooperative.iter().any(fits) {
                let size = need.size;
                let matrices = format!("{size}x{size}x{size} matrices of {} with {} results", need.ab, need.c);
                return Err(KernelError::Cooperative { id: self.id.clone(), matrices, device: device.name.clone() });
            }
        }
        let failure = |message: String| KernelError::Template { id: self.id.clone(), shape: shape.clone(), message };
        let params = self.complete(params, device)?;
        let context = self.context(shape, &params, device)?;
        for constraint in &self.manifest.constraints {
            if !expression::truth(constraint, &context).map_err(failure)? {
                let pairs: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
                return Err(KernelError::Constraint {
                    id: self.id.clone(),
                    shape: shape.clone(),
                    params: pairs.join(" "),
                    constraint: constraint.clone(),
                });
            }
        }
        let dispatch = self.dispatch(shape, &context, device)?;
        let wgsl = expression::environment()
            .render_named_str(&self.id, &self.wgsl, &context)
            .map_err(|error| failure(error.to_string()))?;
        Ok(Rendered { wgsl, ..dispatch })
    }

    /// Given parameters, checked, with defaults for the others.
    fn complete(&self, given: &BTreeMap<String, u64>, device: &Device) -> Result<BTreeMap<String, u64>, KernelError> {
        let mut params = self.default_params(device);
        for (name, value) in given {
            let refuse =
                |reason| KernelError::Parameter { id: self.id.clone(), name: name.clone(), value: *value, reason };
            let Some(parameter) = self.params.get(name) else {
                let names: Vec<&str> = self.params.keys().map(String::as_str).collect();
                return Err(refuse(format!("its parameters are {}", names.join(", "))));
            };
            if !parameter.values().contains(value) {
                let values: Vec<String> = parameter.values().iter().map(u64::to_string).collect();
                return Err(refuse(format!("the candidates are {}", values.join(", "))));
            }
            params.insert(name.clone(), *value);
        }
        Ok(params)
    }

    /// Variables of the template: axes, parameters, the device's subgroup sizes, and what the manifest derives.
    fn context(&self, shape: &Shape, params: &BTreeMap<String, u64>, device: &Device) -> Result<Context, KernelError> {
        let failure = |message: String| KernelError::Template { id: self.id.clone(), shape: shape.clone(), message };
        shape.check().map_err(|error| failure(error.to_string()))?;
        let mut context: Context = params.clone();
        context.insert("subgroup_min".to_owned(), device.subgroup.min.into());
        context.insert("subgroup_max".to_owned(), device.subgroup.max.into());
        for (axis, extent) in shape.iter() {
            if extent > u64::from(u32::MAX) {
                return Err(self.limit(shape, "elements along one axis", extent, u32::MAX.into()));
            }
            context.insert(axis.to_owned(), extent);
        }
        for line in &self.manifest.derived {
            let (name, text) = split_derived(line).map_err(failure)?;
            let value = expression::number(text, &context).map_err(failure)?;
            context.insert(name.to_owned(), value);
        }
        Ok(context)
    }

    /// Everything but the source, within the device's limits.
    fn dispatch(&self, shape: &Shape, context: &Context, device: &Device) -> Result<Rendered, KernelError> {
        let failure = |message: String| KernelError::Template { id: self.id.clone(), shape: shape.clone(), message };
        let mut stages = Vec::with_capacity(self.manifest.stages.len());
        for stage in &self.manifest.stages {
            let wanted = stage.when.as_deref().map_or(Ok(true), |when| expression::truth(when, context));
            if wanted.map_err(failure)? {
                stages.push(self.stage(stage, shape, context, device)?);
            }
        }
        if stages.is_empty() {
            return Err(failure("none of its stages would run".to_owned()));
        }
        let mut scratch = Vec::with_capacity(self.manifest.scratch.len());
        for part in &self.manifest.scratch {
            let bytes = expression::number(&part.bytes, context).map_err(failure)?.max(4).next_multiple_of(4);
            scratch.push(Scratch { name: part.name.clone(), bytes });
        }
        let limits = &device.limits;
        let memory = self.manifest.workgroup_memory_bytes.as_deref().unwrap_or("0");
        let bytes = expression::number(memory, context).map_err(failure)?;
        self.within(shape, "bytes of workgroup memory", bytes, limits.max_workgroup_memory_bytes.into())?;
        if let (true, Some(text)) = (device.is_software(), &self.manifest.loop_iterations) {
            let iterations = expression::number(text, context).map_err(failure)?;
            let what = "loop iterations per invocation (a software adapter stops there without an error)";
            self.within(shape, what, iterations, SOFTWARE_LOOP_ITERATIONS)?;
        }
        // The limit is a 32-bit number, so nothing is cut off here.
        Ok(Rendered { wgsl: String::new(), stages, scratch, workgroup_memory_bytes: bytes as u32 })
    }

    fn stage(
        &self,
        stage: &StageManifest,
        shape: &Shape,
        context: &Context,
        device: &Device,
    ) -> Result<RenderedStage, KernelError> {
        let failure = |message: String| KernelError::Template { id: self.id.clone(), shape: shape.clone(), message };
        let evaluate = |expressions: &[String; 3]| -> Result<[u64; 3], KernelError> {
            let mut values = [1_u64; 3];
            for (value, text) in values.iter_mut().zip(expressions) {
                *value = expression::number(text, context).map_err(failure)?;
                if *value == 0 {
                    return Err(failure(format!("`{text}` is 0: nothing would run")));
                }
            }
            Ok(values)
        };
        let (size, grid) = (evaluate(&stage.workgroup)?, evaluate(&stage.grid)?);
        let limits = &device.limits;
        for (axis, limit) in size.iter().zip(limits.max_workgroup_size) {
            self.within(shape, "invocations along one side of a workgroup", *axis, limit.into())?;
        }
        let invocations = size.iter().copied().fold(1, u64::saturating_mul);
        self.within(shape, "invocations per workgroup", invocations, limits.max_invocations_per_workgroup.into())?;
        for groups in grid {
            let limit = limits.max_workgroups_per_dimension.into();
            self.within(shape, "workgroups along one dimension", groups, limit)?;
        }
        // The limits are 32-bit numbers, so nothing is cut off here.
        let [workgroup_size, workgroups] = [size, grid].map(|extents| extents.map(|extent| extent as u32));
        Ok(RenderedStage { entry: stage.entry.clone(), workgroups, workgroup_size })
    }

    fn within(&self, shape: &Shape, what: &'static str, needed: u64, limit: u64) -> Result<(), KernelError> {
        if needed > limit { Err(self.limit(shape, what, needed, limit)) } else { Ok(()) }
    }

    fn limit(&self, shape: &Shape, what: &'static str, needed: u64, limit: u64) -> KernelError {
        KernelError::Limit { id: self.id.clone(), shape: shape.clone(), what, needed, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceKind, DeviceLimits, SubgroupRange};

    const WGSL: &str = "{% for i in range(BX) %}\nlet v{{ i }} = {{ m }}u;\n{% endfor %}\n";
    const MANIFEST: &str = r#"
problem = "gemm"
element = "f32"
summary = "for tests"
entry = "main"
derived = ["tiles = ceil_div(m, BX)"]
constraints = ["BX % 2 == 0 or m == 1"]
workgroup = ["BX", "1", "1"]
grid = ["tiles", "1", "1"]
workgroup_memory_bytes = "BX * 4"
loop_iterations = "m // BX"
[params.BX]
default = 4
candidates = [2, 3, 4, 64]
software = 2
nvidia = 64
"#;

    fn device(kind: DeviceKind, vendor_id: u32) -> Device {
        Device {
            ordinal: 0,
            name: "Test GPU".to_owned(),
            vendor_id,
            device_id: 0,
            kind,
            backend: "vulkan".to_owned(),
            driver: String::new(),
            driver_info: String::new(),
            pci: None,
            subgroup: SubgroupRange { min: 32, max: 32 },
            features: BTreeSet::new(),
            limits: DeviceLimits {
                max_buffer_bytes: 1 << 30,
                max_binding_bytes: 1 << 30,
                max_workgroup_memory_bytes: 200,
                max_invocations_per_workgroup: 60,
                max_workgroup_size: [64, 64, 64],
                max_workgroups_per_dimension: 65_535,
                max_storage_buffers: 8,
            },
            timestamp_period_ns: None,
            cooperative: Vec::new(),
        }
    }

    fn variant(from: &str, to: &str) -> Variant {
        assert!(MANIFEST.contains(from));
        Variant::parse("gemm", "test", WGSL, &MANIFEST.replace(from, to)).unwrap()
    }

    fn render(variant: &Variant, m: u64, bx: u64) -> Result<Rendered, KernelError> {
        let params = BTreeMap::from([("BX".to_owned(), bx)]);
        variant.render(&Shape::new([("m", m)]), &params, &device(DeviceKind::Discrete, 0))
    }

    #[test]
    fn a_template_is_unrolled_for_its_shape_and_parameters() {
        let rendered = render(&variant("", ""), 9, 2).unwrap();
        assert_eq!(rendered.wgsl, "let v0 = 9u;\nlet v1 = 9u;\n");
        let [stage] = rendered.stages.as_slice() else { panic!("{rendered:?}") };
        assert_eq!((stage.workgroups, stage.workgroup_size), ([5, 1, 1], [2, 1, 1]));
        assert_eq!(rendered.workgroup_memory_bytes, 8);
    }

    #[test]
    fn defaults_go_by_class_then_vendor_then_the_general_one() {
        let variant = variant("", "");
        let default = |kind, vendor| variant.default_params(&device(kind, vendor))["BX"];
        assert_eq!(default(DeviceKind::Software, 0x10de), 2);
        assert_eq!(default(DeviceKind::Discrete, 0x10de), 64);
        assert_eq!(default(DeviceKind::Discrete, 0x1002), 4);
    }

    #[test]
    fn limits_name_what_is_needed_and_what_there_is() {
        let limit = |result: Result<Rendered, KernelError>| match result {
            Err(KernelError::Limit { what, needed, limit, .. }) => (what, needed, limit),
            other => panic!("{other:?}"),
        };
        assert_eq!(limit(render(&variant("", ""), 64, 64)), ("invocations per workgroup", 64, 60));
        assert_eq!(limit(render(&variant("", ""), 300_000, 4)), ("workgroups along one dimension", 75_000, 65_535));
        let hungry = variant("BX * 4", "BX * 64");
        assert_eq!(limit(render(&hungry, 64, 4)), ("bytes of workgroup memory", 256, 200));
        assert_eq!(limit(render(&variant("", ""), 1 << 33, 4)).1, 1 << 33);
        let message = render(&hungry, 64, 4).unwrap_err().to_string();
        assert_eq!(message, "gemm/test for m=64 needs 256 bytes of workgroup memory; the limit is 200");
    }

    #[test]
    fn loops_that_a_software_adapter_would_cut_short_are_refused_there_and_only_there() {
        let looping = variant("\"tiles\"", "\"1\"");
        let result = |kind, m| looping.render(&Shape::new([("m", m)]), &BTreeMap::new(), &device(kind, 0));
        assert!(result(DeviceKind::Software, 65_535 * 2).is_ok());
        let error = result(DeviceKind::Software, 65_536 * 2).unwrap_err();
        assert!(matches!(error, KernelError::Limit { needed: 65_536, limit: 65_535, .. }), "{error}");
        assert!(result(DeviceKind::Discrete, 65_536 * 4).is_ok());
    }

    #[test]
    fn bad_parameters_constraints_and_features_are_refused_with_the_reason() {
        let message = |result: Result<Rendered, KernelError>| result.unwrap_err().to_string();
        assert!(message(render(&variant("", ""), 9, 5)).contains("candidates are 2, 3, 4, 64"));
        assert!(message(render(&variant("", ""), 9, 3)).contains("BX % 2 == 0 or m == 1"));
        assert!(render(&variant("", ""), 1, 3).is_ok());
        assert!(
            message(render(&variant("entry =", "requires = [\"subgroup\"]\nentry ="), 9, 2)).contains("needs subgroup")
        );
        let unknown = BTreeMap::from([("BZ".to_owned(), 1)]);
        let error = variant("", "").render(&Shape::default(), &unknown, &device(DeviceKind::Discrete, 0)).unwrap_err();
        assert!(error.to_string().contains("its parameters are BX"));
    }

    #[test]
    fn a_shape_without_an_axis_of_the_template_says_so() {
        let error = variant("", "").render(&Shape::default(), &BTreeMap::new(), &device(DeviceKind::Discrete, 0));
        assert!(error.unwrap_err().to_string().contains("ceil_div(m, BX)"));
    }

    #[test]
    fn a_rank_counts_only_at_the_shapes_that_it_suits() {
        let ranked = "suits = \"m > 2 * BX\"\npreference = { default = 7, software = 9 }\nentry = \"main\"";
        let variant = Variant::parse("gemm", "test", WGSL, &MANIFEST.replace("entry = \"main\"", ranked)).unwrap();
        let rank = |m: u64, kind| variant.preference_at(&Shape::new([("m", m)]), &device(kind, 0));
        assert_eq!((rank(8, DeviceKind::Discrete), rank(9, DeviceKind::Discrete)), (0, 7));
        assert_eq!((rank(4, DeviceKind::Software), rank(5, DeviceKind::Software)), (0, 9));
        assert_eq!(variant.preference_at(&Shape::default(), &device(DeviceKind::Discrete, 0)), 0, "no such axis");
        assert_eq!(variant.preference(&device(DeviceKind::Discrete, 0)), 7);
    }

    #[test]
    fn the_hash_covers_both_files() {
        let original = Variant::parse("gemm", "test", WGSL, MANIFEST).unwrap();
        let manifest = Variant::parse("gemm", "test", WGSL, &MANIFEST.replace("for tests", "for the tests")).unwrap();
        let wgsl = Variant::parse("gemm", "test", &WGSL.replace("v{{", "w{{"), MANIFEST).unwrap();
        assert_eq!(original.sha256.len(), 64);
        assert!(original.sha256 != manifest.sha256 && original.sha256 != wgsl.sha256);
    }

    #[test]
    fn a_template_that_does_not_parse_or_a_manifest_in_the_wrong_folder_breaks_only_its_own_variant() {
        let broken = |problem, wgsl| Variant::parse(problem, "test", wgsl, MANIFEST).unwrap_err().to_string();
        assert!(broken("gemm", "{% for %}").contains("test.wgsl"));
        assert!(broken("gemv", WGSL).contains("problem = \"gemm\""));
    }
}
