//! The simulated device against its script: exact times, contents and faults.

use std::collections::BTreeSet;

use super::*;
use crate::gpu::{BufferSpec, Stage};
use crate::model::{Case, Counted, DataPattern, ElementType, Shape, Translation, Unit, Work};
use crate::units::{Bytes, Flop, FlopPerSecond};

fn program(variant: &str) -> Program {
    let buffer = |name: &str, role| BufferSpec { name: name.into(), bytes: 64, element: Scalar::F32, role };
    Program {
        case: Case {
            device: 0,
            problem: "p".into(),
            variant: variant.into(),
            shape: Shape::new([("n", 16)]),
            element: ElementType::F32,
            pattern: DataPattern::Normal,
            seed: 0,
            params: BTreeMap::new(),
            work: Work { flop: Flop::new(2e9), bytes: Bytes::new(128.0) },
            counted: Counted::Flop,
            unit: Unit::Vector,
            shader_sha256: String::new(),
        },
        wgsl: String::new(),
        translation: Translation::Trusted,
        stages: vec![Stage { entry: "main".into(), workgroups: [1, 1, 1] }],
        buffers: vec![buffer("in", Role::Input), buffer("out", Role::Output)],
        requires: BTreeSet::new(),
    }
}

/// A device of 1 TFLOP/s, so that a dispatch of 2 GFLOP takes 2 ms, with 1 ms of overhead per run.
fn script(faults: Vec<FaultScript>) -> DeviceScript {
    let rate = Rate::FlopPerSecond(FlopPerSecond::new(1e12));
    DeviceScript { overhead_s: Seconds::new(1e-3), faults, ..DeviceScript::new("sim", rate) }
}

fn machine(script: DeviceScript) -> (SimulatedMachine, SimulatedClock, Activity) {
    let (clock, activity) = (SimulatedClock::new(), Activity::default());
    // Word i of an output is i as f32.
    let oracle: Oracle =
        Arc::new(|_, range| (range.start / 4..range.end / 4).flat_map(|index| (index as f32).to_ne_bytes()).collect());
    (SimulatedMachine::new(vec![script], clock.clone(), activity.clone(), oracle), clock, activity)
}

fn loaded(machine: &SimulatedMachine, variant: &str) -> Box<dyn Accelerator> {
    let mut gpu = machine.open(0).unwrap();
    gpu.load(&program(variant)).unwrap();
    gpu
}

fn probe(start: u64, end: u64) -> Job {
    Job::Probe { ranges: vec![ByteRange { buffer: 1, start, end }] }
}

fn submit_and_wait(gpu: &mut dyn Accelerator, job: &Job) -> Result<Completion, GpuError> {
    let ticket = gpu.submit(job)?;
    gpu.wait(ticket)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|word| f32::from_ne_bytes(*word)).collect()
}

fn words(bytes: &[u8]) -> Vec<u32> {
    floats(bytes).into_iter().map(f32::to_bits).collect()
}

#[test]
fn runs_in_flight_follow_one_another_at_exact_times() {
    let (machine, clock, activity) = machine(script(Vec::new()));
    let mut gpu = loaded(&machine, "p/a");
    clock.sleep_until(Nanoseconds(500));
    let first = gpu.submit(&Job::Run { dispatches: 3 }).unwrap();
    let second = gpu.submit(&Job::Run { dispatches: 1 }).unwrap();
    assert_eq!(clock.now(), Nanoseconds(500), "submitting takes no time");
    let done = gpu.wait(first).unwrap();
    assert_eq!((done.done_ns, done.device_ns), (Nanoseconds(7_000_500), Some(6_000_000)));
    let done = gpu.wait(second).unwrap();
    assert_eq!((done.done_ns, done.device_ns), (Nanoseconds(10_000_500), Some(2_000_000)));
    let busy =
        |from, until| Busy { from: Nanoseconds(from), until: Nanoseconds(until), device: 0, variant: "p/a".into() };
    assert_eq!(activity.intervals(), vec![busy(1_000_500, 7_000_500), busy(8_000_500, 10_000_500)]);
}

#[test]
fn the_most_specific_rate_counts_and_a_variant_without_one_is_refused() {
    let mut script = script(Vec::new());
    script.overhead_s = Seconds::new(0.0);
    let rate = |variant: &str, seconds| RateScript {
        variant: variant.into(),
        params: BTreeMap::new(),
        rate: Rate::SecondsPerDispatch(Seconds::new(seconds)),
    };
    script.rates = vec![rate("p/*", 1.0), rate("p/a", 2.0)];
    let (machine, ..) = machine(script);
    for (variant, ns) in [("p/a", 2_000_000_000), ("p/b", 1_000_000_000)] {
        let done = submit_and_wait(loaded(&machine, variant).as_mut(), &Job::Run { dispatches: 1 }).unwrap();
        assert_eq!(done.device_ns, Some(ns));
    }
    let error = machine.open(0).unwrap().load(&program("q/a")).unwrap_err();
    assert!(error.to_string().contains("no rate"), "{error}");
}

#[test]
fn a_rate_for_parameters_counts_before_one_for_the_variant_alone() {
    let mut script = script(Vec::new());
    script.overhead_s = Seconds::new(0.0);
    let rate = |params: &[(&str, u64)], seconds| RateScript {
        variant: "p/a".into(),
        params: params.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        rate: Rate::SecondsPerDispatch(Seconds::new(seconds)),
    };
    script.rates = vec![rate(&[], 3.0), rate(&[("BM", 64)], 2.0), rate(&[("BM", 32)], 1.0)];
    let (machine, ..) = machine(script);
    for (bm, ns) in [(64, 2_000_000_000), (32, 1_000_000_000), (16, 3_000_000_000)] {
        let mut program = program("p/a");
        program.case.params.insert("BM".to_owned(), bm);
        let mut gpu = machine.open(0).unwrap();
        gpu.load(&program).unwrap();
        let done = submit_and_wait(gpu.as_mut(), &Job::Run { dispatches: 1 }).unwrap();
        assert_eq!(done.device_ns, Some(ns), "{bm}");
    }
}

#[test]
fn outputs_hold_poison_until_a_run_and_results_after_it() {
    let (machine, clock, _) = machine(script(Vec::new()));
    let mut gpu = loaded(&machine, "p/a");
    let jobs = [Job::Poison, probe(0, 8), Job::Run { dispatches: 1 }, probe(8, 16)];
    let tickets: Vec<_> = jobs.iter().map(|job| gpu.submit(job).unwrap()).collect();
    let done: Vec<_> = tickets.into_iter().map(|ticket| gpu.wait(ticket).unwrap()).collect();
    assert_eq!(words(&done[1].bytes), vec![POISON_WORD; 2]);
    assert_eq!(floats(&done[3].bytes), vec![2.0, 3.0]);
    assert_eq!(done[3].done_ns, clock.now());
    assert_eq!((done[1].device_ns, done[3].device_ns), (None, None), "only runs have a device time");
    assert_eq!(gpu.scan_poison().unwrap(), PoisonScan { words: 16, poisoned: 0, first: None });
    submit_and_wait(gpu.as_mut(), &Job::Poison).unwrap();
    assert_eq!(gpu.scan_poison().unwrap(), PoisonScan { words: 16, poisoned: 16, first: Some(0) });
}

#[test]
fn without_timestamps_a_run_has_no_device_time() {
    let mut script = script(Vec::new());
    script.features.clear();
    let (machine, ..) = machine(script);
    assert_eq!(machine.devices()[0].timestamp_period_ns, None);
    let done = submit_and_wait(loaded(&machine, "p/a").as_mut(), &Job::Run { dispatches: 1 }).unwrap();
    assert_eq!(done.device_ns, None);
}

#[test]
fn a_wrong_output_begins_after_the_scripted_number_of_runs() {
    let fault = FaultScript::WrongOutput { variant: "p/*".into(), after_runs: 1 };
    let (machine, ..) = machine(script(vec![fault]));
    let mut gpu = loaded(&machine, "p/a");
    submit_and_wait(gpu.as_mut(), &Job::Run { dispatches: 9 }).unwrap();
    assert_eq!(floats(&submit_and_wait(gpu.as_mut(), &probe(0, 8)).unwrap().bytes), vec![0.0, 1.0]);
    submit_and_wait(gpu.as_mut(), &Job::Run { dispatches: 1 }).unwrap();
    assert_eq!(floats(&submit_and_wait(gpu.as_mut(), &probe(0, 8)).unwrap().bytes), vec![1.0, 3.0]);
}

#[test]
fn an_unwritten_tail_keeps_its_poison() {
    let fault = FaultScript::UnwrittenOutput { variant: "p/a".into(), after_runs: 0, fraction: 0.25 };
    let (machine, ..) = machine(script(vec![fault]));
    let mut gpu = loaded(&machine, "p/a");
    submit_and_wait(gpu.as_mut(), &Job::Run { dispatches: 1 }).unwrap();
    assert_eq!(gpu.scan_poison().unwrap(), PoisonScan { words: 16, poisoned: 4, first: Some(48) });
    let bytes = submit_and_wait(gpu.as_mut(), &probe(44, 52)).unwrap().bytes;
    assert_eq!(words(&bytes), vec![11f32.to_bits(), POISON_WORD]);
}

#[test]
fn a_lost_device_stays_lost_until_it_is_opened_again() {
    let fault = FaultScript::Lost { variant: "*".into(), after_submissions: 1, times: 1 };
    let (machine, _, activity) = machine(script(vec![fault]));
    let run = Job::Run { dispatches: 1 };
    let mut gpu = loaded(&machine, "p/a");
    submit_and_wait(gpu.as_mut(), &run).unwrap();
    assert!(matches!(submit_and_wait(gpu.as_mut(), &run), Err(GpuError::Lost { .. })));
    assert!(matches!(gpu.submit(&run), Err(GpuError::Lost { .. })));
    assert!(matches!(gpu.load(&program("p/a")), Err(GpuError::Lost { .. })));
    assert_eq!(activity.intervals().len(), 1, "a lost run does no work");
    let mut again = loaded(&machine, "p/a");
    for _ in 0..3 {
        submit_and_wait(again.as_mut(), &run).unwrap();
    }
}

#[test]
fn a_flipped_bit_shows_to_samples_and_to_whole_outputs_and_is_gone_with_the_next_run() {
    let fault = FaultScript::BitFlip { variant: "p/*".into(), after_runs: 1, every: 3 };
    let (machine, ..) = machine(script(vec![fault]));
    let mut gpu = loaded(&machine, "p/a");
    let right: Vec<u32> = (0..16).map(|index| (index as f32).to_bits()).collect();
    // The first run is spared; of the groups of three after it, the last of each is struck: runs 4 and 7.
    for run in 1..=8 {
        submit_and_wait(gpu.as_mut(), &Job::Run { dispatches: 1 }).unwrap();
        let sampled = words(&submit_and_wait(gpu.as_mut(), &probe(0, 4)).unwrap().bytes)[0];
        let elsewhere = words(&submit_and_wait(gpu.as_mut(), &probe(4, 8)).unwrap().bytes)[0];
        let mut whole = Vec::new();
        gpu.read_outputs(&mut |_, _, bytes| whole.extend(words(bytes))).unwrap();
        let struck = if run == 4 || run == 7 { 1 << 22 } else { 0 };
        assert_eq!((sampled ^ right[0], elsewhere), (struck, right[1]), "run {run}");
        assert_eq!(whole[0] ^ right[0], struck, "run {run}");
        assert_eq!(whole[1..], right[1..], "run {run}");
    }
}

#[test]
fn a_device_that_turns_slow_takes_longer_from_then_on_and_draws_power_as_long() {
    let fault = FaultScript::Slow { variant: "p/a".into(), factor: 3.0, after_s: Seconds::new(5e-3) };
    let (machine, _, activity) = machine(script(vec![fault]));
    let mut gpu = loaded(&machine, "p/a");
    let times: Vec<_> = (0..3)
        .map(|_| submit_and_wait(gpu.as_mut(), &Job::Run { dispatches: 1 }).unwrap().device_ns.unwrap())
        .collect();
    // 1 ms of overhead and 2 ms of work each: they begin at 1, 4 and 7 ms.
    assert_eq!(times, vec![2_000_000, 2_000_000, 6_000_000]);
    assert_eq!(activity.intervals()[2].until, Nanoseconds(13_000_000));
    let other = submit_and_wait(loaded(&machine, "p/b").as_mut(), &Job::Run { dispatches: 1 }).unwrap();
    assert_eq!(other.device_ns, Some(2_000_000), "another variant is as fast as ever");
}

#[test]
fn a_device_that_dies_is_lost_at_its_instant_and_can_never_be_opened_again() {
    let (machine, clock, activity) = machine(script(vec![FaultScript::Dies { after_s: Seconds::new(5e-3) }]));
    let run = Job::Run { dispatches: 1 };
    let mut gpu = loaded(&machine, "p/a");
    submit_and_wait(gpu.as_mut(), &run).unwrap();
    // The second begins at 4 ms and would end at 6 ms.
    let error = submit_and_wait(gpu.as_mut(), &run).unwrap_err();
    assert!(matches!(error, GpuError::Lost { .. }) && error.to_string().contains("scripted death"), "{error}");
    assert_eq!((clock.now(), activity.intervals()[1].until), (Nanoseconds(5_000_000), Nanoseconds(5_000_000)));
    assert!(matches!(gpu.submit(&run), Err(GpuError::Lost { .. })));
    for _ in 0..3 {
        clock.sleep_until(clock.now().plus(Seconds::new(60.0)));
        assert!(matches!(machine.open(0).err(), Some(GpuError::Lost { .. })));
    }
}

#[test]
fn compile_errors_and_shortages_befall_only_their_variants() {
    let faults = vec![
        FaultScript::CompileError { variant: "p/bad".into() },
        FaultScript::OutOfMemory { variant: "p/big".into() },
    ];
    let (machine, ..) = machine(script(faults));
    let mut gpu = machine.open(0).unwrap();
    assert!(matches!(gpu.load(&program("p/bad")), Err(GpuError::Compile { .. })));
    assert!(matches!(gpu.load(&program("p/big")), Err(GpuError::OutOfMemory { bytes: 128, .. })));
    gpu.load(&program("p/a")).unwrap();
}

#[test]
fn limits_features_and_memory_are_those_of_the_script() {
    let mut small = script(Vec::new());
    small.memory_bytes = 127;
    let (small, ..) = machine(small);
    assert!(matches!(small.open(0).unwrap().load(&program("p/a")), Err(GpuError::OutOfMemory { .. })));
    let mut narrow = script(Vec::new());
    narrow.limits.max_binding_bytes = 60;
    let (narrow, ..) = machine(narrow);
    assert!(matches!(narrow.open(0).unwrap().load(&program("p/a")), Err(GpuError::TooLarge { .. })));
    let (plain, ..) = machine(script(Vec::new()));
    let mut program = program("p/a");
    program.requires = BTreeSet::from([Feature::CooperativeMatrix]);
    assert!(matches!(plain.open(0).unwrap().load(&program), Err(GpuError::MissingFeature { .. })));
    assert!(matches!(plain.open(1), Err(GpuError::NoDevice(_))));
}
