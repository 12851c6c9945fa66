//! Every shader as SPIR-V, given to the reference validator `spirv-val` of spirv-tools.
//!
//! Drivers forgive what the validator does not, and not all alike. The validator runs where WATTMARK_SPIRV_VAL names it, which
//! `make test` sees to (and says so where it cannot); without it, naga's own validation is all that is checked. What
//! surprises people: each candidate of each tunable parameter is another shader.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use naga::back::spv;
use naga::proc::BoundsCheckPolicies;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use wattmark::gpu::spirv;
use wattmark::kernel::{Variant, variants};
use wattmark::model::{
    CooperativeShape, Device, DeviceKind, DeviceLimits, Feature, Scalar, Shape, SubgroupRange, Translation,
};
use wattmark::workload::{DeviceClass, problem};

/// What a validator older than cooperative matrices says of any module that has them: it reads no further.
const MATRICES_UNKNOWN: &str = "Invalid capability operand: 6022";

/// A device on which every variant fits.
fn device() -> Device {
    Device {
        ordinal: 0,
        name: "everything".into(),
        vendor_id: 0,
        device_id: 0,
        kind: DeviceKind::Discrete,
        backend: "vulkan".into(),
        driver: String::new(),
        driver_info: String::new(),
        pci: None,
        subgroup: SubgroupRange { min: 32, max: 32 },
        features: BTreeSet::from([
            Feature::F16,
            Feature::F64,
            Feature::I64,
            Feature::Subgroup,
            Feature::Timestamps,
            Feature::CooperativeMatrix,
            Feature::Passthrough,
        ]),
        limits: DeviceLimits {
            max_buffer_bytes: 1 << 38,
            max_binding_bytes: 1 << 38,
            max_workgroup_memory_bytes: 1 << 16,
            max_invocations_per_workgroup: 1024,
            max_workgroup_size: [1024, 1024, 64],
            max_workgroups_per_dimension: 65535,
            max_storage_buffers: 32,
        },
        timestamp_period_ns: Some(1.0),
        cooperative: [8, 16]
            .into_iter()
            .flat_map(|size| {
                let types = [(Scalar::F16, Scalar::F16), (Scalar::F16, Scalar::F32), (Scalar::F32, Scalar::F32)];
                types.map(|(ab, c)| CooperativeShape { m: size, n: size, k: size, ab, c })
            })
            .collect(),
    }
}

/// The parameter sets that differ from the defaults in at most one parameter, with the defaults first.
fn parameter_sets(variant: &Variant, device: &Device) -> Vec<BTreeMap<String, u64>> {
    let defaults = variant.default_params(device);
    let mut sets = vec![defaults.clone()];
    for (name, parameter) in &variant.params {
        for value in parameter.values().into_iter().filter(|value| defaults.get(name) != Some(value)) {
            let mut set = defaults.clone();
            set.insert(name.clone(), value);
            sets.push(set);
        }
    }
    sets
}

/// SPIR-V of a shader, written as wgpu writes it for a trusted module: without bounds checks.
fn translate(wgsl: &str) -> Result<Vec<u8>, String> {
    let module = naga::front::wgsl::parse_str(wgsl).map_err(|error| error.emit_to_string(wgsl))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|error| error.emit_to_string(wgsl))?;
    let options = spv::Options {
        lang_version: (1, 3),
        bounds_check_policies: BoundsCheckPolicies::default(),
        force_loop_bounding: false,
        ..spv::Options::default()
    };
    let words = spv::write_vec(&module, &info, &options, None).map_err(|error| error.to_string())?;
    Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
}

/// Types that pointers of a storage class lead to, with the types that these are made of.
fn reached<'a>(instructions: &[&'a [u32]], storage_class: u32) -> BTreeSet<u32> {
    let opcode = |words: &[u32]| words[0] & 0xffff;
    let (mut found, mut open) = (BTreeSet::new(), Vec::new());
    // OpTypePointer: id, storage class, type.
    open.extend(
        instructions.iter().filter(|words| opcode(words) == 32 && words[2] == storage_class).map(|words| words[3]),
    );
    while let Some(id) = open.pop() {
        if found.insert(id) {
            let declares = |words: &&&'a [u32]| (28..=30).contains(&opcode(words)) && words[1] == id;
            for words in instructions.iter().filter(declares) {
                // OpTypeArray and OpTypeRuntimeArray have one type, OpTypeStruct has only types.
                open.extend(if opcode(words) == 30 { &words[2..] } else { &words[2..3] });
            }
        }
    }
    found
}

/// The module without the strides and offsets that naga gives to types of workgroup memory too: drivers ignore them there,
/// validators since 2025 object and look no further.
fn without_workgroup_layout(spirv: &[u8]) -> Vec<u8> {
    let words: Vec<u32> = spirv.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let (mut instructions, mut rest) = (Vec::new(), words.get(5..).unwrap_or_default());
    while let Some(length) =
        rest.first().map(|first| (first >> 16) as usize).filter(|len| (1..=rest.len()).contains(len))
    {
        let (instruction, behind) = rest.split_at(length);
        instructions.push(instruction);
        rest = behind;
    }
    let buffers = reached(&instructions, 12);
    let workgroup = reached(&instructions, 4);
    let only = |id: u32| workgroup.contains(&id) && !buffers.contains(&id);
    // OpDecorate with ArrayStride, OpMemberDecorate with Offset.
    let is_layout = |words: &[u32]| match words[0] & 0xffff {
        71 => words[2] == 6 && only(words[1]),
        72 => words[3] == 35 && only(words[1]),
        _ => false,
    };
    let kept = instructions.iter().filter(|words| !is_layout(words)).flat_map(|words| words.iter());
    let header = words.iter().take(5);
    header.chain(kept).chain(rest).flat_map(|word| word.to_le_bytes()).collect()
}

/// What the validator says against a module; `None` when it is content.
fn objection(validator: &str, spirv: &[u8], folder: &Path) -> Option<String> {
    let file = folder.join("shader.spv");
    if let Err(error) = std::fs::write(&file, without_workgroup_layout(spirv)) {
        return Some(format!("cannot write {}: {error}", file.display()));
    }
    match Command::new(validator).args(["--target-env", "vulkan1.2"]).arg(&file).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()),
        Err(error) => Some(format!("cannot run {validator}: {error}")),
    }
}

#[test]
fn every_shader_with_every_candidate_of_its_parameters_is_valid_spirv() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let validator = std::env::var("WATTMARK_SPIRV_VAL").ok();
    let (mut shaders, mut patched, mut unknown, mut refused, mut failures) = (0, 0, 0, 0, Vec::new());
    for variant in variants() {
        let shape: Shape = problem(&variant.problem).unwrap().default_shape(DeviceClass::Hardware);
        for (number, params) in parameter_sets(variant, &device).into_iter().enumerate() {
            let rendered = match variant.render(&shape, &params, &device) {
                Ok(rendered) => rendered,
                // A candidate may be ruled out by a constraint of the manifest; the defaults may not.
                Err(_) if number > 0 => {
                    refused += 1;
                    continue;
                }
                Err(error) => panic!("{}: {error}", variant.id),
            };
            shaders += 1;
            let translated = match variant.translation {
                Translation::Trusted => translate(&rendered.wgsl),
                Translation::PatchedSpirv => {
                    patched += 1;
                    spirv::translate(&rendered.wgsl)
                        .map(|words| words.iter().flat_map(|word| word.to_le_bytes()).collect())
                }
            };
            let said = match (translated, &validator) {
                (Ok(spirv), Some(validator)) => objection(validator, &spirv, folder.path()),
                (Ok(_), None) => None,
                (Err(error), _) => Some(error),
            };
            match said {
                Some(said) if said.contains(MATRICES_UNKNOWN) => unknown += 1,
                said => failures.extend(said.map(|said| format!("{} {params:?}: {said}", variant.id))),
            }
        }
    }
    println!(
        "{shaders} shaders, {patched} of them patched, {refused} candidates ruled out, validator: {}",
        validator.as_deref().unwrap_or("none")
    );
    if unknown > 0 {
        println!(
            "{unknown} shaders with matrices went by naga's validation alone: this spirv-val knows none (2025.5 does)"
        );
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(shaders >= variants().len() && patched > 0);
}

#[test]
fn the_validator_objects_to_what_is_not_spirv() {
    let Ok(validator) = std::env::var("WATTMARK_SPIRV_VAL") else { return };
    let folder = tempfile::tempdir().unwrap();
    assert!(objection(&validator, &[0; 20], folder.path()).is_some());
    assert!(objection("/nowhere/spirv-val", &[0; 20], folder.path()).unwrap().contains("cannot run"));
}
