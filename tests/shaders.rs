//! Every shipped shader, rendered for aligned and ragged shapes and for every parameter value, is valid WGSL with the
//! interface that the problem table states. Whether it computes the right numbers is tested on a device, elsewhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test outside `#[test]` functions fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess};
use wattmark::kernel::{self, KernelError, Rendered, Variant};
use wattmark::model::{Device, DeviceKind, DeviceLimits, ElementType, Feature, Shape, SubgroupRange};

/// Number of bindings (the last is the output), and shapes: aligned to every tile first, then ragged in every way.
fn interface(problem: &str) -> (u32, &'static [&'static str]) {
    match problem {
        "fma" => (2, &["n=1048576,steps=4096", "n=4100,steps=19", "n=1003,steps=33", "n=1,steps=1"]),
        "memory-read" => {
            (2, &["n=67108864,lanes=262144", "n=1000004,lanes=1000", "n=1000003,lanes=4096", "n=3,lanes=5"])
        }
        "memory-copy" => (2, &["n=67108864", "n=1000004", "n=1000003", "n=1"]),
        "memory-triad" => (3, &["n=67108864", "n=1000004", "n=1000003", "n=1"]),
        "gemm" => (3, &["m=n=k=1024", "m=33,n=17,k=129", "m=130,n=132,k=66", "m=n=k=1"]),
        "gemv" => (3, &["m=k=4096", "m=1001,k=65", "m=65,k=1000", "m=k=1"]),
        "rmsnorm" => (3, &["rows=4096,cols=4096", "rows=65,cols=1000", "rows=33,cols=65", "rows=cols=1"]),
        "softmax" => (2, &["rows=4096,cols=4096", "rows=65,cols=1000", "rows=33,cols=65", "rows=cols=1"]),
        "attention-prefill" => (
            4,
            &[
                "batch=1,heads=32,kv_heads=8,seq=512,dim=128",
                "batch=2,heads=6,kv_heads=2,seq=77,dim=80",
                "batch=1,heads=3,kv_heads=3,seq=33,dim=33",
                "batch=1,heads=1,kv_heads=1,seq=1,dim=1",
            ],
        ),
        "attention-decode" => (
            4,
            &[
                "batch=8,heads=32,kv_heads=8,context=2048,dim=128",
                "batch=3,heads=9,kv_heads=3,context=1003,dim=80",
                "batch=1,heads=3,kv_heads=3,context=33,dim=33",
                "batch=1,heads=1,kv_heads=1,context=1,dim=1",
            ],
        ),
        "swiglu" => (4, &["tokens=512,d=1024,f=2816", "tokens=33,d=129,f=17", "tokens=130,d=66,f=132", "tokens=d=f=1"]),
        other => panic!("problem {other} has no line in this table: add its bindings and shapes"),
    }
}

fn device(kind: DeviceKind) -> Device {
    Device {
        ordinal: 0,
        name: kind.to_string(),
        vendor_id: 0,
        device_id: 0,
        kind,
        backend: "vulkan".to_owned(),
        driver: String::new(),
        driver_info: String::new(),
        pci: None,
        subgroup: if kind == DeviceKind::Software {
            SubgroupRange { min: 8, max: 8 }
        } else {
            SubgroupRange { min: 32, max: 32 }
        },
        features: BTreeSet::from([Feature::F16, Feature::I64, Feature::Subgroup]),
        limits: DeviceLimits {
            max_buffer_bytes: 1 << 31,
            max_binding_bytes: 1 << 31,
            max_workgroup_memory_bytes: 48 << 10,
            max_invocations_per_workgroup: 1024,
            max_workgroup_size: [1024, 1024, 64],
            max_workgroups_per_dimension: 65_535,
            max_storage_buffers: 8,
        },
        timestamp_period_ns: None,
    }
}

/// A device's defaults, and these with one parameter moved to each of its values.
fn parameter_sets(variant: &Variant, device: &Device) -> BTreeSet<BTreeMap<String, u64>> {
    let defaults = variant.default_params(device);
    let mut sets = BTreeSet::new();
    for (name, parameter) in &variant.params {
        for value in parameter.values() {
            let mut set = defaults.clone();
            set.insert(name.clone(), value);
            sets.insert(set);
        }
    }
    sets.insert(defaults);
    sets
}

fn check(variant: &Variant, rendered: &Rendered, label: &str) {
    let wgsl = &rendered.wgsl;
    for leftover in ["{{", "}}", "{%", "%}", "{#"] {
        assert!(!wgsl.contains(leftover), "{label}: `{leftover}` is left in the rendered source");
    }
    assert_eq!(wgsl.contains("enable f16;"), variant.element == ElementType::F16, "{label}: enable f16");
    let module =
        naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(wgsl)));
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(wgsl)));

    assert_eq!(module.entry_points.len(), 1, "{label}: entry points");
    let entry = &module.entry_points[0];
    assert_eq!((&entry.name, entry.workgroup_size), (&rendered.entry, rendered.workgroup_size), "{label}");

    let (bindings, _) = interface(&variant.problem);
    let mut seen = BTreeMap::new();
    let mut workgroup_bytes = 0;
    for (_, variable) in module.global_variables.iter() {
        match variable.space {
            AddressSpace::Storage { access } => {
                let binding = variable.binding.unwrap_or_else(|| panic!("{label}: a buffer without a binding"));
                assert_eq!(binding.group, 0, "{label}: group of binding {}", binding.binding);
                seen.insert(binding.binding, access);
            }
            AddressSpace::WorkGroup => workgroup_bytes += module.types[variable.ty].inner.size(module.to_ctx()),
            other => panic!("{label}: a variable in {other:?}"),
        }
    }
    let expected: BTreeMap<u32, StorageAccess> = (0..bindings)
        .map(|i| (i, if i + 1 == bindings { StorageAccess::LOAD | StorageAccess::STORE } else { StorageAccess::LOAD }))
        .collect();
    assert_eq!(seen, expected, "{label}: bindings and their access");
    assert_eq!(workgroup_bytes, rendered.workgroup_memory_bytes, "{label}: workgroup memory that the manifest states");
}

/// Renders and checks every parameter set of both device classes at the aligned shape and at one of the ragged ones in
/// turn; returns how many were checked. (Defaults are rendered at every shape below; all sets at all shapes take naga a
/// minute.)
fn check_all(variant: &Variant) -> usize {
    let (_, shapes) = interface(&variant.problem);
    let devices = [DeviceKind::Software, DeviceKind::Discrete].map(device);
    let sets =
        devices.iter().flat_map(|device| parameter_sets(variant, device).into_iter().map(move |set| (device, set)));
    let mut checked = 0;
    for (i, (device, params)) in sets.enumerate() {
        for shape in [shapes[0], shapes[1 + i % (shapes.len() - 1)]] {
            let label = format!("{} {shape} {params:?}", variant.id);
            let parsed: Shape = shape.parse().unwrap();
            match variant.render(&parsed, &params, device) {
                Ok(rendered) => {
                    check(variant, &rendered, &label);
                    checked += 1;
                }
                Err(KernelError::Constraint { .. } | KernelError::Limit { .. }) => {}
                Err(error) => panic!("{label}: {error}"),
            }
        }
    }
    checked
}

#[test]
fn every_pair_renders_to_valid_wgsl_for_every_shape_and_parameter_value() {
    assert!(kernel::broken().is_empty(), "{:?}", kernel::broken());
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            kernel::variants().iter().map(|variant| (variant, scope.spawn(|| check_all(variant)))).collect();
        for (variant, worker) in workers {
            let checked = worker.join().unwrap_or_else(|_| panic!("{} failed, see above", variant.id));
            assert!(checked >= 8, "{}: only {checked} combinations could be rendered", variant.id);
        }
    });
}

#[test]
fn the_defaults_of_both_device_classes_render_at_every_shape() {
    for variant in kernel::variants() {
        for kind in [DeviceKind::Software, DeviceKind::Discrete] {
            let mut device = device(kind);
            // What software adapters and the smallest of the usual GPUs have.
            device.limits.max_workgroup_memory_bytes = 32 << 10;
            for shape in interface(&variant.problem).1 {
                let label = format!("{} {shape} on {kind}", variant.id);
                let rendered = variant.render(&shape.parse().unwrap(), &BTreeMap::new(), &device);
                check(variant, &rendered.unwrap_or_else(|error| panic!("{label}: {error}")), &label);
            }
        }
    }
}

#[test]
fn an_aligned_shape_has_no_guards() {
    for (kind, id, shape) in [
        (DeviceKind::Software, "gemm/subgroup-f32", "m=n=k=1024"),
        (DeviceKind::Discrete, "gemm/tiled-f32", "m=n=k=1024"),
        (DeviceKind::Discrete, "gemm/shared-f32", "m=n=k=1024"),
        (DeviceKind::Discrete, "memory-triad/direct-f32", "n=67108864"),
        (DeviceKind::Discrete, "memory-triad/wide-f32", "n=67108864"),
        (DeviceKind::Discrete, "fma/chains-f32", "n=1048576,steps=4096"),
    ] {
        let variant = kernel::find(id).unwrap();
        let source =
            |shape: &str| variant.render(&shape.parse().unwrap(), &BTreeMap::new(), &device(kind)).unwrap().wgsl;
        assert!(!source(shape).contains("min("), "{id} clamps an index at {shape}");
        assert!(!source(shape).contains("return;"), "{id} guards a store at {shape}");
    }
}

#[test]
fn the_contracted_variants_are_all_there() {
    let expected = [
        "attention-decode/online-f32",
        "attention-prefill/online-f32",
        "fma/chains-f16",
        "fma/chains-f32",
        "gemm/naive-f32",
        "gemm/shared-f32",
        "gemm/subgroup-f32",
        "gemm/tiled-f32",
        "gemv/rows-f16",
        "gemv/rows-f32",
        "gemv/subgroup-f32",
        "memory-copy/direct-f32",
        "memory-copy/wide-f32",
        "memory-read/strided-f32",
        "memory-read/wide-f32",
        "memory-triad/direct-f32",
        "memory-triad/wide-f32",
        "rmsnorm/rows-f32",
        "rmsnorm/subgroup-f32",
        "softmax/rows-f32",
        "softmax/subgroup-f32",
        "swiglu/tiled-f32",
    ];
    let ids: Vec<&str> = kernel::variants().iter().map(|variant| &*variant.id).collect();
    for id in expected {
        assert!(ids.contains(&id), "{id} is missing");
    }
    assert!(ids.iter().all(|id| id.ends_with("-f32") || id.ends_with("-f16")), "a name ends in its element type");
}
