//! Every shipped variant on every adapter of this machine, at small awkward shapes: right to the last output.
//!
//! Mesa's software adapter is enough, and no adapter at all is a failure. What surprises people: an f16 variant may stay
//! out where the adapter has no f16 (the output names it and why; `cargo test -- --nocapture` shows it), an f32 variant
//! may not. Only default parameters run here: this adapter's own, and for kernels with workgroup memory those of GPUs.

// Helpers outside of test functions may stop the test too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeSet;

use wattmark::clock::WallClock;
use wattmark::gpu::{Accelerator, Completion, GpuError, Job, Machine, Program, WgpuMachine};
use wattmark::kernel;
use wattmark::measure::plan::{self, PlanError, Selection};
use wattmark::model::{Case, Device, DeviceKind, ShapeError, SkipReason};
use wattmark::verify::prepare::program_of;
use wattmark::verify::{ProbePlan, WholeCheck};
use wattmark::workload::{Instance, TensorRole, oracle_bytes, problem, problems};

/// Seed of the inputs; any will do.
const SEED: u64 = 20_240_229;
/// Outputs compared per case, about; the scan for poison looks at all of them.
const SAMPLES: u32 = 400;

/// Small shapes of each problem: one that no tile, vector or workgroup divides, one that all divide, one of primes, one of
/// ones, and thin ones with a single row, column or term.
const SHAPES: &[(&str, &[&str])] = &[
    ("fma", &["n=1003,steps=77", "n=4096,steps=64", "n=steps=67", "n=steps=1", "n=1,steps=64", "n=64,steps=1"]),
    (
        "memory-read",
        &["n=30011,lanes=1001", "n=65536,lanes=1024", "n=4489,lanes=67", "n=lanes=1", "n=67,lanes=1", "n=lanes=67"],
    ),
    ("memory-copy", &["n=30011", "n=65536", "n=67", "n=1", "n=3"]),
    ("memory-triad", &["n=30011", "n=65536", "n=67", "n=1", "n=3"]),
    (
        "gemm",
        &[
            "m=133,n=71,k=259",
            "m=n=128,k=64",
            "m=n=k=67",
            "m=n=k=1",
            "m=1,n=k=67",
            "n=1,m=k=67",
            "k=1,m=n=67",
            "m=9,n=6,k=4099",
        ],
    ),
    (
        "gemm-batched",
        &[
            "batch=5,m=37,n=71,k=133",
            "batch=3,m=n=64,k=64",
            "batch=67,m=5,n=3,k=7",
            "batch=m=n=k=1",
            "batch=2,m=1,n=k=67",
            "batch=2,n=1,m=k=67",
        ],
    ),
    (
        "conv2d",
        &[
            "batch=2,channels=5,height=13,width=17,filters=35,kernel=3,stride=1,pad=1",
            "batch=1,channels=16,height=16,width=16,filters=32,kernel=3,stride=1,pad=1",
            "batch=3,channels=7,height=11,width=9,filters=13,kernel=5,stride=2,pad=2",
            "batch=2,channels=8,height=8,width=8,filters=16,kernel=1,stride=1,pad=0",
            "batch=1,channels=3,height=7,width=67,filters=1,kernel=7,stride=3,pad=0",
            "batch=channels=height=width=filters=kernel=stride=1,pad=0",
        ],
    ),
    (
        "gemv",
        &[
            "m=131,k=1031",
            "m=256,k=512",
            "m=k=67",
            "m=k=1",
            "m=1,k=1031",
            "m=131,k=1",
            "m=131,k=2304",
            "m=1,k=256",
            "m=131,k=32",
            "m=67,k=1056",
        ],
    ),
    (
        "rmsnorm",
        &["rows=37,cols=1031", "rows=64,cols=512", "rows=cols=67", "rows=cols=1", "rows=1,cols=1031", "rows=37,cols=1"],
    ),
    (
        "layernorm",
        &["rows=37,cols=1031", "rows=64,cols=512", "rows=cols=67", "rows=cols=1", "rows=1,cols=1031", "rows=37,cols=2"],
    ),
    (
        "embedding",
        &[
            "vocab=97,dim=36,tokens=131",
            "vocab=512,dim=256,tokens=128",
            "vocab=67,dim=67,tokens=67",
            "vocab=dim=tokens=1",
            "vocab=1,dim=66,tokens=131",
            "vocab=131,dim=1,tokens=67",
        ],
    ),
    (
        "rope-append",
        &[
            "batch=2,heads=7,kv_heads=3,tokens=13,dim=36,start=100003",
            "batch=1,heads=8,kv_heads=4,tokens=32,dim=64,start=4096",
            "batch=2,heads=5,kv_heads=67,tokens=3,dim=134,start=1",
            "batch=heads=kv_heads=tokens=start=1,dim=2",
            "batch=67,heads=1,kv_heads=1,tokens=1,dim=6,start=16000000",
        ],
    ),
    ("silu-mul", &["n=30011", "n=65536", "n=67", "n=1", "n=3"]),
    ("gelu", &["n=30011", "n=65536", "n=67", "n=1", "n=3"]),
    ("add", &["n=30011", "n=65536", "n=67", "n=1", "n=3"]),
    (
        "softmax",
        &["rows=37,cols=1031", "rows=64,cols=512", "rows=cols=67", "rows=cols=1", "rows=1,cols=1031", "rows=37,cols=1"],
    ),
    (
        "attention-prefill",
        &[
            "batch=2,heads=6,kv_heads=3,seq=133,dim=36",
            "batch=1,heads=4,kv_heads=2,seq=128,dim=64",
            "batch=2,heads=5,kv_heads=5,seq=67,dim=67",
            "batch=heads=kv_heads=seq=dim=1",
            "batch=1,heads=7,kv_heads=1,seq=1,dim=67",
            "batch=1,heads=3,kv_heads=1,seq=67,dim=1",
        ],
    ),
    (
        "attention-decode",
        &[
            "batch=2,heads=6,kv_heads=3,context=533,dim=36",
            "batch=2,heads=4,kv_heads=2,context=512,dim=64",
            "batch=2,heads=5,kv_heads=5,context=67,dim=67",
            "batch=heads=kv_heads=context=dim=1",
            "batch=1,heads=7,kv_heads=1,context=1,dim=67",
            "batch=1,heads=3,kv_heads=1,context=67,dim=1",
        ],
    ),
    (
        "swiglu",
        &[
            "tokens=37,d=131,f=71",
            "tokens=64,d=64,f=128",
            "tokens=d=f=67",
            "tokens=d=f=1",
            "tokens=1,d=f=67",
            "tokens=67,d=1,f=67",
            "tokens=d=67,f=1",
        ],
    ),
    (
        "transformer-layer",
        &[
            "batch=2,tokens=5,context=5,d=23,heads=6,kv_heads=2,dim=10,f=37",
            "batch=1,tokens=33,context=33,d=96,heads=6,kv_heads=2,dim=32,f=160",
            "batch=1,tokens=3,context=70,d=64,heads=4,kv_heads=2,dim=16,f=128",
            "batch=3,tokens=1,context=533,d=40,heads=4,kv_heads=2,dim=8,f=24",
            "batch=tokens=context=d=heads=kv_heads=f=1,dim=2",
        ],
    ),
];

/// The adapters of this machine; without one nothing here can be checked, which is a failure.
fn machine() -> WgpuMachine {
    let machine = WgpuMachine::discover(WallClock::start());
    assert!(!machine.devices().is_empty(), "no Vulkan adapter on this machine: install mesa-vulkan-drivers");
    machine
}

fn planned(variant: &str, shape: &str, device: &Device) -> Result<Case, PlanError> {
    let selection = Selection {
        kernels: vec![variant.to_owned()],
        shapes: vec![shape.to_owned()],
        seed: SEED,
        ..Selection::default()
    };
    let cases = plan::cases(&selection, std::slice::from_ref(device))?;
    assert_eq!(cases.len(), 1, "{variant} {shape}");
    Ok(cases.into_iter().next().unwrap())
}

fn loaded(gpu: &mut dyn Accelerator, program: &Program, instance: &Instance) -> Result<(), GpuError> {
    let problem = problem(&program.case.problem).unwrap();
    gpu.load(program)?;
    let tensors = problem.tensors(&instance.shape, instance.element);
    for (index, _) in tensors.iter().enumerate().filter(|(_, tensor)| tensor.role == TensorRole::Input) {
        gpu.fill(index, &mut |offset, bytes| {
            bytes.copy_from_slice(&oracle_bytes(problem, instance, index, offset, offset + bytes.len() as u64));
        })?;
    }
    Ok(())
}

fn done(gpu: &mut dyn Accelerator, job: &Job) -> Result<Completion, GpuError> {
    let ticket = gpu.submit(job)?;
    gpu.wait(ticket)
}

/// Runs a program once over poisoned outputs; what is wrong with them, or how right they are.
fn verified(gpu: &mut dyn Accelerator, program: &Program, instance: &Instance) -> Result<String, String> {
    let problem = problem(&program.case.problem).unwrap();
    let probe = ProbePlan::sample(problem, instance, SAMPLES, SEED);
    let bytes = loaded(gpu, program, instance)
        .and_then(|()| done(gpu, &Job::Poison))
        .and_then(|_| done(gpu, &Job::Run { dispatches: 1 }))
        .and_then(|_| done(gpu, &Job::Probe { ranges: probe.ranges() }))
        .map_err(|error| error.to_string())?
        .bytes;
    let whole = WholeCheck::new(problem, instance, SEED, None, true);
    let mut reading = whole.reading();
    let scan = gpu
        .read_outputs(&mut |tensor, offset, bytes| reading.add(tensor, offset, bytes))
        .map_err(|error| error.to_string())?;
    if scan.poisoned > 0 {
        return Err(format!("{} of {} output words were never written", scan.poisoned, scan.words));
    }
    let check = probe.check(&bytes).map_err(|mismatch| mismatch.to_string())?;
    let (product, _) = reading.judge()?;
    assert_eq!(product.is_some(), problem.product(instance).is_some());
    let worst = check.worst_error_in_bounds;
    Ok(format!("{} outputs within {worst:.3} of their bounds, {} words written", check.sampled, scan.words))
}

#[test]
fn every_problem_has_shapes_here() {
    let named: BTreeSet<&str> = SHAPES.iter().map(|(problem, _)| *problem).collect();
    let shipped: BTreeSet<&str> = problems().iter().map(|problem| problem.id()).collect();
    let computed: BTreeSet<&str> = kernel::variants().iter().map(|variant| variant.problem.as_str()).collect();
    assert_eq!(named, shipped);
    assert_eq!(computed, shipped, "a problem without a variant, or the reverse");
}

#[test]
fn every_variant_is_right_at_ragged_aligned_prime_and_thin_shapes() {
    let machine = machine();
    let (mut wrong, mut ran) = (Vec::new(), 0);
    for device in machine.devices() {
        let mut gpu = machine.open(device.ordinal).unwrap();
        eprintln!("{} ({:?})", device.name, device.kind);
        for variant in kernel::variants() {
            let (_, shapes) = SHAPES.iter().find(|(problem, _)| *problem == variant.problem).unwrap();
            let fits = |shape: &&&str| {
                problem(&variant.problem).unwrap().check_for(&shape.parse().unwrap(), variant.element).is_ok()
            };
            for shape in shapes.iter().filter(fits) {
                let case = planned(&variant.id, shape, &device).unwrap();
                let found = match program_of(&case, &device) {
                    Err(skip) if skip.reason == SkipReason::MissingFeature => {
                        eprintln!("  {:26} did not run: {}", variant.id, skip.detail);
                        break;
                    }
                    Err(skip) => Err(format!("could not run: {}", skip.detail)),
                    Ok((instance, program)) => verified(gpu.as_mut(), &program, &instance),
                };
                ran += usize::from(found.is_ok());
                match found {
                    Ok(how) => eprintln!("  {:26} {}: {how}", variant.id, case.shape),
                    Err(why) => wrong.push(format!("{} {} on {}: {why}", variant.id, case.shape, device.name)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases are not right:\n{}\n", wrong.len(), wrong.len() + ran, wrong.join("\n"));
    assert!(ran > 0);
}

/// Problems whose kernels have other paths on GPUs (rows shared by lanes, operands staged in workgroup memory) that a
/// software adapter runs in reasonable time.
const SHARED_ROWS: [&str; 6] = ["gemv", "layernorm", "embedding", "rope-append", "silu-mul", "gelu"];

#[test]
fn the_parameters_that_gpus_start_with_are_right_here_too() {
    let machine = machine();
    let (mut wrong, mut ran) = (Vec::new(), 0);
    for device in machine.devices() {
        let mut gpu = machine.open(device.ordinal).unwrap();
        let other = Device { kind: DeviceKind::Discrete, ..device.clone() };
        for variant in kernel::variants().iter().filter(|variant| SHARED_ROWS.contains(&variant.problem.as_str())) {
            let (_, shapes) = SHAPES.iter().find(|(problem, _)| *problem == variant.problem).unwrap();
            let fits = |shape: &&&str| {
                problem(&variant.problem).unwrap().check_for(&shape.parse().unwrap(), variant.element).is_ok()
            };
            for shape in shapes.iter().filter(fits) {
                let case =
                    Case { params: variant.default_params(&other), ..planned(&variant.id, shape, &device).unwrap() };
                let found = match program_of(&case, &device) {
                    Err(skip) if skip.reason == SkipReason::MissingFeature => break,
                    Err(skip) => Err(format!("could not run: {}", skip.detail)),
                    Ok((instance, program)) => verified(gpu.as_mut(), &program, &instance),
                };
                ran += usize::from(found.is_ok());
                wrong.extend(found.err().map(|why| format!("{} {}: {why}", variant.id, case.shape)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases are not right:\n{}\n", wrong.len(), wrong.len() + ran, wrong.join("\n"));
    assert!(ran > 0);
}

#[test]
fn a_kernel_that_leaves_its_last_tiles_out_does_not_pass() {
    let machine = machine();
    let device = &machine.devices()[0];
    let mut gpu = machine.open(device.ordinal).unwrap();
    let case = planned("gemm/naive-f32", "m=n=k=67", device).unwrap();
    let (instance, mut program) = program_of(&case, device).unwrap();
    assert!(program.stages[0].workgroups[1] > 1);
    program.stages[0].workgroups[1] -= 1;
    let why = verified(gpu.as_mut(), &program, &instance).unwrap_err();
    assert!(why.ends_with("of 4489 output words were never written"), "{why}");
}

#[test]
fn a_kernel_on_other_inputs_than_the_references_does_not_pass() {
    let machine = machine();
    let device = &machine.devices()[0];
    let mut gpu = machine.open(device.ordinal).unwrap();
    for (variant, shape) in
        [("gemm/tiled-f32", "m=n=k=67"), ("softmax/rows-f32", "rows=cols=67"), ("memory-copy/direct-f32", "n=67")]
    {
        let (instance, program) = program_of(&planned(variant, shape, device).unwrap(), device).unwrap();
        let other = Instance { seed: SEED + 1, ..instance.clone() };
        loaded(gpu.as_mut(), &program, &other).unwrap();
        done(gpu.as_mut(), &Job::Run { dispatches: 1 }).unwrap();
        let probe = ProbePlan::sample(problem(&program.case.problem).unwrap(), &instance, SAMPLES, SEED);
        let bytes = done(gpu.as_mut(), &Job::Probe { ranges: probe.ranges() }).unwrap().bytes;
        let why = probe.check(&bytes).unwrap_err().to_string();
        assert!(why.contains("sampled outputs are wrong"), "{variant}: {why}");
    }
}

#[test]
fn a_buffer_beyond_the_binding_limit_is_refused_with_the_bytes_it_needs_and_the_device_goes_on() {
    let machine = machine();
    for device in machine.devices() {
        let mut gpu = machine.open(device.ordinal).unwrap();
        let limit = device.limits.max_binding_bytes.min(device.limits.max_buffer_bytes);
        let n = limit / 4 + 1;
        let side = (n - 1).isqrt() + 1;
        let rows = n.div_ceil(1024);
        for (variant, shape, bytes) in [
            // An input is padded to whole blocks of 32 bytes.
            ("memory-copy/direct-f32", format!("n={n}"), 4 * n.next_multiple_of(8)),
            ("gemm/tiled-f32", format!("m=n={side},k=1"), 4 * side * side),
            ("softmax/rows-f32", format!("rows={rows},cols=1024"), 4096 * rows),
        ] {
            let case = planned(variant, &shape, &device).unwrap();
            let (_, program) = program_of(&case, &device).unwrap();
            match gpu.load(&program) {
                Err(GpuError::TooLarge { what, needed, limit: most, device: name }) => {
                    assert!(what.starts_with("buffer ") && what.contains(variant), "{what}");
                    assert!(needed.contains(&format!("({bytes} bytes)")), "{variant} {shape}: {needed}");
                    assert!(most.contains(&format!("({limit} bytes)")), "{variant} {shape}: {most}");
                    assert_eq!(name, device.name);
                }
                other => panic!("{variant} {shape} on {}: {other:?}", device.name),
            }
        }
        let (instance, program) = program_of(&planned("gemm/tiled-f32", "m=n=k=5", &device).unwrap(), &device).unwrap();
        verified(gpu.as_mut(), &program, &instance).unwrap();
    }
}

#[test]
fn extents_that_do_not_fit_together_are_refused_before_the_device_sees_them() {
    let device = &machine().devices()[0];
    for (pattern, shape, rule) in [
        ("attention-prefill", "heads=6,kv_heads=4", "heads must be a multiple of kv_heads, and 6 is none of 4"),
        ("attention-decode", "heads=3,kv_heads=67", "heads must be a multiple of kv_heads, and 3 is none of 67"),
        ("fma/chains-f32", "n=67,steps=1000003", "steps is 1000003"),
        ("gemm/tiled-f32", "m=n=k=1099511627776", "more than 1099511627776 elements"),
    ] {
        match planned(pattern, shape, device) {
            Err(PlanError::Shape(error @ ShapeError::Refused { .. })) => {
                assert!(error.to_string().contains(rule), "{pattern} {shape}: {error}");
            }
            other => panic!("{pattern} {shape}: {other:?}"),
        }
    }
    let zero = planned("gemm/tiled-f32", "m=n=67,k=0", device);
    assert!(matches!(&zero, Err(PlanError::Shape(ShapeError::Extent { axis, value: 0 })) if axis == "k"), "{zero:?}");
    let unknown = planned("gemm/tiled-f32", "rows=67", device);
    assert!(matches!(&unknown, Err(PlanError::UnknownAxis { axis, .. }) if axis == "rows"), "{unknown:?}");
}
