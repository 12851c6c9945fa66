//! Every shipped shader, rendered for aligned and ragged shapes and for every parameter value, is valid WGSL with the
//! interface that the problem table states. Whether it computes the right numbers is tested on a device, elsewhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test outside `#[test]` functions fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess};
use wattmark::kernel::{self, KernelError, Rendered, Variant};
use wattmark::model::{CooperativeShape, Device, DeviceKind, DeviceLimits, Feature, Scalar, Shape, SubgroupRange};
use wattmark::workload::{TensorRole, problem};

/// Shapes: aligned to every tile first, then ragged in every way.
fn shapes(problem: &str) -> &'static [&'static str] {
    match problem {
        "fma" => &["n=1048576,steps=4096", "n=4100,steps=19", "n=1003,steps=33", "n=1,steps=1"],
        "matrix-fma" => &["n=262144,steps=512", "n=48,steps=63", "n=1048576,steps=2", "n=16,steps=1"],
        "memory-read" => &["n=67108864,lanes=262144", "n=1000004,lanes=1000", "n=1000003,lanes=4096", "n=3,lanes=5"],
        "dot4" => &["n=1048576,steps=4096", "n=4100,steps=19", "n=1003,steps=33", "n=1,steps=1"],
        "memory-write" => &["n=67108864", "n=1000004", "n=1000003", "n=1"],
        "memory-dot" => &["n=67108864,lanes=262144", "n=1000004,lanes=1000", "n=1000003,lanes=4096", "n=3,lanes=5"],
        "memory-copy" => &["n=67108864", "n=1000004", "n=1000003", "n=1"],
        "memory-triad" => &["n=67108864", "n=1000004", "n=1000003", "n=1"],
        "gemm" => &["m=n=k=1024", "m=33,n=17,k=129", "m=130,n=132,k=66", "m=9,n=6,k=20003", "m=n=k=1"],
        "gemm-batched" => &[
            "batch=8,m=n=k=512",
            "batch=3,m=33,n=17,k=129",
            "batch=70000,m=2,n=3,k=5",
            "batch=2,m=130,n=132,k=66",
            "batch=m=n=k=1",
        ],
        "conv2d" => &[
            "batch=8,channels=64,height=32,width=32,filters=128,kernel=3,stride=1,pad=1",
            "batch=3,channels=5,height=19,width=17,filters=33,kernel=3,stride=2,pad=1",
            "batch=1,channels=3,height=224,width=224,filters=64,kernel=7,stride=2,pad=3",
            "batch=2,channels=64,height=7,width=7,filters=36,kernel=1,stride=1,pad=0",
            "batch=channels=height=width=filters=kernel=stride=1,pad=0",
        ],
        "gemv" => &["m=k=4096", "m=1001,k=65", "m=65,k=1000", "m=k=1", "m=1001,k=2304", "m=3,k=32"],
        "rmsnorm" => &["rows=4096,cols=4096", "rows=65,cols=1000", "rows=33,cols=65", "rows=cols=1"],
        "layernorm" => &["rows=4096,cols=4096", "rows=65,cols=1000", "rows=33,cols=65", "rows=cols=1"],
        "embedding" => &[
            "vocab=32000,dim=4096,tokens=512",
            "vocab=97,dim=36,tokens=1001",
            "vocab=5,dim=67,tokens=33",
            "vocab=dim=tokens=1",
        ],
        "rope-append" => &[
            "batch=2,heads=32,kv_heads=8,tokens=512,dim=128,start=100",
            "batch=3,heads=7,kv_heads=3,tokens=11,dim=36,start=9",
            "batch=1,heads=3,kv_heads=5,tokens=1,dim=66,start=1",
            "batch=heads=kv_heads=tokens=start=1,dim=2",
        ],
        "silu-mul" | "gelu" | "add" => &["n=67108864", "n=1000004", "n=1000003", "n=1"],
        "softmax" => &["rows=4096,cols=4096", "rows=65,cols=1000", "rows=33,cols=65", "rows=cols=1"],
        "attention-prefill" => &[
            "batch=1,heads=32,kv_heads=8,seq=512,dim=128",
            "batch=2,heads=6,kv_heads=2,seq=77,dim=80",
            "batch=1,heads=3,kv_heads=3,seq=33,dim=33",
            "batch=1,heads=1,kv_heads=1,seq=1,dim=1",
        ],
        "attention-decode" => &[
            "batch=8,heads=32,kv_heads=8,context=2048,dim=128",
            "batch=3,heads=9,kv_heads=3,context=1003,dim=80",
            "batch=1,heads=3,kv_heads=3,context=33,dim=33",
            "batch=1,heads=1,kv_heads=1,context=1,dim=1",
        ],
        "transformer-layer" => &[
            "batch=1,tokens=512,context=512,d=2048,heads=32,kv_heads=8,dim=64,f=8192",
            "batch=2,tokens=1,context=4000,d=576,heads=9,kv_heads=3,dim=64,f=1536",
            "batch=3,tokens=5,context=9,d=66,heads=6,kv_heads=2,dim=18,f=130",
            "batch=1,tokens=1,context=1,d=1,heads=1,kv_heads=1,dim=2,f=1",
        ],
        "swiglu" => &["tokens=512,d=1024,f=2816", "tokens=33,d=129,f=17", "tokens=130,d=66,f=132", "tokens=d=f=1"],
        other => panic!("problem {other} has no line in this table: add its shapes"),
    }
}

/// Variants that take only shapes of whole matrices.
const WHOLE: [&str; 2] = ["gemm/coop-direct", "attention-prefill/coop"];

/// The shapes that a variant's element type can have; the first is aligned.
fn fitting(variant: &Variant) -> Vec<&'static str> {
    let problem = problem(&variant.problem).unwrap();
    let fits = |shape: &&str| problem.check_for(&shape.parse().unwrap(), variant.element).is_ok();
    let fitting: Vec<&str> = shapes(&variant.problem).iter().copied().filter(fits).collect();
    assert!(fitting.len() > 1 && fitting[0] == shapes(&variant.problem)[0], "{}: {fitting:?}", variant.id);
    fitting
}

const EVERY_FEATURE: [Feature; 7] = [
    Feature::F16,
    Feature::F64,
    Feature::I64,
    Feature::Subgroup,
    Feature::Timestamps,
    Feature::CooperativeMatrix,
    Feature::Passthrough,
];

/// The matrices of every device that WGSL reaches.
fn every_matrix() -> Vec<CooperativeShape> {
    let types = [(Scalar::F16, Scalar::F16), (Scalar::F16, Scalar::F32), (Scalar::F32, Scalar::F32)];
    let square = |size: u32| types.map(|(ab, c)| CooperativeShape { m: size, n: size, k: size, ab, c });
    [square(8), square(16)].concat()
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
        features: EVERY_FEATURE.into(),
        limits: DeviceLimits {
            max_buffer_bytes: 1 << 31,
            max_binding_bytes: 1 << 31,
            max_workgroup_memory_bytes: 48 << 10,
            max_invocations_per_workgroup: 1024,
            max_workgroup_size: [1024, 1024, 64],
            max_workgroups_per_dimension: 65_535,
            max_storage_buffers: 32,
        },
        timestamp_period_ns: None,
        cooperative: every_matrix(),
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

fn check(variant: &Variant, shape: &Shape, rendered: &Rendered, label: &str) {
    let wgsl = &rendered.wgsl;
    for leftover in ["{{", "}}", "{%", "%}", "{#"] {
        assert!(!wgsl.contains(leftover), "{label}: `{leftover}` is left in the rendered source");
    }
    assert_eq!(wgsl.contains("enable f16;"), variant.requires.contains(&Feature::F16), "{label}: enable f16");
    let module =
        naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(wgsl)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(wgsl)));

    for stage in &rendered.stages {
        let entry = module.entry_points.iter().find(|entry| entry.name == stage.entry);
        let entry = entry.unwrap_or_else(|| panic!("{label}: no entry point {}", stage.entry));
        assert_eq!(entry.workgroup_size, stage.workgroup_size, "{label}: workgroup of {}", stage.entry);
    }
    check_buffers(variant, shape, rendered, &module, label);
    let used =
        |index: usize, handle: naga::Handle<naga::GlobalVariable>| !info.get_entry_point(index)[handle].is_empty();
    let memory = |index: usize| -> u32 {
        let own = module
            .global_variables
            .iter()
            .filter(|(handle, variable)| variable.space == AddressSpace::WorkGroup && used(index, *handle));
        own.map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx())).sum()
    };
    let dispatched = |name: &str| rendered.stages.iter().any(|stage| stage.entry == name);
    let entries = module.entry_points.iter().enumerate().filter(|(_, entry)| dispatched(&entry.name));
    let largest = entries.map(|(index, _)| memory(index)).max();
    assert_eq!(largest, Some(rendered.workgroup_memory_bytes), "{label}: workgroup memory that the manifest states");
}

/// Tensors are bound in their order with their access, and scratch memory behind them.
fn check_buffers(variant: &Variant, shape: &Shape, rendered: &Rendered, module: &naga::Module, label: &str) {
    let tensors = problem(&variant.problem).unwrap().tensors(shape, variant.element);
    let count = u32::try_from(tensors.len()).unwrap();
    let mut seen = BTreeSet::new();
    for (_, variable) in module.global_variables.iter() {
        match variable.space {
            AddressSpace::Storage { access } => {
                let binding = variable.binding.unwrap_or_else(|| panic!("{label}: a buffer without a binding"));
                assert_eq!(binding.group, 0, "{label}: group of binding {}", binding.binding);
                let tensor = tensors.get(binding.binding as usize);
                let scratch = binding.binding - count.min(binding.binding);
                assert!(tensor.is_some() || (scratch as usize) < rendered.scratch.len(), "{label}: {binding:?}");
                let read_only = tensor.is_some_and(|tensor| tensor.role == TensorRole::Input);
                let expected = if read_only { StorageAccess::LOAD } else { StorageAccess::LOAD | StorageAccess::STORE };
                assert_eq!(access, expected, "{label}: access of binding {}", binding.binding);
                seen.insert(binding.binding);
            }
            AddressSpace::WorkGroup => {}
            other => panic!("{label}: a variable in {other:?}"),
        }
    }
    assert!((0..count).all(|binding| seen.contains(&binding)), "{label}: not every tensor is bound: {seen:?}");
}

/// Renders and checks every parameter set of both device classes at the aligned shape and at one of the ragged ones in
/// turn; returns how many were checked. (Defaults are rendered at every shape below; all sets at all shapes take naga a
/// minute.)
fn check_all(variant: &Variant) -> usize {
    let shapes = fitting(variant);
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
                    check(variant, &parsed, &rendered, &label);
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
            assert!(checked >= 2, "{}: only {checked} combinations could be rendered", variant.id);
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
            for shape in fitting(variant) {
                let label = format!("{} {shape} on {kind}", variant.id);
                let shape: Shape = shape.parse().unwrap();
                let rendered = match variant.render(&shape, &BTreeMap::new(), &device) {
                    // Some matrices are read whole, straight from a buffer; other variants take every shape.
                    Err(KernelError::Constraint { .. }) if WHOLE.iter().any(|id| variant.id.starts_with(id)) => {
                        continue;
                    }
                    rendered => rendered,
                };
                check(variant, &shape, &rendered.unwrap_or_else(|error| panic!("{label}: {error}")), &label);
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
        (DeviceKind::Discrete, "gemm/tiled-f16-f32", "m=n=k=1024"),
        (DeviceKind::Discrete, "gemm/dot4-i8", "m=n=k=1024"),
        (DeviceKind::Discrete, "gemm-batched/shared-f32", "batch=8,m=n=k=1024"),
        (
            DeviceKind::Discrete,
            "conv2d/implicit-gemm-f32",
            "batch=32,channels=128,height=28,width=28,filters=1024,kernel=3,stride=1,pad=0",
        ),
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
fn a_name_ends_in_its_precision() {
    for variant in kernel::variants() {
        let id = &variant.id;
        assert!(id.ends_with(&format!("-{}", variant.element)), "{id} is a variant in {}", variant.element);
    }
}

#[test]
fn thin_matrices_and_long_sums_prefer_the_variants_made_for_them() {
    let device = device(DeviceKind::Discrete);
    let best = |shape: &str| {
        let shape: Shape = shape.parse().unwrap();
        let made = ["tiled-f32", "shared-f32", "skinny-f32", "splitk-f32", "splitk-shared-f32"];
        let own = made.map(|name| kernel::find(&format!("gemm/{name}")).unwrap());
        own.into_iter().max_by_key(|variant| variant.preference_at(&shape, &device)).unwrap().id.as_str()
    };
    assert_eq!(best("m=n=k=4096"), "gemm/shared-f32");
    assert_eq!(best("m=n=64,k=1000000"), "gemm/splitk-shared-f32");
    assert_eq!(best("m=8192,n=8,k=1024"), "gemm/skinny-f32");
    assert_eq!(best("m=8,n=8192,k=4096"), "gemm/splitk-f32");
    assert_eq!(best("m=1,n=k=4096"), "gemm/splitk-f32");
}
