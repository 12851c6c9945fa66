//! The stream of jobs on a real adapter: Mesa's software adapter is enough, no adapter at all is a failure.

// Helpers outside of test functions may stop the test too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use wattmark::clock::{Clock, WallClock};
use wattmark::gpu::{
    Accelerator, BufferSpec, ByteRange, GpuError, Job, Machine, POISON_WORD, Program, Role, Stage, WgpuMachine,
};
use wattmark::model::{Case, Counted, DataPattern, ElementType, Feature, Scalar, Shape, Translation, Unit, Work};
use wattmark::units::{Bytes, Flop};

const WORKGROUP: u64 = 64;
const ADD: &str = "
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * 64u + id.x;
    if i < arrayLength(&c) { c[i] = a[i] + b[i]; }
}";

fn open() -> Box<dyn Accelerator> {
    let machine = WgpuMachine::discover(WallClock::start());
    assert!(!machine.devices().is_empty(), "no Vulkan adapter: install mesa-vulkan-drivers");
    machine.open(0).expect("the first device opens")
}

fn case(n: u64) -> Case {
    Case {
        device: 0,
        problem: "add".into(),
        variant: "add/plain-f32".into(),
        shape: Shape::new([("n", n)]),
        element: ElementType::F32,
        pattern: DataPattern::Normal,
        seed: 1,
        params: BTreeMap::new(),
        work: Work { flop: Flop::new(n as f64), bytes: Bytes::new(12.0 * n as f64) },
        counted: Counted::Bytes,
        unit: Unit::Vector,
        shader_sha256: String::new(),
    }
}

fn buffer(name: &str, n: u64, role: Role) -> BufferSpec {
    BufferSpec { name: name.into(), bytes: 4 * n, element: Scalar::F32, role }
}

fn add(n: u64) -> Program {
    let groups = u32::try_from(n.div_ceil(WORKGROUP)).unwrap();
    Program {
        case: case(n),
        wgsl: ADD.into(),
        translation: Translation::Trusted,
        stages: vec![Stage { entry: "main".into(), workgroups: [groups.min(1024), groups.div_ceil(1024), 1] }],
        buffers: vec![buffer("a", n, Role::Input), buffer("b", n, Role::Input), buffer("c", n, Role::Output)],
        requires: BTreeSet::new(),
    }
}

/// Fills an input with `value(index)`.
fn fill(gpu: &mut dyn Accelerator, index: usize, value: fn(u64) -> f32) {
    let mut next = 0;
    gpu.fill(index, &mut |offset, bytes| {
        assert_eq!(offset, next, "chunks come in order without holes");
        next += bytes.len() as u64;
        for (at, word) in bytes.chunks_exact_mut(4).enumerate() {
            word.copy_from_slice(&value(offset / 4 + at as u64).to_ne_bytes());
        }
    })
    .unwrap();
}

fn ready(n: u64) -> Box<dyn Accelerator> {
    let mut gpu = open();
    gpu.load(&add(n)).unwrap();
    fill(gpu.as_mut(), 0, |i| (i % 1000) as f32);
    fill(gpu.as_mut(), 1, |_| 0.5);
    gpu
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    words(bytes).into_iter().map(f32::from_bits).collect()
}

fn range(start: u64, end: u64) -> ByteRange {
    ByteRange { buffer: 2, start, end }
}

#[test]
fn poison_run_and_probe_happen_in_stream_order() {
    let n = 5_000_000;
    let mut gpu = ready(n);
    let ranges = vec![range(0, 8), range(4 * (n - 1), 4 * n)];
    let jobs = [Job::Poison, Job::Probe { ranges: ranges.clone() }, Job::Run { dispatches: 1 }, Job::Probe { ranges }];
    let tickets: Vec<_> = jobs.iter().map(|job| gpu.submit(job).unwrap()).collect();
    let done: Vec<_> = tickets.into_iter().map(|ticket| gpu.wait(ticket).unwrap()).collect();
    assert_eq!(words(&done[1].bytes), vec![POISON_WORD; 3]);
    assert_eq!(floats(&done[3].bytes), vec![0.5, 1.5, 999.5]);
    assert!(done.windows(2).all(|pair| pair[0].done_ns <= pair[1].done_ns), "jobs finish in order");
}

#[test]
fn a_scan_finds_poison_before_the_run_and_none_after_it() {
    let n = 5_000_001;
    let mut gpu = ready(n);
    let poisoned = gpu.submit(&Job::Poison).unwrap();
    gpu.wait(poisoned).unwrap();
    let before = gpu.scan_poison().unwrap();
    assert_eq!((before.words, before.poisoned, before.first), (n, n, Some(0)));
    let run = gpu.submit(&Job::Run { dispatches: 1 }).unwrap();
    gpu.wait(run).unwrap();
    let after = gpu.scan_poison().unwrap();
    assert_eq!((after.words, after.poisoned, after.first), (n, 0, None));
}

#[test]
fn device_times_of_passes_in_flight_fit_the_wall_clock() {
    let clock = WallClock::start();
    let machine = WgpuMachine::discover(clock);
    let mut gpu = machine.open(0).expect("a device: install mesa-vulkan-drivers");
    gpu.load(&add(2_000_000)).unwrap();
    fill(gpu.as_mut(), 0, |_| 1.0);
    fill(gpu.as_mut(), 1, |_| 2.0);
    let warm = gpu.submit(&Job::Run { dispatches: 1 }).unwrap();
    gpu.wait(warm).unwrap();
    let begin = clock.now();
    // More than there are timestamp slots, in flight four at a time.
    let mut flight = std::collections::VecDeque::new();
    let mut device_ns = Vec::new();
    let mut end = begin;
    for _ in 0..40 {
        flight.push_back(gpu.submit(&Job::Run { dispatches: 4 }).unwrap());
        if flight.len() == 4 {
            let done = gpu.wait(flight.pop_front().unwrap()).unwrap();
            device_ns.push(done.device_ns);
        }
    }
    for ticket in flight {
        let done = gpu.wait(ticket).unwrap();
        device_ns.push(done.device_ns);
        end = done.done_ns;
    }
    assert_eq!(device_ns.len(), 40);
    if gpu.device().features.contains(&Feature::Timestamps) {
        assert!(gpu.device().timestamp_period_ns.unwrap() > 0.0);
        let device_s: f64 = device_ns.iter().map(|ns| ns.unwrap() as f64 * 1e-9).sum();
        let wall_s = end.since(begin).get();
        let ratio = device_s / wall_s;
        assert!((0.2..=1.05).contains(&ratio), "device {device_s} s, wall {wall_s} s");
    } else {
        assert!(device_ns.iter().all(Option::is_none));
    }
}

#[test]
fn completions_are_stamped_when_jobs_finish_and_not_when_someone_waits() {
    // Every job is submitted before the first is waited for, as a driver that runs them inside `submit` makes it be.
    let mut gpu = ready(2_000_000);
    let poison = gpu.submit(&Job::Poison).unwrap();
    let runs: Vec<_> = (0..6).map(|_| gpu.submit(&Job::Run { dispatches: 4 }).unwrap()).collect();
    let start = gpu.wait(poison).unwrap().done_ns;
    let done: Vec<_> = runs.into_iter().map(|ticket| gpu.wait(ticket).unwrap()).collect();
    let wall = done.last().unwrap().done_ns.since(start).get();
    if gpu.device().features.contains(&Feature::Timestamps) {
        // The device cannot have worked longer than the time between the stamps.
        let device: f64 = done.iter().map(|done| done.device_ns.unwrap() as f64 * 1e-9).sum();
        assert!(device <= wall * 1.05, "device {device} s, wall {wall} s");
    }
    assert!(done.windows(2).all(|pair| pair[0].done_ns <= pair[1].done_ns));
}

#[test]
fn a_buffer_beyond_the_limit_is_refused_before_anything_is_allocated() {
    let mut gpu = open();
    let limit = gpu.device().limits.max_binding_bytes;
    let mut program = add(64);
    program.buffers[2].bytes = limit + 4;
    let error = gpu.load(&program).unwrap_err();
    assert!(matches!(error, GpuError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains(&(limit + 4).to_string()), "{error}");
    program = add(64);
    program.stages[0].workgroups[1] = gpu.device().limits.max_workgroups_per_dimension + 1;
    assert!(matches!(gpu.load(&program), Err(GpuError::TooLarge { .. })));
    program = add(64);
    program.buffers.resize(gpu.device().limits.max_storage_buffers as usize + 1, buffer("x", 1, Role::Input));
    assert!(matches!(gpu.load(&program), Err(GpuError::TooLarge { .. })));
}

#[test]
fn a_shader_that_does_not_compile_names_the_case_and_leaves_the_device_usable() {
    let mut gpu = open();
    let mut program = add(64);
    program.wgsl = ADD.replace("a[i] + b[i]", "a[i] + nonsense");
    match gpu.load(&program).unwrap_err() {
        GpuError::Compile { case, message } => {
            assert_eq!(case, "add/plain-f32 n=64");
            assert!(message.contains("nonsense"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    program = add(64);
    program.stages[0].entry = "other".into();
    assert!(matches!(gpu.load(&program), Err(GpuError::Compile { .. })));
    gpu.load(&add(64)).unwrap();
}

#[test]
fn a_missing_feature_is_named() {
    let mut gpu = open();
    let all = [Feature::F16, Feature::F64, Feature::I64, Feature::Subgroup, Feature::CooperativeMatrix];
    let missing = all.into_iter().find(|feature| !gpu.device().features.contains(feature));
    let missing = missing.expect("no device has them all: llvmpipe lacks cooperative matrices");
    let mut program = add(64);
    program.requires = BTreeSet::from([missing]);
    let error = gpu.load(&program).unwrap_err();
    assert!(matches!(error, GpuError::MissingFeature { feature, .. } if feature == missing), "{error}");
}

#[test]
fn calls_out_of_order_are_errors_not_panics() {
    let mut gpu = open();
    assert!(matches!(gpu.submit(&Job::Run { dispatches: 1 }), Err(GpuError::Other { .. })));
    assert!(matches!(gpu.scan_poison(), Err(GpuError::Other { .. })));
    gpu.load(&add(64)).unwrap();
    assert!(matches!(gpu.fill(9, &mut |_, _| {}), Err(GpuError::Other { .. })));
    for bad in [range(0, 3), range(8, 4), range(0, 400), ByteRange { buffer: 9, start: 0, end: 4 }] {
        assert!(matches!(gpu.submit(&Job::Probe { ranges: vec![bad] }), Err(GpuError::Other { .. })), "{bad:?}");
    }
    let run = gpu.submit(&Job::Run { dispatches: 1 }).unwrap();
    gpu.wait(run).unwrap();
    assert!(matches!(gpu.wait(run), Err(GpuError::Other { .. })), "a ticket is good for one wait");
}

#[test]
fn an_ordinal_that_no_device_has_is_refused() {
    let machine = WgpuMachine::discover(WallClock::start());
    let error = machine.open(4711).err().expect("no machine has so many devices");
    assert!(error.to_string().contains("4711"), "{error}");
    let ordinals: Vec<u32> = machine.devices().iter().map(|device| device.ordinal).collect();
    assert_eq!(ordinals, (0..ordinals.len() as u32).collect::<Vec<_>>());
}
